"""A detached ciphertext is AES-GCM as the protocol says it, under a key that anybody with K can derive anew."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from hypothesis import given
from hypothesis import strategies as st

from keystead.core.detached import HEADER_BYTES, MAX_AAD, MAX_VERSION, Detached, DetachedSealer, framed, version_of
from keystead.core.envelope import Envelope
from keystead.core.errors import DecryptionFailed, InvalidArgument
from keystead.crypto.aead import Gcm

KEY, RANDOM = bytes(range(32)), b"r" * 24
SEALER = DetachedSealer(KEY, 3)


def seal(plaintext: bytes, aad: bytes = b"", random: bytes = RANDOM, sealer: DetachedSealer = SEALER) -> Detached:
    key, nonce, header, bound = sealer.seal(plaintext, aad, random)
    whole = Gcm(key).seal(nonce, plaintext, bound)
    return Detached(whole[:-16], nonce, whole[-16:], header)


def open_(parts: Detached, aad: bytes = b"", sealer: DetachedSealer = SEALER) -> bytes:
    key, nonce, _, bound = sealer.open(parts, aad)
    return Gcm(key).open(nonce, parts.ciphertext + parts.tag, bound)


@given(plaintext=st.binary(max_size=300), aad=st.binary(max_size=300), random=st.binary(min_size=24, max_size=24))
def test_it_opens_here_and_with_nothing_of_ours(plaintext: bytes, aad: bytes, random: bytes) -> None:
    parts = seal(plaintext, aad, random)
    assert open_(parts, aad) == plaintext
    assert version_of(parts.header) == 3 and len(parts.header) == HEADER_BYTES and len(parts.nonce) == 12
    key = KBKDFHMAC(
        algorithm=hashes.SHA256(),
        mode=Mode.CounterMode,
        length=32,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=b"keystead/det/v1",
        context=parts.header,
        fixed=None,
    ).derive(KEY)
    bound = len(aad).to_bytes(2, "big") + aad + b"\x14" + parts.header  # XKS Proxy API, "Encrypt"
    assert AESGCM(key).decrypt(parts.nonce, parts.ciphertext + parts.tag, bound) == plaintext


@given(
    one=st.tuples(st.binary(max_size=40), st.binary(max_size=40)),
    other=st.tuples(st.binary(max_size=40), st.binary(max_size=40)),
)
def test_framing_is_injective(one: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> None:
    assert (framed(*one) == framed(*other)) is (one == other)


def test_with_a_stuck_generator_no_key_or_nonce_is_used_for_two_messages() -> None:
    made = [seal(text, aad) for text in (b"", b"a", b"b") for aad in (b"", b"x", b"y")]
    assert len({(parts.header, parts.nonce) for parts in made}) == len(made)
    assert seal(b"a", b"x") == seal(b"a", b"x")


def test_no_derived_key_is_one_of_format_v1() -> None:
    key, _, header, _ = SEALER.seal(b"text", b"", RANDOM)
    envelope = Envelope(KEY, "1234abcd-12ab-34cd-56ef-1234567890ab", 3)
    assert key not in {envelope.seal(b"text", aad, RANDOM)[0] for aad in (b"", b"\x00", header)}


@pytest.mark.parametrize("field", ["ciphertext", "nonce", "tag", "header"])
def test_no_bit_can_be_changed_and_no_length(field: str) -> None:
    good = seal(b"some text", b"aad")
    value = getattr(good, field)
    bad = [bytes([*value[:i], value[i] ^ 1 << bit, *value[i + 1 :]]) for i in range(len(value)) for bit in range(8)]
    for one in [*bad, value[:-1], value + b"\0", b""]:
        parts = {name: getattr(good, name) for name in good.__struct_fields__} | {field: one}
        with pytest.raises(DecryptionFailed):
            open_(Detached(**parts), b"aad")


def test_another_version_key_or_aad_does_not_open_it() -> None:
    parts = seal(b"text", b"aad")
    for sealer, aad in (
        (DetachedSealer(KEY, 2), b"aad"),
        (DetachedSealer(bytes(32), 3), b"aad"),
        (SEALER, b""),
        (SEALER, b"aad" + parts.header),
        (SEALER, bytes(MAX_AAD + 1)),
    ):
        with pytest.raises(DecryptionFailed):
            open_(parts, aad, sealer)


def test_bounds() -> None:
    assert open_(seal(b"", bytes(MAX_AAD)), bytes(MAX_AAD)) == b""
    with pytest.raises(InvalidArgument):
        seal(b"", bytes(MAX_AAD + 1))
    for key, version in ((bytes(31), 1), (bytes(32), 0), (bytes(32), MAX_VERSION + 1)):
        with pytest.raises(InvalidArgument):
            DetachedSealer(key, version)
    assert version_of(seal(b"", sealer=DetachedSealer(KEY, MAX_VERSION)).header) == MAX_VERSION


@pytest.mark.parametrize("header", [b"", bytes(20), b"\x02" + bytes(19), b"\x01" + bytes(18), b"\x01" + bytes(20)])
def test_what_is_no_header(header: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        version_of(header)
