"""Key attestations: what is told of where a key is held, signed and verified offline (core.attestation)."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.doors.aws_kms.managing import ask, made
from tests.fakes import MemoryToken, SeededEntropy
from tests.harness import REGION, TENANT, stack

from keystead.core import operations as ops
from keystead.core.attestation import FIELDS, Attestation, open_attestation
from keystead.core.audit.note import verifier_key
from keystead.core.entities import KeyPolicy, KeyVersion
from keystead.core.errors import Malformed, Unauthenticated, Unavailable, WrongState
from keystead.core.ports import WouldWait
from keystead.core.sensitive import Sensitive
from keystead.crypto.notes import NoteSigner, verify_ed25519
from keystead.service.hsms import Hsms
from keystead.service.signing import signer

AT = f"aws:{TENANT}:{REGION}"


@pytest.fixture
def token():
    return MemoryToken(SeededEntropy(7))


@pytest.fixture
def office(token):
    return stack(hsms=Hsms({"safe": token}, new_keys_in="safe"))


def attested(office, key_id, version=None):
    note = office.by_system(ops.AttestKey(key=ops.KeyRef(AT, id=key_id), version=version)).note
    return open_attestation(note.encode(), verifier_key(signer(office.barrier)), verify_ed25519)


def test_it_says_where_a_key_is_and_what_the_hsm_proves_of_it(office) -> None:
    key_id = made(office.admin, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    found = attested(office, key_id)
    version = office.barrier.get(KeyVersion, f"{key_id}/1")
    policy = office.barrier.get(KeyPolicy, key_id)
    assert found.facts == {
        "attested_at": "2026-11-25T12:00:00Z",
        "key": key_id,
        "version": "1",
        "spec": "EC_P256",
        "purpose": "signature",
        "origin": "generated",
        "state": "active",
        "protection": "hsm",
        "hsm": "safe",
        "object": version.in_hsm.name,
        "created_at": "2026-11-25T12:00:00Z",
        "entropy": "hsm:safe",
        "public_key_sha256": hashlib.sha256(version.public_key).hexdigest(),
        "policy_sha256": hashlib.sha256(policy.text.encode()).hexdigest(),
    }
    assert found.proved == {"never_extractable": "true", "local": "true"}


def test_each_version_has_its_own(office) -> None:
    key_id = made(office.admin)
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    first, second = attested(office, key_id, 1), attested(office, key_id)
    assert (first.facts["version"], second.facts["version"]) == ("1", "2")
    assert first.facts["state"] == "deactivated" and first.facts["object"] != second.facts["object"]


def test_of_software_it_says_so() -> None:
    office = stack()
    found = attested(office, made(office.admin))
    assert (found.facts["protection"], found.facts["hsm"], found.facts["object"]) == ("software", "-", "-")
    assert (found.facts["entropy"], found.proved) == ("kernel", {})


def test_nothing_is_said_of_what_cannot_be_asked(office, token) -> None:
    key_id = made(office.admin)
    token.plugged = False
    with pytest.raises(Unavailable):
        attested(office, key_id)
    token.plugged = True
    empty = made(office.admin, Origin="EXTERNAL")
    with pytest.raises(WrongState):
        attested(office, empty)


def test_the_event_loop_does_not_wait_for_it(office) -> None:
    key_id = made(office.admin)
    attested(office, key_id)
    office.on_the_loop()
    with pytest.raises(WouldWait):
        attested(office, key_id)


def test_it_is_on_record(office) -> None:
    key_id = made(office.admin)
    attested(office, key_id)
    record = office.record()
    assert (record.operation, record.targets[0].action, record.targets[0].version) == ("AttestKey", "key:attest", 1)


def a_note(signed_by, log="keystead/0123456789abcdef", **proved):
    return Attestation(log, dict.fromkeys(FIELDS, "x"), proved).sign(signed_by)


def test_no_byte_of_it_can_be_changed() -> None:
    ours = NoteSigner("keystead/0123456789abcdef", Sensitive(bytes(32)))
    note, key = a_note(ours, local="true"), verifier_key(ours)
    assert open_attestation(note, key, verify_ed25519).proved == {"local": "true"}
    for at in range(len(note)):
        altered = bytearray(note)
        altered[at] ^= 1
        with pytest.raises((Malformed, Unauthenticated)):
            open_attestation(bytes(altered), key, verify_ed25519)


def test_another_installations_is_none_of_ours() -> None:
    ours = NoteSigner("keystead/0123456789abcdef", Sensitive(bytes(32)))
    theirs = NoteSigner("keystead/0123456789abcdef", Sensitive(bytes(31) + b"x"))
    with pytest.raises(Unauthenticated):
        open_attestation(a_note(theirs), verifier_key(ours), verify_ed25519)
    with pytest.raises(Malformed):
        open_attestation(a_note(ours, log="keystead/ffffffffffffffff"), verifier_key(ours), verify_ed25519)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), st.text(max_size=40), max_size=5))
def test_whatever_a_token_calls_itself_it_is_one_line(proved) -> None:
    text = Attestation("log", dict.fromkeys(FIELDS, "x"), proved).text()
    again = Attestation.parse(text)
    assert again.text() == text and again.proved.keys() == proved.keys()
    assert text.count("\n") == 1 + len(FIELDS) + len(proved)


@given(st.text(max_size=300))
def test_what_is_no_attestation_is_malformed(text) -> None:
    with pytest.raises(Malformed):
        Attestation.parse(text)
