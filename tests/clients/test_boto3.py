"""boto3 over every operation of AWS KMS, IAM and STS that Keystead offers."""

import hashlib
import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, padding
from tests.doors.aws_kms.wrapped import wrap
from tests.harness import OTHER_REGION
from tests.tokens import SigningKey

from keystead.doors.aws_kms import DOOR


@pytest.fixture
def kms(aws):
    return aws("kms")


def create(kms, **members):
    return kms.create_key(**members)["KeyMetadata"]["KeyId"]


def code(caught) -> str:
    return caught.value.response["Error"]["Code"]


def unique(text: str) -> str:
    return f"{text}-{os.urandom(4).hex()}"


def test_every_operation_is_called_in_this_file_or_in_that_of_identities() -> None:
    here = Path(__file__)
    source = here.read_text() + here.with_name("test_identities.py").read_text()
    for operation in DOOR.operations:
        if operation.name.startswith("Keystead."):
            continue  # AWS's clients have no words for those: test_quorum.py
        name = operation.name.replace(":", ".").rpartition(".")[2]
        assert f".{xform_name(name)}(" in source or f'"{xform_name(name)}"' in source, name


def test_who_am_i(aws) -> None:
    who = aws("sts").get_caller_identity()
    assert who["Arn"] == f"arn:aws:iam::{who['Account']}:user/{who['Arn'].rpartition('/')[2]}"


def test_a_user_from_its_beginning_to_its_end(aws) -> None:
    iam, name = aws("iam"), unique("user")
    made = iam.create_user(UserName=name)["User"]
    assert iam.get_user(UserName=name)["User"] == made
    assert made in [one for page in iam.get_paginator("list_users").paginate() for one in page["Users"]]
    assert made not in iam.list_users(MaxItems=1)["Users"][1:]
    text = json.dumps({"Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]})
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=text)
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == ["p"]
    assert iam.get_user_policy(UserName=name, PolicyName="p")["PolicyDocument"] == json.loads(text)
    key_id = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    assert aws("sts").get_access_key_info(AccessKeyId=key_id)["Account"] == made["Arn"].split(":")[4]
    iam.update_access_key(UserName=name, AccessKeyId=key_id, Status="Inactive")
    (listed,) = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert (listed["AccessKeyId"], listed["Status"]) == (key_id, "Inactive")
    with pytest.raises(iam.exceptions.DeleteConflictException):
        iam.delete_user(UserName=name)
    iam.delete_access_key(UserName=name, AccessKeyId=key_id)
    iam.delete_user_policy(UserName=name, PolicyName="p")
    iam.delete_user(UserName=name)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_user(UserName=name)


def test_a_provider_of_web_identities(aws) -> None:
    iam, url = aws("iam"), f"https://{unique('issuer')}.example/a"
    arn = iam.create_open_id_connect_provider(Url=url, ClientIDList=["one"])["OpenIDConnectProviderArn"]
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="two")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="one")
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["a" * 40])
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (found["Url"], found["ClientIDList"], found["ThumbprintList"]) == (url[8:], ["two"], ["a" * 40])
    assert {"Arn": arn} in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    sts, role = aws("sts"), f"{arn.partition(':oidc-provider')[0]}:role/{unique('role')}"
    claims = {
        "iss": url + "b",
        "sub": "me",
        "aud": "two",
        "iat": 1,
        "exp": 9_999_999_999,
    }  # test_web_identity: a good one
    with pytest.raises(sts.exceptions.InvalidIdentityTokenException, match="No OpenIDConnect provider found"):
        sts.assume_role_with_web_identity(
            RoleArn=role, RoleSessionName="here", WebIdentityToken=SigningKey().token(claims)
        )
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)


