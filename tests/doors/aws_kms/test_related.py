"""Multi-Region keys: one key in several regions. KMS Developer Guide, "Multi-Region keys in AWS KMS"; docs/adr/0014."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from copy import deepcopy
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.doors.aws_kms.managing import ROOT_MAY, allow, ask, deny, made, policy, root, scheduled, wait
from tests.harness import OTHER_REGION, OTHER_TENANT, REGION, TENANT, b64, stack

from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS
from keystead.core.entities import Key, KeyVersion
from keystead.core.envelope import peek
from keystead.core.errors import WrongState
from keystead.core.family import in_header, known_as
from keystead.core.states import KeyState
from keystead.service.proof import prove_destroyed
from keystead.stores.memory import MemoryStore

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


# --- ReplicateKey


def replicated(office, key_id, region=OTHER_REGION, **members):
    return ask(office.admin, "ReplicateKey", KeyId=key_id, ReplicaRegion=region, **members)


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
        ({"KeyId": "alias/app"}, "NotFoundException", "Invalid keyId"),
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
    key_id, commit = primary(office), office.barrier.commit

    def overtaken(change):
        office.barrier.commit = commit
        replicated(office, key_id)
        commit(change)

    office.barrier.commit = overtaken
    reply = office.admin.call("ReplicateKey", KeyId=key_id, ReplicaRegion=OTHER_REGION)
    assert reply.code == "AlreadyExistsException"
    assert len(office.barrier.every(Key)) == 2


# --- who may


def only(**condition):
    return {"Condition": {"StringEquals": {name.replace("_", ":"): value for name, value in condition.items()}}}


def copier(office, name, key_id, *statements):
    """A user who may replicate the key by its policy, with an identity policy beside."""
    person = office.user(name, policy(*statements))
    text = policy(ROOT_MAY, allow("kms:ReplicateKey", principal=person.arn))
    ask(office.admin, "PutKeyPolicy", KeyId=key_id, Policy=text)
    return person


CREATE = "kms:CreateKey"
MAY_NOT_CREATE = [
    [allow("kms:DescribeKey")],
    [allow(CREATE, **only(aws_RequestedRegion=REGION))],
    [allow(CREATE), deny(CREATE, **only(aws_RequestedRegion=OTHER_REGION))],
    [allow(CREATE), deny(CREATE, **only(kms_MultiRegionKeyType="REPLICA"))],
    [allow(CREATE), deny(CREATE, Condition={"Bool": {"kms:MultiRegion": "true"}})],
    [allow(CREATE), deny(CREATE, **only(kms_KeySpec="SYMMETRIC_DEFAULT"))],
    [allow(CREATE), deny(CREATE, **only(kms_KeyOrigin="AWS_KMS"))],
    [allow(CREATE, **only(kms_KeyUsage="SIGN_VERIFY"))],
]


@pytest.mark.parametrize("statements", MAY_NOT_CREATE)
def test_to_replicate_takes_the_right_to_create_in_the_replica_s_region(office, statements) -> None:
    """ "kms:CreateKey in an IAM policy in the replica Region", with the conditions that a key to be can be told by."""
    key_id = primary(office)
    alice = copier(office, "alice", key_id, *statements)
    reply = alice.call("ReplicateKey", KeyId=key_id, ReplicaRegion=OTHER_REGION)
    assert reply.code == "AccessDeniedException" and "perform: kms:CreateKey on resource: *" in reply.message
    assert office.admin.call("DescribeKey", KeyId=key_id, region=OTHER_REGION).code == "NotFoundException"


MAY_CREATE = [
    [allow(CREATE)],
    [allow(CREATE, **only(aws_RequestedRegion=OTHER_REGION))],
    [allow(CREATE, **only(kms_MultiRegionKeyType="REPLICA"))],
    [allow(CREATE, **only(kms_KeySpec="SYMMETRIC_DEFAULT", kms_KeyUsage="ENCRYPT_DECRYPT", kms_KeyOrigin="AWS_KMS"))],
    [allow(CREATE), deny(CREATE, **only(kms_MultiRegionKeyType="PRIMARY"))],
]


@pytest.mark.parametrize("statements", MAY_CREATE)
def test_who_may_create_there_and_copy_here_replicates(office, statements) -> None:
    key_id = primary(office)
    alice = copier(office, "alice", key_id, *statements)
    tagged = {"Tags": [{"TagKey": "a", "TagValue": "b"}]}
    reply = alice.call("ReplicateKey", KeyId=key_id, ReplicaRegion=OTHER_REGION, **tagged)
    assert reply.code == "AccessDeniedException" and "kms:TagResource" in reply.message
    reply = alice.call("ReplicateKey", KeyId=key_id, ReplicaRegion=OTHER_REGION)
    assert reply.status == 200, reply.json


@pytest.mark.parametrize(("region", "allowed"), [(OTHER_REGION, True), (THIRD_REGION, False)])
def test_the_regions_a_key_may_be_copied_to(office, region, allowed) -> None:
    key_id = primary(office)
    alice = office.user("alice", policy(allow(CREATE)))
    here = allow("kms:ReplicateKey", principal=alice.arn, **only(kms_ReplicaRegion=OTHER_REGION))
    ask(office.admin, "PutKeyPolicy", KeyId=key_id, Policy=policy(ROOT_MAY, here))
    reply = alice.call("ReplicateKey", KeyId=key_id, ReplicaRegion=region)
    assert reply.code == (None if allowed else "AccessDeniedException"), reply.json
    assert allowed or f"kms:ReplicateKey on resource: {arn(key_id)}" in reply.message


def test_a_policy_of_one_region_says_nothing_of_another(office) -> None:
    key_id = primary(office)
    alice = office.user("alice")
    ask(office.admin, "PutKeyPolicy", KeyId=key_id, Policy=policy(ROOT_MAY, allow("kms:Decrypt", principal=alice.arn)))
    replicated(office, key_id)
    blob = ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))["CiphertextBlob"]
    assert alice.call("Decrypt", CiphertextBlob=blob).status == 200
    assert alice.call("Decrypt", CiphertextBlob=blob, region=OTHER_REGION).code == "AccessDeniedException"
    granted = ask(office.admin, "CreateGrant", KeyId=key_id, GranteePrincipal=alice.arn, Operations=["Encrypt"])
    asked = {"KeyId": key_id, "Plaintext": b64(b"x")}
    assert alice.call("Encrypt", **asked).status == 200
    for token in ({}, {"GrantTokens": [granted["GrantToken"]]}):
        assert alice.call("Encrypt", region=OTHER_REGION, **asked, **token).status == 400
    ask(office.admin, "RevokeGrant", KeyId=key_id, GrantId=granted["GrantId"])
    assert alice.call("Encrypt", **asked).code == "AccessDeniedException"


def test_resources_and_key_types_tell_related_keys_apart(office) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    everywhere = f"arn:aws:kms:*:{TENANT}:key/{key_id}"
    tests = [
        ("one", allow("kms:DescribeKey", resource=arn(key_id)), [True, False]),
        ("all", allow("kms:DescribeKey", resource=everywhere), [True, True]),
        ("mrk", allow("kms:DescribeKey", resource=f"arn:aws:kms:*:{TENANT}:key/mrk-*"), [True, True]),
        ("type", allow("kms:DescribeKey", **only(kms_MultiRegionKeyType="REPLICA")), [False, True]),
        ("any", allow("kms:DescribeKey", Condition={"Bool": {"kms:MultiRegion": "true"}}), [True, True]),
        ("none", allow("kms:DescribeKey", Condition={"Bool": {"kms:MultiRegion": "false"}}), [False, False]),
    ]
    for name, statement, expected in tests:
        person = office.user(name, policy(statement))
        found = [person.call("DescribeKey", KeyId=key_id, region=r).status == 200 for r in (REGION, OTHER_REGION)]
        assert found == expected, name


def test_other_accounts_replicate_nothing(office) -> None:
    """ "Cross-account use: No."""
    for region in REGIONS[:2]:
        office.keyring(OTHER_TENANT, region)
    eve = office.user("eve", policy(allow("kms:*")), tenant=OTHER_TENANT)
    key_id = primary(office)
    ask(office.admin, "PutKeyPolicy", KeyId=key_id, Policy=policy(ROOT_MAY, allow("kms:*", principal=eve.arn)))
    assert eve.call("DescribeKey", KeyId=arn(key_id)).status == 200
    replicated(office, key_id)
    for operation, member in (("ReplicateKey", "ReplicaRegion"), ("UpdatePrimaryRegion", "PrimaryRegion")):
        for named in (key_id, arn(key_id)):
            reply = eve.call(operation, **{"KeyId": named, member: OTHER_REGION})
            assert reply.code in {"AccessDeniedException", "NotFoundException"}, (operation, named, reply.json)
    assert len(office.barrier.every(Key)) == 2


