"""X.509 certificates of clients: what they say, and whether a role's own certificates vouch for them.

RFC 5280 §6; RFC 6125 is not for us: names are the role's to match. A path is built and verified by pyca/cryptography.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import verification as v
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from keystead.core.entities import CertificateId
from keystead.core.vouching.words import Certified
from keystead.crypto.names import digest_of

MAX_DEPTH = 8  # certificates between a client's and the one that a role has
MAX_SENT = 10  # certificates that a client may send along
Criticality = v.Criticality
_ODD = (x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, UnsupportedAlgorithm)


def has_certificates(pem: str) -> bool:
    """Whether it holds certificates, all of which can be read."""
    return bool(certificates_of(pem))


def is_of_authorities(pem: str) -> bool:
    """Whether the first is an authority, and not a client's very certificate."""
    return any(_is_authority(one) for one in certificates_of(pem)[:1])


class Called(NamedTuple):
    """By what a certificate is found as the issuer of another: RFC 5280 §4.1.2.4, §4.2.1.1. `key`: b"" where none."""

    subject: bytes
    key: bytes


def called(pem: str) -> tuple[tuple[Called, bytes], ...]:
    """(what it is called, DER) of each of those certificates that can be read."""
    found: list[tuple[Called, bytes]] = []
    for one in certificates_of(pem):
        with suppress(ValueError, *_ODD):
            found.append((Called(one.subject.public_bytes(), _key_id(one)), one.public_bytes(Encoding.DER)))
    return tuple(found)


def _key_id(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return b""


def certificates_of(pem: str) -> list[x509.Certificate]:
    """[]: one of them cannot be read."""
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except (ValueError, x509.InvalidVersion):
        return []


def told(der: bytes) -> Certified:
    """Raises ValueError for what cannot be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        found = {one.oid.dotted_string: one for one in certificate.extensions}
        spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except _ODD as error:
        raise ValueError(str(error)) from None
    names = found["2.5.29.17"].value if "2.5.29.17" in found else x509.SubjectAlternativeName([])
    subject_key = found["2.5.29.14"].value.digest if "2.5.29.14" in found else b""
    authority_key = (found["2.5.29.35"].value.key_identifier or b"") if "2.5.29.35" in found else b""
    return Certified(
        common_name=next(iter(_texts(certificate.subject, NameOID.COMMON_NAME)), ""),
        units=_texts(certificate.subject, NameOID.ORGANIZATIONAL_UNIT_NAME),
        dns=tuple(names.get_values_for_type(x509.DNSName)),
        emails=tuple(names.get_values_for_type(x509.RFC822Name)),
        uris=tuple(names.get_values_for_type(x509.UniformResourceIdentifier)),
        serial=str(certificate.serial_number),
        subject_key_id=subject_key.hex(":"),
        authority_key_id=authority_key.hex(":"),
        extensions={oid: _der(one.value) for oid, one in found.items()},
        key=sha256(spki).hexdigest(),
    )


def _der(value: x509.ExtensionType) -> bytes:
    """Empty for what the library reads and does not write: nothing can be asked of it."""
    try:
        return value.public_bytes()
    except NotImplementedError:
        return b""


def _texts(name: x509.Name, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    return tuple(one.value for one in name.get_attributes_for_oid(oid) if isinstance(one.value, str))


def ids_of(chain: tuple[bytes, ...]) -> tuple[CertificateId, ...]:
    """Of those that can be read."""
    found: list[CertificateId] = []
    for der in chain:
        with suppress(ValueError, x509.InvalidVersion):
            found.append(_id(x509.load_der_x509_certificate(der)))
    return tuple(found)


def _id(certificate: x509.Certificate) -> CertificateId:
    return CertificateId(certificate.serial_number, digest_of(certificate.issuer))


def _nothing(_one: CertificateId) -> bool:
    return False


def vouched(
    pem: str, chain: tuple[bytes, ...], now: datetime, is_revoked: Callable[[CertificateId], bool] = _nothing
) -> bool:
    """Whether what a client has sent, its own certificate first, leads to one of `pem` today.

    The first of `pem` is an authority, or it is the client's very certificate. No certificate on the way is revoked.
    """
    own = certificates_of(pem)
    if not own or not chain or len(chain) > MAX_SENT:
        return False
    try:
        leaf, *between = [x509.load_der_x509_certificate(der) for der in chain]
        if is_revoked(_id(leaf)):
            return False
        between = [one for one in between if not is_revoked(_id(one))]
        if not _is_authority(own[0]):
            return leaf == own[0] and leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc
        authorities = [one for one in own if _is_authority(one) and not is_revoked(_id(one))]
        return _is_for_clients(leaf) and _leads(leaf, between, authorities, now)
    except (ValueError, *_ODD):
        return False


def _leads(
    leaf: x509.Certificate, between: list[x509.Certificate], authorities: Iterable[x509.Certificate], now: datetime
) -> bool:
    authority = (
        v.ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _must_be_authority)
        .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _must_sign)
    )
    builder = v.PolicyBuilder().store(v.Store(list(authorities))).time(now).max_chain_depth(MAX_DEPTH)
    builder = builder.extension_policies(ca_policy=authority, ee_policy=v.ExtensionPolicy.permit_all())
    try:
        builder.build_client_verifier().verify(leaf, between)
    except v.VerificationError:
        return False
    return True


def _must_be_authority(_: object, __: object, found: x509.BasicConstraints) -> None:
    if not found.ca:
        raise ValueError("no authority")


def _must_sign(_: object, __: object, found: x509.KeyUsage | None) -> None:
    if found is not None and not found.key_cert_sign:
        raise ValueError("it may not sign certificates")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _is_for_clients(leaf: x509.Certificate) -> bool:
    """RFC 5280 §4.2.1.12: where it says what it is for, clients have to be among it."""
    try:
        uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in uses or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in uses
