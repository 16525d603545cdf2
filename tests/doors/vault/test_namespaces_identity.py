"""Batch tokens, entities and rate limits where there are namespaces: whose each is, and what it ends with."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tests import harness
from tests.doors.vault.test_namespaces import ALL, of

from keystead.core import operations as ops
from keystead.core.entities import IdentityEntity, Namespace, Token
from keystead.core.sensitive import Sensitive
from keystead.service.credentials.batch import SUBKEY, BatchTokens

READ = 'path "secret/*" { capabilities = ["read"] }'


@pytest.fixture
def two(root) -> harness.Bearer:
    """The root's bearer, beside namespaces ns1, ns1/ch and ns2, each with "secret" and where users log in."""
    for name, at in (("ns1", ""), ("ch", "ns1"), ("ns2", "")):
        assert root.ask("POST", f"sys/namespaces/{name}", x_vault_namespace=at).status == 200
    for at in ("", "ns1", "ns1/ch", "ns2"):
        for path, kind in (("mounts/secret", "kv"), ("auth/up", "userpass")):
            assert root.ask("POST", f"sys/{path}", {"type": kind}, x_vault_namespace=at).status == 204
        assert root.ask("POST", "secret/a", {"at": at}, x_vault_namespace=at).status == 204
        assert root.ask("PUT", "sys/policies/acl/read", {"policy": READ}, x_vault_namespace=at).status == 204
        assert root.ask("POST", "auth/up/users/bob", {"password": "pw"}, x_vault_namespace=at).status == 204
    return root


def made(bearer: harness.Bearer, at: str, **wanted: Any) -> dict[str, Any]:
    reply = bearer.ask("POST", "auth/token/create", wanted, x_vault_namespace=at)
    assert reply.status == 200, reply.body
    return reply.json["auth"]


def batch(bearer: harness.Bearer, at: str, **wanted: Any) -> harness.Bearer:
    given = {"type": "batch", "policies": ["read"], "ttl": "1h", **wanted}
    return harness.Bearer(bearer.stack, made(bearer, at, **given)["client_token"])


def logged_in(bearer: harness.Bearer, at: str) -> dict[str, Any]:
    nobody = harness.Bearer(bearer.stack, "")
    reply = nobody.ask("POST", "auth/up/login/bob", {"password": "pw"}, x_vault_namespace=at)
    assert reply.status == 200, reply.body
    return reply.json["auth"]


def status(bearer: harness.Bearer, at: str, path: str = "secret/a", method: str = "GET") -> int:
    return bearer.ask(method, path, x_vault_namespace=at).status


# --- batch tokens


def test_a_batch_token_is_of_its_namespace_and_those_below(two) -> None:
    (space,) = (one for one in two.stack.barrier.every(Namespace) if one.name == "ns1")
    for maker in (two, of(two, "ns1")):
        token = batch(maker, "ns1")
        assert token.token.startswith("hvb.") and token.token.endswith(f".{space.suffix}")
        assert [status(token, at) for at in ("ns1", "ns1/ch", "ns2", "")] == [200, 403, 403, 403]
        mine = token.ask("GET", "auth/token/lookup-self", x_vault_namespace="ns1").json["data"]
        assert mine["type"] == "batch" and mine["namespace_path"] == "ns1/"
    wide = batch(two, "ns1", policies=["wide"])
    text = READ + READ.replace("secret", "ch/secret")
    assert two.ask("PUT", "sys/policies/acl/wide", {"policy": text}, x_vault_namespace="ns1").status == 204
    assert [status(wide, at) for at in ("ns1", "ns1/ch", "ns2", "")] == [200, 200, 403, 403]


def test_its_sign_is_a_part_of_its_text(two) -> None:
    """One token has one text: neither another's sign nor none opens it."""
    batches = BatchTokens(two.stack.barrier.subkey(SUBKEY))
    token, home = batch(two, "ns1").token, batch(two, "").token
    bare, _, sign = token.rpartition(".")
    assert batches.open(Sensitive(token.encode())) is not None
    others = (bare, f"{bare}.", f"{bare}.{sign[:-1]}", f"{token}.{sign}", f"{token}.", f"{home}.{sign}", f"{bare}.\xfc")
    for text in others:
        assert batches.open(Sensitive(text.encode())) is None, text
        assert two.refusal("POST", "auth/token/lookup", token=text) == (403, "bad token")


