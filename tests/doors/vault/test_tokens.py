"""auth/token: Vault documentation, "Tokens", and HTTP API; words held to OpenBao 2.7.2."""

from datetime import timedelta

import pytest
from tests import vaultstack
from tests.vaultstack import DENIED

MAKER = 'path "auth/token/create*" { capabilities = ["update"] }'
HOUR = timedelta(hours=1)


@pytest.fixture
def vault():
    return vaultstack.door()


def made(bearer, path: str = "create", **wanted):
    return bearer("POST", f"auth/token/{path}", wanted).json


@pytest.mark.parametrize(
    ("wanted", "seconds", "warning"),
    [
        ({"ttl": "1h"}, 3600, ""),
        ({"ttl": "900h"}, 2764800, 'TTL of "900h" exceeded the effective max_ttl of "768h"; TTL value is capped'),
        ({"ttl": "1h", "explicit_max_ttl": "1m"}, 60, 'TTL of "1h" exceeded the effective max_ttl of "1m"'),
        ({"explicit_max_ttl": "1m"}, 60, 'TTL of "768h" exceeded the effective max_ttl of "1m"'),
        ({"period": "1h"}, 3600, ""),
        ({"period": "1h", "explicit_max_ttl": "30m"}, 1800, 'period of "1h" exceeded the effective max_ttl of "30m"'),
        ({"lease": "30m"}, 1800, ""),
        ({"period": "900h"}, 2764800, 'period of "900h" exceeded the effective max_ttl of "768h"'),
        ({"explicit_max_ttl": "1h"}, 3600, 'TTL of "768h" exceeded the effective max_ttl of "1h"'),
        ({"ttl": "0.5s"}, 1, ""),
        ({}, 2764800, ""),
    ],
)
def test_how_long_it_lasts(vault, wanted, seconds, warning) -> None:
    answer = made(vault.root, policies=["default"], **wanted)
    assert answer["auth"]["lease_duration"] == seconds
    assert "".join(answer["warnings"] or []).startswith(warning) and bool(answer["warnings"]) is bool(warning)


def test_a_root_token_that_is_to_end_is_not_remarked_upon(vault) -> None:
    answer = made(vault.root, explicit_max_ttl="1m")
    assert (answer["auth"]["lease_duration"], answer["warnings"]) == (60, None)


def test_a_policy_that_nobody_has_written_is_remarked_upon(vault) -> None:
    assert made(vault.root, policies=["A B"])["warnings"] == ['Policy "a b" does not exist']


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"id": "mine"}, "root or sudo privileges required to specify token id"),
        ({"no_parent": True}, "root or sudo privileges required to create orphan token"),
        ({"period": "1h"}, "root or sudo privileges required to create periodic token"),
        ({"policies": ["other"]}, "child policies must be subset of parent"),
        ({"policies": "maker,other"}, "child policies must be subset of parent"),
        ({"policies": ["root"]}, "child policies must be subset of parent"),
    ],
)
def test_what_takes_sudo(vault, wanted, words) -> None:
    vault.root.policy("maker", MAKER)
    maker = vault.root.token(policies=["maker"])
    assert maker.refused("POST", "auth/token/create", wanted) == (400, words)
    vault.root.policy("maker", MAKER.replace('"update"', '"update", "sudo"'))
    if wanted != {"policies": ["root"]}:
        assert maker("POST", "auth/token/create", wanted).status == 200
    else:
        words = "root tokens may not be created without parent token being root"
        assert maker.refused("POST", "auth/token/create", wanted) == (400, words)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"id": "hvs.mine"}, "custom token ID cannot have the 'hvs.' prefix"),
        ({"id": "a.b"}, "custom token ID cannot have a '.' in the value"),
        ({"policies": ["response-wrapping"]}, 'cannot assign policy "response-wrapping"'),
        ({"num_uses": -1}, "number of uses cannot be negative"),
        ({"ttl": "-1h"}, "ttl must be positive"),
        ({"lease": "-1h"}, "lease must be positive"),
        ({"ttl": "x"}, 'time: invalid duration "x"'),
        ({"type": "zz"}, "invalid 'token_type' value"),
        ({"type": "batch"}, "batch tokens cannot be root tokens"),
        ({"entity_alias": "x"}, "'entity_alias' is only allowed in combination with token role"),
    ],
)
def test_what_no_token_is(vault, wanted, words) -> None:
    assert vault.root.refused("POST", "auth/token/create", wanted) == (400, words)


