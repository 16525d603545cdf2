"""A server that has no installation yet: it waits at the Vault door for `sys/init`, and makes one (docs/adr/0022).

    build all but the seal at its place  →  the answer, with the shares, to the kernel  →  the seal at its place

So an installation that exists has had its shares told; and one whose shares were not told does not exist. What a crash
leaves between is taken away by the next init. Nobody is asked who they are: whoever reaches the port first is it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import uvloop

from keystead.app.clock import SystemClock
from keystead.app.doors import DOORS
from keystead.app.entropy import drawing
from keystead.app.hsms import Tokens
from keystead.app.installation import MadeWith, build, complete, prepare
from keystead.app.layout import Layout, Running
from keystead.app.slots import require_new
from keystead.app.sockets import address_of, bind
from keystead.app.tls import server_context
from keystead.config import Config
from keystead.core.errors import Internal
from keystead.core.sensitive import Sensitive
from keystead.crypto import selftest
from keystead.doors.vault.beginning import BeginningFront, Begun
from keystead.kit.batch import Batch
from keystead.kit.listener import Listener
from keystead.kit.pool import Pool
from keystead.seals.shamir import ShamirSeal
from keystead.stores.lock import DirectoryLock

DOOR = "vault"
GRACE_FOR = 5.0  # seconds


class _NoJournal:
    """There is no audit log yet; what init does is the first record of the one it makes."""

    pending = is_broken = False

    def flush(self) -> None:
        pass


class _NoGeneration:
    def current(self) -> int:
        return 0

    def enter(self) -> None:
        pass

    def leave(self) -> None:
        pass


class Beginning:
    """Raises AlreadyExists where there is an installation, Unavailable where the directory is in use, InvalidArgument
    where the configuration would begin with fewer slots than it asks for.
    """

    def __init__(
        self,
        directory: Path,
        settings: Config,
        on_ready: Callable[[Running], None],
        pins: Mapping[str, Sensitive] | None = None,
    ) -> None:
        """`pins`: of the HSMs, where they have been read."""
        require_new(directory, settings)
        prepare(directory)
        selftest.run()
        self._directory, self._settings, self._on_ready, self._pins = directory, settings, on_ready, pins
        self._lock = DirectoryLock(directory)
        self._made, self._making = False, threading.Lock()
        self._end: Callable[[], object] = lambda: None

    def run(self) -> socket.socket | None:
        """Until it has been initialised: the socket that listens. None: until SIGTERM or SIGINT."""
        try:
            (sock,) = bind(self._settings.listen[DOOR], 1)
            uvloop.run(self._serve(sock))
            if self._made:
                complete(self._directory)
                return sock
            sock.close()
            return None
        finally:
            self._lock.close()

    def initialise(self, n_shares: int, threshold: int) -> Begun | None:
        """On a thread. None: somebody else was first. Raises InvalidArgument, and what the parts raise."""
        with self._making, closing(Tokens(self._settings.hsms, self._pins)) as tokens:
            if self._made:
                return None
            with drawing(self._settings, tokens) as entropy:
                created = ShamirSeal.create(threshold, n_shares, entropy)
                made_with = MadeWith(tokens, entropy)
                _, token = build(self._directory, self._settings, created, made_with=made_with, by_token=True)
            if token is None:
                raise Internal("no token was made")
            self._made = True
        self._end()
        return Begun(created.show, token)

    async def _serve(self, sock: socket.socket) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        self._end = lambda: loop.call_soon_threadsafe(stop.set)
        front = BeginningFront(self.initialise, threading.get_ident())
        with ThreadPoolExecutor(1, "init") as threads:
            batch = Batch(_NoJournal(), _NoGeneration(), SystemClock())
            listener = Listener(front, batch, Pool(threads, 1, loop), DOORS[DOOR].limits)
            context = server_context(self._settings.tls, None) if self._settings.tls else None
            await listener.listen(sock.dup(), context)
            self._on_ready(
                Running(
                    pid=os.getpid(),
                    listen={DOOR: address_of(sock)},
                    tls=self._settings.tls is not None,
                    workers=self._settings.workers,
                )
            )
            await stop.wait()
            await listener.stop(GRACE_FOR)


def is_empty(directory: Path) -> bool:
    """Whether `sys/init` may make an installation here: nothing of one is there, or what an init left that did not end.

    The operator's configuration may stand there already.
    """
    layout = Layout(directory)
    return not layout.seal.exists() and (layout.half_made.exists() or not layout.database.exists())
