"""auth/userpass, auth/approle: Vault HTTP API; words held to OpenBao 2.7.2."""

from datetime import timedelta

import pytest
from tests import vaultstack

from keystead.core.entities import Account, SecretId, Token
from keystead.service.barrier import Commit
from keystead.service.credentials import password as passwords

WRONG_USER, WRONG_ROLE = (400, "invalid username or password"), (400, "invalid role or secret ID")
CLEAN = {"token_period": 0, "token_ttl": 0, "token_max_ttl": 0}
"""Of a role or a user that is written anew: without what it had."""


@pytest.fixture
def vault():
    made = vaultstack.door()
    for engine in ("userpass", "approle"):
        made.root.data("POST", f"sys/auth/{engine}", {"type": engine})
    return made


def bearer(vault, reply) -> vaultstack.Bearer:
    assert reply.status == 200, reply.body
    return vaultstack.Bearer(vault.stack, reply.json["auth"]["client_token"])


def user(vault, **fields) -> None:
    vault.root.data("POST", "auth/userpass/users/Bob", {"password": "pw", **fields})


def log_in(vault, said: str = "pw", name: str = "bob"):
    return vault.nobody("POST", f"auth/userpass/login/{name}", {"password": said})


# --- userpass


def test_a_user_logs_in_whatever_the_case_of_the_name(vault) -> None:
    user(vault, token_policies="a,b", token_ttl="1h")
    reply = log_in(vault, name="BOB")
    auth = reply.json["auth"]
    assert (auth["policies"], auth["lease_duration"], auth["orphan"]) == (["a", "b", "default"], 3600, True)
    assert auth["metadata"] == {"username": "bob"}
    found = bearer(vault, reply).data("GET", "auth/token/lookup-self")
    assert (found["display_name"], found["path"]) == ("userpass-bob", "auth/userpass/login/BOB")


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("userpass/users/x", {"password": "pw", "token_num_uses": -1}, "'token_num_uses' cannot be negative"),
        ("approle/role/x", {"token_num_uses": -1}, "'token_num_uses' cannot be negative"),
        ("approle/role/x", {"secret_id_num_uses": -1}, "secret_id_num_uses cannot be negative"),
        ("approle/role/r/secret-id", {"num_uses": -1}, "num_uses cannot be negative"),
        ("token/roles/x", {"token_num_uses": -1}, "error parsing role fields: 'token_num_uses' cannot be negative"),
    ],
)
def test_less_than_no_uses_are_not_endless_ones(vault, path, body, words) -> None:
    vault.root.data("POST", "auth/approle/role/r", {})
    assert vault.root.refused("POST", f"auth/{path}", body) == (400, words)


def test_a_secret_id_lasts_no_longer_than_its_mount_allows(vault) -> None:
    vault.root.data("POST", "auth/approle/role/r", {})
    made = vault.root.data("POST", "auth/approle/role/r/secret-id", {"ttl": "9999h"})
    assert made["secret_id_ttl"] == 768 * 3600


def test_wrong_names_and_passwords_are_told_the_same(vault) -> None:
    """CVE-2020-35177."""
    user(vault)
    for name, password in (("bob", "x"), ("nobody", "pw"), ("bob", "x" * 2000)):
        assert vault.nobody.refused("POST", f"auth/userpass/login/{name}", {"password": password}) == WRONG_USER
    assert vault.nobody.refused("POST", "auth/userpass/login/bob", {}) == (500, "missing password")


def test_whoever_fails_five_times_waits_and_hears_nothing_of_it(vault) -> None:
    user(vault)
    for _ in range(5):
        assert log_in(vault, "x").status == 400
    assert vault.nobody.refused("POST", "auth/userpass/login/bob", {"password": "pw"}) == WRONG_USER
    assert any(record.why == "locked out" for record in vault.stack.records())
    vault.stack.clock.forward(timedelta(minutes=15))
    assert log_in(vault).status == 200


def test_guesses_count_wherever_they_come_from(vault) -> None:
    """As in OpenBao 2.7.2; there the right password is told from a wrong one, and here it is not."""
    user(vault, token_bound_cidrs="10.0.0.0/8")
    for _ in range(6):
        assert vault.nobody.refused("POST", "auth/userpass/login/bob", {"password": "pw"}) == WRONG_USER
    assert locked(vault) == []
    for _ in range(5):
        assert log_in(vault, "x").status == 400
    assert [one["alias_identifiers"] for one in locked(vault)] == [["bob"]]
    vault.stack.peer = "10.1.2.3"
    assert log_in(vault).status == 400
    vault.stack.clock.forward(timedelta(minutes=15))
    assert log_in(vault).status == 200


