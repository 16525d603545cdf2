"""Keys that are held in an HSM, from before they are made until after they are gone (service.hsms, docs/adr/0034)."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from tests.doors.aws_kms.managing import ask, made, scheduled, wait
from tests.doors.aws_kms.wrapped import NEW, importing
from tests.fakes import FaultyStore, MemoryToken, SeededEntropy
from tests.faults.simdisk import PowerLoss, SimDisk
from tests.harness import ALLOW_ALL, OTHER_REGION, REGION, TENANT, Reply, b64, stack
from tests.memorystore import MemoryStore

from keystead import config
from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS, Purpose
from keystead.core.audit.record import parse
from keystead.core.entities import Erasure, Fate, GivenUp, InHsm, Key, KeyVersion, PolicyText, Protection, Terms
from keystead.core.errors import Denied, InvalidArgument, KeysteadError, NotFound, Unavailable, Unsupported
from keystead.core.ports import NEAR, NOT_ASKED, Stale, WouldBlock, WouldWait
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState
from keystead.kit.blocked import Blocked
from keystead.kit.door import finished, given_up
from keystead.service.erasures import RETRY_MOST, Erasures
from keystead.service.handlers import cipher
from keystead.service.handlers.erasing import MOST_GIVEN_UP
from keystead.service.hsmnotes import MemoryNotes, Note, NoteFiles
from keystead.service.hsms import SETTLES_AFTER, Hsms
from keystead.service.moving import moving

AT = f"aws:{TENANT}:{REGION}"


@pytest.fixture
def token():
    return MemoryToken(SeededEntropy(7))


def office_of(token, **options):
    hsms = Hsms({"safe": token}, MemoryNotes(), new_keys_in="safe", or_software=options.pop("or_software", False))
    made = stack(hsms=hsms, **options)
    hsms.passed = made.clock.monotonic
    return made


@pytest.fixture
def office(token):
    return office_of(token)


def erasures(office):
    return Erasures(office.barrier, office.store, office.hsms, office.clock, office.by_system)


def described(office, key_id):
    return office.by_system(ops.DescribeKey(key=ops.KeyRef(AT, id=key_id)))


def version(office, key_id, number=1):
    return office.barrier.get(KeyVersion, f"{key_id}/{number}")


def test_a_new_key_is_held_where_the_operator_says_and_its_material_is_a_handle(office, token) -> None:
    key_id = made(office.admin)
    (name,) = token.objects
    held = version(office, key_id)
    assert held.in_hsm == InHsm("safe", name)
    assert office.barrier.material(held).reveal() == name.encode()
    assert office.barrier.get(Key, key_id).protection is Protection.HSM
    assert office.hsms.notes.every() == []
    assert ask(office.admin, "DescribeKey", KeyId=key_id)["KeyMetadata"]["Origin"] == "AWS_KMS"


def test_who_says_software_has_software(office, token) -> None:
    wanted = ops.CreateKey(
        keyring=ops.KeyringRef(AT), spec=KEY_SPECS["AES_256"], purpose=Purpose.CIPHER, policy=None, hsm=""
    )
    key = office.perform(wanted).key
    assert not token.objects and key.protection is Protection.SOFTWARE


def test_it_is_used_and_rotated_in_the_hsm(office, token) -> None:
    key_id = made(office.admin)
    old = ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))["CiphertextBlob"]
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    assert len(token.objects) == 2 and office.barrier.get(Key, key_id).hsm == "safe"
    before = token.n_calls
    assert ask(office.admin, "Decrypt", CiphertextBlob=old)["Plaintext"] == b64(b"x")
    assert token.n_calls > before


def test_no_use_is_on_the_event_loop_and_no_thread_of_the_others_waits_for_it(office, token) -> None:
    key_id = made(office.admin)
    ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))  # all is loaded that can be
    office.on_the_loop()
    token.threads.clear()
    with pytest.raises(WouldWait):
        office.perform(ops.GenerateDataKey(key=ops.KeyRef(AT, id=key_id), n_bytes=32, aad=None))
    assert ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))
    assert token.threads and threading.get_ident() not in token.threads


def test_on_the_event_loop_nothing_is_made_ready_that_is_made_ready_again_where_it_waits(office, monkeypatch) -> None:
    key_id = made(office.admin)
    ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))  # it may protect, whatever the time
    office.on_the_loop()
    bound = []
    monkeypatch.setattr(cipher, "bind", lambda *_: bound.append(1))
    with pytest.raises(WouldWait) as would:
        office.perform(ops.Encrypt(key=ops.KeyRef(AT, id=key_id), plaintext=Sensitive(b"x"), aad=None))
    assert (would.value.where, would.value.tenant) == ("hsm:safe", TENANT) and not bound


def signed(by, key_id):
    """A request to encrypt."""
    headers = {"X-Amz-Target": "TrentService.Encrypt", "Content-Type": "application/x-amz-json-1.1"}
    return by.signed(headers, json.dumps({"KeyId": key_id, "Plaintext": b64(b"x")}).encode())


def begun(office, key_id, by=None):
    """It on the event loop, as far as it goes: (its steps, what it waits for; None: it is answered)."""
    steps = office.front.steps(signed(by or office.admin, key_id))
    return steps, next((one for one in steps if one is not None), None)


def test_what_has_waited_for_an_hsm_is_not_tried_on_the_loop_again_until_something_changes(office, monkeypatch) -> None:
    key_id, tried, perform = made(office.admin), [], office.service.perform
    ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))
    office.on_the_loop()
    begun(office, key_id)
    monkeypatch.setattr(office.service, "perform", lambda *args: tried.append(args) or perform(*args))
    steps, would = begun(office, key_id)
    assert isinstance(would, WouldWait) and (would.where, would.tenant) == ("hsm:safe", TENANT) and not tried
    with ThreadPoolExecutor(1) as threads:
        assert Reply.of(threads.submit(finished, steps).result()).status == 200
        assert len(tried) == 1 and office.record().outcome == "performed"
        whole = threads.submit(office.front.serve, signed(office.admin, key_id))
        assert Reply.of(whole.result()).status == 200, "who is on a thread waits for no other"
        tried.clear()
        late = Reply.of(threads.submit(given_up, begun(office, key_id)[0]).result())
    assert (late.code, tried) == ("DependencyTimeoutException", [])
    assert office.record().outcome == "refused: Unavailable"
    ask(office.admin, "TagResource", KeyId=key_id, Tags=[{"TagKey": "a", "TagValue": "b"}])
    tried.clear()
    _, would = begun(office, key_id)
    assert isinstance(would, WouldBlock) and len(tried) == 1


def test_whoever_may_not_is_refused_on_the_loop_whatever_others_have_waited_for(office) -> None:
    key_id = made(office.admin)
    user, nobody = office.user("user", ALLOW_ALL), office.user("nobody")
    for one in (office.admin, user):
        ask(one, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))
    assert nobody.call("Encrypt", KeyId=key_id, Plaintext=b64(b"x")).code == "AccessDeniedException"
    office.on_the_loop()
    for _ in range(2):
        assert all(begun(office, key_id, one)[1].where == "hsm:safe" for one in (office.admin, user))
        assert begun(office, key_id, nobody)[1] is None
    denied = PolicyText("default", "aws", ALLOW_ALL.replace("Allow", "Deny"))
    changed = ops.PutPrincipalPolicy(tenant=ops.TenantRef(TENANT), name="user", policy=denied)
    with ThreadPoolExecutor(1) as threads:
        threads.submit(office.by_system, changed).result()
        threads.submit(user.call, "Encrypt", KeyId=key_id, Plaintext=b64(b"x")).result()
    assert begun(office, key_id, user)[1] is None


def asked_of(office, operation, **members):
    """A request that waits for a thread, as the listener has it (kit.blocked)."""
    headers = {"X-Amz-Target": f"TrentService.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    request = office.admin.signed(headers, json.dumps(members).encode())
    return Blocked(SimpleNamespace(front=office.front), None, request, None)


def run_apart(job):
    """On a thread of its own, which it tells."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(job.run).result()
        assert job.error is None
        return threads.submit(threading.get_ident).result()


