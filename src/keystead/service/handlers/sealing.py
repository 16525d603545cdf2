"""Leave to steer the server, for whoever comes with a token: the installation is its first tenant's to steer."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.errors import Denied
from keystead.core.operations import Nothing, TenantOperation
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome


def allow(op: TenantOperation[Nothing], targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    if not tenant.is_first:
        raise Denied("the installation is not this tenant's", op.action)
    return Outcome(answer=Nothing())


LEAVE = (
    ops.SealServer,
    ops.ReadRootKey,
    ops.ReadMetrics,
    ops.RotateRootKey,
    ops.ChangeShares,
    ops.GenerateRootToken,
)
HANDLERS: dict[type, Handler] = dict.fromkeys(LEAVE, allow)
