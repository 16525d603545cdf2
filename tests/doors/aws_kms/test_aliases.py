"""KMS API Reference: CreateAlias, UpdateAlias, DeleteAlias, ListAliases; KMS Developer Guide, "Aliases in AWS KMS"."""

from datetime import timedelta

import pytest
from tests.doors.aws_kms.managing import ABSENT, ROOT_MAY, allow, ask, deny, made, policy, root
from tests.harness import OTHER_REGION, OTHER_TENANT, TENANT, b64, stack


@pytest.fixture
def office():
    return stack()


def aliases(person, **members):
    return {entry["AliasName"]: entry["TargetKeyId"] for entry in ask(person, "ListAliases", **members)["Aliases"]}


def test_an_alias_from_making_to_deleting(office) -> None:
    admin, begun = office.admin, office.clock.now().timestamp()
    first, second = made(admin), made(admin)
    assert admin.call("CreateAlias", AliasName="alias/app", TargetKeyId=first).body == b""
    (entry,) = ask(admin, "ListAliases")["Aliases"]
    assert entry == {
        "AliasName": "alias/app",
        "AliasArn": f"arn:aws:kms:us-east-1:{TENANT}:alias/app",
        "TargetKeyId": first,
        "CreationDate": begun,
        "LastUpdatedDate": begun,
    }
    office.clock.forward(timedelta(hours=1))
    assert admin.call("UpdateAlias", AliasName="alias/app", TargetKeyId=second).body == b""
    (entry,) = ask(admin, "ListAliases")["Aliases"]
    assert (entry["TargetKeyId"], entry["CreationDate"]) == (second, begun)
    assert entry["LastUpdatedDate"] == begun + 3600
    assert ask(admin, "DescribeKey", KeyId="alias/app")["KeyMetadata"]["KeyId"] == second
    assert admin.call("DeleteAlias", AliasName="alias/app").body == b""
    reply = admin.call("DescribeKey", KeyId="alias/app")
    assert (reply.code, reply.message) == (
        "NotFoundException",
        f"Alias arn:aws:kms:us-east-1:{TENANT}:alias/app is not found.",
    )


def test_row_8_one_decision_for_the_four_ways_to_write_a_key(office) -> None:
    """KMS Developer Guide, "Key identifiers (KeyId)"."""
    key = office.key()
    ask(office.admin, "CreateAlias", AliasName="alias/app", TargetKeyId=office.arn(key))
    forbidden = office.user("nobody")
    at = f"arn:aws:kms:us-east-1:{TENANT}"
    for text in (key.id, f"{at}:key/{key.id}", "alias/app", f"{at}:alias/app"):
        assert ask(office.admin, "DescribeKey", KeyId=text)["KeyMetadata"]["Arn"] == office.arn(key)
        assert forbidden.call("DescribeKey", KeyId=text).code == "AccessDeniedException"


def test_an_alias_that_is_taken(office) -> None:
    key_id, admin = made(office.admin), office.admin
    ask(admin, "CreateAlias", AliasName="alias/app", TargetKeyId=key_id)
    reply = admin.call("CreateAlias", AliasName="alias/app", TargetKeyId=made(admin))
    assert (reply.code, reply.message) == (
        "AlreadyExistsException",
        f"An alias with the name arn:aws:kms:us-east-1:{TENANT}:alias/app already exists",
    )
    assert aliases(admin) == {"alias/app": key_id}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("app", "ValidationException"),
        ("Alias/app", "ValidationException"),
        (f"arn:aws:kms:us-east-1:{TENANT}:alias/app", "ValidationException"),
        ("alias/", "InvalidAliasNameException"),
        ("alias/a:b", "ValidationException"),
        ("alias/aws/s3", "NotAuthorizedException"),
        ("alias/ä", "ValidationException"),
        ("alias/a b", "ValidationException"),
        ("alias/a\n", "ValidationException"),
        ("alias/a\u200d", "ValidationException"),
        ("alias/a%2f", "ValidationException"),
        ("alias/..\\a", "ValidationException"),
        ("alias/" + "a" * 251, "ValidationException"),
        ("", "ValidationException"),
    ],
)
def test_what_no_alias_can_be(office, name, code) -> None:
    """CreateAlias, AliasName; rows 4, 5, 7, 12 of the checklist."""
    assert office.admin.call("CreateAlias", AliasName=name, TargetKeyId=made(office.admin)).code == code
    assert aliases(office.admin) == {}


