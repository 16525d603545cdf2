"""The decisions of tests/decisions.py through the AWS door: signed requests, what was answered, what is on record."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decisions import DECISIONS, KEYS, MANY, SINGLE, C
from tests.doors.aws_kms.asking import CIPHER, GRANT_IDS, WHO, WIRE, A, World, of_this_key
from tests.harness import OTHER_TENANT
from tests.policies import ALICE, ELSEWHERE, ENDS, NO_KEY, allow, deny, document, grant

from keystead.core.policy import aws

OF_THE_CALLERS_ACCOUNT = {a for a, wire in WIRE.items() if wire.kind is None or wire.names_key != "KeyId"}


def reachable(row: tuple[Any, ...]) -> bool:
    """Services and the scheduler are no callers of this door; what it has no operation for is not asked of it."""
    _, who, action, *_ = row
    abroad = who in WHO and WHO[who][0] == OTHER_TENANT
    return who in WHO and action in WIRE and not (abroad and action in OF_THE_CALLERS_ACCOUNT)


ROWS = [row for row in DECISIONS if reachable(row)]


def test_at_least_two_hundred_decisions_are_asked_at_the_door() -> None:
    assert len(ROWS) >= 200


@pytest.mark.parametrize(
    "row", ROWS, ids=[f"{row[0]}-{n}-{row[1]}-{WIRE[row[2]].operation}" for n, row in enumerate(ROWS)]
)
def test_decision(row: tuple[Any, ...]) -> None:
    _, who, action, statements, identity, grants, expected = row
    world, wire = World(), WIRE[action]
    world.stack.secure = True
    key = world.key(wire.kind or CIPHER)
    members = world.members(wire, key)
    if action is A.CANCEL_DESTRUCTION:
        world.appoint_deletion(key)
    somebodys = [grant("bob", A.DECRYPT)] if action is A.REVOKE_GRANT else []
    world.put_grants(key, grants or somebodys)
    text = document(*statements) if statements else aws.default_key_policy(key.tenant)
    world.put_policy(key, of_this_key(text, key))
    person = world.person(who, *json.loads(of_this_key(json.dumps(identity), key)))
    reply = person.call(wire.operation, **members)
    name = f"TrentService.{wire.operation}"
    (record,) = (r for r in world.stack.records() if r.operation == name and r.who.via == person.access_key_id)
    if expected in ENDS:
        assert (reply.code, record.outcome) == ("AccessDeniedException", "refused: Denied")
        assert f" {expected}" in reply.message.replace(ELSEWHERE, NO_KEY)
    else:
        assert (reply.status, record.outcome) == (200, "performed"), reply.message
        assert record.rule == expected.replace("g1", GRANT_IDS["g1"])


# --- every operator, over a value of the encryption context


class Gate:
    """alice, who may do everything by identity policy, at a key whose policy is changed again and again."""

    def __init__(self) -> None:
        self.world = World()
        self.key = self.world.key(CIPHER)
        self.alice = self.world.person("alice", allow())
        self.stack = self.world.stack

    def put(self, *statements: dict[str, Any]) -> None:
        self.world.put_policy(self.key, document(*statements))

    def encrypts(self, context: dict[str, str] | None = None, key_id: str = "") -> bool:
        more = {} if context is None else {"EncryptionContext": context}
        reply = self.alice.call("Encrypt", KeyId=key_id or self.key.id, Plaintext=b"x", **more)
        assert reply.code in (None, "AccessDeniedException"), (reply.code, reply.message)
        return reply.status == 200


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate()


OPERATORS = [
    (w, values, [({"k": v}, True) for v in yes] + [({"k": v}, False) for v in no]) for w, values, yes, no in SINGLE
]
SETS = [(w, values, [(dict.fromkeys(asked, "x"), expected)]) for w, values, asked, expected in MANY]


@pytest.mark.parametrize(
    ("name", "word", "values", "asked"),
    [(C, *row) for row in OPERATORS] + [(KEYS, *row) for row in SETS],
    ids=[f"{row[0]}-{n}" for n, row in enumerate([*OPERATORS, *SETS])],
)
def test_operator(gate, name, word, values, asked) -> None:
    """A condition that holds lets an Allow allow and a Deny deny; one that does not, neither."""
    when = {word: {name: values}}
    gate.put(allow("*", when=when))
    assert [gate.encrypts(context) for context, _ in asked] == [holds for _, holds in asked]
    gate.put(allow("*"), deny("*", when=when))
    assert [gate.encrypts(context) for context, _ in asked] == [not holds for _, holds in asked]


@pytest.mark.parametrize("word", [row[0] for row in SINGLE if row[0] != "Null"])
@pytest.mark.parametrize(
    ("prefix", "suffix"), [("", ""), ("", "IfExists"), ("ForAllValues:", ""), ("ForAnyValue:", "")]
)
def test_operator_over_a_key_that_is_not_there(gate, word, prefix, suffix) -> None:
    """IAM User Guide, "...IfExists", "Negated matching", "Multivalued context keys"."""
    value = next(row[1] for row in SINGLE if row[0] == word)
    gate.put(allow("*", when={f"{prefix}{word}{suffix}": {C: value}}))
    plainly = "Not" in word if prefix == "" else prefix == "ForAllValues:"
    assert gate.encrypts() is (plainly or suffix == "IfExists")


# --- properties

PARTS = (
    st.sampled_from([ALICE, "arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:user/bob", "*"]),
    st.sampled_from(["kms:*", "*", "kms:Encrypt", "kms:D*", "s3:*"]),
    st.sampled_from(
        [
            None,
            {"StringEquals": {"kms:EncryptionContext:app": "billing"}},
            {"StringNotEqualsIfExists": {"kms:EncryptionContext:app": "billing"}},
            {"ForAllValues:StringLike": {"kms:EncryptionContextKeys": "a*"}},
            {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/billing"}},
            {"Null": {"kms:ViaService": "true"}},
            {"NotIpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32"]}},
        ]
    ),
)
DENIES = st.builds(lambda to, action, when: deny(to, action, when=when), *PARTS)
STATEMENTS = st.builds(lambda to, action, when: allow(to, action, when=when), *PARTS) | DENIES
SOME = st.lists(STATEMENTS, min_size=1, max_size=3)
CONTEXTS = st.sampled_from([None, {"app": "billing"}, {"app": "hr", "tier": "gold"}])
ONE = Gate()


@settings(deadline=None)
@given(SOME, DENIES, CONTEXTS)
def test_an_added_deny_never_turns_a_refusal_into_permission(statements, more, context) -> None:
    ONE.put(*statements)
    before = ONE.encrypts(context)
    ONE.put(*statements, more)
    assert before or not ONE.encrypts(context)


@settings(deadline=None)
@given(SOME, st.sampled_from([ALICE, "*", "111122223333"]), st.sampled_from(["kms:Encrypt", "kms:*", "*"]), CONTEXTS)
def test_an_added_deny_that_matches_refuses(statements, to, action, context) -> None:
    """Wherever it stands, and whatever else is said."""
    ONE.put(allow("*"), *(s for s in statements if s["Effect"] == "Allow"))
    assert ONE.encrypts(context)
    for placed in ([deny(to, action), allow("*"), *statements], [allow("*"), *statements, deny(to, action)]):
        ONE.put(*placed)
        assert not ONE.encrypts(context)


@settings(deadline=None)
@given(SOME, CONTEXTS)
def test_names_are_canonical(statements, context) -> None:
    """The ways to write one key come to one decision, and what is nearly one of them is no key (Key identifiers)."""
    ONE.put(*statements)
    arn = ONE.stack.arn(ONE.key)
    ways = [ONE.key.id, arn, "alias/billing", arn.replace(f"key/{ONE.key.id}", "alias/billing")]
    assert len({ONE.encrypts(context, way) for way in ways}) == 1


@settings(deadline=None)
@given(SOME, CONTEXTS)
def test_a_ciphertext_names_its_key_as_well_as_anybody(statements, context) -> None:
    """Decrypt without KeyId is decided on the key that made the ciphertext, and on no other."""
    ONE.put(allow("*"))
    more = {} if context is None else {"EncryptionContext": context}
    blob = ONE.alice.call("Encrypt", KeyId=ONE.key.id, Plaintext=b"x", **more).json["CiphertextBlob"]
    ONE.put(*statements)
    answers = [
        ONE.alice.call("Decrypt", CiphertextBlob=blob, **more, **named).code
        for named in ({}, {"KeyId": ONE.key.id}, {"KeyId": "alias/billing"})
    ]
    assert len(set(answers)) == 1 and answers[0] in (None, "AccessDeniedException")


@pytest.mark.parametrize("source", [{"app": "old"}, {"app": "new"}, None])
@pytest.mark.parametrize("destination", [{"app": "old"}, {"app": "new"}, None])
@pytest.mark.parametrize("other_key", [False, True])
def test_re_encryption_needs_both_rights_each_in_its_own_context(gate, source, destination, other_key) -> None:
    """KMS Developer Guide, "kms:EncryptionContext": ReEncryptFrom has the one context, ReEncryptTo the other."""
    gate.put(allow("*"))
    stack, world = gate.stack, gate.world
    contexts = {"SourceEncryptionContext": source, "DestinationEncryptionContext": destination}
    made = {} if source is None else {"EncryptionContext": source}
    blob = stack.admin.call("Encrypt", KeyId=gate.key.id, Plaintext=b"x", **made).json["CiphertextBlob"]
    rights = [
        allow("*", "kms:ReEncryptFrom", when={"StringEquals": {"kms:EncryptionContext:app": "old"}}),
        allow("*", "kms:ReEncryptTo", when={"StringEquals": {"kms:EncryptionContext:app": "new"}}),
    ]
    target = gate.key
    if other_key:
        target = stack.key()
        world.put_policy(target, document(rights[1]))
    gate.put(*(rights[:1] if other_key else rights))
    asked = {name: value for name, value in contexts.items() if value is not None}
    reply = gate.alice.call("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=target.id, **asked)
    allowed = source == {"app": "old"} and destination == {"app": "new"}
    assert reply.code == (None if allowed else "AccessDeniedException")


@settings(deadline=None)
@given(st.data(), SOME)
def test_what_is_nearly_a_name_opens_nothing(data, statements) -> None:
    ONE.put(allow("*"), *statements)
    arn = ONE.stack.arn(ONE.key)
    name = data.draw(
        st.sampled_from([ONE.key.id, arn, "alias/billing", arn.replace(f"key/{ONE.key.id}", "alias/billing")])
    )
    spot = data.draw(st.integers(0, len(name)))
    odd = data.draw(st.sampled_from(["/", " ", "%2f", "..", "\n", "\u200b", "*", "?", ":", "\0", "A"]))
    other = data.draw(st.sampled_from([name[:spot] + odd + name[spot:], name.upper(), name + "/", f"{name}\t"]))
    reply = ONE.alice.call("Encrypt", KeyId=other, Plaintext=b"x")
    assert reply.code in ("NotFoundException", "AccessDeniedException", "ValidationException", "SerializationException")
