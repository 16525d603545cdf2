"""Key stores outside (docs/adr/0015), and HSMs as such (docs/adr/0034): made, connected, changed, taken away.

KMS API Reference, "CreateCustomKeyStore" and its kin; which acts need which connection state is told there, under
CustomKeyStoreInvalidStateException. What is unique is so within a keyring: an account in a Region.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    KeysteadError,
    LimitExceeded,
    NotFound,
    WrongState,
)
from keystead.core.keystores import NOWHERE, Cluster, Connection, Connectivity, Failure, KeyStore, Proxy
from keystead.core.operations import Nothing, Page
from keystead.core.sensitive import Sensitive
from keystead.crypto.certificates import facts
from keystead.service.handlers.keys import paged, walk
from keystead.service.held import HeldKeyring, HeldKeyStore
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.wire import Malformed, pem

MAX_STORES = 10  # KMS Developer Guide, "Resource quotas": custom key stores of an account in a Region
ID_DIGITS = 17
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
VERSION = re.compile(r".*/kms/xks/v1")


def create_key_store(op: ops.CreateKeyStore, targets: tuple[HeldKeyring], act: Act) -> Outcome[KeyStore]:
    (ring,) = targets
    others = list(walk(lambda after, limit: ring.key_stores(after=after, limit=limit), ""))
    _named(op.name, others)
    _placed(op.proxy, others)
    if len(others) >= MAX_STORES:
        raise LimitExceeded(f"a keyring has at most {MAX_STORES} key stores", "key stores")
    store = KeyStore(
        id=f"cks-{act.entropy(9).hex()[:ID_DIGITS]}",
        tenant=ring.tenant,
        keyring=ring.id,
        name=op.name,
        proxy=op.proxy,
        access_key_id=op.credential.access_key_id,
        secret=_bare(op.credential.secret),
        created_at=act.now,
    )
    if op.proxy.connectivity is Connectivity.PUBLIC:
        act.outside.check(store, act.caller)
    # The keyring too: of two that come to be at once, the second is judged beside the first.
    return Outcome(answer=_shown(store), put=(store, ring.keyring), made=store.id)


def create_hsm_key_store(op: ops.CreateHsmKeyStore, targets: tuple[HeldKeyring], act: Act) -> Outcome[KeyStore]:
    """It is one key store of a keyring at most."""
    (ring,) = targets
    others = list(walk(lambda after, limit: ring.key_stores(after=after, limit=limit), ""))
    _named(op.name, others)
    hsm = act.hsms.clusters.find(op.cluster)
    if any(other.cluster is not None and other.cluster.hsm == hsm for other in others):
        raise AlreadyExists("another key store is that HSM", ops.CLUSTER_TAKEN)
    if len(others) >= MAX_STORES:
        raise LimitExceeded(f"a keyring has at most {MAX_STORES} key stores", "key stores")
    _anchored(op.trust_anchor)
    store = KeyStore(
        id=f"cks-{act.entropy(9).hex()[:ID_DIGITS]}",
        tenant=ring.tenant,
        keyring=ring.id,
        name=op.name,
        proxy=NOWHERE,
        access_key_id="",
        secret=_bare(op.password),
        created_at=act.now,
        cluster=Cluster(id=op.cluster, hsm=hsm, trust_anchor=op.trust_anchor),
    )
    return Outcome(answer=_shown(store), put=(store, ring.keyring), made=store.id)


def _anchored(text: str) -> None:
    """That it is one certificate (KMS API Reference, CreateCustomKeyStore: customerCA.crt). Raises InvalidArgument."""
    try:
        found = pem.blocks(text)
        for block in found:
            facts(block.content)
    except (Malformed, InvalidArgument):
        found = []
    if [block.label for block in found] != ["CERTIFICATE"]:
        raise InvalidArgument("the trust anchor is not one certificate", ops.BAD_ANCHOR)


def connect_key_store(_op: ops.ConnectKeyStore, targets: tuple[HeldKeyStore], act: Act) -> Outcome[KeyStore]:
    """A connected one is connected again: it may be found to have failed."""
    store = targets[0].store
    if store.connection is Connection.FAILED:
        raise WrongState("a key store that has failed is to be disconnected first", ops.NOT_SO)
    try:
        if store.cluster is not None:
            act.hsms.clusters.check(store.cluster.hsm, Sensitive(store.secret))
        else:
            act.outside.check(store, act.caller)
    except KeysteadError as error:
        if not isinstance(error.detail, Failure):
            raise
        put = replace(store, connection=Connection.FAILED, failure=error.detail.trouble)
        return Outcome(answer=_shown(put), put=(put,), why=error.detail.reason)
    put = replace(store, connection=Connection.CONNECTED, failure=None)
    return Outcome(answer=_shown(put), put=(put,))


def disconnect_key_store(_op: ops.DisconnectKeyStore, targets: tuple[HeldKeyStore], _act: Act) -> Outcome[Nothing]:
    store = targets[0].store
    if store.connection is Connection.DISCONNECTED:
        raise WrongState("the key store is not connected", ops.NOT_SO)
    put = replace(store, connection=Connection.DISCONNECTED, failure=None)
    return Outcome(answer=Nothing(), put=(put,))


def update_key_store(op: ops.UpdateKeyStore, targets: tuple[HeldKeyStore], act: Act) -> Outcome[KeyStore]:
    """The name, the path and the credential of a connected one too; anything else of one that is not connected."""
    (held,) = targets
    old = held.store
    if old.cluster is not None:
        return _updated(op, old.cluster, held, act)
    if op.cluster is not None or op.password is not None:
        raise InvalidArgument("an external key store has no cluster and no password", "kind")
    proxy = _moved(old.proxy, op, old.tenant)
    moves_away = replace(proxy, path=old.proxy.path) != old.proxy
    allowed = {Connection.DISCONNECTED} if moves_away else {Connection.DISCONNECTED, Connection.CONNECTED}
    if old.connection not in allowed:
        raise WrongState("the key store is to be disconnected first", ops.NOT_SO)
    ring, others = held.keyring, _others(held)
    new = old
    if op.name is not None:
        _named(op.name, others)
        new = replace(new, name=op.name)
    if op.credential is not None:
        new = replace(new, access_key_id=op.credential.access_key_id, secret=_bare(op.credential.secret))
    if proxy != old.proxy:
        _placed(proxy, others)
        new = replace(new, proxy=proxy)
    if new == old:
        return Outcome(answer=_shown(old))
    reaches_otherwise = proxy != old.proxy or op.credential is not None
    expected = proxy.connectivity is Connectivity.PUBLIC or old.connection is Connection.CONNECTED
    if reaches_otherwise and expected:
        act.outside.check(new, act.caller)
    return Outcome(answer=_shown(new), put=(new, ring.keyring))


def _others(held: HeldKeyStore) -> list[KeyStore]:
    beside = walk(lambda after, limit: held.keyring.key_stores(after=after, limit=limit), "")
    return [other for other in beside if other.id != held.id]


def _updated(op: ops.UpdateKeyStore, cluster: Cluster, held: HeldKeyStore, act: Act) -> Outcome[KeyStore]:
    """Of one that is an HSM: the name of a connected one too, anything else of one that is not connected.

    Its keys are in that HSM, whatever its cluster id is by now.
    """
    old = new = held.store
    of_a_proxy = (op.host, op.path, op.connectivity, op.service_name, op.service_owner, op.credential)
    if any(given is not None for given in of_a_proxy):
        raise InvalidArgument("an HSM has no proxy", "kind")
    is_of_the_hsm = op.cluster is not None or op.password is not None
    allowed = {Connection.DISCONNECTED} if is_of_the_hsm else {Connection.DISCONNECTED, Connection.CONNECTED}
    if old.connection not in allowed:
        raise WrongState("the key store is to be disconnected first", ops.NOT_SO)
    if op.name is not None:
        _named(op.name, _others(held))
        new = replace(new, name=op.name)
    if op.cluster is not None and op.cluster != cluster.id:
        if act.hsms.clusters.find(op.cluster) != cluster.hsm:
            raise Conflict("the keys of the store are in another HSM", ops.NOT_RELATED)
        new = replace(new, cluster=replace(cluster, id=op.cluster))
    if op.password is not None:
        new = replace(new, secret=_bare(op.password))
    put = () if new == old else (new, held.keyring.keyring)
    return Outcome(answer=_shown(new), put=put)


def delete_key_store(_op: ops.DeleteKeyStore, targets: tuple[HeldKeyStore], act: Act) -> Outcome[Nothing]:
    """Destroyed keys do not count. The proxy is not asked, and nothing there changes."""
    (held,) = targets
    if held.store.connection is not Connection.DISCONNECTED:
        raise WrongState("the key store is to be disconnected first", ops.NOT_SO)
    if any(held.lasting(act.now)):
        raise WrongState("there are keys in the key store", ops.HAS_KEYS)
    return Outcome(answer=Nothing(), delete=(held.store,))


def list_key_stores(op: ops.ListKeyStores, targets: tuple[HeldKeyring], _act: Act) -> Outcome[Page[KeyStore]]:
    (ring,) = targets
    found = walk(lambda after, limit: ring.key_stores(after=after, limit=limit), op.after)
    if op.id is not None or op.name is not None:
        wanted = tuple(_shown(one) for one in found if op.id in (None, one.id) and op.name in (None, one.name))
        if not wanted:
            raise NotFound("no such key store", ops.NO_STORE)
        return Outcome(answer=Page(wanted))
    page = paged(found, op.limit)
    return Outcome(answer=Page(tuple(_shown(one) for one in page.items), page.after))


# --- inside


def _bare(secret: Sensitive) -> bytes:
    return secret.reveal()


def _shown(store: KeyStore) -> KeyStore:
    """As it is told: nobody gets the secret back."""
    return replace(store, secret=b"")


def _named(name: str, others: Iterable[KeyStore]) -> None:
    if any(other.name == name for other in others):
        raise AlreadyExists("the name is taken", ops.NAME_TAKEN)


def _placed(proxy: Proxy, others: Iterable[KeyStore]) -> None:
    """KMS API Reference, CreateCustomKeyStore, "Uniqueness requirements". Raises InvalidArgument, AlreadyExists."""
    labels = proxy.host.split(".")
    if not all(LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise InvalidArgument("an XKS proxy has a domain name", "host")  # "API operations"
    if VERSION.fullmatch(proxy.path) is None or "//" in proxy.path:
        raise InvalidArgument("version 1 of the XKS proxy API is spoken here", "path")
    vpc = Connectivity.VPC
    if {bool(proxy.service_name), bool(proxy.service_owner)} != {proxy.connectivity is vpc}:
        raise InvalidArgument("an endpoint service goes with a VPC, and with nothing else", "service_name")
    for other in others:
        taken = other.proxy
        if (taken.host, taken.path) == (proxy.host, proxy.path):
            raise AlreadyExists("another key store has that URI", ops.URI_TAKEN)
        if taken.host == proxy.host and vpc in (taken.connectivity, proxy.connectivity):
            raise AlreadyExists("another key store has that endpoint", ops.ENDPOINT_TAKEN)
        if proxy.service_name and taken.service_name == proxy.service_name:
            raise AlreadyExists("another key store has that endpoint service", ops.SERVICE_TAKEN)


def _moved(old: Proxy, op: ops.UpdateKeyStore, tenant: str) -> Proxy:
    """With another connectivity goes another endpoint (UpdateCustomKeyStore, XksProxyConnectivity).

    `tenant`: whose an endpoint service is, if nobody says. Raises InvalidArgument.
    """
    connectivity = op.connectivity or old.connectivity
    changes = connectivity is not old.connectivity
    if changes and op.host is None:
        raise InvalidArgument("another connectivity needs another endpoint", "host")
    public = connectivity is Connectivity.PUBLIC
    if public and (op.service_name or op.service_owner):
        raise InvalidArgument("a public endpoint has no endpoint service", "service_name")
    kept_name, kept_owner = ("", "") if public else (old.service_name, old.service_owner)
    return Proxy(
        host=op.host if op.host is not None else old.host,
        path=op.path if op.path is not None else old.path,
        connectivity=connectivity,
        service_name=op.service_name if op.service_name is not None else kept_name,
        service_owner=op.service_owner or kept_owner or (tenant if not public else ""),
    )


HANDLERS: dict[type, Handler] = {
    ops.CreateKeyStore: create_key_store,
    ops.CreateHsmKeyStore: create_hsm_key_store,
    ops.ConnectKeyStore: connect_key_store,
    ops.DisconnectKeyStore: disconnect_key_store,
    ops.UpdateKeyStore: update_key_store,
    ops.DeleteKeyStore: delete_key_store,
    ops.ListKeyStores: list_key_stores,
}
