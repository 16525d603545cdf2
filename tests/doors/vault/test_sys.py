"""sys/mounts, sys/auth, wrapping, tools, and what is told to anybody. Words held to OpenBao 2.7.2."""

from datetime import timedelta

import msgspec
import pytest
from tests import vaultstack
from tests.harness import TENANT
from tests.vaultstack import DENIED

from keystead.core import operations as ops
from keystead.core.algorithms import key_spec
from keystead.core.entities import KeyVersion, Name, Secret, SecretVersion
from keystead.core.states import KeyState

NOT_WRAPPING = "wrapping token is not valid or does not exist"


@pytest.fixture
def vault():
    return vaultstack.door()


# --- mounts


def test_a_mount_is_tuned_moved_and_taken_away(vault) -> None:
    times = {"default_lease_ttl": "1h", "max_lease_ttl": "2h"}
    assert vault.root("POST", "sys/mounts/a", {"type": "transit", "config": times}).status == 204
    assert vault.root.data("GET", "sys/mounts/a")["config"]["default_lease_ttl"] == 3600
    words = "backend max lease TTL of 7200 would be less than backend default lease TTL of 10800"
    assert vault.root.refused("POST", "sys/mounts/a/tune", {"default_lease_ttl": "3h"}) == (400, words)
    vault.root.data("POST", "sys/mounts/a/tune", {"description": "mine", "default_lease_ttl": "30m"})
    tuned = vault.root("GET", "sys/mounts/a/tune").json
    assert tuned["description"] == tuned["data"]["description"] == "mine" and tuned["default_lease_ttl"] == 1800
    moved = vault.root("POST", "sys/remount", {"from": "a", "to": "b/c"}).json
    status = vault.root.data("GET", f"sys/remount/status/{moved['migration_id']}")
    assert status["migration_info"]["status"] == "success"
    assert vault.root.refused("GET", "sys/mounts/a") == (400, "No secret engine mount at a/")
    assert vault.root("DELETE", "sys/mounts/b/c").status == 204
    assert vault.root("DELETE", "sys/mounts/b/c").status == 204
    assert vault.root.refused("GET", "sys/mounts/b/c")[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("GET", "mounts/nope/tune", None, 'cannot fetch sysview for path "nope/"'),
        ("POST", "mounts/nope/tune", {"description": "x"}, 'tune of path "nope/" failed: no mount entry found'),
        ("POST", "mounts/cubbyhole", {"type": "kv"}, 'cannot mount "cubbyhole/"'),
        ("POST", "mounts/sys/x", {"type": "kv"}, 'cannot mount "sys/x/"'),
        ("POST", "mounts/auth/x", {"type": "kv"}, 'cannot mount "auth/x/"'),  # that is sys/auth's, and needs sudo
        (
            "POST",
            "mounts/x",
            {"type": "kv", "config": {"default_lease_ttl": "2h", "max_lease_ttl": "1h"}},
            "given default lease TTL greater than given max lease TTL",
        ),
        ("POST", "mounts/x", {"type": "nonesuch"}, "plugin not found in the catalog: nonesuch"),
        ("POST", "mounts/x", {}, "backend type must be specified as a string"),
        ("POST", "mounts/x", {"type": "kv", "config": {"listing_visibility": "zz"}}, "invalid listing_visibility zz"),
        ("POST", "remount", {"from": "nope", "to": "x"}, 'no matching mount at "nope/"'),
        ("POST", "remount", {"from": "sys", "to": "x"}, 'cannot remount "sys/"'),
        ("DELETE", "mounts/sys", None, 'cannot unmount "sys/"'),
        ("GET", "auth/nope", None, "No auth engine at nope/"),
        ("POST", "auth/x", {"type": "nope"}, "plugin not found in the catalog: nope"),
        ("DELETE", "auth/token", None, "token credential backend cannot be disabled"),
        ("POST", "mounts/x", {"type": "plugin"}, "plugin_name must be provided for plugin backend"),
        (
            "POST",
            "mounts/x",
            {"type": "kv", "config": {"plugin_version": "v1.2"}},
            "cannot select non-builtin version of secrets plugin kv",
        ),
        (
            "POST",
            "auth/x",
            {"type": "userpass", "plugin_version": "1.2.3"},
            "plugin not found in the catalog: userpass, version=v1.2.3",
        ),
        (
            "POST",
            "mounts/x",
            {"type": "transit", "options": {"version": "2"}},
            'secrets engine "transit" does not allow setting a version',
        ),
        (
            "POST",
            "auth/x",
            {"type": "jwt", "options": {"version": "1"}},
            'auth method "jwt" does not allow setting a version',
        ),
    ],
)
def test_what_is_no_mount(vault, method, path, body, words) -> None:
    assert vault.root.refused(method, f"sys/{path}", body) == (400, words)


