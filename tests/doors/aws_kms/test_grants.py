"""KMS API Reference: CreateGrant and its kin, GrantConstraints; KMS Developer Guide, "Grants in AWS KMS"."""

import re

import pytest
from tests.doors.aws_kms.managing import ABSENT, EVERYTHING, ROOT_MAY, allow, ask, deny, made, pages, policy, root
from tests.harness import OTHER_REGION, OTHER_TENANT, TENANT, b64, stack

from keystead.core import operations as ops
from keystead.core.grant_token import address_of, grant_token
from keystead.doors.aws_kms.grants import GRANTABLE

PLAIN = b64(b"hello")
ALL = ["Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey"]


@pytest.fixture
def office():
    return stack()


def granted(person, key_id, grantee, operations=ALL, **members):
    return ask(person, "CreateGrant", KeyId=key_id, GranteePrincipal=grantee.arn, Operations=operations, **members)


def may(person, key_id, context=None) -> bool:
    reply = person.call("Encrypt", KeyId=key_id, Plaintext=PLAIN, EncryptionContext=context or {})
    assert reply.code in (None, "AccessDeniedException")
    return reply.code is None


def test_a_grant_is_in_force_when_it_is_answered_and_gone_when_that_is(office) -> None:
    """CreateGrant, RevokeGrant; row 45 and 46: no delay that a token would have to bridge."""
    admin, alice, key_id = office.admin, office.user("alice"), made(office.admin)
    assert not may(alice, key_id)
    grant = granted(admin, key_id, alice)
    assert re.fullmatch("[0-9a-f]{64}", grant["GrantId"]) and len(grant["GrantToken"]) > 200
    assert may(alice, key_id)
    assert alice.call("ListGrants", KeyId=key_id).code == "AccessDeniedException"
    assert admin.call("RevokeGrant", KeyId=key_id, GrantId=grant["GrantId"]).body == b""
    assert not may(alice, key_id)
    again = admin.call("RevokeGrant", KeyId=key_id, GrantId=grant["GrantId"])
    assert (again.code, again.message) == ("NotFoundException", f"Grant ID {grant['GrantId']} not found")


@pytest.mark.parametrize("operation", sorted(set(GRANTABLE) & {"Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey"}))
def test_a_grant_allows_what_it_lists_and_nothing_else(office, operation) -> None:
    alice, key_id = office.user("alice"), made(office.admin)
    blob = ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=PLAIN)["CiphertextBlob"]
    granted(office.admin, key_id, alice, [operation])
    asked = {
        "Encrypt": {"KeyId": key_id, "Plaintext": PLAIN},
        "Decrypt": {"CiphertextBlob": blob},
        "GenerateDataKey": {"KeyId": key_id, "KeySpec": "AES_256"},
        "DescribeKey": {"KeyId": key_id},
    }
    for name, members in asked.items():
        assert alice.call(name, **members).code == (None if name == operation else "AccessDeniedException")


def test_constraints_are_enforced(office) -> None:
    """GrantConstraints: keys of a constraint are not case-sensitive, values are; Equals is exact, Subset a part."""
    admin, key_id = office.admin, made(office.admin)
    exact, part = office.user("exact"), office.user("part")
    context = {"app": "pay", "env": "prod"}
    granted(admin, key_id, exact, Constraints={"EncryptionContextEquals": context})
    granted(admin, key_id, part, Constraints={"EncryptionContextSubset": {"app": "pay"}})
    more = {**context, "n": "1"}
    for asked, by_exact, by_part in (
        (context, True, True),
        ({"env": "prod", "app": "pay"}, True, True),
        ({"APP": "pay", "env": "prod"}, True, True),
        (more, False, True),
        ({"app": "pay"}, False, True),
        ({"app": "Pay", "env": "prod"}, False, False),
        ({"env": "prod"}, False, False),
        ({}, False, False),
    ):
        assert (may(exact, key_id, asked), may(part, key_id, asked)) == (by_exact, by_part), asked
    assert exact.call("DescribeKey", KeyId=key_id).status == 200  # "the constraint doesn't apply to these operations"
    blob = ask(admin, "Encrypt", KeyId=key_id, Plaintext=PLAIN, EncryptionContext=more)["CiphertextBlob"]
    opened = {"CiphertextBlob": blob, "EncryptionContext": more}
    assert part.call("Decrypt", **opened).status == 200
    assert exact.call("Decrypt", **opened).code == "AccessDeniedException"


