"""A token lost and found again: spells of being connected, each one login, and acts that outlive one.

Rule 1: nothing is asked of the module before the first `run`.
Rule 2: `run` answers what the act answers, or raises a KeysteadError; a CK_RV is its detail.
Rule 3: (portability rule R9) where the token, the login or the session is lost, the spell ends: sessions are dropped,
        a new spell begins, keys are found anew, and the act runs once more, unless `once` says that it must not. An act
        of `once` that was cut short raises Unavailable: whether it was done, nobody knows; its author asks the token.
Rule 4: where a new spell does not begin, the module is started again (SoftHSM2 sees a token that was put back only
        then). Where that is of no use either, everybody hears Unavailable for a while without the module being asked.
Rule 5: a PIN that was refused is not offered again by this process: it could only be locked.
Rule 6: the token is the one that it was at first: another serial number under its label is Conflict.
Rule 7: CKR_GENERAL_ERROR and CKR_FUNCTION_FAILED say nothing (SoftHSM2: also of a tag that does not fit). Where the
        token is there as before, and says it twice, they are the act's own failure. A session that has lost what was
        begun in it is given up, and the act runs once more in another one.
Rule 8: "there is no such object" is believed of a module that was started after the question was first asked
        (cryptoki.views); "the token is away" after several starts: SoftHSM2 takes a token that another process is
        logging into for broken.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from queue import Empty, SimpleQueue
from typing import Final, NoReturn, TypeVar

from msgspec import Struct

from keystead.core.errors import Conflict, InvalidArgument, KeysteadError, Unauthenticated, Unavailable
from keystead.core.ports import NOT_ASKED
from keystead.core.sensitive import Sensitive
from keystead.cryptoki import finding
from keystead.cryptoki.connection import Connection, Doubtful, Name
from keystead.cryptoki.errors import ASTRAY, LOST, MISPLACED, REFUSED_PIN, SPENT, Failed, meant
from keystead.cryptoki.finding import TokenInfo, Where
from keystead.cryptoki.module import Module
from keystead.cryptoki.session import Session
from keystead.cryptoki.views import Views
from keystead.cryptoki.words import Ckr

R = TypeVar("R")
OPENS: Final = frozenset({"C_Decrypt", "C_UnwrapKey"})
"""Functions that an act's own input can make fail: there, what says nothing may be said of it."""
VAGUE: Final = frozenset({Ckr.GENERAL_ERROR, Ckr.FUNCTION_FAILED})
CLOSES_IN: Final = 2.0  # seconds
STARTS: Final = (0.0, 0.02, 0.1)
"""Seconds before the module is started again, the n-th time, for a token that was there the last time."""
DRAINS_IN: Final = 2.0  # seconds that calls in flight may take where it is started only to look anew
GLITCHES: Final = LOST | {Ckr.USER_PIN_NOT_INITIALIZED}
"""What SoftHSM2 says of a token whose file another process is just writing. No PIN was compared."""
PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # seconds that nobody asks, after the n-th failure in a row


class Desk(Struct, frozen=True):
    """What an act gets: a session for itself alone, and where the objects are."""

    session: Session
    connection: Connection

    def key(self, name: Name) -> int:
        """Raises NotFound, Conflict (two objects of one name)."""
        return self.connection.handle(self.session, name)


class _Again(Exception):
    """Once more, on a new spell."""


class _Restart(Exception):
    """Once more, after the module has been started again. `to_look`: it was well, and is to look anew."""

    def __init__(self, *, to_look: bool = False) -> None:
        super().__init__()
        self.to_look = to_look


