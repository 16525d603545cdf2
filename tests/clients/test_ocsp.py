"""OpenSSL's own OCSP responder, over plain HTTP: what it says of certificates is read as it means it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bench.peers import free_port
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.certificates import BARE, Issued
from tests.waiting import until

from keystead.app.vouching import login_status
from keystead.config import Logins
from keystead.core.errors import Unavailable
from keystead.crypto.ocsp import Question, Standing
from keystead.net.https import Https

pytestmark = pytest.mark.client
NOW = datetime.now(UTC)
SIGNS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])


def _time(at: datetime) -> str:
    return at.strftime("%y%m%d%H%M%SZ")


class Responder:
    """`url`, of a process that knows joe, and that eve is revoked; its certificate is one that the authority made."""

    def __init__(self, directory: Path) -> None:
        self.ca = Issued("ca", ca=True, start=NOW)
        self.joe, self.eve, self.new = (Issued(name, self.ca, start=NOW) for name in ("joe", "eve", "new"))
        signer = Issued("responder", self.ca, extensions=(SIGNS,), start=NOW)
        for name, one in (("ca", self.ca), ("signer", signer)):
            (directory / f"{name}.pem").write_text(one.pem)
            (directory / f"{name}.key").write_bytes(one.key.private_bytes(Encoding.PEM, *BARE))
        ends, past = _time(NOW + timedelta(days=1)), _time(NOW - timedelta(hours=1))
        rows = (("V", ends, "", self.joe), ("R", ends, past, self.eve))
        index = "".join(
            f"{kind}\t{until_}\t{when}\t{one.made.serial_number:X}\tunknown\t/CN=x\n"
            for kind, until_, when, one in rows
        )
        (directory / "index.txt").write_text(index)
        self._port = free_port()
        self.url = f"http://localhost:{self._port}/"
        signs = ("-CA", "ca.pem", "-rsigner", "signer.pem", "-rkey", "signer.key", "-nmin", "5")
        words = ("openssl", "ocsp", "-index", "index.txt", "-port", str(self._port), *signs)
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(words, cwd=directory, stdout=quiet, stderr=quiet)
        until(self._answers)  # asked whole: it serves one connection after the other

    def standing(self, who: Issued) -> Standing:
        ask = login_status(Logins(private_hosts=["localhost"], plain_hosts=["localhost"]), Https())
        question = Question((who.der,), self.ca.pem)
        return question.answer(ask(self.url, question.request()), "", datetime.now(UTC))

    def _answers(self) -> bool:
        with suppress(Unavailable):
            return bool(self.standing(self.joe))
        return False


@pytest.fixture
def responder(tmp_path: Path) -> Iterator[Responder]:
    if shutil.which("openssl") is None:
        pytest.skip("there is no `openssl`")
    made = Responder(tmp_path)
    yield made
    made.process.terminate()
    made.process.wait()


def test_what_openssl_says_is_what_is_read(responder) -> None:
    assert responder.standing(responder.joe) is Standing.GOOD
    assert responder.standing(responder.eve) is Standing.REVOKED
    assert responder.standing(responder.new) is Standing.UNKNOWN
    for named in (Logins(private_hosts=["localhost"]), Logins(plain_hosts=["localhost"])):
        with pytest.raises(Unavailable):
            login_status(named, Https())(responder.url, b"")
