"""People let clients know who they are, and clients ask for it: the code flow, and what comes of it.

OpenID Connect Core 1.0 §3.1, §5.3; RFC 6749 §4.1, §4.4; RFC 7636. Words: OpenBao, identity/store_oidc_provider.go.

Rule 1: a code is used up by the first client that asks with it, whatever comes of that, in one commit with what it
        rests on: client, issuer, key, assignments, scopes, entity and groups. So nothing is given that has ended.
Rule 2: who the client is says the caller; a request names nothing but the issuer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from msgspec import Struct, structs

from keystead.core import operations as ops
from keystead.core.entities import (
    Entity,
    OidcAccess,
    OidcAssignment,
    OidcClient,
    OidcCode,
    OidcIssuer,
    OidcKey,
    OidcScope,
    Token,
    sign_of_chain,
)
from keystead.core.errors import InvalidArgument, LimitExceeded
from keystead.core.operations import ClientDraft, OidcRefusal, ToldOfUser
from keystead.core.sensitive import Sensitive
from keystead.core.vouching.browsers import is_allowed
from keystead.core.vouching.words import ProvenClient
from keystead.service.belonging import NOBODYS, Belonging
from keystead.service.credentials.oidcclient import PLAIN, S256, answers, half_of, unfit
from keystead.service.credentials.token import digest
from keystead.service.handlers.crowding import gone
from keystead.service.handlers.idtokens import drawn_up, letters
from keystead.service.handlers.logins import uuid
from keystead.service.handlers.oidcclients import MAX_URI, is_assigned
from keystead.service.handlers.oidcissuers import url_of
from keystead.service.handlers.oidcscopes import OPENID, told
from keystead.service.handlers.tokenparts import batch_of
from keystead.service.held import HeldTenant
from keystead.service.persons import chain_of
from keystead.service.pipeline import Act, Handler, Outcome

LASTS = timedelta(minutes=5)
MOST = 512  # codes of a client that wait
N_CODE, MAX_CODE = 32, 256  # characters
MAX_NONCE, MAX_SCOPE = 1024, 8192  # characters
NOT_GOOD = "authorization grant is invalid or expired"
CODE, CREDENTIALS = "authorization_code", "client_credentials"
_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class _Refused(Exception):
    """What becomes an OidcRefusal."""

    def __init__(self, code: str, words: str, *, without_state: bool = False) -> None:
        super().__init__(code)
        self.answer = OidcRefusal(code, words, without_state)


# --- what a grant rests on


class _Standing(Struct, frozen=True):
    """A client at an issuer, with whom it is about."""

    client: OidcClient
    issuer: OidcIssuer
    whose: Belonging
    assignments: tuple[OidcAssignment, ...]
    bearer: Token | None = None  # of a code: what it was asked for by

    @property
    def who(self) -> str:
        """The id of the entity; it is there."""
        return "" if self.whose.entity is None else self.whose.entity.id

    @property
    def seen(self) -> tuple[Entity, ...]:
        stored = (one for one in self.assignments if one.revision)
        bearer = () if self.bearer is None else (self.bearer,)
        return (self.client, self.issuer, *stored, *self.whose.rests_on, *bearer)


def _standing(tenant: HeldTenant, client: OidcClient, issuer: OidcIssuer, entity: str, code: str) -> _Standing:
    """An entity of another tenant is nobody here. `code`: what is refused for somebody who may not."""
    whose = tenant.belonging(entity, tenant.id) if entity else NOBODYS
    if whose.entity is None or whose.entity.tenant != tenant.id:
        raise _Refused(code, "identity entity associated with the request not found")
    found = (tenant.oidc_assignment(name) for name in client.assignments)
    assignments = tuple(one for one in found if one is not None)
    if not is_assigned(whose, assignments):
        raise _Refused(code, "identity entity not authorized by client assignment")
    return _Standing(client, issuer, whose, assignments)


def _scopes_asked(scope: str, issuer: OidcIssuer) -> tuple[str, ...]:
    """Those that the issuer has; what it does not understand is passed over (OpenID Connect Core 1.0 §3.1.2.1)."""
    asked = set(scope.split(" ")) if len(scope) <= MAX_SCOPE else set()
    if OPENID not in asked:
        raise _Refused("invalid_request", f'scope parameter must contain the "{OPENID}" value')
    return tuple(sorted(asked.intersection(issuer.scopes) - {OPENID}))


def _scopes(tenant: HeldTenant, names: Iterable[str]) -> tuple[OidcScope, ...]:
    found = (tenant.oidc_scope(name) for name in names)
    return tuple(one for one in found if one is not None)


def _told(scopes: tuple[OidcScope, ...], whose: Belonging, act: Act) -> dict[str, Any]:
    said = told(scopes, whose, act.now)
    if isinstance(said, ops.OidcClash):
        raise _Refused(
            "invalid_request",
            f'found scopes with conflicting top-level claim: claim "{said.claim}" in scopes "{said.scope}", '
            f'"{said.other}"',
        )
    return said


# --- a person at an issuer


def authorize(op: ops.AuthorizeOidcClient, targets: tuple[HeldTenant], act: Act) -> Outcome[Sensitive | OidcRefusal]:
    (tenant,) = targets
    try:
        client = _asking(op, tenant)
        issuer = _asked(op, tenant, client)
        scopes = _scopes_asked(op.scope, issuer)
        _require_code_flow(op)
        standing = _with_whom(tenant, client, issuer, act)
        text = letters(act.entropy, N_CODE)
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
    except _Refused as refused:
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
        raise _Refused("invalid_request", "response_type parameter is required")
    if op.response_type != "code":
        raise _Refused("unsupported_response_type", "unsupported response_type value")
    if len(op.nonce) > MAX_NONCE:
        raise _Refused("invalid_request", f"a nonce has at most {MAX_NONCE} characters")


def _with_whom(tenant: HeldTenant, client: OidcClient, issuer: OidcIssuer, act: Act) -> _Standing:
    bearer = act.caller.rights.token
    if bearer is None or not bearer.entity:
        raise _Refused("access_denied", "identity entity must be associated with the request")
    return _standing(tenant, client, issuer, bearer.entity, "access_denied")


def _kept(act: Act) -> str:
    """The id of the bearer's token where its row lasts: one of so many uses goes with the last of them."""
    bearer = act.caller.rights.token
    return "" if bearer is None or bearer.is_batch or bearer.n_uses else bearer.id


