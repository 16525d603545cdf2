"""What a new token is made of, whoever makes it: its text and accessor, how long it lasts, of which kind it is."""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Iterable
from datetime import datetime

from keystead.core.entities import Mount, Token
from keystead.core.errors import InvalidArgument
from keystead.core.operations import Capped, MadeToken
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.service.credentials.batch import BatchTokens
from keystead.service.credentials.token import PREFIX, digest
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act
from keystead.service.rights import ROOT_POLICY

DEFAULT_FOR = MAX_FOR = 768 * 3600  # seconds: the installation's default_lease_ttl and max_lease_ttl
BATCH = "batch"
ROOT_PATH = "auth/token/root"
"""Of a token that nobody's request has made, and that has no lease."""


def token_text(entropy: Entropy) -> str:
    """160 random bits."""
    return PREFIX + b32encode(entropy(20)).decode()


def accessor(entropy: Entropy) -> str:
    return b32encode(entropy(15)).decode()


def new_text(tenant: HeldTenant, entropy: Entropy) -> Sensitive:
    return Sensitive(suffixed(token_text(entropy), tenant).encode())


def suffixed(text: str, tenant: HeldTenant) -> str:
    """Of a token of a namespace the text and the accessor end in the namespace's own sign, after a dot."""
    return f"{text}.{sign}" if (sign := tenant.sign()) else text


def root_token(tenant: str, now: datetime, entropy: Entropy, text: Sensitive | None = None) -> MadeToken:
    """A token that may do everything, for ever. `text`: what it is to be; None: at random."""
    text = text or Sensitive(token_text(entropy).encode())
    token = Token(
        id=digest(text),
        tenant=tenant,
        accessor=accessor(entropy),
        policies=(ROOT_POLICY,),
        display_name="root",
        path=ROOT_PATH,
        created_at=now,
    )
    return MadeToken(token, text)


def kind_of(settled: str, asked: str) -> str:
    """What a token is where a role or a mount says `settled`: what may be asked for otherwise is a "default-…"."""
    return (asked or settled.removeprefix("default-")) if settled.startswith("default-") else settled


def batch_of(
    tenant: HeldTenant,
    token: Token,
    act: Act,
    capped: Capped | None,
    absent: tuple[str, ...] = (),
    identity: tuple[str, ...] = (),
) -> MadeToken:
    """That token as a batch token: nothing of it is put. Raises InvalidArgument, LimitExceeded."""
    if ROOT_POLICY in token.policies:
        raise InvalidArgument("batch tokens cannot be root tokens", "policies")
    if token.n_uses:
        raise InvalidArgument('batch tokens cannot have "num_uses" set', "num_uses")
    sealed = BatchTokens(tenant.batch_key()).seal(token, act.entropy, tenant.sign())
    return MadeToken(*sealed, capped, absent, identity)


def names(policies: Iterable[str]) -> set[str]:
    return {name for name in (one.strip().lower() for one in policies) if name}


def least(*seconds: int) -> int:
    """The least of those that are set."""
    return min((one for one in seconds if one), default=0)


def most_at(mount: Mount | None) -> int:
    """Seconds that what is got at a mount lasts at most: as it says itself, or else as the installation does."""
    return (mount.max_lease_for if mount is not None else 0) or MAX_FOR


def lasting(ttl: int, period: int, most: int, *, is_root: bool, at: Mount | None = None) -> tuple[int, Capped | None]:
    """Seconds; 0 of a root token that is to last. `at`: the mount. OpenBao, framework.CalculateTTL."""
    limit = least(most, most_at(at))
    if period:
        return (period, None) if period <= limit else (limit, Capped("period", period, limit))
    if is_root and not ttl:
        return most and limit, None
    wanted = ttl or (at.default_lease_for if at is not None else 0) or DEFAULT_FOR
    return (wanted, None) if wanted <= limit else (limit, Capped("TTL", wanted, limit))
