"""What an issuer of OpenID Connect and its client say to each other, as bytes say it. Nothing is verified here.

RFC 6749 §2.3.1 §4.1 §5, RFC 6750 §2.1, RFC 7636 §4, OpenID Connect Core 1.0 §3.1, Discovery 1.0 §3.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256, sha384, sha512
from typing import Annotated, Any
from urllib.parse import quote_plus, urlencode

import msgspec
from msgspec import Meta, Struct

from keystead.wire import Malformed
from keystead.wire.json import check, reader

BASIC, POST = "client_secret_basic", "client_secret_post"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Accept", "application/json")
N_TOKEN = 32 * 1024  # characters
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_ERROR = re.compile(r"[a-z_]{1,64}")
_PLACE = re.compile(r"https://[!\"$-\[\]-~]{1,2048}")
_DIGESTS = {"256": sha256, "384": sha384, "512": sha512, "DSA": sha512, "519": sha512}
"""By the end of an algorithm's name: of which digest at_hash is a half."""

Url = Annotated[str, Meta(max_length=2048)]


class Metadata(Struct, frozen=True):
    """What an issuer says of itself, as far as anybody here asks."""

    issuer: Url
    authorization_endpoint: Url = ""
    token_endpoint: Url = ""
    userinfo_endpoint: Url = ""
    device_authorization_endpoint: Url = ""
    token_endpoint_auth_methods_supported: Annotated[tuple[str, ...], Meta(max_length=32)] = (BASIC,)


class Tokens(Struct, frozen=True):
    """What a token endpoint answers. Its repr shows none of it."""

    id_token: Annotated[str, Meta(max_length=N_TOKEN)] = ""
    access_token: Annotated[str, Meta(max_length=N_TOKEN)] = ""
    error: str = ""

    def __repr__(self) -> str:
        return "Tokens(…)"


class Device(Struct, frozen=True):
    """What a device authorization endpoint answers (RFC 8628 §3.2); some say `url` for `uri`. Its repr shows none."""

    device_code: Annotated[str, Meta(max_length=4096)] = ""
    user_code: Annotated[str, Meta(max_length=256)] = ""
    verification_uri: Url = ""
    verification_uri_complete: Url = ""
    verification_url: Url = ""
    verification_url_complete: Url = ""
    expires_in: Annotated[int, Meta(ge=0, le=2**31)] = 0
    interval: Annotated[int, Meta(ge=0, le=2**31)] = 0

    @property
    def page(self) -> str:
        """Where a person goes; "": it is not said."""
        return self.page_with_code or self.verification_uri or self.verification_url

    @property
    def page_with_code(self) -> str:
        return self.verification_uri_complete or self.verification_url_complete

    def __repr__(self) -> str:
        return "Device(…)"


DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"  # RFC 8628 §3.4
metadata, tokens, device = reader(Metadata), reader(Tokens), reader(Device)
"""Bytes -> what they say. Raise Malformed, Misfit."""


def is_place(url: str) -> bool:
    """Whether somebody's browser can be sent there: over TLS, and there is one way to read it."""
    return _PLACE.fullmatch(url) is not None


def authorization_url(endpoint: str, parameters: Mapping[str, str]) -> str:
    """RFC 6749 §4.1.1. Names in order, as OpenBao has them."""
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(sorted(parameters.items()))}"


def challenge(verifier: str) -> str:
    """RFC 7636 §4.2: S256."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def token_request(
    parameters: Mapping[str, str], client_id: str, secret: str, methods: tuple[str, ...]
) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """(headers, body), with the client's secret where the issuer takes it: RFC 6749 §2.3.1, Basic if it may be."""
    if BASIC in methods or POST not in methods:
        pair = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
        return (FORM, JSON, ("Authorization", f"Basic {b64encode(pair).decode()}")), urlencode(parameters).encode()
    return (FORM, JSON), urlencode({**parameters, "client_id": client_id, "client_secret": secret}).encode()


def error_of(code: str) -> str:
    """An issuer's code of an error (RFC 6749 §5.2), if it is one."""
    return code if _ERROR.fullmatch(code) else "an error"


def bearer(access_token: str) -> tuple[tuple[str, str], ...]:
    """Headers. Raises Malformed for what is no token of RFC 6750 §2.1, and would be more than one header."""
    if len(access_token) > N_TOKEN or not _BEARER.fullmatch(access_token):
        raise Malformed("not a bearer token")
    return (JSON, ("Authorization", f"Bearer {access_token}"))


def claims(body: bytes) -> dict[str, Any]:
    """OpenID Connect Core 1.0 §5.3.2. Raises Malformed."""
    check(body, exact=True)
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("not a JSON object") from None


def half_hash(alg: str, text: str) -> str:
    """at_hash, c_hash: OpenID Connect Core 1.0 §3.1.3.6, §3.3.2.11. `alg` is one of crypto.jwk.ALGORITHMS."""
    digest = _DIGESTS[alg[-3:]](text.encode()).digest()
    return urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
