"""core.ports.Slot: what the barrier rests on, for every slot; the file slot with a fault at its n-th file operation."""

import errno
import fcntl
import hmac
import os
import stat
import sys
from contextlib import contextmanager, nullcontext, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import softhsm
from tests.fakes import MemorySlot, SeededEntropy
from tests.swtpm import software_tpm
from tests.waiting import until

from keystead.core.errors import Internal, InvalidArgument, NotFound, Unavailable
from keystead.core.keytree import generation
from keystead.core.sensitive import Sensitive
from keystead.crypto.afsplit import STRIPES, merge, split
from keystead.cryptoki.connection import Name
from keystead.cryptoki.words import Cka, Ckk, Cko
from keystead.slots import file, pkcs11, tpm
from keystead.slots.file import FileSlot
from keystead.slots.pkcs11 import Pkcs11Slot
from keystead.slots.tpm import TpmSlot
from keystead.tpm import Tpm
from keystead.tpm.nv import FIRST, LAST

S1, S2, S3 = (Sensitive(bytes([n]) * 32) for n in (1, 2, 3))
G1, G2, G3 = (generation(secret.reveal()) for secret in (S1, S2, S3))


def file_slot(directory, **changes):
    return FileSlot.create(directory / "one" / "slot", directory / "two" / "slot", SeededEntropy(3))


def revealed(slot):
    return {name: secret.reveal() for name, secret in slot.read().items()}


def files(directory):
    return sorted(path for path in directory.rglob("generation-*"))


# --- every slot

C1, C2 = (Sensitive(bytes([n]) * 32) for n in (7, 8))
OWNER = "00112233445566ff"


@contextmanager
def tpm_slot(directory):
    with software_tpm(directory / "tpm") as machine:
        yield TpmSlot(Tpm(machine.tcti), OWNER, SeededEntropy(3))


@contextmanager
def pkcs11_slot(directory):
    token = softhsm.open_token()
    yield Pkcs11Slot("pkcs11:soft", token, OWNER, SeededEntropy(3))
    token.close()


SLOTS = {
    "file": lambda directory: nullcontext(file_slot(directory)),
    "memory": lambda directory: nullcontext(MemorySlot()),
    "memory of an HSM": lambda directory: nullcontext(MemorySlot(mac=True)),
    "tpm": tpm_slot,
    "pkcs11": pkcs11_slot,
}


@pytest.fixture(params=list(SLOTS))
def slot(request, tmp_path):
    with SLOTS[request.param](tmp_path) as made:
        yield made


def what_it_gives(slot, name, asked=C1):
    return slot.give(name, asked).reveal()


def test_a_new_slot_is_empty(slot):
    assert slot.generations() == frozenset()
    assert slot.give("0" * 16, C1) is None


def test_staging_keeps_what_is_there(slot):
    one = slot.stage(C1)
    before = what_it_gives(slot, one)
    two = slot.stage(C1)
    assert slot.generations() == {one, two}
    assert what_it_gives(slot, one) == before
    assert what_it_gives(slot, two) != before
    assert {len(before), len(what_it_gives(slot, two))} == {32}


def test_what_is_given_is_the_same_every_time(slot):
    one = slot.stage(C1)
    assert what_it_gives(slot, one) == what_it_gives(slot, one)


def test_retiring_keeps_one(slot):
    names = [slot.stage(C1) for _ in range(3)]
    kept = what_it_gives(slot, names[1])
    slot.retire(names[1])
    assert slot.generations() == {names[1]}
    assert what_it_gives(slot, names[1]) == kept
    assert slot.give(names[0], C1) is None


def test_what_came_after_it_was_looked_at_is_not_retired(slot):
    """What was asked of a module that hangs may be done late, when others have staged."""
    old, kept = slot.stage(C1), slot.stage(C1)
    shown = slot.generations()
    new = slot.stage(C1)
    slot.retire(kept, shown)
    assert slot.generations() == {kept, new} and old not in slot.generations()
    slot.retire(new, shown)
    assert slot.generations() == {new}
    slot.retire(None, shown)
    assert slot.generations() == {new}


