"""Every operation that uses a key, in every key state. Developer Guide, "Key states of AWS KMS keys", its table.

In that table every cryptographic operation and GetPublicKey fail alike:
  [1] DisabledException: <key ARN> is disabled.      [3] KMSInvalidStateException: <key ARN> is pending deletion.
  [5] KMSInvalidStateException: <key ARN> is pending import.
A key that has been deleted does not exist any more.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace
from tests import harness

from keystead.core.algorithms import Purpose
from keystead.core.entities import KeyVersion, Origin
from keystead.core.states import KeyState, Lifecycle
from keystead.doors.aws_kms import DOOR
from keystead.doors.aws_kms.errors import OF_A_KEY, PREFIX

PEER = (
    ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)
DATA = b"attack at dawn"
CURVE, MAC, KEM = ("ECC_NIST_P256", Purpose.SIGNATURE), ("HMAC_256", None), ("ML_KEM_768", None)
AES, AGREEMENT = ("SYMMETRIC_DEFAULT", None), ("ECC_NIST_P256", Purpose.AGREEMENT)
SIGNED = {"Message": DATA, "SigningAlgorithm": "ECDSA_SHA_256"}
TAGGED = {"Message": DATA, "MacAlgorithm": "HMAC_SHA_256"}
SHARED = {"EncapsulationAlgorithm": "ML_KEM"}

# operation -> (key spec and purpose, what must have been made while the key was good, members)
USES = {
    "Encrypt": (AES, {}, {"Plaintext": DATA}),
    "Decrypt": (AES, {"CiphertextBlob": ("Encrypt", {"Plaintext": DATA})}, {}),
    "GenerateDataKey": (AES, {}, {"KeySpec": "AES_256"}),
    "GenerateDataKeyWithoutPlaintext": (AES, {}, {"KeySpec": "AES_256"}),
    "GenerateDataKeyPair": (AES, {}, {"KeyPairSpec": "ECC_NIST_P256"}),
    "GenerateDataKeyPairWithoutPlaintext": (AES, {}, {"KeyPairSpec": "ECC_NIST_P256"}),
    "Sign": (CURVE, {}, SIGNED),
    "Verify": (CURVE, {"Signature": ("Sign", SIGNED)}, SIGNED),
    "GetPublicKey": (CURVE, {}, {}),
    "GenerateMac": (MAC, {}, TAGGED),
    "VerifyMac": (MAC, {"Mac": ("GenerateMac", TAGGED)}, TAGGED),
    "DeriveSharedSecret": (AGREEMENT, {}, {"KeyAgreementAlgorithm": "ECDH", "PublicKey": PEER}),
    "Encapsulate": (KEM, {}, SHARED),
    "Decapsulate": (KEM, {"SharedSecretCiphertextBlob": ("Encapsulate", SHARED)}, SHARED),
}


def disabled(key, now):
    return {"lifecycle": Lifecycle(state=KeyState.SUSPENDED, since=now)}


def pending_deletion(key, now):
    return {"lifecycle": Lifecycle(state=KeyState.SUSPENDED, since=now, destroy_at=now + timedelta(days=7))}


def pending_replica_deletion(key, now):
    """Of a primary key: the waiting period has not begun."""
    return {"lifecycle": Lifecycle(state=KeyState.SUSPENDED, since=now, destroy_in_days=7)}


def pending_import(key, now):
    return {
        "lifecycle": Lifecycle(state=KeyState.PRE_ACTIVE, since=now),
        "origin": Origin.EXTERNAL,
        "n_versions": 0,
    }


def import_and_deletion_pending(key, now):
    """AWS: "pending deletion" stands before "pending import"."""
    return pending_import(key, now) | {
        "lifecycle": Lifecycle(state=KeyState.PRE_ACTIVE, since=now, destroy_at=now + timedelta(days=7))
    }


def deleted(key, now):
    return {"lifecycle": Lifecycle(state=KeyState.DESTROYED, since=now)}


def due_for_deletion(key, now):
    """The date has come, and no sweeper has run yet."""
    return {"lifecycle": Lifecycle(state=KeyState.SUSPENDED, since=now, destroy_at=now)}


STATES = {
    "Enabled": (lambda key, now: {}, None, ""),
    "Disabled": (disabled, "DisabledException", "{} is disabled."),
    "PendingDeletion": (pending_deletion, "KMSInvalidStateException", "{} is pending deletion."),
    "PendingReplicaDeletion": (
        pending_replica_deletion,
        "KMSInvalidStateException",
        "{} is pending deletion.",
    ),
    "PendingImport": (pending_import, "KMSInvalidStateException", "{} is pending import."),
    "PendingImport and PendingDeletion": (
        import_and_deletion_pending,
        "KMSInvalidStateException",
        "{} is pending deletion.",
    ),
    "deleted": (deleted, "NotFoundException", "Key '{}' does not exist"),
    "due for deletion": (due_for_deletion, "NotFoundException", "Key '{}' does not exist"),
}


def prepared(stack, operation):
    """A key, and the members of a request that it would answer."""
    kind, made_before, members = USES[operation]
    key = stack.key(*kind)
    members = {"KeyId": key.id, **members}
    for name, (other, others) in made_before.items():
        members[name] = stack.admin.call(other, KeyId=key.id, **others).json[name]
    return key, members


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("operation", USES)
def test_every_operation_in_every_state(stack, operation, state) -> None:
    change, code, words = STATES[state]
    key, members = prepared(stack, operation)
    if fields := change(key, stack.clock.now()):
        stack.change(key, **fields)
    for dry in ({}, {"DryRun": True}) if operation != "GetPublicKey" else ({},):
        reply = stack.admin.call(operation, **members, **dry)
        if code is None:
            assert reply.code == ("DryRunOperationException" if dry else None)
        else:
            assert (reply.code, reply.message) == (code, words.format(stack.arn(key)))
            assert stack.record().outcome == "refused: WrongState"
            assert stack.record().targets[0].key == key.id


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("which", ["source", "destination"])
def test_re_encrypt_needs_both_keys_fit(stack, state, which) -> None:
    change, code, words = STATES[state]
    source, destination = stack.key(), stack.key()
    blob = stack.admin.call("Encrypt", KeyId=source.id, Plaintext=DATA).json["CiphertextBlob"]
    key = source if which == "source" else destination
    if fields := change(key, stack.clock.now()):
        stack.change(key, **fields)
    reply = stack.admin.call("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=destination.id)
    assert reply.code == code
    if code is not None:
        assert reply.message == words.format(stack.arn(key))


@pytest.mark.parametrize("operation", USES)
def test_material_that_has_expired_is_waited_for_again(stack, operation) -> None:
    """Developer Guide, "Importing key material": expired material is deleted, and the key is pending import."""
    key, members = prepared(stack, operation)
    version = stack.barrier.get(KeyVersion, f"{key.id}/1")
    stack.put(replace(version, expires_at=stack.clock.now() + timedelta(days=1)), stack.stored(key))
    assert stack.admin.call(operation, **members).status == 200
    stack.clock.forward(timedelta(days=1))
    reply = stack.admin.call(operation, **members)
    assert (reply.code, reply.message) == ("KMSInvalidStateException", f"{stack.arn(key)} is pending import.")


def test_usage_is_looked_at_before_state(stack) -> None:
    """Order of checks: usage and algorithm, then state, then cryptography (research/aws.md §5)."""
    key = stack.key("HMAC_256")
    stack.change(key, **disabled(key, stack.clock.now()))
    assert stack.admin.call("Encrypt", KeyId=key.id, Plaintext=DATA).code == "InvalidKeyUsageException"
    key = stack.key()
    stack.change(key, **disabled(key, stack.clock.now()))
    reply = stack.admin.call("Encrypt", KeyId=key.id, Plaintext=DATA, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    assert reply.code == "InvalidKeyUsageException"


def test_state_is_looked_at_before_cryptography(stack) -> None:
    key = stack.key()
    stack.change(key, **disabled(key, stack.clock.now()))
    assert stack.admin.call("Decrypt", KeyId=key.id, CiphertextBlob=b"garbage").code == "DisabledException"


def test_the_right_is_looked_at_before_state(stack) -> None:
    key = stack.key()
    stack.change(key, **disabled(key, stack.clock.now()))
    reply = stack.user("stranger").call("Encrypt", KeyId=key.id, Plaintext=DATA)
    assert reply.code == "AccessDeniedException"


def test_row_100_disabled_is_not_destroyed(stack) -> None:
    key = stack.key()
    blob = stack.admin.call("Encrypt", KeyId=key.id, Plaintext=DATA).json["CiphertextBlob"]
    stack.change(key, **disabled(key, stack.clock.now()))
    assert stack.admin.call("Decrypt", CiphertextBlob=blob).code == "DisabledException"
    stack.change(key, lifecycle=Lifecycle(state=KeyState.ACTIVE, since=stack.clock.now()))
    assert stack.admin.call("Decrypt", CiphertextBlob=blob).json["Plaintext"] == harness.b64(DATA)


def test_every_operation_that_uses_a_key_is_in_the_table() -> None:
    uses = {op.name.removeprefix(PREFIX) for op in DOOR.operations if "InvalidKeyUsageException" in op.errors}
    assert uses >= set(USES)
    assert {name for name in uses if name not in USES} == {"ReEncrypt"}
    assert all(OF_A_KEY - {"DryRunOperationException"} <= op.errors for op in DOOR.operations if op.name[13:] in USES)