@pytest.mark.parametrize(
    ("operation", "members"),
    [("Encrypt", {"Plaintext": b64(b"x")}), ("RotateKeyOnDemand", {}), ("CreateKey", None)],
)
def test_what_was_not_held_yet_is_asked_of_the_hsm_by_those_who_wait_for_it(office, token, operation, members) -> None:
    """Not by the threads that read it: there nobody has turns, and nobody hears that it takes too long."""
    key_id = made(office.admin)
    job = asked_of(office, operation, **({} if members is None else {"KeyId": key_id, **members}))
    office.view.forget()
    token.threads.clear()
    run_apart(job)
    assert not token.threads and not office.hsms.notes.every() and job.reply == b""
    assert (job.moves.where, job.moves.tenant) == ("hsm:safe", TENANT)
    job.waits_for(job.moves)
    by = run_apart(job)
    assert token.threads == {by} and Reply.of(job.reply).status == 200


def test_who_changes_something_first_asks_the_hsm_where_it_is(office, token) -> None:
    """It would be changed twice."""
    key_id = made(office.admin)
    office.view.forget()
    token.threads.clear()

    class Steps:
        def steps(self, _request):
            office.perform(ops.TagKey(key=ops.KeyRef(AT, id=key_id), tags={"a": "b"}))
            office.perform(ops.GenerateDataKey(key=ops.KeyRef(AT, id=key_id), n_bytes=32, aad=None))
            return b"done"
            yield

    job = Blocked(SimpleNamespace(front=Steps()), None, None, None)
    by = run_apart(job)
    assert (job.reply, job.moves) == (b"done", None) and token.threads == {by}


def test_what_would_block_waits_in_its_tenants_turn(office) -> None:
    key_id = made(office.admin)
    office.on_the_loop()
    office.view._refs.clear()
    for op in (ops.DescribeKey(key=ops.KeyRef(AT, id=key_id)), ops.TagKey(key=ops.KeyRef(AT, id=key_id), tags={})):
        with pytest.raises(WouldBlock) as caught:
            office.perform(op)
        assert (caught.value.where, caught.value.tenant) == (NEAR, TENANT)


