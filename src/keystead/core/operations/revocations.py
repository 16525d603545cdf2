"""Lists of revoked certificates that an auth mount goes by. `mount` is as for other logins; a name is of one mount."""

from __future__ import annotations

from typing import Generic

from keystead.core.actions import Action
from keystead.core.entities import RevocationList
from keystead.core.operations.base import Nothing, R
from keystead.core.operations.logins import LoginOperation


class RevocationOperation(LoginOperation[R], Generic[R], frozen=True, kw_only=True):
    name: str


class WriteRevocationList(RevocationOperation[RevocationList], frozen=True, kw_only=True):
    """From the moment that it is answered nobody logs in, or renews, with what it revokes.

    `text`: PEM; or `url`, where it is fetched from, soon and again and again: until it has been, nobody logs in there
    at all. Of http:// the operator's word is asked then (`logins.plain_hosts`). Raises InvalidArgument, LimitExceeded.
    """

    action = Action.WRITE_REVOCATION_LIST
    changes = True
    text: bytes = b""
    url: str = ""


class ReadRevocationList(RevocationOperation[RevocationList], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_REVOCATION_LIST


class ListRevocationLists(LoginOperation[tuple[str, ...]], frozen=True, kw_only=True):
    action = Action.LIST_REVOCATION_LISTS


class DeleteRevocationList(RevocationOperation[Nothing], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.DELETE_REVOCATION_LIST
    changes = True


class RefreshRevocationList(RevocationOperation[RevocationList], frozen=True, kw_only=True):
    """What was fetched from its URL, which has to be `url` still: PEM or DER.

    What came by http:// counts where an authority of one of the mount's roles has signed it. Raises NotFound,
    InvalidArgument (no list, not of today, older than the one that is held, nobody's), Conflict (another URL by now).
    """

    action = Action.REFRESH_REVOCATION_LIST
    changes = True
    url: str
    body: bytes