# --- deletion: KMS Developer Guide, "Deleting multi-Region keys"


def state(office, key_id, region=REGION):
    return described(office, key_id, region)["KeyState"]


def schedule(office, key_id, region=REGION, days=7):
    return ask(office.admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=days, region=region)


def test_a_replica_s_deletion_destroys_its_own_copy_alone(office) -> None:
    key_id, clockwork = primary(office), scheduled(office)
    replicated(office, key_id)
    blob = ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"), region=OTHER_REGION)["CiphertextBlob"]
    ask(office.admin, "CreateAlias", AliasName="alias/app", TargetKeyId=key_id, region=OTHER_REGION)
    at = office.clock.now().timestamp() + 7 * 86400
    assert schedule(office, key_id, OTHER_REGION) == {
        "KeyId": arn(key_id, OTHER_REGION),
        "DeletionDate": at,
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": 7,
    }
    assert (state(office, key_id), state(office, key_id, OTHER_REGION)) == ("Enabled", "PendingDeletion")
    assert described(office, key_id)["MultiRegionConfiguration"]["ReplicaKeys"] == [entry(key_id, OTHER_REGION)]
    assert office.admin.call("Decrypt", CiphertextBlob=blob, region=OTHER_REGION).code == "KMSInvalidStateException"
    assert wait(office, clockwork, days=7) == 1
    assert described(office, key_id)["MultiRegionConfiguration"]["ReplicaKeys"] == []
    reply = office.admin.call("DescribeKey", KeyId=key_id, region=OTHER_REGION)
    assert (reply.code, reply.message) == ("NotFoundException", f"Key '{arn(key_id, OTHER_REGION)}' does not exist")
    assert office.admin.call("Decrypt", CiphertextBlob=blob, region=OTHER_REGION).status == 400
    assert ask(office.admin, "ListKeys", region=OTHER_REGION)["Keys"] == []
    assert ask(office.admin, "ListAliases", region=OTHER_REGION)["Aliases"] == []
    assert ask(office.admin, "Decrypt", CiphertextBlob=blob)["Plaintext"] == b64(b"x")


