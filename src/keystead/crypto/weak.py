"""RSA keys that parse and are broken all the same (ROCA, close primes, small exponents)."""

from __future__ import annotations

from math import isqrt
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers

from keystead.core.errors import InvalidArgument

# Nemec et al., "The Return of Coppersmith's Attack" (2017) §3: Infineon's primes are powers of 65537 modulo each of
# these, so their product is, too. A random modulus does so once in 2^28.
_ROCA_PRIMES: Final = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
_ROCA: Final = {p: frozenset(pow(65537, i, p) for i in range(p)) for p in _ROCA_PRIMES}


def has_roca(modulus: int) -> bool:
    """Whether the modulus has the fingerprint of CVE-2017-15361."""
    return all(modulus % p in powers for p, powers in _ROCA.items())


def refuse_weak_public(numbers: RSAPublicNumbers) -> None:
    """What can be told of the public half alone. Raises InvalidArgument."""
    exponent = numbers.e
    if exponent <= 1 << 16 or exponent % 2 == 0 or exponent.bit_length() > 256:
        raise InvalidArgument("a weak RSA key: public exponent", "public_key")
    if numbers.n % 2 == 0 or has_roca(numbers.n):
        raise InvalidArgument("a weak RSA key: modulus", "public_key")


def refuse_weak_rsa(numbers: RSAPrivateNumbers) -> None:
    """Raises InvalidArgument. FIPS 186-5 §A.1.1: e odd, > 2^16; |p - q| > 2^(bits/2 - 100); d > 2^(bits/2)."""
    modulus, exponent = numbers.public_numbers.n, numbers.public_numbers.e
    half = modulus.bit_length() // 2
    weak = {
        "public exponent": exponent <= 1 << 16 or exponent % 2 == 0 or exponent.bit_length() > 256,
        "private exponent": numbers.d <= 1 << half,
        "close primes": abs(numbers.p - numbers.q) <= 1 << (half - 100) or isqrt(modulus) ** 2 == modulus,
        "CVE-2017-15361": has_roca(modulus),
    }
    if found := [name for name, is_weak in weak.items() if is_weak]:
        raise InvalidArgument(f"a weak RSA key: {', '.join(found)}", "key_material")
