"""An object in a token, and what the token was found to do with its like."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from keystead.core.algorithms import Family, KeySpec
from keystead.core.errors import Conflict, KeysteadError, NotFound, Unavailable, Unsupported
from keystead.core.ports import Entropy
from keystead.cryptoki.errors import FULL
from keystead.cryptoki.recovery import Desk
from keystead.cryptoki.sealing import Keys
from keystead.cryptoki.session import Session
from keystead.cryptoki.token import Token
from keystead.providers.pkcs11.handle import Handle
from keystead.providers.pkcs11.secret_trials import SIZES
from keystead.providers.pkcs11.trial import Outcome, Outcomes
from keystead.providers.pkcs11.trials import tried

R = TypeVar("R")
UNTRIED: Final = Outcome(why="an HMAC key of this size is not held in an HSM")
TRIED_IN: Final = 10.0  # seconds; RSA keys are made in a trial
AGAIN_IN: Final = 30.0  # seconds until a token that was too full for a trial is tried again
_FULL: Final = frozenset(f"CKR_{rv.name}" for rv in FULL)


class Abilities:
    """Of one token, each family tried once in a process. Safe to use from any thread.

    Rule: how the token is at the moment is not remembered as what it can do. One that has no room for a trial's keys
          uses those that are there, in the ways that were tried when they were made.
    """

    def __init__(self, token: Token, entropy: Entropy, clock: Callable[[], float] = time.monotonic) -> None:
        self._token, self._entropy, self._clock = token, entropy, clock
        self._lock = threading.Lock()
        self._found: dict[str, Outcomes] = {}
        self._full: dict[Family, tuple[float, KeysteadError]] = {}

    def of(self, spec: KeySpec) -> Outcomes:
        """Raises Unavailable, LimitExceeded (it has no room): then nothing was found out."""
        if (known := self._found.get(spec.name)) is not None:
            return known
        if not self._lock.acquire(timeout=TRIED_IN):  # one waits for an HSM that hangs, and nobody else
            raise Unavailable(f"the HSM {self._token.name} is being tried, and does not come to an end", "trial")
        try:
            if spec.name not in self._found:
                self._found |= self._tried(spec.family)
            return self._found.setdefault(spec.name, dict.fromkeys(spec.algorithms, UNTRIED))
        finally:
            self._lock.release()

    def _tried(self, family: Family) -> dict[str, Outcomes]:
        if (full := self._full.get(family)) is not None and self._clock() < full[0]:
            raise type(full[1])(*full[1].args)
        try:
            return self._token.run(lambda desk: tried(family, desk, self._entropy))
        except KeysteadError as error:
            if error.detail in _FULL:
                self._full[family] = (self._clock() + AGAIN_IN, error)
            raise

    def require(self, spec: KeySpec, algorithm: str) -> Outcome:
        """Raises Unsupported where the token does not do it, or did it wrongly."""
        outcome = self.of(spec).get(algorithm, Outcome(why="no such algorithm"))
        if outcome.why:
            raise Unsupported(
                f"the HSM {self._token.name} does not do {algorithm} with {spec.name}: {outcome.why}", algorithm
            )
        return outcome

    def require_of(self, handle: Handle, spec: KeySpec, algorithm: str) -> Outcome:
        """The same for a key that is there."""
        try:
            return self.require(spec, algorithm)
        except KeysteadError as error:
            if error.detail not in _FULL or algorithm not in handle.modes:
                raise
            return Outcome.of_words(handle.modes[algorithm], SIZES[-1])


class Held:
    """`prove` looks once in a process, before the first use, whether the object is the key that it is taken for."""

    __slots__ = ("_beside", "_name", "_prove", "_proved", "handle", "token")

    def __init__(self, token: Token, handle: Handle, prove: Callable[[Session, Keys], bool]) -> None:
        self.token, self.handle, self._prove, self._proved = token, handle, prove, False
        self._name, self._beside = handle.name, handle.beside

    def use(self, act: Callable[[Session, int], R], vague: type[KeysteadError] = Unavailable) -> R:
        """Raises Unavailable (also where the token has no such object), Conflict (it has another)."""
        return self.run(lambda desk: act(desk.session, desk.key(self._name)), vague)

    def use_keys(self, act: Callable[[Session, Keys], R], vague: type[KeysteadError] = Unavailable) -> R:
        """With the key that stands beside it, where one does. Raises as `use` does."""
        return self.run(lambda desk: act(desk.session, self.keys(desk)), vague)

    def run(self, act: Callable[[Desk], R], vague: type[KeysteadError] = Unavailable) -> R:
        """The same for an act that finds its keys itself (`keys`)."""
        try:
            if not self._proved:
                self._proved = self.token.run(self._proof)
            return self.token.run(act, vague=vague)
        except NotFound:
            raise Unavailable(f"the HSM {self.token.name} has no object for this key", "object") from None

    def _proof(self, desk: Desk) -> bool:
        if not self._prove(desk.session, self.keys(desk)):
            raise Conflict(f"the object in the HSM {self.token.name} is another key than this one", "check_value")
        return True

    def keys(self, desk: Desk) -> Keys:
        """Raises as Desk.key does."""
        return Keys(desk.key(self._name), 0 if self._beside is None else desk.key(self._beside))
