"""iam:CreateOpenIDConnectProvider and its kin: the issuers whose tokens sts:AssumeRoleWithWebIdentity takes.

Spec: IAM API Reference 2010-05-08, under these names. The issuer is not asked anything here: its keys are read when
the first of its tokens comes (service.credentials.keysets).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from keystead.core import operations as ops
from keystead.core.errors import InvalidArgument
from keystead.core.federation import MAX_URL, issuer_name
from keystead.core.operations import ProviderRef
from keystead.core.policy.arn import provider_arn, provider_of
from keystead.doors.aws_kms.iam.shapes import Arn, Tags, account, date
from keystead.doors.aws_kms.query import not_offered, query_operation
from keystead.kit import Call, Message

OF_A_PROVIDER = frozenset({"NoSuchEntity", "InvalidInput"})
Url = Annotated[str, Meta(min_length=1, max_length=MAX_URL)]
ClientId = Annotated[str, Meta(min_length=1, max_length=255)]
Thumbprint = Annotated[str, Meta(min_length=40, max_length=40)]
SourceKey = Annotated[str, Meta(min_length=1, max_length=128)]
TargetKey = Annotated[str, Meta(min_length=1, max_length=128)]


class KeyDefinition(Message, frozen=True, kw_only=True, rename="pascal"):
    source_key: SourceKey
    target_key: TargetKey | None = None


class ContextProvider(Message, frozen=True, kw_only=True, rename="pascal"):
    key_definition_list: Annotated[list[KeyDefinition], Meta(max_length=10)] | None = None
    subject_source_key: SourceKey
    subject_type_value: Annotated[str, Meta(max_length=128)] | None = None
    subject_type_source_key: SourceKey | None = None


class OfAProvider(
    Message, frozen=True, kw_only=True, rename={"provider_arn": "OpenIDConnectProviderArn", "client_id": "ClientID"}
):
    provider_arn: Arn

    @property
    def ref(self) -> ProviderRef:
        """Raises InvalidArgument."""
        if (found := provider_of(self.provider_arn)) is None:
            raise InvalidArgument(f"Invalid ARN: {self.provider_arn}", "issuer")
        return ProviderRef(*found)


class CreateOpenIDConnectProviderRequest(
    Message,
    frozen=True,
    kw_only=True,
    rename={
        "url": "Url",
        "client_ids": "ClientIDList",
        "thumbprints": "ThumbprintList",
        "tags": "Tags",
        "context_provider": "ContextProvider",
        "identity_center_instance_arn": "IdentityCenterInstanceArn",
    },
):
    url: Url
    client_ids: list[ClientId] | None = None
    thumbprints: list[Thumbprint] | None = None
    tags: Tags | None = None
    context_provider: ContextProvider | None = None
    identity_center_instance_arn: Annotated[str, Meta(min_length=1, max_length=1224)] | None = None


class CreateOpenIDConnectProviderResponse(
    Message, frozen=True, kw_only=True, rename={"provider_arn": "OpenIDConnectProviderArn"}
):
    provider_arn: str


@query_operation(
    "iam",
    "CreateOpenIDConnectProvider",
    errors=frozenset({"EntityAlreadyExists", "InvalidInput", "LimitExceeded"}),
)
def create_open_id_connect_provider(
    req: CreateOpenIDConnectProviderRequest, call: Call
) -> CreateOpenIDConnectProviderResponse:
    not_offered(
        tags=req.tags or None,
        context_provider=req.context_provider,
        identity_center_instance_arn=req.identity_center_instance_arn,
    )
    if (issuer := issuer_name(req.url)) is None:
        raise InvalidArgument("Invalid Open ID Connect Provider URL", "issuer")
    made = call(
        ops.CreateOidcProvider(
            tenant=account(call),
            issuer=issuer,
            client_ids=tuple(req.client_ids or ()),
            thumbprints=tuple(req.thumbprints or ()),
        )
    )
    return CreateOpenIDConnectProviderResponse(provider_arn=provider_arn(made.tenant, made.issuer))


class GetOpenIDConnectProviderRequest(OfAProvider, frozen=True, kw_only=True):
    pass


class GetOpenIDConnectProviderResponse(
    Message,
    frozen=True,
    kw_only=True,
    rename={
        "url": "Url",
        "client_ids": "ClientIDList",
        "thumbprints": "ThumbprintList",
        "create_date": "CreateDate",
    },
):
    url: str
    client_ids: list[str]
    thumbprints: list[str]
    create_date: datetime


@query_operation("iam", "GetOpenIDConnectProvider", errors=OF_A_PROVIDER)
def get_open_id_connect_provider(req: GetOpenIDConnectProviderRequest, call: Call) -> GetOpenIDConnectProviderResponse:
    """`Url` without its scheme, as AWS answers it."""
    found = call(ops.ReadOidcProvider(provider=req.ref))
    return GetOpenIDConnectProviderResponse(
        url=found.issuer,
        client_ids=list(found.client_ids),
        thumbprints=list(found.thumbprints),
        create_date=date(found.created_at),
    )


class OpenIDConnectProviderListEntry(Message, frozen=True, kw_only=True, rename="pascal"):
    arn: str


class ListOpenIDConnectProvidersRequest(Message, frozen=True, kw_only=True):
    """It has no parameters of its own."""


class ListOpenIDConnectProvidersResponse(
    Message, frozen=True, kw_only=True, rename={"providers": "OpenIDConnectProviderList"}
):
    providers: list[OpenIDConnectProviderListEntry]


@query_operation("iam", "ListOpenIDConnectProviders", errors=frozenset())
def list_open_id_connect_providers(
    _req: ListOpenIDConnectProvidersRequest, call: Call
) -> ListOpenIDConnectProvidersResponse:
    found = call(ops.ListOidcProviders(tenant=account(call)))
    arns = [provider_arn(one.tenant, one.issuer) for one in found]
    return ListOpenIDConnectProvidersResponse(providers=[OpenIDConnectProviderListEntry(arn=arn) for arn in arns])


class DeleteOpenIDConnectProviderRequest(OfAProvider, frozen=True, kw_only=True):
    pass


@query_operation("iam", "DeleteOpenIDConnectProvider", errors=OF_A_PROVIDER)
def delete_open_id_connect_provider(req: DeleteOpenIDConnectProviderRequest, call: Call) -> None:
    call(ops.DeleteOidcProvider(provider=req.ref))


class AddClientIDToOpenIDConnectProviderRequest(OfAProvider, frozen=True, kw_only=True):
    client_id: ClientId


@query_operation("iam", "AddClientIDToOpenIDConnectProvider", errors=OF_A_PROVIDER | {"LimitExceeded"})
def add_client_id_to_open_id_connect_provider(req: AddClientIDToOpenIDConnectProviderRequest, call: Call) -> None:
    call(ops.AddClientId(provider=req.ref, client_id=req.client_id))


class RemoveClientIDFromOpenIDConnectProviderRequest(OfAProvider, frozen=True, kw_only=True):
    client_id: ClientId


@query_operation("iam", "RemoveClientIDFromOpenIDConnectProvider", errors=OF_A_PROVIDER)
def remove_client_id_from_open_id_connect_provider(
    req: RemoveClientIDFromOpenIDConnectProviderRequest, call: Call
) -> None:
    call(ops.RemoveClientId(provider=req.ref, client_id=req.client_id))


class UpdateOpenIDConnectProviderThumbprintRequest(
    OfAProvider, frozen=True, kw_only=True, rename={"thumbprints": "ThumbprintList"}
):
    thumbprints: list[Thumbprint]


@query_operation("iam", "UpdateOpenIDConnectProviderThumbprint", errors=OF_A_PROVIDER)
def update_open_id_connect_provider_thumbprint(req: UpdateOpenIDConnectProviderThumbprintRequest, call: Call) -> None:
    call(ops.PutThumbprints(provider=req.ref, thumbprints=tuple(req.thumbprints)))


OPERATIONS = (
    create_open_id_connect_provider,
    get_open_id_connect_provider,
    list_open_id_connect_providers,
    delete_open_id_connect_provider,
    add_client_id_to_open_id_connect_provider,
    remove_client_id_from_open_id_connect_provider,
    update_open_id_connect_provider_thumbprint,
)
