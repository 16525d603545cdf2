"""Named policies of the vault dialect: written whole, read, listed, deleted; and what they come to for a token.

Vault documentation, "Policies". Names are lower case. Whoever has a policy has it by name, so what is written is
what counts from the acknowledgement on, for every token and at every door.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from keystead.core import operations as ops
from keystead.core.entities import AclPolicy, Token, path_of_chain
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.operations import Nothing, PrintedAcl
from keystead.core.policy.paths import acl_of
from keystead.core.policy.vault import read_policy
from keystead.service.handlers.tokens import meant
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.service.rights import BUILT_IN, ROOT_POLICY

WRAPPING = "response-wrapping"
FIXED = frozenset({ROOT_POLICY, WRAPPING})
"""What nobody writes."""
MAX_NAME, MAX_PATHS = 512, 1000
DENIED = ("deny",)


def has_sudo(act: Act) -> bool:
    """Whether the caller has sudo where it asked."""
    asked = act.caller.asked
    held = acl_of(act.caller.rights.policies, act.now).capabilities(asked.path) if asked is not None else ()
    return "root" in held or "sudo" in held


def write_acl_policy(op: ops.WriteAclPolicy, targets: tuple[HeldTenant], act: Act) -> Outcome[AclPolicy]:
    (tenant,) = targets
    if op.name in FIXED:
        raise InvalidArgument(f'cannot update "{op.name}" policy', "name")
    if not 0 < len(op.name) <= MAX_NAME or not op.name.isprintable():
        raise InvalidArgument("a policy's name has 1 to 512 printable characters", "name")
    read_policy(op.text)
    before = tenant.acl_policy(op.name)
    policy = AclPolicy(
        id=tenant.acl_policy_id(op.name),
        revision=before.revision if before is not None else 0,
        tenant=tenant.id,
        name=op.name,
        text=op.text,
        modified_at=act.now,
    )
    return Outcome(answer=policy, put=(policy,), made=op.name)


def read_acl_policy(op: ops.ReadAclPolicy, targets: tuple[HeldTenant], _act: Act) -> Outcome[AclPolicy]:
    (tenant,) = targets
    found = tenant.acl_policy(op.name) or _built_in(tenant, op.name)
    if found is None:
        raise NotFound("no such policy", "name")
    return Outcome(answer=found)


def _built_in(tenant: HeldTenant, name: str) -> AclPolicy | None:
    text = "" if name == ROOT_POLICY else BUILT_IN.get(name)
    if text is None:
        return None
    return AclPolicy(
        id=tenant.acl_policy_id(name), tenant=tenant.id, name=name, text=text, modified_at=tenant.record.created_at
    )


def list_acl_policies(_op: ops.ListAclPolicies, targets: tuple[HeldTenant], _act: Act) -> Outcome[tuple[str, ...]]:
    names = sorted({one.name for one in targets[0].acl_policies()} | {"default"})
    has_root = targets[0].space() is None  # no token of a namespace has it
    return Outcome(answer=(*names, ROOT_POLICY) if has_root else tuple(names))


def delete_acl_policy(op: ops.DeleteAclPolicy, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    if op.name == "default":
        raise InvalidArgument("cannot delete default policy", "name")
    if op.name in FIXED:
        raise InvalidArgument(f'cannot delete "{op.name}" policy', "name")
    found = tenant.acl_policy(op.name)
    return Outcome(answer=Nothing(), delete=() if found is None else (found,))


def read_capabilities(
    op: ops.ReadCapabilities, targets: tuple[HeldTenant], act: Act
) -> Outcome[Mapping[str, tuple[str, ...]]]:
    (tenant,) = targets
    if len(op.paths) > MAX_PATHS:
        raise InvalidArgument("too many paths", "paths")
    token = meant(op, tenant, act)
    rights = tenant.rights_of(token) if token is not None else None
    if rights is None or not rights.principal.enabled:
        raise NotFound("no such token", "token")
    acl, shift = acl_of(rights.policies, act.now), _shift(tenant, token)

    def held(path: str) -> tuple[str, ...]:
        if (at := shift(path)) is None:
            return DENIED
        return acl.capabilities(at, [one for one in map(shift, op.meant.get(path, ())) if one is not None])

    return Outcome(answer={path: held(path) for path in op.paths})


def _shift(tenant: HeldTenant, token: Token | None) -> Callable[[str], str | None]:
    """What a path of the tenant's is from where that token's policies are; None where it does not lead there."""
    here = tenant.chain()
    there = here if token is None or token.tenant == tenant.id else tenant.chain_of(token.tenant)
    inside, above = path_of_chain(there[len(here) :]), path_of_chain(here[len(there) :])
    return lambda path: f"{above}{path[len(inside) :]}" if path.startswith(inside) else None


def read_own_acl(_op: ops.ReadOwnAcl, targets: tuple[HeldTenant], act: Act) -> Outcome[PrintedAcl]:
    acl, token = acl_of(act.caller.rights.policies, act.now), act.caller.rights.token
    exact, globs = acl.printed()
    if token is not None and (at := path_of_chain(targets[0].chain_of(token.tenant))):
        exact, globs = ({f"{at}{path}": words for path, words in of.items()} for of in (exact, globs))
    return Outcome(answer=PrintedAcl(is_root=acl.is_root, exact=exact, globs=globs))


HANDLERS: dict[type, Handler] = {
    ops.WriteAclPolicy: write_acl_policy,
    ops.ReadAclPolicy: read_acl_policy,
    ops.ListAclPolicies: list_acl_policies,
    ops.DeleteAclPolicy: delete_acl_policy,
    ops.ReadCapabilities: read_capabilities,
    ops.ReadOwnAcl: read_own_acl,
}
