"""What the row of a key or a secret keeps of its versions, so that they can be destroyed without rows of their own
(docs/adr/0048).

It is written in the commit that wraps or erases, of what is wrapped or erased there, and nowhere else. For
installations of before it is written once, of the rows that verify (service.tracing).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from keystead.core.entities import Entity, Key, KeyVersion, Secret, SecretVersion, Wrapped
from keystead.core.leaves import BYTES, NONE, UNKNOWN, leaf_of, with_leaf


def with_traces(key: Key, versions: Iterable[KeyVersion]) -> Key:
    """The key with the traces of these, as they are put; the others' are kept."""
    leaves, objects = key.leaves, dict(key.objects)
    for one in versions:
        leaves = with_leaf(leaves, one.number, _leaf(one))
        objects.pop(one.number, None)
        if one.wrapped and one.in_hsm is not None:
            objects[one.number] = one.in_hsm
    return key if (leaves, objects) == (key.leaves, key.objects) else replace(key, leaves=leaves, objects=objects)


def with_secret_traces(secret: Secret, versions: Iterable[SecretVersion]) -> Secret:
    """The same of a secret; of those whose rows have gone nothing is kept."""
    first = max(secret.leaves_from, secret.kept_from)
    leaves = secret.leaves[(first - secret.leaves_from) * BYTES :]
    for one in versions:
        if one.number >= first:
            leaves = with_leaf(leaves, one.number - first + 1, _leaf(one))
    same = (leaves, first) == (secret.leaves, secret.leaves_from)
    return secret if same else replace(secret, leaves=leaves, leaves_from=first)


def _leaf(one: Wrapped) -> int:
    return one.position if one.wrapped else NONE


def traced(entities: Sequence[Entity]) -> Iterator[Entity]:
    """What a commit puts, each key and secret with the traces of those of its versions that are among it."""
    of_keys: dict[str, list[KeyVersion]] = {}
    of_secrets: dict[str, list[SecretVersion]] = {}
    for one in entities:
        if isinstance(one, KeyVersion):
            of_keys.setdefault(one.key_id, []).append(one)
        elif isinstance(one, SecretVersion):
            of_secrets.setdefault(one.secret_id, []).append(one)
    for one in entities:
        if isinstance(one, Key):
            yield with_traces(_own(one), of_keys.get(one.id, ()))
        elif isinstance(one, Secret):
            yield with_secret_traces(one, of_secrets.get(one.id, ()))
        else:
            yield one


def _own(key: Key) -> Key:
    """A new key made after another's likeness has none of its traces; nor one whose row is put back where none was."""
    return key if key.revision or not key.leaves else replace(key, leaves=b"", objects={})


def trace(of: Key | Secret, number: int) -> int:
    """The leaf of a version, NONE, or UNKNOWN."""
    return leaf_of(of.leaves, number if isinstance(of, Key) else number - of.leaves_from + 1)


def numbers(of: Key | Secret) -> range:
    """Of the versions that there are rows of."""
    return range(1, of.n_versions + 1) if isinstance(of, Key) else range(of.kept_from, of.current + 1)


def is_traced(of: Key | Secret) -> bool:
    return all(trace(of, number) != UNKNOWN for number in numbers(of))
