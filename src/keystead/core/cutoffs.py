"""Until when an algorithm may protect. AWS KMS has no such dates, and none holds unless the configuration says so.

SP 800-57pt1r5 §5.6.3: a strength that is disallowed for applying protection stays in "legacy use" for processing what
was protected before. So after its last day an algorithm makes no new ciphertext, signature, MAC, wrapped key or key,
and what it has made is decrypted and verified as ever. Key agreement is both at once and goes on: whether a secret
opens something old or begins something new, nobody here can see.

A profile is a table of dates by the name of a key spec, of an algorithm or of a digest (DIGESTS); a digest may have
another date for one of its USES. What a profile does not name has no date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from msgspec import Struct

from keystead.core.algorithms import ALGORITHMS, SPECS, Algorithm, KeySpec, Purpose
from keystead.core.errors import InvalidArgument, Unsupported

NEVER: Final = date.min
"""The last day of what was never on the list."""

DIGESTS: Final = frozenset({"SHA1", *(f"SHA{more}{bits}" for more in ("", "3_") for bits in (224, 256, 384, 512))})
USES: Final[Mapping[Purpose, str]] = {Purpose.SIGNATURE: "SIGN_", Purpose.MAC: "HMAC_"}
"""What stands before the name of a digest that has a date of its own in that use."""


class Cutoff(Struct, frozen=True):
    last: date  # the last day on which it protects
    source: str


class Rules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As configured. `until`: dates of one's own, by name; they stand before the profile's, earlier or later."""

    profile: str = ""
    until: dict[str, date] = {}


class Withdrawn(Struct, frozen=True):
    """detail of the Unsupported for an algorithm whose last day is over."""

    spec: KeySpec
    algorithm: Algorithm
    cutoff: Cutoff
    digest: str = ""  # as a profile names it, where it is that whose last day is over


def _rows(last: date, source: str, names: str) -> dict[str, Cutoff]:
    return {name: Cutoff(last, source) for name in names.split()}


_2030, _2031, _2035 = date(2030, 12, 31), date(2031, 12, 31), date(2035, 12, 31)
_NIST_2030: Final = {
    **_rows(_2030, "SP 800-57pt1r5 §5.6.3, Table 4: a strength of 112 bits", "RSA_2048"),
    **_rows(_2030, "NIST, 15 December 2022, and SP 800-131Ar3 (draft): SHA-1", "RSA_OAEP_SHA1"),
    **_rows(_2030, "NIST, 15 December 2022, and SP 800-131Ar3 (draft): SHA-1", "SHA1"),
    **_rows(NEVER, "SP 800-131Ar2 §9: SHA-1 in signatures", "SIGN_SHA1"),
    **_rows(_2030, "SP 800-131Ar3 (draft): hash functions of 224 bits", "HMAC_SHA224 SHA224 SHA3_224"),
}
_QUANTUM_VULNERABLE = "RSA_3072 RSA_4096 EC_P256 EC_P384 EC_P521 EC_K256 ED25519 SM2"
_OTHER_STRENGTHS = "AES_128 RSA_2048 EC_P256 EC_P521 EC_K256 ED25519 SM2"
_OTHER_SETS = "ML_DSA_44 ML_DSA_65 ML_KEM_512 ML_KEM_768"
_OTHER_CIPHERS = "CHACHA20 XCHACHA20"
_OTHER_HASHES = "HMAC_SHA224 HMAC_SHA256 RSA_OAEP_SHA1 RSA_OAEP_SHA256 RSA_PSS_SHA256 RSA_PKCS1_SHA256"
_OTHER_DIGESTS = "SHA1 SHA224 SHA256 SHA3_224 SHA3_256 SHA3_384 SHA3_512"  # 2.0 has SHA-3 for hardware's own use alone
PROFILES: Final[Mapping[str, Mapping[str, Cutoff]]] = {
    "nist-2030": _NIST_2030,
    # IR 8547 would let 112 bits go on, "deprecated", until 2035; SP 800-57 does not
    "nist-2035": {**_rows(_2035, "IR 8547 (draft): quantum-vulnerable", _QUANTUM_VULNERABLE), **_NIST_2030},
    # What CNSA 1.0 had goes on until 2.0 is mandatory; what neither has is refused at once
    "cnsa-2.0": {
        **_rows(_2031, "CNSA 2.0 FAQ 2.1: mandatory by 31 December 2031", "RSA_3072 RSA_4096 EC_P384"),
        **_rows(NEVER, "not in CNSA 1.0 or 2.0: strength", _OTHER_STRENGTHS),
        **_rows(NEVER, "not in CNSA 1.0 or 2.0: cipher", _OTHER_CIPHERS),
        **_rows(NEVER, "not in CNSA 2.0: parameter set", _OTHER_SETS),
        **_rows(NEVER, "not in CNSA 2.0: hash function", f"{_OTHER_HASHES} {_OTHER_DIGESTS}"),
    },
}


NAMES: Final = frozenset({*SPECS, *ALGORITHMS, *DIGESTS, *(USES[Purpose.SIGNATURE] + name for name in DIGESTS)})
"""What can have a date."""


