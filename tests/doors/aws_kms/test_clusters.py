"""Custom key stores of type AWS_CLOUDHSM: an HSM of the operator's configuration as a cluster (docs/adr/0034).

KMS API Reference, "CreateCustomKeyStore" and its kin, "CustomKeyStoresListEntry"; KMS Developer Guide, "AWS CloudHSM
key stores" and "Key states of AWS KMS keys", the column Unavailable.
"""

from __future__ import annotations

import threading

import msgspec
import pytest
from tests.certificates import Authority
from tests.doors.aws_kms.managing import ask, done, scheduled, wait
from tests.doors.aws_kms.proxies import Told, created, described
from tests.fakes import MemoryClusters, MemoryToken, SeededEntropy
from tests.harness import ALLOW_ALL, OTHER_TENANT, b64, stack

from keystead.core.entities import Key, Origin
from keystead.core.ports import WouldBlock, WouldWait
from keystead.doors.aws_kms import cloudtrail
from keystead.service.hsmnotes import MemoryNotes
from keystead.service.hsms import Hsms

CLUSTER, OTHER_CLUSTER, PASSWORD = "cluster-a2b3c4d5e6f", "cluster-zzzzzzzzzzz", "canary-password"


@pytest.fixture(scope="module")
def anchor(tmp_path_factory) -> str:
    return Authority(tmp_path_factory.mktemp("anchor")).ca.read_text()


@pytest.fixture
def token():
    return MemoryToken(SeededEntropy(7))


@pytest.fixture
def clusters(token):
    return MemoryClusters(CLUSTER, "safe", token, PASSWORD)


@pytest.fixture
def office(token, clusters):
    return stack(hsms=Hsms({"safe": token}, MemoryNotes(), clusters=clusters), net=Told())


@pytest.fixture
def members(anchor):
    return {
        "CustomKeyStoreName": "hsm",
        "CloudHsmClusterId": CLUSTER,
        "TrustAnchorCertificate": anchor,
        "KeyStorePassword": PASSWORD,
    }


@pytest.fixture
def store(office, members):
    """A connected one."""
    id_ = ask(office.admin, "CreateCustomKeyStore", **members)["CustomKeyStoreId"]
    ask(office.admin, "ConnectCustomKeyStore", CustomKeyStoreId=id_)
    return id_


@pytest.fixture
def key(office, store):
    return ask(office.admin, "CreateKey", Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)["KeyMetadata"]


def code(office, operation, **given):
    return office.admin.call(operation, **given).code


# --- a store's life


def test_a_store_from_its_making_to_its_end(office, members, anchor) -> None:
    admin = office.admin
    id_ = ask(admin, "CreateCustomKeyStore", **members, CustomKeyStoreType="AWS_CLOUDHSM")["CustomKeyStoreId"]
    entry = described(admin, id_)
    assert entry.pop("CreationDate") == office.clock.now().timestamp()
    assert entry == {
        "CustomKeyStoreId": id_,
        "CustomKeyStoreName": "hsm",
        "CloudHsmClusterId": CLUSTER,
        "TrustAnchorCertificate": anchor,
        "ConnectionState": "DISCONNECTED",
        "CustomKeyStoreType": "AWS_CLOUDHSM",
    }
    assert code(office, "DisconnectCustomKeyStore", CustomKeyStoreId=id_) == "CustomKeyStoreInvalidStateException"
    ask(admin, "ConnectCustomKeyStore", CustomKeyStoreId=id_)
    assert described(admin, id_)["ConnectionState"] == "CONNECTED"
    assert code(office, "DeleteCustomKeyStore", CustomKeyStoreId=id_) == "CustomKeyStoreInvalidStateException"
    ask(admin, "DisconnectCustomKeyStore", CustomKeyStoreId=id_)
    ask(admin, "DeleteCustomKeyStore", CustomKeyStoreId=id_)
    assert code(office, "DescribeCustomKeyStores", CustomKeyStoreId=id_) == "CustomKeyStoreNotFoundException"


@pytest.mark.parametrize("left_out", ["CloudHsmClusterId", "TrustAnchorCertificate", "KeyStorePassword"])
def test_what_it_needs(office, members, left_out) -> None:
    del members[left_out]
    assert code(office, "CreateCustomKeyStore", **members) == "ValidationException"