def test_an_empty_constraint_is_none(office) -> None:
    """Terraform's aws_kms_grant writes both, one of them empty; AWS takes the other one to be all there is."""
    admin, alice, key_id = office.admin, office.user("alice"), made(office.admin)
    signer = made(admin, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    both = {"EncryptionContextEquals": {}, "EncryptionContextSubset": {"a": "b"}}
    first = granted(admin, key_id, alice, Name="n", Constraints=both)
    assert may(alice, key_id, {"a": "b", "c": "d"}) and not may(alice, key_id, {"c": "d"})
    again = granted(admin, key_id, alice, Name="n", Constraints={"EncryptionContextSubset": {"a": "b"}})
    assert again["GrantId"] == first["GrantId"]
    (entry,) = ask(admin, "ListGrants", KeyId=key_id)["Grants"]
    assert entry["Constraints"] == {"EncryptionContextSubset": {"a": "b"}}
    granted(admin, signer, alice, ["Sign"], Constraints={"EncryptionContextEquals": {}, "EncryptionContextSubset": {}})
    (entry,) = ask(admin, "ListGrants", KeyId=signer)["Grants"]
    assert "Constraints" not in entry


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        (
            {"EncryptionContextEquals": {"a": "b"}, "EncryptionContextSubset": {"a": "b"}},
            "More than one constraint supplied",
        ),
        ({"EncryptionContextSubset": {f"k{n}": "v" for n in range(9)}}, "at most 8 pairs"),
        ({"EncryptionContextEquals": {"k": "v" * 385}}, "at most 384 characters"),
    ],
)
def test_constraints_that_no_grant_has(office, constraints, words) -> None:
    """CreateGrant, Constraints; the words from hashicorp/terraform-provider-aws, aws_kms_grant."""
    body = {"KeyId": made(office.admin), "GranteePrincipal": office.admin.arn, "Operations": ["Encrypt"]}
    reply = office.admin.call("CreateGrant", **body, Constraints=constraints)
    assert reply.code == "ValidationException" and words in reply.message


def test_a_constraint_of_no_strings_is_taken_as_it_is_written(office) -> None:
    """Developer Guide, "Encryption context"."""
    admin, key_id = office.admin, made(office.admin)
    asked = f'{{"KeyId": "{key_id}", "GranteePrincipal": "{admin.arn}", "Operations": ["Encrypt"], '
    asked += '"Constraints": {"EncryptionContextEquals": {"n": 7}}}'
    assert admin.post("CreateGrant", asked.encode()).status == 200
    (grant,) = ask(admin, "ListGrants", KeyId=key_id)["Grants"]
    assert grant["Constraints"] == {"EncryptionContextEquals": {"n": "7"}}


@pytest.mark.parametrize(
    ("spec", "usage", "good", "bad"),
    [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "GenerateDataKeyPair", "Sign"),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "ReEncryptTo", "GetPublicKey"),
        ("RSA_2048", "ENCRYPT_DECRYPT", "GetPublicKey", "GenerateDataKey"),
        ("RSA_2048", "SIGN_VERIFY", "Verify", "Encrypt"),
        ("HMAC_256", "GENERATE_VERIFY_MAC", "VerifyMac", "GetPublicKey"),
        ("ECC_NIST_P256", "KEY_AGREEMENT", "DeriveSharedSecret", "Sign"),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", "Decapsulate", "Decrypt"),
    ],
)
def test_operations_must_fit_the_key(office, spec, usage, good, bad) -> None:
    """CreateGrant, Operations: "the operation must be supported on the KMS key … returns a ValidationError"."""
    admin, key_id = office.admin, made(office.admin, KeySpec=spec, KeyUsage=usage)
    granted(admin, key_id, admin, [good, "DescribeKey", "CreateGrant", "RetireGrant"])
    body = {"KeyId": key_id, "GranteePrincipal": admin.arn}
    assert admin.call("CreateGrant", **body, Operations=[bad]).code == "ValidationException"
    assert admin.call("CreateGrant", **body, Operations=[]).code == "ValidationException"
    assert admin.call("CreateGrant", **body, Operations=["ScheduleKeyDeletion"]).code == "ValidationException"
    constrained = {"Constraints": {"EncryptionContextSubset": {"a": "b"}}}
    expected = None if spec == "SYMMETRIC_DEFAULT" else "ValidationException"
    assert admin.call("CreateGrant", **body, Operations=[good], **constrained).code == expected


