"""What a tenant has for its tree of paths: tokens, their roles, policies by name, and who logs in (service.held)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

from keystead.core.entities import (
    Account,
    AclPolicy,
    Lineage,
    LoginSecret,
    LoginSettings,
    Mount,
    OidcLogin,
    RevocationList,
    SecretId,
    Setting,
    Token,
    TokenRole,
    Topic,
    WrappedAnswer,
)
from keystead.core.mounts import TUNED, address
from keystead.core.rights import Rights
from keystead.core.sensitive import Sensitive
from keystead.service.rights import acl_policy_id, of_bearer, of_token

if TYPE_CHECKING:
    from keystead.service.reach import Reach


class OfPaths:
    """Part of service.held.HeldTenant."""

    _reach: Reach
    id: str

    @abstractmethod
    def has_below(self, tenant: str) -> bool: ...

    @abstractmethod
    def chain_of(self, tenant: str) -> Lineage: ...

    def token(self, id: str) -> Token | None:
        found = self._reach.get(Token, id) if id else None
        return found if found is not None and found.tenant == self.id else None

    def token_at_or_below(self, id: str) -> Token | None:
        """The same of a tenant below this one too, until that ends: whoever has its text names it."""
        found = self._reach.get(Token, id) if id else None
        return found if found is not None and self.is_at_or_below(found.tenant) else None

    def is_at_or_below(self, tenant: str) -> bool:
        """Whether that is this tenant, or stands below it and nothing on the way there has ended."""
        return tenant == self.id or (self.has_below(tenant) and not any(one.ends for one in self.chain_of(tenant)))

    def maker_of(self, token: Token) -> Token | None:
        """The token that one was made with, of this tenant or of one above it."""
        return self._reach.get(Token, token.creator)

    def got_at(self, token: Token) -> Mount | None:
        """The mount that a token was got at, if it is there."""
        mounts = self._reach.every_child(Mount, token.tenant)
        return next((one for one in mounts if one.uuid == token.mount), None)

    def bounding(self, token: Token) -> Mount | None:
        """The mount by which a token lasts: where it was got, or auth/token. None where nothing is kept of it."""
        return self.got_at(token) if token.mount else self._reach.get(Mount, address(token.tenant, TUNED))

    def is_mounted(self, token: Token) -> bool:
        return self.got_at(token) is not None

    def token_of_accessor(self, accessor: str) -> Token | None:
        self._reach.may_block()
        found = next(iter(self._reach.barrier.linked(Token, accessor, limit=1)), None) if accessor else None
        return found if found is not None and found.tenant == self.id else None

    def tokens(self) -> Iterator[Token]:
        """Every one."""
        return (one for one in self._reach.every(Token) if one.tenant == self.id)

    def children_of(self, token: Token) -> Iterator[Token]:
        return self._reach.every_child(Token, token.id)

    def tokens_of(self, mount: Mount) -> Iterator[Token]:
        """Got by logging in there."""
        return self._reach.every_child(Token, mount.uuid)

    def account(self, mount: Mount, name: str) -> Account | None:
        return self._reach.get(Account, self.account_id(mount, name))

    def account_id(self, mount: Mount, name: str) -> str:
        return self._reach.barrier.name_id(f"account:{mount.uuid}", name)

    def accounts(self, mount: Mount) -> list[Account]:
        return list(self._reach.every_child(Account, mount.uuid))

    def role_digest(self, mount: Mount, role_id: str) -> str:
        return self._reach.barrier.name_id(f"role-id:{mount.uuid}", role_id)

    def account_of_role(self, mount: Mount, digest: str) -> Account | None:
        self._reach.may_block()
        found = next(iter(self._reach.barrier.linked(Account, digest, limit=1)), None)
        return found if found is not None and found.mount == mount.uuid else None

    def login_settings(self, mount: Mount) -> LoginSettings | None:
        return self._reach.get(LoginSettings, mount.uuid)

    def login_secret(self, settings: LoginSettings) -> LoginSecret | None:
        return self._reach.get(LoginSecret, f"{settings.id}/{settings.n_secrets}") if settings.shows else None

    def shown_by(self, mount: Mount) -> tuple[LoginSecret, ...]:
        """The secret that the mount shows to whom it asks, if it has one."""
        settings = self.login_settings(mount)
        found = self.login_secret(settings) if settings is not None else None
        return () if found is None else (found,)

    def shown(self, secret: LoginSecret) -> Sensitive:
        """What the mount shows to whom it asks."""
        return self._reach.barrier.material(secret)

    def oidc_login(self, id: str) -> OidcLogin | None:
        return self._reach.get(OidcLogin, id)

    def oidc_logins(self, mount: Mount) -> list[OidcLogin]:
        """Those that are under way, and some that are over."""
        return list(self._reach.every_child(OidcLogin, mount.uuid))

    def revocation_list(self, mount: Mount, name: str) -> RevocationList | None:
        return self._reach.get(RevocationList, self.revocation_list_id(mount, name))

    def revocation_list_id(self, mount: Mount, name: str) -> str:
        return self._reach.barrier.name_id(f"crl:{mount.uuid}", name)

    def revocation_lists(self, uuid: str) -> list[RevocationList]:
        """Of the mount that has it."""
        return list(self._reach.every_child(RevocationList, uuid))

    def secret_id(self, id: str) -> SecretId | None:
        return self._reach.get(SecretId, id)

    def secret_ids(self, account: Account) -> list[SecretId]:
        return list(self._reach.every_child(SecretId, account.id))

    def secret_id_of_accessor(self, account: Account, accessor: str) -> SecretId | None:
        self._reach.may_block()
        found = next(iter(self._reach.barrier.linked(SecretId, accessor, limit=1)), None) if accessor else None
        return found if found is not None and found.account_id == account.id else None

    def rights_of(self, token: Token) -> Rights | None:
        """None: it has ended meanwhile."""
        if token.is_batch:
            return of_bearer(self._reach.barrier, token)
        return of_token(self._reach.barrier, token.id)

    def batch_key(self) -> Sensitive:
        """What batch tokens are sealed under (service.credentials.batch)."""
        self._reach.may_block()
        return self._reach.barrier.subkey("batch-token")

    def wrapped(self, token: Token) -> WrappedAnswer | None:
        return self._reach.get(WrappedAnswer, token.id)

    def token_role(self, name: str) -> TokenRole | None:
        return self._reach.get(TokenRole, self.token_role_id(name))

    def made_by(self, token: Token) -> TokenRole | None:
        """The role that a token of this tenant, or of one below, was made by, as it is now."""
        return self._reach.get(TokenRole, self._reach.barrier.name_id(f"token-role:{token.tenant}", token.role))

    def token_role_id(self, name: str) -> str:
        return self._reach.barrier.name_id(f"token-role:{self.id}", name)

    def token_roles(self) -> list[TokenRole]:
        return list(self._reach.every_child(TokenRole, self.id))

    def setting(self, topic: Topic, name: str) -> Setting | None:
        return self._reach.get(Setting, self.setting_id(topic, name))

    def setting_id(self, topic: Topic, name: str) -> str:
        return self._reach.barrier.name_id(f"setting:{self.id}:{topic}", name)

    def settings(self, topic: Topic) -> list[Setting]:
        return self._reach.linked(Setting, f"{self.id}/{topic}")

    def acl_policy(self, name: str) -> AclPolicy | None:
        return self._reach.get(AclPolicy, self.acl_policy_id(name))

    def acl_policy_id(self, name: str) -> str:
        return acl_policy_id(self._reach.barrier, self.id, name)

    def acl_policies(self) -> list[AclPolicy]:
        return list(self._reach.every_child(AclPolicy, self.id))
