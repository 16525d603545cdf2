"""Key attestations (core.attestation): asked of the provider just now, and signed by the key of the audit log."""

from __future__ import annotations

import hashlib

from keystead.core import operations as ops
from keystead.core.attestation import Attestation
from keystead.core.entities import Key, KeyVersion
from keystead.core.errors import WrongState
from keystead.core.family import known_as
from keystead.service.handlers.standing import existing
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome


def attest_key(op: ops.AttestKey, targets: tuple[HeldKey], act: Act) -> Outcome[ops.Attested]:
    """Raises WrongState for a version without material, NotFound, Unavailable."""
    (held,) = targets
    key = held.key
    existing(key, act.now)
    version = held.version(op.version).version
    if not version.wrapped:
        raise WrongState("the version holds nothing", version.state)
    held.at_a_distance()
    proved = {}
    if not version.is_public:
        provider = act.hsms.at(key.hsm) if key.hsm else act.provider
        proved = dict(provider.facts(key.spec, held.material(version)))
    proved.pop("protection", None)
    signer = held.signer()
    note = Attestation(signer.name, _facts(held, version, act), proved).sign(signer)
    return Outcome(answer=ops.Attested(note.decode()), versions=(version.number,))


def _facts(held: HeldKey, version: KeyVersion, act: Act) -> dict[str, str]:
    key: Key = held.key
    spki = version.public_key
    return {
        "attested_at": f"{act.now:%Y-%m-%dT%H:%M:%SZ}",
        "key": known_as(key.id),
        "version": str(version.number),
        "spec": key.spec_name,
        "purpose": key.purpose.name.lower(),
        "origin": key.origin.value,
        "state": version.state.value,
        "protection": key.protection.value,
        "hsm": key.hsm,
        "object": version.in_hsm.name if version.in_hsm else "",
        "created_at": f"{version.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "entropy": version.entropy,
        "public_key_sha256": hashlib.sha256(spki).hexdigest() if spki else "",
        "policy_sha256": hashlib.sha256(held.policy.text.encode()).hexdigest(),
    }


HANDLERS: dict[type, Handler] = {ops.AttestKey: attest_key}
