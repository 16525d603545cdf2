"""GenerateMac, VerifyMac. KMS API Reference, under these names; Developer Guide, "HMAC keys in AWS KMS"."""

from __future__ import annotations

import pytest

from keystead.core.algorithms import KEY_SPECS, Purpose

MESSAGE = b"attack at dawn"
SPECS = [spec for spec in KEY_SPECS.values() if spec.purposes == (Purpose.MAC,)]


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_a_mac_verifies_and_nothing_else_does(stack, spec) -> None:
    key = stack.key(spec.aws)
    (algorithm,) = spec.algorithms_for(Purpose.MAC)
    asked = {"KeyId": key.id, "Message": MESSAGE, "MacAlgorithm": algorithm.aws}
    made = stack.admin.call("GenerateMac", **asked).json
    assert (made["KeyId"], made["MacAlgorithm"]) == (stack.arn(key), algorithm.aws)
    verified = stack.admin.call("VerifyMac", Mac=made["Mac"], **asked)
    assert verified.json == {"KeyId": stack.arn(key), "MacValid": True, "MacAlgorithm": algorithm.aws}
    refused = stack.admin.call("VerifyMac", Mac=made["Mac"], **(asked | {"Message": b"another"}))
    assert (refused.code, refused.message) == ("KMSInvalidMacException", None)


@pytest.mark.parametrize("operation", ["GenerateMac", "VerifyMac"])
def test_an_algorithm_of_another_key_spec(stack, operation) -> None:
    members = {"KeyId": stack.key("HMAC_224").id, "Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}
    reply = stack.admin.call(operation, **members, **({"Mac": b"x"} if operation == "VerifyMac" else {}))
    assert (reply.code, reply.message) == (
        "InvalidKeyUsageException",
        "Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_224.",
    )


def test_a_key_of_another_usage(stack) -> None:
    key = stack.key()
    reply = stack.admin.call("GenerateMac", KeyId=key.id, Message=MESSAGE, MacAlgorithm="HMAC_SHA_256")
    assert (reply.code, reply.message) == (
        "InvalidKeyUsageException",
        f"{stack.arn(key)} key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac.",
    )


def test_dry_runs(stack) -> None:
    members = {"KeyId": stack.key("HMAC_256").id, "Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}
    assert stack.admin.call("GenerateMac", DryRun=True, **members).code == "DryRunOperationException"
    mac = stack.admin.call("GenerateMac", **members).json["Mac"]
    assert stack.admin.call("VerifyMac", Mac=mac, DryRun=True, **members).code == "DryRunOperationException"
    other = members | {"Message": b"another"}
    reply = stack.admin.call("VerifyMac", Mac=mac, DryRun=True, **other)  # "would have succeeded" would be untrue
    assert (reply.code, reply.message) == ("KMSInvalidMacException", None)
