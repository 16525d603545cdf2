"""The token of a login: drawn up by what let its bearer in, and made once that is enough."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.entities import Entity, Mount, Token, TokenTerms
from keystead.core.errors import InvalidArgument
from keystead.core.operations import Capped, MadeToken
from keystead.service.credentials.token import digest
from keystead.service.handlers.tokenparts import (
    BATCH,
    accessor,
    batch_of,
    kind_of,
    lasting,
    least,
    names,
    new_text,
    suffixed,
)
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act
from keystead.service.rights import ROOT_POLICY


class Drawn(Struct, frozen=True):
    """A token as it is to be: without text, id and accessor, and its times are those of when it is made."""

    token: Token
    capped: Capped | None


def short(mount: Mount) -> str:
    """The name of a mount in that of a token."""
    return mount.id.split(":", 2)[2].replace("/", "-")


def drawn(
    mount: Mount, terms: TokenTerms, act: Act, path: str, display_name: str, meta: dict[str, str], entity: str
) -> Drawn:
    """Raises InvalidArgument."""
    wanted = names(terms.policies)
    if ROOT_POLICY in wanted:
        raise InvalidArgument("auth methods cannot create root tokens", "policies")
    if terms.with_default:
        wanted.add("default")
    most = least(terms.explicit_max_ttl, terms.max_ttl)
    ttl, capped = lasting(terms.ttl, terms.period, most, is_root=False, at=mount)
    token = Token(
        id="",
        tenant=mount.tenant,
        accessor="",
        policies=tuple(sorted(wanted)),
        entity=entity,
        display_name=display_name,
        meta=meta,
        path=path,
        created_at=act.now,
        ttl=ttl,
        period=terms.period,
        explicit_max_ttl=terms.explicit_max_ttl,
        max_ttl=terms.max_ttl,
        mount=mount.uuid,
        n_uses=terms.n_uses,
        renewable=True,
        bound_cidrs=_bound(terms, act.caller.source),
        is_batch=kind_of(mount.made_as, terms.made_as.removeprefix("default")) == BATCH,
    )
    return Drawn(token, capped)


def _bound(terms: TokenTerms, source: str) -> tuple[str, ...]:
    """Where the token is good from. Raises InvalidArgument where it is to be bound to an address and there is none."""
    if not terms.binds_ip:
        return terms.bound_cidrs
    try:
        return (str(ip_address(source)),)
    except ValueError:
        words = "a login that is bound to an address has to come from one"
        raise InvalidArgument(words, "token_strictly_bind_ip") from None


def made_of(tenant: HeldTenant, one: Drawn, act: Act, identity: tuple[str, ...]) -> MadeToken:
    """`identity`: policies by whom it belongs to. Raises InvalidArgument, LimitExceeded."""
    text, token = new_text(tenant, act.entropy), one.token
    made = replace(
        token,
        id=digest(text),
        accessor=suffixed(accessor(act.entropy), tenant),
        created_at=act.now,
        expires_at=act.now + timedelta(seconds=token.ttl),
        is_batch=False,
    )
    if token.is_batch:
        return batch_of(tenant, made, act, one.capped, identity=identity)
    return MadeToken(made, text, one.capped, identity_policies=identity)


def kept_of(made: MadeToken) -> tuple[Entity, ...]:
    """The row of a token that was made: a batch token has none."""
    return () if made.token.is_batch else (made.token,)
