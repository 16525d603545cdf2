"""What a request may cost whoever wrote the policies: research/security.md §4-D, rows 60 and 66.

A principal has up to 20 inline policies and 10 managed ones, and so has each of its groups: each within what one
document may hold, and all of them held against one request, on the event loop that everybody's requests share.
"""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import harness
from tests.costs import atmost
from tests.policies import deny

from keystead.core import operations as ops
from keystead.core import policy
from keystead.core.entities import PolicyText
from keystead.core.policy import aws, pattern
from keystead.core.policy.form import Document
from keystead.service import authorize

AT = ops.TenantRef(harness.TENANT)
MOST = 0.15  # seconds, on a busy machine; the unbounded ones took from 0.3 to 10


def of(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def crowded(n: int, statement) -> tuple[harness.Person, str]:
    """Somebody with `n` policies of such conditions each, and a key."""
    office = harness.stack()
    alice, key = office.user("alice", policy=harness.ALLOW_ALL), office.key()
    for number in range(n):
        policy = PolicyText(f"p{number}", "aws", of(statement(number)))
        office.by_system(ops.PutPrincipalPolicy(tenant=AT, name="alice", policy=policy))
    return alice, key.id


def like(first: int, n: int, form: str, key: str = "kms:EncryptionContextKeys") -> dict:
    values = [form.format(number) for number in range(first, first + n)]
    return deny(action="kms:Encrypt", when={"ForAnyValue:StringLike": {key: values}})


def on(first: int, n: int, form: str) -> dict:
    return deny(action="kms:Encrypt", resource=[form.format(number) for number in range(first, first + n)])


@pytest.mark.parametrize(
    ("n", "statement", "context"),
    [
        (4, lambda p: like(p * 3000, 3000, "{:x}*"), {"~": ""}),  # more patterns than are kept compiled
        (10, lambda _: like(0, 2900, "{:x}*"), {f"~{i}": "" for i in range(14)}),  # each document within its own bounds
        (1, lambda _: like(0, 2900, "*b{}", "kms:EncryptionContext:k"), {"k": "b" * 16_000}),  # one value, and long
        (
            2,
            lambda p: like(p * 900, 900, "${{aws:username}}{}*"),
            {f"~{i}": "" for i in range(9)},
        ),  # a variable in each
        (
            8,
            lambda p: on(p * 500, 500, "arn:aws:kms:*:*:key/${{kms:EncryptionContext:k}}{}*"),
            {"k": "b"},
        ),  # of a resource
    ],
)
def test_no_request_costs_more_than_its_share(n, statement, context) -> None:
    alice, key_id = crowded(n, statement)
    alice.call("Encrypt", KeyId=key_id, Plaintext=b"x")  # compiled, once for all that follow
    with atmost(MOST):
        alice.call("Encrypt", KeyId=key_id, Plaintext=b"x", EncryptionContext=context)


@pytest.mark.parametrize("n_characters", [1, 60, 4000])
@pytest.mark.parametrize("word", ["StringLike", "StringEqualsIgnoreCase", "ArnLike"])
def test_no_variable_makes_a_pattern_longer_than_what_it_is_held_against(word, n_characters) -> None:
    """It stands there as often as a policy has room for it, with another value in each request."""
    text = "arn:aws:kms:*:*:" + "${kms:EncryptionContext:v}" * 550 + "*"
    when = {word: {"kms:EncryptionContext:k": text}}
    alice, key_id = crowded(1, lambda _: deny(action="kms:Encrypt", when=when))
    arn = "arn:aws:kms:a:b:c"
    alice.call("Encrypt", KeyId=key_id, Plaintext=b"x", EncryptionContext={"k": arn, "v": ""})  # parts without one stay
    n_kept = pattern._glob.weight
    for n in range(3):
        with atmost(MOST / 3):
            context = {"k": arn, "v": f"{n}" * n_characters}
            alice.call("Encrypt", KeyId=key_id, Plaintext=b"x", EncryptionContext=context)
    assert pattern._glob.weight == n_kept, "none of them comes again"


def test_what_is_kept_compiled_is_bounded_by_its_length() -> None:
    """Actions that there are not cost whoever writes them nothing, and would stay."""
    for n in range(60):
        assert not pattern.glob(f"kms:{n:030000}*")("kms:encrypt")
    assert pattern._glob.weight <= pattern.MOST_COMPILED


def test_heavy_policies_are_compiled_on_a_thread_and_then_decide_on_the_loop(monkeypatch) -> None:
    """A principal with ten groups has megabytes of them: seconds in which the loop would serve nobody."""
    alice, key_id = crowded(5, lambda p: like(p * 900, 900, "{:x}*"))
    compiled: list[bool] = []
    stack = alice.stack.on_the_loop()
    assert alice.call("DescribeKey", KeyId=key_id).status == 200  # from here on all is held that a request needs

    def watched(text):
        compiled.append(stack.view.on_loop())
        return aws.compile_identity_policy(text)

    monkeypatch.setattr(policy, "_aws_identity_policy", watched)
    monkeypatch.setattr(authorize, "_key_policy", lambda _: Document(()))
    policy.identity_documents.clear()
    for _ in range(2):
        alice.call("Encrypt", KeyId=key_id, Plaintext=b"x")
    assert compiled == [False] * 6
    policy.identity_documents.clear()


def test_what_is_too_much_is_refused_and_the_rest_is_decided() -> None:
    alice, key_id = crowded(3, lambda _: like(0, 2900, "{:x}*"))
    few, many = {"~": ""}, {f"~{i}": "" for i in range(40)}
    assert alice.call("Encrypt", KeyId=key_id, Plaintext=b"x", EncryptionContext=few).status == 200
    assert (
        alice.call("Encrypt", KeyId=key_id, Plaintext=b"x", EncryptionContext={"1": ""}).code == "AccessDeniedException"
    )
    refused = alice.call("Encrypt", KeyId=key_id, Plaintext=b"x", EncryptionContext=many)
    assert refused.code == "AccessDeniedException" and "so many conditions" in refused.message
    assert alice.call("DescribeKey", KeyId=key_id).status == 200


def test_values_without_wildcards_cost_nothing() -> None:
    alice, key_id = crowded(3, lambda p: like(p * 2900, 2900, "{}"))
    many = {f"~{i}": "" for i in range(40)}
    assert alice.call("Encrypt", KeyId=key_id, Plaintext=b"x", EncryptionContext=many).status == 200


TEXT = st.text("ab:*?/", max_size=12)


@given(st.lists(TEXT, min_size=1, max_size=4), TEXT, st.booleans())
def test_many_patterns_at_once_match_what_each_of_them_does(patterns, value, arns) -> None:
    build = pattern.arn_like if arns else pattern.like
    built = [build(one, variables=True) for one in patterns]
    at_once = pattern.any_of([*built, *built]).matches(value, None)
    assert at_once == any(one.matches(value, None) for one in built)
    wild = [one for one in built if one.literal is None]
    assert all(bool(re.compile(one.regex, re.DOTALL).fullmatch(value)) == one.matches(value, None) for one in wild)


@given(st.text("ab*?", max_size=9), st.text("ab", max_size=9))
def test_a_pattern_that_comes_once_matches_what_a_compiled_one_does(text, value) -> None:
    parts = pattern.parse(text, variables=False, wildcards=True)
    assert pattern._matched_once(parts, value) == pattern._matched(parts, value)


@given(
    st.lists(st.text("ab*?", max_size=3), min_size=6, max_size=6),
    st.lists(st.text("ab", max_size=3), min_size=5, max_size=8),
)
def test_the_parts_of_an_arn_are_matched_each_by_itself(parts, value) -> None:
    built, text = pattern.arn_like(":".join(parts), variables=True), ":".join(value)
    assert pattern.any_of([built]).matches(text, None) == built.matches(text, None)
