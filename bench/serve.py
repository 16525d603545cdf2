"""A Keystead server for the bench, composed as `keystead serve` composes it: `python -m bench.serve DIR PORT`.

--zeroing: what becomes of memory that a worker frees, to see the cost of each (docs/adr/0008).
  none       nothing, as shipped
  part       overwritten by M_PERTURB, which leaves out the small chunks that glibc keeps at hand (tcache)
  whole      overwritten also there, by keeping none at hand
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from msgspec.structs import replace

from keystead import config
from keystead.app import hygiene
from keystead.app.hsms import pins
from keystead.app.layout import Running
from keystead.app.supervisor import Supervisor

_PERTURB = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.perturb=85"}
ZEROING = {
    "none": {},
    "part": _PERTURB,
    "whole": _PERTURB | {"GLIBC_TUNABLES": "glibc.malloc.perturb=85:glibc.malloc.tcache_count=0"},
}


def _say(_running: Running) -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--vault", type=int, default=0, help="where the Vault door answers; 0: it is not open")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--zeroing", choices=ZEROING, default="none")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    hygiene.harden()
    os.environ |= ZEROING[options.zeroing]  # the workers' then
    directory = options.directory
    listen = {"aws": f"127.0.0.1:{options.port}"}
    if options.vault:
        listen["vault"] = f"127.0.0.1:{options.vault}"
    settings = replace(config.read(directory), listen=listen, workers=options.workers)
    Supervisor(directory, settings, _say, pins=pins(settings.hsms)).run(())


if __name__ == "__main__":
    main()
