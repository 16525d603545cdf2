"""Names of keys: (door namespace, name) pairs. A name means one key; a key may have many."""

from __future__ import annotations

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.algorithms import Family, Purpose
from keystead.core.entities import Key, Name
from keystead.core.errors import AlreadyExists, InvalidArgument, NotFound
from keystead.core.naming import name_at
from keystead.core.operations import KeyRef, Nothing, Page
from keystead.core.quotas import require_room
from keystead.service.handlers.keys import new_name, paged, walk
from keystead.service.handlers.standing import concerning, existing, staying
from keystead.service.held import HeldKey, HeldKeyring
from keystead.service.pipeline import Act, Handler, Outcome

OTHER_KIND = "name for another kind of key"
"""detail of the InvalidArgument for moving a name to a key of another kind or purpose."""


def create_name(op: ops.CreateName, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    """Raises AlreadyExists; LimitExceeded (detail OverQuota)."""
    (held,) = targets
    by_id(op.key)
    staying(held.key, act.now)
    namespace = op.key.namespace
    if held.keyring.name(namespace, op.name) is not None:
        raise AlreadyExists("the name is taken", "name")
    room_for_one(held, act)
    name = new_name(held.keyring, held.key, namespace, op.name, act.now)
    return Outcome(answer=Nothing(), put=(name, held.key))


def update_name(op: ops.UpdateName, targets: tuple[HeldKey, HeldKey], act: Act) -> Outcome[Nothing]:
    """Both keys are of one kind, so that whoever uses the name sees no difference (KMS API Reference, UpdateAlias)."""
    old, new = targets
    by_id(op.key)
    name = named(old, op.name)
    with concerning(new):
        staying(new.key, act.now)
    if _kind(old.key) != _kind(new.key):
        raise InvalidArgument("a name moves only between keys of one kind and purpose", OTHER_KIND)
    moved = replace(name, key_id=new.id, keyring=new.keyring.id, updated_at=act.now)
    if old.id == new.id:
        return Outcome(answer=Nothing(), put=(moved, new.key), made=moved.id)
    with concerning(new):
        room_for_one(new, act)
    return Outcome(answer=Nothing(), put=(moved, old.key, new.key), made=moved.id)


def _kind(key: Key) -> tuple[Family | None, Purpose]:
    """What may take another's place: "both symmetric or both asymmetric or both HMAC", of the same purpose."""
    family = key.spec.family
    return family if family in (Family.AES, Family.HMAC) else None, key.purpose


def delete_name(op: ops.DeleteName, targets: tuple[HeldKey], _act: Act) -> Outcome[Nothing]:
    """In every state of the key."""
    (held,) = targets
    gone = named(held, op.name)
    return Outcome(answer=Nothing(), put=(held.key,), delete=(gone,), made=gone.id)


def list_names(
    op: ops.ListNames, targets: tuple[HeldKeyring] | tuple[HeldKeyring, HeldKey], act: Act
) -> Outcome[Page[Name]]:
    """Those of the namespace asked for; a keyring may have others, of other doors."""
    ring, namespace = targets[0], op.keyring.namespace
    if len(targets) == 2:
        held = targets[1]
        with concerning(held):
            existing(held.key, act.now)
        own = iter(sorted((n for n in held.names if n.id > op.after), key=lambda n: n.id))
    else:
        own = walk(lambda after, limit: ring.names(after=after, limit=limit), op.after, op.limit)
    return Outcome(answer=paged((n for n in own if name_at(n, namespace)), op.limit))


def by_id(ref: KeyRef) -> None:
    """A name means a key, never another name."""
    if ref.name:
        raise InvalidArgument("a name is given to a key, which is told by its id", "key")


def named(held: HeldKey, ref: KeyRef) -> Name:
    for name in held.names:
        if (name.namespace, name.name) == (ref.namespace, ref.name):
            return name
    raise NotFound("no such name", ref)


def room_for_one(held: HeldKey, act: Act) -> None:
    require_room("aliases", act.quotas.aliases, len(held.names))


HANDLERS: dict[type, Handler] = {
    ops.CreateName: create_name,
    ops.UpdateName: update_name,
    ops.DeleteName: delete_name,
    ops.ListNames: list_names,
}
