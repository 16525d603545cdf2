"""One load per process and path, CKF_OS_LOCKING_OK, restarts that wait, and what each CK_RV means."""

import threading
import time
from contextlib import nullcontext

import pytest
from tests import softhsm
from tests.waiting import ended, until

from keystead.core.errors import (
    DecryptionFailed,
    Internal,
    InvalidArgument,
    LimitExceeded,
    Unauthenticated,
    Unavailable,
    Unsupported,
    WrongUsage,
)
from keystead.core.sensitive import Sensitive
from keystead.cryptoki import errors, module
from keystead.cryptoki.connection import Connection
from keystead.cryptoki.errors import LOST, MEANINGS, MISPLACED, REFUSED_PIN, SPENT, Failed, meant
from keystead.cryptoki.finding import Where
from keystead.cryptoki.mechanisms import Mechanism
from keystead.cryptoki.module import Module
from keystead.cryptoki.session import Session
from keystead.cryptoki.token import Token
from keystead.cryptoki.words import OS_LOCKING_OK, Cka, Ckm, Ckr


class Library:
    """C_Initialize and C_Finalize, which answer what they are told to."""

    def __init__(self, *answers):
        self.answers, self.calls, self.flags, self.manufacturer = list(answers), [], [], b""

    def functions(self, _path):
        return {"C_Initialize": self.initialize, "C_Finalize": self.finalize, "C_GetInfo": self.info}, None

    def initialize(self, args):
        self.calls.append("C_Initialize")
        self.flags.append(args._obj.flags)
        return self.answers.pop(0) if self.answers else Ckr.OK

    def finalize(self, _reserved):
        self.calls.append("C_Finalize")
        return Ckr.OK

    def info(self, told):
        told._obj.manufacturer = self.manufacturer
        return Ckr.OK


def opened(monkeypatch, *answers):
    library = Library(*answers)
    monkeypatch.setattr(module, "_functions_of", library.functions)
    return library, Module("/nowhere.so")


def test_threads_are_announced(monkeypatch):
    library, _ = opened(monkeypatch)
    assert (library.calls, library.flags) == (["C_Initialize"], [OS_LOCKING_OK])


def test_a_path_is_loaded_once():
    softhsm.tokens()
    assert Module.open(softhsm.module()) is Module.open(softhsm.module().replace("/softhsm/", "/softhsm/./"))


def test_a_module_that_cannot_lock_is_not_used(monkeypatch):
    with pytest.raises(InvalidArgument, match="CANT_LOCK"):
        opened(monkeypatch, Ckr.CANT_LOCK)


def test_what_somebody_else_has_initialised_is_used_and_never_finalised(monkeypatch):
    library, held = opened(monkeypatch, Ckr.CRYPTOKI_ALREADY_INITIALIZED)
    with held.within() as epoch:
        pass
    with pytest.raises(Unavailable):
        held.restart(epoch)
    assert library.calls == ["C_Initialize"]


def test_a_restart_happens_once_for_all_that_ask(monkeypatch):
    library, held = opened(monkeypatch)
    for _ in range(3):
        held.restart(0)
    assert library.calls == ["C_Initialize", "C_Finalize", "C_Initialize"] and held.epoch == 1


def test_a_module_that_does_not_come_up_is_started_the_next_time(monkeypatch):
    library, held = opened(monkeypatch, Ckr.OK, Ckr.GENERAL_ERROR)
    with pytest.raises(Unavailable, match="GENERAL_ERROR"):
        held.restart(0)
    held.restart(1)
    assert library.calls == ["C_Initialize", "C_Finalize", "C_Initialize", "C_Initialize"] and held.epoch == 2


def test_a_module_that_races_gets_one_thread_at_a_time_to_its_objects(monkeypatch):
    """SoftHSM2 2.6.1 loses what one thread makes while another one looks. No other module is held up by it."""
    library = Library()
    monkeypatch.setattr(module, "_functions_of", library.functions)
    library.manufacturer = b"Thales"
    assert isinstance(Module("/nowhere.so").objects, nullcontext)
    library.manufacturer = b"SoftHSM" + b" " * 25
    held = Module("/nowhere.so")
    held.call = lambda *_: None  # what it is asked for is done at once
    held.try_call = lambda *_: Ckr.OK
    session, wrapped = Session(held, 1), Mechanism(Ckm.AES_KEY_WRAP)
    for ask in (
        lambda: session.find({Cka.LABEL: "x"}),
        lambda: session.create({}),
        lambda: session.destroy(1),
        lambda: session.generate(wrapped, {}),
        lambda: session.generate_pair(wrapped, {}, {}),
        lambda: session.unwrap(wrapped, 1, b"", {}),
    ):
        asked = threading.Thread(target=ask)
        with held.objects:
            asked.start()
            asked.join(0.02)
            assert asked.is_alive()
        asked.join(60)
        assert not asked.is_alive()


