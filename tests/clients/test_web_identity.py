"""Workloads of a cluster, as Kubernetes runs them: a token in a file, a role in the environment, no access key.

boto3 and the `aws` command line find both by themselves (AWS SDKs and Tools Reference Guide, "Assume role credential
provider"); the issuer's keys are in a file, or with the issuer, which is a TLS server here.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.certificates import Authority
from tests.clients.conftest import BIN, Server
from tests.servers import serving
from tests.tokens import SigningKey, key_set

pytestmark = pytest.mark.client

IN_A_FILE = "https://cluster.example/id/1"
SUBJECT = "system:serviceaccount:pay:web"
KEY = SigningKey("RS256", "one")
USE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}
POD = """
import boto3
kms = boto3.client("kms")
key = kms.create_key()["KeyMetadata"]["KeyId"]
blob = kms.encrypt(KeyId=key, Plaintext=b"hello")["CiphertextBlob"]
assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"hello"
print(boto3.client("sts").get_caller_identity()["Arn"])
"""


class Issuer(ThreadingHTTPServer):
    """An OpenID Connect issuer on loopback; `keys` may change while it runs."""

    def __init__(self, authority: Authority) -> None:
        super().__init__(("127.0.0.1", 0), _Pages)
        self.socket = authority.context("localhost").wrap_socket(self.socket, server_side=True)
        self.url = f"https://localhost:{self.server_address[1]}"
        self.keys, self.asked = key_set(KEY), 0

    def handle_error(self, *_: Any) -> None:
        """A client that does not like our certificate hangs up."""


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        at: Any = self.server
        pages = {
            "/.well-known/openid-configuration": {"issuer": at.url, "jwks_uri": f"{at.url}/keys"},
            "/keys": json.loads(at.keys),
        }
        body = json.dumps(pages[self.path]).encode()
        at.asked += self.path == "/keys"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing to say."""


class Cluster:
    """A server whose account trusts two issuers, each with a role for the same service account."""

    def __init__(self, server: Server, issuer: Issuer) -> None:
        self.server, self.issuer = server, issuer
        self.iam = server.client("iam")
        self.roles = {IN_A_FILE: self._role("filed", IN_A_FILE), issuer.url: self._role("asked", issuer.url)}

    def _role(self, name: str, url: str) -> str:
        made = self.iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"])
        trust = {
            "Effect": "Allow",
            "Principal": {"Federated": made["OpenIDConnectProviderArn"]},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{url[8:]}:sub": SUBJECT, f"{url[8:]}:aud": "sts.amazonaws.com"}},
        }
        text = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=text)["Role"]
        self.iam.put_role_policy(RoleName=name, PolicyName="use", PolicyDocument=json.dumps(USE))
        return role["Arn"]

    def token(self, issuer: str, key: SigningKey = KEY, **changes: Any) -> str:
        now = int(time.time())
        claims = {"iss": issuer, "sub": SUBJECT, "aud": ["sts.amazonaws.com"], "iat": now, "nbf": now, "exp": now + 600}
        return key.token(claims | changes)

    def surroundings(self, file: Path, issuer: str) -> dict[str, str]:
        """Of a pod: what its service account gives it, and where this cluster's KMS is."""
        file.write_text(self.token(issuer))
        own = {name: text for name, text in self.server.surroundings().items() if not name.startswith("AWS_")}
        places = {name: text for name, text in self.server.environment.items() if "KEY" not in name}
        return own | places | {"AWS_ROLE_ARN": self.roles[issuer], "AWS_WEB_IDENTITY_TOKEN_FILE": str(file)}

    def assume(self, issuer: str, token: str | None = None) -> Any:
        sts = boto3.client(
            "sts",
            region_name=self.server.region,
            endpoint_url=self.server.endpoint,
            aws_access_key_id="",
            aws_secret_access_key="",
            config=Config(retries={"total_max_attempts": 1}),
        )
        return sts.assume_role_with_web_identity(
            RoleArn=self.roles[issuer], RoleSessionName="pod-1", WebIdentityToken=token or self.token(issuer)
        )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("cluster")
    data, keys, authority = directory / "data", directory / "jwks.json", Authority(directory)
    keys.write_bytes(key_set(KEY))
    with Issuer(authority) as issuer:
        Thread(target=issuer.serve_forever, daemon=True).start()
        with serving("dev", data):
            pass  # it is made
        settings = {
            IN_A_FILE: f'keys = "file:{keys}"',
            issuer.url: f'certificates = "file:{authority.ca}", private = true',
        }
        lines = ", ".join(f'"{url}" = {{ {chosen} }}' for url, chosen in settings.items())
        with (data / "keystead.toml").open("a") as file:
            file.write(f"issuers = {{ {lines} }}\n")
        with serving("dev", data) as process:
            yield Cluster(Server(data, process("env", "aws", "--json").json), issuer)
        issuer.shutdown()


