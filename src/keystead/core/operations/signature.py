"""Signatures, MACs, key agreement, encapsulation and random bytes."""

from __future__ import annotations

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.algorithms import Algorithm, MessageForm, Word
from keystead.core.entities import Key
from keystead.core.operations.base import Demand, KeyOperation, KeyringOperation, KeyStoreRef
from keystead.core.sensitive import Sensitive


class Signed(Struct, frozen=True):
    key: Key
    version: int
    algorithm: Algorithm
    signature: bytes


class Sign(KeyOperation[Signed], frozen=True, kw_only=True):
    action = Action.SIGN
    message: bytes
    form: MessageForm = MessageForm.RAW
    algorithm: Word


class Checked(Struct, frozen=True):
    """Whether a signature or a MAC is right. "It is not" is an answer, not an error."""

    key: Key
    version: int
    algorithm: Algorithm
    valid: bool


class Verify(KeyOperation[Checked], frozen=True, kw_only=True):
    action = Action.VERIFY
    message: bytes
    signature: bytes
    form: MessageForm = MessageForm.RAW
    algorithm: Word


class PublicKey(Struct, frozen=True):
    key: Key
    version: int
    public_key: bytes


class ReadPublicKey(KeyOperation[PublicKey], frozen=True, kw_only=True):
    action = Action.READ_PUBLIC_KEY


class Mac(Struct, frozen=True):
    key: Key
    version: int
    algorithm: Algorithm
    tag: bytes


class GenerateMac(KeyOperation[Mac], frozen=True, kw_only=True):
    action = Action.GENERATE_MAC
    message: bytes
    algorithm: Word


class VerifyMac(KeyOperation[Checked], frozen=True, kw_only=True):
    action = Action.VERIFY_MAC
    message: bytes
    tag: bytes
    algorithm: Word


class SharedSecret(Struct, frozen=True):
    key: Key
    version: int
    algorithm: Algorithm
    secret: Sensitive
    ciphertext: bytes = b""  # encapsulation only


class DeriveSharedSecret(KeyOperation[SharedSecret], frozen=True, kw_only=True):
    action = Action.DERIVE_SHARED_SECRET
    peer_public_key: bytes  # DER SubjectPublicKeyInfo
    algorithm: Word


class Encapsulate(KeyOperation[SharedSecret], frozen=True, kw_only=True):
    action = Action.ENCAPSULATE
    algorithm: Word


class Decapsulate(KeyOperation[SharedSecret], frozen=True, kw_only=True):
    action = Action.DECAPSULATE
    ciphertext: bytes
    algorithm: Word


class Digest(KeyringOperation[bytes], frozen=True, kw_only=True):
    """Of bytes, without a key. Raises InvalidArgument (detail "digest")."""

    action = Action.DIGEST
    message: bytes
    digest: str  # as hashlib writes it


class GenerateRandom(KeyringOperation[Sensitive], frozen=True, kw_only=True):
    action = Action.GENERATE_RANDOM
    n_bytes: int
    store: KeyStoreRef | None = None  # whose generator is asked for

    def demands(self) -> tuple[Demand, ...]:
        ring = Demand(self.action, self.keyring)
        return (ring,) if self.store is None else (ring, Demand(self.action, self.store))
