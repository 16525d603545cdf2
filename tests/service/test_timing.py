"""Whether there is such an access key cannot be told by the time it takes (research/security.md §4, rows 15 and 16).

Welch's t-test, as in Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?" (2017): N measurements of each
class, interleaved in random order, and |t| < 4.5. What they call cropping is done, too: the slowest of all measurements
(a neighbour, an interrupt) are left out by one threshold for both classes. Measured is authentication in this process,
where no network hides anything. On a shared machine a run can still go wrong, and where an installation's objects
happen to lie in memory makes some 0.1 µs; so a run that fails is made anew, whole, in another order, on another
installation. What is wrong with the code would be wrong again (the last test).
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from hashlib import sha256
from math import sqrt
from statistics import fmean, variance

import pytest
from tests.harness import ALLOW_ALL, TENANT, Person, stack

from keystead.core import operations as ops
from keystead.core.errors import Unauthenticated
from keystead.service.authenticate import Reason

N, LIMIT, KEPT, ATTEMPTS = 10_000, 4.5, 0.9, 5
WARM = 300
HEADERS = {"X-Amz-Target": "TrentService.Encrypt", "Content-Type": "application/x-amz-json-1.1"}
BODY = b'{"KeyId":"alias/app","Plaintext":"eA=="}'


def timed(classes: list[Callable[[], object]], seed: int) -> list[list[float]]:
    """N measurements of each, cropped."""
    order = list(range(len(classes))) * (N + WARM)
    random.Random(seed).shuffle(order)
    took: list[list[float]] = [[] for _ in classes]
    clock = time.perf_counter_ns
    gc.collect()
    gc.disable()
    try:
        for n in order:
            act = classes[n]
            began = clock()
            act()
            took[n].append(clock() - began)
    finally:
        gc.enable()
    took = [one[WARM:] for one in took]
    most = sorted(t for one in took for t in one)[int(len(classes) * N * KEPT)]
    return [[t for t in one if t <= most] for one in took]


def t_of(a: list[float], b: list[float]) -> float:
    """Welch's t."""
    return (fmean(a) - fmean(b)) / sqrt(variance(a) / len(a) + variance(b) / len(b))


def refused(seed: int) -> dict[str, Callable[[], object]]:
    """Classes of requests that are refused: name -> doing one."""
    office = stack(seed=seed + 1)
    at = ops.TenantRef(TENANT)
    quiet, busy, off = (office.user(name, policy=ALLOW_ALL) for name in ("quiet", "busy", "off"))
    office.by_system(ops.SetCredentialEnabled(tenant=at, credential_id=off.access_key_id, enabled=False))

    def of(access_key_id: str) -> Callable[[], object]:
        person = Person(office, quiet.principal, access_key_id, b"no such secret", None)
        request = person.signed(HEADERS, BODY)
        verify = office.means.authenticator._sigv4.verify

        def once() -> object:
            try:
                verify(request, b"kms")
            except Unauthenticated as error:
                return error.detail
            raise AssertionError

        return once

    office.means.authenticator._sigv4.verify(busy.signed(HEADERS, BODY), b"kms")  # so its signer is known by now
    absent = quiet.access_key_id[:-1] + ("A" if quiet.access_key_id[-1] != "A" else "B")
    return {
        "absent": of(absent),
        "another": of(absent[:-2] + "CC"),
        "disabled": of(off.access_key_id),
        "wrong": of(quiet.access_key_id),
        "wrong, and used today": of(busy.access_key_id),
    }


@pytest.mark.parametrize("other", ["another", "disabled", "wrong", "wrong, and used today"])
def test_row_15_16_no_time_tells_an_access_key_that_is_there(other) -> None:
    found: list[float] = []
    while len(found) < ATTEMPTS and (not found or min(map(abs, found)) >= LIMIT):
        classes = refused(len(found))
        found.append(t_of(*timed([classes["absent"], classes[other]], seed=len(found))))
    assert min(map(abs, found)) < LIMIT, f"t of absent against {other}: {found}"


def test_row_15_16_and_the_same_is_answered_of_what_is_no_use() -> None:
    """AWS tells a wrong signature from an access key that is not there, by code; and nothing more."""
    said = {name: once() for name, once in refused(0).items()}
    assert said["absent"] is said["another"] is said["disabled"] is Reason.UNKNOWN
    assert said["wrong"] is said["wrong, and used today"] is Reason.MISMATCH


def test_row_15_the_test_sees_what_a_signature_makes() -> None:
    """Eight hashings more: what a signature costs that is checked for those who are there, and not for the others."""
    for seed in range(3):
        absent = refused(seed)["absent"]

        def longer(absent=absent) -> None:
            absent()
            for _ in range(8):
                sha256(b"x" * 64).digest()

        assert abs(t_of(*timed([absent, longer], seed=seed))) > LIMIT, "in every attempt"
