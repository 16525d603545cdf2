"""What every process of an installation does first: no core dump, no debugger, private files, no orphan.

Freed memory is not overwritten (docs/adr/0008): Python cannot promise it, and what glibc offers (M_PERTURB) leaves
out the small chunks it keeps at hand, which is where keys lie, unless it is given up altogether at 10 % of a request.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

FILES, OWN_FILES = 8192, 128  # RLIMIT_NOFILE; the database, journals, sockets and what threads open
_M_ARENA_MAX = -8  # mallopt(3)
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38  # prctl(2)


def harden() -> None:
    """Before any secret is read."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        _prctl(_PR_SET_DUMPABLE, 0)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def more_files() -> int:
    """Raise the number of files this process may have open; what of it connections may take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES:
        soft = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, soft - OWN_FILES)


def one_heap() -> None:
    """All threads share glibc's one heap. Before the first of them.

    One that has a heap of its own keeps what others have freed there, and they take turns for the interpreter anyway.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # another C library has none
        mallopt(_M_ARENA_MAX, 1)


def die_with_parent() -> None:
    """A worker does not outlive its supervisor."""
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
