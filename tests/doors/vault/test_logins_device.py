"""auth/oidc: logins on another device, callback_mode=device. RFC 8628; OpenBao, "JWT/OIDC auth method"."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tests import vaultstack
from tests.doors.vault.test_logins_oidc import ISSUER, NO_STATE, Browsing

from keystead.core.entities import OidcLogin

NONCE = "of whoever has begun it"


class Typing(Browsing):
    def __init__(self) -> None:
        super().__init__()
        self.role(callback_mode="device", token_policies="p")

    def begun(self, **fields) -> dict:
        body = {"role": "r", "client_nonce": NONCE, **fields}
        return self.nobody.data("POST", "auth/oidc/oidc/auth_url", body)

    def poll(self, state: str, nonce: str = NONCE):
        self.stack.clock.forward(timedelta(seconds=5))
        return self.nobody("POST", "auth/oidc/oidc/poll", {"state": state, "client_nonce": nonce})

    def why(self, state: str, nonce: str = NONCE) -> str:
        reply = self.poll(state, nonce)
        assert reply.status == 400, reply.body
        return reply.json["errors"][0]

    def typed(self, what: str = "") -> None:
        """Somebody has typed the code in; or what has come of it."""
        (code,) = self.issuer.devices
        self.issuer.devices[code] = what

    def under_way(self) -> list[OidcLogin]:
        return list(self.stack.barrier.children(OidcLogin, self.root.data("GET", "sys/auth/oidc")["uuid"]))


@pytest.fixture
def vault() -> Typing:
    return Typing()


def test_whoever_types_the_code_in_is_logged_in_where_it_was_asked_for(vault) -> None:
    begun = vault.begun()
    assert begun == {
        "auth_url": f"{ISSUER}/code",
        "user_code": "WDJB-MJHT",
        "poll_interval": "5",
        "state": begun["state"],
    }
    assert [vault.why(begun["state"]) for _ in range(2)] == ["authorization_pending"] * 2
    vault.typed()
    auth = vault.poll(begun["state"]).json["auth"]
    assert (auth["policies"], auth["metadata"]) == (["default", "p"], {"role": "r"})
    assert vaultstack.Bearer(vault.stack, auth["client_token"]).is_good()
    assert vault.why(begun["state"]) == NO_STATE and vault.under_way() == []


def test_a_page_that_has_the_code_needs_none(vault) -> None:
    page = {"device_code": "d", "user_code": "u", "verification_url": f"{ISSUER}/c", "interval": 7}
    page["verification_uri_complete"] = f"{ISSUER}/c?u"
    vault.issuer.answers["/device"] = (200, json.dumps(page).encode())
    found = vault.begun()
    assert (found["auth_url"], found["poll_interval"], "user_code" in found) == (f"{ISSUER}/c?u", "7", False)
    vault.role(callback_mode="device", poll_interval=9)
    assert vault.begun()["poll_interval"] == "9"
    assert vault.root.data("GET", "auth/oidc/role/r")["poll_interval"] == 9


@pytest.mark.parametrize(
    "page", [{"device_code": "d", "verification_uri": "http://a.test/"}, {"verification_uri": f"{ISSUER}/c"}, []]
)
def test_a_page_that_nobody_is_sent_to(vault, page) -> None:
    vault.issuer.answers["/device"] = (200, json.dumps(page).encode())
    asked = {"role": "r", "client_nonce": NONCE}
    assert vault.nobody.refused("POST", "auth/oidc/oidc/auth_url", asked)[0] == 503
    assert vault.under_way() == []


def test_who_asks_too_often_is_not_passed_on(vault) -> None:
    state = vault.begun()["state"]
    assert vault.why(state) == "authorization_pending"
    n = vault.issuer.asked.count("/token")
    asked = {"state": state, "client_nonce": NONCE}
    assert vault.nobody.refused("POST", "auth/oidc/oidc/poll", asked) == (400, "slow_down")
    assert vault.issuer.asked.count("/token") == n
    vault.typed()
    assert vault.poll(state).status == 200


def test_asking_again_is_no_failed_login(vault) -> None:
    state = vault.begun()["state"]
    assert {vault.why(state) for _ in range(50)} == {"authorization_pending"}


@pytest.mark.parametrize("error", ["access_denied", "expired_token", "<script>"])
def test_what_the_issuer_refuses_is_refused(vault, error) -> None:
    state = vault.begun()["state"]
    vault.typed(error)
    said = "an error" if error == "<script>" else error
    assert vault.why(state) == f"authorization failed: {said}"


def test_only_who_has_begun_it_may_ask(vault) -> None:
    assert vault.nobody.refused("POST", "auth/oidc/oidc/auth_url", {"role": "r"}) == (400, "missing client_nonce")
    state = vault.begun()["state"]
    vault.typed()
    assert vault.why(state, "another") == "invalid client_nonce"
    assert vault.why(state) == NO_STATE


def test_the_two_ways_do_not_meet(vault) -> None:
    """A state of another device is none for who comes back from a browser, and the other way round."""
    state = vault.begun()["state"]
    assert vault.come_back(state, "code", client_nonce=NONCE).json["errors"] == [NO_STATE]
    vault.role("browser")
    url = vault.begin("browser", client_nonce=NONCE)
    assert vault.why(vault.issuer.authorize(url)[0]) == NO_STATE


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ({"aud": "another"}, "id_token is for another client"),
        ({"iss": "https://evil.test"}, "id_token issued by a different provider"),
        ({"exp": 1}, "id_token is expired"),
        ({"at_hash": "x"}, "at_hash failed verification"),
    ],
)
def test_an_identity_token_is_looked_at_as_any_other(vault, says, why) -> None:
    vault.issuer.says = says
    state = vault.begun()["state"]
    vault.typed()
    assert why in vault.why(state)


def test_a_role_that_has_changed_ends_it(vault) -> None:
    state = vault.begun()["state"]
    vault.role(callback_mode="client")
    vault.typed()
    assert vault.why(state) == "Vault login failed. Role could not be found"


def test_an_issuer_without_such_a_place(vault) -> None:
    del vault.issuer.configuration["device_authorization_endpoint"]
    asked = {"role": "r", "client_nonce": NONCE}
    words = "no device auth endpoint url discovered"
    assert vault.nobody.refused("POST", "auth/oidc/oidc/auth_url", asked) == (503, words)


def test_it_lasts_as_long_as_the_code_does(vault) -> None:
    state = vault.begun()["state"]
    vault.typed()
    vault.stack.clock.forward(timedelta(seconds=300))
    assert vault.why(state) == NO_STATE


@pytest.mark.parametrize(
    ("fields", "words"), [({"callback_mode": "direct"}, "not offered"), ({"poll_interval": -1}, "0 to")]
)
def test_what_a_role_cannot_be(vault, fields, words) -> None:
    body = {"user_claim": "sub", "allowed_redirect_uris": "https://a.test/", **fields}
    status, said = vault.root.refused("POST", "auth/oidc/role/x", body)
    assert status == 400 and words in said