@pytest.mark.parametrize(
    ("others", "says"),
    [
        ({"CloudHsmClusterId": OTHER_CLUSTER}, "CloudHsmClusterNotFoundException"),
        ({"TrustAnchorCertificate": "x"}, "IncorrectTrustAnchorException"),
        ({"XksProxyUriPath": "/kms/xks/v1"}, "ValidationException"),
    ],
)
def test_what_no_store_can_be_made_of(office, members, others, says) -> None:
    assert code(office, "CreateCustomKeyStore", **{**members, **others}) == says
    assert ask(office.admin, "DescribeCustomKeyStores")["CustomKeyStores"] == []


def test_two_certificates_are_no_trust_anchor(office, members, anchor) -> None:
    members["TrustAnchorCertificate"] = anchor + anchor
    assert code(office, "CreateCustomKeyStore", **members) == "IncorrectTrustAnchorException"


def test_an_hsm_is_one_store_of_an_account_and_region(office, members, store) -> None:
    assert code(office, "CreateCustomKeyStore", **members) == "CustomKeyStoreNameInUseException"
    members["CustomKeyStoreName"] = "another"
    assert code(office, "CreateCustomKeyStore", **members) == "CloudHsmClusterInUseException"
    office.keyring()
    other = office.user("other", ALLOW_ALL, tenant=OTHER_TENANT)
    done(other.call("CreateCustomKeyStore", **members))


def test_an_hsm_that_is_away_is_not_active(office, members, token) -> None:
    token.plugged = False
    assert code(office, "CreateCustomKeyStore", **members) == "CloudHsmClusterNotActiveException"


def test_why_no_connection_comes_about(office, members, token, clusters) -> None:
    admin = office.admin
    id_ = ask(admin, "CreateCustomKeyStore", **{**members, "KeyStorePassword": "another password"})["CustomKeyStoreId"]

    def connected():
        ask(admin, "ConnectCustomKeyStore", CustomKeyStoreId=id_)
        entry = described(admin, id_)
        if entry["ConnectionState"] == "FAILED":
            assert code(office, "ConnectCustomKeyStore", CustomKeyStoreId=id_) == "CustomKeyStoreInvalidStateException"
            ask(admin, "DisconnectCustomKeyStore", CustomKeyStoreId=id_)
        return entry.get("ConnectionErrorCode", entry["ConnectionState"])

    assert connected() == "INVALID_CREDENTIALS"
    ask(admin, "UpdateCustomKeyStore", CustomKeyStoreId=id_, KeyStorePassword=PASSWORD)
    token.plugged = False
    assert connected() == "INSUFFICIENT_CLOUDHSM_HSMS"
    token.plugged, clusters.locked = True, True
    assert connected() == "USER_LOCKED_OUT"
    clusters.locked, clusters.hsm = False, "another"
    assert connected() == "CLUSTER_NOT_FOUND"
    clusters.hsm = "safe"
    assert connected() == "CONNECTED"


def test_what_may_be_changed_and_when(office, store, clusters) -> None:
    """UpdateCustomKeyStore: the name of a connected one too."""
    admin = office.admin
    for change in (
        {"KeyStorePassword": "1234567"},
        {"CloudHsmClusterId": OTHER_CLUSTER},
        {"CloudHsmClusterId": CLUSTER, "NewCustomKeyStoreName": "x"},
    ):
        assert (
            code(office, "UpdateCustomKeyStore", CustomKeyStoreId=store, **change)
            == "CustomKeyStoreInvalidStateException"
        )
    ask(admin, "UpdateCustomKeyStore", CustomKeyStoreId=store, NewCustomKeyStoreName="x")
    assert [described(admin, store)[name] for name in ("CustomKeyStoreName", "ConnectionState")] == ["x", "CONNECTED"]
    ask(admin, "DisconnectCustomKeyStore", CustomKeyStoreId=store)
    for change in ({"XksProxyUriPath": "/kms/xks/v1"}, {"XksProxyConnectivity": "PUBLIC_ENDPOINT"}):
        assert code(office, "UpdateCustomKeyStore", CustomKeyStoreId=store, **change) == "ValidationException"
    ask(admin, "UpdateCustomKeyStore", CustomKeyStoreId=store, NewCustomKeyStoreName="renamed")
    assert described(admin, store)["CustomKeyStoreName"] == "renamed"
    assert (
        code(office, "UpdateCustomKeyStore", CustomKeyStoreId=store, CloudHsmClusterId=OTHER_CLUSTER)
        == "CloudHsmClusterNotFoundException"
    )
    clusters.id = OTHER_CLUSTER  # the operator has given it another id
    ask(admin, "UpdateCustomKeyStore", CustomKeyStoreId=store, CloudHsmClusterId=OTHER_CLUSTER)
    assert described(admin, store)["CloudHsmClusterId"] == OTHER_CLUSTER
    clusters.id, clusters.hsm = CLUSTER, "another"
    assert (
        code(office, "UpdateCustomKeyStore", CustomKeyStoreId=store, CloudHsmClusterId=CLUSTER)
        == "CloudHsmClusterNotRelatedException"
    )


