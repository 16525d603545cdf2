"""PEM: whatever text is read is blocks, or Malformed, and soon."""

import random
from base64 import b64encode
from contextlib import suppress

import pytest
from tests.costs import atmost

from keystead.wire import Malformed
from keystead.wire.pem import MOST, blocks

SEED = 20261125


def written(label: str, content: bytes, end: str = "\n") -> str:
    text = b64encode(content).decode()
    lines = [text[n : n + 64] for n in range(0, len(text), 64)]
    return end.join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("n", [1, 47, 48, 49, 1000])
def test_what_was_written_is_read(end, n):
    content = bytes(range(256)) * 4
    text = "words before\n" + written("A", content[:n], end) + "between\n" + written("B C", b"x", end) + "after"
    assert blocks(text) == [("A", content[:n]), ("B C", b"x")]


@pytest.mark.parametrize(
    "text", ["", "x", "-----BEGIN A-----", "-----BEGIN A-----\nAAAA", "-----BEGIN a-----\nAAAA\n-----END a-----"]
)
def test_what_is_no_block(text):
    assert blocks(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN A-----\nAAA\n-----END A-----",
        "-----BEGIN A-----\nAA=A\n-----END A-----",
        "-----BEGIN A-----\nAAAA\n-----END B-----",
        "A" * (MOST + 1),
    ],
)
def test_what_is_malformed(text):
    with pytest.raises(Malformed):
        blocks(text)


@pytest.mark.parametrize(
    "text", ["-----BEGIN A-----\n" * 3600, "-----BEGIN A-----\n" + "A" * 65_000, "-" * MOST, ("A" * 63 + "\n") * 1000]
)
def test_row_60_no_text_keeps_it_busy(text):
    with atmost(0.5):
        blocks(text)


def test_anything_at_all():
    rng = random.Random(SEED)
    whole = written("CERTIFICATE", bytes(range(200)))
    for _ in range(3000):
        text = list(whole)
        for _ in range(rng.randrange(1, 6)):
            text[rng.randrange(len(text))] = chr(
                rng.choice([0, 10, 13, 32, 45, 61, 65, 0x100, rng.randrange(0x110000)])
            )
        with suppress(Malformed):
            blocks("".join(text))
