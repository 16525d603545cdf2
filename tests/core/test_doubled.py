"""Ciphertext format v2: its frame is injective, bounded, and read as it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.core import doubled
from keystead.core.detached import Detached
from keystead.core.envelope import HEADER_BYTES, OVERHEAD_BYTES, peek
from keystead.core.errors import DecryptionFailed

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
HEADER = doubled.header(KEY_ID, 3)
PARTS = st.builds(
    Detached,
    ciphertext=st.binary(min_size=OVERHEAD_BYTES + 1, max_size=OVERHEAD_BYTES + 60),
    nonce=st.sampled_from((12, 16)).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
    tag=st.binary(min_size=16, max_size=16),
    header=st.binary(max_size=20),
)


@given(PARTS)
def test_what_is_packed_is_unpacked_and_names_its_key(parts) -> None:
    blob = doubled.pack(HEADER, parts)
    assert doubled.unpack(HEADER, blob) == parts
    assert peek(blob) == (KEY_ID, 3)


@given(PARTS, PARTS)
def test_other_parts_are_other_bytes(one, other) -> None:
    assert (doubled.pack(HEADER, one) == doubled.pack(HEADER, other)) is (one == other)


@given(PARTS)
def test_the_longest_ciphertext_is_within_what_aws_allows(parts) -> None:
    assert len(doubled.pack(HEADER, parts)) <= doubled.LONGEST <= 6144
    assert doubled.MAX_PLAINTEXT >= 4096


@given(st.binary(max_size=400))
def test_anything_else_is_refused_in_one_way(rest) -> None:
    for blob in (rest, HEADER + rest):
        try:
            parts = doubled.unpack(HEADER, blob)
        except DecryptionFailed as error:
            assert error.detail is None
        else:
            assert doubled.pack(HEADER, parts) == blob


@given(PARTS)
def test_it_is_of_one_key_and_version(parts) -> None:
    blob = doubled.pack(HEADER, parts)
    for other in (doubled.header(KEY_ID, 4), doubled.header(KEY_ID[:-1] + "c", 3)):
        with pytest.raises(DecryptionFailed):
            doubled.unpack(other, blob)


def test_what_the_store_authenticates_is_bound_to_key_version_and_context() -> None:
    bounds = {
        doubled.bound(header, aad) for header in (HEADER, doubled.header(KEY_ID, 4)) for aad in (b"\x00", b"\x01", b"")
    }
    assert len(bounds) == 6 and {len(bound) for bound in bounds} == {HEADER_BYTES + 32}
