"""random and hash: what takes no key."""

from __future__ import annotations

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
from keystead.doors.vault.transit.names import DIGESTS, USUAL, keyring_ref
from keystead.kit import Call
from keystead.wire import Malformed
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import base64_decoded


def _random(n_bytes: int, source: str, form: str, call: Call) -> Answer:
    return told(n_bytes, source, form, lambda n: call(ops.GenerateRandom(keyring=keyring_ref(call), n_bytes=n)))


@endpoint("transit", Verb.WRITE, "random")
def random(req: RandomRequest, call: Call) -> Answer:
    return _random(req.bytes, "platform", req.format, call)


@endpoint("transit", Verb.WRITE, "random/{urlbytes}")
def random_of(req: RandomOfRequest, call: Call) -> Answer:
    """What the path names is a number, or where from."""
    if req.urlbytes in SOURCES:
        return _random(req.bytes, req.urlbytes, req.format, call)
    return _random(number(req.urlbytes), "platform", req.format, call)


@endpoint("transit", Verb.WRITE, "random/{source}/{urlbytes}")
def random_from(req: RandomFromRequest, call: Call) -> Answer:
    return _random(number(req.urlbytes), req.source, req.format, call)


class HashRequest(Parameters, frozen=True, kw_only=True):
    urlalgorithm: str = ""
    algorithm: str = USUAL
    input: str | None = None
    format: str = "hex"


class HashUrlRequest(HashRequest, frozen=True, kw_only=True):
    urlalgorithm: str = CAPTURED


def _hash(req: HashRequest, call: Call) -> dict[str, Any]:
    if req.input is None:
        raise Said(400, "input missing")
    try:
        message = base64_decoded(req.input)
    except Malformed as error:
        raise Said(400, f"unable to decode input as base64: {error}") from None
    if (write := FORMATS.get(req.format)) is None:
        raise Said(400, f'unsupported encoding format {req.format}; must be "hex" or "base64"')
    name = req.urlalgorithm or req.algorithm
    digest = DIGESTS.get(name) if name != "sha1" else None
    if digest is None:
        raise Said(400, f"unsupported algorithm {name}")
    return {"sum": write(call(ops.Digest(keyring=keyring_ref(call), message=message, digest=digest)))}


@endpoint("transit", Verb.WRITE, "hash")
def hash_of(req: HashRequest, call: Call) -> dict[str, Any]:
    return _hash(req, call)


@endpoint("transit", Verb.WRITE, "hash/{urlalgorithm}")
def hash_with(req: HashUrlRequest, call: Call) -> dict[str, Any]:
    return _hash(req, call)


OPERATIONS = (random, random_of, random_from, hash_of, hash_with)
