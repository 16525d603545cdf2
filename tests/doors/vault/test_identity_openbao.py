"""Identity beside a real OpenBao: the same requests to both, and their answers compared field by field.

Each server makes its own ids and tokens: what a line keeps is known by a name in what is compared. What cannot be the
same is blanked: times, ids that nobody keeps, names made up by the server.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests import vaultstack
from tests.openbao import openbao

pytestmark = pytest.mark.client
HERE = Path(__file__).parent
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MADE_UP = re.compile(r"\b(entity|group)_[0-9a-f]{8}(\.root)?")  # OpenBao adds its namespace
TIMES = {"creation_time", "last_update_time", "issue_time", "expire_time", "last_renewal", "last_renewal_time", "ttl"}
BLANKED = TIMES | {"accessor", "client_token", "modify_index", "lease_duration", "secret_id_accessor"}
EMPTY = {"custom_metadata", "member_entity_ids"}  # nothing is written in two ways


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    with openbao(tmp_path_factory.mktemp("openbao")) as peer:
        yield peer


def script(name: str) -> list[tuple[int, bool, str, str, str, str, dict[str, str]]]:
    """[(line, whether it is to differ, whose token, method, path, body, what to keep)]"""
    steps = []
    for n, line in enumerate((HERE / name).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith(" "):
            key, _, path = line.strip().partition(" = ")
            steps[-1][6][key] = path
            continue
        request = line.removeprefix("!")
        whose, request = request[1:].split(" ", 1) if request.startswith("@") else ("", request)
        method, path, body = (*request.split(" ", 2), "")[:3]
        steps.append((n, line.startswith("!"), whose, method, path, body, {}))
    return steps


class Side:
    def __init__(self, send) -> None:
        self._send, self.kept = send, {}

    def ask(self, whose: str, method: str, path: str, body: str, keep: dict[str, str]):
        status, answer = self._send(self.kept.get(whose, ""), method, self._filled(path), self._filled(body))
        said = json.loads(answer) if answer else {}
        for key, at in keep.items():
            value = said
            for part in at.split("."):
                value = value[int(part)] if isinstance(value, list) else value[part]
            self.kept[key] = str(value)
        told = {name: said.get(name) for name in ("data", "auth", "errors", "warnings")}
        return status, self._known(told) if not path.startswith("sys/auth") else None

    def _filled(self, text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda m: self.kept.get(m[1], m[0]), text)

    def _text(self, text: str) -> str:
        for name, value in self.kept.items():
            text = text.replace(value, f"{{{name}}}") if len(value) > 8 else text
        return MADE_UP.sub(r"a \1's name", UUID.sub("a uuid", text))

    def _known(self, value: Any, name: str = "") -> Any:
        """What is left to compare."""
        if name in EMPTY and not value:
            return None
        if isinstance(value, dict) and name == "key_info":
            return sorted(str(self._known(one)) for one in value.values())
        if isinstance(value, dict):
            return {self._text(k): self._known(v, k) for k, v in sorted(value.items())}
        if isinstance(value, list):
            return sorted((self._known(one, name) for one in value), key=str)
        if name in BLANKED:
            return f"a {name}" if value is not None else None
        return self._text(value) if isinstance(value, str) else value


def sides(peer):
    vault = vaultstack.door()
    for engine in ("userpass", "approle"):
        vault.root.data("POST", f"sys/auth/{engine}", {"type": engine})

    def ours(token, method, path, body):
        bearer = vaultstack.Bearer(vault.stack, token or vault.root.text)
        reply = bearer(method, path, json.loads(body) if body else None)
        return reply.status, reply.body

    def theirs(token, method, path, body):
        headers = {"X-Vault-Token": token} if token else {}
        headers |= {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
        status, _, answer = peer.ask(method, f"/v1/{path}", body.encode(), headers)
        return status, answer

    return Side(ours), Side(theirs)


@pytest.mark.parametrize("name", ["identity.txt"])
def test_both_answer_alike(peer, name):
    ours, theirs = sides(peer)
    differing = []
    steps = script(name)
    for n, meant, whose, method, path, body, keep in steps:
        mine, other = (side.ask(whose, method, path, body, keep) for side in (ours, theirs))
        if (mine == other) is meant:
            differing.append(f"{name}:{n} {method} {path} {body[:200]}\n  ours   {mine}\n  theirs {other}")
    assert not differing, f"{len(differing)} of {len(steps)} differ:\n" + "\n".join(differing)
    assert len(steps) > 40
