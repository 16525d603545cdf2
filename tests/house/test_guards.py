"""What keeps a run of the tests from hanging, asks again what failed, and says at last what did (conftest.py, *.sh)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from tests import conftest

SUMMARY, AGAIN = (Path(conftest.__file__).with_name(name) for name in ("summary.sh", "again.sh"))
A_PART = """
from pathlib import Path
import pytest

@pytest.mark.parametrize("n", range({n}))
def test_of_a_race(n):
    met = Path(f"met-{{n}}")
    was, _ = met.exists(), met.touch()
    assert was

def test_of_a_fault():
    assert {good}
"""


def test_a_test_that_takes_too_long_fails_with_what_its_threads_do(capfd) -> None:
    assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= conftest.LONGEST
    with pytest.raises(pytest.fail.Exception, match="not ended within"):
        signal.raise_signal(signal.SIGALRM)
    assert "test_guards.py" in capfd.readouterr().err


def test_the_process_ends_later_than_the_test(request) -> None:
    config = request.config
    assert float(config.getini("faulthandler_timeout")) > conftest.LONGEST + conftest.AGAIN
    assert config.getini("faulthandler_exit_on_timeout")


def test_no_example_fails_because_it_took_long() -> None:
    assert settings().deadline is None


def test_what_failed_stands_last(tmp_path) -> None:
    """A part that passed, one that failed, one that was killed, and one that never began."""
    for part, status, words in (
        ("good", "0\n", "....\n9 passed in 1.00s\n"),
        ("bad", "1\n", "..F\nE  assert 1 == 2\nFAILED tests/a.py::test_b - assert 1 == 2\n1 failed in 2.00s\n"),
        ("cut", None, "Timeout (0:06:00)!\n"),
    ):
        (tmp_path / part).write_text(words)
        if status is not None:
            (tmp_path / f"{part}.status").write_text(status)
    done = subprocess.run(
        ["sh", SUMMARY, tmp_path, "good", "bad", "cut", "none"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["good", "9", "passed", "in", "1.00s"]
    end = lines[lines.index("=== bad ===") :]
    assert [line for line in end if line] == [
        *("=== bad ===", "FAILED tests/a.py::test_b - assert 1 == 2"),
        *("=== cut ===", "it did not come to an end", "=== none ===", "it did not come to an end"),
    ]
    assert "E  assert 1 == 2" in done.stdout and "Timeout (0:06:00)!" in done.stdout


@pytest.mark.parametrize(
    ("n", "good", "passes", "said"),
    [
        (2, True, True, "2 passed"),
        (2, False, False, "1 failed, 2 passed"),
        (6, True, False, "6 failed"),  # too many: it is no neighbour's doing
    ],
)
def test_what_failed_beside_others_is_asked_once_more(tmp_path, n, good, passes, said) -> None:
    (tmp_path / "test_it.py").write_text(A_PART.format(n=n, good=good))
    pytest_ = Path(sys.executable).with_name("pytest")

    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}  # as of no other run

    def run(*command: object) -> subprocess.CompletedProcess[str]:
        words = [str(word) for word in command]
        return subprocess.run(words, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False, timeout=60)

    first = run(pytest_, "-q", "-p", "no:hypothesispytest", "-o", f"cache_dir={tmp_path}/part.cache")
    (tmp_path / "part").write_text(first.stdout)
    (tmp_path / "part.status").write_text(f"{first.returncode}\n")
    run("sh", AGAIN, pytest_, tmp_path, "part", "none")
    done = run("sh", SUMMARY, tmp_path, "part")
    assert (done.returncode == 0) is passes
    assert "FAILED test_it.py::test_of_a_race[0]" in done.stdout and said in done.stdout
