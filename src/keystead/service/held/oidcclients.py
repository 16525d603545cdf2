"""What a tenant has for applications that people log in to: issuers, scopes, clients, assignments (service.held)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from keystead.core.entities import (
    OidcAssignment,
    OidcClient,
    OidcClientSecret,
    OidcCode,
    OidcIssuer,
    OidcNamed,
    OidcScope,
)
from keystead.core.operations import DEFAULT_ISSUER, EVERYBODY
from keystead.core.sensitive import Sensitive

if TYPE_CHECKING:
    from keystead.service.reach import Reach

N = TypeVar("N", bound=OidcNamed)
MAX_ID = 255  # characters
_EPOCH = datetime.fromtimestamp(0, UTC)


class OfOidcClients:
    """Part of service.held.HeldTenant."""

    _reach: Reach
    id: str

    def oidc_id(self, kind: type[OidcNamed], name: str) -> str:
        return self._reach.barrier.name_id(f"{kind.kind}:{self.id}", name)

    def _named(self, kind: type[N], name: str) -> N | None:
        return self._reach.get(kind, self.oidc_id(kind, name))

    def _every(self, kind: type[N]) -> list[N]:
        return sorted(self._reach.every_child(kind, self.id), key=lambda one: one.name)

    def oidc_assignment(self, name: str) -> OidcAssignment | None:
        """That of everybody, too, which nobody writes."""
        if name == EVERYBODY:
            id_ = self.oidc_id(OidcAssignment, name)
            every = ("*",)
            return OidcAssignment(
                id=id_, tenant=self.id, name=name, modified_at=_EPOCH, entity_ids=every, group_ids=every
            )
        return self._named(OidcAssignment, name)

    def oidc_assignments(self) -> list[OidcAssignment]:
        """Those that have been written."""
        return self._every(OidcAssignment)

    def oidc_scope(self, name: str) -> OidcScope | None:
        return self._named(OidcScope, name)

    def oidc_scopes(self) -> list[OidcScope]:
        return self._every(OidcScope)

    def oidc_issuer(self, name: str) -> OidcIssuer | None:
        """The default one too, as it is where nobody has written it."""
        found = self._named(OidcIssuer, name)
        if found is None and name == DEFAULT_ISSUER:
            id_ = self.oidc_id(OidcIssuer, name)
            return OidcIssuer(id=id_, tenant=self.id, name=name, modified_at=_EPOCH, allowed_client_ids=("*",))
        return found

    def oidc_issuers(self) -> list[OidcIssuer]:
        """Those that have been written."""
        return self._every(OidcIssuer)

    def oidc_client(self, name: str) -> OidcClient | None:
        return self._named(OidcClient, name)

    def oidc_clients(self) -> list[OidcClient]:
        return self._every(OidcClient)

    def oidc_client_of(self, client_id: str) -> OidcClient | None:
        """The one that has that id."""
        if not 0 < len(client_id) <= MAX_ID:
            return None
        return next((one for one in self._reach.linked(OidcClient, client_id) if one.tenant == self.id), None)

    def oidc_client_secret(self, client: OidcClient) -> OidcClientSecret | None:
        return None if client.is_public else self._reach.get(OidcClientSecret, f"{client.client_id}/1")

    def revealed_to(self, client: OidcClient) -> Sensitive | None:
        """What the client is known by; None of a public one."""
        found = self.oidc_client_secret(client)
        return None if found is None else self._reach.barrier.material(found)

    def oidc_code(self, id: str) -> OidcCode | None:
        found = self._reach.get(OidcCode, id)
        return found if found is not None and found.tenant == self.id else None

    def oidc_codes(self, client: OidcClient) -> list[OidcCode]:
        """Those that wait to be redeemed, and some that are over."""
        return self._reach.linked(OidcCode, client.id)
