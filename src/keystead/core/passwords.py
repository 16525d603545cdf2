"""Password policies: a length and sets of characters, and passwords drawn by them.

HashiCorp Vault documentation, "Password policies". Refused in the words of OpenBao 2.7.2.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from keystead.core.errors import InvalidArgument
from keystead.core.policy.vault.tokens import Kind, Scanner, Token
from keystead.core.policy.vault.tree import Item, List, Object, Reader, Value
from keystead.core.ports import Entropy
from keystead.wire.vault.multierror import multierror

SHORTEST, LONGEST = 4, 100
LARGEST = 64 * 1024
"""Bytes of a policy's text."""
MOST_CHARACTERS = 4096
_INTEGERS = frozenset({Kind.NUMBER, Kind.FLOAT})
_WORDS = {Kind.STRING: "string", Kind.HEREDOC: "string", Kind.BOOL: "bool"}
_UNDECODED = "decoding failed due to the following error(s):\n\n"


class Rule(Struct, frozen=True):
    """At least `least` of these characters."""

    charset: frozenset[str]
    least: int


class Rules(Struct, frozen=True):
    """`charset`: of all rules, each character once, in one order."""

    length: int
    charset: str
    rules: tuple[Rule, ...]


def read_rules(text: str) -> Rules:
    """The rules of a text in HCL, or JSON if it begins with a brace. Raises InvalidArgument (detail "policy")."""
    if len(text.encode()) > LARGEST:
        raise _wrong(f"larger than {LARGEST} bytes")
    written = text.replace("\r\n", "\n")
    try:
        root = Reader(Scanner(written, is_json=written.lstrip().startswith("{"))).root()
    except InvalidArgument as error:
        raise _wrong(f"unable to decode: {error}") from None
    length, rules = 0, []
    for item in root.items:
        if item.names[0].value == "length":
            length = _integer("length", item.value, "failed to decode configuration")
        elif item.names[0].value == "rule":
            rules += [_rule(name, body) for name, body in _bodies(item)]
    return _checked(length, rules)


def draw(rules: Rules, entropy: Entropy) -> str:
    """First what each rule demands, then any characters, then all of them in any order."""
    drawn: list[str] = []
    for rule in rules.rules:
        drawn += _characters("".join(sorted(rule.charset)), rule.least, entropy)
    drawn += _characters(rules.charset, rules.length - len(drawn), entropy)
    for n in range(len(drawn), 1, -1):  # Fisher and Yates, as Durstenfeld has it
        at = _numbers(n, 1, entropy)[0]
        drawn[n - 1], drawn[at] = drawn[at], drawn[n - 1]
    return "".join(drawn)


def _characters(charset: str, n: int, entropy: Entropy) -> list[str]:
    return [charset[number] for number in _numbers(len(charset), n, entropy)]


def _numbers(below: int, n: int, entropy: Entropy) -> list[int]:
    """Each as likely as the others: a draw that would make some likelier is drawn again."""
    fair = (1 << 16) - (1 << 16) % below
    found: list[int] = []
    while len(found) < n:
        raw = entropy(4 * n)
        drawn = (int.from_bytes(raw[at : at + 2]) for at in range(0, len(raw), 2))
        found += [one % below for one in drawn if one < fair]
    return found[:n]


def _wrong(words: str) -> InvalidArgument:
    return InvalidArgument(f"invalid password policy: {words}", "policy")


def _several(faults: list[str]) -> InvalidArgument:
    return _wrong(multierror(*faults))


def _checked(length: int, rules: list[Rule]) -> Rules:
    charset = "".join(sorted(frozenset[str]().union(*(rule.charset for rule in rules))))
    n_least = sum(max(0, rule.least) for rule in rules)
    faults = []
    if length <= 0:
        faults.append("length must be > 0")
    elif n_least > length:
        faults.append(f"specified rules require at least {n_least} characters but {length} is specified")
    if not charset:
        faults.append("no charset specified")
    if not charset.isprintable():
        faults.append("non-printable character in charset")
    if len(charset) > MOST_CHARACTERS:
        faults.append(f"more than {MOST_CHARACTERS} characters in charset")
    if faults:
        raise _several(faults)
    if not SHORTEST <= length <= LONGEST:
        raise InvalidArgument(f"passwords must be between {SHORTEST} and {LONGEST} characters", "policy")
    return Rules(length, charset, tuple(rule for rule in rules if rule.least > 0))


def _integer(name: str, value: Value, where: str) -> int:
    if isinstance(value, Token) and value.kind in _INTEGERS and isinstance(value.value, int | float):
        return int(value.value)
    raise _wrong(f"{where}: {_UNDECODED}'{name}' expected type 'int', got unconvertible type '{_type(value)}'")


def _type(value: Value) -> str:
    if isinstance(value, Token):
        return _WORDS.get(value.kind, "int")
    return "[]interface {}" if isinstance(value, List) else "[]map[string]interface {}"


def _bodies(item: Item) -> Iterator[tuple[str, Object]]:
    """(type, parameters) of `rule "type" { … }`, or of JSON's {"rule": [{"type": { … }}]}, in a list of one or bare."""
    if len(item.names) > 1:
        if isinstance(item.value, Object):
            yield str(item.names[1].value), item.value if len(item.names) == 2 else Object(item.value.at, ())
        return
    held = item.value.values if isinstance(item.value, List) else (item.value,)
    for one in held:
        if not isinstance(one, Object):
            raise _wrong(f"unable to retrieve rules: '' source data must be an array or slice, got {_type(one)}")
        for inner in one.items:
            body = inner.value
            if isinstance(body, List) and len(body.values) == 1:
                body = body.values[0]
            if not isinstance(body, Object):
                words = "unable to parse rules: unable to get rule info: unable to get rule data"
                raise _wrong(f"{words}: '' source data must be an array or slice, got {_type(inner.value)}")
            yield str(inner.names[0].value), body


def _rule(name: str, body: Object) -> Rule:
    if name != "charset":
        raise _wrong(f"unable to parse rules: unable to parse rule {name}: unrecognized rule type {name}")
    where = "unable to parse rules: unable to parse rule charset: failed to parse charset restriction"
    charset, least = "", 0
    for item in body.items:
        if item.names[0].value == "charset":
            if not isinstance(item.value, Token) or not isinstance(item.value.value, str):
                words = f"'charset' source data must be an array or slice, got {_type(item.value)}"
                raise _wrong(f"{where}: {_UNDECODED}{words}")
            charset = item.value.value
        elif item.names[0].value == "min-chars":
            least = _integer("min-chars", item.value, where)
    return Rule(frozenset(charset), least)
