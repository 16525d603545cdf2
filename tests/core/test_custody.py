"""Backup and restore at the small end; tests/faults/run_destruction.py does it at the large."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from tests.fakes import FakeClock, MemorySlot, SeededEntropy
from tests.systems import system

from keystead.core.algorithms import Purpose
from keystead.core.entities import (
    Credential,
    CredentialKind,
    Elsewhere,
    Erased,
    Fate,
    Key,
    KeyVersion,
    Origin,
    SecretVersion,
    SlotRule,
    Tenant,
)
from keystead.core.errors import Conflict, Internal, Malformed, Unavailable
from keystead.core.keystores import Connection, Connectivity, KeyStore, Proxy
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState, Lifecycle
from keystead.service.barrier import Barrier, Commit
from keystead.service.custody import backup, export_tree, graft, revive
from keystead.service.inspection import inspect
from keystead.service.proof import prove_destroyed
from keystead.service.restoring import restore
from keystead.service.since import NOTHING
from keystead.stores.sqlite import SqliteStore

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
U = Sensitive(b"u" * 32)
TENANT = Tenant(id="111122223333", name="as it was", created_at=NOW)
CREDENTIAL = Credential(
    id="AKIA1", principal_id="p", credential_kind=CredentialKind.ACCESS_KEY, secret=b"s", created_at=NOW
)
KEY_STORE = KeyStore(
    id="cks-1",
    tenant=TENANT.id,
    keyring="r",
    name="one",
    proxy=Proxy(host="xks.example", path="/kms/xks/v1", connectivity=Connectivity.PUBLIC),
    access_key_id="A" * 20,
    secret=b"s",
    connection=Connection.CONNECTED,
    created_at=NOW,
)
VERSIONS = tuple(
    KeyVersion(
        id=f"{key}/1",
        key_id=key,
        number=1,
        lifecycle=Lifecycle(state=KeyState.ACTIVE, since=NOW),
        created_at=NOW,
    )
    for key in ("k1", "k2")
)


class House:
    def __init__(self, directory, seed=1):
        self.directory, self.slot = directory, MemorySlot(seed=seed)
        self.store = SqliteStore(directory / "keystead.db")
        self.barrier = Barrier(self.store, self.slot, SeededEntropy(seed))
        self.barrier.initialise(U)
        material = {version.id: Sensitive(version.id.encode()) for version in VERSIONS}
        self.barrier.commit(
            Commit(put=(TENANT, CREDENTIAL, KEY_STORE, system(self.barrier, NOW), *VERSIONS), material=material)
        )
        self.generation = backup(self.barrier, self.store, directory / "old.db")
        self.old = SqliteStore(directory / "old.db")

    def version(self, key):
        return self.barrier.get(KeyVersion, f"{key}/1")


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.old.close()
    made.store.close()


def test_a_backup_names_the_generation_it_opens_with(house):
    assert list(house.slot.held) == [house.generation]
    revive(house.old, house.directory / "revived.db", house.slot, os.urandom, U)
    house.barrier.rotate()
    with pytest.raises(Conflict):
        revive(house.old, house.directory / "late.db", house.slot, os.urandom, U)
    assert not (house.directory / "late.db").exists()


def test_a_backup_that_a_rotation_overtook_is_taken_again(house, monkeypatch):
    real, rotations = house.store.backup, iter([house.barrier.rotate])

    def overtaken(path):
        real(path)
        next(rotations, lambda: None)()

    monkeypatch.setattr(house.store, "backup", overtaken)
    generation = backup(house.barrier, house.store, house.directory / "new.db")
    assert list(house.slot.held) == [generation]
    new = SqliteStore(house.directory / "new.db")
    Barrier(new, house.slot, os.urandom).open(U)
    new.close()
    monkeypatch.setattr(house.store, "backup", lambda path: (real(path), house.barrier.rotate()))
    with pytest.raises(Unavailable):
        backup(house.barrier, house.store, house.directory / "never.db")
    assert not (house.directory / "never.db").exists()


def test_looking_into_a_backup_erases_nothing_in_the_slot(house):
    house.slot.hold(Sensitive(b"staged".ljust(32)))
    revive(house.old, house.directory / "revived.db", house.slot, os.urandom, U)
    assert len(house.slot.held) == 2


def test_row_108_restoring_brings_back_no_access_and_replaces_nothing(house):
    renamed = replace(house.barrier.get(Tenant, TENANT.id), name="as it is")
    revoked = house.barrier.get(Credential, "AKIA1")
    house.barrier.commit(Commit(put=(renamed,), delete=(revoked, house.version("k1"))))
    done = restore(house.old, house.barrier, house.store, NOTHING, NOW)
    assert done.restored == ("key-version k1/1",)
    assert house.barrier.get(Credential, "AKIA1") is None
    assert house.barrier.get(Tenant, TENANT.id).name == "as it is"
    assert house.barrier.material(house.version("k1")).reveal() == b"k1/1"
    assert inspect(house.barrier, house.store).whole


def test_row_97_restoring_does_not_bring_back_what_was_destroyed(house):
    house.barrier.commit(Commit(destroy=(house.version("k1"),)))
    house.barrier.commit(Commit(delete=(house.version("k1"),)))
    done = restore(house.old, house.barrier, house.store, NOTHING, NOW)
    assert done.destroyed == ("key-version k1/1",)
    assert done.restored == ()
    assert house.version("k1") is None


def test_a_damaged_backup_is_told_and_gives_what_it_can(house):
    house.barrier.commit(Commit(delete=(house.version("k1"), house.version("k2"))))
    with house.old.transaction() as txn:
        row = txn.get(KeyVersion.kind, "k1/1")
        txn.put(replace(row, sealed=bytes(len(row.sealed))))
    done = restore(house.old, house.barrier, house.store, NOTHING, NOW)
    assert done.damaged == ("key-version k1/1",)
    assert done.restored == ("key-version k2/1",)
    assert prove_destroyed(house.old, house.barrier, house.store).damaged == ("k1/1",)


def test_a_backup_of_another_house_proves_nothing(house, tmp_path_factory):
    other = House(tmp_path_factory.mktemp("other"), seed=2)
    proof = prove_destroyed(other.old, house.barrier, house.store)
    assert proof.n_destroyed == proof.n_survivors == 0
    assert len(proof.damaged) == 2
    assert not proof.root_opened
    assert not proof.holds
    other.old.close()
    other.store.close()


def test_a_graft_tells_whose_access_came_back(house):
    house.barrier.commit(Commit(delete=(house.barrier.get(Credential, "AKIA1"),), destroy=(house.version("k1"),)))
    came = graft(house.old, export_tree(house.barrier, house.store), house.slot, os.urandom, U, NOW)
    assert came.destroyed == ("k1/1",)
    assert came.access == ("credential AKIA1", "key-store cks-1")


def test_what_a_graft_finds_destroyed_is_not_irrecoverable_before_somebody_vouches_for_it(house):
    """The rows that say what has erased it went with the database."""
    slot, now = house.slot, NOW + timedelta(hours=1)
    house.barrier.commit(Commit(destroy=(house.version("k1"),)))
    house.barrier.rotate()
    graft(house.old, export_tree(house.barrier, house.store), slot, os.urandom, U, NOW)
    barrier = Barrier(house.old, slot, SeededEntropy(3), clock=FakeClock(now))
    barrier.open(U)
    barrier.rotate()
    dead = barrier.get(KeyVersion, "k1/1")
    assert barrier.fate(dead) is Fate.DESTROYED
    (name,) = barrier.awaited()
    assert name == "lost:records:1-2"
    barrier.commit(Commit(put=(SlotRule(reported={name: Erased("somebody", now)}),)))
    barrier.settle()
    assert barrier.fate(dead) is Fate.IRRECOVERABLE
    assert inspect(barrier, house.old).whole


def test_a_graft_takes_nothing_but_the_tree_of_the_slot(house):
    stale = export_tree(house.barrier, house.store)
    house.barrier.rotate()
    with pytest.raises(Conflict):
        graft(house.old, stale, house.slot, os.urandom, U, NOW)
    with pytest.raises(Malformed):
        graft(house.old, b"{}", house.slot, os.urandom, U, NOW)


def test_a_damaged_tree_is_not_exported(house):
    with house.store.transaction() as txn:
        txn.put_node(2, 0, bytes(100))
    with pytest.raises(Internal):
        export_tree(house.barrier, house.store)


def test_the_old_secret_stays_until_the_tree_is_copied(house):
    """A rotation must not make every backup useless while the copy of the tree beside them cannot be renewed."""
    kept, reachable = [], False

    def on_step(step):
        if step == "opened":
            if not reachable:
                raise Unavailable("the other disk is away")
            kept.append(export_tree(barrier, house.store))

    barrier = Barrier(house.store, house.slot, SeededEntropy(2), on_step)
    barrier.open(U)
    barrier.commit(Commit(destroy=(house.version("k1"),)))
    assert barrier.n_outstanding == 1
    with pytest.raises(Unavailable):
        barrier.settle()
    reachable = True
    barrier.settle()
    assert barrier.n_outstanding == 0
    came = graft(house.old, kept[-1], house.slot, os.urandom, U, NOW)
    assert came.destroyed == ("k1/1",)


def in_store(state: KeyState) -> Key:
    return Key(
        id="k3",
        tenant=TENANT.id,
        keyring="r",
        spec_name="AES_256",
        purpose=Purpose.CIPHER,
        origin=Origin.EXTERNAL_STORE,
        lifecycle=Lifecycle(state=state, since=NOW),
        created_at=NOW,
        created_by="p",
        elsewhere=Elsewhere(KEY_STORE.id, "x"),
    )


@pytest.mark.parametrize("keys", [(), (in_store(KeyState.DESTROYED),)])
def test_a_key_store_that_no_key_is_in_was_deleted_and_does_not_come_back(house, keys):
    """Nor the credential that it was asked with."""
    house.barrier.commit(Commit(put=keys, delete=(house.barrier.get(KeyStore, KEY_STORE.id),)))
    done = restore(house.old, house.barrier, house.store, NOTHING, NOW)
    assert (done.restored, done.destroyed) == ((), ("key-store cks-1",))


def test_a_key_store_comes_back_and_is_not_connected(house):
    """Keys have their other half in it by its id, which nobody can give to another one."""
    house.barrier.commit(Commit(put=(in_store(KeyState.ACTIVE),), delete=(house.barrier.get(KeyStore, KEY_STORE.id),)))
    assert restore(house.old, house.barrier, house.store, NOTHING, NOW).restored == ("key-store cks-1",)
    back = house.barrier.get(KeyStore, KEY_STORE.id)
    assert (back.secret, back.connection) == (b"s", Connection.DISCONNECTED)


def secrets(*ids):
    versions = tuple(SecretVersion(id=f"{one}/1", secret_id=one, number=1, created_at=NOW) for one in ids)
    return versions, {one.id: Sensitive(f"value of {one.id}".encode()) for one in versions}


def test_a_destroyed_secret_opens_from_no_backup_and_its_neighbour_does(house) -> None:
    versions, values = secrets("s1", "s2")
    house.barrier.commit(Commit(put=versions, material=values))
    backup(house.barrier, house.store, house.directory / "with-secrets.db")
    stored = {one: house.barrier.get(SecretVersion, f"{one}/1") for one in ("s1", "s2")}
    house.barrier.commit(Commit(delete=(stored["s1"],), destroy=(stored["s1"],)))
    assert house.barrier.get(SecretVersion, "s1/1") is None
    old = SqliteStore(house.directory / "with-secrets.db")
    proof = prove_destroyed(old, house.barrier, house.store)
    assert proof.holds
    assert (proof.n_destroyed, proof.n_survivors) == (1, 3)  # the other one, and two keys
    came = graft(old, export_tree(house.barrier, house.store), house.slot, os.urandom, U, NOW)
    assert came.destroyed == ("s1/1",)
    grafted = Barrier(old, house.slot, SeededEntropy(3))
    grafted.open(U)
    assert not grafted.get(SecretVersion, "s1/1").wrapped
    assert grafted.material(grafted.get(SecretVersion, "s2/1")).reveal() == b"value of s2/1"
    old.close()


def test_a_value_opens_as_no_keys_material_and_as_no_other_version(house) -> None:
    versions, values = secrets("k1")  # of a key's own id
    house.barrier.commit(Commit(put=versions, material=values))
    secret, key = house.barrier.get(SecretVersion, "k1/1"), house.version("k1")
    for wrong in (
        replace(secret, wrapped=key.wrapped, position=key.position),
        replace(key, wrapped=secret.wrapped, position=secret.position),
        replace(secret, number=2),
        replace(secret, secret_id="k2"),
    ):
        with pytest.raises(Internal):
            house.barrier.material(wrong)
