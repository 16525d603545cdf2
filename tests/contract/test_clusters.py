"""The Clusters port on real tokens of SoftHSM2: which HSM a cluster id is of, and whether a password is its user's."""

from __future__ import annotations

import ctypes
import re

import pytest
from tests.cryptoki.test_lies import lying
from tests.softhsm import PIN, Removed, new_token, open_token

from keystead.app.entropy import screened
from keystead.core.errors import NotFound, Unavailable
from keystead.core.keystores import Trouble
from keystead.core.operations import NO_CLUSTER, NOT_ACTIVE
from keystead.core.sensitive import Sensitive
from keystead.providers.clusters import HsmClusters, derived
from keystead.providers.guesses import LOCKED_FOR, MOST_WRONG, MemoryGuesses

SETTLED = "cluster-234567abcde"


@pytest.fixture
def tokens():
    return {"one": open_token(), "two": open_token()}


@pytest.fixture
def clusters(tokens):
    pins = {"one": PIN, "two": f"kmsuser:{PIN}"}
    return clusters_of(tokens, lambda name: Sensitive(pins[name].encode()), {"two": SETTLED})


def clusters_of(tokens, pin, ids=(), passed=lambda: 0.0):
    return HsmClusters([*tokens], tokens.__getitem__, pin, dict(ids), MemoryGuesses(passed))


def trouble(clusters, hsm: str, password: str) -> Trouble | None:
    try:
        clusters.check(hsm, Sensitive(password.encode()))
    except Unavailable as error:
        return error.detail.trouble
    return None


def test_an_id_is_of_the_serial_number_or_as_it_is_settled(tokens, clusters) -> None:
    made = clusters.id_of("one")
    assert re.fullmatch("cluster-[2-7a-zA-Z]{11,16}", made) and made == derived(tokens["one"].info().serial)
    assert clusters.find(made) == "one" and clusters.find(SETTLED) == "two"
    with pytest.raises(NotFound) as refused:
        clusters.find("cluster-zzzzzzzzzzz")
    assert refused.value.detail == NO_CLUSTER


def test_the_password_is_the_pin_or_what_is_behind_its_colon(clusters) -> None:
    assert trouble(clusters, "one", PIN) is None and trouble(clusters, "two", PIN) is None
    assert trouble(clusters, "two", f"kmsuser:{PIN}") is None
    for wrong in ("1234567", PIN + "x", PIN[:-1], ""):
        assert trouble(clusters, "one", wrong) is trouble(clusters, "two", wrong) is Trouble.UNAUTHENTICATED
    assert trouble(clusters, "three", PIN) is Trouble.NO_HSM


def test_a_pin_is_not_guessed(tokens) -> None:
    now = [0.0]
    clusters = clusters_of(tokens, lambda _: Sensitive(PIN.encode()), passed=lambda: now[0])
    for n in range(MOST_WRONG):
        assert trouble(clusters, "one", f"{n:06}") is Trouble.UNAUTHENTICATED
        now[0] += 1
    assert trouble(clusters, "one", "000011") is trouble(clusters, "one", PIN) is Trouble.LOCKED
    assert trouble(clusters, "two", PIN) is None, "another HSM's"
    now[0] = LOCKED_FOR + 0.5
    assert trouble(clusters, "one", PIN) is None, "the oldest of them is an hour ago"


def test_a_wrong_pin_of_the_operators_own_is_said_and_never_tried_again() -> None:
    label = new_token()
    token = open_token(label, pin="111111")
    clusters = clusters_of({"one": token}, lambda _: Sensitive(b"111111"))
    assert trouble(clusters, "one", "111111") is trouble(clusters, "one", "111111") is Trouble.LOCKED


def test_a_token_that_is_away_may_be_any_cluster(clusters) -> None:
    with Removed():
        assert trouble(clusters, "one", PIN) is Trouble.AWAY
        with pytest.raises(Unavailable) as refused:
            clusters.find("cluster-zzzzzzzzzzz")
        assert refused.value.detail == NOT_ACTIVE
        assert clusters.find(SETTLED) == "two"


def test_where_a_token_is(tokens, clusters) -> None:
    info = tokens["one"].info()
    assert clusters.is_at("one", label="", slot="") and clusters.is_at("one", label=info.label, slot=str(info.slot))
    assert not clusters.is_at("one", label="another", slot="") and not clusters.is_at("one", label="", slot="1")


def test_random_bytes_are_the_tokens_own(clusters) -> None:
    drawn = {clusters.random("one", 32).reveal() for _ in range(10)}
    assert len(drawn) == 10 and {len(one) for one in drawn} == {32}
    with pytest.raises(Unavailable):
        clusters.random("three", 32)


def test_a_generator_that_is_stuck_gives_nobody_its_bytes(tokens) -> None:
    clusters = HsmClusters(
        [*tokens], tokens.__getitem__, lambda _: Sensitive(PIN.encode()), {}, MemoryGuesses(lambda: 0.0), screened
    )
    assert len(clusters.random("one", 1).reveal()) == 1

    def fill(real, args):
        ctypes.memset(args[1], 0x5A, args[2])
        return real(args[0], ctypes.create_string_buffer(args[2]), args[2])

    with lying("C_GenerateRandom", fill), pytest.raises(Unavailable) as refused:
        clusters.random("one", 32)
    assert refused.value.detail == "repetition count test"
    assert len(clusters.random("one", 32).reveal()) == 32
