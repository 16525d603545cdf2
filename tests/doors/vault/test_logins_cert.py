"""auth/cert: Vault HTTP API, "TLS certificates auth method"; words held to OpenBao 2.7.2."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from tests import vaultstack
from tests.certificates import Issued

from keystead.core.entities import Account, Token
from keystead.service.anchors import Anchors

INVALID = (400, "invalid certificate or no client certificate supplied")
UNFIT = (400, "no chain matching all constraints could be found for this login certificate")
NAMES = x509.SubjectAlternativeName(
    [x509.DNSName("joe.test"), x509.RFC822Name("joe@a.test"), x509.UniformResourceIdentifier("spiffe://a/joe")]
)
UNIT = x509.Name(
    [x509.NameAttribute(NameOID.COMMON_NAME, "joe"), x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "eng")]
)
OID = "1.3.6.1.4.1.99999.1"
OWN = x509.UnrecognizedExtension(x509.ObjectIdentifier(OID), b"\x0c\x05a-b-c")  # a UTF8String


class Shown(vaultstack.Vault):
    def __init__(self) -> None:
        super().__init__()
        start = self.stack.clock.now()
        self.ca = Issued("ca", ca=True, start=start)
        self.joe = Issued("joe", self.ca, subject=UNIT, extensions=(NAMES, OWN), start=start)
        self.stranger = Issued("joe", Issued("ca", ca=True, start=start), start=start)
        self.root.data("POST", "sys/auth/cert", {"type": "cert"})
        self.role()

    def role(self, name: str = "r", **fields) -> None:
        self.root.data("POST", f"auth/cert/certs/{name}", {"certificate": self.ca.pem, **fields})

    def log_in(self, *chain: Issued, name: str = ""):
        self.show(*chain)
        try:
            return self.nobody("POST", "auth/cert/login", {"name": name} if name else {})
        finally:
            self.show()

    def show(self, *chain: Issued) -> None:
        self.stack.certificates = tuple(one.der for one in chain)

    def why(self, *chain: Issued, name: str = "") -> tuple[int, str]:
        reply = self.log_in(*chain, name=name)
        return reply.status, "".join(reply.json["errors"])


@pytest.fixture
def vault() -> Shown:
    return Shown()


def test_a_certificate_logs_in(vault) -> None:
    vault.role(token_policies="p", token_ttl="1h", display_name="dn")
    for name in ("", "r", "R"):
        auth = vault.log_in(vault.joe, name=name).json["auth"]
        assert (auth["policies"], auth["lease_duration"]) == (["default", "p"], 3600)
    assert auth["metadata"] == {
        "authority_key_id": "",
        "cert_name": "r",
        "common_name": "joe",
        "serial_number": str(vault.joe.made.serial_number),
        "subject_key_id": "",
    }
    found = vaultstack.Bearer(vault.stack, auth["client_token"]).data("GET", "auth/token/lookup-self")
    assert (found["display_name"], found["path"]) == ("cert-dn", "auth/cert/login")


def test_a_token_is_renewed_by_its_role_as_that_is_now(vault) -> None:
    vault.root.data("POST", "auth/cert/config", {"disable_binding": True})
    vault.role(token_policies="p", token_ttl="1h")
    token = vaultstack.Bearer(vault.stack, vault.log_in(vault.joe).json["auth"]["client_token"])
    vault.role(token_policies="p", token_ttl="2h")
    assert token("POST", "auth/token/renew-self", {}).json["auth"]["lease_duration"] == 7200
    vault.role(token_policies="q")
    words = "failed to renew entry: policies have changed, not renewing"
    assert token.refused("POST", "auth/token/renew-self", {}) == (400, words)
    vault.root.data("DELETE", "auth/cert/certs/r")
    words = 'failed to renew entry: role "r" does not exist during renewal'
    assert token.refused("POST", "auth/token/renew-self", {}) == (400, words)


def test_who_is_not_let_in(vault) -> None:
    assert vault.why() == (400, "no client certificate found")
    assert vault.why(vault.stranger) == INVALID
    assert vault.why(vault.joe, name="zz") == INVALID
    vault.stack.clock.forward(timedelta(days=2))
    assert vault.why(vault.joe) == INVALID


def test_between_it_and_the_authority_there_may_be_others(vault) -> None:
    middle = Issued("middle", vault.ca, ca=True, start=vault.stack.clock.now())
    below = Issued("eve", middle, start=vault.stack.clock.now())
    assert vault.log_in(below, middle).status == 200
    assert vault.why(below) == INVALID


def test_a_role_may_be_one_certificate(vault) -> None:
    vault.role("leaf", certificate=vault.stranger.pem)
    assert vault.log_in(vault.stranger).json["auth"]["metadata"]["cert_name"] == "leaf"
    assert vault.why(vault.stranger, name="r") == INVALID
    assert vault.why(vault.joe, name="leaf") == INVALID


def test_its_key_in_another_certificate_is_not_that_certificate(vault) -> None:
    """CVE-2024-2048, CVE-2025-6037: nor is another of its issuer."""
    vault.role("leaf", certificate=vault.joe.pem)
    start = vault.stack.clock.now()
    ann = Issued("ann", key=vault.joe.key, start=start)
    for other in (ann, Issued("ann", vault.ca, key=vault.joe.key, start=start), Issued("joe", vault.ca, start=start)):
        assert vault.why(other, name="leaf") == INVALID
    assert vault.why(Issued("ann", vault.joe, start=start), vault.joe, name="leaf") == INVALID
    assert vault.log_in(vault.joe, name="leaf").status == 200


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("allowed_names", ["joe", "*.test", "joe@*"], ["jim", "spiffe://a/joe", "jo"]),
        ("allowed_common_names", ["jo*"], ["joe.test"]),
        ("allowed_dns_sans", ["*.test"], ["joe"]),
        ("allowed_email_sans", ["*@a.test"], ["joe"]),
        ("allowed_uri_sans", ["spiffe://*"], ["joe"]),
        ("allowed_organizational_units", ["eng"], ["ops"]),
        (
            "required_extensions",
            [f"{OID}:a-*", f"hex:{OID}:0c05612d622d63"],
            [f"{OID}:b", "1.2.3:*", f"hex:{OID}:0c", "bad", f"{OID}:a-b-c,1.2.3:x"],
        ),
    ],
)
def test_what_a_role_asks(vault, name, good, bad) -> None:
    for value in good:
        vault.role(**{name: value})
        assert vault.log_in(vault.joe).status == 200, value
    for value in bad:
        vault.role(**{name: value})
        assert vault.why(vault.joe) == UNFIT, value


def test_a_certificate_without_a_name_is_nobodys(vault) -> None:
    unit = x509.Name([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "eng")])
    nameless = Issued("-", vault.ca, start=vault.stack.clock.now(), subject=unit)
    assert vault.why(nameless) == (400, "the certificate has no common name")


def test_the_next_role_that_fits_is_the_one(vault) -> None:
    vault.role("a", allowed_common_names="eve")
    vault.role("b", certificate=vault.stranger.pem)
    assert vault.log_in(vault.joe).json["auth"]["metadata"]["cert_name"] == "r"


def test_extensions_that_are_told(vault) -> None:
    vault.role(allowed_metadata_extensions=f"{OID},2.5.29.19")
    meta = vault.log_in(vault.joe).json["auth"]["metadata"]
    assert (meta[OID.replace(".", "-")], meta["2-5-29-19"]) == ("a-b-c", "")


def test_from_elsewhere(vault) -> None:
    """The peer is 203.0.113.7."""
    vault.role(token_bound_cidrs="10.0.0.0/8")
    assert vault.log_in(vault.joe).status == 403


def test_a_token_is_renewed_with_the_key_it_was_got_with(vault) -> None:
    """CVE-2026-39388."""
    token = vaultstack.Bearer(vault.stack, vault.log_in(vault.joe).json["auth"]["client_token"])
    words = (400, "client identity during renewal not matching client identity used during login")
    assert token.refused("POST", "auth/token/renew-self", {}) == words
    vault.show(Issued("joe", vault.ca, start=vault.stack.clock.now()))
    assert token.refused("POST", "auth/token/renew-self", {}) == words
    vault.show(vault.joe)
    assert token("POST", "auth/token/renew-self", {}).status == 200
    vault.show()
    vault.root.data("POST", "auth/cert/config", {"disable_binding": True})
    free = vaultstack.Bearer(vault.stack, vault.log_in(vault.joe).json["auth"]["client_token"])
    assert free("POST", "auth/token/renew-self", {}).status == 200
    assert vault.root.data("GET", "auth/cert/config")["disable_binding"] is True
    vault.root.data("POST", "auth/cert/config", {})
    assert vault.root.data("GET", "auth/cert/config")["disable_binding"] is True  # as it was


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "failed to parse certificate"),
        ({"certificate": "x"}, "failed to parse certificate"),
    ],
)
def test_a_role_that_cannot_be(vault, fields, words) -> None:
    assert vault.root.refused("POST", "auth/cert/certs/new", fields) == (400, words)


def test_roles_are_read_changed_listed_deleted(vault) -> None:
    vault.role(allowed_names="a,b")
    vault.root.data("POST", "auth/cert/certs/r", {"token_ttl": "1h"})
    found = vault.root.data("GET", "auth/cert/certs/r")
    assert (found["certificate"], found["allowed_names"], found["token_ttl"]) == (vault.ca.pem, ["a", "b"], 3600)
    assert (found["display_name"], found["allowed_dns_sans"]) == ("r", None)
    assert vault.root.data("LIST", "auth/cert/certs") == {"keys": ["r"]}
    vault.root.data("DELETE", "auth/cert/certs/r")
    assert vault.why(vault.joe) == INVALID
    assert vault.root.refused("GET", "auth/cert/certs/r") == (404, "")


def test_disabling_the_method_ends_whoever_came_by_it(vault) -> None:
    token = vaultstack.Bearer(vault.stack, vault.log_in(vault.joe).json["auth"]["client_token"])
    assert token.is_good()
    assert vault.root("DELETE", "sys/auth/cert").status == 204
    assert not token.is_good()
    assert [len(vault.stack.barrier.every(kind, limit=10)) for kind in (Account, Token)] == [0, 1]


def test_the_record_names_role_and_subject(vault) -> None:
    vault.log_in(vault.joe)
    vault.log_in(vault.stranger, name="r")
    made = [one for one in vault.stack.records() if one.operation == "cert write login"]
    assert [(one.who.via, one.who.name, one.why) for one in made] == [("r", "joe", ""), ("r", "", "certificate")]


def test_what_handshakes_are_verified_against(vault) -> None:
    """Every role's certificates, as soon as it is there, and no longer than it is; a change costs its own rows."""
    stack = vault.stack
    anchors = Anchors(stack.barrier, stack.store, stack.generation.current)
    assert anchors.certificates() == {vault.ca.pem}
    vault.role("leaf", certificate=vault.stranger.pem)
    assert anchors.certificates() == {vault.ca.pem, vault.stranger.pem}
    vault.role("leaf", certificate=vault.ca.pem)
    assert anchors.certificates() == {vault.ca.pem}
    vault.root.data("POST", "sys/auth/userpass", {"type": "userpass"})
    vault.root.data("POST", "auth/userpass/users/bob", {"password": "pw"})
    assert anchors.certificates() == {vault.ca.pem}
    vault.root.data("DELETE", "auth/cert/certs/r")
    vault.root.data("DELETE", "auth/cert/certs/leaf")
    assert anchors.certificates() == frozenset()
    vault.role()
    assert anchors.certificates() == {vault.ca.pem}
    vault.root.data("DELETE", "sys/auth/cert")
    assert anchors.certificates() == frozenset()
