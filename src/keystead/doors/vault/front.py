"""The open door: a method and a path in, an envelope out.

    read the request line -> find mount and operation -> who -> arguments -> run -> envelope

Rule 1: a token is looked at before the body is, and before anybody hears what is mounted where.
Rule 2: whatever comes of it is on record. The record says which operation it was, by its template; never a value.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from msgspec.structs import replace

from keystead.core import errors as e
from keystead.core.caller import Asked, Caller
from keystead.core.entities import USED_UP
from keystead.core.operations import TenantRef, UseToken, UseTools
from keystead.core.policy.paths import acl_of
from keystead.core.ports import WouldBlock
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import CAPABILITIES, Answer, Said, TokenCall
from keystead.doors.vault.identity.oidcflow import unheard
from keystead.doors.vault.known import Arrival, Known
from keystead.doors.vault.leave import to_tell
from keystead.doors.vault.looked import Looked, tree_of
from keystead.doors.vault.paging import page_of
from keystead.doors.vault.places import Found, Places, spellings
from keystead.doors.vault.replies import Replies, enveloped
from keystead.doors.vault.spaces import OF_ITSELF, SHOWN, UNLOCK, Place, Spaces, header_of
from keystead.doors.vault.strangers import Strangers, require_little
from keystead.doors.vault.system.capabilities import unshown
from keystead.doors.vault.system.controlgroups import unparked
from keystead.doors.vault.system.wrapping import NO_TOKEN, NOT_WRAPPING
from keystead.kit import Door, Means
from keystead.kit.door import Steps, Stepwise, wherever
from keystead.service.credentials import Reason
from keystead.service.held import HeldToken
from keystead.wire import Malformed, Misfit
from keystead.wire.http import NO_HEADERS, Headers, HttpRequest, Refusal, header, reply
from keystead.wire.vault import Refused, headers
from keystead.wire.vault import request as wire
from keystead.wire.vault.envelope import HEAD, errors

LOOK_UP = "sys/wrapping/lookup"
WRAPPING = ("response-wrapping",)
OF_WRAPPED = frozenset({"sys/wrapping/unwrap", "sys/wrapping/rewrap", LOOK_UP})
"""Where the token may come in the body alone."""


class Counted:
    """Of one request. `last`: the bearer of a token whose last use it was."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last: Caller | None = None