def test_one_may_be_given_its_text(vault) -> None:
    assert made(vault.root, id="my-own", policies=["default"])["auth"]["client_token"] == "my-own"
    assert vaultstack.Bearer(vault.stack, "my-own").is_good()
    again = vault.root.refused("POST", "auth/token/create", {"id": "my-own"})
    assert again == (400, "cannot create a token with a duplicate ID")


def test_it_has_its_parents_policies_unless_it_is_given_others(vault) -> None:
    vault.root.policy("maker", MAKER)
    maker = vault.root.token(policies=["maker"])
    assert made(maker)["auth"]["policies"] == ["default", "maker"]
    assert made(maker, no_default_policy=True)["auth"]["policies"] == ["maker"]
    assert made(vault.root, policies=["root", "a"])["auth"]["policies"] == ["root"]


def test_who_has_not_the_default_policy_does_not_give_it(vault) -> None:
    vault.root.policy("maker", MAKER)
    maker = vault.root.token(policies=["maker"], no_default_policy=True)
    assert made(maker)["auth"]["policies"] == ["maker"]
    words = "child policies must be subset of parent"
    assert maker.refused("POST", "auth/token/create", {"policies": ["maker", "default"]}) == (400, words)


def test_a_role_says_whether_a_token_is_an_orphan(vault) -> None:
    vault.root.data("POST", "auth/token/roles/r", {"orphan": False})
    answer = vault.root("POST", "auth/token/create/r", {"policies": ["default"], "no_parent": True}).json
    assert answer["auth"]["orphan"] is False


def test_names_of_roles_are_what_they_are(vault) -> None:
    vault.root.data("POST", "auth/token/roles/Role", {})
    assert vault.root.refused("GET", "auth/token/roles/role") == (404, "")
    assert vault.root.refused("POST", "auth/token/create/role", {}) == (400, "unknown role role")


def test_looking_up(vault) -> None:
    token = vault.root.token(policies=["app"], ttl="1h", display_name="a b!c", meta={"who": "me"})
    mine = token.data("GET", "auth/token/lookup-self")
    assert mine["id"] == token.text and mine["ttl"] == 3600 and mine["meta"] == {"who": "me"}
    assert mine["display_name"] == "token-a-b-c" and mine["orphan"] is False
    assert vault.root.data("POST", "auth/token/lookup", {"token": token.text}) == mine
    by_accessor = vault.root.data("POST", "auth/token/lookup-accessor", {"accessor": mine["accessor"]})
    assert by_accessor == {**mine, "id": ""}
    assert vault.root.refused("POST", "auth/token/lookup", {"token": "zz"}) == (403, "bad token")
    vault.stack.clock.forward(HOUR)
    assert vault.root.refused("POST", "auth/token/lookup", {"token": token.text}) == (403, "bad token")


@pytest.mark.parametrize(
    ("path", "body", "refusal"),
    [
        ("lookup-accessor", {}, (400, "1 error occurred:\n\t* missing accessor\n\n")),
        ("lookup-accessor", {"accessor": "zz"}, (400, "1 error occurred:\n\t* invalid accessor\n\n")),
        ("renew", {}, (400, "missing token ID")),
        ("renew", {"token": "zz"}, (400, "token not found")),
        ("renew-accessor", {"accessor": "zz"}, (400, "1 error occurred:\n\t* invalid accessor\n\n")),
        ("renew-self", {}, (400, "lease is not renewable")),
        ("revoke", {}, (400, "missing token ID")),
        ("revoke-accessor", {}, (400, "1 error occurred:\n\t* missing accessor\n\n")),
        ("revoke-orphan", {}, (400, "missing token ID")),
        ("revoke-orphan", {"token": "zz"}, (400, "token to revoke not found")),
    ],
)
def test_nobodys_token(vault, path, body, refusal) -> None:
    assert vault.root.refused("POST", f"auth/token/{path}", body) == refusal