def test_a_replica_made_anew_is_another_key_that_opens_the_same(office) -> None:
    """ "You can also recreate the replica key by replicating the primary key again"; and what was granted is gone."""
    admin, key_id, there = office.admin, primary(office), {"region": OTHER_REGION}
    replicated(office, key_id)
    granted = ask(admin, "CreateGrant", KeyId=key_id, GranteePrincipal=admin.arn, Operations=["Decrypt"], **there)
    blob = ask(admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"), **there)["CiphertextBlob"]
    schedule(office, key_id, OTHER_REGION)
    assert admin.call("ReplicateKey", KeyId=key_id, ReplicaRegion=OTHER_REGION).code == "AlreadyExistsException"
    assert wait(office, days=7) == 1
    assert admin.call("DescribeKey", KeyId=key_id, **there).code == "NotFoundException"  # and nobody keeps that in mind
    replicated(office, key_id)
    assert state(office, key_id, OTHER_REGION) == "Enabled"
    assert ask(admin, "Decrypt", CiphertextBlob=blob, **there)["Plaintext"] == b64(b"x")
    assert ask(admin, "ListGrants", KeyId=key_id, **there)["Grants"] == []
    reply = admin.call("Decrypt", CiphertextBlob=blob, GrantTokens=[granted["GrantToken"]], **there)
    assert reply.code == "InvalidGrantTokenException"
    copies = office.barrier.linked(Key, key_id)
    assert len(copies) == len({key.id for key in copies}) == 3


def test_a_primary_waits_for_its_replicas_and_then_its_own_days(office) -> None:
    """ "The minimum time to delete a primary key with replicas is 14 days." """
    key_id, clockwork = primary(office), scheduled(office)
    replicated(office, key_id)
    replicated(office, key_id, THIRD_REGION)
    assert schedule(office, key_id, days=7) == {
        "KeyId": arn(key_id),
        "KeyState": "PendingReplicaDeletion",
        "PendingWindowInDays": 7,
    }
    found = described(office, key_id)
    assert (found["KeyState"], found["PendingDeletionWindowInDays"]) == ("PendingReplicaDeletion", 7)
    assert found["Enabled"] is False and "DeletionDate" not in found
    for region in (OTHER_REGION, THIRD_REGION):
        assert state(office, key_id, region) == "Enabled"
        assert ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"), region=region)
    assert wait(office, clockwork, days=400) == 0  # "This status can continue indefinitely"
    schedule(office, key_id, OTHER_REGION, days=7)
    schedule(office, key_id, THIRD_REGION, days=8)
    assert wait(office, clockwork, days=7) == 1 and state(office, key_id) == "PendingReplicaDeletion"
    assert wait(office, clockwork, days=1) == 1
    found = described(office, key_id)
    assert found["KeyState"] == "PendingDeletion" and "PendingDeletionWindowInDays" not in found
    assert found["DeletionDate"] == office.clock.now().timestamp() + 7 * 86400
    assert wait(office, clockwork, days=7, seconds=-1) == 0
    assert wait(office, clockwork, seconds=1) == 1
    assert office.admin.call("DescribeKey", KeyId=key_id).code == "NotFoundException"


@pytest.mark.parametrize("late", [False, True])
def test_a_primary_s_deletion_is_called_off(office, late) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    schedule(office, key_id)
    if late:
        schedule(office, key_id, OTHER_REGION)
        assert wait(office, days=7) == 1 and state(office, key_id) == "PendingDeletion"
    assert ask(office.admin, "CancelKeyDeletion", KeyId=key_id) == {"KeyId": arn(key_id)}
    found = described(office, key_id)
    assert found["KeyState"] == "Disabled"
    assert not {"DeletionDate", "PendingDeletionWindowInDays"} & found.keys()
    ask(office.admin, "EnableKey", KeyId=key_id)
    if not late:
        schedule(office, key_id, OTHER_REGION)
    assert wait(office, days=40) == (0 if late else 1)
    assert state(office, key_id) == "Enabled"
    assert schedule(office, key_id)["KeyState"] == "PendingDeletion"  # it has no replicas


def test_nobody_destroys_a_primary_before_its_replicas(office) -> None:
    """Not even the scheduler, were it to come with a date that somebody put there."""
    key_id = primary(office)
    replicated(office, key_id)
    (key,) = (key for key in office.barrier.linked(Key, key_id) if key.is_primary)
    office.change(key, lifecycle=replace(key.lifecycle, state=KeyState.SUSPENDED, destroy_at=office.clock.now()))
    with pytest.raises(WrongState):
        office.by_system(ops.DestroyKey(key=ops.KeyRef(f"aws:{TENANT}:{REGION}", id=key.id)))


def test_a_replica_made_while_the_primary_is_appointed(office) -> None:
    """Appointing puts the primary, and so does replicating it: one of the two is decided again."""
    key_id, commit = primary(office), office.barrier.commit

    def overtaken(change):
        office.barrier.commit = commit
        replicated(office, key_id)
        commit(change)

    office.barrier.commit = overtaken
    assert schedule(office, key_id)["KeyState"] == "PendingReplicaDeletion"


def test_the_last_copy_s_destruction_is_for_good_from_old_backups_too(office) -> None:
    """docs/adr/0006: an old backup with today's slot opens what survives, and nothing that was destroyed.

    Every copy has leaves of its own, so each destruction erases what it destroys, and the last one the last of it.
    """
    key_id, spared, clockwork = primary(office), made(office.admin), scheduled(office)
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    replicated(office, key_id)
    replicated(office, key_id, THIRD_REGION)
    backup = MemoryStore()
    backup._content = deepcopy(office.store._content)
    versions = {
        key.id: office.barrier.children(KeyVersion, key.id) for key in office.barrier.every(Key) if key.multi_region
    }
    (kept,) = office.barrier.children(KeyVersion, spared)
    schedule(office, key_id)
    for n, region in enumerate((OTHER_REGION, THIRD_REGION, REGION), 1):
        if region != REGION:
            schedule(office, key_id, region)
        assert wait(office, clockwork, days=7) == 1
        proof = prove_destroyed(backup, office.barrier, office.store)
        assert proof.holds and (proof.n_destroyed, proof.n_survivors) == (2 * n, 7 - 2 * n)
    assert len(versions) == 3 and office.barrier.material(kept).reveal()
    for version in (version for copy in versions.values() for version in copy):
        with pytest.raises(WrongState):  # the old row, under today's tree
            office.barrier.material(version)


# --- rotation: KMS Developer Guide, "Rotating multi-Region keys"


def rotations(office, key_id, region=REGION, **members):
    return ask(office.admin, "ListKeyRotations", KeyId=key_id, region=region, **members)["Rotations"]


def rotation_status(office, key_id, region=REGION):
    found = ask(office.admin, "GetKeyRotationStatus", KeyId=key_id, region=region)
    assert found.pop("KeyId") == arn(key_id, region)
    return found


def sealed(office, key_id, region=REGION, text=b"x"):
    return ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(text), region=region)["CiphertextBlob"]


