"""A token of SoftHSM2: finding it, its one login, its pool, and what becomes of a lost one."""

import os
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace
from tests import softhsm
from tests.waiting import ended

from keystead.core.errors import (
    Conflict,
    DecryptionFailed,
    Internal,
    InvalidArgument,
    NotFound,
    Unauthenticated,
    Unavailable,
    Unsupported,
    WrongUsage,
)
from keystead.core.ports import NOT_ASKED
from keystead.core.sensitive import Sensitive
from keystead.cryptoki import finding
from keystead.cryptoki.connection import Name
from keystead.cryptoki.errors import Failed
from keystead.cryptoki.finding import Where
from keystead.cryptoki.mechanisms import Gcm, Mechanism
from keystead.cryptoki.module import Module
from keystead.cryptoki.recovery import PAUSES
from keystead.cryptoki.token import Token
from keystead.cryptoki.words import Cka, Ckk, Ckm, Cko, Ckr, Flag
from keystead.providers.pkcs11.handle import LABEL

AES = {
    Cka.CLASS: Cko.SECRET_KEY,
    Cka.KEY_TYPE: Ckk.AES,
    Cka.TOKEN: True,
    Cka.PRIVATE: True,
    Cka.SENSITIVE: True,
    Cka.EXTRACTABLE: False,
    Cka.ENCRYPT: True,
    Cka.DECRYPT: True,
    Cka.VALUE_LEN: 32,
}


def make(token, label="k"):
    name = Name(Cko.SECRET_KEY, os.urandom(8), label)
    template = {**AES, Cka.ID: name.id, Cka.LABEL: label}
    token.run(lambda desk: desk.session.generate(Mechanism(Ckm.AES_KEY_GEN), template), once=True)
    return name


def seal(token, name, text=b"hello"):
    iv = os.urandom(12)
    return iv + token.run(lambda desk: desk.session.encrypt(Gcm(iv, b"aad"), desk.key(name), text))


def unseal(token, name, blob):
    def act(desk):
        return desk.session.decrypt(Gcm(blob[:12], b"aad"), desk.key(name), blob[12:])

    return token.run(act, vague=DecryptionFailed).reveal()


@pytest.fixture(scope="module")
def label():
    return softhsm.new_token()


@pytest.fixture
def token(label):
    made = softhsm.open_token(label)
    yield made
    made.close()


def test_a_key_made_in_a_token_is_found_by_name_and_shows_no_value(token):
    name = make(token)
    wanted = (Cka.VALUE, Cka.LOCAL, Cka.NEVER_EXTRACTABLE, Cka.ALWAYS_SENSITIVE, Cka.EXTRACTABLE, Cka.LABEL)
    assert token.attributes(name, wanted) == {
        Cka.LOCAL: True,
        Cka.NEVER_EXTRACTABLE: True,
        Cka.ALWAYS_SENSITIVE: True,
        Cka.EXTRACTABLE: False,
        Cka.LABEL: b"k",
    }
    assert unseal(token, name, seal(token, name)) == b"hello"
    assert token.names({Cka.CLASS: Cko.SECRET_KEY, Cka.ID: name.id}) == [name]


def test_a_tag_that_does_not_fit_is_no_trouble_of_the_token(token):
    name = make(token)
    blob = seal(token, name)
    before = token.run(lambda desk: desk.connection)
    for bad in (blob[:-1] + bytes([blob[-1] ^ 1]), blob[:14]):
        with pytest.raises(DecryptionFailed):
            unseal(token, name, bad)
    assert token.run(lambda desk: desk.connection) is before and token.trouble == ""


def test_what_is_not_there_is_not_found_and_two_of_one_name_conflict(token):
    name = Name(Cko.SECRET_KEY, b"nobody", "k")
    with pytest.raises(NotFound):
        seal(token, name)
    assert not token.has(name) and not token.destroy(name)
    for _ in range(2):
        token.run(
            lambda desk: desk.session.generate(Mechanism(Ckm.AES_KEY_GEN), {**AES, Cka.ID: b"twice", Cka.LABEL: "k"})
        )
    with pytest.raises(Conflict):
        seal(token, Name(Cko.SECRET_KEY, b"twice", "k"))


