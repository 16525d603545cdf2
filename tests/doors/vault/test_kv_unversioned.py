"""kv version 1 and cubbyhole. HashiCorp Vault documentation, HTTP API."""

import pytest
from tests.harness import Bearer

from keystead.core.entities import Cubby, Folder, Secret, SecretVersion

BOTH = pytest.mark.parametrize("mount", ["kv", "cubbyhole"])


@BOTH
def test_any_object_is_kept_as_it_is(root, mount) -> None:
    body = b'{"path":"p","data":{"a":1.50},"n":12345678901234567890,"nothing":null}'
    assert root.ask("POST", f"{mount}/a", body).status == 204
    assert b'"data":%s' % body in root.ask("GET", f"{mount}/a").body
    assert root.ask("PUT", f"{mount}/a", {"b": 1}).status == 204
    assert root.ask("GET", f"{mount}/a").json["data"] == {"b": 1}


@BOTH
def test_listed_and_deleted(root, mount) -> None:
    for path in ("a", "a/b", "a/c/d", "e"):
        root.ask("POST", f"{mount}/{path}", {"x": 1})
    assert root.ask("LIST", mount).json["data"] == {"keys": ["a", "a/", "e"]}
    assert root.ask("GET", f"{mount}/a/?list=True").json["data"] == {"keys": ["b", "c/"]}
    assert root.ask("DELETE", f"{mount}/a").status == 204
    assert root.ask("DELETE", f"{mount}/a").status == 204
    assert root.ask("GET", f"{mount}/a").json == {"errors": []}
    assert root.ask("LIST", mount).json["data"] == {"keys": ["a/", "e"]}
    assert (root.ask("LIST", f"{mount}/e").status, root.ask("LIST", f"{mount}/none").status) == (404, 404)


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"ttl": "1h"}, 3600),
        ({"ttl": 30}, 30),
        ({"lease": "2m"}, 120),
        ({"lease": "2m", "ttl": "x"}, 2764800),
        ({"ttl": ""}, 0),
        ({"a": {"ttl": 5}}, 2764800),
        ({"ttl": 1.5}, 2764800),
        ({"ttl": -5}, -5),
    ],
)
def test_a_value_says_how_long_it_may_be_kept(root, body, seconds) -> None:
    root.ask("POST", "kv/a", body)
    assert root.ask("GET", "kv/a").json["lease_duration"] == seconds


def test_or_else_its_mount_says(root) -> None:
    root.ask("PUT", "kv/a", {"x": 1})
    root.ask("PUT", "kv/b", {"x": 1, "ttl": "30s"})
    for tuned, seconds in (("1h", 3600), ("9000h", 9000 * 3600), ("system", 768 * 3600)):
        assert root.ask("POST", "sys/mounts/kv/tune", {"default_lease_ttl": tuned}).status == 204
        assert [root.ask("GET", path).json["lease_duration"] for path in ("kv/a", "kv/b")] == [seconds, 30]


def test_what_is_refused(root) -> None:
    assert root.ask("POST", "kv/a", {}).json == {"errors": ["missing data fields"]}
    assert root.ask("POST", "kv", {"a": 1}).json == {"errors": ["missing path"]}
    assert root.ask("POST", "cubbyhole/a", {}).status == 500
    assert root.ask("PATCH", "kv/a", {"a": 1}).status == 405
    assert root.ask("POST", "kv/a", b"[1]").status == 400


def test_one_value_is_kept_at_a_path_and_nothing_once_it_is_deleted(root, stack) -> None:
    for n in range(3):
        root.ask("POST", "kv/a/b", {"n": n})
    assert root.ask("GET", "kv/a/b").json["data"] == {"n": 2}
    root.ask("DELETE", "kv/a/b")
    assert not any(stack.barrier.count(kind) for kind in (Folder, Secret, SecretVersion))


def test_a_cubbyhole_is_its_tokens_own(root, stack) -> None:
    root.ask("POST", "cubbyhole/mine", {"a": 1})
    other = Bearer(stack, root.ask("POST", "auth/token/create", {}).json["auth"]["client_token"])
    assert other.ask("GET", "cubbyhole/mine").status == 404
    assert other.ask("LIST", "cubbyhole").status == 404
    other.ask("POST", "cubbyhole/mine", {"b": 2})
    assert root.ask("GET", "cubbyhole/mine").json["data"] == {"a": 1}
    for one in stack.barrier.every(Cubby):
        assert stack.barrier.children(Cubby, one.token_id) == [one]


@pytest.mark.parametrize(
    ("kind", "options", "answers_as"),
    [("kv", {"version": "2"}, 2), ("kv", {"version": 2}, 2), ("kv-v2", {}, 2), ("kv", {}, 1), ("generic", {}, 1)],
)
def test_which_version_a_mount_speaks(root, kind, options, answers_as) -> None:
    assert root.ask("POST", "sys/mounts/new", {"type": kind, "options": options}).status == 204
    assert root.ask("GET", "new/config").status == (200 if answers_as == 2 else 404)
    if kind == "kv-v2":
        assert root.ask("GET", "sys/mounts").json["data"]["new/"]["options"] == {"version": "2"}
    wrong = root.ask("POST", "sys/mounts/wrong", {"type": "kv", "options": {"version": "3"}})
    assert wrong.json == {"errors": ['nil backend of type "kv" returned from factory']}
