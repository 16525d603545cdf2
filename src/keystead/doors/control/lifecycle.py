"""What steers the server itself: status, unseal, seal, backup, the slot.

Status and Unseal work while sealed, when nobody's credential can be read: they are for the user whose server it is.
Everything else is an operation of the core first, authorized and on record, and an act of the server second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
from msgspec import Struct, field

from keystead.core import operations as ops
from keystead.core.errors import InvalidArgument
from keystead.core.sensitive import Sensitive
from keystead.kit import Message


class SlotStatus(Message, frozen=True, kw_only=True):
    name: str
    generation: str  # the one that the root of the key tree is under
    n_unerased: int | None  # old ones to be erased; None: it cannot be looked at
    trouble: str = ""
    is_short: bool = False  # it keeps no room for the next destruction


class ServerStatus(Message, frozen=True, kw_only=True):
    sealed: bool
    seal: str  # its kind; of two, both
    seal_trouble: str = ""  # why a seal that opens by itself does not, or would not now
    custody_alarm: str = ""  # why too few shares are known to exist
    version: str
    workers: int
    listen: dict[str, str]
    started_at: datetime
    slot_copies: dict[str, bool]  # directory -> whether it holds what it should
    slots: tuple[SlotStatus, ...] = ()
    n_places: int = 0  # that are not lost together: of the slots above, two directories on one disk are one
    slots_at_least: int = 1  # how many places the configuration asks for
    slots_way_out: str = ""  # where there are fewer: what makes one more
    slot_mode: str | None = None  # None while sealed (core.entities.Mode)
    recovery_since: datetime | None = None  # the oldest recovery key of today, in mode "window"
    recovery_for: int = 0  # days after which the configuration asks for another
    awaited: tuple[str, ...] = ()  # what people are to report erased: until then what they open is not irrecoverable
    n_unerased: int | None = None  # old slot generations: until 0, what was destroyed is not yet irrecoverable
    n_in_hsms: int | None = None  # objects still to be erased in HSMs; until 0, the same of what was held there
    n_given_up: int | None = None  # objects in HSMs that were to be erased, and are not: given up by somebody's word
    hsms: dict[str, str] = field(default_factory=dict)  # of the configuration -> why it does not answer, or ""
    pins_refused: tuple[str, ...] = ()  # of these HSMs
    journal_trouble: str = ""
    journals_damaged: tuple[str, ...] = ()  # of which not all is in the log (service.journals, Rules 2 and 5)
    clock_trouble: str = ""  # why no appointment is kept (service.trusted_time)
    entropy: dict[str, str] = field(default_factory=dict)  # source beside the kernel -> what is wrong with it, or ""
    entropy_required: bool = False
    n_keys: int | None = None  # None while sealed
    epoch: int | None = None
    n_audit_records: int | None = None


class SealShown(Struct, frozen=True, kw_only=True):
    """One of the seals. `told`: what it rests on, for people; `is_older`: of a form with one unseal key for ever."""

    kind: str
    told: str
    opens_itself: bool
    is_older: bool = False


class SealsShown(Message, frozen=True, kw_only=True):
    seals: tuple[SealShown, ...]
    warning: str = ""


class ShareShown(Struct, frozen=True, kw_only=True):
    share: int
    proved_at: datetime | None
    is_fresh: bool


class CustodyShown(Message, frozen=True, kw_only=True):
    """Which shares were proved. `alarm`: why that is too little; "" where it is enough."""

    shares: tuple[ShareShown, ...]
    n_needed: int
    n_proved: int
    alarm: str = ""


class Challenge(Message, frozen=True):
    challenge: str


class Sealing(Protocol):
    """What opens the installation, as this door sees it: seals and slots."""

    def unseal(self, offered: Sequence[Sensitive]) -> None:
        """Raises Unauthenticated, Conflict."""
        ...

    def seal(self) -> None: ...

    def seals(self) -> SealsShown: ...

    def add_seal(self, said: Mapping[str, object]) -> None:
        """`said`: its plan (keystead.seals). Raises InvalidArgument, AlreadyExists, Conflict, Sealed, Unavailable."""
        ...

    def remove_seal(self, kind: str) -> None: ...

    def migrate_seal(self, said: Mapping[str, object], replaced: str) -> None: ...

    def rotate_slot(self) -> None: ...

    def add_slot(self, name: str) -> None:
        """Raises AlreadyExists, Unavailable."""
        ...

    def remove_slot(self, name: str, *, lost: bool) -> None:
        """`lost`: it need not be reached. Raises NotFound, Conflict (too few would be left), Unavailable."""
        ...

    def challenge(self) -> str:
        """To the custodians. Raises Conflict where there are no shares that can be proved."""
        ...

    def record_proof(self, proof: str) -> None:
        """Raises InvalidArgument, Unauthenticated, Conflict."""
        ...

    def custody(self) -> CustodyShown:
        """Raises Conflict where there are no shares."""
        ...


class Lifecycle(Protocol):
    """The supervisor, as this door sees it."""

    owner: str  # "uid:1000"

    @property
    def sealing(self) -> Sealing: ...

    def status(self) -> ServerStatus: ...

    def log_into_hsm(self, name: str, pin: Sensitive) -> None:
        """Raises NotFound, Unauthenticated where the HSM refuses the PIN, Unavailable."""
        ...

    def back_up(self, path: str) -> str:
        """Write a new file; the slot generation that it opens with."""
        ...


class StatusRequest(Message, frozen=True, forbid_unknown_fields=True):
    pass


class UnsealRequest(Message, frozen=True, forbid_unknown_fields=True):
    offered: list[str]  # a passphrase, or shares


class LogIntoHsmRequest(Message, frozen=True, forbid_unknown_fields=True):
    hsm: str
    pin: str


class SealRequest(Message, frozen=True, forbid_unknown_fields=True):
    pass


class RotateSlotRequest(Message, frozen=True, forbid_unknown_fields=True):
    pass


class SealsRequest(Message, frozen=True, forbid_unknown_fields=True):
    pass


class AddSealRequest(Message, frozen=True, forbid_unknown_fields=True):
    plan: dict[str, Any]  # of the seal; nothing in it is secret


class RemoveSealRequest(Message, frozen=True, forbid_unknown_fields=True):
    kind: str


class MigrateSealRequest(Message, frozen=True, forbid_unknown_fields=True):
    plan: dict[str, Any]
    replaced: str  # the kind of the seal in whose place it comes


class AddSlotRequest(Message, frozen=True, forbid_unknown_fields=True):
    name: str


class RemoveSlotRequest(Message, frozen=True, forbid_unknown_fields=True):
    name: str
    lost: bool = False


class ChallengeRequest(Message, frozen=True, forbid_unknown_fields=True):
    pass


class RecordProofRequest(Message, frozen=True, forbid_unknown_fields=True):
    proof: str


class CustodyRequest(Message, frozen=True, forbid_unknown_fields=True):
    pass


class BackUpRequest(Message, frozen=True, forbid_unknown_fields=True):
    path: str


class BackedUp(Message, frozen=True):
    generation: str  # of the slot


def status(_req: StatusRequest, server: Lifecycle) -> ServerStatus:
    return server.status()


def unseal(req: UnsealRequest, server: Lifecycle) -> ServerStatus:
    server.sealing.unseal([Sensitive(text.encode()) for text in req.offered])
    return server.status()


def log_into_hsm(req: LogIntoHsmRequest, server: Lifecycle) -> ServerStatus:
    server.log_into_hsm(req.hsm, Sensitive(req.pin.encode()))
    return server.status()


def seal(_req: SealRequest, server: Lifecycle) -> ServerStatus:
    server.sealing.seal()
    return server.status()


def rotate_slot(_req: RotateSlotRequest, server: Lifecycle) -> ServerStatus:
    server.sealing.rotate_slot()
    return server.status()


def add_slot(req: AddSlotRequest, server: Lifecycle) -> ServerStatus:
    server.sealing.add_slot(req.name)
    return server.status()


def remove_slot(req: RemoveSlotRequest, server: Lifecycle) -> ServerStatus:
    server.sealing.remove_slot(req.name, lost=req.lost)
    return server.status()


def back_up(req: BackUpRequest, server: Lifecycle) -> BackedUp:
    return BackedUp(server.back_up(req.path))


def seals(_req: SealsRequest, server: Lifecycle) -> SealsShown:
    return server.sealing.seals()


def add_seal(req: AddSealRequest, server: Lifecycle) -> SealsShown:
    server.sealing.add_seal(req.plan)
    return server.sealing.seals()


def remove_seal(req: RemoveSealRequest, server: Lifecycle) -> SealsShown:
    server.sealing.remove_seal(req.kind)
    return server.sealing.seals()


def migrate_seal(req: MigrateSealRequest, server: Lifecycle) -> SealsShown:
    server.sealing.migrate_seal(req.plan, req.replaced)
    return server.sealing.seals()


def challenge(_req: ChallengeRequest, server: Lifecycle) -> Challenge:
    return Challenge(server.sealing.challenge())


def record_proof(req: RecordProofRequest, server: Lifecycle) -> CustodyShown:
    server.sealing.record_proof(req.proof)
    return server.sealing.custody()


def custody(_req: CustodyRequest, server: Lifecycle) -> CustodyShown:
    return server.sealing.custody()


class Step(Struct, frozen=True):
    """`leave` makes the operation that must be allowed first; None: whoever owns the server may, sealed or not."""

    request: type[Any]
    leave: Callable[[Any], ops.SystemOperation[Any]] | None
    run: Callable[[Any, Lifecycle], Message]


def plain(kind: type[ops.SystemOperation[Any]]) -> Callable[[Any], ops.SystemOperation[Any]]:
    """Leave that says no more than what it is for."""
    return lambda _req: kind()


def _kind(plan: dict[str, Any]) -> str:
    return str(plan.get("kind", ""))[:64]


DRAWN = frozenset({"kind", "set_id", "check", "public", "provers", "salt", "box", "wrapped"})
"""Of a plan: its kind, and what is drawn anew each time that one is made."""
MOST_PLAN = 4096  # characters


def _plan(plan: dict[str, Any]) -> str:
    """What is approved of it: how many shares, which registers, which HSM, which service. Raises InvalidArgument."""
    text = msgspec.json.encode({name: plan[name] for name in plan if name not in DRAWN}, order="deterministic").decode()
    if len(text) > MOST_PLAN:
        raise InvalidArgument(f"the plan of a seal has at most {MOST_PLAN} characters", "plan")
    return text


KNOWN_TO: Mapping[str, str] = {
    "shamir": "whoever runs this is shown every share, and could open it alone: be there when they are handed out",
    "passphrase": "whoever runs this chooses the passphrase",
}
"""Kind of a seal -> what those should know who approve it; what opens any other kind is known to nobody."""


def _leave(plan: dict[str, Any]) -> dict[str, Any]:
    """What is asked leave for, and is in what approvers sign."""
    kind = _kind(plan)
    return {"seal": kind, "plan": _plan(plan), "known_to": KNOWN_TO.get(kind, "")}


STEPS: dict[str, Step] = {
    "Status": Step(StatusRequest, None, status),
    "Unseal": Step(UnsealRequest, None, unseal),
    "LogIntoHsm": Step(LogIntoHsmRequest, None, log_into_hsm),
    "Seal": Step(SealRequest, plain(ops.SealUp), seal),
    "RotateSlot": Step(RotateSlotRequest, plain(ops.RotateSlot), rotate_slot),
    "AddSlot": Step(AddSlotRequest, lambda req: ops.AddSlot(slot=req.name[:256]), add_slot),
    "RemoveSlot": Step(RemoveSlotRequest, lambda req: ops.RemoveSlot(slot=req.name[:256], lost=req.lost), remove_slot),
    "BackUp": Step(BackUpRequest, lambda req: ops.BackUp(path=req.path[:4096]), back_up),
    "ListSeals": Step(SealsRequest, plain(ops.ReadStatus), seals),
    "AddSeal": Step(AddSealRequest, lambda req: ops.AddSeal(**_leave(req.plan)), add_seal),
    "RemoveSeal": Step(RemoveSealRequest, lambda req: ops.RemoveSeal(seal=req.kind), remove_seal),
    "MigrateSeal": Step(
        MigrateSealRequest,
        lambda req: ops.MigrateSeal(replaced=req.replaced, **_leave(req.plan)),
        migrate_seal,
    ),
    "Challenge": Step(ChallengeRequest, plain(ops.ReadStatus), challenge),
    "RecordProof": Step(RecordProofRequest, plain(ops.RecordShareProof), record_proof),
    "Custody": Step(CustodyRequest, plain(ops.ReadStatus), custody),
}
