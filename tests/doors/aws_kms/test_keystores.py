"""Custom key stores: their life, what is unique, which act needs which connection state, and the keys in them.

KMS API Reference, "CreateCustomKeyStore" and its kin, CustomKeyStoreInvalidStateException; KMS Developer Guide, "Key
states of AWS KMS keys", the column Unavailable.
"""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from datetime import timedelta

import msgspec
import pytest
from tests import harness
from tests.doors.aws_kms.proxies import HOST, PATH, Keystead, Told, connected, created, described, key_in, members
from tests.harness import OTHER_REGION, OTHER_TENANT, REGION, TENANT, b64

from keystead.core import operations as ops
from keystead.core.keystores import KeyStore
from keystead.core.ports import WouldWait
from keystead.doors.aws_kms import cloudtrail

DATA = b"attack at dawn"
CONTEXT = {"purpose": "canary-context"}
CLUSTER = {
    "CustomKeyStoreName": "hsm",
    "CloudHsmClusterId": "cluster-1a23b4cdefg"[:8] + "a2b3c4d5e6f",
    "TrustAnchorCertificate": "x",
    "KeyStorePassword": "canary-password",
}
VPC = {
    "XksProxyConnectivity": "VPC_ENDPOINT_SERVICE",
    "XksProxyVpcEndpointServiceName": "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0",
}


@pytest.fixture
def net() -> Told:
    return Told()


@pytest.fixture
def stack(net) -> harness.Stack:
    return harness.stack(net=net)


@pytest.fixture
def proxy() -> Keystead:
    """Another Keystead, with a key of the id `proxy.key`."""
    made = Keystead()
    made.key = made.stack.key()
    return made


@pytest.fixture
def office(proxy) -> harness.Stack:
    return harness.stack(net=proxy)


@pytest.fixture
def key(office, proxy) -> dict:
    """The metadata of a key whose other half is there."""
    return key_in(office.admin, connected(office.admin, proxy), proxy.key.id)


# --- a store's life


def test_a_store_from_its_making_to_its_end(stack, net) -> None:
    admin = stack.admin
    store = created(admin, net)
    assert store.startswith("cks-") and len(store) == 21
    entry = described(admin, store)
    assert entry.pop("CreationDate") == stack.clock.now().timestamp()
    assert entry == {
        "CustomKeyStoreId": store,
        "CustomKeyStoreName": "one",
        "ConnectionState": "DISCONNECTED",
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConfiguration": {
            "Connectivity": "PUBLIC_ENDPOINT",
            "AccessKeyId": "ABCDEFGHIJKLMNOPQRSTUVW234",
            "UriEndpoint": f"https://{HOST}",
            "UriPath": PATH,
        },
    }
    for operation in ("ConnectCustomKeyStore", "ConnectCustomKeyStore", "DisconnectCustomKeyStore"):
        reply = admin.call(operation, CustomKeyStoreId=store)
        assert (reply.status, reply.json) == (200, {})
    assert admin.call("DisconnectCustomKeyStore", CustomKeyStoreId=store).code == "CustomKeyStoreInvalidStateException"
    assert admin.call("DeleteCustomKeyStore", CustomKeyStoreId=store).json == {}
    for operation in ("Connect", "Disconnect", "Update", "Delete"):
        reply = admin.call(f"{operation}CustomKeyStore", CustomKeyStoreId=store)
        assert reply.code == "CustomKeyStoreNotFoundException"
    assert admin.call("DescribeCustomKeyStores").json == {"CustomKeyStores": [], "Truncated": False}
    assert [asked[0].rpartition("/")[2] for asked in net.asked] == ["health"] * 3


def test_what_of_vpc_connectivity_is_checked_and_told(stack, net) -> None:
    """The proxy is asked when the store is connected, and not before."""
    store = created(stack.admin, net, **VPC, XksProxyVpcEndpointServiceOwner="999988887777")
    assert net.asked == []
    proxy = described(stack.admin, store)["XksProxyConfiguration"]
    assert proxy["Connectivity"] == "VPC_ENDPOINT_SERVICE"
    assert proxy["VpcEndpointServiceName"] == VPC["XksProxyVpcEndpointServiceName"]
    assert proxy["VpcEndpointServiceOwner"] == "999988887777"
    assert stack.admin.call("ConnectCustomKeyStore", CustomKeyStoreId=store).status == 200
    assert len(net.asked) == 1


@pytest.mark.parametrize(
    "left_out",
    ["XksProxyConnectivity", "XksProxyUriEndpoint", "XksProxyUriPath", "XksProxyAuthenticationCredential"],
)
def test_what_an_external_key_store_needs(stack, net, left_out) -> None:
    reply = stack.admin.call("CreateCustomKeyStore", **members(net, **{left_out: None}))
    member = left_out[0].lower() + left_out[1:]
    assert (reply.code, f"'{member}'" in reply.message) == ("ValidationException", True)


