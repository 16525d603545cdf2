"""kill -9 of a whole server under load: `python -m tests.faults.run_server --n 1000 --seed 1`.

Clients create keys, tag, name, disable and use them over signed requests, and note every reply; others write, delete
and destroy secrets at the Vault door, each its own and all of them one under check-and-set. After each kill the
data directory is opened in-process: every change that was acknowledged is there, and so is the audit record of every
request that was answered, uses and refusals included. What the secrets have come to is asked of the next server, before
it is used. The whole log verifies at the end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from tests.faults import kv
from tests.faults.kill9 import Kill9, Report
from tests.waiting import until
from tests.wireclient import WireClient

import keystead
from keystead.app.installation import saved_credentials
from keystead.app.layout import Layout, read_running
from keystead.app.library import Keystead
from keystead.core import operations as ops
from keystead.core.audit.note import VerifierKey
from keystead.core.errors import Unavailable
from keystead.core.states import KeyState
from keystead.crypto.notes import verify_ed25519
from keystead.service.log import Log
from keystead.stores.disk import LocalDisk

N_CLIENTS, N_WRITERS = 4, 3
REGION, MOUNT = "us-east-1", "torture"
GONE = (OSError, http.client.HTTPException)
KEYS_AT_MOST = 200

Fact = tuple[str, str, str]
"""("request", id, "") answered · ("tag" | "state", key id, value) acknowledged · ("try tag" | …) about to be asked."""


class Load:
    """Connections that go on until the server is gone. Keys and secrets belong to one client each, but one secret."""

    def __init__(self, directory: Path, seed: int) -> None:
        self._directory, self._random = directory, random.Random(seed)
        self._keys: list[list[str]] = [[] for _ in range(N_CLIENTS)]
        self.owners = [kv.Owner([f"w{n}/a", f"w{n}/b/c"]) for n in range(N_WRITERS)]
        self.contest = kv.Contest()

    def __call__(self, process: subprocess.Popen[bytes], acknowledge: Callable[[Fact], None]) -> None:
        running = None
        while running is None and process.poll() is None:
            running = read_running(Layout(self._directory))
            time.sleep(0.01)
        saved = saved_credentials(self._directory)
        if running is None or saved is None:
            return
        jobs: list[Callable[[], None]] = []
        for number in range(N_CLIENTS):
            client = WireClient(running.listen["aws"], saved.access_key_id, saved.secret_access_key)
            args = (client, self._keys[number], random.Random(self._random.random()), acknowledge)
            jobs.append(partial(self._use, *args))
        if saved.vault_token:
            at = (running.listen["vault"], saved.vault_token)
            jobs += [partial(self._write, *at, owner, self._random.random(), acknowledge) for owner in self.owners]
        with ThreadPoolExecutor(len(jobs)) as pool:
            for job in [pool.submit(job) for job in jobs]:
                job.result()

    def _write(
        self, address: str, token: str, owner: kv.Owner, seed: float, acknowledge: Callable[[Fact], None]
    ) -> None:
        """First whether all is as it may be after the kill before; then changes, until the server is gone."""
        rng, connection = random.Random(seed), http.client.HTTPConnection(address, timeout=30)

        def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
            headers = {"X-Vault-Token": token, "Content-Type": "application/merge-patch+json"}
            connection.request(method, f"/v1/{path}", json.dumps(body) if body is not None else None, headers)
            reply = connection.getresponse()
            text = reply.read()
            answer = json.loads(text) if text else None
            assert reply.status < 500, (method, path, reply.status, answer)
            if reply.status == 200:
                acknowledge(("request", answer["request_id"], ""))
            return reply.status, answer

        def below(method: str, path: str, body: Any) -> tuple[int, Any]:
            return ask(method, f"{MOUNT}/{path}", body)

        with closing(connection), suppress(*GONE):
            ask("POST", f"sys/mounts/{MOUNT}", {"type": "kv-v2"})
            for _ in owner.check(below):
                pass
            self.contest.check(below)
            while True:
                if rng.random() < 0.3:
                    self.contest.bid(below, rng)
                else:
                    owner.change(below, rng)

    def _use(
        self, client: WireClient, keys: list[str], rng: random.Random, acknowledge: Callable[[Fact], None]
    ) -> None:
        def call(operation: str, **members: Any) -> dict[str, Any]:
            answer = client.call(operation, **members)
            assert answer.status in (200, 400), answer
            acknowledge(("request", answer.request_id, ""))
            return answer.body

        with closing(client), suppress(*GONE):
            while True:
                if not keys or (len(keys) < KEYS_AT_MOST and rng.random() < 0.05):
                    key = call("CreateKey")["KeyMetadata"]["KeyId"]
                    keys.append(key)
                    acknowledge(("state", key, "Enabled"))
                key = rng.choice(keys)
                kind, value, operation, members = rng.choice(CHANGES)(rng)
                if kind:
                    acknowledge((f"try {kind}", key, value))
                call(operation, **{"KeyId": key, **members})
                if kind:
                    acknowledge((kind, key, value))


Change = tuple[str, str, str, dict[str, Any]]  # what of the key it changes, to what; operation and members


def tag(rng: random.Random) -> Change:
    value = f"{rng.getrandbits(64):x}"
    return "tag", value, "TagResource", {"Tags": [{"TagKey": "mark", "TagValue": value}]}


def use(rng: random.Random) -> Change:
    return "", "", "Encrypt", {"Plaintext": rng.randbytes(32)}


CHANGES: tuple[Callable[[random.Random], Change], ...] = (
    tag,
    lambda _: ("state", "Disabled", "DisableKey", {}),
    lambda _: ("state", "Enabled", "EnableKey", {}),
    lambda _: ("", "", "Encrypt", {"KeyId": "alias/not-there", "Plaintext": b"x"}),
    use,
    use,
    use,
)


class Check:
    """Whether all that was acknowledged is there. Reads on in the log where it stopped the last time."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._n_facts, self._n_records = directory, 0, 0
        self._requests: set[str] = set()
        self._allowed: dict[tuple[str, str], set[str]] = {}

    def __call__(self, facts: list[Fact]) -> None:
        if saved_credentials(self._directory) is None:
            assert not facts
            return
        fresh, self._n_facts = facts[self._n_facts :], len(facts)
        with open_when_free(self._directory) as ks:
            ks.fold()
            lines = Log(LocalDisk(), Layout(self._directory).audit).read(self._n_records, 10_000_000)
            self._n_records += len(lines)
            self._requests.update(msgspec.json.decode(line).get("req", "") for line in lines)
            lost = [id_ for kind, id_, _ in fresh if kind == "request" and id_ not in self._requests]
            assert not lost, f"{len(lost)} answered requests have no audit record, first {lost[0]}"
            self._look(ks, fresh)

    def _look(self, ks: Keystead, fresh: list[Fact]) -> None:
        """What was acknowledged last, or what was asked for after that and may have happened."""
        for kind, key, value in fresh:
            name = kind.removeprefix("try ")
            if name == kind:
                self._allowed[name, key] = {value}
            else:
                self._allowed.setdefault((name, key), {"", "Enabled"}).add(value)
        saved = saved_credentials(self._directory)
        namespace = f"aws:{saved.tenant}:{REGION}" if saved else ""
        for key in {key for kind, key, _ in fresh if kind != "request"}:
            found = ks.perform(ops.DescribeKey(key=ops.KeyRef(namespace, id=key))).key
            state = "Enabled" if found.lifecycle.state is KeyState.ACTIVE else "Disabled"
            for name, value in (("tag", found.tags.get("mark", "")), ("state", state)):
                allowed = self._allowed.get((name, key), {value})
                assert value in allowed, f"{name} of {key} is {value!r}, not {allowed}"
                self._allowed[name, key] = {value}


