"""The `bao` command of OpenBao 2.7.2, unmodified, against a real server: what a person types at it."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.doors.vault.factors import ENFORCEMENTS, METHODS, password
from tests.servers import BIN, Done, Serving, keystead, serving
from tests.terminal import Terminal
from tests.waiting import until

pytestmark = pytest.mark.client


class Bao:
    """`bao("secrets", "list")` with the variables that `keystead env vault` says."""

    def __init__(self, server: Serving, home: Path) -> None:
        self.variables = server("env", "vault", "--json").json
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), **self.variables}

    def __call__(self, *words: str, token: str = "", stdin: str = "") -> Done:
        env = self.env | ({"BAO_TOKEN": token, "VAULT_TOKEN": token} if token else {})
        done = subprocess.run(
            [BIN / "bao", *words], env=env, input=stdin, capture_output=True, text=True, check=False, timeout=60
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def json(self, *words: str, token: str = "") -> Any:
        done = self(words[0], *words[1:-1], "-format=json", words[-1], token=token)
        assert done.status == 0, done.err
        return json.loads(done.out)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving("dev", tmp_path_factory.mktemp("vault") / "data", "--listen", "vault=127.0.0.1:0") as running:
        yield running


@pytest.fixture(scope="module")
def bao(server: Serving, tmp_path_factory: pytest.TempPathFactory) -> Bao:
    return Bao(server, tmp_path_factory.mktemp("home"))


def test_env_says_all_that_a_client_needs(server, bao) -> None:
    assert set(bao.variables) == {"VAULT_ADDR", "VAULT_TOKEN", "BAO_ADDR", "BAO_TOKEN"}
    assert bao.variables["VAULT_ADDR"] == f"http://{server.running['listen']['vault']}"
    saved = server.directory / "credentials.json"
    assert saved.stat().st_mode & 0o777 == 0o600 and bao.variables["VAULT_TOKEN"] in saved.read_text()


def test_run_points_a_command_here(server) -> None:
    about = ("--data", server.directory)
    done = keystead("run", *about, "vault", "--", str(BIN / "bao"), "status", "-format=json")
    assert done.json["sealed"] is False


def test_a_development_server_has_a_kv_engine_where_those_of_others_have_it(bao) -> None:
    mount = bao.json("secrets", "list", "-detailed")["secret/"]
    assert (mount["type"], mount["options"]) == ("kv", {"version": "2"})
    assert bao("kv", "put", "secret/first", "a=b").status == 0
    assert bao.json("kv", "get", "secret/first")["data"]["data"] == {"a": "b"}


def test_status(bao) -> None:
    done = bao("status", "-format=json")
    assert done.status == 0 and json.loads(done.out)["sealed"] is False


def test_login(bao) -> None:
    done = bao("login", "-no-store", bao.variables["VAULT_TOKEN"])
    assert done.status == 0 and '["root"]' in done.out
    assert bao("login", "-no-store", "hvs.wrong").status == 2


def test_policies(bao) -> None:
    text = 'path "sys/mounts" {\n  capabilities = ["read"]\n}\n'
    assert bao("policy", "write", "app", "-", stdin=text).status == 0
    assert bao("policy", "read", "app").out.strip() == text.strip()
    assert bao("policy", "list").out.split() == ["app", "default", "root"]
    assert bao("policy", "write", "bad", "-", stdin='path "x" { capabilities = ["rea"] }').status == 2
    token = bao("token", "create", "-policy=app", "-ttl=1h", "-field=token").out.strip()
    assert bao("token", "capabilities", token, "sys/mounts").out.strip() == "read"
    assert bao("secrets", "list", token=token).status == 0
    assert bao("policy", "delete", "app").status == 0
    refused = bao("secrets", "list", token=token)
    assert refused.status == 2 and "permission denied" in refused.err


def test_secrets_engines(bao) -> None:
    assert bao("secrets", "enable", "-description=mine", "transit").status == 0
    again = bao("secrets", "enable", "transit")
    assert again.status == 2 and "path is already in use at transit/" in again.err
    assert "mine" in bao("secrets", "list").out
    assert bao("secrets", "tune", "-default-lease-ttl=1h", "transit/").status == 0
    assert bao.json("read", "sys/mounts/transit/tune")["data"]["default_lease_ttl"] == 3600
    moved = bao("secrets", "move", "transit", "other")
    assert moved.status == 0 and "Finished moving" in moved.out
    assert bao("secrets", "disable", "other").status == 0
    assert "other/" not in bao("secrets", "list").out
    assert "token/" in bao("auth", "list").out


def test_tokens(bao) -> None:
    made = bao.json("token", "create", "-policy=none", "-ttl=1h", "-display-name=me")["auth"]
    token = made["client_token"]
    found = bao.json("token", "lookup", token)["data"]
    assert found["display_name"] == "token-me" and found["policies"] == ["default", "none"]
    assert bao("token", "renew", token).status == 0
    assert bao("token", "renew", "-increment=2h", token).status == 0
    assert bao("token", "lookup", "-accessor", made["accessor"]).status == 0
    assert made["accessor"] in bao("list", "auth/token/accessors").out
    assert bao("token", "revoke", token).status == 0
    refused = bao("token", "lookup", token)
    assert refused.status == 2 and "bad token" in refused.err


def test_batch_tokens(bao) -> None:
    made = bao.json("token", "create", "-type=batch", "-policy=none", "-ttl=1h")["auth"]
    token = made["client_token"]
    assert token.startswith("hvb.") and made["renewable"] is False
    assert bao.json("token", "lookup", token)["data"]["type"] == "batch"
    assert "batch tokens cannot be renewed" in bao("token", "renew", token).err
    assert "batch tokens cannot be revoked" in bao("token", "revoke", token).err
    assert bao("token", "capabilities", token, "sys/mounts").out.strip() == "deny"


def test_an_audit_device_is_told_what_is_asked_and_may_be_rotated(server, bao) -> None:
    assert bao("audit", "enable", "-description=ours", "file", "file_path=vault.log").status == 0
    assert "ours" in bao("audit", "list").out
    refused = bao("audit", "enable", "-path=other", "file", "file_path=/etc/vault.log")
    assert refused.status == 2 and "not in a directory that audit devices may be in" in refused.err
    assert "nothing that the operator allows" in bao("audit", "enable", "syslog").err
    file = server.directory / "audit" / "devices" / "vault.log"

    def told(path: str) -> bool:
        def look() -> bool:
            lines = file.read_text().rpartition("\n")[0].splitlines() if file.exists() else []
            return any(json.loads(line)["request"]["path"] == path for line in lines)

        return until(look)

    assert bao("policy", "list").status == 0 and told("sys/policies/acl/")
    accessor = bao.json("token", "lookup", "-accessor", _accessor(bao))["data"]["accessor"]
    digest = bao("write", "-field=hash", "sys/audit-hash/file", f"input={accessor}").out.strip()
    assert digest.startswith("hmac-sha256:") and f'"accessor":"{digest}"' in file.read_text()
    file.rename(file.with_suffix(".1"))
    server.process.send_signal(signal.SIGHUP)
    assert bao("auth", "list").status == 0 and told("sys/auth")
    assert bao("audit", "disable", "file").status == 0 and "ours" not in bao("audit", "list").out


def _accessor(bao: Bao) -> str:
    return str(bao.json("token", "lookup", bao.variables["VAULT_TOKEN"])["data"]["accessor"])


def test_what_is_read_and_written_by_path(bao) -> None:
    text = 'length = 20\nrule "charset" { charset = "abc" min-chars = 1 }\n'
    assert bao("write", "sys/policies/password/app", "policy=-", stdin=text).status == 0
    assert set(bao("read", "-field=password", "sys/policies/password/app/generate").out.strip()) <= set("abc")
    assert bao("write", "sys/quotas/rate-limit/all", "rate=100000").status == 0
    assert bao.json("read", "sys/quotas/rate-limit/all")["data"]["rate"] == 100000
    assert bao("delete", "sys/quotas/rate-limit/all").status == 0
    assert "transit" in bao("plugin", "list", "secret").out
    assert "true" in bao("operator", "members").out
    assert bao("operator", "step-down").status == 0
    assert bao("token", "create", "-policy=none", "-ttl=1h").status == 0
    assert bao("list", "sys/leases/lookup/auth/token/create").status == 0
    assert bao("lease", "revoke", "-prefix", "-force", "auth/token/create").status == 0
    assert bao("list", "sys/leases/lookup/auth/token/create").status == 2
    assert bao.json("read", "sys/locked-users")["data"]["total"] == 0


def test_wrapping(bao) -> None:
    wrapped = bao("write", "-wrap-ttl=60s", "-field=wrapping_token", "sys/wrapping/wrap", "a=b").out.strip()
    assert bao("unwrap", "-field=a", wrapped).out.strip() == "b"
    again = bao("unwrap", wrapped)
    assert again.status == 2 and "wrapping token is not valid or does not exist" in again.err


def test_writing_and_reading_what_is_no_command_of_its_own(bao) -> None:
    done = bao("write", "-field=sum", "sys/tools/hash", "input=aGVsbG8=")
    assert done.out.strip() == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert bao("delete", "sys/policies/acl/none").status == 0
    assert bao("lease", "revoke", "some/lease").status == 0
    unsupported = bao("write", "sys/raw/x", "a=b")
    assert unsupported.status == 2 and "unsupported path" in unsupported.err


def test_operators_make_list_and_revoke_tokens(server, bao) -> None:
    made = server("token", "create", "--policy", "none", "--ttl", "1h", "--display-name", "robot", "--json").json
    assert bao.json("token", "lookup", made["token"])["data"]["display_name"] == "robot"
    listed = {one["accessor"]: one for one in server("token", "list", "--json").json}
    assert listed[made["accessor"]]["policies"] == ["default", "none"]
    assert server("token", "revoke", made["accessor"]).status == 0
    assert bao("token", "lookup", made["token"]).status == 2
    assert server("token", "revoke", made["accessor"]).status == 5
    assert server("token", "create", "--policy", "x", "--ttl", "soon", "--json").status == 2


def test_the_token_outlives_a_restart_and_an_installation_without_one_gets_one(tmp_path) -> None:
    directory = tmp_path / "data"
    with serving("dev", directory) as first:  # without the vault door: no token is made
        assert first("env", "vault").status == 2
        assert json.loads((directory / "credentials.json").read_text())["vault_token"] == ""
    with serving("dev", directory, "--listen", "vault=127.0.0.1:0") as second:
        token = second("env", "vault", "--json").json["VAULT_TOKEN"]
        assert Bao(second, tmp_path)("secrets", "move", "secret", "elsewhere").status == 0
    with serving("dev", directory, "--listen", "vault=127.0.0.1:0") as third:
        assert third("env", "vault", "--json").json["VAULT_TOKEN"] == token
        assert Bao(third, tmp_path)("token", "lookup").status == 0
        again = Bao(third, tmp_path).json("secrets", "list", "-detailed")
        assert "secret/" not in again and "elsewhere/" in again  # what was taken away is not made anew


def test_keys_are_brought_wrapped_and_passwords_made(bao, tmp_path) -> None:
    """`bao transit import` wraps by itself: with wrapping_key, RSAES-OAEP and AES-KWP."""
    assert bao("secrets", "enable", "transit").status == 0
    material = base64.b64encode(bytes(range(32))).decode()
    done = bao("transit", "import", "transit/keys/mine", material, "type=aes256-gcm96", "exportable=true")
    assert done.status == 0, done.err
    key = bao.json("read", "transit/export/encryption-key/mine")["data"]["keys"]
    assert key == {"1": material}
    assert bao("transit", "import-version", "transit/keys/mine", material).status == 0
    assert bao.json("read", "transit/keys/mine")["data"]["latest_version"] == 2
    pair = rsa.generate_private_key(65537, 2048)
    der = pair.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key").write_text(base64.b64encode(der).decode())
    assert bao("transit", "import", "transit/keys/pair", f"@{tmp_path / 'key'}", "type=rsa-2048").status == 0
    signed = bao("write", "-field=signature", "transit/sign/pair", "input=aGVsbG8=", "signature_algorithm=pkcs1v15")
    raw = base64.b64decode(signed.out.strip().rpartition(":")[2])
    pair.public_key().verify(raw, b"hello", padding.PKCS1v15(), hashes.SHA256())
    assert bao("transit", "import", "transit/keys/pair", "AAAA", "type=rsa-2048").status != 0
    assert bao("secrets", "enable", "totp").status == 0
    assert bao("write", "totp/keys/me", "key=JBSWY3DPEHPK3PXP", "digits=8").status == 0
    code = bao("read", "-field=code", "totp/code/me").out.strip()
    assert bao("write", "-field=valid", "totp/code/me", f"code={code}").out.strip() == "true"
    again = bao("write", "totp/code/me", f"code={code}")
    assert again.status == 2 and "code already used" in again.err


def test_identity(bao) -> None:
    assert bao("auth", "enable", "-path=people", "userpass").status == 0
    assert bao("write", "auth/people/users/ann", "password=pw").status == 0
    login = json.loads(bao("write", "-format=json", "auth/people/login/ann", "password=pw").out)["auth"]
    assert bao("write", f"identity/entity/id/{login['entity_id']}", "name=ann", "metadata=team=red").status == 0
    crew = ("identity/group", "name=crew", f"member_entity_ids={login['entity_id']}")
    group = json.loads(bao("write", "-format=json", *crew).out)
    found = bao.json("read", "identity/entity/name/ann")["data"]
    assert (found["metadata"], found["group_ids"]) == ({"team": "red"}, [group["data"]["id"]])
    assert "crew" in bao("list", "identity/group/name").out
    text = 'path "identity/oidc/token/*" { capabilities = ["read"] }'
    assert bao("policy", "write", "ids", "-", stdin=text).status == 0
    assert bao("write", "identity/group/name/crew", "policies=ids").status == 0
    assert bao("write", "identity/oidc/key/k", "algorithm=ES256", "allowed_client_ids=*").status == 0
    assert bao("write", "identity/oidc/role/r", "key=k", "ttl=1h").status == 0
    token = bao("read", "-field=token", "identity/oidc/token/r", token=login["client_token"]).out.strip()
    assert token.count(".") == 2
    assert bao("write", f"identity/entity/id/{login['entity_id']}", "disabled=true").status == 0
    refused = bao("token", "lookup", token=login["client_token"])
    assert refused.status == 2 and "permission denied" in refused.err


def _asked(bao: Bao, method: str, path: str, body: Any = None) -> Any:
    """What needs no command: starting one takes a while."""
    connection = HTTPConnection(bao.variables["VAULT_ADDR"].removeprefix("http://"), timeout=60)
    text = None if body is None else json.dumps(body)
    connection.request(method, f"/v1/{path}", text, {"X-Vault-Token": bao.variables["VAULT_TOKEN"]})
    answer = connection.getresponse().read()
    connection.close()
    return json.loads(answer or b"{}").get("data")


def test_a_login_asks_for_the_second_factor(bao) -> None:
    """At a terminal, as a person has it; and in two steps, for whoever has none."""
    _asked(bao, "POST", "sys/auth/people", {"type": "userpass"})
    accessor = _asked(bao, "GET", "sys/auth")["people/"]["accessor"]
    _asked(bao, "POST", "auth/people/users/bob", {"password": "pw", "policies": "app"})
    entity = _asked(bao, "POST", "identity/entity", {"name": "bob"})["id"]
    alias = {"name": "bob", "canonical_id": entity, "mount_accessor": accessor}
    _asked(bao, "POST", "identity/entity-alias", alias)
    method = _asked(bao, "POST", METHODS, {"issuer": "Acme", "method_name": "phone"})["method_id"]
    enforcement = {"mfa_method_ids": [method], "auth_method_accessors": [accessor]}
    _asked(bao, "POST", f"{ENFORCEMENTS}/people", enforcement)
    enrolled = bao.json("write", f"{METHODS}/admin-generate", f"method_id={method}", f"entity_id={entity}")
    url = enrolled["data"]["url"]
    login = ("login", "-no-store", "-method=userpass", "-path=people")
    terminal = Terminal(*login, "username=bob", "password=pw", command=BIN / "bao", env=bao.env)
    terminal.until(f'Enter the passphrase for methodID "{method}" of type "totp":')
    terminal.type(password(url, time.time()))
    assert terminal.end() == 0 and "Success! You are now authenticated." in terminal.said
    asked = bao(*login, "-non-interactive", "-format=json", "username=bob", "password=pw")
    request = json.loads(asked.out)["auth"]["mfa_requirement"]["mfa_request_id"]
    payload = json.dumps({"mfa_request_id": request, "mfa_payload": {"phone": [password(url, time.time() + 30)]}})
    done = bao("write", "-format=json", "sys/mfa/validate", "-", stdin=payload)
    auth = json.loads(done.out)["auth"]
    assert auth["policies"] == ["app", "default"] and auth["entity_id"] == entity
    refused = bao(*login, "-mfa=phone:000000", "username=bob", "password=pw")
    assert refused.status == 2 and "permission denied" in refused.err