@pytest.mark.parametrize(
    "others",
    [
        {"XksProxyUriEndpoint": "https://10.0.0.1"},
        {"XksProxyUriEndpoint": "https://a..example.test"},
        {"XksProxyUriEndpoint": "https://-.example.test"},
        {"XksProxyUriEndpoint": "https://xks.test:8443"},
        {"XksProxyUriEndpoint": "http://xks.example.test"},
        {"XksProxyUriPath": "/kms/xks/v2"},
        {"XksProxyUriPath": "/a/../kms/xks/v1"},
        {"XksProxyUriPath": "/kms/xks/v1/"},
        {"XksProxyUriPath": "/a//kms/xks/v1"},
        {"XksProxyVpcEndpointServiceOwner": "999988887777"},
        {"KeyStorePassword": "canary-password"},
        {"CustomKeyStoreType": "AWS_CLOUDHSM"},
        {"XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"},
        {"XksProxyVpcEndpointServiceName": VPC["XksProxyVpcEndpointServiceName"]},
        {"XksProxyVpcEndpointServiceName": "com.example.vpce", "XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"},
        {"XksProxyAuthenticationCredential": {"AccessKeyId": "short", "RawSecretAccessKey": "canary-secret"}},
    ],
)
def test_a_store_that_is_not_of_its_form(stack, net, others) -> None:
    reply = stack.admin.call("CreateCustomKeyStore", **members(net, **others))
    assert reply.code == "ValidationException" and "canary" not in reply.message
    assert net.asked == []


def test_what_must_be_unique_in_an_account_and_region(stack, net) -> None:
    admin = stack.admin
    created(admin, net)
    created(admin, net, CustomKeyStoreName="two", XksProxyUriPath="/other/kms/xks/v1")
    vpc_host = "https://vpc.example.test"
    created(admin, net, CustomKeyStoreName="vpc", XksProxyUriEndpoint=vpc_host, **VPC)
    other_service = {**VPC, "XksProxyVpcEndpointServiceName": VPC["XksProxyVpcEndpointServiceName"] + "1"}
    third = {"CustomKeyStoreName": "three", "XksProxyUriPath": "/third/kms/xks/v1"}
    for others, code in (
        ({**third, "CustomKeyStoreName": "one"}, "CustomKeyStoreNameInUseException"),
        ({"CustomKeyStoreName": "three"}, "XksProxyUriInUseException"),
        (
            {"CustomKeyStoreName": "three", "XksProxyUriEndpoint": "https://XKS.Example.Test"},
            "XksProxyUriInUseException",
        ),
        ({**third, **other_service}, "XksProxyUriEndpointInUseException"),
        ({**third, "XksProxyUriEndpoint": vpc_host}, "XksProxyUriEndpointInUseException"),
        ({**third, **other_service, "XksProxyUriEndpoint": vpc_host}, "XksProxyUriEndpointInUseException"),
        ({**third, **VPC, "XksProxyUriEndpoint": "https://w.example"}, "XksProxyVpcEndpointServiceInUseException"),
    ):
        n_asked = len(net.asked)
        assert admin.call("CreateCustomKeyStore", **members(net, **others)).code == code, others
        assert len(net.asked) == n_asked
    assert len(admin.call("DescribeCustomKeyStores").json["CustomKeyStores"]) == 3


def test_ten_stores_and_no_more_and_pages_of_them(stack, net) -> None:
    for n in range(10):
        created(stack.admin, net, CustomKeyStoreName=f"s{n}", XksProxyUriPath=f"/{n}/kms/xks/v1")
    reply = stack.admin.call("CreateCustomKeyStore", **members(net))
    assert reply.code == "LimitExceededException"
    first = stack.admin.call("DescribeCustomKeyStores", Limit=6).json
    rest = stack.admin.call("DescribeCustomKeyStores", Limit=6, Marker=first["NextMarker"]).json
    assert (first["Truncated"], rest["Truncated"]) == (True, False)
    names = {one["CustomKeyStoreName"] for page in (first, rest) for one in page["CustomKeyStores"]}
    assert names == {f"s{n}" for n in range(10)}
    found = stack.admin.call("DescribeCustomKeyStores", CustomKeyStoreName="s3").json["CustomKeyStores"]
    assert [one["CustomKeyStoreName"] for one in found] == ["s3"]
    for asked in ({"CustomKeyStoreName": "s"}, {"CustomKeyStoreId": "cks-0"}):
        assert stack.admin.call("DescribeCustomKeyStores", **asked).code == "CustomKeyStoreNotFoundException"
    both = {"CustomKeyStoreName": "s3", "CustomKeyStoreId": found[0]["CustomKeyStoreId"]}
    assert stack.admin.call("DescribeCustomKeyStores", **both).code == "ValidationException"
    assert stack.admin.call("DescribeCustomKeyStores", Marker="x").code == "InvalidMarkerException"


