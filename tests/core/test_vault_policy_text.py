"""The text of Vault policies: what is read, what is refused, and that nothing costs more than its length.

HCL specification, version 1 (github.com/hashicorp/hcl, branch hcl1); RFC 8259. The rows of REFUSED, REFUSED_BY_US and
ACCEPTED are put to a real OpenBao in tests/cross as well.
"""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.costs import cost
from tests.vaultpolicies import ACCEPTED, NOW, REFUSED, REFUSED_BY_US, acl, as_hcl, as_json, stanza

from keystead.core.errors import InvalidArgument
from keystead.core.policy.vault import Capability, NamedPolicy, compile_acl, read_policy
from keystead.core.policy.vault.document import FIELDS, LARGEST, MOST_PATHS
from keystead.core.policy.vault.tree import DEEPEST
from keystead.core.policy.vault.values import seconds


@pytest.mark.parametrize("text", REFUSED)
def test_a_bad_policy_is_refused_in_words(text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        read_policy(text)
    assert str(refused.value) == f"failed to parse policy: {REFUSED[text]}"
    assert refused.value.detail == "Policy"


@pytest.mark.parametrize("text", REFUSED_BY_US)
def test_what_cannot_be_honoured_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match=REFUSED_BY_US[text]):
        read_policy(text)


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_is_right_is_read(text: str) -> None:
    assert read_policy(text) == read_policy(text.encode())


def parameter(value: str) -> Any:
    """What a value in HCL means."""
    (found,) = read_policy(f'path "a" {{ allowed_parameters = {{ x = [{value}] }} }}').stanzas
    (meant,) = found.allowed["x"]
    return meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"a"', "a"),
        (r'"\a\b\f\n\r\t\v\\\""', '\a\b\f\n\r\t\v\\"'),
        (r'"\x41\101\u0041\U0001f600"', "AAA\U0001f600"),
        (r'"\xc3\xa9\303\251"', "éé"),
        ('"é"', "é"),
        ('"$"', "$"),
        ('"$$x{}"', "$$x{}"),
        ('"a${b "c" {d}\n}e"', 'a${b "c" {d}\n}e'),
        (r'"${\n}"', r"${\n}"),
        ("<<X\na\n  b\nX\n", "a\n  b\n"),
        ("<<X\na\n  X\n", "a\n  "),
        ("<<X\nXX\nX X\nX\n", "XX\nX X\n"),
        ("<<-X\n  a\n    b\n  X\n", "a\n  b\n"),
        ("<<-X\n a\nb\n  X\n", " a\nb\n"),
        ("<<-X\na\nX\n", "a\n"),
        ("<<A_1\nA_1\n", ""),
        ("7", 7),
        ("-7", -7),
        ("017", 15),
        ("0x1F", 31),
        ("9223372036854775807", 9223372036854775807),
        ("1.5", 1.5),
        ("-1e3", -1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("true", True),
        ("false", False),
        ('["a", [1,],]', ["a", [1]]),
        ('{ a = "b", "c" = [1] d { e = 2 } }', {"a": "b", "c": [1], "d": {"e": 2}}),
    ],
)
def test_a_value(written: str, meant: Any) -> None:
    found = parameter(written)
    assert found == meant
    assert type(found) is type(meant)


