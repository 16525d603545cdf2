"""XChaCha20 keys of the software provider: OpenBao's ciphertexts, and what is done so that no nonce comes twice."""

import os

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from tests.contract.test_provider import KEY_ID, flips

from keystead.core.algorithms import ALGORITHMS, KEY_SPECS
from keystead.core.envelope import NO_AAD, typed_aad
from keystead.core.errors import DecryptionFailed, InvalidArgument, WrongUsage
from keystead.core.operations import Derivation
from keystead.core.sensitive import Sensitive
from keystead.crypto.xchacha import XChaCha
from keystead.providers.software import SoftwareProvider

SPEC, CIPHER = KEY_SPECS["XCHACHA20"], ALGORITHMS["XCHACHA20_POLY1305"]
MATERIAL = bytes(range(32))
HELLO = Sensitive(b"hello")
NONCE = 24


def loaded(entropy=os.urandom, material=MATERIAL):
    return SoftwareProvider(entropy).load(SPEC, Sensitive(material), key_id=KEY_ID, version=1)


def under(context: bytes) -> XChaCha:
    return XChaCha(HKDF(SHA256(), 32, None, context).derive(MATERIAL))


BOUND = {
    "nothing": (NO_AAD, XChaCha(MATERIAL), b""),
    "data": (typed_aad(b"data"), XChaCha(MATERIAL), b"data"),
    "a context": (typed_aad(Derivation(b"ctx")), under(b"ctx"), b""),
    "both": (typed_aad(Derivation(b"ctx", b"data")), under(b"ctx"), b"data"),
}


@pytest.mark.parametrize("how", BOUND)
def test_a_ciphertext_is_what_the_cipher_makes_and_nothing_more(how):
    aad, cipher, data = BOUND[how]
    blob = loaded().encrypt(CIPHER, HELLO, aad)
    assert cipher.open(blob, data) == b"hello" and len(blob) == NONCE + 5 + 16
    assert loaded().decrypt(CIPHER, cipher.seal(os.urandom(NONCE), b"hello", data), aad).reveal() == b"hello"


@pytest.mark.parametrize("how", BOUND)
def test_what_was_touched_or_bound_to_something_else_does_not_open(how):
    aad, _, _ = BOUND[how]
    key = loaded()
    blob = key.encrypt(CIPHER, HELLO, aad)
    for altered in (*flips(blob, 7), blob[:-1], blob[1:]):
        with pytest.raises(DecryptionFailed):
            key.decrypt(CIPHER, altered, aad)
    for other in (one for name, (one, _, _) in BOUND.items() if name != how):
        with pytest.raises(DecryptionFailed):
            key.decrypt(CIPHER, blob, other)


def test_a_stuck_generator_gives_no_two_messages_one_nonce():
    key = loaded(entropy=bytes)
    asked = [(text, aad) for text in (b"hello", b"hellp", b"") for aad, _, _ in BOUND.values()]
    nonces = [key.encrypt(CIPHER, Sensitive(text), aad)[:NONCE] for text, aad in asked]
    assert len(set(nonces)) == len(asked)
    assert key.encrypt(CIPHER, HELLO, NO_AAD)[:NONCE] == nonces[0]
    assert loaded(entropy=bytes, material=bytes(32)).encrypt(CIPHER, HELLO, NO_AAD)[:NONCE] != nonces[0]


def test_nonces_are_drawn():
    key = loaded()
    assert len({key.encrypt(CIPHER, HELLO, NO_AAD)[:NONCE] for _ in range(100)}) == 100


def test_equal_texts_in_equal_contexts_are_seen_to_be_equal_and_nothing_else():
    key = loaded()
    aads = [typed_aad(Derivation(context, data)) for context in (b"a", b"b") for data in (b"", b"x", b"y")]
    made = [key.encrypt_convergent(CIPHER, Sensitive(text), aad) for text in (b"hello", b"xhello") for aad in aads]
    assert len({blob[:NONCE] for blob in made}) == len(made)  # one for each text, context and data
    assert made[: len(aads)] == [loaded().encrypt_convergent(CIPHER, HELLO, aad) for aad in aads]
    assert [key.decrypt(CIPHER, blob, aad).reveal() for blob, aad in zip(made, aads, strict=False)] == [b"hello"] * 6


def test_none_converges_without_a_context():
    for aad in (NO_AAD, typed_aad(b"data")):
        with pytest.raises(InvalidArgument):
            loaded().encrypt_convergent(CIPHER, HELLO, aad)


def test_names_and_values_are_no_bytes():
    with pytest.raises(InvalidArgument):
        loaded().encrypt(CIPHER, HELLO, typed_aad({"a": "1"}))


def test_no_context_derives_the_key_for_macs():
    """Whoever encrypts in a context of their choice uses a key that HKDF makes with it as its info."""
    provider = SoftwareProvider(os.urandom)
    tagging = provider.mac_key(SPEC, Sensitive(MATERIAL)).reveal()
    for context in (b"keystead/hmc/v1", b"", b"hmac"):
        assert HKDF(SHA256(), 32, None, context).derive(MATERIAL) != tagging
    assert tagging == HKDF(SHA256(), 32, b"keystead/hmc/v1", b"").derive(MATERIAL)
    assert loaded().verify_mac_as("sha256", b"m", loaded().mac_as("sha256", b"m"))


def test_another_algorithm_and_other_material():
    for use in (loaded().encrypt, loaded().encrypt_convergent):
        with pytest.raises(WrongUsage):
            use(ALGORITHMS["AES_GCM"], HELLO, NO_AAD)
    with pytest.raises(WrongUsage):
        loaded().decrypt(ALGORITHMS["CHACHA20_POLY1305"], bytes(60), NO_AAD)
    with pytest.raises(InvalidArgument):
        loaded(material=bytes(16))