@pytest.fixture(params=["keys in a file", "keys of the issuer"])
def issuer(request, cluster) -> str:
    return IN_A_FILE if request.param == "keys in a file" else cluster.issuer.url


def refused(call: Any, *args: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(*args)
    return caught.value.response["Error"]["Code"]


def test_a_pod_uses_a_key_with_the_token_that_it_is_given(cluster, issuer, tmp_path) -> None:
    environment = cluster.surroundings(tmp_path / "token", issuer)
    done = subprocess.run([sys.executable, "-c", POD], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    account, name = cluster.roles[issuer].split(":")[4], cluster.roles[issuer].rpartition("/")[2]
    assert done.stdout.startswith(f"arn:aws:sts::{account}:assumed-role/{name}/")


def test_so_does_the_command_line(cluster, tmp_path) -> None:
    environment = cluster.surroundings(tmp_path / "token", IN_A_FILE)
    words = [BIN / "aws", "kms", "generate-random", "--number-of-bytes", "8", "--output", "json"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and json.loads(done.stdout)["Plaintext"], done.stderr


def test_boto3_says_who_is_not_taken(cluster, issuer) -> None:
    made = cluster.assume(issuer)
    assert (made["SubjectFromWebIdentityToken"], made["Audience"]) == (SUBJECT, "sts.amazonaws.com")
    wrong = {
        "InvalidIdentityToken": cluster.token(issuer, SigningKey("ES256", "one")),
        "ExpiredTokenException": cluster.token(issuer, exp=int(time.time()) - 1),
        "AccessDenied": cluster.token(issuer, sub="system:serviceaccount:pay:other"),
        "IDPRejectedClaim": cluster.token(issuer, **{"https://aws.amazon.com/source_identity": "me"}),
    }
    for code, token in wrong.items():
        assert refused(cluster.assume, issuer, token) == code


def test_the_issuer_is_asked_once(cluster) -> None:
    cluster.assume(cluster.issuer.url)
    before = cluster.issuer.asked
    assert before
    for _ in range(5):
        cluster.assume(cluster.issuer.url)
        with contextlib.suppress(ClientError):
            cluster.assume(cluster.issuer.url, cluster.token(cluster.issuer.url, SigningKey("RS256", "made-up")))
    assert cluster.issuer.asked <= before + 1


def test_an_issuer_that_nobody_allowed_at_a_private_address_is_not_asked(cluster) -> None:
    """The same server under a name that the configuration does not have."""
    url = cluster.issuer.url + "/else"
    cluster.roles[url] = cluster._role("else", url)
    before = cluster.issuer.asked
    assert refused(cluster.assume, url) == "IDPCommunicationError"
    assert cluster.issuer.asked == before


def test_a_deleted_role_ends_what_it_opened(cluster) -> None:
    keys = cluster.assume(IN_A_FILE)["Credentials"]
    kms = boto3.client(
        "kms",
        region_name=cluster.server.region,
        endpoint_url=cluster.server.endpoint,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    assert kms.generate_random(NumberOfBytes=8)["Plaintext"]
    cluster.iam.delete_role_policy(RoleName="filed", PolicyName="use")
    cluster.iam.delete_role(RoleName="filed")
    assert refused(kms.list_keys) == "UnrecognizedClientException"
    assert refused(cluster.assume, IN_A_FILE) == "AccessDenied"
