"""A ciphertext opens under exactly one key and one context; whatever is done to it, it does not open otherwise."""

import hmac
import importlib.util
import json
import struct
import subprocess
import sys
import uuid
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.core.envelope import NO_AAD, OVERHEAD_BYTES, PREFIX_BYTES, Envelope, peek, typed_aad, untyped
from keystead.core.errors import DecryptionFailed, InvalidArgument
from keystead.core.operations import Derivation
from keystead.crypto.aead import open_once, seal_once

ROOT = Path(__file__).parents[2]
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY, RANDOM = bytes(range(32)), b"r" * 24
ENVELOPE = Envelope(KEY, KEY_ID, 3)


def load_module(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OPENER = load_module(ROOT / "docs/keystead_open.py")


def seal(envelope, plaintext, aad=None, random=RANDOM):
    key, prefix = envelope.seal(plaintext, typed_aad(aad), random)
    return prefix + seal_once(key, plaintext, prefix)


def open_(envelope, blob, aad=None):
    key, prefix = envelope.open(blob, typed_aad(aad))
    return open_once(key, blob[PREFIX_BYTES:], prefix)


contexts = st.none() | st.binary(max_size=40) | st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4)


@given(plaintext=st.binary(max_size=500), aad=contexts, random=st.binary(min_size=24, max_size=24))
def test_round_trip_here_and_in_the_standalone_opener(plaintext, aad, random):
    blob = seal(ENVELOPE, plaintext, aad, random)
    assert len(blob) == len(plaintext) + OVERHEAD_BYTES
    assert peek(blob) == (KEY_ID, 3) == OPENER.describe(blob)
    assert open_(ENVELOPE, blob, aad) == plaintext == OPENER.open_v1(KEY, blob, aad)


def test_every_bit_flip_is_refused():
    blob, context = seal(ENVELOPE, b"hello world", {"a": "1", "b": "2"}), {"b": "2", "a": "1"}
    assert open_(ENVELOPE, blob, context) == b"hello world"
    for i in range(len(blob) * 8):
        altered = bytearray(blob)
        altered[i // 8] ^= 1 << i % 8
        with pytest.raises(DecryptionFailed):
            open_(ENVELOPE, bytes(altered), context)


def test_every_truncation_and_extension_is_refused():
    blob = seal(ENVELOPE, b"hello world")
    for n in range(len(blob)):
        with pytest.raises(DecryptionFailed):
            open_(ENVELOPE, blob[:n])
    for longer in (blob + b"\0", b"\0" + blob, blob + blob):
        with pytest.raises(DecryptionFailed):
            open_(ENVELOPE, longer)


CONFUSIONS = (
    None, {}, {"a": "1"}, {"a": "12", "b": ""}, {"a1": "", "b": "2"}, {"a": "1b", "2": ""}, {"a": "2", "b": "1"},
    {"A": "1", "b": "2"}, {"a": "1", "b": "2", "": ""}, {"a": "1 ", "b": "2"}, {"a": "1", "b": "\uff12"},
    b"", b"a1b2", typed_aad({"a": "1", "b": "2"}),
)  # fmt: skip


@pytest.mark.parametrize("other", CONFUSIONS, ids=repr)
def test_another_context_is_refused(other):
    blob = seal(ENVELOPE, b"x", {"a": "1", "b": "2"})
    with pytest.raises(DecryptionFailed):
        open_(ENVELOPE, blob, other)
    with pytest.raises(OPENER.CannotOpen):
        OPENER.open_v1(KEY, blob, other)


@given(one=contexts, other=contexts)
def test_typed_aad_is_injective(one, other):
    assert (typed_aad(one) == typed_aad(other)) == (type(one) is type(other) and one == other)
    assert typed_aad(one) == OPENER.typed_aad(one)


def test_typed_aad_by_the_letter():
    assert typed_aad(None) == NO_AAD == b"\x00"
    assert typed_aad({"b": "é", "a": ""}).hex() == "01 00000002 00000001 61 00000000 00000001 62 00000002 c3a9".replace(
        " ", ""
    )
    assert typed_aad(b"\xff").hex() == "02" + "0000000000000001" + "ff"
    # sorted as bytes, where UTF-16 would sort the other way round
    assert typed_aad({"\U0001f511": "", "ﬀ": ""}).index("ﬀ".encode()) < typed_aad({"\U0001f511": "", "ﬀ": ""}).index(
        b"\xf0"
    )


@pytest.mark.parametrize("context", [b"", b"c", b"c" * 300])
@pytest.mark.parametrize("data", [b"", b"d", b"\x03" + bytes(9)])
def test_what_was_typed_is_had_back(context, data):
    aad = Derivation(context, data) if context else data
    assert untyped(typed_aad(aad)) == (context, data) and untyped(NO_AAD) == (b"", b"")


def test_names_and_values_are_not_had_back_as_bytes():
    with pytest.raises(InvalidArgument):
        untyped(typed_aad({"a": "1"}))


@pytest.mark.parametrize("n", [0, 1, 127, 128, 129, 255, 256, 70_000])
@pytest.mark.parametrize("letter", ["k", "é"])
def test_typed_aad_of_every_length(n, letter):
    for context in ({letter * n: "v"}, {"k": letter * n}, {"a": "b", "k": letter * n, letter * n: ""}):
        assert typed_aad(context) == OPENER.typed_aad(context)


def test_a_lone_surrogate_is_no_context():
    with pytest.raises(InvalidArgument) as caught:
        typed_aad({"k": "\ud800"})
    assert caught.value.detail == "context"


@pytest.mark.parametrize(
    "other",
    [
        Envelope(bytes(32), KEY_ID, 3),
        Envelope(KEY, KEY_ID, 4),
        Envelope(KEY, str(uuid.UUID(int=1)), 3),
    ],
    ids=["key", "version", "key id"],
)
def test_another_key_version_or_id_is_refused(other):
    with pytest.raises(DecryptionFailed):
        open_(other, seal(ENVELOPE, b"x"))


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\xa5",
        b"\xa5\x01",
        b"\xa5\x01" + bytes(91),
        b"\xa5\x03" + bytes(81),
        b"\xa5\x04" + bytes(92),
        bytes(94),
        b"A" * 200,
    ],
)
def test_junk_names_no_key(junk):
    with pytest.raises(DecryptionFailed):
        peek(junk)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"\xa5\x01" + tail))
