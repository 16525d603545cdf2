"""sops, unmodified, with keys of a transit mount: it brings the Vault client for Go, HashiCorp's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients.conftest import needed
from tests.clients.vault import Vault, vault
from tests.servers import BIN, Done

pytestmark = pytest.mark.client

SECRETS = {"db": {"password": "hunter2", "port": 5432}, "hosts": ["one", "two"]}


@pytest.fixture(scope="module")
def binary() -> str:
    return needed(shutil.which("sops", path=f"{BIN}:{os.environ['PATH']}"), "sops")


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with vault(tmp_path_factory.mktemp("sops")) as running:
        running("POST", "sys/mounts/transit", {"type": "transit"})
        yield running


class Sops:
    def __init__(self, binary: str, server: Vault, folder: Path) -> None:
        self._binary, self._server, self.folder = binary, server, folder
        (folder / "plain.json").write_text(json.dumps(SECRETS))

    def __call__(self, *words: str, token: str = "") -> Done:
        env = self._server.surroundings(self.folder, VAULT_TOKEN=token or self._server.token)
        done = subprocess.run(
            [self._binary, *words], cwd=self.folder, env=env, capture_output=True, text=True, check=False, timeout=60
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def key(self, name: str) -> str:
        return f"{self._server.address}/v1/transit/keys/{name}"

    def sealed(self, *keys: str) -> dict[str, str]:
        """Key -> what it has sealed the data key to, of sealed.json."""
        done = self("encrypt", "--hc-vault-transit", ",".join(map(self.key, keys)), "plain.json")
        (self.folder / "sealed.json").write_text(done.out)
        assert done.status == 0, done.err
        return self.kept()

    def kept(self) -> dict[str, str]:
        found = json.loads((self.folder / "sealed.json").read_text())["sops"]["hc_vault"]
        return {one["key_name"]: one["enc"] for one in found}


@pytest.fixture
def sops(binary, server, tmp_path) -> Sops:
    return Sops(binary, server, tmp_path)


def test_a_file_is_sealed_and_opened_and_its_key_rotated(server, sops) -> None:
    assert sops.sealed("app")["app"].startswith("vault:v1:")  # it has made the key
    assert "hunter2" not in (sops.folder / "sealed.json").read_text()
    assert json.loads(sops("decrypt", "sealed.json").out) == SECRETS

    server("POST", "transit/keys/app/rotate")
    assert sops("rotate", "--in-place", "sealed.json").status == 0
    assert sops.kept()["app"].startswith("vault:v2:")
    server("POST", "transit/keys/app/config", {"min_decryption_version": 2})
    assert json.loads(sops("decrypt", "sealed.json").out) == SECRETS


def test_either_of_two_keys_opens_it(server, sops) -> None:
    assert set(sops.sealed("one", "two")) == {"one", "two"}
    server("POST", "transit/keys/one/config", {"deletion_allowed": True})
    server("DELETE", "transit/keys/one")
    assert json.loads(sops("decrypt", "sealed.json").out) == SECRETS


def test_who_may_not_decrypt_does_not(server, sops) -> None:
    server("PUT", "sys/policies/acl/seals", {"policy": 'path "transit/encrypt/app" { capabilities = ["update"] }'})
    sops.sealed("app")
    token = server("POST", "auth/token/create", {"policies": ["seals"], "ttl": "1h"})["auth"]["client_token"]
    assert sops("encrypt", "--hc-vault-transit", sops.key("app"), "plain.json", token=token).status == 0
    refused = sops("decrypt", "sealed.json", token=token)
    assert refused.status != 0 and "permission denied" in refused.err and refused.out == ""
