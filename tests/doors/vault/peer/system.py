# ruff: noqa: E501 - tables
"""sys: mounts, logins, policies, capabilities, wrapping, leases, tools."""

from __future__ import annotations

from tests.doors.vault.peer.ask import Ask, delete, get, listed, post, put, wrap

POLICY = 'path "kv/*" { capabilities = ["read", "list"] }'
PLUGIN_VERSIONS = ("", "x", "1.2", "v1.2.3-a+b", "v01.2.3", "1.2.3.4", 5, None, [])

MOUNTS = [
    *(get(f"sys/mounts{rest}") for rest in ("/none", "/none/tune", "/sys/tune", "/cubbyhole")),
    post("sys/mounts/m", {"type": "kv", "description": "first"}),
    post("sys/mounts/m", {"type": "kv"}),
    post("sys/mounts/m/below", {"type": "kv"}),
    post("sys/mounts/m2/deep/er", {"type": "kv", "options": {"version": "2"}}),
    post("sys/mounts/m2/deep", {"type": "kv"}),
    post("sys/mounts/m2", {"type": "kv"}),
    *(get(f"sys/mounts/{path}") for path in ("m", "m/", "m2/deep/er", "m2")),
    *(get(f"sys/mounts/{path}/tune") for path in ("m", "m2/deep/er")),
    *(post(f"sys/mounts/b{n}", body) for n, body in enumerate((
        {}, None, {"type": ""}, {"type": "nonesuch"}, {"type": 5}, {"type": ["kv"]}, {"type": None}, {"type": "KV"},
        {"type": "kv", "config": {"default_lease_ttl": "x"}}, {"type": "kv", "config": {"max_lease_ttl": "x"}},
        {"type": "kv", "config": {"default_lease_ttl": "2h", "max_lease_ttl": "1h"}},
        {"type": "kv", "config": "x"}, {"type": "kv", "config": []}, {"type": "kv", "options": "x"},
        {"type": "kv", "options": {"version": "3"}}, {"type": "kv", "options": {"version": "0"}},
        {"type": "kv", "options": {"version": 2}},
        {"type": "kv", "options": ["version=2"]}, {"type": "kv", "config": {"listing_visibility": "zz"}},
        {"type": "kv", "local": "maybe"}, {"type": "kv", "unknown": 1}, {"type": "kv-v2", "options": {"version": "1"}},
    ))),
    *(post(f"sys/mounts/{path}", {"type": "kv"}) for path in (
        "sys", "sys/x", "auth", "auth/x", "cubbyhole", "cubbyhole/x", "identity", "audit", "token",
        "a%20b", "a%2Fb", "%C3%A9",
    )),
    post("sys/mounts/c", {"type": "kv", "config": {"default_lease_ttl": "1h", "max_lease_ttl": 7200}}),
    get("sys/mounts/c"),
    get("sys/mounts/c/tune"),
    *(step for body in (
        {"default_lease_ttl": "30m"}, {"default_lease_ttl": "3h"}, {"max_lease_ttl": "10m"}, {"max_lease_ttl": "x"},
        {"default_lease_ttl": 60}, {"default_lease_ttl": "system"},
        {"max_lease_ttl": "4h"}, {"max_lease_ttl": "system"}, {"description": "other"}, {"description": ""},
        {"description": 5}, {"listing_visibility": "unauth"}, {"listing_visibility": "hidden"},
        {"listing_visibility": ""}, {"listing_visibility": "zz"}, {"options": {"version": "2"}}, {}, None,
        {"unknown": 1},
    ) for step in (post("sys/mounts/c/tune", body), get("sys/mounts/c/tune"))),
    get("sys/mounts/c"),
    post("sys/mounts/c/tune", {"default_lease_ttl": "-1"}),
    post("sys/mounts/none/tune", {"description": "x"}),
    post("sys/mounts/none/tune", {}),
    listed("sys/mounts"),
    listed("sys/mounts/c"),
    put("sys/mounts", {"type": "kv"}),
    delete("sys/mounts"),
    Ask("PATCH", "sys/mounts/c", {}),
    *(delete(f"sys/mounts/{path}") for path in ("none", "none", "sys", "cubbyhole", "m/", "m2/deep", "m2/deep/er")),
    get("m/x"),
    get("sys/mounts/m"),
    *(step for marks in ({"local": True}, {"seal_wrap": True, "external_entropy_access": "true"}) for step in (
        post("sys/mounts/marked", {"type": "kv", **marks}), get("sys/mounts/marked"), get("sys/mounts/marked/tune"),
        delete("sys/mounts/marked"),
    )),
    *(post("sys/mounts/c/tune", {"token_type": kind}) for kind in ("service", "", "zz", None)),
    post("sys/mounts/auth/userpass/tune", {"token_type": "service"}),
    get("sys/auth/userpass/tune"),
    post("sys/mounts/auth/userpass/tune", {"token_type": "default-service"}),
    *(step for name in ("passthrough_request_headers", "audit_non_hmac_request_keys") for given in (
        "a", "a, b", ["a", "b"], ["a,b"], "", [], None, [5], {"a": 1}, "a,,b",
    ) for step in (
        post("sys/mounts/lists", {"type": "kv", "config": {name: given, "force_no_cache": True}}), get("sys/mounts/lists"),
        get("sys/mounts/lists/tune"), post("sys/mounts/lists/tune", {name: ["q"], "description": "x"}),
        post("sys/mounts/lists/tune", {name: given}), get("sys/mounts/lists/tune"), delete("sys/mounts/lists"),
    )),
    put("cubbyhole/slash", {"a": "b"}),
    get("cubbyhole/slash/"),
    # versions, and plugins
    *(step for n, body in enumerate((
        {"type": "plugin"}, {"type": "plugin", "plugin_name": "kv"}, {"type": "plugin", "plugin_name": "nonesuch"},
        {"type": "plugin", "plugin_name": "nonesuch", "config": {"plugin_name": "kv"}}, {"type": "kv", "plugin_name": "nonesuch"},
        *({"type": "kv", "config": {"plugin_version": given}} for given in PLUGIN_VERSIONS),
        {"type": "transit", "options": {"version": "2"}}, {"type": "transit", "options": {"version": ""}},
    )) for step in (post(f"sys/mounts/p{n}", body), get(f"sys/mounts/p{n}"))),
    post("sys/mounts/v", {"type": "kv-v2"}),
    *(post("sys/mounts/v/tune", {"plugin_version": given}) for given in PLUGIN_VERSIONS),
    *(step for given in ({"version": "1"}, {"version": "3"}, {"version": "x"}, {"version": ""}, {"a": "b"}, {"a": ""}, {}) for step in (
        post("sys/mounts/v/tune", {"options": given}), get("sys/mounts/v/tune"),
    )),
    # moved
    post("sys/mounts/from", {"type": "kv"}),
    put("from/a", {"x": "1"}),
    *(post("sys/remount", body) for body in (
        {}, None, {"from": "from"}, {"to": "to"}, {"from": "none", "to": "to"}, {"from": "from", "to": "c"},
        {"from": "sys", "to": "to"}, {"from": "from", "to": "sys"}, {"from": "from", "to": "auth/x"},
        {"from": "from", "to": "cubbyhole"}, {"from": 5, "to": "to"}, {"from": "from", "to": "from"},
        {"from": "cubbyhole", "to": "to"},
    )),
    post("sys/remount", {"from": "from/", "to": "/to"}, keep={"move": "data.migration_id"}),
    get("sys/remount/status/none"),
    get("sys/remount"),
    listed("sys/remount"),
    get("sys/remount/status/"),
    get("sys/remount/status"),
]  # fmt: skip

