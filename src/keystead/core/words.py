"""Counts in words for people."""

from __future__ import annotations


def count_of(n: int, noun: str) -> str:
    """ "1 record", "1,234 records": `noun` in the singular, of those whose plural is made with an s."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
