"""One spell of being connected with a token: from the login until something is lost. Then a new one is made.

Every handle belongs to a spell and dies with it (rule R1). The login hangs on a session of its own that nobody
borrows, since some tokens log out with the last session.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Final

from msgspec import Struct

from keystead.core.errors import Conflict, KeysteadError, LimitExceeded, NotFound, Unsupported
from keystead.core.sensitive import Sensitive
from keystead.cryptoki import finding
from keystead.cryptoki.errors import Failed
from keystead.cryptoki.finding import TokenInfo, Where
from keystead.cryptoki.module import Module
from keystead.cryptoki.session import Session
from keystead.cryptoki.templates import Template
from keystead.cryptoki.words import Cka, Cko, Ckr

MOST_HANDLES: Final = 50_000
LEAST_SESSIONS: Final = 2  # one that the login hangs on, and one to work with


class Name(Struct, frozen=True, cache_hash=True):
    """What objects are found by: CKA_ID, CKA_LABEL unless it is empty, and the class; None: whichever."""

    kind: Cko | None
    id: bytes
    label: str = ""

    def template(self) -> Template:
        """To find it by: without CKA_TOKEN, which SoftHSM2 may have lost. Objects of a session have no name of ours."""
        found: dict[Cka, bool | int | bytes | str] = {Cka.ID: self.id}
        if self.kind is not None:
            found[Cka.CLASS] = self.kind
        return {**found, Cka.LABEL: self.label} if self.label else found


def told(found: Mapping[Cka, bool | int | bytes], wanted: Template) -> Name:
    """The name of an object that was looked for by `wanted`.

    Raises Failed where it is not that: SoftHSM2 tells nothing of an object that another thread is just reading.
    """
    kind, its_id, label = (found.get(one, b"") for one in (Cka.CLASS, Cka.ID, Cka.LABEL))
    if not isinstance(kind, int) or not isinstance(its_id, bytes) or not isinstance(label, bytes):
        raise Failed("C_GetAttributeValue", Ckr.ATTRIBUTE_VALUE_INVALID)
    for which, value in ((Cka.CLASS, kind), (Cka.ID, its_id), (Cka.LABEL, label)):
        asked = wanted.get(which, value)
        if value != (asked.encode() if isinstance(asked, str) else asked):
            raise Failed("C_GetAttributeValue", Ckr.OBJECT_HANDLE_INVALID)
    return Name(Cko(kind), its_id, label.decode("utf-8", "replace"))


class Doubtful(Exception):
    """The token shows none of that name, or two. `error`: the answer, if that is believed (cryptoki.views)."""

    def __init__(self, name: Name, error: KeysteadError) -> None:
        super().__init__(str(error))
        self.name, self.error = name, error


class Connection:
    """Made and used between `Module.enter` and `leave`. Raises Failed where the token is away or lets nobody in."""

    def __init__(
        self,
        module: Module,
        where: Where,
        pin: Callable[[], Sensitive],
        epoch: int,
        serial: str,
        offering: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """`serial`: of the token that it was before; "" for the first time. Another one is given no PIN: Conflict.

        `offering`: what the login happens in.
        """
        self.module, self.epoch = module, epoch
        self.info: TokenInfo = finding.find(module, where)
        if serial and not self.info.serial:  # SoftHSM2 tells none while another process writes the token's file
            raise Failed("C_GetTokenInfo", Ckr.TOKEN_NOT_PRESENT)
        if serial not in {"", self.info.serial}:
            raise Conflict(f"another token than before is there: {self.info.serial}, not {serial}", "token")
        self.mechanisms = finding.mechanisms(module, self.info.slot)
        self.is_lost = False
        self._free: list[Session] = []
        self._handles: OrderedDict[Name, int] = OrderedDict()
        self._made: OrderedDict[Name, int] = OrderedDict()
        self._lock = threading.Lock()
        self._given, self._n_waiting, self._n_open = threading.Condition(), 0, 1
        if (most := self.info.most_sessions) is not None and most < LEAST_SESSIONS:
            raise Unsupported(f"the token allows {most} session of a process; it takes {LEAST_SESSIONS}", "sessions")
        self._anchor = Session(module, self.info.slot)
        try:
            with offering():
                self._anchor.login(pin())
        except BaseException:
            self._anchor.close()
            raise

    def is_of(self, epoch: int) -> bool:
        """Whether its handles mean anything while the module is in that epoch."""
        return not self.is_lost and self.epoch == epoch

    def take(self, wait_for: float) -> Session:
        """The session that was given back last, or a new one; where the token has no more, one that gets free."""
        try:
            return self._free.pop()
        except IndexError:
            pass
        refused = Failed("C_OpenSession", Ckr.SESSION_COUNT)
        if self._counted():
            try:
                return self._open()
            except Failed as failed:
                if failed.rv != Ckr.SESSION_COUNT:
                    raise
                refused = failed
        with self._given:
            self._n_waiting += 1
            try:
                self._given.wait_for(lambda: bool(self._free) or self._has_room, wait_for)
            finally:
                self._n_waiting -= 1
        try:
            return self._free.pop()
        except IndexError:
            if self._has_room and self._counted():
                return self._open()
        raise refused

    @property
    def _has_room(self) -> bool:
        """Whether the token has said how many sessions there may be, and there are fewer."""
        return self.info.most_sessions is not None and self._n_open < self.info.most_sessions

    def _counted(self) -> bool:
        """False where the token allows no more: it is not asked for what it would refuse."""
        with self._lock:
            if self.info.most_sessions is not None and self._n_open >= self.info.most_sessions:
                return False
            self._n_open += 1
            return True

    def _open(self) -> Session:
        try:
            return Session(self.module, self.info.slot)
        except BaseException:
            self._closed()
            raise

    def _closed(self) -> None:
        with self._lock:
            self._n_open -= 1

    def give(self, session: Session, *, good: bool) -> None:
        if good and not self.is_lost:
            self._free.append(session)
            if self.is_lost:  # just now
                self._close_free()
        elif self.epoch == self.module.epoch:
            session.close()
            self._closed()
        if self._n_waiting:
            with self._given:
                self._given.notify()

    def drop(self, *, log_out: bool = False) -> None:
        """It is lost: what is not lent is closed now, the rest as it comes back. Once: handles are given out again."""
        with self._lock:
            if self.is_lost:
                return
            self.is_lost = True
        if log_out and self.epoch == self.module.epoch:
            self._anchor.log_out()
        self._close_free()
        if self.epoch == self.module.epoch:
            self._anchor.close()

    def _close_free(self) -> None:
        with suppress(IndexError):
            while True:
                session = self._free.pop()
                if self.epoch == self.module.epoch:
                    session.close()

    def shows_all(self, session: Session) -> bool:
        """Whether an object that the session did not show is not there. Asked after it was looked for.

        A session that is opened when another thread has just dropped the spell is a public one: it shows no private
        object, and says no error.
        """
        return not self.is_lost and session.is_the_users() and self.is_there()

    def is_there(self) -> bool:
        """Whether the token that we know is still in its slot, as the module sees it."""
        try:
            return finding.look(self.module, self.info.slot).serial == self.info.serial
        except Failed:
            return False

    def require_room(self, n: int) -> None:
        """Before an object of `n` bytes is made. Raises LimitExceeded (detail "hsm_room"), Failed.

        Nothing where the token does not tell, or what it tells cannot be.
        """
        told = finding.look(self.module, self.info.slot)
        free, memory = told.free_memory, told.memory
        if free is None or not memory or free > memory or free >= n:
            return
        raise LimitExceeded(
            f"the HSM has no room for it: {free} of {memory} bytes are free, and it takes some {n}", "hsm_room"
        )

    def handle(self, session: Session, name: Name) -> int:
        """Raises Doubtful (NotFound; Conflict: two objects of one name), Failed."""
        if (known := self._handles.get(name)) is not None:
            return known
        found = session.find(name.template(), 2)
        if not found:
            raise Doubtful(name, NotFound("no such object in the token", "object"))
        chosen = found[0]
        if len(found) > 1:
            chosen = self._made.get(name, 0)
            if chosen not in found:
                raise Doubtful(name, Conflict("two objects in the token have one name", "object"))
        self._keep(self._handles, name, chosen)
        return chosen

    def learn(self, name: Name, handle: int) -> int:
        """The handle of an object that was made just now. SoftHSM2 shows it twice to the process that made it, and
        for good, where another process changes the token meanwhile.
        """
        self._keep(self._made, name, handle)
        return handle

    def _keep(self, among: OrderedDict[Name, int], name: Name, handle: int) -> None:
        with self._lock:
            among[name] = handle
            if len(among) > MOST_HANDLES:
                among.popitem(last=False)

    def forget(self, name: Name) -> None:
        for kind in Cko if name.kind is None else (name.kind,):
            self._handles.pop(Name(kind, name.id, name.label), None)

    def forget_all(self) -> None:
        """Some handle was not right; whose, the module does not say."""
        with self._lock:
            self._handles.clear()
