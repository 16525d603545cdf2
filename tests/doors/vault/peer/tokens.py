# ruff: noqa: E501 - tables
"""auth/token: all that a token is made with, looked up, renewed, revoked, and roles."""

from __future__ import annotations

from tests.doors.vault.peer.ask import Ask, delete, get, listed, post, put

C = "auth/token/create"
OWN = 'path "auth/token/*" { capabilities = ["create", "read", "update", "delete", "list"] }'
SUDO = 'path "auth/token/*" { capabilities = ["create", "read", "update", "list", "sudo"] }'
APP = 'path "kv/*" { capabilities = ["read"] }'

MADE = [
    *(put(f"sys/policies/acl/{name}", {"policy": text}) for name, text in (("own", OWN), ("sudo", SUDO), ("app", APP))),
    *(post(C, body) for body in (
        {}, None, {"policies": []}, {"policies": ["app"]}, {"policies": "app,own"}, {"policies": ["APP", "app", ""]},
        {"policies": ["root"]}, {"policies": ["root", "app"]}, {"policies": ["none"]}, {"policies": ["none", "nor"]},
        {"policies": None}, {"policies": 5}, {"policies": [1, "app"]}, {"policies": {"a": 1}}, {"policies": [["app"]]},
        {"policies": ["response-wrapping"]}, {"policies": ["default"]}, {"policies": [" app "]},
        {"policies": ["app"], "no_default_policy": True}, {"no_default_policy": True}, {"no_default_policy": "x"},
        {"policies": ["app"], "no_parent": True}, {"no_parent": "maybe"}, {"no_parent": "true", "policies": ["app"]},
        {"meta": {"a": "b"}}, {"meta": {"a": 1}}, {"meta": "x"}, {"meta": ["a=b"]}, {"meta": {}}, {"meta": None},
        {"display_name": "someone"}, {"display_name": "with space/and"}, {"display_name": 5}, {"display_name": ""},
        {"ttl": "1h"}, {"ttl": 60}, {"ttl": "60"}, {"ttl": "x"}, {"ttl": -1}, {"ttl": "-1h"}, {"ttl": "9999h"},
        {"ttl": 0}, {"ttl": ""}, {"ttl": None}, {"ttl": True}, {"ttl": []}, {"ttl": "1d"}, {"ttl": "1.5h"},
        {"ttl": "0.5s", "policies": ["app"]},
        {"lease": "1h"}, {"lease": "1h", "ttl": "2h"}, {"lease": "x"}, {"lease": -1}, {"lease": "-1h"},
        {"period": "1h"}, {"period": "1h", "ttl": "2h"}, {"period": "x"}, {"period": -5}, {"period": "9999h"},
        {"period": "1h", "policies": ["app"], "explicit_max_ttl": "30m"},
        {"explicit_max_ttl": "1h"}, {"explicit_max_ttl": "1h", "ttl": "2h"}, {"explicit_max_ttl": "x"},
        {"explicit_max_ttl": -1}, {"explicit_max_ttl": "9999h", "policies": ["app"]},
        {"num_uses": 3}, {"num_uses": "3"}, {"num_uses": "x"}, {"num_uses": -1}, {"num_uses": 1.5}, {"num_uses": 0},
        {"renewable": False}, {"renewable": "false"}, {"renewable": "x"}, {"renewable": None},
        {"type": "service"}, {"type": ""}, {"type": "zz"}, {"type": 5}, {"type": "default"}, {"type": "default-service"},
        {"entity_alias": "x"}, {"unknown": 1}, {"id": ""}, {"id": 5, "policies": ["app"]},
        {"id": "mine", "policies": ["app"]}, {"id": "mine", "policies": ["app"]}, {"id": "s.abc"}, {"id": "hvs.abc"},
        {"id": "b.abc"}, {"id": "has.dot"}, {"id": "has space", "policies": ["app"]},
    )),
    *(post("auth/token/create-orphan", body) for body in (
        {}, {"policies": ["app"]}, {"policies": ["app"], "ttl": "1h", "period": "2h"}, {"no_parent": False}, None,
    )),
    *(Ask(method, path) for path in (C, "auth/token/create-orphan") for method in ("GET", "LIST", "DELETE")),
    # by those who have less
    *(post(C, {"policies": names, "no_default_policy": True}, keep={names[0]: "auth.client_token"})
      for names in (["own"], ["sudo"], ["app"])),
    *(post(C, body, token=who) for who in ("own", "sudo", "app") for body in (
        {}, {"policies": ["app"]}, {"policies": ["own"]}, {"policies": ["sudo"]}, {"policies": ["root"]},
        {"policies": ["own", "default"]}, {"policies": ["default"]}, {"id": "chosen"}, {"no_parent": True},
        {"no_default_policy": True}, {"period": "1h"}, {"ttl": "9999h"}, {"policies": []},
        {"explicit_max_ttl": "10m"}, {"policies": ["own"], "display_name": "x"},
    )),
    *(post("auth/token/create-orphan", body, token=who) for who in ("own", "sudo", "app")
      for body in ({}, {"policies": ["app"]}, {"policies": ["app"], "no_parent": True}, {"no_parent": False})),
    post(C, {"policies": ["own"], "num_uses": 5}, keep={"counted": "auth.client_token"}),
    post(C, {}, token="counted"),
    post(C, {"policies": ["own"]}, token="counted"),
]  # fmt: skip

