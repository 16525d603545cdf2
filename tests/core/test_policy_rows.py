"""Rows of research/security.md §4 (groups A, C, J) that a policy decision has to pass; a test a row."""

import json

import pytest
from msgspec.structs import replace
from tests.costs import atmost
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
    HERE,
    IDS,
    KEY_ID,
    NAMES,
    NO_ID,
    NO_KEY,
    NOBODY,
    OPERATIONS,
    PEOPLE,
    REF,
    RING,
    ROOT,
    allow,
    caller,
    decide,
    decide_on,
    deny,
    document,
    grant,
    held,
    key,
    key_policy,
    now_as,
)

from keystead.core import operations as o
from keystead.core.actions import ACTIONS, Action, Scope
from keystead.core.entities import KeyPolicy, PolicyText, PrincipalKind
from keystead.core.errors import Denied, Internal, InvalidArgument
from keystead.core.operations import Demand
from keystead.core.policy import aws, check_lockout
from keystead.core.policy.arn import arn_of, principal_name, resource_arn
from keystead.service.authorize import MAX_PRINCIPALS, Authorizer, _key_document
from keystead.service.held import HeldKey

A = Action
SHAPES = ["kms:*", "*", "kms:Encrypt", "kms:E*", "kms:?ncrypt", "KMS:ENCRYPT", ["s3:*", "kms:Encrypt"]]


@pytest.mark.parametrize("action", SHAPES)
@pytest.mark.parametrize("resource", ["*", ARN, "arn:aws:kms:*:*:key/*", "arn:aws:kms:*", ["arn:aws:s3:::x", ARN]])
def test_row_9_deny_wins_at_every_depth_of_wildcard(action, resource):
    for mine in SHAPES:
        target = held(allow(ALICE, mine, resource=ARN), deny(ALICE, action, resource=resource))
        assert decide_on(A.ENCRYPT, caller("alice"), target) == DENIED_KEY
        asker = caller("alice", allow(action=mine, resource=ARN), deny(action=action, resource=resource))
        assert decide_on(A.ENCRYPT, asker, held()) == DENIED_ID


def test_row_9_a_wildcard_inside_a_segment_does_not_leave_it():
    """CVE-2025-11621: a wildcard in an ARN that reaches another account."""
    elsewhere = f"arn:aws:kms:us-east-2:{ABROAD}:alias/a-1:{HERE}:alias/x"
    for form in ("Resource", "ArnLike"):
        own = f"arn:aws:kms:us-*-1:{HERE}:alias/x"
        statement = allow(resource=own) if form == "Resource" else allow(when={form: {"kms:EncryptionContext:k": own}})
        compiled = aws.compile_identity_policy(document(statement)).statements[0]
        from keystead.core.policy.request import Request  # noqa: PLC0415 - one use

        op = o.Encrypt(key=REF, plaintext=OPERATIONS[A.ENCRYPT].plaintext, aad={"k": elsewhere})
        asked = Request(caller("alice"), A.ENCRYPT, elsewhere, REF, None, op)
        assert not all(test.holds(asked) for test in compiled.tests)


@pytest.mark.parametrize("name", ["ROOT", "Root", "root ", "default", "admin", "*"])
def test_row_10_no_name_of_a_policy_or_principal_is_special(name):
    """CVE-2025-5999, CVE-2025-54996: a policy named like the root policy in another case."""
    for kind in (PrincipalKind.USER, PrincipalKind.ROLE):
        named = replace(PEOPLE["alice"], name=name, principal_kind=kind)
        asker = now_as(caller("alice"), named)
        assert decide_on(A.ENCRYPT, asker, held()) == NO_ID
        assert decide_on(A.CREATE_KEY, asker, held()) == NO_ID
        policies = (PolicyText(name=name, dialect="aws", text=document(allow(action="s3:*"))),)
        asker = now_as(asker, replace(named, policies=policies))
        assert decide_on(A.ENCRYPT, asker, held()) == NO_ID


@pytest.mark.parametrize("text", [ROOT.upper(), ROOT.replace("root", "Root"), ROOT + " ", ROOT + "/", "ROOT", "root"])
def test_row_10_a_principal_is_named_exactly(text):
    assert principal_name(text) is None


