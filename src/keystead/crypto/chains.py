"""X.509 certificates as somebody else has written them. RFC 5280, RFC 7468."""

from __future__ import annotations

from cryptography import x509


def has_certificates(pem: str) -> bool:
    """Whether it holds certificates, all of which can be read."""
    try:
        return bool(x509.load_pem_x509_certificates(pem.encode()))
    except ValueError:
        return False
