"""auth/cert: roles for whoever shows a certificate over TLS. Vault HTTP API, "TLS certificates auth method"."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Account, CertBounds, CertSettings
from keystead.core.errors import NotFound
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.accounts import find_account, list_accounts
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.terms import TermsRequest, log_in, terms, told
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.service.credentials.vouchers import Word
from keystead.wire.vault.kinds import Caseless, CommaStrings, Int
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb

# --- the mount


class ConfigRequest(Parameters, frozen=True, kw_only=True):
    """None: as it was."""

    disable_binding: bool | None = None
    enable_identity_alias_metadata: bool = False


@endpoint("cert", Verb.WRITE, "config")
def write_config(req: ConfigRequest, call: Call) -> None:
    if req.enable_identity_alias_metadata:
        raise Said(400, "enable_identity_alias_metadata is not offered")
    binds = _settings(call).binds if req.disable_binding is None else not req.disable_binding
    settings = CertSettings(binds=binds)
    call(ops.WriteLoginSettings(tenant=here(call), mount=call.namespace, settings=settings))


def _settings(call: Call) -> CertSettings:
    try:
        settings = call(ops.ReadLoginSettings(tenant=here(call), mount=call.namespace)).settings
    except NotFound:
        return CertSettings()
    assert isinstance(settings, CertSettings)  # noqa: S101 - what writes them here writes no others
    return settings


@endpoint("cert", Verb.READ, "config")
def read_config(_req: Nothing, call: Call) -> dict[str, Any]:
    return {
        "disable_binding": not _settings(call).binds,
        "enable_identity_alias_metadata": False,
        "ocsp_cache_size": 0,
    }


# --- roles


class RoleRequest(Parameters, frozen=True, kw_only=True):
    name: Caseless = CAPTURED


class WriteRoleRequest(TermsRequest, frozen=True, kw_only=True):
    """None: as it was."""

    name: Caseless = CAPTURED
    certificate: str | None = None
    allowed_names: CommaStrings | None = None
    allowed_common_names: CommaStrings | None = None
    allowed_dns_sans: CommaStrings | None = None
    allowed_email_sans: CommaStrings | None = None
    allowed_uri_sans: CommaStrings | None = None
    allowed_organizational_units: CommaStrings | None = None
    required_extensions: CommaStrings | None = None
    allowed_metadata_extensions: CommaStrings | None = None
    display_name: str | None = None
    lease: Int | None = None
    ocsp_enabled: bool | None = None
    ocsp_servers_override: CommaStrings | None = None
    ocsp_ca_certificates: str | None = None
    ocsp_fail_open: bool | None = None
    ocsp_query_all_servers: bool | None = None


OWN: dict[str, str] = {
    "certificate": "certificate",
    "allowed_names": "names",
    "allowed_common_names": "common_names",
    "allowed_dns_sans": "dns",
    "allowed_email_sans": "emails",
    "allowed_uri_sans": "uris",
    "allowed_organizational_units": "units",
    "required_extensions": "extensions",
    "allowed_metadata_extensions": "told",
    "display_name": "display_name",
    "ocsp_enabled": "asks",
    "ocsp_servers_override": "responders",
    "ocsp_ca_certificates": "responder_authorities",
    "ocsp_fail_open": "open_unasked",
    "ocsp_query_all_servers": "asks_all",
}
"""Parameter -> where it is kept of a role's bounds."""


@endpoint("cert", Verb.WRITE, "certs/{name}")
def write_role(req: WriteRoleRequest, call: Call) -> None:
    name = req.name.lower()
    before = find_account(call, name) or Account(id="", mount=call.namespace, name=name)
    own = {kept: getattr(req, said) for said, kept in OWN.items() if getattr(req, said) is not None}
    bounds = replace(before.bounds if isinstance(before.bounds, CertBounds) else CertBounds(), **own)
    shared = terms(replace(req, ttl=req.lease) if req.ttl is None and req.lease is not None else req, before.terms)
    if shared.n_uses < 0:
        raise Said(400, "'token_num_uses' cannot be negative")
    role = replace(before, terms=shared, bounds=replace(bounds, display_name=bounds.display_name or name))
    call(ops.WriteAccount(tenant=here(call), mount=call.namespace, account=role))


@endpoint("cert", Verb.READ, "certs/{name}")
def read_role(req: RoleRequest, call: Call) -> dict[str, Any]:
    role = find_account(call, req.name.lower())
    if role is None or not isinstance(role.bounds, CertBounds):
        raise Said(404, "")
    own = {name: getattr(role.bounds, kept) for name, kept in OWN.items()}
    return {
        **told(role.terms),
        **{name: None if value == () else value for name, value in own.items()},
    }


@endpoint("cert", Verb.LIST, "certs/?")
def list_roles(_req: Nothing, call: Call) -> dict[str, Any]:
    return list_accounts(call)


@endpoint("cert", Verb.DELETE, "certs/{name}")
def delete_role(req: RoleRequest, call: Call) -> None:
    call(ops.DeleteAccount(tenant=here(call), mount=call.namespace, name=req.name.lower()))


# --- logging in


class LoginRequest(Parameters, frozen=True, kw_only=True):
    name: str = ""


def _shown(req: LoginRequest, _call: Call) -> Word:
    return Word(req.name.lower(), Sensitive(b""))


@endpoint("cert", Verb.WRITE, "login", unsigned=True, shows=_shown)
def login(_req: LoginRequest, call: Call) -> Answer:
    return log_in(call)


OPERATIONS = (write_config, read_config, write_role, read_role, list_roles, delete_role, login)
