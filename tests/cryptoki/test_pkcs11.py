"""The pkcs11 provider: what its keys are in the token, and what it answers where a token is not what it says."""

import os
import threading
import time
from ctypes import c_void_p, string_at
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests import harness, softhsm

from keystead.core.algorithms import ALGORITHMS, KEY_SPECS, SPECS, Family, MessageForm, Purpose
from keystead.core.entities import Usage
from keystead.core.envelope import NO_AAD, peek, typed_aad
from keystead.core.errors import (
    Conflict,
    DecryptionFailed,
    Internal,
    InvalidArgument,
    LimitExceeded,
    Unavailable,
    Unsupported,
)
from keystead.core.inside import ZEROS, Form
from keystead.core.operations.schemes import AS_DIGEST, LONGEST, Scheme
from keystead.core.sensitive import Sensitive
from keystead.crypto import certificates, keys
from keystead.cryptoki import sealing
from keystead.cryptoki.errors import Failed
from keystead.cryptoki.mechanisms import Gcm, GcmReadBack
from keystead.cryptoki.sealing import Keys, Mode
from keystead.cryptoki.session import Session
from keystead.cryptoki.words import Cka, Ckm, Cko, Ckr
from keystead.providers.pkcs11 import Pkcs11Provider, held, making, objects, secret_trials, trials
from keystead.providers.pkcs11 import secret as secrets
from keystead.providers.pkcs11.bringing import Bringing
from keystead.providers.pkcs11.handle import LABEL, PASSING, Handle
from keystead.providers.pkcs11.passing import Passing
from keystead.providers.software import SoftwareProvider

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
GCM = ALGORITHMS["AES_GCM"]
RAW, DIGEST = MessageForm.RAW, MessageForm.DIGEST
ONE_OF_EACH = ("AES_256", "AES_128", "HMAC_256", "RSA_2048", "EC_P256", "EC_K256", "ED25519")


def name():
    return os.urandom(16).hex()


@pytest.fixture(scope="module")
def token():
    made = softhsm.open_token()
    yield made
    made.close()


@pytest.fixture(scope="module")
def provider(token):
    return Pkcs11Provider(token, os.urandom)


@pytest.fixture(scope="module")
def software():
    return SoftwareProvider(os.urandom)


def load(provider, spec, made, version=1):
    return provider.load(KEY_SPECS[spec], made.material, key_id=KEY_ID, version=version)


# --- the object in the token


@pytest.mark.parametrize("spec", ONE_OF_EACH)
def test_what_is_made_is_one_object_that_never_shows_itself(provider, token, spec):
    its = name()
    made = provider.generate(KEY_SPECS[spec], its)
    found = token.names({Cka.ID: bytes.fromhex(its)})
    kind = Cko.PRIVATE_KEY if made.public_key else Cko.SECRET_KEY
    assert [(one.kind, one.label) for one in found] == [(kind, LABEL)]  # no public half is left behind
    hidden = (Cka.VALUE, Cka.PRIVATE_EXPONENT, Cka.PRIME_1)
    assert not token.attributes(found[0], hidden)
    facts = provider.facts(KEY_SPECS[spec], made.material)
    assert {word: facts[word] for word in ("protection", "serial", "object", "token")} == {
        "protection": "hsm",
        "serial": token.info().serial,
        "object": its,
        "token": token.info().label,
    }
    assert [facts[word] for word in ("local", "sensitive", "always_sensitive", "never_extractable", "extractable")] == [
        *["true"] * 4,
        "false",
    ]
    assert facts["key_gen_mechanism"] == facts["made_by"] != "import"


@pytest.mark.parametrize("spec", ONE_OF_EACH)
def test_what_is_brought_in_says_so(provider, software, spec):
    made = provider.register(KEY_SPECS[spec], software.generate(KEY_SPECS[spec]).material, name())
    facts = provider.facts(KEY_SPECS[spec], made.material)
    wanted = {"local": "false", "never_extractable": "false", "always_sensitive": "false", "extractable": "false"}
    assert {word: facts[word] for word in wanted} == wanted
    assert facts["sensitive"] == "true" and facts["made_by"] == "import" and facts["key_gen_mechanism"] == "not told"


