"""A request that waits for a thread, and how many may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keystead.core.errors import Internal
from keystead.core.ports import NEAR, WouldBlock
from keystead.kit.door import Steps, finished, given_up
from keystead.service.moving import HERE
from keystead.wire.http import HttpRequest

if TYPE_CHECKING:
    from keystead.kit.connection import Connection
    from keystead.kit.listener import Listener


class Blocked:
    """kit.lane.Job. `moves`: what it has come to wait for instead, since it is on a thread (service.moving)."""

    __slots__ = (
        "_listener",
        "connection",
        "error",
        "is_late",
        "moves",
        "reply",
        "request",
        "rest",
        "since",
        "tenant",
        "where",
    )

    def __init__(self, listener: Listener, connection: Connection, request: HttpRequest, rest: Steps | None) -> None:
        """`rest`: what is left to do of it; None: all."""
        self._listener, self.connection, self.request, self.rest = listener, connection, request, rest
        self.where, self.tenant = NEAR, ""
        self.since, self.reply, self.is_late = 0.0, b"", False
        self.moves: WouldBlock | None = None
        self.error: BaseException | None = None

    def waits_for(self, would: WouldBlock) -> None:
        self.where, self.tenant, self.moves = would.where, would.tenant, None

    def run(self) -> None:
        try:
            if self.is_late and self.rest is not None:
                self.reply = given_up(self.rest)
            elif self.where == NEAR:
                self._run_near()
            else:
                self.reply = self._listener.front.serve(self.request) if self.rest is None else finished(self.rest)
        except BaseException as error:  # noqa: BLE001 - told on the loop
            self.error = error

    def _run_near(self) -> None:
        HERE.has_changed = False
        try:
            self._step_by_step()
        finally:
            HERE.may_move = False

    def _step_by_step(self) -> None:
        """To the end, or to where it is to go on elsewhere: from the step that said so, or all anew."""
        steps = self._listener.front.steps(self.request) if self.rest is None else self.rest
        while self.moves is None:
            HERE.may_move = True
            try:
                self.moves = next(steps)
            except StopIteration as done:
                self.reply = done.value
                return
            except WouldBlock as at_once:
                if HERE.has_changed:
                    raise Internal("a request that has changed something is not begun anew") from at_once
                self.moves, self.rest = at_once, None
                return
        self.rest = steps

    def back(self) -> None:
        self._listener.unblock(self)

    def late(self) -> None:
        self._listener.late(self)

    def lost(self) -> None:
        self._listener.lost(self)


class _Share:
    """Of the room that there is: how many have it, with how many bytes."""

    __slots__ = ("n", "n_bytes")

    def __init__(self) -> None:
        self.n = self.n_bytes = 0


class Room:
    """How many may wait in each place, with how many bytes: `most`, `n_bytes` of a tenant, twice that of all."""

    def __init__(self, most: int, n_bytes: int) -> None:
        self._most, self._most_bytes = most, n_bytes
        self._all: dict[str, _Share] = {}  # by place
        self._of: dict[tuple[str, str], _Share] = {}  # by place and tenant: of those who have any

    def take(self, where: str, tenant: str, n_bytes: int) -> bool:
        """False where there is none."""
        who = where, tenant
        everybody, own = self._all.get(where) or _Share(), self._of.get(who) or _Share()
        if everybody.n >= 2 * self._most or own.n >= self._most:
            return False
        if n_bytes + everybody.n_bytes > 2 * self._most_bytes or n_bytes + own.n_bytes > self._most_bytes:
            return False
        if not own.n:
            self._all[where], self._of[who] = everybody, own
        everybody.n += 1
        own.n += 1
        everybody.n_bytes += n_bytes
        own.n_bytes += n_bytes
        return True

    def give(self, where: str, tenant: str, n_bytes: int) -> None:
        who = where, tenant
        everybody, own = self._all[where], self._of[who]
        everybody.n -= 1
        own.n -= 1
        everybody.n_bytes -= n_bytes
        own.n_bytes -= n_bytes
        if not own.n:
            del self._of[who]
