"""What a key's row keeps of its versions, so that they can be destroyed without rows of their own (docs/adr/0048).

It is written in the commit that wraps or erases, of what is wrapped or erased there, and nowhere else. For
installations of before it is written once, of the rows that verify (service.tracing).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from keystead.core.entities import Entity, Key, KeyVersion
from keystead.core.leaves import NONE, UNKNOWN, leaf_of, with_leaf


def with_traces(key: Key, versions: Iterable[KeyVersion]) -> Key:
    """The key with the traces of these, as they are put; the others' are kept."""
    leaves, objects = key.leaves, dict(key.objects)
    for one in versions:
        leaves = with_leaf(leaves, one.number, one.position if one.wrapped else NONE)
        objects.pop(one.number, None)
        if one.wrapped and one.in_hsm is not None:
            objects[one.number] = one.in_hsm
    return key if (leaves, objects) == (key.leaves, key.objects) else replace(key, leaves=leaves, objects=objects)


def traced(entities: Sequence[Entity]) -> Iterator[Entity]:
    """What a commit puts, each key with the traces of those of its versions that are among it."""
    versions: dict[str, list[KeyVersion]] = {}
    for one in entities:
        if isinstance(one, KeyVersion):
            versions.setdefault(one.key_id, []).append(one)
    for one in entities:
        yield with_traces(_own(one), versions.get(one.id, ())) if isinstance(one, Key) else one


def _own(key: Key) -> Key:
    """A new key made after another's likeness has none of its traces; nor one whose row is put back where none was."""
    return key if key.revision or not key.leaves else replace(key, leaves=b"", objects={})


def is_traced(key: Key) -> bool:
    return all(leaf_of(key.leaves, number) != UNKNOWN for number in range(1, key.n_versions + 1))
