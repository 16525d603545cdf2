"""transit: keys, their terms, and what becomes of their material. The words are held to OpenBao in transit_keys.txt."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta

import pytest
from tests import harness

from keystead.core.entities import Key, KeyVersion, Name
from keystead.core.errors import WrongState
from keystead.core.states import KeyState
from keystead.service.scheduler import Scheduler

HELLO = b64encode(b"hello").decode()


def key_of(bearer: harness.Bearer, name: str) -> Key:
    """The key that the mount calls so."""
    barrier = bearer.stack.barrier
    named = barrier.get(Name, barrier.name_id(f"vault:{harness.TENANT}:transit", name))
    return barrier.get(Key, named.key_id)


def test_a_key_is_made_once(root):
    first = root.data("POST", "transit/keys/a", exportable=True)
    assert root.data("POST", "transit/keys/a", type="ed25519", derived=True) == first
    assert first["exportable"] and first["type"] == "aes256-gcm96"


def test_names_of_two_mounts_are_not_each_others(root):
    root.data("POST", "sys/mounts/other", type="transit")
    root.data("POST", "transit/keys/a")
    assert root.refusal("GET", "other/keys/a") == (404, "")
    sealed = root.data("POST", "transit/encrypt/a", plaintext=HELLO)["ciphertext"]
    root.data("POST", "other/keys/a")
    assert root.refusal("POST", "other/decrypt/a", ciphertext=sealed) == (400, "cipher: message authentication failed")


def test_deleting_destroys_through_the_key_tree(root):
    root.data("POST", "transit/keys/a")
    key = key_of(root, "a")
    version = root.stack.barrier.get(KeyVersion, f"{key.id}/1")
    assert len(root.stack.barrier.material(version)) == 32
    assert root.refusal("DELETE", "transit/keys/a")[0] == 400
    root.data("POST", "transit/keys/a/config", deletion_allowed=True)
    assert root.call("DELETE", "transit/keys/a").status == 204
    with pytest.raises(WrongState):
        root.stack.barrier.material(version)
    assert root.stack.stored(key).lifecycle.state is KeyState.DESTROYED
    root.data("POST", "transit/keys/a")
    assert key_of(root, "a").id != key.id  # a name made anew means a new key


def test_trimming_destroys_the_versions_below(root):
    root.data("POST", "transit/keys/a")
    key = key_of(root, "a")
    first = root.stack.barrier.get(KeyVersion, f"{key.id}/1")
    root.data("POST", "transit/keys/a/rotate")
    root.data("POST", "transit/keys/a/config", min_decryption_version=2, min_encryption_version=2)
    root.data("POST", "transit/keys/a/trim", min_available_version=2)
    with pytest.raises(WrongState):
        root.stack.barrier.material(first)
    assert list(root.data("GET", "transit/keys/a")["keys"]) == ["2"]


def test_an_older_version_encrypts_if_asked_to_unless_the_terms_forbid_it(root):
    root.data("POST", "transit/keys/a")
    root.data("POST", "transit/keys/a/rotate")
    done = root.data("POST", "transit/encrypt/a", plaintext=HELLO, key_version=1)
    assert done["key_version"] == 1
    assert root.data("POST", "transit/decrypt/a", ciphertext=done["ciphertext"])["plaintext"] == HELLO
    root.data("POST", "transit/keys/a/config", min_encryption_version=2)
    assert root.refusal("POST", "transit/encrypt/a", plaintext=HELLO, key_version=1)[0] == 400


def test_more_rotations_than_kms_allows(root):
    root.data("POST", "transit/keys/a")
    for n in range(2, 29):
        assert root.data("POST", "transit/keys/a/rotate")["latest_version"] == n


def test_keys_rotate_by_themselves_when_their_period_is_over(root):
    stack = root.stack
    stack.view.loop_thread = 0  # the scheduler has a thread of its own
    root.data("POST", "transit/keys/a", auto_rotate_period="90m")
    scheduler = Scheduler(stack.barrier, stack.store, stack.clock, stack.by_system)
    assert scheduler.step() == 0
    stack.clock.forward(timedelta(minutes=91))
    assert scheduler.step() == 1
    shown = root.data("GET", "transit/keys/a")
    assert (shown["latest_version"], shown["auto_rotate_period"]) == (2, 5400)
    stack.clock.forward(timedelta(minutes=30))
    assert scheduler.step() == 0
    root.data("POST", "transit/keys/a/config", auto_rotate_period=0)
    stack.clock.forward(timedelta(days=1))
    assert scheduler.step() == 0


def test_on_the_loop_nothing_that_blocks_is_done_twice(root):
    root.stack.on_the_loop()
    root.stack.forget_records()
    root.data("POST", "transit/keys/a", type="rsa-2048")
    root.data("POST", "transit/encrypt/new", plaintext=HELLO)
    root.stack.store.records(0, harness.MAX_PAGE)
    made = [one for one in root.stack.records() if one.targets and one.targets[0].action == "keyring:create-key"]
    assert [one.outcome for one in made if one.door == "vault"] == ["performed", "performed"]


def test_records_name_the_operation_and_never_a_value(root):
    root.data("POST", "transit/keys/a")
    root.stack.forget_records()
    root.data("POST", "transit/encrypt/a", plaintext=HELLO, context=b64encode(b"tell-nobody").decode())
    record = root.stack.record()
    assert (record.operation, record.targets[0].action, record.targets[0].version) == (
        "transit write encrypt/{name}",
        "key:encrypt",
        1,
    )
    assert HELLO.encode() not in root.stack.journal.lines[-1]
