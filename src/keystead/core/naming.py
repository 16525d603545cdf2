"""Under which names a key answers where (docs/adr/0020).

A name belongs to one namespace. Beside its own, a mount of a door of paths answers for the aliases that the key has
in the AWS region that the same keyring is bound to: "alias/app" is "app" there,
unless the mount has an "app" of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from keystead.core.entities import Name

PATHS, REGIONS, ALIAS = "vault:", "aws:", "alias/"
WORD = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
"""A name that fits into a path (framework.GenericNameRegex)."""


def name_at(name: Name, namespace: str) -> str:
    """What the key of `name` is called by it at that address of its keyring; "" where it is not."""
    if name.namespace == namespace:
        return name.name
    if namespace.startswith(PATHS) and name.namespace.startswith(REGIONS) and name.name.startswith(ALIAS):
        word = name.name[len(ALIAS) :]
        return word if WORD.fullmatch(word) else ""
    return ""


def elsewhere(namespace: str, word: str, addresses: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Where else to look for what `namespace` has no name of its own for: (namespace, name)."""
    if namespace.startswith(PATHS) and WORD.fullmatch(word):
        yield from ((address, ALIAS + word) for address in sorted(addresses) if address.startswith(REGIONS))
