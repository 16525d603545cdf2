"""service.meter.Page: in shared memory, and the one that tests stand on. And among processes, which die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.fakes import MemoryPage

from keystead.core.errors import LimitExceeded, WrongState
from keystead.core.limits import ENDLESS, Limit
from keystead.stores import usage
from keystead.stores.usage import SharedUsage

MOST = (10, ENDLESS, ENDLESS, ENDLESS)


@pytest.fixture(params=["shared", "memory"])
def page(request, tmp_path):
    made = SharedUsage(tmp_path / "usage", anew=True) if request.param == "shared" else MemoryPage()
    yield made
    made.close()


def test_nothing_is_taken_that_is_not_reserved(page) -> None:
    assert not page.take("k", (1, 5, 0, 0), MOST)
    assert page.used("k") is None and page.withdraw("k") is None
    page.begin("k", (2, 20, 0, 0), "t")
    assert page.used("k") == (2, 20, 0, 0)
    assert not page.take("k", (1, 5, 0, 0), MOST)
    page.reserve("k", (3, 100, 0, 0))
    assert page.take("k", (1, 5, 0, 0), MOST)
    assert not page.take("k", (1, 5, 0, 0), MOST)
    assert page.used("k") == (3, 25, 0, 0)


def test_nothing_is_taken_beyond_the_limit_though_it_is_reserved(page) -> None:
    page.begin("k", (10, 0, 0, 0), "t")
    page.reserve("k", (50, 50, 50, 50))
    with pytest.raises(WrongState) as caught:
        page.take("k", (1, 0, 0, 0), MOST)
    assert caught.value.detail is Limit.USES
    assert page.take("k", (0, 0, 1, 7), MOST), "the other kind of use has its own"
    with pytest.raises(WrongState) as caught:
        page.take("k", (0, 0, 1, 8), (10, 10, 10, 14))
    assert caught.value.detail is Limit.BYTES
    assert page.used("k") == (10, 0, 1, 7)


def test_what_comes_back_can_be_taken_again(page) -> None:
    page.begin("k", (0, 0, 0, 0), "t")
    page.reserve("k", (1, 9, 0, 0))
    assert page.take("k", (1, 9, 0, 0), MOST)
    page.give_back("k", (1, 9, 0, 0))
    assert page.take("k", (1, 9, 0, 0), MOST)


def test_nothing_comes_back_to_what_has_no_place(page) -> None:
    page.give_back("k", (1, 9, 0, 0))
    assert page.used("k") is None and page.ids() == []


def test_a_reservation_never_shrinks_but_when_it_is_withdrawn(page) -> None:
    page.begin("k", (1, 0, 0, 0), "t")
    page.reserve("k", (5, 0, 0, 0))
    page.reserve("k", (3, 0, 0, 0))
    assert page.take("k", (1, 0, 0, 0), MOST) and page.take("k", (3, 0, 0, 0), MOST)
    page.reserve("k", (9, 0, 0, 0))
    assert page.withdraw("k") == (5, 0, 0, 0)
    assert not page.take("k", (1, 0, 0, 0), MOST)


def test_a_second_beginning_changes_nothing(page) -> None:
    page.begin("k", (1, 1, 1, 1), "t")
    page.begin("k", (0, 0, 0, 0), "t")
    assert page.used("k") == (1, 1, 1, 1)
    assert page.ids() == ["k"]


def test_many_keys_have_each_their_own_place(page) -> None:
    for n in range(3000):
        page.begin(f"{n:053d}/1", (n, n, n, n), "t")
    assert all(page.used(f"{n:053d}/1") == (n, n, n, n) for n in range(3000))
    assert page.used("nobody") is None
    assert sorted(page.ids()) == [f"{n:053d}/1" for n in range(3000)]


# --- in shared memory


def test_a_full_page_takes_no_more(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(usage, "N_PLACES", 64)
    monkeypatch.setattr(usage, "_MOST", 48)
    page = SharedUsage(tmp_path / "usage", anew=True)
    with pytest.raises(LimitExceeded):
        for n in range(65):
            page.begin(str(n), (n, 0, 0, 0), "t")
    assert len(page.ids()) == 24, "half of it: the rest is for others"
    assert page.used("3") == (3, 0, 0, 0)
    with pytest.raises(LimitExceeded):
        page.begin("x" * 65, (0, 0, 0, 0), "t")
    page.close()


def test_no_tenant_takes_the_places_of_all_others(tmp_path, monkeypatch) -> None:
    """Whoever comes last gets in, however many have taken what they could; and other processes see the same."""
    monkeypatch.setattr(usage, "N_PLACES", 2048)
    monkeypatch.setattr(usage, "_MOST", 1536)
    page, other = SharedUsage(tmp_path / "usage", anew=True), SharedUsage(tmp_path / "usage")
    taken = []
    for tenant in range(6):
        with pytest.raises(LimitExceeded, match="of one tenant"):
            for n in range(2000):
                (page, other)[n % 2].begin(f"{tenant}-{n}", (0, 0, 0, 0), str(tenant))
        taken.append(sum(id.startswith(f"{tenant}-") for id in page.ids()))
    assert taken == [768, 384, 192, 96, 48, 24]
    page.begin("0-0", (0, 0, 0, 0), "0")  # it has its place already
    page.close()
    other.close()


def test_nobody_takes_more_by_making_namespaces(tmp_path, monkeypatch) -> None:
    """And each of them leaves some to the others below the same tenant."""
    monkeypatch.setattr(usage, "N_PLACES", 2048)
    monkeypatch.setattr(usage, "_MOST", 1536)
    page = SharedUsage(tmp_path / "usage", anew=True)
    for space in range(12):
        with pytest.raises(LimitExceeded, match="of one tenant"):
            for n in range(2000):
                page.begin(f"{space}-{n}", (0, 0, 0, 0), f"ns{space}", "t")
    taken = [sum(id.startswith(f"{space}-") for id in page.ids()) for space in range(12)]
    assert taken[:4] == [384, 191, 95, 47] and sum(taken) <= 768
    for n in range(300):
        page.begin(f"other-{n}", (0, 0, 0, 0), "other")
    page.close()


def test_namespaces_of_one_key_each_take_no_more_than_their_tenant_may(tmp_path, monkeypatch) -> None:
    """Else the page fills up with what they have, and each look for one that is not there goes through all of it."""
    monkeypatch.setattr(usage, "N_PLACES", 2048)
    monkeypatch.setattr(usage, "_MOST", 1536)
    page, n_refused = SharedUsage(tmp_path / "usage", anew=True), 0
    for space in range(3000):
        try:
            page.begin(f"key-{space}", (0, 0, 0, 0), f"ns{space}", "t")
        except LimitExceeded:
            n_refused += 1
    n_occupied = sum(page._map[at] != 0 for at in range(64, 2048 * 128, 128))
    assert n_refused > 2000 and n_occupied <= 768 + 2  # the tenant's own, and that of all
    for n in range(300):
        page.begin(f"other-{n}", (0, 0, 0, 0), "other")
    page.close()


def test_two_processes_see_one_page_and_a_new_one_begins_empty(tmp_path) -> None:
    one, other = SharedUsage(tmp_path / "usage", anew=True), SharedUsage(tmp_path / "usage")
    one.begin("k", (0, 0, 0, 0), "t")
    one.reserve("k", (5, 5, 5, 5))
    assert other.take("k", (1, 1, 0, 0), MOST) and one.used("k") == (1, 1, 0, 0)
    one.close()
    other.close()
    anew = SharedUsage(tmp_path / "usage", anew=True)
    assert anew.used("k") is None
    anew.close()


TAKER = """
import sys
from pathlib import Path
from keystead.core.errors import WrongState
from keystead.stores.usage import SharedUsage
page, most = SharedUsage(Path(sys.argv[1])), (int(sys.argv[2]),) * 4
n = 0
try:
    while page.take("k", (1, 0, 0, 0), most):
        n += 1
        if sys.argv[3] == "aloud":
            sys.stdout.write("x")
            sys.stdout.flush()
