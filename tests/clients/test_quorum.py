"""Quorums at a server of two processes, as unmodified clients meet them: boto3, `bao`, and the command."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import uuid4

import boto3
import botocore.config
import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from msgspec import Struct
from tests.clients.conftest import needed
from tests.harness import ALLOW_ALL
from tests.servers import BIN, Done, Serving, keystead, serving

pytestmark = pytest.mark.client
REGION = "us-east-1"
EVERYTHING = ALLOW_ALL.replace('"kms:*"', '["kms:*","keystead:*","sts:*","iam:*"]')
OPERATIONS = ("Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey", "ReEncryptFrom", "RetireGrant")
RACERS = 8


class Person(Struct):
    endpoint: str
    access_key_id: str
    secret: str

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret,
            config=botocore.config.Config(retries={"total_max_attempts": 1}, max_pool_connections=RACERS),
        )

    def ask(self, name: str, **members: Any) -> tuple[int, Any]:
        """A request of Keystead's own, signed by botocore."""
        headers = {"X-Amz-Target": f"Keystead.{name}", "Content-Type": "application/x-amz-json-1.1"}
        request = AWSRequest("POST", self.endpoint, headers=headers, data=json.dumps(members))
        SigV4Auth(Credentials(self.access_key_id, self.secret), "kms", REGION).add_auth(request)
        reply = urllib3.request("POST", self.endpoint, headers=dict(request.headers), body=request.data)
        return reply.status, reply.json()


class Office(Struct):
    server: Serving
    people: dict[str, Person]

    def rule(self, *more: str, at: str = "") -> str:
        """Of two, about one key where `at` says so; its name."""
        name = uuid4().hex
        named = [word for who in ("ann", "bob", "ray") for word in ("--approver", f"user:{who}")]
        where = ("--key", at) if at else ()
        done = self.server("approval", "rule", "put", name, "--approvals", "2", *named, *more, *where)
        assert done.status == 0, done.err
        return name

    def approve(self, request: str, *names: str) -> None:
        for name in names:
            status, said = self.people[name].ask("Approve", Id=request)
            assert status == 200, said


