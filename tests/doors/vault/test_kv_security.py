"""Who may, what is on record, what a process holds, and that destroyed is destroyed."""

import json

import pytest
from msgspec.structs import replace
from tests import harness

from keystead.core import operations as ops
from keystead.core.entities import Cubby, Secret, SecretVersion
from keystead.core.errors import Denied
from keystead.core.ports import WouldBlock
from keystead.core.sensitive import Sensitive
from keystead.service.barrier import Commit
from keystead.service.held.secrets import SecretCache

POLICY = """
path "kv2/data/+" {{ capabilities = [{0}] }}
path "kv/*" {{ capabilities = [{0}] }}
path "cubbyhole/*" {{ capabilities = [{0}] }}
path "kv2/metadata/*" {{ capabilities = [{0}] }}
"""


def test_create_is_not_update(stack, root) -> None:
    creator, updater = (stack.bearer(POLICY.format(f'"{word}"')) for word in ("create", "update"))
    for path, body in {"kv2/data/a": {"data": {}}, "kv/a": {"a": 1}, "cubbyhole/a": {"a": 1}}.items():
        assert updater.ask("POST", path, body).status == 403
        assert creator.ask("POST", path, body).status < 300
        assert creator.ask("POST", path, body).status == 403
    for path, body in {"kv2/data/a": {"data": {}}, "kv/a": {"a": 1}}.items():
        assert updater.ask("POST", path, body).status < 300
        assert updater.ask("GET", path).status == 403
    root.ask("POST", "kv2/metadata/m", {"max_versions": 3})  # a secret without a version is there
    assert creator.ask("POST", "kv2/data/m", {"data": {}}).status == 403
    assert creator.ask("POST", "kv2/metadata/new", {"max_versions": 1}).status == 204


@pytest.mark.parametrize(
    "path",
    ["own/../other", "own/%2e%2e/other", "own%2F..%2Fother", "own/./../other", "own/x/../../other", "own/..%2Fother"],
)
def test_no_dots_lead_from_where_a_policy_lets_to_where_it_does_not(stack, root, path) -> None:
    """CVE-2026-3605."""
    root.ask("POST", "kv2/data/other", {"data": {"a": 1}})
    root.ask("POST", "kv/other", {"a": 1})
    rules = " ".join(
        f'path "{at}" {{ capabilities = ["create", "read", "update", "delete", "list", "patch"] }}'
        for at in ("kv/own/*", "kv2/+/own/*")
    )
    some = stack.bearer(rules)
    for at in ("kv", "kv2/data", "kv2/metadata", "kv2/delete", "kv2/destroy"):
        for method, body in (("GET", None), ("DELETE", None), ("POST", {"versions": [1], "data": {"a": 2}})):
            assert some.ask(method, f"{at}/{path}", body).status in {307, 400, 403}
    assert root.ask("GET", "kv2/data/other").json["data"]["data"] == {"a": 1}
    assert root.ask("GET", "kv/other").json["data"] == {"a": 1}


def test_patch_and_list_are_rights_of_their_own(stack, root) -> None:
    root.ask("POST", "kv2/data/a", {"data": {"a": 1}})
    patcher = stack.bearer(POLICY.format('"patch"'))
    assert patcher.ask("PATCH", "kv2/data/a", {"data": {"b": 2}}).status == 200
    assert patcher.ask("GET", "kv2/data/a").status == 403
    assert patcher.ask("POST", "kv2/data/a", {"data": {}}).status == 403
    assert patcher.ask("LIST", "kv2/metadata/").status == 403


def test_what_is_kept_of_a_decision_is_asked_of_every_request(stack, root) -> None:
    """Paths, what is there, the bearer, and the policy as it is now."""
    for path in ("a", "b"):
        root.ask("POST", f"kv2/data/{path}", {"data": {"at": path}})
    rule = 'path "kv2/data/{}" {{ capabilities = ["read", "create"] }}'
    root.ask("PUT", "sys/policies/acl/p", {"policy": rule.format("a") + rule.format("new")})
    made = root.ask("POST", "auth/token/create", {"policies": ["p"]})
    one, other = harness.Bearer(stack, made.json["auth"]["client_token"]), stack.bearer(rule.format("b"))

    def asked() -> list[int]:
        return [who.ask("GET", f"kv2/data/{path}").status for who in (one, other) for path in ("a", "b")]

    for _ in range(3):
        assert asked() == [200, 403, 403, 200]
    root.ask("POST", "kv2/data/c", {"data": {}})  # a change that is about something else
    assert asked() == [200, 403, 403, 200]
    assert [one.ask("POST", "kv2/data/new", {"data": {}}).status for _ in range(2)] == [200, 403]
    root.ask("PUT", "sys/policies/acl/p", {"policy": rule.format("b")})
    assert asked() == [403, 200, 403, 200]
    root.ask("POST", "auth/token/revoke", {"token": one.token})
    assert asked() == [403, 403, 403, 200]