def test_of_two_of_one_name_whoever_made_one_knows_it_and_both_are_destroyed(token):
    """SoftHSM2 shows an object twice to the process that made it, where another one changes the token meanwhile."""
    name = Name(Cko.SECRET_KEY, os.urandom(8), "k")
    template = {**AES, Cka.ID: name.id, Cka.LABEL: name.label}

    def twice(desk):
        desk.connection.learn(name, desk.session.generate(Mechanism(Ckm.AES_KEY_GEN), template))
        return desk.session.generate(Mechanism(Ckm.AES_KEY_GEN), template)

    token.run(twice)
    blob = seal(token, name)
    token.run(lambda desk: desk.connection.forget(name))
    assert unseal(token, name, blob) == b"hello"
    assert token.destroy(name) and not token.has(name) and not token.destroy(name)


APART = """
import os, sys, threading
from tests.softhsm import open_token
from tests.waiting import until
from keystead.core.algorithms import ALGORITHMS, KEY_SPECS
from keystead.core.errors import Unavailable
from keystead.core.sensitive import Sensitive
from keystead.providers.pkcs11 import Pkcs11Provider
provider, spec = Pkcs11Provider(open_token(sys.argv[1], wait_for=60.0), os.urandom), KEY_SPECS["AES_256"]
right, untold = [], []
def use(name):
    made = provider.generate(spec, name)
    held = provider.load(spec, made.material, key_id="1234abcd-12ab-34cd-56ef-1234567890ab", version=1)
    sealed = held.encrypt(ALGORITHMS["AES_GCM"], Sensitive(b"x"), b"\\0")
    right.append(held.decrypt(ALGORITHMS["AES_GCM"], sealed, b"\\0").reveal() == b"x")
    provider.destroy(name)
def work():
    for _ in range(10):
        name = os.urandom(16).hex()
        try:
            use(name)
        except Unavailable:
            untold.append(name)
threads = [threading.Thread(target=work) for _ in range(4)]
[one.start() for one in threads]
[one.join() for one in threads]
def gone(name):
    try:
        provider.destroy(name)
    except Unavailable:
        return False
    return True
until(lambda: all(map(gone, untold)))
print(right.count(True), len(right), len(untold))
"""


def keeps_a_value(file):
    """Whether a file of SoftHSM2's has a CKA_VALUE that is not empty. What it leaves of a failed making has none."""
    value = struct.pack(">QQ", Cka.VALUE, 3)  # the attribute, and that it is bytes; their number comes after it
    _, found, rest = file.read_bytes().partition(value)
    return bool(found) and rest[:8] != bytes(8)


def test_processes_that_make_and_destroy_in_one_token_are_in_nobody_s_way():
    """Each act is done or was not, and no key is left under any name; that SoftHSM2 fails twice on end is rare."""
    others = set(softhsm.tokens().iterdir())
    label = softhsm.new_token()
    (home,) = set(softhsm.tokens().iterdir()) - others
    token = softhsm.open_token(label)
    name = make(token)
    assert [keeps_a_value(file) for file in home.glob("*.object") if file.name != "token.object"] == [True]
    token.destroy(name)
    command = [sys.executable, "-c", APART, label]
    apart = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for one in apart:
        right, used, untold = map(int, one.communicate(timeout=120)[0].split())
        assert right == used and used + untold >= 40 and untold <= 4
    module = Module.open(softhsm.module())
    module.restart(module.epoch)  # this process has looked on, and SoftHSM2 shows it what it saw
    assert softhsm.open_token(label).names({Cka.CLASS: Cko.SECRET_KEY, Cka.LABEL: LABEL}) == []
    assert [file for file in home.glob("*.object") if keeps_a_value(file)] == []


def test_destroying_twice_is_destroying(token):
    name = make(token)
    assert token.has(name)
    assert token.destroy(name) and not token.destroy(name) and not token.has(name)
    with pytest.raises(NotFound):
        seal(token, name)


