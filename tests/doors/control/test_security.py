"""Rows of research/security.md §4 at the control door: who may steer a server, and what of it is on record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from tests import harness

from keystead.core import operations as ops
from keystead.core.actions import USES
from keystead.core.errors import Denied, InvalidArgument, NotApproved, Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.doors.control import ControlFront, CustodyShown, SealShown, SealsShown, ServerStatus
from keystead.doors.control.administration import OPERATIONS
from keystead.doors.control.lifecycle import STEPS

OWNER, OTHERS = "uid:0", ("uid:4711", "uid:00", "uid:-1", "uid:0 ", "", "127.0.0.1", "AKIAIOSFODNN7EXAMPLE")
PASSPHRASE = "canary-correct-horse"
STEERING: dict[str, Any] = {
    "AddSlot": {"name": "tpm"},
    "RemoveSlot": {"name": "tpm"},
    "Unseal": {"offered": [PASSPHRASE]},
    "LogIntoHsm": {"hsm": "soft", "pin": PASSPHRASE},
    "BackUp": {"path": "/nowhere"},
    "AddSeal": {"plan": {"kind": "tpm"}},
    "RemoveSeal": {"kind": "tpm"},
    "RecordProof": {"proof": "ks-proof-1-"},
    "MigrateSeal": {"plan": {"kind": "tpm"}, "replaced": "passphrase"},
}
EVERYTHING = sorted({*STEPS, *(operation.name for operation in OPERATIONS)})


class Server:
    """doors.control.Lifecycle, and its Sealing, that remembers what it was made to do."""

    owner = OWNER

    def __init__(self) -> None:
        self.done: list[str] = []
        self.opens_with = PASSPHRASE

    @property
    def sealing(self) -> Server:
        return self

    def status(self) -> ServerStatus:
        self.done.append("status")
        now = datetime(2026, 11, 25, tzinfo=UTC)
        return ServerStatus(
            sealed=True, seal="passphrase", version="0", workers=1, listen={}, started_at=now, slot_copies={}
        )

    def unseal(self, offered: Sequence[Sensitive]) -> None:
        if [each.reveal().decode() for each in offered] != [self.opens_with]:
            raise Unauthenticated("it does not open")
        self.done.append("unseal")

    def log_into_hsm(self, name: str, pin: Sensitive) -> None:
        if pin.reveal().decode() != self.opens_with:
            raise Unauthenticated(f"the HSM {name} answers C_Login: CKR_PIN_INCORRECT")
        self.done.append(f"log into {name}")

    def seal(self) -> None:
        self.done.append("seal")

    def back_up(self, path: str) -> str:
        self.done.append(path)
        return "generation"

    def rotate_slot(self) -> None:
        self.done.append("rotate")

    def challenge(self) -> str:
        self.done.append("challenge")
        return "ks-challenge-1-"

    def record_proof(self, proof: str) -> None:
        self.done.append(f"record {proof}")

    def custody(self) -> CustodyShown:
        self.done.append("custody")
        return CustodyShown(shares=(), n_needed=0, n_proved=0)

    def seals(self) -> SealsShown:
        self.done.append("seals")
        return SealsShown(seals=(SealShown(kind="passphrase", told="a passphrase", opens_itself=False),))

    def add_seal(self, said: Any) -> None:
        self.done.append(f"add {said['kind']}")

    def remove_seal(self, kind: str) -> None:
        self.done.append(f"remove {kind}")

    def migrate_seal(self, said: Any, replaced: str) -> None:
        self.done.append(f"migrate {replaced} to {said['kind']}")

    def add_slot(self, name: str) -> None:
        self.done.append(f"add {name}")

    def remove_slot(self, name: str, *, lost: bool) -> None:
        self.done.append(f"remove {name}")


class Office:
    def __init__(self) -> None:
        self.stack, self.server = harness.stack(), Server()
        self.front = ControlFront(lambda: self.stack.means, self.server, self.stack.view.may_block)

    def ask(self, name: str, body: Any = None, *, peer: str = OWNER, method: str = "POST") -> harness.Reply:
        message = json.dumps(STEERING.get(name, {}) if body is None else body).encode()
        request = self.stack.request(method, f"https://control/v1/{name}", {b"host": b"keystead"}, message)
        return harness.Reply.of(self.front.serve(replace(request, peer=peer)))


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.mark.parametrize("peer", OTHERS)
@pytest.mark.parametrize("name", EVERYTHING)
def test_row_32_nobody_else_steers_a_server(office, name, peer) -> None:
    """CVE-2026-5807 and its like: endpoints of an operator's that anybody may call."""
    reply = office.ask(name, peer=peer)
    if reply.json["error"] != "Malformed":  # a message that is none does not get as far
        assert (reply.status, reply.json["error"]) == (401, "Unauthenticated")
    assert office.server.done == []
    assert office.stack.record().outcome.startswith("refused: ")


