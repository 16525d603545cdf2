"""What a TPM's response codes mean here. TCG "TPM 2.0 Library", Part 2: Structures, §6.6."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from keystead.core.errors import AlreadyExists, Conflict, KeysteadError, NotFound, Unauthenticated, Unavailable

# FMT1 codes (Table 17) without their parameter, handle or session; others (Table 16) as they are.
FMT1 = 0x080
AUTH_FAIL, BAD_AUTH, INTEGRITY, POLICY_FAIL, VALUE, SIGNATURE = (FMT1 + n for n in (0x0E, 0x22, 0x1F, 0x1D, 0x04, 0x1B))
HANDLE = FMT1 + 0x0B
PCR_CHANGED, NV_DEFINED, NV_SPACE, NV_UNINITIALIZED, NV_AUTHORIZATION = (
    0x100 + n for n in (0x28, 0x4C, 0x4B, 0x4A, 0x49)
)
LOCKOUT, RETRY, YIELDED, TESTING, NV_RATE = (0x900 + n for n in (0x21, 0x22, 0x08, 0x0A, 0x20))
LAYERS = 0xFFFF0000  # set: the code is not the TPM's but the way's to it

MEANINGS: dict[int, tuple[type[KeysteadError], str]] = {
    AUTH_FAIL: (Unauthenticated, "the TPM does not accept the authorization value"),
    BAD_AUTH: (
        Unauthenticated,
        "the TPM does not accept the authorization value, or its owner hierarchy has another: `tpm.owner` says which",
    ),
    SIGNATURE: (Unauthenticated, "the signature is not the authority's"),
    POLICY_FAIL: (Unauthenticated, "the PCRs of the TPM are not those that it was sealed under"),
    PCR_CHANGED: (Unauthenticated, "the PCRs of the TPM changed meanwhile"),
    INTEGRITY: (Conflict, "it was sealed by another TPM, or this one was cleared"),
    VALUE: (Conflict, "the TPM does not accept what it is given"),
    HANDLE: (NotFound, "the TPM holds no such index"),
    NV_DEFINED: (AlreadyExists, "the TPM has an index of that number already"),
    NV_SPACE: (Unavailable, "the TPM has no room for another index"),
    NV_UNINITIALIZED: (Conflict, "the index of the TPM was never written"),
    NV_AUTHORIZATION: (Unauthenticated, "the TPM does not let the index be read"),
    LOCKOUT: (Unavailable, "the TPM is locked out after wrong authorizations (dictionary attack protection)"),
    RETRY: (Unavailable, "the TPM is busy"),
    YIELDED: (Unavailable, "the TPM is busy"),
    TESTING: (Unavailable, "the TPM is testing itself"),
    NV_RATE: (Unavailable, "the TPM limits how often it is written"),
}


def meaning(code: int) -> KeysteadError:
    """The error of a response code; the code stands in its words, as it is in nobody's secret."""
    if code & LAYERS:
        return Unavailable(f"the TPM cannot be reached (0x{code:x})")
    bare = FMT1 + (code & 0x3F) if code & FMT1 else code
    kind, words = MEANINGS.get(bare, (Unavailable, "the TPM refused"))
    return kind(f"{words} (0x{code:x})")


@contextmanager
def translated() -> Iterator[None]:
    """Raises KeysteadError for what the TPM, or the way to it, says no to."""
    from tpm2_pytss import TSS2_Exception  # noqa: PLC0415 - an extra: whoever has no TPM has none of it

    try:
        yield
    except TSS2_Exception as error:
        raise meaning(int(error.rc)) from None
