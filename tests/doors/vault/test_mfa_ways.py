"""Login MFA: every way to log in is asked for a second factor, and ends in one place."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.certificates import listed
from tests.doors.vault.factors import ENFORCEMENTS, METHODS, VALIDATE, password
from tests.doors.vault.test_logins_cert import Shown
from tests.doors.vault.test_logins_device import NONCE, Typing
from tests.doors.vault.test_logins_jwt import Issued
from tests.doors.vault.test_logins_kubernetes import Clustered
from tests.doors.vault.test_logins_oidc import NO_STATE, Browsing
from tests.vaultstack import Bearer

from keystead.core.entities import Token, WaitingLogin
from keystead.doors import vault as door
from keystead.doors.vault.endpoint import Endpoint
from keystead.service import handlers
from keystead.wire.vault.request import Verb


class Polling(Typing):
    def log_in(self, **_fields: object):
        """The poll that somebody has typed the code in for."""
        state = self.begun()["state"]
        self.typed()
        return self.poll(state)


WAYS = {"cert": Shown, "jwt": Issued, "kubernetes": Clustered, "oidc": Browsing, "oidc on another device": Polling}


def mount_of(way: str) -> str:
    return way.partition(" ")[0]


def asking(way: str):
    """(the vault, the id of a method) where every login of that engine is asked."""
    vault = WAYS[way]()
    assert vault.log_in(*shown(vault)).json["auth"]["client_token"]
    method = vault.root.data("POST", METHODS, {"issuer": "Acme", "method_name": "m"})["method_id"]
    asked = {"mfa_method_ids": [method], "auth_method_types": [mount_of(way)]}
    vault.root.data("POST", f"{ENFORCEMENTS}/e", asked)
    return vault, method


def shown(vault) -> tuple:
    return (vault.joe,) if isinstance(vault, Shown) else ()


def begun(vault) -> str:
    auth = vault.log_in(*shown(vault)).json["auth"]
    assert auth["client_token"] == ""
    return auth["mfa_requirement"]["mfa_request_id"]


def validated(vault, request: str, method: str, ahead: int = 0):
    (waiting,) = vault.stack.barrier.every(WaitingLogin)
    asked = {"method_id": method, "entity_id": waiting.entity}
    url = vault.root.data("POST", f"{METHODS}/admin-generate", asked)["url"]
    code = password(url, vault.stack.clock.now().timestamp() + ahead)
    return vault.nobody("POST", VALIDATE, {"mfa_request_id": request, "mfa_payload": {method: [code]}})


def of_logins(vault) -> list[Token]:
    return [one for one in vault.stack.barrier.every(Token) if one.path.startswith("auth/") and one.mount]


@pytest.mark.parametrize("engine", WAYS)
def test_whatever_they_go_by(engine) -> None:
    vault, method = asking(engine)
    before = len(of_logins(vault))
    done = validated(vault, begun(vault), method)
    assert done.status == 200, done.body
    token = Bearer(vault.stack, done.json["auth"]["client_token"])
    assert token.is_good() and len(of_logins(vault)) == before + 1
    assert token.data("GET", "auth/token/lookup-self")["path"].startswith(f"auth/{mount_of(engine)}/")
    if engine == "cert":  # and is renewed with the certificate alone
        assert token.refused("POST", "auth/token/renew-self", {})[0] == 400
        vault.show(vault.joe)
    assert token("POST", "auth/token/renew-self", {}).status == 200


def test_a_poll_that_is_asked_for_a_second_factor_is_the_last() -> None:
    """One login waits for it, and the code that was typed in brings no other."""
    vault, method = asking("oidc on another device")
    state = vault.begun()["state"]
    assert vault.why(state) == "authorization_pending"
    assert vault.stack.barrier.every(WaitingLogin) == []
    vault.typed()
    auth = vault.poll(state).json["auth"]
    assert auth["client_token"] == "" and vault.under_way() == []
    before = len(of_logins(vault))
    assert vault.why(state) == NO_STATE
    for wrong in ("", "000000"):
        asked = {"mfa_request_id": auth["mfa_requirement"]["mfa_request_id"], "mfa_payload": {method: [wrong]}}
        assert vault.nobody("POST", VALIDATE, asked).status == 403
    assert len(of_logins(vault)) == before
    done = validated(vault, auth["mfa_requirement"]["mfa_request_id"], method)
    assert done.json["auth"]["metadata"] == {"role": "r"} and len(of_logins(vault)) == before + 1


@pytest.mark.parametrize("factor", ["right", "wrong"])
def test_a_poll_may_show_its_second_factor_at_once(factor) -> None:
    vault, method = asking("oidc on another device")
    begun(vault)
    (waiting,) = vault.stack.barrier.every(WaitingLogin)
    url = vault.root.data("POST", f"{METHODS}/admin-generate", {"method_id": method, "entity_id": waiting.entity})[
        "url"
    ]
    before, state = len(of_logins(vault)), vault.begun()["state"]
    vault.typed()
    vault.stack.clock.forward(timedelta(seconds=5))
    code = password(url, vault.stack.clock.now().timestamp()) if factor == "right" else "000000"
    body = {"state": state, "client_nonce": NONCE}
    reply = vault.nobody("POST", "auth/oidc/oidc/poll", body, x_vault_mfa=f"{method}:{code}")
    assert reply.status == (200 if factor == "right" else 403)
    assert len(of_logins(vault)) == before + (factor == "right") and vault.under_way() == []


@pytest.mark.parametrize("engine", WAYS)
def test_the_role_may_have_changed_meanwhile(engine) -> None:
    vault, method = asking(engine)
    request, before = begun(vault), len(of_logins(vault))
    vault.role(token_policies="more")
    assert validated(vault, request, method).status == 403
    assert len(of_logins(vault)) == before


def test_and_so_may_what_the_mount_knows() -> None:
    vault, method = asking("jwt")
    request, before = begun(vault), len(of_logins(vault))
    vault.config(jwks_url="https://other.test/keys")
    assert validated(vault, request, method).status == 403
    assert len(of_logins(vault)) == before


def test_a_certificate_that_is_revoked_meanwhile_logs_nobody_in() -> None:
    """Whoever ends a login shows no certificate, so every list that comes in between ends it."""
    vault, method = asking("cert")

    def revoke(*gone) -> None:
        text = listed(vault.ca, *gone, now=vault.stack.clock.now()).decode()
        vault.root.data("POST", "auth/cert/crls/l", {"crl": text})

    revoke()
    request, before = begun(vault), len(of_logins(vault))
    revoke(vault.joe)
    assert validated(vault, request, method).status == 403
    assert len(of_logins(vault)) == before


@pytest.mark.parametrize("engine", WAYS)
def test_a_mount_that_is_tuned_meanwhile_makes_no_token_as_it_was(engine) -> None:
    vault, method = asking(engine)
    request, before = begun(vault), len(of_logins(vault))
    vault.root.data("POST", f"sys/auth/{mount_of(engine)}/tune", {"max_lease_ttl": "5m", "default_lease_ttl": "5m"})
    assert validated(vault, request, method).status == 403
    assert len(of_logins(vault)) == before


def test_a_token_of_a_login_is_made_in_one_place() -> None:
    """Whoever adds a way to log in comes by it: nothing else makes one of what a login has drawn up."""
    users = {
        path.name
        for path in Path(handlers.__file__).parent.glob("*.py")
        if "made_of" in path.read_text() and path.name != "logintokens.py"
    }
    assert users == {"secondfactor.py"}
    logins = {one.engine for one in door.DOOR.operations if isinstance(one, Endpoint) and "login" in one.path}
    assert logins >= {"userpass", "approle", "jwt", "kubernetes", "cert"}
    unsigned = {
        one.name
        for one in door.DOOR.operations
        if isinstance(one, Endpoint) and one.unsigned and one.verb is Verb.WRITE
    }
    assert {name for name in unsigned if not name.startswith(("system", "identity"))} == {
        "userpass write login/{username}",
        "approle write login",
        "jwt write login",
        "jwt write oidc/auth_url",
        "jwt write oidc/poll",  # logs in by LogInVouched, as jwt and oidc/callback do
        "kubernetes write login",
        "cert write login",
    }
