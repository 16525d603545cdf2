"""Every operation this door offers, held to AWS's own machine-readable model (botocore, kms/2014-11-01)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import botocore.loaders
import msgspec
import pytest
from docs import build
from msgspec import inspect

from keystead.core.sensitive import Sensitive
from keystead.doors.aws_kms import DOOR
from keystead.doors.aws_kms.constraints import HIDDEN
from keystead.doors.aws_kms.errors import COMMON, PREFIX, UNLISTED
from keystead.doors.aws_kms.shapes import AWS_PATTERNS, matching
from keystead.doors.aws_kms.unsupported import NEVER_SAID
from keystead.kit import WireOperation

MODEL = botocore.loaders.Loader().load_service_model("kms", "service-2")
SHAPES = MODEL["shapes"]
OFFERED = {op.name.removeprefix(PREFIX): op for op in DOOR.operations if op.name.startswith(PREFIX)}
LIMITED = {
    inspect.StrType: ("min_length", "max_length"),
    inspect.BytesType: ("min_length", "max_length"),
    inspect.ListType: ("min_length", "max_length"),
    inspect.DictType: ("min_length", "max_length"),
    inspect.IntType: ("ge", "le"),
}
JSON_TYPES = {
    "string": (inspect.StrType, inspect.LiteralType),
    "blob": (inspect.BytesType,),
    "list": (inspect.ListType,),
    "map": (inspect.DictType,),
    "structure": (inspect.StructType,),
    "integer": (inspect.IntType,),
    "boolean": (inspect.BoolType,),
    "timestamp": (inspect.FloatType,),
}


TOLD = {"CustomKeyStores[].XksProxyConfiguration.AccessKeyId"}
"""Sensitive to AWS, and yet a text that is answered: it names a secret, and is none."""
OFFERED_MODELS = [(op, MODEL["operations"][name]) for name, op in OFFERED.items()]


def each_offered() -> list[Any]:
    return [pytest.param(op, MODEL["operations"][name], id=name) for name, op in sorted(OFFERED.items())]


def narrow(kind: Any) -> Any:
    """A type without None."""
    if isinstance(kind, inspect.UnionType):
        (kind,) = (one for one in kind.types if not isinstance(one, inspect.NoneType))
    return kind


def members(message: type, shape: str, path: str = "") -> Iterator[tuple[str, Any, str]]:
    """(path, type, name of the model's shape) of every member of a message, at every depth."""
    declared = SHAPES[shape]["members"]
    for field in inspect.type_info(message).fields:
        yield from _at(f"{path}{field.encode_name}", narrow(field.type), declared[field.encode_name]["shape"])


def _at(path: str, kind: Any, shape: str) -> Iterator[tuple[str, Any, str]]:
    yield path, kind, shape
    match kind:
        case inspect.StructType():
            yield from members(kind.cls, shape, f"{path}.")
        case inspect.ListType():
            yield from _at(f"{path}[]", narrow(kind.item_type), SHAPES[shape]["member"]["shape"])
        case inspect.DictType():
            yield from _at(f"{path}<", narrow(kind.key_type), SHAPES[shape]["key"]["shape"])
            yield from _at(f"{path}>", narrow(kind.value_type), SHAPES[shape]["value"]["shape"])


def structures(message: type, shape: str) -> list[tuple[type, str]]:
    nested = [(kind.cls, name) for _, kind, name in members(message, shape) if isinstance(kind, inspect.StructType)]
    return [(message, shape), *nested]


def test_every_operation_of_the_model_is_offered() -> None:
    assert set(OFFERED) == set(MODEL["operations"])


LEAST = {"kms": 56, "sts": 5, "iam": 76}
"""How many operations are offered; a number here may only rise."""


@pytest.mark.parametrize("service", LEAST)
def test_coverage(service: str) -> None:
    """What the models list and this door offers; docs/generated/coverage.md says the same."""
    row = next(row for row in build.covered() if row.service == service)
    print(row.said)
    assert len(row.offered) == LEAST[service], f"{row.said}: LEAST says so if it has risen"
    assert row.said in build.pages()["coverage.md"]


def test_the_specification_says_how_much_is_offered() -> None:
    (row,) = (row for row in build.covered() if row.service == "kms")
    offered, total = len(row.offered), len(row.total)
    assert f"{offered} of the {total} operations" in (build.ROOT / "src/keystead/doors/aws_kms/SPEC.md").read_text()


@pytest.mark.parametrize(("op", "model"), each_offered())
def test_messages_have_the_members_of_the_model(op: WireOperation, model: dict) -> None:
    pairs = structures(op.request, model["input"]["shape"])
    if "output" in model:
        pairs += structures(op.response, model["output"]["shape"])
    else:
        assert op.response is type(None)
    for message, shape in pairs:
        have = {f.encode_name for f in msgspec.structs.fields(message)}
        assert have == set(SHAPES[shape]["members"]) - NEVER_SAID.get(shape, frozenset()), shape


def test_only_answers_leave_members_out() -> None:
    asked = {shape for op, model in OFFERED_MODELS for _, shape in structures(op.request, model["input"]["shape"])}
    assert not asked & NEVER_SAID.keys()


@pytest.mark.parametrize(("op", "model"), each_offered())
def test_requests_require_what_the_model_requires(op: WireOperation, model: dict) -> None:
    for message, shape in structures(op.request, model["input"]["shape"]):
        required = {f.encode_name for f in msgspec.structs.fields(message) if f.required}
        assert required == set(SHAPES[shape].get("required", ())), shape


@pytest.mark.parametrize(("op", "model"), each_offered())
def test_members_have_the_types_of_the_model(op: WireOperation, model: dict) -> None:
    for path, kind, shape in members(op.request, model["input"]["shape"]):
        assert isinstance(kind, JSON_TYPES[SHAPES[shape]["type"]]), path
    if "output" in model:
        for path, kind, shape in members(op.response, model["output"]["shape"]):
            secret = isinstance(kind, inspect.CustomType) and kind.cls is Sensitive
            assert secret or isinstance(kind, JSON_TYPES[SHAPES[shape]["type"]]), path


def require_modelled(path: str, kind: Any, shape: dict[str, Any]) -> None:
    """Its values, its limits and its pattern are the model's."""
    if isinstance(kind, inspect.LiteralType):
        assert set(kind.values) == set(shape["enum"]), path
        return
    assert "enum" not in shape, path
    if type(kind) in LIMITED:
        least, most = (getattr(kind, limit) for limit in LIMITED[type(kind)])
        assert (least or None, most) == (shape.get("min") or None, shape.get("max")), path
    if isinstance(kind, inspect.StrType):
        assert AWS_PATTERNS.get(kind.pattern) == shape.get("pattern"), path


@pytest.mark.parametrize(("op", "model"), each_offered())
def test_limits_patterns_and_enumerations_are_those_of_the_model(op: WireOperation, model: dict) -> None:
    for path, kind, name in members(op.request, model["input"]["shape"]):
        require_modelled(path, kind, SHAPES[name])


def test_a_pattern_is_of_the_whole_value_and_of_ascii() -> None:
    """research/security.md §4 row 5: a line feed at the end is not overlooked, nor a letter of another script."""
    word = re.compile(matching(r"[\w]+"))
    assert word.search("default")
    assert not any(word.search(text) for text in ("default\n", "a b", "défaut", ""))


DECLARED = frozenset[str]().union(*(op.errors for op in OFFERED.values()))
NEVER_ANSWERED = {name for name, shape in SHAPES.items() if shape.get("exception") and name not in DECLARED}
"""Errors that nothing here can lead to: no operation declares them."""
OF_KEY_STORES = {name for name in SHAPES if name.startswith(("CloudHsm", "CustomKeyStore", "Xks", "IncorrectTrust"))}


def test_only_errors_of_key_stores_are_never_answered() -> None:
    assert NEVER_ANSWERED <= OF_KEY_STORES


@pytest.mark.parametrize(("op", "model"), each_offered())
def test_the_errors_declared_are_those_of_the_model(op: WireOperation, model: dict) -> None:
    """All of them, beside what any operation may answer (COMMON) and what AWS answers unlisted (UNLISTED)."""
    listed = {error["shape"] for error in model.get("errors", ())} - COMMON
    assert op.errors - COMMON - UNLISTED <= listed
    assert listed - op.errors <= NEVER_ANSWERED


COMES_OF = {
    "NotAuthorizedException": "AliasName",
    "InvalidGrantTokenException": "GrantTokens",
    "KMSInvalidStateException": "CustomKeyStoreId",
}


@pytest.mark.parametrize(("op", "model"), each_offered())
def test_what_is_unlisted_is_declared_only_where_it_can_be(op: WireOperation, model: dict) -> None:
    listed = {error["shape"] for error in model.get("errors", ())}
    members_asked = SHAPES[model["input"]["shape"]]["members"]
    for code in (op.errors & UNLISTED) - listed:
        assert COMES_OF[code] in members_asked


@pytest.mark.parametrize(("op", "model"), each_offered())
def test_what_the_model_calls_sensitive_is_not_shown_by_a_complaint(op: WireOperation, model: dict) -> None:
    for path, kind, shape in members(op.request, model["input"]["shape"]):
        if SHAPES[shape].get("sensitive") and isinstance(kind, inspect.StrType):
            assert path.rpartition(".")[2] in HIDDEN


@pytest.mark.parametrize(("op", "model"), each_offered())
def test_what_the_model_calls_sensitive_is_revealed_by_the_encoder_alone(op: WireOperation, model: dict) -> None:
    """research/security.md §4 row 67: no secret in a repr, of a request or of an answer."""
    for path, kind, shape in members(op.response, model["output"]["shape"]) if "output" in model else ():
        if SHAPES[shape].get("sensitive") and path not in TOLD:
            assert isinstance(kind, inspect.CustomType) and kind.cls is Sensitive, path
    for message, _ in structures(op.request, model["input"]["shape"]):
        assert message.__repr__ is not msgspec.Struct.__repr__