@pytest.mark.parametrize(
    "written",
    [
        r'"\q"',
        r'"\x4"',
        r'"\ud800"',
        r'"\U00110000"',
        r'"\400"',
        r'"\08"',
        r'"\xff"',
        '"\n"',
        '"${"',
        '"${\\}"',
        "<<X\nX",
        "<<X\na",
        "<< X\nX\n",
        "<<\n\n",
        "<X",
        "09",
        "0x",
        "9223372036854775808",
        "1e999",
        "1" * 500,
        "--1",
        "+1",
        "null",
        "'a'",
        "a",
        "\0",
        "\ue123",
        "%",
    ],
)
def test_no_value(written: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^failed to parse policy: "):
        parameter(written)


def test_json_means_what_hcl_means() -> None:
    fields = {
        "capabilities": ["read", "list"],
        "allowed_parameters": {"x": ["a", 1, 1.5, True, ["b"], {"c": "d"}], "y": []},
        "required_parameters": ["z"],
        "min_wrapping_ttl": "1m",
        "pagination_limit": 5,
    }
    stanzas = [stanza("a", **fields), stanza("b", policy="write")]
    assert read_policy(as_json(stanzas)) == read_policy(as_hcl(stanzas))
    assert read_policy(json.dumps({"path": dict(stanzas)})) == read_policy(as_hcl(stanzas))


def test_a_name_given_twice_in_json_counts_twice() -> None:
    text = '{"path": {"a": {"capabilities": ["read"]}, "a": {"capabilities": ["list"], "capabilities": ["update"]}}}'
    assert acl(text).capabilities("a") == ("list", "read", "update")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}{}",
        '{"path"}',
        '{"path": null}',
        '{"path": [1]}',
        '{"path": {"a": 1}}',
        '{"path": {"a": [{}]}}',
        '{"path": {"a": {}},}',
        '{"path": {"a": {"capabilities": ["read",]}}}',
        '{"path": {"a": {"capabilities": ["read" "list"]}}}',
        '{"path": {"a": {"capabilities": [01]}}}',
        '{"path": {"a": {"capabilities": [.5]}}}',
        '{"path": {"\\ud800": {}}}',
        '{"path": {"a\n": {}}}',
        '{"path" = {}}',
        "{path: {}}",
        "{} # no comment",
    ],
)
def test_json_is_json(text: str) -> None:
    with pytest.raises(InvalidArgument):
        read_policy(text)


def test_lines_are_counted_whatever_ends_them() -> None:
    with pytest.raises(InvalidArgument, match='invalid key "x" on line 3'):
        read_policy("\r\n# one\r\nx = 1\r\n")
    with pytest.raises(InvalidArgument, match="At 3:3: illegal char"):
        read_policy("\n\r\né %")


def test_not_every_unknown_name_is_listed() -> None:
    with pytest.raises(InvalidArgument) as refused:
        read_policy("\n".join(f"k{n} = 1" for n in range(1000)))
    assert str(refused.value).startswith("failed to parse policy: 1000 errors occurred:\n\t* invalid key")
    assert len(str(refused.value)) < 2000


@pytest.mark.parametrize(
    ("text", "meant"),
    [("", 0), ("90", 90), ("-5", -5), ("2d", 172800), ("1h30m", 5400), ("1.5s", 1.5), (".5m", 30), ("-1m1s", -61)],
)
def test_a_duration(text: str, meant: float) -> None:
    assert seconds(text) == meant


@pytest.mark.parametrize("text", ["x", "5x", "1h5", "1 h", "h", "1h ", ".", "1..5s", "1e3s", "--1s", "1.5d", "9" * 200])
def test_no_duration(text: str) -> None:
    with pytest.raises(InvalidArgument):
        seconds(text)


# --- bounds


def test_a_policy_is_no_larger_than_vaults() -> None:
    comment = "#" * LARGEST
    assert read_policy(comment).stanzas == ()
    with pytest.raises(InvalidArgument, match="larger than 1048576 bytes"):
        read_policy(comment + "#")
    with pytest.raises(InvalidArgument, match="larger than"):
        read_policy("#" + "é" * (LARGEST // 2))


def test_a_policy_has_no_more_paths_than_that() -> None:
    one = 'path "a" {}\n'
    assert len(read_policy(one * MOST_PATHS).stanzas) == MOST_PATHS
    with pytest.raises(InvalidArgument, match="more than 10000 paths"):
        read_policy(one * (MOST_PATHS + 1))


@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ("{ a = ", "}")])
def test_lists_and_objects_are_not_nested_without_end(opens: str, closes: str) -> None:
    deep = DEEPEST - 3  # the path, the parameters and their list are three
    assert parameter(opens * deep + '"x"' + closes * deep)
    with pytest.raises(InvalidArgument, match="nested deeper than 32"):
        parameter(opens * (deep + 1) + '"x"' + closes * (deep + 1))
    with pytest.raises(InvalidArgument, match="nested deeper than 32"):
        parameter(opens * 100_000)


