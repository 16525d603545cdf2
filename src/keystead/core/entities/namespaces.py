"""Tenants that stand below tenants (docs/adr/0023)."""

from __future__ import annotations

from datetime import datetime

from msgspec import field

from keystead.core.entities.base import Entity, Kind


class Namespace(Entity, frozen=True, kw_only=True):
    """Where a tenant stands below another one; `id` is the tenant's own, which is twelve digits like every tenant's.

    A tenant that has no such row stands alone: it is the root of a tree of its own.
    """

    kind = Kind.NAMESPACE
    above: str  # the tenant that it stands below
    name: str  # one segment of a path
    name_digest: str  # of the tenant above and the name
    suffix: str  # of the texts and accessors of its tokens
    uuid: str
    custom: dict[str, str] = field(default_factory=dict)  # its owner's own metadata
    created_at: datetime
    ends: bool = False  # it is being taken away: nobody comes in any more
    lock: str = ""  # digest of what opens its API again; "" while it is open

    @property
    def parent(self) -> str:
        return self.above

    @property
    def link(self) -> str:
        return self.name_digest


Lineage = tuple[Namespace, ...]
"""From the first below the root down to a tenant's own; () of a root."""


ROOT = "root"
"""What the namespace is called that is none: a tenant that stands alone."""


def sign_of_chain(chain: Lineage) -> str:
    """What the last of them is called where names may change."""
    return chain[-1].suffix if chain else ROOT


def path_of_chain(chain: Lineage) -> str:
    """ "ns1/ch/"; "" of a root."""
    return "".join(f"{one.name}/" for one in chain)
