"""STS API Reference 2011-06-15, AssumeRole, GetSessionToken, GetAccessKeyInfo; and what a session is, and is not."""

import json
from base64 import b64decode, b64encode
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from tests.doors.aws_kms.managing import allow, deny, policy
from tests.harness import ALLOW_ALL, OTHER_TENANT, TENANT, Person, stack

from keystead.core import operations as ops

ACCOUNT = f"arn:aws:iam::{TENANT}:root"
ARN = f"arn:aws:iam::{TENANT}:role/deploy"
SESSION = f"arn:aws:sts::{TENANT}:assumed-role/deploy/build-7"
MAY_ASSUME = policy(allow("sts:AssumeRole"))


@pytest.fixture
def office():
    return stack()


def trust(*principals: str, **more) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": "sts:AssumeRole", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def role(office, text: str, may: str | None = ALLOW_ALL, name: str = "deploy", **more) -> None:
    iam = office.admin.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=text, **more)
    if may is not None:
        iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=may)


def person_of(office, credentials: dict) -> Person:
    """Whoever holds these credentials."""
    key, secret, token = (credentials[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
    return Person(office, office.admin.principal, key, secret.encode(), token)


def assume(office, by: Person, arn: str = ARN, session: str = "build-7", **more) -> Person:
    made = by.client("sts").assume_role(RoleArn=arn, RoleSessionName=session, **more)
    return person_of(office, made["Credentials"])


def refused(call, **members) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**members)
    said = caught.value.response["Error"]
    return said["Code"], said["Message"]


def not_assumed(by: Person, arn: str = ARN, **more) -> tuple[str, str]:
    return refused(by.client("sts").assume_role, RoleArn=arn, RoleSessionName="build-7", **more)


# --- taking on a role


def test_a_session_of_a_role_is_the_role_under_another_name(office) -> None:
    role(office, trust(ACCOUNT))
    alice = office.user("alice", MAY_ASSUME)
    made = alice.client("sts").assume_role(RoleArn=ARN, RoleSessionName="build-7")
    arn = f"arn:aws:sts::{TENANT}:assumed-role/deploy/build-7"
    record = office.record()
    id_ = office.admin.client("iam").get_role(RoleName="deploy")["Role"]["RoleId"]
    assert (record.operation, record.rule) == ("sts:AssumeRole", "identity policy")
    assert [(t.action, t.key) for t in record.targets] == [("principal:assume", id_)]
    assert made["AssumedRoleUser"] == {"AssumedRoleId": f"{id_}:build-7", "Arn": arn}
    assert made["Credentials"]["AccessKeyId"].startswith("ASIA")
    assert made["Credentials"]["Expiration"] == (office.clock.now() + timedelta(hours=1)).replace(microsecond=0)
    guest = person_of(office, made["Credentials"])
    who = guest.client("sts").get_caller_identity()
    assert (who["Arn"], who["UserId"], who["Account"]) == (arn, f"{id_}:build-7", TENANT)
    assert guest.call("ListKeys").status == 200 and alice.call("ListKeys").code == "AccessDeniedException"
    who = office.records()[-2].who  # of ListKeys by the session
    assert (who.id, who.kind, who.via, who.session) == (id_, "role", guest.access_key_id, "build-7")


def test_a_key_policy_that_names_the_role_means_its_sessions(office) -> None:
    role(office, trust(ACCOUNT), may=None)
    guest = assume(office, office.user("alice", MAY_ASSUME))
    named = policy(allow("kms:*", Principal={"AWS": ARN}), allow("kms:*", Principal={"AWS": ACCOUNT}))
    key = office.key(policy=named)
    assert guest.call("Encrypt", KeyId=key.id, Plaintext=b"x").status == 200
    other = office.key()
    said = guest.call("Encrypt", KeyId=other.id, Plaintext=b"x")
    assert said.code == "AccessDeniedException"
    assert said.message.startswith(f"User: arn:aws:sts::{TENANT}:assumed-role/deploy/build-7 is not authorized")


@pytest.mark.parametrize(
    ("trusts", "identity", "rule"),
    [
        (ACCOUNT, MAY_ASSUME, "identity policy"),
        (ACCOUNT, None, None),  # the account is trusted, and has not said that alice may
        (ACCOUNT, policy(allow("sts:AssumeRole", Resource=ARN)), "identity policy"),
        (ACCOUNT, policy(allow("sts:AssumeRole", Resource=ARN + "2")), None),
        (f"arn:aws:iam::{TENANT}:user/alice", None, "trust policy"),
        (f"arn:aws:iam::{TENANT}:user/alice", policy(deny("sts:AssumeRole")), None),
        (f"arn:aws:iam::{TENANT}:user/admin", MAY_ASSUME, None),  # trusts somebody else
        ("*", None, "trust policy"),
    ],
)
def test_the_trust_policy_decides(office, trusts, identity, rule) -> None:
    """IAM User Guide, "Policy evaluation logic": a resource-based policy, of a role."""
    alice = office.user("alice", identity)
    role(office, trust(trusts))
    if rule is None:
        assert not_assumed(alice)[0] == "AccessDenied"
        assert office.record().outcome == "refused: Denied"
    else:
        assume(office, alice)
        assert office.record().rule == rule


def test_a_deny_of_a_trust_policy_holds(office) -> None:
    alice = office.user("alice", MAY_ASSUME)
    text = json.loads(trust(ACCOUNT))
    text["Statement"].append({**text["Statement"][0], "Effect": "Deny", "Principal": {"AWS": alice.arn}})
    role(office, json.dumps(text))
    assert not_assumed(alice)[0] == "AccessDenied"


def test_absent_and_forbidden_are_one_sentence(office) -> None:
    alice = office.user("alice", MAY_ASSUME)
    role(office, trust(f"arn:aws:iam::{TENANT}:user/admin"))
    forbidden, absent = not_assumed(alice), not_assumed(alice, ARN + "2")
    assert forbidden == (
        "AccessDenied",
        f"User: {alice.arn} is not authorized to perform: sts:AssumeRole on resource: {ARN}",
    )
    assert absent == (forbidden[0], forbidden[1] + "2")


def test_the_root_of_an_account_takes_on_no_role(office) -> None:
    made = office.by_system(ops.CreateAccessKey(tenant=ops.TenantRef(TENANT), name="root"))
    root = Person(office, office.first.root, made.credential.id, made.secret.reveal(), None)
    role(office, trust("*"))
    assert not_assumed(root) == ("AccessDenied", "Roles may not be assumed by root accounts.")


def test_the_external_id_is_asked_for(office) -> None:
    """IAM User Guide, "The confused deputy problem"."""
    role(office, trust(ACCOUNT, Condition={"StringEquals": {"sts:ExternalId": "customer-4711"}}))
    alice = office.user("alice", MAY_ASSUME)
    for wrong in ({}, {"ExternalId": "customer-4712"}, {"ExternalId": "CUSTOMER-4711"}):
        assert not_assumed(alice, **wrong)[0] == "AccessDenied"
    assert assume(office, alice, ExternalId="customer-4711").call("ListKeys").status == 200


def test_the_session_name_may_be_asked_for(office) -> None:
    """IAM User Guide, "IAM and AWS STS condition context keys", sts:RoleSessionName."""
    role(office, trust(ACCOUNT, Condition={"StringEquals": {"sts:RoleSessionName": "${aws:username}"}}))
    alice = office.user("alice", MAY_ASSUME)
    assert not_assumed(alice)[0] == "AccessDenied"
    assume(office, alice, session="alice")


def test_another_account_needs_both_sides(office) -> None:
    office.keyring(OTHER_TENANT)
    carol = office.user("carol", tenant=OTHER_TENANT)
    role(office, trust(f"arn:aws:iam::{OTHER_TENANT}:user/carol"))
    assert not_assumed(carol)[0] == "AccessDenied"
    at = ops.TenantRef(OTHER_TENANT)
    office.by_system(ops.PutPrincipalPolicy(tenant=at, name="carol", policy=ops.PolicyText("p", "aws", MAY_ASSUME)))
    guest = assume(office, carol)
    assert guest.client("sts").get_caller_identity()["Account"] == TENANT
    office.admin.client("iam").update_assume_role_policy(RoleName="deploy", PolicyDocument=trust(ACCOUNT))
    assert not_assumed(carol)[0] == "AccessDenied"
    assert not_assumed(office.admin, f"arn:aws:iam::{OTHER_TENANT}:role/none")[0] == "AccessDenied"


def test_trust_is_in_somebody_and_not_in_a_name(office) -> None:
    office.user("alice", MAY_ASSUME)
    role(office, trust(f"arn:aws:iam::{TENANT}:user/alice"))
    office.by_system(ops.DeletePrincipal(tenant=ops.TenantRef(TENANT), name="alice"))
    again = office.user("alice", MAY_ASSUME)
    assert not_assumed(again)[0] == "AccessDenied"


@pytest.mark.parametrize(
    "arn", [ACCOUNT, f"arn:aws:iam::{TENANT}:user/admin", "arn:aws:iam::1:role/deploy", ARN + "*", SESSION]
)
def test_what_is_the_arn_of_no_role(office, arn) -> None:
    role(office, trust(ACCOUNT))
    assert not_assumed(office.admin, arn)[0] == "ValidationError"


def test_a_broken_constraint_is_said_as_sts_says_it(office) -> None:
    """zalando-stups/aws-credentials-service #7."""
    role(office, trust(ACCOUNT))
    words = r"Value 'a/b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression "
    assert refused(office.admin.client("sts").assume_role, RoleArn=ARN, RoleSessionName="a/b") == (
        "ValidationError",
        rf"1 validation error detected: {words}pattern: [\w+=,.@-]*",
    )


@pytest.mark.parametrize(
    "more",
    [
        {"TransitiveTagKeys": ["a"]},
        {"SourceIdentity": "alice"},
        {"SerialNumber": f"arn:aws:iam::{TENANT}:mfa/alice", "TokenCode": "123456"},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_is_not_offered_is_refused_and_not_passed_over(office, more) -> None:
    role(office, trust(ACCOUNT))
    code, words = not_assumed(office.admin, **more)
    assert code == "ValidationError" and words == f"{next(iter(more))} is not supported."
    assert office.record().operation == "sts:AssumeRole"


# --- how long


def test_a_session_of_a_role_lasts_as_long_as_the_role_lets_it(office) -> None:
    role(office, trust(ACCOUNT), MaxSessionDuration=7200)
    assert not_assumed(office.admin, DurationSeconds=7201)[0] == "ValidationError"
    guest = assume(office, office.admin, DurationSeconds=7200)
    office.clock.forward(timedelta(seconds=7199))
    assert guest.call("ListKeys").status == 200
    office.clock.forward(timedelta(seconds=1))
    assert guest.call("ListKeys").code == "ExpiredTokenException"
    assert refused(guest.client("sts").get_caller_identity)[0] == "ExpiredToken"


def test_a_session_from_a_session_lasts_an_hour_at_most(office) -> None:
    """IAM User Guide, "Role chaining"."""
    role(office, trust(ACCOUNT), may=MAY_ASSUME, MaxSessionDuration=43200)
    role(office, trust(ARN), name="second", MaxSessionDuration=43200)
    guest = assume(office, office.admin, DurationSeconds=43200)
    second = f"arn:aws:iam::{TENANT}:role/second"
    code, words = not_assumed(guest, second, DurationSeconds=3601)
    assert code == "ValidationError" and "role chaining" in words
    assert assume(office, guest, second).call("ListKeys").status == 200


def test_a_role_deleted_ends_its_sessions_and_a_new_one_is_not_theirs(office) -> None:
    role(office, trust(ACCOUNT))
    guest = assume(office, office.admin)
    assert guest.call("ListKeys").status == 200
    iam = office.admin.client("iam")
    iam.delete_role_policy(RoleName="deploy", PolicyName="may")
    assert guest.call("ListKeys").code == "AccessDeniedException"  # what the role may now
    iam.delete_role(RoleName="deploy")
    assert guest.call("ListKeys").code == "UnrecognizedClientException"
    role(office, trust(ACCOUNT))
    assert guest.call("ListKeys").code == "UnrecognizedClientException"
    assert refused(guest.client("sts").get_caller_identity)[0] == "InvalidClientTokenId"


def test_a_role_that_is_shut_out_has_no_sessions(office) -> None:
    role(office, trust(ACCOUNT))
    guest, at = assume(office, office.admin), ops.TenantRef(TENANT)
    office.by_system(ops.SetPrincipalEnabled(tenant=at, name="deploy", enabled=False))
    assert guest.call("ListKeys").code == "UnrecognizedClientException"
    assert not_assumed(office.admin)[0] == "AccessDenied"


def test_sessions_are_revoked_by_date(office) -> None:
    """IAM User Guide, "Revoking IAM role temporary security credentials"."""
    role(office, trust(ACCOUNT))
    before = assume(office, office.admin)
    office.clock.forward(timedelta(seconds=10))
    older = {"DateLessThan": {"aws:TokenIssueTime": office.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")}}
    text = policy(deny("*", Condition=older))
    office.admin.client("iam").put_role_policy(RoleName="deploy", PolicyName="revoke", PolicyDocument=text)
    after = assume(office, office.admin)
    assert before.call("ListKeys").code == "AccessDeniedException" and after.call("ListKeys").status == 200


def test_what_one_session_may_is_not_kept_for_another(office) -> None:
    """aws:userid tells the sessions of a role apart, so no decision that rests on it outlives its request."""
    only = policy(allow("kms:*", Condition={"StringLike": {"aws:userid": "*:build-7"}}))
    role(office, trust(ACCOUNT), may=only)
    first, second = assume(office, office.admin), assume(office, office.admin, session="build-8")
    key = office.key()
    for _ in range(2):
        for guest, code in ((first, None), (second, "AccessDeniedException")):
            assert guest.call("ListKeys").code == code
            assert guest.call("Encrypt", KeyId=key.id, Plaintext=b"x").code == code


# --- a session as a principal of its own


def sessions(office, may: str | None = None, **more) -> tuple[Person, Person]:
    """Those called build-7 and build-8, of one role."""
    role(office, trust(ACCOUNT), may=may)
    return assume(office, office.admin, **more), assume(office, office.admin, session="build-8", **more)


def test_a_key_policy_names_one_session_of_a_role(office) -> None:
    """IAM User Guide, "AWS JSON policy elements: Principal": role session principals; not limited by its policies."""
    first, second = sessions(office, Policy=policy(allow("kms:DescribeKey")))
    others = allow("kms:*", Principal={"AWS": ACCOUNT})
    named = office.key(policy=policy(others, allow("kms:Encrypt", Principal={"AWS": SESSION})))
    for _ in range(2):
        assert first.call("Encrypt", KeyId=named.id, Plaintext=b"x").status == 200
        assert second.call("Encrypt", KeyId=named.id, Plaintext=b"x").code == "AccessDeniedException"
    assert office.record().rule == "" and first.call("DescribeKey", KeyId=named.id).code == "AccessDeniedException"


def test_a_deny_names_one_session_of_a_role(office) -> None:
    first, second = sessions(office)
    deny_one = {**deny("kms:Encrypt"), "Principal": {"AWS": SESSION}}
    key = office.key(policy=policy(allow("kms:*", Principal={"AWS": [ACCOUNT, ARN]}), deny_one))
    for _ in range(2):
        assert first.call("Encrypt", KeyId=key.id, Plaintext=b"x").code == "AccessDeniedException"
        assert second.call("Encrypt", KeyId=key.id, Plaintext=b"x").status == 200


def test_a_session_that_a_key_policy_names_may_put_the_next_one(office) -> None:
    """PutKeyPolicy: the lockout check is about who asks."""
    first, second = sessions(office, ALLOW_ALL)
    text = policy(allow("kms:*", Principal={"AWS": SESSION}))
    assert second.call("CreateKey", Policy=text).code == "MalformedPolicyDocumentException"
    assert first.call("CreateKey", Policy=text).status == 200


@pytest.mark.parametrize(
    ("principal", "code"),
    [
        ({"AWS": SESSION.replace("deploy", "absent")}, "MalformedPolicyDocumentException"),
        ({"AWS": SESSION.replace(TENANT, "999999999999")}, "MalformedPolicyDocumentException"),
        ({"AWS": SESSION[: -len("build-7")] + "*"}, "MalformedPolicyDocumentException"),
        ({"AWS": SESSION.replace("sts", "iam")}, "MalformedPolicyDocumentException"),
    ],
)
def test_what_is_no_session(office, principal, code) -> None:
    sessions(office)
    text = policy(allow("kms:*", Principal={"AWS": ACCOUNT}), allow("kms:*", Principal=principal))
    assert office.admin.call("CreateKey", Policy=text).code == code
    spared = policy(allow("kms:*", Principal={"AWS": ACCOUNT}), {**deny("kms:*"), "NotPrincipal": {"AWS": SESSION}})
    assert office.admin.call("CreateKey", Policy=spared).code == "MalformedPolicyDocumentException"


def test_a_role_made_anew_has_no_session_of_before(office) -> None:
    sessions(office)
    key = office.key(policy=policy(allow("kms:*", Principal={"AWS": [SESSION, ACCOUNT]})))
    office.admin.client("iam").delete_role(RoleName="deploy")
    first, _ = sessions(office)
    assert first.call("Encrypt", KeyId=key.id, Plaintext=b"x").code == "AccessDeniedException"


def test_a_trust_policy_names_one_session(office) -> None:
    first, second = sessions(office)
    role(office, trust(SESSION), name="second")
    arn = ARN.replace("deploy", "second")
    assert assume(office, first, arn).call("ListKeys").status == 200
    assert not_assumed(second, arn)[0] == "AccessDenied"


def test_a_grant_is_one_sessions(office) -> None:
    """CreateGrant: "Valid principals include … assumed role users"."""
    first, second = sessions(office, policy(allow("kms:ListRetirableGrants")))
    key, admin = office.key(), office.admin
    given = admin.call(
        "CreateGrant", KeyId=key.id, GranteePrincipal=SESSION, RetiringPrincipal=SESSION, Operations=["Encrypt"]
    ).json
    for _ in range(2):
        assert first.call("Encrypt", KeyId=key.id, Plaintext=b"x").status == 200
        assert second.call("Encrypt", KeyId=key.id, Plaintext=b"x").code == "AccessDeniedException"
    for name, n in ((SESSION, 1), (ARN, 0)):
        assert len(admin.call("ListGrants", KeyId=key.id, GranteePrincipal=name).json["Grants"]) == n
        listed = first.call("ListRetirableGrants", RetiringPrincipal=name).json["Grants"]
        assert [one["RetiringPrincipal"] for one in listed] == [SESSION] * n
    retired = {"KeyId": key.id, "GrantId": given["GrantId"]}
    assert second.call("RetireGrant", **retired).code == "AccessDeniedException"
    assert first.call("RetireGrant", **retired).status == 200
    assert first.call("Encrypt", KeyId=key.id, Plaintext=b"x").code == "AccessDeniedException"


def test_a_session_that_is_granted_it_makes_and_retires_grants(office) -> None:
    first, second = sessions(office)
    key = office.key()
    may = {"KeyId": key.id, "Operations": ["Encrypt", "CreateGrant", "RetireGrant"]}
    given = office.admin.call("CreateGrant", GranteePrincipal=SESSION, **may).json
    more = {"KeyId": key.id, "GranteePrincipal": ARN, "Operations": ["Encrypt"]}
    assert second.call("CreateGrant", **more).code == "AccessDeniedException"
    assert first.call("CreateGrant", **more).status == 200
    assert second.call("Encrypt", KeyId=key.id, Plaintext=b"x").status == 200  # by the role's
    assert second.call("RetireGrant", GrantToken=given["GrantToken"]).code == "AccessDeniedException"
    assert first.call("RetireGrant", GrantToken=given["GrantToken"]).status == 200


# --- a user's own


def test_a_session_of_a_users_own(office) -> None:
    alice = office.user("alice", ALLOW_ALL)  # kms:* alone: no permission is needed
    made = alice.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    assert made["Expiration"] == (office.clock.now() + timedelta(seconds=900)).replace(microsecond=0)
    guest = person_of(office, made)
    assert guest.call("ListKeys").status == 200
    assert guest.client("sts").get_caller_identity()["Arn"] == alice.arn
    office.by_system(ops.DeleteCredential(tenant=ops.TenantRef(TENANT), credential_id=alice.access_key_id))
    assert guest.call("ListKeys").status == 200  # as AWS has it: the session is the user's, not the key's
    office.by_system(ops.DeletePrincipal(tenant=ops.TenantRef(TENANT), name="alice"))
    assert guest.call("ListKeys").code == "UnrecognizedClientException"


def test_no_session_prolongs_itself(office) -> None:
    role(office, trust(ACCOUNT))
    own = person_of(office, office.admin.client("sts").get_session_token()["Credentials"])
    for guest in (own, assume(office, office.admin)):
        assert refused(guest.client("sts").get_session_token) == (
            "AccessDenied",
            "Cannot call GetSessionToken with session credentials",
        )
    assert refused(own.client("iam").create_access_key)[0] == "AccessDenied"
    assert assume(office, own).call("ListKeys").status == 200


def test_a_session_of_a_user_is_not_told_whose_an_access_key_is(office) -> None:
    """GetSessionToken: "cannot call any STS API except AssumeRole, GetCallerIdentity" and three that are not here."""
    role(office, trust(ACCOUNT), may=policy(allow("sts:GetAccessKeyInfo")))
    own = person_of(office, office.admin.client("sts").get_session_token()["Credentials"])
    code, words = refused(own.client("sts").get_access_key_info, AccessKeyId=office.admin.access_key_id)
    assert code == "AccessDenied" and "a session of a user without multi-factor authentication may not" in words
    guest = assume(office, office.admin)
    for key in (guest, office.admin):
        assert guest.client("sts").get_access_key_info(AccessKeyId=key.access_key_id)["Account"] == TENANT


def test_the_root_has_an_hour(office) -> None:
    made = office.by_system(ops.CreateAccessKey(tenant=ops.TenantRef(TENANT), name="root"))
    root = Person(office, office.first.root, made.credential.id, made.secret.reveal(), None)
    session = root.client("sts").get_session_token(DurationSeconds=7200)["Credentials"]
    assert session["Expiration"] == (office.clock.now() + timedelta(hours=1)).replace(microsecond=0)


def test_a_session_of_a_role_manages_identities_where_the_role_may(office) -> None:
    role(office, trust(ACCOUNT), may=policy(allow("iam:*")))
    iam = assume(office, office.admin).client("iam")
    iam.create_user(UserName="alice")
    assert refused(iam.get_user) == (
        "ValidationError",
        "Must specify userName when calling with non-User credentials",
    )
    assert refused(iam.create_access_key)[0] == "ValidationError"


def test_on_the_event_loop_nothing_blocks_and_nothing_is_done_twice(office) -> None:
    office.on_the_loop()
    role(office, trust(ACCOUNT))
    assert assume(office, office.admin).call("ListKeys").status == 200
    done = [record.operation for record in office.records() if record.operation.startswith(("iam:", "sts:"))]
    assert sorted(done) == ["iam:CreateRole", "iam:PutRolePolicy", "sts:AssumeRole"]


# --- tokens


def test_a_token_is_taken_whole_and_with_its_own_key(office) -> None:
    role(office, trust(ACCOUNT))
    good, other = assume(office, office.admin), assume(office, office.admin, session="build-8")
    raw = bytearray(b64decode(good.token))
    forged = []
    for place in range(0, len(raw), 7):
        raw[place] ^= 1
        forged.append(b64encode(raw).decode())
        raw[place] ^= 1
    forged += [good.token[:-4], good.token + "AAAA", other.token, "", " ", None]
    for token in forged:
        liar = Person(office, good.principal, good.access_key_id, good.credentials.secret_key.encode(), token)
        assert liar.call("ListKeys").code == "UnrecognizedClientException", token
    lasting = Person(
        office, good.principal, office.admin.access_key_id, office.admin.credentials.secret_key.encode(), good.token
    )
    assert lasting.call("ListKeys").code == "UnrecognizedClientException"
    borrowed = Person(office, good.principal, good.access_key_id, other.credentials.secret_key.encode(), good.token)
    assert borrowed.call("ListKeys").code == "InvalidSignatureException"
    assert good.call("ListKeys").status == 200


def test_nothing_of_a_session_is_in_a_record_or_in_a_repr(office) -> None:
    role(office, trust(ACCOUNT))
    guest = assume(office, office.admin)
    guest.call("ListKeys")
    lines = b"".join(office.journal.lines)
    assert guest.token.encode() not in lines and guest.credentials.secret_key.encode() not in lines


# --- GetAccessKeyInfo


def test_whose_an_access_key_is(office) -> None:
    office.keyring(OTHER_TENANT)
    carol = office.user("carol", tenant=OTHER_TENANT)
    sts = office.admin.client("sts")
    assert sts.get_access_key_info(AccessKeyId=office.admin.access_key_id)["Account"] == TENANT
    assert refused(sts.get_access_key_info, AccessKeyId=carol.access_key_id)[0] == "ValidationError"
    assert refused(sts.get_access_key_info, AccessKeyId="AKIAAAAAAAAAAAAAAAAA")[0] == "ValidationError"
    alice = office.user("alice", ALLOW_ALL)
    code, _ = refused(alice.client("sts").get_access_key_info, AccessKeyId=alice.access_key_id)
    assert code == "AccessDenied"
