"""Where the files of an installation are, below its data directory."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from keystead.app.sockets import connect_unix
from keystead.config import Config
from keystead.core.places import Places, allowed


class Layout(Struct, frozen=True):
    directory: Path

    @property
    def database(self) -> Path:
        return self.directory / "keystead.db"

    @property
    def seal(self) -> Path:
        return self.directory / "seal.json"

    @property
    def lost_seal(self) -> str:
        """What to do about a seal that is gone; "" where there is one, or nothing to open, or one is being made."""
        if self.seal.exists() or self.half_made.exists() or not self.database.exists():
            return ""
        return f"{self.seal} is lost: put the copy back that is kept elsewhere"

    @property
    def next_seal(self) -> Path:
        """The seal that the next root is under, while it changes (app.resealing)."""
        return self.directory / "seal.next"

    @property
    def half_made(self) -> Path:
        """The seal of an installation that is not complete: what else is here was made with it, and is of no use."""
        return self.directory / "seal.half"

    @property
    def audit(self) -> Path:
        return self.directory / "audit"

    @property
    def run(self) -> Path:
        """Volatile: sockets, the shared page, what the running server says of itself."""
        return self.directory / "run"

    @property
    def generation(self) -> Path:
        return self.run / "generation"

    @property
    def usage(self) -> Path:
        return self.run / "usage"

    @property
    def control(self) -> Path:
        return self.run / "control.sock"

    @property
    def running(self) -> Path:
        return self.run / "server.json"

    @property
    def pins(self) -> Path:
        """Which HSMs have refused their PIN to a process of the server (app.refusals)."""
        return self.run / "pins"

    @property
    def entropy(self) -> Path:
        """What processes of the server say of their sources of entropy, where something is wrong (app.entropy)."""
        return self.run / "entropy"

    @property
    def hsm_notes(self) -> Path:
        """Objects in HSMs that are not any key's yet (service.hsms); in no backup."""
        return self.directory / "hsm-notes"

    @property
    def hsm_guesses(self) -> Path:
        """When passwords of HSMs' users were wrong (providers.guesses)."""
        return self.directory / "hsm-guesses"

    @property
    def clock(self) -> Path:
        """The newest time of day that was believed (service.trusted_time)."""
        return self.directory / "clock"

    @property
    def credentials(self) -> Path:
        """Development only: the administrator's access key and a token, for `keystead env`."""
        return self.directory / "credentials.json"

    def tree_copy(self, settings: Config) -> Path | None:
        return self.directory / settings.tree_copy if settings.tree_copy else None

    def devices(self, settings: Config) -> Places:
        """Where audit devices may write (sys/audit); relative names of files are below the first directory."""
        directories = (str(self.audit / "devices"), *settings.audit_devices)
        return Places(directories, tuple(map(allowed, settings.audit_sockets)))

    def slots(self, settings: Config) -> tuple[Path, Path] | None:
        """The two directories of the erasable secret, if it has any; an absolute name stands for itself."""
        if not settings.slot_directories:
            return None
        first, second = settings.slot_directories
        return self.directory / first, self.directory / second


class Running(Struct, frozen=True, kw_only=True):
    """What a running server tells its own machine (DIR/run/server.json)."""

    pid: int
    listen: dict[str, str]  # door -> host:port really bound
    tls: bool = False
    workers: int = 1


class SavedCredentials(Struct, frozen=True, kw_only=True):
    """Of a development installation. `vault_token` may do everything there; "": its server has none yet."""

    access_key_id: str
    secret_access_key: str
    tenant: str
    vault_token: str = ""

    def __repr__(self) -> str:
        return f"SavedCredentials({self.access_key_id!r})"


def read_running(layout: Layout) -> Running | None:
    """What the running server says of itself; None without one (its control socket is the proof of life).

    Raises PermissionError where this user may not know.
    """
    try:
        connect_unix(layout.control).close()
        return msgspec.json.decode(layout.running.read_bytes(), type=Running)
    except PermissionError:
        raise
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def read_saved(layout: Layout) -> SavedCredentials | None:
    try:
        return msgspec.json.decode(layout.credentials.read_bytes(), type=SavedCredentials)
    except FileNotFoundError:
        return None


def write_durably(path: Path, content: bytes) -> None:
    """A file of mode 0600 with just that, or the one that was there. Raises OSError."""
    new = path.with_suffix(".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(fd)
    new.rename(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    above = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(above)
    finally:
        os.close(above)
