"""Requests nobody sane would send, signed and all: each gets a well-formed error its operation declares, never a 5xx.

The harness holds every answer to the declared errors. A seed replays its requests.
"""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest

from keystead.doors.aws_kms import DOOR
from keystead.doors.aws_kms.errors import PREFIX

MESSAGES = {op.name.removeprefix(PREFIX): op.request for op in DOOR.operations if op.name.startswith(PREFIX)}
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 7, 90, 2**63, 2**64, -(2**63) - 1, 1.5, 1e308),
    *("", "x", "\0", "\n", "\u00e9", "x" * 9000, "eHg=", "eHg", "default", "alias/a", "alias/aws/a", "alias/"),
    *("AES_256", "HMAC_SHA_256", "ECDSA_SHA_256", "ECDH", "ML_KEM", "RAW", "DIGEST", "Encrypt"),
    *('{"Version":"2012-10-17","Statement":[]}', "arn:aws:iam::111122223333:user/admin", "arn:aws:kms:::"),
    *([], {}, ["x"], ["Encrypt", "Fly"], [None], [{}], [[]], {"a": "b"}, {"a": 1}, {"": ""}),
    *([{"TagKey": "a", "TagValue": "b"}], {"EncryptionContextEquals": {"a": "b"}}, ["IGNORE_CIPHERTEXT"]),
)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_sent_is_answered_in_aws_words(shared, seed) -> None:
    chance = random.Random(seed)
    keys = [shared.key(spec).id for spec in ("SYMMETRIC_DEFAULT", "HMAC_256", "ECC_NIST_P256", "ML_KEM_768")]
    for n in range(500):
        operation = chance.choice(sorted(MESSAGES))
        body = {
            field.encode_name: chance.choice(VALUES)
            for field in msgspec.structs.fields(MESSAGES[operation])
            if chance.random() < 0.8
        }
        if "KeyId" in body and chance.random() < 0.7:
            body["KeyId"] = chance.choice(keys)
        reply = shared.admin.post(operation, json.dumps(body).encode())
        assert reply.status in (200, 400), (seed, n, operation, body)
        if reply.status == 400:
            assert reply.code.isalnum() and (reply.message is None or len(reply.message) < 40_000)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_bytes_are(shared, seed) -> None:
    chance = random.Random(seed)
    good = b'{"KeyId":"alias/a","Plaintext":"eHg=","EncryptionContext":{"a":"b"},"DryRun":true}'
    for n in range(250):
        body = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(body) + 1)
            body[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        reply = shared.admin.post("Encrypt", bytes(body))
        assert reply.status == 400, (seed, n, bytes(body))
