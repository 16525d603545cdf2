"""Backup and restore.

Rule 1: a backup is the whole database in one file. The first rotation of the slot after it makes it useless by itself;
        its rows still open with the tree of any later day, but for the keys destroyed meanwhile.
Rule 2: so a copy of the tree is kept beside the backups, and renewed before each old slot secret is erased: an old
        backup, the newest tree and the slot make a database again (`graft`), less what was created since.
Rule 3: restoring puts back what is missing or damaged. It never replaces what is there, and brings back no access:
        a grant, principal or credential that is gone may have been revoked (research/security.md §4, row 108); and
        nothing that was taken away since, with what is in it (remains).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from keystead.core import entities
from keystead.core.entities import LOST, EndedRoot, Entity, KeyVersion, Kind, Wrapped
from keystead.core.errors import Internal, Malformed, Unavailable
from keystead.core.keystores import Connection, KeyStore
from keystead.core.ports import Entropy, Reader, Row, Slot, Store
from keystead.core.sensitive import Sensitive
from keystead.core.states import Event, KeyState
from keystead.service.barrier import ROOT_META, Barrier, Commit
from keystead.service.commit import HEAD_META
from keystead.service.inspection import is_destroyed, pages, quiet, tally, verifies, walk
from keystead.service.related import lasting, waited
from keystead.service.remains import Remains
from keystead.service.root import Root
from keystead.service.rows import ENCODER
from keystead.service.slots import Slots

E = TypeVar("E", bound=Entity)
ATTEMPTS = 3
MOST_VERSIONS = 1_000_000
ACCESS = (Kind.CREDENTIAL, Kind.GRANT, Kind.MEMBERSHIP, Kind.ATTACHMENT, Kind.KEY_STORE)  # any may be revoked since
VALUES: tuple[type[Wrapped], ...] = (
    entities.SecretVersion,
    entities.OtpKey,
    entities.LoginSecret,
    entities.MfaSecret,
    entities.OidcClientSecret,
)
RESTORED: tuple[type[Entity], ...] = (
    entities.Tenant,
    entities.Keyring,
    entities.Binding,
    entities.Key,
    entities.KeyVersion,
    entities.KeyPolicy,
    entities.Name,
    KeyStore,  # after its keys
    entities.SecretSettings,
    entities.OtpKey,
    entities.SecretVersion,
    entities.Secret,  # after its versions, and
    entities.Folder,  # after what is in it
)


# --- backup and restore


def backup(barrier: Barrier, store: Store, path: Path) -> str:
    """One file with everything; the slot generation that it opens with. Raises InvalidArgument, Unavailable."""
    for _ in range(ATTEMPTS):
        generation = barrier.tree.root.generation
        store.backup(path)
        if barrier.tree.root.generation == generation:
            return generation
        path.unlink()  # a rotation overtook it
    raise Unavailable("the slot keeps rotating: no backup of one generation could be taken")


def revive(copy: Store, path: Path, slot: Slots | Slot, entropy: Entropy, unseal_key: Sensitive) -> None:
    """A backup becomes the database at `path`. Raises Conflict where the slot no longer holds its generation.

    The caller opens it and rotates, so that no other copy of this generation lives on.
    """
    Barrier(copy, slot, entropy).open(unseal_key, settle=False)
    copy.backup(path)


class TreeCopy(Struct, frozen=True, array_like=True):
    """The key tree as sealed bytes: about 34 bytes a key."""

    root: bytes
    head: bytes
    nodes: list[tuple[int, int, bytes]]


def export_tree(barrier: Barrier, store: Store) -> bytes:
    """The whole tree, consistent. Raises Internal where it is damaged."""
    with store.transaction() as txn:
        nodes = []
        for place, sealed, node in walk(txn, barrier.tree):
            if sealed is None or node is None:
                raise Internal(f"node {place.level}/{place.at} of the key tree does not verify")
            nodes.append((*place, sealed))
        return ENCODER.encode(TreeCopy(txn.meta(ROOT_META) or b"", txn.meta(HEAD_META) or b"", nodes))


def tree_root(tree: bytes) -> bytes:
    """The root (service.root) of a copy of the key tree. Raises Malformed."""
    return _read(tree).root


def _read(tree: bytes) -> TreeCopy:
    try:
        return msgspec.msgpack.decode(tree, type=TreeCopy)
    except msgspec.DecodeError as error:
        raise Malformed("this is not a copy of a key tree") from error


class Grafted(Struct, frozen=True, kw_only=True):
    """What an old backup came to under a newer tree, by id."""

    destroyed: tuple[str, ...]  # versions destroyed since the backup
    access: tuple[str, ...]  # as it was at the time of the backup: look through it, some may have been revoked since
    not_renewed: str = ""  # why the secret in the slots is the one of before, which opens other copies of the backup


def graft(
    copy: Store, tree: bytes, slot: Slots | Slot, entropy: Entropy, unseal_key: Sensitive, now: datetime
) -> Grafted:
    """Make a copy of an old backup the database of today's slot. `copy` is changed, even where this raises Conflict.

    Raises Conflict where the slot does not hold the tree's generation, Unauthenticated, Malformed.
    """
    newer = _read(tree)
    old = copy.meta(ROOT_META)
    before = 0 if old is None else Root.decode(old).epoch
    with copy.transaction() as txn:
        txn.put_meta(ROOT_META, newer.root)
        txn.put_meta(HEAD_META, newer.head)
        for level, at, sealed in newer.nodes:
            txn.put_node(level, at, sealed)
    barrier = Barrier(copy, slot, entropy)
    barrier.open(unseal_key, settle=False)
    under = _unknown(barrier, before, now)
    destroyed: list[str] = []
    for page in pages(copy, Kind.KEY_VERSION):
        versions = [barrier.rows.open(row, KeyVersion) for row in page]
        dead = [version for version in versions if _is_dead(barrier, copy, version)]
        gone = tuple(
            replace(v, wrapped=b"", destroyed_under=under, lifecycle=v.lifecycle.after(Event.DESTROY, now))
            for v in dead
        )
        barrier.commit(Commit(put=gone))
        for key_id in {version.key_id for version in dead}:
            _bury(barrier, key_id, now)
        destroyed += [version.id for version in dead]
    for of in VALUES:
        for page in pages(copy, of.kind):
            values = [barrier.rows.open(row, of) for row in page]
            lost = [version for version in values if _is_dead(barrier, copy, version)]
            empty = tuple(replace(version, wrapped=b"", destroyed_under=under) for version in lost)
            barrier.commit(Commit(put=empty))
            destroyed += [version.id for version in lost]
    barrier.recount(partial(tally, barrier))
    access = [f"{kind.value} {row.id}" for kind in ACCESS for page in pages(copy, kind) for row in page]
    return Grafted(destroyed=tuple(destroyed), access=tuple(access))


def _unknown(barrier: Barrier, before: int, now: datetime) -> int:
    """The epoch of the last root of which nobody knows what has erased it: the records of that went with the database.

    People vouch for it, as for a slot that was lost (docs/adr/0036-slots.md).
    """
    last = barrier.tree.root.epoch - 1
    if last < before:
        return last
    gap = {f"{LOST}records:{before}-{last}": "-"}
    barrier.commit(Commit(put=(EndedRoot(id=EndedRoot.id_of(last), epoch=last, generations=gap, replaced_at=now),)))
    return last


def _bury(barrier: Barrier, key_id: str, now: datetime) -> None:
    """A key is destroyed when the last of its versions is."""
    key = barrier.get(entities.Key, key_id)
    if key is None or key.lifecycle.state is KeyState.DESTROYED:
        return
    if not any(version.wrapped for version in barrier.children(KeyVersion, key_id, limit=1_000_000)):
        gone = replace(key, lifecycle=key.lifecycle.after(Event.DESTROY, now))
        others = [one for one in lasting(barrier.linked(entities.Key, key.link)) if one.id != key.id]
        waiting = tuple(waited(one, len(others) - 1, now) for one in others if one.is_primary)
        barrier.commit(Commit(put=(gone, *waiting)))


class Restored(Struct, frozen=True, kw_only=True):
    """What `restore` did, by id: "<kind> <id>"."""

    restored: tuple[str, ...]
    n_present: int  # were there, and verify
    destroyed: tuple[str, ...]  # destroyed since the backup, or of nothing but what was
    damaged: tuple[str, ...]  # rows of the backup itself that do not verify


def restore(old: Reader, barrier: Barrier, store: Store, on_progress: Callable[[int], None] = quiet) -> Restored:
    """Put back from an old backup, whatever its age, what the store lacks or has damaged. Raises Stale, Unavailable."""
    restored: list[str] = []
    destroyed: list[str] = []
    damaged: list[str] = []
    n_present, remains = 0, Remains(old, barrier, store)
    for of in RESTORED:
        for page in _ordered(old, barrier, of):
            found: list[Entity] = []
            for row in page:
                live = store.get(row.kind, row.id)
                if live is not None and verifies(barrier, live):
                    n_present += 1
                elif not verifies(barrier, row):
                    damaged.append(f"{row.kind.value} {row.id}")
                elif (entity := _as_it_is(barrier, store, remains, barrier.rows.open(row, of))) is None:
                    destroyed.append(f"{row.kind.value} {row.id}")
                else:
                    found.append(replace(entity, revision=live.revision if live else 0))
            if found:
                barrier.commit(Commit(put=tuple(found)))
                restored += [f"{entity.kind.value} {entity.id}" for entity in found]
            on_progress(len(page))
    if restored:
        barrier.recount(partial(tally, barrier))
    return Restored(restored=tuple(restored), n_present=n_present, destroyed=tuple(destroyed), damaged=tuple(damaged))


def _ordered(old: Reader, barrier: Barrier, of: type[Entity]) -> Iterable[list[Row]]:
    """Page by page; of folders the deepest first, each alone, for one is needed where something is in it."""
    if of is not entities.Folder:
        return pages(old, of.kind)
    rows = [row for page in pages(old, of.kind) for row in page]
    depth = {row.id: barrier.rows.open(row, entities.Folder).path.count("/") for row in rows if verifies(barrier, row)}
    return [[row] for row in sorted(rows, key=lambda row: -depth.get(row.id, 0))]


def _as_it_is(barrier: Barrier, store: Store, remains: Remains, entity: Entity) -> Entity | None:
    """What comes back of it today. None: it was taken away since, and does not come back."""
    if remains.is_gone(entity):
        return None
    if isinstance(entity, KeyStore):  # it is of use once somebody has connected it
        return replace(entity, connection=Connection.DISCONNECTED, failure=None)
    if isinstance(entity, entities.Key):
        return _of_today(barrier, store, entity)
    if isinstance(entity, entities.Secret):  # versions may have come since
        rows = store.children(Kind.SECRET_VERSION, entity.id, limit=MOST_VERSIONS)
        numbers = [one.number for one in _whole(barrier, rows, entities.SecretVersion)]
        return replace(entity, current=max(entity.current, *numbers)) if numbers else None
    if isinstance(entity, entities.Folder):
        inside = (Kind.SECRET, Kind.FOLDER)
        return entity if any(store.children(kind, entity.id, limit=1) for kind in inside) else None
    return entity


def _of_today(barrier: Barrier, store: Store, key: entities.Key) -> entities.Key:
    """A key that may have been rotated since, and may have given its lead to another copy.

    What imported material is called stood in its row alone: such a key comes back at the version of then.
    """
    if key.multi_region:
        copies = _whole(barrier, store.linked(Kind.KEY, key.link), entities.Key)
        key = replace(key, is_primary=key.is_primary and not any(one.is_primary for one in copies))
    if key.material_ids:
        return key
    rows = store.children(Kind.KEY_VERSION, key.id, limit=MOST_VERSIONS)
    active = (one.number for one in _whole(barrier, rows, KeyVersion) if one.state is KeyState.ACTIVE)
    newest = max((key.n_versions, *(int(row.id.rpartition("/")[2]) for row in rows)))  # damaged or not, it is taken
    return replace(key, n_versions=newest, current=max((key.current, *active)))


def _whole(barrier: Barrier, rows: Iterable[Row], of: type[E]) -> Iterable[E]:
    return (barrier.rows.open(row, of) for row in rows if verifies(barrier, row))


def _is_dead(barrier: Barrier, store: Store, entity: Entity) -> bool:
    return isinstance(entity, Wrapped) and is_destroyed(barrier, store, entity)
