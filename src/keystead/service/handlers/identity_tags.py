"""Tags of users, roles and managed policies, as they are put, taken away and listed."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.operations import Nothing, Page
from keystead.service.handlers.identities import OneOf, changeable
from keystead.service.handlers.tagging import tagged, untagged
from keystead.service.held import HeldPolicy
from keystead.service.pipeline import Act, Handler, Outcome


def _page(tags: Mapping[str, str], after: str, limit: int) -> Page[tuple[str, str]]:
    rest = sorted(pair for pair in tags.items() if pair[0] > after)
    page = tuple(rest[:limit])
    return Page(page, page[-1][0] if len(rest) > limit else None)


def tag_principal(op: ops.TagPrincipal, targets: OneOf, _act: Act) -> Outcome[Nothing]:
    principal = changeable(targets[0])
    return Outcome(answer=Nothing(), put=(replace(principal, tags=tagged(principal.tags, op.tags)),))


def untag_principal(op: ops.UntagPrincipal, targets: OneOf, _act: Act) -> Outcome[Nothing]:
    principal = changeable(targets[0])
    return Outcome(answer=Nothing(), put=(replace(principal, tags=untagged(principal.tags, op.names)),))


def list_principal_tags(op: ops.ListPrincipalTags, targets: OneOf, _act: Act) -> Outcome[Page[tuple[str, str]]]:
    return Outcome(answer=_page(targets[0].principal.tags, op.after, op.limit))


def tag_policy(op: ops.TagPolicy, targets: tuple[HeldPolicy], _act: Act) -> Outcome[Nothing]:
    policy = targets[0].policy
    return Outcome(answer=Nothing(), put=(replace(policy, tags=tagged(policy.tags, op.tags)),))


def untag_policy(op: ops.UntagPolicy, targets: tuple[HeldPolicy], _act: Act) -> Outcome[Nothing]:
    policy = targets[0].policy
    return Outcome(answer=Nothing(), put=(replace(policy, tags=untagged(policy.tags, op.names)),))


def list_policy_tags(op: ops.ListPolicyTags, targets: tuple[HeldPolicy], _act: Act) -> Outcome[Page[tuple[str, str]]]:
    return Outcome(answer=_page(targets[0].policy.tags, op.after, op.limit))


HANDLERS: dict[type, Handler] = {
    **{row.tag: tag_principal for row in ops.TAGGING.values()},
    **{row.untag: untag_principal for row in ops.TAGGING.values()},
    **{row.list: list_principal_tags for row in ops.TAGGING.values()},
    ops.TagPolicy: tag_policy,
    ops.UntagPolicy: untag_policy,
    ops.ListPolicyTags: list_policy_tags,
}
