"""Sessions: temporary access keys of a role that somebody takes on, or of a principal itself.

STS API Reference 2011-06-15, AssumeRole, GetSessionToken; IAM User Guide, "Temporary security credentials". Nothing
is kept: the token carries everything, sealed (service.credentials.session).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from keystead.core import operations as ops
from keystead.core.entities import Credential, CredentialKind, PolicyText, Principal, PrincipalKind
from keystead.core.errors import Denied, InvalidArgument, LimitExceeded, NotFound
from keystead.core.federation import WebIdentity
from keystead.core.operations import AccessKey, Assuming, Nothing
from keystead.core.sensitive import Sensitive
from keystead.service.credentials.session import Sessions
from keystead.service.handlers.policies import checked_identity_policy
from keystead.service.handlers.principals import spared
from keystead.service.handlers.tagging import tagged
from keystead.service.held import HeldPrincipal, HeldTenant
from keystead.service.persons import persons_of
from keystead.service.pipeline import Act, Handler, Outcome

MIN_SESSION, MAX_SESSION = 900, 129_600  # seconds; GetSessionToken, DurationSeconds
MAX_SESSION_POLICY, MAX_SESSION_POLICIES = 2048, 10  # characters; how many
HALF_A_DAY, HOUR = 43_200, 3600  # what it is without one; what a role's is, and the most of a root's and of a chain


def _opened(
    home: HeldTenant,
    principal: Principal,
    name: str,
    seconds: int,
    act: Act,
    policy: PolicyText | None = None,
    policy_ids: tuple[str, ...] = (),
    tags: Mapping[str, str] = MappingProxyType({}),
) -> Outcome[AccessKey]:
    """A session that begins now. Raises InvalidArgument (detail "seconds"), LimitExceeded (detail "session")."""
    if not MIN_SESSION <= seconds <= MAX_SESSION:
        raise InvalidArgument(f"a session lasts {MIN_SESSION} to {MAX_SESSION} seconds", "seconds")
    minted = Sessions(home.session_key(), act.entropy).mint_session(
        principal.id,
        name=name,
        issued=int(act.now.timestamp()),
        lasts_for=seconds,
        policy=policy,
        policy_ids=policy_ids,
        tags=tags,
        behind=act.caller.behind if principal.id == act.principal.id else _opener(home, act),
        provider=act.principal.provider if isinstance(act.principal, WebIdentity) else "",
    )
    credential = Credential(
        id=minted.access_key_id,
        principal_id=principal.id,
        credential_kind=CredentialKind.ACCESS_KEY,
        created_at=act.now,
        expires_at=datetime.fromtimestamp(minted.expires, UTC),
    )
    answer = AccessKey(credential, minted.secret, Sensitive(minted.token.encode()))
    return Outcome(answer=answer, made=credential.id)  # what is done with it is on record under that id


def _opener(home: HeldTenant, act: Act) -> tuple[str, ...]:
    return tuple(sorted(persons_of(act.caller, home.token_of_id)))


def issue_session(op: ops.IssueSession, targets: tuple[HeldTenant], act: Act) -> Outcome[AccessKey]:
    """Somebody else's, by whoever manages principals."""
    (tenant,) = targets
    return _opened(tenant, spared(tenant.principal(op.name), act), "", op.seconds, act)


def assume_role(op: ops.AssumeRole, targets: tuple[HeldPrincipal, ...], act: Act) -> Outcome[AccessKey]:
    return _assumed(op, targets[0], act, tagged({}, op.tags))


def assume_role_with_web_identity(
    op: ops.AssumeRoleWithWebIdentity, targets: tuple[HeldPrincipal], act: Act
) -> Outcome[AccessKey]:
    return _assumed(op, targets[0], act, {})


def _assumed(op: Assuming, held: HeldPrincipal, act: Act, tags: dict[str, str]) -> Outcome[AccessKey]:
    seconds = HOUR if op.seconds is None else op.seconds
    if seconds > held.principal.max_session_for:
        raise InvalidArgument(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", "seconds"
        )
    if act.caller.is_role and act.caller.ends_at is not None and seconds > HOUR:
        raise InvalidArgument(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
            "seconds",
        )
    ids = _session_policies(op, held.home)
    return _opened(held.home, held.principal, op.session_name, seconds, act, op.policy, ids, tags)


def _session_policies(op: Assuming, home: HeldTenant) -> tuple[str, ...]:
    """The ids of the managed ones, once all are known to be policies of the role's account.

    STS API Reference, AssumeRole, Policy and PolicyArns. Raises InvalidArgument, NotFound, LimitExceeded.
    """
    if op.policy is not None:
        if len(op.policy.text) > MAX_SESSION_POLICY:
            raise LimitExceeded(f"a session policy has at most {MAX_SESSION_POLICY} characters", "session")
        checked_identity_policy(op.policy)
    if len(op.policies) > MAX_SESSION_POLICIES:
        raise InvalidArgument(f"a session takes at most {MAX_SESSION_POLICIES} managed policies", "policies")
    found = {ref: home.find_policy(ref) for ref in op.policies}
    for ref, policy in found.items():
        if policy is None:
            raise NotFound("no such policy", ref)
    return tuple(policy.id for policy in found.values() if policy is not None)


def open_session(op: ops.OpenSession, targets: tuple[HeldTenant], act: Act) -> Outcome[AccessKey]:
    """Whoever asks must have more than a session to ask with, or no session would ever have to end."""
    (tenant,) = targets
    principal = act.principal
    if act.caller.ends_at is not None:
        raise Denied("Cannot call GetSessionToken with session credentials", "session")
    if principal.tenant != tenant.id or principal.principal_kind not in (PrincipalKind.USER, PrincipalKind.ROOT):
        raise Denied("a session of one's own is for users and the root of an account", "session")
    seconds = HALF_A_DAY if op.seconds is None else op.seconds
    if principal.principal_kind is PrincipalKind.ROOT:
        seconds = min(
            seconds, HOUR
        )  # GetSessionToken: "If the duration is longer than one hour, …defaults to one hour"
    return _opened(tenant, principal, "", seconds, act)


def locate_access_key(op: ops.LocateAccessKey, targets: tuple[HeldTenant], act: Act) -> Outcome[Nothing]:
    """A session's key is not kept, so of those only the one that asks is known."""
    if op.credential_id != act.caller.credential_id:
        targets[0].credential(op.credential_id)
    return Outcome(answer=Nothing())


HANDLERS: dict[type, Handler] = {
    ops.IssueSession: issue_session,
    ops.AssumeRole: assume_role,
    ops.AssumeRoleWithWebIdentity: assume_role_with_web_identity,
    ops.OpenSession: open_session,
    ops.LocateAccessKey: locate_access_key,
}