def _asking(op: ops.AuthorizeOidcClient, tenant: HeldTenant) -> OidcClient:
    if not op.client_id:
        raise _Refused("invalid_client_id", "client_id parameter is required")
    if (client := tenant.oidc_client_of(op.client_id)) is None:
        raise _Refused("invalid_client_id", "client with client_id not found")
    if not client.authorization_code:
        raise _Refused("invalid_grant", "client not allowed to perform authorization code credential flow")
    if not op.redirect_uri:
        raise _Refused("invalid_request", "redirect_uri parameter is required")
    if len(op.redirect_uri) > MAX_URI or not is_allowed(op.redirect_uri, client.redirect_uris):
        raise _Refused("invalid_redirect_uri", "redirect_uri is not allowed for the client")
    return client


def _asked(op: ops.AuthorizeOidcClient, tenant: HeldTenant, client: OidcClient) -> OidcIssuer:
    issuer = _issuer(op, tenant)
    if not issuer.takes(client.client_id):
        raise _Refused("unauthorized_client", "client is not authorized to use the provider")
    for name, is_there in (("request", op.request), ("request_uri", op.request_uri)):
        if is_there:
            raise _Refused(f"{name}_not_supported", f"{name} parameter is not supported", without_state=True)
    return issuer


def _method(op: ops.AuthorizeOidcClient, client: OidcClient) -> str:
    """How the verifier is to prove itself; "" where there is to be none. RFC 7636 §4.3"""
    if op.challenge is None:
        if client.is_public:
            raise _Refused("invalid_request", "PKCE is required for public clients")
        return ""
    method = op.method or PLAIN
    if method not in {PLAIN, S256}:
        raise _Refused("invalid_request", "invalid code_challenge_method")
    if _CHALLENGE.fullmatch(op.challenge) is None:
        raise _Refused("invalid_request", "invalid code_challenge")
    return method