def test_a_handle_that_another_process_made_void_is_found_anew(token, label):
    """The cached handle is wrong; once more with the right one, and nobody hears of it."""
    name = make(token)
    seal(token, name)
    token.run(lambda desk: desk.connection._handles.update({name: 0x7FFF_FFFF}))
    assert unseal(token, name, seal(token, name)) == b"hello"


def test_what_the_token_does_not_have_is_unsupported(token):
    with pytest.raises(Unsupported) as caught:
        token.run(lambda desk: desk.session.generate(Mechanism(Ckm.LUNA_AES_KW), AES))
    assert caught.value.detail == "CKR_MECHANISM_INVALID"
    name = make(token)
    with pytest.raises((WrongUsage, Unsupported)):
        token.run(lambda desk: desk.session.sign(Mechanism(Ckm.SHA256_HMAC), desk.key(name), b"x"))


def test_mechanisms_and_facts(token, label):
    found = token.mechanisms()
    assert Flag.ENCRYPT in found[Ckm.AES_GCM].flags and found[Ckm.RSA_PKCS_KEY_PAIR_GEN].most >= 4096
    info = token.info()
    assert (info.label, len(info.serial)) == (label, 16) and "SoftHSM" in info.model
    assert len({token.random(16) for _ in range(10)}) == 10


# --- finding and login


def test_by_serial_by_slot_and_not_at_all(token, label):
    info = token.info()
    for where in (Where(serial=info.serial), Where(slot=info.slot), Where(label=label, serial=info.serial)):
        other = Token("other", softhsm.module(), where, lambda: Sensitive(softhsm.PIN.encode()))
        assert other.info().serial == info.serial
        other.close()
    nobody = softhsm.open_token("nobody-has-this-label")
    with pytest.raises(Unavailable, match="TOKEN_NOT_PRESENT"):
        nobody.info()


def test_two_tokens_of_one_label_conflict():
    label = softhsm.new_token("same")
    softhsm.new_token("same")
    token = softhsm.open_token(label)
    with pytest.raises(Conflict):
        token.info()


def test_a_refused_pin_is_offered_once(monkeypatch):
    offered = []
    label = softhsm.new_token()
    token = Token("hsm", softhsm.module(), Where(label=label), lambda: offered.append(1) or Sensitive(b"000000"))
    for _ in range(5):
        with pytest.raises(Unauthenticated) as caught:
            token.info()
        assert "000000" not in repr(caught.value) and "PIN_INCORRECT" in str(caught.value)
    assert offered == [1]


def test_another_pin_is_offered_once_and_is_the_one_from_now_on_where_it_is_taken(label):
    token, offered = softhsm.open_token(label, pin="000000"), []
    name = Name(Cko.SECRET_KEY, b"12345678", "k")

    def pin(text):
        return lambda: offered.append(text) or Sensitive(text.encode())

    for _ in range(2):
        with pytest.raises(Unauthenticated):
            token.info()
    with pytest.raises(Unauthenticated):
        token.log_in(pin("111111"))
    with pytest.raises(Unauthenticated):  # and is not asked again
        token.info()
    token.log_in(pin(softhsm.PIN))
    assert token.info().label == label and offered == ["111111", softhsm.PIN]
    made = make(token)
    with pytest.raises(Unauthenticated):  # although it is logged in
        token.log_in(pin("222222"))
    assert token.has(made) and offered == ["111111", softhsm.PIN, "222222", softhsm.PIN]
    assert not token.has(name)
    token.close()


CHANGES_ITS_PIN = """
import sys
from ctypes import CDLL, c_char_p, c_ulong
from tests.softhsm import PIN, module, open_token
change = CDLL(module()).C_SetPIN
change.argtypes = c_ulong, c_char_p, c_ulong, c_char_p, c_ulong
old, new = PIN.encode(), sys.argv[2].encode()
print(open_token(sys.argv[1]).run(lambda desk: change(desk.session.handle, old, len(old), new, len(new))))
"""


