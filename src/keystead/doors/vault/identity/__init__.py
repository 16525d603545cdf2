"""identity: whom tokens belong to. Vault documentation, "Identity secrets engine"."""

from __future__ import annotations

from keystead.doors.vault.identity import (
    aliases,
    enforcements,
    entities,
    groups,
    mfa,
    oidc,
    oidcclients,
    oidcflow,
    oidcissuers,
)

OPERATIONS = (
    *entities.OPERATIONS,
    *aliases.OPERATIONS,
    *groups.OPERATIONS,
    *oidc.OPERATIONS,
    *mfa.OPERATIONS,
    *enforcements.OPERATIONS,
    *oidcclients.OPERATIONS,
    *oidcissuers.OPERATIONS,
    *oidcflow.OPERATIONS,
)
