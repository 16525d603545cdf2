"""kill -9 at a random moment: a command is started, used by a client, killed and checked, round after round.

The rig knows nothing of what it kills. `client` uses the process until it is gone and notes what was acknowledged;
`check` is asked in between whether all of that is there.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.waiting import PATIENCE


@dataclass
class Report:
    """What a run came to; `reopened_in`: seconds each check took."""

    n_kills: int = 0
    n_acknowledged: int = 0
    n_before_ready: int = 0
    reopened_in: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        times = sorted(self.reopened_in)
        return (
            f"{self.n_kills} kill -9 ({self.n_before_ready} before it was ready), "
            f"{self.n_acknowledged} acknowledged, "
            f"reopened in {times[len(times) // 2] * 1e3:.0f} ms (p99 {times[len(times) * 99 // 100] * 1e3:.0f} ms)"
        )


class Kill9:
    """`command` is started anew for each round, in a process group of its own.

    `client(process, acknowledge)` runs on a thread: it calls `acknowledge(fact)` for each thing the process has
    answered for, and returns when the process is gone. `check(facts)` gets all facts since the beginning, in order,
    while no process runs, and raises when one is not true. The killing comes up to `longest_for` seconds after the
    first fact of the round; one time in ten it comes earlier, at any moment of the start.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        client: Callable[[subprocess.Popen[bytes], Callable[[Any], None]], None],
        check: Callable[[list[Any]], None],
        seed: int,
        longest_for: float = 0.05,
        starts_for: float = 0.3,
        **popen: Any,
    ) -> None:
        self._command, self._client, self._check = command, client, check
        self._random, self._longest_for, self._starts_for = random.Random(seed), longest_for, starts_for
        self._popen = popen
        self.facts: list[Any] = []

    def run(self, n: int, enough: Callable[[Report], bool] = lambda _: True) -> Report:
        """`n` kills, and on until there is `enough`: on a slow disk little is acknowledged between two.

        Raises whatever `check` or `client` raises.
        """
        report = Report()
        while report.n_kills < n or not enough(report):
            before = len(self.facts)
            self._round()
            report.n_kills += 1
            report.n_acknowledged += len(self.facts) - before
            report.n_before_ready += len(self.facts) == before
            began = time.perf_counter()
            self._check(self.facts)
            report.reopened_in.append(time.perf_counter() - began)
        return report

    def _round(self) -> None:
        first, failures = threading.Event(), []

        def acknowledge(fact: Any) -> None:
            self.facts.append(fact)
            first.set()

        def use() -> None:
            try:
                self._client(process, acknowledge)
            except Exception as error:  # noqa: BLE001 - raised again below, on the thread that runs the rig
                failures.append(error)

        with subprocess.Popen(self._command, start_new_session=True, **self._popen) as process:
            thread = threading.Thread(target=use)
            thread.start()
            try:
                self._wait(first, process)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                thread.join(PATIENCE)
        if failures:
            raise failures[0]
        if thread.is_alive():
            raise TimeoutError("the client has not noticed that its server is gone")

    def _wait(self, first: threading.Event, process: subprocess.Popen[bytes]) -> None:
        if self._random.random() < 0.1:
            time.sleep(self._random.random() * self._starts_for)
        elif first.wait(PATIENCE):
            time.sleep(self._random.random() * self._longest_for)
        else:
            raise TimeoutError(f"nothing acknowledged in {PATIENCE} s")
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):  # not reaped: its id stays ours
            raise ChildProcessError("it ended by itself")
