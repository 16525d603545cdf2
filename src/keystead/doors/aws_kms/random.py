"""TrentService.GenerateRandom.

Spec: KMS API Reference 2014-11-01, "GenerateRandom"; botocore data/kms/2014-11-01/service-2.json.
"""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.errors import InvalidArgument
from keystead.core.operations import KeyringRef, KeyStoreRef
from keystead.core.sensitive import Sensitive
from keystead.doors.aws_kms.errors import COMMON
from keystead.doors.aws_kms.shapes import KeyStoreId, NumberOfBytes, Recipient, no_recipient
from keystead.kit import Call, Message, operation


class GenerateRandomRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    number_of_bytes: NumberOfBytes | None = None
    custom_key_store_id: KeyStoreId | None = None
    recipient: Recipient | None = None


class GenerateRandomResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    plaintext: Sensitive
    ciphertext_for_recipient: bytes | None = None


@operation(
    "TrentService.GenerateRandom",
    errors=COMMON | {"CustomKeyStoreNotFoundException", "CustomKeyStoreInvalidStateException"},
)
def generate_random(req: GenerateRandomRequest, call: Call) -> GenerateRandomResponse:
    no_recipient(req.recipient)
    if req.number_of_bytes is None:  # the model has it optional; AWS does not
        raise InvalidArgument("NumberOfBytes is required.", "NumberOfBytes")
    store_id = req.custom_key_store_id
    drawn = call(
        ops.GenerateRandom(
            keyring=KeyringRef(call.namespace),
            n_bytes=req.number_of_bytes,
            store=KeyStoreRef(call.namespace, store_id) if store_id is not None else None,
        )
    )
    return GenerateRandomResponse(plaintext=drawn)


OPERATIONS = (generate_random,)
