# ruff: noqa: E501, RUF001 - tables, and digits of another script
"""The decisions of tests/decisions.py, asked of the policy engine; properties; documents that are no policy."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.decisions import ALL, BOTH, DECISIONS, G1, G1_BOTH, ID, KEY, OWN
from tests.policies import (
    ALIAS,
    ALICE,
    APP,
    ARN,
    AT,
    BOB,
    DENIED_ID,
    EVE,
    FAR_ROOT,
    HERE,
    KEYLESS,
    NO_ID,
    NO_KEY,
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
    (document(allow(None)), "Policy contains a statement with no principal."),
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