def test_a_pin_that_was_changed_while_the_token_is_used_is_taken():
    """SoftHSM2 compares with the one that it has read, and never looks again."""
    label = softhsm.new_token()
    token, another = softhsm.open_token(label), softhsm.open_token()
    names = {one: make(one) for one in (token, another)}
    command = [sys.executable, "-c", CHANGES_ITS_PIN, label, "112233"]
    assert subprocess.run(command, check=True, capture_output=True, timeout=60).stdout == b"0\n"
    token.log_in(lambda: Sensitive(b"112233"))
    for one, name in names.items():
        assert one.has(name)
        one.close()


def test_what_is_no_module_is_said(tmp_path):
    (tmp_path / "not.so").write_bytes(b"no")
    for path in (str(tmp_path / "none.so"), str(tmp_path / "not.so"), "/lib/x86_64-linux-gnu/libc.so.6"):
        with pytest.raises(InvalidArgument, match="the HSM hsm: "):
            Token("hsm", path, Where(label="x"), lambda: Sensitive(b"")).info()


def test_a_module_that_does_not_start_says_for_which_hsm(token, monkeypatch):
    def fails(_self, _epoch):
        raise Unavailable("the PKCS#11 module does not start: C_Initialize: CKR_GENERAL_ERROR")

    monkeypatch.setattr(Module, "restart", fails)
    monkeypatch.setattr(finding, "find", lambda *_: lost())
    with pytest.raises(Unavailable, match=f"the HSM {token.name}: the PKCS#11 module does not start"):
        token.info()
    assert token.trouble == "the PKCS#11 module does not start: C_Initialize: CKR_GENERAL_ERROR"


def lost():
    raise Failed("C_GetSlotList", Ckr.TOKEN_NOT_PRESENT)


def test_a_forked_child_neither_uses_nor_closes_it(token):
    name = make(token)
    seal(token, name)
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        said = []
        for act in (token.info, token.close, lambda: Module.open(softhsm.module())):
            try:
                act()
                said.append("done")
            except Internal:
                said.append("refused")
        os.write(writer, " ".join(said).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 99) == b"refused refused refused"
    os.close(reader), os.close(writer)
    assert unseal(token, name, seal(token, name)) == b"hello"


# --- an HSM that hangs


def test_one_waits_for_an_hsm_that_hangs_and_nobody_else_nor_the_end(label, monkeypatch):
    hangs, go_on = threading.Event(), threading.Event()

    def pin():
        hangs.set()
        go_on.wait(60)
        return Sensitive(softhsm.PIN.encode())

    token = Token(label, softhsm.module(), Where(label=label), pin, wait_for=0.2)
    first = threading.Thread(target=token.random, args=(8,))
    first.start()
    assert hangs.wait(60)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        token.random(8)
    token.close()
    assert time.monotonic() - began < 30, "half as long as the one does"
    go_on.set()
    ended(first)
    assert len(token.random(8)) == 8
    token.close()


# --- the pool


def test_sessions_are_reused_and_bounded(label):
    token = softhsm.open_token(label, sessions=2, wait_for=60.0)
    inside, leave = threading.Barrier(3), threading.Event()

    def hold(desk):
        inside.wait(60)
        leave.wait(60)
        return desk.session.handle

    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(token.run, hold) for _ in range(2)]
        inside.wait(60)
        token._wait_for = 0.05
        with pytest.raises(Unavailable, match="all 2 sessions") as caught:
            token.info()
        assert caught.value.detail == NOT_ASKED
        leave.set()
        handles = {one.result() for one in held}
    assert len(handles) == 2
    assert {token.run(lambda desk: desk.session.handle) for _ in range(20)} < handles  # the last that came back
    token.close()


