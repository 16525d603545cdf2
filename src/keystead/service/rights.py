"""Gathering rights: the policies of a principal and of the groups it is in, inline and attached; those of a session.

IAM User Guide, "IAM user groups": a group is no principal; what its policies say counts for its members.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from msgspec.structs import replace

from keystead.core.entities import (
    AclPolicy,
    Attachment,
    Entity,
    ManagedPolicy,
    Membership,
    OidcAccess,
    PolicyText,
    Principal,
    PrincipalKind,
    Token,
)
from keystead.core.errors import Internal
from keystead.core.policy.fold import lower
from keystead.core.policy.paths import filled
from keystead.core.policy.vault import DEFAULT_POLICY, RESPONSE_WRAPPING_POLICY, policy_of_access
from keystead.core.rights import Narrowing, Rights
from keystead.service.barrier import Barrier
from keystead.service.belonging import NOBODYS, Belonging, belonging
from keystead.service.held.spaces import chain_of, has_ended

E = TypeVar("E", bound=Entity)


def gather(barrier: Barrier, id_: str) -> Rights | None:
    """The rights of that principal as the store has them now; None if there is none, or it is one that cannot act:
    a group, and whoever's namespace, or one above it, has ended.

    Several reads: whoever keeps the answer makes sure that nothing was committed between them (service.view).
    Raises Internal where something that it names is missing: a policy that is lost may have said no.
    """
    principal = barrier.get(Principal, id_)
    if principal is None or principal.is_group:
        return None
    chain = chain_of(barrier.get, principal.tenant)
    if has_ended(chain):
        return None
    groups = [_there(barrier, Principal, one.group_id) for one in barrier.linked(Membership, id_)]
    holders = (principal, *groups)
    inline = [policy for holder in holders for policy in holder.policies]
    ties = [tie for holder in holders for tie in barrier.linked(Attachment, holder.id) if not tie.as_boundary]
    attached = {tie.policy_id: _there(barrier, ManagedPolicy, tie.policy_id) for tie in ties}
    policies = (*inline, *(policy.text for policy in attached.values()))
    boundary = _there(barrier, ManagedPolicy, principal.boundary) if principal.boundary else None
    rests_on = (*chain, *groups, *attached.values(), *(() if boundary is None else (boundary,)))
    return Rights(
        principal=principal,
        key=principal.id,
        policies=policies,
        tags=principal.tags,
        boundary=None if boundary is None else boundary.text,
        rests_on=rests_on,
        bases=frozenset({id_, *(one.id for one in rests_on)}),
    )


def narrowed(barrier: Barrier, rights: Rights, by: Narrowing) -> Rights:
    """The rights of a role in a session of its own kind. A policy that is gone may have said no: then there are none.

    IAM User Guide, "Session policies". Several reads, as gather.
    """
    found = [barrier.get(ManagedPolicy, id_) for id_ in by.policy_ids]
    managed = [policy for policy in found if policy is not None]
    inline = () if by.policy is None else (by.policy,)
    texts = (*inline, *(policy.text for policy in managed)) if len(managed) == len(found) else ()
    return replace(
        rights,
        key=f"{rights.key}/{by.session_id}",
        narrowing=by,
        session=texts if by.policy is not None or by.policy_ids else None,
        tags=tagged_over(rights.tags, by.tags),
        rests_on=(*rights.rests_on, *managed),
        bases=rights.bases.union(by.policy_ids),
    )


def tagged_over(tags: Mapping[str, str], newer: Mapping[str, str]) -> Mapping[str, str]:
    """STS API Reference, AssumeRole, Tags: "session tags override a role tag with the same key", in whatever case.

    Of ASCII's letters, as where policies ask for them (handlers.tagging).
    """
    taken = {lower(name) for name in newer}
    return {**{name: value for name, value in tags.items() if lower(name) not in taken}, **newer}


BUILT_IN = {"default": DEFAULT_POLICY, "response-wrapping": RESPONSE_WRAPPING_POLICY}
"""What these policies say as long as nobody has written them."""
ROOT_POLICY = "root"


def of_token(barrier: Barrier, id_: str) -> Rights | None:
    """The rights of whoever bears that token; None if there is none. Several reads, as gather."""
    return None if (token := barrier.get(Token, id_)) is None else of_bearer(barrier, token)


def of_bearer(barrier: Barrier, token: Token) -> Rights:
    """The policies of a token by name, as they are today. Several reads, as gather.

    With those of the entity that it belongs to. Vault documentation, "Tokens", "Policies": a name that no policy has
    allows nothing, until there is one.
    """
    whose = belonging(barrier, token.entity, token.tenant) if token.entity else NOBODYS
    bearer = Principal(
        id=token.bearer,
        tenant=token.tenant,
        principal_kind=PrincipalKind.TOKEN,
        name=token.display_name,
        name_digest="",
        created_at=token.created_at,
        enabled=whose.is_good,
    )
    if token.access is not None:
        return _of_access(token, token.access, bearer, whose)
    kept = () if token.is_batch else (token,)
    is_root = ROOT_POLICY in token.policies  # which stands alone
    names = token.policies if is_root or not whose.policies else tuple(sorted({*token.policies, *whose.policies}))
    ids = {name: acl_policy_id(barrier, token.tenant, name) for name in names if name != ROOT_POLICY}
    found = {name: barrier.get(AclPolicy, id_) for name, id_ in ids.items()}
    texts = {name: one.text if one else BUILT_IN.get(name, "") for name, one in found.items()}
    if is_root:
        texts[ROOT_POLICY] = ""
    policies = tuple(PolicyText(name, "vault", texts[name]) for name in names)
    return Rights(
        principal=bearer,
        key=token.id,
        policies=tuple(filled(one, whose.facts) for one in policies) if whose.facts else policies,
        rests_on=(*kept, *(one for one in found.values() if one is not None), *whose.rests_on),
        # also of policies that are not there yet
        bases=whose.bases.union((*(one.id for one in kept), *ids.values())),
        token=token,
        identity_policies=whose.policies,
    )


def _of_access(token: Token, access: OidcAccess, bearer: Principal, whose: Belonging) -> Rights:
    """Of an access token: nothing of what its entity may, but to ask for what it is told of."""
    return Rights(
        principal=bearer,
        key=token.id,
        policies=(PolicyText("oidc access token", "vault", policy_of_access(access.issuer)),),
        rests_on=whose.rests_on,
        bases=whose.bases,
        token=token,
    )


def alike(rights: Rights, token: Token, beside: tuple[Entity, ...]) -> Rights:
    """Those of another batch token of the same standing; `beside`: what else it ends with."""
    return replace(
        rights,
        principal=replace(rights.principal, id=token.bearer, name=token.display_name, created_at=token.created_at),
        key=token.id,
        rests_on=(*rights.rests_on, *beside),
        token=token,
    )


def acl_policy_id(barrier: Barrier, tenant: str, name: str) -> str:
    return barrier.name_id(f"acl-policy:{tenant}", name)


def _there(barrier: Barrier, kind: type[E], id_: str) -> E:
    if (found := barrier.get(kind, id_)) is None:
        raise Internal(f"a {kind.__name__} that rights rest on is missing")
    return found
