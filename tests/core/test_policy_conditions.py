# ruff: noqa: E501 - tables, and letters of another script
"""Every condition operator and every condition key.

IAM User Guide, "Condition operators", "Single-valued vs. multivalued context keys"; KMS Developer Guide, "AWS KMS
condition keys"; IAM User Guide, "AWS global condition context keys".
"""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.costs import atmost
from tests.decisions import KEYS, MANY, SINGLE, C
from tests.policies import (
    ABROAD,
    ALIAS,
    ALICE,
    APP,
    ARN,
    BOB,
    HERE,
    NAMES,
    OPERATIONS,
    REF,
    caller,
    grant,
    key,
    now_as,
)

from keystead.core import operations as o
from keystead.core.actions import Action
from keystead.core.algorithms import Purpose, Word
from keystead.core.entities import Origin, PrincipalKind
from keystead.core.errors import InvalidArgument
from keystead.core.policy import pattern
from keystead.core.policy.conditions import OPERATORS, compile_condition
from keystead.core.policy.facts import FACTS, fact
from keystead.core.policy.request import Request, Subject

A = Action


def request(action=A.ENCRYPT, who="alice", *, op=None, kept=None, grants=(), target=None, **circumstances):
    op = op or OPERATIONS[action]
    about = Subject(key=kept or key(), names=NAMES, grants=grants) if target is None else None
    demanded = target or op.demands()[0].target
    return Request(caller(who, **circumstances), action, ARN, demanded, about, op)


ASSUME = o.AssumeRole(principal=o.PrincipalRef(HERE, PrincipalKind.ROLE, "app"), session_name="s1", external_id="x1")


def encrypting(**context):
    return request(op=o.Encrypt(key=REF, plaintext=OPERATIONS[A.ENCRYPT].plaintext, aad=context))


def holds(word, name, values, asked, *, variables=True, allowing=True):
    values = values if isinstance(values, list) else [values]
    return compile_condition(word, name, values, variables=variables, allowing=allowing).holds(asked)


def test_every_operator_has_a_row():
    assert {row[0] for row in SINGLE} == set(OPERATORS)


@pytest.mark.parametrize(("word", "value", "yes", "no"), SINGLE, ids=[f"{r[0]}-{n}" for n, r in enumerate(SINGLE)])
def test_operator(word, value, yes, no):
    assert [v for v in yes if not holds(word, C, value, encrypting(k=v))] == []
    assert [v for v in no if holds(word, C, value, encrypting(k=v))] == []


@pytest.mark.parametrize("word", OPERATORS)
def test_a_missing_key_fulfils_what_is_negated_and_if_exists(word):
    value = next(row[1] for row in SINGLE if row[0] == word)
    negated = "Not" in word
    assert holds(word, C, value, encrypting()) is negated
    assert holds(f"{word}IfExists", C, value, encrypting()) is True
    assert holds(f"ForAllValues:{word}", C, value, encrypting()) is True
    assert holds(f"ForAllValues:{word}IfExists", C, value, encrypting()) is True
    assert holds(f"ForAnyValue:{word}", C, value, encrypting()) is False
    assert holds(f"ForAnyValue:{word}IfExists", C, value, encrypting()) is True


@pytest.mark.parametrize(("word", "value", "yes", "no"), SINGLE, ids=[f"{r[0]}-{n}" for n, r in enumerate(SINGLE)])
def test_if_exists_and_quantifiers_change_nothing_for_the_one_value_there_is(word, value, yes, no):
    for form in (f"{word}IfExists", f"ForAllValues:{word}", f"ForAnyValue:{word}", f"ForAnyValue:{word}IfExists"):
        assert all(holds(form, C, value, encrypting(k=v)) for v in yes)
        assert not any(holds(form, C, value, encrypting(k=v)) for v in no)


@pytest.mark.parametrize(("word", "values", "asked", "expected"), MANY, ids=range(len(MANY)))
def test_many_values(word, values, asked, expected):
    assert holds(word, KEYS, values, encrypting(**dict.fromkeys(asked, "x"))) is expected


