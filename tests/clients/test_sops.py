"""sops: files whose values are encrypted by a data key that KMS wraps with a context, and kept in order by a MAC.

The format is written here from its public description (getsops/sops, README, "How SOPS works": "Encryption protocol",
"Message Authentication Code"): once by boto3 alone, and, where the sops command is installed (`make every-client`),
against the command itself, both ways. It is written in Go, so it brings the AWS SDK for Go v2.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.clients.conftest import needed
from tests.servers import BIN

CONTEXT = {"app": "pay", "env": "prod"}
SECRETS = {"db": {"password": "hunter2", "port": 5432}, "debug": False, "hosts": ["one", "two"]}
VALUE = re.compile(r"ENC\[AES256_GCM,data:(.*),iv:(.*),tag:(.*),type:(.*)\]")
WORDS = {str: "str", int: "int", float: "float", bool: "bool"}
READ = {"str": str, "int": int, "float": float, "bool": lambda text: text == "True"}


def sealed(data_key: bytes, value: Any, aad: str) -> str:
    iv = os.urandom(32)
    made = AESGCM(data_key).encrypt(iv, str(value).encode(), aad.encode())
    parts = [b64encode(part).decode() for part in (made[:-16], iv, made[-16:])]
    return "ENC[AES256_GCM,data:{},iv:{},tag:{},type:{}]".format(*parts, WORDS[type(value)])


def opened(data_key: bytes, text: str, aad: str) -> tuple[str, str]:
    """Its type, and the value as text. Raises InvalidTag."""
    found = VALUE.fullmatch(text)
    assert found, text
    data, iv, tag = (b64decode(part) for part in found.groups()[:3])
    return found[4], AESGCM(data_key).decrypt(iv, data + tag, aad.encode()).decode()


def walk(tree: Any, change: Any, path: str = "") -> Any:
    """`tree` with every value changed by change(value, path); a list does not add to the path."""
    match tree:
        case dict():
            return {name: walk(value, change, f"{path}{name}:") for name, value in tree.items()}
        case list():
            return [walk(value, change, path) for value in tree]
    return change(tree, path)


def mac_of(tree: Any, spell: Any = str) -> str:
    digest = hashlib.sha512()
    walk(tree, lambda value, _: digest.update(spell(value).encode()))
    return digest.hexdigest().upper()


def encrypt(kms: Any, arn: str, tree: dict[str, Any]) -> dict[str, Any]:
    made = kms.generate_data_key(KeyId=arn, KeySpec="AES_256", EncryptionContext=CONTEXT)
    key, at = made["Plaintext"], datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entry = {"arn": arn, "context": CONTEXT, "created_at": at, "enc": b64encode(made["CiphertextBlob"]).decode()}
    kept = {"kms": [entry], "lastmodified": at, "mac": sealed(key, mac_of(tree), at), "version": "3.11.0"}
    return walk(tree, lambda value, path: sealed(key, value, path)) | {"sops": kept}


def decrypt(kms: Any, file: dict[str, Any]) -> dict[str, Any]:
    """Raises ClientError, InvalidTag."""
    kept = file["sops"]
    (entry,) = kept["kms"]
    blob = b64decode(entry["enc"])
    key = kms.decrypt(CiphertextBlob=blob, KeyId=entry["arn"], EncryptionContext=entry.get("context", {}))["Plaintext"]
    rest = {name: value for name, value in file.items() if name != "sops"}
    tree = walk(rest, lambda value, path: opened(key, value, path))
    if opened(key, kept["mac"], kept["lastmodified"])[1] != mac_of(tree, lambda value: value[1]):
        raise InvalidTag
    return walk(tree, lambda value, _: READ[value[0]](value[1]))


def new_key(kms: Any) -> str:
    return kms.create_key()["KeyMetadata"]["Arn"]


# --- through boto3


def test_a_file_and_who_may_open_it(aws) -> None:
    kms = aws("kms")
    arn = new_key(kms)
    file = json.loads(json.dumps(encrypt(kms, arn, SECRETS)))
    assert "hunter2" not in json.dumps(file)
    assert decrypt(kms, file) == SECRETS
    other = json.loads(json.dumps(file))
    other["sops"]["kms"][0]["context"]["env"] = "test"
    with pytest.raises(ClientError, match="InvalidCiphertextException"):
        decrypt(kms, other)
    kms.rotate_key_on_demand(KeyId=arn)
    assert decrypt(kms, file) == SECRETS
    kms.disable_key(KeyId=arn)
    with pytest.raises(kms.exceptions.DisabledException):
        decrypt(kms, file)


def test_what_the_mac_is_for(aws) -> None:
    kms = aws("kms")
    file = encrypt(kms, new_key(kms), SECRETS)
    file["hosts"].reverse()  # each value is still good by itself
    with pytest.raises(InvalidTag):
        decrypt(kms, file)


# --- the command


@pytest.fixture(scope="module")
def binary() -> str:
    return needed(shutil.which("sops", path=f"{BIN}:{os.environ['PATH']}"), "sops")


@pytest.fixture
def sops(binary, server, tmp_path):
    """(words) -> what the command answers, or with ok=False its error; it runs in the test's folder."""

    def run(*words: str, ok: bool = True) -> str:
        surroundings = server.surroundings() | {"SOPS_DISABLE_VERSION_CHECK": "1"}
        command = [binary, *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode == 0) is ok, done.stderr
        return done.stdout if ok else done.stderr

    return run


