"""A QR code as a PNG: modules by segno, scaled to a square of so many pixels. ISO/IEC 18004; W3C PNG §11."""

from __future__ import annotations

import struct
import zlib

import segno

from keystead.doors.vault.endpoint import Said
from keystead.wire.vault.multierror import multierror

MOST_PIXELS = 2048
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(text: str, size: int) -> bytes:
    """Black on white, a bit a pixel. Raises Said (500) for what is too small for the text, or too long for any."""
    try:
        rows = [bytes(row) for row in segno.make_qr(text, error="m", boost_error=False).matrix]
    except segno.DataOverflowError:
        raise Said(500, multierror("failed to generate QR code image: the url is too long")) from None
    n = len(rows)
    if size < n:
        words = f"failed to generate QR code image: can not scale barcode to an image smaller than {n}x{n}"
        raise Said(500, multierror(words))
    factor = size // n
    left = (size - n * factor) // 2
    blank = _packed(b"\0" * size)
    lines = [blank] * left
    for row in rows:
        pixels = b"".join(bytes([dark]) * factor for dark in row)
        lines += [_packed((bytes(left) + pixels).ljust(size, b"\0"))] * factor
    lines += [blank] * (size - len(lines))
    head = struct.pack(">IIBBBBB", size, size, 1, 0, 0, 0, 0)  # one bit of grey
    data = zlib.compress(b"".join(b"\0" + line for line in lines), 9)
    return _SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _packed(pixels: bytes) -> bytes:
    """Eight a byte, the first the highest; dark is 0."""
    bits = "".join("0" if dark else "1" for dark in pixels).ljust(-(-len(pixels) // 8) * 8, "0")
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