def test_a_store_belongs_to_an_account_and_a_region(net) -> None:
    stack = harness.stack(net=net, regions=(REGION, OTHER_REGION))
    stack.keyring()
    store = connected(stack.admin, net)
    stranger = stack.user("mallory", harness.ALLOW_ALL, tenant=OTHER_TENANT)
    in_it = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "x"}
    for who, region in ((stranger, REGION), (stack.admin, OTHER_REGION)):
        for operation in ("Connect", "Disconnect", "Update", "Delete"):
            reply = who.call(f"{operation}CustomKeyStore", CustomKeyStoreId=store, region=region)
            assert reply.code == "CustomKeyStoreNotFoundException"
        assert who.call("DescribeCustomKeyStores", region=region).json["CustomKeyStores"] == []
        assert who.call("CreateKey", **in_it, region=region).code == "CustomKeyStoreNotFoundException"
        assert who.call("CreateCustomKeyStore", **members(net), region=region).status == 200
    assert described(stack.admin, store)["ConnectionState"] == "CONNECTED"


def test_each_act_takes_a_right_of_its_own(stack, net) -> None:
    store = connected(stack.admin, net)
    nobody = stack.user("nobody")
    asked = {"CustomKeyStoreId": store}
    for operation, given in {
        "CreateCustomKeyStore": members(net),
        "ConnectCustomKeyStore": asked,
        "DisconnectCustomKeyStore": asked,
        "UpdateCustomKeyStore": asked,
        "DeleteCustomKeyStore": asked,
        "DescribeCustomKeyStores": asked,
    }.items():
        reply = nobody.call(operation, **given)
        assert (reply.code, f"kms:{operation}" in reply.message) == ("AccessDeniedException", True)
        allowed = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": f"kms:{operation}", "Resource": "*"}],
        }
        one = stack.user(operation, json.dumps(allowed))
        assert one.call(operation, **given).code != "AccessDeniedException"
        others = {"ConnectCustomKeyStore", "DeleteCustomKeyStore"} - {operation}
        assert {one.call(other, **asked).code for other in others} == {"AccessDeniedException"}


def test_a_policy_may_speak_of_the_origin(office, proxy) -> None:
    """Service Authorization Reference, kms:KeyOrigin."""
    store = connected(office.admin, proxy)
    statements = [
        {"Effect": "Allow", "Action": "kms:*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": ["kms:CreateKey", "kms:Encrypt"],
            "Resource": "*",
            "Condition": {"StringEquals": {"kms:KeyOrigin": "EXTERNAL_KEY_STORE"}},
        },
    ]
    alice = office.user("alice", json.dumps({"Version": "2012-10-17", "Statement": statements}))
    given = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": proxy.key.id}
    assert alice.call("CreateKey", **given).code == "AccessDeniedException"
    assert alice.call("CreateKey").status == 200
    key = key_in(office.admin, store, proxy.key.id)
    assert alice.call("Encrypt", KeyId=key["KeyId"], Plaintext=DATA).code == "AccessDeniedException"
    assert alice.call("GenerateDataKey", KeyId=key["KeyId"], KeySpec="AES_256").status == 200


# --- connection states


def test_a_connection_that_fails_says_why_and_is_undone_first(stack, net) -> None:
    admin = stack.admin
    store = created(admin, net)
    net.refuses("health", "AuthenticationFailedException", 401)
    assert admin.call("ConnectCustomKeyStore", CustomKeyStoreId=store).json == {}
    entry = described(admin, store)
    assert (entry["ConnectionState"], entry["ConnectionErrorCode"]) == ("FAILED", "INVALID_CREDENTIALS")
    invalid = "CustomKeyStoreInvalidStateException"
    for operation, others in (
        ("ConnectCustomKeyStore", {}),
        ("UpdateCustomKeyStore", {"NewCustomKeyStoreName": "two"}),
        ("DeleteCustomKeyStore", {}),
    ):
        assert admin.call(operation, CustomKeyStoreId=store, **others).code == invalid
    reply = admin.call("CreateKey", Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId="x")
    assert (reply.code, "not connected" in reply.message) == (invalid, True)
    assert admin.call("DisconnectCustomKeyStore", CustomKeyStoreId=store).json == {}
    assert "ConnectionErrorCode" not in described(admin, store)


def test_a_connected_store_that_is_connected_again_may_be_found_to_have_failed(stack, net) -> None:
    store = connected(stack.admin, net)
    net.refuses("health", "InternalException", 500)
    assert stack.admin.call("ConnectCustomKeyStore", CustomKeyStoreId=store).json == {}
    assert described(stack.admin, store)["ConnectionState"] == "FAILED"


