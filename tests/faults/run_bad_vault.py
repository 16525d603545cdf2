"""Malformed requests to the Vault door: `python -m tests.faults.run_bad_vault --n 10000 --seed 1`.

Whatever comes is answered with a well-formed HTTP response, never with an error of ours; nothing is in the log of
errors, the worker lives on, and its memory stays where it was.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import re
import sys
import tempfile
from pathlib import Path

from tests.faults.badvault import KINDS, BadVaultInput
from tests.faults.test_bad_input import ask, resident
from tests.servers import Serving, serving

UNFINISHED = frozenset({"cut_short", "odd_chunks", "odd_length"})
MORE_MEMORY = 64 * 1024 * 1024
LOCKED = b"API access to this namespace has been locked"  # as one of the requests may have asked for: no error of ours


def check(what: str, request: bytes, reply: bytes) -> int:
    """The status of a well-formed response: Vault's form, and no error of ours."""
    if not reply and what in UNFINISHED:
        return 0  # the client has gone before it had said what it wants
    head, _, body = reply.partition(b"\r\n\r\n")
    shown = (what, request[:400], reply[:400])
    assert re.match(rb"HTTP/1\.1 [1-5]\d\d ", head), shown
    status = int(head.split()[1])
    fields = {name.lower(): value.strip() for name, _, value in (h.partition(b":") for h in head.split(b"\r\n")[1:])}
    if status == 204:  # RFC 9110 §8.6
        assert not body and b"content-length" not in fields, shown
    elif not request.startswith(b"HEAD "):
        assert int(fields[b"content-length"]) == len(body), shown
    assert status not in {500, 502, 503} or (status == 500 and b"internal error" not in body) or LOCKED in body, shown
    if body:
        said = json.loads(body)
        assert isinstance(said, dict) and (status >= 400 or "errors" not in said), shown  # some 404s have an envelope
    return status


def run(n: int, seed: int, directory: Path) -> dict[int, int]:
    """How often each status came. Raises AssertionError."""
    errors = directory / "errors"
    with serving("dev", directory / "data", "--listen", "vault=127.0.0.1:0", errors=errors) as server:
        seen = storm(server, n, seed)
    assert "Traceback" not in errors.read_text()
    return seen


def storm(server: Serving, n: int, seed: int) -> dict[int, int]:
    address, token = server.running["listen"]["vault"], server("env", "vault", "--json").json["VAULT_TOKEN"]
    host, _, port = address.rpartition(":")
    for path, kind in (
        ("kv2", "kv-v2"),
        ("transit", "transit"),
        ("auth/userpass", "userpass"),
        ("auth/approle", "approle"),
    ):
        where = path.replace("auth/", "sys/auth/") if "auth/" in path else f"sys/mounts/{path}"
        assert once(address, token, "POST", where, {"type": kind}) == 204
    bad, seen = BadVaultInput(address, token, seed), dict[int, int]()
    for _ in range(300):  # what is allocated once
        what, request = bad.one()
        check(what, request, ask((host, int(port)), request))
    workers = server.tree()[1:]
    assert workers
    before = {pid: resident(pid) for pid in workers}
    for _ in range(n):
        what, request = bad.one()
        status = check(what, request, ask((host, int(port)), request))
        seen[status] = seen.get(status, 0) + 1
    assert server.tree()[1:] == workers, "a worker was lost"
    for pid in workers:
        assert resident(pid) - before[pid] < MORE_MEMORY
    assert once(address, token, "POST", "kv2/data/after", {"data": {"a": "b"}}) == 200
    assert len(KINDS) >= 15
    return seen


def once(address: str, token: str, method: str, path: str, body: object) -> int:
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request(method, f"/v1/{path}", json.dumps(body), {"X-Vault-Token": token})
    status = connection.getresponse().status
    connection.close()
    return status


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    given = parser.parse_args()
    print(f"malformed requests, seed {given.seed}")
    with tempfile.TemporaryDirectory() as directory:
        seen = run(given.n, given.seed, Path(directory))
    print(f"{given.n} requests:", ", ".join(f"{n} x {status or 'no answer'}" for status, n in sorted(seen.items())))


if __name__ == "__main__":
    sys.exit(main())
