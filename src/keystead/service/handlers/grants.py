"""Grants: made, listed, retired by whom they serve, revoked by whom the key belongs to.

KMS Developer Guide, "Grants in AWS KMS". A grant is in force as soon as it is made; its token adds nothing to it.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.actions import ACTIONS, Action
from keystead.core.algorithms import Family, Purpose
from keystead.core.entities import Grant, Key
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.grant_token import RANDOM_BYTES, grant_token
from keystead.core.operations import Granted, Nothing, Page, PlacedGrant
from keystead.core.policy.grants import token_digest
from keystead.core.policy.sessions import role_of
from keystead.core.quotas import require_room
from keystead.service.handlers.keys import paged
from keystead.service.handlers.names import by_id
from keystead.service.handlers.resolve import NoPrincipal, principal_id
from keystead.service.handlers.standing import active, existing
from keystead.service.held import HeldKey, HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

MAX_TOKENS = 100  # of one grant: the newest stay known
GRANTS_ALONE = "only grants"
"""detail of the InvalidArgument for a grant that allows to make grants, and nothing that they could allow."""
A = Action
ALWAYS = {A.CREATE_GRANT, A.RETIRE_GRANT, A.DESCRIBE_KEY}
CIPHER = {A.ENCRYPT, A.DECRYPT, A.RE_ENCRYPT_FROM, A.RE_ENCRYPT_TO}
DATA_KEYS = {
    A.GENERATE_DATA_KEY,
    A.GENERATE_DATA_KEY_BLIND,
    A.GENERATE_DATA_KEY_PAIR,
    A.GENERATE_DATA_KEY_PAIR_BLIND,
}
# KMS Developer Guide, "Grant operations"
BY_PURPOSE: dict[Purpose, set[Action]] = {
    Purpose.CIPHER: CIPHER,
    Purpose.SIGNATURE: {A.SIGN, A.VERIFY},
    Purpose.MAC: {A.GENERATE_MAC, A.VERIFY_MAC},
    Purpose.AGREEMENT: {A.DERIVE_SHARED_SECRET},
    Purpose.ENCAPSULATION: {A.ENCAPSULATE, A.DECAPSULATE},
}
BY_FAMILY: dict[Family, set[Action]] = {Family.AES: DATA_KEYS, Family.HMAC: set()}
ASYMMETRIC = {A.READ_PUBLIC_KEY}


def fitting(key: Key) -> set[Action]:
    """What a grant on this key can allow."""
    return ALWAYS | BY_PURPOSE[key.purpose] | BY_FAMILY.get(key.spec.family, ASYMMETRIC)


def create_grant(op: ops.CreateGrant, targets: tuple[HeldKey], act: Act) -> Outcome[Granted]:
    """A named grant that exists as asked for is answered again, with a new token.

    Raises InvalidArgument (detail "actions", GRANTS_ALONE, "constraints", resolve.NoPrincipal), WrongState,
    LimitExceeded.
    """
    (held,) = targets
    by_id(op.key)
    _check(op, held.key)
    active(held.key, act.now)
    asked = Grant(
        id=act.entropy(32).hex(),
        key_id=held.id,
        keyring=held.keyring.id,
        grantee=op.grantee,
        grantee_id=principal_id(op.grantee, act),
        retiree=op.retiree,
        retiree_id=principal_id(op.retiree, act) if op.retiree is not None else None,
        actions=tuple(dict.fromkeys(action.value for action in op.actions)),
        context_equals=dict(op.context_equals) if op.context_equals is not None else None,
        context_subset=dict(op.context_subset) if op.context_subset is not None else None,
        name=op.name,
        issued_by=act.principal.tenant,
        created_at=act.now,
    )
    grant = next((one for one in held.grants if op.name is not None and _same(one, asked)), asked)
    if grant is asked:
        require_room("grants", act.quotas.grants, len(held.grants))
    token = grant_token((op.key.namespace, held.id, grant.id), act.entropy(RANDOM_BYTES))
    grant = replace(grant, token_digests=(*grant.token_digests[1 - MAX_TOKENS :], token_digest(token)))
    return Outcome(answer=Granted(grant, token), put=(held.key, grant), made=grant.id)


def _check(op: ops.CreateGrant, key: Key) -> None:
    asked = set(op.actions)
    if not asked or not all(ACTIONS[action].grantable for action in asked):
        raise InvalidArgument("a grant allows one or more of the operations that can be granted", "actions")
    if asked == {A.CREATE_GRANT}:
        raise InvalidArgument("a grant that allows to make grants allows something else too", GRANTS_ALONE)
    if unfit := asked - fitting(key):
        raise InvalidArgument(f"a grant on this key cannot allow {min(unfit).value}", "actions")
    constrained = op.context_equals is not None or op.context_subset is not None
    if constrained and key.spec.family is not Family.AES:
        raise InvalidArgument("this key is used without a context, which a constraint could look at", "constraints")


def _same(one: Grant, other: Grant) -> bool:
    """Whether they say the same, in whatever order."""

    def said(grant: Grant) -> tuple[object, ...]:
        who = (grant.name, grant.grantee_id, grant.retiree_id, grant.issued_by)
        return (*who, frozenset(grant.actions), grant.context_equals, grant.context_subset)

    return said(one) == said(other)


def list_grants(op: ops.ListGrants, targets: tuple[HeldKey], act: Act) -> Outcome[Page[Grant]]:
    (held,) = targets
    existing(held.key, act.now)
    grantee_id = principal_id(op.grantee, act) if op.grantee is not None else None
    wanted = (
        grant
        for grant in by_grant_id(held.grants, op.after)
        if op.grant_id in (None, grant.id) and grantee_id in (None, grant.grantee_id)
    )
    return Outcome(answer=paged(wanted, op.limit))


def by_grant_id(grants: Iterable[Grant], after: str) -> list[Grant]:
    return sorted((grant for grant in grants if grant.id > after), key=lambda grant: grant.id)


def list_retirable(op: ops.ListRetirableGrants, targets: tuple[HeldTenant], act: Act) -> Outcome[Page[PlacedGrant]]:
    """Grants on keys of every tenant, at the place asked about, that the principal is named to retire."""
    (tenant,) = targets
    retiree_id = principal_id(op.retiree, act)
    if not tenant.owns(role_of(retiree_id)):
        raise InvalidArgument("the principal belongs to another tenant", NoPrincipal(op.retiree))
    page: list[PlacedGrant] = []
    for grant in tenant.retirable(retiree_id, after=op.after):
        if (at := tenant.address(grant.keyring, op.namespace)) is not None:
            page.append(PlacedGrant(grant, at))
        if len(page) > op.limit:
            return Outcome(answer=Page(tuple(page[:-1]), page[-2].grant.id))
    return Outcome(answer=Page(tuple(page)))


def retire_grant(op: ops.RetireGrant, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    """The policy decision has looked at the grant: service.authorize."""
    return _without(op.grant_id, targets[0], act)


def revoke_grant(op: ops.RevokeGrant, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    return _without(op.grant_id, targets[0], act)


def _without(grant_id: str, held: HeldKey, act: Act) -> Outcome[Nothing]:
    existing(held.key, act.now)
    for grant in held.grants:
        if grant.id == grant_id:
            return Outcome(answer=Nothing(), put=(held.key,), delete=(grant,), made=grant.id)
    raise NotFound("no such grant", "grant_id")


HANDLERS: dict[type, Handler] = {
    ops.CreateGrant: create_grant,
    ops.ListGrants: list_grants,
    ops.ListRetirableGrants: list_retirable,
    ops.RetireGrant: retire_grant,
    ops.RevokeGrant: revoke_grant,
}
