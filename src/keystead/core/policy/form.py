"""The one form that policies of every dialect are compiled into: what a statement says, about whom, and when.

KMS Developer Guide, "Policy evaluation"; IAM User Guide, "Policy evaluation logic". What a statement comes to is a bit,
and a decision is what the bits that hold add up to (core.policy.decision).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum, IntFlag

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import Principal, PrincipalKind
from keystead.core.federation import WebIdentity
from keystead.core.policy.conditions import Condition
from keystead.core.rights import Rights


class Effect(Enum):
    ALLOW = "Allow"
    DENY = "Deny"


class Says(IntFlag):
    """What was said about a request, by whom."""

    DENIED_BY_KEY = 1
    DENIED_BY_IDENTITY = 2
    NAMED = 4  # the key policy allows the principal itself
    ACCOUNT = 8  # the key policy allows its account, which may delegate by identity policies
    GRANTED = 16  # a grant for the principal
    GRANTED_ACCOUNT = 32  # a grant for its account
    IDENTITY = 64  # an identity policy allows it
    RETIRER = 128  # the grant to be retired lets it
    DENIED_BY_BOUNDARY = 256
    DENIED_BY_SESSION = 512
    IN_BOUNDARY = 1024  # the permissions boundary allows it, or there is none
    IN_SESSION = 2048  # the policies of the session allow it, or it has none
    SESSION = 4096  # the key policy allows the session itself that a role is taken on in, by name or with everybody


class Principals(Struct, frozen=True):
    """Whom a statement of a key policy is about: ids, never names."""

    ids: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()  # tenant ids
    everyone: bool = False
    negated: bool = False  # NotPrincipal
    providers: frozenset[str] = frozenset()  # ARNs: whom their tokens speak of
    sessions: Mapping[str, frozenset[str]] = {}  # of roles, by id: the sessions of these names

    def named(self, principal: Principal) -> bool:
        root = principal.principal_kind is PrincipalKind.ROOT and principal.tenant in self.accounts
        return self.everyone or root or principal.id in self.ids

    def said(self, effect: Effect, rights: Rights) -> Says | None:
        """What a statement for these principals says of the principal of these rights.

        IAM User Guide, "NotPrincipal": AWS may look at the account first and then at the user in it. So a Deny
        spares only whom it lists together with the account, and an Allow reaches nobody of a listed account.
        "Permissions boundaries": a Deny spares nobody at all who has one.
        """
        principal = rights.principal
        if isinstance(principal, WebIdentity):
            return self._said_of_a_stranger(effect, principal)
        named, account = self.named(principal), principal.tenant in self.accounts
        if self.negated:
            spared = self.everyone or ((named and account) if effect is Effect.DENY else (named or account))
            bounded = effect is Effect.DENY and rights.boundary is not None
            named, account = bounded or not spared, False
        if effect is Effect.DENY:
            return Says.DENIED_BY_KEY if named or account else None
        if named:
            return Says.NAMED | Says.SESSION if self.everyone and not self.negated else Says.NAMED
        return Says.ACCOUNT if account else None

    def said_of_sessions(self, effect: Effect, principal: Principal) -> tuple[Says, Condition] | None:
        """What a statement says of some sessions of a role alone, and which requests these have sent."""
        names = self.sessions.get(principal.id)
        if names is None:
            return None
        says = Says.DENIED_BY_KEY if effect is Effect.DENY else Says.NAMED | Says.SESSION
        return says, Condition(lambda request: request.caller.session in names, stable=False)

    def _said_of_a_stranger(self, effect: Effect, who: WebIdentity) -> Says | None:
        """An Allow reaches a web identity by naming its provider, and in no other way; a Deny in every way."""
        named = who.provider in self.providers
        if effect is Effect.ALLOW:
            return Says.NAMED if named and not self.negated else None
        if self.negated:
            return None if named or self.everyone else Says.DENIED_BY_KEY
        return Says.DENIED_BY_KEY if named or self.everyone or who.tenant in self.accounts else None


class Statement(Struct, frozen=True):
    effect: Effect
    principals: Principals | None  # None: whoever has the policy (an identity policy)
    actions: frozenset[Action]
    tests: tuple[Condition, ...]  # the resource, then the conditions; all must hold

    def said(self, rights: Rights) -> Iterator[tuple[Says, tuple[Condition, ...]]]:
        """What it says, and what must hold for that beside its own tests."""
        if self.principals is None:
            yield Says.DENIED_BY_IDENTITY if self.effect is Effect.DENY else Says.IDENTITY, ()
            return
        if (says := self.principals.said(self.effect, rights)) is not None:
            yield says, ()
        if (of_sessions := self.principals.said_of_sessions(self.effect, rights.principal)) is not None:
            yield of_sessions[0], of_sessions[1:]


class Document(Struct, frozen=True):
    """A compiled policy."""

    statements: tuple[Statement, ...]


class Own(Struct, frozen=True):
    """The compiled policies that a caller comes with."""

    policies: tuple[Document, ...]
    boundary: Document | None = None
    session: tuple[Document, ...] | None = None
