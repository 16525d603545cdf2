"""What this process holds of the store: found on demand, bounded, dropped when something changed.

Rule 1: `refresh` is called before every request; when the shared generation has moved, whatever the store says
        has changed since is dropped, so nothing acknowledged elsewhere is ever overlooked (docs/adr/0007).
Rule 2: a miss reads the store, so on the event loop it raises WouldBlock; an absent object is never held. That there is
        no credential of some id is held until anything changes: strangers must not get a thread for every request.
Rule 3: what was read while something changed is not kept.
"""

from __future__ import annotations

from typing import ClassVar

from keystead.core.entities import Kind
from keystead.core.operations import SystemRef
from keystead.core.ports import Reader
from keystead.core.providers import KeyStores, Provider
from keystead.service.barrier import Barrier
from keystead.service.held import Held, HeldSystem
from keystead.service.hsms import Hsms
from keystead.service.meter import Meter
from keystead.service.view.cache import Finds, Forgets, Generation
from keystead.service.view.keys import KeyCache
from keystead.service.view.tokens import TokenCache

__all__ = ["Generation", "View"]


class View(KeyCache, TokenCache):
    """Finds targets and credentials. One per process."""

    def __init__(
        self,
        barrier: Barrier,
        store: Reader,
        provider: Provider,
        generation: Generation,
        outside: KeyStores | None = None,
        hsms: Hsms | None = None,
        meter: Meter | None = None,
    ) -> None:
        """Without a `meter`, keys with limits are not used."""
        super().__init__(barrier, store, provider, generation, outside, hsms, meter)
        self._system = HeldSystem(self._reach)

    def _find_system(self, _ref: SystemRef) -> Held:
        return self._system

    def _forget_all(self, _id: str) -> None:
        self._forget_everything()

    def _forget_nothing(self, _id: str) -> None:
        """What belongs to a key never changes without the key, and a tie not without its ends (entities, Rule 4)."""

    FORGET: ClassVar[Forgets] = {
        **KeyCache.FORGET,
        **TokenCache.FORGET,
        Kind.TENANT: _forget_all,
        Kind.KEYRING: _forget_all,
        Kind.BINDING: _forget_all,
        Kind.MOUNT: _forget_all,
        Kind.NAMESPACE: _forget_all,
        Kind.MEMBERSHIP: _forget_nothing,
        Kind.ATTACHMENT: _forget_nothing,
        Kind.KEY_VERSION: _forget_nothing,
        Kind.KEY_POLICY: _forget_nothing,
        Kind.NAME: _forget_nothing,
        Kind.GRANT: _forget_nothing,
        Kind.LAST_USE: _forget_nothing,
        Kind.USAGE: _forget_nothing,  # nobody holds it
        Kind.SLOT_RULE: _forget_nothing,
        Kind.ENDED_ROOT: _forget_nothing,
        Kind.SHARE_PROOF: _forget_nothing,
        Kind.OIDC_PROVIDER: _forget_nothing,  # dropped whatever changes
        Kind.SECRET_VERSION: _forget_nothing,
        Kind.FOLDER: _forget_nothing,
        Kind.SECRET_SETTINGS: _forget_nothing,
        Kind.CUBBY: _forget_nothing,
        Kind.IDENTITY_NAME: _forget_nothing,
        Kind.GROUP_TIE: _forget_nothing,
        Kind.ALIAS: _forget_nothing,
        Kind.OIDC_KEY: _forget_nothing,
        Kind.TOKEN_ROLE: _forget_nothing,
        Kind.WRAPPED: _forget_nothing,
        Kind.ACCOUNT: _forget_nothing,
        Kind.SECRET_ID: _forget_nothing,
        Kind.OTP_KEY: _forget_nothing,
        Kind.LOGIN_SETTINGS: _forget_nothing,
        Kind.LOGIN_SECRET: _forget_nothing,
        Kind.OIDC_LOGIN: _forget_nothing,
        Kind.OIDC_ASSIGNMENT: _forget_nothing,
        Kind.OIDC_SCOPE: _forget_nothing,
        Kind.OIDC_CLIENT_SECRET: _forget_nothing,
        Kind.OIDC_CODE: _forget_nothing,
        Kind.REVOCATION_LIST: _forget_nothing,
        Kind.MFA_RULES: _forget_nothing,  # nobody holds them: every login reads them, and rests on them
        Kind.MFA_ROLL: _forget_nothing,
        Kind.MFA_SECRET: _forget_nothing,
        Kind.WAITING_LOGIN: _forget_nothing,
        Kind.ERASURE: _forget_nothing,
        Kind.GIVEN_UP: _forget_nothing,
        Kind.APPROVAL_REQUEST: _forget_nothing,
    }
    FIND: ClassVar[Finds] = {**KeyCache.FIND, **TokenCache.FIND, SystemRef: _find_system}
