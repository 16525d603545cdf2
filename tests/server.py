"""A real server process for tests: `keystead dev` on a free port, and the command line against it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.wireclient import WireClient

COMMAND = Path(sys.executable).parent / "keystead"
START_FOR = 20.0  # seconds


class Server(NamedTuple):
    directory: Path
    pid: int
    environment: dict[str, str]

    @property
    def address(self) -> str:
        return self.environment["AWS_ENDPOINT_URL_KMS"].removeprefix("http://")

    @property
    def tenant(self) -> str:
        return json.loads((self.directory / "credentials.json").read_text())["tenant"]

    def administrator(self) -> WireClient:
        return self.client(self.environment["AWS_ACCESS_KEY_ID"], self.environment["AWS_SECRET_ACCESS_KEY"])

    def client(self, access_key_id: str, secret_access_key: str) -> WireClient:
        return WireClient(self.address, access_key_id, secret_access_key, self.environment["AWS_REGION"])

    def keystead(self, *words: str) -> Any:
        """A command against this server; its JSON."""
        command = [COMMAND, *words, "--data", self.directory, "--json"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return json.loads(done.stdout)


@contextmanager
def start(directory: Path, *, workers: int = 1) -> Iterator[Server]:
    """Until the block ends; it has to end well, too."""
    command = [COMMAND, "dev", "--data", directory, "--listen", "aws=127.0.0.1:0", "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield Server(directory, process.pid, environment(directory, process))
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=START_FOR) == 0


def environment(directory: Path, process: subprocess.Popen[bytes]) -> dict[str, str]:
    """What `keystead env aws` says once the server answers."""
    until = time.monotonic() + START_FOR
    while time.monotonic() < until and process.poll() is None:
        command = [COMMAND, "env", "aws", "--data", directory, "--json"]
        asked = subprocess.run(command, capture_output=True, check=False)
        if asked.returncode == 0:
            found: dict[str, str] = json.loads(asked.stdout)
            return found
        time.sleep(0.05)
    raise AssertionError("the server did not start")
