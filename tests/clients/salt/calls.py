"""What Salt's vault extension does, called as `salt-call` calls it; run by the Python that Salt is installed for.

calls.py FOLDER: a minion's configuration stands there. What does not go as documented ends it with status 1.
"""

from __future__ import annotations

import sys
from typing import Any

import salt.client
import salt.config
from salt.exceptions import CommandExecutionError

folder = sys.argv[1]


def minion(file: str = "minion") -> Any:
    options = salt.config.minion_config(f"{folder}/{file}")
    return salt.client.Caller(mopts=options).cmd


def same(found: Any, wanted: Any) -> None:
    assert found == wanted, (found, wanted)


def secrets(call: Any) -> None:
    assert call("vault.write_secret", "kv/a", user="ada", password="one")
    assert call("vault.patch_secret", "kv/a", password="two")
    same(call("vault.read_secret", "kv/a"), {"user": "ada", "password": "two"})
    same(call("vault.read_secret", "kv/a", "password", version=1), "one")
    same(call("vault.read_secret_meta", "kv/a")["current_version"], 2)
    same(call("vault.list_secrets", "kv", keys_only=True), ["a"])
    assert call("vault.delete_secret", "kv/a")
    same(call("vault.read_secret", "kv/a", default="gone"), "gone")
    assert call("vault.restore_secret", "kv/a")
    same(call("vault.read_secret", "kv/a", "password"), "two")
    assert call("vault.destroy_secret", "kv/a", 1)
    same(call("vault.read_secret_meta", "kv/a")["versions"]["1"]["destroyed"], True)
    assert call("vault.write_raw", "kv/b", {"deep": {"er": [1, 2]}})
    same(call("vault.read_secret", "kv/b"), {"deep": {"er": [1, 2]}})
    assert call("vault.wipe_secret", "kv/b")
    same(call("vault.read_secret", "kv/b", default="gone"), "gone")
    assert call("vault.write_secret", "kv1/a", c="d")
    same(call("vault.read_secret", "kv1/a"), {"c": "d"})


def policies(call: Any) -> None:
    rules = 'path "kv/data/*" { capabilities = ["read", "create", "update"] }'
    assert call("vault.policy_write", "salt", rules)
    same(call("vault.policy_fetch", "salt"), rules)
    assert call("vault.policy_write", "gone", rules)
    assert "gone" in call("vault.policies_list")
    assert call("vault.policy_delete", "gone")
    same(call("vault.policy_fetch", "gone"), None)


def queries(call: Any) -> None:
    found = call("vault.query", "POST", "transit/encrypt/app", {"plaintext": "aGk="})
    sealed = found["data"]["ciphertext"]
    opened = call("vault.query", "POST", "transit/decrypt/app", {"ciphertext": sealed})
    same(opened["data"]["plaintext"], "aGk=")


def states(call: Any) -> None:
    def done(function: str, name: str, **more: Any) -> dict[str, Any]:
        (state,) = call("state.single", function, name=name, **more).values()
        assert state["result"], state
        return dict(state["changes"])

    rules = 'path "kv/data/*" { capabilities = ["read"] }'
    for function, name, more, away in (
        ("vault.policy_present", "of-a-state", {"rules": rules}, "vault.policy_absent"),
        ("vault_secret.present", "kv/of-a-state", {"values": {"a": "b"}}, "vault_secret.absent"),
        (
            "vault_approle.present",
            "of-a-state",
            {"token_policies": ["salt"], "token_ttl": 3600},
            "vault_approle.absent",
        ),
    ):
        assert done(function, name, **more), function
        assert not done(function, name, **more), function  # it is so already
        assert done(away, name), away
        assert not done(away, name), away


def approles(call: Any) -> None:
    assert call("vault_approle.write", "salt", token_policies=["salt"], token_ttl=3600)
    same(call("vault_approle.read", "salt")["token_policies"], ["salt"])
    same(call("vault_approle.list"), ["salt"])
    role = call("vault_approle.get_role_id", "salt")
    secret = call("vault_approle.get_secret_id", "salt", cache=False)
    accessor = call("vault_approle.lookup_secret_id", "salt", secret_id=secret)["secret_id_accessor"]
    same(call("vault_approle.lookup_secret_id", "salt", accessor=accessor)["secret_id_accessor"], accessor)
    with open(f"{folder}/minion", encoding="utf-8") as of_a_token:
        text = of_a_token.read()
    with open(f"{folder}/approle", "w", encoding="utf-8") as written:
        head, _, _ = text.partition("  auth:")
        written.write(f"{head}  auth: {{method: approle, role_id: {role}, secret_id: {secret}}}\n")
    own = minion("approle")
    same(own("vault.read_secret", "kv/a", "password"), "two")
    try:
        own("vault.policies_list")
    except CommandExecutionError as error:
        assert "permission denied" in str(error), error
    else:
        raise AssertionError("a token of the policy reads policies")
    assert call("vault_approle.destroy_secret_id", "salt", accessor=accessor)
    assert call("vault_approle.delete", "salt")
    same(call("vault_approle.list"), [])


def elsewhere(call: Any) -> None:
    """In pillars, and in configuration."""
    same(call("pillar.get", "user", "none") and call("pillar.items")["user"], "ada")
    same(call("sdb.get", "sdb://keystead/kv/a?user"), "ada")
    assert call("sdb.set", "sdb://keystead/kv/sdb?one", "1")
    same(call("vault.read_secret", "kv/sdb"), {"one": "1"})


call = minion()
for part in (secrets, policies, queries, states, approles):
    part(call)
elsewhere(minion())
