"""Requests like those that came before: by which token, to which line, and where that led.

Rule 1: what is kept here was found by the whole way (front), and counts while nothing that is held of the store has
        changed: with any change all of it is forgotten (service.view, `moment`).
Rule 2: what may be otherwise at another moment, or from another address, is not kept but asked each time: whether the
        token is good now and from here, its rates, and everything that the pipeline asks.
Rule 3: the text of a token is kept here as it came, and no longer than what it led to: to make a digest of it for each
        request is what this saves. Nothing shows it. A digest as key would hide nothing: what is found holds the text,
        too (`Arrival.text`: whatever hangs under a token is sealed with it).
"""

from __future__ import annotations

from msgspec import Struct

from keystead.core.sensitive import Sensitive
from keystead.doors.vault.places import Found, Places
from keystead.doors.vault.spaces import Place
from keystead.kit.door import Mounts
from keystead.service.held import HeldToken
from keystead.wire.http import HttpRequest
from keystead.wire.vault import request as wire

N_KNOWN = 1_024
_Line = tuple[bytes, bytes, bytes | None, bytes | None]


class Arrival(Struct, frozen=True, kw_only=True):
    """A request once it is known whose it is, and what it is about.

    `whole`: as it was asked. `below`: what leads to the place from the token's own namespace. `wrap_for`: seconds.
    """

    whole: wire.Asked
    place: Place
    below: str
    found: Found
    held: HeldToken
    text: Sensitive  # of the token
    wrap_for: int = 0

    def __repr__(self) -> str:
        return "Arrival(…)"


class Known:
    """Of one door. Safe to use from any thread: what two of them do at once costs time, and no correctness."""

    def __init__(self, mounts: Mounts, places: Places) -> None:
        self._mounts, self._places = mounts, places
        self._moment = -1  # of what was kept last
        self._arrivals: dict[_Line, tuple[int, Arrival]] = {}

    def find(self, request: HttpRequest) -> Arrival | None:
        """Where a request of the same line and token has led, if it would lead there now. Raises Sealed."""
        kept = self._arrivals.get(_line(request))
        if kept is None or _says_more(request):
            return None
        if kept[0] != self._mounts.moment():
            self._arrivals.clear()
            return None
        return kept[1]

    def keep(self, request: HttpRequest, moment: int, arrival: Arrival) -> None:
        """`moment`: when the whole way began. What ends with its use, or is decided on the way, is not kept."""
        token, place = arrival.held.token, arrival.place
        elsewhere = arrival.below or place.led or place.missing
        if token.n_uses or elsewhere or _says_more(request) or not self._places.may_be_kept(request):
            return
        if moment != self._moment or len(self._arrivals) >= N_KNOWN:  # of another moment nothing counts any more
            self._arrivals.clear()
            self._moment = moment
        self._arrivals[_line(request)] = (moment, arrival)


def _says_more(request: HttpRequest) -> bool:
    """Whether more than its line decides whose it is and what is answered."""
    headers = request.headers
    return b"x-vault-wrap-ttl" in headers or b"authorization" in headers


def _line(request: HttpRequest) -> _Line:
    headers = request.headers
    return request.method, request.target, headers.get(b"x-vault-namespace"), headers.get(b"x-vault-token")
