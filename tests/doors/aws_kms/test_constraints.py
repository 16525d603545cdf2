"""The words of ValidationException. LocalStack's recordings of AWS (SPEC.md); Smithy, "Constraint traits"."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta
from tests.harness import b64

from keystead.doors.aws_kms.constraints import complaint
from keystead.doors.aws_kms.encrypt import DecryptRequest, EncryptRequest
from keystead.doors.aws_kms.random import GenerateRandomRequest
from keystead.doors.aws_kms.shapes import matching
from keystead.kit import Message

ONE = "1 validation error detected: {} failed to satisfy constraint: {}"


class Tag(Message, frozen=True, kw_only=True, rename="pascal"):
    tag_key: Annotated[str, Meta(min_length=1, max_length=4)]


class Request(Message, frozen=True, kw_only=True, rename="pascal"):
    name: Annotated[str, Meta(pattern=matching("^[a-z]+$"))] | None = None
    tags: Annotated[list[Tag], Meta(max_length=2)] | None = None
    operations: list[Literal["Encrypt", "Decrypt"]] | None = None
    facts: dict[str, Annotated[str, Meta(max_length=2)]] | None = None


@pytest.mark.parametrize(
    ("message", "members", "words"),
    [
        (EncryptRequest, {"KeyId": "k"}, ONE.format("Value at 'plaintext'", "Member must not be null")),
        (
            EncryptRequest,
            {"KeyId": None, "Plaintext": "eA=="},
            ONE.format("Value null at 'keyId'", "Member must not be null"),
        ),
        (
            EncryptRequest,
            {"KeyId": "", "Plaintext": "eA=="},
            ONE.format("Value '' at 'keyId'", "Member must have length greater than or equal to 1"),
        ),
        (
            EncryptRequest,
            {"KeyId": "k", "Plaintext": b64(bytes(4097))},
            ONE.format("Value at 'plaintext'", "Member must have length less than or equal to 4096"),
        ),
        (
            GenerateRandomRequest,
            {"NumberOfBytes": 1025},
            ONE.format("Value '1025' at 'numberOfBytes'", "Member must have value less than or equal to 1024"),
        ),
        (
            Request,
            {"Name": "A"},
            ONE.format("Value 'A' at 'name'", "Member must satisfy regular expression pattern: ^[a-z]+$"),
        ),
        (
            Request,
            {"Tags": [{"TagKey": "ok"}, {"TagKey": "too long"}]},
            ONE.format("Value 'too long' at 'tags.2.member.tagKey'", "Member must have length less than or equal to 4"),
        ),
        (
            Request,
            {"Operations": ["Encrypt", "Fly"]},
            ONE.format(
                "Value '[Encrypt, Fly]' at 'operations'",
                "Member must satisfy constraint: [Member must satisfy enum value set: [Decrypt, Encrypt]]",
            ),
        ),
        (
            Request,
            {"Facts": {"a": "long"}},
            ONE.format(
                "Value at 'facts'",
                "Member must satisfy constraint: [Member must have length less than or equal to 2]",
            ),
        ),
    ],
)
def test_one_error(message, members, words) -> None:
    body = msgspec.json.encode(members)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=message)
    assert complaint(message, body) == words


def test_several_errors_are_counted_and_joined() -> None:
    body = b'{"Plaintext":"","EncryptionAlgorithm":"ROT13"}'
    assert complaint(EncryptRequest, body) == (
        "3 validation errors detected: "
        "Value null at 'keyId' failed to satisfy constraint: Member must not be null; "
        "Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1; "
        "Value 'ROT13' at 'encryptionAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: "
        "[RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE, SYMMETRIC_DEFAULT]"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"x"',
        b'{"KeyId":1,"Plaintext":"eA=="}',
        b'{"KeyId":"k","Plaintext":1}',
        b'{"KeyId":"k","Plaintext":"no base64"}',
        b'{"KeyId":"k","Plaintext":"eA"}',
        b'{"KeyId":"k","Plaintext":"eA==","DryRun":"yes"}',
        b'{"KeyId":"k","Plaintext":"eA==","EncryptionContext":[]}',
        b'{"KeyId":"k","Plaintext":"eA==","EncryptionContext":{"a":null}}',
        b'{"KeyId":"k","Plaintext":"eA==","GrantTokens":"t"}',
        b"{",
    ],
)
def test_another_type_is_no_constraint_but_no_message_at_all(stack, body) -> None:
    assert complaint(EncryptRequest, body) is None
    reply = stack.admin.post("Encrypt", body)
    assert (reply.status, reply.code, reply.message) == (400, "SerializationException", None)
    assert stack.record().outcome == "refused: Malformed"


@pytest.mark.parametrize("members", [{"GrantTokens": ["secret-token"] * 11}, {"GrantTokens": ["secret-token" * 1000]}])
def test_a_grant_token_and_bytes_are_never_shown(members) -> None:
    secret = b64(b"secret" * 2000)
    words = complaint(DecryptRequest, msgspec.json.encode({"CiphertextBlob": secret, **members}))
    assert words.startswith("2 validation errors detected: Value at 'ciphertextBlob'")
    assert "Value at 'grantTokens'" in words
    assert "secret" not in words and secret[:16] not in words


def test_members_nobody_knows_are_passed_over(stack) -> None:
    body = b'{"NumberOfBytes":1,"FromTheFuture":{"a":[1]}}'
    assert stack.admin.post("GenerateRandom", body).status == 200
