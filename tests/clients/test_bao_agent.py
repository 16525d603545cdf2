"""`bao agent` and `bao proxy` of OpenBao 2.7.2, unmodified: they log in, renew, render, and stand in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.clients.vault import BAO, Reply, Vault, ask, vault
from tests.waiting import until

pytestmark = pytest.mark.client

POLICY = """
path "app/data/*"        { capabilities = ["create", "read", "update"] }
path "transit/encrypt/*" { capabilities = ["update"] }
path "transit/decrypt/*" { capabilities = ["update"] }
path "auth/token/create" { capabilities = ["update"] }
"""
PERIOD = 4  # seconds


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with vault(tmp_path_factory.mktemp("agent")) as running:
        running("POST", "sys/mounts/app", {"type": "kv-v2"})
        running("POST", "sys/mounts/transit", {"type": "transit"})
        running("POST", "transit/keys/app")
        running("POST", "app/data/db", {"data": {"user": "ada", "password": "one"}})
        running("PUT", "sys/policies/acl/app", {"policy": POLICY})
        running("POST", "sys/auth/approle", {"type": "approle"})
        running("POST", "auth/approle/role/app", {"token_policies": "app", "token_ttl": "1h"})
        running("POST", "auth/approle/role/brief", {"token_policies": "app", "token_period": f"{PERIOD}s"})
        yield running


class Kit:
    """A folder with an AppRole's credentials, and what an agent's configuration says of them."""

    def __init__(self, server: Vault, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.sink, self.secret_id = folder / "token", folder / "secret_id"
        self.take("app")

    def take(self, role: str) -> None:
        """The credentials of that role."""
        its_id = self.server("GET", f"auth/approle/role/{role}/role-id")["data"]["role_id"]
        (self.folder / "role_id").write_text(its_id)
        self.secret_id.write_text(self.server("PUT", f"auth/approle/role/{role}/secret-id")["data"]["secret_id"])

    def configured(self, rest: str, *, method: str = "", login: str = "", sinks: str = "") -> Path:
        written = self.folder / "config.hcl"
        written.write_text(
            f"""
            vault {{ address = "{self.server.address}" }}
            auto_auth {{
              method "approle" {{
                {login}
                config = {{
                  role_id_file_path   = "{self.folder}/role_id"
                  secret_id_file_path = "{self.secret_id}"
                  {method}
                }}
              }}
              sink "file" {{ config = {{ path = "{self.sink}" }} }}
              {sinks}
            }}
            {rest}
            """
        )
        return written

    @contextmanager
    def running(self, command: str, rest: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        """An agent or a proxy, until the end of the block; it has to have come to no other end by itself."""
        log = self.folder / "log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [BAO, command, f"-config={self.configured(rest, **more)}"],
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
                stdout=errors,
                stderr=errors,
            )
        try:
            yield process
            assert process.poll() is None, log.read_text()
        except TimeoutError as late:
            raise AssertionError(log.read_text()) from late
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)

    def token(self) -> str:
        return until(lambda: self.sink.exists() and self.sink.read_text())

    def look_up(self) -> dict[str, Any]:
        found: dict[str, Any] = self.server("GET", "auth/token/lookup-self", token=self.token())["data"]
        return found


@pytest.fixture
def kit(server, tmp_path) -> Kit:
    return Kit(server, tmp_path)


def test_templates_follow_a_secret_and_the_token_lives_across_its_period(server, kit) -> None:
    out = kit.folder / "app.conf"
    kit.take("brief")
    template = f"""
    template_config {{ static_secret_render_interval = "1s" }}
    template {{
      destination = "{out}"
      perms       = "0600"
      error_on_missing_key = true
      contents = <<EOT
{{{{ with secret "app/data/db" -}}}}
{{{{ .Data.data.user }}}}:{{{{ .Data.data.password }}}}:{{{{ .Data.metadata.version }}}}
{{{{- end }}}}
{{{{ with secret "transit/encrypt/app" "plaintext=aGVsbG8=" }}}}{{{{ .Data.ciphertext }}}}{{{{ end }}}}
EOT
    }}
    """
    with kit.running("agent", template):
        told = until(lambda: out.exists() and out.read_text())
        secret, sealed = told.split()
        assert secret == "ada:one:1" and out.stat().st_mode & 0o777 == 0o600
        assert server("PUT", "transit/decrypt/app", {"ciphertext": sealed})["data"]["plaintext"] == "aGVsbG8="

        server("POST", "app/data/db", {"data": {"user": "ada", "password": "two"}})
        until(lambda: out.read_text().startswith("ada:two:2"))

        def outlived() -> Any:
            """A token that was renewed when its first period was over. One that came to its end is got anew."""
            reply = ask(server.at, "GET", "auth/token/lookup-self", token=kit.token())
            told = reply.json["data"] if reply.status == 200 else {}
            return told if told.get("last_renewal_time", 0) >= told.get("creation_time", 0) + PERIOD else None

        told = until(outlived)
        assert told["policies"] == ["app", "default"] and told["period"] == PERIOD


def test_a_token_that_is_revoked_is_got_anew(server, kit) -> None:
    kit.take("brief")  # it hears of it when it is to renew
    with kit.running("agent", ""):
        first = kit.token()
        server("POST", "auth/token/revoke", {"token": first})

        def another() -> Any:
            token = kit.token()
            reply = ask(server.at, "GET", "auth/token/lookup-self", token=token)
            return reply.json["data"] if token != first and reply.status == 200 else None

        assert until(another)["policies"] == ["app", "default"]


def test_a_secret_id_that_is_wrapped_is_unwrapped_and_only_from_where_it_is_to_come(server, kit) -> None:
    path = "auth/approle/role/app/secret-id"
    wrapped = server.bao(kit.folder, "write", "-f", "-wrap-ttl=60s", "-field=wrapping_token", path)
    kit.secret_id.write_text(wrapped.out)
    with kit.running("agent", "", method=f'secret_id_response_wrapping_path = "{path}"'):
        assert kit.look_up()["meta"] == {"role_name": "app"}
    assert not kit.secret_id.exists()  # read, and taken away

    kit.sink.unlink()
    elsewhere = server.bao(
        kit.folder, "write", "-wrap-ttl=60s", "-field=wrapping_token", "sys/wrapping/wrap", "secret_id=x"
    )
    kit.secret_id.write_text(elsewhere.out)
    with kit.running("agent", "", method=f'secret_id_response_wrapping_path = "{path}"'):
        until(
            lambda: (
                "does not match" in (kit.folder / "log").read_text()
                or "creation path" in (kit.folder / "log").read_text()
            )
        )
        assert not kit.sink.exists()


def test_a_sink_may_get_the_token_wrapped(server, kit) -> None:
    wrapped = kit.folder / "wrapped"
    with kit.running("agent", "", sinks=f'sink "file" {{ wrap_ttl = "1m", config = {{ path = "{wrapped}" }} }}'):
        told = json.loads(until(lambda: wrapped.exists() and wrapped.read_text()))
        inside = server("PUT", "sys/wrapping/unwrap", {"token": told["token"]})
        assert inside["data"]["token"] == kit.token()


def test_a_login_may_be_wrapped(server, kit) -> None:
    with kit.running("agent", "", login='wrap_ttl = "1m"'):
        told = json.loads(kit.token())
        inside = server("PUT", "sys/wrapping/unwrap", {"token": told["token"]})
        assert inside["auth"]["policies"] == ["app", "default"]


def test_a_command_gets_secrets_in_its_environment(server, kit) -> None:
    told = kit.folder / "told"
    rest = f"""
    env_template "DB_PASSWORD" {{
      contents             = "{{{{ with secret \\"app/data/db\\" }}}}{{{{ .Data.data.password }}}}{{{{ end }}}}"
      error_on_missing_key = true
    }}
    exec {{
      command = ["sh", "-c", "echo $DB_PASSWORD > {told}; exec sleep 60"]
      restart_on_secret_changes = "always"
    }}
    template_config {{ static_secret_render_interval = "1s" }}
    """
    server("POST", "app/data/db", {"data": {"user": "ada", "password": "three"}})
    with kit.running("agent", rest):
        until(lambda: told.exists() and told.read_text() == "three\n")
        server("POST", "app/data/db", {"data": {"user": "ada", "password": "four"}})
        until(lambda: told.read_text() == "four\n")


def _answer_of(door: Path) -> Reply | None:
    """There is a moment in which a socket is there, and nobody listens yet."""
    with suppress(FileNotFoundError, ConnectionRefusedError):
        return ask(door, "GET", "auth/token/lookup-self")
    return None


@pytest.mark.parametrize("command", ["agent", "proxy"])
def test_whoever_asks_through_it_needs_no_token(server, kit, command) -> None:
    door = kit.folder / "socket"
    rest = f"""
    api_proxy {{ use_auto_auth_token = true }}
    cache {{}}
    listener "unix" {{
      address     = "{door}"
      tls_disable = true
    }}
    """
    with kit.running(command, rest):
        own = kit.look_up()
        found = until(lambda: _answer_of(door))
        assert found.json["data"]["issue_time"] == own["issue_time"]
        assert own["id"] not in found.raw.decode()  # it keeps that to itself
        own_less = {"BAO_ADDR": f"unix://{door}", "BAO_TOKEN": "", "VAULT_TOKEN": ""}
        read = server.bao(kit.folder, "kv", "get", "-field=user", "-mount=app", "db", **own_less)
        assert read.out == "ada", read.err
        refused = ask(door, "GET", "sys/mounts")
        assert refused.status == 403 and "permission denied" in refused.json["errors"][0]

        # the cache: who asks the same again gets the same token, until it is revoked
        asked = {"ttl": "1h", "display_name": "worker"}
        first, second = (ask(door, "POST", "auth/token/create", asked) for _ in range(2))
        assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("MISS", "HIT")
        token = first.json["auth"]["client_token"]
        assert second.json["auth"]["client_token"] == token
        assert ask(door, "POST", "auth/token/revoke-self", token=token).status == 204
        until(lambda: ask(door, "POST", "auth/token/create", asked).json["auth"]["client_token"] != token)
