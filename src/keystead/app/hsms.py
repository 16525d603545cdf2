"""The tokens that the configuration names, each opened when it is first used; and the way of their PINs.

A reference is read once, by whoever starts (the supervisor); workers get the PIN with their Orders. So an environment
variable or a descriptor serves, and no worker needs to read the file. One process offers it before the others do
(`drop_refused`), and later on one after another (app.refusals): many that offer a wrong one would lock it for good.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from functools import partial

from keystead import config
from keystead.app.patience import Patience
from keystead.app.refusals import Refusals
from keystead.config import Hsm
from keystead.core.errors import InvalidArgument, KeysteadError, NotFound, Unauthenticated, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.cryptoki.finding import Where
from keystead.cryptoki.token import Token

PROMPT = "prompt"
ANSWERS_IN, CLOSES_IN = 10.0, 2.0  # seconds
LOG = logging.getLogger("keystead")


def nobody(name: str) -> Sensitive:
    """Asks nobody. Raises InvalidArgument."""
    raise InvalidArgument(f"the PIN of the HSM {name} is asked for at a terminal, and there is none", "pin")


def pins(hsms: Mapping[str, Hsm], ask: Callable[[str], Sensitive] = nobody) -> dict[str, Sensitive]:
    """The PIN of every HSM. Raises InvalidArgument."""
    return {name: ask(name) if hsm.pin == PROMPT else config.secret(hsm.pin) for name, hsm in hsms.items()}


def drop_refused(tokens: Tokens, pins: dict[str, Sensitive], within: float = ANSWERS_IN) -> None:
    """Forget every PIN that its HSM does not take. One that does not answer in time keeps its own."""

    def offer(name: str) -> None:
        try:
            tokens.token(name).info()
        except Unauthenticated:
            pins.pop(name, None)
        except KeysteadError as error:
            LOG.warning("the HSM %s was not there when the server started: %s", name, error)

    offering = [threading.Thread(target=offer, args=(name,), name=f"pin {name}", daemon=True) for name in tokens.names]
    for thread in offering:
        thread.start()
    until = time.monotonic() + within
    for thread in offering:
        thread.join(max(0.0, until - time.monotonic()))


class Tokens:
    """Safe to use from any thread. `known`: PINs that have been read, and there are no others; else they are read.

    `refusals`: what other processes of the same server have heard.
    """

    def __init__(
        self,
        hsms: Mapping[str, Hsm],
        known: Mapping[str, Sensitive] | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        self._hsms, self._pins, self._lock = hsms, dict(known or {}), threading.Lock()
        self._refusals = refusals
        self._may_read = known is None
        self._tokens: dict[str, Token] = {}

    @property
    def names(self) -> list[str]:
        return sorted(self._hsms)

    @property
    def clusters(self) -> dict[str, str]:
        """HSM -> the id of its cluster, of those that are in one."""
        return {name: hsm.cluster for name, hsm in self._hsms.items() if hsm.cluster}

    def token(self, name: str) -> Token:
        """Nothing is asked of it yet. Raises NotFound for a name that the configuration does not have."""
        if (hsm := self._hsms.get(name)) is None:
            raise NotFound(f"the configuration names no HSM {name!r}", "hsm")
        with self._lock:
            if name not in self._tokens:
                where = Where(label=hsm.token, serial=hsm.serial, slot=hsm.slot)
                self._tokens[name] = Token(
                    name,
                    hsm.module,
                    where,
                    lambda: self._pin(name, hsm),
                    sessions=hsm.sessions,
                    wait_for=hsm.wait_for,
                    offering=nullcontext if self._refusals is None else partial(self._refusals.offering, name),
                )
            return self._tokens[name]

    def pin(self, name: str) -> Sensitive:
        """Of an HSM that the configuration has."""
        return self._pin(name, self._hsms[name])

    def require_pin(self, name: str) -> None:
        """Raises Unauthenticated where an HSM has refused its PIN to another process of this server."""
        if self._refusals is not None:
            self._refusals.require_none(name)

    def log_in(self, name: str, pin: Sensitive) -> None:
        """Offer another PIN, once; where it is taken it is the one from now on, else the one of before is.

        Raises NotFound, Unauthenticated where it is refused, Unavailable.
        """
        with nullcontext() if self._refusals is None else self._refusals.another(name):
            self.token(name).log_in(lambda: pin)
        self._pins[name] = pin

    def close(self) -> None:
        """An HSM that hangs is left to the end of the process."""
        ask = Patience()
        with self._lock:
            for name, token in self._tokens.items():
                with suppress(Unavailable):
                    ask(name, token.close, CLOSES_IN)

    def _pin(self, name: str, hsm: Hsm) -> Sensitive:
        if name not in self._pins:
            if not self._may_read:
                raise Unauthenticated(f"the HSM {name} did not take its PIN when the server started", "pin")
            self._pins |= pins({name: hsm})
        return self._pins[name]


class Watch:
    """Whether the HSMs answer this process and let the others in, for `status` and the log."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens, self._ask = tokens, Patience()
        self.troubles: dict[str, str] = {}
        """Of every HSM that was looked at: why it does not answer; "" where it does."""
        self.refused: frozenset[str] = frozenset()
        """Of those, the ones that refuse their PIN."""

    def look(self) -> None:
        """It takes as long as they do, and no longer than ANSWERS_IN each."""
        for name in self._tokens.names:
            self.look_at(name)

    def look_at(self, name: str) -> None:
        said, is_refused = self._trouble(name)
        self.refused = self.refused | {name} if is_refused else self.refused - {name}
        if said and not self.troubles.get(name):
            LOG.error("the HSM %s does not answer: %s", name, said)
        elif not said and self.troubles.get(name):
            LOG.warning("the HSM %s is there again", name)
        self.troubles[name] = said

    def _trouble(self, name: str) -> tuple[str, bool]:
        """Why it does not answer, and whether it is its PIN."""
        try:
            self._ask(f"the HSM {name}", self._tokens.token(name).info, ANSWERS_IN)
            self._tokens.require_pin(name)  # this process may be in since before the PIN was changed, and another not
        except KeysteadError as error:
            return str(error), isinstance(error, Unauthenticated)
        return "", False
