"""Keys as this engine shows them."""

from __future__ import annotations

from base64 import b64encode
from textwrap import wrap
from typing import Any

from keystead.core import operations as ops
from keystead.core.algorithms import Family, Purpose
from keystead.core.entities import Key, KeyVersion, Origin
from keystead.core.states import KeyState
from keystead.doors.vault.transit.names import type_of
from keystead.wire.vault.scalars import time_text

CURVES = {"ecdsa-p256": "P-256", "ecdsa-p384": "P-384", "ecdsa-p521": "P-521"}
SYMMETRIC = frozenset({Family.AES})
DERIVABLE = frozenset({Family.AES, Family.EDWARDS})
ED25519_BYTES = 32  # RFC 8410 §4: the end of the SubjectPublicKeyInfo


def supports(key: Key) -> dict[str, bool]:
    """What the key can do, whoever asks."""
    every = key.spec.purposes if key.terms.all_purposes else (key.purpose,)
    cipher = Purpose.CIPHER in every
    return {
        "supports_decryption": cipher,
        "supports_derivation": key.spec.family in DERIVABLE,
        "supports_encryption": cipher,
        "supports_signing": Purpose.SIGNATURE in every,
    }


def told(name: str, found: ops.Versions) -> dict[str, Any]:
    """What keys/:name answers."""
    key, terms = found.key, found.key.terms
    kind, period = type_of(key), key.rotation.period if key.rotation else None
    shown: dict[str, Any] = {
        "allow_plaintext_backup": terms.copyable,
        "auto_rotate_period": int(period.total_seconds()) if period else 0,
        "deletion_allowed": terms.erasable,
        "derived": terms.derived,
        "exportable": terms.exportable,
        "imported_key": key.origin is Origin.EXTERNAL,
        "latest_version": key.current,
        "min_available_version": terms.min_kept,
        "min_decryption_version": terms.min_process,
        "min_encryption_version": terms.min_protect,
        "name": name,
        "soft_deleted": key.lifecycle.state is KeyState.SUSPENDED,
        "type": kind,
        **supports(key),
    }
    if key.origin is Origin.EXTERNAL:
        shown["imported_key_allow_rotation"] = not terms.imports_only
    if terms.derived:
        shown |= {"kdf": "hkdf_sha256", "convergent_encryption": terms.convergent}
    if terms.convergent:
        shown["convergent_encryption_version"] = -1
    if key.spec.family is Family.HMAC:
        shown["key_size"] = (key.spec.bits or 0) // 8
        return shown
    current = [one for one in found.versions if one.number >= terms.min_process]
    shown["keys"] = {str(one.number): _version(one, found, kind) for one in current}
    return shown


def _version(version: KeyVersion, found: ops.Versions, kind: str) -> Any:
    key = found.key
    if key.spec.family in SYMMETRIC:
        return int(version.created_at.timestamp())
    public_key = version.public_key if not key.terms.derived else found.derived.get(version.number, b"")
    return {
        "certificate_chain": "".join(pem("CERTIFICATE", one) for one in version.certificates),
        "creation_time": time_text(version.created_at),
        "name": CURVES.get(kind, kind),
        "public_key": public_text(public_key, key),
    }


def public_text(der: bytes, key: Key) -> str:
    """PEM; an Ed25519 key as its 32 bytes in base64."""
    if key.spec.family is Family.EDWARDS:
        return b64encode(der[-ED25519_BYTES:]).decode()
    return pem("PUBLIC KEY", der)


def pem(label: str, der: bytes) -> str:
    """RFC 7468."""
    lines = "\n".join(wrap(b64encode(der).decode(), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"
