"""An act as one canonical text, so that what was approved is what is done; and as a summary that people can read.

Covered is every member but `dry_run` and grant tokens. What was found for a reference stands for it, by id and
revision: so an alias and an id are one act, and a key that has changed meanwhile makes it another one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import fields, replace

from keystead.core import operations as ops
from keystead.core.algorithms import KeySpec
from keystead.core.entities import Entity, OidcNamed, PrincipalKind
from keystead.core.errors import Internal, NotFound
from keystead.core.operations import Demand, Operation
from keystead.core.sensitive import Sensitive
from keystead.service.held import (
    Held,
    HeldCubby,
    HeldKey,
    HeldKeyring,
    HeldKeyStore,
    HeldPolicy,
    HeldPrincipal,
    HeldProvider,
    HeldReplica,
    HeldSecret,
    HeldSystem,
    HeldTenant,
)

LEFT_OUT = frozenset({"dry_run", "grant_tokens"})
MAX_SHOWN, MAX_SUMMARY = 8192, 65_536  # characters of one member, and of all
Said = Any  # JSON


def _of(entity: Entity | None) -> int:
    return 0 if entity is None else entity.revision


def _secret(held: HeldSecret) -> Said:
    """Its id is made of its path."""
    return None if held.secret is None else [held.secret.revision, held.secret.created_at.isoformat()]


REVISIONS: Mapping[type, Callable[[Any], Said]] = {
    HeldKey: lambda held: _of(held.key),
    HeldKeyring: lambda held: _of(held.keyring),
    HeldReplica: lambda held: _of(held.like.key),
    HeldKeyStore: lambda held: _of(held.store),
    HeldTenant: lambda _: 0,  # it moves whenever somebody comes in; what is meant in it is in WITHIN
    HeldPrincipal: lambda held: _of(held.principal),
    HeldPolicy: lambda held: _of(held.policy),
    HeldProvider: lambda held: _of(held.provider),
    HeldSystem: lambda _: 0,
    HeldSecret: _secret,
    HeldCubby: lambda _: 0,
}


def _principal(op: Any, tenant: HeldTenant) -> Entity | None:
    try:
        return tenant.principal(op.name)
    except NotFound:
        return None


def _credential(op: Any, tenant: HeldTenant) -> Entity | None:
    try:
        return tenant.credential(op.credential_id)[0]
    except NotFound:
        return None


def _user(op: ops.CreatePrincipal, tenant: HeldTenant) -> Entity | None:
    return tenant.find_principal(op.principal_kind, op.name)


def _mount(op: ops.DisableMount | ops.MoveMount | ops.TuneMount, tenant: HeldTenant) -> Entity | None:
    """By what it is, and not by where it stands: another may have been moved there."""
    found = tenant.mount_at(op.path)
    return None if found is None else replace(found, id=found.uuid)


def _member(op: ops.AddToGroup, group: HeldPrincipal) -> Entity | None:
    return group.home.find_principal(PrincipalKind.USER, op.user_name)


def _space(op: ops.EndNamespace, tenant: HeldTenant) -> Entity | None:
    return tenant.space_named(op.name)


def _itself(found: Entity | None) -> Entity | None:
    """By its id alone: of what moves whenever it is used."""
    return None if found is None else replace(found, revision=0)


def _entity(op: ops.WriteEntity, tenant: HeldTenant) -> Entity | None:
    return _itself(tenant.entity(op.id) if op.id else tenant.entity_named(op.name))


def _oidc_key(op: ops.WriteOidcKey | ops.DeleteOidcKey, tenant: HeldTenant) -> Entity | None:
    found = tenant.oidc_key(op.name)
    return None if found is None else replace(found, id=f"{found.id}/{found.key_id}")


def _oidc_named(kind: str) -> Callable[[Any, HeldTenant], Entity | None]:
    def found(op: Any, tenant: HeldTenant) -> Entity | None:
        one: OidcNamed | None = getattr(tenant, kind)(op.name)
        return None if one is None else replace(one, id=f"{one.id}/{one.modified_at.isoformat()}")

    return found


def _acl_policy(op: ops.WriteAclPolicy | ops.DeleteAclPolicy, tenant: HeldTenant) -> Entity | None:
    found = tenant.acl_policy(op.name)
    return None if found is None else replace(found, id=f"{found.id}/{found.modified_at.isoformat()}")


def _revocation_list(op: ops.WriteRevocationList | ops.DeleteRevocationList, tenant: HeldTenant) -> Entity | None:
    """By where it comes from, or since when it says what it says: one that is fetched moves by itself."""
    mount = tenant.mount_of_id(op.mount)
    found = None if mount is None else tenant.revocation_list(mount, op.name)
    return None if found is None else replace(found, id=f"{found.id}/{found.url or found.fetched_at}", revision=0)


def _mfa(_op: Any, tenant: HeldTenant) -> Entity | None:
    """All of the rules, by what they say."""
    rules = replace(tenant.mfa_rules(), revision=0)
    return replace(rules, id=f"{rules.id}/{hashlib.sha256(msgspec.msgpack.encode(rules)).hexdigest()}")


def _mfa_secret(op: ops.DestroyMfaSecret, tenant: HeldTenant) -> Entity | None:
    return _itself(tenant.mfa_secret_of(op.entity, op.method)) if op.entity else None


def _group(op: ops.WriteIdentityGroup | ops.DeleteIdentityGroup, tenant: HeldTenant) -> Entity | None:
    return _itself(tenant.group(op.id) if op.id else tenant.group_named(op.name or ""))


WITHIN: Mapping[type, Callable[[Any, Any], Entity | None]] = {
    ops.CreatePrincipal: _user,
    ops.EndNamespace: _space,
    ops.WriteEntity: _entity,
    **dict.fromkeys((ops.DisableMount, ops.MoveMount, ops.TuneMount), _mount),
    **dict.fromkeys((ops.WriteIdentityGroup, ops.DeleteIdentityGroup), _group),
    **dict.fromkeys((ops.WriteOtpKey, ops.DeleteOtpKey), lambda op, ring: _itself(ring.otp.find(op.name))),
    **dict.fromkeys((ops.WriteOidcKey, ops.DeleteOidcKey, ops.RotateOidcKey), _oidc_key),
    **dict.fromkeys((ops.WriteOidcAssignment, ops.DeleteOidcAssignment), _oidc_named("oidc_assignment")),
    **dict.fromkeys((ops.WriteOidcScope, ops.DeleteOidcScope), _oidc_named("oidc_scope")),
    **dict.fromkeys((ops.WriteOidcClient, ops.DeleteOidcClient), _oidc_named("oidc_client")),
    **dict.fromkeys((ops.WriteOidcIssuer, ops.DeleteOidcIssuer), _oidc_named("oidc_issuer")),
    **dict.fromkeys((ops.WriteRevocationList, ops.DeleteRevocationList), _revocation_list),
    **dict.fromkeys((ops.WriteMfaEnforcement, ops.DeleteMfaEnforcement, ops.WriteMfaMethod, ops.DeleteMfaMethod), _mfa),
    ops.DestroyMfaSecret: _mfa_secret,
    ops.AddToGroup: _member,
    **dict.fromkeys(
        (
            ops.DeletePrincipal,
            ops.SetPrincipalEnabled,
            ops.PutPrincipalPolicy,
            ops.DeletePrincipalPolicy,
            ops.CreateAccessKey,
            ops.CreateXksCredential,
            ops.IssueSession,
        ),
        _principal,
    ),
    **dict.fromkeys((ops.SetCredentialEnabled, ops.DeleteCredential), _credential),
    **dict.fromkeys((ops.WriteAclPolicy, ops.DeleteAclPolicy), _acl_policy),
}
"""What an operation means inside of its target, by name: (operation, target) -> the row, or None.

