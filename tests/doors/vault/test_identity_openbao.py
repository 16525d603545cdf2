"""Identity beside a real OpenBao: the same requests to both, and their answers compared field by field.

Each server makes its own ids and tokens: what a line keeps is known by a name in what is compared. What cannot be the
same is blanked: times, ids that nobody keeps, names made up by the server.
"""

from __future__ import annotations

import json
import re
import time
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from tests import vaultstack
from tests.certificates import Authority
from tests.doors.vault import relyingparty
from tests.doors.vault.factors import password
from tests.harness import Reply, Stack
from tests.oidcissuer import over_tls
from tests.openbao import openbao

from keystead.crypto.jwk import usable
from keystead.wire.jose import Jwk

pytestmark = pytest.mark.client
HERE = Path(__file__).parent
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MADE_UP = re.compile(r"\b(entity|group)_[0-9a-f]{8}(\.root)?")  # OpenBao adds its namespace
TIMES = {"creation_time", "last_update_time", "issue_time", "expire_time", "last_renewal", "last_renewal_time", "ttl"}
VARYING = {"accessor", "client_token", "modify_index", "lease_duration", "secret_id_accessor"}
BLANKED = (
    TIMES | VARYING | {"client_id", "n", "x", "y", "kid", "url", "barcode", "client_secret", "code", "access_token"}
)
BLANKED |= {"at_hash", "c_hash", "auth_time", "id_token", "jti", "t"}
SIGNED = re.compile(r"[\w-]+\.([\w-]+)\.[\w-]+")  # a token that says something
GO = re.compile(r"go-jose/go-jose(/jwt)?: ")  # the library that its words are of
CAPPED = re.compile(r'TTL of "\d+h" exceeded the effective max_ttl of "\d+h59m\d+s"')
"""What is said of a token that is renewed some seconds after it was made: by as many it would live too long."""
NOBODY = "-"
HEADER = re.compile(r" +([A-Z][\w-]+): (.*)")
CODE = re.compile(r"\{(code|next):(\w+)\}")
EMPTY = {"custom_metadata", "member_entity_ids"}  # nothing is written in two ways


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    with openbao(tmp_path_factory.mktemp("openbao")) as peer:
        yield peer


