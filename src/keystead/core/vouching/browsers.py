"""Who comes from an issuer's page, and what has to be true of their identity token.

OpenID Connect Core 1.0 §3.1.2, §3.1.3.7; RFC 7636; RFC 8252 §7.3. Words: OpenBao, builtin/credential/jwt.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct

from keystead.core.entities import JwtBounds, JwtSettings
from keystead.core.errors import InvalidArgument
from keystead.core.vouching.claims import identified_as, require_claims, seconds, texts
from keystead.core.vouching.words import USUAL_SKEW, Admitted, lacking, text_in

DEVICE = "device"
LOGIN_FAILED = "Vault login failed."
NO_STATE = f"{LOGIN_FAILED} Expired or missing OAuth state."
UNKNOWN_REFUSAL = "An unknown error occurred during OIDC authentication. Check server logs for details"
REFUSALS = frozenset(
    {
        "invalid_request",
        "unauthorized_client",
        "access_denied",
        "unsupported_response_type",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
    }
)
"""RFC 6749 §4.1.2.1."""
_LOOPBACK = re.compile(r"(https?://(?:localhost|127\.0\.0\.1|\[::1\]))(?::[0-9]{1,5})?((?:[/?][!\"$-\[\]-~]*)?)")
"""RFC 8252 §7.3: of these any port will do. Neither a fragment nor a backslash is in them."""


class Expected(Struct, frozen=True, kw_only=True):
    """What the identity token of one login has to say. Times: seconds since 1970."""

    issuer: str
    client_id: str
    nonce: str | None  # None: the login went over no browser of ours, and has none
    audiences: tuple[str, ...]
    max_age: int  # seconds; 0: however long ago they have shown who they are
    begun_at: int
    skew: int

    def __repr__(self) -> str:
        return f"Expected({self.issuer!r})"


def drawn(seed: bytes, what: str) -> str:
    """43 characters that only who knows the seed can tell: "nonce", or "verifier" (RFC 7636 §4.1)."""
    return urlsafe_b64encode(hmac.digest(seed, what.encode(), "sha256")).rstrip(b"=").decode()


def is_allowed(uri: str, allowed: tuple[str, ...]) -> bool:
    """Whether people may be sent back there."""
    own = _LOOPBACK.fullmatch(uri)
    if own is None:
        return uri in allowed
    return any(one is not None and one.groups() == own.groups() for one in map(_LOOPBACK.fullmatch, allowed))


def parted(uri: str, settings: JwtSettings) -> tuple[str, str]:
    """Where people are sent back, and the namespace that goes into the state in place of its query: "" for none."""
    before, _, query = uri.partition("?")
    if not settings.namespace_in_state or "namespace=" not in query:
        return uri, ""
    pairs = parse_qsl(query, keep_blank_values=True)
    left = urlencode([pair for pair in pairs if pair[0] != "namespace"])
    namespace = next((value for name, value in pairs if name == "namespace"), "")
    return (f"{before}?{left}" if left else before, namespace) if namespace else (uri, "")


def is_back(bounds: JwtBounds, uri: str) -> bool:
    """Whether people may be sent back there who log in by that role."""
    return bounds.role_type == "oidc" and is_allowed(uri, bounds.redirect_uris)


def refusal(error: str) -> str:
    """The words for an issuer's error; of one that no issuer has, nothing is said back."""
    code = error.strip().lower()
    return code if code in REFUSALS else UNKNOWN_REFUSAL


def require_identity(claims: Mapping[str, Any], expected: Expected, now: int) -> None:
    """OpenID Connect Core 1.0 §3.1.3.7 without the signature. Raises InvalidArgument."""
    if claims.get("iss") != expected.issuer:
        raise lacking("id_token issued by a different provider")
    said, nonce = text_in(claims.get("nonce")), expected.nonce
    if nonce is not None and not hmac.compare_digest(said.encode(), nonce.encode()):
        raise lacking("invalid id_token nonce")
    if not text_in(claims.get("sub")):
        raise lacking("missing sub claim in id_token")
    _require_audience(claims, expected)
    exp, iat, nbf = (seconds(claims, name) for name in ("exp", "iat", "nbf"))
    if not exp or not iat:
        raise lacking("missing exp or iat claim in id_token")
    if now > exp + expected.skew:
        raise lacking("id_token is expired")
    if now < max(iat, nbf) - expected.skew:
        raise lacking("id_token is not valid yet")
    if expected.max_age:
        shown_at = seconds(claims, "auth_time")
        if not shown_at:
            raise lacking("missing auth_time claim when max age was requested")
        if shown_at + expected.skew < expected.begun_at - expected.max_age:
            raise lacking("auth_time is beyond max age")


def _require_audience(claims: Mapping[str, Any], expected: Expected) -> None:
    """It is for us: by `aud`, or by `azp` where the issuer has others for audiences."""
    audiences, us = texts(claims.get("aud")), expected.client_id
    party = claims.get("azp", None if len(audiences) > 1 else us)
    if party != us or not audiences or (us not in audiences and (len(audiences) > 1 or "azp" not in claims)):
        raise lacking("id_token is for another client")
    if expected.audiences and not set(expected.audiences) & set(audiences):
        raise lacking("invalid id_token audiences")


def skew_of(bounds: JwtBounds) -> int:
    return max(0, bounds.clock_skew or USUAL_SKEW)


def admitted_from_browser(claims: Mapping[str, Any], bounds: JwtBounds, issuer: str, role: str) -> Admitted:
    """`issuer`: the one that is bound, or "". Raises InvalidArgument."""
    if bounds.role_type != "oidc":
        raise lacking(f"{LOGIN_FAILED} role with {bounds.role_type} role_type is not allowed")
    try:
        if issuer and claims.get("iss") != issuer:
            raise lacking("invalid issuer (iss) claim")
        if bounds.subject and claims.get("sub") != bounds.subject:
            raise lacking("sub claim does not match bound subject")
        who = identified_as(claims, bounds, role)
        require_claims(claims, bounds)
    except InvalidArgument as error:
        raise lacking(f"{LOGIN_FAILED} {error}") from None
    return who
