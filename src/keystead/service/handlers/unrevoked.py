"""Whether what a token was got by is still good: a certificate may have been revoked since."""

from __future__ import annotations

from keystead.core.entities import Entity, Token
from keystead.core.errors import InvalidArgument, Unavailable
from keystead.core.vouching.certificates import NOT_FETCHED, UNFIT_CERTIFICATE
from keystead.crypto.chains import serials_of
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act

SERIAL = "serial_number"
"""Of a token's metadata: the number of the certificate that it was got by (core.vouching.certificates)."""


def require_unrevoked(tenant: HeldTenant, token: Token, act: Act) -> tuple[Entity, ...]:
    """Of a token that was got by a certificate: that it is not revoked, nor what is shown now.

    What that rests on. Raises InvalidArgument; Unavailable where a list cannot be had.
    """
    serial = token.meta.get(SERIAL, "")
    mount = tenant.got_at(token) if serial else None
    if mount is None or mount.engine != "cert":
        return ()
    settings = tenant.login_settings(mount)
    shown = {int(serial), *serials_of(act.caller.certificates)}
    for one in tenant.revocation_lists(mount.uuid):
        if one.revoked is None or not one.is_current(act.now):
            raise Unavailable(NOT_FETCHED, "crls")
        if any(number in one.revoked for number in shown):
            raise InvalidArgument(UNFIT_CERTIFICATE, "revoked")
    return (mount,) if settings is None else (settings,)
