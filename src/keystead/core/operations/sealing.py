"""The seal, for a caller of the first tenant: leave to do what the server then does with itself."""

from __future__ import annotations

from keystead.core.actions import Action
from keystead.core.operations.base import Nothing, TenantOperation


class SealServer(TenantOperation[Nothing], frozen=True, kw_only=True):
    """Leave to have the server forget the unseal key, in every process. Raises Denied for any tenant but the first."""

    action = Action.SEAL_SERVER


class ReadRootKey(TenantOperation[Nothing], frozen=True, kw_only=True):
    """Leave to hear how old the root of the key tree is."""

    action = Action.READ_ROOT_KEY


class ReadMetrics(TenantOperation[Nothing], frozen=True, kw_only=True):
    """Leave to hear how the installation stands, in numbers."""

    action = Action.READ_METRICS


class RotateRootKey(TenantOperation[Nothing], frozen=True, kw_only=True):
    """Leave to give the key tree a new root, and the slot a new generation."""

    action = Action.ROTATE_ROOT_KEY


class ChangeShares(TenantOperation[Nothing], frozen=True, kw_only=True):
    """Leave to give the seal other shares; enough of those it has are needed beside it."""

    action = Action.CHANGE_SHARES


class GenerateRootToken(TenantOperation[Nothing], frozen=True, kw_only=True):
    """Leave to have a root token made, by enough shares of the seal."""

    action = Action.GENERATE_ROOT_TOKEN
