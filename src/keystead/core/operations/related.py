"""Related keys: a key copied into another keyring, and which of the copies is the primary (docs/adr/0014)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import PolicyText
from keystead.core.family import is_family
from keystead.core.operations.base import Demand, KeyOperation, KeyRef, Nothing, ReplicaRef
from keystead.core.operations.keys import Described

NOT_PRIMARY = "not a primary key"
"""detail of the Unsupported for what only the primary of related keys takes."""

NOT_REPLICA = "not a replica key"
"""detail of the Unsupported for making a key the primary that is it already."""

COPY_THERE = "a copy is there"
"""detail of the AlreadyExists for a keyring that one of the related keys is in."""


class Replicated(Struct, frozen=True):
    described: Described
    policy: PolicyText


class ReplicateKey(KeyOperation[Replicated], frozen=True, kw_only=True):
    """A copy of a primary key at the address `namespace`: what related keys share, and else what is said here.

    Imported material is not copied. Raises Unsupported (NOT_PRIMARY), AlreadyExists (COPY_THERE), WrongState.
    """

    action = Action.REPLICATE_KEY
    changes = True
    namespace: str
    description: str = ""
    tags: Mapping[str, str] = {}
    policy: PolicyText | None = None  # None: the tenant's root may do everything
    bypass_lockout_check: bool = False

    def demands(self) -> tuple[Demand, ...]:
        """To copy the key here, and to make one there (KMS API Reference, ReplicateKey, "Required permissions")."""
        there = ReplicaRef(self.key, self.namespace)
        both = (Demand(self.action, self.key), Demand(Action.CREATE_KEY, there))
        return (*both, Demand(Action.TAG_KEY, there)) if self.tags else both

    @property
    def region(self) -> str:
        """Where to, as a condition asks for it."""
        return self.namespace.rpartition(":")[2]


class ChangePrimary(KeyOperation[Nothing], frozen=True, kw_only=True):
    """Make the copy that is at `namespace` the primary, instead of `key`; needs the right on both.

    Raises Unsupported (NOT_PRIMARY, NOT_REPLICA), WrongState.
    """

    action = Action.CHANGE_PRIMARY
    changes = True
    namespace: str

    def demands(self) -> tuple[Demand, ...]:
        own = Demand(self.action, self.key)
        if not is_family(self.key.id):  # which has no copies: refused by the act, if not before
            return (own,)
        return (own, Demand(self.action, KeyRef(self.namespace, id=self.key.id)))

    @property
    def region(self) -> str:
        """As of ReplicateKey."""
        return self.namespace.rpartition(":")[2]
