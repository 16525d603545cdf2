"""keystead.open: the core in this process, one process at a time, on record like everything else (docs/library.md)."""

import os
import subprocess
import sys
import threading

import pytest
from docs.build import ROOT
from tests.scripts.test_readme import EXAMPLE
from tests.servers import at_once
from tests.waiting import ended

import keystead
from keystead.app.layout import Layout
from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS, Purpose
from keystead.core.audit.record import parse
from keystead.core.errors import Denied, NotApproved, NotFound, Unauthenticated, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.service.erasures import Erasures
from keystead.service.log import Log
from keystead.stores.disk import LocalDisk

OFFERED = (Sensitive(b"correct horse battery staple"),)


class Place:
    """A production installation, and what its first administrator was told."""

    def __init__(self, tmp_path) -> None:
        (tmp_path / "phrase").write_bytes(OFFERED[0].reveal())
        self.directory = tmp_path / "data"
        given = ("--seal", "passphrase", "--passphrase", f"file:{tmp_path / 'phrase'}")
        told = at_once("init", self.directory, *given, "--json").json
        self.access_key_id, self.tenant = told["access_key_id"], told["tenant"]
        self.address = f"aws:{self.tenant}:us-east-1"

    def open(self, **more):
        return keystead.open(self.directory, OFFERED, **more)

    def create(self, ks) -> ops.KeyRef:
        ring, spec = ops.KeyringRef(self.address), KEY_SPECS["AES_256"]
        return ops.KeyRef(
            self.address, id=ks.perform(ops.CreateKey(keyring=ring, spec=spec, purpose=Purpose.CIPHER)).key.id
        )


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


def test_every_operation_is_on_record_and_a_refusal_too(place) -> None:
    with place.open(credential=place.access_key_id) as ks:
        key = place.create(ks)
        sealed = ks.perform(ops.Encrypt(key=key, plaintext=Sensitive(b"hello"), aad={"a": "b"}))
        opened = ks.perform(ops.Decrypt(key=key, ciphertext=sealed.ciphertext, aad={"a": "b"}))
        assert opened.plaintext.reveal() == b"hello"
        with pytest.raises(NotFound):
            ks.perform(ops.DescribeKey(key=ops.KeyRef(place.address, name="alias/none")))
    records = [parse(line) for _, line in Log(LocalDisk(), Layout(place.directory).audit).tail(4)]
    assert {(record.operation, record.outcome, record.who.via or "-") for record in records} == {
        ("CreateKey", "performed", "-"),
        ("Encrypt", "performed", "-"),
        ("Decrypt", "performed", "-"),
        ("DescribeKey", "refused: NotFound", "-"),
    }
    assert {record.door for record in records} == {"library"}


def test_without_a_credential_keys_are_managed_and_never_used(place) -> None:
    with place.open() as ks:
        key = place.create(ks)
        with pytest.raises(Denied):
            ks.perform(ops.Encrypt(key=key, plaintext=Sensitive(b"x")))


def test_nobody_approves_in_the_name_of_another_by_opening_the_directory(place) -> None:
    """A credential is named here, and no secret of it is asked for."""
    named = (ops.ApproverSaid(who="user:admin"),)
    with place.open() as ks:
        ks.perform(
            ops.PutApprovalRule(scope=place.tenant, name="r", actions=("disable",), n_approvals=1, approvers=named)
        )
        disable = ops.DisableKey(key=place.create(ks))
        with pytest.raises(NotApproved) as asked:
            ks.perform(disable)
    approve = ops.Approve(scope=place.tenant, id=asked.value.detail.request)
    with place.open(credential=place.access_key_id) as ks, pytest.raises(Denied, match="has to be signed"):
        ks.perform(approve)
    last = parse(Log(LocalDisk(), Layout(place.directory).audit).tail(1)[0][1])
    assert last.outcome == "refused: Denied"
    with place.open() as ks, pytest.raises(NotApproved):
        ks.perform(disable)


def test_one_process_at_a_time(place) -> None:
    with place.open(), pytest.raises(Unavailable, match="in use by process"):
        place.open()
    with place.open():
        pass


def test_what_does_not_open_it_leaves_it_free(place) -> None:
    with pytest.raises(Unauthenticated):
        keystead.open(place.directory, (Sensitive(b"another phrase altogether"),))
    with pytest.raises(Unauthenticated):
        place.open(credential="AKIAAAAAAAAAAAAAAAAA")
    with place.open():
        pass


def test_the_example_of_the_documents_runs(tmp_path) -> None:
    place = Place(tmp_path)
    [(language, text)] = EXAMPLE.findall((ROOT / "docs/library.md").read_text())
    assert language == "python"
    opening = 'keystead.open(os.environ["KEYSTEAD_DATA"], '
    assert opening in text
    phrase = 'keystead.open(os.environ["KEYSTEAD_DATA"], [Sensitive(os.environ["PHRASE"].encode())], '
    env = os.environ | {
        "KEYSTEAD_DATA": str(place.directory),
        "AWS_ACCESS_KEY_ID": place.access_key_id,
        "TENANT": place.tenant,
        "PHRASE": OFFERED[0].reveal().decode(),
    }
    command = [sys.executable, "-c", text.replace(opening, phrase)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("hello\n", 0), done.stderr


def test_an_hsm_that_hangs_keeps_no_other_chore_waiting(place, monkeypatch) -> None:
    """Erasing there was done under the lock of all: nothing rotated, no lease ended, the audit log stood still."""
    begun, go_on = threading.Event(), threading.Event()

    def hangs(_erasures, hsm="", *, but=()) -> int:
        if hsm:
            begun.set()
            assert go_on.wait(60)
        return 0

    monkeypatch.setattr(Erasures, "step", hangs)
    with place.open() as ks:
        chores = ks._chores
        reaching = threading.Thread(target=chores.reach, args=("luna",))
        settling = threading.Thread(target=chores.settle)
        reaching.start()
        assert begun.wait(60)
        ks.fold()
        assert ks.keep_appointments(trust_clock=True)
        settling.start()
        ended(settling)
        assert reaching.is_alive()
    go_on.set()
    ended(reaching)
