"""Multi-Region keys: one key in several regions. KMS Developer Guide, "Multi-Region keys in AWS KMS"; docs/adr/0014."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from tests.doors.aws_kms.managing import ROOT_MAY, allow, ask, made, policy, root
from tests.doors.aws_kms.related import (
    THIRD_REGION,
    arn,
    described,
    entry,
    overtaken,
    primary,
    replicated,
    three_regions,
)
from tests.harness import OTHER_REGION, REGION, TENANT, b64

from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS
from keystead.core.entities import Key, KeyVersion, LastUse
from keystead.core.envelope import peek
from keystead.core.family import in_header, known_as


@pytest.fixture
def office():
    return three_regions()


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


# --- ReplicateKey


def test_a_replica_shares_what_is_shared_and_nothing_else(office) -> None:
    admin = office.admin
    key_id = primary(office, Description="first", Tags=[{"TagKey": "a", "TagValue": "1"}])
    ask(admin, "CreateAlias", AliasName="alias/app", TargetKeyId=key_id)
    ask(admin, "CreateGrant", KeyId=key_id, GranteePrincipal=admin.arn, Operations=["Decrypt"])
    office.clock.forward(timedelta(hours=1))
    answer = replicated(office, key_id)
    found, original = answer["ReplicaKeyMetadata"], described(office, key_id)
    assert answer["ReplicaTags"] == [] and json.loads(answer["ReplicaPolicy"])["Id"] == "key-default-1"
    configuration = {"PrimaryKey": entry(key_id, REGION), "ReplicaKeys": [entry(key_id, OTHER_REGION)]}
    assert original["MultiRegionConfiguration"] == {"MultiRegionKeyType": "PRIMARY", **configuration}
    own = {
        "Arn": arn(key_id, OTHER_REGION),
        "CreationDate": original["CreationDate"] + 3600,
        "Description": "",
        "MultiRegionConfiguration": {"MultiRegionKeyType": "REPLICA", **configuration},
    }
    assert found == {**original, **own} == described(office, key_id, OTHER_REGION)
    there = {"region": OTHER_REGION}
    assert (
        ask(admin, "ListAliases", **there)["Aliases"] == ask(admin, "ListGrants", KeyId=key_id, **there)["Grants"] == []
    )
    assert ask(admin, "ListKeys", **there)["Keys"] == [{"KeyId": key_id, "KeyArn": arn(key_id, OTHER_REGION)}]
    assert ask(admin, "ListResourceTags", KeyId=key_id, **there)["Tags"] == []
    assert ask(admin, "GetKeyPolicy", KeyId=key_id, **there)["Policy"] == answer["ReplicaPolicy"]
    assert "KeyLastUsage" in ask(admin, "GetKeyLastUsage", KeyId=key_id, **there)
    # One for each region; the alias means another key in each, and none where it was not given.
    assert admin.call("DescribeKey", KeyId="alias/app", **there).code == "NotFoundException"
    ask(admin, "CreateAlias", AliasName="alias/app", TargetKeyId=key_id, **there)
    assert described(office, "alias/app", OTHER_REGION)["Arn"] == arn(key_id, OTHER_REGION)
    ask(admin, "DisableKey", KeyId=key_id, **there)
    assert described(office, key_id)["KeyState"] == "Enabled"
    assert described(office, key_id, OTHER_REGION)["KeyState"] == "Disabled"


def test_a_replica_has_the_policy_description_and_tags_it_is_given(office) -> None:
    key_id = primary(office)
    text = policy(ROOT_MAY, allow("kms:Encrypt", principal=office.admin.arn))
    tags = [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": ""}]
    answer = replicated(office, key_id, Description="copy", Tags=tags, Policy=text)
    assert (answer["ReplicaPolicy"], answer["ReplicaTags"]) == (text, tags)
    assert described(office, key_id, OTHER_REGION)["Description"] == "copy"
    assert ask(office.admin, "ListResourceTags", KeyId=key_id, region=OTHER_REGION)["Tags"] == tags
    assert ask(office.admin, "GetKeyPolicy", KeyId=key_id)["Policy"] != text


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({"ReplicaRegion": REGION}, "AlreadyExistsException", f"already exists in {REGION}"),
        ({"ReplicaRegion": OTHER_REGION}, "AlreadyExistsException", f"already exists in {OTHER_REGION}"),
        ({"ReplicaRegion": "sa-east-1"}, "UnsupportedOperationException", "no keyring in sa-east-1"),
        ({"ReplicaRegion": "Frankfurt"}, "ValidationException", "replicaRegion"),
        ({"Policy": "my policy"}, "MalformedPolicyDocumentException", ""),
        ({"Policy": policy(allow("kms:Encrypt", principal=root()))}, "MalformedPolicyDocumentException", "update"),
        (
            {"Policy": policy(allow("kms:*", principal=f"arn:aws:iam::{TENANT}:user/no"))},
            "MalformedPolicyDocumentException",
            "",
        ),
        ({"Policy": "x" * 32769}, "LimitExceededException", ""),
        ({"Tags": [{"TagKey": "aws:a", "TagValue": ""}]}, "TagException", ""),
        ({"Tags": [{"TagKey": str(n), "TagValue": ""} for n in range(51)]}, "TagException", "Too many"),
        ({"Description": "x" * 8193}, "ValidationException", ""),
        ({"KeyId": "alias/app"}, "InvalidArnException", "Key Aliases are not supported"),
        ({"KeyId": arn("mrk-" + "0" * 32, OTHER_REGION)}, "NotFoundException", "Invalid arn"),
        ({"KeyId": "mrk-" + "0" * 32}, "NotFoundException", "does not exist"),
    ],
)
def test_what_is_not_replicated(office, members, code, words) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    reply = office.admin.call("ReplicateKey", **{"KeyId": key_id, "ReplicaRegion": THIRD_REGION, **members})
    assert reply.code == code and words in (reply.message or ""), reply.json
    assert office.admin.call("DescribeKey", KeyId=key_id, region=THIRD_REGION).code == "NotFoundException"
    assert len(described(office, key_id)["MultiRegionConfiguration"]["ReplicaKeys"]) == 1


def test_only_a_primary_key_is_replicated(office) -> None:
    single, key_id = made(office.admin), primary(office)
    replicated(office, key_id)
    for asked, region in ((single, REGION), (key_id, OTHER_REGION)):
        reply = office.admin.call("ReplicateKey", KeyId=asked, ReplicaRegion=THIRD_REGION, region=region)
        assert reply.code == "UnsupportedOperationException"
        assert reply.message == f"{arn(asked, region)} is not a multi-Region primary key."


def test_a_key_of_one_region_has_no_namesake_in_another(office) -> None:
    single = made(office.admin)
    for text in (single, arn(single), arn(single, OTHER_REGION)):
        assert office.admin.call("DescribeKey", KeyId=text, region=OTHER_REGION).code == "NotFoundException"


def test_families_do_not_meet(office) -> None:
    one, other = primary(office), primary(office)
    replicated(office, one)
    replicated(office, other)
    blob = ask(office.admin, "Encrypt", KeyId=one, Plaintext=b64(b"x"))["CiphertextBlob"]
    reply = office.admin.call("Decrypt", KeyId=other, CiphertextBlob=blob, region=OTHER_REGION)
    assert reply.code == "IncorrectKeyException"
    assert described(office, other, OTHER_REGION)["MultiRegionConfiguration"]["PrimaryKey"] == entry(other, REGION)


# --- use in one region of what another one made


def test_a_ciphertext_of_one_region_opens_in_every_related_one(office) -> None:
    """KeyId must be of the region that is asked; the answer names the key of that region."""
    admin, key_id = office.admin, primary(office)
    context = {"EncryptionContext": {"a": "b"}}
    early = ask(admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"early"), **context)
    ask(admin, "RotateKeyOnDemand", KeyId=key_id)
    replicated(office, key_id)
    late = ask(admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"late"), **context)
    back = ask(admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"back"), region=OTHER_REGION, **context)
    assert back["KeyId"] == arn(key_id, OTHER_REGION)
    for sealed, text in ((early, b"early"), (late, b"late"), (back, b"back")):
        blob = sealed["CiphertextBlob"]
        for region in (REGION, OTHER_REGION):
            for named in ({}, {"KeyId": key_id}, {"KeyId": arn(key_id, region)}):
                opened = ask(admin, "Decrypt", CiphertextBlob=blob, region=region, **named, **context)
                assert opened["Plaintext"] == b64(text) and opened["KeyId"] == arn(key_id, region)
        other = admin.call("Decrypt", CiphertextBlob=blob, KeyId=arn(key_id, OTHER_REGION), **context)
        assert (other.code, other.message) == ("NotFoundException", f"Invalid arn {OTHER_REGION}")
        assert admin.call("Decrypt", CiphertextBlob=blob, region=OTHER_REGION).code == "InvalidCiphertextException"
        hidden = admin.call("Decrypt", CiphertextBlob=blob, region=THIRD_REGION, **context)
        assert hidden.code == "AccessDeniedException" and "does not exist in this region" in hidden.message
    ids = {ask(admin, "Decrypt", CiphertextBlob=s["CiphertextBlob"], **context)["KeyMaterialId"] for s in (early, late)}
    assert len(ids) == 2


def test_last_use_is_each_key_s_own(office) -> None:
    """GetKeyLastUsage: "For multi-Region KMS keys, primary and replica keys track last usage independently"."""
    key_id = primary(office)
    replicated(office, key_id)
    assert ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"), region=OTHER_REGION)
    used = office.record().targets[0].key  # what the sequencer keeps it under
    at = office.clock.now()
    office.put(LastUse(id=used, operation="TrentService.Encrypt", at=at, request_id="r-1", index=7))
    found = [ask(office.admin, "GetKeyLastUsage", KeyId=key_id, region=region) for region in (REGION, OTHER_REGION)]
    assert [one["KeyLastUsage"].get("Operation") for one in found] == [None, "Encrypt"]


def test_a_keyring_at_several_addresses_has_one_copy(office) -> None:
    """Where two Regions are one keyring, the key is at home in both, and goes to neither a second time."""
    key_id, extra = primary(office), "ca-central-1"
    (key,) = office.barrier.every(Key)
    office.by_system(ops.BindKeyring(keyring=key.keyring, namespace=f"aws:{TENANT}:{extra}"))
    reply = office.admin.call("ReplicateKey", KeyId=key_id, ReplicaRegion=extra)
    assert reply.code == "AlreadyExistsException"
    found = described(office, key_id, extra)
    assert found["Arn"] == arn(key_id, extra)
    assert found["MultiRegionConfiguration"]["PrimaryKey"] == entry(key_id, extra)


def test_a_replica_s_material_is_told_by_the_same_id(office) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    one, other = (described(office, key_id, region)["CurrentKeyMaterialId"] for region in (REGION, OTHER_REGION))
    assert one == other


def test_re_encryption_across_regions(office) -> None:
    admin, key_id, single = office.admin, primary(office), made(office.admin, region=OTHER_REGION)
    replicated(office, key_id)
    blob = ask(admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))["CiphertextBlob"]
    there = {"region": OTHER_REGION}
    moved = ask(admin, "ReEncrypt", CiphertextBlob=blob, DestinationKeyId=single, **there)
    assert (moved["SourceKeyId"], moved["KeyId"]) == (arn(key_id, OTHER_REGION), arn(single, OTHER_REGION))
    back = ask(admin, "ReEncrypt", CiphertextBlob=moved["CiphertextBlob"], DestinationKeyId=key_id, **there)
    assert ask(admin, "Decrypt", CiphertextBlob=back["CiphertextBlob"])["Plaintext"] == b64(b"x")
    data = ask(admin, "GenerateDataKey", KeyId=key_id, KeySpec="AES_256", **there)
    assert ask(admin, "Decrypt", CiphertextBlob=data["CiphertextBlob"])["Plaintext"] == data["Plaintext"]


def test_asymmetric_and_mac_keys_are_the_same_in_every_region(office) -> None:
    admin, there = office.admin, {"region": OTHER_REGION}
    signer = primary(office, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    mac = primary(office, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    kem = primary(office, KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")
    for key_id in (signer, mac, kem):
        replicated(office, key_id)
    how = {"Message": b64(b"x"), "SigningAlgorithm": "ECDSA_SHA_256"}
    signed = ask(admin, "Sign", KeyId=signer, **how)
    assert ask(admin, "Verify", KeyId=signer, Signature=signed["Signature"], **how, **there)["SignatureValid"]
    keys = [ask(admin, "GetPublicKey", KeyId=signer, region=region)["PublicKey"] for region in (REGION, OTHER_REGION)]
    assert keys[0] == keys[1]
    how = {"Message": b64(b"x"), "MacAlgorithm": "HMAC_SHA_256"}
    tags = [ask(admin, "GenerateMac", KeyId=mac, region=region, **how)["Mac"] for region in (REGION, OTHER_REGION)]
    assert tags[0] == tags[1]
    shared = ask(admin, "Encapsulate", KeyId=kem, EncapsulationAlgorithm="ML_KEM")
    opened = {"SharedSecretCiphertextBlob": shared["SharedSecretCiphertextBlob"], "EncapsulationAlgorithm": "ML_KEM"}
    assert ask(admin, "Decapsulate", KeyId=kem, **opened, **there)["SharedSecret"] == shared["SharedSecret"]


def test_every_copy_has_leaves_of_its_own(office) -> None:
    key_id = primary(office)
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    replicated(office, key_id)
    versions = [version for key in office.barrier.every(Key) for version in office.barrier.children(KeyVersion, key.id)]
    assert len(versions) == len({version.position for version in versions}) == 4
    secrets = {(version.number, office.barrier.material(version).reveal()) for version in versions}
    assert len(secrets) == 2


def test_two_replications_into_one_region_at_the_same_time_make_one_replica(office) -> None:
    """Both commits put the primary: the one that comes second decides again, on what the first one left."""
    key_id = primary(office)

    overtaken(office, lambda: replicated(office, key_id))
    reply = office.admin.call("ReplicateKey", KeyId=key_id, ReplicaRegion=OTHER_REGION)
    assert reply.code == "AlreadyExistsException"
    assert len(office.barrier.every(Key)) == 2
