"""Logging in by somebody else's word, and what a mount knows of who that is. `mount` is as for other logins."""

from __future__ import annotations

from keystead.core.actions import Action
from keystead.core.entities import LoginSettings, Settings
from keystead.core.operations.logins import LoginOperation
from keystead.core.operations.mfa import LoggedIn
from keystead.core.sensitive import Sensitive


class WriteLoginSettings(LoginOperation[LoginSettings], frozen=True, kw_only=True):
    """`secret`: a new one; an empty one takes it away; None: the one there is. The old one is destroyed."""

    action = Action.WRITE_LOGIN_SETTINGS
    changes = True
    settings: Settings
    secret: Sensitive | None = None


class ReadLoginSettings(LoginOperation[LoginSettings], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_LOGIN_SETTINGS


class LogInVouched(LoginOperation[LoggedIn], frozen=True, kw_only=True):
    """By a caller whom somebody vouches for (Caller.vouched), and by nobody else.

    Raises InvalidArgument for whom the role does not let in, Denied for where they are, Conflict where role or settings
    have changed since the word was looked at.
    """

    action = Action.LOG_IN_VOUCHED
    changes = True
    path: str
