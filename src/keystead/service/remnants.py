"""What is left of versions whose rows are damaged, or lost: enough to destroy them (docs/adr/0048).

What is not known is not guessed: a version of which neither its row nor its key's tells the leaf is not destroyed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from keystead.core.entities import Key, KeyVersion, Kind, Wrapped
from keystead.core.errors import Internal
from keystead.core.leaves import NONE, UNKNOWN, leaf_of, with_leaf
from keystead.core.states import KeyState, Lifecycle
from keystead.service.barrier import Barrier
from keystead.service.related import damaged

MOST_VERSIONS = 1_000_000


def every_version(key: Key, barrier: Barrier) -> list[KeyVersion]:
    """All there are, damaged or not; oldest first. Raises Unavailable as `with_remnants`."""
    try:
        found = barrier.children(KeyVersion, key.id, limit=MOST_VERSIONS)
    except Internal:
        found = list(whole(key, barrier))
    return with_remnants(key, found, barrier)


def whole(key: Key, barrier: Barrier) -> Iterator[KeyVersion]:
    """The versions whose rows are there and verify, one by one."""
    for number in range(1, key.n_versions + 1):
        try:
            found = barrier.get(KeyVersion, f"{key.id}/{number}")
        except Internal:
            continue
        if found is not None:
            yield found


def with_remnants(key: Key, versions: Iterable[KeyVersion], barrier: Barrier) -> list[KeyVersion]:
    """These, and of those that are not among them and hold something what is known (KeyVersion.lost); oldest first.

    Raises Unavailable (detail DAMAGED) where a row is damaged, and neither leaf nor object was ever kept elsewhere.
    """
    found = {one.number: one for one in versions}
    for number in range(1, key.n_versions + 1):
        if number not in found and (remnant := _remnant(key, number, barrier)) is not None:
            found[number] = remnant
    return [found[number] for number in sorted(found)]


def held_by(versions: Iterable[KeyVersion]) -> list[KeyVersion]:
    """Of these, those that hold something, which is to be erased."""
    return [one for one in versions if holds(one)]


def holds(one: Wrapped) -> bool:
    lost = isinstance(one, KeyVersion) and one.lost and one.state is not KeyState.DESTROYED
    return one.wrapped != b"" or lost


def _remnant(key: Key, number: int, barrier: Barrier) -> KeyVersion | None:
    """None: there is no row of it, and nothing that it holds. Its leaf is -1 where it holds nothing."""
    id_ = f"{key.id}/{number}"
    leaf, revision = leaf_of(key.leaves, number), barrier.revision(Kind.KEY_VERSION, id_)
    if leaf == UNKNOWN and revision:
        raise damaged()
    if leaf == UNKNOWN or ((is_empty := leaf == NONE or not barrier.is_filled(leaf)) and not revision):
        return None
    return KeyVersion(
        id=id_,
        revision=revision,
        key_id=key.id,
        number=number,
        position=NONE if is_empty else leaf,
        lifecycle=Lifecycle(state=KeyState.DEACTIVATED, since=key.created_at),
        created_at=key.created_at,
        in_hsm=key.objects.get(number),
        lost=True,
    )


def still_traced(key: Key, barrier: Barrier) -> Key:
    """A key out of a backup, with those of its traces that are true today: of a leaf that is filled, as it was never
    another's. Material that was imported anew since is under another one.
    """
    leaves = key.leaves
    for number in range(1, key.n_versions + 1):
        if (leaf := leaf_of(leaves, number)) == NONE or (leaf != UNKNOWN and not barrier.is_filled(leaf)):
            leaves = with_leaf(leaves, number, UNKNOWN)
    return replace(key, leaves=leaves)
