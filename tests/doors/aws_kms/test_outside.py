"""What an XKS proxy may say and do, and what AWS KMS makes of it, row by row.

XKS Proxy API specification, "Error codes", "KMS Considerations"; KMS API Reference, ConnectionErrorCode.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any

import pytest
from tests import harness
from tests.doors.aws_kms.proxies import FIT, HEALTHY, Keystead, Told, connected, created, described, key_in, members

from keystead.core.keystores import Moment, Trouble, failed
from keystead.doors.aws_kms.errors import Fixed, row
from keystead.providers.xks import NAMED

DATA = b"attack at dawn"
IN_IT = {"Origin": "EXTERNAL_KEY_STORE", "XksKeyId": "one"}
RESPONSE, UNREACHABLE = "XksProxyInvalidResponseException", "XksProxyUriUnreachableException"
CONFIGURATION, STATE = "XksProxyInvalidConfigurationException", "CustomKeyStoreInvalidStateException"
KEY, INVALID = "XksKeyInvalidConfigurationException", "KMSInvalidStateException"

# what the proxy says -> of Create- and UpdateCustomKeyStore; of CreateKey; why a connection has failed; words
SAYS = {
    "ValidationException": (RESPONSE, STATE, "XKS_PROXY_INVALID_RESPONSE", "cannot interpret the response"),
    "InvalidStateException": (
        RESPONSE,
        KEY,
        "XKS_PROXY_INVALID_RESPONSE",
        "is not enabled in the external key manager",
    ),
    "InvalidCiphertextException": (RESPONSE, STATE, "XKS_PROXY_INVALID_RESPONSE", "encryption context is corrupted"),
    "InvalidKeyUsageException": (
        RESPONSE,
        KEY,
        "XKS_PROXY_INVALID_RESPONSE",
        "does not support the requested operation",
    ),
    "AuthenticationFailedException": (
        "XksProxyIncorrectAuthenticationCredentialException",
        STATE,
        "INVALID_CREDENTIALS",
        "could not authenticate AWS KMS",
    ),
    "AccessDeniedException": (CONFIGURATION, INVALID, "XKS_PROXY_ACCESS_DENIED", "denied access to the operation"),
    "KeyNotFoundException": (
        RESPONSE,
        "XksKeyNotFoundException",
        "XKS_PROXY_INVALID_RESPONSE",
        "was not found in its external key manager",
    ),
    "InvalidUriPathException": (CONFIGURATION, STATE, "XKS_PROXY_INVALID_CONFIGURATION", "invalid URI path"),
    "ThrottlingException": (UNREACHABLE, STATE, "XKS_PROXY_NOT_REACHABLE", "very high request rate"),
    "UnsupportedOperationException": (RESPONSE, KEY, "XKS_PROXY_INVALID_RESPONSE", "does not support the requested"),
    "DependencyTimeoutException": (UNREACHABLE, STATE, "XKS_PROXY_TIMED_OUT", "in the time allotted"),
    "InternalException": (RESPONSE, STATE, "XKS_PROXY_INVALID_RESPONSE", "cannot communicate with the external key"),
}
HAPPENS = {
    Trouble.UNREACHABLE: (UNREACHABLE, STATE, "XKS_PROXY_NOT_REACHABLE", "AWS KMS cannot communicate with"),
    Trouble.INSECURE: (UNREACHABLE, STATE, "XKS_PROXY_INVALID_TLS_CONFIGURATION", "cannot establish a TLS connection"),
    Trouble.LATE: (UNREACHABLE, STATE, "XKS_PROXY_TIMED_OUT", "did not respond in time"),
    Trouble.MALFORMED: (RESPONSE, STATE, "XKS_PROXY_INVALID_RESPONSE", "cannot interpret the response"),
}
STATUSES = {"ThrottlingException": 429, "InternalException": 500, "DependencyTimeoutException": 503}


class Honest(Told):
    """A proxy that encrypts, after a fashion; `spoil` changes what it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.spoil: dict[str, Any] = {}

    def request(self, method: str, url: str, *, body: bytes, **more: Any) -> tuple[int, bytes]:
        verb = url.rpartition("/")[2]
        if verb in ("encrypt", "decrypt") and verb not in self.answers:
            self.answers[verb] = None
            super().request(method, url, body=body, **more)
            self.answers[verb] = self.made(verb, self.asked.pop()[2])
            try:
                return super().request(method, url, body=body, **more)
            finally:
                del self.answers[verb]
        return super().request(method, url, body=body, **more)

    def made(self, verb: str, asked: dict[str, Any]) -> dict[str, Any]:
        if verb == "decrypt":
            text = bytes(byte ^ 0x5A for byte in b64decode(asked["ciphertext"]))
            return {name: value for name, value in {"plaintext": b64(text), **self.spoil}.items() if value is not None}
        text = bytes(byte ^ 0x5A for byte in b64decode(asked["plaintext"]))
        parts = {"meta": b"v1", "iv": b"i" * 12, "text": text, "tag": b"t" * 16}
        parts |= {name: value for name, value in self.spoil.items() if name in parts}
        aad = b64decode(asked["additionalAuthenticatedData"])
        answer = {
            "ciphertext": b64(parts["text"]),
            "ciphertextMetadata": b64(parts["meta"]) if parts["meta"] is not None else None,
            "initializationVector": b64(parts["iv"]),
            "authenticationTag": b64(parts["tag"]),
            "ciphertextDataIntegrityValue": b64(
                sha256(aad + (parts["meta"] or b"") + parts["iv"] + parts["text"] + parts["tag"]).digest()
            ),
        }
        answer |= {name: value for name, value in self.spoil.items() if name not in parts}
        return {name: value for name, value in answer.items() if value is not None}


