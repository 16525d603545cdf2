"""One key behind two doors: AWS KMS through boto3, Vault's transit by path. One state, one policy, one set of terms."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode

import pytest
from botocore.exceptions import ClientError
from tests import harness

from keystead.core import operations as ops
from keystead.core.entities import Binding, PolicyText
from keystead.core.limits import Allowance, Limits

PREFIX = "vault:v1:"


@pytest.fixture
def stack():
    """A keyring of AWS's, bound to a mount too."""
    made = harness.stack()
    bound = made.barrier.get(Binding, f"aws:{harness.TENANT}:{harness.REGION}")
    made.by_system(ops.BindKeyring(keyring=bound.keyring, namespace=f"vault:{harness.TENANT}:kms"))
    return made


@pytest.fixture
def vault(stack):
    return stack.bearer()


@pytest.fixture
def kms(stack):
    return stack.admin.client("kms")


@pytest.fixture
def key(kms):
    made = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/app", TargetKeyId=made)
    return made


def b64(raw: bytes) -> str:
    return b64encode(raw).decode()


def test_what_one_door_encrypts_the_other_decrypts(kms, vault, key):
    blob = kms.encrypt(KeyId="alias/app", Plaintext=b"hello")["CiphertextBlob"]
    opened = vault.data("POST", "kms/decrypt/app", ciphertext=PREFIX + b64(blob))
    assert b64decode(opened["plaintext"]) == b"hello"

    sealed = vault.data("POST", "kms/encrypt/app", plaintext=b64(b"there"))
    assert sealed["ciphertext"].startswith(PREFIX)
    blob = b64decode(sealed["ciphertext"].removeprefix(PREFIX))
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"there"


def test_an_alias_is_a_name_at_the_mount(kms, vault, key):
    assert vault.data("LIST", "kms/keys") == {"keys": ["app"]}
    assert vault.data("GET", "kms/keys/app")["type"] == "aes256-gcm96"
    kms.delete_alias(AliasName="alias/app")
    assert vault.refusal("GET", "kms/keys/app") == (404, "")


def test_an_alias_that_is_no_word_of_a_path_is_no_name_there(kms, vault, key):
    kms.create_alias(AliasName="alias/team/app", TargetKeyId=key)
    assert vault.data("LIST", "kms/keys") == {"keys": ["app"]}


def test_a_key_is_not_made_over_an_alias(kms, vault, key):
    before = vault.data("GET", "kms/keys/app")
    assert vault.data("POST", "kms/keys/app", type="rsa-2048") == before


def test_the_mounts_own_name_goes_before_an_alias(kms, vault, key):
    vault.data("POST", "kms/keys/other")
    kms.create_alias(AliasName="alias/other", TargetKeyId=key)
    sealed = vault.data("POST", "kms/encrypt/other", plaintext=b64(b"x"))["ciphertext"]
    (blob,) = [b64decode(sealed.removeprefix(PREFIX))]
    assert kms.decrypt(CiphertextBlob=blob)["KeyId"].rpartition("/")[2] != key


def test_one_disable_stops_both(kms, vault, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"hello")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    with pytest.raises(ClientError, match="DisabledException"):
        kms.decrypt(CiphertextBlob=blob)
    assert vault.refusal("POST", "kms/decrypt/app", ciphertext=PREFIX + b64(blob))[0] == 400
    assert vault.refusal("POST", "kms/encrypt/app", plaintext=b64(b"x"))[0] == 400
    kms.enable_key(KeyId=key)
    assert b64decode(vault.data("POST", "kms/decrypt/app", ciphertext=PREFIX + b64(blob))["plaintext"]) == b"hello"


def test_a_rotation_at_one_door_is_one_at_the_other(kms, vault, key):
    old = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    assert vault.data("POST", "kms/keys/app/rotate")["latest_version"] == 2
    new = vault.data("POST", "kms/encrypt/app", plaintext=b64(b"new"))
    assert new["key_version"] == 2
    assert kms.decrypt(CiphertextBlob=b64decode(new["ciphertext"].removeprefix("vault:v2:")))["Plaintext"] == b"new"
    assert kms.decrypt(CiphertextBlob=old)["Plaintext"] == b"old"
    again = vault.data("POST", "kms/rewrap/app", ciphertext=PREFIX + b64(old))
    assert again["key_version"] == 2
    status, words = vault.refusal("POST", "kms/encrypt/app", plaintext=b64(b"x"), key_version=1)
    assert (status, "less than the minimum" in words) == (400, True)


