"""TrentService.CreateCustomKeyStore and its kin: key stores behind an XKS proxy, and HSMs as AWS CloudHSM clusters.

Spec: KMS API Reference 2014-11-01, under these names, and "CustomKeyStoresListEntry"; botocore data/kms/2014-11-01/
service-2.json; XKS Proxy API specification 1.0.3.

Deviations (SPEC.md)
  type AWS_CLOUDHSM      a cluster is an HSM of the operator's configuration (docs/adr/0034).
  ConnectCustomKeyStore  done when it answers: there is neither CONNECTING nor DISCONNECTING.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from keystead.core import operations as ops
from keystead.core.errors import InvalidArgument
from keystead.core.keystores import Connection, Connectivity, KeyStore, Proxy, Trouble
from keystead.core.operations import KeyringRef, KeyStoreRef
from keystead.core.sensitive import Sensitive
from keystead.doors.aws_kms.errors import COMMON, PROXY
from keystead.doors.aws_kms.pages import Limit, Marker, date, next_marker, place, size
from keystead.doors.aws_kms.shapes import KeyStoreId, matching, missing
from keystead.kit import Call, Message, operation

StoreName = Annotated[str, Meta(min_length=1, max_length=256)]
StoreType = Literal["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"]
ClusterId = Annotated[str, Meta(min_length=19, max_length=24, pattern=matching(r"cluster-[2-7a-zA-Z]{11,16}"))]
TrustAnchor = Annotated[str, Meta(min_length=1, max_length=5000)]
Password = Annotated[str, Meta(min_length=7, max_length=32)]
Endpoint = Annotated[str, Meta(min_length=10, max_length=128, pattern=matching(r"^https://[a-zA-Z0-9.-]+$"))]
UriPath = Annotated[
    str,
    Meta(
        min_length=10,
        max_length=128,
        pattern=matching(
            r"^(/[a-zA-Z0-9\/_-]+/kms/xks/v\d{1,2})$|^(/kms/xks/v\d{1,2})$",
            r"(?:/[a-zA-Z0-9/_-]+)?/kms/xks/v[0-9]{1,2}",
        ),
    ),
]
ServiceName = Annotated[
    str,
    Meta(
        min_length=20,
        max_length=64,
        pattern=matching(r"^(com|eu)\.amazonaws\.vpce\.([a-z]+-){2,3}\d+\.vpce-svc-[0-9a-z]+$"),
    ),
]
ServiceOwner = Annotated[str, Meta(min_length=12, max_length=12, pattern=matching(r"[0-9]{12}"))]
ConnectivityName = Literal["PUBLIC_ENDPOINT", "VPC_ENDPOINT_SERVICE"]
CONNECTIVITIES = {"PUBLIC_ENDPOINT": Connectivity.PUBLIC, "VPC_ENDPOINT_SERVICE": Connectivity.VPC}
CONNECTIVITY_NAMES = {connectivity: name for name, connectivity in CONNECTIVITIES.items()}
HTTPS = "https://"
OF_A_STORE = COMMON | {"CustomKeyStoreNotFoundException", "CustomKeyStoreInvalidStateException"}

# KMS API Reference, CustomKeyStoresListEntry: ConnectionErrorCode
CONNECTION_ERRORS: dict[Trouble, str] = {
    Trouble.UNAUTHENTICATED: "INVALID_CREDENTIALS",
    Trouble.DENIED: "XKS_PROXY_ACCESS_DENIED",
    Trouble.BAD_PATH: "XKS_PROXY_INVALID_CONFIGURATION",
    Trouble.INSECURE: "XKS_PROXY_INVALID_TLS_CONFIGURATION",
    Trouble.LATE: "XKS_PROXY_TIMED_OUT",
    Trouble.DEPENDENCY: "XKS_PROXY_TIMED_OUT",
    Trouble.UNREACHABLE: "XKS_PROXY_NOT_REACHABLE",
    Trouble.EXHAUSTED: "XKS_PROXY_NOT_REACHABLE",
    Trouble.THROTTLED: "XKS_PROXY_NOT_REACHABLE",
}
OTHERWISE = "XKS_PROXY_INVALID_RESPONSE"
CLUSTER_ERRORS: dict[Trouble, str] = {
    Trouble.UNAUTHENTICATED: "INVALID_CREDENTIALS",
    Trouble.LOCKED: "USER_LOCKED_OUT",
    Trouble.NO_HSM: "CLUSTER_NOT_FOUND",
    Trouble.AWAY: "INSUFFICIENT_CLOUDHSM_HSMS",
}
OTHERWISE_OF_A_CLUSTER = "INTERNAL_ERROR"
CLUSTER = frozenset({"CloudHsmClusterNotActiveException", "CloudHsmClusterInvalidConfigurationException"})
"""What acts on a key store may answer of the cluster that it is."""
NO_CLUSTER = "CloudHsmClusterNotFoundException"


class XksProxyAuthenticationCredential(Message, frozen=True, kw_only=True, rename="pascal"):
    access_key_id: Annotated[str, Meta(min_length=20, max_length=30, pattern=matching(r"^[A-Z2-7]+$"))]
    raw_secret_access_key: Annotated[str, Meta(min_length=43, max_length=64, pattern=matching(r"^[a-zA-Z0-9\/+=]+$"))]


class StoreMembers(Message, frozen=True, kw_only=True, rename="pascal"):
    """What a store is made with, and may be given anew."""

    cloud_hsm_cluster_id: ClusterId | None = None
    key_store_password: Password | None = None
    xks_proxy_uri_endpoint: Endpoint | None = None
    xks_proxy_uri_path: UriPath | None = None
    xks_proxy_vpc_endpoint_service_name: ServiceName | None = None
    xks_proxy_vpc_endpoint_service_owner: ServiceOwner | None = None
    xks_proxy_authentication_credential: XksProxyAuthenticationCredential | None = None
    xks_proxy_connectivity: ConnectivityName | None = None


class CreateCustomKeyStoreRequest(StoreMembers, frozen=True, kw_only=True, rename="pascal"):
    custom_key_store_name: StoreName
    trust_anchor_certificate: TrustAnchor | None = None
    custom_key_store_type: StoreType | None = None


class CreateCustomKeyStoreResponse(Message, frozen=True, kw_only=True, rename="pascal"):
    custom_key_store_id: str


@operation(
    "TrentService.CreateCustomKeyStore",
    errors=COMMON
    | PROXY
    | CLUSTER
    | {"CustomKeyStoreNameInUseException", "LimitExceededException", NO_CLUSTER}
    | {"CloudHsmClusterInUseException", "IncorrectTrustAnchorException"},
)
def create_custom_key_store(req: CreateCustomKeyStoreRequest, call: Call) -> CreateCustomKeyStoreResponse:
    external = req.custom_key_store_type == "EXTERNAL_KEY_STORE"
    _alone(req, external=external)
    if not external:
        return CreateCustomKeyStoreResponse(custom_key_store_id=_of_a_cluster(req, call).id)
    connectivity = CONNECTIVITIES[_given(req.xks_proxy_connectivity, "xksProxyConnectivity")]
    endpoint = _given(req.xks_proxy_uri_endpoint, "xksProxyUriEndpoint")
    path = _given(req.xks_proxy_uri_path, "xksProxyUriPath")
    credential = req.xks_proxy_authentication_credential
    if credential is None:
        raise missing("xksProxyAuthenticationCredential")
    vpc = connectivity is Connectivity.VPC
    if vpc:
        _given(req.xks_proxy_vpc_endpoint_service_name, "xksProxyVpcEndpointServiceName")
    made = call(
        ops.CreateKeyStore(
            keyring=KeyringRef(call.namespace),
            name=req.custom_key_store_name,
            proxy=Proxy(
                host=host_of(endpoint),
                path=path,
                connectivity=connectivity,
                service_name=req.xks_proxy_vpc_endpoint_service_name or "",
                service_owner=req.xks_proxy_vpc_endpoint_service_owner or (call.caller.principal.tenant if vpc else ""),
            ),
            credential=_credential(credential),
        )
    )
    return CreateCustomKeyStoreResponse(custom_key_store_id=made.id)


def host_of(endpoint: str) -> str:
    """A domain name is one whatever its case (RFC 4343)."""
    return endpoint.removeprefix(HTTPS).lower()


def _given(value: str | None, member: str) -> str:
    if value is None:
        raise missing(member)
    return value


def _credential(given: XksProxyAuthenticationCredential) -> ops.ProxySecret:
    return ops.ProxySecret(given.access_key_id, Sensitive(given.raw_secret_access_key.encode()))


CLOUDHSM_MEMBERS = ("cloud_hsm_cluster_id", "trust_anchor_certificate", "key_store_password")
XKS_MEMBERS = tuple(name for name in CreateCustomKeyStoreRequest.__struct_fields__ if name.startswith("xks_"))


def _alone(req: CreateCustomKeyStoreRequest, *, external: bool) -> None:
    """Raises InvalidArgument for a member of the other type of key store."""
    for name in CLOUDHSM_MEMBERS if external else XKS_MEMBERS:
        if getattr(req, name) is not None:
            kind = "AWS CloudHSM" if external else "external"
            raise InvalidArgument(f"{name.replace('_', ' ')} is of {kind} key stores.", name)


def _of_a_cluster(req: CreateCustomKeyStoreRequest, call: Call) -> KeyStore:
    return call(
        ops.CreateHsmKeyStore(
            keyring=KeyringRef(call.namespace),
            name=req.custom_key_store_name,
            cluster=_given(req.cloud_hsm_cluster_id, "cloudHsmClusterId"),
            trust_anchor=_given(req.trust_anchor_certificate, "trustAnchorCertificate"),
            password=Sensitive(_given(req.key_store_password, "keyStorePassword").encode()),
        )
    )


class CustomKeyStoreRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    custom_key_store_id: KeyStoreId


class Done(Message, frozen=True):
    """An object without members."""


@operation("TrentService.ConnectCustomKeyStore", errors=OF_A_STORE | CLUSTER)
def connect_custom_key_store(req: CustomKeyStoreRequest, call: Call) -> Done:
    """Answers so too where no connection came about: the store says why (DescribeCustomKeyStores)."""
    call(ops.ConnectKeyStore(store=KeyStoreRef(call.namespace, req.custom_key_store_id)))
    return Done()


@operation("TrentService.DisconnectCustomKeyStore", errors=OF_A_STORE)
def disconnect_custom_key_store(req: CustomKeyStoreRequest, call: Call) -> Done:
    call(ops.DisconnectKeyStore(store=KeyStoreRef(call.namespace, req.custom_key_store_id)))
    return Done()


@operation("TrentService.DeleteCustomKeyStore", errors=OF_A_STORE | {"CustomKeyStoreHasCMKsException"})
def delete_custom_key_store(req: CustomKeyStoreRequest, call: Call) -> Done:
    call(ops.DeleteKeyStore(store=KeyStoreRef(call.namespace, req.custom_key_store_id)))
    return Done()


class UpdateCustomKeyStoreRequest(StoreMembers, frozen=True, kw_only=True, rename="pascal"):
    custom_key_store_id: KeyStoreId
    new_custom_key_store_name: StoreName | None = None


@operation(
    "TrentService.UpdateCustomKeyStore",
    errors=OF_A_STORE
    | PROXY
    | CLUSTER
    | {"CustomKeyStoreNameInUseException", "CloudHsmClusterNotRelatedException", NO_CLUSTER},
)
def update_custom_key_store(req: UpdateCustomKeyStoreRequest, call: Call) -> Done:
    credential, endpoint = req.xks_proxy_authentication_credential, req.xks_proxy_uri_endpoint
    call(
        ops.UpdateKeyStore(
            store=KeyStoreRef(call.namespace, req.custom_key_store_id),
            name=req.new_custom_key_store_name,
            host=host_of(endpoint) if endpoint is not None else None,
            path=req.xks_proxy_uri_path,
            connectivity=CONNECTIVITIES[req.xks_proxy_connectivity] if req.xks_proxy_connectivity else None,
            service_name=req.xks_proxy_vpc_endpoint_service_name,
            service_owner=req.xks_proxy_vpc_endpoint_service_owner,
            credential=_credential(credential) if credential is not None else None,
            cluster=req.cloud_hsm_cluster_id,
            password=Sensitive(req.key_store_password.encode()) if req.key_store_password is not None else None,
        )
    )
    return Done()


class XksProxyConfiguration(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    connectivity: str
    access_key_id: str
    uri_endpoint: str
    uri_path: str
    vpc_endpoint_service_name: str | None = None
    vpc_endpoint_service_owner: str | None = None


class CustomKeyStoresListEntry(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    custom_key_store_id: str
    custom_key_store_name: str
    cloud_hsm_cluster_id: str | None = None
    trust_anchor_certificate: str | None = None
    connection_state: str
    connection_error_code: str | None = None
    creation_date: float
    custom_key_store_type: str
    xks_proxy_configuration: XksProxyConfiguration | None = None


class DescribeCustomKeyStoresRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    custom_key_store_id: KeyStoreId | None = None
    custom_key_store_name: StoreName | None = None
    limit: Limit | None = None
    marker: Marker | None = None


class DescribeCustomKeyStoresResponse(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    custom_key_stores: list[CustomKeyStoresListEntry]
    next_marker: str | None = None
    truncated: bool


@operation(
    "TrentService.DescribeCustomKeyStores",
    errors=COMMON | {"CustomKeyStoreNotFoundException", "InvalidMarkerException"},
)
def describe_custom_key_stores(req: DescribeCustomKeyStoresRequest, call: Call) -> DescribeCustomKeyStoresResponse:
    if req.custom_key_store_id is not None and req.custom_key_store_name is not None:
        raise InvalidArgument("Specify CustomKeyStoreId or CustomKeyStoreName, but not both.", "CustomKeyStoreId")
    page = call(
        ops.ListKeyStores(
            keyring=KeyringRef(call.namespace),
            id=req.custom_key_store_id,
            name=req.custom_key_store_name,
            after=place(call, req.marker),
            limit=size(req.limit, default=1000, most=1000),
        )
    )
    return DescribeCustomKeyStoresResponse(
        custom_key_stores=[entry(store) for store in page.items],
        next_marker=next_marker(call, page.after),
        truncated=page.after is not None,
    )


def entry(store: KeyStore) -> CustomKeyStoresListEntry:
    cluster = store.cluster
    return CustomKeyStoresListEntry(
        custom_key_store_id=store.id,
        custom_key_store_name=store.name,
        cloud_hsm_cluster_id=cluster.id if cluster else None,
        trust_anchor_certificate=cluster.trust_anchor if cluster else None,
        connection_state=store.connection.name,
        connection_error_code=_error_code(store),
        creation_date=date(store.created_at),
        custom_key_store_type="AWS_CLOUDHSM" if cluster else "EXTERNAL_KEY_STORE",
        xks_proxy_configuration=None if cluster else _proxy(store),
    )


def _error_code(store: KeyStore) -> str | None:
    if store.connection is not Connection.FAILED or store.failure is None:
        return None
    if store.cluster is not None:
        return CLUSTER_ERRORS.get(store.failure, OTHERWISE_OF_A_CLUSTER)
    return CONNECTION_ERRORS.get(store.failure, OTHERWISE)


def _proxy(store: KeyStore) -> XksProxyConfiguration:
    proxy = store.proxy
    return XksProxyConfiguration(
        connectivity=CONNECTIVITY_NAMES[proxy.connectivity],
        access_key_id=store.access_key_id,
        uri_endpoint=HTTPS + proxy.host,
        uri_path=proxy.path,
        vpc_endpoint_service_name=proxy.service_name or None,
        vpc_endpoint_service_owner=proxy.service_owner or None,
    )


OPERATIONS = (
    create_custom_key_store,
    connect_custom_key_store,
    disconnect_custom_key_store,
    update_custom_key_store,
    delete_custom_key_store,
    describe_custom_key_stores,
)
