"""auth/approle: roles that log in with a role id and a secret id. Vault HTTP API, "AppRole auth method"."""

from __future__ import annotations

from keystead.doors.vault.approle import login, roles, secretids

OPERATIONS = (*roles.OPERATIONS, *secretids.OPERATIONS, login.login)
