"""Whom tokens belong to, at a server of two processes: what was acknowledged is what the other one does, too."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.servers import keystead, serving

pytestmark = pytest.mark.client
TRIES = 12  # connections of their own, each at whichever process


class Vault:
    """Each request on a connection of its own."""

    def __init__(self, address: str, token: str) -> None:
        self._at, self.token = urlsplit(address), token

    def __call__(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self._at.hostname, self._at.port, timeout=60)
        headers = {"X-Vault-Token": self.token if token is None else token}
        connection.request(method, f"/v1/{path}", None if body is None else json.dumps(body), headers)
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        return reply.status, json.loads(text) if text else None

    def everywhere(self, path: str, token: str) -> set[int]:
        """The statuses of many requests."""
        return {self("GET", path, token=token)[0] for _ in range(TRIES)}


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    directory: Path = tmp_path_factory.mktemp("two") / "data"
    made = keystead(
        "init", directory, "--seal", "passphrase", "--passphrase", "env:P", "--json", env={"P": "long enough"}
    )
    assert made.status == 0, made.err
    secret = directory.with_name("p")
    secret.write_text("long enough")
    words = ("--workers", "2", "--unseal", f"file:{secret}", "--listen", "vault=127.0.0.1:0")
    with serving("serve", directory, *words) as server:
        token = server("token", "create", "--policy", "root", "--json").json["token"]
        yield Vault(f"http://{server.running['listen']['vault']}", token)


def test_what_an_entity_or_a_group_lost_no_process_gives_from_the_answer_on(vault) -> None:
    """security.md §4-C row 46."""
    assert vault("POST", "sys/auth/userpass", {"type": "userpass"})[0] == 204
    assert vault("POST", "sys/mounts/kv", {"type": "kv-v2"})[0] == 204
    assert vault("POST", "kv/data/a", {"data": {"x": "y"}})[0] == 200
    assert vault("PUT", "sys/policies/acl/reads", {"policy": 'path "kv/data/*" { capabilities = ["read"] }'})[0] == 204
    assert vault("POST", "auth/userpass/users/bob", {"password": "pw"})[0] == 204
    auth = vault("POST", "auth/userpass/login/bob", {"password": "pw"}, token="")[1]["auth"]
    token, entity = auth["client_token"], auth["entity_id"]
    assert vault.everywhere("kv/data/a", token) == {403}
    group = vault("POST", "identity/group", {"policies": "reads", "member_entity_ids": [entity]})[1]["data"]["id"]
    assert vault.everywhere("kv/data/a", token) == {200}
    for path, lost, found in (
        (f"identity/group/id/{group}", {"member_entity_ids": []}, {"member_entity_ids": [entity]}),
        (f"identity/group/id/{group}", {"policies": []}, {"policies": "reads"}),
        (f"identity/entity/id/{entity}", {"disabled": True}, {"disabled": False}),
    ):
        assert vault("POST", path, lost)[0] == 204
        assert vault.everywhere("kv/data/a", token) == {403}
        assert vault("POST", path, found)[0] == 204
        assert vault.everywhere("kv/data/a", token) == {200}
    assert vault("DELETE", f"identity/entity/id/{entity}")[0] == 204
    assert vault.everywhere("auth/token/lookup-self", token) == {403}
