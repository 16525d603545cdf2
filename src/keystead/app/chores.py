"""What is done once per installation while it is open: folding the audit log, keeping appointments, last uses.

Rule: each is for a thread of its own, and none waits for another. What an HSM is asked for (`reach`, for each HSM;
      `settle`, for slots) may hang: rotations, the ends of leases and the audit log go on meanwhile.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from keystead.app.compose import Core
from keystead.app.devices import Devices
from keystead.core.actions import USES
from keystead.core.audit.merkle import leaf_hash
from keystead.core.audit.record import parse
from keystead.core.caller import SYSTEM_DOOR, Stranger
from keystead.core.entities import Credential, Entity, Key, LastUse
from keystead.core.errors import Conflict
from keystead.core.operations import (
    NOT_AUTHENTIC,
    NOT_SIGNED,
    EndApproval,
    EraseObject,
    KeyOperation,
    TenantOperation,
    TraceKeys,
)
from keystead.core.ports import HSM, Stale
from keystead.crypto.notes import verify_ed25519
from keystead.service.barrier import Commit
from keystead.service.bootstrap import system_principal
from keystead.service.chained import Chained
from keystead.service.endings import Endings
from keystead.service.erasures import Erasures
from keystead.service.expiry import Expiry
from keystead.service.fetching import Fetching
from keystead.service.lapses import Lapses
from keystead.service.log import Log
from keystead.service.scheduler import NAMESPACE, Scheduler
from keystead.service.sequencer import Sequencer
from keystead.service.signing import journal_key, signer
from keystead.service.tracing import Tracing
from keystead.service.trusted_time import TrustedTime

Use = tuple[str, tuple[int, bytes]]
LOG = logging.getLogger("keystead")
USES_A_COMMIT = 200
USES_EVERY = 5.0  # seconds between two writings of last uses
# A record of a use that was performed names the version that was used.
_TARGETS, _FIRST = b',"targets":[', b'[{"action":'
_USED = re.compile(rb'"action":"(?:%b)","key":"([0-9a-f-]{36})","version":' % "|".join(sorted(USES)).encode())
# So ends a record of what did not verify, and no other: what anybody else has written stands before it.
_FAILED = tuple(b'"outcome":"performed","why":"%b"}' % why.encode() for why in (NOT_SIGNED, NOT_AUTHENTIC))
# Of an authenticated request: whose it was stands before it. What a stranger claims is the first member there is.
_BY, _ID_BYTES = b',"via":"AKIA', 20


class Chores:
    """Of an open core. One per installation: the sequencer's lock sees to it."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._system = system_principal(core.barrier)
        self._sequencer = Sequencer(
            core.disk,
            core.layout.audit,
            core.store,
            Chained(core.barrier, core.store),
            journal_key(core.barrier),
            signer(core.barrier),
            verify_ed25519,
            clock=core.clock,
            on_records=self._note_uses,
        )
        self._scheduler = Scheduler(core.barrier, core.store, core.clock, self._perform)
        self._expiry = Expiry(core.barrier, core.store, core.clock, self._perform)
        log = Log(core.disk, core.layout.audit)
        self._devices = Devices(core.barrier, core.store, log, core.places)
        self._lapses = Lapses(core.barrier, core.clock, self._perform)
        self._endings = Endings(core.barrier, core.store, self._perform)
        self._fetching = Fetching(core.barrier, core.store, core.clock, core.outsiders.fetch_list, self._perform)
        self._erasures = Erasures(core.barrier, core.store, core.hsms, core.clock, self._perform)
        self._tracing = Tracing(core.barrier, self._perform)
        self._uses: dict[str, tuple[int, bytes]] = {}  # id of a key or access key -> newest record of a use, its index
        self._uses_written_at = time.monotonic()
        self._folding, self._turn, self._settling = threading.Lock(), threading.Lock(), threading.Lock()
        self._told: set[str] = set()  # damaged journals
        self._closed = False

    # --- the audit log

    @property
    def n_records(self) -> int:
        return self._sequencer.size

    @property
    def journals_damaged(self) -> tuple[str, ...]:
        return tuple(sorted(self._sequencer.damaged))

    def fold(self, *, everything: bool = False) -> bool:
        """Fold what there is into the log, one step's worth unless `everything`; last uses with it, less often.

        A step takes in what has gathered since the one before: the seldomer, the cheaper for each record.
        True: the step was a full one, and the log is behind.
        """
        with self._folding:
            while not self._closed and self._sequencer.step() and everything:
                pass
            if not self._closed:
                self._tell_damaged()
            if not self._closed and self._uses and time.monotonic() - self._uses_written_at > USES_EVERY:
                self._write_uses()
            return self._sequencer.is_behind

    def _tell_damaged(self) -> None:
        """On record too, which nobody takes away: once in each run."""
        means, core = self._core.means, self._core
        for name in sorted(self._sequencer.damaged - self._told):
            LOG.error("journal %s is damaged: not all of it is in the audit log", name)
            who = Stranger(
                claims=name,
                door=SYSTEM_DOOR,
                wire_operation="FoldJournal",
                request_id=means.request_ids(),
                source="",
                now=core.clock.now(),
            )
            means.service.turn_away(who, Conflict("not all of the journal is in the log", "damaged"))
            self._told.add(name)
            core.journal.flush()

    def tell_devices(self) -> None:
        """What is in the log, to those that follow it. In nobody's way: a device may hang, and then only this does."""
        if not self._closed:
            self._devices.step()

    def devices_behind(self) -> dict[str, int]:
        """Of each audit device, how many records of the log it has not been told."""
        return self._devices.behind()

    def fetch_lists(self) -> None:
        """Lists of revoked certificates. In nobody's way: other machines are waited for."""
        if not self._closed:
            self._fetching.step()

    def _note_uses(self, first: int, records: list[bytes]) -> None:
        for key_id, n in (keys_used(records) | access_keys_used(records)).items():
            self._uses[key_id] = (first + n, records[n])

    def _write_uses(self) -> None:
        uses, self._uses = self._uses, {}
        self._uses_written_at = time.monotonic()
        for batch in _batches(uses.items()):
            found = [use for key_id, (index, line) in batch if (use := self._use(key_id, index, line))]
            try:
                self._core.barrier.commit(
                    Commit(put=tuple(use for use, _ in found), seen=tuple(whose for _, whose in found))
                )
            except Stale:  # a key was destroyed meanwhile: the others are written the next time
                self._uses = dict(batch) | self._uses

    def _use(self, id_: str, index: int, line: bytes) -> tuple[LastUse, Entity] | None:
        """And of what: of that which is gone meanwhile nothing is kept. None: it is gone."""
        barrier = self._core.barrier
        whose = barrier.get(Credential, id_) if id_.startswith("AKIA") else barrier.get(Key, id_)
        if whose is None:
            return None
        before, record = barrier.get(LastUse, id_), parse(line)
        use = LastUse(
            id=id_,
            revision=before.revision if before else 0,
            operation=record.operation,
            at=record.at,
            request_id=record.request_id,
            index=index,
            namespace=record.namespace,
            leaf=leaf_hash(line),
        )
        return use, whose

    # --- appointments

    def keep_appointments(self, time: TrustedTime) -> bool:
        """Do what has come due, if the clock can be believed; whether it can."""
        with self._turn:
            seen = time.look()
            if not self._closed:
                self._scheduler.step(seen)
                self._pay(time)
                if seen.believed:
                    self._expiry.step()
                    self._lapses.step()
                self._endings.step()
                self._tracing.step()
                self._erasures.step(but=self._core.hsms.names)  # nobody is asked, and it is told
        return seen.believed

    def reach(self, hsm: str) -> None:
        """Do there what is due there: rotations, and what is to be erased. It takes as long as the HSM does."""
        if not self._closed:
            self._scheduler.apart(f"{HSM}{hsm}")
            self._erasures.step(hsm)

    def look_ahead(self, time: TrustedTime) -> None:
        """Do nothing but see what has been appointed: by what clock, only who looks at once can know."""
        with self._turn:
            if not self._closed:
                self._scheduler.look(time.look())
                self._pay(time)

    def _pay(self, time: TrustedTime) -> None:
        if self._scheduler.settled:
            time.paid()

    def settle(self) -> None:
        """Erase what a destruction could not erase at the time. Raises Unavailable; status tells what is left."""
        with self._settling:
            if not self._closed:
                self._core.barrier.settle()

    def _perform(self, op: KeyOperation[Any] | TenantOperation[Any] | EndApproval | EraseObject | TraceKeys) -> object:
        caller = self._core.means.authenticator.itself(
            self._system,
            namespace=op.key.namespace if isinstance(op, KeyOperation) else NAMESPACE,
            door=SYSTEM_DOOR,
            operation=type(op).__name__,
            request_id=self._core.means.request_ids(),
            now=self._core.clock.now(),
        )
        try:
            return self._core.service.perform(caller, op)
        finally:
            self._core.journal.flush()

    def close(self) -> None:
        with self._turn, self._folding:
            self._closed = True
            self._sequencer.close()
            self._devices.close()


