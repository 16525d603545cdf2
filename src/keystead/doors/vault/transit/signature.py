"""sign and verify. OpenBao, transit/path_sign_verify.go."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.algorithms import MessageForm
from keystead.core.operations import Breach
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.transit.items import Refusal, decoded, many, parted, single
from keystead.doors.vault.transit.loose import texts
from keystead.doors.vault.transit.mac import check_macs
from keystead.doors.vault.transit.names import DIGESTS, PREFIX, USUAL, key_ref
from keystead.doors.vault.transit.shapes import public_text
from keystead.doors.vault.transit.words import NO_CONTEXT, Named, Use, Words, asked_first, speaking
from keystead.kit import Call
from keystead.wire import Malformed
from keystead.wire.vault.kinds import Int
from keystead.wire.vault.reader import CAPTURED
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import base64_decoded

_JWS = re.compile(r"[A-Za-z0-9_-]*")
SALTS = {"auto": ops.LONGEST, "hash": ops.AS_DIGEST}
NONE = "hash_algorithm=none requires both prehashed=true and signature_algorithm=pkcs1v15"
NO_SIGNATURE = "invalid base64 signature value"
SIGNING = Use("signing", "signature", unable="key type {type} does not support signing", blames_itself=True)
VERIFYING = Use("signing", "signature", unable="key type {type} does not support verification")
PADDINGS = {"": "pss", "pss": "pss", "pkcs1v15": "pkcs1"}


class SignatureRequest(Named, frozen=True, kw_only=True):
    urlalgorithm: str = ""
    input: str = ""
    context: str = ""
    hash_algorithm: str = ""
    algorithm: str = USUAL
    signature_algorithm: str = ""
    marshaling_algorithm: str = "asn1"
    prehashed: bool = False
    salt_length: str = "auto"
    batch_input: Any = None


class SignRequest(SignatureRequest, frozen=True, kw_only=True):
    key_version: Int = 0


class SignUrlRequest(SignRequest, frozen=True, kw_only=True):
    urlalgorithm: str = CAPTURED


class VerifyRequest(SignatureRequest, frozen=True, kw_only=True):
    signature: str | None = None
    hmac: str | None = None


class VerifyUrlRequest(VerifyRequest, frozen=True, kw_only=True):
    urlalgorithm: str = CAPTURED


class _How(Struct, frozen=True):
    """What a request says of all its signatures."""

    scheme: ops.Scheme
    form: MessageForm
    unpadded: bool  # url-safe base64 without padding, as JWS has it


def digest_name(req: SignatureRequest) -> str:
    return req.urlalgorithm or req.hash_algorithm or req.algorithm or USUAL


def _how(req: SignatureRequest) -> _How:
    """Raises Said."""
    name, marshaling = digest_name(req), req.marshaling_algorithm
    if name not in DIGESTS:
        raise Said(400, f'invalid hash algorithm "{name}"')
    if marshaling not in {"asn1", "jws"}:
        raise Said(400, f'invalid marshaling type "{marshaling}"')
    if DIGESTS[name] is None and (not req.prehashed or req.signature_algorithm != "pkcs1v15"):
        raise Said(400, NONE)
    padding, salt = PADDINGS.get(req.signature_algorithm, "other"), _salt(req.salt_length)
    return _kept_how(DIGESTS[name], padding, salt, req.prehashed, marshaling == "jws")


@lru_cache(maxsize=256)
def _kept_how(digest: str | None, padding: str, salt: int, prehashed: bool, is_jws: bool) -> _How:  # noqa: FBT001 - a cache tells its arguments by their places
    scheme = ops.Scheme(digest=digest, padding=padding, salt=salt, fixed=is_jws)
    return _How(scheme, MessageForm.DIGEST if prehashed else MessageForm.RAW, is_jws)


def _salt(text: str) -> int:
    if (found := SALTS.get(text.lower())) is not None:
        return found
    if not text.removeprefix("-").removeprefix("+").isdecimal() or len(text) > 18:
        raise Said(400, f"salt length neither 'auto', 'hash', nor an int: {text}")
    if (number := int(text)) < ops.AS_DIGEST:
        raise Said(400, f"salt length is invalid: {number}")
    return number


def _spoken(use: Use, req: SignatureRequest) -> Use:
    """With words for what only this request's scheme explains."""
    own: dict[object, Words] = {
        Breach.NO_PRIVATE_HALF: Words("requested version for signing does not contain a private part", ours=True),
        Breach.NO_CONTEXT: Words(f"error deriving key: {NO_CONTEXT}", ours=True),
        "salt": Words(f"requested salt length {req.salt_length} is invalid", ours=True),
        "form": Words("crypto/rsa: input must be hashed with given hash", ours=True),
        "padding": Words(f"unsupported rsa signature algorithm {req.signature_algorithm}", ours=True),
    }
    return replace(use, own=own)


