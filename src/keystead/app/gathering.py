"""Shares given one by one, until there are enough to be tried together.

Rule 1: a share tells nobody anything before it has been tried with the others: whose it is, whether it is good.
Rule 2: those that were tried are forgotten, whatever came of it; and a set that was wrong is one of few in a minute.
"""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable

from keystead.core.errors import InvalidArgument
from keystead.core.identifiers import new_id
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.crypto.shamir import parse_share
from keystead.kit.custody import No, Why

WRONG_A_MINUTE = 10
MINUTE = 60.0  # seconds
LONGEST = 512  # bytes of a share's text


class Wrong:
    """How many wrong sets there were of late, whatever they were given for."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._seen = clock, deque[float](maxlen=WRONG_A_MINUTE)

    def require_few(self) -> None:
        """Raises No."""
        if len(self._seen) == WRONG_A_MINUTE and self._clock() - self._seen[0] < MINUTE:
            raise No(Why.TOO_OFTEN)

    def another(self) -> None:
        self._seen.append(self._clock())


class Gathering:
    """Of one attempt. `required`: how many are tried together. The nonce is new with each attempt."""

    def __init__(self, required: int, entropy: Entropy) -> None:
        self.required, self._entropy = required, entropy
        self.nonce = new_id(entropy)
        self._given: list[Sensitive] = []

    @property
    def progress(self) -> int:
        return len(self._given)

    @property
    def is_complete(self) -> bool:
        return len(self._given) >= self.required

    def give(self, share: Sensitive) -> bool:
        """False: it was given before. Raises No for what is no share at all."""
        text = share.reveal()
        if len(text) > LONGEST:
            raise No(Why.NOT_A_SHARE, "it is too long")
        try:
            parse_share(text.decode())
        except UnicodeDecodeError:
            raise No(Why.NOT_A_SHARE, "a share is plain text") from None
        except InvalidArgument as error:
            raise No(Why.NOT_A_SHARE, str(error)) from None
        if any([hmac.compare_digest(text, one.reveal()) for one in self._given]):  # noqa: C419 - all are compared
            return False
        self._given.append(share)
        return True

    def require(self, nonce: str) -> None:
        """Raises No for the nonce of another attempt; nobody hears this one who does not know it."""
        if not hmac.compare_digest(nonce.encode("utf-8", "replace"), self.nonce.encode("utf-8", "replace")):
            raise No(Why.WRONG_NONCE)

    def take(self) -> list[Sensitive]:
        """What was given, which is forgotten here."""
        given, self._given = self._given, []
        return given
