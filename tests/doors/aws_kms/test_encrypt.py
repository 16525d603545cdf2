"""Encrypt, Decrypt, ReEncrypt as AWS documents them. KMS API Reference, under these names, unless a test says more."""

from __future__ import annotations

from base64 import b64decode

import pytest
from tests import harness
from tests.doors.aws_kms.managing import allow, deny, policy
from tests.harness import b64

from keystead.core.algorithms import Purpose
from keystead.core.entities import Key

DATA = b"attack at dawn"


def encrypted(stack, key, **members) -> str:
    reply = stack.admin.call("Encrypt", KeyId=key.id, Plaintext=DATA, **members)
    assert reply.status == 200, reply.body
    return reply.json["CiphertextBlob"]


def test_encrypt_answers_with_the_key_arn_whatever_the_caller_wrote(stack) -> None:
    key = stack.key()
    stack.name(key, "alias/app")
    arn = stack.arn(key)
    for written in (key.id, arn, "alias/app", f"arn:aws:kms:us-east-1:{harness.TENANT}:alias/app"):
        reply = stack.admin.call("Encrypt", KeyId=written, Plaintext=DATA)
        assert set(reply.json) == {"CiphertextBlob", "KeyId", "EncryptionAlgorithm"}
        assert (reply.json["KeyId"], reply.json["EncryptionAlgorithm"]) == (arn, "SYMMETRIC_DEFAULT")
    assert reply.headers["content-type"] == "application/x-amz-json-1.1"


def test_decrypt_finds_the_key_in_the_ciphertext(stack) -> None:
    key = stack.key()
    reply = stack.admin.call("Decrypt", CiphertextBlob=encrypted(stack, key))
    assert reply.json.pop("KeyMaterialId").isalnum()
    assert {name: value for name, value in reply.json.items() if name != "KeyMaterialId"} == {
        "KeyId": stack.arn(key),
        "Plaintext": b64(DATA),
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }


def test_what_was_done_is_on_record_with_key_version_and_a_digest_of_the_context(stack) -> None:
    key = stack.key()
    blob = encrypted(stack, key, EncryptionContext={"tenant": "blue"})
    sealed = stack.record()
    stack.admin.call("Decrypt", CiphertextBlob=blob, EncryptionContext={"tenant": "blue"})
    opened = stack.record()
    assert [(t.action, t.key, t.version) for t in sealed.targets] == [("key:encrypt", key.id, 1)]
    assert [(t.action, t.key, t.version) for t in opened.targets] == [("key:decrypt", key.id, 1)]
    assert sealed.context == opened.context != ""
    assert (opened.operation, opened.source, opened.who.via) == (
        "TrentService.Decrypt",
        harness.PEER,
        stack.admin.access_key_id,
    )


@pytest.mark.parametrize(
    ("sealed", "opened"),
    [
        ({"a": "1"}, {}),
        ({}, {"a": "1"}),
        ({"a": "1"}, {"a": "2"}),
        ({"a": "1"}, {"A": "1"}),
        ({"a": "1", "b": "2"}, {"a": "1"}),
    ],
)
def test_another_context_is_an_invalid_ciphertext_without_words(stack, sealed, opened) -> None:
    """Developer Guide, "Encryption context": an exact, case-sensitive match."""
    blob = encrypted(stack, stack.key(), EncryptionContext=sealed)
    reply = stack.admin.call("Decrypt", CiphertextBlob=blob, EncryptionContext=opened)
    assert (reply.status, reply.code, reply.message) == (400, "InvalidCiphertextException", None)
    assert stack.record().outcome == "refused: DecryptionFailed"


