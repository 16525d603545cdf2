"""The keys that sign tokens of identity, as people ask for them (oidcmaking makes them).

Vault HTTP API, "Identity secrets engine: tokens"; OpenBao, store_oidc.go.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import OidcClient, OidcKey, OidcRole, Retired
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.operations import DEFAULT_KEY, Nothing
from keystead.service.handlers.oidcmaking import MAX_PUBLISHED, SPECS, Making, key_named, lasting, unmade
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

LEAST_PERIOD, MOST_PERIODS = 60, 10  # seconds; a version is published for so many periods at most
MAX_KEYS, MAX_CLIENTS, MAX_RETIRED = 1000, 1000, 8


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
    base = before or unmade(tenant, op.name)
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
    ops.WriteOidcKey: write_key,
    ops.ReadOidcKey: read_key,
    ops.ListOidcKeys: list_keys,
    ops.RotateOidcKey: rotate_key,
    ops.DeleteOidcKey: delete_key,
}
