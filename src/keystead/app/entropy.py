"""Where entropy comes from, as the configuration says; and how its sources are, told by every process of a server.

A process that finds a source in trouble says so in a file of its own (DIR/run/entropy), which the supervisor's status
reads, and in its audit journal.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from keystead.app.hardware import tpm_at
from keystead.app.hsms import Tokens
from keystead.app.layout import Layout
from keystead.config import Config
from keystead.core.caller import Stranger
from keystead.core.errors import Unavailable
from keystead.core.ports import Clock, Entropy
from keystead.entropy.hardware import Hardware
from keystead.entropy.health import Screened
from keystead.entropy.mix import Mix
from keystead.service.pipeline import Service

DOOR, TEST = "entropy", "HealthTest"


def mixed(settings: Config, tokens: Tokens, on_change: Callable[[Hardware], None]) -> Mix:
    """As the configuration says; nothing is asked of any hardware yet. Raises InvalidArgument."""
    reads = [(name, KINDS[name.partition(":")[0]](name, settings, tokens)) for name in settings.entropy.sources]
    found = [Hardware(name, read, entropy=os.urandom, on_change=on_change) for name, read in reads]
    return Mix(found, is_required=settings.entropy.required)


def screened(hsm: str, read: Entropy) -> Entropy:
    """The generator of an HSM, for those who want its bytes and no others."""
    return Screened(f"the generator of the HSM {hsm}", read, os.urandom(32))


@contextmanager
def drawing(settings: Config, tokens: Tokens, *, at_any_price: bool = False) -> Iterator[Mix]:
    """For what is made without a server, as an installation is: the hardware is waited for, once.

    Raises Unavailable where hardware is required and gives nothing, unless it has to go on `at_any_price`.
    """
    mix = mixed(settings, tokens, lambda _: None)
    try:
        with suppress(*(Unavailable,) * at_any_price):
            mix.draw(1)
        yield mix
    finally:
        mix.close()


def _device(name: str, _settings: Config, _tokens: Tokens) -> Entropy:
    return Device(Path(name.partition(":")[2]))


def _hsm(name: str, _settings: Config, tokens: Tokens) -> Entropy:
    return tokens.token(name.partition(":")[2]).random


def _tpm(_name: str, settings: Config, _tokens: Tokens) -> Entropy:
    assert settings.tpm is not None  # noqa: S101 - config.read sees to it
    return tpm_at(settings.tpm).random


KINDS: dict[str, Callable[[str, Config, Tokens], Entropy]] = {"device": _device, "hsm": _hsm, "tpm": _tpm}
"""By the first word of a source's name."""


class Device:
    """A generator that the kernel shows as a file, such as /dev/hwrng. Opened for each reading."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, n: int, /) -> bytes:
        """Raises OSError."""
        found = b""
        with self._path.open("rb", buffering=0) as file:
            while len(found) < n and (more := file.read(n - len(found))):
                found += more
        return found


class Board:
    """How the sources of each process are. What a process of that name has said before counts no more."""

    def __init__(self, layout: Layout, process: str) -> None:
        self._directory, self._process = layout.entropy, process
        self._path = self._directory / f"{process}.json"
        self._path.unlink(missing_ok=True)
        self._lock = threading.Lock()
        self._mine: dict[str, str] = {}

    def put(self, source: Hardware) -> None:
        """A file where something is wrong, none where all is well."""
        with self._lock:
            self._mine[source.name] = source.trouble
            troubles = {name: words for name, words in self._mine.items() if words}
            if not troubles:
                self._path.unlink(missing_ok=True)
                return
            self._directory.mkdir(mode=0o700, exist_ok=True)
            new = self._path.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(troubles))
            new.rename(self._path)

    def others(self) -> dict[str, dict[str, str]]:
        """process -> source -> what is wrong with it there."""
        found = {}
        for path in sorted(self._directory.glob("*.json")):
            if path.stem == self._process:
                continue
            try:
                found[path.stem] = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
            except (OSError, msgspec.DecodeError, UnicodeDecodeError):
                continue  # it is well again, or says so anew
        return found

    def clear(self) -> None:
        """What a server that is gone has left."""
        for path in self._directory.glob("*"):
            path.unlink(missing_ok=True)


def status(mix: Mix, board: Board) -> dict[str, str]:
    """source -> what is wrong with it, in whichever process; empty where all is well."""
    found = {one.name: one.trouble for one in mix.sources}
    for process, troubles in board.others().items():
        for name, words in troubles.items():
            found[name] = found.get(name) or f"{process}: {words}"
    return found


def record(service: Service, clock: Clock, request_id: str, source: Hardware) -> None:
    """Put on record that a source has gone out, or is back."""
    who = Stranger(
        claims=source.name, door=DOOR, wire_operation=TEST, request_id=request_id, source="", now=clock.now()
    )
    if source.trouble:
        service.turn_away(who, Unavailable(source.trouble, source.verdict))
    else:
        service.let_in(who)
