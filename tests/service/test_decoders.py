"""Rows of a kind that nobody has read yet, read by many threads at once: as by the first requests after a start."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys, threading
import msgspec
from keystead.core import entities, federation, keystores
from keystead.service.rows import decoder

sys.setswitchinterval(1e-6)
kinds, new = [], [entities.Entity]
while new:
    new = [sub for one in new for sub in one.__subclasses__()]
    kinds += [one for one in new if "kind" in vars(one)]
kinds.sort(key=lambda one: one.__name__)
together, n_read = threading.Barrier(8), []

def read():
    for kind in kinds:
        rows = [{name: {}} for name in kind.__struct_fields__]
        together.wait()
        for row in rows:
            try:
                decoder(kind).decode(msgspec.msgpack.encode(row))
            except msgspec.ValidationError:
                n_read.append(kind)

threads = [threading.Thread(target=read) for _ in range(8)]
for one in threads:
    one.start()
for one in threads:
    one.join()
print(len(kinds), len(set(n_read)))
"""


def test_no_thread_sees_a_decoder_that_is_half_made() -> None:
    """Without a lock three of four such processes end with SIGSEGV."""
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, (done.returncode, done.stderr)
        n_kinds, n_read = map(int, done.stdout.split())
        assert n_kinds == n_read > 40
