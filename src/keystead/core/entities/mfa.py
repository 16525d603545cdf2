"""Second factors of logins: how they are proven, of whom they are asked, and logins that wait for them.

Vault documentation, "Login MFA". A tenant's methods and enforcements are one row, which every login of the tenant and
of those below it rests on: none ends by rules that have changed meanwhile.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from keystead.core.entities.base import Entity, Kind, Wrapped
from keystead.core.entities.paths import Token


class MfaMethod(Struct, frozen=True, kw_only=True):
    """What passwords of a second factor are like, for who is enrolled from now on (RFC 6238)."""

    id: str
    tenant: str
    name: str = ""  # "": it has none
    issuer: str
    digest: str  # as hashlib writes it
    digits: int
    period: int  # seconds
    skew: int  # periods that a clock may be ahead or behind
    n_bytes: int  # of a new shared secret
    n_pixels: int  # of the picture that tells it
    max_attempts: int  # wrong passwords within one period


class MfaEnforcement(Struct, frozen=True, kw_only=True):
    """A login that any of the last four fits is asked for one of the methods; ids."""

    id: str
    name: str
    methods: tuple[str, ...]  # of this tenant, or of one above
    accessors: tuple[str, ...] = ()  # of mounts
    engines: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()

    def fits(self, accessor: str, engine: str, entity: frozenset[str], groups: frozenset[str]) -> bool:
        """`entity`: its id, and those of all that it has been merged from."""
        return (
            not entity.isdisjoint(self.entities)
            or not groups.isdisjoint(self.groups)
            or accessor in self.accessors
            or engine in self.engines
        )


class MfaRules(Entity, frozen=True, kw_only=True):
    """Of a tenant, whose id is its own. Nothing is the same as none of it."""

    kind = Kind.MFA_RULES
    methods: tuple[MfaMethod, ...] = ()
    enforcements: tuple[MfaEnforcement, ...] = ()

    def method(self, id: str) -> MfaMethod | None:
        return next((one for one in self.methods if one.id == id), None)

    def enforcement(self, name: str) -> MfaEnforcement | None:
        return next((one for one in self.enforcements if one.name == name), None)


class MfaRoll(Entity, frozen=True, kw_only=True):
    """Of a tenant, whose id is its own: it moves whenever somebody comes to rest on a method of the tenant's.

    Whoever takes a method away rests on it. No login does: those of all tenants below would begin again with each that
    is enrolled, and any of these tenants could keep all logins from ending.
    """

    kind = Kind.MFA_ROLL


class MfaSecret(Wrapped, frozen=True, kw_only=True):
    """What an entity makes passwords of for a method; `id` is "<uuid>/1". It says itself what they are like.

    One that is made anew is another: a leaf of the key tree is used once.
    """

    kind = Kind.MFA_SECRET
    bound_as = "mfa"
    number: int = 1
    entity: str
    method: str
    created_at: datetime
    issuer: str
    digest: str
    digits: int
    period: int  # seconds
    skew: int
    used: tuple[int, ...] = ()  # time steps whose password has been accepted, of those that could be again
    n_tried: int = 0  # wrong ones, until `tried_until`
    tried_until: datetime | None = None

    @property
    def parent(self) -> str:
        return self.entity

    @property
    def link(self) -> str:
        return self.method

    @property
    def owner(self) -> str:
        return self.id.rpartition("/")[0]

    def step(self, at: datetime) -> int:
        """RFC 6238 §4.2: T."""
        return int(at.timestamp()) // self.period

    def tries(self, now: datetime) -> int:
        return self.n_tried if self.tried_until is not None and now < self.tried_until else 0

    def __repr__(self) -> str:
        return f"MfaSecret({self.id!r})"


class WaitingLogin(Entity, frozen=True, kw_only=True):
    """A login that lacks its second factor. `id` is a digest of what it is asked for by, which nobody keeps.

    `token`: as it is to be; its id, its accessor and its times come when it is made. `standing`: a digest of what let
    its bearer in, for whom it is over once that has changed.
    """

    kind = Kind.WAITING_LOGIN
    tenant: str
    mount: str  # uuid
    account: str  # name
    alias: str  # name that the mount knows the entity by
    entity: str
    standing: str
    secret_id: str = ""  # id of the SecretId that was shown, which may be destroyed meanwhile; "": none was
    token: Token
    capped: tuple[str, int, int] | None = None  # as operations.Capped has it
    begun_at: datetime
    expires_at: datetime

    @property
    def parent(self) -> str:
        return self.mount

    @property
    def link(self) -> str:
        return self.entity

    def is_over(self, now: datetime) -> bool:
        return self.expires_at <= now

    def __repr__(self) -> str:
        return f"WaitingLogin({self.account!r})"
