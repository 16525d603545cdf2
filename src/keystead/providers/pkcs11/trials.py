"""What a token really does, tried with throw-away keys and held against `cryptography` (rule R2).

A mechanism that a token lists may mean something else there, or be refused when it is used. So nothing is offered that
did not give the right answer in this process: each family of keys is tried once, when it is first needed.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from msgspec import Struct

from keystead.core.algorithms import ALGORITHMS, KEY_SPECS, Family, KeySpec, MessageForm, Purpose
from keystead.core.envelope import NO_AAD
from keystead.core.errors import Internal, KeysteadError
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.crypto import halves, keys
from keystead.crypto.aead import Gcm as SoftGcm
from keystead.crypto.agree import agree
from keystead.cryptoki import gcm
from keystead.cryptoki.errors import LOST, MISPLACED, Failed
from keystead.cryptoki.mechanisms import Mechanism, ecdh, oaep
from keystead.cryptoki.recovery import VAGUE, Desk
from keystead.cryptoki.session import Session
from keystead.cryptoki.words import Cka, Ckm, Ckr, named
from keystead.providers.pkcs11 import checks, making, objects, signing
from keystead.providers.pkcs11.bringing import Bringing
from keystead.providers.pkcs11.passing import Passing
from keystead.providers.public import PublicHalf

TEXT: Final = b"Keystead tries what it is told."
CHECKERS: Final = ("ecb", "cmac")


class Outcome(Struct, frozen=True):
    """Of one algorithm with one key spec. `why`: what went wrong, and "" where it is offered."""

    mechanism: int | None = None
    mode: str = ""  # gcm.Mode; how a peer's point is given; how an Edwards curve is named
    check: str = ""  # AES: how its check value is made
    maker: int | None = None  # the mechanism that makes the key
    why: str = ""

    @property
    def words(self) -> str:
        name = "" if self.mechanism is None else named(Ckm, self.mechanism)
        return f"{name}, {self.mode}" if self.mode else name


Outcomes = Mapping[str, Outcome]


class Trial:
    """One family tried in one session. What fails without the token being lost is an outcome."""

    def __init__(self, desk: Desk, entropy: Entropy) -> None:
        self.session: Session = desk.session
        self._desk, self.entropy = desk, entropy
        self.has = desk.connection.mechanisms
        self.bringing = Bringing(desk.session, desk.connection, entropy, "")
        self.passing = Passing(desk.session, entropy)
        self.keep, self.make = self.passing.keep, self.passing.make

    def attempt(self, step: Callable[[], object]) -> str:
        """Why it failed, twice where that says nothing; "" where it did not. Raises Failed where the token is lost."""
        return self._attempt(step, again=True)

    def _attempt(self, step: Callable[[], object], *, again: bool) -> str:
        try:
            step()
        except Failed as failed:
            if failed.rv in VAGUE and self._desk.connection.is_there():
                return self._attempt(step, again=False) if again else str(failed)
            if failed.rv in LOST or failed.rv in MISPLACED:
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


# --- AES


def aes(trial: Trial) -> dict[str, Outcomes]:
    spec = KEY_SPECS["AES_256"]
    material = trial.entropy(32)
    held: list[int] = []
    why = trial.attempt(
        lambda: held.append(trial.keep(_known(trial, spec, material, objects.CIPHER | objects.TAGGING)))
    )
    if why:
        return _none(Family.AES, f"no known key could be brought in for the trial: {why}")
    key = held[0]
    check = next((how for how in CHECKERS if not trial.attempt(partial(_checked, trial, key, material, how))), "")
    reasons: list[str] = []
    for mode in gcm.Mode:
        if mode.mechanism not in trial.has:
            reasons.append(f"{mode.value}: not listed")
        elif why := trial.attempt(partial(_sealed, trial, key, material, mode)):
            reasons.append(f"{mode.value}: {why}")
        else:
            return _aes_sizes(trial, Outcome(mode.mechanism, mode.value, check))
    return _none(Family.AES, "; ".join(reasons))


def _known(trial: Trial, spec: KeySpec, material: bytes, uses: objects.Uses) -> int:
    return trial.make(lambda its_id: trial.bringing.bring(spec, Sensitive(material), its_id, uses))


def _checked(trial: Trial, key: int, material: bytes, how: str) -> None:
    must(checks.value(trial.session, key, how) == checks.IN_SOFTWARE[how](material), "another check value")


def _sealed(trial: Trial, key: int, material: bytes, mode: gcm.Mode) -> None:
    """The token's texts open in software and in the token, no two alike; and software's open in the token."""
    seen = set()
    for n in (0, 1, 1000):
        text = bytes(32) + trial.entropy(n)
        iv, sealed = gcm.seal(trial.session, key, mode, trial.entropy, text, TEXT)
        seen.add(iv)
        must(SoftGcm(material).open(iv, sealed, TEXT) == text, "software opens another text")
        must(gcm.opened(trial.session, key, mode, iv, sealed, TEXT) == text, "the token opens another text")
    must(len(seen) == 3, "an IV came twice")
    iv = trial.entropy(gcm.LONG_IV_BYTES if mode is gcm.Mode.APPENDED else gcm.IV_BYTES)
    theirs = SoftGcm(material).seal(iv, TEXT, b"")
    must(gcm.opened(trial.session, key, mode, iv, theirs, b"") == TEXT, "software's text does not open in the token")


def _aes_sizes(trial: Trial, outcome: Outcome) -> dict[str, Outcomes]:
    return {
        spec.name: {"AES_GCM": _made_too(trial, spec, outcome)}
        for spec in KEY_SPECS.values()
        if spec.family is Family.AES and "AES_GCM" in spec.algorithms
    }


def _made_too(trial: Trial, spec: KeySpec, outcome: Outcome) -> Outcome:
    """Whether the token makes such a key as well."""
    by = making.maker(trial.has, spec)
    if by is None:
        return Outcome(why=f"the token makes no {spec.name} keys")
    uses = making.USES[spec.family]
    why = trial.attempt(
        lambda: trial.keep(trial.make(lambda its_id: making.secret(trial.session, spec, by, its_id, uses)))
    )
    return Outcome(outcome.mechanism, outcome.mode, outcome.check, by, f"key generation: {why}" if why else "")


# --- HMAC


def macs(trial: Trial) -> dict[str, Outcomes]:
    return {spec.name: _mac(trial, spec) for spec in KEY_SPECS.values() if spec.family is Family.HMAC}


def _mac(trial: Trial, spec: KeySpec) -> Outcomes:
    algorithm = spec.default(Purpose.MAC)
    digest = algorithm.digest or ""
    mechanism = checks.HMACS[digest]
    material = trial.entropy((spec.bits or 0) // 8)

    def compared() -> None:
        key = trial.keep(_known(trial, spec, material, objects.TAGGING))
        made = trial.session.sign(Mechanism(mechanism), key, TEXT)
        must(hmac.compare_digest(made, hmac.digest(material, TEXT, digest)), "software makes another MAC")

    if mechanism not in trial.has:
        return {algorithm.name: Outcome(mechanism, why="not listed")}
    if why := trial.attempt(compared):
        return {algorithm.name: Outcome(mechanism, why=why)}
    return {algorithm.name: _made_too(trial, spec, Outcome(mechanism, check=digest))}


# --- key pairs


def rsa(trial: Trial) -> dict[str, Outcomes]:
    found: dict[str, Outcomes] = {}
    tried: Outcomes = {}
    for spec in KEY_SPECS.values():
        if spec.family is Family.RSA:
            tried = tried or _pair(trial, spec, "", "")  # the smallest: its algorithms are those of the larger ones
            by = making.maker(trial.has, spec)
            size = "" if by is not None else f"the token makes no {spec.name} keys"
            found[spec.name] = {
                name: Outcome(one.mechanism, one.mode, "", by, one.why or size) for name, one in tried.items()
            }
    return found


def ec(trial: Trial) -> dict[str, Outcomes]:
    return {spec.name: _pair(trial, spec, "", "") for spec in KEY_SPECS.values() if spec.family is Family.EC}


def edwards(trial: Trial) -> dict[str, Outcomes]:
    spec = KEY_SPECS["ED25519"]
    first: Outcomes = {}
    for how in making.EDWARDS:
        tried = _pair(trial, spec, how, how)
        if not tried["ED25519"].why:
            return {spec.name: tried}
        first = first or tried
    return {spec.name: first}


def _pair(trial: Trial, spec: KeySpec, named_by: str, mode: str) -> Outcomes:
    by = making.maker(trial.has, spec)
    if by is None:
        return _nothing(spec, f"the token makes no {spec.name} keys")
    made: list[tuple[int, bytes]] = []

    def make() -> None:
        public, private, der = trial.make(lambda its_id: making.pair(trial.session, spec, by, its_id, named_by))
        trial.keep(public)
        made.append((trial.keep(private), der))

    if why := trial.attempt(make):
        return _nothing(spec, f"key generation: {why}")
    (private, der), outcomes = made[0], {}
    for name in spec.algorithms:
        mechanism, step, mode_of = _step(trial, spec, name, private, der)
        why = trial.attempt(step) if mechanism in trial.has else "not listed"
        outcomes[name] = Outcome(mechanism, mode or mode_of, "", by, why)
    return outcomes


def _step(trial: Trial, spec: KeySpec, name: str, private: int, der: bytes) -> tuple[int, Callable[[], None], str]:
    """(mechanism, the trial of it, its mode) of one algorithm."""
    algorithm, half = ALGORITHMS[name], PublicHalf(spec, der)
    if algorithm.purpose is Purpose.CIPHER:

        def decrypts() -> None:
            blob = half.encrypt(algorithm, Sensitive(TEXT), NO_AAD)
            made = trial.session.decrypt(oaep(algorithm.digest or ""), private, blob).reveal()
            must(made == TEXT, "software's text opens as another")

        return Ckm.RSA_PKCS_OAEP, decrypts, ""
    if algorithm.purpose is Purpose.AGREEMENT:
        return Ckm.ECDH1_DERIVE, lambda: _agrees(trial, spec, private, der), "raw"
    scheme = signing.scheme_of(algorithm)
    mechanism = signing.needs(spec.family, scheme)

    def signs() -> None:
        must(name != "ED25519PH", "Ed25519ph is not asked of tokens here")
        asked = signing.prepared(spec, scheme, TEXT, MessageForm.RAW)
        made = signing.signed(trial.session, private, spec, scheme, asked)
        must(half.verify_as(scheme, TEXT, made, MessageForm.RAW), "software does not verify the signature")

    return Ckm.EDDSA if mechanism is None else mechanism, signs, ""


def _agrees(trial: Trial, spec: KeySpec, private: int, der: bytes) -> None:
    ours = keys.generate(spec, trial.entropy(keys.seed_bytes(spec)))
    secret = agreed(trial.session, private, spec, halves.peer_point(spec, keys.public_der(ours)))
    must(secret == agree(ours, keys.load_public(spec, der)), "software agrees on another secret")


def agreed(session: Session, private: int, spec: KeySpec, point: bytes) -> bytes:
    """The x-coordinate. Raises Failed, Internal."""
    derived = session.derive(ecdh(point), private, objects.agreed(halves.order_bytes(spec)))
    try:
        value = session.attributes(derived, (Cka.VALUE,)).get(Cka.VALUE)
    finally:
        session.destroy(derived)
    if not isinstance(value, bytes) or not value:
        raise Internal("the HSM keeps an agreed secret to itself")
    return value.rjust(halves.order_bytes(spec), b"\0")


def _none(family: Family, why: str) -> dict[str, Outcomes]:
    return {spec.name: _nothing(spec, why) for spec in KEY_SPECS.values() if spec.family is family}


def _nothing(spec: KeySpec, why: str) -> Outcomes:
    return {name: Outcome(why=why) for name in spec.algorithms}


TRIALS: Final[dict[Family, Callable[[Trial], dict[str, Outcomes]]]] = {
    Family.AES: aes,
    Family.HMAC: macs,
    Family.RSA: rsa,
    Family.EC: ec,
    Family.EDWARDS: edwards,
}


def tried(family: Family, desk: Desk, entropy: Entropy) -> dict[str, Outcomes]:
    """By key spec and algorithm, for every spec of the family. Raises Failed."""
    nothing = _none(family, "no mechanism of PKCS#11 v2.40 does it")
    if family not in TRIALS:
        return nothing
    trial = Trial(desk, entropy)
    try:
        return nothing | TRIALS[family](trial)
    finally:
        trial.end()