LOGINS = [
    *(get(f"sys/auth{rest}") for rest in ("/none", "/none/tune", "/token", "/token/tune")),
    *(post(f"sys/auth/l{n}", body) for n, body in enumerate((
        {}, None, {"type": ""}, {"type": "nonesuch"}, {"type": "kv"}, {"type": 5},
        {"type": "userpass", "config": {"default_lease_ttl": "2h", "max_lease_ttl": "1h"}},
        {"type": "userpass", "config": {"default_lease_ttl": "x"}},
        {"type": "userpass", "config": {"listing_visibility": "zz"}},
        {"type": "userpass", "config": {"token_type": "zz"}},
        {"type": "userpass", "unknown": True},
        {"type": "plugin"}, {"type": "plugin", "plugin_name": "nonesuch"}, {"type": "plugin", "plugin_name": "kv"},
        *({"type": "userpass", "config": {"plugin_version": given}} for given in ("x", "1.2", 5)),
        {"type": "userpass", "options": {"version": "1"}},
    ))),
    post("sys/auth/login", {"type": "approle", "description": "d", "config": {"max_lease_ttl": "2h"}}),
    post("sys/auth/login", {"type": "approle"}),
    post("sys/auth/login/below", {"type": "approle"}),
    post("sys/auth/token", {"type": "userpass"}),
    post("sys/auth/sys", {"type": "userpass"}),
    get("sys/auth/login"),
    get("sys/auth/login/tune"),
    get("sys/mounts/auth/login/tune"),
    *(step for body in (
        {"default_lease_ttl": "30m"}, {"default_lease_ttl": "3h"}, {"max_lease_ttl": "10m"}, {"max_lease_ttl": "3h"},
        {"description": "more"}, {"listing_visibility": "unauth"}, {"listing_visibility": "x"},
        {"token_type": "service"}, {"token_type": "zz"}, {"options": {"a": "b"}}, {}, {"unknown": "x"},
        {"plugin_version": "x"}, {"plugin_version": "1.2"}, {"plugin_version": ""}, {"options": {"a": ""}},
    ) for step in (post("sys/auth/login/tune", body), get("sys/auth/login/tune"))),
    post("sys/mounts/auth/login/tune", {"description": "by the other path"}),
    get("sys/auth/login"),
    post("sys/auth/none/tune", {}),
    post("sys/auth/none/tune", {"description": "x"}),
    listed("sys/auth"),
    put("sys/auth", {}),
    delete("sys/auth"),
    delete("sys/auth/token"),
    delete("sys/auth/none"),
    delete("sys/auth/login"),
    get("sys/auth/login"),
    post("auth/login/login", {"role_id": "x"}, token=""),
]  # fmt: skip

