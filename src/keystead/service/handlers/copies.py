"""Backups of a key that whoever holds them can read (core.operations.copies)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.algorithms import KeySpec
from keystead.core.entities import Key, KeyVersion, Name, Origin
from keystead.core.errors import AlreadyExists, InvalidArgument, Unsupported, WrongState
from keystead.core.identifiers import new_id
from keystead.core.operations import Breach, CopiedVersion, Described, KeyCopy
from keystead.core.providers import Generated
from keystead.core.sensitive import Sensitive
from keystead.core.states import Event, KeyState, Lifecycle, Use
from keystead.service.handlers import policies
from keystead.service.handlers.keys import new_name
from keystead.service.handlers.limits import not_leaving
from keystead.service.handlers.making import held_in, in_software
from keystead.service.handlers.standing import existing
from keystead.service.handlers.terms import settled
from keystead.service.handlers.use import require_key
from keystead.service.held import HeldKey, HeldKeyring
from keystead.service.pipeline import Act, Handler, Outcome


def copy_key(_op: ops.CopyKey, targets: tuple[HeldKey], act: Act) -> Outcome[KeyCopy]:
    (held,) = targets
    key, terms = held.key, held.key.terms
    require_key(held, Use.PROCESS, act.now, counts=False)
    for allowed, breach in ((terms.exportable, Breach.NOT_EXPORTABLE), (terms.copyable, Breach.NOT_COPYABLE)):
        if not allowed:
            raise WrongState(f"the key's terms do not allow it: {breach.value}", breach)
    not_leaving(key)
    in_software(key)
    answer = KeyCopy(
        spec=key.spec,
        purpose=key.purpose,
        terms=terms,
        current=key.current,
        sealed_as=key.in_header,
        versions=tuple(
            CopiedVersion(one.number, one.created_at, held.material(one), one.is_public)
            for one in held.versions()
            if one.wrapped
        ),
        imported=key.origin is Origin.EXTERNAL,
    )
    return Outcome(answer=answer)


OVER_FOR = timedelta(days=30)  # until what was restored over is destroyed
MOST_VERSIONS = 1_000_000  # that a key can have had: its number stands in four bytes of a ciphertext
EPOCH = datetime.fromtimestamp(0, UTC)


def restore_key(op: ops.RestoreKey, targets: tuple[Any, ...], act: Act) -> Outcome[Described]:
    """The material is examined as any that comes from outside."""
    ring: HeldKeyring = targets[0]
    if op.over is None and ring.answers(op.keyring.namespace, op.name):
        raise AlreadyExists("the name is taken", "name")
    copy = op.copy
    _checked(copy)
    key = Key(
        id=new_id(act.entropy),
        tenant=ring.tenant,
        keyring=ring.id,
        spec_name=copy.spec.name,
        purpose=copy.purpose,
        origin=Origin.EXTERNAL if copy.imported else Origin.GENERATED,
        lifecycle=Lifecycle(state=KeyState.ACTIVE, since=act.now),
        created_at=act.now,
        created_by=act.principal.id,
        n_versions=copy.current,
        current=copy.current,
        sealed_as=copy.sealed_as,
    )
    key = replace(key, terms=settled(copy.terms, key))
    key = replace(key, hsm=held_in(key, None, ring.keyring, act))
    if op.over is not None:
        _not_lowered(targets[1].key, key)
    made = [_version(one, key, act) for one in copy.versions]
    versions = tuple(version for version, _ in made)
    policy = policies.fixed(None, key, op.keyring.namespace, act, bypass=False)
    named = new_name(ring, key, op.keyring.namespace, op.name, act.now)
    given = () if op.over is None else _taken_over(targets[1], named, act)
    named = replace(named, revision=given[1].revision) if given else named
    return Outcome(
        answer=Described(key, versions[-1]),
        put=(key, *versions, policy, named, *given[:1]),
        seen=(ring.keyring,),
        material={version.id: material for version, material in made},
        made=key.id,
    )


def _not_lowered(old: Key, new: Key) -> None:
    """Raises Unsupported (detail ops.NOT_HELD): whoever goes by the name would use a key in software, unknowing."""
    if old.hsm and old.hsm != new.hsm:
        raise Unsupported(f"the key of that name is held in the HSM {old.hsm}, and a backup is not", ops.NOT_HELD)


def _taken_over(held: HeldKey, named: Name, act: Act) -> tuple[Key, Name]:
    """The key as it is to be, and its name as it was. Raises Unsupported where it is another address's name."""
    old = next((one for one in held.names if one.id == named.id), None)
    if old is None:
        raise Unsupported("the name is an alias of another door's", "name")
    life = existing(held.key, act.now)
    if life.state is KeyState.ACTIVE:
        life = life.after(Event.SUSPEND, act.now)
    if not life.doomed:
        life = replace(life, destroy_at=act.now + OVER_FOR)
    return replace(held.key, lifecycle=life), old


def _version(copied: CopiedVersion, key: Key, act: Act) -> tuple[KeyVersion, Sensitive]:
    registered = _registered(key.spec, copied, act)
    version = KeyVersion(
        id=f"{key.id}/{copied.number}",
        key_id=key.id,
        number=copied.number,
        lifecycle=key.lifecycle,
        created_at=copied.created_at,
        public_key=registered.public_key,
        is_public=copied.is_public,
    )
    return version, registered.material


def _registered(spec: KeySpec, copied: CopiedVersion, act: Act) -> Generated:
    register = act.provider.register_public if copied.is_public else act.provider.register
    return register(spec, copied.material)


def _checked(copy: KeyCopy) -> None:
    """Raises InvalidArgument for what no key of ours can have been."""
    terms, last = copy.terms, copy.current
    try:
        canonical = str(UUID(copy.sealed_as)) == copy.sealed_as
    except ValueError:
        canonical = False
    first = max(terms.min_kept, 1)
    fits = (
        canonical,
        0 < last <= MOST_VERSIONS,
        terms.every_version and terms.exportable and terms.copyable,
        copy.purpose in copy.spec.purposes,
        len(copy.versions) == last + 1 - first,
        all(one.number == number for number, one in enumerate(copy.versions, first)),
        all(one.created_at >= EPOCH for one in copy.versions),
        not (terms.derived and any(one.is_public for one in copy.versions)),  # of a public key no pairs are derived
        0 <= terms.min_kept <= terms.min_process <= last and terms.min_process >= 1,
        terms.min_protect == 0 or terms.min_process <= terms.min_protect <= last,
    )
    if not all(fits):
        raise InvalidArgument("no copy of a key", "copy")


HANDLERS: dict[type, Handler] = {ops.CopyKey: copy_key, ops.RestoreKey: restore_key}
