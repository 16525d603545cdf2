"""What an auth mount lets in by somebody else's word: an issuer's, a cluster's, an authority's.

Vault HTTP API, "JWT/OIDC auth method", "Kubernetes auth method", "TLS certificates auth method". The bounds of a role
stand in its Account; what holds for a whole mount stands in its LoginSettings.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct, field

from keystead.core.entities.base import Entity, Kind, Wrapped


class JwtSettings(Struct, frozen=True, kw_only=True, tag="jwt"):
    """One of `discovery_url`, `jwks_url` and `public_keys` says where the keys are.

    `client_id`: of us at the issuer, where people log in in a browser; our secret there is the mount's LoginSecret.
    """

    discovery_url: str = ""
    discovery_ca: str = ""  # PEM; "": the system's authorities
    jwks_url: str = ""
    jwks_ca: str = ""
    public_keys: tuple[str, ...] = ()  # PEM: keys, or certificates of keys
    bound_issuer: str = ""
    algorithms: tuple[str, ...] = ()  # of crypto.jwk.ALGORITHMS; none: whatever a key is for
    default_role: str = ""
    client_id: str = ""
    response_mode: str = ""
    response_types: tuple[str, ...] = ()
    namespace_in_state: bool = False


class JwtBounds(Struct, frozen=True, kw_only=True, tag="jwt"):
    """Leeways in seconds: 0 is the usual one, below 0 there is none."""

    role_type: str = "oidc"
    audiences: tuple[str, ...] = ()
    subject: str = ""
    claims: dict[str, Any] = field(default_factory=dict)  # a value, or a list of which one is enough
    claims_type: str = "string"
    user_claim: str = ""
    user_claim_pointer: bool = False
    groups_claim: str = ""
    mappings: dict[str, str] = field(default_factory=dict)  # claim -> name in the token's metadata
    clock_skew: int = 0
    expiration_leeway: int = 0
    not_before_leeway: int = 0
    redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    max_age: int = 0
    callback_mode: str = "client"  # or "device": by a code that is typed in somewhere else (RFC 8628)
    poll_interval: int = 0  # seconds; 0: as the issuer has it


class KubernetesSettings(Struct, frozen=True, kw_only=True, tag="kubernetes"):
    """The cluster whose API server is asked. What it is shown to be let in is the mount's LoginSecret."""

    host: str  # https://…
    ca: str = ""  # PEM; "": the system's authorities
    public_keys: tuple[str, ...] = ()  # PEM; a token has to verify with one of them before the server is asked
    issuer: str = ""
    checks_issuer: bool = False
    without_local: bool = False  # disable_local_ca_jwt; nothing local is read either way


class KubernetesBounds(Struct, frozen=True, kw_only=True, tag="kubernetes"):
    """Names and namespaces may have `*` in them for any text."""

    names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    audience: str = ""
    alias_source: str = "serviceaccount_uid"


class CertSettings(Struct, frozen=True, kw_only=True, tag="cert"):
    binds: bool = True  # a token is renewed by whoever shows the same key again


class CertBounds(Struct, frozen=True, kw_only=True, tag="cert"):
    """Names may have `*` in them for any text; of each kind one that fits is enough, of `extensions` all have to."""

    certificate: str = ""  # PEM: authorities; or, where the first is none, the very certificate
    names: tuple[str, ...] = ()  # of any of the kinds below but `uris` and `units`
    common_names: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()  # "oid:text", "hex:oid:hex"
    told: tuple[str, ...] = ()  # OIDs of extensions whose texts go into the token's metadata
    display_name: str = ""
    asks: bool = False  # a responder, whether the certificate is revoked (RFC 6960)
    responders: tuple[str, ...] = ()  # URLs; none: those that the certificate names
    responder_authorities: str = ""  # PEM: whose responders count beside those of the certificate's own authority
    asks_all: bool = False  # every responder has to say so
    open_unasked: bool = False  # where none answers, it counts as good
    since: datetime | None = None  # when `certificate` was written; None: before that was kept


Settings = JwtSettings | KubernetesSettings | CertSettings
Bounds = JwtBounds | KubernetesBounds | CertBounds


class LoginSettings(Entity, frozen=True, kw_only=True):
    """What holds for everybody who logs in at a mount; `id` is the mount's uuid."""

    kind = Kind.LOGIN_SETTINGS
    settings: Settings
    n_secrets: int = 0  # that it has had
    shows: bool = False  # the last one is there: LoginSecret "<id>/<n_secrets>"

    @property
    def parent(self) -> str:
        return self.id


class LoginSecret(Wrapped, frozen=True, kw_only=True):
    """What a mount shows to whom it asks, under a leaf of its own; `id` is "<the mount's uuid>/<number>"."""

    kind = Kind.LOGIN_SECRET
    bound_as = "login secret"
    mount: str

    @property
    def parent(self) -> str:
        return self.mount

    def __repr__(self) -> str:
        return f"LoginSecret({self.id!r})"


class OidcLogin(Entity, frozen=True, kw_only=True):
    """A login in a browser that is under way; `id` is "<the mount's uuid>/<a digest of its state>".

    OpenID Connect Core 1.0 §3.1.2. The state itself is kept by nobody. Nonce and verifier come from `seed`.
    """

    kind = Kind.OIDC_LOGIN
    mount: str
    role: str
    redirect_uri: str
    seed: bytes = field(name="s")
    client_nonce: str = ""  # digest of what whoever began it has to say again; "": nothing
    settings_revision: int
    source: str  # the address that it was begun from
    begun_at: datetime
    expires_at: datetime
    device_code: str = ""  # what the issuer is asked with whether the code has been typed in; "": it comes back
    poll_interval: int = 0  # seconds between two questions

    @property
    def parent(self) -> str:
        return self.mount

    def is_over(self, now: datetime) -> bool:
        return self.expires_at <= now

    def __repr__(self) -> str:
        return f"OidcLogin({self.role!r})"