def test_a_token_that_calls_a_key_from_outside_its_own_is_not_believed(provider, software, monkeypatch):
    """As opencryptoki does."""
    asked = Session.attributes
    all_true = dict.fromkeys((Cka.LOCAL, Cka.ALWAYS_SENSITIVE, Cka.NEVER_EXTRACTABLE), True)
    monkeypatch.setattr(Session, "attributes", lambda *args: asked(*args) | all_true)
    made = provider.register(KEY_SPECS["HMAC_256"], software.generate(KEY_SPECS["HMAC_256"]).material, name())
    facts = provider.facts(KEY_SPECS["HMAC_256"], made.material)
    assert {facts[word] for word in ("local", "never_extractable", "always_sensitive")} == {"false"}


@pytest.mark.parametrize("spec", [*ONE_OF_EACH[:-1], "EC_P521", "HMAC_224"])
def test_a_token_that_takes_no_key_in_the_clear_unwraps_it(provider, token, software, spec, monkeypatch):
    """As in FIPS mode. SoftHSM2 unwraps no Ed25519 keys."""

    def refused(session, template):
        raise Failed("C_CreateObject", Ckr.TEMPLATE_INCONSISTENT)

    monkeypatch.setattr(Session, "create", refused)
    row = KEY_SPECS[spec]
    made, before = software.generate(row), len(token.names({Cka.TOKEN: True}))
    theirs = provider.register(row, made.material, name())
    assert len(token.names({Cka.TOKEN: True})) == before + 1
    facts = provider.facts(row, theirs.material)
    assert (facts["local"], facts["extractable"], facts["sensitive"]) == ("false", "false", "true")
    ours, held = load(software, spec, made), load(provider, spec, theirs)
    default = row.default(row.purposes[-1] if row.purposes == (Purpose.CIPHER,) else row.purposes[0])
    if default.purpose is Purpose.MAC:
        assert held.mac(default, b"m") == ours.mac(default, b"m")
    elif default.purpose is Purpose.SIGNATURE:
        assert ours.verify(default, b"m", held.sign(default, b"m", RAW), RAW)
    else:
        assert held.decrypt(default, held.encrypt(default, Sensitive(b"m"), NO_AAD), NO_AAD).reveal() == b"m"


def test_a_token_that_lets_no_key_in_says_so(provider, software, monkeypatch):
    def refused(*_):
        raise Failed("C_UnwrapKey", Ckr.MECHANISM_INVALID)

    monkeypatch.setattr(Session, "create", refused)
    monkeypatch.setattr(Session, "unwrap", refused)
    for spec in ("AES_256", "EC_P256"):
        with pytest.raises(Unsupported, match="lets no such key in: C_UnwrapKey: CKR_MECHANISM_INVALID"):
            provider.register(KEY_SPECS[spec], software.generate(KEY_SPECS[spec]).material, name())


def test_a_key_that_came_out_otherwise_is_not_kept(provider, token, software, monkeypatch):
    one, other = (software.generate(KEY_SPECS["EC_P256"]).material for _ in range(2))
    its, bring = name(), Bringing.bring
    monkeypatch.setattr(Bringing, "bring", lambda self, spec, _, *more: bring(self, spec, other, *more))
    with pytest.raises(Internal, match="another key"):
        provider.register(KEY_SPECS["EC_P256"], one, its)
    assert token.names({Cka.ID: bytes.fromhex(its)}) == []


def test_what_it_does_not_hold_is_refused_with_the_reason(provider, software):
    for spec in ("CHACHA20", "XCHACHA20", "ML_DSA_65", "ML_KEM_768", "SM2", "HMAC_264"):
        with pytest.raises(Unsupported):
            provider.generate(SPECS[spec], name())
        with pytest.raises(Unsupported):
            provider.register(SPECS[spec], Sensitive(bytes(32)), name())
    key = load(provider, "RSA_2048", provider.generate(KEY_SPECS["RSA_2048"], name()))
    oaep = ALGORITHMS["RSA_OAEP_SHA256"]
    for use in (
        lambda: key.encrypt(oaep, Sensitive(b"x"), NO_AAD),
        lambda: key.decrypt(oaep, bytes(256), NO_AAD),
        lambda: key.mac_as("sha256", b"m"),
    ):
        with pytest.raises(Unsupported):
            use()
    with pytest.raises(Unsupported, match="ARGUMENTS_BAD"):  # the token's own words
        key.encrypt(oaep, Sensitive(b"x"), NO_AAD)
    for leave in (provider.export, provider.mac_key):
        with pytest.raises(Unsupported):
            leave(KEY_SPECS["AES_256"], Sensitive(b""))