def test_a_proxy_has_no_password(office) -> None:
    store = created(office.admin, Told())
    for change in ({"KeyStorePassword": "1234567"}, {"CloudHsmClusterId": CLUSTER}):
        assert code(office, "UpdateCustomKeyStore", CustomKeyStoreId=store, **change) == "ValidationException"


def test_the_password_is_shown_nowhere(office, store) -> None:
    said = [str(described(office.admin, store)), *map(str, office.records())]
    assert not any(PASSWORD in text for text in said)


# --- keys


def test_a_key_is_made_in_the_hsm_and_used_there(office, store, key, token) -> None:
    assert key["Origin"] == "AWS_CLOUDHSM" and key["KeyState"] == "Enabled"
    assert (key["CustomKeyStoreId"], key["CloudHsmClusterId"]) == (store, CLUSTER)
    assert "XksKeyConfiguration" not in key and "CurrentKeyMaterialId" not in key
    assert ask(office.admin, "DescribeKey", KeyId=key["KeyId"])["KeyMetadata"] == key
    kept = office.barrier.get(Key, key["KeyId"])
    assert (kept.hsm, kept.origin, len(token.objects)) == ("safe", Origin.HSM, 1)
    before = token.n_calls
    context = {"EncryptionContext": {"a": "b"}}
    sealed = ask(office.admin, "Encrypt", KeyId=key["KeyId"], Plaintext=b64(b"x"), **context)["CiphertextBlob"]
    assert ask(office.admin, "Decrypt", CiphertextBlob=sealed, **context)["Plaintext"] == b64(b"x")
    assert code(office, "Decrypt", CiphertextBlob=sealed) == "InvalidCiphertextException"
    assert ask(office.admin, "GenerateDataKey", KeyId=key["KeyId"], KeySpec="AES_256")["Plaintext"]
    assert token.n_calls >= before + 4


