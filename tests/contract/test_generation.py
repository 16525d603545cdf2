"""The shared page (docs/adr/0007): whoever acknowledges a change knows that nobody answers from before it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from tests.waiting import PATIENCE, ended, until

from keystead.config import Config
from keystead.stores.generation import MAX_SLOTS, SharedGeneration

WORKER = """
import sys, time
from pathlib import Path
from keystead.stores.generation import SharedGeneration
page = SharedGeneration(Path(sys.argv[1]), int(sys.argv[2]))
page.enter()
print("in", flush=True)
time.sleep(60)
"""


@pytest.fixture
def page(tmp_path):
    """Whoever does not get there is waited for: nothing here may be killed because the machine is slow."""
    page = SharedGeneration(tmp_path / "page", drain_for=PATIENCE)
    yield page
    page.close()


@pytest.fixture
def killing(tmp_path):
    page = SharedGeneration(tmp_path / "page", drain_for=0.2)
    yield page
    page.close()


def in_a_batch(path: Path, index: int) -> subprocess.Popen[bytes]:
    """Another process, in a batch that it never leaves."""
    process = subprocess.Popen([sys.executable, "-c", WORKER, path, str(index)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"in\n"
    return process


def test_an_announcement_waits_for_a_batch_from_before_it(tmp_path, page) -> None:
    worker = SharedGeneration(tmp_path / "page", 0)
    worker.enter()
    announcing = threading.Thread(target=page.announce)
    announcing.start()
    until(lambda: worker.current() == 1)
    announcing.join(0.05)
    assert announcing.is_alive()
    worker.leave()
    ended(announcing)
    worker.enter()
    page_of_another = SharedGeneration(tmp_path / "page", 1)
    began = time.monotonic()
    page_of_another.current()
    worker.leave()
    page.announce()
    assert time.monotonic() - began < PATIENCE / 2
    worker.close()
    page_of_another.close()


def test_a_worker_that_does_not_get_there_is_dead_before_the_acknowledgement(tmp_path, killing) -> None:
    with in_a_batch(tmp_path / "page", 3) as worker:
        killing.announce()
        assert worker.poll() == -9


def test_the_supervisors_slot_is_waited_for_with_as_many_workers_as_there_may_be(tmp_path, killing) -> None:
    most = get_args(get_type_hints(Config, include_extras=True)["workers"])[1].le
    with in_a_batch(tmp_path / "page", most) as supervisor:
        killing.announce()
        assert supervisor.poll() == -9


def test_there_is_no_slot_beyond_the_page(tmp_path) -> None:
    with pytest.raises(ValueError, match="slot"):
        SharedGeneration(tmp_path / "page", MAX_SLOTS)


def test_whoever_has_the_process_id_of_a_dead_worker_is_left_alone(tmp_path, killing) -> None:
    """A worker that died in a batch leaves its id behind, and the kernel may give that to anybody."""
    with in_a_batch(tmp_path / "page", 0) as dead:
        dead.kill()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        killing._words[killing._place(0) + 1] = stranger.pid
        killing.announce()
        assert stranger.poll() is None
        stranger.kill()
    assert killing._words[killing._place(0)] == 0, "and it is waited for once"
