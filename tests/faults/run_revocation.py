"""Acknowledged revocations under load: `python -m tests.faults.run_revocation --n 200 --workers 2 --seed 1`.

Clients on many connections encrypt without pause while a key is disabled and enabled, its policy changed, a grant
revoked, an access key disabled, and their user denied by a group, a managed policy or a boundary. No request *sent*
after the acknowledgement of a revocation may be served (docs/adr/0007): clients stamp each request before it leaves.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from tests.servers import Serving, serving
from tests.wireclient import WireClient

N_CLIENTS = 8


@dataclass
class Client:
    """One connection of a caller's that encrypts until told to stop; (sent, answered, served) of every request."""

    wire: WireClient
    key: str
    log: list[tuple[float, float, bool]] = field(default_factory=list)

    def run(self, over: threading.Event) -> None:
        while not over.is_set():
            request = self.wire.sign("Encrypt", KeyId=self.key, Plaintext=b"x")
            sent = time.monotonic()
            answer = self.wire.send(request)
            assert answer.status in (200, 400), answer
            self.log.append((sent, time.monotonic(), answer.status == 200))


@dataclass
class Report:
    n_requests: int = 0
    n_served: int = 0
    n_revocations: int = 0
    violations: list[str] = field(default_factory=list)
    acknowledged_in: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        times = sorted(self.acknowledged_in)
        return (
            f"{self.n_revocations} revocations under {self.n_requests} requests ({self.n_served} served): "
            f"{len(self.violations)} served after the acknowledgement; acknowledged in "
            f"{times[len(times) // 2] * 1e3:.1f} ms (p99 {times[len(times) * 99 // 100] * 1e3:.1f} ms)"
        )


