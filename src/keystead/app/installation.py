"""A new installation: data directory, seal, slot, database, and the first objects in it. All of it or nothing usable.

What is made is of no use until its seal stands at its place (`complete`): until then it is seal.half, durable before
anything else is made, and the next `build` takes away what is there with it. So a directory is never anything between.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from keystead import config
from keystead.app.clock import SystemClock
from keystead.app.hardware import surroundings
from keystead.app.hsms import Tokens
from keystead.app.layout import Layout, SavedCredentials, read_saved, sync_directory, write_durably
from keystead.app.slots import SlotsOf
from keystead.config import Config
from keystead.core.errors import AlreadyExists, Conflict, Internal, InvalidArgument, NotFound
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.seals import Seals, encode, load
from keystead.seals.base import Created
from keystead.seals.kept import SUBKEY
from keystead.service.barrier import Barrier
from keystead.service.bootstrap import First, bootstrap, check_names, first_token
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


class MadeWith(NamedTuple):
    tokens: Tokens
    entropy: Entropy


def exists(directory: Path) -> bool:
    return Layout(directory).seal.exists()


def prepare(directory: Path) -> None:
    """An empty data directory, mode 0700.

    Raises AlreadyExists where there is an installation, InvalidArgument where the directory is another user's, or
    cannot be made.
    """
    if exists(directory):
        raise AlreadyExists(f"{directory} holds an installation already", "DIR")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_own(directory, directory.stat())
        directory.chmod(0o700)
    except OSError as error:
        raise InvalidArgument(f"{directory} cannot be made: {error.strerror}", "DIR") from error


def initialise(
    directory: Path,
    settings: Config,
    created: Created[Any],
    *,
    made_with: MadeWith | None = None,
    tenant: str | None = None,
    regions: tuple[str, ...] = REGIONS,
    administrator: str = ADMINISTRATOR,
) -> First:
    """Make the installation in a prepared directory. `tenant`: twelve digits, at random where None.

    `made_with`: its HSMs, where they are open already, and what it is drawn from.

    Raises Unavailable where another process is at it, and what the parts raise.
    """
    tenant = tenant or f"{secrets.randbelow(9 * 10**11) + 10**11}"
    check_names(tenant, regions, administrator)
    lock = DirectoryLock(directory)
    try:
        first, _ = build(
            directory,
            settings,
            created,
            made_with=made_with,
            tenant=tenant,
            regions=regions,
            administrator=administrator,
        )
        complete(directory)
    finally:
        lock.close()
    return first


def build(
    directory: Path,
    settings: Config,
    created: Created[Any],
    *,
    made_with: MadeWith | None = None,
    tenant: str | None = None,
    regions: tuple[str, ...] = REGIONS,
    administrator: str = ADMINISTRATOR,
    by_token: bool = False,
) -> tuple[First, Sensitive | None]:
    """All of it but the seal at its place; the caller holds the directory's lock.

    `by_token`: it begins with the text of a token of Vault's clients that may do everything, instead of an access key.
    Raises AlreadyExists where there is an installation, Conflict where there is a part of one that is not half-made,
    InvalidArgument for fewer slots than `slots_at_least`.
    """
    tenant = tenant or f"{secrets.randbelow(9 * 10**11) + 10**11}"
    layout, now = Layout(directory), SystemClock().now()
    tokens, entropy = made_with or MadeWith(Tokens(settings.hsms), os.urandom)
    slots = SlotsOf(layout, settings, tokens, entropy)
    slots.require_new()
    layout.run.mkdir(mode=0o700, exist_ok=True)
    clear(layout, settings)
    seals = (created.configuration, *created.beside)
    write_durably(layout.half_made, encode(seals))
    if not by_token or not (directory / config.FILE_NAME).exists():  # else it is the operator's own
        config.write(directory, settings)
    store = SqliteStore(layout.database)
    try:
        slots.make()
        barrier = Barrier(store, slots.all, entropy, clock=SystemClock())
        barrier.initialise(created.unseal_key)
        write_durably(layout.half_made, encode(seals, barrier.subkey(SUBKEY)))
        first = bootstrap(
            barrier,
            tenant=tenant,
            regions=regions,
            administrator=administrator,
            uid=os.geteuid(),
            now=now,
            entropy=entropy,
            with_access_key=not by_token,
        )
        token = first_token(barrier, tenant, now, entropy).text if by_token else None
    finally:
        store.close()
    return first, token


def complete(directory: Path) -> None:
    """From here on there is an installation. In one rename; durable on return."""
    layout = Layout(directory)
    layout.half_made.rename(layout.seal)
    sync_directory(directory)


def clear(layout: Layout, settings: Config) -> None:
    """Take away what an `init` has left that did not end. Raises AlreadyExists, Conflict."""
    if layout.seal.exists():
        raise AlreadyExists(f"{layout.directory} holds an installation already", "DIR")
    places = layout.slots(settings) or ()
    slots = [one for place in places if place.is_dir() for one in place.glob("generation-*")]
    if not layout.half_made.exists():
        if layout.database.exists() or slots:
            raise Conflict(f"{layout.directory} holds a part of an installation, which another one may need")
        return
    for suffix in ("", "-wal", "-shm"):
        layout.database.with_name(layout.database.name + suffix).unlink(missing_ok=True)
    for one in slots:
        one.unlink()


def save_credentials(directory: Path, first: First) -> None:
    """Development only: leave the administrator's access key where `keystead env` finds it."""
    if first.access_key is None:
        raise Internal("the administrator has no access key")
    saved = SavedCredentials(
        access_key_id=first.access_key.credential.id,
        secret_access_key=first.access_key.credential.secret.decode(),
        tenant=first.tenant.id,
    )
    write_durably(Layout(directory).credentials, msgspec.json.encode(saved))


def saved_credentials(directory: Path) -> SavedCredentials | None:
    return read_saved(Layout(directory))


def read_seal(directory: Path, settings: Config | None = None, tokens: Tokens | None = None) -> Seals:
    """What opens it. `settings`, `tokens`: of its configuration, where that has been read, and its HSMs.

    Raises NotFound where there is none.
    """
    try:
        text = Layout(directory).seal.read_bytes()
        return load(text, surroundings(directory, settings or config.read(directory), tokens))
    except FileNotFoundError:
        words = f"{directory} holds no installation; `keystead init {directory}` makes one"
        raise NotFound(Layout(directory).lost_seal or words, "DIR") from None
