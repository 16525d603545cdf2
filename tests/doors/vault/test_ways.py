"""Request lines that are kept with where they led (doors/vault/places.py)."""

from __future__ import annotations

from typing import cast

from tests import vaultstack

from keystead.doors.vault.front import VaultFront
from keystead.doors.vault.places import MOST_OF_A_WAY, N_WAYS, Places


def _places(vault: vaultstack.Vault) -> Places:
    return cast("VaultFront", vault.stack.front)._places


def test_a_mount_that_went_answers_no_longer_where_many_were_answered() -> None:
    vault = vaultstack.door()
    root = vault.root
    root("POST", "sys/mounts/app", {"type": "kv", "options": {"version": "1"}})
    root("POST", "app/one", {"a": "1"})
    for _ in range(3):
        assert root.data("GET", "app/one") == {"a": "1"}
    root("DELETE", "sys/mounts/app")
    assert root.refused("GET", "app/one")[0] == 404
    root("POST", "sys/mounts/app", {"type": "kv", "options": {"version": "2"}})
    assert root("GET", "app/one").status == 404  # the same line: the engine that stands there now knows it not
    root("POST", "app/data/one", {"data": {"a": "2"}})
    assert root.data("GET", "app/data/one")["data"] == {"a": "2"}


def test_one_line_is_for_everybody_and_a_decision_for_each() -> None:
    vault = vaultstack.door()
    vault.root("POST", "sys/mounts/app", {"type": "kv", "options": {"version": "1"}})
    vault.root("POST", "app/one", {"a": "1"})
    vault.root.policy("reader", 'path "app/one" { capabilities = ["read"] }')
    reader, other = vault.root.token(policies=["reader"]), vault.root.token(policies=["default"])
    assert reader.data("GET", "app/one") == {"a": "1"}
    assert other.refused("GET", "app/one") == (403, vaultstack.DENIED)
    assert vault.nobody.refused("GET", "app/one")[0] == 403
    assert reader.refused("GET", "app/one", x_vault_namespace="elsewhere")[0] in {403, 404}
    assert reader("GET", "app/one", wrap="60s").json["wrap_info"] is not None


def test_what_may_hold_a_token_or_is_long_is_not_kept_and_the_number_is_bounded() -> None:
    vault = vaultstack.door()
    root, places = vault.root, _places(vault)
    root("POST", "sys/mounts/app", {"type": "kv", "options": {"version": "1"}})
    text = root.token().text
    root("GET", f"auth/token/lookup/{text}")
    root("POST", f"auth/token/renew/{text}")
    root("GET", "auth/token/lookup-self")
    root("GET", f"app/{'x' * MOST_OF_A_WAY}")
    assert not places._ways
    for n in range(N_WAYS + 10):
        root("GET", f"app/{n}")
    assert 0 < len(places._ways) <= N_WAYS


def test_a_line_leads_elsewhere_in_another_namespace_and_in_one_made_anew() -> None:
    vault = vaultstack.door()
    root = vault.root
    headers = [{}, {"x_vault_namespace": "a"}, {"x_vault_namespace": "b"}]

    def made(name: str, value: str, **header: str) -> None:
        if header:
            root("POST", f"sys/namespaces/{name}")
        assert root("POST", "sys/mounts/kv", {"type": "kv"}, **header).status == 204
        root("POST", "kv/one", {"v": value}, **header)

    for name, header in zip(("", "a", "b"), headers, strict=True):
        made(name, name, **header)
    for _ in range(3):
        answers = [root("GET", "kv/one", **header).json["data"]["v"] for header in headers]
        assert answers == ["", "a", "b"]
        assert root.data("GET", "a/kv/one") == {"v": "a"}
    root.policy("a", 'path "a/kv/*" { capabilities = ["read"] }')
    reader = root.token(policies=["a"])
    assert [reader("GET", "kv/one", **header).status for header in headers] == [403, 200, 403]
    assert root.data("DELETE", "sys/namespaces/a") == {"status": "completed"}
    for bearer in (root, reader):
        assert bearer("GET", "kv/one", x_vault_namespace="a").status == 404
        assert bearer("GET", "a/kv/one").status in {403, 404}
    made("a", "anew", x_vault_namespace="a")
    assert root.data("GET", "a/kv/one") == {"v": "anew"}
    assert reader("GET", "kv/one", x_vault_namespace="a").json["data"] == {"v": "anew"}
