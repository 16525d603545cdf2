"""What something costs: CPU time, as seconds of the machine that bounds in the tests are of.

    assert cost(lambda: parse(text)) < 0.001
    with atmost(1.0): ...                           what cannot be done again

CI's machine is another one, and a neighbour takes a share of a core and its caches. So the cost is the least of
several, and it is divided by how much longer a piece of work of known size takes here and now.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256

KNOWN = 0.00056  # seconds of CPU that `_work` takes there, with nothing beside it
_TEXT = json.dumps([{"name": f"n{n}", "values": [n, n + 1], "text": "x" * n} for n in range(60)])


def _work() -> None:
    """What a request is made of: bytecode, objects, text, a hash."""
    for n in range(12):
        found = {one["name"]: one["text"].upper() + str(n) for one in json.loads(_TEXT)}
        sha256("".join(sorted(found.values(), key=len)).encode()).digest()


def _taken(act: Callable[[], object], clock: Callable[[], float] = time.thread_time) -> float:
    began = clock()
    act()
    return clock() - began


def slowness(times: int = 3) -> float:
    """By how much this machine is slower now; 1 for one that is not."""
    return max(1.0, min(_taken(_work) for _ in range(times)) / KNOWN)


def cost(act: Callable[[], object], times: int = 5) -> float:
    """Seconds of this thread."""
    found = [(_taken(act), _taken(_work)) for _ in range(times)]
    return min(taken for taken, _ in found) / max(1.0, min(known for _, known in found) / KNOWN)


@contextmanager
def atmost(seconds: float) -> Iterator[None]:
    """Of every thread of this process. Raises AssertionError."""
    before = slowness()
    began = time.process_time()
    yield
    taken = time.process_time() - began
    assert taken < seconds * max(before, slowness()), f"{taken:.3f} s of CPU, on a machine {before:.1f} times slower"