def test_what_is_gone_is_revoked_already(vault) -> None:
    assert vault.root("POST", "auth/token/revoke", {"token": "zz"}).status == 204
    answer = vault.root("POST", "auth/token/revoke-accessor", {"accessor": "zz"})
    assert answer.status == 200 and answer.json["warnings"] == ["No token found with this accessor"]


def test_renewing_lasts_from_now_on_and_never_beyond_the_most(vault) -> None:
    token = vault.root.token(policies=["app"], ttl="1h", explicit_max_ttl="3h")
    vault.stack.clock.forward(HOUR / 2)
    assert token("POST", "auth/token/renew-self", {}).json["auth"]["lease_duration"] == 3600
    longer = token("POST", "auth/token/renew-self", {"increment": "10h"}).json
    assert longer["auth"]["lease_duration"] == 9000 and "capped accordingly" in longer["warnings"][0]
    found = token.data("GET", "auth/token/lookup-self")
    assert found["ttl"] == 9000 and found["creation_ttl"] == 3600 and "last_renewal" in found


def test_in_its_last_second_it_is_renewed_for_no_longer(vault) -> None:
    """CVE-2021-32923."""
    token = vault.root.token(policies=["app"], ttl="1h", explicit_max_ttl="1h")
    vault.stack.clock.forward(HOUR - timedelta(milliseconds=500))
    assert token("POST", "auth/token/renew-self", {"increment": "5h"}).json["auth"]["lease_duration"] <= 1
    vault.stack.clock.forward(timedelta(milliseconds=499))
    assert token.is_good()
    vault.stack.clock.forward(timedelta(milliseconds=1))
    assert not token.is_good()


def test_one_with_a_period_lasts_as_long_as_it_is_renewed(vault) -> None:
    token = vault.root.token(policies=["app"], period="1h")
    for _ in range(1000):  # more than 768 hours
        vault.stack.clock.forward(HOUR - timedelta(seconds=1))
        assert token("POST", "auth/token/renew-self", {"increment": "5h"}).json["auth"]["lease_duration"] == 3600
    vault.stack.clock.forward(HOUR)
    assert not token.is_good()


def test_a_revocation_takes_the_whole_tree(vault) -> None:
    vault.root.policy("maker", MAKER)
    top = vault.root.token(policies=["maker"])
    child, other = top.token(), top.token()
    grandchild = child.token()
    assert vault.root("POST", "auth/token/revoke", {"token": child.text}).status == 204
    assert [one.is_good() for one in (top, child, grandchild, other)] == [True, False, False, True]
    assert top("POST", "auth/token/revoke-self").status == 204
    assert [one.is_good() for one in (top, other, vault.root)] == [False, False, True]


def test_an_orphan_outlives_its_maker_and_orphans_are_made(vault) -> None:
    vault.root.policy("maker", MAKER)
    top = vault.root.token(policies=["maker"])
    orphan = vaultstack.Bearer(vault.stack, made(top, "create-orphan")["auth"]["client_token"])
    child = top.token()
    grandchild = child.token()
    assert vault.root("POST", "auth/token/revoke-orphan", {"token": child.text}).status == 204
    assert grandchild.data("GET", "auth/token/lookup-self")["orphan"] is True
    top("POST", "auth/token/revoke-self")
    assert [one.is_good() for one in (top, child, grandchild, orphan)] == [False, False, True, True]


def test_uses_are_counted_those_that_are_refused_too(vault) -> None:
    token = vault.root.token(policies=["app"], num_uses=3)
    assert token.refused("GET", "sys/mounts") == (403, DENIED)
    assert token.refused("POST", "auth/token/create", {}) == (403, DENIED)
    assert token.data("GET", "auth/token/lookup-self")["num_uses"] == -1
    assert token.refused("GET", "auth/token/lookup-self") == (403, "permission denied")
    assert vault.root.refused("POST", "auth/token/lookup", {"token": token.text}) == (403, "bad token")


