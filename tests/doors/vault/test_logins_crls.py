"""auth/cert/crls: certificates that are revoked. Vault HTTP API, "TLS certificates auth method"; RFC 5280 §5."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests import harness, vaultstack
from tests.certificates import Issued, listed, scoped

from keystead.app.vouching import login_document
from keystead.config import Logins
from keystead.core.entities import LoginSettings, Mount, RevocationList, Revoked, Token
from keystead.core.errors import Unavailable
from keystead.crypto import crls
from keystead.doors import vault as vault_door
from keystead.service.barrier import Commit
from keystead.service.fetching import AGAIN, AT_LEAST, STEPS, Fetching

UNFIT = (400, "no chain matching all constraints could be found for this login certificate")
URL = "https://lists.test/ca.crl"
AWAY = (503, "a list of revoked certificates cannot be had. Try again later.")


class Revoking(vaultstack.Vault):
    def __init__(self) -> None:
        super().__init__()
        start = self.stack.clock.now()
        self.ca = Issued("ca", ca=True, start=start)
        self.middle = Issued("middle", self.ca, ca=True, start=start)
        self.joe, self.jim = (Issued(name, self.ca, start=start) for name in ("joe", "jim"))
        self.eve = Issued("eve", self.middle, start=start)
        self.root.data("POST", "sys/auth/cert", {"type": "cert"})
        self.root.data("POST", "auth/cert/certs/r", {"certificate": self.ca.pem, "token_ttl": "1h"})

    def show(self, *chain: Issued) -> None:
        self.stack.certificates = tuple(one.der for one in chain)

    def log_in(self, *chain: Issued) -> harness.Reply:
        self.show(*chain)
        try:
            return self.nobody("POST", "auth/cert/login", {})
        finally:
            self.show()

    def why(self, *chain: Issued) -> tuple[int, str]:
        reply = self.log_in(*chain)
        return reply.status, "".join(reply.json["errors"]) if reply.status >= 400 else ""

    def revoke(self, *gone: Issued | int, name: str = "l", **more: Any) -> None:
        text = listed(self.ca, *gone, now=self.stack.clock.now(), **more).decode()
        self.root.data("POST", f"auth/cert/crls/{name}", {"crl": text})


@pytest.fixture
def vault() -> Revoking:
    return Revoking()


def test_a_list_is_written_read_and_taken_away(vault) -> None:
    ask = vault.root
    assert ask("LIST", "auth/cert/crls").status == 404
    assert ask.refused("GET", "auth/cert/crls/L") == (400, "no such CRL l")
    vault.revoke(255, 2**70, name="L")
    assert ask.data("GET", "auth/cert/crls/l") == {"serials": {"255": {}, str(2**70): {}}}
    vault.revoke(name="m")
    assert ask.data("GET", "auth/cert/crls/M") == {}
    assert ask.data("LIST", "auth/cert/crls") == {"keys": ["l", "m"]}
    assert ask.data("DELETE", "auth/cert/crls/L") is None
    assert ask.refused("DELETE", "auth/cert/crls/L") == (400, "no such CRL l")
    assert ask.data("LIST", "auth/cert/crls") == {"keys": ["m"]}


def test_a_certificate_that_is_revoked_logs_nobody_in(vault) -> None:
    assert vault.why(vault.joe) == (200, "")
    vault.revoke(vault.joe)
    assert vault.why(vault.joe) == UNFIT
    assert vault.why(vault.jim) == (200, "")
    vault.revoke(vault.jim)  # the list anew: joe is not on it any more
    assert [vault.why(one)[0] for one in (vault.joe, vault.jim)] == [200, 400]
    vault.revoke(vault.joe, name="another")
    assert [vault.why(one) for one in (vault.joe, vault.jim)] == [UNFIT, UNFIT]
    for name in ("l", "another"):
        vault.root.data("DELETE", f"auth/cert/crls/{name}")
    assert [vault.why(one)[0] for one in (vault.joe, vault.jim)] == [200, 200]


def test_nor_does_one_that_an_authority_on_the_way_is_revoked_of(vault) -> None:
    assert vault.why(vault.eve, vault.middle)[0] == 200
    vault.revoke(vault.middle)
    assert vault.why(vault.eve, vault.middle) == UNFIT
    assert vault.why(vault.joe)[0] == 200
    vault.revoke(vault.ca)
    assert vault.why(vault.joe) == UNFIT


def test_another_way_that_nothing_is_revoked_on_is_good(vault) -> None:
    """OpenBao: where an authority between was certified twice, and one of the certificates is revoked."""
    again = Issued("middle", vault.ca, ca=True, start=vault.stack.clock.now(), key=vault.middle.key)
    vault.revoke(vault.middle)
    assert vault.why(vault.eve, vault.middle, again)[0] == 200
    assert vault.why(vault.eve, vault.middle) == UNFIT


def test_a_role_of_one_very_certificate(vault) -> None:
    vault.root.data("POST", "auth/cert/certs/r", {"certificate": vault.joe.pem})
    assert vault.why(vault.joe)[0] == 200
    vault.revoke(vault.joe)
    assert vault.why(vault.joe) == UNFIT


def test_a_list_is_of_its_mount(vault) -> None:
    vault.root.data("POST", "sys/auth/other", {"type": "cert"})
    vault.root.data("POST", "auth/other/certs/r", {"certificate": vault.ca.pem})
    vault.revoke(vault.joe)
    vault.show(vault.joe)
    assert vault.nobody("POST", "auth/other/login", {}).status == 200
    assert vault.root("LIST", "auth/other/crls").status == 404


@pytest.mark.parametrize("binds", [True, False])
def test_a_token_is_not_renewed_once_its_certificate_is_revoked(vault, binds) -> None:
    vault.root.data("POST", "auth/cert/config", {"disable_binding": not binds})
    token = vaultstack.Bearer(vault.stack, vault.log_in(vault.joe).json["auth"]["client_token"])
    vault.revoke(vault.jim)
    vault.show(vault.joe)
    assert token("POST", "auth/token/renew-self", {}).status == 200
    vault.revoke(vault.joe)
    assert token.refused("POST", "auth/token/renew-self", {}) == UNFIT
    assert vault.root.refused("POST", "auth/token/renew", {"token": token.text})[0] == 400
    assert token.is_good()  # until it is over
    vault.root.data("DELETE", "auth/cert/crls/l")
    assert token("POST", "auth/token/renew-self", {}).status == 200


def test_nor_where_what_is_shown_leads_over_one_that_is(vault) -> None:
    token = vaultstack.Bearer(vault.stack, vault.log_in(vault.eve, vault.middle).json["auth"]["client_token"])
    vault.revoke(vault.middle)
    vault.show(vault.eve, vault.middle)
    assert token.refused("POST", "auth/token/renew-self", {}) == UNFIT


def test_at_any_worker_at_once(vault) -> None:
    another = harness.Stack(
        door=vault_door.DOOR, store=vault.stack.store, slot=vault.stack.slot, unseal=vault.stack.unseal, seed=2
    ).on_the_loop()
    another.certificates = (vault.joe.der,)
    elsewhere = vaultstack.Bearer(another, "")
    assert elsewhere("POST", "auth/cert/login", {}).status == 200
    vault.revoke(vault.joe)
    another.generation.announce()  # as the other worker's commit has
    assert elsewhere.refused("POST", "auth/cert/login", {}) == UNFIT


@pytest.mark.parametrize("has_settings", [True, False])
@pytest.mark.parametrize("what", ["login", "renewal"])
def test_a_list_that_comes_while_somebody_is_being_looked_at(vault, what, has_settings) -> None:
    """Between the look and the commit: whoever was let in by then is not, as the list was acknowledged before."""
    if has_settings:
        vault.root.data("POST", "auth/cert/config", {"disable_binding": False})
    token = vaultstack.Bearer(vault.stack, vault.log_in(vault.joe).json["auth"]["client_token"])
    stack, came = vault.stack, []
    commit, n_tokens = stack.barrier.commit, len(stack.barrier.every(Token))
    text = listed(vault.ca, vault.joe, now=stack.clock.now())

    def overtaken(change: Commit) -> None:
        if not came:
            came.append(True)
            vault.root.data("POST", "auth/cert/crls/l", {"crl": text.decode()})
        commit(change)

    stack.barrier.commit = overtaken
    if what == "login":
        assert vault.log_in(vault.joe).status == 400
        assert len(stack.barrier.every(Token)) == n_tokens
    else:
        vault.show(vault.joe)
        assert token.refused("POST", "auth/token/renew-self", {}) == UNFIT
    assert came


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "one of 'crl' or 'url' must be provided"),
        ({"url": ""}, "empty CRL url"),
        ({"url": "ldap://lists.test/ca.crl"}, "invalid CRL url: it has to be an http:// or https:// URL"),
        ({"url": "https://" + "x" * 2000}, "invalid CRL url: it has to be an http:// or https:// URL"),
        ({"crl": ""}, "failed to parse CRL: it is empty"),
        ({"crl": "x"}, "failed to parse CRL: "),
        ({"crl": "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----"}, "failed to parse CRL: "),
    ],
)
def test_what_is_no_list(vault, body, words) -> None:
    status, said = vault.root.refused("POST", "auth/cert/crls/l", body)
    assert status == 400 and said.startswith(words)
    assert vault.stack.barrier.every(RevocationList) == []


def test_a_list_of_changes_alone_is_none(vault) -> None:
    """RFC 5280 §5.2.4: what is not on it may be revoked all the same."""
    text = listed(vault.ca, vault.joe, now=vault.stack.clock.now(), delta=True).decode()
    assert vault.root.refused("POST", "auth/cert/crls/l", {"crl": text}) == (400, "failed to parse CRL: a delta list")


def test_bounds(vault, monkeypatch) -> None:
    monkeypatch.setattr(crls, "MAX_REVOKED", 2)
    vault.revoke(1, 2)
    with pytest.raises(AssertionError):
        vault.revoke(1, 2, 3)
    for n in range(15):
        vault.revoke(n + 1, name=f"n{n}")
    text = listed(vault.ca, now=vault.stack.clock.now()).decode()
    assert vault.root.refused("POST", "auth/cert/crls/more", {"crl": text})[0] == 413
    vault.revoke(7, name="n3")  # one that is there


def test_every_change_is_on_record(vault) -> None:
    vault.revoke(vault.joe)
    vault.root.data("DELETE", "auth/cert/crls/l")
    made = [one for one in vault.stack.records() if "crls" in one.operation]
    assert [(one.operation, one.targets[0].action) for one in made] == [
        ("cert write crls/{name}", "tenant:write-revocation-list"),
        ("cert delete crls/{name}", "tenant:delete-revocation-list"),
    ]


def test_lists_go_with_their_mount(vault) -> None:
    vault.revoke(vault.joe)
    vault.root.data("DELETE", "sys/auth/cert")
    assert [len(vault.stack.barrier.every(kind)) for kind in (RevocationList, LoginSettings)] == [0, 0]


def test_numbers() -> None:
    said = Revoked.of([5, 3, 5, 2**160 - 1], None)
    assert said.serials == (3, 5, 2**160 - 1)
    assert [one in said for one in (3, 5, 2**160 - 1, 4, 0, 2**160, -1)] == [True] * 3 + [False] * 2 + [True] * 2
    assert 1 not in Revoked()
    with pytest.raises(OverflowError):
        Revoked.of([2**160], None)


# --- lists that are to be had somewhere


class World:
    """What URLs lead to; `fetching` is the installation's."""

    def __init__(self, vault: Revoking) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []
        stack = vault.stack
        self.fetching = Fetching(stack.barrier, stack.store, stack.clock, self.fetch, stack.as_scheduler)

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.pages:
            raise Unavailable("no answer")
        return self.pages[url]


