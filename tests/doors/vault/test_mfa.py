"""Login MFA: a second factor before there is a token. The words are held to OpenBao by mfa.txt."""

from __future__ import annotations

import base64
import copy
import threading
from datetime import timedelta
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace
from tests import harness
from tests.doors.vault.factors import ENFORCEMENTS, METHODS, VALIDATE, Site
from tests.memorystore import MemoryStore
from tests.vaultstack import Bearer

from keystead.core.audit.record import parse
from keystead.core.entities import Account, MfaSecret, Token, WaitingLogin
from keystead.core.errors import Internal, WrongState
from keystead.doors import vault
from keystead.service.barrier import Commit
from keystead.service.handlers import secondfactor
from keystead.service.proof import prove_destroyed

DENIED = (403, "permission denied")
GONE = (400, "invalid request ID")
BAD = "MFA credentials not supplied or incorrect"


@pytest.fixture
def site() -> Site:
    return Site()


def tokens(site: Site) -> set[str]:
    return {one.id for one in site.stack.barrier.every(Token)}


# --- two phases


def test_no_token_is_made_before_the_second_factor_holds(site) -> None:
    before = tokens(site)
    reply = site.log_in()
    auth = reply.json["auth"]
    assert (reply.status, auth["client_token"], auth["accessor"], auth["policies"]) == (200, "", "", None)
    assert auth["entity_id"] == "" and auth["metadata"] is None
    (any_of,) = auth["mfa_requirement"]["mfa_constraints"].values()
    assert any_of == {"any": [{"type": "totp", "id": site.method, "uses_passcode": True, "name": "main"}]}
    request = auth["mfa_requirement"]["mfa_request_id"]
    status, words = refused(site.validate(request, site.wrong()))
    assert status == 403 and BAD in words
    assert tokens(site) == before
    done = site.validate(request, site.code())
    assert done.json["auth"]["policies"] == ["app", "default"] and done.json["auth"]["mfa_requirement"] is None
    told = site.bearer(done).data("GET", "auth/token/lookup-self")
    assert (told["display_name"], told["path"]) == ("userpass-bob", "auth/userpass/login/bob")
    assert told["entity_id"] == site.entity and told["meta"] == {"username": "bob"}
    assert len(tokens(site)) == len(before) + 1


def refused(reply) -> tuple[int, str]:
    assert reply.status >= 400, reply.body
    return reply.status, "".join(reply.json["errors"])


def test_a_login_that_waits_is_ended_once(site) -> None:
    request = site.begin()
    assert site.validate(request, site.code()).status == 200
    site.forward(60)
    assert refused(site.validate(request, site.code())) == GONE
    assert site.stack.barrier.every(WaitingLogin) == []


def test_of_many_who_end_it_at_once_one_gets_a_token(site) -> None:
    request, code = site.begin(), site.code()
    before = len(tokens(site))
    answers = at_once(site, lambda: site.validate(request, code).status, 12)
    assert answers.count(200) == 1 and set(answers) <= {200, 400, 403}
    assert len(tokens(site)) == before + 1


