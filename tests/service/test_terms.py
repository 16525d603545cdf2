"""What the core says of a key's terms, and of many uses at once, whatever the door."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests import harness

from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS, Purpose
from keystead.core.entities import Rotation, Terms
from keystead.core.errors import AlreadyExists, DecryptionFailed, InvalidArgument, Unsupported, WrongState
from keystead.core.operations import Breach, KeyRef, KeyringRef
from keystead.core.ports import WouldBlock
from keystead.core.sensitive import Sensitive

HERE = f"aws:{harness.TENANT}:{harness.REGION}"


@pytest.fixture
def stack():
    return harness.stack()


def ref(key) -> KeyRef:
    return KeyRef(HERE, id=key.id)


def made(stack, **terms):
    op = ops.CreateKey(
        keyring=KeyringRef(HERE), spec=KEY_SPECS["AES_256"], purpose=Purpose.CIPHER, terms=Terms(**terms)
    )
    return stack.perform(op).key


def test_a_name_given_at_once_is_given_once(stack):
    op = ops.CreateKey(keyring=KeyringRef(HERE), spec=KEY_SPECS["AES_256"], purpose=Purpose.CIPHER, name="n")
    first = stack.perform(op).key
    with pytest.raises(AlreadyExists):
        stack.perform(op)
    assert stack.perform(ops.DescribeKey(key=KeyRef(HERE, name="n"))).key.id == first.id


@pytest.mark.parametrize(
    ("terms", "breach"),
    [({"convergent": True}, Breach.UNDERIVED)],
)
def test_terms_that_cannot_be(stack, terms, breach):
    with pytest.raises(InvalidArgument) as caught:
        made(stack, **terms)
    assert caught.value.detail is breach


def test_only_keys_of_raw_bytes_derive(stack):
    op = ops.CreateKey(
        keyring=KeyringRef(HERE), spec=KEY_SPECS["EC_P256"], purpose=Purpose.SIGNATURE, terms=Terms(derived=True)
    )
    with pytest.raises(InvalidArgument) as caught:
        stack.perform(op)
    assert caught.value.detail is Breach.NOT_DERIVABLE


def test_a_key_that_was_not_made_for_it_is_never_exportable(stack):
    key = stack.key()
    for change in ({"exportable": True}, {"copyable": True}):
        with pytest.raises(Unsupported):
            stack.perform(ops.PutTerms(key=ref(key), **change))
    with pytest.raises(WrongState) as caught:
        stack.perform(ops.ExportKey(key=ref(key), part=ops.Part.CIPHER))
    assert caught.value.detail is Breach.NOT_EXPORTABLE


def test_what_is_given_away_stays_given(stack):
    key = made(stack, every_version=True)
    stack.perform(ops.PutTerms(key=ref(key), exportable=True))
    stack.perform(ops.PutTerms(key=ref(key), exportable=False))
    assert stack.stored(key).terms.exportable


def test_terms_that_stay_as_they_are_are_no_change(stack):
    key = stack.key()
    before = stack.stored(key).revision
    stack.perform(ops.PutTerms(key=ref(key), min_process=1))
    assert stack.stored(key).revision == before


def test_many_uses_are_of_the_one_key_alone(stack):
    key, other = stack.key(), stack.key()
    for item in (
        ops.Encrypt(key=ref(other), plaintext=Sensitive(b"x")),
        ops.Encrypt(key=ref(key), plaintext=Sensitive(b"x"), aad={"a": "b"}),
        ops.Encrypt(key=ref(key), plaintext=Sensitive(b"x"), dry_run=True),
    ):
        with pytest.raises(InvalidArgument):
            stack.perform(ops.EncryptEach(key=ref(key), items=(item,)))


def test_each_has_its_answer_or_its_refusal(stack):
    key = stack.key()
    items = tuple(ops.Encrypt(key=ref(key), plaintext=Sensitive(b"x"), version=n) for n in (0, 1, 2))
    first, second, third = stack.perform(ops.EncryptEach(key=ref(key), items=items))
    assert first.version == second.version == 1
    assert isinstance(third, InvalidArgument) and third.detail is Breach.TOO_NEW
    blobs = tuple(ops.Decrypt(key=ref(key), ciphertext=blob) for blob in (first.ciphertext, first.ciphertext[:-1]))
    opened, closed = stack.perform(ops.DecryptEach(key=ref(key), items=blobs))
    assert opened.plaintext.reveal() == b"x" and isinstance(closed, DecryptionFailed)


def test_very_many_are_not_done_on_the_event_loop(stack):
    key = stack.key()
    items = (ops.Encrypt(key=ref(key), plaintext=Sensitive(b"x")),) * 51
    assert len(stack.perform(ops.EncryptEach(key=ref(key), items=items))) == 51
    stack.on_the_loop()
    assert len(stack.perform(ops.EncryptEach(key=ref(key), items=items[:50]))) == 50
    with pytest.raises(WouldBlock):
        stack.perform(ops.EncryptEach(key=ref(key), items=items))


def test_a_period_that_is_no_number_of_days(stack):
    assert Rotation(period_days=3, next_at=stack.clock.now()).period == timedelta(days=3)
    key = stack.key()
    stack.perform(ops.PutTerms(key=ref(key), rotate_every=5400))
    rotation = stack.stored(key).rotation
    assert (rotation.period, rotation.period_days) == (timedelta(minutes=90), 1)
    stack.perform(ops.PutTerms(key=ref(key), rotate_every=2 * 24 * 3600))
    rotation = stack.stored(key).rotation
    assert (rotation.period, rotation.period_days, rotation.seconds) == (timedelta(days=2), 2, 0)


def test_a_convergent_key_is_one_at_every_door_that_can_name_a_context(stack):
    key = made(stack, derived=True, convergent=True)
    op = ops.Encrypt(key=ref(key), plaintext=Sensitive(b"x"), aad=ops.Derivation(b"context"))
    assert stack.perform(op).ciphertext == stack.perform(op).ciphertext
    for aad in (None, {"a": "b"}, b"bytes", ops.Derivation(b"", b"data")):
        with pytest.raises(InvalidArgument) as caught:
            stack.perform(ops.Encrypt(key=ref(key), plaintext=Sensitive(b"x"), aad=aad))
        assert caught.value.detail is Breach.NO_CONTEXT


def test_a_derived_key_has_no_detached_ciphertexts(stack):
    key = made(stack, derived=True)
    with pytest.raises(InvalidArgument) as caught:
        stack.perform(ops.EncryptDetached(key=ref(key), plaintext=Sensitive(b"x")))
    assert caught.value.detail is Breach.NO_CONTEXT
