"""Who may vouch for a server, and how TLS is spoken with it: security.md §4-I, row 132."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

from keystead.core.keystores import Trouble
from keystead.core.ports import Unreached

_State = tuple[int, ...]  # of a file: another one when it has changed


N_MADE = 256


def client_context(certificates: Path | None, suites: str, authorities: str = "") -> ssl.SSLContext:
    """TLS 1.2 and up, certificate and name verified. `certificates`: a PEM file, or None for the system's authorities;
    `suites`: of TLS 1.2, in OpenSSL's words, or "" for the system's; `authorities`: PEM text instead of a file.

    Raises OSError (ssl.SSLError is one).
    """
    context = ssl.create_default_context(cafile=certificates, cadata=authorities or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if suites:
        context.set_ciphers(suites)
    context.set_alpn_protocols(["http/1.1"])
    return context


class Trust:
    """Contexts by their file of certificates, made when they are needed and anew when the file has changed."""

    def __init__(self, suites: str) -> None:
        self._suites = suites
        self._lock = threading.Lock()
        self._made: dict[tuple[Path | None, str], tuple[_State, ssl.SSLContext]] = {}

    def context(self, certificates: Path | None, authorities: str = "") -> ssl.SSLContext:
        """Raises OSError (ssl.SSLError is one) for a file, or a text, that is none."""
        state, by = _state(certificates), (certificates, authorities)
        with self._lock:
            kept = self._made.get(by)
            if kept is None or kept[0] != state:
                made = client_context(certificates, self._suites, authorities)
                while len(self._made) >= N_MADE:
                    del self._made[next(iter(self._made))]
                kept = self._made[by] = (state, made)
            return kept[1]


def _state(certificates: Path | None) -> _State:
    if certificates is None:
        return ()
    found = certificates.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def insecure(reason: Exception) -> Unreached:
    """Why TLS does not come about, in our words and the system's: nothing that the other side has said."""
    if isinstance(reason, ssl.SSLCertVerificationError):
        return Unreached(Trouble.INSECURE, f"the certificate is not accepted: {reason.verify_message}")
    return Unreached(Trouble.INSECURE, "TLS failed" if isinstance(reason, ssl.SSLError) else "the connection ended")
