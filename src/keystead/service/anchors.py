"""The certificates that any role vouches by, of all tenants: what a listener lets a handshake come about with.

A handshake decides nothing else: whom a certificate lets in is for the login to say, from the store. So what is kept
here may be a moment behind, and is brought up before every handshake.

Of two authorities that are called alike TLS tries one, and a client of the other is cut. So what is called as an
authority of another tenant's is left out, unless it is the very same: who wrote it first has the name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from msgspec import Struct

from keystead.core.entities import Account, CertBounds, Kind, Mount
from keystead.core.ports import Reader
from keystead.crypto.chains import Called, called
from keystead.service.barrier import Barrier
from keystead.service.reach import PAGE

METHOD = "cert"
EVER = datetime.fromtimestamp(0, UTC)
LOG = logging.getLogger("keystead")


class Anchor(Struct, frozen=True):
    """Of one role. `names`: what each of its certificates is called, and its DER."""

    since: datetime
    id: str
    tenant: str
    pem: str
    names: tuple[tuple[Called, bytes], ...]


class Anchors:
    """Of one process, for the thread of its event loop. A change costs one row, or all of them after a long absence."""

    def __init__(self, barrier: Barrier, store: Reader, generation: Callable[[], int]) -> None:
        self._barrier, self._store, self._generation = barrier, store, generation
        self._seen_generation, self._seen_change = -1, 0
        self._mounts: dict[str, str] | None = None  # uuid -> tenant
        self._found: dict[str, Anchor] = {}  # by the id of the role
        self._chosen: frozenset[str] | None = frozenset()  # None: to be chosen anew

    def certificates(self) -> frozenset[str]:
        """PEM texts; none while it is sealed. Raises Unavailable, Internal."""
        if not self._barrier.is_open:
            self._mounts, self._found, self._seen_generation, self._chosen = None, {}, -1, None
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
        if self._chosen is None:
            self._chosen = chosen(self._found.values())
        return self._chosen

    def _read(self) -> None:
        before, self._found, self._chosen, after = self._found, {}, None, ""
        found: dict[str, str] = {}
        while page := self._barrier.every(Mount, after=after, limit=PAGE):
            found |= {one.uuid: one.tenant for one in page if one.engine == METHOD}
            after = page[-1].id
        self._mounts = found
        for uuid in found:
            after = ""
            while accounts := self._barrier.children(Account, uuid, after=after, limit=PAGE):
                for account in accounts:
                    self._keep(account.id, account, before)
                after = accounts[-1].id

    def _look_at(self, id_: str) -> None:
        self._keep(id_, self._barrier.get(Account, id_), self._found)

    def _keep(self, id_: str, account: Account | None, before: dict[str, Anchor]) -> None:
        """`before`: where it may have been read already."""
        tenant = (self._mounts or {}).get(account.mount) if account is not None else None
        bounds = account.bounds if account is not None else None
        known = before.get(id_)
        if tenant is None or not isinstance(bounds, CertBounds):
            if self._found.pop(id_, None) is not None:
                self._chosen = None
            return
        pem, since = bounds.certificate, bounds.since or EVER
        if known is None or (known.pem, known.since, known.tenant) != (pem, since, tenant):
            known, self._chosen = Anchor(since, id_, tenant, pem, called(pem)), None
        self._found[id_] = known


def chosen(found: Iterable[Anchor]) -> frozenset[str]:
    """PEM of all but those that are called as another tenant's, which was there first."""
    taken: dict[bytes, list[tuple[Called, bytes, str]]] = {}
    kept: set[str] = set()
    for one in sorted(found, key=lambda each: (each.since, each.id)):
        if any(_is_taken(name, der, one.tenant, taken.get(name.subject, [])) for name, der in one.names):
            LOG.warning(
                "a role's certificates of tenant %s are called as another's: none is let in by them", one.tenant
            )
            continue
        for name, der in one.names:
            of = taken.setdefault(name.subject, [])
            if all(der != other for _, other, _ in of):  # whoever has the very same later has no claim of its own
                of.append((name, der, one.tenant))
        kept.add(one.pem)
    return frozenset(kept)


def _is_taken(name: Called, der: bytes, tenant: str, by: list[tuple[Called, bytes, str]]) -> bool:
    """By another of whom TLS might take it: the same subject, and not another key by name (X509_check_issued)."""
    return any(
        der != other and tenant != whose and (name.key == its.key or b"" in {name.key, its.key})
        for its, other, whose in by
    )
