"""What is left of versions whose rows are damaged, or lost: enough to destroy them (docs/adr/0048).

What is not known is not guessed: a version of which neither its row nor its key's tells the leaf is not destroyed. So
with the versions of secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from msgspec.structs import replace

from keystead.core.entities import Key, KeyVersion, Secret, SecretVersion, Wrapped
from keystead.core.errors import Internal, Unavailable
from keystead.core.leaves import BYTES, NONE, UNKNOWN, leaf_of, with_leaf
from keystead.core.states import KeyState, Lifecycle
from keystead.service.barrier import Barrier
from keystead.service.traces import numbers, trace

V = TypeVar("V", bound=Wrapped)
MOST_VERSIONS = 1_000_000
KINDS: dict[type[Key | Secret], type[Wrapped]] = {Key: KeyVersion, Secret: SecretVersion}


DAMAGED = "damaged"
"""detail of the Unavailable for a version whose row does not verify."""


@contextmanager
def whole_versions() -> Iterator[None]:
    """Raises Unavailable (detail DAMAGED) where a row of those that are read within does not verify."""
    try:
        yield
    except Internal as error:
        raise damaged() from error


def damaged(what: str = "key") -> Unavailable:
    return Unavailable(f"a version of the {what} is damaged: it has to be restored from a backup", DAMAGED)


def every_version(of: Key | Secret, barrier: Barrier) -> list[Any]:
    """All versions there are, damaged or not; oldest first. Raises Unavailable as `with_damaged`."""
    try:
        found = barrier.children(KINDS[type(of)], of.id, limit=MOST_VERSIONS)
    except Internal:
        found = list(whole(of, barrier))
    return with_damaged(of, found, barrier)


def whole(of: Key | Secret, barrier: Barrier) -> Iterator[Any]:
    """The versions whose rows are there and verify, one by one."""
    for number in numbers(of):
        try:
            found = barrier.get(KINDS[type(of)], f"{of.id}/{number}")
        except Internal:
            continue
        if found is not None:
            yield found


def with_damaged(of: Key | Secret, versions: Iterable[V], barrier: Barrier) -> list[V]:
    """These, and of those that are not among them and hold something what is known (Wrapped.lost); oldest first.

    Raises Unavailable (detail DAMAGED) where a row is damaged, and its leaf was never kept elsewhere.
    """
    found = {one.number: one for one in versions}
    for number in numbers(of):
        if number not in found and (left := remnant(of, number, barrier)) is not None:
            found[number] = left
    return [found[number] for number in sorted(found)]


def held_by(versions: Iterable[V]) -> list[V]:
    """Of these, those that hold something, which is to be erased."""
    return [one for one in versions if holds(one)]


def holds(one: Wrapped) -> bool:
    if isinstance(one, KeyVersion):
        return one.wrapped != b"" or (one.lost and one.state is not KeyState.DESTROYED)
    return one.wrapped != b"" or (one.lost and one.destroyed_under == 0)


def remnant(of: Key | Secret, number: int, barrier: Barrier) -> Any | None:
    """None: there is no row of it, and nothing that it holds. Its leaf is -1 where it holds nothing."""
    id_ = f"{of.id}/{number}"
    leaf, revision = trace(of, number), barrier.revision(KINDS[type(of)].kind, id_)
    if leaf == UNKNOWN and revision:
        raise damaged(_CALLED[type(of)])
    if leaf == UNKNOWN or ((is_empty := leaf == NONE or not barrier.is_filled(leaf)) and not revision):
        return None
    known = {"id": id_, "revision": revision, "number": number, "position": NONE if is_empty else leaf, "lost": True}
    return _MAKE[type(of)](of, known)


def _key_version(key: Key, known: dict[str, Any]) -> KeyVersion:
    life = Lifecycle(state=KeyState.DEACTIVATED, since=key.created_at)
    in_hsm = key.objects.get(known["number"])
    return KeyVersion(key_id=key.id, lifecycle=life, created_at=key.created_at, in_hsm=in_hsm, **known)


def _secret_version(secret: Secret, known: dict[str, Any]) -> SecretVersion:
    return SecretVersion(secret_id=secret.id, created_at=secret.created_at, **known)


_MAKE: dict[type[Key | Secret], Callable[[Any, dict[str, Any]], Wrapped]] = {Key: _key_version, Secret: _secret_version}
_CALLED: dict[type[Key | Secret], str] = {Key: "key", Secret: "secret"}


def still_traced(of: Any, barrier: Barrier) -> Any:
    """A key or a secret out of a backup, with those of its traces that are true today: of a leaf that is filled, as it
    was never another's. What came anew since is under another one.
    """
    leaves = of.leaves
    for place in range(1, len(leaves) // BYTES + 1):
        if (leaf := leaf_of(leaves, place)) == NONE or (leaf != UNKNOWN and not barrier.is_filled(leaf)):
            leaves = with_leaf(leaves, place, UNKNOWN)
    return replace(of, leaves=leaves)
