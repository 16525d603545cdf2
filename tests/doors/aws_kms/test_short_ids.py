"""The key ID of another account's key, where a ciphertext names the same: KMS API Reference, Decrypt, ReEncrypt,
"Cross-account use": a short key ID "is also acceptable when decrypting symmetric ciphertexts".
"""

from __future__ import annotations

import pytest
from tests import harness
from tests.doors.aws_kms.managing import ROOT_MAY, allow, policy, root
from tests.harness import OTHER_REGION, OTHER_TENANT, b64

from keystead.core.algorithms import Purpose

DATA = b"attack at dawn"
ABSENT = "00000000-0000-4000-8000-000000000000"
HIDDEN = (
    "AccessDeniedException",
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
    "or you are not allowed to access.",
)
OPEN = policy(ROOT_MAY, allow("kms:*", principal=root(OTHER_TENANT)))


@pytest.fixture
def eve(stack):
    """Somebody of another account."""
    stack.keyring()
    return stack.user("eve", harness.ALLOW_ALL, tenant=OTHER_TENANT)


def encrypted(stack, key_id, **members) -> str:
    return stack.admin.call("Encrypt", KeyId=key_id, Plaintext=DATA, **members).json["CiphertextBlob"]


def test_it_is_taken_where_a_symmetric_ciphertext_names_the_same_key(stack, eve) -> None:
    key = stack.key(policy=OPEN)
    blob = encrypted(stack, key.id)
    opened = eve.call("Decrypt", CiphertextBlob=blob, KeyId=key.id)
    assert (opened.json["Plaintext"], opened.json["KeyId"]) == (b64(DATA), stack.arn(key))
    own = eve.call("CreateKey").json["KeyMetadata"]["KeyId"]
    moved = eve.call("ReEncrypt", CiphertextBlob=blob, SourceKeyId=key.id, DestinationKeyId=own)
    assert moved.json["SourceKeyId"] == stack.arn(key)
    back = eve.call("ReEncrypt", CiphertextBlob=moved.json["CiphertextBlob"], DestinationKeyId=key.id)
    assert back.code == "NotFoundException"  # the ciphertext names no destination


def test_a_multi_region_key_is_named_as_it_is_written(stack, eve) -> None:
    """Its id in a ciphertext looks like any other, and only looks so."""
    key_id = stack.admin.call("CreateKey", MultiRegion=True, Policy=OPEN).json["KeyMetadata"]["KeyId"]
    blob = encrypted(stack, key_id)
    assert eve.call("Decrypt", CiphertextBlob=blob, KeyId=key_id).json["Plaintext"] == b64(DATA)
    text = key_id.removeprefix("mrk-")
    uuid = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    for who in (stack.admin, eve):
        reply = who.call("Decrypt", CiphertextBlob=blob, KeyId=uuid)
        assert (reply.code, reply.message) == HIDDEN


def test_a_forbidden_one_and_an_absent_one_are_told_alike(stack, eve) -> None:
    key = stack.key()
    blob = encrypted(stack, key.id)
    other = harness.stack(seed=7)
    foreign = other.key()
    for key_id, named in ((key.id, blob), (foreign.id, encrypted(other, foreign.id))):
        for reply in (
            eve.call("Decrypt", CiphertextBlob=named, KeyId=key_id),
            eve.call("ReEncrypt", CiphertextBlob=named, SourceKeyId=key_id, DestinationKeyId=key_id),
        ):
            assert (reply.code, reply.message) == HIDDEN


def test_what_no_ciphertext_names_is_not_there(stack, eve) -> None:
    key, other = stack.key(policy=OPEN), stack.key(policy=OPEN)
    blob = encrypted(stack, key.id)
    for key_id in (other.id, ABSENT):
        reply = eve.call("Decrypt", CiphertextBlob=blob, KeyId=key_id)
        arn = f"arn:aws:kms:{harness.REGION}:{OTHER_TENANT}:key/{key_id}"
        assert (reply.code, reply.message) == ("NotFoundException", f"Key '{arn}' does not exist")
    blind = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    assert eve.call("Decrypt", CiphertextBlob=blob, KeyId=key.id, **blind).code == "NotFoundException"
    rsa = stack.key("RSA_2048", Purpose.CIPHER, policy=OPEN)
    how = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    reply = eve.call("Decrypt", CiphertextBlob=encrypted(stack, rsa.id, **how), KeyId=rsa.id, **how)
    assert reply.code == "NotFoundException"


def test_a_refusal_of_ones_own_account_says_what_it_lacks(stack) -> None:
    key, alice = stack.key(), stack.user("alice")
    reply = alice.call("Decrypt", CiphertextBlob=encrypted(stack, key.id), KeyId=key.id)
    assert reply.code == "AccessDeniedException"
    assert reply.message.startswith(
        f"User: {alice.arn} is not authorized to perform: kms:Decrypt on resource: {stack.arn(key)}"
    )


def test_a_key_of_another_region_is_not_in_this_one(stack) -> None:
    stack.keyring(harness.TENANT, OTHER_REGION)
    key = stack.key()
    reply = stack.admin.call("Decrypt", region=OTHER_REGION, CiphertextBlob=encrypted(stack, key.id), KeyId=key.id)
    assert (reply.code, reply.message) == HIDDEN
