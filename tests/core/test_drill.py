"""The custody drill (security.md §15-7): a share proves itself, and nothing else does."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import SeededEntropy

from keystead.core.errors import Conflict, InvalidArgument, KeysteadError, Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.crypto import proofs, shamir
from keystead.seals import drill
from keystead.seals.shamir import ShamirSeal

NOW, KEY = datetime(2026, 11, 26, tzinfo=UTC), Sensitive(b"k" * 32)
CREATED = ShamirSeal.create(3, 5, SeededEntropy(1))
SEAL, SHARES = CREATED.configuration, CREATED.show
DAY = timedelta(days=1)


def challenge(seed: int = 2, at: datetime = NOW) -> str:
    return drill.challenge(SEAL, KEY, at, SeededEntropy(seed))


def test_each_share_proves_itself() -> None:
    text = challenge()
    for index, share in enumerate(SHARES, 1):
        proven = drill.check(SEAL, KEY, NOW + DAY, drill.prove(text, share))
        assert (proven.set_id, proven.index, proven.at) == (SEAL.set_id, index, NOW)


def test_neither_challenge_proof_nor_what_the_server_keeps_says_anything_of_a_share() -> None:
    text = challenge()
    kept = msgspec.json.encode(SEAL)
    for share in SHARES:
        value = shamir.parse_share(share.reveal().decode()).value
        raw = msgspec.json.decode(f'"{drill.prove(text, share)[len(drill.PROOF) :]}"')
        assert value not in kept and value not in raw.encode()
    assert len(set(SEAL.provers)) == 5


@pytest.mark.parametrize("days", [0, 29, 30, 31, -1])
def test_a_challenge_is_good_for_thirty_days(days) -> None:
    proof = drill.prove(challenge(), SHARES[0])
    if 0 <= days <= 30:
        assert drill.check(SEAL, KEY, NOW + days * DAY, proof).at == NOW
    else:
        with pytest.raises(Unauthenticated, match="older"):
            drill.check(SEAL, KEY, NOW + days * DAY, proof)


def test_a_challenge_of_another_server_and_a_proof_of_other_shares_count_for_nothing() -> None:
    other = ShamirSeal.create(3, 5, SeededEntropy(9))
    theirs = drill.challenge(other.configuration, KEY, NOW, SeededEntropy(2))
    with pytest.raises(InvalidArgument, match="other shares"):
        drill.prove(challenge(), other.show[0])
    with pytest.raises(Unauthenticated, match="other shares"):
        drill.check(SEAL, KEY, NOW, drill.prove(theirs, other.show[0]))
    with pytest.raises(Unauthenticated, match="not made here"):
        drill.check(SEAL, Sensitive(bytes(32)), NOW, drill.prove(challenge(), SHARES[0]))


def test_a_share_does_not_prove_another_and_a_changed_proof_proves_nothing() -> None:
    proof = drill.prove(challenge(), SHARES[0])
    raw = drill._raw(drill.PROOF, proof, 1 + drill.RAW_BYTES + 64)
    assert drill.check(SEAL, KEY, NOW, drill._spelled(drill.PROOF, raw)).index == 1
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 3]) + raw[at + 1 :]
        with pytest.raises(Unauthenticated):
            drill.check(SEAL, KEY, NOW, drill._spelled(drill.PROOF, changed))


@given(st.text(max_size=40))
def test_any_text_is_a_message_of_the_drill_or_is_refused(text) -> None:
    for ask in (
        lambda: drill.prove(text, SHARES[0]),
        lambda: drill.check(SEAL, KEY, NOW, text),
        lambda: drill.check(SEAL, KEY, NOW, drill.PROOF + text),
        lambda: drill.prove(drill.CHALLENGE + text, SHARES[0]),
        lambda: drill.prove(challenge(), Sensitive(text.encode("utf-8", "surrogatepass"))),
    ):
        with pytest.raises(KeysteadError):
            ask()


def test_shares_of_before_are_told_to_be_not_provable() -> None:
    before = msgspec.structs.replace(SEAL, provers=())
    with pytest.raises(Conflict, match="cannot be proved"):
        drill.challenge(before, KEY, NOW, SeededEntropy(1))


def test_one_share_more_than_opens_it_is_wanted_where_there_is_one() -> None:
    for threshold, n, wanted in ((3, 5, 4), (3, 3, 3), (1, 1, 1), (2, 3, 3)):
        assert drill.needed(ShamirSeal.create(threshold, n, SeededEntropy(1)).configuration) == wanted


def test_a_plan_without_what_proofs_are_verified_with_is_refused() -> None:
    plan, _ = ShamirSeal.plan(2, 3, SeededEntropy(1))
    for provers in ((), plan.provers[:2], (*plan.provers[:2], b"short")):
        with pytest.raises(InvalidArgument):
            msgspec.structs.replace(plan, provers=provers).make(Sensitive(bytes(32)), None)


def test_a_public_key_that_is_none_verifies_nothing() -> None:
    share = shamir.parse_share(SHARES[0].reveal().decode())
    assert proofs.verify(proofs.public_key(share), b"x", proofs.sign(share, b"x"))
    assert not proofs.verify(b"", b"x", bytes(64)) and not proofs.verify(bytes(32), b"x", b"")
