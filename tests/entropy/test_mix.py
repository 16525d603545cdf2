"""The mix is as good as the better of what goes in, and nothing that a source does stops it (seeded fakes)."""

import os
import random
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.costs import cost
from tests.fakes import SeededEntropy

from keystead.core.errors import Unavailable
from keystead.crypto.drbg import MOST, HmacDrbg
from keystead.entropy import mix as mixing
from keystead.entropy.hardware import CHUNK_BYTES
from keystead.entropy.mix import PERSONAL, RESEED_AFTER, Mix


class Source:
    """What the mix sees of a Hardware: chunks one after the other, or nothing."""

    def __init__(self, name="fake", give=None) -> None:
        self.name, self._give, self.trouble, self.n_taken = name, give or random.Random(9).randbytes, "", 0
        self.waits = []

    def take(self, wait_for=0.0):
        self.waits.append(wait_for)
        if self.trouble:
            return b""
        self.n_taken += 1
        return self._give(CHUNK_BYTES)

    def start(self):
        pass

    close = forget = start


def constant(n):
    """A kernel whose generator is broken altogether."""
    return b"\0" * n


def differing_bits(one, other):
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def test_without_sources_it_is_the_kernel() -> None:
    mix = Mix((), kernel=SeededEntropy(1))
    assert mix(100) == SeededEntropy(1)(100)
    assert Mix((), kernel=SeededEntropy(1)).draw(32) == (SeededEntropy(1)(32), "kernel")


def test_a_key_is_drawn_as_the_standard_says() -> None:
    kernel, chunk = SeededEntropy(2), random.Random(9).randbytes(CHUNK_BYTES)
    expected = HmacDrbg(kernel(64) + PERSONAL)
    expected.reseed(chunk + kernel(64))
    assert Mix([Source("hsm:box")], kernel=SeededEntropy(2)).draw(32) == (expected.generate(32), "kernel+hsm:box")


@given(st.integers(0, 2**32), st.integers(16, 200))
def test_with_a_dead_kernel_the_hardware_alone_decides(seed, n) -> None:
    one, other = (Mix([Source(give=random.Random(s).randbytes)], kernel=constant) for s in (seed, seed + 1))
    drawn = [one.draw(n)[0], one.draw(n)[0], other.draw(n)[0], one(n), one(n), other(n)]
    assert len(set(drawn)) == len(drawn), "never the same twice, and another with another source"
    assert n * 8 * 0.2 < differing_bits(drawn[0], drawn[2]) < n * 8 * 0.8


@pytest.mark.parametrize("give", [bytes, lambda n: b"\xff" * n, lambda n: bytes(range(n))], ids=["0", "1", "counts"])
def test_a_hostile_source_chooses_nothing(give) -> None:
    """It passes for healthy here; whatever it says, the output depends on every byte of the kernel's."""
    drawn = {Mix([Source(give=give)], kernel=SeededEntropy(seed)).draw(32)[0] for seed in range(200)}
    used = {Mix([Source(give=give)], kernel=SeededEntropy(seed))(32) for seed in range(200)}
    assert len(drawn) == len(used) == 200 and not drawn & used
    n_ones = sum(int.from_bytes(one, "big").bit_count() for one in drawn)
    assert 0.48 < n_ones / (200 * 256) < 0.52


def test_a_source_that_sees_all_but_the_last_bytes_of_the_kernel_cannot_cancel_them() -> None:
    """It is asked first: what it answers is fixed before the bytes are drawn that the output rests on."""
    order = []
    mix = Mix(
        [Source(give=lambda n: order.append("source") or bytes(n))],
        kernel=lambda n: order.append("kernel") or os.urandom(n),
    )
    mix.draw(32)
    assert order.index("source") < len(order) - 1 - order[::-1].index("kernel")
    order.clear()
    mix(32)
    assert order[-1] == "kernel"


