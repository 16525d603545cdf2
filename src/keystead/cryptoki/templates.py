"""CK_ATTRIBUTE arrays: what an object is to have, and what it is asked for."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

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


_SAME: Final = (Cka.CLASS, Cka.ID, Cka.LABEL, Cka.TOKEN)
_KEPT: Final = (
    Cka.PRIVATE,
    Cka.SENSITIVE,
    Cka.EXTRACTABLE,
    Cka.ENCRYPT,
    Cka.DECRYPT,
    Cka.SIGN,
    Cka.VERIFY,
    Cka.UNWRAP,
    Cka.DERIVE,
)
ASKED: Final = (*_SAME, *_KEPT)


def is_as_asked(told: Mapping[Cka, bool | int | bytes], asked: Template) -> bool:
    """Whether an object that was made is what the template says, as far as it matters to whoever looks for it.

    It tells its name, its class and that it stays; it does not tell that it may be extracted, nor that it may not do
    what it is made for. (SoftHSM2 2.6.1 mixes up what is being written and what was there before, where another thread
    looks at the object.)
    """
    for which in _SAME:
        value = asked.get(which)
        if value is not None and told.get(which) != (value.encode() if isinstance(value, str) else value):
            return False
    if told.get(Cka.EXTRACTABLE, False) and not asked.get(Cka.EXTRACTABLE, False):
        return False
    return all(told.get(which, True) for which in _KEPT if asked.get(which))
