"""How long tokens last, and what is kept: by roles, by mounts, and by mounts that are tuned meanwhile."""

from __future__ import annotations

from typing import Any

from tests.doors.vault.peer.ask import Ask, delete, get, post, put

U, A, T, C = "auth/userpass", "auth/approle", "sys/auth/token/tune", "auth/token/create"
X = {"policies": ["default"]}


def tuned(**fields: Any) -> Ask:
    return post("sys/auth/userpass/tune", fields)


def user(name: str, **fields: Any) -> tuple[Ask, Ask]:
    """Written, and logged in."""
    return (
        post(f"{U}/users/{name}", {"password": "pw", **fields}),
        post(f"{U}/login/{name}", {"password": "pw"}, token="", keep={name: "auth.client_token"}),
    )


def renewed(name: str, **fields: Any) -> Ask:
    return post("auth/token/renew-self", fields, token=name)


REQUESTS = [
    # a mount that lets tokens last longer than the installation
    tuned(max_lease_ttl="8760h"),
    *user("a", token_ttl="2000h"), get("auth/token/lookup-self", token="a"),
    renewed("a", increment="4000h"), renewed("a", increment="9999h"),
    *user("b", token_period="2000h"), renewed("b"), *user("c", token_period="9000h"), renewed("c"),
    tuned(default_lease_ttl="1000h"),
    *user("d"), *user("e", token_ttl="9000h"), *user("e1", token_ttl="9000h", token_max_ttl="9500h"),
    *user("e2", token_max_ttl="10h"), *user("e3", token_explicit_max_ttl="2000h", token_ttl="1500h"),
    *user("e4", token_type="batch", token_ttl="3000h"),
    # and shorter
    tuned(default_lease_ttl="1h", max_lease_ttl="2h"),
    *user("f", token_period="3h"), *user("g", token_period="3h", token_max_ttl="1h"), renewed("g"),
    *user("h", token_ttl="3h"), *user("h1", token_max_ttl="5h", token_ttl="4h"),
    *user("h2", token_period="3h", token_explicit_max_ttl="90m"), renewed("b"),
    # renewed by what lets in as it is now
    *user("u", token_policies="p1", token_ttl="1h", token_max_ttl="90m"), renewed("u"),
    post(f"{U}/users/u", {"token_ttl": "30m"}), renewed("u"), post(f"{U}/users/u", {"token_max_ttl": "40m"}),
    renewed("u", increment="2h"), post(f"{U}/users/u", {"token_policies": "p2"}), renewed("u"),
    post(f"{U}/users/u/policies", {"token_policies": ["default", "p1"]}), renewed("u"), delete(f"{U}/users/u"),
    renewed("u"), get("auth/token/lookup-self", token="u"),
    *user("v", token_period="1h"), post(f"{U}/users/v", {"token_period": "90m"}), renewed("v"),
    post(f"{U}/users/v", {"token_period": 0}), renewed("v"), renewed("v", increment="3h"),
    post(f"{A}/role/r", {"token_policies": "a", "token_ttl": "1h"}),
    get(f"{A}/role/r/role-id", keep={"rid": "data.role_id"}),
    post(f"{A}/role/r/secret-id", {}, keep={"sid": "data.secret_id"}),
    post(f"{A}/login", {"role_id": "{rid}", "secret_id": "{sid}"}, token="", keep={"at": "auth.client_token"}),
    post(f"{A}/role/r/secret-id/destroy", {"secret_id": "{sid}"}), renewed("at"),
    post(f"{A}/role/r", {"token_ttl": "2h", "token_max_ttl": "3h", "token_policies": "b"}), renewed("at"),
    renewed("at", increment="9h"), delete(f"{A}/role/r"), renewed("at"), get("auth/token/lookup-self", token="at"),
    post("auth/token/roles/r", {"token_period": "1h"}), post(f"{C}/r", X, keep={"rt": "auth.client_token"}),
    renewed("rt"), post("auth/token/roles/r", {"token_period": "2h"}), renewed("rt"),
    post("auth/token/roles/r", {"token_period": 0, "token_explicit_max_ttl": "3h"}), renewed("rt"),
    renewed("rt", increment="5h"), delete("auth/token/roles/r"), renewed("rt"),
    # auth/token
    post(T, {"default_lease_ttl": "2h", "max_lease_ttl": "4h", "description": "ours", "listing_visibility": "hidden"}),
    get(T), get("sys/auth/token"), get("sys/mounts/auth/token/tune"),
    post(C, X, keep={"t": "auth.client_token"}), post(C, {**X, "ttl": "5h"}), post(C, {**X, "ttl": "3h"}),
    renewed("t", increment="9h"), post(C, {**X, "period": "9h"}, keep={"p": "auth.client_token"}), renewed("p"),
    post(C, {**X, "explicit_max_ttl": "9h"}), post(C, {}), post(C, {"ttl": "9h"}), post("auth/token/create-orphan", X),
    post(C, {**X, "type": "batch"}), post("auth/token/roles/long", {"token_period": "9h"}), post(f"{C}/long", X),
    post(T, {"max_lease_ttl": "8760h", "default_lease_ttl": "1000h"}),
    post(C, X, keep={"t2": "auth.client_token"}), post(C, {**X, "ttl": "5000h"}), post(C, {**X, "ttl": "9999h"}),
    post(C, {**X, "period": "5000h"}), renewed("t", increment="2000h"), renewed("t2", increment="2000h"),
    post(C, {**X, "explicit_max_ttl": "9h"}),
    post(T, {"default_lease_ttl": "9999h"}), post(T, {"max_lease_ttl": "1h"}),
    post(T, {"token_type": "batch"}), post(T, {"token_type": "default-service"}),
    post(T, {"default_lease_ttl": "system", "max_lease_ttl": "system"}), get(T), post(C, X),
    # of root
    post(C, {"policies": ["root"], "ttl": "1h"}, keep={"ends": "auth.client_token"}), post(C, {}, token="ends"),
    post(C, {"ttl": "30m"}, token="ends"), post(C, X, token="ends"), post("auth/token/create-orphan", {}, token="ends"),
    # what is kept at a mount
    put("kv/x", {"a": 1}), get("kv/x"), post("sys/mounts/kv/tune", {"default_lease_ttl": "9000h"}), get("kv/x"),
    post("sys/mounts/kv/tune", {"max_lease_ttl": "10h", "default_lease_ttl": "5h"}), get("kv/x"),
    put("kv/x", {"ttl": "20h"}), get("kv/x"),
    # secret ids
    post("sys/auth/approle/tune", {"max_lease_ttl": "8760h"}),
    post(f"{A}/role/r", {"secret_id_ttl": "2000h"}), post(f"{A}/role/r/secret-id", {}),
    post(f"{A}/role/r", {"secret_id_ttl": "1h", "secret_id_num_uses": 5}),
    *(post(f"{A}/role/r/secret-id", one) for one in (
        {"num_uses": 6}, {"num_uses": 0}, {"num_uses": 5}, {"ttl": "2h"}, {"ttl": 0}, {"num_uses": 2, "ttl": "5m"},
    )),
]  # fmt: skip