def test_a_login_that_goes_well_begins_the_count_anew(vault) -> None:
    user(vault)
    for _ in range(3):
        for _ in range(4):
            log_in(vault, "x")
        assert log_in(vault).status == 200


@pytest.mark.parametrize(
    ("pause", "is_out"), [(timedelta(minutes=15), True), (timedelta(minutes=15, seconds=1), False)]
)
def test_failures_are_forgotten_after_a_quarter_of_an_hour_without_one(vault, pause, is_out) -> None:
    """OpenBao documentation, "User lockout": lockout counter reset."""
    user(vault)
    for _ in range(4):
        log_in(vault, "x")
        vault.stack.clock.forward(pause)
    assert log_in(vault, "x").status == 400
    assert (locked(vault) != []) is is_out
    assert log_in(vault).status == (400 if is_out else 200)


def test_every_spelling_of_a_name_is_counted_as_one(vault) -> None:
    """CVE-2025-6004, CVE-2025-54998."""
    user(vault)
    for name in ("bob", "BOB", "Bob", "bOb", "boB"):
        assert log_in(vault, "x", name).status == 400
    assert [one["alias_identifiers"] for one in locked(vault)] == [["bob"]]
    assert [log_in(vault, name=name).status for name in ("BoB", "bob")] == [400, 400]


def test_who_is_nobody_or_locked_out_costs_what_a_wrong_password_costs(vault, monkeypatch) -> None:
    """CVE-2025-6011, CVE-2025-54999: one Argon2id, which is what a login takes its time for."""
    user(vault)
    tried = _counted(monkeypatch)
    for n, name in enumerate(("nobody", *["bob"] * 7), 1):
        assert log_in(vault, "x", name).status == 400
        assert len(tried) == n


def test_after_a_lockout_the_count_begins_anew(vault) -> None:
    user(vault)
    for _ in range(5):
        log_in(vault, "x")
    vault.stack.clock.forward(timedelta(minutes=15))
    for _ in range(4):
        log_in(vault, "x")
    assert locked(vault) == [] and log_in(vault).status == 200


def test_a_new_password_is_the_only_one(vault) -> None:
    user(vault)
    assert vault.root("POST", "auth/userpass/users/bob/password", {"password": "p2"}).status == 204
    assert (log_in(vault).status, log_in(vault, "p2").status) == (400, 200)


@pytest.mark.parametrize(("said", "status"), [("pw", 200), ("x", 400)])
def test_a_login_that_is_overtaken_looks_at_its_password_once(vault, monkeypatch, said, status) -> None:
    user(vault)
    tried, came = _counted(monkeypatch), []
    _overtaken(vault, monkeypatch, lambda: came.append(_told(vault, token_ttl="1h")))
    assert log_in(vault, said).status == status and len(came) == 1
    assert len(tried) == 1
    assert log_in(vault, said).status == status
    assert len(tried) == 2, "each request anew"


def test_a_password_that_changes_meanwhile_is_looked_at_again(vault, monkeypatch) -> None:
    user(vault)
    came = []
    _overtaken(vault, monkeypatch, lambda: came.append(_told(vault, password="p2")))
    assert log_in(vault).status == 400 and len(came) == 1
    assert log_in(vault, "p2").status == 200


def _told(vault, **fields) -> int:
    return vault.root("POST", "auth/userpass/users/bob", fields).status


def _counted(monkeypatch) -> list[bytes]:
    tried, derive = [], passwords.argon2id
    monkeypatch.setattr(passwords, "argon2id", lambda said, *more: (tried.append(said), derive(said, *more))[1])
    return tried


def _overtaken(vault, monkeypatch, act) -> None:
    """By `act`, right before the next commit."""
    commit, once = vault.stack.barrier.commit, [act]

    def after(change: Commit) -> None:
        if once:
            once.pop()()
        commit(change)

    monkeypatch.setattr(vault.stack.barrier, "commit", after)


