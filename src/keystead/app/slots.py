"""The slots of an installation, by the names that its root and its configuration have for them.

    "file"           the two directories of `slots` in keystead.toml
    "pkcs11:NAME"    in the token of the HSM that `hsms` calls NAME
    "tpm"            in the non-volatile memory of the TPM of `tpm`

`slots` says what a new installation begins with. After that the root of the key tree says which slots there are, and
the configuration how each is reached.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keystead.app.hardware import tpm_at
from keystead.app.hsms import Tokens
from keystead.app.layout import Layout
from keystead.app.patience import Patience, Within
from keystead.config import PKCS11, TPM, Config
from keystead.core.entities import EndedRoot, Tenant
from keystead.core.errors import AlreadyExists, Conflict, Internal, InvalidArgument, KeysteadError, NotFound
from keystead.core.operations import AddSlot, RemoveSlot
from keystead.core.ports import Entropy, Slot
from keystead.core.words import count_of
from keystead.service.barrier import Barrier
from keystead.service.bootstrap import record_of_slots
from keystead.service.root import FILE
from keystead.service.slots import Slots
from keystead.slots.file import FileSlot, require_apart
from keystead.slots.pkcs11 import Pkcs11Slot
from keystead.slots.tpm import TpmSlot

if TYPE_CHECKING:
    from keystead.app.compose import Core


class SlotsOf:
    """Of one installation. Nothing is opened before it is needed."""

    def __init__(self, layout: Layout, settings: Config, tokens: Tokens, entropy: Entropy = os.urandom) -> None:
        self._layout, self._settings, self._tokens, self._entropy = layout, settings, tokens, entropy
        self.ask = Patience()
        self.all = Slots(self._open, names_of(settings), self._within)

    @property
    def file(self) -> FileSlot | None:
        """The one in two directories, where the configuration has them."""
        places = self._layout.slots(self._settings)
        return None if places is None else FileSlot(*places, self._entropy)

    def _within(self, seconds: float) -> Within:
        return Within(self.ask, "slot ", seconds)

    def require_new(self) -> None:
        """That a new installation would have as many slots as are asked for. Raises InvalidArgument, with what to do.

        Two directories are two, on whatever disk: `n_places` is about disks.
        """
        names = names_of(self._settings)
        n_slots, least = sum(2 if name == FILE else 1 for name in names), self.at_least
        if n_slots < least:
            raise InvalidArgument(
                f"a new installation has at least {count_of(least, 'slot')}, and `slots` names {n_slots}: name "
                "another (two directories, pkcs11:NAME, tpm), or accept what is lost with it: slots_at_least = 1",
                "slots",
            )
        if (places := self._layout.slots(self._settings)) is not None:
            require_apart(*places)

    def make(self) -> None:
        """What a new installation needs before it can begin: the directories."""
        if (places := self._layout.slots(self._settings)) is not None:
            FileSlot.create(*places, self._entropy)

    def n_places(self, names: Iterable[str]) -> int:
        """In how many places that are not lost together a root is kept that has these slots."""
        return sum(self._n_disks() if name == FILE else 1 for name in names)

    def way_out(self, names: Iterable[str]) -> str:
        """How a root that has these slots comes to one place more."""
        there = set(names)
        beside = [*(f"{PKCS11}:{name}" for name in self._settings.hsms), *([TPM] if self._settings.tpm else [])]
        files = [FILE] if self._settings.slot_directories else []
        if found := [name for name in (*beside, *files) if name not in there]:
            return f"`keystead slot add {found[0]}`"
        return (
            "Write `tpm` or an HSM into keystead.toml, then `keystead slot add`; or move one of `slots` to another disk"
        )

    @property
    def at_least(self) -> int:
        return self._settings.slots_at_least

    def _n_disks(self) -> int:
        """Two directories are two places where they are on two file systems."""
        places = self._layout.slots(self._settings) or ()
        return len({place.stat().st_dev for place in places if place.is_dir()})

    def _open(self, name: str, owner: str) -> Slot:
        kind, _, which = name.partition(":")
        if (opener := KINDS.get(kind)) is None:
            raise InvalidArgument("a slot is file, tpm or pkcs11:NAME", "slots")
        try:
            return opener(self, which, owner)
        except InvalidArgument:
            raise
        except KeysteadError as error:
            raise InvalidArgument(str(error), "slots") from error

    def _open_file(self, which: str, _owner: str) -> Slot:
        if which or (slot := self.file) is None:
            raise InvalidArgument("`slots` names no two directories", "slots")
        return slot

    def _open_token(self, which: str, owner: str) -> Slot:
        return Pkcs11Slot(f"{PKCS11}:{which}", self._tokens.token(which), owner, self._entropy)

    def _open_tpm(self, which: str, owner: str) -> Slot:
        if which or self._settings.tpm is None:
            raise InvalidArgument('it is given as tpm = { tcti = "device:/dev/tpmrm0" }', "tpm")
        return TpmSlot(tpm_at(self._settings.tpm), owner, self._entropy)


KINDS: Mapping[str, Callable[[SlotsOf, str, str], Slot]] = {
    FILE: SlotsOf._open_file,  # noqa: SLF001 - its own table
    PKCS11: SlotsOf._open_token,  # noqa: SLF001 - its own table
    TPM: SlotsOf._open_tpm,  # noqa: SLF001 - its own table
}


def add(core: Core, name: str) -> None:
    """The root is under one slot more; durable, and on record, on return. Raises AlreadyExists, Unavailable."""
    names = tuple(core.barrier.tree.root.generations)
    if name in names:
        raise AlreadyExists(f"the root is in slot {name} already", "slot")
    core.barrier.require_slot(name)
    core.barrier.reslot((*names, name), record_of_slots(core.barrier, core.clock.now(), AddSlot.__name__, name))


def remove(core: Core, name: str, *, lost: bool) -> None:
    """The root is under one slot less, which erases all that it holds: at once, or whenever it can be reached again.

    `lost`: it need not be reached now. Raises NotFound, Conflict where too few places would be left, Unavailable.
    """
    names = tuple(core.barrier.tree.root.generations)
    if name not in names:
        raise NotFound(f"the root is in no slot {name}", "slot")
    left = tuple(one for one in names if one != name)
    n_left, least = core.slots.n_places(left), min(core.slots.at_least, core.slots.n_places(names))
    if not left or n_left < least:
        raise Conflict(
            f"the root would be left in {count_of(n_left, 'place')}, and {least} are asked for: first add another one",
            "slot",
        )
    if not lost:
        core.barrier.require_slot(name)
    core.barrier.reslot(left, record_of_slots(core.barrier, core.clock.now(), RemoveSlot.__name__, name))


def root_since(core: Core) -> datetime:
    """Since when the root of today is there."""
    root = core.barrier.tree.root
    before = core.barrier.get(EndedRoot, EndedRoot.id_of(root.epoch - 1))
    if before is not None and before.replaced_at is not None:
        return before.replaced_at
    if FILE in root.generations and (file := core.slots.file) is not None:
        return datetime.fromtimestamp(file.staged_at(root.generations[FILE]), UTC)
    home = core.barrier.get(Tenant, core.view.home())
    if home is None:
        raise Internal("the installation has no tenant")
    return home.created_at


def too_few(core: Core) -> str:
    """What is to be said where the root is in fewer places than are asked for; else ""."""
    n_places = core.slots.n_places(core.barrier.tree.root.generations)
    if n_places >= core.slots.at_least:
        return ""
    lost = f"the slots are in {count_of(n_places, 'place')} of {core.slots.at_least}: whoever loses it loses every key"
    return f"{lost}. {core.slots.way_out(core.barrier.tree.root.generations)}"


def told(barrier: Barrier, settings: Config) -> dict[str, Any]:
    """Of the mode, for `status`."""
    rule = barrier.slot_rule
    return {
        "slot_mode": rule.mode.value,
        "recovery_since": min((key.since for key in rule.recovery if key.since is not None), default=None),
        "recovery_for": settings.recovery_for,
        "awaited": tuple(sorted(barrier.awaited())),
    }


def require_new(directory: Path, settings: Config) -> None:
    """As SlotsOf.require_new."""
    SlotsOf(Layout(directory), settings, Tokens({})).require_new()


def places(directory: Path, settings: Config) -> int:
    """In how many places the slots are that a new installation begins with."""
    return SlotsOf(Layout(directory), settings, Tokens({})).n_places(names_of(settings))


def names_of(settings: Config) -> tuple[str, ...]:
    """What a new installation begins with."""
    return ((FILE,) if settings.slot_directories else ()) + settings.slots_beside
