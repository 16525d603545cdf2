"""Users, roles and what they have, as AWS IAM manages them: one act per action.

IAM API Reference 2010-05-08, under the names of the actions. A user is deleted when nothing is left with it; the
root principal is out of reach of all of these but its own access keys, and those are its own to change.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Credential, CredentialKind, PolicyText, Principal, PrincipalKind
from keystead.core.errors import InvalidArgument, NotFound, WrongState
from keystead.core.operations import AccessKey, DescribedPrincipal, Nothing, Page, PolicyRef
from keystead.service.handlers.bounding import bound, severed
from keystead.service.handlers.keys import paged, walk
from keystead.service.handlers.policies import fixed_trust
from keystead.service.handlers.principals import (
    MADE_BY_HAND,
    another_access_key,
    nobody_yet,
    spared,
    with_policy,
    without_policy,
)
from keystead.service.handlers.tagging import tagged
from keystead.service.held import HeldPrincipal, HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

MIN_ROLE_SESSION, MAX_ROLE_SESSION = 3600, 43_200  # seconds; IAM API Reference, CreateRole, MaxSessionDuration
OneOf = tuple[HeldPrincipal]


def create_user(op: ops.CreateUser, targets: tuple[HeldTenant, ...], act: Act) -> Outcome[DescribedPrincipal]:
    tenant = targets[0]
    made = nobody_yet(tenant, PrincipalKind.USER, op.name, act)
    return _made(replace(made, path=op.path, tags=tagged({}, op.tags)), tenant, op.boundary)


def _made(principal: Principal, tenant: HeldTenant, boundary: PolicyRef | None) -> Outcome[DescribedPrincipal]:
    if boundary is None:
        return Outcome(answer=DescribedPrincipal(principal), put=(principal, tenant.record), made=principal.id)
    bounded, tie, policy = bound(principal, tenant, boundary)
    put = (bounded, tenant.record, tie, policy)
    return Outcome(answer=DescribedPrincipal(bounded, policy), put=put, made=bounded.id)


def create_role(op: ops.CreateRole, targets: tuple[HeldTenant, ...], act: Act) -> Outcome[DescribedPrincipal]:
    tenant = targets[0]
    _check_length(op.max_session_for)
    made = replace(
        nobody_yet(tenant, PrincipalKind.ROLE, op.name, act),
        path=op.path,
        tags=tagged({}, op.tags),
        trust=fixed_trust(op.trust, act),
        description=op.description,
        max_session_for=op.max_session_for,
    )
    return _made(made, tenant, op.boundary)


def _check_length(seconds: int) -> None:
    if not MIN_ROLE_SESSION <= seconds <= MAX_ROLE_SESSION:
        raise InvalidArgument("a role's sessions may last 3600 to 43200 seconds", "max_session_for")


def update_role(op: ops.UpdateRole, targets: OneOf, _act: Act) -> Outcome[Nothing]:
    """Sessions that there are last as long as they were to."""
    role = changeable(targets[0])
    if op.description is not None:
        role = replace(role, description=op.description)
    if op.max_session_for is not None:
        _check_length(op.max_session_for)
        role = replace(role, max_session_for=op.max_session_for)
    return Outcome(answer=Nothing(), put=(role,))


def put_role_description(op: ops.PutRoleDescription, targets: OneOf, _act: Act) -> Outcome[DescribedPrincipal]:
    role = replace(changeable(targets[0]), description=op.description)
    return Outcome(answer=DescribedPrincipal(role, targets[0].boundary()), put=(role,))


def list_instance_profiles(_op: ops.ListInstanceProfiles, _targets: OneOf, _act: Act) -> Outcome[Nothing]:
    return Outcome(answer=Nothing())


def of_kind(tenant: HeldTenant, kind: PrincipalKind, path_prefix: str, after: str, limit: int) -> Page[Principal]:
    everybody = walk(lambda place, size: tenant.principals(after=place, limit=size), after, limit)
    alike = (one for one in everybody if one.principal_kind is kind)
    return paged((one for one in alike if one.path.startswith(path_prefix)), limit)


def list_users(op: ops.ListUsers, targets: tuple[HeldTenant], _act: Act) -> Outcome[Page[Principal]]:
    return Outcome(answer=of_kind(targets[0], PrincipalKind.USER, op.path_prefix, op.after, op.limit))


def list_roles(op: ops.ListRoles, targets: tuple[HeldTenant], _act: Act) -> Outcome[Page[Principal]]:
    return Outcome(answer=of_kind(targets[0], PrincipalKind.ROLE, op.path_prefix, op.after, op.limit))


def read_principal(_op: ops.ReadUser | ops.ReadRole, targets: OneOf, _act: Act) -> Outcome[DescribedPrincipal]:
    return Outcome(answer=DescribedPrincipal(targets[0].principal, targets[0].boundary()))


def changeable(held: HeldPrincipal) -> Principal:
    """The user, role or group that it is. The root principal is its tenant: no policy of it is anybody's to write."""
    if held.principal.principal_kind not in (*MADE_BY_HAND, PrincipalKind.GROUP):
        raise InvalidArgument(f"a {held.principal.principal_kind.value} principal stays as it is", "name")
    return held.principal


