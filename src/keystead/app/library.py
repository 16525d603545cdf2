"""The same core in this process: `with keystead.open(DIR) as ks: ks.perform(...)`. For people who want no server.

One process at a time, as the data directory's lock enforces. Every operation goes through `perform`, is authorized as
the principal it is opened as, and is on record before it is answered.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from keystead import config
from keystead.app import slots
from keystead.app.chores import Chores
from keystead.app.compose import Core
from keystead.app.installation import read_seal
from keystead.app.recovery import reading
from keystead.core import operations as ops
from keystead.core.entities import Principal
from keystead.core.errors import Denied, Unauthenticated, Unavailable
from keystead.core.operations import Operation
from keystead.core.sensitive import Sensitive
from keystead.service.custody import backup
from keystead.service.inspection import quiet
from keystead.service.log import Log
from keystead.service.proof import Proof, prove_destroyed
from keystead.service.restoring import Restored, restore
from keystead.service.since import NOTHING, since
from keystead.service.slots import SlotLook
from keystead.service.trusted_time import TrustedTime
from keystead.stores.lock import DirectoryLock

R = TypeVar("R")
DOOR = "library"


class Keystead:
    """An open installation. `principal`: whose rights it has; by default those of this process' user."""

    def __init__(self, directory: Path, offered: Sequence[Sensitive] = (), *, credential: str | None = None) -> None:
        """Raises Unavailable (in use), NotFound (no installation), Unauthenticated, Conflict (rolled back)."""
        settings = config.read(directory)
        read_seal(directory, settings)  # that there is an installation
        self._lock = DirectoryLock(directory)
        try:
            self._core = Core(directory, settings, journal=DOOR, worker=0, check=True)
        except BaseException:
            self._lock.close()
            raise
        try:
            self._core.open(read_seal(directory, settings, self._core.tokens).open(offered))
            own = f"uid:{os.geteuid()}"
            self._principal, self._is_own = self._who(credential or own), credential in {None, own}
            self._time = TrustedTime(self._core.clock, self._core.disk, self._core.layout.clock)
            self._chores = Chores(self._core)  # last: it holds the audit log
        except BaseException:
            self._core.close()
            self._lock.close()
            raise

    def perform(self, op: Operation[R]) -> R:
        """Do `op`; its audit record is durable on return, and when it raises a KeysteadError."""
        means = self._core.means
        caller = means.authenticator.itself(
            self._principal,
            namespace=DOOR,
            door=DOOR,
            operation=type(op).__name__,
            request_id=means.request_ids(),
            now=self._core.clock.now(),
        )
        try:
            if isinstance(op, ops.Approve) and not op.signature and not self._is_own:  # nobody has shown to be them
                denied = Denied("an approval in somebody else's name has to be signed: the library asks for no secret")
                means.service.turn_away(caller, denied)
                raise denied
            answer = self._core.service.perform(caller, op)
        finally:
            self._core.journal.flush()
        if isinstance(op, ops.ScheduleDestruction):
            self._chores.look_ahead(self._time)
        return answer

    def _who(self, credential: str) -> Principal:
        held = self._core.view.credential(credential)
        if held is None or not held.credential.enabled or not held.principal.enabled:
            raise Unauthenticated("no such credential")
        return held.principal

    def fold(self) -> None:
        """Fold what is on record into the audit log now; closing does it too."""
        self._chores.fold(everything=True)

    def keep_appointments(self, *, trust_clock: bool = False) -> bool:
        """Do the rotations and destructions that have come due; a library has no scheduler of its own.

        False, and nothing done, where the clock cannot be believed (service.trusted_time) and nobody says it can.
        """
        if trust_clock:
            self._time.believe()
        believed = self._chores.keep_appointments(self._time)
        for hsm in self._core.hsms.names:
            self._chores.reach(hsm)
        self._time.keep()
        return believed

    # --- what is done with the installation as a whole

    def back_up(self, path: Path) -> str:
        """A copy of the database at `path`, which must not exist yet; the slot generation that it opens with."""
        self.perform(ops.BackUp(path=str(path)))
        return backup(self._core.barrier, self._core.store, path)

    def rotate_slot(self) -> None:
        """No backup made before opens by itself any more."""
        self.perform(ops.RotateSlot())
        self._core.barrier.rotate()

    def slots(self) -> list[SlotLook]:
        """How each slot is that the root of the key tree is in."""
        return self._core.barrier.slots()

    def add_slot(self, name: str) -> None:
        """Keep the root in one slot more. Raises AlreadyExists, Unavailable."""
        self.perform(ops.AddSlot(slot=name))
        slots.add(self._core, name)

    def remove_slot(self, name: str, *, lost: bool = False) -> None:
        """Keep it in one less. `lost`: that slot need not be reached. Raises NotFound, Conflict, Unavailable."""
        self.perform(ops.RemoveSlot(slot=name, lost=lost))
        slots.remove(self._core, name, lost=lost)

    def restore(self, old: Path, on_progress: Callable[[int], None] = quiet, *, as_it_was: bool = False) -> Restored:
        """Put back from an old backup what is missing or damaged; it is read, never written. Raises NotFound.

        `as_it_was`: whatever the audit log has been done to it since (service.restoring, Rule 2).
        """
        core = self._core
        self.perform(ops.RestoreBackup(path=str(old), as_it_was=as_it_was))
        self.fold()
        with reading(old, core.layout) as store:
            said = NOTHING if as_it_was else since(store, Log(core.disk, core.layout.audit), core.barrier)
            return restore(store, core.barrier, core.store, said, core.clock.now(), on_progress)

    def prove_destroyed(self, old: Path, on_progress: Callable[[int], None] = quiet) -> Proof:
        """Try to open every key of an old backup with everything there is today. Raises NotFound."""
        self.perform(ops.ProveDestroyed())
        with reading(old, self._core.layout) as store:
            return prove_destroyed(store, self._core.barrier, self._core.store, on_progress)

    def close(self) -> None:
        with suppress(Unavailable):  # whoever opens it next tries again
            self._chores.settle()
        self.fold()
        self._chores.close()
        self._core.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