@pytest.mark.parametrize(
    "principal",
    [
        "alice",
        f"arn:aws:iam::{TENANT}:user/nobody",
        f"arn:aws:iam::{TENANT}:role/admin",
        f"arn:aws:iam::{TENANT}:user/Admin",
        "arn:aws:iam::999999999999:root",
        f"arn:aws:sts::{TENANT}:assumed-role/x/y",
        "999999999999",
    ],
)
def test_principals_must_exist(office, principal) -> None:
    key_id = made(office.admin)
    body = {"KeyId": key_id, "Operations": ["Encrypt"]}
    for who in (
        {"GranteePrincipal": principal},
        {"GranteePrincipal": office.admin.arn, "RetiringPrincipal": principal},
    ):
        reply = office.admin.call("CreateGrant", **body, **who)
        assert (reply.code, reply.message) == (
            "InvalidArnException",
            f"ARN does not refer to a valid principal: {principal}",  # as AWS Lambda quotes it
        )
    assert office.admin.call("ListRetirableGrants", RetiringPrincipal=principal).code == "InvalidArnException"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({}, "ValidationException"),
        ({"GranteePrincipal": "a b"}, "ValidationException"),
        ({"GranteeServicePrincipal": "s3.amazonaws.com"}, "UnsupportedOperationException"),
        ({"GranteePrincipal": root(), "RetiringServicePrincipal": "s3.amazonaws.com"}, "UnsupportedOperationException"),
        (
            {"GranteePrincipal": root(), "Constraints": {"SourceArn": f"arn:aws:s3:us-east-1:{TENANT}:bucket"}},
            "UnsupportedOperationException",
        ),
        ({"GranteePrincipal": root(), "Name": "a b"}, "ValidationException"),
        ({"GranteePrincipal": root(), "GrantTokens": ["x"]}, "InvalidGrantTokenException"),
        ({"GranteePrincipal": root(), "DryRun": True}, "DryRunOperationException"),
    ],
)
def test_grants_that_are_not_made(office, members, code) -> None:
    key_id = made(office.admin)
    assert office.admin.call("CreateGrant", KeyId=key_id, Operations=["Encrypt"], **members).code == code
    assert ask(office.admin, "ListGrants", KeyId=key_id)["Grants"] == []


@pytest.mark.parametrize(
    ("operation", "which"),
    [
        ("CreateGrant", "Grantee"),
        ("CreateGrant", "Retiring"),
        ("ListGrants", "Grantee"),
        ("ListRetirableGrants", "Retiring"),
    ],
)
def test_a_principal_or_a_service_and_not_both(office, operation, which) -> None:
    """As each of the three documents it. That no service is one here comes after what is no request at all."""
    named = {f"{which}Principal": root(), f"{which}ServicePrincipal": "s3.amazonaws.com"}
    more = {"CreateGrant": {"Operations": ["Encrypt"], "GranteePrincipal": root()}}.get(operation, {})
    key = {} if operation == "ListRetirableGrants" else {"KeyId": made(office.admin)}
    reply = office.admin.call(operation, **{**more, **named, **key})
    words = f"You can specify either {which}Principal or {which}ServicePrincipal, but not both."
    assert (reply.code, reply.message) == ("ValidationException", words)


