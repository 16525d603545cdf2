"""Key stores outside: made, connected, changed, taken away."""

from __future__ import annotations

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.keystores import Connectivity, KeyStore, Proxy
from keystead.core.operations.base import KeyringOperation, KeyStoreOperation, Nothing, Page
from keystead.core.sensitive import Sensitive

NO_STORE = "key store"
"""detail of the NotFound for a key store that is looked for by its name or id."""

HAS_KEYS, NOT_SO = "keys in it", "connection"
"""details of the WrongState for a key store: it has keys; it is connected, or it is not."""


NO_CLUSTER, NOT_ACTIVE, NOT_RELATED = "CloudHsmClusterId", "cluster not active", "cluster not related"
"""details of the NotFound, the Unavailable and the Conflict for an HSM that is to be a key store."""

BAD_ANCHOR = "trust anchor"
"""detail of the InvalidArgument for what is no certificate."""


class Taken(Struct, frozen=True):
    """detail of the AlreadyExists for a key store, or a key in one: what is another's already."""

    what: str

    @property
    def reason(self) -> str:
        return f"Taken.{self.what}"


NAME_TAKEN, URI_TAKEN = Taken("name"), Taken("uri")
ENDPOINT_TAKEN, SERVICE_TAKEN, KEY_TAKEN = Taken("endpoint"), Taken("service"), Taken("key")
CLUSTER_TAKEN = Taken("cluster")


class ProxySecret(Struct, frozen=True):
    """What requests to a proxy are signed with."""

    access_key_id: str
    secret: Sensitive


class CreateKeyStore(KeyringOperation[KeyStore], frozen=True, kw_only=True):
    """A proxy with a public endpoint is asked whether it is there and knows us.

    Raises AlreadyExists (detail Taken), LimitExceeded, InvalidArgument, and what core.keystores.failed makes.
    """

    action = Action.CREATE_KEY_STORE
    changes = True
    name: str
    proxy: Proxy
    credential: ProxySecret


class CreateHsmKeyStore(KeyringOperation[KeyStore], frozen=True, kw_only=True):
    """The password is not tried before somebody connects it (KMS API Reference, CreateCustomKeyStore).

    Raises NotFound (NO_CLUSTER), Unavailable (NOT_ACTIVE), InvalidArgument (BAD_ANCHOR), AlreadyExists (detail Taken),
    LimitExceeded.
    """

    action = Action.CREATE_KEY_STORE
    changes = True
    name: str
    cluster: str
    trust_anchor: str
    password: Sensitive


class ConnectKeyStore(KeyStoreOperation[KeyStore], frozen=True, kw_only=True):
    """Answers with the store connected, or FAILED and why. Raises WrongState (NOT_SO) for one that has failed."""

    action = Action.CONNECT_KEY_STORE
    changes = True


class DisconnectKeyStore(KeyStoreOperation[Nothing], frozen=True, kw_only=True):
    """Raises WrongState (detail NOT_SO)."""

    action = Action.DISCONNECT_KEY_STORE
    changes = True


class UpdateKeyStore(KeyStoreOperation[KeyStore], frozen=True, kw_only=True):
    """What is None stays as it is. Raises what CreateKeyStore does; WrongState (detail NOT_SO); InvalidArgument (detail
    "kind") for what the other kind of key store has; Conflict (NOT_RELATED)."""

    action = Action.UPDATE_KEY_STORE
    changes = True
    name: str | None = None
    host: str | None = None
    path: str | None = None
    connectivity: Connectivity | None = None
    service_name: str | None = None
    service_owner: str | None = None
    credential: ProxySecret | None = None
    cluster: str | None = None
    password: Sensitive | None = None


class DeleteKeyStore(KeyStoreOperation[Nothing], frozen=True, kw_only=True):
    """Raises WrongState (detail HAS_KEYS, NOT_SO)."""

    action = Action.DELETE_KEY_STORE
    changes = True


class ListKeyStores(KeyringOperation[Page[KeyStore]], frozen=True, kw_only=True):
    """Without their secrets, by id; or the one of that id, or of that name. Raises NotFound (detail NO_STORE)."""

    action = Action.LIST_KEY_STORES
    id: str | None = None
    name: str | None = None
    after: str = ""
    limit: int
