"""What every door is made of: wire messages, operations, an error table, a listener. No protocol lives here."""

from keystead.kit.door import Door, Front, Means
from keystead.kit.marker import Markers
from keystead.kit.message import (
    Call,
    ErrorTable,
    Fault,
    Message,
    PathOperation,
    WireOperation,
    fault,
    operation,
    path_operation,
    routes,
)
from keystead.kit.request_ids import RequestIds
from keystead.kit.routes import Routes

__all__ = [
    "Call",
    "Door",
    "ErrorTable",
    "Fault",
    "Front",
    "Markers",
    "Means",
    "Message",
    "PathOperation",
    "RequestIds",
    "Routes",
    "WireOperation",
    "fault",
    "operation",
    "path_operation",
    "routes",
]
