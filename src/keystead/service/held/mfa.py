"""What a tenant has for second factors of its logins (service.held)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

from keystead.core.entities import Lineage, MfaMethod, MfaRoll, MfaRules, MfaSecret, Mount, WaitingLogin, path_of_chain
from keystead.core.sensitive import Sensitive

if TYPE_CHECKING:
    from keystead.service.reach import Reach


class OfFactors:
    """Part of service.held.HeldTenant."""

    _reach: Reach
    id: str

    @abstractmethod
    def chain(self) -> Lineage: ...

    @abstractmethod
    def all_spaces(self) -> Iterator[Lineage]: ...

    def mfa_rules(self, tenant: str = "") -> MfaRules:
        """This tenant's own, or another's; as a row that there is not yet where there are none."""
        of = tenant or self.id
        return self._reach.get(MfaRules, of) or MfaRules(id=of)

    def mfa_roll(self, tenant: str = "") -> MfaRoll:
        """The same."""
        of = tenant or self.id
        return self._reach.get(MfaRoll, of) or MfaRoll(id=of)

    def mfa_rules_above(self) -> tuple[MfaRules, ...]:
        """Those that count here: of the root of its tree, down to its own."""
        chain = self.chain()
        root = (chain[0].above,) if chain else (self.id,)
        return tuple(self.mfa_rules(of) for of in (*root, *(one.id for one in chain)))

    def mfa_rules_below(self) -> Iterator[MfaRules]:
        """Of the tenants below this one."""
        return (self.mfa_rules(chain[-1].id) for chain in self.all_spaces())

    def path_to(self, method: MfaMethod) -> str:
        """Of the namespace of a method that counts here: "ns1/"; "" of the root."""
        chain = self.chain()
        ids = [one.id for one in chain]
        return path_of_chain(chain[: ids.index(method.tenant) + 1]) if method.tenant in ids else ""

    # --- who is enrolled

    def mfa_secret_of(self, entity: str, method: str) -> MfaSecret | None:
        return next((one for one in self.mfa_secrets_of(entity) if one.method == method), None)

    def mfa_secrets_of(self, entity: str) -> list[MfaSecret]:
        """Of an entity of this tenant's."""
        return list(self._reach.every_child(MfaSecret, entity))

    def mfa_secrets_for(self, method: MfaMethod) -> list[MfaSecret]:
        """Of everybody who is enrolled in a method of this tenant's, here and below."""
        return self._reach.linked(MfaSecret, method.id)

    def shared_secret(self, secret: MfaSecret) -> Sensitive:
        self._reach.may_block()
        return self._reach.barrier.material(secret)

    # --- logins that wait

    def waiting_login(self, id: str) -> WaitingLogin | None:
        found = self._reach.get(WaitingLogin, id)
        return found if found is not None and found.tenant == self.id else None

    def waiting_logins(self, mount: Mount) -> list[WaitingLogin]:
        return list(self._reach.every_child(WaitingLogin, mount.uuid))

    def some_waiting_logins(self, mount: str, after: str, limit: int) -> list[WaitingLogin]:
        """Of the mount with that uuid, by their ids."""
        return self._reach.children(WaitingLogin, mount, after, limit)

    def waiting_logins_of(self, entity: str) -> list[WaitingLogin]:
        return self._reach.linked(WaitingLogin, entity)
