"""The algorithm table: what keys exist, what they can do, and what everyone calls them.

To add an algorithm, add a row. Every door, provider and seal reads its spelling from here, by
*dialect*: a vocabulary, not a door. The core itself never looks at a dialect column. None means the
dialect has no word; such a door cannot be asked for it.

Algorithms are fully specified (RFC 9864): curve and digest are part of the row, so a word need be
unique only among the algorithms of one key. A dialect that names size and scheme together (gcp)
writes {bits}. tests/core/test_algorithms.py holds the aws column to AWS's own model, and the others to
the vendors' published lists. A dialect gets a column when its words can be checked; a row whose word
holds for one key size only (Cloud KMS: RSA with SHA-512 is for 4096 bits) waits for its door.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from keystead.core.errors import InvalidArgument, Unsupported, WrongUsage

Dialect = Literal["aws", "gcp", "vault", "jose"]


class Purpose(Enum):
    """What a key is for. A key has one; a key spec allows one or several. The values are stored."""

    CIPHER = "cipher"
    SIGNATURE = "signature"
    MAC = "mac"
    AGREEMENT = "agreement"
    ENCAPSULATION = "encapsulation"
    __hash__ = object.__hash__  # members are single; Enum's own hash of the name costs more than the look-up


class MessageForm(Enum):
    """What is handed over to be signed."""

    RAW = "raw"  # the message itself
    DIGEST = "digest"  # the algorithm's digest of it
    EXTERNAL_MU = "external-mu"  # FIPS 204 §6.2: the 64-byte message representative
    __hash__ = object.__hash__  # as Purpose has it


class Family(Enum):
    """Key specs whose keying material has the same form."""

    AES = auto()  # and whatever else takes raw bytes to encrypt with
    RSA = auto()
    EC = auto()
    EDWARDS = auto()
    HMAC = auto()
    ML_DSA = auto()
    ML_KEM = auto()
    SM2 = auto()


class Word(NamedTuple):
    """What a caller called an algorithm. It means nothing until the key is known."""

    dialect: Dialect
    text: str


DIGEST_BYTES = {"sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64, "sm3": 32}
MU_BYTES = 64  # FIPS 204 §6.2


_RAW, _EXTERNAL_MU = MessageForm.RAW, MessageForm.EXTERNAL_MU


class Algorithm(Struct, frozen=True):
    name: str
    purpose: Purpose
    digest: str | None  # as hashlib writes it
    forms: tuple[MessageForm, ...]  # signatures only
    aws: str | None  # KMS API: EncryptionAlgorithmSpec, SigningAlgorithmSpec, MacAlgorithmSpec, …
    gcp: str | None  # google.cloud.kms.v1 CryptoKeyVersionAlgorithm
    jose: str | None  # RFC 7518 §3.1 §4.1 §5.1, RFC 8812 §3.2, as Azure Key Vault lists them
    vault: None = None  # transit names padding and hash apart, not algorithms

    @property
    def digest_bytes(self) -> int:
        """Length of the digest, which is also a MAC's and the PSS salt's; 0 if there is none."""
        return DIGEST_BYTES[self.digest] if self.digest else 0

    def check_form(self, form: MessageForm, message: bytes) -> None:
        """Raises InvalidArgument; detail "form", or the value of the form whose length is wrong."""
        if form not in self.forms:
            raise InvalidArgument(f"{self.name} does not take a message as {form.value}", "form")
        if form is _RAW:
            return
        wanted = MU_BYTES if form is _EXTERNAL_MU else self.digest_bytes
        if len(message) != wanted:
            raise InvalidArgument(f"{form.value} of {len(message)} bytes; {self.name} takes {wanted}", form.value)


_RSA_FAMILY: Final = Family.RSA  # bound once: for a member of an enumeration Python asks its class first


class KeySpec(Struct, frozen=True):
    name: str
    family: Family
    bits: int | None  # the size a dialect may have to name
    strength: int  # bits of security, SP 800-57pt1r5 Tables 2 and 3, rounded down; FIPS 203 §8, FIPS 204 Table 1
    slow: bool  # a private operation takes more than 0.5 ms: not for the event loop. Making a key never is
    algorithms: tuple[str, ...]  # the first of each purpose is that purpose's default
    aws: str | None  # KMS API: KeySpec
    aws_pair: bool  # KMS API: DataKeyPairSpec
    vault: str | None  # transit: key type
    jose: str | None  # kty or crv
    gcp: None = None  # Cloud KMS has no key spec apart from the algorithm
    plain: bool = False  # of keys of raw bytes: its ciphertexts name neither key nor version (docs/adr/0041)

    @property
    def names_versions(self) -> bool:
        """Whether a ciphertext says which version of which key made it."""
        return self.family is Family.AES and not self.plain

    @property
    def purposes(self) -> tuple[Purpose, ...]:
        """What a key of this spec may be for, the default first."""
        return tuple(dict.fromkeys(ALGORITHMS[name].purpose for name in self.algorithms))

    def algorithms_for(self, purpose: Purpose) -> tuple[Algorithm, ...]:
        return tuple(a for name in self.algorithms if (a := ALGORITHMS[name]).purpose is purpose)

    def algorithm(self, word: Word, purpose: Purpose | None = None) -> Algorithm:
        """The algorithm of this key that `word.dialect` calls `word.text`. Raises WrongUsage."""
        found = _BY_WORD[self.name].get(word)
        if found is None:
            raise WrongUsage(f"{self.name} cannot do {word.text}", word)
        if purpose is not None and found.purpose is not purpose:
            raise WrongUsage(f"this {self.name} key is not for {word.text}", word)
        return found

    def default(self, purpose: Purpose) -> Algorithm:
        """Raises WrongUsage."""
        if (found := _DEFAULTS[self.name].get(purpose)) is None:
            raise WrongUsage(f"{self.name} is not a {purpose.name.lower()} key", purpose)
        return found

    def max_plaintext(self, algorithm: Algorithm) -> int | None:
        """The longest plaintext in bytes; None if the algorithm sets no limit. RFC 8017 §7.1.1"""
        if self.family is not _RSA_FAMILY or self.bits is None:
            return None
        return self.bits // 8 - 2 * algorithm.digest_bytes - 2


class DataKeySpec(Struct, frozen=True):
    """A symmetric data key: so many random bytes."""

    name: str
    n_bytes: int
    aws: str  # KMS API: DataKeySpec


def key_spec(dialect: Dialect, text: str, bits: int | None = None) -> KeySpec:
    """The key spec that `dialect` calls `text`; `bits` tells apart words shared by several sizes. Raises Unsupported."""
    found = [s for s in _SPECS_BY_WORD.get(Word(dialect, text), ()) if bits in (None, s.bits)]
    if len(found) != 1:
        raise Unsupported(f"{'unknown' if not found else 'ambiguous'} key type {text}", text)
    return found[0]


def data_key_spec(dialect: Dialect, text: str) -> DataKeySpec:
    """Raises Unsupported."""
    for row in DATA_KEY_SPECS.values():
        if dialect == "aws" and row.aws == text:
            return row
    raise Unsupported(f"unknown data key type {text}", text)


def data_key_pair_spec(word: Word) -> KeySpec:
    """Raises Unsupported."""
    spec = key_spec(word.dialect, word.text)
    if not spec.aws_pair:
        raise Unsupported(f"{spec.name} is no data key pair type", word.text)
    return spec


_C, _S, _M, _D, _E = Purpose.CIPHER, Purpose.SIGNATURE, Purpose.MAC, Purpose.AGREEMENT, Purpose.ENCAPSULATION
_NO: tuple[MessageForm, ...] = ()
_RD = (MessageForm.RAW, MessageForm.DIGEST)
_RM = (MessageForm.RAW, MessageForm.EXTERNAL_MU)
_R, _H = (MessageForm.RAW,), (MessageForm.DIGEST,)
# fmt: off
_A = Algorithm
ALGORITHMS: dict[str, Algorithm] = {a.name: a for a in (
    #  name                 for digest    forms aws                          gcp                               jose
    _A("AES_GCM",           _C, None,     _NO,  "SYMMETRIC_DEFAULT",         "GOOGLE_SYMMETRIC_ENCRYPTION",    "A{bits}GCM"),
    _A("CHACHA20_POLY1305", _C, None,     _NO,  None,                        None,                             None),
    _A("XCHACHA20_POLY1305", _C, None,    _NO,  None,                        None,                             None),
    _A("RSA_OAEP_SHA1",     _C, "sha1",   _NO,  "RSAES_OAEP_SHA_1",          "RSA_DECRYPT_OAEP_{bits}_SHA1",   "RSA-OAEP"),
    _A("RSA_OAEP_SHA256",   _C, "sha256", _NO,  "RSAES_OAEP_SHA_256",        "RSA_DECRYPT_OAEP_{bits}_SHA256", "RSA-OAEP-256"),
    _A("RSA_PSS_SHA256",    _S, "sha256", _RD,  "RSASSA_PSS_SHA_256",        "RSA_SIGN_PSS_{bits}_SHA256",     "PS256"),
    _A("RSA_PSS_SHA384",    _S, "sha384", _RD,  "RSASSA_PSS_SHA_384",        None,                             "PS384"),
    _A("RSA_PSS_SHA512",    _S, "sha512", _RD,  "RSASSA_PSS_SHA_512",        None,                             "PS512"),
    _A("RSA_PKCS1_SHA256",  _S, "sha256", _RD,  "RSASSA_PKCS1_V1_5_SHA_256", "RSA_SIGN_PKCS1_{bits}_SHA256",   "RS256"),
    _A("RSA_PKCS1_SHA384",  _S, "sha384", _RD,  "RSASSA_PKCS1_V1_5_SHA_384", None,                             "RS384"),
    _A("RSA_PKCS1_SHA512",  _S, "sha512", _RD,  "RSASSA_PKCS1_V1_5_SHA_512", None,                             "RS512"),
    _A("ECDSA_P256_SHA256", _S, "sha256", _RD,  "ECDSA_SHA_256",             "EC_SIGN_P256_SHA256",            "ES256"),
    _A("ECDSA_P384_SHA384", _S, "sha384", _RD,  "ECDSA_SHA_384",             "EC_SIGN_P384_SHA384",            "ES384"),
    _A("ECDSA_P521_SHA512", _S, "sha512", _RD,  "ECDSA_SHA_512",             None,                             "ES512"),
    _A("ECDSA_K256_SHA256", _S, "sha256", _RD,  "ECDSA_SHA_256",             "EC_SIGN_SECP256K1_SHA256",       "ES256K"),
    _A("ED25519",           _S, None,     _R,   "ED25519_SHA_512",           "EC_SIGN_ED25519",                None),
    _A("ED25519PH",         _S, "sha512", _H,   "ED25519_PH_SHA_512",        None,                             None),
    _A("ML_DSA_44",         _S, None,     _RM,  "ML_DSA_SHAKE_256",          "PQ_SIGN_ML_DSA_44",              None),
    _A("ML_DSA_65",         _S, None,     _RM,  "ML_DSA_SHAKE_256",          "PQ_SIGN_ML_DSA_65",              None),
    _A("ML_DSA_87",         _S, None,     _RM,  "ML_DSA_SHAKE_256",          "PQ_SIGN_ML_DSA_87",              None),
    _A("SM2DSA",            _S, "sm3",    _RD,  "SM2DSA",                    None,                             None),
    _A("SM2PKE",            _C, "sm3",    _NO,  "SM2PKE",                    None,                             None),
    _A("SM2_ECDH",          _D, None,     _NO,  "ECDH",                      None,                             None),
    _A("ECDH",              _D, None,     _NO,  "ECDH",                      None,                             None),
    _A("HMAC_SHA224",       _M, "sha224", _NO,  "HMAC_SHA_224",              "HMAC_SHA224",                    None),
    _A("HMAC_SHA256",       _M, "sha256", _NO,  "HMAC_SHA_256",              "HMAC_SHA256",                    "HS256"),
    _A("HMAC_SHA384",       _M, "sha384", _NO,  "HMAC_SHA_384",              "HMAC_SHA384",                    "HS384"),
    _A("HMAC_SHA512",       _M, "sha512", _NO,  "HMAC_SHA_512",              "HMAC_SHA512",                    "HS512"),
    _A("ML_KEM_512",        _E, None,     _NO,  "ML_KEM",                    None,                             None),
    _A("ML_KEM_768",        _E, None,     _NO,  "ML_KEM",                    "ML_KEM_768",                     None),
    _A("ML_KEM_1024",       _E, None,     _NO,  "ML_KEM",                    "ML_KEM_1024",                    None),
)}

_K, _F = KeySpec, Family
_RSA = ("RSA_PSS_SHA256", "RSA_PSS_SHA384", "RSA_PSS_SHA512", "RSA_PKCS1_SHA256", "RSA_PKCS1_SHA384", "RSA_PKCS1_SHA512", "RSA_OAEP_SHA256", "RSA_OAEP_SHA1")
_yes, _no = True, False
KEY_SPECS: dict[str, KeySpec] = {k.name: k for k in (
    #  name           family      bits  str. slow  algorithms                         aws                      pair  vault           jose
    _K("AES_256",     _F.AES,     256,  256, _no,  ("AES_GCM",),                      "SYMMETRIC_DEFAULT",     _no,  "aes256-gcm96", "oct"),
    _K("AES_128",     _F.AES,     128,  128, _no,  ("AES_GCM",),                      None,                    _no,  "aes128-gcm96", None),
    _K("CHACHA20",    _F.AES,     256,  256, _no,  ("CHACHA20_POLY1305",),            None,                    _no,  "chacha20-poly1305", None),
    _K("XCHACHA20",   _F.AES,     256,  256, _no,  ("XCHACHA20_POLY1305",),           None,                    _no,  "xchacha20-poly1305", None, plain=_yes),
    _K("RSA_2048",    _F.RSA,     2048, 112, _no,  _RSA,                              "RSA_2048",              _yes, "rsa-2048",     "RSA"),
    _K("RSA_3072",    _F.RSA,     3072, 128, _yes, _RSA,                              "RSA_3072",              _yes, "rsa-3072",     "RSA"),
    _K("RSA_4096",    _F.RSA,     4096, 128, _yes, _RSA,                              "RSA_4096",              _yes, "rsa-4096",     "RSA"),
    _K("EC_P256",     _F.EC,      256,  128, _no,  ("ECDSA_P256_SHA256", "ECDH"),     "ECC_NIST_P256",         _yes, "ecdsa-p256",   "P-256"),
    _K("EC_P384",     _F.EC,      384,  192, _no,  ("ECDSA_P384_SHA384", "ECDH"),     "ECC_NIST_P384",         _yes, "ecdsa-p384",   "P-384"),
    _K("EC_P521",     _F.EC,      521,  256, _no,  ("ECDSA_P521_SHA512", "ECDH"),     "ECC_NIST_P521",         _yes, "ecdsa-p521",   "P-521"),
    _K("EC_K256",     _F.EC,      256,  128, _no,  ("ECDSA_K256_SHA256",),            "ECC_SECG_P256K1",       _yes, None,           None),
    _K("ED25519",     _F.EDWARDS, 256,  128, _no,  ("ED25519", "ED25519PH"),          "ECC_NIST_EDWARDS25519", _yes, "ed25519",      None),
    _K("SM2",         _F.SM2,     256,  128, _no,  ("SM2DSA", "SM2PKE", "SM2_ECDH"),  "SM2",                   _yes, None,           None),
    _K("ML_DSA_44",   _F.ML_DSA,  None, 128, _yes, ("ML_DSA_44",),                    "ML_DSA_44",             _no,  None,           None),
    _K("ML_DSA_65",   _F.ML_DSA,  None, 192, _yes, ("ML_DSA_65",),                    "ML_DSA_65",             _no,  None,           None),
    _K("ML_DSA_87",   _F.ML_DSA,  None, 256, _yes, ("ML_DSA_87",),                    "ML_DSA_87",             _no,  None,           None),
    _K("ML_KEM_512",  _F.ML_KEM,  None, 128, _no,  ("ML_KEM_512",),                   "ML_KEM_512",            _yes, None,           None),
    _K("ML_KEM_768",  _F.ML_KEM,  None, 192, _no,  ("ML_KEM_768",),                   "ML_KEM_768",            _yes, None,           None),
    _K("ML_KEM_1024", _F.ML_KEM,  None, 256, _no,  ("ML_KEM_1024",),                  "ML_KEM_1024",           _yes, None,           None),
    _K("HMAC_224",    _F.HMAC,    224,  192, _no,  ("HMAC_SHA224",),                  "HMAC_224",              _no,  None,           "oct"),
    _K("HMAC_256",    _F.HMAC,    256,  256, _no,  ("HMAC_SHA256",),                  "HMAC_256",              _no,  "hmac",         "oct"),
    _K("HMAC_384",    _F.HMAC,    384,  256, _no,  ("HMAC_SHA384",),                  "HMAC_384",              _no,  "hmac",         "oct"),
    _K("HMAC_512",    _F.HMAC,    512,  256, _no,  ("HMAC_SHA512",),                  "HMAC_512",              _no,  "hmac",         "oct"),
)}

DATA_KEY_SPECS: dict[str, DataKeySpec] = {d.name: d for d in (
    DataKeySpec("AES_256", 32, "AES_256"),
    DataKeySpec("AES_128", 16, "AES_128"),
)}
# fmt: on

LEAST_HMAC, MOST_HMAC = 32, 512
"""Bytes of an HMAC key whose size its maker says. Vault, transit: key_size"""


def _sized(n_bytes: int) -> KeySpec:
    """Its default digest is the longest that is not longer than the key."""
    digest = next(name for name in ("SHA512", "SHA384", "SHA256") if DIGEST_BYTES[name.lower()] <= n_bytes)
    return KeySpec(
        name=f"HMAC_{8 * n_bytes}",
        family=Family.HMAC,
        bits=8 * n_bytes,
        strength=256,
        slow=False,
        algorithms=(f"HMAC_{digest}",),
        aws=None,
        aws_pair=False,
        vault="hmac",
        jose=None,
    )


SPECS: dict[str, KeySpec] = {
    spec.name: spec for spec in (*map(_sized, range(LEAST_HMAC, MOST_HMAC + 1)), *KEY_SPECS.values())
}
"""What a key can be of: the table, and HMAC keys of all other sizes, which no list is to be made long by."""

_DIALECTS: tuple[Dialect, ...] = ("aws", "gcp", "vault", "jose")


def _words(spec: KeySpec) -> dict[Word, Algorithm]:
    return {
        Word(dialect, own.format(bits=spec.bits)): ALGORITHMS[name]
        for name in spec.algorithms
        for dialect in _DIALECTS
        if (own := getattr(ALGORITHMS[name], dialect))
    }


_DEFAULTS: dict[str, dict[Purpose, Algorithm]] = {
    spec.name: {purpose: spec.algorithms_for(purpose)[0] for purpose in spec.purposes} for spec in SPECS.values()
}
_BY_WORD: dict[str, dict[Word, Algorithm]] = {spec.name: _words(spec) for spec in SPECS.values()}
_SPECS_BY_WORD: dict[Word, list[KeySpec]] = {}
for _spec in KEY_SPECS.values():
    for _dialect in _DIALECTS:
        if _text := getattr(_spec, _dialect):
            _SPECS_BY_WORD.setdefault(Word(_dialect, _text), []).append(_spec)
