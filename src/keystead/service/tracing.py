"""Keys of installations from before a key knew where its versions' material is: given that, page by page, once."""

from __future__ import annotations

import logging
from collections.abc import Callable

from keystead.core.entities import Key
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
        self._after: str | None = ""  # None: all have been looked at

    def step(self) -> int:
        """The next page, as long as there is one; how many keys were not traced. One that fails is tried again."""
        if self._after is None:
            return 0
        page = self._barrier.every(Key, after=self._after, limit=PAGE)
        untraced = tuple(key.id for key in page if not is_traced(key))
        try:
            if untraced:
                self._perform(TraceKeys(keys=untraced))
        except KeysteadError as error:
            LOG.warning("where the material of keys is could not be kept beside them yet: %s", error)
            return 0
        self._after = page[-1].id if page else None
        return len(untraced)
