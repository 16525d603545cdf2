"""AWS IAM, API version 2010-05-08: the users and roles of an account, their access keys and inline policies, and the
issuers whose tokens it takes."""

from __future__ import annotations

from keystead.doors.aws_kms.iam import accesskeys, oidc, policies, roles, users

OPERATIONS = (
    *users.OPERATIONS,
    *accesskeys.OPERATIONS,
    *roles.OPERATIONS,
    *policies.OPERATIONS,
    *oidc.OPERATIONS,
)