def test_its_last_use_renews_nothing(vault) -> None:
    token = vault.root.token(policies=["app"], num_uses=2, ttl="1h")
    assert token("POST", "auth/token/renew-self", {}).json["auth"]["num_uses"] == 1
    assert token.refused("POST", "auth/token/renew-self", {}) == (400, "token not found")
    assert not token.is_good()


def test_a_token_with_few_uses_makes_no_child(vault) -> None:
    vault.root.policy("maker", MAKER)
    token = vault.root.token(policies=["maker"], num_uses=3)
    words = "restricted use token cannot generate child tokens"
    assert token.refused("POST", "auth/token/create", {}) == (400, words)


def test_accessors_are_listed_for_sudo_alone(vault) -> None:
    token = vault.root.token(policies=["app"])
    listed = vault.root.data("LIST", "auth/token/accessors")["keys"]
    assert token.data("GET", "auth/token/lookup-self")["accessor"] in listed and len(listed) == 2
    vault.root.policy("app", 'path "auth/token/accessors*" { capabilities = ["list"] }')
    assert token.refused("LIST", "auth/token/accessors") == (403, DENIED)
    vault.root.policy("app", 'path "auth/token/accessors*" { capabilities = ["list", "sudo"] }')
    assert token.data("LIST", "auth/token/accessors")["keys"] == listed


# --- roles


def test_a_role_says_what_its_tokens_are_like(vault) -> None:
    role = {
        "allowed_policies": "a,b",
        "orphan": True,
        "renewable": False,
        "path_suffix": "in-time",
        "token_explicit_max_ttl": "1h",
        "token_num_uses": 4,
        "token_bound_cidrs": "203.0.113.9/24",
    }
    assert vault.root("POST", "auth/token/roles/r", role).status == 204
    answer = made(vault.root, "create/r")["auth"]
    assert (answer["policies"], answer["num_uses"], answer["orphan"]) == (["a", "b", "default"], 4, True)
    assert (answer["renewable"], answer["lease_duration"]) == (False, 3600)
    found = vaultstack.Bearer(vault.stack, answer["client_token"]).data("GET", "auth/token/lookup-self")
    assert found["path"] == "auth/token/create/r/in-time" and found["role"] == "r"
    assert found["bound_cidrs"] == ["203.0.113.9/24"]


def test_a_role_bounds_policies(vault) -> None:
    vault.root.data("POST", "auth/token/roles/r", {"allowed_policies": ["a", "b"]})
    words = (
        'token policies (["c" "default"]) must be subset of the role\'s allowed policies (["a" "b" "default"]) '
        "or glob policies ([])"
    )
    assert vault.root.refused("POST", "auth/token/create/r", {"policies": ["c"]}) == (400, words)
    vault.root.data("POST", "auth/token/roles/g", {"allowed_policies_glob": "dev-*", "disallowed_policies": "dev-x"})
    assert made(vault.root, "create/g", policies=["dev-1"])["auth"]["policies"] == ["default", "dev-1"]
    assert vault.root.refused("POST", "auth/token/create/g", {"policies": ["dev-x"]})[0] == 400
    for text in ("dev-?", "dev-[1]", "dev-[!a]"):  # of all signs * alone stands for others
        vault.root.data("POST", "auth/token/roles/s", {"allowed_policies_glob": text})
        assert vault.root.refused("POST", "auth/token/create/s", {"policies": ["dev-1"]})[0] == 400
        vault.root.data("POST", "auth/token/roles/s", {"allowed_policies_glob": "", "disallowed_policies_glob": text})
        assert made(vault.root, "create/s", policies=["dev-1"])["auth"]["policies"] == ["default", "dev-1"]
    assert vault.root.refused("POST", "auth/token/create/none", {}) == (400, "unknown role none")


