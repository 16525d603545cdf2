"""Whether a token that shows no object of a name, or two, really has none, or two.

A process of SoftHSM2 2.6.1 looks into its token's directory when a number there is not the one that it knows. It takes
over the number that it finds where it makes something itself, so what another process has made since its last look it
never sees; an object of its own that it could not read or erase once stays hidden; one is shown twice. A new login
does not help. C_Finalize and C_Initialize do.

Rule 1: what a module shows counts where it was started after the object was first asked for, or where nobody but this
        process can have made one and nothing went wrong; for BELIEVED_FOR, since a lost object may be put back.
Rule 2: a module is started anew for that BURST times, and then in no more than a twentieth of the time: whoever loses
        the objects of many keys holds up nobody else.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from keystead.cryptoki.connection import Name

BELIEVED_FOR: Final = 600.0  # seconds
BURST: Final = 10
REFILLED_IN: Final = 1.0  # seconds for one, or twenty times what the last one took
MOST_NAMES: Final = 10_000


class Views:
    """Of one token in one process. Safe to use from any thread. Epochs are those of Module."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._whole: OrderedDict[tuple[bytes, str], tuple[int, float]] = OrderedDict()
        """(CKA_ID, CKA_LABEL) -> from which epoch on everything of that name is shown, and until when that counts."""
        self._left, self._each, self._seen_at = float(BURST), REFILLED_IN, clock()

    def is_whole(self, name: Name, epoch: int, since: int) -> bool:
        """Whether a module of `epoch` shows everything of that name. `since`: its epoch when it was first asked."""
        if epoch > since:
            self.believe(name, epoch)
            return True
        known = self._whole.get((name.id, name.label))
        return known is not None and known[0] <= epoch and self._clock() < known[1]

    def believe(self, name: Name, epoch: int) -> None:
        with self._lock:
            self._whole[name.id, name.label] = (epoch, self._clock() + BELIEVED_FOR)
            if len(self._whole) > MOST_NAMES:
                self._whole.popitem(last=False)

    def doubt(self, name: Name) -> None:
        with self._lock:
            self._whole.pop((name.id, name.label), None)

    def may_restart(self) -> bool:
        """Rule 2. Each yes counts."""
        with self._lock:
            now = self._clock()
            self._left = min(float(BURST), self._left + (now - self._seen_at) / self._each)
            self._seen_at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def restarted(self, took: float) -> None:
        """`took`: seconds."""
        with self._lock:
            self._each = max(REFILLED_IN, 20 * took)
