"""What somebody else can vouch for, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from msgspec import Struct

from keystead.core.entities import PolicyText
from keystead.core.errors import InvalidArgument, Unauthenticated

CLAIM = "claim"
"""detail of the InvalidArgument for what a role asks and a token does not say."""
PENDING = "pending"
"""detail of the InvalidArgument for a login that is to be asked about again: whoever asks has done nothing wrong."""
USUAL_SKEW, USUAL_LEEWAY = 60, 150  # seconds


class Claimed(Struct, frozen=True):
    """The claims of a token whose signature is its issuer's."""

    claims: Mapping[str, Any]

    @property
    def subject(self) -> str:
        return text_in(self.claims.get("sub"))

    def __repr__(self) -> str:
        return "Claimed(…)"


class Identified(Struct, frozen=True):
    """The claims of an identity token that was got for one login, with what the issuer tells of the same person."""

    claims: Mapping[str, Any]

    @property
    def subject(self) -> str:
        return text_in(self.claims.get("sub"))

    def __repr__(self) -> str:
        return "Identified(…)"


class Granted(Struct, frozen=True, kw_only=True):
    """What an issuer has given for one login on another device (RFC 8628 §3.2). `expires_in`: seconds; 0: not said."""

    device_code: str  # to be shown to nobody but the issuer
    user_code: str  # "" where `page` has it
    page: str
    expires_in: int
    interval: int  # seconds

    def __repr__(self) -> str:
        return "Granted(…)"


class Published(Struct, frozen=True):
    """Where an issuer lets people in: it vouches for nobody. "" where it was not asked, as nobody may come back."""

    authorization_endpoint: str
    granted: Granted | None = None

    @property
    def subject(self) -> str:
        return ""


class ServiceAccount(Struct, frozen=True, kw_only=True):
    """Whom a cluster's API server says a token is of."""

    name: str
    namespace: str
    uid: str
    kept_in: str = ""  # the name of the secret of an old token

    @property
    def subject(self) -> str:
        return f"{self.namespace}/{self.name}"


class Certified(Struct, frozen=True, kw_only=True):
    """What a certificate says. `extensions`: by OID, the DER of each."""

    common_name: str = ""
    units: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    serial: str = ""
    subject_key_id: str = ""  # colon-separated hex
    authority_key_id: str = ""
    extensions: dict[str, bytes] = {}
    key: str = ""  # hex: SHA-256 of its SubjectPublicKeyInfo

    @property
    def subject(self) -> str:
        return self.common_name


class ProvenClient(Struct, frozen=True):
    """A client of an issuer of ours, that has shown its secret, or is known to have none."""

    client_id: str

    @property
    def subject(self) -> str:
        return self.client_id


Word = Claimed | Identified | Published | ServiceAccount | Certified | ProvenClient


class Unfit(Enum):
    """Why a genuine token is not enough: detail of Unauthenticated, whose words are told."""

    NAME = "service account name not authorized"
    NAMESPACE = "namespace not authorized"
    AUDIENCE = "invalid audience (aud) claim: audience claim does not match any expected audience"
    ISSUER = "invalid issuer (iss) claim"
    EXPIRED = "invalid expiration time (exp) claim: token is expired"
    EARLY = "invalid not before (nbf) claim: token not yet valid"


def unfit(why: Unfit) -> Unauthenticated:
    return Unauthenticated(why.value, why)


class Vouched(Struct, frozen=True, kw_only=True):
    """What was found genuine, for the role `role` as it was at `role_revision`, by settings at `revision`.

    `policies`: what that lets them do besides logging in.
    """

    word: Word
    role: str
    role_revision: int
    revision: int
    policies: tuple[PolicyText, ...] = ()


class Admitted(Struct, frozen=True, kw_only=True):
    """Who it is: by the name that an entity's alias has, with its metadata and the groups that it is in there."""

    alias: str
    display_name: str
    meta: Mapping[str, str]
    groups: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Admitted({self.alias!r})"


def lacking(words: str) -> InvalidArgument:
    return InvalidArgument(words, CLAIM)


def text_in(said: Any) -> str:
    return said if isinstance(said, str) else ""
