"""What Vault's clients are pointed at: a server with the Vault door open, and someone who may do everything there."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct
from tests.servers import BIN, Done, Serving, serving

BAO = BIN / "bao"


class Reply(Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class _Unix(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


def ask(at: str | Path, method: str, path: str, body: Any = None, *, token: str = "") -> Reply:
    """One request to host:port, or to a socket in the file system."""
    connection = _Unix(at) if isinstance(at, Path) else http.client.HTTPConnection(at, timeout=60)
    sent = None if body is None else json.dumps(body)
    try:
        connection.request(
            method, f"/v1/{path}", sent, {"X-Vault-Request": "true"} | ({"X-Vault-Token": token} if token else {})
        )
        reply = connection.getresponse()
        return Reply(reply.status, dict(reply.getheaders()), reply.read())
    finally:
        connection.close()


class Vault:
    """A server and its root token: vault("PUT", "secret/a", {...}) is data, or None for an empty answer."""

    def __init__(self, server: Serving) -> None:
        self.server = server
        self.variables: dict[str, str] = server("env", "vault", "--json").json
        self.address, self.token = self.variables["VAULT_ADDR"], self.variables["VAULT_TOKEN"]
        self.at = self.address.removeprefix("http://")

    def __call__(self, method: str, path: str, body: Any = None, *, token: str = "") -> Any:
        reply = ask(self.at, method, path, body, token=token or self.token)
        assert reply.status in {200, 204}, (method, path, reply.status, reply.raw)
        return reply.json if reply.raw else None

    def surroundings(self, home: Path, **more: str) -> dict[str, str]:
        """The environment of a command that is pointed here, and nowhere else."""
        own = {
            name: value for name, value in os.environ.items() if not name.startswith(("VAULT_", "BAO_", "KEYSTEAD_"))
        }
        return own | self.variables | {"HOME": str(home)} | more

    def bao(self, home: Path, *words: str, **more: str) -> Done:
        done = subprocess.run(
            [BAO, *words], env=self.surroundings(home, **more), capture_output=True, text=True, check=False, timeout=60
        )
        return Done(done.returncode, done.stdout, done.stderr)


@contextmanager
def vault(directory: Path) -> Iterator[Vault]:
    with serving("dev", directory / "data", "--listen", "vault=127.0.0.1:0") as running:
        yield Vault(running)