def test_absence_is_a_secret_too(stack) -> None:
    nobody = stack.bearer(POLICY.format('"deny"'))
    answers = {nobody.ask("GET", path).body for path in ("kv2/data/a", "kv2/metadata/a", "kv/a", "nowhere/a")}
    assert {nobody.ask("GET", "kv2/data/a").status} == {403}
    assert len(answers) <= 2  # what is mounted nowhere is no path of anybody's


def test_neither_path_nor_value_is_on_record(stack, root) -> None:
    root.ask("POST", "kv2/data/pathpath/leafleaf", {"data": {"namename": "valuevalue"}})
    root.ask("GET", "kv2/data/pathpath/leafleaf")
    root.ask("GET", "kv2/data/pathpath/absent")
    root.ask("LIST", "kv2/metadata/pathpath")
    root.ask("POST", "cubbyhole/pathpath", {"namename": "valuevalue"})
    written = b"".join(line for _, line in stack.store.records(0, 10_000)) + b"".join(stack.journal.lines)
    for word in (b"pathpath", b"leafleaf", b"namename", b"valuevalue", b"absent"):
        assert word not in written
    (secret,) = stack.barrier.every(Secret)
    made = next(one for one in stack.records() if one.operation == "kv-v2 write data/{path:path?}")
    found = next(one for one in stack.records() if one.operation == "kv-v2 read data/{path:path?}")
    for record, action in ((made, "secret:write"), (found, "secret:read")):
        (target,) = record.targets
        assert (target.action, target.key, target.version, record.outcome) == (action, secret.id, 1, "performed")


def test_neither_path_nor_value_is_in_a_row(stack, root) -> None:
    root.ask("POST", "kv2/data/pathpath/leafleaf", {"data": {"namename": "valuevalue"}})
    root.ask("POST", "cubbyhole/pathpath", {"namename": "valuevalue"})
    rows = repr([row for kind in stack.view.FORGET for row in stack.store.every(kind)])
    assert not [word for word in ("pathpath", "leafleaf", "namename", "valuevalue") if word in rows]
    for entity in (*stack.barrier.every(Secret), *stack.barrier.every(SecretVersion)):
        assert "pathpath" not in repr(entity)


def test_what_is_held_is_read_without_a_database(stack, root) -> None:
    root.ask("POST", "kv2/data/a", {"data": {"a": 1}})
    root.ask("GET", "kv2/data/a")
    request = stack.request(
        "GET", "https://vault.test/v1/kv2/data/a", {b"host": b"v", b"x-vault-token": root.token.encode()}, b""
    )
    assert b'{"a":1}' in stack.front.serve(request)  # on the loop's thread: a miss would raise WouldBlock
    stack.view.forget()
    with pytest.raises(WouldBlock):
        stack.front.serve(request)


def test_a_write_is_seen_at_once(stack, root) -> None:
    for n in range(3):
        root.ask("POST", "kv2/data/a", {"data": {"n": n}})
        assert root.ask("GET", "kv2/data/a").json["data"]["data"] == {"n": n}
    root.ask("POST", "kv2/destroy/a", {"versions": [3]})
    assert root.ask("GET", "kv2/data/a").status == 404


def test_how_much_is_held_is_bounded(stack, root) -> None:
    stack.view._secrets = cache = SecretCache(stack.view._refs, max_count=3, max_bytes=1000)
    for n in range(6):
        root.ask("POST", f"kv2/data/{n}", {"data": {"a": "x" * 10}})
        root.ask("GET", f"kv2/data/{n}")
    assert len(cache) == 3
    for n in range(3):
        root.ask("POST", f"kv2/data/{n}", {"data": {"a": "x" * 600}})
        root.ask("GET", f"kv2/data/{n}")
    assert cache.n_bytes <= 1000
    assert all(root.ask("GET", f"kv2/data/{n}").status == 200 for n in range(6))
    root.ask("POST", "kv2/data/0", {"data": {"a": "x" * 5000}})
    assert len(root.ask("GET", "kv2/data/0").json["data"]["data"]["a"]) == 5000
    assert cache.n_bytes <= 1000
    stack.view.forget()
    assert (len(cache), cache.n_bytes) == (0, 0)


def test_no_token_reaches_anothers_cubbyhole(stack, root) -> None:
    root.ask("POST", "cubbyhole/a", {"a": 1})
    other = stack.bearer('path "*" { capabilities = ["read", "sudo"] }')
    assert other.ask("GET", "cubbyhole/a").status == 404
    admin = ops.ReadCubby(cubby=ops.CubbyRef("111122223333", "0" * 64, "a"), text=Sensitive(b""))
    stack.view.loop_thread = None
    with pytest.raises(Denied, match="token's own"):
        stack.perform(admin)


