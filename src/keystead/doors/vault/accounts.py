"""Users and roles of the mount that was asked, as every login method finds and lists them."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.entities import Account
from keystead.core.errors import NotFound
from keystead.doors.vault.endpoint import Said
from keystead.doors.vault.tokens import here
from keystead.kit import Call


def find_account(call: Call, name: str) -> Account | None:
    try:
        return call(ops.ReadAccount(tenant=here(call), mount=call.namespace, name=name))
    except NotFound:
        return None


def list_accounts(call: Call) -> dict[str, Any]:
    """Raises Said where there are none."""
    names = call(ops.ListAccounts(tenant=here(call), mount=call.namespace))
    if not names:
        raise Said(404, "")
    return {"keys": names}
