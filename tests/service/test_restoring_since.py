"""What comes back from an older backup is held to what was done to it since, by the audit log (docs/adr/0047)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.doors.aws_kms.wrapped import NEW, importing
from tests.harness import ALLOW_ALL, TENANT, b64
from tests.memorystore import MemoryStore
from tests.service.restored import EVERY, Office, Past, become

from keystead.core.audit.merkle import leaf_hash
from keystead.core.audit.record import Record, Target, Who, parse
from keystead.core.audit.verify import Tampered
from keystead.core.entities import Key, KeyPolicy, Keyring, KeyVersion, Kind, Name
from keystead.core.states import KeyState
from keystead.service.imprint import is_as_made
from keystead.service.root import Head, Root
from keystead.service.since import NOBODY_KNOWS, NOTHING, newest_change, since, told

NARROW = ALLOW_ALL.replace('"Allow",', f'"Allow","Principal":{{"AWS":"arn:aws:iam::{TENANT}:root"}},')


OUTCOMES = ("performed", "refused: Denied", "dry run", "performed")  # the first is the backup's own


@pytest.fixture
def office() -> Office:
    return Office()


ACTS = {
    "disabled": lambda o, key: o.ask("DisableKey", KeyId=key.id),
    "narrowed": lambda o, key: o.ask("PutKeyPolicy", KeyId=key.id, PolicyName="default", Policy=NARROW),
    "appointed": lambda o, key: o.ask("ScheduleKeyDeletion", KeyId=key.id, PendingWindowInDays=7),
    "tagged": lambda o, key: o.ask("TagResource", KeyId=key.id, Tags=[{"TagKey": "a", "TagValue": "b"}]),
}
HARMLESS = {
    "nothing": lambda _o, _key: None,
    "described": lambda o, key: o.ask("UpdateKeyDescription", KeyId=key.id, Description="d"),
    "used": lambda o, key: o.ask("Encrypt", KeyId=key.id, Plaintext=b64(b"x")),
    "rotated": lambda o, key: o.ask("RotateKeyOnDemand", KeyId=key.id),
    "another": lambda o, _key: o.ask("DisableKey", KeyId=o.stack.key().id),
    "a grant": lambda o, key: o.ask(
        "RevokeGrant",
        KeyId=key.id,
        GrantId=o.ask("CreateGrant", KeyId=key.id, GranteePrincipal=o.admin.arn, Operations=["Encrypt"])["GrantId"],
    ),
}


@pytest.mark.parametrize("act", ACTS)
def test_a_key_that_was_narrowed_since_comes_back_out_of_service(office, act) -> None:
    key = office.stack.key()
    past = office.keep()
    ACTS[act](office, key)
    office.lose(key)
    done = past.restore()
    assert (done.restored, done.suspended) == ((f"key {key.id}",), (key.id,))
    assert done.is_known and [one.target for one in done.since] == [key.id]
    assert office.admin.call("Encrypt", KeyId=key.id, Plaintext=b64(b"x")).code == "DisabledException"
    back = office.stack.stored(key)
    assert (back.lifecycle.state, back.restored_at) == (KeyState.SUSPENDED, office.stack.clock.now())
    office.ask("EnableKey", KeyId=key.id)
    assert office.stack.stored(key).restored_at is None
    assert office.admin.call("Encrypt", KeyId=key.id, Plaintext=b64(b"x")).status == 200


@pytest.mark.parametrize("act", HARMLESS)
def test_one_that_nothing_was_taken_from_comes_back_in_service(office, act) -> None:
    key = office.stack.key()
    past = office.keep()
    HARMLESS[act](office, key)
    office.lose(key)
    assert past.restore().suspended == ()
    assert office.stack.stored(key).restored_at is None
    assert office.admin.call("Encrypt", KeyId=key.id, Plaintext=b64(b"x")).status == 200


def test_where_nobody_knows_every_key_that_comes_back_is_out_of_service(office) -> None:
    key, other = office.stack.key(), office.stack.key()
    past = office.keep()
    office.lose(key)
    done = past.restore(NOBODY_KNOWS)
    assert (done.suspended, done.is_known) == ((key.id,), False)
    assert office.stack.stored(other).lifecycle.state is KeyState.ACTIVE


def test_whoever_says_so_has_it_as_it_was(office) -> None:
    key = office.stack.key()
    past = office.keep()
    office.ask("DisableKey", KeyId=key.id)
    office.lose(key)
    assert past.restore(NOTHING).suspended == ()
    assert office.stack.stored(key).lifecycle.state is KeyState.ACTIVE


@pytest.mark.parametrize(("act", "shuts"), [("narrowed", True), ("disabled", False)])
def test_a_policy_that_was_lost_shuts_its_key_where_it_was_another_since(office, act, shuts) -> None:
    key = office.stack.key(policy=NARROW)
    past = office.keep()
    ACTS[act](office, key)
    if not shuts:
        office.ask("EnableKey", KeyId=key.id)
    office.lose(office.stack.barrier.get(KeyPolicy, key.id))
    done = past.restore()
    assert (done.restored, done.suspended) == ((f"key-policy {key.id}",), (key.id,) * shuts)
    assert office.stack.stored(key).lifecycle.state is (KeyState.SUSPENDED if shuts else KeyState.ACTIVE)


def test_what_comes_back_and_what_is_shut_is_on_record(office) -> None:
    key = office.stack.key()
    past = office.keep()
    office.ask("DisableKey", KeyId=key.id)
    office.lose(key)
    past.restore()
    record = parse(office.stack.store.records(0, 1_000_000)[-1][1])
    assert (record.operation, record.who.kind, record.outcome) == ("RestoreBackup", "system", "performed")
    assert [(one.action, one.key) for one in record.targets] == [("system:restore", key.id), ("key:disable", key.id)]


def test_a_name_that_was_deleted_or_moved_since_stays_away_and_another_comes_back(office) -> None:
    key, other = office.stack.key(), office.stack.key()
    for alias in ("alias/gone", "alias/moved", "alias/kept"):
        office.stack.name(key, alias)
    names = office.stack.barrier.linked(Name, key.id)
    past = office.keep()
    office.ask("DeleteAlias", AliasName="alias/gone")
    office.ask("UpdateAlias", AliasName="alias/moved", TargetKeyId=other.id)
    office.lose(*names)
    done = past.restore()
    kept = next(one for one in names if one.name == "alias/kept")
    assert done.restored == (f"name {kept.id}",) and len(done.destroyed) == 2
    assert office.admin.call("DescribeKey", KeyId="alias/gone").code == "NotFoundException"
    assert office.stack.stored(key).lifecycle.state is KeyState.ACTIVE


def test_names_stay_away_where_nobody_knows(office) -> None:
    key = office.stack.key()
    office.stack.name(key, "alias/a")
    names = office.stack.barrier.linked(Name, key.id)
    past = office.keep()
    office.lose(*names)
    done = past.restore(NOBODY_KNOWS)
    assert (done.restored, done.withheld) == ((), (f"name {names[0].id}",))


def test_rows_that_are_damaged_and_in_no_backup_are_told(office) -> None:
    past = office.keep()
    key = office.stack.key()
    rows = office.stack.store._content.items[Kind.KEY]
    rows[key.id] = replace(rows[key.id], sealed=bytes(len(rows[key.id].sealed)))
    assert past.restore().unmended == (f"key {key.id}",)


# --- a keyring


@pytest.mark.parametrize("knows", [True, False])
def test_a_keyring_makes_no_key_unasked_where_that_may_have_been_forbidden_since(office, knows) -> None:
    (ring,) = office.stack.barrier.every(Keyring)
    office.stack.key()
    past = office.keep()
    office.lose(ring)
    past.restore(None if knows else NOBODY_KNOWS)
    assert office.stack.barrier.get(Keyring, ring.id).upserts is knows


# --- imported material


def sealed(office: Office, key_id: str) -> str:
    return office.ask("Encrypt", KeyId=key_id, Plaintext=b64(b"x"))["CiphertextBlob"]


def imported(office: Office) -> str:
    key_id = office.ask("CreateKey", Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    assert importing(office.admin, key_id, bytes([1]) * 32, **NEW).status == 200
    return key_id


def brought(office: Office, key_id: str, n: int) -> None:
    assert importing(office.admin, key_id, bytes([n]) * 32, **NEW).status == 200


def test_a_key_of_imported_material_comes_back_at_todays_version_and_knows_its_materials(office) -> None:
    key_id = imported(office)
    past: Past = office.keep()
    for n in (2, 3):
        brought(office, key_id, n)
        office.ask("RotateKeyOnDemand", KeyId=key_id)
    brought(office, key_id, 4)  # waits
    before, text = office.stack.barrier.get(Key, key_id), sealed(office, key_id)
    office.lose(before)
    assert past.restore().suspended == ()
    back = office.stack.barrier.get(Key, key_id)
    assert (back.material_ids, back.n_versions, back.current) == (before.material_ids, 4, 3)
    assert office.ask("Decrypt", CiphertextBlob=text)["Plaintext"] == b64(b"x")
    office.ask("RotateKeyOnDemand", KeyId=key_id)
    assert office.stack.barrier.get(Key, key_id).current == 4
    brought(office, key_id, 5)


def test_material_that_waited_and_was_given_up_leaves_no_number(office) -> None:
    key_id = imported(office)
    past = office.keep()
    brought(office, key_id, 2)
    (_, waits) = office.stack.barrier.get(Key, key_id).material_ids
    office.ask("DeleteImportedKeyMaterial", KeyId=key_id, KeyMaterialId=waits)
    office.lose(office.stack.barrier.get(Key, key_id))
    past.restore()
    assert office.stack.barrier.get(Key, key_id).n_versions == 1
    brought(office, key_id, 3)
    office.ask("EnableKey", KeyId=key_id)  # material was deleted since: whose, the record does not say
    office.ask("RotateKeyOnDemand", KeyId=key_id)
    assert office.stack.barrier.get(Key, key_id).current == 2


def test_a_damaged_version_keeps_its_number_and_the_key_its_others(office) -> None:
    key_id = imported(office)
    past = office.keep()
    for n in (2, 3):
        brought(office, key_id, n)
        office.ask("RotateKeyOnDemand", KeyId=key_id)
    names = office.stack.barrier.get(Key, key_id).material_ids
    office.lose(office.stack.barrier.get(Key, key_id))
    rows = office.stack.store._content.items[Kind.KEY_VERSION]
    rows[f"{key_id}/2"] = replace(rows[f"{key_id}/2"], sealed=bytes(len(rows[f"{key_id}/2"].sealed)))
    assert past.restore().unmended == (f"key-version {key_id}/2",)
    back = office.stack.barrier.get(Key, key_id)
    assert (back.n_versions, back.current) == (3, 3)
    assert [back.material_ids[n] == names[n] for n in range(3)] == [True, False, True]
    assert sealed(office, key_id)


def test_one_whose_material_is_gone_waits_for_it(office) -> None:
    key_id = imported(office)
    brought(office, key_id, 2)
    office.ask("RotateKeyOnDemand", KeyId=key_id)
    first, _ = office.stack.barrier.get(Key, key_id).material_ids
    past = office.keep()
    office.ask("DeleteImportedKeyMaterial", KeyId=key_id, KeyMaterialId=first)
    office.lose(office.stack.barrier.get(Key, key_id))
    past.restore()
    assert office.ask("DescribeKey", KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingImport"


def test_material_runs_out_when_it_was_to(office) -> None:
    key_id = imported(office)
    past = office.keep()
    runs_out = office.stack.clock.now() + timedelta(days=1)
    assert importing(office.admin, key_id, bytes([1]) * 32, ValidTo=runs_out.timestamp()).status == 200
    office.lose(office.stack.barrier.get(Key, key_id))
    past.restore()
    assert office.stack.barrier.get(Key, key_id).lapses_at == runs_out


def test_a_key_whose_rows_are_all_lost_comes_back_whole(office) -> None:
    key = office.stack.key()
    text = sealed(office, key.id)
    past = office.keep()
    office.lose(key, office.stack.barrier.get(KeyPolicy, key.id), office.stack.barrier.get(KeyVersion, f"{key.id}/1"))
    assert len(past.restore().restored) == 3
    assert office.ask("Decrypt", CiphertextBlob=text)["Plaintext"] == b64(b"x")


# --- the log


def test_what_a_log_tells(office) -> None:
    key = office.stack.key()
    past = office.keep()
    assert past.since().deeds == {} and past.since().upto == office.stack.clock.now()
    office.ask("DisableKey", KeyId=key.id)
    (deed,) = past.since().deeds[key.id]
    assert (deed.who, deed.operation, deed.action) == ("admin", "TrentService.DisableKey", "key:disable")
    assert past.since().of([key.id, key.id, "x"]) == (deed,)
    assert told(iter(())).upto is None


def test_what_was_refused_took_nothing_away(office) -> None:
    now = office.stack.clock.now()
    lines = [Record(at=now, outcome=said, targets=(Target("key:disable", "k"),)).encode() for said in OUTCOMES]
    assert [one.index for one in told(enumerate(lines)).deeds["k"]] == [3]


@pytest.mark.parametrize(
    ("who", "named"),
    [
        (Who(id="1", kind="system", via="uid:0", name="scheduler"), "uid:0"),
        (Who(id="1", kind="system", name="scheduler"), "scheduler"),
        (Who(id="2", kind="user", via="AKIA0", name="alice"), "alice"),
        (Who(id="3", kind="token"), "3"),
    ],
)
def test_an_act_is_told_as_that_of_whoever_did_it(office, who, named) -> None:
    now = office.stack.clock.now()
    line = Record(at=now, who=who, outcome="performed", targets=(Target("key:disable", "k"),)).encode()
    assert [one.who for one in told(enumerate([line, line])).deeds["k"]] == [named]


class Log:
    """service.log.Log of what there is since."""

    def __init__(self, past: Past, *, tampered: bool = False) -> None:
        self.lines = past.stack.store.records(0, 1_000_000)
        self.tampered = tampered

    def verify(self, _key: object, _verify: object) -> None:
        if self.tampered:
            raise Tampered("records 0 to 1 are not those of the checkpoint", 0, 1)

    def find(self, leaf: bytes) -> int | None:
        return next((n for n, line in self.lines if leaf_hash(line) == leaf), None)

    def numbered(self, first: int) -> Iterator[tuple[int, bytes]]:
        return iter([one for one in self.lines if one[0] >= first])


def test_where_the_log_does_not_have_the_time_nobody_knows(office) -> None:
    key = office.stack.key()
    past = office.keep()
    office.ask("DisableKey", KeyId=key.id)
    barrier = office.stack.barrier
    assert list(since(past.store, Log(past), barrier).deeds) == [key.id]
    assert since(past.store, Log(past, tampered=True), barrier) == NOBODY_KNOWS
    younger = Log(past)
    younger.lines = younger.lines[-1:]
    assert since(past.store, younger, barrier) == NOBODY_KNOWS
    assert since(MemoryStore(), Log(past), barrier) == NOBODY_KNOWS
    assert newest_change(past.store) == office.stack.clock.now() and newest_change(MemoryStore()) is None


# --- a backup that somebody has had in hand


def dated(office: Office, past: Past) -> None:
    """As if it were of now: its newest change record is the log's."""
    content = past.store._content
    content.n_records += 1
    content.records[content.n_records] = office.stack.store.records(0, EVERY)[-1][1]


