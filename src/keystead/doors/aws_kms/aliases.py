"""TrentService.CreateAlias, UpdateAlias, DeleteAlias, ListAliases.

Spec: KMS API Reference 2014-11-01, under these names; KMS Developer Guide, "Aliases in AWS KMS". An alias is told
from another by its bytes: no case is folded and nothing is normalized, and only ASCII can be written. The right is
asked of the key and, by an identity policy, of the alias too (service.authorize).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from keystead.core import operations as ops
from keystead.core.entities import Name
from keystead.core.errors import Denied, InvalidArgument, NotFound
from keystead.core.family import known_as
from keystead.core.operations import KeyRef, KeyringRef
from keystead.doors.aws_kms.errors import BAD_ALIAS, COMMON, RESERVED_ALIAS
from keystead.doors.aws_kms.names import ALIAS, RESERVED, arn_at, key_by_id, key_ref
from keystead.doors.aws_kms.pages import Limit, Marker, date, next_marker, place, size
from keystead.doors.aws_kms.shapes import KeyId, matching
from keystead.kit import Call, Message, operation

AliasName = Annotated[str, Meta(min_length=1, max_length=256, pattern=matching(r"^[a-zA-Z0-9:/_-]+$"))]
OF_AN_ALIAS = COMMON | {"NotFoundException", "KMSInvalidStateException", "NotAuthorizedException"}
PREFIX = "alias/"
GUIDE = "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"


def _alias(text: str) -> str:
    """A name that a caller may give or take. Raises InvalidArgument, Denied."""
    if not text.startswith(PREFIX):
        raise InvalidArgument(f'Alias must start with the prefix "{PREFIX}". Please see {GUIDE}', "AliasName")
    if text.startswith(RESERVED):
        raise Denied("the prefix is reserved", RESERVED_ALIAS)
    if ":" in text:
        raise InvalidArgument(f"{text} contains invalid characters for an alias", "AliasName")
    if ALIAS.fullmatch(text) is None:
        raise InvalidArgument(f"{text} is not a valid alias name.", BAD_ALIAS)
    return text


def _target(text: str, namespace: str) -> KeyRef:
    """The key that an alias is to mean: of the same account and region, told by its id or ARN."""
    ref = key_ref(text, namespace)
    if ref.name:
        raise InvalidArgument("Aliases must refer to keys. Not aliases", "TargetKeyId")
    if ref.namespace != namespace:
        raise NotFound("no such key here", ref)
    return ref


class CreateAliasRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    alias_name: AliasName
    target_key_id: KeyId


@operation(
    "TrentService.CreateAlias",
    errors=OF_AN_ALIAS | {"AlreadyExistsException", "InvalidAliasNameException", "LimitExceededException"},
)
def create_alias(req: CreateAliasRequest, call: Call) -> None:
    name = _alias(req.alias_name)
    call(ops.CreateName(key=_target(req.target_key_id, call.namespace), name=name))


class UpdateAliasRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    alias_name: AliasName
    target_key_id: KeyId


@operation("TrentService.UpdateAlias", errors=OF_AN_ALIAS | {"LimitExceededException"})
def update_alias(req: UpdateAliasRequest, call: Call) -> None:
    name = KeyRef(call.namespace, name=_existing(req.alias_name, call.namespace))
    call(ops.UpdateName(name=name, key=_target(req.target_key_id, call.namespace)))


class DeleteAliasRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    alias_name: AliasName


@operation("TrentService.DeleteAlias", errors=OF_AN_ALIAS)
def delete_alias(req: DeleteAliasRequest, call: Call) -> None:
    call(ops.DeleteName(name=KeyRef(call.namespace, name=_existing(req.alias_name, call.namespace))))


def _existing(text: str, namespace: str) -> str:
    """A name that could exist: a malformed one never does, and these operations have no other word for it."""
    if text.startswith(PREFIX) and not text.startswith(RESERVED) and ALIAS.fullmatch(text) is None:
        raise NotFound(f"Alias {arn_at(namespace, text)} is not found.", "AliasName")
    return _alias(text)


class AliasListEntry(Message, frozen=True, kw_only=True, rename="pascal"):
    alias_name: str
    alias_arn: str
    target_key_id: str
    creation_date: float
    last_updated_date: float


def _entry(name: Name) -> AliasListEntry:
    return AliasListEntry(
        alias_name=name.name,
        alias_arn=arn_at(name.namespace, name.name),
        target_key_id=known_as(name.key_id),
        creation_date=date(name.created_at),
        last_updated_date=date(name.updated_at),
    )


class ListAliasesRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId | None = None
    limit: Limit | None = None
    marker: Marker | None = None


class ListAliasesResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    aliases: list[AliasListEntry]
    next_marker: str | None = None
    truncated: bool


@operation(
    "TrentService.ListAliases",
    errors=COMMON | {"InvalidMarkerException", "InvalidArnException", "NotFoundException"},
)
def list_aliases(req: ListAliasesRequest, call: Call) -> ListAliasesResponse:
    page = call(
        ops.ListNames(
            keyring=KeyringRef(call.namespace),
            key=key_by_id(req.key_id, call.namespace) if req.key_id is not None else None,
            after=place(call, req.marker),
            limit=size(req.limit, default=50, most=100),
        )
    )
    return ListAliasesResponse(
        aliases=[_entry(name) for name in page.items],
        next_marker=next_marker(call, page.after),
        truncated=page.after is not None,
    )


OPERATIONS = (create_alias, update_alias, delete_alias, list_aliases)
