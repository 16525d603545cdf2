"""One session with a token: one-shot calls, as the twelve portability rules want them (docs/adr/0033).

Every method raises Failed. A session serves one thread at a time.

Rule: no module is believed that it has done what it has not. Room for an answer is full of UNWRITTEN before, no length
        and no number counts that is larger than the room, and CK_INVALID_HANDLE is no object: Absurd.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from contextlib import suppress
from ctypes import byref, c_ulong
from typing import Any, Final

from keystead.core.sensitive import Sensitive
from keystead.cryptoki import structures, templates
from keystead.cryptoki.errors import LOST, Absurd, Failed
from keystead.cryptoki.mechanisms import Gcm, Mechanism
from keystead.cryptoki.module import Module
from keystead.cryptoki.templates import Template
from keystead.cryptoki.words import RW_SESSION, SERIAL_SESSION, UNAVAILABLE, USER, USERS, Cka, Ckr

SPARE = 64  # bytes beside the text: a tag, and an IV that some tokens put there
LONGEST = 1 << 20  # bytes that a token may want to answer
KEPT = 4096  # bytes, of the room that a session has for answers; a longer one gets its own
SIGNATURE = 1024  # bytes, of any
A_BATCH = 64  # handles
MOST_FOUND = 20_000  # handles; CloudHSM's clusters hold 16,666 keys
UNWRITTEN: Final = os.urandom(16)
"""What no module writes but by not writing."""
_TOO_SMALL: Final = int(Ckr.BUFFER_TOO_SMALL)  # as a module says it: to compare with an enumeration's takes longer
_EMPTY: Final = UNWRITTEN * (KEPT // len(UNWRITTEN))


class Session:
    """Rule R8: read-write, always."""

    __slots__ = ("_by_length", "_bytes", "_kept", "_length", "_module", "_slot", "gcm", "handle")

    def __init__(self, module: Module, slot: int) -> None:
        handle = c_ulong()
        module.call("C_OpenSession", slot, SERIAL_SESSION | RW_SESSION, None, None, byref(handle))
        self._module, self._slot, self.handle = module, slot, _valid("C_OpenSession", handle)
        self._kept, self._length = (ctypes.c_char * KEPT).from_buffer_copy(_EMPTY), c_ulong()
        self._by_length, self._bytes = byref(self._length), memoryview(self._kept).cast("B")
        self.gcm = Gcm(b"", b"")
        """To be made `with_` the IV and AAD of the next call."""

    def close(self) -> None:
        """Whatever the module says of it."""
        self._module.try_call("C_CloseSession", self.handle)

    def login(self, pin: Sensitive) -> None:
        """As the token's user; nothing where this process is logged in already, with the same PIN."""

        def offer(pin: Sensitive) -> int:
            text = pin.reveal()
            return self._module.try_call("C_Login", self.handle, USER, text, len(text))

        self._module.logins.login(self._slot, self._module.epoch, pin, offer)

    def log_out(self) -> None:
        """Every session of this process; whatever the module says of it."""
        self._module.try_call("C_Logout", self.handle)

    def is_the_users(self) -> bool:
        """Whether it shows private objects: the token's user is logged in."""
        info = structures.SessionInfo()
        rv = self._module.try_call("C_GetSessionInfo", self.handle, byref(info))
        return rv == Ckr.OK and info.state in USERS

    # --- objects

    def find(self, template: Template, most: int = MOST_FOUND) -> list[int]:
        """Handles of the objects that have all of it, `most` at most."""
        with self._module.alone(self._slot, "C_FindObjects"):
            return self._found(template, most)

    def _found(self, template: Template, most: int) -> list[int]:
        rows, n, _kept = templates.filled(template)
        self._module.call("C_FindObjectsInit", self.handle, rows, n)
        found: list[int] = []
        batch, count = (c_ulong * A_BATCH)(), c_ulong()
        try:
            while len(found) < most:
                count.value = UNAVAILABLE
                self._module.call("C_FindObjects", self.handle, batch, A_BATCH, byref(count))
                if count.value > A_BATCH or 0 in (more := batch[: count.value]):
                    raise Absurd("C_FindObjects")
                found += more
                if not more:
                    break
        finally:
            self._module.try_call("C_FindObjectsFinal", self.handle)
        return found[:most]

    def attributes(self, handle: int, names: Sequence[Cka]) -> dict[Cka, bool | int | bytes]:
        """Those that the object has and shows; one that is sensitive or unknown is missing."""
        rows = templates.empty(names)
        self._look_at(handle, rows)  # for the lengths
        buffers = [
            ctypes.create_string_buffer(row.length) if row.length not in {0, UNAVAILABLE} else None for row in rows
        ]
        for row, buffer in zip(rows, buffers, strict=True):
            row.value = ctypes.addressof(buffer) if buffer is not None else None
        self._look_at(handle, rows)  # for the values
        return {
            name: templates.read(name, _cut(buffer, row.length) if buffer else b"")
            for name, row, buffer in zip(names, rows, buffers, strict=True)
            if row.length != UNAVAILABLE
        }

    def _look_at(self, handle: int, rows: Any) -> None:
        """A module that says that there is too little room says so of what it has told itself."""
        rv = self._module.try_call("C_GetAttributeValue", self.handle, handle, rows, len(rows))
        if rv not in {Ckr.OK, Ckr.ATTRIBUTE_SENSITIVE, Ckr.ATTRIBUTE_TYPE_INVALID}:
            raise Failed("C_GetAttributeValue", rv) if rv != Ckr.BUFFER_TOO_SMALL else Absurd("C_GetAttributeValue")
        if any(row.length > LONGEST for row in rows if row.length != UNAVAILABLE):
            raise Absurd("C_GetAttributeValue")

    def create(self, template: Template) -> int:
        rows, n, _kept = templates.filled(template)
        return self._made("C_CreateObject", template, rows, n)

    def destroy(self, handle: int) -> None:
        with self._module.alone(self._slot, "C_DestroyObject"):
            self._module.call("C_DestroyObject", self.handle, handle)

    def generate(self, mechanism: Mechanism, template: Template) -> int:
        rows, n, _kept = templates.filled(template)
        return self._made("C_GenerateKey", template, mechanism.ref, rows, n)

    def generate_pair(self, mechanism: Mechanism, public: Template, private: Template) -> tuple[int, int]:
        """(public, private)"""
        ours, n_ours, _kept = templates.filled(public)
        theirs, n_theirs, _kept_too = templates.filled(private)
        one, two = c_ulong(), c_ulong()
        args = self.handle, mechanism.ref, ours, n_ours, theirs, n_theirs, byref(one), byref(two)
        with self._module.alone(self._slot, "C_GenerateKeyPair"):
            self._module.call("C_GenerateKeyPair", *args)
        made = _valid("C_GenerateKeyPair", one)
        return made, self._as_asked(private, _valid("C_GenerateKeyPair", two), made)

    def _made(self, function: str, template: Template, *args: object) -> int:
        handle = c_ulong()
        with self._module.alone(self._slot, function):
            self._module.call(function, self.handle, *args, byref(handle))
        return self._as_asked(template, _valid(function, handle))

    def _as_asked(self, template: Template, *handles: int) -> int:
        """The first one, of an object that was just made and stays. One that is not as asked is erased, with what
        was made beside it: nobody would find it again, and nothing would be destroyed with the key.
        """
        if not template.get(Cka.TOKEN):
            return handles[0]
        failed = Failed("C_GetAttributeValue", Ckr.FUNCTION_FAILED)
        try:
            if templates.is_as_asked(self.attributes(handles[0], templates.ASKED), template):
                return handles[0]
        except Failed as untold:
            failed = untold if untold.rv in LOST else failed
        for each in handles:
            with suppress(Failed):
                self.destroy(each)
        raise failed

    # --- use

    def encrypt(self, mechanism: Mechanism, key: int, data: bytes) -> bytes:
        if rv := self._module.functions["C_EncryptInit"](self.handle, mechanism.ref, key):
            raise Failed("C_EncryptInit", rv)
        return self._into("C_Encrypt", len(data) + SPARE, self.handle, data, len(data))

    def decrypt(self, mechanism: Mechanism, key: int, data: bytes) -> Sensitive:
        if rv := self._module.functions["C_DecryptInit"](self.handle, mechanism.ref, key):
            raise Failed("C_DecryptInit", rv)
        return Sensitive(self._into("C_Decrypt", len(data) + SPARE, self.handle, data, len(data)))

    def sign(self, mechanism: Mechanism, key: int, data: bytes) -> bytes:
        """A signature, of whatever length."""
        if rv := self._module.functions["C_SignInit"](self.handle, mechanism.ref, key):
            raise Failed("C_SignInit", rv)
        return self._into("C_Sign", SIGNATURE, self.handle, data, len(data))

    def mac(self, mechanism: Mechanism, key: int, data: bytes, n: int) -> bytes:
        """One of `n` bytes."""
        made = self.sign(mechanism, key, data)
        if len(made) != n:
            raise Absurd("C_Sign")
        return made

    def verify(self, mechanism: Mechanism, key: int, data: bytes, signature: bytes) -> bool:
        self._module.call("C_VerifyInit", self.handle, mechanism.ref, key)
        rv = self._module.try_call("C_Verify", self.handle, data, len(data), signature, len(signature))
        if rv not in {Ckr.OK, Ckr.SIGNATURE_INVALID, Ckr.SIGNATURE_LEN_RANGE}:
            raise Failed("C_Verify", rv)
        return rv == Ckr.OK

    def wrap(self, mechanism: Mechanism, wrapping: int, key: int) -> bytes:
        return self._into("C_WrapKey", 16384, self.handle, mechanism.ref, wrapping, key)

    def unwrap(self, mechanism: Mechanism, wrapping: int, wrapped: bytes, template: Template) -> int:
        rows, n, _kept = templates.filled(template)
        return self._made("C_UnwrapKey", template, mechanism.ref, wrapping, wrapped, len(wrapped), rows, n)

    def derive(self, mechanism: Mechanism, key: int, template: Template) -> int:
        rows, n, _kept = templates.filled(template)
        handle = c_ulong()
        self._module.call("C_DeriveKey", self.handle, mechanism.ref, key, rows, n, byref(handle))
        return _valid("C_DeriveKey", handle)

    def random(self, n: int) -> bytes:
        room = max(n, len(UNWRITTEN))
        buffer = _room(room)
        self._module.call("C_GenerateRandom", self.handle, buffer, room)
        if bytes(buffer).startswith(UNWRITTEN):
            raise Absurd("C_GenerateRandom")
        return bytes(buffer)[:n]

    def _into(self, function: str, room: int, *args: object) -> bytes:
        """What the function writes. It is asked again, and no more than that, where the room is too small."""
        buffer: Any = self._kept if room <= KEPT else _room(room)
        length, call = self._length, self._module.functions[function]
        length.value = most = len(buffer)
        try:
            rv = call(*args, buffer, self._by_length)
            if rv == _TOO_SMALL and length.value <= LONGEST:
                buffer = _room(length.value)
                most = len(buffer)
                rv = call(*args, buffer, self._by_length)
            if rv:
                raise Failed(function, rv)
            n: int = length.value
            answer: bytes = buffer[:n]
        finally:
            self._bytes[:room] = _EMPTY[:room]  # and not by memmove, which lets go of the interpreter
        if n > most or answer.startswith(UNWRITTEN):
            raise Absurd(function)
        return answer


def _cut(buffer: Any, n: int) -> bytes:
    """What was written into room for an attribute."""
    if n > len(buffer):
        raise Absurd("C_GetAttributeValue")
    value: bytes = buffer.raw[:n]
    return value


def _room(n: int) -> Any:
    return (ctypes.c_char * n).from_buffer_copy((UNWRITTEN * (n // len(UNWRITTEN) + 1))[:n])


def _valid(function: str, handle: c_ulong) -> int:
    """Raises Absurd for CK_INVALID_HANDLE."""
    if not handle.value:
        raise Absurd(function)
    return handle.value
