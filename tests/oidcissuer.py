"""An issuer of OpenID Connect with people at its pages: what the tests of logins in a browser stand on.

OpenID Connect Core 1.0 §3.1, RFC 7636. It holds its clients to what they said: code, redirect_uri, verifier, secret.
"""

from __future__ import annotations

import json
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qs, unquote_plus, urlsplit

from tests.certificates import Authority
from tests.tokens import SigningKey, b64url, key_set

CLIENT, SECRET = "keystead", "s3cret & more"


class StandIn:
    """`says`: what is in identity tokens beside, and instead; None takes a claim out. `tells`: its userinfo, if any."""

    def __init__(self, url: str, key: SigningKey, now: Callable[[], int]) -> None:
        self.url, self.key, self.now = url, key, now
        self.configuration: dict[str, Any] = {
            "issuer": url,
            "jwks_uri": f"{url}/keys",
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "device_authorization_endpoint": f"{url}/device",
        }
        self.says: dict[str, Any] = {}
        self.tells: dict[str, Any] | None = None
        self.answers: dict[str, tuple[int, bytes]] = {}  # path -> instead of what it would say
        self.codes: dict[str, dict[str, str]] = {}
        self.devices: dict[str, str] = {}  # device code -> "authorization_pending" …, or "" once it has been typed in
        self.asked: list[str] = []  # paths
        self._numbers = count(1)

    # --- a person's browser

    def authorize(self, url: str) -> tuple[str, str]:
        """(state, code) that a person comes back with who was sent to `url`."""
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == self.configuration["authorization_endpoint"]
        asked = {name: value for name, (value,) in parse_qs(parts.query, strict_parsing=True).items()}
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split()
        code = f"code-{next(self._numbers)}"
        self.codes[code] = asked
        return asked["state"], code

    # --- its endpoints

    def __call__(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None, _authorities: str = ""
    ) -> tuple[int, bytes]:
        path = url.removeprefix(self.url)
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path]
        if (method, path) == ("POST", "/token"):
            return self._token(headers, body or b"")
        if (method, path) == ("POST", "/device"):
            return self._device(headers, body or b"")
        if path == "/userinfo" and headers["Authorization"] != "Bearer access.token":
            return 401, b"{}"
        more = {} if self.tells is None else {"userinfo_endpoint": f"{self.url}/userinfo"}
        pages = {
            "/.well-known/openid-configuration": json.dumps({**self.configuration, **more}).encode(),
            "/keys": key_set(self.key),
            "/userinfo": json.dumps(self.tells).encode(),
        }
        return (200, pages[path]) if method == "GET" and path in pages else (404, b"{}")

    def _device(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """RFC 8628 §3.2."""
        said = _form(body)
        if not _is_ours(headers, said):
            return 401, b'{"error":"invalid_client"}'
        assert "openid" in said["scope"].split()
        code = f"device-{next(self._numbers)}"
        self.devices[code] = "authorization_pending"
        page = {
            "device_code": code,
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{self.url}/code",
            "expires_in": 300,
        }
        return 200, json.dumps(page).encode()

    def _of_device(self, code: str) -> tuple[int, bytes]:
        if (error := self.devices.get(code, "expired_token")) != "":
            return 400, json.dumps({"error": error}).encode()
        del self.devices[code]
        return 200, json.dumps({"id_token": self.token(None), "access_token": "access.token"}).encode()

    def _token(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        said = _form(body)
        if not _is_ours(headers, said):
            return 401, b'{"error":"invalid_client"}'
        if said["grant_type"] == "urn:ietf:params:oauth:grant-type:device_code":
            return self._of_device(said["device_code"])
        asked = self.codes.pop(said["code"], None)
        verifier = said.get("code_verifier", "")
        if (
            asked is None
            or said["grant_type"] != "authorization_code"
            or said["redirect_uri"] != asked["redirect_uri"]
            or asked["code_challenge"] != b64url(sha256(verifier.encode()).digest())
        ):
            return 400, b'{"error":"invalid_grant","error_description":"no such code"}'
        answer = {"id_token": self.token(asked["nonce"]), "access_token": "access.token", "token_type": "Bearer"}
        return 200, json.dumps(answer).encode()

    def token(self, nonce: str | None) -> str:
        now = self.now()
        claims = {"iss": self.url, "sub": "joe", "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": nonce}
        claims |= self.says
        return self.key.token({name: value for name, value in claims.items() if value is not None})


def _form(body: bytes) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(body.decode(), strict_parsing=True).items()}


def _is_ours(headers: dict[str, str], said: dict[str, str]) -> bool:
    if "Authorization" not in headers:
        return (said.get("client_id"), said.get("client_secret")) == (CLIENT, SECRET)
    client, _, secret = b64decode(headers["Authorization"].removeprefix("Basic ")).decode().partition(":")
    return (unquote_plus(client), unquote_plus(secret)) == (CLIENT, SECRET)


# --- over TLS


class Answering(Protocol):
    """(method, URL, headers, body) -> (status, body)"""

    url: str

    def __call__(self, method: str, url: str, headers: dict[str, str], body: bytes | None, /) -> tuple[int, bytes]: ...


A = TypeVar("A", bound=Answering)


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    issuer: Answering


class _Handler(BaseHTTPRequestHandler):
    server: _Listening

    def do_GET(self, body: bytes | None = None) -> None:
        issuer = self.server.issuer
        at = issuer.url.removesuffix("/people") + self.path
        status, said = issuer(self.command, at, dict(self.headers), body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def do_POST(self) -> None:
        self.do_GET(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def listening(authority: Authority, key: SigningKey) -> Iterator[StandIn]:
    """One at https://localhost, on a port of its own."""
    with over_tls(authority, lambda url: StandIn(f"{url}/people", key, lambda: int(time.time()))) as issuer:
        yield issuer


@contextmanager
def over_tls(authority: Authority, made: Callable[[str], A]) -> Iterator[A]:
    """What is made for an address on this machine answers there."""
    with _Listening(("127.0.0.1", 0), _Handler) as server:
        server.socket = authority.context("localhost").wrap_socket(server.socket, server_side=True)
        server.issuer = issuer = made(f"https://localhost:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield issuer
        server.shutdown()
