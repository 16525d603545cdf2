"""Key stores outside, and HSMs as such: what is kept of one, and what can go wrong with it, each failure one word.

XKS Proxy API specification, "Error codes", both of its tables: what a proxy says, and what the network does.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from msgspec import Struct, field

from keystead.core.entities import Entity, Kind
from keystead.core.errors import DecryptionFailed, KeysteadError, RateLimited, Unavailable, WrongState, WrongUsage


class Trouble(Enum):
    """A failure of a key store outside, in the words of the specification's table of failure scenarios."""

    # what the proxy answers
    REFUSED = "it finds the request invalid"
    KEY_DISABLED = "its key is not enabled"
    BAD_CIPHERTEXT = "it finds the ciphertext invalid"
    KEY_UNFIT = "its key is not for that"
    UNAUTHENTICATED = "it does not know us"
    DENIED = "it denies us that"
    KEY_ABSENT = "it has no such key"
    BAD_PATH = "it has no such path"
    UNSUPPORTED = "it does not offer that"
    DEPENDENCY = "what stands behind it did not answer in time"
    THROTTLED = "there are too many requests for it"
    FAILED = "it has failed"
    EXHAUSTED = "no key manager behind it is available"
    # what becomes of the way there
    UNREACHABLE = "it cannot be reached"
    INSECURE = "no TLS connection comes about"
    LATE = "it did not answer in time"
    MALFORMED = "its answer is none"
    # what it answered was well formed, and is not what it must be
    BAD_PLAINTEXT = "what it decrypted does not open"
    # what we ourselves know
    DISCONNECTED = "it is not connected"
    # of an HSM
    NO_HSM = "its HSM is not there any more"
    LOCKED = "its HSM lets nobody in"
    AWAY = "its HSM does not answer"

    __hash__ = object.__hash__


class Moment(Enum):
    """What was asked of it; a door has other words for each."""

    SET_UP = "set up"  # the store made, changed or connected
    KEY_MADE = "key made"
    USE = "use"

    __hash__ = object.__hash__


class Failure(Struct, frozen=True):
    """detail of whatever `failed` makes."""

    trouble: Trouble
    moment: Moment

    @property
    def reason(self) -> str:
        """As the audit log has it (core.errors.said_of)."""
        return f"{self.moment.name}.{self.trouble.name}"


KINDS: dict[Trouble, type[KeysteadError]] = {
    Trouble.KEY_DISABLED: WrongState,
    Trouble.KEY_ABSENT: WrongState,
    Trouble.DISCONNECTED: WrongState,
    Trouble.KEY_UNFIT: WrongUsage,
    Trouble.BAD_CIPHERTEXT: DecryptionFailed,
    Trouble.BAD_PLAINTEXT: DecryptionFailed,
    Trouble.THROTTLED: RateLimited,
}
"""The kind of error a failure is, where it is not Unavailable."""


def failed(trouble: Trouble, moment: Moment) -> KeysteadError:
    return kind_of(trouble)(f"the key store: {trouble.value}", Failure(trouble, moment))


def kind_of(trouble: Trouble) -> type[KeysteadError]:
    return KINDS.get(trouble, Unavailable)


class Connectivity(Enum):
    """KMS API Reference, CreateCustomKeyStore: XksProxyConnectivity."""

    PUBLIC = "public"
    VPC = "vpc"


class Proxy(Struct, frozen=True, kw_only=True):
    """How an XKS proxy is reached. The secret stands in KeyStore."""

    host: str  # a domain name, in lower case
    path: str  # "/kms/xks/v1", or with a prefix before it
    connectivity: Connectivity
    service_name: str = ""  # VPC: the endpoint service, as it was given
    service_owner: str = ""  # VPC: tenant id


NOWHERE = Proxy(host="", path="", connectivity=Connectivity.PUBLIC)
"""Of a key store that is an HSM."""


class Cluster(Struct, frozen=True, kw_only=True):
    """An HSM as a key store (KMS Developer Guide, "AWS CloudHSM key stores")."""

    id: str  # "cluster-…"
    hsm: str  # its name in the configuration
    trust_anchor: str  # PEM, as it was given


class Connection(Enum):
    """Whether the keys in a store can be made and used; a connection is tried when somebody says so, and at once."""

    DISCONNECTED = "disconnected"
    CONNECTED = "connected"
    FAILED = "failed"


class KeyStore(Entity, frozen=True, kw_only=True):
    """A key store: outside, behind an XKS proxy, where our keys have their other half; or an HSM. `id` is "cks-…"."""

    kind = Kind.KEY_STORE
    tenant: str
    keyring: str
    name: str
    proxy: Proxy
    access_key_id: str
    secret: bytes = field(default=b"", name="s")  # of an HSM: the password of its user
    connection: Connection = Connection.DISCONNECTED
    failure: Trouble | None = None  # why it is FAILED
    created_at: datetime
    cluster: Cluster | None = None  # set: it is an HSM

    @property
    def parent(self) -> str:
        return self.keyring

    def __repr__(self) -> str:
        return f"KeyStore({self.id!r})"
