"""TrentService.CreateGrant, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant.

Spec: KMS API Reference 2014-11-01, under these names, "GrantConstraints" and "GrantListEntry"; KMS Developer Guide,
"Grants in AWS KMS".

Deviations (SPEC.md)
  service principals, SourceArn   UnsupportedOperationException: no AWS service acts for anybody here.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from msgspec import Meta

from keystead.core import operations as ops
from keystead.core.actions import ACTIONS, Action
from keystead.core.entities import Grant
from keystead.core.errors import InvalidArgument, Unsupported
from keystead.core.family import known_as
from keystead.core.grant_token import INVALID, address_of
from keystead.core.operations import KeyRef, Page, TenantRef
from keystead.doors.aws_kms.errors import BAD_GRANT_ID, COMMON
from keystead.doors.aws_kms.keys import OF_A_MANAGED_KEY
from keystead.doors.aws_kms.names import arn_at, key_by_id, region_of
from keystead.doors.aws_kms.pages import Limit, Marker, date, next_marker, place, size
from keystead.doors.aws_kms.shapes import GrantToken, GrantTokens, KeyId, matching, missing
from keystead.kit import Call, Message, operation

PrincipalId = Annotated[str, Meta(min_length=1, max_length=256, pattern=matching(r"^[\w+=,.@:/-]+$"))]
ServicePrincipal = Annotated[
    str,
    Meta(min_length=1, max_length=128, pattern=matching(r"^([A-Za-z0-9\-]+)\.([A-Za-z0-9\-]+)(\.[A-Za-z0-9\-]+)+$")),
]
GrantId = Annotated[str, Meta(min_length=1, max_length=128)]
GrantName = Annotated[str, Meta(min_length=1, max_length=256, pattern=matching(r"^[a-zA-Z0-9:/_-]+$"))]
SourceArn = Annotated[
    str,
    Meta(min_length=20, max_length=512, pattern=matching(r"^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$")),
]
GrantOperation = Literal[
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "Verify",
    "GetPublicKey",
    "CreateGrant",
    "RetireGrant",
    "DescribeKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateMac",
    "VerifyMac",
    "DeriveSharedSecret",
    "Encapsulate",
    "Decapsulate",
]
GRANTABLE: dict[str, Action] = {
    row.aws.removeprefix("kms:"): row.action for row in ACTIONS.values() if row.grantable and row.aws is not None
}
WORDS = {action.value: word for word, action in GRANTABLE.items()}
MAX_PAIRS, MAX_VALUE = 8, 384  # of a constraint; CreateGrant, Constraints
_ID = re.compile(r"[0-9a-f]{64}")


def _grant_id(text: str) -> str:
    """Raises InvalidArgument (BAD_GRANT_ID)."""
    if _ID.fullmatch(text) is None:
        raise InvalidArgument(f"Invalid grant ID {text}", BAD_GRANT_ID)
    return text


def _constraint(pairs: dict[str, str] | None) -> dict[str, str] | None:
    """None for an empty one, which AWS takes for none: Terraform always writes both. Raises InvalidArgument."""
    if not pairs:
        return None
    if len(pairs) > MAX_PAIRS:
        raise InvalidArgument(f"A grant constraint has at most {MAX_PAIRS} pairs.", "Constraints")
    if any(len(value) > MAX_VALUE for value in pairs.values()):
        raise InvalidArgument(f"A value in a grant constraint has at most {MAX_VALUE} characters.", "Constraints")
    return pairs


def _no_service(principal: str | None, service: str | None, which: str) -> None:
    """Raises InvalidArgument, Unsupported. `which`: "Grantee" or "Retiring"."""
    if service is None:
        return
    if principal is not None:
        words = f"You can specify either {which}Principal or {which}ServicePrincipal, but not both."
        raise InvalidArgument(words, f"{which}ServicePrincipal")
    raise Unsupported("Service principals are not supported.", f"{which}ServicePrincipal")


class GrantConstraints(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    encryption_context_subset: dict[str, str] | None = None
    encryption_context_equals: dict[str, str] | None = None
    source_arn: SourceArn | None = None


NO_CONSTRAINTS = GrantConstraints()


class CreateGrantRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    grantee_principal: PrincipalId | None = None
    retiring_principal: PrincipalId | None = None
    operations: list[GrantOperation]
    constraints: GrantConstraints | None = None
    grant_tokens: GrantTokens | None = None
    name: GrantName | None = None
    dry_run: bool | None = None
    grantee_service_principal: ServicePrincipal | None = None
    retiring_service_principal: ServicePrincipal | None = None


class CreateGrantResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    grant_token: str
    grant_id: str


@operation(
    "TrentService.CreateGrant",
    errors=OF_A_MANAGED_KEY
    | {"DisabledException", "InvalidGrantTokenException", "LimitExceededException", "DryRunOperationException"},
)
def create_grant(req: CreateGrantRequest, call: Call) -> CreateGrantResponse:
    _no_service(req.grantee_principal, req.grantee_service_principal, "Grantee")
    _no_service(req.retiring_principal, req.retiring_service_principal, "Retiring")
    constraints = req.constraints or NO_CONSTRAINTS
    if constraints.source_arn is not None:
        raise Unsupported("The SourceArn constraint is not supported.", "SourceArn")
    if req.grantee_principal is None:
        raise missing("granteePrincipal")
    equals = _constraint(constraints.encryption_context_equals)
    subset = _constraint(constraints.encryption_context_subset)
    if equals and subset:
        raise InvalidArgument("More than one constraint supplied", "Constraints")
    made = call(
        ops.CreateGrant(
            key=key_by_id(req.key_id, call.namespace),
            grantee=req.grantee_principal,
            retiree=req.retiring_principal,
            actions=tuple(GRANTABLE[word] for word in req.operations),
            context_equals=equals,
            context_subset=subset,
            name=req.name,
            dry_run=bool(req.dry_run),
            grant_tokens=tuple(req.grant_tokens or ()),
        )
    )
    return CreateGrantResponse(grant_token=made.token, grant_id=made.grant.id)


class GrantListEntry(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    key_id: str  # the key ARN
    grant_id: str
    name: str  # "" for a grant without one
    creation_date: float
    grantee_principal: str
    retiring_principal: str | None = None
    issuing_account: str
    operations: list[str]
    constraints: GrantConstraints | None = None


def _entry(grant: Grant, namespace: str) -> GrantListEntry:
    """`namespace`: the address of the key's keyring."""
    constraints = GrantConstraints(
        encryption_context_equals=grant.context_equals, encryption_context_subset=grant.context_subset
    )
    return GrantListEntry(
        key_id=arn_at(namespace, f"key/{known_as(grant.key_id)}"),
        grant_id=grant.id,
        name=grant.name or "",
        creation_date=date(grant.created_at),
        grantee_principal=grant.grantee,
        retiring_principal=grant.retiree,
        issuing_account=f"arn:aws:iam::{grant.issued_by}:root",
        operations=[WORDS[action] for action in grant.actions],
        constraints=constraints if constraints != NO_CONSTRAINTS else None,
    )


class ListGrantsRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    limit: Limit | None = None
    marker: Marker | None = None
    key_id: KeyId
    grant_id: GrantId | None = None
    grantee_principal: PrincipalId | None = None
    grantee_service_principal: ServicePrincipal | None = None


class ListGrantsResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    grants: list[GrantListEntry]
    next_marker: str | None = None
    truncated: bool


@operation("TrentService.ListGrants", errors=OF_A_MANAGED_KEY | {"InvalidMarkerException", "InvalidGrantIdException"})
def list_grants(req: ListGrantsRequest, call: Call) -> ListGrantsResponse:
    _no_service(req.grantee_principal, req.grantee_service_principal, "Grantee")
    key = key_by_id(req.key_id, call.namespace)
    page = call(
        ops.ListGrants(
            key=key,
            grant_id=_grant_id(req.grant_id) if req.grant_id is not None else None,
            grantee=req.grantee_principal,
            after=place(call, req.marker),
            limit=size(req.limit, default=50, most=100),
        )
    )
    return _listed([_entry(grant, key.namespace) for grant in page.items], page, call)


def _listed(entries: list[GrantListEntry], page: Page[Any], call: Call) -> ListGrantsResponse:
    return ListGrantsResponse(
        grants=entries, next_marker=next_marker(call, page.after), truncated=page.after is not None
    )


class ListRetirableGrantsRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    limit: Limit | None = None
    marker: Marker | None = None
    retiring_principal: PrincipalId | None = None
    retiring_service_principal: ServicePrincipal | None = None


@operation(
    "TrentService.ListRetirableGrants",
    errors=COMMON | {"InvalidMarkerException", "InvalidArnException", "NotFoundException"},
)
def list_retirable_grants(req: ListRetirableGrantsRequest, call: Call) -> ListGrantsResponse:
    _no_service(req.retiring_principal, req.retiring_service_principal, "Retiring")
    if req.retiring_principal is None:
        raise missing("retiringPrincipal")
    page = call(
        ops.ListRetirableGrants(
            tenant=TenantRef(call.caller.principal.tenant),
            retiree=req.retiring_principal,
            namespace=call.namespace,
            after=place(call, req.marker),
            limit=size(req.limit, default=50, most=100),
        )
    )
    return _listed([_entry(placed.grant, placed.namespace) for placed in page.items], page, call)


class RetireGrantRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    grant_token: GrantToken | None = None
    key_id: KeyId | None = None
    grant_id: GrantId | None = None
    dry_run: bool | None = None


@operation(
    "TrentService.RetireGrant",
    errors=OF_A_MANAGED_KEY | {"InvalidGrantTokenException", "InvalidGrantIdException", "DryRunOperationException"},
)
def retire_grant(req: RetireGrantRequest, call: Call) -> None:
    key, grant_id, tokens = _retired(req, call.namespace)
    call(ops.RetireGrant(key=key, grant_id=grant_id, grant_tokens=tokens, dry_run=bool(req.dry_run)))


def _retired(req: RetireGrantRequest, namespace: str) -> tuple[KeyRef, str, tuple[str, ...]]:
    """The grant to retire: by its token, or else by its id and its key. Raises InvalidArgument."""
    if req.grant_token is None:
        if req.key_id is None or req.grant_id is None:
            raise InvalidArgument("You must specify either a GrantToken or a KeyId with a GrantId.", "GrantToken")
        return key_by_id(req.key_id, namespace), _grant_id(req.grant_id), ()
    if req.key_id is not None or req.grant_id is not None:
        raise InvalidArgument("You cannot specify a GrantToken with a KeyId or a GrantId.", "GrantToken")
    at, key_id, grant_id = address_of(req.grant_token)
    if region_of(at) != region_of(namespace):
        raise InvalidArgument("the grant is in another region", INVALID)
    return key_by_id(arn_at(at, f"key/{key_id}"), namespace), _grant_id(grant_id), (req.grant_token,)


class RevokeGrantRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    key_id: KeyId
    grant_id: GrantId
    dry_run: bool | None = None


@operation(
    "TrentService.RevokeGrant",
    errors=OF_A_MANAGED_KEY | {"InvalidGrantIdException", "DryRunOperationException"},
)
def revoke_grant(req: RevokeGrantRequest, call: Call) -> None:
    call(
        ops.RevokeGrant(
            key=key_by_id(req.key_id, call.namespace), grant_id=_grant_id(req.grant_id), dry_run=bool(req.dry_run)
        )
    )


OPERATIONS = (create_grant, list_grants, list_retirable_grants, retire_grant, revoke_grant)
