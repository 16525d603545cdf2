"""The way to external key stores, as the configuration has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from keystead import config
from keystead.app.clock import SystemClock
from keystead.app.outside import host_terms, key_stores
from keystead.config import Config, Xks
from keystead.core.errors import InvalidArgument
from keystead.core.keystores import Trouble
from keystead.core.ports import PUBLIC, Terms, Unreached
from keystead.core.providers import NoKeyStores


def read(tmp_path: Path, text: str) -> Xks:
    (tmp_path / config.FILE_NAME).write_text(text)
    return config.read(tmp_path).xks


def test_it_is_read_and_written(tmp_path) -> None:
    text = 'xks = { private_endpoints = ["a.example"], routes = { "b.example" = "10.0.0.5:8443" }, threads = 8 }\n'
    xks = read(tmp_path, text)
    assert xks == Xks(private_endpoints=["a.example"], routes={"b.example": "10.0.0.5:8443"}, threads=8)
    config.write(tmp_path, Config(xks=xks))
    assert config.read(tmp_path).xks == xks
    assert read(tmp_path, "xks = { private_endpoints = true }\n").private_endpoints is True


@pytest.mark.parametrize(
    "text", ["xks = { private = true }", "xks = { threads = 0 }", 'xks = { private_endpoints = "yes" }']
)
def test_what_it_cannot_be(tmp_path, text) -> None:
    with pytest.raises(InvalidArgument):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "xks",
    [
        Xks(routes={"a.example": "b.example:443"}),
        Xks(routes={"a.example": "10.0.0.5"}),
        Xks(routes={"a.example": "10.0.0.5:0"}),
        Xks(routes={"a.example": "10.0.0.5:70000"}),
        Xks(trust="/etc/ssl/ca.pem"),
        Xks(trust="file:/does/not/exist.pem"),
    ],
)
def test_what_cannot_be_followed_is_said_at_the_start(xks) -> None:
    with pytest.raises(InvalidArgument):
        key_stores(xks, SystemClock())


def test_a_file_without_certificates_is_none_to_trust(tmp_path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(InvalidArgument):
        key_stores(Xks(trust=f"file:{tmp_path / 'ca.pem'}"), SystemClock())


def test_what_a_host_is_granted(tmp_path) -> None:
    trust = f"file:{tmp_path / 'ca.pem'}"
    terms = host_terms(Xks(trust=trust, private_endpoints=["A.Example"], routes={"B.Example": "[::1]:8443"}))
    certificates = tmp_path / "ca.pem"
    assert terms("a.example") == Terms(private=True, certificates=certificates)
    assert terms("b.example") == Terms(certificates=certificates, at=("::1", 8443))
    assert terms("c.example") == Terms(certificates=certificates)
    assert host_terms(Xks())("a.example") == PUBLIC
    assert host_terms(Xks(private_endpoints=True))("a.example") == Terms(private=True)


def test_the_system_is_not_asked_whom_to_trust_before_somebody_is_called(monkeypatch) -> None:
    called = []
    monkeypatch.setattr("keystead.net.trust.client_context", lambda *given: called.append(given))
    key_stores(Xks(), SystemClock())
    assert called == []


def test_without_a_way_out_nothing_is_reached() -> None:
    outside = NoKeyStores()
    for ask in (
        lambda: outside.check(None, None),
        lambda: outside.examine(None, "x", None),
        lambda: outside.load(None, None, None, None, version=1),
    ):
        with pytest.raises(Exception, match="cannot be reached") as caught:
            ask()
        assert caught.value.detail.trouble is Trouble.UNREACHABLE
    assert str(Unreached(Trouble.LATE)) == "it did not answer in time"
