"""HCL 1 and JSON, cut into tokens.

HCL specification, version 1 (github.com/hashicorp/hcl, branch hcl1, "Syntax"). A policy is refused in the words of
OpenBao 2.7, "At <line>:<column>: …", where they could be seen (docs/adr/0018). Time is linear in the length.
"""

from __future__ import annotations

import json
import math
import re
from enum import Enum

from msgspec import Struct

from keystead.core.errors import InvalidArgument

BOOLS = {"true": True, "false": False}


class Kind(Enum):
    """Under the names that HCL's own messages use."""

    EOF = "EOF"
    IDENT = "IDENT"
    NUMBER = "NUMBER"
    FLOAT = "FLOAT"
    BOOL = "BOOL"
    NULL = "NULL"
    STRING = "STRING"
    HEREDOC = "HEREDOC"
    LBRACK = "LBRACK"
    RBRACK = "RBRACK"
    LBRACE = "LBRACE"
    RBRACE = "RBRACE"
    COMMA = "COMMA"
    ASSIGN = "ASSIGN"
    COLON = "COLON"


class Token(Struct, frozen=True, gc=False):
    """`value`: the text of a name or string; the number itself; None for punctuation. `at`: where it starts."""

    kind: Kind
    at: int
    text: str
    value: str | int | float | bool | None = None


PUNCTUATION = {"[": Kind.LBRACK, "]": Kind.RBRACK, "{": Kind.LBRACE, "}": Kind.RBRACE, ",": Kind.COMMA}
PUNCTUATION_HCL = {**PUNCTUATION, "=": Kind.ASSIGN}
PUNCTUATION_JSON = {**PUNCTUATION, ":": Kind.COLON}
ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34}
DIGITS = {"x": 2, "u": 4, "U": 8}

LINE_END = "\n"
_SPACE = re.compile(r"[ \t\r\n]*+")
_NAME = re.compile(r"[^\W\d][\w.\-]*+")
_INTEGER = re.compile(r"-?(?:0[xX][0-9a-fA-F]++|[0-9]++)")
_FLOAT = re.compile(r"-?(?:[0-9]++(?:\.[0-9]*+(?:[eE][+-]?[0-9]++)?|[eE][+-]?[0-9]++)|\.[0-9]++(?:[eE][+-]?[0-9]++)?)")
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_JSON_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*+"')
_ANCHOR = re.compile(r"<<(-?)(\w++)\n")
_PLAIN = re.compile(r'[^"\\\n$]*+')
_INSIDE = re.compile(r"[^{}\\]*+")
_HEX = re.compile(r"[0-9a-fA-F]*+")
_OCTAL = re.compile(r"[0-7]{3}")
_MARGIN = " \t\v\f\r"
_LIMIT_INT = 1 << 63
_LONGEST_NUMBER = 400


