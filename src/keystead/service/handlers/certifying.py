"""Destruction certificates (core.certificate): what is kept of each destruction, signed by the key of the audit log."""

from __future__ import annotations

from datetime import datetime

from keystead.core import operations as ops
from keystead.core.certificate import Certificate, Gone, Opener, weakest
from keystead.core.entities import EndedRoot, KeyVersion
from keystead.core.errors import WrongState
from keystead.core.family import known_as
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome


def certify_destruction(op: ops.CertifyDestruction, targets: tuple[HeldKey], act: Act) -> Outcome[ops.Certified]:
    """Raises WrongState where no version of the key has been destroyed."""
    (held,) = targets
    gone = _gone(held)
    if op.version is not None:
        gone = [version for version in gone if version.number == op.version]
    if not gone:
        raise WrongState("nothing of it has been destroyed", held.key.lifecycle.state)
    fates = [held.fate(version) for version in gone]
    signer = held.signer()
    certificate = Certificate(
        log=signer.name,
        facts={
            "certified_at": _time(act.now),
            "key": known_as(held.key.id),
            "spec": held.key.spec_name,
            "mode": held.slot_mode.value,
            "state": weakest(fates).value,
        },
        versions=tuple(
            Gone(v.number, fate.value, _time(v.lifecycle.since), v.destroyed_under, v.destroyed_leaf.hex() or "-")
            for v, fate in zip(gone, fates, strict=True)
        ),
        openers=_openers(held.ended_roots(gone)),
    )
    note = certificate.sign(signer)
    return Outcome(answer=ops.Certified(note.decode()), versions=(gone[-1].number,))


def fate_of(held: HeldKey) -> str:
    """The least that is true of all versions of a destroyed key; "" where it never held anything."""
    fates = [held.fate(version) for version in _gone(held)]
    return weakest(fates).value if fates else ""


def _gone(held: HeldKey) -> list[KeyVersion]:
    """The versions that held something, and do no more."""
    return [version for version in held.versions() if not version.wrapped and version.position >= 0]


def _openers(roots: list[EndedRoot]) -> tuple[Opener, ...]:
    return tuple(
        Opener(root.epoch, name, generation, *_word(root, name))
        for root in roots
        for name, generation in sorted(root.generations.items())
    )


def _word(root: EndedRoot, name: str) -> tuple[str, str]:
    said = root.erased.get(name)
    return ("-", "-") if said is None else (said.by, _time(said.at))


def _time(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"


HANDLERS: dict[type, Handler] = {ops.CertifyDestruction: certify_destruction}
