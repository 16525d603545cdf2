"""Interleaved rounds: every case once, then every case again. In the table stands the median of a case's rounds.

Each round has an order of its own, drawn from a seed: a machine that gets busier, or warmer, does so for nobody in
particular.
A round that somebody else disturbed (more than 10 % of the server's core) is dropped where two cleaner ones exist.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from random import Random
from statistics import median

from msgspec import Struct

from bench import load, procs
from bench.peers import Server
from bench.workloads import Workload

FOREIGN = 0.10
FULL = 0.90
WARM_UP = 1.0  # seconds


class Case(Struct, frozen=True, kw_only=True):
    """One row: an operation at a server."""

    name: str
    operation: str
    server: Server
    workload: Workload
    n_connections: int = 64
    rate: float = 0.0  # requests a second; 0: as many as there can be
    address: tuple[str, int] | None = None  # where it is another than the server's first


class Round(Struct, frozen=True, kw_only=True):
    """One timed window. Shares are of one core's time."""

    rps: float
    p50_us: float
    p99_us: float
    cpu_us: float  # of the server's whole process tree, per request
    n: int
    n_errors: int
    server_busy: float  # of all its cores
    foreign: float  # what others took of the server's core; 0 where it has more than one
    client_busy: float
    client_ceiling: float  # requests a second


class Row(Struct, frozen=True, kw_only=True):
    """A case after all its rounds: medians."""

    name: str
    operation: str
    rps: float
    p50_us: float
    p99_us: float
    cpu_us: float
    n_errors: int
    foreign: float
    limit: str  # who could not go faster: "server", "client", "neighbours" on its core, or nobody: "waiting" (disk)
    client_ceiling: float
    n_dropped: int
    rounds: tuple[Round, ...]


def once(case: Case, *, seconds: float, warm_up: float, core: int, client: str | None) -> Round:
    server, requests = case.server, case.workload.requests()

    def run(for_seconds: float) -> load.Result:
        return load.run(
            case.address or server.address,
            requests,
            seconds=for_seconds,
            n_connections=case.n_connections,
            core=core,
            client=client,
            rate=case.rate,
        )

    if warm_up:
        run(warm_up)
    alone = next(iter(server.cores)) if len(server.cores) == 1 else None
    began, own, all_ = time.monotonic(), procs.cpu_us(server.pid), procs.busy_us(alone) if alone is not None else 0
    result = run(seconds)
    took = (time.monotonic() - began) * 1e6
    own = procs.cpu_us(server.pid) - own
    foreign = max(0.0, procs.busy_us(alone) - all_ - own) / took if alone is not None else 0.0
    return Round(
        rps=result.rps,
        p50_us=result.p50,
        p99_us=result.p99,
        cpu_us=own / max(result.n, 1),
        n=result.n,
        n_errors=result.n_errors + (result.n == 0),
        server_busy=own / took / len(server.cores),
        foreign=foreign,
        client_busy=result.client_busy,
        client_ceiling=result.ceiling,
    )


def row(case: Case, rounds: Sequence[Round]) -> Row:
    clean = [one for one in rounds if one.foreign <= FOREIGN]
    kept = clean if len(clean) >= 2 else list(rounds)

    def middle(of: Callable[[Round], float]) -> float:
        return median(of(one) for one in kept)

    foreign = middle(lambda r: r.foreign)
    limits = (
        ("server", middle(lambda r: r.server_busy) >= FULL),
        ("client", middle(lambda r: r.client_busy) >= FULL),
        ("neighbours", foreign > FOREIGN),
        ("waiting", True),
    )
    return Row(
        name=case.name,
        operation=case.operation,
        rps=middle(lambda r: r.rps),
        p50_us=middle(lambda r: r.p50_us),
        p99_us=middle(lambda r: r.p99_us),
        cpu_us=middle(lambda r: r.cpu_us),
        n_errors=sum(one.n_errors for one in rounds),
        foreign=foreign,
        limit=next(who for who, it_is in limits if it_is),
        client_ceiling=middle(lambda r: r.client_ceiling),
        n_dropped=len(rounds) - len(kept),
        rounds=tuple(rounds),
    )


def orders(n: int, n_rounds: int, seed: int) -> Iterator[list[int]]:
    """Which of `n` cases comes when, for each round."""
    chance = Random(seed)  # noqa: S311 - nothing here is a secret
    for _ in range(n_rounds):
        yield chance.sample(range(n), n)


def run(
    cases: Sequence[Case],
    *,
    n_rounds: int,
    seed: int,
    seconds: float,
    warm_up: float = WARM_UP,
    core: int,
    client: str | None,
    say: Callable[[str], None],
) -> list[Row]:
    """Every case in turn, `n_rounds` times over; the client on `core`."""
    found: list[list[Round]] = [[] for _ in cases]
    for number, order in enumerate(orders(len(cases), n_rounds, seed), 1):
        for at in order:
            case = cases[at]
            say(f"round {number} of {n_rounds}: {case.name}, {case.operation}")
            found[at].append(once(case, seconds=seconds, warm_up=warm_up, core=core, client=client))
    return [row(case, rounds) for case, rounds in zip(cases, found, strict=True)]
