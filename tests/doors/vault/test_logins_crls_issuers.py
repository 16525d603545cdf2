"""auth/cert/crls: a list is of the certificates of whoever has issued it. RFC 5280 §4.1.2.2, §5.2.5, §7.1."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type as Form
from msgspec.structs import replace
from tests import vaultstack
from tests.certificates import Issued, listed
from tests.doors.vault.test_logins_crls import UNFIT, Revoking

from keystead.core.entities import CertificateId, RevocationList, Revoked
from keystead.crypto.chains import ids_of
from keystead.crypto.names import digest_of
from keystead.service.barrier import Commit

INDIRECT = x509.IssuingDistributionPoint(None, None, False, False, None, True, False)


@pytest.fixture
def vault() -> Revoking:
    made = Revoking()
    made.other = Issued("other", ca=True, start=made.stack.clock.now())
    made.root.data("POST", "auth/cert/certs/other", {"certificate": made.other.pem})
    return made


def write(vault: Revoking, by: Issued, *gone: Issued, **more: object) -> None:
    text = listed(by, *gone, now=vault.stack.clock.now(), **more).decode()
    vault.root.data("POST", "auth/cert/crls/l", {"crl": text})


def test_the_number_of_another_authority_s_certificate_revokes_nobody(vault) -> None:
    """Two authorities that count from one give the same numbers."""
    write(vault, vault.other, vault.joe)
    assert vault.why(vault.joe)[0] == 200
    write(vault, vault.ca, vault.joe)
    assert vault.why(vault.joe) == UNFIT


@pytest.mark.parametrize("shows", [True, False])
def test_nor_does_it_end_a_token_whose_certificate_is_shown(vault, shows) -> None:
    """Where it is not, nobody knows whose the number is, and every list counts."""
    vault.root.data("POST", "auth/cert/config", {"disable_binding": True})
    token = vaultstack.Bearer(vault.stack, vault.log_in(vault.joe).json["auth"]["client_token"])
    write(vault, vault.other, vault.joe)
    vault.show(*((vault.joe,) if shows else ()))
    assert token("POST", "auth/token/renew-self", {}).status == (200 if shows else 400)
    write(vault, vault.ca, vault.joe)
    assert token.refused("POST", "auth/token/renew-self", {}) == UNFIT


def test_a_list_that_is_of_several_issuers_counts_for_all(vault) -> None:
    write(vault, vault.other, vault.joe, extension=INDIRECT)
    assert vault.why(vault.joe) == UNFIT


def test_a_list_that_was_kept_before_it_was_told_whose_it_is_counts_for_all(vault) -> None:
    write(vault, vault.other, vault.joe)
    barrier = vault.stack.barrier
    (kept,) = barrier.every(RevocationList)
    barrier.commit(Commit(put=(replace(kept, revoked=Revoked.of(kept.revoked.serials, None)),)))
    vault.stack.generation.announce()
    assert vault.why(vault.joe) == UNFIT


def named(text: str, form: Form = Form.UTF8String) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, text, form)])


def test_an_authority_is_the_same_however_its_name_is_written(vault) -> None:
    """One that writes its own name twice in two ways would else revoke nothing."""
    now = vault.stack.clock.now()
    one = Issued("", ca=True, start=now, subject=named("Acme  Straße", Form.UTF8String))
    two = Issued("", ca=True, start=now, subject=named("ACME Strasse", Form.PrintableString), key=one.key)
    ann = Issued("ann", one, start=now)
    vault.root.data("POST", "auth/cert/certs/one", {"certificate": one.pem})
    assert vault.why(ann)[0] == 200
    write(vault, two, ann)
    assert vault.why(ann) == UNFIT


def test_names_are_compared() -> None:
    assert digest_of(named("a b")) == digest_of(named(" A  B ", Form.PrintableString)) != digest_of(named("ab"))
    unit = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, "a b")])
    assert digest_of(unit) != digest_of(named("a b"))
    bits = x509.NameAttribute(x509.NameOID.X500_UNIQUE_IDENTIFIER, b"\x01", Form.BitString)
    assert digest_of(x509.Name([bits])) != digest_of(x509.Name([]))


def test_what_a_list_names() -> None:
    said = Revoked.of([3], None, covers=b"x")
    asked = (CertificateId(3, b"x"), CertificateId(3), CertificateId(3, b"y"), CertificateId(4, b"x"))
    assert [said.names(one) for one in asked] == [True, True, False, False]
    assert Revoked.of([3], None).names(CertificateId(3, b"y"))


def test_what_cannot_be_read_has_no_name() -> None:
    ca = Issued("ca", ca=True)
    assert ids_of((b"x", ca.der)) == (CertificateId(ca.made.serial_number, digest_of(ca.made.subject)),)
