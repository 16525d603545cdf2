"""The connections that read: few, and nobody waits long for one (stores/readers.py)."""

from __future__ import annotations

import threading

import apsw
import pytest
from tests import waiting

from keystead.core.errors import Unavailable
from keystead.stores import readers
from keystead.stores.readers import MOST, Readers


class Opened:
    """What connects, and all that it has opened."""

    def __init__(self) -> None:
        self.all: list[apsw.Connection] = []

    def __call__(self) -> apsw.Connection:
        self.all.append(apsw.Connection(":memory:"))
        return self.all[-1]

    @property
    def n_open(self) -> int:
        return sum(is_open(db) for db in self.all)


def is_open(db: apsw.Connection) -> bool:
    try:
        db.pragma("user_version")
    except apsw.ConnectionClosedError:
        return False
    return True


@pytest.fixture
def patient(monkeypatch):
    """Whoever waits does so until there is one."""
    monkeypatch.setattr(readers, "PATIENCE", waiting.PATIENCE)


@pytest.mark.usefixtures("patient")
def test_many_threads_take_turns_for_a_few_connections():
    opened, n_in_use = Opened(), []
    pool, lock, in_use, begin = Readers(opened), threading.Lock(), set(), threading.Barrier(32)

    def read() -> None:
        begin.wait(waiting.PATIENCE)
        for _ in range(20):
            db = pool.take()
            with lock:
                assert db not in in_use
                in_use.add(db)
                n_in_use.append(len(in_use))
            db.execute("SELECT 1").fetchall()
            with lock:
                in_use.remove(db)
            pool.give_back(db)

    threads = [threading.Thread(target=read) for _ in range(begin.parties)]
    for thread in threads:
        thread.start()
    waiting.ended(*threads)
    assert len(n_in_use) == 20 * begin.parties
    assert max(n_in_use) <= len(opened.all) <= MOST
    assert opened.n_open == len(opened.all)


def test_who_has_waited_long_enough_gets_one_more_and_it_does_not_stay(monkeypatch):
    monkeypatch.setattr(readers, "PATIENCE", 0.001)  # nobody gives one back meanwhile
    opened = Opened()
    pool = Readers(opened)
    taken = [pool.take() for _ in range(MOST + 2)]
    assert opened.n_open == MOST + 2
    for db in taken:
        pool.give_back(db)
    assert opened.n_open == MOST
    assert {pool.take() for _ in range(MOST)} == {db for db in opened.all if is_open(db)}
    assert len(opened.all) == MOST + 2


@pytest.mark.usefixtures("patient")
def test_what_does_not_open_and_what_is_dropped_leave_room_for_others():
    def refuse() -> apsw.Connection:
        raise Unavailable("no such file")

    pool = Readers(refuse)
    for _ in range(MOST + 1):
        with pytest.raises(Unavailable, match="no such file"):
            pool.take()
    opened = Opened()
    pool = Readers(opened)
    for _ in range(MOST + 1):
        pool.drop(pool.take())
    assert len(opened.all) == MOST + 1
    assert opened.n_open == 0


@pytest.mark.usefixtures("patient")
def test_closed_it_gives_none_to_those_who_wait_and_shuts_what_comes_back():
    opened = Opened()
    pool, refused = Readers(opened), threading.Event()
    taken = [pool.take() for _ in range(MOST)]

    def wait() -> None:
        with pytest.raises(Unavailable, match="closed"):
            pool.take()
        refused.set()

    thread = threading.Thread(target=wait)
    thread.start()
    pool.close()
    assert opened.n_open == MOST
    for db in taken:
        pool.give_back(db)
    waiting.ended(thread)
    assert refused.is_set()
    assert opened.n_open == 0


def test_closed_it_shuts_those_that_nobody_uses():
    opened = Opened()
    pool = Readers(opened)
    taken = [pool.take() for _ in range(3)]
    for db in taken[1:]:
        pool.give_back(db)
    pool.close()
    assert [is_open(db) for db in opened.all] == [True, False, False]
    with pytest.raises(Unavailable, match="closed"):
        pool.take()
    pool.drop(taken[0])
    assert opened.n_open == 0
