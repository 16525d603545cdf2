"""What /proc says of a server: CPU and memory of its whole process tree, and who else was on its core."""

from __future__ import annotations

import os
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
PROC = Path("/proc")


@contextmanager
def pinned(cores: Set[int]) -> Iterator[None]:
    """Whatever is started inside stays on these cores, with all its children."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _fields(pid: int) -> list[str]:
    """Of /proc/<pid>/stat from the state on (proc(5): field 3); the name before it may hold anything."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def tree(root: int) -> list[int]:
    """`root` and every process below it."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                parent = int(_fields(int(entry.name))[1])
            except OSError:  # it has ended meanwhile
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_us(root: int) -> int:
    """User and system time of the tree since it began, children that have ended included."""
    ticks = 0
    for pid in tree(root):
        ticks += sum(int(value) for value in _fields(pid)[11:15])  # utime, stime, cutime, cstime
    return ticks * TICK_US


def busy_us(core: int) -> int:
    """What anybody has spent on that core; time stolen by the hypervisor counts as spent."""
    for line in (PROC / "stat").read_text().splitlines():
        name, *values = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _wait, irq, softirq, steal = (int(value) for value in values[:8])
            return (user + nice + system + irq + softirq + steal) * TICK_US
    raise LookupError(f"no core {core}")


class Memory(Struct, frozen=True, kw_only=True):
    """Of one process, by its arguments. In MB; `pss` has shared pages divided, and is None where we may not look."""

    pid: int
    name: str
    rss: float
    pss: float | None


def memory(pid: int) -> Memory:
    words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")[1:-1]
    pages = int((PROC / str(pid) / "statm").read_text().split()[1])
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        pss: float | None = next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    except PermissionError:  # a hardened process is nobody's business but root's
        pss = None
    return Memory(pid=pid, name=b" ".join(words).decode(errors="replace"), rss=pages * PAGE_KB / 1024, pss=pss)
