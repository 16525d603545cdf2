"""Limits of a key's use: what counts, what does not, and who may change them (docs/adr/0038)."""

from __future__ import annotations

import contextlib
import inspect
import threading
from datetime import timedelta

import pytest
from tests import harness
from tests.fakes import FaultyStore, MemoryPage
from tests.memorystore import MemoryStore

from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS, MessageForm, Purpose, Word
from keystead.core.entities import Namespace, Terms, Usage
from keystead.core.errors import (
    DecryptionFailed,
    DryRun,
    Internal,
    InvalidArgument,
    Unavailable,
    Unsupported,
    WrongState,
)
from keystead.core.limits import ENDLESS, Allowance, Limit, Limits
from keystead.core.operations import KeyRef, KeyringRef
from keystead.core.ports import WouldBlock
from keystead.core.providers import Loaded
from keystead.core.sensitive import Sensitive
from keystead.core.wrapping import WRAPPINGS
from keystead.service.barrier import Commit
from keystead.service.held.limited import USES
from keystead.service.meter import BLOCK, Meter
from keystead.stores.usage import SharedUsage

HERE = f"aws:{harness.TENANT}:{harness.REGION}"
TEXT = Sensitive(b"0123456789")


@pytest.fixture
def stack():
    return harness.stack()


def made(stack, spec="AES_256", purpose=Purpose.CIPHER, **limits) -> KeyRef:
    op = ops.CreateKey(keyring=KeyringRef(HERE), spec=KEY_SPECS[spec], purpose=purpose, limits=Limits(**limits))
    return KeyRef(HERE, id=stack.perform(op).key.id)


def encrypt(stack, key, text=TEXT) -> bytes:
    return stack.perform(ops.Encrypt(key=key, plaintext=text)).ciphertext


def used(stack, key):
    return stack.perform(ops.ReadUsage(key=key)).used


def refused(limit, act):
    with pytest.raises(WrongState) as caught:
        act()
    assert caught.value.detail is limit
    assert caught.value.reason == f"Limit.{limit.name}"


# --- what counts


def test_each_kind_of_use_has_its_own_number(stack):
    key = made(stack, protect=Allowance(uses=2), process=Allowance(uses=1))
    one = encrypt(stack, key)
    encrypt(stack, key)
    refused(Limit.USES, lambda: encrypt(stack, key))
    stack.perform(ops.Decrypt(key=key, ciphertext=one))
    refused(Limit.USES, lambda: stack.perform(ops.Decrypt(key=key, ciphertext=one)))
    assert used(stack, key) == (2, 20, 1, len(one))


def test_bytes_are_those_that_the_key_is_given(stack):
    key = made(stack, protect=Allowance(n_bytes=25))
    encrypt(stack, key)
    encrypt(stack, key)
    refused(Limit.BYTES, lambda: encrypt(stack, key))
    encrypt(stack, key, Sensitive(b"12345"))
    assert used(stack, key)[:2] == (3, 25)


def test_a_key_of_no_uses_is_used_never(stack):
    key = made(stack, protect=Allowance(uses=0))
    refused(Limit.USES, lambda: encrypt(stack, key))


def test_dates(stack):
    begin = stack.clock.now() + timedelta(hours=1)
    key = made(stack, protect=Allowance(not_before=begin, not_after=begin + timedelta(hours=1)))
    refused(Limit.TOO_EARLY, lambda: encrypt(stack, key))
    stack.clock.forward(timedelta(hours=1))
    one = encrypt(stack, key)
    stack.clock.forward(timedelta(hours=1))
    encrypt(stack, key)
    stack.clock.forward(timedelta(seconds=1))
    refused(Limit.TOO_LATE, lambda: encrypt(stack, key))
    stack.perform(ops.Decrypt(key=key, ciphertext=one))
    assert used(stack, key) == (0, 0, 0, 0), "dates count nothing"


def test_what_is_refused_before_the_key_is_asked_is_no_use(stack):
    key = made(stack, "RSA_2048", Purpose.SIGNATURE, protect=Allowance(uses=5))
    word = Word("aws", "RSASSA_PSS_SHA_256")
    with pytest.raises(InvalidArgument):  # no digest is that long: the loaded key says so
        stack.perform(ops.Sign(key=key, message=b"short", form=MessageForm.DIGEST, algorithm=word))
    assert used(stack, key) == (0, 0, 0, 0)
    stack.perform(ops.Sign(key=key, message=b"message", algorithm=word))
    assert used(stack, key) == (1, 7, 0, 0)


