"""A Vault door with users who have a second factor, and an authenticator that makes its passwords."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests import vaultstack
from tests.harness import Reply
from tests.vaultstack import Bearer

from keystead.core.sensitive import Sensitive
from keystead.crypto import otp

VALIDATE = "sys/mfa/validate"
METHODS = "identity/mfa/method/totp"
ENFORCEMENTS = "identity/mfa/login-enforcement"


def password(url: str, at: float) -> str:
    """What an authenticator shows at that time that was told this URL."""
    told = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    shared = Sensitive(base64.b32decode(told["secret"] + "=" * (-len(told["secret"]) % 8)))
    step = int(at) // int(told["period"])
    return otp.password(shared, step, told["algorithm"].lower(), int(told["digits"])).reveal().decode()


class Site:
    """Bob logs in with a password and is enrolled in a method, of which every login at userpass is asked for one."""

    def __init__(self, **method: Any) -> None:
        self.vault = vaultstack.door()
        self.stack, self.root, self.nobody = self.vault.stack, self.vault.root, self.vault.nobody
        self.root.data("POST", "sys/auth/userpass", {"type": "userpass"})
        self.accessor = self.root.data("GET", "sys/auth")["userpass/"]["accessor"]
        self.user("bob")
        self.entity = self.entity_of("bob")
        self.method = self.method_of(method_name="main", **method)
        self.url = self.enrol(self.method, self.entity)
        self.enforce("e")

    def user(self, name: str, **terms: Any) -> None:
        self.root.data("POST", f"auth/userpass/users/{name}", {"password": "pw", "token_policies": "app", **terms})

    def entity_of(self, name: str) -> str:
        entity: str = self.root.data("POST", "identity/entity", {"name": f"entity-{name}"})["id"]
        alias = {"name": name, "canonical_id": entity, "mount_accessor": self.accessor}
        self.root.data("POST", "identity/entity-alias", alias)
        return entity

    def method_of(self, **facts: Any) -> str:
        method: str = self.root.data("POST", METHODS, {"issuer": "Acme", **facts})["method_id"]
        return method

    def enrol(self, method: str, entity: str) -> str:
        url: str = self.root.data("POST", f"{METHODS}/admin-generate", {"method_id": method, "entity_id": entity})[
            "url"
        ]
        return url

    def enforce(self, name: str, **named: Any) -> None:
        asked = named or {"auth_method_types": ["userpass"]}
        assert self.root("POST", f"{ENFORCEMENTS}/{name}", {"mfa_method_ids": [self.method], **asked}).status == 204

    # --- logging in

    def log_in(self, name: str = "bob", said: str = "pw", mfa: str = "", **headers: str) -> Reply:
        shown = {"x_vault_mfa": mfa} if mfa else {}
        return self.nobody("POST", f"auth/userpass/login/{name}", {"password": said}, **shown, **headers)

    def begin(self, name: str = "bob") -> str:
        """The id of a login that waits."""
        reply = self.log_in(name)
        assert reply.status == 200 and reply.json["auth"]["client_token"] == "", reply.body
        asked: str = reply.json["auth"]["mfa_requirement"]["mfa_request_id"]
        return asked

    def code(self, url: str = "", ahead: int = 0) -> str:
        """Of now, or of some seconds later."""
        return password(url or self.url, self.stack.clock.now().timestamp() + ahead)

    def wrong(self) -> str:
        """A password that is not good now, nor the period before or after."""
        good = {self.code(ahead=ahead) for ahead in (-30, 0, 30)}
        return next(text for n in range(4) if (text := f"{n:06}") not in good)

    def validate(self, request: str, *codes: str, by: str = "", **headers: str) -> Reply:
        payload = {by or self.method: list(codes)}
        return self.nobody("POST", VALIDATE, {"mfa_request_id": request, "mfa_payload": payload}, **headers)

    def bearer(self, reply: Reply) -> Bearer:
        assert reply.status == 200, reply.body
        return Bearer(self.stack, reply.json["auth"]["client_token"])

    def forward(self, seconds: int) -> None:
        self.stack.clock.forward(timedelta(seconds=seconds))
