"""The newest copy of the key tree, kept beside the backups: with it and the slot any old backup makes a database.

custody, Rule 2: it is renewed before each old slot secret is erased. Where it cannot be written the destruction stands,
and the old secret stays until it can.
"""

from __future__ import annotations

from pathlib import Path

from keystead.app.layout import write_durably
from keystead.core.errors import Unavailable
from keystead.core.ports import Store
from keystead.service.barrier import Barrier
from keystead.service.custody import export_tree


class TreeCopy:
    """What a Barrier tells its steps to. `path`: the file; None: no copy is kept."""

    def __init__(self, path: Path | None, store: Store) -> None:
        self._path, self._store = path, store
        self._barrier: Barrier | None = None

    def of(self, barrier: Barrier) -> Barrier:
        """Of that barrier, from now on."""
        self._barrier = barrier
        return barrier

    def __call__(self, step: str) -> None:
        """Raises Unavailable."""
        if step == "opened" and self._path is not None and self._barrier is not None:
            try:
                write_durably(self._path, export_tree(self._barrier, self._store))
            except OSError as error:
                raise Unavailable(f"the copy of the key tree cannot be written: {error.strerror}") from error