@pytest.mark.parametrize("bad", ["", "00", "zz" * 16, "00" * 17])
def test_an_object_has_a_name(provider, bad):
    for act in (lambda: provider.generate(KEY_SPECS["AES_256"], bad), lambda: provider.destroy(bad)):
        with pytest.raises(InvalidArgument):
            act()


def test_material_that_is_no_handle(provider, software):
    aes, pair = KEY_SPECS["AES_256"], KEY_SPECS["EC_P256"]
    for spec, material in (
        (aes, b""),
        (aes, os.urandom(32)),
        (aes, b"\x81\xa2\xff\xfe\xc0"),  # a name that is no text
        (aes, provider.generate(pair, name()).material.reveal()),
        (pair, provider.generate(aes, name()).material.reveal()),
        (pair, software.generate(pair).material.reveal()),
        (pair, Handle(id=bytes(16), spec="EC_P256", serial="", made_by="").pack().reveal()),
        (aes, Handle(id=bytes(3), spec="AES_256", serial="", made_by="").pack().reveal()),
    ):
        with pytest.raises(InvalidArgument):
            provider.load(spec, Sensitive(material), key_id=KEY_ID, version=1)


def test_destroying_leaves_nothing_and_is_done_twice(provider, token):
    for spec in ("AES_256", "EC_P256"):
        its = name()
        key = load(provider, spec, provider.generate(KEY_SPECS[spec], its))
        provider.destroy(its)
        provider.destroy(its)
        assert token.names({Cka.ID: bytes.fromhex(its)}) == []
        with pytest.raises(Unavailable, match="no object for this key"):
            key.encrypt(GCM, Sensitive(b""), NO_AAD) if spec == "AES_256" else key.agree(
                ALGORITHMS["ECDH"],
                keys.public_der(keys.generate(KEY_SPECS[spec], os.urandom(keys.seed_bytes(KEY_SPECS[spec])))),
            )


def test_an_object_of_somebody_else_is_not_destroyed(provider, token):
    its = os.urandom(16)
    template = {Cka.CLASS: Cko.SECRET_KEY, Cka.KEY_TYPE: 0x10, Cka.TOKEN: True, Cka.ID: its, Cka.LABEL: "theirs"}
    token.run(lambda desk: desk.session.create({**template, Cka.PRIVATE: True, Cka.VALUE: b"x" * 32}))
    provider.destroy(its.hex())
    assert len(token.names({Cka.ID: its})) == 1


@pytest.mark.parametrize("spec", ["AES_256", "HMAC_256", "RSA_2048", "EC_P384", "ED25519"])
def test_another_key_under_the_same_name_is_noticed_before_it_answers(provider, software, spec):
    """Rule R11: a token that was restored, or another one with the same label."""
    its = name()
    made = provider.generate(KEY_SPECS[spec], its)
    provider.destroy(its)
    provider.register(KEY_SPECS[spec], software.generate(KEY_SPECS[spec]).material, its)
    key, kind = load(provider, spec, made), KEY_SPECS[spec].purposes[0]
    default = KEY_SPECS[spec].default(kind)
    use = {
        Purpose.CIPHER: lambda: key.encrypt(default, Sensitive(b"x"), NO_AAD),
        Purpose.SIGNATURE: lambda: key.sign(default, b"x", RAW),
        Purpose.MAC: lambda: key.mac(default, b"x"),
    }[kind]
    for _ in range(2):
        with pytest.raises(Conflict) as caught:
            use()
        assert caught.value.detail == "check_value"
    with pytest.raises(Conflict):
        provider.facts(KEY_SPECS[spec], made.material)


