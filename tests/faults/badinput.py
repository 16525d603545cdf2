"""Malformed requests from a seed: framing, JSON, SigV4, types, sizes. Each has a name and is the bytes of one."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from tests.wireclient import WireClient

OPERATIONS = ("Encrypt", "Decrypt", "Sign", "GenerateDataKey", "CreateGrant", "PutKeyPolicy")  # something is required


class BadInput:
    """`client` signs what has to get past authentication; `key` is a key that exists."""

    def __init__(self, client: WireClient, key: str, seed: int) -> None:
        self._client, self._key, self._random = client, key, random.Random(seed)

    def one(self) -> tuple[str, bytes]:
        """(what it is, the bytes)"""
        kind = self._random.choice(KINDS)
        return kind.__name__, kind(self)

    # --- parts

    def _good(self, body: bytes | None = None, operation: str = "Encrypt") -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Headers and body of a request that is signed as it should be; `body` may be anything."""
        request = self._client.sign_body(operation, self._plain() if body is None else body)
        headers = [(name.encode(), str(value).encode()) for name, value in request.headers.items()]
        return [(b"Host", self._client.address.encode()), *headers], request.data or b""

    def _plain(self) -> bytes:
        return json.dumps({"KeyId": self._key, "Plaintext": "aGVsbG8="}).encode()

    def _wire(self, headers: list[tuple[bytes, bytes]], body: bytes, line: bytes = b"POST / HTTP/1.1") -> bytes:
        if not any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in headers):
            headers = [*headers, (b"Content-Length", b"%d" % len(body))]
        return line + b"\r\n" + b"".join(b"%b: %b\r\n" % pair for pair in headers) + b"\r\n" + body

    def _junk(self, n: int) -> bytes:
        return self._random.randbytes(self._random.randrange(1, n))

    # --- framing

    def noise(self) -> bytes:
        return self._junk(400) + b"\r\n\r\n"

    def bad_request_line(self) -> bytes:
        headers, body = self._good()
        line = self._random.choice(
            (b"POST", b"POST / HTTP/9.9", b"GET / HTTP/1.1", b"TRACE / HTTP/1.1",
             b"POST http://other/ HTTP/1.1", b"CONNECT a:1 HTTP/1.1", b"POST /%00 HTTP/1.1", b"POST /../ HTTP/1.1",
             b"POST / HTTP/1.2", b"PRI * HTTP/2.0")
        )  # fmt: skip
        return self._wire(headers, body, line)

    def two_lengths(self) -> bytes:
        headers, body = self._good()
        return self._wire([*headers, (b"Content-Length", b"%d" % len(body)), (b"Content-Length", b"1")], body)

    def length_and_chunks(self) -> bytes:
        headers, body = self._good()
        return self._wire([*headers, (b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"4")], body)

    def strange_length(self) -> bytes:
        headers, body = self._good()
        length = self._random.choice((b"-1", b"0x10", b"1e3", b" ", b"99999999999999999999", b"+5", b"5,5"))
        return self._wire([*headers, (b"Content-Length", length)], body)

    def repeated_header(self) -> bytes:
        headers, body = self._good()
        return self._wire([*headers, self._random.choice(headers)], body)

    def folded_header(self) -> bytes:
        headers, body = self._good()
        return self._wire([*headers, (b"X-Folded", b"a\r\n b")], body)

    def odd_header(self) -> bytes:
        headers, body = self._good()
        name = self._random.choice((b"", b"a b", b"a\x00b", b"a\xff", b"(a)"))
        return self._wire([*headers, (name, self._junk(20).replace(b"\n", b""))], body)

    def many_headers(self) -> bytes:
        headers, body = self._good()
        return self._wire([*headers, *[(b"X-%d" % n, b"v") for n in range(self._random.randrange(150, 2000))]], body)

    def huge_head(self) -> bytes:
        headers, body = self._good()
        return self._wire([*headers, (b"X-Long", b"v" * self._random.randrange(20_000, 200_000))], body)

    def huge_body(self) -> bytes:
        headers, _ = self._good(b"{}")
        return self._wire([*headers, (b"Content-Length", b"%d" % self._random.randrange(2**17, 2**40))], b"{}" * 1000)

    def compressed(self) -> bytes:
        headers, body = self._good()
        return self._wire([*headers, (b"Content-Encoding", self._random.choice((b"gzip", b"br", b"zstd")))], body)

    # --- SigV4

    def unsigned(self) -> bytes:
        headers, body = self._good()
        return self._wire([pair for pair in headers if pair[0].lower() != b"authorization"], body)

    def changed_signature(self) -> bytes:
        headers, body = self._good()
        return self._wire([(n, self._damage(v) if n.lower() == b"authorization" else v) for n, v in headers], body)

    def changed_header(self) -> bytes:
        headers, body = self._good()
        at = self._random.randrange(len(headers))
        name, value = headers[at]
        other = value + self._random.choice((b"x", b"0", b".1"))
        return self._wire([*headers[:at], (name, other), *headers[at + 1 :]], body)

    def changed_body(self) -> bytes:
        headers, body = self._good()
        return self._wire(headers, body.replace(b"aGVsbG8=", b"aGVsbG9="))

    def other_date(self) -> bytes:
        headers, body = self._good()
        date = self._random.choice((b"20200101T000000Z", b"20991231T235959Z", b"never", b"20261301T000000Z", b""))
        return self._wire([(n, date if n.lower() == b"x-amz-date" else v) for n, v in headers], body)

    def strange_authorization(self) -> bytes:
        headers, body = self._good()
        value = self._random.choice(
            (b"Basic YTpi", b"AWS4-HMAC-SHA256", b"AWS4-HMAC-SHA256 Credential=a, SignedHeaders=, Signature=",
             b"AWS4-HMAC-SHA256 Credential=" + b"/" * 500, b"Bearer " + b"x" * 4000, b"AWS4-ECDSA-P256-SHA256 x=y")
        )  # fmt: skip
        return self._wire([(n, value if n.lower() == b"authorization" else v) for n, v in headers], body)

    def forged_session(self) -> bytes:
        headers, body = self._good()
        return self._wire([*headers, (b"X-Amz-Security-Token", b64encode(self._junk(600)))], body)

    def _damage(self, value: bytes) -> bytes:
        at = self._random.randrange(len(value))
        return value[:at] + b"%c" % (33 + self._random.randrange(94)) + value[at + 1 :] + b"0"

    # --- JSON, signed as it should be

    def bomb(self) -> bytes:
        n = self._random.randrange(1000, 30_000)
        body = self._random.choice(
            (b"[" * n, b'{"a":' * n, b"[" + b"{}," * n + b"{}]", b'{"KeyId":"' + b"\\u0041" * n + b'"}',
             b"{" + b",".join(b'"%d":1' % i for i in range(n // 10)) + b"}", b"1" * n, b'"' * n)
        )  # fmt: skip
        return self._wire(*self._good(body[:60_000], self._random.choice(OPERATIONS)))

    def not_json(self) -> bytes:
        body = self._random.choice(
            (b"", b"null", b"[]", b"{", b'{"KeyId":}', b"\xff\xfe", b'{"KeyId":"\\ud800"}', b'{"KeyId":NaN}',
             b'{"KeyId":"a","KeyId":"b"}', b"\xef\xbb\xbf{}", b'{"KeyId":1e999}', b"{}{}", b"Action=Encrypt")
        )  # fmt: skip
        return self._wire(*self._good(body, self._random.choice(OPERATIONS)))

    def wrong_types(self) -> bytes:
        members: dict[str, Any] = {"KeyId": self._key, "Plaintext": "aGVsbG8=", "Limit": 5, "GrantTokens": ["x"]}
        for name in self._random.sample(sorted(members), 2):
            members[name] = self._random.choice((None, 1, -1, 1.5, True, [], {}, "", "x" * 9000, [[]], {"a": 1}, 2**63))
        members["Plaintext"] = self._random.choice(("not base64!", "aGVsbG8", "====", 7, ["a"]))
        return self._wire(*self._good(json.dumps(members).encode()))

    def out_of_range(self) -> bytes:
        members = self._random.choice(
            ({"KeyId": "", "Plaintext": "aGVsbG8="}, {"KeyId": "x" * 2049, "Plaintext": "aGVsbG8="},
             {"KeyId": self._key, "Plaintext": ""}, {"KeyId": self._key, "Plaintext": b64encode(bytes(4097)).decode()},
             {"KeyId": "../../etc/passwd", "Plaintext": "aGVsbG8="}, {"KeyId": "alias/a\x00b", "Plaintext": "aGVsbG8="},
             {"KeyId": self._key, "Plaintext": "aGVsbG8=", "GrantTokens": ["t"] * 11},
             {"KeyId": self._key, "Plaintext": "aGVsbG8=", "EncryptionAlgorithm": "ROT13"})
        )  # fmt: skip
        return self._wire(*self._good(json.dumps(members).encode()))

    def bad_ciphertext(self) -> bytes:
        blob = b64encode(b"\xa5\x01" * self._random.randrange(2) + self._junk(3000)).decode()
        return self._wire(*self._good(json.dumps({"CiphertextBlob": blob}).encode(), "Decrypt"))

    def unknown_target(self) -> bytes:
        headers, body = self._good(operation=self._random.choice(("NoSuch", "", "Encrypt.x", "../Encrypt")))
        return self._wire(headers, body)


KINDS: tuple[Callable[[BadInput], bytes], ...] = tuple(
    member for name, member in vars(BadInput).items() if callable(member) and not name.startswith("_") and name != "one"
)
