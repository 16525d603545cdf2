"""Many uses of one key in one request: one decision, one record, an answer or a refusal for each."""

from __future__ import annotations

from keystead.core.actions import Action
from keystead.core.errors import KeysteadError
from keystead.core.operations.base import Demand, KeyOperation
from keystead.core.operations.cipher import Decrypt, Decrypted, Encrypt, Encrypted, ReEncrypt, ReEncrypted
from keystead.core.operations.schemes import (
    CheckedAs,
    GenerateMacAs,
    SignAs,
    SignedAs,
    TaggedAs,
    VerifyAs,
    VerifyMacAs,
)


class EncryptEach(KeyOperation[tuple[Encrypted | KeysteadError, ...]], frozen=True, kw_only=True):
    action = Action.ENCRYPT
    items: tuple[Encrypt, ...]


class DecryptEach(KeyOperation[tuple[Decrypted | KeysteadError, ...]], frozen=True, kw_only=True):
    action = Action.DECRYPT
    items: tuple[Decrypt, ...]


class ReEncryptEach(KeyOperation[tuple[ReEncrypted | KeysteadError, ...]], frozen=True, kw_only=True):
    """Under the key that it is under already."""

    action = Action.RE_ENCRYPT_FROM
    items: tuple[ReEncrypt, ...]

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(Action.RE_ENCRYPT_FROM, self.key), Demand(Action.RE_ENCRYPT_TO, self.key))


class SignEach(KeyOperation[tuple[SignedAs | KeysteadError, ...]], frozen=True, kw_only=True):
    action = Action.SIGN
    items: tuple[SignAs, ...]


class VerifyEach(KeyOperation[tuple[CheckedAs | KeysteadError, ...]], frozen=True, kw_only=True):
    action = Action.VERIFY
    items: tuple[VerifyAs, ...]


class GenerateMacEach(KeyOperation[tuple[TaggedAs | KeysteadError, ...]], frozen=True, kw_only=True):
    action = Action.GENERATE_MAC
    items: tuple[GenerateMacAs, ...]


class VerifyMacEach(KeyOperation[tuple[CheckedAs | KeysteadError, ...]], frozen=True, kw_only=True):
    action = Action.VERIFY_MAC
    items: tuple[VerifyMacAs, ...]
