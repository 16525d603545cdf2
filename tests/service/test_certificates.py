"""Destruction certificates: they say what is kept of a destruction, no more, and are verified offline."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.doors.aws_kms.managing import made
from tests.fakes import MemorySlot
from tests.harness import REGION, TENANT, stack

from keystead.core import operations as ops
from keystead.core.audit.merkle import leaf_hash
from keystead.core.audit.note import verifier_key
from keystead.core.certificate import Certificate, Gone, Opener, open_certificate
from keystead.core.errors import Malformed, Unauthenticated, Unavailable, WrongState
from keystead.core.sensitive import Sensitive
from keystead.crypto.hpke import RECOVERY
from keystead.crypto.notes import NoteSigner, verify_ed25519
from keystead.service.escrow import id_of
from keystead.service.signing import signer

AT = f"aws:{TENANT}:{REGION}"
PUBLIC = RECOVERY.public_key(Sensitive(b"r" * 32))


@pytest.fixture
def slot():
    return MemorySlot()


@pytest.fixture
def office(slot):
    return stack(slot=slot)


def destroyed(office):
    """A key whose appointment has come."""
    key_id = made(office.admin)
    ref = ops.KeyRef(AT, id=key_id)
    office.by_system(ops.ScheduleDestruction(key=ref, after_days=7))
    office.clock.forward(timedelta(days=7))
    office.by_system(ops.DestroyKey(key=ref))
    return key_id


def note(office, key_id, **more):
    return office.by_system(ops.CertifyDestruction(key=ops.KeyRef(AT, id=key_id), **more)).note.encode()


def certified(office, key_id, **more):
    return open_certificate(note(office, key_id, **more), verifier_key(signer(office.barrier)), verify_ed25519)


def choose(office, mode, *keys):
    office.by_system(ops.SetSlotMode(mode=mode, recovery_keys=keys))
    office.barrier.settle()


def test_it_names_the_key_its_versions_the_generations_and_the_record(office) -> None:
    root = office.barrier.tree.root
    key_id = destroyed(office)
    (record,) = [text for _, text in office.store.records(0, 100) if b'"op":"DestroyKey"' in text]
    found = certified(office, key_id)
    assert found.facts == {
        "certified_at": "2026-12-02T12:00:00Z",
        "key": key_id,
        "spec": "AES_256",
        "mode": "strict",
        "state": "irrecoverable",
    }
    leaf = leaf_hash(record).hex()
    assert found.versions == (Gone(1, "irrecoverable", "2026-12-02T12:00:00Z", root.epoch, leaf),)
    (opener,) = found.openers
    assert (opener.epoch, opener.name, opener.generation) == (root.epoch, "file", root.generation)
    assert opener.by == "slot"
    last = office.record()
    assert (last.operation, last.targets[0].action) == ("CertifyDestruction", "key:certify-destruction")


def test_a_slot_that_has_not_erased_stands_in_it(office, slot, monkeypatch) -> None:
    def refuse(keep, shown):
        raise Unavailable("read-only")

    monkeypatch.setattr(slot, "retire", refuse)
    key_id = destroyed(office)
    found = certified(office, key_id)
    assert found.facts["state"] == found.versions[0].fate == "destroyed"
    assert [(one.name, one.by, one.at) for one in found.openers] == [("file", "-", "-")]
    assert "\nwaits " in found.text()
    monkeypatch.undo()
    office.barrier.settle()
    assert certified(office, key_id).facts["state"] == "irrecoverable"


def test_in_window_it_waits_for_people_and_tells_whose_word_it_was(office) -> None:
    choose(office, "window", PUBLIC)
    name = f"recovery:{id_of(PUBLIC)}"
    key_id = destroyed(office)
    found = certified(office, key_id)
    assert (found.facts["mode"], found.facts["state"]) == ("window", "destroyed")
    assert {one.name: one.by for one in found.openers} == {"file": "slot", name: "-"}
    choose(office, "strict")
    office.clock.forward(timedelta(hours=1))
    office.by_system(ops.ReportErased(name=name))
    office.barrier.settle()
    found = certified(office, key_id)
    assert (found.facts["mode"], found.facts["state"]) == ("strict", "irrecoverable")
    said = {one.name: one.by for one in found.openers}
    assert said["file"] == "slot" and len(said[name]) > 8  # a principal's id


def test_off_is_deleted_and_says_so(office) -> None:
    choose(office, "off")
    key_id = destroyed(office)
    found = certified(office, key_id)
    assert (found.facts["mode"], found.facts["state"]) == ("off", "deleted")
    assert found.openers == ()  # the root stands


def test_an_older_root_that_still_opens_it_stands_in_it_too(office, slot, monkeypatch) -> None:
    def refuse(keep, shown):
        raise Unavailable("read-only")

    first = made(office.admin)
    monkeypatch.setattr(slot, "retire", refuse)
    office.barrier.rotate()
    key_id = destroyed(office)
    epochs = {one.epoch for one in certified(office, key_id).openers}
    assert len(epochs) == 2
    assert first != key_id


def test_of_several_versions_it_says_what_is_true_of_all(office) -> None:
    key_id = destroyed(office)
    choose(office, "off")
    other = destroyed(office)
    assert certified(office, key_id).facts["state"] == "irrecoverable"
    assert certified(office, other).facts["state"] == "deleted"
    with pytest.raises(WrongState):
        certified(office, key_id, version=7)
    assert certified(office, key_id, version=1).versions[0].number == 1


def test_there_is_none_of_a_key_that_lives(office) -> None:
    with pytest.raises(WrongState):
        note(office, made(office.admin))


def test_it_is_verified_offline_and_nothing_else_is_taken_for_it(office) -> None:
    key_id = destroyed(office)
    text, key = note(office, key_id), verifier_key(signer(office.barrier))
    for other in (
        text.replace(b"irrecoverable", b"destroyed\x20"),
        text.replace(b"state irrecoverable", b"state deleted"),
        text.replace(key_id.encode(), b"x" * 36),
        b"",
        b"x" * 2_000_000,
    ):
        with pytest.raises((Malformed, Unauthenticated)):
            open_certificate(other, key, verify_ed25519)
    stranger = NoteSigner(key.name, Sensitive(b"s" * 32))
    forged = open_certificate(text, key, verify_ed25519).sign(stranger)
    with pytest.raises(Unauthenticated):
        open_certificate(forged, key, verify_ed25519)
    elsewhere = replace(open_certificate(text, key, verify_ed25519), log="keystead/other").sign(signer(office.barrier))
    with pytest.raises(Malformed, match="another installation"):
        open_certificate(elsewhere, key, verify_ed25519)
    living = made(office.admin)
    attested = office.by_system(ops.AttestKey(key=ops.KeyRef(AT, id=living))).note.encode()
    with pytest.raises(Malformed):
        open_certificate(attested, key, verify_ed25519)


WORDS = st.text("abcdefgh:-+.0123456789", min_size=1, max_size=12)


@given(
    WORDS,
    st.lists(st.builds(Gone, st.integers(1, 99), WORDS, WORDS, st.integers(0, 99), WORDS), max_size=3),
    st.lists(st.builds(Opener, st.integers(0, 99), WORDS, WORDS, WORDS, WORDS), max_size=3),
)
def test_what_is_printed_is_read_again(word, versions, openers) -> None:
    facts = dict.fromkeys(("certified_at", "key", "spec", "mode", "state"), word)
    one = Certificate("log", facts, tuple(versions), tuple(openers))
    assert Certificate.parse(one.text()) == one


@given(st.text(max_size=200))
def test_whatever_else_is_read_is_malformed(text) -> None:
    for body in (text, f"log/destruction\n{text}\n", f"log/destruction\nversion {text}\n"):
        with pytest.raises(Malformed):
            Certificate.parse(body)
