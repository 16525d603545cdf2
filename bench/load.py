"""Load: replay prepared requests over keep-alive connections, one in flight on each, and say how it went.

The client is wrk where it is installed (a C loop), else an epoll loop of our own in a process of its own:

    python -m bench.load HOST PORT REQUESTS [--connections 64] [--seconds 4]      REQUESTS: one a line, in hex

Either is timed itself, so that one can see which of the two, client or server, a rate is the limit of.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.procs import pinned

Address = tuple[str, int]


class Result(Struct, frozen=True, kw_only=True):
    """Of one run. `n_errors`: answers other than 200, and connections that broke. Latencies in µs."""

    n: int
    n_errors: int
    seconds: float
    p50: float
    p99: float
    client_us: float = 0.0  # CPU of the client per request
    client_busy: float = 0.0  # share of the client's core

    @property
    def rps(self) -> float:
        return self.n / self.seconds

    @property
    def ceiling(self) -> float:
        """Requests a second that this client could make at most, to judge by its own CPU time."""
        return 1e6 / self.client_us if self.client_us else 0.0


def run(
    address: Address,
    requests: Sequence[bytes],
    *,
    seconds: float,
    n_connections: int = 64,
    core: int,
    client: str | None = None,
    rate: float = 0.0,
) -> Result:
    """Load `address` from that core. `client`: "wrk" or "epoll"; by default wrk where it is installed.

    `rate`: so many requests a second, each timed from when it was due; 0: as many as there can be. Needs "epoll".
    """
    client = "epoll" if rate else client or default_client()
    with tempfile.TemporaryDirectory(prefix="keystead-bench-") as directory:
        lines = Path(directory, "requests")
        lines.write_text("".join(request.hex() + "\n" for request in requests))
        before, began = os.times(), time.monotonic()
        with pinned({core}):
            result = CLIENTS[client](address, lines, n_connections, seconds, rate)
        after, took = os.times(), time.monotonic() - began
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return msgspec.structs.replace(result, client_us=spent * 1e6 / max(result.n, 1), client_busy=spent / took)


def default_client() -> str:
    return "wrk" if shutil.which("wrk") else "epoll"


# --- wrk

_SCRIPT = """
local requests, n = {}, 0
for line in io.lines(%s) do
  n = n + 1
  requests[n] = (line:gsub("..", function(hex) return string.char(tonumber(hex, 16)) end))
end
local at = 0
request = function() at = at %% n + 1; return requests[at] end
done = function(summary, latency)
  local e = summary.errors
  io.stderr:write(string.format('{"n":%%d,"us":%%d,"errors":%%d,"p50":%%d,"p99":%%d}', summary.requests,
    summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


def _wrk(address: Address, lines: Path, n_connections: int, seconds: float, _rate: float) -> Result:
    script = lines.with_name("replay.lua")
    script.write_text(_SCRIPT % json.dumps(str(lines)))
    url = f"http://{address[0]}:{address[1]}/"
    whole = max(1, round(seconds))
    done = subprocess.run(
        ["wrk", "-t1", f"-c{n_connections}", f"-d{whole}s", "-s", str(script), url],
        check=True,
        capture_output=True,
        text=True,
    )
    found = re.search(r"\{.*\}", done.stderr)
    if found is None:
        raise RuntimeError(f"wrk: {done.stdout}{done.stderr}")
    said = json.loads(found[0])
    return Result(n=said["n"], n_errors=said["errors"], seconds=said["us"] / 1e6, p50=said["p50"], p99=said["p99"])


# --- our own loop


def _epoll(address: Address, lines: Path, n_connections: int, seconds: float, rate: float) -> Result:
    options = ["--connections", str(n_connections), "--seconds", str(seconds), "--rate", str(rate)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", address[0], str(address[1]), str(lines), *options],
        check=True,
        capture_output=True,
    )
    return msgspec.json.decode(done.stdout, type=Result)


CLIENTS = {"wrk": _wrk, "epoll": _epoll}


class _Connection:
    __slots__ = ("at", "buffer", "sent_at", "sock")

    def __init__(self, address: Address, at: int) -> None:
        self.sock = socket.create_connection(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.at, self.buffer, self.sent_at = at, b"", 0


def _is_whole(data: bytes) -> bool:
    """A reply with its body; bodies come with their length, as every peer here sends them, and a 204 has none."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return False
    if data[9:12] == b"204":
        return True
    start = data.find(b"Content-Length: ", 0, head)
    start = data[:head].lower().find(b"content-length: ") if start < 0 else start
    return start >= 0 and len(data) >= head + 4 + int(data[start + 16 : data.find(b"\r", start)])


def _closes(data: bytes) -> bool:
    return data[:9] != b"HTTP/1.1 " or b"onnection: close" in data


def replay(  # noqa: PLR0915 - one loop, and what it keeps
    address: Address, requests: Sequence[bytes], *, n_connections: int, seconds: float, rate: float = 0.0
) -> Result:
    """The loop itself. A peer that closes after its reply is connected to again, as a client would."""
    poll, now = select.epoll(), time.monotonic_ns
    connections: dict[int, _Connection] = {}
    latencies: list[int] = []
    idle: deque[_Connection] = deque()
    n_errors, n_requests, n_due = 0, len(requests), 0
    every = 1e9 / rate if rate else 0.0

    def connect(at: int) -> None:
        fresh = _Connection(address, at)
        connections[fresh.sock.fileno()] = fresh
        poll.register(fresh.sock.fileno(), select.EPOLLIN)
        ask(fresh, at)

    def ask(one: _Connection, at: int) -> None:
        """At once; where there is a rate, when the next request is due."""
        one.buffer, one.at = b"", at
        if rate:
            idle.append(one)
            return
        one.sent_at = now()
        one.sock.sendall(requests[at])

    def again(number: int) -> None:
        gone = connections.pop(number)
        poll.unregister(number)
        gone.sock.close()
        connect((gone.at + 1) % n_requests)

    began = now()
    ends = began + int(seconds * 1e9)
    for i in range(n_connections):
        connect(i * n_requests // n_connections)
    while now() < ends:
        while idle and began + n_due * every <= now():
            one = idle.popleft()
            one.sent_at, n_due = began + int(n_due * every), n_due + 1
            one.sock.sendall(requests[one.at])
        for number, _ in poll.poll(0.001 if rate else 1):
            one = connections[number]
            piece = one.sock.recv(65536)
            data = one.buffer + piece if one.buffer else piece
            if not piece:
                n_errors += one.sent_at > 0
                again(number)
            elif not _is_whole(data):
                one.buffer = data
            else:
                at = now()
                latencies.append(at - one.sent_at)
                n_errors += data[9:12] != b"200"
                if _closes(data):
                    again(number)
                else:
                    ask(one, (one.at + 1) % n_requests)
    took = (now() - began) / 1e9
    for one in connections.values():
        one.sock.close()
    latencies.sort()
    n = len(latencies)
    p50, p99 = (latencies[min(n - 1, int(n * q))] / 1000 if n else 0.0 for q in (0.5, 0.99))
    return Result(n=n, n_errors=n_errors, seconds=took, p50=p50, p99=p99)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("requests", type=Path)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second; 0: as many as there can be")
    options = parser.parse_args()
    requests = [bytes.fromhex(line) for line in options.requests.read_text().splitlines()]
    result = replay(
        (options.host, options.port),
        requests,
        n_connections=options.connections,
        seconds=options.seconds,
        rate=options.rate,
    )
    sys.stdout.write(msgspec.json.encode(result).decode())


if __name__ == "__main__":
    main()
