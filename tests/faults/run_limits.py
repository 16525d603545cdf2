"""Limits of a key under load: `python -m tests.faults.run_limits --limit 10001 --workers 4`.

Clients on many connections encrypt without pause. With nobody killed exactly as many succeed as the limit says; with
workers, or the whole server, killed by SIGKILL meanwhile, never more. Botocore signs what is sent; what is acknowledged
is what a client has read whole.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import signal
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import Serving, gone, serving
from tests.waiting import until
from tests.wireclient import WireClient

N_CONNECTIONS = 24
SPENT = "KMSInvalidStateException"
GONE = (OSError, http.client.HTTPException)


@dataclass
class Load:
    """Connections that encrypt until the key is spent, and come again when their worker was killed."""

    environment: dict[str, str]
    key: str
    n_served: int = 0
    n_again: int = 0
    others: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, over: threading.Event) -> None:
        while not over.is_set():
            with closing(WireClient.administrator(self.environment)) as wire, suppress(*GONE):
                self._until_spent(wire, over)
                return
            time.sleep(0.02)

    def _until_spent(self, wire: WireClient, over: threading.Event) -> None:
        """Raises OSError, HTTPException once the worker has gone."""
        request = wire.sign("Encrypt", KeyId=self.key, Plaintext=b"x")
        while not over.is_set():
            answer = wire.send(request)
            if answer.status >= 500:  # it was no use, and is asked again
                with self._lock:
                    self.n_again += 1
                time.sleep(0.05)
                continue
            if answer.status != 200:
                if answer.error != SPENT:
                    with self._lock:
                        self.others.append(answer.error)
                return
            with self._lock:
                self.n_served += 1

    def spend(self, over: threading.Event | None = None) -> list[threading.Thread]:
        over = over or threading.Event()
        threads = [threading.Thread(target=self.run, args=(over,), daemon=True) for _ in range(N_CONNECTIONS)]
        for thread in threads:
            thread.start()
        return threads


@dataclass
class Report:
    limit: int
    n_served: int = 0
    n_kills: int = 0
    n_again: int = 0  # answers of 5xx
    others: list[str] = field(default_factory=list)
    used: int = 0  # as the server tells in the end
    seconds: float = 0.0


def key_with(server: Serving, limit: int) -> str:
    key = server("key", "create").out.strip()
    told = server("key", "limit", key, "--uses", str(limit), "--json").json
    assert told["protect"] == {"uses": limit, "used": 0, "bytes_used": 0}
    return str(key)


def used(server: Serving, key: str) -> int:
    found: int = server("key", "limit", key, "--json").json["protect"]["used"]
    return found


def spend(directory: Path, limit: int, workers: int, *, kills: int = 0, seed: int = 1) -> Report:
    """All of it in one run of a server; `kills`: of a worker each."""
    report, rng = Report(limit), random.Random(seed)
    with serving("dev", directory, "--workers", str(workers)) as server:
        key = key_with(server, limit)
        load = Load(server("env", "aws", "--json").json, key)
        began = time.monotonic()
        threads = load.spend()
        while report.n_kills < kills:
            _come_to(load, threads, int(limit * (report.n_kills + rng.random()) / (kills + 1)))
            with suppress(ProcessLookupError, IndexError):  # IndexError: none has been started again yet
                os.kill(rng.choice(server.tree()[1:]), signal.SIGKILL)
                report.n_kills += 1
        for thread in threads:
            thread.join()
        report.seconds = time.monotonic() - began
        report.n_served, report.others, report.used = load.n_served, load.others, used(server, key)
        report.n_again = load.n_again
    return report


def _come_to(load: Load, threads: list[threading.Thread], n: int) -> None:
    """So many are served. Raises AssertionError where the load has ended before."""
    until(lambda: load.n_served >= n or not any(thread.is_alive() for thread in threads), load, every=0.01)
    assert load.n_served >= n, load


def restarted(directory: Path, limit: int, workers: int, *, kill: bool) -> Report:
    """Half of it in one server, which stops or is killed, and what is left in the next."""
    report, over = Report(limit), threading.Event()
    with serving("dev", directory, "--workers", str(workers)) as server:
        key = key_with(server, limit)
        load = Load(server("env", "aws", "--json").json, key)
        threads = load.spend(over)
        _come_to(load, threads, limit // 2)
        pids = server.tree()
        if kill:
            server.process.kill()
            report.n_kills = 1
        over.set()
        for thread in threads:
            thread.join()
        if kill:
            server.process.wait()
            server.process.returncode = 0  # it was meant to
            gone(*pids)
        report.n_served, report.others = load.n_served, load.others
    with serving("dev", directory, "--workers", str(workers)) as server:
        report.used = used(server, key)
        assert report.used >= report.n_served
        load = Load(server("env", "aws", "--json").json, key)
        for thread in load.spend():
            thread.join()
        report.n_served += load.n_served
        report.others += load.others
    return report


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--limit", type=int, default=10_001)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--kills", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        at, args = Path(directory), (given.limit, given.workers)
        for name, report in (
            ("nobody killed", spend(at / "a", *args)),
            ("workers killed", spend(at / "b", *args, kills=given.kills)),
            ("stopped and started", restarted(at / "c", *args, kill=False)),
            ("server killed", restarted(at / "d", *args, kill=True)),
        ):
            sys.stdout.write(f"{name}: {report}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
