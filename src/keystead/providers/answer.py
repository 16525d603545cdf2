"""One HTTP/1.1 reply, as it comes in: bounded, and whole or refused (RFC 9112 §6)."""

from __future__ import annotations

from typing import Any, Final

import httptools

from keystead.core.keystores import Trouble
from keystead.core.ports import Unreached

MAX_REPLY = 64 * 1024  # bytes, head and framing included; an XKS answer has at most some 6 KB


class Answer:
    """A reply, as it comes in. Raises Unreached (MALFORMED) for what is none, or too much."""

    def __init__(self) -> None:
        self._parser: Final[Any] = httptools.HttpResponseParser(self)
        self.body = bytearray()
        self.n_bytes = self._n_messages = 0
        self.is_complete = self.lasts = False
        self._has_head = self._is_framed = False

    @property
    def status(self) -> int:
        status: int = self._parser.get_status_code()
        return status

    def take(self, piece: bytes) -> None:
        self.n_bytes += len(piece)
        try:
            if self.n_bytes > MAX_REPLY:
                raise Unreached(Trouble.MALFORMED)
            self._parser.feed_data(piece)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            raise Unreached(Trouble.MALFORMED) from None
        if self.is_complete and (self._n_messages != 1 or self.status < 200):
            raise Unreached(Trouble.MALFORMED)

    def end(self) -> None:
        """The peer has closed: the end of a body that has no other (RFC 9112 §6.3)."""
        if not self._has_head or self._is_framed:
            raise Unreached(Trouble.MALFORMED)
        self.lasts = False

    # --- llhttp

    def on_message_begin(self) -> None:
        self._n_messages += 1

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: ARG002 - whether it is there is enough
        self._is_framed = self._is_framed or name.lower() in {b"content-length", b"transfer-encoding"}

    def on_headers_complete(self) -> None:
        self._has_head = True

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.is_complete = True
        self.lasts = bool(self._parser.should_keep_alive())