def keys_used(records: list[bytes]) -> dict[str, int]:
    """Which keys the acts on record did cryptography with -> the newest of the records that says so.

    KMS API Reference, GetKeyLastUsage: "the last successful cryptographic operation".
    """
    newest = _targets(records, b"[")
    if not all(targets.startswith(_FIRST) for targets in newest if targets):  # somebody has a bracket in their name
        newest = _targets(records, _TARGETS)
    used: dict[str, int] = {}
    for targets, n in newest.items():  # as many as there are keys, not records
        for key_id in _USED.findall(targets):
            used[key_id.decode()] = max(n, used.get(key_id.decode(), n))
    return used


def _targets(records: list[bytes], begin: bytes) -> dict[bytes, int]:
    """What stands between `begin` and the bracket after it, of records of what succeeded -> the newest of them."""
    return {
        record[(at := record.find(begin)) : record.find(b"]", at)]: n
        for n, record in enumerate(records)
        if not record.endswith(_FAILED)
    }


def access_keys_used(records: list[bytes]) -> dict[str, int]:
    """Which access keys requests were signed with -> the newest of the records that says so, of a refusal too."""
    newest: dict[bytes, int] = {}
    for n, record in enumerate(records):
        if (at := record.find(_BY)) > 0:
            newest[record[at + 8 : at + 8 + _ID_BYTES]] = n
    return {id_.decode(): n for id_, n in newest.items()}


def _batches(items: Iterable[Use]) -> Iterator[list[Use]]:
    rest = iter(items)
    while batch := list(islice(rest, USES_A_COMMIT)):
        yield batch
