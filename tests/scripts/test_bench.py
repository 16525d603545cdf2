"""`python -m bench --quick`: one short round against the real server, with the client that needs nothing installed."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from bench import rounds
from bench.load import Result
from bench.peers import free_port
from bench.report import AWAY, BAO_APP, ENCRYPT, HELD, KEYSTEAD, MOTO, RATES, UNHELD, VAULT, Report, Target, paced
from bench.rounds import Case, Round, orders, row
from bench.workloads import Aws, Workload, encrypts
from tests import softhsm

ROOT = Path(__file__).parents[2]
AWS = {ENCRYPT, "Decrypt 32 B", "GenerateDataKey", "GenerateMac", "Sign ECDSA P-256"}
EACH = {(KEYSTEAD, one) for one in AWS} | {(VAULT, name) for one in RATES for name in (one, paced(one))}


@pytest.mark.client
def test_a_quick_run_answers_every_request_and_says_how(tmp_path):
    out = tmp_path / "bench.json"
    command = [sys.executable, "-m", "bench", "--quick", "--only", "keystead", "--client", "epoll"]
    done = subprocess.run(
        [*command, "--directory", str(tmp_path), "--json", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = msgspec.json.decode(out.read_bytes(), type=Report)
    assert {(one.name, one.operation) for one in report.rows} == EACH
    for one in report.rows:
        assert one.n_errors == 0
        assert one.rps > 0 < one.cpu_us
        assert 0 < one.p50_us <= one.p99_us
    assert {one.name for one in report.memory} == {KEYSTEAD, VAULT}
    assert all(one.rss > 10 for one in report.memory)
    assert sum(step.us for step in report.steps if step.part) > 5
    assert "Whole requests" in done.stdout
    names = {target["name"]: target["met"] for target in msgspec.json.decode(out.read_bytes())["targets"]}
    assert names[f"by CPU per request: {MOTO}"] is None  # not measured is not met
    assert not report.skipped


def a_round(*, rps: float = 1000.0, cpu_us: float = 40.0, foreign: float = 0.0, n_errors: int = 0) -> Round:
    return Round(
        rps=rps,
        p50_us=1000.0,
        p99_us=2000.0,
        cpu_us=cpu_us,
        n=1000,
        n_errors=n_errors,
        server_busy=0.95,
        foreign=foreign,
        client_busy=0.3,
        client_ceiling=80_000.0,
    )


def a_row(name: str, *rounds: Round):
    return msgspec.structs.replace(row(Named(name), rounds), name=name)


class Named:
    """What row() asks of a case."""

    def __init__(self, name: str) -> None:
        self.name, self.operation = name, ENCRYPT


def a_report(*rows) -> Report:
    return Report(machine={}, quick=False, rows=list(rows), memory=[], steps=[])


def test_a_disturbed_round_is_dropped_only_where_two_cleaner_ones_exist():
    clean, other, disturbed = a_round(rps=100.0), a_round(rps=200.0), a_round(rps=1.0, foreign=0.5)
    assert a_row("x", clean, other, disturbed).rps == 150.0
    assert a_row("x", clean, disturbed, disturbed).rps == 1.0


def test_each_round_has_every_case_once_and_an_order_of_its_own():
    drawn = list(orders(40, 3, seed=7))
    assert all(sorted(order) == list(range(40)) for order in drawn)
    assert len({tuple(order) for order in drawn}) == 3
    assert drawn == list(orders(40, 3, seed=7)) != list(orders(40, 3, seed=8))


def test_what_was_measured_stands_by_its_case_whatever_the_order(monkeypatch):
    cases = [Case(name=str(n), operation=ENCRYPT, server=None, workload=None) for n in range(9)]
    monkeypatch.setattr(rounds, "once", lambda case, **_: a_round(rps=float(case.name)))
    said: list[str] = []
    rows = rounds.run(cases, n_rounds=2, seed=7, seconds=1.0, core=0, client=None, say=said.append)
    assert [(one.name, one.rps, len(one.rounds)) for one in rows] == [(str(n), float(n), 2) for n in range(9)]
    assert said[:9] != [f"round 1 of 2: {n}, {ENCRYPT}" for n in range(9)]


def test_a_missed_target_and_an_unanswered_request_each_fail_the_run():
    own = a_row(KEYSTEAD, a_round(rps=20_000.0))
    assert not a_report(own, a_row(BAO_APP, a_round(rps=1000.0, cpu_us=600.0))).failed
    assert a_report(own, a_row(BAO_APP, a_round(rps=1000.0, cpu_us=400.0))).failed  # 10 x by CPU
    assert a_report(own, a_row(BAO_APP, a_round(rps=2000.0, cpu_us=600.0))).failed  # 10 x by rate
    assert a_report(a_row(KEYSTEAD, a_round(rps=20_000.0, n_errors=1))).failed


def test_a_peer_that_did_not_start_fails_the_run_that_was_to_measure_it():
    whole = msgspec.structs.replace(a_report(a_row(KEYSTEAD, a_round())), skipped={"moto": "why"})
    assert whole.failed
    assert not msgspec.structs.replace(whole, quick=True).failed
    assert msgspec.structs.replace(whole, quick=True, skipped={KEYSTEAD: "why"}).failed


def test_what_was_not_measured_is_neither_met_nor_missed():
    assert Target(name="", value=None, bound=1).met is None
    assert Target(name="", value=2.0, bound=1).met is True
    assert Target(name="", value=2.0, bound=1, at_most=True).met is False


def test_requests_are_distinct_and_signed_as_boto3_signs_them():
    requests = Aws(("127.0.0.1", 8200), "AKIAEXAMPLE", "secret").prepared("encrypt", encrypts(["alias/a"], 40))
    assert len(set(requests)) == 40
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST / HTTP/1.1\r\nHost: 127.0.0.1:8200\r\n")
    assert b"AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/" in head
    assert b"Content-Length: %d" % len(body) in head


def test_requests_that_get_old_are_signed_anew():
    made = iter(([b"first"], [b"second"]))
    assert Workload(make=lambda: next(made), lasts_for=1e9).requests() == [b"first"]
    old = Workload(make=lambda: next(made), lasts_for=-1.0)
    assert old.requests() == [b"second"]
    with pytest.raises(StopIteration):
        old.requests()


def test_the_ceiling_of_a_client_is_what_its_own_time_allows():
    result = Result(n=10, n_errors=0, seconds=2.0, p50=1.0, p99=2.0, client_us=20.0)
    assert (result.rps, result.ceiling) == (5.0, 50_000.0)


def test_a_free_port_is_given_to_nobody_else_and_a_server_can_listen_there():
    at = ("127.0.0.1", free_port())
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(at)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(at)
    with socket.create_server(at), socket.create_connection(at) as asking:
        assert asking.getpeername() == at


@pytest.mark.client
def test_a_quick_run_of_keys_in_an_hsm_says_which_share_of_the_token_it_is(tmp_path):
    softhsm.module()
    out = tmp_path / "bench.json"
    command = [sys.executable, "-m", "bench", "--quick", "--only", "hsm", "--client", "epoll"]
    done = subprocess.run(
        [*command, "--directory", str(tmp_path), "--json", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    report = msgspec.json.decode(out.read_bytes(), type=Report) if out.exists() else pytest.fail(done.stderr)
    assert {(one.name, one.operation) for one in report.rows} == {
        (name, operation) for name in (HELD, AWAY, UNHELD) for operation in report.raw[HELD]
    }
    raws = [one for each in report.raw.values() for one in each.values()]
    assert len(raws) == 6 and all(one.rps > 1 and one.cpu_us > 1 for one in raws)
    assert all(one.rps < 8 * 1000 for one in report.raw[AWAY].values())  # eight sessions that take a millisecond each
    assert all(one.n_errors == 0 and one.rps > 0 for one in report.rows)
    shares = [target for target in report.targets() if "share of" in target.name]
    assert len(shares) == 6 and all(0 < target.value < 10 for target in shares)
    assert not report.skipped
