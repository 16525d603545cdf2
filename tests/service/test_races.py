"""Two changes at once: a commit rests on revisions, and whoever comes second decides again."""

import json

import pytest
from botocore.exceptions import ClientError
from tests.doors.aws_kms.managing import ask, made
from tests.harness import ALLOW_ALL, TENANT, b64, stack

from keystead.core import operations as ops
from keystead.core.entities import Credential, CredentialKind, Key, Kind, PolicyText, PrincipalKind
from keystead.core.errors import LimitExceeded, Unavailable

AT = ops.TenantRef(TENANT)


@pytest.fixture
def office():
    return stack()


def overtake(office, rival) -> None:
    """Have `rival()` commit in the middle of the next commit."""
    commit = office.barrier.commit

    def overtaken(change):
        office.barrier.commit = commit
        rival()
        commit(change)

    office.barrier.commit = overtaken


def test_two_give_one_name(office) -> None:
    admin, mine, theirs = office.admin, made(office.admin), made(office.admin)
    overtake(office, lambda: ask(admin, "CreateAlias", AliasName="alias/app", TargetKeyId=theirs))
    assert admin.call("CreateAlias", AliasName="alias/app", TargetKeyId=mine).code == "AlreadyExistsException"
    assert ask(admin, "DescribeKey", KeyId="alias/app")["KeyMetadata"]["KeyId"] == theirs


def test_two_make_a_user_of_one_name(office) -> None:
    """What a name means is one principal: whoever comes second is told that it is taken."""
    iam = office.admin.client("iam")
    overtake(office, lambda: iam.create_user(UserName="eve"))
    with pytest.raises(ClientError, match="EntityAlreadyExists"):
        iam.create_user(UserName="eve")
    overtake(office, lambda: office.by_system(ops.CreatePrincipal(tenant=AT, name="bob")))
    with pytest.raises(ClientError, match="EntityAlreadyExists"):
        iam.create_user(UserName="bob")
    assert sorted(one.name for one in office.by_system(ops.ListPrincipals(tenant=AT)).items) == [
        *("admin", "bob", "eve", "root")
    ]


def test_a_user_given_a_key_while_being_deleted_stays(office) -> None:
    iam = office.admin.client("iam")
    iam.create_user(UserName="eve")
    overtake(office, lambda: iam.create_access_key(UserName="eve"))
    with pytest.raises(ClientError, match="DeleteConflict"):
        iam.delete_user(UserName="eve")
    assert len(iam.list_access_keys(UserName="eve")["AccessKeyMetadata"]) == 1


def test_two_rotate_one_key(office) -> None:
    admin, key_id = office.admin, made(office.admin)
    overtake(office, lambda: ask(admin, "RotateKeyOnDemand", KeyId=key_id))
    ask(admin, "RotateKeyOnDemand", KeyId=key_id)
    key = office.barrier.get(Key, key_id)
    assert (key.n_versions, key.current, key.n_on_demand) == (3, 3, 2)
    blob = ask(admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))["CiphertextBlob"]
    assert ask(admin, "Decrypt", CiphertextBlob=blob)["Plaintext"] == b64(b"x")


def test_two_tag_one_key(office) -> None:
    admin, key_id = office.admin, made(office.admin)
    overtake(office, lambda: ask(admin, "TagResource", KeyId=key_id, Tags=[{"TagKey": "b", "TagValue": "2"}]))
    ask(admin, "TagResource", KeyId=key_id, Tags=[{"TagKey": "a", "TagValue": "1"}])
    assert office.barrier.get(Key, key_id).tags == {"a": "1", "b": "2"}


def test_a_right_taken_away_meanwhile_is_a_right_not_had(office) -> None:
    """Row 45: the change was allowed when it was looked at, and is not when it would be made."""
    alice = office.user("alice")
    key_id = made(office.admin)
    body = {"KeyId": key_id, "GranteePrincipal": alice.arn}
    grant = ask(office.admin, "CreateGrant", **body, Operations=["CreateGrant", "Encrypt"])
    overtake(office, lambda: ask(office.admin, "RevokeGrant", KeyId=key_id, GrantId=grant["GrantId"]))
    assert alice.call("CreateGrant", **body, Operations=["Encrypt"]).code == "AccessDeniedException"
    assert ask(office.admin, "ListGrants", KeyId=key_id)["Grants"] == []


def test_two_make_the_last_access_key(office) -> None:
    rival = ops.CreateAccessKey(tenant=AT, name="admin")
    overtake(office, lambda: office.by_system(rival))
    with pytest.raises(LimitExceeded):
        office.by_system(rival)
    listed = office.by_system(ops.ListCredentials(tenant=AT, name="admin")).items
    assert sum(one.credential_kind is CredentialKind.ACCESS_KEY for one in listed) == 2


def test_an_access_key_for_somebody_who_is_deleted_meanwhile(office) -> None:
    office.user("alice")
    overtake(office, lambda: office.by_system(ops.DeletePrincipal(tenant=AT, name="alice")))
    with pytest.raises(Exception, match="no principal named"):
        office.by_system(ops.CreateAccessKey(tenant=AT, name="alice"))


def test_a_principal_deleted_while_it_gets_an_access_key_leaves_none(office) -> None:
    alice = office.user("alice")
    made_meanwhile = []
    create = ops.CreateAccessKey(tenant=AT, name="alice")
    overtake(office, lambda: made_meanwhile.append(office.by_system(create)))
    office.by_system(ops.DeletePrincipal(tenant=AT, name="alice"))
    for id_ in (alice.access_key_id, made_meanwhile[0].credential.id):
        assert office.barrier.get(Credential, id_) is None


