"""Limits of a key's use: put, loosened, and what of them has been used."""

from __future__ import annotations

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import Key
from keystead.core.limits import Counts, Limits
from keystead.core.operations.base import KeyOperation, Nothing


class PutLimits(KeyOperation[Nothing], frozen=True, kw_only=True):
    """In place of what there is; from the answer on they hold. They may not allow more than before.

    Raises InvalidArgument (Limit.LOOSER, Limit.UNFIT), Unsupported (detail "limits") for a key that can be replicated.
    """

    action = Action.PUT_LIMITS
    changes = True
    limits: Limits


class LoosenLimits(KeyOperation[Nothing], frozen=True, kw_only=True):
    """The same where they may allow more, or everything. What has been used stays used."""

    action = Action.LOOSEN_LIMITS
    changes = True
    limits: Limits


class KeyUsage(Struct, frozen=True):
    """`used` since the key first had limits that count; more may have been since this was asked for."""

    key: Key
    limits: Limits
    used: Counts


class ReadUsage(KeyOperation[KeyUsage], frozen=True, kw_only=True):
    action = Action.READ_USAGE