@pytest.fixture
def world(vault) -> World:
    return World(vault)


def test_until_a_list_has_been_fetched_nobody_logs_in(vault, world) -> None:
    """CVE-2022-41316."""
    token = vaultstack.Bearer(vault.stack, vault.log_in(vault.jim).json["auth"]["client_token"])
    vault.root.data("POST", "auth/cert/crls/l", {"url": URL})
    assert vault.why(vault.jim) == AWAY
    vault.show(vault.jim)
    assert token.refused("POST", "auth/token/renew-self", {}) == AWAY
    never = {"cdp": {"url": URL, "valid_until": "0001-01-01T00:00:00Z"}}
    assert vault.root.data("GET", "auth/cert/crls/l") == never
    assert world.fetching.step() == 0 and world.asked == [URL]
    assert world.fetching.step() == 0 and world.asked == [URL]  # not more than once a minute
    now = vault.stack.clock.now()
    world.pages[URL] = listed(vault.ca, vault.joe, now=now, form="DER")
    vault.stack.clock.forward(AGAIN)
    assert world.fetching.step() == 1
    assert [vault.why(one) for one in (vault.jim, vault.joe)] == [(200, ""), UNFIT]
    said = vault.root.data("GET", "auth/cert/crls/l")
    assert said["serials"] == {str(vault.joe.made.serial_number): {}} and said["cdp"]["url"] == URL
    assert said["cdp"]["valid_until"] == f"{now + timedelta(hours=12):%Y-%m-%dT%H:%M:%SZ}"


