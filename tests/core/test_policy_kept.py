"""Compiled policies are kept by number and by size: what tenants write does not fill a process."""

import pytest

from keystead.core import policy
from keystead.core.entities import PolicyText
from keystead.core.errors import InvalidArgument
from keystead.core.policy.kept import MOST_TEXT, Kept


def test_the_oldest_go_when_there_are_too_many_or_they_are_too_heavy():
    """CVE-2023-5954."""
    calls = []
    kept = Kept(lambda text: calls.append(text) or text.upper(), len, most=3, most_weight=10)
    assert [kept(text) for text in ("a", "b", "a", "c")] == ["A", "B", "A", "C"]
    assert (calls, len(kept), kept.weight) == (["a", "b", "c"], 3, 3)
    kept("dddddddd")
    assert (len(kept), kept.weight) == (3, 10)
    kept("a")
    assert calls[-2:] == ["dddddddd", "a"]
    kept("e" * 11)
    assert kept.weight <= 10 and len(kept) <= 3


def test_what_does_not_compile_is_not_kept():
    with pytest.raises(InvalidArgument):
        policy.identity_documents((PolicyText("p", "aws", "{"),))
    n = len(policy.identity_documents)
    with pytest.raises(InvalidArgument):
        policy.identity_documents((PolicyText("p", "aws", "{" + " " * 10),))
    assert len(policy.identity_documents) == n


def test_long_policies_of_many_do_not_stay():
    text = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}'
    for n in range(300):
        policy.identity_documents((PolicyText(f"p{n}", "aws", text + " " * 31_000),))
    assert policy.identity_documents.weight <= MOST_TEXT
    assert len(policy.identity_documents) < 300