FULL = {"policies": ["app"], "meta": {"a": "b"}, "display_name": "full", "ttl": "1h", "explicit_max_ttl": "2h"}
LOOKED_UP = [
    get("auth/token/lookup-self"),
    post("auth/token/lookup-self", {}),
    post("auth/token/lookup-self", {"token": "x"}),
    post(C, FULL, keep={"full": "auth.client_token", "full_accessor": "auth.accessor"}),
    *(get(path, token="full") for path in ("auth/token/lookup-self", "auth/token/lookup", "auth/token/lookup/")),
    post(C, {"policies": ["root"]}, keep={"rooted": "auth.client_token"}),
    post("auth/token/lookup", {"token": "{rooted}"}),
    get("auth/token/lookup-self", token="rooted"),
    *(post("auth/token/lookup", body) for body in (
        {"token": "{full}"}, {"token": "none"}, {"token": ""}, {}, None, {"token": 5}, {"token": ["{full}"]}, {"x": 1},
        {"token": "s.none"}, {"token": "hvs.none"}, {"token": "{full} "}, {"token": " {full}"},
    )),
    *(get(f"auth/token/lookup{rest}") for rest in ("?token={full}", "/{full}", "?token=none")),
    *(post("auth/token/lookup-accessor", body) for body in (
        {"accessor": "{full_accessor}"}, {"accessor": "none"}, {"accessor": ""}, {}, None, {"accessor": 5}, {"x": 1},
    )),
    post("auth/token/lookup", {"token": "{full}"}, token="own"),
    post("auth/token/lookup", {"token": "{full}"}, token="app"),
    post("auth/token/lookup-accessor", {"accessor": "{full_accessor}"}, token="app"),
    get("auth/token/lookup-self", token=""),
    get("auth/token/lookup-self", headers={"X-Vault-Token": "none"}),
    get("auth/token/lookup-self", headers={"X-Vault-Token": "", "Authorization": "Bearer {full}"}),
    get("auth/token/lookup-self", headers={"X-Vault-Token": "", "Authorization": "bearer {full}"}),
    get("auth/token/lookup-self", headers={"X-Vault-Token": "", "Authorization": "Basic {full}"}),
    get("auth/token/lookup-self", headers={"Authorization": "Bearer none"}),
    get("auth/token/lookup-self", headers={"X-Vault-Token": " {full} "}),
    get("auth/token/accessors", token="own"),
    listed("auth/token/accessors", token="own"),
    get("auth/token/accessors"),
]  # fmt: skip

