"""What one door takes away is gone at the other before it is acknowledged, on every worker (docs/adr/0007, 0017).

Two workers, and clients of both doors that encrypt with one key without pause. A request that was *sent* after the
acknowledgement of a revocation is never served.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from tests.servers import Serving, serving
from tests.waiting import ended, until
from tests.wireclient import WireClient

pytestmark = [pytest.mark.client, pytest.mark.torture]
N_CLIENTS, N_ROUNDS = 3, 3
N_SEEN = 30  # answers before, and after
PATH = "kms/encrypt/app"
ALLOWED, NOTHING = (f'path "{path}" {{ capabilities = ["update"] }}' for path in (PATH, "nowhere"))


class Vault:
    def __init__(self, address: str, token: str) -> None:
        self._connection, self.token = HTTPConnection(address, timeout=60), token

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        text = json.dumps(body) if body is not None else None
        self._connection.request(method, f"/v1/{path}", text, {"X-Vault-Token": self.token})
        reply = self._connection.getresponse()
        answer = reply.read()
        return reply.status, json.loads(answer) if answer else None

    def encrypts(self) -> bool:
        status, answer = self.ask("POST", PATH, {"plaintext": "aGVsbG8="})
        assert status in {200, 400, 403}, (status, answer)
        return status == 200

    def close(self) -> None:
        self._connection.close()


class Kms:
    def __init__(self, wire: WireClient, key: str) -> None:
        self._wire, self._key, self.close = wire, key, wire.close

    def encrypts(self) -> bool:
        answer = self._wire.call("Encrypt", KeyId=self._key, Plaintext=b"x")
        assert answer.status in {200, 400}, answer
        return answer.status == 200


class Site:
    """A key with a name at both doors; a user with a Vault policy, and a token with one."""

    def __init__(self, server: Serving, directory: Path) -> None:
        self.server, self.directory = server, directory
        environment = server("env", "aws", "--json").json
        self.admin = WireClient.administrator(environment)
        self.root = Vault(self.vault_address, server("env", "vault", "--json").json["VAULT_TOKEN"])
        made = self.aws("CreateKey")["KeyMetadata"]
        self.key, self.account = made["KeyId"], made["AWSAccountId"]
        self.aws("CreateAlias", AliasName="alias/app", TargetKeyId=self.key)
        rings = server("keyring", "list", "--json").json
        ring = next(one["id"] for one in rings if one["name"] == environment["AWS_REGION"])
        assert server("keyring", "bind", ring, f"vault:{self.account}:kms").status == 0
        assert server("principal", "create", "load").status == 0
        keys = server("principal", "access-key", "create", "load", "--json").json
        self.access_key = keys["access_key_id"], keys["secret_access_key"]
        self.user_may(ALLOWED)
        self.token_may(ALLOWED)
        self.new_token()

    @property
    def vault_address(self) -> str:
        return str(self.server.running["listen"]["vault"])

    def aws(self, operation: str, **members: Any) -> dict[str, Any]:
        answer = self.admin.call(operation, **members)
        self.admin.close()  # a connection that nobody uses for a minute is closed by the server
        assert answer.status == 200, answer
        return answer.body

    def vault(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.root.ask(method, path, body)
        self.root.close()
        assert status in {200, 204}, (method, path, status, answer)
        return answer

    def user_may(self, policy: str) -> None:
        """A policy in Vault's words of a user whom only boto3 knows."""
        file = self.directory / "policy.hcl"
        file.write_text(policy)
        done = self.server("principal", "policy", "put", "load", "app", file, "--dialect", "vault")
        assert done.status == 0, done.err

    def token_may(self, policy: str) -> None:
        self.vault("PUT", "sys/policies/acl/app", {"policy": policy})

    def new_token(self) -> None:
        self.token = self.vault("POST", "auth/token/create", {"policies": ["app"]})["auth"]["client_token"]

    def deny(self) -> None:
        root = {"AWS": f"arn:aws:iam::{self.account}:root"}
        allow = {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
        deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"}
        self._key_policy([allow, deny])

    def allow(self) -> None:
        root = {"AWS": f"arn:aws:iam::{self.account}:root"}
        self._key_policy([{"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}])

    def _key_policy(self, statements: list[dict[str, Any]]) -> None:
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.aws("PutKeyPolicy", KeyId=self.key, Policy=text)

    def clients(self, door: str) -> list[Vault | Kms]:
        if door == "vault":
            return [Vault(self.vault_address, self.token) for _ in range(N_CLIENTS)]
        return [Kms(WireClient(self.admin.address, *self.access_key), self.key) for _ in range(N_CLIENTS)]

    def close(self) -> None:
        self.admin.close()
        self.root.close()


Way = tuple[str, Callable[[Site], object], Callable[[Site], object]]
WAYS: dict[str, Way] = {
    # whose requests it stops, how it is taken away, how it is given back
    "AWS disables the key, transit stops": (
        "vault",
        lambda site: site.aws("DisableKey", KeyId=site.key),
        lambda site: site.aws("EnableKey", KeyId=site.key),
    ),
    "AWS's key policy denies, transit stops": ("vault", Site.deny, Site.allow),
    "a Vault policy changes, boto3 stops": (
        "aws",
        lambda site: site.user_may(NOTHING),
        lambda site: site.user_may(ALLOWED),
    ),
    "a Vault policy changes, transit stops": (
        "vault",
        lambda site: site.token_may(NOTHING),
        lambda site: site.token_may(ALLOWED),
    ),
    "a token is revoked": (
        "vault",
        lambda site: site.vault("POST", "auth/token/revoke", {"token": site.token}),
        Site.new_token,
    ),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    directory = tmp_path_factory.mktemp("across")
    listen = ("--listen", "vault=127.0.0.1:0")
    with serving("dev", directory / "data", "--workers", "2", *listen) as server:
        made = Site(server, directory)
        yield made
        made.close()


def load(client: Vault | Kms, log: list[tuple[float, bool]], over: threading.Event) -> None:
    while not over.is_set():
        sent = time.monotonic()
        log.append((sent, client.encrypts()))
    client.close()


def served_enough(log: list[tuple[float, bool]]) -> bool:
    return sum(served for _, served in log[:]) >= N_SEEN


def went_on(log: list[tuple[float, bool]], acknowledged: float) -> bool:
    return sum(sent > acknowledged for sent, _ in log[:]) >= N_SEEN


@pytest.mark.parametrize("way", WAYS)
def test_nothing_sent_after_the_acknowledgement_is_served(site: Site, way: str) -> None:
    door, revoke, give_back = WAYS[way]
    for _ in range(N_ROUNDS):
        log: list[tuple[float, bool]] = []
        over = threading.Event()
        threads = [threading.Thread(target=load, args=(client, log, over)) for client in site.clients(door)]
        for thread in threads:
            thread.start()
        until(partial(served_enough, log), "the load has to be served first")
        revoke(site)
        acknowledged = time.monotonic()
        until(partial(went_on, log, acknowledged), "and to go on")
        over.set()
        ended(*threads)
        give_back(site)
        assert not [sent for sent, served in log if served and sent > acknowledged]
