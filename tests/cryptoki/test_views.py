"""What a token does not show, and whether it is believed. SoftHSM2 2.6.1 hides objects from a process; see Views."""

import os
import struct
import subprocess
import sys

import pytest
from tests import softhsm
from tests.cryptoki.test_token import AES, make, seal, unseal

from keystead.core.algorithms import KEY_SPECS
from keystead.core.errors import InvalidArgument, NotFound, Unavailable, Unsupported
from keystead.core.sensitive import Sensitive
from keystead.cryptoki import recovery, templates
from keystead.cryptoki.connection import Connection, Name, told
from keystead.cryptoki.errors import Failed
from keystead.cryptoki.mechanisms import Mechanism
from keystead.cryptoki.module import Module
from keystead.cryptoki.recovery import STARTS
from keystead.cryptoki.session import Session
from keystead.cryptoki.views import BELIEVED_FOR, BURST, MOST_NAMES, Views
from keystead.cryptoki.words import Cka, Ckm, Cko, Ckr
from keystead.providers.pkcs11 import Pkcs11Provider, checks
from keystead.providers.pkcs11.handle import LABEL
from keystead.providers.pkcs11.provider import ATTEMPTS
from keystead.slots.pkcs11 import Pkcs11Slot

SECRET = KEY_SPECS["AES_256"]
ANOTHER_MAKES = """
import sys
from tests.cryptoki.test_token import make
from tests.softhsm import open_token
print(make(open_token(sys.argv[1])).id.hex())
"""


@pytest.fixture(scope="module")
def label():
    return softhsm.new_token()


@pytest.fixture
def token(label):
    made = softhsm.open_token(label)
    yield made
    made.close()


def files() -> set:
    return {file for file in softhsm.tokens().glob("*/*.object") if file.name != "token.object"}


def hide(token, name, file) -> None:
    """As a look does that cannot open the object's file: SoftHSM2 never shows it again to this process."""
    away = file.with_suffix(".away")
    file.rename(away)
    assert shown(token, name) == 0
    away.rename(file)
    assert shown(token, name) == 0


def shown(token, name) -> int:
    return token.run(lambda desk: len(desk.session.find(name.template())))


def hidden(token) -> tuple:
    """(its name, its file)"""
    before = files()
    name = make(token)
    (file,) = files() - before
    hide(token, name, file)
    token.run(lambda desk: desk.connection.forget(name))
    return name, file


def epoch() -> int:
    return Module.open(softhsm.module()).epoch


# --- SoftHSM2


def test_what_another_process_made_before_this_one_made_something_is_found(token, label):
    """SoftHSM2 takes over the other's number with its own, and does not look again."""
    own = {**AES, Cka.ID: os.urandom(8), Cka.LABEL: "k"}
    make(token)
    command = [sys.executable, "-c", ANOTHER_MAKES, label]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    name = Name(Cko.SECRET_KEY, bytes.fromhex(made), "k")
    token.run(lambda desk: desk.session.generate(Mechanism(Ckm.AES_KEY_GEN), own))  # `once` would look before
    assert shown(token, name) == 0, "SoftHSM2 has become better: cryptoki.views may go"
    assert unseal(token, name, seal(token, name)) == b"hello"
    assert token.destroy(name) and not token.has(name)


def test_a_hidden_object_is_used(token):
    name, _ = hidden(token)
    assert unseal(token, name, seal(token, name)) == b"hello"


def test_a_hidden_object_is_destroyed(token):
    """Else a destruction would be acknowledged, and the object there in the next process."""
    name, file = hidden(token)
    assert token.destroy(name) and not file.exists()


def test_a_generation_of_a_slot_that_is_asked_for_by_its_name_is_listed_again(token):
    """Else the next destruction would leave it in the token, and say that it was erased (service.slots)."""
    slot, before = Pkcs11Slot("pkcs11:box", token, os.urandom(8).hex(), os.urandom), files()
    generation = slot.stage(Sensitive(b"c"))
    (file,) = files() - before
    name = slot._named(bytes.fromhex(generation))
    hide(token, name, file)
    token.run(lambda desk: desk.connection.forget(name))
    assert slot.generations() == frozenset()
    assert slot.give(generation, Sensitive(b"c")) is not None
    assert slot.generations() == {generation}
    slot.retire(None)
    assert not file.exists()


def test_an_object_that_could_not_be_erased_is_not_taken_for_erased(token, monkeypatch):
    before = files()
    name = make(token)
    (file,) = files() - before

    def fails(session, handle):
        monkeypatch.undo()
        hide(token, name, file)  # as SoftHSM2 does with one that it did not come to unlink
        raise Failed("C_DestroyObject", Ckr.FUNCTION_FAILED)

    token.claim(name)
    monkeypatch.setattr(Session, "destroy", fails)
    assert token.destroy(name) and not file.exists()


