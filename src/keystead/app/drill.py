"""The custody drill at an open installation: challenges made, proofs recorded, how custody stands (seals.drill)."""

from __future__ import annotations

from datetime import datetime

from keystead.app.compose import Core
from keystead.core.entities import ShareProof
from keystead.core.errors import Conflict
from keystead.core.words import count_of
from keystead.doors.control import CustodyShown, ShareShown
from keystead.seals import Seals, drill
from keystead.seals.shamir import ShamirConfiguration, ShamirSeal
from keystead.service.barrier import Commit
from keystead.service.bootstrap import record_of_seal


def challenge(core: Core, seals: Seals) -> str:
    """Raises Conflict where there are no shares, or none that can be proved."""
    return drill.challenge(_shared(seals), core.barrier.subkey(drill.SUBKEY), core.clock.now(), core.entropy)


def record(core: Core, seals: Seals, text: str) -> None:
    """Durable, and on record, on return; a proof that is older than one there is changes nothing.

    Raises InvalidArgument, Unauthenticated, Conflict.
    """
    now = core.clock.now()
    proven = drill.check(_shared(seals), core.barrier.subkey(drill.SUBKEY), now, text)
    id_ = ShareProof.id_of(proven.set_id, proven.index)
    kept = core.barrier.get(ShareProof, id_)
    at = max(proven.at, kept.proved_at) if kept else proven.at
    row = ShareProof(id=id_, proved_at=at, revision=kept.revision if kept else 0)
    core.barrier.commit(Commit(put=(row,), record=record_of_seal(core.barrier, now, "share-proved", id_)))


def standing(core: Core, seals: Seals) -> CustodyShown | None:
    """Of an open installation; None where no shares open it."""
    if seals.shared is None:
        return None
    seal, now = _shared(seals), core.clock.now()
    shares = [_share(core, seal, index, now) for index in range(1, seal.n_shares + 1)]
    n_proved, needed = sum(share.is_fresh for share in shares), drill.needed(seal)
    return CustodyShown(shares=tuple(shares), n_needed=needed, n_proved=n_proved, alarm=_alarm(seal, n_proved, needed))


def _alarm(seal: ShamirConfiguration, n_proved: int, needed: int) -> str:
    if not seal.provers:
        return drill.NOT_PROVABLE
    if n_proved >= needed:
        return ""
    proved = f"{n_proved} of {count_of(seal.n_shares, 'share')} proved in {drill.PROVED_FOR.days} days"
    return f"{proved}, and {needed} are to be: `keystead custody challenge`"


def _share(core: Core, seal: ShamirConfiguration, index: int, now: datetime) -> ShareShown:
    kept = core.barrier.get(ShareProof, ShareProof.id_of(seal.set_id, index))
    at = kept.proved_at if kept else None
    return ShareShown(share=index, proved_at=at, is_fresh=at is not None and now - at <= drill.PROVED_FOR)


def _shared(seals: Seals) -> ShamirConfiguration:
    if seals.shared is None:
        raise Conflict(f"the {seals.kind} seal has no shares", "seal")
    found = seals.of_kind(ShamirSeal.kind)
    assert isinstance(found, ShamirConfiguration)  # noqa: S101 - of its kind
    return found
