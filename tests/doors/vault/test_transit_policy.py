"""transit under ACL policies: the path decides, and whoever may not ask hears nothing else."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta

import pytest

HELLO = b64encode(b"hello").decode()
DENIED = (403, "1 error occurred:\n\t* permission denied\n\n")


def may(path: str, *capabilities: str) -> str:
    return f'path "{path}" {{ capabilities = {str(list(capabilities)).replace(chr(39), chr(34))} }}'


def test_a_path_is_a_right_to_one_use_of_one_key(root):
    root.data("POST", "transit/keys/app")
    root.data("POST", "transit/keys/other")
    app = root.child(may("transit/encrypt/app", "update"))
    sealed = app.data("POST", "transit/encrypt/app", plaintext=HELLO)["ciphertext"]
    assert app.refusal("POST", "transit/decrypt/app", ciphertext=sealed) == DENIED
    assert app.refusal("POST", "transit/encrypt/other", plaintext=HELLO) == DENIED
    assert app.refusal("GET", "transit/keys/app") == DENIED
    assert app.refusal("LIST", "transit/keys") == DENIED


def test_to_encrypt_makes_a_key_only_for_whoever_may_create(root):
    user = root.child(may("transit/encrypt/*", "update"))
    maker = root.child(may("transit/encrypt/*", "create", "update"))
    assert user.refusal("POST", "transit/encrypt/new", plaintext=HELLO) == DENIED
    assert maker.data("POST", "transit/encrypt/new", plaintext=HELLO)["key_version"] == 1
    assert user.data("POST", "transit/encrypt/new", plaintext=HELLO)["key_version"] == 1
    only = root.child(may("transit/encrypt/*", "create"))
    assert only.refusal("POST", "transit/encrypt/new", plaintext=HELLO) == DENIED
    assert only.data("POST", "transit/encrypt/newer", batch_input=[{"plaintext": HELLO}])
    root.stack.clock.forward(timedelta(milliseconds=1))
    assert only.refusal("POST", "transit/encrypt/newer", plaintext=HELLO) == DENIED


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("POST", "transit/keys/{}", {"type": "foo"}),
        ("POST", "transit/keys/{}/config", {"min_decryption_version": 99}),
        ("POST", "transit/keys/{}/trim", {}),
        ("POST", "transit/keys/{}/rotate", {}),
        ("DELETE", "transit/keys/{}", {}),
        ("POST", "transit/encrypt/{}", {}),
        ("POST", "transit/encrypt/{}", {"plaintext": "!!"}),
        ("POST", "transit/encrypt/{}", {"batch_input": []}),
        ("POST", "transit/decrypt/{}", {}),
        ("POST", "transit/decrypt/{}", {"ciphertext": "x"}),
        ("POST", "transit/rewrap/{}", {}),
        ("POST", "transit/datakey/foo/{}", {}),
        ("POST", "transit/datakey/plaintext/{}", {"bits": 3}),
        ("POST", "transit/sign/{}", {"hash_algorithm": "foo"}),
        ("POST", "transit/verify/{}", {}),
        ("POST", "transit/hmac/{}", {"algorithm": "foo"}),
        ("GET", "transit/export/foo/{}", {}),
    ],
)
@pytest.mark.parametrize("name", ["app", "absent"])
def test_who_may_not_is_told_so_and_not_what_is_wrong(root, method, path, fields, name):
    root.data("POST", "transit/keys/app")
    nobody = root.child(may("elsewhere", "read"))
    assert nobody.refusal(method, path.format(name), **fields) == DENIED


def test_parameters_are_looked_at(root):
    root.data("POST", "transit/keys/app")
    policy = 'path "transit/encrypt/app" { capabilities = ["update"] denied_parameters = { "key_version" = [] } }'
    app = root.child(policy)
    assert app.data("POST", "transit/encrypt/app", plaintext=HELLO)
    assert app.refusal("POST", "transit/encrypt/app", plaintext=HELLO, key_version=1) == DENIED


@pytest.mark.parametrize("path", ["transit/random", "transit/random/8", "sys/tools/random", "sys/tools/random/8"])
def test_where_random_bytes_are_from_is_said_in_the_path_alone(root, path):
    (warning,) = root.call("POST", path, source="seal").json["warnings"]
    assert "source" in warning and "no seal" not in warning


def test_random_and_hash_are_asked_for_by_path_too(root):
    app = root.child(may("transit/random/*", "update"))
    assert app.data("POST", "transit/random/8")["random_bytes"]
    assert app.refusal("POST", "transit/hash", input=HELLO) == DENIED


@pytest.mark.parametrize("use", ["encrypt", "decrypt", "rewrap", "sign", "verify", "hmac"])
def test_a_batch_of_nothing_that_can_be_done_is_asked_for_and_on_record_too(root, use):
    root.data("POST", "transit/keys/app", type="rsa-2048")
    nobody = root.child(may("elsewhere", "read"))
    items = [{"plaintext": "!!", "ciphertext": "!!", "input": "!!", "signature": "!!"}]
    assert nobody.refusal("POST", f"transit/{use}/app", batch_input=items) == DENIED
    root.stack.forget_records()
    reply = root.call("POST", f"transit/{use}/app", batch_input=items)
    assert reply.json["data"]["batch_results"][0]["error"]
    assert root.stack.record().outcome == "performed"