def at_once(site: Site, act, n: int) -> list[int]:
    site.stack.view.loop_thread = 0
    go, answers = threading.Barrier(n), []

    def run() -> None:
        go.wait()
        answers.append(act())

    threads = [threading.Thread(target=run) for _ in range(n)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return answers


def test_it_waits_for_five_minutes(site) -> None:
    request, late = site.begin(), site.begin()
    site.forward(299)
    assert site.validate(request, site.code()).status == 200
    site.forward(1)
    assert refused(site.validate(late, site.code(ahead=30))) == GONE
    site.begin()
    assert len(site.stack.barrier.every(WaitingLogin)) == 1  # what was over has gone


def test_so_many_wait_for_one_and_the_oldest_gives_way(site, monkeypatch) -> None:
    assert secondfactor.MOST_WAITING == 16
    monkeypatch.setattr(secondfactor, "MOST_WAITING", 3)
    first = site.begin()
    site.forward(1)
    second = site.begin()
    for _ in range(2):
        site.forward(1)
        site.begin()
    assert len(site.stack.barrier.every(WaitingLogin)) == 3
    assert refused(site.validate(first, site.code())) == GONE
    assert site.validate(second, site.code()).status == 200


def test_logins_at_one_moment_do_not_want_the_same_gone(site) -> None:
    """Or all of them but one would look at their passwords again, which takes long."""
    site.user("ann")
    for name in ("ann", "bob"):
        site.begin(name)
    one = site.stack.barrier.every(WaitingLogin)[0]
    old = [replace(one, id=sha256(bytes([n])).hexdigest(), entity=f"e{n}", revision=0) for n in range(256)]
    commit = site.stack.barrier.commit
    commit(Commit(put=tuple(old)))
    site.forward(600)
    tried, n = [], 8

    def overtaken(change: Commit) -> None:
        if any(isinstance(one, WaitingLogin) for one in change.put):
            tried.append(None)
            if len(tried) == 1:
                site.begin("ann")
        commit(change)

    site.stack.view.loop_thread = 0
    site.stack.barrier.commit = overtaken
    again = 0
    for _ in range(n):
        tried.clear()
        site.begin()
        again += len(tried) - 2
    assert again <= 1 and len(site.stack.barrier.every(WaitingLogin)) < len(old)


def test_by_the_name_of_the_method_as_well(site) -> None:
    assert site.validate(site.begin(), f"passcode={site.code()}", by="main").status == 200


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ({}, 403),
        ({"other": ["123456"]}, 403),
        ({"main": []}, 403),
        ({"main": [""]}, 403),
        ({"main": ["1" * 300]}, 403),
        ({"main": "123456"}, 400),
        ({"main": [123456]}, 400),
        ({"main": None}, 400),
        ({f"m{n}": [] for n in range(65)}, 400),
        ({"main": [""] * 65}, 400),
    ],
)
def test_what_shows_nothing_gets_nothing(site, payload, status) -> None:
    request = site.begin()
    asked = {"mfa_request_id": request, "mfa_payload": payload}
    assert site.nobody("POST", VALIDATE, asked).status == status
    assert site.validate(request, site.code()).status == 200  # and has used nothing up


def test_an_answer_is_wrapped_where_that_is_asked_for(site) -> None:
    reply = site.validate(site.begin(), site.code(), x_vault_wrap_ttl="60")
    assert reply.json["auth"] is None
    inside = site.root("POST", "sys/wrapping/unwrap", {"token": reply.json["wrap_info"]["token"]})
    assert site.bearer(inside).is_good()


# --- one phase


def test_both_factors_at_once(site) -> None:
    assert site.bearer(site.log_in(mfa=f"{site.method}:{site.code()}")).is_good()
    assert site.bearer(site.log_in(mfa=f"other:1,main:passcode={site.code(ahead=30)}")).is_good()
    assert site.stack.barrier.every(WaitingLogin) == []


def test_a_second_factor_that_does_not_hold_is_told_nothing(site) -> None:
    for shown in (f"main:{site.wrong()}", "main", "other:123456", f"other:{site.code()}"):
        assert refused(site.log_in(mfa=shown)) == DENIED
    assert refused(site.log_in(said="x", mfa=f"main:{site.code()}"))[0] == 400
    for shown in (":1", "main:"):
        status, words = refused(site.log_in(mfa=shown))
        assert status == 400 and words.startswith("failed to parse X-Vault-MFA header")
    assert site.log_in(mfa=f"main:{site.code()}").status == 200  # a wrong password has not used it up


def test_what_nothing_asks_for_is_remarked_upon(site) -> None:
    site.root.data("DELETE", f"{ENFORCEMENTS}/e")
    reply = site.log_in(mfa=f"main:{site.code()}")
    assert reply.json["warnings"] == ["Found MFA header but failed to find MFA Enforcement Config"]
    assert site.bearer(reply).is_good()


# --- passwords


def test_a_password_is_good_once(site) -> None:
    """CVE-2025-6015, CVE-2025-55003."""
    code = site.code()
    assert site.validate(site.begin(), code).status == 200
    assert BAD in refused(site.validate(site.begin(), code))[1]
    assert refused(site.log_in(mfa=f"main:{code}")) == DENIED
    site.forward(30)
    assert refused(site.log_in(mfa=f"main:{code}")) == DENIED  # within the skew still


