"""identity/…: entities, aliases, groups; and what tokens have by them. Vault documentation, "Identity".

Words and shapes are held to OpenBao's by test_identity_openbao.py.
"""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from tests import vaultstack
from tests.harness import TENANT
from tests.vaultstack import DENIED, Bearer

from keystead.core.entities import (
    AclPolicy,
    Alias,
    GroupTie,
    IdentityEntity,
    IdentityGroup,
    IdentityName,
    PolicyText,
    Token,
)
from keystead.core.operations import TenantRef, WriteSecret
from keystead.core.policy.paths import Filled, filled
from keystead.service.barrier import Commit
from keystead.service.credentials.token import token_id
from keystead.service.handlers.joining import join

NO = (403, "permission denied")
READ = 'path "kv/data/{}" {{ capabilities = ["read"] }}'


@pytest.fixture
def vault():
    made = vaultstack.door()
    for engine in ("userpass", "approle"):
        made.root.data("POST", f"sys/auth/{engine}", {"type": engine})
    made.root.data("POST", "sys/mounts/kv", {"type": "kv-v2"})
    for name in ("own", "outer", "direct", "mine"):
        made.root.data("POST", f"kv/data/{name}", {"data": {"x": name}})
        made.root.policy(name, READ.format(name))
    return made


def accessor(vault, path: str = "userpass") -> str:
    return vault.root.data("GET", "sys/auth")[f"{path}/"]["accessor"]


def log_in(vault, name: str = "bob") -> tuple[Bearer, str]:
    """(whoever has logged in, their entity's id)"""
    vault.root.data("POST", f"auth/userpass/users/{name}", {"password": "pw"})
    auth = vault.nobody("POST", f"auth/userpass/login/{name}", {"password": "pw"}).json["auth"]
    return Bearer(vault.stack, auth["client_token"]), auth["entity_id"]


def reads(bearer: Bearer, *names: str) -> list[bool]:
    return [bearer("GET", f"kv/data/{name}").status == 200 for name in names]


def kept(vault) -> list[int]:
    barrier = vault.stack.barrier
    kinds = (IdentityEntity, IdentityGroup, IdentityName, GroupTie, Alias)
    return [len(barrier.every(kind, limit=1000)) for kind in kinds]


# --- who logs in


def test_the_first_login_makes_the_entity_and_later_ones_find_it(vault) -> None:
    _, first = log_in(vault)
    _, again = log_in(vault)
    _, other = log_in(vault, "eve")
    assert first == again != other
    assert kept(vault) == [2, 0, 4, 0, 2]


def test_names_count_whatever_the_case_of_ascii_and_no_further(vault) -> None:
    """security.md §4-A row 3: the Kelvin sign is no k."""
    made = vault.root.data("POST", "identity/entity", {"name": "Kay"})
    assert vault.root("POST", "identity/entity", {"name": "kAY"}).status == 204
    assert vault.root.data("POST", "identity/entity", {"name": "\N{KELVIN SIGN}ay"})["id"] != made["id"]
    for name in ("a\nb", "\x00", "x" * 513):
        assert vault.root("POST", "identity/entity", {"name": name}).status == 400


def test_a_name_made_anew_is_somebody_else(vault) -> None:
    """security.md §4-A row 14."""
    token, id_ = log_in(vault)
    vault.root.data("POST", f"identity/entity/id/{id_}", {"name": "bob", "policies": "own"})
    assert reads(token, "own") == [True]
    vault.root.data("DELETE", f"identity/entity/id/{id_}")
    vault.root.data("POST", "identity/entity", {"name": "bob", "policies": "own"})
    assert token.refused("GET", "auth/token/lookup-self") == NO
    newer, other = log_in(vault)
    assert other != id_ and reads(newer, "own") == [False]


def test_two_that_log_in_at_once_for_the_first_time_are_one(vault) -> None:
    vault.root.data("POST", "auth/userpass/users/bob", {"password": "pw"})
    found: list[str] = []

    def one() -> None:
        found.append(vault.nobody("POST", "auth/userpass/login/bob", {"password": "pw"}).json["auth"]["entity_id"])

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1
    assert kept(vault)[0] == 1


# --- what tokens have by it