def test_it_is_looked_at_by_its_text_from_above_and_not_from_beside(two) -> None:
    token = batch(two, "ns1").token
    for at, found in (("ns1", True), ("", True), ("ns2", False), ("ns1/ch", False)):
        reply = two.ask("POST", "auth/token/lookup", {"token": token}, x_vault_namespace=at)
        assert (reply.status == 200) is found, at


def test_it_ends_with_its_namespace(two) -> None:
    inside, above = batch(of(two, "ns2"), "ns2"), batch(two, "ns2", no_parent=True)
    assert status(inside, "ns2") == status(above, "ns2") == 200
    assert two.data("DELETE", "sys/namespaces/ns2") == {"status": "completed"}
    assert two.ask("POST", "sys/namespaces/ns2").status == 200
    assert two.ask("POST", "sys/mounts/secret", {"type": "kv"}, x_vault_namespace="ns2").status == 204
    for token in (inside, above):
        assert status(token, "ns2") == 403 and status(token, "", "auth/token/lookup-self") == 403
        assert two.refusal("POST", "auth/token/lookup", token=token.token) == (403, "bad token")


def test_it_is_kept_out_by_a_lock_and_ends_with_a_maker_above(two) -> None:
    maker = harness.Bearer(two.stack, made(two, "", policies=["mighty"])["client_token"])
    assert two.ask("PUT", "sys/policies/acl/mighty", {"policy": ALL}).status == 204
    token = batch(maker, "ns1")
    key = two.data("POST", "sys/namespaces/api-lock/lock/ns1")["unlock_key"]
    assert status(token, "ns1") == 503
    assert two.ask("POST", "sys/namespaces/api-lock/unlock/ns1", {"unlock_key": key}).status in {200, 204}
    assert status(token, "ns1") == 200
    assert maker.ask("POST", "auth/token/revoke-self").status == 204
    assert status(token, "ns1") == 403
    assert two.refusal("POST", "auth/token/lookup", token=token.token) == (403, "bad token")


def test_a_change_by_a_batch_token_rests_on_its_namespace(two) -> None:
    """One that was under way when the namespace was ended is stale, decided anew, and refused."""
    stack, token = two.stack, batch(two, "ns1", policies=["mighty"])
    assert two.ask("PUT", "sys/policies/acl/mighty", {"policy": ALL}, x_vault_namespace="ns1").status == 204
    assert token.ask("POST", "secret/b", {"v": 1}, x_vault_namespace="ns1").status == 204
    (space,) = (one for one in stack.barrier.every(Namespace) if one.name == "ns1")
    commit, came = stack.barrier.commit, []

    def overtaken(change: Any) -> None:
        if not came:
            came.append(True)
            stack.by_system(ops.LockNamespace(tenant=ops.TenantRef(space.above), path="ns1"))
        commit(change)

    stack.barrier.commit = overtaken
    assert token.ask("POST", "secret/b", {"v": 2}, x_vault_namespace="ns1").status in {403, 503}
    assert came


# --- whom tokens belong to


def test_each_namespace_knows_its_own(two) -> None:
    ids = {at: logged_in(two, at)["entity_id"] for at in ("", "ns1", "ns1/ch", "ns2")}
    assert len(set(ids.values())) == 4
    tenants = {one.id: one.tenant for one in two.stack.barrier.every(IdentityEntity)}
    assert len({tenants[id_] for id_ in ids.values()}) == 4
    for at, id_ in ids.items():
        for other in ids:
            reply = two.ask("GET", f"identity/entity/id/{id_}", x_vault_namespace=other)
            assert reply.status == (200 if at == other else 404), (at, other)
    told = two.data("GET", f"ns1/identity/entity/id/{ids['ns1']}")
    assert told["namespace_id"] == two.data("GET", "sys/namespaces/ns1")["id"] != "root"
    assert two.data("GET", f"identity/entity/id/{ids['']}")["namespace_id"] == "root"


def test_nobody_of_another_namespace_is_a_member_or_gets_an_alias(two) -> None:
    hers, mine = logged_in(two, "ns1")["entity_id"], logged_in(two, "ns2")["entity_id"]
    accessor = two.data("GET", "ns1/sys/auth")["up/"]["accessor"]
    for path, body in (
        ("identity/group", {"name": "g", "member_entity_ids": [hers]}),
        ("identity/entity-alias", {"name": "x", "canonical_id": mine, "mount_accessor": accessor}),
        ("identity/entity/merge", {"from_entity_ids": [hers], "to_entity_id": mine}),
    ):
        assert two.ask("POST", path, body, x_vault_namespace="ns2").status >= 400, path
    assert two.data("GET", f"ns1/identity/entity/id/{hers}")["group_ids"] == []


