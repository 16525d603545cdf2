"""What waits for approval, as Vault's control groups have it: a wrapping token, its accessor, and unwrap."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests import harness, vaultstack

from keystead.core import operations as ops
from keystead.core.actions import Action
from keystead.core.entities import AclPolicy, ApprovalRequest, Token
from keystead.core.errors import Denied
from keystead.core.operations import WAITS_FOR

MAY = """
path "transit/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "sys/wrapping/*" { capabilities = ["create", "update"] }
path "sys/control-group/*" { capabilities = ["create", "update"] }
path "sys/policies/*" { capabilities = ["create", "read", "update", "delete", "sudo"] }
path "auth/token/*" { capabilities = ["create", "update", "sudo"] }
"""
EXPORT = "transit/export/encryption-key/k"


class Office:
    """Ray asks; Ann and Bob are managers; each logs in with a password."""

    def __init__(self, **rule) -> None:
        self.vault = vaultstack.door()
        self.stack, root = self.vault.stack, self.vault.root
        root.policy("may", MAY)
        root.data("POST", "sys/mounts/transit", {"type": "transit"})
        root.data("POST", "transit/keys/k", {"exportable": True})
        root.data("POST", "sys/auth/userpass", {"type": "userpass"})
        accessor = root("GET", "sys/auth").json["data"]["userpass/"]["accessor"]
        ids = {}
        for name in ("ray", "ann", "bob"):
            root.data("POST", f"auth/userpass/users/{name}", {"password": "pw", "policies": "may"})
            ids[name] = root.data("POST", "identity/entity", {"name": name})["id"]
            alias = {"name": name, "canonical_id": ids[name], "mount_accessor": accessor}
            root.data("POST", "identity/entity-alias", alias)
        self.ids = ids
        members = {"name": "managers", "member_entity_ids": [ids["ann"], ids["bob"], ids["ray"]]}
        root.data("POST", "identity/group", members)
        self.ray, self.ann, self.bob = (self.log_in(name) for name in ("ray", "ann", "bob"))
        given = {"actions": ("export", "destroy", "policy"), "n_approvals": 2, **rule}
        named = (ops.ApproverSaid(who="identity-group:managers"),)
        self.by_system(ops.PutApprovalRule(scope=harness.TENANT, name="two", approvers=named, **given))

    def by_system(self, op):
        """By the operator, past the loop."""
        loop, self.stack.view.loop_thread = self.stack.view.loop_thread, None
        try:
            return self.stack.by_system(op)
        finally:
            self.stack.view.loop_thread = loop

    def log_in(self, name: str) -> vaultstack.Bearer:
        reply = self.vault.nobody("POST", f"auth/userpass/login/{name}", {"password": "pw"})
        return vaultstack.Bearer(self.stack, reply.json["auth"]["client_token"])

    def aliased(self, name: str) -> vaultstack.Bearer:
        """A token that Ray makes somebody else's."""
        root, named = self.vault.root, {"name": name, "canonical_id": self.ids[name]}
        role = {"allowed_entity_aliases": [name], "orphan": True, "allowed_policies": ["may"]}
        root.data("POST", "auth/token/roles/r", role)
        accessor = root("GET", "sys/auth").json["data"]["token/"]["accessor"]
        root.data("POST", "identity/entity-alias", {**named, "mount_accessor": accessor})
        made = self.ray("POST", "auth/token/create/r", {"entity_alias": name, "policies": ["may"]})
        return vaultstack.Bearer(self.stack, made.json["auth"]["client_token"])

    def asked(self, by=None, method: str = "GET", path: str = EXPORT, body=None, **more):
        reply = (by or self.ray)(method, path, body, **more)
        assert reply.status == 200, reply.body
        info = reply.json["wrap_info"]
        assert reply.json.get("data") is None
        return info

    def authorize(self, who, accessor: str) -> bool:
        return who.data("POST", "sys/control-group/authorize", {"accessor": accessor})["approved"]


@pytest.fixture
def office() -> Office:
    return Office()


def test_what_is_held_is_wrapped_and_done_when_it_is_unwrapped(office) -> None:
    info = office.asked()
    assert info["creation_path"] == EXPORT
    assert 0 < info["ttl"] <= 86_400
    status = office.ann.data("POST", "sys/control-group/request", {"accessor": info["accessor"]})
    assert status == {
        "approved": False,
        "request_path": EXPORT,
        "request_entity": {"id": office.ids["ray"], "name": "userpass-ray"},
        "authorizations": [],
    }
    assert office.ray.refused("POST", "sys/wrapping/unwrap", {"token": info["token"]}) == (
        400,
        "Request needs further approval",
    )
    assert office.authorize(office.ann, info["accessor"]) is False
    assert office.authorize(office.bob, info["accessor"]) is True
    status = office.ray.data("POST", "sys/control-group/request", {"accessor": info["accessor"]})
    assert status["approved"] is True
    assert status["authorizations"] == [{"entity_id": office.ids[name], "entity_name": name} for name in ("ann", "bob")]
    answer = office.ray("POST", "sys/wrapping/unwrap", {"token": info["token"]})
    assert answer.status == 200
    assert set(answer.json["data"]["keys"]) == {"1"}
    assert office.ray.refused("POST", "sys/wrapping/unwrap", {"token": info["token"]})[0] == 400
    assert office.stack.barrier.every(ApprovalRequest) == []
    office.asked()


def test_who_has_read_a_secret_before_waits_from_the_rule_on() -> None:
    """Where there is no rule at all a read is not held up to ask; the first one there is has to be heard of."""
    vault = vaultstack.door()
    root = vault.root
    root.data("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "1"}})
    root("POST", "kv/one", {"a": "1"})
    root.policy("kv", 'path "kv/*" { capabilities = ["read"] }')
    ann = root.data("POST", "identity/entity", {"name": "ann"})["id"]
    root.data("POST", "identity/group", {"name": "managers", "member_entity_ids": [ann]})
    reader = root.token(policies=["kv"])
    assert [reader.data("GET", "kv/one") for _ in range(3)] == [{"a": "1"}] * 3
    approvers = (ops.ApproverSaid(who="identity-group:managers"),)
    rule = {"actions": (Action.READ_SECRET.value,), "n_approvals": 1, "approvers": approvers}
    vault.stack.view.loop_thread = None
    vault.stack.by_system(ops.PutApprovalRule(scope=harness.TENANT, name="kv", **rule))
    assert reader("GET", "kv/one").json["wrap_info"]["accessor"]


def test_a_change_with_a_body_is_made_once(office) -> None:
    policy = {"policy": 'path "a" { capabilities = ["read"] }'}
    info = office.asked(method="PUT", path="sys/policies/acl/p", body=policy)
    for who in (office.ann, office.bob):
        office.authorize(who, info["accessor"])
    assert office.ray.refused("GET", "sys/policies/acl/p")[0] == 404
    assert office.ray("POST", "sys/wrapping/unwrap", {"token": info["token"]}).status == 204
    assert office.ray.data("GET", "sys/policies/acl/p")["policy"] == policy["policy"]


def test_asked_again_after_approval_it_is_done_without_the_token(office) -> None:
    info = office.asked()
    again = office.asked()
    assert again["accessor"] != info["accessor"], "a token of its own, for the same request"
    office.authorize(office.ann, info["accessor"])
    office.authorize(office.bob, again["accessor"])
    assert office.ray.data("GET", EXPORT)["keys"]
    assert office.ray.refused("POST", "sys/wrapping/unwrap", {"token": info["token"]})[0] == 400


def test_the_token_is_nobody_elses_to_unwrap(office) -> None:
    info = office.asked()
    for who in (office.ann, office.bob):
        office.authorize(who, info["accessor"])
    for who in (office.ann, office.vault.root):
        assert who.refused("POST", "sys/wrapping/unwrap", {"token": info["token"]})[0] == 403
    other = office.log_in("ray")
    assert other("POST", "sys/wrapping/unwrap", {"token": info["token"]}).status == 200, "the same entity"


@pytest.mark.parametrize("way", ["itself", "another login", "child", "orphan", "alias"])
def test_who_asks_does_not_authorize_whatever_they_come_with(way: str) -> None:
    """Through a child of the token, an orphan it makes, or one that it makes another's."""
    office = Office(actions=("export",))
    ray = office.ray
    made = office.aliased("ann") if way == "alias" else ray
    info = office.asked()
    hand = {
        "itself": lambda: ray,
        "another login": lambda: office.log_in("ray"),
        "child": lambda: ray.token(policies=["may"]),
        "orphan": lambda: ray.token(policies=["may"], no_parent=True),
        "alias": lambda: made,
    }[way]()
    assert hand.refused("POST", "sys/control-group/authorize", {"accessor": info["accessor"]})[0] == 403
    found = office.ann.data("POST", "sys/control-group/request", {"accessor": info["accessor"]})
    assert found["authorizations"] == []


def test_two_tokens_of_one_entity_are_one_approval(office) -> None:
    info = office.asked()
    assert office.authorize(office.ann, info["accessor"]) is False
    assert office.authorize(office.log_in("ann"), info["accessor"]) is False


def test_an_authorization_goes_with_its_entity(office) -> None:
    info = office.asked()
    for who in (office.ann, office.bob):
        office.authorize(who, info["accessor"])
    office.vault.root.data("POST", f"identity/entity/id/{office.ids['ann']}", {"disabled": True})
    again = office.ray("POST", "sys/wrapping/unwrap", {"token": info["token"]})
    assert again.json["wrap_info"]["accessor"] != info["accessor"], "it waits again"
    office.asked()


@pytest.mark.parametrize("how", ["token", "entity", "policy"])
def test_who_may_not_any_more_has_nothing_done(office, how) -> None:
    """Unwrapped or asked for again, it is done with the rights of whoever asks as they are then."""
    root, stack, entity = office.vault.root, office.stack, {"disabled": True}
    info = office.asked()
    for who in (office.ann, office.bob):
        office.authorize(who, info["accessor"])
    {
        "token": lambda: office.ray.data("POST", "auth/token/revoke-self"),
        "entity": lambda: root.data("POST", f"identity/entity/id/{office.ids['ray']}", entity),
        "policy": lambda: stack.put(replace(_policy(stack), text=MAY.replace("transit/*", "transit/keys/*"))),
    }[how]()
    status = office.ray.refused("POST", "sys/wrapping/unwrap", {"token": info["token"]})[0]
    assert status == (403 if how == "policy" else 400)
    assert office.ray.refused("GET", EXPORT)[0] == 403
    (request,) = stack.barrier.every(ApprovalRequest)
    assert request.approved_at is not None, "nothing was used up"


@pytest.mark.parametrize("generations", [0, 1, 2])
def test_what_a_token_was_approved_ends_with_whoever_has_made_it(generations: int) -> None:
    """It is another's by an alias, and lives on without its maker; so do those that it makes."""
    office = Office(actions=("export",), n_approvals=1)
    hand = office.aliased("ann")
    for _ in range(generations):
        hand = hand.token(policies=["may"])
    info = office.asked(hand)
    office.authorize(office.bob, info["accessor"])
    office.vault.root.data("POST", f"identity/entity/id/{office.ids['ray']}", {"disabled": True})
    assert hand.is_good(), "ann is there"
    assert hand.refused("GET", EXPORT)[0] == 403
    office.vault.root.data("POST", f"identity/entity/id/{office.ids['ray']}", {"disabled": False})
    assert hand.data("GET", EXPORT)["keys"]


def _policy(stack) -> AclPolicy:
    return next(one for one in stack.barrier.every(AclPolicy) if one.name == "may")


def test_nobody_makes_an_approver_of_themselves(office) -> None:
    """A password in an approver's name, an alias of theirs, a member more, two entities made one."""
    root, ids = office.vault.root, office.ids
    eve = root.data("POST", "identity/entity", {"name": "eve"})["id"]
    accessor = root("GET", "sys/auth").json["data"]["userpass/"]["accessor"]
    (alias,) = root.data("GET", f"identity/entity/id/{ids['ann']}")["aliases"]
    group = root.data("GET", "identity/group/name/managers")["id"]
    named = {"name": "eve", "mount_accessor": accessor}
    for path, body in (
        ("auth/userpass/users/ann", {"password": "another"}),
        ("auth/userpass/users/ann/password", {"password": "another"}),
        ("identity/entity-alias", {**named, "canonical_id": ids["ann"]}),
        (f"identity/entity-alias/id/{alias['id']}", {**named, "canonical_id": eve}),
        ("identity/group", {"name": "managers", "member_entity_ids": [eve]}),
        (f"identity/group/id/{group}", {"name": "managers", "member_entity_ids": [eve]}),
        ("identity/entity/merge", {"from_entity_ids": [eve], "to_entity_id": ids["ann"]}),
        ("identity/entity/merge", {"from_entity_ids": [ids["ann"]], "to_entity_id": eve}),
    ):
        reply = root("POST", path, body)
        assert reply.status == 200, (path, reply.body)
        assert reply.json["wrap_info"], path
    for path, body in (
        ("auth/userpass/users/eve", {"password": "pw"}),
        ("identity/entity-alias", {**named, "canonical_id": eve}),
        ("identity/group", {"name": "others", "member_entity_ids": [eve]}),
    ):
        assert not (root("POST", path, body).json or {}).get("wrap_info"), path


def test_used_as_who_asks_it_is_used_up_and_what_was_approved_is_not(office) -> None:
    """`VAULT_TOKEN=wrapping bao unwrap`: nobody knows who asks. The request itself is still approved."""
    info = office.asked()
    for who in (office.ann, office.bob):
        office.authorize(who, info["accessor"])
    alone = vaultstack.Bearer(office.stack, info["token"])
    assert alone.refused("POST", "sys/wrapping/unwrap")[0] == 403
    assert office.ray.data("GET", EXPORT)["keys"]


def test_what_was_denied_is_told(office) -> None:
    info = office.asked()
    (request,) = office.stack.barrier.every(ApprovalRequest)
    with pytest.raises(Denied):
        office.by_system(ops.Deny(scope=harness.TENANT, id=request.id))  # the operator is nobody whom the rule names
    office.stack.put(replace(request, denied_by="ann", denied_name="ann"))
    status, words = office.ray.refused("POST", "sys/wrapping/unwrap", {"token": info["token"]})
    assert (status, "was denied" in words) == (400, True)
    status, words = office.ray.refused("GET", EXPORT)
    assert (status, "was denied" in words) == (403, True)
    assert office.ann.refused("POST", "sys/control-group/authorize", {"accessor": info["accessor"]})[0] == 400


def test_it_lasts_as_long_as_the_request_or_as_is_said(office) -> None:
    root = office.vault.root
    assert root.refused("GET", "sys/config/control-group")[0] == 404
    root.data("POST", "sys/config/control-group", {"max_ttl": "10m"})
    assert root.data("GET", "sys/config/control-group") == {"max_ttl": "10m"}
    info = office.asked()
    assert info["ttl"] == 600
    office.stack.clock.forward(timedelta(minutes=11))
    assert office.ray.refused("POST", "sys/wrapping/unwrap", {"token": info["token"]})[0] == 400
    root.data("DELETE", "sys/config/control-group")
    assert office.asked()["ttl"] > 600
    assert root.refused("POST", "sys/config/control-group", {"max_ttl": "-1s"})[0] == 400


def test_what_is_no_accessor_is_refused(office) -> None:
    ordinary = office.ray("GET", "auth/token/lookup-self", wrap="60").json["wrap_info"]
    for path in ("sys/control-group/request", "sys/control-group/authorize"):
        for accessor in ("", "nothing", ordinary["accessor"]):
            word = "invalid" if accessor else "missing"
            said = office.ann.refused("POST", path, {"accessor": accessor})
            assert said == (400, f"1 error occurred:\n\t* {word} accessor\n\n")  # OpenBao 2.7.2


def test_wrapped_anew_it_still_waits(office) -> None:
    info = office.asked()
    again = office.ray("POST", "sys/wrapping/rewrap", {"token": info["token"]}).json["wrap_info"]
    assert office.ray.refused("POST", "sys/wrapping/unwrap", {"token": again["token"]})[0] == 400
    for who in (office.ann, office.bob):
        office.authorize(who, again["accessor"])
    assert office.ray("POST", "sys/wrapping/unwrap", {"token": again["token"]}).status == 200


def test_a_long_request_is_refused_in_words_and_sent_again(office) -> None:
    text = "# " + "x" * 70_000 + '\npath "a" { capabilities = ["read"] }'
    status, words = office.ray.refused("PUT", "sys/policies/acl/p", {"policy": text})
    assert status == 403
    assert "request" in words
    assert not [one for one in office.stack.barrier.every(Token) if WAITS_FOR in one.meta]


def test_the_default_policy_lets_everybody_see_how_a_request_stands(office) -> None:
    info = office.asked()
    plain = office.vault.root.token(policies=["default"])
    asked = {"accessor": info["accessor"]}
    assert plain.data("POST", "sys/control-group/request", asked)["approved"] is False
    assert plain.refused("POST", "sys/control-group/authorize", asked)[0] == 403
