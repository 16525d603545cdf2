"""One session with a token: one-shot calls, as the twelve portability rules want them (docs/adr/0033).

Every method raises Failed. A session serves one thread at a time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from contextlib import suppress
from ctypes import byref, c_ulong
from typing import Any

from keystead.core.sensitive import Sensitive
from keystead.cryptoki import structures, templates
from keystead.cryptoki.errors import LOST, Failed
from keystead.cryptoki.mechanisms import Gcm, Mechanism
from keystead.cryptoki.module import Module
from keystead.cryptoki.templates import Template
from keystead.cryptoki.words import RW_SESSION, SERIAL_SESSION, UNAVAILABLE, USER, USERS, Cka, Ckr

SPARE = 64  # bytes beside the text: a tag, and an IV that some tokens put there
LONGEST = 1 << 20  # bytes that a token may want to answer
KEPT = 4096  # bytes, of the room that a session has for answers; a longer one gets its own
A_BATCH = 64  # handles
MOST_FOUND = 20_000  # handles; CloudHSM's clusters hold 16,666 keys


class Session:
    """Rule R8: read-write, always."""

    __slots__ = ("_by_length", "_kept", "_length", "_module", "gcm", "handle")

    def __init__(self, module: Module, slot: int) -> None:
        handle = c_ulong()
        module.call("C_OpenSession", slot, SERIAL_SESSION | RW_SESSION, None, None, byref(handle))
        self._module, self.handle = module, handle.value
        self._kept, self._length = (ctypes.c_char * KEPT)(), c_ulong()
        self._by_length = byref(self._length)
        self.gcm = Gcm(b"", b"")
        """To be made `with_` the IV and AAD of the next call."""

    def close(self) -> None:
        """Whatever the module says of it."""
        self._module.try_call("C_CloseSession", self.handle)

    def login(self, pin: Sensitive) -> None:
        """As the token's user; nothing where this process is logged in already."""
        text = pin.reveal()
        rv = self._module.try_call("C_Login", self.handle, USER, text, len(text))
        if rv not in {Ckr.OK, Ckr.USER_ALREADY_LOGGED_IN}:
            raise Failed("C_Login", rv)

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
        with self._module.objects:
            return self._found(template, most)

    def _found(self, template: Template, most: int) -> list[int]:
        rows, n, _kept = templates.filled(template)
        self._module.call("C_FindObjectsInit", self.handle, rows, n)
        found: list[int] = []
        batch, count = (c_ulong * A_BATCH)(), c_ulong()
        try:
            while len(found) < most:
                self._module.call("C_FindObjects", self.handle, batch, A_BATCH, byref(count))
                found += batch[: count.value]
                if count.value == 0:
                    break
        finally:
            self._module.try_call("C_FindObjectsFinal", self.handle)
        return found[:most]

    def attributes(self, handle: int, names: Sequence[Cka]) -> dict[Cka, bool | int | bytes]:
        """Those that the object has and shows; one that is sensitive or unknown is missing."""
        rows = templates.empty(names)
        told = {Ckr.OK, Ckr.ATTRIBUTE_SENSITIVE, Ckr.ATTRIBUTE_TYPE_INVALID, Ckr.BUFFER_TOO_SMALL}
        for _look in range(2):  # for the lengths, and for the values
            if any(LONGEST < row.length < UNAVAILABLE for row in rows):
                raise Failed("C_GetAttributeValue", Ckr.BUFFER_TOO_SMALL)
            buffers = [
                ctypes.create_string_buffer(row.length) if row.length not in {0, UNAVAILABLE} else None for row in rows
            ]
            for row, buffer in zip(rows, buffers, strict=True):
                row.value = ctypes.addressof(buffer) if buffer is not None else None
            rv = self._module.try_call("C_GetAttributeValue", self.handle, handle, rows, len(names))
            if rv not in told:
                raise Failed("C_GetAttributeValue", rv)
        return {
            name: templates.read(name, buffer.raw[: row.length] if buffer else b"")
            for name, row, buffer in zip(names, rows, buffers, strict=True)
            if row.length != UNAVAILABLE
        }

    def create(self, template: Template) -> int:
        rows, n, _kept = templates.filled(template)
        handle = c_ulong()
        with self._module.objects:
            self._module.call("C_CreateObject", self.handle, rows, n, byref(handle))
        return self._as_asked(template, handle.value)

    def destroy(self, handle: int) -> None:
        with self._module.objects:
            self._module.call("C_DestroyObject", self.handle, handle)

    def generate(self, mechanism: Mechanism, template: Template) -> int:
        rows, n, _kept = templates.filled(template)
        handle = c_ulong()
        with self._module.objects:
            self._module.call("C_GenerateKey", self.handle, mechanism.ref, rows, n, byref(handle))
        return self._as_asked(template, handle.value)

    def generate_pair(self, mechanism: Mechanism, public: Template, private: Template) -> tuple[int, int]:
        """(public, private)"""
        ours, n_ours, _kept = templates.filled(public)
        theirs, n_theirs, _kept_too = templates.filled(private)
        one, two = c_ulong(), c_ulong()
        args = self.handle, mechanism.ref, ours, n_ours, theirs, n_theirs, byref(one), byref(two)
        with self._module.objects:
            self._module.call("C_GenerateKeyPair", *args)
        return one.value, self._as_asked(private, two.value, one.value)

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
        self._module.call("C_EncryptInit", self.handle, mechanism.ref, key)
        return self._answer("C_Encrypt", data, len(data) + SPARE)

    def decrypt(self, mechanism: Mechanism, key: int, data: bytes) -> Sensitive:
        self._module.call("C_DecryptInit", self.handle, mechanism.ref, key)
        try:
            return Sensitive(self._answer("C_Decrypt", data, len(data) + SPARE))
        finally:
            ctypes.memset(self._kept, 0, min(len(data) + SPARE, KEPT))

    def sign(self, mechanism: Mechanism, key: int, data: bytes) -> bytes:
        """A signature, or a MAC."""
        self._module.call("C_SignInit", self.handle, mechanism.ref, key)
        return self._answer("C_Sign", data, 1024)

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
        handle = c_ulong()
        args = self.handle, mechanism.ref, wrapping, wrapped, len(wrapped), rows, n, byref(handle)
        with self._module.objects:
            self._module.call("C_UnwrapKey", *args)
        return self._as_asked(template, handle.value)

    def derive(self, mechanism: Mechanism, key: int, template: Template) -> int:
        rows, n, _kept = templates.filled(template)
        handle = c_ulong()
        self._module.call("C_DeriveKey", self.handle, mechanism.ref, key, rows, n, byref(handle))
        return handle.value

    def random(self, n: int) -> bytes:
        buffer = ctypes.create_string_buffer(n)
        self._module.call("C_GenerateRandom", self.handle, buffer, n)
        return buffer.raw

    def _answer(self, function: str, data: bytes, room: int) -> bytes:
        return self._into(function, room, self.handle, data, len(data))

    def _into(self, function: str, room: int, *args: object) -> bytes:
        """What the function writes. It is asked again, and no more than that, where the room is too small."""
        buffer: Any = self._kept if room <= KEPT else (ctypes.c_char * room)()
        length = self._length
        length.value = len(buffer)
        rv = self._module.try_call(function, *args, buffer, self._by_length)
        if rv == Ckr.BUFFER_TOO_SMALL and length.value <= LONGEST:
            buffer = (ctypes.c_char * length.value)()
            rv = self._module.try_call(function, *args, buffer, self._by_length)
        if rv != Ckr.OK:
            raise Failed(function, rv)
        if length.value > len(buffer):  # more than there was room for: behind it stands what others were answered
            raise Failed(function, Ckr.BUFFER_TOO_SMALL)
        answer: bytes = buffer[: length.value]
        return answer
