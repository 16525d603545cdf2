"""What a principal brings to a decision: gathered when it is found, never while a request waits (service.rights)."""

from __future__ import annotations

from msgspec import Struct

from keystead.core.entities import Entity, PolicyText, Principal


class Rights(Struct, frozen=True, kw_only=True, eq=False):
    """A principal with the policies that count for it. Decisions are kept by this object: a change makes another.

    `rests_on`: what else was read for it; when one of these changes, it is gathered anew.
    """

    principal: Principal
    policies: tuple[PolicyText, ...] = ()  # its own, and those of its groups
    rests_on: tuple[Entity, ...] = ()

    @property
    def id(self) -> str:
        return self.principal.id

    @classmethod
    def alone(cls, principal: Principal) -> Rights:
        """Of one who is in no group and has nothing but its own policies."""
        return cls(principal=principal, policies=principal.policies)
