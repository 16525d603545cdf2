"""sys/locked-users, plugins/catalog, config: HTTP API; shapes and words held to OpenBao 2.7.2."""

import pytest
from tests import vaultstack
from tests.vaultstack import DENIED


@pytest.fixture
def vault():
    door = vaultstack.door()
    assert door.root("POST", "sys/auth/userpass", {"type": "userpass"}).status == 204
    door.root.data("POST", "auth/userpass/users/u", {"password": "pw"})
    return door


GOOD = "pw"
NO_PAGE = "headers of a user interface are not offered: there is none"


def login(vault, password: str = GOOD) -> int:
    return vault.nobody("POST", "auth/userpass/login/u", {"password": password}).status


def locked(counts: int, *mounts) -> dict:
    home = {"namespace_id": "root", "namespace_path": "", "counts": counts, "mount_accessors": list(mounts)}
    return {"by_namespace": [home], "total": counts}


def test_somebody_who_is_locked_out_is_let_in_again(vault) -> None:
    accessor = vault.root.data("GET", "sys/auth/userpass")["accessor"]
    assert vault.root.data("GET", "sys/locked-users") == locked(0)
    for _ in range(5):
        assert login(vault, "wrong") == 400
    assert login(vault) == 400
    mount = {"mount_accessor": accessor, "counts": 1, "alias_identifiers": ["u"]}
    assert vault.root.data("GET", "sys/locked-users") == locked(1, mount)
    assert vault.root.data("GET", f"sys/locked-users?mount_accessor={accessor}") == locked(1, mount)
    none = {"mount_accessor": "zz", "counts": 0, "alias_identifiers": None}
    assert vault.root.data("GET", "sys/locked-users?mount_accessor=zz") == locked(0, none)
    for path in ("zz/unlock/u", f"{accessor}/unlock/nobody"):
        assert vault.root("POST", f"sys/locked-users/{path}", {}).status == 204
    assert login(vault) == 400
    assert vault.root("POST", f"sys/locked-users/{accessor}/unlock/U", {}).status == 204
    assert login(vault) == 200 and vault.root.data("GET", "sys/locked-users") == locked(0)


def test_the_catalog_is_what_can_be_mounted(vault) -> None:
    found = vault.root.data("GET", "sys/plugins/catalog")
    assert {"approle", "userpass"} <= set(found["auth"]) and {"kv", "transit"} <= set(found["secret"])
    assert "kv-v2" not in found["secret"] and all(one["builtin"] for one in found["detailed"])
    assert vault.root.data("LIST", "sys/plugins/catalog/secret") == {"keys": found["secret"]}
    assert vault.root.data("GET", "sys/plugins/catalog/secret/kv")["name"] == "kv"
    assert vault.root.refused("GET", "sys/plugins/catalog/secret/zz") == (404, "")
    unsupported = (405, "1 error occurred:\n\t* unsupported operation\n\n")
    assert vault.root.refused("LIST", "sys/plugins/catalog/zz") == unsupported
    assert vault.root.refused("PUT", "sys/plugins/catalog/secret/x", {"command": "x"}) == unsupported


@pytest.mark.parametrize(
    ("method", "path", "body", "answer"),
    [
        ("GET", "cors", None, {"enabled": False}),
        ("PUT", "cors", {"allowed_origins": "*"}, (400, "CORS is not offered")),
        ("DELETE", "cors", None, None),
        ("LIST", "ui/headers", None, (404, "")),
        ("GET", "ui/headers/X-Foo", None, (404, "")),
        (
            "PUT",
            "ui/headers/X-Foo",
            {"values": ["a"]},
            (400, NO_PAGE),
        ),
        ("DELETE", "ui/headers/X-Foo", None, None),
        ("GET", "auditing/request-headers", None, {"headers": {}}),
        ("GET", "auditing/request-headers/X-Foo", None, (400, "Could not find header in config")),
        (
            "PUT",
            "auditing/request-headers/X-Foo",
            {"hmac": True},
            (400, "audited request headers are not offered: no header is on record"),
        ),
        ("DELETE", "auditing/request-headers/X-Foo", None, None),
    ],
)
def test_what_nothing_has_is_read_as_empty_and_not_taken(vault, method, path, body, answer) -> None:
    if isinstance(answer, tuple):
        assert vault.root.refused(method, f"sys/config/{path}", body) == answer
    else:
        assert vault.root.data(method, f"sys/config/{path}", body) == answer
    assert vault.root.token(policies=["default"]).refused(method, f"sys/config/{path}", body) == (403, DENIED)


def test_there_is_one_node_and_nobody_to_step_down_for(vault) -> None:
    told = vault.root("GET", "sys/ha-status").json
    assert told["nodes"] == told["data"]["nodes"]
    (node,) = told["nodes"]
    assert node["active_node"] is True and node["version"] == vault.root("GET", "sys/health").json["version"]
    assert vault.root("PUT", "sys/step-down").status == 204
    vault.root.policy("update", 'path "sys/*" { capabilities = ["update"] }')
    some = vault.root.token(policies=["update"], no_default_policy=True)
    assert some.refused("PUT", "sys/step-down") == some.refused("GET", "sys/ha-status") == (403, DENIED)
    assert vault.nobody("PUT", "sys/step-down").status == 403


NOT_OFFERED = (
    *(
        "host-info",
        "in-flight-req",
        "pprof",
        "monitor",
        "raw/x",
        "loggers",
        "version-history",
        "internal/counters/tokens",
    ),
    *("internal/inspect/request", "config/state/sanitized", "storage/raft/configuration"),
)


@pytest.mark.parametrize("path", NOT_OFFERED)
def test_what_is_not_offered(vault, path) -> None:
    assert vault.root.refused("GET", f"sys/{path}") == (404, "1 error occurred:\n\t* unsupported path\n\n")