def test_of_many_who_bring_one_password_at_once_one_comes_in(site) -> None:
    code = site.code()
    answers = at_once(site, lambda: site.log_in(mfa=f"main:{code}").status, 6)
    assert sorted(answers) == [200] + [403] * 5


def test_wrong_ones_are_counted_and_a_right_one_comes_too_late(site) -> None:
    """CVE-2025-6015, CVE-2025-55003."""
    request = site.begin()
    for _ in range(5):
        assert BAD in refused(site.validate(request, site.wrong()))[1]
    words = "maximum TOTP validation attempts 6 exceeded the allowed attempts 5"
    assert words in refused(site.validate(request, site.code()))[1]
    assert refused(site.log_in(mfa=f"main:{site.code()}")) == DENIED
    assert "second factor: too many tries" in {one.why for one in site.stack.records()}
    site.forward(30)
    assert site.validate(request, site.code()).status == 200
    (secret,) = site.stack.barrier.every(MfaSecret)
    assert secret.n_tried == 0


def test_tries_are_counted_exactly_on_the_row_that_the_commits_rest_on() -> None:
    site = Site(max_validation_attempts=3)
    request, wrong = site.begin(), site.wrong()
    answers = at_once(site, lambda: len(refused(site.validate(request, wrong))[1]), 9)
    assert len(answers) == 9
    (secret,) = site.stack.barrier.every(MfaSecret)
    assert secret.n_tried == 3 and secret.tried_until == site.stack.clock.now() + timedelta(seconds=30)


def test_two_enforcements_are_met_by_one_password_where_they_ask_for_one_method(site) -> None:
    site.enforce("second", identity_entity_ids=[site.entity])
    other = site.method_of()
    url = site.enrol(other, site.entity)
    site.root.data("POST", f"{ENFORCEMENTS}/third", {"mfa_method_ids": [other], "auth_method_types": ["userpass"]})
    request = site.begin()
    assert "third" in refused(site.validate(request, site.code()))[1]
    payload = {site.method: [site.code(ahead=30)], other: [site.code(url)]}
    done = site.nobody("POST", VALIDATE, {"mfa_request_id": request, "mfa_payload": payload})
    assert site.bearer(done).is_good()


def test_one_of_the_methods_is_enough(site) -> None:
    other = site.method_of(digits=8, algorithm="SHA256", period=60)
    url = site.enrol(other, site.entity)
    both = {"mfa_method_ids": [site.method, other], "auth_method_types": ["userpass"]}
    site.root.data("POST", f"{ENFORCEMENTS}/e", both)
    assert len(site.code(url)) == 8
    assert site.log_in(mfa=f"{other}:{site.code(url)}").status == 200
    assert site.log_in(mfa=f"{site.method}:{site.wrong()},{other}:{site.code(url, ahead=60)}").status == 200
    assert site.log_in(mfa=f"{site.method}:{site.code()}").status == 200


# --- what ends a login that waits


def changes():
    def policies(site):
        site.user("bob", token_policies="more")

    def password(site):
        site.root.data("POST", "auth/userpass/users/bob/password", {"password": "other"})

    def user(site):
        site.root.data("DELETE", "auth/userpass/users/bob")

    def again(site):
        user(site)
        site.user("bob")

    def disabled(site):
        site.root.data("POST", f"identity/entity/id/{site.entity}", {"disabled": True})

    def merged(site):
        into = site.root.data("POST", "identity/entity", {"name": "into"})["id"]
        site.root.data("POST", "identity/entity/merge", {"from_entity_ids": [site.entity], "to_entity_id": into})

    def entity(site):
        site.root.data("DELETE", f"identity/entity/id/{site.entity}")

    def alias(site):
        (one,) = site.root.data("GET", f"identity/entity/id/{site.entity}")["aliases"]
        site.root.data("DELETE", f"identity/entity-alias/id/{one['id']}")

    def mount(site):
        site.root.data("DELETE", "sys/auth/userpass")

    def locked_out(site):
        for _ in range(5):
            site.log_in(said="x")

    def enforcement(site):
        site.root.data("DELETE", f"{ENFORCEMENTS}/e")

    def method(site):
        enforcement(site)
        site.root.data("DELETE", f"{METHODS}/{site.method}")

    def secret(site):
        site.root.data("POST", f"{METHODS}/admin-destroy", {"method_id": site.method, "entity_id": site.entity})

    return {name: one for name, one in locals().items() if callable(one)}


