"""How often an account may fail to log in, and for how long. OpenBao documentation, "User lockout": its defaults."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from keystead.core.entities import Account

MAX_FAILED = 5
LOCKED_FOR = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(minutes=15)
"""Without a login that fails: "lockout counter reset"."""


def is_locked(account: Account, now: datetime) -> bool:
    return account.locked_until is not None and account.locked_until > now


def failed(account: Account, now: datetime) -> Account:
    """After one more time; the last that is allowed locks it out."""
    is_long_ago = account.failed_at is not None and now > account.failed_at + FORGOTTEN_AFTER
    n_failed = 1 if is_long_ago else account.n_failed + 1
    if n_failed >= MAX_FAILED:
        return replace(account, n_failed=0, failed_at=None, locked_until=now + LOCKED_FOR)
    return replace(account, n_failed=n_failed, failed_at=now, locked_until=None)


def forgiven(account: Account) -> Account:
    """As if it had never failed."""
    return replace(account, n_failed=0, failed_at=None, locked_until=None)