def test_users_are_read_changed_listed_deleted(vault) -> None:
    user(vault, policies="a")
    vault.root.data("POST", "auth/userpass/users/bob/policies", {"token_policies": "c,d"})
    vault.root.data("POST", "auth/userpass/users/bob", {"token_max_ttl": "2h", "token_no_default_policy": True})
    found = vault.root.data("GET", "auth/userpass/users/bob")
    assert (found["token_policies"], found["token_max_ttl"]) == (["c", "d"], 7200)
    assert log_in(vault).json["auth"]["policies"] == ["c", "d"]
    assert vault.root.data("LIST", "auth/userpass/users") == {"keys": ["bob"]}
    vault.root.data("DELETE", "auth/userpass/users/bob")
    assert log_in(vault).status == 400
    assert vault.root.refused("LIST", "auth/userpass/users") == (404, "")
    assert vault.root.refused("GET", "auth/userpass/users/bob") == (404, "")
    words = "must provide either password or password_hash"
    assert vault.root.refused("POST", "auth/userpass/users/x", {}) == (400, words)


def test_nobody_else_writes_users(vault) -> None:
    token = vault.root.token(policies=["none"])
    assert token.refused("POST", "auth/userpass/users/me", {"password": "x"})[0] == 403
    assert vault.nobody.refused("POST", "auth/userpass/users/me", {"password": "x"})[0] == 403


def test_logging_in_makes_no_root_token(vault) -> None:
    vault.root.data("POST", "auth/approle/role/r", {"token_policies": "root"})
    for _ in range(2):
        user(vault, token_policies="root")
    for answer in (role_login(vault), log_in(vault)):
        assert answer.status == 400 and answer.json["errors"] == ["auth methods cannot create root tokens"]


def test_a_password_is_nowhere_on_record_nor_kept(vault) -> None:
    user(vault, password="correct horse")
    log_in(vault, "correct horse")
    lines = [line for _, line in vault.stack.store.records(0, 1000)] + vault.stack.journal.lines
    assert not any(b"correct horse" in line for line in lines)
    (account,) = vault.stack.barrier.every(Account, limit=10)
    assert b"correct horse" not in account.password and len(account.password) == 48


def test_a_login_may_be_wrapped(vault) -> None:
    user(vault)
    info = vault.nobody("POST", "auth/userpass/login/bob", {"password": "pw"}, wrap="60s").json["wrap_info"]
    inside = vault.nobody("POST", "sys/wrapping/unwrap", {"token": info["token"]})
    assert bearer(vault, inside).is_good()


def test_a_login_token_is_renewed_up_to_the_most_of_its_user(vault) -> None:
    user(vault, token_ttl="1h", token_max_ttl="90m")
    token = bearer(vault, log_in(vault))
    assert token("POST", "auth/token/renew-self", {}).json["auth"]["lease_duration"] == 3600
    vault.stack.clock.forward(timedelta(minutes=45))
    assert token("POST", "auth/token/renew-self", {}).json["auth"]["lease_duration"] == 45 * 60


def test_disabling_the_method_ends_whoever_came_by_it(vault) -> None:
    user(vault)
    role(vault)
    tokens = [bearer(vault, log_in(vault)), bearer(vault, role_login(vault))]
    for engine in ("userpass", "approle"):
        assert vault.root("DELETE", f"sys/auth/{engine}").status == 204
    assert not any(token.is_good() for token in tokens) and vault.root.is_good()
    barrier = vault.stack.barrier
    assert [len(barrier.every(kind, limit=10)) for kind in (Account, SecretId, Token)] == [0, 0, 1]
    assert vault.nobody.refused("POST", "auth/userpass/login/bob", {"password": "pw"})[0] in {403, 404}


def test_a_method_that_moves_takes_its_users_along(vault) -> None:
    user(vault)
    token = bearer(vault, log_in(vault))
    vault.root.data("POST", "sys/remount", {"from": "auth/userpass", "to": "auth/people"})
    assert vault.nobody("POST", "auth/people/login/bob", {"password": "pw"}).status == 200
    assert token.is_good()
    vault.root.data("DELETE", "sys/auth/people")
    assert not token.is_good()


# --- approle


def role(vault, **fields) -> None:
    vault.root.data("POST", "auth/approle/role/R", {"token_policies": "app", "token_ttl": "1h", **fields})


