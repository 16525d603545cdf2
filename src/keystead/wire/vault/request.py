"""What a request asks for: its operation, its path, its arguments. Vault's http/handler.go and http/logical.go.

Nothing of the body is looked at before arguments(); a door may authenticate in between.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from msgspec import Struct

from keystead.wire import Malformed, uri
from keystead.wire.vault import Refused, scalars
from keystead.wire.vault.tree import EMPTY

PREFIX = b"/v1/"
N_PAIRS = 1_000  # parameters of a query or a form
N_MEDIA_TYPE = 512  # bytes
MERGE_PATCH = "application/merge-patch+json"
_JSON, _FORM = b"application/json", "application/x-www-form-urlencoded"
_MEDIA_TYPE = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+(?:/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?)\s*(;.*)?", re.ASCII)
_PARAMETER = re.compile(r"""\s*;\s*(?:[^\s=;"/]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s=;"/]+))?\s*""", re.ASCII)
_HOW = "the query cannot be read"


class Verb(Enum):
    """logical.Operation. WRITE is create or update: the object's existence decides. HELP is asked for in the query."""

    READ, WRITE, LIST, SCAN, DELETE, PATCH, HEAD = "read", "write", "list", "scan", "delete", "patch", "head"
    HELP = "help"
    __hash__ = object.__hash__  # members are single; Enum's own hash of the name costs more than the look-up


VERBS: Mapping[bytes, Verb] = {
    b"GET": Verb.READ,
    b"POST": Verb.WRITE,
    b"PUT": Verb.WRITE,
    b"DELETE": Verb.DELETE,
    b"PATCH": Verb.PATCH,
    b"LIST": Verb.LIST,
    b"SCAN": Verb.SCAN,
    b"HEAD": Verb.HEAD,
}
_READ, _WRITE, _LIST, _SCAN, _PATCH = Verb.READ, Verb.WRITE, Verb.LIST, Verb.SCAN, Verb.PATCH


class Asked(Struct, frozen=True, gc=False):
    """A request line, understood.

    path    decoded, without "/v1/"; LIST and SCAN end in "/"
    query   parameters, decoded: text, or a list of text for a name that came twice; not those that chose the verb
    """

    verb: Verb
    path: str
    query: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Asked({self.verb})"


class Redirect(Struct, frozen=True):
    """307 to the same place, spelled cleanly: the value of Location."""

    location: bytes

    def __repr__(self) -> str:
        return "Redirect(…)"


def ask(method: bytes, target: bytes) -> Asked | Redirect:
    """Read the request line. Raises Refused: 400, 404 for what is not under /v1/, 405 for a method Vault has not."""
    raw, _, query = target.partition(b"?")
    if raw.find(b"//") >= 0 or raw.find(b"/.") >= 0:  # twice as fast as `in`, which first tries them as numbers
        clean = _clean(raw)
        if clean != raw and clean.startswith(PREFIX):  # never to another host, and nowhere that is not ours
            return _redirect(raw, clean + b"?" + query if query else clean)
    if not raw.startswith(PREFIX):
        raise Refused(404)
    if (verb := VERBS.get(method)) is None:
        raise Refused(405)
    try:
        path = uri.path(raw[len(PREFIX) :])
        parameters = pairs(query) if query else {}
    except Malformed:
        raise Refused(400) from None
    if parameters and parameters.pop("help", None):  # whatever the method is: nothing is done
        return Asked(Verb.HELP, path, {})
    if verb is _READ and parameters:
        verb = _chosen(parameters)
    return Asked(verb, _checked(verb, path), parameters)


def _redirect(raw: bytes, location: bytes) -> Redirect:
    try:
        uri.path(raw)
    except Malformed:
        raise Refused(400) from None
    if not location.isascii() or not location.decode().isprintable():
        raise Refused(400)
    return Redirect(location)


def _clean(raw: bytes) -> bytes:
    """path.Clean, keeping a slash at the end; dots that are percent-encoded are no dots."""
    kept: list[bytes] = []
    for segment in raw.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in {b"", b"."}:
            kept.append(segment)
    slash = b"/" if kept and raw.endswith(b"/") else b""
    return b"/" + b"/".join(kept) + slash


def _chosen(parameters: dict[str, Any]) -> Verb:
    """What a GET is: `list` and `scan` say, and leave the parameters if they say yes."""
    said = {name: _switch(parameters.get(name)) for name in ("list", "scan")}
    if all(said.values()):
        raise Refused(400)
    for name, verb in (("list", Verb.LIST), ("scan", Verb.SCAN)):
        if said[name]:
            del parameters[name]
            return verb
    return Verb.READ


def _switch(value: Any) -> bool:
    text = value[0] if isinstance(value, list) else value
    found = scalars.boolean(text) if text else False
    if found is None:
        raise Refused(400)
    return found


def _checked(verb: Verb, path: str) -> str:
    if "." in path and not {".", ".."}.isdisjoint(path.split("/")):
        raise Refused(400, "relative paths not supported")
    if verb is _LIST or verb is _SCAN:
        return path if path.endswith("/") else path + "/"
    if (verb is _WRITE or verb is _PATCH) and path.endswith("/"):
        raise Refused(400, "cannot write to a path ending in '/'")
    return path


# --- parameters


def pairs(raw: bytes, *, joined: bool = False) -> dict[str, Any]:
    """A query, or with `joined` a form, where a name that comes twice has its values joined by commas.

    Raises Malformed for a lone "%", for what is no UTF-8, for ";" between pairs, and for too many.
    """
    found: dict[str, list[str]] = {}
    parts = raw.split(b"&", N_PAIRS)
    if b";" in raw or len(parts) > N_PAIRS:
        raise Malformed(_HOW)
    for part in parts:
        if part:
            name, _, value = part.partition(b"=")
            found.setdefault(uri.text(name, plus=True), []).append(uri.text(value, plus=True))
    return {
        name: values[0] if len(values) == 1 else ",".join(values) if joined else values
        for name, values in found.items()
    }


def arguments(asked: Asked, content_type: bytes | None, body: bytes) -> bytes | Mapping[str, Any]:
    """What a reader takes: the query, the body as JSON, or the body as a form.

    A body is JSON whatever its type, unless that is a form's and it does not look like JSON.
    Raises Refused: 415 for a PATCH that is no merge patch, 400 for a form that cannot be read.
    """
    verb = asked.verb
    if verb is not _WRITE and verb is not _PATCH:
        return asked.query
    if verb is _PATCH:
        if (kind := _media_type(content_type)) != MERGE_PATCH:
            raise Refused(415, f"PATCH requires Content-Type of {MERGE_PATCH}, provided {kind}")
    elif content_type and content_type != _JSON and _is_form(content_type, body):
        try:
            return pairs(body, joined=True)
        except Malformed:
            raise Refused(400, "error parsing form data") from None
    return body


def _is_form(content_type: bytes, body: bytes) -> bool:
    try:
        return _media_type(content_type) == _FORM and body.lstrip(EMPTY)[:1] not in {b"{", b"["}
    except Refused:
        return False


def _media_type(content_type: bytes | None) -> str:
    """mime.ParseMediaType without the parameters. Raises Refused (400)."""
    given = content_type or b""
    found = _MEDIA_TYPE.fullmatch(given.decode("latin-1")) if len(given) <= N_MEDIA_TYPE else None
    if not found:
        raise Refused(400, "mime: no media type")
    rest = found[2] or ""
    while rest:
        if not (one := _PARAMETER.match(rest)):
            raise Refused(400, "mime: invalid media parameter")
        rest = rest[one.end() :]
    return found[1].lower()
