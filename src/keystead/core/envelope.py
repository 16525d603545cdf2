"""Ciphertext format v1 (docs/adr/0004-ciphertext-v1.md): one derived key per message, committing to key and context.

    offset  0    2        18        22     46         78             78 + n   94 + n
            A501 | key id | version | salt | commit   | ciphertext   | tag    |
    header = the first 22 bytes        sealed under AES-256-GCM, nonce 0^96, AAD = the first 78 bytes
    h      = SHA-256(header || typed AAD)
    K_enc  = KDF(K, "keystead/enc/v1", salt || h)          KDF: SP 800-108r1 §4.1, counter mode,
    commit = KDF(K, "keystead/cmt/v1", salt || h)               HMAC-SHA-256, one block of 256 bits
    salt   = the first 24 bytes of HMAC-SHA-256(K_hedge, random 24 || h || SHA-256(plaintext))
    K_hedge = KDF(K, "keystead/hdg/v1", "")

K is the 32-byte key of one key version. With a stuck random generator, or in a cloned machine, the salt still
differs for every (plaintext, context): encryption degrades to deterministic, never to a nonce used twice.
The cipher itself is not here: MessageKey is what crypto.aead takes (core is pure). A 16-byte K seals under AES-128-GCM
with the first half of K_enc, a ChaCha20 key under ChaCha20-Poly1305 (docs/adr/0020): the key says which, not the blob.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from struct import Struct as Layout

from keystead.core.errors import DecryptionFailed, InvalidArgument
from keystead.core.keyed import BITS, KeyedHash, fixed_input
from keystead.core.operations import Aad, Derivation

MAGIC, MAGIC_DOUBLED, MAGIC_INSIDE = b"\xa5\x01", b"\xa5\x02", b"\xa5\x03"  # this format, core.doubled, core.inside
KEY_SIZES = (16, 32)
SALT_BYTES, COMMIT_BYTES, TAG_BYTES = 24, 32, 16
HEADER_BYTES = 22
NAMED = slice(2, 18)  # the key id in a header, of any format
PREFIX_BYTES = HEADER_BYTES + SALT_BYTES + COMMIT_BYTES
OVERHEAD_BYTES = PREFIX_BYTES + TAG_BYTES
_LEAST = {MAGIC: OVERHEAD_BYTES, MAGIC_DOUBLED: OVERHEAD_BYTES, MAGIC_INSIDE: 84}  # bytes of the shortest message

_HEADER = Layout(">2s16sI")
_LENGTH = Layout(">I")
_LONG = Layout(">Q")
_SMALL = [_LENGTH.pack(n).decode() for n in range(128)]
"""Lengths as text, of a byte for each character: what is short and ASCII is framed as text, and encoded once."""
_SALT_END = HEADER_BYTES + SALT_BYTES

NO_AAD = b"\x00"
_NO_RANDOM = bytes(SALT_BYTES)


def typed_aad(aad: Aad) -> bytes:
    """Injective: 00; or 01, count, then (length, key, length, value) sorted by key; or 02, 64-bit length, bytes;
    or 03, 64-bit length, context, bytes.

    Keys and values are UTF-8, compared and kept exactly: no case is folded, nothing is normalized. An empty map
    is not the same as none; a dialect that says it is (AWS) hands over None. Raises InvalidArgument (lone surrogate).
    """
    if aad is None:
        return NO_AAD
    if isinstance(aad, Derivation):
        return b"\x03" + _LONG.pack(len(aad.context)) + aad.context + aad.data
    if not isinstance(aad, dict):
        return b"\x02" + _LONG.pack(len(aad)) + aad
    try:
        text = f"\x01{_SMALL[len(aad)]}"
        for key in sorted(aad):  # by code point is by UTF-8
            value = aad[key]
            text += f"{_SMALL[len(key)]}{key}{_SMALL[len(value)]}{value}"
        if text.isascii():  # as many bytes as characters
            return text.encode()
    except IndexError:  # a long one
        pass
    return _framed(aad)


def _framed(aad: dict[str, str]) -> bytes:
    """The same of any text."""
    parts = [b"\x01", _LENGTH.pack(len(aad))]
    try:
        for key, value in sorted(aad.items()):
            name, text = key.encode(), value.encode()
            parts += (_LENGTH.pack(len(name)), name, _LENGTH.pack(len(text)), text)
    except UnicodeEncodeError as error:
        raise InvalidArgument("a context is not Unicode text", "context") from error
    return b"".join(parts)


def untyped(aad: bytes) -> tuple[bytes, bytes]:
    """(context, associated data) of a typed AAD, for a key whose ciphertexts are bound to these as they are.

    Raises InvalidArgument (detail "context") for a context of names and values.
    """
    if aad[:1] == b"\x03":
        start = 9 + _LONG.unpack_from(aad, 1)[0]
        return aad[9:start], aad[start:]
    if aad[:1] == b"\x01":
        raise InvalidArgument("such a key binds a ciphertext to bytes alone", "context")
    return b"", aad[9:]


def peek(blob: bytes) -> tuple[str, int]:
    """(key id as UUID text, version) as the header claims, in any format; only opening proves it.

    Raises DecryptionFailed.
    """
    if len(blob) < _LEAST.get(blob[:2], OVERHEAD_BYTES) or blob[:2] not in _LEAST:
        raise DecryptionFailed("not a ciphertext of this installation")
    _, key_id, version = _HEADER.unpack_from(blob)
    text = key_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}", version


MessageKey = tuple[bytes, bytes]
"""What one message is sealed with: a key used once, and the prefix, which is AAD too."""


class Envelope:
    """Format v1 under one key version. Everything that does not change from message to message is done here, once."""

    __slots__ = ("_commit", "_encrypt", "_header", "_hedge")

    def __init__(self, key: bytes, key_id: str, version: int) -> None:
        if len(key) not in KEY_SIZES:
            raise InvalidArgument(f"a key of {len(key)} bytes; ciphertext v1 takes 16 or 32", "key")
        self._header = _HEADER.pack(MAGIC, bytes.fromhex(key_id.replace("-", "")), version)
        # The methods themselves: to call an object, Python first looks for its __call__.
        self._encrypt = KeyedHash(key, prefix=fixed_input("keystead/enc/v1")).__call__
        self._commit = KeyedHash(key, prefix=fixed_input("keystead/cmt/v1")).__call__
        self._hedge = KeyedHash(KeyedHash(key)(fixed_input("keystead/hdg/v1") + BITS)).__call__

    def seal(self, plaintext: bytes, aad: bytes, random: bytes) -> MessageKey:
        """The key and prefix for a new message. `aad` is typed; `random` is 24 bytes, never used before."""
        context = sha256(self._header + aad).digest()
        salt = self._hedge(random + context + sha256(plaintext).digest())[:SALT_BYTES]
        fixed = salt + context + BITS
        return self._encrypt(fixed), self._header + salt + self._commit(fixed)

    def converge(self, plaintext: bytes, aad: bytes) -> MessageKey:
        """The same, with a salt that hangs on key, context and plaintext alone: the same again each time."""
        return self.seal(plaintext, aad, _NO_RANDOM)

    def open(self, blob: bytes, aad: bytes) -> MessageKey:
        """The key and prefix of a message that was sealed; blob[PREFIX_BYTES:] is what AES-GCM sealed.

        Raises DecryptionFailed unless the message commits to this key, version and context.
        """
        if len(blob) < OVERHEAD_BYTES or blob[:HEADER_BYTES] != self._header:
            raise DecryptionFailed("the ciphertext does not open")
        fixed = blob[HEADER_BYTES:_SALT_END] + sha256(self._header + aad).digest() + BITS
        if not hmac.compare_digest(self._commit(fixed), blob[_SALT_END:PREFIX_BYTES]):
            raise DecryptionFailed("the ciphertext does not open")
        return self._encrypt(fixed), blob[:PREFIX_BYTES]
