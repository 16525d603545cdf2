"""A slot in a token that is full of other keys: a destruction takes the room that the slot has kept for it."""

from __future__ import annotations

from itertools import count

import pytest
from tests import softhsm
from tests.core.test_barrier import STEPS, Boom, U, version
from tests.fakes import MemorySlot, SeededEntropy

from keystead.core.entities import KeyVersion
from keystead.core.errors import Unavailable, WrongState
from keystead.core.sensitive import Sensitive
from keystead.cryptoki.errors import Failed
from keystead.cryptoki.session import Session
from keystead.cryptoki.words import Cka, Ckr
from keystead.service.barrier import Barrier, Commit
from keystead.service.slots import Slots
from keystead.slots.pkcs11 import Pkcs11Slot
from keystead.stores.sqlite import SqliteStore


class House:
    """A root in memory and in a token that takes `most` objects, as hardware does, and is full of them by `fill`."""

    def __init__(self, directory, monkeypatch, rv=Ckr.DEVICE_MEMORY) -> None:
        self.token, self.most, self.n_left, self.seeds = softhsm.open_token(), 1000, 1000, count()
        self.store = SqliteStore(directory / "keystead.db")
        generate, house = Session.generate, self

        def limited(session, mechanism, template):
            house.n_left -= 1
            if not house.n_left:
                raise Boom
            if len(session.find({Cka.TOKEN: True})) >= house.most:
                raise Failed("C_GenerateKey", rv)
            return generate(session, mechanism, template)

        monkeypatch.setattr(Session, "generate", limited)
        self.beside = MemorySlot()
        self.barrier = self.another(is_new=True)
        versions = tuple(version(f"k{n}") for n in range(3))
        self.barrier.commit(Commit(put=versions, material={one.id: Sensitive(one.id.encode()) for one in versions}))
        self.barrier.settle()

    def another(self, *, is_new=False, **options):
        slot = Pkcs11Slot("pkcs11:box", self.token, "00112233445566ff", SeededEntropy(next(self.seeds)))
        barrier = Barrier(self.store, Slots.of(self.beside, slot), SeededEntropy(next(self.seeds)), **options)
        (barrier.initialise if is_new else barrier.open)(U)
        return barrier

    def names(self):
        return self.token.names({Cka.TOKEN: True})

    def fill(self):
        self.most = len(self.names())

    def destroy(self, key, barrier=None):
        barrier = barrier or self.barrier
        barrier.commit(Commit(destroy=(barrier.get(KeyVersion, f"{key}/1"),), record=b"destroyed"))

    def is_destroyed(self, key):
        try:
            self.barrier.material(self.barrier.get(KeyVersion, f"{key}/1"))
        except WrongState:
            return True
        return False

    def looks(self):
        return [(one.name, one.n_unerased, one.trouble) for one in self.barrier.slots()]


@pytest.fixture(params=[Ckr.DEVICE_MEMORY, Ckr.TOKEN_RESOURCE_EXCEEDED], ids=lambda rv: rv.name)
def house(tmp_path, monkeypatch, request):
    made = House(tmp_path, monkeypatch, request.param)
    yield made
    made.store.close()
    made.token.close()


WELL = [("file", 0, ""), ("pkcs11:box", 0, "")]


def test_destructions_go_on_in_a_full_token(house) -> None:
    house.fill()
    for key in ("k0", "k1"):
        house.destroy(key)
        assert house.is_destroyed(key) and house.looks() == WELL and len(house.names()) == house.most
    house.beside.held = {}
    assert house.another().material(house.barrier.get(KeyVersion, "k2/1")).reveal() == b"k2/1", "by the token alone"


@pytest.mark.parametrize("step", STEPS)
def test_whoever_dies_at_any_step_leaves_it_as_it_was_or_done(house, step) -> None:
    def crash(at):
        if at == step:
            raise Boom

    dying = house.another(on_step=crash)
    house.fill()
    with pytest.raises(Boom):
        house.destroy("k0", dying)
    house.barrier = house.another()  # settles
    assert house.is_destroyed("k0") is (STEPS.index(step) >= STEPS.index("committed"))
    assert house.looks() == WELL and len(house.names()) == house.most
    house.destroy("k1")
    assert house.is_destroyed("k1") and house.looks() == WELL


@pytest.mark.parametrize("n", [1, 2, 3])
def test_and_between_any_two_keys_that_the_token_makes(house, n) -> None:
    """1: the token says that it is full; 2: into the room that was kept; 3: the room is kept anew."""
    house.fill()
    house.n_left = n
    with pytest.raises(Boom):
        house.destroy("k0")
    house.n_left = 1000
    house.barrier = house.another()
    assert house.is_destroyed("k0") is (n == 3)
    assert house.looks() == WELL and len(house.names()) == house.most
    house.destroy("k1")
    assert house.is_destroyed("k1") and house.looks() == WELL


def test_where_no_room_is_left_status_says_so_before_and_the_refusal_what_to_do(house) -> None:
    for name in house.names():
        if name.label.startswith("keystead room"):
            house.token.destroy(name)  # somebody has
    house.most = len(house.names())  # and somebody else's key is in its place
    (_, (_, n_unerased, trouble)) = house.looks()
    assert n_unerased == 0 and "keeps no room" in trouble
    house.barrier.settle()  # in vain
    root = house.barrier.tree.root
    with pytest.raises(Unavailable, match=r"slot pkcs11:box: .*`keystead slot remove pkcs11:box`"):
        house.destroy("k0")
    assert not house.is_destroyed("k0") and house.barrier.tree.root == root
    house.most += 1
    house.barrier.settle()
    assert house.looks() == WELL
    house.destroy("k0")
    assert house.is_destroyed("k0")


def test_what_a_slot_that_is_taken_out_has_kept_goes_with_it(house) -> None:
    assert len(house.names()) == 2
    house.barrier.reslot(("file",), b"removed")
    assert house.names() == []


def test_two_installations_in_one_token_keep_room_each_for_itself(house) -> None:
    other = Pkcs11Slot("pkcs11:box", house.token, "ff66554433221100", SeededEntropy(99))
    kept = other.stage(U)
    other.retire(kept)
    assert not other.is_short() and len(house.names()) == 4
    other.retire(None)
    assert house.looks() == WELL and len(house.names()) == 2
