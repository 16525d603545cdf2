"""Login MFA: methods and enforcements, in namespaces and under rules of approval."""

from __future__ import annotations

import pytest
from tests.doors.vault.factors import ENFORCEMENTS, METHODS, VALIDATE, Site
from tests.doors.vault.test_control_groups import Office
from tests.harness import TENANT

from keystead.core.entities import MfaRules, MfaSecret, WaitingLogin
from keystead.service.barrier import Commit

NS = {"x_vault_namespace": "ns1"}


@pytest.fixture
def site() -> Site:
    return Site()


# --- methods


def test_a_method_is_told_whole_and_listed(site) -> None:
    told = site.root.data("GET", f"identity/mfa/method/{site.method}")
    assert told == {
        "algorithm": "SHA1",
        "digits": 6,
        "id": site.method,
        "issuer": "Acme",
        "key_size": 20,
        "max_validation_attempts": 5,
        "name": "main",
        "namespace_id": "root",
        "namespace_path": "",
        "period": 30,
        "qr_size": 200,
        "skew": 1,
        "type": "totp",
    }
    for path in ("identity/mfa/method", METHODS):
        assert site.root.data("LIST", path) == {"keys": [site.method], "key_info": {site.method: told}}
    assert site.root.data("GET", f"{METHODS}/{site.method}") == told


def test_who_is_enrolled_keeps_what_they_have_when_a_method_changes(site) -> None:
    changed = {"issuer": "Other", "digits": 8, "period": 60, "algorithm": "SHA512", "max_validation_attempts": 1}
    site.root.data("POST", f"{METHODS}/{site.method}", changed)
    assert site.root.data("GET", f"identity/mfa/method/{site.method}")["name"] == "main"
    assert site.validate(site.begin(), site.wrong()).status == 403
    assert site.validate(site.begin(), site.code()).status == 403  # the number of tries is the method's
    site.forward(30)
    assert site.validate(site.begin(), site.code()).status == 200


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"method_name": "a,b"}, "without comma and colon"),
        ({"method_name": "a:b"}, "without comma and colon"),
        ({"method_name": "n" * 129}, "at most 128"),
        ({"issuer": "n" * 513}, "at most 512"),
        ({"key_size": 1025}, "at most 1024"),
        ({"period": "9000h"}, "at most"),
        ({"qr_size": 2049}, "from 0 to 2048"),
        ({"max_validation_attempts": 101}, "at most 100"),
    ],
)
def test_the_bounds_of_a_method(site, facts, words) -> None:
    status, said = site.root.refused("POST", METHODS, {"issuer": "Acme", **facts})
    assert status == 400 and words in said


def test_there_are_so_many_methods_and_enforcements(site, monkeypatch) -> None:
    monkeypatch.setattr("keystead.service.handlers.mfamethods.MOST_METHODS", 2)
    monkeypatch.setattr("keystead.service.handlers.mfaenforcements.MOST_ENFORCEMENTS", 2)
    monkeypatch.setattr("keystead.service.handlers.mfaenforcements.MOST_NAMED", 3)
    site.method_of()
    assert site.root.refused("POST", METHODS, {"issuer": "Acme"})[0] == 413
    site.enforce("second")
    asked = {"mfa_method_ids": [site.method], "auth_method_types": ["userpass"]}
    assert site.root.refused("POST", f"{ENFORCEMENTS}/third", asked)[0] == 413
    for named in ({"auth_method_types": ["userpass"] * 3}, {"auth_method_accessors": ["x"] * 4}):
        assert "at most" in site.root.refused("POST", f"{ENFORCEMENTS}/e", {**asked, **named})[1]


def test_other_methods_are_not_offered(site) -> None:
    for kind in ("duo", "okta", "pingid"):
        assert site.root.refused("POST", f"identity/mfa/method/{kind}", {})[0] == 405
        assert site.root.refused("GET", f"identity/mfa/method/{kind}/{site.method}")[0] == 404


def test_a_method_that_is_named_stays(site) -> None:
    status, words = site.root.refused("DELETE", f"{METHODS}/{site.method}")
    assert status == 500 and "methodID is still used by an enforcement configuration with ID" in words
    assert len(site.stack.barrier.every(MfaSecret)) == 1


