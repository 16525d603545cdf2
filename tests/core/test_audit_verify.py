"""The offline verifier finds every single-record change of a log, whatever the place; and says what it cannot find."""

import tracemalloc
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.core.audit.checkpoint import Checkpoint
from keystead.core.audit.merkle import Tree, leaf_hash
from keystead.core.audit.note import verifier_key
from keystead.core.audit.verify import Tampered, verify_log
from keystead.core.errors import KeysteadError
from keystead.core.sensitive import Sensitive
from keystead.crypto.notes import NoteSigner, verify_ed25519

SIGNER = NoteSigner("keystead.test/audit", Sensitive(bytes(range(32))))
KEY = verifier_key(SIGNER)
N, EVERY = 512, 50


def signed(records: list[bytes], every: int = EVERY) -> list[bytes]:
    """A checkpoint after every so many records, and one at the end."""
    tree, notes = Tree(), []
    for n, record in enumerate(records, 1):
        tree.append(leaf_hash(record))
        if n % every == 0 or n == len(records):
            notes.append(Checkpoint("keystead.test/audit", n, tree.root()).sign(SIGNER))
    return notes


RECORDS = [b'{"v":1,"t":"2026-11-25T17:46:48.%06dZ","op":"Decrypt","outcome":"performed"}' % i for i in range(N)]
NOTES = signed(RECORDS)


def found(records: list[bytes], notes: list[bytes] = NOTES, trusted: bytes | None = None) -> bool:
    try:
        verdict = verify_log(records, notes, KEY, verify_ed25519, trusted=trusted)
    except Tampered as tampered:
        assert 0 <= tampered.first <= max(tampered.last, tampered.first)
        return True
    return verdict.n_uncovered > 0  # records no checkpoint speaks of: reported, not passed over


def test_a_whole_log_is_whole() -> None:
    verdict = verify_log(RECORDS, NOTES, KEY, verify_ed25519, trusted=NOTES[3])
    assert (verdict.n_records, verdict.n_checkpoints, verdict.n_uncovered) == (N, len(NOTES), 0)
    assert verdict.checkpoint.size == N
    assert verdict.trusted is not None
    assert verdict.trusted.size == 4 * EVERY


def test_every_single_record_change_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    rng = Random(7)
    n = dict.fromkeys(("altered", "deleted", "deleted and padded", "inserted", "doubled", "swapped", "truncated"), 0)
    for i in range(N):
        altered = bytearray(RECORDS[i])
        altered[rng.randrange(len(altered))] ^= 1 << rng.randrange(8)
        j = rng.choice([k for k in range(N) if k != i])
        swapped = RECORDS.copy()
        swapped[i], swapped[j] = swapped[j], swapped[i]
        changes = {
            "altered": [*RECORDS[:i], bytes(altered), *RECORDS[i + 1 :]],
            "deleted": RECORDS[:i] + RECORDS[i + 1 :],
            "deleted and padded": [*RECORDS[:i], *RECORDS[i + 1 :], RECORDS[-1]],  # the count is right again
            "inserted": [*RECORDS[:i], RECORDS[i] + b" ", *RECORDS[i:]],
            "doubled": [*RECORDS[:i], RECORDS[i], *RECORDS[i:]],
            "swapped": swapped,
            "truncated": RECORDS[:i],
        }
        for change, records in changes.items():
            same = records == RECORDS  # taking the last one out and putting it back
            assert found(records) is not same, f"{change} at {i}"
            n[change] += not same
    assert sum(n.values()) == 7 * N - 1
    with capsys.disabled():
        print(f"\naudit log of {N} records: {sum(n.values())} changes, all found: {n}")


def test_every_bit_of_one_record() -> None:
    for at in range(len(RECORDS[300])):
        for bit in range(8):
            altered = bytearray(RECORDS[300])
            altered[at] ^= 1 << bit
            assert found([*RECORDS[:300], bytes(altered), *RECORDS[301:]])


def test_the_place_is_told() -> None:
    with pytest.raises(Tampered) as caught:
        verify_log([*RECORDS[:120], b"x", *RECORDS[121:]], NOTES, KEY, verify_ed25519)
    assert (caught.value.first, caught.value.last) == (100, 149)


def test_checkpoints_are_not_taken_on_trust() -> None:
    other = NoteSigner("keystead.test/audit", Sensitive(bytes(32)))
    forged = Checkpoint("keystead.test/audit", N, bytes(32))
    for notes in (
        [],
        NOTES[::-1],
        [*NOTES[:-1], forged.sign(SIGNER)],
        [*NOTES[:-1], forged.sign(other)],
        [*NOTES[:-1], NOTES[-1][:-1]],
        [b"", *NOTES],
    ):
        with pytest.raises(Tampered):
            verify_log(RECORDS, notes, KEY, verify_ed25519)
    for at in range(0, len(NOTES[0]), 5):
        flipped = bytearray(NOTES[0])
        flipped[at] ^= 1
        assert found(RECORDS, [bytes(flipped), *NOTES[1:]])


def test_cutting_off_records_and_their_checkpoints_needs_a_witness() -> None:
    cut, notes = RECORDS[:450], NOTES[:9]
    assert not found(cut, notes)  # the promise ends here: SECURITY says so
    assert found(cut, notes, trusted=NOTES[-1])
    assert not found(cut, notes, trusted=NOTES[8])
    assert not found(cut, notes, trusted=NOTES[2])


def test_a_new_history_by_the_holder_of_the_key_needs_a_witness() -> None:
    rewritten = RECORDS[:3] + RECORDS[4:]
    assert not found(rewritten, signed(rewritten))
    for kept in NOTES:
        assert found(rewritten, signed(rewritten), trusted=kept)


def test_a_trusted_checkpoint_has_to_be_one() -> None:
    with pytest.raises(KeysteadError):
        verify_log(RECORDS, NOTES, KEY, verify_ed25519, trusted=b"nothing of the sort")


def test_records_after_the_last_checkpoint_are_counted() -> None:
    verdict = verify_log([*RECORDS, b"new"], NOTES, KEY, verify_ed25519)
    assert (verdict.n_records, verdict.n_uncovered) == (N + 1, 1)


def test_an_empty_log_is_whole() -> None:
    empty = Checkpoint("keystead.test/audit", 0, Tree().root()).sign(SIGNER)
    assert verify_log([], [empty], KEY, verify_ed25519, trusted=empty).n_records == 0


def test_it_streams() -> None:
    """Twenty megabytes of records, and a fraction of that in memory."""
    n, tree = 20_000, Tree()
    for i in range(n):
        tree.append(leaf_hash(b"%01000d" % i))
    note = Checkpoint("keystead.test/audit", n, tree.root()).sign(SIGNER)
    tracemalloc.start()
    try:
        assert verify_log((b"%01000d" % i for i in range(n)), iter([note]), KEY, verify_ed25519).n_records == n
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.binary(max_size=6), min_size=1, max_size=40),
    st.integers(1, 9),
    st.lists(st.binary(max_size=6), max_size=41),
)
def test_no_other_log_passes(records: list[bytes], every: int, others: list[bytes]) -> None:
    notes = signed(records, every)
    assert found(others, notes) is not (others == records)
    assert not found(records, notes, trusted=notes[len(notes) // 2])
