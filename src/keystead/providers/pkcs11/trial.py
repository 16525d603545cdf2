"""One family of keys tried in one session with a token, and what came of it (trials)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from msgspec import Struct

from keystead.core.algorithms import KEY_SPECS, Family, KeySpec
from keystead.core.errors import Internal, KeysteadError, Unsupported
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.cryptoki.errors import LOST, MISPLACED, OF_NOW, REFUSED, Failed
from keystead.cryptoki.recovery import VAGUE, Desk
from keystead.cryptoki.session import Session
from keystead.cryptoki.words import Ckm, Ckr, named
from keystead.providers.pkcs11 import objects
from keystead.providers.pkcs11.bringing import Bringing
from keystead.providers.pkcs11.passing import Passing

TEXT: Final = b"Keystead tries what it is told."


class Outcome(Struct, frozen=True):
    """Of one algorithm with one key spec. `why`: what went wrong, and "" where it is offered."""

    mechanism: int | None = None
    mode: str = ""  # cryptoki.sealing.Mode; how a peer's point is given; how an Edwards curve is named
    check: str = ""  # AES: how its check value is made
    maker: int | None = None  # the mechanism that makes the key
    why: str = ""
    longest: int = 0  # AES: bytes that go in at once

    @property
    def words(self) -> str:
        name = "" if self.mechanism is None else named(Ckm, self.mechanism)
        return f"{name}, {self.mode}" if self.mode else name

    @classmethod
    def of_words(cls, words: str, longest: int = 0) -> Outcome:
        """What it was, as far as words tell. Raises KeyError."""
        name, _, mode = words.partition(", ")
        return cls(Ckm[name], mode, longest=longest)


Outcomes = Mapping[str, Outcome]


class Trial:
    """One family tried in one session. What the token does not do is an outcome; what it does not do now is none."""

    def __init__(self, desk: Desk, entropy: Entropy) -> None:
        self.session: Session = desk.session
        self._desk, self.entropy = desk, entropy
        self.has = desk.connection.mechanisms
        self.bringing = Bringing(desk.session, desk.connection, entropy, "")
        self.passing = Passing(desk.session, entropy)
        self.keep, self.make = self.passing.keep, self.passing.make

    def attempt(self, step: Callable[[], object], *, or_less: bool = False) -> str:
        """Why it failed, twice where that says nothing; "" where it did not. `or_less`: it may have been too much.

        Raises Failed where the token is lost, or fails for now (OF_NOW).
        """
        return self._attempt(step, again=True, or_less=or_less)

    def _attempt(self, step: Callable[[], object], *, again: bool, or_less: bool) -> str:
        try:
            step()
        except Failed as failed:
            if failed.rv in VAGUE and self._desk.connection.is_there():
                return self._attempt(step, again=False, or_less=or_less) if again else str(failed)
            if failed.rv in LOST or failed.rv in MISPLACED or (failed.rv in OF_NOW and not or_less):
                raise
            return str(failed)
        except (KeysteadError, ValueError) as error:
            return str(error) or type(error).__name__
        return ""

    def end(self) -> None:
        self.attempt(self.passing.end)
        if not self._desk.connection.is_there():
            raise Failed("C_GetTokenInfo", Ckr.TOKEN_NOT_PRESENT)


def must(right: object, what: str) -> None:
    if not right:
        raise Internal(what)


def known(trial: Trial, spec: KeySpec, material: bytes, *uses: objects.Uses) -> int:
    """An object of that material, for the first of `uses` that the token takes; unwrapped where it is not written.

    Raises Failed, Unsupported: of the last.
    """
    refused: Failed | Unsupported = Unsupported("no use was said", "import")
    for way in (trial.bringing.write, trial.bringing.unwrap):
        for one in uses:
            try:
                return trial.make(partial(_by, way, spec, material, one))
            except Failed as failed:
                if failed.rv not in REFUSED:
                    raise
                refused = failed
            except Unsupported as unsupported:
                refused = unsupported
    raise refused


def _by(way: Callable[..., int], spec: KeySpec, material: bytes, uses: objects.Uses, its_id: bytes | None) -> int:
    return way(spec, Sensitive(material), its_id, uses)


def none(family: Family, why: str) -> dict[str, Outcomes]:
    return {spec.name: nothing(spec, why) for spec in KEY_SPECS.values() if spec.family is family}


def nothing(spec: KeySpec, why: str) -> Outcomes:
    return {name: Outcome(why=why) for name in spec.algorithms}
