"""Keying material in the clear, where a key's terms allow that."""

from __future__ import annotations

from collections.abc import Iterable

from keystead.core import operations as ops
from keystead.core.algorithms import Family, Purpose
from keystead.core.entities import KeyVersion
from keystead.core.errors import NotFound, WrongState, WrongUsage
from keystead.core.operations import Breach, Part
from keystead.core.sensitive import Sensitive
from keystead.core.states import Use
from keystead.service.handlers.limits import not_leaving
from keystead.service.handlers.making import in_software
from keystead.service.handlers.use import algorithm_for, require_key, within
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome

PURPOSES = {Part.CIPHER: Purpose.CIPHER, Part.SIGNATURE: Purpose.SIGNATURE}
PAIRED = frozenset({Family.RSA, Family.EC, Family.EDWARDS})


def export_key(op: ops.ExportKey, targets: tuple[HeldKey], act: Act) -> Outcome[ops.Exported]:
    """A public key is no secret, and is told of any key that has one."""
    (held,) = targets
    key = held.key
    require_key(held, Use.PROCESS, act.now, counts=False)
    if op.part is not Part.PUBLIC:
        if not key.terms.exportable:
            raise WrongState("the key's terms do not let it be exported", Breach.NOT_EXPORTABLE)
        in_software(key)
        not_leaving(key)
    if (purpose := PURPOSES.get(op.part)) is not None:
        algorithm_for(key, purpose)
    found = tuple(wanted(op.version, held))
    parts = {version.number: _part(op, version, held, act) for version in found}
    return Outcome(answer=ops.Exported(key, parts), versions=tuple(parts)[:1] if len(parts) == 1 else ())


def wanted(number: int | None, held: HeldKey) -> Iterable[KeyVersion]:
    """The versions that ExportKey.version names. Raises WrongState, NotFound."""
    key = held.key
    if number is None:
        return (one for one in held.versions() if one.wrapped and one.number >= key.terms.min_process)
    number = number or key.current
    within(key.terms, Use.PROCESS, number)
    if number > key.current:
        raise NotFound("no such version", "version")
    return (held.version(number).version,)


def _part(op: ops.ExportKey, version: KeyVersion, held: HeldKey, act: Act) -> Sensitive:
    spec, part = held.key.spec, op.part
    if part is Part.PUBLIC:
        if not version.public_key:
            raise WrongUsage(f"a {spec.name} key has no public part", part)
        return Sensitive(version.public_key)
    if version.is_public:
        raise WrongState("the private half of this version is not here", Breach.NO_PRIVATE_HALF)
    material = held.material(version)
    if part is Part.MAC:
        return act.provider.mac_key(spec, material)
    return material if op.pkcs8 and spec.family in PAIRED else act.provider.export(spec, material)


HANDLERS: dict[type, Handler] = {ops.ExportKey: export_key}
