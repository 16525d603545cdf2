"""Principals as they are held: their rights, credentials and sessions, and who vouches for others (service.view)."""

from __future__ import annotations

from typing import Any, ClassVar

from keystead.core.entities import Credential, CredentialKind, Kind
from keystead.core.errors import NotFound
from keystead.core.federation import OidcProvider
from keystead.core.operations import AccessKeyRef, PolicyRef, PrincipalRef, ProviderRef, TenantRef
from keystead.core.rights import Narrowing, Rights
from keystead.service.held import HeldCredential, HeldPolicy, HeldPrincipal, HeldProvider, HeldTenant
from keystead.service.rights import gather, narrowed
from keystead.service.view.cache import Finds, Forgets
from keystead.service.view.tenants import TenantCache


class PrincipalCache(TenantCache):
    """Part of service.view.View."""

    def __init__(self, *sources: Any) -> None:
        super().__init__(*sources)
        self._credentials: dict[str, HeldCredential] = {}
        self._rights: dict[str, Rights] = {}
        self._sessions: dict[str, tuple[Rights, Rights]] = {}  # those that have policies of their own
        self._providers: dict[ProviderRef, tuple[OidcProvider | None]] = {}  # those that are not there, too

    def _forget_everything(self) -> None:
        super()._forget_everything()
        self._credentials.clear()
        self._rights.clear()
        self._sessions.clear()

    def _forget_absent(self) -> None:
        super()._forget_absent()
        self._providers.clear()

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

    def _forget_credential(self, id_: str) -> None:
        self._credentials.pop(id_, None)

    def _home_of(self, tenant: str) -> HeldTenant | None:
        """Where what is asked about belongs, be it by somebody of another tenant: a role that they would assume."""
        return self._find_tenant(TenantRef(tenant)) if self._is_there(tenant) else None

    def _find_principal(self, ref: PrincipalRef) -> HeldPrincipal | None:
        home = self._home_of(ref.tenant)
        found = home.find_principal(ref.kind, ref.name) if home else None
        if home is None or found is None or ref.path not in {None, found.path}:
            return None
        return HeldPrincipal(found, home)

    def _find_policy(self, ref: PolicyRef) -> HeldPolicy | None:
        home = self._home_of(ref.tenant)
        found = home.find_policy(ref) if home else None
        return HeldPolicy(found, home) if home and found else None

    def _find_access_key(self, ref: AccessKeyRef) -> HeldPrincipal | None:
        home = self._home_of(ref.tenant)
        try:
            credential, owner = home.credential(ref.credential_id) if home else (None, None)
        except NotFound:
            return None
        if home is None or credential is None or owner is None:
            return None
        return HeldPrincipal(owner, home) if credential.credential_kind is CredentialKind.ACCESS_KEY else None

    def _find_provider(self, ref: ProviderRef) -> HeldProvider | None:
        home = self._home_of(ref.tenant)
        found = home.provider(ref.issuer) if home else None
        return HeldProvider(found) if found else None

    def credential(self, id_: str) -> HeldCredential | None:
        """The credential of that id with its principal, whatever their state; None if there is none that counts."""
        self.refresh()  # before anything else of a request: a credential that was revoked authenticates nobody
        # asked for everybody, so that it takes no time of its own (security.md row 15)
        is_nobody = id_ in self._nobodies
        held = self._credentials.get(id_)
        if not (is_nobody or held):
            self.may_block()
            stamp = self._seen_change
            credential = self._barrier.get(Credential, id_)
            rights = self.rights(credential.principal_id) if credential is not None else None
            if credential is None or rights is None:
                self._keep(stamp, self._nobodies, id_, None)
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

    FORGET: ClassVar[Forgets] = {
        **TenantCache.FORGET,
        Kind.PRINCIPAL: _forget_principal,
        Kind.MANAGED_POLICY: _forget_principal,
        Kind.CREDENTIAL: _forget_credential,
    }
    FIND: ClassVar[Finds] = {
        **TenantCache.FIND,
        PrincipalRef: _find_principal,
        AccessKeyRef: _find_access_key,
        ProviderRef: _find_provider,
        PolicyRef: _find_policy,
    }
