"""AWS IAM, API version 2010-05-08: the users, roles and groups of an account, their access keys and policies, and the
issuers whose tokens it takes."""

from __future__ import annotations

from typing import Any

from keystead.doors.aws_kms.iam import (
    accesskeys,
    attached,
    boundaries,
    groups,
    managed,
    oidc,
    policies,
    roles,
    tags,
    users,
)
from keystead.kit import WireOperation

OPERATIONS: tuple[WireOperation[Any, Any], ...] = (
    *users.OPERATIONS,
    *accesskeys.OPERATIONS,
    *roles.OPERATIONS,
    *groups.OPERATIONS,
    *managed.OPERATIONS,
    *attached.OPERATIONS,
    *boundaries.OPERATIONS,
    *tags.OPERATIONS,
    *policies.OPERATIONS,
    *oidc.OPERATIONS,
)