def _auth_time(op: ops.AuthorizeOidcClient, tenant: HeldTenant, act: Act) -> int:
    """When the bearer has last shown who they are, where that is asked for; 0: it is not.

    Whoever makes a token of their own with another has shown nothing: the first of them counts.
    """
    if op.max_age is None:
        return 0
    if op.max_age < 1:
        raise _Refused("invalid_request", "max_age must be greater than zero")
    if (bearer := act.caller.rights.token) is None:
        raise _Refused("access_denied", "token associated with request not found")
    own = (one for one in chain_of(bearer, tenant.token_of_id) if one.entity == bearer.entity)
    shown_at = int(min(one.created_at for one in own).timestamp())
    if int(act.now.timestamp()) - shown_at > op.max_age:
        raise _Refused("max_age_violation", "active re-authentication is required by max_age")
    return shown_at


# --- a client at an issuer


def redeem(op: ops.RedeemOidcCode, targets: tuple[HeldTenant], act: Act) -> Outcome[ClientDraft | OidcRefusal]:
    (tenant,) = targets
    try:
        client, issuer, key = _caller(op, tenant, act, CODE)
        code = _waiting(op, tenant, act)
    except _Refused as refused:
        return Outcome(answer=refused.answer, why=refused.answer.code)
    try:
        standing = _redeemable(op, tenant, code, client, issuer, act)
        scopes = _scopes(tenant, code.scopes)
        said = _told(scopes, standing.whose, act)
        answer, made = _granted(op, tenant, code, standing, key, said, act)
    except _Refused as refused:
        return Outcome(answer=refused.answer, delete=(code,), why=refused.answer.code)
    return Outcome(answer=answer, delete=(code,), seen=(*standing.seen, key, *scopes), made=made)


def _waiting(op: ops.RedeemOidcCode, tenant: HeldTenant, act: Act) -> OidcCode:
    if not op.code:
        raise _Refused("invalid_request", "code parameter is required")
    code = tenant.oidc_code(digest(op.code)) if len(op.code) <= MAX_CODE else None
    if code is None or code.is_over(act.now):
        raise _Refused("invalid_grant", NOT_GOOD)
    return code


def _caller(
    op: ops.OfOidcIssuer[Any], tenant: HeldTenant, act: Act, grant: str
) -> tuple[OidcClient, OidcIssuer, OidcKey]:
    """The client as it is today; it may have ended since it showed who it is. `grant`: what it comes with."""
    vouched = act.caller.vouched
    word = vouched.word if vouched is not None else None
    client = tenant.oidc_client_of(word.client_id) if isinstance(word, ProvenClient) else None
    if client is None or act.caller.principal.tenant != tenant.id:
        raise _Refused("invalid_client", "client failed to authenticate")
    issuer = _issuer(op, tenant)
    key = tenant.oidc_key(client.key)
    words = unfit(client, issuer, key)
    if words or key is None:
        raise _Refused("invalid_client", words)
    if not getattr(client, grant) or (grant == CREDENTIALS and client.is_public):  # RFC 6749 §4.4
        raise _Refused("invalid_grant", "client is not authorized to use given credentials flow")
    return client, issuer, key


def _redeemable(
    op: ops.RedeemOidcCode, tenant: HeldTenant, code: OidcCode, client: OidcClient, issuer: OidcIssuer, act: Act
) -> _Standing:
    if code.client != client.id:
        raise _Refused("invalid_grant", "authorization code was not issued to the client")
    if code.issuer != issuer.name:
        raise _Refused("invalid_grant", "authorization code was not issued by the provider")
    if not op.redirect_uri:
        raise _Refused("invalid_request", "redirect_uri parameter is required")
    if code.redirect_uri != op.redirect_uri:
        raise _Refused(
            "invalid_grant", "redirect_uri does not match the redirect_uri used in the authorization request"
        )
    bearer = _still_in(tenant, code, act)
    standing = _standing(tenant, client, issuer, code.entity, "invalid_request")
    _require_verifier(op.verifier, code, client)
    return structs.replace(standing, bearer=bearer)


def _still_in(tenant: HeldTenant, code: OidcCode, act: Act) -> Token | None:
    """Whoever has logged out meanwhile, or was, logs in nowhere."""
    bearer = tenant.token_of_id(code.bearer) if code.bearer else None
    if code.bearer and (bearer is None or bearer.is_over(act.now)):
        raise _Refused("invalid_grant", NOT_GOOD)
    return bearer


