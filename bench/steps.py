"""The cost of each step of one AWS Encrypt, in this process: HOUSE §6's table for the real server.

Each step is called with what the step before it made, many times over, and the best of a few rounds counts: CPU time
of this thread, so a neighbour disturbs it little. A step alone has the processor's caches to itself: the sums are
therefore measured too, over distinct requests, and come to more than their parts. What the whole request costs beyond
them (sockets, event loop, kernel) is what the load measures on top.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from bench.peers import install
from bench.store import open_core
from bench.workloads import Aws, encrypts
from keystead.app.chores import Chores
from keystead.app.compose import Core
from keystead.app.doors import DOORS
from keystead.app.installation import saved_credentials
from keystead.core import operations as ops
from keystead.core.algorithms import Purpose
from keystead.core.entities import Key
from keystead.core.envelope import typed_aad
from keystead.core.sensitive import Sensitive
from keystead.doors.aws_kms.door import AwsFront, _encode
from keystead.doors.aws_kms.names import key_arn, key_ref
from keystead.doors.aws_kms.shapes import WORDS
from keystead.kit import Call
from keystead.kit.connection import Connection
from keystead.kit.listener import Listener
from keystead.service.handlers import HANDLERS
from keystead.service.handlers.use import algorithm_for
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act
from keystead.wire.http import HttpRequest, Limits, reply

A_BATCH = 64
HOST = ("127.0.0.1", 8200)


class Step(Struct, frozen=True, kw_only=True):
    """µs of CPU. `chosen`: what HOUSE §6 found with a prototype; None where it says nothing."""

    name: str
    us: float
    chosen: float | None = None
    part: bool = True  # of serve() or of the journal; else a sum over several


class _Transport(asyncio.Transport):
    """Takes what is written and keeps none of it."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return HOST if name == "peername" else default


class _Listener:
    """kit.listener.Listener as a connection sees it, with nothing behind it."""

    def __init__(self, clock: Any) -> None:
        self.limits, self.names, self.tick, self.batch, self.front = Limits(), frozenset[str](), 0, self, self
        self.now = clock.now()
        self.second = int(self.now.timestamp())
        self.last: HttpRequest  # once one has been received
        self.act: Callable[[HttpRequest], object] = id

    def begin(self) -> None:
        pass

    def opened(self, _connection: Connection) -> None:
        pass

    def holds(self, _connection: Connection) -> bool:
        return False

    def ask(self, connection: Connection) -> None:
        connection.begin()
        self.act(self.last)

    def steps(self, request: HttpRequest) -> None:
        """The front's part."""
        self.last = request


def timed(act: Callable[[], object], *, seconds: float, rounds: int = 5) -> float:
    """µs of CPU per call, at best."""
    n, best = 8, float("inf")
    for _ in range(rounds):
        began = time.thread_time()
        for _ in range(n):
            act()
        took = time.thread_time() - began
        best = min(best, took / n)
        n = max(8, int(seconds / rounds / best))
    return best * 1e6


def measure(directory: Path, *, seconds: float) -> list[Step]:
    """In a fresh installation at `directory`; about `seconds` for each step."""
    install(directory)
    core = open_core(directory, journal="steps")
    try:
        return _Bench(core, directory, seconds).steps()
    finally:
        core.close()


