"""Bytes that must not be shown."""

from __future__ import annotations


class Sensitive:
    """Bytes that must not be shown: no repr, no str, no pickle, no JSON, no copy by accident.

    Python cannot promise to wipe memory (pyca/cryptography, docs/limitations.rst); this type
    promises only that a log line, a traceback or an encoder will not print what it holds.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes. tests/house holds the list of modules that may call this."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return f"<sensitive, {len(self._value)} bytes>"

    def __reduce__(self) -> str:
        raise TypeError("a Sensitive is not to be serialized")
