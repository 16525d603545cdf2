"""The AWS Encryption SDK for Python: round trips with commitment and context, against a server process."""

import os

import aws_encryption_sdk
import botocore.session
import pytest
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
from aws_encryption_sdk.identifiers import Algorithm, CommitmentPolicy
from aws_encryption_sdk.key_providers.kms import (
    MRKAwareDiscoveryAwsKmsMasterKeyProvider,
    MRKAwareStrictAwsKmsMasterKeyProvider,
)
from tests.harness import OTHER_REGION

pytestmark = pytest.mark.client


@pytest.fixture
def session(server, monkeypatch):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return botocore.session.Session()


@pytest.fixture
def key_arns(server):
    kms = server.client("kms")
    return [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]


@pytest.fixture
def sdk():
    return aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)


def strict(session, *arns):
    return aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=arns, botocore_session=session)


def test_a_round_trip_with_commitment_and_context(session, key_arns, sdk) -> None:
    plaintext, context = os.urandom(100_000), {"app": "pay", "env": "prod"}
    sealed, header = sdk.encrypt(source=plaintext, key_provider=strict(session, *key_arns), encryption_context=context)
    assert header.algorithm is Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384
    assert {key.key_provider.key_info.decode() for key in header.encrypted_data_keys} == set(key_arns)
    for arn in key_arns:  # either key opens it
        opened, found = sdk.decrypt(source=sealed, key_provider=strict(session, arn))
        assert opened == plaintext and context.items() <= found.encryption_context.items()


def test_a_key_of_ours_that_did_not_take_part_opens_nothing(session, key_arns, sdk) -> None:
    sealed, _ = sdk.encrypt(source=b"secret", key_provider=strict(session, key_arns[0]))
    with pytest.raises(AWSEncryptionSDKClientError):
        sdk.decrypt(source=sealed, key_provider=strict(session, key_arns[1]))


def test_what_the_message_names_is_found_and_a_disabled_key_opens_nothing(session, server, key_arns, sdk) -> None:
    sealed, _ = sdk.encrypt(source=b"secret", key_provider=strict(session, key_arns[0]))
    discovery = aws_encryption_sdk.DiscoveryAwsKmsMasterKeyProvider(botocore_session=session)
    assert sdk.decrypt(source=sealed, key_provider=discovery)[0] == b"secret"
    server.client("kms").disable_key(KeyId=key_arns[0])
    with pytest.raises(AWSEncryptionSDKClientError):
        sdk.decrypt(source=sealed, key_provider=discovery)


def test_what_one_region_seals_a_related_key_opens_in_another(session, server, sdk) -> None:
    """The SDK's providers that know multi-Region keys ask the Region they are for, by the ARN of the key there."""
    kms = server.client("kms")
    key_id = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    there = kms.replicate_key(KeyId=key_id, ReplicaRegion=OTHER_REGION)["ReplicaKeyMetadata"]["Arn"]
    here = kms.describe_key(KeyId=key_id)["KeyMetadata"]["Arn"]
    related = MRKAwareStrictAwsKmsMasterKeyProvider
    sealed, _ = sdk.encrypt(source=b"secret", key_provider=related(key_ids=[here], botocore_session=session))
    opened, header = sdk.decrypt(source=sealed, key_provider=related(key_ids=[there], botocore_session=session))
    assert opened == b"secret"
    assert [key.key_provider.key_info.decode() for key in header.encrypted_data_keys] == [here]
    anywhere = MRKAwareDiscoveryAwsKmsMasterKeyProvider(discovery_region=OTHER_REGION, botocore_session=session)
    assert sdk.decrypt(source=sealed, key_provider=anywhere)[0] == b"secret"
    with pytest.raises(AWSEncryptionSDKClientError):  # who does not know of related keys asks for that very ARN
        sdk.decrypt(source=sealed, key_provider=strict(session, there))