A row whose id is made of its name says which one it is besides: another of that name may come to the same revision.
"""


class Canonical(Struct, frozen=True):
    digest: str
    summary: tuple[tuple[str, str], ...]
    targets: tuple[str, ...]  # ids


def canonical(
    op: Operation[Any],
    demands: tuple[Demand, ...],
    found: tuple[Held | None, ...],
    beside: Said,
    key: Sensitive,
) -> Canonical:
    """`beside`: what else the digest is to cover. `key`: 32 bytes, for secrets may be guessed from a bare digest."""
    writing = _Writing(key.reveal(), {demand.target: one for demand, one in zip(demands, found, strict=True)})
    members = {name: writing.of(getattr(op, name)) for name in op.__struct_fields__ if name not in LEFT_OUT}
    targets = [
        (demand.action.value, one.id if one else "", REVISIONS[type(one)](one) if one else 0)
        for demand, one in zip(demands, found, strict=True)
    ]
    inside = WITHIN[type(op)](op, found[0]) if type(op) in WITHIN else None
    whole = (type(op).__name__, members, targets, (inside.id, inside.revision) if inside else None, beside)
    text = msgspec.json.encode(whole, order="deterministic")
    digest = hmac.digest(key.reveal(), b"act" + text, "sha256").hex()
    ids = tuple(one.id for one in found if one is not None)
    usual = _usual(op)
    shown = {name: said for name, said in members.items() if name not in usual}
    return Canonical(digest, _summary(shown), tuple(dict.fromkeys(ids)))


def _usual(op: Operation[Any]) -> set[str]:
    """The members that say what is so without them. An empty list where none is usual may take everything away."""
    found = set()
    for one in fields(op):
        usual = one.default if one.default_factory is NODEFAULT else one.default_factory()
        value = getattr(op, one.name)
        if value is usual or (not isinstance(value, Sensitive) and value == usual):
            found.add(one.name)
    return found


class _Keyed(Struct, frozen=True, rename={"digest": "secret"}):
    """What is written of a secret. A type of its own: a map that others have written may have a member `secret`."""

    digest: str


class _Writing:
    """Values as JSON. What only the caller knows is a keyed digest of itself."""

    def __init__(self, key: bytes, found: Mapping[Any, Held | None]) -> None:
        self._key, self._found = key, found

    def of(self, value: Any) -> Said:
        for kind, write in _FORMS.items():
            if isinstance(value, kind):
                return write(self, value)
        raise Internal(f"a {type(value).__name__} has no canonical form")

    def secret(self, value: Sensitive) -> Said:
        return _Keyed(hmac.digest(self._key, b"secret" + value.reveal(), "sha256").hex())

    def struct(self, value: Struct) -> Said:
        if (one := self._target(value)) is not None:
            return one
        return {type(value).__name__: {name: self.of(getattr(value, name)) for name in value.__struct_fields__}}

    def _target(self, value: Any) -> Said:
        try:
            held = self._found.get(value)
        except TypeError:  # it has a member that has no hash
            return None
        return None if held is None else f"{held.id}"

    def mapping(self, value: Mapping[Any, Any]) -> Said:
        pairs = [(self.of(name), self.of(each)) for name, each in value.items()]
        if all(isinstance(name, str) for name, _ in pairs):
            return dict(pairs)
        return sorted(pairs, key=repr)


_FORMS: Mapping[type, Callable[[_Writing, Any], Said]] = {
    Sensitive: _Writing.secret,
    Enum: lambda _, value: value.name,
    str: lambda _, value: value,
    int: lambda _, value: value,  # and bool
    float: lambda _, value: value,
    type(None): lambda _, value: value,
    KeySpec: lambda _, value: value.name,
    Struct: _Writing.struct,
    bytes: lambda _, value: f"sha256:{hashlib.sha256(value).hexdigest()}",
    datetime: lambda _, value: value.isoformat(),
    Mapping: _Writing.mapping,
    tuple: lambda writing, value: [writing.of(each) for each in value],
    list: lambda writing, value: [writing.of(each) for each in value],
    frozenset: lambda writing, value: sorted((writing.of(each) for each in value), key=repr),
}


def _summary(members: Mapping[str, Said]) -> tuple[tuple[str, str], ...]:
    """(member, value), as far as there is room."""
    shown: list[tuple[str, str]] = []
    room = MAX_SUMMARY
    for name, value in members.items():
        text = value if isinstance(value, str) else msgspec.json.encode(_hidden(value), order="sorted").decode()
        if len(text) > min(MAX_SHOWN, room):
            digest = hashlib.sha256(text.encode()).hexdigest()
            text = f"{text[: min(MAX_SHOWN, room)]}… ({len(text)} characters, sha256 {digest})"
        room = max(0, room - len(text))
        shown.append((name, text))
    return tuple(shown)


def _hidden(value: Said) -> Said:
    """Without the digests of secrets: nobody is to compare them."""
    if isinstance(value, _Keyed):
        return "(secret)"
    if isinstance(value, dict):
        return {name: _hidden(each) for name, each in value.items()}
    return [_hidden(each) for each in value] if isinstance(value, list) else value
