"""node-vault, unmodified: each of its commands that the Vault door has an answer to, against a server process.

What it does and looks at is in js/vault.mjs. `make every-client` installs it, as js/package-lock.json says.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients.conftest import needed
from tests.clients.vault import Vault, vault

pytestmark = pytest.mark.client

HERE = Path(__file__).parent / "js"
GENERAL = {"read", "write", "update", "list", "delete", "help"}
"""Not in its table of commands: any path there is."""
LEFT_OUT = {
    **dict.fromkeys(
        (
            "init",
            "unseal",
            "seal",
            "rotate",
            "stepDown",
            "generateRootInit",
            "generateRootCancel",
            "generateRootUpdate",
        ),
        "the seal's: hvac asks for what there is of it",
    ),
    **dict.fromkeys(("audits", "enableAudit", "disableAudit"), "hvac asks for audit devices"),
    **dict.fromkeys(
        ("addKubernetesRole", "getKubernetesRole", "deleteKubernetesRole", "kubernetesLogin", "certLogin", "jwtLogin"),
        "logins that take a cluster, a certificate or an issuer beside the server",
    ),
    **dict.fromkeys(
        ("gcpLogin", "githubLogin", "awsIamLogin", "ldapLogin", "oktaLogin", "radiusLogin"),
        "logins that are not offered",
    ),
    "generateDatabaseCredentials": "it takes a database",
    "renew": "nothing that it can ask for here has a lease",
    "revokePrefix": "it asks at sys/revoke-prefix, where leases were before Vault 0.8",
}


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    installed = (HERE / "node_modules" / "node-vault").is_dir()
    return needed(found if installed else None, "node, and node-vault in tests/clients/js")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with vault(tmp_path_factory.mktemp("node")) as running:
        yield running


def test_every_command(server, node, tmp_path) -> None:
    def said(*words: str | Path) -> set[str]:
        done = subprocess.run(
            [node, *words],
            cwd=HERE,
            env=server.surroundings(tmp_path),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return set(json.loads(done.stdout))

    there = said("-p", "JSON.stringify(Object.keys(require('node-vault/src/commands.js')))")
    assert said(HERE / "vault.mjs") == (there | GENERAL) - LEFT_OUT.keys()
    assert LEFT_OUT.keys() <= there