def test_who_is_not_come_to_is_told_so_in_the_words_of_the_door_and_it_is_on_record(office, token) -> None:
    """kit.lane, Rule 3."""
    key_id = made(office.admin)
    ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))
    office.on_the_loop()
    headers = {"X-Amz-Target": "TrentService.Encrypt", "Content-Type": "application/x-amz-json-1.1"}
    request = office.admin.signed(headers, json.dumps({"KeyId": key_id, "Plaintext": b64(b"x")}).encode())
    steps = office.front.steps(request)
    would = next(one for one in steps if one is not None)
    assert isinstance(would, WouldWait) and (would.where, would.tenant) == ("hsm:safe", TENANT)
    token.threads.clear()
    office.forget_records()
    with ThreadPoolExecutor(1) as threads:
        answer = Reply.of(threads.submit(given_up, steps).result())
    assert (answer.status, answer.code) == (500, "DependencyTimeoutException") and not token.threads
    assert (office.record().operation, office.record().outcome) == ("TrentService.Encrypt", "refused: Unavailable")


def test_a_token_that_is_away_answers_nothing_and_changes_nothing(office, token) -> None:
    key_id = made(office.admin)
    sealed = ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))["CiphertextBlob"]
    n_keys, token.plugged = len(ask(office.admin, "ListKeys")["Keys"]), False
    for operation, members in (
        ("CreateKey", {}),
        ("Encrypt", {"KeyId": key_id, "Plaintext": b64(b"x")}),
        ("Decrypt", {"CiphertextBlob": sealed}),
        ("RotateKeyOnDemand", {"KeyId": key_id}),
    ):
        assert office.admin.call(operation, **members).code == "DependencyTimeoutException", operation
    assert office.barrier.get(Key, key_id).current == 1
    token.plugged = True
    assert len(ask(office.admin, "ListKeys")["Keys"]) == n_keys
    assert ask(office.admin, "Decrypt", CiphertextBlob=sealed)["Plaintext"] == b64(b"x")


def test_an_object_whose_answer_was_lost_is_erased_at_once(office, token) -> None:
    token.lost_answers = 1
    assert office.admin.call("CreateKey").code == "DependencyTimeoutException"
    assert not token.objects and office.hsms.notes.every() == []


def test_of_a_token_that_was_not_even_asked_no_note_is_left(office, token, monkeypatch, caplog) -> None:
    """However many keys are asked for while it is away: a note is a file, and the chore asks the HSM for each."""

    def away(detail):
        def refuse(*_):
            raise Unavailable("the HSM safe does not answer", detail)

        return refuse

    monkeypatch.setattr(token, "generate", away(NOT_ASKED))
    monkeypatch.setattr(token, "destroy", away(NOT_ASKED))
    for _ in range(20):
        assert office.admin.call("CreateKey").code == "DependencyTimeoutException"
    assert office.hsms.notes.every() == [] and "is left in the HSM" not in caplog.text
    monkeypatch.setattr(token, "generate", away("lost"))
    assert office.admin.call("CreateKey").code == "DependencyTimeoutException"
    assert len(office.hsms.notes.every()) == 1 and "is left in the HSM" in caplog.text


def test_a_commit_that_fails_leaves_no_object_and_one_that_was_kept_keeps_it(token) -> None:
    store = FaultyStore(MemoryStore())
    office = office_of(token, store=store)
    admin = office.admin
    made(admin)
    store.fail(None)
    made(admin)
    n_operations, n_kept = store.n_operations, len(token.objects)
    for also_lost in (True, False):
        for at in range(1, n_operations + 1):
            store.fail(at, also_lost=also_lost)
            reply = admin.call("CreateKey")
            store.fail(None)
            held = {
                one.in_hsm.name
                for key in office.barrier.every(Key)
                for one in office.barrier.children(KeyVersion, key.id)
            }
            assert held == set(token.objects), (at, also_lost, reply.code)
            assert office.hsms.notes.every() == []
    assert len(token.objects) > n_kept  # the commits whose answers were lost


def test_whoever_is_overtaken_leaves_no_object(office, token, monkeypatch) -> None:
    key_id, commit, n = made(office.admin), office.barrier.commit, 0

    def overtaken(change):
        nonlocal n
        n += 1
        if n == 1:
            raise Stale
        commit(change)

    monkeypatch.setattr(office.barrier, "commit", overtaken)
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    assert n == 2 and len(token.objects) == 2 and office.hsms.notes.every() == []


