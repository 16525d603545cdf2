"""Everything that can go wrong, in eighteen kinds.

    KeysteadError
      caller's fault    Malformed  InvalidArgument  Unauthenticated  Denied  NotApproved  NotFound  AlreadyExists
                        Conflict  WrongState  WrongUsage  Unsupported  DecryptionFailed
      too much          LimitExceeded  RateLimited
      ours              Sealed  Unavailable  Internal
      nobody's          DryRun

Rule 1: a kind carries facts, never an HTTP status, gRPC code or CKR value; each door owns that table.
Rule 2: str(error) may be shown to the caller and written to the audit log. It names fields and
        states; it never contains plaintext, key material, credentials or a peer's stack trace.
Rule 3: "signature does not verify" is an answer, not an error: Verify returns valid=False.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from enum import Enum
from typing import Any, ClassVar

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9 _.-]{0,63}")

DAMAGED, EMPTY, OLDER = "damaged", "empty", "older"
"""Details of Internal and Conflict: what may be the matter with a database."""


class KeysteadError(Exception):
    """Base of the taxonomy; never raised itself: `NotFound("no such key", "KeyId")`."""

    retryable: ClassVar[bool] = False
    subject: str | None = None  # the id of the object it is about, once found and authorized; set by the pipeline
    about: Any = None  # that object (service.held), for the words a door finds for it; set with `subject`
    recorded: bool = False  # its audit record exists; set by the pipeline

    @property
    def detail(self) -> Hashable:
        """The fact a door may refine its answer by (a state, a field), or None."""
        return self.args[1] if len(self.args) > 1 else None

    @property
    def reason(self) -> str:
        """`detail` as the audit log has it; the empty text for none."""
        return said_of(self.detail)

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else type(self).__name__


class Malformed(KeysteadError):
    """The bytes are not a message of this protocol."""


class InvalidArgument(KeysteadError):
    """A well-formed message with a value out of range; detail: the field."""


class Unauthenticated(KeysteadError):
    """No credential, or one that does not verify."""


class Denied(KeysteadError):
    """Policy says no. Also the answer for an absent object the caller may not know to be absent."""


class NotApproved(KeysteadError):
    """Policy allows it, and others have to approve it first; detail: core.approvals.HeldUp."""


class NotFound(KeysteadError):
    """No such object in the caller's namespace."""


class AlreadyExists(KeysteadError):
    """The name is taken."""


class Conflict(KeysteadError):
    """A stated precondition (version, etag, check-and-set) no longer holds."""


class WrongState(KeysteadError):
    """The key's state forbids it (SP 800-57pt1r5 §7).

    detail: the KeyState; or Event.DESTROY where a destruction is appointed; or Origin.EXTERNAL where
    the material has not been imported yet.
    """


class WrongUsage(KeysteadError):
    """The key's type or declared usage forbids it; detail: the algorithm or use asked for."""


class Unsupported(KeysteadError):
    """This deployment, provider or dialect does not offer it at all."""


class DecryptionFailed(KeysteadError):
    """One answer for every cryptographic failure on the way in: no oracle."""


class LimitExceeded(KeysteadError):
    """Size, count or quota."""


class RateLimited(KeysteadError):
    retryable = True


class Sealed(KeysteadError):
    """The root of trust is not open."""

    retryable = True


class Unavailable(KeysteadError):
    """A store, HSM or external KMS did not answer."""

    retryable = True


class Internal(KeysteadError):
    """A bug of ours; detail: a correlation id, and nothing more."""

    reason = ""  # the record has the id already


class DryRun(KeysteadError):
    """All would have gone well, and nothing was done: the caller had asked for just that."""


def said_of(detail: Hashable) -> str:
    """A detail in one word: what it is, never what it holds. "KeyState.SUSPENDED", "Policy", "KeyRef".

    A field's name or a fixed phrase is itself; a member of an enumeration its type and name; a fact with a `reason`
    of its own that; any other value, and a type, the name of the type.
    """
    if isinstance(detail, Enum):
        return f"{type(detail).__name__}.{detail.name}"
    if isinstance(detail, type):
        return detail.__name__
    if detail is None:
        return ""
    if isinstance(detail, str):
        return detail if _WORD.fullmatch(detail) else ""
    said: str = getattr(detail, "reason", type(detail).__name__)
    return said
