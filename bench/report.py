"""What came of it: one value for `--json`, tables for people, and which targets were met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from bench.hsm import AWAY_US, Raw
from bench.procs import Memory
from bench.rounds import FOREIGN, Row
from bench.steps import Step

KEYSTEAD, TWO_WORKERS = "keystead", "keystead, 2 workers"
ZEROING = {"whole": "keystead, freed memory overwritten"}
BAO_APP, BAO_ROOT, MOTO = "OpenBao, app token, file audit", "OpenBao, root token, no audit", "moto"
ENCRYPT, TRANSIT, READ = "Encrypt 32 B", "transit encrypt 32 B", "kv v2 read"
DECRYPT, SIGN, HMAC = "transit decrypt 32 B", "transit sign ECDSA P-256", "transit hmac"
WRITE = "kv v2 write"
HELD, UNHELD = "keystead, keys in SoftHSM2", "keystead, the same keys in software"
AWAY = f"keystead, keys in SoftHSM2 that is {AWAY_US / 1000:g} ms away"
VAULT = "keystead, Vault door, app token"
BAO_DURABLE = "OpenBao on raft, app token, file audit"
RATES = {TRANSIT: 600.0, DECRYPT: 600.0, SIGN: 600.0, HMAC: 600.0, READ: 600.0, WRITE: 150.0}
"""Requests a second of which either server has time to spare: how long they take is compared there. Fewer would make
the 99th percentile of a window that of a handful."""


def paced(operation: str) -> str:
    return f"{operation}, {RATES[operation]:g}/s"


TIMES = {BAO_APP: 12.0, BAO_ROOT: 2.0, MOTO: 40.0}
"""How many times the peer, per core, keystead is to be."""


N_FEW = 16  # keys that the other stores have


def many(n: int) -> str:
    return f"keystead, {n:,} keys"


class Target(Struct, frozen=True, kw_only=True):
    """`met`: None where it was not measured. `binds`: a miss fails the run."""

    name: str
    value: float | None
    bound: float
    at_most: bool = False
    unit: str = ""
    binds: bool = True

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        return self.value <= self.bound if self.at_most else self.value >= self.bound


class Report(Struct, frozen=True, kw_only=True):
    machine: dict[str, str]
    quick: bool
    rows: list[Row]
    memory: list[Memory]  # of workers
    steps: list[Step]
    n_keys: int = 0
    start_s: float | None = None  # start to first answer, with n_keys in the store
    skipped: dict[str, str] = {}  # peer -> why
    raw: dict[str, dict[str, Raw]] = {}  # HELD, AWAY -> operation -> what that token does through our binding alone

    @property
    def n_errors(self) -> int:
        return sum(row.n_errors for row in self.rows)

    def row(self, name: str, operation: str = ENCRYPT) -> Row | None:
        return next((row for row in self.rows if (row.name, row.operation) == (name, operation)), None)

    def targets(self) -> list[Target]:
        return list(_targets(self))

    @property
    def failed(self) -> bool:
        """A quick run only has to answer every request; any other has to meet its targets against every peer."""
        missed = any(target.binds and target.met is False for target in self.targets())
        return self.n_errors > 0 or KEYSTEAD in self.skipped or (not self.quick and (missed or bool(self.skipped)))


def _ratio(of: float | None, to: float | None) -> float | None:
    return of / to if of is not None and to else None


def _targets(report: Report) -> Iterator[Target]:
    def cpu(name: str, operation: str = ENCRYPT) -> float | None:
        return row.cpu_us if (row := report.row(name, operation)) else None

    def rps(name: str) -> float | None:
        return row.rps if (row := report.row(name)) else None

    for peer, times in TIMES.items():
        by_cpu, by_rate = _ratio(cpu(peer), cpu(KEYSTEAD)), _ratio(rps(KEYSTEAD), rps(peer))
        yield Target(name=f"by CPU per request: {peer}", value=by_cpu, bound=times, unit="x")
        yield Target(name=f"by requests/s on one core: {peer}", value=by_rate, bound=times, unit="x")
    for operation, of_peer, times in ((TRANSIT, ENCRYPT, 12.0), (READ, READ, 6.0)):
        by_cpu = _ratio(cpu(BAO_APP, of_peer), cpu(VAULT, operation))
        name = f"Vault door, {operation}, by CPU: {BAO_APP}"
        yield Target(name=name, value=by_cpu, bound=times, unit="x", binds=False)
    for operation in RATES:
        theirs, ours = (report.row(name, paced(operation)) for name in (BAO_DURABLE, VAULT))
        name = f"Vault door, {operation}, p99 at the same rate: {BAO_DURABLE}"
        value = _ratio(theirs.p99_us if theirs else None, ours.p99_us if ours else None)
        yield Target(name=name, value=value, bound=1.0, unit="x", binds=False)
    for place, raws in report.raw.items():
        for operation, raw in raws.items():
            yield from _shares(report.row(place, operation), raw)
    own, large = report.row(KEYSTEAD), many(report.n_keys)
    p99 = own.p99_us / 1000 if own else None
    yield Target(name="p99 at 64 connections", value=p99, bound=10, at_most=True, unit="ms")
    scaled = _ratio(cpu(TWO_WORKERS), cpu(KEYSTEAD))
    yield Target(name="CPU per request, two workers to one", value=scaled, bound=1.2, at_most=True, unit="x")
    rss = max((one.rss for one in report.memory), default=None)
    yield Target(name="resident memory of a worker", value=rss, bound=80, at_most=True, unit="MB")
    keys = f"{report.n_keys or 100_000:,} keys"
    rate = _ratio(rps(large), rps(KEYSTEAD))
    yield Target(name=f"requests/s with {keys} in the store, to {N_FEW}", value=rate, bound=0.9, unit="x")
    yield Target(name=f"start to first answer with {keys}", value=report.start_s, bound=2, at_most=True, unit="s")
    promise = cpu(KEYSTEAD)
    yield Target(name="CPU per Encrypt (HOUSE §6)", value=promise, bound=40, at_most=True, unit="µs", binds=False)


def _shares(held: Row | None, raw: Raw) -> Iterator[Target]:
    """Of a token that is away, most of whose time is nobody's CPU, the share by CPU says nothing."""
    if held is None:
        return
    name = f"{held.name}: {held.operation}"
    by_rate = held.rps / raw.rps
    yield Target(name=f"{name}, share of {raw.rps:,.0f}/s raw", value=by_rate, bound=0.7, unit="x", binds=False)
    if held.name == HELD:
        by_cpu = raw.cpu_us / held.cpu_us
        yield Target(name=f"{name}, by CPU: {raw.cpu_us:,.0f} µs raw", value=by_cpu, bound=0.7, unit="x", binds=False)


