"""Namespaces: made, told of, entered, locked, ended. Held to a real server by test_namespaces_openbao.py."""

from __future__ import annotations

import pytest
from tests import harness
from tests.harness import TENANT

from keystead.core import operations as ops
from keystead.core.entities import Namespace, Tenant, Token
from keystead.core.errors import Denied
from keystead.core.quotas import Quotas
from keystead.service.endings import Endings
from keystead.service.handlers import namespaces as module

ALL = 'path "*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "sudo"] }'
LOCKED = 'API access to this namespace has been locked by an administrator - "{}" must be unlocked to gain access.'


@pytest.fixture
def two(root) -> harness.Bearer:
    """The root's bearer, beside namespaces ns1, ns1/ch and ns2, each with a kv mount "secret"."""
    for name, at in (("ns1", ""), ("ch", "ns1"), ("ns2", "")):
        assert root.ask("POST", f"sys/namespaces/{name}", x_vault_namespace=at).status == 200
        path = f"{at}/{name}".strip("/")
        assert root.ask("POST", "sys/mounts/secret", {"type": "kv"}, x_vault_namespace=path).status == 204
        assert root.ask("POST", "secret/a", {"at": path}, x_vault_namespace=path).status == 204
    return root


def of(bearer: harness.Bearer, namespace: str, policy: str = ALL, **wanted: object) -> harness.Bearer:
    """Whoever has a token of that namespace under that policy."""
    at = {"x_vault_namespace": namespace}
    assert bearer.ask("PUT", "sys/policies/acl/p", {"policy": policy}, **at).status == 204
    made = bearer.ask("POST", "auth/token/create", {"policies": ["p"], **wanted}, **at)
    return harness.Bearer(bearer.stack, made.json["auth"]["client_token"])


def test_one_is_a_tenant_of_its_own(stack, root) -> None:
    made = root.data("PUT", "sys/namespaces/ns1", custom_metadata={"a": "b"})
    assert made == root.data("GET", "sys/namespaces/ns1")
    assert made["path"] == "ns1/" and made["custom_metadata"] == {"a": "b"} and not made["tainted"]
    (space,) = stack.barrier.every(Namespace)
    tenant = stack.barrier.get(Tenant, space.id)
    assert space.above == TENANT and tenant.name == "ns1" and len(tenant.id) == 12 and tenant.id.isdigit()
    again = root.data("PUT", "sys/namespaces/ns1")
    assert again == {**made, "custom_metadata": {}} and len(stack.barrier.every(Namespace)) == 1


def test_a_path_and_a_header_lead_to_the_same_place(two) -> None:
    ways = [("secret/a", "ns1/ch"), ("ch/secret/a", "ns1"), ("ns1/ch/secret/a", ""), ("ns1/ch/secret/a", "root")]
    ways += [("secret/a", "/ns1/ch/"), ("secret/a", "ns1//ch")]
    for path, header in ways:
        reply = two.ask("GET", path, x_vault_namespace=header)
        assert reply.status == 200 and reply.json["data"] == {"at": "ns1/ch"}, (path, header)
    for header in ("NS1/ch", "ns1/CH", "ns1/../ns2", "root/ns1", "nope", "ns1/nope", "ns1 ", "ns1%2Fch", "\xa0ns1"):
        assert two.ask("GET", "secret/a", x_vault_namespace=header).json == {"errors": ["namespace not found"]}, header


def test_what_may_be_a_name(two) -> None:
    """GHSA-mwr2-wmgp-crj6, CVE-2026-55775: none that means the one above."""

    def refusal(name: str) -> str:
        return two.refusal("POST", f"sys/namespaces/{name}")[1]

    for name in ("root", "sys", "audit", "auth", "cubbyhole", "identity"):
        assert refusal(name) == f'"{name}/" is a reserved path and cannot be used as a namespace name'
    assert refusal("a%20b") == '"a b" contains space characters that cannot be used in a namespace name'
    for sign in "*+":
        assert refusal(f"a{sign}b").endswith(f"wildcard characters that cannot be used in a namespace name: '{sign}'")
    for name in ("ns1/x", "a%2Fb"):
        assert refusal(name) == "namespace name cannot contain /"
    for name in ("%C3%BC", "a:b", "x" * 129, "a.", "n%D1%951"):
        assert refusal(name).startswith("a namespace's name is 1 to 128 letters"), name
    assert refusal("kv") == "new namespace conflicts with existing mount: kv/"
    assert two.refusal("POST", "sys/mounts/ns1", type="kv")[1].endswith("existing mount at ns1/")
    assert two.refusal("POST", "sys/mounts/ns1/x", type="kv")[1].endswith("existing mount at ns1/")
    assert two.refusal("POST", "sys/remount", **{"from": "kv", "to": "ns2/kv"})[0] == 400