def test_a_context_has_no_order_and_an_empty_one_is_none(stack) -> None:
    key = stack.key()
    blob = encrypted(stack, key, EncryptionContext={"b": "2", "a": "1"})
    assert stack.admin.call("Decrypt", CiphertextBlob=blob, EncryptionContext={"a": "1", "b": "2"}).status == 200
    blob = encrypted(stack, key)
    assert stack.admin.call("Decrypt", CiphertextBlob=blob, EncryptionContext={}).status == 200
    assert stack.admin.call("Decrypt", CiphertextBlob=blob, EncryptionContext=None).status == 200


def test_the_wrong_key_is_an_incorrect_key(stack) -> None:
    """ "If you identify a different KMS key, the Decrypt operation throws an IncorrectKeyException." """
    mine, other = stack.key(), stack.key()
    reply = stack.admin.call("Decrypt", CiphertextBlob=encrypted(stack, mine), KeyId=other.id)
    assert reply.code == "IncorrectKeyException"
    assert reply.message == "The key ID in the request does not identify a CMK that can perform this operation."


@pytest.mark.parametrize(("spec", "purpose"), [("HMAC_224", None), ("RSA_2048", Purpose.SIGNATURE), ("RSA_2048", None)])
def test_the_wrong_key_is_incorrect_before_its_usage_is(shared, spec, purpose) -> None:
    """ls, test_error_messaging_for_invalid_keys and test_re_encrypt_incorrect_source_key."""
    mine, other = shared.key(), shared.key(spec, purpose)
    blob = encrypted(shared, mine)
    for reply in (
        shared.admin.call("Decrypt", CiphertextBlob=blob, KeyId=other.id),
        shared.admin.call("ReEncrypt", CiphertextBlob=blob, SourceKeyId=other.id, DestinationKeyId=other.id),
    ):
        assert reply.code == "IncorrectKeyException"
    wrong = shared.admin.call("Decrypt", CiphertextBlob=b"x" * 99, KeyId=other.id)
    assert wrong.code == "InvalidKeyUsageException"


def test_an_unknown_key_in_a_ciphertext_and_a_forbidden_one_are_told_alike(stack) -> None:
    """The text is matched by clients (kubernetes-sigs/aws-encryption-provider #91)."""
    key = stack.key()
    blob = encrypted(stack, key)
    stranger = stack.user("stranger")
    other = harness.stack(seed=7)
    foreign = encrypted(other, other.key())
    replies = [
        stack.admin.call("Decrypt", CiphertextBlob=foreign),
        stranger.call("Decrypt", CiphertextBlob=foreign),
        stranger.call("Decrypt", CiphertextBlob=blob),
    ]
    assert {(reply.code, reply.message) for reply in replies} == {
        (
            "AccessDeniedException",
            "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
            "or you are not allowed to access.",
        )
    }


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"])
def test_rsa_needs_its_key_and_algorithm_named(shared, algorithm) -> None:
    """ "When the KMS key is asymmetric, you must specify the KMS key and the encryption algorithm." """
    key = rsa(shared)
    blob = encrypted(shared, key, EncryptionAlgorithm=algorithm)
    assert len(b64decode(blob)) == 256
    full = {"CiphertextBlob": blob, "KeyId": key.id, "EncryptionAlgorithm": algorithm}
    reply = shared.admin.call("Decrypt", **full)
    assert (reply.json["Plaintext"], reply.json["EncryptionAlgorithm"]) == (b64(DATA), algorithm)
    assert "KeyMaterialId" not in reply.json
    without_key = shared.admin.call("Decrypt", CiphertextBlob=blob, EncryptionAlgorithm=algorithm)
    assert without_key.code == "ValidationException"
    without_algorithm = shared.admin.call("Decrypt", CiphertextBlob=blob, KeyId=key.id)
    assert (without_algorithm.code, without_algorithm.message) == (
        "InvalidKeyUsageException",
        "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.",
    )