def test_no_session_is_left_behind_by_failures(label):
    token = softhsm.open_token(label, sessions=3)
    name = make(token)
    blob = seal(token, name)
    for _ in range(50):
        with pytest.raises(DecryptionFailed):
            unseal(token, name, blob[:-1] + bytes([blob[-1] ^ 1]))
        with pytest.raises(ZeroDivisionError):
            token.run(lambda desk: 1 // 0)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: unseal(token, name, seal(token, name)) == b"hello", range(200)))
    assert token.run(lambda desk: len(desk.connection._free)) <= 2
    token.close()


# --- recovery


def test_a_token_that_is_taken_away_and_put_back(label):
    now = [0.0]
    token = softhsm.open_token(label, clock=lambda: now[0])
    name = make(token)
    blob = seal(token, name)
    with softhsm.Removed():
        for act in (
            lambda: unseal(token, name, blob),
            lambda: seal(token, name),
            lambda: make(token, "lost"),
            lambda: token.has(name),
            lambda: token.destroy(name),
            lambda: token.names({Cka.LABEL: "k"}),
            token.info,
        ):
            now[0] += 100
            with pytest.raises(Unavailable):
                act()
            assert token.trouble
    with pytest.raises(Unavailable):  # it is not asked yet: nobody hammers a token that is away
        seal(token, name)
    now[0] += max(PAUSES)
    assert unseal(token, name, blob) == b"hello" and token.trouble == ""
    assert token.has(name)
    token.close()


def test_an_act_of_once_that_was_cut_short_is_not_repeated(token):
    calls = []

    def cut_short(desk):
        calls.append(desk.session.handle)
        if len(calls) == 1:
            raise Failed("C_GenerateKey", Ckr.DEVICE_ERROR)
        return "done"

    with pytest.raises(Unavailable) as caught:
        token.run(cut_short, once=True)
    assert (len(calls), caught.value.detail) == (1, "lost")
    calls.clear()
    assert token.run(cut_short) == "done" and len(calls) == 2


def test_sessions_that_the_token_forgot_are_made_anew(token):
    """As after a fail-over: every handle is void at once."""
    name = make(token)
    blob = seal(token, name)
    token.run(lambda desk: desk.connection.module.call("C_CloseAllSessions", desk.connection.info.slot))
    assert unseal(token, name, blob) == b"hello"


def test_a_restarted_module_is_noticed_by_every_token_on_it(label):
    one, two = softhsm.open_token(label), softhsm.open_token()
    names = {token: make(token) for token in (one, two)}
    blobs = {token: seal(token, names[token]) for token in (one, two)}
    module = Module.open(softhsm.module())
    module.restart(module.epoch)
    for token in (one, two):
        assert unseal(token, names[token], blobs[token]) == b"hello"
        token.close()


def test_a_token_that_tells_no_serial_number_for_a_moment_is_not_another_one(token, label, monkeypatch):
    """SoftHSM2's, while another process logs in and writes the token's file."""
    token.info()
    token.close()
    find, blank = finding.find, [""]

    def told(*args):
        return replace(find(*args), serial=blank.pop()) if blank else find(*args)

    monkeypatch.setattr(finding, "find", told)
    assert token.info().label == label and not blank


def test_a_token_is_found_again_after_another_one_of_its_label_was_there(label, tmp_path):
    """Which tokens there are SoftHSM2 reads when it starts: here its configuration leads elsewhere for a while."""
    now, configuration = [0.0], softhsm.tokens().with_name("softhsm2.conf")
    token, module = softhsm.open_token(label, clock=lambda: now[0]), Module.open(softhsm.module())
    name, before = make(token), configuration.read_text()
    configuration.write_text(f"directories.tokendir = {tmp_path}\n")
    try:
        softhsm.new_token(label)
        module.restart(module.epoch)
        for _ in range(2):
            with pytest.raises((Conflict, Unavailable), match="another token"):
                token.has(name)
    finally:
        configuration.write_text(before)
    now[0] += PAUSES[-1]
    assert token.has(name)
    token.close()


def test_another_token_under_the_same_label_is_not_taken_for_it(token, label, monkeypatch):
    token.info()
    monkeypatch.setattr(token, "_serial", "0123456789abcdef")
    token.close()
    monkeypatch.setattr(token, "_pin", lambda: pytest.fail("a PIN was offered to another token"))
    with pytest.raises(Conflict, match="another token"):
        token.info()
