"""Transit beside a real OpenBao: the same requests to both, and their answers compared field by field.

Each server makes its own keys, so what it makes is put into the later requests to it by name: a line `name = path`
below a request keeps that member of its data, `{name}` stands for it afterwards. What cannot be the same is blanked:
what a cipher makes, times, public keys, random bytes.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.doors.vault import parcels
from tests.doors.vault.conftest import mounted
from tests.openbao import openbao

pytestmark = pytest.mark.client
HERE = Path(__file__).parent
TABLES = ["transit_keys.txt", "transit_cipher.txt", "transit_sign.txt", "transit_tools.txt", "transit_more.txt"]
TABLES += ["transit_derived.txt"]
PEERS = {
    name: parcels.pair(kind) for name, kind in (("peer", "ecdsa-p256"), ("p384", "ecdsa-p384"), ("rsa", "rsa-2048"))
}
OPAQUE = re.compile(r"^(vault:v-?\d+:).+$", re.DOTALL)
GONE = {"backup_info", "restore_info"}  # SPEC.md
VARYING = {"csr", "public_key", "publickey", "random_bytes", "creation_time", "backup"}


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    with openbao(tmp_path_factory.mktemp("openbao")) as peer:
        yield peer


def script(name: str) -> list[tuple[int, str, str, str, dict[str, str]]]:
    """[(line, method, path, body, what to keep)]; a "!" before the method is a difference that is meant."""
    steps = []
    for n, line in enumerate((HERE / name).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith(" "):
            key, _, path = line.strip().partition(" = ")
            steps[-1][4][key] = path
            continue
        method, path, body = (*line.split(" ", 2), "")[:3]
        steps.append((n, method, path, body, {}))
    return steps


def blanked(value, name=""):
    """What is left to compare."""
    if isinstance(value, dict):
        return {k: blanked(v, "version" if name == "keys" else k) for k, v in value.items() if k not in GONE}
    if isinstance(value, list):
        return [blanked(one, name) for one in value]
    if (name == "version" and isinstance(value, int)) or (name in VARYING and value):
        return f"a {name}"
    if isinstance(value, str):
        return OPAQUE.sub(r"\1…", value.replace(" (prior to the OpenBao fork)", ""))
    return value


def filled(text: str, kept: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda m: kept.get(m[1], m[0]), text)


class Side:
    def __init__(self, send) -> None:
        self._send = send
        self.same_material = False  # what is exported is told to the letter
        self.kept = {name: parcels.public_pem(key).replace("\n", "\\n") for name, key in PEERS.items()}

    def ask(self, method, path, body, keep):
        status, answer = self._send(method, filled(path, self.kept), filled(body, self.kept).encode())
        said = json.loads(answer) if answer else {}
        for key, at in keep.items():
            value = said["data"]
            for part in at.split("."):
                value = value[int(part)] if isinstance(value, list) else value[part]
            self.kept[key] = str(value)
        data = blanked(said.get("data"))
        if path.startswith("transit/export") and data and not self.same_material:
            data["keys"] = {n: (text.split("-----")[1:2], len(text) > 40) for n, text in data["keys"].items()}
        if path.startswith("transit/datakey/plaintext"):
            self.kept["datakey"] = data.pop("plaintext") if data else ""
        return status, data, blanked(said.get("errors")), blanked(said.get("warnings"))


def sides(peer):
    """Both with nothing in them."""
    peer.json("DELETE", "sys/mounts/transit")
    peer.json("POST", "sys/mounts/transit", {"type": "transit"})
    bearer = mounted().bearer()

    def ours(method, path, body):
        reply = bearer.send(method, path, body)
        return reply.status, reply.body

    def theirs(method, path, body):
        status, _, answer = peer.ask(method, f"/v1/{path}", body)
        return status, answer

    return Side(ours), Side(theirs)


@pytest.mark.parametrize("name", TABLES)
def test_both_answer_alike(peer, name):
    ours, theirs = sides(peer)
    differing = []
    steps = script(name)
    for n, verb, path, body, keep in steps:
        meant, method = verb.startswith("!"), verb.removeprefix("!")
        mine, other = ours.ask(method, path, body, keep), theirs.ask(method, path, body, keep)
        if (mine == other) is meant:
            differing.append(f"{name}:{n} {method} {path} {body[:200]}\n  ours   {mine}\n  theirs {other}")
    assert not differing, f"{len(differing)} of {len(steps)} differ:\n" + "\n".join(differing)
    assert len(steps) > 40