def test_what_a_crash_leaves_is_erased_later_and_never_what_a_key_has(office, token, monkeypatch) -> None:
    class Killed(BaseException):
        pass

    def dies(_):
        raise Killed

    key_id = made(office.admin)
    monkeypatch.setattr(office.barrier, "commit", dies)
    monkeypatch.setattr(office.hsms, "_undo", dies)
    with pytest.raises(Killed):
        office.admin.call("CreateKey")
    monkeypatch.undo()
    kept = version(office, key_id).in_hsm
    office.hsms.notes.write(Note(kept, f"{key_id}/1", office.clock.now()))  # died before it was dropped
    assert len(token.objects) == 2 and len(office.hsms.notes.every()) == 2
    chore = erasures(office)
    assert chore.step() == 0 and len(token.objects) == 2  # somebody may be about to commit it
    office.clock.forward(SETTLES_AFTER)
    token.plugged = False
    assert chore.step() == 0
    token.plugged = True
    assert chore.step() == 0  # it is not asked every second
    office.clock.forward(timedelta(hours=1))
    assert chore.step() == 1
    assert list(token.objects) == [kept.name] and office.hsms.notes.every() == []
    assert [one.operation for one in office.records() if one.outcome == "performed"][-1] == "EraseObject"


def test_a_clock_that_leaps_while_a_key_is_made_erases_nothing(office, token, monkeypatch) -> None:
    """The object is there, and the commit that keeps it is under way: ten minutes are those that have passed."""
    chore, commit = erasures(office), office.barrier.commit

    def leaps(change):
        if change.material and token.objects:
            for by in (timedelta(days=400), timedelta(days=-800)):
                office.clock.leap(by)
                assert chore.step() == 0
        commit(change)

    monkeypatch.setattr(office.barrier, "commit", leaps)
    key_id = made(office.admin)
    assert version(office, key_id).in_hsm.name in token.objects and office.hsms.notes.every() == []


def test_who_names_an_object_that_a_key_has_erases_nothing(office, token) -> None:
    made(office.admin)
    (name,) = token.objects
    with pytest.raises(NotFound):
        office.by_system(ops.EraseObject(name=name))
    assert name in token.objects