def test_they_are_bounded(root, monkeypatch) -> None:
    monkeypatch.setattr(module, "MAX_DEPTH", 2)
    root.stack.service._quotas = Quotas(namespaces=2)
    for name, at, status in (("a", "", 200), ("a", "a", 200), ("a", "a/a", 413), ("b", "", 200), ("c", "", 413)):
        assert root.ask("POST", f"sys/namespaces/{name}", x_vault_namespace=at).status == status
    many = {f"{n}": "x" for n in range(65)}
    assert root.refusal("POST", "sys/namespaces/a", custom_metadata=many)[0] == 400
    assert root.refusal("POST", "sys/namespaces/a", custom_metadata={"a": "x" * 20_000})[0] == 400
    assert root.data("GET", "sys/namespaces/a")["custom_metadata"] == {}


def test_they_are_listed_by_name_and_to_every_depth(two) -> None:
    listed = two.data("LIST", "sys/namespaces")
    assert listed["keys"] == ["ns1/", "ns2/"] and listed["key_info"]["ns1/"] == two.data("GET", "sys/namespaces/ns1")
    assert two.data("SCAN", "sys/namespaces")["keys"] == ["ns1/", "ns1/ch/", "ns2/"]
    assert two.data("SCAN", "ns1/sys/namespaces")["keys"] == ["ch/"]
    assert two.data("LIST", "ns1/sys/namespaces")["key_info"]["ch/"]["path"] == "ns1/ch/"
    assert two.ask("LIST", "sys/namespaces", x_vault_namespace="ns2").json == {"errors": []}


def test_metadata_is_merged_and_taken_away(two) -> None:
    def patched(body: object) -> object:
        return two.ask("PATCH", "sys/namespaces/ns1", {"custom_metadata": body}).json["data"]["custom_metadata"]

    assert patched({"a": "1", "b": "2"}) == {"a": "1", "b": "2"}
    assert patched({"a": None, "c": "3"}) == {"b": "2", "c": "3"}
    assert two.ask("PATCH", "sys/namespaces/ns1", {}).json["data"]["custom_metadata"] == {"b": "2", "c": "3"}
    assert patched(None) == {}
    wrong = {"1": 5, "bool": True, "map": {}}
    words = ["json.Number", "bool", "map[string]interface {}"]
    for value, word in zip(wrong.values(), words, strict=True):
        reply = two.ask("PATCH", "sys/namespaces/ns1", {"custom_metadata": {"a": value}})
        assert reply.json["errors"] == [f"metadata patch can only have string or null values, got {word}"]
        assert two.refusal("POST", "sys/namespaces/ns1", custom_metadata={"a": value})[1].endswith("must be strings")
    assert two.ask("PATCH", "sys/namespaces/nope", {}).json["errors"] == ["namespace not found"]


def test_a_seal_of_its_own_is_refused_in_words(two) -> None:
    for wish in ({"seal": "shamir"}, {"pgp_keys": ["a"]}):
        assert two.refusal("POST", "sys/namespaces/ns3", **wish)[0] == 400
    for method, path in (("POST", "seal"), ("GET", "seal-status"), ("POST", "unseal"), ("DELETE", "delete-sealed")):
        assert two.refusal(method, f"sys/namespaces/ns1/{path}") == (400, "namespace is not sealable")


