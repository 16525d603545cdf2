"""KMS API Reference: GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial; Developer Guide, "Importing
key material". "ls": recorded from AWS in LocalStack's test_kms.snapshot.json (SPEC.md).
"""

from __future__ import annotations

from base64 import b64decode
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.doors.aws_kms.managing import allow, ask, made, policy, scheduled, wait
from tests.doors.aws_kms.wrapped import AGAIN, FOR_EVER, NEW, importing, parameters, wrap
from tests.harness import b64, stack

from keystead.core.entities import Key, KeyVersion
from keystead.core.states import KeyState

SECRET, OTHER, THIRD = (bytes([n]) * 16 + bytes(range(16)) for n in (1, 2, 3))
PLAIN = b64(b"attack at dawn")
OAEP, HYBRID = "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_256"


def pkcs8(key) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


RSA_2048, RSA_3072 = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 3072)
P256, P521 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP521R1())


@pytest.fixture
def office():
    return stack()


@pytest.fixture
def admin(office):
    return office.admin


@pytest.fixture
def key_id(admin):
    """A key that waits for its first material."""
    return made(admin, Origin="EXTERNAL")


def arn(office, key_id):
    return f"arn:aws:kms:us-east-1:111122223333:key/{key_id}"


def described(admin, key_id):
    return ask(admin, "DescribeKey", KeyId=key_id)["KeyMetadata"]


def listed(admin, key_id):
    return ask(admin, "ListKeyRotations", KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]


def came(reply):
    """The id of the material that came in."""
    assert reply.status == 200, (reply.code, reply.message)
    return reply.json["KeyMaterialId"]


def encrypted(admin, key_id):
    return ask(admin, "Encrypt", KeyId=key_id, Plaintext=PLAIN)["CiphertextBlob"]


def opens(admin, blob):
    reply = admin.call("Decrypt", CiphertextBlob=blob)
    return reply.code or reply.json["Plaintext"] == PLAIN


# --- a key's way


def test_a_key_waits_takes_its_material_loses_it_and_takes_it_again(office, admin, key_id) -> None:
    """ls, test_import_key_symmetric: the members of DescribeKey before, after, and without the material."""
    before = described(admin, key_id)
    assert (before["KeyState"], before["Enabled"], before["Origin"]) == ("PendingImport", False, "EXTERNAL")
    assert not {"ExpirationModel", "ValidTo", "CurrentKeyMaterialId"} & set(before)
    assert listed(admin, key_id) == []
    waits = ("KMSInvalidStateException", f"{arn(office, key_id)} is pending import.")
    reply = admin.call("Encrypt", KeyId=key_id, Plaintext=PLAIN)
    assert (reply.code, reply.message) == waits

    reply = importing(admin, key_id, SECRET)
    material = came(reply)
    assert reply.json == {"KeyId": arn(office, key_id), "KeyMaterialId": material} and len(material) == 64
    after = described(admin, key_id)
    assert after == before | {
        "Enabled": True,
        "KeyState": "Enabled",
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        "CurrentKeyMaterialId": material,
    }
    blob = encrypted(admin, key_id)
    assert ask(admin, "Decrypt", CiphertextBlob=blob)["KeyMaterialId"] == material

    gone = ask(admin, "DeleteImportedKeyMaterial", KeyId=key_id)
    assert gone == {"KeyId": arn(office, key_id), "KeyMaterialId": material}
    assert described(admin, key_id) == before | {"CurrentKeyMaterialId": material}
    reply = admin.call("Decrypt", CiphertextBlob=blob)
    assert (reply.code, reply.message) == waits
    assert office.barrier.get(KeyVersion, f"{key_id}/1").wrapped == b""
    assert ask(admin, "DeleteImportedKeyMaterial", KeyId=key_id) == gone  # "(No effect)"

    assert came(importing(admin, key_id, SECRET)) == material
    assert described(admin, key_id) == after
    assert opens(admin, blob) is True


def test_material_is_imported_where_none_has_come_and_deleted_without_effect(admin, key_id) -> None:
    assert "KeyMaterialId" not in ask(admin, "DeleteImportedKeyMaterial", KeyId=key_id)
    assert described(admin, key_id)["KeyState"] == "PendingImport"


def test_only_the_same_material_comes_back(admin, key_id) -> None:
    """ "…reimport the same key material"; IncorrectKeyMaterialException."""
    came(importing(admin, key_id, SECRET))
    for _ in range(2):  # while it is there, and once it is gone
        for members in ({}, AGAIN):
            assert importing(admin, key_id, OTHER, **members).code == "IncorrectKeyMaterialException"
        assert importing(admin, key_id, SECRET, **NEW).code == "IncorrectKeyMaterialException"
        ask(admin, "DeleteImportedKeyMaterial", KeyId=key_id)
    assert importing(admin, key_id, SECRET, **AGAIN).status == 200


