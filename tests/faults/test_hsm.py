"""The short form of `run_hsm`: eight threads on a SoftHSM2, which stays, and which comes and goes."""

import pytest
from tests import softhsm, yubihsm
from tests.faults import hsm, hsm_server
from tests.faults.hsm import Run
from tests.faults.hsm_faults import Faults

pytestmark = pytest.mark.torture


def seen(run: Run) -> bool:
    """Everything that a token is asked for, and often."""
    return sum(run.acts.values()) > 100 and {"make", "destroy", "use AES_256", "use RSA_2048"} <= set(run.acts)


def test_eight_threads_of_mixed_use():
    report = Run(1).run(2.0, enough=seen)
    assert report.is_well and report.unavailable == 0, report


def test_a_token_that_comes_and_goes():
    """Only Unavailable in between, and nothing that was acknowledged is lost."""
    report = Run(2).run(
        3.0, away_every=1.5, away_for=0.3, enough=lambda run: seen(run) and run.n_removals >= 2 and run.n_unavailable
    )
    assert report.is_well, report


def test_a_token_without_gcm_that_comes_and_goes(monkeypatch):
    """An AES key is two objects there: neither is lost, and neither is left when the destruction was acknowledged."""
    monkeypatch.setattr(yubihsm, "MOST", 1 << 20)
    yubihsm.pretend(monkeypatch)
    monkeypatch.setattr(hsm, "FIRST", ("AES_256", "AES_256", "HMAC_256"))
    monkeypatch.setattr(hsm, "FRESH", ("AES_256",))
    monkeypatch.setattr(hsm, "USES", 0.7)
    monkeypatch.setattr(hsm, "MAKES", 0.85)
    report = Run(2).run(
        5.0,
        away_every=1.5,
        away_for=0.3,
        enough=lambda run: run.n_removals >= 2 and min(run.acts["destroy"], run.acts["make"]) > 20,
    )
    assert report.is_well, report


@pytest.mark.parametrize("seed", [1, 2])
def test_a_module_that_fails_and_loses_answers(seed):
    """What was acknowledged is so, once; what was not is Unavailable, and nothing is left of it."""
    run = Run(seed)
    faults = Faults(softhsm.module(), seed, 0.02)
    report = run.run(2.0, faults=faults, enough=lambda _: sum(faults.n.values()) > 20 and "after" in " ".join(faults.n))
    assert report.is_well, report


def test_a_server_whose_token_comes_and_goes(tmp_path):
    """Through the AWS door, with two workers: what is not well is DependencyTimeoutException, and no key is lost."""
    report = hsm_server.run(
        tmp_path / "k",
        3.0,
        away_every=1.5,
        enough=lambda load: (
            load.n_removals >= 2 and load.n_away and len(load.keys) > 4 and sum(load.acts.values()) > 50
        ),
    )
    assert report.is_well, report
