"""What a development server has from its first start on, for `keystead env vault` and whoever follows a tutorial."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec
from msgspec.structs import replace

from keystead.app.installation import saved_credentials
from keystead.app.layout import Layout, write_durably
from keystead.app.library import Keystead
from keystead.core.errors import AlreadyExists
from keystead.core.operations import EnableMount, IssueToken, TenantRef
from keystead.doors.control.codec import shown_token
from keystead.service.rights import ROOT_POLICY

SECRETS, VERSION, WORDS = "secret", {"version": "2"}, "key/value secret storage"
"""Where `bao server -dev` and `vault server -dev` have a kv engine, of which version, and how they describe it."""


def save_token(directory: Path) -> None:
    """Development only, where it has not been done: a token that may do everything, beside the access key; and SECRETS.

    Raises Unavailable where a server runs already, and what opening the installation raises.
    """
    saved = saved_credentials(directory)
    if saved is None or saved.vault_token:
        return
    tenant = TenantRef(saved.tenant)
    with Keystead(directory, credential=saved.access_key_id) as administrator, contextlib.suppress(AlreadyExists):
        administrator.perform(
            EnableMount(tenant=tenant, path=SECRETS, engine="kv", keeps=True, options=VERSION, description=WORDS)
        )
    with Keystead(directory) as keystead:
        made = keystead.perform(IssueToken(tenant=tenant, policies=(ROOT_POLICY,), display_name="root"))
    kept = replace(saved, vault_token=shown_token(made).token)
    write_durably(Layout(directory).credentials, msgspec.json.encode(kept))
