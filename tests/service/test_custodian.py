"""The custodian and the line to it: shares gathered, tried, forgotten. security.md §4, rows 32 and 94."""

from __future__ import annotations

import hmac
import os
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from tests.fakes import SeededEntropy

from keystead.app import line
from keystead.app.custodian import ACTS, LOOKS, Custodian
from keystead.app.gathering import WRONG_A_MINUTE, Gathering
from keystead.app.hardware import Hardware
from keystead.app.rooting import PAD_LENGTH
from keystead.config import Config
from keystead.core.errors import Conflict, Unauthenticated, Unavailable
from keystead.core.identifiers import letters
from keystead.core.sensitive import Sensitive
from keystead.kit import custody as c
from keystead.kit.custody import No, Why
from keystead.seals import Seals
from keystead.seals.base import Surroundings
from keystead.seals.kept import Kept
from keystead.seals.shamir import ShamirSeal

AT = Surroundings(Path(), Hardware(Config()), os.urandom)


class Keeper:
    """app.trials.Keeper without a server."""

    def __init__(self) -> None:
        self.is_open = False
        self.tokens: list[bytes] = []
        self.change_seal(ShamirSeal.create(2, 3, os.urandom))

    def change_seal(self, created) -> None:
        self.shares, self._unseal_key = list(created.show), created.unseal_key
        self.seal_kept = Seals(Kept((created.configuration,)), AT)

    def open_with(self, unseal_key: Sensitive) -> None:
        if not self.holds(unseal_key):
            raise Unauthenticated("another")
        self.is_open = True

    def close_up(self) -> None:
        self.is_open = False

    def rotate_slot(self) -> None:
        pass

    def holds(self, unseal_key: Sensitive) -> bool:
        return hmac.compare_digest(unseal_key.reveal(), self._unseal_key.reveal())

    def root_key(self) -> c.RootKey:
        return c.RootKey(term=1, since=datetime(2026, 1, 1, tzinfo=UTC), n_commits=1)

    def gauges(self) -> c.Gauges:
        return c.Gauges(gauges=(c.Gauge("keystead.keys", 3.0), c.Gauge("keystead.hsm.up", 0.0, {"hsm": "luna"})))

    def make_root_token(self, text: Sensitive) -> None:
        self.tokens.append(text.reveal())


class Desk:
    def __init__(self) -> None:
        self.keeper, self.now = Keeper(), 0.0
        self.custodian = Custodian(self.keeper, os.urandom, lambda: self.now)

    def ask(self, request):
        if type(request) in LOOKS:
            return self.custodian.look(request)
        return self.custodian.answer(request)

    def refused(self, request) -> Why:
        with pytest.raises(No) as caught:
            self.ask(request)
        return caught.value.why

    def open(self) -> None:
        for share in self.keeper.shares[:2]:
            self.ask(c.Offer(share=share))
        assert self.keeper.is_open and self.custodian.renewed


@pytest.fixture
def desk() -> Desk:
    return Desk()


def foreign(n: int = 2) -> list[Sensitive]:
    return list(ShamirSeal.create(n, n, os.urandom).show)


def test_every_request_is_answered_by_one_table_or_the_other() -> None:
    kinds = set(c.AnyRequest.__args__)
    assert set(LOOKS) | set(ACTS) == kinds and not set(LOOKS) & set(ACTS)


def test_sealed_nothing_is_answered_but_how_it_stands(desk) -> None:
    share = desk.keeper.shares[0]
    for request in (
        c.RotateRoot(),
        c.LookAtRoot(),
        c.LookAtServer(),
        c.BeginRekey(n_shares=3, threshold=2),
        c.LookAtRekey(),
        c.CancelRekey(),
        c.GiveForRekey(share=share, nonce=""),
        c.LookAtVerify(),
        c.CancelVerify(),
        c.GiveForVerify(share=share, nonce=""),
        c.BeginRoot(),
        c.LookAtRootToken(),
        c.CancelRoot(),
        c.GiveForRoot(share=share, nonce=""),
    ):
        assert desk.refused(request) is Why.SEALED
    assert desk.ask(c.Look()).is_sealed and desk.ask(c.SealUp()) == c.Done()


