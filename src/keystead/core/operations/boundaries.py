"""Permissions boundaries: a managed policy that says how far the policies of a user or role reach at most."""

from __future__ import annotations

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import PrincipalKind
from keystead.core.operations.base import Nothing, PolicyRef, PrincipalOperation


class PutBoundary(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """In the place of another. Raises NotFound (detail the PolicyRef)."""

    changes = True
    boundary: PolicyRef


class DeleteBoundary(PrincipalOperation[Nothing], frozen=True, kw_only=True):
    """Whoever has none stays without."""

    changes = True


class PutUserBoundary(PutBoundary, frozen=True, kw_only=True):
    action = Action.PUT_USER_BOUNDARY


class DeleteUserBoundary(DeleteBoundary, frozen=True, kw_only=True):
    action = Action.DELETE_USER_BOUNDARY


class PutRoleBoundary(PutBoundary, frozen=True, kw_only=True):
    action = Action.PUT_ROLE_BOUNDARY


class DeleteRoleBoundary(DeleteBoundary, frozen=True, kw_only=True):
    action = Action.DELETE_ROLE_BOUNDARY


class Boundaries(Struct, frozen=True):
    """The two operations on the boundary of one kind of principal."""

    put: type[PutBoundary]
    delete: type[DeleteBoundary]


BOUNDARIES: dict[PrincipalKind, Boundaries] = {
    PrincipalKind.USER: Boundaries(PutUserBoundary, DeleteUserBoundary),
    PrincipalKind.ROLE: Boundaries(PutRoleBoundary, DeleteRoleBoundary),
}
