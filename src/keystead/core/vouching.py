"""Whom somebody else vouches for, and what a role asks of them before it lets them in.

service.credentials says that the word is genuine; what is here says whether it is enough. RFC 7519 §4.1, RFC 6901;
Vault documentation, "JWT/OIDC auth method": its words, which clients match on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

from msgspec import Struct

from keystead.core.entities import CertBounds, JwtBounds, KubernetesBounds
from keystead.core.errors import InvalidArgument, Unauthenticated

CLAIM = "claim"
"""detail of the InvalidArgument for what a role asks and a token does not say."""
USUAL_SKEW, USUAL_LEEWAY = 60, 150  # seconds
MAX_ALIAS, MAX_GROUPS, MAX_GROUP = 1024, 1024, 1024  # characters, names, characters


class Claimed(Struct, frozen=True):
    """The claims of a token whose signature is its issuer's."""

    claims: Mapping[str, Any]

    @property
    def subject(self) -> str:
        return _text(self.claims.get("sub"))

    def __repr__(self) -> str:
        return "Claimed(…)"


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


Word = Claimed | ServiceAccount | Certified


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
    """What was found genuine, for the role `role` as it was at `role_revision`, by settings at `revision`."""

    word: Word
    role: str
    role_revision: int
    revision: int


class Admitted(Struct, frozen=True, kw_only=True):
    """Who it is: by the name that an entity's alias has, with its metadata and the groups that it is in there."""

    alias: str
    display_name: str
    meta: Mapping[str, str]
    groups: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Admitted({self.alias!r})"


def _no(words: str) -> InvalidArgument:
    return InvalidArgument(words, CLAIM)


# --- tokens


def admitted_by_claims(claims: Mapping[str, Any], bounds: JwtBounds, issuer: str, role: str, now: int) -> Admitted:
    """`issuer`: the one that is bound, or "". Raises InvalidArgument."""
    if bounds.role_type != "jwt":
        raise _no("role with oidc role_type is not allowed")
    _check_names(claims, bounds, issuer)
    _check_times(claims, bounds, now)
    for name, wanted in bounds.claims.items():
        _check_claim(name, claim(claims, name), wanted, globs=bounds.claims_type == "glob")
    alias = claim(claims, bounds.user_claim) if bounds.user_claim_pointer else claims.get(bounds.user_claim)
    if alias is None or alias == "":  # nobody's name is empty
        raise _no(f'claim "{bounds.user_claim}" not found in token')
    if not isinstance(alias, str) or len(alias) > MAX_ALIAS:
        raise _no(f'claim "{bounds.user_claim}" could not be converted to string')
    return Admitted(
        alias=alias,
        display_name=alias,
        meta={**_mapped(claims, bounds.mappings), "role": role},
        groups=_groups(claims, bounds.groups_claim),
    )


def _check_names(claims: Mapping[str, Any], bounds: JwtBounds, issuer: str) -> None:
    audiences = _audiences(claims.get("aud"))
    if audiences and not bounds.audiences:
        raise _no("audience claim found in JWT but no audiences bound to the role")
    if issuer and claims.get("iss") != issuer:
        raise _no("error validating token: invalid issuer (iss) claim")
    if bounds.subject and claims.get("sub") != bounds.subject:
        raise _no("error validating token: invalid subject (sub) claim")
    if bounds.audiences and not set(bounds.audiences) & set(audiences):
        words = "audience claim does not match any expected audience"
        raise _no(f"error validating token: invalid audience (aud) claim: {words}")


def _audiences(said: Any) -> tuple[str, ...]:
    every = said if isinstance(said, list) else [] if said is None else [said]
    if not all(isinstance(one, str) for one in every):
        raise _no("error validating token: the aud claim is no text")
    return tuple(every)


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    """RFC 7519 §2, NumericDate; 0 where there is none."""
    said = claims.get(name, 0)
    if isinstance(said, bool) or not isinstance(said, int | float):
        raise _no(f"error validating token: the {name} claim is no time")
    return said


def _leeway(chosen: int, usual: int) -> int:
    return max(0, chosen or usual)


