"""Grants: KMS Developer Guide, "Grants in AWS KMS"; KMS API Reference, "GrantConstraints", "CreateGrant"."""

import pytest
from msgspec.structs import replace
from tests.policies import (
    ALICE,
    AT,
    BOB,
    KEY_ID,
    NO_KEY,
    OPERATIONS,
    REF,
    TOKEN,
    allow,
    caller,
    decide,
    decide_on,
    grant,
    held,
)

from keystead.core import operations as o
from keystead.core.actions import ACTIONS, Action
from keystead.core.errors import InvalidArgument
from keystead.core.grant_token import INVALID, grant_token
from keystead.core.policy import grants
from keystead.service.authorize import Authorizer

A = Action
PLAIN = OPERATIONS[A.ENCRYPT].plaintext

# equals, subset, context of the request, whether the grant lets it
CONSTRAINTS = [
    (None, None, None, True),
    (None, None, {"a": "1"}, True),
    ({"a": "1"}, None, {"a": "1"}, True),
    ({"a": "1"}, None, {"A": "1"}, True),  # keys of a constraint are not case-sensitive
    ({"a": "x"}, None, {"a": "X"}, False),  # values are
    ({"a": "1"}, None, {"a": "1", "b": "2"}, False),
    ({"a": "1"}, None, {}, False),
    ({"a": "1"}, None, None, False),
    ({"a": "1"}, None, {"a": "2"}, False),
    ({"a": "1"}, None, {"a": "1", "A": "1"}, False),
    ({"\u212a": "1"}, None, {"k": "1"}, False),
    ({"a": "1", "b": "2"}, None, {"b": "2", "a": "1"}, True),
    ({}, None, {}, True),
    ({}, None, {"a": "1"}, False),
    (None, {"a": "1"}, {"a": "1"}, True),
    (None, {"a": "1"}, {"a": "1", "b": "2"}, True),
    (None, {"a": "1"}, {"A": "1", "b": "2"}, True),
    (None, {"a": "1"}, {"a": "2", "A": "1"}, False),
    (None, {"a": "1"}, {"b": "2"}, False),
    (None, {"a": "1"}, None, False),
    (None, {"a": "1", "b": "2"}, {"a": "1"}, False),
    ({"a": "1"}, {"b": "2"}, {"a": "1"}, False),
    ({"a": "1", "b": "2"}, {"b": "2"}, {"a": "1", "b": "2"}, True),
]


@pytest.mark.parametrize(("equals", "subset", "context", "expected"), CONSTRAINTS)
def test_constraints(equals, subset, context, expected):
    one = grant("bob", A.ENCRYPT, context_equals=equals, context_subset=subset)
    op = o.Encrypt(key=REF, plaintext=PLAIN, aad=context)
    assert (decide(caller("bob"), held(allow(ALICE), grants=(one,)), op) == "grant g1") is expected


def test_a_context_of_bytes_satisfies_no_constraint():
    one = grant("bob", A.ENCRYPT, context_subset={"a": "1"})
    op = o.Encrypt(key=REF, plaintext=PLAIN, aad=b"a1")
    assert decide(caller("bob"), held(allow(ALICE), grants=(one,)), op) == NO_KEY


@pytest.mark.parametrize("action", sorted(a for a, row in ACTIONS.items() if row.grantable and a in OPERATIONS))
def test_a_constraint_is_applied_to_operations_with_a_context_and_to_no_other(action):
    one = grant("bob", action, A.ENCRYPT, A.DECRYPT, context_equals={"nobody": "asks"})
    by_constraint = action in grants.CONTEXTUAL or action is A.CREATE_GRANT
    assert decide_on(action, caller("bob"), held(allow(ALICE), grants=(one,))) == (
        NO_KEY if by_constraint else "grant g1"
    )


def test_contextual_actions_are_those_whose_operation_has_a_context():
    with_context = {a for a, op in OPERATIONS.items() if op.context() is not None}
    assert with_context | {A.RE_ENCRYPT_FROM, A.RE_ENCRYPT_TO} == grants.CONTEXTUAL


def test_each_side_of_a_re_encryption_is_held_to_the_constraint():
    one = grant("bob", A.RE_ENCRYPT_FROM, A.RE_ENCRYPT_TO, context_equals={"a": "1"})
    op = o.ReEncrypt(source=REF, destination=REF, ciphertext=b"c", source_aad={"a": "1"}, destination_aad={"a": "2"})
    target = held(allow(ALICE), grants=(one,))
    assert [decide(caller("bob"), target, op, demand=n) for n in (0, 1)] == ["grant g1", NO_KEY]


def test_one_grant_that_lets_it_is_enough_and_is_named():
    several = (
        grant("bob", A.DECRYPT, id="g0"),
        grant("bob", A.ENCRYPT, id="g1", context_equals={"a": "1"}),
        grant("bob", A.ENCRYPT, id="g2", context_subset={"app": "billing"}),
    )
    assert decide_on(A.ENCRYPT, caller("bob"), held(allow(ALICE), grants=several)) == "grant g2"


