"""Encryption, decryption and data keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.algorithms import Algorithm, KeySpec, Word
from keystead.core.detached import Detached
from keystead.core.entities import Key
from keystead.core.operations.base import Demand, KeyOperation, KeyRef, Operation, R
from keystead.core.sensitive import Sensitive


class Derivation(Struct, frozen=True):
    """A context to derive a key under, and bytes beside it. A key that is not for derivation ignores the context."""

    context: bytes
    data: bytes = b""


Aad = dict[str, str] | bytes | Derivation | None
"""What a ciphertext is bound to: an encryption context, bytes, or nothing (core.envelope types and frames it)."""


class Encrypted(Struct, frozen=True, gc=False):
    key: Key
    version: int
    algorithm: Algorithm
    ciphertext: bytes


class Decrypted(Struct, frozen=True, gc=False):
    key: Key
    version: int
    algorithm: Algorithm
    plaintext: Sensitive


class _WithContext(KeyOperation[R], Generic[R], frozen=True, kw_only=True):
    aad: Aad = None

    def context(self) -> Mapping[str, str] | None:
        return self.aad if isinstance(self.aad, dict) else None


class Encrypt(_WithContext[Encrypted], frozen=True, kw_only=True):
    action = Action.ENCRYPT
    plaintext: Sensitive
    algorithm: Word | None = None
    version: int = 0  # 0: the current one


WRONG_KEY = "the key of the ciphertext"
TOO_SHORT = "the length of the ciphertext"
"""detail of the InvalidArgument for a ciphertext that another key made."""

NOT_SIGNED, NOT_AUTHENTIC = "signature", "mac"
"""details of the InvalidArgument for a dry run that checks what does not verify; without one, that is an answer."""

NO_PUBLIC_KEY = "public key"
"""detail of the Unsupported for the public part of a key that has none."""


class TooLong(Struct, frozen=True):
    """detail of the InvalidArgument for a plaintext that `algorithm` does not take under a key of `spec`."""

    algorithm: Algorithm
    spec: KeySpec
    limit: int  # bytes


class Decrypt(_WithContext[Decrypted], frozen=True, kw_only=True):
    """`key` is the caller's choice, or what the ciphertext names (KeyRef.by_ciphertext).

    A dry run without a ciphertext asks whether the caller may, and whether the key is fit.
    """

    action = Action.DECRYPT
    ciphertext: bytes
    algorithm: Word | None = None
    version: int | None = None  # that made it, where the ciphertext does not say; where it does, it must be this one


class EncryptedDetached(Struct, frozen=True):
    key: Key
    version: int
    algorithm: Algorithm
    parts: Detached


class EncryptDetached(KeyOperation[EncryptedDetached], frozen=True, kw_only=True):
    """AES-GCM for a protocol that carries the parts of a ciphertext itself. `aad` is bytes, and part of no record."""

    action = Action.ENCRYPT
    plaintext: Sensitive
    aad: bytes = b""


class DecryptDetached(KeyOperation[Decrypted], frozen=True, kw_only=True):
    """A dry run without parts asks whether the caller may, and whether the key is fit."""

    action = Action.DECRYPT
    parts: Detached | None
    aad: bytes = b""


class ReEncrypted(Struct, frozen=True):
    source: Decrypted
    destination: Encrypted


class ReEncrypt(Operation[ReEncrypted], frozen=True, kw_only=True):
    action = Action.RE_ENCRYPT_FROM
    source: KeyRef
    destination: KeyRef
    ciphertext: bytes
    source_aad: Aad = None
    destination_aad: Aad = None
    source_algorithm: Word | None = None
    destination_algorithm: Word | None = None
    source_version: int | None = None
    destination_version: int = 0

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(Action.RE_ENCRYPT_FROM, self.source), Demand(Action.RE_ENCRYPT_TO, self.destination))

    def context(self) -> Mapping[str, str] | None:
        """The source's; the pipeline asks destination_context() for the second demand."""
        return self.source_aad if isinstance(self.source_aad, dict) else None

    def destination_context(self) -> Mapping[str, str] | None:
        return self.destination_aad if isinstance(self.destination_aad, dict) else None


class DataKey(Struct, frozen=True):
    key: Key
    version: int
    plaintext: Sensitive
    ciphertext: bytes


class GenerateDataKey(_WithContext[DataKey], frozen=True, kw_only=True):
    """`by_any`: a key of any kind that encrypts may wrap it, a public one too."""

    action = Action.GENERATE_DATA_KEY
    n_bytes: int
    version: int = 0
    by_any: bool = False


class GenerateDataKeyBlind(_WithContext[DataKey], frozen=True, kw_only=True):
    """The same for a caller who may not see it: the door must drop `plaintext`."""

    action = Action.GENERATE_DATA_KEY_BLIND
    n_bytes: int
    version: int = 0
    by_any: bool = False


class DataKeyPair(Struct, frozen=True):
    key: Key
    version: int
    pair_spec: KeySpec
    private_key: Sensitive  # DER PKCS#8
    private_key_ciphertext: bytes
    public_key: bytes  # DER SubjectPublicKeyInfo


class GenerateDataKeyPair(_WithContext[DataKeyPair], frozen=True, kw_only=True):
    action = Action.GENERATE_DATA_KEY_PAIR
    changes = True  # it writes nothing; making an RSA pair takes up to a second
    pair_spec: Word


class GenerateDataKeyPairBlind(_WithContext[DataKeyPair], frozen=True, kw_only=True):
    action = Action.GENERATE_DATA_KEY_PAIR_BLIND
    changes = True
    pair_spec: Word
