"""python -m bench: whole requests with SigV4, policy and audit flushed, against peers in the same run.

Servers are pinned to the first core and the client to the last. Exit code 1 when a target is missed or a request fails.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from rich.console import Console

from bench import hsm, load, procs, report, rounds, steps, store
from bench.peers import Keystead, Moto, NotReady, OpenBao, Server, free_port, install
from bench.report import Report
from bench.rounds import Case, Row
from bench.workloads import N_DISTINCT, Aws, Refused, Vault, context, encrypts
from keystead import config

PEERS = ("keystead", "hsm", "openbao", "moto")


class Bench:
    """One run, in a directory of its own. Servers are started as cases ask for them, and end with the stack."""

    def __init__(self, options: argparse.Namespace, directory: Path, stack: ExitStack, console: Console) -> None:
        self.options, self.directory, self.stack, self.console = options, directory, stack, console
        cores = sorted(os.sched_getaffinity(0))
        self.core, self.client_core = {cores[0]}, cores[-1]
        self.both = {cores[0], cores[-1]}
        self.cases: list[Case] = []
        self.servers: list[Keystead] = []
        self.skipped: dict[str, str] = {}
        self.start_s: float | None = None
        self.raw: dict[str, dict[str, hsm.Raw]] = {}

    def say(self, words: str) -> None:
        self.console.print(f"[dim]{words}[/dim]", highlight=False)

    # --- servers

    def start(self, name: str, directory: Path, cores: set[int], **more: Any) -> Keystead:
        server = self.stack.enter_context(Keystead(name, directory, cores, **more))
        self.servers.append(server)
        return server

    def fresh(self, name: str, folder: str, cores: set[int], **more: Any) -> Keystead:
        directory = self.directory / folder
        install(directory)
        return self.start(name, directory, cores, **more).wait()

    # --- cases

    def add(self, server: Keystead, operation: str, aws: Aws, method: str, each: list[Any], **more: Any) -> None:
        work = aws.workload(method, each)
        self.cases.append(Case(name=server.name, operation=operation, server=server, workload=work, **more))

    def encrypting(self, server: Keystead, **more: Any) -> None:
        aws = server.aws()
        keys = [aws.call("create_key")["KeyMetadata"]["KeyId"] for _ in range(report.N_FEW)]
        self.add(server, report.ENCRYPT, aws, "encrypt", encrypts(keys), **more)

    def others(self, server: Keystead) -> None:
        """The operations that have no target."""
        aws, n = server.aws(), N_DISTINCT

        def key(**members: Any) -> str:
            return str(aws.call("create_key", **members)["KeyMetadata"]["KeyId"])

        cipher, signer, mac = (
            key(),
            key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"),
            key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"),
        )
        blobs = [aws.call("encrypt", **members)["CiphertextBlob"] for members in encrypts([cipher], 64)]
        self.add(
            server,
            "Decrypt 32 B",
            aws,
            "decrypt",
            [{"CiphertextBlob": blobs[i % 64], "EncryptionContext": context(i % 64)} for i in range(n)],
        )
        data_key = {"KeyId": cipher, "KeySpec": "AES_256"}
        self.add(
            server,
            "GenerateDataKey",
            aws,
            "generate_data_key",
            [{**data_key, "EncryptionContext": context(i)} for i in range(n)],
        )
        message = {"KeyId": mac, "MacAlgorithm": "HMAC_SHA_256"}
        self.add(server, "GenerateMac", aws, "generate_mac", [{**message, "Message": os.urandom(32)} for _ in range(n)])
        digest = {"KeyId": signer, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}
        self.add(server, "Sign ECDSA P-256", aws, "sign", [{**digest, "Message": os.urandom(32)} for _ in range(n)])

    def keystead(self) -> None:
        server = self.fresh(report.KEYSTEAD, "one", self.core)
        both = self.fresh(report.VAULT, "both", self.core, vault=True)
        self.encrypting(server)
        if not self.options.quick:
            for zeroing, name in report.ZEROING.items():
                self.encrypting(self.fresh(name, f"zeroing-{zeroing}", self.core, zeroing=zeroing))
            if len(self.both) > 1:
                self.encrypting(self.fresh(report.TWO_WORKERS, "two", self.both, workers=2), n_connections=128)
            self.many_keys(self.options.keys)
        self.others(server)
        self.vault(both)

    def vault(self, server: Keystead) -> None:
        self.beside(server.name, server, server.vault())

    def beside(self, name: str, server: Server, client: Vault) -> None:
        """All that the Vault API is compared by: as fast as it goes, and at one rate."""
        works = {
            report.TRANSIT: client.encrypts(),
            report.DECRYPT: client.decrypts(),
            report.SIGN: client.signs(),
            report.HMAC: client.hmacs(),
            report.READ: client.reads(),
            report.WRITE: client.writes(),
        }
        for operation, work in works.items():
            case = Case(name=name, operation=operation, server=server, workload=work, address=client.address)
            paced = replace(case, operation=report.paced(operation), rate=report.RATES[operation])
            self.cases += [case, paced]

    def many_keys(self, n: int) -> None:
        """The clock runs from the start of the first process to the first answer."""
        self.say(f"making {n:,} keys")
        directory, port = self.directory / "many", free_port()
        ids = store.populate(directory, n)
        server = self.start(report.many(n), directory, self.core, port=port)
        began = time.monotonic()
        server.wait()
        server.aws().call("encrypt", KeyId=ids[0], Plaintext=b"first")
        self.start_s = time.monotonic() - began
        aws, step = server.aws(), max(1, n // N_DISTINCT)
        self.add(server, report.ENCRYPT, aws, "encrypt", encrypts(ids[:: max(1, n // report.N_FEW)][: report.N_FEW]))
        self.add(server, f"{report.ENCRYPT}, {N_DISTINCT} keys", aws, "encrypt", encrypts(ids[::step][:N_DISTINCT]))

    def hsm(self) -> None:
        """Keys in SoftHSM2 through the AWS door, the same in software beside them, and what the token does raw."""
        near = hsm.module()
        home = self.directory / "softhsm"
        hsm.prepare(home)
        for name, path, folder in ((report.HELD, near, "held"), (report.AWAY, hsm.away(home), "away")):
            for label in (folder, f"{folder}-raw"):
                hsm.new_token(label)
            self.raw[name] = hsm.raw(f"{folder}-raw", path, self.core, self.options.seconds)
            directory = self.directory / folder
            install(directory)
            settings = directory / config.FILE_NAME
            lines = hsm.configured(folder, path)
            settings.write_text(lines + (settings.read_text() if settings.exists() else ""))
            self._as_held(self.start(name, directory, self.core).wait())
        self._as_held(self.fresh(report.UNHELD, "unheld", self.core))

    def _as_held(self, server: Keystead) -> None:
        aws = server.aws()

        def key(**members: Any) -> str:
            return str(aws.call("create_key", **members)["KeyMetadata"]["KeyId"])

        ec, rsa = (key(KeySpec=spec, KeyUsage="SIGN_VERIFY") for spec in ("ECC_NIST_P256", "RSA_2048"))
        self.add(server, hsm.ENCRYPT, aws, "encrypt", encrypts([key()]))
        for name, id_, algorithm in (
            (hsm.ECDSA, ec, "ECDSA_SHA_256"),
            (hsm.RSA, rsa, "RSASSA_PKCS1_V1_5_SHA_256"),
        ):
            digest = {"KeyId": id_, "MessageType": "DIGEST", "SigningAlgorithm": algorithm}
            each = [{**digest, "Message": os.urandom(32)} for _ in range(N_DISTINCT)]
            self.add(server, name, aws, "sign", each)

    def openbao(self) -> None:
        for name, audited in ((report.BAO_APP, True), (report.BAO_ROOT, False)):
            folder = self.directory / ("bao-audited" if audited else "bao-root")
            server = self.stack.enter_context(OpenBao(name, folder, self.core, audited=audited))
            work = server.vault.encrypts()
            self.cases.append(Case(name=name, operation=report.ENCRYPT, server=server, workload=work))
            if audited:
                work = server.vault.reads()
                self.cases.append(Case(name=name, operation=report.READ, server=server, workload=work))
        kept = OpenBao(report.BAO_DURABLE, self.directory / "bao-raft", self.core, audited=True, durable=True)
        server = self.stack.enter_context(kept)
        self.beside(server.name, server, server.vault)

    def moto(self) -> None:
        server = self.stack.enter_context(Moto(report.MOTO, self.directory / "moto", self.core))
        work = server.aws.workload("encrypt", encrypts([server.key]))
        self.cases.append(Case(name=report.MOTO, operation=report.ENCRYPT, server=server, workload=work))

    # --- the run

    def run(self) -> Report:
        options = self.options
        found = self.steps() if "keystead" in options.only else []
        for peer in options.only:
            self.say(f"starting {peer}")
            try:
                getattr(self, peer)()
            except (NotReady, Refused) as error:
                self.skipped[peer] = str(error)
        rows = rounds.run(
            self.cases,
            n_rounds=options.rounds,
            seed=options.seed,
            seconds=options.seconds,
            warm_up=options.warm_up,
            core=self.client_core,
            client=options.client,
            say=self.say,
        )
        return Report(
            machine=self.machine(),
            quick=options.quick,
            rows=sorted(rows, key=_place),
            memory=self.memory(),
            steps=found,
            n_keys=0 if self.start_s is None else options.keys,
            start_s=self.start_s,
            raw=self.raw,
            skipped=self.skipped,
        )

    def steps(self) -> list[steps.Step]:
        self.say("the cost of each step")
        with procs.pinned(self.core):
            return steps.measure(self.directory / "steps", seconds=0.05 if self.options.quick else 1.0)

    def memory(self) -> list[procs.Memory]:
        """Of every worker, by its server's name."""
        serving = [server for server in self.servers if server.process.poll() is None]
        all_ = [(server, procs.memory(pid)) for server in serving for pid in procs.tree(server.pid)]
        return [
            msgspec.structs.replace(one, name=server.name)
            for server, one in all_
            if one.name.endswith("keystead.app.worker")
        ]

    def machine(self) -> dict[str, str]:
        models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        return {
            "processor": models[0].partition(": ")[2] if models else platform.machine(),
            "cores": str(len(os.sched_getaffinity(0))),
            "kernel": platform.release(),
            "Python": platform.python_version(),
            "client": self.options.client or load.default_client(),
            "seed": str(self.options.seed),
        }


