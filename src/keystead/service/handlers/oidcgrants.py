"""Clients ask who came with a code, or for themselves, and whoever has an access token for the person it is about.

OpenID Connect Core 1.0 §3.1.3, §5.3; RFC 6749 §4.1.3, §4.4; RFC 7636 §4.6. Words: OpenBao,
identity/store_oidc_provider.go.

Rule 1: a code is used up by the first client that asks with it, whatever comes of that, in one commit with what it
        rests on: client, issuer, key, assignments, scopes, entity and groups. So nothing is given that has ended.
Rule 2: who the client is says the caller; a request names nothing but the issuer.
"""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import Any

from msgspec import structs

from keystead.core import operations as ops
from keystead.core.entities import (
    OidcAccess,
    OidcClient,
    OidcCode,
    OidcIssuer,
    OidcKey,
    Token,
    sign_of_chain,
)
from keystead.core.errors import InvalidArgument, LimitExceeded
from keystead.core.identifiers import new_id
from keystead.core.operations import ClientDraft, OidcRefusal, ToldOfUser
from keystead.core.sensitive import Sensitive
from keystead.core.vouching.words import ProvenClient
from keystead.service.belonging import NOBODYS
from keystead.service.credentials.oidcclient import answers, half_of, unfit
from keystead.service.credentials.token import digest
from keystead.service.handlers.idtokens import drawn_up
from keystead.service.handlers.oidcissuers import url_of
from keystead.service.handlers.oidcstanding import (
    Refused,
    Standing,
    issuer_of,
    scopes_asked,
    scopes_of,
    standing_of,
    told_of,
)
from keystead.service.handlers.tokenparts import batch_of
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

MAX_CODE = 256  # characters
NOT_GOOD = "authorization grant is invalid or expired"
CODE, CREDENTIALS = "authorization_code", "client_credentials"


def redeem(op: ops.RedeemOidcCode, targets: tuple[HeldTenant], act: Act) -> Outcome[ClientDraft | OidcRefusal]:
    (tenant,) = targets
    try:
        client, issuer, key = _caller(op, tenant, act, CODE)
        code = _waiting(op, tenant, act)
    except Refused as refused:
        return Outcome(answer=refused.answer, why=refused.answer.code)
    try:
        standing = _redeemable(op, tenant, code, client, issuer, act)
        scopes = scopes_of(tenant, code.scopes)
        said = told_of(scopes, standing.whose, act)
        answer, made = _granted(op, tenant, code, standing, key, said, act)
    except Refused as refused:
        return Outcome(answer=refused.answer, delete=(code,), why=refused.answer.code)
    return Outcome(answer=answer, delete=(code,), seen=(*standing.seen, key, *scopes), made=made)


def _waiting(op: ops.RedeemOidcCode, tenant: HeldTenant, act: Act) -> OidcCode:
    if not op.code:
        raise Refused("invalid_request", "code parameter is required")
    code = tenant.oidc_code(digest(op.code)) if len(op.code) <= MAX_CODE else None
    if code is None or code.is_over(act.now):
        raise Refused("invalid_grant", NOT_GOOD)
    return code


def _caller(
    op: ops.OfOidcIssuer[Any], tenant: HeldTenant, act: Act, grant: str
) -> tuple[OidcClient, OidcIssuer, OidcKey]:
    """The client as it is today; it may have ended since it showed who it is. `grant`: what it comes with."""
    vouched = act.caller.vouched
    word = vouched.word if vouched is not None else None
    client = tenant.oidc_client_of(word.client_id) if isinstance(word, ProvenClient) else None
    if client is None or act.caller.principal.tenant != tenant.id:
        raise Refused("invalid_client", "client failed to authenticate")
    issuer = issuer_of(op, tenant)
    key = tenant.oidc_key(client.key)
    words = unfit(client, issuer, key)
    if words or key is None:
        raise Refused("invalid_client", words)
    if not getattr(client, grant) or (grant == CREDENTIALS and client.is_public):  # RFC 6749 §4.4
        raise Refused("invalid_grant", "client is not authorized to use given credentials flow")
    return client, issuer, key


def _redeemable(
    op: ops.RedeemOidcCode, tenant: HeldTenant, code: OidcCode, client: OidcClient, issuer: OidcIssuer, act: Act
) -> Standing:
    if code.client != client.id:
        raise Refused("invalid_grant", "authorization code was not issued to the client")
    if code.issuer != issuer.name:
        raise Refused("invalid_grant", "authorization code was not issued by the provider")
    if not op.redirect_uri:
        raise Refused("invalid_request", "redirect_uri parameter is required")
    if code.redirect_uri != op.redirect_uri:
        raise Refused("invalid_grant", "redirect_uri does not match the redirect_uri used in the authorization request")
    bearer = _still_in(tenant, code, act)
    standing = standing_of(tenant, client, issuer, code.entity, "invalid_request")
    _require_verifier(op.verifier, code, client)
    return structs.replace(standing, bearer=bearer)


def _still_in(tenant: HeldTenant, code: OidcCode, act: Act) -> Token | None:
    """Whoever has logged out meanwhile, or was, logs in nowhere."""
    bearer = tenant.token_of_id(code.bearer) if code.bearer else None
    if code.bearer and (bearer is None or bearer.is_over(act.now)):
        raise Refused("invalid_grant", NOT_GOOD)
    return bearer


