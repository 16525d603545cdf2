"""The XKS door of a real server, as whoever administers it sets it up, called as AWS KMS calls it."""

import json
from base64 import b64decode, b64encode
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.servers import serving

pytestmark = pytest.mark.client

META = {
    "awsPrincipalArn": "arn:aws:iam::123456789012:user/Alice",
    "kmsKeyArn": "arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "kmsOperation": "Encrypt",
    "kmsRequestId": "4112f4d6-db54-4af4-ae30-c55a22a8dfae",
}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["kms:DescribeKey", "kms:Encrypt", "kms:Decrypt"], "Resource": "*"}],
}


class Kms:
    """AWS KMS, with a custom key store made from the file that the console takes."""

    def __init__(self, endpoint: str, file: dict) -> None:
        self.endpoint, self.path = endpoint, file["XksProxyUriPath"]
        credential = file["XksProxyAuthenticationCredential"]
        self.credentials = Credentials(credential["AccessKeyId"], credential["RawSecretAccessKey"])

    def __call__(self, rest: str, **members: object) -> tuple[int, dict]:
        body = json.dumps({"requestMetadata": META, **members}).encode()
        url = f"{self.endpoint}{self.path}/{rest}"
        request = AWSRequest("POST", url, {"Content-Type": "application/json"}, body)
        SigV4Auth(self.credentials, "kms-xks-proxy", "eu-west-1").add_auth(request)
        connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
        try:
            connection.request("POST", urlsplit(url).path, body, dict(request.headers))
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            connection.close()


def test_a_key_store_from_its_setting_up_to_its_being_cut_off(tmp_path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps(POLICY))
    with serving("dev", tmp_path / "data", "--listen", "xks=127.0.0.1:0") as server:
        ring = next(one for one in server("keyring", "list", "--json").json if one["name"] == "us-east-1")
        at = f"xks:{ring['tenant']}:stores/one"
        server("keyring", "bind", ring["id"], at, "--json")
        server("principal", "create", "aws-kms", "--json")
        server("principal", "policy", "put", "aws-kms", "xks", policy, "--json")
        key = server("key", "create", "--in", at, "--name", "foo", "--json").json["id"]
        make = ("principal", "xks-credential", "create", "aws-kms", at, "--json")
        file, second = server(*make).json, server(*make).json
        assert file["XksProxyUriPath"] == "/stores/one/kms/xks/v1"
        assert server(*make).status != 0  # two at once, and no third
        said = server("env", "xks", "--json").json
        endpoint = said["SCHEME"] + said["XKS_PROXY_HOST"]
        kms, new = Kms(endpoint, file), Kms(endpoint, second)

        assert kms("health")[1]["ekmFleetDetails"][0]["healthStatus"] == "ACTIVE"
        found = {"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "ENABLED"}
        assert kms(f"keys/{key}/metadata") == kms("keys/foo/metadata") == (200, found)
        text = {"plaintext": b64encode(b"Hello World!").decode(), "encryptionAlgorithm": "AES_GCM"}
        status, sealed = kms("keys/foo/encrypt", ciphertextDataIntegrityValueAlgorithm="SHA_256", **text)
        assert status == 200 and len(b64decode(sealed.pop("ciphertextDataIntegrityValue"))) == 32
        sealed["encryptionAlgorithm"] = "AES_GCM"
        assert kms("keys/foo/decrypt", **sealed) == (200, {"plaintext": text["plaintext"]})

        assert server("key", "rotate", key, "--json").status == 0
        assert kms("keys/foo/decrypt", **sealed)[0] == 200

        assert server("key", "disable", key, "--json").status == 0
        for rest, members in (("keys/foo/encrypt", text), ("keys/foo/decrypt", sealed)):
            status, error = kms(rest, **members)
            assert (status, error["errorName"]) == (400, "InvalidStateException")
        assert server("key", "enable", key, "--json").status == 0
        assert kms("keys/foo/decrypt", **sealed)[0] == 200

        old = file["XksProxyAuthenticationCredential"]["AccessKeyId"]
        assert server("principal", "xks-credential", "delete", old, "--json").status == 0
        assert kms("health")[0] == 401 and new("health")[0] == 200
        listed = server("principal", "xks-credential", "list", "aws-kms", "--json").json
        assert [(one["kind"], one["at"]) for one in listed] == [("xks", at)]


def test_a_credential_is_not_shown_into_a_pipe_by_accident(tmp_path) -> None:
    with serving("dev", tmp_path / "data") as server:
        done = server("principal", "xks-credential", "create", "nobody", "xks:1:x")
        assert done.status != 0 and "--json" in done.err