def another_tree(_office: Office, past: Past) -> None:
    nodes = past.store._content.nodes
    place = next(iter(nodes))
    nodes[place] = nodes[place][::-1]


def from_before(office: Office, past: Past) -> None:
    """As databases were when their heads named no record."""
    rows, store = office.stack.barrier.rows, past.store
    epoch = Root.decode(store.meta("root")).epoch
    head = replace(Head.open(rows, store.meta("head"), epoch), newest=b"")
    store._content.meta["head"] = head.seal(rows, epoch)


def test_one_that_is_as_it_was_made_is_believed(office) -> None:
    office.stack.key()
    past = office.keep()
    assert is_as_made(past.store, office.stack.barrier.rows)
    assert since(past.store, Log(past), office.stack.barrier).is_known


@pytest.mark.parametrize("change", [dated, another_tree, from_before])
def test_nobody_knows_what_was_taken_away_since_one_that_is_not(office, change) -> None:
    key = office.stack.key()
    past = office.keep()
    office.ask("DisableKey", KeyId=key.id)
    office.ask("UpdateKeyDescription", KeyId=key.id, Description="later")
    change(office, past)
    told = since(past.store, Log(past), office.stack.barrier)
    assert not told.is_known
    assert (key.id in told.deeds) is (change is not dated), "what the log tells is not forgotten"
    office.lose(key)
    assert past.restore(told).suspended == (key.id,)


def test_nor_since_one_that_has_an_older_row_among_newer_ones(office) -> None:
    key = office.stack.key()
    older = office.keep()
    ACTS["narrowed"](office, key)
    newer = office.keep()
    assert is_as_made(newer.store, office.stack.barrier.rows)
    policies = newer.store._content.items[Kind.KEY_POLICY]
    policies[key.id] = older.store._content.items[Kind.KEY_POLICY][key.id]
    told = since(newer.store, Log(newer), office.stack.barrier)
    office.lose(office.stack.barrier.get(KeyPolicy, key.id))
    assert (told.is_known, newer.restore(told).suspended) == (False, (key.id,))


@pytest.mark.parametrize("is_dated", [False, True])
def test_nor_where_it_is_the_database_of_today_under_another_tree(office, is_dated) -> None:
    key = office.stack.key()
    past = office.keep()
    office.ask("DisableKey", KeyId=key.id)
    if is_dated:
        dated(office, past)
    log = Log(past)
    barrier = become(past)
    assert since(past.store, log, barrier).is_known is not is_dated