# --- whatever comes

PLAIN = 'path name "a" "a/+/*" "{{x}}" { } [ ] = , : true null 1 0x - 1.5 " \\ # // /* */ ${ $ +* "read" "deny" é "1h"'
ODD = [
    'path "a" {',
    "capabilities = [",
    '{"path":',
    "<<X\n",
    "<<-X\n",
    "\nX\n",
    "\0",
    "\ud800",
    "\n",
    "\r",
    "9999999999",
]
WORDS = st.sampled_from([*PLAIN.split(" "), *ODD, *FIELDS])


@given(st.binary() | st.lists(WORDS, max_size=30).map("".join) | st.lists(WORDS, max_size=30).map(" ".join))
@example('path "a" { expiration = "999999999999" }')
@example('path "a" { expiration = "9999-12-31T23:59:59-23:59" }')
@example('path "a" { pagination_limit = "٣" }')
@example('path "٣" { min_wrapping_ttl = "٣s" }')
def test_whatever_comes_is_read_or_refused(text: str | bytes) -> None:
    try:
        policy = read_policy(text)
    except InvalidArgument:
        return
    compile_acl([NamedPolicy(name="p", policy=policy)], now=NOW).decide("a/b", Capability.READ, parameters={"x": 1})


N = 20_000
HOSTILE = {
    "open braces": "{" * N,
    "open lists": 'path "a" { comment = ' + "[" * N,
    "open strings": '"\n' * N,
    "names": "a " * N,
    "keys": "a = 1\n" * N,
    "one key": 'path "a" { ' + 'capabilities = ["read"] ' * N + "}",
    "one parameter": 'path "a" { allowed_parameters = {' + 'x = ["a"] ' * N + "} }",
    "one map": 'path "a" { ' + 'allowed_parameters = { x = ["a"] } ' * N + "}",
    "commas": 'path "a" { comment = [' + "," * N * 10 + "] }",
    "dollars": 'path "a" { comment = "' + "$" * N * 10 + '" }',
    "insides": 'path "a" { comment = "' + "${" * N * 5 + '" }',
    "escapes": 'path "a" { comment = "' + "\\n" * N * 5 + '" }',
    "comments": "/**/" * N * 5,
    "stars": "/*" + "*" * N * 10,
    "slashes": "# /" * N * 5,
    "anchors": 'path "a" { comment = <<X\n' + "X X\n" * N * 2 + "X\n }",
    "anchor": "a = <<" + "X" * N * 10,
    "blanks": " " * N * 10 + "%",
    "digits": "a = " + "1" * N * 10,
    "dots": "a = 1" + ".1" * N * 5,
    "templates": 'path "' + "{{a}}" * N + '" {}',
    "braces in paths": 'path "' + "{{" * N + '" {}',
    "segments": "".join(f'path "{"+/" * (n % 50)}a{n}" {{}}\n' for n in range(N // 4)),
    "prefixes": "".join(f'path "{"a" * n}*" {{}}\n' for n in range(1200)),
    "one path": 'path "a" { allowed_parameters = { x = ["a"] } }\n' * (N // 4),
    "json": '{"path": {' + '"a": {"capabilities": ["read"]}, ' * (N // 4) + '"b": {}}}',
    "json strings": '{"' + "\\" * N * 10,
}


def read_and_asked(text: str) -> None:
    """And what it comes to."""
    try:
        policy = read_policy(text)
    except InvalidArgument:
        pass
    else:
        compiled = compile_acl([NamedPolicy(name="p", policy=policy)], now=NOW, facts={"a": "b"})
        for path in ("a", "+/" * 60, "a" * 1000 + "b", "a/" * 1000):
            compiled.decide(path, Capability.LIST)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_costs_what_its_length_costs(name: str) -> None:
    text = HOSTILE[name]
    assert cost(lambda: read_and_asked(text), 2) < 0.2 + len(text) * 10e-6  # most take a twentieth of 10 µs a character
