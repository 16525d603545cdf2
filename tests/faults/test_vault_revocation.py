"""An acknowledged revocation at the Vault door is enforced by every worker (docs/adr/0007): policies and tokens."""

from __future__ import annotations

import json
import threading
import time
from functools import partial
from http.client import HTTPConnection
from typing import Any

import pytest
from tests.servers import serving
from tests.waiting import ended, until

pytestmark = [pytest.mark.client, pytest.mark.torture]
N_CLIENTS, N_ROUNDS = 6, 12
N_SEEN = 5  # answers that each client has to see before, and after
PATH = "/v1/sys/policies/acl/app"
ALLOWED = 'path "sys/policies/acl/app" { capabilities = ["read"] }'
NOTHING = 'path "nowhere" { capabilities = ["read"] }'


class Client:
    """One connection; whichever worker took it."""

    def __init__(self, address: str, token: str) -> None:
        self._connection, self.token = HTTPConnection(address, timeout=60), token
        self.log: list[tuple[float, bool]] = []  # (sent, served)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        text = json.dumps(body) if body is not None else None
        self._connection.request(method, path, text, {"X-Vault-Token": self.token})
        reply = self._connection.getresponse()
        answer = reply.read()
        return reply.status, json.loads(answer) if answer else None

    def run(self, over: threading.Event) -> None:
        while not over.is_set():
            sent = time.monotonic()
            status, _ = self.ask("GET", PATH)
            assert status in {200, 403}, status
            self.log.append((sent, status == 200))
        self.close()

    def close(self) -> None:
        self._connection.close()


def served_enough(clients: list[Client]) -> bool:
    return all(sum(served for _, served in client.log[:]) >= N_SEEN for client in clients)


def went_on(clients: list[Client], acknowledged: float) -> bool:
    return all(sum(sent > acknowledged for sent, _ in client.log[:]) >= N_SEEN for client in clients)


def test_no_request_sent_after_the_acknowledgement_is_served(tmp_path) -> None:
    with serving("dev", tmp_path / "data", "--workers", "2", "--listen", "vault=127.0.0.1:0") as server:
        address = server.running["listen"]["vault"]
        root = Client(address, server("env", "vault", "--json").json["VAULT_TOKEN"])
        windows = []
        for n in range(N_ROUNDS):
            assert root.ask("PUT", PATH, {"policy": ALLOWED})[0] == 204
            _, made = root.ask("POST", "/v1/auth/token/create", {"policies": ["app"]})
            clients = [Client(address, made["auth"]["client_token"]) for _ in range(N_CLIENTS)]
            over = threading.Event()
            threads = [threading.Thread(target=client.run, args=(over,)) for client in clients]
            for thread in threads:
                thread.start()
            until(partial(served_enough, clients), "all have to be served first")
            if n % 2:
                status, _ = root.ask("PUT", PATH, {"policy": NOTHING})
            else:
                status, _ = root.ask("POST", "/v1/auth/token/revoke", {"token": made["auth"]["client_token"]})
            acknowledged = time.monotonic()
            assert status == 204
            until(partial(went_on, clients, acknowledged), "and to go on")
            over.set()
            ended(*threads)
            windows.append((acknowledged, [entry for client in clients for entry in client.log]))
        root.close()
    assert not [sent for at, log in windows for sent, served in log if served and sent > at]
