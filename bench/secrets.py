"""A million secrets: what they cost to load, read, list and start with. `python -m bench.secrets --n 1000000`.

Half of them stand in one folder, the others a thousand to a folder. Reads go through the Vault door in this process,
as a worker serves them, without sockets; CPU and time of this thread, beside an installation of 1,000 secrets. The
start and the memory are those of a server process.
"""

from __future__ import annotations

import argparse
import gc
import http.client
import random
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from bench import procs
from bench.peers import Keystead, free_port, install
from bench.store import open_core
from bench.workloads import Vault
from keystead.app.compose import Core
from keystead.app.doors import DOORS
from keystead.app.installation import saved_credentials
from keystead.core.entities import Entity, Folder, Secret, SecretVersion
from keystead.core.operations import KeyringRef
from keystead.core.sensitive import Sensitive
from keystead.kit import Front
from keystead.service.barrier import Commit
from keystead.service.held import HeldKeyring
from keystead.service.held.secrets import above
from keystead.wire.http import HttpRequest

A_COMMIT, A_FOLDER, FEW, A_BATCH = 2000, 1000, 1000, 512
N_CLIENTS = 32
MOUNT, BIG = "kv2", "all"


class Figures(Struct, frozen=True, kw_only=True):
    """Of one installation. Times in µs a request unless they say otherwise; memory in MB."""

    n: int
    load_s: float
    load_us: float  # a secret
    database_mb: float
    read_few: float  # CPU: of the same 1,000 secrets, again and again
    read_few_wall: float
    read_any: float  # CPU: of any secret
    read_any_wall: float
    first_page_ms: float  # of 1,000 names
    pages_ms: float  # each, all of the big folder
    n_pages: int
    pages_rss_mb: float  # what they added to this process
    start_s: float  # of a server, to its first answer
    worker_rss: float
    worker_rss_read: float  # after it has read 20,000


def paths(n: int) -> Iterator[str]:
    for i in range(n):
        yield f"{BIG}/s{i:07d}" if i % 2 else f"f{i // 2 // A_FOLDER:04d}/s{i:07d}"


class Site:
    """An installation in this process, and requests to its Vault door."""

    def __init__(self, directory: Path) -> None:
        self.core: Core = open_core(directory, journal="secrets")
        self.front: Front = self.core.front(DOORS["vault"])
        saved = saved_credentials(directory)
        assert saved is not None  # noqa: S101 - install left them
        self.tenant, self._token = saved.tenant, saved.vault_token.encode()

    def request(self, method: str, path: str, body: bytes = b"") -> HttpRequest:
        now = self.core.clock.now()
        return HttpRequest(
            method=method.encode(),
            target=f"/v1/{path}".encode(),
            headers={b"host": b"bench", b"x-vault-token": self._token},
            body=body,
            peer="127.0.0.1",
            received_at=now,
            second=int(now.timestamp()),
            secure=False,
        )

    def ask(self, method: str, path: str, body: bytes = b"") -> Any:
        head, _, said = self.front.serve(self.request(method, path, body)).partition(b"\r\n\r\n")
        if head.split()[1] not in {b"200", b"204"}:
            raise RuntimeError(f"{method} {path}: {head[:40]!r} {said[:200]!r}")
        self.core.journal.flush()
        return msgspec.json.decode(said) if said else None

    def ring(self) -> HeldKeyring:
        found = self.core.view.find(KeyringRef(f"vault:{self.tenant}:{MOUNT}"))
        assert isinstance(found, HeldKeyring)  # noqa: S101 - it was mounted
        return found


def populate(site: Site, n: int) -> None:
    """What WriteSecret would have made, committed two thousand at a time."""
    ring, now = site.ring(), site.core.clock.now()
    folders: dict[str, str] = {"": ring.secrets.folder_id("")}
    put: list[Entity] = []
    material: dict[str, Sensitive] = {}

    def commit() -> None:
        if put:
            site.core.barrier.commit(Commit(put=tuple(put), material=dict(material)))
            put.clear()
            material.clear()

    for path in paths(n):
        folder = above(path)
        if folder not in folders:
            folders[folder] = ring.secrets.folder_id(folder)
            put.append(Folder(id=folders[folder], keyring=ring.id, above=folders[""], path=folder))
        secret = Secret(
            id=ring.secrets.secret_id(path),
            tenant=ring.tenant,
            keyring=ring.id,
            folder=folders[folder],
            path=path,
            created_at=now,
            updated_at=now,
            current=1,
        )
        version = SecretVersion(id=f"{secret.id}/1", secret_id=secret.id, number=1, created_at=now)
        put += [secret, version]
        material[version.id] = Sensitive(b'{"password":"%b"}' % urlsafe_b64encode(path.encode()))
        if len(material) >= A_COMMIT:
            commit()
    commit()


