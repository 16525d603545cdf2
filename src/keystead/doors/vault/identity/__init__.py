"""identity: whom tokens belong to. Vault documentation, "Identity secrets engine"."""

from __future__ import annotations

from keystead.doors.vault.identity import aliases, enforcements, entities, groups, mfa, oidc

OPERATIONS = (
    *entities.OPERATIONS,
    *aliases.OPERATIONS,
    *groups.OPERATIONS,
    *oidc.OPERATIONS,
    *mfa.OPERATIONS,
    *enforcements.OPERATIONS,
)
