"""Quorums: which actions a rule can name, when enough have approved, and the text that an approval signs.

Rule 1: rules add up. What several rules cover waits for each of them, so that no new rule loosens an old one.
Rule 2: one person counts once, whatever they come with: a second credential, a session of a role, a child of a token.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final

import msgspec
from msgspec import Struct

from keystead.core.actions import ACTIONS, USES, Action
from keystead.core.entities import Approval, ApprovalRequest, ApprovalRule
from keystead.core.errors import InvalidArgument, NotApproved
from keystead.core.words import count_of

A = Action
_WHAT_POLICIES_REST_ON: Final = frozenset(
    {
        A.TAG_KEY,  # aws:ResourceTag, aws:PrincipalTag
        A.UNTAG_KEY,
        A.TAG_USER,
        A.UNTAG_USER,
        A.TAG_ROLE,
        A.UNTAG_ROLE,
        A.TAG_POLICY,
        A.UNTAG_POLICY,
        A.CREATE_NAME,  # kms:ResourceAliases
        A.UPDATE_NAME,
        A.DELETE_NAME,
    }
)
"""What a policy allows changes with these, though no policy does; who is in which group is `identities`."""
GROUPS: Final[Mapping[str, frozenset[Action]]] = {
    "destroy": frozenset(
        {
            A.SCHEDULE_DESTRUCTION,
            A.DESTROY_KEY,
            A.ERASE_KEY,
            A.TRIM_KEY,
            A.DELETE_MATERIAL,
            A.DELETE_OTP_KEY,
            A.DELETE_OIDC_KEY,
            A.DELETE_MFA_METHOD,
            A.DESTROY_MFA_SECRET,
            A.DELETE_OIDC_CLIENT,
            A.DELETE_SECRET,
            A.DESTROY_SECRET_VERSIONS,
            A.EMPTY_KEYRING,
            A.DISABLE_MOUNT,
            A.END_NAMESPACE,
        }
    ),
    "disable": frozenset(
        {A.DISABLE_KEY, A.DISABLE_ROTATION, A.DISCONNECT_KEY_STORE, A.DELETE_KEY_STORE, A.LOCK_NAMESPACE}
    ),
    "export": frozenset({A.EXPORT_KEY, A.BACK_UP}),
    "grants": frozenset({A.CREATE_GRANT}),
    "policy": _WHAT_POLICIES_REST_ON
    | frozenset(
        {
            A.PUT_POLICY,
            A.REPLICATE_KEY,  # it puts another policy on a copy
            A.PUT_TERMS,
            A.PUT_LIMITS,
            A.LOOSEN_LIMITS,
            A.WRITE_ACL_POLICY,
            A.DELETE_ACL_POLICY,
            A.PUT_USER_POLICY,
            A.DELETE_USER_POLICY,
            A.PUT_ROLE_POLICY,
            A.DELETE_ROLE_POLICY,
            A.PUT_TRUST_POLICY,
            A.PUT_GROUP_POLICY,
            A.DELETE_GROUP_POLICY,
            A.CREATE_POLICY_VERSION,
            A.SET_DEFAULT_POLICY_VERSION,
            A.ATTACH_USER_POLICY,
            A.DETACH_USER_POLICY,
            A.ATTACH_ROLE_POLICY,
            A.DETACH_ROLE_POLICY,
            A.ATTACH_GROUP_POLICY,
            A.DETACH_GROUP_POLICY,
            A.PUT_USER_BOUNDARY,
            A.DELETE_USER_BOUNDARY,
            A.PUT_ROLE_BOUNDARY,
            A.DELETE_ROLE_BOUNDARY,
        }
    ),
    "identities": frozenset(
        {
            A.MANAGE_PRINCIPALS,
            A.CREATE_USER,
            A.DELETE_USER,
            A.CREATE_ACCESS_KEY,
            A.UPDATE_ACCESS_KEY,
            A.CREATE_ROLE,
            A.ADD_TO_GROUP,
            A.REMOVE_FROM_GROUP,
            A.CREATE_OIDC_PROVIDER,
            A.ADD_CLIENT_ID,
            A.PUT_THUMBPRINTS,
            A.ISSUE_TOKEN,
            A.WRITE_ENTITY,
            A.MERGE_ENTITIES,
            A.DELETE_ENTITIES,
            A.WRITE_ENTITY_ALIAS,
            A.WRITE_GROUP_ALIAS,
            A.WRITE_IDENTITY_GROUP,
            A.DELETE_IDENTITY_GROUP,
            A.WRITE_ACCOUNT,
            A.MAKE_SECRET_ID,
            A.WRITE_LOGIN_SETTINGS,
            A.WRITE_REVOCATION_LIST,
            A.DELETE_REVOCATION_LIST,
            A.WRITE_TOKEN_ROLE,
            A.WRITE_MFA_METHOD,
            A.DELETE_MFA_METHOD,
            A.WRITE_MFA_ENFORCEMENT,
            A.DELETE_MFA_ENFORCEMENT,
            A.ENROL_ENTITY,
            A.DESTROY_MFA_SECRET,
            A.WRITE_OIDC_ASSIGNMENT,
            A.WRITE_OIDC_SCOPE,
            A.WRITE_OIDC_CLIENT,
            A.WRITE_OIDC_ISSUER,
            A.ENABLE_MOUNT,
        }
    ),
    "seal": frozenset({A.MANAGE_SEAL}),
    "slots": frozenset({A.MANAGE_SLOTS, A.ROTATE_ROOT_KEY}),
    "backup": frozenset({A.BACK_UP, A.RESTORE}),
    "keyrings": frozenset({A.MANAGE_KEYRINGS}),
    "rules": frozenset({A.PUT_APPROVAL_RULE}),
}
"""What a rule can name in a word; beside these, every action of RULABLE by its own name."""

_OF_APPROVALS = frozenset({A.APPROVE, A.LIST_APPROVALS, A.LIST_APPROVAL_RULES, A.END_APPROVAL})
_NEVER = frozenset(
    {
        A.SEAL_SERVER,  # closes
        A.CHANGE_SHARES,  # waits for enough shares, as does a root token
        A.GENERATE_ROOT_TOKEN,
        A.ERASE_OBJECT,  # of what has been destroyed
        A.TRACE_KEYS,  # nothing that anybody sees
        A.REDEEM_OIDC_CODE,  # of a client, which has nobody behind it; who may be let in there is ruled by assignments
        A.DRAFT_CLIENT_TOKEN,
        A.TELL_OF_USER,
    }
)
RULABLE: Final = frozenset(row.action for row in ACTIONS.values() if not row.free) - USES - _OF_APPROVALS - _NEVER
"""Not the use of keys, which waits for nobody; not what is free to everybody; nor what a quorum itself is made by, or
what is in _NEVER."""

MAX_RULES, MAX_APPROVERS, MAX_APPROVALS = 64, 64, 16
MAX_WAIT = 30 * 86_400  # seconds
MAX_WAITING = 1000  # requests of a tenant; of one who asks: core.quotas


def actions_of(words: Iterable[str]) -> frozenset[Action]:
    """What the words of a rule stand for today. Raises InvalidArgument (detail "actions")."""
    found: set[Action] = set()
    for word in words:
        if word in GROUPS:
            found |= GROUPS[word]
        elif word in RULABLE:
            found.add(Action(word))
        else:
            raise InvalidArgument(
                f"approval can be asked for {', '.join(GROUPS)}, or an action by name, not for {word!r}", "actions"
            )
    return frozenset(found)


class Standing(Enum):
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"


class HeldUp(Struct, frozen=True, kw_only=True):
    """detail of NotApproved: the request that waits."""

    request: str
    standing: Standing
    n_approvals: int = 0
    n_needed: int = 0
    ends_at: datetime

    @property
    def reason(self) -> str:
        """As core.errors.said_of has it."""
        return self.standing.value


def not_approved(request: ApprovalRequest, standing: Standing, n: int, of: int, more: str = "") -> NotApproved:
    """In words that every door can say: they name the request, and nothing of it."""
    so_far = f"{n} of {count_of(of, 'approval')}"
    words = {
        Standing.PENDING: f"it needs the approval of others: request {request.id} has {so_far}",
        Standing.DENIED: f"request {request.id} for the approval of others was denied",
        Standing.EXPIRED: f"request {request.id} for the approval of others expired",
        Standing.APPROVED: f"request {request.id} is approved",
    }[standing]
    return NotApproved(
        words + more, HeldUp(request=request.id, standing=standing, n_approvals=n, n_needed=of, ends_at=request.ends_at)
    )


def counted(rule: ApprovalRule, approvals: Iterable[Approval], asked: Iterable[str]) -> tuple[Approval, ...]:
    """The approvals that count for a rule: of people it names, each once, and not of `asked`, who asks."""
    named = {approver.id for approver in rule.approvers}
    hands: set[str] = set() if rule.own else set(asked)
    found: list[Approval] = []
    for one in approvals:
        if named.isdisjoint(one.named) or not hands.isdisjoint(one.persons):
            continue
        hands.update(one.persons)
        found.append(one)
    return tuple(found)


def is_enough(rules: Iterable[ApprovalRule], request: ApprovalRequest) -> bool:
    return all(len(counted(rule, request.approvals, request.persons)) >= rule.n_approvals for rule in rules)


def standing_of(request: ApprovalRequest, now: datetime) -> Standing:
    if request.denied_by:
        return Standing.DENIED
    if request.is_over(now):
        return Standing.EXPIRED
    return Standing.PENDING if request.approved_at is None else Standing.APPROVED


HEAD: Final = b"keystead approval v1\n"


def text_to_sign(request: ApprovalRequest) -> bytes:
    """What an approver signs: one canonical JSON object of what the request says, behind a head of its own.

    Nothing of it changes while the request waits.
    """
    said: dict[str, Any] = {
        "id": request.id,
        "scope": request.scope,
        "digest": request.digest,
        "asked_by": request.asked_by,
        "asked_name": request.asked_name,
        "asked_at": request.asked_at.isoformat(),
        "operation": request.operation,
        "actions": request.actions,
        "targets": request.targets,
        "summary": dict(request.summary),
        "rules": request.rules,
    }
    return HEAD + msgspec.json.encode(said, order="deterministic")
