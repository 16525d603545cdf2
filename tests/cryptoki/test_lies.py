"""A module that says CKR_OK and lies: lengths, numbers and handles that cannot be, and answers that were never written.

The functions of a real SoftHSM2 are wrapped. Whatever is told: nobody believes it, memory is asked for no more than a
little, the answer is Unavailable, no object is left over, and the next that asks is served.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager

import pytest
from tests import softhsm

from keystead.core.algorithms import ALGORITHMS, KEY_SPECS, MessageForm
from keystead.core.envelope import NO_AAD
from keystead.core.errors import DecryptionFailed, Internal, KeysteadError, Unavailable, Unsupported
from keystead.core.sensitive import Sensitive
from keystead.crypto import halves
from keystead.cryptoki.module import Module
from keystead.cryptoki.words import Cka, Ckr
from keystead.providers.pkcs11 import Pkcs11Provider
from keystead.slots.pkcs11 import Pkcs11Slot

HUGE = 1 << 63
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
GCM, HMAC, ECDSA, ECDH = (ALGORITHMS[name] for name in ("AES_GCM", "HMAC_SHA256", "ECDSA_P256_SHA256", "ECDH"))
TEXT = Sensitive(b"a text of more than sixteen bytes")


@pytest.fixture(scope="module")
def provider():
    made = Pkcs11Provider(softhsm.open_token(), os.urandom)
    for name in ("AES_256", "HMAC_256", "EC_P256"):
        made.offers(KEY_SPECS[name])  # tried before anybody lies
    yield made
    made._token.close()


@pytest.fixture(scope="module")
def loaded(provider):
    """Of each kind a key that has proved itself."""
    found = {}
    for spec in ("AES_256", "HMAC_256", "EC_P256"):
        made = provider.generate(KEY_SPECS[spec], os.urandom(16).hex())
        found[spec] = provider.load(KEY_SPECS[spec], made.material, key_id=KEY_ID, version=1)
    found["AES_256"].encrypt(GCM, TEXT, NO_AAD)
    found["HMAC_256"].mac(HMAC, b"x")
    found["EC_P256"].sign(ECDSA, b"x", MessageForm.RAW)
    return found


def is_there(provider, name):
    return bool(provider._token.names({Cka.ID: bytes.fromhex(name)}))


@contextmanager
def lying(function, lie, *, calls=None):
    """`lie(real, args)` instead of that function; `calls`: only the first so many."""
    module = Module.open(softhsm.module())
    whole, left = module.functions, [calls if calls is not None else 1 << 30]
    real = whole[function]

    def told(*args):
        left[0] -= 1
        return lie(real, args) if left[0] >= 0 else real(*args)

    module.functions = {**whole, function: told}
    try:
        yield
    finally:
        module.functions = whole


def silent(_real, _args):
    """Nothing is done, nothing is written."""
    return Ckr.OK


def too_small(_real, _args):
    return Ckr.BUFFER_TOO_SMALL


def last(value):
    """It does what it is asked, and tells another number than it has to."""

    def lie(real, args):
        rv = real(*args)
        args[-1]._obj.value = value
        return rv

    return lie


def claiming(n):
    """It says that it has written so many bytes."""

    def lie(_real, args):
        args[-1]._obj.value = n
        return Ckr.OK

    return lie


def lengths(value):
    def lie(real, args):
        rv = real(*args)
        for row in args[2]:
            row.length = value
        return rv

    return lie


def uses(loaded):
    aes, mac, ec = loaded["AES_256"], loaded["HMAC_256"], loaded["EC_P256"]
    sealed = aes.encrypt(GCM, TEXT, NO_AAD)
    return {
        "C_Encrypt": lambda: aes.encrypt(GCM, TEXT, NO_AAD),
        "C_Decrypt": lambda: aes.decrypt(GCM, sealed, NO_AAD),
        "C_Sign": lambda: mac.mac(HMAC, b"x"),
        "C_Sign of a pair": lambda: ec.sign(ECDSA, b"x", MessageForm.RAW),
    }


@pytest.mark.parametrize("lie", [silent, too_small, last(HUGE), last(0), last(3), last(4097)])
@pytest.mark.parametrize("use", ["C_Encrypt", "C_Decrypt", "C_Sign", "C_Sign of a pair"])
def test_what_was_not_written_is_no_answer(loaded, use, lie) -> None:
    ask = uses(loaded)[use]
    with lying(use.partition(" ")[0], lie), pytest.raises((Unavailable, DecryptionFailed)):
        ask()
    assert ask()


def test_what_is_told_is_no_part_of_what_another_was_told(loaded) -> None:
    """The room for answers is used again: whoever signs next could be given the last one's ciphertext."""
    aes, mac = loaded["AES_256"], loaded["HMAC_256"]
    aes.encrypt(GCM, TEXT, NO_AAD)
    with lying("C_Sign", claiming(32)), pytest.raises(Unavailable, match="what cannot be to C_Sign"):
        mac.mac(HMAC, b"x")


