"""kill -9 (security.md §4, row 112): the short form of run_kill9, and a rig that sees what is wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.faults import run_kill9
from tests.faults.kill9 import Kill9


@pytest.mark.torture
def test_row_112_kill_9_loses_nothing_acknowledged(tmp_path):
    report = run_kill9.torture(tmp_path, n=12, seed=1, least=13)
    assert report.n_kills >= 12


def test_the_rig_sees_an_acknowledgement_that_came_too_early(tmp_path):
    """This child answers first and writes later."""
    path = tmp_path / "written"
    program = f"""
import sys, time
for n in range(1000000):
    sys.stdout.write(chr(65 + n % 26)); sys.stdout.flush()
    time.sleep(0.002)
    with open({str(path)!r}, "a") as file: file.write(chr(65 + n % 26))
"""

    def client(process: subprocess.Popen[bytes], acknowledge) -> None:
        while letter := process.stdout.read(1):
            acknowledge(letter.decode())

    def check(facts: list[str]) -> None:
        assert "".join(facts) == (path.read_text() if path.exists() else ""), "acknowledged, and lost"

    rig = Kill9([sys.executable, "-c", program], client=client, check=check, seed=1, stdout=subprocess.PIPE)
    with pytest.raises(AssertionError, match="lost"):
        rig.run(10)


def test_the_rig_sees_a_process_that_ends_by_itself():
    def client(process: subprocess.Popen[bytes], acknowledge) -> None:
        acknowledge(process.stdout.read())

    rig = Kill9([sys.executable, "-c", ""], client=client, check=lambda facts: None, seed=3, stdout=subprocess.PIPE)
    with pytest.raises(ChildProcessError):
        rig.run(1)
