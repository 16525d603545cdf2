"""AWS JSON 1.1: the operation is named by X-Amz-Target, an error by `__type`. (Smithy, "AWS JSON 1.1 protocol")"""

from __future__ import annotations

import msgspec

CONTENT_TYPE = b"application/x-amz-json-1.1"


def error(code: str, message: str | None) -> bytes:
    """An error body. Where AWS has no words for an error the member is absent, not empty."""
    body = {"__type": code} if message is None else {"__type": code, "message": message}
    return msgspec.json.encode(body)
