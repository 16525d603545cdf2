"""Backup and restore.

Rule 1: a backup is the whole database in one file. The first rotation of the slot after it makes it useless by itself;
        its rows still open with the tree of any later day, but for the keys destroyed meanwhile.
Rule 2: so a copy of the tree is kept beside the backups, and renewed before each old slot secret is erased: an old
        backup, the newest tree and the slot make a database again (`graft`), less what was created since.

What is put back row by row into a database that lasts: service.restoring. What is taken away again from one that a
backup has become, where the log tells of it: service.undone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from keystead.core import entities
from keystead.core.entities import LOST, EndedRoot, Entity, KeyVersion, Kind, Wrapped
from keystead.core.errors import Internal, Malformed, Unavailable
from keystead.core.ports import Entropy, Reader, Slot, Store
from keystead.core.sensitive import Sensitive
from keystead.core.states import Event, KeyState
from keystead.service.barrier import Barrier, Commit
from keystead.service.commit import HEAD_META
from keystead.service.imprint import Imprint
from keystead.service.inspection import is_destroyed, pages, tally, walk
from keystead.service.related import lasting, waited
from keystead.service.root import ROOT_META
from keystead.service.rows import ENCODER
from keystead.service.slots import Slots

ATTEMPTS = 3
ACCESS = (  # any may have been revoked since
    Kind.CREDENTIAL,
    Kind.GRANT,
    Kind.MEMBERSHIP,
    Kind.ATTACHMENT,
    Kind.KEY_STORE,
    Kind.SECRET_ID,
    Kind.TOKEN,
)
VALUES: tuple[type[Wrapped], ...] = (
    entities.SecretVersion,
    entities.OtpKey,
    entities.LoginSecret,
    entities.MfaSecret,
    entities.OidcClientSecret,
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


def revive(
    copy: Store,
    path: Path,
    slot: Slots | Slot,
    entropy: Entropy,
    unseal_key: Sensitive,
    look: Callable[[Barrier], None] = lambda _: None,
) -> None:
    """A backup becomes the database at `path`, unless who looks at it raises. Raises Conflict where the slot no longer
    holds its generation.

    The caller opens it and rotates, so that no other copy of this generation lives on.
    """
    barrier = Barrier(copy, slot, entropy)
    barrier.open(unseal_key, settle=False)
    look(barrier)
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
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed("this is not a copy of a key tree") from error


class Grafted(Struct, frozen=True, kw_only=True):
    """What an old backup came to under a newer tree, by id."""

    destroyed: tuple[str, ...]  # versions destroyed since the backup
    access: tuple[str, ...]  # as it was at the time of the backup: look through it, some may have been revoked since


def graft(
    copy: Store, tree: bytes, slot: Slots | Slot, entropy: Entropy, unseal_key: Sensitive, now: datetime
) -> Grafted:
    """Make a copy of an old backup the database of today's slot. `copy` is changed, even where this raises Conflict.

    Raises Conflict where the slot does not hold the tree's generation, Unauthenticated, Malformed.
    """
    newer = _read(tree)
    old = Imprint.of(copy)
    with copy.transaction() as txn:
        txn.put_meta(ROOT_META, newer.root)
        txn.put_meta(HEAD_META, newer.head)
        for level, at, sealed in newer.nodes:
            txn.put_node(level, at, sealed)
    barrier = Barrier(copy, slot, entropy)
    barrier.open(unseal_key, settle=False)
    newest = old.newest(copy, barrier.rows)
    under = _unknown(barrier, old.epoch, now)
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
    barrier.recount(partial(tally, barrier), newest)
    return Grafted(destroyed=tuple(destroyed), access=access_of(copy))


def access_of(store: Reader) -> tuple[str, ...]:
    """Grafted.access"""
    return tuple(f"{kind.value} {row.id}" for kind in ACCESS for page in pages(store, kind) for row in page)


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


def _is_dead(barrier: Barrier, store: Store, entity: Entity) -> bool:
    return isinstance(entity, Wrapped) and is_destroyed(barrier, store, entity)
