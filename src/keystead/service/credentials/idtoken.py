"""A token of identity that somebody asks about: its bytes, as wire.jose reads them."""

from __future__ import annotations

from keystead.core.sensitive import Sensitive
from keystead.wire.jose import Token, token


def read_token(text: Sensitive) -> Token:
    """Raises Malformed."""
    return token(text.reveal().decode("utf-8", "replace"))