def b64(data: bytes) -> str:
    return b64encode(data).decode()


@pytest.fixture
def net() -> Honest:
    return Honest()


@pytest.fixture
def admin(net) -> harness.Person:
    return harness.stack(net=net).admin


def sabotage(net: Told, verb: str, what: str | Trouble) -> None:
    if isinstance(what, Trouble):
        net.answers[verb] = what
    else:
        net.refuses(verb, what, STATUSES.get(what, 400))


def test_every_name_of_the_specification_is_known() -> None:
    assert NAMED.keys() == SAYS.keys()


def test_every_trouble_has_words_and_a_code_at_every_moment() -> None:
    for trouble in Trouble:
        for moment in Moment:
            found = row(failed(trouble, moment))
            assert isinstance(found.words, Fixed) and found.status == 400


@pytest.mark.parametrize("what", [*SAYS, *HAPPENS], ids=str)
def test_when_a_store_is_made_changed_and_connected(net, admin, what) -> None:
    code, _, why, words = (SAYS | HAPPENS)[what]
    store = created(admin, net)
    sabotage(net, "health", what)
    other = members(net, CustomKeyStoreName="two", XksProxyUriPath="/two/kms/xks/v1")
    for operation, given in (
        ("CreateCustomKeyStore", other),
        ("UpdateCustomKeyStore", {"CustomKeyStoreId": store, "XksProxyUriPath": "/two/kms/xks/v1"}),
    ):
        reply = admin.call(operation, **given)
        assert (reply.code, words in reply.message, "CANARY" in reply.message) == (code, True, False)
    assert admin.call("ConnectCustomKeyStore", CustomKeyStoreId=store).json == {}
    assert described(admin, store)["ConnectionErrorCode"] == why
    assert len(admin.call("DescribeCustomKeyStores").json["CustomKeyStores"]) == 1


@pytest.mark.parametrize("what", [*SAYS, *HAPPENS], ids=str)
def test_when_a_key_is_made(net, admin, what) -> None:
    _, code, _, words = (SAYS | HAPPENS)[what]
    store = connected(admin, net)
    sabotage(net, "metadata", what)
    reply = admin.call("CreateKey", CustomKeyStoreId=store, **IN_IT)
    assert (reply.code, words in reply.message, "CANARY" in reply.message) == (code, True, False)
    assert admin.call("ListKeys").json["Keys"] == []


@pytest.mark.parametrize("what", [*SAYS, *HAPPENS], ids=str)
def test_when_a_key_is_used(net, admin, what) -> None:
    *_, words = (SAYS | HAPPENS)[what]
    key = key_in(admin, connected(admin, net))["KeyId"]
    blob = admin.call("Encrypt", KeyId=key, Plaintext=DATA).json["CiphertextBlob"]
    assert admin.call("Decrypt", CiphertextBlob=blob).json["Plaintext"] == b64(DATA)
    sabotage(net, "encrypt", what)
    sabotage(net, "decrypt", what)
    for operation, given in (
        ("Encrypt", {"KeyId": key, "Plaintext": DATA}),
        ("Decrypt", {"CiphertextBlob": blob}),
        ("GenerateDataKey", {"KeyId": key, "KeySpec": "AES_256"}),
        ("GenerateDataKeyWithoutPlaintext", {"KeyId": key, "KeySpec": "AES_256"}),
        ("ReEncrypt", {"CiphertextBlob": blob, "DestinationKeyId": key}),
    ):
        reply = admin.call(operation, **given)
        assert (reply.code, words in reply.message, "CANARY" in reply.message) == (INVALID, True, False)


