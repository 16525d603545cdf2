"""TLS that asks for a client's certificate, where somebody could log in by one (docs/adr/0030).

Python's ssl asks for no certificate that it does not verify. So it verifies against what the roles of all auth methods
vouch by: a context is made anew when that changes, and every handshake is moved onto the newest one. While there is no
such role nobody is asked for anything.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable

from keystead.app.tls import server_context
from keystead.config import Tls
from keystead.core.errors import KeysteadError

LOG = logging.getLogger("keystead")
ANY_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME, which Python has no name for
PARTIAL = ssl.VERIFY_X509_PARTIAL_CHAIN | ANY_TIME
"""A role may have an intermediate, or a leaf; and an authority that was renewed is known by what another tenant has of
it (service.anchors). The login looks at the time.
"""


class Asking:
    """`context` is what the listener has; `refresh` is called before each handshake, on the loop's thread."""

    def __init__(self, tls: Tls, certificates: Callable[[], frozenset[str]]) -> None:
        self._tls, self._certificates = tls, certificates
        self._known: frozenset[str] = frozenset()
        self.context = self._newest = _unresumed(server_context(tls))
        self.context.verify_flags |= PARTIAL
        self.context.sni_callback = self._move  # it is called without a name, too

    def refresh(self) -> None:
        """What cannot be read stays as it was: the login looks at the store itself."""
        try:
            found = self._certificates()
            if found != self._known:
                self._newest, self._known = self._made(found), found
                # of a handshake it is the first context that says whether to ask, and the last that says whom to trust
                self.context.verify_mode = ssl.CERT_OPTIONAL if found else ssl.CERT_NONE
        except (KeysteadError, OSError) as error:  # ssl.SSLError is one
            LOG.warning("the certificates of those who log in by one cannot be read: %s", error)

    def _made(self, found: frozenset[str]) -> ssl.SSLContext:
        context = _unresumed(server_context(self._tls))
        context.verify_flags |= PARTIAL
        context.verify_mode = ssl.CERT_OPTIONAL if found else ssl.CERT_NONE
        for pem in sorted(found):
            try:
                context.load_verify_locations(cadata=pem)
            except (ssl.SSLError, ValueError) as error:  # of one role: the others' are none the worse for it
                LOG.warning("a role's certificates are none for TLS: %s", error)
        return context

    def _move(self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._newest


def _unresumed(context: ssl.SSLContext) -> ssl.SSLContext:
    """Without tickets: what they bring back is the certificate alone, and not what leads from it to an authority.

    TLS 1.2 has sessions that the server keeps, and Python no word to have none. What they bring back is looked at again
    by the login, as everything that a handshake lets through is.
    """
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context
