"""Lists of revoked certificates that are to be had somewhere: fetched before the next one is due, and at least hourly.

One that was never fetched lets nobody log in (service.credentials.vouchers), so it is fetched at once; where that
fails, again in a minute. What is fetched comes in as an ordinary operation.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from keystead.core.entities import Kind, Mount, RevocationList
from keystead.core.errors import KeysteadError, NotFound
from keystead.core.operations import RefreshRevocationList, TenantRef
from keystead.core.ports import Clock, Reader
from keystead.service.barrier import Barrier

AT_LEAST, AGAIN = timedelta(hours=1), timedelta(minutes=1)
PAGE = 100
STEPS = 8  # lists in one turn
LOG = logging.getLogger("keystead")


class Fetching:
    """One per installation. `fetch`: what a URL leads to; it raises Unavailable. `perform`: as the system principal."""

    def __init__(
        self,
        barrier: Barrier,
        store: Reader,
        clock: Clock,
        fetch: Callable[[str], bytes],
        perform: Callable[[RefreshRevocationList], object],
    ) -> None:
        self._barrier, self._store, self._clock = barrier, store, clock
        self._fetch, self._perform = fetch, perform
        self._due: dict[str, tuple[datetime, str]] = {}  # id of a list -> when it is fetched next, its tenant
        self._seen_change = -1

    def step(self) -> int:
        """Fetch what is due; how many lists came."""
        self._catch_up()
        now = self._clock.now()
        return sum(self._refresh(id_, now) for id_ in self._in_turn(now)[:STEPS])

    def _in_turn(self, now: datetime) -> list[str]:
        """What is due: one of each tenant before the second of any, for all the servers that one names may hang."""
        before: Counter[str] = Counter()
        placed: list[tuple[int, datetime, str]] = []
        for when, tenant, id_ in sorted((*due, id_) for id_, due in self._due.items()):
            if when <= now:
                placed.append((before[tenant], when, id_))
                before[tenant] += 1
        return [id_ for *_, id_ in sorted(placed)]

    def _refresh(self, id_: str, now: datetime) -> bool:
        found = self._barrier.get(RevocationList, id_)
        mount = self._mount(found) if found is not None else None
        if found is None or mount is None or not found.url:
            self._due.pop(id_, None)
            return False
        self._due[id_] = now + AGAIN, found.tenant
        ref, at = TenantRef(mount.tenant), mount.id
        try:
            body = self._fetch(found.url)
            self._perform(RefreshRevocationList(tenant=ref, mount=at, name=found.name, url=found.url, body=body))
        except NotFound:
            self._due.pop(id_, None)
            return False
        except KeysteadError as error:
            host = urlsplit(found.url).hostname  # alone: what comes behind it may let somebody in there
            LOG.warning("the list of revoked certificates %s at %s cannot be had: %s", found.name, host, error)
            return False
        self._read(id_)
        return True

    def _mount(self, found: RevocationList) -> Mount | None:
        """Among all that its tenant has, page by page: it may have been moved."""
        after = ""
        while page := self._barrier.children(Mount, found.tenant, after=after, limit=PAGE):
            for one in page:
                if one.uuid == found.mount:
                    return one
            after = page[-1].id
        return None

    def _catch_up(self) -> None:
        newest, changed = self._store.changes(max(self._seen_change, 0))
        if self._seen_change < 0 or changed is None:
            self._due = {}
            for one in self._barrier.all_sound(RevocationList):
                self._hold(one)
        else:
            for id_ in {id_ for kind, id_ in changed if kind is Kind.REVOCATION_LIST}:
                self._read(id_)
        self._seen_change = newest

    def _read(self, id_: str) -> None:
        found = self._barrier.get(RevocationList, id_)
        if found is None:
            self._due.pop(id_, None)
        else:
            self._hold(found)

    def _hold(self, one: RevocationList) -> None:
        """A list that was fetched is fetched again in good time; one that could not be is not asked for sooner."""
        if not one.url:
            self._due.pop(one.id, None)
        elif one.fetched_at is None or one.revoked is None or one.revoked.next_at is None:
            self._due.setdefault(one.id, (datetime.min.replace(tzinfo=self._clock.now().tzinfo), one.tenant))
        else:
            when = max(one.fetched_at + AGAIN, min(one.fetched_at + AT_LEAST, one.revoked.next_at))
            self._due[one.id] = when, one.tenant
