"""The composition root: from a data directory and its configuration to a service. The one place that names adapters."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from keystead.app.clock import SystemClock
from keystead.app.entropy import Board, mixed, record
from keystead.app.hardware import surroundings
from keystead.app.hsmkeys import keys_in_hsms
from keystead.app.hsms import Tokens
from keystead.app.layout import Layout
from keystead.app.outside import key_stores
from keystead.app.refusals import Refusals
from keystead.app.resealing import settle
from keystead.app.slots import SlotsOf
from keystead.app.treecopy import TreeCopy
from keystead.app.vouching import Outsiders
from keystead.config import Config
from keystead.core.cutoffs import Cutoffs
from keystead.core.errors import KeysteadError, NotFound, Unavailable
from keystead.core.ports import Stale
from keystead.core.sensitive import Sensitive
from keystead.crypto import selftest
from keystead.entropy.hardware import Hardware
from keystead.kit import Front, Markers, Means, RequestIds
from keystead.kit.custody import Custody
from keystead.kit.door import Door, Shares
from keystead.providers.software import SoftwareProvider
from keystead.seals import load
from keystead.seals.shamir import ShamirSeal
from keystead.service.anchors import Anchors
from keystead.service.authenticate import Authenticator
from keystead.service.authorize import Authorizer
from keystead.service.barrier import Barrier
from keystead.service.chained import Chained
from keystead.service.credentials import keyed
from keystead.service.credentials.session import Sessions
from keystead.service.handlers import HANDLERS
from keystead.service.journal import Journal
from keystead.service.meter import Meter
from keystead.service.pipeline import Service
from keystead.service.progress import load_state
from keystead.service.rates import Rates, Throttle
from keystead.service.recording import Recording
from keystead.service.signing import journal_key
from keystead.service.view import View
from keystead.stores.disk import LocalDisk
from keystead.stores.generation import SharedGeneration
from keystead.stores.sqlite import SqliteStore
from keystead.stores.usage import SharedUsage

LOG = logging.getLogger("keystead")


class Core:
    """One process' share of an installation. Sealed until `open`; every answer before that is Sealed.

    `journal`: the name its audit journal begins with. `worker`: its slot in the shared generation.
    `check`: whoever holds the directory's lock examines the database file first, and settles what a change of the
    seal has left behind (once per installation, not in every worker). `custody`: who answers for the seal.
    `pins`: of the HSMs, where they have been read already.
    Raises NotFound where there is no database, and what the store and the known-answer tests raise.
    """

    def __init__(
        self,
        directory: Path,
        settings: Config,
        *,
        journal: str,
        worker: int,
        check: bool = False,
        custody: Custody | None = None,
        pins: Mapping[str, Sensitive] | None = None,
    ) -> None:
        selftest.run()
        layout = Layout(directory)
        if not layout.database.exists():
            raise NotFound(f"{layout.database} is lost; `keystead restore BACKUP` makes one of a backup", "data")
        self.places = layout.devices(settings)
        self.layout, self.clock, self.disk = layout, SystemClock(), LocalDisk()
        self.store = SqliteStore(layout.database, check_for=0.5 if check else 0.0)
        if check:
            settle(layout, self.store)
        self._custody = custody
        refusals = Refusals(layout.pins)
        if check:
            refusals.clear()
        self.tokens = Tokens(settings.hsms, pins, refusals)
        self.board = Board(layout, journal)
        self.entropy = mixed(settings, self.tokens, self._source_changed)
        self.slots = SlotsOf(layout, settings, self.tokens, self.entropy)
        copy = TreeCopy(layout.tree_copy(settings), self.store)
        self.barrier = copy.of(Barrier(self.store, self.slots.all, self.entropy, copy, clock=self.clock))
        self.generation = SharedGeneration(layout.generation, worker)
        self.journal = Journal(self.disk, layout.audit / "journal", journal, entropy=os.urandom)
        self._is_holder = check
        self._uses = SharedUsage(layout.usage, anew=check)
        self.meter = Meter(self.barrier, self._uses)
        provider = SoftwareProvider(os.urandom, self.entropy)  # salts of the use path are the kernel's
        self._outside = outside = key_stores(settings.xks, self.clock)
        self.hsms = keys_in_hsms(layout, settings, self.tokens, self.disk, self.clock, self.entropy, self.meter)
        self.view = View(self.barrier, self.store, provider, self.generation, outside, self.hsms, self.meter)
        authorizer = Authorizer(self.view.may_block)
        self.view.on_drop(authorizer.forget)
        self._recording = Recording()
        self.anchors = Anchors(self.barrier, self.store, self.generation.current)
        self.service = Service(
            view=self.view,
            barrier=self.barrier,
            authorizer=authorizer,
            recorder=self._recording,
            journal=self.journal,
            handlers=HANDLERS,
            provider=provider,
            entropy=self.entropy,
            announce=self.generation.announce,
            cutoffs=Cutoffs(settings.algorithms),
            quotas=settings.quotas,
            outside=outside,
            places=self.places,
            meter=self.meter,
            hsms=self.hsms,
        )
        self._throttle = Throttle(settings.rates, self.view.on_loop) if settings.rates != Rates() else None
        self.outsiders = Outsiders(settings, self.view, self.clock)
        self._shares = _shares(layout, settings)
        self.means = self._means(None)

    def open(self, unseal_key: Sensitive, *, settle: bool = True) -> None:
        """`settle`: and erase what an interrupted destruction left in the slots, whatever time they take for it.

        Raises Unauthenticated (wrong key), Conflict (rolled back or erased, or the audit log's state is not ours).
        """
        self.barrier.open(unseal_key, settle=settle, first=self._key_journal)
        self._recording.digest_under(self.barrier.subkey("context-digest"))
        self.means = self._means(self.barrier)

    def _key_journal(self) -> None:
        """So no record of what is done with it open is in a frame that is not (service.journal, Rule 4)."""
        key, of_before = journal_key(self.barrier), Chained(self.barrier, self.store).chain() is None
        self.journal.key_under(key, lambda: load_state(self.disk, self.layout.audit, key, of_before=of_before).size)

    def _settle_uses(self) -> None:
        """The exact number of them into the store, once for all workers; else what is reserved counts as used."""
        if self._is_holder and self.barrier.is_open:
            try:
                self.meter.settle()
            except (KeysteadError, Stale) as error:
                LOG.warning("what limited keys have left is told too low from here on: %s", error)

    def seal(self) -> None:
        self._settle_uses()
        self.barrier.close()
        self.view.forget()
        self._recording.digest_under(None)
        self.means = self._means(None)

    def _means(self, barrier: Barrier | None) -> Means:
        """What doors are opened with. Sealed, they get keys that nothing was ever made with."""
        subkey = barrier.subkey if barrier else lambda _label: Sensitive(os.urandom(32))
        return Means(
            service=self.service,
            authenticator=Authenticator(
                self.view,
                Sessions(subkey("session-token"), self.entropy),
                self.entropy,
                self._throttle,
                web_identities=self.outsiders.web_identities,
                vouchers=self.outsiders.vouchers,
            ),
            markers=Markers(keyed(subkey("marker"))),
            request_ids=RequestIds(os.urandom),
            mounts=self.view,
            shares=self._shares,
            custody=self._custody,
        )

    def _source_changed(self, source: Hardware) -> None:
        """On whatever thread has noticed."""
        with suppress(OSError):
            self.board.put(source)
        with suppress(Unavailable):
            record(self.service, self.clock, self.means.request_ids(), source)
            self.journal.flush()

    def front(self, door: Door) -> Front:
        return door.open(self.means)

    def close(self) -> None:
        self._settle_uses()
        self.entropy.close()
        self.barrier.close()
        self._outside.close()
        self.outsiders.close()
        self.tokens.close()
        self.journal.close()
        self.generation.close()
        self._uses.close()
        self.store.close()


def _shares(layout: Layout, settings: Config) -> Shares:
    """Of the seal: its kind, how many shares there are, and how many open it; one of one where it is not split."""
    seals = load(layout.seal.read_bytes(), surroundings(layout.directory, settings)) if layout.seal.exists() else None
    if seals is None or (shared := seals.shared) is None:
        return Shares(seals.kind if seals else ShamirSeal.kind, 1, 1)
    return Shares(shared.kind, shared.n_shares, shared.threshold)
