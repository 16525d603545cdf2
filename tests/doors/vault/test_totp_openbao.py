"""totp beside a real OpenBao: the same requests to both; and its OpenAPI document."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import get_type_hints

import pytest
from tests.doors.vault.conftest import mounted
from tests.openbao import OpenApi, openbao

from keystead.doors.vault import totp
from keystead.kit.routes import captures
from keystead.wire.vault.reader import kind_of

pytestmark = pytest.mark.client
SECRET = "JBSWY3DPEHPK3PXP"
GOOD = f"otpauth://totp/Google:test@gmail.com?secret={SECRET}&issuer=Vault&period=60&digits=8&algorithm=SHA256"
ANSWERED = {"code", "generated", "expire_time", "period"}  # documented as parameters
STEPS = [
    ("LIST", "keys", {}),
    ("GET", "keys/x", {}),
    ("GET", "code/x", {}),
    ("POST", "code/x", {"code": "123456"}),
    ("POST", "code/x", {}),
    ("DELETE", "keys/x", {}),
    ("POST", "keys/a", {"generate": True, "issuer": "I", "account_name": "acc"}),
    ("POST", "keys/a", {"generate": True, "issuer": "I", "account_name": "acc", "qr_size": 0, "digits": 8}),
    ("POST", "keys/a", {"generate": True, "issuer": "I: x", "account_name": "a b@c/é", "qr_size": 0, "period": "1m"}),
    ("GET", "keys/a", {}),
    ("POST", "keys/b", {"generate": True, "issuer": "I", "account_name": "acc", "exported": False}),
    ("POST", "keys/b", {"generate": True, "issuer": "I", "account_name": "acc", "qr_size": -1}),
    ("POST", "keys/b", {"generate": True, "issuer": "I"}),
    ("POST", "keys/b", {"generate": True, "account_name": "I"}),
    ("POST", "keys/b", {"generate": True, "key": "A"}),
    ("POST", "keys/b", {"generate": True, "url": "A"}),
    ("POST", "keys/b", {}),
    ("POST", "keys/b", {"key": "!!"}),
    ("POST", "keys/b", {"key": "A"}),
    ("POST", "keys/b", {"key": "AAAA1AAA"}),
    ("POST", "keys/b", {"key": SECRET}),
    ("GET", "keys/b", {}),
    ("POST", "keys/b", {"key": SECRET.lower(), "digits": 7}),
    ("POST", "keys/b", {"key": SECRET.lower(), "algorithm": "MD5"}),
    ("POST", "keys/b", {"key": SECRET.lower(), "period": 0}),
    ("POST", "keys/b", {"key": SECRET.lower(), "skew": 2}),
    ("POST", "keys/b", {"key": SECRET.lower(), "key_size": 0}),
    ("POST", "keys/b", {"key": f"{SECRET}===="}),
    ("POST", "keys/b", {"key": SECRET.lower(), "period": "1h30m"}),
    ("GET", "keys/b", {}),
    ("POST", "keys/u", {"url": GOOD}),
    ("GET", "keys/u", {}),
    ("POST", "keys/u", {"url": f"otpauth://totp/a?secret={SECRET}&period=x"}),
    ("POST", "keys/u", {"url": f"otpauth://totp/a?secret={SECRET}&digits=x"}),
    ("POST", "keys/v", {"url": f"otpauth://totp/acc?secret={SECRET}", "issuer": "beside"}),
    ("GET", "keys/v", {}),
    ("POST", "keys/w", {"url": f"otpauth://totp/Iss%20uer:acc%3Ax?secret={SECRET}"}),
    ("GET", "keys/w", {}),
    ("POST", "keys/u", {"url": "%zz"}),
    ("POST", "keys/u3", {"url": "x"}),
    ("POST", "code/u", {}),
    ("POST", "code/u", {"code": "1"}),
    ("POST", "code/u", {"code": " 1234567"}),
    ("POST", "code/u", {"code": "abcdefgh"}),
    ("LIST", "keys", {}),
    ("GET", "keys?list=true&after=b&limit=1", {}),
    ("POST", "keys/x@y", {"key": SECRET}),
    ("POST", "keys/-x", {"key": SECRET}),
    ("DELETE", "keys/a", {}),
    ("GET", "keys/a", {}),
]


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    with openbao(tmp_path_factory.mktemp("openbao")) as peer:
        yield peer


@pytest.fixture(scope="module")
def ours():
    bearer = mounted().bearer()
    assert bearer.ask("POST", "sys/mounts/totp", {"type": "totp"}).status == 204
    return bearer


def blanked(data):
    if isinstance(data, dict):
        data = {k: v for k, v in data.items() if k != "barcode"} | ({"barcode": "…"} if "barcode" in data else {})
        if "url" in data:
            data["url"] = data["url"].partition("&secret=")[0]
    return data


def test_both_answer_alike(peer, ours):
    differing = []
    for method, path, fields in STEPS:
        body = json.dumps(fields).encode() if method == "POST" else b""
        mine = ours.send(method, f"totp/{path}", body)
        status, _, answer = peer.ask(method, f"/v1/totp/{path}", body)
        said = [json.loads(one) if one else {} for one in (mine.body, answer)]
        told = [(blanked(one.get("data")), one.get("errors"), one.get("warnings")) for one in said]
        if (mine.status, told[0]) != (status, told[1]):
            differing.append(f"{method} {path} {fields}\n  ours   {mine.status} {told[0]}\n  theirs {status} {told[1]}")
    assert not differing, f"{len(differing)} of {len(STEPS)}:\n" + "\n".join(differing)


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "SHA512"])
def test_a_code_of_the_one_is_valid_at_the_other(peer, ours, algorithm):
    fields = {"key": SECRET, "algorithm": algorithm, "digits": 8}
    ours.stack.clock.forward(datetime.now(UTC) - ours.stack.clock.now())
    bearer = ours.stack.bearer()
    bearer.data("POST", f"totp/keys/c-{algorithm}", **fields)
    peer.json("POST", f"totp/keys/c-{algorithm}", fields)
    code = bearer.data("GET", f"totp/code/c-{algorithm}")["code"]
    assert peer.json("POST", f"totp/code/c-{algorithm}", {"code": code})["data"] == {"valid": True}
    theirs = peer.json("GET", f"totp/code/c-{algorithm}")["data"]["code"]
    assert bearer.data("POST", f"totp/code/c-{algorithm}", code=theirs) == {"valid": True}


@pytest.mark.parametrize("operation", totp.OPERATIONS, ids=lambda op: op.name)
def test_parameters_are_those_of_the_document(peer, operation):
    said = OpenApi(peer.openapi()).at(operation.method, f"totp/{operation.path.removesuffix('/?')}")
    hints = get_type_hints(operation.request, include_extras=True)
    fields = {name: kind_of(hint) for name, hint in hints.items() if name in operation.request.__struct_fields__}
    unknown = set(fields) - set(said.parameters) - captures(operation.path)
    assert not unknown
    assert set(said.parameters) - set(fields) <= (
        {"generated", "expire_time", "period"} if "code" in operation.path else set()
    )
    for name, kind in fields.items():
        if name in said.parameters:
            assert kind in said.parameters[name].kinds, (name, kind)
    assert operation.creates == said.asks_existence and operation.sudo == said.needs_sudo
