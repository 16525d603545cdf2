"""Applications that people log in to, and who may. OpenBao, identity/store_oidc_provider.go."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import OidcAssignment, OidcClient, OidcClientSecret
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.identifiers import letters
from keystead.core.operations import DEFAULT_KEY, EVERYBODY, Nothing, ShownOidcClient
from keystead.core.sensitive import Sensitive
from keystead.service.belonging import Belonging
from keystead.service.handlers.oidcissuers import distinct
from keystead.service.handlers.oidcmaking import DAY, Making, key_named
from keystead.service.handlers.tokenparts import MAX_FOR
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

MAX_CLIENTS, MAX_ASSIGNMENTS = 1000, 1000
MAX_MEMBERS, MAX_URIS, MAX_OF_ONE = 1000, 64, 64  # ids of an assignment; URIs, and assignments, of a client
MAX_URI = 2048  # characters
N_CLIENT_ID, N_SECRET, SECRET_PREFIX = 32, 64, "hvo_secret_"
TYPES = {"confidential": False, "public": True}
"""RFC 6749 §2.1: whether a client is a public one."""


# --- assignments


def write_assignment(op: ops.WriteOidcAssignment, targets: tuple[HeldTenant], act: Act) -> Outcome[OidcAssignment]:
    (tenant,) = targets
    if op.name == EVERYBODY:
        raise InvalidArgument(f'modification of assignment "{op.name}" not allowed', "name")
    before = tenant.oidc_assignment(op.name)
    if before is None and len(tenant.oidc_assignments()) >= MAX_ASSIGNMENTS:
        raise InvalidArgument(f"there are {MAX_ASSIGNMENTS} assignments at most", "name")
    base = before or OidcAssignment(
        id=tenant.oidc_id(OidcAssignment, op.name), tenant=tenant.id, name=op.name, modified_at=act.now
    )
    assignment = replace(
        base,
        entity_ids=_ids(base.entity_ids if op.entity_ids is None else op.entity_ids, "entity_ids"),
        group_ids=_ids(base.group_ids if op.group_ids is None else op.group_ids, "group_ids"),
        modified_at=act.now,
    )
    return Outcome(answer=assignment, put=(assignment,), made=op.name)


def _ids(given: Iterable[str], what: str) -> tuple[str, ...]:
    """In lower case, but for the sign of a namespace behind a dot."""
    parts = (one.strip().partition(".") for one in given)
    return distinct((f"{id_.lower()}{dot}{sign}" for id_, dot, sign in parts), MAX_MEMBERS, what)


def read_assignment(op: ops.ReadOidcAssignment, targets: tuple[HeldTenant], _act: Act) -> Outcome[OidcAssignment]:
    if (found := targets[0].oidc_assignment(op.name)) is None:
        raise NotFound("no such assignment", "name")
    return Outcome(answer=found)


def list_assignments(_op: ops.ListOidcAssignments, targets: tuple[HeldTenant], _act: Act) -> Outcome[tuple[str, ...]]:
    return Outcome(answer=tuple(sorted({EVERYBODY, *(one.name for one in targets[0].oidc_assignments())})))


def delete_assignment(op: ops.DeleteOidcAssignment, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    if op.name == EVERYBODY:
        raise InvalidArgument(f'deletion of assignment "{op.name}" not allowed', "name")
    if clients := [one.name for one in tenant.oidc_clients() if op.name in one.assignments]:
        raise InvalidArgument(
            f'unable to delete assignment "{op.name}" because it is currently referenced by these clients: '
            f"{', '.join(clients)}",
            "name",
        )
    found = tenant.oidc_assignment(op.name)
    return Outcome(answer=Nothing(), delete=() if found is None else (found,), made=op.name)


def is_assigned(whose: Belonging, assignments: Iterable[OidcAssignment]) -> bool:
    """Whether one of them has that entity, or a group that it is in; or is that of everybody."""
    if whose.entity is None or not whose.is_good:
        return False
    groups = {group.id for group in whose.groups}
    return any(
        one.name == EVERYBODY or whose.entity.id in one.entity_ids or not groups.isdisjoint(one.group_ids)
        for one in assignments
    )


# --- clients


def write_client(op: ops.WriteOidcClient, targets: tuple[HeldTenant], act: Act) -> Outcome[OidcClient]:
    (tenant,) = targets
    before = tenant.oidc_client(op.name)
    client = _wanted(op, before or _new_client(tenant, op, act), act.now)
    assignments = _assignments(tenant, client)
    if before is not None and op.key not in {None, before.key}:
        raise InvalidArgument("key modification is not allowed", "key")
    if (key := key_named(tenant, client.key)) is None:
        raise InvalidArgument(f'key "{client.key}" does not exist', "key")
    if client.id_token_ttl > key.verification_ttl:
        raise InvalidArgument(
            "a client's id_token_ttl cannot be greater than the verification_ttl of the key it references",
            "id_token_ttl",
        )
    if client.access_token_ttl > MAX_FOR:
        raise InvalidArgument(f"an access token lasts {MAX_FOR} seconds at most", "access_token_ttl")
    _check_type(op, before)
    making = Making(tenant, act)
    making.put.append(making.made(key) if not key.key_id else key)  # whoever deletes it meanwhile looks again
    secret = () if before is not None or client.is_public else (_new_secret(client, act, making),)
    stored = (one for one in assignments if one.name != EVERYBODY)  # for the same reason
    return Outcome(
        answer=client,
        put=(client, *secret, *stored, *making.put),
        seen=tuple(making.seen),
        material=making.material,
        made=client.client_id,
    )


def _new_client(tenant: HeldTenant, op: ops.WriteOidcClient, act: Act) -> OidcClient:
    if len(tenant.oidc_clients()) >= MAX_CLIENTS:
        raise InvalidArgument(f"there are {MAX_CLIENTS} clients at most", "name")
    return OidcClient(
        id=tenant.oidc_id(OidcClient, op.name),
        tenant=tenant.id,
        name=op.name,
        modified_at=act.now,
        client_id=letters(N_CLIENT_ID, act.entropy),
        key=DEFAULT_KEY,
        id_token_ttl=DAY,
        access_token_ttl=DAY,
        is_public=TYPES.get(op.client_type or "", False),
    )


def _wanted(op: ops.WriteOidcClient, base: OidcClient, now: datetime) -> OidcClient:
    """Raises InvalidArgument."""
    said = {
        "redirect_uris": op.redirect_uris,
        "assignments": op.assignments,
        "key": op.key if not base.revision else None,
        "id_token_ttl": op.id_token_ttl,
        "access_token_ttl": op.access_token_ttl,
        "authorization_code": op.authorization_code,
        "client_credentials": op.client_credentials,
    }
    client = replace(base, **{name: value for name, value in said.items() if value is not None})
    return replace(
        client,
        redirect_uris=distinct(client.redirect_uris, MAX_URIS, "redirect_uris", MAX_URI),
        assignments=distinct(client.assignments, MAX_OF_ONE, "assignments"),
        modified_at=now,
    )


def _assignments(tenant: HeldTenant, client: OidcClient) -> list[OidcAssignment]:
    """Raises InvalidArgument."""
    found = []
    for name in client.assignments:
        if (one := tenant.oidc_assignment(name)) is None:
            raise InvalidArgument(f'assignment "{name}" does not exist', "assignments")
        found.append(one)
    return found


def _check_type(op: ops.WriteOidcClient, before: OidcClient | None) -> None:
    if op.client_type is None:
        return
    if before is not None and TYPES.get(op.client_type) is not before.is_public:
        raise InvalidArgument("client_type modification is not allowed", "client_type")
    if op.client_type not in TYPES:
        raise InvalidArgument(f'invalid client_type "{op.client_type}"', "client_type")


def _new_secret(client: OidcClient, act: Act, making: Making) -> OidcClientSecret:
    secret = OidcClientSecret(id=f"{client.client_id}/1", number=1, client_id=client.client_id)
    making.material[secret.id] = Sensitive((SECRET_PREFIX + letters(N_SECRET, act.entropy)).encode())
    return secret


def read_client(op: ops.ReadOidcClient, targets: tuple[HeldTenant], _act: Act) -> Outcome[ShownOidcClient]:
    (tenant,) = targets
    if (found := tenant.oidc_client(op.name)) is None:
        raise NotFound("no such client", "name")
    return Outcome(answer=ShownOidcClient(found, tenant.revealed_to(found)))


def list_clients(_op: ops.ListOidcClients, targets: tuple[HeldTenant], _act: Act) -> Outcome[tuple[OidcClient, ...]]:
    return Outcome(answer=tuple(targets[0].oidc_clients()))


def delete_client(op: ops.DeleteOidcClient, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    if (found := tenant.oidc_client(op.name)) is None:
        return Outcome(answer=Nothing())
    secret = tenant.oidc_client_secret(found)
    gone = () if secret is None else (secret,)
    return Outcome(
        answer=Nothing(), delete=(found, *gone, *tenant.oidc_codes(found)), destroy=gone, made=found.client_id
    )


HANDLERS: dict[type, Handler] = {
    ops.WriteOidcAssignment: write_assignment,
    ops.ReadOidcAssignment: read_assignment,
    ops.ListOidcAssignments: list_assignments,
    ops.DeleteOidcAssignment: delete_assignment,
    ops.WriteOidcClient: write_client,
    ops.ReadOidcClient: read_client,
    ops.ListOidcClients: list_clients,
    ops.DeleteOidcClient: delete_client,
}
