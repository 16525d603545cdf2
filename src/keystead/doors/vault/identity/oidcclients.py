"""identity/oidc: assignments and clients of the OIDC provider. Vault HTTP API, "OIDC identity provider"."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.entities import OidcClient
from keystead.doors.vault.endpoint import endpoint
from keystead.doors.vault.identity.oidc import NamedRequest, listed_names, named
from keystead.doors.vault.identity.shapes import listed
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.wire.vault.kinds import CommaStrings, Duration
from keystead.wire.vault.request import Verb


class AssignmentRequest(NamedRequest, frozen=True, kw_only=True):
    entity_ids: CommaStrings | None = None
    group_ids: CommaStrings | None = None


class ClientRequest(NamedRequest, frozen=True, kw_only=True):
    redirect_uris: CommaStrings | None = None
    assignments: CommaStrings | None = None
    key: str | None = None
    id_token_ttl: Duration | None = None
    access_token_ttl: Duration | None = None
    client_type: str | None = None
    authorization_code: bool | None = None
    client_credentials: bool | None = None


# --- assignments


@endpoint("identity", Verb.WRITE, "oidc/assignment/{name}", creates=True)
def write_assignment(req: AssignmentRequest, call: Call) -> None:
    call(
        ops.WriteOidcAssignment(tenant=here(call), name=named(req), entity_ids=req.entity_ids, group_ids=req.group_ids)
    )


@endpoint("identity", Verb.READ, "oidc/assignment/{name}")
def read_assignment(req: NamedRequest, call: Call) -> dict[str, Any]:
    found = call(ops.ReadOidcAssignment(tenant=here(call), name=named(req)))
    return {"entity_ids": found.entity_ids, "group_ids": found.group_ids}


@endpoint("identity", Verb.LIST, "oidc/assignment/?")
def list_assignments(_req: Nothing, call: Call) -> dict[str, Any]:
    return listed_names(call(ops.ListOidcAssignments(tenant=here(call))))


@endpoint("identity", Verb.DELETE, "oidc/assignment/{name}")
def delete_assignment(req: NamedRequest, call: Call) -> None:
    call(ops.DeleteOidcAssignment(tenant=here(call), name=named(req)))


# --- clients


def _shown(client: OidcClient) -> dict[str, Any]:
    return {
        "redirect_uris": client.redirect_uris,
        "assignments": client.assignments,
        "key": client.key,
        "id_token_ttl": client.id_token_ttl,
        "access_token_ttl": client.access_token_ttl,
        "client_type": "public" if client.is_public else "confidential",
        "client_id": client.client_id,
        "authorization_code": client.authorization_code,
        "client_credentials": client.client_credentials,
    }


@endpoint("identity", Verb.WRITE, "oidc/client/{name}", creates=True)
def write_client(req: ClientRequest, call: Call) -> None:
    call(
        ops.WriteOidcClient(
            tenant=here(call),
            name=named(req),
            redirect_uris=req.redirect_uris,
            assignments=req.assignments,
            key=req.key,
            id_token_ttl=req.id_token_ttl,
            access_token_ttl=req.access_token_ttl,
            client_type=req.client_type,
            authorization_code=req.authorization_code,
            client_credentials=req.client_credentials,
        )
    )


@endpoint("identity", Verb.READ, "oidc/client/{name}")
def read_client(req: NamedRequest, call: Call) -> dict[str, Any]:
    found = call(ops.ReadOidcClient(tenant=here(call), name=named(req)))
    secret = {} if found.secret is None else {"client_secret": found.secret}
    return {**_shown(found.client), **secret}


@endpoint("identity", Verb.LIST, "oidc/client/?")
def list_clients(_req: Nothing, call: Call) -> dict[str, Any]:
    found = call(ops.ListOidcClients(tenant=here(call)))
    return listed(found, lambda one: one.name, _shown)


@endpoint("identity", Verb.DELETE, "oidc/client/{name}")
def delete_client(req: NamedRequest, call: Call) -> None:
    call(ops.DeleteOidcClient(tenant=here(call), name=named(req)))


OPERATIONS = (
    write_assignment,
    read_assignment,
    list_assignments,
    delete_assignment,
    write_client,
    read_client,
    list_clients,
    delete_client,
)
