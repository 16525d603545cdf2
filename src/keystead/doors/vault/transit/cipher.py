"""encrypt, decrypt, rewrap.

A ciphertext is "vault:v<version>:" and behind it, in base64, what Encrypt makes at any other door.
"""

from __future__ import annotations

from typing import Any

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.operations import KeyRef
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.transit.items import (
    Item,
    Refusal,
    batch,
    bound,
    decoded,
    even,
    items,
    loose_items,
    parted,
    run_each,
    single,
)
from keystead.doors.vault.transit.keys import made, terms_of
from keystead.doors.vault.transit.names import PREFIX, TYPES, key_ref
from keystead.doors.vault.transit.words import (
    DECRYPTION,
    ENCRYPTION,
    NO_KEY,
    SHORT,
    Named,
    Use,
    Words,
    asked_first,
    said,
    speaking,
)
from keystead.kit import Call
from keystead.wire.vault.kinds import Int
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import base64_of

UPSERTS = frozenset({"aes256-gcm96", "aes128-gcm96", "chacha20-poly1305", "xchacha20-poly1305"})
SIGNERS = frozenset({"ecdsa-p256", "ecdsa-p384", "ecdsa-p521"})
NONCE_BYTES = 12  # what is shorter is no ciphertext of Vault's at all
NOT_BASE64 = "invalid ciphertext: could not decode base64"
NO_CIPHERTEXT = "missing ciphertext to decrypt"


class EncryptRequest(Named, frozen=True, kw_only=True):
    plaintext: str | None = None
    context: str = ""
    associated_data: str = ""
    key_version: Int = 0
    type: str = "aes256-gcm96"
    convergent_encryption: bool = False
    partial_failure_response_code: Int | None = None
    batch_input: Any = None


def _encrypt(ref: KeyRef, item: Item | EncryptRequest, plaintext: str) -> ops.Encrypt:
    """Raises Refusal."""
    return ops.Encrypt(
        key=ref,
        plaintext=Sensitive(decoded(plaintext)),
        aad=bound(item.context, item.associated_data),
        version=item.key_version,
    )


def text_of(version: int, ciphertext: bytes) -> str:
    return f"{PREFIX}{version}:{base64_of(ciphertext)}"


def _encrypted(done: ops.Encrypted) -> dict[str, Any]:
    return {"ciphertext": text_of(done.version, done.ciphertext), "key_version": done.version}


def _result(done: Any, told: Any, reference: str, **always: str) -> dict[str, Any]:
    return {**always, **({"error": done.text} if isinstance(done, Words) else told(done)), "reference": reference}


@endpoint("transit", Verb.WRITE, "encrypt/{name}", creates=True)
@asked_first
def encrypt(req: EncryptRequest, call: Call) -> Any:
    """A key that is not there is made, by whoever may create it."""
    ref = key_ref(req.name, call)
    if req.batch_input is None:
        if req.plaintext is None:
            raise Said(400, "missing plaintext to encrypt")
        op = single(_encrypt, ref, req, req.plaintext)
        with speaking(ENCRYPTION):
            return _encrypted(_or_made(op, ref, req, call, with_context=bool(req.context)))
    found = items(req.batch_input, "plaintext")
    even(found)
    with speaking(ENCRYPTION):
        results = run_each(
            found,
            lambda item: _encrypt(ref, item, item.plaintext),
            lambda ready: _or_made(
                ops.EncryptEach(key=ref, items=ready), ref, req, call, with_context=bool(found[0].context)
            ),
            lambda _: ENCRYPTION,
        )
    told = [_result(done, _encrypted, item.reference) for done, item in zip(results, found, strict=True)]
    return batch(told, [one if isinstance(one, Words) else None for one in results], req.partial_failure_response_code)


def _or_made(op: Any, ref: KeyRef, req: EncryptRequest, call: Call, *, with_context: bool) -> Any:
    try:
        return call(op)
    except e.NotFound as error:
        _upsert(ref, req, call, error, with_context=with_context)
        return call(op)