@pytest.mark.parametrize("change", changes().values(), ids=changes())
def test_what_ends_it(site, change) -> None:
    request, before = site.begin(), tokens(site)
    change(site)
    assert site.validate(request, site.code()).status in {400, 403}
    assert tokens(site) == before


def test_what_does_not(site) -> None:
    """Somebody else's wrong password is no way to keep bob out; nor is an administrator's look."""
    request = site.begin()
    for _ in range(4):
        site.log_in(said="x")
    site.root.data("GET", "auth/userpass/users/bob")
    site.enforce("another", identity_group_ids=[])
    assert site.bearer(site.validate(request, site.code())).is_good()
    (account,) = site.stack.barrier.every(Account)
    assert account.n_failed == 0  # whoever has come in has failed no more


def test_failures_are_not_forgotten_before_the_second_factor_holds(site) -> None:
    for _ in range(4):
        site.log_in(said="x")
    site.begin()
    site.log_in(mfa=f"main:{site.wrong()}")
    (account,) = site.stack.barrier.every(Account)
    assert account.n_failed == 4


def test_it_is_ended_from_where_its_token_would_be_good(site) -> None:
    site.user("bob", token_strictly_bind_ip=True)
    request = site.begin()
    site.stack.peer = "192.0.2.77"
    assert refused(site.validate(request, site.code()))[0] == 403
    site.stack.peer = harness.PEER
    assert site.validate(request, site.code()).status == 200


# --- enforcements, and whom they fit


def test_an_enforcement_holds_from_when_it_is_acknowledged(site) -> None:
    """Also for a login that has looked and not committed yet: it looks again."""
    site.root.data("DELETE", f"{ENFORCEMENTS}/e")
    site.stack.view.loop_thread = 0
    commit, came = site.stack.barrier.commit, []

    def overtaken(change: Commit) -> None:
        if any(isinstance(one, Token) for one in change.put) and not came:
            came.append(True)
            site.enforce("e")
        commit(change)

    site.stack.barrier.commit = overtaken
    reply = site.log_in()
    assert came and reply.json["auth"]["mfa_requirement"] is not None
    assert not [one for one in site.stack.barrier.every(Token) if one.path.startswith("auth/userpass")]


@pytest.mark.parametrize("of", ["entity", "group"])
def test_and_so_does_that_somebody_is_in_a_group_that_is_asked(site, of) -> None:
    """Themselves, or a group that they are in."""
    site.root.data("DELETE", f"{ENFORCEMENTS}/e")
    inner = site.root.data("POST", "identity/group", {"name": "in", "member_entity_ids": [site.entity]})["id"]
    asked = site.root.data("POST", "identity/group", {"name": "asked"})["id"]
    site.enforce("only", identity_group_ids=[asked])
    member = {"member_entity_ids": [site.entity]} if of == "entity" else {"member_group_ids": [inner]}
    site.stack.view.loop_thread = 0
    commit, came = site.stack.barrier.commit, []

    def overtaken(change: Commit) -> None:
        if any(isinstance(one, Token) for one in change.put) and not came:
            came.append(True)
            site.root.data("POST", f"identity/group/id/{asked}", member)
        commit(change)

    site.stack.barrier.commit = overtaken
    assert site.log_in().json["auth"]["mfa_requirement"] is not None and came