def secret_id(vault, **fields):
    return vault.root.data("POST", "auth/approle/role/r/secret-id", fields)


def role_login(vault, secret: str | None = None, role_id: str | None = None):
    secret = secret or secret_id(vault)["secret_id"]
    role_id = role_id or vault.root.data("GET", "auth/approle/role/r/role-id")["role_id"]
    return vault.nobody("POST", "auth/approle/login", {"role_id": role_id, "secret_id": secret})


def test_a_role_logs_in(vault) -> None:
    role(vault)
    auth = role_login(vault, secret_id(vault, metadata='{"team": "x"}')["secret_id"]).json["auth"]
    assert (auth["policies"], auth["lease_duration"]) == (["app", "default"], 3600)
    assert auth["metadata"] == {"role_name": "r", "team": "x"}


def test_who_does_not(vault) -> None:
    role(vault)
    secret = secret_id(vault)["secret_id"]
    assert role_login(vault, "wrong").json["errors"] == [WRONG_ROLE[1]]
    assert role_login(vault, secret, "wrong").json["errors"] == [WRONG_ROLE[1]]
    assert vault.nobody.refused("POST", "auth/approle/login", {"secret_id": secret}) == (500, "missing role_id")
    vault.root.data("POST", "auth/approle/role/other", {})
    other = vault.root.data("GET", "auth/approle/role/other/role-id")["role_id"]
    assert role_login(vault, secret, other).status == 400  # a secret id is one role's
    assert role_login(vault, secret).status == 200


def shown(vault) -> dict[str, str]:
    """What lets the role in."""
    return {
        "role_id": vault.root.data("GET", "auth/approle/role/r/role-id")["role_id"],
        "secret_id": vault.root.data("POST", "auth/approle/role/r/secret-id", {})["secret_id"],
    }


def locked(vault) -> list[dict[str, object]]:
    (here,) = vault.root.data("GET", "sys/locked-users")["by_namespace"]
    return here["mount_accessors"]


def test_a_role_whose_secret_ids_were_guessed_at_five_times_waits(vault) -> None:
    vault.root.data("POST", "auth/approle/role/r", {})
    good = shown(vault)
    guess = {**good, "secret_id": "guess"}
    wrong = (400, "invalid role or secret ID")
    for _ in range(4):
        assert vault.nobody.refused("POST", "auth/approle/login", guess) == wrong
    assert vault.nobody("POST", "auth/approle/login", good).status == 200  # and the count begins anew
    for _ in range(5):
        assert vault.nobody.refused("POST", "auth/approle/login", guess) == wrong
    assert vault.nobody.refused("POST", "auth/approle/login", good) == wrong
    assert [record.why for record in vault.stack.records()].count("locked out") == 1
    assert [at["alias_identifiers"] for at in locked(vault)] == [[good["role_id"]]]
    vault.stack.clock.forward(timedelta(minutes=15))
    assert locked(vault) == []
    assert vault.nobody("POST", "auth/approle/login", good).status == 200


def test_a_role_is_let_try_again_by_its_role_id_as_it_is_written(vault) -> None:
    vault.root.data("POST", "auth/approle/role/r", {"role_id": "Role-R"})
    good = shown(vault)
    for _ in range(5):
        vault.nobody.refused("POST", "auth/approle/login", {**good, "secret_id": "guess"})
    (at,) = locked(vault)
    unlock = f"sys/locked-users/{at['mount_accessor']}/unlock/"
    for name, status in (("role-r", 400), ("r", 400), ("Role-R", 200)):
        assert vault.root("POST", unlock + name).status == 204
        assert vault.nobody("POST", "auth/approle/login", good).status == status


def test_who_shows_no_secret_id_or_no_role_locks_nobody_out(vault) -> None:
    vault.root.data("POST", "auth/approle/role/r", {})
    good = shown(vault)
    for _ in range(6):
        vault.nobody.refused("POST", "auth/approle/login", {"role_id": good["role_id"]})
        vault.nobody.refused("POST", "auth/approle/login", {"role_id": "r", "secret_id": "guess"})
    assert locked(vault) == []
    assert vault.nobody("POST", "auth/approle/login", good).status == 200