class Spells:
    """One token's: what `run` is given runs in the present one, or in the next. Safe to use from any thread."""

    def __init__(
        self,
        name: str,
        module: str,
        where: Where,
        pin: Callable[[], Sensitive],
        *,
        sessions: int = 8,
        wait_for: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        offering: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """`name`: what the operator calls it. `pin` is asked for at the first login, each of which is in `offering`."""
        self.name, self.sessions = name, sessions
        self._path, self._where, self._pin, self._clock = module, where, pin, clock
        self._wait_for, self._offering = wait_for, offering
        self._room: SimpleQueue[None] = SimpleQueue()
        """As many as there may be sessions; who has one may use a session."""
        for _ in range(sessions):
            self._room.put(None)
        self._connecting = threading.Lock()
        self._connection: Connection | None = None
        self._refused, self._views = "", Views(clock)
        self._serial, self._trouble, self._n_failed, self._not_before = "", "", 0, 0.0

    def run(self, act: Callable[[Desk], R], *, once: bool = False, vague: type[KeysteadError] = Unavailable) -> R:
        """What `act` answers. `vague`: what it is that something does not open, and nothing more is said (rule 7).

        Raises KeysteadError; Unavailable too where no session gets free in time.
        """
        try:
            self._room.get(timeout=self._wait_for)
        except Empty:
            raise Unavailable(f"all {self.sessions} sessions of the HSM {self.name} are in use", NOT_ASKED) from None
        try:
            return self._run(act, vague, once=once)
        finally:
            self._room.put(None)

    def info(self) -> TokenInfo:
        """As it is now."""
        return self.run(lambda desk: finding.look(desk.connection.module, desk.connection.info.slot))

    @property
    def trouble(self) -> str:
        """Why it does not answer, for `status`; empty where it does, or was not asked yet."""
        return self._trouble

    def log_in(self, pin: Callable[[], Sensitive]) -> None:
        """Anew, with another PIN, which is offered once and is the one from now on where it is taken.

        Raises Unauthenticated where it is refused, and what `info` raises: then the PIN of before counts, if any.
        """
        before = self._pin, self._refused, self._trouble, self._n_failed, self._not_before
        if (connection := self._connection) is not None:
            with connection.module.within() as epoch:
                connection.drop(log_out=True)
            with suppress(Unavailable):  # SoftHSM2 compares with the PIN of before else, and calls the new one wrong
                connection.module.restart(epoch)
        self._pin, self._refused, self._not_before = pin, "", 0.0
        try:
            self.info()
        except KeysteadError:
            self._pin, self._refused, self._trouble, self._n_failed, self._not_before = before
            raise

    def close(self) -> None:
        """Sessions are closed; a later `run` begins anew. Raises Internal in a forked child, where nothing is done.

        While somebody waits for an HSM that does not answer, they are left to the end of the process.
        """
        if not self._connecting.acquire(timeout=CLOSES_IN):
            return
        try:
            connection, self._connection = self._connection, None
        finally:
            self._connecting.release()
        if connection is not None:
            with connection.module.within():
                connection.drop()

    # --- recovery

    def _run(self, act: Callable[[Desk], R], vague: type[KeysteadError], *, once: bool) -> R:
        module = connection.module if (connection := self._connection) else self._opened()
        again, since, n_starts = True, module.epoch, 0
        while True:
            epoch = module.enter()
            try:
                connection = self._connection
                if connection is None or not connection.is_of(epoch):
                    connection = self._connected(module, epoch, may_restart=n_starts < self._starts)
                return self._act(connection, act, vague, since, again=again, once=once)
            except _Again:
                again = False
                continue
            except _Restart as wanted:
                to_look = wanted.to_look
            finally:
                module.leave()
            if to_look:
                self._look_anew(module, epoch)
            else:
                time.sleep(STARTS[n_starts])
                n_starts += 1
                self._restart(module, epoch)

    @property
    def _starts(self) -> int:
        return 1 if self._n_failed else len(STARTS)

    def _act(
        self,
        connection: Connection,
        act: Callable[[Desk], R],
        vague: type[KeysteadError],
        since: int,
        *,
        again: bool,
        once: bool,
    ) -> R:
        if once and not connection.is_there():  # nothing was done yet, so it may begin anew
            self._lost(connection, Failed("C_GetTokenInfo", Ckr.TOKEN_NOT_PRESENT), again=again)
        session = self._take(connection, again=again)
        good = True
        try:
            if connection.is_lost:  # just now: the session may be a public one; nothing was done yet
                self._lost(connection, Failed("C_OpenSession", Ckr.SESSION_CLOSED), again=again)
            return act(Desk(session, connection))
        except Doubtful as doubtful:
            self._doubt(Desk(session, connection), doubtful, since, again=again, once=once)
        except Failed as failed:
            good = failed.rv in SPENT
            self._recover(connection, failed, vague, again=again and not once)
        except KeysteadError:
            raise
        except BaseException:
            good = False
            raise
        finally:
            connection.give(session, good=good)

    def _doubt(self, desk: Desk, doubtful: Doubtful, since: int, *, again: bool, once: bool) -> NoReturn:
        """Raises its error where that is believed (rule 8), else what lets it be looked for again."""
        connection = desk.connection
        if not connection.shows_all(desk.session):
            self._lost(connection, Failed("C_FindObjects", Ckr.TOKEN_NOT_PRESENT), again=again and not once)
        is_ours = connection.module.may_restart
        if once or not is_ours or self._views.is_whole(doubtful.name, connection.epoch, since):
            raise doubtful.error from None
        self._views.believe(doubtful.name, connection.epoch + 1)
        if not self._views.may_restart():
            raise Unavailable(f"the HSM {self.name} does not show an object; it is looked for anew in a while", "view")
        raise _Restart(to_look=True)

    def _recover(self, connection: Connection, failed: Failed, vague: type[KeysteadError], *, again: bool) -> NoReturn:
        """Raises what the act is to raise, or _Again."""
        if failed.rv in MISPLACED:
            connection.forget_all()
            if not connection.is_there():
                self._lost(connection, failed, again=again)
            if again:
                raise _Again from None
        if failed.rv in VAGUE and connection.is_there():
            if again:
                raise _Again from None
            kind = vague if failed.function in OPENS and not failed.is_foreign else Unavailable
            raise kind(f"the HSM {self.name} answers {failed}", f"CKR_{Ckr(failed.rv).name}") from None
        if failed.rv in LOST:
            self._lost(connection, failed, again=again)
        if failed.rv in ASTRAY and again:
            raise _Again from None
        raise meant(failed, self.name) from None

    def _lost(self, connection: Connection, failed: Failed, *, again: bool) -> NoReturn:
        connection.drop()
        if again:
            raise _Again from None
        raise Unavailable(f"the HSM {self.name} was lost: {failed}", "lost") from None

    def _take(self, connection: Connection, *, again: bool) -> Session:
        try:
            return connection.take(self._wait_for)
        except Failed as failed:
            if failed.rv in LOST:
                self._lost(connection, failed, again=again)
            raise meant(failed, self.name) from None

    def _connected(self, module: Module, epoch: int, *, may_restart: bool) -> Connection:
        if (connection := self._connection) is not None and connection.is_of(epoch):
            return connection
        if not self._connecting.acquire(timeout=self._wait_for):  # one waits for an HSM that hangs, and nobody else
            raise Unavailable(f"the HSM {self.name} does not answer somebody who is to log in", NOT_ASKED)
        try:
            if (connection := self._connection) is None or not connection.is_of(epoch):
                connection = self._connection = self._connect(module, epoch, may_restart=may_restart)
            return connection
        finally:
            self._connecting.release()

    def _connect(self, module: Module, epoch: int, *, may_restart: bool) -> Connection:
        self._may_ask()
        try:
            connection = Connection(module, self._where, self._pin, epoch, self._serial, self._offering)
        except Unauthenticated as error:  # there is no PIN to offer any more
            self._refused = str(error)
            self._pause(self._refused)
            raise
        except Conflict as error:  # SoftHSM2 shows it until it is started again, wherever the right one is by now
            if may_restart:
                raise _Restart from None
            self._pause(str(error))
            raise Conflict(f"the HSM {self.name}: {error}", error.detail) from None
        except Failed as failed:
            is_of_the_pin = (
                failed.is_foreign and failed.function == "C_Login"
            )  # it may be a vendor's word for a refusal
            if failed.rv in GLITCHES and may_restart and not is_of_the_pin:
                raise _Restart from None
            self._failed(failed)
        self._serial, self._n_failed, self._trouble = connection.info.serial, 0, ""
        return connection

    def _opened(self) -> Module:
        self._may_ask()
        try:
            return Module.open(self._path)
        except InvalidArgument as error:
            raise InvalidArgument(f"the HSM {self.name}: {error}", error.detail) from None
        except Unavailable as error:
            self._fail_to_start(error)

    def _may_ask(self) -> None:
        """Raises Unauthenticated where the PIN was refused, Unavailable while nobody is to ask."""
        if self._refused:
            raise Unauthenticated(self._refused, "pin")
        if self._clock() < self._not_before:
            raise Unavailable(f"the HSM {self.name} does not answer: {self._trouble}", NOT_ASKED)

    def _failed(self, failed: Failed) -> NoReturn:
        error = meant(failed, self.name)
        self._pause(str(failed))
        if failed.rv in REFUSED_PIN:
            self._refused = str(error)
        raise error from None

    def _pause(self, trouble: str) -> None:
        self._not_before = self._clock() + PAUSES[min(self._n_failed, len(PAUSES) - 1)]
        self._n_failed += 1
        self._trouble = trouble

    def _look_anew(self, module: Module, epoch: int) -> None:
        """Raises Unavailable where calls in flight do not end, or the module does not come up."""
        began = self._clock()
        module.restart(epoch, DRAINS_IN)
        self._views.restarted(self._clock() - began)

    def _restart(self, module: Module, epoch: int) -> None:
        try:
            module.restart(epoch)
        except Unavailable as error:
            self._fail_to_start(error)

    def _fail_to_start(self, error: Unavailable) -> NoReturn:
        self._pause(str(error))
        raise Unavailable(f"the HSM {self.name}: {error}", error.detail) from None
