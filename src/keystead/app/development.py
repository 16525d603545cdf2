"""What a development server leaves for `keystead env`."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec.structs import replace

from keystead.app.installation import saved_credentials
from keystead.app.layout import Layout, write_durably
from keystead.app.library import Keystead
from keystead.core.operations import IssueToken, TenantRef
from keystead.doors.control.codec import shown_token
from keystead.service.rights import ROOT_POLICY


def save_token(directory: Path) -> None:
    """Development only: a token that may do everything, beside the access key, where there is none yet.

    Raises Unavailable where a server runs already, and what opening the installation raises.
    """
    saved = saved_credentials(directory)
    if saved is None or saved.vault_token:
        return
    with Keystead(directory) as keystead:
        made = keystead.perform(
            IssueToken(tenant=TenantRef(saved.tenant), policies=(ROOT_POLICY,), display_name="root")
        )
    kept = replace(saved, vault_token=shown_token(made).token)
    write_durably(Layout(directory).credentials, msgspec.json.encode(kept))
