"""An external key store at a URI prefix, and AWS KMS in front of it."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest
from botocore.credentials import Credentials
from tests import harness
from tests.harness import Person, Reply, Stack, b64

from keystead.core import operations as ops
from keystead.core.algorithms import Purpose
from keystead.core.entities import Key, PolicyText
from keystead.doors import aws_xks
from keystead.wire.http import HttpRequest

PREFIX = "stores/one"
AT = f"xks:{harness.TENANT}:{PREFIX}"
RIGHTS = ("DescribeKey", "Encrypt", "Decrypt")
META = {
    "awsPrincipalArn": "arn:aws:iam::123456789012:user/Alice",
    "kmsKeyArn": "arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "kmsOperation": "Encrypt",
    "kmsRequestId": "4112f4d6-db54-4af4-ae30-c55a22a8dfae",
    "kmsViaService": "ebs",
}


def policy(*rights: str) -> str:
    statement = {"Effect": "Allow", "Action": [f"kms:{right}" for right in rights], "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Store:
    """One URI prefix with a credential. Members of a message are given as bytes, and written as base64."""

    def __init__(self, stack: Stack, *, prefix: str = PREFIX, user: str = "aws-kms", rights: tuple[str, ...] = RIGHTS):
        self.stack, self.prefix = stack, prefix
        self.at = f"xks:{harness.TENANT}:{prefix}"
        ring = next(one for one in stack.first.keyrings if one.name == harness.REGION)
        bound = stack.by_system(ops.ListKeyrings())
        if not any(self.at in one.namespaces for one in bound.items):
            stack.by_system(ops.BindKeyring(keyring=ring.id, namespace=self.at))
        tenant = ops.TenantRef(harness.TENANT)
        self.principal = stack.by_system(ops.CreatePrincipal(tenant=tenant, name=user))
        text = PolicyText("xks", "aws", policy(*rights))
        stack.by_system(ops.PutPrincipalPolicy(tenant=tenant, name=user, policy=text))
        self.person = self.credential(user)

    def credential(self, user: str = "aws-kms") -> Person:
        made = self.stack.by_system(
            ops.CreateXksCredential(tenant=ops.TenantRef(harness.TENANT), name=user, namespace=self.at)
        )
        return Person(self.stack, self.principal, made.credential.id, made.secret.reveal(), None)

    def path(self, rest: str) -> str:
        return f"/{self.prefix}/kms/xks/v1/{rest}" if self.prefix != "/" else f"/kms/xks/v1/{rest}"

    def post(self, path: str, body: bytes, *, by: Person | None = None, **more: Any) -> Reply:
        """A whole path with a body written by hand."""
        given = {"service": "kms-xks-proxy", "url": f"https://xks.test{path}", **more}
        return (by or self.person).send({"Content-Type": "application/json"}, body, **given)

    def request(self, rest: str = "health", body: bytes = b"{}") -> HttpRequest:
        """Signed, and not sent."""
        url = f"https://xks.test{self.path(rest)}"
        return self.person.signed({"Content-Type": "application/json"}, body, "POST", url, "kms-xks-proxy")

    def ask(self, rest: str, *, by: Person | None = None, **members: Any) -> Reply:
        wire = {name: b64(value) if isinstance(value, bytes) else value for name, value in members.items()}
        body = {"requestMetadata": META, **wire}
        return self.post(self.path(rest), json.dumps(body).encode(), by=by)

    def key(self, spec: str = "SYMMETRIC_DEFAULT", purpose: Purpose | None = None) -> Key:
        return self.stack.key(spec, purpose)

    def encrypt(self, key: str, plaintext: bytes = b"Hello World!", **members: Any) -> Reply:
        return self.ask(f"keys/{key}/encrypt", plaintext=plaintext, encryptionAlgorithm="AES_GCM", **members)

    def decrypt(self, key: str, sealed: dict[str, Any], **members: Any) -> Reply:
        """What an answer of `encrypt` said, with `members` instead of its own."""
        own = {name: value for name, value in sealed.items() if name != "ciphertextDataIntegrityValue"}
        given = {name: value for name, value in {**own, **members}.items() if value is not None}
        return self.ask(f"keys/{key}/decrypt", encryptionAlgorithm="AES_GCM", **given)

    def deny(self, key: Key, right: str) -> None:
        statement = [
            {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": harness.TENANT}},
            {"Effect": "Deny", "Action": f"kms:{right}", "Resource": "*", "Principal": {"AWS": self.person.arn}},
        ]
        text = PolicyText("default", "aws", json.dumps({"Version": "2012-10-17", "Statement": statement}))
        ref = ops.KeyRef(f"aws:{harness.TENANT}:{harness.REGION}", id=key.id)
        self.stack.perform(ops.PutPolicy(key=ref, policy=text))

    def manage(self, kind: type[ops.Operation[Any]], key: Key, **members: Any) -> Any:
        return self.stack.perform(kind(key=ops.KeyRef(f"aws:{harness.TENANT}:{harness.REGION}", id=key.id), **members))


def error(reply: Reply) -> tuple[int, str]:
    """(status, errorName), of an error that has the form of one."""
    assert set(reply.json) == {"errorName", "errorMessage"}
    words = reply.json["errorMessage"]
    assert 0 < len(words) < 512 and words.isascii() and words.isprintable()
    return reply.status, reply.json["errorName"]


def raw(reply: Reply, member: str) -> bytes:
    assert reply.status == 200, reply.body
    return b64decode(reply.json[member], validate=True)


def forged(stack: Stack, access_key_id: str, secret: bytes = b"s" * 44) -> Person:
    person = Person(stack, stack.first.administrator, access_key_id, secret, None)
    person.credentials = Credentials(access_key_id, secret.decode())
    return person


@pytest.fixture
def store() -> Store:
    return Store(harness.stack(door=aws_xks.DOOR))


@pytest.fixture(scope="module")
def shared() -> Store:
    """For tests that leave it as they find it."""
    return Store(harness.stack(door=aws_xks.DOOR))
