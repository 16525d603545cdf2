"""A command at a terminal, and what somebody types there."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time

from tests.servers import KEYSTEAD

PATIENCE = 60  # seconds

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell leaves it to what it starts behind itself
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else Ctrl-C would be ignored by every command, too


class Terminal:
    """`said`: what is on the screen so far."""

    def __init__(self, *words, command=KEYSTEAD, env=None) -> None:
        self._mine, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [command, *words], stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True, env=env
        )
        os.close(theirs)
        self.said = ""

    def until(self, words: str) -> None:
        end = time.monotonic() + PATIENCE
        while words not in self.said:
            assert time.monotonic() < end, self.said
            if select.select([self._mine], [], [], 1)[0]:
                self._read()

    def _read(self) -> bool:
        try:
            data = os.read(self._mine, 4096)
        except OSError:  # the other end is closed
            data = b""
        self.said += data.decode(errors="replace")
        return bool(data)

    def type(self, text: str) -> None:
        os.write(self._mine, text.encode() + b"\n")

    def end(self) -> int:
        while select.select([self._mine], [], [], PATIENCE)[0] and self._read():
            pass
        os.close(self._mine)
        return self.process.wait(PATIENCE)