POLICIES = [
    *(Ask(method, path) for path in ("sys/policies/acl", "sys/policy") for method in ("LIST", "GET", "DELETE")),
    put("sys/policies/acl", {"policy": POLICY}),
    listed("sys/policies/acl/"),
    get("sys/policies/acl?list=true"),
    get("sys/policies/acl/?list=1"),
    get("sys/policies/acl/?list=no"),
    *(get(f"sys/policies/acl/{name}") for name in ("none", "root", "response-wrapping")),
    *(get(f"sys/policy/{name}") for name in ("none", "root", "response-wrapping")),
    *(step for n, body in enumerate((
        {"policy": POLICY}, {"policy": ""}, {"policy": None}, {}, None, {"policy": 5}, {"policy": [POLICY]},
        {"policy": {"path": {}}}, {"policy": "cGF0aCAia3YvKiIgeyBjYXBhYmlsaXRpZXMgPSBbInJlYWQiXSB9"},
        {"policy": "not a policy {"}, {"policy": "bogus = 1"}, {"policy": '{"path":{"a":{"capabilities":["read"]}}}'},
        {"policy": POLICY, "unknown": 1}, {"rules": POLICY}, {"policy": POLICY, "rules": "x"},
        {"policy": "# nothing\n"}, {"policy": 'path "a" { capabilities = ["fly"] }'},
        {"policy": 'path "a" { capabilities = ["read"] min_wrapping_ttl = "x" }'},
    )) for step in (
        put(f"sys/policies/acl/n{n}", body), get(f"sys/policies/acl/n{n}"),
        put(f"sys/policy/o{n}", body), get(f"sys/policy/o{n}"),
    )),
    put("sys/policies/acl/MiXed", {"policy": POLICY}),
    get("sys/policies/acl/mixed"),
    get("sys/policies/acl/MIXED"),
    *(put(f"sys/policies/acl/{name}", {"policy": POLICY}) for name in (
        "root", "ROOT", "default", "response-wrapping", "a/b", "a%20b", "%C3%A9", "x" * 300, "-", ".x",
    )),
    *(get(f"sys/policies/acl/{name}") for name in ("a/b", "a%20b", "%C3%A9", "-")),
    *(delete(f"sys/policies/acl/{name}") for name in ("none", "mixed", "root", "default", "response-wrapping", "a/b")),
    *(delete(f"sys/policy/{name}") for name in ("none", "o0", "root", "default")),
    get("sys/policies/acl/mixed"),
    Ask("PATCH", "sys/policies/acl/n0", {"policy": POLICY}),
    put("sys/policies/acl/n0/", {"policy": POLICY}),
    listed("sys/policies/acl/n0"),
    listed("sys/policies"),
    get("sys/policies"),
    get("sys/policies/"),
    get("sys/policies/nonesuch"),
]  # fmt: skip