NO_ANSWERS = {
    "no JSON": b"<html>",
    "nothing": b"",
    "an array": b"[]",
    "a string": b'"x"',
    "an empty object": b"{}",
    "not UTF-8": b'{"a":"\xff"}',
    "a name twice": b'{"plaintext":"","plaintext":""}',
    "a redirect": (302, b""),
    "an HTML error": (500, b"<html>oops</html>"),
    "an error without a name": (400, b"{}"),
    "an unknown error": (400, {"errorName": "TeapotException"}),
    "an error that is no text": (400, {"errorName": 1}),
    "no content": (204, b""),
    "another success": (201, HEALTHY),
}


@pytest.mark.parametrize("what", NO_ANSWERS)
def test_what_is_no_answer(net, admin, what) -> None:
    store = connected(admin, net)
    key = key_in(admin, store)["KeyId"]
    blob = admin.call("Encrypt", KeyId=key, Plaintext=DATA).json["CiphertextBlob"]
    net.answers = dict.fromkeys(("health", "metadata", "encrypt", "decrypt"), NO_ANSWERS[what])
    words = "cannot interpret the response"
    other = members(net, CustomKeyStoreName="two", XksProxyUriPath="/two/kms/xks/v1")
    for operation, given, code in (
        ("CreateCustomKeyStore", other, RESPONSE),
        ("CreateKey", {"CustomKeyStoreId": store, **IN_IT, "XksKeyId": "two"}, STATE),
        ("Encrypt", {"KeyId": key, "Plaintext": DATA}, INVALID),
        ("Decrypt", {"CiphertextBlob": blob}, INVALID),
    ):
        reply = admin.call(operation, **given)
        assert (reply.code, words in reply.message) == (code, True), operation
    admin.call("ConnectCustomKeyStore", CustomKeyStoreId=store)
    assert described(admin, store)["ConnectionErrorCode"] == "XKS_PROXY_INVALID_RESPONSE"


WRONG_WHEN_ENCRYPTING = {
    "a shorter ciphertext": {"text": b"x"},
    "a longer ciphertext": {"text": b"x" * 200},
    "an IV of 11 bytes": {"iv": b"i" * 11},
    "an IV of 13 bytes": {"iv": b"i" * 13},
    "an empty IV": {"iv": b""},
    "a tag of 15 bytes": {"tag": b"t" * 15},
    "a tag of 17 bytes": {"tag": b"t" * 17},
    "metadata of 21 bytes": {"meta": b"m" * 21},
    "another CDIV": {"ciphertextDataIntegrityValue": b64(b"c" * 32)},
    "a shorter CDIV": {"ciphertextDataIntegrityValue": b64(b"c" * 31)},
    "no CDIV": {"ciphertextDataIntegrityValue": None},
    "no tag": {"authenticationTag": None},
    "no IV": {"initializationVector": None},
    "no ciphertext": {"ciphertext": None},
    "no base64": {"ciphertext": "?"},
    "a number": {"initializationVector": 12},
}


@pytest.mark.parametrize("what", WRONG_WHEN_ENCRYPTING)
def test_what_is_no_answer_to_encrypt(net, admin, what) -> None:
    key = key_in(admin, connected(admin, net))["KeyId"]
    net.spoil = WRONG_WHEN_ENCRYPTING[what]
    reply = admin.call("GenerateDataKey", KeyId=key, KeySpec="AES_256")
    assert (reply.code, "cannot interpret the response" in reply.message) == (INVALID, True)


@pytest.mark.parametrize(
    "parts", [{"iv": b"i" * 16}, {"meta": None}, {"meta": b""}, {"meta": b"m" * 20}, {"further": "members"}]
)
def test_what_is_an_answer_to_encrypt_nevertheless(net, admin, parts) -> None:
    key = key_in(admin, connected(admin, net))["KeyId"]
    net.spoil = parts
    blob = admin.call("Encrypt", KeyId=key, Plaintext=DATA).json["CiphertextBlob"]
    net.spoil = {}
    assert admin.call("Decrypt", CiphertextBlob=blob).json["Plaintext"] == b64(DATA)
    asked, meta = net.asked[-1][2], parts.get("meta", b"v1")
    assert asked.get("ciphertextMetadata") == (b64(meta) if meta else None)
    assert asked["initializationVector"] == b64(parts.get("iv", b"i" * 12))


