"""One load per process and path, CKF_OS_LOCKING_OK, restarts that wait, and what each CK_RV means."""

import threading
import time
from types import SimpleNamespace

import pytest
from tests import softhsm
from tests.waiting import ended, until

from keystead.core.errors import (
    DecryptionFailed,
    Denied,
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
    monkeypatch.setattr(module, "ALONE_IN", 0.0)
    library.manufacturer = b"Thales"
    for asked in both(asks(Module("/nowhere.so"), 1), asks(Module("/nowhere.so"), 1)):
        assert asked == "done"
    library.manufacturer = b"SoftHSM" + b" " * 25
    held = Module("/nowhere.so")
    for asked in both(asks(held, 1), asks(held, 2)):
        assert asked == "done", "another slot is another token"
    for asked in both(asks(held, 1), asks(held, 1)):
        assert asked.startswith("nothing to C_")


def both(inner, outer):
    """What each of `inner` comes to while each of `outer` is under way."""
    for name, first in outer.items():
        for ask in inner.values():
            found = []

            def meanwhile(ask=ask, found=found):
                try:
                    ask(lambda: None)
                except Failed as failed:
                    found.append(str(failed))
                else:
                    found.append("done")

            first(meanwhile)
            assert len(found) == 1, name
            yield found[0]


def asks(held, slot):
    """What makes, erases or looks for objects in that slot; each is given what is done while it is under way."""
    during = threading.local()
    during.do = None

    def call(function, *args):
        if function == "C_FindObjects":
            args[-1]._obj.value = 0
        for one in args[-2:]:
            if function.startswith(("C_G", "C_C", "C_U", "C_O")) and hasattr(one, "_obj"):
                one._obj.value = 7
        if function not in {"C_OpenSession", "C_FindObjectsInit"} and (do := during.do):
            during.do = None
            do()

    fake = SimpleNamespace(call=call, try_call=lambda *_: Ckr.OK, alone=held.alone)
    session, wrapped = Session(fake, slot), Mechanism(Ckm.AES_KEY_WRAP)
    ways = {
        "find": lambda: session.find({Cka.LABEL: "x"}),
        "create": lambda: session.create({}),
        "destroy": lambda: session.destroy(1),
        "generate": lambda: session.generate(wrapped, {}),
        "pair": lambda: session.generate_pair(wrapped, {}, {}),
        "unwrap": lambda: session.unwrap(wrapped, 1, b"", {}),
    }

    def with_(way):
        def ask(do):
            during.do = do
            way()

        return ask

    return {name: with_(way) for name, way in ways.items()}


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


def test_a_module_that_hangs_when_it_starts_again_keeps_one_thread_and_no_other(monkeypatch):
    """Nor whoever asks whether anybody is within."""
    library, held = opened(monkeypatch)
    monkeypatch.setattr(module, "DRAIN_FOR", 0.05)
    begun, go_on = threading.Event(), threading.Event()

    def hangs(_reserved):
        begun.set()
        assert go_on.wait(60)
        return Ckr.OK

    held.functions["C_Finalize"] = hangs
    restarter = threading.Thread(target=held.restart, args=(0,))
    restarter.start()
    assert begun.wait(60)
    with pytest.raises(Unavailable, match="started again"):
        held.enter()
    held.restart(0)  # somebody does it already
    go_on.set()
    ended(restarter)
    with held.within() as epoch:
        assert epoch == 1
    assert library.calls == ["C_Initialize", "C_Initialize"]


def test_a_module_that_hangs_when_it_is_loaded_keeps_one_thread_and_no_other_module(monkeypatch):
    monkeypatch.setattr(module, "DRAIN_FOR", 0.05)
    begun, go_on = threading.Event(), threading.Event()
    library = Library()

    def functions(path):
        if path == "/hangs.so":
            begun.set()
            assert go_on.wait(60)
        return library.functions(path)

    monkeypatch.setattr(module, "_functions_of", functions)
    monkeypatch.setattr(Module, "_loaded", {})
    monkeypatch.setattr(Module, "_loading", {})
    first = threading.Thread(target=Module.open, args=("/hangs.so",))
    first.start()
    assert begun.wait(60)
    with pytest.raises(Unavailable, match="being loaded"):
        Module.open("/hangs.so")
    assert Module.open("/another.so").path == "/another.so"
    go_on.set()
    ended(first)
    assert Module.open("/hangs.so").path == "/hangs.so"


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
        Ckr.CRYPTOKI_ALREADY_INITIALIZED,
        Ckr.KEY_NOT_NEEDED,
        Ckr.SIGNATURE_INVALID,
        Ckr.SIGNATURE_LEN_RANGE,
        Ckr.USER_ALREADY_LOGGED_IN,
    }
    assert set(Ckr) - set(MEANINGS) == ours
    rows = [rv for rvs in errors._KINDS.values() for rv in rvs]
    assert len(rows) - len(set(rows)) <= 2  # a word with two meanings has the later one
    assert Denied not in MEANINGS.values(), "policy decides that"
    assert not LOST & MISPLACED and not LOST & SPENT and not LOST & REFUSED_PIN


@pytest.mark.parametrize(
    ("rv", "kind"),
    [
        (Ckr.DEVICE_REMOVED, Unavailable),
        (Ckr.PIN_LOCKED, Unauthenticated),
        (Ckr.MECHANISM_INVALID, Unsupported),
        (Ckr.DEVICE_MEMORY, Unavailable),
        (Ckr.TOKEN_WRITE_PROTECTED, Unavailable),
        (Ckr.AEAD_DECRYPT_FAILED, DecryptionFailed),
        (Ckr.KEY_FUNCTION_NOT_PERMITTED, WrongUsage),
        (0x8000_0001, Unavailable),
    ],
)
def test_what_is_said_of_it(rv, kind):
    said = meant(Failed("C_Sign", rv), "luna")
    assert type(said) is kind and "luna" in str(said) and str(said.detail).startswith("CKR_")
    assert type(meant(Failed("C_GenerateKey", Ckr.DEVICE_MEMORY), "luna")) is LimitExceeded
    assert "CKR_0x80000001" in str(meant(Failed("C_Sign", 0x8000_0001), "luna"))


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
