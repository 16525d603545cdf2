"""The open door: /v1/<Operation> over a unix socket, authenticated by the kernel's word for who is at the other end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from keystead.core import errors as e
from keystead.core.caller import Caller, Stranger
from keystead.core.operations import KIND_OF
from keystead.core.ports import WouldBlock
from keystead.doors.control.administration import OPERATIONS
from keystead.doors.control.codec import write
from keystead.doors.control.errors import ERRORS
from keystead.doors.control.lifecycle import STEPS, Lifecycle, Step
from keystead.kit import Call, Means, WireOperation, fault
from keystead.kit.door import AtOnce
from keystead.service.credentials import Reason
from keystead.wire import Malformed
from keystead.wire.http import NO_HEADERS, Headers, HttpRequest, Refusal, reply
from keystead.wire.json import reader

LOG = logging.getLogger("keystead")
NAME, PATH = "control", "/v1/"
NAMESPACE = "control::"
_HEAD = b"Content-Type: application/json\r\nCache-Control: no-store\r\n"


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error."""

    error: str
    message: str
    field: str = ""


class ControlFront(AtOnce):
    """kit.Front for the command line. `means` is asked for each time: sealing and unsealing change it."""

    def __init__(self, means: Callable[[], Means], server: Lifecycle, may_block: Callable[[], None]) -> None:
        self._means, self._server, self._may_block = means, server, may_block
        self._operations = {operation.name: operation for operation in OPERATIONS}
        self._readers = {name: reader(step.request) for name, step in STEPS.items()}

    def serve(self, request: HttpRequest) -> bytes:
        name = request.target.decode("latin-1").removeprefix(PATH)
        request_id = self._means().request_ids()
        try:
            body = self._answer(name, request, request_id)
        except WouldBlock:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            return self._refuse(request, name, request_id, error)
        return reply(200, _HEAD, body, request.second)

    def reject(self, refusal: Refusal, second: int, _headers: Headers = NO_HEADERS, /) -> bytes:
        return reply(refusal.status, _HEAD, msgspec.json.encode(Said("Malformed", refusal.words)), second)

    # --- inside

    def _answer(self, name: str, request: HttpRequest, request_id: str) -> bytes:
        if request.method != b"POST" or not request.target.startswith(PATH.encode()):
            raise e.NotFound("the control door has POST /v1/<Operation> and nothing else")
        if (step := STEPS.get(name)) is not None:
            return self._steer(name, step, request, request_id)
        if (operation := self._operations.get(name)) is not None:
            return self._perform(operation, request, request_id)
        raise e.Unsupported(f"no operation {name!r}", name)

    def _perform(self, operation: WireOperation[Any, Any], request: HttpRequest, request_id: str) -> bytes:
        caller = self._caller(operation.name, request, request_id)
        return operation.write(
            operation.run(operation.read(request.body), Call(self._means().service, caller, self._means().markers))
        )

    def _steer(self, name: str, step: Step, request: HttpRequest, request_id: str) -> bytes:
        self._may_block()
        message = self._readers[name](request.body)
        if step.leave is not None:
            self._means().service.perform(self._caller(name, request, request_id), step.leave(message))
            return write(step.run(message, self._server))
        if request.peer != self._server.owner:
            raise e.Unauthenticated("this server belongs to another user", Reason.UNKNOWN)
        answer = write(step.run(message, self._server))
        self._means().service.let_in(self._stranger(name, request, request_id))  # what is refused has its own record
        return answer

    def _caller(self, name: str, request: HttpRequest, request_id: str) -> Caller:
        return self._means().authenticator.peer(
            request, namespace=NAMESPACE, door=NAME, wire_operation=name, request_id=request_id
        )

    def _stranger(self, name: str, request: HttpRequest, request_id: str) -> Stranger:
        return Stranger(
            claims=request.peer,
            door=NAME,
            wire_operation=name,
            request_id=request_id,
            source=request.peer,
            now=request.received_at,
        )

    def _refuse(self, request: HttpRequest, name: str, request_id: str, error: Exception) -> bytes:
        if isinstance(error, Malformed):
            error = e.Malformed(str(error))
        elif not isinstance(error, e.KeysteadError):
            LOG.error("internal error in request %s", request_id, exc_info=error)
            error = e.Internal("internal error", request_id)
        if not error.recorded:
            self._means().service.turn_away(self._stranger(name, request, request_id), error)
        row = fault(ERRORS, error)
        field = error.detail if isinstance(error.detail, str) else KIND_OF.get(type(error.detail), "")
        return reply(row.status, _HEAD, msgspec.json.encode(Said(row.code, str(error), field)), request.second)
