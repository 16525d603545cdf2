"""A new key's other half, in a key store outside."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.core.algorithms import Family
from keystead.core.entities import Elsewhere, Origin
from keystead.core.errors import AlreadyExists, InvalidArgument, Unsupported
from keystead.core.keystores import Connection, Moment, Trouble, failed
from keystead.service.held import HeldKeyStore
from keystead.service.pipeline import Act

MAX_URI = 256  # characters; XKS Proxy API, "API operations"


def elsewhere(op: ops.CreateKey, placed: ops.Placed, held: HeldKeyStore, act: Act) -> Elsewhere:
    """The store is asked last. Raises Unsupported, InvalidArgument; AlreadyExists (detail ops.KEY_TAKEN); what `failed`
    makes."""
    if op.origin is not Origin.EXTERNAL_STORE:
        raise Unsupported("an external key store holds keys of its own origin only", "origin")
    if op.spec.family is not Family.AES or op.multi_region:
        raise Unsupported("only symmetric encryption keys of one region have their other half in a store", "spec")
    store, name = held.store, placed.name
    longest = f"https://{store.proxy.host}{store.proxy.path}/keys/{name}/metadata"
    if name in {".", ".."} or len(longest) > MAX_URI:
        raise InvalidArgument("the external key's id makes no URI with the key store's", "name")
    if store.connection is not Connection.CONNECTED:
        raise failed(Trouble.DISCONNECTED, Moment.KEY_MADE)
    taken = (key.elsewhere for key in held.lasting(act.now))
    if any(other is not None and other.name == name for other in taken):
        raise AlreadyExists("another key has its other half there", ops.KEY_TAKEN)
    act.outside.examine(store, name, act.caller)
    return Elsewhere(store.id, name)
