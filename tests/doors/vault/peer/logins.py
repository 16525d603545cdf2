# ruff: noqa: E501 - tables
"""auth/approle and auth/userpass."""

from __future__ import annotations

from tests.doors.vault.peer.ask import Ask, delete, get, listed, post, put

U, A = "auth/userpass", "auth/approle"

USERS = [
    listed(f"{U}/users"),
    get(f"{U}/users/none"),
    delete(f"{U}/users/none"),
    *(step for n, body in enumerate((
        {"password": "pw"}, {}, None, {"password": ""}, {"password": 5}, {"password": ["x"]}, {"password": "x" * 73},
        {"password": "pw", "policies": "app,own"}, {"password": "pw", "token_policies": ["App"], "policies": "other"},
        {"password": "pw", "ttl": "1h", "max_ttl": "2h"}, {"password": "pw", "token_ttl": 60, "token_max_ttl": 30},
        {"password": "pw", "token_ttl": "x"}, {"password": "pw", "token_max_ttl": "9999h"},
        {"password": "pw", "token_period": "1h"}, {"password": "pw", "token_num_uses": 3},
        {"password": "pw", "token_num_uses": -1}, {"password": "pw", "token_explicit_max_ttl": "1h"},
        {"password": "pw", "token_no_default_policy": True, "token_policies": "app"},
        {"password": "pw", "token_bound_cidrs": "127.0.0.0/8"}, {"password": "pw", "token_bound_cidrs": "x"},
        {"password": "pw", "bound_cidrs": ["127.0.0.1"]}, {"password": "pw", "token_type": "service"},
        {"password": "pw", "token_type": "zz"}, {"password": "pw", "token_ttl": -5}, {"password": "pw", "unknown": 1},
        {"password": "pw", "token_policies": 5}, {"password": "pw", "token_policies": ["root"]},
        {"password": "pw", "token_ttl": "2h", "token_max_ttl": "1h"}, {"password": "pw", "token_policies": "ROOT,app"},
    )) for step in (
        post(f"{U}/users/u{n}", body), get(f"{U}/users/u{n}"), post(f"{U}/login/u{n}", {"password": "pw"}, token=""),
    )),
    *(post(f"{U}/login/u0", body, token="") for body in (
        {}, None, {"password": ""}, {"password": "wrong"}, {"password": 5}, {"password": None}, {"password": ["pw"]},
        {"password": "pw", "unknown": 1},
    )),
    post(f"{U}/login/none", {"password": "pw"}, token=""),
    post(f"{U}/login/U0", {"password": "pw"}, token="", keep={"u0": "auth.client_token"}),
    post(f"{U}/login/u0", {"password": "pw"}),
    get("auth/token/lookup-self", token="u0"),
    post("auth/token/renew-self", {}, token="u0"),
    post("auth/token/revoke-self", {}, token="u0"),
    get("auth/token/lookup-self", token="u0"),
    *(Ask(method, f"{U}/login{path}", token="") for path in ("", "/u0", "/") for method in ("GET", "LIST", "DELETE")),
    *(post(f"{U}/users/{name}/password", body) for name in ("u0", "none")
      for body in ({"password": "new"}, {}, None, {"password": ""}, {"password": 5})),
    *(post(path, {**body, "password_hash": given})
      for path in (f"{U}/users/h0", f"{U}/users/u0", f"{U}/users/u0/password", f"{U}/users/none/password")
      for given in ("", "x", 5, ["x"], None) for body in ({}, {"password": "new"})),
    post(f"{U}/login/u0", {"password": "pw"}, token=""),
    post(f"{U}/login/u0", {"password": "new"}, token=""),
    *(post(f"{U}/users/{name}/policies", body) for name in ("u0", "none")
      for body in ({"token_policies": "x,y"}, {"policies": ["z"]}, {}, {"token_policies": 5})),
    get(f"{U}/users/u0"),
    post(f"{U}/users/u0", {"token_ttl": "1m"}),
    get(f"{U}/users/u0"),
    post(f"{U}/login/u0", {"password": "new"}, token=""),
    *(step for body in ({"token_policies": "root"}, {"password": "new", "token_policies": ["root"]}) for step in (
        post(f"{U}/users/u0", body), post(f"{U}/users/u0/policies", body), post(f"{U}/login/u0", {"password": "new"}, token=""),
    )),
    post(f"{U}/users/u0", {"token_policies": "x"}),
    post(f"{U}/users/MiXed", {"password": "pw"}),
    get(f"{U}/users/mixed"),
    *(post(f"{U}/users/{name}", {"password": "pw"}) for name in ("a%20b", "a.b", "a-b", "a@b", "%C3%A9", "a%2Fb", ".", "-")),
    *(get(f"{U}/users{query}") for query in ("?list=true", "", "/?list=1", "?list=zz")),
    listed(f"{U}/users/"),
    listed(f"{U}/users/u0"),
    delete(f"{U}/users/u0"),
    delete(f"{U}/users/u0"),
    post(f"{U}/login/u0", {"password": "new"}, token=""),
    *(Ask(method, f"{U}{path}") for path in ("", "/", "/none", "/users/u1/none") for method in ("GET", "POST", "DELETE")),
    get(f"{U}/users/u0", token=""),
]  # fmt: skip

