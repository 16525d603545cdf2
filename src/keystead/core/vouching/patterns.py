"""The patterns of what a role asks."""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """`*` stands for any text, wherever it is. Never more than len(pattern) * len(text) steps."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == first
    *middle, last = rest
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        if (found := text.find(piece, at, end)) < 0:
            return False
        at = found + len(piece)
    return True