def open_when_free(directory: Path) -> Keystead:
    """A killed worker holds the lock until the kernel has done with it."""
    found: list[Keystead] = []

    def is_open() -> bool:
        with suppress(Unavailable):
            found.append(keystead.open(directory))
        return bool(found)

    until(is_open, f"{directory} is in use", every=0.01)
    return found[0]


def run(n: int, seed: int, directory: Path, *, least: int = 0) -> Report:
    """`n` kills, and on until so many at `least` were acknowledged, and secrets among them."""
    command = [sys.executable, "-m", "keystead", "dev", "--data", str(directory)]
    command += ["--listen", "aws=127.0.0.1:0", "--listen", "vault=127.0.0.1:0"]
    check = Check(directory)
    load = Load(directory, seed)
    rig = Kill9(
        command,
        client=load,
        check=check,
        seed=seed,
        longest_for=0.3,
        starts_for=1.5,
        stdout=subprocess.DEVNULL,
    )

    def enough(report: Report) -> bool:
        is_owned = any(state for owner in load.owners for state in owner.state.values())
        return report.n_acknowledged >= least and bool(load.contest.won) and is_owned

    report = rig.run(n, enough)
    log = Log(LocalDisk(), Layout(directory).audit)
    key = VerifierKey.parse((Layout(directory).audit / "key.pub").read_text().removesuffix("\n"))
    log.verify(key, verify_ed25519)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    given = parser.parse_args()
    print(f"kill -9 of a whole server, seed {given.seed}")
    with tempfile.TemporaryDirectory() as directory:
        print(run(given.n, given.seed, Path(directory) / "data"))


if __name__ == "__main__":
    main()
