"""A token without AES-GCM: AES-CBC and HMAC, encrypt-then-MAC, with two keys; the seal and the slot in such a token."""

import os

import pytest
from msgspec.structs import replace
from tests import softhsm, yubihsm
from tests.doors.aws_kms.managing import ask, wait
from tests.doors.aws_kms.managing import made as made_by
from tests.harness import b64, stack

from keystead.core import etm
from keystead.core.algorithms import ALGORITHMS, KEY_SPECS
from keystead.core.envelope import NO_AAD, peek, typed_aad
from keystead.core.errors import Conflict, DecryptionFailed, LimitExceeded, Unavailable, Unsupported
from keystead.core.inside import ZEROS, Form
from keystead.core.sensitive import Sensitive
from keystead.crypto import etm as software
from keystead.crypto.kdf import hkdf
from keystead.cryptoki import connection
from keystead.cryptoki.connection import Name
from keystead.cryptoki.errors import Failed
from keystead.cryptoki.finding import Where
from keystead.cryptoki.session import Session
from keystead.cryptoki.token import Token
from keystead.cryptoki.words import Cka, Ckm, Cko, Ckr
from keystead.providers.pkcs11 import Pkcs11Provider, beside, objects
from keystead.providers.pkcs11.handle import BESIDE, CBC, PASSING, unpack
from keystead.providers.pkcs11.trials import tried
from keystead.seals.base import Surroundings
from keystead.seals.pkcs11 import Pkcs11Plan
from keystead.service.erasures import Erasures
from keystead.service.hsmnotes import MemoryNotes
from keystead.service.hsms import Hsms
from keystead.slots.pkcs11 import Pkcs11Slot

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
GCM, AES = ALGORITHMS["AES_GCM"], KEY_SPECS["AES_256"]


@pytest.fixture(scope="module")
def patched():
    with pytest.MonkeyPatch.context() as patch:
        yubihsm.pretend(patch)
        yield patch


@pytest.fixture(scope="module")
def token(patched):
    made = softhsm.open_token()
    yield made
    made.close()


@pytest.fixture(scope="module")
def provider(token):
    return Pkcs11Provider(token, os.urandom)


def name():
    return os.urandom(16).hex()


def load(provider, made, version=1, spec=AES):
    return provider.load(spec, made.material, key_id=KEY_ID, version=version)


@pytest.fixture(scope="module")
def its():
    return name()


@pytest.fixture(scope="module")
def made(provider, its):
    return provider.generate(AES, its)


@pytest.fixture(scope="module")
def key(provider, made):
    return load(provider, made)


def test_what_is_tried_and_found(provider, token):
    for spec in ("AES_256", "AES_128"):
        outcome = provider.abilities.require(KEY_SPECS[spec], "AES_GCM")
        assert (outcome.mechanism, outcome.mode, outcome.check, outcome.longest) == (
            Ckm.AES_CBC,
            "cbc-hmac",
            "ecb",
            1024,
        )
    for size in (256, 384, 512):
        assert provider.offers(KEY_SPECS[f"HMAC_{size}"]) == {f"HMAC_SHA{size}"}
    assert provider.offers(KEY_SPECS["HMAC_224"]) == frozenset()
    assert token.names({Cka.TOKEN: True, Cka.LABEL: PASSING}) == []


def test_two_objects_that_never_show_themselves(provider, token, made, its):
    found = token.names({Cka.ID: bytes.fromhex(its)})
    assert sorted((one.kind, one.label) for one in found) == [(Cko.SECRET_KEY, CBC), (Cko.SECRET_KEY, BESIDE)]
    assert not any(token.attributes(one, (Cka.VALUE,)) for one in found)
    facts = provider.facts(AES, made.material)
    words = ("local", "sensitive", "always_sensitive", "never_extractable", "extractable")
    assert [facts[word] for word in words] == [*["true"] * 4, "false"]
    assert len(bytes.fromhex(facts["mac_check_value"])) == 3 and facts["check_value"] != facts["mac_check_value"]