def test_a_restart_waits_for_calls_and_calls_wait_for_it(monkeypatch):
    library, held = opened(monkeypatch)
    monkeypatch.setattr(module, "DRAIN_FOR", 60.0)
    inside, leave = threading.Event(), threading.Event()

    def call():
        with held.within():
            inside.set()
            leave.wait(60)

    caller = threading.Thread(target=call)
    caller.start()
    assert inside.wait(60)
    restarter = threading.Thread(target=held.restart, args=(0,))
    restarter.start()
    until(lambda: held._restarting)
    time.sleep(0.05)
    assert "C_Finalize" not in library.calls
    entered = []
    late = threading.Thread(target=lambda: entered.append(held.enter()))
    late.start()
    time.sleep(0.05)
    assert entered == []
    leave.set()
    ended(caller, restarter, late)
    assert entered == [1] and library.calls[-2:] == ["C_Finalize", "C_Initialize"]


def test_a_call_that_hangs_is_not_finalised_under(monkeypatch):
    library, held = opened(monkeypatch)
    monkeypatch.setattr(module, "DRAIN_FOR", 0.05)
    with held.within(), pytest.raises(Unavailable, match="in flight"):
        held.restart(0)
    assert library.calls == ["C_Initialize"]
    held.restart(0)
    assert held.epoch == 1


# --- words


def test_every_word_means_something():
    """What stands in no row is a bug of ours; these are, or are no failures."""
    ours = {
        Ckr.OK,
        Ckr.BUFFER_TOO_SMALL,
        Ckr.CRYPTOKI_ALREADY_INITIALIZED,
        Ckr.KEY_NOT_NEEDED,
        Ckr.OPERATION_ACTIVE,
        Ckr.OPERATION_NOT_INITIALIZED,
        Ckr.SIGNATURE_INVALID,
        Ckr.SIGNATURE_LEN_RANGE,
        Ckr.USER_ALREADY_LOGGED_IN,
    }
    assert set(Ckr) - set(MEANINGS) == ours
    rows = [rv for rvs in errors._KINDS.values() for rv in rvs]
    assert len(rows) - len(set(rows)) <= 2  # a word with two meanings has the later one
    assert not LOST & MISPLACED and not LOST & SPENT and not LOST & REFUSED_PIN


@pytest.mark.parametrize(
    ("rv", "kind"),
    [
        (Ckr.DEVICE_REMOVED, Unavailable),
        (Ckr.PIN_LOCKED, Unauthenticated),
        (Ckr.MECHANISM_INVALID, Unsupported),
        (Ckr.DEVICE_MEMORY, LimitExceeded),
        (Ckr.AEAD_DECRYPT_FAILED, DecryptionFailed),
        (Ckr.KEY_FUNCTION_NOT_PERMITTED, WrongUsage),
        (0x8000_0001, Internal),
    ],
)
def test_what_is_said_of_it(rv, kind):
    said = meant(Failed("C_Sign", rv), "luna")
    assert type(said) is kind and "luna" in str(said) and str(said.detail).startswith("CKR_")


# --- a token that has no more sessions


def test_where_a_token_has_no_more_sessions_one_that_gets_free_is_taken(monkeypatch):
    token = softhsm.open_token(sessions=4, wait_for=60.0)
    token.info()
    opening, n_left = Session.__init__, [1]

    def opened(session, *args):
        if not n_left[0]:
            raise Failed("C_OpenSession", Ckr.SESSION_COUNT)
        n_left[0] -= 1
        opening(session, *args)

    monkeypatch.setattr(Session, "__init__", opened)  # two in all: the one that came back, and one more
    handles, two = [], threading.Barrier(2)

    def act(desk):
        two.wait(60)
        return desk.session.handle

    threads = [threading.Thread(target=lambda: handles.append(token.run(act))) for _ in range(4)]
    for thread in threads:
        thread.start()
    ended(*threads)
    assert len(handles) == 4 and len(set(handles)) == 2
    monkeypatch.setattr(Connection, "take", lambda *_: Session(None, 0))
    with pytest.raises(Unavailable, match="SESSION_COUNT"):
        token.info()


def test_a_module_that_does_not_start_is_not_asked_by_everybody(monkeypatch):
    now, library = [0.0], Library(*[Ckr.GENERAL_ERROR] * 2)
    monkeypatch.setattr(module, "_functions_of", library.functions)
    token = Token("luna", "/nowhere-else.so", Where(label="x"), lambda: Sensitive(b""), clock=lambda: now[0])
    for _ in range(5):
        with pytest.raises(Unavailable):
            token.info()
    assert library.calls == ["C_Initialize"] and "GENERAL_ERROR" in token.trouble
    now[0] += 1
    with pytest.raises(Unavailable):
        token.info()
    assert len(library.calls) == 2
