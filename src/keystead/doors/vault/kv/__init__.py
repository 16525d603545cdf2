"""kv: secrets at paths; one value a path (version 1), or versions of it (version 2, "kv-v2")."""

from __future__ import annotations

from collections.abc import Mapping

from keystead.core.entities import Mount
from keystead.doors.vault.endpoint import Said

VERSIONED = "kv-v2"
VERSIONS = frozenset({"kv", "generic", "kv-v1", VERSIONED})
"""Types of mounts that have versions."""
_SPOKEN = {("kv", "2"): VERSIONED, ("generic", ""): "kv", ("generic", "1"): "kv", ("generic", "2"): VERSIONED}


def spoken(mount: Mount) -> str:
    """Whose operations answer at a mount: its engine's, by the version in its options."""
    return _SPOKEN.get((mount.engine, mount.options.get("version", "")), mount.engine)


def check_version(type_: str, options: Mapping[str, str], *, is_login: bool = False) -> None:
    """Raises Said for a version of the engine that there is not, and of an engine that has none."""
    version = options.get("version", "")
    if type_ in {"kv", "generic"} and version not in {"", "1", "2"}:
        raise Said(400, f'nil backend of type "{type_}" returned from factory')
    if version and (is_login or type_ not in VERSIONS):
        what = "auth method" if is_login else "secrets engine"
        raise Said(400, f'{what} "{type_}" does not allow setting a version')
