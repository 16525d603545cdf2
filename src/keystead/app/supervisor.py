"""The supervisor: one process that holds the data directory, its workers, and everything done once per installation.

    supervisor ── control socket (DIR/run/control.sock): status, unseal, seal, administration
        ├── worker 0 … N-1: the doors; each has a line to the custodian of the seal (docs/adr/0022)
        ├── sequencer: folds every journal into the audit log, several times a second
        └── scheduler: rotations, destructions, expiries

Sealing forgets the unseal key and starts every worker anew without it, so no memory of theirs survives a seal. Whoever
hears that it is sealed, or open, finds everything as the answer says (app.pool).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
import uvloop
from msgspec.structs import asdict

from keystead.app import drill, slots
from keystead.app.chores import Chores
from keystead.app.compose import Core
from keystead.app.control import Control
from keystead.app.custodian import Custodian
from keystead.app.entropy import status as entropy_status
from keystead.app.gauges import Watched, gauges
from keystead.app.hsms import Watch, drop_refused
from keystead.app.hsms import pins as read_pins
from keystead.app.installation import read_seal
from keystead.app.layout import Layout, Running
from keystead.app.patience import Patience
from keystead.app.pool import WorkerPool
from keystead.app.seals import SealChanges, warning_of
from keystead.app.sockets import address_of, bind, bind_unix
from keystead.app.workers import Worker
from keystead.config import Config
from keystead.core.entities import Kind
from keystead.core.errors import Conflict, InvalidArgument, KeysteadError, Sealed, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.doors.control import CustodyShown, SealShown, SealsShown, ServerStatus
from keystead.doors.control.lifecycle import SlotStatus
from keystead.kit.custody import Gauges, RootKey
from keystead.seals import Seals, plan_of
from keystead.seals.base import Created
from keystead.seals.shamir import ShamirConfiguration, ShamirSeal
from keystead.service.barrier import Commit
from keystead.service.bootstrap import first_token, record_of_seal
from keystead.service.custody import backup
from keystead.service.trusted_time import TrustedTime
from keystead.stores.lock import DirectoryLock
from keystead.version import VERSION

LOG = logging.getLogger("keystead")
NICE = 10
FOLD_EVERY, LOOK_EVERY, SCHEDULE_EVERY, SETTLE_EVERY, TELL_EVERY, OPEN_EVERY = 2.0, 0.2, 1.0, 60.0, 1.0, 10.0  # seconds
FETCH_EVERY = 2.0
WATCH_EVERY = 5.0  # seconds between two looks at the HSMs
HANGING_FOR = 5.0  # seconds that an audit device, or an HSM, may keep the server from ending
MAY_HANG = frozenset({"_tell_devices", "_fetch_lists", "_settle", "_open_again", "look"})
LOOKED_IN, SETTLED_IN = 2.0, 5.0  # seconds that are waited for a slot to be looked at, and for all to have erased
RENEWED_IN = 20.0  # for them to hold another secret: whoever asks hears that nobody knows whether they do
OPENED_IN, MADE_IN = 10.0, 60.0  # and for what a seal rests on: to open, and to make one


class Supervisor:
    """`on_ready` hears once, when every worker answers. Raises Unavailable where the directory is in use."""

    def __init__(
        self,
        directory: Path,
        settings: Config,
        seal: Seals,
        on_ready: Callable[[Running], None],
        *,
        trust_clock: bool = False,
        bound: Mapping[str, socket.socket] | None = None,
        pins: Mapping[str, Sensitive] | None = None,
    ) -> None:
        """`bound`: of a door, a socket that listens already. `pins`: of the HSMs; without them they are read here."""
        self._bound = bound or {}
        self._layout, self._settings, self._seal, self._on_ready = Layout(directory), settings, seal, on_ready
        self._layout.run.mkdir(mode=0o700, exist_ok=True)
        self._lock = DirectoryLock(directory)
        for left_behind in (self._layout.generation, self._layout.running):  # by a server that was killed
            left_behind.unlink(missing_ok=True)
        self._pins = read_pins(settings.hsms) if pins is None else dict(pins)
        index = settings.workers
        self.core = Core(directory, settings, journal="supervisor", worker=index, check=True, pins=self._pins)
        self.core.board.clear()
        self._seal = self._read_seal()  # what it is once a change that did not end has been settled
        self._changes = SealChanges(self, settings, self._read_seal)
        self._trouble, self._waiting = "", False  # why it does not open by itself; whether it is tried again
        self._custodian = Custodian(self, self.core.entropy, time.monotonic)
        self._watched = Watched(self._look_over, time.monotonic)
        self._time = TrustedTime(self.core.clock, self.core.disk, self._layout.clock, believe=trust_clock)
        self._chores: Chores | None = None
        self.owner = f"uid:{os.geteuid()}"
        self._started_at = self.core.clock.now()
        self._unseal_key: Sensitive | None = None
        self._watch = Watch(self.core.tokens)
        self._ask = Patience()
        self.core.slots.all.ask = lambda slot, look: self._ask(f"slot {slot}", look, LOOKED_IN)
        self._ended = threading.Event()
        self._pool = WorkerPool(self._custodian, lambda: self._unseal_key, self._ended)

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
        await asyncio.to_thread(self._open_at_start, offered)  # it may stay sealed, and `keystead unseal` opens it
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
                (OPEN_EVERY, self._open_again),
                (WATCH_EVERY, self._watch.look),
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
        while not self._ended.is_set() and (chores := self._chores) is not None and chores.fold():
            pass  # a server that is never idle makes more in a turn than one step takes

    def _tell_devices(self) -> None:
        if (chores := self._chores) is not None:
            chores.tell_devices()

    def _fetch_lists(self) -> None:
        if (chores := self._chores) is not None:
            chores.fetch_lists()

    def _settle(self) -> None:
        if (chores := self._chores) is not None:
            chores.settle()

    def _reach(self, hsm: str) -> None:
        if (chores := self._chores) is not None:
            chores.reach(hsm)

    def _keep_appointments(self) -> None:
        self._time.is_believed()
        if (chores := self._chores) is not None:
            chores.keep_appointments(self._time)

    def _close(self) -> None:
        self._layout.running.unlink(missing_ok=True)
        self._layout.control.unlink(missing_ok=True)
        with contextlib.suppress(KeysteadError):
            if self._chores is not None:
                self._chores.fold(everything=True)
        if self._chores is not None:
            self._chores.close()
        self._pool.close()
        self.core.close()
        self._lock.close()

    def _end_workers(self) -> None:
        with self._pool.changing:  # a change that has begun is done; it starts nobody any more
            self._pool.stop()

    def _look_after(self) -> None:
        self._pool.restart_ended(self.core.generation)

    # --- the keeper, as the custodian sees it

    @property
    def seal_kept(self) -> Seals:
        return self._seal

    @property
    def is_open(self) -> bool:
        return self._unseal_key is not None

    def open_with(self, unseal_key: Sensitive) -> None:
        self._open(unseal_key)

    def close_up(self) -> None:
        self._unseal_key = None
        chores, self._chores = self._chores, None
        if chores is not None:
            chores.close()
        self.core.seal()

    def change_seal(self, created: Created[ShamirConfiguration]) -> None:
        """Other shares, and another U; nobody has anything open under the old one but the worker that asks."""
        self._pool.stop_others()
        self._changes.rekey(created.unseal_key, created.configuration, ShamirSeal.kind, self._seal)

    def _read_seal(self) -> Seals:
        return read_seal(self._layout.directory, self._settings, self.core.tokens)

    def hold(self, unseal_key: Sensitive, seals: Seals) -> None:
        self._unseal_key, self._seal = unseal_key, seals

    def holds(self, unseal_key: Sensitive) -> bool:
        return self.core.barrier.is_under(unseal_key)

    def root_key(self) -> RootKey:
        barrier = self.core.barrier
        n_commits = barrier.head(self.core.store).n_commits
        return RootKey(term=barrier.epoch, since=slots.root_since(self.core), n_commits=n_commits)

    def gauges(self) -> Gauges:
        return self._watched()

    def _look_over(self) -> Gauges:
        chores = self._chores
        return gauges(self.status(), chores.devices_behind() if chores is not None else {})

    def make_root_token(self, text: Sensitive) -> None:
        core = self.core
        first_token(core.barrier, core.view.home(), core.clock.now(), core.entropy, text, "generate-root")
        core.generation.announce()

    # --- seal

    def status(self) -> ServerStatus:
        core, is_open = self.core, self._unseal_key is not None
        file, looks = core.slots.file, core.barrier.slots()
        custody = drill.standing(core, self._seal) if is_open else None
        return ServerStatus(
            sealed=not is_open,
            seal=self._seal.kind,
            seal_trouble=self._trouble,
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
            clock_trouble=self._time.trouble,
            entropy=entropy_status(core.entropy, core.board),
            entropy_required=core.entropy.is_required,
            n_keys=core.store.count(Kind.KEY) if is_open else None,
            epoch=core.barrier.epoch if is_open else None,
            n_in_hsms=core.store.count(Kind.ERASURE) if is_open else None,
            n_audit_records=self._chores.n_records if self._chores else None,
        )

    def unseal(self, offered: Sequence[Sensitive]) -> None:
        """Open with a passphrase or shares; with nothing where a seal opens by itself.

        What that rests on may hang: others can come with shares meanwhile. Raises Unauthenticated, why such a seal does
        not open, and what opening the barrier raises.
        """
        by_itself = None if offered or self.is_open else self._opened_by_itself()
        with self._pool.changing:
            if self._unseal_key is None:
                self._custodian.forget()
                self._open(by_itself or self._seal.open(offered))
                self._pool.stop()
                self._pool.start()

    def _opened_by_itself(self) -> Sensitive:
        return self._seal.open((), lambda kind, opened: self._ask(f"the {kind} seal", opened, OPENED_IN))

    def log_into_hsm(self, name: str, pin: Sensitive) -> None:
        """With another PIN, offered by this process before the others have it: they are started anew, one by one."""
        with self._pool.changing:
            self._ask(f"the HSM {name}", lambda: self.core.tokens.log_in(name, pin), OPENED_IN)
            self._pins[name] = pin
            self._pool.restart_each()
            self._waiting = not self.is_open and self._seal.opens_itself  # it may be what the seal rests on
        self._watch.look_at(name)

    def _open_at_start(self, offered: Sequence[Sensitive]) -> None:
        """What is offered opens it or nothing does; without, the server stays sealed, and `status` says why."""
        if not offered and not self._seal.opens_itself:
            return
        try:
            unseal_key = self._seal.open(offered) if offered else self._opened_by_itself()
        except KeysteadError as error:
            if offered or self._seal.kinds == ("file",):
                raise
            self._trouble, self._waiting = str(error), isinstance(error, Unavailable)
            LOG.error("it does not open by itself: %s", error)  # noqa: TRY400 - what is wrong is not here
            return
        self._open(unseal_key)
        self._record_opening()

    def _record_opening(self) -> None:
        """That nobody has asked for it over a socket: what is asked for there is on record as it is asked."""
        core, kind = self.core, self._seal.opened_by
        if kind != "file":  # a development server's, which is never shut
            core.barrier.commit(Commit(record=record_of_seal(core.barrier, core.clock.now(), "unseal", kind)))

    def _open_again(self) -> None:
        """Where what the seal rests on did not answer at the start."""
        if not self._waiting:
            return
        try:
            self.unseal(())
            self._record_opening()
        except KeysteadError as error:
            if not self.is_open:  # nobody has come with shares meanwhile
                self._trouble, self._waiting = str(error), isinstance(error, Unavailable)

    def _open(self, unseal_key: Sensitive) -> None:
        self.core.open(unseal_key, settle=False)
        with contextlib.suppress(Unavailable):  # it is tried again, and n_unerased tells
            self._ask("settling", self.core.barrier.settle, SETTLED_IN)
        if few := slots.too_few(self.core):
            LOG.warning(few)
        self._chores = Chores(self.core)
        self._unseal_key = unseal_key
        self._trouble, self._waiting = "", False

    def back_up(self, path: str) -> str:
        """A copy of the database at `path`, which must not exist yet; the slot generation that it opens with."""
        target = Path(path)
        if not target.is_absolute():
            raise InvalidArgument("give the backup an absolute path", "path")
        return backup(self.core.barrier, self.core.store, target)

    def rotate_slot(self) -> None:
        self._renew(self.core.barrier.rotate)

    def add_slot(self, name: str) -> None:
        self._renew(lambda: slots.add(self.core, name))

    def remove_slot(self, name: str, *, lost: bool) -> None:
        self._renew(lambda: slots.remove(self.core, name, lost=lost))

    def _renew(self, slots_by: Callable[[], object]) -> None:
        def renewed() -> None:
            slots_by()
            self.core.generation.announce()

        self._ask("a slot", renewed, RENEWED_IN)

    def seal(self) -> None:
        """Forget the unseal key, everywhere."""
        with self._pool.changing:
            if self._seal.kinds == ("file",):
                raise Unavailable("the file seal opens by itself: stop the server instead")
            self._custodian.forget()
            self.close_up()
            self._pool.stop()
            self._pool.start()

    def seals(self) -> SealsShown:
        shown = [
            SealShown(kind=seal.kind, told=seal.told(), opens_itself=seal.opens_itself, is_older=configuration.is_older)
            for seal, configuration in zip(self._seal.each, self._seal.kept.seals, strict=True)
        ]
        return SealsShown(seals=tuple(shown), warning=warning_of(self._seal))

    def add_seal(self, said: Mapping[str, object]) -> None:
        plan = plan_of(said)
        self._change_seals(lambda unseal_key: self._changes.prepare_added(plan, self._seal, unseal_key))

    def remove_seal(self, kind: str) -> None:
        self._change_seals(lambda _: self._changes.prepare_removed(kind, self._seal))

    def migrate_seal(self, said: Mapping[str, object], replaced: str) -> None:
        plan = plan_of(said)
        self._change_seals(lambda _: self._changes.prepare_migrated(plan, replaced, self._seal))

    def _change_seals(self, prepare: Callable[[Sensitive], Callable[[], None]]) -> None:
        """Every worker anew, with what is so then. Raises Sealed, and before anything changes what preparing raises."""
        with self._pool.changing:
            if self._unseal_key is None:
                raise Sealed("the seals are changed while it is open")
            unseal_key = self._unseal_key
            act = self._ask("what the seal is to rest on", lambda: prepare(unseal_key), MADE_IN)
            self._custodian.forget()
            self._pool.stop()
            try:
                act()
            finally:
                self._pool.start()

    # --- the custody drill

    def challenge(self) -> str:
        return drill.challenge(self.core, self._seal)

    def record_proof(self, proof: str) -> None:
        drill.record(self.core, self._seal, proof)

    def custody(self) -> CustodyShown:
        if (found := drill.standing(self.core, self._seal)) is None:
            raise Conflict(f"the {self._seal.kind} seal has no shares", "seal")
        return found
