"""The uid at the other end of a unix socket, as the kernel says it (SO_PEERCRED, unix(7))."""

from __future__ import annotations

import re
import socket
import struct

from keystead.core.entities import CredentialKind
from keystead.core.errors import Unauthenticated
from keystead.service.credentials import Directory, Reason
from keystead.service.held import HeldCredential

_UCRED = struct.Struct("3i")  # pid, uid, gid
_PEER = re.compile(r"uid:(0|[1-9][0-9]{0,9})")


def peer_of(sock: socket.socket) -> str:
    """ "uid:<n>" of a connected unix socket: the id of its credential, and its source in the audit log."""
    _, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return f"uid:{uid}"


def verify_peer(directory: Directory, peer: str) -> HeldCredential:
    """The credential of a peer named by peer_of(). Raises Unauthenticated: unknown, disabled, or no such peer."""
    held = directory.credential(peer) if _PEER.fullmatch(peer) else None
    if (
        held is None
        or held.credential.credential_kind is not CredentialKind.PEER
        or not held.credential.enabled
        or not held.principal.enabled
    ):
        raise Unauthenticated("this user is not known here", Reason.UNKNOWN)
    return held