@pytest.mark.client
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("secrets.json", json.dumps(SECRETS)),
        ("secrets.yaml", "db:\n    password: hunter2\n    port: 5432\n"),
        ("secrets.env", "PASSWORD=hunter2\nPORT=5432\n"),
        ("secrets.ini", "[db]\npassword = hunter2\n"),
        ("secrets.bin", "hunter2\x00\x01"),
    ],
)
def test_the_command_encrypts_and_decrypts(server, sops, tmp_path, name, text) -> None:
    arn = new_key(server.client("kms"))
    (tmp_path / name).write_text(text)
    (tmp_path / f"sealed-{name}").write_text(sops("encrypt", "--kms", arn, "--encryption-context", "app:pay", name))
    assert "hunter2" not in (tmp_path / f"sealed-{name}").read_text()
    back = sops("decrypt", f"sealed-{name}")
    assert (json.loads(back) == SECRETS) if name.endswith("json") else (back.strip("\n") == text.strip("\n"))
    assert "hunter2" in back


@pytest.mark.client
def test_what_the_command_made_is_opened_through_boto3_and_the_other_way_round(server, sops, tmp_path) -> None:
    kms = server.client("kms")
    arn = new_key(kms)
    (tmp_path / "plain.json").write_text(json.dumps(SECRETS))
    pairs = ",".join(f"{name}:{value}" for name, value in CONTEXT.items())
    made = json.loads(sops("encrypt", "--kms", arn, "--encryption-context", pairs, "plain.json"))
    assert decrypt(kms, made) == SECRETS
    (tmp_path / "ours.json").write_text(json.dumps(encrypt(kms, arn, SECRETS)))
    assert json.loads(sops("decrypt", "ours.json")) == SECRETS


@pytest.mark.client
def test_the_command_is_cut_off_and_let_in_again(server, sops, tmp_path) -> None:
    kms = server.client("kms")
    arn = new_key(kms)
    (tmp_path / "plain.json").write_text(json.dumps(SECRETS))
    (tmp_path / "sealed.json").write_text(sops("encrypt", "--kms", arn, "plain.json"))
    kms.disable_key(KeyId=arn)
    assert "DisabledException" in sops("decrypt", "sealed.json", ok=False)
    kms.enable_key(KeyId=arn)
    assert json.loads(sops("decrypt", "sealed.json")) == SECRETS


@pytest.mark.client
def test_two_keys_and_a_rotation_of_the_data_key(server, sops, tmp_path) -> None:
    kms = server.client("kms")
    first, second = new_key(kms), new_key(kms)
    (tmp_path / "plain.json").write_text(json.dumps(SECRETS))
    (tmp_path / "sealed.json").write_text(sops("encrypt", "--kms", f"{first},{second}", "plain.json"))
    kms.disable_key(KeyId=first)
    assert json.loads(sops("decrypt", "sealed.json")) == SECRETS  # the other one opens it
    kms.enable_key(KeyId=first)
    before = json.loads((tmp_path / "sealed.json").read_text())
    sops("rotate", "--in-place", "--rm-kms", first, "sealed.json")
    after = json.loads((tmp_path / "sealed.json").read_text())
    assert [entry["arn"] for entry in after["sops"]["kms"]] == [second]
    assert after["sops"]["kms"][0]["enc"] not in {entry["enc"] for entry in before["sops"]["kms"]}
    assert decrypt(kms, after) == SECRETS


@pytest.mark.client
def test_the_command_takes_on_a_role(server, sops, tmp_path) -> None:
    """`arn+role`: it asks STS for a session of the role, and uses the key as that."""
    kms, iam, account = (
        server.client("kms"),
        server.client("iam"),
        server.client("sts").get_caller_identity()["Account"],
    )
    name, arn = f"sops-{os.urandom(4).hex()}", new_key(kms)
    trust = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
    may = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": arn}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Statement": [may]}))
    (tmp_path / "plain.json").write_text(json.dumps(SECRETS))
    (tmp_path / "sealed.json").write_text(sops("encrypt", "--kms", f"{arn}+{role}", "plain.json"))
    assert json.loads((tmp_path / "sealed.json").read_text())["sops"]["kms"][0]["role"] == role
    refused = sops("decrypt", "sealed.json", ok=False)  # the role may encrypt, and no more
    assert "AccessDeniedException" in refused and "kms:Decrypt" in refused
