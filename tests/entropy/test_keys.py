"""Key pairs are made of bytes that are handed over, so that whoever mixes entropy decides what they are made of."""

import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.fakes import SeededEntropy

from keystead.core.algorithms import KEY_SPECS, Family
from keystead.core.errors import Unsupported
from keystead.core.ports import KernelEntropy
from keystead.crypto import keys
from keystead.providers.software import SoftwareProvider

MADE = [name for name in KEY_SPECS if name in keys.PRIVATE_TYPES]
SEEDED = [name for name in MADE if KEY_SPECS[name].family is not Family.RSA]


@pytest.mark.parametrize("name", SEEDED)
def test_the_same_bytes_make_the_same_key_and_each_of_them_counts(name) -> None:
    spec = KEY_SPECS[name]
    seed = os.urandom(keys.seed_bytes(spec))
    made = keys.private_der(keys.generate(spec, seed))
    assert made == keys.private_der(keys.generate(spec, seed))
    for at in (0, len(seed) // 2, len(seed) - 1):
        altered = bytearray(seed)
        altered[at] ^= 1
        assert made != keys.private_der(keys.generate(spec, bytes(altered)))
    with pytest.raises(ValueError, match="is made of"):
        keys.generate(spec, seed[:-1])


@pytest.mark.parametrize(("name", "n_bytes"), [("EC_P256", 40), ("EC_P384", 56), ("EC_P521", 74), ("EC_K256", 40)])
def test_scalars_by_fips_186_5_a_2_1(name, n_bytes) -> None:
    """N + 64 bits at least; d = (c mod (n - 1)) + 1, so that 0 makes 1 and n - 2 makes n - 1."""
    spec, order = KEY_SPECS[name], keys.CURVES[name].group_order
    assert keys.seed_bytes(spec) == n_bytes and n_bytes * 8 >= order.bit_length() + 64

    def scalar(c):
        made = keys.generate(spec, c.to_bytes(n_bytes, "big"))
        assert isinstance(made, ec.EllipticCurvePrivateKey)
        return made.private_numbers().private_value

    assert [scalar(c) for c in (0, order - 2, order - 1, order)] == [1, order - 1, 1, 2]
    assert scalar(2 ** (8 * n_bytes) - 1) == (2 ** (8 * n_bytes) - 1) % (order - 1) + 1


def test_a_provider_says_what_it_drew_from() -> None:
    class Mixed(KernelEntropy):
        def draw(self, n):
            return super().draw(n)[0], "kernel+hsm:box"

    provider = SoftwareProvider(SeededEntropy(1), Mixed(SeededEntropy(2)))
    for name in [*SEEDED, "AES_256", "HMAC_512"]:
        assert provider.generate(KEY_SPECS[name]).entropy == "kernel+hsm:box", name
    assert provider.generate(KEY_SPECS["RSA_2048"]).entropy == "kernel"
    assert provider.register(KEY_SPECS["AES_256"], provider.generate(KEY_SPECS["AES_256"]).material).entropy == ""
    assert SoftwareProvider(os.urandom).generate(KEY_SPECS["EC_P256"]).entropy == "kernel"


def test_where_hardware_is_required_openssl_draws_no_primes() -> None:
    class Required(KernelEntropy):
        is_required = True

    provider = SoftwareProvider(os.urandom, Required(os.urandom))
    assert provider.generate(KEY_SPECS["AES_256"]).entropy
    with pytest.raises(Unsupported, match="RSA_3072 key in software has none"):
        provider.generate(KEY_SPECS["RSA_3072"])
