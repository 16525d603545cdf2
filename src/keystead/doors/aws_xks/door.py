"""The open door: signed POSTs of AWS KMS in, JSON out. XKS Proxy API, version 1 of the interface.

Rule 1: a request is authenticated before its URI and body are looked at, and put on record whatever comes of it.
Rule 2: the credential says which address it is good for; a request for another URI prefix is for no prefix at all.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from msgspec.structs import replace

from keystead.core import errors as e
from keystead.core.caller import Caller, Stranger
from keystead.core.ports import WouldBlock
from keystead.core.sensitive import Sensitive
from keystead.doors.aws_xks.errors import ERRORS, METHOD, REFUSALS, URI, body, said
from keystead.doors.aws_xks.names import Place, place, prefix_of
from keystead.kit import Call, Door, Means, WireOperation, fault
from keystead.kit.door import AtOnce
from keystead.wire import Malformed, Misfit
from keystead.wire.aws import sigv4
from keystead.wire.http import NO_HEADERS, Headers, HttpRequest, Refusal, reply

LOG = logging.getLogger("keystead")
_HEAD = b"Content-Type: application/json\r\nCache-Control: no-store\r\n"
_ALLOW = b"Allow: POST\r\n"  # RFC 9110 §15.5.6


def _revealed(value: Any) -> bytes:
    """What only the caller is told. Raises TypeError for anything that has no form in JSON."""
    if type(value) is not Sensitive:
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return value.reveal()


_encode = msgspec.json.Encoder(enc_hook=_revealed).encode


class XksFront(AtOnce):
    """kit.Front for AWS KMS."""

    def __init__(self, door: Door, means: Means) -> None:
        self._door, self._service, self._markers = door.name, means.service, means.markers
        self._new_id, self._authenticator = means.request_ids, means.authenticator
        self._operations = door.table()

    def serve(self, request: HttpRequest) -> bytes:
        request_id, asked = self._new_id(), place(request.target)
        caller = None
        try:
            caller = self._caller(request, asked, request_id)
            operation = self._operation(asked, caller)
            message = operation.read(request.body)
            if asked is not None and asked.key:
                message = replace(message, external_key_id=asked.key)
            caller = self._authenticator.correlated(caller, message.request_metadata.kms_request_id)
            answer = _encode(operation.run(message, Call(self._service, caller, self._markers)))
        except WouldBlock:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            return self._refuse(request, caller or self._stranger(request, asked, request_id), error)
        return reply(200, _HEAD, answer, request.second)

    def reject(self, refusal: Refusal, second: int, _headers: Headers = NO_HEADERS, /) -> bytes:
        row = REFUSALS[refusal]
        return reply(row.status, _HEAD, said(row.code, refusal.words), second)

    # --- inside

    def _caller(self, request: HttpRequest, asked: Place | None, request_id: str) -> Caller:
        if request.method != b"POST":
            raise e.Unsupported("POST is the one method here", METHOD)
        name = asked.operation if asked else ""
        return self._authenticator.xks(request, door=self._door, wire_operation=name, request_id=request_id)

    def _operation(self, asked: Place | None, caller: Caller) -> WireOperation[Any, Any]:
        if asked is None or asked.prefix != prefix_of(caller.namespace):
            raise e.NotFound("no such URI", URI)
        return self._operations[asked.operation]

    # --- refusals, on record before they are said

    def _refuse(self, request: HttpRequest, who: Caller | Stranger, error: Exception) -> bytes:
        known = self._on_record(who, _kind_of(error, who.request_id))
        row = fault(ERRORS, known)
        head = _HEAD + _ALLOW if row.status == 405 else _HEAD
        return reply(row.status, head, body(row, known), request.second)

    def _on_record(self, who: Caller | Stranger, error: e.KeysteadError) -> e.KeysteadError:
        """The error to say, once it is on record; Unavailable where it cannot be put there."""
        if error.recorded:
            return error
        try:
            self._service.turn_away(who, error)
        except e.KeysteadError as worse:
            return worse
        return error

    def _stranger(self, request: HttpRequest, asked: Place | None, request_id: str) -> Stranger:
        presented = sigv4.parse_header(request.headers.get(b"authorization", b""))
        return Stranger(
            claims=presented.access_key_id if isinstance(presented, sigv4.Presented) else "",
            door=self._door,
            wire_operation=asked.operation if asked else "",
            request_id=request_id,
            source=request.peer,
            now=request.received_at,
        )


def _kind_of(error: Exception, request_id: str) -> e.KeysteadError:
    """The kind of whatever went wrong. A message of another shape says where it is wrong, and not with what."""
    if isinstance(error, e.KeysteadError):
        return error
    if isinstance(error, Misfit):
        text = error.text.partition("'")[0].strip()  # the decoder quotes a value that it does not know
        return e.InvalidArgument(f"{text} at {error.path}" if error.path else text, "message")
    if isinstance(error, Malformed):
        return e.Malformed(str(error))
    LOG.error("internal error in request %s", request_id, exc_info=error)
    return e.Internal("internal error", request_id)
