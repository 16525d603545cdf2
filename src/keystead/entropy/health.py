"""Health tests of a hardware source: NIST SP 800-90B §4.3 and §4.4, and one for a source that repeats itself.

A sample is a byte. An HSM or a TPM gives what its own generator made of its noise and claims full entropy for it: 8
bits a byte. So the tests find a source that is broken, stuck, biased or replayed, and see nothing of the noise itself.

    alpha = 2^-30, H = 8:  repetition count 5 · adaptive proportion 16 in 512 · start-up 1024 samples
"""

from __future__ import annotations

import re
import threading
from collections import deque
from hashlib import blake2s
from math import ceil, exp, lgamma, log, log1p

from keystead.core.errors import Unavailable
from keystead.core.ports import Entropy

ALPHA_BITS = 30  # a false alarm has a probability of 2^-30: §4.3 asks for 2^-20 to 2^-40
CLAIMED = 8  # bits of min-entropy a sample
WINDOW = 512  # §4.4.2, for samples that are not binary
START_UP = 1024  # §4.3, item 4
UNIT, N_UNITS = 16, 4096  # what is compared of earlier readings: 64 KiB of them


def repetition_cutoff(entropy: float, alpha_bits: int = ALPHA_BITS) -> int:
    """C of §4.4.1: so many equal samples in a row are too many."""
    return 1 + ceil(alpha_bits / entropy)


def proportion_cutoff(entropy: float, window: int = WINDOW, alpha_bits: int = ALPHA_BITS) -> int:
    """C of §4.4.2: 1 + CRITBINOM(W, 2^-H, 1 - alpha)."""
    p, beyond, most = 2.0**-entropy, 0.0, window
    while (beyond := beyond + exp(_log_binomial(window, most, p))) <= 2.0**-alpha_bits:
        most -= 1
    return 1 + most


def _log_binomial(n: int, k: int, p: float) -> float:
    """Of exactly k out of n."""
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p)


REPETITIONS = repetition_cutoff(CLAIMED)
PROPORTION = proportion_cutoff(CLAIMED)
_RUN = re.compile(rb"(.)\1{%d}" % (REPETITIONS - 1), re.DOTALL)


class Unhealthy(Exception):
    """The source is not what it claims; `test` is the one that says so."""

    def __init__(self, words: str, test: str) -> None:
        super().__init__(f"{words}: {test}")
        self.test = test


class Health:
    """The continuous tests over one source, from its start on."""

    def __init__(self) -> None:
        self.n_tested = 0
        self._last = b""  # what a run may have begun with
        self._window = b""

    @property
    def is_started(self) -> bool:
        """Whether the start-up tests are behind it."""
        return self.n_tested >= START_UP

    def feed(self, samples: bytes) -> None:
        """Raises Unhealthy."""
        if _RUN.search(self._last + samples):
            raise Unhealthy(f"one byte came {REPETITIONS} times in a row", "repetition count test")
        self._last = (self._last + samples)[1 - REPETITIONS :]
        self._window += samples
        while self._window:
            window = self._window[:WINDOW]
            if window.count(window[:1]) >= PROPORTION:
                raise Unhealthy(f"one byte came {PROPORTION} times in {WINDOW}", "adaptive proportion test")
            if len(window) < WINDOW:
                break
            self._window = self._window[WINDOW:]
        self.n_tested += len(samples)


class Repeats:
    """Whether a source gives again what it gave before: 128 bits never come twice by chance.

    Of earlier readings only digests are kept, under a key of this process.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._order: deque[bytes] = deque()
        self._known: set[bytes] = set()

    def feed(self, samples: bytes) -> None:
        """Raises Unhealthy."""
        for at in range(0, len(samples) - UNIT + 1, UNIT):
            digest = blake2s(samples[at : at + UNIT], key=self._key, digest_size=UNIT).digest()
            if digest in self._known:
                raise Unhealthy(f"{UNIT} bytes came a second time", "repeat test")
            self._known.add(digest)
            self._order.append(digest)
            if len(self._order) > N_UNITS:
                self._known.discard(self._order.popleft())


class Screened:
    """A source whose bytes are handed out as they are, and mixed with nothing: each answer tested before it is given.

    One answer in some millions fails by chance, and whoever asks again gets another. Safe to use from any thread.
    """

    def __init__(self, name: str, read: Entropy, key: bytes) -> None:
        self._name, self._read = name, read
        self._lock, self._repeats = threading.Lock(), Repeats(key)

    def __call__(self, n: int, /) -> bytes:
        """Raises Unavailable (detail: the test that it failed), and what reading raises."""
        made = self._read(max(n, UNIT))
        try:
            Health().feed(made)
            with self._lock:
                self._repeats.feed(made)
        except Unhealthy as error:
            raise Unavailable(f"what {self._name} has given is not given on: {error}", error.test) from None
        return made[:n]
