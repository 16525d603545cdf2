"""Prepared requests: for AWS endpoints the very bytes that boto3 would send, for a transit engine plain JSON.

Each is distinct: its own plaintext, context and signature. SigV4 lets a request live for five minutes, so a workload
signs anew when its requests get old.
"""

from __future__ import annotations

import http.client
import json
import os
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from msgspec import Struct

N_DISTINCT, N_SEALED = 512, 64
POLICY = """
path "transit/encrypt/app" { capabilities = ["update"] }
path "transit/decrypt/app" { capabilities = ["update"] }
path "transit/sign/signer" { capabilities = ["update"] }
path "transit/hmac/app" { capabilities = ["update"] }
path "secret/data/app" { capabilities = ["read"] }
path "secret/data/written/+" { capabilities = ["create", "update"] }
"""
OLD_AFTER = 200  # seconds; SigV4 allows 300
REGION = "us-east-1"
Members = Mapping[str, Any]


class Workload(Struct, kw_only=True):
    """Requests that are always fresh enough to be sent."""

    make: Callable[[], list[bytes]]
    lasts_for: float = OLD_AFTER
    _made: list[bytes] = []
    _made_at: float = 0.0

    def requests(self) -> list[bytes]:
        if not self._made or time.monotonic() - self._made_at > self.lasts_for:
            self._made, self._made_at = self.make(), time.monotonic()
        return self._made


class Refused(Exception):
    """A request that prepares was not answered as it should."""


class _Nothing:
    def stream(self) -> Iterator[bytes]:
        yield b"{}"


class Aws:
    """boto3 at an address: `call` really calls, `prepared` only signs."""

    def __init__(self, address: tuple[str, int], access_key_id: str, secret_access_key: str) -> None:
        self._host = f"{address[0]}:{address[1]}"
        self._prepared: list[bytes] = []
        self._real, self._signing = (
            boto3.client(
                "kms",
                endpoint_url=f"http://{self._host}",
                region_name=REGION,
                aws_access_key_id=access_key_id,
                aws_secret_access_key=secret_access_key,
                config=Config(retries={"max_attempts": 0}, read_timeout=30),
            )
            for _ in range(2)
        )
        self._signing.meta.events.register("before-send.kms", self._keep)

    def call(self, method: str, **members: Any) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self._real, method)(**members)
        return answer

    def prepared(self, method: str, each: Sequence[Members]) -> list[bytes]:
        """The requests of `method` as boto3 would write them to the socket."""
        self._prepared = []
        for members in each:
            getattr(self._signing, method)(**members)
        return self._prepared

    def _keep(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """In place of sending it."""
        self._prepared.append(self._written(request))
        return AWSResponse(request.url, 200, {}, _Nothing())

    def _written(self, request: AWSPreparedRequest) -> bytes:
        headers = {"Host": self._host, "Accept-Encoding": "identity"}
        headers |= {
            name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        body: bytes = request.body
        return f"{request.method} / HTTP/1.1\r\n{lines}\r\n".encode() + body

    def workload(self, method: str, each: Sequence[Members]) -> Workload:
        return Workload(make=lambda: self.prepared(method, each))


def context(i: int) -> dict[str, str]:
    return {"tenant": f"t-{i % 64:03d}", "purpose": f"bench-{i}"}


def encrypts(keys: Sequence[str], n: int = N_DISTINCT) -> list[Members]:
    """32-byte plaintexts with an encryption context, over all the keys in turn."""
    return [
        {"KeyId": keys[i % len(keys)], "Plaintext": os.urandom(32), "EncryptionContext": context(i)} for i in range(n)
    ]


class Vault:
    """Vault's HTTP API at an address. `call` really calls; the workloads are as Vault's clients send them."""

    def __init__(self, address: tuple[str, int], token: str = "") -> None:
        self.address, self.token = address, token

    def call(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """PUT. Raises Refused; a server that has just been unsealed is asked again for a while."""
        for _ in range(50):
            connection = http.client.HTTPConnection(*self.address, timeout=10)
            connection.request("PUT", f"/v1/{path}", json.dumps(body), {"X-Vault-Token": self.token})
            reply = connection.getresponse()
            text = reply.read()
            connection.close()
            if reply.status in {200, 204}:
                return dict(json.loads(text)) if text else {}
            time.sleep(0.1)
        raise Refused(f"{path}: {reply.status} {text[:300]!r}")

    def make_key(self) -> None:
        self.call("sys/mounts/transit", {"type": "transit"})
        self.call("transit/keys/app", {})

    def prepare(self) -> Vault:
        """With a transit key and a secret, and for whoever has a token of one policy."""
        self.make_key()
        self.call("sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        self.call("secret/data/app", {"data": {"password": "x" * 32}})
        self.call("transit/keys/signer", {"type": "ecdsa-p256"})
        self.call("sys/policies/acl/app", {"policy": POLICY})
        made = self.call("auth/token/create", {"policies": ["app"], "ttl": "1h"})
        return Vault(self.address, str(made["auth"]["client_token"]))

    def encrypts(self) -> Workload:
        def one() -> bytes:
            return self._written("PUT", "transit/encrypt/app", b'{"plaintext":"%b"}' % b64encode(os.urandom(32)))

        return Workload(make=lambda: [one() for _ in range(N_DISTINCT)], lasts_for=float("inf"))

    def decrypts(self) -> Workload:
        def one() -> bytes:
            made = self.call("transit/encrypt/app", {"plaintext": b64encode(os.urandom(32)).decode()})
            return self._written(
                "PUT", "transit/decrypt/app", json.dumps({"ciphertext": made["data"]["ciphertext"]}).encode()
            )

        return Workload(make=lambda: [one() for _ in range(N_SEALED)], lasts_for=float("inf"))

    def signs(self) -> Workload:
        return self._inputs("transit/sign/signer")

    def hmacs(self) -> Workload:
        return self._inputs("transit/hmac/app")

    def _inputs(self, path: str) -> Workload:
        def one() -> bytes:
            return self._written("PUT", path, b'{"input":"%b"}' % b64encode(os.urandom(32)))

        return Workload(make=lambda: [one() for _ in range(N_DISTINCT)], lasts_for=float("inf"))

    def writes(self) -> Workload:
        """New versions of as many secrets as there are requests."""

        def one(n: int) -> bytes:
            body = json.dumps({"data": {"password": os.urandom(16).hex()}}).encode()
            return self._written("PUT", f"secret/data/written/s{n}", body)

        return Workload(make=lambda: [one(n) for n in range(N_DISTINCT)], lasts_for=float("inf"))

    def reads(self) -> Workload:
        return Workload(make=lambda: [self._written("GET", "secret/data/app", b"")], lasts_for=float("inf"))

    def _written(self, method: str, path: str, body: bytes) -> bytes:
        lines = (
            f"{method} /v1/{path} HTTP/1.1",
            f"Host: {self.address[0]}:{self.address[1]}",
            "User-Agent: Go-http-client/1.1",
            *([f"Content-Length: {len(body)}"] if body else []),
            "X-Vault-Request: true",
            f"X-Vault-Token: {self.token}",
            "Accept-Encoding: identity",
        )
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + body
