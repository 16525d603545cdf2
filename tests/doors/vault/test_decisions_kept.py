"""What allowed a request is kept for others of its line (policy.decision): only where nothing else of it counts."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from tests import vaultstack
from tests.vaultstack import Bearer, Vault

from keystead.core.policy.decision import MOST_KEPT, MOST_OF_A_LINE, Asker, Prepared, Rule
from keystead.core.policy.vault import Acl

TEXT = {"plaintext": b64encode(b"hello").decode()}
ENCRYPT = ("POST", "transit/encrypt/app")


@pytest.fixture
def vault() -> Vault:
    made = vaultstack.door()
    made.root("POST", "sys/mounts/transit", {"type": "transit"})
    made.root("POST", "transit/keys/app", {})
    made.root("POST", "sys/mounts/app", {"type": "kv", "options": {"version": "1"}})
    made.root("POST", "app/one", {"a": "1"})
    made.stack.clock.forward(timedelta(seconds=1))
    return made


def bearer(vault: Vault, path: str, *capabilities: str, more: str = "") -> Bearer:
    said = ", ".join(f'"{one}"' for one in capabilities)
    name = "p-" + path.replace("/", "-").strip("*+-")
    vault.root.policy(name, f'path "{path}" {{\n capabilities = [{said}]\n {more}\n }}')
    return vault.root.token(policies=[name])


def statuses(who: Bearer, *requests: tuple[Any, ...]) -> list[int]:
    return [who(*request).status for request in requests]


def test_a_policy_is_asked_once_for_a_line(vault, monkeypatch) -> None:
    who = bearer(vault, "transit/encrypt/+", "update")
    reader = bearer(vault, "app/*", "read")
    other = vault.root.token(policies=["default"])
    assert statuses(who, (*ENCRYPT, TEXT), (*ENCRYPT, TEXT)) == [200, 200]
    assert statuses(reader, ("GET", "app/one"), ("GET", "app/one")) == [200, 200]
    asked: list[str] = []
    real = Acl.decide
    monkeypatch.setattr(
        Acl, "decide", lambda self, path, *args, **more: asked.append(path) or real(self, path, *args, **more)
    )
    assert statuses(who, (*ENCRYPT, TEXT)) == [200]
    assert statuses(reader, ("GET", "app/one")) == [200]
    assert asked == []
    assert statuses(other, (*ENCRYPT, TEXT), (*ENCRYPT, TEXT)) == [403, 403]
    assert statuses(who, ("POST", "transit/decrypt/app", {"ciphertext": "vault:v1:AAAA"})) == [403]
    assert asked


def test_parameters_are_looked_at_each_time(vault) -> None:
    who = bearer(vault, ENCRYPT[1], "update", more='denied_parameters = { "context" = [] }')
    bad = TEXT | {"context": TEXT["plaintext"]}
    assert statuses(who, (*ENCRYPT, TEXT), (*ENCRYPT, bad), (*ENCRYPT, TEXT)) == [200, 403, 200]


def test_wrapping_is_looked_at_each_time(vault) -> None:
    who = bearer(vault, "app/one", "read", more='min_wrapping_ttl = "1s"\n max_wrapping_ttl = "90s"')
    assert [who("GET", "app/one", wrap=wrap).status for wrap in ("60s", "", "60s", "2h")] == [200, 403, 200, 403]


def test_what_expires_is_asked_about_each_time(vault) -> None:
    at = (vault.stack.clock.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    who = bearer(vault, ENCRYPT[1], "update", more=f'expiration = "{at}"')
    assert statuses(who, (*ENCRYPT, TEXT), (*ENCRYPT, TEXT)) == [200, 200]
    vault.stack.clock.forward(timedelta(hours=2))
    assert statuses(who, (*ENCRYPT, TEXT)) == [403]


def test_to_create_is_not_to_change(vault) -> None:
    creator = bearer(vault, "app/new", "create")
    assert statuses(creator, ("POST", "app/new", {"a": "1"}), ("POST", "app/new", {"a": "2"})) == [204, 403]
    vault.root("DELETE", "app/new")
    assert statuses(creator, ("POST", "app/new", {"a": "1"}), ("POST", "app/new", {"a": "2"})) == [204, 403]


def test_a_key_that_is_made_on_the_way_is_another_case(vault) -> None:
    maker = bearer(vault, "transit/encrypt/made", "create")
    path = ("POST", "transit/encrypt/made", TEXT)
    assert statuses(maker, path, path, path) == [200, 200, 200], "at one time"
    vault.stack.clock.forward(timedelta(seconds=1))
    assert statuses(maker, path, path) == [403, 403]
    user = bearer(vault, "transit/encrypt/*", "update")
    assert statuses(user, path, path, ("POST", "transit/encrypt/other", TEXT)) == [200, 200, 403]


def test_a_policy_that_changes_takes_what_is_kept_along(vault) -> None:
    who = bearer(vault, ENCRYPT[1], "update")
    assert statuses(who, (*ENCRYPT, TEXT), (*ENCRYPT, TEXT)) == [200, 200]
    vault.root.policy("p-transit-encrypt-app", f'path "{ENCRYPT[1]}" {{ capabilities = ["deny"] }}')
    assert statuses(who, (*ENCRYPT, TEXT)) == [403]


def test_a_key_that_is_another_one_now_is_decided_about_anew(vault) -> None:
    who = bearer(vault, ENCRYPT[1], "update")
    assert statuses(who, (*ENCRYPT, TEXT), (*ENCRYPT, TEXT)) == [200, 200]
    vault.root("POST", "transit/keys/app/config", {"deletion_allowed": True})
    vault.root("DELETE", "transit/keys/app")
    vault.root("POST", "transit/keys/app", {})
    vault.stack.clock.forward(timedelta(seconds=1))
    assert statuses(who, (*ENCRYPT, TEXT)) == [200]


def test_what_hangs_on_more_than_the_line_is_not_kept() -> None:
    def yes(_: object) -> bool:
        return True

    line = ("a", "read", False, False, True)
    for by_line, kept in (((yes,), True), ((None,), False), ((yes, None), False), ((lambda _: False,), False)):
        rule = Rule(64, (yes,) * len(by_line), by_line=by_line)
        prepared = Prepared("*", Asker.ALONE, 0, "", (rule,), None)
        prepared.keep(line, None, "identity policy")
        assert (line in prepared.kept) is kept
    rule = Rule(64, (yes,), by_line=(yes,))
    prepared = Prepared("*", Asker.ALONE, 0, "", (rule,), None)
    for n in range(MOST_KEPT + 10):
        prepared.keep((f"a/{n}", "read", False, False, True), None, "identity policy")
    assert 0 < len(prepared.kept) <= MOST_KEPT
    long = ("a" * (MOST_OF_A_LINE + 1), "read", False, False, True)
    prepared.keep(long, None, "identity policy")
    assert long not in prepared.kept