@pytest.mark.parametrize("peer", OTHERS)
def test_row_32_a_sealed_server_is_opened_by_its_owner_alone(office, peer) -> None:
    office.stack.barrier.close()
    assert office.ask("Unseal", peer=peer).status == 401
    assert office.ask("Status", peer=peer).status == 401
    assert office.server.done == []
    assert office.ask("Unseal", {"offered": ["wrong"]}).status == 401
    assert office.ask("Unseal").status == 200
    assert office.server.done == ["unseal", "status"]


@pytest.mark.parametrize("peer", OTHERS)
def test_row_32_a_pin_is_given_by_its_owner_alone_sealed_or_not(office, peer) -> None:
    """The seal may rest on that HSM."""
    office.stack.barrier.close()
    assert office.ask("LogIntoHsm", peer=peer).status == 401
    assert office.ask("LogIntoHsm", {"hsm": "soft", "pin": "wrong"}).status == 401
    assert office.server.done == []
    assert office.ask("LogIntoHsm").status == 200
    assert office.server.done == ["log into soft", "status"]


@pytest.mark.parametrize("name", sorted({*EVERYTHING} - {"Status", "Unseal", "LogIntoHsm"}))
def test_row_32_sealed_it_does_nothing_else_not_for_its_owner_either(office, name) -> None:
    office.stack.barrier.close()
    reply = office.ask(name)
    assert reply.status == 503 or reply.json["error"] == "Malformed"
    assert office.server.done == []


@pytest.mark.parametrize(
    "name", [*EVERYTHING, "Nothing", "../v1/Status", "Status/", "status", "%53tatus", "A\u00ff" * 50]
)
@pytest.mark.parametrize("body", [None, {}, [], {"offered": 7}])
def test_row_75_whatever_is_asked_is_on_record(office, name, body) -> None:
    """Status, seal and unseal too, which others leave out of their logs."""
    before = len(office.stack.records())
    office.ask(name.encode().decode("latin-1"), body)
    assert len(office.stack.records()) > before
    assert office.stack.records()[-1].door == "control"


def test_row_75_failures_and_other_methods_too(office) -> None:
    for act in (
        lambda: office.ask("Unseal", {"offered": ["wrong"]}),
        lambda: office.ask("Status", method="GET"),
        lambda: office.ask("Status", peer="uid:4711"),
    ):
        office.stack.forget_records()
        assert act().status in {401, 404}
        assert office.stack.record().outcome.startswith("refused: ")


@pytest.mark.parametrize("name", ["Status", "Unseal", "LogIntoHsm"])
def test_row_75_what_is_answered_without_an_operation_is_on_record_once_as_it_came_out(office, name) -> None:
    def outcomes(status: int) -> list[str]:
        before = len(office.stack.records())
        assert office.ask(name).status == status
        return [record.outcome for record in office.stack.records()[before:]]

    assert outcomes(200) == ["performed"]
    if name != "Status":
        office.server.opens_with = "another"
        assert outcomes(401) == ["refused: Unauthenticated"]


def test_row_67_what_opens_the_seal_is_in_no_record_and_no_answer(office, caplog) -> None:
    office.server.opens_with = "another"
    replies = [office.ask("Unseal"), office.ask("Unseal", [PASSPHRASE]), office.ask("Unseal", {"offered": PASSPHRASE})]
    replies += [office.ask("LogIntoHsm"), office.ask("LogIntoHsm", {"hsm": PASSPHRASE[:0], "pin": [PASSPHRASE]})]
    assert all(reply.status != 200 for reply in replies)
    lines = b"\n".join(office.stack.journal.lines)
    for place in (lines, caplog.text.encode(), *(reply.body for reply in replies)):
        assert b"canary" not in place