class Identities:
    """What denies the user anything by way of IAM: the groups it is in, what is attached, its boundary."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._iam = iam = boto3.client(
            "iam",
            region_name=environment["AWS_REGION"],
            endpoint_url=environment["AWS_ENDPOINT_URL_KMS"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )
        self._no, nothing = (_statement(effect, action) for effect, action in (("Deny", "kms:*"), ("Allow", "s3:*")))
        for group in ("shut", "staff"):
            iam.create_group(GroupName=group)
        iam.put_group_policy(GroupName="shut", PolicyName="no", PolicyDocument=self._no)
        iam.add_user_to_group(GroupName="staff", UserName="load")
        self._deny = iam.create_policy(PolicyName="deny", PolicyDocument=self._no)["Policy"]["Arn"]
        self._changing = iam.create_policy(PolicyName="changing", PolicyDocument=nothing)["Policy"]["Arn"]
        iam.create_policy_version(PolicyArn=self._changing, PolicyDocument=self._no)
        iam.attach_group_policy(GroupName="staff", PolicyArn=self._changing)

    def pairs(self) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
        iam, user = self._iam, {"UserName": "load"}
        into, policy = {"GroupName": "shut", **user}, {"GroupName": "staff", "PolicyName": "no"}
        attached, bound = {"PolicyArn": self._deny, **user}, {"PermissionsBoundary": self._deny, **user}

        def default(version: str) -> Callable[[], object]:
            return lambda: iam.set_default_policy_version(PolicyArn=self._changing, VersionId=version)

        return {
            "membership": (lambda: iam.add_user_to_group(**into), lambda: iam.remove_user_from_group(**into)),
            "group policy": (
                lambda: iam.put_group_policy(PolicyDocument=self._no, **policy),
                lambda: iam.delete_group_policy(**policy),
            ),
            "attachment": (lambda: iam.attach_user_policy(**attached), lambda: iam.detach_user_policy(**attached)),
            "version": (default("v2"), default("v1")),
            "boundary": (
                lambda: iam.put_user_permissions_boundary(**bound),
                lambda: iam.delete_user_permissions_boundary(**user),
            ),
        }


def _statement(effect: str, action: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": action, "Resource": "*"}})


class Revocations:
    """What can be revoked, and given back. Every client is one user's; the administrator revokes."""

    def __init__(self, server: Serving) -> None:
        self._server = server
        self._admin = WireClient.administrator(server("env", "aws", "--json").json)
        self.key = self._call("CreateKey")["KeyMetadata"]["KeyId"]
        self._keystead("principal", "create", "load")
        made = self._keystead("principal", "access-key", "create", "load")
        self.access_key_id, self.secret = made["access_key_id"], made["secret_access_key"]
        key_arn = self._call("DescribeKey", KeyId=self.key)["KeyMetadata"]["Arn"]
        self._account = f"arn:aws:iam::{key_arn.split(':')[4]}"
        self._user = f"{self._account}:user/load"
        self._allow_user()
        self._iam = Identities(server("env", "aws", "--json").json)

    def pairs(self) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
        return {
            "key": (lambda: self._call("DisableKey", KeyId=self.key), lambda: self._call("EnableKey", KeyId=self.key)),
            "policy": (self._deny_user, self._allow_user),
            "grant": (self._revoke, self._allow_user),
            "access key": (lambda: self._access_key("disable"), lambda: self._access_key("enable")),
            **self._iam.pairs(),
        }

    def client(self) -> WireClient:
        """One of the user's whose rights come and go."""
        return WireClient(self._admin.address, self.access_key_id, self.secret)

    def _keystead(self, *words: str) -> Any:
        return self._server(*words, "--json").json

    def close(self) -> None:
        self._admin.close()

    def _call(self, operation: str, **members: Any) -> dict[str, Any]:
        answer = self._admin.call(operation, **members)
        assert answer.status == 200, answer
        return answer.body

    def _policy(self, effect: str) -> None:
        root = {"AWS": f"{self._account}:root"}
        statements = [
            {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"},
            {"Effect": effect, "Principal": {"AWS": self._user}, "Action": "kms:Encrypt", "Resource": "*"},
        ]
        text = json.dumps({"Version": "2012-10-17", "Statement": statements[: 2 if effect else 1]})
        self._call("PutKeyPolicy", KeyId=self.key, Policy=text)

    def _allow_user(self) -> None:
        self._policy("Allow")

    def _deny_user(self) -> None:
        self._policy("Deny")

    def _revoke(self) -> None:
        """A grant that is all the user has."""
        made = self._call("CreateGrant", KeyId=self.key, GranteePrincipal=self._user, Operations=["Encrypt"])
        self._policy("")
        time.sleep(0.02)
        self._call("RevokeGrant", KeyId=self.key, GrantId=made["GrantId"])

    def _access_key(self, word: str) -> None:
        self._keystead("principal", "access-key", word, self.access_key_id)


def run(n: int, seed: int, directory: Path, *, workers: int = 2) -> Report:
    report, rng = Report(), random.Random(seed)
    with serving("dev", directory, "--workers", str(workers)) as server:
        revocations = Revocations(server)
        clients = [Client(revocations.client(), revocations.key) for _ in range(N_CLIENTS)]
        over = threading.Event()
        threads = [threading.Thread(target=client.run, args=(over,)) for client in clients]
        for thread in threads:
            thread.start()
        ways, windows = list(revocations.pairs().items()), []
        rng.shuffle(ways)
        try:
            for number in range(n):
                what, (revoke, give_back) = ways[number % len(ways)]
                began = time.monotonic()
                revoke()
                acknowledged = time.monotonic()
                time.sleep(rng.random() * 0.03)
                ends = time.monotonic()
                give_back()
                windows.append((what, acknowledged, ends))
                report.acknowledged_in.append(acknowledged - began)
                report.n_revocations += 1
                time.sleep(rng.random() * 0.03)
        finally:
            over.set()
            for thread in threads:
                thread.join()
            for client in clients:
                client.wire.close()
            revocations.close()
    every = sorted(request for client in clients for request in client.log)
    report.n_requests, report.n_served = len(every), sum(served for _, _, served in every)
    for what, acknowledged, ends in windows:
        # What was answered only after it had been given back may rightly have been served.
        late = sum(served for sent, answered, served in every if acknowledged < sent and answered < ends)
        report.violations += [f"{what}: {late}"] if late else []
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    given = parser.parse_args()
    print(f"acknowledged revocations, seed {given.seed}")
    with tempfile.TemporaryDirectory() as directory:
        report = run(given.n, given.seed, Path(directory) / "data", workers=given.workers)
    print(report, *report.violations, sep="\n")
    return bool(report.violations)


if __name__ == "__main__":
    sys.exit(main())
