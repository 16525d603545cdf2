"""Policy strings: literal text, the wildcards * and ?, and ${variables}.

IAM User Guide, "Resource" (wildcards), "Policy variables". A value put in for a variable is literal: its own
* and ? match nothing but themselves. Matching never takes more than len(pattern) * len(value) steps.

A pattern with a variable is another one for each value of it, however long: for such nothing is kept, and nothing is
compiled that is longer than what it is held against.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

from msgspec import Struct

from keystead.core.errors import InvalidArgument
from keystead.core.policy.facts import Fact, fact
from keystead.core.policy.fold import lower
from keystead.core.policy.kept import Kept
from keystead.core.policy.request import Request

COST_OF_VARIABLE = 32  # put in, and then compiled
MOST_COMPILED = 1 << 20  # characters of patterns that are kept compiled: some ten times as much


class Wild(Enum):
    MANY = "*"
    ONE = "?"


class Variable(Struct, frozen=True):
    fact: Fact
    default: str | None


Part = str | Wild | Variable
Parts = tuple[Part, ...]
Matches = Callable[[str, Request], bool]


class Matcher(Struct, frozen=True):
    matches: Matches
    stable: bool = True  # reads facts of the principal, the key and the action only
    literal: str | None = None  # matches this text and no other
    regex: str | None = None  # matches what this does, all of a text (re.DOTALL), and no other
    cost: int = 1  # of one comparison, in those of a wildcard


# with variables, and without
_TOKENS = {
    True: re.compile(r"(?P<wild>[*?])|\$\{(?P<variable>[^{}]*)\}|[^*?$]+|\$"),
    False: re.compile(r"(?P<wild>[*?])|[^*?]+"),
}
_VARIABLE = re.compile(r"\s*([A-Za-z0-9-]+:[^,'\s][^,']*+)(?:,\s*'([^']*)'\s*)?")  # the name with blanks behind it


def _variable(body: str) -> Part:
    if body in ("*", "?", "$"):
        return body
    if (found := _VARIABLE.fullmatch(body)) is None:
        raise InvalidArgument(f"Invalid policy variable : ${{{body}}}.", "Policy")
    return Variable(fact(found[1].rstrip()), found[2])


def parse(text: str, *, variables: bool, wildcards: bool) -> Parts:
    parts: list[Part] = []
    for token in _TOKENS[variables].finditer(text):
        part: Part = token[0]
        if token.lastgroup == "variable":
            part = _variable(token["variable"])
        elif token.lastgroup == "wild" and wildcards:
            part = Wild(token[0])
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)
    return tuple(parts)


def _expand(parts: Parts, request: Request) -> Parts | None:
    """With a value for every variable; None if one has none, or several."""
    expanded: list[Part] = []
    for part in parts:
        if isinstance(part, Variable):
            values = part.fact.read(request)
            if len(values) != 1 and part.default is None:
                return None
            expanded.append(values[0] if len(values) == 1 else part.default or "")
        else:
            expanded.append(part)
    return tuple(expanded)


def _regex(parts: Parts, any_one: str = ".") -> str:
    """Leftmost placing of each piece between two stars is as good as any, so nothing is ever tried again."""
    pieces = [""]
    for part in parts:
        if part is Wild.MANY:
            pieces.append("")
        else:
            pieces[-1] += any_one if part is Wild.ONE else re.escape(str(part))
    head, *rest = pieces
    middle = "".join(f"(?>{any_one}*?{piece})" for piece in rest[:-1] if piece)
    return f"{head}{middle}{any_one}*{rest[-1]}" if rest else head


def _least(parts: Parts) -> int:
    """Characters of the shortest text that it matches."""
    return sum(len(part) if isinstance(part, str) else part is Wild.ONE for part in parts)


def _compiled(parts: Parts) -> re.Pattern[str]:
    return re.compile(_regex(parts), re.DOTALL)


_glob = Kept(_compiled, _least, most_weight=MOST_COMPILED)


def glob(text: str) -> Callable[[str], bool]:
    """Matches with * and ?, and no variables."""
    compiled = _glob(parse(text, variables=False, wildcards=True))
    return lambda value: compiled.fullmatch(value) is not None


def _matched(parts: Parts, value: str) -> bool:
    return _least(parts) <= len(value) and _glob(parts).fullmatch(value) is not None


def _matched_once(parts: Parts, value: str) -> bool:
    """The same, of a pattern that hardly comes again."""
    if _least(parts) > len(value):
        return False
    if Wild.ONE in parts:
        return _compiled(parts).fullmatch(value) is not None
    pieces = [""]
    for part in parts:
        if part is Wild.MANY:
            pieces.append("")
        else:
            pieces[-1] += str(part)
    return _in_turn(pieces, value)


def _in_turn(pieces: list[str], value: str) -> bool:
    """Whether it is these texts with anything between them. Each is placed as far left as can be, as _regex has it."""
    head, *rest = pieces
    if not rest:
        return value == head
    at, end = len(head), len(value) - len(rest[-1])
    if at > end or not (value.startswith(head) and value.endswith(rest[-1])):
        return False
    for piece in rest[:-1]:
        if (found := value.find(piece, at, end)) < 0:
            return False
        at = found + len(piece)
    return True


def _segments(parts: Parts) -> tuple[Parts, ...]:
    """Split at the first five colons of the policy's own text."""
    segments: list[list[Part]] = [[]]
    for part in parts:
        pieces = part.split(":", 6 - len(segments)) if isinstance(part, str) else [part]
        for n, piece in enumerate(pieces):
            if n:
                segments.append([])
            if piece != "":
                segments[-1].append(piece)
    return tuple(tuple(segment) for segment in segments)