class _Bench:
    def __init__(self, core: Core, directory: Path, seconds: float) -> None:
        self._core, self._seconds = core, seconds
        self._front = cast("AwsFront", core.front(DOORS["aws"]))
        saved = saved_credentials(directory)
        assert saved is not None  # noqa: S101 - install left them
        self._aws = Aws(HOST, saved.access_key_id, saved.secret_access_key)
        self._listener = _Listener(core.clock)
        self._connection = Connection(cast("Listener", self._listener))
        self._connection.connection_made(_Transport())

    def _receive(self, raw: bytes) -> None:
        self._connection.data_received(raw)
        self._connection.n_owed = 0  # it is answered

    def _parsed(self, raw: bytes) -> HttpRequest:
        self._receive(raw)
        return self._listener.last

    def steps(self) -> list[Step]:
        core, front = self._core, self._front
        front.serve(self._parsed(self._aws.prepared("create_key", [{}])[0]))
        key = core.barrier.every(Key, limit=1)[0].id
        raws = self._aws.prepared("encrypt", encrypts([key]))
        requests = [self._parsed(raw) for raw in raws]
        for request in requests:
            first = front.serve(request)
            if not first.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(first.decode())
        chores = Chores(core)
        try:
            chores.fold()
            core.view.loop_thread = threading.get_ident()  # from here on nothing may block
            gc.collect()
            gc.freeze()  # as a worker does
            return [*self._alone(raws[0], requests[0]), *self._together(raws, requests), self._fold(chores, requests)]
        finally:
            gc.unfreeze()
            core.view.loop_thread = None
            chores.close()

    def _alone(self, raw: bytes, request: HttpRequest) -> list[Step]:
        core, front, view = self._core, self._front, self._core.view
        operation = front._json[b"TrentService.Encrypt"]
        new_id = core.means.request_ids

        def authenticate() -> Any:
            return front._authenticate(
                request, service="kms", door="aws_kms", wire_operation=operation.name, request_id="bench"
            )

        caller, message = authenticate(), operation.read(request.body)
        call = Call(core.service, caller, core.means.markers)
        text, word = message.key_id, WORDS[message.encryption_algorithm]
        ref = key_ref(text, caller.namespace)
        op = ops.Encrypt(
            key=ref, plaintext=Sensitive(message.plaintext), aad=message.encryption_context, algorithm=word
        )
        (demand,) = demands = op.demands()
        held = cast("HeldKey", view.find(ref))
        require, check_tokens = core.service._authorizer.require, core.service._authorizer.check_tokens
        rule = require(caller, demand, held, op)
        act = Act(caller.now, caller.principal, core.service._entropy, core.service._provider, view.tenant, caller)
        handler = HANDLERS[ops.Encrypt]
        outcome = handler(op, (held,), act)
        algorithm = algorithm_for(held.key, Purpose.CIPHER, word)
        loaded, aad = held.version().loaded, typed_aad(message.encryption_context)
        answer = operation.run(message, call)
        record = core._recording(caller, op, demands, (held,), rule, "performed", outcome)

        def find() -> None:
            view.refresh()
            view.find(key_ref(text, caller.namespace))

        def authorize() -> None:
            require(caller, demand, held, op)
            check_tokens(op, (held,))

        def encode() -> bytes:
            return reply(200, b"x-amzn-RequestId: %b\r\n" % new_id().encode(), _encode(answer), request.second)

        rows: Sequence[tuple[str, Callable[[], object], float | None, bool]] = (
            ("HTTP: a head that is known, request object", lambda: self._receive(raw), None, True),
            ("SigV4, caller", authenticate, 4.0, True),
            ("JSON in", lambda: operation.read(request.body), 0.3, True),
            ("name to key, generation check", find, 0.1, True),
            ("authorization", authorize, 0.1, True),
            ("context as AAD", lambda: typed_aad(message.encryption_context), None, True),
            ("ciphertext v1 and AES-GCM", lambda: loaded.encrypt(algorithm, op.plaintext, aad), 8.0, True),
            ("handler: state, algorithm, encrypt", lambda: handler(op, (held,), act), None, False),
            (
                "audit record",
                lambda: core._recording(caller, op, demands, (held,), rule, "performed", outcome),
                0.6,
                True,
            ),
            ("key ARN", lambda: key_arn(held.key, caller.namespace), None, True),
            ("reply: id, JSON out, head", encode, 0.6, True),
        )
        steps = [
            Step(name=name, us=timed(one, seconds=self._seconds), chosen=chosen, part=part)
            for name, one, chosen, part in rows
        ]
        steps.append(self._journal(record))
        performed = self._drained(lambda: call(op))
        steps.append(Step(name="perform: find to record, with what joins them", us=performed, part=False))
        return steps

    def _together(self, raws: Sequence[bytes], requests: Sequence[HttpRequest]) -> Iterator[Step]:
        """Over distinct requests in turn."""
        serve, receive, journal = self._front.serve, self._receive, self._core.journal
        parsed, received = cycle(requests), cycle(raws)

        def flushed() -> None:
            for _ in range(A_BATCH):
                receive(next(received))
            journal.flush()

        yield Step(name="serve()", us=self._drained(lambda: serve(next(parsed))), part=False)
        self._listener.act = serve
        yield Step(name="HTTP and serve()", us=self._drained(lambda: receive(next(received))), part=False)
        us = timed(flushed, seconds=self._seconds) / A_BATCH
        yield Step(name="HTTP, serve() and journal", us=us, part=False)

    def _fold(self, chores: Chores, requests: Sequence[HttpRequest]) -> Step:
        """Of a quarter of a second's records, as the supervisor does it."""
        best, n = float("inf"), 12 * len(requests)
        for _ in range(3 if self._seconds >= 1 else 1):
            for i in range(0, n, A_BATCH):
                for request in requests[i % len(requests) :][:A_BATCH]:
                    self._front.serve(request)
                self._core.journal.flush()
            began = time.thread_time()
            chores.fold()
            best = min(best, (time.thread_time() - began) / n)
        return Step(name="sequencer: fold into the audit log", us=best * 1e6)

    def _drained(self, act: Callable[[], object]) -> float:
        """Of a step that appends to the journal, which is emptied without being written."""
        journal = self._core.journal

        def batch() -> None:
            for _ in range(A_BATCH):
                act()
            journal._waiting.clear()

        return timed(batch, seconds=self._seconds) / A_BATCH

    def _journal(self, record: bytes) -> Step:
        journal = self._core.journal

        def batch() -> None:
            for _ in range(A_BATCH):
                journal.append(record)
            journal.flush()

        us = timed(batch, seconds=self._seconds) / A_BATCH
        return Step(name=f"journal: append, and a share of the flush of {A_BATCH}", us=us, chosen=3.5)