def test_roles_are_read_changed_listed_deleted(vault) -> None:
    vault.root.data("POST", "auth/token/roles/r", {"period": "1h", "bound_cidrs": "10.0.0.1"})
    vault.root.data("POST", "auth/token/roles/r", {"allowed_policies": "a"})
    found = vault.root.data("GET", "auth/token/roles/r")
    assert (found["period"], found["token_period"], found["allowed_policies"]) == (3600, 3600, ["a"])
    assert found["token_bound_cidrs"] == ["10.0.0.1"]
    assert vault.root.data("LIST", "auth/token/roles") == {"keys": ["r"]}
    assert vault.root("DELETE", "auth/token/roles/r").status == 204
    assert vault.root.refused("GET", "auth/token/roles/r") == (404, "")
    assert vault.root.refused("LIST", "auth/token/roles") == (404, "")
    assert vault.root.refused("POST", "auth/token/roles/r", {"bound_cidrs": "nowhere"})[0] == 400


def test_a_role_that_says_nothing_of_policies_gives_no_more_than_its_maker_may(vault) -> None:
    vault.root.policy("maker", 'path "auth/token/create/*" { capabilities = ["update"] }')
    vault.root.data("POST", "auth/token/roles/plain", {"renewable": True})
    vault.root.data("POST", "auth/token/roles/some", {"disallowed_policies": "zz"})
    maker = vault.root.token(policies=["maker"])
    words = "child policies must be subset of parent"
    assert maker.refused("POST", "auth/token/create/plain", {"policies": ["other"]}) == (400, words)
    assert made(maker, "create/plain")["auth"]["policies"] == ["default", "maker"]
    assert made(maker, "create/some", policies=["other"])["auth"]["policies"] == ["default", "other"]
    words = "root tokens may not be created without parent token being root"
    assert maker.refused("POST", "auth/token/create/some", {"policies": ["root"]}) == (400, words)
    words = 'cannot assign policy "response-wrapping"'
    assert maker.refused("POST", "auth/token/create/some", {"policies": ["response-wrapping"]}) == (400, words)


def test_where_a_token_is_good_its_children_are(vault) -> None:
    vault.root.policy("maker", MAKER)
    vault.root.data("POST", "auth/token/roles/r", {"allowed_policies": "maker", "bound_cidrs": "203.0.113.0/24"})
    top = vaultstack.Bearer(vault.stack, made(vault.root, "create/r")["auth"]["client_token"])
    assert top.token().data("GET", "auth/token/lookup-self")["bound_cidrs"] == ["203.0.113.0/24"]
    vault.root.data("POST", "auth/token/roles/r", {"bound_cidrs": "10.0.0.0/8"})
    elsewhere = vaultstack.Bearer(vault.stack, made(vault.root, "create/r")["auth"]["client_token"])
    assert not elsewhere.is_good()


def test_a_child_made_while_its_parent_is_revoked_does_not_survive(vault) -> None:
    """Both rest on the parent's row: whichever commits second is done again."""
    vault.root.policy("maker", MAKER)
    top = vault.root.token(policies=["maker"])
    vault.stack.view.loop_thread = None
    commit, children = vault.stack.barrier.commit, []

    def make_a_child_first(change) -> None:
        if change.delete and not children:
            children.append("now")
            children.append(top.token())
        commit(change)

    vault.stack.barrier.commit = make_a_child_first
    assert vault.root("POST", "auth/token/revoke", {"token": top.text}).status == 204
    assert len(children) == 2 and not children[1].is_good() and not top.is_good()


def test_the_last_use_is_one_mans_though_two_come_at_once(vault) -> None:
    token = vault.root.token(policies=["app"], num_uses=1)
    vault.stack.view.loop_thread = None
    commit, second = vault.stack.barrier.commit, []

    def come_between(change) -> None:
        if not second:
            second.append("now")
            second.append(token("GET", "auth/token/lookup-self").status)
        commit(change)

    vault.stack.barrier.commit = come_between
    assert token("GET", "auth/token/lookup-self").status == 403
    assert second[1] == 200


