"""kv version 2: paths that lead nowhere, and the hint that comes with the 404."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keystead.doors.vault.endpoint import Answer, Endpoint, endpoint
from keystead.doors.vault.kv import VERSIONED
from keystead.kit import Call
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb

WORDS = {Verb.READ: "get", Verb.WRITE: "put", Verb.DELETE: "delete", Verb.LIST: "list", Verb.PATCH: "patch"}
"""What the command line calls each."""
NO_PATH = (
    "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. "
    "If using the Vault CLI, use 'vault kv {}' for this operation."
)
NO_ROOT = "Non-listing operations on the root of a K/V v2 mount are not supported."


class Anything(Parameters, frozen=True, kw_only=True):
    """Whatever was sent: it is not looked at."""

    path: str = CAPTURED


def _unread(message: type[Anything]) -> Any:
    def take(captures: Mapping[str, str], _arguments: Any) -> tuple[Anything, tuple[str, ...]]:
        return message(path=captures.get("path", "")), ()

    return take


def _astray(verb: Verb, path: str, words: str) -> Endpoint:
    def run(_req: Anything, _call: Call) -> Answer:
        return Answer(warnings=(words,), status=404)

    return endpoint(VERSIONED, verb, path, reads=_unread)(run)


OPERATIONS = (
    *(_astray(verb, "{path:path?}", NO_PATH.format(word)) for verb, word in WORDS.items()),
    *(_astray(verb, path, NO_ROOT) for verb in WORDS if verb is not Verb.LIST for path in ("data", "metadata")),
)
