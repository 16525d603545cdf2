"""identity/oidc/provider: where people are sent by clients, and where clients get tokens and ask of people.

OpenID Connect Core 1.0 §3.1, §5.3; RFC 6749 §4.1, §5; RFC 6750 §3. Answers are in OAuth's own shape, as Vault has them.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from typing import Any
from urllib.parse import unquote_plus

from keystead.core import operations as ops
from keystead.core.errors import Denied, InvalidArgument, KeysteadError, Unauthenticated
from keystead.core.operations import ClientDraft, OidcRefusal
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Answer, Said, endpoint, headers_of
from keystead.doors.vault.identity.oidc import NamedRequest, named, signed
from keystead.doors.vault.tokens import here
from keystead.kit import Call
from keystead.service.credentials.vouchers import Secret
from keystead.wire.http import header
from keystead.wire.vault.kinds import Int
from keystead.wire.vault.request import Verb

UNCACHED = header(b"Pragma", b"no-cache")
STATUSES = {"server_error": 500}
OF_TOKENS = STATUSES | {"invalid_client": 401}
OF_USERS = STATUSES | {"invalid_token": 401, "access_denied": 403}
CODE, CREDENTIALS = "authorization_code", "client_credentials"
_USER_INFO = re.compile(rb"/v1/(?:[^?]+/)?identity/oidc/provider/[A-Za-z0-9_.-]+/userinfo(?:\?.*)?")


def _refused(refusal: OidcRefusal, statuses: dict[str, int], **beside: str) -> Answer:
    said = {"error": refusal.code, "error_description": refusal.words, **beside}
    return Answer(status=statuses.get(refusal.code, 400), bare=True, data=said)


# --- authorize


class AuthorizeRequest(NamedRequest, frozen=True, kw_only=True):
    """`request` and `request_uri` are not offered, and that is said (OpenID Connect Core 1.0 §6)."""

    client_id: str = ""
    scope: str = ""
    redirect_uri: str = ""
    response_type: str = ""
    state: str = ""
    nonce: str = ""
    max_age: Int | None = None
    code_challenge: str | None = None
    code_challenge_method: str = ""
    request: str | None = None
    request_uri: str | None = None


def _authorize(req: AuthorizeRequest, call: Call) -> Answer:
    done = call(
        ops.AuthorizeOidcClient(
            tenant=here(call),
            name=named(req),
            client_id=req.client_id,
            redirect_uri=req.redirect_uri,
            scope=req.scope,
            response_type=req.response_type,
            nonce=req.nonce,
            max_age=req.max_age,
            challenge=req.code_challenge,
            method=req.code_challenge_method,
            request=req.request is not None,
            request_uri=req.request_uri is not None,
        )
    )
    if isinstance(done, OidcRefusal):
        return _refused(done, STATUSES, state="" if done.without_state else req.state)
    return Answer(data={"code": done, "state": req.state}, bare=True)


@endpoint("identity", Verb.READ, "oidc/provider/{name}/authorize")
def authorize(req: AuthorizeRequest, call: Call) -> Answer:
    return _authorize(req, call)


@endpoint("identity", Verb.WRITE, "oidc/provider/{name}/authorize")
def post_authorize(req: AuthorizeRequest, call: Call) -> Answer:
    return _authorize(req, call)


# --- token


class TokenRequest(NamedRequest, frozen=True, kw_only=True):
    code: str = ""
    grant_type: str = ""
    redirect_uri: str = ""
    code_verifier: str = ""
    scope: str = ""
    client_id: str = ""
    client_secret: str = ""

    def __repr__(self) -> str:
        return "TokenRequest(…)"


def _secret(req: TokenRequest, call: Call) -> Secret:
    """By its headers, or else by its body. RFC 6749 §2.3.1"""
    client_id, secret = _basic(headers_of(call).get(b"authorization", b"")) or (req.client_id, req.client_secret)
    return Secret(named(req), client_id, Sensitive(secret.encode()))


def _basic(said: bytes) -> tuple[str, str] | None:
    """RFC 7617 §2; None where it is not of that form."""
    scheme, _, value = said.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, secret = b64decode(value.strip(), validate=True).decode().partition(":")
    except (Error, ValueError):
        return None
    return (unquote_plus(name), unquote_plus(secret)) if colon else None


def _not_granted(refusal: OidcRefusal) -> Answer:
    """RFC 6749 §5.2"""
    told = _refused(refusal, OF_TOKENS)
    asked = header(b"WWW-Authenticate", b"Basic") if refusal.code == "invalid_client" else b""
    return Answer(status=told.status, bare=True, data=told.data, headers=UNCACHED + asked)


def _in_its_shape(error: KeysteadError) -> Answer | None:
    """What has gone wrong before there was a client; None: it is said as everywhere."""
    if isinstance(error, Unauthenticated):
        return _not_granted(OidcRefusal("invalid_client", str(error)))
    if isinstance(error, Said) and error.status == 400:
        return _not_granted(OidcRefusal("unsupported_grant_type", str(error)))
    return _not_granted(OidcRefusal("invalid_request", str(error))) if isinstance(error, InvalidArgument) else None


def _grant(req: TokenRequest, call: Call) -> ops.OfOidcIssuer[ClientDraft | OidcRefusal]:
    """Raises Said."""
    if req.grant_type == CODE:
        return ops.RedeemOidcCode(
            tenant=here(call),
            name=named(req),
            code=Sensitive(req.code.encode()),
            redirect_uri=req.redirect_uri,
            verifier=Sensitive(req.code_verifier.encode()),
        )
    if req.grant_type == CREDENTIALS:
        return ops.DraftClientToken(tenant=here(call), name=named(req), scope=req.scope)
    raise Said(400, "unsupported grant_type or parameter is empty value")


@endpoint("identity", Verb.WRITE, "oidc/provider/{name}/token", unsigned=True, shows=_secret, refuses=_in_its_shape)
def token(req: TokenRequest, call: Call) -> Answer:
    """A client's that has shown who it is. Drawn up, and then signed like anything else that a key signs."""
    done = call(_grant(req, call))
    if isinstance(done, OidcRefusal):
        return _not_granted(done)
    text = Sensitive(signed(done, call))
    tokens = {"access_token": text}
    if done.access_token is not None:
        tokens = {"access_token": done.access_token, "id_token": text}
    return Answer(data={"token_type": "Bearer", **tokens, "expires_in": done.ttl}, bare=True, headers=UNCACHED)


