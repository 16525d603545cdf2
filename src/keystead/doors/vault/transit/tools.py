"""random and hash: what takes no key."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.toolparts import HASHES, RandomFromRequest, RandomOfRequest, RandomRequest, drawn, to_hash
from keystead.doors.vault.transit.names import USUAL, keyring_ref
from keystead.kit import Call
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


def _drawn(req: RandomRequest, call: Call) -> Answer:
    return drawn(req, lambda n: call(ops.GenerateRandom(keyring=keyring_ref(call), n_bytes=n)))


@endpoint("transit", Verb.WRITE, "random")
def random(req: RandomRequest, call: Call) -> Answer:
    return _drawn(req, call)


@endpoint("transit", Verb.WRITE, "random/{urlbytes}")
def random_of(req: RandomOfRequest, call: Call) -> Answer:
    """What the path names is a number, or where from."""
    return _drawn(req, call)


@endpoint("transit", Verb.WRITE, "random/{source}/{urlbytes}")
def random_from(req: RandomFromRequest, call: Call) -> Answer:
    return _drawn(req, call)


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
    message, write = to_hash(req.input, req.format)
    name = req.urlalgorithm or req.algorithm
    if (digest := HASHES.get(name)) is None:
        raise Said(400, f"unsupported algorithm {name}")
    return {"sum": write(call(ops.Digest(keyring=keyring_ref(call), message=message, digest=digest)))}


@endpoint("transit", Verb.WRITE, "hash")
def hash_of(req: HashRequest, call: Call) -> dict[str, Any]:
    return _hash(req, call)


@endpoint("transit", Verb.WRITE, "hash/{urlalgorithm}")
def hash_with(req: HashUrlRequest, call: Call) -> dict[str, Any]:
    return _hash(req, call)


OPERATIONS = (random, random_of, random_from, hash_of, hash_with)
