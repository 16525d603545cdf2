"""KMS API Reference: CreateKey, DescribeKey, ListKeys, EnableKey, DisableKey, UpdateKeyDescription, GetKeyLastUsage."""

import botocore.loaders
import msgspec
import pytest
from tests.doors.aws_kms.managing import ABSENT, ask, made, policy
from tests.harness import OTHER_REGION, TENANT, b64, stack

from keystead.core.entities import LastUse
from keystead.doors.aws_kms.metadata import KeyMetadata

MODEL = botocore.loaders.Loader().load_service_model("kms", "service-2")["shapes"]
CASES = [  # KeySpec, KeyUsage, the member that lists its algorithms, how many there are
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", 1),
    ("RSA_2048", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", 2),
    ("RSA_2048", "SIGN_VERIFY", "SigningAlgorithms", 6),
    ("ECC_NIST_P256", "SIGN_VERIFY", "SigningAlgorithms", 1),
    ("ECC_NIST_P384", "KEY_AGREEMENT", "KeyAgreementAlgorithms", 1),
    ("ECC_SECG_P256K1", "SIGN_VERIFY", "SigningAlgorithms", 1),
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "SigningAlgorithms", 2),
    ("HMAC_224", "GENERATE_VERIFY_MAC", "MacAlgorithms", 1),
    ("HMAC_512", "GENERATE_VERIFY_MAC", "MacAlgorithms", 1),
    ("ML_DSA_44", "SIGN_VERIFY", "SigningAlgorithms", 1),
    ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", "EncapsulationAlgorithms", 1),
]
LISTS = {case[2] for case in CASES}


@pytest.fixture(scope="module")
def office():
    return stack()


@pytest.fixture(scope="module")
def admin(office):
    return office.admin


def test_a_key_without_any_parameter(office, admin) -> None:
    """CreateKey, "Symmetric encryption KMS key": "you don't need to specify any parameters"."""
    found = ask(admin, "CreateKey")["KeyMetadata"]
    material, key_id = found.pop("CurrentKeyMaterialId"), found["KeyId"]
    assert len(material) == 64 and int(material, 16) >= 0
    assert found == {
        "AWSAccountId": TENANT,
        "KeyId": key_id,
        "Arn": f"arn:aws:kms:us-east-1:{TENANT}:key/{key_id}",
        "CreationDate": office.clock.now().timestamp(),
        "Enabled": True,
        "Description": "",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": False,
    }


