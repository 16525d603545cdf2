"""What this process holds of the store: found on demand, bounded, dropped when something changed.

Rule 1: `refresh` is called before every request; when the shared generation has moved, whatever the store says
        has changed since is dropped, so nothing acknowledged elsewhere is ever overlooked (docs/adr/0007).
Rule 2: a miss reads the store, so on the event loop it raises WouldBlock; an absent object is never held. That there is
        no credential of some id is held until anything changes: strangers must not get a thread for every request.
Rule 3: what was read while something changed is not kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeVar

from keystead.core.entities import (
    Binding,
    Credential,
    Grant,
    Key,
    KeyPolicy,
    Keyring,
    Kind,
    Mount,
    Name,
    PrincipalKind,
    Tenant,
    Token,
)
from keystead.core.errors import Internal, Sealed, Unavailable
from keystead.core.mounts import MountTable
from keystead.core.operations import KeyRef, KeyringRef, PolicyRef, PrincipalRef, Ref, SystemRef, TenantRef
from keystead.core.ports import Provider, Reader, WouldBlock
from keystead.core.rights import Narrowing, Rights
from keystead.service.barrier import Barrier
from keystead.service.held import (
    PAGE,
    Held,
    HeldCredential,
    HeldKey,
    HeldKeyring,
    HeldPolicy,
    HeldPrincipal,
    HeldSystem,
    HeldTenant,
    HeldToken,
    Reach,
)
from keystead.service.rights import gather, narrowed, of_token

K = TypeVar("K")
V = TypeVar("V")
MAX_KEYS = 8192
MAX_OTHERS = 16384
ATTEMPTS = 10


class Generation(Protocol):
    """The number in shared memory that grows with every acknowledged change (kit.listener, app.coherence)."""

    def current(self) -> int: ...


class View:
    """Finds targets and credentials. One per process; `loop_thread` is the thread that must not block."""

    def __init__(self, barrier: Barrier, store: Reader, provider: Provider, generation: Generation) -> None:
        self._barrier, self._store, self._current = barrier, store, generation.current
        self.loop_thread: int | None = None
        self._reach = Reach(barrier, provider, self.may_block)
        self._lock = threading.Lock()
        self._seen_generation = -1
        self._seen_change = 0
        self._refs: dict[Ref, Held] = {}
        self._keys: dict[str, tuple[HeldKey, list[KeyRef]]] = {}
        self._keyrings: dict[str, HeldKeyring] = {}
        self._credentials: dict[str, HeldCredential] = {}
        self._rights: dict[str, Rights] = {}
        self._sessions: dict[str, tuple[Rights, Rights]] = {}  # those that have policies of their own
        self._tokens: dict[str, HeldToken] = {}
        self._mounts: dict[str, MountTable] = {}
        self._home = ""
        self._nobodies: dict[str, None] = {}  # ids of no credential
        self._system = HeldSystem(self._reach)
        self._dropped: list[Callable[[], None]] = []

    def on_loop(self) -> bool:
        return threading.get_ident() == self.loop_thread

    def may_block(self) -> None:
        if threading.get_ident() == self.loop_thread:
            raise WouldBlock

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
        self._sessions.clear()
        self._tokens.clear()
        self._mounts.clear()
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

    def _forget_principal(self, id_: str) -> None:
        """It and all whose rights rest on it: a principal, a group with its members, a policy with its holders."""
        gone = [one for one, rights in self._rights.items() if rights.concerns(id_)]
        for one in gone:
            del self._rights[one]
        for credential_id, held in list(self._credentials.items()):
            if held.rights.concerns(id_):
                del self._credentials[credential_id]
        for session_id, (_, rights) in list(self._sessions.items()):
            if rights.concerns(id_):
                del self._sessions[session_id]

    def _forget_token(self, id_: str) -> None:
        self._tokens.pop(id_, None)

    def _forget_acl_policy(self, id_: str) -> None:
        """The tokens that have it, or that had it by name before it was there."""
        for token_id in [one for one, held in self._tokens.items() if held.rights.concerns(id_)]:
            del self._tokens[token_id]

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
        return HeldPrincipal(found, home) if home and found else None

    def _find_policy(self, ref: PolicyRef) -> HeldPolicy | None:
        home = self._find_tenant(TenantRef(ref.tenant))
        found = home.find_policy(ref) if home else None
        return HeldPolicy(found, home) if home and found else None

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

    def _find_key(self, ref: KeyRef) -> HeldKey | None:
        stamp, id_ = self._seen_change, ref.id
        if ref.name:
            name = self._barrier.get(Name, self._barrier.name_id(ref.namespace, ref.name))
            if name is None:
                return None
            id_ = name.key_id
        held = self._keys.get(id_, (None, ()))[0] or self._load_key(id_)
        if held is None or not _is_at(held.keyring, ref):
            return None
        with self._lock:
            if stamp == self._seen_change and (entry := self._keys.get(id_)):
                if len(self._refs) >= MAX_KEYS * 4:
                    self._forget_everything()
                else:
                    entry[1].append(ref)
                    self._refs[ref] = held = entry[0]
        return held

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
        if (held := self._credentials.get(id_)) is None and id_ not in self._nobodies:
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
            if (found := self._at_once(lambda: gather(self._barrier, id_))) is not None:
                self._keep(stamp, self._rights, id_, found)
        return found

    def token(self, id_: str) -> HeldToken | None:
        """The token of that id, whatever its state; None if there is none."""
        self.refresh()
        if (held := self._tokens.get(id_)) is None and id_ not in self._nobodies:
            self.may_block()
            stamp = self._seen_change
            if (held := self._at_once(lambda: self._load_token(id_))) is None:
                self._keep(stamp, self._nobodies, id_, None)
            else:
                self._keep(stamp, self._tokens, id_, held)
        return held

    def _load_token(self, id_: str) -> HeldToken | None:
        token = self._barrier.get(Token, id_)
        return None if token is None else HeldToken(token, of_token(self._barrier, token))

    def mounts(self, tenant: str) -> MountTable:
        """Which engine answers at which of the tenant's paths."""
        self.refresh()
        if (found := self._mounts.get(tenant)) is None:
            self.may_block()
            stamp = self._seen_change
            found = MountTable(tenant, self._reach.every_child(Mount, tenant))
            self._keep(stamp, self._mounts, tenant, found)
        return found

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
            return rights  # somebody who logs in: there is no row
        if rights.token is None:
            return self.narrowed_rights(rights.principal.id, rights.narrowing)
        held = self.token(rights.token.id)
        return None if held is None or held.token.is_over(now) else held.rights

    def narrowed_rights(self, id_: str, by: Narrowing | None) -> Rights | None:
        """The same in a session: within the policies of its own, if it has any."""
        rights = self.rights(id_)
        if rights is None or by is None:
            return rights
        base, found = self._sessions.get(by.session_id, (None, None))
        if found is None or base is not rights:
            if by.policy_ids:
                self.may_block()
            stamp = self._seen_change
            found = narrowed(self._barrier, rights, by)
            self._keep(stamp, self._sessions, by.session_id, (rights, found))
        return found

    def _at_once(self, read: Callable[[], V]) -> V:
        """What several reads come to, all as one commit left them: read again where another came between.

        Raises Internal, Unavailable.
        """
        for _ in range(ATTEMPTS):
            before, _ = self._store.changes(self._seen_change)
            try:
                found = read()
            except Internal:
                if self._store.changes(self._seen_change)[0] == before:
                    raise
                continue
            if self._store.changes(self._seen_change)[0] == before:
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
        Kind.MOUNT: _forget_all,
        Kind.ACL_POLICY: _forget_acl_policy,
        Kind.TOKEN: _forget_token,
        Kind.TOKEN_ROLE: _forget_nothing,
        Kind.WRAPPED: _forget_nothing,
        Kind.ACCOUNT: _forget_nothing,
        Kind.SECRET_ID: _forget_nothing,
    }

    FIND: ClassVar[dict[type, Callable[[View, Any], Held | None]]] = {
        KeyRef: _find_key,
        KeyringRef: _find_keyring,
        TenantRef: _find_tenant,
        PrincipalRef: _find_principal,
        PolicyRef: _find_policy,
        SystemRef: _find_system,
    }


def _is_at(keyring: HeldKeyring, ref: KeyRef) -> bool:
    """Whether a key of `keyring` answers at the address the caller named."""
    if not ref.by_ciphertext:
        return ref.namespace in keyring.namespaces
    # A ciphertext names a key of any tenant, at the same place of the same door.
    dialect, _, place = ref.namespace.split(":", 2)
    return any(n.split(":", 2)[::2] == [dialect, place] for n in keyring.namespaces)