def test_an_object_that_lost_its_word_of_staying_is_found_and_destroyed(token):
    """SoftHSM2 writes CKA_TOKEN false of an object that another thread looks at while it is made. One that an earlier
    version took for good was never found again: its destruction was acknowledged, and the key stayed in the token.
    """
    before = files()
    name = make(token)
    (file,) = files() - before
    number, rest = file.read_bytes()[:8], file.read_bytes()[8:]
    stays = struct.pack(">QQ", Cka.TOKEN, 1) + b"\xff"
    assert rest.count(stays) == 1
    file.write_bytes((int.from_bytes(number, "big") + 1).to_bytes(8, "big") + rest.replace(stays, stays[:-1] + b"\0"))
    assert token.attributes(name, [Cka.TOKEN]) == {Cka.TOKEN: False}
    assert token.destroy(name) and not file.exists()


@pytest.mark.parametrize(
    "told",
    [
        {Cka.TOKEN: False},
        {Cka.ID: b""},
        {Cka.LABEL: b""},
        {Cka.CLASS: Cko.PUBLIC_KEY},
        {Cka.EXTRACTABLE: True},
        {Cka.SENSITIVE: False},
        {Cka.DECRYPT: False},
        Failed("C_GetAttributeValue", Ckr.OBJECT_HANDLE_INVALID),
        Failed("C_GetAttributeValue", Ckr.ATTRIBUTE_VALUE_INVALID),
    ],
    ids=str,
)
@pytest.mark.parametrize("spec", ["AES_256", "EC_P256"])
def test_what_is_not_made_as_asked_is_erased_and_made_once_more(token, monkeypatch, told, spec):
    if spec == "EC_P256" and told == {Cka.DECRYPT: False}:
        return  # which it was not to do
    provider, name, before = Pkcs11Provider(token, os.urandom), os.urandom(16).hex(), files()
    provider.offers(KEY_SPECS[spec])
    of, wrong = Session.attributes, [told]

    def attributes(session, handle, names):
        found = of(session, handle, names)
        if names != templates.ASKED or not wrong:
            return found
        if isinstance(wrong[0], Failed):
            raise wrong.pop()
        return found | wrong.pop()

    monkeypatch.setattr(Session, "attributes", attributes)
    provider.generate(KEY_SPECS[spec], name)
    assert not wrong and len(files() - before) == 1, "nothing of the first one is left, nor a public half"
    provider.destroy(name)
    assert files() == before


def test_what_was_not_there_before_it_was_made_is_looked_for_anew(token):
    """Else a hidden object was believed to be gone, since there was none of its name once."""
    provider, name, before = Pkcs11Provider(token, os.urandom), os.urandom(16).hex(), files()
    provider.destroy(name)
    provider.generate(SECRET, name)
    (file,) = files() - before
    own = Name(None, bytes.fromhex(name), LABEL)
    hide(token, own, file)
    provider.destroy(name)
    assert not file.exists()


@pytest.mark.parametrize("rv", [Ckr.TEMPLATE_INCONSISTENT, Ckr.KEY_FUNCTION_NOT_PERMITTED, Ckr.OBJECT_HANDLE_INVALID])
def test_a_key_that_fails_twice_after_it_was_made_is_unavailable_and_destroyed(token, monkeypatch, rv):
    """Neither unsupported, nor misused: such keys were tried. And it may be there."""
    provider, name, before = Pkcs11Provider(token, os.urandom), os.urandom(16).hex(), files()
    provider.offers(SECRET)

    def fails(session, key, how):
        raise Failed("C_EncryptInit", rv)

    monkeypatch.setattr(checks, "value", fails)
    with pytest.raises(Unavailable):
        provider.generate(SECRET, name)
    (file,) = files() - before
    hide(token, Name(None, bytes.fromhex(name), LABEL), file)
    provider.destroy(name)
    assert files() == before


# --- a spell that another thread has just ended


def ended_spell(token) -> Connection:
    """What is opened on it now is nobody's."""
    ended = token.run(lambda desk: desk.connection)
    ended.drop()
    return ended


def test_a_public_session_shows_nothing_and_is_not_believed(token):
    name, ended = make(token), ended_spell(token)
    with ended.module.within():
        session = ended.take(1.0)
        assert session.find(name.template()) == [] and not session.is_the_users()
        assert not ended.shows_all(session)
        ended.is_lost = False  # as a token does that logs out by itself
        assert ended.is_there() and not ended.shows_all(session)
        session.close()


