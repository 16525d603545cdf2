"""Load: replay prepared requests over keep-alive connections and say how it went.

    python bench/load.py --port 8443 --access-key AKIA… --secret-file secret --body '{"KeyId":"alias/app",…}'

One request in flight per connection, each connection going round the list from a place of its own. The client is
wrk where it is installed (a C loop, cheap enough to saturate a worker), else a small epoll loop of our own, which
takes a core at about 40 thousand a second and then measures itself.
"""

from __future__ import annotations

import argparse
import json
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from keystead.wire.aws import sigv4


class Result(Struct, frozen=True, kw_only=True):
    """Of one run. Latencies in microseconds; `n_errors` are answers that are not 2xx, and broken connections."""

    n: int
    n_errors: int
    rps: float
    p50: float
    p99: float

    def __str__(self) -> str:
        latency = f"p50 {self.p50:,.0f} µs, p99 {self.p99:,.0f} µs"
        return f"{self.rps:,.0f} requests/s, {latency}, {self.n_errors} errors of {self.n}"


def signed_request(  # noqa: PLR0913 - what a signature is made of
    *, host: str, key_id: str, secret: bytes, region: str, target: str, body: bytes, second: int, service: str = "kms"
) -> bytes:
    """A whole request with botocore's set of headers."""
    stamp = sigv4.timestamp(second)
    scope = sigv4.Scope(stamp[:8], region.encode(), service.encode())
    headers = {
        b"host": host.encode(),
        b"accept-encoding": b"identity",
        b"x-amz-target": target.encode(),
        b"content-type": b"application/x-amz-json-1.1",
        b"user-agent": b"Boto3/1.44.8 md/Botocore#1.44.8 ua/2.1 os/linux lang/python cfg/retry-mode#legacy",
        b"x-amz-date": stamp,
        b"amz-sdk-invocation-id": b"00000000-0000-4000-8000-000000000000",
        b"amz-sdk-request": b"attempt=1",
        b"content-length": b"%d" % len(body),
    }
    names = (b"content-type", b"host", b"x-amz-date", b"x-amz-target")
    signature = sigv4.Signer(sigv4.signing_key(secret, scope), scope, names).signature(
        b"POST", b"/", headers, body, stamp
    )
    headers[b"authorization"] = b"AWS4-HMAC-SHA256 Credential=%b/%b, SignedHeaders=%b, Signature=%b" % (
        key_id.encode(),
        bytes(scope),
        b";".join(names),
        signature or b"",
    )
    lines = b"".join(b"%b: %b\r\n" % pair for pair in headers.items())
    return b"POST / HTTP/1.1\r\n" + lines + b"\r\n" + body


def run(address: tuple[str, int], requests: Sequence[bytes], *, n_connections: int, seconds: float) -> Result:
    """Load the server at `address` with wrk, or without it."""
    if shutil.which("wrk"):
        return run_wrk(address, requests, n_connections=n_connections, seconds=seconds)
    return run_epoll(address, requests, n_connections=n_connections, seconds=seconds)


# --- our own loop


class _Peer:
    __slots__ = ("at", "buffer", "sent_at", "sock")

    def __init__(self, address: tuple[str, int], at: int) -> None:
        self.sock = socket.create_connection(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)  # noqa: FBT003 - the socket module's signature
        self.at, self.buffer, self.sent_at = at, b"", 0


def run_epoll(address: tuple[str, int], requests: Sequence[bytes], *, n_connections: int, seconds: float) -> Result:
    peers: dict[int, _Peer] = {}
    poll = select.epoll()
    latencies: list[int] = []
    n_errors, n_requests, now = 0, len(requests), time.monotonic_ns
    began = now()
    for i in range(n_connections):
        peer = _Peer(address, i * n_requests // n_connections)
        peers[peer.sock.fileno()] = peer
        poll.register(peer.sock.fileno(), select.EPOLLIN)
        peer.sent_at = now()
        peer.sock.send(requests[peer.at])
    ends = began + int(seconds * 1e9)
    while peers and now() < ends:
        for number, _ in poll.poll(1):
            peer = peers[number]
            data = peer.buffer + peer.sock.recv(65536)
            if not data:
                n_errors += 1
                poll.unregister(number)
                del peers[number]
                continue
            head = data.find(b"\r\n\r\n")
            start = data.find(b"Content-Length: ")
            if head < 0 or len(data) < head + 4 + int(data[start + 16 : data.find(b"\r", start)]):
                peer.buffer = data
                continue
            at = now()
            latencies.append(at - peer.sent_at)
            n_errors += data[9:10] != b"2"
            peer.buffer, peer.sent_at, peer.at = b"", at, (peer.at + 1) % n_requests
            peer.sock.send(requests[peer.at])
    took = (now() - began) / 1e9
    for peer in peers.values():
        peer.sock.close()
    latencies.sort()
    n = len(latencies)
    p50, p99 = (latencies[min(n - 1, int(n * q))] / 1000 if n else 0.0 for q in (0.5, 0.99))
    return Result(n=n, n_errors=n_errors, rps=n / took, p50=p50, p99=p99)


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


def run_wrk(address: tuple[str, int], requests: Sequence[bytes], *, n_connections: int, seconds: float) -> Result:
    with tempfile.TemporaryDirectory() as directory:
        lines, script = Path(directory, "requests"), Path(directory, "replay.lua")
        lines.write_text("".join(request.hex() + "\n" for request in requests))
        script.write_text(_SCRIPT % json.dumps(str(lines)))
        url = f"http://{address[0]}:{address[1]}/"
        done = subprocess.run(  # noqa: S603 - our own arguments
            ["wrk", "-t1", f"-c{n_connections}", f"-d{max(1, round(seconds))}s", "-s", str(script), url],  # noqa: S607 - from the PATH
            check=True,
            capture_output=True,
            text=True,
        )
    found = re.search(r"\{.*\}", done.stderr)
    if found is None:
        raise RuntimeError(done.stderr)
    said = json.loads(found[0])
    rps = said["n"] / (said["us"] / 1e6)
    return Result(n=said["n"], n_errors=said["errors"], rps=rps, p50=said["p50"], p99=said["p99"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--access-key", required=True)
    parser.add_argument("--secret-file", type=Path, required=True, help="the secret access key, one line")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--target", default="TrentService.Encrypt")
    parser.add_argument("--body", required=True, help="JSON")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--client", choices=("wrk", "epoll"))
    options = parser.parse_args()
    second = int(time.time())
    requests = [
        signed_request(
            host=f"{options.host}:{options.port}",
            key_id=options.access_key,
            secret=options.secret_file.read_bytes().strip(),
            region=options.region,
            target=options.target,
            body=options.body.encode(),
            second=second - ago,  # so that not all signatures are the same
        )
        for ago in range(120)
    ]
    loads = {"wrk": run_wrk, "epoll": run_epoll, None: run}
    result = loads[options.client](
        (options.host, options.port), requests, n_connections=options.connections, seconds=options.seconds
    )
    sys.stdout.write(f"{result}\n")


if __name__ == "__main__":
    main()
