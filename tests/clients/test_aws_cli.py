"""The `aws` command line, against a server process."""

import json
import subprocess
from base64 import b64decode

import pytest
from tests.clients.conftest import BIN, Server

pytestmark = pytest.mark.client


def aws(server: Server, *words: str, ok: bool = True):
    done = subprocess.run(
        [BIN / "aws", *words, "--output", "json"],
        env=server.surroundings(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) is ok, done.stderr
    return done.stderr if not ok else json.loads(done.stdout) if done.stdout.strip() else None


def test_the_first_minute(server, tmp_path) -> None:
    """What `keystead dev` prints to paste."""
    key_id = aws(server, "kms", "create-key", "--description", "my first key")["KeyMetadata"]["KeyId"]
    aws(server, "kms", "create-alias", "--alias-name", "alias/first", "--target-key-id", key_id)
    plain = tmp_path / "plain"
    plain.write_bytes(b"hello\x00world")
    sealed = aws(
        server,
        *("kms", "encrypt", "--key-id", "alias/first", "--plaintext", f"fileb://{plain}"),
        *("--encryption-context", "app=pay,env=prod"),
    )["CiphertextBlob"]
    blob = tmp_path / "blob"
    blob.write_bytes(b64decode(sealed))
    decrypt = ("kms", "decrypt", "--ciphertext-blob", f"fileb://{blob}")
    opened = aws(server, *decrypt, "--encryption-context", "env=prod,app=pay")
    assert b64decode(opened["Plaintext"]) == b"hello\x00world"
    assert "InvalidCiphertextException" in aws(server, *decrypt, ok=False)
    (alias,) = aws(server, "kms", "list-aliases", "--key-id", key_id)["Aliases"]
    assert alias["TargetKeyId"] == key_id


def test_who_am_i(server) -> None:
    assert aws(server, "sts", "get-caller-identity")["Arn"].startswith("arn:aws:iam::")


def test_listings_are_followed_to_their_end(server) -> None:
    made = {aws(server, "kms", "create-key")["KeyMetadata"]["KeyId"] for _ in range(3)}
    listed = aws(server, "kms", "list-keys", "--page-size", "2")["Keys"]
    assert made <= {entry["KeyId"] for entry in listed}


def test_an_operation_without_an_answer_prints_nothing(server) -> None:
    key_id = aws(server, "kms", "create-key")["KeyMetadata"]["KeyId"]
    assert aws(server, "kms", "enable-key-rotation", "--key-id", key_id) is None
    status = aws(server, "kms", "get-key-rotation-status", "--key-id", key_id)
    assert status["KeyRotationEnabled"] is True and status["RotationPeriodInDays"] == 365
    assert aws(server, "kms", "disable-key", "--key-id", key_id) is None
    refused = aws(server, "kms", "encrypt", "--key-id", key_id, "--plaintext", "aGVsbG8=", ok=False)
    assert "DisabledException" in refused and "is disabled." in refused


def test_a_wrong_secret(server) -> None:
    liar = Server(server.directory, {**server.environment, "AWS_SECRET_ACCESS_KEY": "A" * 40})
    assert "InvalidSignatureException" in aws(liar, "kms", "list-keys", ok=False)


def test_a_user_a_role_and_a_session_of_it(server, tmp_path) -> None:
    """IAM and STS on the same port, by the endpoints that `keystead env aws` prints."""
    account = aws(server, "sts", "get-caller-identity")["Account"]
    trust = tmp_path / "trust.json"
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    trust.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    may = tmp_path / "may.json"
    may.write_text(
        json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]})
    )
    role = ("--role-name", "ci")
    made = aws(server, "iam", "create-role", *role, "--assume-role-policy-document", f"file://{trust}")["Role"]
    assert made["AssumeRolePolicyDocument"]["Statement"] == [statement]
    policy = ("--policy-name", "keys", "--policy-document", f"file://{may}")
    assert aws(server, "iam", "put-role-policy", *role, *policy) is None
    session = aws(server, "sts", "assume-role", "--role-arn", made["Arn"], "--role-session-name", "build-7")
    given = session["Credentials"]
    inside = Server(
        server.directory,
        {
            **server.environment,
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        },
    )
    arn = f"arn:aws:sts::{account}:assumed-role/ci/build-7"
    assert aws(inside, "sts", "get-caller-identity")["Arn"] == arn
    assert aws(inside, "kms", "create-key")["KeyMetadata"]["AWSAccountId"] == account
    refused = aws(inside, "iam", "list-users", ok=False)
    assert "AccessDenied" in refused and f"{arn} is not authorized to perform: iam:ListUsers" in refused
    assert aws(server, "iam", "delete-role-policy", *role, "--policy-name", "keys") is None
    assert aws(server, "iam", "delete-role", *role) is None
    assert "UnrecognizedClientException" in aws(inside, "kms", "list-keys", ok=False)
    user = ("--user-name", "carol")
    aws(server, "iam", "create-user", *user)
    key = aws(server, "iam", "create-access-key", *user)["AccessKey"]
    assert "DeleteConflict" in aws(server, "iam", "delete-user", *user, ok=False)
    aws(server, "iam", "delete-access-key", *user, "--access-key-id", key["AccessKeyId"])
    assert aws(server, "iam", "delete-user", *user) is None
    assert "NoSuchEntity" in aws(server, "iam", "get-user", *user, ok=False)


def test_identities(server) -> None:
    """`aws iam` makes a group with a policy, and shows what it made."""
    text = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}})
    made = aws(server, "iam", "create-policy", "--policy-name", "cli", "--policy-document", text)["Policy"]["Arn"]
    assert aws(server, "iam", "create-group", "--group-name", "cli", "--path", "/a/")["Group"]["Path"] == "/a/"
    assert aws(server, "iam", "attach-group-policy", "--group-name", "cli", "--policy-arn", made) is None
    shown = aws(server, "iam", "list-attached-group-policies", "--group-name", "cli")["AttachedPolicies"]
    assert [one["PolicyArn"] for one in shown] == [made]
    said = aws(server, "iam", "delete-policy", "--policy-arn", made, ok=False)
    assert "DeleteConflict" in said
