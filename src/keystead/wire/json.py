"""A strict JSON reader around msgspec. RFC 8259, with the freedom of §4 and §6 taken away.

Refused, beyond what msgspec refuses: a name twice in one object, more than DEPTH levels, NODES values or
STRINGS strings, integers beyond 64 bits, floats beyond a double, lone surrogates, invalid UTF-8 anywhere (msgspec
does not look into members it skips).

A small body is let through by two facts that the standard library can check at C speed:
  - without a backslash, splitting at the quotes yields every string; if all strings differ (or at least
    all that stand before a colon), so do the names of each object;
  - a body of n bytes holds at most n values and n/2 strings.
All others are scanned token by token.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, inspect

from keystead.wire import Malformed, Misfit

T = TypeVar("T")


class Bounds(Struct, frozen=True, kw_only=True):
    """How much one document may hold: levels, values, strings; `wide`: also numbers beyond 64 bits and a double."""

    depth: int = 32
    nodes: int = 10_000
    strings: int = 4_096
    wide: bool = False


BOUNDS = Bounds()
DEPTH, NODES, STRINGS = BOUNDS.depth, BOUNDS.nodes, BOUNDS.strings
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1
_SMALL = 2 * STRINGS  # bytes; STRINGS < NODES, and no Bounds are tighter

# A string, a structural character, or a run of anything else that is not white space. Each alternative begins with a
# character of its own, and a string without an end is one token up to the end, which is no text: so the scan is linear.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_INTEGER = re.compile(rb"-?[0-9]+")
_BRACKETS = re.compile(rb"[{}\[\]]")
_BACKSLASH, _BRACKET = 0x5C, 0x5B
_TOO_MUCH = "too deep or too many values"


def check(body: bytes, *, exact: bool = False, bounds: Bounds = BOUNDS) -> None:
    """Raise Malformed if `body` breaks one of the rules above. It may still not be JSON: the decoder will say.

    The numbers are looked at only in an exact scan; reader() asks for one where a type leaves them open.
    """
    if not body.isascii():
        _utf8(body)
    plain = not exact and _BACKSLASH not in body
    if plain and len(body) <= _SMALL:
        pieces = body.split(b'"')
        strings = pieces[1::2]
        # n strings name members of at most n nested objects; where there are arrays, count what opens
        shallow = len(strings) < DEPTH if _BRACKET not in body else body.count(b"{") + body.count(b"[") <= DEPTH
        if shallow and (len(set(strings)) == len(strings) or _names_differ(strings, pieces[2::2])):
            return
    if plain and bounds.wide and body.count(b",") + body.count(b"{") + body.count(b"[") < bounds.nodes:
        _walk(body, bounds)
    else:
        _scan(body, bounds)


def _names_differ(strings: list[bytes], gaps: list[bytes]) -> bool:
    """Whether no two names are alike, at whatever level: a name is a string before a colon."""
    names = [string for string, gap in zip(strings, gaps, strict=False) if gap.lstrip()[:1] == b":"]
    return len(set(names)) == len(names)


def _utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None


def _walk(body: bytes, bounds: Bounds) -> None:
    """_scan for a body without a backslash, whose numbers nobody asks about and whose values have been counted."""
    start, *pieces = body.split(b'"')
    if len(pieces) // 2 > bounds.strings:
        raise Malformed(_TOO_MUCH)
    stack: list[set[bytes] | None] = []
    _nest(start, stack, bounds)
    for string, gap in zip(pieces[::2], pieces[1::2], strict=False):
        if gap == b",":
            continue
        if gap[:1] == b":" or gap.lstrip()[:1] == b":":
            if not stack or (names := stack[-1]) is None:
                raise Malformed("a name outside an object")
            if string in names:
                raise Malformed("a name twice in one object")
            names.add(string)
        if gap != b":":
            _nest(gap, stack, bounds)


def _nest(gap: bytes, stack: list[set[bytes] | None], bounds: Bounds) -> None:
    """Open and close what a piece between two strings opens and closes."""
    for found in _BRACKETS.finditer(gap):
        bracket = found[0]
        if bracket in b"{[":
            stack.append(set() if bracket == b"{" else None)
            if len(stack) > bounds.depth:
                raise Malformed(_TOO_MUCH)
        elif not stack or (stack.pop() is None) is not (bracket == b"]"):
            raise Malformed("brackets do not match")


def _scan(body: bytes, bounds: Bounds) -> None:
    stack: list[set[str] | None] = []  # the names of each open object, None for an array
    n_strings = n_nodes = 0
    text = ""
    for found in _TOKEN.finditer(body):  # not findall: of a megabyte of brackets the first hundred are enough
        token = found[0]
        first = token[:1]
        if first == b'"':
            n_strings += 1
            n_nodes += 1
            text = _text(token)
        elif first in b"{[":
            n_nodes += 1
            stack.append(set() if first == b"{" else None)
        elif first in b"}]":
            if not stack or (stack.pop() is None) is not (first == b"]"):
                raise Malformed("brackets do not match")
        elif first == b":":
            if not stack or (names := stack[-1]) is None:
                raise Malformed("a name outside an object")
            if text in names:
                raise Malformed("a name twice in one object")
            names.add(text)
        elif first != b",":
            n_nodes += 1
            if not bounds.wide:
                _number(token)
        if len(stack) > bounds.depth or n_nodes > bounds.nodes or n_strings > bounds.strings:
            raise Malformed(_TOO_MUCH)


def _text(token: bytes) -> str:
    try:
        return str(msgspec.json.decode(token, type=str))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Malformed("not a string") from None


def _number(token: bytes) -> None:
    if _INTEGER.fullmatch(token):
        if len(token) > 20 or not _INT_MIN <= int(token) <= _INT_MAX:
            raise Malformed("integer beyond 64 bits")
    elif token not in {b"true", b"false", b"null"}:
        try:
            float(msgspec.json.decode(token, type=float))
        except msgspec.DecodeError:
            raise Malformed("not a number") from None


def _open_numbers(t: inspect.Type, seen: set[Any]) -> bool:
    """Whether a value of this type may hold an integer that nothing bounds."""
    match t:
        case inspect.AnyType() | inspect.RawType() | inspect.CustomType():
            return True
        case inspect.IntType():
            return (t.ge is None and t.gt is None) or (t.le is None and t.lt is None)
        case inspect.StructType() if t.cls in seen:
            return False
    parts = _parts(t)
    seen |= {t.cls} if isinstance(t, inspect.StructType) else set()
    return any(_open_numbers(part, seen) for part in parts)


def _parts(t: inspect.Type) -> tuple[inspect.Type, ...]:
    match t:
        case inspect.StructType():
            return tuple(field.type for field in t.fields)
        case inspect.UnionType():
            return t.types
        case inspect.DictType():
            return (t.key_type, t.value_type)
        case inspect.ListType() | inspect.VarTupleType():
            return (t.item_type,)
        case inspect.TupleType():
            return t.item_types
        case _:
            return ()


def reader(message: type[T]) -> Callable[[bytes], T]:
    """A prepared reader: body -> message. Raises Malformed, and Misfit where the JSON is not of this type.

    A type whose integers are all bounded (Meta(ge=, le=)) is read faster than one with an open one.
    `bytes` are standard base64 with padding and no white space (RFC 4648 §4); surplus bits of the last
    character are not looked at, as AWS's servers do not.
    """
    decode = msgspec.json.Decoder(message).decode
    exact = _open_numbers(inspect.type_info(message), set())

    def read(body: bytes) -> T:
        check(body, exact=exact)
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            text, _, path = str(error).partition(" - at `")
            raise Misfit(path.rstrip("`"), text) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Malformed("not JSON") from None

    return read


def writer() -> Callable[[Any], bytes]:
    """A prepared writer: message -> compact JSON; bytes as base64, members in the order they are declared."""
    return msgspec.json.Encoder().encode
