"""A tenant's tree of paths: mounts, policies by name, tokens, and who logs in."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, field

from keystead.core.entities.base import Entity, Kind
from keystead.core.entities.logins import Bounds
from keystead.core.entities.oidcclients import OidcAccess


class Mount(Entity, frozen=True, kw_only=True):
    """An engine at a place in a tenant's tree of paths, as Vault has them; `id` is its address.

    "vault:<tenant>:<path>", of an engine that logs in "vault-auth:<tenant>:<path>"; no slash at either end. Where the
    engine keeps keys or secrets, the same address is bound to the keyring that they are in.
    """

    kind = Kind.MOUNT
    tenant: str
    engine: str  # "transit", "kv", "approle" …
    accessor: str
    uuid: str
    keyring: str = ""  # "" of an engine that keeps nothing in one
    description: str = ""
    options: dict[str, str] = field(default_factory=dict)
    default_lease_for: int = 0  # seconds; 0: as the installation has it
    max_lease_for: int = 0
    listing: str = ""  # listing_visibility
    made_as: str = "default-service"
    managed_keys: tuple[str, ...] = ()  # that it may use (core.managedkeys)
    marks: tuple[str, ...] = ()  # "local" …: what somebody has wanted to be said of it, and nothing goes by
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)  # "passthrough_request_headers" …: the same
    created_at: datetime

    @property
    def parent(self) -> str:
        return self.tenant


class AclPolicy(Entity, frozen=True, kw_only=True):
    """A named policy of the vault dialect.

    `id` is a digest of tenant and name, against Rule 1: whoever has such a policy has it by name, and so whatever
    it says today, also once it is made anew.
    """

    kind = Kind.ACL_POLICY
    tenant: str
    name: str
    text: str
    modified_at: datetime

    @property
    def parent(self) -> str:
        return self.tenant


class Token(Entity, frozen=True, kw_only=True):
    """What Vault's clients authenticate with. `id` is a digest of its text, which nobody keeps.

    It is its own principal: what it may do stands in it. `creator` is the token it was made with, and ends with it;
    "" for an orphan. A batch token is in no store: its text says all this, and it has no accessor.
    """

    kind = Kind.TOKEN
    tenant: str
    accessor: str
    creator: str = ""
    policies: tuple[str, ...]  # names, sorted
    entity: str = ""  # id of the identity entity that it belongs to
    display_name: str = "token"
    meta: dict[str, str] = field(default_factory=dict)
    path: str  # of the request that made it
    role: str = ""
    created_at: datetime
    renewed_at: datetime | None = None
    ttl: int = 0  # seconds, as it was made with; 0: it never ends
    period: int = 0
    explicit_max_ttl: int = 0
    expires_at: datetime | None = None
    max_ttl: int = 0  # seconds, of all renewals together; 0: as the installation has it
    mount: str = ""  # uuid of the mount that it was got at by logging in; it ends with it
    n_uses: int = 0  # left; 0: any number; USED_UP: the request under way is the last
    renewable: bool = False
    bound_cidrs: tuple[str, ...] = ()
    bound_key: str = ""  # hex: digest of the key that whoever renews it has to show over TLS
    is_batch: bool = False
    behind: tuple[str, ...] = ()  # who made it, where nothing else tells: an orphan, or whom an alias names
    access: OidcAccess | None = None  # it is an access token of OAuth, and good for what that says alone

    @property
    def parent(self) -> str:
        return self.creator or self.mount or self.tenant

    @property
    def standing(self) -> tuple[object, ...]:
        """All that its rights are gathered by: two batch tokens that are alike in this have the same."""
        return self.tenant, self.policies, self.entity, "" if self.access is None else self.access.issuer

    @property
    def bearer(self) -> str:
        """Whoever has it, on record: the accessor, or what is known of a text that nobody keeps."""
        return f"batch-{self.id[:32]}" if self.is_batch else self.accessor

    @property
    def link(self) -> str:
        return self.accessor

    def is_over(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def __repr__(self) -> str:
        return f"Token({self.bearer!r})"


USED_UP = -1


class TokenRole(Entity, frozen=True, kw_only=True):
    """What tokens are made like at auth/token/create/<name>; `id` is a digest of tenant and name."""

    kind = Kind.TOKEN_ROLE
    tenant: str
    name: str
    allowed_policies: tuple[str, ...] = ()
    allowed_policies_glob: tuple[str, ...] = ()
    disallowed_policies: tuple[str, ...] = ()
    disallowed_policies_glob: tuple[str, ...] = ()
    allowed_entity_aliases: tuple[str, ...] = ()  # in lower case, with "*" for anything
    with_default: bool = True
    orphan: bool = False
    renewable: bool = True
    path_suffix: str = ""
    period: int = 0  # seconds
    explicit_max_ttl: int = 0  # seconds
    n_uses: int = 0
    bound_cidrs: tuple[str, ...] = ()
    made_as: str = "default-service"

    @property
    def parent(self) -> str:
        return self.tenant

    @property
    def bounds_policies(self) -> bool:
        """Whether it says which policies its tokens may have; otherwise they may have what their maker may give."""
        allowed = self.allowed_policies or self.allowed_policies_glob
        return bool(allowed or self.disallowed_policies or self.disallowed_policies_glob)


class WrappedAnswer(Entity, frozen=True, kw_only=True):
    """An answer that waits for whoever has the token of the same id; it goes with it."""

    kind = Kind.WRAPPED
    sealed: bytes = field(default=b"", name="s")  # under the text of the token (service.handlers.wrapping)

    def __repr__(self) -> str:
        return f"WrappedAnswer({self.id!r})"


class TokenTerms(Struct, frozen=True, kw_only=True):
    """What tokens got by logging in are like. Seconds."""

    policies: tuple[str, ...] = ()
    with_default: bool = True
    ttl: int = 0
    max_ttl: int = 0
    explicit_max_ttl: int = 0
    period: int = 0
    n_uses: int = 0
    bound_cidrs: tuple[str, ...] = ()
    binds_ip: bool = False  # to where the login comes from, in place of bound_cidrs
    made_as: str = "default"


class Account(Entity, frozen=True, kw_only=True):
    """Whom an auth mount lets in: a user with a password, or a role with secret ids. `id` is a digest of both names."""

    kind = Kind.ACCOUNT
    mount: str  # its uuid: a mount may be moved
    name: str
    terms: TokenTerms = TokenTerms()
    password: bytes = field(default=b"", name="p")  # salt and Argon2id of it
    n_failed: int = 0  # logins since the last that went well
    failed_at: datetime | None = None  # the last of these; None where nobody has kept that yet
    locked_until: datetime | None = None
    role_id: str = ""
    role_digest: str = ""  # of mount and role id
    needs_secret_id: bool = True
    secret_id_cidrs: tuple[str, ...] = ()
    secret_id_n_uses: int = 0
    secret_id_ttl: int = 0  # seconds
    bounds: Bounds | None = None  # of whom somebody else vouches for
    local_secret_ids: bool = False  # Vault: of one cluster; there is one

    @property
    def parent(self) -> str:
        return self.mount

    @property
    def link(self) -> str:
        return self.role_digest

    def __repr__(self) -> str:
        return f"Account({self.name!r})"


class SecretId(Entity, frozen=True, kw_only=True):
    """What a role logs in with. `id` is a digest of the role and the secret, which nobody keeps."""

    kind = Kind.SECRET_ID
    account_id: str
    accessor: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None
    ttl: int = 0  # seconds
    n_uses: int = 0  # left; 0: any number
    meta: dict[str, str] = field(default_factory=dict)
    cidrs: tuple[str, ...] = ()  # it is good from there
    token_cidrs: tuple[str, ...] = ()  # what is got with it, too

    @property
    def parent(self) -> str:
        return self.account_id

    @property
    def link(self) -> str:
        return self.accessor

    def is_over(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now