def _place(row: Row) -> int:
    """Rows with targets first."""
    return row.operation != report.ENCRYPT


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each timed window")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the order in each round")
    parser.add_argument("--keys", type=int, default=100_000, help="in the large store")
    parser.add_argument("--only", action="append", choices=PEERS, help="repeatable; all by default")
    parser.add_argument("--client", choices=sorted(load.CLIENTS), help="wrk where it is installed")
    parser.add_argument("--directory", type=Path, help="where to put what servers keep; a disk, not memory")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    parser.add_argument("--quick", action="store_true", help="one short round, no targets")
    options = parser.parse_args()
    options.only = tuple(options.only or PEERS)
    options.warm_up = rounds.WARM_UP
    if options.quick:
        options.rounds, options.seconds, options.warm_up = 1, 1.0, 0.0
    return options


def main() -> int:
    options, console = _options(), Console(stderr=True)
    with (
        tempfile.TemporaryDirectory(prefix="keystead-bench-", dir=options.directory) as directory,
        ExitStack() as stack,
    ):
        found = Bench(options, Path(directory), stack, console).run()
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(_with_targets(found))))
    wide = Console()
    wide.width = max(wide.width, 120)
    report.show(found, wide)
    return int(found.failed)


def _with_targets(found: Report) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(found)
    targets = [{**msgspec.to_builtins(target), "met": target.met} for target in found.targets()]
    return plain | {"targets": targets, "n_errors": found.n_errors, "failed": found.failed}


if __name__ == "__main__":
    sys.exit(main())