def opens_everywhere(office, blob, regions=REGIONS, text=b"x"):
    for region in regions:
        assert ask(office.admin, "Decrypt", CiphertextBlob=blob, region=region)["Plaintext"] == b64(text), region


def test_a_rotation_of_the_primary_is_one_of_every_related_key(office) -> None:
    """ "Any multi-Region key can decrypt any ciphertext encrypted by a related multi-Region key"."""
    key_id = primary(office)
    for region in REGIONS[1:]:
        replicated(office, key_id, region)
    blobs = [sealed(office, key_id, region) for region in REGIONS]
    ask(office.admin, "DisableKey", KeyId=key_id, region=THIRD_REGION)
    before = described(office, key_id)["CurrentKeyMaterialId"]
    n_commits, epoch = office.barrier.n_commits, office.barrier.epoch
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    assert (office.barrier.n_commits, office.barrier.epoch) == (n_commits + 1, epoch)
    assert state(office, key_id, THIRD_REGION) == "Disabled"
    ask(office.admin, "EnableKey", KeyId=key_id, region=THIRD_REGION)
    assert len({described(office, key_id, region)["CurrentKeyMaterialId"] for region in REGIONS} | {before}) == 2
    blobs += [sealed(office, key_id, region) for region in REGIONS]
    assert {peek(b64decode(blob)) for blob in blobs} == {(in_header(key_id), 1), (in_header(key_id), 2)}
    for blob in blobs:
        opens_everywhere(office, blob)
    (own,) = rotations(office, key_id)
    assert own["RotationType"] == "ON_DEMAND"
    assert all(rotations(office, key_id, region) == [own] for region in REGIONS[1:])


