"""The health tests against SP 800-90B: cut-offs as its Table 2 has them, and sources that are broken in every way."""

import random
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.core.errors import Unavailable
from keystead.entropy import health
from keystead.entropy.health import PROPORTION, REPETITIONS, START_UP, WINDOW, Health, Repeats, Screened, Unhealthy


@pytest.mark.parametrize(
    ("window", "entropy", "cutoff"),
    [
        *((1024, 0.2, 941), (1024, 0.4, 840), (1024, 0.6, 748), (1024, 0.8, 664), (1024, 1, 589)),
        *((512, 0.5, 410), (512, 1, 311), (512, 2, 177), (512, 4, 62), (512, 8, 13)),
    ],
)
def test_the_cutoffs_of_table_2(window, entropy, cutoff) -> None:
    """SP 800-90B §4.4.2, Table 2, for alpha = 2^-20."""
    assert health.proportion_cutoff(entropy, window, 20) == cutoff


def test_repetition_cutoffs() -> None:
    """SP 800-90B §4.4.1: "the cutoff value of the repetition count test is 1 + ceil(-log2 alpha / H)"; H = 2: 11."""
    assert health.repetition_cutoff(2, 20) == 11
    assert [health.repetition_cutoff(h) for h in (1, 7.5, 8)] == [31, 5, 5]


def test_our_cutoffs_exactly() -> None:
    """By integers: the first count whose tail is at most 2^-30."""

    def tail(c):
        p = Fraction(1, 256)
        return sum(comb(WINDOW, k) * p**k * (1 - p) ** (WINDOW - k) for k in range(c, WINDOW + 1))

    assert (REPETITIONS, PROPORTION) == (5, 16)
    assert tail(PROPORTION) <= Fraction(1, 2**30) < tail(PROPORTION - 1)


def bytes_of(seed, n):
    return random.Random(seed).randbytes(n)


@pytest.mark.parametrize("cut", [1, 3, 100, 511, 512, 513, 4096])
def test_a_good_source_passes_however_it_is_read(cut) -> None:
    tested, text = Health(), bytes_of(1, 200_000)
    for at in range(0, len(text), cut):
        tested.feed(text[at : at + cut])
    assert tested.n_tested == len(text) and tested.is_started


def test_it_is_started_after_1024_samples() -> None:
    tested = Health()
    tested.feed(bytes_of(2, START_UP - 1))
    assert not tested.is_started
    tested.feed(b"\0")
    assert tested.is_started


@given(st.integers(0, 3000), st.integers(1, 600), st.integers(0, 255))
def test_a_run_is_found_wherever_it_begins_and_however_it_is_cut(at, cut, byte) -> None:
    other = bytes([byte ^ 1])
    text = bytes_of(at, at).rstrip(bytes([byte])) + other + bytes([byte]) * REPETITIONS
    tested = Health()
    with pytest.raises(Unhealthy, match="repetition count"):
        for start in range(0, len(text), cut):
            tested.feed(text[start : start + cut])


def test_a_run_that_is_one_shorter_is_none() -> None:
    Health().feed(b"ab" + b"c" * (REPETITIONS - 1) + b"d")


@given(st.integers(0, 2**32), st.integers(1, 700))
def test_a_proportion_is_found_however_it_is_cut(seed, cut) -> None:
    """The first byte of the second window comes 16 times in it, and never twice in a row."""
    window = [value for value in range(256) if value != 7] * 3
    random.Random(seed).shuffle(window)
    window = [7, *window[: WINDOW - 1]]
    for place in range(2, 2 * PROPORTION, 2):
        window[place] = 7
    text = bytes(range(256)) * 2 + bytes(window)
    tested = Health()
    with pytest.raises(Unhealthy, match="adaptive proportion"):
        for start in range(0, len(text), cut):
            tested.feed(text[start : start + cut])


def test_a_proportion_that_is_one_less_is_none() -> None:
    window = [value for value in range(256) if value != 7] * 3
    window = [7, *window[: WINDOW - 1]]
    for place in range(2, 2 * PROPORTION - 2, 2):
        window[place] = 7
    assert window.count(7) == PROPORTION - 1
    Health().feed(bytes(window))


@pytest.mark.parametrize("bias", [0.1, 0.25, 0.5])
def test_a_biased_source_is_found_soon(bias) -> None:
    """One byte in ten, or more, is always the same."""
    source = random.Random(3)
    text = bytes(0xA5 if source.random() < bias else source.randrange(256) for _ in range(64 * 1024))
    with pytest.raises(Unhealthy):
        Health().feed(text)


def test_what_came_before_is_known_again() -> None:
    seen = Repeats(b"k" * 32)
    first, second = bytes_of(4, 1024), bytes_of(5, 1024)
    seen.feed(first)
    seen.feed(second)
    with pytest.raises(Unhealthy, match="second time"):
        seen.feed(second[-16:] + bytes_of(6, 1008))


def test_what_is_kept_of_earlier_readings_is_bounded_and_no_reading() -> None:
    seen = Repeats(b"k" * 32)
    text = bytes_of(7, 16 * (health.N_UNITS + 500))
    seen.feed(text)
    assert len(seen._known) == len(seen._order) == health.N_UNITS
    assert not any(kept in text for kept in list(seen._order)[:100])


def test_what_is_handed_out_as_it_is_is_tested_too() -> None:
    source = random.Random(8)
    good = Screened("it", source.randbytes, b"k" * 32)
    assert [len(good(n)) for n in (1, 15, 16, 1024)] == [1, 15, 16, 1024]
    replayed = source.randbytes(16)
    for stuck, test in (
        (bytes, "repetition count test"),
        (lambda n: (b"ab" * n)[:n], "adaptive proportion test"),
        (lambda n: (replayed * (n // 16 + 1))[:n], "repeat test"),
    ):
        tested = Screened("it", stuck, b"k" * 32)
        with pytest.raises(Unavailable) as refused:
            [tested(64) for _ in range(2)]
        assert refused.value.detail == test
    turns = iter([replayed, replayed, source.randbytes(16)])
    tested = Screened("it", lambda _: next(turns), b"k" * 32)
    assert tested(8) == replayed[:8]
    with pytest.raises(Unavailable):
        tested(8)
    assert tested(8), "what is well again is given again"