def test_a_grant_follows_the_principal_and_not_its_name():
    stale = grant("bob", A.ENCRYPT, grantee_id="p-bob-of-old")
    assert stale.grantee == BOB
    assert decide_on(A.ENCRYPT, caller("bob"), held(allow(ALICE), grants=(stale,))) == NO_KEY


# --- creating by right of a grant: parent (actions, equals, subset), child (the same), whether it exceeds
E, D, C = A.ENCRYPT, A.DECRYPT, A.CREATE_GRANT
EXCEEDING = [
    ((E, D, C), None, None, (E,), None, None, False),
    ((E, D, C), None, None, (E, D, C), None, None, False),
    ((E, C), None, None, (D,), None, None, True),
    ((E, C), None, None, (E, A.DESCRIBE_KEY), None, None, True),
    ((E, C), None, None, (E,), {"a": "1"}, None, False),
    ((E, C), {"a": "1"}, None, (E,), None, None, True),
    ((E, C), {"a": "1"}, None, (E,), {"a": "1"}, None, False),
    ((E, C), {"a": "1"}, None, (E,), {"A": "1"}, None, False),
    ((E, C), {"a": "1"}, None, (E,), {"a": "2"}, None, True),
    ((E, C), {"a": "1"}, None, (E,), {"a": "1", "b": "2"}, None, True),
    ((E, C), {"a": "1"}, None, (E,), None, {"a": "1"}, True),
    ((E, C), None, {"a": "1"}, (E,), None, None, True),
    ((E, C), None, {"a": "1"}, (E,), None, {"a": "1"}, False),
    ((E, C), None, {"a": "1"}, (E,), None, {"a": "1", "b": "2"}, False),
    ((E, C), None, {"a": "1"}, (E,), None, {"b": "2"}, True),
    ((E, C), None, {"a": "1"}, (E,), {"a": "1", "b": "2"}, None, False),
    ((E, C), None, {"a": "1"}, (E,), {"b": "2"}, None, True),
    ((E, C), None, {"a": "1"}, (E,), {"b": "2"}, {"a": "1"}, True),
    ((E, C), {"a": "1"}, {"a": "1"}, (E,), {"a": "1"}, None, False),
]


@pytest.mark.parametrize(("actions", "equals", "subset", "more", "own", "part", "expected"), EXCEEDING)
def test_a_grant_made_by_right_of_a_grant(actions, equals, subset, more, own, part, expected):
    parent = grant("bob", *actions, context_equals=equals, context_subset=subset)
    op = o.CreateGrant(key=REF, grantee=ALICE, actions=more, context_equals=own, context_subset=part)
    assert grants.exceeds(parent, op) is expected
    assert decide(caller("bob"), held(allow(ALICE), grants=(parent,)), op) == (NO_KEY if expected else "grant g1")
    assert decide(caller("bob"), held(allow(BOB), grants=(parent,)), op) == "key policy"


# --- tokens


def _tokens(*tokens, on=None):
    op = replace(OPERATIONS[A.ENCRYPT], grant_tokens=tokens)
    Authorizer().check_tokens(op, (on if on is not None else held(grants=(grant("bob", A.ENCRYPT),)),))


def test_a_token_of_a_grant_on_the_target_is_known():
    _tokens()
    _tokens(TOKEN)
    _tokens(TOKEN, TOKEN)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "bogus",
        TOKEN[:-1],
        TOKEN + "A",
        grant_token((AT, KEY_ID, "g1"), b"\1" * 32),
        grant_token((AT, KEY_ID, "g2"), bytes(32)),
        "\ud800",
    ],
)
def test_another_token_is_refused(token):
    with pytest.raises(InvalidArgument) as refused:
        _tokens(TOKEN, token)
    assert refused.value.detail == INVALID


def test_a_token_of_a_grant_that_is_gone_is_refused():
    with pytest.raises(InvalidArgument):
        _tokens(TOKEN, on=held())


def test_either_target_of_a_re_encryption_may_know_the_token():
    op = replace(
        o.ReEncrypt(source=REF, destination=REF, ciphertext=b"c"),
        grant_tokens=(TOKEN,),
    )
    with_grant = held(grants=(grant("bob", A.RE_ENCRYPT_TO),))
    Authorizer().check_tokens(op, (held(), with_grant))
    with pytest.raises(InvalidArgument):
        Authorizer().check_tokens(op, (held(), None))


def test_a_token_gives_no_right():
    op = replace(OPERATIONS[A.ENCRYPT], grant_tokens=(TOKEN,))
    assert decide(caller("alice"), held(allow(BOB), grants=(grant("bob", A.ENCRYPT),)), op) == NO_KEY