def _matcher(parts: Parts, compare: Callable[[Parts, str], bool], *, unresolved: bool) -> Matcher:
    read = [part.fact for part in parts if isinstance(part, Variable)]
    if not read:
        return Matcher(lambda value, _: compare(parts, value))

    def matches(value: str, request: Request) -> bool:
        expanded = _expand(parts, request)
        return unresolved if expanded is None else compare(expanded, value)

    return Matcher(matches, all(f.stable for f in read), cost=COST_OF_VARIABLE * len(read))


def _joined(parts: Parts) -> str:
    return "".join(map(str, parts))


def equal(text: str, *, variables: bool, unresolved: bool = False) -> Matcher:
    parts = parse(text, variables=variables, wildcards=False)
    if all(isinstance(part, str) for part in parts):
        literal = _joined(parts)
        return Matcher(lambda value, _: value == literal, literal=literal)
    return _matcher(
        parts, lambda own, value: _least(own) == len(value) and _joined(own) == value, unresolved=unresolved
    )


def equal_ignoring_case(text: str, *, variables: bool, unresolved: bool = False) -> Matcher:
    parts = parse(text, variables=variables, wildcards=False)

    def same(own: Parts, value: str) -> bool:
        return _least(own) == len(value) and lower(_joined(own)) == lower(value)

    return _matcher(parts, same, unresolved=unresolved)


def like(text: str, *, variables: bool, unresolved: bool = False) -> Matcher:
    parts = parse(text, variables=variables, wildcards=True)
    if not any(isinstance(part, Wild | Variable) for part in parts):
        return equal(text, variables=variables)
    if _is_fixed(parts):
        return Matcher(lambda value, _: _matched(parts, value), regex=_regex(parts))
    return _matcher(parts, _matched_once, unresolved=unresolved)


def _is_fixed(parts: Parts) -> bool:
    return not any(isinstance(part, Variable) for part in parts)


def arn_like(text: str, *, variables: bool, unresolved: bool = False) -> Matcher:
    """IAM "Amazon Resource Name (ARN) condition operators": each of the six components is compared by itself.

    A pattern with fewer components is compared as a whole: a * at its end goes beyond the colons ("Resource").
    """
    segments = _segments(parse(text, variables=variables, wildcards=True))
    if len(segments) < 6:
        return like(text, variables=variables, unresolved=unresolved)
    matchers = [
        _matcher(segment, _matched if _is_fixed(segment) else _matched_once, unresolved=unresolved)
        for segment in segments
    ]

    def matches(value: str, request: Request) -> bool:
        own = value.split(":", 5)
        return len(own) == 6 and all(m.matches(v, request) for m, v in zip(matchers, own, strict=True))

    regex = None
    if all(map(_is_fixed, segments)):
        regex = ":".join([*(_regex(segment, "[^:]") for segment in segments[:5]), _regex(segments[5])])
    return Matcher(matches, all(m.stable for m in matchers), regex=regex, cost=_cost(segments))


def _cost(segments: tuple[Parts, ...]) -> int:
    return max(1, COST_OF_VARIABLE * sum(isinstance(part, Variable) for segment in segments for part in segment))


def any_of(matchers: list[Matcher]) -> Matcher:
    """Matches what one of them does. Wildcards are tried by one expression, however many values a policy has."""
    literals = frozenset(m.literal for m in matchers if m.literal is not None)
    regexes = [m.regex for m in matchers if m.regex is not None]
    others = tuple(m.matches for m in matchers if m.literal is None and m.regex is None)
    if not others and not regexes:
        return Matcher(lambda value, _: value in literals)
    if not others:
        fits = re.compile("|".join(f"(?:{one})" for one in regexes), re.DOTALL).fullmatch
        return Matcher(lambda value, _: value in literals or fits(value) is not None)
    if regexes:
        others = (any_of([m for m in matchers if m.regex is not None]).matches, *others)
    elif not literals and len(others) == 1:
        return matchers[0]

    def matches(value: str, request: Request) -> bool:
        return value in literals or any(one(value, request) for one in others)

    return Matcher(matches, all(m.stable for m in matchers))
