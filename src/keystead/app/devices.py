"""Audit devices: files that follow the audit log, in Vault's form, for whoever ships logs.

Rule 1: the log is the truth. A device that cannot be written falls behind and catches up; no request waits for it, and
        one that hangs has a thread of its own to hang in.
Rule 2: the cursor of a device moves once what is before it is durable in its file. After a crash lines may be there
        twice, and none is missing.
Rule 3: a file is opened anew in every step, so one that was moved away is made anew: that is all there is to rotation.
Rule 4: only in directories that the operator allows, never through a symbolic link, and never a file of somebody else.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from json.encoder import encode_basestring_ascii as quote
from pathlib import Path

import msgspec
from msgspec import Struct

from keystead.app.layout import write_durably
from keystead.core.audit.record import PERFORMED, Record, parse
from keystead.core.entities import AuditDevice, Kind, Lineage, Namespace, Setting, Tenant, Topic
from keystead.core.errors import KeysteadError
from keystead.core.keyed import KeyedHash
from keystead.core.ports import Reader
from keystead.doors.vault.auditlog import DOOR, shaped
from keystead.service.barrier import Barrier
from keystead.service.held.spaces import chain_of
from keystead.service.log import Log

LOG = logging.getLogger("keystead")
PAGE, BACK = 500, 1024
AT_ONCE = 4096  # records a step and device
CURSORS = "cursors"
MOST_CHAINS = 100_000
MAKING = frozenset({"system write namespaces/{path:path}", "system delete namespaces/{path:path}"})
"""What is on record in the tenant that a namespace stands right below, with the namespace as what was made."""


class Following(Struct):
    """One device at work. `next`: the number of the first record that is not in its file."""

    tenant: str
    name: str
    device: AuditDevice
    cursor: Path
    next: int = -1
    is_failing: bool = False


class Devices:
    """All of an installation's. `directories`: where they may write."""

    def __init__(self, barrier: Barrier, store: Reader, log: Log, directories: tuple[str, ...]) -> None:
        self._barrier, self._store, self._log, self._directories = barrier, store, log, directories
        self._own = Path(directories[0])
        self._seen_change = -1
        self._following: list[Following] = []
        self._chains: dict[str, Lineage] = {}
        self._above: dict[str, tuple[str, ...]] = {}

    def step(self) -> None:
        """Tell every device what it has not been told. What goes wrong with one is logged, and tried again."""
        self._catch_up()
        for one in self._following:
            try:
                self._tell(one)
            except (OSError, KeysteadError) as error:
                if not one.is_failing:
                    LOG.warning("audit device %s cannot be written and falls behind: %s", one.name, error)
                one.is_failing = True
            else:
                one.is_failing = False

    def _catch_up(self) -> None:
        newest, changed = self._store.changes(max(self._seen_change, 0))
        if self._seen_change < 0 or changed is None or any(kind is Kind.SETTING for kind, _ in changed):
            self._following = [self._follow(one) for one in self._settings()]
            self._forget_cursors({one.cursor.name for one in self._following})
        self._seen_change = newest

    def _forget_cursors(self, kept: set[str]) -> None:
        with suppress(FileNotFoundError):
            for path in (self._own / CURSORS).iterdir():
                if path.name not in kept:
                    path.unlink(missing_ok=True)

    def _settings(self) -> list[Setting]:
        found: list[Setting] = []
        after = ""
        while page := self._barrier.every(Setting, after=after, limit=PAGE):
            found += (one for one in page if one.topic is Topic.AUDIT_DEVICE)
            after = page[-1].id
        return found

    def _follow(self, setting: Setting) -> Following:
        device = msgspec.json.decode(setting.value, type=AuditDevice)
        cursor = self._own / CURSORS / sha256(device.salt.encode()).hexdigest()[:32]
        return Following(setting.tenant, setting.name, device, cursor)

    def _tell(self, one: Following) -> None:
        if one.next < 0:
            one.next = self._begin(one)
        while records := self._log.read(one.next, AT_ONCE):
            digest = KeyedHash(bytes.fromhex(one.device.salt))
            lines = b"".join(
                shaped(
                    record,
                    lambda text: f"hmac-sha256:{digest(text.encode()).hex()}",  # noqa: B023 - called at once
                    plain_accessors=one.device.plain_accessors,
                    chain=self._chain(record.tenant),
                    gone=self._is_gone(record.tenant),
                )
                for record in map(parse, records)
                if self._is_of(one.tenant, record)
            )
            if lines:
                append(one.device.path, lines, self._directories)
            one.next += len(records)
            write_durably(one.cursor, b"%d" % one.next)

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


def append(path: str, lines: bytes, directories: tuple[str, ...]) -> None:
    """Durable on return. Raises OSError."""
    above, _, name = path.rpartition("/")
    if above not in directories:
        raise PermissionError("the operator allows no audit device there")
    if above == directories[0]:
        Path(above).mkdir(mode=0o700, exist_ok=True)
    directory = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        fd = os.open(name, flags, 0o600, dir_fd=directory)
        try:
            _require_plain(fd)
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(fd, rest) :]
            os.fsync(fd)
        finally:
            os.close(fd)
        os.fsync(directory)
    finally:
        os.close(directory)


def _require_plain(fd: int) -> None:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != os.geteuid():
        raise PermissionError("not a plain file of this server's own")
