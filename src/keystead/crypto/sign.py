"""Signatures: one scheme per algorithm of core.algorithms, each signing with cryptography's key object.

A scheme's verify answers False for every signature that is not right, whatever is wrong with it.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from nacl import bindings as sodium
from nacl.exceptions import BadSignatureError

from keystead.core.algorithms import MessageForm

HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - OAEP only (RSAES_OAEP_SHA_1), where collisions do not matter
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


class Scheme(Protocol):
    def sign(self, key: Any, message: bytes, form: MessageForm) -> bytes:
        """`form` has been checked (Algorithm.check_form)."""
        ...

    def verify(self, key: Any, message: bytes, signature: bytes, form: MessageForm) -> bool: ...


class _Rsa:
    """RFC 8017 §8. PSS: MGF1 with the same hash, salt as long as the digest, as AWS has it."""

    def __init__(self, digest: str, *, pss: bool) -> None:
        hashed = HASHES[digest]
        self._padding = padding.PSS(padding.MGF1(hashed), padding.PSS.DIGEST_LENGTH) if pss else padding.PKCS1v15()
        self._hash = {MessageForm.RAW: hashed, MessageForm.DIGEST: Prehashed(hashed)}

    def sign(self, key: Any, message: bytes, form: MessageForm) -> bytes:
        signature: bytes = key.sign(message, self._padding, self._hash[form])
        return signature

    def verify(self, key: Any, message: bytes, signature: bytes, form: MessageForm) -> bool:
        try:
            key.verify(signature, message, self._padding, self._hash[form])
        except InvalidSignature:
            return False
        return True


class _Ecdsa:
    """FIPS 186-5 §6, with random nonces; the signature is DER (RFC 3279 §2.2.3)."""

    def __init__(self, digest: str) -> None:
        hashed = HASHES[digest]
        self._scheme = {MessageForm.RAW: ec.ECDSA(hashed), MessageForm.DIGEST: ec.ECDSA(Prehashed(hashed))}

    def sign(self, key: Any, message: bytes, form: MessageForm) -> bytes:
        signature: bytes = key.sign(message, self._scheme[form])
        return signature

    def verify(self, key: Any, message: bytes, signature: bytes, form: MessageForm) -> bool:
        try:
            key.verify(signature, message, self._scheme[form])
        except InvalidSignature:
            return False
        return True


class _Ed25519:
    """RFC 8032 §5.1."""

    def sign(self, key: Any, message: bytes, form: MessageForm) -> bytes:  # noqa: ARG002 - RAW is the only form
        signature: bytes = key.sign(message)
        return signature

    def verify(self, key: Any, message: bytes, signature: bytes, form: MessageForm) -> bool:  # noqa: ARG002 - as above
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class _Ed25519ph:
    """RFC 8032 §5.1, Ed25519ph with an empty context.

    AWS: the message is a SHA-512 digest, and is hashed once more by the scheme (KMS API, Sign, MessageType).
    cryptography does not reach OpenSSL's Ed25519ph; libsodium has it.
    """

    def sign(self, key: Any, message: bytes, form: MessageForm) -> bytes:  # noqa: ARG002 - DIGEST is the only form
        secret = key.private_bytes_raw() + key.public_key().public_bytes_raw()
        signature: bytes = sodium.crypto_sign_ed25519ph_final_create(_prehash(message), secret)
        return signature

    def verify(self, key: Any, message: bytes, signature: bytes, form: MessageForm) -> bool:  # noqa: ARG002 - as above
        if len(signature) != sodium.crypto_sign_BYTES:
            return False
        try:
            sodium.crypto_sign_ed25519ph_final_verify(_prehash(message), signature, key.public_bytes_raw())
        except BadSignatureError:
            return False
        return True


def _prehash(message: bytes) -> Any:
    state = sodium.crypto_sign_ed25519ph_state()
    sodium.crypto_sign_ed25519ph_update(state, message)
    return state


class _MlDsa:
    """FIPS 204 §5.2, hedged, with an empty context; or of the representative mu (§6.2)."""

    def sign(self, key: Any, message: bytes, form: MessageForm) -> bytes:
        signature: bytes = (key.sign_mu if form is MessageForm.EXTERNAL_MU else key.sign)(message)
        return signature

    def verify(self, key: Any, message: bytes, signature: bytes, form: MessageForm) -> bool:
        try:
            (key.verify_mu if form is MessageForm.EXTERNAL_MU else key.verify)(signature, message)
        except InvalidSignature:
            return False
        return True


SCHEMES: Final[dict[str, Scheme]] = {
    "RSA_PSS_SHA256": _Rsa("sha256", pss=True),
    "RSA_PSS_SHA384": _Rsa("sha384", pss=True),
    "RSA_PSS_SHA512": _Rsa("sha512", pss=True),
    "RSA_PKCS1_SHA256": _Rsa("sha256", pss=False),
    "RSA_PKCS1_SHA384": _Rsa("sha384", pss=False),
    "RSA_PKCS1_SHA512": _Rsa("sha512", pss=False),
    "ECDSA_P256_SHA256": _Ecdsa("sha256"),
    "ECDSA_P384_SHA384": _Ecdsa("sha384"),
    "ECDSA_P521_SHA512": _Ecdsa("sha512"),
    "ECDSA_K256_SHA256": _Ecdsa("sha256"),
    "ED25519": _Ed25519(),
    "ED25519PH": _Ed25519ph(),
    "ML_DSA_44": _MlDsa(),
    "ML_DSA_65": _MlDsa(),
    "ML_DSA_87": _MlDsa(),
}
