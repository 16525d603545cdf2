"""A request that waits for a thread, and how many may."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from keystead.core.ports import WouldBlock
from keystead.kit.door import Steps, finished, given_up
from keystead.wire.http import HttpRequest

if TYPE_CHECKING:
    from keystead.kit.connection import Connection
    from keystead.kit.listener import Listener


class Blocked:
    """kit.lane.Job. `would`: what it waits for."""

    __slots__ = ("_listener", "_rest", "connection", "error", "reply", "request", "since", "tenant", "where")

    def __init__(
        self,
        listener: Listener,
        connection: Connection,
        request: HttpRequest,
        rest: Steps | None,
        would: WouldBlock,
    ) -> None:
        """`rest`: what is left to do of it; None: all."""
        self._listener, self.connection, self.request, self._rest = listener, connection, request, rest
        self.where, self.tenant = would.where, would.tenant
        self.since, self.reply = 0.0, b""
        self.error: BaseException | None = None

    @property
    def has_begun(self) -> bool:
        return self._rest is not None

    def run(self) -> None:
        try:
            rest = self._rest
            self.reply = self._listener.front.serve(self.request) if rest is None else finished(rest)
        except BaseException as error:  # noqa: BLE001 - told on the loop
            self.error = error

    def give_up(self) -> None:
        """On a thread as `run`, instead of it: it is answered that it was not come to. Only what has begun."""
        try:
            if self._rest is not None:
                self.reply = given_up(self._rest)
        except BaseException as error:  # noqa: BLE001 - told on the loop
            self.error = error

    def back(self) -> None:
        self._listener.unblock(self)

    def late(self) -> None:
        self._listener.late(self)


class Room:
    """How many may wait in each place: `most` of a tenant, and twice as many where tenants take turns."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._n: Counter[str] = Counter()
        self._n_of: Counter[tuple[str, str]] = Counter()

    def take(self, where: str, tenant: str, *, in_turn: bool) -> bool:
        """False where there is none."""
        most = self._most
        if self._n[where] >= (2 * most if in_turn else most) or self._n_of[where, tenant] >= most:
            return False
        self._n[where] += 1
        self._n_of[where, tenant] += 1
        return True

    def give(self, where: str, tenant: str) -> None:
        self._n[where] -= 1
        self._n_of[where, tenant] -= 1
        if not self._n_of[where, tenant]:
            del self._n_of[where, tenant]
