"""The open door: signed requests in, whole replies out. JSON 1.1 for KMS, Query for STS and IAM.

Rule 1: a request is authenticated before its body is looked at, and put on record whatever comes of it. One brings its
        credential in its body (webidentity).
Rule 2: every reply carries x-amzn-RequestId; a refusal is said in the words of the protocol it was asked in.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from msgspec import Struct

from keystead.core import errors as e
from keystead.core.caller import Caller, Stranger
from keystead.core.ports import WouldBlock
from keystead.core.sensitive import Sensitive
from keystead.doors.aws_kms import query, sts, webidentity
from keystead.doors.aws_kms.approvals import OWN
from keystead.doors.aws_kms.constraints import complaint
from keystead.doors.aws_kms.contexts import spelt, stands_in_one
from keystead.doors.aws_kms.errors import PREFIX, REFUSALS, UNKNOWN_OPERATION, Said, WireFault, row
from keystead.doors.aws_kms.iam import errors as iam
from keystead.kit import Call, Door, Means, WireOperation, fault
from keystead.kit.ahead import Ahead
from keystead.kit.door import Steps, Stepwise, wherever
from keystead.wire import Malformed, Misfit
from keystead.wire.aws import json11, sigv4
from keystead.wire.aws import query as xml
from keystead.wire.http import NO_HEADERS, Headers, HttpRequest, Refusal, reply

LOG = logging.getLogger("keystead")
IN_JSON = (PREFIX, OWN)
_FORM = b"application/x-www-form-urlencoded"
_QUERY_ERRORS = {"sts": sts.ERRORS, "iam": iam.ERRORS}
_HEAD = b"Content-Type: %b\r\nCache-Control: no-store\r\nx-amzn-RequestId: "
_JSON_HEAD, _XML_HEAD = _HEAD % json11.CONTENT_TYPE, _HEAD % xml.CONTENT_TYPE


def _revealed(value: Any) -> bytes:
    """What only the caller is told. Raises TypeError for anything that has no form in JSON."""
    if type(value) is not Sensitive:
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return value.reveal()


_encode = msgspec.json.Encoder(enc_hook=_revealed).encode


class _Asked(Struct, frozen=True, kw_only=True):
    """One refused request, as far as it got."""

    request: HttpRequest
    request_id: str
    name: str  # of the operation; "" for one that does not exist
    operation: WireOperation[Any, Any] | None = None
    caller: Caller | None = None
    message: Any = None
    claims: str = ""  # whom a request that is not signed says it is from


class AwsFront(Stepwise):
    """kit.Front for AWS's clients."""

    def __init__(self, door: Door, means: Means) -> None:
        self._door, self._service, self._markers = door.name, means.service, means.markers
        self._new_id, self._authenticate = means.request_ids.__call__, means.authenticator.aws
        self._web_identity = means.authenticator.web_identity
        self._ahead = Ahead(means.mounts.moment, means.mounts.on_loop)
        table = door.table()
        self._json = {name.encode(): op for name, op in table.items() if name.startswith(IN_JSON)}
        self._query = {name: op for name, op in table.items() if not name.startswith(IN_JSON)}

    def steps(self, request: HttpRequest) -> Steps:
        target = request.headers.get(b"x-amz-target")
        operation = self._json.get(target) if target is not None else None
        if operation is None or request.target != b"/" or request.method != b"POST":
            return self._elsewhere(request, target)
        request_id = self._new_id()
        caller = message = None
        try:
            caller = self._authenticate(
                request, service="kms", door=self._door, wire_operation=operation.name, request_id=request_id
            )
            yield None
            try:
                message = operation.read(request.body)
            except Misfit as misfit:
                if not stands_in_one(misfit.path) or (again := spelt(request.body)) is None:
                    raise
                message = operation.read(again)
            yield None
            call = Call(self._service, caller, self._markers)
            ahead = self._ahead.find(caller, operation.name, _key_in(message)) if self._ahead.known else None
            if ahead is not None:
                yield ahead
                answer = yield from wherever(operation.run, message, call)
            else:
                try:
                    answer = operation.run(message, call)
                except WouldBlock as would:
                    self._ahead.learn(caller, operation.name, _key_in(message), would)
                    yield would
                    answer = yield from wherever(operation.run, message, call)
            yield None
            body = b"" if answer is None else _encode(answer)
        except WouldBlock:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            asked = _Asked(
                request=request,
                request_id=request_id,
                name=operation.name,
                operation=operation,
                caller=caller,
                message=message,
            )
            return self._refuse(asked, error)
        return reply(200, b"%b%b\r\n" % (_JSON_HEAD, request_id.encode()), body, request.second)

    def reject(self, refusal: Refusal, second: int, headers: Headers = NO_HEADERS, /) -> bytes:
        code, request_id = REFUSALS[refusal], self._new_id()
        service = _service_in(headers)
        form = headers.get(b"content-type", b"").startswith(_FORM)
        if b"x-amz-target" in headers or not (form or service in query.SERVICES):
            return _said(code, refusal.words, refusal.status, request_id, second)
        xmlns = query.SERVICES.get(service, query.SERVICES["sts"]).xmlns
        body = xml.error(code, refusal.words, xmlns, request_id, ours=refusal.status >= 500)
        return reply(refusal.status, b"%b%b\r\n" % (_XML_HEAD, request_id.encode()), body, second)

    # --- what is no operation of KMS offered here

    def _elsewhere(self, request: HttpRequest, target: bytes | None) -> bytes:
        service = _service_of(request)
        form = request.headers.get(b"content-type", b"").startswith(_FORM)
        if target is None and (form or service in query.SERVICES):
            return self._serve_query(request, query.SERVICES.get(service, query.SERVICES["sts"]))
        request_id = self._new_id()
        try:
            caller = self._authenticate(
                request, service="kms", door=self._door, wire_operation="", request_id=request_id
            )
        except WouldBlock:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            return self._refuse(_Asked(request=request, request_id=request_id, name=""), error)
        asked = _Asked(request=request, request_id=request_id, name="", caller=caller)
        return self._refuse(asked, e.Unsupported("there is no such operation", UNKNOWN_OPERATION))

    # --- refusals, on record before they are said

    def _refuse(self, asked: _Asked, error: Exception) -> bytes:
        second, request_id = asked.request.second, asked.request_id
        if isinstance(error, WireFault):
            return _said(error.code, None, 400, request_id, second)
        if isinstance(error, Malformed):
            error = _misfit(error, asked)
        known = self._on_record(asked, error)
        found = row(known)
        try:
            words = found.words(Said(known, asked.caller, asked.message))
        except Exception:  # a bug in the words must not cost the answer
            LOG.exception("no words for %s in request %s", found.code, request_id)
            words = None
        return _said(found.code, words, found.status, request_id, second)

    def _on_record(self, asked: _Asked, error: Exception) -> e.KeysteadError:
        """The error to say, once it is on record; Unavailable where it cannot be put there."""
        if not isinstance(error, e.KeysteadError):
            LOG.error("internal error in request %s", asked.request_id, exc_info=error)
            error = e.Internal("internal error", asked.request_id)
        if error.recorded:
            return error
        try:
            self._service.turn_away(asked.caller or self._stranger(asked), error)
        except e.KeysteadError as worse:
            return worse
        return error

    def _stranger(self, asked: _Asked) -> Stranger:
        presented = _presented(asked.request)
        return Stranger(
            claims=asked.claims or (presented.access_key_id if presented else ""),
            door=self._door,
            wire_operation=asked.name,
            request_id=asked.request_id,
            source=asked.request.peer,
            now=asked.request.received_at,
        )

    # --- Query

    def _serve_query(self, request: HttpRequest, service: query.QueryService) -> bytes:
        request_id, name, caller, claims, status = self._new_id(), "", None, "", 200
        try:
            form = query.parameters(request.target, request.body)
            action, version = query.action_of(form)
            operation = self._query.get(f"{service.name}:{action}") if version == service.version else None
            name = operation.name if operation else ""
            how = {"door": self._door, "wire_operation": name, "request_id": request_id}
            if operation is webidentity.assume_role_with_web_identity:
                message = operation.read(webidentity.bounded(form))
                presented = webidentity.Presented(message, in_url=not request.body)
                claims = presented.claims
                caller = self._web_identity(request, presented.token, tenant=presented.tenant, **how)
                answer: Any = operation.run(message, Call(self._service, caller, self._markers))
            else:
                caller = self._authenticate(request, service=service.name, **how)
                answer = query.run(operation, form, Call(self._service, caller, self._markers))
            body = xml.response(action, service.xmlns, query.result(answer), request_id)
        except WouldBlock:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            asked = _Asked(request=request, request_id=request_id, name=name, caller=caller, claims=claims)
            status, body = self._refused(asked, query.kind_of(error), service)
        return reply(status, b"%b%b\r\n" % (_XML_HEAD, request_id.encode()), body, request.second)

    def _refused(self, asked: _Asked, error: Exception, service: query.QueryService) -> tuple[int, bytes]:
        """(status, body). Apart from where the error was caught: what has a name for it there would be kept by it."""
        known = self._on_record(asked, error)
        said = fault(_QUERY_ERRORS[service.name], known)
        words, ours = iam.words(known), said.status >= 500
        return said.status, xml.error(said.code, words, service.xmlns, asked.request_id, ours=ours)