def test_bytes_of_any_kind_open_or_fail_in_one_way(blob):
    for attempt in (peek, lambda b: open_(ENVELOPE, b)):
        try:
            attempt(blob)
        except DecryptionFailed as error:
            assert error.detail is None


def test_all_failures_read_alike():
    blob = seal(ENVELOPE, b"x", {"a": "1"})
    texts = set()
    for altered, aad in (
        (blob, None),
        (blob[:-1] + bytes([blob[-1] ^ 1]), {"a": "1"}),
        (blob[:50], {"a": "1"}),
        (b"", None),
    ):
        with pytest.raises(DecryptionFailed) as caught:
            open_(ENVELOPE, altered, aad)
        texts.add(str(caught.value))
    assert len(texts) == 1


def test_a_key_of_another_size_is_refused():
    for size in (0, 15, 17, 24, 31, 33):
        with pytest.raises(InvalidArgument):
            Envelope(bytes(size), KEY_ID, 1)


# --- the broken random generator (check 84)


def test_a_stuck_generator_repeats_no_nonce():
    stuck = bytes(24)
    seen = {seal(ENVELOPE, b"%d" % i, {"n": str(j)}, stuck)[22:46] for i in range(50) for j in range(50)}
    assert len(seen) == 2500


def test_a_stuck_generator_leaves_deterministic_encryption():
    assert seal(ENVELOPE, b"same", None, bytes(24)) == seal(ENVELOPE, b"same", None, bytes(24))
    assert seal(ENVELOPE, b"same", None, bytes(24)) != seal(ENVELOPE, b"same", None, RANDOM)


# --- key commitment

R = 0xE1 << 120


def gf_times(x: int, y: int) -> int:
    """SP 800-38D §6.3"""
    z = 0
    for i in range(127, -1, -1):
        if y >> i & 1:
            z ^= x
        x = (x >> 1) ^ (R if x & 1 else 0)
    return z


