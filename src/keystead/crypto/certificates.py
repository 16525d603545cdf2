"""Certificates and requests for them: X.509 (RFC 5280), PKCS #10 (RFC 2986)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Struct

from keystead.core.algorithms import Family
from keystead.core.errors import InvalidArgument
from keystead.core.operations.certificates import BAD_REQUEST, Chain
from keystead.crypto.keys import parse_public, spki
from keystead.wire import asn1

_UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)
_EXTENSIONS: Final = x509.ObjectIdentifier("1.2.840.113549.1.9.14")  # RFC 2985 §5.4.2: read as extensions
_FAMILIES: Final[tuple[tuple[Any, Family, str], ...]] = (
    (rsa.RSAPublicKey, Family.RSA, "RSA"),
    (ec.EllipticCurvePublicKey, Family.EC, "ECDSA"),
    (ed25519.Ed25519PublicKey, Family.EDWARDS, "Ed25519"),
)
_Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
_BY_SIZE: Final[dict[int, _Hash]] = {
    256: hashes.SHA256(),
    384: hashes.SHA384(),
    521: hashes.SHA512(),
}


def hash_for(key: Any) -> _Hash | None:
    """What certificates are signed with if nobody says: SHA-256, or what a curve is as strong as."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    return _BY_SIZE[key.key_size] if isinstance(key, ec.EllipticCurvePrivateKey) else hashes.SHA256()


def request(key: Any, template: bytes) -> bytes:
    """A request of that private key, like the template (DER; b"": an empty subject). Raises InvalidArgument."""
    builder = x509.CertificateSigningRequestBuilder()
    try:
        if not template:
            builder = builder.subject_name(x509.Name([]))
        else:
            like = x509.load_der_x509_csr(template)
            builder = builder.subject_name(like.subject)
            for extension in like.extensions:
                builder = builder.add_extension(extension.value, extension.critical)
            for attribute in like.attributes:
                if attribute.oid != _EXTENSIONS:
                    builder = builder.add_attribute(attribute.oid, attribute.value)
        return builder.sign(key, hash_for(key)).public_bytes(Encoding.DER)
    except _UNREADABLE as error:
        raise InvalidArgument("not a certificate request that can be signed", BAD_REQUEST) from error


def request_by(public: bytes, template: bytes, sign: Callable[[bytes, str | None], bytes]) -> bytes:
    """The same of a private key that is elsewhere: `sign` gets what is to be signed, and the digest to sign it with.

    A key of the same kind makes the request; then the public key (DER SubjectPublicKeyInfo) and the signature are put
    in their places (RFC 2986 §4). Raises InvalidArgument, and what `sign` raises.
    """
    key = parse_public(public)
    like = _like(key)
    info, scheme, _signature = asn1.elements(asn1.one(request(like, template), asn1.SEQUENCE))
    version, subject, _public, *rest = asn1.elements(info.content)
    signed = _sequence(version.whole + subject.whole + public + b"".join(one.whole for one in rest))
    digest = hash_for(like)
    made = sign(signed, digest.name if digest else None)
    return _sequence(signed + scheme.whole + _encoded(asn1.BIT_STRING, b"\0" + made))


def _like(public: Any) -> Any:
    """A private key of the same kind, for nothing but its names."""
    if isinstance(public, ed25519.Ed25519PublicKey):
        return ed25519.Ed25519PrivateKey.generate()
    if isinstance(public, ec.EllipticCurvePublicKey):
        return ec.generate_private_key(public.curve)
    return rsa.generate_private_key(65537, 1024)  # noqa: S505 - what it signs is thrown away


def _sequence(content: bytes) -> bytes:
    return _encoded(asn1.SEQUENCE, content)


def _encoded(tag: int, content: bytes) -> bytes:
    """X.690 §8.1.3; less than 64 KiB."""
    n = len(content)
    size = bytes([n]) if n < 0x80 else bytes([0x81, n]) if n < 0x100 else b"\x82" + n.to_bytes(2, "big")
    return bytes([tag]) + size + content


class Facts(Struct, frozen=True):
    """Of one certificate."""

    is_authority: bool  # RFC 5280 §4.2.1.9: cA
    family: Family | None  # of its public key; None: of a kind that no key here is
    kind: str  # the same, in a word
    public_key: bytes  # DER SubjectPublicKeyInfo, as we write it


def facts(der: bytes) -> Facts:
    """Raises InvalidArgument (detail Chain.UNREADABLE)."""
    try:
        read = x509.load_der_x509_certificate(der)
        key = read.public_key()
        public = spki(key)
        try:
            is_authority = bool(read.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
        except x509.ExtensionNotFound:
            is_authority = False
    except _UNREADABLE as error:
        raise InvalidArgument("not a certificate", Chain.UNREADABLE) from error
    for kind, family, word in _FAMILIES:
        if isinstance(key, kind):
            return Facts(is_authority, family, word, public)
    return Facts(is_authority, None, type(key).__name__, public)
