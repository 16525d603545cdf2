"""Worker processes, as their supervisor sees them (app.workers)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any, cast

import msgspec
import pytest
from tests import waiting
from tests.waiting import until

from keystead import config
from keystead.app import line, workers
from keystead.app.custodian import Custodian
from keystead.app.pool import WorkerPool
from keystead.app.workers import Orders, Worker
from keystead.core.errors import Unavailable
from keystead.kit.custody import Done, SealUp
from keystead.stores.generation import SharedGeneration


def hang_up(_worker: Worker, end: socket.socket) -> None:
    """Nobody here answers what it asks."""
    end.close()


@pytest.fixture
def ended(tmp_path, monkeypatch):
    """A worker that has ended, and is not to be started again yet, however long the test takes."""
    monkeypatch.setattr(workers, "BACKOFF", (600.0,))
    worker = Worker(tmp_path, 0, {}, 0, hang_up)
    worker._process = subprocess.Popen(["true"])
    worker._process.wait()
    worker._started_at = time.monotonic()
    return worker


def test_row_45_what_a_dead_worker_had_committed_is_announced_for_it_at_once(tmp_path, ended) -> None:
    """Killed between commit and announcement, it would leave the others on the old state until the next change."""
    page = SharedGeneration(tmp_path / "page", drain_for=600.0)
    its_own = SharedGeneration(tmp_path / "page", 0)
    its_own.enter()  # it died in a batch: nobody is to wait for that
    assert not ended.restart_if_ended(None, page)
    assert page.current() == 1
    assert not ended.restart_if_ended(None, page)
    assert page.current() == 1, "once for each death"
    page.close()
    its_own.close()


def test_a_worker_imports_nothing_from_where_the_server_was_started(tmp_path, monkeypatch) -> None:
    (tmp_path / "msgspec.py").write_text("print('planted')")
    monkeypatch.chdir(tmp_path)
    worker = Worker(tmp_path / "data", 0, {}, 0, hang_up)
    worker.start(None)
    assert worker._process is not None and worker._process.stdout is not None
    said = worker._process.stdout.read()
    worker.wait()
    assert said == b""  # it ends, for there is no such directory


def test_no_child_inherits_what_opens_the_seal(monkeypatch) -> None:
    """A worker has its environment for life, and sealing starts workers anew so that nothing survives in them."""
    monkeypatch.setenv("PASSPHRASE", "correct horse")
    assert config.secret("env:PASSPHRASE").reveal() == b"correct horse"
    assert "PASSPHRASE" not in subprocess.run(["env"], capture_output=True, text=True, check=True).stdout


def test_a_worker_whose_supervisor_is_another_ends(tmp_path) -> None:
    orders = Orders(directory=str(tmp_path), index=0, supervisor=1, sockets={}, line=-1)
    command = [sys.executable, "-m", "keystead.app.worker"]

    done = subprocess.run(command, input=msgspec.json.encode(orders), capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_worker_that_never_says_it_is_ready_is_ended(tmp_path, monkeypatch) -> None:
    """It would hold up every seal and unseal for ever."""
    monkeypatch.setattr(workers, "READY_FOR", 0.05)
    worker = Worker(tmp_path, 0, {}, 0, hang_up)
    worker._process = subprocess.Popen(["sleep", "60"], stdout=subprocess.PIPE)
    with pytest.raises(Unavailable, match="did not start"):
        worker.wait_ready()
    assert worker._process.wait(60) == -9
    worker.wait()


def test_a_worker_that_is_started_again_has_the_priority_of_the_first() -> None:
    """Whoever looks after them waits for everybody else (app.supervisor); a child has what its parent's thread has."""
    found: list[int] = []

    class Ended(Row):
        def start(self, unseal_key: object) -> None:
            found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            super().start(unseal_key)

        def restart_if_ended(self, unseal_key: object, _generation: object) -> bool:
            self.start(unseal_key)
            return True

    may_be_ready = threading.Event()
    may_be_ready.set()
    pool = WorkerPool(cast("Custodian", None), lambda: None, threading.Event())
    pool.add(cast("Worker", Ended(0, [], may_be_ready)))
    pool.begin()

    def look_after() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        pool.restart_ended(cast("SharedGeneration", None))

    thread = threading.Thread(target=look_after)
    thread.start()
    waiting.ended(thread)
    pool.close()
    assert len(found) == 2 and found[0] == found[1] < 10


