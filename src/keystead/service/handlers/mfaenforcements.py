"""Of which logins a second factor is asked. Vault HTTP API, "Login enforcement"; OpenBao, identity/mfa.go."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import MfaEnforcement, MfaRules
from keystead.core.errors import InvalidArgument, LimitExceeded, NotFound
from keystead.core.identifiers import new_id
from keystead.core.operations import Nothing
from keystead.service.handlers.mounts import table_of
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

MOST_ENFORCEMENTS, MOST_NAMED = 64, 256  # of a tenant; ids in one of them
NAMED_BY = ("accessors", "engines", "groups", "entities")


def write_enforcement(op: ops.WriteMfaEnforcement, targets: tuple[HeldTenant], act: Act) -> Outcome[MfaEnforcement]:
    """Puts the roll of each method of above: whoever takes that away begins again, and finds this."""
    (tenant,) = targets
    rules = tenant.mfa_rules()
    before = rules.enforcement(op.name) or MfaEnforcement(id=new_id(act.entropy), name=op.name, methods=())
    if op.methods is None:
        raise InvalidArgument("missing method ids", "methods")
    of = [_of(tenant, id_) for id_ in op.methods]
    given = {name: getattr(op, name) for name in NAMED_BY if getattr(op, name) is not None}
    _check_named(tenant, given)
    if not given:
        words = "One of auth_method_accessors, auth_method_types, identity_group_ids, identity_entity_ids must be"
        raise InvalidArgument(f"{words} specified", "named")
    written = replace(before, methods=op.methods, **given)
    if sum(len(getattr(written, name)) for name in ("methods", *NAMED_BY)) > MOST_NAMED:
        raise LimitExceeded(f"an enforcement names {MOST_NAMED} things at most", "mfa_enforcements")
    others = tuple(one for one in rules.enforcements if one.name != op.name)
    if len(others) >= MOST_ENFORCEMENTS:
        raise LimitExceeded(f"a namespace has {MOST_ENFORCEMENTS} enforcements at most", "mfa_enforcements")
    above = {one.id: one for one in of if one.id != rules.id}
    put = (replace(rules, enforcements=(*others, written)), *map(tenant.mfa_roll, above))
    return Outcome(answer=written, put=put, seen=tuple(above.values()), made=written.id)


def _of(tenant: HeldTenant, method: str) -> MfaRules:
    """Where that method is. Raises InvalidArgument."""
    for rules in tenant.mfa_rules_above():
        if rules.method(method) is not None:
            return rules
    raise InvalidArgument("one of the provided method ids doesn't exist", "methods")


def _check_named(tenant: HeldTenant, given: dict[str, tuple[str, ...]]) -> None:
    """Raises InvalidArgument for what is not there."""
    logins = [one for one in table_of(tenant).mounts if one.id.startswith("vault-auth:")]
    there: dict[str, tuple[Callable[[str], object], str]] = {
        "accessors": (
            {one.accessor for one in logins}.__contains__,
            "one of the auth method accessors provided is invalid",
        ),
        "engines": ({one.engine for one in logins}.__contains__, "one of the auth method types provided is invalid"),
        "groups": (tenant.group, "one of the provided group ids doesn't exist"),
        "entities": (tenant.entity, "one of the provided entity ids doesn't exist"),
    }
    for name, ids in given.items():
        is_there, words = there[name]
        if not all(map(is_there, _some(ids))):
            raise InvalidArgument(words, name)


def _some(ids: Iterable[str]) -> tuple[str, ...]:
    """Raises LimitExceeded before each is looked for."""
    found = tuple(ids)
    if len(found) > MOST_NAMED:
        raise LimitExceeded(f"an enforcement names {MOST_NAMED} things at most", "mfa_enforcements")
    return found


def read_enforcement(op: ops.ReadMfaEnforcement, targets: tuple[HeldTenant], _act: Act) -> Outcome[MfaEnforcement]:
    if (found := targets[0].mfa_rules().enforcement(op.name)) is None:
        raise NotFound("no such enforcement", "name")
    return Outcome(answer=found)


def list_enforcements(
    _op: ops.ListMfaEnforcements, targets: tuple[HeldTenant], _act: Act
) -> Outcome[tuple[MfaEnforcement, ...]]:
    return Outcome(answer=targets[0].mfa_rules().enforcements)


def delete_enforcement(op: ops.DeleteMfaEnforcement, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    rules = targets[0].mfa_rules()
    if (found := rules.enforcement(op.name)) is None:
        return Outcome(answer=Nothing())
    left = replace(rules, enforcements=tuple(one for one in rules.enforcements if one.name != op.name))
    return Outcome(answer=Nothing(), put=(left,), made=found.id)


HANDLERS: dict[type, Handler] = {
    ops.WriteMfaEnforcement: write_enforcement,
    ops.ReadMfaEnforcement: read_enforcement,
    ops.ListMfaEnforcements: list_enforcements,
    ops.DeleteMfaEnforcement: delete_enforcement,
}