def test_what_of_sys_is_about_the_server_is_in_no_namespace(two) -> None:
    assert two.ask("GET", "sys/health", x_vault_namespace="ns1").json["errors"] == [
        "operation unavailable in namespaces"
    ]
    for path in ("sys/seal-status", "sys/leader"):
        assert two.ask("GET", path, x_vault_namespace="ns1").status == 200
    for method, path in (("GET", "sys/mounts"), ("POST", "sys/tools/random"), ("GET", "sys/internal/ui/mounts")):
        assert two.ask(method, path, x_vault_namespace="ns1").status == 200


# --- tokens


def test_a_token_says_whose_it_is(two) -> None:
    token = of(two, "ns1")
    sign = two.data("GET", "sys/namespaces/ns1")["id"]
    for header in ("", "ns1", "ns2"):  # what it asks about itself it asks at home
        told = token.ask("GET", "auth/token/lookup-self", x_vault_namespace=header).json["data"]
        assert told["id"] == token.token and told["namespace_path"] == "ns1/"
        assert told["id"].endswith(f".{sign}") and told["accessor"].endswith(f".{sign}")
    assert "namespace_path" not in two.data("GET", "auth/token/lookup-self")
    assert token.ask("POST", "auth/token/renew-self", {}).status == 200
    bare = harness.Bearer(two.stack, token.token.rpartition(".")[0])
    assert bare.ask("GET", "auth/token/lookup-self").status == 403
    assert token.ask("POST", "auth/token/revoke-self", {}).status == 204
    assert token.ask("GET", "auth/token/lookup-self").status == 403


def test_what_a_token_of_a_namespace_above_may_make(two) -> None:
    def refusal(bearer: harness.Bearer, **wanted: object) -> str:
        return bearer.ask("POST", "auth/token/create", wanted, x_vault_namespace="ns1").json["errors"][0]

    assert refusal(two, policies=["root"]) == "root tokens may not be created from a parent namespace"
    assert refusal(two, id="mine") == "token IDs can only be manually specified in the root namespace"
    poor = two.child(ALL.replace(', "sudo"', ""))
    words = "root or sudo privileges required to directly generate a token in a child namespace"
    assert refusal(poor, policies=["default"]) == refusal(poor) == refusal(poor, no_parent=True) == words
    made = two.ask("POST", "auth/token/create", {}, x_vault_namespace="ns1").json["auth"]
    assert made["policies"] == ["default"]  # none of its own: they are called so elsewhere
    assert of(two, "ns1").refusal("POST", "ns1/auth/token/create", policies=["root"])[0] == 400


def test_it_ends_with_the_token_above_that_made_it(two) -> None:
    maker = two.child(ALL)
    child = of(maker, "ns1")
    orphan = of(maker, "ns1", no_parent=True)
    two.data("POST", "auth/token/revoke", token=maker.token)
    assert child.ask("GET", "auth/token/lookup-self").status == 403
    assert orphan.ask("GET", "auth/token/lookup-self").status == 200


def test_a_token_above_goes_by_its_own_policies_and_the_path_that_leads_there(two) -> None:
    rules = ['path "ns1/secret/*" { capabilities = ["read"] }', 'path "+/secret/*" { capabilities = ["read"] }']
    rules += [
        'path "ns1/*" { capabilities = ["read", "update", "list"] }',
        'path "secret/*" { capabilities = ["read"] }',
    ]
    may = {(0, "ns1"), (1, "ns1"), (1, "ns2"), (2, "ns1"), (2, "ns1/ch")}
    for n, rule in enumerate(rules):
        bearer = two.child(rule)
        for at in ("ns1", "ns2", "ns1/ch"):
            for path, header in (("secret/a", at), (f"{at}/secret/a", "")):
                status = 200 if (n, at) in may else 403
                assert bearer.ask("GET", path, x_vault_namespace=header).status == status, (rule, at)


