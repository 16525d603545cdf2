"""The URIs of the XKS Proxy API, read once.

"API operations": [/<prefix>]/kms/xks/v1/health, …/keys/<external key id>/metadata|encrypt|decrypt. Everything is
compared exactly; nothing is decoded or normalized, so what was signed is what is meant.
"""

from __future__ import annotations

import re

from msgspec import Struct

from keystead.core.operations import KeyRef

MAX_PATH, MAX_TARGET = 128, 256  # characters; "API operations" counts the whole URI, of which this is a part
ROOT = "/"
"""The place of the address that stands for no prefix: "xks:111122223333:/"."""

_TARGET = re.compile(
    r"(?P<base>(?:/(?P<prefix>[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*))?/kms/xks/v1)"
    r"/(?:(?P<health>health)|keys/(?P<key>[A-Za-z0-9._-]{1,128})/(?P<word>metadata|encrypt|decrypt))"
)
_DOTS = frozenset({".", ".."})  # as a path segment they mean something else, and are signed as that
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}")
OPERATIONS = {"health": "GetHealthStatus", "metadata": "GetKeyMetadata", "encrypt": "Encrypt", "decrypt": "Decrypt"}


class Place(Struct, frozen=True):
    """What a URI asks for."""

    prefix: str  # without its first slash; ROOT where there is none
    operation: str
    key: str = ""


def place(target: bytes) -> Place | None:
    """What `target` (path and query) asks for; None for what is no URI of this API."""
    if len(target) > MAX_TARGET or not target.isascii():
        return None
    found = _TARGET.fullmatch(target.decode())
    if found is None or len(found["base"]) > MAX_PATH or found["key"] in _DOTS:
        return None
    return Place(found["prefix"] or ROOT, OPERATIONS[found["health"] or found["word"]], found["key"] or "")


def prefix_of(namespace: str) -> str:
    """The URI prefix of an address of this door: "xks:111122223333:stores/one" -> "stores/one"."""
    return namespace.split(":", 2)[2]


def path_of(namespace: str) -> str:
    """XksProxyUriPath of an address: "/stores/one/kms/xks/v1"."""
    prefix = prefix_of(namespace)
    return "/kms/xks/v1" if prefix == ROOT else f"/{prefix}/kms/xks/v1"


def key_ref(text: str, namespace: str) -> KeyRef:
    """An external key id is a key's id, or a name that a key has at this address."""
    return KeyRef(namespace, id=text) if _ID.fullmatch(text) else KeyRef(namespace, name=text)
