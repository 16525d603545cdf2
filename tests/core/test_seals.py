"""Seals and what they are made of: Shamir's sharing, Argon2id."""

import ast
import contextlib
import hmac
import inspect
import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes import MemorySlot, SeededEntropy
from tests.memorystore import MemoryStore

from keystead import seals
from keystead.app.hardware import Hardware
from keystead.app.layout import Layout
from keystead.app.resealing import settle
from keystead.config import Config
from keystead.core.errors import Conflict, DecryptionFailed, InvalidArgument, Unauthenticated, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.crypto import shamir
from keystead.crypto.aead import GcmSiv
from keystead.crypto.hpke import BOX, RECOVERY
from keystead.crypto.kdf import BOUNDS, Argon2Cost, argon2id, hkdf
from keystead.seals import SEALS, FileSeal, PassphraseSeal, ShamirSeal
from keystead.seals.base import Surroundings
from keystead.seals.external import ExternalConfiguration, ExternalSeal
from keystead.seals.kept import Kept
from keystead.seals.several import Seals
from keystead.seals.tpm import TpmConfiguration, TpmSeal
from keystead.service.barrier import Barrier
from keystead.service.root import check_value
from keystead.tpm import SealedBlob

QUICK = Argon2Cost(**{name: least for name, (least, _) in BOUNDS.items()})
PHRASE = Sensitive("zwölf Boxkämpfer".encode())


def at(directory) -> Surroundings:
    return Surroundings(directory, Hardware(Config()), SeededEntropy(9))


def reload(created, directory):
    return seals.load(seals.encode((created.configuration,)), at(directory))


# --- GF(256) and sharing (row 94)


def test_row_94_multiplication_is_that_of_the_field_of_aes():
    assert shamir.multiply(0x57, 0x83) == 0xC1  # FIPS 197 §4.2
    assert all(shamir.multiply(a, 1) == a for a in range(256))
    assert all(shamir.multiply(a, shamir.invert(a)) == 1 for a in range(1, 256))


@given(*[st.integers(0, 255)] * 3)
def test_row_94_the_field_laws(a, b, c):
    m = shamir.multiply
    assert m(a, b) == m(b, a)
    assert m(a, m(b, c)) == m(m(a, b), c)
    assert m(a, b ^ c) == m(a, b) ^ m(a, c)


def test_cve_2023_25000_arithmetic_has_no_table_and_no_branch():
    for function in (shamir.multiply, shamir.invert):
        nodes = set(map(type, ast.walk(ast.parse(inspect.getsource(function)))))
        assert not nodes & {ast.Subscript, ast.If, ast.IfExp, ast.While, ast.Compare, ast.BoolOp}


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=1, max_size=40), st.data())
def test_row_94_any_threshold_of_shares_gives_the_secret_and_fewer_do_not(secret, data):
    threshold = data.draw(st.integers(2, 4))
    texts = shamir.split(secret, threshold, data.draw(st.integers(threshold, 6)), SeededEntropy(1))
    shares = [shamir.parse_share(text) for text in texts]
    for chosen in itertools.combinations(shares, threshold):
        assert shamir.join(chosen) == secret
    assert shamir.join(list(reversed(shares))) == secret
    with pytest.raises(InvalidArgument):
        shamir.join(shares[: threshold - 1])


def test_row_94_fewer_shares_fit_every_secret():
    """One share of two: for each byte the secret may have there is exactly one polynomial through it."""
    (share, _) = (shamir.parse_share(text) for text in shamir.split(b"s", 2, 2, SeededEntropy(1)))
    guesses = {shamir.join([share, shamir.Share(share.set_id, 2, 2, bytes([other]))])[0] for other in range(256)}
    assert len(guesses) == 256


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"index": 0}, "the index zero"),
        ({"index": 1}, "a share was given twice"),
        ({"set_id": b"abcd"}, "different sets"),
        ({"threshold": 3}, "different sets"),
        ({"value": b"x"}, "different sets"),
    ],
)
def test_row_94_index_zero_duplicates_and_foreign_shares_are_refused(change, words):
    one, two = (shamir.parse_share(text) for text in shamir.split(b"secret", 2, 2, SeededEntropy(1)))
    with pytest.raises(InvalidArgument, match="2 shares are needed, not 1"):
        shamir.join([one])
    with pytest.raises(InvalidArgument, match=words):
        shamir.join([one, msgspec.structs.replace(two, **change)])
    with pytest.raises(InvalidArgument):
        shamir.join([])


