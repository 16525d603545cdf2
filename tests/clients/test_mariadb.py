"""MariaDB and its HashiCorp Vault plugin, as Debian has them: tables are encrypted under keys of a kv mount."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.clients.conftest import needed
from tests.clients.vault import Vault, vault
from tests.waiting import until

pytestmark = pytest.mark.client

PLUGIN = "hashicorp_key_management.so"
PLUGINS = Path("/usr/lib/mysql/plugin")
SETTINGS = """
[mariadbd]
user                        = {user}
datadir                     = {folder}/data
socket                      = {folder}/sock
pid-file                    = {folder}/pid
log-error                   = {folder}/errors
tmpdir                      = {folder}
skip-networking
innodb-buffer-pool-size     = 16M
innodb-log-file-size        = 8M
plugin-load-add             = {plugin}
hashicorp-key-management    = FORCE
hashicorp-key-management-vault-url             = {url}
hashicorp-key-management-check-kv-version      = on
hashicorp-key-management-cache-timeout         = 1000
hashicorp-key-management-cache-version-timeout = 0
innodb-encrypt-tables       = ON
innodb-encrypt-log          = ON
innodb-encryption-threads   = 1
innodb-encryption-rotate-key-age = 1
"""
POLICY = """
path "mariadb/data/*"          { capabilities = ["read"] }
path "sys/mounts/mariadb/tune" { capabilities = ["read"] }
"""
SEALED, PLAIN = (f"canary{secrets.token_hex(12)}" for _ in range(2))
VERSION = "SELECT MIN_KEY_VERSION FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE NAME = 'app/sealed'"


class MariaDb:
    """An installation in a folder of its own, opened by a token."""

    def __init__(self, folder: Path, url: str, token: str) -> None:
        self.folder, self.token = folder, token
        self._config = folder / "my.cnf"
        user = "root" if os.getuid() == 0 else os.environ["USER"]
        self._config.write_text(SETTINGS.format(user=user, folder=folder, plugin=PLUGIN, url=url))

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": f"/usr/sbin:/sbin:{os.environ['PATH']}", "HOME": str(self.folder), "VAULT_TOKEN": self.token}

    def install(self) -> None:
        words = ("--skip-test-db", "--auth-root-authentication-method=normal")
        done = subprocess.run(
            ["mariadb-install-db", f"--defaults-file={self._config}", *words],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout + done.stderr + self.errors()

    def errors(self) -> str:
        written = [self.folder / name for name in ("said", "errors")]
        return "".join(one.read_text() for one in written if one.exists())

    @contextmanager
    def starting(self) -> Iterator[subprocess.Popen[bytes]]:
        command = ["mariadbd", f"--defaults-file={self._config}"]
        with (self.folder / "said").open("ab") as said:  # before it has opened its log
            process = subprocess.Popen(command, env=self._environment, stdout=said, stderr=said)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=60)

    @contextmanager
    def running(self) -> Iterator[None]:
        with self.starting() as process:
            until(lambda: process.poll() is not None or self.asked("SELECT 1").returncode == 0, self.errors)
            assert process.poll() is None, self.errors()
            yield

    def asked(self, statement: str) -> subprocess.CompletedProcess[str]:
        command = ["mariadb", "--no-defaults", f"--socket={self.folder}/sock", "-uroot", "-N", "-B", "-e", statement]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False, timeout=60)

    def __call__(self, statement: str) -> str:
        done = self.asked(statement)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def holds(self, text: str) -> bool:
        """Whether any of its files has it in clear."""
        files = (path for path in (self.folder / "data").rglob("*") if path.is_file())
        return any(text.encode() in path.read_bytes() for path in files)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    there = shutil.which("mariadbd", path="/usr/sbin:/usr/bin") and (PLUGINS / PLUGIN).exists()
    needed(there or None, "mariadb-server and mariadb-plugin-hashicorp-key-management, of Debian")
    with vault(tmp_path_factory.mktemp("mariadb")) as running:
        running("POST", "sys/mounts/mariadb", {"type": "kv-v2"})
        running("PUT", "sys/policies/acl/mariadb", {"policy": POLICY})
        yield running


def test_tables_are_encrypted_and_their_data_outlives_a_restart_and_a_new_key(server, tmp_path) -> None:
    def new_key() -> int:
        written = server("PUT", "mariadb/data/1", {"data": {"data": secrets.token_hex(32)}})
        return int(written["data"]["version"])

    assert new_key() == 1
    token = server("POST", "auth/token/create", {"policies": ["mariadb"], "ttl": "1h"})["auth"]["client_token"]
    database = MariaDb(tmp_path, f"{server.address}/v1/mariadb", token)
    database.install()
    with database.running():
        database("CREATE DATABASE app")
        database("CREATE TABLE app.sealed (t TEXT) ENGINE=InnoDB ENCRYPTED=YES")
        database("CREATE TABLE app.plain (t TEXT) ENGINE=InnoDB ENCRYPTED=NO")
        database(f"INSERT INTO app.sealed VALUES ('{SEALED}')")  # noqa: S608 - ours
        database(f"INSERT INTO app.plain VALUES ('{PLAIN}')")  # noqa: S608 - ours
        assert database(VERSION) == "1"
    assert database.holds(PLAIN) and not database.holds(SEALED)

    with database.running():
        assert database("SELECT t FROM app.sealed") == SEALED
        assert (new_key(), new_key()) == (2, 3)  # it encrypts anew what is more than rotate-key-age behind
        until(lambda: database(VERSION) == "3")
        assert database("SELECT t FROM app.sealed") == SEALED
    assert not database.holds(SEALED)

    with database.running():
        assert database("SELECT t FROM app.sealed") == SEALED

    server("POST", "auth/token/revoke", {"token": token})
    with database.starting() as process:
        assert until(lambda: process.poll() is not None)
        assert process.returncode != 0
