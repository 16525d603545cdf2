"""Many who change one thing at once: everybody gets a turn, and what was acknowledged is there."""

import threading
from collections import Counter

import pytest
from tests import harness

from keystead.core.entities import SecretVersion
from keystead.doors import vault
from keystead.service.handlers import secrets
from keystead.service.inspection import inspect
from keystead.stores.sqlite import SqliteStore

N_THREADS, N_WRITES = 8, 12


@pytest.fixture
def stack(tmp_path, monkeypatch):
    """Over a real store, whose transactions are long enough to be overtaken in; and leaves are erased often."""
    store = SqliteStore(tmp_path / "keystead.db")
    monkeypatch.setattr(harness, "MemoryStore", lambda: store)
    monkeypatch.setattr(secrets, "DROPPED", 8)
    made = harness.stack(door=vault.DOOR)
    made.bearer().ask("POST", "sys/mounts/kv2", {"type": "kv-v2"})
    yield made
    store.close()


def together(stack, path) -> Counter:
    """`path(thread, n)` written by all threads at once; how often there was which answer."""
    said: Counter = Counter()
    bearers = [stack.bearer() for _ in range(N_THREADS)]

    def write(thread: int) -> None:
        for n in range(N_WRITES):
            reply = bearers[thread].ask("POST", f"kv2/data/{path(thread, n)}", {"data": {"n": n}})
            said[reply.status, "" if reply.status == 200 else reply.body] += 1

    threads = [threading.Thread(target=write, args=(n,)) for n in range(N_THREADS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return said


def test_nobody_who_writes_the_same_secret_is_overtaken_for_ever(stack) -> None:
    assert together(stack, lambda _thread, _n: "same") == {(200, ""): N_THREADS * N_WRITES}
    found = stack.bearer().ask("GET", "kv2/metadata/same").json["data"]
    assert found["current_version"] == N_THREADS * N_WRITES
    assert stack.barrier.count(SecretVersion) < 10 + 8
    assert inspect(stack.barrier, stack.store).whole


def test_those_who_write_into_one_folder_do_not_meet(stack) -> None:
    assert together(stack, lambda thread, n: f"a/b/{thread}-{n}") == {(200, ""): N_THREADS * N_WRITES}
    found = stack.bearer().ask("LIST", "kv2/metadata/a/b").json["data"]["keys"]
    assert len(found) == N_THREADS * N_WRITES


def test_check_and_set_lets_one_of_all_through(stack) -> None:
    said: list[int] = []
    bearers = [stack.bearer() for _ in range(N_THREADS)]
    write = {"data": {}, "options": {"cas": 0}}
    threads = [
        threading.Thread(target=lambda who=who: said.append(who.ask("POST", "kv2/data/one", write).status))
        for who in bearers
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(said) == [200] + [400] * (N_THREADS - 1)
