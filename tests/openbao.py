"""A real OpenBao beside the tests: a server with everything mounted, raw requests to it, and its own OpenAPI document.

with openbao(directory) as peer:
    status, headers, body = peer.ask("PUT", "/v1/transit/keys/app", b"{}")
    document = OpenApi(peer.openapi())
    document.at("write", "transit/encrypt/{name}").parameters["plaintext"].place  # "body"
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.peers import OpenBao
from msgspec import Struct

from keystead.wire.vault.kinds import Kind

SECRETS = {"kv": "kv", "kv2": "kv-v2", "totp": "totp", "pki": "pki", "ssh": "ssh", "database": "database"}
LOGINS = ("approle", "userpass", "cert", "jwt", "kubernetes")


class Peer:
    """One server, asked over one connection, byte for byte."""

    def __init__(self, address: tuple[str, int], token: str) -> None:
        self._address, self.token = address, token
        self._socket: socket.socket | None = None

    def ask(
        self, method: str, target: bytes | str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body). `headers` stand beside token and length; {"X-Vault-Token": ""} takes one away."""
        lines = {"Host": "bao", "X-Vault-Token": self.token, **(headers or {})}
        if body or method in {"POST", "PUT", "PATCH"}:
            lines["Content-Length"] = str(len(body))
        raw = target.encode() if isinstance(target, str) else target
        head = method.encode() + b" " + raw + b" HTTP/1.1\r\n"
        head += b"".join(f"{name}: {value}\r\n".encode() for name, value in lines.items() if value)
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=60)
        self._socket.sendall(head + b"\r\n" + body)
        reply = http.client.HTTPResponse(self._socket, method=method)
        try:
            reply.begin()
        except http.client.RemoteDisconnected:
            self.close()
            raise
        answer = reply.read()
        if reply.will_close:
            self.close()
        return reply.status, dict(reply.getheaders()), answer

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of a request that is to succeed; None for an empty one."""
        status, _, answer = self.ask(method, f"/v1/{path}", b"" if body is None else json.dumps(body).encode())
        assert status in {200, 204}, (method, path, status, answer)
        return json.loads(answer) if answer else None

    def openapi(self) -> dict[str, Any]:
        return self.json("GET", "sys/internal/specs/openapi")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@contextmanager
def openbao(directory: Path) -> Iterator[Peer]:
    """A server whose root token `peer` holds, with the mounts that a door has, by the names of their types."""
    with OpenBao("bao", directory / "bao", os.sched_getaffinity(0), audited=False) as server:
        peer = Peer(server.address, server.vault.token)
        for path, kind in SECRETS.items():
            peer.json("POST", f"sys/mounts/{path}", {"type": kind})
        for kind in LOGINS:
            peer.json("POST", f"sys/auth/{kind}", {"type": kind})
        yield peer
        peer.close()


# --- the document

# (type, format, type of the items) -> the kinds that the document tells no further apart
_KINDS = {
    ("string", "", ""): {Kind.TEXT, Kind.LOWER},
    ("string", "lowercase", ""): {Kind.LOWER},
    ("string", "date-time", ""): {Kind.TIME},
    ("boolean", "", ""): {Kind.BOOL},
    ("integer", "", ""): {Kind.INT},
    ("integer", "int64", ""): {Kind.INT},
    ("integer", "seconds", ""): {Kind.DURATION, Kind.SIGNED},
    ("number", "float", ""): {Kind.FLOAT},
    ("array", "", "string"): {Kind.COMMA_STRINGS, Kind.STRINGS},
    ("array", "", "integer"): {Kind.COMMA_INTS},
    ("array", "", "object"): {Kind.LIST},
    ("object", "map", ""): {Kind.MAP, Kind.HEADER},
    ("object", "kvpairs", ""): {Kind.PAIRS},
}


METHODS = {"read": "get", "list": "get", "write": "post", "delete": "delete", "patch": "patch"}


class Parameter(Struct, frozen=True):
    """One parameter: where it stands ("path", "query", "body"), and the kinds it may be declared as."""

    name: str
    place: str
    kinds: frozenset[Kind]
    required: bool


class Documented(Struct, frozen=True):
    """What the document says of one operation."""

    parameters: Mapping[str, Parameter]
    needs_sudo: bool
    is_open: bool  # to callers without a token
    asks_existence: bool  # create or update, by what is there; and a FieldError without the prefix VALIDATION


class OpenApi:
    """The OpenAPI document of a server, asked by method and template as kit.routes has them."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._schemas = document["components"]["schemas"]
        self._paths = {_normal(path): item for path, item in document["paths"].items()}
        self._templates = [path.removeprefix("/").removesuffix("/?").removesuffix("/") for path in document["paths"]]

    def at(self, method: str, template: str) -> Documented:
        """Raises KeyError for what is not documented. Captures may have names of their own."""
        shape, names = _normal(template), re.findall(r"\{(\w+)", template)
        item = self._paths[shape]
        operation = item[METHODS[method]]
        found = [self._parameter(p["name"], p["in"], p["schema"], p) for p in item.get("parameters", ())]
        found += [self._parameter(p["name"], p["in"], p["schema"], p) for p in operation.get("parameters", ())]
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        schema = self._resolved(body)
        for name, its in schema.get("properties", {}).items():
            found.append(self._parameter(name, "body", its, {"required": name in schema.get("required", ())}))
        parameters = {p.name: p for p in found if not (method == "list" and p.name == "list")}
        assert set(names) <= parameters.keys(), f"{template} captures what the document calls otherwise"
        return Documented(
            parameters,
            bool(item.get("x-vault-sudo")),
            bool(item.get("x-vault-unauthenticated")),
            bool(item.get("x-vault-createSupported")),
        )

    def templates(self) -> list[str]:
        """Every path there is, as the document writes it, without the slash that it begins with."""
        return sorted(self._templates)

    def methods(self, template: str) -> Iterator[str]:
        """What may be asked of a path, by methods of HTTP in lower case."""
        return (method for method in self._paths[_normal(template)] if method in set(METHODS.values()))

    def operations(self) -> Iterator[tuple[str, str]]:
        """Every (method of HTTP, path) there is."""
        for path, item in self._paths.items():
            yield from ((method, path) for method in item if method in set(METHODS.values()))

    def _parameter(self, name: str, place: str, schema: Mapping[str, Any], more: Mapping[str, Any]) -> Parameter:
        schema = self._resolved(schema)
        shape = (schema["type"], schema.get("format", ""), schema.get("items", {}).get("type", ""))
        return Parameter(name, place, frozenset(_KINDS[shape]), bool(more.get("required")))

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        return schema


def _normal(path: str) -> str:
    """A path of the document, or a template of kit.routes, with its captures left nameless."""
    return re.sub(r"\{[^}]*\}", "{}", path.removeprefix("/").removesuffix("/?").removesuffix("/"))