WRONG_WHEN_DECRYPTING = {
    "a shorter plaintext": (b64(b"x"), "cannot interpret the response"),
    "a longer plaintext": (b64(b"x" * 109), "cannot interpret the response"),
    "another plaintext": (b64(b"x" * 108), "submitted for decryption"),
    "no plaintext": (None, "cannot interpret the response"),
}


@pytest.mark.parametrize("what", WRONG_WHEN_DECRYPTING)
def test_what_is_no_answer_to_decrypt(net, admin, what) -> None:
    plaintext, words = WRONG_WHEN_DECRYPTING[what]
    key = key_in(admin, connected(admin, net))["KeyId"]
    blob = admin.call("Encrypt", KeyId=key, Plaintext=DATA).json["CiphertextBlob"]
    net.spoil = {"plaintext": plaintext}
    reply = admin.call("Decrypt", CiphertextBlob=blob)
    assert (reply.code, words in reply.message) == (INVALID, True)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"keySpec": "AES_128"}, KEY, "does not support the requested operation"),
        ({"keySpec": "RSA_2048"}, KEY, "does not support the requested operation"),
        ({"keyUsage": ["ENCRYPT"]}, KEY, "does not support the requested operation"),
        ({"keyUsage": ["DECRYPT", "SIGN"]}, KEY, "does not support the requested operation"),
        ({"keyUsage": []}, KEY, "does not support the requested operation"),
        ({"keyStatus": "DISABLED"}, KEY, "is not enabled in the external key manager"),
        ({"keyStatus": "enabled"}, KEY, "is not enabled in the external key manager"),
        ({"keyUsage": ["ENCRYPT", "DECRYPT", *"ABCDEFGHI"]}, STATE, "cannot interpret the response"),
        ({"keyUsage": "ENCRYPT"}, STATE, "cannot interpret the response"),
        ({"keySpec": None}, STATE, "cannot interpret the response"),
    ],
)
def test_an_external_key_that_does_not_do(net, admin, change, code, words) -> None:
    store = connected(admin, net)
    net.answers["metadata"] = {**FIT, **change}
    reply = admin.call("CreateKey", CustomKeyStoreId=store, **IN_IT)
    assert (reply.code, words in reply.message) == (code, True)


def test_an_external_key_that_can_do_more(net, admin) -> None:
    net.answers["metadata"] = {**FIT, "keyUsage": ["WRAP", "DECRYPT", "ENCRYPT"], "further": 1}
    assert key_in(admin, connected(admin, net))["KeyState"] == "Enabled"


def managers(*states: str) -> list[dict[str, str]]:
    return [{"id": str(n), "model": "m", "healthStatus": state} for n, state in enumerate(states)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ekmFleetDetails": managers("UNAVAILABLE", "UNAVAILABLE")}, UNREACHABLE),
        ({"ekmFleetDetails": managers("ACTIVE", "WELL")}, RESPONSE),
        ({"ekmFleetDetails": []}, RESPONSE),
        ({"ekmFleetDetails": managers(*["ACTIVE"] * 11)}, RESPONSE),
        ({"xksProxyFleetSize": 0}, RESPONSE),
        ({"xksProxyFleetSize": "1"}, RESPONSE),
        ({"xksProxyFleetSize": 1.5}, RESPONSE),
        ({"ekmVendor": None}, RESPONSE),
        ({"ekmFleetDetails": managers("DEGRADED", "UNAVAILABLE")}, None),
        ({"ekmFleetDetails": managers(*["ACTIVE"] * 10)}, None),
    ],
)
def test_how_a_proxy_says_it_is(net, admin, change, code) -> None:
    net.answers["health"] = {**HEALTHY, **change}
    assert admin.call("CreateCustomKeyStore", **members(net)).code == code


def test_a_proxy_that_takes_on_another_secret_at_once(net) -> None:
    """The secret that is checked is the one that is given, and not one that was prepared before it."""
    proxy = Keystead()
    admin = harness.stack(net=proxy).admin
    store = connected(admin, proxy)
    wrong = {"AccessKeyId": proxy.access_key_id, "RawSecretAccessKey": "w" * 44}
    reply = admin.call("UpdateCustomKeyStore", CustomKeyStoreId=store, XksProxyAuthenticationCredential=wrong)
    assert reply.code == "XksProxyIncorrectAuthenticationCredentialException"
    assert admin.call("ConnectCustomKeyStore", CustomKeyStoreId=store).status == 200
    assert described(admin, store)["ConnectionState"] == "CONNECTED"