class Renewing:
    """A custodian by whose answer every worker is started anew."""

    renewed = True

    def answer(self, _request: SealUp) -> Done:
        return Done()


class Row:
    """A worker that writes down what is done with it. `may_be_ready`: until then it is starting."""

    pid, is_ending, is_started = 1, False, False

    def __init__(self, index: int, done: list[str], may_be_ready: threading.Event) -> None:
        self.index, self._done, self._may_be_ready = index, done, may_be_ready

    def start(self, _unseal_key: object) -> None:
        self.is_started = True
        self._done.append(f"start {self.index}")

    def wait_ready(self) -> None:
        self._may_be_ready.wait(60)
        self._done.append(f"ready {self.index}")

    def stop(self) -> None:
        self._done.append(f"stop {self.index}")

    def wait(self) -> None:
        self.is_started = False


def test_what_the_first_worker_asks_of_the_seal_waits_until_the_last_one_is_ready(monkeypatch) -> None:
    """A share given to one while the other was starting ended that one, and the server: "worker 1 did not start"."""
    monkeypatch.setattr(line, "LEAVE_FOR", 0.0)
    done: list[str] = []
    at_once, later = threading.Event(), threading.Event()
    at_once.set()
    pool = WorkerPool(cast("Custodian", Renewing()), lambda: None, threading.Event())
    first, last = (Row(index, done, event) for index, event in enumerate((at_once, later)))
    for worker in (first, last):
        pool.add(cast("Any", worker))
    ours, theirs = line.pair()
    beginning = threading.Thread(target=pool.begin)
    beginning.start()
    until(lambda: "ready 0" in done)
    pool.attend(cast("Any", first), ours)
    answers: list[Done] = []
    asking = threading.Thread(target=lambda: answers.append(line.Line(theirs)(SealUp())))
    asking.start()
    asking.join(0.05)
    assert not [step for step in done if step.startswith("stop")] and not answers
    later.set()
    beginning.join()
    asking.join(60)
    theirs.close()
    assert answers == [Done()]
    until(lambda: done.count("ready 0") == 2)
    assert done[:6] == ["start 0", "start 1", "ready 0", "ready 1", "stop 1", "start 1"]
    pool.close()


class Opening:
    """A custodian by whose answer those that are not started yet are to be."""

    renewed = False

    def answer(self, _request: SealUp) -> Done:
        return Done()


class Failing(Row):
    """It cannot be started `n` times, and then can."""

    def __init__(self, index: int, done: list[str], n: int) -> None:
        may_be_ready = threading.Event()
        may_be_ready.set()
        super().__init__(index, done, may_be_ready)
        self._n = n

    def start(self, unseal_key: object) -> None:
        if self._n:
            self._n -= 1
            raise OSError(11, "no process can be made")
        super().start(unseal_key)

    def restart_if_ended(self, _unseal_key: object, _generation: object) -> bool:
        return False


@pytest.mark.parametrize("custodian", [Opening, Renewing])
def test_a_worker_that_cannot_be_started_takes_no_answer_and_no_line_along(monkeypatch, custodian) -> None:
    """The thread of the line ended, and whoever asked that worker of the seal later heard that there is no server."""
    monkeypatch.setattr(line, "LEAVE_FOR", 0.0)
    done: list[str] = []
    pool = WorkerPool(cast("Custodian", custodian()), lambda: None, threading.Event())
    asking, other = Failing(0, done, 0), Failing(1, done, 2)
    for worker in (asking, other):
        pool.add(cast("Any", worker))
    asking.start(None)
    ours, theirs = line.pair()
    pool.attend(cast("Any", asking), ours)
    asked = line.Line(theirs)
    assert asked(SealUp()) == Done()
    if custodian is Opening:
        assert asked(SealUp()) == Done()
    until(lambda: other._n == 0)
    with pool.changing:
        assert not other.is_started
    pool.restart_ended(cast("SharedGeneration", None))
    assert other.is_started and asking.is_started
    theirs.close()
    pool.close()
