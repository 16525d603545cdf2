"""From an act to its audit record: which targets, which version, bound to which context.

The context of an encryption goes in as a keyed digest: whoever reads the log sees that two uses had the same context,
and nothing of what it says.
"""

from __future__ import annotations

from hashlib import blake2s
from typing import Any

from msgspec.structs import replace

from keystead.core.actions import ACTIONS, Scope
from keystead.core.audit.record import Record, Target, Who
from keystead.core.audit.record import Recorder as Encoder
from keystead.core.caller import Caller, Stranger
from keystead.core.envelope import typed_aad
from keystead.core.errors import InvalidArgument
from keystead.core.operations import Demand, Operation
from keystead.core.sensitive import Sensitive
from keystead.service.held import Held, HeldKey
from keystead.service.pipeline import Outcome

CONTEXT_BYTES = 16
MAX_TARGETS = 4096
NOTHING: tuple[tuple[int, ...], None, str] = ((), None, "")


class Recording:
    """Makes records for service.pipeline. `digest_under` gives it the key for contexts once the barrier is open."""

    def __init__(self) -> None:
        self._encode = Encoder().encode
        self._digest: blake2s | None = None
        self._targets: dict[tuple[str, str, int], tuple[Target, ...]] = {}

    def digest_under(self, key: Sensitive | None) -> None:
        """RFC 7693 keyed BLAKE2s: a PRF at half the cost of HMAC-SHA-256 for a text of this length."""
        self._digest = None if key is None else blake2s(key=key.reveal(), digest_size=CONTEXT_BYTES)

    def __call__(
        self,
        caller: Caller,
        op: Operation[Any],
        demands: tuple[Demand, ...],
        found: tuple[Held | None, ...],
        rule: str,
        outcome: str,
        done: Outcome[Any] | None = None,
        why: str = "",
    ) -> bytes:
        context = op.context()
        if done is None:
            versions, bound, made = NOTHING
        else:
            versions, bound, made, why = done.versions, done.bound, done.made, done.why
        if len(demands) == 1:
            targets = self._one(demands[0], found, versions, once=op.changes)
        else:
            targets = _each(demands, found, versions)
            if op.changes:
                targets = _placed(targets, demands, found, caller.namespace)
        return self._encode(
            caller,
            targets,
            context=self._digest_of(context, bound) if context else b"",
            made=made,
            rule=rule,
            outcome=outcome,
            why=why,
            once=op.changes,
        )

    def at_the_door(self, who: Caller | Stranger, outcome: str, why: str = "") -> bytes:
        """The record of a request that became no operation."""
        if isinstance(who, Caller):
            return self._encode(who, (), outcome=outcome, why=why)
        return Record(
            at=who.now,
            request_id=who.request_id,
            who=Who(via=who.claims),
            source=who.source,
            door=who.door,
            operation=who.wire_operation,
            outcome=outcome,
            why=why,
        ).encode()

    def _one(
        self, demand: Demand, found: tuple[Held | None, ...], versions: tuple[int, ...], *, once: bool
    ) -> tuple[Target, ...]:
        held = found[0] if found else None
        facts = (demand.action, held.id if held is not None else "", versions[0] if versions else 0)
        targets = self._targets.get(facts)
        if targets is None:
            targets = (Target(*facts, tenant=_owner(held)),)
            if not once:
                if len(self._targets) >= MAX_TARGETS:
                    self._targets.clear()
                self._targets[facts] = targets
        return targets

    def _digest_of(self, context: Any, bound: bytes | None) -> bytes:
        if self._digest is None:
            return b""
        digest = self._digest.copy()
        try:
            digest.update(bound or typed_aad(context))
        except InvalidArgument:  # not Unicode text: the act itself was refused for it
            return b""
        return digest.digest()


def _each(demands: tuple[Demand, ...], found: tuple[Held | None, ...], versions: tuple[int, ...]) -> tuple[Target, ...]:
    """Every demand with what was found for it; a request refused early has found less."""
    held = [*found, *[None] * (len(demands) - len(found))]
    number = [*versions, *[0] * (len(demands) - len(versions))]
    return tuple(
        Target(str(demand.action), one.id if one is not None else "", n, _owner(one))
        for demand, one, n in zip(demands, held, number, strict=True)
    )


def _placed(
    targets: tuple[Target, ...], demands: tuple[Demand, ...], found: tuple[Held | None, ...], here: str
) -> tuple[Target, ...]:
    """The same of a change at `here`, which may be one elsewhere too; where a key is to be, there is none yet."""
    held = [*found, *[None] * (len(demands) - len(found))]
    return tuple(
        replace(target, key=_id(demand, one), at=_elsewhere(demand, here))
        for target, demand, one in zip(targets, demands, held, strict=True)
    )


def _elsewhere(demand: Demand, here: str) -> str:
    """The address of what is at another place (region, prefix) than `here`."""
    at: str = getattr(demand.target, "namespace", "")
    return at if at and at.rpartition(":")[2] != here.rpartition(":")[2] else ""


def _id(demand: Demand, held: Held | None) -> str:
    """Of a key, for what is done to keys."""
    if held is None or (not isinstance(held, HeldKey) and ACTIONS[demand.action].scope is Scope.KEY):
        return ""
    return held.id


def _owner(held: Held | None) -> str:
    return held.tenant if isinstance(held, HeldKey) else ""