def test_row_14_a_name_made_anew_inherits_nothing():
    again = replace(PEOPLE["alice"], id="p-alice-the-second")
    assert arn_of(again) == ALICE
    asker = now_as(caller("alice"), again)
    statements = [allow(ALICE), deny(BOB)]
    assert decide_on(A.ENCRYPT, asker, held(*statements)) == NO_KEY
    assert decide_on(A.ENCRYPT, asker, held(allow(BOB), grants=(grant("alice", A.ENCRYPT),))) == NO_KEY
    retiring = grant("bob", A.ENCRYPT, retiree=ALICE, retiree_id="p-alice")
    assert decide_on(A.RETIRE_GRANT, asker, held(allow(BOB), grants=(retiring,))) == NO_KEY


def test_row_14_every_principal_of_a_policy_is_resolved_when_it_is_put():
    text = document(allow([ALICE, ROOT, HERE]), deny(NotPrincipal={"AWS": [APP, ALICE], "Service": "s3.amazonaws.com"}))
    names = aws.principals_of(text)
    assert [(n.text, n.kind, n.tenant, n.name) for n in names] == [
        (ALICE, PrincipalKind.USER, HERE, "alice"),
        (ROOT, PrincipalKind.ROOT, HERE, ""),
        (HERE, PrincipalKind.ROOT, HERE, ""),
        (APP, PrincipalKind.ROLE, HERE, "app"),
        ("s3.amazonaws.com", PrincipalKind.SERVICE, "", "s3.amazonaws.com"),
    ]
    ids = {name.text: IDS[name.text] for name in names if name.kind is not PrincipalKind.SERVICE}
    aws.compile_key_policy(text, ids)
    for missing in ids:
        with pytest.raises(InvalidArgument, match="invalid principals"):
            aws.compile_key_policy(text, {name: id_ for name, id_ in ids.items() if name != missing})


NOBODYS = f"arn:aws:iam::{HERE}:role/nobody"
IDS[NOBODYS] = "p-nobody"
TARGETS = {
    Scope.KEY: REF,
    Scope.KEYRING: o.KeyringRef(AT),
    Scope.KEY_STORE: o.KeyStoreRef(AT, "cks-1234567890abcdef0"),
    Scope.TENANT: o.TenantRef(HERE),
    Scope.PRINCIPAL: o.PrincipalRef(HERE, PrincipalKind.USER, "alice"),
    Scope.ACCESS_KEY: o.AccessKeyRef(HERE, "AKIA" + "A" * 16),  # not there: denied to everybody
    Scope.OIDC_PROVIDER: o.ProviderRef(HERE, "issuer.example"),
    Scope.POLICY: o.PolicyRef(HERE, "use"),
    Scope.SECRET: o.SecretRef(AT, "a/b"),
    Scope.SYSTEM: o.SystemRef(),
}


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("who", sorted(PEOPLE))
def test_row_35_nobody_may_do_anything_by_default(who, action):
    row = ACTIONS[action]
    op = OPERATIONS.get(action, o.UpdateName(name=ALIAS, key=REF))
    target = held(allow(NOBODYS)) if row.scope is Scope.KEY else None
    asked = Demand(action, TARGETS[row.scope])
    try:
        answer = Authorizer().require(caller(who), asked, target, op)
    except Denied:
        answer = "denied"
    if row.free:
        assert answer == "anyone"
    elif who == "system":
        assert answer == ("system" if row.system else "denied")
    else:
        of_root = (
            who == "root"
            and action not in {Action.ASSUME_ROLE, Action.ASSUME_ROLE_WITH_WEB_IDENTITY, Action.TAG_SESSION}
            and row.scope not in {Scope.KEY, Scope.ACCESS_KEY, Scope.SYSTEM}
        )
        assert answer == ("root" if of_root else "denied")


def test_row_37_nothing_in_the_request_sets_a_fact_of_the_principal_or_the_key():
    """CVE-2026-42999: a request's body merged over what the policy looks at."""
    lies = {
        "aws:PrincipalArn": ROOT,
        "aws:username": "root",
        "kms:CallerAccount": ABROAD,
        "aws:ResourceTag/Env": "test",
        "aws:PrincipalTag/Team": "red",
    }
    for name, lie in lies.items():
        op = o.Encrypt(key=REF, plaintext=OPERATIONS[A.ENCRYPT].plaintext, aad={name: lie, name.lower(): lie})
        target = held(allow(ALICE, when={"StringEquals": {name: lie}}))
        assert decide(caller("alice"), target, op) == NO_KEY
    tagging = o.TagKey(key=REF, tags={"Env": "test"})
    target = held(allow(ALICE, when={"StringEquals": {"aws:ResourceTag/Env": "test"}}))
    assert decide(caller("alice"), target, tagging) == NO_KEY