def test_a_token_is_bound_by_a_role_that_has_narrowed(vault) -> None:
    """The peer is 203.0.113.7."""
    role(vault)
    wide = secret_id(vault, token_bound_cidrs="0.0.0.0/0")["secret_id"]
    role(vault, token_bound_cidrs="203.0.113.0/24")
    token = bearer(vault, role_login(vault, wide))
    assert token.is_good()
    vault.stack.peer = "192.0.2.1"
    assert not token.is_good()


def test_guesses_from_where_a_role_lets_nobody_in_lock_nobody_out(vault) -> None:
    role(vault, token_bound_cidrs="10.0.0.0/8")
    good = shown(vault)
    vault.stack.peer = "192.0.2.1"
    for _ in range(6):
        assert vault.nobody.refused("POST", "auth/approle/login", {**good, "secret_id": "guess"}) == WRONG_ROLE
    assert locked(vault) == []
    vault.stack.peer = "10.1.2.3"
    assert vault.nobody("POST", "auth/approle/login", good).status == 200


def test_uses_and_time_of_a_secret_id_run_out(vault) -> None:
    role(vault, secret_id_num_uses=2, secret_id_ttl="1h")
    made = secret_id(vault)
    assert (made["secret_id_num_uses"], made["secret_id_ttl"]) == (2, 3600)
    secret = made["secret_id"]
    assert [role_login(vault, secret).status for _ in range(3)] == [200, 200, 400]
    late = secret_id(vault)["secret_id"]
    vault.stack.clock.forward(timedelta(hours=1))
    assert role_login(vault, late).status == 400
    assert vault.root("POST", "auth/approle/tidy/secret-id", {}).status == 202
    assert vault.stack.barrier.every(SecretId, limit=10) == []


def test_how_long_a_token_lasts_is_the_mounts_to_say(vault) -> None:
    """Longer than the installation says, too; and by what it says now, not by what it said at the login."""
    hour = 3600

    def log_in(**terms):
        vault.root.data("POST", "auth/userpass/users/u", {"password": "pw", **CLEAN, **terms})
        return vault.nobody("POST", "auth/userpass/login/u", {"password": "pw"}).json

    vault.root.data("POST", "sys/auth/userpass/tune", {"max_lease_ttl": "8760h", "default_lease_ttl": "1000h"})
    assert log_in()["auth"]["lease_duration"] == 1000 * hour
    assert log_in(token_period="2000h")["auth"]["lease_duration"] == 2000 * hour
    long = log_in(token_ttl="9000h")
    words = 'TTL of "9000h" exceeded the effective max_ttl of "8760h"; TTL value is capped accordingly'
    assert (long["auth"]["lease_duration"], long["warnings"]) == (8760 * hour, [words])
    vault.root.data("POST", "sys/auth/userpass/tune", {"max_lease_ttl": "2h", "default_lease_ttl": "1h"})
    bearer = vaultstack.Bearer(vault.stack, long["auth"]["client_token"])
    assert bearer("POST", "auth/token/renew-self", {"increment": "3h"}).json["auth"]["lease_duration"] == 2 * hour
    for terms, most in (({}, 2 * hour), ({"token_max_ttl": "1h"}, hour)):
        periodic = log_in(token_period="3h", **terms)
        assert periodic["auth"]["lease_duration"] == most
        bearer = vaultstack.Bearer(vault.stack, periodic["auth"]["client_token"])
        again = bearer("POST", "auth/token/renew-self", {}).json
        assert again["auth"]["lease_duration"] == most and 'period of "3h" exceeded' in again["warnings"][0]


def test_a_token_is_renewed_by_its_user_as_that_is_now(vault) -> None:
    """Whoever was got rid of renewed a periodic token for ever."""

    def write(**terms):
        vault.root.data("POST", "auth/userpass/users/u", {"password": "pw", **terms})

    def renewed(**more):
        return one("POST", "auth/token/renew-self", more)

    write(token_policies="p", token_period="1h")
    one = bearer(vault, vault.nobody("POST", "auth/userpass/login/u", {"password": "pw"}))
    write(token_period="2h")
    assert renewed().json["auth"]["lease_duration"] == 7200
    write(token_period=0, token_ttl="10m", token_max_ttl="30m")
    assert renewed().json["auth"]["lease_duration"] == 600
    assert renewed(increment="9h").json["auth"]["lease_duration"] == 1800
    write(token_policies="q")
    refused = one.refused("POST", "auth/token/renew-self", {})
    assert refused == (400, "failed to renew entry: policies have changed, not renewing")
    write(token_policies=["p", "default"])
    assert renewed().status == 200
    vault.root.data("DELETE", "auth/userpass/users/u")
    refused = one.refused("POST", "auth/token/renew-self", {})
    assert refused == (400, 'failed to renew entry: user "u" does not exist during renewal')
    assert one.is_good()  # until its time is over


