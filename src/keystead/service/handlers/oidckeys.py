"""The keys that sign tokens of identity. Vault HTTP API, "Identity secrets engine: tokens"; OpenBao, store_oidc.go.

Each is a key of the keyring at the identity engine's address, rotated on schedule like any other. Its current version
is published before it signs, so that verifiers know it by then; the version before it signs.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS, Purpose
from keystead.core.entities import (
    Binding,
    Entity,
    Key,
    Keyring,
    KeyVersion,
    OidcClient,
    OidcKey,
    OidcRole,
    OidcSettings,
    Retired,
    RotatedBy,
    Rotation,
    Terms,
)
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.operations import DEFAULT_KEY, KeyringRef, Nothing, identity_address
from keystead.core.sensitive import Sensitive
from keystead.core.states import Event, KeyState
from keystead.service.handlers.keys import create_key
from keystead.service.handlers.material import erased
from keystead.service.handlers.principals import new_id
from keystead.service.held import HeldKeyring, HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

SPECS = {
    "RS256": "RSA_2048",
    "RS384": "RSA_2048",
    "RS512": "RSA_2048",
    "ES256": "EC_P256",
    "ES384": "EC_P384",
    "ES512": "EC_P521",
    "EdDSA": "ED25519",
}
"""Algorithm of RFC 7518 -> what is made for it."""
DAY, LEAST_PERIOD, MOST_PERIODS = 24 * 3600, 60, 10  # seconds; a version is published for so many periods at most
MAX_PUBLISHED = 64  # versions of one key, the newest
MAX_KEYS, MAX_CLIENTS, MAX_RETIRED, MAX_ISSUER = 1000, 1000, 8, 240


# --- settings


def write_settings(op: ops.WriteOidcSettings, targets: tuple[HeldTenant], _act: Act) -> Outcome[OidcSettings]:
    (tenant,) = targets
    check_origin(op.issuer)
    before = tenant.oidc_settings() or OidcSettings(id=tenant.id)
    settings = replace(before, issuer=op.issuer)
    return Outcome(answer=settings, put=(settings,))


def check_origin(text: str) -> None:
    """Raises InvalidArgument for what is more, or less, than "https://host:port"; "" is none."""
    if text and not _is_origin(text):
        raise InvalidArgument(
            "invalid issuer, which must include only a scheme, host, and optional port (e.g. https://example.com:8200)",
            "issuer",
        )


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    is_bare = text == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc
    return (
        is_bare
        and parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and text.isprintable()
        and len(text) <= 255
    )


def read_settings(_op: ops.ReadOidcSettings, targets: tuple[HeldTenant], _act: Act) -> Outcome[OidcSettings]:
    return Outcome(answer=targets[0].oidc_settings() or OidcSettings(id=targets[0].id))


# --- keys


def key_named(tenant: HeldTenant, name: str) -> OidcKey | None:
    """The default one too, as it is to be, where it has not been made yet."""
    found = tenant.oidc_key(name)
    if found is None and name == DEFAULT_KEY:
        return OidcKey(
            id=tenant.oidc_key_id(name),
            tenant=tenant.id,
            name=name,
            algorithm="RS256",
            rotation_period=DAY,
            verification_ttl=DAY,
            allowed_client_ids=("*",),
        )
    return found


def lasting(tenant: HeldTenant, record: OidcKey, now: datetime) -> Iterator[tuple[KeyVersion, datetime | None]]:
    """What waits, what signs, and what has signed; and when that is published no more. The newest first.

    A version has signed until the one after the next was made. However many there have been, few are looked at.
    """
    created: dict[int, datetime] = {}
    ttl, current = timedelta(seconds=record.verification_ttl), tenant.key(record.key_id).current
    for number in range(current, max(0, current - MAX_PUBLISHED), -1):
        version = tenant.key_version(record.key_id, number)
        created[number] = version.created_at
        retired = created.get(number + 2)
        ends = record.ends.get(str(number), None if retired is None else retired + ttl)
        if ends is None or ends > now:
            yield version, ends
        elif retired is not None and retired + ttl <= now:
            return  # those before it are older still


class Making:
    """What one commit makes, changes and destroys of keys."""

    def __init__(self, tenant: HeldTenant, act: Act) -> None:
        self._tenant, self._act = tenant, act
        self._at = identity_address(tenant.id)
        self.put: list[Entity] = []
        self.delete: list[Entity] = []
        self.seen: list[Entity] = []
        self.destroy: list[KeyVersion] = []
        self.material: dict[str, Sensitive] = {}

    def ring(self) -> HeldKeyring:
        """The keyring of these keys; it comes with the first of them."""
        found = self._tenant.keyring_bound(self._at)
        if found is None:
            ring = Keyring(
                id=new_id(self._act.entropy), tenant=self._tenant.id, name="identity", created_at=self._act.now
            )
            self.put += [ring, Binding(id=self._at, keyring=ring.id, created_at=self._act.now)]
            found = self._tenant.held_keyring(ring, self._at)
        return found

    def made(self, record: OidcKey) -> OidcKey:
        """With a key of its own, in two versions: one that signs, one that waits."""
        ring = self.ring()
        spec = KEY_SPECS[SPECS[record.algorithm]]
        wanted = ops.CreateKey(
            keyring=KeyringRef(self._at),
            spec=spec,
            purpose=Purpose.SIGNATURE,
            description=f"signs tokens of identity: {record.name}",
            terms=Terms(every_version=True),
            hsm="",  # verifiers trust it for a day, and a token is signed on every login (docs/adr/0034)
        )
        done = create_key(wanted, (ring,), self._act)
        key = done.answer.key
        self.put += [entity for entity in done.put if entity.id != key.id or not isinstance(entity, Key)]
        self.seen += done.seen if ring.keyring.revision else ()
        self.material |= done.material
        self._next(replace(key, rotation=_schedule(record.rotation_period, self._act.now)))
        return replace(record, key_id=key.id)

    def _next(self, key: Key) -> None:
        """Another version, which is the current one from now on."""
        made = self._act.provider.generate(key.spec)
        number = key.n_versions + 1
        version = KeyVersion(
            id=f"{key.id}/{number}",
            key_id=key.id,
            number=number,
            lifecycle=replace(key.lifecycle, since=self._act.now),
            created_at=self._act.now,
            rotated_by=RotatedBy.DEMAND,
            public_key=made.public_key,
            entropy=made.entropy,
        )
        self.put += [replace(key, n_versions=number, current=number), version]
        self.material[version.id] = made.material

    def rotated(self, record: OidcKey) -> None:
        key = self._tenant.key(record.key_id)
        self._next(replace(key, rotation=_schedule(record.rotation_period, self._act.now)))

    def rescheduled(self, record: OidcKey) -> None:
        """As soon as its period says now, and no later than it was to be."""
        key = self._tenant.key(record.key_id)
        soon = _schedule(record.rotation_period, self._act.now)
        before = key.rotation
        if before is not None:
            soon = replace(soon, next_at=min(soon.next_at, before.next_at))
        self.put.append(replace(key, rotation=soon))

    def destroyed(self, key_id: str) -> None:
        key, ring = self._tenant.key(key_id), self.ring()
        if key.lifecycle.state is KeyState.DESTROYED:
            return
        gone = [erased(version, self._act.now) for version in ring.versions(key) if version.wrapped]
        life = replace(key.lifecycle.after(Event.DESTROY, self._act.now), destroy_at=None)
        self.put += [replace(key, lifecycle=life, rotation=None), *gone]
        self.delete += ring.grants(key)
        self.destroy += gone


def _schedule(period: int, now: datetime) -> Rotation:
    days, rest = divmod(period, DAY)
    return Rotation(
        period_days=days + bool(rest), next_at=now + timedelta(seconds=period), seconds=period if rest else 0
    )


def write_key(op: ops.WriteOidcKey, targets: tuple[HeldTenant], act: Act) -> Outcome[OidcKey]:
    (tenant,) = targets
    before = key_named(tenant, op.name)
    record = _wanted(op, tenant, before)
    making = Making(tenant, act)
    if before is None or not before.key_id:
        if before is None and len(tenant.oidc_keys()) >= MAX_KEYS:
            raise InvalidArgument(f"there are {MAX_KEYS} keys at most", "name")
        record = making.made(record)
    elif record.algorithm != before.algorithm:
        record = making.made(_retiring(tenant, record, before, making, act))
    elif record.rotation_period != before.rotation_period:
        making.rescheduled(record)
    return _outcome(record, making)


def _outcome(record: OidcKey, making: Making) -> Outcome[OidcKey]:
    return Outcome(
        answer=record,
        put=(record, *making.put),
        delete=tuple(making.delete),
        seen=tuple(making.seen),
        material=making.material,
        destroy=tuple(making.destroy),
        made=record.key_id,
    )


def _wanted(op: ops.WriteOidcKey, tenant: HeldTenant, before: OidcKey | None) -> OidcKey:
    """Raises InvalidArgument."""
    base = before or OidcKey(
        id=tenant.oidc_key_id(op.name),
        tenant=tenant.id,
        name=op.name,
        algorithm="RS256",
        rotation_period=DAY,
        verification_ttl=DAY,
    )
    record = replace(
        base,
        rotation_period=base.rotation_period if op.rotation_period is None else op.rotation_period,
        verification_ttl=base.verification_ttl if op.verification_ttl is None else op.verification_ttl,
        algorithm=base.algorithm if op.algorithm is None else op.algorithm,
        allowed_client_ids=base.allowed_client_ids if op.allowed_client_ids is None else op.allowed_client_ids,
    )
    if record.rotation_period < LEAST_PERIOD:
        raise InvalidArgument("rotation_period must be at least one minute", "rotation_period")
    if record.verification_ttl > MOST_PERIODS * record.rotation_period:
        raise InvalidArgument("verification_ttl cannot be longer than 10x rotation_period", "verification_ttl")
    if before is not None and any(role.ttl > record.verification_ttl for role in _roles_of(tenant, op.name)):
        raise InvalidArgument(
            f'unable to update key "{op.name}" because it is currently referenced by one or more roles with a token '
            f"ttl greater than {record.verification_ttl} seconds",
            "verification_ttl",
        )
    if before is not None and any(one.id_token_ttl > record.verification_ttl for one in _clients_of(tenant, op.name)):
        raise InvalidArgument(
            f'unable to update key "{op.name}" because it is currently referenced by one or more clients with an '
            f"id_token_ttl greater than {record.verification_ttl} seconds",
            "verification_ttl",
        )
    if record.algorithm not in SPECS:
        raise InvalidArgument(f'unknown signing algorithm "{record.algorithm}"', "algorithm")
    if len(record.allowed_client_ids) > MAX_CLIENTS:
        raise InvalidArgument(f"there are {MAX_CLIENTS} client ids at most", "allowed_client_ids")
    return record


def _roles_of(tenant: HeldTenant, name: str) -> list[OidcRole]:
    return [role for role in tenant.oidc_roles() if role.key == name]


def _clients_of(tenant: HeldTenant, name: str) -> list[OidcClient]:
    return [client for client in tenant.oidc_clients() if client.key == name]


def _retiring(tenant: HeldTenant, record: OidcKey, before: OidcKey, making: Making, act: Act) -> OidcKey:
    """The key of another algorithm stays published for as long as what it signed may count: not what was taken back."""
    kept = [one for one in before.retired if any(ends > act.now for _, ends in one.versions)][-MAX_RETIRED + 1 :]
    for one in before.retired:
        if one not in kept:
            making.destroyed(one.key_id)
    until = act.now + timedelta(seconds=record.verification_ttl)
    versions = tuple((one.number, ends or until) for one, ends in lasting(tenant, before, act.now))
    return replace(record, retired=(*kept, Retired(before.key_id, before.algorithm, versions)), ends={})


def read_key(op: ops.ReadOidcKey, targets: tuple[HeldTenant], _act: Act) -> Outcome[OidcKey]:
    if (found := key_named(targets[0], op.name)) is None:
        raise NotFound("no such key", "name")
    return Outcome(answer=found)


def list_keys(_op: ops.ListOidcKeys, targets: tuple[HeldTenant], _act: Act) -> Outcome[tuple[str, ...]]:
    return Outcome(answer=tuple(sorted({DEFAULT_KEY, *(one.name for one in targets[0].oidc_keys())})))


def rotate_key(op: ops.RotateOidcKey, targets: tuple[HeldTenant], act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    if (record := key_named(tenant, op.name)) is None:
        raise InvalidArgument(f'no named key found at "{op.name}"', "name")
    making = Making(tenant, act)
    if not record.key_id:
        record = making.made(record)
    else:
        making.rotated(record)
        if op.verification_ttl is not None:
            current = tenant.key(record.key_id).current
            ends = {number: at for number, at in record.ends.items() if int(number) > current - MAX_PUBLISHED}
            ends[str(max(1, current - 1))] = act.now + timedelta(seconds=op.verification_ttl)
            record = replace(record, ends=ends)
    done = _outcome(record, making)
    return Outcome(
        answer=Nothing(), put=done.put, delete=done.delete, seen=done.seen, material=done.material, made=done.made
    )


def delete_key(op: ops.DeleteOidcKey, targets: tuple[HeldTenant], act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    if op.name == DEFAULT_KEY:
        raise InvalidArgument(f'deletion of key "{op.name}" not allowed', "name")
    if roles := [role.name for role in _roles_of(tenant, op.name)]:
        raise InvalidArgument(
            f'unable to delete key "{op.name}" because it is currently referenced by these roles: {", ".join(roles)}',
            "name",
        )
    if clients := [client.name for client in _clients_of(tenant, op.name)]:
        raise InvalidArgument(
            f'unable to delete key "{op.name}" because it is currently referenced by these clients: '
            f"{', '.join(clients)}",
            "name",
        )
    if (record := tenant.oidc_key(op.name)) is None:
        return Outcome(answer=Nothing())
    making = Making(tenant, act)
    for key_id in (record.key_id, *(one.key_id for one in record.retired)):
        making.destroyed(key_id)
    return Outcome(
        answer=Nothing(),
        put=tuple(making.put),
        delete=(record, *making.delete),
        destroy=tuple(making.destroy),
        made=record.key_id,
    )


HANDLERS: dict[type, Handler] = {
    ops.WriteOidcSettings: write_settings,
    ops.ReadOidcSettings: read_settings,
    ops.WriteOidcKey: write_key,
    ops.ReadOidcKey: read_key,
    ops.ListOidcKeys: list_keys,
    ops.RotateOidcKey: rotate_key,
    ops.DeleteOidcKey: delete_key,
}