def _check_times(claims: Mapping[str, Any], bounds: JwtBounds, now: int) -> None:
    """One of exp, nbf and iat has to be there, and stands in for the others."""
    exp, nbf, iat = (_seconds(claims, name) for name in ("exp", "nbf", "iat"))
    if not (exp or nbf or iat):
        words = "no issued at (iat), not before (nbf), or expiration time (exp) claims in token"
        raise _no(f"error validating token: {words}")
    skew = _leeway(bounds.clock_skew, USUAL_SKEW)
    ends = exp or max(iat, nbf) + _leeway(bounds.expiration_leeway, USUAL_LEEWAY)
    begins = nbf or iat or ends - _leeway(bounds.not_before_leeway, USUAL_LEEWAY)
    if now < begins - skew:
        raise _no("error validating token: invalid not before (nbf) claim: token not yet valid")
    if now > ends + skew:
        raise _no("error validating token: invalid expiration time (exp) claim: token is expired")
    if now < iat - skew:
        raise _no("error validating token: invalid issued at (iat) claim: token issued in the future")


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """By name; by JSON pointer (RFC 6901) where it begins with a slash. None where there is none."""
    if not name.startswith("/"):
        return claims.get(name)
    found: Any = claims
    for step in name[1:].split("/"):
        word = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(word)
        elif isinstance(found, list) and word.isascii() and word.isdigit() and len(word) < 6 and int(word) < len(found):
            found = found[int(word)]
        else:
            return None
    return found


def _check_claim(name: str, said: Any, wanted: Any, *, globs: bool) -> None:
    if said is None:
        raise _no(f'error validating claims: claim "{name}" is missing')
    given = said if isinstance(said, list) else [said]
    if isinstance(said, Mapping):
        raise _no("error validating claims: received claim is not a string or list")
    patterns = wanted if isinstance(wanted, list) else [wanted]
    if not any(_is(one, pattern, globs=globs) for one in given for pattern in patterns):
        raise _no(f'error validating claims: claim "{name}" does not match any associated bound claim values')


def _is(said: Any, wanted: Any, *, globs: bool) -> bool:
    if globs:
        return isinstance(said, str) and isinstance(wanted, str) and matches(wanted, said)
    return isinstance(said, bool) is isinstance(wanted, bool) and bool(said == wanted)


