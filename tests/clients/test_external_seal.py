"""The seal `external` at real services: another Keystead at its aws and its vault door, and OpenBao's transit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from tests.certificates import Authority
from tests.clients.test_seals import init, state, use, with_shares
from tests.kms import tls_before
from tests.openbao import openbao
from tests.servers import Serving, keystead, serving

pytestmark = pytest.mark.client


@contextmanager
def other_keystead(folder: Path, *, new: bool = True) -> Iterator[tuple[Serving, Path]]:
    """A development server over TLS; who vouches for it."""
    at = folder / "kms"
    if new:
        with serving("dev", at):
            pass
        chain, private = Authority(folder).issue("localhost")
        with (at / "keystead.toml").open("a") as file:
            file.write(f'tls = {{ certificate = "file:{chain}", private_key = "file:{private}" }}\n')
    with serving("dev", at, "--listen", "vault=127.0.0.1:0") as server:
        yield server, folder / "ca.pem"


def url(server: Serving, door: str) -> str:
    return f"https://localhost:{server.running['listen'][door].rpartition(':')[2]}"


def write(at: Path, **members: object) -> None:
    """What an operator tells of the service, before init."""
    at.mkdir(mode=0o700, exist_ok=True)
    said = ", ".join(f"{name} = {json.dumps(value)}" for name, value in members.items())
    (at / "keystead.toml").write_text(f"kms = {{ one = {{ {said}, private = true }} }}\n")


def opens(at: Path, made: dict) -> None:
    with serving("serve", at) as server:
        assert state(server)["sealed"] is False, state(server)
        use(server, made)


@pytest.fixture(scope="module")
def kms(tmp_path_factory) -> Iterator[tuple[Path, Serving, Path]]:
    folder = tmp_path_factory.mktemp("kms")
    with other_keystead(folder) as (server, ca):
        yield folder, server, ca


def test_another_keystead_at_its_aws_door(kms, tmp_path) -> None:
    _, server, ca = kms
    env = server("env", "aws", "--json").json
    client = boto3.client(
        "kms",
        region_name=env["AWS_REGION"],
        endpoint_url=url(server, "aws"),
        verify=str(ca),
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    key = client.create_key()["KeyMetadata"]["Arn"]
    secret = tmp_path / "secret"
    secret.write_text(env["AWS_SECRET_ACCESS_KEY"])
    at = tmp_path / "data"
    told = {
        "service": "aws",
        "key": key,
        "endpoint": url(server, "aws"),
        "region": env["AWS_REGION"],
        "access_key_id": env["AWS_ACCESS_KEY_ID"],
        "credential": f"file:{secret}",
        "trust": f"file:{ca}",
    }
    write(at, **told)
    made = init(at, "--seal", "external", "--kms", "one", "--with-recovery", "shamir", "--shares", "3")
    opens(at, made)
    client.disable_key(KeyId=key)
    words, shares = with_shares(made["shares"][:2])
    with serving("serve", at) as mine:
        assert "DisabledException" in state(mine)["seal_trouble"]
        assert mine("unseal", *words, "--json", env=shares).status == 0
        use(mine, made)
    client.enable_key(KeyId=key)
    secret.write_text("wrong")
    with serving("serve", at) as mine:
        assert "does not accept the credential" in state(mine)["seal_trouble"]
    printing = tmp_path / "print-credential"
    process = {"Version": 1, "AccessKeyId": env["AWS_ACCESS_KEY_ID"], "SecretAccessKey": env["AWS_SECRET_ACCESS_KEY"]}
    printing.write_text(f"#!/bin/sh\necho '{json.dumps(process)}'\n")
    printing.chmod(0o700)
    write(at, **{**told, "credential": "", "access_key_id": "", "command": [str(printing)]})
    opens(at, made)
    assert server.logged("TrentService.Decrypt") and server.logged("TrentService.Encrypt")


def test_another_keystead_at_its_vault_door(kms, tmp_path) -> None:
    _, server, ca = kms
    env = server("env", "vault", "--json").json
    token = tmp_path / "token"
    token.write_text(env["VAULT_TOKEN"])
    at = tmp_path / "data"
    write(
        at,
        service="vault",
        key="root",
        endpoint=url(server, "vault"),
        credential=f"file:{token}",
        trust=f"file:{ca}",
        mount="transit",
    )
    prepare_transit(url(server, "vault"), env["VAULT_TOKEN"], ca)
    made = init(at, "--seal", "external", "--kms", "one")
    opens(at, made)
    token.write_text("hvs.wrong")
    with serving("serve", at) as mine:
        assert "does not accept the credential" in state(mine)["seal_trouble"]


def prepare_transit(endpoint: str, token: str, ca: Path) -> None:
    from keystead.core.ports import Terms  # noqa: PLC0415 - the way out is ours
    from keystead.net.https import Https  # noqa: PLC0415 - the same

    net, terms = Https(), Terms(private=True, certificates=ca)
    for path, body in (("sys/mounts/transit", b'{"type":"transit"}'), ("transit/keys/root", b"{}")):
        net.request(
            "POST",
            f"{endpoint}/v1/{path}",
            headers=[("X-Vault-Token", token)],
            body=body,
            most=65536,
            timeout_for=10,
            terms=terms,
        )
    net.close()


def test_a_real_openbaos_transit_and_its_outage(tmp_path) -> None:
    with openbao(tmp_path) as peer:
        peer.json("POST", "sys/mounts/keep", {"type": "transit"})
        peer.json("POST", "keep/keys/root", {})
        peer.json("PUT", "sys/policies/acl/seal", {"policy": 'path "keep/+/root" { capabilities = ["update"] }'})
        token = peer.json("POST", "auth/token/create", {"policies": ["seal"]})["auth"]["client_token"]
        (tmp_path / "token").write_text(token)
        at = tmp_path / "data"
        with tls_before(peer._address, tmp_path / "front") as (endpoint, ca):
            told = {"service": "vault", "key": "root", "mount": "keep", "endpoint": endpoint, "trust": f"file:{ca}"}
            write(at, **told, credential=f"file:{tmp_path / 'token'}")
            made = init(
                at,
                "--seal",
                "external",
                "--kms",
                "one",
                "--with-recovery",
                "passphrase",
                "--passphrase",
                "env:P",
                env={"P": "a good passphrase"},
            )
            opens(at, made)
            peer.json("POST", "keep/keys/root/rotate", {})
            opens(at, made)
            with serving("serve", at) as server:  # sealed anew, under the newest version
                assert server("seal", "migrate", "external", "--kms", "one", "--json").status == 0
                use(server, made)
            peer.json("POST", "keep/keys/root/config", {"min_decryption_version": 2})
            opens(at, made)
        with serving("serve", at) as server:
            assert "cannot be asked" in state(server)["seal_trouble"]
            assert server("unseal", "--unseal", "env:P", "--json", env={"P": "a good passphrase"}).status == 0
            use(server, made)
    assert keystead("key", "list", "--data", at, "--unseal", "env:P", env={"P": "a good passphrase"}).status == 0
