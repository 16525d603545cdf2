"""Whom a verified certificate is of, as ssl.SSLSocket.getpeercert() tells it; and what came with it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any


def certified(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Its common names and DNS names, in lower case; none where there is no certificate.

    AWS KMS is told by its subject's common name, "cks.kms.<Region>.amazonaws.com" (XKS Proxy API).
    """
    if not certificate:
        return frozenset()
    subject = (pair for part in certificate.get("subject", ()) for pair in part)
    names = [value for field, value in subject if field == "commonName"]
    names += [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
    return frozenset(name.lower() for name in names)


_DER = 2  # ssl.ENCODING_DER of CPython's _ssl


def chain_of(transport: asyncio.BaseTransport) -> tuple[bytes, ...]:
    """DER of every certificate that the peer has sent, its own first; none where it has sent none.

    They are those of a handshake that was verified (app.clientcerts). What leads from one to the other is in Python's
    own interface from 3.13 on.
    """
    held = transport.get_extra_info("ssl_object")
    leaf = held.getpeercert(binary_form=True) if held is not None else None
    if leaf is None:
        return ()
    if hasattr(held, "get_unverified_chain"):
        sent = tuple(held.get_unverified_chain())
    else:
        inner = held._sslobj  # noqa: SLF001 - the only way there before Python 3.13
        sent = tuple(one.public_bytes(_DER) for one in inner.get_unverified_chain() or ())
    return sent if sent[:1] == (leaf,) else (leaf,)
