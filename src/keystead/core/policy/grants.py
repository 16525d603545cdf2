"""Grants: a right on one key for one principal, within constraints.

KMS Developer Guide, "Grants in AWS KMS", "Grant constraints", "Retiring and revoking grants";
KMS API Reference, "GrantConstraints".
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, cast

from msgspec import Struct

from keystead.core.actions import ACTIONS, Action
from keystead.core.entities import Grant, Principal
from keystead.core.errors import InvalidArgument
from keystead.core.grant_token import INVALID, address_of
from keystead.core.operations import CreateGrant, Operation, ReEncrypt, RetireGrant
from keystead.core.policy.fold import lower
from keystead.core.policy.request import Request
from keystead.core.policy.sessions import may_mean, means, role_of

CONTEXTUAL = frozenset(
    {
        Action.ENCRYPT,
        Action.DECRYPT,
        Action.RE_ENCRYPT_FROM,
        Action.RE_ENCRYPT_TO,
        Action.GENERATE_DATA_KEY,
        Action.GENERATE_DATA_KEY_BLIND,
        Action.GENERATE_DATA_KEY_PAIR,
        Action.GENERATE_DATA_KEY_PAIR_BLIND,
    }
)
"""Actions with an encryption context; constraints say nothing about the others (GrantConstraints)."""

Context = Mapping[str, str]
Holds = Callable[[Request], bool]


class GrantInQuestion(Struct, frozen=True):
    """The grant a request is about, made or to be made, in the dialect's words."""

    operations: tuple[str, ...]
    grantee: str | None
    retiree: str | None
    equals: Context | None
    subset: Context | None

    @property
    def constraint_type(self) -> str | None:
        if self.equals is not None:
            return "EncryptionContextEquals"
        return None if self.subset is None else "EncryptionContextSubset"


def words(actions: Iterable[str]) -> tuple[str, ...]:
    """GrantOperation: the action's word after "kms:"."""
    rows = (ACTIONS[Action(action)] for action in actions)
    return tuple(row.aws.partition(":")[2] for row in rows if row.aws is not None)


def _to_create(request: Request) -> CreateGrant | Grant | None:
    return cast("CreateGrant", request.op)


def _to_retire(request: Request) -> CreateGrant | Grant | None:
    wanted = cast("RetireGrant", request.op).grant_id
    return None if request.held is None else next((g for g in request.held.grants if g.id == wanted), None)


_ABOUT: dict[type, Callable[[Request], CreateGrant | Grant | None]] = {
    CreateGrant: _to_create,
    RetireGrant: _to_retire,
}


def grant_in_question(request: Request) -> GrantInQuestion | None:
    about = _ABOUT.get(type(request.op))
    found = about(request) if about is not None else None
    if found is None:
        return None
    return GrantInQuestion(
        words(found.actions), found.grantee, found.retiree, found.context_equals, found.context_subset
    )


def _source(op: Operation[Any]) -> Context | None:
    return op.context()


def _destination(op: Operation[Any]) -> Context | None:
    return cast("ReEncrypt", op).destination_context()


_CONTEXT: dict[Action, Callable[[Operation[Any]], Context | None]] = {Action.RE_ENCRYPT_TO: _destination}


def asked_context(request: Request) -> Context | None:
    """The encryption context of the request, or of the constraint of the grant that it is about."""
    if (grant := grant_in_question(request)) is not None:
        return grant.equals if grant.equals is not None else grant.subset
    return _CONTEXT.get(request.action, _source)(request.op)


# --- who a grant is for


def is_grantee(grant: Grant, principal: Principal) -> bool:
    """Of a role, some session of it may be: open_test tells."""
    return may_mean(grant.grantee_id, principal)


def is_account_grantee(grant: Grant, principal: Principal) -> bool:
    """The grant is for the account of `principal`, which may delegate it by identity policies."""
    return grant.grantee_id == principal.tenant


def may_retire(grant: Grant, principal: Principal) -> bool:
    """RetireGrant: the retiring principal, or the grantee if the grant says so. Of a role, as is_grantee."""
    return any(may_mean(id_, principal) for id_ in _retirers(grant))


def _retirers(grant: Grant) -> tuple[str | None, ...]:
    return grant.retiree_id, grant.grantee_id if Action.RETIRE_GRANT in grant.actions else None


# --- constraints


def _folded(context: Context) -> dict[str, str] | None:
    """Keys of a constraint are not case-sensitive, values are. None: keys that differ by case alone."""
    folded = {lower(key): value for key, value in context.items()}
    return folded if len(folded) == len(context) else None


def within_constraints(grant: Grant, context: Context | None) -> bool:
    have = _folded(context or {})
    if grant.context_equals is not None and (have is None or have != _folded(grant.context_equals)):
        return False
    if grant.context_subset is None:
        return True
    wanted = _folded(grant.context_subset)
    return have is not None and wanted is not None and wanted.items() <= have.items()


def exceeds(parent: Grant, op: CreateGrant) -> bool:
    """Whether the grant asked for would allow anything that `parent` does not.

    CreateGrant by right of a grant: operations among the parent's, constraints at least as strict.
    """
    if not set(op.actions) <= set(parent.actions):
        return True
    equals = None if op.context_equals is None else _folded(op.context_equals)
    subset = None if op.context_subset is None else _folded(op.context_subset)
    if parent.context_equals is not None and (equals is None or equals != _folded(parent.context_equals)):
        return True
    if parent.context_subset is None:
        return False
    wanted = _folded(parent.context_subset)
    own = equals if equals is not None else subset
    return wanted is None or own is None or not wanted.items() <= own.items()


def _retires(grant: Grant) -> Holds:
    def holds(request: Request) -> bool:
        same = cast("RetireGrant", request.op).grant_id == grant.id
        return same and any(means(id_, request.caller) for id_ in _retirers(grant))

    return holds


def _in_session(grant: Grant, test: Holds | None) -> Holds:
    return lambda request: means(grant.grantee_id, request.caller) and (test is None or test(request))


def _not_more(grant: Grant) -> Holds:
    return lambda request: not exceeds(grant, cast("CreateGrant", request.op))


def _constrained(grant: Grant) -> Holds:
    return lambda request: within_constraints(grant, asked_context(request))


def open_test(grant: Grant, action: Action) -> Holds | None:
    """What a request for an action of `grant` must still pass; None: nothing."""
    if action is Action.RETIRE_GRANT:
        return _retires(grant)
    test = _test(grant, action)
    return test if role_of(grant.grantee_id) == grant.grantee_id else _in_session(grant, test)


def _test(grant: Grant, action: Action) -> Holds | None:
    if action is Action.CREATE_GRANT:
        return _not_more(grant)
    constrained = grant.context_equals is not None or grant.context_subset is not None
    return _constrained(grant) if constrained and action in CONTEXTUAL else None


# --- tokens


def token_digest(token: str) -> str:
    """What is kept of a grant token: SHA-256, hex."""
    return sha256(token.encode()).hexdigest()


def check_tokens(tokens: Iterable[str], grants: Iterable[Grant]) -> None:
    """Raise InvalidArgument (grant_token.INVALID) unless each token is one that was given out for one of these grants.

    A grant is in force as soon as it is made, so its token gives nothing that the grant does not.
    """
    by_id = {grant.id: grant for grant in grants}
    for token in tokens:
        grant, digest = by_id.get(address_of(token)[2]), token_digest(token)
        if grant is None or not any(hmac.compare_digest(digest, own) for own in grant.token_digests):
            raise InvalidArgument("the grant token is not valid", INVALID)
