"""A secret that the TPM gives out while its PCRs are what they were: a sealed data object under a PCR policy.

Part 1 §36.3 (sealed data), Part 3 §23.7 (TPM2_PolicyPCR). The object has no password: there is nothing to guess at, and
a TPM that is locked out after somebody's wrong guesses at something else still opens it (Part 1 §19.8.2). An authority
may allow other PCRs later (authorizing).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.errors import Conflict, InvalidArgument, Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.crypto import p256
from keystead.tpm import authorizing
from keystead.tpm.authorizing import Approval

if TYPE_CHECKING:
    from keystead.tpm.device import Session

BANK = "sha256"
N_PCRS = 24
MOST_SECRET = 128  # bytes: MAX_SYM_DATA, Part 2 §4.6


class SealedBlob(Struct, frozen=True, forbid_unknown_fields=True):
    """What the TPM has given out to be kept: of use to that TPM alone."""

    pcrs: tuple[int, ...]
    root_name: bytes  # of the storage root key that it is under
    public: bytes
    private: bytes
    authority: bytes = b""  # whose signature allows other PCRs, a point of P-256; empty: nobody's
    reference: bytes = b""  # what tells approvals of this blob from those of others
    policy: bytes = b""  # of the PCRs that it was sealed under, where there is an authority

    def __repr__(self) -> str:
        return f"SealedBlob(pcrs={self.pcrs})"


def check_pcrs(pcrs: tuple[int, ...]) -> None:
    """Raises InvalidArgument."""
    if not pcrs or len(set(pcrs)) != len(pcrs) or not all(0 <= pcr < N_PCRS for pcr in pcrs):
        raise InvalidArgument(f"give one or more PCRs, each once, from 0 to {N_PCRS - 1}", "pcrs")


def seal(on: Session, secret: Sensitive, pcrs: tuple[int, ...], authority: bytes, reference: bytes) -> SealedBlob:
    import tpm2_pytss as tss  # noqa: PLC0415 - an extra

    if not 0 < len(secret.reveal()) <= MOST_SECRET:
        raise InvalidArgument(f"a TPM seals 1 to {MOST_SECRET} bytes", "secret")
    if authority and (len(authority) != p256.BYTES or len(reference) != authorizing.REFERENCE_BYTES):
        raise InvalidArgument("an authority is a point of P-256, and has a reference of its own", "authority")
    with on.started("TRIAL") as trial:
        on.tpm.policy_pcr(trial, b"", _selection(pcrs))
        under = policy = bytes(on.tpm.policy_get_digest(trial))
        if authority:
            authorizing.either(on, trial, (under, authorizing.branch(on, authority, reference)))
            policy = bytes(on.tpm.policy_get_digest(trial))
    template = tss.TPM2B_PUBLIC.parse("keyedhash", objectAttributes="fixedtpm|fixedparent", authPolicy=policy)
    data = tss.TPMS_SENSITIVE_CREATE(data=tss.TPM2B_SENSITIVE_DATA(secret.reveal()))
    private, public, *_ = on.tpm.create(on.root, tss.TPM2B_SENSITIVE_CREATE(data), template, session2=on.secret)
    made = SealedBlob(pcrs, on.root_name, public.marshal(), private.marshal())
    return replace(made, authority=authority, reference=reference, policy=under) if authority else made


def unseal(on: Session, blob: SealedBlob, approvals: Callable[[], Sequence[Approval]]) -> Sensitive:
    from tpm2_pytss import TPM2B_PRIVATE, TPM2B_PUBLIC, TSS2_Exception  # noqa: PLC0415 - an extra

    if on.root_name != blob.root_name:
        raise Conflict("it was sealed by another TPM, or this one was cleared")
    try:
        public, n_public = TPM2B_PUBLIC.unmarshal(blob.public)
        private, n_private = TPM2B_PRIVATE.unmarshal(blob.private)
    except TSS2_Exception:
        raise InvalidArgument("what was sealed does not verify", "seal") from None
    if (n_public, n_private) != (len(blob.public), len(blob.private)):
        raise InvalidArgument("what was sealed does not verify", "seal")
    held = on.tpm.load(on.root, private, public)
    try:
        with on.started("POLICY") as policy:
            on.tpm.policy_pcr(policy, b"", _selection(blob.pcrs))
            if blob.authority:
                _allowed(on, policy, blob, approvals)
            return Sensitive(bytes(on.tpm.unseal(held, session1=policy)))
    finally:
        on.tpm.flush_context(held)


def _allowed(on: Session, policy: Any, blob: SealedBlob, approvals: Callable[[], Sequence[Approval]]) -> None:
    """By the PCRs that it was sealed under, or by those that the authority has approved. Raises Unauthenticated."""
    now = bytes(on.tpm.policy_get_digest(policy))
    if now != blob.policy:
        good = (one for one in approvals() if authorizing.allows(one, now, blob.authority, blob.reference))
        approval = next(good, None)
        if approval is None:
            raise Unauthenticated("the PCRs of the TPM are not those that it was sealed under, nor approved ones")
        authorizing.authorize(on, policy, blob.authority, approval)
    authorizing.either(on, policy, (blob.policy, authorizing.branch(on, blob.authority, blob.reference)))


def _selection(pcrs: tuple[int, ...]) -> Any:
    from tpm2_pytss import TPML_PCR_SELECTION  # noqa: PLC0415 - an extra

    return TPML_PCR_SELECTION.parse(f"{BANK}:{','.join(map(str, pcrs))}")