RENEWED = [
    post(C, {"policies": ["app"], "ttl": "1h", "explicit_max_ttl": "3h"}, keep={"r": "auth.client_token", "ra": "auth.accessor"}),
    post(C, {"policies": ["app"], "period": "1h"}, keep={"p": "auth.client_token", "pa": "auth.accessor"}),
    post(C, {"policies": ["app"], "renewable": False}, keep={"n": "auth.client_token", "na": "auth.accessor"}),
    *(post("auth/token/renew-self", body, token=who) for who in ("r", "p", "n", "root") for body in (
        {}, None, {"increment": "2h"}, {"increment": 60}, {"increment": "9h"}, {"increment": "x"}, {"increment": -1},
        {"increment": 0}, {"unknown": 1},
    )),
    *(post("auth/token/renew", {"token": f"{{{who}}}", "increment": given})
      for who in ("r", "p", "n") for given in ("30m", "9h", 0)),
    *(post("auth/token/renew-accessor", {"accessor": f"{{{who}a}}", "increment": given})
      for who in ("r", "p", "n") for given in ("30m", "9h", 0)),
    *(post("auth/token/renew", body) for body in ({}, None, {"token": ""}, {"token": "none"}, {"token": 5})),
    *(post("auth/token/renew-accessor", body) for body in ({}, None, {"accessor": ""}, {"accessor": "none"})),
    post("auth/token/renew/{r}", {}),
    post("auth/token/renew", {"token": "{r}"}, token="app"),
    get("auth/token/renew-self", token="r"),
    get("auth/token/renew"),
    get("auth/token/lookup-self", token="r"),
    get("auth/token/lookup-self", token="p"),
]  # fmt: skip

TREE = [
    post(C, {"policies": ["own"]}, keep={"t1": "auth.client_token", "t1a": "auth.accessor"}),
    post(C, {"policies": ["own"]}, token="t1", keep={"t2": "auth.client_token", "t2a": "auth.accessor"}),
    post(C, {"policies": ["own"]}, token="t2", keep={"t3": "auth.client_token"}),
    post(C, {"policies": ["own"]}, token="t2", keep={"t4": "auth.client_token"}),
]
REVOKED = [
    *(post(f"auth/token/{verb}", body) for verb in ("revoke", "revoke-orphan") for body in (
        {}, None, {"token": ""}, {"token": "none"}, {"token": 5}, {"unknown": 1},
    )),
    *(post("auth/token/revoke-accessor", body) for body in ({}, None, {"accessor": ""}, {"accessor": "none"}, {"accessor": 5})),
    *(step for how in (
        post("auth/token/revoke", {"token": "{t2}"}),
        post("auth/token/revoke-orphan", {"token": "{t2}"}),
        post("auth/token/revoke-accessor", {"accessor": "{t2a}"}),
        post("auth/token/revoke-self", {}, token="t2"),
        post("auth/token/revoke", {"token": "{t1}"}),
        post("auth/token/revoke", {"token": "{t2}"}, token="t3"),
        post("auth/token/revoke-orphan", {"token": "{t2}"}, token="t1"),
        post("auth/token/revoke-self", None, token="t1"),
    ) for step in (
        *TREE, put("cubbyhole/x", {"a": "b"}, token="t2"), how, how,
        *(get("auth/token/lookup-self", token=who) for who in ("t1", "t2", "t3", "t4")),
        *(post("auth/token/lookup", {"token": f"{{{who}}}"}) for who in ("t1", "t2", "t3", "t4")),
        get("cubbyhole/x", token="t2"),
    )),
    post("auth/token/revoke/{t1}", {}),
    post("auth/token/revoke-self", {}, token=""),
    get("auth/token/revoke-self", token="own"),
    get("auth/token/revoke", token="own"),
    # uses
    post(C, {"policies": ["own"], "num_uses": 3}, keep={"u": "auth.client_token"}),
    get("auth/token/lookup-self", token="u"),
    get("kv/denied", token="u"),
    get("auth/token/lookup-self", token="u"),
    get("auth/token/lookup-self", token="u"),
    post("auth/token/lookup", {"token": "{u}"}),
    post(C, {"policies": ["own"], "num_uses": 2, "ttl": "1h"}, keep={"last": "auth.client_token", "last_a": "auth.accessor"}),
    post("auth/token/renew-self", {"increment": "30m"}, token="last"),
    post("auth/token/renew", {"token": "{last}"}),
    post("auth/token/renew-accessor", {"accessor": "{last_a}"}),
    post("auth/token/renew-self", {"increment": "30m"}, token="last"),
    post("auth/token/renew-self", {}, token="last"),
    post("auth/token/lookup", {"token": "{last}"}),
    post("auth/token/renew", {"token": "{last}"}),
    post("auth/token/renew-accessor", {"accessor": "{last_a}"}),
    post("auth/token/tidy", {}),
    post("auth/token/tidy", None),
    get("auth/token/tidy"),
    *(Ask(method, f"auth/token{path}") for path in ("", "/", "/none") for method in ("GET", "LIST", "POST", "DELETE")),
]  # fmt: skip