SOME = """
path "kv/a" { capabilities = ["read", "update"] }
path "kv/b/*" { capabilities = ["list"] }
path "kv/b/c" { capabilities = ["deny"] }
path "kv/+/x" { capabilities = ["create", "sudo"] }
path "sys/policies/acl/*" { capabilities = ["read", "list"] }
path "sys/capabilities*" { capabilities = ["update"] }
"""
PATHS = [
    "kv/a",
    "kv/a/",
    "kv/b/",
    "kv/b",
    "kv/b/c",
    "kv/q/x",
    "/kv/a",
    "none",
    "",
    "sys/policies/acl/x",
    "kv/b/c/",
    "+",
]
CAPABILITIES = [
    put("sys/policies/acl/some", {"policy": SOME}),
    post("auth/token/create", {"policies": ["some"], "no_default_policy": True},
         keep={"some": "auth.client_token", "some_accessor": "auth.accessor"}),
    post("auth/token/create", {"policies": ["default"]}, keep={"plain": "auth.client_token"}),
    *(post("sys/capabilities", {"token": "{some}", "paths": [path]}) for path in PATHS),
    *(post("sys/capabilities-self", {"path": path}, token="some") for path in PATHS),
    *(post("sys/capabilities-self", {"paths": [path]}) for path in PATHS),
    *(post("sys/capabilities-accessor", {"accessor": "{some_accessor}", "path": path}) for path in PATHS[:4]),
    post("sys/capabilities", {"token": "{some}", "paths": PATHS}),
    *(post(f"sys/capabilities{kind}", body) for kind in ("", "-self", "-accessor") for body in (
        {}, None, {"paths": []}, {"path": ""}, {"paths": "kv/a,kv/b/"}, {"path": ["kv/a"]}, {"paths": 5},
        {"paths": [1]}, {"paths": {"a": 1}}, {"paths": None, "path": "kv/a"}, {"paths": ["kv/a"], "path": "kv/b/"},
        {"path": "kv/a", "token": "nonesuch", "accessor": "nonesuch"}, {"path": "kv/a", "token": "", "accessor": ""},
        {"path": "kv/a", "token": 5, "accessor": 5}, {"path": "kv/a", "unknown": 1},
    )),
    post("sys/capabilities", {"token": "{some}", "path": "kv/a"}, token="plain"),
    post("sys/capabilities-accessor", {"accessor": "{some_accessor}", "path": "kv/a"}, token="plain"),
    post("sys/capabilities-self", {"path": "kv/a"}, token="plain"),
    post("sys/capabilities-self", {"path": "kv/a"}, token=""),
    post("sys/capabilities-self", {"path": "kv/a"}, headers={"X-Vault-Token": "nonesuch"}),
    *(get(f"sys/capabilities{kind}") for kind in ("", "-self", "-accessor")),
    get("sys/policies/acl/some", token="some"),
    get("sys/policies/acl/n0", token="plain"),
    listed("sys/policies/acl", token="plain"),
    get("sys/mounts", token="plain"),
    get("sys/internal/ui/mounts/kv/a", token="plain"),
    get("sys/internal/ui/mounts/none/a"),
    get("sys/internal/ui/mounts/none/a", token="plain"),
    get("sys/internal/ui/mounts/kv", token="some"),
    get("sys/internal/ui/mounts/kv/", token="some"),
]  # fmt: skip

TOOLS = [
    *(post(f"sys/tools/random{rest}", body) for rest, body in (
        ("", {}), ("", None), ("/8", {}), ("/8", {"format": "hex"}), ("/8", {"format": "foo"}), ("/8", {"format": 5}),
        ("/foo", {}), ("/0", {}), ("/-1", {}), ("/131072", {}), ("/131073", {}), ("", {"bytes": 0}), ("", {"bytes": -1}),
        ("", {"bytes": "16"}), ("", {"bytes": "x"}), ("", {"bytes": 1.5}), ("", {"bytes": None}), ("", {"bytes": True}),
        ("", {"bytes": []}), ("", {"bytes": 131073}), ("/99999999999999999999", {}), ("/platform", {}),
        ("/platform/8", {}), ("/seal/8", {}), ("/foo/8", {}), ("/8", {"bytes": 16}), ("/+8", {}), ("/8", {"x": 1}),
    )),
    *(post(f"sys/tools/hash{rest}", body) for rest in ("", "/sha2-512", "/foo", "/none", "/sha3-224") for body in (
        {"input": "aGVsbG8="}, {}, None, {"input": ""}, {"input": "!!"}, {"input": "aGVsbG8"}, {"input": 5},
        {"input": "aGVsbG8=", "format": "base64"}, {"input": "aGVsbG8=", "format": "foo"},
        {"input": "aGVsbG8=", "algorithm": "sha2-384"}, {"input": "aGVsbG8=", "algorithm": "md5"},
        {"input": "aGVsbG8=", "algorithm": ""},
    )),
    *(get(f"sys/tools/{rest}") for rest in ("random", "random/8", "hash", "hash/sha2-256", "", "none")),
    *(delete(f"sys/tools/{rest}") for rest in ("random", "hash")),
]  # fmt: skip