@pytest.mark.parametrize("by", ["identity_entity_ids", "identity_group_ids", "inherited", "auth_method_accessors"])
def test_whom_it_fits(site, by) -> None:
    site.user("eve")
    inner = site.root.data("POST", "identity/group", {"name": "in", "member_entity_ids": [site.entity]})["id"]
    outer = site.root.data("POST", "identity/group", {"name": "out", "member_group_ids": [inner]})["id"]
    named = {
        "identity_entity_ids": [site.entity],
        "identity_group_ids": [inner],
        "inherited": [outer],
        "auth_method_accessors": [site.accessor],
    }[by]
    site.root.data("DELETE", f"{ENFORCEMENTS}/e")
    site.enforce("only", **{by if by != "inherited" else "identity_group_ids": named})
    site.begin("bob")
    asked = site.log_in("eve").json["auth"]["mfa_requirement"] is not None
    assert asked is (by == "auth_method_accessors")


def test_to_be_merged_is_no_way_out(site) -> None:
    """An enforcement of an entity is one of what that has become."""
    site.root.data("DELETE", f"{ENFORCEMENTS}/e")
    site.enforce("only", identity_entity_ids=[site.entity])
    into = site.root.data("POST", "identity/entity", {"name": "into"})["id"]
    site.root.data("POST", "identity/entity/merge", {"from_entity_ids": [site.entity], "to_entity_id": into})
    assert site.bearer(site.validate(site.begin(), site.code())).is_good()


def test_somebody_who_is_new_and_not_enrolled_does_not_come_in(site) -> None:
    site.user("eve")
    status, words = refused(site.validate(site.begin("eve"), "123456"))
    assert status == 403 and 'MFA secret for method name "main" not present in entity' in words
    found = site.root.data(
        "POST", "identity/lookup/entity", {"alias_name": "eve", "alias_mount_accessor": site.accessor}
    )
    url = site.enrol(site.method, found["id"])
    assert site.bearer(site.validate(site.begin("eve"), site.code(url))).is_good()


def test_an_enforcement_without_a_method_lets_nobody_in(site) -> None:
    site.root.data("POST", f"{ENFORCEMENTS}/none", {"mfa_method_ids": [], "auth_method_types": ["userpass"]})
    assert refused(site.validate(site.begin(), site.code()))[0] == 403
    assert refused(site.log_in(mfa=f"main:{site.code(ahead=30)}")) == DENIED


# --- other ways to log in, and other tokens


def test_a_role_is_asked_too(site) -> None:
    site.root.data("POST", "sys/auth/approle", {"type": "approle"})
    site.root.data("POST", "auth/approle/role/r", {"secret_id_num_uses": 2, "token_policies": "p"})
    role = site.root.data("GET", "auth/approle/role/r/role-id")["role_id"]
    secret = site.root.data("POST", "auth/approle/role/r/secret-id")["secret_id"]
    said = {"role_id": role, "secret_id": secret}
    assert site.nobody("POST", "auth/approle/login", said).json["auth"]["client_token"]
    site.enforce("roles", auth_method_types=["approle"])
    request = site.nobody("POST", "auth/approle/login", said).json["auth"]["mfa_requirement"]["mfa_request_id"]
    assert site.nobody("POST", "auth/approle/login", said).status == 400  # it has been used up, whatever comes of it
    accessor = site.root.data("GET", "sys/auth")["approle/"]["accessor"]
    entity = site.root.data("POST", "identity/lookup/entity", {"alias_name": role, "alias_mount_accessor": accessor})
    url = site.enrol(site.method, entity["id"])
    done = site.validate(request, site.code(url))
    assert done.json["auth"]["policies"] == ["default", "p"] and site.bearer(done).is_good()


@pytest.mark.parametrize("by", ["secret_id", "secret_id_accessor"])
def test_a_secret_id_that_is_destroyed_meanwhile_logs_nobody_in(site, by) -> None:
    site.root.data("POST", "sys/auth/approle", {"type": "approle"})
    site.root.data("POST", "auth/approle/role/r", {})
    role = site.root.data("GET", "auth/approle/role/r/role-id")["role_id"]
    gone, left = (site.root.data("POST", "auth/approle/role/r/secret-id") for _ in range(2))
    site.enforce("roles", auth_method_types=["approle"])
    requests = []
    for one in (gone, left):
        said = {"role_id": role, "secret_id": one["secret_id"]}
        auth = site.nobody("POST", "auth/approle/login", said).json["auth"]
        requests.append(auth["mfa_requirement"]["mfa_request_id"])
    url = site.enrol(site.method, site.stack.barrier.every(WaitingLogin)[0].entity)
    path = "secret-id" if by == "secret_id" else "secret-id-accessor"
    site.root.data("POST", f"auth/approle/role/r/{path}/destroy", {by: gone[by]})
    assert refused(site.validate(requests[0], site.code(url))) == GONE
    assert site.validate(requests[1], site.code(url)).status == 200


