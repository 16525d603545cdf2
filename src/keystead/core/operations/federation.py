"""The issuers whose tokens a tenant takes, and what its access keys were last used for."""

from __future__ import annotations

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import LastUse, Principal
from keystead.core.federation import OidcProvider
from keystead.core.operations.base import (
    AccessKeyOperation,
    Demand,
    Nothing,
    ProviderOperation,
    ProviderRef,
    TenantOperation,
)


class CreateOidcProvider(TenantOperation[OidcProvider], frozen=True, kw_only=True):
    """Raises AlreadyExists, InvalidArgument (detail "issuer"), LimitExceeded."""

    action = Action.CREATE_OIDC_PROVIDER
    changes = True
    issuer: str  # its name (core.federation.issuer_name)
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.tenant, ProviderRef(self.tenant.tenant, self.issuer)),)


class ListOidcProviders(TenantOperation[tuple[OidcProvider, ...]], frozen=True, kw_only=True):
    action = Action.LIST_OIDC_PROVIDERS


class ReadOidcProvider(ProviderOperation[OidcProvider], frozen=True, kw_only=True):
    action = Action.READ_OIDC_PROVIDER


class DeleteOidcProvider(ProviderOperation[Nothing], frozen=True, kw_only=True):
    """No token of its issuer opens a session any more; sessions that are open stay so until they end."""

    action = Action.DELETE_OIDC_PROVIDER
    changes = True


class AddClientId(ProviderOperation[Nothing], frozen=True, kw_only=True):
    """One that is there already is added to no effect. Raises LimitExceeded."""

    action = Action.ADD_CLIENT_ID
    changes = True
    client_id: str


class RemoveClientId(ProviderOperation[Nothing], frozen=True, kw_only=True):
    """One that is not there is removed to no effect."""

    action = Action.REMOVE_CLIENT_ID
    changes = True
    client_id: str


class PutThumbprints(ProviderOperation[Nothing], frozen=True, kw_only=True):
    action = Action.PUT_THUMBPRINTS
    changes = True
    thumbprints: tuple[str, ...]


class AccessKeyUsed(Struct, frozen=True):
    """`use` is None for an access key that nothing was signed with."""

    principal: Principal
    use: LastUse | None


class ReadAccessKeyLastUse(AccessKeyOperation[AccessKeyUsed], frozen=True, kw_only=True):
    """Raises Denied for a key that is not there, too."""

    action = Action.READ_ACCESS_KEY_LAST_USE
