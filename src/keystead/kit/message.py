"""Wire messages and wire operations: a type for what comes in, one for what goes out, a function between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar, get_type_hints

from msgspec import Struct

from keystead.core.caller import Caller, Stranger
from keystead.core.errors import KeysteadError
from keystead.core.operations import Operation
from keystead.kit.marker import Markers
from keystead.kit.routes import Routes
from keystead.wire.json import reader, writer

Q = TypeVar("Q")
A = TypeVar("A")
R = TypeVar("R")


class Message(Struct, frozen=True, gc=False):
    """Base of every wire message. Its repr names its fields and shows none of them.

    A response says `omit_defaults=True` where its protocol leaves absent members out.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.__struct_fields__)})"


class Performer(Protocol):
    """service.pipeline.Service, as a door sees it."""

    def perform(self, caller: Caller, op: Operation[R]) -> R: ...

    def turn_away(self, who: Caller | Stranger, error: KeysteadError) -> None: ...
    def let_in(self, who: Caller | Stranger) -> None: ...


class Call:
    """One authenticated wire request. All it can do is perform operations as its caller."""

    __slots__ = ("_perform", "caller", "markers")

    def __init__(self, service: Performer, caller: Caller, markers: Markers) -> None:
        self._perform, self.caller, self.markers = service.perform, caller, markers

    def __call__(self, op: Operation[R]) -> R:
        return self._perform(self.caller, op)

    @property
    def namespace(self) -> str:
        """The address the caller's door stands for: "aws:111122223333:us-east-1"."""
        return self.caller.namespace


class WireOperation(Struct, Generic[Q, A], frozen=True, kw_only=True):
    """A wire operation: its name, its two types, the errors it may answer, and its translation.

    `read` and `write` are prepared once. `read` raises wire.Malformed, and wire.Misfit where the message is
    well-formed JSON of another shape.
    """

    name: str
    request: type[Q]
    response: type[A]  # NoneType: the operation answers nothing
    errors: frozenset[str]
    run: Callable[[Q, Call], A]
    read: Callable[[bytes], Q]
    write: Callable[[A], bytes]


def operation(name: str, *, errors: frozenset[str]) -> Callable[[Callable[[Q, Call], A]], WireOperation[Q, A]]:
    """Declare the function below to be the wire operation `name`. Registers nothing anywhere.

    The function's first parameter and its result say the types; both are JSON messages. A door with another
    codec replaces `read` and `write` (msgspec.structs.replace).
    """

    def declare(run: Callable[[Q, Call], A]) -> WireOperation[Q, A]:
        hints = get_type_hints(run)
        response: type[Any] = hints.pop("return")
        request: type[Any] = next(iter(hints.values()))
        return WireOperation(
            name=name,
            request=request,
            response=response,
            errors=errors,
            run=run,
            read=reader(request),
            write=writer(),
        )

    return declare


Take = Callable[[Mapping[str, str], Any], tuple[Q, tuple[str, ...]]]
"""(captures of the path, arguments as the door's codec has them) -> the message, and remarks about what was
left out of it. Raises wire.Malformed, as `read` does."""


class PathOperation(WireOperation[Q, A], frozen=True, kw_only=True):
    """A wire operation that a method and a path name: its parameters come from path, query and body together.

    `read` takes a body alone, for a path that captures nothing.
    """

    method: str  # as the door's routes have it: "POST", "list"
    path: str  # a template: kit.routes
    take: Take[Q]


def path_operation(
    method: str, path: str, *, errors: frozenset[str], reader: Callable[[type[Q]], Take[Q]], write: Callable[[A], bytes]
) -> Callable[[Callable[[Q, Call], A]], PathOperation[Q, A]]:
    """Declare the function below to be what `method` does at `path`; its wire name is "<method> <path>".

    `reader` prepares `take` for the function's message, `write` is the door's. Registers nothing anywhere.
    """

    def declare(run: Callable[[Q, Call], A]) -> PathOperation[Q, A]:
        hints = get_type_hints(run)
        response: type[Any] = hints.pop("return")
        request: type[Any] = next(iter(hints.values()))
        take: Take[Q] = reader(request)
        return PathOperation(
            name=f"{method} {path}",
            request=request,
            response=response,
            errors=errors,
            run=run,
            read=lambda body: take({}, body)[0],
            write=write,
            method=method,
            path=path,
            take=take,
        )

    return declare


def routes(operations: Iterable[PathOperation[Any, Any]]) -> Routes[PathOperation[Any, Any]]:
    """Where each of them is found. Raises ValueError where two stand at the same place."""
    return Routes((operation.method, operation.path, operation) for operation in operations)


class Fault(Struct, frozen=True):
    """How a door says that something went wrong."""

    code: str
    status: int


ErrorTable = Mapping[type[KeysteadError] | tuple[type[KeysteadError], Any], Fault]


def fault(table: ErrorTable, error: KeysteadError) -> Fault:
    """The row for (kind, detail) if the table has one, else the row for the kind."""
    kind = type(error)
    return table.get((kind, error.detail)) or table[kind]