def test_what_an_access_key_was_last_used_for(aws) -> None:
    iam, name = aws("iam"), unique("user")
    iam.create_user(UserName=name)
    key_id = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    found = iam.get_access_key_last_used(AccessKeyId=key_id)
    assert (found["UserName"], found["AccessKeyLastUsed"]) == (name, {"ServiceName": "N/A", "Region": "N/A"})


def test_a_role_and_its_sessions(aws) -> None:
    iam, sts, name = aws("iam"), aws("sts"), unique("role")
    who = {"AWS": sts.get_caller_identity()["Account"]}
    trust = json.dumps({"Statement": [{"Effect": "Allow", "Principal": who, "Action": "sts:AssumeRole"}]})
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
    assert iam.get_role(RoleName=name)["Role"] == made
    assert made in [one for page in iam.get_paginator("list_roles").paginate() for one in page["Roles"]]
    assert iam.list_roles(MaxItems=1)["Roles"]
    iam.put_role_policy(
        RoleName=name,
        PolicyName="p",
        PolicyDocument=trust.replace('"Principal"', '"Resource"').replace(json.dumps(who), '"*"'),
    )
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["p"]
    assert iam.get_role_policy(RoleName=name, PolicyName="p")["PolicyName"] == "p"
    session = sts.assume_role(RoleArn=made["Arn"], RoleSessionName="here")
    assert session["AssumedRoleUser"]["Arn"].endswith(f":assumed-role/{name}/here")
    assert sts.get_session_token()["Credentials"]["AccessKeyId"].startswith("ASIA")
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust.replace("Allow", "Deny"))
    with pytest.raises(ClientError) as caught:
        sts.assume_role(RoleArn=made["Arn"], RoleSessionName="here")
    assert code(caught) == "AccessDenied"
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName=name)


def test_a_key_from_its_beginning_to_its_appointment(kms) -> None:
    made = kms.create_key(Description="of boto3", Tags=[{"TagKey": "a", "TagValue": "1"}])["KeyMetadata"]
    key_id = made["KeyId"]
    assert isinstance(made["CreationDate"], datetime)
    assert kms.describe_key(KeyId=made["Arn"])["KeyMetadata"] == made
    assert key_id in {k["KeyId"] for page in kms.get_paginator("list_keys").paginate() for k in page["Keys"]}
    kms.update_key_description(KeyId=key_id, Description="changed")
    kms.disable_key(KeyId=key_id)
    with pytest.raises(kms.exceptions.DisabledException):
        kms.encrypt(KeyId=key_id, Plaintext=b"x")
    kms.enable_key(KeyId=key_id)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["Description"] == "changed"
    assert kms.get_key_last_usage(KeyId=key_id)["KeyCreationDate"] == made["CreationDate"]
    until = kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    assert until["KeyState"] == "PendingDeletion"
    assert timedelta(days=7) <= until["DeletionDate"] - made["CreationDate"] < timedelta(days=7, minutes=5)
    with pytest.raises(kms.exceptions.KMSInvalidStateException):
        kms.enable_key(KeyId=key_id)
    assert kms.cancel_key_deletion(KeyId=key_id)["KeyId"] == made["Arn"]
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Disabled"
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.describe_key(KeyId="alias/never-made")


def test_encryption(kms) -> None:
    key_id, context = create(kms), {"app": "pay", "n": "1"}
    sealed = kms.encrypt(KeyId=key_id, Plaintext=b"hello", EncryptionContext=context)
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=dict(reversed(context.items())))
    assert (opened["Plaintext"], opened["KeyId"]) == (b"hello", sealed["KeyId"])
    for wrong in ({}, {"app": "pay"}, {"app1": "pay", "n": ""}):
        with pytest.raises(kms.exceptions.InvalidCiphertextException):
            kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=wrong)
    other = create(kms)
    with pytest.raises(kms.exceptions.IncorrectKeyException):
        kms.decrypt(KeyId=other, CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)
    moved = kms.re_encrypt(
        CiphertextBlob=sealed["CiphertextBlob"], SourceEncryptionContext=context, DestinationKeyId=other
    )
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == b"hello"
    with pytest.raises(kms.exceptions.DryRunOperationException):
        kms.encrypt(KeyId=key_id, Plaintext=b"x", DryRun=True)


