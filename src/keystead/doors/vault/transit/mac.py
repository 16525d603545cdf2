"""hmac, and its verification. OpenBao, transit/path_hmac.go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keystead.core import operations as ops
from keystead.core.operations import Breach, KeyRef
from keystead.core.states import KeyState
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.transit.items import Refusal, decoded, many, parted, single
from keystead.doors.vault.transit.loose import texts
from keystead.doors.vault.transit.names import DIGESTS, PREFIX, USUAL, key_ref
from keystead.doors.vault.transit.words import Named, Use, Words, asked_first, speaking
from keystead.kit import Call
from keystead.wire.vault.kinds import Int
from keystead.wire.vault.reader import CAPTURED
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import base64_of

NO_PRIVATE = Words("key version does not have a private part to derive an HMAC key from")
UNABLE = "key type {type} does not support HMAC"
_OLD = Words("cannot generate HMAC: version is too old (disallowed by policy)")
MAKING = Use(
    "HMAC",
    "HMAC",
    unable=UNABLE,
    own={
        Breach.NO_PRIVATE_HALF: NO_PRIVATE,
        Breach.TOO_LOW: _OLD,
        KeyState.DEACTIVATED: _OLD,
        Breach.TOO_NEW: Words("key version does not exist; latest key version is {latest}", is_template=True),
        Breach.NEGATIVE: Words("key version does not exist (cannot be negative)"),
    },
)
CHECKING = Use(
    "HMAC",
    "HMAC",
    unable=UNABLE,
    own={
        Breach.NO_PRIVATE_HALF: NO_PRIVATE,
        Breach.TOO_OLD: Words("cannot verify HMAC: version is too old (disallowed by policy)"),
    },
)
BAD_INPUT = "unable to decode input as base64: "


class HmacRequest(Named, frozen=True, kw_only=True):
    urlalgorithm: str = ""
    input: str | None = None
    algorithm: str = USUAL
    key_version: Int = 0
    batch_input: Any = None


class HmacUrlRequest(HmacRequest, frozen=True, kw_only=True):
    urlalgorithm: str = CAPTURED


@asked_first
def _hmac(req: HmacRequest, call: Call) -> dict[str, Any]:
    ref, name = key_ref(req.name, call), req.urlalgorithm or req.algorithm
    if name not in DIGESTS:
        raise Said(400, "unsupported algorithm '\\x00'")
    if (digest := DIGESTS[name]) is None:
        raise Said(400, "algorithm cannot be none")

    def op(item: Mapping[str, str]) -> ops.GenerateMacAs:
        if "input" not in item:
            raise Refusal(Words("missing input for HMAC"))
        message = decoded(item["input"], before=BAD_INPUT)
        return ops.GenerateMacAs(key=ref, message=message, digest=digest, version=req.key_version)

    def told(done: ops.TaggedAs) -> dict[str, Any]:
        return {"hmac": f"{PREFIX}{done.version}:{base64_of(done.tag)}"}

    with speaking(MAKING):
        if req.batch_input is None:
            given = {} if req.input is None else {"input": req.input}
            return told(call(single(op, given)))
        found = texts(req.batch_input, "HMAC")
        return many(found, op, lambda ready: call(ops.GenerateMacEach(key=ref, items=ready)), told, MAKING)


@endpoint("transit", Verb.WRITE, "hmac/{name}")
def hmac(req: HmacRequest, call: Call) -> dict[str, Any]:
    return _hmac(req, call)


@endpoint("transit", Verb.WRITE, "hmac/{name}/{urlalgorithm}")
def hmac_with(req: HmacUrlRequest, call: Call) -> dict[str, Any]:
    return _hmac(req, call)


def check_macs(
    ref: KeyRef, found: Sequence[Mapping[str, str]], name: str, call: Call, *, is_batch: bool
) -> dict[str, Any]:
    """What verify answers of HMACs. Raises Said."""
    if name not in DIGESTS:
        raise Said(400, f'invalid hash algorithm "{name}"')
    if (digest := DIGESTS[name]) is None:
        raise Said(400, "algorithm cannot be none")

    def op(item: Mapping[str, str]) -> ops.VerifyMacAs:
        if "input" not in item:
            raise Refusal(Words("missing input"))
        message = decoded(item["input"], before=BAD_INPUT)
        version, tag = _taken_apart(item["hmac"])
        return ops.VerifyMacAs(key=ref, message=message, tag=tag, digest=digest, version=version)

    def told(done: ops.CheckedAs) -> dict[str, Any]:
        return {"valid": done.valid} if done.valid or not is_batch else {}

    with speaking(CHECKING):
        if not is_batch:
            return told(call(single(op, found[0])))
        return many(found, op, lambda ready: call(ops.VerifyMacEach(key=ref, items=ready)), told, CHECKING)


def _taken_apart(text: str) -> tuple[int, bytes]:
    if not text.startswith(PREFIX):
        raise Refusal(Words("invalid HMAC to verify: no prefix"))
    return parted(text, "HMAC", undecodable="unable to decode verification HMAC as base64: {error}")


OPERATIONS = (hmac, hmac_with)