EVERYBODY = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["kms:*","keystead:*"],'
    '"Resource":"*"}]}'
)


@pytest.mark.parametrize("action", sorted(USES))
def test_row_41_the_operator_uses_no_key_whatever_its_policy_says(office, action) -> None:
    """One principal at two doors: what it may manage at one it may not use at any, nor give itself the right to."""
    stack = office.stack
    key = stack.key(policy=EVERYBODY)
    ref = ops.KeyRef(f"aws:{harness.TENANT}:{harness.REGION}", id=key.id)

    class Use(ops.KeyOperation[ops.Nothing], frozen=True, kw_only=True):
        """Any operation with this action: the right is asked before what it is."""

    Use.action = action
    with pytest.raises(Denied):
        stack.by_system(Use(key=ref))
    assert stack.record().outcome == "refused: Denied"


def test_row_41_a_credential_of_one_door_is_none_at_another(office) -> None:
    """An access key opens no control socket, and a user of the machine signs nothing."""
    stack = office.stack
    for peer in (stack.admin.access_key_id, stack.admin.principal.id, "admin"):
        assert office.ask("ListPrincipals", {"tenant": {"tenant": harness.TENANT}, "limit": 1}, peer=peer).status == 401
    forged = harness.Person(stack, stack.admin.principal, "uid:0", b"", None)
    assert forged.call("ListKeys").code == "IncompleteSignatureException"
    held = stack.view.credential("uid:0")
    assert held is not None and held.credential.secret == b""
    forged = harness.Person(stack, stack.admin.principal, "uid0", b"", None)
    assert forged.call("ListKeys").code == "UnrecognizedClientException"


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("shamir", {"threshold": 3, "n_shares": 5}, {"threshold": 1, "n_shares": 1}),
        ("tpm", {"pcrs": [0, 7]}, {"pcrs": []}),
        ("pkcs11", {"hsm": "main"}, {"hsm": "other"}),
        ("external", {"kms": "ours"}, {"kms": "theirs"}),
    ],
)
def test_leave_for_a_seal_is_for_the_one_that_was_said(kind: str, one: dict, other: dict) -> None:
    """And not for another of that kind; but what is drawn anew each time that it is said makes it no other one."""
    drawn = [{"set_id": text, "check": text, "public": text, "provers": [text]} for text in ("AA==", "BB==")]
    for name, rest in (("AddSeal", {}), ("MigrateSeal", {"replaced": "file"})):
        step = STEPS[name]
        made = [
            step.leave(step.request(plan={"kind": kind, **facts, **more}, **rest))
            for facts, more in ((one, drawn[0]), (one, drawn[1]), (other, drawn[0]))
        ]
        assert made[0] == made[1] != made[2]


def test_a_plan_without_end_is_refused_before_anybody_is_asked() -> None:
    step = STEPS["AddSeal"]
    with pytest.raises(InvalidArgument):
        step.leave(step.request(plan={"kind": "tpm", "pcrs": [1] * 10_000}))


def test_who_approves_a_seal_of_shares_signs_that_one_person_sees_them_all() -> None:
    """The shares are drawn after the approval, so nobody can approve who gets which: they have to know that."""
    stack = harness.stack()
    rule = {"actions": ("seal",), "n_approvals": 1, "approvers": (ops.ApproverSaid(who="uid:0"),)}
    stack.by_system(ops.PutApprovalRule(name="seal", **rule))
    step = STEPS["AddSeal"]
    with pytest.raises(NotApproved) as asked:
        stack.by_system(step.leave(step.request(plan={"kind": "shamir", "threshold": 2, "n_shares": 3})))
    signed = stack.by_system(ops.ShowApproval(id=asked.value.detail.request)).to_sign
    assert b"is shown every share, and could open it alone" in signed
    assert step.leave(step.request(plan={"kind": "tpm", "pcrs": [7]})).known_to == ""