def test_a_token_that_is_away_is_unavailable_whatever_is_asked(software):
    token = softhsm.open_token()
    provider = Pkcs11Provider(token, os.urandom)
    its = name()
    made = provider.generate(KEY_SPECS["AES_256"], its)
    key = load(provider, "AES_256", made)
    blob = key.encrypt(GCM, Sensitive(b"x"), NO_AAD)
    fresh = Pkcs11Provider(token, os.urandom)
    with softhsm.Removed():
        for act in (
            lambda: key.encrypt(GCM, Sensitive(b"x"), NO_AAD),
            lambda: key.decrypt(GCM, blob, NO_AAD),
            lambda: provider.generate(KEY_SPECS["AES_256"], name()),
            lambda: provider.register(KEY_SPECS["AES_256"], Sensitive(bytes(32)), name()),
            lambda: provider.destroy(its),
            lambda: provider.facts(KEY_SPECS["AES_256"], made.material),
            lambda: fresh.offers(KEY_SPECS["RSA_2048"]),
        ):
            token._not_before = 0.0
            with pytest.raises(Unavailable):
                act()
    token._not_before = 0.0
    assert key.decrypt(GCM, blob, NO_AAD).reveal() == b"x"
    assert "RSA_PSS_SHA256" in fresh.offers(KEY_SPECS["RSA_2048"])  # nothing was learnt while it was away
    token.close()


# --- the same key in software and in the token gives the same answers


@pytest.mark.parametrize(
    "spec", [one.name for one in KEY_SPECS.values() if one.family in (Family.RSA, Family.EC, Family.EDWARDS)]
)
def test_one_pair_in_both(provider, software, spec):
    row = KEY_SPECS[spec]
    made = software.generate(row)
    ours = load(software, spec, made)
    theirs = load(provider, spec, provider.register(row, made.material, name()))
    for algorithm in (ALGORITHMS[one] for one in provider.offers(row)):
        if algorithm.purpose is Purpose.SIGNATURE:
            one, other = ours.sign(algorithm, b"m", RAW), theirs.sign(algorithm, b"m", RAW)
            assert ours.verify(algorithm, b"m", other, RAW) and theirs.verify(algorithm, b"m", one, RAW)
            if "PKCS1" in algorithm.name or algorithm.name == "ED25519":
                assert one == other
        elif algorithm.purpose is Purpose.CIPHER:
            assert theirs.decrypt(algorithm, ours.encrypt(algorithm, Sensitive(b"x"), NO_AAD), NO_AAD).reveal() == b"x"
            assert ours.decrypt(algorithm, theirs.encrypt(algorithm, Sensitive(b"x"), NO_AAD), NO_AAD).reveal() == b"x"
        else:
            peer = keys.public_der(keys.generate(row, os.urandom(keys.seed_bytes(row))))
            assert ours.agree(algorithm, peer).reveal() == theirs.agree(algorithm, peer).reveal()


SCHEMES = {
    "RSA_2048": [
        Scheme(digest=digest, padding=padding, salt=salt)
        for digest in ("sha1", "sha224", "sha256", "sha384", "sha512")
        for padding, salt in (("pkcs1", 0), ("pss", LONGEST), ("pss", AS_DIGEST), ("pss", 0), ("pss", 11))
    ]
    + [Scheme(digest=None, padding="pkcs1"), Scheme(digest="sha3_256", padding="pkcs1")],
    "EC_P256": [Scheme(digest=d, fixed=f) for d in ("sha1", "sha256", "sha512", "sha3_384") for f in (False, True)],
    "EC_P521": [Scheme(digest=d, fixed=f) for d in ("sha256", "sha512") for f in (False, True)],
    "ED25519": [Scheme(digest="sha256")],
}


@pytest.mark.parametrize("spec", SCHEMES)
def test_every_scheme_that_a_caller_puts_together(provider, software, spec):
    row = KEY_SPECS[spec]
    made = software.generate(row)
    ours, theirs = load(software, spec, made), load(provider, spec, provider.register(row, made.material, name()))
    for scheme in SCHEMES[spec]:
        signature = theirs.sign_as(scheme, b"message", RAW)
        assert ours.verify_as(scheme, b"message", signature, RAW), scheme
        assert len(signature) == len(ours.sign_as(scheme, b"message", RAW)) or not scheme.fixed
        assert not ours.verify_as(scheme, b"massage", signature, RAW)


def test_schemes_that_do_not_fit_are_refused_as_software_does(provider, software):
    pair, row = software.generate(KEY_SPECS["RSA_2048"]), KEY_SPECS["RSA_2048"]
    both = [load(software, "RSA_2048", pair), load(provider, "RSA_2048", provider.register(row, pair.material, name()))]
    for scheme, message, form in (
        (Scheme(digest="sha256", salt=1000), b"m", RAW),
        (Scheme(digest="sha256"), b"short", DIGEST),
        (Scheme(digest="md5"), b"m", RAW),
        (Scheme(digest="sha256", padding="none"), b"m", RAW),
        (Scheme(digest=None, padding="pkcs1"), bytes(300), RAW),
    ):
        details = []
        for key in both:
            with pytest.raises(InvalidArgument) as caught:
                key.sign_as(scheme, message, form)
            details.append(caught.value.detail)
        assert details[0] == details[1], scheme


