"""Paths to operations: precedence, tails, 404 and 405, and a table compared with the obvious way to search it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.kit import Call, Message, Routes, path_operation, routes
from keystead.kit.routes import captures
from keystead.wire.json import writer

TABLE = [
    ("read", "sys/mounts", 1),
    ("read", "sys/mounts/{path:path}", 2),
    ("write", "sys/mounts/{path:path}/tune", 3),
    ("write", "{mount}/encrypt/{name}", 4),
    ("write", "{mount}/encrypt/all", 5),
    ("list", "{mount}/keys/?", 6),
    ("read", "{other}/keys/{key}", 7),
    ("read", "kv/{path:path?}", 8),
]


def found(path: str, method: str, table=TABLE):
    place = Routes(table).find(path.split("/"))
    return place and place.take(method)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("read", "sys/mounts", (1, {})),
        ("read", "sys/mounts/a", (2, {"path": "a"})),
        ("read", "sys/mounts/a/b/", (2, {"path": "a/b/"})),
        ("write", "sys/mounts/a/b/tune", (3, {"path": "a/b"})),
        ("read", "sys/mounts/tune", (2, {"path": "tune"})),
        ("write", "t/encrypt/k", (4, {"mount": "t", "name": "k"})),
        ("write", "t/encrypt/all", (5, {"mount": "t"})),
        ("list", "t/keys", (6, {"mount": "t"})),
        ("list", "t/keys/", (6, {"mount": "t"})),
        ("read", "t/keys/k", (7, {"other": "t", "key": "k"})),
        ("write", "sys/encrypt/k", (4, {"mount": "sys", "name": "k"})),
        ("read", "kv/", (8, {"path": ""})),
        ("read", "kv/a/b", (8, {"path": "a/b"})),
        ("read", "kv/keys/k", (8, {"path": "keys/k"})),
    ],
)
def test_where_paths_lead(method: str, path: str, expected) -> None:
    assert found(path, method) == expected


@pytest.mark.parametrize("path", ["", "nope", "sys/mounts/", "t/encrypt/", "t/encrypt/a/b", "t/keys/k/", "kv"])
def test_404(path: str) -> None:
    assert Routes(TABLE).find(path.split("/")) is None


def test_405_says_what_there_is() -> None:
    place = Routes(TABLE).find(["sys", "mounts", "a", "tune"])
    assert place is not None
    assert place.take("read") is None
    assert list(place.methods) == ["write"]


@pytest.mark.parametrize(
    "table",
    [
        [("read", "a/{x}", 1), ("read", "a/{y}", 2)],
        [("read", "a/?", 1), ("read", "a/", 2)],
        [("read", "{x}/{x}", 1)],
        [("read", "a/{x", 1)],
        [("read", "a/{x:path}/{y}", 1)],
        [("read", "a/b{x}", 1)],
    ],
)
def test_tables_that_collide_or_make_no_sense(table) -> None:
    with pytest.raises(ValueError, match="a"):
        Routes(table)


def test_names_of_captures() -> None:
    assert captures("{a}/b/{c_d:path?}") == {"a", "c_d"}


# --- compared with trying every template as a pattern

_PARTS = {"{c}": "([^/]+)", "{t:path}": "(.+)", "{t:path?}": "(.*)"}
_TEMPLATES = st.lists(st.sampled_from(["a", "b", "{c}"]), min_size=1, max_size=4).flatmap(
    lambda head: st.sampled_from([[], ["{t:path}"], ["{t:path?}"], ["{t:path}", "a"]]).map(lambda tail: head + tail)
)


def _named(parts: list[str]) -> str:
    return "/".join(part.replace("{c}", f"{{c{chr(97 + n)}}}") for n, part in enumerate(parts))


@settings(deadline=None)
@given(
    st.lists(_TEMPLATES, min_size=1, max_size=6, unique_by=tuple),
    st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=6),
)
def test_a_path_leads_somewhere_iff_some_template_fits(templates, segments) -> None:
    path = "/".join(segments)
    fits = {
        _named(parts) for parts in templates if re.fullmatch("/".join(_PARTS.get(part, part) for part in parts), path)
    }
    place = Routes(("read", _named(parts), _named(parts)) for parts in templates).find(path.split("/"))
    if place is None:
        assert not fits
        return
    template, values = place.take("read")
    assert template in fits
    filled = re.sub(r"\{(\w+)(?::path\??)?\}", lambda m: values[m[1]], template)
    assert filled == path


# --- operations


class Ask(Message, frozen=True):
    name: str


class Said(Message, frozen=True):
    text: str


def take_of(message):
    return lambda captured, arguments: (message(**captured), (arguments.decode(),))


@path_operation("write", "{mount}/hello/{name}", errors=frozenset({"Nope"}), reader=take_of, write=writer())
def hello(req: Ask, call: Call) -> Said:
    return Said(f"hello {req.name}")


def test_an_operation_is_declared_by_its_path() -> None:
    assert (hello.name, hello.method, hello.path) == ("write {mount}/hello/{name}", "write", "{mount}/hello/{name}")
    assert (hello.request, hello.response, hello.errors) == (Ask, Said, {"Nope"})
    operation, captured = routes([hello]).find(["t", "hello", "you"]).take("write")
    assert operation is hello
    assert captured.pop("mount") == "t"
    message, remarks = operation.take(captured, b"left out")
    assert remarks == ("left out",)
    assert operation.write(operation.run(message, None)) == b'{"text":"hello you"}'
