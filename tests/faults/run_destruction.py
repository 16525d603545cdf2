"""Destruction that holds against old media, on a real database and real slots (row 97, promises P2 and P5).

    python tests/faults/run_destruction.py --n 100000 --slots file,pkcs11,tpm

Creates n keys, takes a backup, destroys 50: one by one, in one batch, and with the process dying at each step. Then
tries every old key version with everything there is today, loses each slot and all of them, and prints the figures.
The token is one of SoftHSM2, the TPM one of swtpm. research/security.md §6, docs/adr/0036-slots.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

import apsw
import msgspec
import pytest
from msgspec import Struct

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2])]

from tests import softhsm
from tests.swtpm import software_tpm
from tests.systems import system

from keystead.core.algorithms import Purpose
from keystead.core.entities import Fate, Key, KeyVersion, Origin
from keystead.core.errors import Conflict, Unavailable, WrongState
from keystead.core.keytree import generation
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState, Lifecycle
from keystead.service.barrier import Barrier, Commit
from keystead.service.custody import export_tree, graft, revive
from keystead.service.inspection import inspect
from keystead.service.proof import prove_destroyed
from keystead.service.restoring import restore
from keystead.service.since import NOTHING
from keystead.service.slots import Slots
from keystead.slots.file import FileSlot
from keystead.slots.pkcs11 import Pkcs11Slot
from keystead.slots.tpm import TpmSlot
from keystead.stores.sqlite import SqliteStore
from keystead.tpm import Tpm

STEPS = ("begun", "staged", "written", "committed", "opened", "retired")
SHARED = (
    "begun",
    "written",
    "committed",
)  # of a destruction that leaves the slots to a rotation; then all of the above
OWNER = "00112233445566ff"
N_VICTIMS, N_SINGLE = 50, 20
U = Sensitive(b"unseal key of the drill".ljust(32))
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ACTIVE = Lifecycle(state=KeyState.ACTIVE, since=NOW)
BATCH = 100


def key_id(n):
    return f"key-{n:07d}"


def material_of(version):
    return Sensitive(f"material of {version}".encode())


class Hardware(Struct):
    """Where the slots are, beside two directories: kept in the data directory for the processes that die."""

    token: str = ""  # label
    tcti: str = ""

    def openers(self, owner):
        found = {}
        if self.token:
            found["pkcs11:soft"] = Pkcs11Slot("pkcs11:soft", softhsm.open_token(self.token), owner, os.urandom)
        if self.tcti:
            found["tpm"] = TpmSlot(Tpm(self.tcti), owner, os.urandom)
        return found


class Site:
    """A data directory: the database, a slot in two directories, and those that slots.json tells of."""

    def __init__(self, directory, on_step=lambda _: None):
        self.directory, told = directory, directory / "slots.json"
        self.store = SqliteStore(directory / "keystead.db")
        self.slot = FileSlot.create(directory / "slot-1", directory / "slot-2", os.urandom)
        hardware = msgspec.json.decode(told.read_bytes(), type=Hardware) if told.exists() else Hardware()
        self.beside = hardware.openers(OWNER)
        self.slots = Slots.of(self.slot, *self.beside.values())
        self.barrier = Barrier(self.store, self.slots, os.urandom, on_step)

    @property
    def steps(self):
        """Of a destruction and what follows it, in order."""
        return SHARED + STEPS if any(slot.wears for slot in self.beside.values()) else STEPS

    def every(self):
        return {"file": self.slot, **self.beside}

    def open(self):
        self.barrier.open(U)
        return self

    def close(self):
        self.store.close()

    def version(self, n):
        return self.barrier.get(KeyVersion, f"{key_id(n)}/1")

    def create(self, numbers):
        keys = [
            Key(
                id=key_id(n),
                tenant="111122223333",
                keyring="ring",
                spec_name="SYMMETRIC_DEFAULT",
                purpose=Purpose.CIPHER,
                origin=Origin.GENERATED,
                lifecycle=ACTIVE,
                created_at=NOW,
                created_by="root",
            )
            for n in numbers
        ]
        versions = [
            KeyVersion(id=f"{key.id}/1", key_id=key.id, number=1, lifecycle=ACTIVE, created_at=NOW) for key in keys
        ]
        material = {version.id: material_of(version.id) for version in versions}
        self.barrier.commit(Commit(put=(*keys, *versions), material=material, record=b"{}"))

    def destroy(self, numbers):
        self.barrier.commit(Commit(destroy=tuple(self.version(n) for n in numbers), record=b"{}"))

    def fate(self, n):
        return self.barrier.fate(self.version(n))

    def holds(self, n):
        version = self.version(n)
        return self.barrier.material(version).reveal() == material_of(version.id).reveal()


def timed(act, times=1, before=lambda: None):
    """Milliseconds, the median of `times`. `before` each it is made ready, which does not count."""
    taken = []
    for _ in range(times):
        before()
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return median(taken) * 1e3


def drill(directory, n):
    """The whole of it; figures by name. Every claim is asserted."""
    figures = {}
    site = Site(directory)
    site.barrier.initialise(U)
    assert list(site.barrier.tree.root.generations) == list(site.every())
    batches = [range(at, min(at + BATCH, n)) for at in range(0, n, BATCH)]
    figures["create, 100 a commit, µs a key"] = (
        timed(lambda: [site.create(batch) for batch in batches]) / len(batches) / BATCH * 1e3
    )
    extra = iter(range(n, n + 50))
    figures["create, one a commit, ms"] = timed(lambda: site.create([next(extra)]), 50)
    figures |= reading(site, n)

    victims = [n * i // N_VICTIMS for i in range(N_VICTIMS)]  # spread over the tree
    spared = [v + 1 for v in victims]
    site.store.backup(directory / "old.db")
    shutil.copytree(directory / "slot-1", directory / "stolen-1")
    shutil.copytree(directory / "slot-2", directory / "stolen-2")
    single = iter(victims[:N_SINGLE])
    figures["destroy one, ms"] = timed(lambda: site.destroy([next(single)]), N_SINGLE)
    n_deaths = len(site.steps)
    batch = victims[N_SINGLE:-n_deaths]
    figures[f"destroy {len(batch)} in one commit, ms"] = timed(lambda: site.destroy(batch))
    figures["and erase what they were under, ms"] = timed(site.barrier.settle)
    for at, victim in enumerate(victims[-n_deaths:]):
        site = die_at(site, at, victim, spared)
    figures["rotate, ms"] = timed(site.barrier.rotate, 10)

    old = SqliteStore(directory / "old.db")
    figures |= prove(site, old, n + 50)
    control(site, old, directory, victims)
    figures |= grafted(site, directory, n, victims)
    figures |= put_back(site, old, directory, n, victims)
    figures |= lost(site, old, n, victims)
    old.close()
    site.close()
    return figures


def reading(site, n):
    figures = {}
    ids = [f"{key_id(i % n)}/1" for i in range(0, 7919 * 500, 7919)]
    versions = [site.barrier.get(KeyVersion, i) for i in ids]
    figures["get, µs"] = timed(lambda: [site.barrier.get(KeyVersion, i) for i in ids], 5) / len(ids) * 1e3
    figures["list page of 100, ms"] = timed(lambda: site.barrier.children(Key, "ring", limit=100), 20)
    [site.barrier.material(version) for version in versions]
    figures["material of 500 keys, µs each"] = (
        timed(lambda: [site.barrier.material(version) for version in versions], 5) / len(ids) * 1e3
    )
    opened_anew = partial(timed, times=50, before=lambda: site.barrier.close() or site.barrier.open(U))
    figures["material just after opening, µs"] = opened_anew(lambda: site.barrier.material(versions[0])) * 1e3
    return figures


def die_at(site, at, victim, spared):
    """The process dies at that step of destroying `victim`; then it starts again."""
    durable = at >= site.steps.index("committed")
    site.close()
    arguments = [sys.executable, __file__, "--die-at", str(at), "--victim", str(victim), "--data", str(site.directory)]
    child = subprocess.run(arguments, check=False)
    assert child.returncode == 9, at
    site = Site(site.directory).open()
    assert [len(slot.generations()) for slot in site.every().values()] == [1] * len(site.every())
    assert list(site.slot.copies().values()) == [True, True]
    assert all(site.holds(n) for n in spared)
    if durable:
        with pytest.raises(WrongState):
            site.holds(victim)
    else:
        assert site.holds(victim)
        site.destroy([victim])
        site.barrier.settle()
    assert site.fate(victim) is Fate.IRRECOVERABLE
    return site


def prove(site, old, n):
    proof = None

    def run():
        nonlocal proof
        proof = prove_destroyed(old, site.barrier, site.store)

    taken = timed(run)
    assert proof.holds
    assert proof.n_destroyed == N_VICTIMS
    assert proof.destroyed_opened == ()
    assert proof.n_survivors == n - N_VICTIMS
    assert proof.survivors_lost == ()
    assert proof.damaged == ()
    assert not proof.root_opened
    return {
        "prove, ms": taken,
        "openings tried": proof.n_tried,
        "destroyed keys opened from the old backup": len(proof.destroyed_opened),
        "survivors opened": proof.n_survivors,
    }


def control(site, old, directory, victims):
    """What the slot protects, it alone protects: with the slot as it was, the same backup opens every victim."""
    with pytest.raises(Conflict, match="the slot was erased or the database was rolled back"):
        Barrier(old, site.slots, os.urandom).open(U)
    stolen = FileSlot(directory / "stolen-1", directory / "stolen-2", os.urandom)
    then = Barrier(old, stolen, os.urandom)
    then.open(U)
    for n in victims:
        version = then.get(KeyVersion, f"{key_id(n)}/1")
        assert then.material(version).reveal() == material_of(version.id).reveal()
    # And the proof itself can fail: were the old secret still in the slot, it would open all fifty.
    (kept,) = stolen.read().values()
    site.slot.hold(kept)
    failing = prove_destroyed(old, site.barrier, site.store)
    assert failing.root_opened
    assert not failing.holds
    assert len(failing.destroyed_opened) == N_VICTIMS
    site.barrier.settle()
    assert generation(kept.reveal()) not in site.slot.read()


def grafted(site, directory, n, victims):
    """The database is lost; there are an old backup, a copy of the tree and the slot: all but the destroyed is back."""
    tree = export_tree(site.barrier, site.store)
    elsewhere = directory / "grafted"
    elsewhere.mkdir(mode=0o700)
    shutil.copy(directory / "old.db", elsewhere / "keystead.db")
    copy = SqliteStore(elsewhere / "keystead.db")
    came = None

    def run():
        nonlocal came
        came = graft(copy, tree, site.slots, os.urandom, U, NOW)

    taken = timed(run)
    assert sorted(came.destroyed) == sorted(f"{key_id(v)}/1" for v in victims)
    barrier = Barrier(copy, site.slots, os.urandom)
    barrier.open(U)
    assert inspect(barrier, copy).whole
    for at in range(0, n, max(1, n // 500)):
        version = barrier.get(KeyVersion, f"{key_id(at)}/1")
        if at in victims:
            assert (version.wrapped, version.lifecycle.state) == (b"", KeyState.DESTROYED)
            assert barrier.get(Key, key_id(at)).lifecycle.state is KeyState.DESTROYED
        else:
            assert barrier.material(version).reveal() == material_of(version.id).reveal()
    copy.close()
    return {"graft a tree onto the old backup, ms": taken, "copy of the tree, bytes a key": len(tree) / n}


def put_back(site, old, directory, n, victims):
    """Rows lost from the live database come back out of the old backup; what was destroyed since does not."""
    lost = [i for i in range(0, n, max(1, n // 200)) if i not in victims]
    site.barrier.commit(Commit(put=(system(site.barrier, NOW),)))
    db = apsw.Connection(str(directory / "keystead.db"))
    for i in (*lost, *victims[:5]):
        db.execute("DELETE FROM item WHERE id = ?", (f"{key_id(i)}/1",))
    db.execute("UPDATE item SET sealed = x'00' WHERE id = ?", (key_id(lost[0]),))
    db.close()
    assert not inspect(site.barrier, site.store).whole
    done = None

    def run():
        nonlocal done
        done = restore(old, site.barrier, site.store, NOTHING, NOW)

    taken = timed(run)
    assert sorted(done.restored) == sorted([f"key-version {key_id(i)}/1" for i in lost] + [f"key {key_id(lost[0])}"])
    assert sorted(done.destroyed) == [f"key-version {key_id(i)}/1" for i in victims[:5]]
    assert all(site.holds(i) for i in lost)
    assert all(site.version(i) is None for i in victims[:5])
    whole = None

    def look():
        nonlocal whole
        whole = inspect(site.barrier, site.store)

    figures = {"restore, ms": taken, "inspect everything, ms": timed(look)}
    assert whole.whole

    with pytest.raises(Conflict):
        revive(old, directory / "never.db", site.slots, os.urandom, U)
    assert not (directory / "never.db").exists()
    site.store.backup(directory / "newest.db")
    newest = SqliteStore(directory / "newest.db")
    elsewhere = directory / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    revive(newest, elsewhere / "keystead.db", site.slots, os.urandom, U)
    newest.close()
    revived = SqliteStore(elsewhere / "keystead.db")
    barrier = Barrier(revived, site.slots, os.urandom)
    barrier.open(U)
    assert inspect(barrier, revived).whole
    assert barrier.material(barrier.get(KeyVersion, f"{key_id(lost[0])}/1")).reveal()
    revived.close()
    return figures


def lost(site, old, n, victims):
    """Each slot is lost while the others stay: they save every key, and what is said is true. Then all are lost."""
    figures = {}
    sample = [i for i in range(0, n, max(1, n // 200)) if i not in victims]
    doomed = iter([i for i in range(n) if i not in victims and i not in sample])
    for name in site.every() if site.beside else ():
        kept = away(site, name)
        figures |= saved(site, name, sample)
        victim = next(doomed)
        refuses(site, name, victim)
        site.barrier.reslot([one for one in site.every() if one != name], b"{}")
        site.destroy([victim])
        with suppress(Unavailable):  # it still owes
            site.barrier.settle()
        assert site.fate(victim) is Fate.DESTROYED  # somebody may find it
        back(site, name, kept)
        site.barrier.settle()
        assert site.every()[name].generations() == frozenset()
        assert site.fate(victim) is Fate.IRRECOVERABLE
        site.barrier.reslot(list(site.every()), b"{}")
    proof = prove_destroyed(old, site.barrier, site.store)
    assert (proof.destroyed_opened, proof.survivors_lost) == ((), ())
    for slot in site.every().values():
        slot.retire(None)
    with pytest.raises(Conflict, match="the slot was erased"):
        Barrier(site.store, site.slots, os.urandom).open(U)
    return figures


def saved(site, name, sample):
    """Who opens it anew has every key by the slots that are left."""
    barrier = Barrier(site.store, site.slots, os.urandom)
    taken = timed(lambda: barrier.open(U, settle=False))
    versions = [barrier.get(KeyVersion, f"{key_id(i)}/1") for i in sample]
    opened = sum(barrier.material(one).reveal() == material_of(one.id).reveal() for one in versions)
    assert opened == len(sample)
    return {f"open without {name}, ms": taken, f"survivors opened without {name}": opened}


def refuses(site, name, victim):
    """Nothing is erased while that slot is away: at once, or when the destructions that share a write are written."""
    if len(site.steps) == len(STEPS):
        with pytest.raises(Unavailable, match=f"slot {name}"):
            site.destroy([victim])
        assert site.holds(victim)
    with pytest.raises(Unavailable, match=f"slot {name}"):
        site.barrier.rotate()


def away(site, name):
    """That slot cannot be reached any more."""
    if name == "file":
        for directory in ("slot-1", "slot-2"):
            (site.directory / directory).rename(site.directory / f"{directory}-away")
        return None

    def refuse(*_):
        raise Unavailable("it was taken away")

    slot = site.beside[name]
    kept = {each: getattr(slot, each) for each in ("generations", "give", "stage", "retire")}
    for each in kept:
        setattr(slot, each, refuse)
    return kept


def back(site, name, kept):
    if kept is None:
        for directory in ("slot-1", "slot-2"):
            (site.directory / f"{directory}-away").rename(site.directory / directory)
        return
    for each in kept:
        delattr(site.beside[name], each)


def die(directory, at, victim):
    """In a process of its own: begin to destroy, and end at that step without unwinding."""
    passed = iter(range(100))

    def on_step(_):
        if next(passed) == at:
            os._exit(9)

    site = Site(directory).open()
    site.barrier = Barrier(site.store, site.slots, os.urandom, on_step)
    site.barrier.open(U, settle=False)
    site.destroy([victim])
    site.barrier.settle()


@contextmanager
def equipped(directory, kinds):
    """The directory with a token and a TPM of its own, as `kinds` says ("pkcs11", "tpm"); files are there always."""
    with software_tpm(directory / "tpm") if "tpm" in kinds else nullcontext() as tpm:
        hardware = Hardware(softhsm.new_token() if "pkcs11" in kinds else "", tpm.tcti if tpm else "")
        (directory / "slots.json").write_bytes(msgspec.json.encode(hardware))
        yield directory


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--slots", default="file", help="file, and beside it pkcs11, tpm: with commas")
    parser.add_argument("--die-at", type=int)
    parser.add_argument("--victim", type=int)
    parser.add_argument("--data", type=Path)
    asked = parser.parse_args()
    if asked.die_at is not None:
        die(asked.data, asked.die_at, asked.victim)
        return
    kinds = asked.slots.split(",")
    with tempfile.TemporaryDirectory() as made, equipped(Path(made), kinds) as directory:
        for name, figure in drill(directory, asked.n).items():
            sys.stdout.write(f"{name:45} {figure:12,.1f}\n")
    sys.stdout.write(f"{asked.n:,} keys, {N_VICTIMS} destroyed, in {asked.slots}, dead at each step: all holds\n")


if __name__ == "__main__":
    main()