def test_min_decryption_version_holds_at_the_other_door(kms, vault, key):
    old = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    vault.data("POST", "kms/keys/app/rotate")
    vault.data("POST", "kms/keys/app/config", min_decryption_version=2)
    with pytest.raises(ClientError, match="KMSInvalidStateException"):
        kms.decrypt(CiphertextBlob=old)
    status, words = vault.refusal("POST", "kms/decrypt/app", ciphertext=PREFIX + b64(old))
    assert (status, words) == (400, "ciphertext or signature version is disallowed by policy (too old)")
    vault.data("POST", "kms/keys/app/config", min_decryption_version=1)
    assert kms.decrypt(CiphertextBlob=old)["Plaintext"] == b"old"


def test_a_derived_key_is_not_used_without_its_context_at_the_other_door(kms, vault):
    vault.data("POST", "kms/keys/derived", derived=True)
    sealed = vault.data("POST", "kms/encrypt/derived", plaintext=b64(b"x"), context=b64(b"c"))["ciphertext"]
    with pytest.raises(ClientError):
        kms.decrypt(CiphertextBlob=b64decode(sealed.removeprefix(PREFIX)))


def test_a_key_that_kms_made_never_leaves(kms, vault, key):
    assert vault.refusal("POST", "kms/keys/app/config", exportable=True)[0] == 501
    assert vault.refusal("GET", "kms/export/encryption-key/app")[0] == 400


