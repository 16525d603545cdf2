"""Logging in where Vault does: users with passwords, roles with secret ids; and who may.

`mount` is the id of a mount of the tenant's, "vault-auth:<tenant>:<path>".
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Generic

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import Account, SecretId
from keystead.core.operations.base import Nothing, R, TenantOperation
from keystead.core.operations.mfa import LoggedIn
from keystead.core.sensitive import Sensitive


class MadeSecretId(Struct, frozen=True):
    """`text` is shown once."""

    secret_id: SecretId
    text: Sensitive


class LoginOperation(TenantOperation[R], Generic[R], frozen=True, kw_only=True):
    mount: str


class WriteAccount(LoginOperation[Account], frozen=True, kw_only=True):
    """`account` as it is to be; what is not the caller's to say (its id, its failures) is kept as it was.

    `password`: a new one; None: the one there is. Raises InvalidArgument.
    """

    action = Action.WRITE_ACCOUNT
    changes = True
    account: Account
    password: Sensitive | None = None


class ReadAccount(LoginOperation[Account], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_ACCOUNT
    name: str


class ListAccounts(LoginOperation[tuple[str, ...]], frozen=True, kw_only=True):
    action = Action.LIST_ACCOUNTS


class DeleteAccount(LoginOperation[Nothing], frozen=True, kw_only=True):
    """With its secret ids. One that is not there is gone already."""

    action = Action.DELETE_ACCOUNT
    changes = True
    name: str


class MakeSecretId(LoginOperation[MadeSecretId], frozen=True, kw_only=True):
    """None: as the role has it. Raises NotFound (no such role), AlreadyExists, InvalidArgument."""

    action = Action.MAKE_SECRET_ID
    changes = True
    name: str
    text: Sensitive | None = None
    meta: Mapping[str, str] = {}
    cidrs: tuple[str, ...] = ()
    token_cidrs: tuple[str, ...] = ()
    n_uses: int | None = None
    ttl: int | None = None


class SecretIdOperation(LoginOperation[R], Generic[R], frozen=True, kw_only=True):
    """By its text, or by its accessor. Raises NotFound (detail "role" where it is the role that is missing)."""

    name: str
    text: Sensitive | None = None
    accessor: str = ""


class ReadSecretId(SecretIdOperation[SecretId], frozen=True, kw_only=True):
    action = Action.READ_SECRET_ID


class DestroySecretId(SecretIdOperation[Nothing], frozen=True, kw_only=True):
    action = Action.DESTROY_SECRET_ID
    changes = True


class ListSecretIds(LoginOperation[tuple[SecretId, ...]], frozen=True, kw_only=True):
    action = Action.LIST_SECRET_IDS
    name: str


class SweepSecretIds(LoginOperation[int], frozen=True, kw_only=True):
    """Take away those of the mount that are over, some at a time; how many went."""

    action = Action.SWEEP_SECRET_IDS
    changes = True


class ListLocked(TenantOperation[Mapping[str, tuple[str, ...]]], frozen=True, kw_only=True):
    """Names of those that are locked out, role ids of roles, by the accessors of their mounts.

    Of one mount, where `accessor` is set.
    """

    action = Action.LIST_LOCKED
    accessor: str = ""


class UnlockAccount(TenantOperation[Nothing], frozen=True, kw_only=True):
    """Let somebody try again. One who is not locked out, or not there, is as they are. `name`: as ListLocked has it."""

    action = Action.UNLOCK_ACCOUNT
    changes = True
    accessor: str
    name: str


class Tried:
    """A password that somebody tries, and what it came to: a request that is decided again asks that no second time.

    It lives as long as its request. What is kept of another password than before is another question.
    """

    __slots__ = ("_kept", "_right", "password")

    def __init__(self, password: Sensitive) -> None:
        self.password = password
        self._kept: bytes | None = None
        self._right = False

    def is_right(self, kept: bytes, compare: Callable[[bytes, Sensitive], bool]) -> bool:
        """`compare`, which takes its time, of what is kept and of what is tried."""
        if self._kept is None or not hmac.compare_digest(self._kept, kept):
            self._right = compare(kept, self.password)
            self._kept = kept
        return self._right


class LogInByPassword(LoginOperation[LoggedIn | None], frozen=True, kw_only=True):
    """None: that is not the name and the password of anybody, or whoever it is, is locked out."""

    action = Action.LOG_IN_BY_PASSWORD
    changes = True
    name: str
    password: Tried
    path: str


class LogInByRole(LoginOperation[LoggedIn | None], frozen=True, kw_only=True):
    """None: as above. `secret_id`: None where none was given."""

    action = Action.LOG_IN_BY_ROLE
    changes = True
    role_id: str
    secret_id: Sensitive | None
    path: str