def test_hmac_in_both_with_every_digest_there_is(provider, software):
    row = KEY_SPECS["HMAC_512"]
    made = software.generate(row)
    ours = load(software, "HMAC_512", made)
    theirs = load(provider, "HMAC_512", provider.register(row, made.material, name()))
    for digest in ("sha224", "sha256", "sha384", "sha512"):
        tag = theirs.mac_as(digest, b"m")
        assert tag == ours.mac_as(digest, b"m") and theirs.verify_mac_as(digest, b"m", tag)
        assert not theirs.verify_mac_as(digest, b"n", tag)
    with pytest.raises(Unsupported):
        theirs.mac_as("sha3_256", b"m")
    short = load(provider, "HMAC_256", provider.generate(KEY_SPECS["HMAC_256"], name()))
    with pytest.raises(Unsupported, match="KEY_SIZE_RANGE"):  # SoftHSM2: a key as long as the digest, at least
        short.mac_as("sha512", b"m")


@pytest.mark.parametrize("spec", ["RSA_2048", "EC_P256", "EC_P384", "ED25519"])
def test_a_certificate_request_is_signed_in_the_token(provider, software, spec):
    made = provider.generate(KEY_SPECS[spec], name())
    like = certificates.request(
        keys.generate(KEY_SPECS["EC_P256"], os.urandom(keys.seed_bytes(KEY_SPECS["EC_P256"]))),
        b"",
    )
    for template in (b"", like):
        request = x509.load_der_x509_csr(load(provider, spec, made).request_certificate(template))
        assert request.is_signature_valid
        assert request.public_key() == serialization.load_der_public_key(made.public_key)
    with pytest.raises(InvalidArgument):
        load(provider, spec, made).request_certificate(b"junk")


# --- ciphertexts (core.inside)


@pytest.fixture(scope="module")
def aes(provider):
    return load(provider, "AES_256", provider.generate(KEY_SPECS["AES_256"], name()))


