"""kv: secrets at paths; one value a path (version 1), or versions of it (version 2, "kv-v2")."""

from __future__ import annotations

from collections.abc import Mapping

from keystead.core.entities import Mount
from keystead.doors.vault.endpoint import Said

VERSIONED = "kv-v2"
_SPOKEN = {("kv", "2"): VERSIONED, ("generic", ""): "kv", ("generic", "1"): "kv", ("generic", "2"): VERSIONED}


def spoken(mount: Mount) -> str:
    """Whose operations answer at a mount: its engine's, by the version in its options."""
    return _SPOKEN.get((mount.engine, mount.options.get("version", "")), mount.engine)


def check_version(type_: str, options: Mapping[str, str]) -> None:
    """Raises Said for a version of the engine that there is not."""
    if type_ in {"kv", "generic"} and options.get("version", "") not in {"", "1", "2"}:
        raise Said(400, f'nil backend of type "{type_}" returned from factory')
