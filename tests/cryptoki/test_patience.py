"""What asks devices that may hang (app.patience), and PINs that are offered once among processes (app.refusals)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest
from tests import softhsm
from tests.softhsm import PIN
from tests.waiting import until

from keystead.app.hsms import Tokens, Watch
from keystead.app.patience import Patience, Within
from keystead.app.refusals import Refusals
from keystead.config import Hsm
from keystead.core.errors import NotFound, Unauthenticated, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.cryptoki.errors import Failed
from keystead.cryptoki.session import Session
from keystead.cryptoki.token import Token
from keystead.cryptoki.words import Ckr


def test_what_is_answered_is_answered_and_what_is_raised_is_raised() -> None:
    ask = Patience()
    assert ask("it", lambda: 7, 60) == 7

    def fails() -> None:
        raise NotFound("no", "x")

    with pytest.raises(NotFound):
        ask("it", fails, 60)
    assert ask("it", lambda: 8, 60) == 8


def test_nobody_waits_longer_than_is_said_and_one_thread_is_in_what_hangs() -> None:
    ask, go_on, n_asked = Patience(), threading.Event(), []

    def hangs() -> int:
        n_asked.append(threading.get_ident())
        go_on.wait(60)
        return 1

    for _ in range(3):
        with pytest.raises(Unavailable, match="it has not answered for"):
            ask("it", hangs, 0.02)
    until(lambda: n_asked)
    assert len(n_asked) == 1 and ask("another", lambda: 2, 60) == 2
    go_on.set()
    assert ask("it", lambda: 3, 60) == 3, "what came too late is nobody's answer"


def test_several_are_asked_within_one_time_and_not_asked_once_it_is_over() -> None:
    now = [0.0]
    within, asked = Within(Patience(), "slot ", 10.0, lambda: now[0]), []

    def slow() -> int:
        now[0] += 6.0
        asked.append(now[0])
        return 1

    assert within("one", slow) == within("two", slow) == 1
    with pytest.raises(Unavailable, match="slot two is not asked any more"):
        within("two", slow)
    assert asked == [6.0, 12.0]


def test_an_hsm_that_hangs_is_told_as_one_that_does_not_answer(monkeypatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr("keystead.app.hsms.ANSWERS_IN", 0.05)
    tokens = Tokens({"luna": Hsm(module="/lib/x.so", token="keys", pin="env:NONE")}, {})
    monkeypatch.setattr(Token, "info", lambda _: go_on.wait(60))
    watch = Watch(tokens)
    watch.look()
    assert "the HSM luna has not answered" in watch.troubles["luna"]
    go_on.set()
    until(lambda: watch.look() or watch.troubles["luna"] == "")


# --- PINs


def tokens_of(label: str, pin: str, directory) -> Tokens:
    hsm = Hsm(module=softhsm.module(), token=label, pin="env:NONE")
    return Tokens({"soft": hsm}, {"soft": Sensitive(pin.encode())}, Refusals(directory))


@pytest.fixture
def offered(monkeypatch) -> list[bytes]:
    """The PINs that the token was given."""
    found: list[bytes] = []
    login = Session.login

    def told(session, pin):
        found.append(pin.reveal())
        login(session, pin)

    monkeypatch.setattr(Session, "login", told)
    return found


def test_a_pin_that_was_refused_is_offered_by_no_other_process(tmp_path, offered) -> None:
    """Each of them logs in anew when the HSM comes back, with the PIN of before: the third try would lock it."""
    label = softhsm.new_token()
    processes = [tokens_of(label, "0000", tmp_path / "pins") for _ in range(5)]
    for tokens in processes:
        for _ in range(2):
            with pytest.raises(Unauthenticated):
                tokens.token("soft").info()
    assert offered == [b"0000"]
    assert all(b"0000" not in path.read_bytes() for path in (tmp_path / "pins").iterdir())
    supervisor = processes[-1]
    with pytest.raises(Unauthenticated):
        supervisor.log_in("soft", Sensitive(b"1111"))
    with pytest.raises(Unauthenticated):
        tokens_of(label, "0000", tmp_path / "pins").token("soft").info()
    assert offered == [b"0000", b"1111"]
    supervisor.log_in("soft", Sensitive(PIN.encode()))
    assert tokens_of(label, PIN, tmp_path / "pins").token("soft").info().label == label
    for tokens in processes:
        tokens.close()


def test_who_is_in_tells_that_another_process_was_refused(tmp_path) -> None:
    """The supervisor logged in before the PIN was changed; a worker that starts anew is not let in."""
    label = softhsm.new_token()
    supervisor = tokens_of(label, PIN, tmp_path / "pins")
    watch = Watch(supervisor)
    watch.look()
    assert watch.troubles == {"soft": ""}
    with pytest.raises(Failed), Refusals(tmp_path / "pins").offering("soft"):
        raise Failed("C_Login", Ckr.PIN_INCORRECT)
    watch.look()
    assert "to another process" in watch.troubles["soft"] and watch.refused == {"soft"}
    supervisor.log_in("soft", Sensitive(PIN.encode()))
    watch.look()
    assert watch.troubles == {"soft": ""} and not watch.refused
    supervisor.close()


def test_that_a_pin_was_refused_counts_again_where_another_could_not_be_offered(tmp_path, offered) -> None:
    label = softhsm.new_token()
    tokens = tokens_of(label, "0000", tmp_path / "pins")
    with pytest.raises(Unauthenticated):
        tokens.token("soft").info()
    with softhsm.Removed(), pytest.raises(Unavailable):
        tokens.log_in("soft", Sensitive(PIN.encode()))
    with pytest.raises(Unauthenticated):
        tokens_of(label, "0000", tmp_path / "pins").token("soft").info()
    assert offered == [b"0000"]


HOLDS = """
import sys, time
from pathlib import Path
from keystead.app.refusals import Refusals
with Refusals(Path(sys.argv[1])).offering("soft"):
    print("in", flush=True)
    time.sleep(60)
"""


def test_a_process_that_hangs_when_it_logs_in_keeps_no_other_from_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("keystead.app.refusals.TURN_IN", 0.05)
    other = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path / "pins")], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None and other.stdout.readline() == "in\n"
        began = time.monotonic()
        with Refusals(tmp_path / "pins").offering("soft"):
            assert time.monotonic() - began >= 0.05
    finally:
        other.kill()
        other.communicate()


def test_where_nothing_can_be_written_everybody_logs_in(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with Refusals(tmp_path / "file" / "pins").offering("soft"):
        pass
    Refusals(tmp_path / "nowhere").clear()
    os.mkdir(tmp_path / "pins")
    (tmp_path / "pins" / "soft").touch()
    Refusals(tmp_path / "pins").clear()
    assert not list((tmp_path / "pins").iterdir())
