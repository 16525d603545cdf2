"""Case folding of names that are not case-sensitive."""

from __future__ import annotations

_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def lower(text: str) -> str:
    """ASCII only: the Kelvin sign is no k, and a dotless i no i."""
    return text.translate(_ASCII_LOWER)