def test_capabilities_are_of_paths_from_where_they_are_asked(two) -> None:
    def held(bearer: harness.Bearer, at: str, path: str, **whose: str) -> list[str]:
        name = "capabilities-accessor" if "accessor" in whose else "capabilities" if whose else "capabilities-self"
        reply = bearer.ask("POST", f"sys/{name}", {"paths": [path], **whose}, x_vault_namespace=at)
        return reply.json["data"]["capabilities"]

    inside = of(two, "ns1", 'path "secret/*" { capabilities = ["read"] }\npath "sys/*" { capabilities = ["update"] }')
    above = two.child('path "ns1/secret/*" { capabilities = ["read"] }\npath "+/sys/*" { capabilities = ["update"] }')
    assert held(inside, "ns1", "secret/a") == ["read"] and held(inside, "ns1", "ns1/secret/a") == ["deny"]
    assert held(above, "ns1", "secret/a") == ["read"] and held(above, "ns1", "ns1/secret/a") == ["deny"]
    assert held(two, "", "ns1/secret/a", token=inside.token) == ["read"]
    assert held(two, "", "secret/a", token=inside.token) == ["deny"]
    assert held(two, "ns1", "secret/a", token=inside.token) == ["read"]


def test_what_is_shown_of_mounts_and_namespaces(two) -> None:
    bearer = two.child('path "ns1/secret/*" { capabilities = ["read"] }')
    assert bearer.data("GET", "sys/internal/ui/namespaces") == {"keys": ["ns1/"]}
    assert bearer.data("GET", "ns1/sys/internal/ui/namespaces") == {}
    assert two.data("GET", "sys/internal/ui/namespaces") == {"keys": ["ns1/", "ns2/"]}
    shown = bearer.data("GET", "ns1/sys/internal/ui/mounts")
    assert list(shown["secret"]) == ["secret/"] and shown["auth"] == {}
    assert bearer.data("GET", "sys/internal/ui/mounts/ns1/secret/a")["path"] == "ns1/secret/"
    reply = bearer.ask("GET", "sys/internal/ui/mounts/secret/a", x_vault_namespace="ns1")
    assert reply.json["data"]["path"] == "secret/"
    assert bearer.data("GET", "ns1/sys/internal/ui/mounts/secret/a")["path"] == "secret/"
    inside = of(two, "ns1", 'path "sys/*" { capabilities = ["read"] }')
    acl = inside.ask("GET", "sys/internal/ui/resultant-acl", x_vault_namespace="ns1").json["data"]
    assert "ns1/sys/" in acl["glob_paths"]


def test_logging_in_at_a_namespace(two) -> None:
    for at, password in (("ns1", "one"), ("ns2", "two")):
        two.ask("POST", "sys/auth/up", {"type": "userpass"}, x_vault_namespace=at)
        two.ask("POST", "auth/up/users/bob", {"password": password, "policies": "p"}, x_vault_namespace=at)
    nobody = harness.Bearer(two.stack, "")
    for path, header in (("auth/up/login/bob", "ns1"), ("ns1/auth/up/login/bob", "")):
        made = nobody.ask("POST", path, {"password": "one"}, x_vault_namespace=header).json["auth"]
        told = harness.Bearer(two.stack, made["client_token"]).data("GET", "auth/token/lookup-self")
        assert told["namespace_path"] == "ns1/" and told["path"] == "auth/up/login/bob"
    assert nobody.ask("POST", "auth/up/login/bob", {"password": "one"}, x_vault_namespace="ns2").status == 400
    assert nobody.ask("POST", "auth/up/login/bob", {"password": "one"}).status == 403


def test_wrapping_in_a_namespace(two) -> None:
    inside = of(two, "ns1")

    def wrapped() -> str:
        reply = inside.ask("GET", "secret/a", x_vault_namespace="ns1", x_vault_wrap_ttl="60")
        info = reply.json["wrap_info"]
        assert info["creation_path"] == "secret/a" and info["token"].count(".") == 2
        return info["token"]

    def answer(token: str, header: str) -> object:
        reply = harness.Bearer(two.stack, token).ask("POST", "sys/wrapping/unwrap", {}, x_vault_namespace=header)
        return reply.json.get("data")

    for header in ("", "ns1", "ns2"):  # whoever has its text has it, wherever they say they are
        assert answer(wrapped(), header) == {"at": "ns1"}
    by_body = two.ask("POST", "sys/wrapping/unwrap", {"token": wrapped()})
    assert by_body.json["data"] == {"at": "ns1"}
    above = two.ask("GET", "ns1/secret/a", x_vault_wrap_ttl="60").json["wrap_info"]
    assert above["creation_path"] == "secret/a" and above["token"].count(".") == 2


