"""U in a box that a passphrase opens (Argon2id). The parameters stand beside it, and are bounded before they are used.

The box is closed with a public key (crypto.hpke), so the passphrase is not asked for when U changes, and whoever makes
the seal need not tell the server what it is. In installations made before, U is wrapped under the passphrase itself.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from keystead.core.errors import DecryptionFailed, InvalidArgument, Unauthenticated
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.crypto.aead import GcmSiv
from keystead.crypto.hpke import BOX
from keystead.crypto.kdf import SALT_BYTES, Argon2Cost, argon2id, check_cost
from keystead.seals.base import UNSEAL_BYTES, Created, Surroundings, cannot_follow

SHORTEST = 8  # characters: SP 800-63B-4 §3.1.1.2, as a second factor stands beside it (the slot)


class PassphraseConfiguration(Struct, frozen=True, tag_field="kind", tag="passphrase", forbid_unknown_fields=True):
    """Without a box it is a plan: what is public of a passphrase that somebody has chosen."""

    cost: Argon2Cost
    salt: bytes
    wrapped: bytes = b""  # the older form
    public: bytes = b""
    box: bytes = b""

    @property
    def rests_on(self) -> tuple[str, str]:
        """What there is of it elsewhere, which `discard` takes away."""
        return ("passphrase", "")

    @property
    def is_older(self) -> bool:
        """Whether it is around one U for ever."""
        return bool(self.wrapped)

    def seal(self, _at: Surroundings) -> PassphraseSeal:
        return PassphraseSeal(self)

    def make(self, unseal_key: Sensitive, _at: Surroundings) -> PassphraseConfiguration:
        """Raises InvalidArgument."""
        check_cost(self.salt, self.cost)
        return replace(self, wrapped=b"", box=BOX.close(self.public, unseal_key, self.info))

    @property
    def aad(self) -> bytes:
        return msgspec.msgpack.encode(("passphrase", self.cost, self.salt))

    @property
    def info(self) -> bytes:
        return msgspec.msgpack.encode(("passphrase/v2", self.cost, self.salt))


class PassphraseSeal:
    kind = "passphrase"
    opens_itself = False

    def __init__(self, configuration: PassphraseConfiguration) -> None:
        self._configuration = configuration

    @classmethod
    def plan(cls, passphrase: Sensitive, entropy: Entropy, cost: Argon2Cost | None = None) -> PassphraseConfiguration:
        """What is public of it. Raises InvalidArgument for a passphrase that is too short."""
        normal = _normal(passphrase.reveal())
        if len(normal.decode()) < SHORTEST:
            raise InvalidArgument(f"a passphrase has at least {SHORTEST} characters", "passphrase")
        plan = PassphraseConfiguration(cost or Argon2Cost(), entropy(SALT_BYTES))
        return replace(plan, public=BOX.public_key(Sensitive(argon2id(normal, plan.salt, plan.cost))))

    @classmethod
    def create(
        cls,
        passphrase: Sensitive,
        entropy: Entropy,
        cost: Argon2Cost | None = None,
        unseal_key: Sensitive | None = None,
    ) -> Created[PassphraseConfiguration]:
        """Nothing to show: the operator chose it. Raises InvalidArgument for a passphrase that is too short."""
        plan = cls.plan(passphrase, entropy, cost)
        unseal_key = unseal_key or Sensitive(entropy(UNSEAL_BYTES))
        return Created(cls(plan).around(unseal_key), unseal_key)

    def open(self, offered: Sequence[Sensitive]) -> Sensitive:
        """One passphrase. Raises Unauthenticated; InvalidArgument where the stored cost is out of bounds (row 63)."""
        if len(offered) != 1:
            raise Unauthenticated("one passphrase is needed")
        kept = self._configuration
        try:
            key = argon2id(_normal(offered[0].reveal()), kept.salt, kept.cost)
            if kept.wrapped:
                return Sensitive(GcmSiv(key).open(kept.wrapped, kept.aad))
            return BOX.open(Sensitive(key), kept.box, kept.info)
        except (DecryptionFailed, UnicodeDecodeError) as error:
            raise Unauthenticated("the passphrase does not open the seal") from error

    def around(self, unseal_key: Sensitive) -> PassphraseConfiguration:
        """The same passphrase for another U. Raises Conflict for a seal of the older form."""
        kept = self._configuration
        if kept.wrapped:
            raise cannot_follow(self.kind)
        return replace(kept, box=BOX.close(kept.public, unseal_key, kept.info))

    def told(self) -> str:
        return "a passphrase"

    def discard(self) -> None:
        """There is nothing of it anywhere else."""


def _normal(passphrase: bytes) -> bytes:
    """NFC, as keyboards differ (RFC 8265 §4.2.2 rule 4). Raises UnicodeDecodeError."""
    return unicodedata.normalize("NFC", passphrase.decode()).encode()
