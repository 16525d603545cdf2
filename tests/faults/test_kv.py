"""kv at the Vault door under power loss and kill -9: the short forms of `make torture`."""

from __future__ import annotations

import pytest
from tests.faults import run_kv

from keystead.core.errors import KeysteadError
from keystead.stores import connection


@pytest.mark.torture
def test_power_loss_takes_no_secret_and_gives_none_back():
    lives = [run_kv.life(seed) for seed in range(10)]
    assert sum(life.n_losses for life in lives) == 30
    assert sum(life.n_acknowledged for life in lives) > 300


def test_the_rig_sees_a_store_that_does_not_sync(monkeypatch):
    weakened = tuple((name, "OFF" if name == "synchronous" else value) for name, value in connection.PRAGMAS)
    monkeypatch.setattr(connection, "PRAGMAS", weakened)
    broken = 0
    for seed in range(10):
        try:
            run_kv.life(seed)
        except (AssertionError, KeysteadError):
            broken += 1
    assert broken > 1


def test_a_seed_replays():
    one, two = run_kv.life(7), run_kv.life(7)
    assert (one.n_acknowledged, one.owner.state, one.contest.won) == (
        two.n_acknowledged,
        two.owner.state,
        two.contest.won,
    )
