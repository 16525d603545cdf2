"""A token that says no, in every word that PKCS #11 has for it: clear errors, nothing half made, nothing remembered.

The functions of a real SoftHSM2 are wrapped, and the words go through the provider to the AWS door.
"""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest
from tests import softhsm
from tests.cryptoki.test_lies import lying
from tests.doors.aws_kms.managing import ask, made
from tests.harness import b64, stack

from keystead.core.algorithms import ALGORITHMS, KEY_SPECS, MessageForm
from keystead.core.entities import Key, KeyVersion
from keystead.core.envelope import NO_AAD
from keystead.core.errors import LimitExceeded, Unauthenticated, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.cryptoki import recovery
from keystead.cryptoki.words import Cka, Ckr
from keystead.providers.clusters import HsmClusters
from keystead.providers.guesses import MemoryGuesses
from keystead.providers.pkcs11 import Pkcs11Provider, survey
from keystead.providers.pkcs11.held import AGAIN_IN
from keystead.seals.base import Surroundings
from keystead.seals.pkcs11 import Pkcs11Plan
from keystead.service.hsmnotes import MemoryNotes
from keystead.service.hsms import Hsms
from keystead.slots.pkcs11 import Pkcs11Slot

GCM, HMAC, ECDSA = (ALGORITHMS[name] for name in ("AES_GCM", "HMAC_SHA256", "ECDSA_P256_SHA256"))
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
FOREIGN = 0x8000_0501
TEXT = b64(b"attack at dawn")


def saying(rv):
    return lambda _real, _args: rv


