"""Ciphertext format v3: of AES keys that are held in an HSM (docs/adr/0033-pkcs11.md).

    offset  0    2        18        22     23        24    24 + n
            A503 | key id | version | form | IV size | IV | sealed
    bound  = the first 23 bytes || SHA-256(typed AAD)               55 bytes: what every token takes as AAD
    DIRECT = sealed is GCM in the HSM, of 32 zero bytes || plaintext, and its tag
    KEYED  = sealed is GCM in the HSM, of 32 zero bytes || a data key of 32 bytes, and its tag: 80 bytes;
             then a message of format v1 under the data key, with the same key id, version and AAD
    DIRECT_CBC, KEYED_CBC = the same in an HSM without GCM, by AES-CBC and HMAC (core.etm): padding, a tag of 32
             bytes, and 112 bytes before the message

The zero bytes are looked for when it is opened: GCM alone opens one ciphertext under many keys, but with the first two
blocks fixed no two keys can be found that both open it, short of 2^128 work (Albertini et al., USENIX Security 2022,
"How to Abuse and Fix Authenticated Encryption Without Key Commitment", §5.3). Under CBC and HMAC the tag commits to the
one key by itself, and the zero bytes to the other.
"""

from __future__ import annotations

import hmac
from enum import IntEnum
from hashlib import sha256
from struct import Struct as Layout
from typing import Final, NamedTuple

from keystead.core import etm
from keystead.core.envelope import HEADER_BYTES, MAGIC_INSIDE, TAG_BYTES
from keystead.core.errors import DecryptionFailed

ZEROS = bytes(32)
KEY_BYTES = 32
_HEADER = Layout(">2s16sI")
_START = HEADER_BYTES + 2


class Form(IntEnum):
    DIRECT = 1
    KEYED = 2
    DIRECT_CBC = 3
    KEYED_CBC = 4


DIRECT: Final = frozenset({Form.DIRECT, Form.DIRECT_CBC})


class _Shape(NamedTuple):
    """Sizes of what the HSM answers."""

    ivs: tuple[int, ...]
    least: int  # of nothing but the zero bytes
    keyed: int  # of these and a data key


_GCM = _Shape((12, 16), len(ZEROS) + TAG_BYTES, len(ZEROS) + KEY_BYTES + TAG_BYTES)
_CBC = _Shape(
    (etm.IV_BYTES,),
    len(etm.padded(ZEROS)) + etm.TAG_BYTES,
    len(etm.padded(ZEROS + bytes(KEY_BYTES))) + etm.TAG_BYTES,
)
_SHAPES: Final = {Form.DIRECT: _GCM, Form.KEYED: _GCM, Form.DIRECT_CBC: _CBC, Form.KEYED_CBC: _CBC}


class Parts(NamedTuple):
    form: Form
    iv: bytes
    sealed: bytes
    message: bytes  # of format v1; empty where the text itself was sealed


class Inside:
    """One key version: what goes around what the HSM seals."""

    __slots__ = ("_header",)

    def __init__(self, key_id: str, version: int) -> None:
        self._header = _HEADER.pack(MAGIC_INSIDE, bytes.fromhex(key_id.replace("-", "")), version)

    def bound(self, form: Form, typed_aad: bytes) -> bytes:
        """The additional data for the HSM."""
        return self._header + bytes([form]) + sha256(typed_aad).digest()

    def pack(self, parts: Parts) -> bytes:
        start = self._header + bytes([parts.form, len(parts.iv)])
        return start + parts.iv + parts.sealed + parts.message

    def unpack(self, blob: bytes) -> Parts:
        """Raises DecryptionFailed for what `pack` has not made for this version."""
        if len(blob) < _START or blob[:HEADER_BYTES] != self._header or blob[HEADER_BYTES] not in set(Form):
            raise DecryptionFailed("the ciphertext does not open")
        form, n_iv = Form(blob[HEADER_BYTES]), blob[HEADER_BYTES + 1]
        shape = _SHAPES[form]
        iv, rest = blob[_START : _START + n_iv], blob[_START + n_iv :]
        at = len(rest) if form in DIRECT else shape.keyed
        if n_iv not in shape.ivs or len(rest) < at or at < shape.least:
            raise DecryptionFailed("the ciphertext does not open")
        return Parts(form, iv, rest[:at], rest[at:])


def committed(opened: bytes) -> bytes:
    """What stands behind the zero bytes. Raises DecryptionFailed where they are none."""
    if not hmac.compare_digest(opened[: len(ZEROS)], ZEROS):
        raise DecryptionFailed("the ciphertext does not open")
    return opened[len(ZEROS) :]
