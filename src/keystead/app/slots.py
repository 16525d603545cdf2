"""The slots of an installation, by the names that its root and its configuration have for them."""

from __future__ import annotations

import os

from keystead.app.layout import Layout
from keystead.config import Config
from keystead.core.errors import InvalidArgument
from keystead.core.ports import Entropy, Slot
from keystead.service.root import FILE
from keystead.service.slots import Slots
from keystead.slots.file import FileSlot


def file_slot(layout: Layout, settings: Config, entropy: Entropy = os.urandom) -> FileSlot:
    return FileSlot(*layout.slots(settings), entropy)


def slots_of(layout: Layout, settings: Config, entropy: Entropy = os.urandom) -> Slots:
    def opener(name: str, _owner: str) -> Slot:
        if name != FILE:
            raise InvalidArgument("there is no such slot", "slots")
        return file_slot(layout, settings, entropy)

    return Slots(opener, (FILE,))