def test_other_keys_of_the_account_stay_in_software(office, key, token) -> None:
    other = ask(office.admin, "CreateKey")["KeyMetadata"]
    assert other["Origin"] == "AWS_KMS" and len(token.objects) == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"Origin": "EXTERNAL_KEY_STORE", "XksKeyId": "x"}, "UnsupportedOperationException"),
        ({"Origin": "AWS_KMS"}, "ValidationException"),
        ({"Origin": "AWS_CLOUDHSM", "XksKeyId": "x"}, "ValidationException"),
        ({"Origin": "AWS_CLOUDHSM", "MultiRegion": True}, "UnsupportedOperationException"),
        ({"Origin": "AWS_CLOUDHSM", "KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}, "UnsupportedOperationException"),
        (
            {"Origin": "AWS_CLOUDHSM", "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
            "UnsupportedOperationException",
        ),
    ],
)
def test_which_keys_it_does_not_hold(office, store, token, given, says) -> None:
    assert code(office, "CreateKey", CustomKeyStoreId=store, **given) == says
    assert not token.objects


def test_what_a_key_in_it_is_not_for(office, key) -> None:
    id_ = key["KeyId"]
    for operation, more in (
        ("EnableKeyRotation", {}),
        ("RotateKeyOnDemand", {}),
        ("GenerateDataKeyPair", {"KeyPairSpec": "ECC_NIST_P256"}),
        ("GetParametersForImport", {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}),
    ):
        assert code(office, operation, KeyId=id_, **more) == "UnsupportedOperationException", operation


def test_a_disconnected_store_makes_its_keys_unavailable(office, store, key, token) -> None:
    admin, id_ = office.admin, key["KeyId"]
    sealed = ask(admin, "Encrypt", KeyId=id_, Plaintext=b64(b"x"))["CiphertextBlob"]
    ask(admin, "DisconnectCustomKeyStore", CustomKeyStoreId=store)
    assert ask(admin, "DescribeKey", KeyId=id_)["KeyMetadata"]["KeyState"] == "Unavailable"
    before = token.n_calls
    assert code(office, "Encrypt", KeyId=id_, Plaintext=b64(b"x")) == "KMSInvalidStateException"
    assert code(office, "Decrypt", CiphertextBlob=sealed) == "KMSInvalidStateException"
    new = {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store}
    assert code(office, "CreateKey", **new) == "CustomKeyStoreInvalidStateException"
    assert token.n_calls == before
    ask(admin, "ConnectCustomKeyStore", CustomKeyStoreId=store)
    assert ask(admin, "Decrypt", CiphertextBlob=sealed)["Plaintext"] == b64(b"x")


def test_a_token_that_is_taken_away_is_said_in_awss_words_and_nothing_changes(office, store, key, token) -> None:
    admin, id_ = office.admin, key["KeyId"]
    sealed = ask(admin, "Encrypt", KeyId=id_, Plaintext=b64(b"x"))["CiphertextBlob"]
    token.plugged = False
    for operation, given in (
        ("Encrypt", {"KeyId": id_, "Plaintext": b64(b"x")}),
        ("Decrypt", {"CiphertextBlob": sealed}),
    ):
        reply = admin.call(operation, **given)
        assert reply.code == "KMSInvalidStateException" and "does not answer" in reply.message
    new = {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store}
    assert code(office, "CreateKey", **new) == "CloudHsmClusterInvalidConfigurationException"
    assert described(admin, store)["ConnectionState"] == "CONNECTED"
    token.plugged = True
    assert ask(admin, "Decrypt", CiphertextBlob=sealed)["Plaintext"] == b64(b"x")
    assert len(ask(admin, "ListKeys")["Keys"]) == 1 == len(token.objects)


def test_a_store_with_keys_stays_and_one_whose_keys_are_gone_goes(office, store, key) -> None:
    admin = office.admin
    ask(admin, "ScheduleKeyDeletion", KeyId=key["KeyId"], PendingWindowInDays=7)
    ask(admin, "DisconnectCustomKeyStore", CustomKeyStoreId=store)
    assert code(office, "DeleteCustomKeyStore", CustomKeyStoreId=store) == "CustomKeyStoreHasCMKsException"
    assert wait(office, scheduled(office), days=7) == 1  # whether it is connected or not
    ask(admin, "DeleteCustomKeyStore", CustomKeyStoreId=store)


def test_on_the_event_loop_nobody_waits_for_the_hsm(office, store, key, token) -> None:
    admin = office.admin
    ask(admin, "Encrypt", KeyId=key["KeyId"], Plaintext=b64(b"x"))
    office.on_the_loop()
    token.threads.clear()
    for operation, given, would in (
        ("Encrypt", {"KeyId": key["KeyId"], "Plaintext": b64(b"x")}, WouldWait),
        ("GenerateRandom", {"NumberOfBytes": 8, "CustomKeyStoreId": store}, WouldBlock),  # the store is read first
    ):
        headers = {"X-Amz-Target": f"TrentService.{operation}", "Content-Type": "application/x-amz-json-1.1"}
        request = admin.signed(headers, msgspec.json.encode(given))
        with pytest.raises(would):
            office.front.serve(request)
        ask(admin, operation, **given)
    assert token.threads and threading.get_ident() not in token.threads


def test_what_its_store_refuses_waits_for_no_hsm(office, store, key) -> None:
    given = {"KeyId": key["KeyId"], "Plaintext": b64(b"x")}
    ask(office.admin, "DisconnectCustomKeyStore", CustomKeyStoreId=store)
    refused = "KMSInvalidStateException"
    assert code(office, "Encrypt", **given) == refused  # all is held that can be
    office.on_the_loop()
    headers = {"X-Amz-Target": "TrentService.Encrypt", "Content-Type": "application/x-amz-json-1.1"}
    request = office.admin.signed(headers, msgspec.json.encode(given))
    assert refused.encode() in office.front.serve(request), "and not WouldWait"


def test_random_bytes_come_from_the_hsm(office, store, token) -> None:
    admin = office.admin
    drawn = ask(admin, "GenerateRandom", NumberOfBytes=8, CustomKeyStoreId=store)
    assert drawn["Plaintext"] == b64(bytes(8))  # what this token draws
    ask(admin, "DisconnectCustomKeyStore", CustomKeyStoreId=store)
    assert (
        code(office, "GenerateRandom", NumberOfBytes=8, CustomKeyStoreId=store) == "CustomKeyStoreInvalidStateException"
    )


def test_cloudtrail_says_what_was_answered(office, key, token) -> None:
    token.plugged = False
    reply = office.admin.call("Encrypt", KeyId=key["KeyId"], Plaintext=b64(b"x"))
    event = next(cloudtrail.events(0, office.journal.lines[-1]))
    assert (event["errorCode"], event["errorMessage"]) == (reply.code, reply.message)