def test_a_colon_is_told_in_words_of_its_own(office) -> None:
    """As AWS answers, though its model's pattern lets a colon pass: hashicorp/terraform-provider-aws #12891."""
    reply = office.admin.call("CreateAlias", AliasName="alias/Service:Test", TargetKeyId=made(office.admin))
    assert reply.message == "alias/Service:Test contains invalid characters for an alias"


def test_row_13_spellings_that_differ_are_different_names(office) -> None:
    """Row 13: a homoglyph cannot be written; a name of another case or with another slash means another key or none."""
    names = ["alias/app", "alias/App", "alias/APP", "alias/app/", "alias/a/p", "alias//app", "alias/" + "a" * 250]
    keys = {name: made(office.admin) for name in names}
    for name, key_id in keys.items():
        ask(office.admin, "CreateAlias", AliasName=name, TargetKeyId=key_id)
    assert aliases(office.admin) == keys
    for name, key_id in keys.items():
        assert ask(office.admin, "DescribeKey", KeyId=name)["KeyMetadata"]["KeyId"] == key_id
    for other in ("alias/aPp", "alias/./app", "alias/app ", "alias/\u0430pp", "alias/\uff41pp", "ALIAS/app"):
        assert office.admin.call("DescribeKey", KeyId=other).code == "NotFoundException"
    assert office.admin.call("CreateAlias", AliasName="alias/\u0430pp", TargetKeyId=made(office.admin)).status == 400


def test_an_alias_is_for_a_key_and_not_for_an_alias(office) -> None:
    key_id, admin = made(office.admin), office.admin
    ask(admin, "CreateAlias", AliasName="alias/app", TargetKeyId=key_id)
    for operation in ("CreateAlias", "UpdateAlias"):
        name = "alias/new" if operation == "CreateAlias" else "alias/app"
        for target in ("alias/app", f"arn:aws:kms:us-east-1:{TENANT}:alias/app"):
            reply = admin.call(operation, AliasName=name, TargetKeyId=target)
            assert (reply.code, reply.message) == (
                "ValidationException",
                "Aliases must refer to keys. Not aliases",
            )


def test_aliases_of_keys_that_are_not_there_and_of_no_key(office) -> None:
    key_id, admin = made(office.admin), office.admin
    assert admin.call("CreateAlias", AliasName="alias/a", TargetKeyId=ABSENT).code == "NotFoundException"
    assert admin.call("UpdateAlias", AliasName="alias/none", TargetKeyId=key_id).code == "NotFoundException"
    assert admin.call("UpdateAlias", AliasName="alias/a:b", TargetKeyId=key_id).code == "NotFoundException"
    assert admin.call("DeleteAlias", AliasName="alias/none").code == "NotFoundException"
    assert admin.call("DeleteAlias", AliasName="alias/aws/s3").code == "NotAuthorizedException"
    assert admin.call("ListAliases", KeyId=ABSENT).code == "NotFoundException"


