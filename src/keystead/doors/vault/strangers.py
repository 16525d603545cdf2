"""What is answered to whoever shows no token: how the server stands, the seal, and logins."""

from __future__ import annotations

from collections.abc import Mapping

from keystead.core import errors as e
from keystead.core.caller import Stranger
from keystead.core.ports import WouldBlock
from keystead.core.vouching.words import PENDING
from keystead.doors.vault.endpoint import Answer, Endpoint, OpenCall, Said, StrangerCall
from keystead.doors.vault.factors import of_header
from keystead.doors.vault.openly import OPEN, VERBS, Open, is_sealed
from keystead.doors.vault.places import Found, Places
from keystead.doors.vault.replies import Replies, enveloped
from keystead.doors.vault.spaces import OF_SERVER, UNAVAILABLE, Place
from keystead.kit import Means
from keystead.service.authenticate import NOTHING_SHOWN
from keystead.service.view.tenants import require_open
from keystead.wire.http import HttpRequest, Refusal, head_of, no_content
from keystead.wire.vault import request as wire
from keystead.wire.vault.envelope import HEAD

_EVERY = frozenset(wire.Verb)
MOST_OF_A_STRANGER = 64 * 1024
"""Bytes of a body, of whoever is nobody yet: to read one of 1 MiB takes a hundred times what is spent on anybody."""


class Strangers:
    """Of one door. Whatever comes of it is on record, with where it came from: nobody says who they are."""

    def __init__(self, door: str, means: Means, places: Places, replies: Replies) -> None:
        self._door, self._means, self._places, self._replies = door, means, places, replies

    def stranger(self, request: HttpRequest, name: str, request_id: str) -> Stranger:
        return Stranger(
            claims="",
            door=self._door,
            wire_operation=name,
            request_id=request_id,
            source=request.peer,
            now=request.received_at,
        )

    def to_anybody(
        self, request: HttpRequest, asked: wire.Asked, names: tuple[str, ...], request_id: str
    ) -> bytes | None:
        """What is answered to anybody; None for everything else. Raises Said for a verb that nobody may."""
        if (opened := _open(asked, names)) is not None:
            self._means.service.let_in(self.stranger(request, opened.name, request_id))
            said = enveloped(opened.run(self._means, asked, request.second), (), "", request_id, request.second)
            return head_of(said) if request.method == b"HEAD" else said
        if names or asked.verb is wire.Verb.HELP or not asked.path.startswith("sys/"):
            return None
        if asked.verb not in VERBS.get(asked.path, _EVERY):
            raise Said(405, "")
        if (found := self._places.openly(asked)) is not None:
            return self._ask_openly(request, asked, *found, request_id)
        if asked.path == "sys/seal" and is_sealed(self._means):  # whoever asks: there is nothing left to do
            self._means.service.let_in(self.stranger(request, "system write seal", request_id))
            return no_content(HEAD, request.second)
        return None

    def _ask_openly(
        self, request: HttpRequest, asked: wire.Asked, endpoint: Endpoint, captures: Mapping[str, str], request_id: str
    ) -> bytes:
        require_little(request)
        self._means.mounts.may_block()  # the custodian is another process
        who = self.stranger(request, endpoint.name, request_id)
        try:
            given = wire.arguments(asked, request.headers.get(b"content-type"), request.body)
            message, _ = endpoint.take(captures, given)
            answer = endpoint.run(message, OpenCall(self._means.custody))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            return self._replies.refuse(error, who, request.second)
        self._means.service.let_in(who)
        return enveloped(answer, (), "system", request_id, request.second)

    # --- logging in

    def let_in(self, request: HttpRequest, place: Place, found: Found, wrap_for: int, request_id: str) -> bytes:
        """A login. Raises WouldBlock, and what is said of a namespace that is locked."""
        require_little(request)
        if found.endpoint.shows is not None:
            self._means.mounts.may_wait(tenant=found.mount.tenant)  # whoever vouches for them is asked
        self._means.mounts.may_block(found.mount.tenant)  # a login is never quick
        require_open(place.chain)
        asked = place.asked
        given = wire.arguments(asked, request.headers.get(b"content-type"), request.body)
        who = self._means.authenticator.unknown(
            request,
            tenant=found.mount.tenant,
            namespace=found.mount.id,
            door=self._door,
            wire_operation=found.endpoint.name,
            request_id=request_id,
            asked=found.endpoint.asked(asked.path, {}, wrap_for or None),
            factors=of_header(request.headers) if b"x-vault-mfa" in request.headers else NOTHING_SHOWN,
        )
        try:
            message, warnings = found.endpoint.take(found.captures, given)
            if found.endpoint.shows is not None:
                word = found.endpoint.shows(message, StrangerCall(self._means, who, request.headers))
                who = self._means.authenticator.claiming(who, word.role)
                who = self._means.authenticator.vouched(who, found.mount, word)
            answer = found.endpoint.run(message, StrangerCall(self._means, who, request.headers))
            if isinstance(answer, Answer) and answer.status >= 400:
                self._means.authenticator.turned_away(request)
            if wrap_for:
                return self._replies.wrapped(answer, warnings, found.mount.engine, who, wrap_for, request.second)
            return enveloped(answer, warnings, found.mount.engine, request_id, request.second)
        except WouldBlock:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            if not _is_to_be_asked_again(error):
                self._means.authenticator.turned_away(request)
            return self._replies.refuse(error, who, request.second, found.endpoint.refuses)


def require_little(request: HttpRequest) -> None:
    """Of whoever is nobody yet. Raises Said."""
    if len(request.body) > MOST_OF_A_STRANGER:
        raise Said(Refusal.BODY_TOO_LARGE.status, Refusal.BODY_TOO_LARGE.words)


def _is_to_be_asked_again(error: Exception) -> bool:
    return isinstance(error, e.InvalidArgument) and error.detail == PENDING


def _open(asked: wire.Asked, names: tuple[str, ...]) -> Open | None:
    """What is answered to anybody, sealed or not. Raises Said in a namespace."""
    opened = OPEN.get((asked.verb, asked.path))
    if opened is not None and names and asked.path not in OF_SERVER:
        raise Said(400, UNAVAILABLE)
    return opened
