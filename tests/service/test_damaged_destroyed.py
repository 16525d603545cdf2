"""A key with a damaged version is destroyed for good: its own row knows where the material is (docs/adr/0048)."""

from __future__ import annotations

import copy
from contextlib import suppress
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests import vaultstack
from tests.doors.aws_kms.managing import scheduled, wait
from tests.fakes import FaultyStore, MemoryToken, SeededEntropy
from tests.harness import REGION, TENANT, stack
from tests.memorystore import MemoryStore
from tests.service.restored import Office

from keystead.core import operations as ops
from keystead.core.entities import Erasure, Fate, InHsm, Key, KeyVersion, Kind, Origin, Secret, SecretVersion
from keystead.core.errors import KeysteadError, LimitExceeded
from keystead.core.leaves import NONE, UNKNOWN, leaf_of, with_leaf
from keystead.core.states import KeyState
from keystead.service.barrier import Barrier, Commit
from keystead.service.damaged import still_traced
from keystead.service.endings import Endings
from keystead.service.erasures import Erasures
from keystead.service.handlers.tracing import MOST_TRACED
from keystead.service.hsmnotes import MemoryNotes
from keystead.service.hsms import Hsms
from keystead.service.inspection import is_destroyed
from keystead.service.proof import prove_destroyed
from keystead.service.traces import is_traced, trace
from keystead.service.tracing import Tracing

AT = f"aws:{TENANT}:{REGION}"


def inner(site) -> MemoryStore:
    return site.store.store if isinstance(site.store, FaultyStore) else site.store


def spoil(site, *ids: str, kind: Kind = Kind.KEY_VERSION) -> None:
    rows = inner(site)._content.items[kind]
    for id_ in ids:
        rows[id_] = replace(rows[id_], sealed=bytes(len(rows[id_].sealed)))
    site.view.forget()


def lose(site, id_: str, kind: Kind = Kind.KEY_VERSION) -> None:
    """The disk has lost it, and nothing tells."""
    del site.store._content.items[kind][id_]
    site.view.forget()


def forget(site) -> None:
    """As an installation of before: no key knows where the material of its versions is."""
    keys = [replace(key, leaves=b"", objects={}) for key in site.barrier.every(Key)]
    secrets = [replace(secret, leaves=b"", leaves_from=1) for secret in site.barrier.every(Secret)]
    site.barrier.commit(Commit(put=(*keys, *secrets)))
    site.generation.announce()


def backup(site) -> MemoryStore:
    old = MemoryStore()
    old._content = copy.deepcopy(inner(site)._content)
    return old


def version(site, id_: str) -> KeyVersion:
    found = site.barrier.get(KeyVersion, id_)
    assert found is not None
    return found


def holds(site, old: MemoryStore, *gone: str) -> None:
    """Each of these is destroyed for good, and the backup opens none of them."""
    for id_ in gone:
        left = version(site, id_)
        assert (left.wrapped, left.state, left.lost) == (b"", KeyState.DESTROYED, True)
        assert site.barrier.fate(left) is Fate.IRRECOVERABLE
        assert is_destroyed(
            site.barrier, site.store, site.barrier.rows.open(old.get(Kind.KEY_VERSION, id_), KeyVersion)
        )
    proof = prove_destroyed(old, site.barrier, site.store)
    assert proof.n_destroyed >= len(gone) and not proof.destroyed_opened and not proof.survivors_lost


# --- what the key's row keeps


def test_leaves_are_kept_by_number() -> None:
    assert leaf_of(b"", 1) == leaf_of(b"", 0) == UNKNOWN
    leaves = with_leaf(with_leaf(b"", 3, 70_000), 1, NONE)
    assert [leaf_of(leaves, n) for n in range(5)] == [UNKNOWN, NONE, UNKNOWN, 70_000, UNKNOWN]
    assert leaf_of(with_leaf(leaves, 3, NONE), 3) == NONE and len(leaves) == 12


def test_a_key_knows_the_leaf_of_each_version_from_the_commit_that_makes_it_on() -> None:
    office = Office()
    key = office.stack.key()
    office.ask("RotateKeyOnDemand", KeyId=key.id)
    kept = office.stack.stored(key)
    assert [leaf_of(kept.leaves, n) for n in (1, 2)] == [
        version(office.stack, f"{key.id}/{n}").position for n in (1, 2)
    ]
    office.ask("DisableKey", KeyId=key.id)
    assert office.stack.stored(key).leaves == kept.leaves


