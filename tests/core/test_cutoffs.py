"""The tables of last days, and how they are read (research/security.md §4, row 96)."""

from datetime import UTC, date, datetime

import pytest

from keystead import config
from keystead.core.algorithms import ALGORITHMS, KEY_SPECS, Purpose
from keystead.core.cutoffs import NAMES, NEVER, PROFILES, Cutoffs, Rules, Withdrawn
from keystead.core.errors import InvalidArgument, Unsupported

CNSA_2 = {"AES_256", "ML_DSA_87", "ML_KEM_1024", "HMAC_384", "HMAC_512"}
CNSA_1 = {"RSA_3072", "RSA_4096", "EC_P384"}
FAR = datetime(2999, 1, 1, tzinfo=UTC)


def pairs():
    return [(spec, ALGORITHMS[name]) for spec in KEY_SPECS.values() for name in spec.algorithms]


def allowed(cutoffs: Cutoffs, spec, algorithm, now: datetime) -> bool:
    try:
        cutoffs.require(spec, algorithm, now)
    except Unsupported as error:
        assert isinstance(error.detail, Withdrawn) and error.reason == "Withdrawn"
        return False
    return True


def test_row_96_nothing_is_refused_unless_somebody_says_so() -> None:
    cutoffs = Cutoffs(Rules())
    assert not cutoffs
    assert all(allowed(cutoffs, *pair, FAR) for pair in pairs())
    assert config.Config().algorithms == Rules()


@pytest.mark.parametrize("profile", PROFILES)
def test_row_96_a_profile_names_what_exists_and_says_where_it_is_written(profile) -> None:
    rows = PROFILES[profile]
    assert rows.keys() <= NAMES
    assert all(cutoff.source and (cutoff.last == NEVER or cutoff.last.year >= 2030) for cutoff in rows.values())
    assert Cutoffs(Rules(profile=profile))