def test_how_long_tokens_last_is_tuned_at_auth_token(vault) -> None:
    hour = 3600

    def make(**wanted):
        return vault.root("POST", "auth/token/create", {"policies": ["default"], **wanted}).json

    before = vault.root.data("GET", "sys/auth/token")
    tuned = {"default_lease_ttl": "2h", "max_lease_ttl": "4h", "description": "ours"}
    vault.root.data("POST", "sys/auth/token/tune", tuned)
    found = vault.root.data("GET", "sys/auth/token/tune")
    assert (found["default_lease_ttl"], found["max_lease_ttl"], found["description"]) == (2 * hour, 4 * hour, "ours")
    after = vault.root.data("GET", "sys/auth/token")
    assert [after[name] for name in ("accessor", "uuid")] == [before[name] for name in ("accessor", "uuid")]
    made = make()
    assert made["auth"]["lease_duration"] == 2 * hour
    assert make(ttl="5h")["auth"]["lease_duration"] == 4 * hour
    assert make(period="9h")["auth"]["lease_duration"] == 4 * hour
    assert make(type="batch")["auth"]["lease_duration"] == 2 * hour
    bearer = vaultstack.Bearer(vault.stack, made["auth"]["client_token"])
    assert bearer("POST", "auth/token/renew-self", {"increment": "9h"}).json["auth"]["lease_duration"] == 4 * hour
    vault.root.data("POST", "sys/auth/token/tune", {"max_lease_ttl": "8760h"})
    assert make(ttl="5000h")["auth"]["lease_duration"] == 5000 * hour
    assert bearer("POST", "auth/token/renew-self", {"increment": "900h"}).json["auth"]["lease_duration"] == 900 * hour
    vault.root.data("POST", "sys/auth/token/tune", {"max_lease_ttl": "system", "default_lease_ttl": "system"})
    assert make(ttl="5000h")["auth"]["lease_duration"] == 768 * hour
    root = vault.root("POST", "auth/token/create", {}).json["auth"]
    assert (root["lease_duration"], root["renewable"]) == (0, False)
    words = "token credential backend cannot be disabled"
    assert vault.root.refused("DELETE", "sys/auth/token") == (400, words)


@pytest.mark.parametrize("path", ["mounts/sys", "mounts/identity", "mounts/cubbyhole"])
def test_no_other_mount_that_is_always_there_is_tuned(vault, path) -> None:
    status, words = vault.root.refused("POST", f"sys/{path}/tune", {"max_lease_ttl": "1h"})
    assert (status, words) == (400, f'cannot tune "{path.removeprefix("mounts/")}/"')


def test_a_token_is_renewed_by_its_token_role_as_that_is_now(vault) -> None:
    hour = 3600
    vault.root.data("POST", "auth/token/roles/r", {"token_period": "1h"})
    made = vault.root("POST", "auth/token/create/r", {"policies": ["default"]}).json["auth"]
    bearer = vaultstack.Bearer(vault.stack, made["client_token"])

    def renewed(**more):
        return bearer("POST", "auth/token/renew-self", more).json["auth"]["lease_duration"]

    vault.root.data("POST", "auth/token/roles/r", {"token_period": "2h"})
    assert renewed() == 2 * hour
    vault.root.data("POST", "auth/token/roles/r", {"token_period": 0, "token_explicit_max_ttl": "3h"})
    assert renewed(increment="5h") == 3 * hour
    vault.root.data("POST", "auth/token/roles/r", {"token_explicit_max_ttl": "9h"})
    assert renewed(increment="5h") == 5 * hour
    vault.root.data("DELETE", "auth/token/roles/r")
    words = 'failed to renew entry: original token role "r" could not be found, not renewing'
    assert bearer.refused("POST", "auth/token/renew-self", {}) == (400, words)


def test_a_root_token_that_ends_makes_none_that_does_not(vault) -> None:
    made = vault.root("POST", "auth/token/create", {"policies": ["root"], "ttl": "1h"}).json["auth"]
    bearer = vaultstack.Bearer(vault.stack, made["client_token"])
    words = "expiring root tokens cannot create non-expiring root tokens"
    for path in ("create", "create-orphan"):
        assert bearer.refused("POST", f"auth/token/{path}", {}) == (400, words)
    assert bearer("POST", "auth/token/create", {"ttl": "30m"}).json["auth"]["lease_duration"] == 1800
