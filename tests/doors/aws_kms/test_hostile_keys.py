"""Whatever is sent as a key from outside is refused in bounded time, and changes nothing (security.md §4, row 62).

Where DER comes in: the peer's key of DeriveSharedSecret, the material of ImportKeyMaterial, a signature for Verify, and
the files that TLS is served with.
"""

from __future__ import annotations

from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, mldsa, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from tests.costs import atmost
from tests.doors.aws_kms.managing import ask
from tests.doors.aws_kms.wrapped import FOR_EVER, parameters, wrap
from tests.harness import stack

from keystead.app.tls import server_context
from keystead.config import Tls
from keystead.core.algorithms import Purpose
from keystead.core.errors import InvalidArgument
from keystead.wire import Malformed, asn1

MOST_CPU = 1.0  # seconds; a good RSA_4096 key takes 0.2
HYBRID = "RSA_AES_KEY_WRAP_SHA_256"
INTEGER, BITS, OCTETS, NULL, OID, SEQUENCE = 2, 3, 4, 5, 6, 0x30


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    n = len(body)
    length = bytes([n]) if n < 128 else bytes([0x82]) + n.to_bytes(2, "big") if n > 255 else bytes([0x81, n])
    return bytes([tag]) + length + body


def seq(*parts: bytes) -> bytes:
    return tlv(SEQUENCE, *parts)


def integer(value: int) -> bytes:
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def bits(body: bytes) -> bytes:
    return tlv(BITS, b"\0" + body)


def oid(hexadecimal: str) -> bytes:
    return tlv(OID, bytes.fromhex(hexadecimal))


RSA, EC, P256 = oid("2a864886f70d010101"), oid("2a8648ce3d0201"), oid("2a8648ce3d030107")
PRIME_FIELD, DSA, DH = oid("2a8648ce3d0101"), oid("2a8648ce380401"), oid("2a864886f70d010301")
P = 2**256 - 2**224 + 2**192 + 2**96 - 1  # SP 800-186 §3.2.1.3, as are the following
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
A, B = P - 3, 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5
G = b"\4" + GX.to_bytes(32, "big") + GY.to_bytes(32, "big")


def explicit(p: int = P, a: int = A, generator: bytes = G, order: int = N) -> bytes:
    """RFC 3279 §2.3.5, ECParameters."""
    size = (p.bit_length() + 7) // 8
    curve = seq(tlv(OCTETS, a.to_bytes(size, "big")), tlv(OCTETS, B.to_bytes(size, "big")))
    return seq(integer(1), seq(PRIME_FIELD, integer(p)), curve, tlv(OCTETS, generator), integer(order), integer(1))


def spki(algorithm: bytes, key: bytes) -> bytes:
    return seq(algorithm, bits(key))


def nested(depth: int) -> bytes:
    der = b""
    for _ in range(depth):
        der = seq(der)
    return der


def public(key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def pkcs8(key, encryption=None) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, encryption or NoEncryption())


def rsa_that_could_have(*exponents: int):
    """A good key whose primes would do with these exponents, too."""
    while True:
        key = rsa.generate_private_key(65537, 2048)
        numbers = key.private_numbers()
        if all((numbers.p - 1) % e and (numbers.q - 1) % e for e in exponents):
            return key


