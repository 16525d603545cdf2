"""Where a new key is held, and how a version of it is made there: in software, or in an HSM (docs/adr/0034)."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.entities import InHsm, Key, Keyring
from keystead.core.errors import Unsupported
from keystead.core.providers import Generated
from keystead.core.sensitive import Sensitive
from keystead.service.hsms import Made
from keystead.service.pipeline import Act

NAME_BYTES = 16


def held_in(key: Key, said: str | None, ring: Keyring, act: Act) -> str:
    """The HSM that the new key is to be held in; "": none. `said`: the HSM that is asked for; None: nobody says.

    Raises Unsupported (detail ops.NOT_HELD) where that HSM cannot hold such a key; Unavailable.
    """
    by_default = said is None and not ring.hsm
    settled = act.hsms.new_keys_in if by_default else ring.hsm
    wanted = settled if said is None else said
    if ring.hsm and wanted != ring.hsm:  # which is settled for all keys that are made there
        raise Unsupported(f"the keys of {ring.name} are held in the HSM {ring.hsm}", ops.NOT_HELD)
    if not wanted:
        return ""
    lacking = _lacking(key, wanted, act)
    if not lacking:
        return wanted
    if by_default and act.hsms.or_software:
        return ""
    raise Unsupported(f"the HSM {wanted} does not hold such a key: {lacking}", ops.NOT_HELD)


def _lacking(key: Key, hsm: str, act: Act) -> str:
    """What that HSM lacks for the key; "": nothing."""
    terms = key.terms
    if key.multi_region:
        return "it is to be copied to other regions"
    if terms.exportable or terms.copyable:
        return "it is to be exported"
    if terms.derived:
        return "keys are to be derived of it"
    offered = act.hsms.at(hsm).offers(key.spec)
    purposes = key.spec.purposes if terms.all_purposes else (key.purpose,)
    wanted = [one.name for purpose in purposes for one in key.spec.algorithms_for(purpose)]
    missing = [name for name in wanted if name not in offered]
    return f"no {', '.join(missing)} with {key.spec.name}" if missing else ""


def generated(key: Key, number: int, act: Act) -> Made:
    """Material of version `number`. Raises Unsupported, Unavailable."""
    if not key.hsm:
        made = act.provider.generate(key.spec)
        return Made(made.material, made.public_key, entropy=made.entropy)
    return act.hsms.generate(key.spec, f"{key.id}/{number}", _object(key, act), act.now)


def registered(key: Key, number: int, material: Sensitive, act: Act) -> Made:
    """The same of material from outside, which software examines wherever it goes then. Raises InvalidArgument, too."""
    return brought(key, number, act.provider.register(key.spec, material), act, is_public=False)


def brought(key: Key, number: int, ours: Generated, act: Act, *, is_public: bool) -> Made:
    """The same of what software has examined already. Of a public key there is nothing to hold in an HSM."""
    if not key.hsm or is_public:
        return Made(ours.material, ours.public_key)
    return act.hsms.register(key.spec, ours.material, f"{key.id}/{number}", _object(key, act), act.now)


def _object(key: Key, act: Act) -> InHsm:
    return InHsm(key.hsm, act.entropy(NAME_BYTES).hex())


def in_software(key: Key) -> None:
    """Raises Unsupported (detail ops.NEVER_LEAVES): the material of an HSM's key is in no form that others read."""
    if key.hsm:
        raise Unsupported("the key is held in an HSM, and never leaves it", ops.NEVER_LEAVES)
