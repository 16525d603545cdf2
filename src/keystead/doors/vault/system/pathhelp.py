"""`?help=1` behind any path: what may be asked there, as the door's own declarations have it. `vault path-help`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, get_type_hints

import msgspec

from keystead.core import operations as ops
from keystead.core.entities import Mount
from keystead.core.errors import DryRun
from keystead.core.mounts import path_of
from keystead.doors.vault.endpoint import Answer, Endpoint, Said, endpoint
from keystead.doors.vault.kv import spoken
from keystead.doors.vault.system.specs import document
from keystead.doors.vault.tokens import here
from keystead.kit import Call, routes
from keystead.wire.vault.envelope import UNSUPPORTED_PATH, no_route
from keystead.wire.vault.kinds import Kind
from keystead.wire.vault.reader import CAPTURED, Parameters, kind_of
from keystead.wire.vault.request import Verb

WORDS: Mapping[Kind | None, str] = {
    Kind.TEXT: "string",
    Kind.LOWER: "lowercase string",
    Kind.BOOL: "bool",
    Kind.INT: "int",
    Kind.FLOAT: "float",
    Kind.DURATION: "duration (sec)",
    Kind.SIGNED: "duration (sec)",
    Kind.TIME: "time",
    Kind.COMMA_STRINGS: "slice",
    Kind.STRINGS: "slice",
    Kind.COMMA_INTS: "slice",
    Kind.LIST: "slice",
    Kind.MAP: "map",
    Kind.PAIRS: "keypair",
    Kind.HEADER: "header",
    Kind.ANY: "any",
    None: "slice",
}


def _indented(text: str, by: int) -> Iterator[str]:
    return (f"{' ' * by}{line}".rstrip() for line in text.splitlines())


def _operation(one: Endpoint) -> Iterator[str]:
    words = [one.verb.value, *(["needs sudo"] if one.sudo else []), *(["needs no token"] if one.unsigned else [])]
    yield f"    {', '.join(words)}"
    if about := inspect.getdoc(one.run):
        yield ""
        yield from _indented(about, 8)
    yield ""


def _parameters(found: Iterable[Endpoint]) -> Iterator[str]:
    kinds: dict[str, str] = {}
    for one in found:
        hints = get_type_hints(one.request, include_extras=True)
        for field in msgspec.structs.fields(one.request):
            kinds.setdefault(field.encode_name, WORDS[kind_of(hints[field.name])])
    for name, kind in sorted(kinds.items()):
        yield f"    {name} ({kind})"


def _of_path(path: str, found: list[Endpoint]) -> str:
    """What may be asked at one path: its operations, and the parameters that any of them takes."""
    lines = [f"Request:        {path}", f"Matching Route: {found[0].path}", "", "## OPERATIONS", ""]
    for one in found:
        lines += _operation(one)
    if parameters := list(_parameters(found)):
        lines += ["## PARAMETERS", "", *parameters, ""]
    return "\n".join(lines)


def _of_engine(description: str, found: Iterable[Endpoint]) -> str:
    """The paths that an engine has."""
    verbs: dict[str, list[str]] = {}
    for one in found:
        verbs.setdefault(one.path, []).append(one.verb.value)
    lines = ["## DESCRIPTION", "", description, "", "## PATHS", ""]
    for path, words in sorted(verbs.items()):
        lines += [f"    {path}", f"        {', '.join(words)}", ""]
    return "\n".join(lines)


class HelpRequest(Parameters, frozen=True, kw_only=True):
    path: str = CAPTURED


class Engines:
    """What is declared, by the engine and the path it stands at."""

    def __init__(self, declared: Iterable[Endpoint]) -> None:
        self._declared: dict[str, list[Endpoint]] = {}
        for one in declared:
            self._declared.setdefault(one.engine, []).append(one)
        self._routes = {name: routes(of) for name, of in self._declared.items()}

    def told(self, mount: Mount, path: str) -> dict[str, Any]:
        """`path`: below the mount, without slashes at its ends. Raises Said: 404 where nothing stands."""
        of = self._declared.get(spoken(mount), [])
        if not path:
            return _said(_of_engine(mount.description, of), of, mount)
        found = self._at(spoken(mount), path) or self._at(spoken(mount), f"{path}/")
        if not found:
            raise Said(404, UNSUPPORTED_PATH)
        return _said(_of_path(path, found), found, mount)

    def _at(self, engine: str, path: str) -> list[Endpoint]:
        table = self._routes.get(engine)
        place = table.find(path.split("/")) if table is not None else None
        taken = (place.take(method) for method in place.methods) if place is not None else ()
        return [one[0] for one in taken if one is not None]  # type: ignore[misc]  # only Endpoints were put into it


def _said(text: str, found: Iterable[Endpoint], mount: Mount) -> dict[str, Any]:
    return {"help": text, "see_also": None, "openapi": document(found, (mount,))}


def over(operations: Iterable[Any]) -> tuple[Endpoint, ...]:
    """The operation that tells of these. It is asked for in a query, and no path leads to it."""
    engines = Engines(one for one in operations if isinstance(one, Endpoint))

    @endpoint("help", Verb.HELP, "{path:path?}")
    def path_help(req: HelpRequest, call: Call) -> Answer:
        """Of a mount below which the caller may do anything. That nothing is there: for those who might read it."""
        path, tenant = req.path.strip("/"), here(call)
        for mount in call(ops.ListReachableMounts(tenant=tenant)):
            if f"{path}/".startswith(f"{(at := path_of(mount))}/"):
                return Answer(data=engines.told(mount, path[len(at) + 1 :]), bare=True)
        with suppress(DryRun):
            call(ops.UseTools(tenant=tenant, dry_run=True))
        raise Said(404, no_route(path))

    return (path_help,)
