"""Lists of revoked certificates as bytes: RFC 5280 §5. Nobody's signature is looked at: who writes one may."""

from __future__ import annotations

from cryptography import x509

from keystead.core.entities import Revoked

MAX_LIST, MAX_REVOKED = 2 * 1024 * 1024, 50_000  # bytes, certificates
_PEM = b"-----BEGIN X509 CRL-----"


def revoked(body: bytes) -> Revoked:
    """PEM or DER. Raises ValueError for what is no list, is too long, or tells of changes alone (a delta)."""
    if len(body) > MAX_LIST:
        raise ValueError("too long")
    load = x509.load_pem_x509_crl if _PEM in body[:4096] else x509.load_der_x509_crl
    found = load(body)
    if len(found) > MAX_REVOKED:
        raise ValueError("too many certificates")
    try:
        if any(isinstance(one.value, x509.DeltaCRLIndicator) for one in found.extensions):
            raise ValueError("a delta list")
        return Revoked.of((one.serial_number for one in found), found.next_update_utc)
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, OverflowError) as error:
        raise ValueError(str(error)) from None
