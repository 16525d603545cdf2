"""sys/quotas: Vault documentation, "Resource quotas"; words held to OpenBao 2.7.2."""

from datetime import timedelta

import pytest
from tests import vaultstack
from tests.vaultstack import DENIED

from keystead.service import rates


@pytest.fixture
def vault():
    door = vaultstack.door()
    for path in ("kv", "other"):
        assert door.root("POST", f"sys/mounts/{path}", {"type": "kv"}).status == 204
    return door


def limited(path: str) -> tuple[int, str]:
    return 429, f'request path "{path}": rate limit quota exceeded'


def asked(vault, path: str, n: int) -> list[int]:
    vault.stack.clock.forward(timedelta(seconds=1000))
    return [vault.root("GET", path).status for _ in range(n)]


def test_written_read_listed_deleted(vault) -> None:
    root = vault.root
    assert root.refused("LIST", "sys/quotas/rate-limit") == (404, "")
    assert root("POST", "sys/quotas/rate-limit/a", {"rate": 2.5, "path": "kv", "block_interval": "3s"}).status == 204
    assert root.data("GET", "sys/quotas/rate-limit/a") == {
        "block_interval": 3,
        "inheritable": False,
        "interval": 1,
        "name": "a",
        "path": "kv/",
        "rate": 2.5,
        "role": "",
        "type": "rate-limit",
    }
    assert root("POST", "sys/quotas/rate-limit/g", {"rate": 100}).status == 204
    assert root.data("GET", "sys/quotas/rate-limit/g")["inheritable"] is True
    assert root.data("LIST", "sys/quotas/rate-limit") == {"keys": ["a", "g"]}
    assert root("DELETE", "sys/quotas/rate-limit/a").status == 204
    assert root.refused("GET", "sys/quotas/rate-limit/a") == (404, "")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"path": "kv/"}, "'rate' is invalid"),
        ({"rate": -1, "path": "kv/"}, "'rate' is invalid"),
        ({"rate": 2, "path": "nothere/"}, 'invalid mount path "nothere/"'),
        ({"rate": 2, "path": "auth/"}, 'invalid mount path "auth/"'),
        ({"rate": 2, "path": "kv/", "role": "x"}, 'Mount path "kv/" does not support use with role-based quotas'),
        ({"rate": 2, "path": "other"}, 'quota rule with similar properties exists under the name "there"'),
    ],
)
def test_refused(vault, wanted, words) -> None:
    vault.root.data("POST", "sys/quotas/rate-limit/there", {"rate": 100, "path": "other/"})
    assert vault.root.refused("POST", "sys/quotas/rate-limit/z", wanted) == (400, words)


def test_those_of_a_mount(vault) -> None:
    vault.root.data("POST", "sys/quotas/rate-limit/a", {"rate": 2, "path": "kv/"})
    assert asked(vault, "kv/x", 4) == [404, 404, 429, 429]
    assert vault.root.refused("GET", "kv/y") == limited("kv/y")
    assert vault.root("GET", "other/y").status == 404
    vault.stack.clock.forward(timedelta(seconds=1))
    assert vault.root("GET", "kv/y").status == 404


def test_the_most_specific_counts_alone(vault) -> None:
    for name, path, rate in (("a", "kv/", 1), ("b", "kv/x", 2), ("c", "kv/in/*", 3), ("d", "", 4)):
        vault.root.data("POST", f"sys/quotas/rate-limit/{name}", {"rate": rate, "path": path})
    assert asked(vault, "kv/x", 3) == [404, 404, 429]
    assert asked(vault, "kv/in/y", 4) == [404, 404, 404, 429]
    assert asked(vault, "kv/y", 2) == [404, 429]
    assert asked(vault, "other/y", 5) == [404, 404, 404, 404, 429]


def test_an_address_has_its_own(vault) -> None:
    vault.root.data("POST", "sys/quotas/rate-limit/a", {"rate": 1, "path": "kv/"})
    assert asked(vault, "kv/x", 2) == [404, 429]
    vault.stack.peer = "203.0.113.99"
    assert vault.root("GET", "kv/x").status == 404