def waits(call, **members: Any) -> str:
    """The id of the request that is made."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    return error["Message"].split("request ")[1].split()[0]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    directory: Path = tmp_path_factory.mktemp("quorum") / "data"
    words = ("--seal", "passphrase", "--passphrase", "env:P", "--region", REGION, "--json")
    made = keystead("init", directory, *words, env={"P": "long enough"})
    assert made.status == 0, made.err
    secret = directory.with_name("p")
    secret.write_text("long enough")
    policy = directory.with_name("policy")
    policy.write_text(EVERYTHING)
    more = ("--workers", "2", "--unseal", f"file:{secret}", "--listen", "vault=127.0.0.1:0")
    with serving("serve", directory, *more) as server:
        endpoint, people = f"http://{server.running['listen']['aws']}", {}
        for name in ("ann", "bob", "ray", "eve"):
            assert server("principal", "create", name).status == 0
            assert server("principal", "policy", "put", name, "all", policy).status == 0
            key = server("principal", "access-key", "create", name, "--json").json
            people[name] = Person(endpoint, key["access_key_id"], key["secret_access_key"])
        yield Office(server, people)


def test_two_approve_and_the_same_call_is_done(office) -> None:
    kms = office.people["ray"].client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    office.rule("--action", "destroy", at=key)
    act = {"KeyId": key, "PendingWindowInDays": 7}
    request = waits(kms.schedule_key_deletion, **act)
    assert waits(kms.schedule_key_deletion, **act) == request
    status, said = office.people["ray"].ask("Approve", Id=request)
    assert (status, said["__type"]) == (400, "AccessDeniedException"), "not one's own"
    assert office.people["eve"].ask("Approve", Id=request)[0] == 400, "nobody whom the rule names"
    office.approve(request, "ann", "ann")
    assert waits(kms.schedule_key_deletion, **act) == request, "one person is one"
    office.approve(request, "bob")
    assert waits(kms.schedule_key_deletion, **{**act, "PendingWindowInDays": 8}) != request, "another argument"
    assert waits(office.people["eve"].client("kms").schedule_key_deletion, **act) != request, "another caller"
    kms.schedule_key_deletion(**act)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=key)
    assert waits(kms.schedule_key_deletion, **act) != request, "once is once"


def test_the_command_approves_from_anywhere(office, tmp_path) -> None:
    """With nothing but AWS's variables; and what is wrong with those is said."""
    kms = office.people["ray"].client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    office.rule("--action", "disable", at=key)
    request = waits(kms.disable_key, KeyId=key)

    def run(name: str, *words: str | Path, **more: str) -> Done:
        person = office.people[name]
        env = {"AWS_ENDPOINT_URL_KMS": person.endpoint, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": person.access_key_id}
        return keystead("approval", "aws", *words, env={**env, "AWS_SECRET_ACCESS_KEY": person.secret, **more})

    assert request in run("ann", "list").out
    text = tmp_path / "text"
    shown = run("ann", "show", request, "--to-sign", text, "--json").json
    assert (shown["Operation"], shown["AskedBy"], shown["Targets"]) == ("DisableKey", "ray", [key])
    assert text.read_bytes().startswith(b"keystead approval v1\n")
    assert run("ray", "approve", request).status == 1
    assert run("ann", "approve", request).out == f"{request} is pending: 1 of 2 approvals.\n"
    assert run("bob", "approve", request, "--json").json["Standing"] == "approved"
    kms.disable_key(KeyId=key)
    assert run("ann", "show", request).status == 5
    assert run("ann", "list", AWS_SECRET_ACCESS_KEY="another").status == 1
    assert run("ann", "list", AWS_ENDPOINT_URL_KMS="").status == 2
    assert run("ann", "list", AWS_ENDPOINT_URL_KMS="http://127.0.0.1:9").status == 1


def test_a_key_that_changed_after_approval_is_another_request(office) -> None:
    """Looked at, approved, changed, and then used: the time between is nobody's."""
    kms = office.people["ray"].client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    office.rule("--action", "disable", at=key)
    request = waits(kms.disable_key, KeyId=key)
    office.approve(request, "ann", "bob")
    kms.update_key_description(KeyId=key, Description="for something else now")
    assert waits(kms.disable_key, KeyId=key) != request
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Enabled"]


def test_of_two_processes_that_race_for_one_approval_one_acts(office) -> None:
    """Connections of their own, at whichever process: each round, one grant."""
    kms = office.people["ray"].client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    office.rule("--action", "grants", at=key)
    clients = [office.people["ray"].client("kms") for _ in range(RACERS)]
    for made, operation in enumerate(OPERATIONS, 1):
        act = {"KeyId": key, "GranteePrincipal": _arn(office, "ann"), "Operations": [operation]}
        request = waits(kms.create_grant, **act)
        office.approve(request, "ann", "bob")
        gate = Barrier(RACERS)

        def race(client: Any, act: dict[str, Any] = act, gate: Barrier = gate) -> str:
            gate.wait()
            try:
                client.create_grant(**act)
            except ClientError as error:
                return error.response["Error"]["Code"]
            return "made"

        with ThreadPoolExecutor(RACERS) as pool:
            came = Counter(pool.map(race, clients))
        assert came == {"made": 1, "AccessDeniedException": RACERS - 1}
        assert len(kms.list_grants(KeyId=key)["Grants"]) == made


def _arn(office: Office, name: str) -> str:
    return office.people[name].client("sts").get_caller_identity()["Arn"]


def test_the_operator_alone_takes_no_rule_away(office) -> None:
    name = office.rule("--action", "export")
    done = office.server("approval", "rule", "delete", name)
    assert done.status == 7
    request = done.err.split("request ")[1].split()[0]
    assert office.server("approval", "approve", request).status == 1
    office.approve(request, "ann", "ray")
    assert office.server("approval", "rule", "delete", name).status == 0


def test_what_happened_is_on_record_and_links(office) -> None:
    kms = office.people["ray"].client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    office.rule("--action", "disable", at=key)
    request = waits(kms.disable_key, KeyId=key)
    office.approve(request, "ann", "bob")
    kms.disable_key(KeyId=key)
    said = [json.loads(line)["record"] for line in office.server.logged(request, n=4)]
    assert [(one["op"], one["who"]["name"]) for one in said] == [
        ("TrentService.DisableKey", "ray"),
        ("Keystead.Approve", "ann"),
        ("Keystead.Approve", "bob"),
        ("TrentService.DisableKey", "ray"),
    ]
    assert said[0]["outcome"] == "refused: NotApproved"
    assert f"approval {request}" in said[3]["rule"]


# --- `bao`


class Bao:
    def __init__(self, office: Office, home: Path) -> None:
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home)}
        self._env["BAO_ADDR"] = f"http://{office.server.running['listen']['vault']}"
        self.root = office.server("token", "create", "--policy", "root", "--json").json["token"]

    def __call__(self, token: str, *words: str, form: str = "table") -> Done:
        env = self._env | {"BAO_TOKEN": token, "BAO_FORMAT": form}
        done = subprocess.run([BIN / "bao", *words], env=env, capture_output=True, text=True, check=False, timeout=60)
        return Done(done.returncode, done.stdout, done.stderr)

    def json(self, token: str, *words: str) -> Any:
        done = self(token, *words, form="json")
        assert done.status == 0, done.err
        return json.loads(done.out) if done.out else None


