"""U wrapped under a passphrase (Argon2id). The parameters stand beside it, and are bounded before they are used."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from keystead.core.errors import DecryptionFailed, InvalidArgument, Unauthenticated
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.crypto.aead import NONCE_BYTES, GcmSiv
from keystead.crypto.kdf import SALT_BYTES, Argon2Cost, argon2id
from keystead.seals.base import UNSEAL_BYTES, Created

SHORTEST = 8  # characters: SP 800-63B-4 §3.1.1.2, as a second factor stands beside it (the slot)


class PassphraseConfiguration(Struct, frozen=True, tag_field="kind", tag="passphrase", forbid_unknown_fields=True):
    cost: Argon2Cost
    salt: bytes
    wrapped: bytes

    def seal(self, _directory: Path) -> PassphraseSeal:
        return PassphraseSeal(self)

    @property
    def aad(self) -> bytes:
        return msgspec.msgpack.encode(("passphrase", self.cost, self.salt))


class PassphraseSeal:
    kind = "passphrase"

    def __init__(self, configuration: PassphraseConfiguration) -> None:
        self._configuration = configuration

    @classmethod
    def create(
        cls, passphrase: Sensitive, entropy: Entropy, cost: Argon2Cost | None = None
    ) -> Created[PassphraseConfiguration]:
        """Nothing to show: the operator chose it. Raises InvalidArgument for a passphrase that is too short."""
        normal = _normal(passphrase.reveal())
        if len(normal.decode()) < SHORTEST:
            raise InvalidArgument(f"a passphrase has at least {SHORTEST} characters", "passphrase")
        plan = PassphraseConfiguration(cost or Argon2Cost(), entropy(SALT_BYTES), b"")
        unseal_key = entropy(UNSEAL_BYTES)
        key = argon2id(normal, plan.salt, plan.cost)
        wrapped = GcmSiv(key).seal(entropy(NONCE_BYTES), unseal_key, plan.aad)
        return Created(msgspec.structs.replace(plan, wrapped=wrapped), Sensitive(unseal_key))

    def open(self, offered: Sequence[Sensitive]) -> Sensitive:
        """One passphrase. Raises Unauthenticated; InvalidArgument where the stored cost is out of bounds (row 63)."""
        if len(offered) != 1:
            raise Unauthenticated("one passphrase is needed")
        kept = self._configuration
        try:
            key = argon2id(_normal(offered[0].reveal()), kept.salt, kept.cost)
            return Sensitive(GcmSiv(key).open(kept.wrapped, kept.aad))
        except (DecryptionFailed, UnicodeDecodeError) as error:
            raise Unauthenticated("the passphrase does not open the seal") from error


def _normal(passphrase: bytes) -> bytes:
    """NFC, as keyboards differ (RFC 8265 §4.2.2 rule 4). Raises UnicodeDecodeError."""
    return unicodedata.normalize("NFC", passphrase.decode()).encode()
