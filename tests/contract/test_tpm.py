"""The TPM room against a real TPM 2.0 (swtpm): sealing under PCRs, indices, random numbers, and what goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import msgspec
import pytest
from tests.swtpm import SoftwareTpm, software_tpm

from keystead.core.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    KeysteadError,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from keystead.core.sensitive import Sensitive
from keystead.tpm import SealedBlob, Tpm
from keystead.tpm.errors import MEANINGS, meaning
from keystead.tpm.nv import FIRST, N_LISTED

SECRET, AUTH, OTHER = Sensitive(b"u" * 32), Sensitive(b"a" * 32), Sensitive(b"b" * 32)
INDEX = FIRST + 0x4B53


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[SoftwareTpm]:
    with software_tpm(tmp_path_factory.mktemp("tpm")) as tpm:
        yield tpm


@pytest.fixture
def tpm(running) -> Iterator[Tpm]:
    yield Tpm(running.tcti)
    left = running.tool("tpm2_getcap", "handles-transient") + running.tool("tpm2_getcap", "handles-loaded-session")
    assert left.strip() == "", "something was left in the TPM"


def test_its_generator(tpm) -> None:
    found = [tpm.random(n) for n in (1, 32, 33, 1000)]
    assert [len(one) for one in found] == [1, 32, 33, 1000]
    assert len({one[:32] for one in found[1:]}) == 3 and len(set(found[3])) > 200
    for n in (0, -1, 4097):
        with pytest.raises(InvalidArgument):
            tpm.random(n)


def test_what_is_sealed_opens_again_also_after_power_was_lost(running, tpm) -> None:
    blob = tpm.seal(SECRET, (7,))
    assert tpm.unseal(blob).reveal() == SECRET.reveal()
    running.stop()
    running.start()
    again = msgspec.json.decode(msgspec.json.encode(blob), type=SealedBlob)
    assert Tpm(running.tcti).unseal(again).reveal() == SECRET.reveal()


def test_other_pcrs_open_nothing_and_what_is_sealed_under_them_does(running, tpm) -> None:
    old, beside = tpm.seal(SECRET, (7, 14)), tpm.seal(OTHER, (7,))
    running.extend(14)
    with pytest.raises(Unauthenticated, match="PCRs of the TPM are not those"):
        tpm.unseal(old)
    assert tpm.unseal(beside).reveal() == OTHER.reveal()
    assert tpm.unseal(tpm.seal(SECRET, (7, 14))).reveal() == SECRET.reveal()


def test_a_blob_says_nothing_and_a_changed_one_does_not_open(tpm) -> None:
    blob = tpm.seal(SECRET, (7,))
    assert SECRET.reveal() not in blob.public + blob.private and "u" * 8 not in repr(blob)
    flipped = bytearray(blob.private)
    flipped[-1] ^= 1
    changes = (
        {"private": bytes(flipped)},
        {"private": blob.private + b"\0"},
        {"public": b""},
        {"pcrs": (8,)},
        {"pcrs": ()},
    )
    for change in changes:
        with pytest.raises(KeysteadError):
            tpm.unseal(msgspec.structs.replace(blob, **change))


def test_another_tpm_says_so(tpm, tmp_path) -> None:
    blob = tpm.seal(SECRET, (7,))
    with software_tpm(tmp_path / "other") as other, pytest.raises(Conflict, match="another TPM"):
        Tpm(other.tcti).unseal(blob)


def test_a_tpm_that_is_not_there_is_unavailable(tmp_path) -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        Tpm(f"swtpm:path={tmp_path}/none").random(8)


def test_only_ways_to_a_tpm_are_taken() -> None:
    for tcti in ("", "/opt/evil.so", "libtss2-tcti-x.so:y", "cmd:id"):
        with pytest.raises(InvalidArgument, match="device:/dev/tpmrm0"):
            Tpm(tcti)


@pytest.mark.parametrize("pcrs", [(), (24,), (-1,), (7, 7)])
def test_impossible_pcrs_are_refused(tpm, pcrs) -> None:
    with pytest.raises(InvalidArgument):
        tpm.seal(SECRET, pcrs)
    with pytest.raises(InvalidArgument):
        tpm.seal(Sensitive(bytes(129)), (7,))


def test_what_is_secret_is_encrypted_on_the_way(running, tmp_path) -> None:
    """Every byte between us and the TPM, recorded by the TSS's own proxy: neither secret nor password is among them."""
    capture = tmp_path / "capture"
    words = f"""
import sys
from keystead.core.sensitive import Sensitive
from keystead.tpm import Tpm, device
device.WAYS += ("pcap",)
tpm, secret, auth = Tpm("pcap:" + sys.argv[1]), Sensitive(b"u" * 32), Sensitive(b"a" * 32)
assert tpm.unseal(tpm.seal(secret, (7,))).reveal() == secret.reveal()
tpm.nv.define({INDEX}, auth, secret)
assert tpm.nv.read({INDEX}, auth).reveal() == secret.reveal()
tpm.nv.undefine({INDEX})
"""
    env = {**os.environ, "TCTI_PCAP_FILE": str(capture)}
    done = subprocess.run(
        [sys.executable, "-c", words, running.tcti], env=env, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    seen = capture.read_bytes()
    assert len(seen) > 2000 and SECRET.reveal() not in seen and AUTH.reveal() not in seen


# --- indices


def test_an_index_holds_what_it_was_made_with_until_it_is_undefined(running, tpm) -> None:
    nv = tpm.nv
    assert nv.indices() == ()
    nv.define(INDEX, AUTH, SECRET)
    nv.define(INDEX + 1, OTHER, OTHER)
    assert nv.indices() == (INDEX, INDEX + 1) and nv.indices(INDEX + 1, INDEX + 9) == (INDEX + 1,)
    with pytest.raises(AlreadyExists):
        nv.define(INDEX, AUTH, OTHER)
    running.stop()
    running.start()
    assert nv.read(INDEX, AUTH).reveal() == SECRET.reveal()
    for _ in range(40):  # many more than a TPM takes of what counts against it
        with pytest.raises(Unauthenticated):
            nv.read(INDEX, OTHER)
    assert nv.read(INDEX, AUTH).reveal() == SECRET.reveal()
    nv.undefine(INDEX)
    nv.undefine(INDEX)
    with pytest.raises(NotFound):
        nv.read(INDEX, AUTH)
    assert nv.read(INDEX + 1, OTHER).reveal() == OTHER.reveal()
    nv.undefine(INDEX + 1)
    assert nv.indices() == ()


def test_what_is_no_index_of_the_owners_is_not_touched(tpm) -> None:
    for index in (0, 0x01C00002, FIRST - 1):
        for act in (lambda i: tpm.nv.define(i, AUTH, SECRET), lambda i: tpm.nv.read(i, AUTH), tpm.nv.undefine):
            with pytest.raises(InvalidArgument):
                act(index)
    with pytest.raises(InvalidArgument):
        tpm.nv.define(INDEX, Sensitive(b"short"), SECRET)
    with pytest.raises(InvalidArgument):
        tpm.nv.define(INDEX, AUTH, Sensitive(bytes(257)))
    assert tpm.nv.indices() == () and N_LISTED > 0


def test_many_threads_and_processes_take_turns(running, tpm) -> None:
    wrong: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for i in range(4):
                index = INDEX + 16 * n + i
                tpm.nv.define(index, AUTH, SECRET)
                assert tpm.nv.read(index, AUTH).reveal() == SECRET.reveal()
                tpm.nv.undefine(index)
        except BaseException as error:  # noqa: BLE001 - told below
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    words = f"from keystead.tpm import Tpm\nfor _ in range(5): Tpm({running.tcti!r}).random(8)"
    others = [subprocess.Popen([sys.executable, "-c", words]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and [one.wait(60) for one in others] == [0, 0]


# --- what goes wrong


def test_a_lockout_of_somebody_elses_hinders_nothing(running, tpm) -> None:
    """Wrong passwords of another object lock the TPM; what is ours has none that could be guessed at."""
    blob = tpm.seal(SECRET, (7,))
    tpm.nv.define(INDEX, AUTH, OTHER)
    running.tool("tpm2_dictionarylockout", "-s", "-n", "1", "-t", "1000", "-l", "1000")
    running.tool("tpm2_nvdefine", "0x01500001", "-s", "8", "-a", "authread|authwrite", "-p", "right")
    try:
        for _ in range(2):
            with pytest.raises(subprocess.CalledProcessError) as refused:
                running.tool("tpm2_nvread", "0x01500001", "-P", "wrong", "-s", "8")
        assert "lockout" in refused.value.stderr
        assert tpm.unseal(blob).reveal() == SECRET.reveal() and tpm.nv.read(INDEX, AUTH).reveal() == OTHER.reveal()
    finally:
        running.tool("tpm2_dictionarylockout", "-c")
        running.tool("tpm2_nvundefine", "0x01500001")
        tpm.nv.undefine(INDEX)


def test_every_code_has_an_error_and_its_words_show_the_code() -> None:
    for code in MEANINGS:
        assert f"0x{code:x}" in str(meaning(code))
    assert type(meaning(0x99D)) is Unauthenticated  # POLICY_FAIL, first session
    assert type(meaning(0x000A000A)) is Unavailable  # of the TCTI
    assert type(meaning(0x1234 & 0xFFF)) is Unavailable  # one that is in no table