@pytest.mark.parametrize("n", [0, 1, 15, 16, 1024 - 32, 1024 - 31, 100_000])
def test_every_size(key, n):
    text, aad = os.urandom(n), typed_aad({"a": "1"})
    blob = key.encrypt(GCM, Sensitive(text), aad)
    assert peek(blob) == (KEY_ID, 1)
    assert blob[22:24] == bytes([Form.DIRECT_CBC if n + 32 <= 1024 else Form.KEYED_CBC, 16])
    assert key.decrypt(GCM, blob, aad).reveal() == text
    for at in (0, 2, 18, 22, 23, 24, 39, 40, len(blob) // 2, len(blob) - 33, len(blob) - 32, len(blob) - 1):
        for bit in (0, 7):
            bad = bytearray(blob)
            bad[at] ^= 1 << bit
            with pytest.raises(DecryptionFailed) as caught:
                key.decrypt(GCM, bytes(bad), aad)
            assert str(caught.value) == "the ciphertext does not open"
    for other in (NO_AAD, typed_aad({"a": "2"})):
        with pytest.raises(DecryptionFailed):
            key.decrypt(GCM, blob, other)
    for cut in (blob[:-1], blob[:-16], blob + bytes(16), blob[:40], b""):
        with pytest.raises(DecryptionFailed):
            key.decrypt(GCM, cut, aad)


def test_what_a_ciphertext_is(provider):
    """Opened in software from the words of core.inside and core.etm alone; and what software seals opens in the HSM."""
    material = os.urandom(32)
    key = load(provider, provider.register(AES, Sensitive(material), name()), version=7)
    blob = key.encrypt(GCM, Sensitive(b"text"), NO_AAD)
    digest = key._inside.bound(Form.DIRECT_CBC, NO_AAD)
    assert digest[:23] == blob[:23]
    mac = hkdf(material, b"keystead/hsm-mac/v1")
    assert software.opened(material, mac, blob[24:40], blob[40:], digest) == ZEROS + b"text"
    theirs = software.seal(material, mac, blob[24:40], ZEROS + b"other", digest)
    assert key.decrypt(GCM, blob[:40] + theirs, NO_AAD).reveal() == b"other"
    uncommitted = software.seal(material, mac, blob[24:40], b"\1" + ZEROS[1:] + b"other", digest)
    with pytest.raises(DecryptionFailed):
        key.decrypt(GCM, blob[:40] + uncommitted, NO_AAD)


def test_material_that_is_brought_in_again_opens_what_it_has_sealed(provider):
    material = Sensitive(os.urandom(32))
    one, other = (load(provider, provider.register(AES, material, name())) for _ in range(2))
    assert other.decrypt(GCM, one.encrypt(GCM, Sensitive(b"m"), NO_AAD), NO_AAD).reveal() == b"m"


def test_nothing_is_deciphered_before_the_tag_is_right(key, monkeypatch):
    blob = bytearray(key.encrypt(GCM, Sensitive(b"m"), NO_AAD))
    blob[-1] ^= 1
    monkeypatch.setattr(Session, "decrypt", lambda *_: pytest.fail("deciphered"))
    with pytest.raises(DecryptionFailed):
        key.decrypt(GCM, bytes(blob), NO_AAD)


def test_padding_that_the_tag_vouches_for_and_is_none():
    for text in (b"", bytes(16), b"\x11" * 32, bytes(15) + b"\2"):
        with pytest.raises(DecryptionFailed):
            etm.unpadded(text)
    for n in range(33):
        assert etm.unpadded(etm.padded(bytes(n))) == bytes(n) and len(etm.padded(bytes(n))) % 16 == 0


def test_both_are_destroyed_and_nothing_of_others(provider, token):
    its, other = name(), name()
    for one in (its, other):
        provider.generate(AES, one)
    provider.destroy(its)
    provider.destroy(its)
    assert token.names({Cka.ID: bytes.fromhex(its)}) == [] and len(token.names({Cka.ID: bytes.fromhex(other)})) == 2


@pytest.mark.parametrize("label", [CBC, BESIDE])
def test_a_destruction_is_not_acknowledged_while_one_of_the_two_is_hidden(provider, token, monkeypatch, label):
    """SoftHSM2 hides objects from a process until its module is started anew (cryptoki.views)."""
    its, find = name(), Session.find
    provider.generate(AES, its)
    epoch = token._connection.module.epoch

    def hides(session, template, *more):
        is_hidden = template.get(Cka.LABEL) == label and session._module.epoch == epoch
        return [] if is_hidden else find(session, template, *more)

    monkeypatch.setattr(Session, "find", hides)
    provider.destroy(its)
    monkeypatch.setattr(Session, "find", find)
    assert token.names({Cka.ID: bytes.fromhex(its)}) == []


def test_where_now_one_and_now_the_other_of_the_two_is_hidden_nothing_is_acknowledged(patched, monkeypatch):
    """What a look has said of the one is no word about the other."""
    token = softhsm.open_token()  # its own: how often a module is started anew is counted (cryptoki.views)
    provider, its, find, looks = Pkcs11Provider(token, os.urandom), name(), Session.find, []
    provider.generate(AES, its)

    def flickers(session, template, *more):
        if template.get(Cka.LABEL) not in {CBC, BESIDE}:
            return find(session, template, *more)
        looks.append(template[Cka.LABEL])
        hidden = BESIDE if len(looks) <= 4 else CBC  # twice the one, and then the other
        return [] if looks[-1] == hidden else find(session, template, *more)

    monkeypatch.setattr(Session, "find", flickers)
    with pytest.raises(Unavailable, match="shows now one and now the other"):
        provider.destroy(its)
    monkeypatch.setattr(Session, "find", find)
    assert len(token.names({Cka.ID: bytes.fromhex(its)})) == 2
    provider.destroy(its)
    assert token.names({Cka.ID: bytes.fromhex(its)}) == []
    token.close()


@pytest.mark.parametrize("label", [CBC, BESIDE])
def test_what_a_crash_left_of_the_two_is_destroyed(provider, token, label):
    its = name()
    provider.generate(AES, its)
    token.destroy(Name(Cko.SECRET_KEY, bytes.fromhex(its), label))
    provider.destroy(its)
    assert token.names({Cka.ID: bytes.fromhex(its)}) == []
    provider.destroy(its)


def test_another_hmac_key_under_the_same_name_is_noticed_before_it_answers(provider, token):
    its = name()
    made = provider.generate(AES, its)
    beside_it = unpack(AES, made.material).beside
    token.destroy(beside_it)
    with pytest.raises(Unavailable, match="no object for this key"):
        load(provider, made).encrypt(GCM, Sensitive(b""), NO_AAD)
    token.run(lambda desk: beside.generate(desk, bytes.fromhex(its)), once=True)
    with pytest.raises(Conflict) as caught:
        load(provider, made).encrypt(GCM, Sensitive(b""), NO_AAD)
    assert caught.value.detail == "check_value"


def test_where_the_hmac_key_is_not_made_the_aes_key_goes_too(provider, token, monkeypatch):
    its, generate = name(), Session.generate

    def fails(session, mechanism, template):
        if template.get(Cka.LABEL) == BESIDE:
            raise Failed("C_GenerateKey", Ckr.DEVICE_MEMORY)
        return generate(session, mechanism, template)

    monkeypatch.setattr(Session, "generate", fails)
    with pytest.raises(LimitExceeded):
        provider.generate(AES, its)
    assert token.names({Cka.ID: bytes.fromhex(its)}) == []


def test_where_one_of_the_two_would_find_no_room_neither_is_asked_for(provider, monkeypatch):
    look, free = connection.finding.look, objects.room(AES) + 1
    monkeypatch.setattr(connection.finding, "look", lambda *args: replace(look(*args), memory=10**6, free_memory=free))
    monkeypatch.setattr(Session, "generate", lambda *_: pytest.fail("it was asked for"))
    with pytest.raises(LimitExceeded, match="no room"):
        provider.generate(AES, name())


def test_ciphertexts_in_parts_are_gcm_and_refused(key):
    with pytest.raises(Unsupported, match="no AES-GCM"):
        key.encrypt_detached(GCM, Sensitive(b"m"), b"")


def test_a_token_that_tags_wrongly_offers_no_aes(patched, token, monkeypatch):
    monkeypatch.setattr(Session, "sign", lambda *_: bytes(32))
    found = token.run(lambda desk: tried(AES.family, desk, os.urandom))["AES_256"]["AES_GCM"]
    assert found.why.endswith("cbc-hmac: the ciphertext does not open")


def test_a_key_stays_what_it_was_when_the_token_gets_gcm_or_loses_it(token, provider, made, key):
    blob = key.encrypt(GCM, Sensitive(b"m"), NO_AAD)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yubihsm, "MISSING", frozenset())
        seen = Token("box", softhsm.module(), Where(label=token.info().label), lambda: Sensitive(softhsm.PIN.encode()))
        whole = Pkcs11Provider(seen, os.urandom)
        assert whole.abilities.require(AES, "AES_GCM").mode == "caller"
        old, new = load(whole, made), load(whole, made_with_gcm := whole.generate(AES, name()))
        assert old.decrypt(GCM, blob, NO_AAD).reveal() == b"m"
        assert old.encrypt(GCM, Sensitive(bytes(2000)), NO_AAD)[22] == Form.KEYED_CBC
        assert new.encrypt(GCM, Sensitive(b"m"), NO_AAD)[22] == Form.DIRECT
        with pytest.raises(DecryptionFailed):
            new.decrypt(GCM, blob, NO_AAD)
        seen.close()
    with pytest.raises(Unsupported, match="no AES-GCM any more"):
        load(provider, made_with_gcm).encrypt(GCM, Sensitive(b"m"), NO_AAD)


