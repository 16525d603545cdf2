"""How many of a thing there may be. The numbers are AWS's own; the configuration may set others.

KMS Developer Guide, "Resource quotas"; IAM User Guide, "IAM and AWS STS quotas". What belongs to one key is counted
where the key is held. What belongs to a keyring or a tenant is counted in the store (service.counts), so that no
two workers can both make the last one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from keystead.core.entities import Entity, Key, Namespace, Principal, PrincipalKind
from keystead.core.errors import LimitExceeded
from keystead.core.states import KeyState

Number = Annotated[int, Meta(ge=0)]


class Quotas(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As configured."""

    keys: Number = 100_000  # of a keyring: an account and region; destroyed ones do not count
    aliases: Number = 50  # of a key
    grants: Number = 50_000  # of a key
    tags: Number = 50  # of a key
    rotations: Number = 25  # of a key, on demand
    policy_bytes: Annotated[int, Meta(ge=0, le=32_768)] = 32_768  # of a key policy; more than AWS takes is not read
    users: Number = 5000  # of a tenant
    roles: Number = 1000  # of a tenant
    access_keys: Number = 2  # of a principal
    namespaces: Number = 10_000  # right below a tenant; not of AWS's


AWS: Final = Quotas()


class OverQuota(Struct, frozen=True):
    """detail of the LimitExceeded for one too many."""

    of: str  # a member of Quotas
    most: int
    used: int

    @property
    def reason(self) -> str:
        """As core.errors.said_of has it."""
        return self.of


def require_room(of: str, most: int, used: int, more: int = 1) -> None:
    """Raises LimitExceeded (detail OverQuota)."""
    if used + more > most:
        raise LimitExceeded(f"there are {used} {of.replace('_', ' ')}, and may be {most}", OverQuota(of, most, used))


class Counted(Struct, frozen=True):
    """What is counted in the store, under each parent of its own."""

    name: str  # a member of Quotas
    of: type[Entity]
    counts: Callable[[Any], bool]


COUNTED: Final = (
    Counted("keys", Key, lambda key: key.lifecycle.state is not KeyState.DESTROYED),
    Counted("users", Principal, lambda principal: principal.principal_kind is PrincipalKind.USER),
    Counted("namespaces", Namespace, lambda _: True),
    Counted("roles", Principal, lambda principal: principal.principal_kind is PrincipalKind.ROLE),
)
