"""What a worker holds once it has been loaded, in pages of 2 MiB where the kernel gives them.

A request touches some hundreds of small pages all over what is held. A processor keeps the translations of a few
thousand at hand, for everybody who runs there, and in a virtual machine each one that is missing is looked for in two
trees.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Iterator
from pathlib import Path

LARGE = 2 << 20
FULL = 0.75  # of a page, at least: the rest of it is memory that nobody had before
MADV_COLLAPSE = 25  # madvise(2), Linux 6.1; not in the mmap module
MAPS = Path("/proc/self/maps")


def collapse() -> int:
    """Move what is there into large pages; how many. A hint: where there are none to be had all stays as it is."""
    if sys.platform != "linux":
        return 0
    libc = ctypes.CDLL(None)
    return sum(_collapsed(libc, at) for at in list(whole_pages(MAPS.read_text())))


def whole_pages(maps: str) -> Iterator[int]:
    """Where a large page fits into memory that is of no file, and nobody else's (proc(5), /proc/pid/maps)."""
    for line in maps.splitlines():
        place, permissions, _offset, _device, inode, *name = line.split(maxsplit=5)
        if permissions == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
            start, end = (int(text, 16) for text in place.split("-"))
            yield from range(-(-start // LARGE) * LARGE, end // LARGE * LARGE, LARGE)


def _collapsed(libc: ctypes.CDLL, at: int) -> bool:
    where, size = ctypes.c_void_p(at), ctypes.c_size_t(LARGE)
    there = ctypes.create_string_buffer(LARGE // mmap.PAGESIZE)  # mincore(2): the lowest bit of each says so
    if libc.mincore(where, size, there) != 0 or sum(byte & 1 for byte in there.raw) < FULL * len(there):
        return False
    return bool(libc.madvise(where, size, MADV_COLLAPSE) == 0)
