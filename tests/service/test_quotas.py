"""How many there may be: AWS's numbers and words, exact among workers, and no scan for it (core.quotas)."""

from __future__ import annotations

import json
import random
import threading
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace
from tests.doors.aws_kms.managing import allow, ask, made, policy, root, scheduled
from tests.fakes import MemorySlot, SeededEntropy
from tests.harness import ALLOW_ALL, TENANT, stack
from tests.service.test_races import overtake

from keystead import config
from keystead.core import operations as ops
from keystead.core.entities import Key, Keyring
from keystead.core.errors import InvalidArgument, LimitExceeded
from keystead.core.quotas import AWS, Quotas
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState
from keystead.service import counts
from keystead.service.barrier import Barrier, Commit
from keystead.stores.sqlite import SqliteStore

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": root()}, "Action": "sts:AssumeRole"}],
    }
)


def limited(**numbers: int):
    office = stack()
    office.service._quotas = Quotas(**numbers)
    return office


def ring(office) -> str:
    (found,) = office.by_system(ops.ListKeyrings(limit=10)).items
    return found.keyring.id


def kept(office, name: str, parent: str) -> int | None:
    with office.store.transaction() as txn:
        return counts.Counts(txn, office.barrier.rows)._kept(name, parent)


def refused(person, operation: str, **members) -> str:
    reply = person.call(operation, **members)
    assert (reply.status, reply.code) == (400, "LimitExceededException"), (reply.status, reply.code)
    return reply.message


def test_the_numbers_are_those_of_aws_unless_somebody_sets_others(tmp_path) -> None:
    """KMS Developer Guide, "Resource quotas"; IAM User Guide, "IAM and AWS STS quotas"."""
    assert Quotas(
        keys=100_000, aliases=50, grants=50_000, tags=50, rotations=25, policy_bytes=32_768, users=5000, roles=1000,
        access_keys=2, namespaces=10_000,
    ) == AWS == config.Config().quotas  # fmt: skip
    path = tmp_path / config.FILE_NAME
    path.write_text("quotas = { keys = 7, grants = 100 }\n")
    assert config.read(tmp_path).quotas == replace(AWS, keys=7, grants=100)
    for wrong in ("{ keyes = 7 }", "{ keys = -1 }", "{ policy_bytes = 40000 }"):
        path.write_text(f"quotas = {wrong}\n")
        with pytest.raises(InvalidArgument):
            config.read(tmp_path)


def test_keys_of_an_account_and_region() -> None:
    """Those that wait for their deletion count, those that are gone do not."""
    office = limited(keys=3)
    admin, scheduler = office.admin, scheduled(office)
    first, *_ = [made(admin) for _ in range(3)]
    said = "Key quota for this account in this region is 3 but the current usage is 3."
    assert refused(admin, "CreateKey") == said
    assert refused(admin, "CreateKey", Origin="EXTERNAL") == said
    assert office.record().outcome == "refused: LimitExceeded"
    ask(admin, "ScheduleKeyDeletion", KeyId=first, PendingWindowInDays=7)
    assert refused(admin, "CreateKey") == said
    office.clock.forward(timedelta(days=7))
    assert scheduler.step() == 1
    made(admin)
    assert refused(admin, "CreateKey") == said
    ask(admin, "UpdateKeyDescription", KeyId=made_again(admin), Description="a change is no new key")


def made_again(admin) -> str:
    return ask(admin, "ListKeys")["Keys"][0]["KeyId"]


def test_another_region_has_its_own() -> None:
    office = limited(keys=1)
    office.keyring(TENANT, "eu-west-1")
    office.key()
    office.key(region="eu-west-1")
    with pytest.raises(LimitExceeded):
        office.key()


def test_of_two_who_make_the_last_one_comes_second() -> None:
    office = limited(keys=2)
    made(office.admin)
    overtake(office, lambda: made(office.admin))
    assert "current usage is 2" in refused(office.admin, "CreateKey")
    assert kept(office, "keys", ring(office)) == 2


