"""The table is sound in itself, and the aws column says what AWS's own model says."""

import re
from collections import Counter

import botocore.loaders
import pytest

from keystead.core.algorithms import (
    ALGORITHMS,
    DATA_KEY_SPECS,
    KEY_SPECS,
    SPECS,
    Family,
    MessageForm,
    Purpose,
    Word,
    data_key_pair_spec,
    data_key_spec,
    key_spec,
)
from keystead.core.errors import InvalidArgument, Unsupported, WrongUsage

SHAPES = botocore.loaders.Loader().load_service_model("kms", "service-2")["shapes"]
AWS_ENUM = {
    Purpose.CIPHER: SHAPES["EncryptionAlgorithmSpec"]["enum"],
    Purpose.SIGNATURE: SHAPES["SigningAlgorithmSpec"]["enum"],
    Purpose.MAC: SHAPES["MacAlgorithmSpec"]["enum"],
    Purpose.AGREEMENT: SHAPES["KeyAgreementAlgorithmSpec"]["enum"],
    Purpose.ENCAPSULATION: SHAPES["EncapsulationAlgorithmSpec"]["enum"],
}
USAGE = {
    Purpose.CIPHER: "ENCRYPT_DECRYPT",
    Purpose.SIGNATURE: "SIGN_VERIFY",
    Purpose.MAC: "GENERATE_VERIFY_MAC",
    Purpose.AGREEMENT: "KEY_AGREEMENT",
    Purpose.ENCAPSULATION: "ENCAPSULATE_DECAPSULATE",
}
DIALECTS = ("aws", "gcp", "vault", "jose")
# google.cloud.kms.v1 CryptoKeyVersionAlgorithm, what of it fits a row here
GCP = {
    "GOOGLE_SYMMETRIC_ENCRYPTION",
    "EC_SIGN_P256_SHA256", "EC_SIGN_P384_SHA384", "EC_SIGN_SECP256K1_SHA256", "EC_SIGN_ED25519",
    "HMAC_SHA224", "HMAC_SHA256", "HMAC_SHA384", "HMAC_SHA512", "ML_KEM_768", "ML_KEM_1024",
    *(f"PQ_SIGN_ML_DSA_{n}" for n in (44, 65, 87)),
    *(f"RSA_{kind}_{bits}_{digest}" for bits in (2048, 3072, 4096) for kind, digest in (
        ("SIGN_PSS", "SHA256"), ("SIGN_PKCS1", "SHA256"), ("DECRYPT_OAEP", "SHA256"), ("DECRYPT_OAEP", "SHA1"))),
}  # fmt: skip
# Azure Key Vault: JsonWebKeySignatureAlgorithm, JsonWebKeyEncryptionAlgorithm, JsonWebKeyType, JsonWebKeyCurveName
JOSE = {
    "PS256", "PS384", "PS512", "RS256", "RS384", "RS512", "HS256", "HS384", "HS512",
    "ES256", "ES384", "ES512", "ES256K", "RSA-OAEP", "RSA-OAEP-256", "A128GCM", "A256GCM",
}  # fmt: skip
JOSE_KEYS = {"RSA", "oct", "P-256", "P-384", "P-521"}
# OpenBao transit, sdk/helper/keysutil/policy.go
VAULT_KEYS = {
    "aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305",
    "rsa-2048", "rsa-3072", "rsa-4096", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "hmac",
}  # fmt: skip


def test_every_algorithm_belongs_to_a_key_and_exists():
    assert {a for s in KEY_SPECS.values() for a in s.algorithms} == set(ALGORITHMS)


