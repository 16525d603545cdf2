"""What sys/tools and transit have in common: random bytes, how many and where from; what is hashed; in which form."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping

from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Answer, Said
from keystead.wire import Malformed
from keystead.wire.vault.kinds import Int
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.scalars import base64_decoded

MOST_BYTES = 128 * 1024
SOURCES = frozenset({"platform", "seal", "all"})
NO_SEAL = "no seal/entropy augmentation available, using platform entropy source"
FORMATS: Mapping[str, Callable[[bytes], str]] = {
    "base64": lambda raw: b64encode(raw).decode(),
    "hex": lambda raw: raw.hex(),
}
HASHES: Mapping[str, str] = {
    "sha2-224": "sha224",
    "sha2-256": "sha256",
    "sha2-384": "sha384",
    "sha2-512": "sha512",
    "sha3-224": "sha3_224",
    "sha3-256": "sha3_256",
    "sha3-384": "sha3_384",
    "sha3-512": "sha3_512",
}
"""algorithm -> what hashlib calls it."""


class RandomRequest(Parameters, frozen=True, kw_only=True):
    """Where from is said in the path alone: a `source` in the body is remarked upon."""

    bytes: Int = 32
    format: str = "base64"

    def asked(self) -> tuple[int, str]:
        """How many, and where from. Raises Said."""
        return self.bytes, "platform"


class RandomOfRequest(RandomRequest, frozen=True, kw_only=True):
    urlbytes: str = CAPTURED

    def asked(self) -> tuple[int, str]:
        if self.urlbytes in SOURCES:
            return self.bytes, self.urlbytes
        return number(self.urlbytes), "platform"


class RandomFromRequest(RandomRequest, frozen=True, kw_only=True):
    source: str = CAPTURED
    urlbytes: str = CAPTURED

    def asked(self) -> tuple[int, str]:
        return number(self.urlbytes), self.source


def number(text: str) -> int:
    """A count in a path, as Go's strconv.Atoi reads it. Raises Said."""
    if not text.removeprefix("-").removeprefix("+").isdecimal() or not text.isascii() or len(text) > 18:
        raise Said(400, f'error parsing url-set byte count: strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def drawn(req: RandomRequest, draw: Callable[[int], Sensitive]) -> Answer:
    """Raises Said, and what `draw` raises: so many bytes."""
    n_bytes, source = req.asked()
    if n_bytes < 1:
        raise Said(400, "'bytes' cannot be less than 1")
    if n_bytes > MOST_BYTES:
        raise Said(400, f"'bytes' should be less than {MOST_BYTES}")
    if (write := FORMATS.get(req.format)) is None:
        raise Said(400, f'unsupported encoding format "{req.format}"; must be "hex" or "base64"')
    if source not in SOURCES:
        raise Said(400, f'unsupported entropy source "{source}"; must be "platform" or "seal", or "all"')
    return Answer(data={"random_bytes": write(draw(n_bytes).reveal())}, warnings=(NO_SEAL,) if source == "seal" else ())


def to_hash(given: str, form: str) -> tuple[bytes, Callable[[bytes], str]]:
    """(what is hashed, what writes the digest). Raises Said."""
    try:
        message = base64_decoded(given)
    except Malformed as error:
        raise Said(400, f"unable to decode input as base64: {error}") from None
    if (write := FORMATS.get(form)) is None:
        raise Said(400, f'unsupported encoding format {form}; must be "hex" or "base64"')
    return message, write
