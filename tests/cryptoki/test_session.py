"""What a session keeps from one call to the next: room for answers, and a parameter for AES-GCM."""

from ctypes import c_ulong, memmove
from functools import partial

import pytest

from keystead.cryptoki.errors import Failed
from keystead.cryptoki.finding import MOST_TOLD, Where, find, mechanisms
from keystead.cryptoki.mechanisms import Mechanism
from keystead.cryptoki.session import KEPT, LONGEST, SPARE, Session
from keystead.cryptoki.structures import GcmParams
from keystead.cryptoki.words import Cka, Ckm, Ckr


class Answering:
    """A module that answers what it is told to."""

    def __init__(self):
        self.answer, self.length, self.asked = b"", None, []
        self.parameter = None
        begun = dict.fromkeys(("C_EncryptInit", "C_DecryptInit", "C_SignInit"), self.begin)
        used = {function: partial(self.use, function) for function in ("C_Encrypt", "C_Decrypt", "C_Sign")}
        self.functions = begun | used

    def call(self, _function, *args):
        """C_OpenSession."""
        args[-1]._obj.value = 7

    def begin(self, _session, mechanism, _key):
        raw = mechanism._obj
        self.parameter = GcmParams.from_address(raw.parameter) if raw.parameter else None
        return Ckr.OK

    def use(self, function, *args):
        buffer, length = args[-2], args[-1]._obj
        self.asked.append((function, length.value))
        n = len(self.answer) if self.length is None else self.length
        room, length.value = length.value, n
        if n > room:
            return Ckr.BUFFER_TOO_SMALL
        memmove(buffer, self.answer, len(self.answer))
        return Ckr.OK


@pytest.fixture
def module():
    return Answering()


@pytest.fixture
def session(module):
    return Session(module, 0)


AES = Mechanism(Ckm.AES_ECB)


def test_answers_of_any_length_come_back_whole_and_none_is_part_of_another(module, session):
    for n in (KEPT, 80, 0, KEPT - 1, KEPT + 1, 16_100, 1):
        module.answer = bytes([n % 251]) * n
        assert session.encrypt(AES, 1, b"x" * max(0, n - SPARE)) == module.answer
    assert len(module.asked) == 7, "each was asked for once"


def test_where_the_room_is_too_small_it_is_asked_once_more_and_for_no_more_than_there_may_be(module, session):
    module.answer = b"s" * (KEPT + 100)
    assert session.sign(AES, 1, b"x") == module.answer
    assert module.asked == [("C_Sign", KEPT), ("C_Sign", KEPT + 100)]
    for length in (LONGEST + 1, c_ulong(-1).value):
        module.length, module.asked = length, []
        with pytest.raises(Failed) as caught:
            session.sign(AES, 1, b"x")
        assert caught.value.rv == Ckr.BUFFER_TOO_SMALL and len(module.asked) == 1


def test_what_was_opened_does_not_stay_in_the_room(module, session):
    module.answer = b"canary" * 100
    assert session.decrypt(AES, 1, b"x" * 600).reveal() == module.answer
    assert b"can" not in bytes(session._kept)


def test_the_parameter_is_each_time_that_of_the_message(module, session):
    for iv, aad in ((b"i" * 12, b"a" * 55), (b"j" * 16, b""), (b"", b"b" * 300)):
        session.encrypt(session.gcm.with_(iv, aad), 1, b"text")
        parameter = module.parameter
        assert (parameter.iv_length, parameter.iv_bits, parameter.tag_bits) == (len(iv), 8 * len(iv), 128)
        assert (parameter.iv, parameter.aad, parameter.aad_length) == (iv or None, aad or None, len(aad))


class Lying(Answering):
    """A module that says everything is well, and tells of lengths that nothing has."""

    length: int

    def try_call(self, function, *args):
        self.asked.append(function)
        if function == "C_GetAttributeValue":
            for row in args[2]:
                row.length = self.length
        else:
            args[-1]._obj.value = self.length
        return Ckr.OK


@pytest.mark.parametrize("length", [LONGEST + 1, 1 << 40, c_ulong(-2).value])
def test_an_attribute_that_is_longer_than_any_is_not_asked_for(length):
    """Nothing is set aside for what a module claims to have."""
    module = Lying()
    session, module.length = Session(module, 0), length
    with pytest.raises(Failed):
        session.attributes(1, (Cka.LABEL, Cka.ID))
    assert module.asked == ["C_GetAttributeValue"]


@pytest.mark.parametrize("n", [KEPT + 1, c_ulong(-1).value])
def test_what_others_were_answered_is_in_no_answer(n):
    """A module that says it has written more than there was room for."""
    module = Lying()
    session, module.length = Session(module, 0), n
    session._kept.value = b"canary"
    with pytest.raises(Failed):
        session.encrypt(AES, 1, b"x")


@pytest.mark.parametrize("n", [MOST_TOLD + 1, 1 << 40])
def test_a_list_that_is_longer_than_any_is_not_read(n):
    class Counting(Answering):
        def call(self, function, *args):
            assert args[-2] is None, "no room is made for it"
            args[-1]._obj.value = n

    with pytest.raises(Failed):
        mechanisms(Counting(), 0)
    with pytest.raises(Failed):
        find(Counting(), Where(label="x"))
