"""An algorithm after its last day protects nothing new, and what it has protected is processed (row 96)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from tests.doors.aws_kms.managing import ask
from tests.doors.aws_kms.wrapped import importing
from tests.harness import stack

from keystead.core.algorithms import Purpose
from keystead.core.cutoffs import Cutoffs, Rules

YEARS = timedelta(days=366 * 6)


@pytest.fixture
def office():
    return stack()


def refuses(office, **rules) -> None:
    office.service._cutoffs = Cutoffs(Rules(**rules))


def refused(person, operation: str, **members) -> str:
    reply = person.call(operation, **members)
    assert (reply.status, reply.code) == (400, "UnsupportedOperationException"), (operation, reply.code)
    record = person.stack.record()
    assert record.outcome == "refused: Unsupported"
    return reply.message


def test_row_96_rsa_of_2048_bits_after_2030(office) -> None:
    admin = office.admin
    signing = office.key("RSA_2048", Purpose.SIGNATURE).id
    opening = office.key("RSA_2048", Purpose.CIPHER).id
    strong = office.key("RSA_3072", Purpose.SIGNATURE).id
    refuses(office, profile="nist-2030")
    of = {"KeyId": signing, "Message": b"m", "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    by = {"KeyId": opening, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    signature = ask(admin, "Sign", **of)["Signature"]
    sealed = ask(admin, "Encrypt", Plaintext=b"x", **by)["CiphertextBlob"]
    office.clock.forward(YEARS)
    said = refused(admin, "Sign", **of)
    assert said == (
        "Algorithm RSASSA_PSS_SHA_256 and key spec RSA_2048 are not supported for protecting data after 2030-12-31 "
        "(SP 800-57pt1r5 §5.6.3, Table 4: a strength of 112 bits)."
    )
    refused(admin, "Sign", DryRun=True, **of)
    refused(admin, "Encrypt", Plaintext=b"x", **by)
    refused(admin, "CreateKey", KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    assert ask(admin, "Verify", Signature=signature, **of)["SignatureValid"] is True
    assert ask(admin, "Decrypt", CiphertextBlob=sealed, **by)["Plaintext"]
    assert ask(admin, "GetPublicKey", KeyId=signing)["PublicKey"]
    assert ask(admin, "DescribeKey", KeyId=signing)["KeyMetadata"]["KeyState"] == "Enabled"
    assert ask(admin, "Sign", **(of | {"KeyId": strong}))["Signature"]
    assert ask(admin, "CreateKey", KeySpec="RSA_3072", KeyUsage="SIGN_VERIFY")


def test_row_96_every_verb_that_protects(office) -> None:
    admin = office.admin
    aes, mac, kem = office.key().id, office.key("HMAC_256").id, office.key("ML_KEM_768").id
    agree = office.key("ECC_NIST_P256", Purpose.AGREEMENT).id
    peer = ask(admin, "GetPublicKey", KeyId=office.key("ECC_NIST_P256", Purpose.AGREEMENT).id)["PublicKey"]
    imported = ask(admin, "CreateKey", Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    sealed = ask(admin, "Encrypt", KeyId=aes, Plaintext=b"x")["CiphertextBlob"]
    tag = ask(admin, "GenerateMac", KeyId=mac, Message=b"m", MacAlgorithm="HMAC_SHA_256")["Mac"]
    given = ask(admin, "Encapsulate", KeyId=kem, EncapsulationAlgorithm="ML_KEM")["SharedSecretCiphertextBlob"]
    over = date(2026, 1, 1)
    refuses(office, until=dict.fromkeys(("AES_256", "HMAC_256", "ML_KEM_768", "EC_P256", "RSA_4096"), over))
    refused(admin, "Encrypt", KeyId=aes, Plaintext=b"x")
    refused(admin, "ReEncrypt", CiphertextBlob=sealed, DestinationKeyId=aes)
    refused(admin, "GenerateDataKey", KeyId=aes, KeySpec="AES_256")
    refused(admin, "GenerateDataKeyWithoutPlaintext", KeyId=aes, KeySpec="AES_256")
    refused(admin, "GenerateDataKeyPair", KeyId=aes, KeyPairSpec="ECC_NIST_P384")
    refused(admin, "GenerateMac", KeyId=mac, Message=b"m", MacAlgorithm="HMAC_SHA_256")
    refused(admin, "Encapsulate", KeyId=kem, EncapsulationAlgorithm="ML_KEM")
    refused(admin, "CreateKey")
    refused(
        admin,
        "GetParametersForImport",
        KeyId=imported,
        WrappingAlgorithm="RSAES_OAEP_SHA_256",
        WrappingKeySpec="RSA_4096",
    )
    assert ask(admin, "Decrypt", CiphertextBlob=sealed)["Plaintext"]
    assert ask(admin, "VerifyMac", KeyId=mac, Message=b"m", Mac=tag, MacAlgorithm="HMAC_SHA_256")["MacValid"]
    assert ask(admin, "Decapsulate", KeyId=kem, SharedSecretCiphertextBlob=given, EncapsulationAlgorithm="ML_KEM")[
        "SharedSecret"
    ]
    assert ask(admin, "DeriveSharedSecret", KeyId=agree, PublicKey=peer, KeyAgreementAlgorithm="ECDH")["SharedSecret"]


def test_row_96_a_pair_of_a_kind_that_may_protect_no_more_is_not_made(office) -> None:
    key = office.key().id
    refuses(office, profile="cnsa-2.0")
    said = refused(office.admin, "GenerateDataKeyPair", KeyId=key, KeyPairSpec="ECC_NIST_P256")
    assert "not supported for protecting data here (not in CNSA 1.0 or 2.0: strength)" in said
    assert ask(office.admin, "GenerateDataKeyPair", KeyId=key, KeyPairSpec="ECC_NIST_P384")["PublicKey"]
    assert ask(office.admin, "CreateKey", KeySpec="RSA_3072", KeyUsage="SIGN_VERIFY"), "there is SHA-384 for it"


def test_row_96_whether_it_was_allowed_is_decided_first(office) -> None:
    """Who may not use a key does not learn what it is no good for."""
    key = office.key("RSA_2048", Purpose.SIGNATURE).id
    refuses(office, profile="cnsa-2.0")
    reply = office.user("nobody").call("Sign", KeyId=key, Message=b"m", SigningAlgorithm="RSASSA_PSS_SHA_256")
    assert reply.code == "AccessDeniedException"


def test_row_96_new_material_is_asked_for_its_date_and_what_was_here_before_is_not(office) -> None:
    admin, material = office.admin, bytes(range(32))
    had, waits = (ask(admin, "CreateKey", Origin="EXTERNAL")["KeyMetadata"]["KeyId"] for _ in range(2))
    assert importing(admin, had, material).status == 200
    ask(admin, "DeleteImportedKeyMaterial", KeyId=had)
    refuses(office, until={"AES_256": date(2026, 1, 1)})
    assert importing(admin, had, material).status == 200  # what it has encrypted is to be decrypted
    assert importing(admin, waits, material).code == "UnsupportedOperationException"
