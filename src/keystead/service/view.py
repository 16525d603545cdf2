"""What this process holds of the store: found on demand, bounded, dropped when something changed.

Rule 1: `refresh` is called before every request; when the shared generation has moved, whatever the store says
        has changed since is dropped, so nothing acknowledged elsewhere is ever overlooked (docs/adr/0007).
Rule 2: a miss reads the store, so on the event loop it raises WouldBlock; an absent object is never held. That there is
        no credential of some id is held until anything changes: strangers must not get a thread for every request.
Rule 3: what was read while something changed is not kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol, TypeVar

from msgspec.structs import replace

from keystead.core.entities import (
    ONLY,
    Binding,
    Credential,
    CredentialKind,
    Entity,
    Grant,
    Key,
    KeyPolicy,
    Keyring,
    Kind,
    Lineage,
    Mount,
    Name,
    Namespace,
    PrincipalKind,
    Tenant,
    Token,
    Topic,
    path_of_chain,
)
from keystead.core.errors import Denied, Internal, NotFound, Sealed, Unavailable
from keystead.core.family import is_family, of_header
from keystead.core.federation import OidcProvider
from keystead.core.keystores import KeyStore
from keystead.core.mounts import MountTable
from keystead.core.naming import PATHS, elsewhere
from keystead.core.operations import (
    AccessKeyRef,
    CubbyRef,
    KeyRef,
    KeyringRef,
    KeyStoreRef,
    PolicyRef,
    PrincipalRef,
    ProviderRef,
    Ref,
    ReplicaRef,
    SecretRef,
    SystemRef,
    TenantRef,
)
from keystead.core.ports import KeyStores, NoKeyStores, Provider, Reader, WouldBlock, WouldWait
from keystead.core.rights import Narrowing, Rights
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState
from keystead.service.barrier import Barrier
from keystead.service.credentials.batch import SUBKEY, BatchTokens
from keystead.service.credentials.token import token_id
from keystead.service.held import (
    Held,
    HeldCredential,
    HeldKey,
    HeldKeyring,
    HeldKeyStore,
    HeldPolicy,
    HeldPrincipal,
    HeldProvider,
    HeldReplica,
    HeldSystem,
    HeldTenant,
    HeldToken,
)
from keystead.service.held.secrets import HeldCubby, HeldSecret, SecretCache, cubby_of
from keystead.service.held.spaces import chain_of
from keystead.service.ratelimits import RateLimitTable
from keystead.service.reach import PAGE, Reach
from keystead.service.related import lasting
from keystead.service.rights import alike, gather, narrowed, of_bearer, of_token

K = TypeVar("K")
V = TypeVar("V")
MAX_KEYS = 8192
MAX_OTHERS = 16384
ATTEMPTS = 10
EPOCH = datetime.fromtimestamp(0, UTC)
LOCKED = 'API access to this namespace has been locked by an administrator - "{}" must be unlocked to gain access.'


class Generation(Protocol):
    """The number in shared memory that grows with every acknowledged change (kit.listener, app.coherence)."""

    def current(self) -> int: ...


class View:
    """Finds targets and credentials. One per process; `loop_thread` is the thread that must not block."""

    def __init__(
        self,
        barrier: Barrier,
        store: Reader,
        provider: Provider,
        generation: Generation,
        outside: KeyStores | None = None,
    ) -> None:
        self._barrier, self._store, self._current = barrier, store, generation.current
        self.loop_thread: int | None = None
        self._reach = Reach(barrier, provider, outside or NoKeyStores(), self.may_block, self.may_wait)
        self._lock = threading.Lock()
        self._seen_generation = -1
        self._seen_change = 0
        self._refs: dict[Ref, Held] = {}
        self._keys: dict[str, tuple[HeldKey, list[KeyRef]]] = {}
        self._keyrings: dict[str, HeldKeyring] = {}
        self._secrets = SecretCache(self._refs)
        self._credentials: dict[str, HeldCredential] = {}
        self._rights: dict[str, Rights] = {}
        self._sessions: dict[str, tuple[Rights, Rights]] = {}  # those that have policies of their own
        self._tokens: dict[str, HeldToken] = {}
        self._batches: BatchTokens | None = None
        self._by_standing: dict[tuple[object, ...], Rights] = {}  # of batch tokens that have the same
        self._mounts: dict[str, MountTable] = {}
        self._rate_limits: dict[str, RateLimitTable] = {}
        self._spaces: dict[str, Mapping[str, Namespace]] = {}
        self._chains: dict[str, Lineage] = {}
        self._within: dict[tuple[str, str], tuple[Rights, Rights]] = {}
        self._home = ""
        self._nobodies: dict[str, None] = {}  # ids of no credential
        self._providers: dict[ProviderRef, tuple[OidcProvider | None]] = {}  # those that are not there, too
        self._system = HeldSystem(self._reach)
        self._dropped: list[Callable[[], None]] = []

    def on_loop(self) -> bool:
        return threading.get_ident() == self.loop_thread

    def may_block(self) -> None:
        if threading.get_ident() == self.loop_thread:
            raise WouldBlock

    def may_wait(self) -> None:
        if threading.get_ident() == self.loop_thread:
            raise WouldWait

    def on_drop(self, forget: Callable[[], None]) -> None:
        """Have `forget` called whenever anything held was dropped (decision caches)."""
        self._dropped.append(forget)

    # --- staying current

    def refresh(self) -> None:
        """Drop what has changed. Costs one comparison when nothing has. Raises Sealed."""
        if not self._barrier.is_open:
            raise Sealed("the installation is sealed")
        generation = self._current()
        if generation != self._seen_generation:
            self._drop_changed(generation)

    def catch_up(self) -> None:
        """Drop what the store says has changed, announced or not (after Stale)."""
        self._drop_changed(self._current())

    def _drop_changed(self, generation: int) -> None:
        with self._lock:
            newest, changed = self._store.changes(self._seen_change)
            self._nobodies.clear()
            self._providers.clear()
            if changed is None:
                self._forget_everything()
            else:
                for kind, id_ in changed:
                    self.FORGET[kind](self, id_)
            self._seen_change, self._seen_generation = newest, generation
            for forget in self._dropped:
                forget()

    def forget(self) -> None:
        """Hold nothing any more (sealing)."""
        with self._lock:
            self._forget_everything()
            self._seen_generation = -1
            for forget in self._dropped:
                forget()

    def _forget_everything(self) -> None:
        for held in (self._refs, self._keys, self._keyrings, self._credentials, self._rights):
            held.clear()
        self._providers.clear()
        self._secrets.clear()
        self._sessions.clear()
        self._tokens.clear()
        self._batches = None
        self._by_standing.clear()
        self._mounts.clear()
        self._rate_limits.clear()
        self._forget_spaces("")
        self._home = ""
        self._nobodies.clear()

    def _forget_all(self, _id: str) -> None:
        self._forget_everything()

    def _forget_nothing(self, _id: str) -> None:
        """What belongs to a key never changes without the key, and a tie not without its ends (entities, Rule 4)."""

    def _forget_key(self, id_: str) -> None:
        _, refs = self._keys.pop(id_, (None, ()))
        for ref in refs:
            self._refs.pop(ref, None)

    def _forget_key_store(self, id_: str) -> None:
        """With the store go the keys in it: whether they may be used is the store's to say."""
        for key_id, (held, _) in list(self._keys.items()):
            if held.key.elsewhere is not None and held.key.elsewhere.store == id_:
                self._forget_key(key_id)

    def _forget_secret(self, id_: str) -> None:
        self._secrets.forget(id_)

    def _forget_principal(self, id_: str) -> None:
        """It and all whose rights rest on it: a principal, a group with its members, a policy with its holders."""
        gone = [one for one, rights in self._rights.items() if id_ in rights.bases]
        for one in gone:
            del self._rights[one]
        for credential_id, held in list(self._credentials.items()):
            if id_ in held.rights.bases:
                del self._credentials[credential_id]
        for session_id, (_, rights) in list(self._sessions.items()):
            if id_ in rights.bases:
                del self._sessions[session_id]

    def _forget_token(self, id_: str) -> None:
        self._tokens.pop(id_, None)

    def _forget_base_of_tokens(self, id_: str) -> None:
        """The tokens that rest on it: a policy, also one that was not there yet; an entity, a group that it is in."""
        for gone in [one for one, held in self._tokens.items() if id_ in held.rights.bases]:
            del self._tokens[gone]
        for standing in [one for one, rights in self._by_standing.items() if id_ in rights.bases]:
            del self._by_standing[standing]

    def _forget_settings(self, _id: str) -> None:
        self._rate_limits.clear()

    def _forget_spaces(self, _id: str) -> None:
        self._spaces.clear()
        self._chains.clear()
        self._within.clear()

    def _forget_credential(self, id_: str) -> None:
        self._credentials.pop(id_, None)

    # --- finding

    def find(self, ref: Ref) -> Held | None:
        """What `ref` means, or None. Raises WouldBlock."""
        held = self._refs.get(ref)
        if held is None:
            self.may_block()
            held = self.FIND[type(ref)](self, ref)
        return held

    def _find_system(self, _ref: SystemRef) -> Held:
        return self._system

    def _find_tenant(self, ref: TenantRef) -> HeldTenant | None:
        found = self._barrier.get(Tenant, ref.tenant)
        return HeldTenant(found, self._reach) if found else None

    def _find_principal(self, ref: PrincipalRef) -> HeldPrincipal | None:
        home = self._find_tenant(TenantRef(ref.tenant))
        found = home.find_principal(ref.kind, ref.name) if home else None
        if home is None or found is None or ref.path not in {None, found.path}:
            return None
        return HeldPrincipal(found, home)

    def _find_policy(self, ref: PolicyRef) -> HeldPolicy | None:
        home = self._find_tenant(TenantRef(ref.tenant))
        found = home.find_policy(ref) if home else None
        return HeldPolicy(found, home) if home and found else None

    def _find_access_key(self, ref: AccessKeyRef) -> HeldPrincipal | None:
        home = self._find_tenant(TenantRef(ref.tenant))
        try:
            credential, owner = home.credential(ref.credential_id) if home else (None, None)
        except NotFound:
            return None
        if home is None or credential is None or owner is None:
            return None
        return HeldPrincipal(owner, home) if credential.credential_kind is CredentialKind.ACCESS_KEY else None

    def _find_provider(self, ref: ProviderRef) -> HeldProvider | None:
        home = self._find_tenant(TenantRef(ref.tenant))
        found = home.provider(ref.issuer) if home else None
        return HeldProvider(found) if found else None

    def _find_keyring(self, ref: KeyringRef) -> HeldKeyring | None:
        stamp = self._seen_change
        if (bound := self._barrier.get(Binding, ref.namespace)) is None:
            return None
        held = self._keyring(bound.keyring)
        self._keep(stamp, self._refs, ref, held)
        return held

    def _keyring(self, id_: str) -> HeldKeyring:
        if (held := self._keyrings.get(id_)) is None:
            stamp = self._seen_change
            if (found := self._barrier.get(Keyring, id_)) is None:
                raise Internal("a keyring is missing")
            namespaces = tuple(b.id for b in self._reach.every_child(Binding, id_))
            held = HeldKeyring(found, namespaces, self._reach)
            self._keep(stamp, self._keyrings, id_, held)
        return held

    def _find_key_store(self, ref: KeyStoreRef) -> HeldKeyStore | None:
        ring = self._find_keyring(KeyringRef(ref.namespace))
        found = ring.key_store(ref.id) if ring else None
        return HeldKeyStore(found, ring, self._reach) if ring and found else None

    def _find_key(self, ref: KeyRef) -> HeldKey | None:
        stamp, id_ = self._seen_change, ref.id
        if ref.name:
            name = self._barrier.get(Name, self._barrier.name_id(ref.namespace, ref.name)) or self._elsewhere(ref)
            if name is None:
                return None
            id_ = name.key_id
        held = self._keys.get(id_, (None, ()))[0] or self._load_key(id_) or self._find_copy(ref)
        if held is None or not _is_at(held.keyring, ref):
            return None
        id_ = held.id
        if held.key.multi_region and held.key.lifecycle.state is KeyState.DESTROYED:
            return held  # not kept: the next one there is another copy
        with self._lock:
            if stamp == self._seen_change and (entry := self._keys.get(id_)):
                if len(self._refs) >= MAX_KEYS * 4:
                    self._forget_everything()
                else:
                    entry[1].append(ref)
                    self._refs[ref] = held = entry[0]
        return held

    def _elsewhere(self, ref: KeyRef) -> Name | None:
        """A name that another address of the same keyring has, and that counts at this one too."""
        ring = self._find_keyring(KeyringRef(ref.namespace)) if ref.namespace.startswith(PATHS) else None
        if ring is not None:
            for namespace, text in elsewhere(ref.namespace, ref.name, ring.namespaces):
                if (name := self._barrier.get(Name, self._barrier.name_id(namespace, text))) is not None:
                    return name
        return None

    def _find_copy(self, ref: KeyRef) -> HeldKey | None:
        """Of the keys that are known by that id, the one where the caller is; the last there was if all are gone."""
        family = of_header(ref.id) if ref.by_ciphertext else ref.id
        if not is_family(family):
            return None
        here = [key for key in self._reach.linked(Key, family) if _is_at(self._keyring(key.keyring), ref)]
        here.sort(key=lambda key: key.created_at)
        found = (lasting(here) or here)[-1:]
        return (self._keys.get(found[0].id, (None, ()))[0] or self._load_key(found[0].id)) if found else None

    def _find_replica(self, ref: ReplicaRef) -> HeldReplica | None:
        like, ring = self.find(ref.key), self.find(KeyringRef(ref.namespace))
        return HeldReplica(like, ring) if isinstance(like, HeldKey) and isinstance(ring, HeldKeyring) else None

    def _find_secret(self, ref: SecretRef) -> HeldSecret | None:
        """The place, whether there is a secret at it or not; None where there is no such keyring."""
        stamp = self._seen_change
        ring = self.find(KeyringRef(ref.namespace))
        if not isinstance(ring, HeldKeyring):
            return None
        held = HeldSecret(ring, ref.path, self._reach, self._secrets)
        if not held.is_absent:
            with self._lock:
                if stamp == self._seen_change:
                    held = self._secrets.keep(ref, held)
        return held

    def _find_cubby(self, ref: CubbyRef) -> HeldCubby:
        return cubby_of(ref, self._reach)

    def _load_key(self, id_: str) -> HeldKey | None:
        stamp = self._seen_change
        key = self._barrier.get(Key, id_)
        policy = self._barrier.get(KeyPolicy, id_)
        if key is None or policy is None:
            return None
        held = HeldKey(
            key,
            self._keyring(key.keyring),
            policy,
            tuple(self._reach.every_child(Grant, id_)),
            tuple(self._barrier.linked(Name, id_)),
            self._reach,
            self._barrier.get(KeyStore, key.elsewhere.store) if key.elsewhere else None,
        )
        with self._lock:
            if stamp == self._seen_change:
                while len(self._keys) >= MAX_KEYS:
                    self._forget_key(next(iter(self._keys)))
                # Two threads may have missed it at once: one entry only, or a change would find half of its refs.
                held, _ = self._keys.setdefault(id_, (held, []))
        return held

    def credential(self, id_: str) -> HeldCredential | None:
        """The credential of that id with its principal, whatever their state; None if there is none."""
        self.refresh()  # before anything else of a request: a credential that was revoked authenticates nobody
        is_nobody = (
            id_ in self._nobodies
        )  # asked for everybody, so that it takes no time of its own (security.md row 15)
        held = self._credentials.get(id_)
        if not (is_nobody or held):
            self.may_block()
            stamp = self._seen_change
            if (credential := self._barrier.get(Credential, id_)) is None:
                self._keep(stamp, self._nobodies, id_, None)
                return None
            if (rights := self.rights(credential.principal_id)) is None:
                return None
            held = HeldCredential(credential, rights)
            self._keep(stamp, self._credentials, id_, held)
        return held

    def rights(self, id_: str) -> Rights | None:
        """What the principal of that id may by its policies; None if there is none that can act."""
        self.refresh()
        if (found := self._rights.get(id_)) is None:
            self.may_block()
            stamp = self._seen_change
            if (found := self._steadily(lambda: gather(self._barrier, id_))) is not None:
                self._keep(stamp, self._rights, id_, found)
        return found

    def provider(self, tenant: str, issuer: str) -> OidcProvider | None:
        """The tenant's provider of that issuer; None if there is none. Neither costs a stranger's request a thread."""
        self.refresh()
        ref = ProviderRef(tenant, issuer)
        if (known := self._providers.get(ref)) is None:
            self.may_block()
            stamp = self._seen_change
            held = self._find_provider(ref)
            known = (held.provider if held else None,)
            self._keep(stamp, self._providers, ref, known)
        return known[0]

    def token(self, id_: str) -> HeldToken | None:
        """The token of that id, whatever its state; None if there is none."""
        self.refresh()
        if (held := self._tokens.get(id_)) is None and id_ not in self._nobodies:
            self.may_block()
            stamp = self._seen_change
            rights = self._steadily(lambda: of_token(self._barrier, id_))
            if rights is None or rights.token is None:
                self._keep(stamp, self._nobodies, id_, None)
            else:
                held = HeldToken(rights.token, rights)
                self._keep(stamp, self._tokens, id_, held)
        return held

    def batch_token(self, text: str) -> HeldToken | None:
        """The batch token of that text, over or not; None for any other text.

        It is opened here, and reads no store where its maker's row and policies of the same names are held.
        """
        self.refresh()
        id_ = token_id(text)
        if (held := self._tokens.get(id_)) is None:
            stamp = self._seen_change
            batches = self._batches = self._batches or BatchTokens(self._barrier.subkey(SUBKEY))
            token = batches.open(Sensitive(text.encode("utf-8", "surrogatepass")))
            rights = self._rights_of_batch(token) if token is not None else None
            if token is None or rights is None:
                return None
            held = HeldToken(token, rights)
            self._keep(stamp, self._tokens, id_, held)
        return held

    def _rights_of_batch(self, token: Token) -> Rights | None:
        """None where the token that it was made with is gone, or the mount that it was got at."""
        beside: list[Entity] = []
        if token.creator:
            if (maker := self.token(token.creator)) is None:
                return None
            beside.append(maker.token)
        if token.mount:
            mount = next((one for one in self.mounts(token.tenant).mounts if one.uuid == token.mount), None)
            if mount is None:
                return None
            beside.append(mount)
        if (like := self._by_standing.get(token.standing)) is None:
            self.may_block()
            stamp = self._seen_change
            like = self._steadily(lambda: of_bearer(self._barrier, token))
            if like is None or self._barrier.get(Tenant, token.tenant) is None:
                return None
            self._keep(stamp, self._by_standing, token.standing, like)
        return alike(like, token, tuple(beside))

    def mounts(self, tenant: str) -> MountTable:
        """Which engine answers at which of the tenant's paths."""
        self.refresh()
        if (found := self._mounts.get(tenant)) is None:
            self.may_block()
            stamp = self._seen_change
            found = MountTable(tenant, self._reach.every_child(Mount, tenant))
            self._keep(stamp, self._mounts, tenant, found)
        return found

    def rate_limits(self) -> RateLimitTable:
        """What requests are counted by; the first tenant's."""
        self.refresh()
        if (found := self._rate_limits.get(self._home)) is None:
            self.may_block()
            tenant = self.home()
            stamp = self._seen_change
            held = HeldTenant(Tenant(id=tenant, name="", created_at=EPOCH), self._reach)
            found = RateLimitTable(held.settings(Topic.RATE_LIMIT), held.setting(Topic.RATE_LIMITS, ONLY))
            self._keep(stamp, self._rate_limits, tenant, found)
        return found

    def spaces(self, tenant: str) -> Mapping[str, Namespace]:
        """The namespaces below it that somebody may come into, by name."""
        self.refresh()
        if (found := self._spaces.get(tenant)) is None:
            self.may_block()
            stamp = self._seen_change
            found = {one.name: one for one in self._reach.every_child(Namespace, tenant) if not one.ends}
            self._keep(stamp, self._spaces, tenant, found)
        return found

    def chain(self, tenant: str) -> Lineage:
        """The namespaces that lead to a tenant, its own the last; () of a root."""
        self.refresh()
        if (found := self._chains.get(tenant)) is None:
            self.may_block()
            stamp = self._seen_change
            found = chain_of(self._barrier.get, tenant)
            self._keep(stamp, self._chains, tenant, found)
        return found

    def within(self, rights: Rights, tenant: str, *, unlocking: bool = False) -> Rights:
        """The rights of a token's bearer as one of that tenant's: of its own namespace, or of one below it.

        Raises Denied for any other, and for one that ends; Unavailable for one whose API is locked, or one above.
        """
        if rights.token is None:
            raise Denied("permission denied")
        if (chain := self._chains.get(tenant)) is None:
            chain = self.chain(tenant)
        if not chain and rights.token.tenant == tenant:
            return rights
        if rights.token.tenant != (chain[0].above if chain else "") and rights.token.tenant not in {
            one.id for one in chain
        }:
            raise Denied("permission denied")
        require_open(chain, unlocking=unlocking)
        base, found = self._within.get((rights.token.id, tenant), (None, None))
        if found is None or base is not rights:
            stamp = self._seen_change
            found = replace(
                rights,
                principal=replace(rights.principal, tenant=tenant),
                key=f"{rights.key}@{tenant}",
                rests_on=(*rights.rests_on, *chain),
                bases=rights.bases.union(one.id for one in chain),
            )
            self._keep(stamp, self._within, (rights.token.id, tenant), (rights, found))
        return found

    def strangers(self, rights: Rights) -> Rights | None:
        """Of somebody about to log in, who rests on the namespace being there, and open. None: it is not."""
        chain = self.chain(rights.principal.tenant)
        if any(one.ends or one.lock for one in chain):
            return None
        return rights if rights.rests_on == chain else replace(rights, rests_on=chain)

    def home(self) -> str:
        """The tenant of a request that says of none: the first there was."""
        self.refresh()
        if not self._home:
            self.may_block()
            (first,) = sorted(self._barrier.every(Tenant, limit=PAGE), key=lambda one: one.created_at)[:1]
            self._home = first.id
        return self._home

    def again(self, rights: Rights, now: datetime) -> Rights | None:
        """Those rights as they are now; None where whoever has them is there no more."""
        if rights.token is None and rights.principal.principal_kind is PrincipalKind.TOKEN:
            return self.strangers(rights)  # somebody who logs in: there is no row
        if rights.token is None:
            return self.narrowed_rights(rights.principal.id, rights.narrowing)
        base = (self._batch_again if rights.token.is_batch else self._token_again)(rights.token, now)
        with suppress(Denied, Unavailable):
            return None if base is None else self.within(base, rights.principal.tenant)
        return None

    def _token_again(self, token: Token, now: datetime) -> Rights | None:
        held = self.token(token.id)
        return None if held is None or held.token.is_over(now) else held.rights

    def _batch_again(self, token: Token, now: datetime) -> Rights | None:
        """What was held of it may name a row of its maker that has moved."""
        stamp = self._seen_change
        maker = self.token(token.creator) if token.creator else None
        rights = self._rights_of_batch(token)
        if rights is None or token.is_over(now) or (maker is not None and maker.token.is_over(now)):
            return None
        self._keep(stamp, self._tokens, token.id, HeldToken(token, rights))
        return rights

    def narrowed_rights(self, id_: str, by: Narrowing | None) -> Rights | None:
        """The same in a session: within the policies of its own, if it has any."""
        rights = self.rights(id_)
        if rights is None or by is None:
            return rights
        base, found = self._sessions.get(by.session_id, (None, None))
        if found is None or base is not rights:
            self.may_block()
            stamp = self._seen_change
            found = self._steadily(lambda: narrowed(self._barrier, rights, by))
            if found is not None:
                self._keep(stamp, self._sessions, by.session_id, (rights, found))
        return found

    def _steadily(self, gathered: Callable[[], Rights | None]) -> Rights | None:
        """As one commit left them: gathered again where one came between that changed what they rest on.

        Raises Unavailable; Internal where they are not whole although nothing came between.
        """
        for _ in range(ATTEMPTS):
            before, _ = self._store.changes(self._seen_change)
            found, broken = None, None
            try:
                found = gathered()
            except Internal as error:
                broken = error
            _, changed = self._store.changes(before)
            if broken is not None and changed == []:
                raise broken
            if broken is None and changed is not None and not _touched(found, changed):
                return found
        raise Unavailable("too many changes at once")

    def tenant(self, id_: str) -> HeldTenant | None:
        self.may_block()
        return self._find_tenant(TenantRef(id_))

    def _keep(self, stamp: int, into: dict[K, V], key: K, value: V) -> None:
        with self._lock:
            if stamp == self._seen_change:
                while len(into) >= MAX_OTHERS:
                    del into[next(iter(into))]
                into[key] = value

    FORGET: ClassVar[dict[Kind, Callable[[View, str], None]]] = {
        Kind.TENANT: _forget_all,
        Kind.KEYRING: _forget_all,
        Kind.BINDING: _forget_all,
        Kind.KEY: _forget_key,
        Kind.PRINCIPAL: _forget_principal,
        Kind.CREDENTIAL: _forget_credential,
        Kind.MEMBERSHIP: _forget_nothing,
        Kind.MANAGED_POLICY: _forget_principal,
        Kind.ATTACHMENT: _forget_nothing,
        Kind.KEY_VERSION: _forget_nothing,
        Kind.KEY_POLICY: _forget_nothing,
        Kind.NAME: _forget_nothing,
        Kind.GRANT: _forget_nothing,
        Kind.LAST_USE: _forget_nothing,
        Kind.OIDC_PROVIDER: _forget_nothing,  # dropped whatever changes
        Kind.KEY_STORE: _forget_key_store,
        Kind.MOUNT: _forget_all,
        Kind.ACL_POLICY: _forget_base_of_tokens,
        Kind.TOKEN: _forget_token,
        Kind.SECRET: _forget_secret,
        Kind.SECRET_VERSION: _forget_nothing,
        Kind.FOLDER: _forget_nothing,
        Kind.SECRET_SETTINGS: _forget_nothing,
        Kind.CUBBY: _forget_nothing,
        Kind.IDENTITY_ENTITY: _forget_base_of_tokens,
        Kind.IDENTITY_GROUP: _forget_base_of_tokens,
        Kind.IDENTITY_NAME: _forget_nothing,
        Kind.GROUP_TIE: _forget_nothing,
        Kind.ALIAS: _forget_nothing,
        Kind.OIDC_SETTINGS: _forget_nothing,
        Kind.OIDC_KEY: _forget_nothing,
        Kind.OIDC_ROLE: _forget_nothing,
        Kind.TOKEN_ROLE: _forget_nothing,
        Kind.WRAPPED: _forget_nothing,
        Kind.ACCOUNT: _forget_nothing,
        Kind.SECRET_ID: _forget_nothing,
        Kind.OTP_KEY: _forget_nothing,
        Kind.LOGIN_SETTINGS: _forget_nothing,
        Kind.LOGIN_SECRET: _forget_nothing,
        Kind.SETTING: _forget_settings,
        Kind.NAMESPACE: _forget_spaces,
    }

    FIND: ClassVar[dict[type, Callable[[View, Any], Held | None]]] = {
        KeyRef: _find_key,
        KeyringRef: _find_keyring,
        ReplicaRef: _find_replica,
        KeyStoreRef: _find_key_store,
        TenantRef: _find_tenant,
        PrincipalRef: _find_principal,
        AccessKeyRef: _find_access_key,
        ProviderRef: _find_provider,
        PolicyRef: _find_policy,
        SecretRef: _find_secret,
        CubbyRef: _find_cubby,
        SystemRef: _find_system,
    }


def require_open(chain: Lineage, *, unlocking: bool = False) -> None:
    """Raise Denied where one of them ends; Unavailable where one is locked, but for whoever is about to unlock it."""
    if any(one.ends for one in chain):
        raise Denied("permission denied")
    for n, one in enumerate(chain, 1):
        if one.lock and not unlocking:
            raise Unavailable(LOCKED.format(path_of_chain(chain[:n])))


def _touched(rights: Rights | None, changed: Iterable[tuple[Kind, str]]) -> bool:
    return rights is not None and any(id_ in rights.bases for _, id_ in changed)


def _is_at(keyring: HeldKeyring, ref: KeyRef) -> bool:
    """Whether a key of `keyring` answers at the address the caller named."""
    if not ref.by_ciphertext:
        return ref.namespace in keyring.namespaces
    # A ciphertext names a key of any tenant, at the same place of the same door.
    dialect, _, place = ref.namespace.split(":", 2)
    return any(n.split(":", 2)[::2] == [dialect, place] for n in keyring.namespaces)
