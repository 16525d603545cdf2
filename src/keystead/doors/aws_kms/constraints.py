"""What AWS says about a request that breaks the constraints of its shapes.

    1 validation error detected: Value 'X' at 'lowerCamel' failed to satisfy constraint: Member must …

STS says it so, and IAM (Query), and KMS (JSON); of some constraints IAM has a sentence of its own. The constraints are
those of the message Structs, read once more from their types; nothing is written twice. A value is shown only where its
shape is no secret: bytes, maps and grant tokens never are.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, inspect

from keystead.doors.aws_kms.shapes import AWS_PATTERNS
from keystead.kit import Message

HIDDEN = frozenset(
    {"Plaintext", "Message", "RawSecretAccessKey", "KeyStorePassword", "AccessKeyId", "GrantTokens", "GrantToken"}
)
"""Sensitive by the model, of which AWS does not even say that they are null; and grant tokens: whoever shows one may
use the grant."""
HIDDEN_IN_FORMS = frozenset({"WebIdentityToken"})
"""By the models of STS and IAM."""

_PATTERN = "Member must satisfy regular expression pattern: "
OF_IAM = {
    f"{_PATTERN}[\\w+=,.@-]+": "The specified value for {} is invalid. "
    "It must contain only alphanumeric characters and/or the following: +=,.@_-",
    f"{_PATTERN}(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)": "The specified value for {} is invalid. "
    "It must begin and end with / and contain only alphanumeric characters and/or / characters.",
}
"""rule -> what is said in its place where nothing else is wrong (SPEC.md)."""


class WrongType(Exception):
    """A member is not of the type its shape asks for: no constraint, but a SerializationException."""


class Flaw(Struct, frozen=True):
    at: str
    shown: str
    rule: str

    def __str__(self) -> str:
        return f"{self.shown} at '{self.at}' failed to satisfy constraint: {self.rule}"


def complaint(message: type[Message], body: bytes) -> str | None:
    """The text of the ValidationException for `body`; None if its fault is not a constraint."""
    try:
        found = list(_members("", inspect.type_info(message), msgspec.json.decode(body), HIDDEN))
    except (WrongType, msgspec.DecodeError):
        return None
    return _counted(found)


def complaint_of_form(message: type[Any], tree: Any) -> str | None:
    """The text of the ValidationError for `tree` (wire.aws.query.form); None if its fault is not a constraint."""
    shape = inspect.type_info(message)
    try:
        found = list(_members("", shape, _typed(shape, tree), HIDDEN_IN_FORMS))
    except WrongType:
        return None
    own = [OF_IAM[flaw.rule].format(flaw.at) for flaw in found if flaw.rule in OF_IAM]
    return _counted([flaw for flaw in found if flaw.rule not in OF_IAM]) or next(iter(own), None)


def _counted(found: list[Flaw]) -> str | None:
    noun = "error" if len(found) == 1 else "errors"
    return f"{len(found)} validation {noun} detected: {'; '.join(map(str, found))}" if found else None


def _typed(shape: Any, value: Any) -> Any:
    """A tree of texts, with numbers and truth values where `shape` has them and the text is one."""
    match shape:
        case inspect.StructType() if isinstance(value, dict):
            types = {field.encode_name: _narrow(field.type) for field in shape.fields}
            return {name: _typed(types[name], one) if name in types else one for name, one in value.items()}
        case inspect.ListType() if isinstance(value, list):
            return [_typed(_narrow(shape.item_type), one) for one in value]
        case inspect.IntType() if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
            return int(value)
        case inspect.BoolType() if isinstance(value, str) and value.lower() in _TRUTH:
            return _TRUTH[value.lower()]
        case _:
            return value


_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def _members(path: str, shape: Any, value: Any, secret: frozenset[str]) -> Iterator[Flaw]:
    if not isinstance(value, dict):
        raise WrongType
    for field in shape.fields:
        name = field.encode_name
        at = path + name[:1].lower() + name[1:]
        given = value.get(name)
        if given is not None:
            yield from _look(at, _narrow(field.type), given, secret, hidden=name in secret)
        elif field.required:
            yield Flaw(at, "Value" if name in secret else "Value null", "Member must not be null")


def _look(at: str, shape: Any, value: Any, secret: frozenset[str], *, hidden: bool) -> Iterator[Flaw]:
    """What is wrong with one member that is there."""
    match shape:
        case inspect.StructType():
            yield from _members(f"{at}.", shape, value, secret)
            return
        case inspect.ListType() if isinstance(value, list) and isinstance(_narrow(shape.item_type), inspect.StructType):
            for number, item in enumerate(value, 1):
                yield from _members(f"{at}.{number}.member.", _narrow(shape.item_type), item, secret)
        case _:
            pass
    hidden = hidden or isinstance(shape, inspect.BytesType | inspect.DictType)
    shown = "Value" if hidden else f"Value '{_shown(value)}'"
    for rule in _broken(shape, value):
        yield Flaw(at, shown, rule)


def _broken(shape: Any, value: Any) -> Iterator[str]:
    """The rules of `shape` that `value` breaks. Raises WrongType."""
    match shape:
        case inspect.LiteralType():
            _demand(isinstance(value, str))
            if value not in shape.values:
                yield f"Member must satisfy enum value set: [{', '.join(map(str, shape.values))}]"
        case inspect.StrType():
            _demand(isinstance(value, str))
            yield from _length(shape, len(value))
            if shape.pattern is not None and not re.search(shape.pattern, value):
                yield f"{_PATTERN}{AWS_PATTERNS[shape.pattern]}"
        case inspect.BytesType():
            yield from _length(shape, len(_bytes(value)))
        case inspect.IntType():
            _demand(isinstance(value, int) and not isinstance(value, bool))
            if shape.ge is not None and value < shape.ge:
                yield f"Member must have value greater than or equal to {shape.ge}"
            if shape.le is not None and value > shape.le:
                yield f"Member must have value less than or equal to {shape.le}"
        case inspect.BoolType():
            _demand(isinstance(value, bool))
        case inspect.ListType():
            _demand(isinstance(value, list))
            yield from _length(shape, len(value))
            yield from _items(_narrow(shape.item_type), value)
        case inspect.DictType():
            _demand(isinstance(value, dict))
            yield from _items(_narrow(shape.key_type), list(value))
            yield from _items(_narrow(shape.value_type), list(value.values()))
        case _:
            pass


def _items(shape: Any, values: list[Any]) -> Iterator[str]:
    if isinstance(shape, inspect.StructType):
        return
    if rules := list(dict.fromkeys(rule for value in values for rule in _broken(shape, value))):
        yield f"Member must satisfy constraint: [{', '.join(rules)}]"


def _length(shape: Any, n: int) -> Iterator[str]:
    if shape.min_length is not None and n < shape.min_length:
        yield f"Member must have length greater than or equal to {shape.min_length}"
    if shape.max_length is not None and n > shape.max_length:
        yield f"Member must have length less than or equal to {shape.max_length}"


def _narrow(shape: Any) -> Any:
    """`shape` without None."""
    if isinstance(shape, inspect.UnionType):
        (shape,) = (one for one in shape.types if not isinstance(one, inspect.NoneType))
    return shape


def _shown(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _bytes(value: Any) -> bytes:
    _demand(isinstance(value, str))
    try:
        return b64decode(value, validate=True)
    except (NotBase64, ValueError):
        raise WrongType from None


def _demand(right: bool) -> None:  # noqa: FBT001 - an assertion's one argument
    if not right:
        raise WrongType