@pytest.mark.parametrize(("spec", "usage", "member", "n"), CASES)
def test_what_a_key_is_good_for_is_listed_and_nothing_else(admin, spec, usage, member, n) -> None:
    """KeyMetadata: each list "is present only when the KeyUsage … is …"."""
    found = ask(admin, "CreateKey", KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    assert LISTS & set(found) == {member} and len(found[member]) == n
    assert found["KeySpec"] == spec and found["KeyUsage"] == usage
    old = found.get("CustomerMasterKeySpec")
    assert old == (spec if spec in MODEL["CustomerMasterKeySpec"]["enum"] else None)
    assert ("CurrentKeyMaterialId" in found) == (spec == "SYMMETRIC_DEFAULT")
    assert ask(admin, "DescribeKey", KeyId=found["KeyId"])["KeyMetadata"] == found


def test_metadata_has_no_member_that_aws_does_not_have() -> None:
    names = {name.encode_name for name in msgspec.structs.fields(KeyMetadata)}
    assert names <= set(MODEL["KeyMetadata"]["members"])


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({"KeySpec": "RSA_2048", "KeyUsage": "KEY_AGREEMENT"}, "ValidationException", "KeyUsage KEY_AGREEMENT is not"),
        ({"KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "SIGN_VERIFY"}, "ValidationException", "is not compatible"),
        ({"KeySpec": "ECC_SECG_P256K1", "KeyUsage": "KEY_AGREEMENT"}, "ValidationException", "is not compatible"),
        ({"KeySpec": "RSA_2048"}, "ValidationException", "You must specify a KeyUsage"),
        ({"KeySpec": "HMAC_256"}, "ValidationException", "You must specify a KeyUsage"),
        ({"KeySpec": "AES_999"}, "ValidationException", "Value 'AES_999' at 'keySpec' failed to satisfy constraint"),
        (
            {"KeySpec": "RSA_2048", "CustomerMasterKeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
            "ValidationException",
            "You cannot specify KeySpec and CustomerMasterKeySpec",
        ),
        ({"Description": "d" * 8193}, "ValidationException", "length less than or equal to 8192"),
        (
            {"Origin": "EXTERNAL", "KeySpec": "ML_KEM_768", "KeyUsage": "ENCAPSULATE_DECAPSULATE"},
            "UnsupportedOperationException",
            "ML_KEM_768",
        ),
        ({"Origin": "EXTERNAL", "KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"}, "UnsupportedOperationException", "SM2"),
        ({"Origin": "AWS_CLOUDHSM"}, "ValidationException", "'customKeyStoreId'"),
        ({"Origin": "EXTERNAL_KEY_STORE"}, "ValidationException", "'customKeyStoreId'"),
        ({"CustomKeyStoreId": "cks-1"}, "ValidationException", "CustomKeyStoreId"),
        ({"XksKeyId": "x"}, "ValidationException", "XksKeyId"),
        (
            {
                "Origin": "EXTERNAL_KEY_STORE",
                "MultiRegion": True,
                "XksKeyId": "x",
                "CustomKeyStoreId": "cks-1234567890abcdef0",
            },
            "UnsupportedOperationException",
            "Multi-Region",
        ),
        (
            {"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"},
            "UnsupportedOperationException",
            "KeySpec SM2 is not supported in this Region",
        ),
        ({"Policy": "my policy"}, "MalformedPolicyDocumentException", ""),
    ],
)
def test_no_key_is_made(office, admin, members, code, words) -> None:
    before = ask(admin, "ListKeys", Limit=1000)
    reply = admin.call("CreateKey", **members)
    assert (reply.status, reply.code) == (400, code)
    assert words in (reply.message or "")
    assert ask(admin, "ListKeys", Limit=1000) == before


def test_multi_region_false_and_origin_said_are_the_defaults(admin) -> None:
    found = ask(admin, "CreateKey", MultiRegion=False, Origin="AWS_KMS", CustomerMasterKeySpec="SYMMETRIC_DEFAULT")
    assert found["KeyMetadata"]["MultiRegion"] is False


def test_the_longest_description_and_a_change_of_it(admin) -> None:
    key_id = made(admin, Description="é" * 8192)
    assert ask(admin, "DescribeKey", KeyId=key_id)["KeyMetadata"]["Description"] == "é" * 8192
    assert admin.call("UpdateKeyDescription", KeyId=key_id, Description="").body == b""
    assert ask(admin, "DescribeKey", KeyId=key_id)["KeyMetadata"]["Description"] == ""
    assert admin.call("UpdateKeyDescription", KeyId=key_id, Description="d" * 8193).code == "ValidationException"


def test_row_100_disabled_is_not_destroyed(admin) -> None:
    """Row 100: a disabled key decrypts nothing, and everything again once it is enabled."""
    key_id = made(admin)
    blob = ask(admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"hello"))["CiphertextBlob"]
    for _ in range(2):  # twice is no fault: EnableKey and DisableKey have no error for it
        assert admin.call("DisableKey", KeyId=key_id).body == b""
    assert ask(admin, "DescribeKey", KeyId=key_id)["KeyMetadata"]["KeyState"] == "Disabled"
    assert ask(admin, "DescribeKey", KeyId=key_id)["KeyMetadata"]["Enabled"] is False
    assert admin.call("Decrypt", CiphertextBlob=blob).code == "DisabledException"
    for _ in range(2):
        assert admin.call("EnableKey", KeyId=key_id).body == b""
    assert ask(admin, "Decrypt", CiphertextBlob=blob)["Plaintext"] == b64(b"hello")


def test_a_body_that_is_empty_says_so(admin) -> None:
    reply = admin.call("EnableKey", KeyId=made(admin))
    assert reply.headers["content-length"] == "0" and reply.headers["content-type"] == "application/x-amz-json-1.1"


def test_a_key_stands_in_one_region(office) -> None:
    """DescribeKey: "the key must be in the Region of the request"."""
    office.keyring(TENANT, OTHER_REGION)
    key_id = made(office.admin)
    there = office.admin.call("DescribeKey", region=OTHER_REGION, KeyId=key_id)
    assert there.code == "NotFoundException" and f"'arn:aws:kms:{OTHER_REGION}:{TENANT}:key/{key_id}'" in there.message
    by_arn = office.admin.call("DescribeKey", region=OTHER_REGION, KeyId=f"arn:aws:kms:us-east-1:{TENANT}:key/{key_id}")
    assert (by_arn.code, by_arn.message) == ("NotFoundException", "Invalid arn us-east-1")


@pytest.mark.parametrize(
    "operation",
    ["DisableKey", "EnableKey", "GetKeyLastUsage", "GetKeyPolicy", "ListResourceTags", "GetKeyRotationStatus"],
)
def test_management_takes_an_id_or_an_arn_and_no_alias(admin, operation) -> None:
    """Their KeyId: "Specify the key ID or key ARN of the KMS key"."""
    key_id = made(admin)
    ask(admin, "CreateAlias", AliasName=f"alias/{operation}", TargetKeyId=key_id)
    assert admin.call(operation, KeyId=f"arn:aws:kms:us-east-1:{TENANT}:key/{key_id}").status == 200
    for alias in (f"alias/{operation}", f"arn:aws:kms:us-east-1:{TENANT}:alias/{operation}"):
        reply = admin.call(operation, KeyId=alias)
        words = "Key Aliases are not supported for this operation."  # as AWS Lambda quotes it of CreateGrant
        assert (reply.code, reply.message) == ("InvalidArnException", words)


@pytest.mark.parametrize("key_id", [ABSENT, "nonsense", "", " ", ABSENT.upper().replace("0", "A")])
def test_a_key_that_is_not_there(admin, key_id) -> None:
    reply = admin.call("DescribeKey", KeyId=key_id)
    assert reply.code == ("NotFoundException" if key_id else "ValidationException")


def test_the_last_use_of_a_key(office, admin) -> None:
    """GetKeyLastUsage: what the sequencer has derived from the log; nothing for a key that was never used."""
    key = office.key()
    created = key.created_at.timestamp()
    never = ask(admin, "GetKeyLastUsage", KeyId=key.id)
    assert never == {
        "KeyId": office.arn(key),
        "KeyLastUsage": {},
        "TrackingStartDate": created,
        "KeyCreationDate": created,
    }
    at = office.clock.now()
    office.put(LastUse(id=key.id, operation="TrentService.Encrypt", at=at, request_id="r-1", index=7))
    found = ask(admin, "GetKeyLastUsage", KeyId=key.id)["KeyLastUsage"]
    assert found == {"Operation": "Encrypt", "Timestamp": at.timestamp(), "KmsRequestId": "r-1"}


def test_to_tag_a_new_key_takes_the_right_to_tag(office) -> None:
    """CreateKey, Tags: "To use this parameter, you must have kms:TagResource permission in an IAM policy"."""
    maker = office.user("maker", policy({"Effect": "Allow", "Action": ["kms:CreateKey"], "Resource": "*"}))
    assert maker.call("CreateKey").status == 200
    assert maker.call("CreateKey", Tags=[{"TagKey": "a", "TagValue": "b"}]).code == "AccessDeniedException"


def test_keys_shared_through_ram_are_none(admin) -> None:
    made(admin)
    assert ask(admin, "ListKeys", ResourceOwners=["OTHER_ACCOUNTS_VIA_RAM"]) == {"Keys": [], "Truncated": False}
    assert ask(admin, "ListKeys", ResourceOwners=["SELF"])["Keys"]
