"""Certification authorities and certificates for servers in tests, as PEM files."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM
NOW = datetime(2026, 11, 1, tzinfo=UTC)
BARE = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


class Authority:
    """A certification authority of one's own; `ca`: its certificate."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._key, self._name = ec.generate_private_key(ec.SECP256R1()), _named("authority")
        self._identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        made = (
            self._new(self._name, self._key, lasts_for=timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(self._identifier, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.ca = directory / "ca.pem"
        self.ca.write_bytes(made.public_bytes(PEM))

    def issue(self, host: str, *, lasts_for: timedelta = timedelta(days=1)) -> tuple[Path, Path]:
        """(certificate, private key) of a server of that name."""
        key = ec.generate_private_key(ec.SECP256R1())
        issued = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._identifier)
        made = (
            self._new(_named(host), key, lasts_for=lasts_for)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(issued, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        chain, private = self.directory / f"{host}.pem", self.directory / f"{host}.key"
        chain.write_bytes(made.public_bytes(PEM))
        private.write_bytes(key.private_bytes(PEM, *BARE))
        return chain, private

    def context(self, host: str, *, lasts_for: timedelta = timedelta(days=1)) -> ssl.SSLContext:
        """Of a server of that name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(host, lasts_for=lasts_for))
        return context

    def _new(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *, lasts_for: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return x509.CertificateBuilder(
            self._name,
            name,
            key.public_key(),
            x509.random_serial_number(),
            not_valid_before=now - timedelta(days=2),
            not_valid_after=now + lasts_for,
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


class Issued:
    """A certificate, as its issuer or nobody in their right mind makes it, and its key. It is good on NOW."""

    def __init__(
        self,
        name: str,
        by: Issued | None = None,
        *,
        ca: bool = False,
        length: int | None = None,
        lasts_for: timedelta = timedelta(days=1),
        extensions: tuple[x509.ExtensionType, ...] = (),
        signs: bool | None = None,
        subject: x509.Name | None = None,
        start: datetime = NOW,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = subject or _named(name)
        issuer = by or self
        builder = x509.CertificateBuilder(
            issuer.name,
            self.name,
            self.key.public_key(),
            x509.random_serial_number(),
            start - timedelta(days=1),
            start + lasts_for,
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=length), critical=True)
        if signs is not None:
            usage = dict.fromkeys(
                (
                    "digital_signature",
                    "content_commitment",
                    "key_encipherment",
                    "data_encipherment",
                    "key_agreement",
                    "crl_sign",
                    "encipher_only",
                    "decipher_only",
                ),
                False,
            ) | {"digital_signature": True}
            builder = builder.add_extension(x509.KeyUsage(key_cert_sign=signs, **usage), critical=True)
        for one in extensions:
            builder = builder.add_extension(one, critical=False)
        self.made = builder.sign(issuer.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.made.public_bytes(PEM).decode()

    @property
    def private(self) -> bytes:
        return self.key.private_bytes(PEM, *BARE)

    @property
    def der(self) -> bytes:
        return self.made.public_bytes(serialization.Encoding.DER)


def scoped(*urls: str) -> x509.IssuingDistributionPoint:
    """Of users' certificates alone, to be had at `urls`: RFC 5280 §5.2.5."""
    names = [x509.UniformResourceIdentifier(url) for url in urls] or None
    return x509.IssuingDistributionPoint(names, None, True, False, None, False, False)


def listed(
    by: Issued,
    *gone: Issued | int,
    now: datetime,
    lasts_for: timedelta = timedelta(hours=12),
    form: str = "PEM",
    delta: bool = False,
    extension: x509.ExtensionType | None = None,
) -> bytes:
    """A list of `by`, of today."""
    made = x509.CertificateRevocationListBuilder().issuer_name(by.made.subject).last_update(now - timedelta(hours=1))
    made = made.next_update(now + lasts_for)
    for one in gone:
        serial = one if isinstance(one, int) else one.made.serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - timedelta(hours=1))
        made = made.add_revoked_certificate(entry.build())
    if delta:
        made = made.add_extension(x509.DeltaCRLIndicator(1), critical=True)
    if extension is not None:
        made = made.add_extension(extension, critical=True)
    return made.sign(by.key, hashes.SHA256()).public_bytes(getattr(serialization.Encoding, form))
