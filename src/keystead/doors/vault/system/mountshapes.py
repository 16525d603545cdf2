"""A mount, as sys/mounts, sys/auth and their tune show it."""

from __future__ import annotations

from typing import Any

from keystead.core.entities import Mount
from keystead.core.mounts import BUILT_IN, path_of
from keystead.doors.vault.system.engines import ENTROPY, LOCAL, SEALED, UNCACHED
from keystead.service.handlers.tokenparts import DEFAULT_FOR, MAX_FOR


def told(mount: Mount) -> dict[str, Any]:
    """One mount as sys/mounts shows it."""
    is_login = path_of(mount).startswith("auth/")
    config: dict[str, Any] = {
        "default_lease_ttl": mount.default_lease_for,
        "force_no_cache": UNCACHED in mount.marks,
        "max_lease_ttl": mount.max_lease_for,
        **mount.lists,
    }
    if mount.listing:
        config["listing_visibility"] = mount.listing
    if is_login:
        config["token_type"] = mount.made_as
    shown: dict[str, Any] = {
        "accessor": mount.accessor,
        "config": config,
        "description": mount.description,
        "external_entropy_access": ENTROPY in mount.marks,
        "local": LOCAL in mount.marks or mount.engine == "cubbyhole",
        "options": None if _is_built_in(mount) and not mount.options else mount.options,
        "plugin_version": "",
        "running_plugin_version": "",
        "running_sha256": "",
        "seal_wrap": SEALED in mount.marks,
        "type": mount.engine,
        "uuid": mount.uuid,
    }
    return shown


def _is_built_in(mount: Mount) -> bool:
    return any(mount.engine == engine for _, _, engine, _ in BUILT_IN)


def tuning(mount: Mount) -> dict[str, Any]:
    """The same as its tune shows it: with the installation's times where it has none of its own."""
    shown: dict[str, Any] = {
        "default_lease_ttl": mount.default_lease_for or DEFAULT_FOR,
        "description": mount.description,
        "force_no_cache": UNCACHED in mount.marks,
        "max_lease_ttl": mount.max_lease_for or MAX_FOR,
        **mount.lists,
    }
    if mount.options:
        shown["options"] = mount.options
    if mount.listing:
        shown["listing_visibility"] = mount.listing
    if path_of(mount).startswith("auth/"):
        shown["token_type"] = mount.made_as
    if ENTROPY in mount.marks:
        shown[ENTROPY] = True
    return shown
