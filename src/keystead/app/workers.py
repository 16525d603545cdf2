"""The worker processes of a supervisor: started, watched, started again, ended."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from keystead.app import line
from keystead.core.errors import Unavailable
from keystead.core.sensitive import Sensitive
from keystead.stores.generation import SharedGeneration

READY_FOR = 30.0
GRACE_FOR = 10.0
BACKOFF = (0.0, 0.1, 0.5, 2.0, 5.0)  # seconds before the n-th restart in a row
CALM_AFTER = 30.0  # a worker that lived so long starts the row anew


class Orders(Struct, frozen=True, kw_only=True):
    """What a supervisor tells a worker, on the worker's standard input: never in argv or the environment."""

    directory: str
    index: int
    supervisor: int  # its process id
    sockets: dict[str, int]  # door -> inherited file descriptor
    line: int  # the same, to the custodian of the seal
    unseal_key: str | None = None  # base64; None: the installation is sealed
    pins: dict[str, str] = {}  # HSM -> base64

    def __repr__(self) -> str:
        return f"Orders(index={self.index})"


class Worker:
    """One child. `sockets` stay the supervisor's, so a restart refuses no connection."""

    def __init__(
        self,
        directory: Path,
        index: int,
        sockets: dict[str, socket.socket],
        lock: int,
        on_start: Callable[[Worker, socket.socket], None],
        pins: Mapping[str, Sensitive] | None = None,
    ) -> None:
        """`pins`: of the HSMs, as they are whenever it starts.

        `on_start` gets our end of the line to each process there is of it (app.line).
        """
        self._directory, self.index, self._sockets, self._lock = directory, index, sockets, lock
        self._on_start, self._pins = on_start, {} if pins is None else pins
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._restarts = 0
        self._missed = False
        self.is_ending = False
        """Whether it has been told to end."""

    @property
    def is_started(self) -> bool:
        """Whether there is a process of it, or was one that has ended by itself."""
        return self._process is not None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def start(self, unseal_key: Sensitive | None) -> None:
        descriptors = {door: sock.fileno() for door, sock in self._sockets.items()}
        ours, theirs = line.pair()
        orders = Orders(
            directory=str(self._directory),
            index=self.index,
            supervisor=os.getpid(),
            sockets=descriptors,
            line=theirs.fileno(),
            unseal_key=b64encode(unseal_key.reveal()).decode() if unseal_key else None,
            pins={name: b64encode(pin.reveal()).decode() for name, pin in self._pins.items()},
        )
        self._started_at, self._missed, self.is_ending = time.monotonic(), False, False
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "keystead.app.worker"],  # -P: nothing is imported from where we stand
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(*descriptors.values(), self._lock, theirs.fileno()),
        )
        theirs.close()
        self._on_start(self, ours)
        assert self._process.stdin is not None  # noqa: S101 - PIPE was asked for
        with self._process.stdin as pipe:
            pipe.write(msgspec.json.encode(orders))

    def wait_ready(self) -> None:
        """Raises Unavailable if it ended instead, or takes READY_FOR seconds; its own words are on standard error."""
        assert self._process is not None  # noqa: S101 - start comes first
        assert self._process.stdout is not None  # noqa: S101 - PIPE was asked for
        said, _, _ = select.select([self._process.stdout], [], [], READY_FOR)
        if not said or self._process.stdout.readline() != b"ready\n":
            self._process.kill()
            raise Unavailable(f"worker {self.index} did not start")

    def restart_if_ended(self, unseal_key: Sensitive | None, generation: SharedGeneration) -> bool:
        """Start it again, later each time it ends soon; whether it was started."""
        if self._process is None or self._process.poll() is None:
            return False
        if not self._missed:  # it may have committed what it had no time to announce
            self._missed = True
            generation.clear(self.index)
            generation.announce()
        lived_for = time.monotonic() - self._started_at
        self._restarts = 0 if lived_for > CALM_AFTER else self._restarts
        if lived_for < BACKOFF[min(self._restarts, len(BACKOFF) - 1)]:
            return False
        self._restarts += 1
        self.start(unseal_key)
        return True

    def stop(self) -> None:
        self.is_ending = True
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        """Until it has ended; by force after GRACE_FOR seconds."""
        if self._process is None:
            return
        try:
            self._process.wait(GRACE_FOR)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None