def test_row_39_deny_beats_allow():
    ways = {
        "the key policy": (allow(ALICE), deny(ALICE)),
        "its account": (allow(ALICE), deny(ROOT)),
        "everyone": (allow(ALICE), deny("*")),
        "everyone but": (allow(ALICE), deny(NotPrincipal={"AWS": [BOB, ROOT]})),
    }
    for way, statements in ways.items():
        asker = caller("alice", allow(action="*"))
        target = held(*statements, grants=(grant("alice", A.ENCRYPT),))
        assert decide_on(A.ENCRYPT, asker, target) == DENIED_KEY, way
    asker = caller("alice", allow(action="*"), deny())
    target = held(allow(ALICE), allow(ROOT), grants=(grant("alice", A.ENCRYPT),))
    assert decide_on(A.ENCRYPT, asker, target) == DENIED_ID


def test_row_40_a_grant_cannot_exceed_the_granter():
    mine = grant("bob", A.ENCRYPT, A.CREATE_GRANT, context_subset={"app": "billing"})
    target = held(allow(ALICE), grants=(mine,))

    def granting(*actions, **constraints):
        op = o.CreateGrant(key=REF, grantee=BOB, actions=actions, **constraints)
        return decide(caller("bob"), target, op)

    assert granting(A.ENCRYPT, context_subset={"app": "billing"}) == "grant g1"
    assert granting(A.ENCRYPT, A.DECRYPT, context_subset={"app": "billing"}) == NO_KEY
    assert granting(A.ENCRYPT) == NO_KEY
    assert granting(A.ENCRYPT, context_subset={"app": "hr"}) == NO_KEY


def test_row_40_a_tenant_cannot_give_what_is_the_installations():
    every = allow(action=["*", "keystead:*", "*:*"])
    for action in (a for a, row in ACTIONS.items() if row.scope is Scope.SYSTEM and a in OPERATIONS):
        assert decide_on(action, caller("alice", every), held()) == NOBODY


# --- row 42: lock-out


def _locked_out(text, who="alice", *identity):
    policy = KeyPolicy(id=KEY_ID, dialect="aws", text=text, principals=key_policy(text).principals)
    try:
        check_lockout(policy, key(), caller(who, *identity), AT)
    except InvalidArgument as refused:
        assert refused.detail == "Policy"
        assert str(refused) == "The new key policy will not allow you to update the key policy in the future."
        return True
    return False


# fmt: off
LOCKOUTS = [
    (document(allow(ALICE)), "alice", [], False),
    (document(allow(ALICE, "kms:PutKeyPolicy")), "alice", [], False),
    (document(allow(ALICE, "kms:Encrypt")), "alice", [], True),
    (document(allow(BOB)), "alice", [], True),
    (document(allow(BOB)), "root", [], True),
    (aws.default_key_policy(HERE), "root", [], False),
    (aws.default_key_policy(HERE), "alice", [], True),
    (aws.default_key_policy(HERE), "alice", [allow()], False),
    (aws.default_key_policy(HERE), "alice", [allow(), deny(action="kms:Put*")], True),
    (document(allow(ALICE), deny(ALICE, "kms:PutKeyPolicy")), "alice", [], True),
    (document(allow(ALICE), deny("*", None, NotAction="kms:Get*")), "alice", [], True),
    (document(allow(ALICE, resource=ARN)), "alice", [], False),
    (document(allow(ALICE, resource=ARN + "x")), "alice", [], True),
    (document(allow(ALICE, when={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})), "alice", [], True),
    (document(allow(ALICE, when={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})), "alice", [], False),
    (document(allow(EVE)), "eve", [allow()], True),
    (document(allow(BOB)), "system", [], not ACTIONS[A.PUT_POLICY].system),
]
# fmt: on


@pytest.mark.parametrize(("text", "who", "identity", "expected"), LOCKOUTS, ids=range(len(LOCKOUTS)))
def test_row_42_a_lock_out_is_found_before_the_policy_is_accepted(text, who, identity, expected):
    assert _locked_out(text, who, *identity) is expected


