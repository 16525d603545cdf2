"""Tokens, as Vault's auth/token has them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import Token
from keystead.core.operations.base import TenantOperation
from keystead.core.sensitive import Sensitive


class MadeToken(Struct, frozen=True):
    """`text` is shown once."""

    token: Token
    text: Sensitive


class CreateToken(TenantOperation[MadeToken], frozen=True, kw_only=True):
    """A child of the caller's own token, or an orphan. Raises InvalidArgument, Denied."""

    action = Action.CREATE_TOKEN
    changes = True
    policies: tuple[str, ...] | None = None  # None: the parent's
    with_default: bool = True
    orphan: bool = False
    meta: Mapping[str, str] = {}
    display_name: str = ""
    path: str
    ttl: int = 0
    period: int = 0
    explicit_max_ttl: int = 0
    n_uses: int = 0
    renewable: bool = True


class LookUpSelf(TenantOperation[Token], frozen=True, kw_only=True):
    """The caller's own token."""

    action = Action.LOOK_UP_SELF
