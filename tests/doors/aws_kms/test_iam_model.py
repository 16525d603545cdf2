"""Every action of IAM and STS this door offers, held to AWS's own models (botocore: iam/2010-05-08, sts/2011-06-15)."""

from __future__ import annotations

from typing import Any

import botocore.loaders
import msgspec
import pytest
from msgspec import inspect
from tests.doors.aws_kms.test_model import narrow, require_modelled
from tests.harness import OF_TOKENS

from keystead.core.sensitive import Sensitive
from keystead.doors.aws_kms import DOOR
from keystead.doors.aws_kms.constraints import HIDDEN_IN_FORMS
from keystead.doors.aws_kms.iam.errors import ERRORS
from keystead.doors.aws_kms.query import ERRORS as STS_ERRORS
from keystead.doors.aws_kms.query import SERVICES
from keystead.doors.aws_kms.unsupported import NEVER_SAID_IN_XML
from keystead.kit import WireOperation

MODELS = {name: botocore.loaders.Loader().load_service_model(name, "service-2") for name in SERVICES}
XML_TYPES = {
    "string": (inspect.StrType, inspect.LiteralType),
    "list": (inspect.ListType,),
    "structure": (inspect.StructType,),
    "integer": (inspect.IntType,),
    "boolean": (inspect.BoolType,),
    "timestamp": (inspect.DateTimeType,),
}


def each() -> list[Any]:
    split = [(op, *op.name.split(":")) for op in DOOR.operations if ":" in op.name]
    return [
        pytest.param(op, MODELS[service]["operations"][action], MODELS[service]["shapes"], id=op.name)
        for op, service, action in split
    ]


def walk(kind: Any, shape: str, shapes: dict, path: str = ""):
    """(path, type, name of the model's shape) of a message and of everything in it."""
    yield path, kind, shape
    if isinstance(kind, inspect.StructType):
        for field in inspect.type_info(kind.cls).fields:
            member = shapes[shape]["members"][field.encode_name]["shape"]
            yield from walk(narrow(field.type), member, shapes, f"{path}.{field.encode_name}")
    elif isinstance(kind, inspect.ListType):
        yield from walk(narrow(kind.item_type), shapes[shape]["member"]["shape"], shapes, f"{path}[]")


def of_request(op: WireOperation, model: dict, shapes: dict):
    return walk(inspect.type_info(op.request), model["input"]["shape"], shapes)


def of_answer(op: WireOperation, model: dict, shapes: dict):
    return walk(inspect.type_info(op.response), model["output"]["shape"], shapes) if "output" in model else ()


def test_what_is_offered() -> None:
    names = {op.name for op in DOOR.operations if ":" in op.name}
    assert len(names) == len(each()) and {name.partition(":")[0] for name in names} == set(MODELS)
    for name, service in SERVICES.items():
        assert service.version == MODELS[name]["metadata"]["apiVersion"]
        assert service.xmlns == MODELS[name]["metadata"]["xmlNamespace"]


@pytest.mark.parametrize(("op", "model", "shapes"), each())
def test_requests_have_every_member_of_the_model_and_no_other(op, model, shapes) -> None:
    """One that is not offered is there to be refused: nothing that is asked for is passed over."""
    if "input" not in model or not shapes[model["input"]["shape"]]["members"]:
        assert not op.request.__struct_fields__
        return
    for path, kind, shape in of_request(op, model, shapes):
        if isinstance(kind, inspect.StructType):
            fields = msgspec.structs.fields(kind.cls)
            assert {f.encode_name for f in fields} == set(shapes[shape]["members"]), path
            assert {f.encode_name for f in fields if f.required} == set(shapes[shape].get("required", ())), path
        else:
            assert isinstance(kind, XML_TYPES[shapes[shape]["type"]]), path


@pytest.mark.parametrize(("op", "model", "shapes"), each())
def test_limits_patterns_and_enumerations_are_those_of_the_model(op, model, shapes) -> None:
    for path, kind, name in of_request(op, model, shapes):
        require_modelled(path, kind, shapes[name])


@pytest.mark.parametrize(("op", "model", "shapes"), each())
def test_answers_have_the_members_and_the_types_of_the_model(op, model, shapes) -> None:
    if "output" not in model:
        assert op.response is type(None)
        return
    for path, kind, shape in of_answer(op, model, shapes):
        if isinstance(kind, inspect.StructType):
            have = {f.encode_name for f in msgspec.structs.fields(kind.cls)}
            assert have == set(shapes[shape]["members"]) - NEVER_SAID_IN_XML.get(shape, frozenset()), path
        secret = isinstance(kind, inspect.CustomType) and kind.cls is Sensitive
        assert secret or isinstance(kind, XML_TYPES[shapes[shape]["type"]]), path
        assert secret or not shapes[shape].get("sensitive") or shape == "userNameType", path


@pytest.mark.parametrize(("op", "model", "shapes"), each())
def test_no_error_is_declared_that_the_model_does_not_list(op, model, shapes) -> None:
    listed = {shapes[error["shape"]]["error"]["code"] for error in model.get("errors", ())}
    assert op.errors <= listed


def test_codes_of_tokens_have_the_statuses_of_the_model() -> None:
    errors = [shape["error"] for shape in MODELS["sts"]["shapes"].values() if "error" in shape]
    statuses = {error["code"]: error["httpStatusCode"] for error in errors}
    told = {row.code: row.status for row in STS_ERRORS.values()}
    assert statuses.keys() >= OF_TOKENS
    assert {code: told[code] for code in OF_TOKENS} == {code: statuses[code] for code in OF_TOKENS}


def test_codes_have_the_statuses_of_the_model() -> None:
    statuses = {
        shape["error"]["code"]: shape["error"]["httpStatusCode"]
        for shape in MODELS["iam"]["shapes"].values()
        if "error" in shape
    }
    told = {row.code: row.status for row in ERRORS.values()}
    assert {code: told[code] for code in told.keys() & statuses.keys()} == {
        code: statuses[code] for code in told.keys() & statuses.keys()
    }
    wanted = {"NoSuchEntity", "EntityAlreadyExists", "MalformedPolicyDocument", "LimitExceeded", "DeleteConflict"}
    assert wanted <= told.keys() & statuses.keys()


@pytest.mark.parametrize(("op", "model", "shapes"), each())
def test_what_the_model_calls_sensitive_is_not_shown_by_a_complaint(op, model, shapes) -> None:
    for path, _, shape in of_request(op, model, shapes) if "input" in model else ():
        if shapes[shape].get("sensitive"):
            assert path.rpartition(".")[2] in HIDDEN_IN_FORMS
