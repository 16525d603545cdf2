"""A row that is damaged keeps no appointment of anybody else's waiting: what is due is done of all that verify."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace
from tests import vaultstack
from tests.doors.aws_kms.managing import scheduled
from tests.fakes import MemoryToken, SeededEntropy
from tests.harness import stack
from tests.service.restored import Office
from tests.service.test_damaged_destroyed import forget, spoil
from tests.service.test_quorum import Office as Quorum

from keystead.core import operations as ops
from keystead.core.entities import ApprovalRequest, Erasure, Key, Kind, Namespace, Token
from keystead.core.states import KeyState
from keystead.service.endings import Endings
from keystead.service.erasures import Erasures
from keystead.service.expiry import Expiry
from keystead.service.hsmnotes import MemoryNotes
from keystead.service.hsms import Hsms
from keystead.service.lapses import Lapses
from keystead.service.traces import is_traced
from keystead.service.tracing import PAGE, Tracing

HOUR = timedelta(hours=1)


class Doomed:
    """Three keys that are to be destroyed within a week, in the order of their ids."""

    def __init__(self) -> None:
        self.office = Office()
        self.site = self.office.stack
        self.ids = sorted(self.site.key().id for _ in range(3))
        for id_ in self.ids:
            self.office.ask("ScheduleKeyDeletion", KeyId=id_, PendingWindowInDays=7)

    def states(self, *ids: str) -> set[KeyState]:
        return {self.site.barrier.get(Key, id_).lifecycle.state for id_ in ids}


def test_a_damaged_key_keeps_no_other_from_being_destroyed() -> None:
    doomed = Doomed()
    before, damaged, after = doomed.ids
    past = doomed.office.keep()
    spoil(doomed.site, damaged, kind=Kind.KEY)
    clockwork = scheduled(doomed.site)
    clockwork.step()
    doomed.site.clock.forward(timedelta(days=7))
    assert clockwork.step() == 2 and doomed.states(before, after) == {KeyState.DESTROYED}
    past.restore()
    clockwork.step()
    assert doomed.states(damaged) == {KeyState.DESTROYED}, "its turn comes when it is put back"


def test_nor_one_that_is_damaged_while_the_server_runs() -> None:
    doomed = Doomed()
    before, damaged, after = doomed.ids
    clockwork = scheduled(doomed.site)
    clockwork.step()
    doomed.office.ask("CancelKeyDeletion", KeyId=damaged)
    spoil(doomed.site, damaged, kind=Kind.KEY)
    doomed.site.clock.forward(timedelta(days=7))
    assert clockwork.step() == 2 and doomed.states(before, after) == {KeyState.DESTROYED}


def test_the_others_are_traced(monkeypatch) -> None:
    for page in (PAGE, 2, 1):
        monkeypatch.setattr("keystead.service.tracing.PAGE", page)
        doomed = Doomed()
        forget(doomed.site)
        before, damaged, after = doomed.ids
        spoil(doomed.site, damaged, kind=Kind.KEY)
        chore = Tracing(doomed.site.barrier, doomed.site.by_system)
        for _ in range(12):
            chore.step()
        assert all(is_traced(doomed.site.barrier.get(Key, id_)) for id_ in (before, after)), page


def test_other_tokens_end() -> None:
    vault = vaultstack.door()
    site = vault.stack
    site.view.loop_thread = None
    vault.root.policy("app", 'path "x" { capabilities = ["read"] }')
    tokens = [vault.root.token(policies=["app"], ttl="1h") for _ in range(3)]
    every = sorted(one.id for one in site.barrier.every(Token) if one.expires_at is not None)
    spoil(site, every[1], kind=Kind.TOKEN)
    due = Expiry(site.barrier, site.store, site.clock, site.by_system)
    due.step()
    site.clock.forward(HOUR)
    assert due.step() == 2 and len(tokens) == 3
    assert site.barrier.get(Token, every[0]) is site.barrier.get(Token, every[2]) is None


def test_other_requests_for_approval_lapse() -> None:
    office = Quorum(waits_for=3600)
    site = office.stack
    for days in (7, 8, 9):
        office.asked(days=days)
    every = [one.id for one in site.barrier.every(ApprovalRequest)]
    spoil(site, every[1], kind=Kind.APPROVAL_REQUEST)
    site.clock.forward(HOUR)
    assert Lapses(site.barrier, site.clock, site.by_system).step() == 2


def test_other_namespaces_end() -> None:
    vault = vaultstack.door()
    site = vault.stack
    for name in ("a", "b", "c"):
        vault.root.data("POST", f"sys/namespaces/{name}")
    ending = [replace(one, ends=True) for one in site.barrier.every(Namespace)]
    site.put(*ending)  # as the commit does that ends one that has much in it
    every = [one.id for one in ending]
    spoil(site, every[1], kind=Kind.NAMESPACE)
    site.view.loop_thread = 0
    endings = Endings(site.barrier, site.store, site.by_system)
    for _ in range(12):
        endings.step()
    assert [site.barrier.get(Namespace, every[n]) for n in (0, 2)] == [None, None]


def test_other_objects_are_erased_in_their_hsm() -> None:
    token = MemoryToken(SeededEntropy(7))
    hsms = Hsms({"safe": token}, MemoryNotes(), new_keys_in="safe")
    site = stack(hsms=hsms)
    hsms.passed = site.clock.monotonic
    now = site.clock.now()
    owed = [Erasure(id=f"{n:032x}", hsm="safe", key_id="k", number=n, since=now) for n in (1, 2, 3)]
    site.put(*owed)
    spoil(site, owed[1].id, kind=Kind.ERASURE)
    assert Erasures(site.barrier, site.store, hsms, site.clock, site.by_system).step() == 2
    assert [site.barrier.revision(Kind.ERASURE, one.id) for one in owed] == [0, 1, 0]


def test_others_are_given_up_and_taken_up() -> None:
    site = stack()
    owed = [Erasure(id=f"{n:032x}", hsm="lost", key_id="k", number=n, since=site.clock.now()) for n in (1, 2, 3)]
    site.put(*owed)
    spoil(site, owed[1].id, kind=Kind.ERASURE)
    assert site.by_system(ops.GiveUpObjects(hsm="lost")) == ops.GaveUp(n_given_up=2, n_erased=0, more=False)
    spoil(site, owed[0].id, kind=Kind.GIVEN_UP)
    assert site.by_system(ops.TakeUpObjects(hsm="lost")) == ops.TookUp(n_taken_up=1, more=False)
