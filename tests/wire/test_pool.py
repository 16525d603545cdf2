"""A pool of threads: a tenant whose acts are slow, or whose proxy answers nobody, keeps no other waiting."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from tests.wire.test_lane import Told, until, words

from keystead.kit.pool import Pool


def test_tenants_take_turns_for_the_threads():
    told, gate = [], threading.Event()

    async def within():
        with ThreadPoolExecutor(2, "pool") as threads:
            pool = Pool(threads, 2, asyncio.get_running_loop())
            for _ in range(20):
                pool.put(Told("hog", gate.wait, told))
            for tenant in ("b", "c"):
                pool.put(Told(tenant, told=told))
            gate.set()
            await until(lambda: len(words(told, "back")) == 22)

    asyncio.run(within())
    assert {"b", "c"} <= set(words(told, "run")[:6]), "behind what had begun, and one of each other's"
    assert words(told, "run").count("hog") == 20
    assert {thread for word, _, thread in told if word == "back"} == {threading.get_ident()}


def test_no_more_are_given_out_than_there_are_threads():
    running, most, lock, all_at_work = [0], [0], threading.Lock(), threading.Event()

    def act():
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
            if running[0] == 3:
                all_at_work.set()
        assert all_at_work.wait(60)
        threading.Event().wait(0.005)  # one more would be seen
        with lock:
            running[0] -= 1

    async def within():
        told = []
        with ThreadPoolExecutor(8, "pool") as threads:
            pool = Pool(threads, 3, asyncio.get_running_loop())
            for n in range(12):
                pool.put(Told(str(n), act, told))
            await until(lambda: len(words(told, "back")) == 12)

    asyncio.run(within())
    assert most[0] == 3


def test_where_no_thread_is_to_be_had_one_job_is_lost_and_neither_its_place_nor_the_next(monkeypatch):
    """An executor has queued the job by then: nobody knows whether it is ever run."""

    def none(_thread):
        raise RuntimeError("can't start new thread")

    async def within():
        told = []
        with ThreadPoolExecutor(1, "pool") as threads:
            pool = Pool(threads, 1, asyncio.get_running_loop())
            with monkeypatch.context() as patched:
                patched.setattr(threading.Thread, "start", none)
                for tenant in ("a", "b"):
                    pool.put(Told(tenant, told=told))
                await until(lambda: words(told, "lost") == ["a", "b"])
            for _ in range(3):
                pool.put(Told("well", told=told))
            await until(lambda: words(told, "back") == ["well"] * 3)

    asyncio.run(within())
