"""Worker processes, as their supervisor sees them (app.workers)."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import msgspec
import pytest

from keystead import config
from keystead.app import workers
from keystead.app.workers import Orders, Worker
from keystead.core.errors import Unavailable
from keystead.stores.generation import SharedGeneration


def hang_up(_worker: Worker, end: socket.socket) -> None:
    """Nobody here answers what it asks."""
    end.close()


@pytest.fixture
def ended(tmp_path):
    """A worker that has ended, and is not to be started again yet."""
    worker = Worker(tmp_path, 0, {}, 0, hang_up)
    worker._process = subprocess.Popen(["true"])
    worker._process.wait()
    worker._started_at, worker._restarts = time.monotonic(), 3
    return worker


def test_row_45_what_a_dead_worker_had_committed_is_announced_for_it_at_once(tmp_path, ended) -> None:
    """Killed between commit and announcement, it would leave the others on the old state until the next change."""
    page, its_own = SharedGeneration(tmp_path / "page"), SharedGeneration(tmp_path / "page", 0)
    its_own.enter()  # it died in a batch: nobody is to wait for that
    began = time.monotonic()
    assert not ended.restart_if_ended(None, page)
    assert page.current() == 1
    assert not ended.restart_if_ended(None, page)
    assert page.current() == 1, "once for each death"
    assert time.monotonic() - began < 1
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

    done = subprocess.run(command, input=msgspec.json.encode(orders), capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_worker_that_never_says_it_is_ready_is_ended(tmp_path, monkeypatch) -> None:
    """It would hold up every seal and unseal for ever."""
    monkeypatch.setattr(workers, "READY_FOR", 0.05)
    worker = Worker(tmp_path, 0, {}, 0, hang_up)
    worker._process = subprocess.Popen(["sleep", "60"], stdout=subprocess.PIPE)
    with pytest.raises(Unavailable, match="did not start"):
        worker.wait_ready()
    assert worker._process.wait(5) == -9
    worker.wait()
