"""A Keystead whose external key store is another Keystead: two servers, TLS between them, boto3 in front."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError
from msgspec import Struct
from tests.certificates import Authority
from tests.servers import Serving, serving
from tests.waiting import until

from keystead.app.installation import initialise, prepare, save_credentials
from keystead.config import Config, Tls, Xks
from keystead.seals.file import FileSeal

pytestmark = pytest.mark.client

LATE = "did not respond in time"
HOST, REGION = "proxy.example.test", "eu-west-1"
WITHIN, GRAIN = 0.25, 20.0  # seconds: what a call may take; and what a busy machine may add
DATA, CONTEXT = b"attack at dawn", {"purpose": "test"}
RIGHTS = ["kms:DescribeKey", "kms:Encrypt", "kms:Decrypt"]
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": RIGHTS, "Resource": "*"}]}


class Proxy(Struct):
    """The Keystead that holds the other halves."""

    server: Serving
    key: str
    file: dict[str, Any]  # what the console of AWS KMS takes

    @property
    def port(self) -> int:
        return int(self.server.running["listen"]["xks"].rpartition(":")[2])


def made(directory: Path, **settings: Any) -> Path:
    """A development installation that is configured so."""
    prepare(directory)
    config = Config(region=REGION, **settings)
    save_credentials(directory, initialise(directory, config, FileSeal.create(directory, os.urandom)))
    return directory


@contextmanager
def proxy(tmp_path: Path, authority: Authority, name: str = HOST) -> Iterator[Proxy]:
    chain, private = authority.issue(name)
    directory = made(tmp_path / "proxy", tls=Tls(f"file:{chain}", f"file:{private}"))
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps(POLICY))
    with serving("dev", directory, "--listen", "xks=127.0.0.1:0", errors=tmp_path / "proxy-errors") as server:
        ring = next(one for one in server("keyring", "list", "--json").json if one["name"] == REGION)
        at = f"xks:{ring['tenant']}:stores/one"
        server("keyring", "bind", ring["id"], at, "--json")
        server("principal", "create", "kms", "--json")
        server("principal", "policy", "put", "kms", "xks", policy, "--json")
        key = server("key", "create", "--in", at, "--json").json["id"]
        yield Proxy(server, key, server("principal", "xks-credential", "create", "kms", at, "--json").json)


@contextmanager
def office(tmp_path: Path, there: Proxy, trust: Path) -> Iterator[Any]:
    """A boto3 client of a Keystead that knows where the proxy is."""
    route = Xks(trust=f"file:{trust}", routes={HOST: f"127.0.0.1:{there.port}"})
    directory = made(tmp_path / "office", xks=route)
    with serving("dev", directory, errors=tmp_path / "office-errors") as server:
        said = server("env", "aws", "--json").json
        hasty = boto3.client(
            "kms",
            region_name=REGION,
            endpoint_url=said["AWS_ENDPOINT_URL_KMS"],
            aws_access_key_id=said["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=said["AWS_SECRET_ACCESS_KEY"],
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )
        yield Patient(hasty)


class Patient:
    """A client that asks again where the proxy was late: on a busy machine it is, now and then. `hasty` does not."""

    def __init__(self, hasty: Any) -> None:
        self.hasty = hasty

    def __getattr__(self, name: str) -> Any:
        return partial(self._ask, getattr(self.hasty, name))

    def _ask(self, act: Any, **members: Any) -> Any:
        def once() -> Any:
            try:
                return act(**members)
            except ClientError as error:
                if LATE not in error.response["Error"]["Message"]:
                    raise
                return None

        return until(once)


def store_of(kms: Any, there: Proxy) -> str:
    credential = there.file["XksProxyAuthenticationCredential"]
    store = kms.create_custom_key_store(
        CustomKeyStoreName="other",
        CustomKeyStoreType="EXTERNAL_KEY_STORE",
        XksProxyConnectivity="PUBLIC_ENDPOINT",
        XksProxyUriEndpoint=f"https://{HOST}",
        XksProxyUriPath=there.file["XksProxyUriPath"],
        XksProxyAuthenticationCredential=credential,
    )["CustomKeyStoreId"]
    connected(kms, store)
    return store


def tried(kms: Any, store: str) -> dict[str, Any] | None:
    """What came of connecting it; None where that took too long, as it does on a busy machine now and then."""
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    (entry,) = kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"]
    return None if entry.get("ConnectionErrorCode") == "XKS_PROXY_TIMED_OUT" else entry


def connected(kms: Any, store: str) -> None:
    assert until(partial(tried, kms, store))["ConnectionState"] == "CONNECTED"


def key_in(kms: Any, store: str, there: Proxy) -> str:
    made = kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId=there.key)["KeyMetadata"]
    assert made["XksKeyConfiguration"] == {"Id": there.key}
    return made["KeyId"]


def refused(act: Any, **members: Any) -> tuple[str, str, float]:
    """(code, words, seconds it took)"""
    began = time.monotonic()
    with pytest.raises(ClientError) as caught:
        act(**members)
    took = time.monotonic() - began
    error = caught.value.response["Error"]
    return error["Code"], error["Message"], took


def test_a_key_in_two_halves_and_what_becomes_of_it_without_the_other(tmp_path) -> None:
    authority = Authority(tmp_path)
    with proxy(tmp_path, authority) as there, office(tmp_path, there, authority.ca) as kms:
        store = store_of(kms, there)
        key = key_in(kms, store, there)
        blob = kms.encrypt(KeyId=key, Plaintext=DATA, EncryptionContext=CONTEXT)["CiphertextBlob"]
        opened = {"CiphertextBlob": blob, "EncryptionContext": CONTEXT}
        assert kms.decrypt(**opened)["Plaintext"] == DATA
        data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
        assert kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]
        own = kms.create_key()["KeyMetadata"]["KeyId"]
        moved = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=CONTEXT, DestinationKeyId=own)
        assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == DATA
        # a rotation there is nobody's business here
        assert there.server("key", "rotate", there.key, "--json").status == 0
        assert kms.decrypt(**opened)["Plaintext"] == DATA

        assert there.server("key", "disable", there.key, "--json").status == 0
        for act, members in ((kms.decrypt, opened), (kms.encrypt, {"KeyId": key, "Plaintext": DATA})):
            code, words, _ = refused(act, **members)
            assert (code, "is not enabled in the external key manager" in words) == ("KMSInvalidStateException", True)
        assert there.server("key", "enable", there.key, "--json").status == 0
        assert kms.decrypt(**opened)["Plaintext"] == DATA

        kms.disconnect_custom_key_store(CustomKeyStoreId=store)
        assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Unavailable"
        assert refused(kms.decrypt, **opened)[0] == "KMSInvalidStateException"
        connected(kms, store)
        assert kms.decrypt(**opened)["Plaintext"] == DATA

        # its processes stand still: connections come about, and nothing is answered
        *_, worker = there.server.tree()
        os.kill(worker, signal.SIGSTOP)
        try:
            for _ in range(3):
                code, words, took = refused(kms.hasty.decrypt, **opened)
                assert (code, LATE in words) == ("KMSInvalidStateException", True)
                assert WITHIN * 0.9 < took < WITHIN + GRAIN
        finally:
            os.kill(worker, signal.SIGCONT)
        assert kms.decrypt(**opened)["Plaintext"] == DATA

        there.server.stop()
        for _ in range(3):
            code, words, took = refused(kms.decrypt, **opened)
            assert (code, "cannot communicate with" in words) == ("KMSInvalidStateException", True)
            assert took < WITHIN + GRAIN
        assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
        entry = until(partial(tried, kms, store))
        assert (entry["ConnectionState"], entry["ConnectionErrorCode"]) == ("FAILED", "XKS_PROXY_NOT_REACHABLE")
        assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == DATA


def test_a_proxy_with_a_certificate_of_another_name(tmp_path) -> None:
    authority = Authority(tmp_path)
    with proxy(tmp_path, authority, "other.example.test") as there, office(tmp_path, there, authority.ca) as kms:
        code, words, _ = refused(store_of, kms=kms, there=there)
        assert (code, "TLS connection" in words) == ("XksProxyUriUnreachableException", True)