def test_row_94_a_share_is_not_told_from_a_wrong_one_before_all_are_tried(desk) -> None:
    (wrong, _), right = foreign(), desk.keeper.shares[0]
    seen = []
    for share in (wrong, right):
        desk.ask(c.Offer())
        seen.append(msgspec.structs.replace(desk.ask(c.Offer(share=share)), nonce=""))
    assert seen[0] == seen[1] and seen[0].progress == 1
    assert desk.refused(c.Offer(share=wrong)) is Why.WRONG_SHARES
    assert desk.ask(c.Look()).progress == 0 and desk.ask(c.Look()).nonce == ""


@pytest.mark.parametrize("text", [b"", b"ks-share-1-", b"\xff", b"ks-share-1-" + b"a" * 68, b"x" * 513])
def test_what_is_no_share_is_not_gathered(desk, text) -> None:
    assert desk.refused(c.Offer(share=Sensitive(text))) is Why.NOT_A_SHARE
    assert desk.ask(c.Look()).progress == 0


def test_wrong_sets_are_few_in_a_minute_whatever_they_were_given_for(desk) -> None:
    one, two = foreign()
    for _ in range(WRONG_A_MINUTE):
        desk.ask(c.Offer(share=one))
        assert desk.refused(c.Offer(share=two)) is Why.WRONG_SHARES
    assert desk.refused(c.Offer(share=desk.keeper.shares[0])) is Why.TOO_OFTEN
    desk.now = 59.0
    assert desk.refused(c.Offer(share=desk.keeper.shares[0])) is Why.TOO_OFTEN
    desk.now = 61.0
    desk.open()


def test_a_change_of_the_shares(desk) -> None:
    desk.open()
    old = desk.keeper.shares
    for n, threshold in ((0, 0), (3, 1), (2, 3), (33, 2)):
        assert desk.refused(c.BeginRekey(n_shares=n, threshold=threshold)) is Why.BAD_SET
    begun = desk.ask(c.BeginRekey(n_shares=4, threshold=3))
    assert desk.refused(c.BeginRekey(n_shares=4, threshold=3)) is Why.IN_PROGRESS
    assert desk.refused(c.GiveForRekey(share=old[0], nonce="\ud800")) is Why.WRONG_NONCE
    desk.ask(c.GiveForRekey(share=old[0], nonce=begun.nonce))
    assert desk.refused(c.GiveForRekey(share=old[0], nonce=begun.nonce)) is Why.GIVEN_BEFORE
    assert desk.refused(c.GiveForRekey(share=foreign()[0], nonce=begun.nonce)) is Why.WRONG_SHARES
    assert desk.ask(c.LookAtRekey()).progress == 0
    for share in old[:2]:
        came = desk.ask(c.GiveForRekey(share=share, nonce=begun.nonce))
    assert desk.custodian.renewed and len(came.shares) == 4 and desk.keeper.shares == list(came.shares)
    assert desk.refused(c.GiveForRekey(share=old[0], nonce=begun.nonce)) is Why.NOTHING_BEGUN


def test_a_share_given_for_one_thing_counts_for_no_other(desk) -> None:
    desk.open()
    rekey, root = desk.ask(c.BeginRekey(n_shares=3, threshold=2)), desk.ask(c.BeginRoot())
    desk.ask(c.GiveForRekey(share=desk.keeper.shares[0], nonce=rekey.nonce))
    assert desk.ask(c.GiveForRoot(share=desk.keeper.shares[1], nonce=root.nonce)).progress == 1
    assert desk.ask(c.LookAtRekey()).progress == 1 and not desk.keeper.tokens
    assert desk.refused(c.GiveForRoot(share=desk.keeper.shares[0], nonce=rekey.nonce)) is Why.WRONG_NONCE


def test_what_was_begun_ends_with_a_seal(desk) -> None:
    desk.open()
    rekey = desk.ask(c.BeginRekey(n_shares=3, threshold=2))
    desk.ask(c.BeginRoot())
    desk.ask(c.SealUp())
    desk.open()
    assert desk.ask(c.LookAtRekey()).nonce == "" and desk.ask(c.LookAtRootToken()).nonce == ""
    assert desk.refused(c.GiveForRekey(share=desk.keeper.shares[0], nonce=rekey.nonce)) is Why.NOTHING_BEGUN