def test_asked_again_by_name_the_grant_is_the_same_and_the_token_is_not(office) -> None:
    """CreateGrant, Name: "the original GrantId is returned … All grant tokens … can be used interchangeably"."""
    admin, alice, key_id = office.admin, office.user("alice"), made(office.admin)
    first = granted(admin, key_id, alice, ["Encrypt", "Decrypt"], Name="n")
    second = granted(admin, key_id, alice, ["Decrypt", "Encrypt", "Decrypt"], Name="n")
    assert first["GrantId"] == second["GrantId"] and first["GrantToken"] != second["GrantToken"]
    others = [
        granted(admin, key_id, alice, ["Encrypt"], Name="n"),
        granted(admin, key_id, alice, ["Encrypt", "Decrypt"], Name="m"),
        granted(admin, key_id, alice, ["Encrypt", "Decrypt"], Name="n", RetiringPrincipal=alice.arn),
        granted(
            admin, key_id, alice, ["Encrypt", "Decrypt"], Name="n", Constraints={"EncryptionContextSubset": {"a": "b"}}
        ),
        granted(admin, key_id, alice, ["Encrypt", "Decrypt"]),
        granted(admin, key_id, alice, ["Encrypt", "Decrypt"]),
    ]
    assert len({g["GrantId"] for g in (first, *others)}) == 7
    for token in (first["GrantToken"], second["GrantToken"]):
        assert alice.call("Encrypt", KeyId=key_id, Plaintext=PLAIN, GrantTokens=[token]).status == 200
    assert alice.call("RetireGrant", GrantToken=first["GrantToken"]).code == "AccessDeniedException"


def test_tokens_that_are_no_grants(office) -> None:
    """InvalidGrantTokenException, also for a token that was made up around the address of a grant."""
    admin, alice, key_id = office.admin, office.user("alice"), made(office.admin)
    grant = granted(admin, key_id, alice, RetiringPrincipal=admin.arn)
    real = grant["GrantToken"]
    forged = grant_token(address_of(real), bytes(32))
    other = granted(admin, made(admin), alice)["GrantToken"]
    for token in (forged, other, real[:-4], real + "AAAA", "x", "é" * 20):
        reply = alice.call("Encrypt", KeyId=key_id, Plaintext=PLAIN, GrantTokens=[token])
        assert (reply.code, reply.json.get("message")) == ("InvalidGrantTokenException", None)
    for token in (forged, real[:-4], "x"):
        assert admin.call("RetireGrant", GrantToken=token).code == "InvalidGrantTokenException"
    assert alice.call("Encrypt", KeyId=key_id, Plaintext=PLAIN, GrantTokens=[real] * 11).code == "ValidationException"
    assert alice.call("Encrypt", KeyId=key_id, Plaintext=PLAIN, GrantTokens=[real]).status == 200
    assert not any(real in record.encode().decode() for record in office.records())


def test_who_may_retire_a_grant(office) -> None:
    """KMS Developer Guide, "Retiring and revoking grants"."""
    admin, key_id = office.admin, made(office.admin)
    retiree, grantee, idle = office.user("retiree"), office.user("grantee"), office.user("idle", EVERYTHING)

    def one(**members):
        operations = members.pop("operations", ["Encrypt"])
        return granted(admin, key_id, grantee, operations, **members)

    by_id = one(RetiringPrincipal=retiree.arn)
    for person in (grantee, office.user("nobody")):
        assert person.call("RetireGrant", KeyId=key_id, GrantId=by_id["GrantId"]).code == "AccessDeniedException"
    assert retiree.call("RetireGrant", KeyId=key_id, GrantId=by_id["GrantId"]).body == b""
    by_token = one(RetiringPrincipal=retiree.arn)
    assert (
        retiree.call("RetireGrant", GrantToken=by_token["GrantToken"], DryRun=True).code == "DryRunOperationException"
    )
    assert retiree.call("RetireGrant", GrantToken=by_token["GrantToken"]).status == 200
    assert retiree.call("RetireGrant", GrantToken=by_token["GrantToken"]).status == 400
    own = one(operations=["Encrypt", "RetireGrant"])
    other = one(operations=["Encrypt"])
    assert grantee.call("RetireGrant", KeyId=key_id, GrantId=other["GrantId"]).code == "AccessDeniedException"
    assert grantee.call("RetireGrant", GrantToken=own["GrantToken"]).status == 200
    # "principals to whom permission for retiring a grant is delegated": by an identity policy, as the key policy lets
    assert idle.call("RetireGrant", KeyId=key_id, GrantId=other["GrantId"]).status == 200
    assert ask(admin, "ListGrants", KeyId=key_id)["Grants"] == []


