"""XKS proxies for tests of external key stores: the XKS door of another Keystead, and one that says what it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

from tests import harness
from tests.harness import Person, Reply, Stack

from keystead.core import operations as ops
from keystead.core.entities import Key, PolicyText
from keystead.core.keystores import Trouble
from keystead.core.ports import PUBLIC, Terms, Unreached
from keystead.doors import aws_xks
from keystead.wire.http import HttpRequest

HOST, PREFIX = "xks.example.test", "stores/one"
PATH = f"/{PREFIX}/kms/xks/v1"
AT = f"xks:{harness.TENANT}:{PREFIX}"
RIGHTS = ["kms:DescribeKey", "kms:Encrypt", "kms:Decrypt"]
ALLOWED = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": RIGHTS, "Resource": "*"}]}
HEALTHY = {
    "xksProxyFleetSize": 1,
    "xksProxyVendor": "Acme",
    "xksProxyModel": "Proxy 1",
    "ekmVendor": "Acme",
    "ekmFleetDetails": [{"id": "one", "model": "Manager 1", "healthStatus": "ACTIVE"}],
}
FIT = {"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "ENABLED"}
Headers = Sequence[tuple[str, str]]
ACCESS_KEY_ID, SECRET = "ABCDEFGHIJKLMNOPQRSTUVW234", "s" * 43


class Told:
    """core.ports.Net: answers by the last part of the path, as it is told to; what was asked is kept."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"health": HEALTHY, "metadata": FIT}
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.threads: set[int] = set()  # that have asked
        self.meanwhile: Callable[[], object] | None = None  # done once, while somebody waits for an answer

    def request(
        self, method: str, url: str, *, headers: Headers, body: bytes, most: int, timeout_for: float, terms: Terms
    ) -> tuple[int, bytes]:
        assert (method, timeout_for, terms) == ("POST", 0.25, PUBLIC) and 6 * 1024 < most <= 64 * 1024
        self.hears(url, body, headers)
        answer = self.answers[url.rpartition("/")[2]]
        if isinstance(answer, Trouble):
            raise Unreached(answer)
        if isinstance(answer, bytes):
            return 200, answer
        if isinstance(answer, tuple):
            status, what = answer
            return status, what if isinstance(what, bytes) else json.dumps(what).encode()
        return 200, json.dumps(answer).encode()

    def hears(self, url: str, body: bytes, headers: Headers) -> None:
        self.asked.append((url, dict(headers), json.loads(body)))
        self.threads.add(threading.get_ident())
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()

    def refuses(self, verb: str, name: str, status: int = 400) -> None:
        self.answers[verb] = (status, {"errorName": name, "errorMessage": "CANARY words of the proxy"})


class Keystead(Told):
    """core.ports.Net: the XKS door of another installation, in this process; or what it is told instead."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = {}
        self.stack = Stack(seed=7, door=aws_xks.DOOR)
        ring = next(one for one in self.stack.first.keyrings if one.name == harness.REGION)
        self.stack.by_system(ops.BindKeyring(keyring=ring.id, namespace=AT))
        tenant = ops.TenantRef(harness.TENANT)
        self.stack.by_system(ops.CreatePrincipal(tenant=tenant, name="kms"))
        text = PolicyText("xks", "aws", json.dumps(ALLOWED))
        self.stack.by_system(ops.PutPrincipalPolicy(tenant=tenant, name="kms", policy=text))
        made = self.stack.by_system(ops.CreateXksCredential(tenant=tenant, name="kms", namespace=AT))
        self.access_key_id, self.secret = made.credential.id, made.secret.reveal().decode()

    def request(self, method: str, url: str, *, headers: Headers, body: bytes, **bounds: Any) -> tuple[int, bytes]:
        if url.rpartition("/")[2] in self.answers:
            return super().request(method, url, headers=headers, body=body, **bounds)
        self.hears(url, body, headers)
        host, _, path = url.removeprefix("https://").partition("/")
        found = {name.lower().encode(): value.encode() for name, value in headers} | {b"host": host.encode()}
        now = self.stack.clock.now()
        request = HttpRequest(
            method=b"POST",
            target=f"/{path}".encode(),
            headers=found,
            body=body,
            peer=harness.PEER,
            received_at=now,
            second=int(now.timestamp()),
        )
        reply = Reply.of(self.stack.serve(request))
        return reply.status, reply.body

    def manage(self, kind: type[ops.Operation[Any]], key: Key, **members: Any) -> Any:
        ref = ops.KeyRef(f"aws:{harness.TENANT}:{harness.REGION}", id=key.id)
        return self.stack.perform(kind(key=ref, **members))


def members(net: Told, **others: Any) -> dict[str, Any]:
    """Of a CreateCustomKeyStore that works."""
    credential = (net.access_key_id, net.secret) if isinstance(net, Keystead) else (ACCESS_KEY_ID, SECRET)
    given = {
        "CustomKeyStoreName": "one",
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyUriEndpoint": f"https://{HOST}",
        "XksProxyUriPath": PATH,
        "XksProxyAuthenticationCredential": {"AccessKeyId": credential[0], "RawSecretAccessKey": credential[1]},
        **others,
    }
    return {name: value for name, value in given.items() if value is not None}


def created(person: Person, net: Told, **others: Any) -> str:
    """A store's id."""
    reply = person.call("CreateCustomKeyStore", **members(net, **others))
    assert reply.status == 200, (reply.code, reply.message)
    return reply.json["CustomKeyStoreId"]


def connected(person: Person, net: Told, **others: Any) -> str:
    store = created(person, net, **others)
    assert person.call("ConnectCustomKeyStore", CustomKeyStoreId=store).json == {}
    assert described(person, store)["ConnectionState"] == "CONNECTED"
    return store


def described(person: Person, store: str) -> dict[str, Any]:
    (entry,) = person.call("DescribeCustomKeyStores", CustomKeyStoreId=store).json["CustomKeyStores"]
    return entry


def key_in(person: Person, store: str, name: str = "one", **others: Any) -> dict[str, Any]:
    """KeyMetadata of a new key there."""
    given = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": name, **others}
    reply = person.call("CreateKey", **given)
    assert reply.status == 200, (reply.code, reply.message)
    return reply.json["KeyMetadata"]
