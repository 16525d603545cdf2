"""People let clients know who they are: the code flow, as far as the code.

OpenID Connect Core 1.0 §3.1.2; RFC 7636 §4.3. Words: OpenBao, identity/store_oidc_provider.go.
"""

from __future__ import annotations

import re
from datetime import timedelta

from keystead.core import operations as ops
from keystead.core.entities import (
    OidcClient,
    OidcCode,
    OidcIssuer,
)
from keystead.core.identifiers import letters
from keystead.core.operations import OidcRefusal
from keystead.core.sensitive import Sensitive
from keystead.core.vouching.browsers import is_allowed
from keystead.service.credentials.oidcclient import PLAIN, S256
from keystead.service.credentials.token import digest
from keystead.service.handlers.crowding import gone
from keystead.service.handlers.oidcclients import MAX_URI
from keystead.service.handlers.oidcstanding import (
    Refused,
    Standing,
    issuer_of,
    scopes_asked,
    standing_of,
)
from keystead.service.held import HeldTenant
from keystead.service.persons import chain_of
from keystead.service.pipeline import Act, Handler, Outcome

LASTS = timedelta(minutes=5)
MOST = 512  # codes of a client that wait
N_CODE, MAX_NONCE = 32, 1024  # characters
_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def authorize(op: ops.AuthorizeOidcClient, targets: tuple[HeldTenant], act: Act) -> Outcome[Sensitive | OidcRefusal]:
    (tenant,) = targets
    try:
        client = _asking(op, tenant)
        issuer = _asked(op, tenant, client)
        scopes = scopes_asked(op.scope, issuer)
        _require_code_flow(op)
        standing = _with_whom(tenant, client, issuer, act)
        text = letters(N_CODE, act.entropy)
        code = OidcCode(
            id=digest(Sensitive(text.encode())),
            tenant=tenant.id,
            client=client.id,
            issuer=issuer.name,
            entity=standing.who,
            bearer=_kept(act),
            redirect_uri=op.redirect_uri,
            nonce=op.nonce,
            scopes=scopes,
            challenge=op.challenge or "",
            method=_method(op, client),
            auth_time=_auth_time(op, tenant, act),
            expires_at=act.now + LASTS,
        )
    except Refused as refused:
        return Outcome(answer=refused.answer, why=refused.answer.code)
    return Outcome(
        answer=Sensitive(text.encode()),
        put=(code,),
        delete=gone(tenant.oidc_codes(client), code, MOST, lambda one: one.entity, act.now),
        seen=standing.seen,
        made=client.client_id,
    )


def _require_code_flow(op: ops.AuthorizeOidcClient) -> None:
    if not op.response_type:
        raise Refused("invalid_request", "response_type parameter is required")
    if op.response_type != "code":
        raise Refused("unsupported_response_type", "unsupported response_type value")
    if len(op.nonce) > MAX_NONCE:
        raise Refused("invalid_request", f"a nonce has at most {MAX_NONCE} characters")


def _with_whom(tenant: HeldTenant, client: OidcClient, issuer: OidcIssuer, act: Act) -> Standing:
    bearer = act.caller.rights.token
    if bearer is None or not bearer.entity:
        raise Refused("access_denied", "identity entity must be associated with the request")
    return standing_of(tenant, client, issuer, bearer.entity, "access_denied")


def _kept(act: Act) -> str:
    """The id of the bearer's token where its row lasts: one of so many uses goes with the last of them."""
    bearer = act.caller.rights.token
    return "" if bearer is None or bearer.is_batch or bearer.n_uses else bearer.id


def _asking(op: ops.AuthorizeOidcClient, tenant: HeldTenant) -> OidcClient:
    if not op.client_id:
        raise Refused("invalid_client_id", "client_id parameter is required")
    if (client := tenant.oidc_client_of(op.client_id)) is None:
        raise Refused("invalid_client_id", "client with client_id not found")
    if not client.authorization_code:
        raise Refused("invalid_grant", "client not allowed to perform authorization code credential flow")
    if not op.redirect_uri:
        raise Refused("invalid_request", "redirect_uri parameter is required")
    if len(op.redirect_uri) > MAX_URI or not is_allowed(op.redirect_uri, client.redirect_uris):
        raise Refused("invalid_redirect_uri", "redirect_uri is not allowed for the client")
    return client


def _asked(op: ops.AuthorizeOidcClient, tenant: HeldTenant, client: OidcClient) -> OidcIssuer:
    issuer = issuer_of(op, tenant)
    if not issuer.takes(client.client_id):
        raise Refused("unauthorized_client", "client is not authorized to use the provider")
    for name, is_there in (("request", op.request), ("request_uri", op.request_uri)):
        if is_there:
            raise Refused(f"{name}_not_supported", f"{name} parameter is not supported", without_state=True)
    return issuer


def _method(op: ops.AuthorizeOidcClient, client: OidcClient) -> str:
    """How the verifier is to prove itself; "" where there is to be none. RFC 7636 §4.3"""
    if op.challenge is None:
        if client.is_public:
            raise Refused("invalid_request", "PKCE is required for public clients")
        return ""
    method = op.method or PLAIN
    if method not in {PLAIN, S256}:
        raise Refused("invalid_request", "invalid code_challenge_method")
    if _CHALLENGE.fullmatch(op.challenge) is None:
        raise Refused("invalid_request", "invalid code_challenge")
    return method


def _auth_time(op: ops.AuthorizeOidcClient, tenant: HeldTenant, act: Act) -> int:
    """When the bearer has last shown who they are, where that is asked for; 0: it is not.

    Whoever makes a token of their own with another has shown nothing: the first of them counts.
    """
    if op.max_age is None:
        return 0
    if op.max_age < 1:
        raise Refused("invalid_request", "max_age must be greater than zero")
    if (bearer := act.caller.rights.token) is None:
        raise Refused("access_denied", "token associated with request not found")
    own = (one for one in chain_of(bearer, tenant.token_of_id) if one.entity == bearer.entity)
    shown_at = int(min(one.created_at for one in own).timestamp())
    if int(act.now.timestamp()) - shown_at > op.max_age:
        raise Refused("max_age_violation", "active re-authentication is required by max_age")
    return shown_at


HANDLERS: dict[type, Handler] = {ops.AuthorizeOidcClient: authorize}