def test_policies_of_entity_and_groups_count_at_once_and_end_at_once(vault) -> None:
    """security.md §4-C rows 45, 46: what was acknowledged is enforced."""
    token, id_ = log_in(vault)
    names = ("own", "direct", "outer", "mine")
    assert reads(token, *names) == [False] * 4
    vault.root.data("POST", f"identity/entity/id/{id_}", {"policies": "own"})
    assert reads(token, *names) == [True, False, False, False]
    group = vault.root.data("POST", "identity/group", {"policies": "direct", "member_entity_ids": [id_]})["id"]
    assert reads(token, *names) == [True, True, False, False]
    outer = vault.root.data("POST", "identity/group", {"policies": "outer", "member_group_ids": [group]})["id"]
    assert reads(token, *names) == [True, True, True, False]
    vault.root.data("POST", f"identity/group/id/{outer}", {"policies": "mine"})
    assert reads(token, *names) == [True, True, False, True]
    vault.root.data("POST", f"identity/group/id/{outer}", {"member_group_ids": []})
    assert reads(token, *names) == [True, True, False, False]
    vault.root.data("POST", f"identity/group/id/{group}", {"member_entity_ids": []})
    assert reads(token, *names) == [True, False, False, False]
    vault.root.data("POST", f"identity/group/id/{group}", {"member_entity_ids": [id_]})
    vault.root.data("DELETE", f"identity/group/id/{group}")
    assert reads(token, *names) == [True, False, False, False]
    vault.root.data("POST", f"identity/entity/id/{id_}", {"policies": []})
    assert reads(token, *names) == [False] * 4


def test_groups_that_meet_above_are_walked_once(vault) -> None:
    token, id_ = log_in(vault)
    low = [
        vault.root.data("POST", "identity/group", {"name": f"low{n}", "member_entity_ids": [id_]})["id"] for n in (1, 2)
    ]
    top = vault.root.data("POST", "identity/group", {"name": "top", "policies": "outer", "member_group_ids": low})["id"]
    found = vault.root.data("GET", f"identity/entity/id/{id_}")
    assert (set(found["direct_group_ids"]), found["inherited_group_ids"]) == (set(low), [top])
    assert reads(token, "outer") == [True]


def test_children_belong_to_whom_their_parents_do_and_orphans_to_nobody(vault) -> None:
    token, id_ = log_in(vault)
    text = 'path "auth/token/*" { capabilities = ["create", "read", "update", "sudo"] }'
    vault.root.policy("maker", text)
    vault.root.data("POST", f"identity/entity/id/{id_}", {"policies": ["maker", "own"]})
    child = token.token()
    assert reads(child, "own") == [True]
    orphan = Bearer(vault.stack, token("POST", "auth/token/create-orphan", {}).json["auth"]["client_token"])
    assert reads(orphan, "own") == [False]
    vault.root.data("POST", f"identity/entity/id/{id_}", {"disabled": True})
    assert not child.is_good() and orphan.is_good()


def test_who_is_disabled_comes_in_by_no_token_and_gets_none(vault) -> None:
    token, id_ = log_in(vault)
    assert token.is_good()
    vault.root.data("POST", f"identity/entity/id/{id_}", {"disabled": True})
    assert token.refused("GET", "auth/token/lookup-self") == NO
    assert vault.nobody.refused("POST", "auth/userpass/login/bob", {"password": "pw"}) == NO
    vault.root.data("POST", f"identity/entity/id/{id_}", {"disabled": False})
    assert token.is_good()


def test_who_is_disabled_while_a_change_of_theirs_is_under_way_does_not_make_it(vault) -> None:
    """security.md §4-C row 45: the commit rests on the entity, and on its groups."""
    vault.root.policy("writer", 'path "kv/data/*" { capabilities = ["create", "update"] }')
    token, id_ = log_in(vault)
    group = vault.root.data("POST", "identity/group", {"policies": "writer", "member_entity_ids": [id_]})["id"]
    handlers = vault.stack.service._handlers
    acts = []

    def meanwhile(path: str, body: dict) -> int:
        """The status of a write that this comes in the middle of."""
        write = handlers[WriteSecret]

        def slow(op, targets, act):
            handlers[WriteSecret] = write
            acts.append(vault.root("POST", path, body).status)
            return write(op, targets, act)

        handlers[WriteSecret] = slow
        return token("POST", "kv/data/mine", {"data": {"x": "changed"}}).status

    assert meanwhile(f"identity/group/id/{group}", {"metadata": {"a": "b"}}) == 200  # decided again, and still allowed
    assert meanwhile(f"identity/group/id/{group}", {"member_entity_ids": []}) == 403
    vault.root.data("POST", f"identity/entity/id/{id_}", {"policies": "writer"})
    assert meanwhile(f"identity/entity/id/{id_}", {"disabled": True}) == 403
    assert acts == [204, 204, 204]
    assert vault.root.data("GET", "kv/data/mine")["metadata"]["version"] == 2


def test_a_deny_of_a_group_stands_within_its_path(vault) -> None:
    token, id_ = log_in(vault)
    vault.root.policy("never", 'path "kv/data/own" { capabilities = ["deny"] }')
    vault.root.data("POST", f"identity/entity/id/{id_}", {"policies": "own"})
    assert reads(token, "own") == [True]
    vault.root.data("POST", "identity/group", {"policies": "never", "member_entity_ids": [id_]})
    assert reads(token, "own") == [False]