def test_zeros_that_nobody_wrote_are_no_plaintext(loaded) -> None:
    """A text that is committed to begins with zeros, and so does room that was never written to."""
    aes = loaded["AES_256"]
    sealed = aes.encrypt(GCM, Sensitive(bytes(64)), NO_AAD)
    with lying("C_Decrypt", claiming(96)), pytest.raises((Unavailable, DecryptionFailed)):
        aes.decrypt(GCM, sealed, NO_AAD)


def test_an_agreed_secret_of_zeros_is_none(loaded, provider) -> None:
    peer = provider.generate(KEY_SPECS["EC_P256"], os.urandom(16).hex()).public_key

    def lie(real, args):
        rv = real(*args)
        for row in args[2]:
            if row.value:
                ctypes.memset(row.value, 0, row.length)
        return rv

    assert any(loaded["EC_P256"].agree(ECDH, peer).reveal())
    with lying("C_GetAttributeValue", lie), pytest.raises(Internal):
        loaded["EC_P256"].agree(ECDH, peer)


def test_random_bytes_that_were_not_written_are_none(provider) -> None:
    for n in (1, 16, 100):
        with lying("C_GenerateRandom", silent), pytest.raises(Unavailable):
            provider._token.random(n)
        assert len({provider._token.random(n) for _ in range(3)}) > 1 or n == 1


@pytest.mark.parametrize("value", [HUGE, (1 << 20) + 1])
def test_an_attribute_is_as_long_as_one_can_be(provider, value) -> None:
    name = os.urandom(16).hex()
    with lying("C_GetAttributeValue", lengths(value)), pytest.raises(Unavailable, match="what cannot be"):
        provider.generate(KEY_SPECS["AES_256"], name)
    assert not is_there(provider, name)


@pytest.mark.parametrize("spec", ["AES_256", "EC_P256"])
def test_no_object_has_the_handle_of_none(provider, spec) -> None:
    function = "C_GenerateKey" if spec == "AES_256" else "C_GenerateKeyPair"
    name = os.urandom(16).hex()
    with lying(function, last(0)), pytest.raises(Unavailable, match=f"what cannot be to {function}"):
        provider.generate(KEY_SPECS[spec], name)
    provider.destroy(name)  # as whoever has noted it does
    assert not is_there(provider, name)
    with lying(function, silent), pytest.raises(Unavailable):
        provider.generate(KEY_SPECS[spec], os.urandom(16).hex())


@pytest.mark.parametrize("lie", [silent, last(HUGE), last(65)])
def test_a_look_that_says_nothing_is_not_that_there_is_nothing(provider, lie) -> None:
    """Else a destruction is acknowledged of a key that is there."""
    name = os.urandom(16).hex()
    provider.generate(KEY_SPECS["AES_256"], name)
    with lying("C_FindObjects", lie), pytest.raises(Unavailable):
        provider.destroy(name)
    assert is_there(provider, name)
    provider.destroy(name)
    assert not is_there(provider, name)


@pytest.mark.parametrize("function", ["C_GetMechanismList", "C_GetSlotList"])
def test_no_module_has_so_many_of_anything(function) -> None:
    token = softhsm.open_token()
    with lying(function, last(HUGE)), pytest.raises(KeysteadError) as caught:
        token.info()
    assert isinstance(caught.value, Unavailable)
    token.close()


def test_a_slot_gives_a_whole_mac_or_nothing() -> None:
    """Less of it would be a root key that rests on nothing that is erased."""
    slot = Pkcs11Slot("pkcs11:soft", softhsm.open_token(), "0011223344556677", os.urandom)
    challenge = Sensitive(os.urandom(32))
    generation = slot.stage(challenge)
    given = slot.give(generation, challenge)
    for lie in (silent, last(0), last(31)):
        with lying("C_Sign", lie), pytest.raises(Unavailable):
            slot.give(generation, challenge)
    assert slot.give(generation, challenge).reveal() == given.reveal()


@pytest.mark.parametrize(("modulus", "exponent"), [(bytes(256), b"\1\0\1"), (b"\xff" * 256, b"\2"), (b"\1", b"\1\0\1")])
def test_numbers_that_are_no_rsa_key_are_told_so(modulus, exponent) -> None:
    with pytest.raises((Internal, Unsupported)):
        halves.rsa_public(modulus, exponent)
