"""The control door of a supervisor, on its own event loop and unix socket."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from keystead.app.compose import Core
from keystead.doors.control import ControlFront, Lifecycle
from keystead.kit.batch import Batch
from keystead.kit.listener import Listener
from keystead.kit.pool import Pool
from keystead.wire.http import Limits

GRACE_FOR, N_THREADS = 2.0, 2


class Steered(Lifecycle, Protocol):
    core: Core


class Control:
    """Listens until stopped. Called on the loop's thread."""

    def __init__(self, server: Steered) -> None:
        core = server.core
        core.view.loop_thread = threading.get_ident()
        self._threads = ThreadPoolExecutor(N_THREADS, "control")
        self._batch = Batch(core.journal, core.generation, core.clock)
        front = ControlFront(lambda: core.means, server, core.view.may_block)
        near = Pool(self._threads, N_THREADS, asyncio.get_running_loop())
        self._listener = Listener(front, self._batch, near, Limits(n_connections=32))

    @property
    def failed(self) -> asyncio.Future[None]:
        return self._batch.failed

    async def start(self, sock: socket.socket) -> None:
        await self._listener.listen(sock)

    async def stop(self) -> None:
        await self._listener.stop(GRACE_FOR)
        self._threads.shutdown(wait=False)