def delete_identity(_op: ops.DeleteUser | ops.DeleteRole, targets: OneOf, _act: Act) -> Outcome[Nothing]:
    """DeleteUser: "you must delete the items attached to the user manually, or the deletion fails"."""
    (held,) = targets
    gone = changeable(held)
    if held.credentials(after="", limit=1):
        raise WrongState("Cannot delete entity, must delete access keys first.", ops.IN_USE)
    if held.memberships():
        raise WrongState("Cannot delete entity, must remove users from group first.", ops.IN_USE)
    without_policies(held)
    left, ties = severed(held)  # a boundary goes with whom it bounds
    return Outcome(answer=Nothing(), put=left, delete=(gone, *ties))


def without_policies(held: HeldPrincipal) -> None:
    """Raises WrongState (detail IN_USE)."""
    if held.principal.policies:
        raise WrongState("Cannot delete entity, must delete policies first.", ops.IN_USE)
    if not all(one.as_boundary for one in held.attachments()):
        raise WrongState("Cannot delete entity, must detach all policies first.", ops.IN_USE)


# --- access keys


def _access_keys(held: HeldPrincipal, after: str, limit: int) -> Iterator[Credential]:
    every = walk(lambda place, size: held.credentials(after=place, limit=size), after, limit)
    return (one for one in every if one.credential_kind is CredentialKind.ACCESS_KEY)


def create_user_access_key(_op: ops.CreateUserAccessKey, targets: OneOf, act: Act) -> Outcome[AccessKey]:
    (held,) = targets
    return another_access_key(held.home, held.principal, act)


def list_user_access_keys(op: ops.ListUserAccessKeys, targets: OneOf, _act: Act) -> Outcome[Page[Credential]]:
    page = paged(_access_keys(targets[0], op.after, op.limit), op.limit)
    return Outcome(answer=Page(tuple(replace(one, secret=b"") for one in page.items), page.after))


def _own_key(held: HeldPrincipal, credential_id: str, act: Act) -> Credential:
    """An access key of this principal, to be changed. Raises NotFound, also for any other kind of credential."""
    spared(held.principal, act)
    found = held.credential(credential_id)
    if found.credential_kind is not CredentialKind.ACCESS_KEY:
        raise NotFound("no such credential", "credential")
    return found


def update_user_access_key(op: ops.UpdateUserAccessKey, targets: OneOf, act: Act) -> Outcome[Nothing]:
    changed = replace(_own_key(targets[0], op.credential_id, act), enabled=op.enabled)
    return Outcome(answer=Nothing(), put=(changed,), made=changed.id)


def delete_user_access_key(op: ops.DeleteUserAccessKey, targets: OneOf, act: Act) -> Outcome[Nothing]:
    (held,) = targets
    gone = _own_key(held, op.credential_id, act)
    return Outcome(answer=Nothing(), delete=held.home.all_of([gone]), made=gone.id)


# --- policies


def put_inline_policy(op: ops.PutInlinePolicy, targets: OneOf, _act: Act) -> Outcome[Nothing]:
    return Outcome(answer=Nothing(), put=(with_policy(changeable(targets[0]), op.policy),))


def read_inline_policy(op: ops.ReadInlinePolicy, targets: OneOf, _act: Act) -> Outcome[PolicyText]:
    found = next((policy for policy in targets[0].principal.policies if policy.name == op.policy_name), None)
    if found is None:
        raise NotFound("no such policy", "policy_name")
    return Outcome(answer=found)


def list_inline_policies(op: ops.ListInlinePolicies, targets: OneOf, _act: Act) -> Outcome[Page[str]]:
    names = sorted(policy.name for policy in targets[0].principal.policies if policy.name > op.after)
    page = tuple(names[: op.limit])
    return Outcome(answer=Page(page, page[-1] if len(names) > len(page) else None))


def delete_inline_policy(op: ops.DeleteInlinePolicy, targets: OneOf, _act: Act) -> Outcome[Nothing]:
    return Outcome(answer=Nothing(), put=(without_policy(changeable(targets[0]), op.policy_name),))


def put_trust_policy(op: ops.PutTrustPolicy, targets: OneOf, act: Act) -> Outcome[Nothing]:
    """UpdateAssumeRolePolicy; what it says is asked when a role is taken on, and ends no session."""
    changed = replace(changeable(targets[0]), trust=fixed_trust(op.trust, act))
    return Outcome(answer=Nothing(), put=(changed,))


HANDLERS: dict[type, Handler] = {
    ops.CreateUser: create_user,
    ops.ListUsers: list_users,
    ops.ReadUser: read_principal,
    ops.DeleteUser: delete_identity,
    ops.CreateUserAccessKey: create_user_access_key,
    ops.ListUserAccessKeys: list_user_access_keys,
    ops.UpdateUserAccessKey: update_user_access_key,
    ops.DeleteUserAccessKey: delete_user_access_key,
    ops.CreateRole: create_role,
    ops.ListRoles: list_roles,
    ops.ReadRole: read_principal,
    ops.DeleteRole: delete_identity,
    ops.UpdateRole: update_role,
    ops.PutRoleDescription: put_role_description,
    ops.ListInstanceProfiles: list_instance_profiles,
    ops.PutTrustPolicy: put_trust_policy,
    **{row.put: put_inline_policy for row in ops.INLINE_POLICIES.values()},
    **{row.read: read_inline_policy for row in ops.INLINE_POLICIES.values()},
    **{row.list: list_inline_policies for row in ops.INLINE_POLICIES.values()},
    **{row.delete: delete_inline_policy for row in ops.INLINE_POLICIES.values()},
}
