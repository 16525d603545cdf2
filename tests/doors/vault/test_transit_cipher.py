"""transit: ciphertexts. The words are held to OpenBao in transit_cipher.txt and transit_sign.txt."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.core.envelope import peek


def b64(raw: bytes) -> str:
    return b64encode(raw).decode()


HELLO = b64(b"hello")


def test_a_ciphertext_names_its_version_twice_and_both_must_agree(root):
    root.data("POST", "transit/keys/a")
    root.data("POST", "transit/keys/a/rotate")
    sealed = root.data("POST", "transit/encrypt/a", plaintext=HELLO)["ciphertext"]
    assert peek(b64decode(sealed.removeprefix("vault:v2:")))[1] == 2
    other = sealed.replace("vault:v2:", "vault:v1:")
    assert root.refusal("POST", "transit/decrypt/a", ciphertext=other) == (400, "cipher: message authentication failed")


@settings(max_examples=30, deadline=None)
@given(text=st.binary(max_size=300), context=st.binary(min_size=1, max_size=40), data=st.binary(max_size=40))
def test_what_is_encrypted_is_decrypted_in_its_context_alone(shared, text, context, data):
    shared.data("POST", "transit/keys/derived", derived=True)
    bound = {"context": b64(context), "associated_data": b64(data)}
    sealed = shared.data("POST", "transit/encrypt/derived", plaintext=b64(text), **bound)["ciphertext"]
    opened = shared.data("POST", "transit/decrypt/derived", ciphertext=sealed, **bound)
    assert b64decode(opened["plaintext"]) == text
    for other in (
        {**bound, "context": b64(context + b"x")},
        {**bound, "associated_data": b64(data + b"x")},
        {"context": b64(context + data), "associated_data": ""} if data else {**bound, "associated_data": "eA=="},
    ):
        assert shared.refusal("POST", "transit/decrypt/derived", ciphertext=sealed, **other)[0] == 400


def test_no_nonce_of_the_callers_is_taken(root):
    """CVE-2023-4680."""
    root.data("POST", "transit/keys/a")
    asked = {"plaintext": HELLO, "nonce": b64(bytes(12))}
    replies = [root.call("POST", "transit/encrypt/a", **asked) for _ in range(2)]
    assert len({reply.json["data"]["ciphertext"] for reply in replies}) == 2
    assert replies[0].json["warnings"] == ["Endpoint ignored these unrecognized parameters: [nonce]"]


def test_convergent_encryption_converges_on_key_context_and_text(root):
    for name in ("a", "b"):
        root.data("POST", f"transit/keys/{name}", derived=True, convergent_encryption=True)

    def sealed(key, text, context, **more):
        asked = {"plaintext": b64(text), "context": b64(context), **more}
        return root.data("POST", f"transit/encrypt/{key}", **asked)["ciphertext"]

    one = sealed("a", b"text", b"context")
    assert sealed("a", b"text", b"context") == one
    others = [sealed("a", b"texu", b"context"), sealed("a", b"text", b"contexu"), sealed("b", b"text", b"context")]
    root.data("POST", "transit/keys/a/rotate")
    others.append(sealed("a", b"text", b"context"))
    assert len({one, *others}) == 5
    assert sealed("a", b"text", b"context", key_version=1) == one
    opened = root.data("POST", "transit/decrypt/a", ciphertext=one, context=b64(b"context"))
    assert b64decode(opened["plaintext"]) == b"text"


def test_a_key_that_is_not_convergent_never_says_the_same_twice(root):
    root.data("POST", "transit/keys/a", derived=True)
    asked = {"plaintext": HELLO, "context": HELLO}
    assert len({root.data("POST", "transit/encrypt/a", **asked)["ciphertext"] for _ in range(5)}) == 5


def test_a_batch_with_the_same_text_has_its_own_ciphertexts(root):
    root.data("POST", "transit/keys/a")
    done = root.data("POST", "transit/encrypt/a", batch_input=[{"plaintext": HELLO}] * 5)["batch_results"]
    assert len({one["ciphertext"] for one in done}) == 5


def test_a_data_key_is_what_its_ciphertext_holds(root):
    for kind in ("aes256-gcm96", "rsa-2048"):
        root.data("POST", f"transit/keys/{kind}", type=kind)
        done = root.data("POST", f"transit/datakey/plaintext/{kind}", bits=512)
        opened = root.data("POST", f"transit/decrypt/{kind}", ciphertext=done["ciphertext"])
        assert opened["plaintext"] == done["plaintext"]
        assert len(b64decode(done["plaintext"])) == 64
        assert "plaintext" not in root.data("POST", f"transit/datakey/wrapped/{kind}")


@pytest.mark.parametrize("salt", ["auto", "hash", "11"])
def test_signatures_verify_with_the_public_key_alone(root, salt):
    shown = root.data("POST", "transit/keys/r", type="rsa-2048")
    public = serialization.load_pem_public_key(shown["keys"]["1"]["public_key"].encode())
    asked = {"input": HELLO, "hash_algorithm": "sha2-384", "salt_length": salt}
    signature = root.data("POST", "transit/sign/r", **asked)["signature"]
    length = {"auto": padding.PSS.MAX_LENGTH, "hash": 48}.get(salt) or int(salt)
    scheme = padding.PSS(padding.MGF1(hashes.SHA384()), length)
    public.verify(b64decode(signature.removeprefix("vault:v1:")), b"hello", scheme, hashes.SHA384())


def test_a_jws_signature_is_r_and_s(root):
    shown = root.data("POST", "transit/keys/p", type="ecdsa-p521")
    public = serialization.load_pem_public_key(shown["keys"]["1"]["public_key"].encode())
    done = root.data("POST", "transit/sign/p", input=HELLO, marshaling_algorithm="jws")["signature"]
    text = done.removeprefix("vault:v1:")
    assert len(text) == 176  # 2 x 66 bytes, RFC 7518 §3.4
    raw = b64decode(text.replace("-", "+").replace("_", "/"))
    r, s = int.from_bytes(raw[:66], "big"), int.from_bytes(raw[66:], "big")
    public.verify(encode_dss_signature(r, s), b"hello", ec.ECDSA(hashes.SHA256()))


def test_what_is_exported_is_the_key(root):
    shown = root.data("POST", "transit/keys/p", type="ecdsa-p256", exportable=True)
    text = root.data("GET", "transit/export/signing-key/p")["keys"]["1"]
    private = serialization.load_pem_private_key(text.encode(), None)
    public = serialization.load_pem_public_key(shown["keys"]["1"]["public_key"].encode())
    assert private.public_key() == public


def test_the_key_for_hmac_is_another_than_the_key(root):
    root.data("POST", "transit/keys/a", exportable=True)
    key = root.data("GET", "transit/export/encryption-key/a")["keys"]["1"]
    mac = root.data("GET", "transit/export/hmac-key/a")["keys"]["1"]
    assert key != mac
    made = root.data("POST", "transit/hmac/a", input=HELLO, algorithm="sha3-512")["hmac"]
    expected = hmac.digest(b64decode(mac), b"hello", "sha3_512")
    assert b64decode(made.removeprefix("vault:v1:")) == expected


def test_what_is_verified_to_be_false_is_on_record(root):
    root.data("POST", "transit/keys/p", type="ecdsa-p256")
    signature = root.data("POST", "transit/sign/p", input=HELLO)["signature"]
    assert root.data("POST", "transit/verify/p", input=b64(b"other"), signature=signature) == {"valid": False}
    record = root.stack.record()
    assert (record.outcome, record.why) == ("performed", "signature")