def test_kv_v2_is_kv_of_version_2(vault) -> None:
    vault.root.data("POST", "sys/mounts/s", {"type": "kv-v2"})
    found = vault.root.data("GET", "sys/mounts/s")
    assert (found["type"], found["options"]) == ("kv", {"version": "2"})


def test_the_logins_are_listed(vault) -> None:
    found = vault.root("GET", "sys/auth").json
    assert found["token/"]["type"] == "token" and found["data"]["token/"] == found["token/"]


@pytest.mark.parametrize("at", ["mounts", "auth"])
def test_what_is_only_said_of_a_mount_is_kept_and_told(vault, at) -> None:
    """Whoever keeps mounts by a program compares what it wrote with what it reads."""
    said = {
        "audit_non_hmac_request_keys": ["a", "b"],
        "audit_non_hmac_response_keys": ["c"],
        "passthrough_request_headers": ["X-A"],
        "allowed_response_headers": ["X-B"],
    }
    kind = {"mounts": "kv", "auth": "userpass"}[at]
    written = {**said, "audit_non_hmac_request_keys": "a, b", "force_no_cache": True}
    vault.root.data("POST", f"sys/{at}/m", {"type": kind, "config": written})
    told = {**said, "force_no_cache": True}
    assert told.items() <= vault.root.data("GET", f"sys/{at}/m")["config"].items()
    assert told.items() <= vault.root.data("GET", f"sys/{at}/m/tune").items()
    vault.root.data("POST", f"sys/{at}/m/tune", {"passthrough_request_headers": "X-C", "allowed_response_headers": []})
    found = vault.root.data("GET", f"sys/{at}/m/tune")
    assert (found["passthrough_request_headers"], found["audit_non_hmac_request_keys"]) == (["X-C"], ["a", "b"])
    assert "allowed_response_headers" not in found


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"force_no_cache": "x"}, "unable to convert given mount config information"),
        ({"passthrough_request_headers": 5}, "unable to convert given mount config information"),
        ({"passthrough_request_headers": [{}]}, "unable to convert given mount config information"),
        ({"allowed_response_headers": ["x"] * 65}, "a mount keeps 64 names in a list, and 4096 characters in all"),
        ({"allowed_response_headers": ["x" * 4097]}, "a mount keeps 64 names in a list, and 4096 characters in all"),
    ],
)
def test_what_is_not_kept_of_a_mount(vault, config, words) -> None:
    assert vault.root.refused("POST", "sys/mounts/m", {"type": "kv", "config": config}) == (400, words)


def test_how_users_are_locked_out_is_nothing_that_a_mount_says(vault) -> None:
    """It was taken, and went by nothing: a tune has no answer that could remark upon it."""
    wanted = {"user_lockout_config": {"lockout_threshold": "3"}}
    words = "user_lockout_config is not offered: five failures lock out for fifteen minutes, always"
    assert vault.root.refused("POST", "sys/auth/m", {"type": "userpass", "config": wanted}) == (400, words)
    vault.root.data("POST", "sys/auth/m", {"type": "userpass"})
    assert vault.root.refused("POST", "sys/auth/m/tune", {"max_lease_ttl": "1h", **wanted}) == (400, words)
    assert vault.root.data("GET", "sys/auth/m/tune")["max_lease_ttl"] == 768 * 3600


