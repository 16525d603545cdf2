"""Putting back what is missing or damaged, from an old backup: each row as it is to be today, not as it was then.

Rule 1: nothing that is there is replaced, and no access comes back: a grant, principal or credential that is gone may
        have been revoked (research/security.md §4, row 108); nor what was taken away since, with what is in it
        (remains).
Rule 2: what comes back comes back with what was refused since (service.since): where the log has an act that may have
        narrowed it, or nobody knows, a key is out of service until somebody enables it, a secret's version is deleted,
        and a name stays away (docs/adr/0047).
Rule 3: a number that a version has had is never given to another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from keystead.core import entities
from keystead.core.actions import Action
from keystead.core.actions.takings import OF_NAMES, TAKES_FROM_KEY
from keystead.core.entities import Entity, Key, KeyPolicy, KeyVersion, Kind
from keystead.core.family import known_as
from keystead.core.keystores import Connection, KeyStore
from keystead.core.ports import Reader, Row, Store
from keystead.core.states import Event, KeyState
from keystead.service.barrier import Barrier, Commit
from keystead.service.bootstrap import record_of_restored
from keystead.service.damaged import still_traced
from keystead.service.handlers.material import as_waiting, lapse
from keystead.service.inspection import pages, quiet, tally, verifies
from keystead.service.remains import Remains
from keystead.service.since import Deed, Since
from keystead.service.tickets import Identifiers

E = TypeVar("E", bound=Entity)
MOST_VERSIONS = 1_000_000
RESTORED: tuple[type[Entity], ...] = (
    entities.Tenant,
    entities.Keyring,
    entities.Binding,
    Key,
    KeyVersion,
    KeyPolicy,
    entities.Name,
    KeyStore,  # after its keys
    entities.SecretSettings,
    entities.OtpKey,
    entities.SecretVersion,
    entities.Secret,  # after its versions, and
    entities.Folder,  # after what is in it
)
OF_POLICY = frozenset({Action.PUT_POLICY})
OF_SETTINGS = frozenset({Action.PUT_KEY_SETTINGS})
OF_DELETING = frozenset({Action.DELETE_SECRET, Action.DELETE_SECRET_VERSIONS})


class Restored(Struct, frozen=True, kw_only=True):
    """What `restore` did, by id: "<kind> <id>"."""

    restored: tuple[str, ...]
    suspended: tuple[str, ...]  # keys that are out of service until somebody enables them: ids
    n_present: int  # were there, and verify
    destroyed: tuple[str, ...]  # destroyed or taken away since the backup, or of nothing but what was
    withheld: tuple[str, ...]  # names that may have been taken away since: nobody knows
    damaged: tuple[str, ...]  # rows of the backup itself that do not verify
    unmended: tuple[str, ...]  # rows of today that do not verify, and that the backup does not have
    since: tuple[Deed, ...]  # what the log has of the time after the backup about what came back
    is_known: bool  # whether the log has that time, and the backup is as it was made


def out_of_service(key: Key, now: datetime) -> Key:
    """As it comes back where it may have been narrowed since: until somebody has looked, and enabled it."""
    life = key.lifecycle
    life = life.after(Event.SUSPEND, now) if life.state is KeyState.ACTIVE else life
    return replace(key, lifecycle=life, restored_at=now)


def restore(
    old: Reader,
    barrier: Barrier,
    store: Store,
    since: Since,
    now: datetime,
    on_progress: Callable[[int], None] = quiet,
) -> Restored:
    """Put back from an old backup, whatever its age, what the store lacks or has damaged. Raises Stale, Unavailable.

    Each commit has a record, which names what came back in it, and the keys that are out of service.
    """
    coming = _Coming(old, barrier, store, since, now)
    restored: list[str] = []
    destroyed: list[str] = []
    damaged: list[str] = []
    n_present = 0
    for of in RESTORED:
        for page in _ordered(old, barrier, of):
            found: list[Entity] = []
            for row in page:
                live = store.get(row.kind, row.id)
                if live is not None and verifies(barrier, live):
                    n_present += 1
                elif not verifies(barrier, row):
                    damaged.append(_said(row))
                elif (entity := coming.as_of_today(barrier.rows.open(row, of))) is not None:
                    found.append(replace(entity, revision=live.revision if live else 0))
                elif _said(row) not in coming.withheld:
                    destroyed.append(_said(row))
            if found:
                coming.commit(found)
                restored += [_said(entity) for entity in found]
            on_progress(len(page))
    if restored:
        barrier.recount(partial(tally, barrier))
    return Restored(
        restored=tuple(restored),
        suspended=tuple(coming.suspended),
        n_present=n_present,
        destroyed=tuple(destroyed),
        withheld=tuple(coming.withheld),
        damaged=tuple(damaged),
        unmended=tuple(_unmended(old, barrier, store)),
        since=since.of(coming.ids),
        is_known=since.is_known,
    )


def _said(one: Row | Entity) -> str:
    return f"{one.kind.value} {one.id}"


def _ordered(old: Reader, barrier: Barrier, of: type[Entity]) -> Iterable[list[Row]]:
    """Page by page; of folders the deepest first, each alone, for one is needed where something is in it."""
    if of is not entities.Folder:
        return pages(old, of.kind)
    rows = [row for page in pages(old, of.kind) for row in page]
    depth = {row.id: barrier.rows.open(row, entities.Folder).path.count("/") for row in rows if verifies(barrier, row)}
    return [[row] for row in sorted(rows, key=lambda row: -depth.get(row.id, 0))]


def _unmended(old: Reader, barrier: Barrier, store: Store) -> Iterator[str]:
    for of in RESTORED:
        for page in pages(store, of.kind):
            yield from (_said(row) for row in page if not verifies(barrier, row) and old.get(row.kind, row.id) is None)


class _Coming:
    """What rows of one backup come back as."""

    def __init__(self, old: Reader, barrier: Barrier, store: Store, since: Since, now: datetime) -> None:
        self._barrier, self._store, self._since, self._now = barrier, store, since, now
        self._remains = Remains(old, barrier, store)
        self.suspended: dict[str, None] = {}
        self.withheld: list[str] = []
        self.ids: dict[str, None] = {}  # whose deeds are told
        self._beside: dict[str, Key] = {}  # keys that change with what came back, in one commit

    def as_of_today(self, entity: Entity) -> Entity | None:
        """None: it was taken away since, or that cannot be told, and it does not come back. Raises Internal."""
        if self._remains.is_gone(entity):
            return None
        self.ids[getattr(entity, "key_id", "") or getattr(entity, "secret_id", "") or entity.id] = None
        look = LOOKS.get(type(entity))
        found: Entity | None = entity if look is None else look(self, entity)
        return found

    def commit(self, found: list[Entity]) -> None:
        """With its record."""
        beside, self._beside = self._beside, {}
        shut = [one.id for one in found if isinstance(one, Key) and one.id in self.suspended] + [*beside]
        record = record_of_restored(self._barrier, self._now, [one.id for one in found], shut)
        self._barrier.commit(Commit(put=(*found, *beside.values()), record=record))

    # --- what each comes back as

    def key(self, key: Key) -> Key:
        key = self._grown(still_traced(key, self._barrier))
        if self._since.taken(key.id, TAKES_FROM_KEY):
            key = out_of_service(key, self._now)
            self.suspended[key.id] = None
        return key

    def policy(self, policy: KeyPolicy) -> KeyPolicy:
        """It is as wide as it was then: so the key that it is of is out of service."""
        key = self._barrier.get(Key, policy.id) if self._since.taken(policy.id, OF_POLICY) else None
        if key is not None and key.id not in self.suspended:
            self._beside[key.id] = out_of_service(key, self._now)
            self.suspended[key.id] = None
        return policy

    def name(self, name: entities.Name) -> entities.Name | None:
        if not self._since.is_known:
            self.withheld.append(_said(name))
            return None
        return None if self._since.taken(name.key_id, OF_NAMES, part=name.id) else name

    def keyring(self, ring: entities.Keyring) -> entities.Keyring:
        return replace(ring, upserts=False) if self._since.taken(ring.id, OF_SETTINGS) else ring

    def key_store(self, store: KeyStore) -> KeyStore:
        """It is of use once somebody has connected it."""
        return replace(store, connection=Connection.DISCONNECTED, failure=None)

    def otp_key(self, key: entities.OtpKey) -> entities.OtpKey:
        """A password that may have been accepted since the backup is not accepted again."""
        step = key.step(self._now)
        return replace(key, used=tuple(range(step - key.skew, step + key.skew + 1)))

    def secret_version(self, version: entities.SecretVersion) -> entities.SecretVersion:
        if version.is_deleted(self._now) or not self._since.taken(version.secret_id, OF_DELETING):
            return version
        return replace(version, deleted_at=self._now)

    def secret(self, secret: entities.Secret) -> entities.Secret | None:
        """Versions may have come since."""
        rows = self._store.children(Kind.SECRET_VERSION, secret.id, limit=MOST_VERSIONS)
        numbers = [one.number for one in self._whole(rows, entities.SecretVersion)]
        secret = still_traced(secret, self._barrier)
        return replace(secret, current=max(secret.current, *numbers)) if numbers else None

    def folder(self, folder: entities.Folder) -> entities.Folder | None:
        inside = (Kind.SECRET, Kind.FOLDER)
        return folder if any(self._store.children(kind, folder.id, limit=1) for kind in inside) else None

    # --- a key that may have been rotated since

    def _grown(self, key: Key) -> Key:
        """And that may have given its lead to another copy."""
        if key.multi_region:
            copies = self._whole(self._store.linked(Kind.KEY, key.link), Key)
            key = replace(key, is_primary=key.is_primary and not any(one.is_primary for one in copies))
        rows = self._store.children(Kind.KEY_VERSION, key.id, limit=MOST_VERSIONS)
        newest = max((key.n_versions, *(int(row.id.rpartition("/")[2]) for row in rows)))  # damaged or not, it is taken
        whole = sorted(self._whole(rows, KeyVersion), key=lambda one: one.number)
        active = (one.number for one in whole if one.state is KeyState.ACTIVE)
        key = replace(key, n_versions=newest, current=max((key.current, *active)))
        return self._lent(key, whole) if key.material_ids else key

    def _lent(self, key: Key, versions: list[KeyVersion]) -> Key:
        """What imported material is called stands in the key's row: what came since gets its name anew.

        Of material that is not there, or is in an HSM, the name is nobody's: its number stays taken. What waited for a
        rotation and was given up leaves an empty row, whose place the next has (handlers.imports).
        """
        names = list(key.material_ids)
        by_number = {one.number: one for one in versions}
        last = max(key.current, len(names))
        left = [n for n in range(last + 1, key.n_versions + 1) if n not in by_number or by_number[n].wrapped]
        later = range(len(names) + 1, max((last, *left)) + 1)
        names += [self._name_of(key, number, by_number.get(number)) for number in later]
        dates = (key.lapses_at, lapse(key, versions))
        soonest = min((at for at in dates if at is not None), default=None)
        grown = replace(key, material_ids=tuple(names), n_versions=len(names), lapses_at=soonest)
        gone = any(one.number <= key.current and not one.wrapped for one in versions)
        return replace(grown, lifecycle=as_waiting(key.lifecycle, self._now)) if gone else grown

    def _name_of(self, key: Key, number: int, version: KeyVersion | None) -> str:
        if version is None or not version.wrapped or version.in_hsm is not None:
            return f"{number:064x}"
        identifiers = Identifiers(self._barrier.subkey("import"))
        return identifiers.of(known_as(key.id), self._barrier.material(version))

    def _whole(self, rows: Iterable[Row], of: type[E]) -> Iterator[E]:
        return (self._barrier.rows.open(row, of) for row in rows if verifies(self._barrier, row))


LOOKS: dict[type[Entity], Callable[[_Coming, Any], Entity | None]] = {
    Key: _Coming.key,
    KeyPolicy: _Coming.policy,
    entities.Name: _Coming.name,
    entities.Keyring: _Coming.keyring,
    KeyStore: _Coming.key_store,
    entities.OtpKey: _Coming.otp_key,
    entities.SecretVersion: _Coming.secret_version,
    entities.Secret: _Coming.secret,
    entities.Folder: _Coming.folder,
}
"""What changes of a row before it comes back; of the others nothing does."""