class Cutoffs:
    """What the rules come to, for each pair of a key spec and one of its algorithms. False: nothing has a date.

    Raises InvalidArgument for a profile or a name that is in no table.
    """

    def __init__(self, rules: Rules) -> None:
        if rules.profile and rules.profile not in PROFILES:
            raise InvalidArgument(
                f"algorithms: no profile {rules.profile!r}; there are {', '.join(PROFILES)}", "profile"
            )
        if unknown := rules.until.keys() - NAMES:
            raise InvalidArgument(f"algorithms: no key spec, algorithm or digest {min(unknown)!r}", "until")
        own = {name: Cutoff(last, "keystead.toml") for name, last in rules.until.items()}
        profile = PROFILES.get(rules.profile, {})
        self._over: dict[tuple[str, str], tuple[datetime, Cutoff]] = {}
        for spec in SPECS.values():
            for name in spec.algorithms:
                names = (spec.name, name, *_digest_names(ALGORITHMS[name]))
                if found := _first(own, *names) or _first(profile, *names):
                    self._over[spec.name, name] = _end_of(found.last), found
        self._specs = {
            spec.name: (_end_of(found.last), found)
            for spec in SPECS.values()
            if (found := _first(own, spec.name) or _first(profile, spec.name))
        }
        self._digests: dict[str, tuple[datetime, Cutoff]] = {}
        for name in DIGESTS:
            for prefix in ("", *USES.values()):
                if found := _first(own, prefix + name, name) or _first(profile, prefix + name, name):
                    self._digests[prefix + name] = _end_of(found.last), found

    def __bool__(self) -> bool:
        return bool(self._over or self._digests)

    def require(self, spec: KeySpec, algorithm: Algorithm, now: datetime) -> None:
        """Raises Unsupported (detail Withdrawn) where the algorithm may protect no more."""
        found = self._over.get((spec.name, algorithm.name))
        if found is not None and now >= found[0]:
            raise Unsupported(
                f"{algorithm.name} with {spec.name} protects nothing new after {found[1].last}",
                Withdrawn(spec, algorithm, found[1]),
            )

    def require_digest(self, spec: KeySpec, algorithm: Algorithm, digest: str | None, now: datetime) -> None:
        """For a use whose digest the caller has named (as hashlib writes it), whatever the algorithm's own is.

        None: a digest that nobody names, so that nobody can say that it is not one of those whose last day is over.
        Raises Unsupported (detail Withdrawn).
        """
        prefix = USES.get(algorithm.purpose, "")
        names = sorted(DIGESTS) if digest is None else [digest.upper()]
        for name in names:
            found = self._digests.get(prefix + name)
            if found is not None and now >= found[0]:
                raise Unsupported(
                    f"{name if digest else 'a digest without a name'} protects nothing new after {found[1].last}",
                    Withdrawn(spec, algorithm, found[1], name if digest else "unnamed"),
                )

    def require_with(self, spec: KeySpec, algorithm: Algorithm, digest: str, now: datetime) -> None:
        """For a use by that algorithm with another digest than its own. Raises Unsupported (detail Withdrawn)."""
        if algorithm.digest == digest:
            self.require(spec, algorithm, now)
        found = self._specs.get(spec.name)
        if found is not None and now >= found[0]:
            raise Unsupported(
                f"{spec.name} protects nothing new after {found[1].last}", Withdrawn(spec, algorithm, found[1])
            )
        self.require_digest(spec, algorithm, digest, now)

    def require_any(self, spec: KeySpec, purpose: Purpose | None, now: datetime) -> None:
        """For a new key: raises what `require` does where no algorithm of the purpose (None: at all) is left."""
        *most, last = _algorithms(spec, purpose)
        for algorithm in most:
            found = self._over.get((spec.name, algorithm.name))
            if found is None or now < found[0]:
                return
        self.require(spec, last, now)

    def last_day(self, spec: KeySpec, purpose: Purpose) -> date | None:
        """The last day on which a key can protect by any algorithm; None: there is none. NEVER is over."""
        days = [self._over.get((spec.name, algorithm.name)) for algorithm in spec.algorithms_for(purpose)]
        return None if None in days or not days else max(found[1].last for found in days if found)


def _algorithms(spec: KeySpec, purpose: Purpose | None) -> tuple[Algorithm, ...]:
    if purpose is not None:
        return spec.algorithms_for(purpose)
    return tuple(ALGORITHMS[name] for name in spec.algorithms)


def _digest_names(algorithm: Algorithm) -> tuple[str, ...]:
    """Of its digest, by which a date may hold for the algorithm."""
    name = (algorithm.digest or "").upper()
    return (USES.get(algorithm.purpose, "") + name, name) if name in DIGESTS else ()


def _first(table: Mapping[str, Cutoff], *names: str) -> Cutoff | None:
    found: Iterable[Cutoff] = (table[name] for name in names if name in table)
    return min(found, key=lambda cutoff: cutoff.last, default=None)


def _end_of(day: date) -> datetime:
    """Midnight UTC."""
    return datetime.combine(day if day == NEVER else day + timedelta(days=1), time(), UTC)