LEASES = [
    *(put(f"sys/leases/{verb}", body) for verb in ("lookup", "renew", "revoke") for body in (
        {}, None, {"lease_id": ""}, {"lease_id": "none"}, {"lease_id": "kv/a/b"}, {"lease_id": 5}, {"lease_id": ["x"]},
        {"lease_id": "none", "increment": "x"}, {"lease_id": "none", "sync": "x"}, {"lease_id": "none", "unknown": 1},
    )),
    *(put(f"sys/leases/{verb}/none", {}) for verb in ("renew", "revoke", "revoke-prefix", "revoke-force", "lookup")),
    *(put(f"sys/leases/{verb}", {}) for verb in ("revoke-prefix", "revoke-force", "tidy", "none")),
    *(listed(f"sys/leases/lookup{path}") for path in ("/none", "/none/", "/kv/a")),
    get("sys/leases/lookup/none"),
    get("sys/leases/lookup"),
    put("sys/leases/revoke-prefix/none", {}, token="plain"),
    *(put(path, {**body, "sync": sync}) for sync in (False, True, "x") for path, body in (
        ("sys/leases/revoke", {"lease_id": "auth/token/create/x"}), ("sys/leases/revoke", {}),
        ("sys/leases/revoke/none/x", {}), ("sys/leases/revoke-prefix/none", {}), ("sys/leases/revoke-force/none", {}),
    )),
    put("sys/leases/lookup", {"lease_id": "none"}, token="plain"),
    put("sys/renew/none", {}),
    put("sys/revoke/none", {}),
]  # fmt: skip

WRAPPING = [
    *(post("sys/wrapping/wrap", body) for body in ({}, None, {"a": 1})),
    *(wrap(ttl, post("sys/wrapping/wrap", {"a": "b"})) for ttl in ("x", "-1", "-1s", "1.5", "", "5y")),
    *(wrap(ttl, post("sys/wrapping/wrap", {"a": "b"})) for ttl in ("60", "60s", "1m", "1h", "1d")),
    wrap("60s", post("sys/wrapping/wrap", {"a": {"b": [1, None, "x"]}},
                     keep={"w": "wrap_info.token", "wa": "wrap_info.accessor"})),
    post("sys/wrapping/lookup", {"token": "{w}"}),
    post("sys/wrapping/lookup", {"token": "{w}"}, token=""),
    post("sys/wrapping/lookup", {}, token="w"),
    get("sys/wrapping/lookup", token="w"),
    post("sys/wrapping/rewrap", {"token": "{w}"}, keep={"w2": "wrap_info.token"}),
    post("sys/wrapping/rewrap", {"token": "{w}"}),
    post("sys/wrapping/lookup", {"token": "{w}"}),
    post("sys/wrapping/unwrap", {"token": "{w}"}),
    post("sys/wrapping/unwrap", {"token": "{w2}"}),
    post("sys/wrapping/unwrap", {"token": "{w2}"}),
    post("sys/wrapping/unwrap", {}, token="w2"),
    *(post(f"sys/wrapping/{verb}", body) for verb in ("lookup", "unwrap", "rewrap") for body in (
        {"token": "none"}, {"token": 5}, {"token": ["x"]}, {"unknown": 1},
    )),
    *(post(f"sys/wrapping/{verb}", {"token": "none"}, token="") for verb in ("lookup", "unwrap", "rewrap")),
    *(post(f"sys/wrapping/{verb}", {}, token="") for verb in ("unwrap", "rewrap")),
    wrap("60s", get("kv/none")),
    wrap("60s", put("kv/w", {"a": "b"})),
    wrap("60s", get("kv/w", keep={"w3": "wrap_info.token"})),
    get("kv/w", token="w3"),
    post("sys/wrapping/unwrap", {}, token="w3"),
    wrap("60s", get("kv/w", keep={"w4": "wrap_info.token"})),
    post("sys/wrapping/unwrap", None, token="w4"),
    wrap("60s", listed("kv")),
    wrap("60s", post("auth/token/create", {"policies": ["default"]}, keep={"w5": "wrap_info.token"})),
    post("sys/wrapping/unwrap", {"token": "{w5}"}),
    wrap("60s", get("sys/mounts/none")),
    wrap("60s", get("none/x")),
    wrap("60s", get("sys/seal-status")),
    wrap("1m", post("auth/token/create", {}, token="plain")),
    get("sys/wrapping/wrap"),
    get("sys/wrapping/unwrap"),
    get("cubbyhole/response"),
]  # fmt: skip

REQUESTS = [*MOUNTS, *LOGINS, *POLICIES, *CAPABILITIES, *TOOLS, *LEASES, *WRAPPING]
