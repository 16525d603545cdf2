"""Memory that is full goes into large pages, and nothing else does (app/largepages.py)."""

from __future__ import annotations

import ctypes
import mmap
import re
from pathlib import Path

import pytest

from keystead.app.largepages import LARGE, collapse, whole_pages

MAPS = """\
55e80e122000-55e80e8fe000 rw-p 00000000 00:00 0                          [heap]
7f75d9a00000-7f75d9e00000 rw-p 00000000 00:00 0
7f75da100000-7f75da400000 rw-p 00000000 00:00 0
7f75da400000-7f75da800000 rw-s 00000000 00:01 5                          /dev/zero (deleted)
7f75db000000-7f75db400000 r-xp 00000000 fe:00 1234                       /usr/lib/libpython3.11.so.1.0
7f75db400000-7f75db800000 rw-p 00000000 fe:00 1234                       /usr/lib/libpython3.11.so.1.0
7f75db800000-7f75dbc00000 r--p 00000000 00:00 0
7ffd1c400000-7ffd1c800000 rw-p 00000000 00:00 0                          [stack]
"""


def test_a_large_page_lies_whole_in_memory_of_our_own() -> None:
    heap = [0x55E80E200000, 0x55E80E400000, 0x55E80E600000]
    assert list(whole_pages(MAPS)) == [*heap, 0x7F75D9A00000, 0x7F75D9C00000, 0x7F75DA200000]


def anonymous() -> tuple[mmap.mmap, int]:
    """Memory that a large page lies in, and where it begins there."""
    memory = mmap.mmap(-1, 2 * LARGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return memory, -address_of(memory) % LARGE


def address_of(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def large() -> int:
    """Bytes of this process in large pages (proc(5), /proc/pid/smaps_rollup)."""
    found = re.search(r"^AnonHugePages: +(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def resident(memory: mmap.mmap, at: int) -> int:
    """Bytes of the large page there that are in memory (mincore(2))."""
    there = ctypes.create_string_buffer(LARGE // mmap.PAGESIZE)
    address = ctypes.c_void_p(address_of(memory) + at)
    assert ctypes.CDLL(None).mincore(address, ctypes.c_size_t(LARGE), there) == 0
    return sum(byte & 1 for byte in there.raw) * mmap.PAGESIZE


def test_what_is_full_moves_as_it_is_and_what_is_almost_empty_stays_small() -> None:
    collapse()
    before = large()
    full, at = anonymous()
    sparse, there = anonymous()
    text = bytes(range(256)) * (LARGE // 256)
    full[at : at + LARGE] = text
    sparse[there : there + LARGE // 4] = text[: LARGE // 4]
    assert resident(sparse, there) == LARGE // 4
    if not collapse():
        pytest.skip("this kernel has no large pages to give")
    assert large() >= before + LARGE
    assert full[at : at + LARGE] == text
    assert resident(sparse, there) == LARGE // 4