@pytest.mark.parametrize("change", [{"index": 0}, {"threshold": 0}, {"threshold": 1, "index": 2}, {"value": b""}])
def test_row_94_the_text_of_an_impossible_share_is_refused(change):
    share = shamir.parse_share(shamir.split(b"secret", 2, 2, SeededEntropy(1))[0])
    with pytest.raises(InvalidArgument):
        shamir.parse_share(shamir.format_share(msgspec.structs.replace(share, **change)))


@pytest.mark.parametrize("numbers", [(1, 3), (4, 3), (2, 33), (0, 0), (1, 0), (0, 1), (2, 1)])
def test_row_94_impossible_thresholds_are_refused(numbers):
    with pytest.raises(InvalidArgument):
        shamir.split(b"secret", *numbers, SeededEntropy(1))


def test_one_share_of_one_is_the_whole_secret():
    (text,) = shamir.split(b"secret", 1, 1, SeededEntropy(1))
    assert shamir.join([shamir.parse_share(text)]) == b"secret"


def test_a_share_is_the_same_in_text_and_in_bytes():
    for text in shamir.split(bytes(range(32)), 2, 3, SeededEntropy(1)):
        assert shamir.spelled(shamir.packed(text)) == text and len(shamir.packed(text)) == 42


def test_a_share_survives_copying_and_tells_a_slip():
    text = shamir.split(bytes(range(32)), 3, 5, SeededEntropy(1))[0]
    assert text.startswith("ks-share-1-")
    share = shamir.parse_share(text)
    assert shamir.parse_share(" " + text.upper().replace("-", " -\n") + "\n") == share
    assert repr(share) == f"<share 1 of set {share.set_id.hex()}>"
    at = len("ks-share-1-")
    slips = 0
    for i, letter in enumerate(text[at:], at):
        if letter != "-":
            other = "b" if letter != "b" else "c"
            with pytest.raises(InvalidArgument):
                shamir.parse_share(text[:i] + other + text[i + 1 :])
            slips += 1
    assert slips == 68


@given(st.text())
def test_any_text_is_a_share_or_is_refused_without_quoting_it(text):
    for candidate in (text, "ks-share-1-" + text):
        with pytest.raises(InvalidArgument) as caught:
            shamir.parse_share(candidate)
        assert len(text) < 12 or text not in str(caught.value)


# --- Argon2id, HKDF


def test_hkdf_is_rfc_5869():
    assert hkdf(bytes([0x0B] * 22), b"", 42).hex() == (  # appendix A.3
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )


@pytest.mark.parametrize("name", BOUNDS)
def test_row_63_argon2_cost_out_of_bounds_is_refused_before_any_work(name):
    for value in (BOUNDS[name][0] - 1, BOUNDS[name][1] + 1):
        with pytest.raises(InvalidArgument):
            argon2id(b"x", bytes(16), msgspec.structs.replace(QUICK, **{name: value}))
    with pytest.raises(InvalidArgument):
        argon2id(b"x", bytes(8), QUICK)


# --- seals


def test_the_table_of_seals_names_them():
    assert {kind: seal.kind for kind, seal in SEALS.items()} == {kind: kind for kind in SEALS}


def test_file_seal(tmp_path):
    created = FileSeal.create(tmp_path, SeededEntropy(1))
    assert reload(created, tmp_path).open(()).reveal() == created.unseal_key.reveal()
    assert (tmp_path / "unseal.key").stat().st_mode & 0o777 == 0o600
    assert b"development" in seals.encode((created.configuration,))
    with pytest.raises(InvalidArgument):
        FileSeal.create(tmp_path, SeededEntropy(2))
    with pytest.raises(InvalidArgument):
        reload(created, tmp_path).open((PHRASE,))
    (tmp_path / "unseal.key").chmod(0o644)
    with pytest.raises(InvalidArgument, match="open to others"):
        reload(created, tmp_path).open(())
    (tmp_path / "unseal.key").chmod(0o600)
    (tmp_path / "unseal.key").write_bytes(b"short")
    with pytest.raises(Unauthenticated):
        reload(created, tmp_path).open(())
    (tmp_path / "unseal.key").unlink()
    with pytest.raises(Unavailable):
        reload(created, tmp_path).open(())