def show(report: Report, console: Console) -> None:
    console.print("  ".join(f"{name} [b]{value}[/b]" for name, value in report.machine.items()), highlight=False)
    console.print(_requests(report))
    console.print(_memory(report.memory))
    if report.steps:
        console.print(_steps(report))
    console.print(_verdicts(report.targets()))
    for peer, why in report.skipped.items():
        console.print(f"[yellow]{peer} was left out:[/yellow] {why}", highlight=False)
    if report.n_errors:
        console.print(f"[red]{report.n_errors} requests were not answered with 200[/red]")
    for row in report.rows:
        if row.foreign > FOREIGN:
            console.print(f"[yellow]{row.name}, {row.operation}:[/yellow] others took {row.foreign:.0%} of the core")
        if row.limit == "client":
            ceiling = f"the client, good for {row.client_ceiling:,.0f} requests/s, was the limit"
            console.print(f"[yellow]{row.name}, {row.operation}:[/yellow] {ceiling}", highlight=False)


def _table(title: str, *columns: str, left: Sequence[int] = (0,)) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i in left else "right")
    return table


def _requests(report: Report) -> Table:
    columns = ("server", "operation", "requests/s", "p50 ms", "p99 ms", "CPU µs", "CPU x", "limit", "rounds", "errors")
    table = _table("Whole requests, medians", *columns, left=(0, 1, 7))
    own = report.row(KEYSTEAD)
    for row in report.rows:
        times = f"{row.cpu_us / own.cpu_us:.2f}" if own and row.operation == ENCRYPT else ""
        table.add_row(
            row.name,
            row.operation,
            f"{row.rps:,.0f}",
            f"{row.p50_us / 1000:.2f}",
            f"{row.p99_us / 1000:.2f}",
            f"{row.cpu_us:,.1f}",
            times,
            row.limit,
            f"{len(row.rounds) - row.n_dropped} of {len(row.rounds)}",
            str(row.n_errors),
        )
    return table


def _memory(workers: Sequence[Memory]) -> Table:
    table = _table("Memory of workers after the load", "process", "RSS MB", "PSS MB")
    for one in workers:
        table.add_row(one.name, f"{one.rss:.1f}", "" if one.pss is None else f"{one.pss:.1f}")
    return table


def _steps(report: Report) -> Table:
    """Sums over steps stand indented under them."""
    table = _table("One Encrypt, step by step, in one process", "step", "µs", "prototype µs")
    for step in report.steps:
        name = step.name if step.part else f"[dim]  = {step.name}[/dim]"
        table.add_row(name, f"{step.us:.2f}", "" if step.chosen is None else f"{step.chosen:.1f}")
    if own := report.row(KEYSTEAD):
        table.add_section()
        table.add_row("the whole request at the server, kernel included", f"{own.cpu_us:.2f}", "40.0")
    return table


def _verdicts(targets: Sequence[Target]) -> Table:
    table = _table("Targets", "what", "measured", "target", "", left=(0, 3))
    words = {True: "[green]met[/green]", False: "[red]missed[/red]", None: "[dim]not measured[/dim]"}
    for target in targets:
        value = "" if target.value is None else f"{target.value:.2f} {target.unit}"
        sign = "≤" if target.at_most else "≥"
        table.add_row(target.name, value, f"{sign} {target.bound:g} {target.unit}", words[target.met])
    return table
