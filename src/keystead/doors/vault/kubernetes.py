"""auth/kubernetes: roles for service accounts of a cluster. Vault HTTP API, "Kubernetes auth method"."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Account, KubernetesBounds, KubernetesSettings
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

USUAL_SOURCE = "serviceaccount_uid"
SOURCES = (USUAL_SOURCE, "serviceaccount_name")
MAX_SHOWN = 16 * 1024  # characters of the token that the API server is shown


# --- the mount


class ConfigRequest(Parameters, frozen=True, kw_only=True):
    kubernetes_host: str = ""
    kubernetes_ca_cert: str = ""
    token_reviewer_jwt: str = ""
    pem_keys: CommaStrings = ()
    issuer: str = ""
    disable_iss_validation: bool = True
    disable_local_ca_jwt: bool = False


@endpoint("kubernetes", Verb.WRITE, "config")
def write_config(req: ConfigRequest, call: Call) -> None:
    """All of it anew. Nothing is read of the pod that we run in: whoever names a host would be shown its token."""
    if not req.kubernetes_host:
        raise Said(400, "no host provided")
    if req.disable_local_ca_jwt and not req.kubernetes_ca_cert:
        raise Said(400, "kubernetes_ca_cert must be given when disable_local_ca_jwt is true")
    if len(req.token_reviewer_jwt) > MAX_SHOWN or not req.token_reviewer_jwt.isascii():
        raise Said(400, "token_reviewer_jwt is no token")
    settings = KubernetesSettings(
        host=req.kubernetes_host,
        ca=req.kubernetes_ca_cert,
        public_keys=req.pem_keys,
        issuer=req.issuer,
        checks_issuer=not req.disable_iss_validation,
        without_local=req.disable_local_ca_jwt,
    )
    shown = Sensitive(req.token_reviewer_jwt.strip().encode())
    call(ops.WriteLoginSettings(tenant=here(call), mount=call.namespace, settings=settings, secret=shown))


@endpoint("kubernetes", Verb.READ, "config")
def read_config(_req: Nothing, call: Call) -> dict[str, Any]:
    found = call(ops.ReadLoginSettings(tenant=here(call), mount=call.namespace))
    settings = found.settings
    assert isinstance(settings, KubernetesSettings)  # noqa: S101 - what writes them here writes no others
    return {
        "disable_iss_validation": not settings.checks_issuer,
        "disable_local_ca_jwt": settings.without_local,
        "issuer": settings.issuer,
        "kubernetes_ca_cert": settings.ca,
        "kubernetes_host": settings.host,
        "pem_keys": settings.public_keys,
        "token_reviewer_jwt_set": found.shows,
    }


# --- roles


class RoleRequest(Parameters, frozen=True, kw_only=True):
    name: Caseless = CAPTURED


class WriteRoleRequest(TermsRequest, frozen=True, kw_only=True):
    """None: as it was."""

    name: Caseless = CAPTURED
    bound_service_account_names: CommaStrings | None = None
    bound_service_account_namespaces: CommaStrings | None = None
    bound_service_account_namespace_selector: str = ""
    audience: str | None = None
    alias_name_source: str | None = None
    num_uses: Int | None = None


OWN: dict[str, str] = {
    "bound_service_account_names": "names",
    "bound_service_account_namespaces": "namespaces",
    "audience": "audience",
    "alias_name_source": "alias_source",
}
"""Parameter -> where it is kept of a role's bounds."""


@endpoint("kubernetes", Verb.WRITE, "role/{name}", creates=True)
def write_role(req: WriteRoleRequest, call: Call) -> None:
    name = req.name.lower()
    before = find_account(call, name) or Account(id="", mount=call.namespace, name=name)
    own = {kept: getattr(req, said) for said, kept in OWN.items() if getattr(req, said) is not None}
    if not before.id and own.get("alias_source") == "":
        own["alias_source"] = USUAL_SOURCE
    bounds = replace(before.bounds if isinstance(before.bounds, KubernetesBounds) else KubernetesBounds(), **own)
    _check(req, bounds)
    shared = terms(replace(req, token_num_uses=req.num_uses) if req.token_num_uses is None else req, before.terms)
    if shared.n_uses < 0:
        raise Said(400, "'token_num_uses' cannot be negative")
    role = replace(before, terms=shared, bounds=bounds)
    call(ops.WriteAccount(tenant=here(call), mount=call.namespace, account=role))


def _check(req: WriteRoleRequest, bounds: KubernetesBounds) -> None:
    if req.bound_service_account_namespace_selector:
        raise Said(400, "bound_service_account_namespace_selector is not offered")
    if not bounds.names:
        raise Said(400, '"bound_service_account_names" can not be empty')
    if not bounds.namespaces:
        words = '"bound_service_account_namespaces" can not be empty if "bound_service_account_namespace_selector" is '
        raise Said(400, f"{words}not set")
    for bound in (bounds.names, bounds.namespaces):
        if "*" in bound and len(bound) > 1:
            raise Said(400, 'can not mix "*" with values')
    if bounds.alias_source not in SOURCES:
        raise Said(400, f"invalid alias_name_source, must be one of: {', '.join(SOURCES)}")


@endpoint("kubernetes", Verb.READ, "role/{name}")
def read_role(req: RoleRequest, call: Call) -> dict[str, Any]:
    role = find_account(call, req.name.lower())
    if role is None or not isinstance(role.bounds, KubernetesBounds):
        raise Said(404, "")
    own = {name: getattr(role.bounds, kept) for name, kept in OWN.items() if name != "audience" or role.bounds.audience}
    return {**told(role.terms), **own, "bound_service_account_namespace_selector": ""}


@endpoint("kubernetes", Verb.LIST, "role/?")
def list_roles(_req: Nothing, call: Call) -> dict[str, Any]:
    return list_accounts(call)


@endpoint("kubernetes", Verb.DELETE, "role/{name}")
def delete_role(req: RoleRequest, call: Call) -> None:
    call(ops.DeleteAccount(tenant=here(call), mount=call.namespace, name=req.name.lower()))


# --- logging in


class LoginRequest(Parameters, frozen=True, kw_only=True):
    role: str = ""
    jwt: str = ""


def _shown(req: LoginRequest, _call: Call) -> Word:
    return Word(req.role.lower(), Sensitive(req.jwt.strip().encode()))  # out of a file it ends in a line feed


@endpoint("kubernetes", Verb.WRITE, "login", unsigned=True, shows=_shown)
def login(_req: LoginRequest, call: Call) -> Answer:
    return log_in(call)


OPERATIONS = (write_config, read_config, write_role, read_role, list_roles, delete_role, login)
