"""Managed policies, their versions, and whom they are attached to.

IAM API Reference 2010-05-08, under the names of the actions; IAM User Guide, "Managed policies and inline policies",
"Versioning IAM policies". A policy counts its attachments, so what attaches it changes it: it is never deleted from
under somebody.
"""

from __future__ import annotations

from datetime import datetime
from itertools import groupby

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Attachment, ManagedPolicy, PolicyText, PolicyVersion, Principal, PrincipalKind
from keystead.core.errors import AlreadyExists, InvalidArgument, LimitExceeded, NotFound, WrongState
from keystead.core.identifiers import new_id
from keystead.core.operations import Nothing, Page, PolicyRef
from keystead.service.handlers.identities import OneOf, changeable
from keystead.service.handlers.keys import paged, walk
from keystead.service.handlers.policies import checked_identity_policy
from keystead.service.handlers.principals import LONG_NAME
from keystead.service.handlers.tagging import tagged
from keystead.service.held import HeldPolicy, HeldPrincipal, HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

# IAM User Guide, "IAM and AWS STS quotas"
MAX_VERSIONS = 5
MAX_ATTACHED = 10
MAX_CHARACTERS = 6144  # "IAM doesn't count white space"
OneTenant = tuple[HeldTenant]
OnePolicy = tuple[HeldPolicy]


def _checked(text: PolicyText) -> None:
    """Raises InvalidArgument (detail "Policy"), LimitExceeded (detail "policy")."""
    if sum(len(part) for part in text.text.split()) > MAX_CHARACTERS:
        raise LimitExceeded(f"Cannot exceed quota for PolicySize: {MAX_CHARACTERS}", "policy")
    checked_identity_policy(text)


def _version(text: PolicyText, number: int, now: datetime) -> PolicyVersion:
    return PolicyVersion(number=number, dialect=text.dialect, text=text.text, created_at=now)


def create_managed_policy(
    op: ops.CreateManagedPolicy, targets: tuple[HeldTenant, ...], act: Act
) -> Outcome[ManagedPolicy]:
    tenant = targets[0]
    name = op.text.name
    if LONG_NAME.fullmatch(name) is None:
        raise InvalidArgument("a policy's name is 1 to 128 letters, digits and _+=,.@-", "name")
    _checked(op.text)
    if tenant.policy_named(name) is not None:
        raise AlreadyExists("the name is taken", "name")
    made = ManagedPolicy(
        id=new_id(act.entropy),
        tenant=tenant.id,
        name=name,
        name_digest=tenant.policy_digest(name),
        path=op.path,
        description=op.description,
        tags=tagged({}, op.tags),
        created_at=act.now,
        versions=(_version(op.text, 1, act.now),),
    )
    return Outcome(answer=made, put=(made, tenant.record), made=made.id)


def read_managed_policy(_op: ops.ReadManagedPolicy, targets: OnePolicy, _act: Act) -> Outcome[ManagedPolicy]:
    return Outcome(answer=targets[0].policy)


def list_managed_policies(op: ops.ListManagedPolicies, targets: OneTenant, _act: Act) -> Outcome[Page[ManagedPolicy]]:
    (tenant,) = targets

    def listed(one: ManagedPolicy) -> bool:
        used = {None: one.n_attached + one.n_bounded, False: one.n_attached, True: one.n_bounded}[op.as_boundary]
        wanted = used > 0 or (op.as_boundary is None and not op.only_attached)
        return wanted and one.path.startswith(op.path_prefix)

    every = walk(lambda place, size: tenant.policies(after=place, limit=size), op.after, op.limit)
    return Outcome(answer=paged((one for one in every if listed(one)), op.limit))


def delete_managed_policy(_op: ops.DeleteManagedPolicy, targets: OnePolicy, _act: Act) -> Outcome[Nothing]:
    gone = targets[0].policy
    if gone.n_attached or gone.n_bounded:
        raise WrongState("Cannot delete a policy attached to entities.", ops.IN_USE)
    if len(gone.versions) > 1:
        raise WrongState(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's "
            "versions. The default version is deleted with the policy.",
            ops.IN_USE,
        )
    return Outcome(answer=Nothing(), delete=(gone,))


# --- versions


def create_policy_version(op: ops.CreatePolicyVersion, targets: OnePolicy, act: Act) -> Outcome[PolicyVersion]:
    policy = targets[0].policy
    _checked(op.text)
    if len(policy.versions) >= MAX_VERSIONS:
        raise LimitExceeded(
            f"A managed policy can have up to {MAX_VERSIONS} versions. Before you create a new version, you must "
            "delete an existing version.",
            "versions",
        )
    number = policy.n_made + 1
    made = _version(op.text, number, act.now)
    default = number if op.as_default else policy.default
    changed = replace(policy, versions=(*policy.versions, made), n_made=number, default=default)
    return Outcome(answer=made, put=(changed,), made=f"{policy.id}/{number}")


def _numbered(policy: ManagedPolicy, number: int) -> PolicyVersion:
    """Raises NotFound (detail NO_VERSION)."""
    found = policy.version(number)
    if found is None:
        raise NotFound(f"The policy has no version v{number}.", ops.NO_VERSION)
    return found


def read_policy_version(op: ops.ReadPolicyVersion, targets: OnePolicy, _act: Act) -> Outcome[ops.VersionOfPolicy]:
    policy = targets[0].policy
    found = _numbered(policy, op.number)
    return Outcome(answer=ops.VersionOfPolicy(found, found.number == policy.default))


