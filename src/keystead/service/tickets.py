"""Import tickets: everything about a permission to import is sealed into it, its private key too, so nothing is kept.

    ticket = nonce ‖ AES-256-GCM-SIV((key id, wrapping algorithm, expiry, PKCS#8 of the wrapping key))

Any worker opens it, before and after a restart. It is good for one key and one wrapping, and for a day; what it
lets through is decided by the right to import, which is asked for again.

Who has recorded a ticket and what was wrapped for it, and later comes by the secrets of the installation, has the
material: destruction reaches what is kept here, and neither the owner's copy nor a wiretap's.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from keystead.core.errors import DecryptionFailed
from keystead.core.keyed import KeyedHash
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.core.wrapping import WRAPPINGS, Wrapping
from keystead.crypto import wrapping as crypto
from keystead.crypto.aead import NONCE_BYTES, GcmSiv

_AAD = b"keystead import ticket v1"
_Told = tuple[str, str, int, bytes]


class Ticket(Struct, frozen=True, kw_only=True):
    """What a ticket says."""

    key_id: str
    wrapping: Wrapping
    expires_at: datetime  # whole seconds
    private: Sensitive  # PKCS#8 DER


class Identifiers:
    """Names imported material, under barrier.subkey("import")."""

    def __init__(self, key: Sensitive) -> None:
        self._name = KeyedHash(KeyedHash(key.reveal())(b"material"))

    def of(self, key_id: str, material: Sensitive) -> str:
        """The material's id within this key: keyed, so that nobody can try guesses against it. 64 hexadecimal digits.

        KMS API Reference, ImportKeyMaterial: "based on the KMS key ID and the imported key material".
        """
        return self._name(key_id.encode() + b"\0" + material.reveal()).hex()


class Tickets:
    """Seals and opens tickets, and names what comes in by them, under barrier.subkey("import")."""

    def __init__(self, key: Sensitive, entropy: Entropy) -> None:
        self._aead, self.identify = GcmSiv(KeyedHash(key.reveal())(b"ticket")), Identifiers(key).of
        self._entropy = entropy

    def seal(self, ticket: Ticket) -> bytes:
        expires = int(ticket.expires_at.timestamp())
        told: _Told = (ticket.key_id, ticket.wrapping.name, expires, ticket.private.reveal())
        return self._aead.seal(self._entropy(NONCE_BYTES), msgspec.msgpack.encode(told), _AAD)

    def open(self, sealed: bytes) -> Ticket | None:
        """What it says; None if it is not one of ours. Its expiry is the caller's to look at."""
        try:
            key_id, name, expires, private = msgspec.msgpack.decode(self._aead.open(sealed, _AAD), type=_Told)
            return Ticket(
                key_id=key_id,
                wrapping=WRAPPINGS[name],
                expires_at=datetime.fromtimestamp(expires, UTC),
                private=Sensitive(private),
            )
        except (DecryptionFailed, msgspec.MsgspecError, KeyError):
            return None


def unwrap(wrapping: Wrapping, private: Sensitive, wrapped: bytes) -> Sensitive:
    """`private`: PKCS#8 of the wrapping key. Raises DecryptionFailed."""
    return Sensitive(crypto.unwrap(wrapping, private.reveal(), wrapped))


def wrap(wrapping: Wrapping, public: bytes, material: Sensitive, entropy: Entropy) -> bytes:
    """`public`: SubjectPublicKeyInfo of the wrapping key, which is RSA."""
    return crypto.wrap(wrapping, public, material.reveal(), entropy)