def test_an_alias_moves_only_to_a_key_of_its_kind(office) -> None:
    """UpdateAlias: "must be the same type … and they must have the same key usage"."""
    admin = office.admin
    cipher, signer = made(admin), made(admin, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    agreement = made(admin, KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    ask(admin, "CreateAlias", AliasName="alias/app", TargetKeyId=cipher)
    ask(admin, "CreateAlias", AliasName="alias/sign", TargetKeyId=signer)
    other = made(admin, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    ask(admin, "UpdateAlias", AliasName="alias/sign", TargetKeyId=other)  # both asymmetric: that is one type
    ask(admin, "UpdateAlias", AliasName="alias/sign", TargetKeyId=signer)
    assert admin.call("UpdateAlias", AliasName="alias/app", TargetKeyId=signer).code == "ValidationException"
    assert admin.call("UpdateAlias", AliasName="alias/sign", TargetKeyId=agreement).code == "ValidationException"
    assert aliases(admin) == {"alias/app": cipher, "alias/sign": signer}


def test_row_44_to_move_an_alias_takes_rights_on_both_keys(office) -> None:
    """UpdateAlias, "Required permissions": on the alias, on the current key, on the new key."""
    admin, alice = office.admin, office.user("alice", policy(allow("kms:UpdateAlias", "kms:DeleteAlias")))
    shut = policy(ROOT_MAY, deny("kms:UpdateAlias", "kms:DeleteAlias", principal=alice.arn))
    mine, other, forbidden = made(admin), made(admin), made(admin, Policy=shut)
    ask(admin, "CreateAlias", AliasName="alias/mine", TargetKeyId=mine)
    ask(admin, "CreateAlias", AliasName="alias/theirs", TargetKeyId=forbidden)
    assert alice.call("UpdateAlias", AliasName="alias/mine", TargetKeyId=forbidden).code == "AccessDeniedException"
    assert alice.call("UpdateAlias", AliasName="alias/theirs", TargetKeyId=mine).code == "AccessDeniedException"
    assert alice.call("DeleteAlias", AliasName="alias/theirs").code == "AccessDeniedException"
    assert aliases(admin) == {"alias/mine": mine, "alias/theirs": forbidden}
    assert alice.call("UpdateAlias", AliasName="alias/mine", TargetKeyId=other).status == 200
    assert aliases(admin) == {"alias/mine": other, "alias/theirs": forbidden}


def test_the_right_on_the_key_is_not_the_right_on_the_alias(office) -> None:
    """KMS Developer Guide, "Controlling access to aliases": both, the alias by an IAM policy."""
    alice = office.user("alice", policy(allow("kms:CreateAlias", resource="arn:aws:kms:*:*:alias/alice-*")))
    key_id = made(office.admin, Policy=policy(ROOT_MAY, allow("kms:CreateAlias", principal=alice.arn)))
    assert alice.call("CreateAlias", AliasName="alias/alice-1", TargetKeyId=key_id).status == 200
    assert alice.call("CreateAlias", AliasName="alias/bob-1", TargetKeyId=key_id).code == "AccessDeniedException"


def test_aliases_of_another_account_and_region(office) -> None:
    office.keyring(OTHER_TENANT)
    office.keyring(TENANT, OTHER_REGION)
    stranger = office.user("carol", policy(allow("kms:*")), tenant=OTHER_TENANT)
    open_key = office.key(policy=policy(ROOT_MAY, allow("kms:*", principal=root(OTHER_TENANT))))
    ask(office.admin, "CreateAlias", AliasName="alias/app", TargetKeyId=open_key.id)
    reply = stranger.call("CreateAlias", AliasName="alias/mine", TargetKeyId=office.arn(open_key))
    assert reply.code == "NotFoundException"
    assert aliases(stranger) == {}
    theirs = made(stranger)
    ask(stranger, "CreateAlias", AliasName="alias/app", TargetKeyId=theirs)
    assert aliases(office.admin) == {"alias/app": open_key.id}
    assert aliases(stranger) == {"alias/app": theirs}
    there = office.admin.call("CreateAlias", region=OTHER_REGION, AliasName="alias/app", TargetKeyId=open_key.id)
    assert there.code == "NotFoundException"


def test_an_alias_is_followed_where_it_points_now(office) -> None:
    """What the old key encrypted stays the old key's: the ciphertext names its key, and no alias."""
    admin = office.admin
    old, new = made(admin), made(admin)
    ask(admin, "CreateAlias", AliasName="alias/app", TargetKeyId=old)
    blob = ask(admin, "Encrypt", KeyId="alias/app", Plaintext=b64(b"hello"))["CiphertextBlob"]
    ask(admin, "UpdateAlias", AliasName="alias/app", TargetKeyId=new)
    assert ask(admin, "Encrypt", KeyId="alias/app", Plaintext=b64(b"hello"))["KeyId"].endswith(new)
    assert ask(admin, "Decrypt", CiphertextBlob=blob)["KeyId"].endswith(old)
    assert admin.call("Decrypt", CiphertextBlob=blob, KeyId="alias/app").code == "IncorrectKeyException"


def test_a_key_has_at_most_fifty_aliases(office) -> None:
    """KMS Developer Guide, "Resource quotas": aliases per KMS key, 50."""
    admin, key_id, other = office.admin, made(office.admin), made(office.admin)
    for n in range(50):
        ask(admin, "CreateAlias", AliasName=f"alias/{n}", TargetKeyId=key_id)
    assert admin.call("CreateAlias", AliasName="alias/50", TargetKeyId=key_id).code == "LimitExceededException"
    ask(admin, "CreateAlias", AliasName="alias/50", TargetKeyId=other)
    assert admin.call("UpdateAlias", AliasName="alias/50", TargetKeyId=key_id).code == "LimitExceededException"
    assert admin.call("UpdateAlias", AliasName="alias/0", TargetKeyId=key_id).status == 200
    assert len(ask(admin, "ListAliases", KeyId=key_id, Limit=100)["Aliases"]) == 50
    assert list(aliases(admin, KeyId=other)) == ["alias/50"]
