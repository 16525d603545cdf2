"""The Vault door in one process: a stack, and requests to it by whoever bears a token.

vault = vaultstack.door()
assert vault.root("POST", "auth/token/create", {"ttl": "1h"}).json["auth"]["lease_duration"] == 3600
"""

from __future__ import annotations

import json
from typing import Any

from tests import harness
from tests.harness import TENANT, Reply, Stack

from keystead.doors import vault
from keystead.service.bootstrap import first_token


class Bearer:
    """Whoever has this token."""

    def __init__(self, stack: Stack, text: str) -> None:
        self.stack, self.text = stack, text

    def __call__(self, method: str, path: str, body: Any = None, wrap: str = "", **headers: str) -> Reply:
        lines = {b"host": b"vault.test", b"x-vault-token": self.text.encode()}
        lines |= {b"x-vault-wrap-ttl": wrap.encode()} if wrap else {}
        lines |= {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        text = b"" if body is None else json.dumps(body).encode()
        request = self.stack.request(method, f"https://vault.test/v1/{path}", lines, text)
        return Reply.of(self.stack.serve(request))

    def data(self, method: str, path: str, body: Any = None) -> Any:
        reply = self(method, path, body)
        assert reply.status in {200, 204}, (method, path, reply.status, reply.body)
        return reply.json["data"] if reply.body else None

    def refused(self, method: str, path: str, body: Any = None, **more: str) -> tuple[int, str]:
        """(status, the error's words)"""
        reply = self(method, path, body, **more)
        assert reply.status >= 400, (method, path, reply.status, reply.body)
        return reply.status, "".join(reply.json["errors"])

    def token(self, **wanted: Any) -> Bearer:
        """A child."""
        return Bearer(self.stack, self("POST", "auth/token/create", wanted).json["auth"]["client_token"])

    def policy(self, name: str, text: str) -> None:
        assert self("PUT", f"sys/policies/acl/{name}", {"policy": text}).status == 204

    def is_good(self) -> bool:
        return self("GET", "auth/token/lookup-self").status == 200


class Vault:
    def __init__(self) -> None:
        self.stack = harness.stack(door=vault.DOOR).on_the_loop()
        made = first_token(self.stack.barrier, TENANT, self.stack.clock.now(), self.stack.entropy)
        self.root = Bearer(self.stack, made.text.reveal().decode())
        self.nobody = Bearer(self.stack, "")


DENIED = "1 error occurred:\n\t* permission denied\n\n"


def door() -> Vault:
    return Vault()