def test_policies_of_an_entity_are_those_of_its_own_namespace(two) -> None:
    """Used below they reach as far as they say; they are never another namespace's policies of the same name."""
    auth = logged_in(two, "ns1")
    token, at = harness.Bearer(two.stack, auth["client_token"]), {"x_vault_namespace": "ns1"}
    assert two.ask("POST", f"identity/entity/id/{auth['entity_id']}", {"policies": ["p"]}, **at).status in {200, 204}
    assert two.ask("PUT", "sys/policies/acl/p", {"policy": ALL}, x_vault_namespace="ns1/ch").status == 204
    assert two.ask("PUT", "sys/policies/acl/p", {"policy": ALL}).status == 204
    assert [status(token, where) for where in ("ns1", "ns1/ch", "ns2", "")] == [403] * 4
    below = 'path "ch/secret/a" { capabilities = ["read"] }'
    assert two.ask("PUT", "sys/policies/acl/p", {"policy": below}, **at).status == 204
    assert [status(token, where) for where in ("ns1", "ns1/ch", "ns2", "")] == [403, 200, 403, 403]
    assert two.ask("POST", f"identity/entity/id/{auth['entity_id']}", {"disabled": True}, **at).status in {200, 204}
    assert status(token, "ns1/ch") == 403


def test_a_token_made_from_above_has_none_of_its_makers_identity_and_ends_with_it(two) -> None:
    auth = logged_in(two, "")
    entity = f"identity/entity/id/{auth['entity_id']}"
    assert two.ask("POST", entity, {"policies": ["p"]}).status in {200, 204}
    assert two.ask("PUT", "sys/policies/acl/p", {"policy": ALL}).status == 204
    assert two.ask("PUT", "sys/policies/acl/p", {"policy": ALL}, x_vault_namespace="ns1").status == 204
    maker, at = harness.Bearer(two.stack, auth["client_token"]), {"x_vault_namespace": "ns1"}
    text = READ + 'path "identity/oidc/token/r" { capabilities = ["read"] }'
    assert two.ask("PUT", "sys/policies/acl/read", {"policy": text}, **at).status == 204
    assert two.ask("POST", "identity/oidc/role/r", {"key": "default"}, **at).status in {200, 204}
    for kind in ("service", "batch"):
        given = made(maker, "ns1", policies=["read"], type=kind)
        token = harness.Bearer(two.stack, given["client_token"])
        assert given["entity_id"] == auth["entity_id"] and "identity_policies" not in given
        assert status(token, "ns1") == 200 and status(token, "ns1", "sys/mounts") == 403
        mine = token.ask("GET", "auth/token/lookup-self", x_vault_namespace="ns1").json["data"]
        assert mine["policies"] == ["default", "read"] and "identity_policies" not in mine
        assert "identity_policies" not in two.data("POST", "auth/token/lookup", token=token.token)
        refusal = token.ask("GET", "identity/oidc/token/r", x_vault_namespace="ns1")
        assert refusal.json == {"errors": ["no entity associated with the request's token"]}
        for disabled, good in ((True, 403), (False, 200)):
            assert two.ask("POST", entity, {"policies": ["p"], "disabled": disabled}).status in {200, 204}
            assert status(token, "ns1") == good
    child = made(token_of(two, maker), "ns1", policies=["read"])
    assert child["entity_id"] == auth["entity_id"]


def token_of(two: harness.Bearer, maker: harness.Bearer) -> harness.Bearer:
    """A service token made from above, that may make more."""
    return harness.Bearer(two.stack, made(maker, "ns1", policies=["p", "read"])["client_token"])


