"""A key's limit among workers (docs/adr/0038): exact with nobody killed, and never exceeded whoever is."""

import pytest
from tests.faults import run_limits
from tests.servers import IN_HSM

pytestmark = pytest.mark.client


def test_of_ten_thousand_and_one_uses_there_are_just_so_many(tmp_path) -> None:
    report = run_limits.spend(tmp_path / "data", 10_001, 4)
    assert (report.n_served, report.used, report.others) == (10_001, 10_001, [])
    assert report.n_again == 0 or IN_HSM  # a token shared by processes is not always there


@pytest.mark.torture
def test_killed_workers_cost_uses_and_give_none(tmp_path) -> None:
    report = run_limits.spend(tmp_path / "data", 3001, 2, kills=6, seed=20261126)
    assert report.n_kills == 6 and report.others == []
    assert 3001 - report.n_kills * run_limits.N_CONNECTIONS <= report.n_served <= report.used == 3001


def test_a_clean_stop_costs_none(tmp_path) -> None:
    report = run_limits.restarted(tmp_path / "data", 1001, 2, kill=False)
    assert (report.n_served, report.others) == (1001, [])


@pytest.mark.torture
def test_a_killed_server_costs_what_was_reserved(tmp_path) -> None:
    report = run_limits.restarted(tmp_path / "data", 3001, 2, kill=True)
    assert report.others == []
    assert 3001 - 2 * 30 - run_limits.N_CONNECTIONS <= report.n_served <= 3001
