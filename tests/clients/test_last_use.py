"""What keys and access keys were last used for, as a server comes to know it from its own audit log."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.waiting import until

pytestmark = pytest.mark.client


def test_a_use_is_known_some_seconds_later(server) -> None:
    iam, kms, name = server.client("iam"), server.client("kms"), f"user-{os.urandom(4).hex()}"
    iam.create_user(UserName=name)
    own = iam.create_access_key(UserName=name)["AccessKey"]
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    guest = boto3.client(
        "kms",
        region_name="eu-west-1",
        endpoint_url=server.endpoint,
        aws_access_key_id=own["AccessKeyId"],
        aws_secret_access_key=own["SecretAccessKey"],
    )
    before = datetime.now(UTC).replace(microsecond=0)
    with pytest.raises(ClientError, match="AccessDenied"):
        guest.list_keys()  # signed and refused: used all the same
    kms.encrypt(KeyId=key_id, Plaintext=b"x")
    after = datetime.now(UTC)

    def known() -> tuple[dict, dict] | None:
        """chores.USES_EVERY and two turns of the sequencer are some seven seconds."""
        found = iam.get_access_key_last_used(AccessKeyId=own["AccessKeyId"])["AccessKeyLastUsed"]
        usage = kms.get_key_last_usage(KeyId=key_id)["KeyLastUsage"]
        return (found, usage) if "LastUsedDate" in found and "Operation" in usage else None

    found, usage = until(known, every=0.2)
    assert (found["ServiceName"], found["Region"]) == ("kms", "eu-west-1")
    assert before <= found["LastUsedDate"] <= after
    assert usage["Operation"] == "Encrypt"
    iam.delete_access_key(UserName=name, AccessKeyId=own["AccessKeyId"])
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.get_access_key_last_used(AccessKeyId=own["AccessKeyId"])
    iam.delete_user(UserName=name)
