"""transit: cryptography with keys that have names. Vault documentation, "Transit secrets engine"."""

from __future__ import annotations

from keystead.doors.vault.transit import (
    backup,
    certificates,
    cipher,
    config,
    datakey,
    derivation,
    export,
    imports,
    keys,
    mac,
    settings,
    signature,
    tools,
)

OPERATIONS = (
    *keys.OPERATIONS,
    *config.OPERATIONS,
    *cipher.OPERATIONS,
    *datakey.OPERATIONS,
    *signature.OPERATIONS,
    *mac.OPERATIONS,
    *tools.OPERATIONS,
    *export.OPERATIONS,
    *backup.OPERATIONS,
    *imports.OPERATIONS,
    *certificates.OPERATIONS,
    *derivation.OPERATIONS,
    *settings.OPERATIONS,
)
