"""AWS IAM, API version 2010-05-08: the users and roles of an account, their access keys and inline policies."""

from __future__ import annotations

from typing import Any

from keystead.doors.aws_kms.iam import accesskeys, policies, roles, users
from keystead.kit import WireOperation

OPERATIONS: tuple[WireOperation[Any, Any], ...] = (
    *users.OPERATIONS,
    *accesskeys.OPERATIONS,
    *roles.OPERATIONS,
    *policies.OPERATIONS,
)
