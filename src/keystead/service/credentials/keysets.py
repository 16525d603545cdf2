"""The keys of issuers: read when the first token comes, kept, and read anew within bounds.

Rule 1: a key belongs to the issuer whose set it was in. A `kid` is looked up there and nowhere else (security.md §4-B,
        row 26).
Rule 2: a set is asked for again when it is FRESH_FOR old, and when a token names a key that it lacks; never more often
        than AGAIN, however many tokens come. Where that fails, the old one serves until it is STALE_FOR old.
Rule 3: reading blocks, so it is never done on the event loop; at most MOST_AT_IT threads read or wait for one who does,
        so that an issuer that does not answer costs no more than these; and MOST_FOR_ONE for one tenant's tokens, so
        that one tenant's issuers that do not answer keep nobody from another's; of its mounts each has a bound, too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from msgspec import Struct

from keystead.core.errors import Unavailable
from keystead.crypto.jwk import VerifyingKey, usable
from keystead.service.credentials.few import Places
from keystead.wire import Malformed
from keystead.wire.jose import key_set

LOG = logging.getLogger("keystead")

FRESH_FOR, STALE_FOR = 600.0, 86_400.0  # seconds
AGAIN, AGAIN_FOR_THE_FIRST = 60.0, 10.0
WAIT_FOR, MOST_AT_IT, MOST_FOR_TENANT, MOST_FOR_ONE = 3.0, 5, 3, 2
N_TRIED = 32  # keys that a token is tried with: all of a mount's own (handlers.loginsettings), some of a set's
MAX_ISSUERS = 1024  # those that an administrator has made known, so this many is a bug or a very large house
UNREACHABLE = "issuer"
"""detail of the Unavailable where no keys can be had."""

S = TypeVar("S")
Kept = dict[str, list[VerifyingKey]]


class KeySource(Struct, frozen=True):
    """Where a mount's keys are read: a JWK set, or the issuer whose configuration names it."""

    url: str
    discovery: bool
    authorities: str  # PEM of who vouches for the host; "": the system's

    def __str__(self) -> str:
        return self.url


class _Set(Struct, frozen=True):
    keys: Kept
    at: float


def _keys(body: bytes) -> Kept:
    """By kid; of two with one kid, each for another algorithm, both."""
    kept: Kept = {}
    for jwk in key_set(body):
        if (key := usable(jwk)) is not None:
            kept.setdefault(jwk.kid, []).append(key)
    return kept


class KeySets(Generic[S]):
    """Safe to use from any thread. `read`: the JWK set of an issuer, from wherever it is; it raises Unavailable.

    S: what an issuer is known by; it is hashable, and its str may stand in a log.
    """

    def __init__(self, read: Callable[[S], bytes], monotonic: Callable[[], float]) -> None:
        self._read, self._monotonic = read, monotonic
        self._sets: dict[S, _Set] = {}
        self._tried_at: dict[S, float] = {}
        self._reading: set[S] = set()
        self._changed = threading.Condition()
        self._at_it = Places(MOST_AT_IT, MOST_FOR_TENANT, MOST_FOR_ONE)  # threads, by whose token it is for

    def find(
        self, issuer: S, kid: str, alg: str, may_block: Callable[[], None], *, tenant: str = ""
    ) -> VerifyingKey | None:
        """That issuer's key of that id, where it is for that algorithm (crypto.jwk.ALGORITHMS).

        `tenant`: whose role it is to be a session of, or the address of the mount. `may_block`
        raises WouldBlock on the event loop. Raises Unavailable (detail UNREACHABLE).
        """
        known = self._current(issuer, kid, may_block, tenant)
        return next((key for key in known.keys.get(kid, ()) if key.fits(alg)), None)

    def fitting(
        self, issuer: S, kid: str, alg: str, may_block: Callable[[], None], *, tenant: str = ""
    ) -> list[VerifyingKey]:
        """The same for a token that may name no key: then any of the issuer's that is for that algorithm."""
        known = self._current(issuer, kid, may_block, tenant)
        named = known.keys.get(kid, ()) if kid else [key for keys in known.keys.values() for key in keys]
        return [key for key in named if key.fits(alg)]

    def _current(self, issuer: S, kid: str, may_block: Callable[[], None], tenant: str) -> _Set:
        """The issuer's set, read anew where it is old or lacks the key that is named."""
        known, now = self._sets.get(issuer), self._monotonic()
        if known is None or now - known.at >= FRESH_FOR or (kid and kid not in known.keys):
            if self._may_try(issuer, known, now):
                may_block()
                self._try(issuer, tenant)
            elif known is None and issuer in self._reading:
                may_block()
                self._wait(issuer, tenant)
            known = self._sets.get(issuer)
        if known is None or now - known.at >= STALE_FOR:
            raise Unavailable("The keys of the identity provider could not be read. Try again later.", UNREACHABLE)
        return known

    def _may_try(self, issuer: S, known: _Set | None, now: float) -> bool:
        tried_at = self._tried_at.get(issuer)
        between = AGAIN if known is not None else AGAIN_FOR_THE_FIRST
        return issuer not in self._reading and (tried_at is None or now - tried_at >= between)

    def _try(self, issuer: S, tenant: str) -> None:
        with self._one_of_few(tenant) as admitted:
            if not admitted or not self._begin(issuer):
                return
            try:
                self._sets[issuer] = _Set(_keys(self._read(issuer)), self._monotonic())
            except (Unavailable, Malformed) as error:
                LOG.warning("the keys of the issuer %s cannot be read: %s", issuer, error)
            finally:
                with self._changed:
                    self._reading.discard(issuer)
                    self._changed.notify_all()

    def _begin(self, issuer: S) -> bool:
        """Whether it is for this thread to read."""
        with self._changed:
            now = self._monotonic()
            if not self._may_try(issuer, self._sets.get(issuer), now):
                return False
            self._reading.add(issuer)
            self._tried_at[issuer] = now
            while len(self._tried_at) > MAX_ISSUERS:
                forgotten = next(iter(self._tried_at))
                del self._tried_at[forgotten]
                self._sets.pop(forgotten, None)
        return True

    def _wait(self, issuer: S, tenant: str) -> None:
        with self._one_of_few(tenant) as admitted, self._changed:
            if admitted:
                self._changed.wait_for(lambda: issuer not in self._reading, WAIT_FOR)

    @contextmanager
    def _one_of_few(self, tenant: str) -> Iterator[bool]:
        with self._changed:
            admitted = self._at_it.take(tenant)
        try:
            yield admitted
        finally:
            if admitted:
                with self._changed:
                    self._at_it.give(tenant)
