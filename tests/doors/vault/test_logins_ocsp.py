"""auth/cert: responders that say whether a certificate is revoked. RFC 6960; Vault HTTP API, `ocsp_enabled`."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID
from tests.certificates import Issued
from tests.doors.vault.test_logins_cert import UNFIT, Shown

from keystead.app.vouching import login_status
from keystead.config import Logins
from keystead.core.errors import Unavailable
from keystead.crypto.ocsp import Question, Standing

URL, OTHER = "http://ocsp.test/a", "https://ocsp.test/b"
NOT_ASKED = (503, "whether the certificate is revoked cannot be found out. Try again later.")
GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN
SIGNS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])


def _place(url: str) -> x509.AuthorityInformationAccess:
    place = x509.UniformResourceIdentifier(url)
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)])


class Asking(Shown):
    """Where a role asks; `joe` says himself whom."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.stack.clock.now()
        self.joe = Issued("joe", self.ca, extensions=(_place(URL),), start=self.now)
        self.role(ocsp_enabled=True)
        self.says(URL)

    def says(self, url: str, status: ocsp.OCSPCertStatus = GOOD, **more) -> None:
        self.stack.responders[url] = lambda body: self.answer(body, status, **more)

    def answer(
        self,
        body: bytes,
        status: ocsp.OCSPCertStatus = GOOD,
        *,
        of: Issued | None = None,
        by: Issued | None = None,
        issuer: Issued | None = None,
        age: timedelta = timedelta(0),
        lasts: timedelta | None = timedelta(hours=1),
        among: tuple[Issued, ...] = (),
    ) -> bytes:
        asked, of, by = ocsp.load_der_ocsp_request(body), of or self.joe, by or self.ca
        assert asked.serial_number == self.joe.made.serial_number
        begins = self.now - age
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=of.made,
            issuer=(issuer or self.ca).made,
            algorithm=hashes.SHA1(),  # noqa: S303 - what names a certificate, as clients send it
            cert_status=status,
            this_update=begins,
            next_update=None if lasts is None else begins + lasts,
            revocation_time=begins if status is REVOKED else None,
            revocation_reason=None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, by.made)
        builder = builder.certificates([*(one.made for one in among), by.made])
        return builder.sign(by.key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture
def vault() -> Asking:
    return Asking()


def test_who_is_good_comes_in_and_who_is_revoked_does_not(vault) -> None:
    """CVE-2024-2660."""
    assert vault.log_in(vault.joe).status == 200
    vault.says(URL, REVOKED)
    assert vault.why(vault.joe) == UNFIT
    vault.role(ocsp_enabled=False)
    assert vault.log_in(vault.joe).status == 200


@pytest.mark.parametrize("status", [UNKNOWN, None])
def test_where_nobody_tells(vault, status) -> None:
    if status is None:
        del vault.stack.responders[URL]
    else:
        vault.says(URL, status)
    assert vault.why(vault.joe) == NOT_ASKED
    vault.role(ocsp_fail_open=True)
    assert vault.log_in(vault.joe).status == 200
    vault.says(URL, REVOKED)
    assert vault.why(vault.joe) == UNFIT


def test_a_certificate_that_names_no_responder(vault) -> None:
    bare = Issued("joe", vault.ca, start=vault.now)
    assert vault.why(bare) == NOT_ASKED


def test_whom_the_role_names_is_asked_instead(vault) -> None:
    del vault.stack.responders[URL]
    vault.role(ocsp_servers_override=[OTHER, URL])
    assert vault.why(vault.joe) == NOT_ASKED
    vault.says(URL)
    assert vault.log_in(vault.joe).status == 200  # the first that says is enough
    vault.role(ocsp_query_all_servers=True)
    assert vault.why(vault.joe) == NOT_ASKED
    vault.says(OTHER)
    assert vault.log_in(vault.joe).status == 200
    vault.says(OTHER, REVOKED)
    assert vault.why(vault.joe) == UNFIT


def odd(vault: Asking) -> dict[str, dict]:
    stranger = Issued("ca", ca=True, start=vault.now)
    return {
        "of another certificate": {"of": Issued("joe", vault.ca, start=vault.now)},
        "of another authority": {"issuer": stranger, "by": vault.ca},
        "by another authority": {"by": stranger},
        "by one of its clients": {"by": Issued("eve", vault.ca, start=vault.now)},
        "by somebody else's responder": {"by": Issued("r", stranger, extensions=(SIGNS,), start=vault.now)},
        "by one that is over": {"by": Issued("r", vault.ca, extensions=(SIGNS,), start=vault.now - timedelta(days=9))},
        "of yesterday": {"age": timedelta(hours=2)},
        "of long ago": {"age": timedelta(days=2), "lasts": None},
        "of tomorrow": {"age": -timedelta(hours=2)},
    }


@pytest.mark.parametrize("name", list(odd(Asking())))
def test_an_answer_that_is_none(vault, name) -> None:
    """CVE-2024-2660."""
    vault.says(URL, **odd(vault)[name])
    assert vault.why(vault.joe) == NOT_ASKED


@pytest.mark.parametrize("how", ["nothing", "noise", "cut", "changed", "refused"])
def test_bytes_that_are_no_answer(vault, how) -> None:
    refused = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)

    def said(body: bytes) -> bytes:
        whole = vault.answer(body)
        signed = ocsp.load_der_ocsp_response(whole).tbs_response_bytes
        return {
            "nothing": b"",
            "noise": bytes(range(256)),
            "cut": whole[:-9],
            "changed": whole.replace(signed, signed[:-8] + bytes(8)),
            "refused": refused.public_bytes(Encoding.DER),
        }[how]

    vault.stack.responders[URL] = said
    assert vault.why(vault.joe)[0] == 503