def test_a_mount_is_of_the_version_that_there_is(vault) -> None:
    (kv,) = [one for one in vault.root.data("GET", "sys/plugins/catalog")["detailed"] if one["name"] == "kv"]
    version = kv["version"]
    vault.root.data(
        "POST", "sys/mounts/m", {"type": "plugin", "plugin_name": "kv", "config": {"plugin_version": version}}
    )
    assert vault.root.data("GET", "sys/mounts/m")["type"] == "kv"
    vault.root.data("POST", "sys/mounts/m/tune", {"plugin_version": version, "description": "x"})
    words = "plugin not found in the catalog: kv, version=v1.2.0"
    assert vault.root.refused("POST", "sys/mounts/m/tune", {"plugin_version": "1.2", "description": "y"}) == (
        400,
        words,
    )
    assert vault.root.data("GET", "sys/mounts/m/tune")["description"] == "x"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"version": "1"}, "cannot downgrade mount from version 2"),
        ({"version": "3"}, "invalid version provided: 3"),
        ({"version": ""}, "invalid version provided: 0"),
        ({"version": "x"}, 'unable to parse options: strconv.ParseInt: parsing "x": invalid syntax'),
    ],
)
def test_versions_of_secrets_are_not_hidden_by_an_earlier_version_of_the_mount(vault, options, words) -> None:
    vault.root.data("POST", "sys/mounts/m", {"type": "kv-v2"})
    vault.root.data("POST", "m/data/a", {"data": {"v": 1}})
    assert vault.root.refused("POST", "sys/mounts/m/tune", {"options": options}) == (400, words)
    assert vault.root.data("GET", "m/data/a")["data"] == {"v": 1}


def test_an_option_that_is_said_to_be_empty_goes(vault) -> None:
    vault.root.data("POST", "sys/mounts/m", {"type": "kv", "options": {"a": "b", "version": "1"}})
    vault.root.data("POST", "sys/mounts/m/tune", {"options": {"a": "", "version": "2", "c": "d"}})
    assert vault.root.data("GET", "sys/mounts/m")["options"] == {"version": "2", "c": "d"}


# --- wrapping


def test_an_answer_is_told_once(vault) -> None:
    wrapped = vault.root("POST", "auth/token/create", {"policies": ["app"], "ttl": "1h"}, wrap="60s").json
    info = wrapped["wrap_info"]
    assert (wrapped["auth"], wrapped["data"], wrapped["request_id"]) == (None, None, "")
    assert (info["ttl"], info["creation_path"]) == (60, "auth/token/create")
    inside = vault.root("POST", "sys/wrapping/unwrap", {"token": info["token"]}).json
    assert inside["auth"]["accessor"] == info["wrapped_accessor"] and inside["request_id"]
    assert vaultstack.Bearer(vault.stack, inside["auth"]["client_token"]).is_good()
    assert vault.root.refused("POST", "sys/wrapping/unwrap", {"token": info["token"]}) == (400, NOT_WRAPPING)


def test_the_token_of_an_answer_unwraps_it_itself_and_does_nothing_else(vault) -> None:
    info = vault.root("POST", "sys/wrapping/wrap", {"a": [1, {"b": None}]}, wrap="60").json["wrap_info"]
    bearer = vaultstack.Bearer(vault.stack, info["token"])
    assert bearer.data("POST", "sys/wrapping/lookup", {})["creation_path"] == "sys/wrapping/wrap"
    assert bearer.data("POST", "sys/wrapping/unwrap") == {"a": [1, {"b": None}]}
    assert bearer.refused("POST", "sys/wrapping/unwrap") == (400, NOT_WRAPPING)
    other = vaultstack.Bearer(vault.stack, vault.root("GET", "sys/mounts", wrap="1m").json["wrap_info"]["token"])
    assert other.refused("GET", "auth/token/lookup-self") == (403, DENIED)
    assert other.refused("POST", "sys/wrapping/unwrap") == (400, NOT_WRAPPING)  # that was its one use


