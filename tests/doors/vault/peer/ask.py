"""One request that goes to two servers, and what of an answer can be compared.

Each server makes its own tokens, accessors and ids: `keep` puts a member of an answer by under a name, and `{name}` in
a later path, body or token stands for it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
LATE = re.compile(r'"(\d+)h(5\d)m(\d+)s"')
"""A time that may have run for some seconds already."""
UNTRUE = re.compile(r'TTL of "(\w+)" exceeded the effective max_ttl of "\1"')
NAMES = {"OpenBao CLI": "Vault CLI", "'bao kv": "'vault kv", "OpenBao's server log": "the server log"}

MADE = frozenset(
    {"request_id", "accessor", "client_token", "token", "id", "wrapped_accessor", "uuid", "secret_id", "migration_id",
     "secret_id_accessor", "role_id", "random_bytes", "creation_time", "last_renewal_time", "cluster_id", "entity_id",
     "nonce", "otp", "verification_nonce"}
)  # fmt: skip
"""Members that each server makes for itself: whether there is one is compared, and of what type."""
LEFT = frozenset({"ttl", "lease_duration", "secret_id_ttl", "creation_ttl"})
"""Seconds that run while a test does: compared to ten, or to as many as it has run for."""
OPENBAOS = frozenset(
    {"current_metadata_version", "metadata_cas_required", "mount_type", "deprecation_status", "running_plugin_version",
     "running_sha256", "soft_deleted"}
)  # fmt: skip
"""Members that are OpenBao's alone, or about plugins, which there are none of here (SPEC.md)."""
OF_POLICIES = frozenset(
    {
        "modified",
        "version",
        "cas_required",
        "allow_slashes_in_identity_templates",
        "allow_wildcards_in_identity_templates",
    }
)
"""Members that OpenBao has of a policy, and Vault has not."""


class Left(int):
    """Seconds, to ten. `exact`: as they were said; `of`: how long the servers have been asked by then."""

    def __new__(cls, exact: int, of: float) -> Left:
        made = super().__new__(cls, -(-exact // 10) * 10)
        made.exact, made.of = exact, of
        return made

    def __eq__(self, other: object) -> bool:
        if int(self) == other:
            return True
        return isinstance(other, Left) and abs(self.exact - other.exact) <= max(self.of, other.of)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = int.__hash__


class Ask(Struct, frozen=True):
    """`token`: the name it is kept under; "" for none. `body`: bytes go as they are, anything else as JSON."""

    method: str
    path: str
    body: Any = None
    token: str = "root"
    headers: Mapping[str, str] = {}
    keep: Mapping[str, str] = {}

    @property
    def raw(self) -> bytes:
        if self.body is None or isinstance(self.body, bytes):
            return self.body or b""
        return json.dumps(self.body, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def line(self) -> str:
        """How a table of differences names it."""
        by = "" if self.token == "root" else f" by {self.token or 'nobody'}"
        more = "".join(f" {name}={value}" for name, value in self.headers.items())
        return f"{self.method} {self.path} {self.raw.decode(errors='replace')}".rstrip() + by + more


Send = Callable[[str, str, bytes, Mapping[str, str]], tuple[int, Mapping[str, str], bytes]]
"""(method, path below /v1/, body, headers) -> (status, headers, body)"""


class Side:
    """One of the two servers, and what was kept of its answers."""

    def __init__(self, send: Send, root: str) -> None:
        self._send, self.kept = send, {"root": root, "": ""}
        self._began = time.monotonic()

    def ask(self, one: Ask) -> tuple[int, Any]:
        """(status, what can be compared)"""
        headers = {name: self._filled(value) for name, value in one.headers.items()}
        headers = {"X-Vault-Token": self.kept.get(one.token, ""), **headers}
        status, _, answer = self._send(one.method, self._filled(one.path), self._filled(one.raw), headers)
        said = _read(answer)
        for name, at in one.keep.items():
            self.kept[name] = str(_member(said, at))
        if one.path.startswith("sys/polic") and isinstance(said, dict):
            for at in (said, said.get("data") or {}):
                for name in OF_POLICIES & at.keys():
                    del at[name]
        return status, self.comparable(said)

    def _filled(self, text: Any) -> Any:
        if isinstance(text, bytes):
            return self._filled(text.decode("latin-1")).encode("latin-1")
        return re.sub(r"\{(\w+)\}", lambda m: self.kept.get(m[1], m[0]), text)

    def comparable(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {self._said(k): self.comparable(v, k) for k, v in value.items() if k not in OPENBAOS}
        if name == "warnings" and value:
            said = [self._said(one) for one in value]
            return [one for one in said if not UNTRUE.match(one)] or None
        if isinstance(value, list):
            return [self.comparable(one, name) for one in value]
        if name in MADE and value:
            return f"some {type(value).__name__}"
        return self._said(value) if isinstance(value, str) else self._steady(value, name)

    def _said(self, text: str) -> str:
        """Without what each has made for itself, and times."""
        for name, made in self.kept.items():
            if len(made) > 8:
                text = text.replace(made, f"{{{name}}}")
        for theirs, ours in NAMES.items():
            text = text.replace(theirs, ours)
        return TIME.sub("a time", LATE.sub(self._whole, text))

    def _whole(self, late: re.Match[str]) -> str:
        """The hours that it had when it was made, if it has not run for longer than the test."""
        hours, minutes, seconds = map(int, late.groups())
        has_run = 3600 - 60 * minutes - seconds
        return f'"{hours + 1}h"' if has_run <= max(10.0, time.monotonic() - self._began) else late[0]

    def _steady(self, value: Any, name: str) -> Any:
        """A value that is no text, without what a clock has done to it."""
        if type(value) is int and value > 1_600_000_000:
            return "a time"
        return Left(value, time.monotonic() - self._began) if name in LEFT and type(value) is int else value


def _read(answer: bytes) -> Any:
    try:
        return json.loads(answer) if answer else None
    except ValueError:  # a redirect's page, or a refusal of the HTTP server's own
        return "a text"


def _member(said: Any, at: str) -> Any:
    for part in at.split("."):
        said = said[int(part)] if isinstance(said, list) else said.get(part, "") if said else ""
    return said


# --- short ways of saying it


def get(path: str, **more: Any) -> Ask:
    return Ask("GET", path, **more)


def put(path: str, body: Any = None, **more: Any) -> Ask:
    return Ask("PUT", path, body, **more)


def post(path: str, body: Any = None, **more: Any) -> Ask:
    return Ask("POST", path, body, **more)


def delete(path: str, body: Any = None, **more: Any) -> Ask:
    return Ask("DELETE", path, body, **more)


def listed(path: str, **more: Any) -> Ask:
    return Ask("LIST", path, **more)


def wrap(ttl: str, one: Ask) -> Ask:
    return Ask(one.method, one.path, one.body, one.token, {**one.headers, "X-Vault-Wrap-TTL": ttl}, one.keep)