@pytest.mark.parametrize(("algorithm", "limit"), [("RSAES_OAEP_SHA_1", 214), ("RSAES_OAEP_SHA_256", 190)])
def test_rsa_takes_as_much_as_its_padding_leaves(shared, algorithm, limit) -> None:
    key = rsa(shared)
    members = {"KeyId": key.id, "EncryptionAlgorithm": algorithm}
    assert shared.admin.call("Encrypt", Plaintext=bytes(limit), **members).status == 200
    reply = shared.admin.call("Encrypt", Plaintext=bytes(limit + 1), **members)
    assert (reply.code, reply.message) == (
        "ValidationException",
        f"Algorithm {algorithm} and key spec RSA_2048 cannot encrypt data larger than {limit} bytes.",
    )


@pytest.mark.parametrize(
    ("written", "text"),
    [("5", "5"), ("-1", "-1"), ("1.50", "1.50"), ("1e3", "1e3"), ("true", "true"), ("false", "false")],
)
def test_a_context_of_no_strings_is_taken_as_it_is_written(stack, written, text) -> None:
    """Developer Guide, "Encryption context": "AWS KMS interprets it as a string". SDKs without types send it so."""
    key = stack.key()
    context = f'{{"é": {written}, "b": "c"}}'
    asked = f'{{"KeyId": "{key.id}", "NumberOfBytes": 16, "EncryptionContext": {context}}}'
    made = stack.admin.post("GenerateDataKey", asked.encode())
    assert made.status == 200, made.body
    asked = {"CiphertextBlob": made.json["CiphertextBlob"], "EncryptionContext": {"é": text, "b": "c"}}
    opened = stack.admin.call("Decrypt", **asked)
    assert opened.json["Plaintext"] == made.json["Plaintext"]
    moved = f'{{"CiphertextBlob": "{made.json["CiphertextBlob"]}", "DestinationKeyId": "{key.id}", '
    moved += f'"SourceEncryptionContext": {context}, "DestinationEncryptionContext": {context}}}'
    asked["CiphertextBlob"] = stack.admin.post("ReEncrypt", moved.encode()).json["CiphertextBlob"]
    assert stack.admin.call("Decrypt", **asked).status == 200


@pytest.mark.parametrize("written", ["null", "[]", "{}", "NaN", "1" * 5000, "01", '1, "x": 2', "-"])
def test_what_is_no_value_of_a_context_all_the_same(stack, written) -> None:
    asked = f'{{"KeyId": "{stack.key().id}", "Plaintext": "eA==", "EncryptionContext": {{"a": 1, "x": {written}}}}}'
    reply = stack.admin.post("Encrypt", asked.encode())
    assert (reply.code, reply.message) == ("SerializationException", None)


@pytest.mark.parametrize("before", [True, False])
def test_a_context_of_no_strings_hides_no_other_fault(shared, before) -> None:
    """It is no fault of its own, wherever it stands: what is said is what is wrong, as without it."""
    context, others = '"EncryptionContext": {"a": 1}', '"Plaintext": "", "KeyId": ""'
    body = f"{{{context}, {others}}}" if before else f"{{{others}, {context}}}"
    reply = shared.admin.post("Encrypt", body.encode())
    assert (reply.code, reply.message) == (
        "ValidationException",
        "2 validation errors detected: "
        "Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1; "
        "Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1",
    )


def test_a_context_goes_with_symmetric_keys_only(shared) -> None:
    """ "An encryption context is valid only for cryptographic operations with a symmetric encryption KMS key." """
    key = rsa(shared)
    reply = shared.admin.call(
        "Encrypt", KeyId=key.id, Plaintext=DATA, EncryptionAlgorithm="RSAES_OAEP_SHA_256", EncryptionContext={"a": "b"}
    )
    assert reply.code == "ValidationException"


def rsa(stack):
    if not hasattr(stack, "rsa"):
        stack.rsa = stack.key("RSA_2048", Purpose.CIPHER)
    return stack.rsa


