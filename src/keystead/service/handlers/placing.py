"""A new key in a key store: its other half outside, or all of it in an HSM."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.algorithms import Family
from keystead.core.entities import Elsewhere, Key, Origin
from keystead.core.errors import AlreadyExists, InvalidArgument, Unavailable, Unsupported
from keystead.core.keystores import Cluster, Connection, KeyStore, Moment, Trouble, failed
from keystead.service.handlers.making import held_in
from keystead.service.held import HeldKeyStore
from keystead.service.pipeline import Act

MAX_URI = 256  # characters; XKS Proxy API, "API operations"


def elsewhere(op: ops.CreateKey, placed: ops.Placed, held: HeldKeyStore, act: Act) -> Elsewhere:
    """Of an external key store, which is asked last. Raises Unsupported, InvalidArgument; AlreadyExists (detail
    ops.KEY_TAKEN); what `failed` makes."""
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


def in_cluster(op: ops.CreateKey, key: Key, cluster: Cluster, held: HeldKeyStore, act: Act) -> Key:
    """The key, to be held in the HSM that the store is (KMS Developer Guide, "AWS CloudHSM key stores").

    Raises Unsupported; what `failed` makes.
    """
    if op.origin is not Origin.HSM:
        raise Unsupported("an HSM holds keys of its own origin only", "origin")
    if op.spec.family is not Family.AES:
        raise Unsupported("only symmetric encryption keys are in key stores", "spec")
    if held.store.connection is not Connection.CONNECTED:
        raise failed(Trouble.DISCONNECTED, Moment.KEY_MADE)
    placed = replace(key, elsewhere=Elsewhere(held.id, ""))
    return replace(placed, hsm=held_in(placed, cluster.hsm, held.keyring.keyring, act))


@contextmanager
def made_in(store: KeyStore) -> Iterator[None]:
    """What is asked of the HSM that the store is. Raises what `failed` makes where it does not answer."""
    try:
        yield
    except Unavailable as error:
        if store.cluster is None:
            raise
        raise failed(Trouble.AWAY, Moment.KEY_MADE) from error