def test_a_dry_run_revokes_nothing(office) -> None:
    admin, key_id = office.admin, made(office.admin)
    grantee = office.user("grantee")
    grant = {"KeyId": key_id, "GrantId": granted(admin, key_id, grantee, ["Encrypt"])["GrantId"]}
    assert admin.call("RevokeGrant", **grant, DryRun=True).code == "DryRunOperationException"
    assert grantee.call("Encrypt", KeyId=key_id, Plaintext=b"x").status == 200
    assert grantee.call("RevokeGrant", **grant, DryRun=True).code == "AccessDeniedException"
    assert admin.call("RevokeGrant", **grant).status == 200
    assert admin.call("RevokeGrant", **grant, DryRun=True).code == "NotFoundException"


@pytest.mark.parametrize(
    "members",
    [{}, {"KeyId": ABSENT}, {"GrantId": "0" * 64}, {"GrantToken": "x", "KeyId": ABSENT, "GrantId": "0" * 64}],
)
def test_a_grant_to_retire_is_told_in_one_of_two_ways(office, members) -> None:
    assert office.admin.call("RetireGrant", **members).code == "ValidationException"


@pytest.mark.parametrize("grant_id", ["x", "0" * 63, "A" * 64, "0" * 64 + "\n"])
def test_ids_that_are_no_grant_ids(office, grant_id) -> None:
    admin, key_id = office.admin, made(office.admin)
    for operation in ("ListGrants", "RetireGrant", "RevokeGrant"):
        assert admin.call(operation, KeyId=key_id, GrantId=grant_id).code == "InvalidGrantIdException"


def test_the_list_of_grants_and_its_filters(office) -> None:
    admin, alice, bob, key = office.admin, office.user("alice"), office.user("bob"), office.key()
    now = office.clock.now().timestamp()
    full = granted(
        admin,
        key.id,
        alice,
        ["Encrypt", "Decrypt"],
        Name="first",
        RetiringPrincipal=bob.arn,
        Constraints={"EncryptionContextSubset": {"a": "b"}},
    )
    plain = granted(admin, key.id, bob, ["DescribeKey"])
    entries = {entry["GrantId"]: entry for entry in ask(admin, "ListGrants", KeyId=key.id)["Grants"]}
    assert entries[full["GrantId"]] == {
        "KeyId": office.arn(key),
        "GrantId": full["GrantId"],
        "Name": "first",
        "CreationDate": now,
        "GranteePrincipal": alice.arn,
        "RetiringPrincipal": bob.arn,
        "IssuingAccount": f"arn:aws:iam::{TENANT}:root",
        "Operations": ["Encrypt", "Decrypt"],
        "Constraints": {"EncryptionContextSubset": {"a": "b"}},
    }
    assert entries[plain["GrantId"]] == {
        "KeyId": office.arn(key),
        "GrantId": plain["GrantId"],
        "Name": "",  # KMS Developer Guide, "Viewing grants"; Ansible's kms_key falls over without it
        "CreationDate": now,
        "GranteePrincipal": bob.arn,
        "IssuingAccount": f"arn:aws:iam::{TENANT}:root",
        "Operations": ["DescribeKey"],
    }
    for filters, found in (
        ({"GrantId": full["GrantId"]}, {full["GrantId"]}),
        ({"GrantId": "0" * 64}, set()),
        ({"GranteePrincipal": bob.arn}, {plain["GrantId"]}),
        ({"GranteePrincipal": bob.arn, "GrantId": full["GrantId"]}, set()),
        ({"GranteePrincipal": admin.arn}, set()),
    ):
        listed = ask(admin, "ListGrants", KeyId=key.id, **filters)["Grants"]
        assert {entry["GrantId"] for entry in listed} == found
    (retirable,) = ask(admin, "ListRetirableGrants", RetiringPrincipal=bob.arn)["Grants"]
    assert retirable == entries[full["GrantId"]]
    assert ask(admin, "ListRetirableGrants", RetiringPrincipal=alice.arn)["Grants"] == []


