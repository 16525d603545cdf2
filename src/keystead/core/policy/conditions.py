"""Condition operators, and what a condition comes to.

IAM User Guide, "Condition operators", "Multivalued context keys", "Single-valued vs. multivalued context keys".
A missing key fails a condition, fulfils a negated one, ...IfExists and ForAllValues.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from operator import eq, ge, gt, le, lt
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.errors import Denied, InvalidArgument
from keystead.core.policy import pattern
from keystead.core.policy.facts import Fact, Values, fact
from keystead.core.policy.fold import lower
from keystead.core.policy.pattern import Matcher
from keystead.core.policy.request import Request

MOST_VALUES = 2048  # of one fact of a request: a body has at most twice as many strings (wire.json)
MOST_COMPARED = 50_000  # values of a request times values of a policy: some ten milliseconds

T = TypeVar("T")
Holds = Callable[[Request], bool]
Build = Callable[[str, bool, bool], Matcher]  # (policy value, variables, what an unresolved variable comes to)


class Condition(Struct, frozen=True):
    holds: Holds
    stable: bool  # comes to the same for every request with this principal, key and action
    cost: int = 0  # of one value of a request, in comparisons with a wildcard; what is looked up costs none
    by_line: Holds | None = None  # whether it comes to the same for every request of the same line (request.Line)


class Operator(Struct, frozen=True):
    build: Build
    negated: bool = False


# --- values that are read, not compared as text; in a policy they must be well-formed

_NUMBER = re.compile(r"[+-]?[0-9]{1,32}(?:\.[0-9]{1,32})?")
_DATE = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?)?"
)
_EPOCH = re.compile(r"[0-9]{5,11}")


def _number(text: str) -> Decimal:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError
    return Decimal(text)


def _date(text: str) -> datetime:
    """W3C date-time (NOTE-datetime) or seconds since 1970."""
    if _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC)
    if (found := _DATE.fullmatch(text)) is None:
        raise ValueError
    year, month, day, time, zone = found.groups()
    return datetime.fromisoformat(f"{year}-{month or '01'}-{day or '01'}{time or 'T00:00'}{zone or 'Z'}")


def _bool(text: str) -> bool:
    return {"true": True, "false": False}[lower(text)]


def _binary(text: str) -> bytes:
    return b64decode(text, validate=True)


@lru_cache(maxsize=4096)
def _address(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text)
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _read(value: str, name: str, reader: Callable[[str], T]) -> T:
    try:
        return reader(value)
    except (ValueError, KeyError, OverflowError, OSError):
        raise InvalidArgument(f"Invalid value for condition type {name}: {value[:64]}.", "Policy") from None


def _parsed(name: str, reader: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Build:
    """Both sides read by `reader`; a request's value that cannot be read matches nothing."""

    def build(value: str, _variables: bool, _unresolved: bool) -> Matcher:  # noqa: FBT001 - a Build
        own = _read(value, name, reader)

        def matches(asked: str, _: Request) -> bool:
            try:
                return compare(reader(asked), own)
            except (ValueError, KeyError, OverflowError, OSError):
                return False

        return Matcher(matches)

    return build


def _network(value: str, _variables: bool, _unresolved: bool) -> Matcher:  # noqa: FBT001 - a Build
    network = _read(value, "IpAddress", lambda text: ip_network(text, strict=False))

    def matches(asked: str, _: Request) -> bool:
        try:
            return _address(asked) in network
        except ValueError:
            return False

    return Matcher(matches)


def _text(build: Callable[..., Matcher]) -> Build:
    return lambda value, variables, unresolved: build(value, variables=variables, unresolved=unresolved)


