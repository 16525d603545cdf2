"""Whether a certificate is revoked, as a responder says: RFC 6960. Requests and answers as bytes."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

SKEW, LASTS = timedelta(minutes=5), timedelta(days=1)  # of clocks; of an answer that does not say how long it is good
MOST_SENT = 8  # certificates that come with an answer and are looked at, with each of whom the role names
_ODD = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


class Standing(Enum):
    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


_STANDINGS = {
    ocsp.OCSPCertStatus.GOOD: Standing.GOOD,
    ocsp.OCSPCertStatus.REVOKED: Standing.REVOKED,
    ocsp.OCSPCertStatus.UNKNOWN: Standing.UNKNOWN,
}


class Question:
    """Of the first certificate of what a client has sent. Raises ValueError where nobody has issued it."""

    def __init__(self, chain: tuple[bytes, ...], pem: str) -> None:
        """`pem`: of the role that leads to it, where its issuer may be, too."""
        try:
            self._leaf, *others = [x509.load_der_x509_certificate(der) for der in chain]
            others += x509.load_pem_x509_certificates(pem.encode())
            self._issuer = next(
                one for one in others if one.subject == self._leaf.issuer and _has_issued(one, self._leaf)
            )
        except (StopIteration, *_ODD):
            raise ValueError("its issuer is not among what was sent") from None

    def servers(self) -> tuple[str, ...]:
        """Those that the certificate names: RFC 5280 §4.2.2.1."""
        try:
            found = self._leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        except (x509.ExtensionNotFound, *_ODD):
            return ()
        urls = (one.access_location for one in found if one.access_method == AuthorityInformationAccessOID.OCSP)
        return tuple(one.value for one in urls if isinstance(one, x509.UniformResourceIdentifier))

    def request(self) -> bytes:
        """DER. SHA-1 finds the certificate, and vouches for nothing: every responder knows it (RFC 6960 §4.3)."""
        builder = ocsp.OCSPRequestBuilder().add_certificate(self._leaf, self._issuer, hashes.SHA1())  # noqa: S303 - an index
        return builder.build().public_bytes(Encoding.DER)

    def answer(self, body: bytes, authorities: str, now: datetime) -> Standing:
        """What a responder says of it today. Raises ValueError for what is no answer, of another, or of nobody's.

        `authorities`: PEM of those whose responders count beside the issuer's own.
        """
        try:
            said = ocsp.load_der_ocsp_response(body)
            if said.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                raise ValueError(f"it says {said.response_status.name}")
            if not self._is_about(said) or not _is_current(said, now) or not self._is_vouched(said, authorities, now):
                raise ValueError("it is of another certificate, of another time, or of nobody who may say so")
            return _STANDINGS[said.certificate_status]
        except (InvalidSignature, *_ODD) as error:
            raise ValueError(str(error) or "no answer that can be read") from None

    def _is_about(self, said: ocsp.OCSPResponse) -> bool:
        """RFC 6960 §3.2, 1 and 2."""
        if not isinstance(said.hash_algorithm, hashes.SHA1) or said.serial_number != self._leaf.serial_number:
            return False
        asked = ocsp.load_der_ocsp_request(self.request())
        named = (said.issuer_key_hash, said.issuer_name_hash)
        return named == (asked.issuer_key_hash, asked.issuer_name_hash)

    def _is_vouched(self, said: ocsp.OCSPResponse, authorities: str, now: datetime) -> bool:
        """RFC 6960 §4.2.2.2: the issuer itself, whom it has appointed, or whom the role has named."""
        own = x509.load_pem_x509_certificates(authorities.encode()) if authorities else []
        signers = [self._issuer, *own]
        sent = said.certificates[:MOST_SENT]
        appointed = [one for one in sent if any(_has_appointed(by, one, now) for by in signers)]
        return any(_has_signed(one, said) for one in (*signers, *appointed))


def _is_current(said: ocsp.OCSPResponse, now: datetime) -> bool:
    """RFC 6960 §3.2, 5 and 6."""
    begins, ends = said.this_update_utc, said.next_update_utc
    return begins - SKEW <= now <= (begins + LASTS if ends is None else ends) + SKEW


def _has_issued(by: x509.Certificate, one: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(by)
    except (InvalidSignature, *_ODD):
        return False
    return True


def _has_appointed(by: x509.Certificate, one: x509.Certificate, now: datetime) -> bool:
    try:
        uses = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    is_valid = one.not_valid_before_utc <= now <= one.not_valid_after_utc
    return is_valid and ExtendedKeyUsageOID.OCSP_SIGNING in uses and _has_issued(by, one)


def _has_signed(by: x509.Certificate, said: ocsp.OCSPResponse) -> bool:
    key, digest = by.public_key(), said.signature_hash_algorithm
    if isinstance(digest, hashes.SHA1 | hashes.MD5):
        return False
    try:
        if isinstance(key, rsa.RSAPublicKey) and digest is not None:
            key.verify(said.signature, said.tbs_response_bytes, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
            key.verify(said.signature, said.tbs_response_bytes, ec.ECDSA(digest))
        elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(said.signature, said.tbs_response_bytes)
        else:
            return False
    except (InvalidSignature, *_ODD):
        return False
    return True