def test_who_is_merged_keeps_its_tokens_and_has_what_the_other_has(vault) -> None:
    token, id_ = log_in(vault)
    into = vault.root.data("POST", "identity/entity", {"name": "one", "policies": "own"})["id"]
    group = vault.root.data("POST", "identity/group", {"policies": "direct", "member_entity_ids": [id_]})["id"]
    vault.root.data("POST", "identity/entity/merge", {"from_entity_ids": [id_], "to_entity_id": into})
    assert reads(token, "own", "direct") == [True, True]
    third = vault.root.data("POST", "identity/entity", {"name": "two", "policies": "mine"})["id"]
    vault.root.data("POST", "identity/entity/merge", {"from_entity_ids": [into], "to_entity_id": third})
    assert reads(token, "own", "direct", "mine") == [True, True, True]
    assert vault.root.data("GET", f"identity/group/id/{group}")["member_entity_ids"] == [third]
    assert log_in(vault)[1] == third
    vault.root.data("POST", f"identity/entity/id/{third}", {"disabled": True})
    assert not token.is_good()
    vault.root.data("DELETE", f"identity/entity/id/{third}")
    assert kept(vault) == [0, 1, 1, 0, 0] and not token.is_good()


# --- templates


TEMPLATED = """
path "kv/data/{{identity.entity.name}}/*" { capabilities = ["read"] }
path "kv/data/by/{{identity.entity.metadata.team}}" { capabilities = ["read"] }
path "kv/data/at/{{identity.entity.aliases.ACCESSOR.name}}" { capabilities = ["read"] }
path "kv/data/of/{{identity.groups.names.crew.id}}" { capabilities = ["read"] }
"""


def test_templates_are_of_whoever_asks_and_change_with_them(vault) -> None:
    token, id_ = log_in(vault)
    vault.root.policy("mine", TEMPLATED.replace("ACCESSOR", accessor(vault)))
    vault.root.data("POST", f"identity/entity/id/{id_}", {"name": "bob", "policies": "mine"})
    can = lambda path: token.data("POST", "sys/capabilities-self", {"path": path})[path]  # noqa: E731 - said four times
    assert [can("kv/data/bob/x"), can("kv/data/by/red"), can("kv/data/at/bob")] == [["read"], ["deny"], ["read"]]
    vault.root.data("POST", f"identity/entity/id/{id_}", {"name": "rob", "metadata": {"team": "red"}})
    assert [can("kv/data/bob/x"), can("kv/data/rob/x"), can("kv/data/by/red")] == [["deny"], ["read"], ["read"]]
    crew = vault.root.data("POST", "identity/group", {"name": "crew", "member_entity_ids": [id_]})["id"]
    assert can(f"kv/data/of/{crew}") == ["read"]
    vault.root.data("POST", f"identity/group/id/{crew}", {"name": "crowd"})
    assert can(f"kv/data/of/{crew}") == ["deny"]
    alias = vault.root.data("GET", f"identity/entity/id/{id_}")["aliases"][0]["id"]
    vault.root.data("DELETE", f"identity/entity-alias/id/{alias}")
    assert can("kv/data/at/bob") == ["deny"]


@pytest.mark.parametrize("name", ["a/b", "*", "+", "kv/data/own"])
def test_a_value_that_reaches_further_than_its_place_takes_every_right_away(vault, name) -> None:
    """GHSA-59w7-v8rr-pr4p: security.md §4-A row 5; a path left out could have been one that says no."""
    token, id_ = log_in(vault)
    vault.root.data("POST", f"identity/entity/id/{id_}", {"policies": "own"})
    assert reads(token, "own") == [True]
    vault.root.data("POST", f"identity/entity/id/{id_}", {"name": name})
    assert reads(token, "own") == [False]
    assert token.refused("GET", "auth/token/lookup-self") == (403, DENIED)
    vault.root.data("POST", f"identity/entity/id/{id_}", {"name": "bob"})
    assert reads(token, "own") == [True]


def test_a_policy_that_asks_for_nothing_is_the_same_for_everybody() -> None:
    plain = PolicyText("p", "vault", READ.format("own"))
    assert filled(plain, {"identity.entity.id": "x"}) is plain
    asking = PolicyText("p", "vault", READ.format("{{identity.entity.id}}"))
    known = {"identity.entity.id": "x", "identity.entity.name": "y"}
    assert filled(asking, known) == Filled("p", "vault", asking.text, (("identity.entity.id", "x"),))
    hidden = PolicyText("p", "vault", READ.format("{\\x7bidentity.entity.id}}"))
    assert isinstance(filled(hidden, known), Filled)  # what its escapes hide is asked for, too


# --- external groups