GOOD_EC, GOOD_RSA = ec.generate_private_key(ec.SECP256R1()), rsa_that_could_have(17, 257)
GOOD = public(GOOD_EC)
X, Y = (
    n.to_bytes(32, "big") for n in (GOOD_EC.public_key().public_numbers().x, GOOD_EC.public_key().public_numbers().y)
)
ON_P256 = seq(EC, P256)
NO_X = next(x for x in range(1, 99) if pow(x**3 + A * x + B, (P - 1) // 2, P) != 1)  # of no point
HUGE = (1 << 19_937) - 1  # a prime: what is tested for being one in earnest takes minutes

PEERS = {
    "nothing but a byte": b"\0",
    "a point off the curve": spki(ON_P256, b"\4" + X + bytes(32)),
    "the other coordinate": spki(ON_P256, b"\4" + Y + X),
    "a coordinate beyond the field": spki(ON_P256, b"\4" + P.to_bytes(32, "big") + Y),
    "infinity": spki(ON_P256, b"\0"),
    "a compressed point with no y": spki(ON_P256, b"\2" + NO_X.to_bytes(32, "big")),
    "a hybrid point": spki(ON_P256, b"\6" + X + Y),
    "a point too short": spki(ON_P256, b"\4" + X + Y[:-1]),
    "a point too long": spki(ON_P256, b"\4" + X + Y + b"\0"),
    "no point": spki(ON_P256, b""),
    "of another curve": public(ec.generate_private_key(ec.SECP384R1())),
    "of secp256k1": public(ec.generate_private_key(ec.SECP256K1())),
    "of Ed25519": public(ed25519.Ed25519PrivateKey.generate()),
    "of X25519, of small order": spki(seq(oid("2b656e")), bytes(32)),
    "the curve in full": spki(seq(EC, explicit()), G),
    "the curve in full, another generator": spki(seq(EC, explicit(generator=b"\4" + X + Y)), b"\4" + X + Y),
    "a curve over a huge field": spki(seq(EC, explicit(p=HUGE, a=1)), G),
    "a curve of a huge order": spki(seq(EC, explicit(order=HUGE)), G),
    "no curve": spki(seq(EC), b"\4" + X + Y),
    "the curve of whoever signed": spki(seq(EC, tlv(NULL)), b"\4" + X + Y),
    "an RSA key": public(GOOD_RSA),
    "an RSA key of 60,000 bits": spki(seq(RSA, tlv(NULL)), seq(integer((1 << 60_000) - 1), integer(65537))),
    "an RSA key with e = 1": spki(seq(RSA, tlv(NULL)), seq(integer((1 << 2048) - 1), integer(1))),
    "an RSA key of a negative modulus": spki(seq(RSA, tlv(NULL)), seq(integer(-(1 << 2047)), integer(3))),
    "a DSA key of 20,000 bits": spki(
        seq(DSA, seq(integer(HUGE), integer((1 << 160) - 1), integer(HUGE))), integer(HUGE)
    ),
    "a DH key of 20,000 bits": spki(seq(DH, seq(integer(HUGE), integer(2))), integer(HUGE)),
    "trailing bytes": GOOD + b"\0",
    "trailing bytes within": seq(ON_P256, bits(b"\4" + X + Y), tlv(NULL)),
    "unused bits": seq(ON_P256, tlv(BITS, b"\1\4" + X + Y)),
    "of indefinite length": b"\x30\x80" + GOOD[2:] + b"\0\0",
    "a length that could be shorter": b"\x30\x81" + GOOD[1:],
    "a length of 8 bytes": b"\x30\x88" + (len(GOOD) - 2).to_bytes(8, "big") + GOOD[2:],
    "a length beyond the end": b"\x30\x82\xff\xff" + GOOD[2:],
    "1,000 deep": nested(1000),
    "1,000 deep, never closed": b"\x30\x80" * 1000,
    "wide": seq(*[tlv(NULL)] * 2000),
    "in PEM": GOOD_EC.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "a private key": pkcs8(GOOD_EC),
}


@pytest.fixture(scope="module")
def office():
    return stack()


@pytest.fixture(scope="module")
def agreeing(office):
    return office.key("ECC_NIST_P256", Purpose.AGREEMENT).id


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_row_62_a_hostile_peer_key_is_refused_at_once(office, agreeing, peer) -> None:
    """CVE-2020-0601: a curve with a generator of the attacker's among them."""
    before = office.barrier.n_commits
    assert len(peer) <= 8192, "or its length alone would be refused"
    with atmost(MOST_CPU):
        reply = office.admin.call("DeriveSharedSecret", KeyId=agreeing, KeyAgreementAlgorithm="ECDH", PublicKey=peer)
    assert (reply.status, reply.code, reply.message) == (400, "ValidationException", None)
    assert office.record().outcome == "refused: InvalidArgument"
    assert office.barrier.n_commits == before


@pytest.mark.parametrize("point", ["\4", "\2 or \3"])
def test_row_62_and_a_good_one_is_taken(office, agreeing, point) -> None:
    key = GOOD if point == "\4" else spki(ON_P256, bytes([2 + Y[-1] % 2]) + X)
    reply = office.admin.call("DeriveSharedSecret", KeyId=agreeing, KeyAgreementAlgorithm="ECDH", PublicKey=key)
    assert reply.status == 200 and len(b64decode(reply.json["SharedSecret"])) == 32


def test_row_62_a_peer_key_of_64k_bits_is_too_long_for_the_member(office, agreeing) -> None:
    key = spki(seq(RSA, tlv(NULL)), seq(integer((1 << 65_536) - 1), integer(65537)))
    with atmost(MOST_CPU):
        reply = office.admin.call("DeriveSharedSecret", KeyId=agreeing, KeyAgreementAlgorithm="ECDH", PublicKey=key)
    assert reply.code == "ValidationException" and "8192" in reply.message


# --- keying material


def private_rsa(n, e, d, p, q, *, dp=3, dq=3, qi=3, version=0) -> bytes:
    numbers = seq(*map(integer, (version, n, e, d, p, q, dp, dq, qi)))
    return seq(integer(0), seq(RSA, tlv(NULL)), tlv(OCTETS, numbers))


def good_rsa(**other) -> bytes:
    numbers = GOOD_RSA.private_numbers()
    own = {
        "n": numbers.public_numbers.n, "e": numbers.public_numbers.e, "d": numbers.d, "p": numbers.p, "q": numbers.q,
        "dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp,
    }  # fmt: skip
    return private_rsa(**(own | other))


def with_exponent(e: int) -> bytes:
    """The primes of a good key, and all that belongs to another exponent."""
    numbers = GOOD_RSA.private_numbers()
    d = pow(e, -1, (numbers.p - 1) * (numbers.q - 1))
    return good_rsa(e=e, d=d, dp=d % (numbers.p - 1), dq=d % (numbers.q - 1))


def private_ec(secret: bytes, *more: bytes, curve: bytes = P256) -> bytes:
    return seq(integer(0), seq(EC, curve), tlv(OCTETS, seq(integer(1), tlv(OCTETS, secret), *more)))


SMALL_PRIME = (1 << 521) - 1
MID = (1 << 11_213) - 1  # a prime too: 36 seconds
PRIME = GOOD_RSA.private_numbers().p
MODULUS = GOOD_RSA.private_numbers().public_numbers.n
MATERIALS = {
    "RSA_2048": {
        "another size": pkcs8(rsa.generate_private_key(65537, 3072)),
        "11,000 bits of a prime": private_rsa(MID * 3, 5, 7, MID, 3),
        "20,000 bits of a prime": private_rsa(HUGE * 3, 5, 7, HUGE, 3),
        "a good modulus, a huge prime": private_rsa(MODULUS, 65537, 7, MID, 3),
        "a good modulus, a prime of all its bits": good_rsa(p=MODULUS, q=1),
        "a huge private exponent": good_rsa(d=HUGE),
        "a huge public exponent": good_rsa(e=HUGE),
        "a huge coefficient": good_rsa(qi=HUGE),
        "a small prime": private_rsa(SMALL_PRIME * 3, 5, 7, SMALL_PRIME, 3),
        "e = 1": good_rsa(e=1, d=1, dp=1, dq=1),
        "e = 0": good_rsa(e=0),
        "e = 2": good_rsa(e=2),
        "e = -3": good_rsa(e=-3),
        "e = 17": with_exponent(17),
        "e = 257": with_exponent(257),
        "a modulus of zero": good_rsa(n=0),
        "a negative modulus": good_rsa(n=-MODULUS),
        "a modulus that is its negative": good_rsa(n=(1 << 2048) - MODULUS),
        "primes of zero": good_rsa(p=0, q=0),
        "an even modulus": good_rsa(n=MODULUS - 1),
        "one prime twice": private_rsa(PRIME**2, 65537, 7, PRIME, PRIME),
        "three primes": good_rsa(version=1),
        "no numbers": seq(integer(0), seq(RSA, tlv(NULL)), tlv(OCTETS, seq())),
        "too few numbers": seq(integer(0), seq(RSA, tlv(NULL)), tlv(OCTETS, seq(integer(0), integer(MODULUS)))),
        "a key of DSA": pkcs8(dsa.generate_private_key(2048)),
        "trailing bytes": pkcs8(GOOD_RSA) + b"\0",
        "trailing bytes within": good_rsa()[:1] + b"\x82" + (len(good_rsa()) - 4 + 600).to_bytes(2, "big")
        + good_rsa()[4:] + b"\0" * 600,
        "11,000 bits of a prime, in PKCS#1": seq(*map(integer, (0, MID * 3, 5, 7, MID, 3, 3, 3, 3))),
        "encrypted": pkcs8(GOOD_RSA, BestAvailableEncryption(b"x")),
        "1,000 deep": nested(1000),
        "indefinite, 1,000 deep": b"\x30\x80" * 1000,
    },
    "ECC_NIST_P256": {
        "zero": private_ec(bytes(32)),
        "the order": private_ec(N.to_bytes(32, "big")),
        "beyond the order": private_ec(b"\xff" * 32),
        "400 bytes": private_ec(b"\1" * 400),
        "the curve in full, another generator": private_ec(b"\1" * 32, curve=explicit(generator=b"\4" + X + Y)),
        "a curve over a large field": private_ec(b"\1" * 32, curve=explicit(p=MID, a=1)),
        "of another curve": pkcs8(ec.generate_private_key(ec.SECP384R1())),
        "of secp256k1": pkcs8(ec.generate_private_key(ec.SECP256K1())),
        "no curve": seq(integer(0), seq(EC), tlv(OCTETS, seq(integer(1), tlv(OCTETS, b"\1" * 32)))),
        "another curve within": private_ec(b"\1" * 32, tlv(0xA0, oid("2b81040022"))),
        "trailing bytes": pkcs8(GOOD_EC) + b"\0",
        "a public key": GOOD,
    },
    "ECC_NIST_EDWARDS25519": {
        "of X25519": pkcs8(x25519.X25519PrivateKey.generate()),
        "31 bytes": seq(integer(0), seq(oid("2b6570")), tlv(OCTETS, tlv(OCTETS, bytes(31)))),
        "33 bytes": seq(integer(0), seq(oid("2b6570")), tlv(OCTETS, tlv(OCTETS, bytes(33)))),
        "trailing bytes": pkcs8(ed25519.Ed25519PrivateKey.generate()) + b"\0",
    },
    "ML_DSA_65": {
        "of ML-DSA-44": pkcs8(mldsa.MLDSA44PrivateKey.generate()),
        "a seed of 31 bytes": seq(integer(0), seq(oid("608648016503040312")), tlv(OCTETS, tlv(0x80, bytes(31)))),
        "no seed": seq(integer(0), seq(oid("608648016503040312")), tlv(OCTETS, b"")),
        "a seed and another key": seq(
            integer(0),
            seq(oid("608648016503040312")),
            tlv(OCTETS, seq(tlv(OCTETS, bytes(32)), tlv(OCTETS, bytes(4032)))),
        ),
        "wide": seq(*[tlv(NULL)] * 2000),
    },
    "SYMMETRIC_DEFAULT": {"31 bytes": bytes(31), "33 bytes": bytes(33), "a key in DER": pkcs8(GOOD_EC)},
    "HMAC_256": {"16 bytes": bytes(16), "64 bytes": bytes(64)},
}  # fmt: skip
USAGES = {"RSA_2048": "SIGN_VERIFY", "HMAC_256": "GENERATE_VERIFY_MAC", "SYMMETRIC_DEFAULT": "ENCRYPT_DECRYPT"}


@pytest.fixture(scope="module")
def waiting(office):
    """Key spec -> (a key that waits for its material, what it is to be wrapped with); made once each."""
    found = {}

    def of(spec: str):
        if spec not in found:
            usage = USAGES.get(spec, "SIGN_VERIFY")
            made = ask(office.admin, "CreateKey", Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)
            key_id, raw = made["KeyMetadata"]["KeyId"], spec in {"SYMMETRIC_DEFAULT", "HMAC_256"}
            algorithm = "RSAES_OAEP_SHA_256" if raw else HYBRID
            found[spec] = key_id, algorithm, parameters(office.admin, key_id, algorithm)
        return found[spec]

    return of


CASES = [
    pytest.param(spec, bad, id=f"{spec}: {name}") for spec, bads in MATERIALS.items() for name, bad in bads.items()
]


@pytest.mark.parametrize(("spec", "material"), CASES)
def test_row_62_hostile_material_is_refused_at_once_and_the_key_still_waits(office, waiting, spec, material) -> None:
    key_id, algorithm, given = waiting(spec)
    wrapped = wrap(b64decode(given["PublicKey"]), algorithm, material)
    assert len(wrapped) <= 6144, "or its length alone would be refused"
    before = office.barrier.n_commits
    ticket = {"ImportToken": given["ImportToken"], "EncryptedKeyMaterial": wrapped}
    with atmost(MOST_CPU):
        reply = office.admin.call("ImportKeyMaterial", KeyId=key_id, **ticket, **FOR_EVER)
    assert (reply.status, reply.code) == (400, "IncorrectKeyMaterialException"), reply.message
    assert office.barrier.n_commits == before
    assert ask(office.admin, "DescribeKey", KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingImport"


def test_row_62_what_is_no_wrapping_is_refused_and_the_good_one_still_comes(office, waiting) -> None:
    key_id, _, given = waiting("RSA_2048")
    public_key = b64decode(given["PublicKey"])
    good = wrap(public_key, HYBRID, pkcs8(GOOD_RSA))
    for wrapped in (good[:-8], good[:256], b"\0" * 300, good + good[256:], good[:256] + bytes(8 * 700)):
        with atmost(MOST_CPU):
            reply = office.admin.call(
                "ImportKeyMaterial",
                KeyId=key_id,
                ImportToken=given["ImportToken"],
                EncryptedKeyMaterial=wrapped,
                **FOR_EVER,
            )
        assert reply.code == "InvalidCiphertextException"
    ask(
        office.admin, "ImportKeyMaterial",
        KeyId=key_id, ImportToken=given["ImportToken"], EncryptedKeyMaterial=good, **FOR_EVER,
    )  # fmt: skip


# --- signatures

SIGNATURES = {
    "no DER": b"\0",
    "zeros": seq(integer(0), integer(0)),
    "negative": seq(integer(-5), integer(-7)),
    "the order": seq(integer(N), integer(N)),
    "huge integers": seq(integer(HUGE), integer(HUGE)),
    "three integers": seq(integer(1), integer(1), integer(1)),
    "deep": nested(1000),
    "indefinite": b"\x30\x80" * 1000,
    "trailing bytes": seq(integer(1), integer(1)) + b"\0",
}


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=SIGNATURES)
def test_row_62_a_hostile_signature_does_not_verify(office, signature) -> None:
    key = office.key("ECC_NIST_P256", Purpose.SIGNATURE).id
    with atmost(MOST_CPU):
        reply = office.admin.call(
            "Verify", KeyId=key, Message=b"m", SigningAlgorithm="ECDSA_SHA_256", Signature=signature[:6144]
        )
    assert reply.code == "KMSInvalidSignatureException"


# --- files

PEM = "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n"


@pytest.mark.parametrize(
    "text", ["", "no PEM", PEM.format("CERTIFICATE", "MIIB"), PEM.format("PRIVATE KEY", "A" * 100_000)]
)
def test_row_62_a_file_that_is_no_certificate_or_key_is_refused_at_the_start(tmp_path, text) -> None:
    path = tmp_path / "file.pem"
    path.write_text(text)
    with atmost(MOST_CPU), pytest.raises(InvalidArgument, match="TLS certificate"):
        server_context(Tls(f"file:{path}", f"file:{path}"))


# --- the reader


@given(st.binary(max_size=300))
def test_row_62_any_bytes_are_der_or_malformed(data) -> None:
    try:
        n = asn1.check(data)
    except Malformed:
        return
    assert n <= asn1.NODES
    assert b"".join(element.whole for element in asn1.elements(data)) == data


@pytest.mark.parametrize("good", [GOOD, pkcs8(GOOD_EC), pkcs8(GOOD_RSA), good_rsa()])
def test_row_62_what_openssl_writes_is_der(good) -> None:
    assert asn1.check(good) > 3


@pytest.mark.parametrize("value", [1, 127, 128, 255, 256, 65537, 1 << 2047])
def test_row_62_integers_are_read_as_they_are_written(value) -> None:
    (element,) = asn1.elements(integer(value))
    assert asn1.unsigned(element, value.bit_length()) == value
    with pytest.raises(Malformed):
        asn1.unsigned(element, value.bit_length() - 1)
