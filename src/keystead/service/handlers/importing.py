"""Keying material that is imported to stay, and wrapped to be imported elsewhere (core.operations.imports).

PKCS #11 v3.1 §2.1.21 (CKM_RSA_AES_KEY_WRAP): RSAES-OAEP wraps a 256-bit AES key, and that the material (RFC 5649).
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS, Family, KeySpec, Purpose
from keystead.core.entities import Entity, Key, KeyVersion, Origin
from keystead.core.errors import AlreadyExists, InvalidArgument, Unsupported, WrongState
from keystead.core.identifiers import new_id
from keystead.core.limits import counted
from keystead.core.operations import Breach, Described, Parcel, Unfit
from keystead.core.providers import Generated
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState, Lifecycle, Use
from keystead.core.wrapping import RAW
from keystead.crypto.agree import drawn_out
from keystead.crypto.wrapping import wraps_by
from keystead.service.handlers import policies
from keystead.service.handlers.export import wanted
from keystead.service.handlers.keys import first_version, new_name
from keystead.service.handlers.limits import not_leaving
from keystead.service.handlers.making import brought, generated, held_in, in_software, registered
from keystead.service.handlers.standing import active
from keystead.service.handlers.terms import scheduled, settled
from keystead.service.handlers.use import algorithm_for, chosen, require, require_key
from keystead.service.held import HeldKey, HeldKeyring
from keystead.service.hsms import Made
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.service.tickets import unwrap, wrap

WRAPPING_SPEC = KEY_SPECS["RSA_4096"]
PAIRED = frozenset({Family.RSA, Family.EC, Family.EDWARDS})


def _new(ring: HeldKeyring, spec: KeySpec, act: Act, **facts: Any) -> Key:
    return Key(
        id=new_id(act.entropy),
        tenant=ring.tenant,
        keyring=ring.id,
        spec_name=spec.name,
        lifecycle=Lifecycle(state=KeyState.ACTIVE, since=act.now),
        created_at=act.now,
        created_by=act.principal.id,
        **facts,
    )


def _put(
    op: ops.MakeWrappingKey | ops.ImportKey | ops.AgreeOnKey,
    name: str,
    ring: HeldKeyring,
    key: Key,
    version: KeyVersion,
    made: Made,
    act: Act,
) -> Outcome[Described]:
    place = op.keyring.namespace
    policy = policies.fixed(None, key, place, act, bypass=False)
    put: tuple[Entity, ...] = (key, version, policy, new_name(ring, key, place, name, act.now))
    return Outcome(
        answer=Described(key, version),
        put=put,
        seen=(ring.keyring,),
        material={version.id: made.material},
        versions=(1,),
        made=key.id,
    )


def make_wrapping_key(op: ops.MakeWrappingKey, targets: tuple[HeldKeyring], act: Act) -> Outcome[Described]:
    """For no purpose that an RSA key has, so that no operation uses it."""
    (ring,) = targets
    if ring.name(op.keyring.namespace, ops.WRAPPING_KEY) is not None:
        raise AlreadyExists("the wrapping key is there", "name")
    if act.cutoffs is not None:
        act.cutoffs.require_any(WRAPPING_SPEC, None, act.now)
    key = _new(
        ring,
        WRAPPING_SPEC,
        act,
        purpose=Purpose.ENCAPSULATION,
        origin=Origin.GENERATED,
        description="opens what is wrapped to be imported",
    )
    made = generated(key, 1, act)  # in software: what it opens is opened here
    return _put(op, ops.WRAPPING_KEY, ring, key, first_version(key, made), made, act)


def _opened(parcel: Parcel, specs: tuple[KeySpec, ...], by: HeldKey, act: Act) -> tuple[KeySpec, Generated]:
    """What is in it, examined as all material from outside, as software has it. `by`: the wrapping key, or whatever the
    first target is."""
    if parcel.wrapping is None:
        return specs[0], act.provider.register_public(specs[0], Sensitive(parcel.content))
    if act.cutoffs is not None:
        digest = parcel.wrapping.digest or ""
        act.cutoffs.require_with(by.key.spec, wraps_by(parcel.wrapping), digest, act.now)
    version = require(by, Use.PROCESS, act.now).version
    if by.room is not None:
        by.room.take(counted(Use.PROCESS, len(parcel.content)))
    material = unwrap(parcel.wrapping, by.material(version), parcel.content)
    spec = next((one for one in specs if one.bits == 8 * len(material)), specs[0])
    if spec.family in RAW and spec.bits != 8 * len(material):
        raise InvalidArgument(f"{len(material)} bytes are no {spec.name} key", ops.Length(len(material)))
    return spec, act.provider.register(spec, material)


def import_key(op: ops.ImportKey, targets: tuple[Any, ...], act: Act) -> Outcome[Described]:
    ring: HeldKeyring = targets[0]
    if ring.answers(op.keyring.namespace, op.name):
        raise AlreadyExists("the name is taken", "name")
    spec, ours = _opened(op.parcel, op.specs, targets[-1], act)
    if act.cutoffs is not None:
        act.cutoffs.require_any(spec, None, act.now)
    key = _new(ring, spec, act, purpose=spec.purposes[0], origin=Origin.EXTERNAL)
    key = replace(key, terms=settled(op.terms, key))
    _not_half(op.parcel, key)
    key = replace(key, rotation=scheduled(op.rotate_every, key, act.now))
    key = replace(key, hsm=held_in(key, None, ring.keyring, act))
    made = brought(key, 1, ours, act, is_public=op.parcel.wrapping is None)
    version = replace(first_version(key, made), is_public=op.parcel.wrapping is None)
    return _put(op, op.name, ring, key, version, made, act)


def _not_half(parcel: Parcel, key: Key) -> None:
    """Raises InvalidArgument: of a public key no pairs can be derived."""
    if key.terms.derived and parcel.wrapping is None:
        raise InvalidArgument("key pairs are derived of a private key, and this is a public one", "public_key")


def agree_on_key(op: ops.AgreeOnKey, targets: tuple[HeldKeyring, HeldKey], act: Act) -> Outcome[Described]:
    ring, base = targets
    if ring.answers(op.keyring.namespace, op.name):
        raise AlreadyExists("the name is taken", "name")
    algorithm = algorithm_for(base.key, Purpose.AGREEMENT)
    if act.cutoffs is not None:
        act.cutoffs.require_any(op.spec, None, act.now)
    version = require(base, Use.PROCESS, act.now, chosen(base.key, op.version))
    secret = version.loaded.agree(algorithm, op.peer_public_key)
    key = _new(ring, op.spec, act, purpose=op.spec.purposes[0], origin=Origin.EXTERNAL)
    key = replace(key, terms=settled(op.terms, key))
    key = replace(key, hsm=held_in(key, None, ring.keyring, act))
    made = registered(key, 1, drawn_out(secret, (op.spec.bits or 0) // 8), act)
    return _put(op, op.name, ring, key, first_version(key, made), made, act)


def import_version(op: ops.ImportVersion, targets: tuple[HeldKey, ...], act: Act) -> Outcome[Described]:
    held = targets[0]
    key = held.key
    active(key, act.now)
    if key.origin is not Origin.EXTERNAL or not key.terms.every_version:
        raise Unsupported("the key was not imported", Unfit.NOT_IMPORTED)
    _not_half(op.parcel, key)
    _, ours = _opened(op.parcel, (key.spec,), targets[-1], act)
    is_public = op.parcel.wrapping is None
    old = _waiting(op, held, ours)
    if old is not None:
        made = brought(key, old.number, ours, act, is_public=False)
        whole = replace(old, is_public=False, position=-1, wrapped=b"", in_hsm=made.in_hsm)
        return Outcome(
            answer=Described(key, whole),
            put=(key, whole),
            material={whole.id: made.material},
            versions=(whole.number,),
        )
    if act.cutoffs is not None:
        act.cutoffs.require_any(key.spec, None, act.now)
    number = key.n_versions + 1
    grown = replace(key, n_versions=number, current=number)
    made = brought(key, number, ours, act, is_public=is_public)
    version = KeyVersion(
        id=f"{key.id}/{number}",
        key_id=key.id,
        number=number,
        lifecycle=Lifecycle(state=KeyState.ACTIVE, since=act.now),
        created_at=act.now,
        public_key=made.public_key,
        is_public=is_public,
        in_hsm=made.in_hsm,
    )
    return Outcome(
        answer=Described(grown, version),
        put=(grown, version),
        material={version.id: made.material},
        versions=(number,),
    )


def _waiting(op: ops.ImportVersion, held: HeldKey, made: Generated) -> KeyVersion | None:
    """The version that this is the private half of. Raises InvalidArgument (Unfit)."""
    is_private, key = op.parcel.wrapping is not None, held.key
    if op.number is None:
        current = held.version().version
        fits = is_private and current.is_public and current.public_key == made.public_key
        return current if fits else None
    old = next((one for one in held.versions() if one.number == op.number and one.wrapped), None)
    for wrong, unfit in (
        (old is None, Unfit.NO_VERSION),
        (key.spec.family not in PAIRED, Unfit.NO_PAIR),
        (old is not None and not old.is_public, Unfit.WHOLE),
        (not is_private, Unfit.PUBLIC_AGAIN),
        (old is not None and old.public_key != made.public_key, Unfit.OTHER_PAIR),
    ):
        if wrong:
            raise InvalidArgument(f"the parcel has no place in the key: {unfit.value}", unfit)
    return old


def export_wrapped(op: ops.ExportWrapped, targets: tuple[HeldKey, HeldKey], act: Act) -> Outcome[ops.Parcels]:
    held, under = targets
    key = held.key
    require_key(held, Use.PROCESS, act.now, counts=False)
    if not key.terms.exportable:
        raise WrongState("the key's terms do not let it be exported", Breach.NOT_EXPORTABLE)
    not_leaving(key)
    algorithm = algorithm_for(under.key, Purpose.CIPHER)
    if under.key.spec.family is not Family.RSA:
        raise InvalidArgument("only an RSA key wraps keys", ops.NOT_RSA)
    if act.cutoffs is not None:
        act.cutoffs.require_with(under.key.spec, algorithm, op.wrapping.digest or "", act.now)
    public = require(under, Use.PROTECT, act.now).version.public_key
    in_software(key)
    found = tuple(wanted(op.version, held))
    if any(one.is_public for one in found):
        raise WrongState("the private half is not here", Breach.NO_PRIVATE_HALF)
    parcels = {one.number: wrap(op.wrapping, public, held.material(one), act.entropy) for one in found}
    return Outcome(answer=ops.Parcels(key, parcels), versions=tuple(parcels)[:1] if len(parcels) == 1 else ())


HANDLERS: dict[type, Handler] = {
    ops.MakeWrappingKey: make_wrapping_key,
    ops.ImportKey: import_key,
    ops.ImportVersion: import_version,
    ops.AgreeOnKey: agree_on_key,
    ops.ExportWrapped: export_wrapped,
}
