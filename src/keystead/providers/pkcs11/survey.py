"""Everything about a token that an operator may want to know before keys are put into it."""

from __future__ import annotations

from msgspec import Struct

from keystead.core.algorithms import KEY_SPECS, Family, KeySpec
from keystead.core.errors import LimitExceeded
from keystead.core.ports import Entropy
from keystead.cryptoki.recovery import Desk
from keystead.cryptoki.token import Token
from keystead.cryptoki.words import Cka, Ckm, named
from keystead.providers.pkcs11.handle import BESIDE, CBC, LABEL
from keystead.providers.pkcs11.held import Abilities
from keystead.providers.pkcs11.secret_trials import CHECKERS
from keystead.providers.pkcs11.trial import Outcomes, nothing


class Mechanism(Struct, frozen=True):
    """As the token lists it."""

    name: str
    least: int
    most: int
    uses: list[str]


class Tried(Struct, frozen=True):
    """One algorithm with one key spec. `why`: in whose words it failed."""

    key_spec: str
    algorithm: str
    offered: bool
    mechanism: str
    mode: str
    why: str


class Survey(Struct, frozen=True):
    facts: dict[str, str]
    mechanisms: list[Mechanism]
    algorithms: list[Tried]


def of(token: Token, entropy: Entropy) -> Survey:
    """Raises what asking a token raises."""
    library, version = token.run(lambda desk: desk.connection.module.info())
    info, abilities = token.info(), Abilities(token, entropy)
    outcomes = {spec.name: _outcomes(abilities, spec) for spec in KEY_SPECS.values()}
    tried = [
        Tried(
            spec.name,
            name,
            not outcome.why,
            "" if outcome.mechanism is None else named(Ckm, outcome.mechanism),
            outcome.mode,
            outcome.why,
        )
        for spec in KEY_SPECS.values()
        for name, outcome in outcomes[spec.name].items()
    ]
    aes = [one for spec in KEY_SPECS.values() if spec.family is Family.AES for one in outcomes[spec.name].values()]
    checks, longest = {one.check for one in aes} & set(CHECKERS), max(one.longest for one in aes)
    facts = {
        "name": token.name,
        "token": info.label,
        "serial": info.serial,
        "manufacturer": info.manufacturer,
        "model": info.model,
        "hardware": info.hardware,
        "firmware": info.firmware,
        "library": f"{library} {version}",
        "sessions": f"{token.sessions} of each process, {info.most_sessions or 'any number'} allowed by the token",
        "free_memory": "not told" if info.free_memory is None else f"{info.free_memory} bytes",
        "check_values": ", ".join(sorted(checks)) or "none for AES",
        "objects": f"{token.run(_n_ours)} keys of Keystead's, of whatever installation",
        "largest_message": f"{longest} bytes at once, then a data key for each message" if longest else "none",
    }
    listed = [
        Mechanism(named(Ckm, number), found.least, found.most, [one.name or "" for one in found.flags])
        for number, found in sorted(token.mechanisms().items())
    ]
    return Survey(facts, listed, tried)


def _outcomes(abilities: Abilities, spec: KeySpec) -> Outcomes:
    """Of a token that has no room for a trial, that."""
    try:
        return abilities.of(spec)
    except LimitExceeded as error:
        return nothing(spec, str(error))


def _n_ours(desk: Desk) -> int:
    return sum(len(desk.session.find({Cka.TOKEN: True, Cka.LABEL: label})) for label in (LABEL, CBC, BESIDE))
