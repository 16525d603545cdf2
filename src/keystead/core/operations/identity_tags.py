"""Tags of users, roles and managed policies. Their names are told apart whatever the case of their letters."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import PrincipalKind
from keystead.core.operations.base import Nothing, Page, PolicyOperation, PrincipalOperation


class TagPrincipal(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """Raises InvalidArgument (detail "tags"), LimitExceeded (detail "tags")."""

    changes = True
    tags: Mapping[str, str]


class UntagPrincipal(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """What it does not have is no error."""

    changes = True
    names: tuple[str, ...]


class ListPrincipalTags(PrincipalOperation[Page[tuple[str, str]]], frozen=True, kw_only=True):
    """By name."""

    after: str = ""
    limit: int


class TagUser(TagPrincipal, frozen=True, kw_only=True):
    action = Action.TAG_USER


class UntagUser(UntagPrincipal, frozen=True, kw_only=True):
    action = Action.UNTAG_USER


class ListUserTags(ListPrincipalTags, frozen=True, kw_only=True):
    action = Action.LIST_USER_TAGS


class TagRole(TagPrincipal, frozen=True, kw_only=True):
    action = Action.TAG_ROLE


class UntagRole(UntagPrincipal, frozen=True, kw_only=True):
    action = Action.UNTAG_ROLE


class ListRoleTags(ListPrincipalTags, frozen=True, kw_only=True):
    action = Action.LIST_ROLE_TAGS


class TagPolicy(PolicyOperation[Nothing], frozen=True, kw_only=True):
    """As TagPrincipal."""

    action = Action.TAG_POLICY
    changes = True
    tags: Mapping[str, str]


class UntagPolicy(PolicyOperation[Nothing], frozen=True, kw_only=True):
    """As UntagPrincipal."""

    action = Action.UNTAG_POLICY
    changes = True
    names: tuple[str, ...]


class ListPolicyTags(PolicyOperation[Page[tuple[str, str]]], frozen=True, kw_only=True):
    """By name."""

    action = Action.LIST_POLICY_TAGS
    after: str = ""
    limit: int


class Tagging(Struct, frozen=True):
    """The three operations on the tags of one kind of principal."""

    tag: type[TagPrincipal]
    untag: type[UntagPrincipal]
    list: type[ListPrincipalTags]


TAGGING: dict[PrincipalKind, Tagging] = {
    PrincipalKind.USER: Tagging(TagUser, UntagUser, ListUserTags),
    PrincipalKind.ROLE: Tagging(TagRole, UntagRole, ListRoleTags),
}
