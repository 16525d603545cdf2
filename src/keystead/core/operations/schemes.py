"""Signatures and MACs whose every part the caller names, instead of one algorithm of the key's."""

from __future__ import annotations

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.algorithms import Algorithm, KeySpec, MessageForm, Purpose
from keystead.core.entities import Key
from keystead.core.operations.base import KeyOperation

LONGEST, AS_DIGEST = 0, -1
"""Salt lengths of PSS that are no number of bytes: what fits (and to verify, whatever it is); as long as the digest."""


class Scheme(Struct, frozen=True, kw_only=True):
    """How to sign. What a key's family does not look at may be anything: an Ed25519 key looks at none of it."""

    digest: str | None  # as hashlib writes it; None: PKCS #1 v1.5 of what is handed over, without a DigestInfo
    padding: str = "pss"  # RSA: "pss", "pkcs1"; any other is for keys that have none
    salt: int = LONGEST  # bytes, or LONGEST, AS_DIGEST
    fixed: bool = False  # ECDSA: r || s, each as long as the curve's order (RFC 7518 §3.4), or DER


def nearest(spec: KeySpec, scheme: Scheme) -> Algorithm:
    """The spec's signature algorithm that the scheme comes to, or its default. Raises WrongUsage."""
    default = spec.default(Purpose.SIGNATURE)
    wanted = f"RSA_{scheme.padding.upper()}_"  # no other algorithm's name begins so
    fitting = (a for a in spec.algorithms_for(Purpose.SIGNATURE) if a.name.startswith(wanted))
    return next((a for a in fitting if a.digest == scheme.digest), default)


class SignedAs(Struct, frozen=True):
    key: Key
    version: int
    signature: bytes
    public_key: bytes = b""  # DER, of the pair that was derived for it


class CheckedAs(Struct, frozen=True):
    key: Key
    version: int
    valid: bool


class TaggedAs(Struct, frozen=True):
    key: Key
    version: int
    tag: bytes


class SignAs(KeyOperation[SignedAs], frozen=True, kw_only=True):
    """Raises InvalidArgument (detail "form": a digest of another length; "salt"; Breach.NO_CONTEXT)."""

    action = Action.SIGN
    message: bytes
    scheme: Scheme
    form: MessageForm = MessageForm.RAW
    version: int = 0  # 0: the current one
    in_context: bytes = b""  # of a derived key: which pair of it signs


class VerifyAs(KeyOperation[CheckedAs], frozen=True, kw_only=True):
    action = Action.VERIFY
    message: bytes
    signature: bytes
    scheme: Scheme
    form: MessageForm = MessageForm.RAW
    version: int
    in_context: bytes = b""


class GenerateMacAs(KeyOperation[TaggedAs], frozen=True, kw_only=True):
    """HMAC with any digest, under an HMAC key itself, or else under one derived from the key for that alone."""

    action = Action.GENERATE_MAC
    message: bytes
    digest: str  # as hashlib writes it
    version: int = 0


class VerifyMacAs(KeyOperation[CheckedAs], frozen=True, kw_only=True):
    action = Action.VERIFY_MAC
    message: bytes
    tag: bytes
    digest: str
    version: int