def script(name: str) -> list[tuple[int, bool, str, str, str, str, dict[str, str], dict[str, str]]]:
    """[(line, whether it is to differ, whose token, method, path, body, what to keep, headers)]"""
    steps = []
    for n, line in enumerate((HERE / name).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith(" ") and (told := HEADER.fullmatch(line)):
            steps[-1][7][told[1]] = told[2]
            continue
        if line.startswith(" "):
            key, _, path = line.strip().partition(" = ")
            steps[-1][6][key] = path
            continue
        request = line.removeprefix("!")
        whose, request = request[1:].split(" ", 1) if request.startswith("@") else ("", request)
        method, path, body = (*request.split(" ", 2), "")[:3]
        steps.append((n, line.startswith("!"), whose, method, path, body, {}, {}))
    return steps


def is_enveloped(said: dict[str, Any]) -> bool:
    return not said or "request_id" in said or "errors" in said


class Side:
    def __init__(self, send, now) -> None:
        self._send, self._now, self.kept = send, now, {}
        self._looked_at: dict[str, float] = {}

    def ask(self, whose: str, method: str, path: str, body: str, keep: dict[str, str], headers: dict[str, str]):
        more = {name: self._filled(value) for name, value in headers.items()}
        status, answer = self._send(self.kept.get(whose, whose), method, self._filled(path), self._filled(body), more)
        said = json.loads(answer) if answer else {}
        for key, at in keep.items():
            value = said
            for part in at.split("."):
                value = value[int(part)] if isinstance(value, list) else value[part]
            self.kept[key] = str(value)
        told = {name: said.get(name) for name in ("data", "auth", "errors", "warnings")} if is_enveloped(said) else said
        return status, self._known(told) if not path.startswith("sys/auth") else None

    def _filled(self, text: str) -> str:
        text = CODE.sub(lambda m: self._code(m[2], ahead=30 * (m[1] == "next")), text)
        return re.sub(r"\{(\w+)\}", lambda m: self.kept.get(m[1], m[0]), text)

    def _code(self, url: str, ahead: int) -> str:
        """Of when it was looked at first: a clock that goes on makes no other code of one that was used."""
        if url not in self._looked_at:
            self._looked_at[url] = self._now()
        return password(self.kept[url], self._looked_at[url] + ahead)

    def _text(self, text: str) -> str:
        for name, value in self.kept.items():
            text = text.replace(value, f"{{{name}}}") if len(value) > 8 else text
        return MADE_UP.sub(r"a \1's name", UUID.sub("a uuid", text))

    def _blank(self, value: Any, name: str) -> Any:
        """What a signed token says is not blanked, but when."""
        said = SIGNED.fullmatch(value) if name in {"id_token", "access_token"} else None
        if said is None:
            return f"a {name}" if value is not None else None
        told = json.loads(urlsafe_b64decode(said[1] + "=="))
        return {**self._known(told), "exp": told["exp"] - told["iat"], "iat": "now"}

    def _known(self, value: Any, name: str = "") -> Any:
        """What is left to compare."""
        if name == "warnings" and isinstance(value, list):
            value = [one for one in value if not CAPPED.match(one)] or None
        if name in EMPTY and not value:
            return None
        if isinstance(value, dict) and name == "key_info":
            return sorted(str(self._known(one)) for one in value.values())
        if isinstance(value, dict):
            return {self._text(k): self._known(v, k) for k, v in sorted(value.items())}
        if isinstance(value, list):
            return sorted((self._known(one, name) for one in value), key=str)
        if name in BLANKED:
            return self._blank(value, name)
        return self._text(GO.sub("", value)) if isinstance(value, str) else value


def early() -> float:
    """The time, once a code of now will be good for a while: one without a skew is good in its half minute alone."""
    left = 30 - time.time() % 30
    if left < 5:
        time.sleep(left)
    return time.time()


def sides(peer):
    vault = vaultstack.door()
    for engine in ("userpass", "approle"):
        vault.root.data("POST", f"sys/auth/{engine}", {"type": engine})

    def ours(token, method, path, body, more):
        bearer = vaultstack.Bearer(vault.stack, "" if token == NOBODY else token or vault.root.text)
        shown = {name.lower().replace("-", "_"): value for name, value in more.items()}
        reply = bearer(method, path, json.loads(body) if body else None, **shown)
        return reply.status, reply.body

    def theirs(token, method, path, body, more):
        headers = {"X-Vault-Token": "" if token == NOBODY else token, **more} if token else {**more}
        headers |= {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
        status, _, answer = peer.ask(method, f"/v1/{path}", body.encode(), headers)
        return status, answer

    return Side(ours, lambda: vault.stack.clock.now().timestamp()), Side(theirs, early)


@pytest.mark.parametrize("name", ["identity.txt", "identity_oidc.txt", "identity_provider.txt", "mfa.txt"])
def test_both_answer_alike(peer, name):
    ours, theirs = sides(peer)
    differing = []
    steps = script(name)
    for n, meant, whose, method, path, body, keep, headers in steps:
        mine, other = (side.ask(whose, method, path, body, keep, headers) for side in (ours, theirs))
        if (mine == other) is meant:
            differing.append(f"{name}:{n} {method} {path} {body[:200]}\n  ours   {mine}\n  theirs {other}")
    assert not differing, f"{len(differing)} of {len(steps)} differ:\n" + "\n".join(differing)
    assert len(steps) > 40


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES512", "EdDSA"])
def test_its_own_jwt_method_takes_our_tokens(peer, algorithm):
    """OpenBao verifies a token of ours by the key that we publish, and logs its bearer in."""
    vault = vaultstack.door()
    vault.stack.clock.forward(datetime.now(UTC) - vault.stack.clock.now())
    root = vault.root
    root.data("POST", "sys/auth/userpass", {"type": "userpass"})
    root.data("POST", "identity/oidc/config", {"issuer": "https://id.test"})
    root.data("POST", "identity/oidc/key/k", {"algorithm": algorithm, "allowed_client_ids": "*"})
    root.data("POST", "identity/oidc/role/r", {"key": "k", "client_id": "us", "template": '{"team": "red"}'})
    root.policy("o", 'path "identity/oidc/token/*" { capabilities = ["read"] }')
    root.data("POST", "auth/userpass/users/bob", {"password": "pw", "token_policies": "o"})
    auth = vault.nobody("POST", "auth/userpass/login/bob", {"password": "pw"}).json["auth"]
    token = vaultstack.Bearer(vault.stack, auth["client_token"]).data("GET", "identity/oidc/token/r")["token"]
    keys = vault.nobody("GET", "identity/oidc/.well-known/keys").json["keys"]
    config = {"bound_issuer": "https://id.test/v1/identity/oidc", "jwt_supported_algs": [algorithm]}
    peer.json("POST", "auth/jwt/config", {**config, "jwt_validation_pubkeys": [pem(one) for one in keys]})
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": "us", "bound_claims": {"team": "red"}}
    peer.json("POST", "auth/jwt/role/r", role)
    said = peer.json("POST", "auth/jwt/login", {"role": "r", "jwt": token})["auth"]
    (alias,) = peer.json("GET", f"identity/entity/id/{said['entity_id']}")["data"]["aliases"]
    assert alias["name"] == auth["entity_id"]
    broken = token[:-8] + ("AAAAAAAA" if not token.endswith("AAAAAAAA") else "BBBBBBBB")
    status, _, _ = peer.ask("POST", "/v1/auth/jwt/login", json.dumps({"role": "r", "jwt": broken}).encode())
    assert status == 400


class Served:
    """Our door, as whoever goes to that address finds it."""

    def __init__(self, url: str, stack: Stack) -> None:
        self.url, self._stack = url, stack

    def __call__(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes]:
        lines = {name.lower().encode(): value.encode() for name, value in headers.items()}
        reply = Reply.of(self._stack.serve(self._stack.request(method, url, lines, body or b"")))
        return reply.status, reply.body


def test_its_own_oidc_method_logs_in_through_our_provider(peer, tmp_path):
    """What its library for clients makes of discovery, keys, tokens and userinfo of ours."""
    vault, authority, back = relyingparty.door(), Authority(tmp_path), "http://localhost:8250/oidc/callback"
    vault.stack.clock.forward(datetime.now(UTC) - vault.stack.clock.now())
    vault.bob, _ = relyingparty.logged_in(vault)
    vault.root.data("POST", "identity/group", {"name": "crew", "member_entity_ids": [vault.entity]})
    groups = {"template": '{"groups": {{identity.entity.groups.names}}}'}
    vault.root.data("POST", "identity/oidc/scope/groups", groups)
    app = relyingparty.RelyingParty(vault, redirect_uris=back)
    with over_tls(authority, lambda url: Served(url, vault.stack)) as ours:
        vault.root.data("POST", relyingparty.AT, {"issuer": ours.url, "scopes_supported": "groups"})
        peer.json("POST", "sys/auth/people", {"type": "oidc"})
        config = {
            "oidc_discovery_url": f"{ours.url}/v1/{relyingparty.AT}",
            "oidc_discovery_ca_pem": authority.ca.read_text(),
            "oidc_client_id": app.id,
            "oidc_client_secret": app.secret,
            "jwt_supported_algs": "ES256",
        }
        peer.json("POST", "auth/people/config", config)
        role = {"user_claim": "sub", "groups_claim": "groups", "oidc_scopes": "groups", "allowed_redirect_uris": back}
        peer.json("POST", "auth/people/role/r", {**role, "bound_claims": {"groups": ["crew"]}})
        begun = peer.json("POST", "auth/people/oidc/auth_url", {"role": "r", "redirect_uri": back})["data"]["auth_url"]
        told = vault.bob("GET", begun.partition("/v1/")[2]).json
        auth = peer.json("GET", f"auth/people/oidc/callback?{urlencode(told)}")["auth"]
    (alias,) = peer.json("GET", f"identity/entity/id/{auth['entity_id']}")["data"]["aliases"]
    assert alias["name"] == vault.entity


def pem(jwk: dict[str, str]) -> str:
    found: Any = usable(msgspec.convert(jwk, Jwk))._key
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return found.public_bytes(*form).decode()