def test_a_ciphertext_that_does_not_open_was_a_use(stack):
    key = made(stack, process=Allowance(uses=2))
    forged = bytearray(encrypt(stack, key))
    forged[-1] ^= 1
    with pytest.raises(DecryptionFailed):
        stack.perform(ops.Decrypt(key=key, ciphertext=bytes(forged)))
    assert used(stack, key)[2] == 1


def test_a_signature_that_is_none_was_a_use_in_a_dry_run_too(stack):
    """Else whoever guesses asks without end."""
    key = made(stack, "HMAC_256", Purpose.MAC, process=Allowance(uses=2))
    word = Word("aws", "HMAC_SHA_256")
    guess = ops.VerifyMac(key=key, message=b"m", tag=bytes(32), algorithm=word, dry_run=True)
    for _ in range(2):
        with pytest.raises(InvalidArgument):
            stack.perform(guess)
    refused(Limit.USES, lambda: stack.perform(guess))


def test_a_dry_run_is_none_and_says_when_there_is_none_left(stack):
    key = made(stack, protect=Allowance(uses=1), process=Allowance(uses=0))
    for _ in range(3):
        with pytest.raises(DryRun):
            stack.perform(ops.Encrypt(key=key, plaintext=TEXT, dry_run=True))
    one = encrypt(stack, key)
    refused(Limit.USES, lambda: stack.perform(ops.Encrypt(key=key, plaintext=TEXT, dry_run=True)))
    refused(Limit.USES, lambda: stack.perform(ops.Decrypt(key=key, ciphertext=one, dry_run=True)))


def test_a_request_that_comes_to_nothing_was_none(stack):
    """ReEncrypt: the source was used, the destination refuses, and nothing was answered."""
    source, destination = made(stack, process=Allowance(uses=1)), made(stack, protect=Allowance(uses=0))
    one = encrypt(stack, source)
    move = ops.ReEncrypt(source=source, destination=destination, ciphertext=one)
    refused(Limit.USES, lambda: stack.perform(move))
    assert used(stack, source)[2] == 0
    stack.perform(ops.Decrypt(key=source, ciphertext=one))


def test_an_act_that_is_made_again_on_a_thread_counts_once(stack):
    """The source is counted on the loop; then the destination is not loaded yet, and all of it is done again."""
    source, destination = made(stack, process=Allowance(uses=10)), made(stack)
    one = encrypt(stack, source)
    stack.perform(ops.Decrypt(key=source, ciphertext=one))
    move = ops.ReEncrypt(source=source, destination=destination, ciphertext=one)
    stack.on_the_loop()
    with pytest.raises(WouldBlock):
        stack.perform(move)
    stack.view.loop_thread = None
    before = used(stack, source)[2]
    stack.perform(move)
    assert used(stack, source)[2] == before + 1 == 2


def test_in_a_batch_each_item_counts_for_itself(stack):
    key = made(stack, protect=Allowance(uses=3))
    items = tuple(ops.Encrypt(key=key, plaintext=TEXT) for _ in range(5))
    answers = stack.perform(ops.EncryptEach(key=key, items=items))
    assert [isinstance(one, WrongState) for one in answers] == [False] * 3 + [True] * 2


def test_a_public_key_is_told_though_no_use_is_left(stack):
    key = made(stack, "EC_P256", Purpose.SIGNATURE, process=Allowance(uses=0))
    assert stack.perform(ops.ReadPublicKey(key=key)).public_key


def test_every_method_of_a_loaded_key_has_a_row():
    methods = {name for name, _ in inspect.getmembers(Loaded, inspect.isfunction) if not name.startswith("_")}
    assert methods == {*USES, "derived"}  # which is no use: what it makes counts (test_transit_derived)


def test_data_keys_and_rotation(stack):
    """The limit is the key's: a new version begins no new count."""
    key = made(stack, protect=Allowance(uses=2))
    stack.perform(ops.GenerateDataKey(key=key, n_bytes=32))
    stack.perform(ops.RotateKey(key=key))
    encrypt(stack, key)
    refused(Limit.USES, lambda: stack.perform(ops.GenerateDataKey(key=key, n_bytes=32)))