def test_a_list_is_fetched_hourly_and_when_the_next_is_due(vault, world) -> None:
    clock = vault.stack.clock
    world.pages[URL] = listed(vault.ca, now=clock.now(), lasts_for=timedelta(minutes=90))
    vault.root.data("POST", "auth/cert/crls/l", {"url": URL})
    assert [world.fetching.step() for _ in range(3)] == [1, 0, 0]
    clock.forward(AT_LEAST)
    assert world.fetching.step() == 1
    clock.forward(timedelta(minutes=29))
    assert world.fetching.step() == 0
    clock.forward(timedelta(minutes=1))  # the next one should be there, and is not
    assert world.fetching.step() == 0 and len(world.asked) == 3
    world.pages[URL] = listed(vault.ca, vault.joe, now=clock.now())
    clock.forward(AGAIN)
    assert world.fetching.step() == 1 and vault.why(vault.joe) == UNFIT


def test_a_list_whose_next_cannot_be_had_serves_for_a_day(vault, world) -> None:
    clock = vault.stack.clock
    world.pages[URL] = listed(vault.ca, vault.joe, now=clock.now())
    vault.root.data("POST", "auth/cert/crls/l", {"url": URL})
    assert world.fetching.step() == 1
    world.pages.clear()
    clock.forward(timedelta(hours=36, seconds=-1))
    later = Issued("ca", ca=True, start=clock.now())
    jim = Issued("jim", later, start=clock.now())
    vault.root.data("POST", "auth/cert/certs/later", {"certificate": later.pem})
    assert world.fetching.step() == 0
    assert vault.why(jim)[0] == 200
    clock.forward(timedelta(seconds=1))
    assert vault.why(jim) == AWAY


