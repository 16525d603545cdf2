"""Other people's clients in Python, unmodified: vault-cli's command, and async-hvac (python/calls.py).

`make every-client` installs them, as requirements/vaultclients.lock says.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients.conftest import environment
from tests.clients.vault import Vault, vault
from tests.servers import Done

pytestmark = pytest.mark.client

CALLS = Path(__file__).parent / "python" / "calls.py"


@pytest.fixture(scope="module")
def commands() -> Path:
    return environment("vaultclients", "vault-cli")


@pytest.fixture
def server(commands, tmp_path) -> Iterator[Vault]:
    with vault(tmp_path) as running:
        yield running


def test_async_hvac(server, commands, tmp_path) -> None:
    done = subprocess.run(
        [commands / "python", "-W", "ignore", CALLS],
        env=server.surroundings(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_vault_cli(server, commands, tmp_path) -> None:
    server("POST", "sys/mounts/plain", {"type": "kv"})
    server("PUT", "sys/policies/acl/reads", {"policy": 'path "plain/*" { capabilities = ["read", "list"] }'})
    reads = server("POST", "auth/token/create", {"policies": ["reads"], "ttl": "1h"})["auth"]["client_token"]

    def cli(*words: str, token: str = server.token) -> Done:
        at = {"VAULT_CLI_URL": server.address, "VAULT_CLI_TOKEN": token, "VAULT_CLI_BASE_PATH": "plain"}
        done = subprocess.run(
            [commands / "vault-cli", *words],
            cwd=tmp_path,
            env=server.surroundings(tmp_path, PYTHONWARNINGS="ignore", **at),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Done(done.returncode, done.stdout.strip(), done.stderr)

    assert cli("set", "a/b", "value=1").status == 0
    assert cli("set", "a/c", "password=two").status == 0
    assert cli("get", "a/b", "value").out == "1"
    assert cli("list").out == "a/"
    assert cli("mv", "a", "z").status == 0
    assert cli("list").out == "z/"
    assert cli("get-all", "--flat").out == "---\nz/b:\n  value: '1'\nz/c:\n  password: two"
    assert cli("env", "--envvar", "z/c", "--", "sh", "-c", "echo $C_PASSWORD").out == "two"
    assert "reads" in cli("lookup-token", token=reads).out
    assert cli("get", "z/b", "value", token=reads).out == "1"
    refused = cli("delete", "z/b", token=reads)
    assert refused.status != 0 and "permission denied" in refused.err
    assert cli("delete-all", "--force").status == 0
    assert cli("list").out == ""