def test_tokens_of_identity_say_which_namespace_they_are_of(two) -> None:
    auth, at = logged_in(two, "ns1"), {"x_vault_namespace": "ns1"}
    assert two.ask("POST", "identity/oidc/config", {"issuer": "https://keys.test"}, **at).status == 200
    assert two.ask("POST", "identity/oidc/role/r", {"key": "default"}, **at).status in {200, 204}
    client = two.data("GET", "ns1/identity/oidc/role/r")["client_id"]
    allowed = {"allowed_client_ids": [client]}
    assert two.ask("POST", "identity/oidc/key/default", allowed, **at).status in {200, 204}
    path = 'path "identity/oidc/token/r" { capabilities = ["read"] }'
    assert two.ask("PUT", "sys/policies/acl/p", {"policy": path}, **at).status == 204
    assert two.ask("POST", f"identity/entity/id/{auth['entity_id']}", {"policies": ["p"]}, **at).status in {200, 204}
    holder = harness.Bearer(two.stack, auth["client_token"])
    text = holder.ask("GET", "identity/oidc/token/r", **at).json["data"]["token"]
    said = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
    assert said["iss"] == "https://keys.test/v1/ns1/identity/oidc"
    assert said["namespace"] == two.data("GET", "sys/namespaces/ns1")["id"]
    nobody = harness.Bearer(two.stack, "")
    known = nobody.ask("GET", "ns1/identity/oidc/.well-known/openid-configuration").json
    assert known["jwks_uri"] == "https://keys.test/v1/ns1/identity/oidc/.well-known/keys"
    kids = [one["kid"] for one in nobody.ask("GET", "ns1/identity/oidc/.well-known/keys").json["keys"]]
    assert json.loads(base64.urlsafe_b64decode(text.split(".")[0] + "=="))["kid"] in kids
    for where, active in (("ns1", True), ("ns2", False), ("", False)):
        told = two.ask("POST", "identity/oidc/introspect", {"token": text}, x_vault_namespace=where).json
        assert told["active"] is active, where
    assert nobody.ask("GET", "nope/identity/oidc/.well-known/keys").status == 403
    assert two.data("POST", "sys/namespaces/api-lock/lock/ns1")
    assert nobody.ask("GET", "ns1/identity/oidc/.well-known/keys").status == 503


# --- of all requests there are


def test_what_of_sys_is_the_installations_is_in_no_namespace(two) -> None:
    inside = of(two, "ns1")
    only = {"errors": ["operation only available in root namespace"]}
    for method, path in (
        ("GET", "sys/audit"),
        ("LIST", "sys/quotas/rate-limit"),
        ("GET", "sys/quotas/config"),
        ("GET", "sys/config/cors"),
        ("GET", "sys/config/auditing/request-headers"),
    ):
        for bearer in (two, inside):
            reply = bearer.ask(method, path, x_vault_namespace="ns1")
            assert (reply.status, reply.json) == (400, only), path
            assert two.ask(method, path).status != 400, path
    told = inside.ask("GET", "sys/locked-users", x_vault_namespace="ns1").json["data"]["by_namespace"]
    assert [one["namespace_path"] for one in told] == ["ns1/"]
    policy = {"policy": 'length = 8\nrule "charset" { charset = "ab" }'}
    assert inside.ask("PUT", "sys/policies/password/p", policy, x_vault_namespace="ns1").status == 204
    assert inside.ask("GET", "sys/policies/password/p/generate", x_vault_namespace="ns1").status == 200
    assert two.ask("GET", "sys/policies/password/p").status == 404


@pytest.mark.parametrize("by_path", [False, True], ids=["header", "path"])
def test_a_rate_limit_of_a_mount_is_not_for_a_mount_of_a_namespace(two, by_path) -> None:
    def asked(at: str) -> int:
        return two.ask("GET", f"{at}/secret/a").status if by_path and at else status(two, at)

    assert two.ask("POST", "sys/quotas/rate-limit/one", {"rate": 2, "path": "secret/"}).status == 204
    two.stack.on_the_loop()
    assert [asked("") for _ in range(3)] == [200, 200, 429]
    assert [asked("ns1") for _ in range(5)] == [200] * 5
    assert two.ask("POST", "sys/quotas/rate-limit/all", {"rate": 3}).status == 204
    assert 429 in [asked("ns1") for _ in range(5)]
    assert two.ask("POST", "sys/quotas/rate-limit/ns", {"rate": 3, "path": "ns1/secret"}).status in {400, 429}


def test_no_row_of_a_batch_token_of_a_namespace_is_kept(two) -> None:
    before = len(two.stack.barrier.every(Token))
    batch(two, "ns1/ch")
    assert len(two.stack.barrier.every(Token)) == before
