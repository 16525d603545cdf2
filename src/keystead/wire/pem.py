"""PEM: what stands between the lines. RFC 7468 §2, §3 (lax)."""

from __future__ import annotations

import binascii
import re
from typing import Final, NamedTuple

from keystead.wire import Malformed

MOST: Final = 65_536  # characters
_BLOCK: Final = re.compile(
    r"-----BEGIN ([A-Z0-9 ]{1,64})-----[ \t]*\r?\n([A-Za-z0-9+/=\s]*?)-----END ([A-Z0-9 ]{1,64})-----"
)


class Block(NamedTuple):
    label: str
    content: bytes  # DER


def blocks(text: str) -> list[Block]:
    """Every block in `text`, in its order; whatever else stands there is no matter. Raises Malformed."""
    if len(text) > MOST:
        raise Malformed("longer than any PEM that is looked at")
    found = []
    for match in _BLOCK.finditer(text):
        label, body, end = match.groups()
        if label != end:
            raise Malformed("a block that ends as another")
        try:
            content = binascii.a2b_base64("".join(body.split()), strict_mode=True)
        except binascii.Error as error:
            raise Malformed("a block that is not base64") from error
        found.append(Block(label, content))
    return found
