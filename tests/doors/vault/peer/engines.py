# ruff: noqa: E501 - tables
"""transit and kv: what nobody means to send."""

from __future__ import annotations

from typing import Any

from tests.doors.vault.peer.ask import Ask, post

ODD: tuple[Any, ...] = (
    "x", "", 5, 1.5, True, {}, {"a": 1}, [], [None], [None, None], [5], [1.5], ["x"], [True], [[]], [{}], [5, "x", None],
    [{"a": True}], [{"a": {}}, {"b": []}], [{"a": None}], [5, {"a": True}], [{"reference": 5}], [{"reference": True}],
    '[{"input":"aGk="}]',
)  # fmt: skip
"""None of it has anything in it that could be done."""
OF_TEXTS = ([{"input": 5}], [{"input": 1.5}], [{"input": True}], [{"hmac": 5}], [{"hmac": None}, {"signature": ""}])
OF_ITEMS = (
    [{"ciphertext": 5}], [{"ciphertext": True}], [{"ciphertext": {}}], [{"key_version": "1"}], [{"key_version": True}],
    [{"key_version": None}], [{"context": 5}], [{"context": True, "ciphertext": []}], [{"nonce": True}],
    [5, {"ciphertext": True}], [{"context": "aGk="}, None],
)  # fmt: skip
PATCHED = {"Content-Type": "application/merge-patch+json"}
PEER = "x"  # no key, where there is a base key

REQUESTS = [
    *(post(f"transit/keys/{name}", {"type": kind})
      for name, kind in (("b", "aes256-gcm96"), ("e", "ed25519"), ("p", "ecdsa-p256"))),
    # batches
    *(post(f"transit/{way}", {"batch_input": given}) for given in (*ODD, *OF_TEXTS)
      for way in ("hmac/b", "sign/b", "sign/e", "sign/p", "verify/b", "verify/e")),
    *(post(f"transit/{way}/b", {"batch_input": given}) for given in (*ODD, *OF_ITEMS) for way in ("rewrap", "decrypt")),
    *(post(f"transit/{way}/none", {"batch_input": "x"}) for way in ("hmac", "sign", "verify", "rewrap", "decrypt")),
    post("transit/sign/b", {"batch_input": [{"input": "aGk="}]}),
    post("transit/verify/b", {"batch_input": [{"input": "aGk=", "signature": "vault:v1:aGk="}, {"input": "aGk=", "signature": "x"}]}),
    # a key from elsewhere
    *(post("transit/keys/x", body) for body in (
        {"external_key_ref": "x"}, {"external_key_ref": 5}, {"type": "rsa-2048", "external_key_ref": "a:b"},
        {"type": "zz", "external_key_ref": "x"}, {"convergent_encryption": True, "external_key_ref": "x"},
        {"auto_rotate_period": 5, "external_key_ref": "x"}, {"type": "external-key", "external_key_ref": "a:b"},
        {"type": "external-key"},
    )),
    post("transit/keys/b", {"external_key_ref": "x"}),
    *(post(f"transit/keys/{name}/rotate", {"external_key_ref": "x"}) for name in ("b", "none")),
    Ask("GET", "transit/keys/x"),
    # a key from two
    *(post("transit/derive-key/d", body) for body in (
        {}, {"peer_public_key": ""}, {"peer_public_key": PEER}, {"peer_public_key": PEER, "base_key_name": ""},
        {"peer_public_key": PEER, "base_key_name": "none"}, {"peer_public_key": PEER, "base_key_name": "a b"},
        {"peer_public_key": PEER, "base_key_name": "b"}, {"peer_public_key": PEER, "base_key_name": "p"},
        {"peer_public_key": PEER, "derived_key_type": "zz"}, {"key_derivation_algorithm": "zz"},
    )),
    # check-and-set that the mount demands
    *(step for demanded in (True, False) for step in (
        post("two/config", {"cas_required": demanded}),
        *(Ask(method, "two/metadata/c", body, headers=PATCHED if method == "PATCH" else {}) for method in ("POST", "PATCH") for body in (
            {"cas_required": False}, {"cas_required": True}, {"cas_required": None}, {}, {"cas_required": False, "max_versions": 3},
        )),
        Ask("PATCH", "two/metadata/none", {"cas_required": False}, headers=PATCHED),
    )),
]  # fmt: skip
