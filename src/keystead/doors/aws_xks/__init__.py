"""AWS KMS's external key stores, seen from the other side: Keystead is the XKS proxy, and holds the keys.

XKS Proxy API specification 1.0.3 (15 May 2024), version 1 of the interface: JSON over POST, signed with SigV4.
"""

from __future__ import annotations

from keystead.doors.aws_xks import cipher, health, metadata
from keystead.doors.aws_xks.door import XksFront
from keystead.doors.aws_xks.errors import ERRORS
from keystead.kit import Door

DOOR = Door(
    name="aws_xks",
    operations=(*health.OPERATIONS, *metadata.OPERATIONS, *cipher.OPERATIONS),
    errors=ERRORS,
    front=XksFront,
)
