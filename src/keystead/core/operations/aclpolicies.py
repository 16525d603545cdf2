"""Named policies of the vault dialect, and what they come to for a token."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import AclPolicy
from keystead.core.operations.base import Nothing, TenantOperation
from keystead.core.operations.tokens import TokenOperation


class PrintedAcl(Struct, frozen=True, kw_only=True):
    """What all policies of a token say: path -> capabilities. Those of `globs` are beginnings, or have a "+"."""

    is_root: bool = False
    exact: Mapping[str, tuple[str, ...]] = {}
    globs: Mapping[str, tuple[str, ...]] = {}


class WriteAclPolicy(TenantOperation[AclPolicy], frozen=True, kw_only=True):
    """Raises InvalidArgument (detail "Policy" for a text that is none)."""

    action = Action.WRITE_ACL_POLICY
    changes = True
    name: str
    text: str


class ReadAclPolicy(TenantOperation[AclPolicy], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_ACL_POLICY
    name: str


class ListAclPolicies(TenantOperation[tuple[str, ...]], frozen=True, kw_only=True):
    """Names, those included that every tenant has."""

    action = Action.LIST_ACL_POLICIES


class DeleteAclPolicy(TenantOperation[Nothing], frozen=True, kw_only=True):
    """Raises InvalidArgument for one that every tenant has."""

    action = Action.DELETE_ACL_POLICY
    changes = True
    name: str


class ReadCapabilities(TokenOperation[Mapping[str, tuple[str, ...]]], frozen=True, kw_only=True):
    """What a token may do at each of `paths`.

    `meant`: of those that lead to something that is spelt otherwise, in which spellings.
    """

    action = Action.READ_CAPABILITIES
    paths: tuple[str, ...]
    meant: Mapping[str, tuple[str, ...]] = {}


class ReadOwnAcl(TenantOperation[PrintedAcl], frozen=True, kw_only=True):
    action = Action.READ_OWN_ACL