def test_what_may_be_changed_of_a_connected_store(stack, net) -> None:
    admin = stack.admin
    store = connected(admin, net)
    fresh = {"AccessKeyId": "Z" * 20, "RawSecretAccessKey": "t" * 43}
    for change in (
        {"NewCustomKeyStoreName": "new"},
        {"XksProxyUriPath": "/new/kms/xks/v1"},
        {"XksProxyAuthenticationCredential": fresh},
    ):
        n_asked = len(net.asked)
        assert admin.call("UpdateCustomKeyStore", CustomKeyStoreId=store, **change).json == {}
        assert len(net.asked) - n_asked == ("NewCustomKeyStoreName" not in change)
    assert "Credential=ZZZ" in net.asked[-1][1]["Authorization"] and "/new/" in net.asked[-1][0]
    entry = described(admin, store)
    assert (entry["CustomKeyStoreName"], entry["ConnectionState"]) == ("new", "CONNECTED")
    elsewhere = {"XksProxyUriEndpoint": "https://new.example.test"}
    for change in (elsewhere, {**elsewhere, **VPC}):
        reply = admin.call("UpdateCustomKeyStore", CustomKeyStoreId=store, **change)
        assert reply.code == "CustomKeyStoreInvalidStateException"
    admin.call("DisconnectCustomKeyStore", CustomKeyStoreId=store)
    assert admin.call("UpdateCustomKeyStore", CustomKeyStoreId=store, **elsewhere, **VPC).json == {}
    proxy = described(admin, store)["XksProxyConfiguration"]
    assert (proxy["UriEndpoint"], proxy["Connectivity"]) == ("https://new.example.test", "VPC_ENDPOINT_SERVICE")
    assert proxy["VpcEndpointServiceOwner"] == TENANT
    back = {"XksProxyConnectivity": "PUBLIC_ENDPOINT"}
    assert admin.call("UpdateCustomKeyStore", CustomKeyStoreId=store, **back).code == "ValidationException"
    back["XksProxyUriEndpoint"] = f"https://{HOST}"
    assert admin.call("UpdateCustomKeyStore", CustomKeyStoreId=store, **back).json == {}
    assert "VpcEndpointServiceName" not in described(admin, store)["XksProxyConfiguration"]


def test_an_update_that_the_proxy_does_not_bear_out_changes_nothing(stack, net) -> None:
    store = connected(stack.admin, net)
    before = described(stack.admin, store)
    net.refuses("health", "InvalidUriPathException", 404)
    reply = stack.admin.call("UpdateCustomKeyStore", CustomKeyStoreId=store, XksProxyUriPath="/new/kms/xks/v1")
    assert reply.code == "XksProxyInvalidConfigurationException"
    assert described(stack.admin, store) == before


def test_an_update_must_be_as_unique_as_a_new_store(stack, net) -> None:
    created(stack.admin, net)
    two = created(stack.admin, net, CustomKeyStoreName="two", XksProxyUriPath="/two/kms/xks/v1")
    for change, code in (
        ({"NewCustomKeyStoreName": "one"}, "CustomKeyStoreNameInUseException"),
        ({"XksProxyUriPath": PATH}, "XksProxyUriInUseException"),
        ({"CloudHsmClusterId": CLUSTER["CloudHsmClusterId"]}, "ValidationException"),
        ({"KeyStorePassword": "canary-password"}, "ValidationException"),
    ):
        assert stack.admin.call("UpdateCustomKeyStore", CustomKeyStoreId=two, **change).code == code
    same = {"NewCustomKeyStoreName": "two", "XksProxyUriPath": "/two/kms/xks/v1"}
    assert stack.admin.call("UpdateCustomKeyStore", CustomKeyStoreId=two, **same).json == {}


# --- AWS CloudHSM, where no HSM is configured (test_clusters.py: where one is)


