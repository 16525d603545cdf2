"""TrentService.GenerateMac, VerifyMac.

Spec: KMS API Reference 2014-11-01, "GenerateMac", "VerifyMac"; botocore data/kms/2014-11-01/service-2.json.
A MAC that does not match is an answer to the core, and KMSInvalidMacException to AWS's clients.
"""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.doors.aws_kms.errors import OF_A_KEY, WireFault
from keystead.doors.aws_kms.names import key_arn, key_ref
from keystead.doors.aws_kms.shapes import WORDS, Ciphertext, GrantTokens, KeyId, MacAlgorithm, Plaintext
from keystead.kit import Call, Message, operation


class GenerateMacRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    message: Plaintext
    key_id: KeyId
    mac_algorithm: MacAlgorithm
    grant_tokens: GrantTokens | None = None
    dry_run: bool | None = None


class GenerateMacResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    mac: bytes
    mac_algorithm: str
    key_id: str


@operation("TrentService.GenerateMac", errors=OF_A_KEY)
def generate_mac(req: GenerateMacRequest, call: Call) -> GenerateMacResponse:
    made = call(
        ops.GenerateMac(
            key=key_ref(req.key_id, call.namespace),
            message=req.message,
            algorithm=WORDS[req.mac_algorithm],
            dry_run=bool(req.dry_run),
            grant_tokens=tuple(req.grant_tokens or ()),
        )
    )
    return GenerateMacResponse(
        mac=made.tag,
        mac_algorithm=req.mac_algorithm,
        key_id=key_arn(made.key, call.namespace),
    )


class VerifyMacRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    message: Plaintext
    key_id: KeyId
    mac_algorithm: MacAlgorithm
    mac: Ciphertext
    grant_tokens: GrantTokens | None = None
    dry_run: bool | None = None


class VerifyMacResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: str
    mac_valid: bool
    mac_algorithm: str


@operation("TrentService.VerifyMac", errors=OF_A_KEY | {"KMSInvalidMacException"})
def verify_mac(req: VerifyMacRequest, call: Call) -> VerifyMacResponse:
    checked = call(
        ops.VerifyMac(
            key=key_ref(req.key_id, call.namespace),
            message=req.message,
            tag=req.mac,
            algorithm=WORDS[req.mac_algorithm],
            dry_run=bool(req.dry_run),
            grant_tokens=tuple(req.grant_tokens or ()),
        )
    )
    if not checked.valid:
        raise WireFault("KMSInvalidMacException")
    return VerifyMacResponse(
        key_id=key_arn(checked.key, call.namespace),
        mac_valid=True,
        mac_algorithm=req.mac_algorithm,
    )


OPERATIONS = (generate_mac, verify_mac)
