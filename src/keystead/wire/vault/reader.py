"""Prepared readers: a Struct per operation says its parameters, and is what its function gets.

    class EncryptRequest(Parameters, frozen=True):
        name: str = CAPTURED
        plaintext: str | None = None
        key_version: Int = 0

    read = reader(EncryptRequest)
    message, warnings = read({"name": "app"}, b'{"plaintext":"aGk="}')

A body whose values already have the declared types is decoded straight into the Struct. Any other, and what comes
from a query or a form, is read as a tree and coerced field by field, as framework.FieldData does.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Set
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from keystead.wire import Malformed
from keystead.wire.json import check
from keystead.wire.vault import FieldError
from keystead.wire.vault.fields import UNSET_BY_NULL, coerced
from keystead.wire.vault.kinds import Kind
from keystead.wire.vault.tree import BOUNDS, Number, is_odd, tree

Arguments = bytes | Mapping[str, Any]
"""A JSON body not yet read, or the parameters of a query or a form: text, or a list of text where a name came twice."""

CAPTURED: Final = "".join(("not", " ", "captured"))  # a string of its own: told by identity
"""The default of a parameter that the path holds. No message that was read ever shows it."""

_IGNORED = "Endpoint ignored these unrecognized parameters: [%s]"
_REPLACED = "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [%s]"


class Parameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every message. Every field has a default; its kind is its type (wire.vault.kinds).

    `list[Item]` of an Item that is a Struct of its own is decoded as it is declared, without coercion.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.__struct_fields__)})"


P = TypeVar("P", bound=Parameters)
Read = Callable[[Mapping[str, str], Arguments], tuple[P, tuple[str, ...]]]
"""(what the path captured, arguments) -> (message, warnings). Raises Refused, and FieldError for the first misfit."""

_TEXT = Kind.TEXT
_KINDS = {str: Kind.TEXT, bool: Kind.BOOL, float: Kind.FLOAT, Any: Kind.ANY}


def _plain(hint: Any) -> Any:
    """X of `X | None`."""
    if get_origin(hint) in {Union, types.UnionType}:
        return next(part for part in get_args(hint) if part is not types.NoneType)
    return hint


def kind_of(hint: Any) -> Kind | None:
    """The kind a field's type says; None for a type that is decoded as it stands. `X | None` is an X."""
    hint = _plain(hint)
    for mark in getattr(hint, "__metadata__", ()):
        if isinstance(mark, Kind):
            return mark
    return _KINDS.get(hint)


class _Field(Struct, frozen=True):
    """One parameter. `kind` None: decoded as it is declared."""

    attribute: str
    kind: Kind | None
    hint: Any
    default: Any


def reader(message: type[P]) -> Read[P]:
    """Prepare one. Raises TypeError for a field that is a bare int, or that has no default."""
    fields = _fields(message)
    captured = {name for name, field in fields.items() if field.default is CAPTURED}
    decode = msgspec.json.Decoder(message, float_hook=Number).decode
    set_field = msgspec.structs.force_setattr
    # the decoder knows more spellings of a time than Go
    is_direct = all(field.kind is not Kind.TIME for field in fields.values())

    def read(captures: Mapping[str, str], arguments: Arguments) -> tuple[P, tuple[str, ...]]:
        if not captured <= captures.keys():
            raise KeyError(f"{message.__name__}: the path captures too little")
        if not arguments:
            found = message()
        elif type(arguments) is not bytes or not is_direct or arguments.find(b"null") >= 0 or is_odd(arguments):
            return slow(captures, arguments)
        else:
            try:
                check(arguments, bounds=BOUNDS)
                found = decode(arguments)
            except (Malformed, ValueError, msgspec.DecodeError, RecursionError):
                return slow(captures, arguments)
        for name, text in captures.items():
            if (field := fields.get(name)) is not None:
                attribute = field.attribute
                if getattr(found, attribute) is not field.default:
                    return slow(captures, arguments)
                # nobody has seen the message yet
                kind = field.kind
                set_field(found, attribute, text if kind is _TEXT else coerced(kind or Kind.ANY, name, text))
        return found, ()

    def slow(captures: Mapping[str, str], arguments: Arguments) -> tuple[P, tuple[str, ...]]:
        given = tree(arguments) if isinstance(arguments, bytes) else arguments
        values: dict[str, Any] = {}
        for name, field in fields.items():
            kind = field.kind
            if name in captures:
                values[field.attribute] = coerced(kind or Kind.ANY, name, captures[name])
            elif name in given:
                value = given[name]
                if kind is None:
                    values[field.attribute] = _as_declared(field.hint, name, value)
                elif value is not None or kind not in UNSET_BY_NULL:
                    values[field.attribute] = coerced(kind, name, value)
        return message(**values), _warnings(fields.keys(), captures, given)

    return read


def _fields(message: type[Parameters]) -> dict[str, _Field]:
    """By the names on the wire."""
    hints = get_type_hints(message, include_extras=True)
    found = {}
    for field in msgspec.structs.fields(message):
        hint = hints[field.name]
        if field.required or _plain(hint) is int:
            raise TypeError(f"{message.__name__}.{field.name} has no default, or is a bare int")
        found[field.encode_name] = _Field(field.name, kind_of(hint), hint, field.default)
    return found


def _as_declared(hint: Any, name: str, value: Any) -> Any:
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        raise FieldError(name, f"'{path.rstrip('`')}' {text[:1].lower()}{text[1:]}") from None


def _warnings(known: Set[str], captures: Mapping[str, str], given: Mapping[str, Any]) -> tuple[str, ...]:
    ignored = sorted(name for name in given if name not in known)
    replaced = sorted(name for name in given if name in captures and given[name] is not None)
    return tuple(words % " ".join(names) for words, names in ((_IGNORED, ignored), (_REPLACED, replaced)) if names)
