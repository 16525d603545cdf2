"""What a development server has from its first start on, for `keystead env vault` and whoever follows a tutorial."""

from __future__ import annotations

import contextlib
import os
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec.structs import replace

from keystead.app.installation import build, clear, complete, prepare, save_credentials, saved_credentials
from keystead.app.layout import Layout, write_durably
from keystead.app.library import Keystead
from keystead.config import Config
from keystead.core.errors import AlreadyExists
from keystead.core.operations import EnableMount, IssueToken, TenantRef
from keystead.doors.control.codec import shown_token
from keystead.seals.file import KEY_FILE, FileSeal
from keystead.service.rights import ROOT_POLICY
from keystead.stores.lock import DirectoryLock

SECRETS, VERSION, WORDS = "secret", {"version": "2"}, "key/value secret storage"
"""Where `bao server -dev` and `vault server -dev` have a kv engine, of which version, and how they describe it."""


def begin(directory: Path, settings: Config) -> None:
    """Make it, with what opens it and an access key beside it, in place of what an earlier try has left half made.

    Raises AlreadyExists, Conflict, Unavailable where another process is at it, and what the parts raise.
    """
    layout = Layout(directory)
    prepare(directory)
    with closing(DirectoryLock(directory)):
        clear(layout, settings)
        if not layout.audit.exists():  # it has never been served, so this has opened nothing
            (directory / KEY_FILE).unlink(missing_ok=True)
        first, _ = build(directory, settings, FileSeal.create(directory, os.urandom))
        save_credentials(directory, first)
        complete(directory)


def begin_vault(directory: Path) -> None:
    """What Vault's clients find at the first start: SECRETS, and a token. What is taken away later is not made again.

    Raises Unavailable where a server runs already, and what opening the installation raises.
    """
    saved = saved_credentials(directory)
    if saved is None or saved.vault_token:
        return
    engine = EnableMount(
        tenant=TenantRef(saved.tenant), path=SECRETS, engine="kv", keeps=True, options=VERSION, description=WORDS
    )
    with Keystead(directory, credential=saved.access_key_id) as administrator, contextlib.suppress(AlreadyExists):
        administrator.perform(engine)
    save_token(directory)


def save_token(directory: Path) -> None:
    """A token that may do everything, beside the access key, where there is none yet. Raises as `begin_vault`."""
    saved = saved_credentials(directory)
    if saved is None or saved.vault_token:
        return
    with Keystead(directory) as keystead:
        made = keystead.perform(
            IssueToken(tenant=TenantRef(saved.tenant), policies=(ROOT_POLICY,), display_name="root")
        )
    kept = replace(saved, vault_token=shown_token(made).token)
    write_durably(Layout(directory).credentials, msgspec.json.encode(kept))