@pytest.mark.parametrize("page", [b"", b"<html>", b"x" * 3_000_000])
def test_what_is_fetched_and_is_no_list_changes_nothing(vault, world, page) -> None:
    world.pages[URL] = listed(vault.ca, vault.joe, now=vault.stack.clock.now())
    vault.root.data("POST", "auth/cert/crls/l", {"url": URL})
    world.fetching.step()
    world.pages[URL] = page
    vault.stack.clock.forward(AT_LEAST)
    assert world.fetching.step() == 0
    assert vault.why(vault.joe) == UNFIT and vault.why(vault.jim)[0] == 200


def test_the_list_of_a_mount_behind_a_thousand_others_is_fetched_too(vault, world) -> None:
    stack = vault.stack
    (mount,) = (one for one in stack.barrier.children(Mount, harness.TENANT) if one.engine == "cert")
    others = [
        replace(mount, id=f"vault-auth:{harness.TENANT}:a{n:04}", uuid=f"other-{n}", accessor=f"other-{n}", revision=0)
        for n in range(1001)
    ]
    for at in range(0, len(others), 500):
        stack.barrier.commit(Commit(put=tuple(others[at : at + 500])))
    world.pages[URL] = listed(vault.ca, vault.joe, now=stack.clock.now())
    vault.root.data("POST", "auth/cert/crls/l", {"url": URL})
    assert world.fetching.step() == 1


