"""Keying material wrapped as Vault's clients wrap it, by `cryptography` alone: PKCS #11's CKM_RSA_AES_KEY_WRAP."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding, aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

HASHES = {
    "SHA1": hashes.SHA1(),  # noqa: S303 - hash_function has it
    "SHA224": hashes.SHA224(),
    "SHA256": hashes.SHA256(),
    "SHA384": hashes.SHA384(),
    "SHA512": hashes.SHA512(),
}
PKCS1 = padding.PKCS1v15()


def _oaep(name: str) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(HASHES[name]), HASHES[name], label=None)


def wrapped(pem: str, material: bytes, hash_function: str = "SHA256", n_aes: int = 32) -> str:
    """As `ciphertext` of import has it, under the public key of wrapping_key."""
    aes = os.urandom(n_aes)
    key = load_pem_public_key(pem.encode())
    return b64encode(key.encrypt(aes, _oaep(hash_function)) + aes_key_wrap_with_padding(aes, material)).decode()


def opened(private: rsa.RSAPrivateKey, ciphertext: str, hash_function: str = "SHA256") -> bytes:
    """What byok-export has wrapped."""
    raw, n = b64decode(ciphertext), private.key_size // 8
    return aes_key_unwrap_with_padding(private.decrypt(raw[:n], _oaep(hash_function)), raw[n:])


def pkcs8(key) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def pair(kind: str):
    """A key pair of that type of Vault's."""
    if kind.startswith("rsa-"):
        return rsa.generate_private_key(65537, int(kind[4:]))
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curves = {"ecdsa-p256": ec.SECP256R1(), "ecdsa-p384": ec.SECP384R1(), "ecdsa-p521": ec.SECP521R1()}
    return ec.generate_private_key(curves[kind])
