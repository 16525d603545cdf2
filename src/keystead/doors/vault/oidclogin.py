"""auth/oidc: logging in in a browser. Vault HTTP API, "JWT/OIDC auth method", OIDC; OpenBao, builtin/credential/jwt."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.entities import OidcLogin
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.terms import log_in
from keystead.doors.vault.tokens import here
from keystead.kit import Call
from keystead.service.credentials.vouchers import Beginning, Polled, Returned
from keystead.wire.vault.kinds import Lower
from keystead.wire.vault.reader import Parameters
from keystead.wire.vault.request import Verb

MAX_CODE = 8192  # characters


class AuthUrlRequest(Parameters, frozen=True, kw_only=True):
    role: Lower = ""
    redirect_uri: str = ""
    client_nonce: str = ""


def _beginning(req: AuthUrlRequest, _call: Call) -> Beginning:
    return Beginning(req.role, req.redirect_uri, req.client_nonce != "")


@endpoint("jwt", Verb.WRITE, "oidc/auth_url", unsigned=True, shows=_beginning)
def auth_url(req: AuthUrlRequest, call: Call) -> dict[str, Any]:
    """Empty where the role does not let people be sent back there. Of another device with what it is asked about by."""
    nonce = Sensitive(req.client_nonce.encode())
    begun = ops.BeginOidcLogin(
        tenant=here(call), mount=call.namespace, redirect_uri=req.redirect_uri, client_nonce=nonce
    )
    done = call(begun)
    if not done.state:
        return {"auth_url": done.url}
    more = {"user_code": done.user_code} if done.user_code else {}
    return {"auth_url": done.url, "state": done.state, "poll_interval": str(done.poll_interval), **more}


class CallbackRequest(Parameters, frozen=True, kw_only=True):
    """What an issuer says in words (RFC 6749 §4.1.2.1) is taken and not repeated: anybody may have written it."""

    state: str = ""
    code: str = ""
    client_nonce: str = ""
    error: str = ""
    error_description: str = ""
    error_uri: str = ""
    iss: str | None = None  # RFC 9207 §2


def _returned(req: CallbackRequest, call: Call) -> Returned:
    """Whatever comes of it, the state is used up before anybody is shown the code. Raises Said."""
    taken = ops.TakeOidcLogin(
        tenant=here(call),
        mount=call.namespace,
        state=Sensitive(req.state.encode()),
        client_nonce=Sensitive(req.client_nonce.encode()),
    )
    if (begun := call(taken)) is None:
        raise Said(400, "invalid client_nonce")
    if len(req.code) > MAX_CODE:
        raise Said(400, "the code is too long")
    return Returned(begun, Sensitive(req.code.encode()), req.error, req.iss)


@endpoint("jwt", Verb.READ, "oidc/callback", unsigned=True, shows=_returned)
def callback(_req: CallbackRequest, call: Call) -> Answer:
    return log_in(call)


class PollRequest(Parameters, frozen=True, kw_only=True):
    state: str = ""
    client_nonce: str = ""


def _taken(req: PollRequest, call: Call, *, stays: bool) -> OidcLogin:
    """Raises Said."""
    taken = ops.TakeOidcLogin(
        tenant=here(call),
        mount=call.namespace,
        state=Sensitive(req.state.encode()),
        client_nonce=Sensitive(req.client_nonce.encode()),
        on_another_device=True,
        stays=stays,
    )
    if (begun := call(taken)) is None:
        raise Said(400, "invalid client_nonce")
    return begun


def _polled(req: PollRequest, call: Call) -> Polled:
    return Polled(_taken(req, call, stays=True))


@endpoint("jwt", Verb.WRITE, "oidc/poll", unsigned=True, shows=_polled)
def poll(req: PollRequest, call: Call) -> Answer:
    """RFC 8628 §3.4: whether the code has been typed in. One login comes of it, whoever else asks meanwhile."""
    _taken(req, call, stays=False)
    return log_in(call)


OPERATIONS = (auth_url, callback, poll)
