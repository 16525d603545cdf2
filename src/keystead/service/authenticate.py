"""The one place where a Caller is made. tests/house holds every other module to that."""

from __future__ import annotations

from datetime import datetime

from keystead.core.caller import Caller
from keystead.core.entities import Principal
from keystead.core.ports import Entropy
from keystead.service.credentials import Directory, Reason
from keystead.service.credentials.peer import verify_peer
from keystead.service.credentials.session import Sessions
from keystead.service.credentials.sigv4 import SigV4
from keystead.wire.http import HttpRequest

__all__ = ["Authenticator", "Reason"]


class Authenticator:
    """One method per kind of credential. Each raises Unauthenticated, its detail a Reason, and WouldBlock."""

    def __init__(self, directory: Directory, sessions: Sessions, entropy: Entropy) -> None:
        self._directory = directory
        self._sigv4 = SigV4(directory, sessions, entropy)

    def aws(self, request: HttpRequest, *, service: str, door: str, wire_operation: str, request_id: str) -> Caller:
        """The caller of a request signed with SigV4 for `service` ("kms", "sts", "iam").

        Its namespace is "aws:<tenant of the credential>:<region of the scope>".
        """
        verified = self._sigv4.verify(request, service.encode())
        session = verified.session
        return Caller(
            principal=verified.principal,
            credential_id=verified.credential_id,
            namespace=verified.namespace,
            door=door,
            wire_operation=wire_operation,
            request_id=request_id,
            source=request.peer,
            now=request.received_at,
            secure=request.secure,
            session="" if session is None else session.name,
            began_at=None if session is None else session.issued,
            ends_at=None if session is None else session.expires,
        )

    def itself(
        self, principal: Principal, *, namespace: str, door: str, operation: str, request_id: str, now: datetime
    ) -> Caller:
        """Keystead's own scheduler, or the process that has opened the installation as a library."""
        return Caller(
            principal=principal,
            credential_id="",
            namespace=namespace,
            door=door,
            wire_operation=operation,
            request_id=request_id,
            source="",
            now=now,
        )

    def peer(self, request: HttpRequest, *, namespace: str, door: str, wire_operation: str, request_id: str) -> Caller:
        """The caller at the other end of a unix socket; request.peer is "uid:<n>"."""
        held = verify_peer(self._directory, request.peer)
        return Caller(
            principal=held.principal,
            credential_id=held.credential.id,
            namespace=namespace,
            door=door,
            wire_operation=wire_operation,
            request_id=request_id,
            source=request.peer,
            now=request.received_at,
            secure=request.secure,
        )