def test_batch_tokens(site) -> None:
    site.user("bob", token_type="batch")
    done = site.validate(site.begin(), site.code())
    auth = done.json["auth"]
    assert (auth["token_type"], auth["renewable"], auth["accessor"]) == ("batch", False, "")
    assert site.bearer(done).is_good()
    assert not [one for one in site.stack.barrier.every(Token) if one.path.startswith("auth/userpass")]


def test_times_are_those_of_the_token_and_not_of_the_login(site) -> None:
    site.user("bob", token_ttl="1h", token_num_uses=5)
    request = site.begin()
    site.forward(240)
    told = site.bearer(site.validate(request, site.code())).data("GET", "auth/token/lookup-self")
    assert told["creation_time"] == int(site.stack.clock.now().timestamp()) and told["ttl"] == 3600
    assert told["num_uses"] == 4


# --- secrets, and what is on record


def test_everybody_enrols_themselves_once(site) -> None:
    site.root.policy("app", f'path "{METHODS}/generate" {{ capabilities = ["update"] }}')
    own = site.bearer(site.validate(site.begin(), site.code()))
    other = site.method_of(method_name="other")
    url = own.data("POST", f"{METHODS}/generate", {"method_id": other})["url"]
    assert site.entity in url and "secret=" in url
    again = own("POST", f"{METHODS}/generate", {"method_id": other}).json
    assert again["data"] is None and again["warnings"] == ['Entity already has a secret for MFA method "other"']
    asked = {"method_id": other, "entity_id": site.entity}
    assert own.refused("POST", f"{METHODS}/admin-generate", asked)[0] == 403
    assert len(site.stack.barrier.every(MfaSecret)) == 2


def test_of_many_who_enrol_somebody_at_once_one_is_told(site) -> None:
    other = site.method_of()
    asked = {"method_id": other, "entity_id": site.entity}
    answers = at_once(site, lambda: bool(site.root("POST", f"{METHODS}/admin-generate", asked).json["data"]), 8)
    assert sorted(answers) == [False] * 7 + [True]
    assert len(site.stack.barrier.every(MfaSecret)) == 2


@pytest.mark.parametrize("way", ["destroy", "method", "entity", "merge"])
def test_no_old_backup_opens_a_secret_that_was_taken_away(site, way) -> None:
    (secret,) = site.stack.barrier.every(MfaSecret)
    site.root.data("DELETE", f"{ENFORCEMENTS}/e")
    site.user("eve")
    other = site.entity_of("eve")
    site.enrol(site.method_of() if way != "merge" else site.method, other)
    old = MemoryStore()
    old._content = copy.deepcopy(site.stack.store._content)
    merging = {"from_entity_ids": [other], "to_entity_id": site.entity, "force": True}
    if way == "merge":
        (alias,) = site.root.data("GET", f"identity/entity/id/{other}")["aliases"]
        merging["conflicting_alias_ids_to_keep"] = [alias["id"]]
    method, path, body = {
        "destroy": ("POST", f"{METHODS}/admin-destroy", {"method_id": site.method, "entity_id": site.entity}),
        "method": ("DELETE", f"{METHODS}/{site.method}", None),
        "entity": ("DELETE", f"identity/entity/id/{site.entity}", None),
        "merge": ("POST", "identity/entity/merge", merging),
    }[way]
    site.root.data(method, path, body)
    (left,) = site.stack.barrier.every(MfaSecret)
    assert left.id != secret.id and site.stack.barrier.material(left)
    proof = prove_destroyed(old, site.stack.barrier, site.stack.store)
    assert (proof.holds, proof.n_destroyed, proof.n_survivors) == (True, 1, 1)
    with pytest.raises((Internal, WrongState)):
        site.stack.barrier.material(secret)