OPTIONS = (
    "policies", "token-policies", "bind-secret-id", "secret-id-num-uses", "secret-id-ttl", "token-num-uses", "token-ttl",
    "token-max-ttl", "period", "secret-id-bound-cidrs", "bound-cidr-list", "token-bound-cidrs", "none",
)  # fmt: skip
VALUES = {
    "policies": ("app", ["a", "B"], 5), "bind-secret-id": (True, False, "x"), "secret-id-num-uses": (2, "3", "x"),
    "secret-id-ttl": ("1h", 60, "x"), "token-num-uses": (1, "2", "x"), "token-ttl": ("1m", 5, "x"),
    "token-max-ttl": ("1h", 9, "x"), "period": ("1h", 0, "x"), "secret-id-bound-cidrs": ("127.0.0.0/8", ["x"], 5),
    "bound-cidr-list": ("127.0.0.0/8", ["x"]), "token-bound-cidrs": ("127.0.0.0/8", ["x"]),
    "token-policies": ("app", ["q", "Z"]), "none": (1,),
}  # fmt: skip

ROLES = [
    listed(f"{A}/role"),
    get(f"{A}/role/none"),
    delete(f"{A}/role/none"),
    get(f"{A}/role/none/role-id"),
    post(f"{A}/role/none/secret-id", {}),
    listed(f"{A}/role/none/secret-id"),
    *(step for n, body in enumerate((
        {}, None, {"policies": "app"}, {"token_policies": ["App", "own"], "policies": "x"}, {"role_id": "chosen"},
        {"bind_secret_id": False}, {"bind_secret_id": False, "token_bound_cidrs": "127.0.0.1/32"},
        {"bind_secret_id": "x"}, {"secret_id_num_uses": 2, "secret_id_ttl": "1h"}, {"secret_id_num_uses": -1},
        {"secret_id_ttl": "x"}, {"secret_id_ttl": -1}, {"secret_id_bound_cidrs": "127.0.0.0/8"},
        {"secret_id_bound_cidrs": "x"}, {"token_ttl": "1h", "token_max_ttl": "30m"}, {"token_ttl": "x"},
        {"token_max_ttl": "9999h"}, {"token_period": "1h"}, {"period": "2h"}, {"token_num_uses": 3},
        {"token_num_uses": -3}, {"token_no_default_policy": True, "token_policies": "app"},
        {"token_explicit_max_ttl": "1h"}, {"token_type": "service"}, {"token_type": "zz"}, {"unknown": 1},
        {"token_policies": 5}, {"token_bound_cidrs": ["x"]}, {"role_id": ""}, {"role_id": None},
    )) for step in (
        post(f"{A}/role/r{n}", body), get(f"{A}/role/r{n}"),
        get(f"{A}/role/r{n}/role-id", keep={f"r{n}": "data.role_id"}),
        post(f"{A}/role/r{n}/secret-id", {}, keep={f"s{n}": "data.secret_id"}),
        post(f"{A}/login", {"role_id": f"{{r{n}}}", "secret_id": f"{{s{n}}}"}, token="", keep={f"t{n}": "auth.client_token"}),
    )),
    get("auth/token/lookup-self", token="t2"),
    get("auth/token/lookup-self", token="t14"),
    post("auth/token/renew-self", {}, token="t2"),
    *(post(f"{A}/login", body, token="") for body in (
        {}, None, {"role_id": ""}, {"role_id": "none"}, {"role_id": "none", "secret_id": "none"}, {"secret_id": "x"},
        {"role_id": "{r2}", "secret_id": "none"}, {"role_id": "{r2}", "secret_id": "{s3}"}, {"role_id": 5},
        {"role_id": "{r2}", "secret_id": 5}, {"role_id": "{r2}", "secret_id": "{s2}", "unknown": 1},
    )),
    post(f"{A}/login", {"role_id": "{r2}", "secret_id": "{s2}"}),
    *(Ask(method, f"{A}/login", token="") for method in ("GET", "LIST", "DELETE")),
    *(Ask(method, f"{A}/login") for method in ("GET", "LIST", "DELETE")),
    # one option at a time
    *(step for option in OPTIONS for step in (
        get(f"{A}/role/r2/{option}"),
        *(one for value in VALUES[option] for one in (
            post(f"{A}/role/r2/{option}", {option.replace("-", "_"): value}), get(f"{A}/role/r2/{option}"),
        )),
        post(f"{A}/role/r2/{option}", {}),
        delete(f"{A}/role/r2/{option}"),
        get(f"{A}/role/r2/{option}"),
        get(f"{A}/role/none/{option}"),
        post(f"{A}/role/none/{option}", {option.replace("-", "_"): VALUES[option][0]}),
        delete(f"{A}/role/none/{option}"),
    )),
    get(f"{A}/role/r2"),
    *(post(f"{A}/role/r2/role-id", body) for body in ({"role_id": "other"}, {}, {"role_id": ""}, {"role_id": 5}, {"role_id": "{r3}"})),
    get(f"{A}/role/r2/role-id"),
]  # fmt: skip

