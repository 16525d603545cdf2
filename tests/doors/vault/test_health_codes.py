"""sys/health?activecode=…: anybody chooses the status of a reply, and no status that says where the reply ends.

Row 49 of security.md §4-D. After 101 a proxy that has passed `Upgrade: h2c` on takes what follows for another protocol,
and hands its client a connection to us that it looks at no more; after 204 what we sent as a body is, to whoever keeps
the connection, the beginning of the next one's reply (RFC 9110 §8.6, §15.2; RFC 9112 §6.3).
"""

from __future__ import annotations

import httptools
import pytest
from tests import vaultstack

from keystead.doors.vault.beginning import BeginningFront
from keystead.wire.http import reply

NEXT = reply(200, b"", b"next", 0)
HOST = {b"host": b"vault.test"}


class Reader:
    """The replies on one connection, as who asked for each hears them."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, bytes]] = []
        self.parser = httptools.HttpResponseParser(self)

    def on_message_begin(self) -> None:
        self.body = b""

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.heard.append((self.parser.get_status_code(), self.body))


def heard(raw: bytes) -> tuple[int, bytes]:
    """What is heard of a reply; the next one on that connection is heard, too."""
    reader = Reader()
    reader.parser.feed_data(raw + NEXT)
    first, second = reader.heard
    assert second == (200, b"next")
    return first


@pytest.fixture(scope="module")
def stack():
    return vaultstack.door().stack


def asked(stack, name: str, code: object):
    return stack.request("GET", f"https://vault.test/v1/sys/health?{name}={code}", HOST, b"")


@pytest.mark.parametrize("code", range(90, 602))
def test_whatever_code_is_asked_for_the_reply_ends_where_everybody_thinks(stack, code: int) -> None:
    status, body = heard(stack.serve(asked(stack, "activecode", code)))
    is_taken = 200 <= code <= 599 and code != 304
    assert status == (code if is_taken else 200)
    assert body.startswith(b'{"initialized":true') or status == 204


@pytest.mark.parametrize("code", [100, 101, 199, 200, 204, 205, 299, 304])
def test_nor_is_it_so_where_there_is_no_installation(stack, code: int) -> None:
    front = BeginningFront(lambda _shares, _threshold: None, 0)
    status, body = heard(front.serve(asked(stack, "uninitcode", code)))
    assert status == (code if code not in {100, 101, 199, 304} else 501)
    assert body.startswith(b'{"initialized":false') or status == 204


def test_a_proxy_that_passes_an_upgrade_on_is_not_told_that_it_was_accepted(stack) -> None:
    request = stack.request("GET", "https://vault.test/v1/sys/health?activecode=101&sealedcode=101", HOST, b"")
    assert not stack.serve(request).startswith(b"HTTP/1.1 1")
