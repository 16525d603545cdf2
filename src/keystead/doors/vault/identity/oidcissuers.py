"""identity/oidc: scopes and providers, and what a provider tells anybody. Vault HTTP API, "OIDC identity provider"."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.operations import ShownOidcIssuer
from keystead.doors.vault.endpoint import Answer, endpoint
from keystead.doors.vault.identity.oidc import SET, NamedRequest, key_set, listed_names, named
from keystead.doors.vault.identity.shapes import listed
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.service.handlers.oidcmaking import SPECS
from keystead.wire.vault.kinds import CommaStrings
from keystead.wire.vault.reader import Parameters
from keystead.wire.vault.request import Verb

CLASH = (
    'Found scope templates with conflicting top-level keys: conflict "{claim}" in scopes "{scope}", "{other}". This '
    "may result in an error if the scopes are requested in an OIDC Authentication Request."
)


class ScopeRequest(NamedRequest, frozen=True, kw_only=True):
    template: str | None = None
    description: str | None = None


class ProviderRequest(NamedRequest, frozen=True, kw_only=True):
    issuer: str | None = None
    allowed_client_ids: CommaStrings | None = None
    scopes_supported: CommaStrings | None = None


class ListProvidersRequest(Parameters, frozen=True, kw_only=True):
    allowed_client_id: str = ""


# --- scopes


@endpoint("identity", Verb.WRITE, "oidc/scope/{name}", creates=True)
def write_scope(req: ScopeRequest, call: Call) -> None:
    call(ops.WriteOidcScope(tenant=here(call), name=named(req), template=req.template, description=req.description))


@endpoint("identity", Verb.READ, "oidc/scope/{name}")
def read_scope(req: NamedRequest, call: Call) -> dict[str, Any]:
    found = call(ops.ReadOidcScope(tenant=here(call), name=named(req)))
    return {"template": found.template, "description": found.description}


@endpoint("identity", Verb.LIST, "oidc/scope/?")
def list_scopes(_req: Nothing, call: Call) -> dict[str, Any]:
    return listed_names(call(ops.ListOidcScopes(tenant=here(call))))


@endpoint("identity", Verb.DELETE, "oidc/scope/{name}")
def delete_scope(req: NamedRequest, call: Call) -> None:
    call(ops.DeleteOidcScope(tenant=here(call), name=named(req)))


# --- providers


def _shown(found: ShownOidcIssuer) -> dict[str, Any]:
    return {
        "issuer": found.url,
        "allowed_client_ids": found.issuer.allowed_client_ids,
        "scopes_supported": found.issuer.scopes,
    }


@endpoint("identity", Verb.WRITE, "oidc/provider/{name}", creates=True)
def write_provider(req: ProviderRequest, call: Call) -> Answer | None:
    written = call(
        ops.WriteOidcIssuer(
            tenant=here(call),
            name=named(req),
            origin=req.issuer,
            allowed_client_ids=req.allowed_client_ids,
            scopes=req.scopes_supported,
        )
    )
    warnings = (SET,) if written.issuer.origin else ()
    clashes = (CLASH.format(claim=one.claim, scope=one.scope, other=one.other) for one in written.clashes)
    warned = (*warnings, *clashes)
    return Answer(warnings=warned) if warned else None


@endpoint("identity", Verb.READ, "oidc/provider/{name}")
def read_provider(req: NamedRequest, call: Call) -> dict[str, Any]:
    return _shown(call(ops.ReadOidcIssuer(tenant=here(call), name=named(req))))


@endpoint("identity", Verb.LIST, "oidc/provider/?")
def list_providers(req: ListProvidersRequest, call: Call) -> dict[str, Any]:
    found = call(ops.ListOidcIssuers(tenant=here(call), client_id=req.allowed_client_id))
    return listed(found, lambda one: one.issuer.name, _shown)


@endpoint("identity", Verb.DELETE, "oidc/provider/{name}")
def delete_provider(req: NamedRequest, call: Call) -> None:
    call(ops.DeleteOidcIssuer(tenant=here(call), name=named(req)))


# --- told to anybody


@endpoint("identity", Verb.READ, "oidc/provider/{name}/.well-known/openid-configuration", unsigned=True)
def discovery(req: NamedRequest, call: Call) -> Answer:
    """OpenID Connect Discovery 1.0 §3."""
    found = call(ops.PublishOidcIssuer(tenant=here(call), name=named(req), with_keys=False))
    told = {
        "issuer": found.url,
        "jwks_uri": f"{found.url}/.well-known/keys",
        "authorization_endpoint": f"{found.url}/authorize",
        "token_endpoint": f"{found.url}/token",
        "userinfo_endpoint": f"{found.url}/userinfo",
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "id_token_signing_alg_values_supported": list(SPECS),
        "response_types_supported": ["code"],
        "scopes_supported": found.scopes,
        "claims_supported": [],
        "subject_types_supported": ["public"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["plain", "S256"],
    }
    return Answer(data=told, bare=True)


@endpoint("identity", Verb.READ, "oidc/provider/{name}/.well-known/keys", unsigned=True)
def public_keys(req: NamedRequest, call: Call) -> Answer:
    """RFC 7517 §5."""
    return key_set(call(ops.PublishOidcIssuer(tenant=here(call), name=named(req))).keys)


OPERATIONS = (
    write_scope,
    read_scope,
    list_scopes,
    delete_scope,
    write_provider,
    read_provider,
    list_providers,
    delete_provider,
    discovery,
    public_keys,
)