def test_the_schedule_is_the_primary_s_and_shown_by_all(office) -> None:
    admin, key_id, clockwork = office.admin, primary(office), scheduled(office)
    replicated(office, key_id)
    ask(admin, "EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    replicated(office, key_id, THIRD_REGION)
    at = office.clock.now().timestamp() + 90 * 86400
    shown = {"KeyRotationEnabled": True, "RotationPeriodInDays": 90, "NextRotationDate": at}
    assert all(rotation_status(office, key_id, region) == shown for region in REGIONS)
    blob = sealed(office, key_id)
    assert wait(office, clockwork, days=90) == 1  # once, and not once for each of them
    shown["NextRotationDate"] = at + 90 * 86400
    assert all(rotation_status(office, key_id, region) == shown for region in REGIONS)
    assert [one["RotationType"] for one in rotations(office, key_id, THIRD_REGION)] == ["AUTOMATIC"]
    opens_everywhere(office, blob)
    opens_everywhere(office, sealed(office, key_id, THIRD_REGION))
    ask(admin, "DisableKeyRotation", KeyId=key_id)
    assert all(rotation_status(office, key_id, region) == {"KeyRotationEnabled": False} for region in REGIONS)
    assert wait(office, clockwork, days=400) == 0


@pytest.mark.parametrize("operation", ["EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"])
def test_a_replica_follows_its_primary(office, operation) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    before = office.barrier.every(Key)
    reply = office.admin.call(operation, KeyId=key_id, region=OTHER_REGION)
    words = f"{arn(key_id, OTHER_REGION)} is not a multi-Region primary key."
    assert (reply.code, reply.message) == ("UnsupportedOperationException", words)
    assert office.barrier.every(Key) == before


def test_a_replica_that_is_gone_is_not_rotated(office) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    schedule(office, key_id, OTHER_REGION)
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)  # pending deletion is not gone: it may be called off
    ask(office.admin, "CancelKeyDeletion", KeyId=key_id, region=OTHER_REGION)
    ask(office.admin, "EnableKey", KeyId=key_id, region=OTHER_REGION)
    opens_everywhere(office, sealed(office, key_id), REGIONS[:2])
    schedule(office, key_id, OTHER_REGION)
    assert wait(office, days=7) == 1
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    (gone,) = (key for key in office.barrier.linked(Key, key_id) if not key.is_primary)
    assert gone.n_versions == 2 and not any(v.wrapped for v in office.barrier.children(KeyVersion, gone.id))
    replicated(office, key_id)
    opens_everywhere(office, sealed(office, key_id, OTHER_REGION), REGIONS[:2])


