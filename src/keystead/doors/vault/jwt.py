"""auth/jwt, auth/oidc: roles for whoever shows an issuer's token. Vault HTTP API, "JWT/OIDC auth method"."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Account, JwtBounds, JwtSettings
from keystead.core.errors import NotFound
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.accounts import find_account, list_accounts
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.refusals import refuse
from keystead.doors.vault.terms import TermsRequest, log_in, terms, told
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.service.credentials.vouchers import Word
from keystead.wire.vault.kinds import CommaStrings, Int, List, Lower, Map, Pairs, SignedDuration
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.tree import Number

ONE_OF = (
    "exactly one of 'jwt_validation_pubkeys', 'jwks_url', 'jwks_pairs', 'oidc_discovery_url', or 'provider_config' "
    "must be set"
)
MAX_POLL = 600  # seconds
MAX_CLIENT = 4096  # characters
RESERVED = frozenset({"role"})
MODES = frozenset({"client", "direct", "device"})
TYPES, CLAIM_TYPES = frozenset({"jwt", "oidc"}), frozenset({"string", "glob"})


# --- the mount


class ConfigRequest(Parameters, frozen=True, kw_only=True):
    oidc_discovery_url: str = ""
    oidc_discovery_ca_pem: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_response_mode: str = ""
    oidc_response_types: CommaStrings = ()
    provider_config: Map | None = None
    jwks_url: str = ""
    jwks_ca_pem: str = ""
    jwks_pairs: List | None = None
    jwt_validation_pubkeys: CommaStrings = ()
    jwt_supported_algs: CommaStrings = ()
    bound_issuer: str = ""
    default_role: Lower = ""
    namespace_in_state: bool | None = None
    override_allowed_server_names: CommaStrings | None = None


@endpoint("jwt", Verb.WRITE, "config")
def write_config(req: ConfigRequest, call: Call) -> None:
    """All of it anew. Nobody is asked whether the keys are where it says: the first login finds out."""
    refuse(req, ("jwks_pairs", "override_allowed_server_names"))
    if sum(map(bool, (req.oidc_discovery_url, req.jwks_url, req.jwt_validation_pubkeys))) != 1:
        raise Said(400, ONE_OF)
    _check_client(req)
    before = _settings(call)
    settings = JwtSettings(
        discovery_url=req.oidc_discovery_url,
        discovery_ca=req.oidc_discovery_ca_pem if req.oidc_discovery_url else "",
        jwks_url=req.jwks_url,
        jwks_ca=req.jwks_ca_pem if req.jwks_url else "",
        public_keys=req.jwt_validation_pubkeys,
        bound_issuer=req.bound_issuer,
        algorithms=req.jwt_supported_algs,
        default_role=req.default_role,
        client_id=req.oidc_client_id,
        response_mode=req.oidc_response_mode,
        response_types=req.oidc_response_types,
        namespace_in_state=_in_state(req, before),
    )
    secret = Sensitive(req.oidc_client_secret.encode())
    call(ops.WriteLoginSettings(tenant=here(call), mount=call.namespace, settings=settings, secret=secret))


def _in_state(req: ConfigRequest, before: JwtSettings | None) -> bool:
    """As it was; a new configuration has it."""
    if req.namespace_in_state is not None:
        return req.namespace_in_state
    return before is None or before.namespace_in_state


def _check_client(req: ConfigRequest) -> None:
    """Raises Said."""
    if req.provider_config:
        raise Said(400, "provider_config is not offered")
    if bool(req.oidc_client_id) != bool(req.oidc_client_secret):
        raise Said(400, "both 'oidc_client_id' and 'oidc_client_secret' must be set for OIDC")
    if req.oidc_client_id and not req.oidc_discovery_url:
        raise Said(400, "'oidc_discovery_url' must be set for OIDC")
    if max(len(req.oidc_client_id), len(req.oidc_client_secret)) > MAX_CLIENT:
        raise Said(400, "'oidc_client_id' and 'oidc_client_secret' are too long")
    if not set(req.oidc_response_types) <= {"code", "id_token"}:
        said = " ".join(req.oidc_response_types)
        raise Said(400, f"invalid response_types [{said}]. 'code' and 'id_token' are allowed")
    if req.oidc_response_mode not in {"", "query", "form_post"}:
        raise Said(400, f'invalid response_mode: "{req.oidc_response_mode}"')
    if "id_token" in req.oidc_response_types and req.oidc_response_mode != "form_post":
        raise Said(400, "query response_mode may not be used with an id_token response_type")
    if "id_token" in req.oidc_response_types:
        raise Said(400, "the response_type id_token is not offered")
    if req.oidc_response_mode == "form_post":
        raise Said(400, "the response_mode form_post is not offered")


def _settings(call: Call) -> JwtSettings | None:
    try:
        settings = call(ops.ReadLoginSettings(tenant=here(call), mount=call.namespace)).settings
    except NotFound:
        return None
    assert isinstance(settings, JwtSettings)  # noqa: S101 - what writes them here writes no others
    return settings


@endpoint("jwt", Verb.READ, "config")
def read_config(_req: Nothing, call: Call) -> dict[str, Any]:
    if (settings := _settings(call)) is None:
        raise Said(404, "")
    return {
        "bound_issuer": settings.bound_issuer,
        "default_role": settings.default_role,
        "jwks_ca_pem": settings.jwks_ca,
        "jwks_url": settings.jwks_url,
        "jwt_supported_algs": settings.algorithms,
        "jwt_validation_pubkeys": settings.public_keys,
        "namespace_in_state": settings.namespace_in_state,
        "oidc_client_id": settings.client_id,
        "oidc_discovery_ca_pem": settings.discovery_ca,
        "oidc_discovery_url": settings.discovery_url,
        "oidc_response_mode": settings.response_mode,
        "oidc_response_types": settings.response_types,
        "provider_config": {},
        "status": "valid",
    }


# --- roles


class RoleRequest(Parameters, frozen=True, kw_only=True):
    name: Lower = CAPTURED


class WriteRoleRequest(TermsRequest, frozen=True, kw_only=True):
    """None: as it was."""

    name: Lower = CAPTURED
    role_type: str = ""
    bound_audiences: CommaStrings | None = None
    bound_subject: str | None = None
    bound_claims: Map | None = None
    bound_claims_type: str | None = None
    user_claim: str | None = None
    user_claim_json_pointer: bool | None = None
    groups_claim: str | None = None
    claim_mappings: Pairs | None = None
    clock_skew_leeway: SignedDuration | None = None
    expiration_leeway: SignedDuration | None = None
    not_before_leeway: SignedDuration | None = None
    allowed_redirect_uris: CommaStrings | None = None
    oidc_scopes: CommaStrings | None = None
    max_age: SignedDuration | None = None
    callback_mode: str = "client"
    poll_interval: Int | None = None
    verbose_oidc_logging: bool = False
    oauth2_metadata: CommaStrings | None = None
    num_uses: Int | None = None


OWN: dict[str, str] = {
    "bound_audiences": "audiences",
    "bound_subject": "subject",
    "bound_claims_type": "claims_type",
    "user_claim_json_pointer": "user_claim_pointer",
    "groups_claim": "groups_claim",
    "clock_skew_leeway": "clock_skew",
    "expiration_leeway": "expiration_leeway",
    "not_before_leeway": "not_before_leeway",
    "allowed_redirect_uris": "redirect_uris",
    "oidc_scopes": "scopes",
    "max_age": "max_age",
    "callback_mode": "callback_mode",
    "poll_interval": "poll_interval",
}
"""Parameter -> where it is kept of a role's bounds."""