def test_passphrase_seal(tmp_path):
    created = PassphraseSeal.create(PHRASE, SeededEntropy(1), QUICK)
    seal = reload(created, tmp_path)
    assert seal.open((PHRASE,)).reveal() == created.unseal_key.reveal()
    decomposed = Sensitive("zwo\u0308lf Boxka\u0308mpfer".encode())
    assert seal.open((decomposed,)).reveal() == created.unseal_key.reveal()
    for wrong in (
        (),
        (PHRASE, PHRASE),
        (Sensitive(b"wrong passphrase"),),
        (Sensitive(b"\xff" * 9),),
        (Sensitive(b""),),
    ):
        with pytest.raises(Unauthenticated):
            seal.open(wrong)
    with pytest.raises(InvalidArgument):
        PassphraseSeal.create(Sensitive(b"seven77"), SeededEntropy(1), QUICK)


def test_a_passphrase_beyond_72_bytes_counts_in_full(tmp_path):
    seal = reload(PassphraseSeal.create(Sensitive(b"a" * 72 + b"b"), SeededEntropy(1), QUICK), tmp_path)
    with pytest.raises(Unauthenticated):
        seal.open((Sensitive(b"a" * 72 + b"c"),))


@pytest.mark.parametrize("cost", [{"memory_kib": 4_000_000_000}, {"iterations": 1}, {"lanes": 0}])
def test_row_63_a_stored_cost_is_not_taken_unchecked(tmp_path, cost):
    created = PassphraseSeal.create(PHRASE, SeededEntropy(1), QUICK)
    text = msgspec.json.decode(seals.encode((created.configuration,)))
    text["seals"][0]["cost"] |= cost
    with pytest.raises(InvalidArgument):
        seals.load(msgspec.json.encode(text), at(tmp_path)).open((PHRASE,))


def test_a_stored_cost_lowered_within_bounds_does_not_open(tmp_path):
    created = PassphraseSeal.create(PHRASE, SeededEntropy(1), msgspec.structs.replace(QUICK, iterations=3))
    lowered = msgspec.structs.replace(created.configuration, cost=QUICK)
    with pytest.raises(Unauthenticated):
        lowered.seal(at(tmp_path)).open((PHRASE,))


def test_shamir_seal(tmp_path):
    created = ShamirSeal.create(2, 3, SeededEntropy(1))
    seal = reload(created, tmp_path)
    one, two, three = created.show
    for offered in ((one, two), (three, one), created.show):
        assert seal.open(offered).reveal() == created.unseal_key.reveal()
    foreign = ShamirSeal.create(2, 3, SeededEntropy(2)).show
    forged = Sensitive(
        shamir.format_share(
            msgspec.structs.replace(shamir.parse_share(two.reveal().decode()), value=bytes(32))
        ).encode()
    )
    for wrong in ((), (one,), (one, one), (one, foreign[1]), foreign[:2], (one, forged), (one, Sensitive(b"\xff"))):
        with pytest.raises(Unauthenticated):
            seal.open(wrong)


def test_a_configuration_says_nothing_of_the_key(tmp_path):
    for created in (
        FileSeal.create(tmp_path, SeededEntropy(1)),
        PassphraseSeal.create(PHRASE, SeededEntropy(1), QUICK),
        ShamirSeal.create(2, 3, SeededEntropy(1)),
    ):
        text = seals.encode((created.configuration,))
        assert created.unseal_key.reveal() not in text
        assert created.unseal_key.reveal().hex().encode() not in text
        assert "sensitive" in repr(created)


@pytest.mark.parametrize("text", [b"", b"{}", b'{"kind":"other"}', b'{"kind":"file","path":"x","more":1}', b"[1]"])
def test_a_strange_configuration_is_refused(text, tmp_path):
    with pytest.raises(InvalidArgument):
        seals.load(text, at(tmp_path))


# --- the form of before: U itself is what is shared, wrapped under the passphrase, or in the file