def say_groups(vault, *names: str) -> tuple[str, ...]:
    """Bob logs in by a method that says which groups he is in; his policies by them."""
    stack = vault.stack
    stack.view.loop_thread = None
    tenant = stack.view.find(TenantRef(TENANT))
    mount = next(one for one in tenant.mounts() if one.engine == "userpass")
    act = SimpleNamespace(now=stack.clock.now(), entropy=stack.entropy)
    said = join(tenant, mount, "bob", None, act, groups=names)
    stack.barrier.commit(Commit(put=said.put, delete=said.delete, seen=said.seen))
    stack.generation.announce()
    return said.policies


def test_who_is_in_an_external_group_is_said_by_the_mount_that_it_is_of(vault) -> None:
    token, id_ = log_in(vault)
    group = vault.root.data("POST", "identity/group", {"name": "ext", "type": "external", "policies": "own"})["id"]
    body = {"name": "admins", "mount_accessor": accessor(vault), "canonical_id": group}
    vault.root.data("POST", "identity/group-alias", body)
    inner = vault.root.data("POST", "identity/group", {"name": "inner", "member_entity_ids": [id_]})["id"]
    outer = {"policies": "outer", "member_group_ids": [group]}
    vault.root.data("POST", "identity/group", outer)
    assert say_groups(vault, "admins", "nobody's") == ("outer", "own") and reads(token, "own", "outer") == [True, True]
    assert set(vault.root.data("GET", f"identity/entity/id/{id_}")["direct_group_ids"]) == {group, inner}
    assert say_groups(vault) == () and reads(token, "own", "outer") == [False, False]
    assert vault.root.data("GET", f"identity/entity/id/{id_}")["direct_group_ids"] == [inner]


# --- who may


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "identity/entity"),
        ("LIST", "identity/entity/id"),
        ("GET", "identity/entity/name/bob"),
        ("POST", "identity/entity/merge"),
        ("POST", "identity/entity/batch-delete"),
        ("POST", "identity/lookup/entity"),
        ("POST", "identity/lookup/group"),
        ("POST", "identity/group"),
        ("POST", "identity/group-alias"),
        ("POST", "identity/entity-alias"),
        ("DELETE", "identity/group/name/x"),
    ],
)
def test_who_may_not_is_told_no_whatever_they_ask(vault, method, path) -> None:
    """security.md §4-C row 35: by default nobody may; and what is wrong with a request is for who may make it."""
    token, _ = log_in(vault)
    assert token.refused(method, path, {}) == (403, DENIED)


def test_an_entity_reads_itself_and_nobody_else(vault) -> None:
    """The default policy; security.md §4-C row 36."""
    token, id_ = log_in(vault)
    _, other = log_in(vault, "eve")
    assert token.data("GET", f"identity/entity/id/{id_}")["id"] == id_
    assert token.refused("GET", f"identity/entity/id/{other}") == (403, DENIED)
    assert token.refused("POST", f"identity/entity/id/{id_}", {"policies": "own"}) == (403, DENIED)


def test_root_is_nobody_s_by_an_entity(vault) -> None:
    """CVE-2025-64761, CVE-2024-9180: nor by a group, in whatever letters."""
    for path in ("identity/entity", "identity/group"):
        assert vault.root.refused("POST", path, {"policies": [" ROOT "]}) == (400, "policies cannot contain root")


def test_an_alias_at_auth_token_is_for_whom_its_role_allows(vault) -> None:
    vault.root.data("POST", "auth/token/roles/r", {"allowed_entity_aliases": "ann, B-*-z"})
    for alias, good in {"ANN": True, "b--z": True, "b-1-z": True, "b-z": False, "annx": False, "*": False}.items():
        reply = vault.root("POST", "auth/token/create/r", {"entity_alias": alias})
        assert (reply.status == 200) is good, alias
    words = "invalid 'entity_alias' value"
    assert vault.root.refused("POST", "auth/token/create/r", {"entity_alias": "zz"}) == (400, words)


def test_what_is_too_much_is_refused(vault) -> None:
    """security.md §4-D."""
    assert vault.root("POST", "identity/entity", {"metadata": {str(n): "x" for n in range(65)}}).status == 500
    assert vault.root("POST", "identity/entity", {"policies": [str(n) for n in range(1001)]}).status == 400
    ids = [str(n) for n in range(1001)]
    assert vault.root("POST", "identity/entity/batch-delete", {"entity_ids": ids}).status == 400


def test_a_token_without_an_entity_rests_on_nothing_more(vault) -> None:
    """What it costs: one comparison in verify_token, and no read when it is looked for."""
    token = vault.root.token(policies=["own"])
    vault.stack.view.loop_thread = None
    rights = vault.stack.view.token(token_id(token.text)).rights
    assert not rights.identity_policies and {type(one) for one in rights.rests_on} == {Token, AclPolicy}
    assert reads(token, "own") == [True]
