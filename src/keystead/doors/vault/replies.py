"""What Vault's clients hear: an answer, a token in place of it, or a refusal in Vault's words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from keystead.core import errors as e
from keystead.core.approvals import HeldUp, Standing
from keystead.core.caller import Caller, Stranger
from keystead.core.operations import TenantRef, WrapAnswer
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Answer, Said, write
from keystead.doors.vault.errors import ABSENT, ERRORS
from keystead.doors.vault.system.controlgroups import MAX_BODY, parked
from keystead.doors.vault.system.wrapping import kept, wrap_info
from keystead.kit import fault
from keystead.kit.message import Performer
from keystead.wire import Malformed, Misfit
from keystead.wire.http import NO_CONTENT, HttpRequest, no_content, reply
from keystead.wire.vault import VALIDATION, Refused
from keystead.wire.vault.envelope import HEAD, Envelope, around, doubled, errors, media_head

Shaped = Callable[[e.KeysteadError], Answer | None]
"""What is answered in place of an error where another protocol says how; None: what everybody hears."""
LOG = logging.getLogger("keystead")


def enveloped(answer: Any, warnings: tuple[str, ...], engine: str, request_id: str, second: int) -> bytes:
    if answer is None:
        return no_content(HEAD, second)
    if type(answer) is dict and not warnings:
        return reply(200, HEAD, around(request_id, write(answer), engine), second)
    one = answer if isinstance(answer, Answer) else Answer(data=answer)
    if one.media:
        return reply(one.status, media_head(one.media), one.data, second)
    if one.bare and one.status == NO_CONTENT:
        return no_content(HEAD + one.headers, second)
    if one.bare:
        return reply(one.status, HEAD + one.headers, b"" if one.data is None else write(one.data), second)
    said = Envelope(
        request_id="" if one.wrap_info is not None else request_id,
        data=one.data,
        auth=one.auth,
        wrap_info=one.wrap_info,
        warnings=[*warnings, *one.warnings] or None,
        lease_duration=one.lease_duration,
        mount_type=engine,
    )
    return reply(one.status, HEAD, write(doubled(said) if one.doubled else said), second)


class Replies:
    """Those for which the service is asked: a token for an answer, and that a refusal is on record."""

    def __init__(self, service: Performer) -> None:
        self._service = service

    def wrapped(
        self, answer: Any, warnings: tuple[str, ...], engine: str, who: Caller, wrap_for: int, second: int
    ) -> bytes:
        """In place of an answer, whatever its status, the token it is told for; what says nothing is not wrapped."""
        one = answer if isinstance(answer, Answer) else Answer(data=answer)
        refuses = one.bare and one.status >= 400
        if (one.data is None and one.auth is None) or one.media or refuses:
            return enveloped(answer, warnings, engine, who.request_id, second)
        _, _, inside = enveloped(answer, warnings, engine, who.request_id, second).partition(b"\r\n\r\n")
        path = who.asked.here if who.asked is not None else ""
        made = self._service.perform(
            who,
            WrapAnswer(
                tenant=TenantRef(who.principal.tenant),
                answer=Sensitive(kept(one.status, inside)),
                ttl=wrap_for,
                path=path,
            ),
        )
        info = wrap_info(made, wrapped=_accessor(one, engine))
        return reply(200, HEAD, write(Envelope(request_id="", wrap_info=info)), second)

    def not_done(
        self, error: Exception, who: Caller | Stranger, request: HttpRequest, shaped: Shaped | None = None
    ) -> bytes:
        """A refusal; of what waits for others, a token that the request itself is kept for."""
        held = error.detail if isinstance(error, e.NotApproved) else None
        waits = isinstance(held, HeldUp) and held.standing is Standing.PENDING and len(request.body) <= MAX_BODY
        if not waits or not isinstance(held, HeldUp) or not isinstance(who, Caller):
            return self.refuse(error, who, request.second, shaped)
        wrapping = WrapAnswer(
            tenant=TenantRef(who.principal.tenant),
            answer=Sensitive(parked(request)),
            ttl=max(1, int((held.ends_at - who.now).total_seconds())),
            path=who.asked.here if who.asked is not None else "",
            waits_for=held.request,
        )
        try:
            made = self._service.perform(who, wrapping)
        except e.KeysteadError as worse:
            return self.refuse(worse, who, request.second)
        return reply(200, HEAD, write(Envelope(request_id="", wrap_info=wrap_info(made))), request.second)

    def refuse(self, error: Exception, who: Caller | Stranger, second: int, shaped: Shaped | None = None) -> bytes:
        known, status, words = _kind_of(error, who.request_id)
        if not known.recorded:
            try:
                self._service.turn_away(who, known)
            except e.KeysteadError as worse:
                (known, status, words), shaped = _kind_of(worse, who.request_id), None
        told = shaped(error) if shaped is not None and isinstance(error, e.KeysteadError) else None
        if told is not None:
            return enveloped(told, (), "", who.request_id, second)
        return reply(status, HEAD, errors(*words), second)


def _accessor(one: Answer, engine: str) -> str:
    """Of the token, or the secret id, that an answer hands out."""
    if one.auth is not None:
        return one.auth.accessor
    found = one.data.get("secret_id_accessor") if engine == "approle" and isinstance(one.data, dict) else None
    return found if isinstance(found, str) else ""


def _kind_of(error: Exception, request_id: str) -> tuple[e.KeysteadError, int, tuple[str, ...]]:
    """(what goes on record, status, words)"""
    if isinstance(error, Said):
        return error.kind, error.status, (str(error),) if str(error) else ()
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
