"""Other PCRs than those of when it was sealed, allowed by a signature: TPM2_PolicyAuthorize (Part 3 §23.16).

A blob with an authority opens under the PCRs that it was sealed under or, after an update of the firmware, under PCRs
for which there is an approval: the authority's signature over the policy of those PCRs and the blob's own reference.
The TPM checks it. The policy is computed of the PCRs' values, so what is approved is what the signer has read.

    policy    = SHA-256(32 zero bytes || TPM_CC_PolicyPCR || selection || SHA-256(values))        Part 3 §23.7
    approval  = ECDSA P-256 with SHA-256 of policy || reference                                  Part 3 §23.16.1
    blob      = PolicyOR(policy when it was sealed, PolicyAuthorize(authority, reference))        Part 3 §23.6
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from keystead.core.errors import InvalidArgument
from keystead.crypto import p256

if TYPE_CHECKING:
    from keystead.tpm.device import Session

REFERENCE_BYTES: Final = 32
VALUE_BYTES: Final = 32
N_PCRS: Final = 24
_POLICY_PCR: Final = (0x0000_017F).to_bytes(4, "big")  # TPM_CC_PolicyPCR, Part 2 §6.5.2
_SHA256: Final = (0x000B).to_bytes(2, "big")  # TPM_ALG_SHA256


class Approval(Struct, frozen=True, forbid_unknown_fields=True):
    """PCRs that an authority allows, each with its value, ascending; of one blob, which `reference` names."""

    pcrs: tuple[int, ...]
    values: tuple[bytes, ...]
    reference: bytes
    signature: bytes = b""  # r and s; empty: it is asked for

    @property
    def policy(self) -> bytes:
        """Raises InvalidArgument."""
        return policy_of(self.pcrs, self.values)

    @property
    def signed(self) -> bytes:
        """What the signature is of. Raises InvalidArgument."""
        if len(self.reference) != REFERENCE_BYTES:
            raise InvalidArgument(f"a reference is {REFERENCE_BYTES} bytes", "reference")
        return self.policy + self.reference


def policy_of(pcrs: Sequence[int], values: Sequence[bytes]) -> bytes:
    """The policy of those PCRs of the SHA-256 bank, ascending, with these values. Raises InvalidArgument."""
    fits = len(pcrs) == len(values) and list(pcrs) == sorted(set(pcrs)) and all(0 <= pcr < N_PCRS for pcr in pcrs)
    if not pcrs or not fits or any(len(value) != VALUE_BYTES for value in values):
        raise InvalidArgument(f"PCRs are from 0 to {N_PCRS - 1}, ascending, with {VALUE_BYTES} bytes each", "pcrs")
    bits = sum(1 << pcr for pcr in pcrs).to_bytes(N_PCRS // 8, "little")
    selection = (1).to_bytes(4, "big") + _SHA256 + bytes([len(bits)]) + bits
    return sha256(bytes(32) + _POLICY_PCR + selection + sha256(b"".join(values)).digest()).digest()


def allows(approval: Approval, policy: bytes, authority: bytes, reference: bytes) -> bool:
    """Whether that is what the authority has signed. Others may stand before it: anybody may have put them there."""
    if approval.reference != reference:
        return False
    with suppress(InvalidArgument):  # of what nobody can have signed
        return approval.policy == policy and p256.verify(authority, approval.signed, approval.signature)
    return False


def read(on: Session, pcrs: Sequence[int]) -> tuple[bytes, ...]:
    """Their values now, ascending."""
    from tpm2_pytss import TPML_PCR_SELECTION  # noqa: PLC0415 - an extra

    found: list[bytes] = []
    for pcr in sorted(pcrs):  # at once it would tell eight at most
        _, _, digests = on.tpm.pcr_read(TPML_PCR_SELECTION.parse(f"sha256:{pcr}"))
        found.append(bytes(digests[0]))
    return tuple(found)


def branch(on: Session, authority: bytes, reference: bytes) -> bytes:
    """The policy of whatever the authority allows."""
    from tpm2_pytss import TPM2_RH, TPM2_ST, TPMT_TK_VERIFIED  # noqa: PLC0415 - an extra

    nobody = TPMT_TK_VERIFIED(tag=TPM2_ST.VERIFIED, hierarchy=TPM2_RH.NULL)
    with _key(on, authority) as (_, name), on.started("TRIAL") as trial:
        on.tpm.policy_authorize(trial, b"", name, nobody, reference)
        return bytes(on.tpm.policy_get_digest(trial))


def either(on: Session, policy: Any, branches: Sequence[bytes]) -> None:
    from tpm2_pytss import TPM2B_DIGEST, TPML_DIGEST  # noqa: PLC0415 - an extra

    on.tpm.policy_or(policy, TPML_DIGEST([TPM2B_DIGEST(one) for one in branches]))


def authorize(on: Session, policy: Any, authority: bytes, approval: Approval) -> None:
    """In a session whose PCRs are those of the approval. Raises what the TPM does of a signature that is another's."""
    with _key(on, authority) as (key, name):
        ticket = on.tpm.verify_signature(key, sha256(approval.signed).digest(), _signature(approval.signature))
        on.tpm.policy_authorize(policy, approval.policy, name, ticket, approval.reference)


@contextmanager
def _key(on: Session, authority: bytes) -> Iterator[tuple[Any, Any]]:
    """(handle, name) of the authority's public key, loaded where the TPM gives tickets for it (Part 3 §20.1)."""
    import tpm2_pytss as tss  # noqa: PLC0415 - an extra

    sha256_, ecdsa = tss.TPM2_ALG.SHA256, tss.TPM2_ALG.ECDSA
    public = tss.TPMT_PUBLIC(type=tss.TPM2_ALG.ECC, nameAlg=sha256_, objectAttributes=tss.TPMA_OBJECT.SIGN_ENCRYPT)
    detail = public.parameters.eccDetail
    detail.symmetric.algorithm = detail.kdf.scheme = tss.TPM2_ALG.NULL
    detail.scheme.scheme, detail.scheme.details.ecdsa.hashAlg = ecdsa, sha256_
    detail.curveID = tss.TPM2_ECC.NIST_P256
    public.unique.ecc.x, public.unique.ecc.y = authority[: p256.NUMBER_BYTES], authority[p256.NUMBER_BYTES :]
    whole = tss.TPM2B_PUBLIC(publicArea=public)
    handle = on.tpm.load_external(whole, hierarchy=tss.ESYS_TR.OWNER)
    try:
        yield handle, whole.get_name()
    finally:
        on.tpm.flush_context(handle)


def _signature(pair: bytes) -> Any:
    from tpm2_pytss import TPM2_ALG, TPMT_SIGNATURE  # noqa: PLC0415 - an extra

    made = TPMT_SIGNATURE(sigAlg=TPM2_ALG.ECDSA)
    ecdsa = made.signature.ecdsa
    ecdsa.hash = TPM2_ALG.SHA256
    ecdsa.signatureR, ecdsa.signatureS = pair[: p256.NUMBER_BYTES], pair[p256.NUMBER_BYTES :]
    return made
