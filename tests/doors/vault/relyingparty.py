"""A client of our OIDC provider in one process, and somebody who logs in to it: what its tests stand on."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64decode
from typing import Any
from urllib.parse import urlencode

import msgspec
from tests import vaultstack
from tests.harness import Reply
from tests.vaultstack import Bearer, Vault

from keystead.crypto.jwk import usable
from keystead.wire.jose import Jwk, signed
from keystead.wire.oidc import challenge

ORIGIN = "https://id.test:8200"
BACK = "https://app.test/cb"
VERIFIER = "v" * 43
AT = "identity/oidc/provider/default"


class RelyingParty:
    """An application called "app"; `bob` is whoever logs in to it."""

    def __init__(self, vault: Vault, at: str = AT, **client: Any) -> None:
        self.vault, self.at = vault, at
        body = {"redirect_uris": BACK, "assignments": "allow_all", "key": "k", **client}
        vault.root.data("POST", "identity/oidc/client/app", body)
        told = vault.root.data("GET", "identity/oidc/client/app")
        self.id, self.secret = told["client_id"], told.get("client_secret", "")

    def authorize(self, by: Bearer | None = None, **more: Any) -> Reply:
        """None of a member: without it."""
        said = {"client_id": self.id, "redirect_uri": BACK, "scope": "openid", "response_type": "code", **more}
        body = {name: value for name, value in said.items() if value is not None}
        return (by or self.vault.bob)("POST", f"{self.at}/authorize", body)

    def code(self, **more: Any) -> str:
        reply = self.authorize(**more)
        assert reply.status == 200, reply.body
        return reply.json["code"]

    def pkce(self, **more: Any) -> str:
        return self.code(code_challenge=challenge(VERIFIER), code_challenge_method="S256", **more)

    def redeem(self, code: str, basic: tuple[str, str] | None = None, at: str = "", **more: Any) -> Reply:
        """As the client that it is, by its headers, unless `basic` or the body say who it is."""
        said = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, **more}
        body = {name: value for name, value in said.items() if value is not None}
        who = None if "client_id" in body else basic or (self.id, self.secret)
        return self.token(body, who, at)

    def token(self, body: dict[str, str], basic: tuple[str, str] | None, at: str = "") -> Reply:
        lines = {b"content-type": b"application/x-www-form-urlencoded"}
        if basic is not None:
            lines[b"authorization"] = b"Basic " + b64encode(":".join(basic).encode())
        url = f"https://vault.test/v1/{at or self.at}/token"
        return Reply.of(self.vault.stack.serve(self.vault.stack.request("POST", url, lines, urlencode(body).encode())))

    def tokens(self, **more: Any) -> dict[str, Any]:
        """A whole login."""
        reply = self.redeem(self.code(**more))
        assert reply.status == 200, reply.body
        return reply.json

    def user_info(self, access_token: str, method: str = "GET", at: str = "") -> Reply:
        nobody = Bearer(self.vault.stack, "")
        return nobody(method, f"{at or self.at}/userinfo", authorization=f"Bearer {access_token}")

    def verifies(self, text: str) -> bool:
        """By the keys that anybody gets of the provider."""
        found = self.vault.nobody("GET", f"{self.at}/.well-known/keys").json["keys"]
        keys = {one["kid"]: usable(msgspec.convert(one, Jwk)) for one in found}
        said = signed(text)
        key = keys.get(said.header.kid)
        return key is not None and key.verify(said.header.alg, said.signed, said.signature)


def claims(text: str) -> dict[str, Any]:
    return json.loads(urlsafe_b64decode(text.split(".")[1] + "=="))


def refusal(reply: Reply) -> tuple[int, str, str]:
    """(status, code, words)"""
    return reply.status, reply.json["error"], reply.json["error_description"]


def door() -> Vault:
    """A Vault door with a key "k", a provider that says where it is, and "bob", who has logged in."""
    made = vaultstack.door()
    root = made.root
    root.data("POST", "sys/auth/userpass", {"type": "userpass"})
    root.data("POST", "auth/userpass/users/bob", {"password": "pw"})
    root.data("POST", "identity/oidc/key/k", {"algorithm": "ES256", "allowed_client_ids": "*"})
    root.data("POST", AT, {"issuer": ORIGIN})
    made.bob, made.entity = logged_in(made)
    return made


def logged_in(vault: Vault, name: str = "bob") -> tuple[Bearer, str]:
    auth = vault.nobody("POST", f"auth/userpass/login/{name}", {"password": "pw"}).json["auth"]
    return Bearer(vault.stack, auth["client_token"]), auth["entity_id"]