def _require_verifier(verifier: Sensitive, code: OidcCode, client: OidcClient) -> None:
    """RFC 7636 §4.6"""
    if not code.method:
        if client.is_public:
            raise _Refused("invalid_request", "PKCE is required for public clients")
        if verifier:
            raise _Refused("invalid_request", "unexpected code_verifier for token exchange")
        return
    if not verifier:
        raise _Refused("invalid_request", "expected code_verifier for token exchange")
    if not answers(verifier, code.challenge, code.method):
        raise _Refused("invalid_grant", "invalid code_verifier for token exchange")


def _granted(
    op: ops.RedeemOidcCode,
    tenant: HeldTenant,
    code: OidcCode,
    standing: _Standing,
    key: OidcKey,
    said: dict[str, Any],
    act: Act,
) -> tuple[ClientDraft, str]:
    """What the client gets, and whose access token it is on record."""
    client, now = standing.client, int(act.now.timestamp())
    try:
        made = batch_of(tenant, _access_token(op, tenant, code, client, standing.who, act), act, None)
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
        raise _Refused("server_error", str(error)) from None
    answer = ClientDraft(**structs.asdict(drawn), ttl=client.access_token_ttl, access_token=made.text)
    return answer, made.token.bearer


def _access_token(
    op: ops.RedeemOidcCode, tenant: HeldTenant, code: OidcCode, client: OidcClient, entity: str, act: Act
) -> Token:
    ttl = client.access_token_ttl
    return Token(
        id="",
        tenant=tenant.id,
        accessor="",
        policies=(),
        entity=entity,
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
        said = _told(_scopes(tenant, _scopes_asked(op.scope, issuer)), NOBODYS, act)
        now = int(act.now.timestamp())
        claims = {
            **said,
            "iss": url_of(tenant, issuer),
            "namespace": sign_of_chain(tenant.chain()),
            "sub": client.client_id,
            "aud": client.client_id,
            "exp": now + client.id_token_ttl,
            "iat": now,
            "jti": uuid(act.entropy),
        }
        drawn = drawn_up(tenant, key, claims)
    except _Refused as refused:
        return Outcome(answer=refused.answer, why=refused.answer.code)
    return Outcome(answer=ClientDraft(**structs.asdict(drawn), ttl=client.id_token_ttl))


# --- whoever has an access token


def tell_of_user(op: ops.TellOfUser, targets: tuple[HeldTenant], act: Act) -> Outcome[ToldOfUser | OidcRefusal]:
    (tenant,) = targets
    try:
        issuer = _issuer(op, tenant)
        standing, access = _telling(op, tenant, issuer, act)
        said = _told(_scopes(tenant, (one for one in access.scopes if one in issuer.scopes)), standing.whose, act)
    except _Refused as refused:
        return Outcome(answer=refused.answer, why=refused.answer.code)
    return Outcome(answer=ToldOfUser({**said, "sub": standing.who}))


def _issuer(op: ops.OfOidcIssuer[Any], tenant: HeldTenant) -> OidcIssuer:
    if (issuer := tenant.oidc_issuer(op.name)) is None:
        raise _Refused("invalid_request", "provider not found")
    return issuer


def _telling(op: ops.TellOfUser, tenant: HeldTenant, issuer: OidcIssuer, act: Act) -> tuple[_Standing, OidcAccess]:
    if not op.as_bearer:
        raise _Refused("invalid_token", "access token must be sent as a Bearer token")
    token = act.caller.rights.token
    access = token.access if token is not None and token.tenant == tenant.id else None
    if token is None or access is None or access.issuer != issuer.name:
        raise _Refused("invalid_token", "access token is malformed or invalid")
    if (client := tenant.oidc_client_of(access.client_id)) is None:
        raise _Refused("access_denied", "client not found")
    standing = _standing(tenant, client, issuer, token.entity, "access_denied")
    if words := unfit(client, issuer, tenant.oidc_key(client.key)):
        raise _Refused("access_denied", words)
    return standing, access


HANDLERS: dict[type, Handler] = {
    ops.AuthorizeOidcClient: authorize,
    ops.RedeemOidcCode: redeem,
    ops.DraftClientToken: draft_client_token,
    ops.TellOfUser: tell_of_user,
}
