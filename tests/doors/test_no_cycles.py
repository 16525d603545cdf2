"""A request is gone once it is answered: the collector runs seldom, and a body of 1 MiB would wait for it.

An error holds the frames that it came through. Where one of these holds the error, both stay until the collector comes,
and with them the request: 600 of strangers, refused, were 600 MB.
"""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator

import pytest
from tests import harness, vaultstack
from tests.harness import Stack


class Headers(dict):
    """A dict that can be watched."""


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def is_gone(stack: Stack, method: str, url: str, headers: dict[bytes, bytes], body: bytes = b"") -> bool:
    watched = Headers(headers)
    request = stack.request(method, url, watched, body)
    assert request.headers is watched
    stack.serve(request)
    seen = weakref.ref(watched)
    del request, watched
    return seen() is None


VAULT = {
    "nobody": ("GET", "kv/a", {}, b""),
    "no such token": ("POST", "kv/a", {b"x-vault-token": b"hvs.no"}, b"{}"),
    "nowhere": ("GET", "nope/a", {b"x-vault-token": b"ROOT"}, b""),
    "denied": ("GET", "kv/a", {b"x-vault-token": b"NOBODY"}, b""),
    "malformed": ("POST", "kv/a", {b"x-vault-token": b"ROOT"}, b"{"),
    "not there": ("GET", "kv/nope", {b"x-vault-token": b"ROOT"}, b""),
    "an invalid argument": ("POST", "sys/mounts/x", {b"x-vault-token": b"ROOT"}, b'{"type":"nope"}'),
    "a login": ("POST", "auth/userpass/login/x", {}, b'{"password":"x"}'),
    "a login without a password": ("POST", "auth/userpass/login/x", {}, b"{}"),
    "no login": ("POST", "auth/nope/login/x", {}, b"{}"),
    "too long": ("POST", "auth/userpass/login/x", {}, b" " * 100_000),
    "no wrapping token": ("POST", "sys/wrapping/unwrap", {}, b'{"token":"x"}'),
    "no such method": ("FOO", "kv/a", {}, b""),
    "a second factor": ("POST", "sys/mfa/validate", {}, b'{"mfa_request_id":"x"}'),
    "an issuer's client": ("POST", "identity/oidc/provider/default/token", {}, b'{"grant_type":"authorization_code"}'),
    "what is allowed": ("POST", "kv/b", {b"x-vault-token": b"ROOT"}, b'{"a":1}'),
}


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("name", VAULT)
def test_at_the_vault_door(name: str, vault: vaultstack.Vault) -> None:
    method, path, headers, body = VAULT[name]
    tokens = {b"ROOT": vault.root.text.encode(), b"NOBODY": nobody(vault).encode()}
    lines = {b"host": b"vault.test", **{key: tokens.get(value, value) for key, value in headers.items()}}
    for _ in range(2):
        assert is_gone(vault.stack, method, f"https://vault.test/v1/{path}", lines, body)


def nobody(vault: vaultstack.Vault) -> str:
    return vault.root.token(policies=["nothing"], no_default_policy=True).text


@pytest.fixture(scope="module")
def vault() -> vaultstack.Vault:
    vault = vaultstack.door()
    for path, engine in (("mounts/kv", "kv"), ("auth/userpass", "userpass")):
        assert vault.root("POST", f"sys/{path}", {"type": engine}).status == 204
    vault.stack.view.loop_thread = None
    return vault


KMS = {
    "what is allowed": ("CreateAlias", {"AliasName": "alias/a", "TargetKeyId": "KEY"}),
    "a use": ("Encrypt", {"KeyId": "KEY", "Plaintext": "YQ=="}),
    "denied": ("Encrypt", {"KeyId": "arn:aws:kms:eu-central-1:999900001111:key/" + "0" * 36, "Plaintext": "YQ=="}),
    "not there": ("DescribeKey", {"KeyId": "alias/nope"}),
    "a wrong shape": ("Encrypt", {"KeyId": 5}),
    "no ciphertext": ("Decrypt", {"KeyId": "KEY", "CiphertextBlob": "YWJj"}),
    "no such operation": ("Nope", {}),
}


@pytest.fixture(scope="module")
def kms() -> tuple[Stack, str]:
    """With a key."""
    stack = harness.stack()
    return stack, stack.key().id


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("signed", ["signed", "by nobody", "wrongly"])
@pytest.mark.parametrize("name", KMS)
def test_at_the_kms_door(name: str, signed: str, kms: tuple[Stack, str]) -> None:
    (operation, members), (stack, key) = KMS[name], kms
    body = json.dumps(members).replace('"KEY"', f'"{key}"').encode()
    for _ in range(2):
        asked = stack.admin.signed({"X-Amz-Target": f"TrentService.{operation}"}, body)
        headers = dict(asked.headers)
        if signed == "wrongly":
            headers[b"authorization"] = headers[b"authorization"][:-64] + b"0" * 64
        elif signed == "by nobody":
            del headers[b"authorization"]
        assert is_gone(stack, "POST", "https://kms.test/", headers, body)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("action", ["AssumeRole", "AssumeRoleWithWebIdentity", "ListUsers", "Nope"])
def test_at_the_doors_of_sts_and_iam(action: str, kms: tuple[Stack, str]) -> None:
    stack, _ = kms
    body = f"Action={action}&Version=2011-06-15&RoleArn=arn:aws:iam::111122223333:role/x&RoleSessionName=xx".encode()
    kind = {b"host": b"kms.test", b"content-type": b"application/x-www-form-urlencoded"}
    assert is_gone(stack, "POST", "https://kms.test/", kind, body)
    signed = stack.admin.signed({"Content-Type": kind[b"content-type"].decode()}, body, service="sts")
    assert is_gone(stack, "POST", "https://kms.test/", dict(signed.headers), body)