def test_hmac_keys_of_every_size():
    """32 to 512 bytes, as Vault's transit has them; a size that has a name elsewhere is that row of the table."""
    sizes = {spec.bits // 8: spec for spec in SPECS.values() if spec.vault == "hmac"}
    assert sorted(sizes) == list(range(32, 513))
    assert SPECS.items() >= KEY_SPECS.items() and {s.family for n, s in SPECS.items() if n not in KEY_SPECS} == {
        Family.HMAC
    }
    for n, spec in sizes.items():
        default = spec.default(Purpose.MAC)
        assert default.digest_bytes <= n < {32: 48, 48: 64}.get(default.digest_bytes, 513)
        assert spec.algorithm(Word("aws", default.aws)) is default


def test_names_are_told_once():
    assert all(name == row.name for table in (ALGORITHMS, KEY_SPECS, DATA_KEY_SPECS) for name, row in table.items())


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("spec", KEY_SPECS.values(), ids=lambda s: s.name)
def test_a_word_means_one_algorithm_of_a_key(spec, dialect):
    words = [w for a in spec.algorithms if (w := getattr(ALGORITHMS[a], dialect))]
    assert max(Counter(words).values(), default=1) == 1
    for name in spec.algorithms:
        if word := getattr(ALGORITHMS[name], dialect):
            assert spec.algorithm(Word(dialect, word.format(bits=spec.bits))).name == name


def test_aws_column_against_the_service_model():
    for purpose, words in AWS_ENUM.items():
        assert {a.aws for a in ALGORITHMS.values() if a.purpose is purpose and a.aws} == set(words)
    assert sorted(s.aws for s in KEY_SPECS.values() if s.aws) == sorted(SHAPES["KeySpec"]["enum"])
    assert {s.aws for s in KEY_SPECS.values() if s.aws_pair} == set(SHAPES["DataKeyPairSpec"]["enum"])
    assert {d.aws for d in DATA_KEY_SPECS.values()} == set(SHAPES["DataKeySpec"]["enum"])
    assert {f.name for f in MessageForm} == set(SHAPES["MessageType"]["enum"])


# what AWS's documentation of CreateKey says of each kind of key, and the phrase of the model it stands in
KEY_USAGE = {
    Family.AES: ("For symmetric encryption KMS keys, omit the parameter or specify {}", "ENCRYPT_DECRYPT"),
    Family.HMAC: ("For HMAC KMS keys (symmetric), specify {}", "GENERATE_VERIFY_MAC"),
    Family.RSA: ("For asymmetric KMS keys with RSA key pairs, specify {} or {}", "ENCRYPT_DECRYPT SIGN_VERIFY"),
    Family.EC: (
        "For asymmetric KMS keys with NIST-standard elliptic curve key pairs, specify {} or {}",
        "SIGN_VERIFY KEY_AGREEMENT",
    ),
    Family.EDWARDS: ("ECC_NIST_EDWARDS25519 (ed25519) - signing and verification only", "SIGN_VERIFY"),
    Family.ML_DSA: ("For asymmetric KMS keys with ML-DSA key pairs, specify {}", "SIGN_VERIFY"),
    Family.ML_KEM: ("For asymmetric KMS keys with ML-KEM key pairs, specify {}", "ENCAPSULATE_DECAPSULATE"),
    Family.SM2: (
        "SM2 key pairs (China Regions only), specify {}, {}, or {}",
        "ENCRYPT_DECRYPT SIGN_VERIFY KEY_AGREEMENT",
    ),
}


@pytest.mark.parametrize("spec", KEY_SPECS.values(), ids=lambda s: s.name)
def test_a_key_may_be_for_what_aws_says(spec):
    members = SHAPES["CreateKeyRequest"]["members"]
    told = re.sub(r"<[^>]+>", "", members["KeyUsage"]["documentation"] + members["KeySpec"]["documentation"])
    phrase, usages = KEY_USAGE[spec.family]
    if spec.name == "EC_K256":
        phrase, usages = "For asymmetric KMS keys with ECC_SECG_P256K1 key pairs, specify {}", "SIGN_VERIFY"
    assert phrase.format(*usages.split()) in told
    assert {USAGE[p] for p in spec.purposes} == set(usages.split())


def test_the_other_columns_against_the_published_lists():
    rows = [(ALGORITHMS[name], s) for s in KEY_SPECS.values() for name in s.algorithms]
    assert {a.gcp.format(bits=s.bits) for a, s in rows if a.gcp} == GCP
    assert {a.jose.format(bits=s.bits) for a, s in rows if a.jose} == JOSE
    assert {s.jose for s in KEY_SPECS.values() if s.jose} == JOSE_KEYS
    assert {s.vault for s in KEY_SPECS.values() if s.vault} == VAULT_KEYS


def test_every_signature_takes_a_form_and_nothing_else_does():
    for a in ALGORITHMS.values():
        assert bool(a.forms) == (a.purpose is Purpose.SIGNATURE), a.name
        assert MessageForm.DIGEST not in a.forms or a.digest, a.name


def test_check_form():
    ml_dsa, ph, ed, p384 = (ALGORITHMS[n] for n in ("ML_DSA_65", "ED25519PH", "ED25519", "ECDSA_P384_SHA384"))
    for algorithm, form, n in (
        (ml_dsa, MessageForm.DIGEST, 64),
        (ed, MessageForm.DIGEST, 64),
        (ph, MessageForm.RAW, 64),
        (p384, MessageForm.EXTERNAL_MU, 64),
    ):
        with pytest.raises(InvalidArgument) as caught:
            algorithm.check_form(form, bytes(n))
        assert caught.value.detail == "form"
    for algorithm, form, n in (
        (ml_dsa, MessageForm.EXTERNAL_MU, 64),
        (ph, MessageForm.DIGEST, 64),
        (p384, MessageForm.DIGEST, 48),
    ):
        algorithm.check_form(form, bytes(n))
        for wrong in (0, n - 1, n + 1):
            with pytest.raises(InvalidArgument) as caught:
                algorithm.check_form(form, bytes(wrong))
            assert caught.value.detail == form.value
    ed.check_form(MessageForm.RAW, b"")


def test_a_keys_purpose_picks():
    rsa = KEY_SPECS["RSA_2048"]
    assert rsa.purposes == (Purpose.SIGNATURE, Purpose.CIPHER)
    assert [a.aws for a in rsa.algorithms_for(Purpose.CIPHER)] == ["RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1"]
    assert rsa.default(Purpose.CIPHER).name == "RSA_OAEP_SHA256"
    pss = Word("aws", "RSASSA_PSS_SHA_256")
    assert rsa.algorithm(pss, Purpose.SIGNATURE) is rsa.algorithm(pss)
    with pytest.raises(WrongUsage):
        rsa.algorithm(pss, Purpose.CIPHER)
    with pytest.raises(WrongUsage):
        rsa.default(Purpose.MAC)


def test_the_longest_oaep_plaintext():
    # KMS API Reference, Encrypt: the table of maximum sizes
    told = {
        ("RSA_2048", 1): 214,
        ("RSA_2048", 256): 190,
        ("RSA_3072", 1): 342,
        ("RSA_3072", 256): 318,
        ("RSA_4096", 1): 470,
        ("RSA_4096", 256): 446,
    }
    for (spec, digest), limit in told.items():
        assert KEY_SPECS[spec].max_plaintext(ALGORITHMS[f"RSA_OAEP_SHA{digest}"]) == limit
    assert KEY_SPECS["AES_256"].max_plaintext(ALGORITHMS["AES_GCM"]) is None


def test_data_keys():
    assert data_key_spec("aws", "AES_128").n_bytes == 16
    assert data_key_spec("aws", "AES_256").n_bytes == 32
    assert data_key_pair_spec(Word("aws", "ECC_NIST_P256")).name == "EC_P256"
    for word in ("SYMMETRIC_DEFAULT", "HMAC_256", "ML_DSA_65", "nothing"):
        with pytest.raises(Unsupported):
            data_key_pair_spec(Word("aws", word))
    for dialect, word in (("aws", "AES_192"), ("gcp", "AES_256")):
        with pytest.raises(Unsupported):
            data_key_spec(dialect, word)


def test_no_default_arm():
    with pytest.raises(Unsupported):
        key_spec("vault", "rsa-1024")
    with pytest.raises(Unsupported):
        key_spec("jose", "RSA")  # ambiguous without a size
    assert key_spec("jose", "RSA", 3072).name == "RSA_3072"
    for word in (Word("aws", "ECDSA_SHA_384"), Word("gcp", "ECDSA_SHA_256"), Word("aws", "ecdsa_sha_256")):
        with pytest.raises(WrongUsage):
            KEY_SPECS["EC_P256"].algorithm(word)
