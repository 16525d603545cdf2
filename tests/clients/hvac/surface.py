"""Every public method of hvac's that asks for what is offered, with its defaults: what each comes to, by name, as JSON.

Run with hvac on the path, KEYSTEAD_AT and KEYSTEAD_TOKEN: the server is left as it comes. What has to be there already
is made first; a method that destroys is called after those that do not.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import hvac

SKIPPED = {
    "seal",
    "initialize",
    "submit_unseal_key",
    "submit_unseal_keys",
    "revoke_self",
    "rekey_multi",
    "rekey_verify_multi",
}
"""What ends or opens the server or the caller's token, and what is a loop over another method."""
LATER = ("move", "revoke", "remove", "destroy", "merge", "delete", "disable")
"""What is called behind everything else, in this order."""
HELLO, POLICY = "aGVsbG8=", 'path "x" { capabilities = ["read"] }'


def prepared(client: hvac.Client) -> dict[str, Any]:
    """Parameter -> what stands for it."""
    for path in client.sys.list_mounted_secrets_engines()["data"].keys() - {"cubbyhole/", "identity/", "sys/"}:
        client.sys.disable_secrets_engine(path)
    for kind, path, options in (("kv", "secret", {"version": "2"}), ("kv", "kv1", {}), ("transit", "transit", {})):
        client.sys.enable_secrets_engine(kind, path=path, options=options)
    for path in client.sys.list_auth_methods()["data"].keys() - {"token/"}:
        client.sys.disable_auth_method(path)
    for kind in ("approle", "userpass", "jwt", "oidc", "kubernetes", "cert"):
        client.sys.enable_auth_method(kind)
    client.secrets.kv.v2.create_or_update_secret("a", {"x": "1"})
    client.secrets.kv.v1.create_or_update_secret("a", {"x": "1"}, mount_point="kv1")
    client.secrets.transit.create_key("a", exportable=True, allow_plaintext_backup=True)
    client.secrets.transit.create_key("ed", key_type="ed25519")
    client.secrets.transit.update_key_configuration("a", exportable=True, allow_plaintext_backup=True)
    identity, accessor = client.secrets.identity, client.sys.list_auth_methods()["data"]["userpass/"]["accessor"]
    made = {name: identity.create_or_update_entity(name)["data"]["id"] for name in ("a", "other")}
    alias = identity.create_or_update_entity_alias("a", made["a"], accessor)["data"]["id"]
    group = identity.create_or_update_group("a")["data"]["id"]
    identity.create_named_key("a", allowed_client_ids=["*"])
    identity.create_or_update_role("a", "a")
    client.auth.approle.create_or_update_approle("a")
    secret = client.auth.approle.generate_secret_id("a")["data"]
    client.auth.userpass.create_or_update_user("a", "pw")
    token = client.auth.token.create(policies=["default"])["auth"]
    client.sys.create_or_update_policy("a", POLICY)
    return {
        "accessor": token["accessor"],
        "alias_id": alias,
        "backup": client.secrets.transit.backup_key("a")["data"]["backup"],
        "canonical_id": made["a"],
        "ciphertext": client.secrets.transit.encrypt_data("a", plaintext=HELLO)["data"]["ciphertext"],
        "entity_id": made["a"],
        "from_entity_ids": [made["other"]],
        "group_id": group,
        "mount_accessor": accessor,
        "role_id": client.auth.approle.read_role_id("a")["data"]["role_id"],
        "secret_id": secret["secret_id"],
        "secret_id_accessor": secret["secret_id_accessor"],
        "to_entity_id": made["a"],
        "token": token["client_token"],
    }


FIXED: dict[str, Any] = {
    "allowed_redirect_uris": ["http://localhost/back"],
    "backend_type": "kv",
    "bound_service_account_names": ["*"],
    "bound_service_account_namespaces": ["*"],
    "device_type": "file",
    "from_path": "kv",
    "hash_input": HELLO,
    "input": HELLO,
    "kubernetes_host": "https://k.test",
    "member_entity_ids": None,
    "member_group_ids": None,
    "method_type": "userpass",
    "min_version": 1,
    "option_name": "version",
    "params": {},
    "password": "pw",
    "paths": ["x"],
    "plaintext": HELLO,
    "policy": POLICY,
    "rate": 1_000_000,
    "redirect_uri": "http://localhost/back",
    "secret": {"a": "b"},
    "snapshot": b"x",
    "to_path": "moved",
    "user_claim": "sub",
    "verification_ttl": "1h",
    "versions": [1],
}
OWN = {  # (where, method) -> what differs
    ("sys", "enable_auth_method"): {"path": "second"},
    ("sys", "create_namespace"): {"path": "ns1"},
    ("sys", "delete_namespace"): {"path": "ns1"},
    ("sys", "read_auth_method_tuning"): {"path": "userpass"},
    ("sys", "tune_auth_method"): {"path": "userpass"},
    ("sys", "disable_auth_method"): {"path": "second"},
    ("sys", "disable_secrets_engine"): {"path": "moved"},
    ("sys", "enable_audit_device"): {"options": {"file_path": "a.log"}},
    ("sys", "calculate_hash"): {"path": "file"},
    ("sys", "disable_audit_device"): {"path": "file"},
    ("sys", "retrieve_mount_option"): {"mount_point": "secret"},
    ("transit", "sign_data"): {"name": "ed", "hash_input": HELLO},
    ("transit", "export_key"): {"key_type": "encryption-key"},
    ("transit", "generate_data_key"): {"key_type": "plaintext"},
    ("transit", "encrypt_data"): {"plaintext": HELLO},
    ("transit", "restore_key"): {"name": "restored"},
    ("approle", "create_custom_secret_id"): {"secret_id": "own"},
    ("approle", "destroy_secret_id"): {"secret_id": "own"},
    ("userpass", "create_or_update_user"): {"password": "pw"},
    ("kv2", "list_secrets"): {"path": ""},
    ("kv1", "list_secrets"): {"path": ""},
}


def methods(client: hvac.Client) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    places = {"sys": client.sys, "kv1": client.secrets.kv.v1, "kv2": client.secrets.kv.v2}
    places |= {name: getattr(client.secrets, name) for name in ("transit", "identity")}
    names = ("token", "approle", "userpass", "jwt", "oidc", "kubernetes", "cert")
    places |= {name: getattr(client.auth, name) for name in names}
    for where, one in places.items():
        for name, function in inspect.getmembers(one, inspect.ismethod):
            if not name.startswith("_") and name not in SKIPPED:
                yield where, name, function


def said(function: Callable[..., Any], known: dict[str, Any], more: dict[str, Any]) -> str:
    """ "" where it goes well; else what is raised."""
    asked = inspect.signature(function).parameters.values()
    needed = [one.name for one in asked if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
    given = {name: (FIXED | known).get(name, "a") for name in needed} | more
    try:
        function(**given)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return f"{type(error).__name__}: {error}"
    return ""


def main() -> None:
    client = hvac.Client(url=os.environ["KEYSTEAD_AT"], token=os.environ["KEYSTEAD_TOKEN"])
    known, found = prepared(client), {}
    for where, name, function in sorted(methods(client), key=lambda one: [word in one[1] for word in reversed(LATER)]):
        more = OWN.get((where, name), {}) | ({"mount_point": "kv1"} if where == "kv1" else {})
        found[f"{where} {name}"] = said(function, known, more)
        client.token = os.environ["KEYSTEAD_TOKEN"]  # a login takes another
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
