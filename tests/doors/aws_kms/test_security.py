"""Rows of research/security.md §4 at this door, each named by its number. Rows 6, 8 and 12 are in test_names.py,
row 76 in test_door.py, row 100 in test_states.py."""

from __future__ import annotations

import logging
from base64 import b64decode, b64encode

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests import harness

from keystead.core import operations as ops
from keystead.core.algorithms import ALGORITHMS, KEY_SPECS, Purpose
from keystead.core.entities import Key, Kind
from keystead.core.envelope import HEADER_BYTES, OVERHEAD_BYTES, PREFIX_BYTES, SALT_BYTES
from keystead.doors.aws_kms import DOOR
from keystead.doors.aws_kms.errors import PREFIX
from keystead.providers import sealing
from keystead.providers.software import SoftwareProvider

DATA = b"attack at dawn"
SALT = slice(HEADER_BYTES, HEADER_BYTES + SALT_BYTES)


def allow(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()


def sealed(stack, key, plaintext=DATA, **members) -> bytes:
    return b64decode(stack.admin.call("Encrypt", KeyId=key.id, Plaintext=plaintext, **members).json["CiphertextBlob"])


@pytest.mark.parametrize(
    ("actions", "code"),
    [
        ((), "AccessDeniedException"),
        (("kms:ReEncryptFrom",), "AccessDeniedException"),
        (("kms:ReEncryptTo",), "AccessDeniedException"),
        (("kms:Encrypt", "kms:Decrypt"), "AccessDeniedException"),
        (("kms:ReEncryptFrom", "kms:ReEncryptTo"), None),
        (("kms:ReEncrypt*",), None),
    ],
)
def test_row_43_re_encrypting_needs_both_rights(stack, actions, code) -> None:
    old, new = stack.key(), stack.key()
    person = stack.user("mover", allow(*actions) if actions else None)
    reply = person.call("ReEncrypt", CiphertextBlob=sealed(stack, old), SourceKeyId=old.id, DestinationKeyId=new.id)
    assert reply.code == code


def test_row_43_both_rights_on_the_same_key_are_not_enough(stack) -> None:
    old, new = stack.key(), stack.key()
    on_old = {"Effect": "Allow", "Action": "kms:*", "Resource": stack.arn(old)}
    person = stack.user("mover", msgspec.json.encode({"Version": "2012-10-17", "Statement": [on_old]}).decode())
    blob = sealed(stack, old)
    assert person.call("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=old.id).status == 200
    assert person.call("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=new.id).code == "AccessDeniedException"


# --- 67, 68: canaries. One secret in every member that carries one; it must turn up nowhere but in the answer.

CANARY = b"canary-7f3a9c-do-not-show"
SEEN_AS = (CANARY, b64encode(CANARY), CANARY.hex().encode(), repr(CANARY).encode(), b64encode(b64encode(CANARY)))
PEER = ec.generate_private_key(ec.SECP256R1()).public_key()
WHERE = {
    "Encrypt": ("AES_256", {"Plaintext": CANARY}),
    "Decrypt": ("AES_256", {"CiphertextBlob": CANARY}),
    "ReEncrypt": ("AES_256", {"CiphertextBlob": CANARY}),
    "GenerateDataKey": ("AES_256", {"KeySpec": "AES_256"}),
    "GenerateDataKeyWithoutPlaintext": ("AES_256", {"NumberOfBytes": 16}),
    "GenerateDataKeyPair": ("AES_256", {"KeyPairSpec": "ECC_NIST_P256"}),
    "GenerateDataKeyPairWithoutPlaintext": ("AES_256", {"KeyPairSpec": "ECC_NIST_P256"}),
    "Sign": ("EC_P256", {"Message": CANARY, "SigningAlgorithm": "ECDSA_SHA_256"}),
    "Verify": ("EC_P256", {"Message": CANARY, "Signature": CANARY, "SigningAlgorithm": "ECDSA_SHA_256"}),
    "GenerateMac": ("HMAC_256", {"Message": CANARY, "MacAlgorithm": "HMAC_SHA_256"}),
    "VerifyMac": ("HMAC_256", {"Message": CANARY, "Mac": CANARY, "MacAlgorithm": "HMAC_SHA_256"}),
    "DeriveSharedSecret": ("EC_P256", {"PublicKey": CANARY, "KeyAgreementAlgorithm": "ECDH"}),
    "Decapsulate": ("ML_KEM_768", {"SharedSecretCiphertextBlob": CANARY, "EncapsulationAlgorithm": "ML_KEM"}),
}
BREAK = {
    "as it is": {},
    "a dry run": {"DryRun": True},
    "a grant token": {"GrantTokens": [CANARY.decode()]},
    "too many grant tokens": {"GrantTokens": [CANARY.decode()] * 11},
    "no key": {"KeyId": harness.TENANT},
    "a member of the wrong type": {"DryRun": CANARY.decode()},
    "a context": {"EncryptionContext": {"purpose": CANARY.decode()}},
    "a context of the wrong type": {"EncryptionContext": [CANARY.decode()]},
    "an attestation document": {"Recipient": {"AttestationDocument": CANARY}},
    "too long": {"Plaintext": CANARY * 200, "Message": CANARY * 200, "CiphertextBlob": CANARY * 300},
}


def nowhere(*places: bytes | str) -> None:
    for place in places:
        raw = place.encode() if isinstance(place, str) else place
        assert not any(form in raw for form in SEEN_AS)


@pytest.mark.parametrize("how", BREAK)
@pytest.mark.parametrize("operation", WHERE)
def test_row_67_a_secret_turns_up_in_no_record_error_or_log(stack, operation, how, caplog) -> None:
    spec, members = WHERE[operation]
    purpose = Purpose.AGREEMENT if operation == "DeriveSharedSecret" else None
    key = stack.key(KEY_SPECS[spec].aws, purpose)
    asked = {"KeyId": key.id, **members, **BREAK[how]}
    if operation == "ReEncrypt":
        asked["DestinationKeyId"] = asked.pop("KeyId")
    with caplog.at_level(logging.DEBUG):
        reply = stack.admin.call(operation, **asked)
    head = b"".join(f"{name}: {value}".encode() for name, value in reply.headers.items())
    nowhere(reply.body, head, caplog.text, *stack.journal.lines, *(line for _, line in stack.store.records(0, 1000)))


def test_row_70_a_header_that_nobody_knows_is_not_on_record(stack, caplog) -> None:
    """Nor one that is known and holds something else; whether the request is served, refused or nobody's."""
    text = CANARY.decode()
    headers = {"X-Unknown": text, f"X-{text}": "x", "User-Agent": text, "Cookie": text, "X-Forwarded-For": text}
    with caplog.at_level(logging.DEBUG):
        for target in ("TrentService.ListKeys", "TrentService.DescribeKey", f"TrentService.{text}"):
            stack.admin.send({"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1", **headers}, b"{}")
    nowhere(caplog.text, *stack.journal.lines)
    assert len(stack.journal.lines) >= 3


def test_row_67_what_the_answer_holds_turns_up_in_the_answer_alone(stack, caplog) -> None:
    key = stack.key()
    blob = sealed(stack, key, CANARY, EncryptionContext={"purpose": "test"})
    with caplog.at_level(logging.DEBUG):
        reply = stack.admin.call("Decrypt", CiphertextBlob=blob, EncryptionContext={"purpose": "test"})
    assert reply.json["Plaintext"] == b64encode(CANARY).decode()
    nowhere(caplog.text, *stack.journal.lines, blob)
    rows = [row.sealed for kind in Kind for row in stack.store.every(kind)]
    assert rows
    nowhere(*rows)


def test_row_67_a_secret_access_key_and_a_token_turn_up_nowhere(stack, caplog) -> None:
    secret = stack.first.access_key.secret.reveal()
    request = stack.admin.signed({"X-Amz-Target": "TrentService.GenerateRandom"}, b'{"NumberOfBytes":8}')
    forged = dict(request.headers)
    forged[b"x-amz-security-token"] = CANARY
    with caplog.at_level(logging.DEBUG):
        whole = stack.serve(msgspec.structs.replace(request, headers=forged))
    lines = [*stack.journal.lines, *(line for _, line in stack.store.records(0, 1000))]
    nowhere(whole, caplog.text, *lines, repr(request))
    for place in (whole, caplog.text.encode(), *lines, repr(stack.first.access_key).encode()):
        assert secret not in place


@pytest.mark.parametrize("operation", sorted(DOOR.table()))
def test_row_68_no_message_shows_what_it_holds(operation) -> None:
    """CVE-2025-62705: bytes and text alike: a repr names members and shows none."""
    declared = DOOR.table()[operation]
    for message in (declared.request, declared.response):
        if message is type(None):
            continue
        fields = msgspec.structs.fields(message)
        value = message(**{field.name: CANARY.decode() for field in fields})
        nowhere(repr(value), str(value), f"{value}")
        assert all(field.name in repr(value) for field in fields)


def test_row_68_no_operation_or_answer_of_the_core_shows_a_secret(stack) -> None:
    key = stack.key()
    ref = ops.KeyRef(f"aws:{harness.TENANT}:{harness.REGION}", id=key.id)
    op = ops.Encrypt(key=ref, plaintext=ops.Sensitive(CANARY))
    blob = stack.perform(op).ciphertext
    opened = stack.perform(ops.Decrypt(key=ref, ciphertext=blob))
    assert opened.plaintext.reveal() == CANARY
    nowhere(repr(op), str(op), repr(opened), f"{opened}")


# --- F. cryptography


def test_row_81_there_is_no_pkcs1_v15_decryption(stack) -> None:
    """RSA encrypts with OAEP alone, so there is no padding to be an oracle of."""
    ciphers = {a.name for a in ALGORITHMS.values() if a.purpose is Purpose.CIPHER}
    assert ciphers == {
        *("AES_GCM", "CHACHA20_POLY1305", "XCHACHA20_POLY1305"),
        *("RSA_OAEP_SHA1", "RSA_OAEP_SHA256", "SM2PKE"),
    }
    key = stack.key("RSA_2048", Purpose.CIPHER)
    members = {"KeyId": key.id, "CiphertextBlob": bytes(256)}
    for word in ("RSAES_PKCS1_V1_5", "RSASSA_PKCS1_V1_5_SHA_256"):
        assert stack.admin.call("Decrypt", EncryptionAlgorithm=word, **members).code == "ValidationException"


def test_row_84_a_stuck_generator_repeats_no_salt_for_another_message(stack, monkeypatch) -> None:
    key = stack.key()
    stack.view.refresh()
    held = stack.view.find(ops.KeyRef(f"aws:{harness.TENANT}:{harness.REGION}", id=key.id))
    material = stack.barrier.material(held.version().version)
    stuck = SoftwareProvider(bytes).load(key.spec, material, key_id=key.id, version=1)
    monkeypatch.setattr(held.version(), "_loaded", stuck)
    blobs = [sealed(stack, key, plaintext) for plaintext in (b"one", b"two", b"one")]
    blobs.append(sealed(stack, key, b"one", EncryptionContext={"a": "1"}))
    salts = [blob[SALT] for blob in blobs]
    assert salts[0] == salts[2]  # deterministic, no worse
    assert len(set(salts)) == 3


def test_row_87_nothing_is_decrypted_before_the_commitment_holds(stack, monkeypatch) -> None:
    key = stack.key()
    blob = sealed(stack, key)

    def fail(*_):
        raise AssertionError("decrypted first")

    monkeypatch.setitem(sealing.CIPHERS, "AES_256", (sealing.seal_once, fail))
    stack.view.forget()  # the key is loaded anew
    altered = bytearray(blob)
    altered[PREFIX_BYTES - 1] ^= 1
    assert stack.admin.call("Decrypt", CiphertextBlob=bytes(altered)).code == "InvalidCiphertextException"
    assert stack.admin.call("Decrypt", CiphertextBlob=blob).code == "KMSInternalException"  # the trap works


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a1": "b"}, {"a": "1b"}),
        ({"a": "1", "b": "2"}, {"a1": "b2"}),
        ({"a": "1", "b": "2"}, {"a": "1b2"}),
        ({"a": ""}, {}),
        ({"": ""}, {}),
        ({"": "a"}, {"a": ""}),
        ({"a": "b"}, {"b": "a"}),
        ({"\u00e9": "1"}, {"e\u0301": "1"}),
    ],
)
def test_row_88_two_contexts_are_never_one(stack, one, other) -> None:
    key = stack.key()
    for made, asked in ((one, other), (other, one)):
        blob = sealed(stack, key, EncryptionContext=made)
        reply = stack.admin.call("Decrypt", CiphertextBlob=blob, EncryptionContext=asked)
        assert reply.code == "InvalidCiphertextException"
        assert stack.admin.call("Decrypt", CiphertextBlob=blob, EncryptionContext=made).status == 200


def test_row_89_every_way_to_fail_is_one_answer(stack) -> None:
    """Whatever was done to a ciphertext of a key the caller may use: one code, no words, the same bytes."""
    key = stack.key()
    blob = sealed(stack, key, EncryptionContext={"a": "1"})
    context = {"EncryptionContext": {"a": "1"}}
    assert stack.admin.call("Decrypt", CiphertextBlob=blob, **context).status == 200
    bodies = set()
    for at in [*range(2), *range(18, len(blob))]:
        altered = bytearray(blob)
        altered[at] ^= 0x41
        bodies.add(stack.admin.call("Decrypt", CiphertextBlob=bytes(altered), KeyId=key.id, **context).body)
    for cut in (blob[:1], blob[:OVERHEAD_BYTES], blob[:-1], blob + b"\0", b"\0" * len(blob), b"x"):
        bodies.add(stack.admin.call("Decrypt", CiphertextBlob=cut, KeyId=key.id, **context).body)
    bodies.add(stack.admin.call("Decrypt", CiphertextBlob=blob, KeyId=key.id).body)
    assert bodies == {b'{"__type":"InvalidCiphertextException"}'}


def test_row_89_rsa_fails_in_one_way(stack) -> None:
    key = stack.key("RSA_2048", Purpose.CIPHER)
    members = {"KeyId": key.id, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    blob = sealed(stack, key, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    altered = [blob[:-1], blob + b"\0", b"\0" * 256, b"\xff" * 256, bytes([blob[0] ^ 1]) + blob[1:]]
    altered.append(sealed(stack, key, EncryptionAlgorithm="RSAES_OAEP_SHA_1"))
    bodies = {stack.admin.call("Decrypt", CiphertextBlob=one, **members).body for one in altered}
    assert bodies == {b'{"__type":"InvalidCiphertextException"}'}


SPKI = PEER.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
NEEDS = {
    "Encrypt": (Purpose.CIPHER, {"Plaintext": DATA}),
    "Decrypt": (Purpose.CIPHER, {"CiphertextBlob": DATA}),
    "GenerateDataKey": (Purpose.CIPHER, {"KeySpec": "AES_256"}),
    "GenerateDataKeyWithoutPlaintext": (Purpose.CIPHER, {"KeySpec": "AES_256"}),
    "GenerateDataKeyPair": (Purpose.CIPHER, {"KeyPairSpec": "ECC_NIST_P256"}),
    "GenerateDataKeyPairWithoutPlaintext": (Purpose.CIPHER, {"KeyPairSpec": "ECC_NIST_P256"}),
    "Sign": (Purpose.SIGNATURE, {"Message": DATA, "SigningAlgorithm": "ECDSA_SHA_256"}),
    "Verify": (Purpose.SIGNATURE, {"Message": DATA, "Signature": DATA, "SigningAlgorithm": "ECDSA_SHA_256"}),
    "GenerateMac": (Purpose.MAC, {"Message": DATA, "MacAlgorithm": "HMAC_SHA_256"}),
    "VerifyMac": (Purpose.MAC, {"Message": DATA, "Mac": DATA, "MacAlgorithm": "HMAC_SHA_256"}),
    "DeriveSharedSecret": (Purpose.AGREEMENT, {"KeyAgreementAlgorithm": "ECDH", "PublicKey": SPKI}),
    "Encapsulate": (Purpose.ENCAPSULATION, {"EncapsulationAlgorithm": "ML_KEM"}),
    "Decapsulate": (
        Purpose.ENCAPSULATION,
        {"EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": bytes(1088)},
    ),
}
KEYS = {
    Purpose.CIPHER: ("SYMMETRIC_DEFAULT", "RSA_2048"),
    Purpose.SIGNATURE: ("ECC_NIST_P256", "RSA_2048"),
    Purpose.MAC: ("HMAC_256",),
    Purpose.AGREEMENT: ("ECC_NIST_P256",),
    Purpose.ENCAPSULATION: ("ML_KEM_768",),
}


def key_for(stack, spec: str, purpose: Purpose) -> Key:
    made = stack.__dict__.setdefault("made", {})
    if (spec, purpose) not in made:
        made[spec, purpose] = stack.key(spec, purpose)
    return made[spec, purpose]


@pytest.mark.parametrize("operation", NEEDS)
@pytest.mark.parametrize(("purpose", "spec"), [(purpose, spec) for purpose, specs in KEYS.items() for spec in specs])
def test_row_90_a_key_does_what_it_is_for_and_nothing_else(shared, operation, purpose, spec) -> None:
    needed, members = NEEDS[operation]
    reply = shared.admin.call(operation, KeyId=key_for(shared, spec, purpose).id, **members)
    if purpose is not needed:
        assert reply.code == "InvalidKeyUsageException"
        assert "key usage is" in reply.message
    elif spec == KEYS[purpose][0]:
        assert reply.code in (
            None,
            "InvalidCiphertextException",
            "KMSInvalidSignatureException",
            "KMSInvalidMacException",
        )


def test_row_90_the_table_is_of_every_operation_that_does_cryptography() -> None:
    uses = {op.name.removeprefix(PREFIX) for op in DOOR.operations if "InvalidKeyUsageException" in op.errors}
    assert uses - {"ReEncrypt", "GetPublicKey"} == set(NEEDS)


@pytest.mark.parametrize("spec", ["HMAC_224", "HMAC_512"])
def test_row_93_a_truncated_or_lengthened_mac_is_refused(stack, spec) -> None:
    (algorithm,) = KEY_SPECS[spec].algorithms_for(Purpose.MAC)
    members = {"KeyId": stack.key(spec).id, "Message": DATA, "MacAlgorithm": algorithm.aws}
    tag = b64decode(stack.admin.call("GenerateMac", **members).json["Mac"])
    assert stack.admin.call("VerifyMac", Mac=tag, **members).status == 200
    for other in (*(tag[:n] for n in range(1, len(tag))), tag + b"\0", bytes(len(tag)), tag[::-1]):
        assert stack.admin.call("VerifyMac", Mac=other, **members).code == "KMSInvalidMacException"
    assert stack.admin.call("VerifyMac", Mac=b"", **members).code == "ValidationException"


def test_row_93_macs_are_compared_in_constant_time(stack, monkeypatch) -> None:
    compared = []
    monkeypatch.setattr("keystead.core.keyed.hmac.compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    members = {"KeyId": stack.key("HMAC_256").id, "Message": DATA, "MacAlgorithm": "HMAC_SHA_256"}
    stack.admin.call("VerifyMac", Mac=bytes(32), **members)
    assert bytes(32) in [right for _, right in compared] + [left for left, _ in compared]


# --- 36: what is another account's is told from what is not there by nothing

DENIES_ALL = msgspec.json.encode(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": harness.TENANT}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"},
        ],
    }
).decode()
DENIES_ITSELF = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"kms:*","Resource":"*"}]}'


