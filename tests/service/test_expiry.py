"""Tokens that are over (service.expiry): their rows go, and their children with them."""

from datetime import timedelta

import pytest
from tests import vaultstack

from keystead.core.entities import Token, WrappedAnswer
from keystead.core.errors import Unavailable
from keystead.service import expiry as module
from keystead.service.expiry import Expiry

HOUR = timedelta(hours=1)


@pytest.fixture
def vault():
    return vaultstack.door()


def expiry(vault, perform=None) -> Expiry:
    stack = vault.stack
    return Expiry(stack.barrier, stack.store, stack.clock, perform or stack.by_system)


def n_tokens(vault) -> int:
    return len(vault.stack.barrier.every(Token, limit=1000))


def test_what_is_over_goes_with_its_children(vault) -> None:
    vault.root.policy("maker", 'path "auth/token/create*" { capabilities = ["update"] }')
    vault.stack.view.loop_thread = None
    due = expiry(vault)
    top = vault.root.token(policies=["maker"], ttl="1h")
    child = top.token(ttl="5h")
    other = vault.root.token(policies=["maker"], ttl="3h")
    assert due.step() == 0 and n_tokens(vault) == 4
    vault.stack.clock.forward(HOUR)
    assert child.is_good()  # until it is this one's turn
    assert due.step() == 1 and n_tokens(vault) == 2
    assert not child.is_good() and other.is_good()


def test_one_that_is_renewed_stays(vault) -> None:
    vault.stack.view.loop_thread = None
    due = expiry(vault)
    token = vault.root.token(policies=["app"], period="1h")
    for _ in range(5):
        due.step()
        vault.stack.clock.forward(HOUR / 2)
        token("POST", "auth/token/renew-self", {})
    assert due.step() == 0 and token.is_good()
    vault.stack.clock.forward(HOUR)
    assert due.step() == 1 and n_tokens(vault) == 1


def test_an_answer_that_nobody_unwrapped_goes(vault) -> None:
    vault.stack.view.loop_thread = None
    due = expiry(vault)
    vault.root("GET", "sys/mounts", wrap="60s")
    assert len(vault.stack.barrier.every(WrappedAnswer, limit=10)) == 1
    vault.stack.clock.forward(timedelta(seconds=60))
    assert due.step() == 1
    assert vault.stack.barrier.every(WrappedAnswer, limit=10) == []


def test_what_could_not_be_done_is_done_the_next_time(vault) -> None:
    vault.stack.view.loop_thread = None
    troubles = [Unavailable("no store")]

    def perform(op):
        if troubles:
            raise troubles.pop()
        return vault.stack.by_system(op)

    due = expiry(vault, perform)
    vault.root.token(policies=["app"], ttl="1m")
    vault.stack.clock.forward(HOUR)
    assert due.step() == 0 and n_tokens(vault) == 2
    assert due.step() == 1 and n_tokens(vault) == 1


def test_renewals_fill_no_memory(vault, monkeypatch) -> None:
    monkeypatch.setattr(module, "SLACK", 10)
    vault.stack.view.loop_thread = None
    due = expiry(vault)
    token = vault.root.token(policies=["app"], period="1h")
    for _ in range(50):
        vault.stack.clock.forward(timedelta(seconds=1))
        token("POST", "auth/token/renew-self", {})
        due.step()
    assert len(due._heap) <= 12