def test_data_keys(kms) -> None:
    key_id = create(kms)
    for wanted, size in (({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 64}, 64)):
        made = kms.generate_data_key(KeyId=key_id, **wanted)
        assert len(made["Plaintext"]) == size
        assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
        blind = kms.generate_data_key_without_plaintext(KeyId=key_id, **wanted)
        assert (
            "Plaintext" not in blind and len(kms.decrypt(CiphertextBlob=blind["CiphertextBlob"])["Plaintext"]) == size
        )
    pair = kms.generate_data_key_pair(KeyId=key_id, KeyPairSpec="ECC_NIST_P256")
    private = serialization.load_der_private_key(pair["PrivateKeyPlaintext"], None)
    spki = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert spki == pair["PublicKey"]
    opened = kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"]
    assert opened == pair["PrivateKeyPlaintext"]
    blind = kms.generate_data_key_pair_without_plaintext(KeyId=key_id, KeyPairSpec="RSA_2048")
    assert "PrivateKeyPlaintext" not in blind and blind["PublicKey"]
    assert len(kms.generate_random(NumberOfBytes=33)["Plaintext"]) == 33


def test_signatures_verify_here_and_elsewhere(kms) -> None:
    message = b"what was signed"
    elliptic = create(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    signed = kms.sign(KeyId=elliptic, Message=message, SigningAlgorithm="ECDSA_SHA_256")
    public = serialization.load_der_public_key(kms.get_public_key(KeyId=elliptic)["PublicKey"])
    public.verify(signed["Signature"], message, ec.ECDSA(hashes.SHA256()))
    rsa = create(kms, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    digest = hashlib.sha384(message).digest()
    how = {"KeyId": rsa, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": "RSASSA_PSS_SHA_384"}
    signature = kms.sign(**how)["Signature"]
    assert kms.verify(**how, Signature=signature)["SignatureValid"] is True
    key = serialization.load_der_public_key(kms.get_public_key(KeyId=rsa)["PublicKey"])
    pss = padding.PSS(padding.MGF1(hashes.SHA384()), salt_length=48)
    key.verify(signature, message, pss, hashes.SHA384())
    with pytest.raises(InvalidSignature):
        key.verify(signature, message + b"!", pss, hashes.SHA384())
    with pytest.raises(kms.exceptions.KMSInvalidSignatureException):
        kms.verify(**{**how, "Message": hashlib.sha384(b"other").digest()}, Signature=signature)
    with pytest.raises(kms.exceptions.InvalidKeyUsageException):
        kms.encrypt(KeyId=rsa, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")


@pytest.mark.parametrize(
    ("spec", "algorithm"), [("ML_DSA_65", "ML_DSA_SHAKE_256"), ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512")]
)
def test_newer_signatures(kms, spec, algorithm) -> None:
    how = {
        "KeyId": create(kms, KeySpec=spec, KeyUsage="SIGN_VERIFY"),
        "Message": b"m",
        "SigningAlgorithm": algorithm,
    }
    assert kms.verify(**how, Signature=kms.sign(**how)["Signature"])["SignatureValid"] is True


def test_macs(kms) -> None:
    how = {
        "KeyId": create(kms, KeySpec="HMAC_384", KeyUsage="GENERATE_VERIFY_MAC"),
        "Message": b"m",
        "MacAlgorithm": "HMAC_SHA_384",
    }
    mac = kms.generate_mac(**how)["Mac"]
    assert len(mac) == 48 and kms.verify_mac(**how, Mac=mac)["MacValid"] is True
    with pytest.raises(kms.exceptions.KMSInvalidMacException):
        kms.verify_mac(**how, Mac=bytes(48))


def test_a_shared_secret_is_the_one_the_peer_has(kms) -> None:
    key_id = create(kms, KeySpec="ECC_NIST_P384", KeyUsage="KEY_AGREEMENT")
    peer = ec.generate_private_key(ec.SECP384R1())
    spki = peer.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ours = kms.derive_shared_secret(KeyId=key_id, KeyAgreementAlgorithm="ECDH", PublicKey=spki)["SharedSecret"]
    theirs = serialization.load_der_public_key(kms.get_public_key(KeyId=key_id)["PublicKey"])
    assert ours == peer.exchange(ec.ECDH(), theirs)


def test_encapsulation(kms) -> None:
    key_id = create(kms, KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")
    sent = kms.encapsulate(KeyId=key_id, EncapsulationAlgorithm="ML_KEM")
    back = {"KeyId": key_id, "EncapsulationAlgorithm": "ML_KEM"}
    opened = kms.decapsulate(**back, SharedSecretCiphertextBlob=sent["SharedSecretCiphertextBlob"])["SharedSecret"]
    assert opened == sent["SharedSecret"] and len(opened) == 32
    public = serialization.load_der_public_key(kms.get_public_key(KeyId=key_id)["PublicKey"])
    assert isinstance(public, mlkem.MLKEM768PublicKey)
    secret, ciphertext = public.encapsulate()
    assert kms.decapsulate(**back, SharedSecretCiphertextBlob=ciphertext)["SharedSecret"] == secret


def test_policies(kms) -> None:
    key_id = create(kms)
    read = kms.get_key_policy(KeyId=key_id)
    kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=read["Policy"])
    assert kms.get_key_policy(KeyId=key_id, PolicyName="default")["Policy"] == read["Policy"]
    assert kms.list_key_policies(KeyId=key_id)["PolicyNames"] == ["default"]
    with pytest.raises(kms.exceptions.MalformedPolicyDocumentException):
        kms.put_key_policy(KeyId=key_id, Policy="my policy")


def test_aliases(kms) -> None:
    first, second, name = create(kms), create(kms), unique("alias/app")
    kms.create_alias(AliasName=name, TargetKeyId=first)
    with pytest.raises(kms.exceptions.AlreadyExistsException):
        kms.create_alias(AliasName=name, TargetKeyId=second)
    kms.update_alias(AliasName=name, TargetKeyId=second)
    listed = kms.get_paginator("list_aliases").paginate(PaginationConfig={"PageSize": 1})
    assert {a["AliasName"]: a["TargetKeyId"] for page in listed for a in page["Aliases"]}[name] == second
    assert kms.list_aliases(KeyId=second)["Aliases"][0]["AliasName"] == name
    kms.delete_alias(AliasName=name)
    with pytest.raises(ClientError) as caught:
        kms.delete_alias(AliasName=name)
    assert code(caught) == "NotFoundException"


def test_tags(kms) -> None:
    key_id = create(kms)
    kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": f"k{n}", "TagValue": str(n)} for n in range(20)])
    kms.untag_resource(KeyId=key_id, TagKeys=["k3"])
    listed = kms.get_paginator("list_resource_tags").paginate(KeyId=key_id, PaginationConfig={"PageSize": 6})
    assert len([tag for page in listed for tag in page["Tags"]]) == 19
    assert kms.list_resource_tags(KeyId=key_id)["Truncated"] is False
    with pytest.raises(kms.exceptions.TagException):
        kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "aws:x", "TagValue": ""}])


def test_rotation(kms) -> None:
    key_id = create(kms)
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=100)
    status = kms.get_key_rotation_status(KeyId=key_id)
    assert status["KeyRotationEnabled"] and isinstance(status["NextRotationDate"], datetime)
    kms.rotate_key_on_demand(KeyId=key_id)
    listed = kms.get_paginator("list_key_rotations").paginate(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    assert len([entry for page in listed for entry in page["Rotations"]]) == 2
    assert kms.list_key_rotations(KeyId=key_id)["Rotations"][0]["RotationType"] == "ON_DEMAND"
    kms.disable_key_rotation(KeyId=key_id)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert kms.list_keys(Limit=1)["Keys"]


def test_grants(aws, kms) -> None:
    key_id, me = create(kms), aws("sts").get_caller_identity()["Arn"]
    made = kms.create_grant(
        KeyId=key_id,
        GranteePrincipal=me,
        RetiringPrincipal=me,
        Operations=["Encrypt", "Decrypt"],
        Constraints={"EncryptionContextSubset": {"a": "b"}},
    )
    used = kms.encrypt(KeyId=key_id, Plaintext=b"x", GrantTokens=[made["GrantToken"]])
    assert used["CiphertextBlob"]
    listed = kms.get_paginator("list_grants").paginate(KeyId=key_id)
    assert [g["GrantId"] for page in listed for g in page["Grants"]] == [made["GrantId"]]
    assert kms.list_grants(KeyId=key_id, GrantId=made["GrantId"])["Grants"][0]["GranteePrincipal"] == me
    retirable = [g["GrantId"] for g in kms.list_retirable_grants(RetiringPrincipal=me, Limit=100)["Grants"]]
    assert made["GrantId"] in retirable
    kms.retire_grant(GrantToken=made["GrantToken"])
    again = kms.create_grant(KeyId=key_id, GranteePrincipal=me, Operations=["DescribeKey"])
    kms.revoke_grant(KeyId=key_id, GrantId=again["GrantId"])
    assert kms.list_grants(KeyId=key_id)["Grants"] == []
    with pytest.raises(kms.exceptions.InvalidGrantTokenException):
        kms.encrypt(KeyId=key_id, Plaintext=b"x", GrantTokens=[made["GrantToken"]])


def test_a_key_in_two_regions(aws) -> None:
    """KMS Developer Guide, "Multi-Region keys": made here, copied there, used and rotated in both, and handed over."""
    here, there = aws("kms"), aws("kms", region=OTHER_REGION)
    key_id = create(here, MultiRegion=True)
    blob = here.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
    made = here.replicate_key(
        KeyId=key_id, ReplicaRegion=OTHER_REGION, Description="copy", Tags=[{"TagKey": "a", "TagValue": "b"}]
    )
    metadata = made["ReplicaKeyMetadata"]
    assert metadata["KeyId"] == key_id and f":{OTHER_REGION}:" in metadata["Arn"]
    assert metadata["KeyState"] == "Enabled" and json.loads(made["ReplicaPolicy"])["Statement"]
    assert made["ReplicaTags"] == [{"TagKey": "a", "TagValue": "b"}]
    opened = there.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"x", metadata["Arn"])
    here.rotate_key_on_demand(KeyId=key_id)
    late = there.encrypt(KeyId=metadata["Arn"], Plaintext=b"y")["CiphertextBlob"]
    assert here.decrypt(CiphertextBlob=late, KeyId=key_id)["Plaintext"] == b"y"
    assert [len(kms.list_key_rotations(KeyId=key_id)["Rotations"]) for kms in (here, there)] == [1, 1]
    with pytest.raises(there.exceptions.UnsupportedOperationException):
        there.rotate_key_on_demand(KeyId=key_id)
    here.update_primary_region(KeyId=key_id, PrimaryRegion=OTHER_REGION)
    found = here.describe_key(KeyId=key_id)["KeyMetadata"]["MultiRegionConfiguration"]
    assert (found["MultiRegionKeyType"], found["PrimaryKey"]["Region"]) == ("REPLICA", OTHER_REGION)
    there.rotate_key_on_demand(KeyId=key_id)
    with pytest.raises(here.exceptions.AlreadyExistsException):
        there.replicate_key(KeyId=key_id, ReplicaRegion=found["ReplicaKeys"][0]["Region"])
    waits = there.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    assert waits["KeyState"] == "PendingReplicaDeletion" and "DeletionDate" not in waits
    assert here.decrypt(CiphertextBlob=late)["Plaintext"] == b"y"
    assert here.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)["KeyState"] == "PendingDeletion"
    there.cancel_key_deletion(KeyId=key_id)
    assert there.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Disabled"


