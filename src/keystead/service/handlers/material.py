"""Imported material: what of it is there, and what the key is without it.

KMS Developer Guide, "Importing key material", "Delete imported key material": the key waits as soon as any material
that belongs to it is gone. Material that waits for its rotation does not belong to it yet, and may be replaced by
other; of related keys at the primary, whose giving up takes it from all (ImportKeyMaterial, DeleteImportedKeyMaterial).
SP 800-57pt1r5 §7 knows no way back from destroyed; but this is material that its owner holds and lends.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from keystead.core.entities import Key, KeyVersion, Wrapped
from keystead.core.leaves import NONE
from keystead.core.states import Event, KeyState, Lifecycle


def present(version: KeyVersion, now: datetime) -> bool:
    return bool(version.wrapped) and (version.expires_at is None or version.expires_at > now)


def erased(version: KeyVersion, now: datetime) -> KeyVersion:
    """The version as it is kept once its material is gone."""
    return replace(version, lifecycle=version.lifecycle.after(Event.DESTROY, now))


def lost(gone: Iterable[Wrapped]) -> str:
    """For the record: that, and of which, nothing was known but where their material was."""
    numbers = [str(version.number) for version in gone if version.lost]
    return f"damaged: {' '.join(numbers)}" if numbers else ""


def damaged(versions: Iterable[KeyVersion]) -> tuple[KeyVersion, ...]:
    """Those whose rows do not verify, and that hold material: nobody knows when it runs out (service.damaged)."""
    return tuple(v for v in versions if v.lost and not v.wrapped and v.position != NONE)


def lapse(key: Key, versions: Iterable[KeyVersion]) -> datetime | None:
    """Key.lapses_at. Of what is gone already nothing runs out; of what is damaged, something at the date of before."""
    gone, versions = KeyState.DESTROYED, tuple(versions)
    dates = [v.expires_at for v in versions if v.number <= key.current and v.lifecycle.state is not gone]
    dates += [key.lapses_at for v in damaged(versions) if v.state is not gone]
    return min((at for at in dates if at is not None), default=None)


def as_waiting(life: Lifecycle, now: datetime) -> Lifecycle:
    """Appointments are kept. What was compromised or is over does not begin again by being brought back."""
    if life.state not in {KeyState.ACTIVE, KeyState.SUSPENDED}:
        return life
    return replace(life, state=KeyState.PRE_ACTIVE, since=now, activate_at=None)


def given_up(key: Key, gone: tuple[KeyVersion, ...]) -> bool:
    """Whether what waits for its rotation goes for good. A replica may lose it and be given it again."""
    return key.leads and any(version.number > key.current for version in gone)


def without(key: Key, gone: tuple[KeyVersion, ...], versions: Iterable[KeyVersion], now: datetime) -> Key:
    """The key once `gone`, erased already, are of no use any more; `versions` are those there were."""
    left = {version.number: version for version in (*versions, *gone)}
    kept = key
    if given_up(key, gone):
        kept = replace(kept, n_versions=key.current, material_ids=key.material_ids[: key.current])
    if any(version.number <= key.current for version in gone):
        kept = replace(kept, lifecycle=as_waiting(key.lifecycle, now))
    return replace(kept, lapses_at=lapse(kept, left.values()))
