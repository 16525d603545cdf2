"""The claims of a token, and what a role of the jwt method asks of them. RFC 7519 §4.1, RFC 6901."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keystead.core.entities import JwtBounds
from keystead.core.vouching.patterns import matches
from keystead.core.vouching.words import USUAL_LEEWAY, USUAL_SKEW, Admitted, lacking

MAX_ALIAS, MAX_GROUPS, MAX_GROUP = 1024, 1024, 1024  # characters, names, characters


def admitted_by_claims(claims: Mapping[str, Any], bounds: JwtBounds, issuer: str, role: str, now: int) -> Admitted:
    """`issuer`: the one that is bound, or "". Raises InvalidArgument."""
    if bounds.role_type != "jwt":
        raise lacking("role with oidc role_type is not allowed")
    _check_names(claims, bounds, issuer)
    _check_times(claims, bounds, now)
    require_claims(claims, bounds)
    return identified_as(claims, bounds, role)


def require_claims(claims: Mapping[str, Any], bounds: JwtBounds) -> None:
    """What a role asks of claims by name. Raises InvalidArgument."""
    for name, wanted in bounds.claims.items():
        _check_claim(name, claim(claims, name), wanted, globs=bounds.claims_type == "glob")


def identified_as(claims: Mapping[str, Any], bounds: JwtBounds, role: str) -> Admitted:
    """Who it is, by the claims that the role names for that. Raises InvalidArgument."""
    alias = claim(claims, bounds.user_claim) if bounds.user_claim_pointer else claims.get(bounds.user_claim)
    if alias is None or alias == "":  # nobody's name is empty
        raise lacking(f'claim "{bounds.user_claim}" not found in token')
    if not isinstance(alias, str) or len(alias) > MAX_ALIAS:
        raise lacking(f'claim "{bounds.user_claim}" could not be converted to string')
    return Admitted(
        alias=alias,
        display_name=alias,
        meta={**_mapped(claims, bounds.mappings), "role": role},
        groups=_groups(claims, bounds.groups_claim),
    )


def _check_names(claims: Mapping[str, Any], bounds: JwtBounds, issuer: str) -> None:
    audiences = texts(claims.get("aud"))
    if audiences and not bounds.audiences:
        raise lacking("audience claim found in JWT but no audiences bound to the role")
    if issuer and claims.get("iss") != issuer:
        raise lacking("error validating token: invalid issuer (iss) claim")
    if bounds.subject and claims.get("sub") != bounds.subject:
        raise lacking("error validating token: invalid subject (sub) claim")
    if bounds.audiences and not set(bounds.audiences) & set(audiences):
        words = "audience claim does not match any expected audience"
        raise lacking(f"error validating token: invalid audience (aud) claim: {words}")


def texts(said: Any) -> tuple[str, ...]:
    """Of the aud claim: one, or several. Raises InvalidArgument."""
    every = said if isinstance(said, list) else [] if said is None else [said]
    if not all(isinstance(one, str) for one in every):
        raise lacking("error validating token: the aud claim is no text")
    return tuple(every)


def seconds(claims: Mapping[str, Any], name: str) -> float:
    """RFC 7519 §2, NumericDate; 0 where there is none. Raises InvalidArgument."""
    said = claims.get(name, 0)
    if isinstance(said, bool) or not isinstance(said, int | float):
        raise lacking(f"error validating token: the {name} claim is no time")
    return said


def _leeway(chosen: int, usual: int) -> int:
    return max(0, chosen or usual)


def _check_times(claims: Mapping[str, Any], bounds: JwtBounds, now: int) -> None:
    """One of exp, nbf and iat has to be there, and stands in for the others."""
    exp, nbf, iat = (seconds(claims, name) for name in ("exp", "nbf", "iat"))
    if not (exp or nbf or iat):
        words = "no issued at (iat), not before (nbf), or expiration time (exp) claims in token"
        raise lacking(f"error validating token: {words}")
    skew = _leeway(bounds.clock_skew, USUAL_SKEW)
    ends = exp or max(iat, nbf) + _leeway(bounds.expiration_leeway, USUAL_LEEWAY)
    begins = nbf or iat or ends - _leeway(bounds.not_before_leeway, USUAL_LEEWAY)
    if now < begins - skew:
        raise lacking("error validating token: invalid not before (nbf) claim: token not yet valid")
    if now > ends + skew:
        raise lacking("error validating token: invalid expiration time (exp) claim: token is expired")
    if now < iat - skew:
        raise lacking("error validating token: invalid issued at (iat) claim: token issued in the future")


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
        raise lacking(f'error validating claims: claim "{name}" is missing')
    given = said if isinstance(said, list) else [said]
    if isinstance(said, Mapping):
        raise lacking("error validating claims: received claim is not a string or list")
    patterns = wanted if isinstance(wanted, list) else [wanted]
    if not any(_is(one, pattern, globs=globs) for one in given for pattern in patterns):
        raise lacking(f'error validating claims: claim "{name}" does not match any associated bound claim values')


def _is(said: Any, wanted: Any, *, globs: bool) -> bool:
    if globs:
        return isinstance(said, str) and isinstance(wanted, str) and matches(wanted, said)
    return isinstance(said, bool) is isinstance(wanted, bool) and bool(said == wanted)


def _mapped(claims: Mapping[str, Any], mappings: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for source, name in mappings.items():
        said = claim(claims, source)
        if said is None:
            continue
        if not isinstance(said, str):
            raise lacking(f"error converting claim '{source}' to string")
        found[name] = said
    return found


def _groups(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    if not name:
        return ()
    said = claim(claims, name)
    if said is None:
        raise lacking(f'failed to fetch groups: "{name}" claim not found in token')
    groups = [said] if isinstance(said, str) else said
    if not isinstance(groups, list) or len(groups) > MAX_GROUPS:
        raise lacking(f'"{name}" claim could not be converted to string list')
    if not all(isinstance(one, str) and len(one) <= MAX_GROUP for one in groups):
        raise lacking(f"a value in the groups claim {name} could not be parsed as string")
    return tuple(groups)