def test_a_root_token_comes_under_its_pad(desk) -> None:
    desk.open()
    assert desk.refused(c.BeginRoot(pad=Sensitive(b"short"))) is Why.WRONG_LENGTH
    pad = Sensitive(os.urandom(PAD_LENGTH))
    begun = desk.ask(c.BeginRoot(pad=pad))
    assert begun.pad is None and desk.refused(c.BeginRoot()) is Why.IN_PROGRESS
    for share in desk.keeper.shares[1:]:
        came = desk.ask(c.GiveForRoot(share=share, nonce=begun.nonce))
    (token,) = desk.keeper.tokens
    assert bytes(a ^ b for a, b in zip(came.encoded.reveal(), pad.reveal(), strict=True)) == token
    assert token.startswith(b"hvs.") and len(token) == PAD_LENGTH


def test_letters_are_as_likely_as_one_another() -> None:
    assert len(letters(62_000, SeededEntropy(1))) == 62_000
    counts = [letters(62_000, SeededEntropy(2)).count(letter) for letter in "aZ9"]
    assert all(800 < count < 1200 for count in counts)


def test_nothing_is_in_a_repr(desk) -> None:
    share = desk.keeper.shares[0]
    text = share.reveal().decode()
    said = line.Said(answer=c.Rekeyed(nonce="n", shares=(share,)))
    assert not any(
        text[11:] in repr(one) for one in (c.Offer(share=share), said, said.answer, Gathering(1, os.urandom))
    )


def test_why_it_failed_is_for_the_log_alone(desk, caplog) -> None:
    def lost(_unseal_key: Sensitive) -> None:
        raise Conflict("the slot was erased")

    desk.keeper.open_with = lost
    desk.ask(c.Offer(share=desk.keeper.shares[0]))
    with pytest.raises(No) as caught:
        desk.ask(c.Offer(share=desk.keeper.shares[1]))
    assert caught.value.why is Why.FAILED and "slot" not in caught.value.detail
    assert "the slot was erased" in caplog.text


# --- the line


def test_what_is_said_on_the_line_arrives(desk) -> None:
    ours, theirs = line.pair()
    asker = line.Line(theirs)
    share = desk.keeper.shares[0]
    heard: list[object] = []

    def serve() -> None:
        while (request := line.receive(ours)) is not None:
            heard.append(request)
            try:
                line.send(ours, line.Said(answer=desk.ask(request)))
            except No as no:
                line.send(ours, line.Said(why=no.why, detail=no.detail))

    thread = threading.Thread(target=serve)
    thread.start()
    assert asker(c.Offer(share=share)).progress == 1
    assert heard[0].share.reveal() == share.reveal()  # type: ignore[attr-defined]  # an Offer
    with pytest.raises(No) as caught:
        asker(c.Offer(share=Sensitive(b"x")))
    assert caught.value.why is Why.NOT_A_SHARE
    theirs.close()
    thread.join()
    ours.close()


@pytest.mark.parametrize("junk", [b"x", b"\x81\xa4type\xa4Open", b"\xc1" * 1000])
def test_what_is_no_request_ends_the_line(junk) -> None:
    ours, theirs = line.pair()
    theirs.send(junk)
    assert line.receive(ours) is None
    ours.close()
    theirs.close()


def test_an_answer_waits_until_no_more_requests_are_taken() -> None:
    ours, theirs = line.pair()
    asker = line.Line(theirs)
    line.send(ours, line.Said(answer=c.Done(), leave=True))
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(asker(c.SealUp())))
    thread.start()
    thread.join(0.2)
    assert not answers
    asker.left.set()
    thread.join()
    assert answers == [c.Done()]
    with pytest.raises(Unavailable):  # and nothing more is asked by a worker that ends
        asker(c.SealUp())
    ours.close()
    theirs.close()


def test_a_supervisor_that_has_ended_is_said_to_have() -> None:
    ours, theirs = line.pair()
    ours.close()
    with pytest.raises(Unavailable):
        line.Line(theirs)(c.Look())
    theirs.close()
    assert ours.fileno() == -1 and isinstance(theirs, socket.socket)