def test_a_key_store_from_its_beginning_to_its_end(kms) -> None:
    """Its proxy is nowhere: a store of VPC connectivity is made all the same, and says so when it is connected."""
    host, name = f"{unique('xks')}.invalid", unique("store")
    store = kms.create_custom_key_store(
        CustomKeyStoreName=name,
        CustomKeyStoreType="EXTERNAL_KEY_STORE",
        XksProxyConnectivity="VPC_ENDPOINT_SERVICE",
        XksProxyVpcEndpointServiceName=f"com.amazonaws.vpce.us-east-1.vpce-svc-{os.urandom(8).hex()}",
        XksProxyUriEndpoint=f"https://{host}",
        XksProxyUriPath="/kms/xks/v1",
        XksProxyAuthenticationCredential={"AccessKeyId": "A" * 20, "RawSecretAccessKey": "s" * 43},
    )["CustomKeyStoreId"]
    kms.update_custom_key_store(CustomKeyStoreId=store, NewCustomKeyStoreName=f"{name}-renamed")
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    (entry,) = kms.describe_custom_key_stores(CustomKeyStoreName=f"{name}-renamed")["CustomKeyStores"]
    assert (entry["CustomKeyStoreId"], entry["ConnectionState"]) == (store, "FAILED")
    assert entry["ConnectionErrorCode"] == "XKS_PROXY_NOT_REACHABLE"
    with pytest.raises(kms.exceptions.CustomKeyStoreInvalidStateException):
        kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId="x")
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    kms.delete_custom_key_store(CustomKeyStoreId=store)
    with pytest.raises(kms.exceptions.CustomKeyStoreNotFoundException):
        kms.describe_custom_key_stores(CustomKeyStoreId=store)