def test_disabling_counts_nothing(stack):
    key = made(stack, protect=Allowance(uses=2))
    stack.perform(ops.DisableKey(key=key))
    with pytest.raises(WrongState):
        encrypt(stack, key)
    stack.perform(ops.EnableKey(key=key))
    encrypt(stack, key)
    assert used(stack, key)[0] == 1


# --- who may change them


def test_limits_are_made_closer_at_once_and_looser_by_a_right_of_its_own(stack):
    key = made(stack)
    encrypt(stack, key)
    stack.perform(ops.PutLimits(key=key, limits=Limits(protect=Allowance(uses=5))))
    encrypt(stack, key)
    encrypt(stack, key)
    stack.perform(ops.PutLimits(key=key, limits=Limits(protect=Allowance(uses=2))))
    refused(Limit.USES, lambda: encrypt(stack, key))
    for looser in (Allowance(uses=3), Allowance()):
        with pytest.raises(InvalidArgument) as caught:
            stack.perform(ops.PutLimits(key=key, limits=Limits(protect=looser)))
        assert caught.value.detail is Limit.LOOSER
    stack.perform(ops.LoosenLimits(key=key, limits=Limits(protect=Allowance(uses=3))))
    encrypt(stack, key)
    refused(Limit.USES, lambda: encrypt(stack, key))
    stack.perform(ops.LoosenLimits(key=key, limits=Limits()))
    encrypt(stack, key)
    stack.perform(ops.PutLimits(key=key, limits=Limits(protect=Allowance(uses=4))))
    encrypt(stack, key)
    refused(Limit.USES, lambda: encrypt(stack, key))


@pytest.mark.parametrize(
    ("old", "new", "looser"),
    [
        ({}, {"uses": 1}, False),
        ({"uses": 1}, {}, True),
        ({"uses": 1}, {"uses": 1, "n_bytes": 1}, False),
        ({"uses": 1}, {"uses": 0}, False),
        ({"n_bytes": 1}, {"n_bytes": 2}, True),
        ({"not_before": 2}, {"not_before": 1}, True),
        ({"not_before": 1}, {"not_before": 2}, False),
        ({"not_before": 1}, {}, True),
        ({"not_after": 1}, {"not_after": 2}, True),
        ({"not_after": 2}, {"not_after": 1}, False),
        ({"not_after": 2}, {}, True),
        ({}, {"not_after": 2, "not_before": 1}, False),
    ],
)
def test_which_are_looser(stack, old, new, looser):
    now = stack.clock.now()

    def allowance(facts):
        return Allowance(**{n: now + timedelta(days=v) if n.startswith("not_") else v for n, v in facts.items()})

    assert Limits(protect=allowance(new)).allow_more_than(Limits(protect=allowance(old))) is looser
    assert Limits(process=allowance(new)).allow_more_than(Limits(process=allowance(old))) is looser


@pytest.mark.parametrize("wrong", [{"uses": -1}, {"n_bytes": ENDLESS}, {"uses": 2**70}])
def test_numbers_that_are_no_limits(stack, wrong):
    with pytest.raises(InvalidArgument) as caught:
        made(stack, protect=Allowance(**wrong))
    assert caught.value.detail is Limit.UNFIT


def test_dates_that_are_no_limits(stack):
    now = stack.clock.now()
    for dates in ({"not_before": now, "not_after": now - timedelta(1)}, {"not_after": now.replace(tzinfo=None)}):
        with pytest.raises(InvalidArgument) as caught:
            made(stack, process=Allowance(**dates))
        assert caught.value.detail is Limit.UNFIT


def test_a_key_that_can_be_replicated_takes_none(stack):
    op = ops.CreateKey(keyring=KeyringRef(HERE), spec=KEY_SPECS["AES_256"], purpose=Purpose.CIPHER, multi_region=True)
    key = KeyRef(HERE, id=stack.perform(op).copies[0].key.id.partition("@")[0])
    with pytest.raises(Unsupported):
        stack.perform(ops.PutLimits(key=key, limits=Limits(protect=Allowance(uses=1))))


def test_a_limited_key_does_not_leave(stack):
    terms = Terms(exportable=True, copyable=True, every_version=True)
    op = ops.CreateKey(keyring=KeyringRef(HERE), spec=KEY_SPECS["AES_256"], purpose=Purpose.CIPHER, terms=terms)
    key = KeyRef(HERE, id=stack.perform(op).key.id)
    stack.perform(ops.ExportKey(key=key, part=ops.Part.CIPHER))
    stack.perform(ops.PutLimits(key=key, limits=Limits(protect=Allowance(uses=9))))
    under = made(stack, "RSA_2048", Purpose.CIPHER)
    for leave in (
        ops.ExportKey(key=key, part=ops.Part.CIPHER),
        ops.ExportWrapped(key=key, under=under, wrapping=WRAPPINGS["RSA_OAEP_SHA256"]),
        ops.CopyKey(key=key),
    ):
        refused(Limit.LEAVES, lambda leave=leave: stack.perform(leave))


