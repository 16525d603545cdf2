"""kv version 2, one behaviour a test. HashiCorp Vault documentation, HTTP API, "KV secrets engine - version 2"."""

import json
from datetime import timedelta

import pytest

from keystead.core.entities import Folder, Secret, SecretVersion
from keystead.service.inspection import inspect

CAS = "check-and-set parameter did not match the current version"
CAS_REQUIRED = "check-and-set parameter required for this call"


def write(who, path="app", value=None, **options):
    body = {"data": value or {"a": 1}} | ({"options": options} if options else {})
    return who.ask("POST", f"kv2/data/{path}", body)


def read(who, path="app", query=""):
    return who.ask("GET", f"kv2/data/{path}{query}")


def metadata(who, path="app"):
    return who.ask("GET", f"kv2/metadata/{path}").json["data"]


def test_what_is_written_is_read_with_its_version(root) -> None:
    made = write(root, value={"a": "<&>", "b": [1, None]})
    assert made.status == 200
    assert made.json["data"] == {
        "created_time": "2026-11-25T12:00:00Z",
        "custom_metadata": None,
        "deletion_time": "",
        "destroyed": False,
        "version": 1,
    }
    found = read(root)
    assert found.status == 200
    assert found.json["data"] == {"data": {"a": "<&>", "b": [1, None]}, "metadata": made.json["data"]}


@pytest.mark.parametrize("text", ["12345678901234567890", "1.50", "1E400", "-0", "123456789012345678901234567890.5"])
def test_numbers_stay_as_they_were_written(root, text) -> None:
    reply = root.ask("POST", "kv2/data/app", b'{"data":{"n":%s}}' % text.encode())
    if text == "1E400":  # Go takes it for no float64
        assert reply.status == 400
        return
    assert reply.status == 200
    assert b'"n":%s}' % text.encode() in read(root).body


def test_a_version_that_is_not_there_is_an_empty_404(root) -> None:
    write(root)
    for query in ("?version=2", "?version=99"):
        reply = read(root, query=query)
        assert (reply.status, reply.json) == (404, {"errors": []})
    assert (read(root, "nothing").status, read(root, "nothing").json) == (404, {"errors": []})


def test_check_and_set(root) -> None:
    assert write(root, cas=1).json == {"errors": [CAS]}
    assert write(root, cas=0).status == 200
    assert write(root, cas=0).json == {"errors": [CAS]}
    assert write(root, cas=1).json["data"]["version"] == 2
    assert root.ask("POST", "kv2/config", {"cas_required": True}).status == 204
    assert (write(root).status, write(root).json) == (400, {"errors": [CAS_REQUIRED]})
    assert write(root, "other").json == {"errors": [CAS_REQUIRED]}
    assert write(root, cas=2).status == 200


def test_deleted_is_told_and_undone_and_destroyed_is_for_ever(root, stack) -> None:
    write(root, value={"a": 1})
    write(root, value={"a": 2})
    stack.clock.forward(timedelta(seconds=5))
    assert root.ask("DELETE", "kv2/data/app").status == 204
    gone = read(root)
    assert gone.status == 404
    assert gone.json["data"]["data"] is None
    assert gone.json["data"]["metadata"]["deletion_time"] == "2026-11-25T12:00:05Z"
    assert not gone.json["data"]["metadata"]["destroyed"]
    assert read(root, query="?version=1").json["data"]["data"] == {"a": 1}
    assert root.ask("POST", "kv2/undelete/app", {"versions": [2]}).status == 204
    assert read(root).json["data"]["data"] == {"a": 2}
    assert root.ask("PUT", "kv2/destroy/app", {"versions": "2"}).status == 204
    assert root.ask("POST", "kv2/undelete/app", {"versions": [2]}).status == 204
    assert read(root).status == 404
    assert read(root).json["data"]["metadata"]["destroyed"]
    assert write(root, cas=2).json["data"]["version"] == 3


def test_versions_beyond_the_limit_are_dropped_and_at_last_erased(root, stack) -> None:
    assert root.ask("POST", "kv2/metadata/app", {"max_versions": 2}).status == 204
    for _ in range(4):
        write(root)
    found = metadata(root)
    assert (found["current_version"], found["oldest_version"], list(found["versions"])) == (4, 3, ["3", "4"])
    assert read(root, query="?version=2").status == 404
    assert stack.barrier.count(SecretVersion) == 4  # until so many are dropped that a rotation is worth its while
    epoch = stack.barrier.epoch
    for _ in range(62):
        write(root)
    assert stack.barrier.epoch == epoch + 1
    assert stack.barrier.count(SecretVersion) == 2
    assert inspect(stack.barrier, stack.store).whole


