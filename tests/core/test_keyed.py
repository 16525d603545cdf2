"""HMAC with prepared states is HMAC: RFC 4231, and the standard library as the second opinion."""

import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.core.keyed import KeyedHash

DIGESTS = ("sha224", "sha256", "sha384", "sha512")


@given(
    key=st.binary(max_size=300),
    prefix=st.binary(max_size=200),
    message=st.binary(max_size=300),
    digest=st.sampled_from(DIGESTS),
)
def test_same_as_the_standard_library(key, prefix, message, digest):
    assert KeyedHash(key, digest, prefix)(message) == hmac.digest(key, prefix + message, digest)


# RFC 4231 §4.2, §4.4, §4.7: short key; key of 20 AA bytes; key longer than the block
@pytest.mark.parametrize(
    ("key", "message", "tag"),
    [
        (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (
            b"\xaa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ],
)
def test_rfc_4231(key, message, tag):
    assert KeyedHash(key)(message).hex() == tag


def test_a_truncated_or_foreign_tag_does_not_match():
    keyed = KeyedHash(b"k")
    tag = keyed(b"m")
    assert keyed.matches(b"m", tag)
    assert not any(keyed.matches(b"m", tag[:n]) for n in range(32))
    assert not keyed.matches(b"m", tag + b"\0")
    assert not keyed.matches(b"n", tag)


def test_threads_do_not_disturb_each_other():
    keyed = KeyedHash(b"k")
    messages = [hashlib.sha256(b"%d" % i).digest() * 50 for i in range(2000)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(keyed, messages)) == [hmac.digest(b"k", m, "sha256") for m in messages]


@pytest.mark.parametrize("digest", DIGESTS)
def test_keys_about_as_long_as_the_block(digest):
    size = hashlib.new(digest).block_size
    for n in (0, size - 1, size, size + 1):
        assert KeyedHash(b"k" * n, digest)(b"m") == hmac.digest(b"k" * n, b"m", digest)