def test_a_method_that_is_named_while_it_goes_stays(site) -> None:
    """Whoever comes to name it puts the row that it is in: the other one begins again."""
    site.root.data("DELETE", f"{ENFORCEMENTS}/e")
    site.stack.view.loop_thread = 0
    commit, came = site.stack.barrier.commit, []

    def overtaken(change: Commit) -> None:
        if change.destroy and not came:
            came.append(True)
            site.enforce("meanwhile")
        commit(change)

    site.stack.barrier.commit = overtaken
    assert site.root.refused("DELETE", f"{METHODS}/{site.method}")[0] == 500
    assert came and site.validate(site.begin(), site.code()).status == 200


def test_nobody_else_has_a_say(site) -> None:
    nobody = site.root.token(policies=["none"])
    paths = [
        ("GET", f"identity/mfa/method/{site.method}"),
        ("LIST", "identity/mfa/method"),
        ("POST", METHODS),
        ("DELETE", f"{METHODS}/{site.method}"),
        ("POST", f"{METHODS}/generate"),
        ("POST", f"{METHODS}/admin-generate"),
        ("POST", f"{METHODS}/admin-destroy"),
        ("POST", f"{ENFORCEMENTS}/e"),
        ("GET", f"{ENFORCEMENTS}/e"),
        ("DELETE", f"{ENFORCEMENTS}/e"),
        ("LIST", ENFORCEMENTS),
    ]
    for method, path in paths:
        for who in (nobody, site.nobody):
            assert who(method, path, {"issuer": "x"} if method == "POST" else None).status == 403, path


# --- namespaces


@pytest.fixture
def inner() -> Site:
    """A site that has a namespace, where eve logs in."""
    site = Site()
    site.root.data("POST", "sys/namespaces/ns1")
    site.root("POST", "sys/auth/userpass", {"type": "userpass"}, **NS)
    eve = {"password": "pw", "token_policies": "app"}
    assert site.root("POST", "auth/userpass/users/eve", eve, **NS).status == 204
    return site


def begun(site: Site) -> str:
    reply = site.log_in("eve", **NS)
    return reply.json["auth"]["mfa_requirement"]["mfa_request_id"]


def enrolled(site: Site, method: str) -> str:
    accessor = site.root("GET", "sys/auth", **NS).json["data"]["userpass/"]["accessor"]
    asked = {"alias_name": "eve", "alias_mount_accessor": accessor}
    entity = site.root("POST", "identity/lookup/entity", asked, **NS).json["data"]["id"]
    told = site.root("POST", f"{METHODS}/admin-generate", {"method_id": method, "entity_id": entity}, **NS)
    assert told.status == 200, told.body
    return told.json["data"]["url"]


def test_what_is_enforced_above_is_enforced_below(inner) -> None:
    request = begun(inner)
    url = enrolled(inner, inner.method)
    assert inner.validate(request, inner.code(url)).status == 400  # of another namespace
    done = inner.validate(request, inner.code(url), by="main", **NS)
    auth = done.json["auth"]
    assert auth["policies"] == ["app", "default"] and "." in auth["client_token"]
    assert inner.nobody("POST", f"ns1/{VALIDATE}", {"mfa_request_id": begun(inner), "mfa_payload": {}}).status == 403
    again = begun(inner)
    payload = {inner.method: [inner.code(url, ahead=30)]}
    assert inner.nobody("POST", f"ns1/{VALIDATE}", {"mfa_request_id": again, "mfa_payload": payload}).status == 200


def test_what_is_enforced_below_is_not_above(inner) -> None:
    inner.root.data("DELETE", f"{ENFORCEMENTS}/e")
    told = inner.root("POST", METHODS, {"issuer": "Below", "method_name": "own"}, **NS)
    own = told.json["data"]["method_id"]
    asked = {"mfa_method_ids": [own], "auth_method_types": ["userpass"]}
    assert inner.root("POST", f"{ENFORCEMENTS}/e", asked, **NS).status == 204
    assert inner.log_in().json["auth"]["client_token"]
    request = begun(inner)
    url = enrolled(inner, own)
    assert inner.validate(request, inner.code(url), by="own", **NS).status == 403
    assert inner.validate(request, inner.code(url), by="ns1/own", **NS).status == 200
    shown = inner.root("GET", f"identity/mfa/method/{own}", **NS).json["data"]
    assert shown["namespace_path"] == "ns1/" and shown["namespace_id"] != "root"
    assert inner.root.refused("GET", f"identity/mfa/method/{own}")[0] == 404
    assert inner.root.refused("POST", f"{ENFORCEMENTS}/up", asked)[0] == 400