def test_no_cluster_is_found(stack) -> None:
    for given in (CLUSTER, {**CLUSTER, "CustomKeyStoreType": "AWS_CLOUDHSM"}):
        assert stack.admin.call("CreateCustomKeyStore", **given).code == "CloudHsmClusterNotFoundException"
    for left_out in ("CloudHsmClusterId", "TrustAnchorCertificate", "KeyStorePassword"):
        given = {name: value for name, value in CLUSTER.items() if name != left_out}
        assert stack.admin.call("CreateCustomKeyStore", **given).code == "ValidationException"
    in_none = {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": "cks-1234567890abcdef0"}
    assert stack.admin.call("CreateKey", **in_none).code == "CustomKeyStoreNotFoundException"


def test_what_an_external_key_store_does_not_do(stack, net) -> None:
    store = connected(stack.admin, net)
    reply = stack.admin.call("GenerateRandom", NumberOfBytes=8, CustomKeyStoreId=store)
    assert reply.code == "UnsupportedOperationException"
    for others in (
        {"Origin": "AWS_CLOUDHSM"},
        {"Origin": "EXTERNAL_KEY_STORE", "XksKeyId": "x", "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
        {"Origin": "EXTERNAL_KEY_STORE", "XksKeyId": "x", "MultiRegion": True},
    ):
        assert stack.admin.call("CreateKey", CustomKeyStoreId=store, **others).code == "UnsupportedOperationException"
    for others in (
        {"Origin": "EXTERNAL_KEY_STORE"},
        {"Origin": "AWS_KMS"},
        {"Origin": "EXTERNAL", "XksKeyId": "x"},
        {"XksKeyId": "x"},
    ):
        assert stack.admin.call("CreateKey", CustomKeyStoreId=store, **others).code == "ValidationException"


# --- keys


def test_the_metadata_of_a_key_in_a_store(office, proxy, key) -> None:
    assert key["XksKeyConfiguration"] == {"Id": proxy.key.id}
    assert key["CustomKeyStoreId"].startswith("cks-")
    assert (key["Origin"], key["KeyState"], key["KeySpec"]) == ("EXTERNAL_KEY_STORE", "Enabled", "SYMMETRIC_DEFAULT")
    assert "CurrentKeyMaterialId" not in key
    assert office.admin.call("DescribeKey", KeyId=key["KeyId"]).json["KeyMetadata"] == key


def test_what_is_encrypted_there_is_decrypted_there(office, key) -> None:
    call, at = office.admin.call, key["KeyId"]
    sealed = call("Encrypt", KeyId=at, Plaintext=DATA, EncryptionContext=CONTEXT).json
    assert "KeyMaterialId" not in sealed
    for which in ({}, {"KeyId": at}):
        opened = call("Decrypt", CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=CONTEXT, **which).json
        assert (opened["Plaintext"], opened["KeyId"]) == (b64(DATA), key["Arn"])
    made = call("GenerateDataKey", KeyId=at, KeySpec="AES_256").json
    assert call("Decrypt", CiphertextBlob=made["CiphertextBlob"]).json["Plaintext"] == made["Plaintext"]
    blind = call("GenerateDataKeyWithoutPlaintext", KeyId=at, KeySpec="AES_256").json
    assert len(b64decode(call("Decrypt", CiphertextBlob=blind["CiphertextBlob"]).json["Plaintext"])) == 32


def test_the_longest_and_the_shortest(office, key) -> None:
    for data in (b"x", b"x" * 4096):
        blob = office.admin.call("Encrypt", KeyId=key["KeyId"], Plaintext=data).json["CiphertextBlob"]
        assert len(b64decode(blob)) <= 6144
        assert office.admin.call("Decrypt", CiphertextBlob=blob).json["Plaintext"] == b64(data)


def test_re_encryption_from_and_to_a_store(office, proxy, key) -> None:
    call, ours = office.admin.call, office.key()
    blob = call("Encrypt", KeyId=ours.id, Plaintext=DATA).json["CiphertextBlob"]
    there = call("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=key["KeyId"]).json["CiphertextBlob"]
    assert proxy.asked[-1][2]["requestMetadata"]["kmsOperation"] == "ReEncrypt"
    back = call("ReEncrypt", CiphertextBlob=there, DestinationKeyId=ours.id).json["CiphertextBlob"]
    assert call("Decrypt", CiphertextBlob=back, KeyId=ours.id).json["Plaintext"] == b64(DATA)


def test_what_the_proxy_is_told(office, proxy, key) -> None:
    """XKS Proxy API, "Encrypt": requestMetadata. Neither what is encrypted nor what it is for is part of it."""
    reply = office.admin.call("Encrypt", KeyId=key["KeyId"], Plaintext=DATA, EncryptionContext=CONTEXT)
    url, headers, body = proxy.asked[-1]
    assert url == f"https://{HOST}{PATH}/keys/{proxy.key.id}/encrypt"
    assert body["requestMetadata"] == {
        "awsPrincipalArn": office.admin.arn,
        "kmsKeyArn": key["Arn"],
        "kmsOperation": "Encrypt",
        "kmsRequestId": reply.headers["x-amzn-requestid"],
    }
    assert (body["encryptionAlgorithm"], body["ciphertextDataIntegrityValueAlgorithm"]) == ("AES_GCM", "SHA_256")
    assert len(b64decode(body["additionalAuthenticatedData"])) == 54
    assert DATA not in b64decode(body["plaintext"]) and "canary" not in json.dumps(body)
    assert "/us-east-1/kms-xks-proxy/aws4_request, SignedHeaders=host;x-amz-date," in headers["Authorization"]
    create = next(asked for asked in proxy.asked if asked[0].endswith("/metadata"))
    assert set(create[2]["requestMetadata"]) == {"awsPrincipalArn", "kmsOperation", "kmsRequestId"}
    health = proxy.asked[0][2]["requestMetadata"]
    assert (set(health), health["kmsOperation"]) == ({"kmsOperation", "kmsRequestId"}, "CreateCustomKeyStore")


def test_disabling_the_key_there_cuts_off_at_the_next_call(office, proxy, key) -> None:
    call = office.admin.call
    blob = call("Encrypt", KeyId=key["KeyId"], Plaintext=DATA).json["CiphertextBlob"]
    proxy.manage(ops.DisableKey, proxy.key)
    for operation, given in (
        ("Encrypt", {"KeyId": key["KeyId"], "Plaintext": DATA}),
        ("Decrypt", {"CiphertextBlob": blob}),
        ("GenerateDataKey", {"KeyId": key["KeyId"], "KeySpec": "AES_256"}),
    ):
        reply = call(operation, **given)
        assert (reply.code, "is not enabled in the external key manager" in reply.message) == (
            "KMSInvalidStateException",
            True,
        )
    assert call("DescribeKey", KeyId=key["KeyId"]).json["KeyMetadata"]["KeyState"] == "Enabled"
    proxy.manage(ops.EnableKey, proxy.key)
    assert call("Decrypt", CiphertextBlob=blob).json["Plaintext"] == b64(DATA)


def test_the_store_alone_opens_nothing_nor_do_we_without_it(office, proxy, key) -> None:
    """Double encryption: KMS API Reference, CreateKey, XksKeyId."""
    call = office.admin.call
    blob = call("Encrypt", KeyId=key["KeyId"], Plaintext=DATA).json["CiphertextBlob"]
    call("Decrypt", CiphertextBlob=blob)
    assert proxy.asked[-1][0].endswith("/decrypt")
    inner = call("Encrypt", KeyId=office.key().id, Plaintext=DATA)  # one of our own keys, whose format is another
    forged = b64decode(inner.json["CiphertextBlob"])[:2] + b64decode(blob)[2:]
    assert call("Decrypt", CiphertextBlob=forged).code == "InvalidCiphertextException"


def test_another_context_is_refused_by_the_proxy(office, key) -> None:
    blob = office.admin.call("Encrypt", KeyId=key["KeyId"], Plaintext=DATA, EncryptionContext=CONTEXT).json
    reply = office.admin.call("Decrypt", CiphertextBlob=blob["CiphertextBlob"])
    assert (reply.code, "encryption context is corrupted" in reply.message) == ("KMSInvalidStateException", True)


def test_no_byte_of_a_ciphertext_can_be_changed(office, key) -> None:
    blob = b64decode(office.admin.call("Encrypt", KeyId=key["KeyId"], Plaintext=DATA).json["CiphertextBlob"])
    allowed = {"InvalidCiphertextException", "KMSInvalidStateException"}
    for at in (0, 1, 18, 21, 22, 23, 24, 36, 40, 56, 60, 75, len(blob) - 1):
        changed = bytearray(blob)
        changed[at] ^= 1
        assert office.admin.call("Decrypt", CiphertextBlob=bytes(changed), KeyId=key["KeyId"]).code in allowed, at
    for other in (blob[:-1], blob + b"x", blob[:100]):
        assert office.admin.call("Decrypt", CiphertextBlob=other).code in allowed


def test_a_ciphertext_of_another_key_of_the_store(office, proxy, key) -> None:
    other = key_in(office.admin, key["CustomKeyStoreId"], proxy.stack.key().id)
    blob = office.admin.call("Encrypt", KeyId=key["KeyId"], Plaintext=DATA).json["CiphertextBlob"]
    reply = office.admin.call("Decrypt", CiphertextBlob=blob, KeyId=other["KeyId"])
    assert reply.code == "IncorrectKeyException"


def test_an_external_key_is_the_half_of_one_key(office, proxy, key) -> None:
    again = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": key["CustomKeyStoreId"], "XksKeyId": proxy.key.id}
    n_asked = len(proxy.asked)
    assert office.admin.call("CreateKey", **again).code == "XksKeyAlreadyInUseException"
    assert len(proxy.asked) == n_asked


def test_an_external_key_whose_id_makes_no_uri(stack, net) -> None:
    store = connected(stack.admin, net, XksProxyUriPath=f"/{'p' * 110}/kms/xks/v1")
    for name in (".", "..", "n" * 128, "a/b", "a?b", "a b", "\u00e9"):
        reply = stack.admin.call("CreateKey", Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId=name)
        assert reply.code == "ValidationException", name
    assert len(net.asked) == 2
    key_in(stack.admin, store, "n" * 90)


def test_a_disconnected_store_makes_its_keys_unavailable(office, proxy, key) -> None:
    call, at = office.admin.call, key["KeyId"]
    blob = call("Encrypt", KeyId=at, Plaintext=DATA).json["CiphertextBlob"]
    store = {"CustomKeyStoreId": key["CustomKeyStoreId"]}
    assert call("DisconnectCustomKeyStore", **store).status == 200
    assert call("DescribeKey", KeyId=at).json["KeyMetadata"]["KeyState"] == "Unavailable"
    assert call("DescribeKey", KeyId=at).json["KeyMetadata"]["Enabled"] is False
    n_asked = len(proxy.asked)
    for operation, given in (
        ("Encrypt", {"KeyId": at, "Plaintext": DATA}),
        ("Encrypt", {"KeyId": at, "Plaintext": DATA, "DryRun": True}),
        ("Decrypt", {"CiphertextBlob": blob}),
        ("Decrypt", {"KeyId": at, "DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}),
        ("GenerateDataKey", {"KeyId": at, "KeySpec": "AES_256"}),
        ("ReEncrypt", {"CiphertextBlob": blob, "DestinationKeyId": office.key().id}),
    ):
        reply = call(operation, **given)
        assert (reply.code, "is not connected" in reply.message) == ("KMSInvalidStateException", True), operation
    reply = call("CreateKey", Origin="EXTERNAL_KEY_STORE", XksKeyId="x", **store)
    assert reply.code == "CustomKeyStoreInvalidStateException"
    assert len(proxy.asked) == n_asked
    # "You can view and manage unavailable KMS keys"
    for operation, given in (
        ("DisableKey", {}),
        ("EnableKey", {}),
        ("UpdateKeyDescription", {"Description": "d"}),
        ("TagResource", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        ("ScheduleKeyDeletion", {}),
    ):
        assert call(operation, KeyId=at, **given).status == 200
    assert call("DescribeKey", KeyId=at).json["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert call("CancelKeyDeletion", KeyId=at).status == 200
    assert call("ConnectCustomKeyStore", **store).status == 200
    assert call("DescribeKey", KeyId=at).json["KeyMetadata"]["KeyState"] == "Disabled"
    assert call("EnableKey", KeyId=at).status == 200
    assert call("Decrypt", CiphertextBlob=blob).json["Plaintext"] == b64(DATA)


def test_a_store_with_keys_stays_and_one_whose_keys_are_gone_goes(office, proxy, key) -> None:
    call, store = office.admin.call, {"CustomKeyStoreId": key["CustomKeyStoreId"]}
    assert call("DeleteCustomKeyStore", **store).code == "CustomKeyStoreInvalidStateException"
    call("DisconnectCustomKeyStore", **store)
    assert call("DeleteCustomKeyStore", **store).code == "CustomKeyStoreHasCMKsException"
    call("ScheduleKeyDeletion", KeyId=key["KeyId"], PendingWindowInDays=7)
    assert call("DeleteCustomKeyStore", **store).code == "CustomKeyStoreHasCMKsException"
    office.clock.forward(timedelta(days=7))
    office.by_system(ops.DestroyKey(key=ops.KeyRef(f"aws:{TENANT}:{REGION}", id=key["KeyId"])))
    assert call("DeleteCustomKeyStore", **store).json == {}


def test_what_a_key_in_a_store_is_not_for(office, key) -> None:
    call, at = office.admin.call, {"KeyId": key["KeyId"]}
    wrong = "origin is EXTERNAL_KEY_STORE which is not valid for this operation."
    for operation, given, words in (
        ("EnableKeyRotation", {}, wrong),
        ("DisableKeyRotation", {}, wrong),
        ("GetKeyRotationStatus", {}, wrong),
        ("RotateKeyOnDemand", {}, None),
        ("GenerateDataKeyPair", {"KeyPairSpec": "ECC_NIST_P256"}, wrong),
        ("GenerateDataKeyPairWithoutPlaintext", {"KeyPairSpec": "ECC_NIST_P256"}, wrong),
        ("GetParametersForImport", {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}, wrong),
        ("DeleteImportedKeyMaterial", {}, wrong),
    ):
        reply = call(operation, **at, **given)
        assert reply.code == "UnsupportedOperationException", operation
        assert words is None or reply.message == f"{key['Arn']} {words}"


def test_a_dry_run_asks_the_proxy_and_answers_that_it_was_one(office, proxy, key) -> None:
    reply = office.admin.call("Encrypt", KeyId=key["KeyId"], Plaintext=DATA, DryRun=True)
    assert reply.code == "DryRunOperationException"
    proxy.manage(ops.DisableKey, proxy.key)
    reply = office.admin.call("Encrypt", KeyId=key["KeyId"], Plaintext=DATA, DryRun=True)
    assert reply.code == "KMSInvalidStateException"


def test_on_the_event_loop_nobody_waits_for_a_proxy(office, proxy, key) -> None:
    office.admin.call("Encrypt", KeyId=key["KeyId"], Plaintext=DATA)
    office.on_the_loop()
    proxy.threads.clear()
    assert office.admin.call("Encrypt", KeyId=key["KeyId"], Plaintext=DATA).status == 200
    assert len(proxy.threads) == 1 and threading.get_ident() not in proxy.threads
    request = office.admin.signed(
        {"X-Amz-Target": "TrentService.Encrypt"}, json.dumps({"KeyId": key["KeyId"], "Plaintext": "eA=="}).encode()
    )
    with pytest.raises(WouldWait) as would:
        office.front.serve(request)
    assert would.value.tenant == TENANT, "whose turn it is"


# --- what happens meanwhile: the act is judged again by what there is then


def test_two_keys_that_want_one_external_key_at_once(stack, net) -> None:
    store = connected(stack.admin, net)
    net.meanwhile = lambda: key_in(stack.admin, store)
    reply = stack.admin.call("CreateKey", Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId="one")
    assert reply.code == "XksKeyAlreadyInUseException"
    assert len(stack.admin.call("ListKeys").json["Keys"]) == 1


def test_two_stores_that_want_one_uri_at_once(stack, net) -> None:
    net.meanwhile = lambda: created(stack.admin, net, CustomKeyStoreName="first")
    assert stack.admin.call("CreateCustomKeyStore", **members(net)).code == "XksProxyUriInUseException"
    two = created(stack.admin, net, CustomKeyStoreName="two", XksProxyUriPath="/two/kms/xks/v1")
    net.meanwhile = lambda: created(stack.admin, net, CustomKeyStoreName="x", XksProxyUriPath="/x/kms/xks/v1")
    reply = stack.admin.call("UpdateCustomKeyStore", CustomKeyStoreId=two, XksProxyUriPath="/x/kms/xks/v1")
    assert reply.code == "XksProxyUriInUseException"


def test_a_store_that_is_disconnected_while_a_key_is_made_in_it(stack, net) -> None:
    store = connected(stack.admin, net)
    net.meanwhile = lambda: stack.admin.call("DisconnectCustomKeyStore", CustomKeyStoreId=store)
    reply = stack.admin.call("CreateKey", Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId="one")
    assert reply.code == "CustomKeyStoreInvalidStateException"
    assert stack.admin.call("ListKeys").json["Keys"] == []


def test_a_store_that_is_changed_while_it_is_connected(stack, net) -> None:
    store = created(stack.admin, net)
    path = "/new/kms/xks/v1"
    change = {"CustomKeyStoreId": store, "XksProxyUriPath": path}
    net.meanwhile = lambda: stack.admin.call("UpdateCustomKeyStore", **change)
    assert stack.admin.call("ConnectCustomKeyStore", CustomKeyStoreId=store).status == 200
    assert path in net.asked[-1][0]


# --- what is on record, and what is not shown


def test_every_act_is_on_record_with_its_store(stack, net) -> None:
    store = connected(stack.admin, net)
    stack.admin.call("UpdateCustomKeyStore", CustomKeyStoreId=store, NewCustomKeyStoreName="two")
    stack.admin.call("DisconnectCustomKeyStore", CustomKeyStoreId=store)
    stack.admin.call("DeleteCustomKeyStore", CustomKeyStoreId=store)
    stack.admin.call("ConnectCustomKeyStore", CustomKeyStoreId=store)
    told = [record for record in stack.records() if "CustomKeyStore" in record.operation]
    acts = {record.operation.removeprefix("TrentService."): record for record in told if record.outcome == "performed"}
    assert acts["CreateCustomKeyStore"].made == store
    for name in ("Connect", "Update", "Disconnect", "Delete"):
        (target,) = acts[f"{name}CustomKeyStore"].targets
        assert (target.action, target.key) == (f"key-store:{name.lower()}", store)
    assert told[-1].outcome == "refused: NotFound"


def test_a_failed_connection_is_on_record_with_its_reason(stack, net) -> None:
    store = created(stack.admin, net)
    net.refuses("health", "InternalException", 500)
    stack.admin.call("ConnectCustomKeyStore", CustomKeyStoreId=store)
    record = next(one for one in stack.records() if one.operation.endswith("ConnectCustomKeyStore"))
    assert (record.outcome, record.why) == ("performed", "SET_UP.FAILED")


def test_a_failure_is_told_to_cloudtrail_as_it_was_answered(office, proxy, key) -> None:
    proxy.manage(ops.DisableKey, proxy.key)
    reply = office.admin.call("Encrypt", KeyId=key["KeyId"], Plaintext=DATA)
    event = next(cloudtrail.events(0, office.journal.lines[-1]))
    assert (event["errorCode"], event["errorMessage"]) == (reply.code, reply.message)


def test_the_secret_is_shown_nowhere(stack, net) -> None:
    """research/security.md §4 row 67."""
    secret = "canary" + "s" * 40
    credential = {"AccessKeyId": "A" * 20, "RawSecretAccessKey": secret}
    store = created(stack.admin, net, XksProxyAuthenticationCredential=credential)
    stack.admin.call("ConnectCustomKeyStore", CustomKeyStoreId=store)
    kept = stack.barrier.get(KeyStore, store)
    assert kept.secret == secret.encode() and "canary" not in repr(kept)
    (row,) = stack.store.every(KeyStore.kind)
    assert b"canary" not in row.sealed
    assert "canary" not in json.dumps(stack.admin.call("DescribeCustomKeyStores").json)
    assert "canary" not in json.dumps([asked[1:] for asked in net.asked])
    assert not any("canary" in str(record) for record in stack.records())
    page = stack.perform(ops.ListKeyStores(keyring=ops.KeyringRef(f"aws:{TENANT}:{REGION}"), limit=10))
    assert page.items[0].secret == b""
    key = key_in(stack.admin, store)["KeyId"]
    told = stack.perform(ops.DescribeKey(key=ops.KeyRef(f"aws:{TENANT}:{REGION}", id=key)))
    assert b"canary" not in msgspec.msgpack.encode(told)
