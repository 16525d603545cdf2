"""What a tenant has, row by row, what is below a thing before the thing itself: the table of who hangs below whom.

Rule 1: whoever can come in goes first, so that nothing is added behind the back of whoever takes all of it away.
Rule 2: a kind of entity that is not in this table would be left behind; tests/service/test_contents.py holds it to all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from keystead.core.entities import (
    Account,
    AclPolicy,
    Alias,
    ApprovalRequest,
    ApprovalRules,
    Attachment,
    Binding,
    Credential,
    Cubby,
    Entity,
    Folder,
    Grant,
    GroupTie,
    IdentityEntity,
    IdentityGroup,
    IdentityName,
    Key,
    KeyPolicy,
    Keyring,
    KeyVersion,
    LastUse,
    LoginSecret,
    LoginSettings,
    ManagedPolicy,
    Membership,
    MfaRoll,
    MfaRules,
    MfaSecret,
    Mount,
    Name,
    OidcAssignment,
    OidcClient,
    OidcClientSecret,
    OidcCode,
    OidcIssuer,
    OidcKey,
    OidcLogin,
    OidcRole,
    OidcScope,
    OidcSettings,
    OtpKey,
    Principal,
    RevocationList,
    Secret,
    SecretId,
    SecretSettings,
    SecretVersion,
    Setting,
    Tenant,
    Token,
    TokenRole,
    Usage,
    WaitingLogin,
    WrappedAnswer,
)
from keystead.core.federation import OidcProvider
from keystead.core.keystores import KeyStore
from keystead.service.damaged import KINDS, every_version

if TYPE_CHECKING:
    from keystead.service.reach import Reach


class By(Enum):
    """How what hangs below something names it."""

    PARENT = "parent"
    LINK = "link"
    SAME = "the same id"


class Tie(Struct, frozen=True):
    of: type[Entity]
    by: By = By.PARENT
    called: Callable[[Any], str] = lambda one: str(one.id)


def _uuid(mount: Mount) -> str:
    return mount.uuid


BELOW: Mapping[type[Entity], tuple[Tie, ...]] = {
    Tenant: (
        Tie(Principal),
        Tie(OidcProvider),
        Tie(Mount),
        Tie(Token),
        Tie(TokenRole),
        Tie(AclPolicy),
        Tie(ManagedPolicy),
        Tie(IdentityEntity),
        Tie(IdentityGroup),
        Tie(OidcRole),
        Tie(OidcKey),
        Tie(OidcSettings, By.SAME),
        Tie(MfaRules, By.SAME),
        Tie(MfaRoll, By.SAME),
        Tie(OidcCode),
        Tie(OidcClient),
        Tie(OidcIssuer),
        Tie(OidcScope),
        Tie(OidcAssignment),
        Tie(Setting),
        Tie(ApprovalRequest, By.LINK),
        Tie(ApprovalRules, By.SAME),
        Tie(Keyring),
    ),
    Principal: (Tie(Credential), Tie(Membership), Tie(Membership, By.LINK), Tie(Attachment, By.LINK)),
    Credential: (Tie(LastUse, By.SAME),),
    ManagedPolicy: (Tie(Attachment),),
    Mount: (
        Tie(Account, called=_uuid),
        Tie(Token, called=_uuid),
        Tie(LoginSettings, called=_uuid),
        Tie(LoginSecret, called=_uuid),
        Tie(OidcLogin, called=_uuid),
        Tie(WaitingLogin, called=_uuid),
        Tie(RevocationList, called=_uuid),
    ),
    Account: (Tie(SecretId),),
    OidcClient: (Tie(OidcClientSecret, called=lambda client: client.client_id),),
    Token: (Tie(Token), Tie(Cubby), Tie(WrappedAnswer, By.SAME)),
    IdentityEntity: (
        Tie(IdentityEntity),
        Tie(GroupTie, By.LINK),
        Tie(Alias),
        Tie(IdentityName),
        Tie(MfaSecret),
        Tie(WaitingLogin, By.LINK),
    ),
    IdentityGroup: (Tie(GroupTie), Tie(GroupTie, By.LINK), Tie(Alias), Tie(IdentityName)),
    Alias: (Tie(IdentityName),),
    Keyring: (
        Tie(OtpKey),
        Tie(Secret, By.LINK),
        Tie(Folder, By.LINK),
        Tie(SecretSettings, By.SAME),
        Tie(Name),
        Tie(Key),
        Tie(KeyStore),
        Tie(Binding),
    ),
    Secret: (Tie(SecretVersion),),
    Key: (Tie(KeyVersion), Tie(Grant), Tie(KeyPolicy, By.SAME), Tie(LastUse, By.SAME), Tie(Usage)),
}


VERSIONS = frozenset(KINDS.values())


def below(reach: Reach, one: Entity) -> Iterator[Entity]:
    """Everything below `one`, the lowest first; a thing that hangs in two places comes twice."""
    for tie in BELOW.get(type(one), ()):
        for found in _versions(reach, one) if tie.of in VERSIONS else _tied(reach, tie, tie.called(one)):
            yield from below(reach, found)
            yield found


def _versions(reach: Reach, of: Any) -> Iterator[Entity]:
    """Damaged ones too."""
    reach.may_block()
    yield from every_version(of, reach.barrier)


def _tied(reach: Reach, tie: Tie, id_: str) -> Iterator[Entity]:
    if tie.by is By.PARENT:
        yield from reach.every_child(tie.of, id_)
    elif tie.by is By.LINK:
        yield from reach.every_linked(tie.of, id_)
    elif (found := reach.get(tie.of, id_)) is not None:
        yield found