def test_a_version_is_deleted_when_its_time_has_come(root, stack) -> None:
    root.ask("POST", "kv2/config", {"delete_version_after": "1h"})
    assert write(root).json["data"]["deletion_time"] == "2026-11-25T13:00:00Z"
    root.ask("POST", "kv2/metadata/app", {"delete_version_after": "10m"})
    assert write(root).json["data"]["deletion_time"] == "2026-11-25T12:10:00Z"
    root.ask("POST", "kv2/metadata/app", {"delete_version_after": "2h"})
    assert write(root).json["data"]["deletion_time"] == "2026-11-25T13:00:00Z"
    assert read(root, query="?version=2").status == 200
    stack.clock.forward(timedelta(minutes=10))
    assert read(root, query="?version=2").status == 404
    assert read(root, query="?version=3").status == 200
    root.ask("POST", "kv2/config", {"delete_version_after": "-1s"})
    assert write(root).json["data"]["deletion_time"] == ""


def test_a_patch_merges_and_null_takes_away(root) -> None:
    missing = root.ask("PATCH", "kv2/data/app", {"data": {"a": 1}})
    assert (missing.status, missing.body) == (404, b"")
    root.ask("POST", "kv2/data/app", b'{"data":{"a":1.50,"b":{"c":12345678901234567890,"d":2}}}')
    assert root.ask("PATCH", "kv2/data/app", {"data": {"b": {"d": None, "e": [None]}}}).json["data"]["version"] == 2
    assert b'"data":{"a":1.50,"b":{"c":12345678901234567890,"e":[null]}}' in read(root).body
    assert root.ask("PATCH", "kv2/data/app", {"data": {}, "options": {"cas": 1}}).json == {"errors": [CAS]}
    assert root.ask("PATCH", "kv2/data/app", {"data": {}}, content_type="application/json").status == 415
    root.ask("DELETE", "kv2/data/app")
    refused = root.ask("PATCH", "kv2/data/app", {"data": {"a": 1}})
    assert (refused.status, refused.json["data"]["version"]) == (404, 2)
    assert metadata(root)["current_version"] == 2


def test_metadata_is_kept_beside_the_versions(root) -> None:
    assert root.ask("POST", "kv2/metadata/app", {}).status == 204
    assert root.ask("GET", "kv2/metadata/app").status == 404
    assert root.ask("POST", "kv2/metadata/app", {"custom_metadata": {"owner": "me", "n": 1}}).status == 204
    assert metadata(root)["custom_metadata"] == {"owner": "me", "n": "1"}
    assert metadata(root)["versions"] == {}
    assert read(root).status == 404
    assert write(root).json["data"]["custom_metadata"] == {"owner": "me", "n": "1"}
    assert root.ask("PATCH", "kv2/metadata/app", {"custom_metadata": {"n": None, "m": "2"}}).status == 204
    assert metadata(root)["custom_metadata"] == {"owner": "me", "m": "2"}
    assert root.ask("PATCH", "kv2/metadata/app", {"custom_metadata": {}}).status == 204
    assert metadata(root)["custom_metadata"] == {"owner": "me", "m": "2"}
    assert root.ask("PATCH", "kv2/metadata/app", {"custom_metadata": None, "max_versions": None}).status == 204
    assert metadata(root)["custom_metadata"] is None
    missing = root.ask("PATCH", "kv2/metadata/other", {"max_versions": 1})
    assert (missing.status, missing.body) == (404, b"")


@pytest.mark.parametrize(
    ("custom", "words"),
    [
        ({str(n): "x" for n in range(65)}, "payload must contain at most 64 keys, provided 65"),
        ({"": "x"}, 'length of key "" is 0 but must be 0 < len(key) <= 128'),
        ({"k": "x" * 513}, 'length of value for key "k" is 513 but must be 0 < len(value) <= 512'),
        ({"k": ""}, 'length of value for key "k" is 0 but must be 0 < len(value) <= 512'),
        ({"k\n": "x"}, 'key "k\\n" (k\n) contains unprintable characters'),
        ({"k": "\x01"}, 'value for key "k" contains unprintable characters'),
    ],
)
def test_custom_metadata_has_limits(root, custom, words) -> None:
    for method in ("POST", "PATCH"):
        reply = root.ask(method, "kv2/metadata/app", {"custom_metadata": custom})
        said = f"1 error occurred:\n\t* custom_metadata validation failed: {words}\n\n"
        assert (reply.status, reply.json) == (400, {"errors": [said]})


def test_patches_do_not_add_up_to_more_than_the_limit(root) -> None:
    for base in (0, 40):
        changes = {str(base + n): "x" for n in range(40)}
        status = root.ask("POST" if not base else "PATCH", "kv2/metadata/app", {"custom_metadata": changes}).status
    assert status == 400
    assert len(metadata(root)["custom_metadata"]) == 40


