"""The kernel's generator and hardware sources, mixed so that the result is as good as the better of them.

    seed = chunk of each source ‖ 64 bytes of the kernel's, drawn after the chunks
    generator = HMAC_DRBG-SHA-512 (SP 800-90A), instantiated from the kernel and then reseeded with that seed

Every step is an HMAC under a key that the kernel's bytes have made before the hardware's come in: without the kernel's
bytes nothing the hardware says chooses anything, and with them known the hardware's entropy is still all in the state.
A source cannot have seen the kernel's last bytes when it gave its own, so it cannot cancel them.

Rule 1: keying material (`draw`) has a generator of its own, seeded with chunks that nobody else gets. It may wait.
Rule 2: all else (calling the mix) never waits: a generator per thread, reseeded from the hardware now and then, if it
        has something ready. Each output is XORed with as many fresh bytes of the kernel's (SP 800-90C, RBG3(XOR)):
        nothing in the generator can have seen those, and no copy of this process (fork, snapshot) says the same.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence

from keystead.core.errors import Unavailable
from keystead.core.ports import KERNEL, Entropy
from keystead.crypto.drbg import MOST, HmacDrbg
from keystead.entropy.hardware import CHUNK_BYTES, Hardware

WAIT_FOR = 5.0  # seconds that the making of a key waits for hardware, in all
RESEED_AFTER = 1024  # outputs of a thread's generator
PERSONAL = b"keystead/entropy/v1"


class Mix:
    """core.ports.Entropy and core.ports.KeyEntropy. Safe to use from any thread, and across a fork.

    `is_required`: no key is made without hardware. Without sources it is the kernel's generator alone.
    """

    def __init__(
        self,
        sources: Sequence[Hardware],
        *,
        kernel: Entropy = os.urandom,
        is_required: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sources, self.is_required = tuple(sources), is_required
        self._kernel, self._monotonic = kernel, monotonic
        self._local = threading.local()
        _MIXES.add(self)

    def __call__(self, n: int, /) -> bytes:
        if not self.sources:
            return self._kernel(n)
        drbg, made = self._generator(), b""
        while len(made) < n:
            made += drbg.generate(min(n - len(made), MOST))
        return (int.from_bytes(made, "big") ^ int.from_bytes(self._kernel(n), "big")).to_bytes(n, "big")

    def draw(self, n: int, /) -> tuple[bytes, str]:
        """Raises Unavailable where hardware is required and none answers. May wait WAIT_FOR seconds."""
        until = self._monotonic() + WAIT_FOR
        chunks = [(one.name, one.take(max(0.0, until - self._monotonic()))) for one in self.sources]
        from_hardware = [name for name, chunk in chunks if chunk]
        if not from_hardware:
            if self.is_required:
                raise Unavailable(f"new keys must have entropy of hardware; {self.trouble or 'it gives too little'}")
            return self._kernel(n), KERNEL
        drbg = HmacDrbg(self._kernel(CHUNK_BYTES) + PERSONAL)
        drbg.reseed(b"".join(chunk for _, chunk in chunks) + self._kernel(CHUNK_BYTES))
        return drbg.generate(n), "+".join((KERNEL, *from_hardware))

    @property
    def trouble(self) -> str:
        """Of every source that gives nothing; empty while all is well."""
        return "; ".join(f"{one.name}: {one.trouble}" for one in self.sources if one.trouble)

    def start(self) -> None:
        """Begin to read ahead; else that begins with the first key, which then waits for it."""
        for one in self.sources:
            one.start()

    def close(self) -> None:
        for one in self.sources:
            one.close()

    def _generator(self) -> HmacDrbg:
        """This thread's."""
        local = self._local
        left: int = getattr(local, "left", 0)
        if left <= 0:
            left = self._reseed()
        local.left = left - 1
        drbg: HmacDrbg = local.drbg
        return drbg

    def _reseed(self) -> int:
        """How many outputs it is good for: one, while the hardware has given nothing yet and may still."""
        local = self._local
        if not hasattr(local, "drbg"):
            local.drbg = HmacDrbg(self._kernel(CHUNK_BYTES) + PERSONAL)
        chunks = b"".join([one.take() for one in self.sources])
        if chunks:
            local.drbg.reseed(chunks + self._kernel(CHUNK_BYTES))
        return RESEED_AFTER if chunks else 1

    def forget(self) -> None:
        """In a forked child: no state of the parent's gives anything twice."""
        self._local = threading.local()
        for one in self.sources:
            one.forget()


_MIXES: weakref.WeakSet[Mix] = weakref.WeakSet()


def _forget_all() -> None:
    for mix in list(_MIXES):
        mix.forget()


os.register_at_fork(after_in_child=_forget_all)