POLICY = """
path "transit/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "sys/control-group/*" { capabilities = ["create", "update"] }
"""


@pytest.fixture
def bao(office: Office, tmp_path: Path) -> Bao:
    needed(BIN / "bao" if (BIN / "bao").exists() else None, "bao")
    return Bao(office, tmp_path)


def test_a_control_group_with_bao(office, bao, tmp_path) -> None:
    root = bao.root
    policy = tmp_path / "policy.hcl"
    policy.write_text(POLICY)
    for words in (
        ("policy", "write", "may", str(policy)),
        ("secrets", "enable", "transit"),
        ("write", "transit/keys/app", "exportable=true"),
        ("auth", "enable", "userpass"),
    ):
        assert bao(root, *words).status == 0
    accessor = bao.json(root, "auth", "list")["userpass/"]["accessor"]
    ids, tokens = {}, {}
    for name in ("ann", "bob", "ray"):
        assert bao(root, "write", f"auth/userpass/users/{name}", "password=pw", "token_policies=may").status == 0
        ids[name] = bao.json(root, "write", "identity/entity", f"name={name}")["data"]["id"]
        alias = (f"name={name}", f"canonical_id={ids[name]}", f"mount_accessor={accessor}")
        assert bao(root, "write", "identity/entity-alias", *alias).status == 0
        login = bao.json(root, "write", f"auth/userpass/login/{name}", "password=pw")
        tokens[name] = login["auth"]["client_token"]
    assert (
        bao(root, "write", "identity/group", "name=managers", f"member_entity_ids={ids['ann']},{ids['bob']}").status
        == 0
    )
    words = ("--action", "export", "--action", "destroy", "--approvals", "2", "--approver", "identity-group:managers")
    assert office.server("approval", "rule", "put", uuid4().hex, *words).status == 0

    path = "transit/export/encryption-key/app"
    info = bao.json(tokens["ray"], "read", path)["wrap_info"]
    assert info["creation_path"] == path
    early = bao(tokens["ray"], "unwrap", info["token"])
    assert early.status != 0
    assert "needs further approval" in early.err
    assert bao(tokens["ray"], "write", "sys/control-group/authorize", f"accessor={info['accessor']}").status != 0
    for name, is_approved in (("ann", False), ("bob", True)):
        said = bao.json(tokens[name], "write", "sys/control-group/authorize", f"accessor={info['accessor']}")
        assert said["data"]["approved"] is is_approved
    status = bao.json(tokens["ray"], "write", "sys/control-group/request", f"accessor={info['accessor']}")["data"]
    assert (status["approved"], status["request_path"]) == (True, path)
    assert {one["entity_name"] for one in status["authorizations"]} == {"ann", "bob"}
    assert bao(tokens["ann"], "unwrap", info["token"]).status != 0
    assert set(bao.json(tokens["ray"], "unwrap", info["token"])["data"]["keys"]) == {"1"}
    assert bao(tokens["ray"], "unwrap", info["token"]).status != 0
    assert bao.json(tokens["ray"], "read", path)["wrap_info"]["token"] != info["token"]
