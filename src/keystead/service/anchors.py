"""The certificates that any role vouches by, of all tenants: what a listener lets a handshake come about with.

A handshake decides nothing else: whom a certificate lets in is for the login to say, from the store. So what is kept
here may be a moment behind, and is brought up before every handshake.
"""

from __future__ import annotations

from collections.abc import Callable

from keystead.core.entities import Account, CertBounds, Kind, Mount
from keystead.core.ports import Reader
from keystead.service.barrier import Barrier
from keystead.service.reach import PAGE

METHOD = "cert"


class Anchors:
    """Of one process, for the thread of its event loop. A change costs one row, or all of them after a long absence."""

    def __init__(self, barrier: Barrier, store: Reader, generation: Callable[[], int]) -> None:
        self._barrier, self._store, self._generation = barrier, store, generation
        self._seen_generation, self._seen_change = -1, 0
        self._mounts: frozenset[str] | None = None  # uuids
        self._found: dict[str, str] = {}  # id of a role -> PEM

    def certificates(self) -> frozenset[str]:
        """PEM texts; none while it is sealed. Raises Unavailable, Internal."""
        if not self._barrier.is_open:
            self._mounts, self._found, self._seen_generation = None, {}, -1
            return frozenset()
        generation = self._generation()
        if generation != self._seen_generation:
            newest, changed = self._store.changes(self._seen_change)
            if self._mounts is None or changed is None or any(kind is Kind.MOUNT for kind, _ in changed):
                self._read()
            else:
                for id_ in {id_ for kind, id_ in changed if kind is Kind.ACCOUNT}:
                    self._look_at(id_)
            self._seen_generation, self._seen_change = generation, newest
        return frozenset(self._found.values())

    def _read(self) -> None:
        self._found, after = {}, ""
        found: set[str] = set()
        while page := self._barrier.every(Mount, after=after, limit=PAGE):
            found |= {one.uuid for one in page if one.engine == METHOD}
            after = page[-1].id
        self._mounts = frozenset(found)
        for uuid in found:
            after = ""
            while accounts := self._barrier.children(Account, uuid, after=after, limit=PAGE):
                for account in accounts:
                    self._keep(account.id, account)
                after = accounts[-1].id

    def _look_at(self, id_: str) -> None:
        self._keep(id_, self._barrier.get(Account, id_))

    def _keep(self, id_: str, account: Account | None) -> None:
        bounds = account.bounds if account is not None and account.mount in (self._mounts or ()) else None
        if isinstance(bounds, CertBounds):
            self._found[id_] = bounds.certificate
        else:
            self._found.pop(id_, None)