# --- userinfo


def unheard(error: Exception, target: bytes) -> Answer | None:
    """Of whoever asks of people with a token that is none, or is no more; None of every other request or error.

    RFC 6750 §3.1, OpenID Connect Core 1.0 §5.3.3.
    """
    if not isinstance(error, Unauthenticated | Denied) or _USER_INFO.fullmatch(target) is None:
        return None
    return _challenged(OidcRefusal("invalid_token", "permission denied"))


def _challenged(refusal: OidcRefusal) -> Answer:
    """RFC 6750 §3"""
    told = _refused(refusal, OF_USERS)
    challenge = f'Bearer error="{refusal.code}",error_description="{_quoted(refusal.words)}"'
    return Answer(
        status=told.status, bare=True, data=told.data, headers=header(b"WWW-Authenticate", challenge.encode())
    )


def _quoted(words: str) -> str:
    """RFC 9110 §5.6.4, of ASCII that can be seen."""
    seen = "".join(one if " " <= one <= "~" else "?" for one in words)
    return seen.replace("\\", r"\\").replace('"', r"\"")


def _user_info(req: NamedRequest, call: Call) -> Answer:
    as_bearer = not headers_of(call).get(b"x-vault-token")
    done = call(ops.TellOfUser(tenant=here(call), name=named(req), as_bearer=as_bearer))
    if not isinstance(done, OidcRefusal):
        return Answer(data=done.claims, bare=True)
    return _challenged(done) if done.code in {"invalid_request", "invalid_token"} else _refused(done, OF_USERS)


@endpoint("identity", Verb.READ, "oidc/provider/{name}/userinfo")
def user_info(req: NamedRequest, call: Call) -> Answer:
    return _user_info(req, call)


@endpoint("identity", Verb.WRITE, "oidc/provider/{name}/userinfo")
def post_user_info(req: NamedRequest, call: Call) -> Answer:
    return _user_info(req, call)


OPERATIONS: tuple[Any, ...] = (authorize, post_authorize, token, user_info, post_user_info)