def ends_while_waiting(token, monkeypatch) -> list:
    """The first session that is taken from now on is of a spell that has just been dropped."""
    taken, take = [], Connection.take

    def late(connection, wait_for):
        if not taken:
            connection.drop()
        taken.append(1)
        return take(connection, wait_for)

    monkeypatch.setattr(Connection, "take", late)
    return taken


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda token, name: token.destroy(name), True),
        (lambda token, name: token.has(name), True),
        (lambda token, name: token.names({Cka.ID: name.id, Cka.TOKEN: True}) == [name], True),
        (lambda token, name: unseal(token, name, seal(token, name)), b"hello"),
    ],
    ids=["destroy", "has", "names", "use"],
)
def test_what_is_asked_when_a_spell_ends_is_asked_in_the_next(token, monkeypatch, ask, answer):
    """Else a destruction was acknowledged of an object that stayed, once in some runs with faults."""
    name, before = make(token), epoch()
    token.run(lambda desk: desk.connection.forget(name))
    token.claim(name)  # nor does it help that the module's view is whole
    taken = ends_while_waiting(token, monkeypatch)
    assert ask(token, name) == answer and len(taken) > 1
    assert epoch() == before, "and not a module that is started anew"


def test_what_was_not_shown_when_a_spell_ended_is_looked_for_in_the_next(token, monkeypatch):
    """The same, with the spell ended between the look and the answer."""
    name, looked, find = make(token), [], Session.find
    token.claim(name)

    def blind(session, template, most=2):
        looked.append(1)
        if len(looked) == 1:
            token._connection.drop()
            return []
        return find(session, template, most)

    monkeypatch.setattr(Session, "find", blind)
    assert token.destroy(name) and len(looked) == 2


def test_a_session_that_comes_back_when_its_spell_ends_is_closed(token, monkeypatch):
    connection = token.run(lambda desk: desk.connection)
    with connection.module.within():
        session, closed = connection.take(1.0), []

        class Late(list):
            def append(self, one):
                connection.is_lost = True  # between the question and the keeping
                super().append(one)

        connection._free = Late()
        close = Session.close
        monkeypatch.setattr(Session, "close", lambda one: closed.append(one) or close(one))
        connection.give(session, good=True)
        assert closed == [session] and connection._free == []


# --- what is believed


def test_what_is_not_there_is_looked_for_anew_once(token):
    before, name = epoch(), Name(Cko.SECRET_KEY, os.urandom(8), "k")
    for _ in range(3):
        assert not token.has(name) and not token.destroy(name)
        with pytest.raises(NotFound):
            seal(token, name)
    assert epoch() == before + 1


def test_a_key_that_is_refused_is_nobodys_and_not_looked_for(token, monkeypatch):
    provider, name = Pkcs11Provider(token, os.urandom), os.urandom(16).hex()
    provider.offers(SECRET)
    before = epoch()
    with pytest.raises(Unsupported):
        provider.generate(KEY_SPECS["CHACHA20"], name)
    provider.destroy(name)
    assert epoch() == before


def test_a_key_that_failed_without_a_word_is_looked_for(token, monkeypatch):
    provider, name = Pkcs11Provider(token, os.urandom), os.urandom(16).hex()
    provider.offers(SECRET)
    before, asked = epoch(), []

    def fails(*_):
        asked.append(1)
        raise Failed("C_GenerateKey", Ckr.GENERAL_ERROR)

    monkeypatch.setattr(Session, "generate", fails)
    with pytest.raises(Unavailable):
        provider.generate(SECRET, name)
    assert (epoch(), len(asked)) == (before + ATTEMPTS - 1, ATTEMPTS)


def test_a_pair_that_does_not_tell_its_public_half_is_made_once_more(token, monkeypatch):
    """SoftHSM2 tells nothing of an object while another thread reads it from its file."""
    provider, name = Pkcs11Provider(token, os.urandom), os.urandom(16).hex()
    provider.offers(KEY_SPECS["EC_P256"])
    told_of, blank = Session.attributes, [{Cka.EC_POINT: b""}]
    monkeypatch.setattr(Session, "attributes", lambda *args: blank.pop() if blank else told_of(*args))
    made = provider.generate(KEY_SPECS["EC_P256"], name)
    assert made.public_key and not blank
    found = token.names({Cka.TOKEN: True, Cka.ID: bytes.fromhex(name)})
    assert [one.kind for one in found] == [Cko.PRIVATE_KEY], "the first one is gone, and the public half too"


def test_looking_anew_is_rationed(label):
    now = [0.0]
    token = softhsm.open_token(label, clock=lambda: now[0])
    for _ in range(BURST):
        assert not token.has(Name(Cko.SECRET_KEY, os.urandom(8), "k"))
    name, _ = hidden(token)
    before = epoch()
    with pytest.raises(Unavailable) as caught:  # neither there nor gone
        token.has(name)
    assert (caught.value.detail, epoch(), token.trouble) == ("view", before, "")
    now[0] += 2.0
    assert token.has(name)
    token.close()


