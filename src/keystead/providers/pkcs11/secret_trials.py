"""AES and HMAC keys tried in a token (trials)."""

from __future__ import annotations

import hmac
from functools import partial
from typing import Final, NamedTuple

from msgspec.structs import replace

from keystead.core.algorithms import KEY_SPECS, Family, KeySpec, Purpose
from keystead.crypto import etm
from keystead.crypto.aead import Gcm as SoftGcm
from keystead.cryptoki import sealing
from keystead.cryptoki.mechanisms import Mechanism
from keystead.cryptoki.sealing import Keys, Mode
from keystead.providers.pkcs11 import beside, checks, making, objects
from keystead.providers.pkcs11.trial import TEXT, Outcome, Outcomes, Trial, known, must, none

CHECKERS: Final = ("ecb", "cmac", "cbc")
"""How an AES key's check value is made, in order of preference."""

SIZES: Final = (16_000, 4_096, 1_024)
"""Bytes that go into a token at once, the most first (rule R3): AWS CloudHSM takes 16,224, YubiHSM 2 some 2,000."""
LONGEST: Final = SIZES[0]

# --- AES


class Known(NamedTuple):
    """Keys in the token whose material is known. `mac`: where the mode wants one."""

    keys: Keys
    material: bytes
    mac: bytes = b""


def aes(trial: Trial) -> dict[str, Outcomes]:
    held, material = list[int](), trial.entropy(32)
    if why := trial.attempt(partial(_bring, trial, material, held)):
        return none(Family.AES, f"no known key could be brought in for the trial: {why}")
    key = held[0]
    check = next((how for how in CHECKERS if not trial.attempt(partial(_checked, trial, key, material, how))), "")
    reasons: list[str] = []
    for mode in Mode:
        tried = _in(trial, mode, key, material)
        if not tried.why:
            return _aes_sizes(trial, replace(tried, check=check))
        reasons.append(f"{mode.value}: {tried.why}")
    return none(Family.AES, "; ".join(reasons))


def _bring(trial: Trial, material: bytes, held: list[int]) -> None:
    uses = (objects.CIPHER | objects.TAGGING, objects.CIPHER)  # YubiHSM 2: AES keys tag nothing
    held.append(trial.keep(known(trial, KEY_SPECS["AES_256"], material, *uses)))


def _checked(trial: Trial, key: int, material: bytes, how: str) -> None:
    must(checks.value(trial.session, key, how) == checks.IN_SOFTWARE[how](material), "another check value")


def _in(trial: Trial, mode: Mode, key: int, material: bytes) -> Outcome:
    """With as many bytes at once as the token takes."""
    if any(one not in trial.has for one in mode.mechanisms):
        return Outcome(why="not listed")
    held = [Known(Keys(key), material)]
    if mode is Mode.CBC_HMAC and (why := trial.attempt(lambda: held.insert(0, _with_mac(trial, held[0])))):
        return Outcome(why=f"no HMAC key could be brought in for the trial: {why}")
    why = ""
    for longest in SIZES:
        step = partial(sealed, trial, held[0], mode, longest)
        if not (why := trial.attempt(step, or_less=longest != SIZES[-1])):
            return Outcome(mode.mechanisms[0], mode.value, longest=longest)
    return Outcome(why=why)


def _with_mac(trial: Trial, aes: Known) -> Known:
    mac = trial.entropy(32)
    return Known(Keys(aes.keys.cipher, trial.keep(known(trial, beside.SPEC, mac, objects.TAGGING))), aes.material, mac)


def sealed(trial: Trial, of: Known, mode: Mode, longest: int) -> None:
    """The token's texts open in software and in the token, no two alike; and software's open in the token."""
    seen = set()
    for n in (0, 1, longest - 32):
        text = bytes(32) + trial.entropy(n)
        iv, made = sealing.seal(trial.session, of.keys, mode, trial.entropy(mode.drawn_bytes), text, TEXT)
        seen.add(iv)
        must(_opened(of, mode, iv, made, TEXT) == text, "software opens another text")
        must(sealing.opened(trial.session, of.keys, mode, iv, made, TEXT) == text, "the token opens another text")
    must(len(seen) == 3, "an IV came twice")
    iv = trial.entropy(mode.iv_bytes)
    theirs = _sealed(of, mode, iv, TEXT, b"")
    must(
        sealing.opened(trial.session, of.keys, mode, iv, theirs, b"") == TEXT,
        "software's text does not open in the token",
    )


def _opened(of: Known, mode: Mode, iv: bytes, made: bytes, aad: bytes) -> bytes:
    if mode is Mode.CBC_HMAC:
        return etm.opened(of.material, of.mac, iv, made, aad)
    return SoftGcm(of.material).open(iv, made, aad)


def _sealed(of: Known, mode: Mode, iv: bytes, text: bytes, aad: bytes) -> bytes:
    if mode is Mode.CBC_HMAC:
        return etm.seal(of.material, of.mac, iv, text, aad)
    return SoftGcm(of.material).seal(iv, text, aad)


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
    return replace(outcome, maker=by, why=f"key generation: {why}" if why else "")


# --- HMAC


def macs(trial: Trial) -> dict[str, Outcomes]:
    return {spec.name: _mac(trial, spec) for spec in KEY_SPECS.values() if spec.family is Family.HMAC}


def _mac(trial: Trial, spec: KeySpec) -> Outcomes:
    algorithm = spec.default(Purpose.MAC)
    digest = algorithm.digest or ""
    mechanism = checks.HMACS[digest]
    material = trial.entropy((spec.bits or 0) // 8)

    def compared() -> None:
        key = trial.keep(known(trial, spec, material, objects.TAGGING))
        made = trial.session.sign(Mechanism(mechanism), key, TEXT)
        must(hmac.compare_digest(made, hmac.digest(material, TEXT, digest)), "software makes another MAC")

    if mechanism not in trial.has:
        return {algorithm.name: Outcome(mechanism, why="not listed")}
    if why := trial.attempt(compared):
        return {algorithm.name: Outcome(mechanism, why=why)}
    return {algorithm.name: _made_too(trial, spec, Outcome(mechanism, check=digest))}