def older(kind: str, directory, unseal_key: bytes):
    """(seal.json as it was written then, what opens it)"""
    entropy = SeededEntropy(3)
    if kind == "file":
        (directory / "unseal.key").write_bytes(unseal_key)
        (directory / "unseal.key").chmod(0o600)
        return {"kind": "file", "path": "unseal.key", "warning": "…"}, []
    if kind == "passphrase":
        salt, nonce = entropy(16), entropy(12)
        aad = msgspec.msgpack.encode(("passphrase", QUICK, salt))
        wrapped = GcmSiv(argon2id(PHRASE.reveal(), salt, QUICK)).seal(nonce, unseal_key, aad)
        return {"kind": "passphrase", "cost": QUICK, "salt": salt, "wrapped": wrapped}, [PHRASE]
    shares = shamir.split(unseal_key, 2, 3, entropy)
    check = hmac.digest(unseal_key, b"keystead/seal-check/v1", "sha256")[:16]
    set_id = shamir.parse_share(shares[0]).set_id
    return {"kind": "shamir", "threshold": 2, "n_shares": 3, "set_id": set_id, "check": check}, [
        Sensitive(share.encode()) for share in shares[1:]
    ]


@pytest.mark.parametrize("kind", ["file", "passphrase", "shamir"])
def test_a_seal_json_of_before_opens_may_have_another_beside_it_and_cannot_follow(kind, tmp_path):
    unseal_key = bytes(range(32))
    text, offered = older(kind, tmp_path, unseal_key)
    found = seals.load(msgspec.json.encode(text), at(tmp_path))
    assert found.kinds == (kind,) and found.kept.seals[0].is_older
    assert found.open(offered).reveal() == unseal_key
    found.require_ours(Sensitive(bytes(32)))
    key = Sensitive(b"k" * 32)
    other = ShamirSeal.create(2, 2, SeededEntropy(4), Sensitive(unseal_key)) if kind != "shamir" else None
    beside = other or PassphraseSeal.create(PHRASE, SeededEntropy(4), QUICK, Sensitive(unseal_key))
    both = seals.load(seals.encode((*found.kept.seals, beside.configuration), key), at(tmp_path))
    assert both.open(offered).reveal() == both.open(beside.show or [PHRASE]).reveal() == unseal_key
    with pytest.raises(Conflict, match=f"seal migrate {kind}"):
        both.followed(Sensitive(bytes(32)), but=frozenset({beside.configuration.seal(at(tmp_path)).kind}), key=key)


def test_a_change_of_a_seal_that_was_announced_by_the_version_before_is_settled(tmp_path):
    """Killed between the commit and seal.json, and upgraded then."""
    unseal_key, layout, store = bytes(range(32)), Layout(tmp_path), MemoryStore()
    text, offered = older("shamir", tmp_path, unseal_key)
    coming = {"root_check": check_value(unseal_key), "seal": text}
    layout.next_seal.write_bytes(msgspec.json.encode(coming))
    Barrier(store, MemorySlot(), SeededEntropy(5)).initialise(Sensitive(unseal_key))
    assert settle(layout, store) and not layout.next_seal.exists()
    assert seals.load(layout.seal.read_bytes(), at(tmp_path)).open(offered).reveal() == unseal_key


def test_shares_and_passphrase_stay_when_the_unseal_key_changes(tmp_path):
    for created, offered in (
        (ShamirSeal.create(2, 3, SeededEntropy(1)), None),
        (PassphraseSeal.create(PHRASE, SeededEntropy(1), QUICK), [PHRASE]),
        (FileSeal.create(tmp_path, SeededEntropy(1)), []),
    ):
        seal = created.configuration.seal(at(tmp_path))
        later = seal.around(Sensitive(b"n" * 32))
        opened = later.seal(at(tmp_path)).open(created.show[:2] if offered is None else offered)
        assert opened.reveal() == b"n" * 32 and seal.open(created.show[:2] if offered is None else offered)