def reading(site: Site, chosen: Sequence[str], *, rounds: int) -> tuple[float, float]:
    """(CPU, time) in µs a read; the best of `rounds`."""
    requests = [site.request("GET", f"{MOUNT}/data/{path}") for path in chosen]
    best = (float("inf"), float("inf"))
    for _ in range(rounds):
        cpu, wall = time.thread_time(), time.perf_counter()
        for n, request in enumerate(requests):
            said = site.front.serve(request)
            if said[9:12] != b"200":
                raise RuntimeError(said.decode())
            if n % A_BATCH == 0:
                site.core.journal.flush()
        took = (time.thread_time() - cpu, time.perf_counter() - wall)
        best = (min(best[0], took[0]), min(best[1], took[1]))
    return best[0] / len(requests) * 1e6, best[1] / len(requests) * 1e6


def paging(site: Site) -> tuple[float, float, int, float]:
    """(first page in ms, each in ms, pages, MB that all of them added)."""
    gc.collect()
    before, after, times = procs.memory(_self()).rss, "", []
    while True:
        began = time.perf_counter()
        names = _page(site, after)
        times.append(time.perf_counter() - began)
        if len(names) < A_FOLDER:
            break
        after = names[-1]
    return times[0] * 1e3, sum(times) / len(times) * 1e3, len(times), procs.memory(_self()).rss - before


def _page(site: Site, after: str) -> list[str]:
    try:
        found = site.ask("LIST", f"{MOUNT}/metadata/{BIG}?limit={A_FOLDER}&after={after}")
    except RuntimeError:  # nothing more
        return []
    names: list[str] = found["data"]["keys"]
    return names


def _self() -> int:
    return int(Path("/proc/self").resolve().name)


def starting(directory: Path, chosen: Sequence[str]) -> tuple[float, float, float]:
    """(seconds to the first answer, worker's RSS then, and after it has read `chosen`)."""
    began = time.monotonic()
    cores = set(range(2))
    with Keystead("secrets", directory, cores, port=free_port(), vault=True).wait() as server:
        vault = server.vault_root()
        read(vault, chosen[:1])
        started = time.monotonic() - began
        first = _worker(server)
        with ThreadPoolExecutor(N_CLIENTS) as pool:
            for done in [pool.submit(read, vault, chosen[n::N_CLIENTS]) for n in range(N_CLIENTS)]:
                done.result()
        return started, first, _worker(server)


def read(vault: Vault, chosen: Sequence[str]) -> None:
    """Over one connection."""
    connection = http.client.HTTPConnection(*vault.address, timeout=60)
    for path in chosen:
        connection.request("GET", f"/v1/{MOUNT}/data/{path}", headers={"X-Vault-Token": vault.token})
        reply = connection.getresponse()
        if reply.status != 200 or not reply.read():
            raise RuntimeError("a secret is not there")
    connection.close()


def _worker(server: Keystead) -> float:
    found = (procs.memory(pid) for pid in procs.tree(server.pid))
    return next(one.rss for one in found if one.name.endswith("keystead.app.worker"))


def measure(directory: Path, n: int) -> Figures:
    install(directory)
    site = Site(directory)
    rng = random.Random(n)  # noqa: S311 - which ones are read
    site.ask("POST", f"sys/mounts/{MOUNT}", b'{"type":"kv-v2"}')
    began = time.perf_counter()
    populate(site, n)
    load_s = time.perf_counter() - began
    every = list(paths(n))
    few = every if n <= FEW else rng.sample(every, FEW)
    some = [rng.choice(every) for _ in range(20_000)]
    try:
        reading(site, few, rounds=2)
        few_us = reading(site, few, rounds=7)
        any_us = reading(site, some, rounds=2)
        pages = paging(site)
    finally:
        site.core.close()
    start = starting(directory, some)
    return Figures(
        n=n,
        load_s=load_s,
        load_us=load_s / n * 1e6,
        database_mb=sum(file.stat().st_size for file in directory.rglob("*") if file.is_file()) / 1e6,
        read_few=few_us[0],
        read_few_wall=few_us[1],
        read_any=any_us[0],
        read_any_wall=any_us[1],
        first_page_ms=pages[0],
        pages_ms=pages[1],
        n_pages=pages[2],
        pages_rss_mb=pages[3],
        start_s=start[0],
        worker_rss=start[1],
        worker_rss_read=start[2],
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.secrets", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path, help="where to put what is kept; a disk, not memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="keystead-secrets-", dir=options.directory) as directory:
        few, many = (measure(Path(directory) / str(n), n) for n in (FEW, options.n))
    shown = [msgspec.to_builtins(one) for one in (few, many)]
    for name in shown[0]:
        sys.stdout.write(f"{name:20}" + "".join(f"{one[name]:16,.2f}" for one in shown) + "\n")
    slower = many.read_few / few.read_few - 1
    sys.stdout.write(f"reading 1,000 of them costs {slower:+.0%} beside 1,000 alone\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
