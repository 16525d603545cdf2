"""What a token says that it has room for, of sessions and of objects: it is not asked for more than that."""

import os
import threading
import time

import pytest
from msgspec.structs import replace
from tests import softhsm
from tests.waiting import ended

from keystead.core.algorithms import KEY_SPECS, MessageForm, Purpose
from keystead.core.envelope import NO_AAD
from keystead.core.errors import LimitExceeded, Unavailable, Unsupported
from keystead.core.sensitive import Sensitive
from keystead.cryptoki import connection
from keystead.cryptoki.session import Session
from keystead.cryptoki.words import Cka
from keystead.providers.pkcs11 import Pkcs11Provider, objects
from keystead.providers.software import SoftwareProvider
from keystead.seals.base import Surroundings
from keystead.seals.pkcs11 import Pkcs11Plan
from keystead.slots.pkcs11 import Pkcs11Slot

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


def says(monkeypatch, **facts):
    """Every token says so of itself."""
    look, find = connection.finding.look, connection.finding.find
    monkeypatch.setattr(connection.finding, "look", lambda *args: replace(look(*args), **facts))
    monkeypatch.setattr(connection.finding, "find", lambda *args: replace(find(*args), **facts))


@pytest.fixture
def opened(monkeypatch):
    """How many sessions there are, and how many there were at once."""
    n, lock, opening, closing = {"now": 0, "most": 0}, threading.Lock(), Session.__init__, Session.close

    def counted(session, *args):
        opening(session, *args)
        with lock:
            n["now"] += 1
            n["most"] = max(n["most"], n["now"])

    def closed(session):
        closing(session)
        with lock:
            n["now"] -= 1

    monkeypatch.setattr(Session, "__init__", counted)
    monkeypatch.setattr(Session, "close", closed)
    return n


def together(token, n, act):
    answers = []

    def run():
        try:
            answers.append(token.run(act))
        except Exception as error:  # noqa: BLE001 - it is looked at
            answers.append(error)

    threads = [threading.Thread(target=run) for _ in range(n)]
    for thread in threads:
        thread.start()
    ended(*threads)
    return answers


def test_no_more_sessions_are_opened_than_the_token_allows(monkeypatch, opened):
    says(monkeypatch, most_sessions=3)
    token, two = softhsm.open_token(sessions=8, wait_for=60.0), threading.Barrier(2)

    def act(desk):
        two.wait(60)  # both sessions are in use
        return len(desk.session.random(8))

    answers = together(token, 8, act)
    assert answers == [8] * 8 and opened["most"] == 3  # the login's, and two
    token.close()


def test_one_that_went_bad_makes_room_for_another(monkeypatch, opened):
    says(monkeypatch, most_sessions=2)
    token = softhsm.open_token(sessions=4)

    def bad(desk):
        time.sleep(0.05)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        token.run(bad)

    def fails():
        with pytest.raises(KeyboardInterrupt):
            token.run(bad)

    failing = threading.Thread(target=fails)
    failing.start()
    time.sleep(0.01)
    assert len(token.random(8)) == 8  # it waits for the one, which is closed
    ended(failing)
    assert opened["most"] == 2
    token.close()


def test_who_waits_in_vain_hears_what_it_was(monkeypatch):
    says(monkeypatch, most_sessions=2)
    token = softhsm.open_token(sessions=4, wait_for=0.1)
    inside, leave = threading.Event(), threading.Event()
    holder = threading.Thread(target=token.run, args=(lambda _: (inside.set(), leave.wait(60)),))
    holder.start()
    assert inside.wait(60)
    with pytest.raises(Unavailable, match="SESSION_COUNT"):
        token.random(8)
    leave.set()
    ended(holder)
    token.close()


def test_a_token_of_one_session_is_refused_with_the_reason(monkeypatch):
    says(monkeypatch, most_sessions=1)
    with pytest.raises(Unsupported, match="allows 1 session of a process; it takes 2"):
        softhsm.open_token().info()


