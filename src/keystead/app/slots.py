"""The slots of an installation, by the names that its root and its configuration have for them."""

from __future__ import annotations

import os

from keystead.app.layout import Layout
from keystead.config import Config
from keystead.core.errors import InvalidArgument
from keystead.core.ports import Slot
from keystead.service.root import FILE
from keystead.service.slots import Slots
from keystead.slots.file import FileSlot


def file_slot(layout: Layout, settings: Config) -> FileSlot:
    return FileSlot(*layout.slots(settings), os.urandom)


def slots_of(layout: Layout, settings: Config) -> Slots:
    def opener(name: str, _owner: str) -> Slot:
        if name != FILE:
            raise InvalidArgument("there is no such slot", "slots")
        return file_slot(layout, settings)

    return Slots(opener, (FILE,))
