"""How somebody else's keying material is wrapped on its way in: the algorithms, and what each may carry.

KMS API Reference, GetParametersForImport: WrappingAlgorithm, WrappingKeySpec. A row without a method is known, and
not offered: RSAES_PKCS1_V1_5 is refused by AWS since October 2023, and SM2PKE is for its Regions in China.
"""

from __future__ import annotations

from msgspec import Struct

from keystead.core.algorithms import KEY_SPECS, Family, KeySpec, Purpose
from keystead.core.errors import Unsupported


class Wrapping(Struct, frozen=True):
    name: str
    digest: str | None  # of RSAES-OAEP and its MGF1 (RFC 8017 §7.1)
    hybrid: bool  # OAEP wraps a 256-bit AES key, and that wraps the material (RFC 5649), behind it
    aws: str | None  # KMS API: AlgorithmSpec


_W = Wrapping
WRAPPINGS: dict[str, Wrapping] = {
    w.name: w
    for w in (
        _W("RSA_OAEP_SHA1", "sha1", hybrid=False, aws="RSAES_OAEP_SHA_1"),
        _W("RSA_OAEP_SHA256", "sha256", hybrid=False, aws="RSAES_OAEP_SHA_256"),
        _W("RSA_AES_SHA1", "sha1", hybrid=True, aws="RSA_AES_KEY_WRAP_SHA_1"),
        _W("RSA_AES_SHA256", "sha256", hybrid=True, aws="RSA_AES_KEY_WRAP_SHA_256"),
        _W("RSA_AES_SHA224", "sha224", hybrid=True, aws=None),
        _W("RSA_AES_SHA384", "sha384", hybrid=True, aws=None),
        _W("RSA_AES_SHA512", "sha512", hybrid=True, aws=None),
        _W("RSA_PKCS1", None, hybrid=False, aws="RSAES_PKCS1_V1_5"),
        _W("SM2PKE", None, hybrid=False, aws="SM2PKE"),
    )
}
HYBRID = {row.digest: row for row in WRAPPINGS.values() if row.hybrid}
WRAPPING_SPECS = frozenset({"RSA_2048", "RSA_3072", "RSA_4096"})

RAW = frozenset({Family.AES, Family.HMAC})
IMPORTABLE = RAW | {Family.RSA, Family.EC, Family.EDWARDS, Family.ML_DSA}
"""Families whose material may be imported. KMS API Reference, ImportKeyMaterial: for encryption, signatures, MACs
and key agreement."""


def importable(spec: KeySpec, purpose: Purpose) -> bool:
    return spec.family in IMPORTABLE and purpose is not Purpose.ENCAPSULATION


def require_wrapping(wrapping: Wrapping, by: KeySpec, of: KeySpec) -> None:
    """Whether a key of spec `by` may wrap material of spec `of` so. Raises Unsupported (detail "wrapping")."""
    fits = {
        "the wrapping algorithm": wrapping.digest is not None,
        "the wrapping key": by.name in WRAPPING_SPECS,
        # "To import an RSA private key, you must use an RSA_AES wrapping algorithm."
        "an RSA key without an AES key": wrapping.hybrid or of.family is not Family.RSA,
        # "RSA_AES_KEY_WRAP…: supported for wrapping RSA and ECC key material": a raw key needs no second one
        "a raw key behind an AES key": not wrapping.hybrid or of.family not in RAW,
        # "You cannot use an RSA_2048 public key to directly wrap an ECC_NIST_P521 private key."
        "so long a key": wrapping.hybrid or by.name != "RSA_2048" or of is not KEY_SPECS["EC_P521"],
    }
    if wrong := [what for what, right in fits.items() if not right]:
        raise Unsupported(f"{wrapping.aws} under {by.aws} does not wrap {of.aws} key material: {wrong[0]}", "wrapping")
