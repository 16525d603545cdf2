"""The supervisor: one process that holds the data directory, its workers, and everything done once per installation.

    supervisor ── control socket (DIR/run/control.sock): status, unseal, seal, administration
        ├── worker 0 … N-1: the doors; each has a line to the custodian of the seal (docs/adr/0022)
        ├── sequencer: folds every journal into the audit log, several times a second
        └── scheduler: rotations, destructions, expiries

What opens the installation, and what is done once it is open, is app.sealing's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
import uvloop
from msgspec.structs import asdict

from keystead.app import slots
from keystead.app.chores import Chores
from keystead.app.compose import Core
from keystead.app.control import Control
from keystead.app.entropy import status as entropy_status
from keystead.app.gauges import gauges
from keystead.app.hsms import Watch, drop_refused
from keystead.app.layout import Layout, Running
from keystead.app.patience import Patience
from keystead.app.sealing import OPENED_IN, Sealing
from keystead.app.sockets import address_of, bind, bind_unix
from keystead.app.workers import Worker
from keystead.config import Config
from keystead.core.entities import Kind
from keystead.core.errors import InvalidArgument, KeysteadError
from keystead.core.sensitive import Sensitive
from keystead.doors.control import ServerStatus
from keystead.doors.control.lifecycle import SlotStatus
from keystead.kit.custody import Gauges
from keystead.service.custody import backup
from keystead.service.trusted_time import TrustedTime
from keystead.stores.lock import DirectoryLock
from keystead.version import VERSION

LOG = logging.getLogger("keystead")
NICE = 10
FOLD_EVERY, LOOK_EVERY, SCHEDULE_EVERY, SETTLE_EVERY, TELL_EVERY, OPEN_EVERY = 2.0, 0.2, 1.0, 60.0, 1.0, 10.0  # seconds
FETCH_EVERY = 2.0
WATCH_EVERY, SEALS_EVERY = 5.0, 10.0  # seconds between two looks at the HSMs; at the seals, while it is open
HANGING_FOR = 5.0  # seconds that an audit device, or an HSM, may keep the server from ending
MAY_HANG = frozenset({"_tell_devices", "_fetch_lists", "_settle", "open_again", "look", "look_at_seals"})
LOOKED_IN = 2.0  # seconds that are waited for a slot to be looked at


class Supervisor:
    """`on_ready` hears once, when every worker answers. Raises Unavailable where the directory is in use."""

    def __init__(
        self,
        directory: Path,
        settings: Config,
        on_ready: Callable[[Running], None],
        *,
        pins: Mapping[str, Sensitive],
        trust_clock: bool = False,
        bound: Mapping[str, socket.socket] | None = None,
    ) -> None:
        """`pins`: of the HSMs. `bound`: of a door, a socket that listens already."""
        self._bound = bound or {}
        self._layout, self._settings, self._on_ready = Layout(directory), settings, on_ready
        self._layout.run.mkdir(mode=0o700, exist_ok=True)
        self._lock = DirectoryLock(directory)
        for left_behind in (self._layout.generation, self._layout.running):  # by a server that was killed
            left_behind.unlink(missing_ok=True)
        self._pins = dict(pins)
        index = settings.workers
        self.core = Core(directory, settings, journal="supervisor", worker=index, check=True, pins=self._pins)
        self.core.board.clear()
        self._ended, self._ask = threading.Event(), Patience()
        self.core.slots.all.ask = lambda slot, look: self.core.slots.ask(f"slot {slot}", look, LOOKED_IN)
        self.sealing = Sealing(self.core, settings, self._ask, self._ended, self._look_over)
        self._pool = self.sealing.pool
        self._time = TrustedTime(self.core.clock, self.core.disk, self._layout.clock, believe=trust_clock)
        self.owner = f"uid:{os.geteuid()}"
        self._started_at = self.core.clock.now()
        self._watch = Watch(self.core.tokens)

    # --- life

    def run(self, offered: Sequence[Sensitive]) -> None:
        """Serve until SIGTERM or SIGINT."""
        try:
            self._listen()
            self.core.entropy.start()
            uvloop.run(self._serve(offered))
        finally:
            self._close()

    def _listen(self) -> None:
        sockets = {
            door: bind(address, self._settings.workers, self._bound.get(door))
            for door, address in self._settings.listen.items()
        }
        for index in range(self._settings.workers):
            own = {door: bound[index] for door, bound in sockets.items()}
            self._pool.add(
                Worker(self._layout.directory, index, own, self._lock.fileno(), self._pool.attend, self._pins)
            )
        self._running = Running(
            pid=os.getpid(),
            listen={door: address_of(bound[0]) for door, bound in sockets.items()},
            tls=self._settings.tls is not None,
            workers=self._settings.workers,
        )

    async def _serve(self, offered: Sequence[Sensitive]) -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: None)  # who rotates logs sends it: app.devices, Rule 3
        control = Control(self)
        await control.start(bind_unix(self._layout.control))
        await asyncio.to_thread(self.sealing.open_at_start, offered)  # or `keystead unseal` does, later
        await asyncio.to_thread(drop_refused, self.core.tokens, self._pins)
        await asyncio.to_thread(self._pool.begin)
        self._layout.running.write_bytes(msgspec.json.encode(self._running))
        self._on_ready(self._running)
        threads = [
            threading.Thread(target=self._every, args=(seconds, act), name=act.__name__, daemon=True)
            for seconds, act in (
                (FOLD_EVERY, self._fold),
                (SCHEDULE_EVERY, self._keep_appointments),
                (LOOK_EVERY, self._look_after),
                (SETTLE_EVERY, self._settle),
                (TELL_EVERY, self._tell_devices),
                (FETCH_EVERY, self._fetch_lists),
                (OPEN_EVERY, self.sealing.open_again),
                (WATCH_EVERY, self._watch.look),
                (SEALS_EVERY, self.sealing.look_at_seals),
            )
        ]
        beside = [
            threading.Thread(target=self._every, args=(SCHEDULE_EVERY, partial(self._reach, hsm)), daemon=True)
            for hsm in self._settings.hsms
        ]
        for thread in (*threads, *beside):
            thread.start()
        await asyncio.wait((asyncio.ensure_future(stop.wait()), control.failed), return_when=asyncio.FIRST_COMPLETED)
        self._ended.set()
        await asyncio.to_thread(self._end_workers)
        await control.stop()
        for thread in threads:
            await asyncio.to_thread(thread.join, HANGING_FOR if thread.name in MAY_HANG else None)
        for thread in beside:
            await asyncio.to_thread(thread.join, HANGING_FOR)

    def _every(self, seconds: float, act: Callable[[], object]) -> None:
        """Do `act` again and again; what goes wrong is logged, and tried again."""
        with contextlib.suppress(OSError):  # it may wait; whoever asks for a key may not
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while not self._ended.wait(seconds):
            try:
                act()
            except Exception:  # whatever it was, the next turn tries again
                LOG.exception("%s failed and will be tried again", getattr(act, "__name__", act))

    def _fold(self) -> None:
        while not self._ended.is_set() and (chores := self.sealing.chores) is not None and chores.fold():
            pass  # a server that is never idle makes more in a turn than one step takes

    def _tell_devices(self) -> None:
        if (chores := self.sealing.chores) is not None:
            chores.tell_devices()

    def _fetch_lists(self) -> None:
        if (chores := self.sealing.chores) is not None:
            chores.fetch_lists()

    def _settle(self) -> None:
        if (chores := self.sealing.chores) is not None:
            chores.settle()

    def _reach(self, hsm: str) -> None:
        if (chores := self.sealing.chores) is not None:
            chores.reach(hsm)

    def _keep_appointments(self) -> None:
        self._time.is_believed()
        if (chores := self.sealing.chores) is not None:
            chores.keep_appointments(self._time)

    def _close(self) -> None:
        self._layout.running.unlink(missing_ok=True)
        self._layout.control.unlink(missing_ok=True)
        if (chores := self.sealing.chores) is not None:
            with contextlib.suppress(KeysteadError):
                chores.fold(everything=True)
            chores.close()
        self._pool.close()
        self.core.close()
        self._lock.close()

    def _end_workers(self) -> None:
        with self._pool.changing:  # a change that has begun is done; it starts nobody any more
            self._pool.stop()

    def _look_after(self) -> None:
        self._pool.restart_ended(self.core.generation)

    def _look_over(self, chores: Chores | None) -> Gauges:
        return gauges(self.status(), chores.devices_behind() if chores is not None else {})

    # --- as the control door sees it

    def status(self) -> ServerStatus:
        core, sealing = self.core, self.sealing
        is_open, chores = sealing.is_open, sealing.chores
        file, looks = core.slots.file, core.barrier.slots()
        custody = sealing.custody_of_shares() if is_open else None
        return ServerStatus(
            sealed=not is_open,
            seal=sealing.kind,
            seal_trouble=sealing.trouble,
            custody_alarm=custody.alarm if custody else "",
            version=VERSION,
            workers=self._settings.workers,
            listen=self._running.listen,
            started_at=self._started_at,
            slot_copies={str(directory): whole for directory, whole in file.copies().items()} if file else {},
            slots=tuple(SlotStatus(**asdict(look)) for look in looks),
            n_places=core.slots.n_places(look.name for look in looks),
            slots_at_least=self._settings.slots_at_least,
            slots_way_out=core.slots.way_out(look.name for look in looks),
            **slots.told(core.barrier, self._settings) if is_open else {},
            n_unerased=core.barrier.outstanding(looks) if is_open else None,
            hsms=dict(self._watch.troubles),
            pins_refused=tuple(sorted(self._watch.refused)),
            journal_trouble=core.journal.trouble,
            journals_damaged=chores.journals_damaged if chores else (),
            clock_trouble=self._time.trouble,
            entropy=entropy_status(core.entropy, core.board),
            entropy_required=core.entropy.is_required,
            n_keys=core.store.count(Kind.KEY) if is_open else None,
            epoch=core.barrier.epoch if is_open else None,
            n_in_hsms=core.store.count(Kind.ERASURE) if is_open else None,
            n_given_up=core.store.count(Kind.GIVEN_UP) if is_open else None,
            n_audit_records=chores.n_records if chores else None,
        )

    def log_into_hsm(self, name: str, pin: Sensitive) -> None:
        """With another PIN, offered by this process before the others have it: they are started anew, one by one."""
        with self._pool.changing:
            self._ask(f"the HSM {name}", lambda: self.core.tokens.log_in(name, pin), OPENED_IN)
            self._pins[name] = pin
            self._pool.restart_each()
            self.sealing.try_again()  # it may be what the seal rests on
        self._watch.look_at(name)

    def back_up(self, path: str) -> str:
        """A copy of the database at `path`, which must not exist yet; the slot generation that it opens with."""
        target = Path(path)
        if not target.is_absolute():
            raise InvalidArgument("give the backup an absolute path", "path")
        return backup(self.core.barrier, self.core.store, target)
