"""AWS KMS, API version 2014-11-01: JSON 1.1 over HTTP, signed with SigV4; STS beside it, in the Query protocol."""

from __future__ import annotations

from keystead.doors.aws_kms import (
    agreement,
    aliases,
    approvals,
    datakeys,
    deletion,
    encrypt,
    grants,
    iam,
    imports,
    keys,
    keystores,
    mac,
    policies,
    random,
    regions,
    rotation,
    sessions,
    sign,
    sts,
    tags,
    webidentity,
)
from keystead.doors.aws_kms.door import AwsFront
from keystead.doors.aws_kms.errors import ERRORS
from keystead.kit import Door

DOOR = Door(
    name="aws_kms",
    operations=(
        *encrypt.OPERATIONS,
        *datakeys.OPERATIONS,
        *sign.OPERATIONS,
        *mac.OPERATIONS,
        *agreement.OPERATIONS,
        *random.OPERATIONS,
        *keys.OPERATIONS,
        *policies.OPERATIONS,
        *aliases.OPERATIONS,
        *tags.OPERATIONS,
        *rotation.OPERATIONS,
        *deletion.OPERATIONS,
        *imports.OPERATIONS,
        *regions.OPERATIONS,
        *grants.OPERATIONS,
        *keystores.OPERATIONS,
        *approvals.OPERATIONS,
        *sts.OPERATIONS,
        *sessions.OPERATIONS,
        *webidentity.OPERATIONS,
        *iam.OPERATIONS,
    ),
    errors=ERRORS,
    front=AwsFront,
)
