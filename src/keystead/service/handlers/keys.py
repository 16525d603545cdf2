"""A key's beginning, its description, and whether it is in service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Entity, Key, KeyVersion, Name, Origin, Usage
from keystead.core.errors import AlreadyExists, InvalidArgument, LimitExceeded, NotFound, Unavailable, Unsupported
from keystead.core.family import COPY_BYTES, FAMILY_BYTES, known_as, new_copy, new_family
from keystead.core.identifiers import new_id
from keystead.core.keystores import KeyStore
from keystead.core.operations import Copy, Described, Nothing, Page
from keystead.core.states import Event, KeyState, Lifecycle
from keystead.core.wrapping import importable
from keystead.service.damaged import DAMAGED
from keystead.service.handlers import certifying, policies, tags
from keystead.service.handlers.limits import fitting
from keystead.service.handlers.making import generated, held_in
from keystead.service.handlers.placing import elsewhere, in_cluster, made_in
from keystead.service.handlers.standing import begun, existing, staying
from keystead.service.handlers.terms import scheduled, settled
from keystead.service.held import HeldKey, HeldKeyring
from keystead.service.hsms import Made
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.service.reach import PAGE

E = TypeVar("E", bound=Entity)
MAX_DESCRIPTION = 8192  # characters; KMS API Reference, CreateKey


def create_key(op: ops.CreateKey, targets: tuple[Any, ...], act: Act) -> Outcome[Described]:
    """Raises Unsupported, InvalidArgument (purpose), LimitExceeded, AlreadyExists, and what policies.fixed, terms and
    placing raise."""
    ring: HeldKeyring = targets[0]  # tags are a second demand on the same keyring; a key store is the last target
    if op.name and ring.answers(op.keyring.namespace, op.name):
        raise AlreadyExists("the name is taken", "name")
    if op.unasked and not ring.keyring.upserts:
        raise NotFound("no key of that name, and none is made unasked", "upsert")
    if op.elsewhere is None and op.origin not in {Origin.GENERATED, Origin.EXTERNAL}:
        raise Unsupported(f"keying material from {op.origin.value}", "origin")
    if op.origin is Origin.EXTERNAL and not importable(op.spec, op.purpose):
        raise Unsupported(f"material of {op.spec.name} keys is not imported", "origin")
    if op.purpose not in op.spec.purposes:
        raise InvalidArgument(f"a {op.spec.name} key is not for {op.purpose.name.lower()}", "purpose")
    if act.cutoffs is not None:
        act.cutoffs.require_any(op.spec, op.purpose, act.now)
    checked_description(op.description)
    waits = op.origin is Origin.EXTERNAL
    key = Key(
        id=_new_id(op, act),
        tenant=ring.tenant,
        keyring=ring.id,
        spec_name=op.spec.name,
        purpose=op.purpose,
        origin=op.origin,
        lifecycle=Lifecycle(state=KeyState.PRE_ACTIVE if waits else KeyState.ACTIVE, since=act.now),
        created_at=act.now,
        created_by=act.principal.id,
        n_versions=0 if waits else 1,
        current=0 if waits else 1,
        description=op.description,
        tags=tags.merged({}, op.tags, act),
        is_primary=op.multi_region,
    )
    key = replace(key, terms=settled(op.terms, key), rotation=scheduled(op.rotate_every, key, act.now))
    key = replace(key, limits=fitting(op.limits, key))
    key = replace(key, hsm="" if op.elsewhere is not None else held_in(key, op.hsm, ring.keyring, act))
    beside = _beside(op, key, ring, act)
    copies = (Copy(key, ring.namespaces),) if op.multi_region else ()
    if op.elsewhere is not None:
        return _placed(op, op.elsewhere, key, beside, targets, act)
    if waits:
        return Outcome(answer=Described(key, None, copies), put=(key, *beside), seen=(ring.keyring,), made=key.id)
    made = generated(key, 1, act)
    version = first_version(key, made)
    return Outcome(
        answer=Described(key, version, copies),
        put=(key, version, *beside),
        seen=(ring.keyring,),
        material={version.id: made.material},
        versions=(1,),
        made=key.id,
    )


def _beside(op: ops.CreateKey, key: Key, ring: HeldKeyring, act: Act) -> tuple[Entity, ...]:
    """What is kept with a new key: its policy, a name if it gets one, and the count of its uses if it is limited."""
    policy = policies.fixed(op.policy, key, op.keyring.namespace, act, bypass=op.bypass_lockout_check)
    named = (new_name(ring, key, op.keyring.namespace, op.name, act.now),) if op.name else ()
    used = (Usage(id=key.id),) if key.limits is not None else ()
    return policy, *named, *used


def _new_id(op: ops.CreateKey, act: Act) -> str:
    if op.multi_region:
        return new_copy(new_family(act.entropy(FAMILY_BYTES)), act.entropy(COPY_BYTES))
    return new_id(act.entropy)


def _placed(
    op: ops.CreateKey, where: ops.Placed, key: Key, beside: tuple[Entity, ...], targets: tuple[Any, ...], act: Act
) -> Outcome[Described]:
    """In a key store: our half of it, or in an HSM all of it. The store's revision grows: of two keys made at once with
    one half there, one is made."""
    ring, held = targets[0].keyring, targets[-1]
    store: KeyStore = held.store
    with made_in(store):
        if store.cluster is None:
            key = replace(key, elsewhere=elsewhere(op, where, held, act))
        else:
            key = in_cluster(op, key, store.cluster, held, act)
        made = generated(key, 1, act)
    version = first_version(key, made)
    return Outcome(
        answer=_with_store(Described(key, version), store),
        put=(key, version, *beside, store),
        seen=(ring,),
        material={version.id: made.material},
        versions=(1,),
        made=key.id,
    )


def _with_store(found: Described, store: KeyStore | None) -> Described:
    if store is None:
        return found
    return replace(found, connection=store.connection, cluster=store.cluster.id if store.cluster else "")


def new_name(ring: HeldKeyring, key: Key, namespace: str, name: str, now: datetime) -> Name:
    return Name(
        id=ring.name_id(namespace, name),
        keyring=ring.id,
        key_id=key.id,
        namespace=namespace,
        name=name,
        created_at=now,
        updated_at=now,
    )


def first_version(key: Key, made: Made) -> KeyVersion:
    return KeyVersion(
        id=f"{key.id}/1",
        key_id=key.id,
        number=1,
        lifecycle=key.lifecycle,
        created_at=key.created_at,
        public_key=made.public_key,
        entropy=made.entropy,
        in_hsm=made.in_hsm,
    )


def described(held: HeldKey, *, ends: bool = False) -> Described:
    """With its current version, unless it has none; or, where the key is to be destroyed, that is damaged."""
    has_material = held.key.n_versions > 0 and held.key.lifecycle.state is not KeyState.DESTROYED
    try:
        version = held.version().version if has_material else None
    except Unavailable as error:
        if error.detail != DAMAGED or not (ends or held.key.lifecycle.doomed):
            raise
        version = None
    return _with_store(Described(held.key, version), held.store)


def describe_key(_op: ops.DescribeKey, targets: tuple[HeldKey], _act: Act) -> Outcome[Described]:
    """Destroyed keys too: their metadata is kept."""
    (held,) = targets
    fate = certifying.fate_of(held) if held.key.lifecycle.state is KeyState.DESTROYED else ""
    found = replace(described(held), copies=copies_of(held), n_outstanding=held.n_outstanding(), fate=fate)
    return Outcome(answer=found)


def copies_of(held: HeldKey) -> tuple[Copy, ...]:
    """The key and its relatives, where it has a family."""
    if not held.key.multi_region:
        return ()
    others = (Copy(other.key, other.namespaces()) for other in held.relatives())
    return (Copy(held.key, held.keyring.namespaces), *others)


def list_keys(op: ops.ListKeys, targets: tuple[HeldKeyring], act: Act) -> Outcome[Page[str]]:
    """Keys that are not destroyed, by id."""
    (ring,) = targets
    lasting = (
        key
        for key in walk(lambda after, limit: ring.keys(after=after, limit=limit), op.after, op.limit)
        if key.lifecycle.at(act.now).state is not KeyState.DESTROYED
    )
    page = paged(lasting, op.limit)
    return Outcome(answer=Page(tuple(known_as(key.id) for key in page.items), page.after))


def walk(read: Callable[[str, int], list[E]], after: str, wanted: int = PAGE) -> Iterator[E]:
    """What `read(after, limit)` lists, from `after` on; in pages of one more than `wanted`, which is often enough."""
    size = min(wanted + 1, PAGE)
    while rows := read(after, size):
        yield from rows
        if len(rows) < size:
            return
        after = rows[-1].id


def paged(entities: Iterator[E], limit: int) -> Page[E]:
    """The first `limit` of them. Another page is promised only when there is something to put on it."""
    taken = list(islice(entities, limit))
    more = len(taken) == limit and next(entities, None) is not None
    return Page(tuple(taken), taken[-1].id if more else None)


def update_key(op: ops.UpdateKey, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    (held,) = targets
    staying(held.key, act.now)
    checked_description(op.description)
    return Outcome(answer=Nothing(), put=(replace(held.key, description=op.description),))


def checked_description(text: str) -> None:
    if len(text) > MAX_DESCRIPTION:
        raise LimitExceeded(f"a description has at most {MAX_DESCRIPTION} characters", "description")


def enable_key(_op: ops.EnableKey, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    """Nothing happens to a key that is in service already."""
    return _moved(replace(targets[0].key, restored_at=None), Event.RESUME, KeyState.ACTIVE, act)


def disable_key(_op: ops.DisableKey, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    return _moved(targets[0].key, Event.SUSPEND, KeyState.SUSPENDED, act)


def _moved(key: Key, event: Event, to: KeyState, act: Act) -> Outcome[Nothing]:
    life = begun(key, act.now)
    if life.state is to:
        return Outcome(answer=Nothing())
    return Outcome(answer=Nothing(), put=(replace(key, lifecycle=life.after(event, act.now)),))


def read_last_use(_op: ops.ReadLastUse, targets: tuple[HeldKey], act: Act) -> Outcome[ops.LastUsed]:
    (held,) = targets
    existing(held.key, act.now)
    return Outcome(answer=ops.LastUsed(held.key, held.last_use()))


def read_key_settings(_op: ops.ReadKeySettings, targets: tuple[HeldKeyring], _act: Act) -> Outcome[ops.KeySettings]:
    return Outcome(answer=ops.KeySettings(targets[0].keyring.upserts))


def put_key_settings(op: ops.PutKeySettings, targets: tuple[HeldKeyring], _act: Act) -> Outcome[ops.KeySettings]:
    ring = targets[0].keyring
    return Outcome(answer=op.settings, put=(replace(ring, upserts=op.settings.upserts),))


HANDLERS: dict[type, Handler] = {
    ops.ReadKeySettings: read_key_settings,
    ops.PutKeySettings: put_key_settings,
    ops.CreateKey: create_key,
    ops.DescribeKey: describe_key,
    ops.ListKeys: list_keys,
    ops.UpdateKey: update_key,
    ops.EnableKey: enable_key,
    ops.DisableKey: disable_key,
    ops.ReadLastUse: read_last_use,
}
