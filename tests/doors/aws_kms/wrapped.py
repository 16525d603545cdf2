"""What the owner of keying material does to import it: wrap it as AWS documents, with `cryptography`."""

from __future__ import annotations

import os
from base64 import b64decode
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_public_key
from tests.doors.aws_kms.managing import ask
from tests.harness import Person, Reply

DIGESTS = {"SHA_1": SHA1, "SHA_256": SHA256}
FOR_EVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
NEW, AGAIN = {"ImportType": "NEW_KEY_MATERIAL"}, {"ImportType": "EXISTING_KEY_MATERIAL"}


def wrap(public_key: bytes, algorithm: str, material: bytes, *, aes_bytes: int = 32) -> bytes:
    """KMS Developer Guide, "Step 3: Encrypt the key material"."""
    digest = next(made for name, made in DIGESTS.items() if algorithm.endswith(name))
    oaep = padding.OAEP(padding.MGF1(digest()), digest(), None)
    key = load_der_public_key(public_key)
    if algorithm.startswith("RSAES"):
        return key.encrypt(material, oaep)
    aes = os.urandom(aes_bytes)
    return key.encrypt(aes, oaep) + aes_key_wrap_with_padding(aes, material)


def parameters(
    person: Person, key_id: str, algorithm: str = "RSAES_OAEP_SHA_256", spec: str = "RSA_2048", **members: Any
) -> Any:
    wrapping = {"WrappingAlgorithm": algorithm, "WrappingKeySpec": spec}
    return ask(person, "GetParametersForImport", KeyId=key_id, **wrapping, **members)


def importing(
    person: Person,
    key_id: str,
    material: bytes,
    *,
    algorithm: str = "RSAES_OAEP_SHA_256",
    spec: str = "RSA_2048",
    given: Any = None,
    **members: Any,
) -> Reply:
    """The reply to the whole procedure; `given`: what GetParametersForImport has answered before."""
    given = given or parameters(person, key_id, algorithm, spec)
    wrapped = wrap(b64decode(given["PublicKey"]), algorithm, material)
    if "ValidTo" not in members:
        members = {**FOR_EVER, **members}
    ticket = {"ImportToken": given["ImportToken"], "EncryptedKeyMaterial": wrapped}
    return person.call("ImportKeyMaterial", KeyId=key_id, **ticket, **members)