def test_retiring_can_be_done_twice(slot):
    one = slot.stage(C1)
    slot.retire(one)
    slot.retire(one)
    assert slot.generations() == {one}


def test_retiring_everything_leaves_nothing(slot):
    slot.stage(C1)
    slot.retire(None)
    slot.retire(None)
    assert slot.generations() == frozenset()


def test_retiring_what_is_not_held_erases_nothing(slot):
    one = slot.stage(C1)
    with pytest.raises(Internal):
        slot.retire("0" * 16)
    assert slot.generations() == {one}


def test_secrets_are_not_in_any_repr(slot):
    one = slot.stage(C1)
    assert repr(what_it_gives(slot, one)) not in repr((slot.give(one, C1), slot.generations(), slot))


# --- in files


def test_a_generation_is_named_by_its_secret_and_held_once(tmp_path):
    slot = file_slot(tmp_path)
    assert [slot.hold(S1), slot.hold(S2), slot.hold(S1)] == [G1, G2, G1]
    assert revealed(slot) == {G1: S1.reveal(), G2: S2.reveal()}
    assert what_it_gives(slot, G1) == what_it_gives(slot, G1, C2) == S1.reveal()  # as old roots have it


def test_two_copies_need_two_directories(tmp_path):
    with pytest.raises(InvalidArgument):
        FileSlot(tmp_path, tmp_path / "." / "x" / "..", os.urandom)


def test_nor_is_one_directory_by_another_name_two(tmp_path, monkeypatch):
    """A bind mount has another path, which resolves to itself, and is the same directory."""
    with monkeypatch.context() as mounted:
        mounted.setattr(type(tmp_path), "samefile", lambda *_: True)
        with pytest.raises(InvalidArgument, match="these are one"):
            FileSlot.create(tmp_path / "one", tmp_path / "two", os.urandom)
    (tmp_path / "link").symlink_to(tmp_path / "one")
    with pytest.raises(InvalidArgument):
        FileSlot.create(tmp_path / "one", tmp_path / "link", os.urandom)
    FileSlot.create(tmp_path / "one", tmp_path / "two", os.urandom)


@pytest.mark.parametrize("lost", ["one", "two"])
@pytest.mark.parametrize("how", ["removed", "damaged", "torn", "unreadable"])
def test_one_copy_is_enough_and_the_loss_is_told_and_mended(tmp_path, lost, how):
    slot = file_slot(tmp_path)
    slot.hold(S1)
    assert list(slot.copies().values()) == [True, True]
    (path,) = files(tmp_path / lost)
    content = bytearray(path.read_bytes())
    content[77] ^= 1
    match how:
        case "removed":
            path.unlink()
        case "damaged":
            path.write_bytes(content)
        case "torn":
            path.write_bytes(content[:512])
        case "unreadable":
            path.unlink()
            path.mkdir(mode=0o700)
    assert revealed(slot) == {G1: S1.reveal()}
    assert slot.copies() == {path.parent: False} | {d: True for d in slot.copies() if d != path.parent}
    if how == "unreadable":
        path.rmdir()
    slot.retire(G1)
    assert list(slot.copies().values()) == [True, True]


def test_a_missing_directory_is_a_lost_copy(tmp_path):
    slot = file_slot(tmp_path)
    slot.hold(S1)
    (tmp_path / "one" / "slot").rename(tmp_path / "gone")
    assert revealed(slot) == {G1: S1.reveal()}
    assert list(slot.copies().values()) == [False, True]
    with pytest.raises(Unavailable):
        slot.hold(S2)  # no destruction while one copy is away: both must be durable
    (tmp_path / "two" / "slot").rename(tmp_path / "gone too")
    with pytest.raises(Unavailable):
        slot.read()


def test_row_120_no_readable_copy_is_unavailable_and_not_empty(tmp_path):
    slot = file_slot(tmp_path)
    slot.hold(S1)
    for path in files(tmp_path):
        path.write_bytes(b"x" * 4096)
    with pytest.raises(Unavailable):
        slot.read()


