"""Where a path leads: a table of templates, compiled once into a tree of segments.

    "{mount}/encrypt/{name}"      a capture is one segment, and not an empty one
    "sys/mounts/{path:path}"      a tail is one segment or more, "/" between them; literals may stand behind it
    "metadata/{path:path?}"       a tail that may be empty
    "keys/?"                      with "/" at the end, or without
    "keys/"                       only with

A literal goes before a capture, a capture before a tail; a segment once taken is given back if the rest fits nowhere.
The path decides first and the method then, so a door can tell 404 (None) from 405 (a Place without the method).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

_CAPTURE = re.compile(r"\{(?P<name>[a-z_]+)(?P<tail>:path\??)?\}")
E = TypeVar("E")


class _End(Struct, Generic[E]):
    """What stands at the end of a template: method -> (what was declared for it, the names of its captures)."""

    methods: dict[str, tuple[E, tuple[str, ...]]]


class _Tail(Struct, Generic[E], frozen=True):
    """A tail, the literals behind it, and what stands there."""

    behind: tuple[str, ...]
    may_be_empty: bool
    end: _End[E]


class _Node(Struct, Generic[E]):
    literals: dict[str, _Node[E]]
    capture: _Node[E] | None = None
    tails: tuple[_Tail[E], ...] = ()  # the longest behind first
    end: _End[E] | None = None


class Place(Generic[E]):
    """Where a path led. `methods` are those that are declared there."""

    __slots__ = ("_end", "_values")

    def __init__(self, end: _End[E], values: Sequence[str]) -> None:
        self._end, self._values = end, values

    @property
    def methods(self) -> Iterable[str]:
        return self._end.methods.keys()

    def take(self, method: str) -> tuple[E, dict[str, str]] | None:
        """What is declared for the method, and the captures by name; None for another method."""
        if (found := self._end.methods.get(method)) is None:
            return None
        entry, names = found
        return entry, dict(zip(names, self._values, strict=True))


class Routes(Generic[E]):
    """A compiled table. `table`: (method, template, what stands there). Raises ValueError where two collide."""

    def __init__(self, table: Iterable[tuple[str, str, E]]) -> None:
        self._root: _Node[E] = _Node({})
        for method, template, entry in table:
            for shape in _shapes(template):
                self._add(method, shape, entry)

    def find(self, segments: Sequence[str]) -> Place[E] | None:
        """Where decoded segments lead (wire.uri.segments); None for nowhere."""
        values: list[str] = []
        end = _find(self._root, segments, 0, values)
        return None if end is None else Place(end, values)

    def _add(self, method: str, segments: Sequence[str], entry: E) -> None:
        node, names = self._root, []
        end = None
        for n, segment in enumerate(segments):
            found = _CAPTURE.fullmatch(segment)
            if found is None:
                if "{" in segment:
                    raise ValueError(f"no template: {'/'.join(segments)}")
                node = node.literals.setdefault(segment, _Node({}))
                continue
            names.append(found["name"])
            if found["tail"]:
                end = _tail(node, tuple(segments[n + 1 :]), may_be_empty=found["tail"].endswith("?"))
                break
            node.capture = node.capture or _Node({})
            node = node.capture
        if end is None:
            end = node.end = node.end or _End({})
        if method in end.methods or len(set(names)) != len(names):
            raise ValueError(f"{method} {'/'.join(segments)} is declared twice, or captures a name twice")
        end.methods[method] = (entry, tuple(names))


def captures(template: str) -> frozenset[str]:
    """The names that a template captures."""
    return frozenset(found["name"] for found in _CAPTURE.finditer(template))


def _shapes(template: str) -> list[list[str]]:
    if template.endswith("/?"):
        return [template[:-2].split("/"), template[:-1].split("/")]
    return [template.split("/")]


def _tail(node: _Node[E], behind: tuple[str, ...], *, may_be_empty: bool) -> _End[E]:
    for tail in node.tails:
        if tail.behind == behind and tail.may_be_empty is may_be_empty:
            return tail.end
    if any("{" in segment for segment in behind):
        raise ValueError("only literals may stand behind a tail")
    tail = _Tail(behind, may_be_empty, _End({}))
    node.tails = tuple(sorted((*node.tails, tail), key=lambda t: (-len(t.behind), t.may_be_empty)))
    return tail.end


def _find(node: _Node[E], segments: Sequence[str], at: int, values: list[str]) -> _End[E] | None:
    while at < len(segments):
        segment = segments[at]
        at += 1
        literal, capture = node.literals.get(segment), node.capture if segment else None
        if node.tails or (literal is not None and capture is not None):
            return _try_all(node, segments, at, values)
        if literal is not None:
            node = literal
        elif capture is not None:
            values.append(segment)
            node = capture
        else:
            return None
    return node.end


def _try_all(node: _Node[E], segments: Sequence[str], at: int, values: list[str]) -> _End[E] | None:
    """`at` stands behind the segment in question."""
    segment, n = segments[at - 1], len(values)
    if (literal := node.literals.get(segment)) is not None:
        if (end := _find(literal, segments, at, values)) is not None:
            return end
        del values[n:]
    if node.capture is not None and segment:
        values.append(segment)
        if (end := _find(node.capture, segments, at, values)) is not None:
            return end
        del values[n:]
    return _of_tails(node.tails, segments, at - 1, values)


def _of_tails(tails: Sequence[_Tail[E]], segments: Sequence[str], at: int, values: list[str]) -> _End[E] | None:
    for tail in tails:
        ends = len(segments) - len(tail.behind)
        if ends > at and tuple(segments[ends:]) == tail.behind:
            value = "/".join(segments[at:ends])
            if value or tail.may_be_empty:
                values.append(value)
                return tail.end
    return None
