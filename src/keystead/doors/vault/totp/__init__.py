"""totp: one-time passwords, made and checked. Vault documentation, "TOTP secrets engine"."""

from __future__ import annotations

from keystead.doors.vault.totp import codes, keys

OPERATIONS = (*keys.OPERATIONS, *codes.OPERATIONS)
