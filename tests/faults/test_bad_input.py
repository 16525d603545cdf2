"""Row 8 of the promises: no input takes the door down. Malformed requests against a real server process.

Every one is answered with a well-formed AWS error, the worker lives on, and its memory stays where it was.
"""

import json
import random
import socket
import xml.etree.ElementTree as ET  # reads only what our own server wrote
from pathlib import Path

import pytest
from tests.faults.badinput import BadInput
from tests.servers import Serving, serving
from tests.wireclient import WireClient

N, SEED = 10_000, 20261125
MORE_MEMORY = 64 * 1024 * 1024

pytestmark = pytest.mark.client


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def ask(address: tuple[str, int], request: bytes) -> bytes:
    """Everything the server says to one request on a fresh connection, until it closes or has answered."""
    with socket.create_connection(address, timeout=60) as sock:
        try:
            sock.sendall(request)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has answered and closed before it read all of it
        pieces = []
        try:
            while piece := sock.recv(65536):
                pieces.append(piece)
        except ConnectionResetError:
            pass
        return b"".join(pieces)


def check_error(what: str, request: bytes, reply: bytes) -> None:
    """A well-formed HTTP response with an error of AWS's form."""
    head, _, body = reply.partition(b"\r\n\r\n")
    status_line, *headers = head.split(b"\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (h.partition(b":") for h in headers)}
    assert status_line.startswith(b"HTTP/1.1 "), (what, request[:300], reply[:300])
    status = int(status_line.split()[1])
    assert status >= 400, (what, request[:300], reply[:300])
    assert int(fields[b"content-length"]) == len(body), (what, reply[:300])
    assert fields[b"x-amzn-requestid"], (what, reply[:300])
    if fields[b"content-type"] == b"application/x-amz-json-1.1":
        error = json.loads(body)
        assert error["__type"].isascii()
        assert set(error) <= {"__type", "message"}, (what, reply[:300])
        assert error["__type"] != "KMSInternalException", (what, request[:2000], reply)
    else:
        assert ET.fromstring(body).tag.endswith("ErrorResponse"), (what, reply[:300])  # noqa: S314 - ours


def test_ten_thousand_malformed_requests_leave_the_worker_as_it_was(tmp_path, capsys) -> None:
    with serving("dev", tmp_path / "data") as server:
        grown = storm(server)
    with capsys.disabled():
        print(f"\n{N:,} malformed requests, seed {SEED}: each answered, no worker lost, {grown >> 20} MiB more")


def storm(server: Serving) -> int:
    """How much more memory, in bytes, the worker that has grown most has after it."""
    client = WireClient.administrator(server("env", "aws", "--json").json)
    key = client.call("CreateKey").body["KeyMetadata"]["KeyId"]
    client.close()  # a server waits no minute for a connection to be used again
    host, _, port = client.address.rpartition(":")
    bad = BadInput(client, key, SEED)
    for _ in range(300):  # what is allocated once
        what, request = bad.one()
        check_error(what, request, ask((host, int(port)), request))
    workers = server.tree()[1:]
    assert workers
    before = {pid: resident(pid) for pid in workers}
    for _ in range(N):
        what, request = bad.one()
        check_error(what, request, ask((host, int(port)), request))
    assert server.tree()[1:] == workers, "a worker was lost"
    grown = max(resident(pid) - before[pid] for pid in workers)
    assert grown < MORE_MEMORY
    assert client.call("Encrypt", KeyId=key, Plaintext=random.Random(1).randbytes(8)).status == 200
    client.close()
    return grown
