"""HMAC_DRBG against NIST's CAVP vectors (SOURCES.md)."""

import json
from pathlib import Path

import pytest

from keystead.crypto.drbg import MOST, HmacDrbg

VECTORS = json.loads(Path(__file__).with_name("hmac_drbg_sha512.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=range(len(VECTORS)))
def test_vector(vector) -> None:
    def of(*names):
        return b"".join(bytes.fromhex(vector[name]) for name in names)

    drbg = HmacDrbg(of("entropy", "nonce", "personalization"))
    drbg.reseed(of("reseed", "reseed_additional"))
    first, second = (bytes.fromhex(text) for text in vector["additional"])
    returned = of("returned")
    drbg.generate(len(returned), first)
    assert drbg.generate(len(returned), second) == returned


def test_the_most_at_once() -> None:
    drbg = HmacDrbg(b"seed")
    assert len(drbg.generate(MOST)) == MOST
    for n in (-1, MOST + 1):
        with pytest.raises(ValueError, match="at once"):
            drbg.generate(n)