# --- variables


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${aws:username}", "alice"),
        ("${AWS:UserName}", "alice"),
        ("x-${aws:username}-y", "x-alice-y"),
        ("${aws:PrincipalTag/Team}", "blue"),
        ("${aws:PrincipalTag/team}", "blue"),
        ("${aws:PrincipalTag/None, 'red'}", "red"),
        ("${aws:PrincipalTag/None, ''}", ""),
        ("${aws:PrincipalTag/Team, 'red'}", "blue"),
        ("${*}${?}${$}", "*?$"),
        ("$", "$"),
        ("$aws:username", "$aws:username"),
        ("{aws:username}", "{aws:username}"),
        ("${aws:username", "${aws:username"),
    ],
)
def test_a_variable_stands_for_its_value(value, expected):
    for word in ("StringEquals", "StringLike", "StringEqualsIgnoreCase"):
        assert holds(word, C, value, encrypting(k=expected))
        assert not holds(word, C, value, encrypting(k=expected + "x"))


def test_variables_came_with_a_version():
    asked = encrypting(k="${aws:username}")
    assert holds("StringEquals", C, "${aws:username}", asked, variables=False)
    assert not holds("StringEquals", C, "${aws:username}", asked)
    assert holds("StringLike", C, "${a*}", encrypting(k="${abc}"), variables=False)


def test_a_wildcard_in_the_value_of_a_variable_is_none():
    asked = replace(encrypting(k="red"), caller=caller("alice"))
    principal = replace(asked.caller.principal, tags={"Team": "r*"})
    asked = replace(asked, caller=now_as(asked.caller, principal))
    assert not holds("StringLike", C, "${aws:PrincipalTag/Team}", asked)
    principal = replace(principal, tags={"Team": "r"})
    asked = replace(asked, caller=now_as(asked.caller, principal))
    assert holds("StringLike", C, "${aws:PrincipalTag/Team}*", asked)


def test_a_colon_in_the_value_of_a_variable_makes_no_component():
    asked = encrypting(k="arn:aws:iam::1:user/x")
    principal = replace(asked.caller.principal, tags={"T": "iam::1"})
    asked = replace(asked, caller=now_as(asked.caller, principal))
    assert holds("StringLike", C, "arn:aws:${aws:PrincipalTag/T}:user/x", asked)
    assert not holds("ArnLike", C, "arn:aws:*:${aws:PrincipalTag/T}:*:user/x", asked)


@pytest.mark.parametrize(
    ("word", "allowing", "expected"),
    [
        ("StringEquals", True, False),
        ("StringEquals", False, False),
        ("StringNotEquals", True, False),
        ("StringNotEquals", False, True),
    ],
)
def test_a_variable_without_a_value_gives_no_right(word, allowing, expected):
    for asked in (encrypting(k="x"), encrypting(k="")):
        assert holds(word, C, "${aws:PrincipalTag/None}", asked, allowing=allowing) is expected


@pytest.mark.parametrize(
    "text",
    ["${aws:username" + " " * 32_000 + "!}", "${" + " " * 32_000 + "x}", "${a:b,'" + "x" * 32_000, "${" * 16_000],
)
def test_row_60_a_variable_takes_no_time(text):
    """Whoever may put a policy could stop a worker for 15 s with the first of these."""
    with atmost(0.5), suppress(InvalidArgument):
        pattern.parse(text, variables=True, wildcards=True)


def test_row_60_a_pattern_of_stars_takes_no_time():
    many = "*a" * 500 + "*b"
    assert not holds("StringLike", C, many, encrypting(k="a" * 4000))


LITERAL = st.text(alphabet="ab*?:/.", max_size=8)


@given(LITERAL, st.text(alphabet="ab:/.", max_size=10))
def test_globs_are_what_the_simplest_matcher_says(own, value):
    def simple(p, v):
        if not p:
            return not v
        if p[0] == "*":
            return any(simple(p[1:], v[n:]) for n in range(len(v) + 1))
        return bool(v) and p[0] in ("?", v[0]) and simple(p[1:], v[1:])

    assert pattern.glob(own)(value) is simple(own, value)


# --- condition keys

