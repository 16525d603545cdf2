"""What is said of plugins where something is mounted or tuned: every engine is built in, in one version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from keystead.doors.vault.endpoint import Said
from keystead.doors.vault.system.catalog import VERSION

PLUGIN = "plugin"
"""A type that is no engine's: `plugin_name` says which one's."""
_WORD = r"[0-9A-Za-z~-]+(?:\.[0-9A-Za-z~-]+)*"
_SEMVER = re.compile(rf"v?([0-9]+(?:\.[0-9]+)*)(-{_WORD})?(\+{_WORD})?")


def engine_of(kind: str, config: Mapping[str, Any], name: str) -> str:
    """The type that is meant. `name`: plugin_name; that of `config` counts first. Raises Said."""
    if kind != PLUGIN:
        return kind
    given = config.get("plugin_name")
    found = given if isinstance(given, str) and given else name
    if not found:
        raise Said(400, "plugin_name must be provided for plugin backend")
    return found


def check_mounted(version: Any, of: str, kind: str) -> None:
    """Raises Said for another version than the one that there is. `of`: "mount" or "auth"."""
    if isinstance(version, bool) or not isinstance(version, str | int | None):
        raise Said(400, f"unable to convert given {of} config information")
    if not version or (found := _canonical(str(version))) == VERSION:
        return
    if of == "auth":
        raise Said(400, f"plugin not found in the catalog: {kind}, version={found}")
    raise Said(400, f"cannot select non-builtin version of secrets plugin {kind}")


def check_tuned(version: str | None, kind: str) -> None:
    """Raises Said for another version than the one that there is."""
    if version is not None and (found := _canonical(version)) != VERSION:
        raise Said(400, f"plugin not found in the catalog: {kind}, version={found}")


def _canonical(version: str) -> str:
    """ "1.2" is v1.2.0. Raises Said."""
    found = _SEMVER.fullmatch(version)
    if found is None:
        raise Said(400, f'version "{version}" is not a valid semantic version: malformed version: {version}')
    numbers = [str(int(number)) for number in found[1].split(".")]
    numbers += ["0"] * (3 - len(numbers))
    return f"v{'.'.join(numbers)}{found[2] or ''}{found[3] or ''}"
