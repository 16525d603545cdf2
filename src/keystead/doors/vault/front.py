"""The open door: a method and a path in, an envelope out.

    read the request line -> find mount and operation -> who -> arguments -> run -> envelope

Rule 1: a token is looked at before the body is, and before anybody hears what is mounted where.
Rule 2: whatever comes of it is on record. The record says which operation it was, by its template; never a value.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from keystead.core import errors as e
from keystead.core.caller import Caller, Stranger
from keystead.core.entities import Mount
from keystead.core.ports import WouldBlock
from keystead.doors.vault.endpoint import Answer, Endpoint, Said, write
from keystead.doors.vault.errors import ABSENT, ERRORS
from keystead.doors.vault.kv import spoken
from keystead.doors.vault.openly import OPEN, Open
from keystead.kit import Call, Door, Means, fault, routes
from keystead.kit.door import Steps, Stepwise
from keystead.wire import Malformed, Misfit
from keystead.wire.http import HttpRequest, Refusal, header, reply
from keystead.wire.vault import VALIDATION, Refused
from keystead.wire.vault import request as wire
from keystead.wire.vault.envelope import (
    HEAD,
    UNSUPPORTED_OPERATION,
    UNSUPPORTED_PATH,
    Envelope,
    doubled,
    errors,
    no_route,
)
from keystead.wire.vault.tree import tree

LOG = logging.getLogger("keystead")
BEARER = b"Bearer "
_HOME = frozenset({b"", b"root", b"/", b"root/"})


class _Found(Struct, frozen=True):
    """Where a request leads."""

    mount: Mount
    endpoint: Endpoint
    captures: Mapping[str, str]


class VaultFront(Stepwise):
    """kit.Front for Vault's clients."""

    def __init__(self, door: Door, means: Means) -> None:
        self._door, self._means = door.name, means
        declared = [one for one in door.operations if isinstance(one, Endpoint)]
        engines = {one.engine for one in declared}
        self._engines = {name: routes(one for one in declared if one.engine == name) for name in engines}

    def steps(self, request: HttpRequest) -> Steps:
        request_id, who, name = self._means.request_ids(), None, ""
        try:
            asked = wire.ask(request.method, request.target)
            if isinstance(asked, wire.Redirect):
                return reply(307, HEAD + header(b"Location", asked.location), b"", request.second)
            _require_home(request)
            if (opened := self._open(asked)) is not None:
                self._means.service.let_in(self._stranger(request, opened.name, request_id))
                return self._said(opened.run(self._means, asked), (), "", request_id, request.second)
            held = self._means.authenticator.token(request, _text(request))
            yield
            found = self._place(asked, held.token.tenant)
            name = found.endpoint.name
            given = wire.arguments(asked, request.headers.get(b"content-type"), request.body)
            who = self._means.authenticator.bearer(
                held,
                request,
                namespace=found.mount.id,
                door=self._door,
                wire_operation=name,
                request_id=request_id,
                asked=found.endpoint.asked(asked.path, _tree(given)),
            )
            message, warnings = found.endpoint.take(found.captures, given)
            yield
            answer = found.endpoint.run(message, Call(self._means.service, who, self._means.markers))
            yield
            return self._said(answer, warnings, found.mount.engine, request_id, request.second)
        except WouldBlock:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            return self._refuse(error, who or self._stranger(request, name, request_id), request.second)

    def reject(self, refusal: Refusal, second: int) -> bytes:
        return reply(refusal.status, HEAD, errors(refusal.words), second)

    # --- where

    def _open(self, asked: wire.Asked) -> Open | None:
        """What is answered to anybody, sealed or not."""
        return OPEN.get((asked.verb, asked.path))

    def _place(self, asked: wire.Asked, tenant: str) -> _Found:
        """Raises Said: 404 where nothing is mounted or offered, 405 for another verb."""
        led = self._means.mounts.mounts(tenant).find(asked.path)
        if led is None:
            raise Said(404, no_route(asked.path))
        mount, rest = led
        table = self._engines.get(spoken(mount))
        place = table.find(rest.split("/")) if table is not None else None
        if place is None:
            raise Said(404, UNSUPPORTED_PATH)
        taken = place.take(asked.verb.value)
        if taken is None:
            raise Said(405, UNSUPPORTED_OPERATION)
        endpoint, captures = taken
        return _Found(mount, endpoint, captures)  # type: ignore[arg-type]  # only Endpoints were put into the table

    # --- what is said

    def _said(self, answer: Any, warnings: tuple[str, ...], engine: str, request_id: str, second: int) -> bytes:
        if answer is None:
            return reply(204, HEAD, b"", second)
        one = answer if isinstance(answer, Answer) else Answer(data=answer)
        if one.bare:
            return reply(one.status, HEAD, b"" if one.data is None else write(one.data), second)
        said = Envelope(
            request_id=request_id,
            data=one.data,
            auth=one.auth,
            warnings=[*warnings, *one.warnings] or None,
            lease_duration=one.lease_duration,
            mount_type=engine,
        )
        return reply(one.status, HEAD, write(doubled(said) if one.doubled else said), second)

    def _refuse(self, error: Exception, who: Caller | Stranger, second: int) -> bytes:
        known, status, words = _kind_of(error, who.request_id)
        if not known.recorded:
            try:
                self._means.service.turn_away(who, known)
            except e.KeysteadError as worse:
                known, status, words = _kind_of(worse, who.request_id)
        return reply(status, HEAD, errors(*words), second)

    def _stranger(self, request: HttpRequest, name: str, request_id: str) -> Stranger:
        return Stranger(
            claims="",
            door=self._door,
            wire_operation=name,
            request_id=request_id,
            source=request.peer,
            now=request.received_at,
        )


def _require_home(request: HttpRequest) -> None:
    """Raises Said for any other namespace than the root."""
    if request.headers.get(b"x-vault-namespace", b"") not in _HOME:
        raise Said(404, "namespace not found")


def _text(request: HttpRequest) -> str:
    """The token that comes with the request; in the URL it is none (security.md §4-B row 33)."""
    if (text := request.headers.get(b"x-vault-token")) is None:
        bearer = request.headers.get(b"authorization", b"")
        text = bearer[len(BEARER) :] if bearer[: len(BEARER)].lower() == BEARER.lower() else b""
    return text.decode("latin-1").strip()


def _tree(given: bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    """Parameters as policies look at them. Raises wire errors."""
    return tree(given) if isinstance(given, bytes) else given


def _kind_of(error: Exception, request_id: str) -> tuple[e.KeysteadError, int, tuple[str, ...]]:
    """(what goes on record, status, words)"""
    if isinstance(error, Said):
        return error, error.status, (str(error),) if str(error) else ()
    if isinstance(error, Refused):
        return e.Malformed("a request that gets no further"), error.status, (str(error),) if str(error) else ()
    if isinstance(error, Misfit):
        return e.InvalidArgument(error.text, "field"), 400, (f"{VALIDATION}{error.text}",)
    if isinstance(error, Malformed):
        return e.Malformed(str(error)), 400, (f"failed to parse JSON input: {error}",)
    known = error
    if not isinstance(known, e.KeysteadError):
        LOG.error("internal error in request %s", request_id, exc_info=error)
        known = e.Internal("internal error", request_id)
    row = fault(ERRORS, known)
    return known, row.status, () if row.code == ABSENT else (row.code or str(known),)
