# ruff: noqa: E501, RUF001 - tables, and digits of another script
"""Decisions, as AWS's published evaluation rules have them. Each row names the page it was written from.

PE  KMS Developer Guide, "Policy evaluation" (troubleshooting key access)
KP  KMS Developer Guide, "Key policies"; DP: "Default key policy"; XA: "Allowing users in other accounts to use a KMS key"
GR  KMS Developer Guide, "Grants"; AL: "Controlling access to aliases"
EL  IAM User Guide, "Policy evaluation logic"; PR: element "Principal"; NP: "NotPrincipal"; AC: "Action";
NA  "NotAction"; RE: "Resource"; NR: "NotResource"; CO: "Condition"; VA: "Policy variables"; VE: "Version"
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policies import (
    ABROAD,
    ALIAS,
    ALICE,
    APP,
    ARN,
    AT,
    BOB,
    DENIED_ID,
    DENIED_KEY,
    EVE,
    FAR_ROOT,
    HERE,
    KEYLESS,
    NO_ID,
    NO_KEY,
    NOBODY,
    OPERATIONS,
    REF,
    ROOT,
    allow,
    caller,
    decide,
    decide_on,
    deny,
    document,
    grant,
    held,
)

from keystead.core.actions import ACTIONS, Action, Scope
from keystead.core.operations import CreateGrant, DescribeKey, KeyRef, ReEncrypt, UpdateName
from keystead.core.policy import aws

A = Action
KEY, ID, BOTH, G1 = "key policy", "identity policy", "key policy and identity policy", "grant g1"
G1_BOTH = "grant g1 and identity policy"
ALL = allow()  # as an identity policy
OWN = allow(ROOT)
STAR = "*"
ENCRYPT, DECRYPT = "kms:Encrypt", "kms:Decrypt"
NOT_ALICE = {"NotPrincipal": {"AWS": [ALICE, ROOT]}, "Principal": None}

# section, who, action, key policy, identity policies, grants, what it comes to
# fmt: off
DECISIONS = [
    # nobody has a right by default, root included
    ("DP", "root", A.ENCRYPT, [OWN], [], [], KEY),
    ("DP", "root", A.PUT_POLICY, [OWN], [], [], KEY),
    ("DP", "alice", A.ENCRYPT, [OWN], [], [], NO_ID),
    ("DP", "alice", A.ENCRYPT, [OWN], [ALL], [], ID),
    ("DP", "app", A.ENCRYPT, [OWN], [ALL], [], ID),
    ("DP", "app", A.ENCRYPT, [OWN], [], [], NO_ID),
    ("KP", "root", A.ENCRYPT, [allow(BOB)], [], [], NO_KEY),
    ("KP", "root", A.PUT_POLICY, [allow(BOB)], [], [], NO_KEY),
    ("KP", "root", A.PUT_POLICY, [allow(BOB)], [ALL], [], NO_KEY),
    ("KP", "alice", A.ENCRYPT, [allow(BOB)], [ALL], [], NO_KEY),
    ("KP", "bob", A.ENCRYPT, [allow(BOB)], [], [], KEY),
    ("KP", "app", A.ENCRYPT, [allow(APP)], [], [], KEY),
    ("KP", "alice", A.ENCRYPT, [allow(APP)], [], [], NO_KEY),
    ("KP", "alice", A.ENCRYPT, [allow([BOB, ALICE])], [], [], KEY),
    ("KP", "bob", A.ENCRYPT, [allow([BOB, ALICE])], [], [], KEY),
    ("KP", "alice", A.DECRYPT, [allow(ALICE, ENCRYPT)], [], [], NO_KEY),
    ("KP", "alice", A.ENCRYPT, [allow(ALICE, ENCRYPT)], [], [], KEY),
    ("KP", "alice", A.ENCRYPT, [allow(ALICE, DECRYPT), allow(ALICE, ENCRYPT)], [], [], KEY),
    # the account is named by its root or by its id
    ("PR", "alice", A.ENCRYPT, [allow(HERE)], [ALL], [], ID),
    ("PR", "root", A.ENCRYPT, [allow(HERE)], [], [], KEY),
    ("PR", "alice", A.ENCRYPT, [allow([ROOT, BOB])], [], [], NO_ID),
    ("PR", "bob", A.ENCRYPT, [allow([ROOT, BOB])], [], [], KEY),
    # what the account is not allowed, it cannot delegate
    ("DP", "alice", A.DECRYPT, [allow(ROOT, ENCRYPT)], [ALL], [], NO_KEY),
    ("DP", "alice", A.ENCRYPT, [allow(ROOT, ENCRYPT)], [ALL], [], ID),
    ("DP", "root", A.DECRYPT, [allow(ROOT, ENCRYPT)], [], [], NO_KEY),
    ("DP", "alice", A.ENCRYPT, [OWN], [allow(action=DECRYPT)], [], NO_ID),
    ("DP", "alice", A.DECRYPT, [OWN], [allow(action=DECRYPT)], [], ID),
    ("DP", "alice", A.DECRYPT, [OWN], [allow(action=ENCRYPT), allow(action=DECRYPT)], [], ID),
    # an identity policy that the key policy does not enable has no effect; its Deny always has
    ("PE", "alice", A.ENCRYPT, [allow(BOB)], [allow(action=STAR)], [], NO_KEY),
    ("PE", "bob", A.ENCRYPT, [allow(BOB)], [deny()], [], DENIED_ID),
    ("PE", "bob", A.ENCRYPT, [allow(BOB)], [deny(action=DECRYPT)], [], KEY),
    ("PE", "bob", A.DECRYPT, [allow(BOB)], [deny(action=DECRYPT)], [], DENIED_ID),
    ("PE", "root", A.ENCRYPT, [OWN], [deny()], [], DENIED_ID),
    # an explicit deny beats every allow
    ("EL", "alice", A.ENCRYPT, [allow(ALICE), deny(ALICE)], [ALL], [], DENIED_KEY),
    ("EL", "alice", A.ENCRYPT, [deny(ALICE), allow(ALICE)], [], [], DENIED_KEY),
    ("EL", "alice", A.ENCRYPT, [allow(STAR), deny(ALICE, ENCRYPT)], [], [], DENIED_KEY),
    ("EL", "bob", A.ENCRYPT, [allow(STAR), deny(ALICE, ENCRYPT)], [], [], KEY),
    ("EL", "alice", A.DECRYPT, [allow(STAR), deny(ALICE, ENCRYPT)], [], [], KEY),
    ("EL", "alice", A.ENCRYPT, [allow(ALICE), deny(ROOT)], [], [], DENIED_KEY),
    ("EL", "root", A.ENCRYPT, [OWN, deny(ROOT)], [], [], DENIED_KEY),
    ("EL", "alice", A.ENCRYPT, [OWN, deny(HERE)], [ALL], [], DENIED_KEY),
    ("EL", "alice", A.ENCRYPT, [OWN, deny(STAR)], [ALL], [], DENIED_KEY),
    ("EL", "alice", A.ENCRYPT, [OWN, deny(FAR_ROOT)], [ALL], [], ID),
    ("EL", "alice", A.ENCRYPT, [OWN, deny(BOB)], [ALL], [], ID),
    ("EL", "alice", A.ENCRYPT, [OWN], [ALL, deny(action="kms:Enc*")], [], DENIED_ID),
    ("EL", "alice", A.DECRYPT, [OWN], [ALL, deny(action="kms:Enc*")], [], ID),
    ("EL", "alice", A.ENCRYPT, [deny(ALICE)], [deny()], [], DENIED_KEY),
    ("EL", "alice", A.ENCRYPT, [deny(BOB)], [], [], NO_KEY),
    # everyone
    ("PR", "alice", A.ENCRYPT, [allow(STAR)], [], [], KEY),
    ("PR", "root", A.ENCRYPT, [allow(STAR)], [], [], KEY),
    ("PR", "app", A.ENCRYPT, [allow(STAR)], [], [], KEY),
    ("PR", "alice", A.ENCRYPT, [allow(Principal="*")], [], [], KEY),
    ("PR", "eve", A.ENCRYPT, [allow(STAR)], [], [], NO_ID),
    ("PR", "eve", A.ENCRYPT, [allow(STAR)], [ALL], [], BOTH),
    ("PR", "logs", A.ENCRYPT, [allow(Principal={"Service": "logs.amazonaws.com"})], [], [], KEY),
    ("PR", "alice", A.ENCRYPT, [allow(Principal={"Service": "logs.amazonaws.com"})], [], [], NO_KEY),
    ("PR", "alice", A.ENCRYPT, [allow(Principal={"Service": "s3.amazonaws.com", "AWS": ALICE})], [], [], KEY),
    ("PR", "logs", A.ENCRYPT, [allow(Principal={"Service": "s3.amazonaws.com", "AWS": ALICE})], [], [], NO_KEY),
    # another account: both sides
    ("XA", "eve", A.ENCRYPT, [allow(EVE)], [], [], NO_ID),
    ("XA", "eve", A.ENCRYPT, [allow(EVE)], [ALL], [], BOTH),
    ("XA", "eve", A.ENCRYPT, [allow(FAR_ROOT)], [], [], NO_ID),
    ("XA", "eve", A.ENCRYPT, [allow(FAR_ROOT)], [ALL], [], BOTH),
    ("XA", "eve", A.ENCRYPT, [allow(ABROAD)], [ALL], [], BOTH),
    ("XA", "far-app", A.ENCRYPT, [allow(ABROAD)], [ALL], [], BOTH),
    ("XA", "far-app", A.ENCRYPT, [allow(EVE)], [ALL], [], NO_KEY),
    ("XA", "far-app", A.ENCRYPT, [allow(APP)], [ALL], [], NO_KEY),
    ("XA", "eve", A.ENCRYPT, [OWN], [ALL], [], NO_KEY),
    ("XA", "eve", A.ENCRYPT, [OWN], [], [], NO_KEY),
    ("XA", "far-root", A.ENCRYPT, [OWN], [], [], NO_KEY),
    ("XA", "far-root", A.ENCRYPT, [allow(FAR_ROOT)], [], [], KEY),
    ("XA", "far-root", A.ENCRYPT, [allow(STAR)], [], [], KEY),
    ("XA", "far-root", A.ENCRYPT, [allow(EVE)], [], [], NO_KEY),
    ("XA", "eve", A.DECRYPT, [allow(EVE, ENCRYPT)], [ALL], [], NO_KEY),
    ("XA", "eve", A.ENCRYPT, [allow(EVE)], [allow(action=DECRYPT)], [], NO_ID),
    ("XA", "eve", A.ENCRYPT, [allow(EVE)], [allow(resource=ARN)], [], BOTH),
    ("XA", "eve", A.ENCRYPT, [allow(EVE)], [allow(resource=f"arn:aws:kms:us-east-1:{ABROAD}:key/*")], [], NO_ID),
    ("XA", "eve", A.ENCRYPT, [allow(EVE), deny(FAR_ROOT)], [ALL], [], NO_KEY),
    ("XA", "eve", A.ENCRYPT, [allow(EVE)], [ALL, deny()], [], DENIED_ID),
    ("XA", "alice", A.ENCRYPT, [allow(FAR_ROOT)], [ALL], [], NO_KEY),
    # API Reference, "Cross-account use": No
    *[("XA", "eve", a, [allow(EVE)], [ALL], [], NO_KEY) for a in (
        A.PUT_POLICY, A.READ_POLICY, A.LIST_POLICIES, A.ENABLE_KEY, A.DISABLE_KEY, A.SCHEDULE_DESTRUCTION,
        A.CANCEL_DESTRUCTION, A.UPDATE_KEY, A.TAG_KEY, A.UNTAG_KEY, A.LIST_TAGS, A.ENABLE_ROTATION, A.ROTATE_KEY,
        A.LIST_ROTATIONS, A.READ_LAST_USE, A.CREATE_NAME, A.DELETE_NAME, A.DISABLE_ROTATION)],
    ("XA", "far-root", A.PUT_POLICY, [allow(FAR_ROOT)], [], [], NO_KEY),
    *[("XA", "eve", a, [allow(EVE)], [ALL], [], BOTH) for a in (
        A.DESCRIBE_KEY, A.READ_PUBLIC_KEY, A.SIGN, A.VERIFY, A.GENERATE_MAC, A.CREATE_GRANT, A.LIST_GRANTS,
        A.REVOKE_GRANT, A.READ_ROTATION, A.GENERATE_DATA_KEY, A.DERIVE_SHARED_SECRET)],
    # actions and wildcards; action names are not case-sensitive
    ("AC", "alice", A.ENCRYPT, [allow(ALICE, STAR)], [], [], KEY),
    ("AC", "alice", A.ENCRYPT, [allow(ALICE, "*:*")], [], [], KEY),
    ("AC", "alice", A.ENCRYPT, [allow(ALICE, "kms:encrypt")], [], [], KEY),
    ("AC", "alice", A.ENCRYPT, [allow(ALICE, "KMS:ENCRYPT")], [], [], KEY),
    ("AC", "alice", A.ENCRYPT, [allow(ALICE, ["kms:Decrypt", "kms:Encrypt"])], [], [], KEY),
    ("AC", "alice", A.ENCRYPT, [allow(ALICE, "kms:Enc?ypt")], [], [], KEY),
    ("AC", "alice", A.ENCRYPT, [allow(ALICE, "kms:Encrypt?")], [], [], NO_KEY),
    ("AC", "alice", A.ENCRYPT, [allow(ALICE, "kms:*crypt")], [], [], KEY),
    ("AC", "alice", A.ENCRYPT, [allow(ALICE, "kms:E*t")], [], [], KEY),
    ("AC", "alice", A.ENCRYPT, [allow(ALICE, "kms:E*x*t")], [], [], NO_KEY),
    ("AC", "alice", A.ENCRYPT, [allow(ALICE, "s3:*")], [], [], NO_KEY),
    ("AC", "alice", A.ENCRYPT, [allow(ALICE, "kms:Encrypts")], [], [], NO_KEY),
    ("AC", "alice", A.ENCRYPT, [allow(ALICE, "kms:ReEncrypt*")], [], [], NO_KEY),
    ("AC", "alice", A.GENERATE_DATA_KEY_BLIND, [allow(ALICE, "kms:GenerateDataKey")], [], [], NO_KEY),
    ("AC", "alice", A.GENERATE_DATA_KEY_BLIND, [allow(ALICE, "kms:GenerateDataKey*")], [], [], KEY),
    ("AC", "alice", A.GENERATE_DATA_KEY_PAIR, [allow(ALICE, "kms:GenerateDataKey*")], [], [], KEY),
    ("AC", "alice", A.DESCRIBE_KEY, [allow(ALICE, "kms:Describe*")], [], [], KEY),
    ("AC", "alice", A.DESCRIBE_KEY, [allow(ALICE, "kms:List*")], [], [], NO_KEY),
    # NotAction
    ("NA", "alice", A.ENCRYPT, [allow(ALICE, None, NotAction=DECRYPT)], [], [], KEY),
    ("NA", "alice", A.DECRYPT, [allow(ALICE, None, NotAction=DECRYPT)], [], [], NO_KEY),
    ("NA", "alice", A.DECRYPT, [allow(ALICE, None, NotAction=["s3:*", "kms:de*"])], [], [], NO_KEY),
    ("NA", "alice", A.DESCRIBE_KEY, [allow(ALICE, None, NotAction=["s3:*", "kms:Decrypt"])], [], [], KEY),
    ("NA", "alice", A.ENCRYPT, [allow(ALICE), deny(ALICE, None, NotAction=ENCRYPT)], [], [], KEY),
    ("NA", "alice", A.DECRYPT, [allow(ALICE), deny(ALICE, None, NotAction=ENCRYPT)], [], [], DENIED_KEY),
    ("NA", "alice", A.ENCRYPT, [allow(ALICE, None, NotAction=STAR)], [], [], NO_KEY),
    ("NA", "alice", A.ENCRYPT, [OWN], [allow(action=None, NotAction="iam:*")], [], ID),
    # NotPrincipal
    ("NP", "alice", A.ENCRYPT, [allow(STAR), deny(**NOT_ALICE)], [], [], KEY),
    ("NP", "bob", A.ENCRYPT, [allow(STAR), deny(**NOT_ALICE)], [], [], DENIED_KEY),
    ("NP", "root", A.ENCRYPT, [allow(STAR), deny(**NOT_ALICE)], [], [], KEY),
    ("NP", "eve", A.ENCRYPT, [allow(STAR), deny(**NOT_ALICE)], [ALL], [], NO_KEY),
    ("NP", "alice", A.ENCRYPT, [allow(STAR), deny(NotPrincipal={"AWS": ALICE})], [], [], DENIED_KEY),
    ("NP", "bob", A.ENCRYPT, [allow(STAR), deny(NotPrincipal={"AWS": ROOT})], [], [], DENIED_KEY),
    ("NP", "bob", A.ENCRYPT, [allow(NotPrincipal={"AWS": EVE})], [], [], KEY),
    ("NP", "eve", A.ENCRYPT, [allow(NotPrincipal={"AWS": EVE})], [ALL], [], NO_KEY),
    ("NP", "bob", A.ENCRYPT, [allow(NotPrincipal={"AWS": ROOT})], [], [], NO_KEY),
    ("NP", "bob", A.ENCRYPT, [allow(NotPrincipal={"AWS": "*"})], [], [], NO_KEY),
    ("NP", "bob", A.ENCRYPT, [allow(BOB), deny(NotPrincipal={"AWS": "*"})], [], [], KEY),
    # resources
    ("RE", "alice", A.ENCRYPT, [allow(ALICE, resource=ARN)], [], [], KEY),
    ("RE", "alice", A.ENCRYPT, [allow(ALICE, resource=ARN[:-1] + "?")], [], [], KEY),
    ("RE", "alice", A.ENCRYPT, [allow(ALICE, resource=ARN[:-1])], [], [], NO_KEY),
    ("RE", "alice", A.ENCRYPT, [allow(ALICE, resource=ARN + "?")], [], [], NO_KEY),
    ("RE", "alice", A.ENCRYPT, [allow(ALICE, resource=[ARN[:-1], ARN])], [], [], KEY),
    ("RE", "alice", A.ENCRYPT, [OWN], [allow(resource="arn:aws:kms:*:*:key/*")], [], ID),
    ("RE", "alice", A.ENCRYPT, [OWN], [allow(resource="arn:aws:kms:us-*-1:*:key/1234*")], [], ID),
    ("RE", "alice", A.ENCRYPT, [OWN], [allow(resource="arn:aws:kms:us-west-*:*:key/*")], [], NO_ID),
    ("RE", "alice", A.ENCRYPT, [OWN], [allow(resource="arn:aws:kms:*")], [], ID),
    ("RE", "alice", A.ENCRYPT, [OWN], [allow(resource="arn:aws:s3:*")], [], NO_ID),
    ("RE", "alice", A.ENCRYPT, [OWN], [allow(resource=f"arn:aws:kms:us-east-1:{ABROAD}:key/*")], [], NO_ID),
    ("RE", "alice", A.ENCRYPT, [OWN], [allow(resource="arn:aws:kms:*:*:alias/*")], [], NO_ID),
    ("RE", "alice", A.ENCRYPT, [OWN], [allow(resource=ARN.replace("abcd", "ABCD"))], [], NO_ID),
    ("RE", "alice", A.ENCRYPT, [OWN], [ALL, deny(resource=ARN)], [], DENIED_ID),
    ("RE", "alice", A.ENCRYPT, [OWN], [ALL, deny(resource=ARN[:-1])], [], ID),
    ("NR", "alice", A.ENCRYPT, [OWN], [allow(resource=None, NotResource=ARN)], [], NO_ID),
    ("NR", "alice", A.ENCRYPT, [OWN], [allow(resource=None, NotResource="arn:aws:s3:::*")], [], ID),
    ("NR", "alice", A.ENCRYPT, [OWN], [ALL, deny(resource=None, NotResource="arn:aws:s3:::*")], [], DENIED_ID),
    ("NR", "alice", A.ENCRYPT, [OWN], [ALL, deny(resource=None, NotResource=["arn:aws:s3:::*", ARN])], [], ID),
    # conditions gate allow and deny alike
    ("CO", "alice", A.ENCRYPT, [allow(ALICE, when={"StringEquals": {"kms:EncryptionContext:app": "billing"}})], [], [], KEY),
    ("CO", "alice", A.ENCRYPT, [allow(ALICE, when={"StringEquals": {"kms:EncryptionContext:app": "hr"}})], [], [], NO_KEY),
    ("CO", "alice", A.ENCRYPT, [allow(ALICE, when={"StringEquals": {"kms:EncryptionContext:app": ["hr", "billing"]}})], [], [], KEY),
    ("CO", "alice", A.ENCRYPT, [allow(ALICE, when={"StringEquals": {"kms:EncryptionContext:app": "billing", "kms:EncryptionContext:tier": "iron"}})], [], [], NO_KEY),
    ("CO", "alice", A.ENCRYPT, [allow(ALICE, when={"StringEquals": {"kms:EncryptionContext:app": "billing"}, "Bool": {"aws:SecureTransport": "false"}})], [], [], NO_KEY),
    ("CO", "alice", A.ENCRYPT, [allow(ALICE), deny(ALICE, when={"StringEquals": {"kms:EncryptionContext:app": "billing"}})], [], [], DENIED_KEY),
    ("CO", "alice", A.ENCRYPT, [allow(ALICE), deny(ALICE, when={"StringEquals": {"kms:EncryptionContext:app": "hr"}})], [], [], KEY),
    ("CO", "alice", A.ENCRYPT, [allow(ALICE), deny(STAR, when={"Bool": {"aws:SecureTransport": False}})], [], [], KEY),
    ("CO", "alice", A.ENCRYPT, [OWN], [allow(when={"StringEquals": {"aws:ResourceTag/Env": "prod"}})], [], ID),
    ("CO", "alice", A.ENCRYPT, [OWN], [allow(when={"StringEquals": {"aws:ResourceTag/Env": "test"}})], [], NO_ID),
    ("CO", "alice", A.ENCRYPT, [OWN], [ALL, deny(when={"StringNotEquals": {"aws:ResourceTag/Env": "prod"}})], [], ID),
    ("CO", "alice", A.ENCRYPT, [allow(ROOT, when={"StringEquals": {"kms:CallerAccount": HERE}})], [ALL], [], ID),
    ("CO", "eve", A.ENCRYPT, [allow(STAR, when={"StringEquals": {"kms:CallerAccount": HERE}})], [ALL], [], NO_KEY),
    ("CO", "alice", A.ENCRYPT, [allow(STAR, when={"StringEquals": {"kms:CallerAccount": HERE}})], [], [], KEY),
    ("CO", "alice", A.ENCRYPT, [allow(STAR, when={"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}})], [ALL], [], NO_KEY),
    ("CO", "alice", A.ENCRYPT, [OWN, deny(STAR, when={"StringNotEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}})], [ALL], [], DENIED_KEY),
    ("CO", "alice", A.ENCRYPT, [allow(STAR, when={"StringEquals": {"x:unknown": "1"}})], [ALL], [], NO_KEY),
    ("CO", "alice", A.ENCRYPT, [allow(STAR, when={"Null": {"x:unknown": "true"}})], [], [], KEY),
    # policy variables, and the version that has them
    ("VA", "alice", A.ENCRYPT, [allow(STAR, when={"StringEquals": {"aws:username": "${aws:username}"}})], [], [], KEY),
    ("VA", "alice", A.ENCRYPT, [allow(STAR, when={"StringEquals": {"aws:PrincipalArn": f"arn:aws:iam::{HERE}:user/${{aws:username}}"}})], [], [], KEY),
    ("VA", "app", A.ENCRYPT, [allow(STAR, when={"StringEquals": {"aws:PrincipalArn": f"arn:aws:iam::{HERE}:user/${{aws:username}}"}})], [], [], NO_KEY),
    ("VA", "alice", A.ENCRYPT, [allow(STAR, when={"StringEquals": {"kms:EncryptionContext:app": "${aws:PrincipalTag/Team}"}})], [], [], NO_KEY),
    ("VA", "alice", A.ENCRYPT, [allow(STAR, when={"StringEquals": {"aws:PrincipalTag/Team": "${aws:PrincipalTag/None, 'blue'}"}})], [], [], KEY),
    ("VA", "alice", A.ENCRYPT, [allow(STAR, when={"StringNotEquals": {"aws:username": "${aws:PrincipalTag/None}"}})], [], [], NO_KEY),
    ("VA", "alice", A.ENCRYPT, [allow(STAR), deny(STAR, when={"StringNotEquals": {"aws:username": "${aws:PrincipalTag/None}"}})], [], [], DENIED_KEY),
    ("VA", "alice", A.ENCRYPT, [OWN], [allow(resource=f"arn:aws:kms:us-east-1:${{aws:PrincipalAccount}}:key/*")], [], ID),  # noqa: F541 - one spelling for all rows
    ("VA", "alice", A.ENCRYPT, [OWN], [allow(resource="arn:aws:kms:us-east-1:*:key/${aws:username}*")], [], NO_ID),
    ("VA", "alice", A.ENCRYPT, [OWN], [allow(resource=None, NotResource="arn:aws:kms:*:*:key/${aws:PrincipalTag/None}")], [], NO_ID),
    ("VA", "alice", A.ENCRYPT, [OWN], [ALL, deny(resource=None, NotResource="arn:aws:kms:*:*:key/${aws:PrincipalTag/None}")], [], DENIED_ID),
    # grants
    ("GR", "bob", A.ENCRYPT, [allow(ALICE)], [], [grant("bob", A.ENCRYPT)], G1),
    ("GR", "bob", A.DECRYPT, [allow(ALICE)], [], [grant("bob", A.ENCRYPT)], NO_KEY),
    ("GR", "alice", A.DECRYPT, [allow(ALICE, ENCRYPT)], [], [grant("bob", A.DECRYPT)], NO_KEY),
    ("GR", "bob", A.ENCRYPT, [OWN], [deny()], [grant("bob", A.ENCRYPT)], DENIED_ID),
    ("GR", "bob", A.ENCRYPT, [OWN, deny(BOB)], [], [grant("bob", A.ENCRYPT)], DENIED_KEY),
    ("GR", "bob", A.ENCRYPT, [allow(BOB)], [], [grant("bob", A.ENCRYPT)], KEY),
    ("GR", "eve", A.ENCRYPT, [OWN], [], [grant("eve", A.ENCRYPT)], NO_ID),
    ("GR", "eve", A.ENCRYPT, [OWN], [ALL], [grant("eve", A.ENCRYPT)], G1_BOTH),
    ("GR", "far-root", A.ENCRYPT, [OWN], [], [grant("far-root", A.ENCRYPT)], G1),
    ("GR", "eve", A.ENCRYPT, [OWN], [ALL], [grant("far-root", A.ENCRYPT)], G1_BOTH),
    ("GR", "eve", A.ENCRYPT, [OWN], [], [grant("far-root", A.ENCRYPT)], NO_ID),
    ("GR", "root", A.ENCRYPT, [allow(ALICE)], [], [grant("root", A.ENCRYPT)], G1),
    ("GR", "bob", A.ENCRYPT, [allow(ALICE)], [ALL], [grant("root", A.ENCRYPT)], G1_BOTH),
    ("GR", "bob", A.ENCRYPT, [allow(ALICE)], [], [grant("root", A.ENCRYPT)], NO_ID),
    ("GR", "bob", A.DESCRIBE_KEY, [allow(ALICE)], [], [grant("bob", A.DESCRIBE_KEY, context_equals={"a": "b"})], G1),
    ("GR", "bob", A.SIGN, [allow(ALICE)], [], [grant("bob", A.SIGN, context_equals={"a": "b"})], G1),
    ("GR", "bob", A.RETIRE_GRANT, [allow(ALICE)], [], [grant("alice", A.ENCRYPT, retiree_id="p-bob")], G1),
    ("GR", "bob", A.RETIRE_GRANT, [allow(ALICE)], [], [grant("bob", A.ENCRYPT)], NO_KEY),
    ("GR", "bob", A.RETIRE_GRANT, [allow(ALICE)], [], [grant("bob", A.RETIRE_GRANT)], G1),
    ("GR", "bob", A.RETIRE_GRANT, [allow(ALICE)], [], [grant("bob", A.RETIRE_GRANT, id="g2")], NO_KEY),
    ("GR", "root", A.RETIRE_GRANT, [OWN], [], [grant("bob", A.ENCRYPT)], KEY),
    ("GR", "alice", A.RETIRE_GRANT, [OWN], [ALL], [grant("bob", A.ENCRYPT)], ID),
    ("GR", "eve", A.RETIRE_GRANT, [OWN], [], [grant("bob", A.ENCRYPT, retiree_id="p-eve")], G1),
    ("GR", "far-root", A.RETIRE_GRANT, [OWN], [], [grant("bob", A.ENCRYPT, retiree_id=ABROAD)], G1),
    ("GR", "eve", A.RETIRE_GRANT, [OWN], [], [grant("bob", A.ENCRYPT, retiree_id=ABROAD)], NO_KEY),
    ("GR", "bob", A.RETIRE_GRANT, [OWN, deny(BOB)], [], [grant("alice", A.ENCRYPT, retiree_id="p-bob")], DENIED_KEY),
    ("GR", "bob", A.REVOKE_GRANT, [allow(ALICE)], [], [grant("bob", A.ENCRYPT, A.RETIRE_GRANT)], NO_KEY),
    ("GR", "bob", A.CREATE_GRANT, [allow(ALICE)], [], [grant("bob", A.ENCRYPT, A.DECRYPT, A.CREATE_GRANT)], G1),
    ("GR", "bob", A.CREATE_GRANT, [allow(ALICE)], [], [grant("bob", A.ENCRYPT, A.CREATE_GRANT)], NO_KEY),
    # a name needs a right of its own, by identity policy, beside the right on the key
    ("AL", "root", A.CREATE_NAME, [OWN], [], [], KEY),
    ("AL", "alice", A.CREATE_NAME, [allow(ALICE)], [], [], NO_ID),
    ("AL", "alice", A.CREATE_NAME, [allow(ALICE)], [ALL], [], KEY),
    ("AL", "alice", A.CREATE_NAME, [allow(ALICE)], [allow(resource="arn:aws:kms:*:*:alias/*")], [], KEY),
    ("AL", "alice", A.CREATE_NAME, [allow(ALICE)], [allow(resource="arn:aws:kms:*:*:alias/old")], [], NO_ID),
    ("AL", "alice", A.CREATE_NAME, [OWN], [allow(resource="arn:aws:kms:*:*:alias/*")], [], NO_ID),
    ("AL", "alice", A.CREATE_NAME, [OWN], [allow(resource=["arn:aws:kms:*:*:alias/new", ARN])], [], ID),
    ("AL", "alice", A.CREATE_NAME, [allow(BOB)], [ALL], [], NO_KEY),
    ("AL", "alice", A.CREATE_NAME, [OWN], [ALL, deny(resource="arn:aws:kms:*:*:alias/n*")], [], DENIED_ID),
    ("AL", "alice", A.DELETE_NAME, [OWN], [ALL, deny(resource="arn:aws:kms:*:*:alias/n*")], [], ID),
    ("AL", "alice", A.DELETE_NAME, [OWN], [ALL, deny(resource="arn:aws:kms:*:*:alias/billing")], [], DENIED_ID),
    ("AL", "alice", A.DELETE_NAME, [allow(ALICE)], [], [], NO_ID),
    # no key: identity policies alone, and root may do what is not denied
    *[("EL", "root", a, [], [], [], "root") for a in (A.CREATE_KEY, A.LIST_KEYS, A.LIST_NAMES, A.GENERATE_RANDOM, A.LIST_RETIRABLE_GRANTS)],
    *[("EL", "alice", a, [], [], [], NO_ID) for a in (A.CREATE_KEY, A.LIST_KEYS, A.LIST_NAMES, A.GENERATE_RANDOM, A.LIST_RETIRABLE_GRANTS)],
    *[("EL", "alice", a, [], [ALL], [], ID) for a in (A.CREATE_KEY, A.LIST_KEYS, A.LIST_NAMES, A.GENERATE_RANDOM, A.LIST_RETIRABLE_GRANTS)],
    ("EL", "root", A.CREATE_KEY, [], [deny()], [], DENIED_ID),
    ("EL", "alice", A.CREATE_KEY, [], [ALL, deny(action="kms:Create*")], [], DENIED_ID),
    ("EL", "alice", A.CREATE_KEY, [], [allow(resource=ARN)], [], NO_ID),
    ("EL", "alice", A.CREATE_KEY, [], [allow(when={"StringEquals": {"kms:KeySpec": "RSA_2048"}})], [], ID),
    ("EL", "alice", A.CREATE_KEY, [], [allow(when={"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}})], [], NO_ID),
    ("EL", "eve", A.CREATE_KEY, [], [ALL], [], NO_KEY),
    ("EL", "far-root", A.LIST_KEYS, [], [], [], NO_KEY),
    # API Reference, GetCallerIdentity: no permission is needed, and none can be denied
    *[("EL", who, A.WHO_AM_I, [], identity, [], "anyone") for who in ("root", "alice", "app") for identity in ([], [deny(action=STAR)])],
    # docs/adr/0005: actions of Keystead's own
    ("0005", "root", A.MANAGE_PRINCIPALS, [], [], [], "root"),
    ("0005", "alice", A.MANAGE_PRINCIPALS, [], [], [], NO_ID),
    ("0005", "alice", A.MANAGE_PRINCIPALS, [], [ALL], [], NO_ID),
    ("0005", "alice", A.MANAGE_PRINCIPALS, [], [allow(action=STAR)], [], ID),
    ("0005", "alice", A.MANAGE_PRINCIPALS, [], [allow(action="keystead:tenant:manage-principals")], [], ID),
    ("0005", "alice", A.LIST_PRINCIPALS, [], [allow(action="keystead:tenant:manage-principals")], [], NO_ID),
    ("0005", "alice", A.LIST_PRINCIPALS, [], [allow(action="keystead:*")], [], ID),
    ("0005", "alice", A.MANAGE_PRINCIPALS, [], [allow(action=None, NotAction="iam:*")], [], NO_ID),
    ("0005", "alice", A.MANAGE_PRINCIPALS, [], [allow(action=STAR), deny(action=None, NotAction="kms:*")], [], DENIED_ID),
    ("0005", "far-root", A.MANAGE_PRINCIPALS, [], [], [], NO_KEY),
    ("0005", "eve", A.MANAGE_PRINCIPALS, [], [allow(action=STAR)], [], NO_KEY),
    *[("0005", who, a, [OWN], [allow(action=STAR)], [], NOBODY) for who in ("root", "alice") for a in (A.READ_STATUS, A.MANAGE_KEYRINGS)],
    ("0005", "root", A.DESTROY_KEY, [allow(STAR, STAR)], [], [], NOBODY),
    *[("0005", "system", a, [allow(BOB)], [], [], "system") for a in (A.READ_STATUS, A.MANAGE_KEYRINGS, A.MANAGE_PRINCIPALS, A.LIST_PRINCIPALS, A.DESTROY_KEY, A.ROTATE_KEY)],
    *[("0005", "system", a, [allow(STAR, STAR)], [], [], NOBODY) for a in (A.ENCRYPT, A.DECRYPT, A.SIGN, A.GENERATE_DATA_KEY, A.GENERATE_MAC, A.CREATE_GRANT)],
]
# fmt: on


def test_the_table_is_of_a_decent_size():
    assert len(DECISIONS) >= 200


@pytest.mark.parametrize(
    ("who", "action", "key", "identity", "grants", "expected"),
    [row[1:] for row in DECISIONS],
    ids=[f"{row[0]}-{n}-{row[1]}-{row[2].name}" for n, row in enumerate(DECISIONS)],
)
def test_decision(who, action, key, identity, grants, expected):
    assert decide_on(action, caller(who, *identity), held(*key, grants=tuple(grants))) == expected


# --- operations with two targets, absent targets, what is said


def test_re_encrypt_needs_both_rights():
    op = ReEncrypt(source=REF, destination=REF, ciphertext=b"c")
    target = held(allow(ALICE, "kms:ReEncryptFrom"))
    assert decide(caller("alice"), target, op, demand=0) == KEY
    assert decide(caller("alice"), target, op, demand=1) == NO_KEY


def test_each_side_of_a_re_encryption_has_its_own_context():
    op = ReEncrypt(
        source=REF, destination=REF, ciphertext=b"c", source_aad={"app": "old"}, destination_aad={"app": "new"}
    )
    target = held(allow(ALICE, when={"StringEquals": {"kms:EncryptionContext:app": "new"}}))
    assert decide(caller("alice"), target, op, demand=0) == NO_KEY
    assert decide(caller("alice"), target, op, demand=1) == KEY


def test_a_name_is_moved_with_rights_on_both_keys_and_on_the_name():
    op = UpdateName(name=ALIAS, key=REF)
    for identity, expected in (
        ([], NO_ID),
        ([ALL], KEY),
        ([ALL, deny(resource="arn:aws:kms:*:*:alias/b*")], DENIED_ID),
    ):
        assert [decide(caller("alice", *identity), held(allow(ALICE)), op, demand=n) for n in (0, 1)] == [expected] * 2


@pytest.mark.parametrize(
    ("who", "identity", "expected"),
    [
        ("root", [], "root"),
        ("alice", [ALL], ID),
        ("alice", [], NO_ID),
        ("alice", [allow(resource=ARN)], ID),
        ("alice", [allow(resource=ARN[:-1] + "c")], NO_ID),
        ("eve", [ALL], NO_KEY),
        ("far-root", [], NO_KEY),
    ],
)
def test_absence_is_told_to_those_who_might_use_it(who, identity, expected):
    assert decide(caller(who, *identity), None, DescribeKey(key=REF)) == expected


@pytest.mark.parametrize("who", ["root", "alice", "eve"])
def test_a_key_named_by_a_ciphertext_is_absent_or_forbidden_in_the_same_words(who):
    op = OPERATIONS[A.DECRYPT].__class__(key=KeyRef(AT, id="gone", by_ciphertext=True), ciphertext=b"c")
    absent = decide(caller(who), None, op)
    forbidden = decide(caller(who), held(allow(BOB)), op)
    assert absent == forbidden
    assert absent.startswith("The ciphertext refers to a customer master key that does not exist")


def test_a_refusal_is_said_in_awss_words():
    op = OPERATIONS[A.ENCRYPT]
    words = f"User: {ALICE} is not authorized to perform: kms:Encrypt on resource: {ARN} "
    for target, end in (
        (held(allow(BOB)), "because no resource-based policy allows the kms:Encrypt action"),
        (held(OWN), "because no identity-based policy allows the kms:Encrypt action"),
        (held(deny(ALICE)), "with an explicit deny in a resource-based policy"),
    ):
        with pytest.raises(Exception, match="not authorized") as caught:
            _ask("alice", target, op)
        assert str(caught.value) == words + end
    with pytest.raises(Exception, match="not authorized") as caught:
        _ask("alice", None, OPERATIONS[A.CREATE_KEY])
    assert str(caught.value) == (
        f"User: {ALICE} is not authorized to perform: kms:CreateKey on resource: * "
        "because no identity-based policy allows the kms:CreateKey action"
    )


def _ask(who, target, op):
    from keystead.service.authorize import Authorizer  # noqa: PLC0415 - one use

    return Authorizer().require(caller(who), op.demands()[0], target, op)


# --- properties

WHO = st.sampled_from(["root", "alice", "bob", "app", "eve", "far-root"])
ACTIONS_ASKED = st.sampled_from(sorted(set(OPERATIONS) - {A.WHO_AM_I}))
CONDITIONS = st.sampled_from(
    [
        None,
        {"StringEquals": {"kms:EncryptionContext:app": "billing"}},
        {"StringNotEquals": {"kms:EncryptionContext:app": "billing"}},
        {"Bool": {"aws:SecureTransport": "true"}},
        {"Null": {"kms:RequestAlias": "true"}},
        {"StringLike": {"aws:username": "${aws:username}*"}},
    ]
)
WORDS = st.sampled_from(["kms:*", "*", "kms:Encrypt", "kms:D*", "kms:Create*", "s3:*"])
TO = st.sampled_from([ALICE, BOB, APP, EVE, ROOT, FAR_ROOT, "*", HERE, [ALICE, FAR_ROOT]])
RESOURCES = st.sampled_from(["*", ARN, "arn:aws:kms:*:*:key/*", "arn:aws:kms:us-west-2:*:*"])
KEY_STATEMENTS = st.builds(
    lambda make, to, action, when: make(to, action, when=when), st.sampled_from([allow, deny]), TO, WORDS, CONDITIONS
)
KEY_ALLOW = st.builds(lambda to, action, when: allow(to, action, when=when), TO, WORDS, CONDITIONS)
KEY_DENY = st.builds(lambda to, action, when: deny(to, action, when=when), TO, WORDS, CONDITIONS)
ID_STATEMENTS = st.builds(
    lambda make, action, resource, when: make(action=action, resource=resource, when=when),
    st.sampled_from([allow, deny]),
    WORDS,
    RESOURCES,
    CONDITIONS,
)
RULES = {KEY, ID, BOTH, G1, G1_BOTH, "root", "anyone", "system"}


def _allowed(who, action, key, identity):
    return decide_on(action, caller(who, *identity), held(*key)) in RULES


@given(
    WHO, ACTIONS_ASKED, st.lists(KEY_STATEMENTS, min_size=1, max_size=4), st.lists(ID_STATEMENTS, max_size=3), KEY_DENY
)
def test_an_added_deny_never_allows(who, action, key, identity, more):
    if _allowed(who, action, [*key, more], identity):
        assert _allowed(who, action, key, identity)


@given(
    WHO, ACTIONS_ASKED, st.lists(KEY_STATEMENTS, min_size=1, max_size=4), st.lists(ID_STATEMENTS, max_size=3), KEY_ALLOW
)
def test_an_added_allow_never_denies(who, action, key, identity, more):
    if _allowed(who, action, key, identity):
        assert _allowed(who, action, [more, *key], identity)


@given(WHO, ACTIONS_ASKED, st.lists(KEY_STATEMENTS, min_size=1, max_size=4), st.lists(ID_STATEMENTS, max_size=3))
def test_the_order_of_statements_does_not_matter(who, action, key, identity):
    assert decide_on(action, caller(who, *identity), held(*key)) == decide_on(
        action, caller(who, *reversed(identity)), held(*reversed(key))
    )


@given(
    st.sampled_from(sorted(a for a, r in ACTIONS.items() if r.aws and r.scope is Scope.KEY and a in OPERATIONS)),
    st.data(),
)
def test_a_name_in_another_case_or_with_spaces_is_no_other_action(action, data):
    word = ACTIONS[action].aws
    cased = "".join(c.upper() if data.draw(st.booleans()) else c.lower() for c in word)
    assert aws.compile_identity_policy(document(allow(action=cased))).statements[0].actions == {action}
    spot = data.draw(st.integers(0, len(word)))
    odd = data.draw(st.sampled_from([" ", "\t", "\u00a0", "\u200d", "\ufeff", "\u202e", "\0", "\u212a", "\u0131", "%"]))
    text = document(allow(action=word[:spot] + odd + word[spot:]))
    with pytest.raises(aws.InvalidArgument):
        aws.compile_identity_policy(text)


GRANT_OPS = st.lists(
    st.sampled_from([a for a, r in ACTIONS.items() if r.grantable]), min_size=1, max_size=4, unique=True
)
PAIRS = st.none() | st.dictionaries(st.sampled_from(["app", "App", "tier"]), st.sampled_from(["a", "b"]), max_size=2)


@given(GRANT_OPS, PAIRS, PAIRS, GRANT_OPS, PAIRS, PAIRS, PAIRS)
def test_what_a_grantee_grants_allows_nothing_that_its_own_grant_does_not(ops, equals, subset, more, own, part, asked):
    parent = grant("bob", A.CREATE_GRANT, *ops, context_equals=equals, context_subset=subset)
    create = CreateGrant(key=REF, grantee=ALICE, actions=tuple(more), context_equals=own, context_subset=part)
    if decide(caller("bob"), held(allow(EVE), grants=(parent,)), create) != G1:
        return
    child = grant("alice", *more, id="g2", context_equals=own, context_subset=part)
    for action in set(more) & (OPERATIONS.keys() - {A.CREATE_GRANT, A.RETIRE_GRANT}):
        op = OPERATIONS[action]
        if hasattr(op, "aad"):
            op = type(op)(**{f: getattr(op, f) for f in op.__struct_fields__ if f != "aad"}, aad=asked)
        if decide(caller("alice"), held(allow(EVE), grants=(child,)), op) == "grant g2":
            assert decide(caller("bob"), held(allow(EVE), grants=(parent,)), op) == G1


# --- documents that are none

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)
ELEMENTS = ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"]
OPERATOR = st.sampled_from(
    [
        "StringLike",
        "Bool",
        "IpAddress",
        "DateLessThan",
        "NumericEquals",
        "Null",
        "ForAnyValue:Null",
        "ArnLike",
        "BinaryEquals",
    ]
)
NEARLY = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(ELEMENTS, JSON)
    | {
        "Effect": st.sampled_from(["Allow", "Deny", "allow", ""]) | JSON,
        "Principal": st.just("*") | st.dictionaries(st.sampled_from(["AWS", "Service", "Federated"]), JSON) | JSON,
        "Action": st.text(max_size=12) | st.lists(st.just("kms:*")) | JSON,
        "Resource": st.just("*") | st.text(max_size=12).map("arn:{}".format) | JSON,
        "Condition": st.dictionaries(
            OPERATOR, st.dictionaries(st.just("aws:x"), JSON | st.text(max_size=12).map("${{{}}}".format))
        ),
    },
)


@given(
    st.text()
    | JSON.map(json.dumps)
    | st.fixed_dictionaries(
        {"Statement": st.lists(NEARLY, max_size=2) | NEARLY},
        optional={"Version": st.just("2012-10-17") | JSON, "Id": JSON},
    ).map(json.dumps)
)
def test_whatever_is_no_policy_is_an_invalid_argument(text):
    for read in (aws.compile_identity_policy, aws.principals_of, lambda text: aws.compile_key_policy(text, {})):
        try:
            read(text)
        except aws.InvalidArgument as refused:
            assert refused.detail in ("Policy", aws.BAD_ARN)


GOOD = document(allow("*"))
# fmt: off
MALFORMED = [
    ("", aws.SYNTAX), ("my policy", aws.SYNTAX), ("[]", aws.SYNTAX), ("null", aws.SYNTAX), ('"*"', aws.SYNTAX),
    (GOOD + " x", aws.SYNTAX),
    ('{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}', aws.SYNTAX),
    (GOOD.replace('"Effect": "Allow"', '"Effect": "Deny", "Effect": "Allow"'), aws.SYNTAX),
    (GOOD.replace('"Effect": "Allow"', '"\\u0045ffect": "Deny", "Effect": "Allow"'), aws.SYNTAX),
    (GOOD.replace("2012-10-17", "2012-10-18"), "The policy must contain a valid version string"),
    ('{"Version":"2012-10-17"}', aws.SYNTAX),
    ('{"Version":"2012-10-17","Statement":[]}', "Policy document must contain at least one statement."),
    ('{"Statement":[[]]}', aws.SYNTAX),
    ("[" * 200, aws.SYNTAX), ("[" * 40 + "]" * 40, aws.SYNTAX), ('{"a":' * 40 + "1" + "}" * 40, aws.SYNTAX),
    (GOOD.replace('"*"', "NaN", 1), aws.SYNTAX), (GOOD.replace('"*"', "1e999", 1), aws.SYNTAX),
    (GOOD.replace('"*"', '"\\ud800"', 1), aws.SYNTAX), ("\ud800", aws.SYNTAX),
    (document(allow("*", Extra=1)), aws.SYNTAX), (document(allow("*", sid="x")), aws.SYNTAX),
    (document(allow("*", Sid=1)), aws.SYNTAX),
    (document(allow("*", Sid="a"), allow("*", Sid="a")), "Statement IDs (SID) in a single policy must be unique."),
    (document(allow("*", Effect="allow")), "Invalid effect: allow"), (document(allow("*", Effect="Permit")), "Invalid effect: Permit"),
    ('{"Statement":{"Principal":"*","Action":"kms:*","Resource":"*"}}', "Missing required field Effect"),
    (document(allow(None)), "Missing required field Principal"),
    (document(allow("*", NotPrincipal="*")), aws.SYNTAX), (document(allow("*", NotAction="*")), aws.SYNTAX),
    (document(allow("*", NotResource="*")), aws.SYNTAX),
    (document(allow("*", None)), "Policy statement must contain actions."), (document(allow("*", [])), "Policy statement must contain actions."),
    (document(allow("*", resource=None)), "Policy statement must contain resources."), (document(allow("*", resource=[])), "Policy statement must contain resources."),
    (document(allow("*", resource="key/1")), 'Resource key/1 must be in ARN format or "*".'),
    (document(allow("*", resource=" *")), 'Resource  * must be in ARN format or "*".'),
    *[(document(allow("*", action)), "Actions/Conditions must be prefixed by a vendor, e.g., iam, sdb, ec2, etc.") for action in ("Encrypt", "", "kms:", ":Encrypt", "kms Encrypt", "kms:Encrypt ", "k*:Encrypt")],
    (document(allow("*", {"kms": "x"})), aws.SYNTAX), (document(allow("*", [1])), aws.SYNTAX),
    *[(document(allow(p)), aws.PRINCIPALS) for p in ("alice", "", "**", f"arn:aws:iam::{HERE}:user/*", f"arn:aws:iam::{HERE}:user/a?", f"arn:aws:sts::{HERE}:assumed-role/a/b", f"arn:aws:iam::{HERE}:user/nobody", f" {ROOT}", "11112222333", "1111222233334", "１１１１２２２２３３３３", "logs.amazonaws.com")],
    *[(document(allow(Principal=p)), aws.PRINCIPALS) for p in ({}, {"Service": "*"}, {"Service": ALICE}, {"Service": "logs.example.com"}, {"Federated": "cognito"}, {"AWS": [1]}, {"AWS": {}}, {"aws": "*"})],
    *[(document(allow(Principal=p)), aws.SYNTAX) for p in ("x", 1, ["*"])],
    *[(document(allow("*", when=c)), aws.SYNTAX) for c in ([], "x", {"StringEquals": []}, {"StringEquals": {"aws:x": None}}, {"StringEquals": {"aws:x": {"a": "b"}}}, {"StringEquals": {"aws:x": [[]]}})],
    *[(document(allow("*", when={word: {"aws:x": "1"}})), f"Invalid Condition type : {word}.") for word in ("StringEqualz", "stringequals", "ForAllValues:", "ForAll:StringEquals", "NullIfExists", "ForAnyValue:Null", "ForAllValues:ForAnyValue:StringEquals", "StringEqualsIfExistsIfExists", "")],
    (document(allow("*", when={"StringEquals": {"username": "x"}})), "Actions/Conditions must be prefixed by a vendor, e.g., iam, sdb, ec2, etc."),
    *[(document(allow("*", when={word: {"aws:x": bad}})), None) for word, bad in (("Bool", "yes"), ("Null", "1"), ("NumericEquals", "1e9"), ("NumericEquals", "０"), ("NumericLessThan", ""), ("DateEquals", "today"), ("DateLessThan", "2026-13-01"), ("DateLessThan", "2026-01-01T25:00:00Z"), ("IpAddress", "10.0.0.0/33"), ("IpAddress", "localhost"), ("NotIpAddress", "1.2.3"), ("BinaryEquals", "%%"))],
    *[(document(allow("*", when={"StringEquals": {"aws:x": f"${{{body}}}"}})), f"Invalid policy variable : ${{{body}}}.") for body in ("", "x", "aws:", "aws:x, y", "**")],
    (document(allow("*", Id=1)), aws.SYNTAX),
    (json.dumps({"Id": 1, "Statement": [allow("*")]}), aws.SYNTAX),
    (GOOD + " " * (32 * 1024), "The policy is longer than 32768 bytes."),
]
# fmt: on


@pytest.mark.parametrize(("text", "words"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed(text, words):
    with pytest.raises(aws.InvalidArgument) as refused:
        aws.compile_key_policy(text, {ROOT: HERE, ALICE: "p-alice"})
    assert refused.value.detail == "Policy"
    assert words is None or str(refused.value) == words


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::1:root",
        "arn:aws:iam:::user/a",
        f"arn:aws:iam::{HERE}:group/x",
        f"arn:aws:s3::{HERE}:root",
        f"{ROOT} ",
        "arn:",
    ],
)
def test_an_arn_that_can_be_nobodys(arn):
    with pytest.raises(aws.InvalidArgument) as refused:
        aws.principals_of(document(allow(arn)))
    assert refused.value.detail == str(refused.value) == aws.BAD_ARN


def test_an_identity_policy_names_no_principal():
    for more in ({"Principal": "*"}, {"NotPrincipal": "*"}):
        with pytest.raises(aws.InvalidArgument, match="should not specify a principal"):
            aws.compile_identity_policy(document(allow(**more)))


def test_a_document_of_the_full_size_is_read():
    assert len(aws.compile_key_policy(GOOD + " " * (32 * 1024 - len(GOOD)), {}).statements) == 1


def test_keyless_actions_are_those_without_a_key():
    assert {a for a in KEYLESS if ACTIONS[a].scope is Scope.KEY} == set()
