"""What a token really does, tried with throw-away keys and held against `cryptography` (rule R2).

A mechanism that a token lists may mean something else there, or be refused when it is used. So nothing is offered that
did not give the right answer in this process: each family of keys is tried once, when it is first needed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from msgspec.structs import replace

from keystead.core.algorithms import ALGORITHMS, KEY_SPECS, Family, KeySpec, MessageForm, Purpose
from keystead.core.envelope import NO_AAD
from keystead.core.errors import Internal
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.crypto import halves, keys
from keystead.crypto.agree import agree
from keystead.cryptoki.mechanisms import ecdh, oaep
from keystead.cryptoki.recovery import Desk
from keystead.cryptoki.session import Session
from keystead.cryptoki.words import Cka, Ckm
from keystead.providers.pkcs11 import making, objects, secret_trials, signing
from keystead.providers.pkcs11.trial import TEXT, Outcome, Outcomes, Trial, must, none, nothing
from keystead.providers.public import PublicHalf


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
    why = first["ED25519"].why  # a key has to prove itself by it
    return {spec.name: {name: replace(one, why=one.why or why) for name, one in first.items()}}


def _pair(trial: Trial, spec: KeySpec, named_by: str, mode: str) -> Outcomes:
    by = making.maker(trial.has, spec)
    if by is None:
        return nothing(spec, f"the token makes no {spec.name} keys")
    made: list[tuple[int, bytes]] = []

    def make() -> None:
        public, private, der = trial.make(lambda its_id: making.pair(trial.session, spec, by, its_id, named_by))
        trial.keep(public)
        made.append((trial.keep(private), der))

    if why := trial.attempt(make):
        return nothing(spec, f"key generation: {why}")
    (private, der), outcomes = made[0], {}
    for name in spec.algorithms:
        if name == signing.PREHASHED:
            outcomes[name] = replace(_prehashed(trial, PublicHalf(spec, der), private), maker=by)
            continue
        mechanism, step, mode_of = _step(trial, spec, name, private, der)
        why = trial.attempt(step) if mechanism in trial.has else "not listed"
        outcomes[name] = Outcome(mechanism, mode or mode_of, "", by, why)
    return outcomes


def _prehashed(trial: Trial, half: PublicHalf, private: int) -> Outcome:
    """Ed25519ph of the digest that a caller gives, in whichever way the token has it."""
    digest, algorithm, whys = bytes(range(64)), ALGORITHMS[signing.PREHASHED], list[str]()

    def signs(way: str) -> None:
        mechanism, asked = signing.prehashed(way, digest)
        made = trial.session.sign(mechanism, private, asked)
        must(half.verify(algorithm, digest, made, MessageForm.DIGEST), "software does not verify the signature")

    if Ckm.EDDSA not in trial.has:
        return Outcome(Ckm.EDDSA, why="not listed")
    for way in signing.PREHASHING:
        if not (why := trial.attempt(partial(signs, way))):
            return Outcome(Ckm.EDDSA, way)
        whys.append(why)
    return Outcome(Ckm.EDDSA, why=whys[0])


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
    if not isinstance(value, bytes) or not any(value):
        raise Internal("the HSM keeps an agreed secret to itself")
    return value.rjust(halves.order_bytes(spec), b"\0")


TRIALS: Final[dict[Family, Callable[[Trial], dict[str, Outcomes]]]] = {
    Family.AES: secret_trials.aes,
    Family.HMAC: secret_trials.macs,
    Family.RSA: rsa,
    Family.EC: ec,
    Family.EDWARDS: edwards,
}


def tried(family: Family, desk: Desk, entropy: Entropy) -> dict[str, Outcomes]:
    """By key spec and algorithm, for every spec of the family. Raises Failed."""
    nothing = none(family, "no mechanism of PKCS#11 v2.40 does it")
    if family not in TRIALS:
        return nothing
    trial = Trial(desk, entropy)
    try:
        return nothing | TRIALS[family](trial)
    finally:
        trial.end()
