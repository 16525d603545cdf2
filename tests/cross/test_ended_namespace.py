"""A namespace that ends is over at the AWS door too from that answer on, on every worker, however much is still in it.

Two workers, more principals than one commit takes away, and clients of both doors that never pause. Nothing that was
*sent* after the answer of the commit that ends it is served (docs/adr/0007, 0023).
"""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import pytest
from tests.cross.test_revocation_across_doors import Kms, Vault, served_enough, went_on
from tests.servers import serving
from tests.waiting import ended, until
from tests.wireclient import WireClient

from keystead import config
from keystead.cli.remote import Remote
from keystead.core import operations as ops
from keystead.core.entities import PolicyText
from keystead.service.handlers.namespaces import AT_ONCE

pytestmark = [pytest.mark.client, pytest.mark.torture]
REGION = "us-east-1"
N_PRINCIPALS, N_CLIENTS = AT_ONCE + 200, 3
ALLOW = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}'


def load(client: Kms | Vault, log: list[tuple[float, bool]], over: threading.Event) -> None:
    while not over.is_set():
        sent = time.monotonic()
        log.append((sent, client.encrypts()))
    client.close()


def test_nothing_sent_after_it_has_ended_is_served(tmp_path) -> None:
    with serving("dev", tmp_path / "data", "--workers", "2", "--listen", "vault=127.0.0.1:0") as server:
        vault, aws = (str(server.running["listen"][door]) for door in ("vault", "aws"))
        root = Vault(vault, server("env", "vault", "--json").json["VAULT_TOKEN"])
        assert root.ask("POST", "sys/namespaces/ns1")[0] == 200
        for path, body in (("sys/mounts/kms", {"type": "transit"}), ("kms/keys/app", {})):
            assert root.ask("POST", f"ns1/{path}", body)[0] in {200, 204}
        operator = Remote(server.directory, config.read(server.directory))
        tenants = {ops.TenantRef(one.keyring.tenant) for one in operator.perform(ops.ListKeyrings()).items}
        ((home, space),) = (
            (at, one.namespace) for at in tenants for one in operator.perform(ops.ListNamespaces(tenant=at))
        )
        at = ops.TenantRef(space.id)
        address = f"aws:{space.id}:{REGION}"
        operator.perform(ops.CreateKeyring(tenant=space.id, name=REGION, namespaces=(address,)))
        for n in range(N_PRINCIPALS):
            operator.perform(ops.CreatePrincipal(tenant=at, name=f"user{n}"))
        last = _last(operator, at)
        operator.perform(ops.PutPrincipalPolicy(tenant=at, name=last, policy=PolicyText("may", "aws", ALLOW)))
        made = operator.show(ops.CreateAccessKey(tenant=at, name=last))
        secret = (made.access_key_id, made.secret_access_key)
        owner = WireClient(aws, *secret)
        key = owner.call("CreateKey").body["KeyMetadata"]["KeyId"]
        owner.close()
        clients = [Kms(WireClient(aws, *secret), key) for _ in range(N_CLIENTS)]
        clients += [Below(vault, root.token) for _ in range(N_CLIENTS)]
        logs: list[list[tuple[float, bool]]] = [[] for _ in clients]
        over = threading.Event()
        threads = [threading.Thread(target=load, args=(*pair, over)) for pair in zip(clients, logs, strict=True)]
        for thread in threads:
            thread.start()
        until(lambda: all(served_enough(log) for log in logs), "all have to be served first")
        operator.perform(ops.EndNamespace(tenant=home, name="ns1"))
        acknowledged = time.monotonic()
        until(lambda: all(went_on(log, acknowledged) for log in logs), "and to go on")
        over.set()
        ended(*threads)
        root.close()
        operator.close()
    for log in logs:
        assert not [sent for sent, served in log if served and sent > acknowledged]
        assert not any(later[1] and not sooner[1] for sooner, later in pairwise(log)), "what is over is over"


class Below(Vault):
    """Whoever encrypts in the namespace with a token of above."""

    def encrypts(self) -> bool:
        status, answer = self.ask("POST", "ns1/kms/encrypt/app", {"plaintext": "aGVsbG8="})
        gone = (400, {"errors": ["encryption key not found"]})  # who was on the way to it when it went
        assert status in {200, 403, 404} or (status, answer) == gone, (status, answer)
        return status == 200


def _last(operator: Remote, at: ops.TenantRef) -> str:
    """The name of the principal whose row goes as the last."""
    found = []
    page = operator.perform(ops.ListPrincipals(tenant=at))
    while page.items:
        found += page.items
        if page.after is None:
            break
        page = operator.perform(ops.ListPrincipals(tenant=at, after=page.after))
    assert len(found) > AT_ONCE
    return max(found, key=lambda one: one.id).name
