"""sys/tools: random bytes and hashes."""

from __future__ import annotations

import hashlib
from typing import Any

from keystead.core import operations as ops
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.tokens import here
from keystead.doors.vault.toolparts import HASHES, RandomFromRequest, RandomOfRequest, RandomRequest, drawn, to_hash
from keystead.kit import Call
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


def _drawn(req: RandomRequest, call: Call) -> Answer:
    return drawn(req, lambda n: call(ops.DrawRandom(tenant=here(call), n_bytes=n)))


@endpoint("system", Verb.WRITE, "tools/random")
def random(req: RandomRequest, call: Call) -> Answer:
    return _drawn(req, call)


@endpoint("system", Verb.WRITE, "tools/random/{urlbytes}")
def random_of(req: RandomOfRequest, call: Call) -> Answer:
    """What the path names is a number, or where from."""
    return _drawn(req, call)


@endpoint("system", Verb.WRITE, "tools/random/{source}/{urlbytes}")
def random_from(req: RandomFromRequest, call: Call) -> Answer:
    return _drawn(req, call)


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
    message, write = to_hash(given, format_)
    if (digest := HASHES.get(algorithm)) is None:
        raise Said(400, f"unsupported algorithm {algorithm}")
    return {"sum": write(hashlib.new(digest, message).digest())}


@endpoint("system", Verb.WRITE, "tools/hash")
def hash_(req: HashRequest, call: Call) -> dict[str, Any]:
    return _sum(req.algorithm, req.input, req.format, call)


@endpoint("system", Verb.WRITE, "tools/hash/{urlalgorithm}")
def hash_of(req: HashOfRequest, call: Call) -> dict[str, Any]:
    return _sum(req.urlalgorithm, req.input, req.format, call)


OPERATIONS = (random, random_of, random_from, hash_, hash_of)
