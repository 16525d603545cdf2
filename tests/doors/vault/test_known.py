"""Requests like those that came before (doors/vault/known.py): nothing is served to anybody that would not be anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from msgspec.structs import replace
from tests import vaultstack
from tests.vaultstack import Bearer, Vault

from keystead.doors.vault.front import VaultFront
from keystead.doors.vault.known import N_KNOWN, Known
from keystead.service.rates import Rates, Throttle

NOBODYS = (403, "permission denied")
POLICY = 'path "app/*" { capabilities = ["read", "update"] }'


def known(vault: Vault) -> Known:
    return cast("VaultFront", vault.stack.front)._known


@pytest.fixture
def vault() -> Vault:
    made = vaultstack.door()
    made.root("POST", "sys/mounts/app", {"type": "kv", "options": {"version": "1"}})
    made.root("POST", "app/one", {"a": "1"})
    made.root.policy("reader", POLICY)
    return made


def familiar(vault: Vault, **wanted: Any) -> Bearer:
    """A bearer whose next request for app/one is a known one."""
    bearer = vault.root.token(policies=["reader"], **wanted)
    for _ in range(2):
        assert bearer.data("GET", "app/one") == {"a": "1"}
    assert [line[1] for line in known(vault)._arrivals] == [b"/v1/app/one"]
    return bearer


def test_what_is_known_is_not_placed_again(vault, monkeypatch) -> None:
    bearer = familiar(vault)
    monkeypatch.setattr(VaultFront, "_arrive", lambda *_: pytest.fail("the whole way, again"))
    assert bearer.data("GET", "app/one") == {"a": "1"}


def test_any_change_is_heard_of(vault) -> None:
    """A policy, the token, the mount, what is mounted: each is another answer at once."""
    bearer = familiar(vault)
    vault.root.policy("reader", 'path "app/two" { capabilities = ["read"] }')
    assert bearer.refused("GET", "app/one")[0] == 403
    vault.root.policy("reader", POLICY)
    bearer = familiar(vault)
    vault.root("DELETE", "sys/mounts/app")
    assert bearer.refused("GET", "app/one")[0] == 404
    vault.root("POST", "sys/mounts/app", {"type": "kv", "options": {"version": "1"}})
    assert bearer.refused("GET", "app/one") == (404, "")
    vault.root("POST", "app/one", {"a": "1"})
    bearer = familiar(vault)
    assert vault.root("POST", "auth/token/revoke", {"token": bearer.text}).status == 204
    assert bearer.refused("GET", "app/one") == NOBODYS


def test_a_token_ends_with_its_time_and_without_any_change(vault) -> None:
    bearer = familiar(vault, ttl="1h")
    moment = vault.stack.view.moment()
    vault.stack.clock.forward(timedelta(hours=1))
    assert bearer.refused("GET", "app/one") == NOBODYS
    assert vault.stack.view.moment() == moment


def test_a_batch_token_ends_with_its_maker_and_without_any_change(vault) -> None:
    maker = vault.root.token(policies=["default", "reader", "maker"], ttl="1h")
    vault.root.policy("maker", 'path "auth/token/create" { capabilities = ["update"] }')
    made = maker("POST", "auth/token/create", {"type": "batch", "policies": ["reader"], "ttl": "30m"})
    bearer = Bearer(vault.stack, made.json["auth"]["client_token"])
    for _ in range(2):
        assert bearer.data("GET", "app/one") == {"a": "1"}
    ((moment, arrival),) = known(vault)._arrivals.values()
    held = vault.stack.view.token(arrival.held.token.creator)
    over = vault.stack.clock.now() - timedelta(seconds=1)
    held.token = replace(held.token, expires_at=over)
    assert bearer.refused("GET", "app/one") == NOBODYS
    assert vault.stack.view.moment() == moment


def test_a_token_is_good_from_its_own_addresses(vault) -> None:
    vault.root.data("POST", "auth/token/roles/bound", {"token_bound_cidrs": "203.0.113.0/24"})
    made = vault.root("POST", "auth/token/create/bound", {"policies": ["reader"]})
    bearer = Bearer(vault.stack, made.json["auth"]["client_token"])
    for _ in range(2):
        assert bearer.data("GET", "app/one") == {"a": "1"}
    assert known(vault)._arrivals
    vault.stack.peer = "198.51.100.1"
    assert bearer.refused("GET", "app/one") == NOBODYS


def test_a_known_request_is_counted(vault) -> None:
    """By the rates of principals, and by those of paths once there are any."""
    bearer = familiar(vault)
    authenticator = vault.stack.means.authenticator
    authenticator._throttle = Throttle(Rates(principal=3), lambda: True)
    assert [bearer("GET", "app/one").status for _ in range(5)] == [200, 200, 200, 429, 429]
    authenticator._throttle = None
    vault.root("POST", "sys/quotas/rate-limit/a", {"rate": 2, "path": "app"})
    assert [bearer("GET", "app/one").status for _ in range(3)] == [200, 200, 429]
    assert not known(vault)._arrivals, "what is counted by its path goes the whole way"


def test_the_refused_are_counted_too(vault) -> None:
    bearer = familiar(vault, ttl="1h")
    vault.stack.means.authenticator._throttle = Throttle(Rates(source=2), lambda: True)
    vault.stack.clock.forward(timedelta(hours=1))
    assert [bearer("GET", "app/one").status for _ in range(4)] == [403, 403, 429, 429]


def test_the_same_line_says_more_beside_its_token(vault) -> None:
    bearer = familiar(vault)
    info = bearer("GET", "app/one", wrap="60s").json["wrap_info"]
    assert info["token"]
    assert bearer("GET", "app/one", x_vault_wrap_ttl="nonsense").status == 400
    assert bearer.refused("GET", "app/one", x_vault_namespace="elsewhere")[0] == 403
    assert vault.nobody.refused("GET", "app/one")[0] == 403
    assert vault.nobody("GET", "app/one", authorization=f"Bearer {bearer.text}").json["data"] == {"a": "1"}


@pytest.mark.parametrize("empty", [{}, {"x_vault_token": ""}])
def test_what_a_bearer_header_opened_is_not_open_to_whoever_comes_without_it(vault, empty) -> None:
    bearer = vault.root.token(policies=["reader"])
    for _ in range(2):
        with_it = vault.nobody("GET", "app/one", authorization=f"Bearer {bearer.text}", **empty)
        assert with_it.json["data"] == {"a": "1"}
    assert vault.nobody.refused("GET", "app/one", **empty)[0] == 403


def test_a_use_is_counted_and_what_ends_by_it_is_not_kept(vault) -> None:
    bearer = vault.root.token(policies=["reader"], num_uses=3)
    assert [bearer("GET", "app/one").status for _ in range(4)] == [200, 200, 200, 403]
    assert all(token != bearer.text.encode() for *_, token in known(vault)._arrivals)


def test_a_sealed_server_knows_nobody(vault) -> None:
    bearer = familiar(vault)
    vault.stack.barrier.close()
    assert bearer.refused("GET", "app/one")[0] == 503
    assert vault.nobody("GET", "sys/seal-status").status == 200


def test_how_many_are_kept(vault) -> None:
    bearer = familiar(vault)
    for n in range(N_KNOWN + 10):
        bearer("GET", f"app/{n}")
    assert 0 < len(known(vault)._arrivals) <= N_KNOWN
