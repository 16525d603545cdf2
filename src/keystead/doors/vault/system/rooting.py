"""sys/generate-root, sys/decode-token: a root token by enough shares. Vault HTTP API; words held to OpenBao 2.7.2.

And sys/generate-root-token, OpenBao's name for it (custodial.py).
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from keystead.core import operations as ops
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.system.custodial import Step, declared
from keystead.doors.vault.system.sealing import NoRequest
from keystead.doors.vault.system.shares import NO_PGP, WRONG, ask, share
from keystead.kit import Call
from keystead.kit.custody import BeginRoot, CancelRoot, GiveForRoot, LookAtRootToken, Rooting, Why
from keystead.wire import Malformed
from keystead.wire.vault.reader import Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import base64_decoded

LACKING = "'key' must be specified in request body as JSON"
MAX_TOKEN = 512
WORDS = {
    Why.IN_PROGRESS: (400, "root generation already in progress"),
    Why.NOTHING_BEGUN: (400, "no root generation in progress"),
    Why.WRONG_NONCE: (400, "incorrect nonce supplied"),
    Why.WRONG_SHARES: (
        400,
        f"root generation aborted: unable to authenticate: unable to retrieve stored keys: {WRONG}",
    ),
}


class BeginRequest(Parameters, frozen=True, kw_only=True):
    otp: str = ""
    pgp_key: str = ""


class GiveRequest(Parameters, frozen=True, kw_only=True):
    key: str = ""
    nonce: str = ""


def _told(one: Rooting) -> dict[str, Any]:
    encoded = b64encode(one.encoded.reveal()).decode().rstrip("=") if one.encoded is not None else ""
    return {
        "nonce": one.nonce,
        "started": bool(one.nonce),
        "progress": one.progress,
        "required": one.required,
        "complete": one.encoded is not None,
        "encoded_token": encoded,
        "encoded_root_token": encoded,
        "pgp_fingerprint": "",
        "otp": one.pad or "",
        "otp_length": one.pad_length,
    }


def _look(_req: NoRequest, call: Call) -> dict[str, Any]:
    return _told(ask(call, LookAtRootToken(), WORDS))


def _begin(req: BeginRequest, call: Call) -> dict[str, Any]:
    if req.pgp_key:
        raise Said(400, NO_PGP)
    return _told(ask(call, BeginRoot(pad=Sensitive(req.otp.encode()) if req.otp else None), WORDS))


def _cancel(_req: NoRequest, call: Call) -> None:
    ask(call, CancelRoot(), WORDS)


def _give(req: GiveRequest, call: Call) -> dict[str, Any]:
    return _told(ask(call, GiveForRoot(share=share(req.key, LACKING), nonce=req.nonce), WORDS))


STEPS = (
    Step(Verb.READ, "attempt", NoRequest, _look),
    Step(Verb.WRITE, "attempt", BeginRequest, _begin),
    Step(Verb.DELETE, "attempt", NoRequest, _cancel),
    Step(Verb.WRITE, "update", GiveRequest, _give, gives=True),
)


class DecodeRequest(Parameters, frozen=True, kw_only=True):
    encoded_token: str = ""
    otp: str = ""


@endpoint("system", Verb.WRITE, "decode-token", unsigned=True)
def decode_token(req: DecodeRequest, call: Call) -> dict[str, Any]:
    """Of what the caller has both halves of; nothing here is looked at."""
    if not req.encoded_token or not req.otp:
        raise Said(400, "provided 'encoded_token' or 'otp' is empty")
    if len(req.encoded_token) > MAX_TOKEN:
        raise Said(400, "error decoding base64'd token: it is too long")
    ask(call, LookAtRootToken(), WORDS)  # sealed, there is no answer
    try:
        hidden = base64_decoded(req.encoded_token + "=" * (-len(req.encoded_token) % 4))
    except Malformed as error:
        raise Said(400, f"error decoding base64'd token: {error}") from None
    pad = req.otp.encode()
    if len(hidden) != len(pad):
        words = f"error xoring token: length of byte slices is not equivalent: {len(hidden)} != {len(pad)}"
        raise Said(400, words)
    try:
        return {"token": bytes(a ^ b for a, b in zip(hidden, pad, strict=True)).decode()}
    except UnicodeDecodeError:
        raise Said(400, "the token is no text: it was encoded with another OTP") from None


OPERATIONS = (
    *declared(STEPS, ops.GenerateRootToken, "generate-root", "generate-root-token"),
    decode_token,
)
