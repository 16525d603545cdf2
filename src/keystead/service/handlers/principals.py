"""Principals of a tenant, their identity policies, and the credentials they come with."""

from __future__ import annotations

import re
from base64 import b32encode, b64encode
from datetime import datetime

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Credential, CredentialKind, PolicyText, Principal, PrincipalKind
from keystead.core.errors import AlreadyExists, Denied, InvalidArgument, LimitExceeded, NotFound
from keystead.core.identifiers import new_id
from keystead.core.operations import AccessKey, Nothing, Page
from keystead.core.ports import Entropy
from keystead.core.quotas import require_room
from keystead.core.sensitive import Sensitive
from keystead.service.handlers.bounding import severed
from keystead.service.handlers.keys import paged, walk
from keystead.service.handlers.policies import checked_identity_policy
from keystead.service.held import HeldPrincipal, HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")  # IAM User Guide, "IAM object quotas and name requirements"
LONG_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,128}")  # of a group
MADE_BY_HAND = (PrincipalKind.USER, PrincipalKind.ROLE)  # the others come with their tenant
_ACTING = (*MADE_BY_HAND, PrincipalKind.ROOT)
SHARES_NAMES_WITH = {
    PrincipalKind.USER: _ACTING,
    PrincipalKind.ROLE: _ACTING,
    PrincipalKind.GROUP: (PrincipalKind.GROUP,),
}
MAX_XKS = 2  # for each URI prefix: XKS Proxy API, "SigV4 credentials rotation"
XKS_PREFIX = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*")  # XKS Proxy API, "API operations"
MAX_XKS_PATH = 128 - len("//kms/xks/v1")
MAX_POLICIES = 20


def new_principal(tenant: HeldTenant, kind: PrincipalKind, name: str, now: datetime, entropy: Entropy) -> Principal:
    return Principal(
        id=new_id(entropy),
        tenant=tenant.id,
        principal_kind=kind,
        name=name,
        name_digest=tenant.name_digest(kind, name),
        created_at=now,
    )


def access_key(principal_id: str, now: datetime, entropy: Entropy) -> AccessKey:
    """AKIA and 80 random bits; the secret is 240 random bits in 40 characters, as AWS writes them."""
    secret = b64encode(entropy(30))
    credential = Credential(
        id="AKIA" + b32encode(entropy(10)).decode(),
        principal_id=principal_id,
        credential_kind=CredentialKind.ACCESS_KEY,
        secret=secret,
        created_at=now,
    )
    return AccessKey(credential, Sensitive(secret))


def create_principal(op: ops.CreatePrincipal, targets: tuple[HeldTenant], act: Act) -> Outcome[Principal]:
    """Raises AlreadyExists; InvalidArgument for a name that is none, or a kind that is not made by hand."""
    (tenant,) = targets
    if op.principal_kind not in MADE_BY_HAND:
        raise InvalidArgument(f"a {op.principal_kind.value} principal is not made so", "principal_kind")
    made = nobody_yet(tenant, op.principal_kind, op.name, act)
    # the tenant too: of two with one name one comes second
    return Outcome(answer=made, put=(made, tenant.record), made=made.id)


def nobody_yet(tenant: HeldTenant, kind: PrincipalKind, name: str, act: Act) -> Principal:
    """A new principal. Raises AlreadyExists; InvalidArgument for a name that is none."""
    check_name(tenant, kind, name)
    return new_principal(tenant, kind, name, act.now, act.entropy)


def check_name(tenant: HeldTenant, kind: PrincipalKind, name: str) -> None:
    """Raises AlreadyExists; InvalidArgument for a name that is none."""
    if (LONG_NAME if kind is PrincipalKind.GROUP else NAME).fullmatch(name) is None:
        raise InvalidArgument("a name is 1 to 64 letters, digits and _+=,.@-; a group's has up to 128", "name")
    if any(tenant.find_principal(taken, name) for taken in SHARES_NAMES_WITH[kind]):
        raise AlreadyExists("the name is taken", "name")