def matches(pattern: str, text: str) -> bool:
    """`*` stands for any text, wherever it is. Never more than len(pattern) * len(text) steps."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == first
    *middle, last = rest
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        if (found := text.find(piece, at, end)) < 0:
            return False
        at = found + len(piece)
    return True


def _mapped(claims: Mapping[str, Any], mappings: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for source, name in mappings.items():
        said = claim(claims, source)
        if said is None:
            continue
        if not isinstance(said, str):
            raise _no(f"error converting claim '{source}' to string")
        found[name] = said
    return found


def _groups(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    if not name:
        return ()
    said = claim(claims, name)
    if said is None:
        raise _no(f'failed to fetch groups: "{name}" claim not found in token')
    groups = [said] if isinstance(said, str) else said
    if not isinstance(groups, list) or len(groups) > MAX_GROUPS:
        raise _no(f'"{name}" claim could not be converted to string list')
    if not all(isinstance(one, str) and len(one) <= MAX_GROUP for one in groups):
        raise _no(f"a value in the groups claim {name} could not be parsed as string")
    return tuple(groups)


def _text(said: Any) -> str:
    return said if isinstance(said, str) else ""


# --- service accounts

OF_ACCOUNT = "kubernetes.io"


def service_account(claims: Mapping[str, Any]) -> ServiceAccount:
    """Of whom a token says that it is: as projected ones say it, or as those that are kept in a secret do.

    Kubernetes documentation, "Managing Service Accounts"; a name that is missing is empty.
    """
    bound = claims.get(OF_ACCOUNT)
    if isinstance(bound, Mapping):
        who = bound.get("serviceaccount")
        who = who if isinstance(who, Mapping) else {}
        return ServiceAccount(
            name=_text(who.get("name")), namespace=_text(bound.get("namespace")), uid=_text(who.get("uid"))
        )
    old = f"{OF_ACCOUNT}/serviceaccount"
    return ServiceAccount(
        name=_text(claims.get(f"{old}/service-account.name")),
        namespace=_text(claims.get(f"{old}/namespace")),
        uid=_text(claims.get(f"{old}/service-account.uid")),
        kept_in=_text(claims.get(f"{old}/secret.name")),
    )


def require_account(who: ServiceAccount, bounds: KubernetesBounds) -> None:
    """Raises Unauthenticated (detail Unfit)."""
    if not who.name or not any(matches(one, who.name) for one in bounds.names):
        raise unfit(Unfit.NAME)
    if not who.namespace or not any(matches(one, who.namespace) for one in bounds.namespaces):
        raise unfit(Unfit.NAMESPACE)


def require_claims(claims: Mapping[str, Any], audience: str, issuer: str, now: int) -> None:
    """`audience`, `issuer`: that it has to be for, and of; "" for any. Raises Unauthenticated (detail Unfit)."""
    if issuer and claims.get("iss") != issuer:
        raise unfit(Unfit.ISSUER)
    if audience and audience not in audiences_of(claims):
        raise unfit(Unfit.AUDIENCE)
    exp, nbf = claims.get("exp"), claims.get("nbf")
    if isinstance(exp, int | float) and now > exp + USUAL_SKEW:
        raise unfit(Unfit.EXPIRED)
    if isinstance(nbf, int | float) and now < nbf - USUAL_SKEW:
        raise unfit(Unfit.EARLY)


def audiences_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """What is text among them."""
    said = claims.get("aud")
    return tuple(one for one in (said if isinstance(said, list) else [said]) if isinstance(one, str))


def admitted_by_cluster(who: ServiceAccount, bounds: KubernetesBounds, role: str) -> Admitted:
    """Raises Unauthenticated (detail Unfit)."""
    require_account(who, bounds)
    by_name = bounds.alias_source == "serviceaccount_name"
    return Admitted(
        alias=who.subject if by_name else who.uid,
        display_name=f"{who.namespace}-{who.name}",
        meta={
            "role": role,
            "service_account_name": who.name,
            "service_account_namespace": who.namespace,
            "service_account_secret_name": who.kept_in,
            "service_account_uid": who.uid,
        },
    )


# --- certificates

UNFIT_CERTIFICATE = "no chain matching all constraints could be found for this login certificate"


def fits(said: Certified, bounds: CertBounds) -> bool:
    """Whether a certificate says all that a role asks."""
    return (
        _any(bounds.names, (said.common_name, *said.dns, *said.emails))
        and _any(bounds.common_names, (said.common_name,))
        and _any(bounds.dns, said.dns)
        and _any(bounds.emails, said.emails)
        and _any(bounds.uris, said.uris)
        and _any(bounds.units, said.units)
        and all(_has_extension(said, wanted) for wanted in bounds.extensions)
    )


def _any(patterns: tuple[str, ...], names: tuple[str, ...]) -> bool:
    return not patterns or any(matches(pattern, name) for pattern in patterns for name in names)


def _has_extension(said: Certified, wanted: str) -> bool:
    """ "oid:text", whose text is that of a DER string; "hex:oid:hex", of the whole value."""
    hexed = wanted.startswith("hex:")
    oid, _, pattern = wanted.removeprefix("hex:").partition(":")
    if (value := said.extensions.get(oid)) is None:
        return False
    return matches(pattern.lower(), value.hex()) if hexed else matches(pattern, text_of(value))


STRINGS = {0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii"}  # UTF8String, PrintableString, IA5String: X.690 §8.23
SHORT = 0x80


def text_of(der: bytes) -> str:
    """The text of a DER string; "" of anything else."""
    if len(der) < 2 or der[0] not in STRINGS:
        return ""
    n_length = der[1] - SHORT if der[1] >= SHORT else 0
    length = int.from_bytes(der[2 : 2 + n_length]) if n_length else der[1]
    text = der[2 + n_length :]
    try:
        return text.decode(STRINGS[der[0]]) if len(text) == length else ""
    except UnicodeDecodeError:
        return ""


def admitted_by_certificate(said: Certified, bounds: CertBounds, role: str) -> Admitted:
    """Raises InvalidArgument."""
    if not fits(said, bounds):
        raise _no(UNFIT_CERTIFICATE)
    if not said.common_name:
        raise _no("the certificate has no common name")
    own = {oid.replace(".", "-"): text_of(said.extensions[oid]) for oid in bounds.told if oid in said.extensions}
    return Admitted(
        alias=said.common_name,
        display_name=bounds.display_name or role,
        meta={
            **own,
            "authority_key_id": said.authority_key_id,
            "cert_name": role,
            "common_name": said.common_name,
            "serial_number": said.serial,
            "subject_key_id": said.subject_key_id,
        },
    )


# --- by what a role asks


def admitted(vouched: Vouched, bounds: Any, issuer: str, now: datetime) -> Admitted:
    """Raises InvalidArgument, Unauthenticated (detail Unfit), in words for whoever sent it: it is genuine."""
    if isinstance(bounds, JwtBounds) and isinstance(vouched.word, Claimed):
        return admitted_by_claims(vouched.word.claims, bounds, issuer, vouched.role, int(now.timestamp()))
    if isinstance(bounds, KubernetesBounds) and isinstance(vouched.word, ServiceAccount):
        return admitted_by_cluster(vouched.word, bounds, vouched.role)
    if isinstance(bounds, CertBounds) and isinstance(vouched.word, Certified):
        return admitted_by_certificate(vouched.word, bounds, vouched.role)
    raise _no("the role is of another kind")
