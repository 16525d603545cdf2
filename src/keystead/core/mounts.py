"""A tenant's tree of paths: which engine answers where. Vault documentation, "Secrets engines", "Auth methods"."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from keystead.core.entities import Mount

SECRETS, AUTH = "vault", "vault-auth"
BUILT_IN = (
    (SECRETS, "sys", "system", "system endpoints used for control, policy and debugging"),
    (SECRETS, "identity", "identity", "identity store"),
    (SECRETS, "cubbyhole", "cubbyhole", "per-token private secret storage"),
    (AUTH, "token", "token", "token based credentials"),
)
"""What every tenant has from its first day, and cannot be taken away: no row is kept of it until it is tuned."""
TUNED = "auth/token"
"""The one of them that is tuned: how long tokens last that are made there."""


def address(tenant: str, path: str) -> str:
    """Of a path without slashes at its ends; below "auth/" are the engines that log in."""
    head, slash, tail = path.partition("/")
    return f"{AUTH}:{tenant}:{tail}" if head == "auth" and slash else f"{SECRETS}:{tenant}:{path}"


def path_of(mount: Mount) -> str:
    """Where it stands, without slashes at its ends: "secret", "auth/approle"."""
    dialect, _, path = mount.id.split(":", 2)
    return f"auth/{path}" if dialect == AUTH else path


def built_in(tenant: str) -> tuple[Mount, ...]:
    made = []
    for dialect, path, engine, description in BUILT_IN:
        id_ = f"{dialect}:{tenant}:{path}"
        digest = sha256(id_.encode()).digest()
        made.append(
            Mount(
                id=id_,
                tenant=tenant,
                engine=engine,
                accessor=f"{'auth_' if dialect == AUTH else ''}{engine}_{digest[:4].hex()}",
                uuid=str(UUID(bytes=digest[:16], version=4)),
                description=description,
                created_at=datetime.fromtimestamp(0, UTC),
            )
        )
    return tuple(made)


class MountTable:
    """All mounts of one tenant; no path of one begins with that of another."""

    __slots__ = ("_by_path", "_longest", "mounts")

    def __init__(self, tenant: str, mounts: Iterable[Mount]) -> None:
        kept = {mount.id: mount for mount in mounts}
        self.mounts = (*(kept.pop(one.id, one) for one in built_in(tenant)), *kept.values())
        self._by_path = {path_of(mount): mount for mount in self.mounts}
        self._longest = max(path.count("/") for path in self._by_path) + 1

    def find(self, path: str) -> tuple[Mount, str] | None:
        """The mount that `path` leads into, and the rest of the path; None where nothing is mounted."""
        at = 0
        for _ in range(self._longest):
            at = path.find("/", at)
            head = path if at < 0 else path[:at]
            if (mount := self._by_path.get(head)) is not None:
                return mount, path[len(head) + 1 :]
            if at < 0:
                return None
            at += 1
        return None

    def at(self, path: str) -> Mount | None:
        """The mount at exactly that path."""
        return self._by_path.get(path)

    def in_the_way(self, path: str) -> str | None:
        """The path that keeps a new mount from `path`: the same, one above it, or one below it."""
        for taken in self._by_path:
            if taken == path or path.startswith(f"{taken}/") or taken.startswith(f"{path}/"):
                return taken
        return None
