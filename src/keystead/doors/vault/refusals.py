"""Members that OpenBao has and this door has not, where no answer would remark upon them: refused by name."""

from __future__ import annotations

from collections.abc import Iterable

from keystead.doors.vault.endpoint import Said
from keystead.wire.vault.reader import Parameters


def refuse(req: Parameters, names: Iterable[str]) -> None:
    """Raises Said for what is given, unless it asks for nothing: false, or an empty text."""
    for name in names:
        value = getattr(req, name)
        if value is not None and value is not False and value not in ("", ()):
            raise Said(400, f"{name} is not offered")
