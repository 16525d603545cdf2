"""What a principal brings to a decision: gathered when it is found, never while a request waits (service.rights)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from keystead.core.entities import Entity, PolicyText, Principal, Token


class Narrowing(Struct, frozen=True, kw_only=True):
    """What a session lets of the rights of its role through: what one of these policies allows, and none denies; or
    everything, where there are none. And the tags it has over those of the role.
    """

    session_id: str
    policy: PolicyText | None = None
    policy_ids: tuple[str, ...] = ()  # managed ones
    tags: Mapping[str, str] = {}


class Rights(Struct, frozen=True, kw_only=True, eq=False):
    """A principal with the policies that count for it. Decisions are kept by this object: a change makes another.

    `rests_on`: what else was read for it. When one of `bases` changes, the ids of all of it, it is gathered anew.
    """

    principal: Principal
    key: str  # what decisions are kept under: the principal's id, or that of a session with policies of its own
    policies: tuple[PolicyText, ...] = ()  # its own, and those of its groups
    boundary: PolicyText | None = None  # a user's or role's: nothing is allowed that this does not allow too
    session: tuple[PolicyText, ...] | None = None  # of the session it is: the same; none of them allows nothing
    tags: Mapping[str, str] = {}  # of the principal, or of the session over them
    narrowing: Narrowing | None = None  # what `session` was made of
    rests_on: tuple[Entity, ...] = ()
    bases: frozenset[str]
    token: Token | None = None  # the principal is this token, and no other row tells of it
    identity_policies: tuple[str, ...] = ()  # names, sorted: of the entity that the token belongs to, and its groups

    @property
    def seen(self) -> tuple[Entity, ...]:
        """What a commit by these rights is guarded by."""
        return (self.principal, *self.rests_on) if self.token is None else self.rests_on

    @property
    def id(self) -> str:
        return self.principal.id

    @classmethod
    def alone(cls, principal: Principal) -> Rights:
        """Of one who is in no group and has nothing but its own policies."""
        return cls(
            principal=principal,
            key=principal.id,
            policies=principal.policies,
            tags=principal.tags,
            bases=frozenset({principal.id}),
        )