def test_a_list_that_was_taken_away_or_written_is_not_fetched(vault, world) -> None:
    vault.root.data("POST", "auth/cert/crls/l", {"url": URL})
    vault.root.data("POST", "auth/cert/crls/m", {"url": URL})
    vault.root.data("DELETE", "auth/cert/crls/l")
    vault.revoke(vault.joe, name="m")
    assert world.fetching.step() == 0 and world.asked == []


def test_a_tenant_whose_servers_hang_keeps_no_other_waiting(vault, world) -> None:
    vault.root.data("PUT", "sys/namespaces/ns1")
    within = {"x_vault_namespace": "ns1"}
    assert vault.root("POST", "sys/auth/cert", {"type": "cert"}, **within).status == 204
    world.pages[URL] = listed(vault.ca, vault.joe, now=vault.stack.clock.now())
    assert vault.root("POST", "auth/cert/crls/l", {"url": URL}, **within).status == 204
    assert world.fetching.step() == 1
    for n in range(STEPS + 2):
        vault.root.data("POST", f"auth/cert/crls/{n}", {"url": f"https://hangs.test/{n}"})
    assert [world.fetching.step() for _ in range(2)] == [0, 0]
    vault.stack.clock.forward(AT_LEAST)  # the others have been due for longer
    world.asked.clear()
    assert world.fetching.step() == 1 and world.asked.index(URL) < 2


def test_a_mount_that_was_moved_is_found(vault, world) -> None:
    vault.root.data("POST", "auth/cert/crls/l", {"url": URL})
    vault.root.data("POST", "sys/remount", {"from": "auth/cert", "to": "auth/moved"})
    world.pages[URL] = listed(vault.ca, vault.joe, now=vault.stack.clock.now())
    assert world.fetching.step() == 1
    assert list(vault.root.data("GET", "auth/moved/crls/l")["serials"]) == [str(vault.joe.made.serial_number)]


def test_another_url_by_now(vault) -> None:
    """What was fetched from the old one does not become the new one's."""
    vault.root.data("POST", "auth/cert/crls/l", {"url": URL})
    world = World(vault)

    def fetch(url: str) -> bytes:
        vault.root.data("POST", "auth/cert/crls/l", {"url": "https://new.test/"})
        return listed(vault.ca, now=vault.stack.clock.now())

    world.fetching._fetch = fetch
    assert world.fetching.step() == 0
    (kept,) = vault.stack.barrier.every(RevocationList)
    assert (kept.url, kept.revoked) == ("https://new.test/", None)


# --- over plain HTTP: what vouches for a list is its signature


PLAIN = "http://lists.test/ca.crl"


def plain(vault, world, page: bytes) -> bool:
    """Whether what is to be had there is taken."""
    vault.root.data("POST", "auth/cert/crls/l", {"url": PLAIN})
    world.pages[PLAIN] = page
    vault.stack.clock.forward(AGAIN)  # what could not be had is asked for once a minute
    taken = world.fetching.step() == 1
    assert (vault.why(vault.jim) != AWAY) is taken
    return taken


def test_a_list_over_plain_http_is_taken_from_who_issues_the_certificates(vault, world) -> None:
    now = vault.stack.clock.now()
    assert plain(vault, world, listed(vault.ca, vault.joe, now=now))
    assert vault.why(vault.joe) == UNFIT


