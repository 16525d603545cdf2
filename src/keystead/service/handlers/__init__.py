"""The acts: pure functions from an operation and its found, authorized targets to an Outcome."""

from __future__ import annotations

from keystead.service.handlers import (
    agreement,
    cipher,
    datakey,
    mac,
    random,
    signature,
)
from keystead.service.pipeline import Handler

HANDLERS: dict[type, Handler] = {
    **cipher.HANDLERS,
    **datakey.HANDLERS,
    **signature.HANDLERS,
    **mac.HANDLERS,
    **agreement.HANDLERS,
    **random.HANDLERS,
}
