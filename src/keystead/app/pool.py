"""The workers of a supervisor together: started, ended and started anew, and what each of them asks of the seal.

`changing` is held by whoever starts or ends them, and by whoever changes what they are started with. A worker that
asked for such a change is the last to be ended: its answer goes out once it takes no more requests.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from msgspec.structs import replace

from keystead.app import line
from keystead.app.custodian import LOOKS, Custodian
from keystead.app.workers import Worker
from keystead.core.errors import Unavailable
from keystead.core.sensitive import Sensitive
from keystead.kit.custody import AnyAnswer, AnyRequest, No, Why
from keystead.stores.generation import SharedGeneration

LOG = logging.getLogger("keystead")
TURN_FOR = 0.5  # seconds between two looks whether it still makes sense to wait


class WorkerPool:
    """`unseal_key`: what they are started with. Once `ended` is set, nobody is started any more."""

    def __init__(
        self, custodian: Custodian, unseal_key: Callable[[], Sensitive | None], ended: threading.Event
    ) -> None:
        self._custodian, self._unseal_key, self._ended = custodian, unseal_key, ended
        self._workers: list[Worker] = []
        self._asking: Worker | None = None
        self.changing = threading.Lock()
        self._starter = ThreadPoolExecutor(1, "start")
        """Starts every worker: it ends with the thread that has started it, not with the process (prctl(2)), and has
        that one's priority: whoever looks after workers waits for everybody else (setpriority(2))."""

    def add(self, worker: Worker) -> None:
        """One that is not started yet; `attend` is its `on_start`."""
        self._workers.append(worker)

    def begin(self) -> None:
        """Those that are not started yet; what the first of them asks of the seal waits for the last one.

        Raises Unavailable where one does not come up.
        """
        with self.changing:
            self.start_missing()

    def start(self) -> None:
        """Every one, while `changing` is held. Raises Unavailable where one does not come up."""
        self._start(self._workers)

    def start_missing(self) -> None:
        if not self._ended.is_set():
            self._start([worker for worker in self._workers if not worker.is_started])

    def restart_ended(self, generation: SharedGeneration) -> None:
        """Those that have ended by themselves, and those that could not be started."""
        with self.changing:
            self._start_again()
            for worker in self._workers:
                if self._starter.submit(worker.restart_if_ended, self._unseal_key(), generation).result():
                    LOG.error("worker %d had ended and was started again", worker.index)
                    worker.wait_ready()

    def restart_each(self) -> None:
        """One after the other, so that the others serve meanwhile."""
        for worker in self._workers:
            worker.stop()
            worker.wait()
            self.start_missing()

    def stop(self) -> None:
        self._stop(self._workers)

    def stop_others(self) -> None:
        """All but the one whose request is being answered."""
        self._stop([worker for worker in self._workers if worker is not self._asking])

    def close(self) -> None:
        self._starter.shutdown(wait=False)

    def _start(self, workers: Sequence[Worker]) -> None:
        for worker in workers:
            self._starter.submit(worker.start, self._unseal_key()).result()
        for worker in workers:
            worker.wait_ready()

    def _stop(self, workers: Sequence[Worker]) -> None:
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.wait()

    # --- what they ask of the seal

    def attend(self, worker: Worker, end: socket.socket) -> None:
        """Answer a worker's line for as long as it lives."""
        args = (worker, worker.pid, end)
        threading.Thread(target=self._answer, args=args, name=f"line {worker.index}", daemon=True).start()

    def _answer(self, worker: Worker, pid: int, end: socket.socket) -> None:
        with end:
            while not self._ended.is_set() and (request := line.receive(end)) is not None:
                if type(request) in LOOKS:
                    line.send(end, self._said(self._custodian.look, request))
                    continue
                if not self._have_turn(worker, pid):
                    line.send(end, line.Said(why=Why.BUSY))
                    continue
                try:
                    self._asking = worker
                    said = self._said(self._custodian.answer, request)
                    if self._custodian.renewed:
                        self._renew(worker, partial(line.send, end, replace(said, leave=True)))
                        return
                    self._start_again()
                finally:
                    self.changing.release()
                line.send(end, said)

    def _have_turn(self, worker: Worker, pid: int) -> bool:
        """Take the lock; False where whoever has it waits for this very worker to end, or that has ended."""
        while not self.changing.acquire(timeout=TURN_FOR):
            if worker.is_ending or worker.pid != pid:
                return False
        if worker.pid == pid:
            return True
        self.changing.release()
        return False

    def _said(self, ask: Callable[[AnyRequest], AnyAnswer], request: AnyRequest) -> line.Said:
        try:
            return line.Said(answer=ask(request))
        except No as no:
            return line.Said(why=no.why, detail=no.detail)
        except Exception:  # whatever it was, the line goes on
            LOG.exception("%s failed", type(request).__name__)
            return line.Said(why=Why.FAILED, detail="internal error")

    def _renew(self, asking: Worker, say: Callable[[], None]) -> None:
        """Every worker anew; the one that asked gives its answer while it ends."""
        self.stop_others()
        self._start_again()
        asking.stop()
        say()
        asking.wait()
        self._start_again()

    def _start_again(self) -> None:
        """One that does not come up takes nobody's answer along: whoever looks after them starts it anew."""
        try:
            self.start_missing()
        except (Unavailable, OSError):
            LOG.exception("a worker was not started, and will be tried again")
