"""What a request may cost of whoever is nobody yet: security.md §4-D row 66."""

from __future__ import annotations

import json
import re

import pytest
from tests import harness, vaultstack
from tests.costs import cost

from keystead.doors import vault as door
from keystead.doors.vault.endpoint import Endpoint
from keystead.doors.vault.strangers import MOST_OF_A_STRANGER
from keystead.wire.vault import tree
from keystead.wire.vault.request import Verb

LOGINS = ("userpass", "approle", "jwt", "kubernetes", "cert")
AT = {"system": "sys/"} | {name: f"auth/{name}/" for name in LOGINS}
OPEN = [one for one in door.DOOR.operations if isinstance(one, Endpoint) and one.unsigned and one.verb is Verb.WRITE]
WITH_A_BODY = [AT.get(one.engine, f"{one.engine}/") + re.sub(r"\{\w+\}", "x", one.path) for one in OPEN]
WITH_A_TOKEN = [f"sys/wrapping/{name}" for name in ("unwrap", "rewrap", "lookup")]


@pytest.fixture(scope="module")
def vault() -> vaultstack.Vault:
    vault = vaultstack.door()
    for engine in LOGINS:
        assert vault.root("POST", f"sys/auth/{engine}", {"type": engine}).status == 204
    assert vault.root("POST", "identity/oidc/config", {"issuer": "https://vault.test"}).status in {200, 204}
    return vault


def body(n: int) -> dict[str, str]:
    """Of so many bytes, as JSON."""
    return {"x": "x" * (n - len(json.dumps({"x": ""})))}


@pytest.mark.parametrize("path", [*WITH_A_BODY, *WITH_A_TOKEN])
def test_row_66_a_long_body_of_a_stranger_is_not_read(vault, path, monkeypatch) -> None:
    """CVE-2025-6203, CVE-2025-59043, CVE-2025-12044.

    Reading 1 MiB of small values kept the event loop for a tenth of a second, for whoever asked.
    """

    def read(*_: object, **__: object) -> None:
        raise AssertionError("it was read")

    n_records = len(vault.stack.records())
    with monkeypatch.context() as patch:
        for name in ("check", "_decode"):
            patch.setattr(tree, name, read)
        said = vault.nobody.refused("POST", path, body(MOST_OF_A_STRANGER + 1))
    assert said == (413, "body too large")
    (record,) = vault.stack.records()[n_records:]
    assert record.outcome == "refused: LimitExceeded"
    assert vault.nobody("POST", path, body(MOST_OF_A_STRANGER)).status != 413


LONG = 15_000
HEADS = {
    "a duration": ("GET", "kv/a", b"x-vault-wrap-ttl", b"1h" * (LONG // 2)),
    "another": ("GET", "kv/a", b"x-vault-wrap-ttl", b"0.1" * (LONG // 3)),
    "a media type": ("POST", "auth/approle/login", b"content-type", b"a/b" + b";" * LONG),
    "its parameters": ("POST", "auth/approle/login", b"content-type", b"a/b" + b";a=b" * (LONG // 4)),
    "factors": ("POST", "auth/approle/login", b"x-vault-mfa", b"a:" * (LONG // 2)),
    "a namespace": ("GET", "kv/a", b"x-vault-namespace", b"a/" * (LONG // 2)),
    "a token": ("GET", "kv/a", b"x-vault-token", b"hvb." + b"A" * LONG),
}


@pytest.mark.parametrize("what", HEADS)
def test_row_66_a_long_head_of_a_stranger_costs_little(vault, what) -> None:
    """A header of 15,000 bytes took the event loop 17 ms, before anybody asked for a token."""
    method, path, name, value = HEADS[what]
    request = vault.stack.request(
        method, f"https://vault.test/v1/{path}", {b"host": b"vault.test", name: value}, b'{"role_id":"x"}'
    )
    replies: list[bytes] = []
    assert cost(lambda: replies.append(vault.stack.serve(request)), 7) < 0.002
    assert {harness.Reply.of(reply).status for reply in replies} <= {400, 403}


def test_there_are_some() -> None:
    assert len(WITH_A_BODY) > 8
