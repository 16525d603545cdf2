"""No member of a request is taken and then looked at by nobody: it does something, or is refused by name.

What a handler reads of its message is found in its source: members, what getattr is given out of tables, and what it
hands on to other functions.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import pytest

from keystead.doors.vault import DOOR
from keystead.doors.vault.endpoint import Endpoint
from keystead.wire.vault.reader import CAPTURED

OURS = [one for one in DOOR.operations if isinstance(one, Endpoint)]
REFUSED = {
    "system write config/cors",
    "system write config/ui/headers/{header}",
    "system write config/auditing/request-headers/{header}",
    "system write namespaces/{path}/unseal",
}
"""Whatever they say."""
AS_THERE = {
    "system write quotas/rate-limit/{name}": {"type"},  # of which there is one
    "system write capabilities-self": {"token"},  # the token of the request is the one
    "token write lookup-self": {"token"},
    "token write renew-self": {"token"},
    "system write leases/renew": {"increment"},  # none is renewed
    "system write leases/renew/{lease_id:path}": {"increment"},
    "system write tools/random/{source}/{urlbytes}": {"bytes"},  # the path says it
    "system write tools/hash/{urlalgorithm}": {"algorithm"},
    "transit write random/{source}/{urlbytes}": {"bytes"},
    "identity write group/name/{name:path}": {"id"},
    "transit write keys/{name}": {"context"},  # of reading
    "transit write keys/{name}/import": {"context"},
    "kv-v2 write data/{path:path?}": {"version"},
    "kv-v2 patch data/{path:path?}": {"version"},
    "jwt read oidc/callback": {"error_description", "error_uri"},  # anybody can say anything there (CVE-2026-33758)
}
"""What OpenBao 2.7.2 declares and does nothing with either, but for what is last here: it says that back."""
BY_NAME = "?"
"""Among what is read: members whose names are somebody else's to say."""
WHOLE = {msgspec.structs.asdict, msgspec.to_builtins}
"""What takes every member of a message."""


class Reads(ast.NodeVisitor):
    """What a function reads of one of its parameters."""

    def __init__(self, function: Callable[..., Any], name: str, seen: set[tuple[Any, str]]) -> None:
        self.function, self.name, self.seen = function, name, seen
        self.names: dict[str, Any] = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
        self.found: set[str] = set()
        self.tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        self.visit(self.tree)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if self._is_it(node.value):
            self.found.add(node.attr)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        at = [n for n, given in enumerate(node.args) if self._is_it(given)]
        by = [given.arg for given in node.keywords if given.arg and self._is_it(given.value)]
        called = self._value(node.func)
        if (not at and not by) or called is msgspec.structs.replace:
            return
        if called is getattr:
            self.found |= {BY_NAME, *self._words(self.tree)}
        elif called in WHOLE:
            self.found.add("*")
        elif inspect.isfunction(called):
            self._follow(called, at, by)
            if BY_NAME in self.found:  # and these may be the names
                self.found |= set(self._words(*node.args))
            for n, given in enumerate(node.args):  # and this may be called with what stands behind it
                if inspect.isfunction(function := self._value(given)):
                    self._follow(function, [one - n - 1 for one in at if one > n], [])
        elif isinstance(called, Endpoint):
            self.found |= members_read(called)

    def _follow(self, function: Callable[..., Any], at: list[int], by: list[str]) -> None:
        own = inspect.unwrap(function)
        parameters = list(inspect.signature(own).parameters)
        for name in (*(parameters[n] for n in at if n < len(parameters)), *by):
            self.found |= read_by(own, name, self.seen)

    def _is_it(self, node: ast.AST) -> bool:
        """The message, or the same with something else in it."""
        if isinstance(node, ast.IfExp):
            return self._is_it(node.body) or self._is_it(node.orelse)
        if isinstance(node, ast.Call) and self._value(node.func) is msgspec.structs.replace:
            return self._is_it(node.args[0])
        return isinstance(node, ast.Name) and node.id == self.name

    def _value(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Name):
            return self.names.get(node.id, getattr(builtins, node.id, None))
        if isinstance(node, ast.Attribute):
            return getattr(self._value(node.value), node.attr, None)
        return None

    def _words(self, *nodes: ast.AST) -> Iterator[str]:
        """Every text in these, and in the tables that they name."""
        for node in (inner for one in nodes for inner in ast.walk(one)):
            if isinstance(node, ast.Name):
                yield from _texts(self.names.get(node.id))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from (*_texts(key), *_texts(one))
    elif isinstance(value, msgspec.Struct):
        yield from _texts(msgspec.structs.astuple(value))
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from _texts(one)


def read_by(function: Callable[..., Any], name: str, seen: set[tuple[Any, str]]) -> set[str]:
    if (function, name) in seen:
        return set()
    seen.add((function, name))
    return Reads(function, name, seen).found


def members_read(one: Endpoint) -> set[str]:
    found = set[str]()
    for function in filter(None, (one.run, one.shows)):
        run = inspect.unwrap(function)
        found |= read_by(run, next(iter(inspect.signature(run).parameters)), set())
    for name in found - {field.name for field in msgspec.structs.fields(one.request)}:
        own = getattr(one.request, name, None)  # a message may have methods
        own = own.fget if isinstance(own, property) else own
        if inspect.isfunction(own):
            found = found | read_by(own, "self", set())
    return found


@pytest.mark.parametrize("one", OURS, ids=lambda one: one.name)
def test_every_member_is_looked_at(one: Endpoint) -> None:
    given = {f.name for f in msgspec.structs.fields(one.request) if f.default is not CAPTURED}
    found = members_read(one)
    unread = set() if "*" in found else given - found
    assert unread == (given if one.name in REFUSED else AS_THERE.get(one.name, set()))


def test_every_exception_is_of_an_operation_that_is_there() -> None:
    assert {*REFUSED, *AS_THERE} <= {one.name for one in OURS}
