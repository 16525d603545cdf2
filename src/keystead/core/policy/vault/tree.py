"""What a policy's text comes to before anybody asks what it means: names, values, and where they stand.

Why no library reads it: docs/adr/0018. Of two stanzas for one path pyhcl keeps the last, and python-hcl2 is HCL 2.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from keystead.core.errors import InvalidArgument
from keystead.core.policy.vault.tokens import Kind, Scanner, Token

DEEPEST = 32
"""Of lists and objects in one another. A policy needs five."""


class List(Struct, frozen=True):
    at: int
    values: tuple[Value, ...]


class Object(Struct, frozen=True):
    at: int
    items: tuple[Item, ...]


Value: TypeAlias = Token | List | Object


class Item(Struct, frozen=True):
    """`name = value`, or `name "label" { … }`. `names`: the name, then its labels. `line`: of the sign or brace."""

    names: tuple[Token, ...]
    value: Value
    line: int


LITERALS = frozenset({Kind.NUMBER, Kind.FLOAT, Kind.BOOL, Kind.STRING, Kind.HEREDOC})
_ITEM = "expected: IDENT | STRING | ASSIGN | LBRACE got: {}"


class _Lines:
    """Line numbers of rising positions, each line end counted once."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._line = text, 0, 1

    def of(self, at: int) -> int:
        self._line += self._text.count("\n", self._at, at)
        self._at = at
        return self._line


class Reader:
    """The tree of one text. Raises InvalidArgument."""

    def __init__(self, scanner: Scanner) -> None:
        self.scanner, self._deep = scanner, 0
        self._lines = _Lines(scanner.text)
        self.token = scanner.next()

    def root(self) -> Object:
        if not self.scanner.is_json:
            return Object(0, self._items(Kind.EOF))
        if self.token.kind is not Kind.LBRACE:
            raise self._wrong("expected: LBRACE got: {}")
        root = self._object()
        if self.token.text:
            raise self._wrong("expected: EOF got: {}")
        return root

    def _wrong(self, words: str) -> InvalidArgument:
        return self.scanner.wrong(self.token.at, words.format(self.token.kind.value))

    def _step(self) -> Token:
        token, self.token = self.token, self.scanner.next()
        return token

    def _object(self) -> Object:
        self._enter()
        at = self._step().at
        items = self._members() if self.scanner.is_json else self._items(Kind.RBRACE)
        self._step()
        self._deep -= 1
        return Object(at, items)

    def _enter(self) -> None:
        self._deep += 1
        if self._deep > DEEPEST:
            raise self._wrong(f"nested deeper than {DEEPEST}")

    def _items(self, end: Kind) -> tuple[Item, ...]:
        """Commas between items may be left out."""
        items = []
        while self.token.kind is not end:
            if not self.token.text:
                raise self._wrong("object expected closing RBRACE got: {}")
            items.append(self._item())
            if self.token.kind is Kind.COMMA:
                self._step()
        return tuple(items)

    def _item(self) -> Item:
        names = []
        while self.token.kind in {Kind.IDENT, Kind.STRING}:
            names.append(self._step())
        if not names:
            raise self._wrong("no object keys found!" if self.token.kind is Kind.ASSIGN else _ITEM)
        line = self._lines.of(self.token.at)
        if self.token.kind is Kind.LBRACE:
            return Item(tuple(names), self._object(), line)
        if self.token.kind is not Kind.ASSIGN:
            words = " ".join(name.text for name in names)
            if self.token.kind in {Kind.EOF, Kind.RBRACE}:
                raise self.scanner.wrong(
                    self.token.at, f"key '{words}' expected start of object ('{{') or assignment ('=')"
                )
            raise self._wrong(_ITEM)
        if len(names) > 1:
            raise self._wrong("nested object expected: LBRACE got: {}")
        self._step()
        return Item(tuple(names), self._value(), line)

    def _members(self) -> tuple[Item, ...]:
        """Of a JSON object; RFC 8259 §4, a name given twice counts twice."""
        items: list[Item] = []
        while self.token.kind is not Kind.RBRACE:
            if items:
                self._expect(Kind.COMMA)
            name = self._expect(Kind.STRING)
            line = self._lines.of(self.token.at)
            self._expect(Kind.COLON)
            items.append(Item((name,), self._value(), line))
        return tuple(items)

    def _expect(self, kind: Kind) -> Token:
        if self.token.kind is not kind:
            raise self._wrong(f"expected: {kind.value} got: {{}}")
        return self._step()

    def _value(self) -> Value:
        kind = self.token.kind
        if kind is Kind.LBRACE:
            return self._object()
        if kind is Kind.LBRACK:
            return self._list()
        if kind in LITERALS:
            return self._step()
        raise self.scanner.wrong(
            self.token.at, f"Unknown token: {self.scanner.where(self.token.at)} {kind.value} {self.token.text}"
        )

    def _list(self) -> List:
        """In HCL more commas than one count as one."""
        self._enter()
        at, values, parted = self._step().at, [], True
        while self.token.kind is not Kind.RBRACK:
            if self.token.kind is Kind.COMMA and (not parted or not self.scanner.is_json):
                self._step()
                parted = True
                continue
            if not parted:
                raise self._wrong("error parsing list, expected comma or list end, got: {}")
            if self.token.kind not in LITERALS and self.token.kind not in {Kind.LBRACE, Kind.LBRACK}:
                raise self._wrong("unexpected token while parsing list: {}")
            values.append(self._value())
            parted = False
        if self.scanner.is_json and parted and values:
            raise self._wrong("unexpected token while parsing list: {}")
        self._step()
        self._deep -= 1
        return List(at, tuple(values))