def test_a_responder_that_the_authority_has_appointed(vault) -> None:
    vault.says(URL, by=Issued("responder", vault.ca, extensions=(SIGNS,), start=vault.now))
    assert vault.log_in(vault.joe).status == 200


def test_of_what_comes_with_an_answer_few_certificates_are_looked_at(vault) -> None:
    """Whoever answers makes us verify: each may be of everybody whom the role has named."""
    by = Issued("responder", vault.ca, extensions=(SIGNS,), start=vault.now)
    for n, status in ((7, 200), (8, 503)):
        vault.says(URL, by=by, among=(vault.joe,) * n)
        assert vault.log_in(vault.joe).status == status


def test_a_responder_that_the_role_has_named(vault) -> None:
    other = Issued("other", ca=True, start=vault.now)
    for by in (other, Issued("responder", other, extensions=(SIGNS,), start=vault.now)):
        vault.role(ocsp_ca_certificates="")
        vault.says(URL, by=by)
        assert vault.why(vault.joe) == NOT_ASKED
        vault.role(ocsp_ca_certificates=other.pem)
        assert vault.log_in(vault.joe).status == 200


def test_between_it_and_the_authority_there_may_be_others(vault) -> None:
    middle = Issued("middle", vault.ca, ca=True, start=vault.now)
    vault.joe = Issued("joe", middle, extensions=(_place(URL),), start=vault.now)
    vault.says(URL, issuer=middle, by=middle)
    assert vault.log_in(vault.joe, middle).status == 200
    vault.says(URL, issuer=middle, by=vault.ca)
    assert vault.why(vault.joe, middle) == NOT_ASKED


def test_another_role_that_does_not_ask_lets_in_and_one_that_does_overrules_nothing(vault) -> None:
    vault.says(URL, REVOKED)
    vault.role("s", ocsp_enabled=True, ocsp_servers_override=OTHER)
    vault.says(OTHER)
    assert vault.why(vault.joe) == UNFIT
    vault.role("t")
    assert vault.log_in(vault.joe).json["auth"]["metadata"]["cert_name"] == "t"


def test_so_many_are_asked(vault) -> None:
    urls = [f"https://ocsp.test/{n}" for n in range(4)]
    asked: list[str] = []
    for url in urls:
        vault.stack.responders[url] = lambda body, url=url: asked.append(url) or vault.answer(body, UNKNOWN)
    vault.role(ocsp_servers_override=urls)
    assert vault.why(vault.joe) == NOT_ASKED and asked == urls
    words = "ocsp_servers_override has at most 4 servers here"
    assert vault.root.refused("POST", "auth/cert/certs/r", {"ocsp_servers_override": [*urls, URL]}) == (400, words)


def test_a_role_tells_what_it_asks(vault) -> None:
    told = vault.root.data("GET", "auth/cert/certs/r")
    own = {name: value for name, value in told.items() if name.startswith("ocsp_")}
    assert own == {
        "ocsp_ca_certificates": "",
        "ocsp_enabled": True,
        "ocsp_fail_open": False,
        "ocsp_query_all_servers": False,
        "ocsp_servers_override": None,
    }
    for fields in (
        {"ocsp_servers_override": "ftp://a.test"},
        {"ocsp_ca_certificates": "junk"},
        {"certificate": vault.stranger.pem},  # of whom nobody is asked
    ):
        assert vault.root.refused("POST", "auth/cert/certs/r", fields)[0] == 400


def test_a_question_is_of_what_was_sent_alone(vault) -> None:
    question = Question((vault.joe.der,), vault.ca.pem)
    assert question.answer(vault.answer(question.request()), "", vault.now) is Standing.GOOD
    with pytest.raises(ValueError, match="its issuer is not among what was sent"):
        Question((vault.joe.der,), vault.stranger.pem)


def test_without_tls_only_hosts_that_the_operator_has_named() -> None:
    class Net:
        def request(self, method, url, *, terms, **_more):
            return (200, b"+" if terms.plain else b"-")

    ask = login_status(Logins(plain_hosts=["OCSP.test"]), Net())
    assert (ask(URL, b""), ask("http://other.test/", b"")) == (b"+", b"-")
    Net.request = lambda *_, **__: (500, b"")
    with pytest.raises(Unavailable):
        ask(URL, b"")