class Office:
    """An installation whose keys are in a token, with one of each kind that has proved itself."""

    def __init__(self) -> None:
        self.token = softhsm.open_token()
        self.hsms = Hsms({"safe": Pkcs11Provider(self.token, os.urandom)}, MemoryNotes(), new_keys_in="safe")
        self.stack = stack(hsms=self.hsms)
        self.hsms.passed = self.stack.clock.monotonic
        admin = self.stack.admin
        self.aes = made(admin)
        self.ec = made(admin, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        self.mac = made(admin, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        self.sealed = ask(admin, "Encrypt", KeyId=self.aes, Plaintext=TEXT)["CiphertextBlob"]
        for use in ("C_Encrypt", "C_Decrypt", "C_Sign"):
            assert self.call(use).status == 200, use

    def call(self, what):
        admin = self.stack.admin
        match what.removesuffix("Init"):
            case "C_Encrypt":
                return admin.call("Encrypt", KeyId=self.aes, Plaintext=TEXT)
            case "C_Decrypt":
                return admin.call("Decrypt", CiphertextBlob=self.sealed)
            case "C_Sign":
                words = {"MessageType": "RAW", "SigningAlgorithm": "ECDSA_SHA_256"}
                return admin.call("Sign", KeyId=self.ec, Message=TEXT, **words)
            case "C_GenerateKey":
                return admin.call("CreateKey")
            case "C_GenerateKeyPair":
                return admin.call("CreateKey", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        raise AssertionError(what)

    def material(self, key_id):
        (version,) = self.stack.barrier.children(KeyVersion, key_id)
        return self.stack.barrier.material(version)

    def loaded(self, key_id, provider=None, *, guarded=False):
        provider = provider or Pkcs11Provider(self.token, os.urandom)
        by = Hsms({"safe": provider}).at("safe") if guarded else provider
        spec = self.stack.barrier.get(Key, key_id).spec
        return by.load(spec, self.material(key_id), key_id=KEY_ID, version=1)

    def objects(self):
        return sorted(one.id.hex() for one in self.token.names({Cka.TOKEN: True}))

    def known(self):
        keys = list(self.stack.barrier.every(Key))
        versions = [one for key in keys for one in self.stack.barrier.children(KeyVersion, key.id)]
        return sorted(one.in_hsm.name for one in versions if one.in_hsm and one.wrapped)


@pytest.fixture(scope="module")
def office():
    return Office()


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Nobody waits for a token that failed."""
    monkeypatch.setattr(recovery, "PAUSES", (0.0,))
    monkeypatch.setattr(recovery, "STARTS", (0.0, 0.0, 0.0))


# --- through the door

AWAY, FULL = "DependencyTimeoutException", "LimitExceededException"
NOT_NOW = (
    *(Ckr.HOST_MEMORY, Ckr.DEVICE_MEMORY, Ckr.DEVICE_ERROR, Ckr.FUNCTION_CANCELED),
    *(Ckr.OPERATION_ACTIVE, Ckr.OPERATION_NOT_INITIALIZED),
    *(Ckr.PIN_EXPIRED, Ckr.PIN_LOCKED, Ckr.USER_NOT_LOGGED_IN, Ckr.USER_PIN_NOT_INITIALIZED),
    *(Ckr.SESSION_COUNT, Ckr.SESSION_READ_ONLY, Ckr.TOKEN_WRITE_PROTECTED, Ckr.TOKEN_RESOURCE_EXCEEDED),
    FOREIGN,
)
"""What is wrong with the token, and with nobody who asks it."""
named = pytest.mark.parametrize("rv", NOT_NOW, ids=lambda rv: f"{rv:#x}")


@named
@pytest.mark.parametrize(
    "function", ["C_EncryptInit", "C_Encrypt", "C_DecryptInit", "C_Decrypt", "C_SignInit", "C_Sign"]
)
def test_what_is_wrong_with_the_token_is_nobody_elses_doing(office, function, rv) -> None:
    with lying(function, saying(rv)):
        reply = office.call(function)
    assert reply.code == AWAY and "the HSM" in reply.message
    assert office.call(function).status == 200


@named
@pytest.mark.parametrize("function", ["C_GenerateKey", "C_GenerateKeyPair"])
def test_where_none_is_made_nothing_is_left(office, function, rv) -> None:
    with lying(function, saying(rv)):
        reply = office.call(function)
    assert reply.code == (FULL if rv == Ckr.DEVICE_MEMORY else AWAY) and "the HSM" in reply.message
    assert office.objects() == office.known()
    assert office.call(function).status == 200


@pytest.mark.parametrize(
    "rv", [Ckr.OPERATION_NOT_INITIALIZED, Ckr.OPERATION_ACTIVE, FOREIGN], ids=lambda rv: f"{rv:#x}"
)
@pytest.mark.parametrize("use", ["C_Encrypt", "C_Decrypt", "C_Sign"])
def test_once_is_not_seen(office, use, rv) -> None:
    """A session that an HSM's cluster has moved knows nothing of what was begun in it."""
    with lying(use, saying(rv), calls=1):
        assert office.call(use).status == 200


def test_a_vendors_own_word_for_a_token_that_is_away_is_recovered_from(office) -> None:
    with lying("C_Encrypt", saying(FOREIGN)), lying("C_GetTokenInfo", saying(FOREIGN)):
        assert office.call("C_Encrypt").code == AWAY
    assert office.call("C_Encrypt").status == 200


def test_a_vendors_own_word_at_a_login_is_no_reason_to_offer_the_pin_again(office) -> None:
    n = [0]

    def login(_real, _args):
        n[0] += 1
        return FOREIGN

    token = softhsm.open_token(office.token.name)
    with lying("C_Login", login), pytest.raises(Unavailable, match="0x80000501"):
        token.info()
    assert n == [1]


def test_another_token_and_another_key_are_nobody_elses_doing_either(office, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(office.token, "_serial", "another")
        office.token.close()
        reply = office.call("C_Encrypt")
    assert reply.code == AWAY and "another token than before" in reply.message and office.token.name in reply.message
    monkeypatch.setattr("keystead.providers.pkcs11.provider._checked", lambda _: lambda *_: False)
    with pytest.raises(Unavailable, match="another key"):
        office.loaded(office.aes, guarded=True).encrypt(GCM, Sensitive(b"m"), NO_AAD)


def test_what_asks_an_hsm_as_a_cluster_hears_the_same(office) -> None:
    """GenerateRandom in a key store, and where a managed key is."""
    token = softhsm.open_token(softhsm.new_token(), pin="000000")
    clusters = HsmClusters(["safe"], lambda _: token, lambda _: Sensitive(b"000000"), {}, MemoryGuesses(lambda: 0.0))
    asked = Hsms({}, clusters=clusters).clusters
    for ask_it in (lambda: asked.random("safe", 8), lambda: asked.is_at("safe", label="x", slot="")):
        with pytest.raises(Unavailable, match="PIN"):
            ask_it()


# --- what is tried


def every(rv):
    """No object is made."""
    stack = ExitStack()
    for function in ("C_CreateObject", "C_GenerateKey", "C_GenerateKeyPair", "C_UnwrapKey"):
        stack.enter_context(lying(function, saying(rv)))
    return stack


@pytest.mark.parametrize("rv", NOT_NOW[:-1], ids=lambda rv: rv.name)  # a vendor's own word may be that it cannot
@pytest.mark.parametrize("spec", ["AES_256", "EC_P256"])
def test_how_a_token_is_now_is_not_what_it_can_do(office, spec, rv) -> None:
    """A process that tried it at a bad moment refused its keys as unsupported, until it was started anew."""
    row, now = KEY_SPECS[spec], [0.0]
    fresh = Pkcs11Provider(office.token, os.urandom)
    fresh.abilities._clock = lambda: now[0]
    with every(rv):
        for _ in range(2):
            with pytest.raises((LimitExceeded, Unavailable, Unauthenticated)):
                fresh.offers(row)
    now[0] += AGAIN_IN
    assert fresh.offers(row) == Pkcs11Provider(office.token, os.urandom).offers(row) != frozenset()


@pytest.mark.parametrize("rv", [Ckr.DEVICE_MEMORY, Ckr.TOKEN_WRITE_PROTECTED], ids=lambda rv: rv.name)
def test_a_token_that_takes_no_more_uses_what_it_has(office, rv) -> None:
    """In a process that knows nothing of it: the objects of a trial are too many."""
    provider = Pkcs11Provider(office.token, os.urandom)
    aes, mac, ec = (office.loaded(one, provider) for one in (office.aes, office.mac, office.ec))
    with every(rv):
        sealed = aes.encrypt(GCM, Sensitive(b"m" * 5000), NO_AAD)
        assert aes.decrypt(GCM, sealed, NO_AAD).reveal() == b"m" * 5000
        assert mac.verify_mac(HMAC, b"m", mac.mac(HMAC, b"m"))
        assert ec.verify(ECDSA, b"m", ec.sign(ECDSA, b"m", MessageForm.RAW), MessageForm.RAW)
        assert provider.facts(KEY_SPECS["EC_P256"], office.material(office.ec))["local"] == "true"
        for spec in ("AES_256", "EC_P256"):
            with pytest.raises((LimitExceeded, Unavailable), match=f"CKR_{rv.name}"):
                provider.generate(KEY_SPECS[spec], os.urandom(16).hex())
    assert office.loaded(office.aes).decrypt(GCM, sealed, NO_AAD).reveal() == b"m" * 5000


def test_a_full_token_is_checked_all_the_same(office) -> None:
    with every(Ckr.DEVICE_MEMORY):
        surveyed = survey.of(office.token, os.urandom)
    assert not any(row.offered for row in surveyed.algorithms)
    whys = {row.why for row in surveyed.algorithms if row.key_spec == "AES_256"}
    assert all("CKR_DEVICE_MEMORY" in why for why in whys) and whys


# --- the seal and the slot


class Devices:
    def __init__(self, token):
        self._token = token

    def token(self, _name):
        return self._token


@pytest.mark.parametrize("rv", NOT_NOW[:-1], ids=lambda rv: rv.name)
def test_a_seal_is_not_called_impossible_where_it_is_not_possible_now(office, tmp_path, rv) -> None:
    at, before = Surroundings(tmp_path, Devices(office.token), os.urandom), office.objects()
    for function in ("C_GenerateKey", "C_Encrypt"):
        with lying(function, saying(rv)), pytest.raises((LimitExceeded, Unavailable, Unauthenticated)) as refused:
            Pkcs11Plan("box").make(Sensitive(bytes(32)), at)
        assert f"CKR_{rv.name}" in str(refused.value)
        assert office.objects() == before


@named
def test_a_slot_that_takes_nothing_keeps_what_it_has(office, rv) -> None:
    slot = Pkcs11Slot("pkcs11:box", office.token, os.urandom(8).hex(), os.urandom)
    challenge = Sensitive(os.urandom(32))
    generation = slot.stage(challenge)
    with lying("C_GenerateKey", saying(rv)), pytest.raises(Unavailable):
        slot.stage(challenge)
    with lying("C_Sign", saying(rv)), pytest.raises(Unavailable):
        slot.give(generation, challenge)
    with lying("C_DestroyObject", saying(rv)), pytest.raises(Unavailable):
        slot.retire(None)
    assert slot.generations() == {generation} and slot.give(generation, challenge)
    slot.retire(None)
