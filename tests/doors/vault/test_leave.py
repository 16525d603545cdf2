"""Whoever may not ask hears that, and nothing else: at every operation of the door, whatever is sent to it."""

from __future__ import annotations

import re

import pytest
from tests import vaultstack

from keystead.doors import vault as door
from keystead.doors.vault.endpoint import Endpoint
from keystead.wire.vault.request import Verb

LOGINS = ("userpass", "approle", "jwt", "kubernetes", "cert")
AT = {"system": "sys/", "help": "", "kv-v2": "kv2/"} | {name: f"auth/{name}/" for name in ("token", *LOGINS)}
METHODS = {Verb.READ: "GET", Verb.WRITE: "POST", Verb.LIST: "LIST", Verb.SCAN: "SCAN", Verb.DELETE: "DELETE"}
METHODS |= {Verb.PATCH: "PATCH", Verb.HEAD: "HEAD"}
FOR_ANY_TOKEN = {  # what they tell hangs on the token itself
    "system read internal/ui/mounts",
    "system read internal/ui/resultant-acl",
    "system read internal/ui/namespaces",
}
USER_INFO = "/userinfo"  # RFC 6750 §3.1
OF_A_PARCEL = {"system write wrapping/lookup", "system read wrapping/lookup"}
OF_A_PARCEL |= {f"system write wrapping/{verb}" for verb in ("rewrap", "unwrap")}
BODIES = ({}, {"unknown": 1}, {"name": []}, {"path": {}, "policy": 5})
SIGNED = [
    one
    for one in door.DOOR.operations
    if isinstance(one, Endpoint) and not one.unsigned and one.verb is not Verb.HELP and one.name not in OF_A_PARCEL
]


@pytest.fixture(scope="module")
def nobody_much() -> vaultstack.Bearer:
    """Whose token has a policy that says nothing."""
    vault = vaultstack.door()
    for path, engine in (("kv", "kv"), ("kv2", "kv-v2"), ("transit", "transit"), ("totp", "totp")):
        assert vault.root("POST", f"sys/mounts/{path}", {"type": engine}).status == 204
    for engine in LOGINS:
        assert vault.root("POST", f"sys/auth/{engine}", {"type": engine}).status == 204
    return vault.root.token(policies=["nothing"], no_default_policy=True)


def path_of(endpoint: Endpoint) -> str:
    filled = re.sub(r"\{\w+(:\w+)?\??\}", "x", endpoint.path.removesuffix("/?"))
    return AT.get(endpoint.engine, f"{endpoint.engine}/") + filled


@pytest.mark.parametrize("endpoint", SIGNED, ids=lambda one: one.name)
def test_who_may_not_is_told_so_and_nothing_else(nobody_much, endpoint) -> None:
    before = len(nobody_much.stack.journal.lines)
    kind = {"content_type": "application/merge-patch+json"} if endpoint.verb is Verb.PATCH else {}
    bodies = (None, *(BODIES if endpoint.verb in {Verb.WRITE, Verb.PATCH} else ()))
    asked = [nobody_much(METHODS[endpoint.verb], path_of(endpoint), body, **kind) for body in bodies]
    if endpoint.name in FOR_ANY_TOKEN:
        return
    assert {reply.status for reply in asked} == {401 if endpoint.path.endswith(USER_INFO) else 403}
    assert len(nobody_much.stack.journal.lines) >= before + len(asked)


@pytest.mark.parametrize("path", ["kv/a/", "cubbyhole/a/", "kv2/data/a/"])
def test_a_name_that_is_none_is_no_way_past_the_policy(nobody_much, path) -> None:
    for method in ("GET", "DELETE"):
        assert nobody_much(method, path).status == 403


def test_what_is_wrong_is_told_to_whoever_may_ask() -> None:
    vault = vaultstack.door()
    wrong = ("POST", "sys/quotas/config", {"enable_rate_limit_response_headers": True})
    vault.root.policy("may", 'path "sys/quotas/*" { capabilities = ["read"] }')
    one = vault.root.token(policies=["may"])
    assert one.refused(*wrong) == (403, vaultstack.DENIED)
    vault.root.policy("may", 'path "sys/quotas/*" { capabilities = ["update"] }')
    assert one.refused(*wrong)[0] == 400


def test_what_finds_nothing_to_do_is_allowed_and_on_record() -> None:
    vault = vaultstack.door()
    vault.root.data("POST", "sys/mounts/kv", {"type": "kv"})
    before = len(vault.stack.journal.lines)
    assert vault.root("POST", "sys/quotas/config", {}).status == 204
    assert vault.root("DELETE", "kv/a/").status == 204
    assert len(vault.stack.journal.lines) == before + 2
