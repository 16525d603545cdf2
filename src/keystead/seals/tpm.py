"""U sealed by this machine's TPM while its PCRs are what they were: it opens by itself, and on no other machine.

Which PCRs: 7 by default, what the firmware has measured of the secure boot policy ("TCG PC Client Platform Firmware
Profile" §3.3.4). After an update that changes them, shares or a passphrase open it, and `seal migrate tpm` seals anew;
or the authority of the seal approves the new ones (approved), and nothing has to be sealed anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from msgspec import Struct

from keystead.core.errors import Conflict, InvalidArgument
from keystead.core.sensitive import Sensitive
from keystead.seals import approved
from keystead.seals.base import Surroundings
from keystead.tpm import Approval, SealedBlob, Tpm
from keystead.tpm.authorizing import REFERENCE_BYTES

DEFAULT_PCRS = (7,)
ANEW = "while it is open, or once another seal has opened it, `keystead seal migrate tpm` seals it anew"


class TpmPlan(Struct, frozen=True, tag_field="kind", tag="tpm", forbid_unknown_fields=True):
    """A TPM seal that is to be made."""

    pcrs: tuple[int, ...] = DEFAULT_PCRS
    authority: bytes = b""  # who may allow others later, a point of P-256 (crypto.p256); empty: nobody

    def make(self, unseal_key: Sensitive, at: Surroundings) -> TpmConfiguration:
        """Approvals of a seal before are of no use to it. Raises InvalidArgument, Unavailable, Unsupported."""
        reference = at.entropy(REFERENCE_BYTES) if self.authority else b""
        return TpmConfiguration(at.devices.tpm.seal(unseal_key, self.pcrs, self.authority, reference))


class TpmConfiguration(Struct, frozen=True, tag_field="kind", tag="tpm", forbid_unknown_fields=True):
    blob: SealedBlob

    @property
    def rests_on(self) -> tuple[str, str]:
        """What there is of it elsewhere, which `discard` takes away."""
        return ("tpm", "")

    @property
    def is_older(self) -> bool:
        """Whether it is around one U for ever."""
        return False

    def seal(self, at: Surroundings) -> TpmSeal:
        return TpmSeal(self, at)


class TpmSeal:
    kind = "tpm"
    opens_itself = True

    def __init__(self, configuration: TpmConfiguration, at: Surroundings) -> None:
        self._blob, self._at, self.opened_as = configuration.blob, at, self.kind

    @property
    def _tpm(self) -> Tpm:
        return self._at.devices.tpm

    def open(self, offered: Sequence[Sensitive]) -> Sensitive:
        """Needs nothing offered. Raises Unauthenticated (other PCRs), Conflict (another TPM), Unavailable."""
        if offered:
            raise InvalidArgument("this seal opens with its TPM alone", "seal")
        asked = list[Approval]()

        def approvals() -> list[Approval]:
            asked.extend(approved.kept(self._at.directory))
            return asked

        try:
            unseal_key = self._tpm.unseal(self._blob, approvals)
        except Conflict as error:
            raise Conflict(f"{error}: {ANEW}", error.detail) from error
        self.opened_as = f"{self.kind}, by approved PCRs" if asked else self.kind
        return unseal_key

    def around(self, unseal_key: Sensitive) -> TpmConfiguration:
        """Under the same PCRs as they are now, and those that were approved before. Raises Unavailable."""
        kept = self._blob
        return TpmConfiguration(self._tpm.seal(unseal_key, kept.pcrs, kept.authority, kept.reference))

    def told(self) -> str:
        words = f"the TPM, with PCR {', '.join(map(str, self._blob.pcrs))}"
        if not self._blob.authority:
            return words
        return f"{words}, or others that the authority {sha256(self._blob.authority).hexdigest()[:16]} approves"

    def discard(self) -> None:
        """The TPM holds nothing of it."""
