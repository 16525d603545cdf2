"""Real, unmodified clients: in this process, and against a real server process ("client" tests)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import boto3
import botocore.config
import pytest
from msgspec import Struct
from tests import harness
from tests.servers import BIN, keystead, serving

T = TypeVar("T")


class Server(Struct, frozen=True):
    """A server process, and what points AWS's clients at it (`keystead env aws`)."""

    directory: Path
    environment: dict[str, str]

    @property
    def endpoint(self) -> str:
        return self.environment["AWS_ENDPOINT_URL_KMS"]

    @property
    def access_key_id(self) -> str:
        return self.environment["AWS_ACCESS_KEY_ID"]

    @property
    def secret_access_key(self) -> str:
        return self.environment["AWS_SECRET_ACCESS_KEY"]

    @property
    def region(self) -> str:
        return self.environment["AWS_REGION"]

    def client(self, service: str, *, region: str | None = None) -> Any:
        return boto3.client(
            service,
            region_name=region or self.region,
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def surroundings(self) -> dict[str, str]:
        """The environment of a command that is pointed here, and nowhere else."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**own, **self.environment, "PATH": f"{BIN}:{own['PATH']}", "AWS_PAGER": "", "HOME": str(self.directory)}


def needed(found: T | None, what: str) -> T:
    """`found`; where it is None the test is skipped, and in CI (KEYSTEAD_EVERY_CLIENT is set there) it fails."""
    if found is None:
        words = f"{what}: not installed; `make every-client` does that"
        (pytest.fail if os.environ.get("KEYSTEAD_EVERY_CLIENT") else pytest.skip)(words)
    return found


def environment(name: str, command: str) -> Path:
    """The folder of the commands of a client that has an environment of its own. KEYSTEAD_CLIENTS: where those are."""
    folder = Path(os.environ.get("KEYSTEAD_CLIENTS", Path(sys.prefix) / "clients")) / name / "bin"
    return needed(folder if (folder / command).exists() else None, name)


def source(folder: Path, name: str, requirements: Path) -> Path | None:
    """The source distribution of `name`, with what else `requirements` has. pip is asked again where a mirror fails."""
    fetch = ("download", "--quiet", "--no-deps", "--no-binary", name, "--require-hashes", "-r", requirements)
    for _ in range(3):
        with suppress(subprocess.CalledProcessError, subprocess.TimeoutExpired):
            subprocess.run([sys.executable, "-m", "pip", *fetch, "-d", folder], check=True, timeout=100)
            return next(folder.glob("*.tar.gz"))
    return None


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`keystead dev` on a free port, until the last test that asks for it."""
    directory = tmp_path_factory.mktemp("server") / "data"
    with serving("dev", directory) as process:
        yield Server(directory, process("env", "aws", "--json").json)


@pytest.fixture(scope="session")
def second_region(server: Server) -> str:
    """Another Region in which the account has a keyring: `keystead dev` begins with several."""
    names = [ring["name"] for ring in keystead("keyring", "list", "--data", server.directory, "--json").json]
    return next(name for name in names if name != server.region)


@pytest.fixture(params=["in this process", pytest.param("server", marks=pytest.mark.client)])
def aws(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """service -> a boto3 client of the administrator's; `region=harness.OTHER_REGION`: in the other one there is."""
    if request.param == "server":
        client: Callable[..., Any] = request.getfixturevalue("server").client
        return client
    return harness.stack(regions=(harness.REGION, harness.OTHER_REGION)).admin.client