# --- the store's number


def test_a_crash_costs_what_was_reserved_and_a_clean_stop_nothing(stack):
    key = made(stack, protect=Allowance(uses=1000))
    for _ in range(13):
        encrypt(stack, key)
    assert stack.barrier.get(Usage, key.id).upto[0] == 22, "a hundredth at a time: 11, and 22"
    stack.uses.close()  # a crash: what was in memory is gone
    assert used(stack, key)[0] == 22
    encrypt(stack, key)
    stack.meter.settle()
    assert stack.barrier.get(Usage, key.id).upto[:2] == (23, used(stack, key)[1])
    stack.uses.close()
    for _ in range(1000 - 23):
        encrypt(stack, key)
    refused(Limit.USES, lambda: encrypt(stack, key))
    assert used(stack, key)[0] == 1000


def test_what_is_reserved_is_bounded(stack):
    key = made(stack, protect=Allowance(uses=2**40))
    encrypt(stack, key)
    assert stack.barrier.get(Usage, key.id).upto[:2] == (1 + BLOCK[0], 10 + BLOCK[1])


@pytest.mark.parametrize("page", [SharedUsage, MemoryPage])
def test_settling_while_others_go_on_takes_nothing_back(tmp_path, page):
    uses = page(tmp_path / "usage") if page is SharedUsage else page()
    stack = harness.Stack(uses=uses)
    key = made(stack, protect=Allowance(uses=500))
    go_on = threading.Event()
    failed = []

    def use():
        try:
            while not go_on.is_set():
                encrypt(stack, key)
        except WrongState as error:
            failed.append(error.detail)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    while not failed:
        so_far = used(stack, key)[0]
        assert stack.barrier.get(Usage, key.id).upto[0] >= so_far
        stack.meter.settle()
    go_on.set()
    for thread in threads:
        thread.join()
    assert used(stack, key)[0] == 500
    assert set(failed) == {Limit.USES}
    assert stack.barrier.get(Usage, key.id).upto[0] == 500
    uses.close()


@pytest.mark.parametrize("lost", [False, True])
def test_a_reservation_that_fails_anywhere_lets_nobody_through(lost):
    for at in range(1, 100):
        store = FaultyStore(MemoryStore())
        stack = harness.Stack(store=store)
        key = made(stack, protect=Allowance(uses=1000))
        stack.perform(ops.DescribeKey(key=key))
        store.fail(at, also_lost=lost)
        try:
            encrypt(stack, key)
        except Unavailable:
            store.fail(None)
            assert used(stack, key) == (0, 0, 0, 0)
            encrypt(stack, key)
        else:
            break
    assert at > 5
    store.fail(None)
    assert used(stack, key)[0] == 1
    assert stack.barrier.get(Usage, key.id).upto[0] in {11, 12}


def test_a_count_that_is_missing_lets_nobody_through(stack):
    key = made(stack, protect=Allowance(uses=1000))
    stack.barrier.commit(Commit(delete=(stack.barrier.get(Usage, key.id),)))
    with pytest.raises(Internal):
        encrypt(stack, key)


def test_nothing_is_used_where_nobody_counts(stack):
    key = made(stack, protect=Allowance(uses=1000))
    stack.view._reach.meter = None
    with pytest.raises(Internal):
        encrypt(stack, key)


def test_on_the_event_loop_only_what_is_reserved(stack):
    key = made(stack, protect=Allowance(uses=1000))
    encrypt(stack, key)
    stack.on_the_loop()
    for _ in range(10):
        encrypt(stack, key)
    with pytest.raises(WouldBlock):
        encrypt(stack, key)
    assert stack.uses.used(key.id)[0] == 11
    assert stack.meter.taken.entries == []


# --- budgets


