"""DER, read strictly and within bounds, before any library is handed it. X.690 §8.1, §10.

Only as much as keys need (PKCS#8, SubjectPublicKeyInfo): what stands where and how large it is, not what it means.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from keystead.wire import Malformed

INTEGER, BIT_STRING, OCTET_STRING, OID, SEQUENCE = 0x02, 0x03, 0x04, 0x06, 0x30
DEPTH, NODES = 8, 64
_CONSTRUCTED: Final = 0x20
_HIGH_TAG: Final = 0x1F  # §8.1.2.4: no key needs one


class Element(NamedTuple):
    tag: int
    content: bytes
    whole: bytes


def elements(data: bytes) -> list[Element]:
    """The elements that `data` is made of, one after the other and to its last byte. Raises Malformed."""
    found: list[Element] = []
    at = 0
    while at < len(data):
        if len(found) == NODES:
            raise Malformed("more elements than a key has")
        start, (content, end) = at, _content(data, at)
        found.append(Element(data[start], data[content:end], data[start:end]))
        at = end
    return found


def _content(data: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at `at` begins and ends."""
    if data[at] & _HIGH_TAG == _HIGH_TAG or at + 2 > len(data):
        raise Malformed("no element of a key")
    length, begin = data[at + 1], at + 2
    if length >= 0x80:
        n = length & 0x7F
        begin += n
        if n not in {1, 2} or begin > len(data):  # §10.1: definite; and nobody's key has 64 KiB
            raise Malformed("a length that is indefinite or too long")
        length = int.from_bytes(data[at + 2 : begin], "big")
        if length < (0x80 if n == 1 else 0x100):
            raise Malformed("a length that could be shorter")
    if begin + length > len(data):
        raise Malformed("an element longer than what there is")
    return begin, begin + length


def one(data: bytes, tag: int) -> bytes:
    """The content of the one element that `data` is. Raises Malformed."""
    found = elements(data)
    if len(found) != 1 or found[0].tag != tag:
        raise Malformed("another element than was expected, or more than one")
    return found[0].content


def check(data: bytes, *, depth: int = DEPTH) -> int:
    """How many elements there are, constructed ones counted with what is in them. Raises Malformed."""
    if depth == 0:
        raise Malformed("elements within elements, deeper than a key has them")
    n = 0
    for element in elements(data):
        n += 1 + (check(element.content, depth=depth - 1) if element.tag & _CONSTRUCTED else 0)
        if n > NODES:
            raise Malformed("more elements than a key has")
    return n


def unsigned(element: Element, bits: int) -> int:
    """A positive INTEGER of at most `bits` bits. §8.3. Raises Malformed."""
    content = element.content
    if element.tag != INTEGER or not 0 < len(content) <= bits // 8 + 1:
        raise Malformed("no integer, or too large a one")
    if content[0] >= 0x80 or (len(content) > 1 and content[0] == 0 and content[1] < 0x80):
        raise Malformed("a negative integer, or one that could be shorter")
    value = int.from_bytes(content, "big")
    if not 0 < value < 1 << bits:
        raise Malformed("an integer out of range")
    return value
