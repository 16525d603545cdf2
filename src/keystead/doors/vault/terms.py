"""Parameters that every login method has: what the tokens are like that are got there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from keystead.core.entities import TokenTerms
from keystead.core.operations import MadeToken
from keystead.doors.vault.endpoint import Answer, Said
from keystead.doors.vault.times import warnings_of
from keystead.doors.vault.tokens import BATCH, SERVICE, auth
from keystead.wire.vault.kinds import CommaStrings, Duration, Int
from keystead.wire.vault.reader import Parameters


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
    token_strictly_bind_ip: bool = False
    token_type: str | None = None


NAMES: dict[str, tuple[str, ...]] = {
    "policies": ("token_policies", "policies"),
    "ttl": ("token_ttl", "ttl"),
    "max_ttl": ("token_max_ttl", "max_ttl"),
    "explicit_max_ttl": ("token_explicit_max_ttl",),
    "period": ("token_period", "period"),
    "n_uses": ("token_num_uses",),
    "bound_cidrs": ("token_bound_cidrs", "bound_cidrs"),
}
"""Of TokenTerms -> the names of its parameters, the one that counts first."""


def terms(req: TermsRequest, before: TokenTerms) -> TokenTerms:
    """As they are to be. Raises Said for what is not offered."""
    if req.token_type == "batch":  # noqa: S105 - a kind of token, not one
        raise Said(400, BATCH)
    if req.token_type not in SERVICE | {None}:
        raise Said(400, f"invalid 'token_type' value \"{req.token_type}\"")
    if req.token_strictly_bind_ip:
        raise Said(400, "token_strictly_bind_ip is not offered")
    given: dict[str, Any] = {}
    for field, names in NAMES.items():
        values = [value for value in (getattr(req, one) for one in names) if value is not None]
        if values:
            given[field] = tuple(v.lower() for v in values[0] if v) if field == "policies" else values[0]
    if req.token_no_default_policy is not None:
        given["with_default"] = not req.token_no_default_policy
    return replace(before, **given)


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
        "token_strictly_bind_ip": False,
        "token_ttl": terms.ttl,
        "token_type": "default",
    }


def logged_in(made: MadeToken) -> Answer:
    return Answer(auth=auth(made.token, made.text, made.token.ttl), warnings=warnings_of(made.capped))
