"""A SoftHSM2 with tokens of its own, for tests: one directory of tokens per process, since a module is opened once.

Not installed: skipped with a reason; in CI (KEYSTEAD_EVERY_CLIENT) that is a failure.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from keystead.core.sensitive import Sensitive
from keystead.cryptoki.finding import Where
from keystead.cryptoki.token import Token

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
PIN = "987654"
_LABELS = itertools.count(1)


def module() -> str:
    """The path of the module; where there is none, the test is skipped, and in CI it fails."""
    found = next((path for path in MODULES if Path(path).exists()), None)
    if found is None or shutil.which("softhsm2-util") is None:
        give_up = pytest.fail if os.environ.get("KEYSTEAD_EVERY_CLIENT") else pytest.skip
        give_up("softhsm2 is not installed (Debian: apt-get install softhsm2)")
        raise AssertionError
    return found


@cache
def tokens() -> Path:
    """The directory of every token of this process; SOFTHSM2_CONF says so, to children too."""
    home = Path(tempfile.mkdtemp(prefix="keystead-softhsm-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    (home / "tokens").mkdir()
    configuration = home / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {home / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    return home / "tokens"


def new_token(label: str | None = None, pin: str = PIN) -> str:
    """Initialise a token; its label."""
    module()
    tokens()
    label = label or f"token-{next(_LABELS)}"
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "12345678"],
        check=True,
        capture_output=True,
    )
    return label


def open_token(label: str | None = None, *, pin: str = PIN, **settings) -> Token:
    """A Token of ours on a token of its own, or on the one of that label."""
    label = label or new_token()
    return Token(label, module(), Where(label=label), lambda: Sensitive(pin.encode()), **settings)


class Removed:
    """`with Removed(): …`: every token of this process is gone, and is put back at the end."""

    def __enter__(self) -> Removed:
        self._here, self._away = tokens(), tokens().with_name("away")
        self._here.rename(self._away)
        return self

    def __exit__(self, *_: object) -> None:
        self._away.rename(self._here)
