"""Ways round a rule: what reaches the same thing by another name, and what was approved for something else."""

from __future__ import annotations

import pytest
from tests import harness, vaultstack
from tests.doors.vault.test_control_groups import Office

from keystead.core import operations as ops
from keystead.core.entities import ApprovalRules, Key, Mount, Token
from keystead.core.mounts import path_of
from keystead.service.barrier import Commit
from keystead.service.persons import persons_of_token
from keystead.service.quorum import MAX_OF_ONE, MAX_OF_PEOPLE


def held(office: Office, who, method: str, path: str, body=None) -> str:
    """The accessor of what waits; "" of what has been done."""
    reply = who(method, path, body)
    return ((reply.json or {}).get("wrap_info") or {}).get("accessor", "") if reply.body else ""


def put(office: Office, name: str, who: str, **rule) -> None:
    given = {"actions": ("destroy",), "n_approvals": 1, "approvers": (ops.ApproverSaid(who=who),), **rule}
    office.by_system(ops.PutApprovalRule(scope=harness.TENANT, name=name, **given))


def ring_of(office: Office, path: str) -> str:
    return next(one.keyring for one in office.stack.barrier.every(Mount) if path_of(one) == path)


def keys_of(office: Office, ring: str) -> tuple[str, ...]:
    return tuple(one.id for one in office.stack.barrier.every(Key) if one.keyring == ring)


@pytest.fixture
def office() -> Office:
    """Without a rule."""
    made = Office()
    made.stack.barrier.commit(Commit(delete=(made.stack.barrier.get(ApprovalRules, harness.TENANT),)))
    made.stack.generation.announce()
    return made


@pytest.mark.parametrize("place", ["keyrings", "keys"])
def test_what_takes_a_whole_keyring_away_is_held_by_a_rule_of_what_is_in_it(office, place: str) -> None:
    root = office.vault.root
    root.data("POST", "sys/mounts/other", {"type": "transit"})
    root.data("POST", "other/keys/k", {})
    ring = ring_of(office, "transit")
    put(office, "one", "identity-group:managers", **{place: (ring,) if place == "keyrings" else keys_of(office, ring)})
    assert held(office, root, "DELETE", "sys/mounts/transit")
    assert not held(office, root, "DELETE", "sys/mounts/other")


def test_what_was_approved_of_one_mount_is_not_done_to_another_that_has_come_in_its_place(office) -> None:
    root = office.vault.root
    root.data("POST", "sys/mounts/spare", {"type": "transit"})
    put(office, "one", "identity-group:managers", actions=("tenant:disable-mount",))
    accessor = held(office, root, "DELETE", "sys/mounts/spare")
    assert office.authorize(office.ann, accessor) is True
    for source, target in (("spare", "away"), ("transit", "spare")):
        root("POST", "sys/remount", {"from": source, "to": target})
    assert ring_of(office, "spare")
    assert held(office, root, "DELETE", "sys/mounts/spare") not in {"", accessor}
    assert root.data("GET", "spare/keys/k")


def test_no_token_is_made_in_the_name_of_an_approver(office) -> None:
    root, ids = office.vault.root, office.ids
    accessor = root("GET", "sys/auth").json["data"]["token/"]["accessor"]
    alias = {"name": "ann-by-token", "mount_accessor": accessor}
    root.data("POST", "identity/entity-alias", {**alias, "canonical_id": ids["ann"]})
    root.data("POST", "auth/token/roles/any", {"allowed_entity_aliases": "*"})
    put(office, "one", "entity:ann", actions=("slots",))
    for name in ("ann-by-token", "Ann-By-Token"):
        made = root("POST", "auth/token/create/any", {"entity_alias": name})
        told = (made.json or {}).get("auth") or {}
        assert told.get("entity_id", "") != ids["ann"], name
    assert not held(office, root, "POST", "auth/token/create/any", {"entity_alias": "somebody"})


def test_a_secret_deleted_with_all_its_versions_is_destroyed(office) -> None:
    root = office.vault.root
    root.data("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
    root.data("POST", "kv/data/a", {"data": {"x": "y"}})
    put(office, "one", "identity-group:managers")
    assert held(office, root, "DELETE", "kv/metadata/a")
    assert not held(office, root, "DELETE", "kv/data/a"), "which can be undone"


def test_tokens_that_their_maker_leaves_behind_are_still_of_whoever_made_them(office) -> None:
    root = office.vault.root
    parent = root("POST", "auth/token/create", {"no_parent": True}).json["auth"]
    maker = vaultstack.Bearer(office.stack, parent["client_token"])
    child = maker("POST", "auth/token/create", {}).json["auth"]
    find = {one.accessor: one for one in office.stack.barrier.every(Token)}
    before = persons_of_token(find[child["accessor"]], lambda id_: office.stack.barrier.get(Token, id_))
    root("POST", "auth/token/revoke-orphan", {"token": parent["client_token"]})
    find = {one.accessor: one for one in office.stack.barrier.every(Token)}
    after = persons_of_token(find[child["accessor"]], lambda id_: office.stack.barrier.get(Token, id_))
    assert set(before) <= set(after)


def test_many_tokens_of_one_maker_do_not_take_every_place(office) -> None:
    """Orphans too: who made them stands behind them. Somebody else still asks."""
    root = office.vault.root
    root.data("POST", "transit/keys/other", {})
    put(office, "one", "identity-group:managers", actions=("export",))
    maker = vaultstack.Bearer(office.stack, made(root))
    waiting = 0
    for _ in range(MAX_OF_PEOPLE // MAX_OF_ONE + 1):
        orphan = vaultstack.Bearer(office.stack, made(maker))
        for n in range(MAX_OF_ONE):
            reply = orphan("GET", f"transit/export/encryption-key/k/{n + 1}")
            waiting += reply.status == 200
    assert waiting == MAX_OF_PEOPLE
    assert reply.status == 429 or "requests wait for approval already" in reply.body.decode()
    assert held(office, office.ray, "GET", "transit/export/encryption-key/k")


def made(by) -> str:
    wanted = {"no_parent": True, "policies": ["root"]}
    return by("POST", "auth/token/create", wanted).json["auth"]["client_token"]