class VaultFront(Stepwise):
    """kit.Front for Vault's clients."""

    def __init__(self, door: Door, means: Means) -> None:
        self._door, self._means = door.name, means
        self._places, self._spaces = Places(door, means.mounts), Spaces(means.mounts)
        self._known = Known(means.mounts, self._places)
        self._replies = Replies(means.service)
        self._strangers = Strangers(door.name, means, self._places, self._replies)
        self._spelt = partial(spellings, self._spaces, self._places)

    def steps(self, request: HttpRequest) -> Steps:
        request_id = self._means.request_ids()
        who, name, counted, is_spoken_for = None, "", Counted(), False
        try:
            known = self._known.find(request)
            if known is None:
                arrived = yield from self._arrive(request, request_id, counted)
            else:
                self._means.authenticator.again(known.held, request)
                arrived = known
                yield None
            if isinstance(arrived, bytes):
                return arrived
            found, place, wrap_for = arrived.found, arrived.place, arrived.wrap_for
            endpoint = found.endpoint
            name, is_spoken_for = endpoint.name, place.asked.path in OF_WRAPPED or endpoint.verb is wire.Verb.HELP
            given = wire.arguments(arrived.whole, request.headers.get(b"content-type"), request.body)
            who = self._means.authenticator.bearer(
                arrived.held,
                request,
                namespace=found.mount.id,
                door=self._door,
                wire_operation=name,
                request_id=request_id,
                asked=endpoint.asked(place.asked.path, Looked(given), wrap_for or None, arrived.below, found.captures),
                unlocking=place.asked.path == UNLOCK,
            )
            given, page = page_of(given, who, endpoint.request)
            message, warnings = endpoint.take(found.captures, given)
            yield None
            lease_for = found.mount.default_lease_for
            call = TokenCall(self._means, who, arrived.text, place.led, request.headers, lease_for, self._spelt)
            answer = yield from wherever(endpoint.run, message, call)
            if not call.has_asked:
                self._means.service.perform(who, UseTools(tenant=TenantRef(who.principal.tenant)))
            yield None
            warned = () if endpoint.open_ended else warnings
            answer = answer if page is None else page.of(answer)
            said = self._told(answer, warned, found.mount.engine, who, wrap_for, arrived.text, request)
        except WouldBlock:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            asker = who or self._strangers.stranger(request, name, request_id)
            said = self._replies.not_done(  # the error has no name here, or it would keep this frame, and this frame it
                error if is_spoken_for else to_tell(error, who),
                asker,
                request,
                lambda known: unheard(known, request.target),
            )
        if counted.last is not None:
            with suppress(
                e.KeysteadError
            ):  # on record; nobody comes in by it any more, and the scheduler takes it away
                last = counted.last
                self._means.service.perform(last, UseToken(tenant=TenantRef(last.principal.tenant), ended=True))
        return said

    def _arrive(
        self, request: HttpRequest, request_id: str, counted: Counted
    ) -> Generator[WouldBlock | None, None, Arrival | bytes]:
        """The whole way: what is asked, by whom, and where that leads; or what is answered before anybody asks that."""
        way = self._places.way(request)
        asked = wire.ask(request.method, request.target) if way is None else way.asked
        if isinstance(asked, wire.Redirect):
            return reply(307, HEAD + header(b"Location", asked.location), b"", request.second)
        names = header_of(request.headers) if way is None else way.names
        if way is None and (told := self._strangers.to_anybody(request, asked, names, request_id)) is not None:
            return told
        moment = self._means.mounts.moment()
        self._places.require_room(names, asked, request)
        wrap_for = headers.wrap_for(request.headers)
        place = self._spaces.find(self._means.mounts.home(), names, asked) if way is None else way.place
        if way is None and (login := self._places.login(place)) is not None:
            return self._strangers.let_in(request, place, login, wrap_for, request_id)
        held, text = self._held(request, place.asked, asked)
        yield None
        if way is not None and (self._spaces.below(place, held.token.tenant) is None or not self._places.still(way)):
            way = None
        if way is None:
            place = self._as_it_is_for(held, names, asked, request)
        if wrap_for or held.token.n_uses:
            self._means.mounts.may_block(held.token.tenant)  # before anything has been done
        if held.token.n_uses and place.asked.path != LOOK_UP:
            held = self._counted(held, request, request_id, counted)
        below = self._led(place, held, request)
        found = self._placed(place, below, held, request, request_id, names, asked) if way is None else way.found
        arrival = Arrival(whole=asked, place=place, below=below, found=found, held=held, text=text, wrap_for=wrap_for)
        self._known.keep(request, moment, arrival)
        return arrival

    def reject(self, refusal: Refusal, second: int, _headers: Headers = NO_HEADERS, /) -> bytes:
        return reply(refusal.status, HEAD, errors(refusal.words), second)

    # --- who

    def _held(self, request: HttpRequest, asked: wire.Asked, whole: wire.Asked) -> tuple[HeldToken, Sensitive]:
        """The token that a request came with. Raises Unauthenticated; Said where it stands for a wrapped answer.

        `whole`: as it was asked. Whose path begins with a namespace hears no more than where there is none.
        """
        if asked.path not in OF_WRAPPED:
            text = headers.token(request.headers).decode("latin-1")
            return self._means.authenticator.token(request, text), Sensitive(text.encode())
        try:
            return self._wrapping(request, asked)
        except (Said, Refused, Malformed, Misfit) as error:
            if asked is whole:
                raise
            raise e.Unauthenticated("permission denied", Reason.UNKNOWN) from error

    def _wrapping(self, request: HttpRequest, asked: wire.Asked) -> tuple[HeldToken, Sensitive]:
        """Raises Said, wire errors."""
        text = headers.token(request.headers).decode("latin-1")
        if not text and asked.verb is wire.Verb.WRITE:  # a query is no place for a token
            require_little(request)
            text = _in_body(tree_of(wire.arguments(asked, None, request.body)))
        try:
            return self._means.authenticator.token(request, text), Sensitive(text.encode())
        except e.Unauthenticated as error:
            raise Said(400, NOT_WRAPPING) from error

    def _counted(self, held: HeldToken, request: HttpRequest, request_id: str, counted: Counted) -> HeldToken:
        """The token with one use fewer. The use is counted, come what may."""
        tenant = held.token.tenant
        who = self._bearer(held, request, request_id)
        token = self._means.service.perform(who, UseToken(tenant=TenantRef(tenant)))
        again = self._means.authenticator.used(held, request.received_at)
        counted.last = self._bearer(again, request, request_id) if token.n_uses == USED_UP else None
        return again

    def _bearer(
        self, held: HeldToken, request: HttpRequest, request_id: str, asked: Asked | None = None, tenant: str = ""
    ) -> Caller:
        return self._means.authenticator.bearer(
            held,
            request,
            namespace=f"vault:{tenant or held.token.tenant}:",
            door=self._door,
            wire_operation="use",
            request_id=request_id,
            asked=asked,
        )

    # --- where

    def _as_it_is_for(self, held: HeldToken, names: tuple[str, ...], asked: wire.Asked, request: HttpRequest) -> Place:
        """The place in the tree that the token is in; its own, for what it asks about itself.

        Unless its path begins with a namespace that it has no business in: that one is not there.
        """
        place = self._spaces.find(self._spaces.root_of(held.token.tenant), names, asked)
        at = place.asked
        wrapping = at.path in OF_WRAPPED and held.token.policies == WRAPPING
        is_elsewhere = place.tenant != held.token.tenant or bool(place.missing)
        if not wrapping and not (is_elsewhere and (at.verb, at.path) in OF_ITSELF):
            return place
        if at is not asked:
            try:
                self._led(place, held, request)
            except e.Denied:
                return place  # where it is refused
        return self._spaces.at_home(held.token.tenant, at)

    def _led(self, place: Place, held: HeldToken, request: HttpRequest) -> str:
        """What leads to the place from the token's own namespace. Raises Denied."""
        if (below := self._spaces.below(place, held.token.tenant)) is None:
            raise e.Denied("a token of one namespace, in another that is not below it")
        entered = below.removesuffix(place.led)  # what is only to be shown says the same of what is not there
        if entered and not acl_of(held.rights.policies, request.received_at).reaches(entered):
            raise e.Denied("nothing in that namespace is for this token")
        if place.led and any(one.lock for one in place.chain):  # neither that it is locked
            self._require_shown(place, below, held, request)
        return below

    def _require_shown(self, place: Place, below: str, held: HeldToken, request: HttpRequest) -> None:
        """Raises Said or Denied, as where nothing is there."""
        if not acl_of(held.rights.policies, request.received_at).reaches(below):
            if place.asked.verb is wire.Verb.READ:
                raise unshown(place.led + place.asked.path.removeprefix(SHOWN))
            raise e.Denied("nothing in that namespace is for this token")

    def _placed(
        self,
        place: Place,
        below: str,
        held: HeldToken,
        request: HttpRequest,
        request_id: str,
        names: tuple[str, ...],
        whole: wire.Asked,
    ) -> Found:
        """Raises Said; but that nothing is there is only for those to know who may do something there: Denied."""
        try:
            return self._places.find(place, request, names, whole)
        except Said:
            verb, path = place.asked.verb, place.missing + place.asked.path
            at = Asked(path=below + path, capability=CAPABILITIES[verb], below=below)
            who = self._bearer(held, request, request_id, at, place.tenant)
            with suppress(e.DryRun):
                self._means.service.perform(who, UseTools(tenant=TenantRef(place.tenant), dry_run=True))
            raise

    # --- what is said

    def _told(
        self,
        answer: Any,
        warnings: tuple[str, ...],
        engine: str,
        who: Caller,
        wrap_for: int,
        text: Sensitive,
        request: HttpRequest,
    ) -> bytes:
        if isinstance(answer, Answer) and answer.again:
            return self._again(answer.again, text, request)
        if wrap_for:
            return self._replies.wrapped(answer, warnings, engine, who, wrap_for, request.second)
        return enveloped(answer, warnings, engine, who.request_id, request.second)

    def _again(self, inside: bytes, text: Sensitive, request: HttpRequest) -> bytes:
        """What was asked for and has been approved, asked again by the same bearer."""
        waiting = unparked(inside)
        headers = {name.encode(): value for name, value in waiting.headers.items()}
        headers |= {b"host": request.headers.get(b"host", b""), b"x-vault-token": text.reveal()}
        return self.serve(
            replace(request, method=waiting.method, target=waiting.target, headers=headers, body=waiting.body)
        )


def _in_body(given: Mapping[str, Any]) -> str:
    """The token of a wrapped answer. Raises Said."""
    text = given.get("token")
    if text == "":
        raise Said(403, NO_TOKEN)
    if text is not None and not isinstance(text, str):
        raise Said(403, "error validating wrapping token: could not decode token in request body")
    if not text:
        raise Said(403, "error validating wrapping token: token is empty")
    return text