def test_a_key_of_a_namespace_above_is_used_by_path_policies(two) -> None:
    two.ask("POST", "sys/mounts/tr", {"type": "transit"}, x_vault_namespace="ns1")
    bearer = two.child('path "ns1/tr/encrypt/*" { capabilities = ["create", "update"] }')
    made = bearer.ask("POST", "tr/encrypt/k", {"plaintext": "YQ=="}, x_vault_namespace="ns1")
    assert made.status == 200
    ciphertext = made.json["data"]["ciphertext"]
    assert bearer.ask("POST", "ns1/tr/decrypt/k", {"ciphertext": ciphertext}).status == 403
    told = two.ask("POST", "ns1/tr/decrypt/k", {"ciphertext": ciphertext})
    assert told.json["data"]["plaintext"] == "YQ=="


# --- locking


def test_a_lock_keeps_everybody_out_until_it_is_opened(two) -> None:
    inside = of(two, "ns1")
    deep = of(two, "ns1/ch")
    key = two.data("POST", "sys/namespaces/api-lock/lock/ns1")["unlock_key"]
    for bearer in (two, inside):
        for at in ("ns1", "ns1/ch"):
            reply = bearer.ask("GET", "sys/mounts", x_vault_namespace=at)
            assert (reply.status, reply.json["errors"]) == (503, [LOCKED.format("ns1/")])
    assert deep.ask("GET", "secret/a", x_vault_namespace="ns1/ch").status == 503
    assert inside.ask("GET", "auth/token/lookup-self").status == 503
    assert harness.Bearer(two.stack, "hvs.x").ask("GET", "sys/mounts", x_vault_namespace="ns1").status == 403
    assert two.data("GET", "sys/namespaces/ns1")["locked"]
    again = two.refusal("POST", "sys/namespaces/api-lock/lock/ns1")
    assert again == (400, 'cannot lock namespace "ns1/": is already locked')
    words = 'cannot lock namespace "ns1/ch/": ancestor namespace "ns1/" is already locked'
    assert two.refusal("POST", "sys/namespaces/api-lock/lock/ns1/ch") == (400, words)
    wrong = inside.ask("POST", "sys/namespaces/api-lock/unlock", {"unlock_key": key[:-1]}, x_vault_namespace="ns1")
    assert wrong.json["errors"] == ["incorrect unlock key"]
    assert inside.ask("GET", "secret/a", x_vault_namespace="ns1").status == 503
    opened = inside.ask("POST", "sys/namespaces/api-lock/unlock", {"unlock_key": key}, x_vault_namespace="ns1")
    assert opened.status == 204
    for bearer, at in ((inside, "ns1"), (deep, "ns1/ch")):
        assert bearer.ask("GET", "secret/a", x_vault_namespace=at).status == 200


def test_a_lock_is_of_whom_the_path_names_whatever_the_body_says(two) -> None:
    """A policy of api-lock/lock alone lets nobody lock what is below."""
    alone = two.child('path "sys/namespaces/api-lock/*" { capabilities = ["update"] }')
    for way in ("lock", "unlock"):
        reply = alone.ask("POST", f"sys/namespaces/api-lock/{way}", {"path": "ns1"})
        assert (reply.status, reply.json["errors"]) == (400, ["root namespace cannot be locked/unlocked"])
    assert not two.data("GET", "sys/namespaces/ns1")["locked"]
    reply = two.ask("POST", "sys/namespaces/api-lock/lock", {"path": "ch"}, x_vault_namespace="ns1")
    assert reply.json["data"]["unlock_key"] and "path" in reply.json["warnings"][0]
    assert two.data("GET", "sys/namespaces/ns1")["locked"]


