"""Secrets as they are found: with their versions and values on demand, held within bounds.

Paths are secret, so rows are found by keyed digests of keyring and path (docs/adr/0021). A value that has been read is
held until its secret changes anywhere, as a key is; how many bytes are held in all is bounded.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from keystead.core.entities import Cubby, Folder, Secret, SecretSettings, SecretVersion
from keystead.core.errors import Internal
from keystead.core.operations import CubbyRef, Ref, SecretRef
from keystead.core.sensitive import Sensitive
from keystead.service.damaged import every_version, remnant

if TYPE_CHECKING:
    from keystead.service.held import Held, HeldKeyring
    from keystead.service.reach import Reach

USUAL_VERSIONS = 10
MAX_SECRETS = 16384
MAX_BYTES = 64 << 20  # of values, sealed and opened, and of metadata, in one process


def above(path: str) -> str:
    """The folder that a path is listed in; "" is the topmost."""
    return path.rpartition("/")[0]


def oldest_after(secret: Secret, settings: SecretSettings, n_kept: int | None) -> int:
    """The first version that is still to be had once one more is written. `n_kept`: as ops.WriteSecret has it."""
    kept, number = n_kept or max(settings.max_versions, secret.max_versions) or USUAL_VERSIONS, secret.current + 1
    return secret.oldest if number - secret.oldest < kept else number - kept + 1


def _weight(secret: Secret) -> int:
    """About how many bytes it is, without a version."""
    return len(secret.path) + sum(len(name) + len(value) for name, value in secret.custom.items())


class SecretsOf:
    """What a keyring keeps at paths."""

    __slots__ = ("_keyring", "_reach")

    def __init__(self, keyring_id: str, reach: Reach) -> None:
        self._keyring, self._reach = keyring_id, reach

    def secret_id(self, path: str) -> str:
        return self._reach.barrier.name_id(f"secret:{self._keyring}", path)

    def folder_id(self, path: str) -> str:
        return self._reach.barrier.name_id(f"folder:{self._keyring}", path)

    def folder(self, path: str) -> Folder | None:
        return self._reach.get(Folder, self.folder_id(path))

    def in_folder(self, folder_id: str, *, after: str = "", limit: int) -> list[Secret]:
        return self._reach.children(Secret, folder_id, after, limit)

    def folders_in(self, folder_id: str, *, after: str = "", limit: int) -> list[Folder]:
        return self._reach.children(Folder, folder_id, after, limit)

    def secrets(self, *, limit: int) -> list[Secret]:
        """Some, wherever they are listed."""
        self._reach.may_block()
        return self._reach.barrier.linked(Secret, self._keyring, limit=limit)

    def folders(self, *, limit: int) -> list[Folder]:
        self._reach.may_block()
        return self._reach.barrier.linked(Folder, self._keyring, limit=limit)

    def versions(self, secret: Secret) -> list[SecretVersion]:
        """Every row, oldest first, those that were dropped and not erased yet too."""
        return sorted(self._reach.every_child(SecretVersion, secret.id), key=lambda one: one.number)

    def ending(self, secret: Secret) -> list[SecretVersion]:
        """The same, damaged or not (service.damaged). Raises Unavailable (detail DAMAGED)."""
        self._reach.may_block()
        return every_version(secret, self._reach.barrier)

    def settings(self) -> SecretSettings:
        """As they are; as they are by default, with revision 0, where nobody has set any."""
        return self._reach.get(SecretSettings, self._keyring) or SecretSettings(id=self._keyring)


class HeldSecret:
    """A path of a keyring, and the secret at it, if there is one."""

    __slots__ = ("_cache", "_reach", "_values", "_versions", "id", "n_bytes", "path", "ring", "secret")

    def __init__(self, ring: HeldKeyring, path: str, reach: Reach, cache: SecretCache) -> None:
        self.ring, self.path, self._reach, self._cache = ring, path, reach, cache
        self.id = ring.secrets.secret_id(path)
        self.secret = reach.get(Secret, self.id)
        self._versions: dict[int, SecretVersion] = {}
        self._values: dict[int, Sensitive] = {}
        self.n_bytes = 0 if self.secret is None else _weight(self.secret)

    @property
    def tenant(self) -> str:
        return self.ring.tenant

    @property
    def is_absent(self) -> bool:
        return self.secret is None

    def version(self, number: int) -> SecretVersion | None:
        """The row of that number, whether it was dropped or not; None where there is none."""
        if (found := self._versions.get(number)) is None:
            found = self._reach.get(SecretVersion, f"{self.id}/{number}")
            if found is not None:
                self._versions[number] = found
                self._cache.grown(self, len(found.wrapped))
        return found

    def ending(self, number: int) -> SecretVersion | None:
        """The same, to be destroyed: of one that is damaged, or gone, what is known without its row.

        Raises Unavailable (detail DAMAGED) where that is too little.
        """
        with suppress(Internal):
            if (found := self.version(number)) is not None or self.secret is None:
                return found
        return remnant(self.secret, number, self._reach.barrier) if self.secret is not None else None

    def value(self, version: SecretVersion) -> Sensitive:
        """Raises WrongState once destroyed."""
        if (found := self._values.get(version.number)) is None:
            self._reach.may_block()
            found = self._reach.barrier.material(version)
            self._values[version.number] = found
            self._cache.grown(self, len(found))
        return found

    def versions(self) -> list[SecretVersion]:
        """As SecretsOf.versions; none of a secret that is not there."""
        return [] if self.secret is None else self.ring.secrets.versions(self.secret)


class SecretCache:
    """Which secrets a view holds: the least recently found goes first when there are too many, or too many bytes.

    `refs` is the view's: what is kept is found there without asking here. Safe to use from any thread.
    """

    def __init__(self, refs: dict[Ref, Held], *, max_count: int = MAX_SECRETS, max_bytes: int = MAX_BYTES) -> None:
        self._refs, self._max_count, self._max_bytes = refs, max_count, max_bytes
        self._lock = threading.Lock()
        self._held: dict[str, tuple[HeldSecret, list[SecretRef]]] = {}
        self.n_bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    def keep(self, ref: SecretRef, held: HeldSecret) -> HeldSecret:
        """Hold it under one more reference; the one that is held, where two threads came at once."""
        with self._lock:
            if held.id not in self._held:
                while len(self._held) >= self._max_count:
                    self._drop(next(iter(self._held)))
                self._held[held.id] = (held, [])
                self.n_bytes += held.n_bytes
            held, refs = self._held[held.id]
            refs.append(ref)
            self._refs[ref] = held
            self._shrink()
            return held

    def grown(self, held: HeldSecret, n: int) -> None:
        """More of it was read. What goes over the bound goes, this one too."""
        with self._lock:
            entry = self._held.get(held.id)
            if entry is None or entry[0] is not held:
                return
            held.n_bytes += n
            self.n_bytes += n
            self._shrink()

    def _shrink(self) -> None:
        while self.n_bytes > self._max_bytes:
            self._drop(next(iter(self._held)))

    def forget(self, id_: str) -> None:
        with self._lock:
            self._drop(id_)

    def clear(self) -> None:
        with self._lock:
            for id_ in list(self._held):
                self._drop(id_)

    def _drop(self, id_: str) -> None:
        held, refs = self._held.pop(id_, (None, []))
        for ref in refs:
            self._refs.pop(ref, None)
        if held is not None:
            self.n_bytes -= held.n_bytes


class HeldCubby:
    """A path of a token's own, and what is at it, if anything is."""

    __slots__ = ("_reach", "cubby", "id", "ref")

    def __init__(self, ref: CubbyRef, id_: str, cubby: Cubby | None, reach: Reach) -> None:
        self.ref, self.id, self.cubby, self._reach = ref, id_, cubby, reach

    @property
    def tenant(self) -> str:
        return self.ref.tenant

    @property
    def is_absent(self) -> bool:
        return self.cubby is None

    def paths(self) -> Iterator[str]:
        """Every path of this token's, in this tenant."""
        return (one.path for one in self._reach.every_child(Cubby, self.ref.token) if one.tenant == self.ref.tenant)


def cubby_of(ref: CubbyRef, reach: Reach) -> HeldCubby:
    reach.may_block()
    whose = f"{ref.token}@{ref.tenant}" if ref.abroad else ref.token
    id_ = reach.barrier.name_id(f"cubby:{whose}", ref.path)
    return HeldCubby(ref, id_, reach.get(Cubby, id_), reach)
