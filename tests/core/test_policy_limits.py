# ruff: noqa: E501 - a table
"""Permissions boundaries and session policies, as AWS's published evaluation rules have them.

SA  IAM User Guide, "Policy evaluation for requests within a single account"
PB  "Permissions boundaries for IAM entities"; SP "Session policies"
XA  "Cross-account policy evaluation logic"
PR  element "Principal", "IAM role principals"
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.policies import (
    ALICE,
    APP,
    BOB,
    DENIED_BOUNDARY,
    DENIED_ID,
    DENIED_KEY,
    DENIED_SESSION,
    EVE,
    NO_BOUNDARY,
    NO_ID,
    NO_KEY,
    NO_SESSION,
    ROOT,
    allow,
    caller,
    decide_on,
    deny,
    grant,
    held,
    limited,
)

from keystead.core.actions import Action
from keystead.core.entities import PolicyText, PrincipalKind

A = Action
KEY, ID, BOTH, G1 = "key policy", "identity policy", "key policy and identity policy", "grant g1"
ALL, OWN = allow(), allow(ROOT)
ENCRYPT, DECRYPT, OTHER = allow(action="kms:Encrypt"), allow(action="kms:Decrypt"), allow(action="s3:*")
NO_ENCRYPT = deny(action="kms:Encrypt")
SPARES_ALICE = {"NotPrincipal": {"AWS": [ALICE, ROOT]}, "Principal": None}

# section, who, key policy, identity policies, boundary, session policies, what Encrypt comes to
# fmt: off
DECISIONS = [
    # identity policies and a boundary: what both allow
    ("PB", "alice", [OWN], [ALL], None, None, ID),
    ("PB", "alice", [OWN], [ALL], [ALL], None, ID),
    ("PB", "alice", [OWN], [ALL], [ENCRYPT], None, ID),
    ("PB", "alice", [OWN], [ALL], [DECRYPT], None, NO_BOUNDARY),
    ("PB", "alice", [OWN], [ALL], [OTHER], None, NO_BOUNDARY),
    ("PB", "alice", [OWN], [ENCRYPT], [ALL], None, ID),
    ("PB", "alice", [OWN], [DECRYPT], [ENCRYPT], None, NO_ID),
    ("PB", "alice", [OWN], [], [ALL], None, NO_ID),  # a boundary gives nothing
    ("PB", "alice", [OWN], [ALL], [ALL, NO_ENCRYPT], None, DENIED_BOUNDARY),
    ("PB", "alice", [OWN], [ALL, NO_ENCRYPT], [ALL], None, DENIED_ID),
    ("PB", "alice", [OWN, deny(ALICE)], [ALL], [ALL, NO_ENCRYPT], None, DENIED_KEY),
    ("PB", "app", [OWN], [ALL], [ENCRYPT], None, ID),
    ("PB", "app", [OWN], [ALL], [DECRYPT], None, NO_BOUNDARY),
    ("PB", "alice", [allow(BOB)], [ALL], [ALL], None, NO_KEY),
    ("PB", "alice", [OWN], [ALL], [allow(when={"StringEquals": {"aws:username": "alice"}})], None, ID),
    ("PB", "alice", [OWN], [ALL], [allow(when={"StringEquals": {"aws:username": "bob"}})], None, NO_BOUNDARY),
    ("PB", "alice", [OWN], [ALL], [allow(when={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})], None, ID),
    ("PB", "alice", [OWN], [ALL], [allow(when={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], None, NO_BOUNDARY),
    ("PB", "alice", [OWN], [ALL], [ALL, deny(when={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})], None, DENIED_BOUNDARY),
    # a key policy that names a user gives directly: a boundary does not limit it, a deny in one holds
    ("SA", "alice", [allow(ALICE)], [], [OTHER], None, KEY),
    ("SA", "alice", [allow(ALICE)], [], [DECRYPT], None, KEY),
    ("SA", "alice", [allow("*")], [], [OTHER], None, KEY),
    ("SA", "alice", [allow(ALICE)], [], [ALL, NO_ENCRYPT], None, DENIED_BOUNDARY),
    ("SA", "alice", [allow(ALICE)], [NO_ENCRYPT], [ALL], None, DENIED_ID),
    # one that names a role is limited by the role's boundary and by the session's policies
    ("SA", "app", [allow(APP)], [], None, None, KEY),
    ("SA", "app", [allow(APP)], [], [ENCRYPT], None, KEY),
    ("SA", "app", [allow(APP)], [], [DECRYPT], None, NO_BOUNDARY),
    ("SA", "app", [allow(APP)], [], None, [ENCRYPT], KEY),
    ("SA", "app", [allow(APP)], [], None, [DECRYPT], NO_SESSION),
    ("SA", "app", [allow(APP)], [], [ENCRYPT], [DECRYPT], NO_SESSION),
    ("SA", "app", [allow(APP)], [], [DECRYPT], [ENCRYPT], NO_BOUNDARY),
    ("SA", "app", [allow(APP)], [], [ENCRYPT], [ENCRYPT], KEY),
    # one that gives to everybody gives to the session itself
    ("PR", "app", [allow("*")], [], [OTHER], None, KEY),
    ("PR", "app", [allow("*")], [], None, [OTHER], KEY),
    ("PR", "app", [allow("*", when={"ArnEquals": {"aws:PrincipalArn": APP}})], [], [OTHER], [OTHER], KEY),
    ("PR", "app", [allow("*")], [], None, [ALL, NO_ENCRYPT], DENIED_SESSION),
    ("PR", "app", [allow("*")], [], [ALL, NO_ENCRYPT], None, DENIED_BOUNDARY),
    ("PR", "app", [allow(None, NotPrincipal={"AWS": [ALICE, EVE]})], [], [OTHER], None, NO_BOUNDARY),  # docs/adr/0013
    # session policies: what the role may and they allow
    ("SP", "app", [OWN], [ALL], None, [ALL], ID),
    ("SP", "app", [OWN], [ALL], None, [ENCRYPT], ID),
    ("SP", "app", [OWN], [ALL], None, [DECRYPT], NO_SESSION),
    ("SP", "app", [OWN], [ALL], None, [DECRYPT, ENCRYPT], ID),
    ("SP", "app", [OWN], [DECRYPT], None, [ENCRYPT], NO_ID),  # a session policy gives nothing
    ("SP", "app", [OWN], [], None, [ALL], NO_ID),
    ("SP", "app", [OWN], [ALL], None, [ALL, NO_ENCRYPT], DENIED_SESSION),
    ("SP", "app", [OWN], [ALL], None, [ALL, deny(when={"Bool": {"aws:SecureTransport": "true"}})], DENIED_SESSION),
    ("SP", "app", [OWN], [ALL], [ENCRYPT], [ENCRYPT], ID),
    ("SP", "app", [OWN], [ALL], [ENCRYPT], [DECRYPT], NO_SESSION),
    ("SP", "app", [OWN], [ALL], [DECRYPT], [DECRYPT], NO_BOUNDARY),
    # another account's key needs all of the caller's side, whoever is named
    ("XA", "eve", [allow(EVE)], [ALL], None, None, BOTH),
    ("XA", "eve", [allow(EVE)], [ALL], [ENCRYPT], None, BOTH),
    ("XA", "eve", [allow(EVE)], [ALL], [DECRYPT], None, NO_BOUNDARY),
    ("XA", "eve", [allow("*")], [ALL], [DECRYPT], None, NO_BOUNDARY),
    ("XA", "eve", [allow(EVE)], [ALL], [ALL, NO_ENCRYPT], None, DENIED_BOUNDARY),
    ("XA", "far-app", [allow("*")], [ALL], None, [DECRYPT], NO_SESSION),
    ("XA", "far-app", [allow("*")], [ALL], None, [ENCRYPT], BOTH),
    # a deny with NotPrincipal spares nobody who has a boundary
    ("PB", "alice", [allow(ALICE), deny(None, **SPARES_ALICE)], [], None, None, KEY),
    ("PB", "alice", [allow(ALICE), deny(None, **SPARES_ALICE)], [], [ALL], None, DENIED_KEY),
    # the root of an account has no boundary
    ("PB", "root", [OWN], [], None, None, KEY),
]
# fmt: on


@pytest.mark.parametrize(
    ("who", "statements", "identity", "boundary", "session", "comes_to"), [row[1:] for row in DECISIONS]
)
def test_what_is_decided(who, statements, identity, boundary, session, comes_to):
    asker = limited(caller(who, *identity), boundary=boundary, session=session)
    assert decide_on(A.ENCRYPT, asker, held(*statements)) == comes_to


# fmt: off
@pytest.mark.parametrize(("who", "to", "identity", "boundary", "session", "comes_to"), [
    ("alice", "alice", [], None, None, G1), ("alice", "alice", [], [ENCRYPT], None, G1),
    ("alice", "alice", [], [DECRYPT], None, NO_BOUNDARY), ("app", "app", [], [DECRYPT], None, NO_BOUNDARY),
    ("app", "app", [], None, [DECRYPT], NO_SESSION), ("app", "app", [], [ENCRYPT], [ENCRYPT], G1),
])  # fmt: skip
def test_a_grant_is_limited_by_both(who, to, identity, boundary, session, comes_to):
    """AWS does not say; docs/adr/0013."""
    asker = limited(caller(who, *identity), boundary=boundary, session=session)
    assert decide_on(A.ENCRYPT, asker, held(allow(BOB), grants=(grant(to, A.ENCRYPT),))) == comes_to


@pytest.mark.parametrize(
    ("boundary", "session", "comes_to"),
    [([allow(action="kms:GenerateRandom")], None, ID), ([ENCRYPT], None, NO_BOUNDARY), (None, [ENCRYPT], NO_SESSION)],
)
def test_without_a_key_they_hold_too(boundary, session, comes_to):
    asker = limited(caller("alice", ALL), boundary=boundary, session=session)
    assert decide_on(A.GENERATE_RANDOM, asker, held()) == comes_to


def test_what_no_policy_can_take_away_stays():
    asker = limited(caller("alice"), boundary=[OTHER], session=[OTHER])
    assert decide_on(A.WHO_AM_I, asker, held()) == "anyone"


def test_no_session_policy_left_allows_nothing():
    """A session that was given a managed policy, which is no more."""
    asker = caller("app", ALL)
    asker = replace(asker, rights=replace(asker.rights, session=()))
    assert decide_on(A.ENCRYPT, asker, held()) == NO_SESSION


STATEMENTS = st.lists(
    st.sampled_from([ALL, ENCRYPT, DECRYPT, OTHER, NO_ENCRYPT, deny(), deny(action="s3:*")]), max_size=3
)
LIMIT = st.none() | STATEMENTS.filter(bool)
YES = (KEY, ID, BOTH, G1)


@given(who=st.sampled_from(["alice", "app", "eve"]), identity=STATEMENTS, boundary=LIMIT, session=LIMIT,
       statements=st.lists(st.sampled_from([OWN, allow(ALICE), allow(APP), allow(EVE), allow("*"), deny(BOB)]), min_size=1))  # fmt: skip
def test_a_limit_never_gives_and_a_deny_in_it_always_takes(who, identity, boundary, session, statements):
    target, asker = held(*statements), caller(who, *identity)
    inside = decide_on(A.ENCRYPT, limited(asker, boundary=boundary, session=session), target)
    assert inside not in YES or decide_on(A.ENCRYPT, asker, target) in YES
    for limit in ({"boundary": [*(boundary or [ALL]), deny()]}, {"session": [*(session or [ALL]), deny()]}):
        assert decide_on(A.ENCRYPT, limited(asker, **limit), target) not in YES


def test_whose_policies_they_are_makes_no_difference_to_a_deny():
    """Row 39: of the user's own, of a group's and of a managed policy alike, since they come as one list."""
    asker = caller("alice", ALL)
    text = PolicyText("of a group", "aws", '{"Statement":[{"Effect":"Deny","Action":"kms:*","Resource":"*"}]}')
    asker = replace(asker, rights=replace(asker.rights, policies=(*asker.rights.policies, text)))
    assert decide_on(A.ENCRYPT, asker, held(OWN, allow(ALICE))) == DENIED_ID
    assert asker.principal.principal_kind is PrincipalKind.USER
