"""Ciphertext format v3: what goes around what an HSM seals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.core.envelope import NO_AAD, OVERHEAD_BYTES, peek, typed_aad
from keystead.core.errors import DecryptionFailed
from keystead.core.inside import ZEROS, Form, Inside, Parts, committed

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
OURS = Inside(KEY_ID, 7)
LEAST = len(ZEROS) + 16

ivs = st.sampled_from([12, 16]).flatmap(lambda n: st.binary(min_size=n, max_size=n))
direct = st.builds(Parts, st.just(Form.DIRECT), ivs, st.binary(min_size=LEAST, max_size=300), st.just(b""))
keyed = st.builds(Parts, st.just(Form.KEYED), ivs, st.binary(min_size=80, max_size=80), st.binary(max_size=300))
iv = st.binary(min_size=16, max_size=16)
direct_cbc = st.builds(Parts, st.just(Form.DIRECT_CBC), iv, st.binary(min_size=80, max_size=300), st.just(b""))
keyed_cbc = st.builds(
    Parts, st.just(Form.KEYED_CBC), iv, st.binary(min_size=112, max_size=112), st.binary(max_size=300)
)


@given(direct | keyed | direct_cbc | keyed_cbc)
def test_what_is_packed_is_unpacked(parts):
    blob = OURS.pack(parts)
    assert OURS.unpack(blob) == parts
    assert peek(blob) == (KEY_ID, 7)
    for other in (Inside(KEY_ID, 8), Inside(KEY_ID.replace("1", "2"), 7)):
        with pytest.raises(DecryptionFailed):
            other.unpack(blob)


@given(st.binary(max_size=200), st.integers(0, 40))
def test_what_is_not_packed_is_no_message(junk, n):
    """Whole junk, and junk behind a header: an answer in parts that fit, or DecryptionFailed."""
    heads = [OURS.pack(Parts(form, bytes(12), bytes(LEAST), b""))[:n] for form in Form]
    for blob in (junk, *(head + junk for head in heads)):
        try:
            parts = OURS.unpack(blob)
        except DecryptionFailed:
            continue
        assert len(parts.iv) in {12, 16} and len(parts.sealed) >= LEAST and OURS.pack(parts) == blob


def test_what_is_bound():
    bound = {OURS.bound(form, aad) for form in Form for aad in (NO_AAD, typed_aad(b""), typed_aad({"a": "1"}))}
    assert len(bound) == 12 and {len(one) for one in bound} == {55}


@pytest.mark.parametrize("form", [Form.DIRECT_CBC, Form.KEYED_CBC])
@pytest.mark.parametrize(("iv_bytes", "sealed_bytes"), [(12, 112), (16, 79)])
def test_other_sizes_are_none_of_cbc(form, iv_bytes, sealed_bytes):
    with pytest.raises(DecryptionFailed):
        OURS.unpack(OURS.pack(Parts(form, bytes(iv_bytes), bytes(sealed_bytes), b"")))


def test_the_zeros_are_looked_for():
    assert committed(ZEROS + b"text") == b"text" and committed(ZEROS) == b""
    for n in range(len(ZEROS)):
        with pytest.raises(DecryptionFailed):
            committed(ZEROS[:n] + b"\x01" + ZEROS[n + 1 :] + b"text")
        with pytest.raises(DecryptionFailed):
            committed(ZEROS[:n])


@pytest.mark.parametrize(
    ("magic", "least"), [(b"\xa5\x01", OVERHEAD_BYTES), (b"\xa5\x02", OVERHEAD_BYTES), (b"\xa5\x03", 84)]
)
def test_a_message_that_is_too_short_has_no_key(magic, least):
    whole = magic + OURS.pack(Parts(Form.DIRECT, bytes(12), bytes(LEAST + 20), b""))[2:]
    assert peek(whole[:least]) == (KEY_ID, 7)
    for bad in (whole[: least - 1], whole[:2], b"", b"\xa5\x04" + whole[2:]):
        with pytest.raises(DecryptionFailed):
            peek(bad)
