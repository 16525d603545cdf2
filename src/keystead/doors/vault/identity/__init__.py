"""identity: whom tokens belong to. Vault documentation, "Identity secrets engine"."""

from __future__ import annotations

from keystead.doors.vault.identity import aliases, entities, groups, oidc

OPERATIONS = (*entities.OPERATIONS, *aliases.OPERATIONS, *groups.OPERATIONS, *oidc.OPERATIONS)
