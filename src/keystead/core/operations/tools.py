"""Tools that stand beside keys, as Vault's sys/tools has them."""

from __future__ import annotations

from keystead.core.actions import Action
from keystead.core.operations.base import Nothing, TenantOperation
from keystead.core.sensitive import Sensitive


class UseTools(TenantOperation[Nothing], frozen=True, kw_only=True):
    """Leave to use a tool that needs nothing of what is kept: a hash, what was said wrapped."""

    action = Action.USE_TOOLS


class DrawRandom(TenantOperation[Sensitive], frozen=True, kw_only=True):
    """Random bytes. Raises InvalidArgument."""

    action = Action.DRAW_RANDOM
    n_bytes: int
