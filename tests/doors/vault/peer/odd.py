# ruff: noqa: E501 - tables
"""What nobody means to send: methods, paths, headers and bodies, at one path of each engine."""

from __future__ import annotations

from tests.doors.vault.peer.ask import Ask, delete, get, listed, post, put

BODIES = (
    b"", b"{}", b"null", b"[]", b"[1]", b'"x"', b"5", b"true", b"{", b"}", b"nul", b'{"a"}', b'{"a":}', b'{"a":1,}',
    b"{'a':1}", b"\xff\xfe", b"  {}  ", b"\xef\xbb\xbf{}", b'{"a":NaN}', b'{"a":1e999}', b'{"a":01}', b'{"a":"\x01"}',
    b"a=b", b"<a/>", b'{"a":' * 60 + b"1" + b"}" * 60, b"[" * 90 + b"]" * 90,
)  # fmt: skip
PLACES = (
    "kv/odd", "two/data/odd", "cubbyhole/odd", "transit/keys/odd", "transit/random", "sys/policies/acl/odd",
    "sys/mounts/odd", "auth/token/create", "auth/token/lookup", "auth/userpass/users/odd", "auth/approle/role/odd",
    "sys/tools/random", "sys/capabilities-self",
)  # fmt: skip
NOWHERE = (
    "", "none", "none/", "none/x", "sys", "sys/", "sys/none", "auth", "auth/", "auth/none", "auth/none/login", "kv",
    "two", "two/none", "transit", "transit/", "transit/none", "cubbyhole", "identity/none", "sys/mounts/", "secret/x",
    "kv/a/./b", "kv/a/../b", "kv//a", "//kv/a", "kv/a//", "../kv/a", "kv/%2e%2e/b", "kv/..", "kv/a%2f..%2fb",
)  # fmt: skip

REQUESTS = [
    *(post(path, body) for path in PLACES for body in BODIES[:24] if body != b"\xff\xfe" or path != "kv/odd"),
    *(Ask(method, path) for path in NOWHERE for method in ("GET", "POST", "LIST", "DELETE")),
    *(Ask("PATCH", path, {"a": 1}, headers={"Content-Type": kind}) for path in ("two/data/odd", "two/metadata/odd", "kv/odd")
      for kind in ("application/merge-patch+json", "application/json", "text/plain", "", "application/merge-patch+json; charset=utf-8")),
    *(post(path, body, headers={"Content-Type": kind}) for path in ("kv/kind", "two/data/kind", "auth/token/lookup")
      for kind in ("application/json", "text/plain", "application/xml", "application/x-www-form-urlencoded",
                   "application/octet-stream", "multipart/form-data; boundary=x", "x")
      for body in (b'{"data":{"a":"b"}}', b"data=b&token=none", b"")),
    *(Ask(method, path) for path in PLACES for method in ("GET", "LIST", "DELETE")),
    *(listed(f"{path}/") for path in PLACES),
    *(get(f"{path}?list={value}") for path in ("kv", "kv/", "two/metadata", "transit/keys", "auth/userpass/users", "sys/policies/acl")
      for value in ("true", "True", "1", "t", "false", "0", "yes", "", "TRUE")),
    *(post(f"{path}/", {"a": 1}) for path in PLACES),
    *(put(path, {"a": 1}, headers={"X-Vault-Namespace": name}) for path in ("kv/ns",) for name in ("", "root", "none", "/", "none/")),
    *(get("kv/ns", headers={"X-Vault-Request": value}) for value in ("true", "false", "x")),
    *(get("kv/ns", token="", headers={"Authorization": value}) for value in ("", "Bearer", "Bearer ", "Bearer x", "x", "Token x")),
    *(get(f"kv/ns{query}") for query in ("?", "?a", "?a=1&a=2", "?version=1", "?%61=1", "?list", "?help=1")),
    *(put("kv/deep", b'{"a":' * depth + b"1" + b"}" * depth) for depth in (1, 2, 20, 60, 90)),
    *(put(f"cubbyhole/many{size}", {f"k{n}": n for n in range(size)}) for size in (1, 100, 2000)),
    get("cubbyhole/many100"),
    delete("cubbyhole/many100", {"a": 1}),
    delete("kv/none", b"not json"),
    get("kv/%C3%A9"),
    put("kv/%C3%A9", {"é": "ü\U0001f511"}),
    get("kv/%C3%A9"),
    *(put(f"kv/{name}", {"a": "b"}) for name in ("a%20b", "a+b", "a%2Bb", "a%3Fb", "a%23b", "a%25b", "~", "a:b", "a;b", "a&b", "x" * 500)),
    *(get(f"kv/{name}") for name in ("a%20b", "a+b", "a%2Bb", "a%3Fb", "a%23b", "a%25b", "~", "a:b", "a;b", "a&b", "x" * 500)),
    listed("kv"),
]  # fmt: skip
