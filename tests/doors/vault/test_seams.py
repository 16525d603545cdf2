"""What goes wrong between things each of which is right: namespaces, tokens, seals, limits, records."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from typing import Any

import pytest
from tests import harness
from tests.doors.vault.test_namespaces import of
from tests.harness import TENANT

from keystead.core.entities import Namespace, Tenant
from keystead.doors.vault.system import namespaces
from keystead.service.barrier import Commit


@pytest.mark.parametrize("older", [False, True])
def test_however_many_namespaces_there_are_and_whenever_they_were_made_the_first_tenant_is_home(root, older) -> None:
    """It is who logs in without a namespace, whose limits count, and who steers the installation."""
    stack = root.stack
    at = stack.clock.now() + timedelta(seconds=-1 if older else 1)  # made while a clock was wrong
    rows: list[Any] = []
    for n in range(1 if older else 1_001):
        id_, name = f"{n:012}", f"n{n}"
        digest = stack.barrier.name_id(f"namespace:{TENANT}", name)
        rows.append(Tenant(id=id_, name=name, created_at=at))
        rows.append(
            Namespace(id=id_, above=TENANT, name=name, name_digest=digest, suffix=name, uuid=name, created_at=at)
        )
    stack.barrier.commit(Commit(put=tuple(rows)))
    stack.generation.announce()
    stack.view.forget()  # as a worker that is started later
    assert root.ask("GET", "sys/audit").status == 200
    root.ask("POST", "sys/auth/up", {"type": "userpass"})
    root.ask("POST", "auth/up/users/bob", {"password": "pw"})
    assert harness.Bearer(stack, "").ask("POST", "auth/up/login/bob", {"password": "pw"}).status == 200
    inside = of(root, "n0")
    assert inside.ask("GET", "sys/audit", x_vault_namespace="n0").status == 400
    stack.view.loop_thread = None
    assert stack.view.tenant(TENANT).is_first and not stack.view.tenant("0" * 12).is_first


@pytest.fixture
def two(root) -> harness.Bearer:
    for name, at in (("ns1", ""), ("ch", "ns1"), ("ns2", "")):
        assert root.ask("POST", f"sys/namespaces/{name}", x_vault_namespace=at).status == 200
    return root


WELL_KNOWN = "identity/oidc/.well-known/"


@pytest.mark.parametrize("what", ["keys", "keys/", "openid-configuration"])
def test_a_namespace_that_publishes_nothing_is_not_told_from_one_that_is_not_there(two, what) -> None:
    nobody, poor = harness.Bearer(two.stack, ""), of(two, "ns2")

    def heard(bearer: harness.Bearer, at: str) -> list[tuple[int, bytes]]:
        ways = [(f"{at}/{WELL_KNOWN}{what}", ""), (f"{WELL_KNOWN}{what}", at)]
        return [(one.status, one.body) for one in (bearer.ask("GET", p, x_vault_namespace=h) for p, h in ways)]

    for at in ("ns1", "ns1/ch"):
        for bearer in (nobody, poor):
            assert heard(bearer, at) == heard(bearer, "nope") and heard(bearer, at)[0][0] == 403
        assert [status for status, _ in heard(two, at)] == [200, 200]  # who may read there is answered
    assert two.ask("POST", "identity/oidc/config", {"issuer": "https://a.test"}, x_vault_namespace="ns1").status == 200
    assert [status for status, _ in heard(nobody, "ns1")] == [200, 200]  # which somebody there has wanted
    assert heard(nobody, "ns1/ch") == heard(nobody, "nope")
    assert nobody.ask("GET", f"{WELL_KNOWN}{what}").status == 200


def wrapped(bearer: harness.Bearer, at: str) -> str:
    more = {"x_vault_namespace": at, "x_vault_wrap_ttl": "60"}
    return bearer.ask("POST", "sys/wrapping/wrap", {"a": 1}, **more).json["wrap_info"]["token"]


def test_a_lock_keeps_what_is_wrapped_in_a_namespace_from_whoever_is_above_it_too(two) -> None:
    text, below = wrapped(two, "ns1"), wrapped(two, "ns1/ch")
    key = two.data("POST", "sys/namespaces/api-lock/lock/ns1")["unlock_key"]
    for one in (text, below):
        assert two.ask("POST", "sys/wrapping/unwrap", {"token": one}).status == 503
        assert harness.Bearer(two.stack, one).ask("POST", "sys/wrapping/unwrap").status == 503
    assert two.ask("POST", "sys/namespaces/api-lock/unlock/ns1", {"unlock_key": key}).status == 204
    assert [two.data("POST", "sys/wrapping/unwrap", token=one) for one in (text, below)] == [{"a": 1}] * 2


def test_nothing_of_a_namespace_that_ends_is_opened_or_told_from_above(two, monkeypatch) -> None:
    monkeypatch.setattr(namespaces, "STEPS_AT_ONCE", 0)  # what is in it goes later
    text, inside = wrapped(two, "ns1/ch"), of(two, "ns1/ch")
    given = {"type": "batch", "policies": ["p"], "ttl": "1h"}
    batch = two.ask("POST", "auth/token/create", given, x_vault_namespace="ns1/ch").json["auth"]["client_token"]
    for token in (inside.token, batch):
        assert two.ask("POST", "auth/token/lookup", {"token": token}).status == 200
    assert two.ask("DELETE", "ns1/sys/namespaces/ch").json["data"] == {"status": "in-progress"}
    assert two.ask("POST", "sys/wrapping/unwrap", {"token": text}).status == 400
    for token in (inside.token, batch):
        assert two.ask("POST", "auth/token/lookup", {"token": token}).status == 403
        assert two.ask("POST", "sys/capabilities", {"token": token, "paths": ["a"]}).status == 400


ASKED = [
    *("secret/a", "auth/token/lookup-self", "auth/token/renew-self", "auth/up/users/bob", "identity/entity", ""),
    *("sys/wrapping/unwrap", "sys/wrapping/lookup", "sys/wrapping/rewrap", "sys/mounts", "sys/seal", "sys/rekey/init"),
    *(
        "sys/unseal",
        "sys/seal-status",
        "sys/leases/lookup",
        "sys/locked-users",
        "sys/internal/ui/mounts",
        "cubbyhole/a",
    ),
    *("sys/namespaces/ch", "sys/namespaces/api-lock/unlock", "sys/quotas/config", f"{WELL_KNOWN}keys"),
]


@pytest.mark.parametrize("is_locked", [False, True])
def test_no_path_tells_whether_a_namespace_is_there(two, is_locked) -> None:
    """But that of a login. By header, by path, by both, and where an interface looks; for something, or for help."""
    stack = two.stack
    for at in ("ns1", "ns1/ch", "ns2"):
        assert two.ask("POST", "sys/mounts/secret", {"type": "kv"}, x_vault_namespace=at).status == 204
        assert two.ask("POST", "sys/auth/up", {"type": "userpass"}, x_vault_namespace=at).status == 204
    beside = of(two, "ns2")
    given = {"type": "batch", "policies": ["p"], "ttl": "1h"}
    batch = two.ask("POST", "auth/token/create", given, x_vault_namespace="ns2").json["auth"]["client_token"]
    above = two.ask("POST", "auth/token/create", {"policies": ["default"]}).json["auth"]["client_token"]
    whoever = [harness.Bearer(stack, text) for text in ("", batch, above)] + [beside]
    if is_locked:
        two.ask("POST", "sys/namespaces/api-lock/lock/ns1", {})

    def heard(who: harness.Bearer, method: str, path: str, header: str) -> tuple[int, bytes]:
        name = (header or path.removeprefix("sys/internal/ui/mounts/")).partition("/")[0]
        body = {} if method in {"POST", "PATCH"} else None
        reply = who.ask(method, path, body, x_vault_namespace=header)
        said = re.sub(rb'"request_id":"[^"]*"', b"", reply.body).replace(name.encode(), b"?")
        return reply.status, re.sub(rb'"(expire_time|issue_time|accessor)":"[^"]*"', b"", said)

    for path, how, method in itertools.product(ASKED, ("", "?help=1"), ("GET", "POST", "DELETE", "HEAD")):
        ways = (("{}", path), ("", f"{{}}/{path}"), ("{}", f"ch/{path}"), ("", f"sys/internal/ui/mounts/{{}}/{path}"))
        for (header, asked), who in itertools.product(ways, whoever):
            there, nowhere = (heard(who, method, asked.format(at) + how, header.format(at)) for at in ("ns1", "nope"))
            assert there == nowhere, (method, asked, how, header)
    for path, way in itertools.product(("unwrap", "lookup", "rewrap"), ("{}/", "")):
        answers = [
            heard(
                harness.Bearer(stack, wrapped(two, "ns2")),
                "POST",
                f"{way.format(at)}sys/wrapping/{path}",
                "" if way else at,
            )
            for at in ("ns1", "nope")
        ]
        assert answers[0][0] == answers[1][0], (path, way)


def test_who_has_business_in_a_namespace_asks_about_itself_there(two) -> None:
    """By its path as by its header."""
    two.ask("PUT", "sys/policies/acl/reach", {"policy": 'path "ns1/secret/a" { capabilities = ["read"] }'})
    made = two.ask("POST", "auth/token/create", {"policies": ["reach"]}).json["auth"]
    above, inside = harness.Bearer(two.stack, made["client_token"]), of(two, "ns1")
    assert above.data("GET", "ns1/auth/token/lookup-self")["accessor"] == made["accessor"]
    assert above.ask("GET", "ns2/auth/token/lookup-self").status == 403
    assert inside.ask("GET", "ns1/auth/token/lookup-self").status == 200
    text = wrapped(two, "ns1")
    assert harness.Bearer(two.stack, "").ask("POST", "ns1/sys/wrapping/unwrap", {"token": text}).status == 200


def test_who_may_revoke_below_one_path_revokes_nothing_beside_it(root) -> None:
    """A policy names the path; leases of a neighbour whose name begins alike are another path's."""
    nobody = harness.Bearer(root.stack, "")
    for name in ("u", "up"):
        assert root.ask("POST", f"sys/auth/{name}", {"type": "userpass"}).status == 204
        assert root.ask("POST", f"auth/{name}/users/al", {"password": "pw"}).status == 204

    def login(name: str) -> harness.Bearer:
        return harness.Bearer(
            root.stack, nobody.call("POST", f"auth/{name}/login/al", password="pw").json["auth"]["client_token"]
        )

    sudo = 'path "sys/leases/revoke-prefix/auth/u" { capabilities = ["update", "sudo"] }'
    revoker, one, other = root.child(sudo), login("u"), login("up")
    assert revoker.ask("POST", "sys/leases/revoke-prefix/auth/u", {}).status == 204
    assert [who.ask("GET", "auth/token/lookup-self").status for who in (one, other)] == [403, 200]
    (lease,) = root.data("LIST", "sys/leases/lookup/auth/up/login/al")["keys"]
    assert root.ask("POST", f"sys/leases/revoke-prefix/auth/up/login/al/{lease[:-1]}", {}).status == 204
    assert other.ask("GET", "auth/token/lookup-self").status == 200
    assert root.ask("POST", f"sys/leases/revoke-prefix/auth/up/login/al/{lease}", {}).status == 204
    assert other.ask("GET", "auth/token/lookup-self").status == 403


def test_no_key_of_a_lock_is_lost_with_the_answer_it_would_be_wrapped_in(two) -> None:
    """Nothing is done any more in a namespace that is locked, wrapping the key that opens it neither."""
    inside, at = of(two, "ns1"), {"x_vault_namespace": "ns1"}
    refused = inside.ask("POST", "sys/namespaces/api-lock/lock", {}, x_vault_wrap_ttl="60", **at)
    assert refused.status == 400 and inside.ask("GET", "sys/mounts", **at).status == 200
    for method, path, more in (("POST", "ch", at), ("POST", "ns1/ch", {}), ("POST", "ns1", {})):
        reply = two.ask(method, f"sys/namespaces/api-lock/lock/{path}", {}, x_vault_wrap_ttl="60", **more)
        told = two.ask("POST", "sys/wrapping/unwrap", {"token": reply.json["wrap_info"]["token"]})
        key = told.json["data"]["unlock_key"]
        assert two.ask("POST", f"sys/namespaces/api-lock/unlock/{path}", {"unlock_key": key}, **more).status == 204