def test_who_opens_it_without_its_key(two) -> None:
    two.data("POST", "sys/namespaces/api-lock/lock/ns1")
    poor = two.child(ALL.replace(', "sudo"', ""))
    words = "1 error occurred:\n\t* provided empty key\n\n"
    assert poor.refusal("POST", "sys/namespaces/api-lock/unlock/ns1") == (500, words)
    reply = two.ask("POST", "sys/namespaces/api-lock/unlock/ns1", {})
    assert reply.json["warnings"] == ["Namespace unlocked using sudo capabilities"]
    assert two.refusal("POST", "sys/namespaces/api-lock/unlock/ns1") == (400, 'namespace "ns1/" is not locked')
    for path in ("lock", "unlock"):
        root = (400, "root namespace cannot be locked/unlocked")
        assert two.refusal("POST", f"sys/namespaces/api-lock/{path}") == root
        absent = (400, "requested namespace does not exist")
        assert two.refusal("POST", f"sys/namespaces/api-lock/{path}/nope") == absent


def test_the_key_of_a_lock_is_nowhere_to_be_read(two) -> None:
    key = two.data("POST", "sys/namespaces/api-lock/lock/ns1")["unlock_key"].encode()
    lines = b"".join(line for _, line in two.stack.store.records(0, 10_000)) + b"".join(two.stack.journal.lines)
    assert key not in lines
    assert all(key.decode() not in str(one.lock) for one in two.stack.barrier.every(Namespace))


# --- ending


def test_one_with_children_stays(two) -> None:
    words = "unable to delete namespace containing child namespaces"
    assert two.refusal("DELETE", "sys/namespaces/ns1") == (400, words)
    done = two.ask("DELETE", "sys/namespaces/ch", x_vault_namespace="ns1")
    assert done.json["data"] == two.data("DELETE", "sys/namespaces/ns1") == {"status": "completed"}
    reply = two.ask("DELETE", "sys/namespaces/ns1")
    assert reply.status == 200 and reply.json["warnings"] == ["requested namespace does not exist"]
    assert two.ask("GET", "sys/namespaces/ns1").status == 404


def test_a_name_made_anew_is_another_namespace(two) -> None:
    old = of(two, "ns2")
    was = two.data("GET", "sys/namespaces/ns2")
    assert two.data("DELETE", "sys/namespaces/ns2") == {"status": "completed"}
    assert old.ask("GET", "auth/token/lookup-self").status == 403
    now = two.data("POST", "sys/namespaces/ns2")
    assert now["uuid"] != was["uuid"] and now["id"] != was["id"]
    assert two.ask("GET", "ns2/secret/a").status == 404
    assert two.data("LIST", "ns2/sys/policies/acl")["keys"] == ["default"]


def test_what_one_request_does_not_come_to_is_done_later(two, monkeypatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)
    monkeypatch.setattr("keystead.doors.vault.system.namespaces.STEPS_AT_ONCE", 2)
    inside, stack = of(two, "ns2"), two.stack
    for n in range(20):
        two.ask("POST", f"ns2/secret/{n}", {"a": n})
    assert two.data("DELETE", "sys/namespaces/ns2") == {"status": "in-progress"}
    assert two.data("GET", "sys/namespaces/ns2")["tainted"]
    assert two.refusal("POST", "sys/namespaces/ns2")[1] == "the namespace is being deleted"
    for bearer in (two, inside):
        assert bearer.ask("GET", "secret/1", x_vault_namespace="ns2").status in {403, 404}
    assert inside.ask("GET", "auth/token/lookup-self").status == 403
    assert "ns2/" not in two.data("GET", "sys/internal/ui/namespaces")["keys"]
    stack.view.loop_thread = None
    endings = Endings(stack.barrier, stack.store, stack.by_system)
    while endings.step():
        pass
    assert two.ask("GET", "sys/namespaces/ns2").status == 404
    assert endings.step() == 0


def test_a_change_that_was_under_way_when_it_ended_is_refused(two) -> None:
    stack = two.stack
    stack.view.loop_thread = None
    (space,) = (one for one in stack.barrier.every(Namespace) if one.name == "ns2")
    held = stack.view.token(stack.barrier.every(Token, limit=1)[0].id)
    rights = stack.view.within(held.rights, space.id)
    stack.by_system(ops.EndNamespace(tenant=ops.TenantRef(TENANT), name="ns2"))
    assert stack.view.again(rights, stack.clock.now()) is None
    with pytest.raises(Denied):
        stack.view.within(held.rights, space.id)
