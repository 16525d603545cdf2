"""Codecs by protocol, sans-IO. They know bytes and nothing of Keystead: no clock, no entropy, no key."""

from __future__ import annotations


class Malformed(Exception):
    """The bytes are not a message of this protocol. str() says where and why, never with the bytes themselves."""


class Misfit(Malformed):
    """Well-formed bytes that do not fit the message type.

    path   where, as the decoder names it: "$.Tags[...].TagKey"; "" for the message itself
    text   what was expected there: "Expected `str` of length >= 1"
    """

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{text} at {path}" if path else text)
        self.path, self.text = path, text
