"""What entropy of hardware costs, and what hardware gives: `python -m bench.entropy --data DIR`.

Of the sources that the configuration in DIR names. In this process, without a server: µs of one thread for what is
drawn on the way of a request, and for a key; KiB a second of each source as it is read ahead and tested.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from rich.console import Console

from keystead import config
from keystead.app.entropy import mixed
from keystead.app.hsms import Tokens
from keystead.core.algorithms import KEY_SPECS
from keystead.core.ports import KernelEntropy, KeyEntropy
from keystead.entropy.hardware import BLOCK_BYTES, Hardware
from keystead.entropy.health import Health, Repeats
from keystead.entropy.mix import Mix
from keystead.providers.software import SoftwareProvider

SPECS = ("AES_256", "EC_P256", "ED25519", "ML_KEM_768")
ROUNDS, FOR = 7, 0.1  # the best of so many, seconds each


class Figure(Struct, frozen=True):
    what: str
    kernel: float
    mixed: float | None
    unit: str


def best(act: Callable[[], object]) -> float:
    """µs a call, of the best round."""
    act()
    found = []
    for _ in range(ROUNDS):
        n, began = 0, time.perf_counter()
        while (took := time.perf_counter() - began) < FOR:
            act()
            n += 1
        found.append(took / n * 1e6)
    return min(found)


def drawing(mix: Mix) -> list[Figure]:
    return [
        Figure("32 bytes that are no key", best(lambda: os.urandom(32)), best(lambda: mix(32)), "µs"),
        Figure("32 bytes for a key", best(lambda: os.urandom(32)), best(lambda: mix.draw(32)), "µs"),
    ]


def making(mix: Mix) -> list[Figure]:
    def rate(name: str, entropy: KeyEntropy) -> float:
        provider = SoftwareProvider(os.urandom, entropy)
        return best(lambda: provider.generate(KEY_SPECS[name]))

    kernel = KernelEntropy(os.urandom)
    return [Figure(f"a key of {name}", rate(name, kernel), rate(name, mix), "µs") for name in SPECS]


def reading(source: Hardware) -> Figure:
    """As the thread of a source does it: read and tested."""
    health, repeats = Health(), Repeats(os.urandom(32))

    def block() -> None:
        read = source.read(BLOCK_BYTES)
        health.feed(read)
        repeats.feed(read)

    return Figure(f"{source.name}, read and tested", BLOCK_BYTES / best(block) * 1e6 / 1024, None, "KiB/s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a data directory, or one with a keystead.toml alone")
    settings = config.read(parser.parse_args().data)
    console = Console()
    if not settings.entropy.sources:
        console.print("its configuration names no sources of entropy")
        return 1
    mix = mixed(settings, Tokens(settings.hsms), lambda _: None)
    mix.start()
    mix.draw(32)
    if mix.trouble:
        console.print(mix.trouble)
        return 1
    for one in [*drawing(mix), *making(mix), *map(reading, mix.sources)]:
        beside = "" if one.mixed is None else f"   {one.mixed:9.1f} with {' + '.join(settings.entropy.sources)}"
        console.print(f"{one.what:28} {one.kernel:9.1f} {one.unit}{beside}", highlight=False)
    mix.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
