"""Whether a client's certificate is revoked: its authority's responders are asked, at every login. RFC 6960.

Within the bounds of `Few`, as all that waits for other machines; of a login so many responders are asked, one after
the other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from urllib.parse import urlsplit

from keystead.core.entities import CertBounds
from keystead.core.errors import InvalidArgument, Unavailable
from keystead.core.vouching.certificates import NOT_ASKED, UNFIT_CERTIFICATE
from keystead.crypto.ocsp import Question, Standing
from keystead.service.credentials.few import Few

LOG = logging.getLogger("keystead")
MOST = 4  # responders

AskStatus = Callable[[str, bytes], bytes]
"""(URL, DER of a request) -> DER of the answer. Raises Unavailable."""


class Statuses:
    """Safe to use from any thread but the event loop's."""

    def __init__(self, ask: AskStatus, few: Few) -> None:
        self._ask, self._few = ask, few

    def require_good(self, mount: str, bounds: CertBounds, chain: tuple[bytes, ...], now: datetime) -> None:
        """Raises InvalidArgument for one that is revoked; Unavailable where nobody says that it is not."""
        try:
            question = Question(chain, bounds.certificate)
        except ValueError as error:
            LOG.warning("whether a certificate is revoked cannot be asked: %s", error)
            said = [Standing.UNKNOWN]
        else:
            with self._few.one_of(mount):
                said = list(self._said(question, bounds, now))
        if Standing.REVOKED in said:
            raise InvalidArgument(UNFIT_CERTIFICATE, "revoked")
        is_good = bool(said) and (all if bounds.asks_all else any)(one is Standing.GOOD for one in said)
        if not is_good and not bounds.open_unasked:
            raise Unavailable(NOT_ASKED, "ocsp")

    def _said(self, question: Question, bounds: CertBounds, now: datetime) -> Iterator[Standing]:
        """By each that is asked: until one says, unless all have to."""
        for url in (bounds.responders or question.servers())[:MOST]:
            one = self._one(url, question, bounds, now)
            yield one
            if one is Standing.REVOKED or (one is Standing.GOOD and not bounds.asks_all):
                return

    def _one(self, url: str, question: Question, bounds: CertBounds, now: datetime) -> Standing:
        try:
            return question.answer(self._ask(url, question.request()), bounds.responder_authorities, now)
        except (Unavailable, ValueError) as error:
            LOG.warning("the OCSP responder %s does not tell: %s", _host(url), error)
            return Standing.UNKNOWN


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
