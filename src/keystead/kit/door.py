"""A door: one wire protocol, declared as data, and opened over a service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from keystead.core.entities import Lineage, Namespace
from keystead.core.errors import Internal, Unavailable
from keystead.core.mounts import MountTable
from keystead.core.ports import NOT_ASKED, WouldBlock
from keystead.kit.custody import Custody
from keystead.kit.marker import Markers
from keystead.kit.message import ErrorTable, Performer, WireOperation
from keystead.kit.request_ids import RequestIds
from keystead.service.authenticate import Authenticator
from keystead.service.ratelimits import RateLimitTable
from keystead.wire.http import NO_HEADERS, Headers, HttpRequest, Limits, Refusal

Q = TypeVar("Q")
C = TypeVar("C")
A = TypeVar("A")
Steps = Generator[WouldBlock | None, None, bytes]
"""A request on its way to its reply: between two yields one kind of work is done (kit.batch, Rule 4).

What is yielded says that the next step would block the event loop: the request goes on from there on a thread.
"""


def finished(steps: Steps) -> bytes:
    """All the steps that are left, at once. Raises WouldBlock on the event loop."""
    while True:
        try:
            would = next(steps)
        except StopIteration as done:
            whole: bytes = done.value
            return whole
        if would is not None:
            try:
                raise would
            finally:
                del would


def given_up(steps: Steps) -> bytes:
    """The reply to what was begun, and has not been come to: nothing more of it is done.

    Raises WouldBlock on the event loop, where that takes a thread.
    """
    try:
        steps.throw(Unavailable("too many requests are waiting", NOT_ASKED))
    except StopIteration as done:
        whole: bytes = done.value
        return whole
    raise Internal("a door went on with what was given up")


def wherever(run: Callable[[Q, C], A], message: Q, call: C) -> Generator[WouldBlock | None, None, A]:
    """What `run` comes to here, or on a thread where it would block: who asks for what has been seen to already.

    On a thread it may come to wait for another one (service.moving).
    """
    while True:
        try:
            return run(message, call)
        except WouldBlock as would:
            yield would  # it keeps this frame: no name of it outlives this


class Front(Protocol):
    """A door that is open: requests in, whole replies out. What a listener stands in front of."""

    def steps(self, request: HttpRequest) -> Steps:
        """The whole reply; errors are replies too. May raise WouldBlock on the event loop, and nothing else."""
        ...

    def serve(self, request: HttpRequest) -> bytes:
        """The same, all steps at once."""
        ...

    def reject(self, refusal: Refusal, second: int, headers: Headers = NO_HEADERS, /) -> bytes:
        """The whole reply, in this protocol's words, to what is no request (framing, limits, overload).

        `headers`: of it, as far as they were read: they choose words, and nothing else.
        """
        ...


class Stepwise(ABC):
    """A front that is written as steps."""

    @abstractmethod
    def steps(self, request: HttpRequest) -> Steps: ...

    def serve(self, request: HttpRequest) -> bytes:
        return finished(self.steps(request))


class AtOnce(ABC):
    """A front that takes one step: nobody waits for many of its requests together."""

    @abstractmethod
    def serve(self, request: HttpRequest) -> bytes: ...

    def steps(self, request: HttpRequest) -> Steps:
        return self.serve(request)
        yield None  # what makes it a generator


class Mounts(Protocol):
    """Where a request leads that is a path (service.view). May raise WouldBlock on the event loop, Sealed."""

    def moment(self) -> int:
        """A number that stays the same for as long as what is asked here, and of tokens, comes to the same."""
        ...

    def mounts(self, tenant: str, /) -> MountTable: ...

    def rate_limits(self) -> RateLimitTable: ...

    def on_loop(self) -> bool: ...
    def spaces(self, tenant: str, /) -> Mapping[str, Namespace]:
        """The namespaces below it that somebody may come into, by name."""
        ...

    def chain(self, tenant: str, /) -> Lineage: ...

    def publishes(self, tenant: str, /) -> bool:
        """Whether it has anything to tell those who verify its tokens of identity."""
        ...

    def may_block(self, tenant: str = "") -> None:
        """Raises WouldBlock on the event loop: for whoever knows already that the request is going to.

        `tenant`: in whose turn.
        """
        ...

    def may_wait(self, *, tenant: str = "") -> None:
        """The same for whoever is going to wait for another machine."""
        ...

    def home(self) -> str:
        """The tenant of a request that says of none."""
        ...


class Shares(Struct, frozen=True):
    """Of the seal: its kind, how many shares open it, and how many there are."""

    kind: str
    n_shares: int
    threshold: int


class Means(Struct, frozen=True, kw_only=True):
    """What a door is opened with; one per process."""

    service: Performer
    authenticator: Authenticator
    markers: Markers
    request_ids: RequestIds
    mounts: Mounts
    shares: Shares = Shares("shamir", 1, 1)
    custody: Custody | None = None  # who answers for the seal; None: nobody here does


class Door(Struct, frozen=True, kw_only=True):
    """A door as its package declares it: `DOOR = Door(name="aws_kms", operations=(…), …)`."""

    name: str
    operations: tuple[WireOperation[Any, Any], ...]
    errors: ErrorTable
    limits: Limits = Limits()
    front: Callable[[Door, Means], Front]
    asks: bool = False  # over TLS for a client's certificate, which it need not have

    def table(self) -> dict[str, WireOperation[Any, Any]]:
        """Operations by wire name. Raises ValueError for a name twice."""
        table = {op.name: op for op in self.operations}
        if len(table) != len(self.operations):
            raise ValueError(f"door {self.name} declares an operation twice")
        return table

    def open(self, means: Means) -> Front:
        return self.front(self, means)
