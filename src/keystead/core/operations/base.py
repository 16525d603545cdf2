"""Operation, what it is asked of, and how a caller names that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import PrincipalKind

R = TypeVar("R")
T = TypeVar("T")


class KeyRef(Struct, frozen=True, cache_hash=True):
    """A key as a caller names it within a door's namespace ("aws:111122223333:us-east-1"): by id, or by name.

    The door's one parse decides which; exactly one of the two is set. The id of a family means the copy that is at
    the namespace (core.family). `by_ciphertext`: the id was read out of a ciphertext, where a family's looks like any
    other; so an absent key must not be told from a forbidden one, and the tenant may be another one. `in_ciphertext`:
    the caller has written the id, and the ciphertext names the same; so the tenant may be another one, of which an
    absent key must not be told from a forbidden one.
    """

    namespace: str
    id: str = ""
    name: str = ""
    by_ciphertext: bool = False
    in_ciphertext: bool = False

    @property
    def reason(self) -> str:
        """As core.errors.said_of has it: the two are answered in different words."""
        return "KeyRef.by_ciphertext" if self.by_ciphertext else "KeyRef"


class KeyringRef(Struct, frozen=True):
    namespace: str


class ReplicaRef(Struct, frozen=True):
    """A copy of `key` that is to be, at `namespace`."""

    key: KeyRef
    namespace: str


class TenantRef(Struct, frozen=True):
    tenant: str


class PrincipalRef(Struct, frozen=True):
    """A tenant's principal of that kind and name; at that path, where a caller has said one."""

    tenant: str
    kind: PrincipalKind
    name: str
    path: str | None = None


class PolicyRef(Struct, frozen=True):
    """A tenant's managed policy of that name, at that path."""

    tenant: str
    name: str
    path: str = "/"


class AccessKeyRef(Struct, frozen=True):
    """An access key of one of a tenant's principals; what is found is that principal."""

    tenant: str
    credential_id: str


class ProviderRef(Struct, frozen=True):
    """A tenant's OpenID Connect provider, by the name of its issuer (core.federation)."""

    tenant: str
    issuer: str


class KeyStoreRef(Struct, frozen=True):
    """A key store of the keyring at `namespace`, by id."""

    namespace: str
    id: str


class SecretRef(Struct, frozen=True):
    """A path of the keyring at that address: "a/b", without slashes at its ends."""

    namespace: str
    path: str

    def __repr__(self) -> str:
        return f"SecretRef({self.namespace!r})"


class CubbyRef(Struct, frozen=True):
    """A path that is a token's own. `token`: its id. `abroad`: the tenant is not the token's, but one below it."""

    tenant: str
    token: str
    path: str
    abroad: bool = False

    @property
    def namespace(self) -> str:
        return f"vault:{self.tenant}:cubbyhole"

    def __repr__(self) -> str:
        return f"CubbyRef({self.tenant!r})"


class SystemRef(Struct, frozen=True):
    """The installation itself."""


Ref = (
    KeyRef
    | KeyringRef
    | ReplicaRef
    | KeyStoreRef
    | TenantRef
    | PrincipalRef
    | PolicyRef
    | AccessKeyRef
    | ProviderRef
    | SecretRef
    | CubbyRef
    | SystemRef
)

KIND_OF: Mapping[type[Any], str] = {
    KeyRef: "key",
    KeyringRef: "keyring",
    ReplicaRef: "keyring",
    KeyStoreRef: "key store",
    TenantRef: "tenant",
    PrincipalRef: "principal",
    PolicyRef: "policy",
    AccessKeyRef: "access key",
    ProviderRef: "provider",
    SecretRef: "secret",
    CubbyRef: "secret",
    SystemRef: "installation",
}
"""What people call what is not there: detail of NotFound is the Ref."""


class Demand(Struct, frozen=True, gc=False):
    """An action the caller must be allowed, and on what. `to_be`: what the act is to make there."""

    action: Action
    target: Ref
    to_be: PrincipalRef | PolicyRef | ProviderRef | None = None


def tagging(
    action: Action, at: TenantRef, made: PrincipalRef | PolicyRef, tags: Mapping[str, str]
) -> tuple[Demand, ...]:
    """IAM User Guide, "Tags for IAM resources": what is made with tags needs the right to tag it."""
    return (Demand(action, at, made),) if tags else ()


class Operation(Struct, Generic[R], frozen=True, kw_only=True, gc=False):
    """A request for one act, answered by an R."""

    action: ClassVar[Action]
    changes: ClassVar[bool] = False  # writes to the store, so it never runs on the event loop
    dry_run: bool = False
    grant_tokens: tuple[str, ...] = ()

    def demands(self) -> tuple[Demand, ...]:
        """Every (action, target) the caller must be allowed; ReEncrypt has two."""
        raise NotImplementedError

    def context(self) -> Mapping[str, str] | None:
        """The encryption context a policy condition or a grant constraint may look at."""
        return None


class KeyOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    key: KeyRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.key),)


class KeyringOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    keyring: KeyringRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.keyring),)


class TenantOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    tenant: TenantRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.tenant),)


class PrincipalOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    principal: PrincipalRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.principal),)


class AccessKeyOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    access_key: AccessKeyRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.access_key),)


class ProviderOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    provider: ProviderRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.provider),)


class PolicyOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    policy: PolicyRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.policy),)


class KeyStoreOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    store: KeyStoreRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.store),)


class SystemOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, SystemRef()),)


class Page(Struct, Generic[T], frozen=True):
    """One page of a listing; `after` is where the next one starts, None at the end."""

    items: tuple[T, ...]
    after: str | None = None


class Nothing(Struct, frozen=True):
    """Done; there is nothing to tell."""
