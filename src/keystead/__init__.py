"""Keystead: one key-management core with many front doors.

    import keystead
    with keystead.open("keystead-data") as ks:
        ks.perform(...)          # any operation of keystead.core.operations

What is named here stays where it is; every other module may move.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keystead.app.library import Keystead
    from keystead.core.sensitive import Sensitive

__all__ = ["open"]


def open(  # noqa: A001 - the word people look for
    directory: str | PathLike[str], offered: Sequence[Sensitive] = (), *, credential: str | None = None
) -> Keystead:
    """Open an installation in this process, without a server.

    `offered`: what its seal needs (nothing for a development seal, a passphrase, shares). `credential`: whose rights it
    has, by the id of a credential; None: those of this process' user. Raises KeysteadError.
    """
    from keystead.app.library import Keystead  # noqa: PLC0415 - importing keystead alone costs nothing

    return Keystead(Path(directory), offered, credential=credential)