@pytest.mark.parametrize("spec", ["AES_256", "HMAC_256", "EC_P256", "ED25519"])
def test_nothing_takes_a_second_session_while_it_has_one(monkeypatch, spec):
    """With one session beside the login's, and in a process that knows nothing of the token or the key yet."""
    says(monkeypatch, most_sessions=2)
    token, row = softhsm.open_token(wait_for=0.2), KEY_SPECS[spec]
    its, imported = os.urandom(16).hex(), os.urandom(16).hex()
    made = Pkcs11Provider(token, os.urandom).generate(row, its)
    Pkcs11Provider(token, os.urandom).register(row, SoftwareProvider(os.urandom).generate(row).material, imported)
    key = Pkcs11Provider(token, os.urandom).load(row, made.material, key_id=KEY_ID, version=1)
    algorithm = row.default(row.purposes[0])
    if algorithm.purpose is Purpose.CIPHER:
        assert key.decrypt(algorithm, key.encrypt(algorithm, Sensitive(b"m"), NO_AAD), NO_AAD).reveal() == b"m"
    elif algorithm.purpose is Purpose.MAC:
        assert key.verify_mac(algorithm, b"m", key.mac(algorithm, b"m"))
    else:
        assert key.verify(algorithm, b"m", key.sign(algorithm, b"m", MessageForm.RAW), MessageForm.RAW)
    assert Pkcs11Provider(token, os.urandom).facts(row, made.material)["local"] == "true"
    for name in (its, imported):
        Pkcs11Provider(token, os.urandom).destroy(name)
    assert token.names({Cka.TOKEN: True}) == []
    token.close()


def test_a_seal_and_a_slot_do_with_one_session_too(monkeypatch, tmp_path):
    says(monkeypatch, most_sessions=2)
    token = softhsm.open_token(wait_for=0.2)
    devices = type("Devices", (), {"token": lambda self, name: token})()
    at = Surroundings(tmp_path, devices, os.urandom)
    seal = Pkcs11Plan("box").make(Sensitive(bytes(32)), at).seal(at)
    assert seal.around(seal.open(())).seal(at).open(()).reveal() == bytes(32)
    slot = Pkcs11Slot("pkcs11:box", token, "00" * 8, os.urandom)
    generation = slot.stage(Sensitive(b"c"))
    assert slot.give(generation, Sensitive(b"c")) is not None
    slot.retire(None)
    seal.discard()
    assert token.names({Cka.TOKEN: True}) == []
    token.close()


# --- objects


def test_nothing_is_made_where_there_is_no_room_for_it(monkeypatch, tmp_path):
    token = softhsm.open_token()
    provider, software = Pkcs11Provider(token, os.urandom), SoftwareProvider(os.urandom)
    for spec in ("AES_256", "RSA_2048", "EC_P256"):
        assert provider.offers(KEY_SPECS[spec])
    says(monkeypatch, free_memory=200, memory=10_000)
    for spec in ("AES_256", "RSA_2048", "EC_P256"):
        its, row = os.urandom(16).hex(), KEY_SPECS[spec]
        with pytest.raises(LimitExceeded, match="200 of 10000 bytes are free") as caught:
            provider.generate(row, its)
        assert caught.value.detail == "hsm_room"
        with pytest.raises(LimitExceeded):
            provider.register(row, software.generate(row).material, its)
    devices = type("Devices", (), {"token": lambda self, name: token})()
    monkeypatch.setattr("keystead.seals.pkcs11.KEY_BYTES", 201)
    with pytest.raises(LimitExceeded):
        Pkcs11Plan("box").make(Sensitive(bytes(32)), Surroundings(tmp_path, devices, os.urandom))
    assert token.names({Cka.TOKEN: True}) == []
    token.close()


@pytest.mark.parametrize(
    "told", [{"free_memory": None}, {"free_memory": 0, "memory": 0}, {"free_memory": 9, "memory": 5}]
)
def test_what_a_token_does_not_tell_or_cannot_be_stops_nobody(monkeypatch, told):
    token = softhsm.open_token()
    says(monkeypatch, **told)
    assert Pkcs11Provider(token, os.urandom).generate(KEY_SPECS["AES_256"], os.urandom(16).hex()).material
    token.close()


def test_larger_keys_take_more():
    sizes = [objects.room(KEY_SPECS[spec]) for spec in ("AES_128", "AES_256", "EC_P256", "RSA_2048", "RSA_4096")]
    assert sizes == sorted(sizes) and sizes[-1] > 5 * 512