def test_anybody_with_the_token_looks_up_and_unwraps_without_another(vault) -> None:
    info = vault.root("GET", "sys/mounts", wrap="60s").json["wrap_info"]
    assert vault.nobody.data("POST", "sys/wrapping/lookup", {"token": info["token"]})["creation_ttl"] == 60
    assert "sys/" in vault.nobody("POST", "sys/wrapping/unwrap", {"token": info["token"]}).json["data"]
    assert vault.nobody.refused("POST", "sys/wrapping/lookup", {"token": info["token"]}) == (400, NOT_WRAPPING)


def test_a_wrapped_answer_is_looked_up_by_get_too_but_never_by_a_token_in_the_query(vault) -> None:
    info = vault.root("GET", "sys/mounts", wrap="60s").json["wrap_info"]
    bearer = vaultstack.Bearer(vault.stack, info["token"])
    assert bearer.data("GET", "sys/wrapping/lookup")["creation_path"] == "sys/mounts"
    assert bearer.data("GET", "sys/wrapping/lookup")["creation_ttl"] == 60  # looking is no use of it
    for nobody in (vault.nobody, vaultstack.Bearer(vault.stack, "hvs.wrong"), vault.root):
        asked = nobody.refused("GET", f"sys/wrapping/lookup?token={info['token']}")
        assert asked == nobody.refused("GET", "sys/wrapping/lookup") == (400, NOT_WRAPPING)


def test_a_wrapped_answer_expires(vault) -> None:
    info = vault.root("GET", "sys/mounts", wrap="60s").json["wrap_info"]
    vault.stack.clock.forward(timedelta(seconds=60))
    assert vault.root.refused("POST", "sys/wrapping/unwrap", {"token": info["token"]}) == (400, NOT_WRAPPING)


def test_rewrapping_ends_the_old_token(vault) -> None:
    first = vault.root("GET", "sys/mounts", wrap="60s").json["wrap_info"]["token"]
    second = vault.root("POST", "sys/wrapping/rewrap", {"token": first}).json["wrap_info"]["token"]
    assert vault.root.refused("POST", "sys/wrapping/unwrap", {"token": first}) == (400, NOT_WRAPPING)
    assert vault.root("POST", "sys/wrapping/unwrap", {"token": second}).status == 200


def test_it_is_wrapped_again_for_no_longer_than_it_was_at_first(vault) -> None:
    for asked, wanted in (("30s", 30), ("90s", 60)):
        first = vault.root("GET", "sys/mounts", wrap="60s").json["wrap_info"]["token"]
        assert (
            vault.root("POST", "sys/wrapping/rewrap", {"token": first}, wrap=asked).json["wrap_info"]["ttl"] == wanted
        )


