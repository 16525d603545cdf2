"""sys/tools: random bytes and hashes."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

from keystead.core import operations as ops
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.tokens import here
from keystead.kit import Call
from keystead.wire import Malformed
from keystead.wire.vault.kinds import Int
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import base64_decoded

DEFAULT_BYTES, MAX_BYTES = 32, 131072
SOURCES = frozenset({"platform", "seal", "all"})
NO_SEAL = "no seal/entropy augmentation available, using platform entropy source"
FORMATS: Mapping[str, Callable[[bytes], str]] = {
    "base64": lambda raw: b64encode(raw).decode(),
    "hex": lambda raw: raw.hex(),
}
HASHES = {
    "sha2-224": hashlib.sha224,
    "sha2-256": hashlib.sha256,
    "sha2-384": hashlib.sha384,
    "sha2-512": hashlib.sha512,
    "sha3-224": hashlib.sha3_224,
    "sha3-256": hashlib.sha3_256,
    "sha3-384": hashlib.sha3_384,
    "sha3-512": hashlib.sha3_512,
}


class RandomRequest(Parameters, frozen=True, kw_only=True):
    bytes: Int = DEFAULT_BYTES
    format: str = "base64"


class RandomOfRequest(RandomRequest, frozen=True, kw_only=True):
    urlbytes: str = CAPTURED


class RandomFromRequest(RandomRequest, frozen=True, kw_only=True):
    source: str = CAPTURED
    urlbytes: str = CAPTURED


def _number(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > 18:
        raise Said(400, f'error parsing url-set byte count: strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def _random(n_bytes: int, source: str, format_: str, call: Call) -> Answer:
    if n_bytes < 1:
        raise Said(400, "'bytes' cannot be less than 1")
    if n_bytes > MAX_BYTES:
        raise Said(400, f"'bytes' should be less than {MAX_BYTES}")
    if (form := FORMATS.get(format_)) is None:
        raise Said(400, f'unsupported encoding format "{format_}"; must be "hex" or "base64"')
    if source not in SOURCES:
        raise Said(400, f'unsupported entropy source "{source}"; must be "platform" or "seal", or "all"')
    drawn = form(call(ops.DrawRandom(tenant=here(call), n_bytes=n_bytes)).reveal())
    return Answer(data={"random_bytes": drawn}, warnings=(NO_SEAL,) if source == "seal" else ())


@endpoint("system", Verb.WRITE, "tools/random")
def random(req: RandomRequest, call: Call) -> Answer:
    return _random(req.bytes, "platform", req.format, call)


@endpoint("system", Verb.WRITE, "tools/random/{urlbytes}")
def random_of(req: RandomOfRequest, call: Call) -> Answer:
    """What the path names is a number, or where from."""
    if req.urlbytes in SOURCES:
        return _random(req.bytes, req.urlbytes, req.format, call)
    return _random(_number(req.urlbytes), "platform", req.format, call)


@endpoint("system", Verb.WRITE, "tools/random/{source}/{urlbytes}")
def random_from(req: RandomFromRequest, call: Call) -> Answer:
    return _random(_number(req.urlbytes), req.source, req.format, call)


class HashRequest(Parameters, frozen=True, kw_only=True):
    input: str = ""
    algorithm: str = "sha2-256"
    format: str = "hex"


class HashOfRequest(Parameters, frozen=True, kw_only=True):
    urlalgorithm: str = CAPTURED
    input: str = ""
    algorithm: str = ""
    format: str = "hex"


def _sum(algorithm: str, given: str, format_: str, call: Call) -> dict[str, Any]:
    call(ops.UseTools(tenant=here(call)))
    try:
        text = base64_decoded(given)
    except Malformed as error:
        raise Said(400, f"unable to decode input as base64: {error}") from None
    if (form := FORMATS.get(format_)) is None:
        raise Said(400, f'unsupported encoding format {format_}; must be "hex" or "base64"')
    if (digest := HASHES.get(algorithm)) is None:
        raise Said(400, f"unsupported algorithm {algorithm}")
    return {"sum": form(digest(text).digest())}


@endpoint("system", Verb.WRITE, "tools/hash")
def hash_(req: HashRequest, call: Call) -> dict[str, Any]:
    return _sum(req.algorithm, req.input, req.format, call)


@endpoint("system", Verb.WRITE, "tools/hash/{urlalgorithm}")
def hash_of(req: HashOfRequest, call: Call) -> dict[str, Any]:
    return _sum(req.urlalgorithm, req.input, req.format, call)


OPERATIONS = (random, random_of, random_from, hash_, hash_of)
