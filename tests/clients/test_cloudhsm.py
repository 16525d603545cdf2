"""A custom key store of type AWS_CLOUDHSM, with boto3 in front and a token of SoftHSM2 behind, which is taken away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError
from msgspec import Struct
from tests import softhsm
from tests.certificates import Authority
from tests.servers import Serving, serving
from tests.waiting import until

from keystead.app.installation import initialise, prepare, save_credentials
from keystead.config import Config, Hsm
from keystead.seals.file import FileSeal

pytestmark = pytest.mark.client

CLUSTER, PASSWORD, REGION = "cluster-a2b3c4d5e6f", "kmsuser-pin", "us-east-1"
DATA, CONTEXT = b"attack at dawn", {"purpose": "test"}


class Office(Struct):
    server: Serving
    kms: Any
    store: str
    key: str


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    tmp_path = tmp_path_factory.mktemp("cloudhsm")
    label = softhsm.new_token(pin=PASSWORD)
    pin = tmp_path / "pin"
    pin.write_text(f"{PASSWORD}\n")
    luna = Hsm(module=softhsm.module(), token=label, pin=f"file:{pin}", cluster=CLUSTER)
    directory = tmp_path / "data"
    prepare(directory)
    settings = Config(region=REGION, hsms={"luna": luna})
    save_credentials(directory, initialise(directory, settings, FileSeal.create(directory, os.urandom)))
    anchor = Authority(tmp_path).ca.read_text()
    with serving("dev", directory, "--workers", "2", errors=tmp_path / "errors") as server:
        kms = client(server)
        store = kms.create_custom_key_store(
            CustomKeyStoreName="luna",
            CloudHsmClusterId=CLUSTER,
            TrustAnchorCertificate=anchor,
            KeyStorePassword=PASSWORD,
        )["CustomKeyStoreId"]
        kms.connect_custom_key_store(CustomKeyStoreId=store)
        made = kms.create_key(Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)["KeyMetadata"]
        assert (made["Origin"], made["CloudHsmClusterId"], made["KeyState"]) == ("AWS_CLOUDHSM", CLUSTER, "Enabled")
        yield Office(server, kms, store, made["KeyId"])


def client(server: Serving) -> Any:
    said = server("env", "aws", "--json").json
    return boto3.client(
        "kms",
        region_name=REGION,
        endpoint_url=said["AWS_ENDPOINT_URL_KMS"],
        aws_access_key_id=said["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=said["AWS_SECRET_ACCESS_KEY"],
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )


def code_of(act: Any, **members: Any) -> str:
    with pytest.raises(ClientError) as refused:
        act(**members)
    return str(refused.value.response["Error"]["Code"])


def test_the_store_is_told_as_awss(office: Office) -> None:
    (entry,) = office.kms.describe_custom_key_stores()["CustomKeyStores"]
    assert (entry["CustomKeyStoreType"], entry["ConnectionState"]) == ("AWS_CLOUDHSM", "CONNECTED")
    assert entry["CloudHsmClusterId"] == CLUSTER and "BEGIN CERTIFICATE" in entry["TrustAnchorCertificate"]


def test_its_keys_are_used_in_the_token(office: Office) -> None:
    kms, key = office.kms, office.key
    sealed = kms.encrypt(KeyId=key, Plaintext=DATA, EncryptionContext=CONTEXT)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed, EncryptionContext=CONTEXT)["Plaintext"] == DATA
    assert code_of(kms.decrypt, CiphertextBlob=sealed) == "InvalidCiphertextException"
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]
    assert len(kms.generate_random(NumberOfBytes=32, CustomKeyStoreId=office.store)["Plaintext"]) == 32


def test_the_token_proves_that_it_never_leaves(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "note"
    assert office.server("key", "attest", office.key, "-o", file).status == 0
    found = office.server("key", "attest", "--verify", file, "--json").json
    assert (found["key"], found["protection"], found["hsm"]) == (office.key, "hsm", "luna")
    for word in ("local", "sensitive", "always_sensitive", "never_extractable"):
        assert found[f"hsm.{word}"] == "true", word
    assert found["hsm.extractable"] == "false"


def test_another_password_is_no_way_in(office: Office) -> None:
    kms, store = office.kms, office.store
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    assert kms.describe_key(KeyId=office.key)["KeyMetadata"]["KeyState"] == "Unavailable"
    assert code_of(kms.encrypt, KeyId=office.key, Plaintext=DATA) == "KMSInvalidStateException"
    kms.update_custom_key_store(CustomKeyStoreId=store, KeyStorePassword="another one")
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    (entry,) = kms.describe_custom_key_stores()["CustomKeyStores"]
    assert (entry["ConnectionState"], entry["ConnectionErrorCode"]) == ("FAILED", "INVALID_CREDENTIALS")
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    kms.update_custom_key_store(CustomKeyStoreId=store, KeyStorePassword=PASSWORD)
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    assert kms.encrypt(KeyId=office.key, Plaintext=DATA)["CiphertextBlob"]


def test_a_token_that_is_taken_away_is_missed_and_nothing_changes(office: Office) -> None:
    kms, key = office.kms, office.key
    sealed = kms.encrypt(KeyId=key, Plaintext=DATA)["CiphertextBlob"]
    n_keys = len(kms.list_keys()["Keys"])
    software = kms.create_key()["KeyMetadata"]["KeyId"]
    with softhsm.Removed():
        assert code_of(kms.encrypt, KeyId=key, Plaintext=DATA) == "KMSInvalidStateException"
        assert code_of(kms.decrypt, CiphertextBlob=sealed) == "KMSInvalidStateException"
        new = {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": office.store}
        assert code_of(kms.create_key, **new) == "CloudHsmClusterInvalidConfigurationException"
        assert kms.encrypt(KeyId=software, Plaintext=DATA)["CiphertextBlob"]  # it keeps nobody else waiting
        assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"

    def is_back() -> bool:
        try:
            return bool(kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == DATA)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "KMSInvalidStateException"
            return False

    until(is_back, every=0.2)
    assert len(kms.list_keys()["Keys"]) == n_keys + 1
