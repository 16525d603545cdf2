"""Which token of a module: by label, serial number or slot; and what it says of itself."""

from __future__ import annotations

from ctypes import byref, c_ulong
from typing import Any, Final

from msgspec import Struct

from keystead.core.errors import Conflict
from keystead.cryptoki import structures
from keystead.cryptoki.errors import Absurd, Failed, Missing
from keystead.cryptoki.module import Module
from keystead.cryptoki.words import NO_NUMBER, TOKEN_PRESENT, Ckr, Flag

MOST_TOLD: Final = 65_536  # slots, or mechanisms


class Where(Struct, frozen=True, kw_only=True):
    """Everything that is said must be so; label and serial without the spaces that fill them up."""

    label: str = ""
    serial: str = ""
    slot: int | None = None  # CK_SLOT_ID; tokens are better found by label, slots may be numbered anew

    def __str__(self) -> str:
        said = {"label": self.label, "serial number": self.serial, "slot": "" if self.slot is None else str(self.slot)}
        return ", ".join(f"{word} {value!r}" for word, value in said.items() if value)


class TokenInfo(Struct, frozen=True, kw_only=True):
    """C_GetTokenInfo, as far as it is told. None: not told, or without limit."""

    slot: int
    label: str
    serial: str
    model: str
    manufacturer: str
    hardware: str
    firmware: str
    most_sessions: int | None  # that one process may have
    n_sessions: int | None
    free_memory: int | None  # bytes, for private objects
    memory: int | None = None  # bytes, for private objects in all


class MechanismInfo(Struct, frozen=True):
    least: int  # key size, in the mechanism's own unit
    most: int
    flags: Flag


def find(module: Module, where: Where) -> TokenInfo:
    """Raises Missing where there is none, Conflict where there are several; Failed."""
    found = [info for slot in _slots(module) if (info := _look(module, slot)) is not None and _fits(info, where)]
    if not found:
        raise Missing(str(where))
    if len(found) > 1:
        raise Conflict(f"{len(found)} tokens have {where}: name the serial number too", "token")
    return found[0]


def look(module: Module, slot: int) -> TokenInfo:
    """Raises Failed: then the token is not there, or not as it was."""
    raw = structures.TokenInfo()
    module.call("C_GetTokenInfo", slot, byref(raw))
    return TokenInfo(
        slot=slot,
        label=_text(raw.label),
        serial=_text(raw.serial),
        model=_text(raw.model),
        manufacturer=_text(raw.manufacturer),
        hardware=f"{raw.hardware.major}.{raw.hardware.minor}",
        firmware=f"{raw.firmware.major}.{raw.firmware.minor}",
        most_sessions=min((n for n in (_number(raw.max_sessions), _number(raw.max_rw_sessions)) if n), default=None),
        n_sessions=_number(raw.sessions),
        free_memory=_number(raw.free_private),
        memory=_number(raw.total_private),
    )


def mechanisms(module: Module, slot: int) -> dict[int, MechanismInfo]:
    """Rule R2: everything that the token says it has, by CKM_."""
    count = c_ulong()
    module.call("C_GetMechanismList", slot, None, byref(count))
    listed = _as_many("C_GetMechanismList", count)
    module.call("C_GetMechanismList", slot, listed, byref(count))
    found = {}
    raw = structures.MechanismInfo()
    for number in listed[: count.value]:
        if module.try_call("C_GetMechanismInfo", slot, number, byref(raw)) == Ckr.OK:
            found[number] = MechanismInfo(raw.least, raw.most, Flag(raw.flags & _KNOWN))
    return found


_KNOWN = sum(Flag)


def _slots(module: Module) -> list[int]:
    count = c_ulong()
    module.call("C_GetSlotList", TOKEN_PRESENT, None, byref(count))
    slots = _as_many("C_GetSlotList", count)
    module.call("C_GetSlotList", TOKEN_PRESENT, slots, byref(count))
    found: list[int] = slots[: count.value]
    return found


def _as_many(function: str, count: c_ulong) -> Any:
    """Room for as many numbers, and one: a list of none is NULL to some. Raises Absurd where nothing has as many."""
    if count.value > MOST_TOLD:
        raise Absurd(function)
    return (c_ulong * (count.value + 1))()


def _look(module: Module, slot: int) -> TokenInfo | None:
    try:
        return look(module, slot)
    except Failed:
        return None  # it is not whom we are looking for, as far as anybody can tell


def _fits(info: TokenInfo, where: Where) -> bool:
    return where.label in {"", info.label} and where.serial in {"", info.serial} and where.slot in {None, info.slot}


def _text(padded: bytes) -> str:
    return padded.decode("utf-8", "replace").rstrip(" \0")


def _number(told: int) -> int | None:
    return None if told >= NO_NUMBER else told