def test_through_the_aws_door(provider, token):
    hsms = Hsms({"safe": provider}, MemoryNotes(), new_keys_in="safe")
    office = stack(hsms=hsms)
    hsms.passed = office.clock.monotonic
    before, key_id = set(token.names({Cka.TOKEN: True})), made_by(office.admin)
    assert len(set(token.names({Cka.TOKEN: True})) - before) == 2
    sealed = ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(b"x" * 4096))["CiphertextBlob"]
    data_key = ask(office.admin, "GenerateDataKey", KeyId=key_id, KeySpec="AES_256")
    ask(office.admin, "RotateKeyOnDemand", KeyId=key_id)
    assert ask(office.admin, "Decrypt", CiphertextBlob=sealed)["Plaintext"] == b64(b"x" * 4096)
    assert ask(office.admin, "Decrypt", CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]
    assert len(set(token.names({Cka.TOKEN: True})) - before) == 4
    ask(office.admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    assert wait(office, days=7) == 1
    erasures = Erasures(office.barrier, office.store, office.hsms, office.clock, office.by_system)
    assert erasures.step() == 2 and set(token.names({Cka.TOKEN: True})) == before


# --- the seal and the slot


class Devices:
    def __init__(self, token):
        self._token = token

    def token(self, _name):
        return self._token


def test_the_seal(token, tmp_path):
    at, secret = Surroundings(tmp_path, Devices(token), os.urandom), Sensitive(os.urandom(32))
    before = set(token.names({Cka.TOKEN: True}))
    kept = Pkcs11Plan("box").make(secret, at)
    assert kept.mode.value == "cbc-hmac" and len(set(token.names({Cka.TOKEN: True})) - before) == 2
    seal = kept.seal(at)
    assert seal.open(()).reveal() == secret.reveal()
    following = seal.around(Sensitive(b"v" * 32))
    assert following.seal(at).open(()).reveal() == b"v" * 32
    seal.discard()
    assert set(token.names({Cka.TOKEN: True})) == before
    with pytest.raises(Conflict, match="has no key"):
        seal.open(())


def test_a_seal_that_the_token_does_not_make_again_is_unavailable(token, tmp_path, monkeypatch):
    """Whoever makes another U goes by that, and keeps the one there is."""
    at = Surroundings(tmp_path, Devices(token), os.urandom)
    seal = Pkcs11Plan("box").make(Sensitive(bytes(32)), at).seal(at)
    with monkeypatch.context() as patch:
        patch.setattr(Session, "encrypt", raising(Failed("C_Encrypt", Ckr.FUNCTION_FAILED)))
        with pytest.raises(Unavailable, match="does not wrap as it did"):
            seal.around(Sensitive(b"v" * 32))
    assert seal.open(()).reveal() == bytes(32)
    seal.discard()


def raising(error):
    def act(*_args):
        raise error

    return act


def test_the_slot(token):
    slot = Pkcs11Slot("pkcs11:box", token, "00" * 8, os.urandom)
    one = slot.stage(Sensitive(b"c"))
    given = slot.give(one, Sensitive(b"challenge"))
    assert given is not None and given.reveal() == slot.give(one, Sensitive(b"challenge")).reveal()
    slot.retire(None)
    assert slot.generations() == frozenset() and slot.give(one, Sensitive(b"challenge")) is None
