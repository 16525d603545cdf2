"""The control door: what the `keystead` command says to a running server, over a unix socket that only its owner opens.

POST /v1/<Operation>, JSON in, JSON out (SPEC.md). Most operations are the core's own, spelled as they are. It is opened
by the supervisor alone (app.control): unlike other doors it also steers the server it belongs to.
"""

from __future__ import annotations

from keystead.doors.control.front import ControlFront
from keystead.doors.control.lifecycle import (
    CustodyShown,
    Lifecycle,
    SealShown,
    SealsShown,
    ServerStatus,
    ShareShown,
)

__all__ = ["ControlFront", "CustodyShown", "Lifecycle", "SealShown", "SealsShown", "ServerStatus", "ShareShown"]