# --- destroyed through every door


def test_a_key_with_a_damaged_version_is_destroyed_for_good() -> None:
    office = Office()
    site, key = office.stack, office.stack.key()
    office.ask("RotateKeyOnDemand", KeyId=key.id)
    other, old = site.key(), backup(site)
    spoil(site, f"{key.id}/1", f"{other.id}/1")
    office.ask("ScheduleKeyDeletion", KeyId=key.id, PendingWindowInDays=7)
    assert wait(site, days=7) == 1
    assert site.stored(key).lifecycle.state is KeyState.DESTROYED
    (record,) = [one for one in site.records() if one.operation == "DestroyKey"]
    assert (record.outcome, record.why) == ("performed", "damaged: 1")
    site.store._content.items[Kind.KEY_VERSION][f"{other.id}/1"] = old.get(Kind.KEY_VERSION, f"{other.id}/1")
    holds(site, old, f"{key.id}/1")  # and the other key's lasts
    certified = site.by_system(ops.CertifyDestruction(key=ops.KeyRef(AT, id=key.id)))
    assert "irrecoverable" in certified.note
    assert leaf_of(site.stored(key).leaves, 1) == NONE


def test_one_that_cannot_be_rotated_is_destroyed_although_its_only_version_is_damaged() -> None:
    office = Office()
    site = office.stack
    id_ = office.ask("CreateKey", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    old = backup(site)
    spoil(site, f"{id_}/1")
    assert office.admin.call("DescribeKey", KeyId=id_).code == "KeyUnavailableException"
    office.ask("ScheduleKeyDeletion", KeyId=id_, PendingWindowInDays=7)
    assert office.ask("DescribeKey", KeyId=id_)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    office.ask("CancelKeyDeletion", KeyId=id_)
    office.ask("ScheduleKeyDeletion", KeyId=id_, PendingWindowInDays=7)
    assert wait(site, days=7) == 1
    holds(site, old, f"{id_}/1")


def test_a_version_whose_row_is_gone_is_destroyed_with_the_others() -> None:
    office = Office()
    site, key = office.stack, office.stack.key()
    office.ask("RotateKeyOnDemand", KeyId=key.id)
    old = backup(site)
    lose(site, f"{key.id}/1")
    office.ask("ScheduleKeyDeletion", KeyId=key.id, PendingWindowInDays=7)
    assert wait(site, days=7) == 1
    holds(site, old, f"{key.id}/1")


def test_its_object_in_the_hsm_goes_too() -> None:
    token = MemoryToken(SeededEntropy(7))
    hsms = Hsms({"safe": token}, MemoryNotes(), new_keys_in="safe")
    site = stack(hsms=hsms)
    hsms.passed = site.clock.monotonic
    office = Office()
    office.stack, office.admin = site, site.admin
    id_ = office.ask("CreateKey")["KeyMetadata"]["KeyId"]
    (name,) = token.objects
    kept = site.barrier.get(Key, id_).objects
    assert kept == {1: InHsm("safe", name, version(site, f"{id_}/1").in_hsm.serial)}
    spoil(site, f"{id_}/1")
    office.ask("ScheduleKeyDeletion", KeyId=id_, PendingWindowInDays=7)
    assert wait(site, days=7) == 1
    assert [one.id for one in site.barrier.every(Erasure)] == [name]
    assert site.barrier.fate(version(site, f"{id_}/1")) is Fate.DESTROYED
    assert Erasures(site.barrier, site.store, hsms, site.clock, site.by_system).step() == 1
    assert not token.objects and site.barrier.get(Key, id_).objects == {}
    assert site.barrier.fate(version(site, f"{id_}/1")) is Fate.IRRECOVERABLE


class Transit:
    def __init__(self, at: str = "") -> None:
        self.vault = vaultstack.door()
        self.root, self.site, self.at = self.vault.root, self.vault.stack, at
        if at:
            self.root.data("POST", f"sys/namespaces/{at.rstrip('/')}")
        self.root.data("POST", f"{at}sys/mounts/transit", {"type": "transit"})
        self.root.data("POST", f"{at}transit/keys/k", {})
        for _ in range(2):
            self.root.data("POST", f"{at}transit/keys/k/rotate", {})
        (self.key,) = (one.id for one in self.site.barrier.every(Key) if one.n_versions == 3)
        self.old = backup(self.site)


def test_versions_are_trimmed_and_the_rest_destroyed_later() -> None:
    transit = Transit()
    root, site = transit.root, transit.site
    spoil(site, f"{transit.key}/1")
    root.data("POST", "transit/keys/k/config", {"min_decryption_version": 2, "min_encryption_version": 2})
    root.data("POST", "transit/keys/k/trim", {"min_available_version": 2})
    holds(site, transit.old, f"{transit.key}/1")
    root.data("POST", "transit/keys/k/config", {"deletion_allowed": True})
    spoil(site, f"{transit.key}/3")
    root.data("DELETE", "transit/keys/k")
    holds(site, transit.old, f"{transit.key}/1", f"{transit.key}/3")
    assert version(site, f"{transit.key}/2").wrapped == b""


def test_a_mount_that_is_taken_away_takes_it_along() -> None:
    transit = Transit()
    spoil(transit.site, f"{transit.key}/2")
    transit.root.data("DELETE", "sys/mounts/transit")
    holds(transit.site, transit.old, f"{transit.key}/2")


def test_a_namespace_ends_with_it() -> None:
    transit = Transit("team/")
    site = transit.site
    spoil(site, f"{transit.key}/2")
    lose(site, f"{transit.key}/1")
    transit.root.data("DELETE", "sys/namespaces/team")
    endings = Endings(site.barrier, site.store, site.by_system)
    for _ in range(20):
        endings.step()
    assert site.store.children(Kind.KEY_VERSION, transit.key) == [] and site.barrier.get(Key, transit.key) is None
    proof = prove_destroyed(transit.old, site.barrier, site.store)
    assert proof.n_destroyed >= 3 and not proof.destroyed_opened


# --- secrets


class Secrets:
    """Five versions of one, of which a keyring keeps three."""

    def __init__(self, at: str = "") -> None:
        self.vault = vaultstack.door()
        self.root, self.site, self.at = self.vault.root, self.vault.stack, at
        if at:
            self.root.data("POST", f"sys/namespaces/{at.rstrip('/')}")
        self.root.data("POST", f"{at}sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
        for n in range(5):
            self.write(n)
        (self.secret,) = self.site.barrier.every(Secret)
        self.old = backup(self.site)

    def write(self, n: int) -> None:
        self.root.data("POST", f"{self.at}kv/data/s", {"data": {"n": n}})

    def spoil(self, *numbers: int) -> None:
        spoil(self.site, *(f"{self.secret.id}/{n}" for n in numbers), kind=Kind.SECRET_VERSION)

    def gone(self, *numbers: int) -> None:
        """Today's tree opens none of these, and the backup of then does not either."""
        rows = [self.old.get(Kind.SECRET_VERSION, f"{self.secret.id}/{n}") for n in numbers]
        for row in rows:
            assert is_destroyed(self.site.barrier, self.site.store, self.site.barrier.rows.open(row, SecretVersion))
        proof = prove_destroyed(self.old, self.site.barrier, self.site.store)
        assert proof.n_destroyed == len(numbers) and not proof.destroyed_opened


def test_a_version_of_a_secret_that_is_damaged_is_destroyed() -> None:
    secrets = Secrets()
    kept = secrets.site.barrier.get(Secret, secrets.secret.id)
    assert [trace(kept, n) for n in range(1, 6)] == [
        secrets.site.barrier.get(SecretVersion, f"{kept.id}/{n}").position for n in range(1, 6)
    ]
    secrets.spoil(2)
    secrets.root.data("PUT", "kv/destroy/s", {"versions": [2, 3]})
    secrets.gone(2, 3)
    assert [one.why for one in secrets.site.records() if one.why] == ["damaged: 2"]
    kept = secrets.site.barrier.get(Secret, secrets.secret.id)
    assert [trace(kept, n) for n in (2, 3)] == [NONE, NONE]
    secrets.root.data("PUT", "kv/destroy/s", {"versions": [2]})  # once more: it holds nothing
    secrets.gone(2, 3)
    assert secrets.root.data("GET", "kv/data/s")["data"] == {"n": 4}
    secrets.spoil(5)
    secrets.root.data("DELETE", "kv/metadata/s")
    secrets.gone(1, 2, 3, 4, 5)
    assert secrets.site.barrier.every(SecretVersion) == []


def test_a_secret_with_a_damaged_version_is_written_to_past_it(monkeypatch) -> None:
    """Versions that are pushed out are erased 64 at a time; here at once."""
    monkeypatch.setattr("keystead.service.handlers.secrets.DROPPED", 1)
    secrets = Secrets()
    secrets.root.data("POST", "kv/config", {"max_versions": 3})
    secrets.spoil(2)
    lose(secrets.site, f"{secrets.secret.id}/1", Kind.SECRET_VERSION)
    secrets.write(5)
    secrets.gone(1, 2, 3)
    kept = secrets.site.barrier.get(Secret, secrets.secret.id)
    assert (kept.kept_from, kept.leaves_from, len(kept.leaves)) == (4, 4, 12) and is_traced(kept)


@pytest.mark.parametrize("at", ["", "team/"], ids=["a mount", "a namespace"])
def test_what_holds_it_ends_with_it(at) -> None:
    secrets = Secrets(at)
    secrets.spoil(2)
    lose(secrets.site, f"{secrets.secret.id}/4", Kind.SECRET_VERSION)
    if at:
        secrets.root.data("DELETE", "sys/namespaces/team")
        endings = Endings(secrets.site.barrier, secrets.site.store, secrets.site.by_system)
        for _ in range(20):
            endings.step()
    else:
        secrets.root.data("DELETE", "sys/mounts/kv")
    secrets.gone(1, 2, 3, 4, 5)
    assert secrets.site.barrier.every(SecretVersion) == [] == secrets.site.barrier.every(Secret)


def test_secrets_of_before_learn_it_once_and_what_was_damaged_is_not_guessed() -> None:
    secrets = Secrets()
    wanted = secrets.site.barrier.get(Secret, secrets.secret.id).leaves
    forget(secrets.site)
    secrets.spoil(2)
    secrets.site.view.loop_thread = 0  # chores have threads of their own
    chore = Tracing(secrets.site.barrier, secrets.site.by_system)
    for _ in range(6):
        chore.step()
    kept = secrets.site.barrier.get(Secret, secrets.secret.id)
    assert kept.leaves == with_leaf(wanted, 2, UNKNOWN)
    secrets.site.on_the_loop()
    refused = secrets.root.refused("DELETE", "kv/metadata/s")
    assert refused == (503, "a version of the secret is damaged: it has to be restored from a backup")


# --- whatever fails


@pytest.mark.parametrize("also_lost", [True, False], ids=["lost", "kept"])
@pytest.mark.parametrize("for_good", [True, False], ids=["for good", "once"])
def test_it_is_destroyed_or_not_whichever_operation_of_the_store_fails(also_lost, for_good) -> None:
    outcomes = set()
    for at in range(1, 100):
        store = FaultyStore(MemoryStore())
        site = stack(store=store)
        key, spared = site.key(), site.key()
        site.perform(ops.RotateKey(key=ops.KeyRef(AT, id=key.id)))
        old = backup(site)
        spoil(site, f"{key.id}/1")
        site.perform(ops.ScheduleDestruction(key=ops.KeyRef(AT, id=key.id), after_days=7))
        clockwork = scheduled(site)
        clockwork.step()
        site.clock.forward(timedelta(days=7))
        store.fail(at, for_good=for_good, also_lost=also_lost)
        with suppress(KeysteadError):
            clockwork.step()
        n_operations = store.n_operations
        store.fail(None)
        again = Barrier(store, site.slot, SeededEntropy(at), clock=site.clock)
        again.open(site.unseal)
        gone = again.get(Key, key.id).lifecycle.state is KeyState.DESTROYED
        assert again.material(again.get(KeyVersion, f"{spared.id}/1")).reveal()
        assert again.is_filled(leaf_of(again.get(Key, spared.id).leaves, 1))
        if gone:
            assert again.get(KeyVersion, f"{key.id}/1").lost
            assert not prove_destroyed(old, again, store).destroyed_opened
        else:
            assert again.revision(Kind.KEY_VERSION, f"{key.id}/1") == 2 and len(again.get(Key, key.id).leaves) == 8
            assert again.material(again.get(KeyVersion, f"{key.id}/2")).reveal()
        assert len(site.slot.held) == 1
        outcomes.add(gone)
        if n_operations < at:
            break
    else:
        pytest.fail("there is no end of operations")
    assert outcomes == {True, False}


def test_tracing_that_fails_anywhere_is_tried_again_and_loses_nothing() -> None:
    for at in range(1, 100):
        store = FaultyStore(MemoryStore())
        site = stack(store=store)
        keys = [site.key() for _ in range(2)]
        wanted = {key.id: site.stored(key).leaves for key in keys}
        forget(site)
        chore = Tracing(site.barrier, site.by_system)
        store.fail(at)
        with suppress(KeysteadError):
            for _ in range(6):
                chore.step()
        n_operations = store.n_operations
        store.fail(None)
        for _ in range(6):
            chore.step()
        assert {key.id: site.stored(key).leaves for key in keys} == wanted
        if n_operations < at:
            return
    pytest.fail("there is no end of operations")


# --- installations of before, and what came back


def test_keys_of_before_learn_it_once() -> None:
    office = Office()
    site, keys = office.stack, [office.stack.key() for _ in range(3)]
    wanted = {key.id: site.stored(key).leaves for key in keys}
    forget(site)
    assert not any(is_traced(key) for key in site.barrier.every(Key))
    before = len(site.records())
    chore = Tracing(site.barrier, site.by_system)
    assert chore.step() == len(site.barrier.every(Key))
    assert {key.id: site.stored(key).leaves for key in keys} == wanted
    assert chore.step() == chore.step() == 0
    assert [one.operation for one in site.records()[before:]] == ["TraceKeys"]
    for key in keys:
        office.ask("EnableKey", KeyId=key.id)  # who holds the key of before in mind looks again
    with pytest.raises(LimitExceeded):
        site.by_system(ops.TraceKeys(keys=("k",) * (MOST_TRACED + 1)))


def test_what_was_damaged_before_is_not_guessed() -> None:
    office = Office()
    site, key = office.stack, office.stack.key()
    office.ask("RotateKeyOnDemand", KeyId=key.id)
    forget(site)
    spoil(site, f"{key.id}/1")
    assert Tracing(site.barrier, site.by_system).step()
    kept = site.stored(key).leaves
    assert (leaf_of(kept, 1), leaf_of(kept, 2)) == (UNKNOWN, version(site, f"{key.id}/2").position)
    office.ask("ScheduleKeyDeletion", KeyId=key.id, PendingWindowInDays=7)
    assert wait(site, days=7) == 0
    assert site.stored(key).lifecycle.state is KeyState.SUSPENDED
    refused = [one for one in site.records() if one.operation == "DestroyKey"]
    assert {one.outcome for one in refused} == {"refused: Unavailable"}


def test_a_damaged_imported_version_keeps_no_other_appointment_waiting() -> None:
    office = Office()
    site, key, lent = office.stack, office.stack.key(), office.stack.key()
    site.change(lent, origin=Origin.EXTERNAL)
    office.ask("ScheduleKeyDeletion", KeyId=key.id, PendingWindowInDays=7)
    spoil(site, f"{lent.id}/1")
    assert wait(site, scheduled(site), days=7) == 1
    assert site.stored(key).lifecycle.state is KeyState.DESTROYED


def test_a_key_out_of_a_backup_knows_what_is_true_today() -> None:
    office = Office()
    site, key = office.stack, office.stack.key()
    past = office.keep()
    office.ask("RotateKeyOnDemand", KeyId=key.id)
    spoil(site, key.id, kind=Kind.KEY)
    past.restore()
    kept = site.stored(key)
    assert kept.n_versions == 2
    assert [leaf_of(kept.leaves, n) for n in (1, 2)] == [version(site, f"{key.id}/1").position, UNKNOWN]
    assert Tracing(site.barrier, site.by_system).step() == 1
    assert is_traced(site.stored(key))
    elsewhere = replace(kept, leaves=with_leaf(with_leaf(kept.leaves, 1, 9_000_000), 2, NONE))
    assert [leaf_of(still_traced(elsewhere, site.barrier).leaves, n) for n in (1, 2)] == [UNKNOWN, UNKNOWN]


def test_a_key_made_after_another_s_likeness_has_none_of_its_leaves() -> None:
    site = Office().stack
    key = site.stored(site.key())
    twin = replace(key, id=f"{key.id}x", revision=0)
    site.barrier.commit(Commit(put=(twin,)))
    assert site.barrier.get(Key, twin.id).leaves == b""