def rest_on(site: Site, what: str, name: str = "x") -> None:
    """Below, on the method of above."""
    if what == "enrolment":
        enrolled(site, site.method)
        return
    named = {"mfa_method_ids": [site.method], "auth_method_types": ["userpass"]}
    assert site.root("POST", f"{ENFORCEMENTS}/{name}", named, **NS).status == 204


@pytest.mark.parametrize("what", ["enforcement", "enrolment"])
def test_nothing_that_is_done_below_keeps_a_login_above_from_ending(inner, what) -> None:
    begun(inner)
    request, code = inner.begin(), inner.code()
    commit, came = inner.stack.barrier.commit, []
    inner.stack.view.loop_thread = 0

    def overtaken(change: Commit) -> None:
        if any(isinstance(one, WaitingLogin) for one in change.delete):
            came.append(True)
            rest_on(inner, what, f"e{len(came)}")
        commit(change)

    inner.stack.barrier.commit = overtaken
    assert inner.validate(request, code).status == 200 and len(came) == 1


@pytest.mark.parametrize("what", ["enforcement", "enrolment"])
def test_whoever_comes_to_rest_on_a_method_while_it_goes_is_not_left_behind(inner, what) -> None:
    inner.root.data("DELETE", f"{ENFORCEMENTS}/e")
    assert inner.log_in("eve", **NS).json["auth"]["client_token"]
    commit, came = inner.stack.barrier.commit, []
    inner.stack.view.loop_thread = 0

    def overtaken(change: Commit) -> None:
        if change.destroy and not came:
            came.append(True)
            rest_on(inner, what)
        commit(change)

    inner.stack.barrier.commit = overtaken
    gone = inner.root("DELETE", f"{METHODS}/{inner.method}").status
    assert came and gone == (500 if what == "enforcement" else 204)
    left = {one.method for one in inner.stack.barrier.every(MfaSecret)}
    assert left == ({inner.method} if what == "enforcement" else set())


def test_a_method_of_above_is_named_below_and_is_not_changed_there(inner) -> None:
    inner.root.data("DELETE", f"{ENFORCEMENTS}/e")
    asked = {"mfa_method_ids": [inner.method], "auth_method_types": ["userpass"]}
    assert inner.root("POST", f"{ENFORCEMENTS}/e", asked, **NS).status == 204
    assert inner.root("GET", f"identity/mfa/method/{inner.method}", **NS).json["data"]["namespace_path"] == ""
    elsewhere = "request namespace does not match method namespace"
    path = f"{METHODS}/{inner.method}"
    assert inner.root("POST", path, {"issuer": "x"}, **NS).json["errors"] == [elsewhere]
    assert elsewhere in inner.root.refused("DELETE", path, **NS)[1]
    assert inner.root.refused("DELETE", path)[0] == 500  # it is named below
    url = enrolled_after(inner)
    assert inner.validate(begun(inner), inner.code(url), **NS).status == 200


def enrolled_after(site: Site) -> str:
    begun(site)
    return enrolled(site, site.method)


def test_it_ends_with_its_namespace(inner) -> None:
    request = begun(inner)
    url = enrolled(inner, inner.method)
    inner.root.data("POST", "sys/namespaces/api-lock/lock/ns1")
    assert inner.validate(request, inner.code(url), **NS).status == 503
    inner.root.data("POST", "sys/namespaces/api-lock/unlock/ns1")
    inner.root.data("DELETE", "sys/namespaces/ns1")
    assert inner.validate(request, inner.code(url), **NS).status == 403
    barrier = inner.stack.barrier
    assert barrier.every(WaitingLogin) == [] and len(barrier.every(MfaSecret)) == 1  # bob's
    assert [one.id for one in barrier.every(MfaRules)] == [TENANT]


