"""Namespaces that have ended: what whoever ended them did not come to is taken away here, as ordinary operations.

From the commit that ends one nobody comes into it; this is about its rows, and about its keys in the key tree. A server
that is stopped in between goes on when it is started again, since what is left is in the store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

from keystead.core.entities import Kind, Namespace
from keystead.core.errors import Internal, KeysteadError, NotFound
from keystead.core.operations import Cleared, ClearNamespace, TenantRef
from keystead.core.ports import Reader
from keystead.service.barrier import Barrier

STEPS = 8  # commits in one turn: others wait for theirs
LOG = logging.getLogger("keystead")


class Endings:
    """One per installation. `perform` does an operation as the system principal."""

    def __init__(self, barrier: Barrier, store: Reader, perform: Callable[[ClearNamespace], object]) -> None:
        self._barrier, self._store, self._perform = barrier, store, perform
        self._left: dict[str, str] = {}  # id of one that has ended -> where its next step goes on
        self._seen_change = -1

    def step(self) -> int:
        """Take some away; how many commits that were."""
        self._catch_up()
        n_done = 0
        while self._left and n_done < STEPS:
            id_, after = next(iter(self._left.items()))
            if not self._clear(id_, after):
                break
            n_done += 1
        return n_done

    def _clear(self, id_: str, after: str) -> bool:
        """False: not this time."""
        space = self._found(id_)
        if space is None or not space.ends:
            del self._left[id_]
            return True
        try:
            done = self._perform(ClearNamespace(tenant=TenantRef(space.above), name=space.name, after=after))
        except NotFound:
            del self._left[id_]
            return True
        except KeysteadError as error:
            LOG.warning("a namespace that has ended is not cleared yet: %s", error)
            return False
        if isinstance(done, Cleared) and done.after is not None:
            self._left[id_] = done.after
        else:
            del self._left[id_]
        return True

    def _catch_up(self) -> None:
        newest, changed = self._store.changes(max(self._seen_change, 0))
        if self._seen_change < 0 or changed is None:
            ended = (one.id for one in self._barrier.all_sound(Namespace) if one.ends)
            self._left |= {id_: "" for id_ in ended if id_ not in self._left}
        else:
            for kind, id_ in changed:
                if kind is Kind.NAMESPACE and id_ not in self._left:
                    found = self._found(id_)
                    if found is not None and found.ends:
                        self._left[id_] = ""
        self._seen_change = newest

    def _found(self, id_: str) -> Namespace | None:
        """None also where its row is damaged: it is found again once it is put back."""
        with suppress(Internal):
            return self._barrier.get(Namespace, id_)
        return None