RSA = key(
    spec_name="RSA_2048", purpose=Purpose.SIGNATURE, origin=Origin.EXTERNAL, id=f"mrk-{'0' * 32}@1", is_primary=True
)
REPLICA = replace(RSA, is_primary=False)
RELATED = replace(OPERATIONS[A.CREATE_KEY], multi_region=True)
RSA_CIPHER = key(spec_name="RSA_2048", purpose=Purpose.CIPHER)
HMAC = key(spec_name="HMAC_256", purpose=Purpose.MAC)
EC = key(spec_name="EC_P256", purpose=Purpose.AGREEMENT)
G = grant("bob", A.DECRYPT, retiree=APP, retiree_id="p-app", context_subset={"app": "hr"})
BY_ALIAS = o.DescribeKey(key=ALIAS)
WHO, USE = o.PrincipalRef(HERE, PrincipalKind.USER, "bob"), f"arn:aws:iam::{HERE}:policy/team/use"
ATTACHING = o.AttachUserPolicy(principal=WHO, policy=o.PolicyRef(HERE, "use", "/team/"))
BOUNDING = o.PutUserBoundary(principal=WHO, boundary=o.PolicyRef(HERE, "use", "/team/"))
CONSTRAINED = replace(OPERATIONS[A.CREATE_GRANT], context_equals={"app": "hr"})
BARE_GRANT = replace(OPERATIONS[A.CREATE_GRANT], retiree=None)
RE = o.ReEncrypt(
    source=REF,
    destination=REF,
    ciphertext=b"c",
    source_aad={"a": "1"},
    destination_aad={"b": "2"},
    destination_algorithm=Word("aws", "RSAES_OAEP_SHA_1"),
)
# fmt: off
VALUES = [
    ("aws:SourceIp", request(), ("203.0.113.7",)), ("aws:SourceIp", request(source=""), ()),
    ("aws:CurrentTime", request(), ("2026-11-25T12:00:00+00:00",)), ("aws:EpochTime", request(), ("1795608000",)),
    ("aws:SecureTransport", request(), ("true",)), ("aws:SecureTransport", request(secure=False), ("false",)),
    ("aws:RequestedRegion", request(), ("us-east-1",)), ("aws:ViaAWSService", request(), ("false",)),
    ("aws:PrincipalArn", request(), (ALICE,)), ("aws:PrincipalArn", request(who="root"), (f"arn:aws:iam::{HERE}:root",)),
    ("aws:PrincipalArn", request(who="app"), (APP,)), ("aws:PrincipalAccount", request(who="eve"), (ABROAD,)),
    ("aws:PrincipalType", request(), ("User",)), ("aws:PrincipalType", request(who="root"), ("Account",)),
    ("aws:PrincipalType", request(who="app"), ("AssumedRole",)), ("aws:PrincipalType", request(who="logs"), ()),
    ("aws:PrincipalIsAWSService", request(), ("false",)),
    ("aws:userid", request(), ("p-alice",)), ("aws:userid", request(who="root"), (HERE,)),
    ("aws:userid", request(who="app", session="s1", ends_at=1), ("p-app:s1",)), ("aws:userid", request(who="app"), ("p-app",)),
    ("aws:TokenIssueTime", request(began_at=1795608000, ends_at=1795611600), ("2026-11-25T12:00:00+00:00",)), ("aws:TokenIssueTime", request(), ()),
    ("aws:MultiFactorAuthPresent", request(ends_at=1795611600), ("false",)), ("aws:MultiFactorAuthPresent", request(), ()),
    ("sts:ExternalId", request(A.ASSUME_ROLE, op=ASSUME), ("x1",)), ("sts:ExternalId", request(A.ENCRYPT), ()),
    ("sts:RoleSessionName", request(A.ASSUME_ROLE, op=ASSUME), ("s1",)), ("sts:RoleSessionName", request(), ()),
    ("aws:username", request(), ("alice",)), ("aws:username", request(who="root"), ()), ("aws:username", request(who="app"), ()),
    ("aws:PrincipalTag/Team", request(), ("blue",)), ("aws:principaltag/TEAM", request(), ("blue",)), ("aws:PrincipalTag/x", request(), ()),
    ("aws:ResourceAccount", request(who="eve"), (HERE,)), ("aws:ResourceAccount", request(A.CREATE_KEY, who="eve", target=o.KeyringRef("x")), (ABROAD,)),
    ("aws:ResourceTag/Env", request(), ("prod",)), ("aws:ResourceTag/Env", request(A.LIST_KEYS, target=o.KeyringRef("x")), ()),
    ("aws:RequestTag/Cost", request(A.TAG_KEY), ("low",)), ("aws:RequestTag/cost", request(A.TAG_KEY), ("low",)), ("aws:RequestTag/Cost", request(), ()),
    ("aws:TagKeys", request(A.TAG_KEY), ("Cost", "Env")), ("aws:TagKeys", request(A.UNTAG_KEY), ("Env",)), ("aws:TagKeys", request(), ()),
    ("kms:CallerAccount", request(who="eve"), (ABROAD,)), ("kms:ViaService", request(), ()),
    ("kms:PolicyName", request(A.READ_POLICY), ("default",)), ("kms:PolicyName", request(A.PUT_POLICY), ("default",)), ("kms:PolicyName", request(), ()),
    ("kms:KeySpec", request(), ("SYMMETRIC_DEFAULT",)), ("kms:KeySpec", request(kept=RSA), ("RSA_2048",)),
    ("kms:KeySpec", request(A.CREATE_KEY, target=o.KeyringRef("x")), ("RSA_2048",)), ("kms:KeySpec", request(A.LIST_KEYS, target=o.KeyringRef("x")), ()),
    ("kms:KeyUsage", request(), ("ENCRYPT_DECRYPT",)), ("kms:KeyUsage", request(kept=RSA), ("SIGN_VERIFY",)),
    ("kms:KeyUsage", request(kept=HMAC), ("GENERATE_VERIFY_MAC",)), ("kms:KeyUsage", request(kept=EC), ("KEY_AGREEMENT",)),
    ("kms:KeyUsage", request(A.CREATE_KEY, target=o.KeyringRef("x")), ("SIGN_VERIFY",)),
    ("kms:KeyOrigin", request(), ("AWS_KMS",)), ("kms:KeyOrigin", request(kept=RSA), ("EXTERNAL",)), ("kms:KeyOrigin", request(A.CREATE_KEY, target=o.KeyringRef("x")), ("AWS_KMS",)),
    ("kms:WrappingAlgorithm", request(A.PREPARE_IMPORT), ("RSAES_OAEP_SHA_256",)), ("kms:WrappingKeySpec", request(A.PREPARE_IMPORT), ("RSA_4096",)),
    ("kms:ExpirationModel", request(A.IMPORT_MATERIAL), ("KEY_MATERIAL_EXPIRES",)), ("kms:ValidTo", request(A.IMPORT_MATERIAL), ("2026-12-01T00:00:00+00:00",)),
    ("kms:ExpirationModel", request(op=o.ImportMaterial(key=REF, ticket=b"t", wrapped=b"w"), action=A.IMPORT_MATERIAL), ("KEY_MATERIAL_DOES_NOT_EXPIRE",)),
    ("kms:ValidTo", request(op=o.ImportMaterial(key=REF, ticket=b"t", wrapped=b"w"), action=A.IMPORT_MATERIAL), ()), ("kms:ExpirationModel", request(), ()),
    ("kms:MultiRegion", request(), ("false",)), ("kms:MultiRegion", request(kept=RSA), ("true",)),
    ("kms:ReplicaRegion", request(A.REPLICATE_KEY), ("eu-west-2",)), ("kms:ReplicaRegion", request(A.CHANGE_PRIMARY), ()), ("kms:ReplicaRegion", request(), ()),
    ("kms:PrimaryRegion", request(A.CHANGE_PRIMARY), ("eu-west-2",)), ("kms:PrimaryRegion", request(A.REPLICATE_KEY), ()), ("kms:PrimaryRegion", request(), ()),
    ("aws:RequestedRegion", request(target=o.KeyRef("aws:1:eu-west-2", id="x")), ("eu-west-2",)),
    ("kms:MultiRegionKeyType", request(kept=RSA), ("PRIMARY",)), ("kms:MultiRegionKeyType", request(kept=REPLICA), ("REPLICA",)), ("kms:MultiRegionKeyType", request(), ()),
    ("kms:MultiRegionKeyType", request(A.CREATE_KEY, target=o.KeyringRef("x")), ()), ("kms:MultiRegionKeyType", request(A.CREATE_KEY, target=o.KeyringRef("x"), op=RELATED), ("PRIMARY",)),
    ("kms:RequestAlias", request(op=BY_ALIAS), ("alias/billing",)), ("kms:RequestAlias", request(), ()),
    ("kms:ResourceAliases", request(), ("alias/billing",)),
    ("kms:EncryptionContextKeys", request(), ("app", "Tier")), ("kms:EncryptionContextKeys", request(A.SIGN), ()),
    ("kms:EncryptionContextKeys", request(A.RE_ENCRYPT_FROM, op=RE), ("a",)), ("kms:EncryptionContextKeys", request(A.RE_ENCRYPT_TO, op=RE), ("b",)),
    ("kms:EncryptionContextKeys", request(op=CONSTRAINED, action=A.CREATE_GRANT), ("app",)),
    ("kms:EncryptionContext:app", request(), ("billing",)), ("kms:encryptioncontext:APP", request(), ("billing",)),
    ("kms:EncryptionContext:tier", request(), ("gold",)), ("kms:EncryptionContext:x", request(), ()), ("kms:EncryptionContext:app", request(A.SIGN), ()),
    ("kms:EncryptionContext:app", encrypting(app="a", App="b"), ("a",)), ("kms:EncryptionContext:APP", encrypting(app="a", App="b"), ("a", "b")),
    ("kms:EncryptionContext:\u212a", encrypting(k="a"), ()),
    ("kms:EncryptionContext:app", request(A.RETIRE_GRANT, grants=(G,)), ("hr",)), ("kms:EncryptionContext:app", request(A.RETIRE_GRANT), ()),
    ("kms:EncryptionAlgorithm", request(), ("SYMMETRIC_DEFAULT",)), ("kms:EncryptionAlgorithm", request(A.GENERATE_DATA_KEY), ("SYMMETRIC_DEFAULT",)),
    ("kms:EncryptionAlgorithm", request(A.DESCRIBE_KEY), ()), ("kms:EncryptionAlgorithm", request(A.SIGN, kept=RSA), ()),
    ("kms:EncryptionAlgorithm", request(A.RE_ENCRYPT_TO, op=RE, kept=RSA_CIPHER), ("RSAES_OAEP_SHA_1",)),
    ("kms:EncryptionAlgorithm", request(A.RE_ENCRYPT_FROM, op=RE), ("SYMMETRIC_DEFAULT",)),
    ("kms:SigningAlgorithm", request(A.SIGN), ("ECDSA_SHA_256",)), ("kms:SigningAlgorithm", request(), ()),
    ("kms:MacAlgorithm", request(A.GENERATE_MAC, kept=HMAC), ("HMAC_SHA_256",)), ("kms:MacAlgorithm", request(A.SIGN), ()),
    ("kms:KeyAgreementAlgorithm", request(A.DERIVE_SHARED_SECRET, kept=EC), ("ECDH",)),
    ("kms:MessageType", request(A.SIGN), ("DIGEST",)), ("kms:MessageType", request(A.VERIFY), ("RAW",)), ("kms:MessageType", request(), ()),
    ("kms:DataKeyPairSpec", request(A.GENERATE_DATA_KEY_PAIR), ("RSA_2048",)), ("kms:DataKeyPairSpec", request(), ()),
    ("kms:ScheduleKeyDeletionPendingWindowInDays", request(A.SCHEDULE_DESTRUCTION), ("7",)),
    ("kms:TrailingDaysWithoutKeyUsage", request(A.SCHEDULE_DESTRUCTION), ("0",)), ("kms:TrailingDaysWithoutKeyUsage", request(A.DISABLE_KEY), ("0",)),
    ("kms:TrailingDaysWithoutKeyUsage", request(), ()), ("kms:TrailingDaysWithoutKeyUsage", request(A.SCHEDULE_DESTRUCTION, target=REF), ()),
    ("kms:ReEncryptOnSameKey", request(A.RE_ENCRYPT_FROM, op=RE), ("true",)), ("kms:ReEncryptOnSameKey", request(A.RE_ENCRYPT_TO, op=RE), ("true",)),
    ("kms:ReEncryptOnSameKey", request(), ()), ("kms:ReEncryptOnSameKey", request(A.RE_ENCRYPT_FROM, op=RE, target=REF), ()),
    ("kms:CustomerMasterKeySpec", request(), ("SYMMETRIC_DEFAULT",)), ("kms:CustomerMasterKeyUsage", request(A.SIGN, kept=EC), ("KEY_AGREEMENT",)),
    ("kms:RotationPeriodInDays", request(A.ENABLE_ROTATION), ("90",)), ("kms:RotationPeriodInDays", request(op=o.EnableRotation(key=REF), action=A.ENABLE_ROTATION), ("180",)),
    ("kms:RotationPeriodInDays", request(op=o.EnableRotation(key=REF), action=A.ENABLE_ROTATION, kept=key(rotation=None)), ("365",)),
    ("kms:BypassPolicyLockoutSafetyCheck", request(A.PUT_POLICY), ("false",)), ("kms:BypassPolicyLockoutSafetyCheck", request(), ()),
    ("kms:GrantIsForAWSResource", request(A.CREATE_GRANT), ("false",)), ("kms:GrantIsForAWSResource", request(), ()),
    ("kms:GrantOperations", request(A.CREATE_GRANT), ("Encrypt", "Decrypt")), ("kms:GrantOperations", request(A.RETIRE_GRANT, grants=(G,)), ("Decrypt",)), ("kms:GrantOperations", request(), ()),
    ("kms:GranteePrincipal", request(A.CREATE_GRANT), (BOB,)), ("kms:GranteePrincipal", request(A.RETIRE_GRANT, grants=(G,)), (BOB,)),
    ("kms:RetiringPrincipal", request(A.CREATE_GRANT), (APP,)), ("kms:RetiringPrincipal", request(A.CREATE_GRANT, op=BARE_GRANT), ()),
    ("kms:GrantConstraintType", request(A.CREATE_GRANT), ()), ("kms:GrantConstraintType", request(A.CREATE_GRANT, op=CONSTRAINED), ("EncryptionContextEquals",)),
    ("kms:GrantConstraintType", request(A.RETIRE_GRANT, grants=(G,)), ("EncryptionContextSubset",)),
    ("iam:PolicyARN", request(A.ATTACH_USER_POLICY, op=ATTACHING), (USE,)), ("iam:PolicyARN", request(), ()),
    ("iam:PermissionsBoundary", request(A.PUT_USER_BOUNDARY, op=BOUNDING), (USE,)),
    ("iam:PermissionsBoundary", replace(request(A.ATTACH_USER_POLICY, op=ATTACHING), boundary=ARN), (ARN,)),
    ("iam:PermissionsBoundary", request(A.ATTACH_USER_POLICY, op=ATTACHING), ()),
    ("aws:FederatedProvider", request(provider="arn:aws:iam::1:oidc-provider/x"), ("arn:aws:iam::1:oidc-provider/x",)), ("aws:FederatedProvider", request(), ()),
    ("kms:RecipientAttestation:PCR0", request(), ()), ("aws:MultiFactorAuthPresent", request(), ()), ("x:y", request(), ()),
]
# fmt: on


@pytest.mark.parametrize(("name", "asked", "values"), VALUES, ids=[f"{r[0]}-{n}" for n, r in enumerate(VALUES)])
def test_value_of_a_condition_key(name, asked, values):
    assert fact(name).read(asked) == values


def test_every_condition_key_has_a_row_with_a_value():
    assert {n.lower() for n, _, v in VALUES if v or n == "kms:ViaService"} >= FACTS.keys()


def test_a_fact_called_stable_is_the_same_whatever_is_asked():
    early = request(source="10.0.0.1", now=datetime(2020, 1, 1, tzinfo=UTC), secure=False, session="s1", ends_at=1)
    other = replace(encrypting(other="x"), target=ALIAS)
    for name, row in FACTS.items():
        if row.stable:
            assert row.read(early) == row.read(request()) == row.read(other), name
