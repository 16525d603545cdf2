"""Progress of long work: a line on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(what: str) -> Iterator[Callable[[int], None]]:
    """What the work calls with how many more it has done; how many there are need not be known.

    What counts nothing shows how long it takes, and no number.
    """
    if not sys.stderr.isatty():
        yield lambda _n: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.fields[n]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task, done = shown.add_task(what, total=None, n=""), 0

        def more(n: int) -> None:
            nonlocal done
            done += n
            shown.update(task, n=f"{done:,}")

        yield more