def _upsert(ref: KeyRef, req: EncryptRequest, call: Call, error: e.NotFound, *, with_context: bool) -> None:
    if req.convergent_encryption and not with_context:
        text = "convergent encryption requires derivation to be enabled, so context is required"
        raise said(400, text, error) from error
    if req.type in SIGNERS:
        raise said(400, f"key type {req.type} not supported for this operation", error) from error
    if req.type not in UPSERTS or req.type not in TYPES:
        raise said(400, f"unknown key type {req.type}", error) from error
    terms = terms_of(derived=with_context, convergent=req.convergent_encryption)
    try:
        made(ref, TYPES[req.type], req.type, call, terms, unasked=True)
    except e.NotFound as refusal:  # whoever may make none is told that there is none
        raise said(400, NO_KEY, refusal) from refusal


class DecryptRequest(Named, frozen=True, kw_only=True):
    ciphertext: str = ""
    context: str = ""
    associated_data: str = ""
    partial_failure_response_code: Int | None = None
    batch_input: Any = None


def _taken_apart(item: Item | DecryptRequest) -> tuple[int, bytes]:
    if not item.ciphertext:
        raise Refusal(Words(NO_CIPHERTEXT))
    version, blob = parted(item.ciphertext, "ciphertext", undecodable=NOT_BASE64)
    return version or 1, blob


def _reading(op: ops.Decrypt | ops.ReEncrypt) -> Use:
    return SHORT if len(op.ciphertext) < NONCE_BYTES else DECRYPTION


def _decrypt(ref: KeyRef, item: Item | DecryptRequest) -> ops.Decrypt:
    """Raises Refusal."""
    if not item.ciphertext:
        raise Refusal(Words(NO_CIPHERTEXT))
    aad = bound(item.context, item.associated_data)
    version, blob = _taken_apart(item)
    return ops.Decrypt(key=ref, ciphertext=blob, aad=aad, version=version)


def _decrypted(done: ops.Decrypted) -> dict[str, Any]:
    return {"plaintext": base64_of(done.plaintext.reveal())}


@endpoint("transit", Verb.WRITE, "decrypt/{name}")
@asked_first
def decrypt(req: DecryptRequest, call: Call) -> Any:
    ref = key_ref(req.name, call)
    if req.batch_input is None:
        op = single(_decrypt, ref, req)
        with speaking(_reading(op)):
            return _decrypted(call(op))
    found = items(req.batch_input, "ciphertext")
    even(found)
    with speaking(DECRYPTION):
        results = run_each(
            found,
            lambda item: _decrypt(ref, item),
            lambda ready: call(ops.DecryptEach(key=ref, items=ready)),
            _reading,
        )
    told = [_result(done, _decrypted, item.reference, plaintext="") for done, item in zip(results, found, strict=True)]
    return batch(told, [one if isinstance(one, Words) else None for one in results], req.partial_failure_response_code)


class RewrapRequest(Named, frozen=True, kw_only=True):
    ciphertext: str = ""
    context: str = ""
    key_version: Int = 0
    batch_input: Any = None


def _rewrap(ref: KeyRef, item: Item) -> ops.ReEncrypt:
    """Raises Refusal."""
    if not item.ciphertext:
        raise Refusal(Words(NO_CIPHERTEXT))
    aad = bound(item.context, item.associated_data)
    version, blob = _taken_apart(item)
    return ops.ReEncrypt(
        source=ref,
        destination=ref,
        ciphertext=blob,
        source_aad=aad,
        destination_aad=aad,
        source_version=version,
        destination_version=item.key_version,
    )


def _rewrapped(done: ops.ReEncrypted) -> dict[str, Any]:
    return _encrypted(done.destination)


@endpoint("transit", Verb.WRITE, "rewrap/{name}")
@asked_first
def rewrap(req: RewrapRequest, call: Call) -> Any:
    ref = key_ref(req.name, call)
    if req.batch_input is None:
        item = Item(ciphertext=req.ciphertext, context=req.context, key_version=req.key_version)
        op = single(_rewrap, ref, item)
        with speaking(_reading(op)):
            return _rewrapped(call(op))
    found = loose_items(req.batch_input)
    even(found)
    with speaking(DECRYPTION):
        results = run_each(
            found,
            lambda item: _rewrap(ref, item),
            lambda ready: call(ops.ReEncryptEach(key=ref, items=ready)),
            _reading,
        )
    return {
        "batch_results": [_result(done, _rewrapped, item.reference) for done, item in zip(results, found, strict=True)]
    }


OPERATIONS = (encrypt, decrypt, rewrap)
