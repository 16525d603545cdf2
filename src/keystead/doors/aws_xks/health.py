"""GetHealthStatus. The whole path of a request is walked, down to a row of the store; no key is used for it."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.doors.aws_xks.errors import ANY
from keystead.doors.aws_xks.shapes import HealthMetadata
from keystead.kit import Call, Message, operation
from keystead.version import VERSION

VENDOR, MODEL = "Keystead", f"Keystead {VERSION}"
ACTIVE = "ACTIVE"


class GetHealthStatusRequest(Message, frozen=True, kw_only=True, rename="camel"):
    request_metadata: HealthMetadata


class EkmFleetDetail(Message, frozen=True, kw_only=True, rename="camel"):
    id: str
    model: str
    health_status: str


class GetHealthStatusResponse(Message, frozen=True, kw_only=True, rename="camel"):
    xks_proxy_fleet_size: int
    xks_proxy_vendor: str
    xks_proxy_model: str
    ekm_vendor: str
    ekm_fleet_details: tuple[EkmFleetDetail, ...]


# The table gives ValidationException to all but this one, and AWS's test client asks for it here, too.
@operation("GetHealthStatus", errors=ANY | {"ValidationException"})
def get_health_status(_req: GetHealthStatusRequest, call: Call) -> GetHealthStatusResponse:
    """Who is sealed, cannot read the store or cannot record does not get here, and is not healthy."""
    call(ops.WhoAmI(tenant=ops.TenantRef(call.caller.principal.tenant)))
    one = EkmFleetDetail(id="keystead", model=MODEL, health_status=ACTIVE)
    return GetHealthStatusResponse(
        xks_proxy_fleet_size=1,
        xks_proxy_vendor=VENDOR,
        xks_proxy_model=MODEL,
        ekm_vendor=VENDOR,
        ekm_fleet_details=(one,),
    )


OPERATIONS = (get_health_status,)