def test_a_key_of_another_usage_is_refused_by_name(stack) -> None:
    key = stack.key("HMAC_256")
    reply = stack.admin.call("Encrypt", KeyId=key.id, Plaintext=DATA)
    assert (reply.code, reply.message) == (
        "InvalidKeyUsageException",
        f"{stack.arn(key)} key usage is GENERATE_VERIFY_MAC which is not valid for Encrypt.",
    )


def test_re_encrypt_moves_a_ciphertext_to_another_key_and_context(stack) -> None:
    old, new = stack.key(), stack.key()
    blob = encrypted(stack, old, EncryptionContext={"a": "1"})
    reply = stack.admin.call(
        "ReEncrypt",
        CiphertextBlob=blob,
        SourceEncryptionContext={"a": "1"},
        DestinationKeyId=new.id,
        DestinationEncryptionContext={"b": "2"},
    )
    assert (reply.json["SourceKeyId"], reply.json["KeyId"]) == (stack.arn(old), stack.arn(new))
    assert len(reply.json["SourceKeyMaterialId"]) == len(reply.json["DestinationKeyMaterialId"]) == 64
    assert [(t.action, t.key, t.version) for t in stack.record().targets] == [
        ("key:re-encrypt-from", old.id, 1),
        ("key:re-encrypt-to", new.id, 1),
    ]
    moved = reply.json["CiphertextBlob"]
    opened = stack.admin.call("Decrypt", CiphertextBlob=moved, EncryptionContext={"b": "2"}, KeyId=new.id)
    assert opened.json["Plaintext"] == b64(DATA)


def test_re_encrypt_with_the_wrong_source_key(stack) -> None:
    old, new = stack.key(), stack.key()
    blob = encrypted(stack, old)
    reply = stack.admin.call("ReEncrypt", CiphertextBlob=blob, SourceKeyId=new.id, DestinationKeyId=new.id)
    assert reply.code == "IncorrectKeyException"


def test_the_words_of_a_refusal_name_the_key_that_was_refused(stack) -> None:
    old, new = stack.key(), stack.key("HMAC_256")
    reply = stack.admin.call("ReEncrypt", CiphertextBlob=encrypted(stack, old), DestinationKeyId=new.id)
    assert reply.message == f"{stack.arn(new)} key usage is GENERATE_VERIFY_MAC which is not valid for ReEncrypt."