def test_each_key_takes_a_chunk_of_its_own_of_each_source() -> None:
    sources = [Source("hsm:one"), Source("tpm")]
    mix = Mix(sources)
    assert [mix.draw(32)[1] for _ in range(5)] == ["kernel+hsm:one+tpm"] * 5
    assert [one.n_taken for one in sources] == [5, 5]


def test_what_gives_nothing_is_not_named() -> None:
    sources = [Source("hsm:one"), Source("tpm")]
    sources[0].trouble = "repetition count test"
    assert Mix(sources).draw(32)[1] == "kernel+tpm"
    sources[1].trouble = "it has not answered for 9 seconds"
    mix = Mix(sources)
    assert mix.draw(32)[1] == "kernel"
    assert mix.trouble == "hsm:one: repetition count test; tpm: it has not answered for 9 seconds"


def test_where_it_is_required_no_key_is_made_without() -> None:
    sources = [Source("hsm:one"), Source("tpm")]
    mix = Mix(sources, is_required=True)
    sources[0].trouble = "gone"
    assert mix.draw(32)[1] == "kernel+tpm", "one of them is enough"
    sources[1].trouble = "broken"
    with pytest.raises(Unavailable, match="must have entropy of hardware; hsm:one: gone; tpm: broken"):
        mix.draw(32)
    assert len(mix(32)) == 32, "a nonce, an id, a destruction's new root go on"


def test_a_key_waits_once_for_all_and_nothing_else_waits(monkeypatch) -> None:
    now = [0.0]

    class Slow(Source):
        def take(self, wait_for=0.0):
            now[0] += wait_for
            return super().take(wait_for)

    sources = [Slow(), Slow(), Slow()]
    for one in sources:
        one.trouble = "late"
    mix = Mix(sources, monotonic=lambda: now[0])
    mix.draw(32)
    assert now[0] == mixing.WAIT_FOR
    for _ in range(3000):
        mix(32)
    assert now[0] == mixing.WAIT_FOR and all(set(one.waits[1:]) == {0.0} for one in sources)


def test_a_thread_s_generator_is_reseeded_now_and_then_and_at_once_when_hardware_comes() -> None:
    source = Source()
    source.trouble = "starting"
    mix = Mix([source])
    mix(32)
    source.trouble = ""
    for _ in range(RESEED_AFTER):
        mix(8)
    assert source.n_taken == 1
    mix(8)
    assert source.n_taken == 2


def test_no_two_threads_share_a_state() -> None:
    """With a dead kernel and a source that says the same to all, only the state could tell them apart: it may not."""
    mix, got = Mix([Source(give=SeededEntropy(3))], kernel=constant), []

    def draw():
        got.extend(mix(16) for _ in range(500))

    threads = [threading.Thread(target=draw) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == len(got) == 3000


def test_as_much_as_is_wanted() -> None:
    mix = Mix([Source()])
    assert [len(mix(n)) for n in (0, 1, MOST, MOST + 1, 3 * MOST)] == [0, 1, MOST, MOST + 1, 3 * MOST]


FORKING = """
import os, sys
from keystead.core.errors import Unavailable
from keystead.entropy.hardware import Hardware
from keystead.entropy.mix import Mix
source = Hardware("fake", os.urandom, entropy=os.urandom)
mix = Mix([source], kernel=lambda n: bytes(n), is_required=True)
mix.draw(32); mix(32)
reading, writing = os.pipe()
if os.fork() == 0:
    try:
        mix.draw(32)
    except Unavailable as error:
        os.write(writing, mix(32) + str(error).encode())
    os._exit(0)
os.wait()
child = os.read(reading, 1000)
print(mix(32).hex() != child[:32].hex(), child[32:].decode())
"""


def test_a_forked_child_has_nothing_of_its_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == (
        "True new keys must have entropy of hardware; fake: it is read by the process that forked this one\n"
    ), done.stderr


def test_it_is_quick() -> None:
    """On the event loop: some ten microseconds; the bound is for a busy machine."""
    mix = Mix([Source()])
    mix(32)
    assert cost(lambda: [mix(32) for _ in range(200)]) < 200 * 200e-6
