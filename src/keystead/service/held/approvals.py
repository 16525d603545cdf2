"""What a tenant, or the installation, has that waits for approval (service.held)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keystead.core.approvals import MAX_WAITING
from keystead.core.entities import (
    INSTALLATION,
    ApprovalRequest,
    ApprovalRules,
    Credential,
    CredentialKind,
    Key,
    Keyring,
    Token,
)
from keystead.core.operations import WAITS_FOR

if TYPE_CHECKING:
    from keystead.service.reach import Reach


class OfApprovals:
    """Part of service.held.HeldTenant and HeldSystem."""

    _reach: Reach
    tenant: str

    @property
    def scope(self) -> str:
        return self.tenant or INSTALLATION

    def approval_rules(self) -> ApprovalRules:
        """With revision 0 where there have never been any."""
        return self._reach.get(ApprovalRules, self.scope) or ApprovalRules(id=self.scope)

    def approval_request(self, id: str) -> ApprovalRequest | None:
        found = self._reach.get(ApprovalRequest, id)
        return found if found is not None and found.scope == self.scope else None

    def request_of_token(self, token: Token) -> ApprovalRequest | None:
        """What a wrapping token waits for: where rules of a namespace below hold it, it waits there."""
        return self._reach.get(ApprovalRequest, token.meta.get(WAITS_FOR, ""))

    def token_waiting(self, accessor: str) -> Token | None:
        """A wrapping token, of whatever tenant, that waits for an approval under rules of this one."""
        self._reach.may_block()
        found = next(iter(self._reach.barrier.linked(Token, accessor, limit=1)), None) if accessor else None
        return found if found is not None and self.approval_request(found.meta.get(WAITS_FOR, "")) else None

    def approval_requests(self) -> list[ApprovalRequest]:
        self._reach.may_block()
        return self._reach.barrier.linked(ApprovalRequest, self.scope, limit=2 * MAX_WAITING)

    def rules_of(self, scope: str) -> ApprovalRules | None:
        """Of another scope that a request waits under, too."""
        return self._reach.get(ApprovalRules, scope)

    def peer(self, id: str) -> Credential | None:
        """A user of this machine: "uid:1000"."""
        found = self._reach.get(Credential, id)
        return found if found is not None and found.credential_kind is CredentialKind.PEER else None

    def token_of_id(self, id: str) -> Token | None:
        """Of whatever tenant: to see who has made whom."""
        return self._reach.get(Token, id)

    def key_of_id(self, id: str) -> Key | None:
        found = self._reach.get(Key, id)
        return found if found is not None and found.tenant == self.tenant else None

    def keyring_of_id(self, id: str) -> Keyring | None:
        found = self._reach.get(Keyring, id)
        return found if found is not None and found.tenant == self.tenant else None
