"""Lists of revoked certificates as bytes: RFC 5280 §5.

Of one that somebody writes nobody's signature is looked at: who writes one may. Of one that comes over plain HTTP it is
all that vouches for it (`is_vouched`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from keystead.core.entities import Revoked
from keystead.crypto.chains import certificates_of
from keystead.crypto.names import digest_of

MAX_LIST, MAX_REVOKED = 2 * 1024 * 1024, 50_000  # bytes, certificates
_PEM = b"-----BEGIN X509 CRL-----"
_ODD = (x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, OverflowError)


def revoked(body: bytes) -> Revoked:
    """PEM or DER. Raises ValueError for what is no list, is too long, or tells of changes alone (a delta)."""
    try:
        found = _load(body)
        if len(found) > MAX_REVOKED:
            raise ValueError("too many certificates")
        if any(isinstance(one.value, x509.DeltaCRLIndicator) for one in found.extensions):
            raise ValueError("a delta list")
        issuer = sha256(found.issuer.public_bytes()).digest()
        covers = b"" if _is_indirect(found) else digest_of(found.issuer)
        serials = (one.serial_number for one in found)
        return Revoked.of(serials, found.next_update_utc, found.last_update_utc, issuer, covers)
    except _ODD as error:
        raise ValueError(str(error)) from None


def _is_indirect(found: x509.CertificateRevocationList) -> bool:
    """RFC 5280 §5.2.5, §5.3.3: whether it may be of certificates of other issuers, too."""
    parts = [one.value for one in found.extensions if isinstance(one.value, x509.IssuingDistributionPoint)]
    named = (one.value for entry in found for one in entry.extensions)
    return any(one.indirect_crl for one in parts) or any(isinstance(one, x509.CertificateIssuer) for one in named)


def _load(body: bytes) -> x509.CertificateRevocationList:
    if len(body) > MAX_LIST:
        raise ValueError("too long")
    return (x509.load_pem_x509_crl if _PEM in body[:4096] else x509.load_der_x509_crl)(body)


def is_vouched(body: bytes, url: str, authorities: Iterable[str], now: datetime) -> bool:
    """Whether it is signed by one of those whose certificates these are, PEM, and all there is of it, or of that URL.

    Another list that the same authority signs, of other reasons or other certificates, would say of the rest that
    nothing is revoked (RFC 5280 §5.2.5).
    """
    try:
        found = _load(body)
        if isinstance(found.signature_hash_algorithm, hashes.SHA1 | hashes.MD5) or not _is_of(found, url):
            return False
        return any(_has_signed(by, found, now) for pem in authorities for by in certificates_of(pem))
    except (ValueError, UnsupportedAlgorithm, *_ODD):
        return False


def _is_of(found: x509.CertificateRevocationList, url: str) -> bool:
    try:
        part = found.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return True
    return any(isinstance(one, x509.UniformResourceIdentifier) and one.value == url for one in part.full_name or ())


def _has_signed(by: x509.Certificate, found: x509.CertificateRevocationList, now: datetime) -> bool:
    """RFC 5280 §6.3.3 (f), (g): its issuer, today, and one that may sign lists."""
    if by.subject != found.issuer or not by.not_valid_before_utc <= now <= by.not_valid_after_utc:
        return False
    try:
        extensions = {type(one.value): one.value for one in by.extensions}
        basic, usage = extensions.get(x509.BasicConstraints), extensions.get(x509.KeyUsage)
        is_authority = isinstance(basic, x509.BasicConstraints) and basic.ca
        if not is_authority or (isinstance(usage, x509.KeyUsage) and not usage.crl_sign):
            return False
        return found.is_signature_valid(by.public_key())  # type: ignore[arg-type]  # of others: TypeError
    except (ValueError, TypeError, UnsupportedAlgorithm, *_ODD):
        return False