def delete_principal(op: ops.DeletePrincipal, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    gone = made_by_hand(tenant, op.name)
    credentials = walk(lambda after, limit: tenant.credentials(gone, after=after, limit=limit), "")
    held = HeldPrincipal(gone, tenant)
    left, ties = severed(held)
    ended = (gone, *tenant.all_of(credentials), *held.memberships(), *ties)
    return Outcome(answer=Nothing(), put=left, delete=ended, made=gone.id)


def set_principal_enabled(op: ops.SetPrincipalEnabled, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    changed = replace(made_by_hand(targets[0], op.name), enabled=op.enabled)
    return Outcome(answer=Nothing(), put=(changed,), made=changed.id)


def made_by_hand(tenant: HeldTenant, name: str) -> Principal:
    """The user or role of that name. The root principal is its tenant and cannot be changed. Raises NotFound."""
    found = tenant.principal(name)
    if found.principal_kind not in MADE_BY_HAND:
        raise InvalidArgument(f"a {found.principal_kind.value} principal stays as it is", "name")
    return found


def list_principals(op: ops.ListPrincipals, targets: tuple[HeldTenant], _act: Act) -> Outcome[Page[Principal]]:
    (tenant,) = targets
    found = walk(lambda after, limit: tenant.principals(after=after, limit=limit), op.after, op.limit)
    return Outcome(answer=paged((one for one in found if not one.is_group), op.limit))


def put_principal_policy(op: ops.PutPrincipalPolicy, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    """A policy of the same name is replaced. Raises LimitExceeded (detail "policies"), and what the dialect raises."""
    return Outcome(answer=Nothing(), put=(with_policy(made_by_hand(targets[0], op.name), op.policy),))


def with_policy(principal: Principal, policy: PolicyText) -> Principal:
    checked_identity_policy(policy)
    others = tuple(kept for kept in principal.policies if kept.name != policy.name)
    if len(others) >= MAX_POLICIES:
        raise LimitExceeded(f"a principal has at most {MAX_POLICIES} policies", "policies")
    return replace(principal, policies=(*others, policy))


def delete_principal_policy(op: ops.DeletePrincipalPolicy, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    return Outcome(answer=Nothing(), put=(without_policy(made_by_hand(targets[0], op.name), op.policy_name),))


def without_policy(principal: Principal, name: str) -> Principal:
    """Raises NotFound."""
    left = tuple(policy for policy in principal.policies if policy.name != name)
    if len(left) == len(principal.policies):
        raise NotFound("no such policy", "policy_name")
    return replace(principal, policies=left)


# --- credentials


def spared(principal: Principal, act: Act) -> Principal:
    """`principal`, whose credentials are to be touched. Raises Denied for the root principal's, but for its own.

    No right that a policy gives reaches whom no policy of the tenant can refuse (IAM User Guide, "Root user").
    """
    if principal.principal_kind is PrincipalKind.ROOT and not (
        act.principal.id == principal.id or act.principal.principal_kind is PrincipalKind.SYSTEM
    ):
        raise Denied("the root principal's credentials are its own and the operator's", "name")
    return principal


def spared_credential(tenant: HeldTenant, credential_id: str, act: Act) -> Credential:
    credential, owner = tenant.credential(credential_id)
    spared(owner, act)
    return credential


def create_access_key(op: ops.CreateAccessKey, targets: tuple[HeldTenant], act: Act) -> Outcome[AccessKey]:
    """Raises LimitExceeded (detail OverQuota)."""
    (tenant,) = targets
    return another_access_key(tenant, tenant.principal(op.name), act)


def another_access_key(tenant: HeldTenant, principal: Principal, act: Act) -> Outcome[AccessKey]:
    spared(principal, act)
    if principal.is_group:
        raise InvalidArgument("a group has no credentials", "name")
    held = walk(lambda after, limit: tenant.credentials(principal, after=after, limit=limit), "")
    n_held = sum(one.credential_kind is CredentialKind.ACCESS_KEY for one in held)
    require_room("access_keys", act.quotas.access_keys, n_held)
    made = access_key(principal.id, act.now, act.entropy)
    return Outcome(answer=made, put=(principal, made.credential), made=made.credential.id)


def create_xks_credential(op: ops.CreateXksCredential, targets: tuple[HeldTenant], act: Act) -> Outcome[AccessKey]:
    """Raises InvalidArgument for an address of no such door; NotFound; LimitExceeded (detail "credentials")."""
    (tenant,) = targets
    principal = made_by_hand(tenant, op.name)
    prefix = op.namespace.removeprefix(f"xks:{tenant.id}:")
    if prefix == op.namespace or len(prefix) > MAX_XKS_PATH or not (prefix == "/" or XKS_PREFIX.fullmatch(prefix)):
        raise InvalidArgument(f"the address is xks:{tenant.id}: and a URI prefix, or / for none", "namespace")
    if (bound := tenant.binding(op.namespace)) is None:
        raise NotFound(f"no keyring is bound to {op.namespace}", "namespace")
    held = walk(lambda after, limit: tenant.credentials(principal, after=after, limit=limit), "")
    if sum(one.at == op.namespace for one in held) >= MAX_XKS:
        raise LimitExceeded(f"a principal has at most {MAX_XKS} credentials for a URI prefix", "credentials")
    made = xks_credential(principal.id, op.namespace, act.now, act.entropy)
    return Outcome(answer=made, put=(principal, made.credential), seen=(bound,), made=made.credential.id)


def xks_credential(principal_id: str, at: str, now: datetime, entropy: Entropy) -> AccessKey:
    """27 characters, 120 random bits; the secret is 256 random bits in 44 (XKS Proxy API, Appendix A)."""
    secret = b64encode(entropy(32))
    credential = Credential(
        id="XKS" + b32encode(entropy(15)).decode(),
        principal_id=principal_id,
        credential_kind=CredentialKind.XKS,
        secret=secret,
        created_at=now,
        at=at,
    )
    return AccessKey(credential, Sensitive(secret))


def set_credential_enabled(op: ops.SetCredentialEnabled, targets: tuple[HeldTenant], act: Act) -> Outcome[Nothing]:
    changed = replace(spared_credential(targets[0], op.credential_id, act), enabled=op.enabled)
    return Outcome(answer=Nothing(), put=(changed,), made=changed.id)


def delete_credential(op: ops.DeleteCredential, targets: tuple[HeldTenant], act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    gone = spared_credential(tenant, op.credential_id, act)
    return Outcome(answer=Nothing(), delete=tenant.all_of([gone]), made=gone.id)


def list_credentials(op: ops.ListCredentials, targets: tuple[HeldTenant], _act: Act) -> Outcome[Page[Credential]]:
    """Without their secrets."""
    (tenant,) = targets
    principal = tenant.principal(op.name)
    held = walk(lambda after, limit: tenant.credentials(principal, after=after, limit=limit), op.after, op.limit)
    page = paged(held, op.limit)
    return Outcome(answer=Page(tuple(replace(one, secret=b"") for one in page.items), page.after))


def who_am_i(_op: ops.WhoAmI, _targets: tuple[HeldTenant], act: Act) -> Outcome[ops.Identity]:
    return Outcome(answer=ops.Identity(act.principal))


HANDLERS: dict[type, Handler] = {
    ops.CreatePrincipal: create_principal,
    ops.DeletePrincipal: delete_principal,
    ops.SetPrincipalEnabled: set_principal_enabled,
    ops.ListPrincipals: list_principals,
    ops.PutPrincipalPolicy: put_principal_policy,
    ops.DeletePrincipalPolicy: delete_principal_policy,
    ops.CreateAccessKey: create_access_key,
    ops.CreateXksCredential: create_xks_credential,
    ops.SetCredentialEnabled: set_credential_enabled,
    ops.DeleteCredential: delete_credential,
    ops.ListCredentials: list_credentials,
    ops.WhoAmI: who_am_i,
}
