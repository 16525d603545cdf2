"""sys/config: what can be read of settings that nothing here has, and that they cannot be made.

There is no page that another site's script could use (CORS), no user interface, and no header on record.
"""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.wire.vault.kinds import CommaStrings, Strings
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


def _known(call: Call) -> None:
    call(ops.UseTools(tenant=here(call)))


class CorsRequest(Parameters, frozen=True, kw_only=True):
    enable: bool = False
    allowed_origins: CommaStrings = ()
    allowed_headers: CommaStrings = ()
    allow_credentials: bool = False


@endpoint("system", Verb.READ, "config/cors", sudo=True)
def read_cors(_req: Nothing, call: Call) -> Answer:
    _known(call)
    return Answer(data={"enabled": False}, doubled=True)


@endpoint("system", Verb.WRITE, "config/cors", sudo=True)
def write_cors(_req: CorsRequest, call: Call) -> None:
    _known(call)
    raise Said(400, "CORS is not offered")


@endpoint("system", Verb.DELETE, "config/cors", sudo=True)
def delete_cors(_req: Nothing, call: Call) -> None:
    _known(call)


class HeaderRequest(Parameters, frozen=True, kw_only=True):
    header: str = CAPTURED


class WriteHeaderRequest(HeaderRequest, frozen=True, kw_only=True):
    values: Strings = ()
    multivalue: bool = False


@endpoint("system", Verb.LIST, "config/ui/headers/?")
def list_headers(_req: Nothing, call: Call) -> None:
    _known(call)
    raise Said(404, "")


@endpoint("system", Verb.READ, "config/ui/headers/{header}", sudo=True)
def read_header(_req: HeaderRequest, call: Call) -> None:
    _known(call)
    raise Said(404, "")


@endpoint("system", Verb.WRITE, "config/ui/headers/{header}", sudo=True)
def write_header(_req: WriteHeaderRequest, call: Call) -> None:
    _known(call)
    raise Said(400, "headers of a user interface are not offered: there is none")


@endpoint("system", Verb.DELETE, "config/ui/headers/{header}", sudo=True)
def delete_header(_req: HeaderRequest, call: Call) -> None:
    _known(call)


class AuditedRequest(HeaderRequest, frozen=True, kw_only=True):
    hmac: bool = False


@endpoint("system", Verb.READ, "config/auditing/request-headers", sudo=True)
def list_audited(_req: Nothing, call: Call) -> Answer:
    _known(call)
    headers: dict[str, Any] = {}
    return Answer(data={"headers": headers}, doubled=True)


@endpoint("system", Verb.READ, "config/auditing/request-headers/{header}", sudo=True)
def read_audited(_req: HeaderRequest, call: Call) -> None:
    _known(call)
    raise Said(400, "Could not find header in config")


@endpoint("system", Verb.WRITE, "config/auditing/request-headers/{header}", sudo=True)
def write_audited(_req: AuditedRequest, call: Call) -> None:
    _known(call)
    raise Said(400, "audited request headers are not offered: no header is on record")


@endpoint("system", Verb.DELETE, "config/auditing/request-headers/{header}", sudo=True)
def delete_audited(_req: HeaderRequest, call: Call) -> None:
    _known(call)


OPERATIONS = (
    read_cors,
    write_cors,
    delete_cors,
    list_headers,
    read_header,
    write_header,
    delete_header,
    list_audited,
    read_audited,
    write_audited,
    delete_audited,
)