def test_a_named_material_is_the_one_named(admin, key_id) -> None:
    """KeyMaterialId: "Matches the computed identifier against the specified key material ID"."""
    material = came(importing(admin, key_id, SECRET))
    assert importing(admin, key_id, SECRET, KeyMaterialId=material).status == 200
    assert importing(admin, key_id, SECRET, KeyMaterialId="0" * 64).code == "IncorrectKeyMaterialException"
    reply = importing(admin, key_id, OTHER, KeyMaterialId=material, **NEW)
    assert reply.code == "ValidationException"
    assert admin.call("DeleteImportedKeyMaterial", KeyId=key_id, KeyMaterialId="0" * 64).code == "NotFoundException"


def test_the_first_material_is_no_existing_one(admin, key_id) -> None:
    assert importing(admin, key_id, SECRET, **AGAIN).code == "IncorrectKeyMaterialException"
    assert importing(admin, key_id, SECRET, **NEW).status == 200


def test_two_keys_of_one_material_have_two_identifiers_and_cannot_read_each_other(admin) -> None:
    """ "based on the KMS key ID and the imported key material"."""
    one, two = made(admin, Origin="EXTERNAL"), made(admin, Origin="EXTERNAL")
    assert came(importing(admin, one, SECRET)) != came(importing(admin, two, SECRET))
    assert admin.call("Decrypt", CiphertextBlob=encrypted(admin, one), KeyId=two).code == "IncorrectKeyException"


