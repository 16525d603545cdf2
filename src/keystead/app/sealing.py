"""What opens an installation, as its supervisor holds it: seals and slots, whether it is open, and what changes that.

Sealing forgets the unseal key and starts every worker anew without it, so no memory of theirs survives a seal. Whoever
hears that it is sealed, or open, finds everything as the answer says (app.pool).
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from keystead.app import drill, slots
from keystead.app.chores import Chores
from keystead.app.compose import Core
from keystead.app.custodian import Custodian
from keystead.app.gauges import Watched
from keystead.app.installation import read_seal
from keystead.app.patience import Patience
from keystead.app.pool import WorkerPool
from keystead.app.seals import SealChanges, warning_of
from keystead.config import Config
from keystead.core.errors import Conflict, KeysteadError, Sealed, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.doors.control import CustodyShown, SealShown, SealsShown
from keystead.kit.custody import Gauges, RootKey
from keystead.seals import Seals, plan_of
from keystead.seals.base import Created
from keystead.seals.shamir import ShamirConfiguration, ShamirSeal
from keystead.service.barrier import Commit
from keystead.service.bootstrap import first_token, record_of_seal

LOG = logging.getLogger("keystead")
SETTLED_IN = 5.0  # seconds that are waited for all slots to have erased
RENEWED_IN = 20.0  # for them to hold another secret: whoever asks hears that nobody knows whether they do
OPENED_IN, MADE_IN = 10.0, 60.0  # and for what a seal rests on: to open, and to make one


class Sealing:
    """doors.control.Sealing for people, app.trials.Keeper for whoever comes by a door, app.seals.Holder for changes.

    `pool`: the workers, which are started with what opens it, while not `ended`. `ask`: devices, which may hang.
    `chores`: what is done while it is open. `gauges` tells how the server stands then.
    """

    def __init__(
        self,
        core: Core,
        settings: Config,
        ask: Patience,
        ended: threading.Event,
        gauges: Callable[[Chores | None], Gauges],
    ) -> None:
        self.core, self._settings, self._ask = core, settings, ask
        self._seals = self._read()  # what they are once a change that did not end has been settled
        self._changes = SealChanges(self, settings, self._read)
        self.trouble = ""
        """Why it does not open by itself, or would not any more."""
        self._waiting = False  # whether it is tried again
        self._unseal_key: Sensitive | None = None
        self.chores: Chores | None = None
        self._gauges = Watched(lambda: gauges(self.chores), time.monotonic)
        self._custodian = Custodian(self, core.entropy, time.monotonic)
        self.pool = WorkerPool(self._custodian, lambda: self._unseal_key, ended)

    def _read(self) -> Seals:
        return read_seal(self.core.layout.directory, self._settings, self.core.tokens)

    # --- opening

    @property
    def is_open(self) -> bool:
        return self._unseal_key is not None

    def open_at_start(self, offered: Sequence[Sensitive]) -> None:
        """What is offered opens it or nothing does; without, the server stays sealed, and `status` says why."""
        if not offered and not self._seals.opens_itself:
            return
        try:
            unseal_key = self._seals.open(offered) if offered else self._opened_by_itself()
        except KeysteadError as error:
            if offered or self._seals.kinds == ("file",):
                raise
            self.trouble, self._waiting = str(error), isinstance(error, Unavailable)
            LOG.error("it does not open by itself: %s", error)  # noqa: TRY400 - what is wrong is not here
            return
        self.open_with(unseal_key)
        self._record_opening()

    def open_again(self) -> None:
        """Where what the seal rests on did not answer at the start."""
        if not self._waiting:
            return
        try:
            self.unseal(())
            self._record_opening()
        except KeysteadError as error:
            if not self.is_open:  # nobody has come with shares meanwhile
                self.trouble, self._waiting = str(error), isinstance(error, Unavailable)

    def look_at_seals(self) -> None:
        """While it is open: whether those that rest on a device would open it again."""
        seals = self._seals
        if not self.is_open:
            return
        ask = self._ask
        said = seals.trouble(self.holds, lambda kind, opened: ask(f"the {kind} seal", opened, OPENED_IN))
        if seals is self._seals and self._unseal_key is not None:  # nobody has changed or sealed it meanwhile
            if said and not self.trouble:
                LOG.error("it would not open by itself any more: %s", said)
            self.trouble = said

    def try_again(self) -> None:
        """What a seal rests on may answer now."""
        self._waiting = not self.is_open and self._seals.opens_itself

    def _record_opening(self) -> None:
        """That nobody has asked for it over a socket: what is asked for there is on record as it is asked."""
        core, kind = self.core, self._seals.opened_by
        if kind != "file":  # a development server's, which is never shut
            core.barrier.commit(Commit(record=record_of_seal(core.barrier, core.clock.now(), "unseal", kind)))

    def unseal(self, offered: Sequence[Sensitive]) -> None:
        """Open with a passphrase or shares; with nothing where a seal opens by itself.

        What that rests on may hang: others can come with shares meanwhile. Raises Unauthenticated, why such a seal does
        not open, and what opening the barrier raises.
        """
        by_itself = None if offered or self.is_open else self._opened_by_itself()
        with self.pool.changing:
            if self._unseal_key is None:
                self._custodian.forget()
                self.open_with(by_itself or self._seals.open(offered))
                self.pool.stop()
                self.pool.start()

    def _opened_by_itself(self) -> Sensitive:
        return self._seals.open((), lambda kind, opened: self._ask(f"the {kind} seal", opened, OPENED_IN))

    def open_with(self, unseal_key: Sensitive) -> None:
        self.core.open(unseal_key, settle=False)
        with contextlib.suppress(Unavailable):  # it is tried again, and n_unerased tells
            self._ask("settling", self.core.barrier.settle, SETTLED_IN)
        if few := slots.too_few(self.core):
            LOG.warning(few)
        self.chores = Chores(self.core)
        self._unseal_key = unseal_key
        self.trouble, self._waiting = "", False

    # --- closing

    def seal(self) -> None:
        """Forget the unseal key, everywhere."""
        with self.pool.changing:
            if self._seals.kinds == ("file",):
                raise Unavailable("the file seal opens by itself: stop the server instead")
            self._custodian.forget()
            self.close_up()
            self.pool.stop()
            self.pool.start()

    def close_up(self) -> None:
        self._unseal_key = None
        chores, self.chores = self.chores, None
        if chores is not None:
            chores.close()
        self.core.seal()

    # --- the seals

    @property
    def kind(self) -> str:
        return self._seals.kind

    def seals(self) -> SealsShown:
        shown = [
            SealShown(kind=seal.kind, told=seal.told(), opens_itself=seal.opens_itself, is_older=configuration.is_older)
            for seal, configuration in zip(self._seals.each, self._seals.kept.seals, strict=True)
        ]
        return SealsShown(seals=tuple(shown), warning=warning_of(self._seals))

    def add_seal(self, said: Mapping[str, object]) -> None:
        plan = plan_of(said)
        self._change(lambda unseal_key: self._changes.prepare_added(plan, self._seals, unseal_key))

    def remove_seal(self, kind: str) -> None:
        self._change(lambda _: self._changes.prepare_removed(kind, self._seals))

    def migrate_seal(self, said: Mapping[str, object], replaced: str) -> None:
        plan = plan_of(said)
        self._change(lambda _: self._changes.prepare_migrated(plan, replaced, self._seals))

    def _change(self, prepare: Callable[[Sensitive], Callable[[], None]]) -> None:
        """Every worker anew, with what is so then. Raises Sealed, and before anything changes what preparing raises."""
        with self.pool.changing:
            if self._unseal_key is None:
                raise Sealed("the seals are changed while it is open")
            unseal_key = self._unseal_key
            act = self._ask("what the seal is to rest on", lambda: prepare(unseal_key), MADE_IN)
            self._custodian.forget()
            self.pool.stop()
            try:
                act()
            finally:
                self.pool.start()

    def hold(self, unseal_key: Sensitive, seals: Seals) -> None:
        self._unseal_key, self._seals, self.trouble = unseal_key, seals, ""

    # --- the slots

    def rotate_slot(self) -> None:
        self._renew(self.core.barrier.rotate)

    def add_slot(self, name: str) -> None:
        self._renew(lambda: slots.add(self.core, name))

    def remove_slot(self, name: str, *, lost: bool) -> None:
        self._renew(lambda: slots.remove(self.core, name, lost=lost))

    def _renew(self, slots_by: Callable[[], object]) -> None:
        """Raises Unavailable too where a slot does not answer in time."""

        def renewed() -> None:
            slots_by()
            self.core.generation.announce()

        self._ask("a slot", renewed, RENEWED_IN)

    # --- the custody drill

    def challenge(self) -> str:
        return drill.challenge(self.core, self._seals)

    def record_proof(self, proof: str) -> None:
        drill.record(self.core, self._seals, proof)

    def custody(self) -> CustodyShown:
        if (found := self.custody_of_shares()) is None:
            raise Conflict(f"the {self._seals.kind} seal has no shares", "seal")
        return found

    def custody_of_shares(self) -> CustodyShown | None:
        """Of an open installation; None where no shares open it."""
        return drill.standing(self.core, self._seals)

    # --- as the custodian sees it

    @property
    def seal_kept(self) -> Seals:
        return self._seals

    def change_seal(self, created: Created[ShamirConfiguration]) -> None:
        """Other shares, and another U; nobody has anything open under the old one but the worker that asks."""
        self.pool.stop_others()
        self._changes.rekey(created.unseal_key, created.configuration, ShamirSeal.kind, self._seals)

    def holds(self, unseal_key: Sensitive) -> bool:
        return self.core.barrier.is_under(unseal_key)

    def root_key(self) -> RootKey:
        barrier = self.core.barrier
        n_commits = barrier.head(self.core.store).n_commits
        return RootKey(term=barrier.epoch, since=slots.root_since(self.core), n_commits=n_commits)

    def gauges(self) -> Gauges:
        return self._gauges()

    def make_root_token(self, text: Sensitive) -> None:
        core = self.core
        first_token(core.barrier, core.view.home(), core.clock.now(), core.entropy, text, "generate-root")
        core.generation.announce()
