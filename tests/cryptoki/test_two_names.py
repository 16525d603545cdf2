"""One token by two names: a login is a process's, so that the second name's PIN would be compared with nothing."""

import os
import shutil
from pathlib import Path

import pytest
from tests import softhsm
from tests.softhsm import PIN, module, new_token

from keystead.app.hsms import Tokens, drop_refused
from keystead.config import Hsm
from keystead.core.errors import Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.cryptoki.finding import Where
from keystead.cryptoki.module import Module
from keystead.cryptoki.token import Token

RIGHT, WRONG = Sensitive(PIN.encode()), Sensitive(b"0000")


def by(path: str, label: str, pin: Sensitive, name: str = "") -> Token:
    return Token(name or path, path, Where(label=label), lambda: pin)


def test_a_wrong_pin_by_the_second_name_is_refused_and_the_first_goes_on():
    label = new_token()
    first, second = by(module(), label, RIGHT, "a"), by(module(), label, WRONG, "b")
    assert first.info().label == label
    with pytest.raises(Unauthenticated, match=r"HSM b .*another PIN"):
        second.info()
    assert first.random(8)
    with pytest.raises(Unauthenticated, match="HSM b"):  # and is not offered again
        second.info()
    assert by(module(), label, RIGHT, "c").info().label == label
    second.log_in(lambda: RIGHT)
    assert second.info().label == first.info().label == label


def test_so_it_is_when_the_module_was_started_again():
    label = new_token()
    first, held = by(module(), label, RIGHT, "a"), Module.open(module())
    first.info()
    held.restart(held.epoch)
    first.info()
    with pytest.raises(Unauthenticated, match="HSM b"):
        by(module(), label, WRONG, "b").info()


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symbolic", "hard"])
def test_so_it_is_of_a_module_that_has_two_paths(tmp_path: Path, link):
    """A hard link is the same library to the loader, whose login two Modules would share unknowing."""
    label = new_token()
    one, other = tmp_path / "one.so", tmp_path / "other.so"
    shutil.copy(module(), one)
    link(one, other)
    first = by(str(one), label, RIGHT, "a")
    first.info()
    assert Module.open(str(one)) is Module.open(str(other))
    with pytest.raises(Unauthenticated, match="HSM b"):
        by(str(other), label, WRONG, "b").info()
    assert first.random(8)


def test_a_server_gives_no_worker_a_pin_that_only_the_other_name_made_good():
    label = new_token()
    serial = softhsm.open_token(label).info().serial
    hsms = {
        "a": Hsm(module=module(), token=label, pin="env:NONE"),
        "b": Hsm(module=module(), serial=serial, pin="env:NONE"),
    }
    known = {"a": RIGHT, "b": WRONG}
    drop_refused(Tokens(hsms, known), known)
    assert known.keys() == {"a"}