def test_a_disabled_key_stays_disabled_and_a_doomed_one_takes_nothing(office, admin, key_id) -> None:
    came(importing(admin, key_id, SECRET))
    ask(admin, "DisableKey", KeyId=key_id)
    came(importing(admin, key_id, SECRET))
    assert described(admin, key_id)["KeyState"] == "Disabled"
    ticket = parameters(admin, key_id)
    ask(admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    pending = ("KMSInvalidStateException", f"{arn(office, key_id)} is pending deletion.")
    for reply in (
        importing(admin, key_id, SECRET, given=ticket),
        admin.call("GetParametersForImport", KeyId=key_id, WrappingAlgorithm=OAEP, WrappingKeySpec="RSA_2048"),
    ):
        assert (reply.code, reply.message) == pending
    assert described(admin, key_id)["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    # "When the specified KMS key is in the PendingDeletion state, this operation does not change the key state."
    ask(admin, "DeleteImportedKeyMaterial", KeyId=key_id)
    assert described(admin, key_id)["KeyState"] == "PendingDeletion"
    ask(admin, "CancelKeyDeletion", KeyId=key_id)
    assert described(admin, key_id)["KeyState"] == "PendingImport"
    came(importing(admin, key_id, SECRET))
    assert described(admin, key_id)["KeyState"] == "Enabled"


@pytest.mark.parametrize("state", [KeyState.COMPROMISED, KeyState.DEACTIVATED])
def test_what_is_over_does_not_begin_again_with_its_material(office, admin, key_id, state) -> None:
    """SP 800-57pt1r5 §7.4, §7.5: no way leads back. Only another protocol brings a key there."""
    came(importing(admin, key_id, SECRET))
    blob, key = encrypted(admin, key_id), office.barrier.get(Key, key_id)
    office.change(key, lifecycle=replace(key.lifecycle, state=state))
    ask(admin, "DeleteImportedKeyMaterial", KeyId=key_id)
    for _ in range(2):
        assert described(admin, key_id)["KeyState"] == "Disabled"
        assert admin.call("Encrypt", KeyId=key_id, Plaintext=PLAIN).code == "KMSInvalidStateException"
        assert opens(admin, blob) == "KMSInvalidStateException" or state is KeyState.DEACTIVATED
        came(importing(admin, key_id, SECRET))
    assert office.barrier.get(Key, key_id).lifecycle.state is state


@pytest.mark.parametrize("with_material", [True, False])
def test_a_key_is_destroyed_with_material_and_without(office, admin, key_id, with_material) -> None:
    if with_material:
        came(importing(admin, key_id, SECRET))
    ask(admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    assert wait(office, days=7) == 1
    assert admin.call("DescribeKey", KeyId=key_id).code == "NotFoundException"
    assert not any(version.wrapped for version in office.barrier.children(KeyVersion, key_id))


# --- expiry


def test_material_expires_to_the_second_whether_or_not_anybody_sweeps(office, admin, key_id) -> None:
    until = office.clock.now() + timedelta(days=2)
    came(importing(admin, key_id, SECRET, ValidTo=until.timestamp()))
    metadata = described(admin, key_id)
    assert (metadata["ExpirationModel"], metadata["ValidTo"]) == ("KEY_MATERIAL_EXPIRES", until.timestamp())
    blob, clockwork = encrypted(admin, key_id), scheduled(office)
    assert wait(office, clockwork, days=2, seconds=-1) == 0
    assert opens(admin, blob) is True
    office.clock.forward(timedelta(seconds=1))
    waits = ("KMSInvalidStateException", f"{arn(office, key_id)} is pending import.")
    for swept in (0, 1):
        for operation, members in (("Decrypt", {"CiphertextBlob": blob}), ("Encrypt", {"Plaintext": PLAIN})):
            reply = admin.call(operation, KeyId=key_id, **members)
            assert (reply.code, reply.message) == waits
        for operation in ("DisableKey", "EnableKey", "RotateKeyOnDemand"):
            assert admin.call(operation, KeyId=key_id).message == waits[1]
        metadata = described(admin, key_id)
        assert metadata["KeyState"] == "PendingImport" and "ValidTo" not in metadata
        assert listed(admin, key_id)[0]["ImportState"] == "PENDING_IMPORT"
        assert bool(office.barrier.get(KeyVersion, f"{key_id}/1").wrapped) is not bool(swept)
        assert clockwork.step() == 1 - swept
    came(importing(admin, key_id, SECRET))
    assert opens(admin, blob) is True
    assert described(admin, key_id)["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"


def test_expiry_is_moved_by_importing_again(office, admin, key_id) -> None:
    """ "Each time you reimport, you can eliminate or reset the expiration time." """
    now, clockwork = office.clock.now(), scheduled(office)
    came(importing(admin, key_id, SECRET, ValidTo=(now + timedelta(days=1)).timestamp()))
    came(importing(admin, key_id, SECRET, ValidTo=(now + timedelta(days=9)).timestamp()))
    assert wait(office, clockwork, days=2) == 0
    blob = encrypted(admin, key_id)
    office.clock.forward(timedelta(days=7))  # expired, and not swept
    assert opens(admin, blob) == "KMSInvalidStateException"
    came(importing(admin, key_id, SECRET))
    assert clockwork.step() == 0
    assert opens(admin, blob) is True


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({}, "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"),  # ls
        ({"ExpirationModel": "KEY_MATERIAL_EXPIRES"}, "A validTo date must be set"),
        ({"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "days": 1}, "must not be set"),
        ({"days": 0}, "365 days"),
        ({"days": -1}, "365 days"),
        ({"days": 366}, "365 days"),
        ({"ValidTo": -1.5}, "365 days"),
        ({"ValidTo": 1e300}, "365 days"),
    ],
)
def test_dates_that_cannot_be(office, admin, key_id, members, words) -> None:
    if "days" in members:
        at = office.clock.now() + timedelta(days=members.pop("days"))
        members = {**members, "ValidTo": at.timestamp()}
    given = parameters(admin, key_id)
    wrapped = wrap(b64decode(given["PublicKey"]), OAEP, SECRET)
    asked = {"KeyId": key_id, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": wrapped}
    reply = admin.call("ImportKeyMaterial", **asked, **members)
    assert reply.code == "ValidationException" and words in reply.message
    assert described(admin, key_id)["KeyState"] == "PendingImport"


# --- several materials (KMS Developer Guide, "Rotate AWS KMS keys", imported key material)


def test_a_key_is_rotated_from_material_to_material(office, admin, key_id) -> None:
    """ls, test_rotate_key_on_demand_updates_current_key_material_for_external_keys, and its kin."""
    first = came(importing(admin, key_id, SECRET, KeyMaterialDescription="one"))
    reply = admin.call("RotateKeyOnDemand", KeyId=key_id)
    assert (reply.code, reply.message) == (
        "KMSInvalidStateException",
        f"No available key material pending rotation for the key: {arn(office, key_id)}.",
    )
    old = encrypted(admin, key_id)
    until = office.clock.now() + timedelta(days=9)
    second = came(importing(admin, key_id, OTHER, ValidTo=until.timestamp(), **NEW))
    assert described(admin, key_id)["CurrentKeyMaterialId"] == first
    assert described(admin, key_id)["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"  # of what belongs to the key
    assert ask(admin, "Decrypt", CiphertextBlob=encrypted(admin, key_id))["KeyMaterialId"] == first
    one = {
        "KeyId": key_id,
        "KeyMaterialId": first,
        "KeyMaterialDescription": "one",
        "ImportState": "IMPORTED",
        "KeyMaterialState": "CURRENT",
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    }
    two = {
        "KeyId": key_id,
        "KeyMaterialId": second,
        "ImportState": "IMPORTED",
        "KeyMaterialState": "PENDING_ROTATION",
        "ExpirationModel": "KEY_MATERIAL_EXPIRES",
        "ValidTo": until.timestamp(),
    }
    assert listed(admin, key_id) == [one, two]
    assert ask(admin, "ListKeyRotations", KeyId=key_id)["Rotations"] == []

    office.clock.forward(timedelta(days=1))
    assert ask(admin, "RotateKeyOnDemand", KeyId=key_id) == {"KeyId": arn(office, key_id)}
    metadata = described(admin, key_id)
    assert (metadata["CurrentKeyMaterialId"], metadata["ValidTo"]) == (second, until.timestamp())
    rotated = {"RotationDate": office.clock.now().timestamp(), "RotationType": "ON_DEMAND"}
    two |= {"KeyMaterialState": "CURRENT", **rotated}
    assert listed(admin, key_id) == [one | {"KeyMaterialState": "NON_CURRENT"}, two]
    assert ask(admin, "ListKeyRotations", KeyId=key_id)["Rotations"] == [two]
    new = encrypted(admin, key_id)
    assert ask(admin, "Decrypt", CiphertextBlob=new)["KeyMaterialId"] == second
    assert ask(admin, "Decrypt", CiphertextBlob=old)["KeyMaterialId"] == first
    assert admin.call("RotateKeyOnDemand", KeyId=key_id).code == "KMSInvalidStateException"


def test_one_material_waits_at_a_time_and_may_be_replaced(office, admin, key_id) -> None:
    """ls, test_import_key_material_raises_if_there_is_already_key_material_pending."""
    came(importing(admin, key_id, SECRET))
    second = came(importing(admin, key_id, OTHER, **NEW))
    reply = importing(admin, key_id, THIRD, **NEW)
    assert reply.code == "KMSInvalidStateException"
    start, _, rest = reply.message.partition("(id: ")
    assert start == "New key material " and rest[64:] == (
        f") cannot be imported into KMS key {arn(office, key_id)}, "
        f"because another key material (id: {second}) is pending rotation."
    )
    ask(admin, "DeleteImportedKeyMaterial", KeyId=key_id, KeyMaterialId=second)
    assert described(admin, key_id)["KeyState"] == "Enabled"  # it did not belong to the key yet
    assert len(listed(admin, key_id)) == 1
    third = came(importing(admin, key_id, THIRD, KeyMaterialDescription="three", **NEW))
    assert [entry["KeyMaterialId"] for entry in listed(admin, key_id)][1] == third == rest[:64]
    ask(admin, "RotateKeyOnDemand", KeyId=key_id)
    assert described(admin, key_id)["CurrentKeyMaterialId"] == third
    assert importing(admin, key_id, OTHER).code == "IncorrectKeyMaterialException"


def test_material_that_waits_expires_and_the_key_goes_on(office, admin, key_id) -> None:
    came(importing(admin, key_id, SECRET))
    tomorrow = (office.clock.now() + timedelta(days=1)).timestamp()
    came(importing(admin, key_id, OTHER, ValidTo=tomorrow, **NEW))
    clockwork = scheduled(office)
    office.clock.forward(timedelta(days=1))
    assert admin.call("RotateKeyOnDemand", KeyId=key_id).code == "KMSInvalidStateException"
    assert clockwork.step() == 1
    assert described(admin, key_id)["KeyState"] == "Enabled" and len(listed(admin, key_id)) == 1


def test_a_key_needs_every_material_that_belongs_to_it(office, admin, key_id) -> None:
    """ "you will need to import all of the key materials associated with the KMS key"."""
    first = came(importing(admin, key_id, SECRET, KeyMaterialDescription="one"))
    old = encrypted(admin, key_id)
    second = came(importing(admin, key_id, OTHER, **NEW))
    ask(admin, "RotateKeyOnDemand", KeyId=key_id)
    new = encrypted(admin, key_id)
    assert ask(admin, "DeleteImportedKeyMaterial", KeyId=key_id, KeyMaterialId=first)["KeyMaterialId"] == first
    assert described(admin, key_id)["KeyState"] == "PendingImport"
    assert [entry["ImportState"] for entry in listed(admin, key_id)] == ["PENDING_IMPORT", "IMPORTED"]
    assert (opens(admin, old), opens(admin, new)) == ("KMSInvalidStateException",) * 2
    assert ask(admin, "DeleteImportedKeyMaterial", KeyId=key_id)["KeyMaterialId"] == second
    came(importing(admin, key_id, OTHER))
    assert described(admin, key_id)["KeyState"] == "PendingImport"
    came(importing(admin, key_id, SECRET))
    assert described(admin, key_id)["KeyState"] == "Enabled"
    assert (opens(admin, old), opens(admin, new)) == (True, True)
    assert listed(admin, key_id)[0]["KeyMaterialDescription"] == "one"  # "KMS retains the value you specified"
    assert ask(admin, "Decrypt", CiphertextBlob=encrypted(admin, key_id))["KeyMaterialId"] == second


def test_twenty_five_rotations_of_imported_material(admin, key_id) -> None:
    given = parameters(admin, key_id)
    blobs = []
    for n in range(26):
        came(importing(admin, key_id, bytes([n]) * 32, given=given, **NEW))
        if n:
            ask(admin, "RotateKeyOnDemand", KeyId=key_id)
        blobs.append(encrypted(admin, key_id))
    came(importing(admin, key_id, bytes([26]) * 32, given=given, **NEW))
    assert admin.call("RotateKeyOnDemand", KeyId=key_id).code == "LimitExceededException"
    assert all(opens(admin, blob) is True for blob in blobs)


@pytest.mark.parametrize("operation", ["EnableKeyRotation", "DisableKeyRotation"])
def test_no_schedule_for_imported_material(office, admin, key_id, operation) -> None:
    for _ in range(2):
        reply = admin.call(operation, KeyId=key_id)
        assert (reply.code, reply.message) == (
            "UnsupportedOperationException",
            f"{arn(office, key_id)} origin is EXTERNAL which is not valid for this operation.",
        )
        importing(admin, key_id, SECRET)


# --- key types and wrapping

SYMMETRIC = {"SYMMETRIC_DEFAULT": ("ENCRYPT_DECRYPT", 32)} | {
    f"HMAC_{bits}": ("GENERATE_VERIFY_MAC", bits // 8) for bits in (224, 256, 384, 512)
}
PAIRS = {
    "RSA_2048": ("SIGN_VERIFY", RSA_2048),
    "RSA_3072": ("ENCRYPT_DECRYPT", RSA_3072),
    "ECC_NIST_P256": ("KEY_AGREEMENT", P256),
    "ECC_NIST_P384": ("SIGN_VERIFY", ec.generate_private_key(ec.SECP384R1())),
    "ECC_NIST_P521": ("SIGN_VERIFY", P521),
    "ECC_SECG_P256K1": ("SIGN_VERIFY", ec.generate_private_key(ec.SECP256K1())),
    "ECC_NIST_EDWARDS25519": ("SIGN_VERIFY", ed25519.Ed25519PrivateKey.generate()),
    "ML_DSA_44": ("SIGN_VERIFY", mldsa.MLDSA44PrivateKey.generate()),
    "ML_DSA_65": ("SIGN_VERIFY", mldsa.MLDSA65PrivateKey.generate()),
    "ML_DSA_87": ("SIGN_VERIFY", mldsa.MLDSA87PrivateKey.generate()),
}


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"])
@pytest.mark.parametrize("spec", SYMMETRIC)
def test_symmetric_keys_take_raw_bytes(admin, spec, algorithm) -> None:
    usage, n = SYMMETRIC[spec]
    key_id = made(admin, Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)
    for wrong in (n - 1, n + 1):
        assert importing(admin, key_id, bytes(wrong), algorithm=algorithm).code == "IncorrectKeyMaterialException"
    reply = importing(admin, key_id, bytes(range(n)), algorithm=algorithm)
    assert reply.status == 200 and ("KeyMaterialId" in reply.json) is (spec == "SYMMETRIC_DEFAULT")
    assert ("CurrentKeyMaterialId" in described(admin, key_id)) is (spec == "SYMMETRIC_DEFAULT")


@pytest.mark.parametrize("algorithm", ["RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256", "RSAES_OAEP_SHA_256"])
@pytest.mark.parametrize("spec", PAIRS)
def test_pairs_take_pkcs8(admin, spec, algorithm) -> None:
    usage, private = PAIRS[spec]
    key_id = made(admin, Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)
    if spec.startswith("RSA") and algorithm.startswith("RSAES"):
        asked = {"WrappingAlgorithm": algorithm, "WrappingKeySpec": "RSA_4096"}
        assert admin.call("GetParametersForImport", KeyId=key_id, **asked).code == "UnsupportedOperationException"
        return
    by = "RSA_3072" if algorithm.startswith("RSAES") else "RSA_2048"
    reply = importing(admin, key_id, pkcs8(private), algorithm=algorithm, spec=by)
    assert reply.status == 200 and reply.json.keys() == {"KeyId"}
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert ask(admin, "GetPublicKey", KeyId=key_id)["PublicKey"] == b64(public)
    assert importing(admin, key_id, pkcs8(private), algorithm=algorithm, spec=by).status == 200


def test_an_imported_pair_signs_as_its_owner_would(admin) -> None:
    key_id = made(admin, Origin="EXTERNAL", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    assert importing(admin, key_id, pkcs8(P256), algorithm=HYBRID).status == 200
    signed = ask(admin, "Sign", KeyId=key_id, Message=PLAIN, SigningAlgorithm="ECDSA_SHA_256")
    P256.public_key().verify(b64decode(signed["Signature"]), b"attack at dawn", ec.ECDSA(SHA256()))
    assert described(admin, key_id)["KeyState"] == "Enabled"


@pytest.mark.parametrize(
    "material",
    [
        b"",
        b"x",
        pkcs8(P521),
        pkcs8(RSA_2048),
        P256.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        P256.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
    ],
    ids=["nothing", "noise", "another curve", "another kind", "public", "PEM", "encrypted"],
)
def test_what_is_no_such_key(admin, material) -> None:
    key_id = made(admin, Origin="EXTERNAL", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    assert importing(admin, key_id, material or b"\0", algorithm=HYBRID).code == "IncorrectKeyMaterialException"
    assert described(admin, key_id)["KeyState"] == "PendingImport"


def test_a_weak_key_is_refused(admin) -> None:
    """The provider examines what it registers in full: here e = 3."""
    key_id = made(admin, Origin="EXTERNAL", KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    weak = rsa.generate_private_key(3, 2048)
    reply = importing(admin, key_id, pkcs8(weak), algorithm=HYBRID)
    assert reply.code == "IncorrectKeyMaterialException" and "weak" in reply.message


def test_asymmetric_and_hmac_keys_never_change_and_have_one_material(admin) -> None:
    """ "For asymmetric and HMAC keys, you cannot change the key material after the initial import"."""
    key_id = made(admin, Origin="EXTERNAL", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    for members in (NEW, AGAIN, {"KeyMaterialDescription": "d"}, {"KeyMaterialId": "0" * 64}):
        assert importing(admin, key_id, SECRET, **members).code == "UnsupportedOperationException"
    assert importing(admin, key_id, SECRET).status == 200
    assert importing(admin, key_id, OTHER).code == "IncorrectKeyMaterialException"
    ask(admin, "DeleteImportedKeyMaterial", KeyId=key_id)
    assert importing(admin, key_id, OTHER).code == "IncorrectKeyMaterialException"
    assert importing(admin, key_id, SECRET).status == 200


REFUSED = [
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "RSAES_PKCS1_V1_5", "RSA_2048"),  # "As of October 10, 2023"
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "SM2PKE", "SM2"),
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", OAEP, "SM2"),
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", HYBRID, "RSA_4096"),
    ("HMAC_256", "GENERATE_VERIFY_MAC", HYBRID, "RSA_4096"),
    ("RSA_2048", "SIGN_VERIFY", OAEP, "RSA_4096"),
    ("ECC_NIST_P521", "SIGN_VERIFY", OAEP, "RSA_2048"),
    ("ECC_NIST_P521", "SIGN_VERIFY", "RSAES_OAEP_SHA_1", "RSA_2048"),
]


@pytest.mark.parametrize(("spec", "usage", "algorithm", "by"), REFUSED)
def test_what_does_not_wrap_what(admin, spec, usage, algorithm, by) -> None:
    key_id = made(admin, Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)
    reply = admin.call("GetParametersForImport", KeyId=key_id, WrappingAlgorithm=algorithm, WrappingKeySpec=by)
    assert reply.code == "UnsupportedOperationException" and algorithm in reply.message


@pytest.mark.parametrize("by", ["RSA_2048", "RSA_3072", "RSA_4096"])
def test_parameters(office, admin, key_id, by) -> None:
    given = parameters(admin, key_id, spec=by)
    assert given["KeyId"] == arn(office, key_id)
    assert given["ParametersValidTo"] == (office.clock.now() + timedelta(hours=24)).timestamp()
    assert len(b64decode(given["ImportToken"])) <= 6144
    assert load_der_public_key(b64decode(given["PublicKey"])).key_size == int(by[4:])
    assert importing(admin, key_id, SECRET, given=given).status == 200


def test_the_key_between_is_of_256_bits(admin) -> None:
    key_id = made(admin, Origin="EXTERNAL", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    given = parameters(admin, key_id, HYBRID)
    for bits, code in ((128, "InvalidCiphertextException"), (192, "InvalidCiphertextException"), (256, None)):
        wrapped = wrap(b64decode(given["PublicKey"]), HYBRID, pkcs8(P256), aes_bytes=bits // 8)
        asked = {"ImportToken": given["ImportToken"], "EncryptedKeyMaterial": wrapped, **FOR_EVER}
        assert admin.call("ImportKeyMaterial", KeyId=key_id, **asked).code == code


def test_every_call_gives_another_key(admin, key_id) -> None:
    one, two = parameters(admin, key_id), parameters(admin, key_id)
    assert one["PublicKey"] != two["PublicKey"]
    crossed = {**one, "ImportToken": two["ImportToken"]}  # "permanently linked and must be used together"
    assert importing(admin, key_id, SECRET, given=crossed).code == "InvalidCiphertextException"


# --- tickets


def test_a_ticket_is_good_for_a_day_for_its_key_and_after_a_restart(office, admin, key_id) -> None:
    given = parameters(admin, key_id)
    other = made(admin, Origin="EXTERNAL")
    assert importing(admin, other, SECRET, given=given).code == "InvalidImportTokenException"
    office.view.forget()
    office.clock.forward(timedelta(hours=24) - timedelta(seconds=1))
    assert importing(admin, key_id, SECRET, given=given).status == 200
    office.clock.forward(timedelta(seconds=1))
    assert importing(admin, key_id, SECRET, given=given).code == "ExpiredImportTokenException"
    assert importing(admin, other, SECRET, given=given).code == "InvalidImportTokenException"


def test_a_ticket_of_another_installation_is_none(admin, key_id) -> None:
    far = stack(seed=99)
    given = parameters(far.admin, made(far.admin, Origin="EXTERNAL"))
    assert importing(admin, key_id, SECRET, given=given).code == "InvalidImportTokenException"


FORGERS = stack()
TARGET = made(FORGERS.admin, Origin="EXTERNAL")
GIVEN = parameters(FORGERS.admin, TARGET)
TICKET, WRAPPED = b64decode(GIVEN["ImportToken"]), wrap(b64decode(GIVEN["PublicKey"]), OAEP, SECRET)


def attempt(ticket: bytes, wrapped: bytes) -> str:
    asked = {"KeyId": TARGET, "ImportToken": ticket, "EncryptedKeyMaterial": wrapped, **FOR_EVER}
    return FORGERS.admin.call("ImportKeyMaterial", **asked).code


@given(at=st.integers(0, len(TICKET) - 1), by=st.integers(1, 255))
def test_no_byte_of_a_ticket_can_be_changed(at, by) -> None:
    forged = TICKET[:at] + bytes([TICKET[at] ^ by]) + TICKET[at + 1 :]
    assert attempt(forged, WRAPPED) == "InvalidImportTokenException"


@given(st.one_of(st.binary(min_size=1, max_size=200), st.integers(1, len(TICKET) - 1).map(lambda n: TICKET[:n])))
def test_noise_and_pieces_are_no_tickets(ticket) -> None:
    assert attempt(ticket, WRAPPED) == "InvalidImportTokenException"


@given(st.one_of(st.binary(min_size=1, max_size=600), st.integers(1, 255).map(lambda n: WRAPPED[:n])))
def test_what_was_not_wrapped_for_the_ticket(wrapped) -> None:
    assert attempt(TICKET, wrapped) == "InvalidCiphertextException"


@given(cut=st.integers(1, 330), flip=st.integers(0, 330))
def test_what_was_wrapped_twice_fails_alike_wherever_it_is_broken(cut, flip) -> None:
    """RFC 5649 and OAEP: one answer for both layers."""
    bad = HYBRID_WRAPPED[:cut] if flip == 0 else bytearray(HYBRID_WRAPPED)
    if flip:
        bad[flip % len(bad)] ^= 1
    asked = {"KeyId": PAIR, "ImportToken": HYBRID_GIVEN["ImportToken"], "EncryptedKeyMaterial": bytes(bad), **FOR_EVER}
    assert FORGERS.admin.call("ImportKeyMaterial", **asked).code == "InvalidCiphertextException"


PAIR = made(FORGERS.admin, Origin="EXTERNAL", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
HYBRID_GIVEN = parameters(FORGERS.admin, PAIR, HYBRID)
HYBRID_WRAPPED = wrap(b64decode(HYBRID_GIVEN["PublicKey"]), HYBRID, pkcs8(P256))


# --- generated: every operation on a key of this origin, in every state (KMS Developer Guide, "Key states")

STATES = ("Enabled", "Disabled", "PendingDeletion", "PendingImport", "deleted")
OK = None
DISABLED = ("DisabledException", "{} is disabled.")
DOOMED = ("KMSInvalidStateException", "{} is pending deletion.")
WAITS = ("KMSInvalidStateException", "{} is pending import.")
ORIGIN = ("UnsupportedOperationException", "{} origin is EXTERNAL which is not valid for this operation.")
NOTHING = ("KMSInvalidStateException", "No available key material pending rotation for the key: {}.")
GONE = ("NotFoundException", "Key '{}' does not exist")
ASKED = {"WrappingAlgorithm": OAEP, "WrappingKeySpec": "RSA_2048"}
# fmt: off
TABLE = {
    "GetParametersForImport":    (ASKED,                (OK, OK, DOOMED, OK, GONE)),
    "ImportKeyMaterial":         (FOR_EVER,             (OK, OK, DOOMED, OK, GONE)),
    "DeleteImportedKeyMaterial": ({},                   (OK, OK, OK, OK, GONE)),
    "ListKeyRotations":          ({},                   (OK, OK, OK, OK, GONE)),
    "GetKeyRotationStatus":      ({},                   (ORIGIN, ORIGIN, ORIGIN, ORIGIN, GONE)),
    "EnableKeyRotation":         ({},                   (ORIGIN, ORIGIN, ORIGIN, ORIGIN, GONE)),
    "DisableKeyRotation":        ({},                   (ORIGIN, ORIGIN, ORIGIN, ORIGIN, GONE)),
    "RotateKeyOnDemand":         ({},                   (NOTHING, DISABLED, DOOMED, WAITS, GONE)),
    "EnableKey":                 ({},                   (OK, OK, DOOMED, WAITS, GONE)),
    "DisableKey":                ({},                   (OK, OK, DOOMED, WAITS, GONE)),
    "ScheduleKeyDeletion":       ({},                   (OK, OK, DOOMED, OK, GONE)),
    "DescribeKey":               ({},                   (OK, OK, OK, OK, GONE)),
    "Encrypt":                   ({"Plaintext": PLAIN}, (OK, DISABLED, DOOMED, WAITS, GONE)),
    "GenerateDataKey":           ({"KeySpec": "AES_256"}, (OK, DISABLED, DOOMED, WAITS, GONE)),
}
# fmt: on


def put_into(office, key_id, state) -> None:
    admin = office.admin
    match state:
        case "Disabled":
            ask(admin, "DisableKey", KeyId=key_id)
        case "PendingImport":
            ask(admin, "DeleteImportedKeyMaterial", KeyId=key_id)
        case "PendingDeletion" | "deleted":
            ask(admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
            if state == "deleted":
                assert wait(office, days=7) == 1


@pytest.mark.parametrize("state", range(len(STATES)), ids=STATES)
@pytest.mark.parametrize("operation", TABLE)
def test_operation_in_state(office, admin, key_id, operation, state) -> None:
    given, (members, expected) = parameters(admin, key_id), TABLE[operation]
    came(importing(admin, key_id, SECRET, given=given))
    put_into(office, key_id, STATES[state])
    if operation == "ImportKeyMaterial":
        wrapped = wrap(b64decode(given["PublicKey"]), OAEP, SECRET)
        members = {**members, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": wrapped}
    reply = admin.call(operation, KeyId=key_id, **members)
    if expected[state] is OK:
        assert reply.status == 200, (reply.code, reply.message)
        return
    code, words = expected[state]
    assert (reply.code, reply.message) == (code, words.format(arn(office, key_id)))


# --- who may, what is on record, and what is nowhere


def test_each_takes_its_own_right(office, admin, key_id) -> None:
    given = parameters(admin, key_id)
    rights = {
        "GetParametersForImport": {"WrappingAlgorithm": OAEP, "WrappingKeySpec": "RSA_2048"},
        "ImportKeyMaterial": {"ImportToken": given["ImportToken"], "EncryptedKeyMaterial": b"x", **FOR_EVER},
        "DeleteImportedKeyMaterial": {},
    }
    for mine in rights:
        person = office.user(mine.lower(), policy(allow(f"kms:{mine}")))
        for operation, members in rights.items():
            denied = person.call(operation, KeyId=key_id, **members).code == "AccessDeniedException"
            assert denied is (operation != mine)


def test_a_policy_may_look_at_how_and_until_when(office, key_id) -> None:
    """KMS Developer Guide, condition keys: kms:WrappingAlgorithm, kms:WrappingKeySpec, kms:ExpirationModel."""
    asked = {"StringEquals": {"kms:WrappingKeySpec": "RSA_3072", "kms:WrappingAlgorithm": OAEP}}
    expires = {"StringEquals": {"kms:ExpirationModel": "KEY_MATERIAL_EXPIRES"}}
    text = policy(
        allow("kms:GetParametersForImport", Condition=asked), allow("kms:ImportKeyMaterial", Condition=expires)
    )
    person = office.user("bound", text)
    other = person.call("GetParametersForImport", KeyId=key_id, WrappingAlgorithm=OAEP, WrappingKeySpec="RSA_2048")
    assert other.code == "AccessDeniedException"
    given = parameters(person, key_id, spec="RSA_3072")
    assert importing(person, key_id, SECRET, given=given).code == "AccessDeniedException"
    tomorrow = (office.clock.now() + timedelta(days=1)).timestamp()
    assert importing(person, key_id, SECRET, given=given, ValidTo=tomorrow).status == 200


def test_what_is_on_record(office, admin, key_id) -> None:
    came(importing(admin, key_id, SECRET))
    importing(admin, key_id, OTHER)
    ask(admin, "DeleteImportedKeyMaterial", KeyId=key_id)
    told = [
        (record.operation, record.targets[0].action, record.targets[0].version, record.outcome)
        for record in office.records()
        if record.targets and record.targets[0].key == key_id and "Import" in record.operation
    ]
    parts = ("TrentService.GetParametersForImport", "key:prepare-import", 0, "performed")
    assert sorted(told) == sorted(
        [
            ("TrentService.ImportKeyMaterial", "key:import-material", 1, "performed"),
            ("TrentService.DeleteImportedKeyMaterial", "key:delete-material", 1, "performed"),
            ("TrentService.ImportKeyMaterial", "key:import-material", 0, "refused: InvalidArgument"),
            parts,
            parts,
        ]
    )


def test_the_material_is_in_no_record_no_answer_and_no_log(office, admin, key_id, caplog) -> None:
    secret = b"canary-material-canary-material!"
    replies = [
        importing(admin, key_id, secret),
        importing(admin, key_id, secret, **NEW),
        importing(admin, key_id, secret, KeyMaterialId="0" * 64),
        importing(admin, key_id, secret[:31]),
        admin.call("DescribeKey", KeyId=key_id),
        admin.call("ListKeyRotations", KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL"),
    ]
    records = [line for _, line in office.store.records(0, 10_000)] + office.journal.lines
    seen = b"".join([*(reply.body for reply in replies), *records, caplog.text.encode()])
    rows = [row.sealed for kind in ("key", "key-version") for row in office.store.every(kind, limit=1000)]
    for trace in (secret, secret[:16], secret.hex().encode(), b64(secret).encode()[:40]):
        assert trace not in seen and not any(trace in row for row in rows)