def test_row_36_a_handle_of_another_account_opens_nothing(office) -> None:
    """Row 36: grant ids, tokens and keys of one tenant, in the hands of another one's administrator."""
    office.keyring(OTHER_TENANT)
    stranger = office.user("carol", EVERYTHING, tenant=OTHER_TENANT)
    admin, alice, key = office.admin, office.user("alice"), office.key()
    grant = granted(admin, key.id, alice, RetiringPrincipal=alice.arn)
    for key_id in (key.id, office.arn(key)):
        for operation in ("RevokeGrant", "RetireGrant", "ListGrants"):
            reply = stranger.call(operation, KeyId=key_id, GrantId=grant["GrantId"])
            assert reply.code in ("AccessDeniedException", "NotFoundException")
    assert stranger.call("RetireGrant", GrantToken=grant["GrantToken"]).code == "AccessDeniedException"
    assert stranger.call("ListRetirableGrants", RetiringPrincipal=alice.arn).code == "InvalidArnException"
    assert len(ask(admin, "ListGrants", KeyId=key.id)["Grants"]) == 1


def test_a_grant_for_another_account(office) -> None:
    """Both sides must agree: the grant names the principal, and its own account lets it by an identity policy."""
    office.keyring(OTHER_TENANT)
    office.keyring(TENANT, OTHER_REGION)
    carol = office.user("carol", EVERYTHING, tenant=OTHER_TENANT)
    dave = office.user("dave", tenant=OTHER_TENANT)
    admin, key = office.admin, office.key()
    for person in (carol, dave):
        granted(admin, key.id, person, ["Encrypt", "CreateGrant"], RetiringPrincipal=carol.arn)
    body = {"KeyId": office.arn(key), "Plaintext": PLAIN}
    assert carol.call("Encrypt", **body).status == 200
    assert dave.call("Encrypt", **body).code == "AccessDeniedException"
    passed_on = ask(carol, "CreateGrant", KeyId=office.arn(key), GranteePrincipal=dave.arn, Operations=["Encrypt"])
    (entry,) = ask(admin, "ListGrants", KeyId=key.id, GrantId=passed_on["GrantId"])["Grants"]
    assert entry["IssuingAccount"] == f"arn:aws:iam::{OTHER_TENANT}:root"
    # A grant on another account's key is listed with that account's ARN, and only in the key's region.
    listed = ask(carol, "ListRetirableGrants", RetiringPrincipal=carol.arn)["Grants"]
    assert [entry["KeyId"] for entry in listed] == [office.arn(key)] * 2
    assert ask(admin, "ListRetirableGrants", RetiringPrincipal=admin.arn)["Grants"] == []
    office.keyring(OTHER_TENANT, OTHER_REGION)
    there = carol.call("ListRetirableGrants", region=OTHER_REGION, RetiringPrincipal=carol.arn)
    assert there.json == {"Grants": [], "Truncated": False}
    # retired by its token, from an account that could not name the key otherwise
    grant = granted(admin, key.id, dave, ["Decrypt"], RetiringPrincipal=carol.arn)
    elsewhere = carol.call("RetireGrant", region=OTHER_REGION, GrantToken=grant["GrantToken"])
    assert elsewhere.code == "InvalidGrantTokenException"
    assert carol.call("RetireGrant", GrantToken=grant["GrantToken"]).status == 200