def test_deleted_at_one_door_it_is_gone_at_the_other(kms, vault, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    vault.data("POST", "kms/keys/app/config", deletion_allowed=True)
    vault.data("DELETE", "kms/keys/app")
    with pytest.raises(ClientError):
        kms.decrypt(CiphertextBlob=blob)
    assert vault.refusal("GET", "kms/keys/app") == (404, "")


def test_signatures_cross(kms, vault):
    made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/signer", TargetKeyId=made)
    signature = kms.sign(KeyId=made, Message=b"m", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
    asked = {"input": b64(b"m"), "signature": PREFIX + b64(signature)}
    assert vault.data("POST", "kms/verify/signer", **asked) == {"valid": True}
    signed = vault.data("POST", "kms/sign/signer", input=b64(b"m"))["signature"]
    checked = kms.verify(
        KeyId=made,
        Message=b"m",
        SigningAlgorithm="ECDSA_SHA_256",
        Signature=b64decode(signed.removeprefix(PREFIX)),
    )
    assert checked["SignatureValid"]


def test_a_mac_of_an_hmac_key_is_the_same_at_both(kms, vault):
    made = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/mac", TargetKeyId=made)
    mac = kms.generate_mac(KeyId=made, Message=b"m", MacAlgorithm="HMAC_SHA_256")["Mac"]
    assert vault.data("POST", "kms/hmac/mac", input=b64(b"m"))["hmac"] == PREFIX + b64(mac)


def test_a_key_policy_that_denies_holds_at_both(stack, kms, vault):
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"}
    allow = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{harness.TENANT}:root"}, "Action": "kms:*"}
    policy = {"Version": "2012-10-17", "Statement": [{**allow, "Resource": "*"}, deny]}
    made = kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/denied", TargetKeyId=made)
    with pytest.raises(ClientError, match="AccessDenied"):
        kms.encrypt(KeyId=made, Plaintext=b"x")
    assert vault.refusal("POST", "kms/encrypt/denied", plaintext=b64(b"x"))[0] == 403


def test_a_vault_policy_governs_the_kms_door_by_the_alias(stack, kms, key):
    policy = 'path "kms/encrypt/app" { capabilities = ["update"] }'
    person = stack.user("pat")
    at = ops.TenantRef(harness.TENANT)
    text = PolicyText("default", "vault", policy)
    stack.by_system(ops.PutPrincipalPolicy(tenant=at, name="pat", policy=text))
    theirs = person.client("kms")
    blob = theirs.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    with pytest.raises(ClientError, match="AccessDenied"):
        theirs.decrypt(CiphertextBlob=blob)


def test_one_log_shows_both(stack, kms, vault, key):
    stack.forget_records()
    kms.encrypt(KeyId=key, Plaintext=b"x")
    vault.data("POST", "kms/encrypt/app", plaintext=b64(b"x"))
    uses = [(one.door, one.targets[0].key) for one in stack.records() if one.targets and one.door != "harness"][-2:]
    assert uses == [("aws_kms", key), ("vault", key)]


def test_a_batch_is_one_record(stack, vault, key):
    stack.forget_records()
    items = [{"plaintext": b64(b"x")}, {"plaintext": b64(b"y"), "key_version": 9}]
    vault.call("POST", "kms/encrypt/app", batch_input=items)
    record = stack.record()
    assert (record.outcome, record.why, len(stack.journal.lines)) == ("performed", "1 of 2 refused", 1)


def test_uses_are_counted_over_both_doors(stack, kms, vault, key):
    """A limit that neither protocol knows; each says in its own way that it is reached."""
    here = f"aws:{harness.TENANT}:{harness.REGION}"
    limits = Limits(protect=Allowance(uses=2))
    stack.perform(ops.PutLimits(key=ops.KeyRef(here, id=key), limits=limits))
    kms.encrypt(KeyId=key, Plaintext=b"x")
    vault.data("POST", "kms/encrypt/app", plaintext=b64(b"x"))
    with pytest.raises(ClientError, match="KMSInvalidStateException") as caught:
        kms.encrypt(KeyId=key, Plaintext=b"x")
    assert caught.value.response["Error"]["Message"].endswith(f":key/{key} has reached the limit of its uses.")
    refused = vault.ask("POST", "kms/encrypt/app", {"plaintext": b64(b"x")})
    assert refused.status == 400
    assert refused.json == {"errors": ["the key's limits do not allow it: all its uses are used up"]}


@pytest.mark.parametrize("kind", ["chacha20-poly1305", "xchacha20-poly1305"])
def test_a_cipher_that_kms_has_no_word_for_encrypts_nothing_there(kms, vault, kind):
    """Nor does it wrap data keys, which could not be decrypted there."""
    vault.data("POST", "kms/keys/other", type=kind)
    (found,) = [one["KeyId"] for one in kms.list_keys()["Keys"]]
    for ask in (
        lambda: kms.encrypt(KeyId=found, Plaintext=b"x"),
        lambda: kms.generate_data_key(KeyId=found, KeySpec="AES_256"),
        lambda: kms.generate_data_key_without_plaintext(KeyId=found, KeySpec="AES_256"),
        lambda: kms.generate_data_key_pair(KeyId=found, KeyPairSpec="ECC_NIST_P256"),
        lambda: kms.decrypt(KeyId=found, CiphertextBlob=bytes(60)),
        lambda: kms.re_encrypt(SourceKeyId=found, DestinationKeyId=found, CiphertextBlob=bytes(60)),
    ):
        with pytest.raises(ClientError, match=r"InvalidKeyUsageException|InvalidCiphertextException"):
            ask()
    assert not kms.describe_key(KeyId=found)["KeyMetadata"].get("KeySpec")


def test_an_hmac_key_of_a_size_that_kms_has_not(kms, vault):
    """Is shown without a KeySpec, and makes the MAC of its default digest there."""
    vault.data("POST", "kms/keys/mac", type="hmac", key_size=51)
    (found,) = [one["KeyId"] for one in kms.list_keys()["Keys"]]
    assert not kms.describe_key(KeyId=found)["KeyMetadata"].get("KeySpec")
    made = kms.generate_mac(KeyId=found, Message=b"m", MacAlgorithm="HMAC_SHA_384")["Mac"]
    fields = {"input": b64(b"m"), "algorithm": "sha2-384", "hmac": PREFIX + b64(made)}
    assert vault.data("POST", "kms/verify/mac", **fields) == {"valid": True}
    with pytest.raises(ClientError, match="InvalidKeyUsageException"):
        kms.generate_mac(KeyId=found, Message=b"m", MacAlgorithm="HMAC_SHA_256")
