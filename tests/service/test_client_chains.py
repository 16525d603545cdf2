"""crypto.chains: whom a role's certificates vouch for. RFC 5280 §6.1, §4.2.1.9, §4.2.1.10, §4.2.1.12."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.certificates import NOW, Issued

from keystead.crypto.chains import MAX_SENT, has_certificates, told, vouched

ROOT = Issued("root", ca=True, signs=True)
MIDDLE = Issued("middle", ROOT, ca=True)
JOE = Issued("joe", MIDDLE)


def chain(*certificates: Issued) -> tuple[bytes, ...]:
    return tuple(one.der for one in certificates)


def test_a_path_to_an_authority() -> None:
    assert vouched(ROOT.pem, chain(JOE, MIDDLE), NOW)
    assert vouched(MIDDLE.pem, chain(JOE), NOW)
    assert vouched(MIDDLE.pem, chain(JOE, MIDDLE, ROOT), NOW)
    assert not vouched(ROOT.pem, chain(JOE), NOW)  # a link is missing
    assert not vouched(ROOT.pem, (), NOW)


def test_a_certificate_that_is_the_role() -> None:
    assert vouched(JOE.pem, chain(JOE), NOW)
    assert not vouched(JOE.pem, chain(Issued("joe", MIDDLE)), NOW)
    assert not vouched(JOE.pem, chain(JOE), NOW + timedelta(days=2))
    assert not vouched(JOE.pem, chain(JOE), NOW - timedelta(days=2))
    assert not vouched(JOE.pem, chain(Issued("eve", JOE)), NOW)  # it vouches for nobody else


def test_another_authority_of_the_same_name() -> None:
    other = Issued("root", ca=True)
    assert not vouched(other.pem, chain(JOE, MIDDLE), NOW)
    assert not vouched(ROOT.pem, chain(Issued("joe", other)), NOW)


@pytest.mark.parametrize(
    "links",
    [
        pytest.param(lambda: (Issued("joe", ROOT, lasts_for=timedelta(hours=-1)),), id="expired"),
        pytest.param(
            lambda: _through(Issued("middle", ROOT, ca=True, lasts_for=timedelta(hours=-1))), id="expired link"
        ),
        pytest.param(lambda: _through(Issued("middle", ROOT)), id="a link that is no authority"),
        pytest.param(lambda: _through(Issued("middle", ROOT, ca=True, signs=False)), id="a link that may not sign"),
        pytest.param(
            lambda: (Issued("joe", ROOT, extensions=(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),)),),
            id="for servers",
        ),
    ],
)
def test_what_leads_nowhere(links) -> None:
    assert not vouched(ROOT.pem, chain(*links()), NOW)


def _through(link: Issued) -> tuple[Issued, ...]:
    return Issued("below", link), link


def test_a_path_is_no_longer_than_its_authorities_say() -> None:
    short = Issued("short", ROOT, ca=True, length=0)
    below = Issued("below", short, ca=True)
    assert vouched(ROOT.pem, chain(Issued("joe", short), short), NOW)
    assert not vouched(ROOT.pem, chain(Issued("joe", below), below, short), NOW)


def test_names_that_an_authority_may_not_vouch_for() -> None:
    only = x509.NameConstraints(permitted_subtrees=[x509.DNSName("ours.test")], excluded_subtrees=None)
    limited = Issued("limited", ROOT, ca=True, extensions=(only,))
    for name, good in (("a.ours.test", True), ("a.theirs.test", False)):
        leaf = Issued("joe", limited, extensions=(x509.SubjectAlternativeName([x509.DNSName(name)]),))
        assert vouched(ROOT.pem, chain(leaf, limited), NOW) is good


def test_for_clients_or_for_anything() -> None:
    for use in (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE):
        assert vouched(ROOT.pem, chain(Issued("joe", ROOT, extensions=(x509.ExtendedKeyUsage([use]),))), NOW)


def test_more_than_is_looked_at() -> None:
    assert not vouched(ROOT.pem, chain(JOE, MIDDLE, *[ROOT] * (MAX_SENT - 1)), NOW)


@pytest.mark.parametrize("der", [b"", b"x", JOE.der[:-1], JOE.der + b"x"])
def test_what_is_none(der) -> None:
    assert not vouched(ROOT.pem, (der,), NOW) and not vouched(ROOT.pem, (JOE.der, der), NOW)
    assert not vouched(JOE.pem, (der,), NOW)
    with pytest.raises(ValueError, match=r"\w"):
        told(der)
    assert not has_certificates(der.decode("latin-1"))


def test_what_a_certificate_says() -> None:
    names: list[Any] = [
        x509.DNSName("a.test"),
        x509.RFC822Name("joe@a.test"),
        x509.UniformResourceIdentifier("spiffe://a"),
    ]
    found = told(Issued("joe", ROOT, extensions=(x509.SubjectAlternativeName(names),)).der)
    assert (found.common_name, found.dns, found.emails, found.uris) == (
        "joe",
        ("a.test",),
        ("joe@a.test",),
        ("spiffe://a",),
    )
    assert "2.5.29.17" in found.extensions and len(found.key) == 64