@endpoint("jwt", Verb.WRITE, "role/{name}", creates=True)
def write_role(req: WriteRoleRequest, call: Call) -> None:
    before = find_account(call, req.name) or Account(id="", mount=call.namespace, name=req.name)
    bounds = _bounds(req, before.bounds if isinstance(before.bounds, JwtBounds) else JwtBounds())
    shared = terms(replace(req, token_num_uses=req.num_uses) if req.token_num_uses is None else req, before.terms)
    if shared.n_uses < 0:
        raise Said(400, "'token_num_uses' cannot be negative")
    _check(bounds, bound_elsewhere=bool(shared.bound_cidrs))
    role = replace(before, terms=shared, bounds=bounds)
    call(ops.WriteAccount(tenant=here(call), mount=call.namespace, account=role))


def _bounds(req: WriteRoleRequest, before: JwtBounds) -> JwtBounds:
    refuse(req, ("oauth2_metadata",))
    if req.verbose_oidc_logging:
        raise Said(400, "verbose_oidc_logging is not offered: what tokens say is not logged")
    if req.callback_mode not in MODES:
        raise Said(400, f"invalid 'callback_mode': {req.callback_mode}")
    if req.callback_mode == "direct":
        raise Said(400, f"the callback_mode {req.callback_mode} is not offered")
    if req.poll_interval is not None and not 0 <= req.poll_interval <= MAX_POLL:
        raise Said(400, f"poll_interval is 0 to {MAX_POLL} seconds")
    role_type = req.role_type or "oidc"
    if role_type not in TYPES:
        raise Said(400, f"invalid 'role_type': {role_type}")
    user_claim = before.user_claim if req.user_claim is None else req.user_claim
    if not user_claim:
        raise Said(400, "a user claim must be defined on the role")
    own = {kept: getattr(req, name) for name, kept in OWN.items() if getattr(req, name) is not None}
    if req.bound_claims is not None:
        own["claims"] = {name: _plain(value) for name, value in req.bound_claims.items()}
    if req.claim_mappings is not None:
        own["mappings"] = _mappings(req.claim_mappings)
    return replace(before, role_type=role_type, user_claim=user_claim, **own)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return float(value.text) if isinstance(value, Number) else value


