"""What has to be approved by others before it is done, and what waits for that (docs/adr/0037)."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from msgspec import Struct

from keystead.core.entities.base import Entity, Kind


class ApproverKind(Enum):
    PRINCIPAL = "principal"  # a user, a role, the root of an account, the system principal
    GROUP = "group"  # of users
    ENTITY = "entity"  # whom a token belongs to
    IDENTITY_GROUP = "identity-group"  # of entities
    PEER = "peer"  # a user of this machine, at the control socket: "uid:1000"
    KEY = "key"  # whoever has the private half of an Ed25519 key; `id` is the public one, hex


class Approver(Struct, frozen=True, kw_only=True):
    """Somebody whom a rule names. `public_key`: Ed25519, 32 bytes: then only what is signed with it is an approval."""

    approver_kind: ApproverKind
    id: str
    name: str  # as it was called when the rule was put
    public_key: bytes = b""


class ApprovalRule(Struct, frozen=True, kw_only=True):
    """`actions`: of core.approvals.GROUPS, or actions by name. `keyrings`, `keys`: ids; () is all there are.

    `number` is another with every change of the rule: what was approved under one was not under the next.
    """

    name: str
    number: int
    actions: tuple[str, ...]
    n_approvals: int
    approvers: tuple[Approver, ...]
    keyrings: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    own: bool = False  # whoever asks may be one of those who approve
    needs_right: bool = False  # who approves must be allowed to do it themselves
    waits_for: int = 86_400  # seconds that a request waits
    good_for: int = 86_400  # seconds that it may be used in, once it is approved


class ApprovalRules(Entity, frozen=True, kw_only=True):
    """All rules of a tenant, in one row: so whoever changes anything is guarded by one revision. `id`: the tenant's.

    INSTALLATION is the id of those about the installation itself.
    """

    kind = Kind.APPROVAL_RULES
    n_made: int = 0  # numbers given so far
    rules: tuple[ApprovalRule, ...] = ()

    def named(self, name: str) -> ApprovalRule | None:
        return next((rule for rule in self.rules if rule.name == name), None)


INSTALLATION = "installation"


class Approval(Struct, frozen=True, kw_only=True):
    """`persons`: whose hand it was, and whose hands are behind it: no two approvals of one person count.

    `named`: the ids of approvers of rules that it was given as.
    """

    by: str
    name: str
    persons: tuple[str, ...]
    named: tuple[str, ...]
    at: datetime
    public_key: bytes = b""
    signature: bytes = b""


class ApprovalRequest(Entity, frozen=True, kw_only=True):
    """One act that waits. `digest`: of all that the act is, keyed, hex (service.canonical).

    It is there until it has been used, or is over: the audit log has it for ever.
    """

    kind = Kind.APPROVAL_REQUEST
    scope: str  # id of the rules
    digest: str
    asked_by: str  # who may use it
    asked_name: str
    persons: tuple[str, ...]
    operation: str
    actions: tuple[str, ...]
    targets: tuple[str, ...]  # ids
    summary: tuple[tuple[str, str], ...]  # (member, value), without secrets
    rules: tuple[tuple[str, str, int], ...]  # (scope, name, number)
    door: str
    asked_at: datetime
    ends_at: datetime
    good_for: int
    approvals: tuple[Approval, ...] = ()
    approved_at: datetime | None = None
    denied_by: str = ""
    denied_name: str = ""

    @property
    def parent(self) -> str:
        return self.asked_by

    @property
    def link(self) -> str:
        return self.scope

    def is_over(self, now: datetime) -> bool:
        return self.ends_at <= now
