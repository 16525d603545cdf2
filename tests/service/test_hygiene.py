"""What a process does first (app/hygiene.py)."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAPS = """
import sys, threading
from pathlib import Path
from keystead.app import hygiene

if sys.argv[1] == "one":
    hygiene.one_heap()
held, go = [], threading.Barrier(9)

def work():
    held.append(bytearray(4096))
    go.wait()
    go.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
go.wait()
lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
places = [tuple(int(text, 16) for text in line[0].split("-")) for line in lines if line[1] == "---p" and line[4] == "0"]
go.wait()
print(sum(end % (1 << 26) == 0 and end - start > 1 << 25 for start, end in places))
"""
"""How many heaps of threads there are: each is the beginning of 64 MiB that are reserved (glibc, malloc/arena.c)."""


def n_heaps(which: str) -> int:
    done = subprocess.run([sys.executable, "-c", HEAPS, which], capture_output=True, text=True, check=True, timeout=30)
    return int(done.stdout)


def test_threads_have_no_heaps_of_their_own() -> None:
    if not n_heaps("each"):
        pytest.skip("this C library gives threads none")
    assert n_heaps("one") == 0