def test_row_96_nist_2030_is_the_table_of_sp_800_57() -> None:
    """Part 1 Rev. 5, Table 4: 112 bits disallowed for applying protection from 2031, and no more strength is."""
    cutoffs = Cutoffs(Rules(profile="nist-2030"))
    before, after = datetime(2030, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
    hashes = {"RSA_OAEP_SHA1", "HMAC_SHA224"}  # of algorithms; digests that a caller names are below
    for spec, algorithm in pairs():
        assert allowed(cutoffs, spec, algorithm, before)
        assert allowed(cutoffs, spec, algorithm, after) == (spec.strength > 112 and algorithm.name not in hashes)


def test_row_96_nist_2035_leaves_what_no_quantum_computer_breaks() -> None:
    cutoffs = Cutoffs(Rules(profile="nist-2035"))
    after = datetime(2036, 1, 1, tzinfo=UTC)
    left = {spec.name for spec, algorithm in pairs() if allowed(cutoffs, spec, algorithm, after)}
    symmetric = {name for name in KEY_SPECS if name.startswith(("AES", "CHACHA", "XCHACHA", "HMAC"))} - {"HMAC_224"}
    assert left == symmetric | {name for name in KEY_SPECS if name.startswith("ML_")}


def test_row_96_cnsa_2_names_every_key_there_is() -> None:
    cutoffs = Cutoffs(Rules(profile="cnsa-2.0"))
    today, after = datetime(2026, 1, 1, tzinfo=UTC), datetime(2032, 1, 1, tzinfo=UTC)
    assert {spec.name for spec, one in pairs() if allowed(cutoffs, spec, one, after)} == CNSA_2
    assert {spec.name for spec, one in pairs() if allowed(cutoffs, spec, one, today)} == CNSA_2 | CNSA_1
    assert not allowed(cutoffs, KEY_SPECS["RSA_4096"], ALGORITHMS["RSA_PSS_SHA256"], today)


def test_row_96_ones_own_dates_stand_before_the_profiles() -> None:
    own = {"RSA_2048": date(2040, 1, 1), "RSA_PSS_SHA256": date(2027, 6, 30)}
    cutoffs = Cutoffs(Rules(profile="nist-2030", until=own))
    rsa, pss, oaep = KEY_SPECS["RSA_2048"], ALGORITHMS["RSA_PSS_SHA256"], ALGORITHMS["RSA_OAEP_SHA256"]
    assert not allowed(cutoffs, rsa, pss, datetime(2027, 7, 1, tzinfo=UTC))
    assert allowed(cutoffs, rsa, oaep, datetime(2039, 1, 1, tzinfo=UTC))
    assert cutoffs.last_day(rsa, Purpose.SIGNATURE) == date(2040, 1, 1)
    assert cutoffs.last_day(KEY_SPECS["AES_256"], Purpose.CIPHER) is None


@pytest.mark.parametrize(
    "written", ['{ profile = "nist" }', "{ until = { RSA_1024 = 2027-01-01 } }", "{ untill = {} }"]
)
def test_row_96_a_misspelt_rule_is_refused(tmp_path, written) -> None:
    (tmp_path / config.FILE_NAME).write_text(f"algorithms = {written}\n")
    with pytest.raises(InvalidArgument, match=r"algorithms|untill"):
        config.read(tmp_path)


def test_row_96_rules_are_read_as_they_are_written(tmp_path) -> None:
    text = 'algorithms = { profile = "cnsa-2.0", until = { RSA_2048 = 2027-12-31 } }\n'
    (tmp_path / config.FILE_NAME).write_text(text)
    read = config.read(tmp_path)
    assert read.algorithms == Rules(profile="cnsa-2.0", until={"RSA_2048": date(2027, 12, 31)})
    config.write(tmp_path, read)
    assert config.read(tmp_path) == read


def is_stopped(profile: str, name: str, digest: str | None, now: datetime) -> bool:
    try:
        Cutoffs(Rules(profile=profile)).require_digest(KEY_SPECS["RSA_4096"], ALGORITHMS[name], digest, now)
    except Unsupported as error:
        assert isinstance(error.detail, Withdrawn) and error.detail.digest
        return True
    return False


@pytest.mark.parametrize(
    ("profile", "name", "digest", "year", "expected"),
    [
        ("nist-2030", "RSA_PSS_SHA256", "sha1", 2026, True),
        ("nist-2030", "HMAC_SHA256", "sha1", 2026, False),
        ("nist-2030", "HMAC_SHA256", "sha1", 2031, True),
        ("nist-2030", "RSA_PSS_SHA256", "sha224", 2030, False),
        ("nist-2030", "RSA_PSS_SHA256", "sha224", 2031, True),
        ("nist-2030", "RSA_PSS_SHA256", "sha3_224", 2031, True),
        ("nist-2030", "RSA_PSS_SHA256", "sha256", 2099, False),
        ("nist-2030", "RSA_PKCS1_SHA256", None, 2026, True),  # it may be SHA-1, for all we know
        ("cnsa-2.0", "RSA_PSS_SHA256", "sha256", 2026, True),
        ("cnsa-2.0", "RSA_PSS_SHA256", "sha3_384", 2026, True),
        ("cnsa-2.0", "RSA_PSS_SHA384", "sha384", 2026, False),
        ("cnsa-2.0", "HMAC_SHA512", "sha512", 2099, False),
        ("", "RSA_PKCS1_SHA256", None, 2099, False),
    ],
)
def test_row_96_a_digest_that_the_caller_names_has_a_last_day(profile, name, digest, year, expected) -> None:
    assert is_stopped(profile, name, digest, datetime(year, 6, 1, tzinfo=UTC)) is expected


def test_row_96_a_digest_of_ones_own_holds_for_whatever_algorithm_has_it() -> None:
    now = datetime(2027, 7, 1, tzinfo=UTC)
    cutoffs = Cutoffs(Rules(until={"SHA256": date(2027, 6, 30)}))
    left = {one.name for spec, one in pairs() if allowed(cutoffs, spec, one, now)}
    assert {one.name for _, one in pairs()} - left == {
        name for name, row in ALGORITHMS.items() if row.digest == "sha256"
    }
    signed = Cutoffs(Rules(until={"SIGN_SHA256": date(2027, 6, 30)}))
    assert allowed(signed, KEY_SPECS["HMAC_256"], ALGORITHMS["HMAC_SHA256"], now)
    assert not allowed(signed, KEY_SPECS["EC_P256"], ALGORITHMS["ECDSA_P256_SHA256"], now)