def test_what_is_not_offered(kms) -> None:
    for attempt in (
        lambda: kms.replicate_key(KeyId=create(kms, MultiRegion=True), ReplicaRegion="no-where-1"),
        lambda: kms.replicate_key(KeyId=create(kms), ReplicaRegion="eu-west-1"),
        lambda: kms.get_parameters_for_import(
            KeyId=create(kms), WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
        ),
    ):
        with pytest.raises(ClientError) as caught:
            attempt()
        assert code(caught) == "UnsupportedOperationException"


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_4096"])
def test_material_of_the_owners_own(kms, spec) -> None:
    """KMS Developer Guide, "Importing key material": its four steps, and the way back."""
    key_id = create(kms, Origin="EXTERNAL")
    material = os.urandom(32)
    given = kms.get_parameters_for_import(KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec=spec)
    until = given["ParametersValidTo"]
    wrapped = wrap(given["PublicKey"], "RSAES_OAEP_SHA_256", material)
    asked = {"KeyId": key_id, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": wrapped}
    done = kms.import_key_material(**asked, ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=until)
    metadata = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert (metadata["ValidTo"], metadata["CurrentKeyMaterialId"]) == (until, done["KeyMaterialId"])
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    gone = kms.delete_imported_key_material(KeyId=key_id, KeyMaterialId=done["KeyMaterialId"])
    assert gone["KeyMaterialId"] == done["KeyMaterialId"]
    with pytest.raises(kms.exceptions.KMSInvalidStateException):
        kms.decrypt(CiphertextBlob=blob)
    with pytest.raises(kms.exceptions.InvalidImportTokenException):
        kms.import_key_material(**{**asked, "ImportToken": b"x"}, ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")
    kms.import_key_material(**asked, ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
