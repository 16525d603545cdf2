"""Password policies: what a text says, and that what is drawn keeps to it."""

import os
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.core.errors import InvalidArgument
from keystead.core.passwords import draw, read_rules

RULE = 'rule "charset" { charset = "abc" }'


def several(*faults: str) -> str:
    head = "1 error" if len(faults) == 1 else f"{len(faults)} errors"
    return f"invalid password policy: {head} occurred:\n" + "".join(f"\t* {one}\n" for one in faults) + "\n"


UNDECODED = "decoding failed due to the following error(s):\n\n"
OF_RULES = "invalid password policy: unable to parse rules: "


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", several("length must be > 0", "no charset specified")),
        ("length=20", several("no charset specified")),
        (RULE, several("length must be > 0")),
        (f"length=-1\n{RULE}", several("length must be > 0")),
        (f"length=3\n{RULE}", "passwords must be between 4 and 100 characters"),
        (f"length=101\n{RULE}", "passwords must be between 4 and 100 characters"),
        (
            'length=4\nrule "charset" {charset="abc" min-chars=3}\nrule "charset" {charset="d" min-chars=2}',
            several("specified rules require at least 5 characters but 4 is specified"),
        ),
        ('length=20\nrule "charset" {charset=""}', several("no charset specified")),
        ('length=20\nrule "charset" "x" {charset="a"}', several("no charset specified")),
        ('length=20\nrule "charset" {charset="a\\tb"}', several("non-printable character in charset")),
        ('length=20\nrule "zz" {}', f"{OF_RULES}unable to parse rule zz: unrecognized rule type zz"),
        (
            f'length="20"\n{RULE}',
            f"invalid password policy: failed to decode configuration: {UNDECODED}"
            "'length' expected type 'int', got unconvertible type 'string'",
        ),
        (
            'length=20\nrule "charset" {charset="a" min-chars="1"}',
            f"{OF_RULES}unable to parse rule charset: failed to parse charset restriction: {UNDECODED}"
            "'min-chars' expected type 'int', got unconvertible type 'string'",
        ),
        (
            "zzz",
            "invalid password policy: unable to decode: "
            "At 1:4: key 'zzz' expected start of object ('{') or assignment ('=')",
        ),
        ("length=20\n" + "#" * 70_000, "invalid password policy: larger than 65536 bytes"),
    ],
)
def test_what_is_no_policy(text, words) -> None:
    with pytest.raises(InvalidArgument) as refused:
        read_rules(text)
    assert str(refused.value) == words


@pytest.mark.parametrize(
    "text",
    [
        f"length=20 foo=1\n{RULE}",
        'length=20\nrule "charset" {charset="aab" min_chars=1}',
        'length=20\nrule "charset" {charset="é" min-chars=-1}',
        f"length=4.5\n{RULE}",
        f"length=19\nlength=20\n{RULE}",
        '{"length":20,"rule":[{"charset":{"charset":"abc","min-chars":1}}]}',
        '{"length":20,"rule":{"charset":{"charset":"abc"}}}',
        '{"length":20,"rule":[{"charset":[{"charset":"abc","min-chars":1}]}]}',
    ],
)
def test_what_is_one(text) -> None:
    rules = read_rules(text)
    drawn = draw(rules, os.urandom)
    assert len(drawn) == rules.length and set(drawn) <= set(rules.charset)


@given(st.integers(4, 100), st.integers(0, 2), st.integers(0, 2), st.binary(min_size=1))
def test_what_is_drawn_keeps_to_the_rules(length, first, second, seed) -> None:
    text = f'length={length}\nrule "charset" {{charset="abcx" min-chars={first}}}\n'
    text += f'rule "charset" {{charset="xyz" min-chars={second}}}'
    drawn = draw(read_rules(text), os.urandom)
    assert len(drawn) == length and set(drawn) <= set("abcxyz")
    assert sum(c in "abcx" for c in drawn) >= first and sum(c in "xyz" for c in drawn) >= second


def test_every_character_is_as_likely_at_every_place() -> None:
    rules = read_rules('length=4\nrule "charset" {charset="abc"}\nrule "charset" {charset="d" min-chars=1}')
    drawn = [draw(rules, os.urandom) for _ in range(4000)]
    for place in range(4):
        counts = Counter(one[place] for one in drawn)  # expected: d 1750, the others 750 each
        assert 1500 < counts["d"] < 2000 and all(600 < counts[c] < 900 for c in "abc")


@given(st.text(max_size=200))
def test_whatever_the_text_nothing_else_is_raised(text) -> None:
    try:
        read_rules(text)
    except InvalidArgument:
        return
