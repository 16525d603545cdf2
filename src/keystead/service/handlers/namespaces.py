"""Namespaces: tenants made below a tenant, told of, locked, and taken away with all that they have.

Vault documentation, "Namespace API lock"; OpenBao, vault/namespace_store.go. What an ended namespace has goes in steps,
each of which is a commit: whoever is stopped in between asks again, and the scheduler does (service.endings).
"""

from __future__ import annotations

import hmac
import re
from base64 import b32encode
from collections.abc import Mapping

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import (
    Cubby,
    Entity,
    Lineage,
    Namespace,
    PrincipalKind,
    Tenant,
    Token,
    Wrapped,
    path_of_chain,
)
from keystead.core.errors import InvalidArgument, LimitExceeded, NotFound, WrongState
from keystead.core.identifiers import new_id
from keystead.core.operations import Cleared, Nothing, ToldNamespace
from keystead.core.policy.paths import acl_of
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.service.credentials.token import digest
from keystead.service.damaged import holds
from keystead.service.handlers.aclpolicies import has_sudo
from keystead.service.handlers.mounts import table_of
from keystead.service.handlers.principals import new_principal
from keystead.service.handlers.tokens import ended
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

NAME = re.compile(r"[A-Za-z0-9_@-](?:[A-Za-z0-9_.@-]{0,126}[A-Za-z0-9_@-])?")
RESERVED = frozenset({"root", "sys", "audit", "auth", "cubbyhole", "identity"})
MAX_DEPTH = 16
MAX_CUSTOM, MAX_CUSTOM_BYTES = 64, 16_384  # names; characters of names and values together
ROOT = "root"
AT_ONCE, SCANNED = 1000, 5000  # rows in one commit; rows looked at in one step
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def placed(chain: Lineage) -> ToldNamespace:
    return ToldNamespace(chain, is_locked=any(one.lock for one in chain))


def _below(tenant: HeldTenant, name: str) -> Namespace:
    if (found := tenant.space_named(name)) is None:
        raise NotFound("no such namespace", "name")
    return found


# --- making


def create_namespace(op: ops.CreateNamespace, targets: tuple[HeldTenant], act: Act) -> Outcome[ToldNamespace]:
    (tenant,) = targets
    check_name(op.name)
    _check_custom(op.custom)
    above = tenant.chain()
    if (found := tenant.space_named(op.name)) is not None:
        if found.ends:
            raise InvalidArgument("the namespace is being deleted", "name")
        kept = replace(found, custom=dict(op.custom))
        return Outcome(answer=placed((*above, kept)), put=(kept,), made=kept.id)
    if (taken := table_of(tenant).in_the_way(op.name)) is not None:
        raise InvalidArgument(f"new namespace conflicts with existing mount: {taken}/", "name")
    if len(above) >= MAX_DEPTH:
        raise LimitExceeded(f"namespaces are at most {MAX_DEPTH} deep", "name")
    id_, name = _new_id(tenant, act.entropy), f"{path_of_chain(above)}{op.name}"
    record = Tenant(id=id_, name=name, created_at=act.now)
    made = Namespace(
        id=record.id,
        above=tenant.id,
        name=op.name,
        name_digest=tenant.space_digest(op.name),
        suffix="".join(DIGITS[byte % len(DIGITS)] for byte in act.entropy(6)),
        uuid=new_id(act.entropy),
        custom=dict(op.custom),
        created_at=act.now,
    )
    root = new_principal(tenant.other(record), PrincipalKind.ROOT, ROOT, act.now, act.entropy)
    put = (record, root, made, tenant.record)  # of two with one name, or a mount and a namespace, one comes second
    return Outcome(answer=placed((*above, made)), put=put, made=made.id)


def _new_id(tenant: HeldTenant, entropy: Entropy) -> str:
    while tenant.is_taken(id_ := f"{int.from_bytes(entropy(16)) % 10**12:012}"):
        pass
    return id_


def check_name(name: str) -> None:
    """Raises InvalidArgument, in the server's words as far as it has any."""
    if name in RESERVED:
        raise InvalidArgument(f'"{name}/" is a reserved path and cannot be used as a namespace name', "name")
    if " " in name:
        raise InvalidArgument(f'"{name}" contains space characters that cannot be used in a namespace name', "name")
    for sign in ("*", "+"):
        if sign in name:
            words = f"\"{name}\" contains wildcard characters that cannot be used in a namespace name: '{sign}'"
            raise InvalidArgument(words, "name")
    if NAME.fullmatch(name) is None:
        raise InvalidArgument("a namespace's name is 1 to 128 letters, digits and _.@-, no dot at its ends", "name")


def _check_custom(custom: Mapping[str, str]) -> None:
    if len(custom) > MAX_CUSTOM or sum(len(name) + len(value) for name, value in custom.items()) > MAX_CUSTOM_BYTES:
        raise InvalidArgument(f"at most {MAX_CUSTOM} names and {MAX_CUSTOM_BYTES} characters", "custom_metadata")


# --- telling


def read_namespace(op: ops.ReadNamespace, targets: tuple[HeldTenant], _act: Act) -> Outcome[ToldNamespace]:
    (tenant,) = targets
    check_name(op.name)
    return Outcome(answer=placed((*tenant.chain(), _below(tenant, op.name))))


def list_namespaces(
    op: ops.ListNamespaces, targets: tuple[HeldTenant], _act: Act
) -> Outcome[tuple[ToldNamespace, ...]]:
    (tenant,) = targets
    if op.deep:
        return Outcome(answer=tuple(placed(chain) for chain in tenant.all_spaces()))
    above = tenant.chain()
    found = sorted(tenant.spaces(), key=lambda one: one.name)
    return Outcome(answer=tuple(placed((*above, one)) for one in found))