def list_policy_versions(
    op: ops.ListPolicyVersions, targets: OnePolicy, _act: Act
) -> Outcome[Page[ops.VersionOfPolicy]]:
    policy = targets[0].policy
    newest = sorted(policy.versions, key=lambda one: -one.number)
    left = [one for one in newest if not op.after or one.number < int(op.after)]
    page = left[: op.limit]
    items = tuple(ops.VersionOfPolicy(one, one.number == policy.default) for one in page)
    return Outcome(answer=Page(items, str(page[-1].number) if len(left) > len(page) else None))


def set_default_policy_version(op: ops.SetDefaultPolicyVersion, targets: OnePolicy, _act: Act) -> Outcome[Nothing]:
    policy = targets[0].policy
    changed = replace(policy, default=_numbered(policy, op.number).number)
    return Outcome(answer=Nothing(), put=(changed,), made=f"{policy.id}/{changed.default}")


def delete_policy_version(op: ops.DeletePolicyVersion, targets: OnePolicy, _act: Act) -> Outcome[Nothing]:
    policy = targets[0].policy
    gone = _numbered(policy, op.number)
    if gone.number == policy.default:
        raise WrongState("Cannot delete the default version of a policy.", ops.IN_USE)
    left = tuple(one for one in policy.versions if one is not gone)
    return Outcome(answer=Nothing(), put=(replace(policy, versions=left),), made=f"{policy.id}/{gone.number}")


# --- whom it is attached to


def list_holders(op: ops.ListHolders, targets: OnePolicy, _act: Act) -> Outcome[Page[Principal]]:
    """Each once: whom a policy both bounds and is attached to has two attachments, one after the other."""
    (held,) = targets
    ties = walk(lambda place, size: held.attachments(after=place, limit=size), f"{held.id}/{op.after}", op.limit)
    wanted = (one.holder_id for one in ties if op.as_boundary is None or one.as_boundary is op.as_boundary)
    holders = (held.home.principal_of_id(id_) for id_, _ in groupby(wanted) if id_ != op.after)
    of_kind = (one for one in holders if op.of_kind in {None, one.principal_kind})
    return Outcome(answer=paged((one for one in of_kind if one.path.startswith(op.path_prefix)), op.limit))


def known_policy(holder: HeldPrincipal, ref: PolicyRef) -> ManagedPolicy:
    """Raises NotFound (detail the PolicyRef)."""
    found = holder.home.find_policy(ref)
    if found is None:
        raise NotFound("no such policy", ref)
    return found


def _attached(holder: HeldPrincipal) -> list[Attachment]:
    return [one for one in holder.attachments() if not one.as_boundary]


_QUOTA = {PrincipalKind.USER: "PoliciesPerUser", PrincipalKind.ROLE: "PoliciesPerRole"}


def attach_policy(op: ops.AttachPolicy, targets: OneOf, _act: Act) -> Outcome[Nothing]:
    """What is attached already stays so."""
    (holder,) = targets
    principal, policy = changeable(holder), known_policy(holder, op.policy)
    attached = _attached(holder)
    if any(one.policy_id == policy.id for one in attached):
        return Outcome(answer=Nothing())
    if len(attached) >= MAX_ATTACHED:
        quota = _QUOTA.get(principal.principal_kind, "PoliciesPerGroup")
        raise LimitExceeded(f"Cannot exceed quota for {quota}: {MAX_ATTACHED}", "policies")
    tie = Attachment.of(policy, principal)
    counted = replace(policy, n_attached=policy.n_attached + 1)
    return Outcome(answer=Nothing(), put=(tie, principal, counted), made=tie.id)


def detach_policy(op: ops.DetachPolicy, targets: OneOf, _act: Act) -> Outcome[Nothing]:
    (holder,) = targets
    principal, policy = changeable(holder), known_policy(holder, op.policy)
    tie = next((one for one in _attached(holder) if one.policy_id == policy.id), None)
    if tie is None:
        raise NotFound("not attached", op.policy)
    counted = replace(policy, n_attached=policy.n_attached - 1)
    return Outcome(answer=Nothing(), put=(principal, counted), delete=(tie,), made=tie.id)


def list_attached_policies(op: ops.ListAttachedPolicies, targets: OneOf, _act: Act) -> Outcome[Page[ManagedPolicy]]:
    (holder,) = targets
    policies = [holder.home.policy_of_id(one.policy_id) for one in _attached(holder) if one.policy_id > op.after]
    listed = (one for one in policies if one.path.startswith(op.path_prefix))
    return Outcome(answer=paged(listed, op.limit))


HANDLERS: dict[type, Handler] = {
    ops.CreateManagedPolicy: create_managed_policy,
    ops.ReadManagedPolicy: read_managed_policy,
    ops.ListManagedPolicies: list_managed_policies,
    ops.DeleteManagedPolicy: delete_managed_policy,
    ops.CreatePolicyVersion: create_policy_version,
    ops.ReadPolicyVersion: read_policy_version,
    ops.ListPolicyVersions: list_policy_versions,
    ops.SetDefaultPolicyVersion: set_default_policy_version,
    ops.DeletePolicyVersion: delete_policy_version,
    ops.ListHolders: list_holders,
    **{row.attach: attach_policy for row in ops.ATTACHED_POLICIES.values()},
    **{row.detach: detach_policy for row in ops.ATTACHED_POLICIES.values()},
    **{row.list: list_attached_policies for row in ops.ATTACHED_POLICIES.values()},
}
