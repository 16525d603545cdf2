"""Secrets at paths."""

from __future__ import annotations

from datetime import datetime

from msgspec import field

from keystead.core.entities.base import Entity, Kind, Wrapped


class Secret(Entity, frozen=True, kw_only=True):
    """A value at a path of a keyring, in versions. The path itself is secret, and stands only inside the row.

    `id` is a keyed digest of keyring and path, against Rule 1: a path means one secret at a time, and nothing names a
    secret by its id. `folder` is the id of the folder it is listed in.
    """

    kind = Kind.SECRET
    tenant: str
    keyring: str
    folder: str
    path: str  # without slashes at its ends
    created_at: datetime
    updated_at: datetime
    current: int = 0  # the newest version; 0: none has been written yet
    oldest: int = 0  # versions below this have been dropped; 0: none has
    kept_from: int = 1  # rows of versions below this are gone too
    max_versions: int = 0  # 0: as the keyring's settings say
    cas_required: bool = False
    delete_after: int = 0  # seconds after it is written that a version is deleted; 0: as the settings say
    custom: dict[str, str] = field(default_factory=dict)  # its owner's own metadata
    leaves: bytes = b""  # which leaf of the key tree each version is under (core.leaves): their rows may be damaged
    leaves_from: int = 1  # the version that the first of them is of

    @property
    def parent(self) -> str:
        return self.folder

    @property
    def link(self) -> str:
        return self.keyring

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def __repr__(self) -> str:
        return f"Secret({self.id!r})"


class SecretVersion(Wrapped, frozen=True, kw_only=True):
    """One value of a secret; `id` is "<secret id>/<number>".

    Deleted is a date that it is not told from; destroyed is for ever. A date to come is an appointment.
    """

    kind = Kind.SECRET_VERSION
    bound_as = "secret"
    secret_id: str
    created_at: datetime
    deleted_at: datetime | None = None

    @property
    def parent(self) -> str:
        return self.secret_id

    @property
    def is_destroyed(self) -> bool:
        return not self.wrapped

    def is_deleted(self, now: datetime) -> bool:
        return self.deleted_at is not None and self.deleted_at <= now

    def __repr__(self) -> str:
        return f"SecretVersion({self.id!r})"


class Folder(Entity, frozen=True, kw_only=True):
    """What a path's segments but the last lead through; there as long as a secret is below it (docs/adr/0021).

    `id` is a keyed digest of keyring and path; the topmost folder of a keyring is nowhere kept.
    """

    kind = Kind.FOLDER
    keyring: str
    above: str  # id of the folder it is listed in
    path: str

    @property
    def parent(self) -> str:
        return self.above

    @property
    def link(self) -> str:
        return self.keyring

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def __repr__(self) -> str:
        return f"Folder({self.id!r})"


class SecretSettings(Entity, frozen=True, kw_only=True):
    """What holds for every secret of a keyring; `id` is the keyring's."""

    kind = Kind.SECRET_SETTINGS
    max_versions: int = 0  # 0: ten
    cas_required: bool = False
    delete_after: int = 0  # seconds; below 0: never, whatever a secret says


class Cubby(Entity, frozen=True, kw_only=True):
    """A value at a path that is a token's own; it is deleted with the token, whose id is its parent."""

    kind = Kind.CUBBY
    token_id: str
    tenant: str
    path: str
    sealed: bytes = field(name="s")  # under the text of the token (service.handlers.cubbyhole)

    @property
    def parent(self) -> str:
        return self.token_id

    def __repr__(self) -> str:
        return f"Cubby({self.id!r})"
