"""CK_ATTRIBUTE arrays: what an object is to have, and what it is asked for."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from keystead.core.sensitive import Sensitive
from keystead.cryptoki.structures import Attribute
from keystead.cryptoki.words import FLAGS, NUMBERS, Cka

Value = bool | int | bytes | str | Sensitive
Template = Mapping[Cka, Value]


def _held(name: Cka, value: Value) -> Any:
    if name in FLAGS:
        return ctypes.c_ubyte(bool(value))
    if name in NUMBERS and not isinstance(value, bytes | str | Sensitive):
        return ctypes.c_ulong(value)
    if isinstance(value, Sensitive):
        value = value.reveal()
    data = value.encode() if isinstance(value, str) else value
    if not isinstance(data, bytes):
        raise TypeError(f"{name.name} takes bytes")
    return ctypes.create_string_buffer(data, len(data))


def filled(template: Template) -> tuple[Any, int, Any]:
    """(array, its length, what it points at, to be kept)."""
    kept = [_held(name, value) for name, value in template.items()]
    rows = (Attribute * len(kept))(
        *(
            Attribute(name, ctypes.addressof(held), ctypes.sizeof(held))
            for name, held in zip(template, kept, strict=True)
        )
    )
    return rows, len(kept), kept


def read(name: Cka, data: bytes) -> bool | int | bytes:
    """A value as it came back. A number that is not 8 bytes long is no number."""
    if name in FLAGS:
        return any(data)
    if name in NUMBERS:
        return int.from_bytes(data, sys.byteorder)
    return data


def empty(names: Sequence[Cka]) -> Any:
    """An array that asks for lengths."""
    return (Attribute * len(names))(*(Attribute(name, None, 0) for name in names))