def test_a_rotation_that_a_replication_overtook_is_of_the_new_replica_too(office) -> None:
    key_id, commit = primary(office), office.barrier.commit

    def overtaken(change):
        office.barrier.commit = commit
        replicated(office, key_id)
        commit(change)

    office.barrier.commit = overtaken
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    opens_everywhere(office, sealed(office, key_id), REGIONS[:2])
    opens_everywhere(office, sealed(office, key_id, OTHER_REGION), REGIONS[:2])


def test_a_replication_that_a_rotation_overtook_has_the_new_material(office) -> None:
    key_id, commit = primary(office), office.barrier.commit

    def overtaken(change):
        office.barrier.commit = commit
        ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
        commit(change)

    office.barrier.commit = overtaken
    replicated(office, key_id)
    opens_everywhere(office, sealed(office, key_id), REGIONS[:2])
    assert len(rotations(office, key_id, OTHER_REGION)) == 1


# --- UpdatePrimaryRegion


def update(office, key_id, to, region=REGION, by=None):
    return (by or office.admin).call("UpdatePrimaryRegion", KeyId=key_id, PrimaryRegion=to, region=region)


def types(office, key_id):
    found = [described(office, key_id, region) for region in REGIONS]
    return [one["MultiRegionConfiguration"]["MultiRegionKeyType"] for one in found]


