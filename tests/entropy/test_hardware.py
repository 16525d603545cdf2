"""A hardware source that is good, stuck, biased, replayed, absent, short, or never answers: what it gives and says."""

import os
import random
import threading
import time

import pytest
from tests.waiting import until

from keystead.core.errors import Unavailable
from keystead.entropy.hardware import BLOCK_BYTES, CHUNK_BYTES, LATE_FOR, N_CHUNKS, Hardware


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Fake:
    """A source with a seed, and what is wrong with it."""

    def __init__(self, seed: int = 1) -> None:
        self._random, self.n_read = random.Random(seed), 0
        self.given = b""
        self.trouble = None

    def __call__(self, n: int, /) -> bytes:
        self.n_read += 1
        if isinstance(self.trouble, Exception):
            raise self.trouble
        made = self._random.randbytes(n) if self.trouble is None else self.trouble(n)
        self.given += made
        return made


def stepped(read, **more):
    """Without its thread: the test reads."""
    source = Hardware("fake", read, entropy=lambda n: b"k" * n, **more)
    source.start = lambda: None
    return source


def chunks(source):
    return list(iter(source.take, b""))


def test_what_the_start_up_tests_look_at_is_thrown_away() -> None:
    fake = Fake()
    source = stepped(fake)
    source.fill()
    assert not source.is_ready and source.trouble == "" and source.take() == b""
    source.fill()
    got = chunks(source)
    assert len(got) == BLOCK_BYTES // CHUNK_BYTES and all(len(one) == CHUNK_BYTES for one in got)
    assert b"".join(got) == fake.given[BLOCK_BYTES:]


def test_each_chunk_is_given_once_and_the_pool_is_bounded() -> None:
    fake = Fake()
    source = stepped(fake)
    for _ in range(20):
        source.fill()
    got = chunks(source)
    assert len(got) == len(set(got)) == N_CHUNKS
    assert b"".join(got) == fake.given[-N_CHUNKS * CHUNK_BYTES :], "the oldest went"


@pytest.mark.parametrize(
    ("trouble", "verdict"),
    [
        (bytes, "repetition count test"),
        (lambda n: b"\xff" * n, "repetition count test"),
        (lambda n: random.Random(5).randbytes(n // 2) + b"\0" * (n // 2), "repetition count test"),
        (lambda n: bytes(b & 0x0F for b in random.Random(6).randbytes(n)), "adaptive proportion test"),
        (lambda n: random.Random(7).randbytes(n), "repeat test"),
    ],
    ids=["zeros", "ones", "dies", "biased", "replays"],
)
def test_a_source_that_fails_is_out_for_good(trouble, verdict, caplog) -> None:
    fake, changes = Fake(), []
    source = stepped(fake, on_change=lambda one: changes.append((one.verdict, one.trouble)))
    source.fill()
    source.fill()
    assert source.is_ready
    fake.trouble = trouble
    for _ in range(3):
        source.fill()
        if source.verdict:
            break
    assert source.verdict == verdict and verdict in source.trouble
    assert source.take() == b"" and not source.is_ready, "nor what it gave before"
    assert changes == [(verdict, source.trouble)]
    assert f"entropy source fake: {source.trouble}" in caplog.text
    assert not any(part.hex() in caplog.text for part in (fake.given[:16], fake.given[-16:]))


def test_a_source_that_is_broken_from_the_start_gives_nothing() -> None:
    source = stepped(bytes)
    source.fill()
    assert source.verdict == "repetition count test" and source.take() == b""


def test_a_source_that_cannot_be_read_is_told_tried_again_and_starts_anew() -> None:
    fake, changes = Fake(), []
    source = stepped(fake, on_change=lambda one: changes.append(one.verdict))
    fake.trouble = Unavailable("the HSM box does not answer")
    source.fill()
    source.fill()
    assert source.trouble == "it cannot be read: the HSM box does not answer"
    assert changes == ["unreadable"], "once"
    fake.trouble = None
    source.fill()
    assert source.trouble == "" and changes == ["unreadable", ""]
    assert not source.is_ready, "the start-up tests come first"
    source.fill()
    assert source.is_ready
    fake.trouble = OSError("gone")
    source.fill()
    assert len(chunks(source)) == BLOCK_BYTES // CHUNK_BYTES, "what was tested before is still good"
    fake.trouble = None
    source.fill()
    assert chunks(source) == [], "the block after it came back is for the tests"


def test_words_of_an_unknown_error_are_not_shown() -> None:
    fake = Fake()
    fake.trouble = RuntimeError("secret 4711")
    source = stepped(fake)
    source.fill()
    assert source.trouble == "it cannot be read: RuntimeError"


@pytest.mark.parametrize("n", [0, BLOCK_BYTES - 1, BLOCK_BYTES + 1])
def test_a_reading_of_another_length_is_none(n) -> None:
    source = stepped(lambda _: random.Random(1).randbytes(n))
    source.fill()
    assert "instead of 1024" in source.trouble


# --- with its thread


def test_one_that_never_answers_keeps_nobody() -> None:
    clock, entered, let_go, told = Clock(), threading.Event(), threading.Event(), []

    def stuck(n):
        entered.set()
        let_go.wait(60)
        return os.urandom(n)

    source = Hardware(
        "stuck", stuck, entropy=os.urandom, monotonic=clock, on_change=lambda one: told.append(one.trouble)
    )
    try:
        source.start()
        assert entered.wait(60)
        assert source.take() == b"" and source.trouble == ""
        clock.now += LATE_FOR + 1
        assert source.take(600.0) == b"", "it is not waited for, or this does not end"
        assert told == [source.trouble] == ["it has not answered for 16 seconds"] and source.verdict == "late"
        let_go.set()
        until(lambda: source.is_ready)
        assert source.take() and source.trouble == "" and told[1:] == [""]
    finally:
        let_go.set()
        source.close()


def test_a_waiting_taker_gets_what_comes() -> None:
    source = Hardware("slow", lambda n: time.sleep(0.05) or os.urandom(n), entropy=os.urandom)
    try:
        assert len(source.take(60.0)) == CHUNK_BYTES
    finally:
        source.close()
    assert source.take(10.0) == b"" and source.trouble == "it is closed"


def test_many_threads_share_no_chunk() -> None:
    source, got = Hardware("fast", os.urandom, entropy=os.urandom), []

    def drain():
        got.extend(source.take(60.0) for _ in range(200))

    threads = [threading.Thread(target=drain) for _ in range(8)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(got) == len(set(got)) == 1600 and b"" not in got
    finally:
        source.close()


def test_it_reads_no_more_than_it_needs() -> None:
    fake = Fake()
    source = Hardware("idle", fake, entropy=os.urandom)
    try:
        assert source.take(60.0)
        until(lambda: len(source._pool) >= N_CHUNKS // 2)
        n = fake.n_read
        for _ in range(8):
            assert source.take(60.0)
        time.sleep(0.2)
        assert fake.n_read <= n + 2
    finally:
        source.close()


def test_what_cannot_be_told_stops_no_reading(caplog) -> None:
    fake = Fake()
    source = stepped(fake, on_change=lambda _: 1 / 0)
    fake.trouble = OSError("gone")
    source.fill()
    fake.trouble = None
    source.fill()
    source.fill()
    assert source.is_ready and "could not be told" in caplog.text
