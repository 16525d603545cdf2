"""Managed keys (core.managedkeys): configured, tried, and used by a mount as keys of its own.

The object in the HSM is another's: a key here is a handle of it, and destroying the key leaves the object where it is.
"""

from __future__ import annotations

import re

import msgspec

from keystead.core import operations as ops
from keystead.core.algorithms import KeySpec, MessageForm, Purpose
from keystead.core.entities import Key, Origin, Setting, Terms, Topic
from keystead.core.errors import AlreadyExists, Conflict, Denied, InvalidArgument, KeysteadError, NotFound
from keystead.core.identifiers import new_id
from keystead.core.keystores import Failure, Trouble
from keystead.core.managedkeys import ManagedKey
from keystead.core.operations import Described, Nothing
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState, Lifecycle
from keystead.service.handlers import policies
from keystead.service.handlers.keys import first_version, new_name
from keystead.service.held import HeldKeyring, HeldTenant
from keystead.service.hsms import Made
from keystead.service.pipeline import Act, Handler, Outcome

NAME = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,126}[a-z0-9])?")
ABSENT = "managed key"
"""detail of the NotFound for one that a tenant does not have."""
CHALLENGE = 32


def configured(op: ops.WriteSetting, before: Setting | None, act: Act) -> ManagedKey:
    """What is kept of what was given: all but the PIN, which has to be the one that the operator has given.

    Raises InvalidArgument (detail: the parameter), Unavailable.
    """
    given = dict(op.given)
    pin: Sensitive = given.pop("pin")
    if NAME.fullmatch(op.name) is None:
        raise InvalidArgument("a managed key's name is in lower case", "name")
    uuid = read(before).uuid if before else new_id(act.entropy)
    made = msgspec.convert({**given, "uuid": uuid}, ManagedKey)
    if made.hsm not in act.hsms.names:
        raise InvalidArgument(f"no kms_library of the name {made.hsm!r} is configured", "library")
    if not made.label and not made.id:
        raise InvalidArgument("key_label or key_id is to be given", "key_label")
    _ = made.specs
    try:
        act.hsms.clusters.check(made.hsm, pin)
    except KeysteadError as error:
        if isinstance(error.detail, Failure) and error.detail.trouble is Trouble.UNAUTHENTICATED:
            raise InvalidArgument("the PIN is not that of the HSM's user", "pin") from error
        raise
    if not act.hsms.clusters.is_at(made.hsm, label=made.token_label, slot=made.slot):
        raise InvalidArgument("the HSM's token has another label, or is in another slot", "token_label")
    return made


def read(setting: Setting) -> ManagedKey:
    return msgspec.json.decode(setting.value, type=ManagedKey)


def unused(tenant: HeldTenant, name: str) -> None:
    """Raises Conflict where a mount is allowed to use it."""
    if any(name in mount.managed_keys for mount in tenant.mounts()):
        raise Conflict(f"a mount is allowed to use the managed key {name}", "allowed_managed_keys")


def _found(tenant: HeldTenant | None, said: str) -> tuple[str, ManagedKey]:
    """(name, managed key), by its name or its UUID. Raises NotFound."""
    settings = tenant.settings(Topic.MANAGED_KEY) if tenant is not None else ()
    for setting in settings:
        managed = read(setting)
        if said in {setting.name, managed.uuid}:
            return setting.name, managed
    raise NotFound("no such managed key", ABSENT)


def _adopted(managed: ManagedKey, act: Act) -> tuple[KeySpec, Made]:
    provider = act.hsms.at(managed.hsm)
    spec, made = provider.adopt(managed.specs, managed.label, managed.id_bytes, make=managed.allow_generate_key)
    return spec, Made(made.material, made.public_key)


def create_managed_key(op: ops.CreateManagedKey, targets: tuple[HeldKeyring], act: Act) -> Outcome[Described]:
    """Raises NotFound (ABSENT; "key_label" where the HSM has none), Denied where the mount may not use it."""
    (ring,) = targets
    place = op.keyring.namespace
    if ring.answers(place, op.name):
        raise AlreadyExists("the name is taken", "name")
    tenant = act.tenant(ring.tenant)
    name, managed = _found(tenant, op.managed)
    mount = None if tenant is None else tenant.mount_of_id(place)
    if not managed.any_mount and (mount is None or name not in mount.managed_keys):
        raise Denied(f"the mount is not allowed to use the managed key {name}", "allowed_managed_keys")
    spec, made = _adopted(managed, act)
    if act.cutoffs is not None:
        act.cutoffs.require_any(spec, managed.purpose, act.now)
    key = Key(
        id=new_id(act.entropy),
        tenant=ring.tenant,
        keyring=ring.id,
        spec_name=spec.name,
        purpose=managed.purpose,
        origin=Origin.HSM,
        lifecycle=Lifecycle(state=KeyState.ACTIVE, since=act.now),
        created_at=act.now,
        created_by=act.principal.id,
        terms=Terms(every_version=True),
        hsm=managed.hsm,
        managed=name,
    )
    version = first_version(key, made)
    policy = policies.fixed(None, key, place, act, bypass=False)
    return Outcome(
        answer=Described(key, version),
        put=(key, version, policy, new_name(ring, key, place, op.name, act.now)),
        seen=(ring.keyring,),
        material={version.id: made.material},
        versions=(1,),
        made=key.id,
    )


def try_managed_key(op: ops.TestManagedKey, targets: tuple[HeldTenant], act: Act) -> Outcome[Nothing]:
    """Sign random data and verify it; a key that may be generated is. Raises what adopting raises; InvalidArgument."""
    name, managed = _found(targets[0], op.name)
    spec, made = _adopted(managed, act)
    provider, message = act.hsms.at(managed.hsm), act.entropy(CHALLENGE)
    algorithm = spec.default(Purpose.SIGNATURE)
    loaded = provider.load(spec, made.material, key_id=managed.uuid, version=1)
    signature = loaded.sign(algorithm, message, MessageForm.RAW)
    ours = act.provider.load_public(spec, made.public_key)
    if not ours.verify(algorithm, message, signature, MessageForm.RAW):
        raise InvalidArgument("the signature of the managed key does not verify", "mechanism")
    return Outcome(answer=Nothing(), made=f"{Topic.MANAGED_KEY}/{name}")


HANDLERS: dict[type, Handler] = {
    ops.CreateManagedKey: create_managed_key,
    ops.TestManagedKey: try_managed_key,
}