def test_many_that_are_not_there_are_settled_by_one_start(label):
    """What was asked for in vain is told by whatever start comes after it."""
    now = [0.0]
    token = softhsm.open_token(label, clock=lambda: now[0])
    names = [Name(Cko.SECRET_KEY, os.urandom(8), "k") for _ in range(3 * BURST)]
    for name in names[BURST:]:
        token.note(name)  # no session yet: nothing to go by
    assert [token.destroy(name) for name in names[:BURST]] == [False] * BURST
    for name in names[BURST:]:
        with pytest.raises(Unavailable):
            token.destroy(name)
    now[0] += 1.0
    before = epoch()
    assert [token.destroy(name) for name in names[BURST:]] == [False] * 2 * BURST
    assert epoch() == before + 1
    token.close()


def test_where_the_module_is_somebody_elses_what_it_shows_counts(token, monkeypatch):
    name, _ = hidden(token)
    monkeypatch.setattr(Module, "may_restart", property(lambda _: False))
    assert not token.has(name)


def test_a_ration_is_refilled_slowly_where_a_start_takes_long():
    now = [0.0]
    views = Views(lambda: now[0])
    assert sum(views.may_restart() for _ in range(2 * BURST)) == BURST
    views.restarted(3.0)
    now[0] += 59.0
    assert not views.may_restart()
    now[0] += 2.0
    assert views.may_restart() and not views.may_restart()


def test_what_was_believed_is_doubted_after_a_while_and_names_are_bounded():
    now, name = [0.0], Name(Cko.SECRET_KEY, b"1", "k")
    views = Views(lambda: now[0])
    assert not views.is_whole(name, 1, 1) and views.is_whole(name, 2, 1)
    assert views.is_whole(name, 2, 2) and views.is_whole(name, 3, 3)
    views.doubt(name)
    assert not views.is_whole(name, 3, 3)
    views.believe(name, 3)
    now[0] += BELIEVED_FOR
    assert not views.is_whole(name, 3, 3)
    views.believe(name, 3)
    for n in range(MOST_NAMES):
        views.believe(Name(None, n.to_bytes(4, "big"), "k"), 3)
    assert not views.is_whole(name, 3, 3)


# --- a token that another process is logging into


def test_a_token_that_is_just_being_written_is_not_lost(token, label, monkeypatch):
    """SoftHSM2 rewrites token.object at every login, and another process finds it empty."""
    before = files()
    name = make(token)
    (file,) = {one.parent / "token.object" for one in files() - before}
    whole, slept = file.read_bytes(), []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == len(STARTS):
            file.write_bytes(whole)

    monkeypatch.setattr(recovery.time, "sleep", sleep)
    file.write_bytes(b"")
    token.close()
    Module.open(softhsm.module()).restart(epoch())
    assert token.has(name) and token.trouble == ""
    assert slept == list(STARTS)


def test_a_making_begins_with_a_look_at_the_token_and_is_not_cut_short(token, monkeypatch):
    looks = []
    monkeypatch.setattr(Connection, "is_there", lambda _: looks.append(1) or len(looks) > 1)
    name = Name(Cko.SECRET_KEY, os.urandom(8), "k")
    template = {**AES, Cka.ID: name.id, Cka.LABEL: name.label}
    token.run(lambda desk: desk.session.generate(Mechanism(Ckm.AES_KEY_GEN), template), once=True)
    assert len(looks) == 2 and token.has(name)


# --- names


def test_an_object_that_tells_another_name_than_it_was_found_by_is_not_believed():
    found = {Cka.CLASS: Cko.SECRET_KEY, Cka.ID: b"1", Cka.LABEL: b"k"}
    assert told(found, {Cka.LABEL: "k", Cka.TOKEN: True}) == Name(Cko.SECRET_KEY, b"1", "k")
    for blank in ({Cka.ID: b""}, {Cka.LABEL: b""}, {Cka.CLASS: 0}):
        with pytest.raises(Failed):
            told({**found, **blank}, {Cka.LABEL: "k", Cka.ID: b"1", Cka.CLASS: Cko.SECRET_KEY})


def test_a_key_is_destroyed_by_its_own_name_whatever_its_class(token):
    """And nothing else: an object is not asked how it is called before it is erased."""
    provider, other = Pkcs11Provider(token, os.urandom), make(token)
    for spec in ("AES_256", "EC_P256"):
        name = os.urandom(16).hex()
        provider.generate(KEY_SPECS[spec], name)
        assert [one.id.hex() for one in token.names({Cka.LABEL: LABEL, Cka.ID: bytes.fromhex(name)})] == [name]
        provider.destroy(name)
        assert token.names({Cka.LABEL: LABEL, Cka.ID: bytes.fromhex(name)}) == []
    assert token.has(other)


def test_without_a_name_nothing_is_destroyed(token):
    other = make(token)
    with pytest.raises(InvalidArgument):
        token.destroy(Name(None, b""))
    assert token.has(other)
