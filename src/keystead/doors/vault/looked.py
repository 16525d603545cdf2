"""Parameters of a request as policies look at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from keystead.core import errors as e
from keystead.wire import Malformed
from keystead.wire.vault.tree import tree


class Looked(Mapping[str, Any]):
    """Parameters as policies look at them, read when one does: most policies look at none. Raises InvalidArgument."""

    __slots__ = ("_given", "_read")

    def __init__(self, given: bytes | Mapping[str, Any]) -> None:
        self._given = given
        self._read: Mapping[str, Any] | None = None

    @property
    def _tree(self) -> Mapping[str, Any]:
        if self._read is None:
            try:
                self._read = tree_of(self._given)
            except Malformed as error:  # only of what nobody but the policy has looked at
                raise e.InvalidArgument(str(error), "body") from error
        return self._read

    def __getitem__(self, name: str) -> Any:
        return self._tree[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tree)

    def __len__(self) -> int:
        return len(self._tree)

    def __repr__(self) -> str:
        return "Looked()"


def tree_of(given: bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    """Parameters as policies look at them. Raises wire errors."""
    return tree(given) if isinstance(given, bytes) else given
