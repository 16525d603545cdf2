"""OpenID Connect providers, one act per action of AWS IAM; and what an access key was last used for.

IAM API Reference 2010-05-08, under the names of the actions; IAM User Guide, "IAM object quotas".
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.errors import AlreadyExists, InvalidArgument, LimitExceeded
from keystead.core.federation import SCHEME, OidcProvider, issuer_name
from keystead.core.operations import Nothing
from keystead.service.held import HeldPrincipal, HeldProvider, HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

MAX_PROVIDERS, MAX_CLIENT_IDS, MAX_THUMBPRINTS = 100, 100, 5
MAX_CLIENT_ID = 255  # characters
_THUMBPRINT = re.compile(r"[0-9a-fA-F]{40}")  # SHA-1 of a certificate


def create_oidc_provider(op: ops.CreateOidcProvider, targets: tuple[HeldTenant], act: Act) -> Outcome[OidcProvider]:
    (tenant,) = targets
    if issuer_name(SCHEME + op.issuer) != op.issuer:
        raise InvalidArgument("Invalid Open ID Connect Provider URL", "issuer")
    if tenant.provider(op.issuer) is not None:
        raise AlreadyExists(f"Provider with url {SCHEME}{op.issuer} already exists.", "issuer")
    if len(tenant.providers()) >= MAX_PROVIDERS:
        raise LimitExceeded(f"a tenant has at most {MAX_PROVIDERS} providers", "providers")
    made = OidcProvider(
        id=tenant.provider_id(op.issuer),
        tenant=tenant.id,
        issuer=op.issuer,
        client_ids=_client_ids(op.client_ids),
        thumbprints=_thumbprints(op.thumbprints),
        created_at=act.now,
    )
    return Outcome(answer=made, put=(made, tenant.record), made=made.id)  # the tenant too: of two only one is the last


def _client_ids(given: tuple[str, ...]) -> tuple[str, ...]:
    distinct = tuple(dict.fromkeys(given))
    if len(distinct) > MAX_CLIENT_IDS:
        raise LimitExceeded(f"a provider has at most {MAX_CLIENT_IDS} client ids", "client_ids")
    if not all(0 < len(one) <= MAX_CLIENT_ID and one.isprintable() for one in distinct):
        raise InvalidArgument(f"a client id is 1 to {MAX_CLIENT_ID} printable characters", "client_ids")
    return distinct


def _thumbprints(given: tuple[str, ...]) -> tuple[str, ...]:
    if len(given) > MAX_THUMBPRINTS:
        raise InvalidArgument(f"a provider has at most {MAX_THUMBPRINTS} thumbprints", "thumbprints")
    if not all(_THUMBPRINT.fullmatch(one) for one in given):
        raise InvalidArgument("a thumbprint is 40 hexadecimal digits", "thumbprints")
    return given


def list_oidc_providers(
    _op: ops.ListOidcProviders, targets: tuple[HeldTenant], _act: Act
) -> Outcome[tuple[OidcProvider, ...]]:
    return Outcome(answer=tuple(sorted(targets[0].providers(), key=lambda one: one.issuer)))


def read_oidc_provider(_op: ops.ReadOidcProvider, targets: tuple[HeldProvider], _act: Act) -> Outcome[OidcProvider]:
    return Outcome(answer=targets[0].provider)


def delete_oidc_provider(_op: ops.DeleteOidcProvider, targets: tuple[HeldProvider], _act: Act) -> Outcome[Nothing]:
    return Outcome(answer=Nothing(), delete=(targets[0].provider,))


def add_client_id(op: ops.AddClientId, targets: tuple[HeldProvider], _act: Act) -> Outcome[Nothing]:
    found = targets[0].provider
    return Outcome(answer=Nothing(), put=(replace(found, client_ids=_client_ids((*found.client_ids, op.client_id))),))


def remove_client_id(op: ops.RemoveClientId, targets: tuple[HeldProvider], _act: Act) -> Outcome[Nothing]:
    found = targets[0].provider
    left = tuple(one for one in found.client_ids if one != op.client_id)
    return Outcome(answer=Nothing(), put=(replace(found, client_ids=left),))


def put_thumbprints(op: ops.PutThumbprints, targets: tuple[HeldProvider], _act: Act) -> Outcome[Nothing]:
    changed = replace(targets[0].provider, thumbprints=_thumbprints(op.thumbprints))
    return Outcome(answer=Nothing(), put=(changed,))


def read_access_key_last_use(
    op: ops.ReadAccessKeyLastUse, targets: tuple[HeldPrincipal], _act: Act
) -> Outcome[ops.AccessKeyUsed]:
    (held,) = targets
    return Outcome(answer=ops.AccessKeyUsed(held.principal, held.last_use(op.access_key.credential_id)))


HANDLERS: dict[type, Handler] = {
    ops.CreateOidcProvider: create_oidc_provider,
    ops.ListOidcProviders: list_oidc_providers,
    ops.ReadOidcProvider: read_oidc_provider,
    ops.DeleteOidcProvider: delete_oidc_provider,
    ops.AddClientId: add_client_id,
    ops.RemoveClientId: remove_client_id,
    ops.PutThumbprints: put_thumbprints,
    ops.ReadAccessKeyLastUse: read_access_key_last_use,
}
