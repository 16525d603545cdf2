"""Multi-Region keys: one key in several regions. KMS Developer Guide, "Multi-Region keys in AWS KMS"; docs/adr/0014."""

from __future__ import annotations

import re

import pytest
from tests.doors.aws_kms.managing import ask
from tests.harness import OTHER_REGION, REGION, TENANT, b64, stack

from keystead.core.algorithms import KEY_SPECS
from keystead.core.entities import Key
from keystead.core.envelope import peek
from keystead.core.family import in_header, known_as

THIRD_REGION = "ap-southeast-2"
REGIONS = (REGION, OTHER_REGION, THIRD_REGION)


@pytest.fixture
def office():
    return stack(regions=REGIONS)


def arn(key_id, region=REGION, tenant=TENANT):
    return f"arn:aws:kms:{region}:{tenant}:key/{key_id}"


def primary(office, **members):
    """The id of a new primary key, in the first of REGIONS."""
    return ask(office.admin, "CreateKey", MultiRegion=True, **members)["KeyMetadata"]["KeyId"]


def entry(key_id, region):
    return {"Arn": arn(key_id, region), "Region": region}


def described(office, key_id, region=REGION):
    return ask(office.admin, "DescribeKey", KeyId=key_id, region=region)["KeyMetadata"]


# --- CreateKey, and how a key is told from another


@pytest.mark.parametrize(
    ("spec", "usage", "origin"),
    [
        (spec.aws, usage, origin)
        for spec in KEY_SPECS.values()
        if spec.aws in {"SYMMETRIC_DEFAULT", "ECC_NIST_P256", "HMAC_256", "ECC_NIST_EDWARDS25519", "ML_DSA_44"}
        for usage in {"ECC_NIST_P256": ["SIGN_VERIFY", "KEY_AGREEMENT"]}.get(spec.aws, [None])
        for origin in ("AWS_KMS", "EXTERNAL")
        if not (spec.aws == "ML_DSA_44" and origin == "EXTERNAL")
    ],
)
def test_a_primary_key_of_any_kind(office, spec, usage, origin) -> None:
    usages = {"SYMMETRIC_DEFAULT": "ENCRYPT_DECRYPT", "HMAC_256": "GENERATE_VERIFY_MAC"}
    usage = usage or usages.get(spec, "SIGN_VERIFY")
    made = ask(office.admin, "CreateKey", MultiRegion=True, KeySpec=spec, KeyUsage=usage, Origin=origin)["KeyMetadata"]
    key_id = made["KeyId"]
    assert re.fullmatch("mrk-[0-9a-f]{32}", key_id)
    assert made["Arn"] == arn(key_id) and made["MultiRegion"] is True and made["Origin"] == origin
    assert made["KeyState"] == ("Enabled" if origin == "AWS_KMS" else "PendingImport")
    assert made["MultiRegionConfiguration"] == {
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": entry(key_id, REGION),
        "ReplicaKeys": [],
    }
    assert described(office, key_id) == described(office, arn(key_id)) == made
    assert ask(office.admin, "ListKeys")["Keys"] == [{"KeyId": key_id, "KeyArn": arn(key_id)}]


def test_a_key_of_one_region_says_nothing_of_others(office) -> None:
    made = ask(office.admin, "CreateKey", MultiRegion=False)["KeyMetadata"]
    assert made["MultiRegion"] is False and "MultiRegionConfiguration" not in made


def test_a_ciphertext_names_the_family_and_no_client_ever_hears_of_the_copy(office) -> None:
    """The sixteen bytes of format v1 are those of the id that clients know; the store's own id opens nothing."""
    key_id = primary(office)
    (key,) = office.barrier.every(Key)
    blob = office.admin.client("kms").encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    assert peek(blob) == (in_header(key.id), 1) and in_header(key_id) == in_header(key.id) != key.id
    assert known_as(key.id) == key_id and key.link == key_id
    uuid = in_header(key_id)
    for text in (key.id, uuid, arn(key.id), arn(uuid), key_id.upper(), f"{key_id}0", key_id.removeprefix("mrk-")):
        assert office.admin.call("DescribeKey", KeyId=text).code == "NotFoundException", text
    assert key.id not in str(described(office, key_id))


def test_ids_in_every_answer_are_those_that_clients_know(office) -> None:
    admin, key_id = office.admin, primary(office)
    sealed = ask(admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))
    assert sealed["KeyId"] == arn(key_id)
    opened = ask(admin, "Decrypt", CiphertextBlob=sealed["CiphertextBlob"])
    assert opened["KeyId"] == arn(key_id) and opened["Plaintext"] == b64(b"x")
    assert opened["KeyMaterialId"] == described(office, key_id)["CurrentKeyMaterialId"]
    for named in (key_id, arn(key_id)):
        assert ask(admin, "Decrypt", KeyId=named, CiphertextBlob=sealed["CiphertextBlob"]) == opened
    ask(admin, "CreateAlias", AliasName="alias/app", TargetKeyId=arn(key_id))
    assert ask(admin, "ListAliases", KeyId=key_id)["Aliases"][0]["TargetKeyId"] == key_id
    ask(admin, "CreateGrant", KeyId=key_id, GranteePrincipal=admin.arn, Operations=["Decrypt"])
    assert ask(admin, "ListGrants", KeyId=key_id)["Grants"][0]["KeyId"] == arn(key_id)
    ask(admin, "RotateKeyOnDemand", KeyId="mrk-" + key_id[4:])
    assert {one["KeyId"] for one in ask(admin, "ListKeyRotations", KeyId=key_id)["Rotations"]} == {key_id}
    assert ask(admin, "GetKeyLastUsage", KeyId=key_id)["KeyId"] == arn(key_id)
    assert ask(admin, "GetKeyRotationStatus", KeyId=key_id)["KeyId"] == arn(key_id)
    assert ask(admin, "ScheduleKeyDeletion", KeyId=key_id)["KeyId"] == arn(key_id)
    reply = admin.call("Encrypt", KeyId=key_id, Plaintext=b64(b"x"))
    assert (reply.code, reply.message) == ("KMSInvalidStateException", f"{arn(key_id)} is pending deletion.")
