"""The system principal, for installations that are not made by service.bootstrap."""

from datetime import datetime

from keystead.core.entities import Principal, PrincipalKind
from keystead.service.barrier import Barrier
from keystead.service.bootstrap import SCHEDULER, SYSTEM_TENANT, principal_digest


def system(barrier: Barrier, now: datetime) -> Principal:
    """To be put; whatever is recorded by itself is recorded as its doing."""
    digest = principal_digest(barrier, SYSTEM_TENANT, PrincipalKind.SYSTEM, SCHEDULER)
    return Principal(
        id="system",
        tenant=SYSTEM_TENANT,
        principal_kind=PrincipalKind.SYSTEM,
        name=SCHEDULER,
        name_digest=digest,
        created_at=now,
    )