@pytest.mark.parametrize("kept", [True, False])
def test_a_change_whose_commit_failed_and_was_kept_is_in_force(office, kept) -> None:
    """An answer that is lost is no change that is: other workers must not go on as if nothing had happened."""
    admin, key_id = office.admin, made(office.admin)
    ask(admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))
    commit = office.barrier.commit

    def lost(change):
        office.barrier.commit = commit
        if kept:
            commit(change)
        raise Unavailable("the answer to this commit was lost")

    office.barrier.commit = lost
    assert admin.call("DisableKey", KeyId=key_id).code == "DependencyTimeoutException"
    after = admin.call("Encrypt", KeyId=key_id, Plaintext=b"x")
    assert after.code == ("DisabledException" if kept else None)


@pytest.mark.parametrize(
    ("taken", "code"),
    [
        (ops.SetPrincipalEnabled(tenant=AT, name="alice", enabled=False), "AccessDeniedException"),
        (ops.DeletePrincipal(tenant=AT, name="alice"), "AccessDeniedException"),
        (ops.DeletePrincipalPolicy(tenant=AT, name="alice", policy_name="default"), "AccessDeniedException"),
        (ops.PutPrincipalPolicy(tenant=AT, name="alice", policy=PolicyText("more", "aws", ALLOW_ALL)), None),
    ],
)
def test_row_45_a_principal_shut_out_meanwhile_changes_nothing_more(office, taken, code) -> None:
    """Authenticated before it, authorized before it, committed after it: the log would show an act of nobody's."""
    alice, key_id = office.user("alice", ALLOW_ALL), made(office.admin)
    overtake(office, lambda: office.by_system(taken))
    assert alice.call("DisableKey", KeyId=key_id).code == code
    state = ask(office.admin, "DescribeKey", KeyId=key_id)["KeyMetadata"]["KeyState"]
    assert state == ("Disabled" if code is None else "Enabled")
    if code is not None:
        assert office.record().outcome == "performed" and office.records()[-2].outcome == "refused: Denied"


def test_a_user_who_joins_a_group_while_either_is_being_deleted_leaves_nothing_dangling(office) -> None:
    iam = office.admin.client("iam")
    iam.create_user(UserName="eve")
    iam.create_group(GroupName="staff")

    def join():
        iam.add_user_to_group(GroupName="staff", UserName="eve")

    for delete, name in ((iam.delete_user, {"UserName": "eve"}), (iam.delete_group, {"GroupName": "staff"})):
        overtake(office, join)
        with pytest.raises(ClientError, match="DeleteConflict"):
            delete(**name)
        iam.remove_user_from_group(GroupName="staff", UserName="eve")
    for delete, name in ((iam.delete_group, {"GroupName": "staff"}), (iam.delete_user, {"UserName": "eve"})):
        overtake(office, lambda delete=delete, name=name: delete(**name))
        with pytest.raises(ClientError, match="NoSuchEntity"):
            join()
        assert office.store.count(Kind.MEMBERSHIP) == 0
        if "GroupName" in name:
            iam.create_group(GroupName="staff")
    assert [one["UserName"] for one in iam.list_users()["Users"]] == ["admin"]


def test_a_policy_that_is_attached_while_either_end_is_being_deleted_leaves_nothing_dangling(office) -> None:
    iam = office.admin.client("iam")
    arn = iam.create_policy(PolicyName="use", PolicyDocument=ALLOW_ALL)["Policy"]["Arn"]
    iam.create_user(UserName="eve")
    holder, policy = {"UserName": "eve"}, {"PolicyArn": arn}

    def attach():
        iam.attach_user_policy(**holder, **policy)

    for delete, name in ((iam.delete_user, holder), (iam.delete_policy, policy)):
        overtake(office, attach)
        with pytest.raises(ClientError, match="DeleteConflict"):
            delete(**name)
        iam.detach_user_policy(**holder, **policy)
    for delete, name in ((iam.delete_user, holder), (iam.delete_policy, policy)):
        overtake(office, lambda delete=delete, name=name: delete(**name))
        with pytest.raises(ClientError, match="NoSuchEntity"):
            attach()
        assert office.store.count(Kind.ATTACHMENT) == 0
        if "UserName" in name:
            iam.create_user(UserName="eve")
    assert office.store.count(Kind.MANAGED_POLICY) == 0


def test_two_attach_one_policy_and_both_are_counted(office) -> None:
    iam = office.admin.client("iam")
    arn = iam.create_policy(PolicyName="use", PolicyDocument=ALLOW_ALL)["Policy"]["Arn"]
    for name in ("a", "b"):
        iam.create_user(UserName=name)
    overtake(office, lambda: iam.attach_user_policy(UserName="a", PolicyArn=arn))
    iam.attach_user_policy(UserName="b", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 2


def test_a_decision_by_tags_that_have_changed_meanwhile_is_not_kept(office) -> None:
    """Whoever looks at somebody just as his tags change must not be judged by the old ones from then on."""
    iam = office.admin.client("iam")
    iam.create_user(UserName="bob", Tags=[{"Key": "team", "Value": "a"}])
    of_her_team = {"StringEquals": {"aws:ResourceTag/team": "a"}}
    statement = {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*", "Condition": of_her_team}
    alice = office.user("alice", json.dumps({"Version": "2012-10-17", "Statement": [statement]})).client("iam")
    find, whose = office.view.find, ops.PrincipalRef(TENANT, PrincipalKind.USER, "bob")

    def overtaken(ref):
        found = find(ref)
        if ref == whose:
            office.view.find = find
            iam.tag_user(UserName="bob", Tags=[{"Key": "team", "Value": "b"}])
            office.view.refresh()
        return found

    office.view.find = overtaken
    alice.get_user(UserName="bob")  # begun before the change, and decided by what was then
    with pytest.raises(ClientError, match="not authorized"):
        alice.get_user(UserName="bob")