def _mappings(given: dict[str, str]) -> dict[str, str]:
    names: set[str] = set()
    for name in given.values():
        if name in RESERVED:
            raise Said(400, f'metadata key "{name}" is reserved and may not be a mapping destination')
        if name in names:
            raise Said(400, f'multiple keys are mapped to metadata key "{name}"')
        names.add(name)
    return given


def _check(bounds: JwtBounds, *, bound_elsewhere: bool) -> None:
    if bounds.claims_type not in CLAIM_TYPES:
        raise Said(400, f"invalid 'bound_claims_type': {bounds.claims_type}")
    if bounds.claims_type == "glob":
        for value in bounds.claims.values():
            for one in value if isinstance(value, list) else [value]:
                if not isinstance(one, str):
                    raise Said(400, f"claim is not a string: {one}")
    if bounds.role_type == "oidc":
        if not bounds.redirect_uris:
            raise Said(400, "'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified.")
    elif not (bounds.audiences or bounds.subject or bounds.claims or bound_elsewhere):
        raise Said(400, "must have at least one bound constraint when creating/updating a role")


@endpoint("jwt", Verb.READ, "role/{name}")
def read_role(req: RoleRequest, call: Call) -> dict[str, Any]:
    role = find_account(call, req.name)
    if role is None or not isinstance(role.bounds, JwtBounds):
        raise Said(404, "")
    bounds = role.bounds
    own = {name: getattr(bounds, kept) for name, kept in OWN.items() if name != "poll_interval" or bounds.poll_interval}
    return {
        **told(role.terms),
        **{name: None if value == () else value for name, value in own.items()},
        "bound_claims": bounds.claims or None,
        "claim_mappings": bounds.mappings or None,
        "role_type": bounds.role_type,
        "user_claim": bounds.user_claim,
        "verbose_oidc_logging": False,
    }


@endpoint("jwt", Verb.LIST, "role/?")
def list_roles(_req: Nothing, call: Call) -> dict[str, Any]:
    return list_accounts(call)


@endpoint("jwt", Verb.DELETE, "role/{name}")
def delete_role(req: RoleRequest, call: Call) -> None:
    call(ops.DeleteAccount(tenant=here(call), mount=call.namespace, name=req.name))


# --- logging in


class LoginRequest(Parameters, frozen=True, kw_only=True):
    role: Lower = ""
    jwt: str = ""


def _shown(req: LoginRequest, _call: Call) -> Word:
    return Word(req.role, Sensitive(req.jwt.strip().encode()))  # out of a file it ends in a line feed


@endpoint("jwt", Verb.WRITE, "login", unsigned=True, shows=_shown)
def login(_req: LoginRequest, call: Call) -> Answer:
    return log_in(call)


OPERATIONS = (
    write_config,
    read_config,
    write_role,
    read_role,
    list_roles,
    delete_role,
    login,
)