def test_a_list_over_plain_http_that_nobody_of_ours_has_signed_is_none(vault, world) -> None:
    now = vault.stack.clock.now()
    forger = Issued("ca", ca=True, start=now)  # of the same name, with another key
    assert not plain(vault, world, listed(forger, now=now))
    assert not plain(vault, world, listed(Issued("other", ca=True, start=now), now=now))
    assert not plain(vault, world, listed(vault.middle, now=now))  # an authority that no role has
    vault.root.data("POST", "auth/cert/certs/own", {"certificate": vault.joe.pem})
    assert not plain(vault, world, listed(vault.joe, now=now))  # a client is no authority
    right = listed(vault.ca, vault.joe, now=now, form="DER")
    assert not plain(vault, world, right[:-1] + bytes([right[-1] ^ 1]))
    assert plain(vault, world, right)


def test_an_authority_that_may_sign_certificates_alone_signs_no_list(vault, world) -> None:
    now = vault.stack.clock.now()
    alone = Issued("alone", ca=True, signs=True, start=now)
    vault.root.data("POST", "auth/cert/certs/alone", {"certificate": alone.pem})
    assert not plain(vault, world, listed(alone, now=now))


def test_the_list_of_an_authority_that_is_over_is_none(vault, world) -> None:
    now = vault.stack.clock.now()
    over = Issued("over", ca=True, start=now, lasts_for=timedelta(0))
    vault.root.data("POST", "auth/cert/certs/over", {"certificate": over.pem})
    vault.stack.clock.forward(timedelta(seconds=1))
    assert not plain(vault, world, listed(over, now=now))


def test_a_part_of_what_is_revoked_stands_for_the_whole_only_where_its_own_url_is_asked(vault, world) -> None:
    now = vault.stack.clock.now()
    assert not plain(vault, world, listed(vault.ca, now=now, extension=scoped("http://lists.test/other.crl")))
    assert not plain(vault, world, listed(vault.ca, now=now, extension=scoped()))
    assert plain(vault, world, listed(vault.ca, now=now, extension=scoped(PLAIN)))


@pytest.mark.parametrize("url", [URL, PLAIN])
def test_an_older_list_does_not_take_the_place_of_a_newer_one(vault, world, url) -> None:
    """Whoever sits on the way may play back one that is still of today."""
    clock = vault.stack.clock
    before = listed(vault.ca, now=clock.now())
    clock.forward(timedelta(hours=2))
    vault.root.data("POST", "auth/cert/crls/l", {"url": url})
    world.pages[url] = listed(vault.ca, vault.joe, now=clock.now())
    assert world.fetching.step() == 1
    world.pages[url] = before
    clock.forward(AT_LEAST)
    assert world.fetching.step() == 0 and vault.why(vault.joe) == UNFIT


def test_a_list_of_another_role_s_authority_does_not_take_its_place(vault, world) -> None:
    """Anybody has one, and puts it in the way: who was revoked would be on no list any more."""
    clock = vault.stack.clock
    other = Issued("other", ca=True, start=clock.now())
    vault.root.data("POST", "auth/cert/certs/other", {"certificate": other.pem})
    assert plain(vault, world, listed(vault.ca, vault.joe, now=clock.now()))
    clock.forward(AT_LEAST)
    world.pages[PLAIN] = listed(other, now=clock.now())
    assert world.fetching.step() == 0 and vault.why(vault.joe) == UNFIT
    clock.forward(AT_LEAST)
    world.pages[PLAIN] = listed(vault.ca, vault.joe, vault.jim, now=clock.now())
    assert world.fetching.step() == 1 and vault.why(vault.jim) == UNFIT


def test_a_list_by_https_needs_no_signature_that_we_know(vault, world) -> None:
    vault.root.data("POST", "auth/cert/crls/l", {"url": URL})
    world.pages[URL] = listed(Issued("ca", ca=True), vault.joe, now=vault.stack.clock.now())
    assert world.fetching.step() == 1 and vault.why(vault.joe) == UNFIT


def test_lists_without_tls_only_from_hosts_that_the_operator_has_named() -> None:
    class Net:
        def request(self, method, url, *, terms, **_more):
            return (200, b"+" if terms.plain else b"-")

    fetch = login_document(Logins(plain_hosts=["Lists.test"]), Net())
    assert (fetch(PLAIN), fetch("http://other.test/ca.crl")) == (b"+", b"-")
