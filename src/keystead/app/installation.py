"""A new installation: data directory, seal, slot, database, and the first objects in it. All of it or nothing usable.

The database names the slot generation only once it is complete; a directory that was left half-made has no seal.json
and is refused by everything but a new `init`.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import msgspec

from keystead import config
from keystead.app.clock import SystemClock
from keystead.app.layout import Layout, SavedCredentials, read_saved, write_durably
from keystead.config import Config
from keystead.core.errors import AlreadyExists, NotFound
from keystead.core.ports import Seal
from keystead.seals import encode, load
from keystead.seals.base import Created
from keystead.service.barrier import Barrier
from keystead.service.bootstrap import First, bootstrap, check_names
from keystead.slots.file import FileSlot
from keystead.stores.connection import require_own
from keystead.stores.lock import DirectoryLock
from keystead.stores.sqlite import SqliteStore

# The regions of AWS's commercial partition that need no opting in, each its own keyring (botocore, endpoints.json).
REGIONS = (
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
)
ADMINISTRATOR = "admin"


def exists(directory: Path) -> bool:
    return Layout(directory).seal.exists()


def prepare(directory: Path) -> None:
    """An empty data directory, mode 0700.

    Raises AlreadyExists where there is an installation, InvalidArgument where the directory is another user's.
    """
    if exists(directory):
        raise AlreadyExists(f"{directory} holds an installation already", "DIR")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    require_own(directory, directory.stat())
    directory.chmod(0o700)


def initialise(
    directory: Path,
    settings: Config,
    created: Created[Any],
    *,
    tenant: str | None = None,
    regions: tuple[str, ...] = REGIONS,
    administrator: str = ADMINISTRATOR,
) -> First:
    """Make the installation in a prepared directory. `tenant`: twelve digits, at random where None.

    Raises Unavailable where another process is at it, and what the parts raise.
    """
    tenant = tenant or f"{secrets.randbelow(9 * 10**11) + 10**11}"
    check_names(tenant, regions, administrator)
    layout = Layout(directory)
    layout.run.mkdir(mode=0o700, exist_ok=True)
    lock = DirectoryLock(directory)
    try:
        config.write(directory, settings)
        store = SqliteStore(layout.database)
        try:
            slot = FileSlot.create(*layout.slots(settings), os.urandom)
            barrier = Barrier(store, slot, os.urandom)
            barrier.initialise(created.unseal_key)
            first = bootstrap(
                barrier,
                tenant=tenant,
                regions=regions,
                administrator=administrator,
                uid=os.geteuid(),
                now=SystemClock().now(),
                entropy=os.urandom,
            )
        finally:
            store.close()
        write_durably(layout.seal, encode(created.configuration))
    finally:
        lock.close()
    return first


def save_credentials(directory: Path, first: First) -> None:
    """Development only: leave the administrator's access key where `keystead env` finds it."""
    saved = SavedCredentials(
        access_key_id=first.access_key.credential.id,
        secret_access_key=first.access_key.credential.secret.decode(),
        tenant=first.tenant.id,
    )
    write_durably(Layout(directory).credentials, msgspec.json.encode(saved))


def saved_credentials(directory: Path) -> SavedCredentials | None:
    return read_saved(Layout(directory))


def read_seal(directory: Path) -> Seal:
    """Raises NotFound where there is no installation."""
    try:
        return load(Layout(directory).seal.read_bytes(), directory)
    except FileNotFoundError:
        raise NotFound(f"{directory} holds no installation; `keystead init {directory}` makes one", "DIR") from None