def test_copies_that_disagree_are_read_together_and_mended(tmp_path):
    slot = file_slot(tmp_path)
    slot.hold(S1)
    slot.hold(S2)
    (tmp_path / "one" / "slot" / f"generation-{G1}").unlink()
    (tmp_path / "two" / "slot" / f"generation-{G2}").unlink()
    assert revealed(slot) == {G1: S1.reveal(), G2: S2.reveal()}
    slot.hold(S3)
    assert len(files(tmp_path)) == 6
    slot.retire(G1)
    assert [path.name for path in files(tmp_path)] == [f"generation-{G1}"] * 2


def test_row_121_files_are_private_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        slot = file_slot(tmp_path)
        slot.hold(S1)
    finally:
        os.umask(before)
    for path in files(tmp_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_row_121_a_file_open_to_others_is_refused(tmp_path):
    slot = file_slot(tmp_path)
    slot.hold(S1)
    files(tmp_path)[0].chmod(0o640)
    with pytest.raises(InvalidArgument, match="open to others"):
        slot.read()


def test_a_link_is_not_followed(tmp_path):
    slot = file_slot(tmp_path)
    slot.hold(S1)
    path = files(tmp_path)[0]
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert list(slot.copies().values()) == [False, True]


def test_the_secret_does_not_stand_in_the_file(tmp_path):
    slot = file_slot(tmp_path)
    slot.hold(Sensitive(bytes(range(32))))
    for path in files(tmp_path):
        assert path.stat().st_size == STRIPES * 32
        assert bytes(range(8)) not in path.read_bytes()


def test_retiring_overwrites_before_it_unlinks(tmp_path):
    slot = file_slot(tmp_path)
    slot.hold(S1)
    slot.hold(S2)
    old = [path for path in files(tmp_path) if path.name.endswith(G1)]
    before = [path.read_bytes() for path in old]
    still_open = [path.open("rb") for path in old]
    slot.retire(G2)
    for was, path, opened in zip(before, old, still_open, strict=True):
        now = opened.read()
        opened.close()
        assert not path.exists()
        assert len(now) == len(was)
        assert all(now[i : i + 32] != was[i : i + 32] for i in range(0, len(was), 32))


def test_files_are_marked_nodump_where_the_file_system_can(tmp_path):
    slot = file_slot(tmp_path)
    slot.hold(S1)
    with files(tmp_path)[0].open("rb") as opened:
        try:
            flags = int.from_bytes(fcntl.ioctl(opened, file.GET_FLAGS, bytes(8)), sys.byteorder)
        except OSError as error:
            assert error.errno in (errno.ENOTTY, errno.EOPNOTSUPP)
        else:
            assert flags & file.NODUMP


# --- in a TPM


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    with software_tpm(tmp_path_factory.mktemp("machine")) as started:
        yield started


def on(machine, owner=OWNER, seed=3):
    return TpmSlot(Tpm(machine.tcti), owner, SeededEntropy(seed))


def indices(machine):
    return machine.tool("tpm2_getcap", "handles-nv-index").split()


def test_another_unseal_key_reads_nothing_and_says_so(machine):
    slot = on(machine, "a" * 16)
    name = slot.stage(C1)
    with pytest.raises(Unavailable, match="authorization value"):
        slot.give(name, C2)
    assert what_it_gives(slot, name) == what_it_gives(slot, name)
    slot.retire(None)


def test_two_installations_on_one_machine_leave_each_other_alone(machine):
    ours, theirs = on(machine, "1" * 16), on(machine, "2" * 16, seed=4)
    one, other = ours.stage(C1), theirs.stage(C2)
    ours.retire(one)
    assert (ours.generations(), theirs.generations()) == ({one}, {other})
    ours.retire(None)
    assert theirs.generations() == {other}
    theirs.retire(None)


def test_what_is_retired_is_gone_from_the_tpm_as_tpm2_tools_see_it(machine):
    slot = on(machine, "3" * 16)
    before = indices(machine)
    slot.stage(C1)
    kept = slot.stage(C1)
    assert len(indices(machine)) == len(before) + 4  # of each: "-" and the index
    slot.retire(kept)
    assert len(indices(machine)) == len(before) + 2
    slot.retire(None)
    assert indices(machine) == before


def test_a_generation_outlives_the_power(machine):
    slot = on(machine, "4" * 16)
    name = slot.stage(C1)
    given = what_it_gives(slot, name)
    machine.stop()
    with pytest.raises(Unavailable, match="cannot be reached"):
        slot.generations()
    machine.start()
    assert what_it_gives(slot, name) == given
    slot.retire(None)


def test_generations_that_could_not_be_erased_fill_the_slot_and_no_further(machine):
    slot = on(machine, "5" * 16)
    names = [slot.stage(C1) for _ in range(tpm.N_INDICES)]
    with pytest.raises(Unavailable, match="every index"):
        slot.stage(C1)
    assert slot.generations() == set(names)
    slot.retire(None)


@given(st.binary(min_size=8, max_size=8))
def test_the_indices_of_an_installation_are_the_owners(owner):
    slot = TpmSlot(Tpm("device:/dev/null"), owner.hex(), os.urandom)
    assert FIRST <= slot._first <= LAST + 1 - tpm.N_INDICES


# --- in a PKCS#11 token


@pytest.fixture(scope="module")
def token():
    found = softhsm.open_token()
    yield found
    found.close()


def in_token(token, owner=OWNER, seed=3):
    return Pkcs11Slot("pkcs11:soft", token, owner, SeededEntropy(seed))


def test_what_a_token_gives_is_the_hmac_of_the_challenge(token):
    """PKCS#11 v3.1 §6.20.4 (CKM_SHA256_HMAC): under a key of ours, as the standard library has it."""
    slot, secret = in_token(token, "a" * 16), bytes(range(32))
    name = Name(Cko.SECRET_KEY, b"\x01" * 8, "keystead slot " + "a" * 16)
    ours = {
        Cka.TOKEN: True,
        **name.template(),
        Cka.KEY_TYPE: Ckk.GENERIC_SECRET,
        Cka.VALUE: secret,
        Cka.PRIVATE: True,
        Cka.SIGN: True,
    }
    token.run(lambda desk: desk.session.create(ours))
    assert what_it_gives(slot, "01" * 8) == hmac.digest(secret, C1.reveal(), "sha256")
    slot.retire(None)


def test_the_key_of_a_generation_does_not_come_out(token):
    slot = in_token(token, "b" * 16)
    name = Name(Cko.SECRET_KEY, bytes.fromhex(slot.stage(C1)), "keystead slot " + "b" * 16)
    asked = (Cka.VALUE, Cka.NEVER_EXTRACTABLE, Cka.ALWAYS_SENSITIVE, Cka.LOCAL, Cka.EXTRACTABLE, Cka.SIGN, Cka.DERIVE)
    told = token.attributes(name, asked)
    assert Cka.VALUE not in told
    assert told == {
        Cka.NEVER_EXTRACTABLE: True,
        Cka.ALWAYS_SENSITIVE: True,
        Cka.LOCAL: True,
        Cka.EXTRACTABLE: False,
        Cka.SIGN: True,
        Cka.DERIVE: False,
    }
    slot.retire(None)
    with pytest.raises(NotFound):
        token.attributes(name, asked)


def test_a_token_that_lets_keys_out_is_no_slot(token, monkeypatch):
    slot = in_token(token, "c" * 16)
    monkeypatch.setitem(pkcs11.KEPT, Cka.EXTRACTABLE, True)
    with pytest.raises(Unavailable, match="does not keep a key"):
        slot.stage(C1)
    assert slot.generations() == frozenset()


def test_two_installations_in_one_token_leave_each_other_alone(token):
    ours, theirs = in_token(token, "1" * 16), in_token(token, "2" * 16, seed=4)
    one, other = ours.stage(C1), theirs.stage(C2)
    ours.retire(one)
    assert (ours.generations(), theirs.generations()) == ({one}, {other})
    ours.retire(None)
    theirs.retire(None)


def test_a_token_that_was_taken_away_is_unavailable_and_comes_back(token):
    slot = in_token(token, "d" * 16)
    name = slot.stage(C1)
    given = what_it_gives(slot, name)
    with softhsm.Removed():
        for act in (slot.generations, lambda: slot.give(name, C1), lambda: slot.stage(C1), lambda: slot.retire(name)):
            with pytest.raises(Unavailable):
                act()

    def found() -> object:
        with suppress(Unavailable):
            return what_it_gives(slot, name)
        return None

    assert until(found, every=0.1) == given
    assert slot.generations() == {name}
    slot.retire(None)


def test_a_wrong_pin_is_unavailable_and_not_an_empty_slot():
    label = softhsm.new_token()
    slot = in_token(softhsm.open_token(label, pin="000000"))
    for _ in range(2):  # the second is not asked of the token: it would lock it
        with pytest.raises(Unavailable, match="PIN"):
            slot.generations()


# --- a fault at the n-th file operation


class Crash(BaseException):
    """The machine stops: nothing after this runs, not even a clean-up that catches Exception."""


class FaultyOs:
    """The os module, of which the n-th operation on files fails: as an error, or as the end of the machine."""

    COUNTED = ("open", "write", "fsync", "unlink", "ftruncate", "listdir", "read", "fstat")

    def __init__(self, at, failure):
        self.at, self.failure, self.n = at, failure, 0

    def __getattr__(self, name):
        real = getattr(os, name)
        if name not in self.COUNTED:
            return real

        def counted(*args, **kwargs):
            self.n += 1
            if self.n == self.at:
                if name == "write":
                    real(args[0], args[1][: len(args[1]) // 2])  # torn
                raise self.failure
            return real(*args, **kwargs)

        return counted


@pytest.mark.parametrize("failure", [Crash(), OSError(errno.EIO, "I/O error")], ids=["crash", "error"])
def test_a_fault_anywhere_loses_no_generation_the_database_may_name(tmp_path, monkeypatch, failure):
    """While staging S2 the database names S1; while retiring S1 it names S2: each must be readable after any fault."""
    n_faults = 0
    for act, named in (("stage", {G1: S1}), ("retire", {G2: S2})):
        for at in range(1, 200):
            directory = tmp_path / f"{act}-{at}"
            slot = file_slot(directory)
            slot.hold(S1)
            if act == "retire":
                slot.hold(S2)
            faulty = FaultyOs(at, failure)
            monkeypatch.setattr(file, "os", faulty)
            try:
                slot.hold(S2) if act == "stage" else slot.retire(G2)
                done = True
            except (Crash, Unavailable):
                done = False
            monkeypatch.undo()
            after = FileSlot(directory / "one" / "slot", directory / "two" / "slot", SeededEntropy(4))
            for name, secret in named.items():
                assert after.read()[name].reveal() == secret.reveal(), (act, at)
            if done:
                assert len(after.read()) == (2 if act == "stage" else 1)
                assert list(after.copies().values()) == [True, True]
            (kept,) = named
            after.retire(kept)  # what recovery does
            assert list(after.read()) == [kept]
            assert [path.name for path in files(directory)] == [f"generation-{kept}"] * 2
            n_faults += faulty.n >= at
            if faulty.n < at:
                break
        else:
            pytest.fail("there is no end of operations")
    assert n_faults > 40


# --- anti-forensic splitting


@given(st.binary(min_size=1, max_size=80), st.integers(2, 9))
def test_splitting_and_merging(secret, stripes):
    blocks = split(secret, SeededEntropy(5), stripes)
    assert len(blocks) == stripes * len(secret)
    assert merge(blocks, stripes) == secret


@given(st.integers(0, STRIPES - 1), st.integers(0, 255))
def test_any_lost_bit_of_any_block_loses_the_secret(block, bit):
    blocks = bytearray(split(S1.reveal(), SeededEntropy(6)))
    blocks[block * 32 + bit // 8] ^= 1 << bit % 8
    merged = merge(bytes(blocks))
    if block < STRIPES - 1:  # the diffuser spreads a lost bit over the whole secret
        assert 60 < sum((a ^ b).bit_count() for a, b in zip(merged, S1.reveal(), strict=True)) < 196
    assert generation(merged) != G1


def test_any_lost_block_loses_the_secret():
    blocks = split(S1.reveal(), SeededEntropy(7))
    for at in range(0, len(blocks), 32):
        assert merge(blocks[:at] + bytes(32) + blocks[at + 32 :]) != S1.reveal()