def test_of_many_threads_with_two_views_of_one_file_so_many_win_as_there_is_room(tmp_path) -> None:
    """Two barriers over one database, as two workers have it, and no lock between them but the store's."""
    office = stack()
    key = office.key()
    entropy, slot, root_key = SeededEntropy(), MemorySlot(), Sensitive(b"k" * 32)
    stores = [SqliteStore(tmp_path / "data" / "db", busy_for=60.0) for _ in range(2)]
    barriers = [Barrier(store, slot, entropy) for store in stores]
    barriers[0].initialise(root_key)
    barriers[1].open(root_key)
    within, outcomes = Quotas(keys=10), []

    def make(barrier: Barrier, name: str) -> None:
        for n in range(10):
            try:
                barrier.commit(Commit(put=(replace(key, id=f"{name}-{n}", revision=0),), within=within))
                outcomes.append(True)
            except LimitExceeded:
                outcomes.append(False)

    threads = [threading.Thread(target=make, args=(barriers[n % 2], f"t{n}")) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(True) == 10 == len(barriers[0].children(Key, key.keyring))
    for store in stores:
        store.close()


def test_only_the_first_ever_is_counted_over_the_rows(monkeypatch) -> None:
    office = limited(keys=100)
    made(office.admin)
    monkeypatch.setattr(counts, "count", lambda *_: pytest.fail("scanned"))
    for _ in range(3):
        made(office.admin)
    assert kept(office, "keys", ring(office)) == 4


@pytest.mark.parametrize("lost", [b"", b"rot" * 20], ids=["never kept", "rotten"])
def test_what_was_not_kept_is_counted_anew(lost) -> None:
    """An installation that is older than its quotas; a fact that does not verify."""
    office = limited(keys=4)
    for _ in range(3):
        made(office.admin)
    with office.store.transaction() as txn:
        txn.put_meta(f"count/keys/{ring(office)}", lost)
    made(office.admin)
    assert "current usage is 4" in refused(office.admin, "CreateKey")


def test_a_row_that_is_mended_makes_the_count_uncertain_and_it_is_taken_anew() -> None:
    office = limited(keys=3)
    key = office.barrier.get(Key, made(office.admin))
    made(office.admin)
    row = office.store.get(Key.kind, key.id)
    with office.store.transaction() as txn:
        txn.put(replace(row, sealed=b"\0" * len(row.sealed)))
    office.barrier.commit(Commit(put=(key,)))
    assert kept(office, "keys", key.keyring) is None
    made(office.admin)
    assert kept(office, "keys", key.keyring) == 3
    assert "current usage is 3" in refused(office.admin, "CreateKey")


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_to_keys_the_count_is_what_there_is(seed) -> None:
    office = stack(seed=seed + 1)
    chance, admin, scheduler = random.Random(seed), office.admin, scheduled(office)
    keys: list[str] = []
    for _ in range(60):
        what = chance.choice(["create", "create", "schedule", "cancel", "disable", "wait", "rotate", "tag"])
        one = chance.choice(keys) if keys else ""
        if what == "create" or not one:
            keys.append(made(admin))
        elif what == "schedule":
            admin.call("ScheduleKeyDeletion", KeyId=one, PendingWindowInDays=7)
        elif what == "cancel":
            admin.call("CancelKeyDeletion", KeyId=one)
        elif what == "disable":
            admin.call("DisableKey", KeyId=one)
        elif what == "rotate":
            office.barrier.rotate()
        elif what == "tag":
            admin.call("TagResource", KeyId=one, Tags=[{"TagKey": "a", "TagValue": "b"}])
        else:
            office.clock.forward(timedelta(days=4))
            scheduler.step()
    there = office.barrier.children(Key, ring(office))
    alive = [key for key in there if key.lifecycle.state is not KeyState.DESTROYED]
    assert len(alive) < len(there), "some were destroyed"
    assert kept(office, "keys", ring(office)) == len(alive)


def test_what_belongs_to_one_key() -> None:
    office = limited(aliases=2, grants=1, tags=2, rotations=1, policy_bytes=400)
    admin, alice = office.admin, office.user("alice")
    key = made(admin)
    for n in range(2):
        ask(admin, "CreateAlias", AliasName=f"alias/{n}", TargetKeyId=key)
    assert refused(admin, "CreateAlias", AliasName="alias/2", TargetKeyId=key) == (
        "Aliases per key quota for this account in this region is 2, current usage is 2."
    )
    grant = {"KeyId": key, "GranteePrincipal": f"arn:aws:iam::{TENANT}:user/{alice.principal.name}"}
    ask(admin, "CreateGrant", Operations=["Encrypt"], **grant)
    assert refused(admin, "CreateGrant", Operations=["Decrypt"], **grant) == (
        "Grants per key quota for this account in this region is 1, current usage is 1."
    )
    ask(admin, "TagResource", KeyId=key, Tags=[{"TagKey": str(n), "TagValue": ""} for n in range(2)])
    reply = admin.call("TagResource", KeyId=key, Tags=[{"TagKey": "2", "TagValue": ""}])
    assert (reply.code, reply.message) == ("TagException", "Too many tags")
    ask(admin, "RotateKeyOnDemand", KeyId=key)
    assert "on-demand rotations limit has been reached" in refused(admin, "RotateKeyOnDemand", KeyId=key)
    text = policy(allow("kms:*", principal=root()))
    ask(admin, "PutKeyPolicy", KeyId=key, Policy=text + " " * (400 - len(text)))
    refused(admin, "PutKeyPolicy", KeyId=key, Policy=text + " " * (401 - len(text)))


def test_50_000_grants_are_counted_where_the_key_is_held() -> None:
    office = stack()
    key = office.key()
    ask(office.admin, "CreateGrant", KeyId=key.id, GranteePrincipal=root(), Operations=["Encrypt"])
    ask(office.admin, "DescribeKey", KeyId=key.id)  # the view is up to date now
    held = office.view.find(ops.KeyRef(f"aws:{TENANT}:us-east-1", id=key.id))
    held.grants *= AWS.grants
    reply = office.admin.call("CreateGrant", KeyId=held.id, GranteePrincipal=root(), Operations=["Encrypt"])
    assert (reply.code, reply.message) == (
        "LimitExceededException",
        "Grants per key quota for this account in this region is 50000, current usage is 50000.",
    )


def test_users_roles_and_access_keys() -> None:
    office = limited(users=2, roles=1, access_keys=1)
    iam = office.admin.client("iam")
    iam.create_user(UserName="alice")  # admin is one already

    def refused_by_iam(act, **members) -> str:
        with pytest.raises(ClientError) as caught:
            act(**members)
        said = caught.value.response
        assert (said["Error"]["Code"], said["ResponseMetadata"]["HTTPStatusCode"]) == ("LimitExceeded", 409)
        return said["Error"]["Message"]

    assert refused_by_iam(iam.create_user, UserName="bob") == "Cannot exceed quota for UsersPerAccount: 2"
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=TRUST)
    again = {"RoleName": "other", "AssumeRolePolicyDocument": TRUST}
    assert refused_by_iam(iam.create_role, **again) == "Cannot exceed quota for RolesPerAccount: 1"
    iam.create_access_key(UserName="alice")
    assert refused_by_iam(iam.create_access_key, UserName="alice") == "Cannot exceed quota for AccessKeysPerUser: 1"
    with pytest.raises(LimitExceeded):
        office.by_system(ops.CreatePrincipal(tenant=ops.TenantRef(TENANT), name="carol"))
    iam.delete_role(RoleName="app")
    iam.create_role(**again)
    assert kept(office, "users", TENANT) == 2 and kept(office, "roles", TENANT) == 1


def test_what_is_restored_has_no_quota() -> None:
    """Somebody who puts back what was lost is not told that there was too much of it."""
    office = limited(keys=1)
    key = office.key()
    more = tuple(replace(key, id=f"k{n}", revision=0) for n in range(3))
    office.barrier.commit(Commit(put=more))
    assert kept(office, "keys", key.keyring) == 4
    assert office.barrier.get(Keyring, key.keyring) is not None
    assert "current usage is 4" in refused(office.admin, "CreateKey")


def test_who_may_not_make_keys_does_not_hear_how_many_there_are() -> None:
    office = limited(keys=0)
    assert office.user("nobody").call("CreateKey").code == "AccessDeniedException"
    assert office.user("somebody", policy=ALLOW_ALL).call("CreateKey").code == "LimitExceededException"