_EQUAL, _CASELESS = _text(pattern.equal), _text(pattern.equal_ignoring_case)
_LIKE, _ARN = _text(pattern.like), _text(pattern.arn_like)
_O = Operator
OPERATORS: dict[str, Operator] = {
    "StringEquals": _O(_EQUAL),
    "StringNotEquals": _O(_EQUAL, negated=True),
    "StringEqualsIgnoreCase": _O(_CASELESS),
    "StringNotEqualsIgnoreCase": _O(_CASELESS, negated=True),
    "StringLike": _O(_LIKE),
    "StringNotLike": _O(_LIKE, negated=True),
    "NumericEquals": _O(_parsed("Numeric", _number, eq)),
    "NumericNotEquals": _O(_parsed("Numeric", _number, eq), negated=True),
    "NumericLessThan": _O(_parsed("Numeric", _number, lt)),
    "NumericLessThanEquals": _O(_parsed("Numeric", _number, le)),
    "NumericGreaterThan": _O(_parsed("Numeric", _number, gt)),
    "NumericGreaterThanEquals": _O(_parsed("Numeric", _number, ge)),
    "DateEquals": _O(_parsed("Date", _date, eq)),
    "DateNotEquals": _O(_parsed("Date", _date, eq), negated=True),
    "DateLessThan": _O(_parsed("Date", _date, lt)),
    "DateLessThanEquals": _O(_parsed("Date", _date, le)),
    "DateGreaterThan": _O(_parsed("Date", _date, gt)),
    "DateGreaterThanEquals": _O(_parsed("Date", _date, ge)),
    "Bool": _O(_parsed("Bool", _bool, eq)),
    "BinaryEquals": _O(_parsed("Binary", _binary, eq)),
    "IpAddress": _O(_network),
    "NotIpAddress": _O(_network, negated=True),
    "ArnEquals": _O(_ARN),
    "ArnNotEquals": _O(_ARN, negated=True),
    "ArnLike": _O(_ARN),
    "ArnNotLike": _O(_ARN, negated=True),
}


# --- one value, or many


def _plain(own: Fact, matcher: Matcher, *, negated: bool, if_exists: bool) -> Holds:
    read, matches, found, missing = own.read, matcher.matches, not negated, negated or if_exists

    def holds(request: Request) -> bool:
        values = read(request)
        if not values:
            return missing
        for value in values:
            if matches(value, request):
                return found
        return not found

    return holds


def _for_all(own: Fact, matcher: Matcher, *, negated: bool, if_exists: bool) -> Holds:
    del if_exists  # ForAllValues of nothing is true, with it or without
    read, matches = own.read, matcher.matches

    def holds(request: Request) -> bool:
        for value in read(request):  # noqa: SIM110 - half the time of all()
            if matches(value, request) is negated:
                return False
        return True

    return holds


def _for_any(own: Fact, matcher: Matcher, *, negated: bool, if_exists: bool) -> Holds:
    """ForAnyValue of nothing is false, unless IfExists says otherwise; negation does not change that."""

    def holds(request: Request) -> bool:
        values = own.read(request)
        return any(matcher.matches(v, request) is not negated for v in values) if values else if_exists

    return holds


_QUANTIFIERS: dict[str, Callable[..., Holds]] = {"": _plain, "ForAllValues": _for_all, "ForAnyValue": _for_any}


def _null(own: Fact, values: list[str]) -> Holds:
    wanted = {_read(value, "Null", _bool) for value in values}
    return lambda request: (not own.read(request)) in wanted


def _within(own: Fact, most: int) -> Fact:
    """The fact, refused where it has more values than `most`: each is held against every value of the document."""
    if most >= MOST_VALUES:
        return own

    def read(request: Request) -> Values:
        values = own.read(request)
        if len(values) > most:
            raise Denied(
                "the request has more values than a policy of so many conditions is held against", request.action
            )
        return values

    return replace(own, read=read)


def compile_condition(
    word: str, key: str, values: list[str], *, variables: bool, allowing: bool, most: int = MOST_VALUES
) -> Condition:
    """One line of a Condition block. `variables`: the document's Version has them; `allowing`: Effect is Allow.

    `most`: how many values a request may have for it; with more it is denied, whatever the policy says.

    Where a variable has no value the line does not match; a negated line of an Allow does not hold either, so
    that what is missing never gives a right. Raises InvalidArgument(detail "Policy").
    """
    own = fact(key)
    if word == "Null":
        return Condition(_null(own, values), own.stable)
    quantifier, _, name = word.rpartition(":")
    if_exists = name.endswith("IfExists")
    operator = OPERATORS.get(name.removesuffix("IfExists"))
    quantified = _QUANTIFIERS.get(quantifier)
    if operator is None or quantified is None:
        raise InvalidArgument(f"Invalid Condition type : {word[:64]}.", "Policy")
    negated = operator.negated
    matchers = [operator.build(value, variables, negated and allowing) for value in values]
    if any(matcher.literal is None for matcher in matchers):  # those that are literal are looked up at once
        own = _within(own, most)
    matcher = pattern.any_of(matchers)
    holds = quantified(own, matcher, negated=negated, if_exists=if_exists)
    cost = sum(one.cost for one in matchers if one.literal is None)
    return Condition(holds, own.stable and matcher.stable, cost)