def _key_in(message: Any) -> str:
    """The key that it is about, as the caller names it; "" where it says none."""
    return getattr(message, "key_id", None) or ""


def _said(code: str, words: str | None, status: int, request_id: str, second: int) -> bytes:
    return reply(status, b"%b%b\r\n" % (_JSON_HEAD, request_id.encode()), json11.error(code, words), second)


def _misfit(error: Malformed, asked: _Asked) -> e.KeysteadError:
    """A message of another shape breaks a constraint, or is no message at all."""
    operation, body = asked.operation, asked.request.body
    text = complaint(operation.request, spelt(body) or body) if isinstance(error, Misfit) and operation else None
    return e.InvalidArgument(text, "message") if text else e.Malformed(str(error))


def _presented(request: HttpRequest) -> sigv4.Presented | None:
    header = request.headers.get(b"authorization")
    found = sigv4.parse_query(request.target.partition(b"?")[2]) if header is None else sigv4.parse_header(header)
    return found if isinstance(found, sigv4.Presented) else None


def _service_in(headers: Headers) -> str:
    """As _service_of."""
    found = sigv4.parse_header(headers.get(b"authorization", b""))
    return found.scope.service.decode() if isinstance(found, sigv4.Presented) else ""


def _service_of(request: HttpRequest) -> str:
    """The service in the scope of a credential that nobody has verified yet: it chooses words, and nothing else."""
    found = _presented(request)
    return found.scope.service.decode() if found else ""
