"""What whoever is nobody costs: research/security.md §4, row 66, "unauthenticated CPU ≤ 1 ms per request"."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests import harness
from tests.costs import cost

from keystead.core.audit.record import parse
from keystead.wire.http import Limits

MOST = 0.0015  # seconds; the dearest takes 0.8 ms, and on another kind of CPU the parts of it cost otherwise
AGAIN = 7  # the best of these is what it costs: whatever else the machine does only adds
NOBODY = "AKIA" + "A" * 16
AT = "20261125T120000Z"
FORM = {b"content-type": b"application/x-www-form-urlencoded"}
JSON = {b"x-amz-target": b"TrentService.Encrypt"}
WHOLE_HEAD = Limits().n_head - 1024
WHOLE_BODY = Limits().n_body


def signed(service: str = "kms", signed: str = "host;x-amz-date") -> dict[bytes, bytes]:
    scope = f"{NOBODY}/{AT[:8]}/us-east-1/{service}/aws4_request"
    header = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={signed}, Signature={'0' * 64}"
    return {b"x-amz-date": AT.encode(), b"authorization": header.encode()}


def fill(piece: bytes, size: int) -> bytes:
    return piece * (size // len(piece))


PRESIGNED = (
    f"/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={NOBODY}%2F"
    f"{AT[:8]}%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date={AT}&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
    f"&X-Amz-Signature={'0' * 64}"
).encode()
V4 = b"AWS4-HMAC-SHA256 "
MANY = fill(b"&a", WHOLE_HEAD)
ASKED = {
    "an unknown access key": (b"/", JSON | signed(signed="host;x-amz-date;x-amz-target"), b"{}"),
    "the largest body": (b"/", JSON | signed(signed="host;x-amz-date;x-amz-target"), bytes(WHOLE_BODY)),
    "no credential": (b"/", JSON, b"{}"),
    "many parameters": (b"/?" + MANY, JSON, b""),
    "many parameters, signed": (b"/?" + MANY, FORM | signed("sts"), b""),
    "many parameters in a signed query": (PRESIGNED + MANY, {}, b""),
    "an escaped query": (b"/?" + fill(b"%41", WHOLE_HEAD), FORM | signed("sts"), b""),
    "an escaped query within bounds": (b"/?" + fill(b"%41", 4000), FORM | signed("sts"), b""),
    "as many parameters as may be": (PRESIGNED + b"&%41%41%41%41" * 90, {}, b""),
    "an escaped form": (b"/", FORM, b"a=" + fill(b"%41", WHOLE_BODY)),
    "a form of nothing": (b"/", FORM, fill(b"&", WHOLE_BODY)),
    "a form of versions": (b"/", FORM, fill(b"Version=", WHOLE_BODY)),
    "a deep form": (b"/", FORM, fill(b"&a.b.c.d.e.f.g.h=1", WHOLE_BODY)),
    "a list": (b"/", FORM, b"&".join(b"a.member.%d=1" % i for i in range(1, 1000))),
    "a date": (b"/", JSON | {b"date": fill(b"Mon, ", WHOLE_HEAD), b"authorization": signed()[b"authorization"]}, b""),
    "a path": (fill(b"/../a", WHOLE_HEAD), JSON | signed(), b""),
    "a credential": (b"/", JSON | {b"authorization": V4 + fill(b"Credential=a,", 14000)}, b""),
    "a credential in a credential": (b"/", JSON | {b"authorization": V4 + fill(b"Credential=", 2000) + b" "}, b"{}"),
    "and nothing to do": (b"/", {b"authorization": V4 + fill(b"Signature=a", WHOLE_HEAD) + b" "}, b""),
    "and a form": (b"/", FORM | {b"authorization": V4 + fill(b"SignedHeaders=", WHOLE_HEAD) + b" "}, b"Action=a"),
    "blanks": (b"/", JSON | {b"x": fill(b" a", WHOLE_HEAD)} | signed(signed="host;x;x-amz-date"), b""),
    "an operation": (b"/", {b"x-amz-target": b"TrentService." + fill(b"A", WHOLE_HEAD)}, b""),
}


@pytest.fixture(scope="module")
def stack() -> harness.Stack:
    return harness.stack()


@pytest.mark.parametrize("what", ASKED)
def test_row_66_a_stranger_costs_less_than_a_millisecond(stack, what) -> None:
    target, headers, body = ASKED[what]
    plain = stack.request("POST", "https://kms.test/", {b"host": b"kms.test", **headers}, body)
    request = replace(plain, target=target)
    stack.forget_records()
    replies: list[bytes] = []
    assert cost(lambda: replies.append(stack.serve(request)), AGAIN) < MOST
    assert {harness.Reply.of(reply).status for reply in replies} <= {400, 403}
    assert [parse(line).outcome.partition(":")[0] for line in stack.journal.lines] == ["refused"] * AGAIN
