"""Vault's clients at an installation as it is in production: TLS, several workers, a seal that closes and opens."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from tests.certificates import Authority
from tests.clients.vault import BAO
from tests.servers import Done, Serving, keystead, serving
from tests.waiting import until

pytestmark = pytest.mark.client

HOST = "localhost"
PASSPHRASE = {"P": "long enough"}


class Installation(Struct):
    """A server, and the first token."""

    server: Serving
    ca: Path
    token: str
    home: Path

    @property
    def at(self) -> str:
        return f"{HOST}:{self.server.running['listen']['vault'].rpartition(':')[2]}"

    def environment(self, **more: str) -> dict[str, str]:
        at = {"BAO_ADDR": f"https://{self.at}", "BAO_CACERT": str(self.ca), "BAO_TOKEN": self.token}
        return {"PATH": os.environ["PATH"], "HOME": str(self.home)} | at | more

    def bao(self, *words: str, **more: str) -> Done:
        done = subprocess.run(
            [BAO, *words], env=self.environment(**more), capture_output=True, text=True, check=False, timeout=60
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def status_of(self, path: str, token: str) -> int:
        """Over a connection of its own, at whichever worker."""
        context = ssl.create_default_context(cafile=str(self.ca))
        connection = HTTPSConnection(self.at, context=context, timeout=60)
        try:
            connection.request("GET", f"/v1/{path}", headers={"X-Vault-Token": token})
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("production")
    authority = Authority(folder)
    chain, private = authority.issue(HOST)
    tls = ("--certificate", f"file:{chain}", "--private-key", f"file:{private}")
    words = ("init", folder / "data", "--region", "eu-west-1", "--seal", "passphrase", "--passphrase", "env:P")
    assert keystead(*words, *tls, "--json", env=PASSPHRASE).status == 0
    (folder / "p").write_text(PASSPHRASE["P"])
    more = ("--workers", "2", "--listen", "vault=127.0.0.1:0", "--unseal", f"file:{folder / 'p'}")
    with serving("serve", folder / "data", *more) as server:
        token = server("token", "create", "--policy", "root", "--json").json["token"]
        yield Installation(server, authority.ca, token, folder)


def test_a_client_that_does_not_know_the_authority_says_nothing(installation) -> None:
    assert installation.bao("status", "-format=json").json["sealed"] is False
    refused = installation.bao("token", "lookup", BAO_CACERT="")
    assert refused.status != 0 and "certificate signed by unknown authority" in refused.err


def test_a_token_that_is_revoked_is_revoked_at_every_worker(installation) -> None:
    for _ in range(3):
        made = installation.bao("token", "create", "-ttl=1h", "-field=token").out
        assert {installation.status_of("auth/token/lookup-self", made) for _ in range(8)} == {200}
        assert installation.bao("token", "revoke", made).status == 0
        assert {installation.status_of("auth/token/lookup-self", made) for _ in range(8)} == {403}


def agent(installation: Installation, folder: Path) -> tuple[Path, Path]:
    """(its configuration, what it renders)"""
    bao, told = installation.bao, folder / "told"
    role = bao("read", "-field=role_id", "auth/approle/role/app/role-id").out
    (folder / "role").write_text(role)
    (folder / "secret").write_text(bao("write", "-f", "-field=secret_id", "auth/approle/role/app/secret-id").out)
    config = folder / "config.hcl"
    config.write_text(f"""
        vault {{ address = "https://{installation.at}", ca_cert = "{installation.ca}" }}
        auto_auth {{ method "approle" {{
          config = {{ role_id_file_path = "{folder}/role", secret_id_file_path = "{folder}/secret" }}
        }} }}
        template_config {{ static_secret_render_interval = "1s" }}
        template {{
          destination = "{told}"
          contents    = "{{{{ with secret \\"app/data/a\\" }}}}{{{{ .Data.data.n }}}}{{{{ end }}}}"
        }}
    """)
    return config, told


def test_an_agent_outlives_a_seal(installation, tmp_path) -> None:
    bao, server = installation.bao, installation.server
    for words in (
        ("secrets", "enable", "-path=app", "-version=2", "kv"),
        ("auth", "enable", "approle"),
        ("write", "auth/approle/role/app", "token_policies=app", "token_ttl=1h"),
        ("write", "sys/policies/acl/app", 'policy=path "app/data/*" { capabilities = ["read"] }'),
        ("kv", "put", "app/a", "n=1"),
    ):
        done = bao(*words)
        assert done.status == 0, done.err
    config, told = agent(installation, tmp_path)
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [BAO, "agent", f"-config={config}"], env={"HOME": str(tmp_path)}, stdout=out, stderr=out
        )
    try:
        until(lambda: told.exists() and told.read_text() == "1")
        assert server("seal").status == 0
        sealed = bao("status", "-format=json")
        assert sealed.status == 2 and json.loads(sealed.out)["sealed"] is True
        refused = bao("kv", "get", "app/a")
        assert refused.status == 2 and "Vault is sealed" in refused.err
        until(lambda: "Vault is sealed" in log.read_text())  # it has noticed

        assert server("unseal", "--unseal", "env:P", env=PASSPHRASE).status == 0
        assert bao("status").status == 0
        assert bao("kv", "put", "app/a", "n=2").status == 0
        until(lambda: told.read_text() == "2")
        assert process.poll() is None
    except TimeoutError as late:
        raise AssertionError(log.read_text()) from late
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def test_what_is_served_says_so(installation) -> None:
    said: dict[str, Any] = installation.server("env", "vault", "--host", HOST, "--json").json
    assert said["VAULT_ADDR"] == f"https://{installation.at}"
