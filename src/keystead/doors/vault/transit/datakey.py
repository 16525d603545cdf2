"""datakey: fresh keys for use elsewhere."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from keystead.core import operations as ops
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.transit.cipher import text_of
from keystead.doors.vault.transit.items import bound, decoded, single
from keystead.doors.vault.transit.names import key_ref
from keystead.doors.vault.transit.words import WRAPPING, Named, asked_first, speaking
from keystead.kit import Call
from keystead.wire.vault.kinds import Int
from keystead.wire.vault.reader import CAPTURED
from keystead.wire.vault.request import Verb

BITS = frozenset({128, 256, 512})


class DataKeyRequest(Named, frozen=True, kw_only=True):
    plaintext: str = CAPTURED
    context: str = ""
    associated_data: str = ""
    bits: Int = 256
    key_version: Int = 0


@endpoint("transit", Verb.WRITE, "datakey/{plaintext}/{name}")
@asked_first
def generate(req: DataKeyRequest, call: Call) -> dict[str, Any]:
    """`plaintext`: "plaintext" to be shown it, "wrapped" not to."""
    ref = key_ref(req.name, call)
    if req.plaintext not in {"plaintext", "wrapped"}:
        raise Said(400, "Invalid path, must be 'plaintext' or 'wrapped'")
    single(lambda: decoded(req.context, instead="failed to base64-decode context"))
    aad = single(bound, req.context, req.associated_data)
    is_shown = req.plaintext == "plaintext"
    with speaking(WRAPPING):
        if req.bits not in BITS:
            call(ops.DescribeKey(key=ref))  # that the key is not there goes before
            raise Said(400, "invalid bit length")
        kind = ops.GenerateDataKey if is_shown else ops.GenerateDataKeyBlind
        done = call(
            kind(
                key=ref,
                aad=aad,
                n_bytes=req.bits // 8,
                version=req.key_version,
                by_any=True,
            )
        )
    data: dict[str, Any] = {"ciphertext": text_of(done.version, done.ciphertext), "key_version": done.version}
    if is_shown:
        data["plaintext"] = b64encode(done.plaintext.reveal()).decode()
    return data


OPERATIONS = (generate,)
