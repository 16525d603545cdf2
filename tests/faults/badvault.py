# ruff: noqa: E501 - tables
"""Malformed requests to the Vault door from a seed: methods, paths, headers, JSON, sizes, chunks.

As tests.faults.badinput, without what is AWS's: each has a name, and is the bytes of one request.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from keystead.doors.vault import DOOR
from keystead.doors.vault.endpoint import Endpoint

AT = {"system": "sys/", "token": "auth/token/", "userpass": "auth/userpass/", "approle": "auth/approle/"}
AT |= {"kv": "kv2/", "kv_v2": "kv2/", "kv-v2": "kv2/", "transit": "transit/", "cubbyhole": "cubbyhole/"}
ENDPOINTS = [one for one in DOOR.operations if isinstance(one, Endpoint)]
METHODS = (b"GET", b"PUT", b"POST", b"LIST", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS", b"TRACE", b"get", b"BREW", b"")
WORDS = (
    "a",
    "..",
    ".",
    "",
    "%00",
    "%ff",
    "%2e%2e",
    "%2F",
    "é",
    "a" * 3000,
    "+",
    "*",
    "token",
    "?list=true",
    "a?b=%",
    "%",
)
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 10**40, 1.5, "", "x", "1h", "-1h", "\0", "a" * 20_000, [], {}, [[]], ["a", 1], {"a": {}},
    {"a": None}, "vault:v1:AAAA", "=", "é" * 300, "../x", "true",
)  # fmt: skip
Headers = list[tuple[bytes, bytes]]


class BadVaultInput:
    """`token`: a good one, for what has to get past it."""

    def __init__(self, address: str, token: str, seed: int) -> None:
        self._host, self._token, self._random = address.encode(), token.encode(), random.Random(seed)

    def one(self) -> tuple[str, bytes]:
        """(what it is, the bytes)"""
        kind = self._random.choice(KINDS)
        return kind.__name__, kind(self)

    # --- parts

    def _wire(
        self, line: bytes, body: bytes = b"", *more: tuple[bytes, bytes], token: bytes | None = None, sized: bool = True
    ) -> bytes:
        headers: Headers = [(b"Host", self._host), (b"X-Vault-Token", self._token if token is None else token), *more]
        if sized:
            headers.append((b"Content-Length", b"%d" % len(body)))
        return line + b" HTTP/1.1\r\n" + b"".join(b"%b: %b\r\n" % pair for pair in headers) + b"\r\n" + body

    def _path(self) -> bytes:
        """That of some operation, with odd words in it; never of what changes the token or the mounts that it needs."""
        pick = self._random.choice
        at = pick(
            [one for one in ENDPOINTS if not {"revoke-self", "mounts", "auth", "remount"} & set(one.path.split("/"))]
        )
        parts = [pick(WORDS) if part.startswith("{") else part.rstrip("?") for part in at.path.split("/")]
        return b"/v1/" + (AT.get(at.engine, at.engine + "/") + "/".join(parts)).encode()

    def _method(self) -> bytes:
        return self._random.choice((b"GET", b"PUT", b"POST", b"LIST", b"DELETE"))

    def _junk(self, n: int) -> bytes:
        return self._random.randbytes(self._random.randrange(1, n))

    # --- the request line

    def noise(self) -> bytes:
        return self._junk(400) + b"\r\n\r\n"

    def odd_method(self) -> bytes:
        return self._wire(self._random.choice(METHODS) + b" " + self._path(), b"{}")

    def odd_path(self) -> bytes:
        words = [self._random.choice(WORDS).encode() for _ in range(self._random.randrange(1, 6))]
        return self._wire(self._method() + b" /v1/" + b"/".join(words), b"{}")

    def junk_path(self) -> bytes:
        raw = self._junk(60).replace(b" ", b"").replace(b"\r", b"").replace(b"\n", b"")
        return self._wire(b"GET /v1/" + raw)

    def elsewhere(self) -> bytes:
        paths = (b"/", b"*", b"/v2/sys/health", b"http://other/v1/sys/health", b"//v1/sys", b"/v1", b"/ui/", b"")
        return self._wire(b"GET " + self._random.choice(paths))

    def odd_query(self) -> bytes:
        queries = (
            b"list=maybe",
            b"list=true&list=false",
            b"&" * 3000,
            b"a=%",
            b"%ff=1",
            b"a;b",
            b"version=x",
            b"=",
            b"help=1",
        )
        return self._wire(b"GET " + self._path().partition(b"?")[0] + b"?" + self._random.choice(queries))

    # --- headers

    def odd_token(self) -> bytes:
        tokens = (
            b"",
            b"x",
            b"hvs." + b"A" * 40,
            self._junk(30).hex().encode(),
            b"\xff\xfe",
            b"hvs." + b"x" * 5000,
            b"\t",
        )
        return self._wire(self._method() + b" " + self._path(), b"{}", token=self._random.choice(tokens))

    def odd_header(self) -> bytes:
        headers = (
            (b"X-Vault-Wrap-TTL", self._random.choice((b"x", b"-1", b"1e9", b"99999999h", b"", b"1.5s", b"\xff"))),
            (b"X-Vault-Namespace", self._random.choice((b"a", b"../", b"\xff", b"root/x"))),
            (b"Authorization", self._random.choice((b"Bearer", b"Bearer  x", b"Basic eA==", b"Bearer " + b"x" * 3000))),
            (
                b"Content-Type",
                self._random.choice((b"", b"text/xml", b"application/json; charset=\xff", b"a/b;" + b";" * 999)),
            ),
            (b"Content-Encoding", b"gzip"),
            (b"X-Vault-Token", self._token),
            (b"a b", b"c"),
            (b"X-Long", b"v" * self._random.randrange(100, 100_000)),
        )
        return self._wire(self._method() + b" " + self._path(), b"{}", self._random.choice(headers))

    def many_headers(self) -> bytes:
        return self._wire(
            b"GET " + self._path(), b"", *((b"X-%d" % n, b"v") for n in range(self._random.randrange(90, 2000)))
        )

    # --- framing

    def odd_length(self) -> bytes:
        length = self._random.choice(
            (b"-1", b"0x10", b"1e3", b"99999999999999999999", b"5,5", b"", b"1048577", b"40000000")
        )
        return self._wire(b"POST " + self._path(), b"{}" * 50, (b"Content-Length", length), sized=False)

    def odd_chunks(self) -> bytes:
        chunks = self._random.choice(
            (b"2\r\n{}\r\n0\r\n\r\n", b"zz\r\n{}\r\n", b"-1\r\n", b"ffffffffffffffff\r\n{}", b"2\r\n{}0\r\n\r\n", b"5\r\n{}\r\n0\r\n\r\n",
             b"".join(b"1\r\n \r\n" for _ in range(2000)) + b"0\r\n\r\n", b"2;" + b"x" * 9000 + b"\r\n{}\r\n0\r\n\r\n")
        )  # fmt: skip
        more = ((b"Transfer-Encoding", self._random.choice((b"chunked", b"gzip, chunked", b"x"))),)
        both = ((b"Content-Length", b"2"),) if self._random.random() < 0.2 else ()
        return self._wire(b"POST " + self._path(), chunks, *more, *both, sized=False)

    def cut_short(self) -> bytes:
        whole = self._wire(b"POST " + self._path(), json.dumps({"a": "b" * 100}).encode())
        return whole[: self._random.randrange(10, len(whole))]

    # --- bodies

    def bomb(self) -> bytes:
        n = self._random.randrange(100, 60_000)
        body = self._random.choice(
            (b"[" * n, b'{"a":' * n, b'{"a":[' + b"{}," * n + b"{}]}", b'{"a":"' + b"\\u0041" * n + b'"}', b'{"a":' + b"1" * n + b"}",
             b"{" + b",".join(b'"%d":1' % i for i in range(n // 5)) + b"}", b'{"data":' + b'{"a":' * 90 + b"1" + b"}" * 91)
        )  # fmt: skip
        return self._wire(b"POST " + self._path(), body[:900_000])

    def not_json(self) -> bytes:
        body = self._random.choice(
            (b"null", b"[]", b"{", b'{"a":}', b"\xff\xfe", b'{"a":"\\ud800"}', b'{"a":NaN}', b'{"a":1,"a":2}', b"\xef\xbb\xbf{}",
             b'{"a":1e999}', b"{}{}", b"a=b", b'{"data":5}', b'{"policy":"path"}', b'"x"', self._junk(200))
        )  # fmt: skip
        return self._wire(b"POST " + self._path(), body)

    def wrong_types(self) -> bytes:
        endpoint = self._random.choice([one for one in ENDPOINTS if one.verb.value == "write"])
        names = (*endpoint.request.__struct_encode_fields__, "data", "options", "batch_input", "other")
        members = {name: self._random.choice(ODD) for name in names if self._random.random() < 0.5}
        return self._wire(b"POST " + self._path().partition(b"?")[0], json.dumps(members).encode())

    def huge_body(self) -> bytes:
        return self._wire(
            b"POST " + self._path(), b'{"a":"' + b"x" * self._random.randrange(900_000, 3_000_000) + b'"}'
        )


KINDS: tuple[Callable[[BadVaultInput], bytes], ...] = tuple(
    member
    for name, member in vars(BadVaultInput).items()
    if callable(member) and not name.startswith("_") and name != "one"
)