@pytest.mark.parametrize("how", ["id", "arn", "alias", "alias arn"])
def test_a_policy_can_keep_reencryption_to_the_key_it_was_encrypted_under(stack, how) -> None:
    """KMS Developer Guide, "kms:ReEncryptOnSameKey": both keys are asked, whatever they are called."""
    one, two = stack.key(), stack.key()
    stack.name(one, "alias/one")
    stack.name(two, "alias/two")
    same = {"Condition": {"Bool": {"kms:ReEncryptOnSameKey": "true"}}}
    other = {"Condition": {"Bool": {"kms:ReEncryptOnSameKey": "false"}}}
    alice = stack.user("alice", policy(allow("kms:Encrypt"), allow("kms:ReEncrypt*", **same)))
    bob = stack.user("bob", policy(allow("kms:*"), deny("kms:ReEncryptTo", **other)))
    carol = stack.user("carol", policy(allow("kms:*"), deny("kms:ReEncryptFrom", **same)))
    blob = encrypted(stack, one)

    def codes(to: Key, alias: str) -> list[str | None]:
        named = {
            "id": to.id,
            "arn": stack.arn(to),
            "alias": alias,
            "alias arn": f"arn:aws:kms:{harness.REGION}:{harness.TENANT}:{alias}",
        }[how]
        return [who.call("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=named).code for who in (alice, bob, carol)]

    assert codes(one, "alias/one") == [None, None, "AccessDeniedException"]
    assert codes(two, "alias/two") == ["AccessDeniedException", "AccessDeniedException", None]


def test_every_copy_of_a_multi_region_key_is_the_same_key_to_itself(stack) -> None:
    """Its id in a ciphertext looks like any other."""
    key_id = stack.admin.call("CreateKey", MultiRegion=True).json["KeyMetadata"]["KeyId"]
    same = {"Condition": {"Bool": {"kms:ReEncryptOnSameKey": "true"}}}
    alice = stack.user("alice", policy(allow("kms:Encrypt"), allow("kms:ReEncrypt*", **same)))
    blob = alice.call("Encrypt", KeyId=key_id, Plaintext=DATA).json["CiphertextBlob"]
    assert alice.call("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=key_id).status == 200


DRY = "The request would have succeeded, but the DryRun option is set."


def test_a_dry_run_that_would_have_succeeded_says_so_as_an_error(stack) -> None:
    """Developer Guide, "Testing your permissions"."""
    key = stack.key()
    blob = encrypted(stack, key)
    for operation, members in (
        ("Encrypt", {"KeyId": key.id, "Plaintext": DATA}),
        ("Decrypt", {"CiphertextBlob": blob}),
        ("ReEncrypt", {"CiphertextBlob": blob, "DestinationKeyId": key.id}),
    ):
        reply = stack.admin.call(operation, DryRun=True, **members)
        assert (reply.code, reply.message) == ("DryRunOperationException", DRY)
        assert stack.record().outcome == "dry run"


def test_a_dry_run_that_would_have_failed_fails_the_same_way(stack) -> None:
    key = stack.key()
    blob = encrypted(stack, key, EncryptionContext={"a": "1"})
    assert stack.admin.call("Decrypt", CiphertextBlob=blob, DryRun=True).code == "InvalidCiphertextException"
    stranger = stack.user("stranger")
    reply = stranger.call("Encrypt", KeyId=key.id, Plaintext=DATA, DryRun=True)
    assert reply.code == "AccessDeniedException"
    assert reply.message.startswith(
        f"User: {stranger.arn} is not authorized to perform: kms:Encrypt on resource: {stack.arn(key)} because"
    )


def test_a_dry_run_may_do_without_a_ciphertext(stack) -> None:
    """API Reference, Decrypt, DryRunModifiers: IGNORE_CIPHERTEXT tests the right alone, and needs KeyId."""
    key = stack.key()
    blind = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    for members in ({"KeyId": key.id}, {"KeyId": key.id, "CiphertextBlob": b"no ciphertext at all"}):
        assert stack.admin.call("Decrypt", **members, **blind).message == DRY
    assert stack.admin.call("ReEncrypt", SourceKeyId=key.id, DestinationKeyId=key.id, **blind).message == DRY
    assert stack.user("stranger").call("Decrypt", KeyId=key.id, **blind).code == "AccessDeniedException"
    assert stack.admin.call("Decrypt", **blind).message.endswith(
        "at 'keyId' failed to satisfy constraint: Member must not be null"
    )


def test_the_modifier_does_nothing_without_a_dry_run(stack) -> None:
    key = stack.key()
    reply = stack.admin.call("Decrypt", KeyId=key.id, DryRunModifiers=["IGNORE_CIPHERTEXT"])
    assert (reply.code, reply.message) == (
        "ValidationException",
        "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: "
        "Member must not be null",
    )


def test_an_attestation_document_is_not_supported(stack) -> None:
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"document"}
    blob = encrypted(stack, stack.key())
    assert stack.admin.call("Decrypt", CiphertextBlob=blob, Recipient=recipient).code == "UnsupportedOperationException"


def test_boto3_reads_what_we_write(stack) -> None:
    key = stack.key()
    kms = stack.admin.client("kms")
    sealed = kms.encrypt(KeyId=key.id, Plaintext=DATA, EncryptionContext={"a": "1"})
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"a": "1"})
    assert opened["Plaintext"] == DATA
    with pytest.raises(kms.exceptions.InvalidCiphertextException) as caught:
        kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])
    assert "message" not in caught.value.response