def test_a_token_is_renewed_by_its_role_as_that_is_now(vault) -> None:
    role(vault, token_period="1h", token_policies="a")
    one = bearer(vault, role_login(vault))
    role(vault, token_period="2h", token_policies="b")
    assert one("POST", "auth/token/renew-self", {}).json["auth"]["lease_duration"] == 7200
    vault.root.data("DELETE", "auth/approle/role/r")
    refused = one.refused("POST", "auth/token/renew-self", {})
    assert refused == (400, 'failed to renew entry: role "r" does not exist during renewal')


def test_where_it_may_come_from(vault) -> None:
    """The peer is 203.0.113.7."""
    role(vault)
    assert role_login(vault, secret_id(vault, cidr_list="203.0.113.0/24")["secret_id"]).status == 200
    assert role_login(vault, secret_id(vault, cidr_list="10.0.0.0/8")["secret_id"]).status == 400
    role(vault, secret_id_bound_cidrs="10.0.0.0/8")
    assert role_login(vault).status == 400
    role(vault, secret_id_bound_cidrs="", token_bound_cidrs="10.0.0.0/8")
    assert role_login(vault).status == 400


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"num_uses": 6}, "num_uses cannot be higher than the role's secret_id_num_uses"),
        ({"num_uses": 0}, "num_uses cannot be higher than the role's secret_id_num_uses"),
        ({"ttl": "2h"}, "ttl cannot be longer than the role's secret_id_ttl"),
        ({"ttl": 0}, "ttl cannot be longer than the role's secret_id_ttl"),
        ({"cidr_list": ["203.0.113.0/24", "11.0.0.0/8"]}, "failed to verify subset relationship"),
        ({"cidr_list": "::/0"}, "failed to verify subset relationship"),
        ({"token_bound_cidrs": "0.0.0.0/0"}, "failed to verify subset relationship"),
    ],
)
def test_a_secret_id_has_no_more_than_its_role(vault, asked, words) -> None:
    """One could be made that was good without end, and anywhere, of a role whose are good five times for an hour."""
    bounds = {"secret_id_bound_cidrs": ["203.0.113.0/24", "10.0.0.0/8"], "token_bound_cidrs": "203.0.0.0/16"}
    role(vault, secret_id_num_uses=5, secret_id_ttl="1h", **bounds)
    status, said = vault.root.refused("POST", "auth/approle/role/r/secret-id", asked)
    assert status == 400 and said.startswith(words)
    own = {"secret_id": "my-own-secret", **asked}
    assert vault.root.refused("POST", "auth/approle/role/r/custom-secret-id", own) == (400, said)
    less = {"num_uses": 5, "ttl": "30m", "cidr_list": "203.0.113.7/32", "token_bound_cidrs": "203.0.113.0/24"}
    assert role_login(vault, secret_id(vault, **less)["secret_id"]).status == 200


def test_a_role_that_is_narrowed_narrows_the_secret_ids_that_there_are(vault) -> None:
    """The peer is 203.0.113.7."""
    role(vault)
    made = secret_id(vault, cidr_list="203.0.113.0/24")["secret_id"]
    role(vault, secret_id_bound_cidrs="10.0.0.0/8")
    assert role_login(vault, made).status == 400


def test_the_token_of_a_wrapped_secret_id_tells_its_accessor(vault) -> None:
    role(vault)
    info = vault.root("POST", "auth/approle/role/r/secret-id", {}, wrap="60s").json["wrap_info"]
    made = vault.root.data("POST", "sys/wrapping/unwrap", {"token": info["token"]})
    assert info["wrapped_accessor"] == made["secret_id_accessor"]


def test_a_role_without_secret_ids_has_another_constraint(vault) -> None:
    words = "1 error occurred:\n\t* at least one constraint should be enabled on the role\n\n"
    assert vault.root.refused("POST", "auth/approle/role/r", {"bind_secret_id": False}) == (500, words)
    role(vault, bind_secret_id=False, token_bound_cidrs="203.0.113.0/24")
    assert role_login(vault, "none at all").status == 200


