"""auth/cert: lists of revoked certificates. Vault HTTP API, "TLS certificates auth method", CRL."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.entities import RevocationList
from keystead.core.errors import NotFound
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.wire.vault.kinds import Caseless
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import time_text


class ListRequest(Parameters, frozen=True, kw_only=True):
    name: Caseless = CAPTURED

    @property
    def named(self) -> str:
        return self.name.lower()


class WriteListRequest(ListRequest, frozen=True, kw_only=True):
    crl: str | None = None
    url: str | None = None


@endpoint("cert", Verb.WRITE, "crls/{name}")
def write_list(req: WriteListRequest, call: Call) -> None:
    """Nobody is asked for it now: it is fetched soon, and until then nobody logs in."""
    if req.crl is None and req.url is None:
        raise Said(400, "one of 'crl' or 'url' must be provided")
    if req.crl is None and not req.url:
        raise Said(400, "empty CRL url")
    if req.crl is not None and not req.crl:
        raise Said(400, "failed to parse CRL: it is empty")
    text = (req.crl or "").encode()
    url = "" if text else req.url or ""
    call(ops.WriteRevocationList(tenant=here(call), mount=call.namespace, name=req.named, text=text, url=url))


@endpoint("cert", Verb.READ, "crls/{name}")
def read_list(req: ListRequest, call: Call) -> dict[str, Any]:
    try:
        found: RevocationList = call(ops.ReadRevocationList(tenant=here(call), mount=call.namespace, name=req.named))
    except NotFound:
        raise Said(400, f"no such CRL {req.named}") from None
    numbers = found.revoked.serials if found.revoked is not None else ()
    told: dict[str, Any] = {"serials": {str(one): {} for one in numbers}} if numbers else {}
    if not found.url:
        return told
    until = found.revoked.next_at if found.revoked is not None else None
    return told | {"cdp": {"url": found.url, "valid_until": time_text(until) if until is not None else NEVER}}


NEVER = "0001-01-01T00:00:00Z"
"""Of a list that has not been fetched yet."""


@endpoint("cert", Verb.LIST, "crls/?")
def list_lists(_req: Nothing, call: Call) -> dict[str, Any]:
    names = call(ops.ListRevocationLists(tenant=here(call), mount=call.namespace))
    if not names:
        raise Said(404, "")
    return {"keys": names}


@endpoint("cert", Verb.DELETE, "crls/{name}")
def delete_list(req: ListRequest, call: Call) -> None:
    try:
        call(ops.DeleteRevocationList(tenant=here(call), mount=call.namespace, name=req.named))
    except NotFound:
        raise Said(400, f"no such CRL {req.named}") from None


OPERATIONS = (write_list, read_list, list_lists, delete_list)
