"""Known answers, tried before anything is served: one per algorithm exposed.

selftest.json holds the long ones, from Project Wycheproof and RFC 8032 §7.3 (tests/scripts/make_selftest.py). Signing
is random for most algorithms and has no known answer then; so beside it a key signs and its public half verifies.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from importlib import resources
from typing import Final

import msgspec

from keystead.core.algorithms import ALGORITHMS, KEY_SPECS, KeySpec
from keystead.core.envelope import PREFIX_BYTES, Envelope, typed_aad
from keystead.core.errors import Internal
from keystead.core.keyed import KeyedHash
from keystead.crypto import agree, kem, keys, oaep
from keystead.crypto.aead import ChaCha, Gcm, GcmSiv, open_once, seal_once
from keystead.crypto.sign import SCHEMES
from keystead.crypto.xchacha import XChaCha

_Answer = dict[str, bytes]
_Checks = Iterator[tuple[str, Callable[[], bool]]]


class _Known(msgspec.Struct, frozen=True):
    signatures: dict[str, _Answer]
    oaep: dict[str, _Answer]
    kem: dict[str, _Answer]
    ecdh: dict[str, _Answer]


# RFC 4231 §4.3
_MACS: Final = {
    "HMAC_SHA224": "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
    "HMAC_SHA256": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    "HMAC_SHA384": "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
    "HMAC_SHA512": "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
    "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
}
# docs/ciphertext-v1-vectors.json, the eleventh
_V1_KEY: Final = "227ba5f2c6c9109fe5c44a0696f393379607493a377f522ee27d9a7ae3227d89"
_V1_RANDOM: Final = "14e92cff10b0a5141ea6cf24b2d7f89b1f5b824e728385cd"
_V1_BLOB: Final = (
    "a5011234abcd12ab34cd56ef1234567890ab000000029c76eadd559bec21cb2564a423be94b4a8f0e081983cf6529241ea40181e4cb250e9b994"
    "5dcd900a3ce0bacece95030d96c82d01375aa0fa112372144c2f73d4fe524ea33ffe8336cbc68604fdfc6b3d49f4159fc08f1c7e2195e8e98d00"
    "da92e712887f24152d08"
)


def run() -> tuple[str, ...]:
    """The names of what was tried. Raises Internal at the first that is wrong (detail: its name)."""
    text = resources.files("keystead.crypto").joinpath("selftest.json").read_bytes()
    known = msgspec.json.decode(text, type=_Known)
    tried = []
    for checks in (_ciphers(known), _macs(), _signatures(known), _secrets(known)):
        for name, check in checks:
            _try(name, check)
            tried.append(name)
    return tuple(tried)


def _try(name: str, check: Callable[[], bool]) -> None:
    try:
        good = check()
    except Exception as error:  # whatever is wrong with the library, nothing may be served
        raise Internal(f"self-test failed: {name}", name) from error
    if not good:
        raise Internal(f"self-test failed: {name}", name)


def _ciphers(known: _Known) -> _Checks:
    yield "AES_GCM", _gcm
    yield "AES_GCM_SIV", _gcm_siv
    yield "CHACHA20_POLY1305", _chacha
    yield "XCHACHA20_POLY1305", _xchacha
    yield "CIPHERTEXT_V1", _ciphertext_v1
    for name, answer in known.oaep.items():
        yield name, partial(_oaep, name, answer)


def _gcm() -> bool:
    # McGrew and Viega, "The Galois/Counter Mode of Operation", test case 14
    sealed = bytes.fromhex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919")
    cipher = Gcm(bytes(32))
    return cipher.seal(bytes(12), bytes(16), b"") == sealed and cipher.open(bytes(12), sealed, b"") == bytes(16)


def _gcm_siv() -> bool:
    # RFC 8452 §C.2, the second
    nonce = b"\x03" + bytes(11)
    sealed = nonce + bytes.fromhex("c2ef328e5c71c83b843122130f7364b761e0b97427e3df28")
    cipher, text = GcmSiv(b"\x01" + bytes(31)), b"\x01" + bytes(7)
    return cipher.seal(nonce, text, b"") == sealed and cipher.open(sealed, b"") == text


_SUNSCREEN: Final = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    b"sunscreen would be it."
)
_OF_SUNSCREEN: Final = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")


def _chacha() -> bool:
    # RFC 8439 §2.8.2
    nonce, aad, text = bytes.fromhex("070000004041424344454647"), _OF_SUNSCREEN, _SUNSCREEN
    cipher = ChaCha(bytes(range(0x80, 0xA0)))
    sealed = cipher.seal(nonce, text, aad)
    return sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691" and cipher.open(nonce, sealed, aad) == text


def _xchacha() -> bool:
    # draft-irtf-cfrg-xchacha-03 §A.3.1
    cipher, nonce = XChaCha(bytes(range(0x80, 0xA0))), bytes(range(0x40, 0x58))
    sealed = cipher.seal(nonce, _SUNSCREEN, _OF_SUNSCREEN)
    return sealed[-16:].hex() == "c0875924c1c7987947deafd8780acf49" and cipher.open(sealed, _OF_SUNSCREEN) == _SUNSCREEN


def _ciphertext_v1() -> bool:
    envelope = Envelope(bytes.fromhex(_V1_KEY), "1234abcd-12ab-34cd-56ef-1234567890ab", 2)
    text, aad, blob = bytes(range(32)), typed_aad({"a": "1", "b": "2"}), bytes.fromhex(_V1_BLOB)
    key, prefix = envelope.seal(text, aad, bytes.fromhex(_V1_RANDOM))
    again, before = envelope.open(blob, aad)
    return prefix + seal_once(key, text, prefix) == blob and open_once(again, blob[PREFIX_BYTES:], before) == text


def _oaep(name: str, answer: _Answer) -> bool:
    private = keys.load(KEY_SPECS["RSA_2048"], answer["key"])
    again = oaep.encrypt(name, private.public_key(), answer["plaintext"])
    return all(oaep.decrypt(name, private, text) == answer["plaintext"] for text in (answer["ciphertext"], again))


def _macs() -> _Checks:
    for name, tag in _MACS.items():
        yield name, partial(_mac, ALGORITHMS[name].digest or "", bytes.fromhex(tag))


def _mac(digest: str, tag: bytes) -> bool:
    keyed, message = KeyedHash(b"Jefe", digest), b"what do ya want for nothing?"
    return keyed.matches(message, tag) and not keyed.matches(message, tag[:-1])


def _signatures(known: _Known) -> _Checks:
    rsa = keys.load(KEY_SPECS["RSA_2048"], known.oaep["RSA_OAEP_SHA256"]["key"])
    for name, answer in known.signatures.items():
        spec = next(spec for spec in KEY_SPECS.values() if name in spec.algorithms)
        yield name, partial(_signature, name, answer, rsa if spec.name == "RSA_2048" else None, spec)


def _signature(name: str, answer: _Answer, private: keys.PrivateKey | None, spec: KeySpec) -> bool:
    scheme, form = SCHEMES[name], ALGORITHMS[name].forms[0]
    public, message, signature = keys.parse_public(answer["key"]), answer["message"], answer["signature"]
    altered = message[:-1] + bytes([message[-1] ^ 1])
    private = private or keys.generate(spec, os.urandom(keys.seed_bytes(spec)))
    digest = bytes(ALGORITHMS[name].digest_bytes or 1)
    return (
        scheme.verify(public, message, signature, form)
        and not scheme.verify(public, altered, signature, form)
        and scheme.verify(private.public_key(), digest, scheme.sign(private, digest, form), form)
    )


def _secrets(known: _Known) -> _Checks:
    for name, answer in known.kem.items():
        yield name, partial(_kem, name, answer)
    for name, answer in known.ecdh.items():
        yield f"ECDH {name}", partial(_ecdh, KEY_SPECS[name], answer)


def _kem(name: str, answer: _Answer) -> bool:
    private = keys.load(KEY_SPECS[name], answer["key"])
    secret, ciphertext = kem.encapsulate(private.public_key())
    return (
        kem.decapsulate(name, private, answer["ciphertext"]) == answer["secret"]
        and kem.decapsulate(name, private, ciphertext) == secret
        and kem.decapsulate(name, private, bytes(len(ciphertext))) != secret
    )


def _ecdh(spec: KeySpec, answer: _Answer) -> bool:
    return agree.agree(keys.load(spec, answer["key"]), keys.load_public(spec, answer["peer"])) == answer["secret"]