def test_secret_ids_are_looked_up_listed_destroyed(vault) -> None:
    role(vault)
    made = vault.root.data("POST", "auth/approle/role/r/custom-secret-id", {"secret_id": "mine", "num_uses": 3})
    found = vault.root.data("POST", "auth/approle/role/r/secret-id/lookup", {"secret_id": "mine"})
    by = {"secret_id_accessor": made["secret_id_accessor"]}
    assert vault.root.data("POST", "auth/approle/role/r/secret-id-accessor/lookup", by) == found
    assert found["secret_id_num_uses"] == 3
    assert vault.root.data("LIST", "auth/approle/role/r/secret-id") == {"keys": [made["secret_id_accessor"]]}
    words = "1 error occurred:\n\t* failed to store secret_id: SecretID is already registered\n\n"
    again = {"secret_id": "mine"}
    assert vault.root.refused("POST", "auth/approle/role/r/custom-secret-id", again) == (500, words)
    assert vault.root("POST", "auth/approle/role/r/secret-id/destroy", {"secret_id": "mine"}).status == 204
    assert role_login(vault, "mine").status == 400
    assert vault.root("POST", "auth/approle/role/r/secret-id/lookup", {"secret_id": "mine"}).status == 204
    assert vault.root.refused("POST", "auth/approle/role/none/secret-id", {}) == (404, 'role "none" does not exist')


@pytest.mark.parametrize("by", ["secret-id", "secret-id-accessor"])
def test_a_role_looks_at_and_destroys_its_own_secret_ids_alone(vault, by) -> None:
    """CVE-2023-24999."""
    role(vault)
    vault.root.data("POST", "auth/approle/role/other", {})
    made = secret_id(vault)
    given = {"secret-id": {"secret_id": made["secret_id"]}, "secret-id-accessor": {}}[by] or {
        "secret_id_accessor": made["secret_id_accessor"]
    }
    for verb in ("lookup", "destroy"):
        told = vault.root("POST", f"auth/approle/role/other/{by}/{verb}", given)
        assert told.status in {204, 404, 500} and b"creation_time" not in told.body
    assert role_login(vault, made["secret_id"]).status == 200
    assert vault.root("POST", f"auth/approle/role/r/{by}/destroy", given).status == 204
    assert role_login(vault, made["secret_id"]).status == 400


@pytest.mark.parametrize(
    ("path", "name", "value", "cleared"),
    [
        ("policies", "token_policies", ["x"], []),
        ("token-ttl", "token_ttl", 60, 0),
        ("token-max-ttl", "token_max_ttl", 7200, 0),
        ("period", "token_period", 60, 0),
        ("token-num-uses", "token_num_uses", 3, 0),
        ("secret-id-num-uses", "secret_id_num_uses", 3, 0),
        ("secret-id-ttl", "secret_id_ttl", 60, 0),
        ("secret-id-bound-cidrs", "secret_id_bound_cidrs", ["10.0.0.0/8"], None),
        ("token-bound-cidrs", "token_bound_cidrs", ["10.0.0.0/8"], None),
    ],
)
def test_every_option_has_a_path_of_its_own(vault, path, name, value, cleared) -> None:
    role(vault)
    at = f"auth/approle/role/r/{path}"
    assert vault.root("POST", at, {name: value}).status == 204
    assert vault.root.data("GET", at) == {name: value}
    assert vault.root("DELETE", at).status == 204
    assert vault.root.data("GET", at) == {name: cleared}


def test_roles_are_named_listed_deleted(vault) -> None:
    role(vault)
    vault.root.data("POST", "auth/approle/role/r/role-id", {"role_id": "my-role"})
    assert role_login(vault, role_id="my-role").status == 200
    vault.root.data("POST", "auth/approle/role/other", {})
    taken = vault.root.refused("POST", "auth/approle/role/other/role-id", {"role_id": "my-role"})
    assert taken == (400, "role_id is already in use")
    assert vault.root.data("LIST", "auth/approle/role") == {"keys": ["other", "r"]}
    vault.root.data("DELETE", "auth/approle/role/r")
    assert vault.nobody.refused("POST", "auth/approle/login", {"role_id": "my-role", "secret_id": "x"}) == WRONG_ROLE