def test_a_secret_that_is_deleted_is_gone_with_its_folders(root, stack) -> None:
    write(root, "a/b/c")
    write(root, "a/d")
    assert root.ask("LIST", "kv2/metadata").json["data"] == {"keys": ["a/"]}
    assert root.ask("LIST", "kv2/metadata/a").json["data"] == {"keys": ["b/", "d"]}
    assert root.ask("DELETE", "kv2/metadata/a/b/c").status == 204
    assert root.ask("GET", "kv2/metadata/a/b/c").status == 404
    assert root.ask("LIST", "kv2/metadata/a").json["data"] == {"keys": ["d"]}
    assert root.ask("LIST", "kv2/metadata/a/b").json == {"errors": []}
    root.ask("DELETE", "kv2/metadata/a/d")
    assert root.ask("GET", "kv2/metadata/?list=true").status == 404
    assert not any(stack.barrier.count(kind) for kind in (Folder, Secret, SecretVersion))
    assert inspect(stack.barrier, stack.store).whole
    assert write(root, "a/d").json["data"]["version"] == 1


def test_a_page_of_a_listing_ends_where_the_next_begins(root) -> None:
    names = {f"s{n}" for n in range(7)} | {f"f{n}/" for n in range(5)}
    for name in names:
        write(root, f"top/{name}x" if name.endswith("/") else f"top/{name}")
    assert root.ask("LIST", "kv2/metadata/top").json["data"]["keys"] == sorted(names)
    seen, after = [], ""
    while (reply := root.ask("LIST", f"kv2/metadata/top?limit=4&after={after}")).status == 200:
        page = reply.json["data"]["keys"]
        assert len(page) <= 4
        seen += page
        after = page[-1]
    assert len(seen) == len(names)
    assert set(seen) == names


def test_subkeys_tell_names_alone(root) -> None:
    write(root, value={"a": 1, "b": {"c": {"d": "hidden"}}, "e": {}})
    for query, tree in {
        "": {"a": None, "b": {"c": {"d": None}}, "e": None},
        "?depth=1": {"a": None, "b": None, "e": None},
        "?depth=2": {"a": None, "b": {"c": None}, "e": None},
    }.items():
        reply = root.ask("GET", f"kv2/subkeys/app{query}")
        assert reply.json["data"]["subkeys"] == tree
        assert b"hidden" not in reply.body
    root.ask("DELETE", "kv2/data/app")
    assert (reply := root.ask("GET", "kv2/subkeys/app")).status == 404
    assert reply.json["data"]["subkeys"] is None


@pytest.mark.parametrize(
    ("method", "path", "word"),
    [("GET", "kv2/app", "get"), ("POST", "kv2/app", "put"), ("LIST", "kv2", "list"), ("DELETE", "kv2/x/y", "delete")],
)
def test_a_path_of_version_1_gets_a_hint(root, method, path, word) -> None:
    reply = root.ask(method, path, {"a": 1} if method == "POST" else None)
    assert reply.status == 404
    (warning,) = reply.json["warnings"]
    assert warning.startswith("Invalid path for a versioned K/V secrets engine.")
    assert f"'vault kv {word}'" in warning


def test_a_name_that_ends_like_a_folder_is_no_secrets(root) -> None:
    """The server takes "app/" for "app", although its policies were asked about "app/" (HOUSE §2 rule 9)."""
    write(root)
    for method, path in (("GET", "data"), ("DELETE", "data"), ("GET", "metadata"), ("DELETE", "metadata")):
        assert root.ask(method, f"kv2/{path}/app/").status == 404
    assert read(root).status == 200


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("POST", "metadata/app", {"metadata_cas": 0}),
        ("POST", "metadata/app", {"metadata_cas_required": True}),
        ("PATCH", "metadata/app", {"metadata_cas": 1}),
        ("POST", "config", {"metadata_cas_required": True}),
    ],
)
def test_a_condition_that_nobody_would_look_at_is_refused(root, method, path, given) -> None:
    """Members of OpenBao's own: whoever names a version means that no other is overwritten."""
    write(root)
    (name,) = given
    reply = root.ask(method, f"kv2/{path}", {"max_versions": 3, **given})
    assert (reply.status, reply.json["errors"]) == (400, [f"{name} is not offered"])
    assert metadata(root)["max_versions"] == 0


def test_limits(root) -> None:
    assert write(root, "x" * 1025).status == 400
    assert write(root, "/".join("a" * 33)).status == 400
    assert write(root, "/".join("a" * 32)).status == 200
    assert json.loads(write(root, "big", {"a": "x" * 1000_000}).body)["data"]["version"] == 1
