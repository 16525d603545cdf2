"""An installation in production steps: init, serve, unseal, use, seal, unseal again; TLS; several workers."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError, SSLError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.servers import BIN, Serving, keystead, serving

pytestmark = pytest.mark.client
REGION = "eu-west-1"


def kms(server: Serving, made: dict, *, ca: Path | None = None, scheme: str = "http"):
    return boto3.client(
        "kms",
        region_name=REGION,
        endpoint_url=f"{scheme}://{server.running['listen']['aws']}",
        aws_access_key_id=made["access_key_id"],
        aws_secret_access_key=made["secret_access_key"],
        verify=str(ca) if ca else None,
        config=botocore.config.Config(retries={"total_max_attempts": 1}, inject_host_prefix=False),
    )


def init(directory: Path, *words: str | Path, **more):
    return keystead("init", directory, "--region", REGION, *words, "--json", **more).json


def unavailable(act) -> None:
    """KMS API Reference, KeyUnavailableException: "You can retry the request." """
    with pytest.raises(ClientError) as caught:
        act()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
    assert caught.value.response["Error"]["Code"] == "KeyUnavailableException"


def test_five_custodians_any_three_of_them(tmp_path, monkeypatch) -> None:
    made = init(tmp_path / "data", "--seal", "shamir", "--shares", "5", "--threshold", "3")
    env = {f"SHARE_{i}": share for i, share in enumerate(made["shares"])}

    def offer(*numbers: int) -> list[str]:
        return [word for i in numbers for word in ("--unseal", f"env:SHARE_{i}")]

    with serving("serve", tmp_path / "data") as server:
        assert server("status", "--json").status == 4
        assert "keystead unseal" in server("status").out
        client = kms(server, made)
        unavailable(client.list_keys)
        assert server("key", "list", "--json").error["error"] == "Sealed"

        assert server("unseal", *offer(0, 4), env=env).status == 4
        twice = {**env, "AGAIN": env["SHARE_0"]}
        assert server("unseal", *offer(0, 4), "--unseal", "env:AGAIN", env=twice).status == 4
        assert server("unseal").status == 4  # nobody to ask
        assert server("unseal", *offer(0, 2, 4), "--json", env=env).json["sealed"] is False
        assert server("unseal").status == 0  # it is open already

        key_id = client.create_key()["KeyMetadata"]["KeyId"]
        blob = client.encrypt(KeyId=key_id, Plaintext=b"kept")["CiphertextBlob"]
        assert server("seal", "--json").json["sealed"] is True
        unavailable(lambda: client.decrypt(CiphertextBlob=blob))
        unavailable(client.list_keys)
        assert server("key", "create", "--json").error["error"] == "Sealed"
        assert server("backup", tmp_path / "backup", "--json").error["error"] == "Sealed"

        assert server("unseal", *offer(1, 2, 3), env=env).status == 0
        assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
        env_said = server("env", "aws", "--json")
        assert env_said.json["AWS_REGION"] == REGION
        assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} & env_said.json.keys()
        assert "access-key create" in env_said.err
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with serving("serve", tmp_path / "data", *offer(4, 3, 2)) as again:
        assert again("status").status == 0
        assert kms(again, made).decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"


def test_a_passphrase(tmp_path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("a passphrase of some length\n")
    made = init(tmp_path / "data", "--seal", "passphrase", "--passphrase", f"file:{secret}")
    with serving("serve", tmp_path / "data", "--unseal", f"file:{secret}") as server:
        client = kms(server, made)
        key_id = client.create_key()["KeyMetadata"]["KeyId"]
        assert server("seal").status == 0
        unavailable(client.list_keys)
        wrong = server("unseal", "--unseal", "env:W", env={"W": "another passphrase"})
        assert wrong.status == 4 and "does not open" in wrong.err
        assert server("unseal", "--unseal", f"file:{secret}").status == 0
        assert [one["KeyId"] for one in client.list_keys()["Keys"]] == [key_id]
    refused = keystead("serve", tmp_path / "data", "--unseal", "env:W", env={"W": "another passphrase"})
    assert refused.status == 4 and "does not open" in refused.err


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """A chain of one, and its private key."""
    directory = tmp_path_factory.mktemp("tls")
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kms")]),
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = directory / "chain.pem", directory / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(*form))
    return chain, private


def test_tls_and_two_workers(tmp_path, monkeypatch, certificate) -> None:
    chain, private = certificate
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    tls = ("--certificate", f"file:{chain}", "--private-key", f"file:{private}")
    made = init(tmp_path / "data", "--seal", "passphrase", "--passphrase", "env:P", *tls, env={"P": "long enough"})
    secret = tmp_path / "p"
    secret.write_text("long enough")
    with serving("serve", tmp_path / "data", "--workers", "2", "--unseal", f"file:{secret}") as server:
        assert server.running["tls"] is True and server.running["workers"] == 2
        env = server("env", "aws", "--json").json
        assert env["AWS_ENDPOINT_URL_KMS"].startswith("https://127.0.0.1:")
        assert (
            server("env", "aws", "--host", "kms.test", "--json")
            .json["AWS_ENDPOINT_URL_KMS"]
            .startswith("https://kms.test:")
        )
        with pytest.raises(SSLError):
            kms(server, made, scheme="https").list_keys()
        client = kms(server, made, ca=chain, scheme="https")
        key_id = client.create_key()["KeyMetadata"]["KeyId"]

        def use(_: int) -> bytes:
            own = kms(server, made, ca=chain, scheme="https")  # a connection of its own, at whichever worker
            blob = own.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
            return client.decrypt(CiphertextBlob=blob)["Plaintext"]

        with ThreadPoolExecutor(2) as pool:
            assert set(pool.map(use, range(6))) == {b"x"}
        client.disable_key(KeyId=key_id)
        for _ in range(4):  # from the answer on, no worker uses it
            with pytest.raises(ClientError, match="Disabled"):
                kms(server, made, ca=chain, scheme="https").encrypt(KeyId=key_id, Plaintext=b"x")


SCRIPT = """
set -euo pipefail
key=$(aws kms create-key --key-spec ECC_NIST_P256 --key-usage SIGN_VERIFY --query KeyMetadata.KeyId --output text)
printf 'to be signed' > message
aws kms sign --key-id "$key" --message fileb://message --signing-algorithm ECDSA_SHA_256 --query Signature --output text | base64 -d > signature
aws kms verify --key-id "$key" --message fileb://message --signature fileb://signature --signing-algorithm ECDSA_SHA_256 --query SignatureValid
aws kms get-public-key --key-id "$key" --query PublicKey --output text | base64 -d > public.der
aws kms generate-data-key --key-id "$(aws kms create-key --query KeyMetadata.KeyId --output text)" --key-spec AES_256 --query CiphertextBlob --output text | base64 -d > data-key
aws kms decrypt --ciphertext-blob fileb://data-key --query Plaintext --output text | base64 -d | wc -c
aws kms schedule-key-deletion --key-id "$key" --pending-window-in-days 7 --query KeyState
aws kms cancel-key-deletion --key-id "$key" --query KeyId --output text > /dev/null
aws kms describe-key --key-id "$key" --query KeyMetadata.KeyState
aws sts get-caller-identity --query Arn
"""  # noqa: E501 - as people write it


def test_a_shell_script_of_somebody_who_knows_aws(server, tmp_path) -> None:
    """`keystead run aws -- bash script`, and OpenSSL has the last word on the signature."""
    (tmp_path / "script").write_text(SCRIPT)
    path = f"{BIN}:{os.environ['PATH']}"
    words = ("run", "aws", "--data", server.directory, "--", "env", "-C", tmp_path, f"PATH={path}", "bash", "script")
    done = keystead(*words, env={"AWS_PAGER": "", "HOME": str(tmp_path)})
    assert done.status == 0, done.err
    valid, n_bytes, doomed, kept, who = done.out.split()
    assert (json.loads(valid), n_bytes, json.loads(doomed)) == (True, "32", "PendingDeletion")
    assert json.loads(kept) == "Disabled" and json.loads(who).endswith(":user/admin")
    openssl = [
        "openssl",
        "dgst",
        "-sha256",
        "-verify",
        "public.der",
        "-keyform",
        "DER",
        "-signature",
        "signature",
        "message",
    ]
    told = subprocess.run(openssl, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Verified OK" in told.stdout, told.stderr
