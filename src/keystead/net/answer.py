"""One HTTP/1.1 reply, as it comes in: bounded, and whole or refused (RFC 9112 §6; security.md §4-I, row 131)."""

from __future__ import annotations

from typing import Any, Final

import httptools

from keystead.core.keystores import Trouble
from keystead.core.ports import Unreached

MAX_HEAD = 16 * 1024  # bytes that head and framing may have beside the body


class Answer:
    """A reply with a body of at most `most` bytes. Raises Unreached (MALFORMED) for what is none, or too much."""

    def __init__(self, most: int) -> None:
        self._parser: Final[Any] = httptools.HttpResponseParser(self)
        self._most = most
        self.body = bytearray()
        self.n_bytes = self._n_messages = 0
        self.is_complete = self.lasts = False
        self._has_head = self._is_framed = self._is_coded = False

    @property
    def status(self) -> int:
        status: int = self._parser.get_status_code()
        return status

    def take(self, piece: bytes) -> None:
        self.n_bytes += len(piece)
        try:
            if self.n_bytes > self._most + MAX_HEAD:
                raise malformed("the answer is too large")
            self._parser.feed_data(piece)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            raise malformed("the answer is not HTTP") from None
        if len(self.body) > self._most:
            raise malformed("the answer is too large")
        if self._is_coded:  # RFC 9110 §8.4; none was asked for
            raise malformed("the answer is compressed")
        if self.is_complete and (self._n_messages != 1 or self.status < 200):
            raise malformed("the answer is not one answer")

    def end(self) -> None:
        """The peer has said that it is at its end: that of a body that has no other (RFC 9112 §6.3)."""
        if not self._has_head or self._is_framed:
            raise malformed("the answer is cut short")
        self.is_complete, self.lasts = True, False

    # --- llhttp

    def on_message_begin(self) -> None:
        self._n_messages += 1

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: ARG002 - whether it is there is enough
        name = name.lower()
        self._is_framed = self._is_framed or name in {b"content-length", b"transfer-encoding"}
        self._is_coded = self._is_coded or name == b"content-encoding"

    def on_headers_complete(self) -> None:
        self._has_head = True

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.is_complete = True
        self.lasts = bool(self._parser.should_keep_alive())


def malformed(words: str) -> Unreached:
    return Unreached(Trouble.MALFORMED, words)
