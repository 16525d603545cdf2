"""Related keys: a key copied into another keyring; another of the copies made the primary (docs/adr/0014).

KMS Developer Guide, "Multi-Region keys". What related keys share is copied when a copy is made, and from then on every
change of it is a change of all of them, in one commit that puts the primary (core.entities, Rule 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Entity, Key, KeyVersion, Origin, PolicyText
from keystead.core.errors import AlreadyExists, Unsupported
from keystead.core.family import COPY_BYTES, new_copy
from keystead.core.operations import Copy, Described, Nothing
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState, Lifecycle
from keystead.service.handlers import policies, tags
from keystead.service.handlers.keys import checked_description, copies_of
from keystead.service.handlers.making import in_software
from keystead.service.handlers.material import erased
from keystead.service.handlers.standing import active, concerning, existing
from keystead.service.held import HeldKey, HeldReplica
from keystead.service.pipeline import Act, Handler, Outcome


def primary(key: Key) -> None:
    """Raises Unsupported (detail ops.NOT_PRIMARY)."""
    if not key.is_primary:
        raise Unsupported("the key is not the primary of related keys", ops.NOT_PRIMARY)


def replicate_key(
    op: ops.ReplicateKey, targets: tuple[HeldKey, HeldReplica, *tuple[HeldReplica, ...]], act: Act
) -> Outcome[ops.Replicated]:
    """Whatever the copy's id was in a keyring before, it is another one now."""
    held, ring = targets[0], targets[1].keyring
    key = held.key
    existing(key, act.now)
    primary(key)
    active(key, act.now)
    in_software(key)
    others = held.relatives()
    if ring.id in {key.keyring, *(other.key.keyring for other in others)}:
        raise AlreadyExists("one of the related keys is there", ops.COPY_THERE)
    checked_description(op.description)
    state = KeyState.PRE_ACTIVE if key.origin is Origin.EXTERNAL else KeyState.ACTIVE
    copy = replace(
        key,
        id=new_copy(key.link, act.entropy(COPY_BYTES)),
        revision=0,
        keyring=ring.id,
        lifecycle=Lifecycle(state=state, since=act.now),
        created_at=act.now,
        created_by=act.principal.id,
        description=op.description,
        tags=tags.merged({}, op.tags, act),
        is_primary=False,
        lapses_at=None,
    )
    policy = policies.fixed(op.policy, copy, op.namespace, act, bypass=op.bypass_lockout_check)
    versions, material = _copied(held, copy)
    current = next((version for version in versions if version.number == copy.current), None)
    copies = (*copies_of(held), Copy(copy, ring.namespaces))
    said = PolicyText(policies.NAME, policy.dialect, policy.text)
    return Outcome(
        answer=ops.Replicated(Described(copy, current, copies), said),
        put=(key, copy, policy, *versions),
        seen=(ring.keyring,),
        material=material,
        made=copy.id,
    )


def _copied(held: HeldKey, copy: Key) -> tuple[tuple[KeyVersion, ...], Mapping[str, Sensitive]]:
    """The versions of a copy, each for a leaf of its own; those of imported material wait for it to be imported."""
    lent = held.key.origin is Origin.EXTERNAL
    versions: list[KeyVersion] = []
    material: dict[str, Sensitive] = {}
    for old in held.versions():
        if old.number > held.key.n_versions:  # of material that was given up before it was rotated to
            continue
        version = replace(old, id=f"{copy.id}/{old.number}", key_id=copy.id, revision=0, position=-1, wrapped=b"")
        if lent:
            version = empty(version, copy.created_at)
        elif old.wrapped:
            material[version.id] = held.version(old.number).material()
        versions.append(version)
    return tuple(versions), material


def empty(version: KeyVersion, now: datetime) -> KeyVersion:
    """A version of a copy whose material has not been imported there yet."""
    life = Lifecycle(state=KeyState.PRE_ACTIVE, since=now)
    return replace(version, lifecycle=life, public_key=b"", expires_at=None, description="")


def expecting(held: HeldKey, leading: Key, now: datetime) -> tuple[Entity, ...]:
    """The relatives of a primary once it is `leading`: with room for the material that it has come to have."""
    put: list[Entity] = []
    for other in held.relatives():
        number = leading.n_versions
        life = Lifecycle(state=KeyState.PRE_ACTIVE, since=now)
        room = KeyVersion(
            id=f"{other.key.id}/{number}", key_id=other.key.id, number=number, lifecycle=life, created_at=now
        )
        before = next((version for version in other.versions() if version.id == room.id), room)  # given up, if any
        key = replace(other.key, n_versions=number, current=leading.current, material_ids=leading.material_ids)
        put += (key, replace(room, revision=before.revision))
    return tuple(put)


def giving_up(held: HeldKey, now: datetime) -> tuple[tuple[Key, ...], tuple[KeyVersion, ...]]:
    """The relatives of a primary without what waited for its rotation, and the versions of it to destroy."""
    keys: list[Key] = []
    gone: list[KeyVersion] = []
    for other in held.relatives():
        current = other.key.current
        keys.append(replace(other.key, n_versions=current, material_ids=other.key.material_ids[:current]))
        gone += [erased(version, now) for version in other.to_erase() if version.number > current]
    return tuple(keys), tuple(gone)


def change_primary(_op: ops.ChangePrimary, targets: tuple[HeldKey, ...], act: Act) -> Outcome[Nothing]:
    """Both are in service all the while: there is no moment in which there are two primaries, or none."""
    old, new = targets[0], targets[-1]
    existing(old.key, act.now)
    primary(old.key)
    with concerning(new):
        if new.id == old.id:
            raise Unsupported("the key is the primary already", ops.NOT_REPLICA)
        existing(new.key, act.now)
    active(old.key, act.now)
    with concerning(new):
        active(new.key, act.now)
    put = (replace(old.key, is_primary=False), replace(new.key, is_primary=True))
    return Outcome(answer=Nothing(), put=put)


HANDLERS: dict[type, Handler] = {
    ops.ReplicateKey: replicate_key,
    ops.ChangePrimary: change_primary,
}
