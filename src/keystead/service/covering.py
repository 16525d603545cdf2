"""Which rules an act waits for, and what is asked of others then (service.quorum)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Any

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.approvals import RULABLE, actions_of
from keystead.core.caller import Caller
from keystead.core.entities import INSTALLATION, ApprovalRequest, ApprovalRule, ApprovalRules
from keystead.core.operations import (
    DeleteApprovalRule,
    Demand,
    DisableMount,
    ListKeyrings,
    LocateKey,
    Operation,
    PutApprovalRule,
    RecordShareProof,
    SealUp,
)
from keystead.service.amounts import amounts_to, reaches
from keystead.service.canonical import Canonical
from keystead.service.guards import is_guarded
from keystead.service.held import Held, HeldKey, HeldKeyring, HeldKeyStore, HeldReplica, HeldSecret, HeldTenant

OF_THE_SERVER = frozenset({Action.ROTATE_ROOT_KEY})
"""What is asked for in a tenant, and done to the installation: rules of either hold it."""
CHANGES_RULES = (PutApprovalRule, DeleteApprovalRule)

_covered = lru_cache(maxsize=1024)(actions_of)


class Covering(Struct, frozen=True):
    """A rule that covers an act."""

    scope: str
    rule: ApprovalRule

    @property
    def said(self) -> tuple[str, str, int]:
        return self.scope, self.rule.name, self.rule.number


class Asking(Struct, frozen=True):
    """One act that a rule covers."""

    caller: Caller
    op: Operation[Any]
    demands: tuple[Demand, ...]
    found: tuple[Held | None, ...]
    allowed_by: str
    covering: tuple[Covering, ...]
    act: Canonical
    asked_by: str

    def request(self, id_: str, persons: frozenset[str]) -> ApprovalRequest:
        rules, now = [one.rule for one in self.covering], self.caller.now
        return ApprovalRequest(
            id=id_,
            scope=self.covering[0].scope,
            digest=self.act.digest,
            asked_by=self.asked_by,
            asked_name=self.caller.principal.name or self.asked_by,
            persons=tuple(sorted(persons)),
            operation=type(self.op).__name__,
            actions=tuple(dict.fromkeys(demand.action.value for demand in self.demands)),
            targets=self.act.targets,
            summary=self.act.summary,
            rules=tuple(one.said for one in self.covering),
            door=self.caller.door,
            asked_at=now,
            ends_at=now + timedelta(seconds=min(rule.waits_for for rule in rules)),
            good_for=min(rule.good_for for rule in rules),
        )


WAITS_FOR_NOBODY = (SealUp, RecordShareProof, ListKeyrings, LocateKey)
"""Operations of actions that can be ruled, and that change nothing that a rule is for: to seal the server closes it, a
proof proves itself, and every command looks where a tenant and its keys are."""


def is_rulable(kind: type[Operation[Any]]) -> bool:
    """Whether any rule can cover operations of that kind."""
    return kind.action in RULABLE and kind not in WAITS_FOR_NOBODY


def scope_of(held: Held | None) -> str:
    """Whose rules hold what is done to it: its tenant's, or the installation's."""
    return (held.tenant if held is not None else "") or INSTALLATION


def covering_of(
    rows: dict[str, ApprovalRules],
    op: Operation[Any],
    demands: tuple[Demand, ...],
    found: tuple[Held | None, ...],
    ends: Collection[str],
) -> Iterator[Covering]:
    """The rules that cover an act, each once; of a tenant that ends all of them, for they go with it."""
    touched = op.name if isinstance(op, CHANGES_RULES) else None
    if not any(row.rules for row in rows.values()):
        return
    done = [(d.action, held) for d, held in zip(demands, found, strict=True)]
    done += [(action, found[0]) for action in amounts_to(op, found[0])]
    for scope, row in rows.items():
        here = [(action, held) for action, held in done if _is_of(scope, action, held)]
        for rule in row.rules:
            if scope in ends:
                yield Covering(scope, rule)
                continue
            covers = rule.name == touched or any(_covers(rule, op, action, held) for action, held in here)
            covers = covers or any(_takes_away(rule, op, held) for _, held in here)
            if covers or (here and is_guarded(rule, op, found[0])):
                yield Covering(scope, rule)


def _is_of(scope: str, action: Action, held: Held | None) -> bool:
    return scope_of(held) == scope or (scope == INSTALLATION and action in OF_THE_SERVER)


def _covers(rule: ApprovalRule, op: Operation[Any], action: Action, held: Held | None) -> bool:
    if action not in _covered(rule.actions):
        return False
    if not rule.keys and not rule.keyrings:
        return True
    places = (_place(held), *((other.key.id, other.key.keyring) for other in reaches(op, held)))
    return any(key in rule.keys or ring in rule.keyrings for key, ring in places)


def _takes_away(rule: ApprovalRule, op: Operation[Any], held: Held | None) -> bool:
    """Whether a keyring goes with the act that the rule is of, or of a key in."""
    if not isinstance(op, DisableMount) or not isinstance(held, HeldTenant) or op.action not in _covered(rule.actions):
        return False
    mount = held.mount_at(op.path)
    ring = mount.keyring if mount is not None else ""
    keys = (held.key_of_id(id_) for id_ in rule.keys)
    return bool(ring) and (ring in rule.keyrings or any(key.keyring == ring for key in keys if key is not None))


def _place(held: Held | None) -> tuple[str, str]:
    """(key, keyring); "" of what is neither of a key nor in a keyring."""
    if isinstance(held, HeldKey):
        return held.id, held.keyring.id
    if isinstance(held, HeldReplica):
        return held.like.id, held.like.keyring.id
    if isinstance(held, HeldKeyring):
        return "", held.id
    if isinstance(held, HeldKeyStore):
        return "", held.keyring.id
    return ("", held.ring.id) if isinstance(held, HeldSecret) else ("", "")
