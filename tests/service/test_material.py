"""Imported material whose time has run out (KMS Developer Guide, "Importing key material": expiration)."""

from datetime import timedelta

import pytest
from tests.doors.aws_kms.managing import ask, made, scheduled, wait
from tests.doors.aws_kms.wrapped import NEW, importing
from tests.harness import TENANT, b64, stack

from keystead.core import operations as ops
from keystead.core.entities import Key, KeyVersion
from keystead.core.errors import Denied, InvalidArgument, WrongState
from keystead.core.operations import KeyRef
from keystead.core.states import KeyState

AT = f"aws:{TENANT}:us-east-1"


@pytest.fixture
def office():
    return stack()


@pytest.fixture
def key(office):
    """A key with two materials that run out after one day and after two."""
    admin = office.admin
    key_id = made(admin, Origin="EXTERNAL")
    for n in (1, 2):
        runs_out = (office.clock.now() + timedelta(days=n)).timestamp()
        reply = importing(admin, key_id, bytes([n]) * 32, ValidTo=runs_out, **NEW)
        assert reply.status == 200, reply.message
    ask(admin, "RotateKeyOnDemand", KeyId=key_id)
    return office.barrier.get(Key, key_id)


def versions(office, key):
    return {version.number: version for version in office.barrier.children(KeyVersion, key.id)}


def test_without_any_of_its_materials_a_key_waits_for_it(office, key) -> None:
    blob = ask(office.admin, "Encrypt", KeyId=key.id, Plaintext=b64(b"x"))["CiphertextBlob"]
    clockwork, epoch = scheduled(office), office.barrier.epoch
    assert wait(office, clockwork, days=1, seconds=-1) == 0
    assert wait(office, clockwork, seconds=1) == 1
    assert office.barrier.epoch == epoch + 1
    held = versions(office, key)
    assert (held[1].wrapped, held[1].lifecycle.state) == (b"", KeyState.DESTROYED)
    assert held[2].wrapped and office.stored(key).lifecycle.state is KeyState.PRE_ACTIVE
    assert wait(office, clockwork, days=1) == 1
    assert not any(version.wrapped for version in versions(office, key).values())
    assert ask(office.admin, "DescribeKey", KeyId=key.id)["KeyMetadata"]["KeyState"] == "PendingImport"
    assert office.admin.call("Decrypt", CiphertextBlob=blob).code == "KMSInvalidStateException"
    assert office.admin.call("EnableKey", KeyId=key.id).code == "KMSInvalidStateException"


def test_an_appointed_destruction_is_kept_though_material_runs_out(office, key) -> None:
    ask(office.admin, "ScheduleKeyDeletion", KeyId=key.id, PendingWindowInDays=7)
    appointed = office.stored(key).lifecycle.destroy_at
    office.clock.forward(timedelta(days=3))
    office.by_system(ops.ExpireMaterial(key=KeyRef(AT, id=key.id)))
    assert office.stored(key).lifecycle.destroy_at == appointed
    assert wait(office, days=5) == 1
    assert office.stored(key).lifecycle.state is KeyState.DESTROYED


def test_nothing_runs_out_before_its_time_or_by_anybody_else(office, key) -> None:
    due = ops.ExpireMaterial(key=KeyRef(AT, id=key.id))
    with pytest.raises(WrongState):
        office.by_system(due)
    office.clock.forward(timedelta(days=3))
    with pytest.raises(Denied):
        office.perform(due)
    with pytest.raises(WrongState):
        office.by_system(ops.ExpireMaterial(key=KeyRef(AT, id=office.key().id)))


# --- what the core holds to, whatever a door lets through


@pytest.mark.parametrize("names", ["name", "update", "grant"])
def test_a_name_and_a_grant_are_for_a_key_told_by_its_id(office, names) -> None:
    key = office.key()
    office.name(key, "alias/app")
    by_name = KeyRef(AT, name="alias/app")
    op = {
        "name": ops.CreateName(key=by_name, name="alias/new"),
        "update": ops.UpdateName(name=by_name, key=by_name),
        "grant": ops.CreateGrant(key=by_name, grantee=office.admin.arn, actions=(ops.Encrypt.action,)),
    }[names]
    with pytest.raises(InvalidArgument):
        office.perform(op)


def test_rule_4_whatever_changes_what_belongs_to_a_key_changes_its_revision(office) -> None:
    """entities, Rule 4: one number tells every cache."""
    admin, key = office.admin, office.key()
    grant = {"KeyId": key.id, "GranteePrincipal": admin.arn, "Operations": ["Encrypt"], "Name": "n"}
    changes = [
        ("CreateAlias", {"AliasName": "alias/a", "TargetKeyId": key.id}),
        ("UpdateAlias", {"AliasName": "alias/a", "TargetKeyId": key.id}),
        ("DeleteAlias", {"AliasName": "alias/a"}),
        ("PutKeyPolicy", {"KeyId": key.id, "Policy": ask(admin, "GetKeyPolicy", KeyId=key.id)["Policy"]}),
        ("CreateGrant", grant),
        ("CreateGrant", grant),  # another token for the same
        ("RotateKeyOnDemand", {"KeyId": key.id}),
    ]
    for operation, members in changes:
        before = office.barrier.get(Key, key.id).revision
        ask(admin, operation, **members)
        assert office.barrier.get(Key, key.id).revision == before + 1, operation
    (held,) = ask(admin, "ListGrants", KeyId=key.id)["Grants"]
    for operation in ("RetireGrant", "RevokeGrant"):
        before = office.barrier.get(Key, key.id).revision
        ask(admin, operation, KeyId=key.id, GrantId=held["GrantId"])
        assert office.barrier.get(Key, key.id).revision == before + 1, operation
        held = ask(admin, "CreateGrant", **grant)
