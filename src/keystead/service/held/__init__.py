"""Targets: found objects, as handlers and the policy decision get them.

Rule 1: a target reaches its own subtree and nothing beside it, so a handler cannot fetch "one more key". A key
        reaches its relatives too, as far as what they share goes (service.related).
Rule 2: what is shared between requests does not change; a change makes a new target (service.view).
Rule 3: whatever may block (a page of rows, loading a key) asks `may_block` first, which raises WouldBlock
        on the event loop.
"""

from __future__ import annotations

from keystead.service.held.credentials import HeldCredential, HeldToken
from keystead.service.held.keyrings import HeldKeyring, HeldKeyStore
from keystead.service.held.keys import HalfVersion, HeldKey, HeldReplica, HeldVersion
from keystead.service.held.principals import HeldPolicy, HeldPrincipal, HeldProvider
from keystead.service.held.secrets import HeldCubby, HeldSecret
from keystead.service.held.system import HeldSystem
from keystead.service.held.tenants import HeldTenant

__all__ = [
    "HalfVersion",
    "Held",
    "HeldCredential",
    "HeldCubby",
    "HeldKey",
    "HeldKeyStore",
    "HeldKeyring",
    "HeldPolicy",
    "HeldPrincipal",
    "HeldProvider",
    "HeldReplica",
    "HeldSecret",
    "HeldSystem",
    "HeldTenant",
    "HeldToken",
    "HeldVersion",
]

Held = (
    HeldKey
    | HeldKeyring
    | HeldReplica
    | HeldKeyStore
    | HeldTenant
    | HeldPrincipal
    | HeldPolicy
    | HeldProvider
    | HeldSystem
    | HeldSecret
    | HeldCubby
)
