"""An audit device of a real server that is killed while it is asked: whatever was answered is in its file later."""

from __future__ import annotations

import http.client
import json
import threading
from pathlib import Path

import pytest
from tests.servers import serving
from tests.waiting import ended, until

pytestmark = pytest.mark.client


def ask(at: str, token: str, method: str, path: str, body: object = None) -> tuple[int, str]:
    """(status, request id)"""
    line = http.client.HTTPConnection(at.removeprefix("http://"), timeout=60)
    try:
        text = None if body is None else json.dumps(body)
        line.request(method, f"/v1/{path}", text, {"X-Vault-Token": token})
        reply = line.getresponse()
        raw = reply.read()
        return reply.status, json.loads(raw).get("request_id", "") if raw else ""
    finally:
        line.close()


def scraped(at: str, token: str) -> dict[str, float]:
    """What Prometheus would read of the server, by its name and labels."""
    line = http.client.HTTPConnection(at.removeprefix("http://"), timeout=60)
    try:
        line.request("GET", "/v1/sys/metrics?format=prometheus", headers={"Authorization": f"Bearer {token}"})
        text = line.getresponse().read().decode()
    finally:
        line.close()
    samples = (one.rpartition(" ") for one in text.splitlines() if not one.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def told(file: Path) -> set[str]:
    whole = file.read_bytes().rpartition(b"\n")[0]  # a line may be on its way
    lines = [json.loads(line) for line in whole.splitlines()]
    return {line["request"]["id"] for line in lines if line["type"] == "response"}


def ask_until_it_is_gone(at: dict[str, str], answered: list[str]) -> None:
    try:
        while True:
            status, id_ = ask(at["VAULT_ADDR"], at["VAULT_TOKEN"], "GET", "sys/mounts")
            assert status == 200
            answered.append(id_)
    except (OSError, http.client.HTTPException):
        return


def test_a_server_that_is_killed_loses_nothing_of_it(tmp_path) -> None:
    directory, answered = tmp_path / "data", []
    file = directory / "audit" / "devices" / "vault.log"
    with serving("dev", directory, "--listen", "vault=127.0.0.1:0") as server:
        at = server("env", "vault", "--json").json
        device = {"type": "file", "options": {"file_path": "vault.log"}}
        assert ask(at["VAULT_ADDR"], at["VAULT_TOKEN"], "PUT", "sys/audit/file", device)[0] == 204
        asking = threading.Thread(target=ask_until_it_is_gone, args=(at, answered))
        asking.start()
        until(lambda: file.exists() and told(file) and len(answered) > 100)  # it is in the middle of following
        server.kill()
        ended(asking)
        server.process.returncode = 0  # it is not this one that has to end well
    with serving("dev", directory, "--listen", "vault=127.0.0.1:0") as server:
        until(lambda: set(answered) <= told(file))
        at = server("env", "vault", "--json").json
        numbers = scraped(at["VAULT_ADDR"], at["VAULT_TOKEN"])
        assert numbers["vault_core_unsealed"] == numbers["keystead_workers"] == 1
        assert numbers["keystead_audit_records"] > len(answered)
        assert 0 <= numbers['keystead_audit_device_behind{device="file"}'] < 50