R = "auth/token/roles"
ROLES = [
    listed(R),
    get(f"{R}/none"),
    delete(f"{R}/none"),
    post(f"{C}/none", {}),
    *(step for n, body in enumerate((
        {}, None, {"allowed_policies": "app,own"}, {"allowed_policies": ["App"], "disallowed_policies": ["own"]},
        {"allowed_policies_glob": "a*", "disallowed_policies_glob": ["o*"]}, {"orphan": True}, {"orphan": "x"},
        {"renewable": False}, {"path_suffix": "ab"}, {"path_suffix": "a/../b"}, {"path_suffix": 5},
        {"period": "1h"}, {"token_period": "2h"}, {"token_period": "2h", "period": "1h"}, {"period": "x"},
        {"period": -1}, {"explicit_max_ttl": "1h"}, {"token_explicit_max_ttl": 60}, {"token_explicit_max_ttl": "x"},
        {"token_bound_cidrs": "127.0.0.0/8"}, {"bound_cidrs": ["127.0.0.1"]}, {"token_bound_cidrs": "x"},
        {"token_no_default_policy": True}, {"token_num_uses": 4}, {"token_num_uses": -1}, {"token_num_uses": "x"},
        {"token_type": "service"}, {"token_type": "default"}, {"token_type": "zz"}, {"token_type": "default-service"},
        {"unknown": 1}, {"allowed_policies": 5}, {"allowed_policies": {}},
        {"allowed_policies_glob": "a?p"}, {"allowed_policies_glob": "[a]*"}, {"allowed_policies_glob": "*p*p"},
        {"disallowed_policies_glob": "a?p"}, {"disallowed_policies_glob": "[a]*"},
    )) for step in (
        post(f"{R}/r{n}", body), get(f"{R}/r{n}"), post(f"{C}/r{n}", {}),
        post(f"{C}/r{n}", {"policies": ["app"], "ttl": "3h"}),
    )),
    *(post(f"{C}/r2", body) for body in (
        {"policies": ["own"]}, {"policies": ["sudo"]}, {"policies": ["app", "own"]}, {"policies": ["root"]},
        {"policies": ["app"], "no_parent": True}, {"policies": ["app"], "period": "1h"}, {"id": "by-role"},
        {"policies": ["app"], "explicit_max_ttl": "1h"}, {"policies": ["app"], "num_uses": 2},
        {"policies": ["app"], "renewable": False}, {"policies": ["app"], "display_name": "q"},
        {"policies": ["default"]}, {"policies": ["app"], "no_default_policy": True},
    )),
    *(post(f"{C}/r4", {"policies": [name]}) for name in ("app", "own", "abc", "default")),
    post(f"{R}/r2", {"renewable": False}),
    get(f"{R}/r2"),
    listed(R),
    get(f"{R}?list=true"),
    get(R),
    delete(f"{R}/r2"),
    get(f"{R}/r2"),
    post(f"{C}/r2", {}),
    *(get(f"{R}/{name}") for name in ("R0", "r0/", "a%20b")),
    post(f"{R}/a%20b", {}),
    post(f"{R}/UPPER", {}),
    get(f"{R}/upper"),
    post(f"{R}/bare", {"allowed_policies": "app,default"}),
    *(post(f"{C}/bare", {"no_default_policy": bare, **more}) for bare in (True, False) for more in (
        {}, {"policies": ["app"]}, {"policies": ["default"]}, {"policies": ["app", "default"]},
    )),
    post(R, {}),
]  # fmt: skip

REQUESTS = [*MADE, *LOOKED_UP, *RENEWED, *REVOKED, *ROLES]
