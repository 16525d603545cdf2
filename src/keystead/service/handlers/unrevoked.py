"""Whether what a token was got by is still good: a certificate may have been revoked since."""

from __future__ import annotations

from keystead.core.entities import CertificateId, Entity, Token
from keystead.core.errors import InvalidArgument, Unavailable
from keystead.core.vouching.certificates import NOT_FETCHED, UNFIT_CERTIFICATE
from keystead.crypto.chains import ids_of
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
    shown = {*ids_of(act.caller.certificates)}
    if not any(one.serial == int(serial) for one in shown):
        shown.add(CertificateId(int(serial)))  # whose it is, the token does not say: every list counts
    for one in tenant.revocation_lists(mount.uuid):
        if one.revoked is None or not one.is_current(act.now):
            raise Unavailable(NOT_FETCHED, "crls")
        if any(one.revoked.names(which) for which in shown):
            raise InvalidArgument(UNFIT_CERTIFICATE, "revoked")
    return (mount,) if settings is None else (settings,)
