"""Many who change one thing at once: everybody gets a turn, and what was acknowledged is there."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests import harness

from keystead.core.entities import SecretVersion
from keystead.core.ports import WouldBlock
from keystead.doors import vault
from keystead.kit.door import finished
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


@pytest.mark.parametrize("revoked", [True, False])
def test_a_write_goes_on_where_it_would_have_blocked_and_rests_on_its_token(stack, revoked) -> None:
    """One whose token is revoked while it waits for a thread changes nothing, and says so."""
    root = stack.bearer()
    bearer = root.child('path "kv2/*" { capabilities = ["create", "read", "update"] }')
    assert bearer.ask("POST", "kv2/data/a", {"data": {"n": 1}}).status == 200
    stack.on_the_loop()
    body = b'{"data":{"n":2}}'
    lines = {b"x-vault-token": bearer.token.encode()}
    steps = bearer.front.steps(stack.request("POST", "https://vault.test/v1/kv2/data/a", lines, body))
    n_records = len(stack.journal.lines)
    while (would := next(steps)) is None:
        pass
    assert isinstance(would, WouldBlock) and len(stack.journal.lines) == n_records
    if revoked:
        assert root.ask("POST", "auth/token/revoke", {"token": bearer.token}).status == 204
    with ThreadPoolExecutor(1) as threads:
        reply = harness.Reply.of(threads.submit(finished, steps).result())
    assert reply.status == (403 if revoked else 200)
    assert root.ask("GET", "kv2/data/a").json["data"]["data"] == {"n": 1 if revoked else 2}


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
