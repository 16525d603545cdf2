"""auth/cert: certificates and lists of versions that there are none of (RFC 5280 §4.1.2.1, §5.1.2.1)."""

from __future__ import annotations

import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.certificates import Issued, listed
from tests.doors.vault.test_logins_crls import URL, Revoking, World

NONE = (400, "invalid certificate or no client certificate supplied")


def of_version_6(der: bytes, version: bytes) -> bytes:
    """`version`: as it is written in what it is a version of."""
    before, found, after = der.partition(version)
    return before + found.replace(version[-2:], b"\x05" + version[-1:]) + after


@pytest.fixture
def vault() -> Revoking:
    return Revoking()


def odd(one: Issued) -> bytes:
    return of_version_6(one.der, bytes.fromhex("a00302010202"))


def odd_list(vault: Revoking) -> bytes:
    made = x509.load_pem_x509_crl(listed(vault.ca, now=vault.stack.clock.now()))
    return of_version_6(made.public_bytes(Encoding.DER), bytes.fromhex("02010130"))


@pytest.mark.parametrize("is_first", [True, False])
def test_who_sends_one_is_let_in_by_none(vault, is_first) -> None:
    vault.stack.certificates = (odd(vault.joe),) if is_first else (vault.joe.der, odd(vault.middle))
    reply = vault.nobody("POST", "auth/cert/login", {})
    assert (reply.status, "".join(reply.json["errors"])) == NONE


def test_a_role_of_one(vault) -> None:
    reply = vault.root("POST", "auth/cert/certs/odd", {"certificate": ssl.DER_cert_to_PEM_cert(odd(vault.ca))})
    assert reply.status == 400, reply.body


def test_a_list(vault) -> None:
    text = ssl.DER_cert_to_PEM_cert(odd_list(vault)).replace("CERTIFICATE", "X509 CRL")
    reply = vault.root("POST", "auth/cert/crls/l", {"crl": text})
    assert reply.status == 400, reply.body


def test_a_list_that_is_fetched(vault) -> None:
    world = World(vault)
    world.pages[URL] = odd_list(vault)
    vault.root.data("POST", "auth/cert/crls/l", {"url": URL})
    assert world.fetching.step() == 0


def test_a_key_of_an_issuer(vault) -> None:
    vault.root.data("POST", "sys/auth/jwt", {"type": "jwt"})
    reply = vault.root("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [ssl.DER_cert_to_PEM_cert(odd(vault.ca))]})
    assert reply.status == 400, reply.body