def test_blocked_for_a_while(vault) -> None:
    vault.root.data("POST", "sys/quotas/rate-limit/a", {"rate": 1, "path": "kv/", "block_interval": "10s"})
    assert asked(vault, "kv/x", 2) == [404, 429]
    for seconds, status in ((5, 429), (4, 429), (1, 404)):
        vault.stack.clock.forward(timedelta(seconds=seconds))
        assert vault.root("GET", "kv/x").status == status


def test_who_is_nobody_is_counted_too_and_a_login(vault) -> None:
    assert vault.root("POST", "sys/auth/userpass", {"type": "userpass"}).status == 204
    vault.root.data("POST", "auth/userpass/users/u", {"password": "pw"})
    vault.root.data("POST", "sys/quotas/rate-limit/a", {"rate": 1, "path": "auth/userpass"})
    vault.root.data("POST", "sys/quotas/rate-limit/b", {"rate": 1, "path": "kv/"})
    vault.stack.clock.forward(timedelta(seconds=1000))
    assert [vault.nobody("GET", "kv/x").status for _ in range(2)] == [403, 429]
    logins = [vault.nobody("POST", "auth/userpass/login/u", {"password": "no"}).status for _ in range(3)]
    assert logins == [400, 429, 429]


def test_a_refusal_is_on_record(vault) -> None:
    vault.root.data("POST", "sys/quotas/rate-limit/a", {"rate": 1, "path": "kv/"})
    asked(vault, "kv/x", 1)
    vault.stack.forget_records()
    assert vault.root("GET", "kv/x").status == 429
    assert vault.stack.record().outcome == "refused: RateLimited"


def test_a_limit_that_is_gone_or_changed_counts_as_it_is_now(vault) -> None:
    vault.root.data("POST", "sys/quotas/rate-limit/a", {"rate": 1, "path": "kv/"})
    assert asked(vault, "kv/x", 2) == [404, 429]
    vault.root.data("POST", "sys/quotas/rate-limit/a", {"rate": 2, "path": "kv/"})
    assert asked(vault, "kv/x", 3) == [404, 404, 429]
    vault.root.data("DELETE", "sys/quotas/rate-limit/a")
    assert asked(vault, "kv/x", 5) == [404] * 5


def test_addresses_without_end_fill_no_memory() -> None:
    window = rates.PerWindow(1, 600)
    for n in range(rates.MAX_NAMES + 10):
        window.count(str(n), 0)
    assert len(window._counts) == rates.MAX_NAMES


def test_exempt_paths(vault) -> None:
    vault.root.data("POST", "sys/quotas/rate-limit/a", {"rate": 1})
    vault.root.data("POST", "sys/quotas/config", {"rate_limit_exempt_paths": ["kv/free", "kv/open/*", "sys/*"]})
    said = vault.root.data("GET", "sys/quotas/config")
    assert {"kv/free", "kv/open/*", "sys/health"} <= set(said["rate_limit_exempt_paths"])
    assert asked(vault, "kv/free", 3) == [404] * 3 and asked(vault, "kv/open/x", 3) == [404] * 3
    assert asked(vault, "kv/other", 2) == [404, 429]
    assert [vault.nobody("GET", "sys/health").status for _ in range(3)] == [200] * 3


@pytest.mark.parametrize(
    "wanted", [{"enable_rate_limit_response_headers": True}, {"enable_rate_limit_audit_logging": False}]
)
def test_what_is_not_offered_is_refused_by_name(vault, wanted) -> None:
    status, words = vault.root.refused("POST", "sys/quotas/config", wanted)
    assert status == 400 and words.startswith(next(iter(wanted)))


def test_lease_counts_are_not_offered(vault) -> None:
    unsupported = (404, "1 error occurred:\n\t* unsupported path\n\n")
    assert vault.root.refused("POST", "sys/quotas/lease-count/x", {"max_leases": 3}) == unsupported
    assert vault.root.refused("LIST", "sys/quotas/lease-count") == unsupported


def test_it_takes_a_policy_to(vault) -> None:
    token = vault.root.token(policies=["default"])
    for method, path in (
        ("GET", "rate-limit/a"),
        ("POST", "rate-limit/a"),
        ("DELETE", "rate-limit/a"),
        ("GET", "config"),
    ):
        assert token.refused(method, f"sys/quotas/{path}", {"rate": 1}) == (403, DENIED)