def test_whoever_opens_a_backup_with_every_key_of_the_installation_reads_no_cubbyhole(stack, root) -> None:
    root.ask("POST", "cubbyhole/a", {"a": "valuevalue"})
    assert root.ask("GET", "cubbyhole/a").json["data"] == {"a": "valuevalue"}
    stack.view.loop_thread = None
    (row,) = stack.barrier.every(Cubby, limit=10)
    assert b"valuevalue" not in row.sealed
    other = stack.bearer()
    other.ask("POST", "cubbyhole/a", {"b": "otherother"})
    (theirs,) = (one for one in stack.barrier.every(Cubby, limit=10) if one.id != row.id)
    stack.barrier.commit(Commit(put=(replace(theirs, sealed=row.sealed),)))
    assert other.ask("GET", "cubbyhole/a").status == 404
    assert root.ask("GET", "cubbyhole/a").json["data"] == {"a": "valuevalue"}


def test_values_do_not_show_in_a_repr() -> None:
    ref = ops.SecretRef("vault:1:kv", "pathpath")
    shown = repr([ref, ops.WriteSecret(secret=ref, value=Sensitive(b"valuevalue")), ops.CubbyRef("1", "t", "pathpath")])
    assert "pathpath" not in shown
    assert "valuevalue" not in shown


def test_a_policy_of_another_dialect_governs_secrets_too(stack, root) -> None:
    stack.view.loop_thread = None
    root.ask("POST", "kv2/data/a", {"data": {"a": 1}})
    at = ops.SecretRef("vault:111122223333:kv2", "a")
    statement = '{{"Effect":"{}","Action":"keystead:secret:{}","Resource":"*"}}'
    policy = '{{"Version":"2012-10-17","Statement":[{}]}}'
    reader = stack.user("reader", policy.format(statement.format("Allow", "read")))
    assert stack.perform(ops.ReadSecret(secret=at), reader).value.reveal() == b'{"a":1}'
    both = ",".join((statement.format("Allow", "*"), statement.format("Deny", "write")))
    denied = stack.user("denied", policy.format(both))
    stack.perform(ops.ReadSecret(secret=at), denied)
    for who in (reader, denied, stack.user("nobody"), stack.user("kms", harness.ALLOW_ALL)):
        with pytest.raises(Denied):
            stack.perform(ops.WriteSecret(secret=at, value=Sensitive(b"{}")), who)
    with pytest.raises(Denied):
        stack.perform(ops.ReadSecret(secret=ops.SecretRef(at.namespace, "absent")), stack.user("other"))


def test_a_policy_of_aws_names_secrets_by_keyring_and_path(stack, root) -> None:
    stack.view.loop_thread = None
    for path in ("a/x", "a/y", "b/x"):
        root.ask("POST", f"kv2/data/{path}", {"data": {"at": path}})
    at = f"vault:{harness.TENANT}:kv2"
    ring = stack.view.find(ops.KeyringRef(at)).id
    arn = f"arn:aws:keystead::{harness.TENANT}:secret/{ring}/"
    rows = (("Allow", "read", f"{arn}a/*"), ("Deny", "read", f"{arn}a/y"), ("Allow", "*", f"{arn}c/?"))
    statements = [{"Effect": e, "Action": f"keystead:secret:{a}", "Resource": r} for e, a, r in rows]
    statements += [{"Effect": "Allow", "Action": "keystead:keyring:list-secrets", "Resource": f"{arn}a/"}]
    who = stack.user("who", json.dumps({"Version": "2012-10-17", "Statement": statements}))

    def may(op) -> bool:
        try:
            stack.perform(op, who)
        except Denied as error:
            assert not any(path in str(error) for path in ("a/", "b/", "c/"))
            return False
        return True

    def read(path: str, namespace: str = at) -> bool:
        return may(ops.ReadSecret(secret=ops.SecretRef(namespace, path)))

    assert (read("a/x"), read("a/y"), read("b/x")) == (True, False, False)
    written = [
        may(ops.WriteSecret(secret=ops.SecretRef(at, p), value=Sensitive(b"{}"))) for p in ("c/1", "c/12", "a/x")
    ]
    assert written == [True, False, False]
    listed = [may(ops.ListSecrets(keyring=ops.KeyringRef(at), folder=folder)) for folder in ("a", "", "b", "a/x")]
    assert listed == [True, False, False, False]
    stack.by_system(ops.BindKeyring(keyring=ring, namespace=f"vault:{harness.TENANT}:aside"))
    aside = f"vault:{harness.TENANT}:aside"  # whatever the address, a secret is the same
    assert (read("a/x", aside), read("a/y", aside), read("b/x", aside)) == (True, False, False)


def test_another_tenants_secrets_are_not_there_for_anybody(stack, root) -> None:
    stack.view.loop_thread = None
    root.ask("POST", "kv2/data/a", {"data": {"a": 1}})
    stack.keyring(harness.OTHER_TENANT)
    stranger = stack.user("stranger", harness.ALLOW_ALL.replace("kms:", "keystead:"), tenant=harness.OTHER_TENANT)
    with pytest.raises(Denied):
        stack.perform(ops.ReadSecret(secret=ops.SecretRef("vault:111122223333:kv2", "a")), stranger)
