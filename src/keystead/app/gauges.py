"""The installation in numbers, as `keystead status` tells it, for whoever watches many servers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from keystead.doors.control import ServerStatus
from keystead.kit.custody import Gauge, Gauges

FRESH_FOR: Final = 1.0  # seconds


class Watched:
    """`look` at most once a second, however many ask: it may go as far as an HSM. Safe to use from any thread."""

    def __init__(self, look: Callable[[], Gauges], monotonic: Callable[[], float]) -> None:
        self._look, self._monotonic = look, monotonic
        self._turn = threading.Lock()
        self._seen, self._at = Gauges(gauges=()), float("-inf")

    def __call__(self) -> Gauges:
        with self._turn:
            if self._monotonic() - self._at >= FRESH_FOR:
                self._seen, self._at = self._look(), self._monotonic()
            return self._seen


def gauges(status: ServerStatus, behind: Mapping[str, int]) -> Gauges:
    """Of a server that is open. `behind`: of each audit device, how many records it has not been told."""
    return Gauges(gauges=(*_of_the_server(status), *_of_the_data(status), *_of_devices(status, behind)))


def _of(name: str, value: float, **labels: str) -> Gauge:
    return Gauge(name, float(value), labels)


def _of_the_server(status: ServerStatus) -> Iterator[Gauge]:
    yield _of("vault.core.unsealed", not status.sealed)
    yield _of("keystead.build.info", 1, version=status.version)
    yield _of("keystead.start.time.seconds", status.started_at.timestamp())
    yield _of("keystead.workers", status.workers)
    troubles = {
        "clock": status.clock_trouble,
        "custody": status.custody_alarm,
        "journal": status.journal_trouble,
        "journals damaged": " ".join(status.journals_damaged),
        "seal": status.seal_trouble,
    }
    for name, words in troubles.items():
        yield _of("keystead.trouble", words != "", of=name)


def _of_the_data(status: ServerStatus) -> Iterator[Gauge]:
    numbers = {
        "keystead.keys": status.n_keys,
        "keystead.epoch": status.epoch,
        "keystead.audit.records": status.n_audit_records,
        "keystead.unerased.generations": status.n_unerased,
        "keystead.unerased.hsm.objects": status.n_in_hsms,
        "keystead.given.up.hsm.objects": status.n_given_up,
    }
    for name, number in numbers.items():
        if number is not None:
            yield _of(name, number)
    yield _of("keystead.slot.places", status.n_places)
    yield _of("keystead.slot.places.wanted", status.slots_at_least)
    for directory, whole in status.slot_copies.items():
        yield _of("keystead.slot.copy.good", whole, directory=directory)


def _of_devices(status: ServerStatus, behind: Mapping[str, int]) -> Iterator[Gauge]:
    for name, trouble in status.hsms.items():
        yield _of("keystead.hsm.up", trouble == "", hsm=name)
    for name, trouble in status.entropy.items():
        yield _of("keystead.entropy.good", trouble == "", source=name)
    for name, n in behind.items():
        yield _of("keystead.audit.device.behind", n, device=name)