@pytest.mark.parametrize(
    "change", [{"public": b""}, {"box": b""}, {"threshold": 3}, {"n_shares": 9}, {"set_id": b"abcd"}]
)
def test_a_changed_configuration_does_not_open_or_not_to_the_key(tmp_path, change):
    created = ShamirSeal.create(2, 3, SeededEntropy(1))
    changed = msgspec.structs.replace(created.configuration, **change).seal(at(tmp_path))
    with contextlib.suppress(Unauthenticated):
        assert changed.open(created.show).reveal() != created.unseal_key.reveal()


@pytest.mark.parametrize(
    "text",
    [
        b'{"seals":[]}',
        b'{"seals":[{"kind":"file","path":"x"},{"kind":"file","path":"y"}]}',
        b'{"seals":{}}',
        b'{"seals":[{"kind":"file","path":"x"}],"more":1}',
        b'{"seals":[{"kind":"tpm"}]}',
        b"x" * 70000,
    ],
)
def test_a_strange_list_of_seals_is_refused(text, tmp_path):
    with pytest.raises(InvalidArgument, match=r"seal\.json"):
        seals.load(text, at(tmp_path))


# --- the box


def test_a_box_opens_with_its_seed_and_for_what_it_was_closed():
    seed = Sensitive(bytes(range(32)))
    public = BOX.public_key(seed)
    closed = BOX.close(public, Sensitive(b"secret"), b"info")
    assert BOX.open(seed, closed, b"info").reveal() == b"secret"
    assert closed != BOX.close(public, Sensitive(b"secret"), b"info")
    for secret, text, info in (
        (Sensitive(bytes(32)), closed, b"info"),
        (seed, closed, b"other"),
        (seed, closed[:-1], b"info"),
        (seed, b"", b"info"),
    ):
        with pytest.raises(DecryptionFailed):
            BOX.open(secret, text, info)
    for bad in (b"", public[:-1], bytes(len(public)), b"\xff" * len(public)):
        with pytest.raises(InvalidArgument):
            BOX.close(bad, Sensitive(b"secret"), b"info")
    with pytest.raises(InvalidArgument):
        BOX.public_key(Sensitive(b"short"))
    with pytest.raises(DecryptionFailed):  # of another kind, though the bytes are the same
        RECOVERY.open(seed, closed, b"info")


@pytest.mark.parametrize("change", [{"set_id": b"abc"}, {"check": b""}, {"threshold": 9}, {"public": b"short"}])
def test_a_plan_of_shares_that_could_never_open_is_refused(tmp_path, change):
    plan, _ = ShamirSeal.plan(2, 3, SeededEntropy(1))
    with pytest.raises(InvalidArgument):
        msgspec.structs.replace(plan, **change).make(Sensitive(bytes(32)), at(tmp_path))


@pytest.mark.parametrize("change", [{"salt": b"short"}, {"cost": Argon2Cost(iterations=99)}, {"public": b""}])
def test_a_plan_of_a_passphrase_that_could_never_open_is_refused(tmp_path, change):
    plan = PassphraseSeal.plan(PHRASE, SeededEntropy(1), QUICK)
    with pytest.raises(InvalidArgument):
        msgspec.structs.replace(plan, **change).make(Sensitive(bytes(32)), at(tmp_path))


@pytest.mark.parametrize("said", [None, 7, {}, {"kind": "other"}, {"kind": "tpm", "pcrs": ["7"]}, {"kind": "shamir"}])
def test_what_is_no_plan_is_refused(said):
    with pytest.raises(InvalidArgument, match="no seal"):
        seals.plan_of(said)


def test_what_was_refused_is_not_asked_again_and_again(tmp_path, monkeypatch) -> None:
    """Two that open by themselves: it is waited for where one of them did not answer, and not where both said no."""
    kept = Kept((ExternalConfiguration("one", "", b""), TpmConfiguration(SealedBlob((7,), b"", b"", b""))))
    both = Seals(kept, at(tmp_path))

    def refuse(error):
        def opened(_self, _offered):
            raise error

        return opened

    no, away = Unauthenticated("it says no"), Unavailable("it does not answer")
    for one, other, kind in ((no, no, Unauthenticated), (no, away, Unavailable), (away, no, Unavailable)):
        monkeypatch.setattr(ExternalSeal, "open", refuse(one))
        monkeypatch.setattr(TpmSeal, "open", refuse(other))
        with pytest.raises(kind, match=f"external: {one}; tpm: {other}"):
            both.open(())
