"""The Query protocol of STS and IAM, on the same port: a form comes in, XML goes out.

STS API Reference 2011-06-15 and IAM API Reference 2010-05-08, "Common Errors", "Common Parameters".
Which service a request means stands in the scope of its credential; the operation in its parameter Action.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, inspect
from msgspec.structs import replace

from keystead.core import errors as e
from keystead.core.sensitive import Sensitive
from keystead.doors.aws_kms.constraints import complaint_of_form
from keystead.doors.aws_kms.credential import FLAWS, QUERY_REASONS
from keystead.kit import Call, ErrorTable, Fault, WireOperation, operation
from keystead.service.credentials.keysets import UNREACHABLE
from keystead.wire import Malformed
from keystead.wire.aws import query, sigv4

# Each begins with its letters, for which re looks fast: there may be 64 KiB of a stranger's to look through.
_ACTION = re.compile(rb"Action=(?<![^&]Action=)([A-Za-z0-9-]{1,128})(?![^&])")
_VERSION = re.compile(rb"Version=(?<![^&]Version=)([A-Za-z0-9-]{1,128})(?![^&])")
Q = TypeVar("Q")
A = TypeVar("A")


class QueryService(Struct, frozen=True):
    """A service that speaks Query."""

    name: str  # as a credential's scope writes it
    version: str
    xmlns: str


SERVICES: dict[str, QueryService] = {
    service.name: service
    for service in (
        QueryService("sts", "2011-06-15", "https://sts.amazonaws.com/doc/2011-06-15/"),
        QueryService("iam", "2010-05-08", "https://iam.amazonaws.com/doc/2010-05-08/"),
    )
}


def query_operation(
    service: str, action: str, *, errors: frozenset[str]
) -> Callable[[Callable[[Q, Call], A]], WireOperation[Q, A]]:
    """Declare the function below to be `action` of `service`; its name on record is "sts:GetCallerIdentity".

    Messages are Structs with `rename="pascal"`; parameters arrive as text and are read as the fields' types.
    """

    def declare(run: Callable[[Q, Call], A]) -> WireOperation[Q, A]:
        declared = operation(f"{service}:{action}", errors=errors)(run)
        return replace(declared, read=reader(declared.request), write=msgspec.json.encode)

    return declare


def reader(message: type[Q]) -> Callable[[bytes], Q]:
    """What reads a form as that message. It raises Malformed; InvalidArgument where it has another shape."""

    kind = inspect.type_info(message)
    fields = kind.fields if isinstance(kind, inspect.StructType) else ()
    lists = frozenset(field.encode_name for field in fields if isinstance(_present(field.type), inspect.ListType))

    def read(body: bytes) -> Q:
        tree = query.form(body)
        for name in lists & tree.keys():
            if tree[name] == "":  # Smithy, "AWS query protocol": an empty list is written so
                tree[name] = []
        try:
            return msgspec.convert(tree, message, strict=False)
        except msgspec.ValidationError as error:
            path = str(error).partition(" - at `")[2].removeprefix("$.").rstrip("`")
            words = complaint_of_form(message, tree) or f"The value of {path} is not of its type."
            raise e.InvalidArgument(words, "message") from None

    return read


def _present(kind: inspect.Type) -> inspect.Type:
    """What a member is where it is there."""
    if isinstance(kind, inspect.UnionType):
        kind = next(one for one in kind.types if not isinstance(one, inspect.NoneType))
    return kind.type if isinstance(kind, inspect.Metadata) else kind


MEMBER = "member"
"""detail of the Unsupported for a parameter that is not offered, where its action is."""


def not_offered(**members: object) -> None:
    """Raises Unsupported for the first of these that has a value: nothing that is asked for is passed over."""
    for member, value in members.items():
        if value is not None:
            name = "".join(part.capitalize() for part in member.split("_"))
            raise e.Unsupported(f"{name} is not supported.", MEMBER)


def parameters(target: bytes, body: bytes) -> bytes:
    """The form of a request: its body, or else its query without the signature (a presigned GET)."""
    query = target.partition(b"?")[2]
    if body or sigv4.is_overlong(query):
        return body
    return b"&".join(pair for pair in query.split(b"&") if not pair.lower().startswith(b"x-amz-"))


def action_of(form: bytes) -> tuple[str, str]:
    """(Action, Version) as they are written, empty where absent. Nobody is known to ask yet: the form is not read."""
    action, version = _ACTION.search(form), _VERSION.search(form)
    return action[1].decode() if action else "", version[1].decode() if version else ""


def run(operation: WireOperation[Any, Any] | None, form: bytes, call: Call) -> Any:
    """The answer of an operation. Raises Malformed; Unsupported where there is no operation."""
    if operation is None:
        query.form(form)
        raise e.Unsupported("Could not find this operation for this version.", "Action")
    return operation.run(operation.read(form), call)


def kind_of(error: Exception) -> Exception:
    """The same error as one of Keystead's kinds, where it is the codec's."""
    return e.Malformed(str(error)) if isinstance(error, Malformed) else error


def _revealed(value: Any) -> str:
    """What only the caller is told. Raises TypeError for anything that has no form in XML."""
    if type(value) is not Sensitive:
        raise TypeError(f"{type(value).__name__} has no XML form")
    return value.reveal().decode()


def result(answer: Any) -> Mapping[str, Any] | None:
    """A response message as the tree that wire.aws.query.response takes; None for an action that answers nothing."""
    if answer is None:
        return None
    tree = msgspec.to_builtins(answer, builtin_types=(datetime,), enc_hook=_revealed)
    assert isinstance(tree, dict)  # noqa: S101 - a Struct
    return tree


ERRORS: ErrorTable = {
    e.Malformed: Fault("MalformedInput", 400),
    e.InvalidArgument: Fault("ValidationError", 400),
    e.Unauthenticated: Fault("InvalidClientTokenId", 403),
    **{(e.Unauthenticated, reason): Fault(*said) for reason, said in (QUERY_REASONS | FLAWS).items()},
    e.Denied: Fault("AccessDenied", 403),
    e.NotApproved: Fault("AccessDenied", 403),
    e.NotFound: Fault("ValidationError", 400),
    e.AlreadyExists: Fault("EntityAlreadyExists", 409),
    e.Conflict: Fault("ConcurrentModification", 409),
    e.WrongState: Fault("ValidationError", 400),
    e.WrongUsage: Fault("ValidationError", 400),
    e.Unsupported: Fault("InvalidAction", 400),
    (e.Unsupported, MEMBER): Fault("ValidationError", 400),
    e.DecryptionFailed: Fault("ValidationError", 400),
    e.LimitExceeded: Fault("LimitExceeded", 409),
    e.RateLimited: Fault("Throttling", 400),
    e.Sealed: Fault("ServiceUnavailable", 503),
    e.Unavailable: Fault("ServiceUnavailable", 503),
    (e.Unavailable, UNREACHABLE): Fault("IDPCommunicationError", 400),
    e.Internal: Fault("InternalFailure", 500),
    e.DryRun: Fault("ValidationError", 400),
}
