"""What IAM has once for each kind of principal: declared once here, and read off a table by kind.

AWS names the member after the kind (UserName, RoleName), and gives each kind an action of its own. So a message is
written with a member `name`, and every kind gets a message of its own made of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from keystead.core.entities import PrincipalKind
from keystead.core.operations import PrincipalRef
from keystead.doors.aws_kms.iam.shapes import ExistingUserName, GroupName, RoleName, UserName
from keystead.doors.aws_kms.query import reader
from keystead.kit import Call, Message, WireOperation

Q = TypeVar("Q")
A = TypeVar("A")


class KindRow(Struct, frozen=True):
    kind: PrincipalKind
    word: str  # as actions and members begin with it
    name: Any  # the type of its name, where one is looked for
    new_name: Any  # and where AWS takes no longer name than it lets one have


USER = KindRow(PrincipalKind.USER, "User", ExistingUserName, UserName)
ROLE = KindRow(PrincipalKind.ROLE, "Role", RoleName, RoleName)
GROUP = KindRow(PrincipalKind.GROUP, "Group", GroupName, GroupName)


class Answer(Message, frozen=True, kw_only=True, rename="pascal"):
    """Of an action that exists for each kind."""


class Named(Message, frozen=True, kw_only=True, rename="pascal"):
    """A request about one principal. `name` is on the wire what the kind makes of it: UserName, RoleName, GroupName."""

    kind: ClassVar[PrincipalKind]
    answer: ClassVar[Any]  # the kind's own answer, made of the one that is declared
    name: str

    def whom(self, call: Call) -> PrincipalRef:
        return PrincipalRef(call.caller.principal.tenant, self.kind, self.name)


def _of_kind(message: Any, name: str, row: KindRow, name_type: Any, **own: Any) -> Any:
    """The message with its `name` named as the kind has it; itself where it has none."""
    if "name" not in getattr(message, "__struct_fields__", ()):
        return message
    return msgspec.defstruct(
        name,
        [("name", name_type)],
        bases=(message,),
        module=__name__,
        namespace=own,
        rename={"name": f"{row.word}Name"},
        frozen=True,
        kw_only=True,
    )


def for_each(
    declared: WireOperation[Q, A], kinds: Sequence[KindRow] = (USER, ROLE, GROUP), *, new_name: bool = False
) -> Iterator[WireOperation[Any, Any]]:
    """The operation of each kind, from one declared for "Principal": iam:PutPrincipalPolicy -> iam:PutUserPolicy."""
    for row in kinds:
        name = declared.name.replace("Principal", row.word)
        action = name.partition(":")[2]
        response = _of_kind(declared.response, f"{action}Response", row, str)
        name_type = row.new_name if new_name else row.name
        request = _of_kind(declared.request, f"{action}Request", row, name_type, kind=row.kind, answer=response)
        yield replace(declared, name=name, request=request, response=response, read=reader(request))