@pytest.mark.parametrize(
    ("status", "method", "path", "body"),
    [
        (404, "GET", "two/data/gone", None),
        (400, "POST", "transit/decrypt/k", {"batch_input": [{"ciphertext": "CIPHERTEXT"}, {"ciphertext": "x"}]}),
        (
            207,
            "POST",
            "transit/decrypt/k",
            {"batch_input": [{"ciphertext": "CIPHERTEXT"}, {"ciphertext": "x"}], "partial_failure_response_code": 207},
        ),
    ],
)
def test_what_comes_with_another_status_is_wrapped_and_comes_with_it(vault, status, method, path, body) -> None:
    """Who asked for a wrapped answer got the plaintexts of a batch in the clear, where one of it failed."""
    for mount, kind in (("two", "kv-v2"), ("transit", "transit")):
        vault.root("POST", f"sys/mounts/{mount}", {"type": kind})
    vault.root("POST", "two/data/gone", {"data": {"a": "b"}})
    vault.root("DELETE", "two/data/gone")
    ciphertext = vault.root.data("POST", "transit/encrypt/k", {"plaintext": "c2VjcmV0"})["ciphertext"]
    if body is not None:
        body["batch_input"][0]["ciphertext"] = ciphertext
    plain = vault.root(method, path, body)
    wrapped = vault.root(method, path, body, wrap="60s")
    assert (wrapped.status, wrapped.json["data"]) == (200, None)
    inside = vault.root("POST", "sys/wrapping/unwrap", {"token": wrapped.json["wrap_info"]["token"]})
    assert (plain.status, inside.status, inside.json["data"]) == (status, status, plain.json["data"])


def test_what_is_unwrapped_may_be_wrapped_again(vault) -> None:
    first = vault.root("POST", "sys/wrapping/wrap", {"a": "b"}, wrap="60s").json["wrap_info"]["token"]
    again = vault.root("POST", "sys/wrapping/unwrap", {"token": first}, wrap="30s").json
    assert (again["data"], again["wrap_info"]["creation_path"]) == (None, "sys/wrapping/unwrap")
    assert vault.root.data("POST", "sys/wrapping/unwrap", {"token": again["wrap_info"]["token"]}) == {"a": "b"}


def test_a_token_reads_what_it_wraps_the_old_way_once(vault) -> None:
    info = vault.root("POST", "sys/wrapping/wrap", {"a": "b"}, wrap="60").json["wrap_info"]
    bearer = vaultstack.Bearer(vault.stack, info["token"])
    told = bearer("GET", "cubbyhole/response").json
    assert msgspec.json.decode(told["data"]["response"])["data"] == {"a": "b"} and "deprecated" in told["warnings"][0]
    assert bearer.refused("GET", "cubbyhole/response") == (403, "permission denied")
    assert vault.root.refused("POST", "sys/wrapping/unwrap", {"token": info["token"]}) == (400, NOT_WRAPPING)
    assert vault.root.refused("GET", "cubbyhole/response") == (404, "")  # of any other token it is a place like others


@pytest.mark.parametrize("path", ["lookup", "unwrap", "rewrap"])
def test_a_token_in_the_body_that_is_empty_is_said_to_be(vault, path) -> None:
    words = "error validating wrapping token: empty token in request body"
    for who in (vault.root, vault.nobody):
        assert who.refused("POST", f"sys/wrapping/{path}", {"token": ""}) == (403, words)


def test_what_is_not_wrapped(vault) -> None:
    words = "endpoint requires response wrapping to be used"
    assert vault.root.refused("POST", "sys/wrapping/wrap", {"a": 1}) == (400, words)
    assert vault.root("PUT", "sys/policies/acl/a", {"policy": 'path "x" {}'}, wrap="60s").status == 204
    assert vault.root.refused("GET", "sys/policies/acl/none", wrap="60s") == (404, "")
    assert vault.root.refused("GET", "sys/mounts", wrap="-1")[0] == 400


def test_a_policy_may_demand_wrapping(vault) -> None:
    rule = 'path "sys/mounts" { capabilities = ["read"] min_wrapping_ttl = "1s" max_wrapping_ttl = "90s" }'
    vault.root.policy("app", rule)
    token = vault.root.token(policies=["app"])
    assert token.refused("GET", "sys/mounts") == (403, DENIED)
    assert token.refused("GET", "sys/mounts", wrap="2m") == (403, DENIED)
    assert token("GET", "sys/mounts", wrap="1m").json["wrap_info"]["ttl"] == 60


