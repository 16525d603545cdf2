"""A key's terms: settled, read with its versions, and what they allow to be done to it at once."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import Key, KeyVersion
from keystead.core.operations.base import Demand, KeyOperation, KeyRef, Nothing
from keystead.core.sensitive import Sensitive
from keystead.core.wrapping import Wrapping


class Breach(Enum):
    """detail of the error for what a key's terms do not allow, or for terms that cannot be."""

    TOO_OLD = "to process: below min_process"
    UNMADE = "to process: above the current version"
    RETIRED = "to protect: below min_process"
    TOO_LOW = "to protect: below min_protect"
    TOO_NEW = "to protect: above the current version"
    NEGATIVE = "to protect: negative"
    NO_CONTEXT = "a context is missing"
    NOT_ERASABLE = "may not be erased"
    NOT_EXPORTABLE = "may not be exported"
    NOT_COPYABLE = "may not be backed up"
    NOT_MADE_HERE = "new versions are imported, and not made"
    NO_PRIVATE_HALF = "the private half is not here"
    NOT_DERIVABLE = "cannot derive"
    NOT_CONVERGENT = "cannot encrypt convergently"
    UNDERIVED = "convergent, but not derived"
    PERIOD = "rotated too often"
    PROCESS_NEGATIVE = "min_process is negative"
    PROCESS_TOO_NEW = "min_process is above the current version"
    PROCESS_GONE = "min_process is below min_kept"
    PROTECT_NEGATIVE = "min_protect is negative"
    PROTECT_TOO_NEW = "min_protect is above the current version"
    PROTECT_TOO_LOW = "min_protect is below min_process"
    KEPT_BACK = "min_kept goes back"
    KEPT_NO_PROTECT = "min_protect is not settled"
    KEPT_ABOVE_PROTECT = "min_kept is above min_protect"
    KEPT_ABOVE_PROCESS = "min_kept is above min_process"
    KEPT_ZERO = "min_kept is zero"
    PROTECT_GONE = "min_protect is below min_kept"


class Versions(Struct, frozen=True):
    """A key with the versions whose material is there, oldest first."""

    key: Key
    versions: tuple[KeyVersion, ...]
    derived: Mapping[int, bytes] = {}  # version -> public key (DER) of the pair that is derived of it in the context


class ReadVersions(KeyOperation[Versions], frozen=True, kw_only=True):
    """`in_context`: of a key whose pairs are derived; of any other nothing is. Raises WrongState, WouldBlock."""

    action = Action.DESCRIBE_KEY
    in_context: bytes = b""


class PutTerms(KeyOperation[Nothing], frozen=True, kw_only=True):
    """What is None stays. What was given away stays given: exportable, copyable. Raises InvalidArgument (Breach)."""

    action = Action.PUT_TERMS
    changes = True
    min_process: int | None = None
    min_protect: int | None = None
    erasable: bool | None = None
    exportable: bool | None = None
    copyable: bool | None = None
    rotate_every: int | None = None  # seconds; 0: no more


class Part(Enum):
    """What of a key is exported."""

    CIPHER = "cipher"
    SIGNATURE = "signature"
    MAC = "mac"  # the key that GenerateMacAs takes
    PUBLIC = "public"


class Exported(Struct, frozen=True):
    """`parts` by version. AES, HMAC: as it is. RSA: RFC 8017 A.1.2; EC: RFC 5915, DER; Ed25519: seed || public key.

    Of all three PKCS #8 (RFC 5208), DER, where that is asked for.
    """

    key: Key
    parts: dict[int, Sensitive]


class ExportKey(KeyOperation[Exported], frozen=True, kw_only=True):
    """Versions that may process. Raises WrongState (Breach.NOT_EXPORTABLE, TOO_OLD), WrongUsage, NotFound (version)."""

    action = Action.EXPORT_KEY
    part: Part
    version: int | None = None  # None: every one; 0: the current one
    pkcs8: bool = False  # the private part of a pair


NOT_RSA = "no RSA key"
"""detail of the InvalidArgument for wrapping keys with another kind of key."""


class Parcels(Struct, frozen=True):
    """`parcels` by version."""

    key: Key
    parcels: dict[int, bytes]


class ExportWrapped(KeyOperation[Parcels], frozen=True, kw_only=True):
    """Versions that may process, as core.operations.imports has them imported: wrapped under the RSA key `under`.

    Raises as ExportKey; WrongUsage (detail Purpose.CIPHER) where `under` cannot wrap.
    """

    action = Action.EXPORT_KEY
    under: KeyRef
    wrapping: Wrapping
    version: int | None = None

    def demands(self) -> tuple[Demand, ...]:
        """To let the one out, and to protect with the other."""
        return (Demand(self.action, self.key), Demand(Action.ENCRYPT, self.under))


class TrimKey(KeyOperation[Nothing], frozen=True, kw_only=True):
    """Destroy every version below `min_kept`. Raises InvalidArgument (Breach)."""

    action = Action.TRIM_KEY
    changes = True
    min_kept: int


class EraseKey(KeyOperation[Nothing], frozen=True, kw_only=True):
    """Destroy every version now. Raises WrongState (Breach.NOT_ERASABLE) where the key's terms do not allow that."""

    action = Action.ERASE_KEY
    changes = True