@pytest.mark.parametrize("policy", [None, harness.ALLOW_ALL, DENIES_ITSELF])
@pytest.mark.parametrize("operation", ["Encrypt", "DescribeKey"])
def test_row_36_another_accounts_key_cannot_be_told_from_none(stack, policy, operation) -> None:
    """CVE-2022-23452: nor the key that its alias means, whatever either policy says."""
    stack.keyring()
    eve = stack.user("eve", policy, tenant=harness.OTHER_TENANT)
    there, denying = stack.key(), stack.key(policy=DENIES_ALL)
    stack.name(there, "alias/there")
    at = f"arn:aws:kms:{harness.REGION}:{harness.TENANT}:"
    more = {"Plaintext": b"x"} if operation == "Encrypt" else {}
    absent = {"key": f"{at}key/00000000-0000-4000-8000-000000000000", "alias": f"{at}alias/absent"}
    for kind, arn in (("key", stack.arn(there)), ("key", stack.arn(denying)), ("alias", f"{at}alias/there")):
        answers = [eve.call(operation, KeyId=name, **more) for name in (arn, absent[kind])]
        assert {reply.code for reply in answers} == {"AccessDeniedException"}
        assert answers[0].message.replace(arn, "it") == answers[1].message.replace(absent[kind], "it")
        assert there.id not in answers[0].message or kind == "key"
