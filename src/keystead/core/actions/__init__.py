"""The action table: everything that can be authorized, and what each policy dialect calls it.

A dialect is a column; issue by issue columns grow (gcp, azure, vault), never branches. None: the dialect
has no word, so none of its policies can allow it. tests/core/test_actions.py holds `aws` to AWS's service model.
"""

from __future__ import annotations

from keystead.core.actions.approvals import OF_APPROVALS
from keystead.core.actions.identities import OF_IDENTITIES
from keystead.core.actions.installation import OF_THE_INSTALLATION
from keystead.core.actions.keys import OF_KEYS
from keystead.core.actions.names import Action
from keystead.core.actions.paths import OF_PATHS
from keystead.core.actions.row import ActionRow, Scope

__all__ = ["ABOUT_IDENTITIES", "ACTIONS", "USES", "Action", "ActionRow", "Scope"]

ACTIONS: dict[Action, ActionRow] = {
    row.action: row for row in (*OF_KEYS, *OF_IDENTITIES, *OF_PATHS, *OF_APPROVALS, *OF_THE_INSTALLATION)
}

ABOUT_IDENTITIES = frozenset(row.action for row in ACTIONS.values() if (row.aws or "").startswith("iam:")) | {
    Action.MANAGE_PRINCIPALS,
    Action.LIST_PRINCIPALS,
}
"""What a user's own session may not do: a right that lasts is given for a credential that lasts (docs/adr/0010)."""

USES = frozenset(row.action for row in ACTIONS.values() if row.grantable) - {
    Action.READ_PUBLIC_KEY,
    Action.DESCRIBE_KEY,
    Action.CREATE_GRANT,
    Action.RETIRE_GRANT,
}
"""The cryptographic operations: what counts as use of a key (KMS API Reference, "KeyLastUsageData")."""
