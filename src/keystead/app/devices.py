"""Audit devices: files, sockets and syslog that follow the audit log, in Vault's form, for whoever ships logs.

Rule 1: the log is the truth. A device that takes nothing falls behind and catches up; no request waits for it, and one
        that hangs has a thread to hang in that nothing else is done by. Devices take turns, a page each, and one that
        nobody answers for is left alone for a while, so that it holds up no other.
Rule 2: the cursor of a device moves once what is before it is durable in its file, or through its socket (net.sinks).
        After a crash lines may be there twice, and none is missing. What waits, waits in the log, and not in memory.
Rule 3: a file is opened anew in every step, so one that was moved away is made anew: that is all there is to rotation.
Rule 4: only where the operator allows it (core.places), looked at each time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from json.encoder import encode_basestring_ascii as quote
from pathlib import Path

import msgspec
from msgspec import Struct

from keystead.app.devicefiles import DeviceFile
from keystead.app.layout import write_durably
from keystead.core.audit.record import PERFORMED, Record, parse
from keystead.core.entities import AuditDevice, DeviceType, Kind, Lineage, Namespace, Setting, Tenant, Topic
from keystead.core.errors import KeysteadError
from keystead.core.keyed import KeyedHash
from keystead.core.places import Places
from keystead.core.ports import Reader
from keystead.net import sinks
from keystead.service.barrier import Barrier
from keystead.service.held.spaces import chain_of
from keystead.service.log import Log

LOG = logging.getLogger("keystead")
PAGE, BACK = 500, 1024
AT_ONCE = {DeviceType.FILE: 4096, DeviceType.SOCKET: 1024, DeviceType.SYSLOG: 1024}
"""Records that a device is told in its turn: so many are told again where it fails."""
AGAIN_AFTER = 1.0, 60.0  # seconds, from and to, until one that could not be reached is tried again
CURSORS, DOOR = "cursors", "vault"
MOST_CHAINS = 100_000
MAKING = frozenset({"system write namespaces/{path:path}", "system delete namespaces/{path:path}"})
"""What is on record in the tenant that a namespace stands right below, with the namespace as what was made."""


class Following(Struct):
    """One device at work. `next`: the number of the first record that it has not been told."""

    tenant: str
    name: str
    device: AuditDevice
    cursor: Path
    sink: sinks.Sink
    next: int = -1
    is_failing: bool = False
    pause: float = 0.0  # seconds
    not_before: float = 0.0  # monotonic

    def failed(self, now: float) -> None:
        """A file is tried again in every step: it costs nothing."""
        self.is_failing = True
        if self.device.type is not DeviceType.FILE:
            least, most = AGAIN_AFTER
            self.pause = min(2 * self.pause or least, most)
            self.not_before = now + self.pause

    def went_well(self) -> None:
        self.is_failing, self.pause = False, 0.0


class Devices:
    """All of an installation's. `places`: where they may write."""

    def __init__(
        self,
        barrier: Barrier,
        store: Reader,
        log: Log,
        places: Places,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._barrier, self._store, self._log, self._places = barrier, store, log, places
        self._monotonic = monotonic
        self._own = Path(places.directories[0])
        self._seen_change = -1
        self._following: list[Following] = []
        self._chains: dict[str, Lineage] = {}
        self._above: dict[str, tuple[str, ...]] = {}

    def step(self) -> None:
        """Tell every device what it has not been told. What goes wrong with one is logged, and tried again."""
        self._catch_up()
        behind = [one for one in self._following if one.not_before <= self._monotonic()]
        while behind:
            behind = [one for one in behind if self._is_behind(one)]

    def behind(self) -> dict[str, int]:
        """By the name of a device, how many records it has not been told; of one that has not begun, all there are."""
        size = self._log.size()
        return {one.name: max(0, size - max(one.next, 0)) for one in self._following}

    def close(self) -> None:
        for one in self._following:
            one.sink.close()

    def _is_behind(self, one: Following) -> bool:
        """Tell it what it is told in a turn; whether there is more, and it takes it."""
        try:
            is_behind = self._tell(one)
        except (OSError, KeysteadError) as error:
            if not one.is_failing:
                LOG.warning("audit device %s cannot be written and falls behind: %s", one.name, error)
            one.failed(self._monotonic())
            return False
        one.went_well()
        return is_behind

    def _catch_up(self) -> None:
        newest, changed = self._store.changes(max(self._seen_change, 0))
        if self._seen_change < 0 or changed is None or any(kind is Kind.SETTING for kind, _ in changed):
            before = {one.cursor: one for one in self._following}
            settings, are_all = self._settings()
            found = [self._follow(one) for one in settings]
            self._following = [before.pop(one.cursor, one) for one in found]  # a salt is that of one device for good
            if are_all:
                for gone in before.values():
                    gone.sink.close()
                self._forget_cursors({one.cursor.name for one in self._following})
            else:  # whose setting is damaged nobody knows
                self._following += before.values()
        self._seen_change = newest

    def _forget_cursors(self, kept: set[str]) -> None:
        with suppress(FileNotFoundError):
            for path in (self._own / CURSORS).iterdir():
                if path.name not in kept:
                    path.unlink(missing_ok=True)

    def _settings(self) -> tuple[list[Setting], bool]:
        """Of the devices, those that are not damaged; and whether none of all settings is."""
        n_damaged = self._barrier.count(Setting)
        found = list[Setting]()
        for one in self._barrier.all_sound(Setting):
            n_damaged -= 1
            if one.topic is Topic.AUDIT_DEVICE:
                found.append(one)
        return found, n_damaged <= 0

    def _follow(self, setting: Setting) -> Following:
        device = msgspec.json.decode(setting.value, type=AuditDevice)
        cursor = self._own / CURSORS / sha256(device.salt.encode()).hexdigest()[:32]
        return Following(setting.tenant, setting.name, device, cursor, _sink(device, self._places))

    def _tell(self, one: Following) -> bool:
        """A page; whether it was a full one. Raises OSError."""
        if one.next < 0:
            one.next = self._begin(one)
        at_once = AT_ONCE[one.device.type]
        if not (records := self._log.read(one.next, at_once)):
            return False
        if lines := self._lines(one, records):
            one.sink.send(lines)
        one.next += len(records)
        write_durably(one.cursor, b"%d" % one.next)
        return len(records) == at_once

    def _lines(self, one: Following, records: list[bytes]) -> list[bytes]:
        from keystead.doors.vault.auditlog import shaped  # noqa: PLC0415 - with its whole door: for those who have devices

        digest, prefix = KeyedHash(bytes.fromhex(one.device.salt)), one.device.prefix.encode()
        texts = (
            shaped(
                record,
                lambda text: f"hmac-sha256:{digest(text.encode()).hex()}",
                plain_accessors=one.device.plain_accessors,
                chain=self._chain(record.tenant),
                gone=self._is_gone(record.tenant),
            )
            for record in map(parse, records)
            if self._is_of(one.tenant, record)
        )
        return [prefix + line for text in texts for line in text.splitlines(keepends=True)]

    def _chain(self, tenant: str) -> Lineage:
        """The namespaces that lead to it; they never change, and of one that has ended records may be left to tell."""
        if not tenant:
            return ()
        if (found := self._chains.get(tenant)) is None:
            if len(self._chains) >= MOST_CHAINS:
                self._chains.clear()
            found = self._chains[tenant] = chain_of(self._barrier.get, tenant)
        return found

    def _is_of(self, tenant: str, record: Record) -> bool:
        """Of the tenant, of a namespace below it, or of somebody at the Vault door whom nobody knows."""
        if not record.tenant:
            return record.door == DOOR
        return record.tenant == tenant or tenant in self._those_above(record.tenant)

    def _is_gone(self, tenant: str) -> bool:
        """Whether it was a namespace of which nothing is left to tell but what was done in it."""
        return not self._chain(tenant) and bool(self._those_above(tenant))

    def _those_above(self, tenant: str) -> tuple[str, ...]:
        """As the store has it; of one that is gone, as the log has it: it may be behind what the store has come to."""
        if (found := self._above.get(tenant)) is None:
            if len(self._above) >= MOST_CHAINS:
                self._above.clear()
            above, at = [], tenant
            while at := self._one_above(at):
                above.append(at)
            found = self._above[tenant] = tuple(above)
        return found

    def _one_above(self, tenant: str) -> str:
        if (space := self._barrier.get(Namespace, tenant)) is not None:
            return space.above
        if self._barrier.get(Tenant, tenant) is not None:
            return ""
        made = f'"made":"{tenant}"'.encode()
        for line in self._backwards():
            if made in line and (told := parse(line)).outcome == PERFORMED and told.operation in MAKING:
                return told.tenant
        return ""

    def _backwards(self) -> Iterator[bytes]:
        """All of the log, the newest first."""
        end = self._log.size()
        while end > 0:
            first = max(0, end - BACK)
            yield from reversed(self._log.read(first, end - first))
            end = first

    def _begin(self, one: Following) -> int:
        """Where it was; of a device that is new, behind the record that tells of its being enabled."""
        end = self._log.size()
        try:
            if (kept := int(one.cursor.read_bytes())) <= end:  # not of a log that was put back behind it
                return kept
        except (FileNotFoundError, ValueError):
            one.cursor.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = b'"made":' + quote(f"{Topic.AUDIT_DEVICE}/{one.name}").encode()
        while end > 0:
            first = max(0, end - BACK)
            records = self._log.read(first, end - first)
            for n in range(len(records) - 1, -1, -1):
                if made in records[n] and parse(records[n]).outcome == PERFORMED:
                    return first + n
            end = first
        return 0


class _Nowhere:
    """What the operator does not allow, or allows no more."""

    def send(self, lines: Sequence[bytes]) -> None:  # noqa: ARG002 - of a Sink
        raise PermissionError("the operator allows no audit device there")

    def close(self) -> None:
        """There is nothing."""


def _sink(device: AuditDevice, places: Places) -> sinks.Sink:
    match device.type:
        case DeviceType.FILE:
            return DeviceFile(device.path, device.mode, places.directories)
        case DeviceType.SOCKET if device.path in places.sockets:
            return sinks.sink(device.path, device.patience)
        case DeviceType.SYSLOG if places.agent is not None:
            return sinks.agent(places.agent, device.patience, device.priority, device.tag)
    return _Nowhere()