except WrongState:
    print(n)
"""


def take(path: Path, most: int, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", TAKER, path, str(most), how], stdout=subprocess.PIPE, text=True)


def test_of_many_processes_just_so_many_get_one(tmp_path) -> None:
    page = SharedUsage(tmp_path / "usage", anew=True)
    page.begin("k", (0, 0, 0, 0), "t")
    page.reserve("k", (20_000,) * 4)
    processes = [take(tmp_path / "usage", 10_001, "silently") for _ in range(4)]
    said = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sum(said) == 10_001 and page.used("k") == (10_001, 0, 0, 0)
    page.close()


def test_a_process_that_is_killed_lets_go_of_the_lock_and_has_done_no_more_than_it_counted(tmp_path) -> None:
    page = SharedUsage(tmp_path / "usage", anew=True)
    page.begin("k", (0, 0, 0, 0), "t")
    page.reserve("k", (ENDLESS,) * 4)
    n_done = 0
    for _ in range(10):
        process = take(tmp_path / "usage", 2**40, "aloud")
        assert process.stdout is not None
        assert process.stdout.read(1) == "x"
        time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        n_done += 1 + len(process.communicate()[0])
        asked = threading.Thread(target=page.take, args=("k", (1, 0, 0, 0), (ENDLESS,) * 4))
        asked.start()
        asked.join(60)
        assert not asked.is_alive()
        n_done += 1
        found = page.used("k")
        assert found is not None and n_done <= found[0]
    page.close()
