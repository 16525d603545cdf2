"""Parameters that every login method has: what the tokens are like that are got there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import TokenTerms
from keystead.core.operations import LoggedIn, MfaRequired, NotProven
from keystead.doors.vault.endpoint import Answer, Said
from keystead.doors.vault.times import warnings_of
from keystead.doors.vault.tokens import auth, here
from keystead.kit import Call
from keystead.wire.vault.envelope import Auth, Requirement
from keystead.wire.vault.kinds import CommaStrings, Duration, Int
from keystead.wire.vault.reader import Parameters

WAITS = (
    "A login request was issued that is subject to MFA validation. Please make sure to validate the login by sending "
    "another request to mfa/validate endpoint."
)
UNASKED = "Found MFA header but failed to find MFA Enforcement Config"


class TermsRequest(Parameters, frozen=True, kw_only=True):
    """The names without "token_" are the older ones, and mean the same. None: as it was."""

    token_policies: CommaStrings | None = None
    policies: CommaStrings | None = None
    token_ttl: Duration | None = None
    ttl: Duration | None = None
    token_max_ttl: Duration | None = None
    max_ttl: Duration | None = None
    token_explicit_max_ttl: Duration | None = None
    token_period: Duration | None = None
    period: Duration | None = None
    token_num_uses: Int | None = None
    token_no_default_policy: bool | None = None
    token_bound_cidrs: CommaStrings | None = None
    bound_cidrs: CommaStrings | None = None
    token_strictly_bind_ip: bool | None = None
    token_type: str | None = None


NAMES: dict[str, tuple[str, ...]] = {
    "policies": ("token_policies", "policies"),
    "ttl": ("token_ttl", "ttl"),
    "max_ttl": ("token_max_ttl", "max_ttl"),
    "explicit_max_ttl": ("token_explicit_max_ttl",),
    "period": ("token_period", "period"),
    "n_uses": ("token_num_uses",),
    "bound_cidrs": ("token_bound_cidrs", "bound_cidrs"),
    "binds_ip": ("token_strictly_bind_ip",),
}
"""Of TokenTerms -> the names of its parameters, the one that counts first."""


KINDS = {"": "default", "default": "default", "service": "service", "batch": "batch"}
"""token_type -> what is kept."""


def terms(req: TermsRequest, before: TokenTerms) -> TokenTerms:
    """As they are to be. Raises Said for what cannot be."""
    if req.token_type not in {*KINDS, None}:
        raise Said(400, f"invalid 'token_type' value \"{req.token_type}\"")
    given: dict[str, Any] = {}
    for field, names in NAMES.items():
        values = [value for value in (getattr(req, one) for one in names) if value is not None]
        if values:
            given[field] = tuple(v.lower() for v in values[0] if v) if field == "policies" else values[0]
    if req.token_no_default_policy is not None:
        given["with_default"] = not req.token_no_default_policy
    if req.token_type is not None:
        given["made_as"] = KINDS[req.token_type]
    settled = replace(before, **given)
    if settled.binds_ip and settled.bound_cidrs:
        raise Said(400, "'token_strictly_bind_ip' conflicts with 'token_bound_cidrs'; set only one")
    if settled.made_as == "batch":
        for holds, words in ((settled.period, "periodic tokens"), (settled.n_uses, "tokens with limited use count")):
            if holds:
                refusal = "'token_type' cannot be 'batch' or 'default_batch' when set to generate"
                raise Said(400, f"{refusal} {words}")
    return settled


def doubled_names(req: Any, names: Mapping[str, tuple[str, ...]]) -> Answer | None:
    """What is said to who gave something under both its names."""
    both = ((pair[0], pair[1]) for pair in names.values() if len(pair) > 1)
    warnings = tuple(
        f"Both '{new}' and deprecated '{old}' value supplied, ignoring the deprecated value"
        for new, old in both
        if getattr(req, new) is not None and getattr(req, old) is not None
    )
    return Answer(warnings=warnings) if warnings else None


def told(terms: TokenTerms) -> dict[str, Any]:
    return {
        "token_bound_cidrs": terms.bound_cidrs,
        "token_explicit_max_ttl": terms.explicit_max_ttl,
        "token_max_ttl": terms.max_ttl,
        "token_no_default_policy": not terms.with_default,
        "token_num_uses": terms.n_uses,
        "token_period": terms.period,
        "token_policies": terms.policies,
        "token_strictly_bind_ip": terms.binds_ip,
        "token_ttl": terms.ttl,
        "token_type": terms.made_as,
    }


def log_in(call: Call) -> Answer:
    """Of a caller whom somebody vouches for."""
    asked = call.caller.asked
    path = asked.here if asked is not None else ""
    return logged_in(call(ops.LogInVouched(tenant=here(call), mount=call.namespace, path=path)))


def logged_in(done: LoggedIn) -> Answer:
    """Raises Said where a second factor that was shown with the first does not hold: not what of it."""
    if isinstance(done, NotProven):
        raise Said(403, "permission denied")
    if isinstance(done, MfaRequired):
        return Answer(auth=_lacking(done), warnings=(WAITS,))
    said = auth(done.token, done.text, done.token.ttl, done.identity_policies)
    return Answer(auth=said, warnings=(*((UNASKED,) if done.unasked else ()), *warnings_of(done.capped)))


def _lacking(done: MfaRequired) -> Auth:
    constraints = {
        name: {"any": [{"type": "totp", "id": one.id, "uses_passcode": True, "name": one.name} for one in methods]}
        for name, methods in done.any_of.items()
    }
    return Auth(
        client_token="",
        accessor="",
        policies=None,
        token_policies=msgspec.UNSET,
        token_type="default",  # noqa: S106 - a kind of token, not one
        mfa_requirement=Requirement(done.request_id, constraints),
    )
