"""Whom a verified certificate is of, as ssl.SSLSocket.getpeercert() tells it."""

from __future__ import annotations

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