# --- rules of approval


def office(*actions: str) -> tuple[Office, str]:
    """One whose managers approve these; with a method, and an enforcement of it. (it, the id of the method)"""
    made = Office(actions=actions)
    made.vault.root.policy(
        "may",
        'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }',
    )
    root = made.vault.root
    method = root.data("POST", METHODS, {"issuer": "Acme", "method_name": "m"})["method_id"]
    asked = {"mfa_method_ids": [method], "auth_method_types": ["userpass"]}
    root.data("POST", f"{ENFORCEMENTS}/e", asked)
    return made, method


def waits(made: Office, method: str, path: str, body=None) -> bool:
    reply = made.ray(method, path, body)
    assert reply.status in {200, 204}, reply.body
    return bool(reply.body) and reply.json.get("wrap_info") is not None


def test_to_take_an_enforcement_away_waits_and_so_does_to_ease_it() -> None:
    made, method = office("tenant:delete-mfa-enforcement")
    other = made.vault.root.data("POST", METHODS, {"issuer": "Acme"})["method_id"]
    same = {"mfa_method_ids": [method], "auth_method_types": ["userpass"]}
    assert not waits(made, "POST", f"{ENFORCEMENTS}/new", same)
    assert not waits(made, "POST", f"{ENFORCEMENTS}/e", same)
    assert not waits(made, "POST", f"{ENFORCEMENTS}/e", {**same, "identity_entity_ids": [made.ids["ann"]]})
    assert waits(made, "POST", f"{ENFORCEMENTS}/e", {**same, "mfa_method_ids": [method, other]})
    assert waits(made, "POST", f"{ENFORCEMENTS}/e", {**same, "identity_entity_ids": []})
    assert waits(made, "POST", f"{ENFORCEMENTS}/e", {"mfa_method_ids": [method], "auth_method_types": []})
    assert waits(made, "DELETE", f"{ENFORCEMENTS}/e")


def by_group(made: Office, method: str) -> tuple[str, dict[str, str]]:
    """An enforcement of a group of Ann and of another, with a group in it. (id of the group, ids of the others)"""
    root, ids = made.vault.root, {}
    for kind in ("entity", "group"):
        ids[kind] = root.data("POST", f"identity/{kind}", {"name": f"other-{kind}"})["id"]
    members = {"member_entity_ids": [made.ids["ann"], ids["entity"]], "member_group_ids": [ids["group"]]}
    staff = root.data("POST", "identity/group", {"name": "staff", **members})["id"]
    root.data("POST", f"{ENFORCEMENTS}/g", {"mfa_method_ids": [method], "identity_group_ids": [staff]})
    return staff, ids


def test_to_leave_a_group_that_is_asked_is_to_be_asked_no_more() -> None:
    made, method = office("tenant:delete-mfa-enforcement")
    staff, ids = by_group(made, method)
    at, ann, more = f"identity/group/id/{staff}", made.ids["ann"], made.ids["bob"]
    assert not waits(made, "POST", at, {"member_entity_ids": [ann, ids["entity"], more]})
    assert not waits(made, "POST", at, {"name": "staff", "policies": "p"})
    assert waits(made, "POST", at, {"member_entity_ids": [ann]})
    assert waits(made, "POST", "identity/group/name/staff", {"member_entity_ids": [ann]})
    assert waits(made, "POST", at, {"member_group_ids": []})
    assert waits(made, "DELETE", at) and waits(made, "DELETE", "identity/group/name/staff")
    inner = f"identity/group/id/{ids['group']}"
    assert not waits(made, "POST", inner, {"member_entity_ids": [more]})
    assert waits(made, "POST", inner, {"member_entity_ids": []})
    assert waits(made, "DELETE", inner)
    assert waits(made, "DELETE", f"{ENFORCEMENTS}/g")
    made.vault.root.data("POST", "identity/group", {"name": "loose", "member_entity_ids": [ann]})
    assert not waits(made, "POST", "identity/group/name/loose", {"member_entity_ids": []})