SECRETS = [
    post(f"{A}/role/s", {"policies": "app"}),
    get(f"{A}/role/s/role-id", keep={"rs": "data.role_id"}),
    *(post(f"{A}/role/s/secret-id", body) for body in (
        {}, None, {"metadata": '{"a":"b"}'}, {"metadata": "x"}, {"metadata": {"a": "b"}}, {"metadata": '{"a":1}'},
        {"num_uses": 2}, {"num_uses": -1}, {"num_uses": "x"}, {"ttl": "1h"}, {"ttl": "x"}, {"ttl": -1}, {"ttl": "9999h"},
        {"cidr_list": "127.0.0.0/8"}, {"cidr_list": "x"}, {"token_bound_cidrs": "127.0.0.0/8"},
        {"token_bound_cidrs": "x"}, {"unknown": 1},
    )),
    post(f"{A}/role/s/secret-id", {"metadata": '{"k":"v"}', "num_uses": 3, "ttl": "1h"},
         keep={"ss": "data.secret_id", "sa": "data.secret_id_accessor"}),
    *(post(f"{A}/role/s/custom-secret-id", body) for body in (
        {"secret_id": "my-own-secret"}, {"secret_id": "my-own-secret"}, {}, {"secret_id": ""}, {"secret_id": 5},
        {"secret_id": "another", "num_uses": 1, "ttl": "30m", "metadata": '{"a":"b"}'}, {"secret_id": "x", "ttl": "x"},
    )),
    post(f"{A}/login", {"role_id": "{rs}", "secret_id": "my-own-secret"}, token=""),
    post(f"{A}/login", {"role_id": "{rs}", "secret_id": "another"}, token=""),
    post(f"{A}/login", {"role_id": "{rs}", "secret_id": "another"}, token=""),
    post(f"{A}/login", {"role_id": "{rs}", "secret_id": "{ss}"}, token="", keep={"st": "auth.client_token"}),
    get("auth/token/lookup-self", token="st"),
    *(step for verb in ("lookup", "destroy") for step in (
        *(post(f"{A}/role/{role}/secret-id/{verb}", body) for role in ("s", "none") for body in (
            {}, None, {"secret_id": ""}, {"secret_id": "none"}, {"secret_id": 5},
        )),
        *(post(f"{A}/role/{role}/secret-id-accessor/{verb}", body) for role in ("s", "none") for body in (
            {}, None, {"secret_id_accessor": ""}, {"secret_id_accessor": "none"},
        )),
    )),
    post(f"{A}/role/s/secret-id/lookup", {"secret_id": "{ss}"}),
    post(f"{A}/role/s/secret-id-accessor/lookup", {"secret_id_accessor": "{sa}"}),
    post(f"{A}/role/r2/secret-id/lookup", {"secret_id": "{ss}"}),
    post(f"{A}/role/r2/secret-id-accessor/destroy", {"secret_id_accessor": "{sa}"}),
    post(f"{A}/role/s/secret-id/destroy", {"secret_id": "{ss}"}),
    post(f"{A}/role/s/secret-id/destroy", {"secret_id": "{ss}"}),
    post(f"{A}/role/s/secret-id/lookup", {"secret_id": "{ss}"}),
    post(f"{A}/login", {"role_id": "{rs}", "secret_id": "{ss}"}, token=""),
    post(f"{A}/role/s/secret-id", {}, keep={"ss": "data.secret_id", "sa": "data.secret_id_accessor"}),
    post(f"{A}/role/s/secret-id-accessor/destroy", {"secret_id_accessor": "{sa}"}),
    post(f"{A}/login", {"role_id": "{rs}", "secret_id": "{ss}"}, token=""),
    put(f"{A}/role/s/secret-id/destroy", {"secret_id": "none"}),
    delete(f"{A}/role/s/secret-id/destroy", {"secret_id": "none"}),
    post(f"{A}/role/bound", {"secret_id_num_uses": 3, "secret_id_ttl": "1h", "secret_id_bound_cidrs": "127.0.0.0/8", "token_bound_cidrs": "127.0.0.0/8"}),
    *(post(f"{A}/role/bound/{path}", {"secret_id": f"bound{n}", **body}) for path in ("secret-id", "custom-secret-id") for n, body in enumerate((
        {"num_uses": 3}, {"num_uses": 4}, {"num_uses": 0}, {"ttl": "1h"}, {"ttl": 3601}, {"ttl": 0}, {"num_uses": 4, "ttl": "9h"},
        {"cidr_list": "127.0.0.0/8"}, {"cidr_list": "127.1.0.0/16"}, {"cidr_list": "0.0.0.0/0"}, {"cidr_list": ["127.0.0.1/32", "10.0.0.0/8"]},
        {"cidr_list": "10.0.0.0/8", "num_uses": 4}, {"token_bound_cidrs": "127.0.0.1/32"}, {"token_bound_cidrs": "0.0.0.0/0"}))),
    *(post(path, {**first, **body}) for path, first in ((f"{A}/role/binds", {}), ("auth/userpass/users/binds", {"password": "pw"})) for body in (
        {"token_strictly_bind_ip": True, "token_bound_cidrs": "127.0.0.0/8"}, {"token_bound_cidrs": "127.0.0.0/8"}, {"token_strictly_bind_ip": True},
        {"token_strictly_bind_ip": True, "token_bound_cidrs": ""}, {"token_bound_cidrs": ["127.0.0.0/8"]}, {"token_strictly_bind_ip": False})),
    post(f"{A}/tidy/secret-id", {}),
    get(f"{A}/tidy/secret-id"),
    get(f"{A}/role/s/secret-id"),
    delete(f"{A}/role/s/secret-id"),
    post(f"{A}/role/MiXed", {}),
    get(f"{A}/role/mixed"),
    *(post(f"{A}/role/{name}", {}) for name in ("a%20b", "a.b", "%C3%A9", "-", "a%2Fb")),
    get(f"{A}/role?list=true"),
    get(f"{A}/role"),
    listed(f"{A}/role/"),
    delete(f"{A}/role/s"),
    get(f"{A}/role/s"),
    post(f"{A}/login", {"role_id": "{rs}", "secret_id": "my-own-secret"}, token=""),
    *(Ask(method, f"{A}{path}") for path in ("", "/", "/none", "/role/r2/none/x") for method in ("GET", "POST", "DELETE")),
]  # fmt: skip

REQUESTS = [*USERS, *ROLES, *SECRETS]
