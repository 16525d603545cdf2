"""The AWS Query protocol: a form goes in, XML comes out. STS (2011-06-15) and IAM (2010-05-08) speak it.

    Action=AssumeRole&Version=2011-06-15&Tags.member.1.Key=a   ->  {"Action": "AssumeRole", …, "Tags": [{"Key": "a"}]}
    <AssumeRoleResponse xmlns="…"><AssumeRoleResult>…</AssumeRoleResult><ResponseMetadata>…

Source: Smithy, "AWS query protocol"; the shapes in botocore data/sts and data/iam (service-2.json).
Nothing here ever reads XML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from keystead.wire import Malformed

CONTENT_TYPE = b"text/xml"
N_PAIRS, N_PARTS = 1_000, 8  # parameters; dots in a parameter's name

_INDEX = re.compile(r"[1-9][0-9]{0,3}")
_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#xD;", "\n": "&#xA;", "\t": "&#x9;"}
)
# XML 1.0 §2.2: what a document may not contain, not even escaped
_UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def form(body: bytes) -> dict[str, Any]:
    """A form body as a tree of str, dict and list. Raises Malformed; a parameter twice is malformed.

    `Name.member.N` and `Name.entry.N` are lists in the order of N, which must count from 1 without a gap.
    """
    tree: dict[str, Any] = {}
    pairs = [pair for pair in body.split(b"&") if pair] if body else []
    if len(pairs) > N_PAIRS:
        raise Malformed("too many parameters")
    for pair in pairs:
        name, _, value = pair.partition(b"=")
        _plant(tree, _text(name).split("."), _text(value))
    result = _lists(tree)
    assert isinstance(result, dict)  # noqa: S101 - the root has no "member"
    return result


def _text(raw: bytes) -> str:
    if b"%" in raw and re.search(rb"%(?![0-9A-Fa-f]{2})", raw):
        raise Malformed("a percent sign without two hex digits")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise Malformed("a parameter is not UTF-8") from None


def _plant(tree: dict[str, Any], path: list[str], value: str) -> None:
    if len(path) > N_PARTS or "" in path:
        raise Malformed("a parameter's name is not one")
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise Malformed("a parameter is both a value and a structure")
    if path[-1] in tree:
        raise Malformed("a parameter twice")
    tree[path[-1]] = value


def _lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    wrapped = {name: _items(child) for name, child in node.items() if name in {"member", "entry"}}
    if wrapped:
        if len(node) > 1:
            raise Malformed("a list with other members")
        return next(iter(wrapped.values()))
    return {name: _lists(child) for name, child in node.items()}


def _items(node: Any) -> list[Any]:
    if not isinstance(node, dict) or not all(_INDEX.fullmatch(index) for index in node):
        raise Malformed("a list is numbered from 1")
    if {int(index) for index in node} != set(range(1, len(node) + 1)):
        raise Malformed("a list has no gaps")
    return [_lists(node[str(i)]) for i in range(1, len(node) + 1)]


# --- the way out


def response(action: str, namespace: str, result: Mapping[str, Any] | None, request_id: str) -> bytes:
    """The XML of a success. `result` is a tree of str, int, bool, datetime, mappings, lists and tuples; None values
    are left out. Operations without an output (IAM's Delete…, Put…) pass None and get no Result element.
    """
    inner = "" if result is None else _element(f"{action}Result", result)
    meta = f"<ResponseMetadata><RequestId>{_escape(request_id)}</RequestId></ResponseMetadata>"
    return f'<{action}Response xmlns="{_escape(namespace)}">{inner}{meta}</{action}Response>'.encode()


def error(code: str, message: str | None, namespace: str, request_id: str, *, ours: bool = False) -> bytes:
    """The XML of a failure; `ours`: the fault is not the sender's."""
    said = "" if message is None else f"<Message>{_escape(message)}</Message>"
    return (
        f'<ErrorResponse xmlns="{_escape(namespace)}"><Error><Type>{"Receiver" if ours else "Sender"}</Type>'
        f"<Code>{_escape(code)}</Code>{said}</Error><RequestId>{_escape(request_id)}</RequestId></ErrorResponse>"
    ).encode()


def _element(name: str, value: Any) -> str:
    return f"<{name}>{''.join(_content(value))}</{name}>"


def _content(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield _escape(value)
        case bool():
            yield "true" if value else "false"
        case int():
            yield str(value)
        case datetime():
            yield value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case Mapping():
            for name, child in value.items():
                if child is not None:
                    yield _element(name, child)
        case list() | tuple():
            for child in value:
                yield _element("member", child)
        case _:
            raise TypeError(f"{type(value).__name__} has no XML form")


def _escape(text: str) -> str:
    return _UNSPEAKABLE.sub("\ufffd", text).translate(_ESCAPES)