class Scanner:
    """The tokens of one text, one after the other. Raises InvalidArgument."""

    def __init__(self, text: str, *, is_json: bool = False) -> None:
        self.text, self.at, self.is_json = text, 0, is_json
        self._punctuation = PUNCTUATION_JSON if is_json else PUNCTUATION_HCL
        for odd, words in (
            ("\0", "unexpected null character (0x00)"),
            ("\ue123", "unicode code point U+E123 reserved"),
        ):
            if (found := text.find(odd)) >= 0:
                raise self.wrong(found, words)

    def where(self, at: int) -> str:
        """Line and column, counted from 1."""
        return f"{self.text.count(LINE_END, 0, at) + 1}:{at - self.text.rfind(LINE_END, 0, at)}"

    def wrong(self, at: int, words: str) -> InvalidArgument:
        return InvalidArgument(f"At {self.where(at)}: {words}", "Policy")

    def next(self) -> Token:
        self._skip()
        at = self.at
        if at >= len(self.text):
            return Token(Kind.EOF, at, "")
        start = self.text[at]
        if (kind := self._punctuation.get(start)) is not None:
            self.at += 1
            return Token(kind, at, start)
        if start == '"':
            return self._json_string() if self.is_json else self._string()
        if start == "<" and not self.is_json:
            return self._heredoc()
        if (found := _NAME.match(self.text, at)) is not None:
            return self._name(found[0])
        return self._number()

    def _skip(self) -> None:
        """White space and comments; JSON has none."""
        text = self.text
        while True:
            self.at = at = _SPACE.match(text, self.at).end()  # type: ignore[union-attr]  # it matches nothing, too
            if self.is_json or at >= len(text) or text[at] not in "#/":
                return
            if text.startswith("/*", at):
                end = text.find("*/", at + 2)
                if end < 0:
                    raise self.wrong(len(text), "comment not terminated")
                self.at = end + 2
                continue
            if text[at] == "/" and not text.startswith("//", at):
                raise self.wrong(at + 1, "expected '/' for comment")
            end = text.find("\n", at)
            self.at = len(text) if end < 0 else end

    def _take(self, kind: Kind, end: int, value: str | int | float | None) -> Token:
        at, self.at = self.at, end
        return Token(kind, at, self.text[at:end], value)

    def _name(self, word: str) -> Token:
        end = self.at + len(word)
        if word in BOOLS:
            return self._take(Kind.BOOL, end, BOOLS[word])
        if self.is_json:
            if word == "null":
                return self._take(Kind.NULL, end, None)
            raise self.wrong(self.at, "illegal char")
        return self._take(Kind.IDENT, end, word)

    def _number(self) -> Token:
        at, text = self.at, self.text
        found = (_JSON_NUMBER if self.is_json else _FLOAT).match(text, at) or _INTEGER.match(text, at)
        if found is None or (self.is_json and text[at] not in "-0123456789"):
            raise self.wrong(at, "illegal char")
        word = found[0]
        if len(word) > _LONGEST_NUMBER:
            raise self.wrong(at, "number too long")
        if any(sign in word for sign in ".eE") and word.lstrip("-")[:2] not in {"0x", "0X"}:
            value = float(word)
            if math.isinf(value):
                raise self.wrong(at, f'strconv.ParseFloat: parsing "{word}": value out of range')
            return self._take(Kind.FLOAT, found.end(), value)
        return self._take(Kind.NUMBER, found.end(), self._integer(at, word))

    def _integer(self, at: int, word: str) -> int:
        """A leading 0 makes it octal, as in C."""
        digits = word.lstrip("-")
        base = 16 if digits[:2] in {"0x", "0X"} else 8 if digits[0] == "0" and not self.is_json else 10
        try:
            value = int(word, base)
        except ValueError:
            raise self.wrong(at, "illegal octal number") from None
        if not -_LIMIT_INT <= value < _LIMIT_INT:
            raise self.wrong(at, f'strconv.ParseInt: parsing "{word}": value out of range')
        return value

    def _json_string(self) -> Token:
        found = _JSON_STRING.match(self.text, self.at)
        if found is None:
            raise self.wrong(len(self.text), "literal not terminated")
        try:
            value = json.loads(found[0])
            value.encode()
        except ValueError:
            raise self.wrong(self.at, "illegal char escape") from None
        return self._take(Kind.STRING, found.end(), value)

    def _string(self) -> Token:
        """Escapes are those of C; what stands in ${…} is kept as it is, quotes and line ends included."""
        text, start, at = self.text, self.at, self.at + 1
        parts: list[bytes] = []
        while True:
            end = _PLAIN.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
            parts.append(text[at:end].encode())
            stop = text[end : end + 1]
            if stop in {"", "\n"}:
                raise self.wrong(end, "literal not terminated")
            if stop == '"':
                break
            if stop == "\\":
                at, meant = self._escape(end)
                parts.append(meant)
            elif text.startswith("{", end + 1):
                at = self._inside(end + 2)
                parts.append(text[end:at].encode())
            else:
                parts.append(b"$")
                at = end + 1
        try:
            value = b"".join(parts).decode()
        except ValueError:
            raise self.wrong(start, "illegal UTF-8 encoding") from None
        return self._take(Kind.STRING, end + 1, value)

    def _inside(self, at: int) -> int:
        """Where ${ ends."""
        open_braces = 1
        while open_braces:
            at = _INSIDE.match(self.text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
            match self.text[at : at + 1]:
                case "":
                    raise self.wrong(at, "literal not terminated")
                case "\\":
                    at, _ = self._escape(at)
                    continue
                case "{":
                    open_braces += 1
                case _:
                    open_braces -= 1
            at += 1
        return at

    def _escape(self, at: int) -> tuple[int, bytes]:
        """Where the escape at `at` ends, and the bytes it stands for."""
        text, word = self.text, self.text[at + 1 : at + 2]
        if word in ESCAPES:
            return at + 2, bytes((ESCAPES[word],))
        if word in DIGITS:
            digits = text[at + 2 : at + 2 + DIGITS[word]]
            if len(digits) == DIGITS[word] and _HEX.fullmatch(digits):
                value = int(digits, 16)
                if word == "x":
                    return at + 4, bytes((value,))
                if value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF:
                    return at + 2 + len(digits), chr(value).encode()
        elif (found := _OCTAL.match(text, at + 1)) and int(found[0], 8) <= 0xFF:
            return at + 4, bytes((int(found[0], 8),))
        raise self.wrong(at + 1, "illegal char escape")

    def _heredoc(self) -> Token:
        text, start = self.text, self.at
        found = _ANCHOR.match(text, start)
        if found is None:
            raise self.wrong(start, "invalid characters in heredoc anchor")
        begin = at = found.end()
        anchor = found[2]
        while (end := text.find("\n", at)) >= 0:
            if text[at:end].lstrip(_MARGIN) == anchor:
                break
            at = end + 1
        if end < 0:
            raise self.wrong(len(text), "heredoc not terminated")
        line = text[at:end]
        margin = line[: len(line) - len(line.lstrip(_MARGIN))]
        return self._take(Kind.HEREDOC, end, _unindented(text[begin:at], margin, hanging=bool(found[1])))


def _unindented(body: str, margin: str, *, hanging: bool) -> str:
    """HCL 1, "<<-": lines lose the margin of the closing anchor if all of them have it."""
    if not hanging:
        return body + margin
    lines = body.split("\n")[:-1]
    if all(line.startswith(margin) for line in lines):
        return "".join(line[len(margin) :] + "\n" for line in lines)
    return body
