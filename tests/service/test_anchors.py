"""Of whom a handshake comes about: no tenant's authorities keep another's clients from connecting."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from tests import vaultstack
from tests.certificates import Authority, Issued

from keystead.app.clientcerts import Asking
from keystead.config import Tls
from keystead.service.anchors import Anchors
from keystead.service.handlers import loginsettings

KEY_ID = x509.SubjectKeyIdentifier(b"k" * 20)
OTHER_ID = x509.SubjectKeyIdentifier(b"o" * 20)
BY = x509.AuthorityKeyIdentifier(KEY_ID.digest, None, None)


class House(vaultstack.Vault):
    """Two tenants, each with a mount that asks for certificates."""

    def __init__(self) -> None:
        super().__init__()
        self.root.data("POST", "sys/namespaces/ns1", {})
        for at in ("", "ns1"):
            assert self.root("POST", "sys/auth/cert", {"type": "cert"}, x_vault_namespace=at).status == 204
        self.anchors = Anchors(self.stack.barrier, self.stack.store, self.stack.generation.current)

    def role(self, pem: str, at: str = "", name: str = "r") -> None:
        self.stack.clock.forward(timedelta(seconds=1))
        reply = self.root("POST", f"auth/cert/certs/{name}", {"certificate": pem}, x_vault_namespace=at)
        assert reply.status == 204, reply.body


@pytest.fixture
def house() -> House:
    return House()


def authority(key_id: x509.SubjectKeyIdentifier | None = KEY_ID, *, days: int = 1, **more: object) -> Issued:
    return Issued("ca", ca=True, lasts_for=timedelta(days=days), extensions=(key_id,) if key_id else (), **more)


OURS, OTHER = authority(), Issued("another", ca=True)
THEIRS = {
    "the same key by name": authority(days=3650),
    "no key by name": authority(None, days=3650),
    "another certificate of our key": authority(key=OURS.key, length=0, days=3650),
    "not even an authority": Issued("ca", lasts_for=timedelta(days=3650), extensions=(KEY_ID,)),
}


@pytest.mark.parametrize("theirs", THEIRS.values(), ids=THEIRS)
def test_what_is_called_as_another_tenants_authority_is_left_out(house, theirs) -> None:
    house.role(OURS.pem)
    house.role(theirs.pem, "ns1")
    house.role(f"{Issued('y', ca=True).pem}{theirs.pem}", "ns1", "behind another")
    assert house.anchors.certificates() == {OURS.pem}
    house.role(Issued("x", ca=True).pem, "ns1")
    assert len(house.anchors.certificates()) == 2
    house.role(theirs.pem, "ns1")
    assert house.anchors.certificates() == {OURS.pem}, "a role of before has no older claim to what it says now"
    house.role(OURS.pem)
    house.root.data("POST", "auth/cert/certs/r", {"token_ttl": "1h"})
    assert house.anchors.certificates() == {OURS.pem}, "and one that says the same has the claim that it had"
    house.root.data("DELETE", "auth/cert/certs/r")
    assert theirs.pem in house.anchors.certificates(), "a name that nobody has is anybody's"


def test_the_very_same_is_shared_and_a_tenants_own_stand_beside_each_other(house) -> None:
    other, new = authority(OTHER_ID), authority(KEY_ID)
    house.role(OURS.pem)
    house.role(OURS.pem, "ns1")
    house.role(other.pem, "ns1", "another key by name")
    house.role(new.pem, "", "new")
    assert house.anchors.certificates() == {OURS.pem, other.pem, new.pem}


@pytest.mark.parametrize("theirs", THEIRS.values(), ids=THEIRS)
def test_our_clients_get_through_whatever_another_tenant_writes(house, theirs, tmp_path) -> None:
    """Of two that are called alike OpenSSL tries one, and the client of the other is cut, whatever it asks for."""
    client = Issued("joe", OURS, extensions=(BY,))
    asking = Asking(tls(tmp_path), house.anchors.certificates)
    house.role(OURS.pem)
    house.role(theirs.pem, "ns1")
    asking.refresh()
    assert shaken(asking.context, client, tmp_path) == client.der


def test_an_authority_that_was_renewed_is_known_by_what_another_tenant_has_of_it(house, tmp_path) -> None:
    old = Issued("ca", ca=True, extensions=(KEY_ID,), key=OURS.key, lasts_for=timedelta(hours=-12))
    client = Issued("joe", OURS, extensions=(BY,))
    house.role(old.pem)
    house.role(OURS.pem, "ns1")
    asking = Asking(tls(tmp_path), house.anchors.certificates)
    asking.refresh()
    assert shaken(asking.context, client, tmp_path) == client.der


def tls(directory: Path) -> Tls:
    certificate, key = Authority(directory).issue("localhost")
    return Tls(certificate=f"file:{certificate}", private_key=f"file:{key}")


def shaken(server: ssl.SSLContext, client: Issued, directory: Path) -> bytes | None:
    """The certificate that a server has of a client after a handshake in memory. Raises ssl.SSLError."""
    path = directory / "client.pem"
    path.write_bytes(client.pem.encode() + client.private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(path)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (context.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True))
    for _ in range(8):
        for one in ends:
            try:
                one.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[1].getpeercert(binary_form=True)


def test_a_tenant_has_so_many_certificates_and_no_more(house, monkeypatch) -> None:
    """Each worker reads all of them between two requests: 1,000 roles of 500 would have taken it minutes."""
    monkeypatch.setattr(loginsettings, "MOST_CERTIFICATES", 3)
    house.role(OURS.pem + OURS.pem)
    assert house.root("POST", "sys/auth/other", {"type": "cert"}).status == 204
    full = {"certificate": OURS.pem + OURS.pem}
    assert house.root("POST", "auth/other/certs/r", full).status == 413
    assert house.root("POST", "auth/other/certs/r", {"certificate": OURS.pem}).status == 204
    assert house.root("POST", "auth/cert/certs/q", {"certificate": OURS.pem}).status == 413
    assert house.root("POST", "auth/cert/certs/r", {"certificate": OURS.pem + "\n" * 12300}).status == 413
    house.role(OTHER.pem + OURS.pem)  # as many as it had
    house.role(OTHER.pem + OTHER.pem, "ns1")  # another's are no matter
    house.role(OURS.pem)
    assert house.root("POST", "auth/cert/certs/q", {"certificate": OURS.pem}).status == 204
