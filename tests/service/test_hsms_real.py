"""The life of a key in a real token (SoftHSM2): made, rotated, imported, destroyed; and what is in the token then."""

from __future__ import annotations

import os
import time
from contextlib import suppress

import pytest
from tests.doors.aws_kms.managing import ask, made, wait
from tests.doors.aws_kms.wrapped import NEW, importing
from tests.fakes import FaultyStore
from tests.harness import b64, stack
from tests.memorystore import MemoryStore
from tests.softhsm import Removed, new_token, open_token

from keystead.core.entities import Key, KeyVersion
from keystead.core.errors import Unavailable
from keystead.cryptoki.words import Cka
from keystead.providers.pkcs11 import Pkcs11Provider
from keystead.service.erasures import RETRY_MOST, Erasures
from keystead.service.hsmnotes import MemoryNotes
from keystead.service.hsms import Hsms


@pytest.fixture
def token():
    return open_token()


def office_of(token, **options):
    hsms = Hsms({"safe": Pkcs11Provider(token, os.urandom)}, MemoryNotes(), new_keys_in="safe", or_software=True)
    return stack(hsms=hsms, **options)


def objects(token) -> list[str]:
    """Names of the objects in it, with their kinds."""
    return sorted(one.id.hex() for one in token.names({Cka.TOKEN: True}))


def known(office) -> list[str]:
    """Names of what the database says there is."""
    keys = list(office.barrier.every(Key))
    versions = [one for key in keys for one in office.barrier.children(KeyVersion, key.id)]
    return sorted(one.in_hsm.name for one in versions if one.in_hsm and one.wrapped)


def erasures(office):
    return Erasures(office.barrier, office.store, office.hsms, office.clock, office.by_system)


def test_there_is_in_the_token_what_the_database_knows_and_no_more(token) -> None:
    office = office_of(token)
    aes = made(office.admin)
    made(office.admin, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    made(office.admin, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    made(office.admin, KeySpec="ML_DSA_44", KeyUsage="SIGN_VERIFY")  # in software: the token has no such keys
    ask(office.admin, "RotateKeyOnDemand", KeyId=aes)
    external = made(office.admin, Origin="EXTERNAL")
    assert importing(office.admin, external, bytes(range(32)), **NEW).status == 200
    assert objects(token) == known(office) and len(known(office)) == 5
    ask(office.admin, "DeleteImportedKeyMaterial", KeyId=external)
    ask(office.admin, "ScheduleKeyDeletion", KeyId=aes, PendingWindowInDays=7)
    wait(office, days=7)
    assert len(objects(token)) == 5 and len(known(office)) == 2
    assert erasures(office).step() == 3
    assert objects(token) == known(office)


def test_an_hsm_that_refuses_the_operators_pin_is_not_there_for_anybody() -> None:
    """And nobody is told that they are not who they are."""
    office = office_of(open_token(new_token(), pin="000000"))
    for _ in range(2):
        reply = office.admin.call("CreateKey")
        assert reply.code == "DependencyTimeoutException" and "PIN" in reply.message


def test_a_commit_that_fails_leaves_nothing_in_the_token(token) -> None:
    store = FaultyStore(MemoryStore())
    office = office_of(token, store=store)
    made(office.admin)
    store.fail(None)
    made(office.admin)
    for at in range(1, store.n_operations + 1, 3):
        store.fail(at)
        office.admin.call("CreateKey")
        store.fail(None)
    assert objects(token) == known(office)


def test_a_token_that_is_away_is_waited_for(token) -> None:
    office = office_of(token)
    key_id = made(office.admin)
    sealed = ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))["CiphertextBlob"]
    ask(office.admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    chore = erasures(office)
    with Removed():
        wait(office, days=7)
        assert office.admin.call("Decrypt", CiphertextBlob=sealed).code == "NotFoundException"
        assert chore.step() == 0 and chore.n_outstanding == 1
    assert len(objects_when_back(token)) == 1
    office.clock.forward(RETRY_MOST)
    assert chore.step() == 1 and objects(token) == []


def objects_when_back(token) -> list[str]:
    """A token that was lost is not asked all the time."""
    for _ in range(120):
        with suppress(Unavailable):
            return objects(token)
        time.sleep(0.5)
    return objects(token)
