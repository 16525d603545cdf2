"""U under a key that another key management service wraps: it opens by itself where that service answers.

The service never sees U: it wraps a key made for that alone, and U is under the key in seal.json. Whoever runs the
service, or has a copy of all that it was sent, opens nothing without the file.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from keystead.core.errors import DecryptionFailed, InvalidArgument, Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.crypto.aead import NONCE_BYTES, GcmSiv
from keystead.seals import services
from keystead.seals.base import Surroundings

KEY_BYTES = 32


class ExternalPlan(Struct, frozen=True, tag_field="kind", tag="external", forbid_unknown_fields=True):
    """A seal at another service that is to be made. `kms`: what the configuration calls it."""

    kms: str

    def make(self, unseal_key: Sensitive, at: Surroundings) -> ExternalConfiguration:
        """It is opened again before it is believed. Raises what `services.wrap` and `unwrap` raise."""
        key = Sensitive(at.entropy(KEY_BYTES))
        kept = services.wrap(at.devices.kms(self.kms), key)
        plan = ExternalConfiguration(self.kms, kept.key, kept.ciphertext)
        wrapped = GcmSiv(key.reveal()).seal(at.entropy(NONCE_BYTES), unseal_key.reveal(), plan.aad)
        made = msgspec.structs.replace(plan, wrapped=wrapped)
        ExternalSeal(made, at).open(())
        return made


class ExternalConfiguration(Struct, frozen=True, tag_field="kind", tag="external", forbid_unknown_fields=True):
    kms: str
    key: str  # the version of the service's key, where it has to be told
    wrapped_key: bytes  # by the service
    wrapped: bytes = b""  # U under it

    @property
    def aad(self) -> bytes:
        return msgspec.msgpack.encode(("external-seal/v1", self.wrapped_key))

    @property
    def rests_on(self) -> tuple[str, str]:
        """What there is of it elsewhere, which `discard` takes away."""
        return ("external", "")

    @property
    def is_older(self) -> bool:
        """Whether it is around one U for ever."""
        return False

    def seal(self, at: Surroundings) -> ExternalSeal:
        return ExternalSeal(self, at)


class ExternalSeal:
    kind = "external"
    opens_itself = True

    def __init__(self, configuration: ExternalConfiguration, at: Surroundings) -> None:
        self._configuration, self._at = configuration, at

    def open(self, offered: Sequence[Sensitive]) -> Sensitive:
        """Needs nothing offered. Raises what `services.unwrap` raises."""
        if offered:
            raise InvalidArgument("this seal opens with its key management service alone", "seal")
        kept = self._configuration
        key = services.unwrap(self._at.devices.kms(kept.kms), services.Kept(kept.wrapped_key, kept.key))
        if len(key.reveal()) != KEY_BYTES:
            raise Unauthenticated(f"the KMS {kept.kms} opens what is no key of ours")
        try:
            return Sensitive(GcmSiv(key.reveal()).open(kept.wrapped, kept.aad))
        except DecryptionFailed as error:
            raise Unauthenticated(f"what the KMS {kept.kms} opens is not the key of this seal") from error

    def around(self, unseal_key: Sensitive) -> ExternalConfiguration:
        """With another key, wrapped by the service anew."""
        return ExternalPlan(self._configuration.kms).make(unseal_key, self._at)

    def told(self) -> str:
        return f"the KMS {self._configuration.kms}"

    def discard(self) -> None:
        """The service holds nothing of it."""
