"""sys/wrapping: answers that wait in a token. X-Vault-Wrap-TTL itself is the front's (doors.vault.front, replies)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from keystead.core import operations as ops
from keystead.core.approvals import HeldUp, Standing
from keystead.core.errors import NotApproved, NotFound
from keystead.core.operations import MadeToken
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Answer, Said, endpoint, token_of_caller
from keystead.doors.vault.system.controlgroups import NOT_YET, is_parked
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.service.credentials.token import digest
from keystead.wire.vault.envelope import WrapInfo
from keystead.wire.vault.reader import Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import time_text

NOT_WRAPPING = "wrapping token is not valid or does not exist"
NO_TOKEN = "error validating wrapping token: empty token in request body"  # noqa: S105 - words


def wrap_info(made: MadeToken, wrapped: str = "") -> WrapInfo:
    """`wrapped`: the accessor of the token in the wrapped answer."""
    token = made.token
    return WrapInfo(
        token=made.text,
        accessor=token.accessor,
        ttl=token.ttl,
        creation_time=time_text(token.created_at),
        creation_path=token.path,
        wrapped_accessor=wrapped,
    )


def kept(status: int, body: bytes) -> bytes:
    """An answer as its token keeps it. One that is no 200 begins with what it is, as no JSON of an answer does."""
    return body if status == 200 else b"%d %b" % (status, body)


def as_it_was(inside: Sensitive) -> Answer:
    raw = inside.reveal()
    status, body = (b"200", raw) if raw.startswith(b"{") else raw.split(b" ", 1)
    return Answer(data=msgspec.Raw(body.rstrip(b"\n")), bare=True, status=int(status))


class WrapRequest(Parameters, frozen=True, kw_only=True):
    """Whatever there is."""


@endpoint("system", Verb.WRITE, "wrapping/wrap", open_ended=True)
def wrap(_req: WrapRequest, call: Call) -> Mapping[str, Any]:
    """The parameters said back, for the front to wrap."""
    asked = call.caller.asked
    if asked is None or not asked.wrap_for:
        raise Said(400, "endpoint requires response wrapping to be used")
    call(ops.UseTools(tenant=here(call)))
    return dict(asked.parameters)


class WrappedRequest(Parameters, frozen=True, kw_only=True):
    token: str | None = None


def _text(req: WrappedRequest, call: Call) -> Sensitive:
    """Raises Said where a token is given that is none."""
    if req.token == "":
        raise Said(403, NO_TOKEN)
    return token_of_caller(call) if req.token is None else Sensitive(req.token.encode(errors="surrogatepass"))


@endpoint("system", Verb.WRITE, "wrapping/unwrap")
def unwrap(req: WrappedRequest, call: Call) -> Answer:
    """The answer as it would have come at first, envelope and all."""
    try:
        inside = call(ops.Unwrap(tenant=here(call), text=_text(req, call)))
    except NotFound:
        raise Said(400, NOT_WRAPPING) from None
    except NotApproved as error:
        pending = isinstance(error.detail, HeldUp) and error.detail.standing is Standing.PENDING
        raise Said(400, NOT_YET if pending else str(error)) from None
    if is_parked(inside.reveal()):
        return Answer(again=inside.reveal())
    return as_it_was(inside)


def _looked_up(text: Sensitive, call: Call) -> dict[str, Any]:
    try:
        token = call(ops.LookUpWrapped(tenant=here(call), id=digest(text)))
    except NotFound:
        raise Said(400, NOT_WRAPPING) from None
    return {"creation_path": token.path, "creation_time": time_text(token.created_at), "creation_ttl": token.ttl}


@endpoint("system", Verb.WRITE, "wrapping/lookup")
def look_up(req: WrappedRequest, call: Call) -> dict[str, Any]:
    return _looked_up(_text(req, call), call)


@endpoint("system", Verb.READ, "wrapping/lookup")
def look_up_self(_req: Nothing, call: Call) -> dict[str, Any]:
    """Of the token that the request came with: agents look this way. A query names no token here."""
    return _looked_up(token_of_caller(call), call)


@endpoint("system", Verb.WRITE, "wrapping/rewrap")
def rewrap(req: WrappedRequest, call: Call) -> Answer:
    """For as long as it was wrapped at first, or as X-Vault-Wrap-TTL says, whichever is shorter."""
    asked = call.caller.asked
    at_most = int(asked.wrap_for or 0) if asked is not None else 0
    try:
        made = call(ops.Rewrap(tenant=here(call), text=_text(req, call), at_most=at_most))
    except NotFound:
        raise Said(400, NOT_WRAPPING) from None
    return Answer(wrap_info=wrap_info(made))


OPERATIONS = (wrap, unwrap, look_up, look_up_self, rewrap)
