"""Gathering rights: the policies of a principal and of the groups it is in, inline and attached; those of a session.

IAM User Guide, "IAM user groups": a group is no principal; what its policies say counts for its members.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from msgspec.structs import replace

from keystead.core.entities import Attachment, Entity, ManagedPolicy, Membership, Principal
from keystead.core.errors import Internal
from keystead.core.rights import Narrowing, Rights
from keystead.service.barrier import Barrier

E = TypeVar("E", bound=Entity)


def gather(barrier: Barrier, id_: str) -> Rights | None:
    """The rights of that principal as the store has them now; None if there is none, or it is one that cannot act.

    Several reads: whoever keeps the answer makes sure that nothing was committed between them (service.view).
    Raises Internal where something that it names is missing: a policy that is lost may have said no.
    """
    principal = barrier.get(Principal, id_)
    if principal is None or principal.is_group:
        return None
    groups = [_there(barrier, Principal, one.group_id) for one in barrier.linked(Membership, id_)]
    holders = (principal, *groups)
    inline = [policy for holder in holders for policy in holder.policies]
    ties = [tie for holder in holders for tie in barrier.linked(Attachment, holder.id) if not tie.as_boundary]
    attached = {tie.policy_id: _there(barrier, ManagedPolicy, tie.policy_id) for tie in ties}
    policies = (*inline, *(policy.text for policy in attached.values()))
    boundary = _there(barrier, ManagedPolicy, principal.boundary) if principal.boundary else None
    rests_on = (*groups, *attached.values(), *(() if boundary is None else (boundary,)))
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
    """STS API Reference, AssumeRole, Tags: "session tags override a role tag with the same key", in whatever case."""
    taken = {name.casefold() for name in newer}
    return {**{name: value for name, value in tags.items() if name.casefold() not in taken}, **newer}


def _there(barrier: Barrier, kind: type[E], id_: str) -> E:
    if (found := barrier.get(kind, id_)) is None:
        raise Internal(f"a {kind.__name__} that rights rest on is missing")
    return found