def test_nothing_that_was_wrapped_is_on_record(vault) -> None:
    vault.root("POST", "sys/wrapping/wrap", {"secret": "xyzzy"}, wrap="60s")
    changes = [line for _, line in vault.stack.store.records(0, 1000)]
    assert not any(b"xyzzy" in line for line in (*changes, *vault.stack.journal.lines))


# --- tools, and what anybody is told


def test_tools(vault) -> None:
    assert len(bytes.fromhex(vault.root.data("POST", "sys/tools/random/7", {"format": "hex"})["random_bytes"])) == 7
    digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert vault.root.data("POST", "sys/tools/hash", {"input": "aGVsbG8="}) == {"sum": digest}
    assert vault.root.data("POST", "sys/tools/hash/sha2-256", {"input": "aGVsbG8="}) == {"sum": digest}
    assert vault.root.refused("POST", "sys/tools/random", {"bytes": 0}) == (400, "'bytes' cannot be less than 1")
    assert vault.root.refused("POST", "sys/tools/random/-1", {}) == (400, "'bytes' cannot be less than 1")
    assert vault.root.refused("POST", "sys/tools/hash/zz", {"input": ""}) == (400, "unsupported algorithm zz")


def test_there_are_no_leases(vault) -> None:
    assert vault.root.refused("PUT", "sys/leases/lookup", {"lease_id": "x"}) == (400, "invalid lease")
    assert vault.root.refused("PUT", "sys/leases/renew", {}) == (400, "lease_id must be specified")
    assert vault.root("PUT", "sys/leases/revoke", {"lease_id": "x"}).status == 204
    assert vault.root.refused("LIST", "sys/leases/lookup/x") == (404, "")


@pytest.mark.parametrize("sealed", [False, True])
def test_how_it_stands_is_told_to_anybody(vault, sealed) -> None:
    if sealed:
        vault.stack.barrier.close()
        vault.stack.view.forget()
    status = vault.nobody("GET", "sys/seal-status")
    assert status.status == 200 and status.json["sealed"] is sealed and status.json["t"] == 1
    health = vault.nobody("GET", "sys/health")
    assert health.status == (503 if sealed else 200)
    assert health.json["server_time_utc"] == int(vault.stack.clock.now().timestamp())
    assert vault.nobody("GET", "sys/health?sealedcode=299&activecode=298").status == (299 if sealed else 298)
    assert vault.nobody("GET", "sys/leader").json["ha_enabled"] is False
    if sealed:
        assert vault.root.refused("GET", "sys/mounts") == (503, "Vault is sealed")


def test_what_is_refused_is_on_record_in_the_cores_words(vault) -> None:
    vault.root.refused("GET", "sys/nonesuch")
    assert vault.stack.record().outcome == "refused: NotFound"
    vault.root.refused("PUT", "auth/token/lookup-self/x")
    assert vault.stack.record().outcome == "refused: NotFound"
    vault.root.refused("POST", "auth/token/create", {"type": "zz"})
    assert vault.stack.record().outcome == "refused: InvalidArgument"


# --- what is in a mount


def key_in(vault, path: str):
    """A key of the keyring at that mount, with a name there."""
    stack = vault.stack
    stack.view.loop_thread = None
    at = f"vault:{TENANT}:{path}"
    wanted = key_spec("aws", "SYMMETRIC_DEFAULT")
    made = stack.perform(ops.CreateKey(keyring=ops.KeyringRef(at), spec=wanted, purpose=wanted.purposes[0]))
    stack.put(
        Name(
            id=stack.barrier.name_id(at, "app"),
            keyring=made.key.keyring,
            key_id=made.key.id,
            namespace=at,
            name="app",
            created_at=stack.clock.now(),
            updated_at=stack.clock.now(),
        ),
        stack.stored(made.key),
    )
    return made.key


