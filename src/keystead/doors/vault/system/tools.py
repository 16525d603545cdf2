"""sys/tools: random bytes and hashes."""

from __future__ import annotations

import hashlib
from typing import Any

from keystead.core import operations as ops
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.randombytes import (
    FORMATS,
    SOURCES,
    RandomFromRequest,
    RandomOfRequest,
    RandomRequest,
    number,
    told,
)
from keystead.doors.vault.tokens import here
from keystead.kit import Call
from keystead.wire import Malformed
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import base64_decoded

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


def _random(n_bytes: int, source: str, form: str, call: Call) -> Answer:
    return told(n_bytes, source, form, lambda n: call(ops.DrawRandom(tenant=here(call), n_bytes=n)))


@endpoint("system", Verb.WRITE, "tools/random")
def random(req: RandomRequest, call: Call) -> Answer:
    return _random(req.bytes, "platform", req.format, call)


@endpoint("system", Verb.WRITE, "tools/random/{urlbytes}")
def random_of(req: RandomOfRequest, call: Call) -> Answer:
    """What the path names is a number, or where from."""
    if req.urlbytes in SOURCES:
        return _random(req.bytes, req.urlbytes, req.format, call)
    return _random(number(req.urlbytes), "platform", req.format, call)


@endpoint("system", Verb.WRITE, "tools/random/{source}/{urlbytes}")
def random_from(req: RandomFromRequest, call: Call) -> Answer:
    return _random(number(req.urlbytes), req.source, req.format, call)


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