def test_another_key_becomes_the_primary(office) -> None:
    admin, key_id, clockwork = office.admin, primary(office), scheduled(office)
    for region in REGIONS[1:]:
        replicated(office, key_id, region)
    ask(admin, "EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    blob, n_commits = sealed(office, key_id), office.barrier.n_commits
    reply = update(office, key_id, OTHER_REGION)
    assert reply.status == 200 and reply.body == b"" and office.barrier.n_commits == n_commits + 1
    assert types(office, key_id) == ["REPLICA", "PRIMARY", "REPLICA"]
    replicas = [entry(key_id, THIRD_REGION), entry(key_id, REGION)]
    for region in REGIONS:
        found = described(office, key_id, region)
        assert found["KeyState"] == "Enabled"
        assert found["MultiRegionConfiguration"]["PrimaryKey"] == entry(key_id, OTHER_REGION)
        assert found["MultiRegionConfiguration"]["ReplicaKeys"] == replicas
    # What only a primary may is now done there, and no longer here.
    for operation, members in (("RotateKeyOnDemand", {}), ("ReplicateKey", {"ReplicaRegion": "sa-east-1"})):
        assert admin.call(operation, KeyId=key_id, **members).code == "UnsupportedOperationException"
    assert update(office, key_id, THIRD_REGION).code == "UnsupportedOperationException"
    ask(admin, "RotateKeyOnDemand", KeyId=key_id, region=OTHER_REGION)
    assert wait(office, clockwork, days=90) == 1
    for one in (blob, *(sealed(office, key_id, region) for region in REGIONS)):
        opens_everywhere(office, one)
    # "If you must delete a primary key from a particular Region", this is how.
    assert schedule(office, key_id)["KeyState"] == "PendingDeletion"
    assert schedule(office, key_id, OTHER_REGION)["KeyState"] == "PendingReplicaDeletion"
    ask(admin, "CancelKeyDeletion", KeyId=key_id, region=OTHER_REGION)
    assert wait(office, clockwork, days=7) == 1
    assert described(office, key_id, OTHER_REGION)["MultiRegionConfiguration"]["ReplicaKeys"] == replicas[:1]


@pytest.mark.parametrize(
    ("to", "code", "words"),
    [
        (REGION, "UnsupportedOperationException", "{here} is not a multi-Region replica key."),
        (THIRD_REGION, "NotFoundException", "Key '{third}' does not exist"),
        ("sa-east-1", "NotFoundException", "does not exist"),
        ("nowhere", "ValidationException", "primaryRegion"),
    ],
)
def test_where_a_primary_does_not_go(office, to, code, words) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    reply = update(office, key_id, to)
    assert reply.code == code and words.format(here=arn(key_id), third=arn(key_id, THIRD_REGION)) in reply.message


def test_only_a_primary_key_hands_over(office) -> None:
    single, key_id = made(office.admin), primary(office)
    replicated(office, key_id)
    for reply, named in (
        (update(office, single, OTHER_REGION), arn(single)),
        (update(office, key_id, REGION, OTHER_REGION), arn(key_id, OTHER_REGION)),
        (update(office, key_id, OTHER_REGION, OTHER_REGION), arn(key_id, OTHER_REGION)),
    ):
        words = f"{named} is not a multi-Region primary key."
        assert (reply.code, reply.message) == ("UnsupportedOperationException", words)
    assert update(office, "mrk-" + "0" * 32, OTHER_REGION).code == "NotFoundException"


@pytest.mark.parametrize("region", REGIONS[:2])
@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ("DisableKey", "DisabledException", "is disabled."),
        ("ScheduleKeyDeletion", "KMSInvalidStateException", "is pending deletion."),
    ],
)
def test_both_keys_must_be_enabled(office, region, change, code, words) -> None:
    """KMS Developer Guide: "Both … must be in the Enabled key state when the operation starts"."""
    key_id = primary(office)
    replicated(office, key_id)
    ask(office.admin, change, KeyId=key_id, region=region)
    reply = update(office, key_id, OTHER_REGION)
    assert (reply.code, reply.message) == (code, f"{arn(key_id, region)} {words}")
    replica = office.admin.call("ReplicateKey", KeyId=key_id, ReplicaRegion=THIRD_REGION)
    assert replica.code == (code if region == REGION else None)


def test_to_hand_over_takes_the_right_on_both_keys(office) -> None:
    key_id = primary(office)
    replicated(office, key_id)
    alice = office.user("alice")
    may = allow("kms:UpdatePrimaryRegion", principal=alice.arn, **only(kms_PrimaryRegion=OTHER_REGION))
    for region, before in ((REGION, arn(key_id)), (OTHER_REGION, arn(key_id, OTHER_REGION))):
        reply = update(office, key_id, OTHER_REGION, by=alice)
        assert reply.code == "AccessDeniedException" and before in reply.message
        ask(office.admin, "PutKeyPolicy", KeyId=key_id, Policy=policy(ROOT_MAY, may), region=region)
    assert update(office, key_id, OTHER_REGION, by=alice).status == 200
    assert update(office, key_id, REGION, OTHER_REGION, by=alice).code == "AccessDeniedException"


def test_two_hand_overs_at_once_leave_one_primary(office) -> None:
    key_id, commit = primary(office), office.barrier.commit
    for region in REGIONS[1:]:
        replicated(office, key_id, region)

    def overtaken(change):
        office.barrier.commit = commit
        assert update(office, key_id, THIRD_REGION).status == 200
        commit(change)

    office.barrier.commit = overtaken
    assert update(office, key_id, OTHER_REGION).code == "UnsupportedOperationException"
    assert types(office, key_id) == ["REPLICA", "REPLICA", "PRIMARY"]


def test_a_rotation_that_a_hand_over_overtook_is_refused(office) -> None:
    """The right was asked of the old primary; it is one no longer."""
    key_id, commit = primary(office), office.barrier.commit
    replicated(office, key_id)

    def overtaken(change):
        office.barrier.commit = commit
        assert update(office, key_id, OTHER_REGION).status == 200
        commit(change)

    office.barrier.commit = overtaken
    assert office.admin.call("RotateKeyOnDemand", KeyId=key_id).code == "UnsupportedOperationException"
    assert rotations(office, key_id) == []
