# ruff: noqa: E501 - a table
"""Every condition key through the AWS door: what a request makes it come to, under Allow and under Deny.

KMS Developer Guide, "AWS KMS condition keys" (each row stands under the heading of its key), "AWS global condition
keys", "Using policy conditions with AWS KMS"; IAM User Guide, "AWS global condition context keys".
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct
from tests.doors.aws_kms.asking import CIPHER, CURVE, WIRE, A, Kind, Wire, World
from tests.policies import ABROAD, ALICE, APP, BOB, HERE, allow, deny, document

from keystead.core.algorithms import Purpose
from keystead.core.policy.facts import FACTS

HERE_V6, V4_MAPPED = "2001:db8:77::7", "::ffff:203.0.113.7"
RSA = Kind("RSA_2048", Purpose.CIPHER)
BY_ALIAS, BY_ALIAS_ARN, BY_ID = "alias/billing", f"arn:aws:kms:us-east-1:{HERE}:alias/billing", "id"
IMPORTED = Kind("SYMMETRIC_DEFAULT", origin="EXTERNAL")
PARAMETERS = Wire(
    "GetParametersForImport", {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}, IMPORTED
)
IMPORT = Wire(
    "ImportKeyMaterial",
    {
        "ImportToken": "eA==",
        "EncryptedKeyMaterial": "eA==",
        "ExpirationModel": "KEY_MATERIAL_EXPIRES",
        "ValidTo": 1795950000,
    },
    IMPORTED,
    code="InvalidImportTokenException",
)
RSA_ENCRYPT = Wire("Encrypt", {"Plaintext": "eA==", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}, RSA)
RAW = Wire("Sign", {"Message": "eA==", "SigningAlgorithm": "ECDSA_SHA_256"}, CURVE)
BOUND = {"Constraints": {"EncryptionContextEquals": {"app": "hr"}}}
LOOSE = {"Constraints": {"EncryptionContextSubset": {"app": "hr"}}}
NONE: dict[str, Any] = {"EncryptionContext": None}  # members that are None are left out
NO_RETIREE = {"RetiringPrincipal": None}


class Asked(Struct, frozen=True):
    """Circumstances of a request that are no member of it."""

    who: str = "alice"
    peer: str = "203.0.113.7"
    secure: bool = False


V6, MAPPED, TLS = Asked(peer=HERE_V6), Asked(peer=V4_MAPPED), Asked(secure=True)
ROOT, ROLE, EVE = Asked("root"), Asked("app"), Asked("eve")
IS, IN, ALL, LIKE = "StringEquals", "ForAnyValue:StringEquals", "ForAllValues:StringEquals", "StringLike"

# condition key, operator, values, what is asked for, its members, circumstances, whether the condition holds
# fmt: off
ROWS = [
    ("kms:EncryptionContext:app", IS, "billing", A.ENCRYPT, {}, None, True),
    ("kms:EncryptionContext:app", IS, "Billing", A.ENCRYPT, {}, None, False),  # the value is case-sensitive
    ("kms:EncryptionContext:APP", IS, "billing", A.ENCRYPT, {}, None, True),  # the key is not
    ("kms:EncryptionContext:app", IS, ["hr", "billing"], A.ENCRYPT, {}, None, True),
    ("kms:EncryptionContext:app", LIKE, "bill*", A.ENCRYPT, {}, None, True),
    ("kms:EncryptionContext:app", LIKE, "Bill*", A.ENCRYPT, {}, None, False),
    ("kms:EncryptionContext:app", IS, "billing", A.ENCRYPT, NONE, None, False),
    ("kms:EncryptionContext:app", "StringEqualsIfExists", "billing", A.ENCRYPT, NONE, None, True),
    ("kms:EncryptionContext:app", "StringNotEquals", "billing", A.ENCRYPT, NONE, None, True),
    ("kms:EncryptionContext:app", "Null", "true", A.ENCRYPT, NONE, None, True),
    ("kms:EncryptionContext:app", "Null", "false", A.ENCRYPT, {}, None, True),
    ("kms:EncryptionContext:app", IS, "billing", A.DECRYPT, {}, None, True),
    ("kms:EncryptionContext:app", IS, "billing", A.GENERATE_DATA_KEY, {}, None, True),
    ("kms:EncryptionContext:app", IS, "billing", A.GENERATE_DATA_KEY_BLIND, {}, None, True),
    ("kms:EncryptionContext:app", IS, "billing", A.GENERATE_DATA_KEY_PAIR, {}, None, True),
    ("kms:EncryptionContext:app", IS, "billing", A.SIGN, {}, None, False),
    ("kms:EncryptionContext:app", IS, "billing", A.DESCRIBE_KEY, {}, None, False),
    ("kms:EncryptionContext:app", IS, "hr", A.CREATE_GRANT, BOUND, None, True),
    ("kms:EncryptionContext:app", IS, "hr", A.CREATE_GRANT, LOOSE, None, True),
    ("kms:EncryptionContext:app", IS, "hr", A.CREATE_GRANT, {}, None, False),
    ("kms:EncryptionContextKeys", IN, ["app"], A.ENCRYPT, {}, None, True),
    ("kms:EncryptionContextKeys", IN, ["App"], A.ENCRYPT, {}, None, False),
    ("kms:EncryptionContextKeys", IN, ["team"], A.ENCRYPT, {}, None, False),
    ("kms:EncryptionContextKeys", ALL, ["app", "Tier"], A.ENCRYPT, {}, None, True),
    ("kms:EncryptionContextKeys", ALL, ["app"], A.ENCRYPT, {}, None, False),
    ("kms:EncryptionContextKeys", ALL, ["app"], A.ENCRYPT, NONE, None, True),
    ("kms:EncryptionContextKeys", "Null", "false", A.ENCRYPT, {}, None, True),
    ("kms:EncryptionContextKeys", "Null", "false", A.ENCRYPT, NONE, None, False),
    ("kms:EncryptionContextKeys", IN, ["app"], A.CREATE_GRANT, BOUND, None, True),
    ("kms:CallerAccount", IS, HERE, A.ENCRYPT, {}, None, True),
    ("kms:CallerAccount", IS, ABROAD, A.ENCRYPT, {}, None, False),
    ("kms:CallerAccount", IS, [HERE, ABROAD], A.ENCRYPT, {}, None, True),
    ("kms:CallerAccount", IS, ABROAD, A.ENCRYPT, {}, EVE, True),
    ("kms:CallerAccount", IS, HERE, A.ENCRYPT, {}, EVE, False),
    ("kms:CallerAccount", "StringNotEquals", HERE, A.ENCRYPT, {}, EVE, True),
    ("kms:ViaService", IS, "s3.us-east-1.amazonaws.com", A.ENCRYPT, {}, None, False),
    ("kms:ViaService", LIKE, "*", A.ENCRYPT, {}, None, False),
    ("kms:ViaService", LIKE, ["ec2.*.amazonaws.com", "rds.*.amazonaws.com"], A.CREATE_GRANT, {}, None, False),
    ("kms:ViaService", "StringNotEquals", "s3.us-east-1.amazonaws.com", A.ENCRYPT, {}, None, True),
    ("kms:ViaService", "StringEqualsIfExists", "s3.us-east-1.amazonaws.com", A.ENCRYPT, {}, None, True),
    ("kms:ViaService", "Null", True, A.ENCRYPT, {}, None, True),
    ("kms:GrantIsForAWSResource", "Bool", True, A.CREATE_GRANT, {}, None, False),
    ("kms:GrantIsForAWSResource", "Bool", False, A.CREATE_GRANT, {}, None, True),
    ("kms:GrantIsForAWSResource", "Bool", "true", A.LIST_GRANTS, {}, None, False),
    ("kms:GrantIsForAWSResource", "Bool", "false", A.ENCRYPT, {}, None, False),
    ("kms:GrantIsForAWSResource", "BoolIfExists", "true", A.ENCRYPT, {}, None, True),
    ("kms:GrantOperations", ALL, ["Encrypt", "Decrypt"], A.CREATE_GRANT, {}, None, True),
    ("kms:GrantOperations", ALL, ["Encrypt", "Decrypt", "Sign"], A.CREATE_GRANT, {}, None, True),
    ("kms:GrantOperations", ALL, ["Encrypt"], A.CREATE_GRANT, {}, None, False),
    ("kms:GrantOperations", ALL, ["encrypt", "decrypt"], A.CREATE_GRANT, {}, None, False),
    ("kms:GrantOperations", IN, ["Decrypt", "Sign"], A.CREATE_GRANT, {}, None, True),
    ("kms:GrantOperations", IN, ["Sign"], A.CREATE_GRANT, {}, None, False),
    ("kms:GrantOperations", ALL, ["Encrypt"], A.ENCRYPT, {}, None, True),  # ForAllValues of nothing
    ("kms:GranteePrincipal", IS, BOB, A.CREATE_GRANT, {}, None, True),
    ("kms:GranteePrincipal", IS, ALICE, A.CREATE_GRANT, {}, None, False),
    ("kms:GranteePrincipal", "ArnLike", f"arn:aws:iam::{HERE}:user/*", A.CREATE_GRANT, {}, None, True),
    ("kms:GranteePrincipal", "ArnLike", f"arn:aws:iam::{ABROAD}:user/*", A.CREATE_GRANT, {}, None, False),
    ("kms:RetiringPrincipal", IS, APP, A.CREATE_GRANT, {}, None, True),
    ("kms:RetiringPrincipal", IS, BOB, A.CREATE_GRANT, {}, None, False),
    ("kms:RetiringPrincipal", IS, APP, A.CREATE_GRANT, NO_RETIREE, None, False),
    ("kms:RetiringPrincipal", "Null", "true", A.CREATE_GRANT, NO_RETIREE, None, True),
    ("kms:GrantConstraintType", IS, "EncryptionContextEquals", A.CREATE_GRANT, BOUND, None, True),
    ("kms:GrantConstraintType", IS, "EncryptionContextSubset", A.CREATE_GRANT, LOOSE, None, True),
    ("kms:GrantConstraintType", IS, "EncryptionContextEquals", A.CREATE_GRANT, LOOSE, None, False),
    ("kms:GrantConstraintType", IS, "EncryptionContextEquals", A.CREATE_GRANT, {}, None, False),
    ("kms:CustomerMasterKeySpec", IS, "SYMMETRIC_DEFAULT", A.ENCRYPT, {}, None, True),
    ("kms:CustomerMasterKeyUsage", IS, "SIGN_VERIFY", A.SIGN, {}, None, True),
    ("kms:ReEncryptOnSameKey", "Null", "true", A.ENCRYPT, {}, None, True),  # where it has a value: test_encrypt.py
    ("kms:KeySpec", IS, "SYMMETRIC_DEFAULT", A.ENCRYPT, {}, None, True),
    ("kms:KeySpec", IS, "RSA_2048", A.ENCRYPT, {}, None, False),
    ("kms:KeySpec", IS, "ECC_NIST_P256", A.SIGN, {}, None, True),
    ("kms:KeySpec", LIKE, "HMAC_*", A.GENERATE_MAC, {}, None, True),
    ("kms:KeySpec", LIKE, "ECC_*", A.DESCRIBE_KEY, {}, None, False),
    ("kms:KeySpec", IS, "RSA_2048", A.CREATE_KEY, {}, None, True),
    ("kms:KeySpec", LIKE, "RSA_*", A.CREATE_KEY, {}, None, True),
    ("kms:KeySpec", IS, "SYMMETRIC_DEFAULT", A.CREATE_KEY, {"KeySpec": None, "KeyUsage": None}, None, True),  # the default
    ("kms:KeyUsage", IS, "ENCRYPT_DECRYPT", A.ENCRYPT, {}, None, True),
    ("kms:KeyUsage", IS, "SIGN_VERIFY", A.ENCRYPT, {}, None, False),
    ("kms:KeyUsage", IS, "SIGN_VERIFY", A.SIGN, {}, None, True),
    ("kms:KeyUsage", IS, "GENERATE_VERIFY_MAC", A.GENERATE_MAC, {}, None, True),
    ("kms:KeyUsage", IS, "KEY_AGREEMENT", A.DERIVE_SHARED_SECRET, {}, None, True),
    ("kms:KeyUsage", IS, "SIGN_VERIFY", A.CREATE_KEY, {}, None, True),
    ("kms:KeyUsage", IS, "ENCRYPT_DECRYPT", A.CREATE_KEY, {"KeySpec": None, "KeyUsage": None}, None, True),
    ("kms:KeyOrigin", IS, "AWS_KMS", A.ENCRYPT, {}, None, True),
    ("kms:KeyOrigin", IS, "EXTERNAL", A.ENCRYPT, {}, None, False),
    ("kms:KeyOrigin", IS, "EXTERNAL", PARAMETERS, {}, None, True),
    ("kms:KeyOrigin", IS, "AWS_KMS", A.CREATE_KEY, {}, None, True),
    ("kms:KeyOrigin", IS, "EXTERNAL", A.CREATE_KEY, {"KeySpec": None, "KeyUsage": None, "Origin": "EXTERNAL"}, None, True),
    ("kms:MultiRegion", "Bool", "false", A.ENCRYPT, {}, None, True),
    ("kms:MultiRegion", "Bool", "true", A.ENCRYPT, {}, None, False),
    ("kms:MultiRegion", "Bool", "false", A.CREATE_KEY, {}, None, True),
    ("kms:MultiRegionKeyType", IS, ["PRIMARY", "REPLICA"], A.ENCRYPT, {}, None, False),  # of a key of one Region: none
    ("kms:PrimaryRegion", LIKE, "*", A.ENCRYPT, {}, None, False),
    ("kms:ReplicaRegion", LIKE, "*", A.ENCRYPT, {}, None, False),
    ("kms:RequestAlias", IS, "alias/billing", A.ENCRYPT, {"KeyId": BY_ALIAS}, None, True),
    ("kms:RequestAlias", IS, "alias/billing", A.ENCRYPT, {"KeyId": BY_ALIAS_ARN}, None, True),
    ("kms:RequestAlias", IS, "alias/billing", A.ENCRYPT, {}, None, False),
    ("kms:RequestAlias", IS, "alias/billing", A.ENCRYPT, {"KeyId": BY_ID}, None, False),
    ("kms:RequestAlias", IS, "alias/Billing", A.ENCRYPT, {"KeyId": BY_ALIAS}, None, False),
    ("kms:RequestAlias", LIKE, "alias/bill*", A.DESCRIBE_KEY, {"KeyId": BY_ALIAS}, None, True),
    ("kms:RequestAlias", "Null", "true", A.ENCRYPT, {}, None, True),
    ("kms:ResourceAliases", IN, "alias/billing", A.ENCRYPT, {}, None, True),
    ("kms:ResourceAliases", IN, "alias/billing", A.ENCRYPT, {"KeyId": BY_ALIAS}, None, True),
    ("kms:ResourceAliases", IN, "alias/other", A.ENCRYPT, {}, None, False),
    ("kms:ResourceAliases", "ForAnyValue:StringLike", "alias/b*", A.DESCRIBE_KEY, {}, None, True),
    ("kms:ResourceAliases", ALL, ["alias/billing"], A.ENCRYPT, {}, None, True),
    ("kms:EncryptionAlgorithm", IS, "SYMMETRIC_DEFAULT", A.ENCRYPT, {}, None, True),  # not in the request
    ("kms:EncryptionAlgorithm", IS, "SYMMETRIC_DEFAULT", A.GENERATE_DATA_KEY, {}, None, True),
    ("kms:EncryptionAlgorithm", IS, "SYMMETRIC_DEFAULT", A.DECRYPT, {}, None, True),
    ("kms:EncryptionAlgorithm", IS, "RSAES_OAEP_SHA_256", RSA_ENCRYPT, {}, None, True),
    ("kms:EncryptionAlgorithm", IS, "RSAES_OAEP_SHA_1", RSA_ENCRYPT, {}, None, False),
    ("kms:EncryptionAlgorithm", IS, "SYMMETRIC_DEFAULT", A.SIGN, {}, None, False),
    ("kms:SigningAlgorithm", IS, "ECDSA_SHA_256", A.SIGN, {}, None, True),
    ("kms:SigningAlgorithm", IS, "ECDSA_SHA_384", A.SIGN, {}, None, False),
    ("kms:SigningAlgorithm", LIKE, "ECDSA_*", A.VERIFY, {}, None, True),
    ("kms:MacAlgorithm", IS, "HMAC_SHA_256", A.GENERATE_MAC, {}, None, True),
    ("kms:MacAlgorithm", IS, "HMAC_SHA_512", A.GENERATE_MAC, {}, None, False),
    ("kms:KeyAgreementAlgorithm", IS, "ECDH", A.DERIVE_SHARED_SECRET, {}, None, True),
    ("kms:KeyAgreementAlgorithm", IS, "ECDH", A.ENCRYPT, {}, None, False),
    ("kms:MessageType", IS, "DIGEST", A.SIGN, {}, None, True),
    ("kms:MessageType", IS, "RAW", A.SIGN, {}, None, False),
    ("kms:MessageType", IS, "RAW", RAW, {}, None, True),  # not in the request
    ("kms:DataKeyPairSpec", IS, "ECC_NIST_P256", A.GENERATE_DATA_KEY_PAIR, {}, None, True),
    ("kms:DataKeyPairSpec", LIKE, "RSA_*", A.GENERATE_DATA_KEY_PAIR, {}, None, False),
    ("kms:ScheduleKeyDeletionPendingWindowInDays", "NumericEquals", "7", A.SCHEDULE_DESTRUCTION, {}, None, True),
    ("kms:ScheduleKeyDeletionPendingWindowInDays", "NumericGreaterThanEquals", 21, A.SCHEDULE_DESTRUCTION, {}, None, False),
    ("kms:ScheduleKeyDeletionPendingWindowInDays", "NumericLessThan", "21", A.SCHEDULE_DESTRUCTION, {"PendingWindowInDays": 20}, None, True),
    ("kms:ScheduleKeyDeletionPendingWindowInDays", "NumericEquals", "30", A.SCHEDULE_DESTRUCTION, {"PendingWindowInDays": None}, None, True),
    ("kms:TrailingDaysWithoutKeyUsage", "NumericLessThanEquals", "365", A.SCHEDULE_DESTRUCTION, {}, None, True),
    ("kms:TrailingDaysWithoutKeyUsage", "NumericEquals", "0", A.DISABLE_KEY, {}, None, True),
    ("kms:TrailingDaysWithoutKeyUsage", "NumericGreaterThan", "30", A.DISABLE_KEY, {}, None, False),
    ("kms:TrailingDaysWithoutKeyUsage", "Null", "true", A.ENCRYPT, {}, None, True),
    ("kms:TrailingDaysWithoutKeyUsage", "Null", "true", A.ENABLE_KEY, {}, None, True),
    ("kms:RotationPeriodInDays", "NumericLessThanEquals", "180", A.ENABLE_ROTATION, {}, None, True),
    ("kms:RotationPeriodInDays", "NumericGreaterThan", "180", A.ENABLE_ROTATION, {}, None, False),
    ("kms:RotationPeriodInDays", "NumericEquals", "365", A.ENABLE_ROTATION, {"RotationPeriodInDays": None}, None, True),
    ("kms:BypassPolicyLockoutSafetyCheck", "Bool", "true", A.PUT_POLICY, {}, None, True),
    ("kms:BypassPolicyLockoutSafetyCheck", "Bool", "false", A.PUT_POLICY, {}, None, False),
    ("kms:BypassPolicyLockoutSafetyCheck", "Bool", "false", A.CREATE_KEY, {}, None, True),
    ("kms:PolicyName", IS, "default", A.READ_POLICY, {}, None, True),
    ("kms:PolicyName", IS, "other", A.READ_POLICY, {}, None, False),
    ("kms:PolicyName", IS, "default", A.PUT_POLICY, {}, None, True),
    ("kms:WrappingAlgorithm", IS, "RSAES_OAEP_SHA_256", PARAMETERS, {}, None, True),
    ("kms:WrappingAlgorithm", IS, "RSAES_OAEP_SHA_1", PARAMETERS, {}, None, False),
    ("kms:WrappingKeySpec", IS, "RSA_2048", PARAMETERS, {}, None, True),
    ("kms:WrappingKeySpec", IS, "RSA_4096", PARAMETERS, {}, None, False),
    ("kms:ExpirationModel", IS, "KEY_MATERIAL_EXPIRES", IMPORT, {}, None, True),
    ("kms:ExpirationModel", IS, "KEY_MATERIAL_DOES_NOT_EXPIRE", IMPORT, {}, None, False),
    ("kms:ExpirationModel", IS, "KEY_MATERIAL_DOES_NOT_EXPIRE", IMPORT, {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "ValidTo": None}, None, True),
    ("kms:ExpirationModel", IS, "KEY_MATERIAL_EXPIRES", IMPORT, {"ExpirationModel": None}, None, True),  # not in the request
    ("kms:ValidTo", "DateLessThanEquals", "2026-12-01T00:00:00Z", IMPORT, {}, None, True),
    ("kms:ValidTo", "NumericLessThan", "1795949999", IMPORT, {}, None, False),
    ("kms:ValidTo", "DateGreaterThan", "1795949999", IMPORT, {}, None, True),
    ("aws:SourceIp", "IpAddress", "203.0.113.0/24", A.ENCRYPT, {}, None, True),
    ("aws:SourceIp", "IpAddress", "203.0.113.7", A.ENCRYPT, {}, None, True),
    ("aws:SourceIp", "IpAddress", ["10.0.0.0/8", "198.51.100.0/24"], A.ENCRYPT, {}, None, False),
    ("aws:SourceIp", "IpAddress", ["10.0.0.0/8", "203.0.113.0/29"], A.ENCRYPT, {}, None, True),
    ("aws:SourceIp", "NotIpAddress", "203.0.113.0/24", A.ENCRYPT, {}, None, False),
    ("aws:SourceIp", "NotIpAddress", "10.0.0.0/8", A.ENCRYPT, {}, None, True),
    ("aws:SourceIp", "IpAddress", "2001:db8::/32", A.ENCRYPT, {}, V6, True),
    ("aws:SourceIp", "IpAddress", "2001:0DB8:0077::/48", A.ENCRYPT, {}, V6, True),
    ("aws:SourceIp", "IpAddress", ["203.0.113.0/24", "2001:db8:78::/48"], A.ENCRYPT, {}, V6, False),
    ("aws:SourceIp", "NotIpAddress", "203.0.113.0/24", A.ENCRYPT, {}, V6, True),
    ("aws:SourceIp", "IpAddress", "203.0.113.0/24", A.ENCRYPT, {}, MAPPED, True),
    ("aws:CurrentTime", "DateGreaterThan", "2026-11-25T11:59:59Z", A.ENCRYPT, {}, None, True),
    ("aws:CurrentTime", "DateLessThan", "2026-11-25T12:00:00Z", A.ENCRYPT, {}, None, False),
    ("aws:CurrentTime", "DateLessThanEquals", "2026-11-25T12:00:00Z", A.ENCRYPT, {}, None, True),
    ("aws:CurrentTime", "DateLessThan", "2026-11-25T14:00:00+01:00", A.ENCRYPT, {}, None, True),
    ("aws:CurrentTime", "DateLessThan", "2027", A.ENCRYPT, {}, None, True),
    ("aws:EpochTime", "NumericGreaterThan", "1795607999", A.ENCRYPT, {}, None, True),
    ("aws:EpochTime", "DateGreaterThan", "1795608001", A.ENCRYPT, {}, None, False),
    ("aws:EpochTime", "DateEquals", "2026-11-25T12:00:00Z", A.ENCRYPT, {}, None, True),
    ("aws:SecureTransport", "Bool", "true", A.ENCRYPT, {}, None, False),
    ("aws:SecureTransport", "Bool", "false", A.ENCRYPT, {}, None, True),
    ("aws:SecureTransport", "Bool", "true", A.ENCRYPT, {}, TLS, True),
    ("aws:RequestedRegion", IS, "us-east-1", A.ENCRYPT, {}, None, True),
    ("aws:RequestedRegion", IS, ["eu-west-2", "eu-central-1"], A.ENCRYPT, {}, None, False),
    ("aws:RequestedRegion", "StringNotLike", "eu-*", A.CREATE_KEY, {}, None, True),
    ("aws:ViaAWSService", "Bool", "false", A.ENCRYPT, {}, None, True),
    ("aws:ViaAWSService", "Bool", "true", A.ENCRYPT, {}, None, False),
    ("aws:PrincipalArn", IS, ALICE, A.ENCRYPT, {}, None, True),
    ("aws:PrincipalArn", IS, BOB, A.ENCRYPT, {}, None, False),
    ("aws:PrincipalArn", "ArnLike", f"arn:aws:iam::{HERE}:user/al*", A.ENCRYPT, {}, None, True),
    ("aws:PrincipalArn", "ArnNotLike", f"arn:aws:iam::{HERE}:role/*", A.ENCRYPT, {}, None, True),
    ("aws:PrincipalArn", IS, f"arn:aws:iam::{HERE}:root", A.ENCRYPT, {}, ROOT, True),
    ("aws:PrincipalArn", IS, APP, A.ENCRYPT, {}, ROLE, True),  # of a session: its role's
    ("aws:PrincipalArn", "ArnLike", f"arn:aws:sts::{HERE}:assumed-role/*", A.ENCRYPT, {}, ROLE, False),
    ("aws:PrincipalAccount", IS, HERE, A.ENCRYPT, {}, None, True),
    ("aws:PrincipalAccount", IS, HERE, A.ENCRYPT, {}, EVE, False),
    ("aws:PrincipalType", IS, "User", A.ENCRYPT, {}, None, True),
    ("aws:PrincipalType", IS, "AssumedRole", A.ENCRYPT, {}, ROLE, True),
    ("aws:PrincipalType", IS, "Account", A.ENCRYPT, {}, ROOT, True),
    ("aws:PrincipalIsAWSService", "Bool", "false", A.ENCRYPT, {}, None, True),
    ("aws:PrincipalIsAWSService", "Bool", "true", A.ENCRYPT, {}, None, False),
    ("aws:PrincipalTag/Team", IS, "blue", A.ENCRYPT, {}, None, True),
    ("aws:PrincipalTag/Team", IS, "red", A.ENCRYPT, {}, None, False),
    ("aws:PrincipalTag/team", IS, "blue", A.ENCRYPT, {}, None, True),
    ("aws:PrincipalTag/None", IS, "blue", A.ENCRYPT, {}, None, False),
    ("aws:PrincipalTag/None", "StringNotEquals", "blue", A.ENCRYPT, {}, None, True),
    ("aws:PrincipalTag/Team", IS, "blue", A.ENCRYPT, {}, ROLE, True),
    ("aws:username", IS, "alice", A.ENCRYPT, {}, None, True),
    ("aws:username", LIKE, "*", A.ENCRYPT, {}, ROLE, False),
    ("aws:username", "Null", "true", A.ENCRYPT, {}, ROOT, True),
    ("aws:userid", LIKE, "*:s1", A.ENCRYPT, {}, ROLE, True),
    ("aws:userid", LIKE, "*:s2", A.ENCRYPT, {}, ROLE, False),
    ("aws:userid", IS, HERE, A.ENCRYPT, {}, ROOT, True),
    ("aws:userid", LIKE, "*:*", A.ENCRYPT, {}, None, False),
    ("aws:TokenIssueTime", "DateLessThan", "2026-11-25T12:00:01Z", A.ENCRYPT, {}, ROLE, True),
    ("aws:TokenIssueTime", "DateLessThan", "2026-11-25T12:00:00Z", A.ENCRYPT, {}, ROLE, False),
    ("aws:TokenIssueTime", "DateLessThan", "2027-01-01", A.ENCRYPT, {}, None, False),  # no session
    ("aws:TokenIssueTime", "DateLessThanIfExists", "2027-01-01", A.ENCRYPT, {}, None, True),
    ("aws:MultiFactorAuthPresent", "Bool", "false", A.ENCRYPT, {}, ROLE, True),
    ("aws:MultiFactorAuthPresent", "Bool", "true", A.ENCRYPT, {}, ROLE, False),
    ("aws:MultiFactorAuthPresent", "Bool", "false", A.ENCRYPT, {}, None, False),  # absent with a long-term credential
    ("aws:MultiFactorAuthPresent", "BoolIfExists", "false", A.ENCRYPT, {}, None, True),
    ("aws:MultiFactorAuthPresent", "Null", "true", A.ENCRYPT, {}, None, True),
    ("aws:ResourceAccount", IS, HERE, A.ENCRYPT, {}, EVE, True),
    ("aws:ResourceAccount", IS, "${aws:PrincipalAccount}", A.ENCRYPT, {}, None, True),
    ("aws:ResourceAccount", IS, "${aws:PrincipalAccount}", A.ENCRYPT, {}, EVE, False),
    ("aws:ResourceTag/Env", IS, "prod", A.ENCRYPT, {}, None, True),
    ("aws:ResourceTag/Env", IS, "test", A.ENCRYPT, {}, None, False),
    ("aws:ResourceTag/env", IS, "prod", A.ENCRYPT, {}, None, True),
    ("aws:ResourceTag/None", IS, "prod", A.ENCRYPT, {}, None, False),
    ("aws:ResourceTag/Team", "StringEqualsIfExists", "${aws:PrincipalTag/Team}", A.ENCRYPT, {}, None, True),
    ("aws:ResourceTag/Env", IS, "${aws:PrincipalTag/Team}", A.ENCRYPT, {}, None, False),
    ("aws:ResourceTag/Env", IS, "test", A.TAG_KEY, {}, None, False),  # not what it is to become
    ("aws:RequestTag/Env", IS, "test", A.TAG_KEY, {}, None, True),
    ("aws:RequestTag/Env", IS, "prod", A.TAG_KEY, {}, None, False),
    ("aws:RequestTag/Cost", IS, "low", A.CREATE_KEY, {"Tags": [{"TagKey": "Cost", "TagValue": "low"}]}, None, True),
    ("aws:RequestTag/Cost", IS, "low", A.CREATE_KEY, {}, None, False),
    ("aws:RequestTag/Env", IS, "prod", A.ENCRYPT, {}, None, False),
    ("aws:TagKeys", ALL, ["Cost", "Env"], A.TAG_KEY, {}, None, True),
    ("aws:TagKeys", ALL, ["Cost"], A.TAG_KEY, {}, None, False),
    ("aws:TagKeys", IN, ["Env"], A.UNTAG_KEY, {}, None, True),
    ("aws:TagKeys", IN, ["Cost"], A.UNTAG_KEY, {}, None, False),
    ("aws:TagKeys", "Null", "true", A.CREATE_KEY, {}, None, True),
    # what no request here has: the condition fails, and its negation holds
    ("aws:SourceArn", "ArnLike", "arn:aws:s3:::*", A.ENCRYPT, {}, None, False),
    ("aws:SourceAccount", "StringNotEquals", HERE, A.ENCRYPT, {}, None, True),
    ("aws:FederatedProvider", "Null", "true", A.ENCRYPT, {}, None, True),  # where it has a value: test_webidentity.py
    ("aws:PrincipalOrgID", IS, "o-a1b2c3d4e5", A.ENCRYPT, {}, None, False),
    ("aws:SourceVpce", IS, "vpce-1234abcdf5678c90a", A.ENCRYPT, {}, None, False),
    ("aws:CalledVia", IN, "athena.amazonaws.com", A.ENCRYPT, {}, None, False),
    ("kms:RecipientAttestation:ImageSha384", "StringEqualsIgnoreCase", "00", A.DECRYPT, {}, None, False),
    ("kms:RecipientAttestation:PCR0", "Null", "true", A.GENERATE_RANDOM, {}, None, True),
]
# fmt: on


def test_every_condition_key_has_a_row() -> None:
    """Of what can be asked about a key; those of STS and IAM are in test_sessions.py, and where their actions are."""
    assert {row[0].lower() for row in ROWS} >= {name for name in FACTS if name.startswith(("kms:", "aws:"))}


def reached(world: World, wire: Wire, more: dict[str, Any], asked: Asked, *statements: dict[str, Any]) -> bool:
    """Of a new key under this policy; where there is no key, whoever asks has it for an identity policy."""
    key = world.key(wire.kind or CIPHER)
    members = {**world.members(wire, key), **more}
    if more.get("KeyId") == BY_ID:
        members["KeyId"] = key.id
    own = [{n: v for n, v in s.items() if n != "Principal"} for s in statements] if wire.kind is None else [allow()]
    person = world.person(asked.who, *own)
    world.put_policy(key, document(*statements))
    world.stack.peer, world.stack.secure = asked.peer, asked.secure
    reply = person.call(wire.operation, **{name: value for name, value in members.items() if value is not None})
    world.stack.peer, world.stack.secure = Asked().peer, False
    world.forget_alias()
    assert reply.code in (wire.code, "AccessDeniedException"), (reply.code, reply.message)
    return reply.code == wire.code


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}-{n}" for n, row in enumerate(ROWS)])
def test_condition_key(world, row: tuple[Any, ...]) -> None:
    name, word, values, what, more, circumstances, holds = row
    wire = what if isinstance(what, Wire) else WIRE[what]
    asked, when = circumstances or Asked(), {word: {name: values}}
    assert reached(world, wire, more, asked, allow("*", when=when)) is holds
    assert reached(world, wire, more, asked, allow("*"), deny("*", when=when)) is not holds
