"""python -m tests.faults.run_hsm [--seconds S] [--threads N] [--seed N]: mixed use of SoftHSM2; the same while the
token is taken away and put back; with a module that fails; through a server. The first sees no error, and flat memory.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests import softhsm
from tests.faults import hsm_server
from tests.faults.hsm import Report, Run
from tests.faults.hsm_faults import Faults

GROWTH = 8 * 1024  # KiB between a quarter of the time and its end
OF_AN_OBJECT = 1.2  # KiB that SoftHSM2 keeps of each object, also after it was destroyed; uses cost nothing


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    said = parser.parse_args()
    print(f"seed {said.seed}", flush=True)
    calm = Run(said.seed).run(said.seconds, said.threads)
    _tell("the token stays", calm)
    rough = Run(said.seed + 1).run(said.seconds / 4, said.threads, away_every=3.0)
    _tell("the token comes and goes", rough)
    faults = Faults(softhsm.module(), said.seed, 0.01)
    failing = Run(said.seed + 2).run(said.seconds / 4, said.threads, faults=faults)
    _tell("one call in a hundred fails, or its answer is lost", failing)
    print(f"  {sum(faults.n.values()):,} failures: {dict(faults.n)}")
    with tempfile.TemporaryDirectory() as directory:
        served = hsm_server.run(Path(directory) / "k", said.seconds / 10, seed=said.seed)
    print(f"a server whose token comes and goes: {served.acts}, {served.n_made} keys made")
    print(f"  taken away {served.removals} times, {served.away:,} answers DependencyTimeoutException")
    print(f"  errors {served.errors or 0}, lost {served.lost or 0}")
    grown = calm.resident[1] - calm.resident[0]
    return not (
        calm.is_well
        and rough.is_well
        and failing.is_well
        and served.is_well
        and not calm.unavailable
        and grown < GROWTH + calm.n_objects * OF_AN_OBJECT
    )


def _tell(what: str, report: Report) -> None:
    n = sum(report.acts.values())
    print(f"{what}: {report.seconds:.0f} s, {n:,} acts ({n / report.seconds:,.0f} a second), {report.acts}")
    print(f"  taken away {report.removals} times, {report.unavailable:,} answers Unavailable")
    print(f"  errors {report.errors or 0}, lost {report.lost or 0}, objects left over {report.left}")
    print(f"  {report.n_objects:,} objects made in the token")
    print(f"  sessions left open {report.sessions}, resident {report.resident[0]} -> {report.resident[1]} KiB")


if __name__ == "__main__":
    sys.exit(main())
