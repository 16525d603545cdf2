"""What a token is renewed by: who let its bearer in, as they are now. OpenBao, pathLoginRenew of each auth method."""

from __future__ import annotations

from msgspec.structs import replace

from keystead.core.entities import Account, Entity, Mount, Token
from keystead.core.errors import InvalidArgument
from keystead.service.handlers.tokenparts import DEFAULT_FOR, least, names
from keystead.service.held import HeldTenant

NAMED = {
    "approle": "role_name",
    "cert": "cert_name",
    "jwt": "role",
    "kubernetes": "role",
    "oidc": "role",
    "userpass": "username",
}
"""Engine -> what of a token's metadata is the name of the role or user that it was got by."""
OF_POLICIES = frozenset({"cert", "userpass"})
"""Those that renew no token whose policies are others now."""
_REFUSED = "failed to renew entry: "


def as_it_is_now(token: Token, tenant: HeldTenant) -> tuple[Token, int, tuple[Entity, ...]]:
    """(the token with what bounds it now, seconds that it is renewed for where nobody asks, what that rests on)

    Raises InvalidArgument where whoever let in is gone, or gives other policies.
    """
    if token.role:
        return _by_role(token, tenant)
    mount = tenant.got_at(token) if token.mount else None
    name = token.meta.get(NAMED.get(mount.engine, ""), "") if mount is not None else ""
    if mount is None or not name:
        return token, last(token), ()
    if (account := tenant.account(mount, name)) is None:
        what = "user" if mount.engine == "userpass" else "role"
        raise InvalidArgument(f'{_REFUSED}{what} "{name}" does not exist during renewal', "token")
    return _by_account(token, mount, account)


def _by_role(token: Token, tenant: HeldTenant) -> tuple[Token, int, tuple[Entity, ...]]:
    if (role := tenant.made_by(token)) is None:
        words = f'original token role "{token.role}" could not be found, not renewing'
        raise InvalidArgument(f"{_REFUSED}{words}", "token")
    most = least(token.explicit_max_ttl, role.explicit_max_ttl)
    return replace(token, period=role.period, explicit_max_ttl=most), last(token), (role,)


def _by_account(token: Token, mount: Mount, account: Account) -> tuple[Token, int, tuple[Entity, ...]]:
    terms = account.terms
    if mount.engine in OF_POLICIES and names(terms.policies) - {"default"} != {*token.policies} - {"default"}:
        raise InvalidArgument(f"{_REFUSED}policies have changed, not renewing", "policies")
    usual = terms.ttl or mount.default_lease_for or DEFAULT_FOR
    return replace(token, period=terms.period, max_ttl=terms.max_ttl), usual, (account,)


def last(token: Token) -> int:
    """Seconds that it was given when it was made, or renewed."""
    if token.renewed_at is None or token.expires_at is None:
        return token.ttl
    return int((token.expires_at - token.renewed_at).total_seconds())