def test_who_is_merged_brings_a_secret_along_unless_there_is_one(site) -> None:
    site.user("eve")
    other = site.entity_of("eve")
    (alias,) = site.root.data("GET", f"identity/entity/id/{other}")["aliases"]
    asked = {"from_entity_ids": [site.entity], "to_entity_id": other, "conflicting_alias_ids_to_keep": [alias["id"]]}
    url = site.enrol(site.method, other)
    status, words = site.root.refused("POST", "identity/entity/merge", asked)
    assert status == 500 and f'conflicting MFA config ID "{site.method}" in entity ID' in words
    site.root.data("POST", f"{METHODS}/admin-destroy", {"method_id": site.method, "entity_id": other})
    site.root.data("POST", "identity/entity/merge", asked)
    request = site.begin("eve")
    assert refused(site.validate(request, site.code(url, ahead=30)))[0] == 403
    assert site.validate(request, site.code()).status == 200


def test_nothing_secret_is_on_record_nor_kept_bare(site) -> None:
    request, code = site.begin(), site.code()
    wrong = site.wrong()
    site.validate(request, wrong)
    site.validate(request, code)
    site.log_in(mfa=f"main:{wrong}")
    lines = [line for _, line in site.stack.store.records(0, 1000)] + site.stack.journal.lines
    shared = parse_qs(urlsplit(site.url).query)["secret"][0]
    for text in (request, f'"{code}"', f'"{wrong}"', shared):
        assert not any(text.encode() in line for line in lines)
    assert request not in {one.id for one in site.stack.barrier.every(WaitingLogin)}
    (secret,) = site.stack.barrier.every(MfaSecret)
    assert shared not in repr(secret) and base64.b32decode(shared) not in secret.wrapped


def test_each_step_is_on_record(site) -> None:
    site.stack.forget_records()
    n_changes = len(site.stack.store.records(0, 1000))
    request = site.begin()
    site.validate(request, site.wrong())
    site.validate("nope", site.code())
    accessor = site.validate(request, site.code()).json["auth"]["accessor"]
    changes = [parse(line) for _, line in site.stack.store.records(0, 1000)][n_changes:]
    login, validate = "userpass write login/{username}", "system write mfa/validate"
    assert [(one.operation, one.outcome, one.why) for one in changes] == [
        (login, "performed", "second factor wanted"),
        (validate, "performed", "second factor: another password"),
        (validate, "performed", ""),
    ]
    assert changes[-1].made == accessor and request not in changes[0].made
    told = [(one.operation, one.outcome, one.why) for one in map(parse, site.stack.journal.lines)]
    assert told == [(validate, "refused: Denied", ""), (validate, "refused: InvalidArgument", "request_id")]


def test_at_any_worker_at_once(site) -> None:
    """CVE-2022-30689.

    What one worker begins, another ends; and a password, or an enforcement, is one for all of them.
    """
    another = harness.Stack(
        door=vault.DOOR, store=site.stack.store, slot=site.stack.slot, unseal=site.stack.unseal, seed=2
    ).on_the_loop()
    another.clock = site.stack.clock
    here, there = site.nobody, Bearer(another, "")
    request, code = site.begin(), site.code()
    asked = {"mfa_request_id": request, "mfa_payload": {site.method: [code]}}
    another.generation.announce()
    assert there("POST", VALIDATE, asked).status == 200
    assert refused(here("POST", VALIDATE, asked)) == GONE
    site.stack.generation.announce()
    assert refused(site.log_in(mfa=f"main:{code}")) == DENIED
    site.root.data("DELETE", f"{ENFORCEMENTS}/e")
    another.generation.announce()
    assert there("POST", "auth/userpass/login/bob", {"password": "pw"}).json["auth"]["client_token"]
    site.enforce("again")
    another.generation.announce()
    assert there("POST", "auth/userpass/login/bob", {"password": "pw"}).json["auth"]["client_token"] == ""