def test_the_default_policy_is_awss_own():
    assert json.loads(aws.default_key_policy(HERE)) == {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": ROOT},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }


# --- what is kept


def _rule(authorizer, asker, target, action=A.ENCRYPT):
    op = OPERATIONS[action]
    try:
        return authorizer.require(asker, op.demands()[0], target, op)
    except Denied as denied:
        return denied


def test_a_kept_decision_ends_with_the_principal_it_was_made_for():
    authorizer, target = Authorizer(), held()
    mighty = caller("alice", allow())
    assert _rule(authorizer, mighty, target) == _rule(authorizer, mighty, target) == "identity policy"
    assert isinstance(_rule(authorizer, caller("alice"), target), Denied)
    assert _rule(authorizer, mighty, target) == "identity policy"
    for action in (A.CREATE_KEY, A.GENERATE_RANDOM):
        assert _rule(authorizer, mighty, None, action) == "identity policy"
        assert isinstance(_rule(authorizer, caller("alice"), None, action), Denied)


def test_what_rests_on_the_request_is_decided_every_time():
    authorizer = Authorizer()
    target = held(allow(ALICE, when={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}))
    near, far = caller("alice"), caller("alice", source="10.0.0.1")
    far = replace(far, principal=near.principal, rights=near.rights)
    for _ in range(2):
        assert _rule(authorizer, near, target) == "key policy"
        assert isinstance(_rule(authorizer, far, target), Denied)


def test_decisions_kept_are_bounded():
    authorizer, target = Authorizer(), held(allow("*"))
    for n in range(3 * MAX_PRINCIPALS):
        asker = now_as(caller("alice"), replace(PEOPLE["alice"], id=f"p-{n}"))
        assert _rule(authorizer, asker, target) == "key policy"
        assert _rule(authorizer, asker, None, A.WHO_AM_I) == "anyone"
    assert len(target.compiled) <= MAX_PRINCIPALS


def test_keys_with_the_default_policy_share_one_compiled_document():
    before = len(_key_document)
    text = aws.default_key_policy("999988887777")
    for n in range(1000):
        policy = KeyPolicy(
            id=f"k{n}", dialect="aws", text=str(text), principals={"arn:aws:iam::999988887777:root": "999988887777"}
        )
        target = HeldKey(key(id=f"k{n}"), RING, policy, (), NAMES, None)
        assert isinstance(_rule(Authorizer(), caller("alice"), target), Denied)
    assert len(_key_document) == before + 1


def test_a_kept_policy_that_does_not_compile_allows_nothing():
    broken = KeyPolicy(id=KEY_ID, dialect="aws", text="{}", principals={})
    target = HeldKey(key(), RING, broken, (), NAMES, None)
    with pytest.raises(Internal):
        _rule(Authorizer(), caller("root"), target)
    asker = caller("alice")
    policies = (PolicyText(name="p", dialect="klingon", text=document(allow())),)
    with pytest.raises(Internal):
        _rule(Authorizer(), now_as(asker, replace(asker.principal, policies=policies)), held())


@pytest.mark.parametrize(("who", "arn"), [
    ("root", ROOT), ("alice", f"arn:aws:iam::{HERE}:user/alice"), ("app", f"arn:aws:iam::{HERE}:role/app"),
    ("logs", "logs.amazonaws.com"), ("system", "keystead:system/scheduler"),
])  # fmt: skip
def test_arn_of_a_principal(who, arn):
    assert arn_of(PEOPLE[who]) == arn


def test_arn_of_a_principal_is_read_back():
    for who in ("root", "alice", "app", "eve", "far-root", "logs"):
        person, name = PEOPLE[who], principal_name(arn_of(PEOPLE[who]))
        assert name is not None
        assert name.kind is person.principal_kind
        assert name.tenant == ("" if who == "logs" else person.tenant)
        assert name.name == ("" if name.kind is PrincipalKind.ROOT else person.name)


def test_arn_of_a_resource():
    assert resource_arn(AT, f"key/{KEY_ID}") == ARN


@pytest.mark.parametrize("word", ["StringLike", "StringEqualsIgnoreCase", "ArnLike", "StringEquals"])
def test_row_60_many_values_against_many_patterns_are_refused_and_not_counted_out(word):
    """Whoever may put a policy on a key of his own could stop a worker for 6 s with each request."""
    own = [f"arn:*:*:*:*:{n}x*" for n in range(1000)]
    target = held(allow(ALICE), deny("*", when={f"ForAnyValue:{word}": {"kms:EncryptionContextKeys": own}}))
    few, many = ({f"arn:a:b:c:d:{n}": "" for n in range(m)} for m in (50, 2000))
    op = OPERATIONS[A.ENCRYPT]
    assert decide(caller("alice"), target, replace(op, aad=few)) == "key policy"
    with atmost(0.5):
        answer = decide(caller("alice"), target, replace(op, aad=many))
    if word == "StringEquals":  # looked up, not compared one by one
        assert answer == "key policy"
    else:
        assert "more values than" in answer