def list_reachable_namespaces(
    _op: ops.ListReachableNamespaces, targets: tuple[HeldTenant], act: Act
) -> Outcome[tuple[str, ...]]:
    acl, at = acl_of(act.caller.rights.policies, act.now), act.caller.below
    names = sorted(one.name for one in targets[0].spaces() if not one.ends)
    return Outcome(answer=tuple(name for name in names if acl.reaches(f"{at}{name}/")))


def patch_namespace(op: ops.PatchNamespace, targets: tuple[HeldTenant], _act: Act) -> Outcome[ToldNamespace]:
    (tenant,) = targets
    check_name(op.name)
    found = _below(tenant, op.name)
    merged = {} if op.custom is None else {**found.custom, **op.custom}
    custom = {name: value for name, value in merged.items() if value is not None}
    _check_custom(custom)
    patched = replace(found, custom=custom)
    return Outcome(answer=placed((*tenant.chain(), patched)), put=(patched,))


# --- ending


def end_namespace(op: ops.EndNamespace, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    check_name(op.name)
    found = _below(tenant, op.name)
    inside = tenant.tenant_of_space(found)
    if inside.has_spaces():
        raise WrongState("unable to delete namespace containing child namespaces", "children")
    put = (replace(found, ends=True), inside.record)  # whoever makes one in it puts that record too
    return Outcome(answer=Nothing(), put=put, made=found.id)


def clear_namespace(op: ops.ClearNamespace, targets: tuple[HeldTenant], _act: Act) -> Outcome[Cleared]:
    """Contents; then tokens and cubbies that hang under tokens of namespaces above; then the tenant itself."""
    (tenant,) = targets
    space = _below(tenant, op.name)
    if not space.ends:
        raise WrongState("the namespace has not ended", "name")
    inside = tenant.tenant_of_space(space)
    if contents := inside.contents(AT_ONCE):
        return _gone(contents, Cleared(""), space)
    stage, _, after = op.after.partition("/")
    if stage in {"", "token"}:
        tokens, on = inside.astray(Token, after, SCANNED)
        gone = [one for token in tokens for one in ended(inside, token)]
        return _gone(gone, Cleared("cubby/" if on is None else f"token/{on}"), space)
    if stage == "cubby":
        cubbies, on = inside.astray(Cubby, after, SCANNED)
        return _gone([*cubbies], Cleared("last/" if on is None else f"cubby/{on}"), space)
    return Outcome(answer=Cleared(None), delete=(space, inside.record), put=(tenant.record,), made=space.id)


def _gone(gone: list[Entity], answer: Cleared, space: Namespace) -> Outcome[Cleared]:
    once = {(one.kind, one.id): one for one in gone}
    holding = tuple(one for one in once.values() if isinstance(one, Wrapped) and holds(one))
    return Outcome(answer=answer, delete=tuple(once.values()), destroy=holding, seen=(space,), made=space.id)


# --- locking


def _at(tenant: HeldTenant, path: str) -> Lineage:
    """Raises NotFound; InvalidArgument for a root."""
    chain = tenant.chain()
    if not path:
        if not chain:
            raise InvalidArgument("root namespace cannot be locked/unlocked", "path")
        return chain
    at = tenant
    for name in path.split("/"):
        chain = (*chain, _below(at, name))
        at = at.tenant_of_space(chain[-1])
    return chain


def lock_namespace(op: ops.LockNamespace, targets: tuple[HeldTenant], act: Act) -> Outcome[Sensitive]:
    chain = _at(targets[0], op.path)
    here = path_of_chain(chain)
    for n, one in enumerate(chain[:-1], 1):
        if one.lock:
            above = path_of_chain(chain[:n])
            words = f'cannot lock namespace "{here}": ancestor namespace "{above}" is already locked'
            raise WrongState(words, "lock")
    if chain[-1].lock:
        raise WrongState(f'cannot lock namespace "{here}": is already locked', "lock")
    key = Sensitive(b32encode(act.entropy(15)))
    locked = replace(chain[-1], lock=digest(key))
    return Outcome(answer=key, put=(locked,), made=locked.id)


def unlock_namespace(op: ops.UnlockNamespace, targets: tuple[HeldTenant], act: Act) -> Outcome[bool]:
    chain = _at(targets[0], op.path)
    space = chain[-1]
    if not space.lock:
        raise WrongState(f'namespace "{path_of_chain(chain)}" is not locked', "lock")
    if op.key is None:
        if not has_sudo(act) and act.principal.principal_kind is not PrincipalKind.SYSTEM:
            raise InvalidArgument("provided empty key", "unlock_key")
    elif not hmac.compare_digest(digest(op.key), space.lock):
        raise InvalidArgument("incorrect unlock key", "unlock_key")
    return Outcome(answer=op.key is None, put=(replace(space, lock=""),), made=space.id)


HANDLERS: dict[type, Handler] = {
    ops.CreateNamespace: create_namespace,
    ops.ReadNamespace: read_namespace,
    ops.ListNamespaces: list_namespaces,
    ops.ListReachableNamespaces: list_reachable_namespaces,
    ops.PatchNamespace: patch_namespace,
    ops.EndNamespace: end_namespace,
    ops.ClearNamespace: clear_namespace,
    ops.LockNamespace: lock_namespace,
    ops.UnlockNamespace: unlock_namespace,
}
