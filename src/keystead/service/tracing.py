"""Installations from before a key, or a secret, knew where its versions are: each is given that, page by page, once."""

from __future__ import annotations

import logging
from collections.abc import Callable

from keystead.core.entities import Key, Secret
from keystead.core.errors import KeysteadError
from keystead.core.operations import TraceKeys
from keystead.service.barrier import Barrier
from keystead.service.traces import is_traced

PAGE = 500
LOG = logging.getLogger("keystead")


class Tracing:
    """One per installation. `perform` does an operation as the system principal."""

    def __init__(self, barrier: Barrier, perform: Callable[[TraceKeys], object]) -> None:
        self._barrier, self._perform = barrier, perform
        self._left: list[type[Key | Secret]] = [Secret, Key]
        self._after = ""

    def step(self) -> int:
        """The next page, as long as there is one; how many were not traced. One that fails is tried again."""
        if not self._left:
            return 0
        of = self._left[-1]
        page, after = self._barrier.sound(of, after=self._after, limit=PAGE)
        untraced = tuple(one.id for one in page if not is_traced(one))
        try:
            if untraced:
                self._perform(TraceKeys(keys=untraced) if of is Key else TraceKeys(secrets=untraced))
        except KeysteadError as error:
            LOG.warning("where the material of keys is could not be kept beside them yet: %s", error)
            return 0
        self._after = after
        if not after:
            self._left.pop()
        return len(untraced)
