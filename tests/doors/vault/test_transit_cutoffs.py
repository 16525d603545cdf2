"""transit: what a profile of dates stops (research/security.md §4, row 96)."""

from __future__ import annotations

from base64 import b64encode

import pytest

from keystead.core.cutoffs import Cutoffs, Rules

HELLO = b64encode(b"hello").decode()


@pytest.fixture
def nist(root):
    for name, kind in (("r", "rsa-3072"), ("p", "ecdsa-p256"), ("e", "ed25519"), ("a", "aes256-gcm96")):
        root.data("POST", f"transit/keys/{name}", type=kind)
    before = root.data("POST", "transit/sign/r/sha1", input=HELLO)["signature"]
    root.stack.service._cutoffs = Cutoffs(Rules(profile="nist-2030"))
    return root, before


def test_row_96_no_signature_with_sha1(nist):
    root, before = nist
    for name in ("r", "p"):
        status, words = root.refusal("POST", f"transit/sign/{name}/sha1", input=HELLO)
        assert (status, "SHA1 protects nothing new" in words) == (501, True), words
        assert root.stack.record().outcome == "refused: Unsupported"
        assert root.data("POST", f"transit/sign/{name}/sha2-256", input=HELLO)["signature"]
    assert root.data("POST", "transit/sign/e/sha1", input=HELLO)["signature"]  # looks at no digest
    assert root.data("POST", "transit/verify/r/sha1", input=HELLO, signature=before) == {"valid": True}


def test_row_96_nor_with_a_digest_that_nobody_names(nist):
    root, _ = nist
    said = {"prehashed": True, "signature_algorithm": "pkcs1v15", "hash_algorithm": "none"}
    status, words = root.refusal("POST", "transit/sign/r", input=HELLO, **said)
    assert (status, "a digest without a name" in words) == (501, True)


def test_row_96_one_of_a_batch(nist):
    root, _ = nist
    (one,) = root.data("POST", "transit/sign/r/sha1", batch_input=[{"input": HELLO}])["batch_results"]
    assert "signature" not in one and "SHA1" in one["error"]


def test_row_96_macs(nist):
    root, _ = nist
    assert root.data("POST", "transit/hmac/a/sha1", input=HELLO)["hmac"]  # until 2030
    root.stack.service._cutoffs = Cutoffs(Rules(profile="cnsa-2.0"))
    assert root.refusal("POST", "transit/hmac/a/sha2-256", input=HELLO)[0] == 501
    assert root.data("POST", "transit/hmac/a/sha2-512", input=HELLO)["hmac"]


def test_row_96_cnsa_signs_with_what_the_caller_names_and_not_with_the_default(nist):
    root, _ = nist
    root.stack.service._cutoffs = Cutoffs(Rules(profile="cnsa-2.0"))
    assert root.refusal("POST", "transit/sign/r", input=HELLO)[0] == 501
    assert root.data("POST", "transit/sign/r/sha2-384", input=HELLO)["signature"]
