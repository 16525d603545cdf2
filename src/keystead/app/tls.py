"""TLS for listeners: 1.2 and up, the library's own choice of suites, HTTP/1.1 announced."""

from __future__ import annotations

import ssl

from keystead.config import Clients, Tls, path_of
from keystead.core.errors import InvalidArgument


def server_context(tls: Tls, clients: Clients | None = None) -> ssl.SSLContext:
    """`clients`: whoever they do not vouch for gets no further than the handshake.

    Raises InvalidArgument where the certificate or its key cannot be read, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    chain, key = path_of(tls.certificate), path_of(tls.private_key)
    for what, path in (("certificate", chain), ("private key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise InvalidArgument(f"the TLS {what} {path} cannot be read: {error.strerror}", "tls") from None
    try:
        context.load_cert_chain(chain, key)
    except (OSError, ssl.SSLError):
        words = f"{chain} is no certificate in PEM, or {key} is not its private key without a passphrase"
        raise InvalidArgument(f"the TLS certificate cannot be used: {words}", "tls") from None
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(path_of(clients.authorities))
        except (OSError, ssl.SSLError) as error:
            raise InvalidArgument(f"no authorities for clients: {error.strerror or error}", "clients") from None
    return context