def test_row_40_a_grant_gives_no_more_than_its_giver_was_granted(office) -> None:
    """CreateGrant, Constraints: "the constraint requires that any grants created … be equally restrictive"."""
    admin, alice, bob, key_id = office.admin, office.user("alice"), office.user("bob"), made(office.admin)
    granted(
        admin,
        key_id,
        alice,
        ["Encrypt", "CreateGrant"],
        Constraints={"EncryptionContextSubset": {"a": "b"}},
    )
    body = {"KeyId": key_id, "GranteePrincipal": bob.arn}
    tight = {"Constraints": {"EncryptionContextSubset": {"a": "b", "c": "d"}}}
    assert alice.call("CreateGrant", **body, Operations=["Encrypt"]).code == "AccessDeniedException"
    assert alice.call("CreateGrant", **body, Operations=["Decrypt"], **tight).code == "AccessDeniedException"
    assert alice.call("CreateGrant", **body, Operations=["Encrypt"], **tight).status == 200
    assert may(bob, key_id, {"a": "b", "c": "d"}) and not may(bob, key_id, {"a": "b"})


def test_a_deny_beats_a_grant(office) -> None:
    alice = office.user("alice")
    key_id = made(office.admin, Policy=policy(ROOT_MAY, deny("kms:Encrypt", principal=alice.arn)))
    granted(office.admin, key_id, alice)
    assert not may(alice, key_id)


def test_a_condition_on_what_is_granted(office) -> None:
    """KMS Developer Guide, "kms:GrantOperations", "kms:GranteePrincipal"."""
    bob = office.user("bob")
    only = {
        "ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt", "Decrypt"]},
        "StringEquals": {"kms:GranteePrincipal": bob.arn},
    }
    alice = office.user("alice", policy(allow("kms:CreateGrant", Condition=only)))
    key_id = made(office.admin)
    granted(alice, key_id, bob, ["Encrypt"])
    for grantee, operations in ((bob, ["Encrypt", "DescribeKey"]), (alice, ["Encrypt"])):
        reply = alice.call("CreateGrant", KeyId=key_id, GranteePrincipal=grantee.arn, Operations=operations)
        assert reply.code == "AccessDeniedException"


def test_row_14_a_name_made_anew_has_no_grant(office) -> None:
    alice, key_id = office.user("alice"), made(office.admin)
    granted(office.admin, key_id, alice, RetiringPrincipal=alice.arn)
    office.by_system(ops.DeletePrincipal(tenant=ops.TenantRef(TENANT), name="alice"))
    namesake = office.user("alice")
    assert not may(namesake, key_id)
    assert ask(office.admin, "ListRetirableGrants", RetiringPrincipal=namesake.arn)["Grants"] == []
    assert ask(office.admin, "ListGrants", KeyId=key_id, GranteePrincipal=namesake.arn)["Grants"] == []


def test_a_grant_for_an_account_is_for_whom_it_lets(office) -> None:
    admin, key_id = office.admin, made(office.admin, Policy=policy(allow("kms:*", principal=office.admin.arn)))
    let, nobody = office.user("let", policy(allow("kms:Encrypt"))), office.user("nobody")
    assert not may(let, key_id)
    ask(admin, "CreateGrant", KeyId=key_id, GranteePrincipal=TENANT, Operations=["Encrypt"])
    assert may(let, key_id) and not may(nobody, key_id)


def test_grants_of_many_keys_are_listed_in_pages(office) -> None:
    admin, bob = office.admin, office.user("bob")
    key_ids = [made(admin) for _ in range(3)]
    ids = {granted(admin, key_ids[n % 3], admin, ["Encrypt"], RetiringPrincipal=bob.arn)["GrantId"] for n in range(105)}
    found = pages(admin, "ListRetirableGrants", "Grants", RetiringPrincipal=bob.arn, Limit=100)
    assert [len(page) for page in found] == [100, 5]
    assert {entry["GrantId"] for page in found for entry in page} == ids