@pytest.mark.parametrize("n", [0, 1, secrets.LONGEST - 32, secrets.LONGEST - 31, 100_000])
def test_every_size(aes, n):
    text, aad = os.urandom(n), typed_aad({"a": "1"})
    blob = aes.encrypt(GCM, Sensitive(text), aad)
    assert peek(blob) == (KEY_ID, 1)
    assert blob[22] == (Form.DIRECT if n + 32 <= secrets.LONGEST else Form.KEYED)
    assert len(blob) == n + (84 if blob[22] == Form.DIRECT else 24 + 12 + 80 + 94)
    assert aes.decrypt(GCM, blob, aad).reveal() == text
    for at in (0, 1, 2, 17, 18, 21, 22, 23, 24, 35, 36, len(blob) // 2, len(blob) - 17, len(blob) - 1):
        for bit in (0, 7):
            bad = bytearray(blob)
            bad[at] ^= 1 << bit
            with pytest.raises(DecryptionFailed) as caught:
                aes.decrypt(GCM, bytes(bad), aad)
            assert str(caught.value) == "the ciphertext does not open"
    for other in (NO_AAD, typed_aad({"a": "2"}), typed_aad(b"")):
        with pytest.raises(DecryptionFailed):
            aes.decrypt(GCM, blob, other)
    for cut in (blob[:-1], blob + b"\0", blob[:40], b""):
        with pytest.raises(DecryptionFailed):
            aes.decrypt(GCM, cut, aad)


def test_what_a_direct_ciphertext_is(provider, software):
    """Opened by `cryptography` from the words of core.inside alone."""
    material = os.urandom(32)
    key = load(provider, "AES_256", provider.register(KEY_SPECS["AES_256"], Sensitive(material), name()), version=7)
    blob = key.encrypt(GCM, Sensitive(b"text"), typed_aad(b"context"))
    digest = hashes.Hash(hashes.SHA256())
    digest.update(typed_aad(b"context"))
    assert blob[:22] == b"\xa5\x03" + bytes.fromhex(KEY_ID.replace("-", "")) + (7).to_bytes(4, "big")
    assert blob[22:24] == b"\x01\x0c"
    assert AESGCM(material).decrypt(blob[24:36], blob[36:], blob[:23] + digest.finalize()) == bytes(32) + b"text"


def test_a_text_without_its_zeros_is_not_opened(provider):
    """The commitment: GCM says yes, and we say no."""
    material, spec = os.urandom(32), KEY_SPECS["AES_256"]
    key = load(provider, "AES_256", provider.register(spec, Sensitive(material), name()))
    blob = key.encrypt(GCM, Sensitive(b"text"), NO_AAD)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(NO_AAD)
    bound = blob[:23] + digest.finalize()
    forged = blob[:36] + AESGCM(material).encrypt(blob[24:36], b"\1" + ZEROS[1:] + b"text", bound)
    with pytest.raises(DecryptionFailed):
        key.decrypt(GCM, forged, NO_AAD)
    whole = blob[:36] + AESGCM(material).encrypt(blob[24:36], ZEROS + b"text", bound)
    assert key.decrypt(GCM, whole, NO_AAD).reveal() == b"text"


def test_messages_under_one_key_are_counted(aes, monkeypatch):
    monkeypatch.setattr(secrets, "MOST_MESSAGES", 0)
    monkeypatch.setattr(aes, "_left", 0)
    with pytest.raises(LimitExceeded):
        aes.encrypt(GCM, Sensitive(b""), NO_AAD)


def test_messages_are_counted_over_all_processes_and_restarts(token, provider, monkeypatch):
    """Each provider is a process of its own; what is counted is the installation's (docs/adr/0038)."""
    monkeypatch.setattr(secrets, "MOST_MESSAGES", 20)
    monkeypatch.setattr(secrets, "AT_ONCE", 4)
    stack, made = harness.stack(), provider.generate(KEY_SPECS["AES_256"], name())

    def process(version=1):
        return load(Pkcs11Provider(token, os.urandom, stack.meter), "AES_256", made, version)

    for _ in range(3):
        process().encrypt(GCM, Sensitive(b""), NO_AAD)
    stack.meter.settle()
    stack.uses.close()  # a restart
    last = process()
    for _ in range(8):
        last.encrypt(GCM, Sensitive(b""), NO_AAD)
    for spent in (last, process()):
        with pytest.raises(LimitExceeded):
            spent.encrypt(GCM, Sensitive(b""), NO_AAD)
    process(version=2).encrypt(GCM, Sensitive(b""), NO_AAD)
    stack.meter.settle()
    assert {row.id: row.upto[0] for row in stack.barrier.every(Usage)} == {f"{KEY_ID}/1": 20, f"{KEY_ID}/2": 4}


def test_ivs_are_never_alike(aes):
    seen = {aes.encrypt(GCM, Sensitive(b""), NO_AAD)[24:36] for _ in range(300)}
    assert len(seen) == 300


def test_a_generator_that_is_stuck_is_noticed_before_a_second_text_is_told(provider):
    """The IVs are the HSM's own where it makes them; here it is ours that gives the same bytes again and again."""
    made = provider.generate(KEY_SPECS["AES_256"], name())
    stuck = Pkcs11Provider(provider._token, lambda n: b"\x5a" * n)
    stuck.abilities = provider.abilities
    key = stuck.load(KEY_SPECS["AES_256"], made.material, key_id=KEY_ID, version=1)
    assert key.encrypt(GCM, Sensitive(b"one"), NO_AAD)
    for _ in range(2):
        with pytest.raises(Internal, match="one IV"):
            key.encrypt(GCM, Sensitive(b"another"), NO_AAD)


# --- tokens that differ from SoftHSM2


class Odd:
    """A session that seals as another HSM does, with a key that is known."""

    def __init__(self, material, how):
        self.aead, self.how, self.gcm = AESGCM(material), how, Gcm(b"", b"")

    def encrypt(self, mechanism, key, text):
        given = mechanism._kept[0]
        if self.how is Mode.READ_BACK:
            iv = os.urandom(12)
            if isinstance(mechanism, GcmReadBack):
                mechanism._iv.raw = iv
            return self.aead.encrypt(iv, text, given.aad)
        iv = os.urandom(12 if self.how is Mode.PREPENDED else 16)
        sealed = self.aead.encrypt(iv, text, given.aad)
        return iv + sealed if self.how is Mode.PREPENDED else sealed + iv

    def decrypt(self, mechanism, key, sealed):
        given = mechanism._kept[0]
        at = c_void_p.from_buffer(given, type(given).iv.offset).value
        iv = string_at(at, given.iv_length) if at else b""
        if self.how is Mode.PREPENDED:
            iv, sealed = sealed[:12], sealed[12:]
        return Sensitive(self.aead.decrypt(iv, sealed, given.aad))


@pytest.mark.parametrize("mode", [Mode.READ_BACK, Mode.PREPENDED, Mode.APPENDED])
def test_ivs_that_the_hsm_makes(mode):
    material = os.urandom(32)
    session = Odd(material, mode)
    iv, sealed = sealing.seal(session, Keys(1), mode, b"", b"text", b"aad")
    assert AESGCM(material).decrypt(iv, sealed, b"aad") == b"text"
    assert sealing.opened(session, Keys(1), mode, iv, sealed, b"aad") == b"text"
    trial = SimpleNamespace(session=session, entropy=os.urandom)
    known = secret_trials.Known(Keys(1), material)
    secret_trials.sealed(trial, known, mode, 1000)
    for wrong in set(Mode) - {mode}:
        with pytest.raises(Exception):  # noqa: B017 - whatever it is, it is not taken for right
            secret_trials.sealed(trial, known, wrong, 1000)


def test_an_iv_of_zeros_is_no_iv():
    session = SimpleNamespace(encrypt=lambda mechanism, key, text: bytes(len(text) + 16))
    with pytest.raises(Internal):
        sealing.seal(session, Keys(1), Mode.READ_BACK, b"", b"text", b"")


def desk(has, session):
    connection = SimpleNamespace(mechanisms=has, is_there=lambda: True)
    return SimpleNamespace(session=session, connection=connection)


class Failing:
    def __getattr__(self, name):
        def fail(*_):
            raise Failed(name, Ckr.FUNCTION_NOT_SUPPORTED)

        return fail


def test_a_token_that_can_do_nothing_offers_nothing(token):
    for family in trials.TRIALS:
        for has in ({}, token.mechanisms()):
            found = trials.tried(family, desk(has, Failing()), os.urandom)
            assert set(found) == {one.name for one in KEY_SPECS.values() if one.family is family}
            assert all(outcome.why for outcomes in found.values() for outcome in outcomes.values())


def test_a_token_that_signs_wrongly_offers_no_signatures(token, monkeypatch):
    monkeypatch.setattr(trials.signing, "signed", lambda *_: b"\x30\x06\x02\x01\x01\x02\x01\x01")
    provider = Pkcs11Provider(token, os.urandom)
    assert provider.offers(KEY_SPECS["EC_P256"]) == {"ECDH"}
    assert provider.offers(KEY_SPECS["RSA_2048"]) == {"RSA_OAEP_SHA1"}
    with pytest.raises(Unsupported, match="does not verify"):
        provider.abilities.require(KEY_SPECS["EC_P256"], "ECDSA_P256_SHA256")


def test_a_token_that_seals_wrongly_offers_no_aes(token, monkeypatch):
    monkeypatch.setattr(secret_trials.SoftGcm, "open", lambda *_: b"another text")
    assert Pkcs11Provider(token, os.urandom).abilities.require(KEY_SPECS["AES_256"], "AES_GCM").mode == "cbc-hmac"
    monkeypatch.setattr(secret_trials.etm, "opened", lambda *_: b"another text")
    provider = Pkcs11Provider(token, os.urandom)
    assert provider.offers(KEY_SPECS["AES_256"]) == frozenset()
    with pytest.raises(Unsupported):
        provider.generate(KEY_SPECS["AES_256"], name())


def without_session_objects(monkeypatch):
    """A token that has none, like tpm2-pkcs11."""
    for function, at in (("generate", 1), ("generate_pair", 1), ("create", 0), ("unwrap", 3)):
        asked = getattr(Session, function)

        def only(session, *args, asked=asked, at=at):
            if not args[at][Cka.TOKEN]:
                raise Failed("C_GenerateKey", Ckr.ATTRIBUTE_VALUE_INVALID)
            return asked(session, *args)

        monkeypatch.setattr(Session, function, only)


def test_a_token_without_session_objects_is_tried_with_others_that_are_erased(provider, token, software, monkeypatch):
    before = len(token.names({Cka.TOKEN: True}))
    without_session_objects(monkeypatch)
    fresh = Pkcs11Provider(token, os.urandom)
    for spec in KEY_SPECS.values():
        assert fresh.offers(spec) == provider.offers(spec)
    assert len(token.names({Cka.TOKEN: True})) == before
    monkeypatch.setattr(Session, "create", refused_create)
    made = software.generate(KEY_SPECS["EC_P256"])
    held = load(fresh, "EC_P256", fresh.register(KEY_SPECS["EC_P256"], made.material, name()))
    algorithm = ALGORITHMS["ECDSA_P256_SHA256"]
    assert load(software, "EC_P256", made).verify(algorithm, b"m", held.sign(algorithm, b"m", RAW), RAW)
    assert len(token.names({Cka.TOKEN: True})) == before + 1


def refused_create(session, template):
    raise Failed("C_CreateObject", Ckr.TEMPLATE_INCONSISTENT)


def test_what_a_trial_that_was_killed_left_in_the_token_goes_with_a_later_one(token, monkeypatch):
    without_session_objects(monkeypatch)

    def left(desk, at):
        passing = Passing(desk.session, os.urandom, lambda: at)
        return passing.make(
            lambda its_id: making.secret(desk.session, KEY_SPECS["AES_256"], Ckm.AES_KEY_GEN, its_id, objects.CIPHER)
        )

    def there():
        return len(token.names({Cka.TOKEN: True, Cka.LABEL: PASSING}))

    now = time.time()
    token.run(lambda desk: left(desk, now - 1000))
    assert there() == 1
    token.run(lambda desk: left(desk, now - 10))  # the first is erased, and this one stays: it may be in use
    assert there() == 1
    Pkcs11Provider(token, os.urandom).offers(KEY_SPECS["AES_256"])
    assert there() == 1
    token.run(lambda desk: left(desk, now + 1000))
    assert there() == 1  # that one alone
    token.run(lambda desk: [desk.session.destroy(one) for one in desk.session.find({Cka.LABEL: PASSING})])


def test_a_trial_leaves_no_object_behind(token):
    before = len(token.names({Cka.TOKEN: True}))
    provider = Pkcs11Provider(token, os.urandom)
    for spec in KEY_SPECS.values():
        provider.offers(spec)
    assert len(token.names({Cka.TOKEN: True})) == before
    assert token.names({Cka.TOKEN: False}) == []


def test_one_waits_for_a_trial_that_hangs_and_nobody_else(monkeypatch):
    monkeypatch.setattr(held, "TRIED_IN", 0.1)
    hangs, go_on = threading.Event(), threading.Event()

    class Hanging:
        name = "box"

        def run(self, _act):
            hangs.set()
            go_on.wait(30)
            return {"AES_256": {}}

    abilities = held.Abilities(Hanging(), os.urandom)
    first = threading.Thread(target=abilities.of, args=(KEY_SPECS["AES_256"],))
    first.start()
    assert hangs.wait(10)
    with pytest.raises(Unavailable, match="is being tried"):
        abilities.of(KEY_SPECS["AES_256"])
    go_on.set()
    first.join(10)
    assert abilities.of(KEY_SPECS["AES_256"]) == {}


def test_what_was_made_in_another_token_is_not_taken_for_erased(token):
    """Two tokens under one label, one after the other: what the new one does not have the old one may."""
    provider, other = Pkcs11Provider(token, os.urandom), Pkcs11Provider(softhsm.open_token(), os.urandom)
    its, serial = name(), token.info().serial
    assert provider.generate(KEY_SPECS["AES_256"], its).serial == serial
    with pytest.raises(Unavailable, match=f"made in {serial}"):
        other.destroy(its, serial)
    for _ in range(2):
        provider.destroy(its, serial)
    other.destroy(its)  # of before that was kept


def test_no_session_is_lent_while_an_iv_is_drawn(token):
    lent = []

    def entropy(n):
        lent.append(token.sessions - token._room.qsize())
        return os.urandom(n)

    provider = Pkcs11Provider(token, entropy)
    key = load(provider, "AES_256", provider.generate(KEY_SPECS["AES_256"], name()))
    key.encrypt(GCM, Sensitive(b"proved by now"), b"")
    lent.clear()
    key.encrypt(GCM, Sensitive(b"text"), b"")
    assert lent == [0]
