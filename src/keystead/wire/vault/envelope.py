"""What Vault answers: one envelope whose every member is always there, errors as a list, or nothing at all.

Source: OpenBao sdk/logical/translate_response.go; mount_type as Vault has it since 1.17.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw, Struct

from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.tree import Number

_ALWAYS = (
    b"Cache-Control: no-store\r\nContent-Type: %b\r\nStrict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
)
HEAD = _ALWAYS % b"application/json"
"""The headers of every answer, 204s and refusals included; for wire.http.reply."""


def media_head(media: bytes) -> bytes:
    """The same for a body that is no JSON."""
    return _ALWAYS % media


class WrapInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands in place of a wrapped answer. `ttl` in seconds, `creation_time` from scalars.time_text."""

    token: Any
    accessor: str
    ttl: int
    creation_time: str
    creation_path: str
    wrapped_accessor: str = ""

    def __repr__(self) -> str:
        return "WrapInfo(…)"


class Requirement(Struct, frozen=True):
    """What a login lacks. `mfa_constraints`: by name of an enforcement, {"any": methods}."""

    mfa_request_id: Any
    mfa_constraints: Mapping[str, Any]

    def __repr__(self) -> str:
        return "Requirement(…)"


class Auth(Struct, frozen=True, kw_only=True):
    """What a login, or the making of a token, answers."""

    client_token: Any
    accessor: str
    policies: Sequence[str] | None
    token_policies: Sequence[str] | msgspec.UnsetType  # left out where there are none
    metadata: Mapping[str, str] | None = None
    lease_duration: int = 0
    renewable: bool = False
    entity_id: str = ""
    token_type: str = "service"  # noqa: S105 - a kind of token, not one
    orphan: bool = False
    mfa_requirement: Requirement | None = None
    num_uses: int = 0
    identity_policies: Sequence[str] | msgspec.UnsetType = msgspec.UNSET

    def __repr__(self) -> str:
        return "Auth(…)"


class Envelope(Struct, frozen=True, kw_only=True):
    """The answer. `data` is a mapping, a Struct, or Raw JSON."""

    request_id: str
    lease_id: str = ""
    renewable: bool = False
    lease_duration: int = 0
    data: Any = None
    wrap_info: WrapInfo | None = None
    warnings: Sequence[str] | None = None
    auth: Auth | None = None
    mount_type: str = ""

    def __repr__(self) -> str:
        return "Envelope(…)"


# --- writing


def writer(form: Callable[[Any], Any]) -> Callable[[Any], bytes]:
    """A prepared writer of whole bodies. Times go in as text (scalars.time_text): Go writes the digits there are.

    form   what to write for a value that has no form here: a door reveals there what only the caller is told;
           it raises TypeError for what has no form at all
    """

    def hook(value: Any) -> Any:
        return Raw(value.text.encode()) if type(value) is Number else form(value)

    encode = msgspec.json.Encoder(enc_hook=hook).encode
    return lambda value: _escaped(encode(value))


_LESS, _MORE, _AND = b"<>&"


def _escaped(body: bytes) -> bytes:
    """As encoding/json does it for HTML, and the line it ends in. These bytes stand only inside strings."""
    if _LESS in body or _MORE in body or _AND in body:  # a byte is looked for a good deal faster than bytes are
        body = body.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
    if not body.isascii():
        body = body.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return body + b"\n"


def around(request_id: str, data: bytes, mount_type: str) -> bytes:
    """Envelope(request_id=…, data=…, mount_type=…) written, of data that a writer has: most answers are no more.

    request_id   ASCII that JSON writes as it is
    """
    head, middle, tail = _parts(mount_type)
    return b"".join((head, request_id.encode(), middle, data[:-1], tail))


@lru_cache(maxsize=64)
def _parts(mount_type: str) -> tuple[bytes, bytes, bytes]:
    """What stands before, between and behind the two. Its text is that of the one form there is."""
    form = Envelope(request_id="?", data=Raw(b"?"), mount_type=mount_type)
    head, middle, tail = _escaped(msgspec.json.encode(form)).split(b"?", 2)
    return head, middle, tail


def doubled(envelope: Envelope) -> dict[str, Any]:
    """The envelope with its data also at the top level.

    Where a name stands in both, the envelope's own wins, as it comes last in what the server writes.
    """
    return {**envelope.data, **msgspec.structs.asdict(envelope)}


def errors(*texts: str) -> bytes:
    """{"errors": […]}: the body of every refusal; none for what is not there."""
    return _escaped(msgspec.json.encode({"errors": texts}))


UNSUPPORTED_PATH, UNSUPPORTED_OPERATION = multierror("unsupported path"), multierror("unsupported operation")
PERMISSION_DENIED = multierror("permission denied")


def no_route(path: str) -> str:
    """404: nothing is mounted there."""
    return f'no handler for route "{path}". route entry not found.'