def test_a_budget_begins_at_zero_and_is_spent_for_good(stack):
    key = made(stack)
    budget, id_ = stack.meter, f"{key.id}/1"
    for _ in range(3):
        budget.spend(id_, 10, 35)
    refused(Limit.USES, lambda: budget.spend(id_, 10, 35))
    assert budget.taken.entries == []
    stack.uses.close()
    again = Meter(stack.barrier, stack.uses)
    refused(Limit.USES, lambda: again.spend(id_, 10, 35))
    assert stack.barrier.get(Usage, id_).parent == key.id, "it goes with the key"


# --- as doors say it


def test_aws_says_that_the_state_is_not_valid(stack):
    key = made(stack, protect=Allowance(uses=1))
    alice = stack.admin
    assert alice.call("Encrypt", KeyId=key.id, Plaintext=b"x").status == 200
    reply = alice.call("Encrypt", KeyId=key.id, Plaintext=b"x")
    assert (reply.status, reply.code) == (400, "KMSInvalidStateException")
    arn = f"arn:aws:kms:{harness.REGION}:{harness.TENANT}:key/{key.id}"
    assert reply.message == f"{arn} has reached the limit of its uses."
    record = stack.record()
    assert (record.outcome, record.why) == ("refused: WrongState", "Limit.USES")


def test_what_stands_below_a_tenant_is_counted_with_it(stack, monkeypatch):
    begun = []
    monkeypatch.setattr(
        stack.uses, "begin", lambda *args: begun.append(args[2:]) or MemoryPage.begin(stack.uses, *args)
    )
    encrypt(stack, made(stack, protect=Allowance(uses=5)))
    above = (("2" * 12, "1" * 12), (harness.TENANT, "2" * 12))
    spaces = [
        Namespace(id=id, above=up, name=id, name_digest=id, suffix=id, uuid=id, created_at=stack.clock.now())
        for id, up in above
    ]
    stack.barrier.commit(Commit(put=tuple(spaces)))
    encrypt(stack, made(stack, protect=Allowance(uses=5)))
    assert begun == [(harness.TENANT, ""), (harness.TENANT, "1" * 12)]


# --- where the page has no place left


def test_who_finds_no_place_is_counted_in_the_store_exactly_and_refused_no_use(stack):
    """However many others came first: seventeen tenants together can fill the page."""
    stack.uses.is_full = True
    key = made(stack, protect=Allowance(uses=3), process=Allowance(n_bytes=200))
    one = encrypt(stack, key)
    stack.perform(ops.Decrypt(key=key, ciphertext=one))
    refused(Limit.BYTES, lambda: stack.perform(ops.Decrypt(key=key, ciphertext=one)))
    encrypt(stack, key)
    encrypt(stack, key)
    refused(Limit.USES, lambda: encrypt(stack, key))
    assert used(stack, key) == stack.barrier.get(Usage, key.id).upto == (3, 30, 1, len(one))
    assert stack.uses.ids() == []
    assert Meter(stack.barrier, MemoryPage()).used(key.id, lambda: None) == (3, 30, 1, len(one)), "after a crash too"


def test_there_each_use_is_a_transaction_and_never_on_the_event_loop(stack):
    stack.uses.is_full = True
    key = made(stack, protect=Allowance(uses=3))

    def loop() -> None:
        raise WouldBlock

    with pytest.raises(WouldBlock):
        stack.meter.take(key.id, (1, 1, 0, 0), (3, 3, 3, 3), loop)
    assert used(stack, key) == (0, 0, 0, 0)


def test_there_what_comes_to_nothing_counts_all_the_same(stack):
    stack.uses.is_full = True
    key = made(stack, protect=Allowance(uses=5))
    with pytest.raises(DryRun):
        stack.perform(ops.Encrypt(key=key, plaintext=TEXT, dry_run=True))
    assert used(stack, key)[0] == 1


def test_there_many_at_once_get_no_more_than_there_is(stack):
    stack.uses.is_full = True
    key, done = made(stack, protect=Allowance(uses=20)), []

    def use() -> None:
        for _ in range(10):
            with contextlib.suppress(WrongState):
                done.append(encrypt(stack, key))

    threads = [threading.Thread(target=use) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(done) == used(stack, key)[0] == 20


def test_a_budget_that_finds_no_place_is_spent_in_the_store(stack):
    stack.uses.is_full = True
    stack.meter.spend("hsm-key/1", 7, 10)
    with pytest.raises(WrongState):
        stack.meter.spend("hsm-key/1", 4, 10)
    stack.meter.spend("hsm-key/1", 3, 10)
    assert stack.barrier.get(Usage, "hsm-key/1").upto[0] == 10
