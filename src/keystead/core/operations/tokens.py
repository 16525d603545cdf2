"""Tokens, as Vault's auth/token has them, and answers wrapped in one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import Token, TokenRole
from keystead.core.operations.base import Nothing, R, TenantOperation
from keystead.core.sensitive import Sensitive


class Capped(Struct, frozen=True):
    """A time to live that was asked for and not given. Seconds; `what`: "TTL" or "period"."""

    what: str
    asked: int
    most: int


WAITS_FOR = "approval"
"""Where the meta of the token of a wrapped answer says which request for approval it waits for."""


class MadeToken(Struct, frozen=True):
    """`text` is shown once. `absent`: policies that it has by name and that say nothing yet.

    `identity_policies`: those that it has by the entity it belongs to. `unasked`: of a login, second factors were shown
    that nothing asks for.
    """

    token: Token
    text: Sensitive
    capped: Capped | None = None
    absent: tuple[str, ...] = ()
    identity_policies: tuple[str, ...] = ()
    unasked: bool = False


class Renewed(Struct, frozen=True):
    token: Token
    ttl: int  # seconds from now
    capped: Capped | None = None
    identity_policies: tuple[str, ...] = ()


class ShownToken(Struct, frozen=True):
    token: Token
    identity_policies: tuple[str, ...] = ()


class CreateToken(TenantOperation[MadeToken], frozen=True, kw_only=True):
    """A child of the caller's own token, or an orphan. Raises InvalidArgument, NotFound (its role)."""

    action = Action.CREATE_TOKEN
    changes = True
    text: Sensitive | None = None  # None: at random
    role: str = ""
    policies: tuple[str, ...] | None = None  # None: the parent's, or the role's
    with_default: bool = True
    orphan: bool = False
    needs_sudo: bool = True  # to be an orphan
    meta: Mapping[str, str] = {}
    display_name: str = ""
    path: str
    ttl: int = 0
    period: int = 0
    explicit_max_ttl: int = 0
    n_uses: int = 0
    renewable: bool = True
    made_as: str = ""  # "service", "batch"; "": as the role has it
    entity_alias: str = ""  # what it belongs to, where its role allows it; "": to its parent's entity


class IssueToken(TenantOperation[MadeToken], frozen=True, kw_only=True):
    """A token without a parent, made by whoever runs the installation. Raises InvalidArgument."""

    action = Action.ISSUE_TOKEN
    changes = True
    policies: tuple[str, ...]
    display_name: str = ""
    ttl: int = 0
    period: int = 0
    n_uses: int = 0


class TokenOperation(TenantOperation[R], Generic[R], frozen=True, kw_only=True):
    """About one token: by the digest of its text, by its accessor, or, with neither, the caller's own.

    `batch`: the text of a batch token, of which there is nothing else. Raises NotFound.
    """

    id: str = ""
    accessor: str = ""
    batch: Sensitive | None = None


class LookUpToken(TokenOperation[ShownToken], frozen=True, kw_only=True):
    action = Action.LOOK_UP_TOKEN


class LookUpSelf(TenantOperation[ShownToken], frozen=True, kw_only=True):
    """The caller's own token."""

    action = Action.LOOK_UP_SELF


class RenewToken(TokenOperation[Renewed], frozen=True, kw_only=True):
    """`increment`: seconds; 0 is what it was made with. Raises InvalidArgument where it cannot be renewed."""

    action = Action.RENEW_TOKEN
    changes = True
    increment: int = 0


class RevokeToken(TokenOperation[Nothing], frozen=True, kw_only=True):
    """With all that was made with it, or, where `orphaning`, alone."""

    action = Action.REVOKE_TOKEN
    changes = True
    orphaning: bool = False


class ListTokens(TenantOperation[tuple[Token, ...]], frozen=True, kw_only=True):
    action = Action.LIST_TOKENS


class UseToken(TenantOperation[Token], frozen=True, kw_only=True):
    """Count a use of the caller's own token. `ended`: the last one is over, and the token goes.

    Raises Denied where it has been used up meanwhile.
    """

    action = Action.USE_TOKEN
    changes = True
    ended: bool = False


class WriteTokenRole(TenantOperation[TokenRole], frozen=True, kw_only=True):
    """`role` as it is to be; the one of its name that was there goes."""

    action = Action.WRITE_TOKEN_ROLE
    changes = True
    role: TokenRole


class ReadTokenRole(TenantOperation[TokenRole], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_TOKEN_ROLE
    name: str


class ListTokenRoles(TenantOperation[tuple[str, ...]], frozen=True, kw_only=True):
    action = Action.LIST_TOKEN_ROLES


class DeleteTokenRole(TenantOperation[Nothing], frozen=True, kw_only=True):
    action = Action.DELETE_TOKEN_ROLE
    changes = True
    name: str


# --- answers wrapped in a token


class WrapAnswer(TenantOperation[MadeToken], frozen=True, kw_only=True):
    """A token, good once and for `ttl` seconds, that `answer` is told for. `path`: of the request it answers.

    `waits_for`: the request for approval that has to be approved first, and whose asker alone is told.
    """

    action = Action.WRAP
    changes = True
    answer: Sensitive
    ttl: int
    path: str
    waits_for: str = ""


class Unwrap(TenantOperation[Sensitive], frozen=True, kw_only=True):
    """The answer, once; its token is gone. `text`: the token's; nothing else opens the answer.

    Raises NotFound; NotApproved, its token kept, for what waits for approval; Denied for anybody but who has asked.
    """

    action = Action.UNWRAP
    changes = True
    text: Sensitive


class LookUpWrapped(TokenOperation[Token], frozen=True, kw_only=True):
    """The token of a wrapped answer, without using it."""

    action = Action.LOOK_UP_WRAPPED


class Rewrap(TenantOperation[MadeToken], frozen=True, kw_only=True):
    """The same answer in another token; the old one is gone. As Unwrap. `at_most`: seconds; 0 is as long as it had."""

    action = Action.REWRAP
    changes = True
    text: Sensitive
    at_most: int = 0
