"""Replies held until their audit records are durable: one flush for all requests of a few turns of the event loop.

    begin (first request)  …  turn, turn: the loop has drained its sockets  …  serve all  …  flush  …  sends  …  leave

Rule 1: no reply leaves before journal.flush() has returned. While it cannot (a full disk), a refusal stands in for
        every reply held, and the next batch tries again; if it is broken nothing is sent, ever: fail closed.
Rule 2: the worker's slot in shared memory shows the generation a batch began under until its replies are with
        the kernel, so that whoever acknowledges a revocation can wait for them (docs/adr/0007).
Rule 3: one clock read per batch; all of its requests carry that time.
Rule 4: requests are read first and served together, step by step: all are authenticated, then all are decoded, then all
        are performed. What takes a step then lies in the processor's caches, where the other steps, and the system
        calls of reading, would have driven it out again for each request. (A quarter of the cost of a request.)

A request on a thread stands outside the slot: it began before the revocation was acknowledged, and counts as before it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sized
from typing import Protocol

from keystead.core.errors import Unavailable
from keystead.core.ports import Clock, WouldBlock
from keystead.kit.door import Steps

LOG = logging.getLogger("keystead")

ALONE = 2  # one request and its reply
MAX_REPLIES = 256
MAX_AGE = 0.001  # seconds a batch may go on collecting


class Journal(Protocol):
    @property
    def pending(self) -> bool: ...
    @property
    def is_broken(self) -> bool: ...

    def flush(self) -> None:
        """Durable on return. Raises when it is not, and ever after."""
        ...


class Generation(Protocol):
    """A worker's slot beside the number that grows with every acknowledged change (stores.generation)."""

    def current(self) -> int: ...
    def enter(self) -> None: ...
    def leave(self) -> None: ...


class Holder(Protocol):
    """A connection with requests to serve, and replies that it holds back."""

    @property
    def waiting(self) -> Sized:
        """What it has read and not begun."""
        ...

    def begin(self) -> Steps | None:
        """Begin to serve the next request it has read; None where there is none, or it waits for a thread."""
        ...

    def take(self, reply: bytes) -> None:
        """Hold the reply to the request that was begun."""
        ...

    def block(self, rest: Steps | None, would: WouldBlock) -> None:
        """The request that was begun has to wait for a thread, and there for what `would` says.

        `rest`: it goes on there; None: it begins anew.
        """
        ...

    def abort(self) -> None: ...

    def send(self) -> None:
        """Hand what is held to the kernel in one write."""
        ...

    def withdraw(self) -> None:
        """Put a refusal in place of every reply that is held."""
        ...


class Batch:
    """One per event loop, shared by all its listeners. Every method is called on the loop's thread."""

    def __init__(self, journal: Journal, generation: Generation, clock: Clock) -> None:
        self._journal, self._generation, self._clock = journal, generation, clock
        self._loop = asyncio.get_running_loop()
        self._asking: dict[Holder, None] = {}
        self._holders: dict[Holder, None] = {}
        self._is_open = self.is_leaving = self._is_refusing = False
        self._n = self._n_seen = 0
        self._began_at = 0.0
        self.now = clock.now()
        self.second = int(self.now.timestamp())
        self.n_connections = 0  # open ones, over all listeners
        self.on_failure: list[Callable[[], None]] = []
        self.failed: asyncio.Future[None] = self._loop.create_future()
        """Ends with the journal's exception. The worker awaits it, and ends."""

    def begin(self) -> None:
        """A request was read: the batch is open from here on."""
        if not self._is_open:
            self._is_open = True
            self._generation.enter()
            self.now = self._clock.now()
            self.second = int(self.now.timestamp())
            self._began_at = time.monotonic()
            was_alone = 0 < self._n <= ALONE
            self._n, self._n_seen = 0, int(was_alone)  # where few come, nobody is waited for
            self._loop.call_soon(self._turn)

    def ask(self, holder: Holder) -> None:
        """`holder` has one request more to serve. The batch is open."""
        self._asking[holder] = None
        self._n += 1

    def add(self, holder: Holder) -> None:
        """`holder` has one reply more."""
        self._holders[holder] = None
        self._n += 1

    def _turn(self) -> None:
        """Go on collecting while there is reason to think that more is coming."""
        if (
            self._n_seen < self._n < self.n_connections
            and self._n < MAX_REPLIES
            and time.monotonic() - self._began_at < MAX_AGE
        ):
            self._n_seen = self._n
            self._loop.call_soon(self._turn)
        else:
            self._serve()
            self._close()

    def _serve(self) -> None:
        asking, self._asking = self._asking, {}
        begun = [(holder, steps) for holder in asking if (steps := holder.begin()) is not None]
        while begun:
            going = []
            for pair in begun:
                holder, steps = pair
                try:
                    would = next(steps)
                except StopIteration as done:
                    holder.take(done.value)
                except WouldBlock as at_once:
                    holder.block(None, at_once)
                except Exception:
                    LOG.exception("a door did not answer")
                    holder.abort()
                    continue
                else:
                    if would is None:
                        going.append(pair)
                        continue
                    holder.block(steps, would)
                if holder.waiting and (following := holder.begin()) is not None:
                    going.append((holder, following))
            begun = going

    def _close(self) -> None:
        try:
            if self._holders or self._journal.pending:
                self._journal.flush()
        except Unavailable as error:
            if self._journal.is_broken:
                self._fail(error)
                return
            if not self._is_refusing:  # once, not for every batch
                LOG.warning("nothing is answered for now: %s", error)
            self._is_refusing = True
            for holder in self._holders:
                holder.withdraw()
        except BaseException as error:  # noqa: BLE001 - whatever it was, the records are not known to be durable
            self._fail(error)
            return
        else:
            self._is_refusing = False
        holders, self._holders = self._holders, {}
        for holder in holders:
            holder.send()
        self._is_open = False
        # A transport may write only when this turn of the loop ends, so the slot is left on the next one.
        self.is_leaving = True
        self._loop.call_soon(self._leave)

    def _leave(self) -> None:
        self.is_leaving = False
        if not self._is_open:
            self._generation.leave()

    def _fail(self, error: BaseException) -> None:
        """The batch stays open for good: no turn is ever taken again, so nothing is sent."""
        self.failed.set_exception(error)
        for act in self.on_failure:
            act()
        self._generation.leave()
