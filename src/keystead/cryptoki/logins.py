"""Which PIN this process is logged in with, in each slot of a module.

A login is the process's and not whoever's asked for it (PKCS#11 v3.1 §5.6.8): C_Login compares the PIN with nothing
where the token's user is logged in already, and says CKR_USER_ALREADY_LOGGED_IN of a wrong one too. So the PIN that the
token took is kept, and the one that is offered by another name of the same token is held against it here.

Who is logged in by somebody else's doing (of the program that this is a library of, or of a process that shares its
logins, as Luna's can) has no PIN that is known here: it is used, as it always was.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from hmac import compare_digest
from typing import Final

from keystead.core.sensitive import Sensitive
from keystead.cryptoki.errors import Crowded, Failed, OtherPin
from keystead.cryptoki.words import Ckr

LOGS_IN_WITHIN: Final = 20.0  # seconds that one who logs in is waited for


class Logins:
    """Of one module. Safe to use from any thread."""

    def __init__(self) -> None:
        self._turns: dict[int, threading.Lock] = {}
        self._taken: dict[int, tuple[int, Sensitive]] = {}

    def login(self, slot: int, epoch: int, pin: Sensitive, offer: Callable[[Sensitive], int]) -> None:
        """`offer` calls C_Login, and answers its CK_RV. `epoch`: the module's, since a login ends with it.

        Raises Failed: OtherPin where the token was not asked whether this one is right, and another one is; Crowded.
        """
        turn = self._turns.setdefault(slot, threading.Lock())
        if not turn.acquire(timeout=LOGS_IN_WITHIN):
            raise Crowded("C_Login")
        try:
            rv = offer(pin)
            if rv == Ckr.OK:
                self._taken[slot] = epoch, pin
            elif rv != Ckr.USER_ALREADY_LOGGED_IN:
                raise Failed("C_Login", rv)
            elif not self._fits(slot, epoch, pin):
                raise OtherPin
        finally:
            turn.release()

    def _fits(self, slot: int, epoch: int, pin: Sensitive) -> bool:
        since, taken = self._taken.get(slot, (epoch, pin))
        return since != epoch or compare_digest(taken.reveal(), pin.reveal())