def _require_verifier(verifier: Sensitive, code: OidcCode, client: OidcClient) -> None:
    """RFC 7636 §4.6"""
    if not code.method:
        if client.is_public:
            raise Refused("invalid_request", "PKCE is required for public clients")
        if verifier:
            raise Refused("invalid_request", "unexpected code_verifier for token exchange")
        return
    if not verifier:
        raise Refused("invalid_request", "expected code_verifier for token exchange")
    if not answers(verifier, code.challenge, code.method):
        raise Refused("invalid_grant", "invalid code_verifier for token exchange")


def _granted(
    op: ops.RedeemOidcCode,
    tenant: HeldTenant,
    code: OidcCode,
    standing: Standing,
    key: OidcKey,
    said: dict[str, Any],
    act: Act,
) -> tuple[ClientDraft, str]:
    """What the client gets, and whose access token it is on record."""
    client, now = standing.client, int(act.now.timestamp())
    try:
        made = batch_of(tenant, _access_token(op, tenant, code, standing, act), act, None)
        claims = {
            **said,
            "iss": url_of(tenant, standing.issuer),
            "namespace": sign_of_chain(tenant.chain()),
            "sub": standing.who,
            "aud": client.client_id,
            "exp": now + client.id_token_ttl,
            "iat": now,
            "at_hash": half_of(key.algorithm, made.text),
            "c_hash": half_of(key.algorithm, op.code),
            **({"nonce": code.nonce} if code.nonce else {}),
            **({"auth_time": code.auth_time} if code.auth_time else {}),
        }
        drawn = drawn_up(tenant, key, claims)
    except (InvalidArgument, LimitExceeded) as error:
        raise Refused("server_error", str(error)) from None
    answer = ClientDraft(**structs.asdict(drawn), ttl=made.token.ttl, access_token=made.text)
    return answer, made.token.bearer


def _access_token(op: ops.RedeemOidcCode, tenant: HeldTenant, code: OidcCode, standing: Standing, act: Act) -> Token:
    """It ends with the token that its code was asked for by, and is said to last no longer."""
    client, ttl = standing.client, standing.client.access_token_ttl
    if standing.bearer is not None and standing.bearer.expires_at is not None:
        ttl = min(ttl, ceil((standing.bearer.expires_at - act.now).total_seconds()))
    return Token(
        id="",
        tenant=tenant.id,
        accessor="",
        creator=code.bearer,
        policies=(),
        entity=standing.who,
        display_name="",
        meta={"oidc_token_type": "access token"},
        path=f"identity/oidc/provider/{op.name}/token",
        created_at=act.now,
        ttl=ttl,
        expires_at=act.now + timedelta(seconds=ttl),
        access=OidcAccess(code.issuer, client.client_id, code.scopes),
    )


def draft_client_token(
    op: ops.DraftClientToken, targets: tuple[HeldTenant], act: Act
) -> Outcome[ClientDraft | OidcRefusal]:
    (tenant,) = targets
    try:
        client, issuer, key = _caller(op, tenant, act, CREDENTIALS)
        said = told_of(scopes_of(tenant, scopes_asked(op.scope, issuer)), NOBODYS, act)
        now = int(act.now.timestamp())
        claims = {
            **said,
            "iss": url_of(tenant, issuer),
            "namespace": sign_of_chain(tenant.chain()),
            "sub": client.client_id,
            "aud": client.client_id,
            "exp": now + client.id_token_ttl,
            "iat": now,
            "jti": new_id(act.entropy),
        }
        drawn = drawn_up(tenant, key, claims)
    except Refused as refused:
        return Outcome(answer=refused.answer, why=refused.answer.code)
    return Outcome(answer=ClientDraft(**structs.asdict(drawn), ttl=client.id_token_ttl))


# --- whoever has an access token


def tell_of_user(op: ops.TellOfUser, targets: tuple[HeldTenant], act: Act) -> Outcome[ToldOfUser | OidcRefusal]:
    (tenant,) = targets
    try:
        issuer = issuer_of(op, tenant)
        standing, access = _telling(op, tenant, issuer, act)
        said = told_of(scopes_of(tenant, (one for one in access.scopes if one in issuer.scopes)), standing.whose, act)
    except Refused as refused:
        return Outcome(answer=refused.answer, why=refused.answer.code)
    return Outcome(answer=ToldOfUser({**said, "sub": standing.who}))


def _telling(op: ops.TellOfUser, tenant: HeldTenant, issuer: OidcIssuer, act: Act) -> tuple[Standing, OidcAccess]:
    if not op.as_bearer:
        raise Refused("invalid_token", "access token must be sent as a Bearer token")
    token = act.caller.rights.token
    access = token.access if token is not None and token.tenant == tenant.id else None
    if token is None or access is None or access.issuer != issuer.name:
        raise Refused("invalid_token", "access token is malformed or invalid")
    if (client := tenant.oidc_client_of(access.client_id)) is None:
        raise Refused("access_denied", "client not found")
    standing = standing_of(tenant, client, issuer, token.entity, "access_denied")
    if words := unfit(client, issuer, tenant.oidc_key(client.key)):
        raise Refused("access_denied", words)
    return standing, access


HANDLERS: dict[type, Handler] = {
    ops.RedeemOidcCode: redeem,
    ops.DraftClientToken: draft_client_token,
    ops.TellOfUser: tell_of_user,
}
