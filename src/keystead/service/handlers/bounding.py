"""Tying a managed policy to a principal as its boundary, and cutting what ties a principal to policies."""

from __future__ import annotations

from itertools import groupby

from msgspec.structs import replace

from keystead.core.entities import Attachment, ManagedPolicy, Principal
from keystead.core.errors import NotFound
from keystead.core.operations import PolicyRef
from keystead.service.held import HeldPrincipal, HeldTenant


def bound(principal: Principal, home: HeldTenant, ref: PolicyRef) -> tuple[Principal, Attachment, ManagedPolicy]:
    """A principal that has no boundary with that one, and what is to be put with it.

    Raises NotFound (detail the PolicyRef).
    """
    policy = home.find_policy(ref)
    if policy is None:
        raise NotFound("no such policy", ref)
    bounded = replace(principal, boundary=policy.id)
    tie = Attachment.of(policy, principal, as_boundary=True)
    return bounded, tie, replace(policy, n_bounded=policy.n_bounded + 1)


def severed(
    held: HeldPrincipal, *, boundary_only: bool = False
) -> tuple[tuple[ManagedPolicy, ...], tuple[Attachment, ...]]:
    """The policies of `held` as they are to be without it, and the attachments that are to go."""
    ties = tuple(one for one in held.attachments() if one.as_boundary or not boundary_only)
    policies = []
    for id_, group in groupby(ties, key=lambda one: one.policy_id):
        cut, policy = [one.as_boundary for one in group], held.home.policy_of_id(id_)
        attached, bounded = policy.n_attached - cut.count(False), policy.n_bounded - cut.count(True)
        policies.append(replace(policy, n_attached=attached, n_bounded=bounded))
    return tuple(policies), ties