def test_what_is_destroyed_goes_in_the_database_first_and_in_the_hsm_until_it_is_done(office, token) -> None:
    key_id = made(office.admin)
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    ask(office.admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clockwork, chore = scheduled(office), erasures(office)
    token.plugged = False
    assert wait(office, clockwork, days=7) == 1
    assert office.barrier.get(Key, key_id).lifecycle.state is KeyState.DESTROYED
    assert chore.step() == 0 and chore.n_outstanding == 2 and len(token.objects) == 2
    assert {one.key_id for one in office.barrier.every(Erasure)} == {key_id}
    assert described(office, key_id).n_outstanding == 2
    token.plugged = True
    office.clock.forward(timedelta(minutes=1))
    assert chore.step() == 2
    assert chore.n_outstanding == 0 == described(office, key_id).n_outstanding and not token.objects
    assert chore.step() == 0


def test_an_erasure_whose_end_was_not_kept_is_done_again(office, token, monkeypatch) -> None:
    key_id = made(office.admin)
    ask(office.admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    wait(office, days=7)
    chore, commit = erasures(office), office.barrier.commit

    def fails(_):
        raise Unavailable("the store does not answer")

    monkeypatch.setattr(office.barrier, "commit", fails)
    assert chore.step() == 0 and not token.objects and chore.n_outstanding == 1
    monkeypatch.setattr(office.barrier, "commit", commit)
    office.clock.forward(timedelta(minutes=1))
    assert chore.step() == 1 and chore.n_outstanding == 0


def test_imported_material_goes_into_the_hsm_and_keeps_its_identity(office, token) -> None:
    key_id = made(office.admin, Origin="EXTERNAL")
    assert not token.objects and office.barrier.get(Key, key_id).hsm == "safe"
    assert importing(office.admin, key_id, bytes(range(32)), **NEW).status == 200
    sealed = ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x"))["CiphertextBlob"]
    ask(office.admin, "DeleteImportedKeyMaterial", KeyId=key_id)
    assert erasures(office).step() == 1 and not token.objects
    assert importing(office.admin, key_id, bytes(32)).code == "IncorrectKeyMaterialException"
    assert not token.objects and office.hsms.notes.every() == []
    assert importing(office.admin, key_id, bytes(range(32))).status == 200
    assert ask(office.admin, "Decrypt", CiphertextBlob=sealed)["Plaintext"] == b64(b"x")


def test_what_is_to_leave_is_not_held_and_what_is_held_does_not_leave(office, token) -> None:
    admin = office.admin
    assert admin.call("CreateKey", MultiRegion=True).code == "UnsupportedOperationException"
    wanted = ops.CreateKey(
        keyring=ops.KeyringRef(AT),
        spec=KEY_SPECS["AES_256"],
        purpose=Purpose.CIPHER,
        terms=Terms(every_version=True, exportable=True),
    )
    with pytest.raises(Unsupported) as refused:
        office.perform(wanted)
    assert refused.value.detail == ops.NOT_HELD and not token.objects
    key = office.perform(ops.CreateKey(**{**_fields(wanted), "terms": Terms(every_version=True)})).key
    ref = ops.KeyRef(AT, id=key.id)
    for op in (ops.PutTerms(key=ref, exportable=True), ops.PutTerms(key=ref, copyable=True)):
        with pytest.raises(Unsupported) as refused:
            office.perform(op)
        assert refused.value.detail == ops.NEVER_LEAVES
    # Even of a key whose terms say otherwise, by whatever way they came to.
    office.change(key, terms=Terms(every_version=True, exportable=True, copyable=True))
    for op in (
        ops.ExportKey(key=ref, part=ops.Part.CIPHER),
        ops.ExportKey(key=ref, part=ops.Part.MAC),
        ops.CopyKey(key=ref),
    ):
        with pytest.raises(Unsupported) as refused:
            office.perform(op)
        assert refused.value.detail == ops.NEVER_LEAVES


def test_no_backup_in_software_takes_the_name_of_a_key_in_an_hsm(token) -> None:
    office = office_of(token, or_software=True)
    wanted = ops.CreateKey(
        keyring=ops.KeyringRef(AT),
        spec=KEY_SPECS["AES_256"],
        purpose=Purpose.CIPHER,
        terms=Terms(every_version=True, exportable=True, copyable=True),
        name="k",
    )
    soft = office.perform(wanted).key
    backup = office.perform(ops.CopyKey(key=ops.KeyRef(AT, id=soft.id)))
    held = office.perform(ops.CreateKey(**{**_fields(wanted), "terms": Terms(every_version=True), "name": "h"})).key
    assert (soft.hsm, held.hsm) == ("", "safe")
    back = ops.RestoreKey(keyring=ops.KeyringRef(AT), name="h", copy=backup, over=ops.KeyRef(AT, id=held.id))
    with pytest.raises(Unsupported) as refused:
        office.perform(back)
    assert refused.value.detail == ops.NOT_HELD
    assert office.barrier.get(Key, held.id).lifecycle.destroy_at is None
    over = replace(back, name="k", over=ops.KeyRef(AT, id=soft.id))
    assert office.perform(over).key.hsm == ""  # one in software does


def test_no_copy_of_it_comes_to_another_region(token) -> None:
    office = office_of(token, or_software=True, regions=(REGION, OTHER_REGION))
    key_id = made(office.admin, MultiRegion=True)
    assert not token.objects  # software, by the operator's explicit word
    key = next(key for key in office.barrier.every(Key) if key.multi_region)
    office.change(key, hsm="safe")
    reply = office.admin.call("ReplicateKey", KeyId=key_id, ReplicaRegion=OTHER_REGION)
    assert reply.code == "UnsupportedOperationException"


def test_what_the_token_lacks_is_refused_or_software_by_the_operators_word() -> None:
    for or_software in (False, True):
        token = MemoryToken(SeededEntropy(7), lacks=frozenset({"RSA_PSS_SHA512"}))
        office = office_of(token, or_software=or_software)
        members = {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}
        if or_software:
            assert office.barrier.get(Key, made(office.admin, **members)).hsm == "" and not token.objects
        else:
            reply = office.admin.call("CreateKey", **members)
            assert reply.code == "UnsupportedOperationException" and "RSA_PSS_SHA512" in reply.message
        made(office.admin, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")  # of another purpose nothing is lacking
        assert len(token.objects) == 1


def test_an_hsm_that_is_not_configured_any_more_is_unavailable(token) -> None:
    store = MemoryStore()
    office = office_of(token, store=store)
    key = office.barrier.get(Key, made(office.admin))
    office.change(key, hsm="gone")
    reply = office.admin.call("Encrypt", KeyId=key.id, Plaintext=b64(b"x"))
    assert reply.code == "DependencyTimeoutException" and "gone" in reply.message


def test_new_keys_are_held_in_an_hsm_of_the_configuration(tmp_path) -> None:
    (tmp_path / "keystead.toml").write_text('protect_in = "safe"\n')
    with pytest.raises(InvalidArgument, match="protect_in"):
        config.read(tmp_path)
    (tmp_path / "keystead.toml").write_text(
        'protect_in = "safe"\nhsms = { safe = { module = "/m", token = "t", pin = "env:P", cluster = "c" } }\n'
    )
    with pytest.raises(InvalidArgument, match="cluster"):
        config.read(tmp_path)


def test_a_note_is_durable_before_the_hsm_is_asked() -> None:
    note = Note(InHsm("safe", "00" * 16), "k/1", stack().clock.now())
    directory = Path("/data/hsm-notes")
    for dies_at in range(1, 12):
        disk = SimDisk(Random(dies_at))
        disk.dies_at = dies_at
        written = False
        try:
            NoteFiles(disk, directory).write(note)
            written = True
        except PowerLoss:
            pass
        disk.reboot()
        found = NoteFiles(disk, directory).every()
        assert found == [note] if written else found in ([], [note])
        NoteFiles(disk, directory).drop(note.in_hsm.name)
        assert NoteFiles(disk, directory).every() == []


def test_a_note_that_is_damaged_keeps_none_beside_it_from_being_read() -> None:
    """A byte that is no UTF-8 is no DecodeError of msgspec's."""
    disk, directory = SimDisk(Random(1)), Path("/data/hsm-notes")
    kept, broken = (Note(InHsm("safe", name * 16), "k/1", stack().clock.now()) for name in ("00", "11"))
    for note in (kept, broken):
        NoteFiles(disk, directory).write(note)
    file = disk.open(directory / broken.in_hsm.name)
    whole = file.read(0, file.size())
    file.write(0, [whole.replace(b"safe", b"saf\xff")])
    file.close()
    assert NoteFiles(disk, directory).every() == [kept]


def _fields(op):
    return {name: getattr(op, name) for name in op.__struct_fields__}


# --- an HSM that hangs keeps nothing else waiting


def test_a_rotation_in_an_hsm_is_done_by_whoever_waits_for_it_and_the_others_meanwhile(office, token) -> None:
    held = made(office.admin)
    soft = office.perform(
        ops.CreateKey(
            keyring=ops.KeyringRef(AT), spec=KEY_SPECS["AES_256"], purpose=Purpose.CIPHER, policy=None, hsm=""
        )
    ).key.id
    chore = scheduled(office)
    for key_id in (held, soft):
        ask(office.admin, "EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    office.clock.forward(timedelta(days=91))
    token.threads.clear()
    assert chore.step() == 1 and chore.step() == 0
    numbers = [office.barrier.get(Key, key_id).current for key_id in (held, soft)]
    assert numbers == [1, 2] and not token.threads
    assert chore.apart("hsm:another") == 0 and chore.apart("hsm:safe") == 1
    assert office.barrier.get(Key, held).current == 2
    assert chore.step() == 0 and chore.apart("hsm:safe") == 0


def test_a_rotation_that_an_hsm_did_not_do_is_tried_again_later(office, token) -> None:
    key_id, chore = made(office.admin), scheduled(office)
    ask(office.admin, "EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    office.clock.forward(timedelta(days=91))
    token.plugged = False
    for _ in range(3):
        assert chore.step() == 0 and chore.apart("hsm:safe") == 0
    token.plugged = True
    assert chore.step() == 0 and chore.apart("hsm:safe") == 0, "it is not asked every second"
    office.clock.forward(timedelta(hours=1))
    assert chore.step() == 0 and chore.apart("hsm:safe") == 1
    assert office.barrier.get(Key, key_id).current == 2


def test_what_waits_for_one_hsm_keeps_nothing_in_another(monkeypatch) -> None:
    """However much it is, and wherever it stands in the store."""
    away, there = MemoryToken(SeededEntropy(7)), MemoryToken(SeededEntropy(8))
    hsms = Hsms({"away": away, "there": there}, MemoryNotes(), new_keys_in="there")
    office = stack(hsms=hsms)
    hsms.passed = office.clock.monotonic
    monkeypatch.setattr("keystead.service.erasures.AT_ONCE", 3)
    names = [f"{n:032x}" for n in range(9)]
    lost = [Erasure(id=name, hsm="away", key_id=name, number=1, since=office.clock.now()) for name in names]
    due = [Erasure(id=f"{n:032x}", hsm="there", key_id="x", number=1, since=office.clock.now()) for n in (20, 21)]
    office.put(*lost, *due)
    away.plugged = False
    chore = erasures(office)
    assert [chore.step("there") for _ in range(4)] == [0, 0, 0, 2]
    assert chore.n_outstanding == 9 and away.n_calls == 0
    office.put(due[0])
    assert [chore.step() for _ in range(4)] == [0, 0, 0, 1], "it is not where they are"
    assert chore.n_outstanding == 9
    away.plugged = True
    office.clock.forward(timedelta(hours=1))
    assert sum(chore.step("away") for _ in range(4)) == 9


def test_an_hsm_as_a_key_store_is_asked_by_those_who_wait_for_it(office) -> None:
    asked: list[str] = []

    class Clusters:
        def __getattr__(self, name):
            return lambda *_args, **_more: asked.append(name)

    hsms = Hsms({}, clusters=Clusters())
    ways = {
        "find": lambda: hsms.clusters.find("cluster-1"),
        "check": lambda: hsms.clusters.check("safe", Sensitive(b"")),
        "is_at": lambda: hsms.clusters.is_at("safe", label="", slot=""),
        "random": lambda: hsms.clusters.random("safe", 8),
    }
    for name, way in ways.items():
        with moving(), pytest.raises(WouldWait) as caught:
            way()
        assert caught.value.where == ("far" if name == "find" else "hsm:safe")
    assert not asked
    for way in ways.values():
        way()
    assert asked == list(ways)


# --- another token in the place of the one before


def test_what_another_token_does_not_have_is_not_erased(office, token) -> None:
    """The one that has it may lie in a drawer: the key is destroyed, and not irrecoverable."""
    token.serial = "one"
    key_id = made(office.admin)
    assert version(office, key_id).in_hsm.serial == "one" and office.hsms.notes.every() == []
    ask(office.admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    wait(office, days=7)
    chore, before = erasures(office), token.objects
    token.serial, token.objects = "another", {}
    assert chore.step() == 0 and chore.n_outstanding == 1
    assert office.barrier.fate(version(office, key_id)) is Fate.DESTROYED
    token.objects = before  # as a vendor's restore does
    office.clock.forward(timedelta(hours=1))
    assert chore.step() == 1 and chore.n_outstanding == 0 and not token.objects
    assert office.barrier.fate(version(office, key_id)) is Fate.IRRECOVERABLE


def test_a_key_that_knows_its_token_settles_the_note_that_did_not(office, token) -> None:
    token.serial = "one"
    key_id = made(office.admin)
    kept = version(office, key_id).in_hsm
    office.hsms.notes.write(Note(InHsm("safe", kept.name), f"{key_id}/1", office.clock.now()))
    erasures(office).step()
    office.clock.forward(SETTLES_AFTER)
    assert erasures(office).step() == 0 and office.hsms.notes.every() == [] and token.objects


# --- a token that never comes back


def gone_for_good(office, token):
    """Two objects that are to be erased in a token that is unplugged; the key's id."""
    key_id = made(office.admin)
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    ask(office.admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clockwork = scheduled(office)
    token.plugged = False
    assert wait(office, clockwork, days=7) == 1
    return key_id


def test_what_is_given_up_is_tried_no_more_and_never_called_erased(office, token) -> None:
    key_id, chore = gone_for_good(office, token), erasures(office)
    assert chore.step() == 0 and chore.n_outstanding == 2
    told = office.by_system(ops.GiveUpObjects(hsm="safe"))
    assert told == ops.GaveUp(n_given_up=2, n_erased=0, more=False)
    assert chore.n_outstanding == 0 and described(office, key_id).n_outstanding == 0
    (record,) = [one for one in office.records() if one.operation == "GiveUpObjects"]
    assert (record.outcome, record.made) == ("performed", "safe: 2 given up, 0 erased")
    kept = office.barrier.every(GivenUp)
    assert {one.key_id for one in kept} == {key_id} and {one.id for one in kept} == set(token.objects)
    assert all(one.by and one.at == office.clock.now() for one in kept)
    token.plugged, before = True, token.n_calls
    office.clock.forward(timedelta(days=1))
    assert chore.step() == 0 and token.n_calls == before, "nobody asks for it any more"
    assert described(office, key_id).fate == office.barrier.fate(version(office, key_id)) == Fate.DESTROYED
    certified = office.by_system(ops.CertifyDestruction(key=ops.KeyRef(AT, id=key_id)))
    assert "irrecoverable" not in certified.note
    with pytest.raises(NotFound):
        office.by_system(ops.GiveUpObjects(hsm="safe"))


def test_what_was_given_up_is_taken_up_when_its_token_comes_back(office, token) -> None:
    key_id, chore = gone_for_good(office, token), erasures(office)
    with pytest.raises(NotFound):
        office.by_system(ops.TakeUpObjects(hsm="safe"))
    owed = office.barrier.every(Erasure)
    office.by_system(ops.GiveUpObjects(hsm="safe"))
    with pytest.raises(NotFound):
        office.by_system(ops.TakeUpObjects(hsm="another"))
    assert office.by_system(ops.TakeUpObjects(hsm="safe")) == ops.TookUp(n_taken_up=2, more=False)
    assert [one.id for one in office.barrier.every(Erasure)] == [one.id for one in owed]
    assert [one.since for one in office.barrier.every(Erasure)] == [one.since for one in owed]
    records = [(one.outcome, one.made) for one in office.records() if one.operation == "TakeUpObjects"]
    assert min(records) == ("performed", "safe: 2 taken up") and len(records) == 3, "refusals too"
    assert office.barrier.count(GivenUp) == 0 and described(office, key_id).n_outstanding == 2
    assert chore.step() == 0 and office.barrier.fate(version(office, key_id)) is Fate.DESTROYED
    token.plugged = True
    office.clock.forward(timedelta(hours=1))
    assert chore.step() == 2 and not token.objects
    assert office.barrier.fate(version(office, key_id)) is Fate.IRRECOVERABLE
    certified = office.by_system(ops.CertifyDestruction(key=ops.KeyRef(AT, id=key_id)))
    assert "irrecoverable" in certified.note


def test_many_are_taken_up_page_by_page_in_one_hsm_alone_and_by_nobody_but_the_operator(office) -> None:
    now, n = office.clock.now(), MOST_GIVEN_UP + 3
    made_up = {"key_id": "k", "number": 1, "serial": "s", "since": now, "by": "x", "at": now}
    lost = [GivenUp(id=f"{i:032x}", hsm="lost", **made_up) for i in range(n)]
    office.put(*lost, GivenUp(id="f" * 32, hsm="another", **made_up))
    with pytest.raises(Denied):
        office.perform(ops.TakeUpObjects(hsm="lost"), by=office.user("bob", ALLOW_ALL))
    first, rest = (office.by_system(ops.TakeUpObjects(hsm="lost")) for _ in range(2))
    assert (first.n_taken_up, first.more, rest.n_taken_up, rest.more) == (MOST_GIVEN_UP, True, 3, False)
    assert office.barrier.count(Erasure) == n and [one.hsm for one in office.barrier.every(GivenUp)] == ["another"]
    assert {one.serial for one in office.barrier.every(Erasure)} == {"s"}


def test_of_an_hsm_with_another_token_what_is_in_this_one_is_erased(office, token) -> None:
    token.serial = "old"
    old = made(office.admin)
    token.serial = "new"
    new = made(office.admin)
    lost = version(office, old).in_hsm.name
    ask(office.admin, "ScheduleKeyDeletion", KeyId=old, PendingWindowInDays=7)
    ask(office.admin, "ScheduleKeyDeletion", KeyId=new, PendingWindowInDays=7)
    wait(office, days=7)
    del token.objects[lost]
    told = office.by_system(ops.GiveUpObjects(hsm="safe"))
    assert told == ops.GaveUp(n_given_up=1, n_erased=1, more=False)
    assert [one.id for one in office.barrier.every(GivenUp)] == [lost] and not token.objects
    assert office.barrier.fate(version(office, old)) is Fate.DESTROYED
    assert office.barrier.fate(version(office, new)) is Fate.IRRECOVERABLE


def test_what_came_to_no_key_is_given_up_too(office, token) -> None:
    name, key = "0" * 32, "k"
    office.hsms.notes.write(Note(InHsm("safe", name), f"{key}/1", office.clock.now()))
    office.hsms.unsettled(office.barrier)
    office.clock.forward(SETTLES_AFTER)
    token.plugged = False
    assert office.by_system(ops.GiveUpObjects(hsm="safe")).n_given_up == 1
    (kept,) = office.barrier.every(GivenUp)
    assert (kept.id, kept.key_id, kept.number) == (name, key, 1)
    assert erasures(office).step() == 1 and office.hsms.notes.every() == [], "its note goes, and nobody is asked"


def test_many_are_given_up_page_by_page_in_one_hsm_alone(office) -> None:
    now, n = office.clock.now(), MOST_GIVEN_UP + 3
    lost = [Erasure(id=f"{i:032x}", hsm="lost", key_id="k", number=1, since=now) for i in range(n)]
    other = Erasure(id="f" * 32, hsm="another", key_id="k", number=1, since=now)
    office.put(*lost, other)
    first, rest = (office.by_system(ops.GiveUpObjects(hsm="lost")) for _ in range(2))
    assert (first.n_given_up, first.more, rest.n_given_up, rest.more) == (MOST_GIVEN_UP, True, 3, False)
    assert office.barrier.every(Erasure) == [office.barrier.get(Erasure, other.id)]


def test_nobody_but_the_operator_gives_up(office, token) -> None:
    gone_for_good(office, token)
    with pytest.raises(Denied):
        office.perform(ops.GiveUpObjects(hsm="safe"), by=office.user("bob", ALLOW_ALL))
    assert office.barrier.count(GivenUp) == 0


@pytest.mark.parametrize("also_lost", [True, False], ids=["lost", "kept"])
def test_giving_up_is_whole_or_nothing_whatever_operation_of_the_store_fails(also_lost) -> None:
    outcomes = set()
    for at in range(1, 60):
        token = MemoryToken(SeededEntropy(7))
        store = FaultyStore(MemoryStore())
        office = office_of(token, store=store)
        gone_for_good(office, token)
        store.fail(at, also_lost=also_lost)
        try:
            office.by_system(ops.GiveUpObjects(hsm="safe"))
        except KeysteadError:
            outcomes.add("failed")
        n_operations = store.n_operations
        store.fail(None)
        owed, given = office.barrier.count(Erasure), office.barrier.count(GivenUp)
        assert (owed, given) in {(2, 0), (0, 2)}
        assert given == 2 * sum(
            one.operation == "GiveUpObjects" and one.outcome == "performed" for one in changes(office)
        )
        outcomes.add(given)
        if n_operations < at:
            break
    else:
        pytest.fail("there is no end of operations")
    assert outcomes == {"failed", 0, 2}


def changes(office):
    return [parse(line) for _, line in office.store.records(0, 10_000)]


def test_an_object_that_is_not_erased_keeps_no_other_waiting(token) -> None:
    """One of a token that is in a drawer, and one that the HSM refuses, whatever stands behind them in the store."""
    refused = "0" * 31 + "2"

    class Refusing(MemoryToken):
        def destroy(self, name: str, serial: str = "") -> None:
            if name == refused:
                raise Unsupported("the HSM safe answers C_DestroyObject: CKR_ACTION_PROHIBITED")
            super().destroy(name, serial)

    hsm = Refusing(SeededEntropy(7))
    office = office_of(hsm)
    hsm.serial = "new"
    rows = [("0" * 31 + "1", "old"), (refused, "new"), *((f"{n:032x}", "new") for n in range(3, 6))]
    since = office.clock.now()
    office.put(*(Erasure(id=id_, hsm="safe", key_id=id_, number=1, since=since, serial=of) for id_, of in rows))
    chore = erasures(office)
    assert chore.step() == 3 and chore.n_outstanding == 2
    for _ in range(4):
        office.clock.forward(RETRY_MOST)
        assert chore.step() == 0
    later = Erasure(id="f" * 32, hsm="safe", key_id="f", number=1, since=since, serial="new")
    office.put(later)
    assert chore.step() == 1 and chore.n_outstanding == 2, "it does not wait as long as they do"
    office.put(replace(later, revision=0))
    told = office.by_system(ops.GiveUpObjects(hsm="safe"))
    assert told == ops.GaveUp(n_given_up=2, n_erased=1, more=False), "nor is it given up with them"