def gf_inverse(a: int) -> int:
    result, exponent = 1 << 127, 2**128 - 2
    while exponent:
        if exponent & 1:
            result = gf_times(result, a)
        a, exponent = gf_times(a, a), exponent >> 1
    return result


def salamander(one: bytes, two: bytes, nonce: bytes, aad_blocks: list[int], aad_bits: int) -> bytes:
    """Ciphertext and tag that AES-GCM opens under both keys: three free blocks, one block solved for, one tag."""

    def aes(key: bytes, block: bytes) -> int:
        encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - GCM's own building block
        return int.from_bytes(encryptor.update(block), "big")

    def ghash(h: int, blocks: list[int]) -> int:
        y = 0
        for block in blocks:
            y = gf_times(y ^ block, h)
        return y

    hs = [aes(key, bytes(16)) for key in (one, two)]
    masks = [aes(key, nonce + b"\0\0\0\1") for key in (one, two)]
    free = [int.from_bytes(sha256(b"%d" % i).digest()[:16], "big") for i in range(3)]
    lengths = aad_bits << 64 | 4 * 128
    rest = [ghash(h, [*aad_blocks, *free, 0, lengths]) ^ mask for h, mask in zip(hs, masks, strict=True)]
    squares = [gf_times(h, h) for h in hs]
    solved = gf_times(rest[0] ^ rest[1], gf_inverse(squares[0] ^ squares[1]))
    tag = ghash(hs[0], [*aad_blocks, *free, solved, lengths]) ^ masks[0]
    return b"".join(block.to_bytes(16, "big") for block in (*free, solved, tag))


def test_plain_gcm_has_a_salamander():
    one, two = sha256(b"one").digest(), sha256(b"two").digest()
    both = salamander(one, two, bytes(12), [], 0)
    texts = [AESGCM(key).decrypt(bytes(12), both, b"") for key in (one, two)]
    assert texts[0] != texts[1]


def test_format_v1_has_none():
    """The same trick with both message keys known: GCM passes under each, the commitment only under its own."""
    envelopes = [Envelope(sha256(name).digest(), KEY_ID, 3) for name in (b"one", b"two")]
    prefix = seal(envelopes[0], b"x" * 64)[:PREFIX_BYTES]
    header, salt = prefix[:22], prefix[22:46]
    digest = sha256(header + NO_AAD).digest()
    keys = [OPENER.derive(sha256(name).digest(), b"keystead/enc/v1", salt + digest) for name in (b"one", b"two")]
    padded = prefix + bytes(-len(prefix) % 16)
    blocks = [int.from_bytes(padded[i : i + 16], "big") for i in range(0, len(padded), 16)]
    blob = prefix + salamander(*keys, bytes(12), blocks, 8 * len(prefix))
    for key in keys:  # so the trick itself works on what is inside
        assert AESGCM(key).decrypt(bytes(12), blob[PREFIX_BYTES:], prefix)
    assert open_(envelopes[0], blob)
    with pytest.raises(DecryptionFailed):
        open_(envelopes[1], blob)


def test_nothing_reaches_the_cipher_before_header_and_commitment_are_right():
    """Check 87: the message key itself is refused, with the header altered, the blob too short or the key another."""
    blob = seal(ENVELOPE, b"")
    assert ENVELOPE.open(blob, NO_AAD)[1] == blob[:PREFIX_BYTES]
    altered = [bytes([*blob[:i], blob[i] ^ 1, *blob[i + 1 :]]) for i in range(PREFIX_BYTES)]
    for bad in (*altered, *(blob[:n] for n in range(OVERHEAD_BYTES))):
        with pytest.raises(DecryptionFailed):
            ENVELOPE.open(bad, NO_AAD)
    with pytest.raises(DecryptionFailed):
        Envelope(bytes(32), KEY_ID, 3).open(blob, NO_AAD)


# --- the published format


