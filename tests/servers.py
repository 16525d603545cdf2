"""Real server processes, and the real command, for tests of what a person touches.

With KEYSTEAD_TEST_HSM=1 every server holds new keys in a token of SoftHSM2 of its own, where it can (`protect_in`).
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from tests import softhsm
from tests.waiting import until

from keystead import cli, config
from keystead.app import hygiene

BIN = Path(sys.executable).parent
KEYSTEAD = BIN / "keystead"
ENDS_FOR = 60.0  # seconds
FREE = ("--listen", "aws=127.0.0.1:0")


class Done(Struct, frozen=True):
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        """Of a command that was refused under --json: one line on standard error, nothing on standard output."""
        assert self.status != 0 and self.out == "", self
        (line,) = self.err.splitlines()
        return json.loads(line)


def _surroundings(env: dict[str, str] | None) -> dict[str, str]:
    """`env` and nothing else that a command would go by."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KEYSTEAD_"))}
    return own | (env or {})


def keystead(*words: str | Path, stdin: str = "", env: dict[str, str] | None = None, fds: tuple[int, ...] = ()) -> Done:
    """Run the command in a process of its own, away from any terminal."""
    done = subprocess.run(
        [KEYSTEAD, *words],
        input=stdin,
        env=_surroundings(env),
        pass_fds=fds,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def at_once(*words: str | Path, stdin: str = "", env: dict[str, str] | None = None) -> Done:
    """The command without a process of its own: what it prints and answers, ten times as fast."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8"))
        patch.setattr(hygiene, "harden", lambda: None)  # it is for whole processes
        patch.setattr(os, "environ", _surroundings(env))
        with redirect_stdout(out), redirect_stderr(err):
            status = cli.run([str(word) for word in words])
    said = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return Done(int(status), *said)


class Serving(Struct):
    """A server that has said it is ready, in JSON."""

    directory: Path
    process: subprocess.Popen[str]
    running: dict[str, Any]

    def __call__(self, *words: str | Path, stdin: str = "", env: dict[str, str] | None = None) -> Done:
        """A command about it. While it runs it is that process which is asked, so the command needs none of its own."""
        run = at_once if self.process.poll() is None else keystead
        return run(*words, "--data", self.directory, stdin=stdin, env=env)

    def logged(self, *words: str, n: int = 1) -> list[str]:
        """The newest of its audit log that have all `words` in them, once they are `n`: it is folded now and then."""
        log: list[str] = []

        def look() -> list[str]:
            log[:] = self("audit", "tail", "-n", "1000", "--json").out.splitlines()
            found = [line for line in log if all(word in line for word in words)]
            return found if len(found) >= n else []

        return until(look, lambda: (words, n, log[-5:]), every=0.1)

    def stop(self) -> None:
        """As Ctrl-C does. What does not end of it is killed, so that nothing is left."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            status = self.process.wait(timeout=ENDS_FOR)
        except BaseException:
            self.kill()
            raise
        assert status == 0

    def kill(self) -> list[int]:
        """By SIGKILL, with its workers, and once they are gone: their ids."""
        tree = self.tree()
        for pid in tree:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(ENDS_FOR)
        gone(*tree)
        return tree

    def tree(self) -> list[int]:
        """The process and its workers."""
        return tree(self.process.pid)


def tree(pid: int) -> list[int]:
    """A process and what it has started."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):  # any thread may have started one
        with suppress(FileNotFoundError, ProcessLookupError):  # and end meanwhile
            found += map(int, children.read_text().split())
    return found


def gone(*pids: int) -> None:
    """Waits until these processes are: a worker lives a moment longer than its supervisor."""
    until(lambda: not any(map(_lives, pids)), pids)


def _lives(pid: int) -> bool:
    """A zombie does not; where the first process of a container reaps none, there are some. proc(5)"""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


IN_HSM = bool(os.environ.get("KEYSTEAD_TEST_HSM"))


def _hold_in_hsm(directory: Path) -> None:
    """Have the installation hold new keys in a token, unless its configuration says something of HSMs itself."""
    path = directory / config.FILE_NAME
    if not path.exists():  # it is initialised over HTTP, and is to write it then
        return
    text = path.read_text()
    if "hsms = " in text or "protect_in" in text:
        return
    label = softhsm.new_token()
    (directory / "hsm-pin").write_text(softhsm.PIN)
    hsm = f'module = "{softhsm.module()}", token = "{label}", pin = "file:{directory}/hsm-pin"'
    path.write_text(f'protect_in = "token"\nprotect_in_or_software = true\nhsms = {{ token = {{ {hsm} }} }}\n{text}')


@contextmanager
def serving(command: str, directory: Path, *words: str | Path, errors: Path | None = None) -> Iterator[Serving]:
    """`keystead dev` or `keystead serve` on a free port. `errors`: where its standard error goes."""
    if IN_HSM:
        if not (directory / "seal.json").exists():
            with _served(command, directory, *words, errors=errors):  # it makes the installation
                pass
        _hold_in_hsm(directory)
    with _served(command, directory, *words, errors=errors) as server:
        yield server


@contextmanager
def _served(command: str, directory: Path, *words: str | Path, errors: Path | None = None) -> Iterator[Serving]:
    at = ("--data", directory) if command == "dev" else (directory,)
    with (errors or directory.with_name("errors")).open("w") as log:
        process = subprocess.Popen(
            [KEYSTEAD, command, *at, *FREE, *words, "--json"], stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    with process.stdout:
        try:
            line = process.stdout.readline()
            assert line, Path(log.name).read_text()
        except BaseException:
            Serving(directory, process, {}).kill()
            raise
        server = Serving(directory, process, json.loads(line))
        try:
            yield server
        finally:
            server.stop()