def test_disabling_a_mount_destroys_its_keys(vault) -> None:
    vault.root.data("POST", "sys/mounts/t", {"type": "transit"})
    key = key_in(vault, "t")
    assert vault.root("DELETE", "sys/mounts/t").status == 204
    assert vault.stack.stored(key).lifecycle.state is KeyState.DESTROYED
    version = vault.stack.barrier.get(KeyVersion, f"{key.id}/1")
    assert version.wrapped == b"" and version.lifecycle.state is KeyState.DESTROYED
    assert vault.stack.barrier.linked(Name, key.id) == []


def test_a_keyring_that_stands_elsewhere_too_only_leaves(vault) -> None:
    vault.root.data("POST", "sys/mounts/t", {"type": "transit"})
    key = key_in(vault, "t")
    vault.stack.by_system(ops.BindKeyring(keyring=key.keyring, namespace=f"aws:{TENANT}:eu-west-1"))
    assert vault.root("DELETE", "sys/mounts/t").status == 204
    assert vault.stack.stored(key).lifecycle.state is KeyState.ACTIVE
    assert vault.stack.barrier.get(KeyVersion, f"{key.id}/1").wrapped
    assert vault.stack.barrier.linked(Name, key.id) == []
    vault.stack.view.refresh()
    assert vault.stack.view.find(ops.KeyRef(f"aws:{TENANT}:eu-west-1", id=key.id)) is not None
    assert vault.stack.view.find(ops.KeyRef(f"vault:{TENANT}:t", id=key.id)) is None


def test_disabling_a_mount_destroys_its_secrets(vault) -> None:
    vault.root.data("POST", "sys/mounts/kv", {"type": "kv"})
    vault.root.data("PUT", "kv/a/b", {"password": "x"})
    (version,) = vault.stack.barrier.every(SecretVersion, limit=10)
    assert vault.root("DELETE", "sys/mounts/kv").status == 204
    assert vault.stack.barrier.every(SecretVersion, limit=10) == [] and version.wrapped
    vault.root.data("POST", "sys/mounts/kv", {"type": "kv"})
    assert vault.root("GET", "kv/a/b").status == 404


def test_secrets_that_are_kept_elsewhere_too_stay_when_one_of_the_mounts_goes(vault) -> None:
    vault.root.data("POST", "sys/mounts/kv", {"type": "kv"})
    vault.root.data("PUT", "kv/a", {"password": "x"})
    (secret,) = vault.stack.barrier.every(Secret, limit=10)
    vault.stack.view.loop_thread = 0  # the control door has threads of its own
    vault.stack.by_system(ops.BindKeyring(keyring=secret.keyring, namespace=f"vault:{TENANT}:beside"))
    assert vault.root("DELETE", "sys/mounts/beside").status == 204
    assert vault.root.data("GET", "kv/a") == {"password": "x"}


def test_moving_a_mount_takes_names_along(vault) -> None:
    vault.root.data("POST", "sys/mounts/t", {"type": "transit"})
    key = key_in(vault, "t")
    vault.root.data("POST", "sys/remount", {"from": "t", "to": "u"})
    vault.stack.view.refresh()
    assert vault.stack.view.find(ops.KeyRef(f"vault:{TENANT}:u", name="app")).id == key.id
    assert vault.stack.view.find(ops.KeyRef(f"vault:{TENANT}:t", name="app")) is None


def test_that_nothing_is_there_is_for_those_to_know_who_may_do_something_there(vault) -> None:
    token = vault.root.token(policies=["app"])
    for method, path in (("GET", "nowhere/x"), ("GET", "sys/nonesuch"), ("PUT", "sys/mounts")):
        assert token.refused(method, path) == (403, DENIED)
    vault.root.policy("app", 'path "*" { capabilities = ["read", "update"] }')
    assert token.refused("GET", "nowhere/x") == (404, 'no handler for route "nowhere/x". route entry not found.')
    assert token.refused("GET", "sys/nonesuch") == (404, "1 error occurred:\n\t* unsupported path\n\n")
    assert token.refused("PUT", "sys/mounts") == (405, "1 error occurred:\n\t* unsupported operation\n\n")