def test_to_take_away_what_a_group_is_known_by_is_to_ask_it_no_more() -> None:
    made, method = office("tenant:delete-mfa-enforcement")
    root = made.vault.root
    accessor = root.data("GET", "sys/auth")["userpass/"]["accessor"]
    group = root.data("POST", "identity/group", {"name": "theirs", "type": "external"})["id"]
    root.data("POST", f"{ENFORCEMENTS}/g", {"mfa_method_ids": [method], "identity_group_ids": [group]})
    named = {"mount_accessor": accessor, "canonical_id": group}
    assert not waits(made, "POST", "identity/group-alias", {"name": "a", **named})
    (alias,) = root.data("LIST", "identity/group-alias/id")["keys"]
    at = f"identity/group-alias/id/{alias}"
    assert waits(made, "POST", "identity/group-alias", {"name": "b", **named})
    assert waits(made, "POST", at, {"name": "b", **named})
    assert waits(made, "DELETE", at)


def test_nobody_makes_an_approver_of_themselves_by_leaving_them_out_of_a_group() -> None:
    made, method = office("export")
    staff, ids = by_group(made, method)
    at, ann = f"identity/group/id/{staff}", made.ids["ann"]
    assert waits(made, "POST", at, {"member_entity_ids": [ids["entity"]]})
    assert waits(made, "POST", at, {"member_group_ids": []})
    assert waits(made, "DELETE", at)
    assert not waits(made, "POST", at, {"member_entity_ids": [ann]})


def test_to_destroy_what_somebody_is_enrolled_with_waits() -> None:
    made, method = office("destroy")
    root, ids = made.vault.root, []
    for name in ("one", "two"):
        ids.append(root.data("POST", "identity/entity", {"name": name})["id"])
        root.data("POST", f"{METHODS}/admin-generate", {"method_id": method, "entity_id": ids[-1]})
    merging = {"from_entity_ids": ids[:1], "to_entity_id": ids[1]}
    assert waits(made, "POST", f"{METHODS}/admin-destroy", {"method_id": method, "entity_id": ids[0]})
    assert waits(made, "DELETE", f"identity/entity/id/{ids[0]}")
    assert waits(made, "DELETE", "identity/entity/name/two")
    assert waits(made, "POST", "identity/entity/batch-delete", {"entity_ids": ids})
    assert waits(made, "POST", "identity/entity/merge", {**merging, "force": True})
    assert len(made.stack.barrier.every(MfaSecret)) == 2
    other = root.data("POST", "identity/entity", {"name": "other"})["id"]
    assert not waits(made, "DELETE", f"identity/entity/id/{other}")


def test_nobody_makes_an_approver_of_themselves_by_a_second_factor() -> None:
    made, method = office("export")
    for path, body in (
        (f"{METHODS}/admin-generate", {"method_id": method, "entity_id": made.ids["ann"]}),
        (f"{METHODS}/admin-destroy", {"method_id": method, "entity_id": made.ids["ann"]}),
        (f"{METHODS}/{method}", {"issuer": "Acme", "max_validation_attempts": 100}),
        (f"{ENFORCEMENTS}/e", {"mfa_method_ids": [method], "auth_method_types": []}),
    ):
        assert waits(made, "POST", path, body), path
    assert waits(made, "DELETE", f"{ENFORCEMENTS}/e")
    other = made.vault.root.data("POST", "identity/entity", {"name": "other"})["id"]
    assert not waits(made, "POST", f"{METHODS}/admin-generate", {"method_id": method, "entity_id": other})
    assert not waits(made, "POST", f"{METHODS}/{method}", {"issuer": "Acme", "max_validation_attempts": 2})


def test_what_was_approved_is_that_enforcement_and_stays_so_whoever_is_enrolled() -> None:
    made, method = office("tenant:delete-mfa-enforcement")
    info = made.asked(method="DELETE", path=f"{ENFORCEMENTS}/e")
    made.vault.root.data("POST", f"{METHODS}/admin-generate", {"method_id": method, "entity_id": made.ids["ann"]})
    for who in (made.ann, made.bob):
        made.authorize(who, info["accessor"])
    assert made.ray("DELETE", f"{ENFORCEMENTS}/e").status == 204