def _message(item: Mapping[str, str]) -> tuple[bytes, bytes]:
    """It, and the context of a derived key. Raises Refusal."""
    if "input" not in item:
        raise Refusal(Words("missing input"))
    message = decoded(item["input"], before="unable to decode input as base64: ")
    return message, decoded(item.get("context", ""), instead="failed to base64-decode context")


def _unmarshaled(text: str) -> bytes:
    """base64url without padding (RFC 7515 §2). Raises Malformed."""
    if not _JWS.fullmatch(text) or len(text) % 4 == 1:
        raise Malformed("not base64url")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- sign


@asked_first
def _sign(req: SignRequest, call: Call) -> dict[str, Any]:
    ref, how = key_ref(req.name, call), _how(req)

    def op(item: Mapping[str, str]) -> ops.SignAs:
        message, context = _message(item)
        return ops.SignAs(
            key=ref, message=message, scheme=how.scheme, form=how.form, version=req.key_version, in_context=context
        )

    def told(done: ops.SignedAs, by: str = "publickey") -> dict[str, Any]:
        encode = _marshaled if how.unpadded else b64encode
        made = {"key_version": done.version, "signature": f"{PREFIX}{done.version}:{encode(done.signature).decode()}"}
        return made | {by: public_text(done.public_key, done.key)} if done.public_key else made

    def use() -> Use:
        return _spoken(SIGNING, req)

    with speaking(use, "signing key not found"):
        if req.batch_input is None:
            return told(call(single(op, {"input": req.input, "context": req.context})), "public_key")
        return many(
            texts(req.batch_input, "Sign"),
            op,
            lambda ready: call(ops.SignEach(key=ref, items=ready)),
            told,
            use(),
            key_version=0,
        )


def _marshaled(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


@endpoint("transit", Verb.WRITE, "sign/{name}")
def sign(req: SignRequest, call: Call) -> dict[str, Any]:
    return _sign(req, call)


@endpoint("transit", Verb.WRITE, "sign/{name}/{urlalgorithm}")
def sign_with(req: SignUrlRequest, call: Call) -> dict[str, Any]:
    return _sign(req, call)


# --- verify


@asked_first
def _verify(req: VerifyRequest, call: Call) -> dict[str, Any]:
    if req.batch_input is not None:
        found = texts(req.batch_input, "Verify")
    else:
        given = {"signature": req.signature, "hmac": req.hmac}
        found = [{"input": req.input, "context": req.context, **{k: v for k, v in given.items() if v is not None}}]
    ref = key_ref(req.name, call)
    if _by_mac(found, is_batch=req.batch_input is not None):
        return check_macs(ref, found, digest_name(req), call, is_batch=req.batch_input is not None)
    how, use = _how(req), _spoken(VERIFYING, req)

    def op(item: Mapping[str, str]) -> ops.VerifyAs:
        message, context = _message(item)
        decode = _unmarshaled if how.unpadded else base64_decoded
        version, signature = parted(item["signature"], "signature", undecodable=NO_SIGNATURE, decode=decode)
        return ops.VerifyAs(
            key=ref,
            message=message,
            signature=signature,
            scheme=how.scheme,
            form=how.form,
            version=version,
            in_context=context,
        )

    with speaking(use, "signature verification key not found"):
        if req.batch_input is None:
            return {"valid": call(single(op, found[0])).valid}
        return many(
            found,
            op,
            lambda ready: call(ops.VerifyEach(key=ref, items=ready)),
            lambda done: {"valid": done.valid},
            use,
            valid=False,
        )


def _by_mac(found: Sequence[Mapping[str, str]], *, is_batch: bool) -> bool:
    """Whether HMACs are to be verified, and not signatures. Raises Said."""
    kinds = {"signature" if "signature" in one else "hmac" if "hmac" in one else "" for one in found}
    if not is_batch and kinds == {""}:
        raise Said(400, "neither a 'signature' nor an 'hmac' were given to verify")
    if {"signature", "hmac"} <= kinds:
        raise Said(400, "elements of batch_input must all provide 'signature' or all provide 'hmac'")
    if "" in kinds:
        (kind,) = (kinds - {""}) or {""}
        missing = f"some elements of batch_input are missing '{kind}'"
        raise Said(400, missing if kind else "no batch_input elements have 'signature' or 'hmac'")
    return kinds == {"hmac"}


@endpoint("transit", Verb.WRITE, "verify/{name}")
def verify(req: VerifyRequest, call: Call) -> dict[str, Any]:
    return _verify(req, call)


@endpoint("transit", Verb.WRITE, "verify/{name}/{urlalgorithm}")
def verify_with(req: VerifyUrlRequest, call: Call) -> dict[str, Any]:
    return _verify(req, call)


OPERATIONS = (sign, sign_with, verify, verify_with)
