"""Secrets: values at paths of a keyring, in versions; and what a token keeps for itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import Secret, SecretSettings, SecretVersion
from keystead.core.operations.base import CubbyRef, Demand, KeyringOperation, Nothing, Operation, Page, R, SecretRef
from keystead.core.sensitive import Sensitive


class SecretOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    """Its target is a path: whether there is a secret at it is for the act to say."""

    secret: SecretRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.secret),)


class Versioned(Struct, frozen=True):
    """A secret and one of its versions. `value` is None where it is deleted or destroyed, or was not asked for."""

    secret: Secret
    version: SecretVersion
    value: Sensitive | None = None


class WriteSecret(SecretOperation[Versioned], frozen=True, kw_only=True):
    """A new version. `cas`: only if that is the current version; 0, only if there is none.

    Raises Conflict where it is another, InvalidArgument (detail "cas") where one is required, LimitExceeded.
    """

    action = Action.WRITE_SECRET
    changes = True
    value: Sensitive  # JSON, or any bytes
    cas: int | None = None
    n_kept: int | None = None  # versions; None: as secret and settings say


class ReadSecret(SecretOperation[Versioned], frozen=True, kw_only=True):
    """Raises NotFound, also for a version that was dropped."""

    action = Action.READ_SECRET
    version: int = 0  # 0: the current one


class PatchSecret(SecretOperation[Versioned], frozen=True, kw_only=True):
    """A new version: the current one with a JSON merge patch (RFC 7396) applied.

    Nothing is written where the current one is deleted or destroyed: then the answer is that one, without a value.
    Raises NotFound, Conflict, InvalidArgument (detail "cas").
    """

    action = Action.PATCH_SECRET
    changes = True
    patch: Sensitive
    cas: int | None = None


class DeleteVersions(SecretOperation[Nothing], frozen=True, kw_only=True):
    """Out of sight, and to be had back. Whatever is not there is passed over."""

    action = Action.DELETE_SECRET_VERSIONS
    changes = True
    versions: tuple[int, ...] | None = None  # None: the current one


class UndeleteVersions(SecretOperation[Nothing], frozen=True, kw_only=True):
    action = Action.UNDELETE_SECRET_VERSIONS
    changes = True
    versions: tuple[int, ...]


class DestroyVersions(SecretOperation[Nothing], frozen=True, kw_only=True):
    """For ever, and from every backup (docs/adr/0006)."""

    action = Action.DESTROY_SECRET_VERSIONS
    changes = True
    versions: tuple[int, ...]


class SecretMetadata(Struct, frozen=True):
    secret: Secret
    versions: tuple[SecretVersion, ...]  # oldest first; not those that were dropped


class ReadSecretMetadata(SecretOperation[SecretMetadata], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_SECRET_METADATA


class MetadataPut(Struct, frozen=True):
    """`cas_mandated`: every secret of the keyring is written by check-and-set, whatever its own setting is."""

    cas_mandated: bool


class PutSecretMetadata(SecretOperation[MetadataPut], frozen=True, kw_only=True):
    """What is None stays as it is. A secret that is not there is made, without a version, unless `must_exist`."""

    action = Action.PUT_SECRET_METADATA
    changes = True
    max_versions: int | None = None
    cas_required: bool | None = None
    delete_after: int | None = None  # seconds
    custom: Mapping[str, str] | None = None  # replaces all of it
    custom_changes: Mapping[str, str | None] | None = None  # one by one; None takes one away
    must_exist: bool = False

    @property
    def says_nothing(self) -> bool:
        given = (self.max_versions, self.cas_required, self.delete_after, self.custom, self.custom_changes)
        return all(one is None for one in given)


class DeleteSecret(SecretOperation[Nothing], frozen=True, kw_only=True):
    """The secret with all its versions, destroyed. Nothing happens where there is none."""

    action = Action.DELETE_SECRET
    changes = True


class ListSecrets(KeyringOperation[Page[str]], frozen=True, kw_only=True):
    """What is in one folder: names of secrets, and of folders with a slash at their end.

    `limit` None: everything, sorted by name. Else a page, in the order of the index, which is no order of names.
    """

    action = Action.LIST_SECRETS
    folder: str  # without slashes at its ends; "" is the topmost
    after: str = ""  # the name that the page before ended with
    limit: int | None = None


class ReadSecretSettings(KeyringOperation[SecretSettings], frozen=True, kw_only=True):
    action = Action.READ_SECRET_SETTINGS


class PutSecretSettings(KeyringOperation[Nothing], frozen=True, kw_only=True):
    """What is None stays as it is."""

    action = Action.PUT_SECRET_SETTINGS
    changes = True
    max_versions: int | None = None
    cas_required: bool | None = None
    delete_after: int | None = None


class EmptyKeyring(KeyringOperation[bool], frozen=True, kw_only=True):
    """Destroy some of the keyring's secrets with their versions: as many as go into one commit. Whether any are left.

    Whoever takes a keyring's last address away asks this until the answer is no. Of a keyring that has another address
    nothing is destroyed, and the answer is no at once.
    """

    action = Action.EMPTY_KEYRING
    changes = True


# --- what a token keeps for itself


class CubbyOperation(Operation[R], Generic[R], frozen=True, kw_only=True):
    """Raises Denied for any token's but the caller's own."""

    cubby: CubbyRef

    def demands(self) -> tuple[Demand, ...]:
        return (Demand(self.action, self.cubby),)


class ReadCubby(CubbyOperation[Sensitive], frozen=True, kw_only=True):
    """The value. `text`: the token's, which alone opens it. Raises NotFound."""

    action = Action.USE_CUBBYHOLE
    text: Sensitive


class WriteCubby(CubbyOperation[Nothing], frozen=True, kw_only=True):
    action = Action.USE_CUBBYHOLE
    changes = True
    value: Sensitive
    text: Sensitive  # the token's


class DeleteCubby(CubbyOperation[Nothing], frozen=True, kw_only=True):
    action = Action.USE_CUBBYHOLE
    changes = True


class ListCubbies(CubbyOperation[tuple[str, ...]], frozen=True, kw_only=True):
    """As ListSecrets, of the folder that the reference's path is."""

    action = Action.USE_CUBBYHOLE