def test_the_derivation_is_sp_800_108_as_another_library_has_it():
    _, prefix = ENVELOPE.seal(b"x", NO_AAD, RANDOM)
    context = prefix[22:46] + sha256(prefix[:22] + NO_AAD).digest()
    fixed = {"length": 32, "rlen": 4, "llen": 4, "location": CounterLocation.BeforeFixed, "fixed": None}
    kdf = KBKDFHMAC(hashes.SHA256(), Mode.CounterMode, label=b"keystead/cmt/v1", context=context, **fixed)
    assert kdf.derive(KEY) == prefix[46:]
    hedge = KBKDFHMAC(hashes.SHA256(), Mode.CounterMode, label=b"keystead/hdg/v1", context=b"", **fixed).derive(KEY)
    drawn = RANDOM + sha256(prefix[:22] + NO_AAD).digest() + sha256(b"x").digest()
    assert prefix[22:46] == hmac.digest(hedge, drawn, "sha256")[:24]


def published():
    for vector in json.loads((ROOT / "docs/ciphertext-v1-vectors.json").read_text())["vectors"]:
        raw = {k: bytes.fromhex(v) for k, v in vector.items() if isinstance(v, str) and k != "key_id"}
        told = vector["context"]
        context = told and (bytes.fromhex(told["bytes"]) if "bytes" in told else told["map"])
        yield raw, vector["key_id"], vector["version"], context


def test_published_vectors_hold_in_both_implementations():
    n = 0
    for raw, key_id, version, context in published():
        envelope = Envelope(raw["key"], key_id, version)
        assert typed_aad(context) == raw["typed_aad"]
        assert envelope.seal(raw["plaintext"], raw["typed_aad"], raw["random"])[0] == raw["message_key"]
        assert seal(envelope, raw["plaintext"], context, raw["random"]) == raw["ciphertext"]
        assert open_(envelope, raw["ciphertext"], context) == raw["plaintext"]
        assert OPENER.open_v1(raw["key"], raw["ciphertext"], context) == raw["plaintext"]
        n += 1
    assert n == 36


def test_published_vectors_are_what_the_script_writes():
    script = load_module(ROOT / "tests/scripts/make_ciphertext_vectors.py")
    assert (ROOT / "docs/ciphertext-v1-vectors.json").read_text() == script.text()


def test_the_layout_by_the_letter():
    blob = seal(ENVELOPE, b"abc")
    magic, key_id, version = struct.unpack_from(">2s16sI", blob)
    assert (magic, uuid.UUID(bytes=key_id), version) == (b"\xa5\x01", uuid.UUID(KEY_ID), 3)
    assert len(blob) - 3 == 94


def test_the_opener_is_short_and_needs_nothing_of_ours():
    text = (ROOT / "docs/keystead_open.py").read_text()
    assert len(text.splitlines()) < 100
    assert "import keystead" not in text and "from keystead" not in text


@pytest.mark.parametrize(("aad", "argument"), [(None, []), ({"a": "ü"}, ['{"a": "ü"}']), (b"\x01", ["hex:01"])])
def test_the_opener_as_a_command(tmp_path, aad, argument):
    sealed, keyfile = tmp_path / "blob", tmp_path / "key"
    blob = seal(ENVELOPE, b"plain \xff", aad)
    sealed.write_bytes(blob)
    keyfile.write_text(KEY.hex() + "\n")
    command = [sys.executable, ROOT / "docs/keystead_open.py"]
    for key, ciphertext in ((keyfile, f"@{sealed}"), ("-", b64encode(blob).decode())):
        done = subprocess.run(
            [*command, key, ciphertext, *argument], input=KEY.hex().encode(), capture_output=True, check=True
        )
        assert done.stdout == b"plain \xff"
    wrong = subprocess.run([*command, keyfile, f"@{sealed}", "hex:ff"], capture_output=True, check=False)
    assert wrong.returncode == 1
    assert KEY_ID.encode() in wrong.stderr and not wrong.stdout


@settings(max_examples=25)
@given(st.binary(max_size=64))
def test_any_salt_opens(random):
    """The salt is the sealer's business: another implementation may draw it as it likes."""
    salt = sha256(random).digest()[:24]
    header = seal(ENVELOPE, b"")[:22]
    context = salt + sha256(header + NO_AAD).digest()
    prefix = header + salt + OPENER.derive(KEY, b"keystead/cmt/v1", context)
    blob = prefix + AESGCM(OPENER.derive(KEY, b"keystead/enc/v1", context)).encrypt(bytes(12), b"theirs", prefix)
    assert open_(ENVELOPE, blob) == b"theirs"
