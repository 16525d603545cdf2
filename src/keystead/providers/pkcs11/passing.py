"""Objects that are erased when their use is over: of the session, or of the token where it has none such (TPMs).

Those of a token outlive a process that is killed. Their ids say when they were made, so that the next one erases them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from keystead.core.errors import Unsupported
from keystead.core.ports import Entropy
from keystead.cryptoki.errors import REFUSED, Failed
from keystead.cryptoki.session import Session
from keystead.cryptoki.words import Cka
from keystead.providers.pkcs11.handle import PASSING

R = TypeVar("R")
LEFT_AFTER: Final = 600  # seconds: no trial takes so long


class Passing:
    """One session's. `keep` what is to be erased at the `end`."""

    def __init__(self, session: Session, entropy: Entropy, clock: Callable[[], float] = time.time) -> None:
        self._session, self._entropy, self._clock = session, entropy, clock
        self._kept: list[int] = []

    def make(self, make: Callable[[bytes | None], R]) -> R:
        """What `make` answers for an object of the session (None) or, where that is refused, of the token (its id)."""
        try:
            return make(None)
        except Unsupported:  # by whatever ways there were
            pass
        except Failed as failed:
            if failed.rv not in REFUSED:
                raise
        self._sweep()
        return make(PASSING + int(self._clock()).to_bytes(8, "big") + self._entropy(8))

    def keep(self, handle: int) -> int:
        self._kept.append(handle)
        return handle

    def end(self) -> None:
        """Raises Failed, with the rest erased."""
        failed: Failed | None = None
        while self._kept:
            try:
                self._session.destroy(self._kept.pop())
            except Failed as error:
                failed = error
        if failed is not None:
            raise failed

    def _sweep(self) -> None:
        for handle in self._session.find({Cka.TOKEN: True, Cka.LABEL: PASSING.decode()}):
            its_id = self._session.attributes(handle, (Cka.ID,)).get(Cka.ID, b"")
            if isinstance(its_id, bytes) and its_id.startswith(PASSING):
                made_at = int.from_bytes(its_id[len(PASSING) : len(PASSING) + 8], "big")
                if made_at + LEFT_AFTER < self._clock():
                    self._session.destroy(handle)
