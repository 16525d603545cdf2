"""The same requests to a real OpenBao and to ours, in the same order, compared field by field.

sys, auth/token, userpass, approle, and what nobody means to send; what is sent to transit and kv has files of its own
beside this one. A difference is a defect, or has its row in peer/meant.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests import harness
from tests.doors.vault.peer import engines, lasting, logins, odd, system, tokens
from tests.doors.vault.peer.ask import Ask, Left, Side
from tests.doors.vault.peer.meant import MEANT, Meant, reason
from tests.openbao import Peer, openbao

from keystead.doors import vault

pytestmark = pytest.mark.client
SUITES = {
    "system": system.REQUESTS,
    "tokens": tokens.REQUESTS,
    "logins": logins.REQUESTS,
    "odd": odd.REQUESTS,
    "engines": engines.REQUESTS,
    "lasting": lasting.REQUESTS,
}
ENGINES = {"kv": "kv", "two": "kv-v2", "transit": "transit"}
AUTHS = ("userpass", "approle")


@pytest.fixture
def peer(tmp_path):
    with openbao(tmp_path) as peer:
        yield peer


def theirs(peer: Peer) -> Side:
    def send(method, path, body, headers):
        return peer.ask(method, f"/v1/{path}", body, headers)

    return Side(send, peer.token)


def ours() -> Side:
    stack = harness.stack(door=vault.DOOR)
    stack.peer = "127.0.0.1"
    bearer = stack.bearer()

    def send(method, path, body, headers):
        lines = {name.lower().encode(): value.strip().encode() for name, value in headers.items() if value}
        if "X-Vault-Token" in headers and not headers["X-Vault-Token"]:
            lines[b"x-vault-token"] = b""
        reply = bearer.send(method, path, body, lines)
        return reply.status, reply.headers, reply.body

    return Side(send, bearer.token)


def emptied(*sides: Side) -> None:
    """With the engines mounted that the requests are about, and nothing in them."""
    for side in sides:
        for path, kind in ENGINES.items():
            side.ask(Ask("DELETE", f"sys/mounts/{path}"))
            assert side.ask(Ask("POST", f"sys/mounts/{path}", {"type": kind}))[0] in {200, 204}
        for kind in AUTHS:
            side.ask(Ask("DELETE", f"sys/auth/{kind}"))
            assert side.ask(Ask("POST", f"sys/auth/{kind}", {"type": kind}))[0] == 204


@pytest.fixture(scope="module")
def rows_met() -> set[Meant]:
    return set()


@pytest.mark.parametrize("suite", SUITES)
def test_both_answer_alike_or_a_row_says_why_not(peer, rows_met, suite):
    mine, other = ours(), theirs(peer)
    emptied(mine, other)
    differing = []
    for one in SUITES[suite]:
        a, b = mine.ask(one), other.ask(one)
        if a == b:
            continue
        if (row := reason(one, a, b)) is None:
            differing.append(f"{one.line[:300]}\n    ours   {str(a)[:600]}\n    theirs {str(b)[:600]}")
        else:
            rows_met.add(row)
    assert not differing, f"{len(differing)} of {len(SUITES[suite])} differ:\n" + "\n".join(differing)


def test_every_row_is_met(rows_met, request):
    if {f"test_both_answer_alike_or_a_row_says_why_not[{suite}]" for suite in SUITES} - {
        item.name for item in request.session.items
    }:
        pytest.skip("for all suites together")
    assert [row.why for row in MEANT if row not in rows_met and not row.now_and_then] == []


def test_seconds_are_alike_for_as_long_as_they_can_have_run():
    made = {n: Left(n, of=0.5) for n in (3600, 3591, 3590)}
    assert made[3600] == made[3591] and made[3600] != made[3590]
    later = {n: Left(n, of=20.0) for n in (3576, 3574)}
    assert Left(3600, of=25.0) == later[3576] and Left(3600, of=25.0) != later[3574]


def test_there_are_as_many_requests_as_is_said():
    said = re.search(r"more than ([\d,]+) requests to both", (Path(vault.__file__).parent / "SPEC.md").read_text())
    n_said, n = int(said[1].replace(",", "")) if said is not None else 0, sum(map(len, SUITES.values()))
    assert n_said < n < n_said + 500, f"there are {n}"
